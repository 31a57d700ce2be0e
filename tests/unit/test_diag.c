/* test_diag.c - the form of reports, to the character: the samples of the specification, windows of
 * several labels and lines, tabs, long lines, the order and the number of reports, colour. */
#include "parsing.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const Source *source;

/* `line` lines down, the nth place (from 0) at which `word` stands. */
static Span place(int line, const char *word, int nth)
{
    const char *s = source->text;
    while (--line > 0) s = strchr(s, '\n') + 1;
    while ((s = strstr(s, word)) && nth-- > 0) s++;
    int begin = (int)(s - source->text);
    return (Span){source, begin, begin + (int)strlen(word)};
}

static void start(const char *name, int empty_lines, const char *text)
{
    char *copy = strdup(text);
    fresh_start();
    Text t = {0};
    for (int i = 0; i < empty_lines; i++) text_add(&t, "\n");
    text_add(&t, "%s", copy);
    free(copy);
    source = source_from_text(name, t.s, (int)t.n);
}

START_TEST(sample_inner_sizes)
{
    start("mlp.nn", 11, "  y = hidden @ V;\n");
    Diag *d =
        error_at("E0301", place(12, "@", 0), "cannot multiply: the inner sizes of `@` differ");
    diag_label(d, place(12, "hidden", 0), "real[N, %d]", 32);
    diag_label(d, place(12, "V", 0), "real[64, 10]");
    diag_note(d,
              "`@` needs [.., m] @ [m, n]; here m is 32 on the left (H = 32) and 64 on the right");
    diag_hint(d, "`V` is declared at mlp.nn:5 as real[64, 10]; should it be real[H, 10]?");
    ck_assert_str_eq(
        printed_reports(),
        "mlp.nn:12:14: error: cannot multiply: the inner sizes of `@` differ [E0301]\n"
        "   12 |   y = hidden @ V;\n"
        "      |       ------ ^ - real[64, 10]\n"
        "      |       |\n"
        "      |       real[N, 32]\n"
        "   = note: `@` needs [.., m] @ [m, n]; here m is 32 on the left (H = 32) and 64 on the "
        "right\n"
        "   = hint: `V` is declared at mlp.nn:5 as real[64, 10]; should it be real[H, 10]?\n");
}
END_TEST

START_TEST(sample_broadcast)
{
    start("mlp.nn", 13, "  z = x @ W + b;\n");
    Diag *d = error_at("E0302", place(14, "+", 0), "cannot add real[N, 10] and real[N]");
    diag_here(d, "%s", "");
    diag_label(d, place(14, "x @ W", 0), "real[N, 10]");
    diag_label(d, place(14, "b", 0), "real[N]");
    diag_note(d, "sizes are matched from the right: 10 against N");
    diag_hint(d,
              "for one value per row write `b[:, new]`; for one per column declare `b: real[10]`");
    ck_assert_str_eq(
        printed_reports(),
        "mlp.nn:14:13: error: cannot add real[N, 10] and real[N] [E0302]\n"
        "   14 |   z = x @ W + b;\n"
        "      |       ----- ^ - real[N]\n"
        "      |       |\n"
        "      |       real[N, 10]\n"
        "   = note: sizes are matched from the right: 10 against N\n"
        "   = hint: for one value per row write `b[:, new]`; for one per column declare `b: "
        "real[10]`\n");
}
END_TEST

START_TEST(sample_unknown_name)
{
    start("mlp.nn", 5, "  hidden = tanh(x @ W + b);\n\n  y = hiden @ V;\n");
    Diag *d = error_at("E0201", place(8, "hiden", 0), "no value named `%s`", "hiden");
    diag_label(d, place(6, "hidden", 0), "a similar name is defined here");
    diag_hint(d, "did you mean `hidden`?");
    ck_assert_str_eq(printed_reports(), "mlp.nn:8:7: error: no value named `hiden` [E0201]\n"
                                        "    8 |   y = hiden @ V;\n"
                                        "      |       ^^^^^\n"
                                        "    6 |   hidden = tanh(x @ W + b);\n"
                                        "      |   ------ a similar name is defined here\n"
                                        "   = hint: did you mean `hidden`?\n");
}
END_TEST

START_TEST(sample_zero_gradient)
{
    start("and.nn", 8, "  yhat = step(w @ x + b);\n\n\n  update w = w - lr * grad(L, w);\n");
    Diag *d = error_at("E0402", place(12, "grad(L, w)", 0),
                       "the gradient of `L` with respect to `w` is zero everywhere");
    diag_here(d, "learning would never change `w`");
    diag_label(d, place(9, "step", 0),
               "every path from `w` to `L` goes through `step`, whose gradient is 0");
    diag_hint(d, "use a smooth unit (`sigmoid`), the perceptron rule `update w = w + lr * (y - "
                 "yhat) * x;`,\nor a surrogate: `surrogate (dy) = abs(z) <= 1 ? dy : 0;`");
    ck_assert_str_eq(
        printed_reports(),
        "and.nn:12:23: error: the gradient of `L` with respect to `w` is zero everywhere [E0402]\n"
        "   12 |   update w = w - lr * grad(L, w);\n"
        "      |                       ^^^^^^^^^^ learning would never change `w`\n"
        "    9 |   yhat = step(w @ x + b);\n"
        "      |          ---- every path from `w` to `L` goes through `step`, whose gradient is "
        "0\n"
        "   = hint: use a smooth unit (`sigmoid`), the perceptron rule `update w = w + lr * (y - "
        "yhat) * x;`,\n"
        "           or a surrogate: `surrogate (dy) = abs(z) <= 1 ? dy : 0;`\n");
}
END_TEST

START_TEST(three_labels_hang_in_order)
{
    start("a.nn", 0, "aa bb cc dd\n");
    Diag *d = warning_at("W0101", place(1, "cc", 0), "three");
    diag_here(d, "third");
    diag_label(d, place(1, "aa", 0), "first");
    diag_label(d, place(1, "bb", 0), "second");
    diag_label(d, place(1, "dd", 0), "%s", "");
    ck_assert_str_eq(printed_reports(), "a.nn:1:7: warning: three [W0101]\n"
                                        "    1 | aa bb cc dd\n"
                                        "      | -- -- ^^ --\n"
                                        "      | |  |  |\n"
                                        "      | |  |  third\n"
                                        "      | |  second\n"
                                        "      | first\n");
}
END_TEST

START_TEST(places_inside_each_other)
{
    start("a.nn", 0, "x = (a + b) * c;\n");
    Diag *d = error_at("E0100", place(1, "a + b", 0), "nested");
    diag_label(d, place(1, "(a + b) * c", 0), "all of it");
    diag_label(d, place(1, "b", 0), "a part");
    ck_assert_str_eq(printed_reports(), "a.nn:1:6: error: nested [E0100]\n"
                                        "    1 | x = (a + b) * c;\n"
                                        "      |     -^^^^^-----\n"
                                        "      |     |    |\n"
                                        "      |     |    a part\n"
                                        "      |     all of it\n");
}
END_TEST

START_TEST(tabs_and_wide_text)
{
    start("a.nn", 0, "\tσ = Θ\t+ x;\r\n");
    Diag *d = error_at("E0100", place(1, "x", 0), "tabs");
    diag_label(d, place(1, "Θ", 0), "theta");
    ck_assert_str_eq(printed_reports(), "a.nn:1:10: error: tabs [E0100]\n"
                                        "    1 |     σ = Θ   + x;\n"
                                        "      |         -     ^\n"
                                        "      |         |\n"
                                        "      |         theta\n");
}
END_TEST

START_TEST(odd_bytes_are_shown_as_question_marks)
{
    fresh_start();
    source = source_from_text("a.nn", "a\xFF\0\x1B z", 6);
    error_at("E0105", (Span){source, 1, 3}, "odd");
    ck_assert_str_eq(printed_reports(), "a.nn:1:2: error: odd [E0105]\n"
                                        "    1 | a??? z\n"
                                        "      |  ^^\n");
}
END_TEST

START_TEST(long_lines_are_cut)
{
    Text t = {0};
    for (int i = 0; i < 100; i++) text_add(&t, "%03d ", i);
    start("a.nn", 0, t.s);
    diag_here(error_at("E0100", place(1, "070", 0), "far"), "here");
    const char *s = printed_reports();
    ck_assert_ptr_nonnull(strstr(s, "    1 | ...066 067 068 069 070 071"));
    ck_assert_ptr_nonnull(strstr(s, "\n      |                    ^^^ here\n"));
    for (const char *line = s; *line; line = strchr(line, '\n') + 1)
        ck_assert_int_lt(strchr(line, '\n') - line, 120);
}
END_TEST

START_TEST(spans_of_several_lines_show_the_first)
{
    start("a.nn", 0, "x = (1 +\n     2);\n");
    error_at("E0100", (Span){source, 4, 16}, "long");
    ck_assert_str_eq(printed_reports(), "a.nn:1:5: error: long [E0100]\n"
                                        "    1 | x = (1 +\n"
                                        "      |     ^^^^\n");
}
END_TEST

START_TEST(the_end_of_the_text_is_a_place)
{
    start("a.nn", 0, "x = 1\n");
    error_at("E0100", (Span){source, 6, 6}, "end");
    error_at("E0604", (Span){0}, "nowhere");
    ck_assert_str_eq(printed_reports(), "a.nn:2:1: error: end [E0100]\n"
                                        "    2 | \n"
                                        "      | ^\n"
                                        "\n"
                                        "nnc: error: nowhere [E0604]\n");
}
END_TEST

START_TEST(a_place_in_another_file)
{
    start("a.nn", 0, "x = f(1);\n");
    Diag *d = error_at("E0100", place(1, "f", 0), "there");
    source = source_from_text("std/nn.nn", "\nfn f(y: real) = y;\n", 20);
    diag_label(d, place(2, "y: real", 0), "declared here");
    ck_assert_str_eq(printed_reports(), "a.nn:1:5: error: there [E0100]\n"
                                        "    1 | x = f(1);\n"
                                        "      |     ^\n"
                                        "   in std/nn.nn:\n"
                                        "    2 | fn f(y: real) = y;\n"
                                        "      |      ------- declared here\n");
}
END_TEST

START_TEST(reports_are_sorted_and_told_once)
{
    start("a.nn", 0, "a\nb\nc\n");
    error_at("E0100", place(3, "c", 0), "third");
    error_at("E0100", place(1, "a", 0), "first");
    error_at("E0100", place(3, "c", 0), "again");
    warning_at("W0101", place(2, "b", 0), "second");
    ck_assert_int_eq(diag_errors(), 2);
    ck_assert_str_eq(printed_reports(),
                     "a.nn:1:1: error: first [E0100]\n    1 | a\n      | ^\n\n"
                     "a.nn:2:1: warning: second [W0101]\n    2 | b\n      | ^\n\n"
                     "a.nn:3:1: error: third [E0100]\n    3 | c\n      | ^\n");
    ck_assert_str_eq(printed_reports(), "");
    ck_assert_int_eq(diag_errors(), 2);
}
END_TEST

START_TEST(twenty_errors_are_enough)
{
    Text t = {0};
    for (int i = 0; i < 30; i++) text_add(&t, "line%d\n", i);
    start("a.nn", 0, t.s);
    for (int i = 0; i < 30; i++)
        diag_hint(error_at("E0100", place(i + 1, "line", 0), "number %d", i), "a hint");
    const char *s = printed_reports();
    int shown = 0;
    for (const char *p = s; (p = strstr(p, "error: number")); p++) shown++;
    ck_assert_int_eq(shown, 20);
    const char *last = "nnc: too many errors, the rest is not shown\n";
    ck_assert_str_eq(s + strlen(s) - strlen(last), last);
    ck_assert_int_eq(diag_errors(), 30);
}
END_TEST

START_TEST(colour_only_where_it_is_wanted)
{
    unsetenv("NO_COLOR");
    start("a.nn", 0, "a b\n");
    diag_colour(1);
    diag_label(error_at("E0100", place(1, "a", 0), "c"), place(1, "b", 0), "l");
    ck_assert_str_eq(printed_reports(),
                     "\033[1ma.nn:1:1: \033[1;31merror:\033[0m \033[1mc\033[0m [E0100]\n"
                     "\033[1;34m    1 |\033[0m a b\n"
                     "      \033[1;34m|\033[0m \033[1;31m^\033[0m \033[1;34m- l\033[0m\n");
    setenv("NO_COLOR", "1", 1);
    error_at("E0100", place(1, "b", 0), "c");
    ck_assert_ptr_null(strchr(printed_reports(), '\033'));
    unsetenv("NO_COLOR");
    diag_colour(-1);
    error_at("E0101", place(1, "b", 0), "c");
    ck_assert_ptr_null(strchr(printed_reports(), '\033'));
}
END_TEST

Suite *suite_diag(void)
{
    Suite *s = suite_create("diag");
    TCase *t = tcase_create("diag");
    tcase_add_test(t, sample_inner_sizes);
    tcase_add_test(t, sample_broadcast);
    tcase_add_test(t, sample_unknown_name);
    tcase_add_test(t, sample_zero_gradient);
    tcase_add_test(t, three_labels_hang_in_order);
    tcase_add_test(t, places_inside_each_other);
    tcase_add_test(t, tabs_and_wide_text);
    tcase_add_test(t, odd_bytes_are_shown_as_question_marks);
    tcase_add_test(t, long_lines_are_cut);
    tcase_add_test(t, spans_of_several_lines_show_the_first);
    tcase_add_test(t, the_end_of_the_text_is_a_place);
    tcase_add_test(t, a_place_in_another_file);
    tcase_add_test(t, reports_are_sorted_and_told_once);
    tcase_add_test(t, twenty_errors_are_enough);
    tcase_add_test(t, colour_only_where_it_is_wanted);
    suite_add_tcase(s, t);
    return s;
}
