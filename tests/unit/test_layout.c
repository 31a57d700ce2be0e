/* test_layout.c - the order of axes in memory: which products of windows become convolutions, that
 * the channels stay innermost between them, what is left alone, and that the laid out entry has the
 * values of the one before. */
#include "graphs.h"
#include "kernel.h"
#include "parsing.h"

#include <check.h>
#include <math.h>
#include <string.h>

static void teardown(void)
{
    diag_reset();
    arena_release();
}

/* Each is a file of its own. */
static Program *program_of(const char *text)
{
    static int n;
    Module *m = check_module(source_from_text(format("p%d.nn", n++), text, (int)strlen(text)));
    Program *p = m ? lower_module(m, "p") : NULL;
    ck_assert_msg(p != NULL, "%s", printed_reports());
    graph_passes(p, p->init, "hoist");
    for (int i = 0; i < p->entries.n; i++) graph_passes(p, p->entries.at[i], "hoist");
    return p;
}

/* How many nodes that are needed have this operator. */
static int count(const Entry *e, Op op)
{
    Node **roots;
    int n = gather_roots(e, &roots), found = 0;
    const int *uses = graph_uses(e->g, roots, n);
    for (int i = 0; i < e->g->nodes.n; i++) found += uses[i] && e->g->nodes.at[i]->op == op;
    return found;
}

/* The first entry, laid out: so many convolutions, derivatives by the images, by the kernels. */
static Entry *laid_out(const char *body, int convs, int by_images, int by_kernels)
{
    Program *p = program_of(format("import std.conv;\nimport std.norm;\n%s", body));
    Entry *e = layout(p->entries.at[0]);
    graph_verify(e->g, "layout");
    ck_assert_int_eq(count(e, OP_CONV), convs);
    ck_assert_int_eq(count(e, OP_CONV_DATA), by_images);
    ck_assert_int_eq(count(e, OP_CONV_WEIGHTS), by_kernels);
    return e;
}

/* ---- what is found ---- */

START_TEST(without_convolutions_nothing_changes)
{
    static const char *const texts[] = {
        "net = Dense[3];\nentry f(x: real[4, 5]) = grad(sum(tanh(net(x))), params);\n",
        "import std.conv;\nentry f(x: real[2, 3, 8, 8]) = max_pool[2](x);\n",
        "entry f(x: real[9]) -> real[7] { y[i in 7] = sum[p in 3](x[i + p]); return y; }\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Entry *e = program_of(texts[i])->entries.at[0];
        ck_assert_ptr_eq(layout(e), e);
    }
}
END_TEST

START_TEST(convolutions_and_their_derivatives_are_found)
{
    laid_out("entry f(x: real[2, 3, 8, 8], k: real[5, 3, 3, 3]) = corr2d(x, k);", 1, 0, 0);
    laid_out("entry f(x: real[3, 8, 8], k: real[5, 3, 3, 3]) = corr2d(x, k);", 1, 0, 0);
    laid_out("entry f(x: real[2, 3, 19, 18], k: real[9, 3, 2, 3]) = corr2d[2, 2](x, k);", 1, 0, 0);
    laid_out("entry f(x: real[2, 3, 8, 8], k: real[5, 3, 3, 3]) = corr2d(pad2d[1](x), k);", 1, 0,
             0);
    laid_out("entry f(x: real[8, 3, 164], k: real[15, 3, 3]) = corr1d(x, k);", 1, 0, 0);
    laid_out("entry f(x: real[2, 3, 8, 8], k: real[5, 3, 3, 3]) = "
             "grad(sum(corr2d(x, k) * corr2d(x, k)), k);",
             1, 0, 1);
    laid_out("entry f(x: real[2, 3, 8, 8], k: real[5, 3, 3, 3]) = "
             "grad(sum(tanh(corr2d(x, k))), x);",
             1, 1, 0);
    /* nobody asks for the gradient by the images of the first layer */
    laid_out("layer Net(x: real[.., C, H, W]) = x |> Conv2d[8, 3, act = relu] |> Conv2d[16, 3];\n"
             "net = Net;\nentry f(x: real[2, 3, 8, 8]) = grad(sum(tanh(net(x))), params);",
             2, 1, 2);
}
END_TEST

START_TEST(channels_stay_innermost_between_convolutions)
{
    const Entry *e = laid_out(
        "layer Net(x: real[.., C, H, W]) = x |> Conv2d[4, 3, pad = 1, act = relu] |> BatchNorm\n"
        "  |> Conv2d[5, 3, stride = 2, act = tanh] |> max_pool[2] |> Conv2d[16, 2];\n"
        "net = Net;\nentry f(x: real[2, 3, 22, 22]) = net(x);",
        3, 0, 0);
    /* the image comes with its channels in front, and the result leaves so */
    ck_assert_int_eq(count(e, OP_TRANSPOSE), 2);
}
END_TEST

START_TEST(what_is_laid_out_stays)
{
    Entry *e =
        laid_out("entry f(x: real[2, 3, 8, 8], k: real[5, 3, 3, 3]) = corr2d(x, k);", 1, 0, 0);
    ck_assert_ptr_eq(layout(e), e);
}
END_TEST

/* ---- the same values ---- */

static const char *const bodies[] = {
    "x |> Conv2d[4, 3, pad = 1, act = relu] |> BatchNorm |> Conv2d[5, 3, stride = 2, act = tanh]"
    " |> max_pool[2] |> flatten[3] |> Dense[3]",
    "x |> Conv2d[6, 3, dilation = 2, pad = 2, act = tanh] |> avg_pool[3]"
    " |> Conv2d[4, 2, groups = 2] |> flatten[3] |> Dense[3]",
    "x |> DepthwiseConv2d[3, multiplier = 2, act = tanh] |> Conv2d[5, 3, act = sigmoid]"
    " |> global_avg_pool |> Dense[3]",
    "x |> Conv2d[2, 5] |> flatten[3] |> Dense[3]",
    "x |> Conv2d[17, 5, stride = 3, pad = 1] |> GroupNorm[1] |> ConvTranspose2d[2, 3, stride = 2]"
    " |> global_avg_pool |> Dense[3]",
};

static void check_close(const Tensor *a, const Tensor *b, const char *what)
{
    double most = 1;
    ck_assert_int_eq((int)a->count, (int)b->count);
    for (long i = 0; i < a->count; i++) most = fmax(most, fabs(a->v[i]));
    for (long i = 0; i < a->count; i++)
        ck_assert_msg(fabs(a->v[i] - b->v[i]) <= 1e-12 * most,
                      "%s: element %ld is %.17g, not %.17g", what, i, b->v[i], a->v[i]);
}

START_TEST(values_are_the_same)
{
    const char *body = bodies[_i], *message;
    Program *p = program_of(
        format("import std.conv;\nimport std.norm;\n"
               "dim N in 1..4;\nlayer Net(x: real[.., C, H, W]) = %s;\nnet = Net;\n"
               "training entry f(x: real[N, 3, 11, 12]) = grad(sum(tanh(net(x))), params);\n",
               body));
    Entry *e = p->entries.at[0];
    Tensor **args = random_arguments(e, 3, 2);
    TensorList before = {0}, after = {0};
    ck_assert(machine_call(machine_new(p, 1), e, args, &before, &message));
    Entry *laid = layout(e);
    ck_assert_ptr_ne(laid, e);
    ck_assert(machine_call(machine_new(p, 1), laid, args, &after, &message));
    ck_assert_int_eq(before.n, after.n);
    for (int i = 0; i < before.n; i++) check_close(before.at[i], after.at[i], body);
}
END_TEST

Suite *suite_layout(void)
{
    Suite *s = suite_create("layout");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, without_convolutions_nothing_changes);
    tcase_add_test(t, convolutions_and_their_derivatives_are_found);
    tcase_add_test(t, channels_stay_innermost_between_convolutions);
    tcase_add_test(t, what_is_laid_out_stays);
    tcase_add_loop_test(t, values_are_the_same, 0, (int)(sizeof bodies / sizeof *bodies));
    suite_add_tcase(s, t);
    return s;
}
