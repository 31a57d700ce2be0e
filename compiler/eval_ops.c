/* eval_ops.c - what every operator computes, one plain loop for each class of operators.
 * In: a node and the values of its operands. Out: the value of the node. Elements are doubles, put
 * together by eval_elem.c; an index outside its table is clamped, or a fault with --bounds. */
#include "eval.h"
#include "kernel.h"

#include "nn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a walk over all indices of an array, and where each is in another array ---- */

typedef struct Walk {
    int rank;
    long size[MAX_RANK], stride[MAX_RANK], index[MAX_RANK];
    long at; /* the place of the present index */
} Walk;

static void strides_of(const Tensor *t, long *stride)
{
    long s = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        stride[i] = s;
        s *= t->size[i];
    }
}

static Walk walk_over(const Tensor *t)
{
    Walk w = {.rank = t->rank};
    memcpy(w.size, t->size, sizeof w.size);
    return w;
}

static void walk_next(Walk *w)
{
    for (int i = w->rank - 1; i >= 0; i--) {
        w->at += w->stride[i];
        if (++w->index[i] < w->size[i]) return;
        w->at -= w->stride[i] * w->size[i];
        w->index[i] = 0;
    }
}

/* ---- leaves ---- */

static void eval_draw(const Node *n, const Machine *m, Tensor *y)
{
    uint64_t seed = m ? m->seed : 0, call = m ? m->call : 0;
    uint32_t site = (uint32_t)n->attr.k;
    for (long i = 0; i < y->count; i++)
        y->v[i] = n->attr.draw == DRAW_UNIFORM ? nn_uniform_at(seed, call, site, (uint64_t)i)
                                               : nn_normal_at(seed, call, site, (uint64_t)i);
    if (n->attr.draw == DRAW_ORTHOGONAL && y->count) {
        int rows = (int)(y->rank ? y->size[0] : 1), columns = (int)(y->count / rows);
        void *work = malloc(nn_orthogonal_work(rows, columns) + 1);
        if (!work) abort();
        nn_orthogonal_d(y->v, rows, columns, work);
        free(work);
    }
    for (long i = 0; i < y->count; i++) y->v[i] = eval_convert(ELEM_REAL, y->elem, y->v[i]);
}

static void eval_leaf(const Node *n, const Surroundings *around, Tensor *y)
{
    const Slot *slot = n->attr.ref;
    const Machine *m = around->machine;
    const double *from = NULL;
    double scalar = n->attr.num;
    switch (n->op) {
    case OP_TABLE: from = n->attr.ref; break;
    case OP_INPUT: from = around->inputs[n->attr.k]->v; break;
    case OP_PARAM: from = slot->values ? slot->values : m->params[slot->id]->v; break;
    case OP_STATE: from = slot->values ? slot->values : m->states[slot->id]->v; break;
    case OP_SIZE: scalar = (double)size_eval(n->attr.size, around->dims); break;
    case OP_DRAW: eval_draw(n, m, y); return;
    case OP_IOTA: {
        Walk w = walk_over(y);
        for (long i = 0; i < y->count; i++, walk_next(&w)) y->v[i] = (double)w.index[n->attr.k];
        return;
    }
    default: break;
    }
    for (long i = 0; i < y->count; i++) y->v[i] = from ? from[i] : scalar;
}

/* ---- maps and folds ---- */

static void eval_maps(const Node *n, Tensor *const *in, Tensor *y)
{
    Elem elem = n->in[n->op == OP_WHERE ? 1 : 0]->type.elem;
    double v[3];
    for (long i = 0; i < y->count; i++) {
        for (int k = 0; k < n->n_in; k++) v[k] = in[k]->v[i];
        y->v[i] = eval_map(n->op, elem, y->elem, v);
    }
}

static double fold_step(Op op, Elem e, double so_far, double a)
{
    double v[2] = {so_far, a};
    switch (op) {
    case OP_SUM: return eval_map(OP_ADD, e, e, v);
    case OP_PROD: return eval_map(OP_MUL, e, e, v);
    case OP_MAXOF: return eval_map(OP_MAX, e, e, v);
    case OP_MINOF: return eval_map(OP_MIN, e, e, v);
    case OP_ANY: return so_far != 0 || a != 0;
    default: return so_far != 0 && a != 0;
    }
}

static double fold_first(Op op, Elem e)
{
    switch (op) {
    case OP_PROD:
    case OP_ALL: return 1;
    case OP_MAXOF: return eval_convert(ELEM_REAL, e, -INFINITY);
    case OP_MINOF: return eval_convert(ELEM_REAL, e, INFINITY);
    default: return 0;
    }
}

/* Where each element of the operand goes: folded axes do not move the place in the result. */
static Walk walk_fold(const Node *n, const Tensor *a, const Tensor *y)
{
    Walk w = walk_over(a);
    long stride[MAX_RANK];
    strides_of(y, stride);
    for (int i = 0, k = 0; i < a->rank; i++) w.stride[i] = n->attr.axes >> i & 1 ? 0 : stride[k++];
    return w;
}

static void eval_fold(const Node *n, const Tensor *a, Tensor *y)
{
    Walk w = walk_fold(n, a, y);
    for (long i = 0; i < y->count; i++) y->v[i] = fold_first(n->op, y->elem);
    for (long i = 0; i < a->count; i++, walk_next(&w))
        y->v[w.at] = fold_step(n->op, y->elem, y->v[w.at], a->v[i]);
}

/* argmax and argmin: the number, row by row, of the first best element along the folded axes */
static void eval_arg(const Node *n, const Tensor *a, Tensor *y)
{
    Walk w = walk_fold(n, a, y);
    double *best = NEW_N(double, y->count + 1);
    memset(y->v, 0, sizeof(double) * (size_t)y->count);
    for (long i = 0; i < a->count; i++, walk_next(&w)) {
        long number = 0;
        for (int k = 0; k < a->rank; k++)
            if (n->attr.axes >> k & 1) number = number * a->size[k] + w.index[k];
        bool better = n->op == OP_ARGMAX ? a->v[i] > best[w.at] : a->v[i] < best[w.at];
        if (number && !better) continue;
        best[w.at] = a->v[i];
        y->v[w.at] = (double)number;
    }
}

/* ---- movement ---- */

/* Reads a through strides over the result: broadcast, transpose, slice and reverse. */
static void eval_view(const Node *n, const Surroundings *around, const Tensor *a, Tensor *y)
{
    Walk w = walk_over(y);
    long stride[MAX_RANK];
    strides_of(a, stride);
    for (int i = 0, k = 0; i < y->rank; i++) {
        if (n->op == OP_BROADCAST)
            w.stride[i] = n->attr.axes >> i & 1 ? 0 : stride[k++];
        else if (n->op == OP_TRANSPOSE)
            w.stride[i] = stride[n->attr.perm[i]];
        else
            w.stride[i] = stride[i];
        if (n->op == OP_SLICE) w.at += stride[i] * size_eval(n->attr.lo[i], around->dims);
        if (n->op == OP_REVERSE && n->attr.axes >> i & 1) {
            w.at += stride[i] * (y->size[i] - 1);
            w.stride[i] = -stride[i];
        }
    }
    for (long i = 0; i < y->count; i++, walk_next(&w)) y->v[i] = a->v[w.at];
}

/* Writes a as a block of y whose first element is at index lo. */
static void write_block(const Tensor *a, const long *lo, Tensor *y)
{
    Walk w = walk_over(a);
    strides_of(y, w.stride);
    for (int i = 0; i < a->rank; i++) w.at += w.stride[i] * lo[i];
    for (long i = 0; i < a->count; i++, walk_next(&w)) y->v[w.at] = a->v[i];
}

static void eval_pad(const Node *n, const Surroundings *around, const Tensor *a, Tensor *y)
{
    long lo[MAX_RANK];
    for (int i = 0; i < y->rank; i++) lo[i] = size_eval(n->attr.lo[i], around->dims);
    memset(y->v, 0, sizeof(double) * (size_t)y->count);
    write_block(a, lo, y);
}

static void add_to(Tensor *y, long at, double v)
{
    double terms[2] = {y->v[at], v};
    y->v[at] = eval_map(OP_ADD, y->elem, y->elem, terms);
}

/* Walks the open side of a window: w.at is the element of the wide side under it. */
static Walk walk_windows(const Attr *attr, const Surroundings *around, const Tensor *wide,
                         const Tensor *open)
{
    Walk w = walk_over(open);
    long stride[MAX_RANK];
    int m = (int)attr->axes, axis = (int)attr->k;
    strides_of(wide, stride);
    w.at = stride[axis] * size_eval(attr->lo[0], around->dims);
    for (int i = 0; i < open->rank; i++) {
        bool opened = i >= axis && i < axis + m;
        long same = opened ? 0 : stride[i < axis ? i : i + 1 - m];
        w.stride[i] = opened ? stride[axis] * attr->perm[i - axis] : same;
    }
    return w;
}

static void eval_window(const Node *n, const Surroundings *around, const Tensor *a, Tensor *y)
{
    Walk w = walk_windows(&n->attr, around, a, y);
    for (long i = 0; i < y->count; i++, walk_next(&w)) y->v[i] = a->v[w.at];
}

static void eval_unwindow(const Node *n, const Surroundings *around, const Tensor *a, Tensor *y)
{
    Walk w = walk_windows(&n->attr, around, y, a);
    memset(y->v, 0, sizeof(double) * (size_t)y->count);
    for (long i = 0; i < a->count; i++, walk_next(&w)) add_to(y, w.at, a->v[i]);
}

/* The number of weight (o, c, p, q) of a kernel k[maps, channels, p, q]. */
static long weight_at(const Node *n, const long *k, long o, long c, long p, long q)
{
    if (is_depthwise(n)) return (p * k[3] + q) * k[0] + c;
    if (n->attr.k) return ((p * k[3] + q) * k[1] + c) * k[0] + o;
    return ((o * k[1] + c) * k[2] + p) * k[3] + q;
}

/* At each tap of each output the product of two of image, kernel, result is added to the third. */
static void eval_one_conv(const Node *n, const Surroundings *around, Tensor *a, Tensor *b,
                          Tensor *y)
{
    Tensor *image = n->op == OP_CONV_DATA ? y : a, *kernel = n->op == OP_CONV_WEIGHTS ? y : b;
    Tensor *result = n->op == OP_CONV ? y : n->op == OP_CONV_DATA ? a : b;
    const long *x = image->size, *r = result->size;
    const Shape shape = conv_kernel(n);
    bool alone = is_depthwise(n);
    long pad[2], k[4];
    for (int i = 0; i < 4; i++) k[i] = size_eval(shape.size[i], around->dims);
    for (int i = 0; i < 2; i++) pad[i] = size_eval(n->attr.lo[i], around->dims);
    memset(y->v, 0, sizeof(double) * (size_t)y->count);
    for (long i = 0; i < result->count / r[3] * k[2] * k[3]; i++) {
        long q = i % k[3], p = i / k[3] % k[2], at = i / k[3] / k[2];
        long row = at / r[2] % r[1] * n->attr.perm[0] - pad[0] + p * n->attr.perm[2];
        long column = at % r[2] * n->attr.perm[1] - pad[1] + q * n->attr.perm[3];
        if (row < 0 || row >= x[1] || column < 0 || column >= x[2]) continue;
        for (long o = 0; o < r[3]; o++)
            for (long c = alone ? o : 0; c < (alone ? o + 1 : x[3]); c++) {
                long in = ((at / r[2] / r[1] * x[1] + row) * x[2] + column) * x[3] + c;
                long weight = weight_at(n, k, o, c, p, q), out = at * r[3] + o;
                if (y == result)
                    add_to(y, out, image->v[in] * kernel->v[weight]);
                else if (y == image)
                    add_to(y, in, result->v[out] * kernel->v[weight]);
                else
                    add_to(y, weight, image->v[in] * result->v[out]);
            }
    }
}

static Tensor group_of(const Tensor *t, long group)
{
    Tensor one = *t;
    one.rank--;
    one.count /= t->size[0] ? t->size[0] : 1;
    one.v += group * one.count;
    for (int i = 0; i < one.rank; i++) one.size[i] = t->size[i + 1];
    return one;
}

static void eval_conv(const Node *n, const Surroundings *around, Tensor *a, Tensor *b, Tensor *y)
{
    if (!conv_groups(n)) eval_one_conv(n, around, a, b, y);
    for (long g = 0; conv_groups(n) && g < y->size[0]; g++) {
        Tensor part[3] = {group_of(a, g), group_of(b, g), group_of(y, g)};
        eval_one_conv(n, around, &part[0], &part[1], &part[2]);
    }
}

static void eval_concat(const Node *n, Tensor *const *in, Tensor *y)
{
    long lo[MAX_RANK] = {0};
    for (int i = 0; i < n->n_in; i++) {
        write_block(in[i], lo, y);
        lo[n->attr.k] += in[i]->size[n->attr.k];
    }
}

/* ---- products and tables ---- */

/* Sums in the order of the inner axis; only reals without rounding need no care at each step. */
static double dot(Elem e, const double *a, const double *b, long step, long count)
{
    double sum = 0;
    if (elem_is_real(e) && !eval_rounds(e)) {
        for (long j = 0; j < count; j++) sum += a[j] * b[j * step];
        return sum;
    }
    for (long j = 0; j < count; j++) {
        double ab[2] = {a[j], b[j * step]};
        double terms[2] = {sum, eval_map(OP_MUL, e, e, ab)};
        sum = eval_map(OP_ADD, e, e, terms);
    }
    return sum;
}

static void eval_matmul(const Tensor *a, const Tensor *b, Tensor *y)
{
    long m = y->size[y->rank - 2], n = y->size[y->rank - 1], k = a->size[a->rank - 1];
    for (long i = 0; i < y->count; i++) {
        long batch = i / (m * n), row = i / n % m, column = i % n;
        y->v[i] = dot(y->elem, a->v + (batch * m + row) * k, b->v + batch * k * n + column, n, k);
    }
}

/* The row that an index names; outside, the nearest one, and a fault unless that is asked for. */
static long row_at(const Node *n, const Surroundings *around, double index, long count)
{
    bool outside = index < 0 || index >= (double)count;
    if (outside && around->fault && !*around->fault && options.bounds != BOUNDS_CLAMP)
        *around->fault = format("%s:%d: the index %.0f is not inside 0..%ld",
                                n->span.src ? n->span.src->name : "",
                                n->span.src ? span_line(n->span) : 0, index, count - 1);
    return index < 0 ? 0 : outside ? count - 1 : (long)index;
}

static long row_length(const Tensor *table)
{
    long n = 1;
    for (int i = 1; i < table->rank; i++) n *= table->size[i];
    return n;
}

static void eval_gather(const Node *node, const Surroundings *around, const Tensor *table,
                        const Tensor *index, Tensor *y)
{
    long n = row_length(table);
    if (table->size[0] == 0) return;
    for (long i = 0; i < index->count; i++)
        memcpy(y->v + i * n, table->v + row_at(node, around, index->v[i], table->size[0]) * n,
               sizeof(double) * (size_t)n);
}

static void eval_scatter(const Node *node, const Surroundings *around, const Tensor *index,
                         const Tensor *rows, Tensor *y)
{
    long n = row_length(y);
    memset(y->v, 0, sizeof(double) * (size_t)y->count);
    if (y->size[0] == 0) return;
    for (long i = 0; i < index->count; i++) {
        long at = row_at(node, around, index->v[i], y->size[0]) * n;
        for (long k = 0; k < n; k++) add_to(y, at + k, rows->v[i * n + k]);
    }
}

static void copy_values(const Tensor *a, Tensor *y)
{
    memcpy(y->v, a->v, sizeof(double) * (size_t)y->count);
}

void eval_node(const Node *n, Tensor *const *in, const Surroundings *around, Tensor *y)
{
    OpClass class = op_info[n->op].class;
    if (class == CLASS_LEAF)
        eval_leaf(n, around, y);
    else if (class == CLASS_MAP)
        eval_maps(n, in, y);
    else
        switch (n->op) {
        case OP_ARGMAX:
        case OP_ARGMIN: eval_arg(n, in[0], y); break;
        case OP_MATMUL: eval_matmul(in[0], in[1], y); break;
        case OP_BROADCAST:
        case OP_TRANSPOSE:
        case OP_SLICE:
        case OP_REVERSE: eval_view(n, around, in[0], y); break;
        case OP_RESHAPE: copy_values(in[0], y); break;
        case OP_PAD: eval_pad(n, around, in[0], y); break;
        case OP_CONCAT: eval_concat(n, in, y); break;
        case OP_GATHER: eval_gather(n, around, in[0], in[1], y); break;
        case OP_SCATTER: eval_scatter(n, around, in[0], in[1], y); break;
        case OP_WINDOW: eval_window(n, around, in[0], y); break;
        case OP_UNWINDOW: eval_unwindow(n, around, in[0], y); break;
        case OP_CONV:
        case OP_CONV_DATA:
        case OP_CONV_WEIGHTS: eval_conv(n, around, in[0], in[1], y); break;
        case OP_CUSTOM:
            copy_values(in[((const Custom *)n->attr.ref)->n_inputs + n->attr.k], y);
            break;
        default: eval_fold(n, in[0], y); break;
        }
}
