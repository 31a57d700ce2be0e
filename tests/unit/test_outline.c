/* test_outline.c - which kernels become one function: those that are equal but for names, arrays,
 * and the passes of their loop; not those with another constant, another stride, or an array that
 * is updated in place in one of them only; and none where a call would be felt. */
#include "kernel.h"
#include "parsing.h"

#include <check.h>
#include <string.h>

static void teardown(void)
{
    diag_reset();
    arena_release();
}

/* The C of a program, which is a file of its own. */
static const char *c_of(const char *text)
{
    static int n;
    Text header = {0}, source = {0};
    Module *m = check_module(source_from_text(format("p%d.nn", n++), text, (int)strlen(text)));
    Program *p = m ? lower_module(m, "p") : NULL;
    ck_assert_msg(p != NULL, "%s", printed_reports());
    graph_passes(p, p->init, NULL);
    for (int i = 0; i < p->entries.n; i++) graph_passes(p, p->entries.at[i], NULL);
    emit_program(p, &header, &source);
    return source.s;
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, part)); p += strlen(part)) n++;
    return n;
}

static int routines(const char *c) { return count(c, "NN_NOINLINE void NN_NAME("); }

/* A program of one entry over arrays of a shape, with these equations. */
static const char *with_updates(const char *declarations, const char *updates)
{
    return c_of(format("%s\nentry go() {\n%s}\n", declarations, updates));
}

/* p <- something that takes more lines than a call, with a constant and a source. */
static const char *update_of(const char *to, const char *from, const char *constant)
{
    return format("  %s1 = exp(%s * %s); %s2 = tanh(%s1 + %s); %s3 = exp(%s1 * %s2);\n"
                  "  update %s = %s1 + %s2 * %s3 + sin(%s1 - %s2) * cos(%s3 + %s2)"
                  " * %s1 * %s2 * %s3;\n",
                  to, constant, from, to, to, from, to, to, to, to, to, to, to, to, to, to, to, to,
                  to, to);
}

static const char four[] = "param a: real[40, 30] = 1;\nparam b: real[40, 30] = 2;\n"
                           "param c: real[40, 30] = 3;\nparam d: real[40, 30] = 4;\n";

START_TEST(equal_kernels_are_one)
{
    const char *c = with_updates(four, format("%s%s", update_of("a", "a", "0.5"),
                                              update_of("b", "b", "0.5")));
    ck_assert_int_eq(routines(c), 1);
    ck_assert_int_eq(count(c, "m->params.a[0])"), 1);
    ck_assert_int_eq(count(c, "m->params.b[0])"), 1);
}
END_TEST

START_TEST(kept_values_are_stored_behind_all_reads)
{
    const char *c = with_updates("param p: real[40, 30] = 1;\nstate s: real[40, 30] = 2;\n",
                                 "  s1 = 0.5 * s + p;  update s = s1;\n"
                                 "  update p = p - exp(s1) * s1;\n");
    const char *kept = strstr(c, "s[i][j] = s1;"), *read = strstr(c, "p[i][j] -= ");
    ck_assert_msg(kept && read && read < kept, "%s", c);
}
END_TEST

START_TEST(elementwise_kernels_of_all_shapes_are_one)
{
    const char *c = with_updates(
        "param a: real[40, 30] = 1;\nparam b: real[7, 5, 9] = 2;\nparam c: real[600] = 3;",
        format("%s%s%s", update_of("a", "a", "0.5"), update_of("b", "b", "0.5"),
               update_of("c", "c", "0.5")));
    ck_assert_int_eq(routines(c), 1);
    ck_assert_int_eq(count(c, "for (int i = 0; i < n; i++)"), 1);
    ck_assert_int_eq(count(c, "(1200, "), 1);
    ck_assert_int_eq(count(c, "(315, "), 1);
    ck_assert_int_eq(count(c, "(600, "), 1);
}
END_TEST

START_TEST(other_constants_are_another_kernel)
{
    const char *c = with_updates(four, format("%s%s", update_of("a", "a", "0.5"),
                                              update_of("b", "b", "0.25")));
    ck_assert_int_eq(routines(c), 0);
}
END_TEST

/* b is made from d, a from itself: one function would need one argument here and two there. */
START_TEST(in_place_is_another_kernel)
{
    const char *c = with_updates(four, format("%s%s", update_of("a", "a", "0.5"),
                                              update_of("b", "d", "0.5")));
    ck_assert_int_eq(routines(c), 0);
    c = with_updates(four, format("%s%s", update_of("a", "c", "0.5"), update_of("b", "d", "0.5")));
    ck_assert_int_eq(routines(c), 1);
}
END_TEST

static const char *rows_of(const char *first, const char *second)
{
    return c_of(format("entry go(x: real[%s], y: real[%s]) -> (real[%s], real[%s])\n"
                       "  = (softmax(x), softmax(y));\n",
                       first, second, first, second));
}

START_TEST(rows_may_be_more_but_not_longer)
{
    ck_assert_int_eq(routines(rows_of("40, 20", "40, 20")), 1);
    const char *c = rows_of("40, 20", "31, 20");
    ck_assert_int_eq(routines(c), 1);
    ck_assert_int_eq(count(c, "int n, const float (*"), 1);
    ck_assert_int_eq(routines(rows_of("40, 20", "40, 21")), 0);
}
END_TEST

START_TEST(short_kernels_stay_in_line)
{
    const char *c = with_updates(four, "  update a = exp(a);\n  update b = exp(b);\n");
    ck_assert_int_eq(routines(c), 0);
}
END_TEST

START_TEST(calls_that_would_be_felt_stay_in_line)
{
    const char *c = with_updates("param a: real[3] = 1;\nparam b: real[3] = 2;",
                                 format("%s%s", update_of("a", "a", "0.5"),
                                        update_of("b", "b", "0.5")));
    ck_assert_int_eq(routines(c), 0);
}
END_TEST

/* The parts of a concatenation are loops of one kernel. */
START_TEST(threads_share_each_loop)
{
    const char *c = c_of("entry go(x: real[400, 500], y: real[300, 500]) -> real[700, 500] =\n"
                         "  concat(exp(x), tanh(y), axis = 0);\n");
    ck_assert_int_eq(count(c, "NN_SHARE("), 2);
    ck_assert_int_eq(count(c, "static void NN_NAME(go_rows_1"), 2);
    c = c_of("entry go(x: real[4, 500], y: real[300, 500]) -> real[304, 500] =\n"
             "  concat(exp(x), tanh(y), axis = 0);\n");
    ck_assert_int_eq(count(c, "NN_SHARE("), 1);
}
END_TEST

/* Of 16 parts, each with the rows of a part; long sums beside a short one stay with one thread. */
START_TEST(long_sums_are_added_up_in_parts)
{
    const char *c = c_of("entry go(x: real[300, 20, 40]) -> (real[300, 20, 40], real[40]) {\n"
                         "  y = exp(x);\n  return (y, sum(y, axis = (0, 1)));\n}\n");
    ck_assert_int_eq(count(c, "NN_SHARE(16, "), 1);
    const char *loop = "for (int i = NN_PART(300, part, 16); i < NN_PART(300, part + 1, 16)";
    ck_assert_int_eq(count(c, loop), 1);
    ck_assert_int_eq(count(c, "out2_parts[part][i] = out2_part[i];"), 1);
    ck_assert_int_eq(count(c, "out2[j] += out2_parts[i][j];"), 1);
    c = c_of("entry go(x: real[600, 120]) -> (real[600], real[120], real) {\n"
             "  m = max(x, axis = 1);  e = exp(x - m[:, new]);\n"
             "  return (m, sum(e, axis = 0), sum(m));\n}\n");
    ck_assert_int_eq(count(c, "NN_SHARE("), 0);
    ck_assert_int_eq(count(c, "for (int part = 0; part < 16; part++) {"), 1);
    ck_assert_int_eq(count(c, "out2_part[j] += "), 1);
}
END_TEST

/* Not more parts than rows; in order where the sums are few terms, many, or short. */
START_TEST(other_sums_are_added_up_in_order)
{
    static const struct {
        const char *shape, *axes;
        int parts;
    } sums[] = {{"3, 700, 40", "(0, 1)", 3}, {"9, 200, 40", "(0, 1)", 9}, {"70000, 3", "0", 16},
                {"100, 700", "0", 0},        {"1000, 1025", "0", 0},       {"300, 200", "0", 0}};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        const char *c = c_of(format("entry go(x: real[%s]) = sum(exp(x), axis = %s);\n",
                                    sums[i].shape, sums[i].axes));
        const char *head = "for (int part = from; part < to; part++) {";
        ck_assert_int_eq(count(c, head), sums[i].parts > 0);
        ck_assert_int_eq(count(c, format("NN_SHARE(%d, ", sums[i].parts)), sums[i].parts > 0);
    }
}
END_TEST

START_TEST(dims_are_no_letters_of_loops)
{
    const char *c = c_of("dim i in 1..3000;\ndim part in 1..400;\n"
                         "entry go(x: real[part, i, 40]) = sum(x, axis = (0, 1));\n");
    ck_assert_int_eq(count(c, "for (int i "), 0);
    ck_assert_int_eq(count(c, "for (int part "), 0);
    ck_assert_int_eq(count(c, "; k < i; k++)"), 1);
}
END_TEST

START_TEST(routines_are_called_as_the_layer)
{
    const char *c = c_of("import std.optim;\n"
                         "layer Net(x: real[.., m]) = x |> Dense[30] |> Dense[5];\n"
                         "net = Net;\n"
                         "training entry train(x: real[64, 20], y: real[64, 5]) {\n"
                         "  L = mean((net(x) - y)^2);\n"
                         "  update params = Adam(params, grad(L, params));\n}\n");
    ck_assert_int_eq(routines(c), 1);
    const char *head = "void NN_NAME(train_Adam)(int n, int32_t k, const float *NN_RESTRICT g,";
    ck_assert_int_eq(count(c, head), 1);
    ck_assert_int_eq(count(c, " *   m1 = 0.9 * m + 0.1 * g\n"), 1);
    ck_assert_int_eq(count(c, " *   update p = p - step * m1"), 1);
    ck_assert_int_eq(count(c, "NN_NAME(train_Adam)("), 5);
}
END_TEST

/* The plan puts s where h was: only in the other entry do the arrays have places of their own. */
START_TEST(arrays_in_one_place_are_not_restrict)
{
    const char *c = c_of("entry in_place(x: real[300, 400], W: real[400, 400])"
                         " -> real[300, 400] {\n"
                         "  h = x @ W;\n  s = exp(h) / (1 + h * h);\n  return s @ W;\n}\n"
                         "entry apart(h: real[300, 400]) -> real[300, 400] = exp(h) + h;\n");
    ck_assert_int_eq(count(c, "(int from, int to, const float *h, float *s)"), 1);
    ck_assert_int_eq(count(c, "(int from, int to, const float *NN_RESTRICT h,"), 1);
}
END_TEST

/* One function for both entries, one kernel of each. */
START_TEST(entries_share_routines)
{
    const char *c = c_of("entry one(x: real[40, 20]) -> real[40, 20] = softmax(x);\n"
                         "entry two(z: real[30, 20]) -> real[30, 20] = softmax(z);\n");
    ck_assert_int_eq(routines(c), 1);
}
END_TEST

Suite *suite_outline(void)
{
    Suite *s = suite_create("outline");
    TCase *t = tcase_create("outline");
    tcase_add_checked_fixture(t, fresh_start, teardown);
    tcase_add_test(t, equal_kernels_are_one);
    tcase_add_test(t, kept_values_are_stored_behind_all_reads);
    tcase_add_test(t, elementwise_kernels_of_all_shapes_are_one);
    tcase_add_test(t, other_constants_are_another_kernel);
    tcase_add_test(t, in_place_is_another_kernel);
    tcase_add_test(t, rows_may_be_more_but_not_longer);
    tcase_add_test(t, short_kernels_stay_in_line);
    tcase_add_test(t, calls_that_would_be_felt_stay_in_line);
    tcase_add_test(t, threads_share_each_loop);
    tcase_add_test(t, long_sums_are_added_up_in_parts);
    tcase_add_test(t, other_sums_are_added_up_in_order);
    tcase_add_test(t, dims_are_no_letters_of_loops);
    tcase_add_test(t, routines_are_called_as_the_layer);
    tcase_add_test(t, arrays_in_one_place_are_not_restrict);
    tcase_add_test(t, entries_share_routines);
    suite_add_tcase(s, t);
    return s;
}
