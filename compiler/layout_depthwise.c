/* layout_depthwise.c - convolutions of each channel by itself.
 * In: windows times a kernel that are summed over the taps, windows times adjoints that are summed
 * over the outputs, or products of both that windows add up; all element by element. Out: the
 * convolution that it is, forward, backward for the weights or backward for the data, of an image
 * whose channels lie innermost, so that no window is ever stored.
 *
 * Every axis of the product has a role. The outputs and the taps are the two parts of an axis that
 * is seen through windows; of the others the kernel has those that are channels. */
#include "layout.h"

#include "kernel.h"

enum { FEWEST_CHANNELS = 4 }; /* with fewer, vectors along the image are better */

typedef enum Role { BATCH, CHANNEL, OUTPUT, TAP } Role;

/* A product with one label and one role for each axis, and its factors: two of image, kernel,
 * result. */
typedef struct Alone {
    Windows w;
    Role role[MAX_RANK];
    const Node *image, *kernel, *result;
} Alone;

/* ---- roles ---- */

/* Does the factor depend on the axis? */
static bool depends(const Node *factor, int axis)
{
    return factor->op != OP_BROADCAST || !(factor->attr.axes >> axis & 1);
}

static int axis_with(const Alone *p, int wide, Role role)
{
    for (int i = 0; i < p->w.n; i++)
        if (p->w.at[i].wide == wide && p->role[i] == role) return i;
    return NONE_;
}

/* Every window has outputs, one or two axes have windows, and there are channels enough. A window
 * of one tap may have lost it. */
static bool has_roles(Alone *p)
{
    Windows *w = &p->w;
    SizeRef channels = size_const(1);
    int windows = 0, parts[MAX_RANK] = {0};
    w->row = w->column = NONE_;
    for (int i = 0; i < w->n; i++) {
        if (p->role[i] == CHANNEL) channels = size_mul(channels, w->at[i].size);
        if (w->at[i].part != PLAIN) parts[w->at[i].wide] += p->role[i] == OUTPUT ? 1 : MAX_RANK;
    }
    for (int i = 0; i < w->image.rank; i++) {
        if (!w->open[i]) continue;
        if (parts[i] != 1 && parts[i] != 1 + MAX_RANK) return false;
        w->row = w->column;
        w->column = i;
        windows++;
    }
    return windows <= 2 && size_lower(channels) >= FEWEST_CHANNELS;
}

/* How many elements the axes of a role have, at most. */
static double upper_count(const Alone *p, Role role)
{
    double n = 1;
    for (int i = 0; i < p->w.n; i++)
        if (p->role[i] == role) n *= (double)size_upper(p->w.at[i].size);
    return n;
}

/* With one image there are two ways to see it: the parts of the windows that are more are
 * outputs. */
static bool has_more_outputs(const Alone *p)
{
    return upper_count(p, OUTPUT) >= upper_count(p, TAP);
}

/* sum over the taps of windows times kernel */
static bool is_forward(Alone *p, unsigned folded, const Node *kernel)
{
    for (int i = 0; i < p->w.n; i++) {
        bool part = p->w.at[i].part != PLAIN, tap = folded >> i & 1, has = depends(kernel, i);
        if (tap ? !part || !has : part && has) return false;
        p->role[i] = tap ? TAP : part ? OUTPUT : has ? CHANNEL : BATCH;
    }
    p->kernel = kernel;
    p->result = NULL;
    return has_roles(p) && has_more_outputs(p);
}

/* sum over images and outputs of windows times adjoints */
static bool is_backward(Alone *p, unsigned folded, const Node *result)
{
    for (int i = 0; i < p->w.n; i++) {
        bool part = p->w.at[i].part != PLAIN, kept = !(folded >> i & 1);
        if (part && kept && depends(result, i)) return false;
        p->role[i] = part ? (kept ? TAP : OUTPUT) : kept ? CHANNEL : BATCH;
    }
    p->result = result;
    p->kernel = NULL;
    return has_roles(p) && has_more_outputs(p);
}

/* Is n a sum of windows times something? */
static bool read_sum(const Node *n, Alone *p)
{
    const Node *m = n->in[0];
    if (n->op != OP_SUM || m->op != OP_MUL) return false;
    for (int k = 0; k < 2; k++) {
        p->image = windows_in(m->in[k], &p->w);
        if (!p->image) continue;
        if (is_forward(p, n->attr.axes, m->in[1 - k])) return true;
        if (is_backward(p, n->attr.axes, m->in[1 - k])) return true;
    }
    return false;
}

/* Is n what windows of adjoints times kernel add up to? */
static bool read_added(const Node *n, Alone *p)
{
    const Node *m = added_windows(n, &p->w);
    if (!m || m->op != OP_MUL) return false;
    p->image = NULL;
    for (int k = 0; k < 2; k++) {
        bool fits = true;
        p->kernel = m->in[k];
        p->result = m->in[1 - k];
        for (int i = 0; i < p->w.n; i++) {
            bool part = p->w.at[i].part != PLAIN, has = depends(p->kernel, i);
            p->role[i] = part ? (has ? TAP : OUTPUT) : has ? CHANNEL : BATCH;
            fits &= !(part && has && depends(p->result, i));
        }
        if (fits && has_roles(p) && has_more_outputs(p)) return true;
    }
    return false;
}

/* ---- operands and results ---- */

static void add_axis(Order *o, const Alone *p, int i)
{
    if (i != NONE_) order_add(o, i, p->w.at[i].size);
}

static void add_role(Order *o, const Alone *p, Role role)
{
    for (int i = 0; i < p->w.n; i++)
        if (p->role[i] == role) add_axis(o, p, i);
}

/* Axes of the product: batch.., row, column, channels.. of the result; row, column, channels.. of
 * the kernel. */
static Order order_of(const Alone *p, Role role)
{
    Order o = {0};
    if (role == OUTPUT) add_role(&o, p, BATCH);
    if (p->w.row != NONE_) add_axis(&o, p, axis_with(p, p->w.row, role));
    add_axis(&o, p, axis_with(p, p->w.column, role));
    add_role(&o, p, CHANNEL);
    return o;
}

/* Axes of the image in that order. */
static Order image_order(const Alone *p)
{
    const Shape *s = &p->w.image;
    Order o = {0};
    for (int i = 0; i < s->rank; i++)
        if (!p->w.open[i] && axis_with(p, i, BATCH) != NONE_) order_add(&o, i, s->size[i]);
    if (p->w.row != NONE_) order_add(&o, p->w.row, s->size[p->w.row]);
    order_add(&o, p->w.column, s->size[p->w.column]);
    for (int i = 0; i < s->rank; i++)
        if (!p->w.open[i] && axis_with(p, i, CHANNEL) != NONE_) order_add(&o, i, s->size[i]);
    return o;
}

static SizeRef role_count(const Alone *p, Role role)
{
    SizeRef n = size_const(1);
    for (int i = 0; i < p->w.n; i++)
        if (p->role[i] == role) n = size_mul(n, p->w.at[i].size);
    return n;
}

static SizeRef part_size(const Alone *p, int wide, Role role)
{
    int i = wide == NONE_ ? NONE_ : axis_with(p, wide, role);
    return i == NONE_ ? size_const(1) : p->w.at[i].size;
}

static SizeRef wide_size(const Alone *p, int wide)
{
    return wide == NONE_ ? size_const(1) : p->w.image.size[wide];
}

static Shape image_shape(const Alone *p)
{
    return (Shape){4,
                   {role_count(p, BATCH), wide_size(p, p->w.row), wide_size(p, p->w.column),
                    role_count(p, CHANNEL)}};
}

static Shape result_shape(const Alone *p)
{
    return (Shape){4,
                   {role_count(p, BATCH), part_size(p, p->w.row, OUTPUT),
                    part_size(p, p->w.column, OUTPUT), role_count(p, CHANNEL)}};
}

static Shape kernel_shape(const Alone *p)
{
    return (Shape){
        3, {part_size(p, p->w.row, TAP), part_size(p, p->w.column, TAP), role_count(p, CHANNEL)}};
}

static Node *image_operand(Layout *l, const Alone *p)
{
    Order o = image_order(p);
    Shape s = image_shape(p);
    return reshape_from_base(l->g, laid_in_order(l, p->image, o.at), &s);
}

/* A factor with its axes in that order; along those on which it does not depend it is repeated. */
static Node *factor_operand(Layout *l, const Node *factor, const Order *o, Shape s)
{
    const Node *base = factor->op == OP_BROADCAST ? factor->in[0] : factor;
    int perm[MAX_RANK] = {0}, kept = 0;
    unsigned fresh = 0;
    for (int i = 0; i < o->n; i++) {
        int place = 0;
        if (!depends(factor, o->at[i])) {
            fresh |= 1u << i;
            continue;
        }
        for (int k = 0; k < o->at[i]; k++) place += depends(factor, k);
        perm[kept++] = place;
    }
    Node *u = laid_in_order(l, base, perm);
    if (fresh) u = n_broadcast(l->g, u, &o->sizes, fresh);
    return reshape_from_base(l->g, u, &s);
}

static Node *depthwise_node(Layout *l, Op op, const Alone *p, const Node *like, Shape s, Node *a,
                            Node *b)
{
    Attr attr = {0};
    const int axes[2] = {p->w.row, p->w.column};
    for (int i = 0; i < 2; i++) {
        int out = axes[i] == NONE_ ? NONE_ : axis_with(p, axes[i], OUTPUT);
        int tap = axes[i] == NONE_ ? NONE_ : axis_with(p, axes[i], TAP);
        attr.perm[i] = out == NONE_ ? 1 : p->w.at[out].factor;
        attr.perm[2 + i] = tap == NONE_ ? 1 : p->w.at[tap].factor;
        attr.lo[i] = axes[i] == NONE_ ? size_const(0) : p->w.pad[axes[i]];
    }
    return graph_node(l->g, op, &attr, (Type){like->type.elem, s}, 2, (Node *[]){a, b});
}

/* A value whose axis i is axis o.at[i] of n: with one axis last, as it is. */
static Laid placed(Layout *l, Node *u, const Order *o)
{
    int back[MAX_RANK] = {0}, last = o->at[o->n - 1];
    bool in_order = true;
    u = reshape_from_base(l->g, u, &o->sizes);
    for (int i = 0; i < o->n; i++) {
        back[o->at[i]] = i;
        in_order &= i == 0 || i == o->n - 1 || o->at[i - 1] < o->at[i];
    }
    if (in_order) return (Laid){u, last == o->n - 1 ? -1 : last};
    return (Laid){turn(l->g, u, back), -1};
}

/* Axes of the product as those of the sum over some of them. */
static Order kept_axes(Order o, unsigned folded)
{
    for (int i = 0; i < o.n; i++) {
        int axis = o.at[i];
        for (int k = 0; k < axis; k++)
            if (folded >> k & 1) o.at[i]--;
    }
    return o;
}

bool lay_depthwise(Layout *l, const Node *n, Laid *out)
{
    Alone p = {0};
    if (!elem_is_real(n->type.elem) || n->type.elem == ELEM_F16) return false;
    if (!read_sum(n, &p) && !read_added(n, &p)) return false;
    Order result = order_of(&p, OUTPUT), kernel = order_of(&p, TAP), o = image_order(&p);
    Node *x = p.image ? image_operand(l, &p) : NULL;
    Node *k = p.kernel ? factor_operand(l, p.kernel, &kernel, kernel_shape(&p)) : NULL;
    Node *y = p.result ? factor_operand(l, p.result, &result, result_shape(&p)) : NULL;
    if (!y) {
        y = depthwise_node(l, OP_CONV, &p, n, result_shape(&p), x, k);
        o = kept_axes(result, n->attr.axes);
    } else if (!k) {
        y = depthwise_node(l, OP_CONV_WEIGHTS, &p, n, kernel_shape(&p), x, y);
        o = kept_axes(kernel, n->attr.axes);
    } else
        y = depthwise_node(l, OP_CONV_DATA, &p, n, image_shape(&p), y, k);
    *out = placed(l, y, &o);
    return true;
}
