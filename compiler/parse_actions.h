/* parse_actions.h - the longer actions of the grammar: each makes one node of the tree from what
 * stands in a rule, in the order in which it stands there. */
#ifndef NNC_PARSE_ACTIONS_H
#define NNC_PARSE_ACTIONS_H
#include "syntax.h"

#include <string.h>

static Span empty_after(Span before) { return (Span){before.src, before.end, before.end}; }

static ExprList list_before(Expr *first, const ExprList *rest)
{
    ExprList list = {0};
    vec_push(&list, first);
    for (int i = 0; i < rest->n; i++) vec_push(&list, rest->at[i]);
    return list;
}

static Name path_join(Span span, Name path, const Token *last)
{
    const char *s = format("%s.%s", path.s, last->text);
    return (Name){intern_str(s), span};
}

static TypeExpr *type_element(Span span, Elem elem, ExprList dims)
{
    TypeExpr *t = NEW(TypeExpr);
    t->span = span;
    t->elem = elem;
    t->dims = dims;
    return t;
}

static TypeExpr *type_tuple(Span span, TypeList parts)
{
    TypeExpr *t = NEW(TypeExpr);
    t->span = span;
    t->is_tuple = true;
    t->parts = parts;
    return t;
}

/* ---- statements ----------------------------------------------------------------------------- */

/* `name` may be NULL. */
static Stmt *stmt_value(const Parser *p, StmtKind kind, Span span, const Token *name, Expr *value)
{
    Stmt *s = stmt_new(p, kind, span);
    if (name) vec_push(&s->names, name_of(name));
    s->value = value;
    return s;
}

static Stmt *stmt_def(const Parser *p, StmtKind kind, Span span, const Token *name, TypeExpr *type,
                      Init init)
{
    Stmt *s = stmt_value(p, kind, span, name, init.value);
    s->type = type;
    s->is_draw = init.is_draw;
    return s;
}

static Stmt *stmt_tuple(const Parser *p, Span span, const Token *first, const NameList *rest,
                        Expr *value)
{
    Stmt *s = stmt_value(p, ST_TUPLE, span, first, value);
    for (int i = 0; i < rest->n; i++) vec_push(&s->names, rest->at[i]);
    return s;
}

/* `= value;` as a block that returns it. */
static StmtList body_of(const Parser *p, Expr *value)
{
    StmtList body = {0};
    Stmt *s = stmt_new(p, ST_RETURN, value->span);
    vec_push(&s->list, value);
    vec_push(&body, s);
    return body;
}

/* ---- items ---------------------------------------------------------------------------------- */

static Decl *decl_stmt(const Parser *p, Span span, Stmt *stmt)
{
    Decl *d = decl_new(p, DECL_STMT, span);
    d->stmt = stmt;
    if (stmt->names.n) d->name = stmt->names.at[0];
    return d;
}

static Decl *decl_import(const Parser *p, Span span, const char *text, bool is_file, Name alias)
{
    Decl *d = decl_new(p, DECL_IMPORT, span);
    d->text = text;
    d->is_file = is_file;
    d->name = alias;
    return d;
}

static Decl *decl_value(const Parser *p, DeclKind kind, Span span, const Token *name,
                        TypeExpr *type, Expr *value, Expr *value2)
{
    Decl *d = decl_new(p, kind, span);
    d->name = name_of(name);
    d->type = type;
    d->value = value;
    d->value2 = value2;
    return d;
}

static Decl *decl_callable(const Parser *p, DeclKind kind, Span span, const Token *name,
                           FormalList statics, FormalList formals, TypeExpr *type, StmtList body)
{
    Decl *d = decl_new(p, kind, span);
    d->name = name_of(name);
    d->statics = statics;
    d->formals = formals;
    d->type = type;
    d->body = body;
    return d;
}

static void set_gradient(Decl *d, const Gradient *g)
{
    d->has_gradient = g->is_given;
    d->is_surrogate = g->is_surrogate;
    d->gradient_names = g->names;
    d->gradient = g->body;
}

#endif
