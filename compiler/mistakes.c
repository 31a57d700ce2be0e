/* mistakes.c - the mistakes that people make, each with a report of its own and a repair with which
 * the parse goes on as if it had not been made. What goes in is the place where the parser
 * stopped; what comes out is whether it was one of them. They are tried in the order of the table
 * at the end. */
#include "mistakes.h"
#include "parse.h"

#include <string.h>

/* ---- the place ----------------------------------------------------------------------------- */

bool expects(const Mistake *m, int kind) { return m->stop->expected[kind]; }

bool is_after(const Mistake *m, const char *symbols)
{
    return stack_ends_in(m->stop->stack, m->stop->depth, symbols);
}

const Token *token_at(const Mistake *m, int i)
{
    const Parser *p = m->p;
    return &p->tokens.at[i < 0 ? 0 : i < p->tokens.n ? i : p->tokens.n - 1];
}

bool is_on_new_line(const Mistake *m) { return token_begins_line(m->p, m->at); }

static bool is_next_to_before(const Mistake *m)
{
    return m->at > 0 && m->before.span.end == m->token.span.begin;
}

Span end_of(Span s) { return (Span){s.src, s.end, s.end}; }

const char *spelling(const Token *t)
{
    return t->kind == END ? "the end of the file" : format("`%s`", span_text(t->span));
}

bool is_definition_sign(int kind)
{
    return kind == EQUALS || kind == TILDE || kind == COLON || kind == COMMA || kind == LBRACKET;
}

/* ---- operators ------------------------------------------------------------------------------ */

static bool is_comparison(int kind)
{
    return kind == EQ || kind == NE || kind == LT || kind == GT || kind == LE || kind == GE;
}

static bool chained_comparison(const Mistake *m)
{
    if (!is_comparison(m->token.kind) || expects(m, m->token.kind) || !is_after(m, "EXPR"))
        return false;
    int first = m->at - 1, depth = 0;
    for (; first > 0 && (depth > 0 || !is_comparison(token_at(m, first)->kind)); first--) {
        int kind = token_at(m, first)->kind;
        if (kind == RPAREN || kind == RBRACKET) depth++;
        if (kind == LPAREN || kind == LBRACKET) depth--;
    }
    Diag *d = syntax_report(m->p, "E0109", m->token.span, "comparisons do not chain");
    diag_label(d, token_at(m, first)->span, "the first comparison");
    diag_hint(d, "join two comparisons with `&&`: `a < b && b < c`");
    repair_replace(m->p, m->at, AND);
    return true;
}

static bool equals_for_compare(const Mistake *m)
{
    if (m->token.kind != EQUALS || !is_after(m, "EXPR") || !expects(m, EQ)) return false;
    Diag *d = syntax_report(m->p, "E0112", m->token.span, "`=` cannot stand inside an expression");
    diag_hint(d, "`==` compares two values");
    repair_replace(m->p, m->at, EQ);
    return true;
}

static bool compare_for_equals(const Mistake *m)
{
    if (m->token.kind != EQ || !expects(m, EQUALS)) return false;
    Diag *d = syntax_report(m->p, "E0112", m->token.span, "a value is given with a single `=`");
    diag_hint(d, "write `=` instead of `==`");
    repair_replace(m->p, m->at, EQUALS);
    return true;
}

/* `x += 1` and its like. */
static bool change_in_place(const Mistake *m)
{
    int kind = m->token.kind;
    if (kind != PLUS && kind != MINUS && kind != TIMES && kind != DIVIDE) return false;
    if (!is_after(m, "file|stmts|test_stmts name")) return false;
    const Token *next = token_at(m, m->at + 1);
    if (next->kind != EQUALS || next->span.begin != m->token.span.end) return false;
    const char *text =
        format("`%s=` cannot be used: no value changes", operator_text(kind == PLUS    ? O_ADD
                                                                       : kind == MINUS ? O_SUB
                                                                       : kind == TIMES ? O_MUL
                                                                                       : O_DIV));
    Diag *d = syntax_report(m->p, "E0100", span_join(m->token.span, next->span), text);
    diag_hint(
        d, "a new value needs a new name; a `state` or `param` changes with `update x = x + ..;`,\n"
           "the state of a scan with `next x = x + ..;`");
    repair_skip(m->p, m->at);
    return true;
}

static bool unary_plus(const Mistake *m)
{
    if (m->token.kind != PLUS || !expects(m, MINUS) || is_after(m, "EXPR")) return false;
    int next = token_at(m, m->at + 1)->kind;
    if (next != NAME && next != NUMBER && next != LPAREN && next != PLUS) return false;
    Diag *d = syntax_report(m->p, "E0100", m->token.span, "`+` cannot stand before a single value");
    diag_hint(d, "leave the `+` out");
    repair_delete(m->p, m->at, m->at + 1);
    return true;
}

/* `2x` */
static bool number_times_name(const Mistake *m)
{
    if (m->before.kind != NUMBER || m->token.kind != NAME || !is_next_to_before(m)) return false;
    if (!expects(m, TIMES)) return false;
    const char *a = span_text(m->before.span), *b = span_text(m->token.span);
    Diag *d = syntax_report(m->p, "E0100", span_join(m->before.span, m->token.span),
                            format("expected an operator between `%s` and `%s`", a, b));
    diag_hint(d, "a product is written `%s * %s`", a, b);
    repair_insert(m->p, m->at, TIMES);
    return true;
}

/* `.5` and `5.` */
static bool half_a_fraction(const Mistake *m)
{
    const Token *next = token_at(m, m->at + 1);
    if (m->token.kind == DOT && next->kind == NUMBER && !expects(m, DOT) &&
        next->span.begin == m->token.span.end) {
        Diag *d = syntax_report(m->p, "E0100", span_join(m->token.span, next->span),
                                "a fraction needs a digit before the dot");
        diag_hint(d, "write `0.%s`", span_text(next->span));
        repair_delete(m->p, m->at, m->at + 1);
        return true;
    }
    const Token *number = token_at(m, m->at - 2);
    if (!is_after(m, "EXPR .") || number->kind != NUMBER) return false;
    Diag *d = syntax_report(m->p, "E0100", span_join(number->span, m->before.span),
                            "a fraction needs a digit after the dot");
    diag_hint(d, "write `%s.0`", span_text(number->span));
    repair_delete(m->p, m->at - 1, m->at);
    return true;
}

static bool single_quotes(const Mistake *m)
{
    if (m->token.kind != TICK || expects(m, TICK) || !expects(m, STRING)) return false;
    Diag *d = syntax_report(m->p, "E0100", m->token.span, "`'` does not begin a string");
    diag_hint(d, "a string stands between two `\"`; `x'` is the transpose of `x`");
    repair_skip(m->p, m->at);
    return true;
}

/* ---- the end of a statement ----------------------------------------------------------------- */

static bool can_begin_statement(const Mistake *m)
{
    int kind = m->token.kind, next = token_at(m, m->at + 1)->kind;
    if (kind_begins_item(kind) || kind_begins_stmt(kind)) return true;
    return kind == NAME && (next == EQUALS || next == TILDE);
}

static bool missing_semicolon(const Mistake *m)
{
    if (!expects(m, SEMICOLON) || m->at == 0) return false;
    int kind = m->token.kind;
    bool begins = kind == NAME || kind == NUMBER || kind == STRING || kind == AS ||
                  kind_is_reserved(kind) || kind == LBRACE;
    if (!(kind == RBRACE || kind == END || can_begin_statement(m) || (begins && is_on_new_line(m))))
        return false;
    syntax_report(m->p, "E0101", end_of(m->before.span), "missing `;`");
    repair_insert(m->p, m->at, SEMICOLON);
    return true;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* A word that is used as a name is told once. */
static bool is_reserved_told(const Mistake *m, const char *word)
{
    for (int i = 0; i < m->p->tokens.n; i++) {
        const Token *t = token_at(m, i);
        if (t->kind == NAME && t->is_repair && t->text == word) return true;
    }
    return false;
}

static void report_reserved(const Mistake *m, int at)
{
    const char *word = token_at(m, at)->text;
    if (!is_reserved_told(m, word)) {
        Diag *d = syntax_report(m->p, "E0111", token_at(m, at)->span,
                                format("`%s` is a reserved word and cannot be a name", word));
        diag_hint(d, "choose another name, such as `%s_`", word);
    }
    repair_replace(m->p, at, NAME);
}

static bool is_at_item(const Mistake *m)
{
    return is_after(m, "START") || is_after(m, "START file") || is_after(m, "body");
}

static bool is_at_statement(const Mistake *m)
{
    return is_at_item(m) || is_after(m, "{ stmts") || is_after(m, "{ test_stmts");
}

static bool reserved_word(const Mistake *m)
{
    int kind = m->token.kind, next = token_at(m, m->at + 1)->kind;
    if (kind_is_reserved(kind) && expects(m, NAME) && !is_on_new_line(m) && !is_at_statement(m) &&
        !(kind_begins_stmt(kind) && kind != STATE && kind != PARAM)) {
        report_reserved(m, m->at);
        return true;
    }
    if (kind_is_reserved(kind) && is_at_statement(m) && is_definition_sign(next)) {
        report_reserved(m, m->at);
        return true;
    }
    if (is_definition_sign(kind) && kind != LBRACKET && kind_is_reserved(m->before.kind) &&
        m->stop->depth > 1 && strcmp(m->stop->stack[0], m->before.text) == 0 &&
        stack_ends_in(m->stop->stack + 1, m->stop->depth - 1, "START|file|stmts|test_stmts|body")) {
        report_reserved(m, m->at - 1);
        return true;
    }
    return false;
}

typedef struct Foreign {
    const char *words, *hint;
} Foreign;
static const Foreign foreign_words[] = {
    {" if else elif elseif switch case when ",
     "a value is chosen with `condition ? a : b`, element by element"},
    {" for while do loop foreach ", "a step is repeated with `scan (x in xs; h = h0) { .. }`"},
    {" let var val auto set define ", "a definition needs no word before it: `name = ..;`"},
    {" def function func fun sub proc lambda ",
     "a function is written `fn f(x: real) -> real = ..;`"},
    {" class struct module model network net block ",
     "a part with parameters is written `layer Name(x: real[.., n]) -> real[.., m] { .. }`"},
    {" float double int long void tensor matrix vector ",
     "the type stands after the name: `x: real[3] = ..;`"},
    {" weight weights parameter parameters variable ",
     "a trained array is written `param W: real[m, n] ~ glorot();`"},
    {" print printf assert_eq echo ",
     "nothing is printed here; an `entry` returns values to its caller"},
    {" using include from use require_once ", "a library is taken in by `import std.optim;`"},
};

static const char *foreign_hint(const char *name)
{
    const char *word = format(" %s ", name);
    for (size_t i = 0; i < sizeof foreign_words / sizeof *foreign_words; i++)
        if (strstr(foreign_words[i].words, word)) return foreign_words[i].hint;
    return NULL;
}

/* A statement that begins with a word of another language, or with a call. */
static bool foreign_statement(const Mistake *m)
{
    if (!is_after(m, "file|stmts|test_stmts name")) return false;
    const char *hint = foreign_hint(m->before.text);
    if (hint) {
        const char *text = format("`%s` does not begin a statement", m->before.text);
        Diag *d = syntax_report(m->p, "E0100", m->before.span, text);
        diag_hint(d, "%s", hint);
        repair_skip(m->p, m->at - 1);
        return true;
    }
    if (m->token.kind != LPAREN && m->token.kind != PIPE && m->token.kind != DOT) return false;
    Diag *d = syntax_report(m->p, "E0100", m->before.span, "an expression alone is no statement");
    diag_hint(d, "every line is an equation: `y = %s%s;`", m->before.text,
              m->token.kind == LPAREN ? "(..)"
              : m->token.kind == DOT  ? ".."
                                      : " |> ..");
    repair_skip(m->p, m->at);
    return true;
}

static bool misplaced_statement(const Mistake *m)
{
    int kind = m->token.kind;
    const char *where = NULL;
    if (is_at_item(m)) {
        if (kind == GRAD || kind == SURROGATE)
            where = "directly after a `fn`";
        else if (kind == ASSERT || kind == CHECK_GRAD || kind == REPEAT)
            where = "inside a `test`";
        else if (kind_begins_stmt(kind))
            where = "inside the body of a `fn`, `layer` or `entry`";
    } else if (is_after(m, "{ stmts")) {
        if (kind == ASSERT || kind == CHECK_GRAD || kind == REPEAT) where = "inside a `test`";
        if (kind == GRAD || kind == SURROGATE) where = "after the body of a `fn`";
    } else if (is_after(m, "{ test_stmts") && kind_begins_stmt(kind)) {
        where = kind == PARAM || kind == STATE ? "in a body or at the top of a file"
                                               : "inside the body of a `fn`, `layer` or `entry`";
    }
    if (!where) return false;
    syntax_report(m->p, "E0100", m->token.span,
                  format("%s can stand only %s", spelling(&m->token), where));
    repair_skip(m->p, m->at);
    return true;
}

/* ---- the table ------------------------------------------------------------------------------ */

static bool (*const mistakes[])(const Mistake *m) = {
    chained_comparison, equals_for_compare,  compare_for_equals, change_in_place,
    unary_plus,         number_times_name,   half_a_fraction,    single_quotes,
    missing_type,       missing_colon,       colon_for_arrow,    wrong_element,
    wrong_brackets,     statics_of_entry,    equals_before_body, stray_closer,
    trailing_comma,     unclosed_bracket,    foreign_statement,  reserved_word,
    missing_semicolon,  misplaced_statement, unclosed_brace,
};

bool mistake_is_known(const Mistake *m)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        if (mistakes[i](m)) return true;
    return false;
}
