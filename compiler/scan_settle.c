/* scan_settle.c - recurrences made ready for the passes behind differentiation.
 * In: a graph with scans as lowering and derivatives left them. Out: the same values, where several
 * versions of one scan have become the widest of them, results that nobody reads and operands that
 * the body does not use are gone, and the bodies are simplified. */
#include "nnc.h"

#include <string.h>

static const Scan *widest(const Scan *s)
{
    while (s->wider) s = s->wider;
    return s;
}

/* ---- which results are read ---- */

typedef struct Group {
    const Scan *scan;
    bool *read;
    Scan *settled;
    int *result;
    Node **in;
    int n_in;
} Group;
typedef VEC(Group *) GroupList;

static Group *group_of(const GroupList *groups, const Node *n)
{
    const Scan *s = widest(n->attr.ref);
    for (int i = 0; i < groups->n; i++) {
        Group *g = groups->at[i];
        if (g->scan == s && g->n_in == n->n_in &&
            !memcmp(g->in, n->in, sizeof(Node *) * (size_t)n->n_in))
            return g;
    }
    return NULL;
}

/* ---- one scan ---- */

static bool reads_input(const Graph *g, int k)
{
    for (int i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->op == OP_INPUT && g->nodes.at[i]->attr.k == k) return true;
    return false;
}

static Graph *renumber(const Graph *old, const int *place, Node **roots, int n_roots)
{
    Graph *to = graph_new();
    Node **map = NEW_N(Node *, old->nodes.n + 1);
    for (int i = 0; i < old->nodes.n; i++) {
        const Node *n = old->nodes.at[i];
        Attr attr = n->attr;
        if (n->op == OP_INPUT) attr.k = place[n->attr.k];
        map[i] = node_copy(to, n, &attr, map);
    }
    map_roots(roots, n_roots, map);
    return to;
}

/* Sequences and captured values that the body does not read go; one sequence stays to count. */
static void drop_operands(Group *g)
{
    Scan *s = g->settled;
    int *place = NEW_N(int, g->n_in + 1), kept = 0, seqs = 0, captures = 0;
    Node **in = NEW_N(Node *, g->n_in + 1);
    for (int k = 0; k < g->n_in; k++) {
        bool state = k >= s->n_seqs && k < s->n_seqs + s->n_states;
        if (!state && !reads_input(s->body, k)) continue;
        seqs += k < s->n_seqs;
        captures += k >= s->n_seqs + s->n_states;
        place[k] = kept;
        in[kept++] = g->in[k];
    }
    s->body = renumber(s->body, place, s->next, s->n_states + s->n_emits);
    s->n_seqs = seqs;
    s->n_captures = captures;
    g->in = in;
    g->n_in = kept;
}

static void settle_group(Group *g)
{
    const Scan *s = g->scan;
    Scan *t = NEW(Scan);
    int n = s->n_states + s->n_emits;
    *t = *s;
    t->wider = NULL;
    t->next = NEW_N(Node *, n + 1);
    t->n_emits = 0;
    g->result = NEW_N(int, n + 1);
    for (int i = 0; i < n; i++) {
        if (i >= s->n_states && !g->read[i]) continue;
        g->result[i] = t->n_states + t->n_emits;
        if (i < s->n_states)
            g->result[i] = i;
        else
            t->n_emits++;
        t->next[g->result[i]] = s->next[i];
    }
    t->emit = t->next + t->n_states;
    t->body = scan_settle(s->body, t->next, t->n_states + t->n_emits);
    t->body = simplify_roots(t->body, t->next, t->n_states + t->n_emits);
    g->settled = t;
    drop_operands(g);
}

/* ---- the graph around ---- */

static bool has_scan(const Graph *g)
{
    for (int i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->op == OP_SCAN) return true;
    return false;
}

static GroupList find_groups(const Graph *g, const int *uses)
{
    GroupList groups = {0};
    for (int i = 0; i < g->nodes.n; i++) {
        Node *n = g->nodes.at[i];
        if (n->op != OP_SCAN || !uses[i]) continue;
        Group *grp = group_of(&groups, n);
        if (!grp) {
            grp = NEW(Group);
            *grp = (Group){.scan = widest(n->attr.ref), .in = n->in, .n_in = n->n_in};
            grp->read = NEW_N(bool, grp->scan->n_states + grp->scan->n_emits + 1);
            vec_push(&groups, grp);
        }
        grp->read[n->attr.k] = true;
    }
    return groups;
}

Graph *scan_settle(const Graph *g, Node **roots, int n)
{
    if (!has_scan(g)) return graph_copy(g, roots, n);
    int *uses = graph_uses(g, roots, n);
    GroupList groups = find_groups(g, uses);
    VEC(Node **) old_in = {0};
    for (int i = 0; i < groups.n; i++) {
        vec_push(&old_in, groups.at[i]->in);
        settle_group(groups.at[i]);
    }
    Graph *to = graph_new();
    Node **map = NEW_N(Node *, g->nodes.n + 1);
    for (int i = 0; i < g->nodes.n; i++) {
        Node *x = g->nodes.at[i];
        Group *grp = NULL;
        if (!uses[i]) continue;
        for (int k = 0; k < groups.n && x->op == OP_SCAN && !grp; k++)
            if (groups.at[k]->scan == widest(x->attr.ref) &&
                !memcmp(old_in.at[k], x->in, sizeof(Node *) * (size_t)x->n_in))
                grp = groups.at[k];
        int n_in = grp ? grp->n_in : x->n_in;
        Node **in = NEW_N(Node *, n_in + 1);
        for (int k = 0; k < n_in; k++) in[k] = map[(grp ? grp->in[k] : x->in[k])->id];
        map[i] = grp ? n_scan(to, grp->settled, x->attr.size, grp->result[x->attr.k], n_in, in)
                     : graph_node(to, x->op, &x->attr, x->type, n_in, in);
        note_as(map[i], x, map);
    }
    map_roots(roots, n, map);
    return to;
}
