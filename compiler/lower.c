/* lower.c - from a checked file to a program: every entry as a graph.
 * In: a module. Out: the program with its params, states, entries and initialisers, every shape
 * checked and every gradient built. Which parameters there are is known only when all entries have
 * been lowered, so they are lowered again until no new one appears: then `params` is complete. */
#include "lower.h"

#include <stdlib.h>
#include <string.h>

Lower *low;

/* ---- dims ---- */

static bool bound(const Expr *x, long *value)
{
    Env *e = env_new(NULL, low->root, NULL, low->file);
    Value v = lower_expr(e, x);
    if (v.kind == V_POISON) return false;
    if (value_integer(&v, value) && *value >= 0 && *value <= INT32_MAX) return true;
    Diag *d = error_at("E0306", x->span, "a bound of a `dim` is an integer in 0..%d, this is %s",
                       INT32_MAX, value_text(&v));
    diag_here(d, "%s", "");
    return false;
}

static void declare_dim(Module *m, const Decl *d)
{
    Module *root = low->root;
    Dim *dim = NEW(Dim);
    *dim = (Dim){d->name.s, 1, -1, d->name.span, low->p->dims.n};
    low->root = m;
    if (d->value && !(bound(d->value, &dim->lo) && bound(d->value2, &dim->hi))) dim->hi = dim->lo;
    low->root = root;
    if (d->value && dim->hi < dim->lo) {
        Diag *r = error_at("E0306", d->span, "the range of `%s` is empty", d->name.s);
        diag_here(r, "%ld..%ld", dim->lo, dim->hi);
    }
    vec_push(&low->p->dims, dim);
}

static void declare_dims(void)
{
    Module *const *all;
    int n = modules_loaded(&all);
    for (int k = 0; k < n; k++)
        for (int i = 0; i < all[k]->decls.n; i++)
            if (all[k]->decls.at[i]->kind == DECL_DIM) declare_dim(all[k], all[k]->decls.at[i]);
    if (low->p->dims.n > 64) {
        Diag *d = error_at("E0605", low->p->dims.at[64]->span, "more than 64 dims");
        diag_here(d, "%s", "");
    }
}

/* ---- -D name=value ---- */

static void unknown_define(const char *name)
{
    StrList consts = {0};
    for (int i = 0; i < low->root->scope->own.n; i++)
        if (low->root->scope->own.at[i].decl->kind == DECL_CONST)
            vec_push(&consts, low->root->scope->own.at[i].name);
    Diag *d = error_at("E0601", (Span){0}, "-D %s: the file has no `const` of this name", name);
    const char *near = nearest(name, consts.at, consts.n);
    if (near) diag_hint(d, "did you mean `%s`?", near);
}

/* A number, true or false, or arithmetic with numbers. */
static Value defined_value(const Define *def)
{
    char *end;
    double v = strtod(def->value, &end);
    if (end != def->value && !*end && v == v) return value_number(v, (Span){0});
    if (!strcmp(def->value, "true") || !strcmp(def->value, "false"))
        return value_bool(def->value[0] == 't', (Span){0});
    bool arithmetic = *def->value && !def->value[strspn(def->value, "0123456789.e+-*/%^() ")];
    const Expr *x = arithmetic ? parse_formula(def->value) : NULL;
    Value made = x ? lower_expr(env_new(NULL, low->root, NULL, low->file), x) : value_poison();
    if (made.kind == V_NUMBER) return made;
    Diag *d = error_at("E0601", (Span){0}, "-D %s=%s: this is not a number", def->name, def->value);
    diag_hint(d, "write a number, as in `-D %s=64`", def->name);
    return value_poison();
}

static void apply_defines(void)
{
    for (int i = 0; i < options.defines.n; i++) {
        Define *def = &options.defines.at[i];
        const Symbol *s = scope_find(low->root, intern_str(def->name));
        if (!s || s->decl->kind != DECL_CONST || s->module != low->root) {
            unknown_define(def->name);
            continue;
        }
        GlobalValue g = {s->decl, defined_value(def), 2};
        vec_push(&low->globals, g);
    }
}

/* ---- entries ---- */

static void add_dim(Entry *e, const Dim *d, Span at)
{
    for (int i = 0; i < e->dims.n; i++)
        if (e->dims.at[i] == d) return;
    vec_push(&e->dims, d);
    if (d->hi >= 0) return;
    Diag *r = error_at("E0602", at, "the dim `%s` has no bound, so the memory of `%s` is not known",
                       d->name, e->name);
    diag_here(r, "%s", "");
    diag_label(r, d->span, "declared here");
    diag_hint(r, "state the largest size: `dim %s in 1..64;`", d->name);
}

static void add_dims(Entry *e, const Type *t, Span at)
{
    for (int i = 0; i < t->shape.rank; i++) {
        uint64_t mask = 0;
        size_dims(t->shape.size[i], &mask);
        for (int k = 0; k < low->p->dims.n && k < 64; k++)
            if (mask >> k & 1) add_dim(e, low->p->dims.at[k], at);
    }
}

static bool declare_input(Env *env, Entry *e, const Formal *f, ArgumentList *args)
{
    Input in = {.name = f->name.s, .span = f->name.span};
    if (!f->type) {
        Diag *d = error_at("E0207", f->name.span, "the argument `%s` of an entry needs a type",
                           f->name.s);
        diag_here(d, "%s", "");
        diag_hint(d, "for a number write `%s: real`", f->name.s);
        return false;
    }
    if (!lower_type(env, f->type, &in.type)) return false;
    Value init = f->init ? lower_expr(env, f->init) : value_poison();
    if (f->init && init.kind != V_NUMBER) {
        if (init.kind == V_POISON) return false;
        Diag *d = error_at("E0306", f->init->span, "a default value is a number, this is %s",
                           value_text(&init));
        diag_here(d, "%s", "");
        return false;
    }
    in.has_default = f->init != NULL;
    in.init = init.num;
    add_dims(e, &in.type, f->name.span);
    Value *v = NEW(Value);
    place_at(f->name.span);
    *v = value_node(n_input(low->g, e->inputs.n, in.type, f->name.s), f->name.span);
    Argument a = {.value = v, .span = f->name.span};
    vec_push(&e->inputs, in);
    vec_push(args, a);
    return true;
}

/* ---- results ---- */

static bool name_taken(const Entry *e, const char *name)
{
    for (int i = 0; i < e->inputs.n; i++)
        if (!strcmp(e->inputs.at[i].name, name)) return true;
    for (int i = 0; i < e->outputs.n; i++)
        if (!strcmp(e->outputs.at[i].name, name)) return true;
    for (int i = 0; i < e->dims.n; i++)
        if (!strcmp(e->dims.at[i]->name, name)) return true;
    return !strcmp(name, "work") || !strcmp(name, "m");
}

static const char *free_name(const Entry *e, const char *name)
{
    if (!name_taken(e, name)) return name;
    const char *out = intern_str(format("%s_out", name));
    for (int i = 2; name_taken(e, out); i++) out = intern_str(format("%s_out%d", name, i));
    return out;
}

static void add_output(Entry *e, const Value *v, const char *name, Elem elem)
{
    Output o = {.name = free_name(e, name), .span = v->span};
    if (v->kind == V_SET) {
        Node *none = NULL;
        for (int i = 0; i < low->p->params.n; i++) vec_push(&o.set, none);
        for (int i = 0; i < v->set.n; i++) o.set.at[v->set.at[i].slot->id] = v->set.at[i].node;
    } else if (!(o.node = value_to_node(v, elem)))
        return;
    vec_push(&e->outputs, o);
}

/* The name of a result: as it is returned, d_x for a gradient, else NULL. */
static const char *written_name(const Expr *x)
{
    if (!x) return NULL;
    if (x->kind == EX_NAME) return x->name;
    if (x->kind == EX_GRAD && x->list.n == 2) {
        const Expr *w = x->list.at[1];
        if (w->kind == EX_CALL && w->a->kind == EX_NAME) w = w->a;
        if (w->kind == EX_NAME || w->kind == EX_FIELD) return intern_str(format("d_%s", w->name));
    }
    return NULL;
}

static const Expr *returned(const Decl *d, int *count)
{
    const Stmt *last = d->body.n ? d->body.at[d->body.n - 1] : NULL;
    *count = last && last->kind == ST_RETURN ? last->list.n : 0;
    return *count == 1 ? last->list.at[0] : NULL;
}

static const Expr *part_written(const Decl *d, int i)
{
    int count;
    const Expr *x = returned(d, &count);
    if (x && x->kind == EX_TUPLE) return i < x->list.n ? x->list.at[i] : NULL;
    if (count > 1) return i < count ? d->body.at[d->body.n - 1]->list.at[i] : NULL;
    return NULL;
}

static const char *part_name(const Decl *d, const Value *v, int i)
{
    int count;
    const Expr *x = returned(d, &count);
    if (x && x->kind == EX_GRAD && x->list.n == 2 && x->list.at[1]->kind == EX_TUPLE &&
        i < x->list.at[1]->list.n) {
        const Expr *w = x->list.at[1]->list.at[i];
        if (w->kind == EX_NAME) return intern_str(format("d_%s", w->name));
    }
    const char *name = written_name(part_written(d, i));
    if (name) return name;
    bool own = v->kind == V_NODE && v->node->name && v->node->op != OP_INPUT &&
               v->node->op != OP_PARAM && v->node->op != OP_STATE;
    return own ? v->node->name : intern_str(format("out%d", i + 1));
}

static void add_results(Entry *e, const Value *v)
{
    int count;
    const Decl *d = e->decl;
    const TypeExpr *t = d->type;
    if (v->kind == V_TUPLE)
        for (int i = 0; i < v->parts.n; i++) {
            Elem elem = t && t->is_tuple && i < t->parts.n ? t->parts.at[i]->elem : ELEM_REAL;
            add_output(e, &v->parts.at[i], part_name(d, &v->parts.at[i], i), elem);
        }
    else {
        const char *name = written_name(returned(d, &count));
        add_output(e, v, name ? name : "out", t && !t->is_tuple ? t->elem : ELEM_REAL);
    }
}

static void reset_applications(Inst *i)
{
    i->applications = 0;
    for (int k = 0; k < i->children.n; k++) reset_applications(i->children.at[k].inst);
}

static void begin_graph(Entry *e)
{
    low->g = e ? e->g : graph_new();
    low->entry = e;
    low->training = e && e->is_training;
    low->memos.n = 0;
    low->customs.n = 0;
    low->eq_name = NULL;
    reset_applications(low->file);
}

static void check_slots(void)
{
    double total = 0;
    for (int i = 0; i < low->p->params.n; i++)
        total += (double)largest_bytes(low->p->params.at[i]->type);
    for (int i = 0; i < low->p->states.n; i++)
        total += (double)largest_bytes(low->p->states.at[i]->type);
    if (total > MAX_BYTES)
        error_at("E0605", (Span){0},
                 "the parameters and states together have %.0f bytes, at most %d are possible",
                 total, MAX_BYTES);
}

static void lower_entry(Entry *e)
{
    const Decl *d = e->decl;
    e->g = graph_new();
    e->inputs.n = e->outputs.n = e->updates.n = e->dims.n = 0;
    begin_graph(e);
    Env *env = env_new(NULL, low->root, d, NULL);
    ArgumentList args = {0};
    env->sees_dims = true;
    bool ok = true;
    for (int i = 0; i < d->formals.n; i++) ok &= declare_input(env, e, &d->formals.at[i], &args);
    if (!ok) return;
    Value f = {.kind = V_FUNCTION, .decl = d, .module = low->root}, values[MAX_ARGS];
    Env *outer;
    if (!open_call(&f, &args, entry_inst(d), d->name.span, &outer, values)) return;
    Value v = call_body(&f, outer, values, d->name.span);
    if (v.kind != V_POISON) add_results(e, &v);
    for (int i = 0; i < e->outputs.n; i++)
        if (e->outputs.at[i].node) add_dims(e, &e->outputs.at[i].node->type, e->outputs.at[i].span);
}

/* The file of --weights holds the parameters of all entries. */
static bool is_wanted(const char *entry)
{
    if (options.weights) return true;
    for (int i = 0; i < options.entries.n; i++)
        if (!strcmp(options.entries.at[i], entry)) return true;
    return options.entries.n == 0;
}

static void collect_entries(void)
{
    for (int i = 0; i < low->root->decls.n; i++) {
        const Decl *d = low->root->decls.at[i];
        if (d->kind == DECL_TEST) vec_push(&low->p->tests, d);
        if (d->kind != DECL_ENTRY || !is_wanted(d->name.s)) continue;
        Entry *e = NEW(Entry);
        *e = (Entry){.name = d->name.s, .doc = d->doc, .decl = d, .is_training = d->is_training};
        vec_push(&low->p->entries, e);
    }
}

Entry *find_entry(const Decl *d)
{
    for (int i = 0; i < low->p->entries.n; i++)
        if (low->p->entries.at[i]->decl == d) return low->p->entries.at[i];
    return NULL;
}

/* Params and states at file level exist even if no entry names them. */
static void touch_file_level(void)
{
    begin_graph(NULL);
    Module *const *all;
    int n = modules_loaded(&all);
    for (int k = 0; k < n; k++) {
        if (all[k]->src->is_std) continue;
        for (int i = 0; i < all[k]->scope->own.n; i++) {
            const Symbol *s = &all[k]->scope->own.at[i];
            if (s->decl->kind == DECL_STMT || s->decl->kind == DECL_CONST)
                global_value(s, s->decl->span);
        }
    }
    for (int i = 0; i < low->p->params.n; i++) low->p->params.at[i]->is_used = false;
}

static void require_at_file_level(void)
{
    begin_graph(NULL);
    for (int i = 0; i < low->root->decls.n; i++) {
        const Decl *d = low->root->decls.at[i];
        if (d->kind != DECL_STMT || d->stmt->kind != ST_REQUIRE) continue;
        Env *e = env_new(NULL, low->root, NULL, low->file);
        e->sees_dims = true;
        lower_require(e, d->stmt);
    }
}

static void warn_unused(void)
{
    for (int i = 0; i < low->p->params.n; i++) {
        const Slot *s = low->p->params.at[i];
        if (s->is_used || options.entries.n || low->p->entries.n == 0) continue;
        Diag *d = warning_at("W0103", s->span, "the parameter `%s` is never used", s->path);
        diag_here(d, "%s", "");
    }
}

static void begin_program(Module *m, const char *name)
{
    low = NEW(Lower);
    low->p = NEW(Program);
    low->p->name = name;
    low->p->src = m->src;
    low->p->scope = m->scope;
    low->root = m;
    low->file = NEW(Inst);
    low->file->path = intern_str("");
    low->p->init = NEW(Entry);
    *low->p->init = (Entry){.name = "init", .g = graph_new(), .writes = true};
    low->g = graph_new();
}

Program *lower_module(Module *m, const char *program_name)
{
    begin_program(m, program_name);
    apply_defines();
    declare_dims();
    collect_entries();
    if (!diag_errors()) touch_file_level();
    int known = -1;
    while (!diag_errors()) {
        low->final_round = known == low->p->params.n + low->p->states.n;
        known = low->p->params.n + low->p->states.n;
        low->requirements.n = 0;
        require_at_file_level();
        for (int i = 0; i < low->p->entries.n; i++) lower_entry(low->p->entries.at[i]);
        for (int i = 0; i < low->p->entries.n && !diag_errors(); i++)
            check_memory(low->p, low->p->entries.at[i], low->final_round);
        if (low->final_round) break;
    }
    if (!diag_errors()) check_memory(low->p, low->p->init, true);
    if (!diag_errors()) check_slots();
    if (diag_errors()) return NULL;
    warn_unused();
    begin_graph(NULL);
    return low->p;
}
