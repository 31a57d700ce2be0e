/* mistakes.h - what the three files of mistakes share: questions about the place where the parser
 * stopped, and the mistakes themselves. Each of them reports, repairs and answers true, or does
 * nothing and answers false. */
#ifndef NNC_MISTAKES_H
#define NNC_MISTAKES_H
#include "syntax.h"

/* Whether a token of this kind could stand here; whether the stack ends in these symbols. */
bool expects(const Mistake *m, int kind);
bool is_after(const Mistake *m, const char *symbols);
/* Token i, or the first or last one when there is none. */
const Token *token_at(const Mistake *m, int i);
bool is_on_new_line(const Mistake *m);
Span end_of(Span s);
/* The token as it is written, in back quotes. */
const char *spelling(const Token *t);
/* Kinds that may follow the name on the left of a definition. */
bool is_definition_sign(int kind);

/* ---- mistakes_bracket.c --------------------------------------------------------------------- */

bool stray_closer(const Mistake *m);
bool trailing_comma(const Mistake *m);
bool unclosed_bracket(const Mistake *m);
bool unclosed_brace(const Mistake *m);
bool wrong_brackets(const Mistake *m);
bool statics_of_entry(const Mistake *m);
bool equals_before_body(const Mistake *m);

/* ---- mistakes_type.c ------------------------------------------------------------------------ */

bool missing_type(const Mistake *m);
bool missing_colon(const Mistake *m);
bool colon_for_arrow(const Mistake *m);
bool wrong_element(const Mistake *m);

#endif
