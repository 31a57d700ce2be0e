/* diag.c - collects errors and warnings. What goes in are reports in any order; what comes out, at
 * diag_flush, is each report once, sorted by place within its file. The number of errors counts
 * all of them; only the first MAX_ERRORS are shown. */
#include "diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_ERRORS = 20 };

static VEC(Diag *) pending;
static int n_errors;
static bool dropped_some;
static int colour_mode = -1;

void diag_reset(void)
{
    memset(&pending, 0, sizeof pending);
    n_errors = 0;
    dropped_some = false;
}

int diag_errors(void) { return n_errors; }

void diag_colour(int mode) { colour_mode = mode; }

/* ---- collecting ----------------------------------------------------------------------------- */

static const char *format_list(const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *s = arena_alloc((size_t)(n < 0 ? 0 : n) + 1);
    if (n > 0) vsnprintf(s, (size_t)n + 1, fmt, args);
    return s;
}

static bool is_known(const char *code, Span at)
{
    for (int i = 0; i < pending.n; i++) {
        Span p = pending.at[i]->labels.at[0].at;
        if (p.src == at.src && p.begin == at.begin && p.end == at.end && at.src &&
            strcmp(pending.at[i]->code, code) == 0)
            return true;
    }
    return false;
}

/* A repeated or surplus report is made too, so that the caller can go on labelling it, but it is
 * not kept. */
Diag *report(Severity sev, const char *code, Span at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    Diag *d = NEW(Diag);
    d->severity = sev;
    d->code = code;
    d->text = format_list(fmt, args);
    va_end(args);
    vec_push(&d->labels, ((Label){at, "", true}));
    if (is_known(code, at)) return d;
    if (sev == SEV_ERROR) n_errors++;
    if (n_errors > MAX_ERRORS)
        dropped_some = true;
    else
        vec_push(&pending, d);
    return d;
}

void diag_here(Diag *d, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    d->labels.at[0].text = format_list(fmt, args);
    va_end(args);
}

void diag_label(Diag *d, Span at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    Label label = {at, format_list(fmt, args), false};
    if (at.src) vec_push(&d->labels, label);
    va_end(args);
}

void diag_note(Diag *d, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vec_push(&d->notes, format_list(fmt, args));
    va_end(args);
}

void diag_hint(Diag *d, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    d->hint = format_list(fmt, args);
    va_end(args);
}

/* ---- printing ------------------------------------------------------------------------------- */

static bool wants_colour(FILE *to)
{
    const char *no = getenv("NO_COLOR");
    if (no && *no) return false;
    return colour_mode == 1 || (colour_mode == -1 && isatty(fileno(to)));
}

/* Files in the order in which they were first reported. */
static int file_rank(const Source *src)
{
    int i = 0;
    while (pending.at[i]->labels.at[0].at.src != src) i++;
    return i;
}

static int compare_places(Diag *a, Diag *b)
{
    Span x = a->labels.at[0].at, y = b->labels.at[0].at;
    if (x.src != y.src) return file_rank(x.src) - file_rank(y.src);
    return x.begin - y.begin;
}

void diag_flush(FILE *to)
{
    VEC(Diag *) sorted = {0};
    for (int i = 0; i < pending.n; i++) { /* by insertion: stable, and short lists */
        vec_push(&sorted, pending.at[i]);
        int k = sorted.n - 1;
        for (; k > 0 && compare_places(sorted.at[k - 1], pending.at[i]) > 0; k--)
            sorted.at[k] = sorted.at[k - 1];
        sorted.at[k] = pending.at[i];
    }
    Text out = {0};
    for (int i = 0; i < sorted.n; i++) {
        if (i) text_add(&out, "\n");
        diag_render(&out, sorted.at[i], wants_colour(to));
    }
    if (dropped_some) text_add(&out, "nnc: too many errors, the rest is not shown\n");
    if (out.n) fwrite(out.s, 1, out.n, to);
    memset(&pending, 0, sizeof pending);
    dropped_some = false;
}
