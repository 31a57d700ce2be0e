/* lower_env.c - what names mean while a body is lowered: locals first, then the file's names.
 * File-level values (consts, instances, params, states, equations) are lowered when first asked
 * for, so their order in the file does not matter. */
#include "lower.h"

#include <string.h>

Env *env_new(Env *parent, Module *m, const Decl *decl, Inst *inst)
{
    Env *e = NEW(Env);
    e->parent = parent;
    e->module = m;
    e->decl = decl;
    e->inst = inst;
    if (parent) {
        e->has_dots = parent->has_dots;
        e->dots = parent->dots;
        e->sees_dims = parent->sees_dims;
    }
    return e;
}

void env_set(Env *e, const char *name, Value v, Span at)
{
    Local l = {name, v, at};
    vec_push(&e->locals, l);
}

Local *env_find(Env *e, const char *name)
{
    for (; e; e = e->parent)
        for (int i = e->locals.n - 1; i >= 0; i--)
            if (e->locals.at[i].name == name) return &e->locals.at[i];
    return NULL;
}

/* ---- file-level values ---- */

static Env *file_env(Module *m)
{
    Env *e = env_new(NULL, m, NULL, low->file);
    e->sees_dims = true;
    return e;
}

static Value const_value(const Symbol *s)
{
    const Decl *d = s->decl;
    Value v = lower_expr(file_env(s->module), d->value);
    if (v.kind == V_NUMBER || v.kind == V_TABLE || v.kind == V_TUPLE || v.kind == V_POISON)
        return v;
    if (v.kind == V_FUNCTION || v.kind == V_BUILTIN || v.kind == V_STRING) return v;
    Diag *r =
        error_at("E0306", d->value->span, "the const `%s` is not known at compile time", d->name.s);
    diag_here(r, "%s", "");
    diag_hint(r, "write an equation without `const`");
    return value_poison();
}

static Value dim_value(const Decl *d, Span at)
{
    for (int i = 0; i < low->p->dims.n; i++)
        if (low->p->dims.at[i]->name == d->name.s)
            return value_size(size_dim(low->p->dims.at[i]), at);
    return value_poison();
}

/* net = Mlp;  or  net = Mlp[8];  makes one set of weights; anything else is a value. */
static Value stmt_value(const Symbol *s)
{
    const Stmt *st = s->decl->stmt;
    Env *e = file_env(s->module);
    if (st->kind == ST_PARAM || st->kind == ST_STATE) {
        declare_slot(e, st);
        return value_poison(); /* read by slot_value */
    }
    if (st->kind != ST_DEF || st->is_draw) {
        Diag *r =
            error_at("E0204", st->span,
                     "at file level an equation names a number, a table or an instance of a layer");
        diag_here(r, "%s", "");
        diag_hint(r, "move it into an `entry` or a `layer`");
        return value_poison();
    }
    Value v = lower_expr(e, st->value);
    if (is_layer(&v)) return instance_new(e, v, st->names.at[0].s, st->value, st->span);
    return v;
}

/* The param or state of this name as a node of the graph now being built. */
static Value slot_value(const Symbol *s, Span at)
{
    const Stmt *st = s->decl->stmt;
    for (int i = 0; i < low->file->slots.n; i++)
        if (low->file->slots.at[i]->path == st->names.at[0].s) {
            low->file->slots.at[i]->is_used = true;
            return memory_value(low->file->slots.at[i], at);
        }
    return value_poison();
}

static Value compute_global(const Symbol *s, Span at)
{
    switch (s->decl->kind) {
    case DECL_CONST: return const_value(s);
    case DECL_DIM: return dim_value(s->decl, at);
    case DECL_STMT: return stmt_value(s);
    case DECL_FN:
    case DECL_LAYER:
    case DECL_ENTRY: return (Value){.kind = V_FUNCTION, .decl = s->decl, .module = s->module};
    default: return value_poison();
    }
}

static Value circular(const Symbol *s, Span at)
{
    Diag *r = error_at("E0203", at, "`%s` is defined by itself", s->name);
    diag_here(r, "%s", "");
    return value_poison();
}

Value global_value(const Symbol *s, Span at)
{
    bool is_slot = s->decl->kind == DECL_STMT &&
                   (s->decl->stmt->kind == ST_PARAM || s->decl->stmt->kind == ST_STATE);
    int i = 0;
    while (i < low->globals.n && low->globals.at[i].decl != s->decl) i++;
    if (i < low->globals.n && low->globals.at[i].state == 1) return circular(s, at);
    if (i == low->globals.n) {
        GlobalValue g = {s->decl, value_poison(), 1};
        vec_push(&low->globals, g);
        Value v = compute_global(s, at);
        low->globals.at[i].value = v;
        low->globals.at[i].state = 2;
    }
    if (is_slot) return slot_value(s, at);
    Value v = low->globals.at[i].value;
    if (v.kind != V_POISON) v.span = at;
    return v;
}

/* ---- lookup ---- */

static Value constant_name(const char *name, Span at, bool *found)
{
    *found = true;
    if (!strcmp(name, "inf"))
        return (Value){.kind = V_NUMBER, .span = at, .num = (double)__builtin_inff()};
    if (!strcmp(name, "pi")) return value_number(3.14159265358979323846, at);
    if (!strcmp(name, "true")) return value_bool(true, at);
    if (!strcmp(name, "false")) return value_bool(false, at);
    if (!strcmp(name, "work") || !strcmp(name, "states"))
        return (Value){.kind = V_STRING, .span = at, .text = name};
    *found = false;
    return value_poison();
}

static Value outside_init(Value v, Span at)
{
    Node *n = v.kind == V_NODE ? v.node : NULL;
    if (!low->in_init || !n || (n->id < low->g->nodes.n && low->g->nodes.at[n->id] == n)) return v;
    Diag *d = error_at("E0306", at, "an initial value cannot depend on data");
    diag_here(d, "this is known only when the program runs");
    return value_poison();
}

Value env_lookup(Env *e, const char *name, Span at)
{
    Local *l = env_find(e, name);
    if (l) {
        Value v = l->value;
        Slot *slot = v.kind == V_NODE ? slot_of_node(v.node) : NULL;
        if (slot) slot->is_used = true;
        if (v.kind != V_POISON) v.span = at;
        return low->in_init ? outside_init(v, at) : import_value(v);
    }
    const Symbol *s = scope_find(e->module, name);
    if (s && (s->decl->kind != DECL_DIM || e->sees_dims)) {
        if (!e->inst && s->decl->kind == DECL_STMT && e->decl && e->decl->kind == DECL_FN) {
            Value v = global_value(s, at);
            if (v.kind == V_NODE || v.kind == V_INSTANCE) {
                Diag *d = error_at("E0502", at, "`%s` has memory, and a `fn` has none", name);
                diag_here(d, "%s", "");
                diag_hint(d, "pass it as an argument, or make this a `layer`");
                return value_poison();
            }
            return v;
        }
        return outside_init(global_value(s, at), at);
    }
    if (!strcmp(name, "params")) return params_value(e, NULL, at);
    bool found;
    Value c = constant_name(name, at, &found);
    if (found) return c;
    const Builtin *b = builtin_find(name);
    if (b) return (Value){.kind = V_BUILTIN, .span = at, .builtin = b};
    Module *m = scope_alias(e->module, name);
    if (m) return (Value){.kind = V_MODULE, .span = at, .module = m, .text = name};
    Diag *d = error_at("E0201", at, "no value named `%s`", name);
    diag_here(d, "%s", "");
    return value_poison();
}
