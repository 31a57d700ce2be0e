/* syntax.c - parses texts and goes on after errors. */
#include "syntax.h"
#include "parse.h"

#include <string.h>

void syntax_too_deep(Parser *p, Span at)
{
    if (p->too_deep) return;
    p->too_deep = true;
    p->errors++;
    Diag *d = error_at("E0110", at, "nested too deeply");
    diag_hint(d, "give parts of it a name: `part = ..;` on a line of its own");
}

int stack_collapse(const char *const *stack, int depth, const char **shorter, int capacity)
{
    int n = depth < capacity ? depth : capacity;
    for (int i = 0; i < n; i++) shorter[i] = stack[i];
    return n;
}

void syntax_error(Parser *p, const Stop *stop)
{
    (void)stop;
    p->errors++;
    error_at("E0100", p->tokens.at[p->next - 1].span, "syntax error");
    p->gives_up = true;
}

DeclList parse_source(const Source *src)
{
    Parser p = {.src = src};
    lex_source(&p);
    yyparse(&p);
    return p.decls;
}

Expr *parse_formula(const char *text)
{
    Parser p = {.src = source_from_text("formula", text, (int)strlen(text)), .is_formula = true};
    vec_push(&p.tokens, ((Token){.kind = FORMULA, .span = {p.src, 0, 0}}));
    lex_source(&p);
    yyparse(&p);
    return p.errors ? NULL : p.formula;
}
