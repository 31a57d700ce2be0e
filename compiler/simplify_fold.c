/* simplify_fold.c - folds of what is repeated, reshaped, transposed, padded or folded already.
 * In: a fold. Out: one over fewer or smaller arrays, or NULL. Elements may be folded in another
 * order than before, which changes sums and products by roundings only. */
#include "simplify.h"

static bool is_arg(Op op) { return op == OP_ARGMAX || op == OP_ARGMIN; }

static unsigned axes_of_one(const Shape *s)
{
    unsigned axes = 0;
    for (int i = 0; i < s->rank; i++)
        if (size_is(s->size[i], 1)) axes |= 1u << i;
    return axes;
}

/* The set `axes`, counted after the axes in `gone` have been taken away. */
static unsigned renumber(unsigned axes, unsigned gone)
{
    unsigned r = 0;
    for (int i = 0, k = 0; i < MAX_RANK; i++) {
        if (gone >> i & 1) continue;
        if (axes >> i & 1) r |= 1u << k;
        k++;
    }
    return r;
}

/* Folding one element gives that element. */
static Node *fold_ones(Simplifier *s, Node *n, Node *a)
{
    unsigned ones = n->attr.axes & axes_of_one(&a->type.shape);
    Shape rest = {0};
    if (!ones) return NULL;
    if (is_arg(n->op) && ones == n->attr.axes) return n_full(s->g, n->type, 0);
    for (int i = 0; i < a->type.shape.rank; i++)
        if (!(ones >> i & 1)) rest.size[rest.rank++] = a->type.shape.size[i];
    return n_reduce(s->g, n->op, n_reshape(s->g, a, &rest), renumber(n->attr.axes & ~ones, ones));
}

/* fold over F of broadcast over X: what is both is counted, what is left of each stays. */
static Node *fold_broadcast(Simplifier *s, Node *n, Node *a)
{
    unsigned folded = n->attr.axes, fresh = a->attr.axes, both = folded & fresh;
    SizeRef count = size_const(1);
    for (int i = 0; i < a->type.shape.rank; i++)
        if (both >> i & 1) count = size_mul(count, a->type.shape.size[i]);
    if (both && (n->op == OP_PROD || (n->op != OP_SUM && size_lower(count) < 1))) return NULL;
    if (is_arg(n->op) && both) return both == folded ? n_full(s->g, n->type, 0) : NULL;
    Node *r = n_reduce(s->g, n->op, a->in[0], renumber(folded & ~fresh, fresh));
    r = n_broadcast(s->g, r, &n->type.shape, renumber(fresh & ~folded, folded));
    if (n->op != OP_SUM || !both) return r;
    return n_map2(s->g, OP_MUL, n_size(s->g, n->type.elem, count), r);
}

/* A fold of the same kind of fold: over the axes of both. */
static Node *fold_fold(Simplifier *s, Node *n, Node *a)
{
    unsigned axes = a->attr.axes;
    if (is_arg(n->op)) return NULL;
    for (int i = 0, k = 0; i < a->in[0]->type.shape.rank; i++) {
        if (a->attr.axes >> i & 1) continue;
        if (n->attr.axes >> k++ & 1) axes |= 1u << i;
    }
    return n_reduce(s->g, n->op, a->in[0], axes);
}

/* Folding everything does not ask for the shape; else axes of size 1 may have come or gone. */
static Node *fold_reshape(Simplifier *s, Node *n, Node *a)
{
    Node *x = a->in[0];
    const Shape *old = &x->type.shape, *new = &a->type.shape;
    unsigned axes = 0;
    int i = 0;
    if (is_arg(n->op)) return NULL;
    if (n->type.shape.rank == 0) return n_reduce(s->g, n->op, x, (1u << old->rank) - 1);
    for (int k = 0; k < new->rank; k++) {
        if (size_is(new->size[k], 1)) continue;
        while (i < old->rank && size_is(old->size[i], 1)) i++;
        if (i == old->rank || old->size[i] != new->size[k]) return NULL;
        if (n->attr.axes >> k & 1) axes |= 1u << i;
        i++;
    }
    while (i < old->rank && size_is(old->size[i], 1)) i++;
    return i == old->rank ? n_reshape(s->g, n_reduce(s->g, n->op, x, axes), &n->type.shape) : NULL;
}

/* The fold of the operand, whose remaining axes are then put in order. argmax numbers the elements
 * in the order of the axes. */
static Node *fold_transpose(Simplifier *s, Node *n, Node *a)
{
    unsigned axes = 0;
    int rank = a->type.shape.rank, perm[MAX_RANK] = {0}, place[MAX_RANK] = {0}, k = 0;
    for (int i = 0; i < rank; i++) {
        unsigned axis = n->attr.axes >> i & 1 ? 1u << a->attr.perm[i] : 0;
        if (is_arg(n->op) && axis && axis < axes) return NULL;
        axes |= axis;
    }
    for (int i = 0; i < rank; i++)
        if (!(axes >> i & 1)) place[i] = k++;
    k = 0;
    for (int i = 0; i < rank; i++)
        if (!(n->attr.axes >> i & 1)) perm[k++] = place[a->attr.perm[i]];
    return n_transpose(s->g, n_reduce(s->g, n->op, a->in[0], axes), perm);
}

/* Zeros around do not change a sum. */
static Node *sum_pad(Simplifier *s, Node *n, Node *a)
{
    Node *sum = n_reduce(s->g, OP_SUM, a->in[0], n->attr.axes);
    SizeRef lo[MAX_RANK];
    for (int i = 0, k = 0; i < a->type.shape.rank; i++)
        if (!(n->attr.axes >> i & 1)) lo[k++] = a->attr.lo[i];
    return n_pad(s->g, sum, lo, &n->type.shape);
}

/* A sign, and a number that multiplies everything, come out of a sum. */
static Node *sum_multiple(Simplifier *s, Node *n, Node *a)
{
    double v;
    if (a->op != OP_NEG && a->op != OP_MUL) return NULL;
    if (a->op == OP_MUL && (!is_single(s, a) || !node_is_const(a->in[0], &v))) return NULL;
    Node *sum = n_reduce(s->g, OP_SUM, a->in[a->n_in - 1], n->attr.axes);
    if (a->op == OP_NEG) return n_map1(s->g, OP_NEG, sum);
    return n_map2(s->g, OP_MUL, n_const(s->g, n->type.elem, v), sum);
}

Node *rule_fold(Simplifier *s, Node *n)
{
    if (op_info[n->op].class != CLASS_FOLD) return NULL;
    Node *a = n->in[0], *r = fold_ones(s, n, a);
    if (r) return r;
    if (a->op == n->op) return fold_fold(s, n, a);
    if (a->op == OP_BROADCAST) return fold_broadcast(s, n, a);
    if (a->op == OP_RESHAPE) return fold_reshape(s, n, a);
    if (a->op == OP_TRANSPOSE) return fold_transpose(s, n, a);
    if (n->op != OP_SUM) return NULL;
    return a->op == OP_PAD ? sum_pad(s, n, a) : sum_multiple(s, n, a);
}
