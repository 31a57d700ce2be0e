/* lower_builtin.c - the functions that are built into the language: elementwise operators of the
 * table, folds, movement of elements, shapes, distributions. Everything else is library. */
#include "lower.h"

#include <math.h>
#include <string.h>

bool sort_arguments(const ArgumentList *args, const char *const *names, int n, int required,
                    const char *what, Span whole, Value *out)
{
    int next = 0;
    const char *problem = NULL;
    Span at = whole;
    for (int i = 0; i < n; i++) out[i] = value_poison();
    for (int i = 0; i < args->n && !problem; i++) {
        int k = next;
        if (args->at[i].name)
            for (k = 0; k < n && strcmp(names[k], args->at[i].name); k++) {
            }
        else
            next++;
        at = args->at[i].span;
        if (k >= n)
            problem = args->at[i].name
                          ? format("`%s` has no argument named `%s`", what, args->at[i].name)
                          : format("`%s` takes %d argument%s at most", what, n, n == 1 ? "" : "s");
        else
            out[k] = *args->at[i].value;
    }
    for (int i = 0; i < required && !problem; i++)
        if (out[i].kind == V_POISON)
            problem = format("`%s` needs the argument `%s`", what, names[i]), at = whole;
    if (!problem) return true;
    Diag *d = error_at("E0205", at, "%s", problem);
    diag_here(d, "%s", "");
    return false;
}

static Value bad_value(const Value *v, const char *code, const char *text)
{
    Diag *d = error_at(code, v->span, "%s, this is %s", text, value_text(v));
    diag_here(d, "%s", "");
    return value_poison();
}

static Value must_be_real(const Value *v, const char *code, const char *function)
{
    Diag *d = error_at(code, v->span, "`%s` needs %snumbers, this is %s", function,
                       strcmp(function, "mean") ? "" : "real ", value_text(v));
    diag_here(d, "%s", "");
    diag_hint(d, "convert it: `real(%s)`", span_text(v->span));
    return value_poison();
}

/* ---- elementwise ---- */

/* log(softmax(z)) loses the digits that log_softmax(z) keeps. */
static void warn_log_softmax(Env *e, const Expr *x, Span whole)
{
    const Expr *f = !x                                        ? NULL
                    : x->kind == EX_CALL                      ? x->a
                    : x->kind == EX_BINARY && x->op == O_PIPE ? x->b
                                                              : NULL;
    const Symbol *s = f && f->kind == EX_NAME && !strcmp(f->name, "softmax")
                          ? scope_find(e->module, f->name)
                          : NULL;
    if (!s || !s->module->src->is_std) return;
    Diag *d = warning_at("W0102", whole,
                         "`log(softmax(..))` loses digits where the probability is small");
    diag_here(d, "%s", "");
    diag_hint(d, "write `log_softmax(..)`");
}

static Value call_unary(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    Value v;
    static const char *const names[] = {"x"};
    if (!sort_arguments(args, names, 1, 1, b->name, whole, &v)) return v;
    if (b->op == OP_LOG) warn_log_softmax(e, args->at[0].expr, whole);
    Value y = lower_unary_op(b->op, v, whole);
    y.span = whole;
    return y;
}

static Value call_identity(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    Value v;
    static const char *const names[] = {"x"};
    return sort_arguments(args, names, 1, 1, b->name, whole, &v) ? v : value_poison();
}

typedef struct BinaryCall {
    Op op;
    Span whole;
    const char *name;
} BinaryCall;

static Value binary_values(Value *args, int n, const Slot *slot, void *user)
{
    (void)n, (void)slot;
    const BinaryCall *c = user;
    Value a = args[0], b = args[1];
    Node *na, *nb;
    if (a.kind == V_NUMBER && b.kind == V_NUMBER && !isnan(a.num) && !isnan(b.num)) {
        if (c->op == OP_MIN) return a.num <= b.num ? a : b;
        if (c->op == OP_MAX) return a.num >= b.num ? a : b;
    }
    if (!unify(&a, &b, &na, &nb, format("take `%s` of", c->name), c->whole)) return value_poison();
    return value_node(n_map2(low->g, c->op, na, nb), c->whole);
}

static Value call_binary(Op op, const char *name, Value a, Value b, Span whole)
{
    Value pair[2] = {a, b};
    BinaryCall c = {op, whole, name};
    return any_set(pair, 2) ? set_map(pair, 2, binary_values, &c, whole)
                            : binary_values(pair, 2, NULL, &c);
}

static Value call_where(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    Value v[3];
    static const char *const names[] = {"condition", "a", "b"};
    return sort_arguments(args, names, 3, 3, b->name, whole, v)
               ? lower_select(v[0], v[1], v[2], whole)
               : value_poison();
}

static Value call_pow(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    Value v[2];
    static const char *const names[] = {"x", "y"};
    return sort_arguments(args, names, 2, 2, b->name, whole, v)
               ? lower_binary(O_POW, v[0], v[1], whole, whole)
               : value_poison();
}

/* ---- folds ---- */

static bool one_axis(const Value *v, int rank, unsigned *axes)
{
    long k;
    if (!value_integer(v, &k) || k >= rank || k < -rank) {
        Diag *d = error_at("E0304", v->span, "an axis is a number in %d..%d here, this is %s",
                           -rank, rank - 1, value_text(v));
        diag_here(d, "%s", "");
        return false;
    }
    *axes |= 1u << (k < 0 ? k + rank : k);
    return true;
}

/* axis = -1, axis = (0, 2), or nothing for all */
static bool axes_of(const Value *v, int rank, unsigned *axes)
{
    *axes = 0;
    if (v->kind == V_POISON) {
        *axes = (1u << rank) - 1;
        return true;
    }
    if (v->kind != V_TUPLE) return one_axis(v, rank, axes);
    for (int i = 0; i < v->parts.n; i++)
        if (!one_axis(&v->parts.at[i], rank, axes)) return false;
    return true;
}

static Value add_members(const Builtin *b, const Value *set, Span whole)
{
    if (b->op != OP_SUM) return bad_value(set, "E0204", "only `sum` adds up a set");
    Value total = value_number(0, whole);
    for (int i = 0; i < set->set.n; i++) {
        Node *n = set->set.at[i].node;
        Node *s = n_reduce(low->g, OP_SUM, n, (1u << n->type.shape.rank) - 1);
        total = i ? lower_binary(O_ADD, total, value_node(s, whole), whole, whole)
                  : value_node(s, whole);
    }
    return total;
}

static SizeRef count_of(const Shape *s, unsigned axes)
{
    SizeRef n = size_const(1);
    for (int i = 0; i < s->rank; i++)
        if (axes >> i & 1) n = size_mul(n, s->size[i]);
    return n;
}

static Value fold_elements(const Builtin *b, Op op, Node *n, const Value *v, Span whole)
{
    bool wants_bool = op == OP_ANY || op == OP_ALL;
    if (wants_bool == (n->type.elem == ELEM_BOOL)) return value_node(n, whole);
    if (wants_bool) return bad_value(v, "E0321", format("`%s` needs conditions (bool)", b->name));
    return must_be_real(v, "E0321", b->name);
}

static Value fold(const Builtin *b, Op op, const Value *x, const Value *axis, bool mean, Span whole)
{
    Node *n = value_to_node(x, op == OP_ANY || op == OP_ALL ? ELEM_BOOL : ELEM_REAL);
    unsigned axes;
    if (!n || fold_elements(b, op, n, x, whole).kind == V_POISON ||
        !axes_of(axis, n->type.shape.rank, &axes))
        return value_poison();
    if (mean && !elem_is_real(n->type.elem)) return must_be_real(x, "E0320", "mean");
    place_at(whole);
    Graph *g = low->g;
    Value v = value_node(n_reduce(g, op, n, axes), whole);
    if (mean)
        v = lower_binary(O_DIV, v, value_size(count_of(&n->type.shape, axes), whole), whole, whole);
    return v;
}

/* sum(x), sum(x, axis = 0); max(a, b) is elementwise. */
static Value call_fold(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    static const char *const names[] = {"x", "axis"};
    Value v[2];
    bool two = args->n == 2 && !args->at[0].name && !args->at[1].name;
    if (two && b->op == OP_MAXOF)
        return call_binary(OP_MAX, b->name, *args->at[0].value, *args->at[1].value, whole);
    if (two && b->op == OP_MINOF)
        return call_binary(OP_MIN, b->name, *args->at[0].value, *args->at[1].value, whole);
    if (!sort_arguments(args, names, 2, 1, b->name, whole, v)) return value_poison();
    if (v[0].kind == V_SET) return add_members(b, &v[0], whole);
    return fold(b, b->op, &v[0], &v[1], !strcmp(b->name, "mean"), whole);
}

/* var(x) = mean((x - mean(x))^2) */
static Value call_var(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    static const char *const names[] = {"x", "axis"};
    Value v[2];
    unsigned axes;
    if (!sort_arguments(args, names, 2, 1, b->name, whole, v)) return value_poison();
    Value m = fold(b, OP_SUM, &v[0], &v[1], true, whole);
    Node *x = m.kind == V_POISON ? NULL : value_to_node(&v[0], ELEM_REAL);
    if (!x || !axes_of(&v[1], x->type.shape.rank, &axes)) return value_poison();
    Node *mean = n_broadcast(low->g, m.node, &x->type.shape, axes);
    Node *d = n_map2(low->g, OP_SUB, x, mean);
    Value square = value_node(n_map2(low->g, OP_MUL, d, d), whole);
    return fold(b, OP_SUM, &square, &v[1], true, whole);
}

/* argmax(x, axis = -1): the last axis when none is named */
static Value call_arg(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    static const char *const names[] = {"x", "axis"};
    Value v[2];
    unsigned axes = 0;
    if (!sort_arguments(args, names, 2, 1, b->name, whole, v)) return value_poison();
    Node *n = value_to_node(&v[0], ELEM_REAL);
    if (!n) return value_poison();
    if (n->type.shape.rank == 0)
        return bad_value(&v[0], "E0304", format("`%s` needs an axis to search", b->name));
    if (v[1].kind == V_POISON)
        axes = 1u << (n->type.shape.rank - 1);
    else if (!one_axis(&v[1], n->type.shape.rank, &axes))
        return value_poison();
    return value_node(n_reduce(low->g, b->op, n, axes), whole);
}

/* ---- distributions ---- */

static Value distribution(const Builtin *b, ArgumentList *args, Span whole, DrawKind kind,
                          const char *const *names, const double *init, int n)
{
    Value d = {.kind = V_DISTRIBUTION, .span = whole, .draw = kind}, v[2];
    if (!sort_arguments(args, names, n, 0, b->name, whole, v)) return value_poison();
    for (int i = 0; i < n; i++)
        vec_push(&d.parts, v[i].kind == V_POISON ? value_number(init[i], whole) : v[i]);
    return d;
}

static Value call_distribution(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    static const char *const range[] = {"lo", "hi"}, *const gauss[] = {"mean", "deviation"},
                             *const p[] = {"p"};
    static const double unit[] = {0, 1}, half[] = {0.5};
    if (!strcmp(b->name, "uniform"))
        return distribution(b, args, whole, DRAW_UNIFORM, range, unit, 2);
    if (!strcmp(b->name, "normal"))
        return distribution(b, args, whole, DRAW_NORMAL, gauss, unit, 2);
    if (!strcmp(b->name, "orthogonal"))
        return distribution(b, args, whole, DRAW_ORTHOGONAL, p, half, 0);
    Value d = distribution(b, args, whole, DRAW_UNIFORM, p, half, 1);
    d.is_bernoulli = true;
    return d;
}

/* Of the tensor being drawn: [in, out] for a matrix, [out, in, ..] for a convolution's kernel. */
static Value call_fan(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e, (void)args;
    const Shape *s = low->drawn;
    if (!s) {
        Diag *d =
            error_at("E0204", whole, "`%s` has a meaning only where a `param` is drawn", b->name);
        diag_here(d, "%s", "");
        return value_poison();
    }
    SizeRef window = size_const(1);
    for (int i = 2; i < s->rank; i++) window = size_mul(window, s->size[i]);
    bool in = !strcmp(b->name, "fan_in");
    if (s->rank == 0) return value_number(1, whole);
    if (s->rank == 1) return value_size(s->size[0], whole);
    if (s->rank == 2) return value_size(s->size[in ? 0 : 1], whole);
    return value_size(size_mul(window, s->size[in ? 1 : 0]), whole);
}

/* ---- what is known at compile time ---- */

static Value call_params(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    Value v;
    static const char *const names[] = {"instance"};
    if (!sort_arguments(args, names, 1, 1, b->name, whole, &v)) return value_poison();
    if (v.kind != V_INSTANCE)
        return bad_value(&v, "E0204", "`params(..)` takes an instance of a layer");
    return params_value(e, v.inst, whole);
}

static Value call_is_integer(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    Value v;
    Type t;
    static const char *const names[] = {"x"};
    if (!sort_arguments(args, names, 1, 1, b->name, whole, &v)) return value_poison();
    return value_bool(v.kind == V_NODE && value_type(&v, &t) && elem_is_int(t.elem), whole);
}

static Value call_size(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    Value v[2];
    Type t;
    long k;
    static const char *const names[] = {"x", "axis"};
    if (!sort_arguments(args, names, 2, 1, b->name, whole, v)) return value_poison();
    if (!value_type(&v[0], &t)) return bad_value(&v[0], "E0204", "`size` needs a tensor");
    if (v[1].kind == V_POISON) return value_size(shape_count(&t.shape), whole);
    unsigned axes = 0;
    if (!one_axis(&v[1], t.shape.rank, &axes)) return value_poison();
    value_integer(&v[1], &k);
    return value_size(t.shape.size[k < 0 ? k + t.shape.rank : k], whole);
}

/* sizeof(work), sizeof(stack), sizeof(params), sizeof(states), or of a tensor, in bytes */
static Value call_sizeof(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    Value v;
    Type t;
    static const char *const names[] = {"x"};
    const Footprint *f = low->footprint;
    if (!sort_arguments(args, names, 1, 1, b->name, whole, &v)) return value_poison();
    if (!f) {
        Diag *d = error_at("E0306", whole, "`sizeof` is known only when the memory is planned");
        diag_here(d, "%s", "");
        diag_hint(d, "it can stand in a `require`, as in `require sizeof(work) <= 65536, \"..\";`");
        return value_poison();
    }
    bool stack = v.kind == V_BUILTIN && v.builtin->call == call_stack;
    if (v.kind == V_STRING && !strcmp(v.text, "work")) return value_number(f->work, whole);
    if (v.kind == V_STRING && !strcmp(v.text, "states")) return value_number(f->states, whole);
    if (stack) return value_number(f->stack, whole);
    if (v.kind == V_SET && v.is_params) return value_number(f->params, whole);
    if (v.kind != V_NUMBER && value_type(&v, &t))
        return value_size(size_mul(shape_count(&t.shape), size_const(elem_bytes(t.elem))), whole);
    return bad_value(&v, "E0204", "`sizeof` takes `work`, `stack`, `params`, `states` or a tensor");
}

const Builtin builtins[] = {
    {"exp", call_unary, OP_EXP, false, "exp(x)"},
    {"log", call_unary, OP_LOG, false, "log(x)"},
    {"sqrt", call_unary, OP_SQRT, false, "sqrt(x)"},
    {"rsqrt", call_unary, OP_RSQRT, false, "rsqrt(x)"},
    {"abs", call_unary, OP_ABS, false, "abs(x)"},
    {"sign", call_unary, OP_SIGN, false, "sign(x)"},
    {"floor", call_unary, OP_FLOOR, false, "floor(x)"},
    {"ceil", call_unary, OP_CEIL, false, "ceil(x)"},
    {"round", call_unary, OP_ROUND, false, "round(x)"},
    {"sin", call_unary, OP_SIN, false, "sin(x)"},
    {"cos", call_unary, OP_COS, false, "cos(x)"},
    {"tanh", call_unary, OP_TANH, false, "tanh(x)"},
    {"sigmoid", call_unary, OP_SIGMOID, false, "sigmoid(x)"},
    {"erf", call_unary, OP_ERF, false, "erf(x)"},
    {"stop_grad", call_unary, OP_STOP, false, "stop_grad(x)"},
    {"identity", call_identity, OP_COUNT, false, "identity(x)"},
    {"pow", call_pow, OP_POW, false, "pow(x, y)"},
    {"where", call_where, OP_WHERE, false, "where(condition, a, b)"},
    {"sum", call_fold, OP_SUM, false, "sum(x, axis = ..)"},
    {"mean", call_fold, OP_SUM, false, "mean(x, axis = ..)"},
    {"prod", call_fold, OP_PROD, false, "prod(x, axis = ..)"},
    {"max", call_fold, OP_MAXOF, false, "max(x, axis = ..), max(a, b)"},
    {"min", call_fold, OP_MINOF, false, "min(x, axis = ..), min(a, b)"},
    {"any", call_fold, OP_ANY, false, "any(x, axis = ..)"},
    {"all", call_fold, OP_ALL, false, "all(x, axis = ..)"},
    {"var", call_var, OP_COUNT, false, "var(x, axis = ..)"},
    {"argmax", call_arg, OP_ARGMAX, false, "argmax(x, axis = -1)"},
    {"argmin", call_arg, OP_ARGMIN, false, "argmin(x, axis = -1)"},
    {"reshape", call_reshape, OP_RESHAPE, false, "reshape(x, [sizes])"},
    {"flatten", call_flatten, OP_RESHAPE, true, "flatten[n](x)"},
    {"transpose", call_transpose, OP_TRANSPOSE, false, "transpose(x, (axes))"},
    {"concat", call_concat, OP_CONCAT, false, "concat(a, b, .., axis = -1)"},
    {"join", call_join, OP_CONCAT, false, "join(a, b, ..): along a new last axis"},
    {"split", call_split, OP_SLICE, false, "split(x, n, axis = -1)"},
    {"pad", call_pad, OP_PAD, false, "pad(x, before, after, axis = -1)"},
    {"reverse", call_reverse, OP_REVERSE, false, "reverse(x, axis = 0)"},
    {"zeros", call_filled, OP_CONST, true, "value"},
    {"ones", call_filled, OP_CONST, true, "value"},
    {"iota", call_filled, OP_IOTA, true, "value"},
    {"one_hot", call_one_hot, OP_EQ, true, "one_hot[n](labels)"},
    {"normal", call_distribution, OP_DRAW, false, "normal(mean = 0, deviation = 1)"},
    {"uniform", call_distribution, OP_DRAW, false, "uniform(lo = 0, hi = 1)"},
    {"bernoulli", call_distribution, OP_DRAW, false, "bernoulli(p = 0.5)"},
    {"orthogonal", call_distribution, OP_DRAW, false, "orthogonal()"},
    {"fan_in", call_fan, OP_COUNT, false, "fan_in()"},
    {"fan_out", call_fan, OP_COUNT, false, "fan_out()"},
    {"params", call_params, OP_COUNT, false, "params, params(instance)"},
    {"is_integer", call_is_integer, OP_COUNT, false, "is_integer(x)"},
    {"size", call_size, OP_SIZE, false, "size(x, axis)"},
    {"rearrange", call_rearrange, OP_COUNT, false, "rearrange(x, \"pattern\")"},
    {"stack", call_stack, OP_COUNT, true, "value"},
    {"sizeof", call_sizeof, OP_COUNT, false, "sizeof(work)"},
    {0},
};

const Builtin *builtin_find(const char *name)
{
    for (const Builtin *b = builtins; b->name; b++)
        if (!strcmp(b->name, name)) return b;
    return NULL;
}

static const char *const words[] = {"inf", "pi", "true", "false", "params", "work", "states"};

bool is_builtin_name(const char *name)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i], name)) return true;
    return builtin_find(name) != NULL;
}

int builtin_names(const char *const **names)
{
    StrList all = {0};
    for (const Builtin *b = builtins; b->name; b++) vec_push(&all, b->name);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) vec_push(&all, words[i]);
    *names = all.at;
    return all.n;
}
