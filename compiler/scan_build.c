/* scan_build.c - a recurrence put together piece by piece.
 * In: operands in the graph around it, in any order, and the step in a body of its own. Out: a scan
 * whose inputs are numbered as its operands are: sequences, states, captured values. */
#include "graph.h"

#include <string.h>

/* Inputs get their numbers at the end, when it is known how many sequences and states there are. */
enum { STATE_BASE = 100000, CAPTURE_BASE = 200000 };

ScanBuild scan_build(bool reversed)
{
    ScanBuild b = {.scan = NEW(Scan)};
    b.scan->body = graph_new();
    b.scan->reversed = reversed;
    return b;
}

Node *build_seq(ScanBuild *b, Node *seq)
{
    Type t = {seq->type.elem, {.rank = seq->type.shape.rank - 1}};
    for (int i = 0; i < t.shape.rank; i++) t.shape.size[i] = seq->type.shape.size[i + 1];
    vec_push(&b->seq, seq);
    return n_input(b->scan->body, b->seq.n - 1, t, NULL);
}

Node *build_state(ScanBuild *b, Node *first)
{
    vec_push(&b->state, first);
    return n_input(b->scan->body, STATE_BASE + b->state.n - 1, first->type, NULL);
}

Node *build_capture(ScanBuild *b, Node *value)
{
    vec_push(&b->capture, value);
    return n_input(b->scan->body, CAPTURE_BASE + b->capture.n - 1, value->type, NULL);
}

Node *copy_into(Graph *to, const Node *n, Node **map)
{
    if (map[n->id]) return map[n->id];
    Node **in = NEW_N(Node *, n->n_in + 1);
    for (int k = 0; k < n->n_in; k++) in[k] = copy_into(to, n->in[k], map);
    Node *m = graph_node(to, n->op, &n->attr, n->type, n->n_in, in);
    name_as(m, n);
    if (!m->span.src) m->span = n->span;
    if (!m->rule) m->rule = n->rule;
    return map[n->id] = m;
}

static void number_inputs(ScanBuild *b)
{
    Graph *old = b->scan->body, *to = graph_new();
    int n_seqs = b->seq.n, n_states = b->state.n, n = b->next.n + b->emit.n;
    Node **map = NEW_N(Node *, old->nodes.n + 1);
    for (int i = 0; i < old->nodes.n; i++) {
        Node *x = old->nodes.at[i];
        if (x->op != OP_INPUT) continue;
        long k = x->attr.k;
        long at = k >= CAPTURE_BASE ? k - CAPTURE_BASE + n_seqs + n_states
                  : k >= STATE_BASE ? k - STATE_BASE + n_seqs
                                    : k;
        map[i] = n_input(to, (int)at, x->type, NULL);
        name_as(map[i], x);
        map[i]->span = x->span;
    }
    b->scan->next = NEW_N(Node *, n + 1);
    for (int i = 0; i < n; i++)
        b->scan->next[i] =
            copy_into(to, i < b->next.n ? b->next.at[i] : b->emit.at[i - b->next.n], map);
    b->scan->emit = b->scan->next + b->next.n;
    b->scan->body = to;
}

NodeList build_finish(ScanBuild *b)
{
    NodeList in = {0};
    number_inputs(b);
    b->scan->n_seqs = b->seq.n;
    b->scan->n_states = b->state.n;
    b->scan->n_captures = b->capture.n;
    b->scan->n_emits = b->emit.n;
    for (int i = 0; i < b->seq.n; i++) vec_push(&in, b->seq.at[i]);
    for (int i = 0; i < b->state.n; i++) vec_push(&in, b->state.at[i]);
    for (int i = 0; i < b->capture.n; i++) vec_push(&in, b->capture.at[i]);
    return in;
}

bool same_scan(const Node *a, const Node *b)
{
    return a->op == OP_SCAN && b->op == OP_SCAN && a->attr.ref == b->attr.ref &&
           a->n_in == b->n_in && !memcmp(a->in, b->in, sizeof(Node *) * (size_t)a->n_in);
}
