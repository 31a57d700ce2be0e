/* cmd_test.c - `nnc test`: the tests of a file, and its stated derivatives. In: the file. Out: a
 * line for each test, and below a failed one the assertion with the values it compared; exit code
 * 3 when something failed. Every test runs on a fresh model, first interpreted, then as
 * compiled C. */
#include "kernel.h"
#include "numeric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Run {
    Program *program;
    const Entry *lowered;     /* the entries before simplify, which forgets stated derivatives */
    Machine *machine;
    Native *native;           /* NULL: interpreted */
    struct TestEnv *env;
    Text failure;             /* what failed, in words; empty: nothing */
    bool wrong_program;       /* the test itself has errors, which were reported */
} Run;

static bool run_entry(void *user, Entry *e, Tensor *const *args, TensorList *results,
                      const char **message)
{
    Run *r = user;
    if (r->native) return native_call(r->native, r->machine, e, args, results, message);
    return machine_call(r->machine, e, args, results, message);
}

/* ---- assertions ------------------------------------------------------------------------------ */

static const char *list_text(const TensorList *list)
{
    Text out = {0};
    for (int i = 0; i < list->n; i++) {
        text_add(&out, "%s", i ? ", " : list->n > 1 ? "(" : "");
        json_write(&out, list->at[i], elem_is_real(list->at[i]->elem) && !options.f64);
    }
    text_add(&out, list->n > 1 ? ")" : "");
    return out.n <= 400 ? out.s : format("%.396s ..", out.s);
}

/* Reals are equal when they agree to five digits; as floats to four, since what was computed on the
 * way may have been larger than the result. */
static bool are_equal(double a, double b, bool real, bool as_float)
{
    double within = as_float ? 1e-4 : 1e-5;
    if (a == b || (isnan(a) && isnan(b))) return true;
    return real && fabs(a - b) <= within * fmax(0.1, fmax(fabs(a), fabs(b)));
}

static bool holds(Operator op, double a, double b)
{
    switch (op) {
    case O_LT: return a < b;
    case O_GT: return a > b;
    case O_LE: return a <= b;
    default: return a >= b;
    }
}

/* Element by element; a scalar is compared with every element. */
static bool tensors_hold(Operator op, const Tensor *a, const Tensor *b, bool as_float)
{
    long n = a->count > b->count ? a->count : b->count;
    bool real = elem_is_real(a->elem) || elem_is_real(b->elem);
    if (a->rank && b->rank) {
        if (a->rank != b->rank) return false;
        for (int i = 0; i < a->rank; i++)
            if (a->size[i] != b->size[i]) return false;
    }
    for (long i = 0; i < n; i++) {
        double x = a->v[a->rank ? i : 0], y = b->v[b->rank ? i : 0];
        if (op == O_EQ ? !are_equal(x, y, real, as_float) : !holds(op, x, y)) return false;
    }
    return true;
}

static void add_failure(Run *r, const Stmt *s, const char *text)
{
    text_add(&r->failure, "  %s:%d: %s%s\n%s", s->span.src->name, span_line(s->span),
             span_text(s->span), r->native ? "   (compiled)" : "", text);
}

static void run_comparison(Run *r, const Stmt *s, const Expr *x)
{
    TensorList left = {0}, right = {0};
    if (!test_value(r->env, x->a, &left) || !test_value(r->env, x->b, &right)) {
        r->wrong_program = true;
        return;
    }
    bool differ = x->op == O_NE, ok = left.n == right.n;
    Operator op = differ ? O_EQ : x->op;
    bool as_float = r->native && !options.f64;
    for (int i = 0; ok && i < left.n; i++)
        ok = tensors_hold(op, left.at[i], right.at[i], as_float);
    if (ok == differ)
        add_failure(r, s, format("    left   %s\n    right  %s\n", list_text(&left),
                                 list_text(&right)));
}

static void run_assert(Run *r, const Stmt *s)
{
    const Expr *x = s->value;
    TensorList values = {0};
    if (x->kind == EX_BINARY && x->op >= O_EQ && x->op <= O_GE) {
        run_comparison(r, s, x);
        return;
    }
    if (!test_value(r->env, x, &values)) {
        r->wrong_program = true;
        return;
    }
    for (int i = 0; i < values.n; i++) {
        if (values.at[i]->elem == ELEM_BOOL) continue;
        Diag *d = error_at("E0321", x->span, "an assertion is a condition, this is %s",
                           elem_text(values.at[i]->elem));
        diag_here(d, "%s", "");
        diag_hint(d, "compare it: `assert %s == ..;`", span_text(x->span));
        r->wrong_program = true;
        return;
    }
    for (int i = 0; i < values.n; i++)
        for (long k = 0; k < values.at[i]->count; k++)
            if (values.at[i]->v[k] == 0) {
                add_failure(r, s, format("    value  %s\n", list_text(&values)));
                return;
            }
}

/* ---- the other statements -------------------------------------------------------------------- */

/* Derivatives are a matter of the graph, not of the code made from it: checked once. */
static void run_check_grad(Run *r, const Stmt *s)
{
    Entry *e;
    TensorList args = {0};
    if (r->native) return;
    if (!test_call(r->env, s->value, &e, &args)) {
        r->wrong_program = true;
        return;
    }
    int i = 0;
    while (r->program->entries.at[i] != e) i++;
    const char *wrong = check_gradient(r->machine, &r->lowered[i], args.at);
    if (wrong) add_failure(r, s, format("    %s\n", wrong));
}

static bool has_calls(const Expr *x)
{
    if (!x) return false;
    if (x->kind == EX_CALL || has_calls(x->a) || has_calls(x->b) || has_calls(x->c)) return true;
    for (int i = 0; i < x->list.n; i++)
        if (has_calls(x->list.at[i])) return true;
    return false;
}

/* Do the arguments stay the same from one repetition to the next? */
static bool has_fixed_arguments(const Expr *x)
{
    bool fixed = x->kind == EX_CALL;
    for (int i = 0; fixed && i < x->list.n; i++) fixed = !has_calls(x->list.at[i]);
    return fixed;
}

static void repeat_call(Run *r, const Stmt *s, long count)
{
    Entry *e;
    TensorList args = {0};
    const char *message = "";
    if (!test_call(r->env, s->value, &e, &args)) {
        r->wrong_program = true;
        return;
    }
    for (long i = 0; i < count; i++) {
        TensorList results = {0};
        if (run_entry(r, e, args.at, &results, &message)) continue;
        add_failure(r, s, format("    %s\n", message));
        return;
    }
}

static void run_repeat(Run *r, const Stmt *s)
{
    TensorList count = {0};
    if (!test_value(r->env, s->count, &count) || count.n != 1 || count.at[0]->rank) {
        if (!diag_errors())
            diag_here(error_at("E0306", s->count->span, "the count of `repeat` is one number"),
                      "%s", "");
        r->wrong_program = true;
        return;
    }
    long n = (long)count.at[0]->v[0];
    if (has_fixed_arguments(s->value)) {
        repeat_call(r, s, n);
        return;
    }
    for (long i = 0; i < n && !r->wrong_program; i++) {
        TensorList values = {0};
        r->wrong_program = !test_value(r->env, s->value, &values);
    }
}

static void run_statement(Run *r, const Stmt *s)
{
    switch (s->kind) {
    case ST_ASSERT: run_assert(r, s); return;
    case ST_CHECK_GRAD: run_check_grad(r, s); return;
    case ST_REPEAT: run_repeat(r, s); return;
    default: r->wrong_program |= !test_define(r->env, s); return;
    }
}

/* ---- tests ----------------------------------------------------------------------------------- */

typedef struct Tally { int passed, failed; bool wrong_program; } Tally;

static void run_body(Run *r, const Decl *test, uint64_t seed)
{
    const char *error = NULL;
    r->machine = machine_new(r->program, seed);
    if (r->native && !native_init(r->native, r->machine, seed, &error)) {
        text_add(&r->failure, "  the compiled program cannot be initialised: %s\n", error);
        return;
    }
    r->env = test_begin(r->machine, run_entry, r);
    for (int i = 0; i < test->body.n && !r->wrong_program; i++) run_statement(r, test->body.at[i]);
}

static void count_test(Tally *t, const char *name, bool ok, const char *details)
{
    printf("%s %s\n%s", ok ? "ok    " : "FAILED", name, ok ? "" : details);
    fflush(stdout);
    if (ok) t->passed++;
    else t->failed++;
}

static void run_test(Program *p, const Entry *lowered, const Decl *test, Native *native,
                     uint64_t seed, Tally *t)
{
    Run interpreted = {.program = p, .lowered = lowered};
    Run compiled = {.program = p, .lowered = lowered, .native = native};
    run_body(&interpreted, test, seed);
    bool unsafe = interpreted.failure.n && options.bounds != BOUNDS_CLAMP; /* it might stop us */
    if (native && !interpreted.wrong_program && !unsafe) run_body(&compiled, test, seed);
    bool wrong = interpreted.wrong_program || compiled.wrong_program;
    t->wrong_program |= wrong;
    diag_flush(stderr);
    Text all = {0};
    text_add(&all, "%s%s", interpreted.failure.n ? interpreted.failure.s : "",
             compiled.failure.n ? compiled.failure.s : "");
    count_test(t, test->text, !wrong && !all.n, all.s);
}

static void run_stated(Program *p, Tally *t)
{
    StatedList list = {0};
    stated_functions(p, &list);
    for (int i = 0; i < list.n; i++) {
        const Decl *d = list.at[i].decl;
        const char *wrong = check_stated(&list.at[i]);
        if (wrong) {
            Diag *r = error_at("E0406", d->name.span, "the stated gradient of `%s` is wrong: %s",
                               d->name.s, wrong);
            diag_here(r, "%s", "");
            diag_hint(r, "if it is meant to differ, state it as `surrogate`");
        }
        diag_flush(stderr);
        count_test(t, format("the stated gradient of `%s`", d->name.s), !wrong, "");
    }
}

/* NULL and *code EXIT_OK: there is no C compiler, so there is nothing to compile with. */
static Native *build_native(Program *p, int *code)
{
    const char *cc = getenv("CC"), *error = NULL;
    *code = EXIT_OK;
    if (settings.no_compile) return NULL;
    if (!cc || !*cc) cc = "cc";
    if (system(format("command -v %s >/dev/null 2>&1", cc))) {
        printf("note: no C compiler `%s`: the tests are only interpreted\n", cc);
        return NULL;
    }
    options.own_runtime = native_has_runtime();
    Native *n = native_build(p, "-O1 -w -DNN_ONE_ISA", &error);
    if (n) return n;
    fprintf(stderr, "nnc: the generated C cannot be compiled: %s\n", error);
    *code = EXIT_INTERNAL;
    return NULL;
}

/* The entries with their graphs and results as they are now. */
static Entry *copy_entries(const Program *p)
{
    Entry *copy = NEW_N(Entry, p->entries.n + 1);
    for (int i = 0; i < p->entries.n; i++) {
        const Entry *e = p->entries.at[i];
        copy[i] = *e;
        memset(&copy[i].outputs, 0, sizeof copy[i].outputs);
        for (int k = 0; k < e->outputs.n; k++) vec_push(&copy[i].outputs, e->outputs.at[k]);
    }
    return copy;
}

int cmd_test(void)
{
    int code;
    uint64_t seed;
    Tally t = {0};
    if (!read_seed("test", &seed)) return EXIT_USAGE;
    Program *p = load_program(&code);
    if (!p) return code;
    Entry *lowered = copy_entries(p);
    if (!run_passes(p, NULL)) return EXIT_PROGRAM;
    Native *native = p->tests.n ? build_native(p, &code) : NULL;
    for (int i = 0; i < p->tests.n && code != EXIT_INTERNAL; i++)
        run_test(p, lowered, p->tests.at[i], native, seed, &t);
    run_stated(p, &t);
    if (native) native_free(native);
    printf("%d passed, %d failed\n", t.passed, t.failed);
    if (code == EXIT_INTERNAL) return code;
    return t.wrong_program ? EXIT_PROGRAM : t.failed ? EXIT_TEST : EXIT_OK;
}
