/* lower_test.c - tests: expressions over constants in which entries are really called.
 * In: the statements of a `test`. Out: tensors. A call of an entry inside an expression runs at
 * once, by whatever runner the caller gives, and its results go on as constants. */
#include "lower.h"

#include <math.h>
#include <string.h>

struct TestEnv {
    Env *env;
    Machine *memory;
    int n_params, n_states; /* of the model; what a test would make has no values */
    bool refused;           /* it was said once */
    EntryRunner *run;
    void *user;
    const Value *captured; /* test_call: arguments are wanted, not the call */
    Entry *entry;
    TensorList *args;
};

struct TestEnv *test_begin(Machine *memory, EntryRunner *run, void *user)
{
    struct TestEnv *t = NEW(struct TestEnv);
    t->memory = memory;
    t->n_params = memory->program->params.n;
    t->n_states = memory->program->states.n;
    t->env = env_new(NULL, low->root, NULL, low->file);
    t->env->sees_dims = true;
    t->run = run;
    t->user = user;
    low->entry = NULL;
    low->g = graph_new();
    low->memos.n = low->customs.n = 0;
    low->training = false;
    return t;
}

static Tensor *evaluate(const struct TestEnv *t, Node *n)
{
    Tensor *out = NULL;
    long dims[64] = {0};
    eval_roots(low->g, &n, 1, dims, NULL, t->memory, &out);
    return out;
}

static Tensor *as_argument(const struct TestEnv *t, const Value *v, const Input *in)
{
    Node *n = value_to_node(v, in->type.elem);
    if (!n) return NULL;
    if (n->type.elem != in->type.elem) {
        Diag *d = error_at("E0320", v->span, "`%s` is %s, not %s", in->name, type_text(in->type),
                           value_text(v));
        diag_here(d, "%s", "");
        return NULL;
    }
    return evaluate(t, n);
}

/* In the order of the entry's inputs; a missing one takes its default. */
static bool arguments(const struct TestEnv *env, Entry *e, const ArgumentList *args, Span whole,
                      TensorList *out)
{
    const char *names[MAX_ARGS];
    Value v[MAX_ARGS];
    for (int i = 0; i < e->inputs.n; i++) names[i] = e->inputs.at[i].name;
    if (!sort_arguments(args, names, e->inputs.n, 0, e->name, whole, v)) return false;
    for (int i = 0; i < e->inputs.n; i++) {
        const Input *in = &e->inputs.at[i];
        if (v[i].kind == V_POISON && in->has_default) v[i] = value_number(in->init, whole);
        if (v[i].kind == V_POISON) {
            Diag *d = error_at("E0205", whole, "`%s` needs the argument `%s`", e->name, in->name);
            diag_here(d, "%s", "");
            return false;
        }
        Tensor *t = as_argument(env, &v[i], in);
        if (!t) return false;
        vec_push(out, t);
    }
    return true;
}

static Value constant(const Tensor *t, Span at)
{
    Type type = {t->elem, {.rank = t->rank}};
    for (int i = 0; i < t->rank; i++) type.shape.size[i] = size_const(t->size[i]);
    double *copy = NEW_N(double, t->count + 1);
    memcpy(copy, t->v, sizeof(double) * (size_t)t->count);
    return value_node(t->rank ? n_table(low->g, type, copy) : n_const(low->g, t->elem, copy[0]),
                      at);
}

Value memory_value(Slot *s, Span at)
{
    struct TestEnv *t = low->test;
    if (!t) return value_node(n_slot(low->g, s), at);
    const SlotList *all = s->is_state ? &low->p->states : &low->p->params;
    const int n = s->is_state ? t->n_states : t->n_params;
    for (int i = 0; i < n; i++)
        if (all->at[i] == s)
            return constant(s->is_state ? t->memory->states[i] : t->memory->params[i], at);
    if (t->refused) return value_poison();
    t->refused = true;
    Diag *d = error_at("E0502", at, "`%s` is not in the model: a test makes no memory of its own",
                       s->path);
    diag_here(d, "%s", "");
    diag_context(d, at);
    diag_hint(d, "make the instance at file level and use it in an `entry`");
    return value_poison();
}

static Value results_value(const Entry *e, const TensorList *r, Span at)
{
    ValueList parts = {0};
    int next = 0;
    for (int i = 0; i < e->outputs.n; i++) {
        const Output *o = &e->outputs.at[i];
        if (o->node) {
            vec_push(&parts, constant(r->at[next++], at));
            continue;
        }
        Value set = {.kind = V_SET, .span = at};
        for (int k = 0; k < o->set.n; k++) {
            if (!o->set.at[k]) continue;
            Member m = {low->p->params.at[k], constant(r->at[next++], at).node};
            vec_push(&set.set, m);
        }
        vec_push(&parts, set);
    }
    return parts.n == 1 ? parts.at[0] : value_tuple(&parts, at);
}

Value test_call_entry(const Value *f, const ArgumentList *args, Span whole)
{
    struct TestEnv *t = low->test;
    Entry *e = find_entry(f->decl);
    TensorList list = {0}, results = {0};
    const char *message = "the entry is not compiled (--entries)";
    if (!e || !arguments(t, e, args, whole, &list)) {
        if (!e) error_at("E0204", whole, "cannot call `%s`: %s", f->decl->name.s, message);
        return value_poison();
    }
    if (t->args) {
        *t->args = list;
        t->entry = e;
        return value_poison();
    }
    if (t->run(t->user, e, list.at, &results, &message)) return results_value(e, &results, whole);
    Diag *d = error_at("E0303", whole, "cannot call `%s`: %s", e->name, message);
    diag_here(d, "%s", "");
    return value_poison();
}

static Value lower_in_test(struct TestEnv *t, const Expr *x)
{
    low->test = t;
    Value v = lower_expr(t->env, x);
    low->test = NULL;
    return v;
}

bool test_define(struct TestEnv *t, const Stmt *s)
{
    int before = diag_errors();
    low->test = t;
    if (s->kind != ST_TUPLE)
        lower_one(t->env, s);
    else {
        Value v = lower_expr(t->env, s->value);
        bool fits = v.kind == V_TUPLE && v.parts.n == s->names.n;
        if (!fits && v.kind != V_POISON)
            error_at("E0205", s->value->span, "%d names for %s", s->names.n, value_text(&v));
        for (int i = 0; i < s->names.n; i++)
            env_set(t->env, s->names.at[i].s, fits ? v.parts.at[i] : value_poison(),
                    s->names.at[i].span);
    }
    low->test = NULL;
    return diag_errors() == before;
}

static bool push_value(const struct TestEnv *t, const Value *v, TensorList *out)
{
    if (v->kind == V_POISON) return false;
    if (v->kind == V_TUPLE) {
        for (int i = 0; i < v->parts.n; i++)
            if (!push_value(t, &v->parts.at[i], out)) return false;
        return true;
    }
    if (v->kind == V_SET) {
        for (int i = 0; i < v->set.n; i++) vec_push(out, evaluate(t, v->set.at[i].node));
        return true;
    }
    Node *n = value_to_node(v, ELEM_REAL);
    if (n) vec_push(out, evaluate(t, n));
    return n != NULL;
}

bool test_value(struct TestEnv *t, const Expr *x, TensorList *out)
{
    Value v = lower_in_test(t, x);
    return push_value(t, &v, out);
}

bool test_call(struct TestEnv *t, const Expr *x, Entry **entry, TensorList *args)
{
    int before = diag_errors();
    t->args = args;
    t->entry = NULL;
    lower_in_test(t, x);
    t->args = NULL;
    *entry = t->entry;
    if (!t->entry && diag_errors() == before) {
        Diag *d = error_at("E0204", x->span, "`check_grad` takes a call of an entry");
        diag_here(d, "%s", "");
    }
    return t->entry != NULL;
}

/* ---- stated derivatives ---- */

/* Signature variables become 2, 3, 4, ..; `..` becomes one axis of size 3. */
static bool sample_type(Env *e, const TypeExpr *t, long *next, Type *out)
{
    *out = (Type){.elem = t->elem};
    for (int i = 0; i < t->dims.n && out->shape.rank < MAX_RANK; i++) {
        const Expr *x = t->dims.at[i];
        SizeRef s = size_const(3);
        if (x->kind == EX_NAME && !env_find(e, x->name) && !scope_find(e->module, x->name))
            env_set(e, x->name, value_size(size_const((*next)++), x->span), x->span);
        if (x->kind != EX_DOTS && !(s = lower_size(e, x))) return false;
        out->shape.size[out->shape.rank++] = s;
    }
    return !t->is_tuple;
}

static void stated_function(Module *m, const Decl *d, StatedList *out)
{
    Stated s = {.decl = d, .g = graph_new()};
    Env *e = env_new(NULL, m, d, NULL), *outer;
    ArgumentList args = {0};
    long next = 2;
    low->g = s.g;
    s.inputs = NEW_N(Node *, d->formals.n + 1);
    for (int i = 0; i < d->formals.n; i++) {
        Type t;
        if (!d->formals.at[i].type || !sample_type(e, d->formals.at[i].type, &next, &t)) return;
        s.inputs[s.n_inputs] = n_input(s.g, s.n_inputs, t, d->formals.at[i].name.s);
        Argument a = {.value = NEW(Value), .span = d->formals.at[i].name.span};
        *a.value = value_node(s.inputs[s.n_inputs++], a.span);
        vec_push(&args, a);
    }
    Value f = {.kind = V_FUNCTION, .decl = d, .module = m, .span = d->span}, values[MAX_ARGS];
    for (int i = 0; i < d->statics.n; i++)
        if (!d->statics.at[i].init) return; /* nothing is known about the static argument */
    if (!open_call(&f, &args, NULL, d->name.span, &outer, values)) return;
    Value v = call_body(&f, outer, values, d->name.span);
    s.results = NEW_N(Node *, v.parts.n + 1);
    if (v.kind == V_NODE) s.results[s.n_results++] = v.node;
    for (int i = 0; v.kind == V_TUPLE && i < v.parts.n; i++)
        if (v.parts.at[i].kind == V_NODE) s.results[s.n_results++] = v.parts.at[i].node;
    if (s.n_results) vec_push(out, s);
}

void stated_functions(Program *p, StatedList *out)
{
    (void)p;
    low->entry = NULL;
    low->memos.n = low->customs.n = 0;
    for (int i = 0; i < low->root->decls.n; i++) {
        const Decl *d = low->root->decls.at[i];
        if (d->kind == DECL_FN && d->has_gradient && !d->is_surrogate)
            stated_function(low->root, d, out);
    }
    low->g = graph_new();
}
