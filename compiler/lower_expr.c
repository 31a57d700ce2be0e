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

/* ---- operators ---- */

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

static bool is_comparison(Operator op) { return op >= O_EQ && op <= O_GE; }

static bool whole(const Value *v) { return v->size && (isnan(v->num) || v->num == floor(v->num)); }

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
    Diag *d =
        error_at("E0321", v->span, "a condition (bool) is needed here, this is %s", value_text(v));
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

typedef struct BinaryJob {
    Operator op;
    Span at, whole;
} BinaryJob;

static Value binary_member(Value *args, int n, const Slot *slot, void *user)
{
    (void)n, (void)slot;
    const BinaryJob *j = user;
    return lower_binary(j->op, args[0], args[1], j->at, j->whole);
}

/* (a, b) == (c, d): all parts equal */
static Value tuple_compare(Operator op, const Value *a, const Value *b, Span at, Span whole)
{
    if (a->kind != V_TUPLE || b->kind != V_TUPLE || a->parts.n != b->parts.n ||
        (op != O_EQ && op != O_NE)) {
        Diag *d = error_at("E0204", at, "cannot %s %s and %s", operator_verb(op), value_text(a),
                           value_text(b));
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
        if (!is_comparison(op))
            return elements_allowed(op, &a, &b) ? static_arithmetic(op, &a, &b, whole_span)
                                                : value_poison();
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
        return value_bool(op == O_AND ? a.num != 0 && b.num != 0 : a.num != 0 || b.num != 0,
                          whole_span);
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
    if (a.kind == V_NUMBER && op == OP_NEG && whole(&a))
        return value_size(size_sub(size_const(0), a.size), at);
    if (a.kind == V_NUMBER && !isnan(a.num) && static_function(op, a.num, &y))
        return value_number(y, at);
    Node *n = value_to_node(&a, ELEM_REAL);
    if (!n) return value_poison();
    bool works_on_int = op == OP_NEG || op == OP_ABS || op == OP_SIGN || op == OP_STOP;
    if (!elem_is_real(n->type.elem) && !(works_on_int && elem_is_int(n->type.elem))) {
        Diag *d = error_at("E0320", a.span, "`%s` needs real numbers, this is %s", op_info[op].name,
                           value_text(&a));
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
    return value_node(
        n_map3(g, OP_WHERE, n_expand(g, nc, &to), n_expand(g, na, &to), n_expand(g, nb, &to)),
        whole_span);
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
    if (b.kind == V_NUMBER && b.is_bool && is_bool_value(&a))
        return (b.num != 0) == (x->op == O_OR) ? b : a;
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
    Node *n = whole ? n_const(low->g, x->elem, trunc(v.num))
                    : value_to_node(&v, real ? x->elem : ELEM_REAL);
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
        Diag *d = error_at("E0304", x->span, "`'` transposes the last two axes, this is %s",
                           value_text(&v));
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
            if (v.inst->children.at[i].name == x->name)
                return (Value){
                    .kind = V_INSTANCE, .span = x->span, .inst = v.inst->children.at[i].inst};
        const char *path = intern_str(format("%s.%s", v.inst->path, x->name));
        for (int i = 0; i < v.inst->slots.n; i++)
            if (v.inst->slots.at[i]->path == path)
                return memory_value(v.inst->slots.at[i], x->span);
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
    if (x->kind != EX_CALL && x->kind != EX_NAME && x->kind != EX_INDEX &&
        !(x->kind == EX_BINARY && x->op == O_PIPE))
        low->eq_name = NULL;
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
        v = base.kind == V_POISON ? base
            : callable            ? apply_statics(e, base, x)
            : stacked             ? stack_member(e, &base, x)
                                  : lower_index(e, base, x);
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
