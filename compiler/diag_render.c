/* diag_render.c - draws one report: the line that editors understand, the source lines with their
 * underlined places, notes and the hint. What goes in is a Diag; what comes out is text in which
 * every source line stays on one line: tabs are spread to spaces, bytes that are no text are shown
 * as `?`, and of a long line only the part around the underlined places is shown. */
#include "diag.h"

#include <ctype.h>
#include <string.h>

enum { TAB_WIDTH = 4, WINDOW = 100, MARGIN = 16, HINT_INDENT = 11 };

typedef struct Paint {
    const char *bold, *red, *yellow, *blue, *cyan, *off;
} Paint;
static const Paint plain = {"", "", "", "", "", ""};
static const Paint coloured = {"\033[1m",    "\033[1;31m", "\033[1;35m",
                               "\033[1;34m", "\033[1;36m", "\033[0m"};

/* A label on the line being drawn, in display columns from 0. */
typedef struct Mark {
    int from, to;
    const Label *label;
} Mark;

/* One source line, as it is shown. */
typedef struct Line {
    const Source *src;
    int begin, end, number;  /* byte range without the end of line */
    int width;               /* display columns in all */
    int cut_left, cut_right; /* the columns shown */
    VEC(Mark) marks;
} Line;

/* ---- display columns ------------------------------------------------------------------------ */

/* The display column of byte `at` of the line; past the end: the width. */
static int display_column(const Line *line, int at)
{
    const char *text = line->src->text;
    int column = 0;
    for (int i = line->begin; i < at && i < line->end;) {
        int n = utf8_bytes(text + i, line->end - i);
        column += text[i] == '\t' ? TAB_WIDTH - column % TAB_WIDTH : 1;
        i += n ? n : 1;
    }
    return column;
}

static Line line_of(Span at)
{
    const Source *src = at.src;
    Line line = {.src = src, .begin = at.begin < src->length ? at.begin : src->length};
    line.end = line.begin;
    while (line.begin > 0 && src->text[line.begin - 1] != '\n') line.begin--;
    while (line.end < src->length && src->text[line.end] != '\n') line.end++;
    if (line.end > line.begin && src->text[line.end - 1] == '\r') line.end--;
    line.number = span_line(at);
    line.width = display_column(&line, line.end);
    return line;
}

/* ---- the source line ------------------------------------------------------------------------ */

/* Chooses the columns that are shown: all, or a window that holds the first mark. */
static void choose_window(Line *line)
{
    line->cut_left = 0;
    line->cut_right = line->width;
    if (line->width <= WINDOW) return;
    int from = line->marks.at[0].from, to = line->marks.at[0].to;
    for (int i = 1; i < line->marks.n; i++) {
        Mark m = line->marks.at[i];
        int lo = m.from < from ? m.from : from, hi = m.to > to ? m.to : to;
        if (hi - lo > WINDOW - 2 * MARGIN) continue;
        from = lo;
        to = hi;
    }
    if (to > WINDOW - MARGIN) line->cut_left = from > MARGIN ? from - MARGIN : 0;
    if (line->cut_left + WINDOW < line->width) line->cut_right = line->cut_left + WINDOW;
}

static void add_line_text(Text *out, const Line *line)
{
    const char *text = line->src->text;
    int column = 0;
    if (line->cut_left) text_add(out, "...");
    for (int i = line->begin; i < line->end && column < line->cut_right;) {
        int n = utf8_bytes(text + i, line->end - i);
        int wide = text[i] == '\t' ? TAB_WIDTH - column % TAB_WIDTH : 1;
        if (column >= line->cut_left) {
            if (text[i] == '\t')
                text_add(out, "%*s", wide, "");
            else if (n == 0 || iscntrl((unsigned char)text[i]))
                text_add(out, "?");
            else
                text_add(out, "%.*s", n, text + i);
        }
        column += wide;
        i += n ? n : 1;
    }
    if (line->cut_right < line->width) text_add(out, "...");
}

/* ---- marks and what hangs below them -------------------------------------------------------- */

static int shown_column(const Line *line, int column)
{
    if (column > line->cut_right) column = line->cut_right;
    if (column < line->cut_left) return 0;
    return column - line->cut_left + (line->cut_left ? 3 : 0);
}

static void add_mark(Line *line, const Label *label)
{
    Mark m = {display_column(line, label->at.begin), display_column(line, label->at.end), label};
    if (m.to <= m.from) m.to = m.from + 1;
    vec_push(&line->marks, m);
}

static const char *mark_paint(const Mark *m, const Paint *p, Severity sev)
{
    return !m->label->is_primary ? p->blue : sev == SEV_ERROR ? p->red : p->yellow;
}

static void add_margin(Text *out, const Paint *p) { text_add(out, "      %s|%s", p->blue, p->off); }

/* The mark that is drawn at a column: the primary one, else the narrowest. */
static const Mark *mark_at(const Line *line, int column)
{
    const Mark *best = NULL;
    for (int i = 0; i < line->marks.n; i++) {
        const Mark *m = &line->marks.at[i];
        if (column < m->from || column >= m->to) continue;
        if (!best || (m->label->is_primary && !best->label->is_primary) ||
            (!best->label->is_primary && m->to - m->from < best->to - best->from))
            best = m;
    }
    return best;
}

/* The label whose text goes on the underline itself: the rightmost, if nothing ends after it. */
static const Mark *inline_mark(const Line *line)
{
    const Mark *best = NULL;
    int end = 0;
    for (int i = 0; i < line->marks.n; i++) {
        const Mark *m = &line->marks.at[i];
        if (m->to > end) end = m->to;
        if (*m->label->text && (!best || m->from > best->from)) best = m;
    }
    return best && best->to == end ? best : NULL;
}

static void add_underline(Text *out, const Line *line, const Mark *last, const Paint *p,
                          Severity sev)
{
    int end = 0;
    for (int i = 0; i < line->marks.n; i++)
        if (line->marks.at[i].to > end) end = line->marks.at[i].to;
    if (end > line->cut_right + 1) end = line->cut_right + 1;
    add_margin(out, p);
    text_add(out, " %*s", line->cut_left ? 3 : 0, "");
    const Mark *before = NULL;
    for (int c = line->cut_left; c < end; c++) {
        const Mark *m = mark_at(line, c);
        if (m != before && before) text_add(out, "%s", p->off);
        if (m != before && m) text_add(out, "%s", mark_paint(m, p, sev));
        text_add(out, "%s", !m ? " " : m->label->is_primary ? "^" : "-");
        before = m;
    }
    if (last) text_add(out, " %s", last->label->text);
    if (before) text_add(out, "%s", p->off);
    text_add(out, "\n");
}

/* One row below the underline: bars for the marks hanging[0..n), in order of columns. */
static void add_bars(Text *out, const Line *line, const Mark *const *hanging, int n,
                     const Mark *text, const Paint *p, Severity sev)
{
    int column = 0;
    add_margin(out, p);
    text_add(out, " ");
    for (int i = 0; i < n; i++) {
        int at = shown_column(line, hanging[i]->from);
        if (i && at == shown_column(line, hanging[i - 1]->from)) continue;
        if (text && at == shown_column(line, text->from)) continue;
        text_add(out, "%*s%s|%s", at - column, "", mark_paint(hanging[i], p, sev), p->off);
        column = at + 1;
    }
    if (text)
        text_add(out, "%*s%s%s%s", shown_column(line, text->from) - column, "",
                 mark_paint(text, p, sev), text->label->text, p->off);
    text_add(out, "\n");
}

static void add_hanging(Text *out, const Line *line, const Mark *last, const Paint *p, Severity sev)
{
    VEC(const Mark *) hanging = {0};
    for (int i = 0; i < line->marks.n; i++) {
        const Mark *m = &line->marks.at[i];
        if (m == last || !*m->label->text) continue;
        vec_push(&hanging, m);
        for (int k = hanging.n - 1; k > 0 && hanging.at[k - 1]->from > m->from; k--) {
            hanging.at[k] = hanging.at[k - 1];
            hanging.at[k - 1] = m;
        }
    }
    if (hanging.n) add_bars(out, line, hanging.at, hanging.n, NULL, p, sev);
    for (int i = hanging.n - 1; i >= 0; i--)
        add_bars(out, line, hanging.at, i, hanging.at[i], p, sev);
}

static void add_window(Text *out, Line *line, const Paint *p, Severity sev)
{
    choose_window(line);
    text_add(out, "%s%5d |%s ", p->blue, line->number, p->off);
    add_line_text(out, line);
    text_add(out, "\n");
    const Mark *last = inline_mark(line);
    add_underline(out, line, last, p, sev);
    add_hanging(out, line, last, p, sev);
}

/* ---- the report ----------------------------------------------------------------------------- */

/* Continuation lines stand under the first. */
static void add_remark(Text *out, const char *kind, const char *text, const Paint *p)
{
    text_add(out, "   %s= %s:%s ", p->cyan, kind, p->off);
    for (const char *end; (end = strchr(text, '\n')); text = end + 1)
        text_add(out, "%.*s\n%*s", (int)(end - text), text, HINT_INDENT, "");
    text_add(out, "%s\n", text);
}

static void add_first_line(Text *out, const Diag *d, const Paint *p)
{
    Span at = d->labels.at[0].at;
    text_add(out, "%s", p->bold);
    if (at.src)
        text_add(out, "%s:%d:%d: ", at.src->name, span_line(at), span_column(at));
    else
        text_add(out, "nnc: ");
    text_add(out, "%s%s:%s %s%s%s [%s]\n", d->severity == SEV_ERROR ? p->red : p->yellow,
             d->severity == SEV_ERROR ? "error" : "warning", p->off, p->bold, d->text, p->off,
             d->code);
}

void diag_render(Text *out, const Diag *d, bool colour)
{
    const Paint *p = colour ? &coloured : &plain;
    VEC(Line) lines = {0};
    add_first_line(out, d, p);
    for (int i = 0; i < d->labels.n && d->labels.at[0].at.src; i++) {
        const Label *label = &d->labels.at[i];
        Line line = line_of(label->at);
        int k = 0;
        while (k < lines.n && (lines.at[k].src != line.src || lines.at[k].begin != line.begin)) k++;
        if (k == lines.n) vec_push(&lines, line);
        add_mark(&lines.at[k], label);
    }
    for (int i = 0; i < lines.n; i++) {
        if (lines.at[i].src != lines.at[0].src) text_add(out, "   in %s:\n", lines.at[i].src->name);
        add_window(out, &lines.at[i], p, d->severity);
    }
    for (int i = 0; i < d->notes.n; i++) add_remark(out, "note", d->notes.at[i], p);
    if (d->hint) add_remark(out, "hint", d->hint, p);
}
