/* weights.c - work on weights that needs to be done once.
 * In: an entry behind layout, where convolutions are known. Out: under --weights a copy of it in
 * which weights that are only moved are weights themselves, a constant scale and shift of every
 * channel behind a product or a convolution (a normalisation, say) are in its kernel and its bias,
 * and kernels lie in the order in which nn_conv reads them. Without weights nothing changes. */
#include "kernel.h"
#include "known.h"
#include "layout.h"
#include "simplify.h"

/* ---- kernels in order ---- */

/* k[P][Q][C][O] of k[O][C][P][Q] */
static Node *packed_kernel(Graph *g, const Node *k)
{
    long size[4], at = 0;
    const double *v = known_values(k);
    for (int i = 0; i < 4; i++) size_is_const(k->type.shape.size[i], &size[i]);
    double *to = NEW_N(double, shape_upper(&k->type.shape) + 1);
    long taps = size[2] * size[3];
    for (long t = 0; t < taps; t++)
        for (long c = 0; c < size[1]; c++)
            for (long o = 0; o < size[0]; o++) to[at++] = v[(o * size[1] + c) * taps + t];
    const Shape *s = &k->type.shape;
    Type type = {k->type.elem, {4, {s->size[2], s->size[3], s->size[1], s->size[0]}}};
    return n_weight(g, type, to, k, "_packed");
}

static Node *pack(Graph *g, const Node *n)
{
    const Node *k = n->in[1];
    if (n->op != OP_CONV || n->attr.k || k->type.shape.rank != 4 || !is_weight(k)) return NULL;
    Attr attr = n->attr;
    attr.k = 1;
    return graph_node(g, OP_CONV, &attr, n->type, 2, (Node *[]){n->in[0], packed_kernel(g, k)});
}

/* ---- a scale and a shift of every channel ---- */

/* The last axis that has more than one element, or the first. */
static int channel_axis(const Shape *s)
{
    int i = s->rank - 1;
    while (i > 0 && size_is(s->size[i], 1)) i--;
    return i;
}

/* Every axis but that of the channels. */
static unsigned other_axes(const Shape *s)
{
    return ((1u << s->rank) - 1) & ~(1u << channel_axis(s));
}

/* How many channels; 0: unknown. */
static long channels_of(const Shape *s)
{
    long count = 0;
    return s->rank && size_is_const(s->size[channel_axis(s)], &count) ? count : 0;
}

/* The elements of n when they are known and depend on the channel only. */
static const double *by_channel(const Node *n, long count)
{
    double v;
    if (node_is_const(n, &v)) {
        double *all = NEW_N(double, count + 1);
        for (long i = 0; i < count; i++) all[i] = v;
        return all;
    }
    if (n->type.shape.rank == 1 && known_values(n)) return known_values(n);
    if (n->op != OP_BROADCAST || n->attr.axes != other_axes(&n->type.shape)) return NULL;
    return n->in[0]->type.shape.rank == 1 ? known_values(n->in[0]) : NULL;
}

/* Without reshapes that leave the channels last. */
static Node *rows_of(const Simplifier *s, Node *n)
{
    while (n->op == OP_RESHAPE && is_single(s, n) &&
           channels_of(&n->type.shape) == channels_of(&n->in[0]->type.shape))
        n = n->in[0];
    return n;
}

/* product + bias, where the product's second operand is a weight with the channels last. */
typedef struct Channels {
    Node *product;
    const double *bias; /* NULL: none */
    long count;
} Channels;

static bool find_channels(const Simplifier *s, Node *n, Channels *c)
{
    *c = (Channels){.count = channels_of(&n->type.shape)};
    if (!c->count || !is_single(s, n)) return false;
    n = rows_of(s, n);
    if (n->op == OP_ADD && is_single(s, n)) {
        int k = by_channel(n->in[0], c->count) ? 0 : 1;
        c->bias = by_channel(n->in[k], c->count);
        if (!c->bias) return false;
        n = rows_of(s, n->in[1 - k]);
    }
    c->product = n;
    bool product = n->op == OP_MATMUL || (n->op == OP_CONV && (n->attr.k || is_depthwise(n)));
    return product && is_single(s, n) && is_weight(n->in[1]) &&
           channel_axis(&n->type.shape) == n->type.shape.rank - 1 &&
           channels_of(&n->type.shape) == c->count;
}

/* n as scale * of + shift, by channel; false: it is nothing of the kind. */
static bool read_affine(const Node *n, Node **of, long count, double *scale, double *shift)
{
    static const Op ops[] = {OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_NEG};
    size_t i = 0;
    while (i < sizeof ops / sizeof *ops && n->op != ops[i]) i++;
    if (i == sizeof ops / sizeof *ops) return false;
    int k = n->op == OP_NEG || by_channel(n->in[1], count) ? 0 : 1;
    const double *v = n->op == OP_NEG ? NULL : by_channel(n->in[1 - k], count);
    if ((!v && n->op != OP_NEG) || (k && n->op == OP_DIV)) return false;
    *of = n->in[k];
    for (long j = 0; j < count; j++) {
        scale[j] = n->op == OP_MUL ? v[j] : n->op == OP_DIV ? 1 / v[j] : 1;
        if (n->op == OP_NEG || (n->op == OP_SUB && k)) scale[j] = -1;
        shift[j] = n->op == OP_ADD || (n->op == OP_SUB && k) ? v[j] : n->op == OP_SUB ? -v[j] : 0;
    }
    return true;
}

static Node *scaled_weight(Graph *g, const Node *k, const double *scale, long count)
{
    long n = shape_upper(&k->type.shape);
    const double *v = known_values(k);
    double *to = NEW_N(double, n + 1);
    for (long i = 0; i < n; i++) to[i] = v[i] * scale[i % count];
    return n_weight(g, k->type, to, k, "_scaled");
}

/* x + bias, for each channel */
static Node *with_bias(Graph *g, Node *x, const double *bias, long count, const Node *from)
{
    Type row = {x->type.elem, {1, {size_const(count)}}};
    Node *b = n_weight(g, row, bias, from, "_bias");
    return n_map2(g, OP_ADD, x, n_broadcast(g, b, &x->type.shape, other_axes(&x->type.shape)));
}

/* s (x k + b) + t = x (s k) + (s b + t) */
static Node *fold_affine(Simplifier *s, Node *n)
{
    Channels c;
    Node *of;
    long count = channels_of(&n->type.shape);
    if (!elem_is_real(n->type.elem) || !count) return NULL;
    double *scale = NEW_N(double, count + 1), *bias = NEW_N(double, count + 1);
    if (!read_affine(n, &of, count, scale, bias) || !find_channels(s, of, &c)) return NULL;
    bool scales = false, shifts = false;
    for (long i = 0; i < count; i++) {
        scales |= scale[i] != 1;
        bias[i] += c.bias ? scale[i] * c.bias[i] : 0;
        shifts |= bias[i] != 0;
    }
    Node *k = c.product->in[1], *y = c.product;
    if ((n->op == OP_ADD && !c.bias && of == y) || (scales && !is_single(s, k))) return NULL;
    if (scales) k = scaled_weight(s->g, k, scale, count);
    y = graph_node(s->g, y->op, &y->attr, y->type, 2, (Node *[]){y->in[0], k});
    if (shifts) y = with_bias(s->g, y, bias, count, k);
    return reshape_from_base(s->g, y, &n->type.shape);
}

/* An activation in the shape of the product, where the runtime can apply it. */
static Node *fold_activation(Simplifier *s, Node *n)
{
    double zero;
    Channels c;
    int k = n->op == OP_MAX && node_is_const(n->in[0], &zero) ? 1 : 0;
    if (n->op != OP_MAX && n->op != OP_TANH && n->op != OP_SIGMOID) return NULL;
    if (n->op == OP_MAX && (!node_is_const(n->in[1 - k], &zero) || zero != 0)) return NULL;
    if (n->in[k]->op != OP_RESHAPE || !find_channels(s, n->in[k], &c)) return NULL;
    Node *x = rows_of(s, n->in[k]);
    Node *y = n->op == OP_MAX ? n_map2(s->g, OP_MAX, n_const(s->g, x->type.elem, 0), x)
                              : n_map1(s->g, n->op, x);
    return reshape_from_base(s->g, y, &n->type.shape);
}

/* x / w = x (1 / w) */
static Node *fold_divisor(Simplifier *s, Node *n)
{
    Node *w = n->op == OP_DIV ? n->in[1] : n;
    if (w->op == OP_BROADCAST) w = w->in[0];
    if (n->op != OP_DIV || !is_weight(w)) return NULL;
    if (!is_single(s, w) || !is_single(s, n->in[1])) return NULL;
    long count = shape_upper(&w->type.shape);
    double *to = NEW_N(double, count + 1);
    for (long i = 0; i < count; i++) to[i] = 1 / known_values(w)[i];
    Node *by = n_weight(s->g, w->type, to, w, "_inverse");
    if (w != n->in[1]) by = n_broadcast(s->g, by, &n->type.shape, n->in[1]->attr.axes);
    return n_map2(s->g, OP_MUL, n->in[0], by);
}

/* ---- the pass ---- */

static Node *settle(Simplifier *s, Node *n)
{
    Node *r = fold_weights(s, n);
    if (!r) r = pack(s->g, n);
    if (!r) r = fold_affine(s, n);
    if (!r) r = fold_activation(s, n);
    if (!r) r = fold_divisor(s, n);
    return r ? r : n;
}

static Graph *weights_roots(const Graph *old, Node **roots, int n)
{
    Simplifier s = {.g = graph_new()};
    int *uses = graph_uses(old, roots, n);
    Node **map = NEW_N(Node *, old->nodes.n + 1);
    for (int i = 0; i < old->nodes.n; i++) {
        const Node *from = old->nodes.at[i];
        if (!uses[i]) continue;
        s.g->span = from->span;
        s.g->rule = from->rule;
        map[i] = settle(&s, node_copy(s.g, from, &from->attr, map));
        note_as(map[i], from, map);
        count_uses(&s, map[i], uses[i]);
    }
    map_roots(roots, n, map);
    return graph_copy(s.g, roots, n);
}

Entry *weights(Entry *e)
{
    Node **roots;
    bool any = false;
    for (int i = 0; i < e->g->nodes.n; i++) any |= is_weight(e->g->nodes.at[i]);
    if (!any) return e;
    int n = gather_roots(e, &roots);
    Graph *g = weights_roots(e->g, roots, n);
    name_weights(g);
    return entry_with(e, g, roots);
}
