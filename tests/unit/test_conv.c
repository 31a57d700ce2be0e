/* test_conv.c - convolutions as nodes of a graph: each of the three against loops written straight
 * from the sum over the window, and as derivatives of each other against central differences; with
 * images of one element, odd sizes, strides, padding, dilation, results cut short. */
#include "sample.h"

#include <check.h>
#include <math.h>

typedef struct Case {
    const char *what;
    /* [n, rows, columns, channels], [maps, channels, p, q]; 0 channels: each map has its own, with
     * kernels [p, q, channels] */
    long image[4], kernel[4];
    int stride[2], dilation[2];
    long pad[2], cut; /* rows and columns of the result that are left out */
} Case;

static const Case cases[] = {
    {"one element", {1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1}, {1, 1}, {0, 0}, 0},
    {"plain", {2, 5, 4, 3}, {2, 3, 3, 2}, {1, 1}, {1, 1}, {0, 0}, 0},
    {"odd channels", {1, 3, 7, 5}, {7, 5, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 0},
    {"strides", {3, 7, 8, 1}, {2, 1, 2, 3}, {2, 3}, {1, 1}, {0, 0}, 0},
    {"padding", {2, 3, 2, 2}, {3, 2, 3, 3}, {1, 1}, {1, 1}, {2, 1}, 0},
    {"dilation", {1, 6, 7, 2}, {1, 2, 2, 3}, {1, 1}, {3, 2}, {0, 0}, 0},
    {"all of it", {2, 7, 6, 3}, {2, 3, 3, 2}, {2, 2}, {2, 3}, {2, 3}, 0},
    {"cut short", {2, 6, 6, 2}, {2, 2, 3, 3}, {1, 2}, {1, 1}, {1, 1}, 1},
    {"windows beside the image", {1, 1, 2, 1}, {1, 1, 1, 1}, {2, 1}, {1, 1}, {3, 2}, 0},
    {"each channel by itself", {2, 5, 6, 7}, {7, 0, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 0},
    {"one tap of each channel", {1, 4, 3, 5}, {5, 0, 1, 1}, {2, 1}, {1, 1}, {0, 0}, 0},
    {"channels, all of it", {2, 7, 6, 3}, {3, 0, 3, 2}, {3, 2}, {2, 3}, {2, 3}, 1},
    {"a row as wide as a vector", {1, 1, 35, 1}, {17, 1, 1, 5}, {1, 1}, {1, 1}, {0, 2}, 0},
};
enum { CASES = sizeof cases / sizeof *cases };
enum { IMAGE, RESULT, KERNEL };

static void result_size(const Case *t, long *size)
{
    size[0] = t->image[0];
    size[3] = t->kernel[0];
    for (int i = 0; i < 2; i++) {
        long reach = t->dilation[i] * (t->kernel[2 + i] - 1) + 1;
        size[1 + i] = (t->image[1 + i] + 2 * t->pad[i] - reach) / t->stride[i] + 1 - t->cut;
    }
}

static bool is_alone(const Case *t) { return !t->kernel[1]; }

static Shape shape_in(const Case *t, int which)
{
    long r[4];
    result_size(t, r);
    if (which == KERNEL && is_alone(t)) return SHAPE(t->kernel[2], t->kernel[3], t->kernel[0]);
    const long *s = which == IMAGE ? t->image : which == KERNEL ? t->kernel : r;
    return SHAPE(s[0], s[1], s[2], s[3]);
}

static Node *conv(Sample *s, const Case *t, Op op, Node *a, Node *b)
{
    Attr attr = {.perm = {t->stride[0], t->stride[1], t->dilation[0], t->dilation[1]},
                 .lo = {size_const(t->pad[0]), size_const(t->pad[1])}};
    int which = op == OP_CONV ? RESULT : op == OP_CONV_DATA ? IMAGE : KERNEL;
    return graph_node(s->g, op, &attr, real_of(shape_in(t, which)), 2, (Node *[]){a, b});
}

/* ---- against loops --------------------------------------------------------------------------- */

static long flat(const long *size, long a, long b, long c, long d)
{
    return ((a * size[1] + b) * size[2] + c) * size[3] + d;
}

static long kernel_at(const Case *t, long o, long c, long p, long q)
{
    const long *k = t->kernel;
    return is_alone(t) ? (p * k[3] + q) * k[0] + o : flat(k, o, c, p, q);
}

typedef void Tap(void *context, long image, long result, long kernel);

/* Calls back for every product in the sum over the window: the elements that take part. */
static void each_tap(const Case *t, Tap *f, void *context)
{
    const long *x = t->image, *k = t->kernel;
    long y[4];
    result_size(t, y);
    for (long n = 0; n < y[0]; n++)
    for (long i = 0; i < y[1]; i++)
    for (long j = 0; j < y[2]; j++)
    for (long o = 0; o < y[3]; o++)
        for (long c = is_alone(t) ? o : 0; c < (is_alone(t) ? o + 1 : k[1]); c++)
        for (long p = 0; p < k[2]; p++)
        for (long q = 0; q < k[3]; q++) {
            long row = t->stride[0] * i + t->dilation[0] * p - t->pad[0];
            long column = t->stride[1] * j + t->dilation[1] * q - t->pad[1];
            if (row >= 0 && row < x[1] && column >= 0 && column < x[2])
                f(context, flat(x, n, row, column, c), flat(y, n, i, j, o),
                  kernel_at(t, o, c, p, q));
        }
}

/* y += a b for one of the three from the other two */
typedef struct Sum {
    Op op;
    const double *a, *b;
    double *y;
} Sum;

static void add_product(void *context, long image, long result, long kernel)
{
    Sum *s = context;
    if (s->op == OP_CONV) s->y[result] += s->a[image] * s->b[kernel];
    if (s->op == OP_CONV_DATA) s->y[image] += s->a[result] * s->b[kernel];
    if (s->op == OP_CONV_WEIGHTS) s->y[kernel] += s->a[image] * s->b[result];
}

/* The operands of each of the three. */
static const int operands[3][2] = {{IMAGE, KERNEL}, {RESULT, KERNEL}, {IMAGE, RESULT}};
static const Op ops[3] = {OP_CONV, OP_CONV_DATA, OP_CONV_WEIGHTS};

START_TEST(as_loops)
{
    const Case *t = &cases[_i];
    for (int k = 0; k < 3; k++) {
        Sample s = sample_new(t->what, (uint64_t)(3 * _i + k));
        Node *a = sample_input(&s, real_of(shape_in(t, operands[k][0])), -1, 1);
        Node *b = sample_input(&s, real_of(shape_in(t, operands[k][1])), -1, 1);
        Tensor *y = sample_value(&s, conv(&s, t, ops[k], a, b));
        double *expected = NEW_N(double, y->count);
        each_tap(t, add_product, &(Sum){ops[k], s.value[0]->v, s.value[1]->v, expected});
        for (long i = 0; i < y->count; i++)
            ck_assert_msg(fabs(y->v[i] - expected[i]) <= 1e-13 * (1 + fabs(expected[i])),
                          "%s, %s, element %ld: %.17g, by loops %.17g", t->what,
                          op_info[ops[k]].name, i, y->v[i], expected[i]);
    }
}
END_TEST

/* A kernel [p, q, channels, maps] is the same kernel in another order. */
START_TEST(packed_kernels)
{
    const Case *t = &cases[_i];
    const int order[4] = {2, 3, 1, 0};
    if (is_alone(t)) return;
    for (int k = 0; k < 2; k++) {
        Sample s = sample_new(t->what, (uint64_t)_i);
        Node *a = sample_input(&s, real_of(shape_in(t, operands[k][0])), -1, 1);
        Node *b = sample_input(&s, real_of(shape_in(t, KERNEL)), -1, 1);
        Node *y = conv(&s, t, ops[k], a, b), *in[2] = {a, n_transpose(s.g, b, order)};
        Attr attr = y->attr;
        attr.k = 1;
        Tensor *plain = sample_value(&s, y);
        Tensor *packed = sample_value(&s, graph_node(s.g, ops[k], &attr, y->type, 2, in));
        for (long i = 0; i < plain->count; i++)
            ck_assert_double_eq_tol(packed->v[i], plain->v[i], 1e-13);
    }
}
END_TEST

static Shape twice(Shape s)
{
    Shape to = {.rank = s.rank + 1, .size = {size_const(2)}};
    for (int i = 0; i < s.rank; i++) to.size[i + 1] = s.size[i];
    return to;
}

static Node *half(Sample *s, Node *n, long which)
{
    Shape one = n->type.shape, rest = {.rank = one.rank - 1};
    SizeRef lo[MAX_RANK];
    for (int i = 0; i < one.rank; i++) lo[i] = size_const(i ? 0 : which);
    for (int i = 0; i < rest.rank; i++) rest.size[i] = one.size[i + 1];
    one.size[0] = size_const(1);
    return n_reshape(s->g, n_slice(s->g, n, lo, &one), &rest);
}

/* Groups of channels are convolutions beside each other. */
START_TEST(in_groups)
{
    const Case *t = &cases[_i];
    if (is_alone(t)) return;
    for (int k = 0; k < 3; k++) {
        Sample s = sample_new(t->what, (uint64_t)_i);
        Node *a = sample_input(&s, real_of(twice(shape_in(t, operands[k][0]))), -1, 1);
        Node *b = sample_input(&s, real_of(twice(shape_in(t, operands[k][1]))), -1, 1);
        Node *one = conv(&s, t, ops[k], half(&s, a, 0), half(&s, b, 0)), *in[2] = {a, b};
        Node *both = graph_node(s.g, ops[k], &one->attr, real_of(twice(one->type.shape)), 2, in);
        for (int g = 0; g < 2; g++) {
            Tensor *got = sample_value(&s, half(&s, both, g));
            Tensor *expected =
                sample_value(&s, conv(&s, t, ops[k], half(&s, a, g), half(&s, b, g)));
            for (long i = 0; i < got->count; i++)
                ck_assert_double_eq_tol(got->v[i], expected->v[i], 1e-13);
        }
    }
}
END_TEST

/* ---- against differences --------------------------------------------------------------------- */

/* d sum(v y) / d operand `by` of op(a, b) */
static Node *adjoint(Sample *s, const Case *t, Op op, int by, Node *v, Node *const *in)
{
    switch (op) {
    case OP_CONV:
        return by ? conv(s, t, OP_CONV_WEIGHTS, in[0], v) : conv(s, t, OP_CONV_DATA, v, in[1]);
    case OP_CONV_DATA:
        return by ? conv(s, t, OP_CONV_WEIGHTS, v, in[0]) : conv(s, t, OP_CONV, v, in[1]);
    default: return by ? conv(s, t, OP_CONV, in[0], v) : conv(s, t, OP_CONV_DATA, in[1], v);
    }
}

static double value_at(const Sample *s, Node *loss, double *x, double to)
{
    double at = *x;
    *x = to;
    double y = sample_value(s, loss)->v[0];
    *x = at;
    return y;
}

/* The sum is linear in each operand, so the difference has no error but rounding. */
static void check_adjoint(Sample *s, Node *loss, Node *d, int by)
{
    Tensor *got = sample_value(s, d), *x = s->value[by];
    ck_assert_int_eq((int)got->count, (int)x->count);
    for (long i = 0; i < x->count; i++) {
        double *at = &x->v[i];
        double slope = value_at(s, loss, at, *at + 0.5) - value_at(s, loss, at, *at - 0.5);
        ck_assert_msg(fabs(got->v[i] - slope) <= 1e-10 * (1 + fabs(slope)),
                      "%s, operand %d, element %ld: %.12g, by differences %.12g", s->what, by, i,
                      got->v[i], slope);
    }
}

START_TEST(as_derivatives)
{
    const Case *t = &cases[_i];
    for (int k = 0; k < 3; k++) {
        Sample s = sample_new(format("%s of %s", op_info[ops[k]].name, t->what), (uint64_t)_i);
        Node *in[2];
        for (int i = 0; i < 2; i++)
            in[i] = sample_input(&s, real_of(shape_in(t, operands[k][i])), -1, 1);
        Node *y = conv(&s, t, ops[k], in[0], in[1]), *loss = weighted_sum(&s, y);
        for (int by = 0; by < 2; by++)
            check_adjoint(&s, loss, adjoint(&s, t, ops[k], by, s.input[2], in), by);
    }
}
END_TEST

Suite *suite_conv(void);
Suite *suite_conv(void)
{
    Suite *suite = suite_create("conv");
    TCase *t = tcase_create("conv");
    tcase_add_loop_test(t, as_loops, 0, CASES);
    tcase_add_loop_test(t, packed_kernels, 0, CASES);
    tcase_add_loop_test(t, in_groups, 0, CASES);
    tcase_add_loop_test(t, as_derivatives, 0, CASES);
    suite_add_tcase(suite, t);
    return suite;
}
