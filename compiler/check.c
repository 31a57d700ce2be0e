/* check.c - names: every name in every body means something.
 * In: a source. Out: the module with its imports, or NULL when anything was wrong. Bodies that are
 * never called are checked too. Shapes and the kinds of values are found by lowering. */
#include "lower.h"

#include <string.h>

typedef struct Names {
    NameList own;
    struct Names *parent;
    const Module *m;
    bool dims;    /* entries and the file level see dims */
    bool is_body; /* the parent holds the arguments */
} Names;

static bool knows(const Names *n, const char *name)
{
    for (; n; n = n->parent)
        for (int i = 0; i < n->own.n; i++)
            if (n->own.at[i].s == name) return true;
    return false;
}

static void add(Names *n, const char *name, Span at)
{
    Name x = {name, at};
    vec_push(&n->own, x);
}

static bool visible(const Names *n, const char *name)
{
    if (knows(n, name) || is_builtin_name(name) || scope_alias(n->m, name)) return true;
    const Symbol *s = scope_find(n->m, name);
    return s && (n->dims || s->decl->kind != DECL_DIM);
}

/* The place of a name that could have been meant: a local, or one of the file. */
static Span defined_at(const Names *n, const char *name)
{
    for (const Names *k = n; k; k = k->parent)
        for (int i = 0; i < k->own.n; i++)
            if (k->own.at[i].s == name) return k->own.at[i].span;
    const Symbol *s = scope_find(n->m, name);
    if (!s || s->module != n->m) return (Span){0};
    return s->decl->kind == DECL_STMT ? s->decl->stmt->names.at[0].span : s->decl->name.span;
}

static void suggest(Diag *d, const Names *n, const char *name)
{
    StrList known = {0};
    const char *library = library_with(name);
    for (const Names *k = n; k; k = k->parent)
        for (int i = 0; i < k->own.n; i++) vec_push(&known, k->own.at[i].s);
    scope_names(n->m, &known);
    const char *near = nearest(name, known.at, known.n);
    if (library)
        diag_hint(d, "`%s` is in a library: write `import std.%s;`", name, library);
    else if (near) {
        Span at = defined_at(n, near);
        if (at.src) diag_label(d, at, "a similar name is defined here");
        diag_hint(d, "did you mean `%s`?", near);
    }
}

static void unknown(const Names *n, const char *name, Span at)
{
    Diag *d = error_at("E0201", at, "no value named `%s`", name);
    diag_here(d, "%s", "");
    const Symbol *dim = scope_find(n->m, name);
    if (!dim) {
        suggest(d, n, name);
        return;
    }
    diag_label(d, dim->decl->name.span, "a `dim` is seen only in entries and at file level");
    diag_hint(d, "name the size in the type of an argument, as in `x: real[%s]`", name);
}

static void check_expr(Names *n, const Expr *x);

static void check_list(Names *n, const ExprList *l)
{
    for (int i = 0; i < l->n; i++) check_expr(n, l->at[i]);
}

/* sum[k in n](..): the indices are names inside the brackets and the call's arguments. */
static void check_reduction(Names *n, const Expr *call)
{
    Names inner = {.parent = n, .m = n->m, .dims = n->dims};
    const Expr *index = call->a;
    for (int i = 0; i < index->list.n; i++) {
        const Expr *k = index->list.at[i];
        if (k->kind == EX_IN) check_expr(n, k->a);
        if (k->kind == EX_IN || k->kind == EX_NAME) add(&inner, k->name, k->at);
    }
    check_list(&inner, &call->list);
}

static bool is_reduction(const Expr *x)
{
    static const char *const names[] = {"sum", "prod", "max", "min", "mean", "any", "all"};
    if (x->kind != EX_CALL || x->a->kind != EX_INDEX || x->a->a->kind != EX_NAME) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], x->a->a->name)) return true;
    return false;
}

static void check_expr(Names *n, const Expr *x)
{
    if (!x) return;
    if (x->kind == EX_NAME && !visible(n, x->name)) unknown(n, x->name, x->at);
    if (is_reduction(x)) {
        check_reduction(n, x);
        return;
    }
    check_expr(n, x->a);
    check_expr(n, x->b);
    check_expr(n, x->c);
    check_list(n, &x->list);
}

/* In the type of a formal a bare name that means nothing yet is a signature variable. */
static void bind_type(Names *n, const TypeExpr *t)
{
    if (!t) return;
    for (int i = 0; i < t->parts.n; i++) bind_type(n, t->parts.at[i]);
    for (int i = 0; i < t->dims.n; i++) {
        const Expr *d = t->dims.at[i];
        if (d->kind == EX_NAME && !visible(n, d->name)) add(n, d->name, d->span);
    }
}

static void check_type(Names *n, const TypeExpr *t)
{
    if (!t) return;
    for (int i = 0; i < t->parts.n; i++) check_type(n, t->parts.at[i]);
    check_list(n, &t->dims);
}

static void define(Names *n, const Stmt *s)
{
    for (int i = 0; i < s->names.n; i++) add(n, s->names.at[i].s, s->names.at[i].span);
}

static void check_body(Names *n, const StmtList *body);

static Span own_place(const Names *n, const char *name)
{
    for (int k = 0; k < n->own.n; k++)
        if (n->own.at[k].s == name) return n->own.at[k].span;
    return (Span){0};
}

static void formal_twice(const Names *n, const Name *name)
{
    Span first = own_place(n, name->s);
    if (!first.src) return;
    Diag *d = error_at("E0202", name->span, "`%s` is defined twice", name->s);
    diag_here(d, "%s", "");
    diag_label(d, first, "the first definition");
}

static void check_scan(Names *n, const Stmt *s)
{
    Names inner = {.parent = n, .m = n->m, .dims = n->dims};
    for (int i = 0; i < s->seqs.n; i++) {
        check_expr(n, s->seqs.at[i].value);
        add(&inner, s->seqs.at[i].name.s, s->seqs.at[i].name.span);
    }
    for (int i = 0; i < s->inits.n; i++) {
        check_expr(n, s->inits.at[i].value);
        formal_twice(&inner, &s->inits.at[i].name);
        formal_twice(n, &s->inits.at[i].name);
        add(&inner, s->inits.at[i].name.s, s->inits.at[i].name.span);
        add(n, s->inits.at[i].name.s, s->inits.at[i].name.span);
    }
    check_body(&inner, &s->body);
    for (int i = 0; i < s->body.n; i++)
        if (s->body.at[i]->kind == ST_EMIT) define(n, s->body.at[i]);
}

static void check_indexed(Names *n, const Stmt *s)
{
    Names inner = {.parent = n, .m = n->m, .dims = n->dims};
    for (int i = 0; i < s->list.n; i++) {
        const Expr *k = s->list.at[i];
        if (k->kind == EX_IN) check_expr(n, k->a);
        if (k->kind == EX_IN || k->kind == EX_NAME) add(&inner, k->name, k->at);
    }
    check_expr(&inner, s->value);
    define(n, s);
}

/* A body shares its scope with the arguments of its function. */
static void twice(const Names *n, const Stmt *s)
{
    for (int i = 0; i < s->names.n; i++) {
        Span first = own_place(n, s->names.at[i].s);
        if (!first.src && n->is_body) first = own_place(n->parent, s->names.at[i].s);
        for (int k = 0; k < i; k++)
            if (s->names.at[k].s == s->names.at[i].s) first = s->names.at[k].span;
        if (!first.src) continue;
        Diag *d = error_at("E0202", s->names.at[i].span, "`%s` is defined twice", s->names.at[i].s);
        diag_here(d, "%s", "");
        diag_label(d, first, "the first definition");
        diag_hint(d, "every line is an equation: a name gets its value once; choose another name");
    }
}

static void check_stmt(Names *n, const Stmt *s)
{
    bool defines = s->kind == ST_DEF || s->kind == ST_TUPLE || s->kind == ST_INDEXED ||
                   s->kind == ST_PARAM || s->kind == ST_STATE;
    if (defines) twice(n, s);
    check_type(n, s->type);
    if (s->kind == ST_SCAN)
        check_scan(n, s);
    else if (s->kind == ST_INDEXED)
        check_indexed(n, s);
    else {
        check_list(n, &s->list);
        check_expr(n, s->value);
        check_expr(n, s->target);
        check_expr(n, s->count);
        if (defines) define(n, s);
    }
}

/* What a test runs is seen without running it: a call. */
static void check_test_stmt(const Stmt *s)
{
    const Expr *x = s->value;
    bool runs = s->kind == ST_CHECK_GRAD || s->kind == ST_REPEAT;
    bool call = runs && (x->kind == EX_CALL || (x->kind == EX_BINARY && x->op == O_PIPE) ||
                         x->kind == EX_ERROR);
    if (runs && !call) {
        Diag *d = error_at("E0204", x->span, "`%s` takes a call of an entry",
                           s->kind == ST_REPEAT ? "repeat" : "check_grad");
        diag_here(d, "%s", "");
    }
    if (s->kind == ST_ASSERT && x->kind == EX_NUMBER) {
        Diag *d = error_at("E0321", x->span, "an assertion is a condition, this is a number");
        diag_here(d, "%s", "");
    }
}

static void check_body(Names *n, const StmtList *body)
{
    for (int i = 0; i < body->n; i++) check_stmt(n, body->at[i]);
}

/* The first value of a static argument may use the ones before it. */
static void check_statics(Names *n, const FormalList *l)
{
    for (int i = 0; i < l->n; i++) {
        check_type(n, l->at[i].type);
        check_expr(n, l->at[i].init);
        formal_twice(n, &l->at[i].name);
        add(n, l->at[i].name.s, l->at[i].name.span);
    }
}

static void check_formals(Names *n, const FormalList *l, bool binds)
{
    for (int i = 0; i < l->n && binds; i++) bind_type(n, l->at[i].type);
    for (int i = 0; i < l->n; i++) {
        check_type(n, l->at[i].type);
        check_expr(n, l->at[i].init);
    }
    for (int i = 0; i < l->n; i++) {
        formal_twice(n, &l->at[i].name);
        add(n, l->at[i].name.s, l->at[i].name.span);
    }
}

static void check_function(const Module *m, const Decl *d)
{
    Names outer = {.m = m, .dims = d->kind == DECL_ENTRY};
    check_statics(&outer, &d->statics);
    check_formals(&outer, &d->formals, d->kind != DECL_ENTRY);
    check_type(&outer, d->type);
    Names n = {.parent = &outer, .m = m, .dims = outer.dims, .is_body = true};
    check_body(&n, &d->body);
    Names g = {.parent = &n, .m = m, .dims = outer.dims};
    for (int i = 0; i < d->gradient_names.n; i++)
        add(&g, d->gradient_names.at[i].s, d->gradient_names.at[i].span);
    check_body(&g, &d->gradient);
}

static void check_decl(const Module *m, const Decl *d)
{
    Names n = {.m = m, .dims = true};
    switch (d->kind) {
    case DECL_FN:
    case DECL_LAYER:
    case DECL_ENTRY: check_function(m, d); return;
    case DECL_TEST:
        check_body(&n, &d->body);
        for (int i = 0; i < d->body.n; i++) check_test_stmt(d->body.at[i]);
        return;
    case DECL_STMT:
        check_type(&n, d->stmt->type);
        check_expr(&n, d->stmt->value);
        return;
    default:
        check_type(&n, d->type);
        check_expr(&n, d->value);
        check_expr(&n, d->value2);
    }
}

Module *check_module(const Source *src)
{
    Module *m = module_load(src), *const * all;
    int n = modules_loaded(&all);
    if (diag_errors()) return NULL;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < all[k]->decls.n; i++) check_decl(all[k], all[k]->decls.at[i]);
    return diag_errors() ? NULL : m;
}
