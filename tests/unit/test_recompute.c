/* test_recompute.c - entries that compute values again under --max-ram: they fit, and give the very
 * same numbers as without a bound, interpreted and compiled; with random programs too. */
#include "graphs.h"
#include "kernel.h"
#include "parsing.h"
#include "recompute.h"

#include <check.h>
#include <string.h>

static void teardown(void)
{
    options.max_ram = 0;
    diag_reset();
    arena_release();
}

/* Eight layers, with a draw in each; the loss, its gradient and a step. */
static const char deep[] =
    "dim N in 1..64;\n"
    "layer Noisy(x: real[.., m]) -> real[.., m] {\n"
    "  eps: real[m] ~ normal(0, 1);\n"
    "  y = tanh(x |> Dense[m]) * (1 + 0.1 * eps);\n"
    "  return y;\n"
    "}\n"
    "layer Deep(x: real[.., m]) = x |> Noisy |> Noisy |> Noisy |> Noisy |> Noisy |> Noisy\n"
    "  |> Noisy |> Dense[3];\n"
    "net = Deep;\n"
    "entry gradient(x: real[N, 40], label: i32[N]) =\n"
    "  grad(mean(cross_entropy(net(x), label)), params);\n"
    "entry train(x: real[N, 40], label: i32[N]) -> real {\n"
    "  L = mean(cross_entropy(net(x), label));\n"
    "  update params = params - 0.1 * grad(L, params);\n"
    "  return L;\n"
    "}\n";

/* Convolutions with what stands around them, the last with a stride. */
static const char images[] =
    "dim N in 1..64;\n"
    "import std.conv;\n"
    "import std.norm;\n"
    "layer Deep(x: real[.., C, H, W]) = x |> Conv2d[6, 3, pad = 1, act = tanh] |> GroupNorm[2]\n"
    "  |> Conv2d[8, 3, pad = 1, act = sigmoid] |> avg_pool[2]\n"
    "  |> Conv2d[8, 3, pad = 1, act = tanh]\n"
    "  |> Conv2d[5, 2, stride = 2, pad = 1, dilation = 2] |> flatten |> Dense[3];\n"
    "net = Deep;\n"
    "entry gradient(x: real[N, 2, 8, 8], label: i32[N]) =\n"
    "  grad(mean(cross_entropy(net(x), label)), params);\n"
    "entry train(x: real[N, 2, 8, 8], label: i32[N]) -> real {\n"
    "  L = mean(cross_entropy(net(x), label));\n"
    "  update params = params - 0.1 * grad(L, params);\n"
    "  return L;\n"
    "}\n";
static const struct {
    const char *text;
    double parts[3]; /* of the work area, down to what is about the least */
} programs[] = {{deep, {0.9, 0.7, 0.5}}, {images, {0.9, 0.7, 0.55}}};

static long fixed_bytes(const Program *p)
{
    return (long)(slot_bytes(&p->params) + slot_bytes(&p->states));
}

/* The program, each entry with the given part of the work area that it would like to have. */
static Program *program_within(const char *text, double part)
{
    Module *m = check_module(source_from_text("deep.nn", text, (int)strlen(text)));
    Program *p = m ? lower_module(m, "deep") : NULL;
    ck_assert(p != NULL);
    simplify_entry(p->init);
    for (int i = 0; i < p->entries.n; i++) {
        Entry *e = p->entries.at[i];
        simplify_entry(e);
        if (part >= 1) *e = *layout(e); /* as recompute leaves it: sums in the same order */
        if (part >= 1) continue;
        long work = (long)(part * (double)compile_entry(p, e)->work_bytes);
        options.max_ram = fixed_bytes(p) + work;
        recompute(p, e);
        graph_verify(e->g, "recompute");
        ck_assert_msg(diag_errors() == 0, "%s", printed_reports());
        ck_assert_msg(compile_entry(p, e)->work_bytes <= work, "%s: %ld bytes, not %ld", e->name,
                      compile_entry(p, e)->work_bytes, work);
        options.max_ram = 0;
        ck_assert_int_gt(e->n_again, 0);
        ck_assert(e->flops_after > e->flops_before && e->flops_after < 1.5 * e->flops_before);
    }
    return p;
}

static void check_same(const Tensor *a, const Tensor *b, const char *what)
{
    ck_assert_int_eq((int)a->count, (int)b->count);
    ck_assert_msg(!memcmp(a->v, b->v, sizeof(double) * (size_t)a->count), "%s differs", what);
}

static Tensor **deep_arguments(const Entry *e, long n)
{
    Tensor **args = random_arguments(e, 3, n);
    for (long i = 0; i < n; i++) args[1]->v[i] = (double)(i % 3);
    return args;
}

static void check_results(const TensorList *a, const TensorList *b, const char *what)
{
    ck_assert_int_eq(a->n, b->n);
    for (int i = 0; i < a->n; i++) check_same(a->at[i], b->at[i], what);
}

static void check_machines(const Machine *a, const Machine *b, const char *what)
{
    for (int i = 0; i < a->program->params.n; i++) check_same(a->params[i], b->params[i], what);
    for (int i = 0; i < a->program->states.n; i++) check_same(a->states[i], b->states[i], what);
    ck_assert_uint_eq(a->call, b->call);
}

START_TEST(same_when_interpreted)
{
    const char *text = programs[_i / 3].text;
    Program *p = program_within(text, 1), *q = program_within(text, programs[_i / 3].parts[_i % 3]);
    Machine *a = machine_new(p, 5), *b = machine_new(q, 5);
    const char *error;
    for (int i = 0; i < p->entries.n; i++) {
        TensorList left = {0}, right = {0};
        Tensor **args = deep_arguments(p->entries.at[i], 5);
        ck_assert(machine_call(a, p->entries.at[i], args, &left, &error));
        ck_assert(machine_call(b, q->entries.at[i], args, &right, &error));
        check_results(&left, &right, p->entries.at[i]->name);
        check_machines(a, b, p->entries.at[i]->name);
    }
}
END_TEST

/* The compiled programs run one after the other on equal machines. */
START_TEST(same_when_compiled)
{
    static const long sizes[] = {1, 17, 64};
    Program *p[2] = {program_within(programs[_i].text, 1),
                     program_within(programs[_i].text, programs[_i].parts[2])};
    Machine *m[2];
    Native *native[2];
    const char *error = NULL;
    options.own_runtime = native_has_runtime();
    for (int k = 0; k < 2; k++) {
        native[k] = native_build(p[k], "-O1 -w -DNN_ONE_ISA", &error);
        ck_assert_msg(native[k] != NULL, "%s", error);
        m[k] = machine_new(p[k], 5);
    }
    for (int i = 0; i < 3 * p[0]->entries.n; i++) {
        TensorList results[2] = {{0}, {0}};
        const Entry *first = p[0]->entries.at[i / 3];
        Tensor **args = deep_arguments(first, sizes[i % 3]);
        for (int k = 0; k < 2; k++)
            ck_assert_msg(native_call(native[k], m[k], p[k]->entries.at[i / 3], args, &results[k],
                                      &error),
                          "%s", error);
        check_results(&results[0], &results[1], first->name);
        check_machines(m[0], m[1], first->name);
    }
    for (int k = 0; k < 2; k++) native_free(native[k]);
}
END_TEST

/* A smaller bound gives a smaller work area or says that there is none. */
START_TEST(smaller_bounds_take_less)
{
    Program *p = program_within(deep, 1);
    Entry *train = p->entries.at[1], before = *train;
    long all = compile_entry(p, train)->work_bytes, last = all;
    for (int percent = 80; percent > 0; percent -= 30) {
        *train = before;
        options.max_ram = fixed_bytes(p) + all * percent / 100;
        recompute(p, train);
        options.max_ram = 0;
        if (diag_errors()) {
            ck_assert_int_lt(percent, 50);
            ck_assert(strstr(printed_reports(), "[E0603]") != NULL);
            return;
        }
        ck_assert_int_le(compile_entry(p, train)->work_bytes, last);
        last = compile_entry(p, train)->work_bytes;
    }
    ck_abort_msg("a work area of no bytes");
}
END_TEST

/* One value of the entry after the other is computed again for its readers in later kernels. */
static int check_copies(Program *p, Entry *e, Machine *m, Tensor *const *args, const long *dims)
{
    Node **roots, **own;
    int n = gather_roots(e, &roots), copies = 0;
    Tensor **before = NEW_N(Tensor *, n), **after = NEW_N(Tensor *, n);
    const Code *c = compile_entry(p, e);
    eval_roots(e->g, roots, n, dims, args, m, before);
    for (int i = 0; i < c->defs.n; i++) {
        Gap gap = {.value = c->defs.at[i], .late = NEW_N(bool, c->defs.n)};
        gap.to = gap.value->kernel->order + 1;
        for (int k = 0; k < c->defs.n; k++) gap.late[k] = c->defs.at[k]->kernel->order >= gap.to;
        own = NEW_N(Node *, n);
        for (int k = 0; k < n; k++) own[k] = roots[k];
        Graph *g = compute_again(c, &gap, own, n);
        graph_verify(g, "compute_again");
        for (int k = 0; k < g->nodes.n; k++) copies += g->nodes.at[k]->attr.copy > 0;
        eval_roots(g, own, n, dims, args, m, after);
        for (int k = 0; k < n; k++) check_same(before[k], after[k], e->name);
    }
    return copies;
}

START_TEST(random_programs)
{
    int copies = 0;
    for (uint64_t number = 0; number < 10; number++) {
        long dims[64] = {0};
        Program *p = random_program(number + 300, 6, 60, 9);
        Machine *m = machine_new(p, 5);
        for (int i = 0; i < p->entries.n; i++) {
            Entry *e = p->entries.at[i];
            dims[e->dims.at[0]->id] = 6;
            copies += check_copies(p, e, m, random_arguments(e, number, 6), dims);
        }
    }
    ck_assert_int_gt(copies, 100);
}
END_TEST

Suite *suite_recompute(void)
{
    Suite *s = suite_create("recompute");
    TCase *t = tcase_create("recompute"), *r = tcase_create("recompute_random");
    tcase_set_timeout(t, 120);
    tcase_set_timeout(r, 120);
    tcase_add_checked_fixture(t, fresh_start, teardown);
    tcase_add_checked_fixture(r, NULL, teardown);
    tcase_add_loop_test(t, same_when_interpreted, 0, 6);
    tcase_add_loop_test(t, same_when_compiled, 0, 2);
    tcase_add_test(t, smaller_bounds_take_less);
    tcase_add_test(r, random_programs);
    suite_add_tcase(s, t);
    suite_add_tcase(s, r);
    return s;
}
