/* simplify_move.c - movement of movement: broadcast, reshape, transpose and reverse, and maps whose
 * operands are all broadcast. In: a node. Out: one that moves less, or NULL. In what comes out a
 * broadcast stands outside: a map is computed on the small shape and then repeated, and a size-1
 * axis of a broadcast counts as new. */
#include "simplify.h"

/* ---- axes ---- */

static unsigned all_axes(int rank) { return (1u << rank) - 1; }

/* The shape without some axes. */
static Shape without(const Shape *s, unsigned axes)
{
    Shape r = {0};
    for (int i = 0; i < s->rank; i++)
        if (!(axes >> i & 1)) r.size[r.rank++] = s->size[i];
    return r;
}

/* The set `axes` of a shape, counted after the axes in `gone` have been taken away. */
static unsigned renumber(unsigned axes, unsigned gone, int rank)
{
    unsigned r = 0;
    for (int i = 0, k = 0; i < rank; i++) {
        if (gone >> i & 1) continue;
        if (axes >> i & 1) r |= 1u << k;
        k++;
    }
    return r;
}

static unsigned axes_of_one(const Shape *s)
{
    unsigned axes = 0;
    for (int i = 0; i < s->rank; i++)
        if (size_is(s->size[i], 1)) axes |= 1u << i;
    return axes;
}

/* ---- maps of broadcasts ---- */

/* Which axes the value is the same along. */
static unsigned repeated_axes(const Node *n)
{
    if (n->op == OP_BROADCAST) return n->attr.axes;
    return node_is_const(n, NULL) ? all_axes(n->type.shape.rank) : 0;
}

/* The operand of a map without the axes `gone`, along all of which it is the same. */
static Node *shrink(Simplifier *s, Node *n, unsigned gone)
{
    Shape small = without(&n->type.shape, gone);
    unsigned rest = renumber(n->attr.axes, gone, n->type.shape.rank);
    double v;
    if (node_is_const(n, &v)) return n_full(s->g, (Type){n->type.elem, small}, v);
    return n_broadcast(s->g, n->in[0], &small, rest);
}

static Node *rule_map(Simplifier *s, Node *n)
{
    unsigned common = all_axes(n->type.shape.rank);
    Node *in[3];
    for (int k = 0; k < n->n_in; k++) common &= repeated_axes(n->in[k]);
    if (!common) return NULL;
    for (int k = 0; k < n->n_in; k++) in[k] = shrink(s, n->in[k], common);
    Node *small = graph_node(s->g, n->op, &n->attr, (Type){n->type.elem, in[0]->type.shape},
                             n->n_in, in);
    return n_broadcast(s->g, small, &n->type.shape, common);
}

/* ---- broadcast ---- */

static Node *rule_broadcast(Simplifier *s, Node *n)
{
    Node *a = n->in[0];
    const Shape *to = &n->type.shape;
    unsigned axes = n->attr.axes, inner = 0, ones = axes_of_one(&a->type.shape);
    if (a->op == OP_BROADCAST) inner = a->attr.axes;
    else if (a->op != OP_IOTA) inner = ones;
    for (int i = 0, k = 0; i < to->rank; i++) {
        if (axes >> i & 1) continue;
        if (a->op == OP_IOTA && a->attr.k == k) return n_iota(s->g, to, i);
        if (inner >> k++ & 1) axes |= 1u << i;
    }
    if (axes == n->attr.axes) return NULL;
    if (a->op == OP_BROADCAST) return n_broadcast(s->g, a->in[0], to, axes);
    Shape dropped = without(&a->type.shape, ones);
    return n_broadcast(s->g, n_reshape(s->g, a, &dropped), to, axes);
}

/* ---- reshape ---- */

/* The next group of axes, old [i0, i1) and new [j0, j1), that hold the same number of elements:
 * a reshape changes nothing between groups. false at the end, or when there is no such group. */
typedef struct Group { int i0, i1, j0, j1; } Group;

static bool next_group(const Shape *from, const Shape *to, Group *g)
{
    int i0 = g->i1, j0 = g->j1;
    for (int total = 1; total <= from->rank - i0 + to->rank - j0; total++)
        for (int i = 0; i <= total; i++) {
            int j = total - i;
            if (i0 + i > from->rank || j0 + j > to->rank) continue;
            SizeRef p = size_const(1), q = size_const(1);
            for (int k = i0; k < i0 + i; k++) p = size_mul(p, from->size[k]);
            for (int k = j0; k < j0 + j; k++) q = size_mul(q, to->size[k]);
            if (p != q) continue;
            *g = (Group){i0, i0 + i, j0, j0 + j};
            return true;
        }
    return false;
}

/* A reshape that leaves the repeated axes to themselves is one of what is repeated. */
static Node *reshape_broadcast(Simplifier *s, Node *n, Node *a)
{
    const Shape *to = &n->type.shape;
    Group g = {0};
    unsigned fresh = 0;
    while (next_group(&a->type.shape, to, &g)) {
        unsigned old = all_axes(g.i1) & ~all_axes(g.i0), new = all_axes(g.j1) & ~all_axes(g.j0);
        if ((a->attr.axes & old) == old) fresh |= new;
        else if (a->attr.axes & old) return NULL;
    }
    if (g.i1 != a->type.shape.rank || g.j1 != to->rank) return NULL;
    Shape small = without(to, fresh);
    return n_broadcast(s->g, n_reshape(s->g, a->in[0], &small), to, fresh);
}

static Node *rule_reshape(Simplifier *s, Node *n)
{
    Node *a = n->in[0];
    if (shape_equal(&a->type.shape, &n->type.shape)) return a;
    if (a->op == OP_RESHAPE) return n_reshape(s->g, a->in[0], &n->type.shape);
    return a->op == OP_BROADCAST ? reshape_broadcast(s, n, a) : NULL;
}

/* ---- transpose ---- */

/* The broadcast of a transposed: the axes that are not new keep their order among themselves. */
static Node *transpose_broadcast(Simplifier *s, Node *n, Node *a)
{
    int perm[MAX_RANK] = {0}, place[MAX_RANK] = {0}, k = 0, rank = n->type.shape.rank;
    unsigned fresh = 0;
    for (int i = 0; i < rank; i++)
        if (!(a->attr.axes >> i & 1)) place[i] = k++;
    k = 0;
    for (int i = 0; i < rank; i++) {
        if (a->attr.axes >> n->attr.perm[i] & 1) fresh |= 1u << i;
        else perm[k++] = place[n->attr.perm[i]];
    }
    return n_broadcast(s->g, n_transpose(s->g, a->in[0], perm), &n->type.shape, fresh);
}

/* Where only axes of size 1 change places, no element moves. */
static bool moves_nothing(const Node *n)
{
    int last = -1;
    for (int i = 0; i < n->type.shape.rank; i++) {
        if (size_is(n->type.shape.size[i], 1)) continue;
        if (n->attr.perm[i] < last) return false;
        last = n->attr.perm[i];
    }
    return true;
}

static bool swaps_last(const Node *n)
{
    int r = n->type.shape.rank;
    for (int i = 0; i < r - 2; i++)
        if (n->attr.perm[i] != i) return false;
    return r >= 2 && n->attr.perm[r - 1] == r - 2;
}

static Node *rule_transpose(Simplifier *s, Node *n)
{
    Node *a = n->in[0];
    if (a->op == OP_TRANSPOSE) {
        int perm[MAX_RANK] = {0};
        for (int i = 0; i < n->type.shape.rank; i++) perm[i] = a->attr.perm[n->attr.perm[i]];
        return n_transpose(s->g, a->in[0], perm);
    }
    if (moves_nothing(n)) return n_reshape(s->g, a, &n->type.shape);
    if (a->op == OP_BROADCAST) return transpose_broadcast(s, n, a);
    if (a->op == OP_IOTA)
        for (int i = 0; i < n->type.shape.rank; i++)
            if (n->attr.perm[i] == a->attr.k) return n_iota(s->g, &n->type.shape, i);
    if (a->op == OP_MATMUL && swaps_last(n) && is_single(s, a))
        return n_matmul(s->g, n_swap_last(s->g, a->in[1]), n_swap_last(s->g, a->in[0]));
    return NULL;
}

/* ---- reverse, iota, tables ---- */

static Node *rule_reverse(Simplifier *s, Node *n)
{
    Node *a = n->in[0];
    unsigned still = axes_of_one(&n->type.shape) | repeated_axes(a);
    if (n->attr.axes & still) return n_reverse(s->g, a, n->attr.axes & ~still);
    return a->op == OP_REVERSE ? n_reverse(s->g, a->in[0], n->attr.axes ^ a->attr.axes) : NULL;
}

/* Rows taken in their order are the table; a known row is a slice. */
static Node *rule_gather(Simplifier *s, Node *n)
{
    Node *table = n->in[0], *index = n->in[1];
    SizeRef rows = table->type.shape.size[0], lo[MAX_RANK];
    double v;
    if (index->op == OP_IOTA && index->type.shape.rank == 1 && index->type.shape.size[0] == rows)
        return table;
    if (!node_is_const(index, &v) || v < 0 || v >= (double)size_lower(rows)) return NULL;
    for (int i = 0; i < MAX_RANK; i++) lo[i] = size_const(i ? 0 : (long)v);
    Shape one = table->type.shape, row = without(&one, 1);
    one.size[0] = size_const(1);
    Node *r = n_reshape(s->g, n_slice(s->g, table, lo, &one), &row);
    return n_broadcast(s->g, r, &n->type.shape, all_axes(index->type.shape.rank));
}

Node *rule_move(Simplifier *s, Node *n)
{
    if (op_info[n->op].class == CLASS_MAP) return rule_map(s, n);
    switch (n->op) {
    case OP_IOTA:
        return size_is(n->type.shape.size[n->attr.k], 1) ? n_full(s->g, n->type, 0) : NULL;
    case OP_BROADCAST: return rule_broadcast(s, n);
    case OP_RESHAPE: return rule_reshape(s, n);
    case OP_TRANSPOSE: return rule_transpose(s, n);
    case OP_REVERSE: return rule_reverse(s, n);
    case OP_GATHER: return rule_gather(s, n);
    default: return NULL;
    }
}
