/* util.c - memory, strings and growing arrays for a process that compiles one program. What goes
 * in are sizes and texts; what comes out lives until arena_release, is aligned for every type and
 * zeroed. Running out of memory ends the process with exit code 70, so no caller checks for it. */
#include "common.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 16, ALIGNMENT = _Alignof(max_align_t), FIRST_BUCKETS = 1024 };

/* ---- the arena ------------------------------------------------------------------------------ */

typedef struct Chunk Chunk;
struct Chunk {
    Chunk *older;
    size_t used, size;
    _Alignas(max_align_t) char bytes[];
};

static Chunk *newest;

static void *allocate(size_t bytes)
{
    void *p = calloc(1, bytes);
    if (!p) {
        fputs("nnc: out of memory\n", stderr);
        exit(70);
    }
    return p;
}

static Chunk *add_chunk(size_t bytes)
{
    size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    Chunk *c = allocate(sizeof *c + size);
    c->size = size;
    /* A large block goes behind the newest chunk, whose rest stays in use. */
    if (newest && bytes > CHUNK_BYTES / 4) {
        c->older = newest->older;
        newest->older = c;
    } else {
        c->older = newest;
        newest = c;
    }
    return c;
}

void *arena_alloc(size_t bytes)
{
    if (bytes > SIZE_MAX / 2) {
        fputs("nnc: out of memory\n", stderr);
        exit(70);
    }
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    Chunk *c = newest;
    if (!c || c->size - c->used < bytes) c = add_chunk(bytes);
    void *p = c->bytes + c->used;
    c->used += bytes;
    return p;
}

/* ---- names ---------------------------------------------------------------------------------- */

typedef struct Interned Interned;
struct Interned {
    Interned *next;
    unsigned hash;
    size_t n;
    char s[];
};

static Interned **buckets;
static size_t n_buckets, n_names;

enum { MOST_TABLES = 8 };
static void (*forgetters[MOST_TABLES])(void);
static int n_forgetters;

void at_release(void (*forget)(void))
{
    assert(n_forgetters < MOST_TABLES);
    forgetters[n_forgetters++] = forget;
}

void arena_release(void)
{
    while (n_forgetters) forgetters[--n_forgetters]();
    while (newest) {
        Chunk *older = newest->older;
        free(newest);
        newest = older;
    }
    buckets = NULL;
    n_buckets = n_names = 0;
}

static unsigned hash_bytes(const char *s, size_t n)
{
    unsigned h = 2166136261u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 16777619u;
    return h;
}

static void grow_buckets(void)
{
    size_t count = n_buckets ? 2 * n_buckets : FIRST_BUCKETS;
    Interned **bigger = NEW_N(Interned *, count);
    for (size_t i = 0; i < n_buckets; i++)
        for (Interned *e = buckets[i], *next; e; e = next) {
            next = e->next;
            e->next = bigger[e->hash % count];
            bigger[e->hash % count] = e;
        }
    buckets = bigger;
    n_buckets = count;
}

const char *intern(const char *s, size_t n)
{
    if (n_names >= n_buckets) grow_buckets();
    unsigned hash = hash_bytes(s, n);
    Interned **bucket = &buckets[hash % n_buckets];
    for (Interned *e = *bucket; e; e = e->next)
        if (e->hash == hash && e->n == n && memcmp(e->s, s, n) == 0) return e->s;
    Interned *e = arena_alloc(sizeof *e + n + 1);
    e->hash = hash;
    e->n = n;
    memcpy(e->s, s, n);
    e->next = *bucket;
    *bucket = e;
    n_names++;
    return e->s;
}

const char *intern_str(const char *s) { return intern(s, strlen(s)); }

/* ---- texts ---------------------------------------------------------------------------------- */

const char *format(const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *s = arena_alloc((size_t)(n < 0 ? 0 : n) + 1);
    if (n > 0) vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return s;
}

static void text_reserve(Text *t, size_t more)
{
    if (t->s && t->cap - t->n > more) return;
    size_t cap = 2 * t->cap + more + 64;
    char *s = arena_alloc(cap);
    if (t->n) memcpy(s, t->s, t->n);
    t->s = s;
    t->cap = cap;
}

void text_add(Text *t, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    text_reserve(t, 0);
    int n = vsnprintf(t->s + t->n, t->cap - t->n, fmt, args);
    if (n > 0 && (size_t)n >= t->cap - t->n) {
        text_reserve(t, (size_t)n);
        vsnprintf(t->s + t->n, t->cap - t->n, fmt, again);
    }
    if (n > 0) t->n += (size_t)n;
    va_end(again);
    va_end(args);
}

/* ---- growing arrays ------------------------------------------------------------------------- */

void *vec_grow(void *at, int n, int *cap, size_t size)
{
    if (n < *cap) return at;
    if (n > INT_MAX / 2 - 8) {
        fputs("nnc: out of memory\n", stderr);
        exit(70);
    }
    *cap = n ? 2 * n : 8;
    void *bigger = arena_alloc((size_t)*cap * size);
    if (n) memcpy(bigger, at, (size_t)n * size);
    return bigger;
}

void vec_sort_all(void *at, int n, size_t size, int (*order)(const void *, const void *))
{
    if (n) qsort(at, (size_t)n, size, order);
}

/* ---- paths ---- */

const char *last_piece(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

const char *named_end(const char *path)
{
    const char *end = last_piece(path);
    while (end > path && isdigit((unsigned char)*end))
        for (end--; end > path && end[-1] != '.';) end--;
    return end;
}

const char *underscored(const char *path)
{
    Text out = {0};
    for (text_add(&out, "%s", path); strchr(out.s, '.');) *strchr(out.s, '.') = '_';
    return out.s;
}

/* ---- did you mean --------------------------------------------------------------------------- */

enum { NAME_LIMIT = 64, TYPO = 8, OTHER_CASE = 1 };

static int letter_cost(char a, char b)
{
    if (a == b) return 0;
    return tolower((unsigned char)a) == tolower((unsigned char)b) ? OTHER_CASE : TYPO;
}

static int least(int a, int b) { return a < b ? a : b; }

/* Edit distance with swaps of neighbours, in units of which TYPO make one mistake. */
static int typing_distance(const char *a, int na, const char *b, int nb)
{
    int d[3][NAME_LIMIT + 1]; /* rows i, i - 1 and i - 2, by i % 3 */
    for (int j = 0; j <= nb; j++) d[0][j] = TYPO * j;
    for (int i = 1; i <= na; i++) {
        int *row = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];
        row[0] = TYPO * i;
        for (int j = 1; j <= nb; j++) {
            row[j] =
                least(up[j - 1] + letter_cost(a[i - 1], b[j - 1]), least(up[j], row[j - 1]) + TYPO);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], up2[j - 2] + TYPO);
        }
    }
    return d[na % 3][nb];
}

const char *nearest(const char *name, const char *const *known, int count)
{
    int n = (int)strnlen(name, NAME_LIMIT + 1), best_cost = INT_MAX;
    const char *best = NULL;
    if (n > NAME_LIMIT) return NULL;
    for (int i = 0; i < count; i++) {
        int m = (int)strnlen(known[i], NAME_LIMIT + 1);
        if (m > NAME_LIMIT) continue;
        int cost = typing_distance(name, n, known[i], m);
        if (cost / TYPO * 3 <= n && cost < best_cost) {
            best = known[i];
            best_cost = cost;
        }
    }
    return best;
}
