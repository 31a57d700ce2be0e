/* repair.c - edits the tokens after a syntax error, so that the next parse gets further. What goes
 * in is a list of tokens that parses up to a place; what comes out is one that may parse beyond
 * it. Nothing is edited before an error was reported. */
#include "syntax.h"
#include "parse.h"

#include <string.h>

enum { MAX_REPAIRS = 120 };

/* ---- looking at tokens ---------------------------------------------------------------------- */

static bool opens(int kind) { return kind == LPAREN || kind == LBRACKET || kind == LBRACE; }

static bool closes(int kind) { return kind == RPAREN || kind == RBRACKET || kind == RBRACE; }

int closing_kind(int open_kind)
{
    return open_kind == LPAREN ? RPAREN : open_kind == LBRACKET ? RBRACKET : RBRACE;
}

int token_opener(const Parser *p, int at)
{
    int depth = 0;
    for (int i = at - 1; i >= 0; i--) {
        if (closes(p->tokens.at[i].kind)) depth++;
        if (opens(p->tokens.at[i].kind) && depth-- == 0) return i;
    }
    return -1;
}

int token_closer(const Parser *p, int open)
{
    int kind = p->tokens.at[open].kind, depth = 0;
    for (int i = open; i < p->tokens.n; i++) {
        if (p->tokens.at[i].kind == kind) depth++;
        if (p->tokens.at[i].kind == closing_kind(kind) && --depth == 0) return i;
    }
    return -1;
}

bool token_begins_line(const Parser *p, int at)
{
    if (at == 0) return true;
    const char *text = p->src->text;
    int from = p->tokens.at[at - 1].span.end, to = p->tokens.at[at].span.begin;
    return to > from && memchr(text + from, '\n', (size_t)(to - from));
}

bool kind_begins_item(int kind)
{
    return kind == IMPORT || kind == CONST || kind == DIM || kind == FN || kind == LAYER ||
           kind == ENTRY || kind == TRAINING || kind == TEST;
}

bool kind_begins_stmt(int kind)
{
    return kind == PARAM || kind == STATE || kind == UPDATE || kind == SCAN || kind == NEXT ||
           kind == EMIT || kind == RETURN || kind == REQUIRE || kind == ASSERT || kind == REPEAT ||
           kind == CHECK_GRAD;
}

bool kind_is_reserved(int kind) { return kind == ELEM || (kind >= IMPORT && kind <= NEW_WORD); }

/* ---- edits ---------------------------------------------------------------------------------- */

static void count_repair(Parser *p)
{
    if (++p->repairs >= MAX_REPAIRS) p->gives_up = true;
}

void repair_insert(Parser *p, int at, int kind)
{
    Span place = p->tokens.at[at].span;
    if (at > 0) place.begin = place.end = p->tokens.at[at - 1].span.end;
    Token t = {.kind = kind, .span = place, .text = intern_str("_"), .is_repair = true};
    vec_push(&p->tokens, t);
    for (int i = p->tokens.n - 1; i > at; i--) p->tokens.at[i] = p->tokens.at[i - 1];
    p->tokens.at[at] = t;
    count_repair(p);
}

void repair_replace(Parser *p, int at, int kind)
{
    p->tokens.at[at].kind = kind;
    p->tokens.at[at].is_repair = true;
    count_repair(p);
}

void repair_delete(Parser *p, int from, int to)
{
    int n = p->tokens.n;
    for (int i = to; i < n; i++) p->tokens.at[from + i - to] = p->tokens.at[i];
    p->tokens.n -= to - from;
    count_repair(p);
}

/* ---- skipping a statement ------------------------------------------------------------------- */

/* The block around a token, or -1 for the file. */
static int block_around(const Parser *p, int at)
{
    int open = at;
    do open = token_opener(p, open);
    while (open >= 0 && p->tokens.at[open].kind != LBRACE);
    return open;
}

/* The first token of the statement or item that holds token `at`. */
static int statement_begin(const Parser *p, int block, int at)
{
    int begin = block + 1, depth = 0;
    for (int i = begin; i < at; i++) {
        int kind = p->tokens.at[i].kind;
        if (opens(kind)) depth++;
        if (closes(kind)) depth--;
        if (depth == 0 && (kind == SEMICOLON || kind == RBRACE)) begin = i + 1;
    }
    return begin;
}

/* Whether a new item or statement must begin at this token, whatever was left undone before it. */
static bool is_safe_begin(const Parser *p, int i, int block, bool in_brackets)
{
    int kind = p->tokens.at[i].kind;
    if (!token_begins_line(p, i)) return false;
    if (kind == NAME && !in_brackets && p->tokens.at[i + 1].kind == EQUALS) return true;
    return kind_begins_item(kind) || (block >= 0 && kind_begins_stmt(kind) && kind != NEXT);
}

/* Where the statement ends and, in *body, where its block begins, or -1. A `;` inside the round
 * brackets of a scan does not end it. */
static int statement_end(const Parser *p, int begin, int at, int block, int *body)
{
    int depth = 0;
    bool has_head = p->tokens.at[begin].kind == SCAN;
    *body = -1;
    for (int i = begin; i < p->tokens.n - 1; i++) {
        int kind = p->tokens.at[i].kind;
        if (kind == LPAREN || kind == LBRACKET) depth++;
        if (kind == RPAREN || kind == RBRACKET) depth--;
        if (i < at) continue;
        if (i > begin && is_safe_begin(p, i, block, depth > 0)) return i;
        if (kind == RBRACE) return block >= 0 ? i : i + 1;
        if (kind == SEMICOLON && !(has_head && depth > 0)) return i + 1;
        if (kind == LBRACE) {
            int close = token_closer(p, i);
            *body = i;
            return close < 0 ? p->tokens.n - 1 : close + 1;
        }
    }
    return p->tokens.n - 1;
}

/* The shortest head of the kind, to put before a body whose own head is broken. */
static int replace_head(Parser *p, int begin, int body)
{
    static const int callable[] = {FN, NAME, LPAREN, RPAREN, END};
    static const int test[] = {TEST, STRING, END};
    static const int scan[] = {SCAN, LPAREN, NAME, IN,     NAME, SEMICOLON,
                               NAME, EQUALS, NAME, RPAREN, END};
    int kind = p->tokens.at[begin].kind;
    const int *head = kind == TEST ? test : kind == SCAN ? scan : callable;
    repair_delete(p, begin, body);
    int n = 0;
    for (; head[n] != END; n++) repair_insert(p, begin + n, head[n]);
    return n;
}

void repair_skip(Parser *p, int at)
{
    int block = block_around(p, at), begin = statement_begin(p, block, at), body;
    int end = statement_end(p, begin, at, block, &body), kind = p->tokens.at[begin].kind;
    bool has_body = kind == FN || kind == LAYER || kind == ENTRY || kind == TRAINING ||
                    kind == TEST || kind == SCAN;
    if (body > at - 1 && body >= 0 && has_body && token_closer(p, body) >= 0 && body > begin)
        replace_head(p, begin, body);
    else if (end > begin)
        repair_delete(p, begin, end);
    else
        p->gives_up = true;
}
