/* lower_type.c - types and signatures: what the sizes in a signature stand for.
 * In: types as written, and arguments. Out: types with known sizes; in a fn or layer a bare size
 * name that means nothing yet is bound by the first argument that has it, and `..` stands for the
 * leading sizes that are left. Everything else is checked, never solved. */
#include "lower.h"

#include <limits.h>

SizeRef lower_size(Env *e, const Expr *x)
{
    Value v = lower_expr(e, x);
    if (v.kind == V_POISON) return NULL;
    if (v.kind == V_NUMBER && v.size) return v.size;
    Diag *d = error_at("E0306", x->span,
                       "a size must be an integer that is known at compile time, this is %s",
                       value_text(&v));
    diag_here(d, "%s", "");
    return NULL;
}

static void name_sizes(Env *e, const Expr *x, Text *out)
{
    if (!x) return;
    Local *l = x->kind == EX_NAME ? env_find(e, x->name) : NULL;
    if (l && l->value.kind == V_NUMBER && l->value.size)
        text_add(out, "%s%s = %s", out->n ? ", " : "", x->name, size_text(l->value.size));
    name_sizes(e, x->a, out);
    name_sizes(e, x->b, out);
}

void negative_size(Env *e, const Expr *x, SizeRef s)
{
    Diag *d = error_at("E0307", x->span, "this size would be negative: %s", size_text(s));
    Text sizes = {0};
    diag_here(d, "%s", "");
    name_sizes(e, x, &sizes);
    if (sizes.n) diag_note(d, "here %s", sizes.s);
    diag_context(d, x->span);
}

static bool add_axis(Shape *s, SizeRef size, Span at)
{
    if (s->rank == MAX_RANK) {
        Diag *d = error_at("E0304", at, "more than %d axes", MAX_RANK);
        diag_here(d, "%s", "");
        return false;
    }
    s->size[s->rank++] = size;
    return true;
}

static bool add_dots(Env *e, Shape *s, Span at)
{
    if (!e->has_dots) {
        Diag *d = error_at("E0306", at, "`..` stands for nothing here");
        diag_here(d, "%s", "");
        diag_hint(d, "`..` is bound by an argument such as `x: real[.., n]`");
        return false;
    }
    for (int i = 0; i < e->dots.rank; i++)
        if (!add_axis(s, e->dots.size[i], at)) return false;
    return true;
}

bool lower_type(Env *e, const TypeExpr *t, Type *out)
{
    *out = (Type){.elem = t->elem};
    if (t->is_tuple) {
        Diag *d = error_at("E0303", t->span, "a single tensor is needed here, not a tuple");
        diag_here(d, "%s", "");
        return false;
    }
    for (int i = 0; i < t->dims.n; i++) {
        const Expr *x = t->dims.at[i];
        if (x->kind == EX_DOTS) {
            if (!add_dots(e, &out->shape, x->span)) return false;
            continue;
        }
        SizeRef s = lower_size(e, x);
        if (!s || !add_axis(&out->shape, s, x->span)) return false;
        if (size_upper(s) < 0 || (size_is_const(s, NULL) && size_lower(s) < 0)) {
            negative_size(e, x, s);
            return false;
        }
    }
    return true;
}

/* ---- memory ---- */

long largest_bytes(Type t)
{
    long n = size_upper(shape_count(&t.shape)), each = elem_bytes(t.elem);
    return n > LONG_MAX / each ? LONG_MAX : n * each;
}

static bool negative_axis(Type t, SizeRef s, Span at)
{
    Diag *d =
        error_at("E0307", at, "this would be %s, and %s is negative", type_text(t), size_text(s));
    diag_here(d, "%s", "");
    diag_context(d, at);
    return false;
}

/* Offsets and loop counters of the generated code are 32 bits wide. */
bool check_bytes(Type t, Span at)
{
    long n = largest_bytes(t);
    for (int i = 0; i < t.shape.rank; i++)
        if (size_upper(t.shape.size[i]) < 0) return negative_axis(t, t.shape.size[i], at);
    if (n <= MAX_BYTES) return true;
    Diag *d = error_at("E0605", at, "%s is too large", type_text(t));
    diag_here(d, n == LONG_MAX ? "more bytes than can be counted" : "%ld bytes", n);
    diag_note(d, "a tensor has at most %d bytes", MAX_BYTES);
    diag_context(d, at);
    return false;
}

/* ---- signatures ---- */

static int dots_at(const TypeExpr *t)
{
    for (int i = 0; i < t->dims.n; i++)
        if (t->dims.at[i]->kind == EX_DOTS) return i;
    return -1;
}

static bool is_variable(Env *e, const Expr *x)
{
    if (x->kind != EX_NAME || env_find(e, x->name) || is_builtin_name(x->name)) return false;
    const Symbol *s = scope_find(e->module, x->name);
    return !s || (s->decl->kind == DECL_DIM && !e->sees_dims);
}

/* The pattern as the user wrote it, with what is bound already: real[.., m]. */
static const char *pattern_text(Env *e, const TypeExpr *t)
{
    Text out = {0};
    text_add(&out, "%s", elem_text(t->elem));
    for (int i = 0; i < t->dims.n; i++) {
        text_add(&out, "%s", i ? ", " : "[");
        print_expr(&out, t->dims.at[i]);
    }
    if (t->dims.n) text_add(&out, "]");
    for (int i = 0; i < t->dims.n; i++) {
        Local *l = t->dims.at[i]->kind == EX_NAME ? env_find(e, t->dims.at[i]->name) : NULL;
        if (l && l->value.kind == V_NUMBER && l->value.size)
            text_add(&out, "%s%s = %s", out.s[out.n - 1] == ']' ? " with " : ", ", l->name,
                     size_text(l->value.size));
    }
    return out.s;
}

static void mismatch(Env *e, const Formal *f, const Value *v, const char *what, const char *why)
{
    Diag *d = error_at("E0303", v->span, "%s needs `%s` as %s, not %s", what, f->name.s,
                       pattern_text(e, f->type), value_text(v));
    diag_here(d, "%s", value_text(v));
    diag_label(d, f->type->span, "declared here");
    if (why) diag_note(d, "%s", why);
    Type t;
    if (value_type(v, &t) && t.elem != f->type->elem && elem_is_int(t.elem) &&
        elem_is_real(f->type->elem))
        diag_hint(d, "convert it: `real(..)`");
}

/* Splits the argument's sizes into those before, under and behind `..`. */
static bool align(const TypeExpr *t, int rank, int *lead)
{
    int dots = dots_at(t);
    *lead = dots < 0 ? 0 : rank - (t->dims.n - 1);
    return dots < 0 ? rank == t->dims.n : *lead >= 0;
}

static SizeRef size_under(const TypeExpr *t, const Shape *s, int lead, int i)
{
    int dots = dots_at(t);
    return s->size[dots >= 0 && i > dots ? i - 1 + lead : i];
}

static bool bind_names(Env *e, const Formal *f, Value *v, const char *what)
{
    Type t;
    if (!f->type || f->type->is_tuple || v->kind == V_NUMBER || v->kind == V_SET) return true;
    if (!value_type(v, &t)) {
        mismatch(e, f, v, what, NULL);
        return false;
    }
    int lead, dots = dots_at(f->type);
    if (!align(f->type, t.shape.rank, &lead)) {
        mismatch(e, f, v, what, format("it has %d axes", t.shape.rank));
        return false;
    }
    if (dots >= 0 && !e->has_dots) {
        e->has_dots = true;
        e->dots = (Shape){.rank = lead};
        for (int i = 0; i < lead; i++) e->dots.size[i] = t.shape.size[dots + i];
    }
    for (int i = 0; i < f->type->dims.n; i++) {
        const Expr *x = f->type->dims.at[i];
        if (x->kind != EX_DOTS && is_variable(e, x))
            env_set(e, x->name, value_size(size_under(f->type, &t.shape, lead, i), v->span),
                    v->span);
    }
    return true;
}

static bool check_dots(Env *e, const Formal *f, Value *v, const Shape *s, int lead,
                       const char *what)
{
    int dots = dots_at(f->type);
    bool ok = e->dots.rank == lead;
    for (int i = 0; ok && i < lead; i++) ok = e->dots.size[i] == s->size[dots + i];
    if (!ok) {
        Text t = {0};
        for (int i = 0; i < e->dots.rank; i++)
            text_add(&t, "%s%s", i ? ", " : "", size_text(e->dots.size[i]));
        mismatch(e, f, v, what, format("`..` is [%s] from an argument before", t.n ? t.s : ""));
    }
    return ok;
}

static bool check_sizes(Env *e, const Formal *f, Value *v, const char *what)
{
    Type t;
    if (!f->type || f->type->is_tuple || v->kind == V_SET) return true;
    if (v->kind == V_NUMBER) { /* a plain number fills the declared type */
        Type to;
        if (!lower_type(e, f->type, &to)) return false;
        if (v->is_bool && to.elem != ELEM_BOOL) {
            mismatch(e, f, v, what, NULL);
            return false;
        }
        if (to.shape.rank == 0 && elem_is_real(to.elem) && static_context()) return true;
        Node *n = value_to_type(v, to);
        if (n) *v = value_node(n, v->span);
        return n != NULL;
    }
    if (v->kind == V_TABLE) {
        Node *n = value_to_node(v, f->type->elem);
        if (!n) return false;
        *v = value_node(n, v->span);
    }
    value_type(v, &t);
    int lead;
    if (t.elem != f->type->elem) {
        mismatch(e, f, v, what, NULL);
        return false;
    }
    if (!align(f->type, t.shape.rank, &lead)) return false;
    if (dots_at(f->type) >= 0 && !check_dots(e, f, v, &t.shape, lead, what)) return false;
    for (int i = 0; i < f->type->dims.n; i++) {
        const Expr *x = f->type->dims.at[i];
        if (x->kind == EX_DOTS) continue;
        SizeRef need = lower_size(e, x), have = size_under(f->type, &t.shape, lead, i);
        if (!need) return false;
        if (need == have) continue;
        Text text = {0};
        print_expr(&text, x);
        mismatch(e, f, v, what,
                 format("`%s` is %s, the argument has %s there", text.s, size_text(need),
                        size_text(have)));
        return false;
    }
    return true;
}

bool bind_signature(Env *e, const FormalList *formals, Value *args, const char *what, Span call)
{
    (void)call;
    bool ok = true;
    for (int i = 0; i < formals->n; i++)
        if (args[i].kind == V_POISON) return false;
    for (int i = 0; i < formals->n && ok; i++) ok = bind_names(e, &formals->at[i], &args[i], what);
    for (int i = 0; i < formals->n && ok; i++) ok = check_sizes(e, &formals->at[i], &args[i], what);
    return ok;
}

/* ---- results ---- */

static bool result_wrong(const Value *v, const char *need, Span declared)
{
    Diag *d = error_at("E0303", v->span, "the result is %s, declared is %s", value_text(v), need);
    diag_here(d, "%s", value_text(v));
    diag_label(d, declared, "declared here");
    return false;
}

bool check_result(Env *e, const TypeExpr *t, Value *v, Span at)
{
    if (v->kind == V_POISON) return false;
    if (!v->span.src) v->span = at;
    if (!t->is_tuple) {
        Type to;
        if (v->kind == V_SET) return result_wrong(v, "a tensor", t->span);
        if (!lower_type(e, t, &to)) return false;
        if (v->kind == V_NUMBER && to.shape.rank == 0 && static_context()) return true;
        Type have;
        bool tensor = value_type(v, &have);
        if (tensor && v->kind == V_NODE &&
            (have.elem != to.elem || !shape_equal(&have.shape, &to.shape)))
            return result_wrong(v, type_text(to), t->span);
        Node *n = tensor ? value_to_type(v, to) : NULL;
        if (!n) return diag_errors() ? false : result_wrong(v, type_text(to), t->span);
        *v = value_node(n, v->span);
        return true;
    }
    if (v->kind != V_TUPLE || v->parts.n != t->parts.n)
        return result_wrong(v, format("a tuple of %d values", t->parts.n), t->span);
    ValueList parts = {0};
    for (int i = 0; i < v->parts.n; i++) {
        Value p = v->parts.at[i];
        if (!check_result(e, t->parts.at[i], &p, at)) return false;
        vec_push(&parts, p);
    }
    v->parts = parts;
    return true;
}
