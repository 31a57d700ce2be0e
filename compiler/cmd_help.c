/* cmd_help.c - `nnc help` and `nnc explain`: commands, topics, the operator reference (from the
 * table of operators, so it is never out of date) and the errors (from the table of errors). */
#include "command.h"
#include "kernel.h"

#include <string.h>

/* ---- the language on two screens ------------------------------------------------------------- */

static const char *const language[] = {
    "The language, in short. `fn` has no memory, `layer` has memory, `entry` can be called from C.",
    "",
    "  const H = 128;                        a number; -D H=64 replaces it",
    "  dim N in 1..64;                       a size that is chosen at run time",
    "  param W: real[784, H] ~ glorot();     trained; `=` is equals, `~` is drawn from",
    "  state mean: real[H] = 0;              kept between calls",
    "  net = Dense[H, act = relu];           one instance of a layer: its own weights",
    "",
    "  fn sq(x: real[..]) -> real[..] = x * x;                `..` is any leading sizes",
    "  layer Mlp(x: real[.., m]) = x |> Dense[H, act = tanh] |> Dense[10];",
    "  entry predict(x: real[N, 784]) -> i32[N] = argmax(net(x), axis = -1);",
    "  training entry train(x: real[N, 784], t: i32[N], lr: real) -> real {",
    "    L = mean(cross_entropy(net(x), t));                  every line is an equation",
    "    update params = params - lr * grad(L, params);       takes effect after the call",
    "    return L;",
    "  }",
    "",
    "[ ] is known at compile time, ( ) is data:  Dense[128](x)  real[N, 10]  x[.., 0]  sum[k](..)",
    "",
    "expressions, loosest first:",
    "  c ? a : b   |>   ||   &&   == != < > <= >=   + -   * / % @   - !   ^   f(x) a[i] a.b a'",
    "  a @ b       matrix product       a'  transpose of the last two axes",
    "  x |> f[8]   is f[8](x)           x[0:4, .., new]   slices, and a new axis",
    "  y[i, j] = sum[k](a[i, k] * b[k, j]);               index notation",
    "  grad(L, x)  the derivative of a scalar L: for a name, a tuple or `params`",
    "  stop_grad(x), training, real(i), i32(x)",
    "",
    "elements:  real (--real f32 or f64)   f16 f32 f64   i8 i32 u8   bool",
    "",
    "  scan (x in xs; h = h0) {                           a recurrence",
    "    next h = tanh(x @ W + h @ U);",
    "    emit ys = next h;",
    "  }",
    "",
    "  fn step(z: real[..]) -> real[..] = z >= 0 ? 1 : 0;",
    "    grad (dy) = 0;                                   a stated derivative",
    "",
    "  test \"xor\" {",
    "    assert predict([[0, 1]]) == [1];",
    "    check_grad loss([[0, 1]], [[1]]);",
    "    repeat (100) train(X, Y);",
    "  }",
    "",
    "Library: Dense Conv2d max_pool BatchNorm LayerNorm Dropout Embedding, relu gelu softmax, mse",
    "cross_entropy bce, glorot he are seen everywhere; import std.optim, std.rnn, std.attention.",
    NULL,
};

static int help_language(void)
{
    for (int i = 0; language[i]; i++) puts(language[i]);
    return EXIT_OK;
}

/* ---- operators ------------------------------------------------------------------------------- */

/* As it is written in a program: "a + b", "tanh(a)". */
static const char *written(const OpInfo *o)
{
    static const char *const operands[] = {"()", "(a)", "(a, b)", "(a, b, c)"};
    bool infix = o->class == CLASS_MAP && !strchr(o->value, '(') && strcmp(o->value, "cast") != 0 &&
                 strcmp(o->value, "a") != 0;
    if (infix) return o->value;
    return format("%s%s", o->name, o->arity < 0 ? "(a, ..)" : operands[o->arity]);
}

static const char *derivative_of(const OpInfo *o)
{
    Text out = {0};
    for (int k = 0; k < 3 && k < (o->arity < 0 ? 1 : o->arity); k++)
        text_add(&out, "%s%s", k ? ";  " : "", o->derivative[k] ? o->derivative[k] : "none");
    return out.s ? out.s : "";
}

static void op_section(OpClass class, const char *title)
{
    printf("\n%s\n", title);
    for (int i = 0; i < OP_COUNT; i++) {
        const OpInfo *o = &op_info[i];
        if (o->class != class) continue;
        printf("  %-18s %s\n", class == CLASS_LEAF ? o->name : written(o), o->meaning);
        if (class != CLASS_LEAF) printf("  %-18s   derivative: %s\n", "", derivative_of(o));
    }
}

static int help_ops(void)
{
    puts("The operators of the graph, with their derivatives: operands a, b, c, result y, adjoint\n"
         "dy; one formula for each operand. `none` means: not real, or no derivative.");
    op_section(CLASS_MAP, "element by element:");
    op_section(CLASS_FOLD, "over axes:");
    op_section(CLASS_PRIM, "whole arrays:");
    op_section(CLASS_LEAF, "leaves:");
    return EXIT_OK;
}

/* ---- the other topics ------------------------------------------------------------------------ */

static int help_passes(void)
{
    puts("The passes, in order; `nnc show MODEL.nn --after=PASS` prints the graph after one.\n");
    for (const Pass *p = passes; p->name; p++) printf("  %-10s %s\n", p->name, p->help);
    return EXIT_OK;
}

static int help_errors(void)
{
    puts("The errors and warnings; `nnc explain CODE` tells more about one.\n");
    for (const ErrorInfo *e = error_table; e->code; e++) printf("  %s  %s\n", e->code, e->title);
    return EXIT_OK;
}

typedef struct Topic { const char *name; int (*print)(void); } Topic;
static const Topic topics[] = {
    {"language", help_language}, {"ops", help_ops}, {"passes", help_passes},
    {"errors", help_errors},
};
enum { N_TOPICS = sizeof topics / sizeof *topics };

int cmd_help(void)
{
    VEC(const char *) known = {0};
    if (!settings.args.n) {
        print_overview(stdout);
        return EXIT_OK;
    }
    const char *word = settings.args.at[0];
    for (int i = 0; i < N_TOPICS; i++) {
        if (!strcmp(topics[i].name, word)) return topics[i].print();
        vec_push(&known, topics[i].name);
    }
    for (const Command *c = commands; c->name; c++) {
        if (!strcmp(c->name, word)) {
            print_command_help(stdout, c);
            return EXIT_OK;
        }
        vec_push(&known, c->name);
    }
    return usage_error(NULL, "no help about `%s`%s", word,
                       did_you_mean(word, known.at, known.n));
}

/* A program, set in from the margin. */
static void print_program(const char *title, const char *text)
{
    if (!text) return;
    printf("\n%s\n\n", title);
    while (*text) {
        int n = (int)strcspn(text, "\n");
        if (n) printf("    %.*s\n", n, text);
        else putchar('\n');
        text += n + (text[n] == '\n');
    }
}

int cmd_explain(void)
{
    VEC(const char *) known = {0};
    if (!settings.args.n)
        return usage_error("explain", "which error? `nnc help errors` lists them");
    const char *code = settings.args.at[0];
    const ErrorInfo *e = error_info(code);
    if (e) {
        printf("%s: %s\n\n%s\n", e->code, e->title, e->text);
        print_program("with this error:", e->wrong);
        print_program("without it:", e->right);
        return EXIT_OK;
    }
    for (e = error_table; e->code; e++) vec_push(&known, e->code);
    return usage_error("explain", "no error `%s`%s", code, did_you_mean(code, known.at, known.n));
}
