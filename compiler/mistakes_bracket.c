/* mistakes_bracket.c - brackets that are missing, too many or of the wrong kind. What goes in is
 * the place where the parser stopped; what comes out is a report at the bracket that is to blame,
 * and tokens in which it is right. */
#include "mistakes.h"
#include "parse.h"

/* ---- without a partner ---------------------------------------------------------------------- */

static bool is_closer(int kind) { return kind == RPAREN || kind == RBRACKET || kind == RBRACE; }

/* A bracket that closes nothing. */
bool stray_closer(const Mistake *m)
{
    if (!is_closer(m->token.kind)) return false;
    for (int i = token_opener(m->p, m->at); i >= 0; i = token_opener(m->p, i))
        if (closing_kind(token_at(m, i)->kind) == m->token.kind) return false;
    int open = token_opener(m->p, m->at);
    if (open >= 0 && token_at(m, open)->kind != LBRACE &&
        expects(m, closing_kind(token_at(m, open)->kind)))
        return false;
    syntax_report(m->p, "E0104", m->token.span,
                  format("this %s closes nothing", spelling(&m->token)));
    repair_delete(m->p, m->at, m->at + 1);
    return true;
}

/* A comma with nothing after it; reported as the table says, and taken away. */
bool trailing_comma(const Mistake *m)
{
    if (m->before.kind != COMMA || !is_closer(m->token.kind)) return false;
    const char *text = format("no `,` can stand before %s", spelling(&m->token));
    syntax_report(m->p, "E0100", m->before.span, text);
    repair_delete(m->p, m->at - 1, m->at);
    return true;
}

/* Whether what stands here cannot belong to what is still open in round or square brackets. */
static bool ends_what_is_open(const Mistake *m)
{
    int kind = m->token.kind;
    if (kind == SEMICOLON || kind == LBRACE || kind == END || is_closer(kind)) return true;
    if (!is_on_new_line(m)) return false;
    if (kind_begins_item(kind) || (kind_begins_stmt(kind) && kind != NEXT)) return true;
    return kind == NAME && is_definition_sign(token_at(m, m->at + 1)->kind);
}

/* `layer L[n(x: real)`: the inputs begin although the static arguments go on. */
static bool begins_inputs(const Mistake *m)
{
    if (m->token.kind != LPAREN || !expects(m, RBRACKET)) return false;
    return is_after(m, "fn|layer name [ name") || is_after(m, "formal_list , name");
}

static Diag *report_unclosed(const Mistake *m, int open)
{
    const Token *t = token_at(m, open);
    Diag *d = syntax_report(m->p, "E0104", t->span, format("this %s is never closed", spelling(t)));
    if (m->token.kind != END && !is_on_new_line(m)) {
        const char *closer = closing_kind(t->kind) == RPAREN     ? ")"
                             : closing_kind(t->kind) == RBRACKET ? "]"
                                                                 : "}";
        diag_label(d, m->token.span, "expected `%s` before this", closer);
    }
    return d;
}

bool unclosed_bracket(const Mistake *m)
{
    int open = token_opener(m->p, m->at);
    if (open < 0 || token_at(m, open)->kind == LBRACE) return false;
    int closer = closing_kind(token_at(m, open)->kind);
    if (m->token.kind == END) {
        report_unclosed(m, open);
        m->p->gives_up = true;
        return true;
    }
    if (!expects(m, closer) || !(ends_what_is_open(m) || begins_inputs(m))) return false;
    report_unclosed(m, open);
    bool closes_outer = false;
    for (int i = token_opener(m->p, open); i >= 0; i = token_opener(m->p, i))
        closes_outer |= closing_kind(token_at(m, i)->kind) == m->token.kind;
    if (is_closer(m->token.kind) && !closes_outer)
        repair_replace(m->p, m->at, closer);
    else
        repair_insert(m->p, m->at, closer);
    return true;
}

static int column_of_line(const Mistake *m, int at)
{
    while (!token_begins_line(m->p, at)) at--;
    return span_column(token_at(m, at)->span);
}

/* A body that goes on to the end of the file or into the next item. */
bool unclosed_brace(const Mistake *m)
{
    int open = token_opener(m->p, m->at);
    if (open < 0 || token_at(m, open)->kind != LBRACE) return false;
    if (m->token.kind == END) {
        report_unclosed(m, open);
        m->p->gives_up = true;
        return true;
    }
    if (!kind_begins_item(m->token.kind) || !expects(m, RBRACE)) return false;
    if (span_column(m->token.span) > column_of_line(m, open)) {
        const char *text = format("%s cannot stand inside a body", spelling(&m->token));
        Diag *d = syntax_report(m->p, "E0100", m->token.span, text);
        diag_label(d, token_at(m, open)->span, "the body begins here");
        repair_skip(m->p, m->at);
        return true;
    }
    Diag *d = report_unclosed(m, open);
    diag_label(d, m->token.span, "%s cannot stand inside it", spelling(&m->token));
    repair_insert(m->p, m->at, RBRACE);
    return true;
}

/* ---- the wrong kind of brackets ------------------------------------------------------------- */

static const int kind_square = LBRACKET, kind_round = LPAREN, kind_curly = LBRACE;

static void replace_brackets(const Mistake *m, int open, int kind)
{
    int close = token_closer(m->p, open);
    repair_replace(m->p, open, kind);
    if (close >= 0) repair_replace(m->p, close, closing_kind(kind));
}

static bool report_wrong_brackets(const Mistake *m, int open, int kind, const char *text,
                                  const char *hint)
{
    Diag *d = syntax_report(m->p, "E0102", token_at(m, open)->span, text);
    if (hint) diag_hint(d, "%s", hint);
    replace_brackets(m, open, kind);
    return true;
}

/* Whether the braces at `open` hold no statements. */
static bool holds_no_statement(const Mistake *m, int open)
{
    int close = token_closer(m->p, open);
    for (int i = open + 1; i < close; i++)
        if (token_at(m, i)->kind == SEMICOLON) return false;
    return close > open + 1;
}

bool wrong_brackets(const Mistake *m)
{
    int t = m->token.kind;
    const char *name = span_text(m->before.span);
    if (t == LBRACE && !is_on_new_line(m) && holds_no_statement(m, m->at)) {
        if (is_after(m, "EXPR") && expects(m, LBRACKET))
            return report_wrong_brackets(m, m->at, kind_square,
                                         "static arguments and indices stand in `[ ]`",
                                         format("write `%s[..]`", name));
        if (is_after(m, "fn|layer name"))
            return report_wrong_brackets(m, m->at, kind_square, "static arguments stand in `[ ]`",
                                         NULL);
    }
    if ((t == LBRACE || t == LPAREN) && is_after(m, "element") && !is_after(m, "-> element"))
        return report_wrong_brackets(m, m->at, kind_square, "the sizes of a type stand in `[ ]`",
                                     format("write `%s[..]`", name));
    if (t == LPAREN && is_after(m, "fn|layer name statics formals") &&
        token_at(m, token_opener(m->p, m->at - 1))->kind == LPAREN)
        return report_wrong_brackets(m, token_opener(m->p, m->at - 1), kind_square,
                                     "static arguments stand in `[ ]`",
                                     "`[ ]` holds what is known at compile time, `( )` holds data");
    if (t == LBRACKET && (is_after(m, "formals") || is_after(m, "start_values )")))
        return report_wrong_brackets(m, m->at, kind_curly, "a body stands in `{ }`", NULL);
    if (t == LBRACKET && (is_after(m, "scan") || is_after(m, "repeat")))
        return report_wrong_brackets(m, m->at, kind_round,
                                     format("`%s` is followed by `( )`", name), NULL);
    return false;
}

bool statics_of_entry(const Mistake *m)
{
    if (m->token.kind != LBRACKET || !is_after(m, "entry name")) return false;
    Diag *d = syntax_report(m->p, "E0102", m->token.span, "an `entry` has no static arguments");
    diag_hint(d, "declare a `const`, or a `dim` for a size that is known at run time");
    int close = token_closer(m->p, m->at);
    if (close > m->at)
        repair_delete(m->p, m->at, close + 1);
    else
        repair_skip(m->p, m->at);
    return true;
}

/* `fn f(x: real) = { .. }` */
bool equals_before_body(const Mistake *m)
{
    if (m->token.kind != LBRACE || !is_after(m, "formals|result =")) return false;
    Diag *d = syntax_report(m->p, "E0100", m->before.span, "a body in `{ }` stands without `=`");
    diag_hint(d, "leave the `=` out");
    repair_delete(m->p, m->at - 1, m->at);
    return true;
}
