/* mistakes_type.c - types that are missing or begin wrongly. What goes in is the place where the
 * parser stopped; what comes out is a report and, in the tokens, some type. */
#include "mistakes.h"
#include "parse.h"

#include <string.h>

bool missing_type(const Mistake *m)
{
    if (!is_after(m, "param|state name")) return false;
    if (m->token.kind != EQUALS && m->token.kind != TILDE && m->token.kind != SEMICOLON)
        return false;
    const char *word = token_at(m, m->at - 2)->text, *name = m->before.text;
    Diag *d =
        syntax_report(m->p, "E0113", m->before.span, format("the %s `%s` has no type", word, name));
    diag_hint(d, "write its element type and its sizes: `%s %s: real[..] = 0;`", word, name);
    if (m->token.kind == SEMICOLON) {
        repair_skip(m->p, m->at);
        return true;
    }
    repair_insert(m->p, m->at, ELEM);
    repair_insert(m->p, m->at, COLON);
    return true;
}

bool missing_colon(const Mistake *m)
{
    if (m->token.kind != ELEM) return false;
    if (expects(m, COLON) && !is_after(m, "EXPR") && m->before.kind == NAME) {
        Diag *d =
            syntax_report(m->p, "E0113", end_of(m->before.span), "missing `:` before the type");
        diag_hint(d, "write `%s: %s`", m->before.text, m->token.text);
        repair_insert(m->p, m->at, COLON);
        return true;
    }
    if (!expects(m, ARROW)) return false;
    Diag *d = syntax_report(m->p, "E0113", end_of(m->before.span), "missing `->` before the type");
    diag_hint(d, "write `-> %s`", m->token.text);
    repair_insert(m->p, m->at, ARROW);
    return true;
}

bool colon_for_arrow(const Mistake *m)
{
    if (m->token.kind != COLON || !is_after(m, "formals")) return false;
    Diag *d =
        syntax_report(m->p, "E0113", m->token.span, "the type of the result stands after `->`");
    diag_hint(d, "write `->` instead of `:`");
    repair_replace(m->p, m->at, ARROW);
    return true;
}

static const char *type_meant(const char *name)
{
    static const char *const known[] = {"real", "f16", "f32", "f64", "i8", "i32", "u8", "bool"};
    static const char *const other[][2] = {
        {"float", "real"},  {"double", "f64"},   {"half", "f16"},    {"float32", "f32"},
        {"float64", "f64"}, {"float16", "f16"},  {"int", "i32"},     {"int32", "i32"},
        {"int8", "i8"},     {"long", "i32"},     {"uint8", "u8"},    {"byte", "u8"},
        {"char", "u8"},     {"boolean", "bool"}, {"tensor", "real"}, {"Tensor", "real"},
        {"Real", "real"},
    };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (strcmp(name, other[i][0]) == 0) return other[i][1];
    return nearest(name, known, sizeof known / sizeof *known);
}

/* A type that begins with a word that is no element type, or with its sizes. */
bool wrong_element(const Mistake *m)
{
    if (!expects(m, ELEM) || expects(m, NUMBER)) return false;
    if (m->token.kind == LBRACKET) {
        Diag *d =
            syntax_report(m->p, "E0113", m->token.span, "a type begins with its element type");
        diag_hint(d, "write `real[..]`; element types are real f16 f32 f64 i8 i32 u8 bool");
        repair_insert(m->p, m->at, ELEM);
        return true;
    }
    if (m->token.kind != NAME) return false;
    const char *meant = type_meant(m->token.text);
    Diag *d = syntax_report(m->p, "E0113", m->token.span,
                            format("`%s` is no element type", m->token.text));
    if (meant)
        diag_hint(d, "did you mean `%s`?", meant);
    else
        diag_hint(d, "element types are real f16 f32 f64 i8 i32 u8 bool");
    repair_replace(m->p, m->at, ELEM);
    return true;
}
