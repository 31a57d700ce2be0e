/* lex.re - cuts a text into tokens. What goes in is a source; what comes out are all its tokens,
 * END last, and the doc comments with the place they stand before. Everything that is no token is
 * reported here, once, and the token after it is marked, so that the parser stays silent about it.
 * Nothing is read past the text's end; a NUL inside the text is an error like any other byte. */
#include "syntax.h"
#include "parse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*!include:re2c "unicode_categories.re" */

typedef struct Lexer {
    Parser *p;
    const char *start, *end;               /* of the text */
    const char *at;                        /* where the next token is looked for */
    bool taint;                            /* an error was reported since the last token */
    int doc_line;                          /* of the last line of the doc comment so far, or 0 */
    Text doc;
    int depth;                             /* open brackets and signs */
    int signs;
} Lexer;

typedef struct Word { const char *text; int kind; Elem elem; } Word;
static const Word words[] = {
    {"import", IMPORT, 0}, {"as", AS, 0}, {"const", CONST, 0}, {"dim", DIM, 0}, {"fn", FN, 0},
    {"layer", LAYER, 0}, {"entry", ENTRY, 0}, {"training", TRAINING, 0}, {"test", TEST, 0},
    {"param", PARAM, 0}, {"state", STATE, 0}, {"update", UPDATE, 0}, {"scan", SCAN, 0},
    {"next", NEXT, 0}, {"emit", EMIT, 0}, {"return", RETURN, 0}, {"require", REQUIRE, 0},
    {"assert", ASSERT, 0}, {"repeat", REPEAT, 0}, {"check_grad", CHECK_GRAD, 0},
    {"grad", GRAD, 0}, {"surrogate", SURROGATE, 0}, {"in", IN, 0}, {"new", NEW_WORD, 0},
    {"real", ELEM, ELEM_REAL}, {"f16", ELEM, ELEM_F16}, {"f32", ELEM, ELEM_F32},
    {"f64", ELEM, ELEM_F64}, {"i8", ELEM, ELEM_I8}, {"i32", ELEM, ELEM_I32}, {"u8", ELEM, ELEM_U8},
    {"bool", ELEM, ELEM_BOOL},
};

static Span span_of(const Lexer *x, const char *begin, const char *end)
{
    return (Span){x->p->src, (int)(begin - x->start), (int)(end - x->start)};
}

static Diag *lexer_error(Lexer *x, const char *code, const char *begin, const char *end,
                         const char *text)
{
    x->taint = true;
    x->p->errors++;
    return error_at(code, span_of(x, begin, end), "%s", text);
}

/* ---- tokens --------------------------------------------------------------------------------- */

static Token *add_token(Lexer *x, int kind, const char *begin, const char *end)
{
    Parser *p = x->p;
    Token t = {.kind = kind, .span = span_of(x, begin, end), .is_tainted = x->taint};
    vec_push(&p->tokens, t);
    if (x->doc_line) vec_push(&p->docs, ((Doc){t.span.begin, x->doc.s}));
    x->doc_line = 0;
    x->taint = false;
    return &p->tokens.at[p->tokens.n - 1];
}

static void add_word(Lexer *x, const char *begin, const char *end)
{
    x->at = end;
    x->signs = 0;
    const char *text = intern(begin, (size_t)(end - begin));
    Token *t = add_token(x, NAME, begin, end);
    t->text = text;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].text, text) == 0) {
            t->kind = words[i].kind;
            t->elem = words[i].elem;
        }
}

/* From here on, not every whole number has a double of its own. */
static const double exact_limit = 9007199254740992.0;

static void add_number(Lexer *x, const char *begin, const char *end)
{
    x->at = end;
    x->signs = 0;
    Token *t = add_token(x, NUMBER, begin, end);
    t->is_int = !memchr(begin, '.', (size_t)(end - begin)) &&
                !memchr(begin, 'e', (size_t)(end - begin)) &&
                !memchr(begin, 'E', (size_t)(end - begin));
    t->num = strtod(span_text(t->span), NULL);
    if (isfinite(t->num) && !(t->is_int && t->num >= exact_limit)) return;
    t->num = 1;
    bool is_int = t->is_int;
    Diag *d = lexer_error(x, "E0108", begin, end, "number too large");
    diag_here(d, "%s", is_int ? "whole numbers go up to 9007199254740991"
                              : "numbers go up to about 1.8e308");
    x->taint = false;
}

static void report_power(Lexer *x, const char *begin)
{
    Diag *d = lexer_error(x, "E0103", begin, begin + 2, "a power is written `^`");
    diag_hint(d, "write `^` instead of `**`");
    x->taint = false;
}

/* Opening brackets and runs of signs nest. False: too deeply; the text ends here. */
static bool track_nesting(Lexer *x, int kind, const char *begin, const char *end)
{
    x->signs = kind == MINUS || kind == NOT ? x->signs + 1 : 0;
    if (kind == LPAREN || kind == LBRACKET || kind == LBRACE) x->depth++;
    if (kind == RPAREN || kind == RBRACKET || kind == RBRACE) x->depth -= x->depth > 0;
    if (x->depth <= MAX_NESTING && x->signs <= MAX_NESTING) return true;
    syntax_too_deep(x->p, span_of(x, begin, end));
    x->taint = true;
    return false;
}

/* ---- comments ------------------------------------------------------------------------------- */

static const char *line_end(const Lexer *x, const char *s)
{
    const char *end = memchr(s, '\n', (size_t)(x->end - s));
    return end ? end : x->end;
}

static bool follows_code(const Lexer *x, const char *s)
{
    while (s > x->start && (s[-1] == ' ' || s[-1] == '\t')) s--;
    return s > x->start && s[-1] != '\n';
}

/* `///` on a line of its own. Lines without a gap make one comment; after a gap it starts anew. */
static void add_doc_line(Lexer *x, const char *begin, const char *end)
{
    if (follows_code(x, begin)) return;
    int line = span_line(span_of(x, begin, end));
    if (!x->doc_line || line != x->doc_line + 1) x->doc = (Text){0};
    begin += begin + 3 < end && begin[3] == ' ' ? 4 : 3;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\r' || end[-1] == '\t')) end--;
    text_add(&x->doc, "%s%.*s", x->doc.n ? "\n" : "", (int)(end - begin), begin);
    x->doc_line = line;
}

static const char *skip_line_comment(Lexer *x, const char *begin)
{
    const char *end = line_end(x, begin);
    if (end - begin >= 3 && begin[2] == '/' && !(end - begin >= 4 && begin[3] == '/'))
        add_doc_line(x, begin, end);
    return end;
}

static const char *skip_block_comment(Lexer *x, const char *begin)
{
    for (const char *s = begin + 2; s + 1 < x->end; s++)
        if (s[0] == '*' && s[1] == '/') return s + 2;
    Diag *d = lexer_error(x, "E0107", begin, begin + 2, "a comment that never ends");
    diag_here(d, "the comment begins here");
    diag_hint(d, "it ends at the first `*/`");
    return x->end;
}

/* ---- strings -------------------------------------------------------------------------------- */

static const char *add_string(Lexer *x, const char *begin)
{
    const char *stop = line_end(x, begin);
    const char *end = memchr(begin + 1, '"', (size_t)(stop - begin - 1));
    if (end) {
        add_token(x, STRING, begin, end + 1)->text =
            intern(begin + 1, (size_t)(end - begin - 1));
        return end + 1;
    }
    /* What closes the line most likely belongs to the line and not to the string. */
    while (stop > begin + 1 && strchr(" \t\r;,)]}{", stop[-1])) stop--;
    Diag *d = lexer_error(x, "E0106", begin, stop, "a string that never ends");
    diag_hint(d, "a string ends with `\"` on the line on which it begins");
    add_token(x, STRING, begin, stop)->text = intern(begin + 1, (size_t)(stop - begin - 1));
    x->taint = true;
    return stop;
}

/* ---- what is no token ----------------------------------------------------------------------- */

enum { NO_TOKEN = 0, A_COMMENT = -1, A_BLANK = -2 };

/* Characters that people paste or remember from elsewhere, and what they stand for. */
typedef struct Foreign { const char *text; int kind; const char *hint; } Foreign;
static const char quotes[] = "a string stands between two `\"`";
static const Foreign foreign[] = {
    {"−", MINUS, "write `-`"},          {"–", MINUS, "write `-`"},
    {"×", TIMES, "write `*`"},          {"·", TIMES, "write `*`"},
    {"⋅", TIMES, "write `*`"},          {"÷", DIVIDE, "write `/`"},
    {"≤", LE, "write `<=`"},            {"≥", GE, "write `>=`"},
    {"≠", NE, "write `!=`"},            {"→", ARROW, "write `->`"},
    {"∧", AND, "write `&&`"},           {"∨", OR, "write `||`"},
    {"¬", NOT, "write `!`"},            {"∈", IN, "write `in`"},
    {"…", DOTS, "write `..`"},          {"∼", TILDE, "write `~`"},
    {"’", TICK, "write `'`"},           {"′", TICK, "write `'`"},
    {"²", NO_TOKEN, "write `^2`"},      {"³", NO_TOKEN, "write `^3`"},
    {"√", NO_TOKEN, "write `sqrt(x)`"}, {"∑", NO_TOKEN, "write `sum(x)`"},
    {"“", NO_TOKEN, quotes},            {"”", NO_TOKEN, quotes},
    {"`", NO_TOKEN, quotes},            {"\xC2\xA0", A_BLANK, "write a plain space"},
    {"&", AND, "write `&&`"},           {"|", OR, "write `||`"},
    {"#", A_COMMENT, "a comment begins with `//`"},
    {"\\", NO_TOKEN, "an expression may go on in the next line without a mark"},
};

static const Foreign *find_foreign(const char *s, int n)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (strlen(foreign[i].text) == (size_t)n && memcmp(foreign[i].text, s, (size_t)n) == 0)
            return &foreign[i];
    return NULL;
}

/* A string in the quotes of a text processor: its end, or NULL. */
static const char *curly_end(const Lexer *x, const char *begin)
{
    static const char open[] = "“", close[] = "”";
    const char *stop = line_end(x, begin);
    if (memcmp(begin, open, sizeof open - 1)) return NULL;
    for (const char *s = begin; s + sizeof close - 1 <= stop; s++)
        if (memcmp(s, close, sizeof close - 1) == 0) return s + sizeof close - 1;
    return NULL;
}

/* Goes on with what the character stands for. */
static const char *replace_character(Lexer *x, const Foreign *f, const char *begin, int n)
{
    const char *string_end = curly_end(x, begin);
    if (f->kind == NO_TOKEN && !string_end) return begin + n;
    x->taint = false;
    if (f->kind == A_COMMENT) return line_end(x, begin);
    if (f->kind == A_BLANK) return begin + n;
    if (!string_end) {
        add_token(x, f->kind, begin, begin + n);
        return begin + n;
    }
    add_token(x, STRING, begin, string_end)->text =
        intern(begin + n, (size_t)(string_end - begin - 2 * n));
    return string_end;
}

static const char *skip_character(Lexer *x, const char *begin)
{
    int n = utf8_bytes(begin, (int)(x->end - begin));
    if (n == 0 || *begin == 0) {           /* reported by check_bytes */
        x->taint = true;
        return begin + 1;
    }
    const Foreign *f = find_foreign(begin, n);
    const char *text = n == 1 && (unsigned char)*begin <= ' '
                           ? format("the control character %d cannot stand here", *begin)
                           : format("the character `%.*s` cannot stand here", n, begin);
    Diag *d = lexer_error(x, "E0105", begin, begin + n, text);
    if (!f) return begin + n;
    diag_hint(d, "%s", f->hint);
    return replace_character(x, f, begin, n);
}

/* Bytes that are no text may stand nowhere, not even in a comment: each run is reported once. */
static void check_bytes(Lexer *x)
{
    for (const char *s = x->start; s < x->end;) {
        int n = utf8_bytes(s, (int)(x->end - s));
        if (n && *s) {
            s += n;
            continue;
        }
        const char *begin = s;
        bool is_nul = !*s;
        while (s < x->end && is_nul == !*s && (!*s || !utf8_bytes(s, (int)(x->end - s)))) s++;
        Diag *d = lexer_error(x, "E0105", begin, s, is_nul ? "a NUL byte in the text"
                                                           : "these bytes are no UTF-8 text");
        diag_hint(d, "save the file as plain text in UTF-8");
    }
    x->taint = false;
}

/* ---- the loop ------------------------------------------------------------------------------- */

/* Adds the token at x->at, or skips what is none. False: the text ends here. */
static bool lex_one(Lexer *x)
{
    const char *t = x->at;
    const unsigned char *c = (const unsigned char *)t, *marker;
    int kind;
/*!re2c
    re2c:yyfill:enable = 0;
    re2c:define:YYCTYPE = "unsigned char";
    re2c:define:YYCURSOR = c;
    re2c:define:YYMARKER = marker;
    re2c:encoding:utf8 = 1;

    letter = L | "_";
    digit  = [0-9];
    whole  = digit+;

    [ \t\r\n]+                                  { x->at = (const char *)c; return true; }
    "//"                                        { x->at = skip_line_comment(x, t); return true; }
    "/" "*"                                     { x->at = skip_block_comment(x, t); return true; }
    ["]                                         { x->at = add_string(x, t); return true; }
    letter (letter | digit)*                    { add_word(x, t, (const char *)c); return true; }
    whole ("." whole)? ([eE] [+-]? whole)?      { add_number(x, t, (const char *)c); return true; }
    "**"  { report_power(x, t); kind = POWER; goto found; }
    ".."  { kind = DOTS; goto found; }      "->"  { kind = ARROW; goto found; }
    "|>"  { kind = PIPE; goto found; }      "=="  { kind = EQ; goto found; }
    "!="  { kind = NE; goto found; }        "<="  { kind = LE; goto found; }
    ">="  { kind = GE; goto found; }        "&&"  { kind = AND; goto found; }
    "||"  { kind = OR; goto found; }        "<"   { kind = LT; goto found; }
    ">"   { kind = GT; goto found; }        "+"   { kind = PLUS; goto found; }
    "-"   { kind = MINUS; goto found; }     "*"   { kind = TIMES; goto found; }
    "/"   { kind = DIVIDE; goto found; }    "%"   { kind = MODULO; goto found; }
    "@"   { kind = MATMUL; goto found; }    "!"   { kind = NOT; goto found; }
    "^"   { kind = POWER; goto found; }     "'"   { kind = TICK; goto found; }
    "."   { kind = DOT; goto found; }       ","   { kind = COMMA; goto found; }
    ";"   { kind = SEMICOLON; goto found; } ":"   { kind = COLON; goto found; }
    "?"   { kind = QUESTION; goto found; }  "="   { kind = EQUALS; goto found; }
    "~"   { kind = TILDE; goto found; }     "("   { kind = LPAREN; goto found; }
    ")"   { kind = RPAREN; goto found; }    "["   { kind = LBRACKET; goto found; }
    "]"   { kind = RBRACKET; goto found; }  "{"   { kind = LBRACE; goto found; }
    "}"   { kind = RBRACE; goto found; }
    [\x00]          {
                        if (t >= x->end) return false;
                        x->at = skip_character(x, t);
                        return true;
                    }
    *               { x->at = skip_character(x, t); return true; }
*/
found:
    x->at = (const char *)c;
    if (!track_nesting(x, kind, t, x->at)) return false;
    add_token(x, kind, t, x->at);
    return true;
}

void lex_source(Parser *p)
{
    static const char mark[] = "\xEF\xBB\xBF";         /* byte order mark */
    const char *text = p->src->text;
    Lexer x = {.p = p, .start = text, .end = text + p->src->length, .at = text};
    if (p->src->length >= 3 && memcmp(text, mark, 3) == 0) x.at += 3;
    check_bytes(&x);
    while (lex_one(&x)) {
    }
    add_token(&x, END, x.end, x.end);
}
