/* syntax.c - parses texts, and reports where the parser stops. What goes in is a source; what comes
 * out is its tree and, in words of the language, what is wrong with it: a message from
 * syntax_errors.def, or a better one from mistakes.c. Whatever of the text is not in the tree was
 * reported. */
#include "syntax.h"
#include "parse.h"

#include <string.h>

enum { MAX_SYNTAX_ERRORS = 21 };            /* one more than are shown: "too many errors" */

/* ---- the stack of the parser ---------------------------------------------------------------- */

static bool is_one_of(const char *symbol, const char *symbols)
{
    size_t n = strlen(symbol);
    for (const char *s = symbols; (s = strstr(s, symbol)); s += n)
        if ((s == symbols || s[-1] == ' ') && (s[n] == ' ' || !s[n])) return true;
    return false;
}

static bool is_operand(const char *symbol)
{
    return is_one_of(symbol, "op unary power postfix primary expr");
}

static bool is_operator(const char *const *stack, int depth, int i)
{
    if (is_one_of(stack[i], "|> || && == != < > <= >= + - * / % @ ^ ! ?")) return true;
    return strcmp(stack[i], ":") == 0 && i + 2 < depth && strcmp(stack[i + 1], "expr") == 0 &&
           strcmp(stack[i + 2], "?") == 0;
}

int stack_collapse(const char *const *stack, int depth, const char **shorter, int capacity)
{
    int n = 0, i = 0;
    while (i < depth && n < capacity) {
        if (!is_operand(stack[i]) && !is_operator(stack, depth, i)) {
            shorter[n++] = stack[i++];
            continue;
        }
        shorter[n++] = is_operand(stack[i]) ? "EXPR" : "OPERATOR";
        while (i < depth && (is_operand(stack[i]) || is_operator(stack, depth, i))) i++;
    }
    return n;
}

/* Whether the n bytes at `alternatives`, as in `a|b`, name the symbol; `||` names itself. */
static bool is_alternative(const char *symbol, const char *alternatives, size_t n)
{
    size_t length = strlen(symbol);
    if (length == n && memcmp(symbol, alternatives, n) == 0) return true;
    for (size_t i = 0; i + length <= n; i++)
        if ((i == 0 || alternatives[i - 1] == '|') &&
            (i + length == n || alternatives[i + length] == '|') &&
            memcmp(symbol, alternatives + i, length) == 0)
            return true;
    return false;
}

bool stack_ends_in(const char *const *stack, int depth, const char *symbols)
{
    const char *end = symbols + strlen(symbols);
    for (int i = 0; end > symbols; i++) {
        const char *begin = end;
        while (begin > symbols && begin[-1] != ' ') begin--;
        if (i >= depth || !is_alternative(stack[i], begin, (size_t)(end - begin))) return false;
        end = begin > symbols ? begin - 1 : begin;
    }
    return true;
}

/* ---- messages ------------------------------------------------------------------------------- */

typedef struct Row {
    const char *symbols, *message, *hint;
} Row;
static const Row rows[] = {
#define AFTER(symbols, message, hint) {symbols, message, hint},
#include "syntax_errors.def"
#undef AFTER
};

const char *syntax_message(const char *const *stack, int depth, const char **hint)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (stack_ends_in(stack, depth, rows[i].symbols)) {
            *hint = rows[i].hint;
            return rows[i].message;
        }
    return NULL;
}

Diag *syntax_report(Parser *p, const char *code, Span at, const char *text)
{
    if (++p->errors >= MAX_SYNTAX_ERRORS) p->gives_up = true;
    return error_at(code, at, "%s", text);
}

void syntax_too_deep(Parser *p, Span at)
{
    if (p->too_deep) return;
    p->too_deep = true;
    Diag *d = syntax_report(p, "E0110", at, "nested too deeply");
    diag_here(d, "at most %d brackets or signs inside each other, and %d operators", MAX_NESTING,
              MAX_HEIGHT);
    diag_hint(d, "give parts of it names: `part = ..;` on lines of their own");
}

/* A message may name the token in front of the place. */
static const char *fill_in(const char *message, const Token *before)
{
    const char *gap = strstr(message, "%s");
    if (!gap) return message;
    return format("%.*s%s%s", (int)(gap - message), message, span_text(before->span), gap + 2);
}

static void report_by_table(const Mistake *m)
{
    const char *hint = NULL, *message = syntax_message(m->stop->stack, m->stop->depth, &hint);
    Span place = m->token.span;
    if (m->at > 0 && (m->token.kind == END || token_begins_line(m->p, m->at)))
        place = (Span){place.src, m->before.span.end, m->before.span.end};
    message = message ? fill_in(message, &m->before) : "this does not fit here";
    Diag *d = syntax_report(m->p, "E0100", place, message);
    if (hint) diag_hint(d, "%s", hint);
}

/* ---- what follows an error ------------------------------------------------------------------ */

/* The lexer has reported this place, or a repair did not hold. */
static bool is_reported(const Mistake *m)
{
    return m->token.is_tainted || m->before.is_tainted || m->token.is_repair || m->before.is_repair;
}

static void repair_silently(const Mistake *m)
{
    Parser *p = m->p;
    int open = token_opener(p, m->at);
    if (m->stop->expected[SEMICOLON] && m->before.kind != SEMICOLON)
        repair_insert(p, m->at, SEMICOLON);
    else if (open >= 0 && m->stop->expected[closing_kind(p->tokens.at[open].kind)])
        repair_insert(p, m->at, closing_kind(p->tokens.at[open].kind));
    else if (m->token.kind == END)
        p->gives_up = true;
    else
        repair_skip(p, m->at);
}

void syntax_error(Parser *p, const Stop *stop)
{
    int at = p->next - 1;
    Mistake m = {.p = p, .stop = stop, .at = at, .token = p->tokens.at[at]};
    m.before = at > 0 ? p->tokens.at[at - 1] : (Token){.kind = END};
    if (p->is_formula) {
        report_by_table(&m);
        p->gives_up = true;
    } else if (is_reported(&m)) {
        repair_silently(&m);
    } else if (!mistake_is_known(&m)) {
        report_by_table(&m);
        repair_skip(p, at);
    }
}

/* ---- parsing -------------------------------------------------------------------------------- */

static void parse_tokens(Parser *p)
{
    do {
        p->next = 0;
        memset(&p->decls, 0, sizeof p->decls);
    } while (yyparse(p) == 1 && !p->gives_up);
}

DeclList parse_source(const Source *src)
{
    Parser p = {.src = src};
    lex_source(&p);
    parse_tokens(&p);
    return p.decls;
}

Expr *parse_formula(const char *text)
{
    Parser p = {.src = source_from_text("formula", text, (int)strlen(text)), .is_formula = true};
    vec_push(&p.tokens, ((Token){.kind = FORMULA, .span = {p.src, 0, 0}}));
    lex_source(&p);
    parse_tokens(&p);
    return p.errors ? NULL : p.formula;
}
