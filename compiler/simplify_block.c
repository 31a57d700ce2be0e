/* simplify_block.c - slices, pads, joins and windows: blocks of arrays.
 * In: a node. Out: one that copies less, or NULL. The derivative of a slice is a pad, so where an
 * array was taken apart, its adjoint is a sum of pads; those that touch become one join here. */
#include "simplify.h"

static SizeRef end_of(SizeRef lo, SizeRef count) { return size_add(lo, count); }

/* a <= b for every value of the dims */
static bool never_above(SizeRef a, SizeRef b) { return size_lower(size_sub(b, a)) >= 0; }

/* ---- slices ---- */

static Node *slice_slice(Simplifier *s, Node *n, Node *a)
{
    SizeRef lo[MAX_RANK];
    for (int i = 0; i < n->type.shape.rank; i++) lo[i] = size_add(n->attr.lo[i], a->attr.lo[i]);
    return n_slice(s->g, a->in[0], lo, &n->type.shape);
}

/* A block that lies inside the padded array, or beside it in the zeros. */
static Node *slice_pad(Simplifier *s, Node *n, Node *a)
{
    const Shape *to = &n->type.shape, *from = &a->in[0]->type.shape;
    SizeRef lo[MAX_RANK];
    bool inside = true;
    for (int i = 0; i < to->rank; i++) {
        SizeRef first = n->attr.lo[i], begin = a->attr.lo[i], end = end_of(begin, from->size[i]);
        SizeRef last = end_of(first, to->size[i]);
        if (never_above(last, begin) || never_above(end, first))
            return n_full(s->g, n->type, 0);
        inside &= never_above(begin, first) && never_above(last, end);
        lo[i] = size_sub(first, begin);
    }
    return inside ? n_slice(s->g, a->in[0], lo, to) : NULL;
}

/* A block that lies inside one of the joined parts. */
static Node *slice_concat(Simplifier *s, Node *n, Node *a)
{
    long axis = a->attr.k;
    SizeRef begin = size_const(0), lo[MAX_RANK];
    SizeRef last = end_of(n->attr.lo[axis], n->type.shape.size[axis]);
    for (int k = 0; k < a->n_in; k++) {
        SizeRef end = end_of(begin, a->in[k]->type.shape.size[axis]);
        if (never_above(begin, n->attr.lo[axis]) && never_above(last, end)) {
            for (int i = 0; i < n->type.shape.rank; i++) lo[i] = n->attr.lo[i];
            lo[axis] = size_sub(n->attr.lo[axis], begin);
            return n_slice(s->g, a->in[k], lo, &n->type.shape);
        }
        begin = end;
    }
    return NULL;
}

static Node *slice_broadcast(Simplifier *s, Node *n, Node *a)
{
    Shape kept = {0};
    SizeRef lo[MAX_RANK];
    for (int i = 0; i < n->type.shape.rank; i++) {
        if (a->attr.axes >> i & 1) continue;
        lo[kept.rank] = n->attr.lo[i];
        kept.size[kept.rank++] = n->type.shape.size[i];
    }
    return n_broadcast(s->g, n_slice(s->g, a->in[0], lo, &kept), &n->type.shape, a->attr.axes);
}

static Node *rule_slice(Simplifier *s, Node *n)
{
    Node *a = n->in[0];
    if (shape_equal(&a->type.shape, &n->type.shape)) return a;
    switch (a->op) {
    case OP_SLICE: return slice_slice(s, n, a);
    case OP_PAD: return slice_pad(s, n, a);
    case OP_CONCAT: return slice_concat(s, n, a);
    case OP_BROADCAST: return slice_broadcast(s, n, a);
    default: return NULL;
    }
}

/* ---- pads ---- */

static Node *rule_pad(Simplifier *s, Node *n)
{
    Node *a = n->in[0];
    SizeRef lo[MAX_RANK];
    if (shape_equal(&a->type.shape, &n->type.shape)) return a;
    if (a->op != OP_PAD) return NULL;
    for (int i = 0; i < n->type.shape.rank; i++) lo[i] = size_add(n->attr.lo[i], a->attr.lo[i]);
    return n_pad(s->g, a->in[0], lo, &n->type.shape);
}

/* The only axis along which two pads put their arrays at different places, where b's begins at the
 * end of a's; or -1. */
static int touching_axis(const Node *a, const Node *b)
{
    int axis = -1;
    const Shape *sa = &a->in[0]->type.shape, *sb = &b->in[0]->type.shape;
    for (int i = 0; i < a->type.shape.rank; i++) {
        if (a->attr.lo[i] == b->attr.lo[i] && sa->size[i] == sb->size[i]) continue;
        if (axis >= 0 || end_of(a->attr.lo[i], sa->size[i]) != b->attr.lo[i]) return -1;
        axis = i;
    }
    return axis;
}

static Node *join_pads(Simplifier *s, Node *a, Node *b)
{
    int axis = touching_axis(a, b);
    if (axis < 0) return NULL;
    Node *parts[2] = {a->in[0], b->in[0]};
    return n_pad(s->g, n_concat(s->g, axis, 2, parts), a->attr.lo, &a->type.shape);
}

/* pad(a) + pad(b), also where one of them was added to something before */
static Node *rule_add_pads(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *b = n->in[1], *r;
    if (b->op != OP_PAD) return NULL;
    if (a->op == OP_PAD) return (r = join_pads(s, a, b)) ? r : join_pads(s, b, a);
    if (a->op != OP_ADD || !is_single(s, a) || a->in[1]->op != OP_PAD) return NULL;
    r = join_pads(s, a->in[1], b);
    if (!r) r = join_pads(s, b, a->in[1]);
    return r ? n_map2(s->g, OP_ADD, a->in[0], r) : NULL;
}

/* ---- joins ---- */

/* Consecutive slices of one array along the axis: a slice that holds both. */
static Node *join_slices(Simplifier *s, Node *a, Node *b, long axis)
{
    if (a->op != OP_SLICE || b->op != OP_SLICE || a->in[0] != b->in[0]) return NULL;
    Shape both = a->type.shape;
    for (int i = 0; i < both.rank; i++) {
        SizeRef next = i == axis ? end_of(a->attr.lo[i], both.size[i]) : a->attr.lo[i];
        if (b->attr.lo[i] != next) return NULL;
    }
    both.size[axis] = size_add(both.size[axis], b->type.shape.size[axis]);
    return n_slice(s->g, a->in[0], a->attr.lo, &both);
}

/* Parts that are joins along the same axis are opened, empty ones left out, slices of one array
 * that follow each other put together. */
static Node *rule_concat(Simplifier *s, Node *n)
{
    VEC(Node *) parts = {0};
    bool changed = false;
    for (int k = 0; k < n->n_in; k++) {
        Node *part = n->in[k], *joined;
        bool open = part->op == OP_CONCAT && part->attr.k == n->attr.k;
        if (size_is(part->type.shape.size[n->attr.k], 0) && n->n_in > 1) {
            changed = true;
            continue;
        }
        changed |= open;
        for (int i = 0; i < (open ? part->n_in : 1); i++) {
            Node *p = open ? part->in[i] : part;
            joined = parts.n ? join_slices(s, parts.at[parts.n - 1], p, n->attr.k) : NULL;
            if (joined) parts.at[parts.n - 1] = joined;
            else vec_push(&parts, p);
            changed |= joined != NULL;
        }
    }
    if (!parts.n) return n->in[0];
    return changed || parts.n == 1 ? n_concat(s->g, (int)n->attr.k, parts.n, parts.at) : NULL;
}

/* ---- windows ---- */

/* Windows that neither overlap nor leave gaps, x[f*i + p] for p < f or x[i] alone, are a block of
 * the wide side in another shape. Gives that block's shape. */
static bool is_tiling(const Attr *a, const Shape *wide, const Shape *open, Shape *block)
{
    *block = *wide;
    SizeRef first = open->size[a->k];
    if (a->axes == 1 && a->perm[0] == 1) {
        block->size[a->k] = first;
        return true;
    }
    if (a->axes != 2 || a->perm[1] != 1 || !size_is(open->size[a->k + 1], a->perm[0])) return false;
    block->size[a->k] = size_mul(first, open->size[a->k + 1]);
    return true;
}

static Node *rule_window(Simplifier *s, Node *n)
{
    const Shape *in = &n->in[0]->type.shape, *out = &n->type.shape;
    bool opens = n->op == OP_WINDOW;
    SizeRef lo[MAX_RANK];
    Shape block;
    if (!is_tiling(&n->attr, opens ? in : out, opens ? out : in, &block)) return NULL;
    for (int i = 0; i < MAX_RANK; i++) lo[i] = i == n->attr.k ? n->attr.lo[0] : size_const(0);
    if (opens) return n_reshape(s->g, n_slice(s->g, n->in[0], lo, &block), out);
    return n_pad(s->g, n_reshape(s->g, n->in[0], &block), lo, out);
}

Node *rule_block(Simplifier *s, Node *n)
{
    switch (n->op) {
    case OP_WINDOW: case OP_UNWINDOW: return rule_window(s, n);
    case OP_SLICE: return rule_slice(s, n);
    case OP_PAD: return rule_pad(s, n);
    case OP_CONCAT: return rule_concat(s, n);
    case OP_ADD: return rule_add_pads(s, n);
    default: return NULL;
    }
}
