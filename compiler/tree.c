/* tree.c - makes the nodes of the tree. What goes in are tokens and parts; what comes out are nodes
 * with their places and doc comments. No expression becomes higher than MAX_HEIGHT, so that every
 * later pass may walk it recursively: what is higher is reported once and cut off as EX_ERROR. */
#include "syntax.h"

#include <stddef.h>

static const char *const operator_texts[] = {
    [O_PIPE] = "|>", [O_OR] = "||", [O_AND] = "&&",   [O_EQ] = "==", [O_NE] = "!=", [O_LT] = "<",
    [O_GT] = ">",    [O_LE] = "<=", [O_GE] = ">=",    [O_ADD] = "+", [O_SUB] = "-", [O_MUL] = "*",
    [O_DIV] = "/",   [O_MOD] = "%", [O_MATMUL] = "@", [O_POW] = "^", [O_NEG] = "-", [O_NOT] = "!",
};

const char *operator_text(Operator o) { return operator_texts[o]; }

const char *elem_text(Elem e)
{
    static const char *const names[] = {"real", "f16", "f32", "f64", "i8", "i32", "u8", "bool"};
    return names[e];
}

/* ---- expressions ---------------------------------------------------------------------------- */

/* Every expression the parser makes stands inside one of these. */
typedef struct Tall {
    Expr expr;
    int height;
} Tall;

static int *height_of(Expr *e)
{
    return &((Tall *)(void *)((char *)e - offsetof(Tall, expr)))->height;
}

Expr *expr_new(ExprKind kind, Span span, Span at)
{
    Tall *t = NEW(Tall);
    t->expr.kind = kind;
    t->expr.span = span;
    t->expr.at = at;
    t->height = 1;
    return &t->expr;
}

/* Puts e above `part`, which may be NULL. */
static void raise_above(Expr *e, Expr *part)
{
    if (part && *height_of(e) <= *height_of(part)) *height_of(e) = *height_of(part) + 1;
}

static Expr *limit_height(Parser *p, Expr *e)
{
    if (*height_of(e) <= MAX_HEIGHT) return e;
    syntax_too_deep(p, e->at);
    return expr_new(EX_ERROR, e->span, e->at);
}

Expr *expr_name(const Token *t)
{
    Expr *e = expr_new(EX_NAME, t->span, t->span);
    e->name = t->text;
    return e;
}

Expr *expr_number(const Token *t)
{
    Expr *e = expr_new(EX_NUMBER, t->span, t->span);
    e->num = t->num;
    e->is_int = t->is_int;
    return e;
}

Expr *expr_over(Parser *p, ExprKind kind, Span span, Span at, Expr *a, Expr *b, Expr *c)
{
    Expr *e = expr_new(kind, span, at);
    e->a = a;
    e->b = b;
    e->c = c;
    raise_above(e, a);
    raise_above(e, b);
    raise_above(e, c);
    return limit_height(p, e);
}

Expr *expr_unary(Parser *p, Operator op, Span span, Span at, Expr *a)
{
    Expr *e = expr_over(p, EX_UNARY, span, at, a, NULL, NULL);
    e->op = op;
    return e;
}

Expr *expr_binary(Parser *p, Operator op, Span span, Span at, Expr *a, Expr *b)
{
    Expr *e = expr_over(p, EX_BINARY, span, at, a, b, NULL);
    e->op = op;
    return e;
}

Expr *expr_list(Parser *p, ExprKind kind, Span span, Span at, Expr *a, ExprList list)
{
    Expr *e = expr_new(kind, span, at);
    e->a = a;
    e->list = list;
    raise_above(e, a);
    for (int i = 0; i < list.n; i++) raise_above(e, list.at[i]);
    return limit_height(p, e);
}

/* ---- statements and items ------------------------------------------------------------------- */

static const char *doc_before(const Parser *p, int place)
{
    int lo = 0, hi = p->docs.n;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (p->docs.at[mid].before < place)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < p->docs.n && p->docs.at[lo].before == place ? p->docs.at[lo].text : NULL;
}

Stmt *stmt_new(const Parser *p, StmtKind kind, Span span)
{
    Stmt *s = NEW(Stmt);
    s->kind = kind;
    s->span = span;
    s->doc = doc_before(p, span.begin);
    return s;
}

Decl *decl_new(const Parser *p, DeclKind kind, Span span)
{
    Decl *d = NEW(Decl);
    d->kind = kind;
    d->span = span;
    d->doc = doc_before(p, span.begin);
    return d;
}

Name name_of(const Token *t) { return (Name){t->text, t->span}; }
