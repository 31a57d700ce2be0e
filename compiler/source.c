/* source.c - texts and places in them. What goes in are paths, names of the embedded library or
 * texts at hand; what comes out are Source records whose text ends in NUL and stays unchanged, and
 * answers about byte ranges in them. Lines and columns count from 1; a column is a character. */
#include "embedded.h"
#include "common.h"

#include <limits.h>
#include <string.h>

static Source *new_source(const char *name, const char *text, int length)
{
    Source *s = NEW(Source);
    s->name = intern_str(name);
    s->text = text;
    s->length = length;
    return s;
}

const Source *source_from_text(const char *name, const char *text, int length)
{
    char *copy = arena_alloc((size_t)length + 1);
    if (length) memcpy(copy, text, (size_t)length);
    return new_source(name, copy, length);
}

/* NULL when the stream fails or holds more than an int can count. */
static const Source *read_stream(const char *name, FILE *f)
{
    size_t n = 0, cap = 1 << 16;
    char *text = arena_alloc(cap);
    for (;;) {
        n += fread(text + n, 1, cap - 1 - n, f);
        if (n < cap - 1) break;
        if (cap > INT_MAX / 2) return NULL;
        char *bigger = arena_alloc(2 * cap);
        memcpy(bigger, text, n);
        text = bigger;
        cap *= 2;
    }
    if (ferror(f)) return NULL;
    text[n] = 0;
    return new_source(name, text, (int)n);
}

const Source *source_read(const char *path)
{
    if (strcmp(path, "-") == 0) return read_stream("<stdin>", stdin);
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    const Source *s = read_stream(path, f);
    fclose(f);
    return s;
}

const Source *source_std(const char *name)
{
    const char *file = format("std/%s.nn", name);
    for (const EmbeddedFile *e = embedded_files; e->name; e++) {
        if (strcmp(e->name, file)) continue;
        Source *s = new_source(file, e->text, (int)e->length);
        s->is_std = true;
        return s;
    }
    return NULL;
}

/* ---- places --------------------------------------------------------------------------------- */

static int line_begin(const Source *src, int at)
{
    if (at > src->length) at = src->length;
    while (at > 0 && src->text[at - 1] != '\n') at--;
    return at;
}

int span_line(Span s)
{
    if (!s.src) return 0;
    int line = 1, end = s.begin < s.src->length ? s.begin : s.src->length;
    const char *p = s.src->text, *stop = p + end;
    while (p < stop && (p = memchr(p, '\n', (size_t)(stop - p)))) {
        line++;
        p++;
    }
    return line;
}

int span_column(Span s)
{
    if (!s.src) return 0;
    int column = 1;
    for (int i = line_begin(s.src, s.begin); i < s.begin && i < s.src->length; i++)
        if ((s.src->text[i + 1] & 0xC0) != 0x80) column++;
    return column;
}

Span span_join(Span a, Span b)
{
    if (!a.src) return b;
    if (!b.src || b.src != a.src) return a;
    if (b.begin < a.begin) a.begin = b.begin;
    if (b.end > a.end) a.end = b.end;
    return a;
}

const char *span_text(Span s)
{
    if (!s.src || s.end <= s.begin) return "";
    return format("%.*s", s.end - s.begin, s.src->text + s.begin);
}

/* Well-formed by the Unicode standard: no overlong forms, no surrogates, nothing above 10FFFF. */
int utf8_bytes(const char *s, int available)
{
    const unsigned char *p = (const unsigned char *)s;
    if (available < 1) return 0;
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4) return 0;
    int n = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (n > available) return 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F)) return 0;
    if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F)) return 0;
    return n;
}
