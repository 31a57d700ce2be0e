/* layout_axes.c - nodes with their axes in another order, or split.
 * In: a node of the new graph. Out: one with the same elements. What is the same for many elements,
 * and numbers that are known, are made in the new order rather than moved; a map of something that
 * has finer axes is computed with those. */
#include "layout.h"

/* ---- nodes in another order ---- */

/* Is the value made of nothing but numbers, what is repeated and turned values? */
static bool turns_freely(const Node *n)
{
    if (op_info[n->op].class != CLASS_MAP)
        return n->op == OP_IOTA || n->op == OP_BROADCAST || n->op == OP_TRANSPOSE ||
               node_is_const(n, NULL);
    for (int k = 0; k < n->n_in; k++)
        if (!turns_freely(n->in[k])) return false;
    return true;
}

static Node *turn_broadcast(Graph *g, Node *n, const int *perm, const Shape *to)
{
    int inner[MAX_RANK] = {0}, place[MAX_RANK] = {0}, rank = to->rank, k = 0;
    unsigned fresh = 0;
    for (int i = 0; i < rank; i++)
        if (!(n->attr.axes >> i & 1)) place[i] = k++;
    k = 0;
    for (int i = 0; i < rank; i++)
        if (n->attr.axes >> perm[i] & 1)
            fresh |= 1u << i;
        else
            inner[k++] = place[perm[i]];
    return n_broadcast(g, turn(g, n->in[0], inner), to, fresh);
}

/* Where only axes of one element change places, no element moves. */
static bool moves_elements(const Shape *s, const int *perm)
{
    int last = -1;
    for (int i = 0; i < s->rank; i++) {
        if (size_is(s->size[perm[i]], 1)) continue;
        if (perm[i] < last) return true;
        last = perm[i];
    }
    return false;
}

Node *turn(Graph *g, Node *n, const int *perm)
{
    int rank = n->type.shape.rank, joined[MAX_RANK] = {0};
    Shape to = {.rank = rank};
    bool moved = false;
    for (int i = 0; i < rank; i++) {
        to.size[i] = n->type.shape.size[perm[i]];
        moved |= perm[i] != i;
        joined[i] = n->op == OP_TRANSPOSE ? n->attr.perm[perm[i]] : perm[i];
    }
    if (!moved || n->op == OP_CONST) return n;
    if (n->op == OP_TRANSPOSE) return turn(g, n->in[0], joined);
    if (!moves_elements(&n->type.shape, perm)) return n_reshape(g, n, &to);
    if (n->op == OP_BROADCAST) return turn_broadcast(g, n, perm, &to);
    if (n->op == OP_IOTA) {
        for (int i = 0; i < rank; i++)
            if (perm[i] == n->attr.k) return n_iota(g, &to, i);
    }
    if (op_info[n->op].class != CLASS_MAP || !turns_freely(n)) return n_transpose(g, n, perm);
    Node *in[3];
    for (int k = 0; k < n->n_in; k++) in[k] = turn(g, n->in[k], perm);
    return graph_node(g, n->op, &n->attr, (Type){n->type.elem, to}, n->n_in, in);
}

/* Are these axes all of one element? */
static bool are_ones(unsigned axes, const Shape *s)
{
    for (int i = 0; i < s->rank; i++)
        if (axes >> i & 1 && !size_is(s->size[i], 1)) return false;
    return true;
}

Node *reshape_from_base(Graph *g, Node *n, const Shape *to)
{
    while (n->op == OP_RESHAPE || (n->op == OP_BROADCAST && are_ones(n->attr.axes, &n->type.shape)))
        n = n->in[0];
    return n_reshape(g, n, to);
}

/* ---- axes that are split ---- */

/* The axis of `coarse` that each axis of `fine` is a part of; false unless `fine` splits some axes
 * of it and leaves the last alone. */
static bool parts_of(const Shape *fine, const Shape *coarse, int *part_of)
{
    int k = 0;
    if (!coarse->rank || fine->rank <= coarse->rank) return false;
    if (fine->size[fine->rank - 1] != coarse->size[coarse->rank - 1]) return false;
    for (int i = 0; i < coarse->rank; i++) {
        SizeRef whole = size_const(1);
        while (k < fine->rank && (whole != coarse->size[i] || i == coarse->rank - 1)) {
            part_of[k] = i;
            whole = size_mul(whole, fine->size[k++]);
        }
        if (whole != coarse->size[i]) return false;
    }
    return true;
}

Node *finer(const Node *u, int *part_of)
{
    if (u->op != OP_RESHAPE) return NULL;
    Node *x = u->in[0];
    bool computed = op_info[x->op].class == CLASS_MAP || x->op == OP_BROADCAST;
    return computed && parts_of(&x->type.shape, &u->type.shape, part_of) ? x : NULL;
}

unsigned parts_in(unsigned axes, const int *part_of, int rank)
{
    unsigned parts = 0;
    for (int i = 0; i < rank; i++)
        if (axes >> part_of[i] & 1) parts |= 1u << i;
    return parts;
}

Node *split(Graph *g, Node *n, const Shape *fine, const int *part_of)
{
    if (n->op != OP_BROADCAST) return reshape_from_base(g, n, fine);
    unsigned fresh = parts_in(n->attr.axes, part_of, fine->rank);
    Shape inner = {0};
    for (int i = 0; i < fine->rank; i++)
        if (!(fresh >> i & 1)) inner.size[inner.rank++] = fine->size[i];
    return n_broadcast(g, reshape_from_base(g, n->in[0], &inner), fine, fresh);
}
