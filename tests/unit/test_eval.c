/* test_eval.c - the interpreter: integers that wrap, conversions, NaN and infinity, index ranges,
 * movement against hand-made values, machines, and the sizes bound from arguments. */
#include "sample.h"

#include "nn.h"

#include <check.h>
#include <math.h>
#include <string.h>

static Graph *g;

static void setup(void) { g = graph_new(); }

static Node *num(Elem e, double v) { return n_const(g, e, v); }

static Node *table(Elem e, Shape shape, const double *v) { return n_table(g, (Type){e, shape}, v); }

static Tensor *value(Node *n)
{
    static const long dims[MAX_DIMS];
    Tensor *v;
    eval_roots(g, &n, 1, dims, NULL, NULL, &v);
    return v;
}

static double map1(Op op, Elem e, double a) { return value(n_map1(g, op, num(e, a)))->v[0]; }

static double map2(Op op, Elem e, double a, double b)
{
    return value(n_map2(g, op, num(e, a), num(e, b)))->v[0];
}

static double cast(Elem from, Elem to, double v)
{
    return value(n_cast(g, to, num(from, v)))->v[0];
}

static void same(Node *n, long count, const double *expected)
{
    Tensor *v = value(n);
    ck_assert_int_eq(v->count, count);
    for (long i = 0; i < count; i++) ck_assert_msg(v->v[i] == expected[i], "%ld: %g", i, v->v[i]);
}
#define same_values(n, ...) \
    same(n, sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]){__VA_ARGS__})

/* ---- elements ---- */

START_TEST(integers)
{
    ck_assert(map2(OP_ADD, ELEM_I32, 2147483647, 1) == -2147483648.0);
    ck_assert(map2(OP_MUL, ELEM_I32, 65536, 65536) == 0);
    ck_assert(map2(OP_MUL, ELEM_I32, 123456789, 987654321) == -67153019);
    ck_assert(map2(OP_SUB, ELEM_U8, 3, 5) == 254);
    ck_assert(map2(OP_ADD, ELEM_I8, 127, 1) == -128);
    ck_assert(map1(OP_NEG, ELEM_I32, -2147483648.0) == -2147483648.0);
    ck_assert(map2(OP_DIV, ELEM_I32, -7, 2) == -4);
    ck_assert(map2(OP_DIV, ELEM_I32, 7, -2) == -4);
    ck_assert(map2(OP_MOD, ELEM_I32, -7, 3) == 2);
    ck_assert(map2(OP_MOD, ELEM_I32, 7, -3) == -2);
    ck_assert(map2(OP_DIV, ELEM_I32, 1, 0) == 0);
    ck_assert(map2(OP_POW, ELEM_I32, 3, 4) == 81);
    ck_assert(map2(OP_POW, ELEM_I32, 2, -1) == 0);
    const double v[3] = {200, 100, 7};
    same_values(n_reduce(g, OP_SUM, table(ELEM_U8, SHAPE(3), v), 1), 51);
    same_values(n_reduce(g, OP_MAXOF, table(ELEM_U8, SHAPE(3), v), 1), 200);
}
END_TEST

START_TEST(conversions)
{
    ck_assert(cast(ELEM_REAL, ELEM_I32, -2.9) == -2);
    ck_assert(cast(ELEM_REAL, ELEM_I32, 1e20) == 2147483647);
    ck_assert(cast(ELEM_REAL, ELEM_I32, -INFINITY) == -2147483648.0);
    ck_assert(cast(ELEM_REAL, ELEM_I32, NAN) == 0);
    ck_assert(cast(ELEM_REAL, ELEM_U8, 300) == 255);
    ck_assert(cast(ELEM_REAL, ELEM_U8, -1) == 0);
    ck_assert(cast(ELEM_I32, ELEM_U8, 300) == 44);
    ck_assert(cast(ELEM_I32, ELEM_I8, 200) == -56);
    ck_assert(cast(ELEM_REAL, ELEM_BOOL, NAN) == 1);
    ck_assert(cast(ELEM_REAL, ELEM_F16, 1 + 0x1p-12) == 1);
    ck_assert(cast(ELEM_REAL, ELEM_F16, 2049) == 2048);
    ck_assert(cast(ELEM_REAL, ELEM_F16, 2051) == 2052);
    ck_assert(cast(ELEM_REAL, ELEM_F16, 65519) == 65504);
    ck_assert(isinf(cast(ELEM_REAL, ELEM_F16, 65520)));
    ck_assert(cast(ELEM_REAL, ELEM_F16, 0x1p-25) == 0);
    ck_assert(cast(ELEM_REAL, ELEM_F16, 0x1.8p-24) == 0x1p-23);
    ck_assert(map2(OP_ADD, ELEM_F16, 2048, 1) == 2048);
}
END_TEST

START_TEST(special_values)
{
    ck_assert(isnan(map2(OP_MAX, ELEM_REAL, NAN, 1)) && isnan(map2(OP_MAX, ELEM_REAL, 1, NAN)));
    ck_assert(isnan(map2(OP_MIN, ELEM_REAL, NAN, 1)) && isnan(map2(OP_MIN, ELEM_REAL, 1, NAN)));
    ck_assert(map1(OP_ROUND, ELEM_REAL, 2.5) == 2 && map1(OP_ROUND, ELEM_REAL, 3.5) == 4);
    ck_assert(map1(OP_SIGN, ELEM_REAL, -0.5) == -1 && map1(OP_SIGN, ELEM_REAL, 0) == 0);
    ck_assert(map2(OP_MOD, ELEM_REAL, -1, 3) == 2);
    ck_assert(map1(OP_SIGMOID, ELEM_REAL, -800) == 0 && map1(OP_SIGMOID, ELEM_REAL, 800) == 1);
    const double v[4] = {1, NAN, -INFINITY, 3};
    Node *t = table(ELEM_REAL, SHAPE(4), v);
    ck_assert(isnan(value(n_reduce(g, OP_MAXOF, t, 1))->v[0]));
    same_values(n_reduce(g, OP_ARGMAX, t, 1), 3);
    same_values(n_reduce(g, OP_ARGMIN, t, 1), 2);
    Node *masked = n_map1(g, OP_EXP, n_full(g, real_of(SHAPE(2)), -INFINITY));
    same_values(n_reduce(g, OP_SUM, masked, 1), 0);
}
END_TEST

/* ---- arrays ---- */

START_TEST(arrays)
{
    static const double v[6] = {1, 2, 3, 4, 5, 6};
    Node *a = table(ELEM_REAL, SHAPE(2, 3), v);
    Shape big = SHAPE(2, 2, 3), flat = SHAPE(6), cut = SHAPE(1, 2), padded = SHAPE(3, 4);
    SizeRef one[2] = {size_const(1), size_const(1)};
    same_values(n_swap_last(g, a), 1, 4, 2, 5, 3, 6);
    same_values(n_broadcast(g, a, &big, 2), 1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6);
    same_values(n_reshape(g, a, &flat), 1, 2, 3, 4, 5, 6);
    same_values(n_slice(g, a, one, &cut), 5, 6);
    same_values(n_pad(g, a, one, &padded), 0, 0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6);
    same_values(n_concat(g, 1, 2, (Node *[]){a, n_slice(g, a, (SizeRef[]){size_const(0), one[0]},
                                                        &(Shape){2, {size_const(2), one[0]}})}),
                1, 2, 3, 2, 4, 5, 6, 5);
    same_values(n_reverse(g, a, 2), 3, 2, 1, 6, 5, 4);
    same_values(n_reverse(g, a, 3), 6, 5, 4, 3, 2, 1);
    same_values(n_reduce(g, OP_SUM, a, 1), 5, 7, 9);
    same_values(n_reduce(g, OP_PROD, a, 2), 6, 120);
    same_values(n_reduce(g, OP_ARGMAX, n_reverse(g, a, 2), 2), 0, 0);
    same_values(n_iota(g, &a->type.shape, 1), 0, 1, 2, 0, 1, 2);
    same_values(n_matmul(g, a, n_swap_last(g, a)), 14, 32, 32, 77);
    static const double at[3] = {1, -5, 9};
    Node *index = table(ELEM_I32, SHAPE(3), at);
    same_values(n_gather(g, a, index), 4, 5, 6, 1, 2, 3, 4, 5, 6);
    Node *rows = n_gather(g, a, index);
    same_values(n_scatter_add(g, index, rows, &a->type.shape), 1, 2, 3, 8, 10, 12);
}
END_TEST

START_TEST(draws)
{
    Type t = real_of(SHAPE(3, 3));
    Machine m = {.seed = 7, .call = 3};
    static const long dims[MAX_DIMS];
    Node *roots[3] = {n_draw(g, DRAW_UNIFORM, t, 5), n_draw(g, DRAW_NORMAL, t, 6),
                      n_draw(g, DRAW_ORTHOGONAL, t, 7)};
    Tensor *v[3];
    eval_roots(g, roots, 3, dims, NULL, &m, v);
    for (int i = 0; i < 9; i++) {
        ck_assert(v[0]->v[i] == nn_uniform_at(7, 3, 5, (uint64_t)i));
        ck_assert(v[1]->v[i] == nn_normal_at(7, 3, 6, (uint64_t)i));
    }
    for (int i = 0; i < 9; i++) {
        double dot = 0;
        for (int k = 0; k < 3; k++) dot += v[2]->v[3 * k + i / 3] * v[2]->v[3 * k + i % 3];
        ck_assert_double_eq_tol(dot, i / 3 == i % 3, 1e-12);
    }
}
END_TEST

/* ---- machines ---- */

static Slot w = {.path = "w"}, count = {.path = "count", .is_state = true};
static Dim n_dim = {.name = "N", .lo = 1, .hi = 4};
static Dim m_dim = {.name = "M", .lo = 1, .hi = 8, .id = 1};

/* init: w = [1, 2], count = 0; train(x: [N, 2], k = 3): w, count = w + sum(x), count + 1 with the
 * old w as the result */
static Program *program(void)
{
    static const double first[2] = {1, 2};
    Program *p = NEW(Program);
    Entry *init = NEW(Entry), *train = NEW(Entry);
    w.type = count.type = real_of(SHAPE(2));
    vec_push(&p->params, &w);
    vec_push(&p->states, &count);
    init->g = graph_new();
    vec_push(&init->updates, ((Update){.slot = &w, .value = n_table(init->g, w.type, first)}));
    train->name = "train";
    train->g = graph_new();
    Type xt = real_of((Shape){2, {size_dim(&n_dim), size_const(2)}});
    Node *x = n_input(train->g, 0, xt, "x"), *k = n_input(train->g, 1, real_of(SCALAR), "k");
    Node *old = n_slot(train->g, &w);
    Node *new = n_map2(train->g, OP_ADD, old, n_reduce(train->g, OP_SUM, x, 1));
    vec_push(&train->dims, &n_dim);
    vec_push(&train->inputs, ((Input){.name = "x", .type = xt}));
    Input by_default = {.name = "k", .type = k->type, .has_default = true, .init = 3};
    vec_push(&train->inputs, by_default);
    vec_push(&train->outputs, ((Output){.name = "old", .node = old}));
    vec_push(&train->outputs, ((Output){.name = "k", .node = k}));
    vec_push(&train->updates, ((Update){.slot = &w, .value = new}));
    vec_push(&train->updates, ((Update){.slot = &count, .value = old}));
    p->init = init;
    vec_push(&p->entries, train);
    return p;
}

START_TEST(machine)
{
    Program *p = program();
    Machine *m = machine_new(p, 1);
    TensorList results = {0};
    const char *message = NULL;
    Tensor *args[2] = {tensor_new(ELEM_REAL, 2, (long[]){2, 2}), NULL};
    for (int i = 0; i < 4; i++) args[0]->v[i] = i;
    ck_assert(machine_call(m, p->entries.at[0], args, &results, &message));
    ck_assert_int_eq(results.n, 2);
    ck_assert(results.at[0]->v[0] == 1 && results.at[0]->v[1] == 2 && results.at[1]->v[0] == 3);
    ck_assert(m->params[0]->v[0] == 3 && m->params[0]->v[1] == 6);
    ck_assert(m->states[0]->v[0] == 1 && m->states[0]->v[1] == 2);
    ck_assert(m->call == 1);
    for (int i = 0; i < 1000; i++) machine_call(m, p->entries.at[0], args, &results, &message);
    ck_assert(m->params[0]->v[0] == 2003);
}
END_TEST

START_TEST(sizes_of_arguments)
{
    Program *p = program();
    Entry *e = p->entries.at[0];
    long dims[MAX_DIMS] = {0};
    const char *message = NULL;
    Tensor *args[3] = {tensor_new(ELEM_REAL, 2, (long[]){3, 2}), NULL, NULL};
    ck_assert(bind_dims(e, args, dims, &message));
    ck_assert_int_eq(dims[0], 3);
    args[0] = tensor_new(ELEM_REAL, 2, (long[]){3, 5});
    ck_assert(!bind_dims(e, args, dims, &message));
    ck_assert_str_eq(message, "the argument `x` of `train` is real[3, 5], but must be real[N, 2] "
                              "with N = 3");
    args[0] = tensor_new(ELEM_REAL, 2, (long[]){5, 2});
    ck_assert(!bind_dims(e, args, dims, &message));
    ck_assert_str_eq(message, "`N` is 5 in the argument `x`, but must be in 1..4");
    args[0] = tensor_new(ELEM_REAL, 1, (long[]){2});
    ck_assert(!bind_dims(e, args, dims, &message));
    ck_assert_str_eq(message, "the argument `x` of `train` is real[2], but must be real[N, 2]");
    args[0] = NULL;
    ck_assert(!bind_dims(e, args, dims, &message));
    ck_assert_str_eq(message, "the argument `x` of `train` is missing");
    SizeRef n = size_dim(&n_dim), m = size_dim(&m_dim);
    Shape larger = {2, {n, size_add(size_mul(m, size_const(2)), n)}};
    vec_push(&e->dims, &m_dim);
    vec_push(&e->inputs, ((Input){.name = "z", .type = real_of(larger)}));
    args[0] = tensor_new(ELEM_REAL, 2, (long[]){3, 2});
    args[2] = tensor_new(ELEM_REAL, 2, (long[]){3, 13});
    ck_assert(bind_dims(e, args, dims, &message));
    ck_assert_int_eq(dims[1], 5);
    args[2] = tensor_new(ELEM_REAL, 2, (long[]){3, 12});
    ck_assert(!bind_dims(e, args, dims, &message));
}
END_TEST

Suite *suite_eval(void);
Suite *suite_eval(void)
{
    Suite *suite = suite_create("eval");
    TCase *t = tcase_create("eval");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, integers);
    tcase_add_test(t, conversions);
    tcase_add_test(t, special_values);
    tcase_add_test(t, arrays);
    tcase_add_test(t, draws);
    tcase_add_test(t, machine);
    tcase_add_test(t, sizes_of_arguments);
    suite_add_tcase(suite, t);
    return suite;
}
