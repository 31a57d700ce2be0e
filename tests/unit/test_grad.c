/* test_grad.c - derivatives: every row of the operator table against central differences, in the
 * first and the second order, and the reasons given where there is no derivative. A row of the
 * table that no sample is made for fails, so a new operator cannot stay unchecked. */
#include "sample.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- elementwise rows ---- */

typedef struct Range { bool is_bool; double lo, hi; } Range;

/* The ranges in a row's domain, one for each operand; false when it has none. */
static bool read_domain(const OpInfo *info, Range *r)
{
    const char *p = info->domain;
    for (int i = 0; i < info->arity; i++) {
        const char *dots = p ? strstr(p, "..") : NULL;
        while (p && *p == ' ') p++;
        r[i] = (Range){.is_bool = p && !strncmp(p, "bool", 4)};
        if (!r[i].is_bool && !dots) return false;
        char *end = (char *)p + 4;
        if (!r[i].is_bool) {
            r[i].lo = strtod(p, NULL);
            r[i].hi = strtod(dots + 2, &end);
        }
        p = end;
    }
    return true;
}

static Node *apply(Sample *s, Op op, Node *const *in)
{
    if (op == OP_CAST) return n_cast(s->g, ELEM_F64, in[0]);
    return graph_node(s->g, op, NULL, in[0]->type, op_info[op].arity, in);
}

static Node *operand(Sample *s, Range r, Shape shape)
{
    Elem e = r.is_bool ? ELEM_BOOL : ELEM_REAL;
    return sample_input(s, (Type){e, shape}, r.is_bool ? 0 : r.lo, r.is_bool ? 2 : r.hi);
}

static const long map_shapes[][4] = {
    {-1}, {1, -1}, {3, -1}, {2, 3, -1}, {1, 5, -1}, {17, -1}, {2, 3, 2, -1},
};
enum { MAP_SHAPES = sizeof map_shapes / sizeof *map_shapes };

/* Is there a derivative that differs from zero? */
static bool is_smooth(const OpInfo *info)
{
    for (int k = 0; k < 3; k++)
        if (info->derivative[k] && strcmp(info->derivative[k], "0")) return true;
    return false;
}

/* op(a, b, ..) and its square; with `small` >= 0 that operand is broadcast from its last axis. */
static void check_map(Op op, const Range *r, const long *size, int small)
{
    const OpInfo *info = &op_info[op];
    Sample s = sample_new(info->name, (uint64_t)op);
    Shape shape = shape_of(size);
    Node *in[3];
    for (int i = 0; i < info->arity; i++) {
        Shape row = shape.rank ? (Shape){1, {shape.size[shape.rank - 1]}} : SCALAR;
        in[i] = n_expand(s.g, operand(&s, r[i], i == small ? row : shape), &shape);
    }
    Node *y = apply(&s, op, in);
    Node *square = n_map2(s.g, OP_MUL, y, y);
    check_derivatives(&s, n_map2(s.g, OP_ADD, weighted_sum(&s, y), weighted_sum(&s, square)));
}

/* All operands made from one value: op(a, f(a)) with f taking a's range to b's. */
static void check_map_shared(Op op, const Range *r, const long *size)
{
    const OpInfo *info = &op_info[op];
    Sample s = sample_new(info->name, (uint64_t)op + 1000);
    int first = r[0].is_bool ? 1 : 0;
    Node *in[3] = {operand(&s, r[0], shape_of(size))};
    Node *a = first ? operand(&s, r[1], shape_of(size)) : in[0];
    for (int i = first; i < info->arity; i++) {
        double k = (r[i].hi - r[i].lo) / (r[first].hi - r[first].lo);
        Node *scaled = n_map2(s.g, OP_MUL, a, n_const(s.g, ELEM_REAL, k));
        in[i] = k == 1 && r[i].lo == r[first].lo ? a
              : n_map2(s.g, OP_ADD, scaled, n_const(s.g, ELEM_REAL, r[i].lo - k * r[first].lo));
    }
    check_derivatives(&s, weighted_sum(&s, apply(&s, op, in)));
}

/* A row whose derivatives are all zero says so, and names the node. */
static void check_map_zero(Op op, const Range *r, const long *size)
{
    const OpInfo *info = &op_info[op];
    Sample s = sample_new(info->name, (uint64_t)op);
    Node *in[3];
    GradResult d[3];
    for (int i = 0; i < info->arity; i++) in[i] = operand(&s, r[i], shape_of(size));
    Node *y = apply(&s, op, in);
    differentiate(s.g, weighted_sum(&s, y), info->arity, in, d);
    for (int i = 0; i < info->arity; i++) {
        if (r[i].is_bool) continue;
        GradStatus why = op == OP_STOP ? GRAD_INDEPENDENT : GRAD_ZERO;
        ck_assert_msg(d[i].status == why, "%s", info->name);
        ck_assert_ptr_eq(d[i].cut, y);
        Tensor *v = sample_value(&s, d[i].d);
        for (long k = 0; k < v->count; k++) ck_assert(v->v[k] == 0);
    }
}

START_TEST(every_map)
{
    const OpInfo *info = &op_info[_i];
    Range r[3] = {{0}};
    if (info->class != CLASS_MAP) return;
    ck_assert_msg(read_domain(info, r), "the row %s has no sample domain", info->id);
    for (int k = 0; k < MAP_SHAPES; k++) {
        if (!is_smooth(info)) {
            check_map_zero((Op)_i, r, map_shapes[k]);
            continue;
        }
        for (int small = -1; small < info->arity; small++)
            check_map((Op)_i, r, map_shapes[k], small);
        check_map_shared((Op)_i, r, map_shapes[k]);
    }
}
END_TEST

/* ---- folds ---- */

static Dim batch = {.name = "N", .lo = 1, .hi = 64};

static void bind_batch(Sample *s, long n) { s->dims[batch.id] = n; }

static void check_fold(Op op, Shape shape, unsigned axes, long n, int zeros)
{
    Sample s = sample_new(op_info[op].name, axes + (uint64_t)n);
    bind_batch(&s, n);
    Node *a = sample_input(&s, real_of(shape), -2, 2);
    for (int i = 0; i < zeros && i < s.value[0]->count; i++) s.value[0]->v[i] = 0;
    Node *y = n_reduce(s.g, op, a, axes);
    Node *square = n_map2(s.g, OP_MUL, y, y);
    Node *loss = n_map2(s.g, OP_ADD, weighted_sum(&s, y), weighted_sum(&s, square));
    check_derivatives(&s, loss);
}

static void check_fold_nodiff(Op op, Shape shape, int axis)
{
    Sample s = sample_new(op_info[op].name, 1);
    Node *a = sample_input(&s, real_of(shape), -2, 2);
    Node *y = n_reduce(s.g, op, a, 1u << axis);
    GradResult d;
    differentiate(s.g, weighted_sum(&s, y), 1, &a, &d);
    ck_assert_int_eq(d.status, GRAD_NODIFF);
    ck_assert_ptr_eq(d.cut, y);
}

START_TEST(every_fold)
{
    const OpInfo *info = &op_info[_i];
    Op op = (Op)_i;
    if (info->class != CLASS_FOLD || op == OP_ANY || op == OP_ALL) return;
    Shape shapes[] = {SHAPE(1), SHAPE(4), SHAPE(2, 3), SHAPE(1, 4), SHAPE(3, 1), SHAPE(2, 3, 2),
                      {2, {size_dim(&batch), size_const(3)}}};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        int rank = shapes[k].rank;
        for (unsigned axes = 1; axes < 1u << rank; axes++) {
            if (!info->derivative[0]) {
                if (k < 6 && !(axes & (axes - 1)))
                    check_fold_nodiff(op, shapes[k], axes == 1 ? 0 : axes == 2 ? 1 : 2);
                continue;
            }
            for (long n = 1; n <= (k == 6 ? 3 : 1); n++) check_fold(op, shapes[k], axes, n, 0);
            for (int zeros = 1; zeros < 3 && op == OP_PROD; zeros++)
                check_fold(op, shapes[k], axes, 2, zeros);
        }
    }
}
END_TEST

/* A tie goes to the first element, over one axis and over several. */
START_TEST(ties)
{
    Sample s = sample_new("ties", 1);
    Node *a = sample_input(&s, real_of(SHAPE(2, 3)), 0, 1);
    const double v[6] = {1, 5, 5, 5, 2, 5};
    memcpy(s.value[0]->v, v, sizeof v);
    for (unsigned axes = 2; axes < 4; axes++) {
        GradResult d;
        Node *max = n_reduce(s.g, OP_MAXOF, a, axes);
        Node *loss = axes == 3 ? max : n_reduce(s.g, OP_SUM, max, 1);
        differentiate(s.g, loss, 1, &a, &d);
        Tensor *got = sample_value(&s, d.d);
        for (int i = 0; i < 6; i++)
            ck_assert(got->v[i] == (i == 1 || (axes == 2 && i == 3)));
    }
    Node *both = n_map2(s.g, OP_MAX, a, n_map1(s.g, OP_ABS, a));
    GradResult d;
    differentiate(s.g, n_reduce(s.g, OP_SUM, both, 3), 1, &a, &d);
    for (int i = 0; i < 6; i++) ck_assert(sample_value(&s, d.d)->v[i] == 1);
}
END_TEST

/* ---- structural rows: samples for each, in several shapes ---- */

static Shape sizes(SizeRef a, SizeRef b, SizeRef c)
{
    Shape s = {c ? 3 : b ? 2 : 1, {a, b, c}};
    return s;
}

static void check_node(Sample *s, Node *y)
{
    Node *square = n_map2(s->g, OP_MUL, y, y);
    check_derivatives(s, n_map2(s->g, OP_ADD, weighted_sum(s, y), weighted_sum(s, square)));
}

static void check_matmul(SizeRef n)
{
    const long mkn[][3] = {{2, 3, 4}, {1, 3, 1}, {1, 1, 1}, {3, 1, 2}, {1, 4, 3}};
    for (size_t i = 0; i < sizeof mkn / sizeof *mkn; i++)
        for (int rank = 2; rank < 4; rank++) {
            Sample s = sample_new("matmul", i);
            bind_batch(&s, 2);
            SizeRef m = size_const(mkn[i][0]), k = size_const(mkn[i][1]), c = size_const(mkn[i][2]);
            Shape a = rank == 2 ? sizes(m, k, NULL) : sizes(n, m, k);
            Shape b = rank == 2 ? sizes(k, c, NULL) : sizes(n, k, c);
            Node *x = sample_input(&s, real_of(a), -1, 1);
            check_node(&s, n_matmul(s.g, x, sample_input(&s, real_of(b), -1, 1)));
        }
    Sample s = sample_new("matmul by its own transpose", 1);
    bind_batch(&s, 3);
    Node *x = sample_input(&s, real_of(sizes(n, size_const(2), NULL)), -1, 1);
    check_node(&s, n_matmul(s.g, x, n_swap_last(s.g, x)));
}

static void check_broadcast(SizeRef n)
{
    for (unsigned axes = 1; axes < 8; axes++) {
        Sample s = sample_new("broadcast", axes);
        bind_batch(&s, 2);
        Shape to = sizes(n, size_const(1), size_const(3)), from = {0};
        for (int i = 0; i < 3; i++)
            if (!(axes >> i & 1)) from.size[from.rank++] = to.size[i];
        Node *x = sample_input(&s, real_of(from), -1, 1);
        check_node(&s, n_broadcast(s.g, x, &to, axes));
    }
}

static void check_reshape(SizeRef n)
{
    SizeRef two = size_const(2), three = size_const(3), n6 = size_mul(n, size_const(6));
    Shape shapes[] = {sizes(n6, NULL, NULL), sizes(n, two, three), sizes(three, n, two),
                      sizes(size_mul(n, two), three, NULL), sizes(n, size_const(6), NULL)};
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 5; k++) {
            Sample s = sample_new("reshape", (uint64_t)(i * 5 + k));
            bind_batch(&s, 2);
            Node *x = sample_input(&s, real_of(shapes[i]), -1, 1);
            check_node(&s, n_reshape(s.g, x, &shapes[k]));
        }
}

static void check_transpose(SizeRef n)
{
    const int perm[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int i = 0; i < 6; i++) {
        Sample s = sample_new("transpose", (uint64_t)i);
        bind_batch(&s, 2);
        Node *x = sample_input(&s, real_of(sizes(n, size_const(1), size_const(3))), -1, 1);
        check_node(&s, n_transpose(s.g, x, perm[i]));
    }
}

static void check_block(bool pads, SizeRef n)
{
    for (long lo = 0; lo < 3; lo++) {
        Sample s = sample_new(pads ? "pad" : "slice", (uint64_t)lo);
        bind_batch(&s, 2);
        Shape big = sizes(size_add(n, size_const(2)), size_const(4), NULL);
        Shape small = sizes(n, size_const(lo == 2 ? 1 : 2), NULL);
        SizeRef at[MAX_RANK] = {size_const(lo), size_const(lo)};
        Node *x = sample_input(&s, real_of(pads ? small : big), -1, 1);
        check_node(&s, pads ? n_pad(s.g, x, at, &big) : n_slice(s.g, x, at, &small));
    }
}

static void check_concat(SizeRef n)
{
    for (int axis = 0; axis < 2; axis++) {
        Sample s = sample_new("concat", (uint64_t)axis);
        bind_batch(&s, 2);
        SizeRef two = size_const(2);
        Node *parts[4];
        for (int i = 0; i < 3; i++) {
            SizeRef along = i == 0 ? n : size_const(i);
            Shape shape = axis ? sizes(two, along, NULL) : sizes(along, two, NULL);
            parts[i] = sample_input(&s, real_of(shape), -1, 1);
        }
        parts[3] = parts[1];
        check_node(&s, n_concat(s.g, axis, 4, parts));
    }
}

static void check_reverse(SizeRef n)
{
    for (unsigned axes = 1; axes < 4; axes++) {
        Sample s = sample_new("reverse", axes);
        bind_batch(&s, 3);
        Node *x = sample_input(&s, real_of(sizes(n, size_const(2), NULL)), -1, 1);
        check_node(&s, n_reverse(s.g, x, axes));
    }
}

static void check_gather(bool scatter, SizeRef n)
{
    Shape indices[] = {SCALAR, sizes(n, NULL, NULL), sizes(size_const(2), n, NULL)};
    Shape tables[] = {SHAPE(4), SHAPE(3, 2), SHAPE(1, 2)};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            Sample s = sample_new(scatter ? "scatter_add" : "gather", (uint64_t)(3 * i + k));
            bind_batch(&s, 2);
            Node *index = sample_input(&s, (Type){ELEM_I32, indices[i]}, -1, 5);
            Shape rows = indices[i];
            for (int j = 1; j < tables[k].rank; j++) rows.size[rows.rank++] = tables[k].size[j];
            Node *x = sample_input(&s, real_of(scatter ? rows : tables[k]), -1, 1);
            check_node(&s, scatter ? n_scatter_add(s.g, index, x, &tables[k])
                                   : n_gather(s.g, x, index));
        }
}

/* y[i, p, k] = x[2*i + p, k] and its adjoint; with one index (a stride) and two. */
static void check_window(bool adjoint, SizeRef n)
{
    for (int terms = 1; terms < 3; terms++) {
        Sample s = sample_new(adjoint ? "unwindow" : "window", (uint64_t)terms);
        bind_batch(&s, 2);
        Attr attr = {.k = 0, .axes = (unsigned)terms, .perm = {2, 1}, .lo = {size_const(1)}};
        SizeRef two = size_const(2), three = size_const(3);
        Shape wide = sizes(size_add(size_mul(n, two), three), two, NULL);
        Shape open = terms == 1 ? sizes(n, two, NULL) : sizes(n, three, two);
        Node *x = sample_input(&s, real_of(adjoint ? open : wide), -1, 1);
        Type to = real_of(adjoint ? wide : open);
        check_node(&s, graph_node(s.g, adjoint ? OP_UNWINDOW : OP_WINDOW, &attr, to, 1, &x));
    }
}

/* y[b, i, p] = x[b, offset + f*i + g*p], also backwards, and with a single axis in place of one */
static void check_window_factors(bool adds, SizeRef n)
{
    const struct { int axes, factor[2]; long offset; } w[] = {
        {2, {1, 1}, 0}, {2, {2, 1}, 1}, {1, {2, 0}, 1}, {2, {-1, 3}, 2}, {2, {1, 0}, 0},
    };
    for (size_t i = 0; i < sizeof w / sizeof *w; i++) {
        Sample s = sample_new(adds ? "unwindow" : "window", i);
        bind_batch(&s, 2);
        Attr attr = {.k = 1, .axes = (unsigned)w[i].axes, .lo = {size_const(w[i].offset)}};
        memcpy(attr.perm, w[i].factor, sizeof w[i].factor);
        SizeRef two = size_const(2), three = size_const(3);
        Type wide = real_of(sizes(n, size_const(9), two));
        Type open = real_of((Shape){2 + w[i].axes, {n, three, two, two}});
        Node *x = sample_input(&s, adds ? open : wide, -1, 1);
        Op op = adds ? OP_UNWINDOW : OP_WINDOW;
        check_node(&s, graph_node(s.g, op, &attr, adds ? wide : open, 1, &x));
    }
}

/* h <- tanh(w x + h), emits h x: forwards and backwards, with and without the last state. */
static void check_scan(SizeRef n)
{
    for (int variant = 0; variant < 4; variant++) {
        Sample s = sample_new("scan", (uint64_t)variant);
        bind_batch(&s, 3);
        Shape two = SHAPE(2);
        Type element = real_of(two);
        Scan *scan = NEW(Scan);
        Graph *b = graph_new();
        *scan = (Scan){.body = b, .n_seqs = 1, .n_states = 1, .n_captures = 1, .n_emits = 1};
        scan->reversed = variant & 1;
        Node *x = n_input(b, 0, element, "x"), *h = n_input(b, 1, element, "h");
        Node *w = n_input(b, 2, element, "w");
        scan->next = NEW_N(Node *, 2);
        scan->next[0] = n_map1(b, OP_TANH, n_map2(b, OP_ADD, n_map2(b, OP_MUL, w, x), h));
        scan->next[1] = n_map2(b, OP_MUL, scan->next[0], x);
        scan->emit = scan->next + 1;
        Node *in[3] = {sample_input(&s, real_of(sizes(n, size_const(2), NULL)), -1, 1),
                       sample_input(&s, element, -1, 1), sample_input(&s, element, -1, 1)};
        Node *y = n_scan(s.g, scan, n, 1, 3, in), *last = n_scan(s.g, scan, n, 0, 3, in);
        Node *both = n_map2(s.g, OP_MUL, y, n_broadcast(s.g, last, &y->type.shape, 1));
        check_node(&s, variant < 2 ? both : y);
    }
}

/* y = (a b, a + b), with stated derivatives that are the true ones. */
static bool stated_true(const Custom *c, Graph *g, Node *const *in, Node *const *y,
                        Node *const *dy, Node **d)
{
    (void)c;
    (void)y;
    d[0] = n_map2(g, OP_ADD, n_map2(g, OP_MUL, dy[0], in[1]), dy[1]);
    d[1] = n_map2(g, OP_ADD, n_map2(g, OP_MUL, dy[0], in[0]), dy[1]);
    return true;
}

static Node *call(Graph *g, const Custom *c, long result, Node *a, Node *b)
{
    Node *in[4] = {a, b, n_map2(g, OP_MUL, a, b), n_map2(g, OP_ADD, a, b)};
    Attr attr = {.k = result, .ref = c};
    return graph_node(g, OP_CUSTOM, &attr, in[2 + result]->type, 4, in);
}

/* Also with one result unused, with a user between the two results, and with equal operands. */
static void check_custom(void)
{
    Custom c = {.n_inputs = 2, .n_results = 2, .gradient = stated_true};
    for (int variant = 0; variant < 4; variant++) {
        Sample s = sample_new("custom", (uint64_t)variant);
        Node *a = sample_input(&s, real_of(SHAPE(2, 3)), -1, 1);
        Node *b = variant == 3 ? a : sample_input(&s, real_of(SHAPE(2, 3)), -1, 1);
        Node *first = call(s.g, &c, 0, a, b), *used = n_map1(s.g, OP_TANH, first);
        Node *y = variant == 1 ? used : n_map2(s.g, OP_MUL, used, call(s.g, &c, 1, a, b));
        check_node(&s, y);
    }
}

START_TEST(every_structure)
{
    SizeRef n[] = {size_const(1), size_const(2), size_dim(&batch)};
    if (op_info[_i].class != CLASS_PRIM) return;
    for (int k = 0; k < 3; k++) switch (_i) {
    case OP_MATMUL: check_matmul(n[k]); break;
    case OP_BROADCAST: check_broadcast(n[k]); break;
    case OP_RESHAPE: check_reshape(n[k]); break;
    case OP_TRANSPOSE: check_transpose(n[k]); break;
    case OP_SLICE: check_block(false, n[k]); break;
    case OP_PAD: check_block(true, n[k]); break;
    case OP_CONCAT: check_concat(n[k]); break;
    case OP_REVERSE: check_reverse(n[k]); break;
    case OP_GATHER: check_gather(false, n[k]); break;
    case OP_SCATTER: check_gather(true, n[k]); break;
    case OP_WINDOW: check_window(false, n[k]); check_window_factors(false, n[k]); break;
    case OP_UNWINDOW: check_window(true, n[k]); check_window_factors(true, n[k]); break;
    case OP_SCAN: check_scan(n[k]); break;
    case OP_CUSTOM: check_custom(); break;
    case OP_CONV: case OP_CONV_DATA: case OP_CONV_WEIGHTS: break; /* test_conv.c */
    default: ck_abort_msg("the row %s has no sample", op_info[_i].id);
    }
}
END_TEST

/* ---- reasons and roles ---- */

static GradResult derivative(Sample *s, Node *y, Node *x)
{
    GradResult d;
    differentiate(s->g, weighted_sum(s, y), 1, &x, &d);
    return d;
}

static bool stated_zero(const Custom *c, Graph *g, Node *const *in, Node *const *y,
                        Node *const *dy, Node **d)
{
    (void)y;
    (void)dy;
    for (int i = 0; i < c->n_inputs; i++) d[i] = n_full(g, in[i]->type, 0);
    return true;
}

START_TEST(reasons)
{
    Sample s = sample_new("reasons", 1);
    Type t = real_of(SHAPE(3));
    Node *x = sample_input(&s, t, 0.1, 0.9), *other = sample_input(&s, t, 0.1, 0.9);
    GradResult d = derivative(&s, n_map1(s.g, OP_TANH, other), x);
    ck_assert(d.status == GRAD_INDEPENDENT && !d.cut);
    Node *stop = n_map1(s.g, OP_STOP, x);
    d = derivative(&s, n_map1(s.g, OP_EXP, stop), x);
    ck_assert(d.status == GRAD_INDEPENDENT && d.cut == stop);
    d = derivative(&s, n_map2(s.g, OP_MUL, stop, x), x);
    ck_assert(d.status == GRAD_OK && !d.cut);
    Node *less = n_map2(s.g, OP_LT, x, other);
    Node *chosen = n_map3(s.g, OP_WHERE, less, n_const(s.g, ELEM_REAL, 1), other);
    d = derivative(&s, chosen, x);
    ck_assert(d.status == GRAD_ZERO && d.cut == less);
    ck_assert(derivative(&s, chosen, other).status == GRAD_OK);
    Node *rounded = n_map1(s.g, OP_FLOOR, x), *again = n_map1(s.g, OP_SIGN, rounded);
    d = derivative(&s, n_map1(s.g, OP_EXP, again), x);
    ck_assert(d.status == GRAD_ZERO && d.cut == again);
    Node *best = n_reduce(s.g, OP_ARGMAX, x, 1);
    d = derivative(&s, n_gather(s.g, other, best), x);
    ck_assert(d.status == GRAD_NODIFF && d.cut == best);
    Custom step = {.n_inputs = 2, .n_results = 2, .gradient = stated_zero};
    Node *y = call(s.g, &step, 0, x, other);
    d = derivative(&s, n_map1(s.g, OP_EXP, y), x);
    ck_assert(d.status == GRAD_ZERO && d.cut == y);
    Node *draw = n_draw(s.g, DRAW_NORMAL, t, 1);
    d = derivative(&s, n_map2(s.g, OP_MUL, draw, x), x);
    ck_assert_int_eq(d.status, GRAD_OK);
}
END_TEST

/* A value between and what it is made of: the derivative for each is the total one. */
START_TEST(intermediate)
{
    Sample s = sample_new("intermediate", 1);
    Node *x = sample_input(&s, real_of(SHAPE(3)), -1, 1);
    Node *h = n_mark(s.g, n_map1(s.g, OP_TANH, x));
    Node *y = n_map2(s.g, OP_MUL, n_map2(s.g, OP_MUL, h, h), x);
    Node *loss = n_reduce(s.g, OP_SUM, y, 1), *both[2] = {h, x};
    GradResult d[2];
    h->name = "h";
    differentiate(s.g, loss, 2, both, d);
    Tensor *dh = sample_value(&s, d[0].d), *dx = sample_value(&s, d[1].d);
    for (int i = 0; i < 3; i++) {
        double v = s.value[0]->v[i], t = tanh(v);
        ck_assert_double_eq_tol(dh->v[i], 2 * t * v, 1e-14);
        ck_assert_double_eq_tol(dx->v[i], t * t + 2 * t * v * (1 - t * t), 1e-14);
    }
    ck_assert_ptr_eq(d[0].d->adjoint_of, h);
    ck_assert_ptr_eq(d[1].d->adjoint_of, x);
}
END_TEST

Suite *suite_grad(void);
Suite *suite_grad(void)
{
    Suite *suite = suite_create("grad");
    TCase *t = tcase_create("grad");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, every_map, 0, OP_COUNT);
    tcase_add_loop_test(t, every_fold, 0, OP_COUNT);
    tcase_add_loop_test(t, every_structure, 0, OP_COUNT);
    tcase_add_test(t, ties);
    tcase_add_test(t, reasons);
    tcase_add_test(t, intermediate);
    suite_add_tcase(suite, t);
    return suite;
}
