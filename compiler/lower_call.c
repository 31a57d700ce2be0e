/* lower_call.c - calls: fn, layer and entry bodies are inlined at every call.
 * In: a callee, arguments by place and by name. Out: the value of the body in which formals,
 * statics and signature variables are bound. Calls never recurse: a layer in itself is an error. */
#include "lower.h"

#include <string.h>

/* ---- arguments ---- */

static void push_argument(Env *e, ArgumentList *args, const Expr *x)
{
    Argument a = {.expr = x, .span = x->span, .value = NEW(Value)};
    if (x->kind == EX_NAMED) a.name = x->name;
    *a.value = lower_expr(e, x->kind == EX_NAMED ? x->a : x);
    vec_push(args, a);
}

static const char *callee_name(const Value *f)
{
    if (f->kind == V_INSTANCE) return f->inst->path;
    return f->kind == V_BUILTIN ? f->builtin->name : f->decl ? f->decl->name.s : "this";
}

static bool wrong_arguments(const Value *f, Span at, const char *text)
{
    Diag *d = error_at("E0205", at, "%s", text);
    diag_here(d, "%s", "");
    const Value *g = f->kind == V_INSTANCE ? &f->inst->layer : f;
    if (g->kind == V_FUNCTION && g->decl->name.span.src)
        diag_label(d, g->decl->name.span, "declared here");
    return false;
}

static int formal_index(const FormalList *formals, const char *name)
{
    for (int i = 0; i < formals->n; i++)
        if (formals->at[i].name.s == name) return i;
    return -1;
}

static bool unknown_named(const Value *f, const FormalList *formals, const Argument *a,
                          const char *what)
{
    StrList known = {0};
    for (int i = 0; i < formals->n; i++) vec_push(&known, formals->at[i].name.s);
    const char *near = nearest(a->name, known.at, known.n);
    wrong_arguments(f, a->span,
                    format("`%s` has no %s named `%s`%s%s%s", callee_name(f), what, a->name,
                           near ? "; did you mean `" : "", near ? near : "", near ? "`?" : ""));
    return false;
}

/* Puts arguments to the formals' places; what is missing stays NULL. */
static bool place(const Value *f, const FormalList *formals, const ArgumentList *args,
                  const char *what, Span whole, const Argument **out)
{
    int next = 0;
    if (formals->n > MAX_ARGS)
        return wrong_arguments(f, whole, format("more than %d arguments", MAX_ARGS));
    for (int i = 0; i < formals->n; i++) out[i] = NULL;
    for (int i = 0; i < args->n; i++) {
        const Argument *a = &args->at[i];
        int k = a->name ? formal_index(formals, a->name) : next++;
        if (k < 0) return unknown_named(f, formals, a, what);
        if (k >= formals->n)
            return wrong_arguments(f, a->span,
                                   format("`%s` takes %d %s%s, not %d", callee_name(f), formals->n,
                                          what, formals->n == 1 ? "" : "s", args->n));
        if (out[k])
            return wrong_arguments(f, a->span,
                                   format("`%s` is given twice", formals->at[k].name.s));
        out[k] = a;
    }
    return true;
}

static bool bind_statics(const Value *f, Env *outer, Span whole)
{
    const FormalList *formals = &f->decl->statics;
    const Argument *given[MAX_ARGS];
    if (!place(f, formals, &f->statics, "static argument", whole, given)) return false;
    for (int i = 0; i < formals->n; i++) {
        const Formal *p = &formals->at[i];
        if (!given[i] && !p->init)
            return wrong_arguments(f, whole,
                                   format("`%s` needs the static argument `%s`: `%s[%s = ..]`",
                                          callee_name(f), p->name.s, callee_name(f), p->name.s));
        Value v = given[i] ? *given[i]->value : lower_expr(outer, p->init);
        if (v.kind == V_POISON) return false;
        if (v.kind == V_NODE || v.kind == V_SET) {
            Diag *d =
                error_at("E0306", v.span, "`[ ]` takes what is known at compile time, `%s` is data",
                         p->name.s);
            diag_here(d, "%s", value_text(&v));
            return false;
        }
        env_set(outer, p->name.s, v, p->name.span);
    }
    return true;
}

bool open_call(const Value *f, const ArgumentList *args, Inst *inst, Span whole, Env **out,
               Value *values)
{
    const Decl *d = f->decl;
    Env *outer = env_new(NULL, f->module, d, inst);
    const Argument *given[MAX_ARGS];
    outer->sees_dims = d->kind == DECL_ENTRY;
    collect_targets(outer, &d->body);
    *out = outer;
    if (!bind_statics(f, outer, whole) || !place(f, &d->formals, args, "argument", whole, given))
        return false;
    for (int i = 0; i < d->formals.n; i++) {
        const Formal *p = &d->formals.at[i];
        if (!given[i] && !p->init)
            return wrong_arguments(
                f, whole, format("`%s` needs the argument `%s`", callee_name(f), p->name.s));
        values[i] = given[i] ? *given[i]->value : lower_expr(outer, p->init);
        if (values[i].kind == V_POISON) return false;
        if (!values[i].span.src) values[i].span = whole;
    }
    if (!bind_signature(outer, &d->formals, values, format("`%s`", d->name.s), whole)) return false;
    for (int i = 0; i < d->formals.n; i++)
        env_set(outer, d->formals.at[i].name.s,
                mark_target(outer, d->formals.at[i].name.s, values[i]), d->formals.at[i].name.span);
    return true;
}

static bool is_active(const Decl *d, Span whole)
{
    for (int i = 0; i < low->active.n; i++) {
        if (low->active.at[i] != d) continue;
        Diag *r = error_at("E0203", whole, "`%s` contains itself", d->name.s);
        diag_here(r, "%s", "");
        diag_label(r, d->name.span, "declared here");
        diag_hint(r, "there is no recursion: repeat a layer with `stack[n, Layer]` or `scan`");
        return true;
    }
    return false;
}

Value call_body(const Value *f, Env *outer, const Value *values, Span whole)
{
    const Decl *d = f->decl;
    if (is_active(d, whole)) return value_poison();
    const char *eq = low->eq_name, *layer = low->layer;
    Span user = low->user_call;
    low->eq_name = NULL;
    bool nested = low->active.n && low->active.at[low->active.n - 1]->kind == DECL_FN;
    if (d->kind == DECL_FN && !nested) low->layer = d->name.s;
    if (whole.src && !whole.src->is_std) low->user_call = d->kind == DECL_ENTRY ? (Span){0} : whole;
    vec_push(&low->active, d);
    Env *body = env_new(outer, f->module, d, outer->inst);
    collect_targets(body, &d->body);
    Value v = lower_body(body, &d->body, whole);
    low->active.n--;
    low->eq_name = eq;
    low->layer = layer;
    if (v.kind != V_POISON && d->type && !check_result(body, d->type, &v, whole))
        v = value_poison();
    low->user_call = user;
    if (v.kind != V_POISON && d->has_gradient) v = stated_call(f, values, v, whole);
    return v;
}

/* ---- mapping over sets ---- */

typedef struct MapJob {
    const Value *f;
    const ArgumentList *args;
    Span whole;
} MapJob;

static Value call_one(const Value *f, const ArgumentList *args, Inst *inst, Span whole)
{
    Env *outer;
    Value values[MAX_ARGS];
    if (!open_call(f, args, inst, whole, &outer, values)) return value_poison();
    return call_body(f, outer, values, whole);
}

static Value call_member(Value *args, int n, const Slot *slot, void *user)
{
    const MapJob *j = user;
    ArgumentList list = {0};
    for (int i = 0; i < n; i++) {
        Argument a = j->args->at[i];
        a.value = NEW(Value);
        *a.value = args[i];
        vec_push(&list, a);
    }
    if (j->f->kind == V_INSTANCE) {
        Inst *inst = inst_child(j->f->inst, slot->path, NULL, j->f->inst->layer);
        return instance_apply(inst, &list, j->whole);
    }
    return call_one(j->f, &list, NULL, j->whole);
}

/* A set goes member by member through a fn or layer that takes tensors there. */
static bool maps(const Value *f, const ArgumentList *args)
{
    const Value *g = f->kind == V_INSTANCE ? &f->inst->layer : f;
    if (g->kind != V_FUNCTION) return false;
    for (int i = 0; i < args->n; i++) {
        if (args->at[i].value->kind != V_SET) continue;
        int k = args->at[i].name ? formal_index(&g->decl->formals, args->at[i].name) : i;
        if (k >= 0 && k < g->decl->formals.n && g->decl->formals.at[k].type) return true;
    }
    return false;
}

static Value map_call(const Value *f, const ArgumentList *args, Span whole)
{
    Value values[MAX_ARGS];
    MapJob job = {f, args, whole};
    if (args->n > 16)
        return wrong_arguments(f, whole, "more than 16 arguments with a set"), value_poison();
    for (int i = 0; i < args->n; i++) values[i] = *args->at[i].value;
    return set_map(values, args->n, call_member, &job, whole);
}

/* ---- calls ---- */

Value call_value(Env *e, Value f, ArgumentList *args, const Expr *site, Span whole)
{
    for (int i = 0; i < args->n; i++)
        if (args->at[i].value->kind == V_POISON) return value_poison();
    place_at(whole);
    if (f.kind == V_POISON) return f;
    if (f.kind == V_BUILTIN) return f.builtin->call(e, f.builtin, args, whole);
    if (is_layer(&f)) f = inline_instance(e, f, site, whole);
    if (f.kind == V_POISON) return f;
    if (f.kind != V_FUNCTION && f.kind != V_INSTANCE) {
        Diag *d = error_at("E0204", f.span.src ? f.span : whole, "`%s` cannot be called: it is %s",
                           span_text(f.span), value_text(&f));
        diag_here(d, "%s", "");
        return value_poison();
    }
    if (maps(&f, args)) return map_call(&f, args, whole);
    if (f.kind == V_INSTANCE) return instance_apply(f.inst, args, whole);
    if (f.decl->kind == DECL_ENTRY)
        return low->test ? test_call_entry(&f, args, whole)
                         : call_one(&f, args, entry_inst(f.decl), whole);
    return call_one(&f, args, NULL, whole);
}

/* zeros[.., n]: the sizes that `..` stands for */
static bool push_dots(Env *e, ArgumentList *args, const Expr *x)
{
    if (!e->has_dots) {
        Diag *d = error_at("E0306", x->span, "`..` stands for nothing here");
        diag_here(d, "%s", "");
        return false;
    }
    for (int i = 0; i < e->dots.rank; i++) {
        Argument a = {.expr = x, .span = x->span, .value = NEW(Value)};
        *a.value = value_size(e->dots.size[i], x->span);
        vec_push(args, a);
    }
    return true;
}

/* Dense[128, act = relu]: a layer with static arguments; zeros[2, 3]: sizes for a builtin. */
Value apply_statics(Env *e, Value f, const Expr *x)
{
    bool ok = f.kind == V_FUNCTION ? f.decl->statics.n > 0 : f.builtin->takes_statics;
    if (!ok) {
        Diag *d =
            error_at("E0205", x->span, "`%s` takes no static arguments in `[ ]`", callee_name(&f));
        diag_here(d, "%s", "");
        return value_poison();
    }
    const char *eq = low->eq_name;
    low->eq_name = NULL;
    ArgumentList statics = {0};
    for (int i = 0; i < x->list.n; i++)
        if (x->list.at[i]->kind != EX_DOTS)
            push_argument(e, &statics, x->list.at[i]);
        else if (!push_dots(e, &statics, x->list.at[i]))
            return value_poison();
    low->eq_name = eq;
    for (int i = 0; i < statics.n; i++)
        if (statics.at[i].value->kind == V_POISON) return value_poison();
    f.statics = statics;
    f.span = x->span;
    if (f.kind == V_BUILTIN && !strcmp(f.builtin->signature, "value"))
        return f.builtin->call(e, f.builtin, &statics, x->span);
    return f;
}

/* `params` alone is the set of all; called, it takes an instance. */
static Value called_value(Env *e, const Expr *x)
{
    bool is_params = x->kind == EX_NAME && !strcmp(x->name, "params") && !env_find(e, x->name);
    if (!is_params) return lower_expr(e, x);
    return (Value){.kind = V_BUILTIN, .span = x->span, .builtin = builtin_find(x->name)};
}

/* f(a, b), and a |> f(b), which is f(a, b). */
Value lower_call(Env *e, const Expr *x)
{
    const char *eq = low->eq_name;
    ArgumentList args = {0};
    const Expr *callee = x->kind == EX_BINARY ? x->b : x;
    low->eq_name = NULL;
    if (x->kind == EX_BINARY) push_argument(e, &args, x->a);
    const Expr *f_expr = callee->kind == EX_CALL ? callee->a : callee;
    Value f = called_value(e, f_expr);
    if (callee->kind == EX_CALL)
        for (int i = 0; i < callee->list.n; i++) push_argument(e, &args, callee->list.at[i]);
    low->eq_name = eq;
    if (f.kind == V_BUILTIN && f.statics.n) { /* one_hot[10](t): static arguments come first */
        ArgumentList all = f.statics;
        for (int i = 0; i < args.n; i++) vec_push(&all, args.at[i]);
        args = all;
    }
    return call_value(e, f, &args, x, x->span);
}
