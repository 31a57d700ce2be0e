/* parsing.c - see parsing.h. */
#include "parsing.h"

#include <stdlib.h>
#include <string.h>

void fresh_start(void)
{
    diag_reset();
    diag_colour(0);
    arena_release();
}

const char *printed_reports(void)
{
    char *s = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&s, &n);
    diag_flush(f);
    fclose(f);
    const char *copy = format("%s", s);
    free(s);
    return copy;
}

DeclList parse_text(const char *text, int length)
{
    fresh_start();
    return parse_source(source_from_text("p.nn", text, length < 0 ? (int)strlen(text) : length));
}

const char *reports_of(const char *text)
{
    parse_text(text, -1);
    return printed_reports();
}

const char *printed_text(const char *text)
{
    DeclList decls = parse_text(text, -1);
    Text out = {0};
    for (int i = 0; i < decls.n; i++) print_decl(&out, decls.at[i]);
    const char *reports = printed_reports();
    return *reports ? reports : out.s ? out.s : "";
}
