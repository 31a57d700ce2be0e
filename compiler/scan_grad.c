/* scan_grad.c - the derivative of a recurrence: back-propagation through time as a recurrence.
 * In: a scan and the adjoints of its results. Out: the adjoints of its operands. One step of the
 * reverse takes the adjoints of the states behind the step to those before it; what it needs of the
 * forward step is emitted by the forward scan, unless it is cheap to compute again from what is. */
#include "nnc.h"

#include <string.h>

typedef struct Reverse {
    Graph *g; /* where the scan stands */
    Node *node;
    const Scan *scan;
    Node *const *dy;
    const bool *want;
    Graph *body;    /* the step and its derivative */
    Node **d;       /* by operand of the scan: derivative in the body, or NULL */
    int n_out;      /* states and emits of the scan */
    bool *backward; /* by node of the body: depends on an adjoint */
    NodeList saved; /* forward nodes of the body that the reverse reads as sequences */
    Node **map;     /* body -> body of the reverse */
} Reverse;

/* ---- one step ---- */

static Node *input(Graph *g, int k, Type t) { return n_input(g, k, t, NULL); }

static bool is_real(const Node *n) { return elem_is_real(n->type.elem); }

/* sum over results of <result, adjoint>: its derivatives are the adjoints of the inputs. */
static Node *pairing(Reverse *r, Node **out)
{
    Node *loss = n_const(r->body, ELEM_REAL, 0);
    for (int i = 0; i < r->n_out; i++) {
        bool used = i < r->scan->n_states || r->dy[i];
        if (!used || !is_real(out[i])) continue;
        Node *a = input(r->body, r->node->n_in + i, out[i]->type);
        Node *p = n_map2(r->body, OP_MUL, out[i], a);
        Node *s = n_reduce(r->body, OP_SUM, p, (1u << p->type.shape.rank) - 1);
        loss = n_map2(r->body, OP_ADD, loss, n_cast(r->body, ELEM_REAL, s));
    }
    return loss;
}

static Node *find_input(const Graph *g, int k)
{
    for (int i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->op == OP_INPUT && g->nodes.at[i]->attr.k == k) return g->nodes.at[i];
    return NULL;
}

static bool differentiable(const Reverse *r, int k)
{
    bool state = k >= r->scan->n_seqs && k < r->scan->n_seqs + r->scan->n_states;
    return is_real(r->node->in[k]) && (state || r->want[k]);
}

static void build_step(Reverse *r)
{
    int n = r->node->n_in, count = 0;
    Node **out = NEW_N(Node *, r->n_out + 1), **x = NEW_N(Node *, n + 1),
         **roots = NEW_N(Node *, n + 1);
    GradResult *result = NEW_N(GradResult, n + 1);
    for (int i = 0; i < r->n_out; i++) out[i] = r->scan->next[i];
    r->body = graph_copy(r->scan->body, out, r->n_out);
    Node *loss = pairing(r, out);
    for (int k = 0; k < n; k++) {
        Node *in = differentiable(r, k) ? find_input(r->body, k) : NULL;
        if (in) x[count++] = in;
    }
    differentiate(r->body, loss, count, x, result);
    for (int i = 0; i < count; i++) roots[i] = result[i].status == GRAD_OK ? result[i].d : NULL;
    int *operand = NEW_N(int, count + 1);
    for (int i = 0; i < count; i++) operand[i] = (int)x[i]->attr.k;
    r->body = simplify_roots(r->body, roots, count);
    r->d = NEW_N(Node *, n + 1);
    for (int i = 0; i < count; i++) {
        double v;
        bool zero = !roots[i] || (node_is_const(roots[i], &v) && v == 0);
        r->d[operand[i]] = zero ? NULL : roots[i];
    }
}

/* ---- what the reverse needs of the forward step ---- */

static void find_backward(Reverse *r)
{
    r->backward = NEW_N(bool, r->body->nodes.n + 1);
    for (int i = 0; i < r->body->nodes.n; i++) {
        const Node *n = r->body->nodes.at[i];
        r->backward[i] = n->op == OP_INPUT && n->attr.k >= r->node->n_in;
        for (int k = 0; k < n->n_in; k++) r->backward[i] |= r->backward[n->in[k]->id];
    }
}

/* Arithmetic and movement cost less than reading a saved value back. */
bool is_cheap(const Node *n)
{
    switch (n->op) {
    case OP_EXP:
    case OP_LOG:
    case OP_SQRT:
    case OP_RSQRT:
    case OP_SIN:
    case OP_COS:
    case OP_TANH:
    case OP_SIGMOID:
    case OP_ERF:
    case OP_POW:
    case OP_DIV:
    case OP_MATMUL:
    case OP_SCAN:
    case OP_GATHER:
    case OP_SCATTER:
    case OP_UNWINDOW: return false;
    default: return op_info[n->op].class != CLASS_FOLD;
    }
}

static bool is_state_input(const Reverse *r, const Node *n)
{
    return n->op == OP_INPUT && n->attr.k >= r->scan->n_seqs &&
           n->attr.k < r->scan->n_seqs + r->scan->n_states;
}

/* Does the value change from step to step? Else it is computed from the captured values again. */
static bool varies(const Reverse *r, const Node *n)
{
    if (n->op == OP_INPUT) return n->attr.k < r->scan->n_seqs + r->scan->n_states;
    for (int k = 0; k < n->n_in; k++)
        if (varies(r, n->in[k])) return true;
    return false;
}

static void save(Reverse *r, Node *n)
{
    for (int i = 0; i < r->saved.n; i++)
        if (r->saved.at[i] == n) return;
    vec_push(&r->saved, n);
}

static void need(Reverse *r, Node *n, bool *done)
{
    if (done[n->id]) return;
    done[n->id] = true;
    if (is_state_input(r, n) || (n->op != OP_INPUT && !is_cheap(n) && varies(r, n))) {
        save(r, n);
        return;
    }
    for (int k = 0; k < n->n_in; k++) need(r, n->in[k], done);
}

static void find_saved(Reverse *r)
{
    bool *done = NEW_N(bool, r->body->nodes.n + 1);
    for (int i = 0; i < r->body->nodes.n; i++) {
        const Node *n = r->body->nodes.at[i];
        for (int k = 0; r->backward[i] && k < n->n_in; k++)
            if (!r->backward[n->in[k]->id]) need(r, n->in[k], done);
    }
    for (int k = 0; k < r->node->n_in; k++)
        if (r->d[k] && !r->backward[r->d[k]->id]) need(r, r->d[k], done);
}

/* ---- saving ---- */

/* The forward scan with the saved values as further emits. */
static const Scan *widen(Reverse *r, int *first)
{
    Scan *base = (Scan *)r->scan, *wide = NEW(Scan);
    while (base->wider) base = base->wider;
    *wide = *base;
    int old = base->n_states + base->n_emits, n = old + r->saved.n;
    *first = old;
    wide->next = NEW_N(Node *, n + 1);
    for (int i = 0; i < old; i++) wide->next[i] = base->next[i];
    wide->body = graph_copy(base->body, wide->next, old);
    Node **map = NEW_N(Node *, r->body->nodes.n + 1);
    for (int i = 0; i < r->saved.n; i++)
        wide->next[old + i] = copy_into(wide->body, r->saved.at[i], map);
    wide->emit = wide->next + wide->n_states;
    wide->n_emits += r->saved.n;
    wide->wider = NULL;
    if (r->saved.n) base->wider = wide;
    return r->saved.n ? wide : base;
}

/* ---- the reverse scan ---- */

static void map_saved(Reverse *r, ScanBuild *b)
{
    int first;
    const Scan *wide = widen(r, &first);
    for (int i = 0; i < r->saved.n; i++) {
        Node *seq = n_scan(r->g, wide, r->node->attr.size, first + i, r->node->n_in, r->node->in);
        r->map[r->saved.at[i]->id] = build_seq(b, seq);
        name_as(r->map[r->saved.at[i]->id], r->saved.at[i]);
    }
}

/* Forward inputs and adjoints that the reverse body reads. */
static void map_inputs(Reverse *r, ScanBuild *b)
{
    const Scan *s = r->scan;
    for (int i = 0; i < s->n_states; i++) { /* the adjoint of every state runs along */
        if (!is_real(s->next[i])) continue;
        Type t = s->next[i]->type;
        Node *a = build_state(b, r->dy[i] ? r->dy[i] : n_full(r->g, t, 0));
        Node *old = find_input(r->body, r->node->n_in + i);
        if (old) r->map[old->id] = a;
    }
    for (int i = 0; i < r->body->nodes.n; i++) {
        const Node *n = r->body->nodes.at[i];
        if (n->op != OP_INPUT || r->map[i]) continue;
        int k = (int)n->attr.k;
        if (k >= r->node->n_in)
            r->map[i] = build_seq(b, r->dy[k - r->node->n_in]);
        else if (k < s->n_seqs)
            r->map[i] = build_seq(b, r->node->in[k]);
        else if (k >= s->n_seqs + s->n_states)
            r->map[i] = build_capture(b, r->node->in[k]);
        if (r->map[i]) name_as(r->map[i], n);
    }
}

/* Where the derivative for operand k comes out: as a state, as an emitted sequence, or nowhere. */
typedef struct Place {
    bool is_state, is_emit;
    int at;
} Place;

static void collect_steps(Reverse *r, ScanBuild *b, Place *place)
{
    const Scan *s = r->scan;
    Graph *body = b->scan->body;
    int state = 0;
    for (int i = 0; i < s->n_states; i++) {
        if (!is_real(s->next[i])) continue;
        Node *d = r->d[s->n_seqs + i];
        place[s->n_seqs + i] = (Place){.is_state = true, .at = state++};
        vec_push(&b->next, d ? copy_into(body, d, r->map) : n_full(body, s->next[i]->type, 0));
    }
    for (int k = 0; k < r->node->n_in; k++) {
        if (!r->d[k] || (k >= s->n_seqs && k < s->n_seqs + s->n_states)) continue;
        Node *d = copy_into(body, r->d[k], r->map);
        if (k < s->n_seqs) {
            place[k] = (Place){.is_emit = true, .at = b->emit.n};
            vec_push(&b->emit, d);
            continue;
        }
        Node *sum = build_state(b, n_full(r->g, r->node->in[k]->type, 0));
        place[k] = (Place){.is_state = true, .at = state++};
        vec_push(&b->next, n_map2(body, OP_ADD, sum, d));
    }
}

void scan_gradient(Graph *g, Node *node, Node *const *dy, const bool *want, Node **d)
{
    const Scan *s = node->attr.ref;
    Reverse r = {
        .g = g, .node = node, .scan = s, .dy = dy, .want = want, .n_out = s->n_states + s->n_emits};
    build_step(&r);
    find_backward(&r);
    find_saved(&r);
    ScanBuild b = scan_build(!s->reversed);
    r.map = NEW_N(Node *, r.body->nodes.n + 1);
    Place *place = NEW_N(Place, node->n_in + 1);
    map_saved(&r, &b);
    map_inputs(&r, &b);
    collect_steps(&r, &b, place);
    NodeList in = build_finish(&b);
    for (int k = 0; k < node->n_in; k++) {
        d[k] = NULL;
        if (!want[k] || !(place[k].is_state || place[k].is_emit)) continue;
        int at = place[k].is_state ? place[k].at : b.next.n + place[k].at;
        d[k] = n_scan(g, b.scan, node->attr.size, at, in.n, in.at);
    }
}
