/* syntax.h - what the lexer, the parser and the reports of syntax errors share. The whole text is
 * cut into tokens first. When the parser meets an error, syntax.c reports it and repairs the list
 * of tokens, and the parser starts again from the first token: so the grammar holds nothing but
 * the language, and several errors are found in one run. */
#ifndef NNC_SYNTAX_H
#define NNC_SYNTAX_H
#include "tree.h"

enum { MAX_NESTING = 200, MAX_HEIGHT = 1000 };

typedef struct Token {
    int kind; /* one of parse.h */
    Span span;
    const char *text; /* of a name, a string or a reserved word */
    double num;
    bool is_int;
    Elem elem;
    bool is_tainted; /* an error in it or before it is reported already */
    bool is_repair;  /* put in to go on after an error */
} Token;

/* A doc comment and where the token after it begins. */
typedef struct Doc {
    int before;
    const char *text;
} Doc;

typedef struct Parser {
    const Source *src;
    VEC(Token) tokens; /* the last one is END */
    VEC(Doc) docs;     /* in the order of places */
    int next;          /* the token that the parser gets next */
    DeclList decls;
    Expr *formula;
    bool is_formula;
    bool too_deep; /* reported once a text */
    bool gives_up; /* no further repair */
    int errors, repairs;
} Parser;

/* ---- lex.re --------------------------------------------------------------------------------- */

/* Fills p->tokens and p->docs from p->src; reports what is no token. */
void lex_source(Parser *p);

/* ---- tree.c: nodes; heights above MAX_HEIGHT are reported and cut off ------------------------ */

Expr *expr_new(ExprKind kind, Span span, Span at);
Expr *expr_name(const Token *t);
Expr *expr_number(const Token *t);
Expr *expr_unary(Parser *p, Operator op, Span span, Span at, Expr *a);
Expr *expr_binary(Parser *p, Operator op, Span span, Span at, Expr *a, Expr *b);
/* Any other kind over up to three operands; NULL operands are left out. */
Expr *expr_over(Parser *p, ExprKind kind, Span span, Span at, Expr *a, Expr *b, Expr *c);
/* A kind with a list, over `a` or NULL. */
Expr *expr_list(Parser *p, ExprKind kind, Span span, Span at, Expr *a, ExprList list);
Stmt *stmt_new(const Parser *p, StmtKind kind, Span span);
Decl *decl_new(const Parser *p, DeclKind kind, Span span);
Name name_of(const Token *t);

/* ---- repair.c: the list of tokens, and how a parse can go on after an error ----------------- */

/* The last bracket before token `at` that is still open, or -1; and the bracket that closes `open`,
 * or -1. */
int token_opener(const Parser *p, int at);
int token_closer(const Parser *p, int open);
/* What kind of bracket closes this kind. */
int closing_kind(int open_kind);
bool token_begins_line(const Parser *p, int at);
/* Words with which an item of a file begins, and a statement of a body. */
bool kind_begins_item(int kind);
bool kind_begins_stmt(int kind);
bool kind_is_reserved(int kind);

/* Each edits the tokens; the parser must start again. */
void repair_insert(Parser *p, int at, int kind);
void repair_replace(Parser *p, int at, int kind);
void repair_delete(Parser *p, int from, int to);
/* Takes out the statement or item around token `at`, but keeps the body behind a broken head. */
void repair_skip(Parser *p, int at);

/* ---- syntax.c, mistakes.c: errors ----------------------------------------------------------- */

/* What the parser knows where it stopped: the symbols it has stacked, the last first and
 * shortened by stack_collapse, and which tokens could follow. */
typedef struct Stop {
    const char *const *stack;
    int depth;
    const bool *expected; /* by kind of token */
} Stop;

/* One syntax error: token `at` does not fit. */
typedef struct Mistake {
    Parser *p;
    const Stop *stop;
    int at;
    Token token, before; /* before: END at the very front */
} Mistake;

/* Reports the error at p->tokens.at[p->next - 1] and repairs p->tokens. */
void syntax_error(Parser *p, const Stop *stop);
/* Reports and counts; the one way from the parser to a report. */
Diag *syntax_report(Parser *p, const char *code, Span at, const char *text);
void syntax_too_deep(Parser *p, Span at);
/* Reports and repairs one of the mistakes that people make; false: it is none of them. */
bool mistake_is_known(const Mistake *m);

/* Whether the stack ends in these symbols, written as in syntax_errors.def. */
bool stack_ends_in(const char *const *stack, int depth, const char *symbols);
/* Shortens a stack, the last symbol first, by naming each run of operands and operators EXPR or
 * OPERATOR; returns the new depth, at most `capacity`. */
int stack_collapse(const char *const *stack, int depth, const char **shorter, int capacity);
/* The message and the hint (or NULL) for a shortened stack; NULL: none was written for it. */
const char *syntax_message(const char *const *stack, int depth, const char **hint);

#endif
