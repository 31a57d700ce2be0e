/* layout.c - in which order the axes of a value lie in memory.
 * In: a simplified entry. Out: the same entry, where products of windows are convolutions
 * (layout_conv.c) and what is computed from their results keeps the channels innermost, as
 * convolutions want them, up to where another order is asked for: by a matrix product, a flattened
 * image, a result. The order is part of the graph: a value with the axes moved is a node of the
 * moved shape, so that loops and products behind this pass need to know nothing about it. An entry
 * without convolutions stays as it is, and so does one that was here before. */
#include "layout.h"

#include "kernel.h"

/* ---- moved axes ---- */

/* Where axis i of a value stands when axis `last` is behind all others. */
static int moved_axis(int i, int last, int rank)
{
    if (last < 0 || i < last) return i;
    return i == last ? rank - 1 : i - 1;
}

static unsigned moved_axes(unsigned axes, int last, int rank)
{
    unsigned to = 0;
    for (int i = 0; i < rank; i++)
        if (axes >> i & 1) to |= 1u << moved_axis(i, last, rank);
    return to;
}

static Shape moved_shape(const Shape *s, int last)
{
    Shape to = {.rank = s->rank};
    for (int i = 0; i < s->rank; i++) to.size[moved_axis(i, last, s->rank)] = s->size[i];
    return to;
}

static void moved_sizes(const SizeRef *from, int last, int rank, SizeRef *to)
{
    for (int i = 0; i < rank; i++) to[moved_axis(i, last, rank)] = from[i];
}

/* ---- nodes in another order ---- */

static SizeRef count_before(const Shape *s, int axis)
{
    SizeRef count = size_const(1);
    for (int i = 0; i < axis; i++) count = size_mul(count, s->size[i]);
    return count;
}

/* The axis of `to` that is axis `axis` of `from` when elements are only counted differently; -1:
 * none. */
static int same_axis(const Shape *from, int axis, const Shape *to)
{
    for (int i = 0; i < to->rank; i++)
        if (to->size[i] == from->size[axis] && count_before(to, i) == count_before(from, axis))
            return i;
    return -1;
}

/* The axis moved behind all others. */
static Node *move_last(Graph *g, Node *n, int axis)
{
    int rank = n->type.shape.rank, perm[MAX_RANK] = {0}, kept = 0;
    if (axis < 0 || axis == rank - 1) return n;
    Shape to = moved_shape(&n->type.shape, axis);
    if (n->op == OP_BROADCAST) {
        for (int i = 0; i < axis; i++) kept += !(n->attr.axes >> i & 1);
        bool fresh = n->attr.axes >> axis & 1;
        Node *in = fresh ? n->in[0] : move_last(g, n->in[0], kept);
        return n_broadcast(g, in, &to, moved_axes(n->attr.axes, axis, rank));
    }
    if (n->op == OP_RESHAPE) {
        int from = same_axis(&n->type.shape, axis, &n->in[0]->type.shape);
        if (from >= 0) return reshape_from_base(g, move_last(g, n->in[0], from), &to);
    }
    for (int i = 0; i < rank; i++) perm[moved_axis(i, axis, rank)] = i;
    return turn(g, n, perm);
}

/* ---- values of old nodes ---- */

Node *laid_in_order(Layout *l, const Node *n, const int *perm)
{
    Laid v = l->laid[n->id];
    int rank = n->type.shape.rank, joined[MAX_RANK] = {0};
    for (int i = 0; i < rank; i++) joined[i] = moved_axis(perm[i], v.last, rank);
    return turn(l->g, v.u, joined);
}

Node *laid_plain(Layout *l, const Node *n)
{
    int same[MAX_RANK];
    for (int i = 0; i < MAX_RANK; i++) same[i] = i;
    return l->laid[n->id].last < 0 ? l->laid[n->id].u : laid_in_order(l, n, same);
}

Node *laid_last(Layout *l, const Node *n, int axis)
{
    Laid v = l->laid[n->id];
    if (axis == n->type.shape.rank - 1) return laid_plain(l, n);
    return v.last == axis ? v.u : move_last(l->g, laid_plain(l, n), axis);
}

static Laid laid(Node *u, int last)
{
    return (Laid){u, last == u->type.shape.rank - 1 ? -1 : last};
}

/* ---- operators ---- */

/* A map of something with finer axes is computed with those. */
static Node *map_of(Graph *g, const Node *n, Type t, Node **in)
{
    int part_of[MAX_RANK];
    const Node *x = NULL;
    for (int k = 0; k < n->n_in && !x; k++) x = finer(in[k], part_of);
    if (!x) return graph_node(g, n->op, &n->attr, t, n->n_in, in);
    Type fine = {t.elem, x->type.shape};
    for (int k = 0; k < n->n_in; k++) in[k] = split(g, in[k], &fine.shape, part_of);
    return n_reshape(g, graph_node(g, n->op, &n->attr, fine, n->n_in, in), &t.shape);
}

static Laid lay_map(Layout *l, const Node *n)
{
    int last = -1, rank = n->type.shape.rank;
    for (int k = 0; k < n->n_in && last < 0; k++)
        if (n->in[k]->type.shape.rank == rank) last = l->laid[n->in[k]->id].last;
    Node *in[3];
    for (int k = 0; k < n->n_in; k++)
        in[k] = last < 0 ? laid_plain(l, n->in[k]) : laid_last(l, n->in[k], last);
    Type t = {n->type.elem, moved_shape(&n->type.shape, last)};
    return (Laid){map_of(l->g, n, t, in), last};
}

/* argmax along several axes numbers the elements in the order of the axes: none of those may
 * move. */
static bool keeps_order(const Node *n, int last)
{
    bool is_arg = n->op == OP_ARGMAX || n->op == OP_ARGMIN;
    return !is_arg || last < 0 || !(n->attr.axes >> last & 1);
}

static Node *fold_of(Graph *g, const Node *n, Attr *attr, Node *u)
{
    int part_of[MAX_RANK];
    Node *x = finer(u, part_of);
    Shape kept = {0};
    if (!x) return graph_node(g, n->op, attr, n->type, 1, &u);
    for (int i = 0; i < u->type.shape.rank; i++)
        if (!(attr->axes >> i & 1)) kept.size[kept.rank++] = u->type.shape.size[i];
    attr->axes = parts_in(attr->axes, part_of, x->type.shape.rank);
    return n_reshape(g, graph_node(g, n->op, attr, n->type, 1, &x), &kept);
}

static Laid lay_fold(Layout *l, const Node *n)
{
    Laid v = l->laid[n->in[0]->id];
    int rank = n->in[0]->type.shape.rank, last = -1;
    Attr attr = n->attr;
    if (!keeps_order(n, v.last)) v = (Laid){laid_plain(l, n->in[0]), -1};
    attr.axes = moved_axes(n->attr.axes, v.last, rank);
    Node *u = fold_of(l->g, n, &attr, v.u);
    if (v.last >= 0 && !(n->attr.axes >> v.last & 1)) {
        last = 0;
        for (int i = 0; i < v.last; i++) last += !(n->attr.axes >> i & 1);
    }
    return laid(u, last);
}

static Laid lay_broadcast(Layout *l, const Node *n)
{
    Laid v = l->laid[n->in[0]->id];
    int rank = n->type.shape.rank, last = -1;
    for (int i = 0, k = 0; i < rank && v.last >= 0; i++)
        if (!(n->attr.axes >> i & 1) && k++ == v.last) last = i;
    Shape to = moved_shape(&n->type.shape, last);
    return laid(n_broadcast(l->g, v.u, &to, moved_axes(n->attr.axes, last, rank)), last);
}

/* Does the transposition take the last axis forward and leave the others in order? */
static int brought_forward(const Node *n)
{
    int rank = n->type.shape.rank, at = -1;
    for (int i = 0; i < rank; i++) {
        if (n->attr.perm[i] == rank - 1) at = i;
        if (n->attr.perm[i] != rank - 1 && n->attr.perm[i] != (at < 0 ? i : i - 1)) return -1;
    }
    return at;
}

/* Is it a product too, whose windows are single pixels? Its rows may be numbered in another way. */
static bool is_convolved(const Node *u)
{
    const Shape *s = &u->type.shape;
    SizeRef last = s->rank ? s->size[s->rank - 1] : NULL;
    while (u->op == OP_RESHAPE) u = u->in[0];
    if (u->op == OP_CONV || u->op == OP_CONV_DATA) return true;
    return u->op == OP_MATMUL && u->type.shape.rank == 2 && u->type.shape.size[1] == last;
}

static Laid lay_transpose(Layout *l, const Node *n)
{
    Laid v = l->laid[n->in[0]->id];
    int rank = n->type.shape.rank, last = -1, perm[MAX_RANK] = {0};
    if (v.last < 0 && is_convolved(v.u) && brought_forward(n) >= 0)
        return laid(v.u, brought_forward(n));
    if (v.last < 0) return (Laid){turn(l->g, v.u, n->attr.perm), -1};
    for (int i = 0; i < rank; i++)
        if (n->attr.perm[i] == v.last) last = i;
    for (int i = 0; i < rank; i++)
        perm[moved_axis(i, last, rank)] = moved_axis(n->attr.perm[i], v.last, rank);
    return laid(turn(l->g, v.u, perm), last);
}

/* The first of two axes that the reshape makes one, when it leaves the others to themselves. */
static int joined_axis(const Shape *from, const Shape *to)
{
    int a = 0;
    if (from->rank != to->rank + 1) return -1;
    while (a + 1 < to->rank && from->size[a] == to->size[a]) a++;
    if (to->size[a] != size_mul(from->size[a], from->size[a + 1])) return -1;
    for (int i = a + 1; i < to->rank; i++)
        if (to->size[i] != from->size[i + 1]) return -1;
    return a;
}

/* Groups of channels that become one axis become the last one. */
static Laid join_groups(Layout *l, Node *u, const Shape *to, int axis)
{
    Shape moved = moved_shape(to, axis);
    int perm[MAX_RANK] = {0}, n = 0;
    for (int i = 0; i < u->type.shape.rank; i++)
        if (i != axis && i != axis + 1) perm[n++] = i;
    perm[n++] = axis;
    perm[n] = axis + 1;
    return laid(reshape_from_base(l->g, turn(l->g, u, perm), &moved), axis);
}

/* The last axis stays last when the reshape leaves it to itself. */
static Laid lay_reshape(Layout *l, const Node *n)
{
    Laid v = l->laid[n->in[0]->id];
    const Shape *from = &n->in[0]->type.shape, *to = &n->type.shape;
    int joined = v.last < 0 && is_of_groups(v.u) ? joined_axis(from, to) : -1;
    if (joined >= 0) return join_groups(l, v.u, to, joined);
    int last = v.last < 0 ? -1 : same_axis(from, v.last, to);
    Shape moved = moved_shape(to, last);
    if (last >= 0) return laid(reshape_from_base(l->g, v.u, &moved), last);
    return (Laid){reshape_from_base(l->g, laid_plain(l, n->in[0]), to), -1};
}

static Laid lay_block(Layout *l, const Node *n)
{
    Laid v = l->laid[n->in[0]->id];
    Shape to = moved_shape(&n->type.shape, v.last);
    SizeRef lo[MAX_RANK];
    moved_sizes(n->attr.lo, v.last, to.rank, lo);
    return (Laid){n->op == OP_PAD ? n_pad(l->g, v.u, lo, &to) : n_slice(l->g, v.u, lo, &to),
                  v.last};
}

/* Opens or closes another axis than the last one. */
static Laid lay_window(Layout *l, const Node *n)
{
    Laid v = l->laid[n->in[0]->id];
    int more = n->op == OP_WINDOW ? (int)n->attr.axes - 1 : 1 - (int)n->attr.axes,
        at = (int)n->attr.k;
    int end = at + (n->op == OP_WINDOW ? 1 : (int)n->attr.axes);
    bool inside = v.last >= at && v.last < end;
    Node *u = inside ? laid_plain(l, n->in[0]) : v.u;
    int last = v.last < 0 || inside ? -1 : v.last < at ? v.last : v.last + more;
    Attr attr = n->attr;
    if (last >= 0 && v.last < at) attr.k--;
    Type t = {n->type.elem, moved_shape(&n->type.shape, last)};
    return laid(graph_node(l->g, n->op, &attr, t, 1, &u), last);
}

static Laid lay_reverse(Layout *l, const Node *n)
{
    Laid v = l->laid[n->in[0]->id];
    return (Laid){n_reverse(l->g, v.u, moved_axes(n->attr.axes, v.last, n->type.shape.rank)),
                  v.last};
}

static Laid lay_concat(Layout *l, const Node *n)
{
    int last = -1, rank = n->type.shape.rank;
    for (int k = 0; k < n->n_in && last < 0; k++) last = l->laid[n->in[k]->id].last;
    Node **in = NEW_N(Node *, n->n_in);
    for (int k = 0; k < n->n_in; k++)
        in[k] = last < 0 ? laid_plain(l, n->in[k]) : laid_last(l, n->in[k], last);
    return (Laid){n_concat(l->g, moved_axis((int)n->attr.k, last, rank), n->n_in, in), last};
}

static Laid lay_other(Layout *l, const Node *n)
{
    Node **in = NEW_N(Node *, n->n_in + 1);
    for (int k = 0; k < n->n_in; k++) in[k] = laid_plain(l, n->in[k]);
    return (Laid){graph_node(l->g, n->op, &n->attr, n->type, n->n_in, in), -1};
}

static Laid lay_node(Layout *l, const Node *n)
{
    Laid out;
    if (lay_convolution(l, n, &out) || lay_depthwise(l, n, &out)) return out;
    if (op_info[n->op].class == CLASS_MAP) return lay_map(l, n);
    if (op_info[n->op].class == CLASS_FOLD) return lay_fold(l, n);
    switch (n->op) {
    case OP_BROADCAST: return lay_broadcast(l, n);
    case OP_TRANSPOSE: return lay_transpose(l, n);
    case OP_RESHAPE: return lay_reshape(l, n);
    case OP_PAD:
    case OP_SLICE: return lay_block(l, n);
    case OP_WINDOW:
    case OP_UNWINDOW: return lay_window(l, n);
    case OP_REVERSE: return lay_reverse(l, n);
    case OP_CONCAT: return lay_concat(l, n);
    default: return lay_other(l, n);
    }
}

/* ---- an entry ---- */

/* Names and places go along; an adjoint whose forward node is gone has its name by now. */
static void take_along(const Layout *l, Node *to, const Node *from)
{
    if (to->op == OP_RESHAPE && op_info[from->op].class == CLASS_MAP) to = to->in[0];
    name_as(to, from);
    if (from->adjoint_of && !to->adjoint_of && to->rule)
        to->adjoint_of = l->laid[from->adjoint_of->id].u;
}

Graph *layout_roots(const Graph *old, Node **roots, int n)
{
    Layout l = {old, graph_new(), NEW_N(Laid, old->nodes.n + 1)};
    bool found = false;
    for (int i = 0; i < old->nodes.n; i++)
        if (is_convolution(old->nodes.at[i])) return NULL;
    for (int i = 0; i < old->nodes.n; i++) {
        const Node *from = old->nodes.at[i];
        l.g->span = from->span;
        l.g->rule = from->rule;
        l.laid[i] = lay_node(&l, from);
        take_along(&l, l.laid[i].u, from);
    }
    for (int i = 0; i < l.g->nodes.n; i++) found |= is_convolution(l.g->nodes.at[i]);
    if (!found) return NULL;
    for (int i = 0; i < n; i++)
        if (roots[i]) roots[i] = laid_plain(&l, roots[i]);
    return graph_copy(l.g, roots, n);
}

Entry *entry_with(const Entry *e, Graph *g, Node *const *roots)
{
    Entry *to = NEW(Entry);
    *to = *e;
    to->g = g;
    to->outputs.n = to->outputs.cap = to->updates.n = to->updates.cap = 0;
    to->outputs.at = NULL;
    to->updates.at = NULL;
    for (int i = 0; i < e->outputs.n; i++) {
        Output o = e->outputs.at[i];
        o.set.at = NEW_N(Node *, o.set.n + 1);
        vec_push(&to->outputs, o);
    }
    for (int i = 0; i < e->updates.n; i++) vec_push(&to->updates, e->updates.at[i]);
    return_roots(to, roots);
    return to;
}

Entry *layout(Entry *e)
{
    Node **roots;
    int n = gather_roots(e, &roots);
    Graph *g = layout_roots(e->g, roots, n);
    return g ? entry_with(e, g, roots) : e;
}
