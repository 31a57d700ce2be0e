/* lower_expr.c - expressions: from the tree to numbers known now and nodes of the graph.
 * In: an expression and what its names mean. Out: a Value; errors are reported once and poison the
 * result. Numbers are computed at once; tensors are broadcast explicitly. */
#include "lower.h"

#include <limits.h>
#include <math.h>
#include <string.h>

bool static_context(void) { return low->in_init || !low->entry; }

void place_at(Span at)
{
    bool inside = at.src && at.src->is_std && low->user_call.src;
    low->g->span = inside ? low->user_call : at;
}

void diag_context(Diag *d, Span at)
{
    Span call = low->user_call;
    bool inside = call.src == at.src && call.begin <= at.begin && at.end <= call.end;
    if (call.src && at.src && !inside) diag_label(d, call, "in this call");
}

/* ---- bringing two operands together ---- */

static const char *operator_verb(Operator o)
{
    switch (o) {
    case O_ADD: return "add";
    case O_SUB: return "subtract";
    case O_MUL: return "multiply";
    case O_DIV: return "divide";
    case O_MOD: return "take the remainder of";
    case O_POW: return "raise";
    case O_AND:
    case O_OR: return "combine";
    default: return "compare";
    }
}

static void diag_operands(Diag *d, const Value *a, const Value *b)
{
    diag_here(d, "%s", "");
    if (a->span.src) diag_label(d, a->span, "%s", value_text(a));
    if (b->span.src) diag_label(d, b->span, "%s", value_text(b));
    diag_context(d, a->span);
}

static bool is_word(const char *s)
{
    for (; *s; s++)
        if (strchr("()[]{}+-*/@^%<>=!?:,|&. '", *s)) return false;
    return true;
}

/* "for one value per row write `b[:, new]`": when a vector fits another axis of a matrix. */
static void hint_axis(Diag *d, const Value *wide, const Value *narrow)
{
    Type w, n;
    if (!value_type(wide, &w) || !value_type(narrow, &n) || w.shape.rank != 2 || n.shape.rank != 1) return;
    const char *name = span_text(narrow->span);
    if (n.shape.size[0] != w.shape.size[0] || !is_word(name)) return;
    diag_hint(d, "for one value per row write `%s[:, new]`; for one per column declare `%s: %s[%s]`", name, name,
              elem_text(n.elem), size_text(w.shape.size[1]));
}

static void report_shapes(const Value *a, const Value *b, const char *what, Span at, const Shape *x, const Shape *y)
{
    Diag *d = error_at("E0302", at, "cannot %s %s and %s", what, value_text(a), value_text(b));
    diag_operands(d, a, b);
    int i = 1;
    while (i <= x->rank && i <= y->rank && (x->size[x->rank - i] == y->size[y->rank - i] || size_is(x->size[x->rank - i], 1) || size_is(y->size[y->rank - i], 1))) i++;
    if (i <= x->rank && i <= y->rank)
        diag_note(d, "sizes are matched from the right: %s against %s", size_text(x->size[x->rank - i]), size_text(y->size[y->rank - i]));
    if (x->rank > y->rank) hint_axis(d, a, b);
    else hint_axis(d, b, a);
}

static void report_elements(const Value *a, const Value *b, const char *what, Span at, Elem x, Elem y)
{
    Diag *d = error_at("E0320", at, "cannot %s %s and %s", what, value_text(a), value_text(b));
    diag_operands(d, a, b);
    diag_note(d, "%s and %s are different kinds of numbers and are never mixed silently", elem_text(x), elem_text(y));
    const Value *other = elem_is_real(x) ? b : a;
    Elem to = elem_is_real(x) ? x : elem_is_real(y) ? y : ELEM_I32;
    diag_hint(d, "convert it: `%s(%s)`", elem_text(to), span_text(other->span));
}

static void warn_stretch(const Shape *x, const Shape *y, const Shape *to, const Value *a, const Value *b, Span at)
{
    bool sx = false, sy = false;
    for (int i = 0; i < to->rank; i++) {
        int ix = i - (to->rank - x->rank), iy = i - (to->rank - y->rank);
        sx |= ix >= 0 && x->size[ix] != to->size[i];
        sy |= iy >= 0 && y->size[iy] != to->size[i];
    }
    if (!sx || !sy) return;
    Diag *d = warning_at("W0101", at, "both operands are stretched, to %s", type_text((Type){ELEM_REAL, *to}));
    diag_operands(d, a, b);
    diag_hint(d, "if an outer product is meant, this is right; else a `new` is in the wrong place");
}

/* The common shape from the right; 1s stretch. */
static bool join_shapes(const Shape *x, const Shape *y, Shape *to)
{
    to->rank = x->rank > y->rank ? x->rank : y->rank;
    for (int i = 1; i <= to->rank; i++) {
        SizeRef sx = i <= x->rank ? x->size[x->rank - i] : NULL, sy = i <= y->rank ? y->size[y->rank - i] : NULL;
        if (sx && sy && sx != sy && !size_is(sx, 1) && !size_is(sy, 1)) return false;
        to->size[to->rank - i] = !sx || (sy && size_is(sx, 1)) ? sy : sx;
    }
    return true;
}

static Elem element_of(const Value *a, const Value *b)
{
    if (a->kind == V_NODE) return a->node->type.elem;
    if (b->kind == V_NODE) return b->node->type.elem;
    return (a->is_bool && b->is_bool) ? ELEM_BOOL : ELEM_REAL;
}

bool unify(const Value *a, const Value *b, Node **na, Node **nb, const char *what, Span at)
{
    Elem e = element_of(a, b);
    *na = value_to_node(a, e);
    *nb = value_to_node(b, e);
    if (!*na || !*nb) return false;
    Elem x = (*na)->type.elem, y = (*nb)->type.elem;
    if (x != y) {
        report_elements(a, b, what, at, x, y);
        return false;
    }
    Shape sa = (*na)->type.shape, sb = (*nb)->type.shape, to = {0};
    if (!join_shapes(&sa, &sb, &to)) {
        report_shapes(a, b, what, at, &sa, &sb);
        return false;
    }
    warn_stretch(&sa, &sb, &to, a, b, at);
    *na = n_expand(low->g, *na, &to);
    *nb = n_expand(low->g, *nb, &to);
    return true;
}

/* ---- numbers known now ---- */

static Value static_divide(const Value *a, const Value *b, Span at)
{
    long k;
    bool constant = !isnan(a->num) && !isnan(b->num);
    if (!a->size || !b->size || size_is(b->size, 0)) return value_number(a->num / b->num, at);
    Value v = {.kind = V_NUMBER, .span = at, .num = constant ? a->num / b->num : NAN, .size = size_div(a->size, b->size)};
    bool exact = size_mul(v.size, b->size) == a->size;
    if (!constant && !exact) v.over = a->size, v.under = b->size;
    if (exact && size_is_const(v.size, &k)) v.num = (double)k;
    return v;
}

static SizeRef sized(Operator op, SizeRef a, SizeRef b)
{
    switch (op) {
    case O_ADD: return size_add(a, b);
    case O_SUB: return size_sub(a, b);
    case O_MUL: return size_mul(a, b);
    default: return size_mod(a, b);
    }
}

/* a quotient that is not known yet goes on as a quotient: (N/2) + 1 is (N + 2)/2 */
static void keep_quotient(Operator op, const Value *a, const Value *b, Value *v)
{
    SizeRef one = size_const(1);
    SizeRef x = a->over ? a->over : a->size, y = b->over ? b->over : b->size;
    SizeRef p = a->over ? a->under : one, q = b->over ? b->under : one;
    if ((!a->over && !b->over) || op == O_MOD) return;
    v->under = size_mul(p, q);
    v->over = op == O_MUL ? size_mul(x, y) : sized(op, size_mul(x, q), size_mul(y, p));
}

static Value static_power(const Value *a, const Value *b, Span at)
{
    long k;
    if (!isnan(a->num) && !isnan(b->num)) return value_number(pow(a->num, b->num), at);
    if (!a->size || !value_integer(b, &k) || k < 0 || k > 8) return value_number(NAN, at);
    SizeRef s = size_const(1);
    while (k-- > 0) s = size_mul(s, a->size);
    return value_size(s, at);
}

static bool whole(const Value *v) { return v->size && (isnan(v->num) || v->num == floor(v->num)); }

static double plain_arithmetic(Operator op, double a, double b)
{
    switch (op) {
    case O_ADD: return a + b;
    case O_SUB: return a - b;
    case O_MUL: return a * b;
    default: return a - b * floor(a / b);
    }
}

/* A number has two faces: as a size it is an integer, quotients rounded down as in C; as data it is
 * the exact value. */
static Value static_arithmetic(Operator op, const Value *a, const Value *b, Span at)
{
    if (op == O_DIV) return static_divide(a, b, at);
    if (op == O_POW) return static_power(a, b, at);
    double x = plain_arithmetic(op, a->num, b->num);
    bool has_size = a->size && b->size && !(op == O_MOD && size_is(b->size, 0));
    if (!has_size) return value_number(x, at);
    Value v = value_size(sized(op, a->size, b->size), at);
    if (!isnan(a->num) && !isnan(b->num)) v.num = x;
    keep_quotient(op, a, b, &v);
    return v;
}

/* -1 less, 0 equal, 1 greater, 2 not known at compile time */
static int static_order(const Value *a, const Value *b)
{
    if (!isnan(a->num) && !isnan(b->num)) return a->num < b->num ? -1 : a->num > b->num;
    if (!a->size || !b->size) return 2;
    SizeRef d = size_sub(a->size, b->size);
    if (size_is(d, 0)) return 0;
    if (size_lower(d) > 0) return 1;
    return size_upper(d) < 0 ? -1 : 2;
}

static bool static_compare(Operator op, const Value *a, const Value *b, bool *result)
{
    int o = static_order(a, b);
    long lo = 1, hi = -1;
    if (o == 2 && a->size && b->size) {                /* N <= 64 holds for N in 1..64 */
        SizeRef d = size_sub(a->size, b->size);
        lo = size_lower(d), hi = size_upper(d);
        if (op == O_LE && hi <= 0) return *result = true, true;
        if (op == O_GE && lo >= 0) return *result = true, true;
        if (op == O_GT && hi <= 0) return *result = false, true;
        if (op == O_LT && lo >= 0) return *result = false, true;
    }
    if (o == 2) return false;
    *result = op == O_EQ ? o == 0 : op == O_NE ? o != 0 : op == O_LT ? o < 0 : op == O_GT ? o > 0 : op == O_LE ? o <= 0 : o >= 0;
    return true;
}

static bool is_comparison(Operator op) { return op >= O_EQ && op <= O_GE; }

/* ---- operators ---- */

static Op operator_op(Operator o, bool *swap)
{
    *swap = o == O_GT || o == O_GE;
    switch (o) {
    case O_ADD: return OP_ADD;
    case O_SUB: return OP_SUB;
    case O_MUL: return OP_MUL;
    case O_DIV: return OP_DIV;
    case O_MOD: return OP_MOD;
    case O_POW: return OP_POW;
    case O_AND: return OP_AND;
    case O_OR: return OP_OR;
    case O_EQ: return OP_EQ;
    case O_NE: return OP_NE;
    case O_LT:
    case O_GT: return OP_LT;
    default: return OP_LE;
    }
}

static Value need_bool(const Value *v)
{
    Diag *d = error_at("E0321", v->span, "a condition (bool) is needed here, this is %s", value_text(v));
    diag_here(d, "%s", "");
    diag_hint(d, "compare it: `%s != 0`", span_text(v->span));
    return value_poison();
}

static bool is_bool_value(const Value *v)
{
    Type t;
    return value_type(v, &t) && t.elem == ELEM_BOOL;
}

static bool elements_allowed(Operator op, const Value *a, const Value *b)
{
    if (op == O_AND || op == O_OR) {
        if (!is_bool_value(a)) return need_bool(a), false;
        if (!is_bool_value(b)) return need_bool(b), false;
        return true;
    }
    if (op == O_EQ || op == O_NE) return true;
    const Value *bad = is_bool_value(a) ? a : is_bool_value(b) ? b : NULL;
    if (!bad) return true;
    Diag *d = error_at("E0321", bad->span, "cannot calculate with a condition (bool)");
    diag_here(d, "%s", value_text(bad));
    diag_hint(d, "convert it: `real(%s)` is 1 where it holds, else 0", span_text(bad->span));
    return false;
}

typedef struct BinaryJob { Operator op; Span at, whole; } BinaryJob;

static Value binary_member(Value *args, int n, const Slot *slot, void *user)
{
    (void)n, (void)slot;
    const BinaryJob *j = user;
    return lower_binary(j->op, args[0], args[1], j->at, j->whole);
}

/* (a, b) == (c, d): all parts equal */
static Value tuple_compare(Operator op, const Value *a, const Value *b, Span at, Span whole)
{
    if (a->kind != V_TUPLE || b->kind != V_TUPLE || a->parts.n != b->parts.n || (op != O_EQ && op != O_NE)) {
        Diag *d = error_at("E0204", at, "cannot %s %s and %s", operator_verb(op), value_text(a), value_text(b));
        diag_operands(d, a, b);
        return value_poison();
    }
    Value all = value_bool(true, whole);
    for (int i = 0; i < a->parts.n; i++) {
        Value same = lower_binary(O_EQ, a->parts.at[i], b->parts.at[i], at, whole);
        Type t;
        if (value_type(&same, &t) && t.shape.rank)
            same = value_node(n_reduce(low->g, OP_ALL, same.node, (1u << t.shape.rank) - 1), whole);
        all = lower_binary(O_AND, all, same, at, whole);
    }
    return op == O_EQ ? all : lower_unary_op(OP_NOT, all, whole);
}

Value lower_binary(Operator op, Value a, Value b, Span at, Span whole_span)
{
    if (a.kind == V_POISON || b.kind == V_POISON) return value_poison();
    Value pair[2] = {a, b};
    BinaryJob job = {op, at, whole_span};
    if (any_set(pair, 2)) return set_map(pair, 2, binary_member, &job, whole_span);
    if (a.kind == V_TUPLE || b.kind == V_TUPLE) return tuple_compare(op, &a, &b, at, whole_span);
    if (op == O_MATMUL) return lower_matmul(&a, &b, at, whole_span);
    bool result;
    if (a.kind == V_NUMBER && b.kind == V_NUMBER && !(op == O_AND || op == O_OR)) {
        if (!is_comparison(op)) return elements_allowed(op, &a, &b) ? static_arithmetic(op, &a, &b, whole_span) : value_poison();
        if (static_compare(op, &a, &b, &result)) return value_bool(result, whole_span);
    }
    Type ta, tb;
    if (!value_type(&a, &ta) || !value_type(&b, &tb)) {
        const Value *bad = value_type(&a, &ta) ? &b : &a;
        value_to_node(bad, ELEM_REAL);
        return value_poison();
    }
    if (!elements_allowed(op, &a, &b)) return value_poison();
    if (a.kind == V_NUMBER && b.kind == V_NUMBER && a.is_bool && b.is_bool)
        return value_bool(op == O_AND ? a.num != 0 && b.num != 0 : a.num != 0 || b.num != 0, whole_span);
    Node *na, *nb;
    bool swap;
    if (!unify(&a, &b, &na, &nb, operator_verb(op), at)) return value_poison();
    Op o = operator_op(op, &swap);
    return value_node(n_map2(low->g, o, swap ? nb : na, swap ? na : nb), whole_span);
}

static Value unary_member(Value *args, int n, const Slot *slot, void *user)
{
    (void)n, (void)slot;
    return lower_unary_op(*(Op *)user, args[0], args[0].span);
}

/* A number known now keeps being one: the few functions that make sense on sizes and consts. */
static bool static_function(Op op, double x, double *y)
{
    switch (op) {
    case OP_NEG: *y = -x; return true;
    case OP_EXP: *y = exp(x); return true;
    case OP_LOG: *y = log(x); return true;
    case OP_SQRT: *y = sqrt(x); return true;
    case OP_RSQRT: *y = 1 / sqrt(x); return true;
    case OP_ABS: *y = fabs(x); return true;
    case OP_SIGN: *y = (x > 0) - (x < 0); return true;
    case OP_FLOOR: *y = floor(x); return true;
    case OP_CEIL: *y = ceil(x); return true;
    case OP_ROUND: *y = rint(x); return true;
    case OP_SIN: *y = sin(x); return true;
    case OP_COS: *y = cos(x); return true;
    case OP_TANH: *y = tanh(x); return true;
    case OP_SIGMOID: *y = 1 / (1 + exp(-x)); return true;
    case OP_ERF: *y = erf(x); return true;
    default: return false;
    }
}

Value lower_unary_op(Op op, Value a, Span at)
{
    if (a.kind == V_POISON) return a;
    if (a.kind == V_SET) return set_map(&a, 1, unary_member, &op, at);
    if (op == OP_NOT) {
        if (!is_bool_value(&a)) return need_bool(&a);
        if (a.kind == V_NUMBER) return value_bool(a.num == 0, at);
        return value_node(n_map1(low->g, op, a.node), at);
    }
    double y;
    if (a.kind == V_NUMBER && op == OP_NEG && whole(&a)) return value_size(size_sub(size_const(0), a.size), at);
    if (a.kind == V_NUMBER && !isnan(a.num) && static_function(op, a.num, &y)) return value_number(y, at);
    Node *n = value_to_node(&a, ELEM_REAL);
    if (!n) return value_poison();
    bool works_on_int = op == OP_NEG || op == OP_ABS || op == OP_SIGN || op == OP_STOP;
    if (!elem_is_real(n->type.elem) && !(works_on_int && elem_is_int(n->type.elem))) {
        Diag *d = error_at("E0320", a.span, "`%s` needs real numbers, this is %s", op_info[op].name, value_text(&a));
        diag_here(d, "%s", "");
        diag_hint(d, "convert it: `real(%s)`", span_text(a.span));
        return value_poison();
    }
    return value_node(n_map1(low->g, op, n), at);
}

Value lower_select(Value c, Value a, Value b, Span whole_span)
{
    if (c.kind == V_POISON || a.kind == V_POISON || b.kind == V_POISON) return value_poison();
    if (!is_bool_value(&c)) return need_bool(&c);
    Node *na, *nb, *nc = value_to_node(&c, ELEM_BOOL);
    if (!nc || !unify(&a, &b, &na, &nb, "choose between", whole_span)) return value_poison();
    Shape to;
    if (!join_shapes(&nc->type.shape, &na->type.shape, &to)) {
        Value chosen = value_node(na, a.span);
        report_shapes(&c, &chosen, "choose by", whole_span, &nc->type.shape, &na->type.shape);
        return value_poison();
    }
    Graph *g = low->g;
    return value_node(n_map3(g, OP_WHERE, n_expand(g, nc, &to), n_expand(g, na, &to), n_expand(g, nb, &to)), whole_span);
}

/* ---- forms of expressions ---- */

static Value lower_choice(Env *e, const Expr *x)
{
    Value c = lower_expr(e, x->a);
    if (c.kind == V_NUMBER && c.is_bool) return lower_expr(e, c.num != 0 ? x->b : x->c);
    Value a = lower_expr(e, x->b), b = lower_expr(e, x->c);
    place_at(x->span);
    return lower_select(c, a, b, x->span);
}

/* `a && b` with a known left side does not look at the right side when it does not matter. */
static Value lower_logic(Env *e, const Expr *x)
{
    Value a = lower_expr(e, x->a);
    if (a.kind == V_NUMBER && a.is_bool && (a.num != 0) == (x->op == O_OR)) return a;
    Value b = lower_expr(e, x->b);
    if (a.kind == V_NUMBER && a.is_bool && is_bool_value(&b)) return b;
    if (b.kind == V_NUMBER && b.is_bool && is_bool_value(&a)) return (b.num != 0) == (x->op == O_OR) ? b : a;
    place_at(x->span);
    return lower_binary(x->op, a, b, x->at, x->span);
}

static Value lower_convert(Env *e, const Expr *x)
{
    if (x->list.n != 1) {
        Diag *d = error_at("E0205", x->span, "`%s(..)` converts one value", elem_text(x->elem));
        diag_here(d, "%s", "");
        return value_poison();
    }
    Value v = lower_expr(e, x->list.at[0]);
    if (v.kind == V_POISON) return v;
    bool real = elem_is_real(x->elem);
    if (v.kind == V_NUMBER && real) v.is_bool = false;
    if (v.kind == V_NUMBER && (x->elem == ELEM_REAL || (real && static_context()))) return v;
    bool whole = v.kind == V_NUMBER && !real && !v.is_bool && !isnan(v.num);
    Node *n = whole ? n_const(low->g, x->elem, trunc(v.num)) : value_to_node(&v, real ? x->elem : ELEM_REAL);
    place_at(x->span);
    return n ? value_node(n_cast(low->g, x->elem, n), x->span) : value_poison();
}

static Value lower_tuple(Env *e, const Expr *x)
{
    ValueList parts = {0};
    for (int i = 0; i < x->list.n; i++) vec_push(&parts, lower_expr(e, x->list.at[i]));
    return value_tuple(&parts, x->span);
}

static Value lower_transpose(Env *e, const Expr *x)
{
    Value v = lower_expr(e, x->a);
    if (v.kind == V_POISON) return v;
    Node *n = value_to_node(&v, ELEM_REAL);
    if (!n) return value_poison();
    if (n->type.shape.rank < 2) {
        Diag *d = error_at("E0304", x->span, "`'` transposes the last two axes, this is %s", value_text(&v));
        diag_here(d, "%s", "");
        return value_poison();
    }
    return value_node(n_swap_last(low->g, n), x->span);
}

/* o.Adam of an import with a name; net.fc1.W of an instance. */
static Value lower_field(Env *e, const Expr *x)
{
    Value v = lower_expr(e, x->a);
    if (v.kind == V_POISON) return v;
    if (v.kind == V_MODULE) {
        const Symbol *s = scope_find(v.module, x->name);
        if (s) return global_value(s, x->span);
    }
    if (v.kind == V_INSTANCE) {
        for (int i = 0; i < v.inst->children.n; i++)
            if (v.inst->children.at[i].name == x->name) return (Value){.kind = V_INSTANCE, .span = x->span, .inst = v.inst->children.at[i].inst};
        const char *path = intern_str(format("%s.%s", v.inst->path, x->name));
        for (int i = 0; i < v.inst->slots.n; i++)
            if (v.inst->slots.at[i]->path == path) return memory_value(v.inst->slots.at[i], x->span);
        if (!low->final_round) return value_poison();
    }
    Diag *d = error_at("E0201", x->at, "%s has nothing named `%s`", value_text(&v), x->name);
    diag_here(d, "%s", "");
    if (v.kind == V_INSTANCE) diag_hint(d, "the weights of an instance exist after its first use");
    return value_poison();
}

static Value not_here(const Expr *x, const char *what)
{
    Diag *d = error_at("E0204", x->span, "%s", what);
    diag_here(d, "%s", "");
    return value_poison();
}

/* next h: what the step gave `h`, readable from its line on */
static Value lower_next(Env *e, const Expr *x)
{
    Local *l = env_find(e, intern_str(format("next %s", x->name)));
    return l ? l->value : not_here(x, format("`next %s` has no value here", x->name));
}

static Value lower_operator(Env *e, const Expr *x)
{
    if (x->op == O_PIPE) return lower_call(e, x);
    if (x->op == O_AND || x->op == O_OR) return lower_logic(e, x);
    Value a = lower_expr(e, x->a), b = lower_expr(e, x->b);
    place_at(x->span);
    return lower_binary(x->op, a, b, x->at, x->span);
}

Value lower_expr(Env *e, const Expr *x)
{
    const char *eq = low->eq_name;
    if (x->kind != EX_CALL && x->kind != EX_NAME && x->kind != EX_INDEX && !(x->kind == EX_BINARY && x->op == O_PIPE)) low->eq_name = NULL;
    Value v = value_poison();
    switch (x->kind) {
    case EX_NAME: v = env_lookup(e, x->name, x->span); break;
    case EX_NUMBER: v = value_number(x->num, x->span); break;
    case EX_STRING: v = (Value){.kind = V_STRING, .span = x->span, .text = x->name}; break;
    case EX_TRAINING: v = value_bool(low->training, x->span); break;
    case EX_NEXT: v = lower_next(e, x); break;
    case EX_GRAD: v = lower_grad(e, x); break;
    case EX_CONVERT: v = lower_convert(e, x); break;
    case EX_TUPLE: v = lower_tuple(e, x); break;
    case EX_ARRAY: v = lower_array(e, x); break;
    case EX_CALL: v = is_fold_expr(x) ? lower_fold_expr(e, x) : lower_call(e, x); break;
    case EX_INDEX: {
        Value base = lower_expr(e, x->a);
        bool callable = base.kind == V_FUNCTION || base.kind == V_BUILTIN;
        bool stacked = base.kind == V_INSTANCE && base.inst->layer.kind == V_STACK;
        v = base.kind == V_POISON ? base : callable ? apply_statics(e, base, x) : stacked ? stack_member(e, &base, x) : lower_index(e, base, x);
        break;
    }
    case EX_FIELD: v = lower_field(e, x); break;
    case EX_TRANSPOSE: v = lower_transpose(e, x); break;
    case EX_UNARY: {
        Value a = lower_expr(e, x->a);
        place_at(x->span);
        v = lower_unary_op(x->op == O_NOT ? OP_NOT : OP_NEG, a, x->span);
        break;
    }
    case EX_BINARY: v = lower_operator(e, x); break;
    case EX_SELECT: v = lower_choice(e, x); break;
    case EX_ERROR: break;
    case EX_DOTS:
    case EX_NEW:
    case EX_RANGE:
    case EX_IN:
    case EX_NAMED: v = not_here(x, "this has a meaning only inside `[ ]`"); break;
    }
    low->eq_name = eq;
    if (v.kind != V_POISON) v.span = x->span;
    return v;
}
