/* again.c - one value of an entry computed a second time.
 * In: the kernels of an entry and a gap in the life of one of their values. Out: a graph with the
 * same results, in which the readers behind the gap use a copy of the value. The copy has the
 * operators of the value and their operands, as far as those are there by then; what is not is
 * copied too. Draws are functions of their site, so a copy of one draws the same numbers. */
#include "recompute.h"

typedef struct Rewrite {
    const Code *c;
    const Gap *gap;
    Graph *to;
    Node **map;   /* by Node.id: the node as early readers see it, */
    Node **late;  /* as late readers see it, */
    Node **again; /* and its copy */
    int serial;
} Rewrite;

static bool is_free(const Node *n)
{
    return op_info[n->op].class == CLASS_LEAF && n->op != OP_DRAW;
}

bool is_there(const Gap *gap, const Def *d)
{
    enum { SMALL = 8 }; /* a value of that much fewer bytes is kept rather than computed again */
    if (d->kind == DEF_SCAN) return true;
    if (!d->home || d->home->memory == MEM_ROW || d->home->skip) return false;
    return d->home->memory != MEM_WORK || d->home->last >= gap->to ||
           type_bytes(d->node->type) * SMALL <= type_bytes(gap->value->node->type);
}

static Node *with_operands(Rewrite *w, const Node *n, const Attr *attr, Node *const *in)
{
    Node *to = graph_node(w->to, n->op, attr, n->type, n->n_in, in);
    note_as(to, n, w->map);
    return to;
}

/* The nodes of a copy differ from the first ones by their serial number. */
static Node *again(Rewrite *w, const Node *n)
{
    const Def *d = w->c->def_of[n->id];
    if (is_free(n) || (d && d != w->gap->value && is_there(w->gap, d))) return w->map[n->id];
    if (w->again[n->id]) return w->again[n->id];
    Node **in = NEW_N(Node *, n->n_in + 1);
    Attr attr = n->attr;
    for (int k = 0; k < n->n_in; k++) in[k] = again(w, n->in[k]);
    attr.copy = w->serial;
    Node *to = with_operands(w, n, &attr, in);
    to->adjoint_of = NULL;
    to->again = w->map[n->id];
    to->wait = w->gap->wait ? w->map[w->gap->wait->id] : NULL;
    return w->again[n->id] = to;
}

/* What is written inside a late reader is written anew where it depends on the value. */
static Node *late(Rewrite *w, const Node *n)
{
    if (n == w->gap->value->node) return again(w, n);
    if (is_free(n) || w->c->def_of[n->id]) return w->map[n->id];
    if (w->late[n->id]) return w->late[n->id];
    Node **in = NEW_N(Node *, n->n_in + 1);
    for (int k = 0; k < n->n_in; k++) in[k] = late(w, n->in[k]);
    return w->late[n->id] = with_operands(w, n, &n->attr, in);
}

static Node *rewritten(Rewrite *w, const Node *n)
{
    const Def *d = w->c->def_of[n->id];
    Node **in = NEW_N(Node *, n->n_in + 1);
    for (int k = 0; k < n->n_in; k++)
        in[k] = d && w->gap->late[d->id] ? late(w, n->in[k]) : w->map[n->in[k]->id];
    return with_operands(w, n, &n->attr, in);
}

Graph *compute_again(const Code *c, const Gap *gap, Node **roots, int n)
{
    int size = c->g->nodes.n + 1;
    int *uses = graph_uses(c->g, roots, n);
    Rewrite w = {.c = c,
                 .gap = gap,
                 .to = graph_new(),
                 .map = NEW_N(Node *, size),
                 .late = NEW_N(Node *, size),
                 .again = NEW_N(Node *, size),
                 .serial = 1};
    for (int i = 0; i < c->g->nodes.n; i++)
        if (c->g->nodes.at[i]->attr.copy >= w.serial) w.serial = c->g->nodes.at[i]->attr.copy + 1;
    for (int i = 0; i < c->g->nodes.n; i++)
        if (uses[i]) w.map[i] = rewritten(&w, c->g->nodes.at[i]);
    for (int i = 0; i < n; i++)
        if (roots[i]) roots[i] = w.map[roots[i]->id];
    return graph_copy(w.to, roots, n);
}
