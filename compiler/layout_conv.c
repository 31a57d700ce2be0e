/* layout_conv.c - products of windows are convolutions.
 * In: a matrix product with a matrix of windows, or windows of a matrix product added up. Out: the
 * convolution that it is, forward, backward for the data or backward for the weights, of an image
 * whose channels lie innermost, so that no window is ever stored.
 *
 * The axes of the windows are labelled by the axis of the image they come from. A side of the
 * matrix holds the outputs, with the axes that are only counted along; the other holds the taps,
 * with the channels. Either could be called the taps; what matters is which is fast. */
#include "layout.h"

#include "kernel.h"

/* ---- the two sides ---- */

static bool is_tap(const Windows *w, int i) { return (i < w->split) == w->taps_first; }

static const Label *part_of(const Windows *w, int wide, bool tap)
{
    for (int i = 0; i < w->n; i++)
        if (w->at[i].wide == wide && w->at[i].part != PLAIN && is_tap(w, i) == tap)
            return &w->at[i];
    return NULL;
}

/* Every window has its outputs on one side and its taps on the other; at most one plain axis is
 * with the taps. A window of one tap may have lost it. */
static bool has_sides(Windows *w)
{
    int windows = 0;
    w->row = w->column = w->channel = NONE_;
    for (int i = 0; i < w->image.rank; i++) {
        if (!w->open[i]) continue;
        if (!part_of(w, i, false)) return false;
        int parts = 0;
        for (int k = 0; k < w->n; k++) parts += w->at[k].wide == i;
        if (parts == 2 && !part_of(w, i, true)) return false;
        w->row = w->column;
        w->column = i;
        windows++;
    }
    for (int i = 0; i < w->n; i++) {
        if (w->at[i].part != PLAIN || !is_tap(w, i)) continue;
        if (w->channel != NONE_) return false;
        w->channel = w->at[i].wide;
    }
    return windows == 1 || windows == 2;
}

static long window_parts(const Windows *w, int from, int to)
{
    double n = 1;
    for (int i = from; i < to; i++)
        if (w->at[i].part != PLAIN) n *= (double)size_upper(w->at[i].size);
    return n > 1e15 ? (long)1e15 : (long)n;
}

/* Where there are several plain axes, the last of them is the channels. */
static bool are_taps_first(const Windows *w)
{
    int plain = 0, last = 0;
    for (int i = 0; i < w->n; i++)
        if (w->at[i].part == PLAIN && (!plain++ || w->at[i].wide > w->at[last].wide)) last = i;
    if (plain > 1) return last < w->split;
    return window_parts(w, 0, w->split) < window_parts(w, w->split, w->n);
}

/* Splits the axes into the rows and columns of a matrix. */
static bool split_windows(Windows *w, SizeRef rows, SizeRef columns)
{
    for (int s = 0; s <= w->n; s++) {
        SizeRef m = size_const(1), k = m;
        for (int i = 0; i < w->n; i++) *(i < s ? &m : &k) = size_mul(i < s ? m : k, w->at[i].size);
        if (m != rows || k != columns) continue;
        w->split = s;
        w->taps_first = are_taps_first(w);
        if (has_sides(w)) return true;
    }
    return false;
}

/* The matrices of a batch are groups of channels with kernels of their own. */
static bool split_batch(Windows *w, const Shape *m)
{
    if (m->rank < 2 || m->rank > 3) return false;
    if (m->rank == 3) {
        if (w->n == 0 || w->at[0].part != PLAIN || w->at[0].size != m->size[0]) return false;
        w->group = w->at[0].wide;
        w->groups = w->at[0].size;
        w->n--;
        for (int i = 0; i < w->n; i++) w->at[i] = w->at[i + 1];
    }
    return split_windows(w, m->size[m->rank - 2], m->size[m->rank - 1]);
}

/* ---- windows of an image ---- */

/* Is m[rows, columns] a matrix of windows, or several? Then of which image. */
static const Node *windows_of(const Node *m, Windows *w)
{
    const Node *x = windows_in(m->op == OP_RESHAPE ? m->in[0] : m, w);
    return x && split_batch(w, &m->type.shape) ? x : NULL;
}

/* ---- windows added up ---- */

/* Is n windows of a product that are added up? Then of which product. */
static const Node *unwindowed(const Node *n, Windows *w)
{
    n = added_windows(n, w);
    if (n && n->op == OP_RESHAPE) n = n->in[0];
    if (!n || n->op != OP_MATMUL || is_small_product(n)) return NULL;
    return split_batch(w, &n->type.shape) ? n : NULL;
}

/* ---- operands and results ---- */

/* The labels of one side, as they stand. */
static Order side(const Windows *w, bool taps)
{
    Order o = {0};
    for (int i = 0; i < w->n; i++)
        if (is_tap(w, i) == taps) order_add(&o, i, w->at[i].size);
    return o;
}

/* Batch.., row, column of outputs; or channel, row, column of taps. */
static Order standard(const Windows *w, bool taps)
{
    Order o = {0};
    for (int i = 0; i < w->n; i++)
        if (is_tap(w, i) == taps && w->at[i].part == PLAIN) order_add(&o, i, w->at[i].size);
    const int axes[2] = {w->row, w->column};
    for (int k = 0; k < 2; k++)
        for (int i = 0; axes[k] != NONE_ && i < w->n; i++)
            if (is_tap(w, i) == taps && w->at[i].part != PLAIN && w->at[i].wide == axes[k])
                order_add(&o, i, w->at[i].size);
    return o;
}

/* Where each axis of `to` stands in `from`; `before` axes in front and `behind` stay where they
 * are. */
static void permutation(const Order *from, const Order *to, int before, int behind, int *perm)
{
    for (int i = 0; i < before; i++) perm[i] = i;
    for (int i = 0; i < to->n; i++)
        for (int k = 0; k < from->n; k++)
            if (from->at[k] == to->at[i]) perm[before + i] = before + k;
    for (int i = 0; i < behind; i++) perm[before + to->n + i] = before + to->n + i;
}

static Shape shape_with(SizeRef first, const Shape *s, SizeRef last)
{
    Shape r = {0};
    if (first) r.size[r.rank++] = first;
    for (int i = 0; i < s->rank; i++) r.size[r.rank++] = s->size[i];
    if (last) r.size[r.rank++] = last;
    return r;
}

/* The shape behind the axis of the groups, where there are any. */
static Shape in_groups(const Windows *w, Shape s) { return shape_with(w->groups, &s, NULL); }

/* Matrix axis 0 or 1 among the axes of m. */
static int matrix_axis(const Node *m, int axis) { return m->type.shape.rank - 2 + axis; }

static SizeRef matrix_size(const Node *m, int axis)
{
    return m->type.shape.size[matrix_axis(m, axis)];
}

static SizeRef size_or_one(const Label *label) { return label ? label->size : size_const(1); }

static SizeRef axis_size(const Windows *w, int axis)
{
    return axis == NONE_ ? size_const(1) : w->image.size[axis];
}

/* [B, rows, columns, channels] of the image. */
static Shape image_shape(const Windows *w)
{
    SizeRef batch = size_const(1);
    for (int i = 0; i < w->n; i++)
        if (w->at[i].part == PLAIN && !is_tap(w, i)) batch = size_mul(batch, w->at[i].size);
    return (Shape){
        4, {batch, axis_size(w, w->row), axis_size(w, w->column), axis_size(w, w->channel)}};
}

static Shape result_shape(const Windows *w, SizeRef maps)
{
    Shape s = image_shape(w);
    s.size[1] = w->row == NONE_ ? size_const(1) : part_of(w, w->row, false)->size;
    s.size[2] = part_of(w, w->column, false)->size;
    s.size[3] = maps;
    return s;
}

static Shape kernel_shape(const Windows *w, SizeRef maps)
{
    const Label *p = w->row == NONE_ ? NULL : part_of(w, w->row, true);
    return (Shape){
        4,
        {maps, axis_size(w, w->channel), size_or_one(p), size_or_one(part_of(w, w->column, true))}};
}

/* The image's axes as the convolution wants them: group, batch.., row, column, channel. */
static Order image_order(const Windows *w)
{
    Order o = {0};
    if (w->groups) order_add(&o, w->group, w->groups);
    for (int i = 0; i < w->n; i++)
        if (w->at[i].part == PLAIN && !is_tap(w, i)) order_add(&o, w->at[i].wide, w->at[i].size);
    if (w->row != NONE_) order_add(&o, w->row, w->image.size[w->row]);
    order_add(&o, w->column, w->image.size[w->column]);
    if (w->channel != NONE_) order_add(&o, w->channel, w->image.size[w->channel]);
    return o;
}

static Node *image_operand(Layout *l, const Windows *w, const Node *x)
{
    Order o = image_order(w);
    Shape s = in_groups(w, image_shape(w));
    return reshape_from_base(l->g, laid_in_order(l, x, o.at), &s);
}

/* The outputs of a matrix that has them along one axis and the maps along `maps`. */
static Node *result_operand(Layout *l, const Windows *w, const Node *m, int maps)
{
    Order from = side(w, false), to = standard(w, false);
    SizeRef count = matrix_size(m, maps);
    Shape apart = shape_with(w->groups, &from.sizes, count);
    Shape s = in_groups(w, result_shape(w, count));
    int perm[MAX_RANK];
    permutation(&from, &to, w->groups != NULL, 1, perm);
    Node *y = reshape_from_base(l->g, laid_last(l, m, matrix_axis(m, maps)), &apart);
    return reshape_from_base(l->g, turn(l->g, y, perm), &s);
}

/* The kernels of a matrix that has taps along one axis and the maps along `maps`. */
static Node *kernel_operand(Layout *l, const Windows *w, const Node *m, int maps)
{
    Order from = side(w, true), to = standard(w, true);
    SizeRef count = matrix_size(m, maps);
    Shape apart = in_groups(w, shape_with(count, &from.sizes, NULL));
    Shape s = in_groups(w, kernel_shape(w, count));
    int perm[MAX_RANK], order[3] = {0}, at = matrix_axis(m, 0);
    order[at] = at + maps;
    order[at + 1] = at + 1 - maps;
    permutation(&from, &to, 1 + (w->groups != NULL), 0, perm);
    Node *k = reshape_from_base(l->g, laid_in_order(l, m, order), &apart);
    return reshape_from_base(l->g, turn(l->g, k, perm), &s);
}

static Node *conv_node(Layout *l, Op op, const Windows *w, const Node *like, Shape s, Node *a,
                       Node *b)
{
    Attr attr = {0};
    const int axes[2] = {w->row, w->column};
    for (int i = 0; i < 2; i++) {
        const Label *out = axes[i] == NONE_ ? NULL : part_of(w, axes[i], false);
        const Label *tap = axes[i] == NONE_ ? NULL : part_of(w, axes[i], true);
        attr.perm[i] = out ? out->factor : 1;
        attr.perm[2 + i] = tap ? tap->factor : 1;
        attr.lo[i] = axes[i] == NONE_ ? size_const(0) : w->pad[axes[i]];
    }
    return graph_node(l->g, op, &attr, (Type){like->type.elem, s}, 2, (Node *[]){a, b});
}

/* y[outputs, maps] as a matrix; with the maps in front of it, they are the axis that lies last. */
static Laid forward(Layout *l, const Windows *w, const Node *n, const Node *x, const Node *k,
                    int maps, bool turned)
{
    SizeRef count = matrix_size(k, maps);
    Node *y = conv_node(l, OP_CONV, w, n, in_groups(w, result_shape(w, count)),
                        image_operand(l, w, x), kernel_operand(l, w, k, maps));
    Order from = standard(w, false), to = side(w, false);
    Shape apart = shape_with(w->groups, &from.sizes, count);
    Shape rows = in_groups(w, (Shape){2, {matrix_size(n, turned), count}});
    int perm[MAX_RANK];
    permutation(&from, &to, w->groups != NULL, 1, perm);
    y = turn(l->g, reshape_from_base(l->g, y, &apart), perm);
    return (Laid){reshape_from_base(l->g, y, &rows), turned ? matrix_axis(n, 0) : -1};
}

/* The matrix turned, or each of several. */
static Node *swap_last(Graph *g, Node *m)
{
    int perm[3] = {0}, at = matrix_axis(m, 0);
    perm[at] = at + 1;
    perm[at + 1] = at;
    return turn(g, m, perm);
}

static Laid kernels(Layout *l, const Windows *w, const Node *n, const Node *x, const Node *dy,
                    int maps, bool turned)
{
    SizeRef count = matrix_size(dy, maps);
    Node *k = conv_node(l, OP_CONV_WEIGHTS, w, n, in_groups(w, kernel_shape(w, count)),
                        image_operand(l, w, x), result_operand(l, w, dy, maps));
    Order from = standard(w, true), to = side(w, true);
    Shape apart = in_groups(w, shape_with(count, &from.sizes, NULL));
    Shape rows = in_groups(w, (Shape){2, {count, matrix_size(n, turned)}});
    int perm[MAX_RANK];
    permutation(&from, &to, 1 + (w->groups != NULL), 0, perm);
    k = reshape_from_base(l->g, turn(l->g, reshape_from_base(l->g, k, &apart), perm), &rows);
    return turned ? (Laid){k, -1} : (Laid){swap_last(l->g, k), -1};
}

static Laid data(Layout *l, const Windows *w, const Node *n, const Node *product)
{
    const Node *a = product->in[0], *b = product->in[1];
    Node *dy = w->taps_first ? result_operand(l, w, b, 0) : result_operand(l, w, a, 1);
    Node *k = w->taps_first ? kernel_operand(l, w, a, 1) : kernel_operand(l, w, b, 0);
    Node *x = conv_node(l, OP_CONV_DATA, w, n, in_groups(w, image_shape(w)), dy, k);
    Order o = image_order(w);
    x = reshape_from_base(l->g, x, &o.sizes);
    bool in_order = true;
    int back[MAX_RANK];
    for (int i = 0; i < o.n; i++) {
        back[o.at[i]] = i;
        in_order &= i == 0 || o.at[i] == w->channel || o.at[i - 1] < o.at[i];
    }
    if (in_order && w->channel != NONE_ && w->channel + 1 < o.n) return (Laid){x, w->channel};
    return (Laid){turn(l->g, x, back), -1};
}

/* ---- products ---- */

/* A matrix as it is stored: x' as x, turned. */
static const Node *as_stored(const Node *m, bool *turned)
{
    int rank = m->type.shape.rank;
    *turned = m->op == OP_TRANSPOSE && (rank == 2 || (rank == 3 && m->attr.perm[0] == 0));
    return *turned ? m->in[0] : m;
}

bool lay_convolution(Layout *l, const Node *n, Laid *out)
{
    Windows w;
    if (!elem_is_real(n->type.elem) || n->type.elem == ELEM_F16) return false;
    const Node *product = unwindowed(n, &w);
    if (product) {
        *out = data(l, &w, n, product);
        return true;
    }
    if (n->op != OP_MATMUL || is_small_product(n)) return false;
    for (int k = 0; k < 2; k++) {
        bool turned;
        const Node *m = as_stored(n->in[k], &turned), *x = windows_of(m, &w), *other = n->in[1 - k];
        if (!x) continue;
        /* the axis of the stored matrix that the product sums over */
        bool inner_first = turned ? k == 0 : k == 1;
        int maps = k == 0 ? 1 : 0; /* the axis of the other operand that stays */
        *out = inner_first == w.taps_first ? forward(l, &w, n, x, other, maps, k == 1)
                                           : kernels(l, &w, n, x, other, maps, k == 1);
        return true;
    }
    return false;
}
