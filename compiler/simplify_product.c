/* simplify_product.c - matrix products, and sums of products that are matrix products.
 * In: a sum or a matrix product. Out: a matrix product over fewer copies, or NULL. This is where
 * the index notation sum[k](A[i, k] * B[k, j]), which arrives as a sum over the product of two
 * broadcasts, becomes A @ B, and where the weights' gradient of a batch becomes one product. */
#include "simplify.h"

/* ---- sums of products ---- */

enum { BATCH, ROW, COLUMN, INNER, KINDS };

/* The axes of the product by what they are for: in both and kept, in the left alone, in the right
 * alone, in both and summed. */
typedef struct Contraction {
    Node *left, *right;
    unsigned in_left, in_right;
    int n[KINDS], axis[KINDS][MAX_RANK];
} Contraction;

static unsigned present_axes(const Node *n)
{
    unsigned all = (1u << n->type.shape.rank) - 1;
    return n->op == OP_BROADCAST ? all & ~n->attr.axes : all;
}

static Node *inside(Node *n) { return n->op == OP_BROADCAST ? n->in[0] : n; }

static bool sort_axes(const Node *sum, Contraction *c)
{
    for (int i = 0; i < sum->in[0]->type.shape.rank; i++) {
        bool l = c->in_left >> i & 1, r = c->in_right >> i & 1, summed = sum->attr.axes >> i & 1;
        if ((!l && !r) || (summed && l != r)) return false;
        int kind = l && r ? (summed ? INNER : BATCH) : l ? ROW : COLUMN;
        c->axis[kind][c->n[kind]++] = i;
    }
    return c->n[INNER] > 0;
}

/* A value that exists anyway, or that has to be stored for other users. What is computed for this
 * sum alone is better summed on the way, unless each element is used several times. */
static bool is_stored(const Simplifier *s, const Node *n)
{
    OpClass class = op_info[n->op].class;
    return class == CLASS_LEAF || n->op == OP_MATMUL || !is_single(s, n) ||
           ((n->op == OP_TRANSPOSE || n->op == OP_RESHAPE) && is_stored(s, n->in[0]));
}

/* Do all axes of one kind stand before all of another? */
static bool before(const Contraction *c, int kind, int other)
{
    return !c->n[kind] || !c->n[other] || c->axis[kind][c->n[kind] - 1] < c->axis[other][0];
}

/* A product with one column is one only where the matrix lies there as it is needed. */
static bool is_product(const Simplifier *s, const Contraction *c)
{
    if (c->n[BATCH] + 2 > MAX_RANK || !c->n[ROW]) return false;
    if (c->n[COLUMN]) return true;
    bool in_place = before(c, BATCH, ROW) && before(c, BATCH, INNER) &&
                    (before(c, ROW, INNER) || before(c, INNER, ROW));
    return in_place && is_stored(s, inside(c->left));
}

/* The operand with its axes in the order batch, first, second, each of the last two joined. */
static Node *arrange(Simplifier *s, const Contraction *c, Node *n, unsigned present, int first,
                     int second)
{
    int place[MAX_RANK] = {0}, perm[MAX_RANK] = {0}, k = 0;
    const int order[3] = {BATCH, first, second};
    Shape joined = {0};
    for (int i = 0; i < n->type.shape.rank; i++)
        if (present >> i & 1) place[i] = k++;
    k = 0;
    for (int part = 0; part < 3; part++) {
        SizeRef count = size_const(1);
        for (int i = 0; i < c->n[order[part]]; i++) {
            int axis = c->axis[order[part]][i];
            if (part == 0) joined.size[joined.rank++] = n->type.shape.size[axis];
            else count = size_mul(count, n->type.shape.size[axis]);
            perm[k++] = place[axis];
        }
        if (part) joined.size[joined.rank++] = count;
    }
    return n_reshape(s->g, n_transpose(s->g, inside(n), perm), &joined);
}

/* A factor of the product. Where it lies the other way round, it is taken as it lies and its last
 * two axes are exchanged, which a matrix product does for nothing. */
static Node *factor(Simplifier *s, const Contraction *c, Node *n, unsigned present, int first,
                    int second)
{
    if (c->n[first] && c->n[second] && !before(c, first, second) && before(c, second, first))
        return n_swap_last(s->g, arrange(s, c, n, present, second, first));
    return arrange(s, c, n, present, first, second);
}

/* The product's axes are batch, rows, columns; the sum wants them as they were. */
static Node *restore(Simplifier *s, const Contraction *c, const Node *sum, Node *y)
{
    const Shape *full = &sum->in[0]->type.shape;
    Shape apart = {0};
    int place[MAX_RANK] = {0}, perm[MAX_RANK] = {0}, k = 0;
    for (int kind = BATCH; kind <= COLUMN; kind++)
        for (int i = 0; i < c->n[kind]; i++) {
            place[c->axis[kind][i]] = apart.rank;
            apart.size[apart.rank++] = full->size[c->axis[kind][i]];
        }
    for (int i = 0; i < full->rank; i++)
        if (!(sum->attr.axes >> i & 1)) perm[k++] = place[i];
    return n_transpose(s->g, n_reshape(s->g, y, &apart), perm);
}

/* sum over a product of which each factor lacks some axes. Rows are the axes that come first in
 * the result, so that it need not be transposed. */
static Node *contract(Simplifier *s, Node *sum)
{
    Node *p = sum->in[0];
    Contraction c = {.left = p->in[0], .right = p->in[1]};
    c.in_left = present_axes(c.left);
    c.in_right = present_axes(c.right);
    if (!sort_axes(sum, &c)) return NULL;
    bool swap = c.n[COLUMN] && (!c.n[ROW] || c.axis[COLUMN][0] < c.axis[ROW][0]);
    if (swap) {
        c = (Contraction){p->in[1], p->in[0], c.in_right, c.in_left, {0}, {{0}}};
        sort_axes(sum, &c);
    }
    if (!is_product(s, &c)) return NULL;
    Node *a = factor(s, &c, c.left, c.in_left, ROW, INNER);
    Node *b = factor(s, &c, c.right, c.in_right, INNER, COLUMN);
    return restore(s, &c, sum, n_matmul(s->g, a, b));
}

/* ---- sums of matrix products ---- */

/* The sum of products over leading axes S is one product whose inner axis is S and k:
 * a is seen as a'' with a' = [R.., S.., k, m], b as [R.., S.., k, n], R the axes that stay. */
static Node *stack_inner(Simplifier *s, Node *n, unsigned summed)
{
    const Shape *from = &n->type.shape;
    int perm[MAX_RANK] = {0}, rank = from->rank, k = 0;
    Shape to = {0};
    SizeRef inner = from->size[rank - 2];
    for (int i = 0; i < rank - 2; i++) {
        if (summed >> i & 1) inner = size_mul(inner, from->size[i]);
        else perm[k++] = i;
    }
    for (int i = 0; i < k; i++) to.size[to.rank++] = from->size[perm[i]];
    for (int i = 0; i < rank; i++)
        if (i >= rank - 2 || summed >> i & 1) perm[k++] = i;
    to.size[to.rank++] = inner;
    to.size[to.rank++] = from->size[rank - 1];
    return n_reshape(s->g, n_transpose(s->g, n, perm), &to);
}

static Node *sum_matmul(Simplifier *s, Node *sum)
{
    Node *p = sum->in[0];
    unsigned leading = (1u << (p->type.shape.rank - 2)) - 1;
    if (sum->attr.axes & ~leading || !is_single(s, p)) return NULL;
    Node *a = stack_inner(s, n_swap_last(s->g, p->in[0]), sum->attr.axes);
    Node *b = stack_inner(s, p->in[1], sum->attr.axes);
    return n_matmul(s->g, n_swap_last(s->g, a), b);
}

/* ---- matrix products ---- */

/* One right side for the whole batch: the batch counts as rows. */
static Node *matmul_shared(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *b = n->in[1];
    int rank = n->type.shape.rank;
    unsigned leading = (1u << (rank - 2)) - 1;
    if (rank < 3 || b->op != OP_BROADCAST || b->attr.axes != leading || a->op == OP_TRANSPOSE)
        return NULL;
    Shape rows = {.rank = 2, .size = {size_const(1), a->type.shape.size[rank - 1]}};
    for (int i = 0; i < rank - 1; i++) rows.size[0] = size_mul(rows.size[0], a->type.shape.size[i]);
    Node *y = n_matmul(s->g, n_reshape(s->g, a, &rows), b->in[0]);
    return n_reshape(s->g, y, &n->type.shape);
}

static Node *rule_matmul(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *b = n->in[1];
    bool zero = (is_number(a, 0) && may_vanish(n, b)) || (is_number(b, 0) && may_vanish(n, a));
    if (zero) return n_full(s->g, n->type, 0);
    if (a->op == OP_NEG) return n_map1(s->g, OP_NEG, n_matmul(s->g, a->in[0], b));
    if (b->op == OP_NEG) return n_map1(s->g, OP_NEG, n_matmul(s->g, a, b->in[0]));
    return matmul_shared(s, n);
}

Node *rule_product(Simplifier *s, Node *n)
{
    if (n->op == OP_MATMUL) return rule_matmul(s, n);
    if (n->op != OP_SUM) return NULL;
    if (n->in[0]->op == OP_MUL) return contract(s, n);
    return n->in[0]->op == OP_MATMUL ? sum_matmul(s, n) : NULL;
}
