/* fuse_product.c - matrix products and convolutions with what follows them.
 * In: a graph with counts of users. Out: for each product of the runtime's size the longest chain
 * of sums, one bias and an activation behind it that nothing else looks into; the runtime computes
 * the whole chain at once. A convolution takes along one bias and an activation. */
#include "fuse.h"

#include <string.h>

static bool only_user(const Choice *c, const Node *n)
{
    return c->users[n->id] == 1 && !c->root[n->id];
}

/* A vector along the last axis that is added to every row. */
static bool is_bias(const Node *n)
{
    SizeRef s;
    Node *b = (Node *)n;
    bool one_row = n->type.shape.rank == 1 && n->op != OP_BROADCAST;
    if (!one_row && (n->op != OP_BROADCAST || is_same_in_row(n))) return false;
    for (int i = 0; i + 1 < n->type.shape.rank; i++)
        if (!(n->attr.axes >> i & 1)) return false;
    return stride_of(NULL, b, n->type.shape.rank - 1, &s) && size_is(s, 1);
}

static SizeRef last_size(const Node *n)
{
    const Shape *s = &n->type.shape;
    return s->rank ? s->size[s->rank - 1] : size_const(1);
}

/* The product whose rows n numbers in another way, [N*T, m] as [N, T, m]: the same memory. */
static Node *same_rows(const Choice *c, Node *n)
{
    if (n->op != OP_RESHAPE || !only_user(c, n)) return n;
    Node *of = see_through(n->in[0]);
    bool product = of->op == OP_MATMUL && !is_small_product(of) && only_user(c, of);
    return product && last_size(of) == last_size(n) ? of : n;
}

/* Takes n apart as a sum of products that only it uses, and at most one bias. */
static bool collect_sum(const Choice *c, Node *n, Def *d, bool top)
{
    n = same_rows(c, see_through(n));
    if (n->op == OP_MATMUL && !is_small_product(n) && !d->conv && (top || only_user(c, n))) {
        Product p = {.node = n, .a = see_through(n->in[0]), .b = see_through(n->in[1])};
        if (d->products.n && !shape_equal(&n->type.shape, product_shape(d))) return false;
        vec_push(&d->products, p);
        return true;
    }
    bool free = !d->conv && !d->products.n;
    if (is_convolution(n) && (top || (n->op == OP_CONV && only_user(c, n))) && free) {
        d->conv = n;
        d->kind = DEF_CONV;
        return true;
    }
    if (n->op == OP_ADD && (top || only_user(c, n)))
        return collect_sum(c, n->in[0], d, false) && collect_sum(c, n->in[1], d, false);
    if (!d->bias && is_bias(n)) {
        d->bias = n;
        return true;
    }
    return false;
}

static void absorb_sum(Choice *c, Node *n, Def *d)
{
    n = see_through(n);
    if (n != d->node) c->absorbed[n->id] = true;
    c->absorbed[same_rows(c, n)->id] |= same_rows(c, n) != n;
    if (n->op == OP_ADD)
        for (int k = 0; k < 2; k++)
            if (see_through(n->in[k]) != d->bias) absorb_sum(c, n->in[k], d);
}

/* relu is the larger of its operand and 0 */
static Op activation(const Node *n, Node **of)
{
    double zero;
    *of = n->n_in ? see_through(n->in[0]) : NULL;
    if (n->op == OP_TANH || n->op == OP_SIGMOID) return n->op;
    if (n->op != OP_MAX) return OP_COUNT;
    for (int k = 0; k < 2; k++)
        if (node_is_const(n->in[k], &zero) && zero == 0) {
            *of = see_through(n->in[1 - k]);
            return OP_MAX;
        }
    return OP_COUNT;
}

/* What n is a transposed and reshaped copy of, when nothing else looks at it on the way and rows
 * stay rows: the product can store its rows where n has them. */
static Node *before_moves(const Choice *c, Node *n, Def *d)
{
    if (n->op == OP_RESHAPE && only_user(c, see_through(n->in[0]))) n = see_through(n->in[0]);
    int last = n->type.shape.rank - 1;
    bool moved = n->op == OP_TRANSPOSE && n->attr.perm[last] == last &&
                 only_user(c, see_through(n->in[0]));
    if (!moved) return n;
    d->transpose = n;
    return see_through(n->in[0]);
}

static void match_product(Choice *c, Node *n)
{
    Def d = {.node = n, .kind = DEF_GEMM, .act = OP_COUNT};
    Node *result = before_moves(c, n, &d), *sum = result, *of;
    Op act = activation(result, &of);
    if (act != OP_COUNT && of && only_user(c, of)) {
        d.act = act;
        sum = of;
    }
    if (sum->op != OP_ADD && sum->op != OP_MATMUL && !is_convolution(sum)) return;
    if (!collect_sum(c, sum, &d, true) || (d.products.n == 0 && !d.conv)) return;
    if (d.transpose && d.products.n && !shape_equal(product_shape(&d), &result->type.shape)) return;
    if (d.transpose && d.conv) return;
    if (d.conv && d.conv->op != OP_CONV && d.conv != n) return;
    c->head[n->id] = NEW(Def);
    *c->head[n->id] = d;
    absorb_sum(c, sum, &d);
    if (result != n) c->absorbed[result->id] = true;
    if (d.transpose && d.transpose != n) c->absorbed[d.transpose->id] = true;
}

/* Is n `z <= 0` or `0 < z`, which decides the derivative of max(0, z)? */
static bool asks_sign(const Node *n, const Node *z)
{
    double zero;
    int k = n->op == OP_LE ? 0 : 1;
    if (n->op != OP_LE && n->op != OP_LT) return false;
    return see_through(n->in[k]) == z && node_is_const(n->in[1 - k], &zero) && zero == 0;
}

/* max(0, z) has the sign that its derivative asks z for: when nothing else needs z, the product
 * that makes z can apply max at once. */
static void ask_relu(Graph *g, const Choice *c, Node *h, Node *z)
{
    int others = 0;
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        bool later = i > h->id && asks_sign(n, z);
        for (int k = 0; c->live[i] && n != h && !later && k < n->n_in; k++)
            others += see_through(n->in[k]) == z;
    }
    for (int i = h->id + 1; i < g->nodes.n && !others && !c->root[z->id]; i++) {
        Node *n = g->nodes.at[i];
        if (c->live[i] && asks_sign(n, z)) n->in[n->op == OP_LE ? 0 : 1] = h;
    }
}

void share_signs(const Choice *c)
{
    Node *z;
    for (int i = 0; i < c->g->nodes.n; i++) {
        Node *n = c->g->nodes.at[i];
        if (c->live[i] && n->op == OP_MAX && activation(n, &z) == OP_MAX && c->users[z->id] > 1)
            ask_relu(c->g, c, n, z);
    }
}

/* From the last node on, so that the longest chain is found first. */
void match_products(Choice *c)
{
    for (int i = c->g->nodes.n - 1; i >= 0; i--) {
        Node *n = c->g->nodes.at[i];
        if (c->live[i] && c->users[i] + c->root[i] && !c->absorbed[i]) match_product(c, n);
    }
}
