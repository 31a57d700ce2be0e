/* eval_ops.c - what every operator computes, one plain loop for each class of operators.
 * In: a node and the values of its operands. Out: the value of the node. Every element is held as
 * a double: exact for integers, rounded for f16, and for all other reals as it is. Integers wrap,
 * integer quotients round down, an index outside its table is clamped. */
#include "eval.h"

#include "nn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- elements ---- */

/* The nearest half-precision number, ties to even. */
static double round_half(double v)
{
    if (!isfinite(v) || v == 0) return v;
    int e;
    frexp(v, &e);
    double quantum = ldexp(1, (e < -13 ? -13 : e) - 11);
    double r = nearbyint(v / quantum) * quantum;
    return fabs(r) > 65504 ? copysign(INFINITY, v) : r;
}

static double wrap(Elem e, int64_t v)
{
    switch (e) {
    case ELEM_I8: return (double)((int64_t)(((uint64_t)v + 128) & 255) - 128);
    case ELEM_U8: return (double)((uint64_t)v & 255);
    default: return (double)((int64_t)(((uint64_t)v + 0x80000000u) & 0xffffffffu) - 0x80000000);
    }
}

static double saturate(Elem e, double v)
{
    double lo = e == ELEM_I8 ? -128 : e == ELEM_U8 ? 0 : -2147483648.0;
    double hi = e == ELEM_I8 ? 127 : e == ELEM_U8 ? 255 : 2147483647.0;
    if (isnan(v)) return 0;
    return v <= lo ? lo : v >= hi ? hi : trunc(v);
}

double eval_convert(Elem from, Elem to, double v)
{
    if (to == ELEM_BOOL) return v != 0;
    if (to == ELEM_F16) return round_half(v);
    if (!elem_is_int(to)) return v;
    return elem_is_real(from) ? saturate(to, v) : wrap(to, (int64_t)v);
}

static int64_t int_pow(int64_t a, int64_t n)
{
    if (n < 0) return a == 1 ? 1 : a == -1 ? (n % 2 ? -1 : 1) : 0;
    uint64_t r = 1, square = (uint64_t)a;
    for (; n; n >>= 1, square *= square)
        if (n & 1) r *= square;
    return (int64_t)r;
}

static int64_t int_quotient(int64_t a, int64_t b)
{
    if (b == 0) return 0;
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Arithmetic of integers; operands have at most 32 bits, so nothing here overflows. */
static bool int_map(Op op, int64_t a, int64_t b, int64_t *y)
{
    switch (op) {
    case OP_NEG: *y = -a; return true;
    case OP_ABS: *y = a < 0 ? -a : a; return true;
    case OP_SIGN: *y = (a > 0) - (a < 0); return true;
    case OP_FLOOR: case OP_CEIL: case OP_ROUND: *y = a; return true;
    case OP_ADD: *y = a + b; return true;
    case OP_SUB: *y = a - b; return true;
    case OP_MUL: *y = a * b; return true;
    case OP_DIV: *y = int_quotient(a, b); return true;
    case OP_MOD: *y = b == 0 ? 0 : a - b * int_quotient(a, b); return true;
    case OP_POW: *y = int_pow(a, b); return true;
    default: return false;
    }
}

static double sigmoid(double a)
{
    double e = exp(-fabs(a));
    return (a < 0 ? e : 1) / (1 + e);
}

static double real_map1(Op op, double a)
{
    switch (op) {
    case OP_NEG: return -a;
    case OP_EXP: return exp(a);
    case OP_LOG: return log(a);
    case OP_SQRT: return sqrt(a);
    case OP_RSQRT: return 1 / sqrt(a);
    case OP_ABS: return fabs(a);
    case OP_SIGN: return a > 0 ? 1 : a < 0 ? -1 : a;
    case OP_FLOOR: return floor(a);
    case OP_CEIL: return ceil(a);
    case OP_ROUND: return nearbyint(a);
    case OP_SIN: return sin(a);
    case OP_COS: return cos(a);
    case OP_TANH: return tanh(a);
    case OP_SIGMOID: return sigmoid(a);
    case OP_ERF: return erf(a);
    case OP_NOT: return a == 0;
    default: return a;                                 /* stop_grad and mark */
    }
}

static double real_map2(Op op, double a, double b)
{
    switch (op) {
    case OP_ADD: return a + b;
    case OP_SUB: return a - b;
    case OP_MUL: return a * b;
    case OP_DIV: return a / b;
    case OP_MOD: return a - b * floor(a / b);
    case OP_POW: return pow(a, b);
    case OP_MIN: return a <= b || isnan(a) ? a : b;
    case OP_MAX: return a >= b || isnan(a) ? a : b;
    case OP_LT: return a < b;
    case OP_LE: return a <= b;
    case OP_EQ: return a == b;
    case OP_NE: return a != b;
    case OP_AND: return a != 0 && b != 0;
    case OP_OR: return a != 0 || b != 0;
    default: abort();
    }
}

double eval_map(Op op, Elem in, Elem out, const double *v)
{
    int64_t y;
    if (op == OP_CAST) return eval_convert(in, out, v[0]);
    if (op == OP_WHERE) return v[0] != 0 ? v[1] : v[2];
    int arity = op_info[op].arity;
    if (elem_is_int(in) && int_map(op, (int64_t)v[0], arity > 1 ? (int64_t)v[1] : 0, &y))
        return wrap(out, y);
    double r = arity == 1 ? real_map1(op, v[0]) : real_map2(op, v[0], v[1]);
    return elem_is_int(out) ? saturate(out, r) : eval_convert(out, out, r);
}

/* ---- a walk over all indices of an array, and where each is in another array ---- */

typedef struct Walk {
    int rank;
    long size[MAX_RANK], stride[MAX_RANK], index[MAX_RANK];
    long at;                  /* the place of the present index */
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
    case OP_PARAM: from = m->params[slot->id]->v; break;
    case OP_STATE: from = m->states[slot->id]->v; break;
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
    case OP_PROD: case OP_ALL: return 1;
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

/* argmax and argmin: the index of the first best element along the only folded axis */
static void eval_arg(const Node *n, const Tensor *a, Tensor *y)
{
    int axis = 0;
    long stride[MAX_RANK];
    while (!(n->attr.axes >> axis & 1)) axis++;
    strides_of(a, stride);
    Walk w = walk_fold(n, a, y);
    memset(y->v, 0, sizeof(double) * (size_t)y->count);
    for (long i = 0; i < a->count; i++, walk_next(&w)) {
        long best = i + ((long)y->v[w.at] - w.index[axis]) * stride[axis];
        bool better = n->op == OP_ARGMAX ? a->v[i] > a->v[best] : a->v[i] < a->v[best];
        if (better) y->v[w.at] = (double)w.index[axis];
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
        if (n->op == OP_BROADCAST) w.stride[i] = n->attr.axes >> i & 1 ? 0 : stride[k++];
        else if (n->op == OP_TRANSPOSE) w.stride[i] = stride[n->attr.perm[i]];
        else w.stride[i] = stride[i];
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

/* Walks the open side of a window: w.at is the element of the wide side under it. */
static Walk walk_windows(const Attr *attr, const Surroundings *around, const Tensor *wide, const Tensor *open)
{
    Walk w = walk_over(open);
    long stride[MAX_RANK];
    int m = (int)attr->axes, axis = (int)attr->k;
    strides_of(wide, stride);
    w.at = stride[axis] * size_eval(attr->lo[0], around->dims);
    for (int i = 0; i < open->rank; i++)
        w.stride[i] = i < axis ? stride[i] : i < axis + m ? stride[axis] * attr->perm[i - axis] : stride[i + 1 - m];
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
    for (long i = 0; i < a->count; i++, walk_next(&w)) y->v[w.at] += a->v[i];
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

static void eval_matmul(const Tensor *a, const Tensor *b, Tensor *y)
{
    long m = y->size[y->rank - 2], n = y->size[y->rank - 1], k = a->size[a->rank - 1];
    for (long i = 0; i < y->count; i++) {
        long batch = i / (m * n), row = i / n % m, column = i % n;
        const double *pa = a->v + (batch * m + row) * k, *pb = b->v + batch * k * n + column;
        double sum = 0;
        for (long j = 0; j < k; j++) {
            double ab[2] = {pa[j], pb[j * n]};
            double terms[2] = {sum, eval_map(OP_MUL, y->elem, y->elem, ab)};
            sum = eval_map(OP_ADD, y->elem, y->elem, terms);
        }
        y->v[i] = sum;
    }
}

static long clamp_index(double index, long count)
{
    return index < 0 ? 0 : index >= (double)count ? count - 1 : (long)index;
}

static long row_length(const Tensor *table)
{
    long n = 1;
    for (int i = 1; i < table->rank; i++) n *= table->size[i];
    return n;
}

static void eval_gather(const Tensor *table, const Tensor *index, Tensor *y)
{
    long n = row_length(table);
    if (table->size[0] == 0) return;
    for (long i = 0; i < index->count; i++)
        memcpy(y->v + i * n, table->v + clamp_index(index->v[i], table->size[0]) * n,
               sizeof(double) * (size_t)n);
}

static void eval_scatter(const Tensor *index, const Tensor *rows, Tensor *y)
{
    long n = row_length(y);
    memset(y->v, 0, sizeof(double) * (size_t)y->count);
    if (y->size[0] == 0) return;
    for (long i = 0; i < index->count; i++) {
        double *to = y->v + clamp_index(index->v[i], y->size[0]) * n;
        for (long k = 0; k < n; k++) {
            double v[2] = {to[k], rows->v[i * n + k]};
            to[k] = eval_map(OP_ADD, y->elem, y->elem, v);
        }
    }
}

static void copy_values(const Tensor *a, Tensor *y)
{
    memcpy(y->v, a->v, sizeof(double) * (size_t)y->count);
}

void eval_node(const Node *n, Tensor *const *in, const Surroundings *around, Tensor *y)
{
    OpClass class = op_info[n->op].class;
    if (class == CLASS_LEAF) eval_leaf(n, around, y);
    else if (class == CLASS_MAP) eval_maps(n, in, y);
    else switch (n->op) {
    case OP_ARGMAX: case OP_ARGMIN: eval_arg(n, in[0], y); break;
    case OP_MATMUL: eval_matmul(in[0], in[1], y); break;
    case OP_BROADCAST: case OP_TRANSPOSE: case OP_SLICE: case OP_REVERSE:
        eval_view(n, around, in[0], y);
        break;
    case OP_RESHAPE: copy_values(in[0], y); break;
    case OP_PAD: eval_pad(n, around, in[0], y); break;
    case OP_CONCAT: eval_concat(n, in, y); break;
    case OP_GATHER: eval_gather(in[0], in[1], y); break;
    case OP_SCATTER: eval_scatter(in[0], in[1], y); break;
    case OP_WINDOW: eval_window(n, around, in[0], y); break;
    case OP_UNWINDOW: eval_unwindow(n, around, in[0], y); break;
    case OP_CUSTOM: copy_values(in[((const Custom *)n->attr.ref)->n_inputs + n->attr.k], y); break;
    default: eval_fold(n, in[0], y); break;
    }
}
