/* test_malformed.c - texts that are no programs: cut off, with odd bytes, of random tokens, nested
 * beyond all reason. None may crash or hang, and none may lose a part of the text in silence: a
 * parse without errors has a tree that covers every byte that is neither blank nor comment. */
#include "parsing.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char program[] =
    "/// A program with one of everything.\n"
    "import std.optim as o; import \"other.nn\";\n"
    "const X: real[2] = [[0, 1e-3], [1, 0.5]]; dim N in 1..64; dim M;\n"
    "fn f[k = 3](x: real[.., m], y = 2) -> (real, i32[2*m - 1]) { z = x + y; return z, 1; }\n"
    "fn s(z: real) = z >= 0 ? 1 : 0; surrogate (dy) = abs(z) <= 1 ? dy : 0;\n"
    "layer L[n](x: u8[N, m]) -> real {\n"
    "  param W: real[m, n] ~ glorot(); state t: i32 = 0;\n"
    "  a, b = split(real(x) @ W', 2); /* both */\n"
    "  c[.., i in n, j] = sum[q](a[i, q] * b[q, 2*j + 1:, :, new]);\n"
    "  scan (v in a, w in b; h = 0, g = c) {\n"
    "    next h = tanh(next g) |> Dense[3, act = relu](-h^-2); emit ys = h;\n"
    "  }\n"
    "  require n % 2 == 0 && !(m < 3) || true, \"the width\";\n"
    "  update t = t + 1; return ys.first[0, -1];\n"
    "}\n"
    "training entry train(x: real[N], lr: real = 0.1) {\n"
    "  L = mean((net(x) - training)^2); update params(net) = params - lr * grad(L, params);\n"
    "}\n"
    "test \"it\" { y = 3; assert f(y) == (1, 2); check_grad L(X); repeat (20) train(X, 1); }\n";

/* ---- what must hold for every text ---------------------------------------------------------- */

/* Whether only blanks and comments stand in text[from..to). */
static bool is_blank(const char *text, int from, int to)
{
    for (int i = from; i < to; i++) {
        if (isspace((unsigned char)text[i])) continue;
        if (text[i] != '/' || i + 1 >= to) return false;
        if (text[i + 1] == '/') {
            while (i < to && text[i] != '\n') i++;
        } else if (text[i + 1] == '*') {
            for (i += 2; i + 1 < to && !(text[i] == '*' && text[i + 1] == '/'); i++) {
            }
            i++;
        } else {
            return false;
        }
    }
    return true;
}

static void check_text(const char *text, int length)
{
    DeclList decls = parse_text(text, length);
    const char *reports = printed_reports();
    ck_assert_int_eq(diag_errors() > 0, *reports != 0);
    if (diag_errors() > 0) {
        ck_assert_int_le(diag_errors(), 64);
        return;
    }
    int end = 0;
    for (int i = 0; i < decls.n; i++) {
        ck_assert_msg(is_blank(text, end, decls.at[i]->span.begin), "lost: %.*s",
                      decls.at[i]->span.begin - end, text + end);
        end = decls.at[i]->span.end;
    }
    ck_assert_msg(is_blank(text, end, length), "lost: %s", text + end);
}

/* ---- the texts ------------------------------------------------------------------------------ */

START_TEST(the_program_itself)
{
    check_text(program, (int)sizeof program - 1);
    ck_assert_int_eq(diag_errors(), 0);
}
END_TEST

START_TEST(cut_off_anywhere)
{
    for (int n = 0; n < (int)sizeof program; n++) check_text(program, n);
    for (int n = 1; n < (int)sizeof program - 1; n++)
        check_text(program + n, (int)sizeof program - 1 - n);
}
END_TEST

START_TEST(any_byte_replaced)
{
    static const char odd[] = {0, '\xFF', '\xC3', '"', '}', '(', ';', '=', ' ', '\n'};
    char text[sizeof program];
    memcpy(text, program, sizeof program);
    for (int i = 0; i < (int)sizeof program - 1; i++) {
        text[i] = odd[i % (int)sizeof odd];
        check_text(text, (int)sizeof program - 1);
        text[i] = odd[(i + 3) % (int)sizeof odd];
        check_text(text, (int)sizeof program - 1);
        text[i] = program[i];
    }
}
END_TEST

START_TEST(any_stretch_left_out)
{
    char text[sizeof program];
    for (int i = 0; i < (int)sizeof program - 40; i++) {
        int gap = 1 + i * 7 % 37;
        memcpy(text, program, (size_t)i);
        memcpy(text + i, program + i + gap, sizeof program - (size_t)(i + gap));
        check_text(text, (int)sizeof program - 1 - gap);
    }
}
END_TEST

static const char *const soup[] = {
    "import", "as", "const", "dim", "fn", "layer", "entry", "training", "test", "param", "state",
    "update", "scan", "next", "emit", "return", "require", "assert", "repeat", "check_grad",
    "grad", "surrogate", "in", "new", "real", "i32", "x", "y", "f", "if", "1", "2.5", "\"s\"",
    "..", "->", "|>", "==", "!=", "<=", "&&", "||", "<", "+", "-", "*", "/", "@", "!", "^", "'",
    ".", ",", ",", ";", ";", ";", ":", ":", "?", "=", "=", "~", "(", ")", "(", ")", "[", "]", "{",
    "}", "{", "}", "\n", "\n", "**", "$", "\"", "/*", "#", "≤", "\xFF",
};

START_TEST(random_tokens)
{
    uint64_t random = 12345;
    for (int round = 0; round < 4000; round++) {
        char text[1000];
        int n = 0;
        for (int words = 1 + round % 90; words > 0; words--) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            const char *word = soup[(random >> 33) % (sizeof soup / sizeof *soup)];
            n += snprintf(text + n, sizeof text - (size_t)n, "%s ", word);
        }
        check_text(text, n);
    }
}
END_TEST

/* `open` n times, `middle`, `close` n times. */
static char *nest(const char *open, int n, const char *middle, const char *close)
{
    size_t size = (strlen(open) + strlen(close)) * (size_t)n + strlen(middle) + 1;
    char *text = malloc(size), *s = text;
    for (int i = 0; i < n; i++) s += strlen(strcpy(s, open));
    s += strlen(strcpy(s, middle));
    for (int i = 0; i < n; i++) s += strlen(strcpy(s, close));
    return text;
}

START_TEST(nested_beyond_reason)
{
    static const struct { const char *open, *middle, *close; } cases[] = {
        {"(", "1", ")"},     {"[", "1", "]"},          {"f(", "1", ")"},   {"x[", "1", "]"},
        {"-", "1", ""},      {"!", "1", ""},           {"-!", "1", ""},    {"a^", "1", ""},
        {"a^-", "1", ""},    {"a ? b : ", "1", ""},    {"a ? ", "1", " : b"}, {"a + ", "1", ""},
        {"a |> ", "1", ""},  {"a == (", "1", ")"},     {"", "x", "'"},     {"", "x", ".a"},
        {"", "x", "(1)"},    {"(", "", ""},            {"{", "", ""},      {"", "", ")"},
        {"real(", "1", ")"}, {"x[1:", "1", "]"},       {"(a, ", "1", ")"}, {"f(k = ", "1", ")"},
    };
    static const int depths[] = {150, 1100, 30000};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < 3; k++) {
            char *inner = nest(cases[i].open, depths[k], cases[i].middle, cases[i].close);
            char *text = malloc(strlen(inner) + 10);
            int n = sprintf(text, "x = %s;\n", inner);
            check_text(text, n);
            if (k > 0) ck_assert_int_gt(diag_errors(), 0);
            free(text);
            free(inner);
        }
}
END_TEST

START_TEST(deep_but_allowed)
{
    static const struct { const char *open, *middle, *close; int n; } cases[] = {
        {"(", "1", ")", 200}, {"-", "1", "", 200},  {"a + ", "1", "", 998},
        {"f(", "1", ")", 200}, {"", "x", "'", 999}, {"a ? b : ", "1", "", 998},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *inner = nest(cases[i].open, cases[i].n, cases[i].middle, cases[i].close);
        char *text = malloc(strlen(inner) + 10);
        check_text(text, sprintf(text, "x = %s;", inner));
        ck_assert_msg(diag_errors() == 0, "case %d", (int)i);
        free(text);
        free(inner);
    }
}
END_TEST

START_TEST(too_deep_is_told_once)
{
    static const char *const opens[] = {"(", "-", "a + ", "a^", "f("};
    for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
        char *inner = nest(opens[i], 20000, "1", "");
        char *text = malloc(strlen(inner) + 40);
        int n = sprintf(text, "fn g(x: real) = x;\nx = %s;\n", inner);
        DeclList decls = parse_text(text, n);
        ck_assert_int_ge(decls.n, 1);
        ck_assert_int_eq(diag_errors(), 1);
        ck_assert_ptr_nonnull(strstr(printed_reports(), "nested too deeply [E0110]"));
        free(text);
        free(inner);
    }
}
END_TEST

START_TEST(many_items_are_no_depth)
{
    char *text = nest("x = a * (b + c);\n", 20000, "", "");
    DeclList decls = parse_text(text, -1);
    ck_assert_int_eq(diag_errors(), 0);
    ck_assert_int_eq(decls.n, 20000);
    free(text);
    text = nest("y = f(1, ;\n", 20000, "", "");
    parse_text(text, -1);
    const char *reports = printed_reports();
    ck_assert_int_ge(diag_errors(), 20);
    ck_assert_ptr_nonnull(strstr(reports, "p.nn:1:10: error: expected another argument"));
    free(text);
}
END_TEST

Suite *suite_malformed(void)
{
    Suite *s = suite_create("malformed");
    TCase *t = tcase_create("malformed");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, the_program_itself);
    tcase_add_test(t, cut_off_anywhere);
    tcase_add_test(t, any_byte_replaced);
    tcase_add_test(t, any_stretch_left_out);
    tcase_add_test(t, random_tokens);
    tcase_add_test(t, nested_beyond_reason);
    tcase_add_test(t, deep_but_allowed);
    tcase_add_test(t, too_deep_is_told_once);
    tcase_add_test(t, many_items_are_no_depth);
    suite_add_tcase(s, t);
    return s;
}
