/* test_parse.c - texts as trees: every form of the grammar printed back, places of expressions,
 * precedence, and a corpus of random expressions that must come back as they were printed. */
#include "parsing.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* ---- items and statements: printed as they were written ------------------------------------- */

static const char *const unchanged[] = {
    "import std.optim;\nimport std.rnn as r;\nimport \"other.nn\";\nimport \"a/b.nn\" as b;\n",
    "const H = 128;\nconst X: real[2, 2] = [[0, 0], [0, 1]];\nconst lr = 0.001;\n",
    "dim N;\ndim T in 1..64;\ndim S in H..2 * H;\n",
    "fn f(x: real, y: real = 1, z = 2, w) -> real = x + y;\n",
    "fn step(z: real[..]) -> real[..] = z >= 0 ? 1 : 0;\n  grad (dy) = 0;\n",
    "fn two(a: real, b: real) -> (real, real) {\n  return a, b;\n}\n"
    "  surrogate (da, db) {\n  c = da + db;\n  return c, c;\n}\n",
    "layer Conv[out, size = 3, act = identity](x: real[.., C, H, W]) {\n"
    "  param k: real[out, C, size, size] ~ he();\n  param b: real[out] = 0;\n"
    "  state n: i32 = 0;\n  update n = n + 1;\n  return act(corr2d(x, k) + b[:, new, new]);\n}\n",
    "entry sync() {\n  update params(target) = params(online);\n}\n",
    "training entry train(x: u8[N, 28, 28], y: i32[N], lr: real) -> (real, (real, bool)) = L;\n",
    "net = Mlp;\nblocks = stack[4, Block[4, 4 * d]];\neps: real[N, Z] ~ normal(0, 1);\n",
    "a, b, c = split(x @ W, 3);\n",
    "y[.., o, i in H - P + 1, j in W]: real[H, W] = sum[c in C, p in P](x[c, i + p] * k[p]);\n",
    "fn g(x: real) -> real {\n  require d % heads == 0, \"the width\";\n"
    "  scan (x in xs, y in ys; h = 0, c = zeros[n]) {\n    e = y - h;\n    next h = tanh(next c);\n"
    "    next c = e;\n    emit out = h;\n  }\n  return out;\n}\n",
    "test \"AND\" {\n  y = 3;\n  repeat (20) epoch(X, Y);\n  assert epoch(X, Y) == 0;\n"
    "  check_grad loss([[0, 1]], [[1]]);\n}\n",
    "/// A file's first item.\n///\n///   indented\nparam w: real[2] = 0;\n",
    "entry z(a: real[n, 2 * m + 1], b: bool[..], c: f16, d: f32, e: f64, f: i8) = 0;\n",
};

START_TEST(items_are_printed_as_written)
{
    ck_assert_str_eq(printed_text(unchanged[_i]), unchanged[_i]);
}
END_TEST

START_TEST(an_empty_text_is_a_program)
{
    ck_assert_int_eq(parse_text("", -1).n, 0);
    ck_assert_int_eq(parse_text(" // nothing\n", -1).n, 0);
    ck_assert_int_eq(diag_errors(), 0);
}
END_TEST

START_TEST(fields_of_the_tree)
{
    DeclList d = parse_text("training entry e(x: real[.., 2] = 1) -> (real, i32) = x;\n"
                            "fn f(x: real) = x; surrogate (dy) = dy;\n"
                            "import std.nn as n;\ny[i] = x;\nx ~ normal(0, 1);\ndim N in 1..3;",
                            -1);
    ck_assert_int_eq(d.n, 6);
    ck_assert(d.at[0]->kind == DECL_ENTRY && d.at[0]->is_training);
    ck_assert_str_eq(d.at[0]->name.s, "e");
    ck_assert_int_eq(d.at[0]->name.span.begin, 15);
    ck_assert_ptr_nonnull(d.at[0]->formals.at[0].init);
    ck_assert_int_eq(d.at[0]->formals.at[0].type->dims.at[0]->kind, EX_DOTS);
    ck_assert(d.at[0]->type->is_tuple && d.at[0]->type->parts.at[1]->elem == ELEM_I32);
    ck_assert_int_eq(d.at[0]->body.at[0]->kind, ST_RETURN);
    ck_assert(d.at[1]->has_gradient && d.at[1]->is_surrogate);
    ck_assert_str_eq(d.at[1]->gradient_names.at[0].s, "dy");
    ck_assert_str_eq(d.at[2]->text, "std.nn");
    ck_assert_str_eq(d.at[2]->name.s, "n");
    ck_assert(!d.at[2]->is_file);
    ck_assert_int_eq(d.at[3]->stmt->kind, ST_INDEXED);
    ck_assert_str_eq(d.at[3]->name.s, "y");
    ck_assert(d.at[4]->stmt->is_draw);
    ck_assert(d.at[5]->value->num == 1 && d.at[5]->value2->num == 3);
}
END_TEST

/* ---- expressions ---------------------------------------------------------------------------- */

/* The whole expression with every pair of operands in brackets. */
static void print_grouped(Text *out, const Expr *e)
{
    if (e->kind == EX_BINARY) {
        text_add(out, "(");
        print_grouped(out, e->a);
        text_add(out, " %s ", operator_text(e->op));
        print_grouped(out, e->b);
        text_add(out, ")");
    } else if (e->kind == EX_UNARY) {
        text_add(out, "(%s", operator_text(e->op));
        print_grouped(out, e->a);
        text_add(out, ")");
    } else if (e->kind == EX_SELECT) {
        text_add(out, "(");
        print_grouped(out, e->a);
        text_add(out, " ? ");
        print_grouped(out, e->b);
        text_add(out, " : ");
        print_grouped(out, e->c);
        text_add(out, ")");
    } else {
        print_expr(out, e);
    }
}

START_TEST(operators_bind_as_stated)
{
    static const char *const cases[][2] = {
        {"a + b * c", "(a + (b * c))"},
        {"a - b - c", "((a - b) - c)"},
        {"a / b @ c % d", "(((a / b) @ c) % d)"},
        {"-a^2", "(-(a ^ 2))"},
        {"a^-b^c", "(a ^ (-(b ^ c)))"},
        {"a^b^c", "(a ^ (b ^ c))"},
        {"-x'", "(-x')"},
        {"!a && b || c", "(((!a) && b) || c)"},
        {"a || b && c == d + e", "(a || (b && (c == (d + e))))"},
        {"x |> f |> g || h", "((x |> f) |> (g || h))"},
        {"a ? b : c ? d : e", "(a ? b : (c ? d : e))"},
        {"a == b ? c + 1 : -d", "((a == b) ? (c + 1) : (-d))"},
        {"a * -b", "(a * (-b))"},
        {"--a", "(-(-a))"},
        {"(a + b) * c", "((a + b) * c)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Text out = {0};
        print_grouped(&out, parse_formula(cases[i][0]));
        ck_assert_str_eq(out.s, cases[i][1]);
    }
}
END_TEST

START_TEST(brackets_are_printed_where_they_are_needed)
{
    static const char *const cases[][2] = {
        {"((a)) + (b * c)", "a + b * c"},
        {"(a - (b - c)) - d", "a - (b - c) - d"},
        {"(a == b) == c", "(a == b) == c"},
        {"(-a)^2", "(-a)^2"},
        {"a^(-b)", "a^-b"},
        {"(a^b)^c", "(a^b)^c"},
        {"(a ? b : c) ? d : (e ? f : g)", "(a ? b : c) ? d : e ? f : g"},
        {"(a + b)'[0].c(d)", "(a + b)'[0].c(d)"},
        {"f(k = (a, b), x)[.., new, 1:, :2, :, i in n, c ? a : b : d]",
         "f(k = (a, b), x)[.., new, 1:, :2, :, i in n, c ? a : b:d]"},
        {"real(training ? 1 : 0.50)", "real(training ? 1 : 0.5)"},
        {"grad(L, (a, b)) + next h", "grad(L, (a, b)) + next h"},
        {"[1e-3, 1e20, 2.0, 100000, 0.1, 1e0]", "[0.001, 1e+20, 2.0, 100000, 0.1, 1.0]"},
        {"(x |> f)(y)", "(x |> f)(y)"},
        {"!(a < b)", "!(a < b)"},
        {"f()", "f()"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Text out = {0};
        print_expr(&out, parse_formula(cases[i][0]));
        ck_assert_str_eq(out.s, cases[i][1]);
    }
}
END_TEST

START_TEST(places_of_expressions)
{
    struct {
        const char *text, *whole, *at;
    } cases[] = {
        {"a + b", "a + b", "+"},
        {"(a + b)", "(a + b)", "+"},
        {"x.fc", "x.fc", "fc"},
        {"f(a, b)", "f(a, b)", "f"},
        {"x.f(a)", "x.f(a)", "f"},
        {"e[1:2]", "e[1:2]", "e"},
        {"x'", "x'", "'"},
        {"-x", "-x", "-"},
        {"a ? b : c", "a ? b : c", "?"},
        {"[1, 2]", "[1, 2]", "[1, 2]"},
        {"next h", "next h", "h"},
        {"grad(L, x)", "grad(L, x)", "grad"},
        {"(a + b) * c", "(a + b) * c", "*"},
        {"a^-b", "a^-b", "^"},
        {"real(x)", "real(x)", "real"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Expr *e = parse_formula(cases[i].text);
        ck_assert_str_eq(span_text(e->span), cases[i].whole);
        ck_assert_str_eq(span_text(e->at), cases[i].at);
    }
    ck_assert_str_eq(span_text(parse_formula("(a + b) * c")->a->span), "(a + b)");
    ck_assert_str_eq(span_text(parse_formula("a^-b")->b->span), "-b");
    ck_assert_ptr_null(parse_formula("a +"));
    ck_assert_ptr_null(parse_formula(""));
    ck_assert_ptr_null(parse_formula("a; b"));
}
END_TEST

/* ---- random expressions --------------------------------------------------------------------- */

static uint64_t random_state;

static int choose(int n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)((random_state >> 33) % (uint64_t)n);
}

static Expr *random_expr(int depth);

static ExprList random_list(int depth, int least)
{
    ExprList list = {0};
    for (int n = least + choose(3); n > 0; n--) vec_push(&list, random_expr(depth - 1));
    return list;
}

/* What may stand only inside brackets, or any expression. */
static Expr *random_item(int depth, bool is_index)
{
    static const ExprKind kinds[] = {EX_NAMED, EX_IN, EX_RANGE, EX_DOTS, EX_NEW};
    if (choose(2)) return random_expr(depth - 1);
    Expr *e = NEW(Expr);
    e->kind = is_index ? kinds[choose(5)] : EX_NAMED;
    e->name = "k";
    if (e->kind != EX_RANGE || choose(2)) e->a = random_expr(depth - 1);
    if (e->kind == EX_RANGE && choose(2)) e->b = random_expr(depth - 1);
    return e;
}

static ExprList random_items(int depth, bool is_index)
{
    ExprList list = {0};
    for (int n = is_index + choose(3); n > 0; n--) vec_push(&list, random_item(depth, is_index));
    return list;
}

static Expr *random_leaf(void)
{
    static const char *const names[] = {"a", "b", "x1", "Θ", "inf"};
    static const double numbers[] = {0, 1, 7, 1e15, 0.1, 1e-300, 123456.789, 1e22};
    static const ExprKind kinds[] = {EX_NAME,     EX_NAME, EX_NUMBER, EX_NUMBER,
                                     EX_TRAINING, EX_NEXT, EX_STRING};
    Expr *e = NEW(Expr);
    e->kind = kinds[choose(7)];
    e->name = names[choose(5)];
    int i = choose(8);
    e->num = numbers[i];
    e->is_int = i < 4 && choose(2);
    return e;
}

static Expr *random_expr(int depth)
{
    static const ExprKind kinds[] = {EX_BINARY, EX_BINARY, EX_BINARY, EX_UNARY,     EX_SELECT,
                                     EX_CALL,   EX_INDEX,  EX_FIELD,  EX_TRANSPOSE, EX_TUPLE,
                                     EX_ARRAY,  EX_GRAD,   EX_CONVERT};
    if (depth <= 0) return random_leaf();
    Expr *e = NEW(Expr);
    e->kind = kinds[choose(13)];
    e->name = "field";
    e->elem = (Elem)choose(8);
    e->op = e->kind == EX_UNARY ? (choose(2) ? O_NEG : O_NOT) : (Operator)choose(O_NEG);
    bool has_list =
        e->kind == EX_TUPLE || e->kind == EX_ARRAY || e->kind == EX_GRAD || e->kind == EX_CONVERT;
    if (!has_list) e->a = random_expr(depth - 1);
    if (e->kind == EX_BINARY || e->kind == EX_SELECT) e->b = random_expr(depth - 1);
    if (e->kind == EX_SELECT) e->c = random_expr(depth - 1);
    if (has_list) e->list = random_list(depth, e->kind == EX_TUPLE ? 2 : 1);
    if (e->kind == EX_CALL || e->kind == EX_INDEX)
        e->list = random_items(depth, e->kind == EX_INDEX);
    return e;
}

static bool uses_name(ExprKind k)
{
    return k == EX_NAME || k == EX_STRING || k == EX_NEXT || k == EX_FIELD || k == EX_IN ||
           k == EX_NAMED;
}

static bool is_same(const Expr *a, const Expr *b)
{
    if (!a || !b) return a == b;
    if (a->kind != b->kind || a->list.n != b->list.n) return false;
    if (uses_name(a->kind) && strcmp(a->name, b->name)) return false;
    if (a->kind == EX_NUMBER && (a->num != b->num || a->is_int != b->is_int)) return false;
    if ((a->kind == EX_BINARY || a->kind == EX_UNARY) && a->op != b->op) return false;
    if (a->kind == EX_CONVERT && a->elem != b->elem) return false;
    if (a->kind == EX_DOTS || a->kind == EX_NEW) return true;
    for (int i = 0; i < a->list.n; i++)
        if (!is_same(a->list.at[i], b->list.at[i])) return false;
    return is_same(a->a, b->a) && is_same(a->b, b->b) && is_same(a->c, b->c);
}

START_TEST(random_expressions_come_back)
{
    random_state = 20240611;
    for (int i = 0; i < 20000; i++) {
        if (i % 100 == 0) fresh_start();
        Expr *e = random_expr(choose(6));
        Text text = {0}, again = {0};
        print_expr(&text, e);
        Expr *parsed = parse_formula(text.s);
        ck_assert_msg(parsed != NULL, "%s\n%s", text.s, printed_reports());
        print_expr(&again, parsed);
        ck_assert_str_eq(text.s, again.s);
        ck_assert_msg(is_same(e, parsed), "%s", text.s);
    }
}
END_TEST

Suite *suite_parse(void)
{
    Suite *s = suite_create("parse");
    TCase *t = tcase_create("parse");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, items_are_printed_as_written, 0, sizeof unchanged / sizeof *unchanged);
    tcase_add_test(t, an_empty_text_is_a_program);
    tcase_add_test(t, fields_of_the_tree);
    tcase_add_test(t, operators_bind_as_stated);
    tcase_add_test(t, brackets_are_printed_where_they_are_needed);
    tcase_add_test(t, places_of_expressions);
    tcase_add_test(t, random_expressions_come_back);
    suite_add_tcase(s, t);
    return s;
}
