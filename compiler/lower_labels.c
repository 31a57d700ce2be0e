/* lower_labels.c - index notation: y[i, j] = sum[k](W[j, k] * x[i, k]) + b[j].
 * In: an expression over named indices. Out: nodes whose axes are named; operands meet by the names
 * of their axes, so all becomes the same broadcasts, folds and products as in array notation. */
#include "lower_labels.h"

#include <math.h>
#include <string.h>

Labelled labelled_poison(void) { return (Labelled){.v = value_poison()}; }

static bool is_poison(const Labelled *l) { return l->v.kind == V_POISON; }

int index_find(const Indices *ix, const char *name)
{
    for (int i = ix->n - 1; i >= ix->n_dots; i--)
        if (ix->var[i].name == name) return i;
    return -1;
}

bool mentions_index(const Indices *ix, const Expr *x)
{
    if (!x) return false;
    if (x->kind == EX_NAME && index_find(ix, x->name) >= 0) return true;
    if (x->kind == EX_DOTS && ix->n_dots) return true;
    for (int i = 0; i < x->list.n; i++)
        if (mentions_index(ix, x->list.at[i])) return true;
    return mentions_index(ix, x->a) || mentions_index(ix, x->b) || mentions_index(ix, x->c);
}

/* ---- axes ---- */

Labelled label_union(const Labelled *a, const Labelled *b)
{
    Labelled u = {0};
    int i = 0, j = 0;
    while ((i < a->n || j < b->n) && u.n < MAX_RANK) {
        int x = i < a->n ? a->label[i] : 1000, y = j < b->n ? b->label[j] : 1000;
        u.label[u.n++] = x < y ? x : y;
        i += x <= y;
        j += y <= x;
    }
    return u;
}

static Shape label_shape(const Indices *ix, const Labelled *l)
{
    Shape s = {.rank = l->n};
    for (int i = 0; i < l->n; i++) s.size[i] = ix->var[l->label[i]].size;
    return s;
}

Node *label_align(const Indices *ix, const Labelled *a, const Labelled *to)
{
    Shape s = label_shape(ix, to);
    Node *n = value_to_node(&a->v, ELEM_REAL);
    unsigned fresh = 0;
    for (int i = 0, k = 0; i < to->n; i++) {
        if (k < a->n && a->label[k] == to->label[i])
            k++;
        else
            fresh |= 1u << i;
    }
    return n ? n_broadcast(low->g, n, &s, fresh) : NULL;
}

Node *index_node(const Indices *ix, int var, const Labelled *space)
{
    Shape s = label_shape(ix, space);
    for (int i = 0; i < space->n; i++)
        if (space->label[i] == var) return n_iota(low->g, &s, i);
    return NULL;
}

static bool sized(const Indices *ix, int var, Span at)
{
    if (ix->var[var].size) return true;
    Diag *d = error_at("E0306", at, "the range of the index `%s` is not known", ix->var[var].name);
    diag_here(d, "%s", "");
    diag_hint(d, "state it: `%s in n`", ix->var[var].name);
    return false;
}

static Labelled index_value(const Indices *ix, int var, Span at)
{
    Labelled l = {.n = 1, .label = {var}};
    if (!sized(ix, var, at)) return labelled_poison();
    place_at(at);
    l.v = value_node(index_node(ix, var, &l), at);
    return l;
}

/* ---- sizes from plain uses ---- */

static bool same_size(IndexVar *v, SizeRef s, Span at)
{
    if (!v->size) {
        v->size = s;
        v->sized_by = at;
        return true;
    }
    if (v->size == s || !v->sized_by.src)
        return true; /* a stated range is proved where it is used */
    Diag *d = error_at("E0302", at, "the index `%s` ranges over %s here and over %s before",
                       v->name, size_text(s), size_text(v->size));
    diag_here(d, "%s", size_text(s));
    diag_label(d, v->sized_by, "%s", size_text(v->size));
    diag_hint(d, "state the range: `%s in n`", v->name);
    return false;
}

/* The axis of the base that item i indexes: items behind `..` count from the end. */
static int item_axis(const Expr *x, int i, int rank)
{
    int axis = 0;
    for (int k = 0; k < i; k++) {
        if (x->list.at[k]->kind == EX_NEW) continue;
        if (x->list.at[k]->kind != EX_DOTS)
            axis++;
        else
            axis = rank - (x->list.n - 1 - k);
    }
    return axis;
}

static bool infer_access(Env *e, Indices *ix, const Expr *x)
{
    if (mentions_index(ix, x->a)) return true;
    Value base = lower_expr(e, x->a);
    Type t;
    if (base.kind == V_POISON) return false;
    if (!value_type(&base, &t)) return true;
    for (int i = 0; i < x->list.n; i++) {
        const Expr *k = x->list.at[i];
        int var = k->kind == EX_NAME ? index_find(ix, k->name) : -1,
            axis = item_axis(x, i, t.shape.rank);
        if (var >= 0 && axis < t.shape.rank &&
            !same_size(&ix->var[var], t.shape.size[axis], k->span))
            return false;
    }
    return true;
}

static bool is_indexed_fold(const Expr *x)
{
    return x->kind == EX_CALL && x->a->kind == EX_INDEX && x->a->a->kind == EX_NAME;
}

bool infer_sizes(Env *e, Indices *ix, const Expr *x)
{
    if (!x) return true;
    if (x->kind == EX_INDEX && !infer_access(e, ix, x)) return false;
    if (is_indexed_fold(x)) { /* inner indices hide outer ones of their name */
        for (int i = 0; i < x->list.n; i++)
            if (!infer_sizes(e, ix, x->list.at[i])) return false;
        return true;
    }
    for (int i = 0; i < x->list.n; i++)
        if (!infer_sizes(e, ix, x->list.at[i])) return false;
    return infer_sizes(e, ix, x->kind == EX_INDEX ? NULL : x->a) && infer_sizes(e, ix, x->b) &&
           infer_sizes(e, ix, x->c);
}

/* ---- binding indices: i, i in n, .. ---- */

static bool bind_index(Env *e, Indices *ix, const Expr *k)
{
    IndexVar v = {.name = k->name, .span = k->at};
    if (k->kind != EX_NAME && k->kind != EX_IN) {
        Diag *d = error_at("E0204", k->span,
                           "an index is a name, with its range or without: `i`, `i in n`");
        diag_here(d, "%s", "");
        return false;
    }
    if (ix->n == 2 * MAX_RANK) {
        Diag *d = error_at("E0304", k->span, "too many indices");
        diag_here(d, "%s", "");
        return false;
    }
    if (k->kind == EX_IN && !(v.size = lower_size(e, k->a))) return false;
    if (v.size && size_upper(v.size) < 0) {
        negative_size(e, k->a, v.size);
        return false;
    }
    ix->var[ix->n++] = v;
    return true;
}

/* ---- folds over indices ---- */

static const Builtin *fold_builtin(const Expr *x)
{
    const Builtin *b = builtin_find(x->a->a->name);
    static const char *const folds[] = {"sum", "prod", "max", "min", "mean", "any", "all"};
    for (size_t i = 0; b && i < sizeof folds / sizeof *folds; i++)
        if (!strcmp(b->name, folds[i])) return b;
    return NULL;
}

static Labelled fold_labels(const Indices *ix, const Builtin *b, Labelled body, int first, Span at)
{
    Labelled all = body, rest = {0};
    SizeRef count = size_const(1);
    unsigned axes = 0;
    for (int i = first; i < ix->n; i++) {
        Labelled one = {.n = 1, .label = {i}};
        all = label_union(&all, &one);
        count = size_mul(count, ix->var[i].size);
    }
    Node *n = label_align(ix, &body, &all);
    if (!n) return labelled_poison();
    for (int i = 0; i < all.n; i++)
        if (all.label[i] >= first)
            axes |= 1u << i;
        else
            rest.label[rest.n++] = all.label[i];
    bool logic = b->op == OP_ANY || b->op == OP_ALL;
    if (logic != (n->type.elem == ELEM_BOOL)) {
        Diag *d = error_at("E0321", at,
                           logic ? "`%s` needs conditions (bool)"
                                 : "`%s` needs numbers; convert with `real(..)`",
                           b->name);
        diag_here(d, "%s", "");
        return labelled_poison();
    }
    place_at(at);
    rest.v = value_node(n_reduce(low->g, b->op, n, axes), at);
    if (!strcmp(b->name, "mean"))
        rest.v = lower_binary(O_DIV, rest.v, value_size(count, at), at, at);
    return rest;
}

static Labelled labelled_fold(Env *e, Indices *ix, const Expr *x)
{
    const Builtin *b = fold_builtin(x);
    int first = ix->n;
    if (!b || x->list.n != 1) {
        Diag *d =
            error_at("E0205", x->span, "`sum[k](..)` and its like take indices and one expression");
        diag_here(d, "%s", "");
        return labelled_poison();
    }
    Labelled l = labelled_poison();
    bool ok = true;
    for (int i = 0; i < x->a->list.n && ok; i++) ok = bind_index(e, ix, x->a->list.at[i]);
    ok = ok && infer_sizes(e, ix, x->list.at[0]);
    for (int i = first; i < ix->n && ok; i++) ok = sized(ix, i, ix->var[i].span);
    if (ok) l = labelled_expr(e, ix, x->list.at[0]);
    if (!is_poison(&l)) l = fold_labels(ix, b, l, first, x->span);
    ix->n = first;
    return l;
}

/* ---- expressions ---- */

/* Operands with their axes brought together; the result's axes are returned without a value. */
static Labelled align_all(const Indices *ix, Labelled *l, int n)
{
    Labelled u = {0};
    for (int i = 0; i < n; i++) {
        Labelled w = label_union(&u, &l[i]);
        u = w;
    }
    for (int i = 0; i < n; i++) {
        if (l[i].v.kind != V_NODE || l[i].n == u.n) continue;
        Span at = l[i].v.span;
        l[i].v = value_node(label_align(ix, &l[i], &u), at);
    }
    return u;
}

static Labelled labelled_binary(Env *e, Indices *ix, const Expr *x)
{
    Labelled l[2] = {labelled_expr(e, ix, x->a), labelled_expr(e, ix, x->b)};
    if (is_poison(&l[0]) || is_poison(&l[1])) return labelled_poison();
    Labelled u = align_all(ix, l, 2);
    place_at(x->span);
    u.v = lower_binary(x->op, l[0].v, l[1].v, x->at, x->span);
    return u;
}

static Labelled labelled_select(Env *e, Indices *ix, const Expr *x)
{
    Labelled l[3];
    l[0] = labelled_expr(e, ix, x->a);
    if (l[0].v.kind == V_NUMBER && l[0].v.is_bool)
        return labelled_expr(e, ix, l[0].v.num != 0 ? x->b : x->c);
    l[1] = labelled_expr(e, ix, x->b);
    l[2] = labelled_expr(e, ix, x->c);
    for (int i = 0; i < 3; i++)
        if (is_poison(&l[i])) return labelled_poison();
    Labelled u = align_all(ix, l, 3);
    place_at(x->span);
    u.v = lower_select(l[0].v, l[1].v, l[2].v, x->span);
    return u;
}

static Labelled labelled_convert(Env *e, Indices *ix, const Expr *x)
{
    Labelled l = labelled_expr(e, ix, x->list.at[0]);
    if (is_poison(&l)) return l;
    Node *n = value_to_node(&l.v, ELEM_REAL);
    place_at(x->span);
    l.v = n ? value_node(n_cast(low->g, x->elem, n), x->span) : value_poison();
    return l;
}

/* f(a[i], b[j]): elementwise over the axes of all arguments */
static Labelled labelled_call(Env *e, Indices *ix, const Expr *x)
{
    Labelled l[MAX_ARGS];
    ArgumentList args = {0};
    bool pipe = x->kind == EX_BINARY;
    const Expr *call = pipe ? x->b : x;
    Value f = lower_expr(e, call->kind == EX_CALL ? call->a : call);
    int n = 0, given = (pipe ? 1 : 0) + (call->kind == EX_CALL ? call->list.n : 0);
    if (f.kind == V_POISON || given > MAX_ARGS) return labelled_poison();
    for (int i = 0; i < given; i++) {
        const Expr *a = pipe ? (i ? call->list.at[i - 1] : x->a) : call->list.at[i];
        l[n] = labelled_expr(e, ix, a->kind == EX_NAMED ? a->a : a);
        if (is_poison(&l[n])) return labelled_poison();
        Argument arg = {.name = a->kind == EX_NAMED ? a->name : NULL,
                        .expr = a,
                        .span = a->span,
                        .value = NEW(Value)};
        vec_push(&args, arg);
        n++;
    }
    Labelled u = align_all(ix, l, n);
    for (int i = 0; i < n; i++) *args.at[i].value = l[i].v;
    u.v = call_value(e, f, &args, x, x->span);
    Type t;
    Shape want = label_shape(ix, &u);
    if (u.v.kind == V_POISON || (u.n == 0 && u.v.kind == V_NUMBER)) return u;
    if (value_type(&u.v, &t) && shape_equal(&t.shape, &want)) return u;
    Diag *d = error_at("E0304", x->span,
                       "a function of indexed values must be elementwise, this gives %s",
                       value_text(&u.v));
    diag_here(d, "%s", "");
    diag_hint(d, "fold over a named index: `sum[k](..)`, `max[k](..)`");
    return labelled_poison();
}

/* Without an index inside: a number or a scalar, the same for all elements. */
static Labelled constant_part(Env *e, const Expr *x)
{
    Labelled l = {.v = lower_expr(e, x)};
    Type t;
    if (l.v.kind == V_NODE && value_type(&l.v, &t) && t.shape.rank) {
        Diag *d = error_at("E0304", x->span, "%s has axes without an index here", value_text(&l.v));
        diag_here(d, "%s", "");
        diag_hint(d, "index it, as in `%s[i]`", span_text(x->span));
        return labelled_poison();
    }
    return l;
}

Labelled labelled_expr(Env *e, Indices *ix, const Expr *x)
{
    if (is_indexed_fold(x) && fold_builtin(x)) return labelled_fold(e, ix, x);
    if (!mentions_index(ix, x)) return constant_part(e, x);
    switch (x->kind) {
    case EX_NAME: return index_value(ix, index_find(ix, x->name), x->span);
    case EX_INDEX: return labelled_access(e, ix, x);
    case EX_CONVERT:
        if (x->list.n == 1) return labelled_convert(e, ix, x);
        break;
    case EX_CALL: return labelled_call(e, ix, x);
    case EX_SELECT: return labelled_select(e, ix, x);
    case EX_BINARY: return x->op == O_PIPE ? labelled_call(e, ix, x) : labelled_binary(e, ix, x);
    case EX_UNARY: {
        Labelled l = labelled_expr(e, ix, x->a);
        l.v = lower_unary_op(x->op == O_NOT ? OP_NOT : OP_NEG, l.v, x->span);
        return l;
    }
    default: break;
    }
    Diag *d = error_at("E0204", x->span, "this cannot be written with an index");
    diag_here(d, "%s", "");
    return labelled_poison();
}

/* ---- y[i, j] = .. ---- */

/* `..` on the left is what `..` stands for in the signature. */
static bool bind_left(Env *e, Indices *ix, const Stmt *s, int *order)
{
    int n = 0;
    for (int i = 0; i < s->list.n; i++)
        if (s->list.at[i]->kind == EX_DOTS && e->has_dots) {
            ix->n_dots = e->dots.rank;
            for (int k = 0; k < e->dots.rank; k++)
                ix->var[k] = (IndexVar){.name = NULL, .size = e->dots.size[k]};
            ix->n = ix->n_dots;
        }
    for (int i = 0; i < s->list.n; i++) {
        if (s->list.at[i]->kind == EX_DOTS) {
            for (int k = 0; k < ix->n_dots; k++) order[n++] = k;
            continue;
        }
        if (!bind_index(e, ix, s->list.at[i])) return false;
        if (n == MAX_RANK) return false;
        order[n++] = ix->n - 1;
    }
    return true;
}

static Value in_order(const Indices *ix, const Labelled *l, const int *order, int n, Span at)
{
    Labelled all = {.n = n};
    int perm[MAX_RANK];
    for (int i = 0; i < n; i++) all.label[i] = i;
    Node *x = label_align(ix, l, &all);
    for (int i = 0; i < n; i++) perm[i] = order[i];
    return x ? value_node(n_transpose(low->g, x, perm), at) : value_poison();
}

/* y[i in 4]: i32 = ..: the type of one element */
static bool check_element(const Stmt *s, Labelled *l)
{
    Type have;
    if (!s->type) return true;
    if (s->type->is_tuple || s->type->dims.n) {
        Diag *d = error_at("E0303", s->type->span, "behind indices stands the type of one element");
        diag_here(d, "%s", "");
        diag_hint(d, "the sizes are those of the indices: `%s[..]: %s = ..`", s->names.at[0].s,
                  elem_text(s->type->elem));
        return false;
    }
    if (l->v.kind == V_NUMBER) l->v = value_node(value_to_node(&l->v, s->type->elem), l->v.span);
    if (!value_type(&l->v, &have) || have.elem == s->type->elem) return l->v.kind != V_POISON;
    Diag *d = error_at("E0303", s->value->span, "an element is %s, declared is %s",
                       elem_text(have.elem), elem_text(s->type->elem));
    diag_here(d, "%s", "");
    diag_label(d, s->type->span, "declared here");
    diag_hint(d, "convert it: `%s(..)`", elem_text(s->type->elem));
    return false;
}

void lower_indexed(Env *e, const Stmt *s)
{
    Indices ix = {0};
    int order[2 * MAX_RANK];
    Value v = value_poison();
    bool ok = bind_left(e, &ix, s, order) && infer_sizes(e, &ix, s->value);
    for (int i = 0; i < ix.n && ok; i++) ok = sized(&ix, i, ix.var[i].span);
    if (ok && ix.n > MAX_RANK) {
        Diag *d = error_at("E0304", s->span, "more than %d axes", MAX_RANK);
        diag_here(d, "%s", "");
        ok = false;
    }
    int n = ix.n;
    Labelled l = ok ? labelled_expr(e, &ix, s->value) : labelled_poison();
    place_at(s->span);
    if (!is_poison(&l) && check_element(s, &l)) v = in_order(&ix, &l, order, n, s->value->span);
    define_name(e, s->names.at[0], v);
}

/* sum[k](x[k] * y[k]) in an expression without a left side */
Value lower_fold_expr(Env *e, const Expr *x)
{
    Indices ix = {0};
    Labelled l = labelled_fold(e, &ix, x);
    return l.v;
}

bool is_fold_expr(const Expr *x) { return is_indexed_fold(x) && fold_builtin(x); }
