/* common.h - what every stage needs: memory, strings, growing arrays; texts and places in them;
 * reports.
 *
 * One program is compiled per process run; memory comes from one arena that is freed at the end,
 * so nothing here is ever freed piecemeal. */
#ifndef NNC_COMMON_H
#define NNC_COMMON_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- util.c: memory, strings, growing arrays ------------------------------------------------- */

void *arena_alloc(size_t bytes);                       /* zeroed; lives until arena_release */
void arena_release(void);                              /* frees everything, forgets all names */
/* Calls `forget` when the arena is released: for tables that point into it, once they exist. */
void at_release(void (*forget)(void));
#define NEW(T) ((T *)arena_alloc(sizeof(T)))
#define NEW_N(T, n) ((T *)arena_alloc(sizeof(T) * (size_t)(n)))

const char *intern(const char *s, size_t n);           /* equal strings get equal pointers */
const char *intern_str(const char *s);
const char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  /* in the arena */

/* A growing array: VEC(int) v = {0}; vec_push(&v, 3); v.at[0], v.n */
#define VEC(T) struct { T *at; int n, cap; }
#define vec_push(v, x)                                                \
    ((v)->at = vec_grow((v)->at, (v)->n, &(v)->cap, sizeof *(v)->at), \
     (void)((v)->at[(v)->n++] = (x)))
void *vec_grow(void *at, int n, int *cap, size_t size);
/* qsort, also of an array that has nothing and so no memory. */
#define vec_sort(v, order) vec_sort_all((v)->at, (v)->n, sizeof *(v)->at, order)
void vec_sort_all(void *at, int n, size_t size, int (*order)(const void *, const void *));

/* A text being built; always terminated. */
typedef struct Text { char *s; size_t n, cap; } Text;
void text_add(Text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The last piece of a path: "W" of net.Dense1.W; and the last with what is before it as long as it
 * begins with a number: "stack1.0" of net.stack1.0. */
const char *last_piece(const char *path);
const char *named_end(const char *path);
const char *underscored(const char *path);             /* net_Dense1_W */

/* The known name nearest to `name` (at most a third of it mistyped), or NULL: "did you mean". */
const char *nearest(const char *name, const char *const *known, int count);

/* ---- source.c: texts and places in them ------------------------------------------------------ */

typedef struct Source {
    const char *name;         /* as it is shown: the path given, or std/nn.nn */
    const char *text;         /* ends in NUL (a NUL inside is an error found by the lexer) */
    int length;
    bool is_std;              /* from the library that is embedded in the compiler */
} Source;

/* A range of bytes; src == NULL: nowhere. */
typedef struct Span { const Source *src; int begin, end; } Span;

const Source *source_read(const char *path);           /* "-": standard input; NULL: cannot read */
const Source *source_from_text(const char *name, const char *text, int length);
const Source *source_std(const char *name);            /* "nn" -> std/nn.nn; NULL: there is none */
int span_line(Span s);                                 /* from 1 */
int span_column(Span s);                               /* from 1, in characters */
Span span_join(Span a, Span b);
const char *span_text(Span s);                         /* the covered text, in the arena */
int utf8_bytes(const char *s, int available);          /* of the character at s; 0: it is none */

/* ---- diag.c: errors and warnings ------------------------------------------------------------- */

typedef enum Severity { SEV_ERROR, SEV_WARNING } Severity;
typedef struct Diag Diag;

/* Starts a report at a place; it is printed by diag_flush in the order of the places. The same
 * code at the same place is reported once. After 20 errors the rest is dropped. */
Diag *report(Severity sev, const char *code, Span at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
#define error_at(code, ...) report(SEV_ERROR, code, __VA_ARGS__)
#define warning_at(code, ...) report(SEV_WARNING, code, __VA_ARGS__)
/* The text under the place itself ("" draws carets only), and further labelled places. */
void diag_here(Diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void diag_label(Diag *d, Span at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_note(Diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void diag_hint(Diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int diag_errors(void);                                 /* number of errors so far */
void diag_flush(FILE *to);                             /* prints and forgets the pending reports */
void diag_colour(int mode);                            /* 0 never, 1 always, -1 on a terminal */
void diag_reset(void);                                 /* forgets all; goes with arena_release */

/* explain.c: what can be said about every code, from errors.def. */
typedef struct ErrorInfo {
    const char *code, *title;
    const char *text;         /* why it is an error and what to do; lines of at most 90 columns */
    const char *wrong, *right;/* small programs: one that has the error, the same without it */
} ErrorInfo;
extern const ErrorInfo error_table[];                  /* ends with a row without a code */
const ErrorInfo *error_info(const char *code);         /* NULL: no such code */

#endif
