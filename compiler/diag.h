/* diag.h - what diag.c collects and diag_render.c draws: one report with its labelled places. */
#ifndef NNC_DIAG_H
#define NNC_DIAG_H
#include "common.h"

/* An underlined place; text may be "". */
typedef struct Label {
    Span at;
    const char *text;
    bool is_primary;
} Label;

struct Diag {
    Severity severity;
    const char *code, *text;
    VEC(Label) labels; /* labels.at[0] is the place of the report itself */
    VEC(const char *) notes;
    const char *hint; /* or NULL */
};

/* Appends the report as text, with escape sequences for colour when asked. */
void diag_render(Text *out, const Diag *d, bool colour);

#endif
