/* test_lower.c - lowering: small programs and the graphs they become; who owns which memory under
 * which path; names of results, order of dims, updates, draws, and the codes of what is refused. */
#include "lower.h"

#include <check.h>
#include <string.h>

static void stop(void)
{
    arena_release();
    diag_reset();
    memset(&options, 0, sizeof options);
}

static Program *lowered(const char *text)
{
    Module *m = check_module(source_from_text("t.nn", text, (int)strlen(text)));
    return m ? lower_module(m, "t") : NULL;
}

static Program *program(const char *text)
{
    Program *p = lowered(text);
    if (!p) {
        diag_flush(stdout);
        ck_abort_msg("this should compile:\n%s", text);
    }
    for (int i = 0; i < p->entries.n; i++) graph_verify(p->entries.at[i]->g, "lower");
    return p;
}

static Entry *first_entry(const char *text) { return program(text)->entries.at[0]; }

/* ---- graphs ---------------------------------------------------------------------------------- */

/* add(x, broadcast(w)): operands by their names, numbers as they are */
static void write_node(Text *t, const Node *n)
{
    double v;
    if (node_is_const(n, &v))
        text_add(t, "%g", v);
    else if (n->op == OP_INPUT)
        text_add(t, "%s", n->name);
    else if (n->op == OP_PARAM || n->op == OP_STATE)
        text_add(t, "%s", ((const Slot *)n->attr.ref)->path);
    else if (n->op == OP_SIZE)
        text_add(t, "%s", size_text(n->attr.size));
    else if (n->op == OP_BROADCAST || n->op == OP_MARK)
        write_node(t, n->in[0]);
    else {
        text_add(t, "%s(", op_info[n->op].name);
        for (int k = 0; k < n->n_in; k++) {
            if (k) text_add(t, ", ");
            write_node(t, n->in[k]);
        }
        text_add(t, ")");
    }
}

static const char *result_of(const Entry *e, int i)
{
    Text t = {0};
    write_node(&t, e->outputs.at[i].node);
    return t.s;
}

static const struct {
    const char *text, *graph;
} graphs[] = {
    {"entry f(x: real) -> real = 2 * x + 1;", "add(mul(2, x), 1)"},
    {"entry f(x: real) -> real = 2 * 3 + 1;", "7"},
    {"const a = 4; entry f(x: real) -> real = x / a^2;", "div(x, 16)"},
    {"entry f(x: real[3]) -> real = mean(x);", "div(sum(x), 3)"},
    {"dim N in 1..4; entry f(x: real[N]) -> real = mean(x);", "div(sum(x), N)"},
    {"dim N in 1..4; entry f(x: real[2 * N]) -> real = N * x[0];", "mul(N, reshape(slice(x)))"},
    {"dim N in 1..9; entry f(x: real[N]) -> real = sum(x) * (N / 2);", "mul(sum(x), div(N, 2))"},
    {"entry f(x: real, y: real) -> bool = x > y;", "lt(y, x)"},
    {"entry f(x: real, y: real) -> bool = !(x >= y) && true;", "not(le(y, x))"},
    {"entry f(x: real) -> real = true ? x : x / 0;", "x"},
    {"entry f(x: real) -> real = x > 0 ? 1 : 2;", "where(lt(0, x), 1, 2)"},
    {"entry f(x: real) -> real = training ? x : 2 * x;", "mul(2, x)"},
    {"training entry f(x: real) -> real = training ? x : 2 * x;", "x"},
    {"fn g(x: real, y: real = 3) -> real = x * y; entry f(x: real) -> real = g(x);", "mul(x, 3)"},
    {"fn g(x: real, y: real) -> real = x - y; entry f(x: real) -> real = g(y = x, x = 1);",
     "sub(1, x)"},
    {"fn g(x: real) -> real = x * x; entry f(x: real) -> real = 1 - x |> g;",
     "mul(sub(1, x), sub(1, x))"},
    {"fn g[h](x: real) -> real = h(h(x)); entry f(x: real) -> real = g[tanh](x);", "tanh(tanh(x))"},
    {"fn g[a, b = 2 * a](x: real) -> real = x + b; entry f(x: real) -> real = g[3](x);",
     "add(x, 6)"},
    {"fn relu(x: real) -> real = -x; entry f(x: real) -> real = relu(x);", "neg(x)"},
    {"entry f(x: real) -> real = relu(x);", "max(0, x)"},
    {"fn g(x: real[.., n]) -> real = n; entry f(x: real[2, 5]) -> real = g(x);", "5"},
    {"fn g(x: real[..], y: real[..]) -> real[..] = x * y; entry f(x: real[2, 5]) -> real[2, 5] = "
     "g(x, x);",
     "mul(x, x)"},
    {"entry f(x: real[2, 3]) -> real[3, 2] = x';", "transpose(x)"},
    {"entry f(x: real[3]) -> real = x @ x;", "sum(mul(x, x))"},
    {"entry f(i: i32) -> real = real(i) / 2;", "div(cast(i), 2)"},
    {"entry f(x: real) -> real = grad(x^2, x);", NULL},
};

START_TEST(small_programs)
{
    Entry *e = first_entry(graphs[_i].text);
    ck_assert_int_eq(e->outputs.n, 1);
    if (graphs[_i].graph) ck_assert_str_eq(result_of(e, 0), graphs[_i].graph);
}
END_TEST

static const struct {
    const char *text, *graph;
} derivatives[] = {
    {"entry f(x: real) -> real = grad(x^2, x);", "mul(2, x)"},
    {"entry f(x: real) -> real = grad(grad(x^3, x), x);", "mul(6, x)"},
    {"entry f(x: real) -> real = grad(exp(2 * x), x);", "mul(2, exp(mul(2, x)))"},
    {"entry f(x: real, y: real) -> real = grad(x * stop_grad(x * y), x);", "mul(x, y)"},
    {"entry f(x: real[3]) -> real[3] = grad(sum(x^2), x);", "mul(2, x)"},
    {"entry f(x: real) -> real { h = 3 * x; L = h * x; return grad(L, h); }", "x"},
    {"fn g(x: real) -> real = floor(x); surrogate (dy) = 5 * dy; entry f(x: real) -> real = "
     "grad(g(x), x);",
     "5"},
};

START_TEST(small_derivatives)
{
    Entry *e = first_entry(derivatives[_i].text);
    simplify_entry(e);
    ck_assert_str_eq(result_of(e, 0), derivatives[_i].graph);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------- */

static const char *paths(const SlotList *slots)
{
    Text t = {0};
    text_add(&t, "%s", "");
    for (int i = 0; i < slots->n; i++) text_add(&t, "%s%s", i ? " " : "", slots->at[i]->path);
    return t.s;
}

static const struct {
    const char *text, *params;
} owners[] = {
    {"param w: real = 1; entry f(x: real) -> real = w * x;", "w"},
    {"net = Dense[2]; entry f(x: real[3]) -> real[2] = net(x);", "net.W net.b"},
    {"layer L(x: real[n]) -> real[n] { h = Dense[4](x); return Dense[3](tanh(Dense[5](h))); } net "
     "= L; "
     "entry f(x: real[3]) -> real[3] = net(x);",
     "net.h.W net.h.b net.Dense1.W net.Dense1.b net.Dense2.W net.Dense2.b"},
    {"layer L(x: real[n]) -> real[n] { d = Dense[3]; return d(d(x)); } net = L; entry f(x: "
     "real[3]) -> real[3] = net(x);",
     "net.d.W net.d.b"},
    {"net = stack[2, Dense[3]]; entry f(x: real[3]) -> real[3] = net(x);",
     "net.0.W net.0.b net.1.W net.1.b"},
    {"entry f(x: real[3]) -> real[2] { h = Dense[2](x); return h; }", "f.h.W f.h.b"},
    {"entry f(x: real[3]) -> real = sum(Dense[2](x)) + sum(Dense[2](x));",
     "f.Dense1.W f.Dense1.b f.Dense2.W f.Dense2.b"},
    {"a = Dense[2]; b = Dense[2]; entry f(x: real[3]) -> real[2] = b(x); entry g(x: real[3]) -> "
     "real[2] = a(x);",
     "b.W b.b a.W a.b"},
};

START_TEST(paths_of_weights)
{
    ck_assert_str_eq(paths(&program(owners[_i].text)->params), owners[_i].params);
}
END_TEST

START_TEST(an_optimiser_has_a_state_for_each_tensor)
{
    Program *p = program("import std.optim;\nnet = Dense[2];\ntraining entry f(x: real[3]) -> real "
                         "{\n  L = sum(net(x)^2);\n"
                         "  update params = Momentum(params, grad(L, params));\n  return L;\n}");
    ck_assert_str_eq(paths(&p->states), "f.Momentum1.net.W.v f.Momentum1.net.b.v");
    ck_assert_int_eq(p->entries.at[0]->updates.n, 4);
}
END_TEST

/* ---- applications, updates, draws ------------------------------------------------------------ */

static int count_ops(const Entry *e, Op op)
{
    int n = 0;
    for (int i = 0; i < e->g->nodes.n; i++) n += e->g->nodes.at[i]->op == op;
    return n;
}

static const char count_layer[] = "layer C(x: real) -> real {\n  state n: real = 0;\n  update n = "
                                  "n + 1;\n  return x + n;\n}\nc = C;\n";

START_TEST(one_application_updates_once)
{
    Entry *e =
        first_entry(format("%straining entry f(x: real) -> real = c(x) * c(x);", count_layer));
    ck_assert_int_eq(e->updates.n, 1);
    ck_assert_str_eq(result_of(e, 0), "mul(add(x, c.n), add(x, c.n))");
}
END_TEST

START_TEST(another_application_goes_on)
{
    Entry *e =
        first_entry(format("%straining entry f(x: real) -> real = c(x) * c(2 * x);", count_layer));
    Text t = {0};
    ck_assert_int_eq(e->updates.n, 1);
    ck_assert_str_eq(result_of(e, 0), "mul(add(x, c.n), add(mul(2, x), add(c.n, 1)))");
    write_node(&t, e->updates.at[0].value);
    ck_assert_str_eq(t.s, "add(add(c.n, 1), 1)");
}
END_TEST

START_TEST(outside_training_layers_update_nothing)
{
    Entry *e = first_entry(format(
        "%sstate s: real = 0;\nentry f(x: real) -> real {\n  update s = x;\n  return c(x);\n}",
        count_layer));
    ck_assert_int_eq(e->updates.n, 1);
    ck_assert_str_eq(e->updates.at[0].slot->path, "s");
}
END_TEST

START_TEST(draws_have_places)
{
    static const char layer[] = "layer D(x: real[n]) -> real[n] {\n  e: real[n] ~ normal(0, 1);\n  "
                                "return x + e;\n}\nd = D;\n";
    ck_assert_int_eq(
        count_ops(first_entry(format("%sentry f(x: real[2]) -> real[2] = d(x) + d(x);", layer)),
                  OP_DRAW),
        1);
    stop();
    ck_assert_int_eq(
        count_ops(first_entry(format("%sentry f(x: real[2]) -> real[2] = d(x) + d(2 * x);", layer)),
                  OP_DRAW),
        2);
    stop();
    ck_assert_int_eq(
        count_ops(first_entry(format("%sentry f(x: real[2]) -> real[2] = D(x) + D(x);", layer)),
                  OP_DRAW),
        2);
}
END_TEST

/* ---- signatures of entries ------------------------------------------------------------------- */

static const struct {
    const char *text, *names;
} results[] = {
    {"entry f(x: real) -> real = x + 1;", "out"},
    {"entry f(x: real) -> real { y = x + 1; return y; }", "y"},
    {"entry f(x: real) -> (real, real) { y = x + 1; return y, 2 * x; }", "y out2"},
    {"entry f(x: real) -> (real, real) = (x, sin(x));", "x_out out2"},
    {"entry f(x: real) -> real = grad(x^2, x);", "d_x"},
    {"entry f(x: real, y: real) -> (real, real) = grad(x * y, (x, y));", "d_x d_y"},
    {"net = Dense[2]; entry f(x: real[3]) -> real[3, 2] = grad(sum(net(x)), net.W);", "d_W"},
    {"param w: real = 0; entry f(x: real) { update w = x; }", ""},
    {"dim N in 1..4; entry f(x: real[N]) -> real { N_2 = sum(x); m = N_2; return m; }", "m_out"},
};

START_TEST(names_of_results)
{
    Entry *e = first_entry(results[_i].text);
    Text t = {0};
    text_add(&t, "%s", "");
    for (int i = 0; i < e->outputs.n; i++)
        text_add(&t, "%s%s", i ? " " : "", e->outputs.at[i].name);
    ck_assert_str_eq(t.s, results[_i].names);
}
END_TEST

START_TEST(gradients_by_params_are_sets)
{
    Program *p =
        program("param a: real = 1; param b: real[2] = 1; param c: real = 1;\n"
                "entry f(x: real[2]) { L = a * sum(b * x) + c; return L, grad(L, params); }");
    Output *o = &p->entries.at[0]->outputs.at[1];
    ck_assert_ptr_null(o->node);
    ck_assert_int_eq(o->set.n, 3);
    ck_assert_str_eq(o->name, "d_params");
    ck_assert_str_eq(type_text(o->set.at[1]->type), "real[2]");
}
END_TEST

START_TEST(dims_in_the_order_of_the_signature)
{
    Entry *e = first_entry("dim A in 1..2; dim B in 1..3; dim C in 1..4;\nentry f(x: real[C, 2], "
                           "y: real[A + B]) -> real = sum(x) + sum(y);");
    ck_assert_int_eq(e->dims.n, 3);
    ck_assert_str_eq(e->dims.at[0]->name, "C");
    ck_assert_str_eq(e->dims.at[1]->name, "A");
    ck_assert_str_eq(e->dims.at[2]->name, "B");
}
END_TEST

START_TEST(defaults_of_arguments)
{
    Entry *e = first_entry(
        "const k = 3; entry f(x: real, y: real = 2 * k, n: i32 = -1) -> real = x + y + real(n);");
    ck_assert(!e->inputs.at[0].has_default && e->inputs.at[1].has_default);
    ck_assert_double_eq(e->inputs.at[1].init, 6);
    ck_assert_double_eq(e->inputs.at[2].init, -1);
}
END_TEST

/* ---- -D -------------------------------------------------------------------------------------- */

static bool lowers_with(const char *name, const char *value)
{
    stop();
    vec_push(&options.defines, ((Define){name, value, false}));
    bool ok = lowered("const h = 4; const wide = false; const twice = 2 * h; entry f(x: real[h]) "
                      "-> real[twice] = concat(x, x);") != NULL;
    return ok;
}

START_TEST(consts_are_overridden)
{
    ck_assert(lowers_with("h", "5"));
    ck_assert(lowers_with("h", "2^3 - 1"));
    ck_assert(lowers_with("wide", "true"));
    ck_assert(!lowers_with("twice", "9")); /* then the sizes disagree */
    ck_assert(!lowers_with("nosuch", "1"));
    ck_assert(!lowers_with("f", "1"));
    ck_assert(!lowers_with("h", "wide"));
    ck_assert(!lowers_with("h", ""));
    ck_assert(!lowers_with("h", "1e"));
    ck_assert(!lowers_with("h", "nan"));
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------- */

/* The first report's text: "t.nn:1:2: error: .. [E0123]". */
static const char *first_report(void)
{
    char line[512] = "";
    FILE *f = tmpfile();
    diag_flush(f);
    rewind(f);
    if (!fgets(line, sizeof line, f)) line[0] = 0;
    fclose(f);
    return intern_str(line);
}

static const struct {
    const char *text, *code;
} refused[] = {
    {"entry f(x: real) -> real { x = 1; return x; }", "E0202"},
    {"entry f(x: real, x: real) -> real = x;", "E0202"},
    {"entry f(f: real) -> real = f + g;", "E0201"},
    {"a = b; b = a; entry f(x: real) -> real = a * x;", "E0203"},
    {"entry f(x: real) -> real = g(x); entry g(x: real) -> real = f(x);", "E0203"},
    {"entry f(x) -> real = 1;", "E0207"},
    {"entry f(x: real) -> real = softmax;", "E0"},
    {"dim N in -1..3; entry f(x: real[N]) -> real = sum(x);", "E0306"},
    {"dim N in 1..2.5; entry f(x: real[N]) -> real = sum(x);", "E0306"},
    {"dim N in 5..4; entry f(x: real[N]) -> real = sum(x);", "E0306"},
    {"dim N in 1..3000000000; entry f(x: real[N]) -> real = sum(x);", "E0306"},
    {"entry f(x: real[1000000000]) -> real = sum(x);", "E0605"},
    {"entry f(x: u8[1000000000]) -> u8 = x[0];", ""},
    {"entry f(x: real) -> real = sum(x * ones[100000, 100000]);", "E0605"},
    {"param w: real[40000, 40000] ~ normal(0, 1); entry f(x: real) -> real = x * w[0, 0];",
     "E0605"},
    {"dim N in 1..100000; entry f(x: real[N]) -> real[N, N] = x[:, new] @ x[new, :];", "E0605"},
    /* the windows and their products would be too large, but convolutions do not store them */
    {"import std.conv; dim N in 1..64; net = Conv2d[64, 3, pad = 1];"
     "entry f(x: real[N, 64, 64, 64])"
     "{ L = sum(net(x)^2); update params = params - grad(L, params); }", ""},
    {"import std.conv; dim N in 1..64; net = Conv2d[64, 3, pad = 1];"
     "entry f(x: real[N, 64, 64, 64]) -> real[N, 64, 64, 64]"
     "{ L = sum(net(x)^2); return grad(L, x); }", ""},
    {"import std.conv; dim N in 1..64; net = DepthwiseConv2d[3, pad = 1];"
     "entry f(x: real[N, 64, 128, 128])"
     " { L = sum(net(x)^2); update params = params - grad(L, params); }", ""},
    {"import std.conv; dim N in 1..64; net = Conv2d[64, 3, pad = 1, groups = 8];"
     "entry f(x: real[N, 64, 128, 128]) -> real[N, 64, 128, 128] {"
     " L = sum(net(x)^2); return grad(L, x); }", ""},
    /* nor are those of a pooling, nor those that are read one by one */
    {"import std.conv; dim N in 1..64;"
     "entry f(x: real[N, 64, 128, 128]) -> real[N, 64, 126, 126] = max_pool[3, 1](x);", ""},
    {"dim N in 1..1024; entry f(x: real[N, 128, 128], k: real[7, 7]) {"
     " y[n, i in 122, j in 122, c in 32] ="
     " sum[p in 7, q in 7](x[n, i + p, j + q] * k[p, q]) * real(c); return sum(y); }", ""},
    {"import std.conv; dim N in 1..4096; net = Conv2d[64, 3, pad = 1];"
     "entry f(x: real[N, 1, 64, 64]) -> real = sum(net(x)^2);", "E0605"},
    {"entry f(x: real[0]) -> real = sum(x);", ""},
    {"entry f(x: real[2, 2, 2, 2, 2, 2, 2, 2, 2]) -> real = sum(x);", "E0304"},
    {"entry f(x: real[3]) -> real[3] = Dropout[2](x);", "E0312"},
    {"param w: real = 1; entry f(x: real) -> real = w * params;", "E0303"},
    {"entry f(x: real) -> real { next x = 2; return x; }", "E0204"},
    {"import std.nosuch; entry f(x: real) -> real = x;", "E0206"},
    {"entry f(x: real[4]) -> real = sum(rearrange(x, \"(h e) -> h e\", h = -2));", "E0307"},
    {"entry f(x: real[4]) -> real = sum(rearrange(x, \"(h e) -> h e\", h = 0));", "E0309"},
    {"entry f(x: real[4]) -> real = sum(reshape(x, [-2, -2]));", "E0307"},
    {"entry f(x: real[4]) -> real = sum(zeros[-2] + x);", "E0306"},
    {"entry f(x: real[4]) -> real = sum(real(one_hot[-2](i32(x))));", "E0"},
    {"", ""},
};

START_TEST(what_is_refused)
{
    Program *p = lowered(refused[_i].text);
    bool fine = !refused[_i].code[0];
    const char *said = first_report();
    ck_assert_msg((p != NULL) == fine, "%s: %s", refused[_i].text, said);
    ck_assert_msg(fine || strstr(said, refused[_i].code), "%s\nis not %s: %s", refused[_i].text,
                  refused[_i].code, said);
}
END_TEST

Suite *suite_lower(void)
{
    Suite *s = suite_create("lower");
    TCase *t = tcase_create("lower");
    tcase_add_checked_fixture(t, NULL, stop);
    tcase_add_loop_test(t, small_programs, 0, (int)(sizeof graphs / sizeof *graphs));
    tcase_add_loop_test(t, small_derivatives, 0, (int)(sizeof derivatives / sizeof *derivatives));
    tcase_add_loop_test(t, paths_of_weights, 0, (int)(sizeof owners / sizeof *owners));
    tcase_add_test(t, an_optimiser_has_a_state_for_each_tensor);
    tcase_add_test(t, one_application_updates_once);
    tcase_add_test(t, another_application_goes_on);
    tcase_add_test(t, outside_training_layers_update_nothing);
    tcase_add_test(t, draws_have_places);
    tcase_add_loop_test(t, names_of_results, 0, (int)(sizeof results / sizeof *results));
    tcase_add_test(t, gradients_by_params_are_sets);
    tcase_add_test(t, dims_in_the_order_of_the_signature);
    tcase_add_test(t, defaults_of_arguments);
    tcase_add_test(t, consts_are_overridden);
    tcase_add_loop_test(t, what_is_refused, 0, (int)(sizeof refused / sizeof *refused));
    suite_add_tcase(s, t);
    return s;
}
