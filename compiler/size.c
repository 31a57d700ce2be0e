/* size.c - sizes: integer polynomials over run-time dims, with floor division and remainder.
 * In: numbers and dims. Out: hash-consed sizes in normal form, so that equal sizes are the same
 * pointer. A polynomial is a sorted list of terms; a term is a coefficient times a sorted list of
 * atoms; an atom is a dim, a quotient or a remainder that could not be reduced. */
#include "nnc.h"

#include <limits.h>
#include <string.h>

typedef enum AtomKind { ATOM_DIM, ATOM_DIV, ATOM_MOD } AtomKind;
typedef struct Atom {
    AtomKind kind;
    int id;                   /* order of creation: the sort key */
    const Dim *dim;
    SizeRef a, b;             /* a / b, a % b */
} Atom;

enum { MAX_FACTORS = 16 };
typedef struct Term {
    long k;
    int n;
    const Atom *atom[MAX_FACTORS];
} Term;

struct Size {
    int n;
    const Term *term;         /* sorted by atoms; the constant term last; no zero coefficients */
    uint64_t hash;
    struct Size *next;        /* of the same bucket */
};

static VEC(Atom *) atoms;
static struct Size **buckets; /* n_buckets of them, a power of two */
static size_t n_buckets, n_sizes;

/* The tables point into the arena, so they go when it goes. */
static void forget_atoms(void) { memset(&atoms, 0, sizeof atoms); }

static void forget_sizes(void)
{
    buckets = NULL;
    n_buckets = n_sizes = 0;
}

static const Atom *atom_get(AtomKind kind, const Dim *dim, SizeRef a, SizeRef b)
{
    for (int i = 0; i < atoms.n; i++) {
        Atom *t = atoms.at[i];
        if (t->kind == kind && t->dim == dim && t->a == a && t->b == b) return t;
    }
    Atom *t = NEW(Atom);
    if (!atoms.n) at_release(forget_atoms);
    *t = (Atom){kind, atoms.n, dim, a, b};
    vec_push(&atoms, t);
    return t;
}

/* Terms with more and earlier atoms first; the constant has none and comes last. */
static int term_compare(const Term *a, const Term *b)
{
    for (int i = 0; i < a->n && i < b->n; i++)
        if (a->atom[i]->id != b->atom[i]->id) return a->atom[i]->id - b->atom[i]->id;
    return b->n - a->n;
}

static bool term_equal(const Term *a, const Term *b)
{
    return a->k == b->k && term_compare(a, b) == 0;
}

static uint64_t terms_hash(int n, const Term *term)
{
    uint64_t h = 0x9E3779B97F4A7C15u;
    for (int i = 0; i < n; i++) {
        h = (h ^ (uint64_t)term[i].k) * 0xBF58476D1CE4E5B9u;
        for (int j = 0; j < term[i].n; j++)
            h = ((h ^ h >> 31) + (uint64_t)term[i].atom[j]->id) * 0x94D049BB133111EBu;
    }
    return h ^ h >> 29;
}

static void grow_buckets(void)
{
    size_t n = n_buckets ? 4 * n_buckets : 256;
    struct Size **wider = NEW_N(struct Size *, n);
    for (size_t i = 0; i < n_buckets; i++)
        for (struct Size *s = buckets[i], *next; s; s = next) {
            next = s->next;
            s->next = wider[s->hash & (n - 1)];
            wider[s->hash & (n - 1)] = s;
        }
    buckets = wider;
    n_buckets = n;
}

static SizeRef size_get(int n, const Term *term)
{
    uint64_t hash = terms_hash(n, term);
    for (struct Size *s = n_buckets ? buckets[hash & (n_buckets - 1)] : NULL; s; s = s->next) {
        int k = 0;
        if (s->hash != hash || s->n != n) continue;
        while (k < n && term_equal(&s->term[k], &term[k])) k++;
        if (k == n) return s;
    }
    if (!n_buckets) at_release(forget_sizes);
    if (n_sizes >= n_buckets) grow_buckets();
    struct Size *s = NEW(struct Size);
    Term *copy = NEW_N(Term, n ? n : 1);
    if (n) memcpy(copy, term, sizeof(Term) * (size_t)n);
    *s = (struct Size){n, copy, hash, buckets[hash & (n_buckets - 1)]};
    buckets[hash & (n_buckets - 1)] = s;
    n_sizes++;
    return s;
}

/* Saturating: a size beyond any memory stays beyond it instead of wrapping round. */
static long add_sat(long a, long b)
{
    long r;
    return __builtin_add_overflow(a, b, &r) ? (b > 0 ? LONG_MAX : LONG_MIN) : r;
}

static long mul_sat(long a, long b)
{
    long r;
    return __builtin_mul_overflow(a, b, &r) ? ((a < 0) == (b < 0) ? LONG_MAX : LONG_MIN) : r;
}

static long floor_div(long a, long b)
{
    if (b == -1) return a == LONG_MIN ? LONG_MAX : -a;
    long q = a / b;
    return a % b != 0 && (a % b < 0) != (b < 0) ? q - 1 : q;
}

SizeRef size_const(long v)
{
    Term t = {.k = v};
    return size_get(v != 0, &t);
}

static SizeRef size_atom(const Atom *a)
{
    Term t = {.k = 1, .n = 1, .atom = {a}};
    return size_get(1, &t);
}

SizeRef size_dim(const Dim *d) { return size_atom(atom_get(ATOM_DIM, d, NULL, NULL)); }

/* a + factor * b by merging the sorted terms */
static SizeRef size_combine(SizeRef a, SizeRef b, long factor)
{
    Term *out = NEW_N(Term, a->n + b->n + 1);
    int n = 0, i = 0, j = 0;
    while (i < a->n || j < b->n) {
        int order = i == a->n ? 1 : j == b->n ? -1 : term_compare(&a->term[i], &b->term[j]);
        Term t = order <= 0 ? a->term[i] : b->term[j];
        if (order == 0) t.k = add_sat(t.k, mul_sat(factor, b->term[j].k));
        if (order > 0) t.k = mul_sat(factor, t.k);
        i += order <= 0;
        j += order >= 0;
        if (t.k) out[n++] = t;
    }
    return size_get(n, out);
}

SizeRef size_add(SizeRef a, SizeRef b) { return size_combine(a, b, 1); }
SizeRef size_sub(SizeRef a, SizeRef b) { return size_combine(a, b, -1); }

static Term term_mul(const Term *a, const Term *b)
{
    Term t = {.k = mul_sat(a->k, b->k)};
    int i = 0, j = 0;
    while ((i < a->n || j < b->n) && t.n < MAX_FACTORS) {
        bool left = j == b->n || (i < a->n && a->atom[i]->id <= b->atom[j]->id);
        t.atom[t.n++] = left ? a->atom[i++] : b->atom[j++];
    }
    return t;
}

SizeRef size_mul(SizeRef a, SizeRef b)
{
    SizeRef sum = size_const(0);
    for (int i = 0; i < a->n; i++)
        for (int j = 0; j < b->n; j++) {
            Term t = term_mul(&a->term[i], &b->term[j]);
            sum = size_add(sum, size_get(t.k != 0, &t));
        }
    return sum;
}

bool size_is_const(SizeRef s, long *value)
{
    if (s->n > 1 || (s->n == 1 && s->term[0].n)) return false;
    if (value) *value = s->n ? s->term[0].k : 0;
    return true;
}

bool size_is(SizeRef s, long value)
{
    long v;
    return size_is_const(s, &v) && v == value;
}

/* t / d when d divides it without remainder: the coefficient and every atom of d */
static bool term_divide(const Term *t, const Term *d, Term *q)
{
    if (d->k == 0 || t->k % d->k) return false;
    *q = (Term){.k = t->k / d->k};
    int j = 0;
    for (int i = 0; i < t->n; i++)
        if (j < d->n && t->atom[i] == d->atom[j]) j++;
        else q->atom[q->n++] = t->atom[i];
    return j == d->n;
}

/* Splits a into b * quotient + rest, where rest has no term that b (a single term) divides. */
static void split(SizeRef a, SizeRef b, SizeRef *quotient, SizeRef *rest)
{
    *quotient = size_const(0);
    *rest = size_const(0);
    for (int i = 0; i < a->n; i++) {
        Term q;
        bool divides = b->n == 1 && term_divide(&a->term[i], &b->term[0], &q);
        if (divides) *quotient = size_add(*quotient, size_get(1, &q));
        else *rest = size_add(*rest, size_get(1, &a->term[i]));
    }
}

SizeRef size_div(SizeRef a, SizeRef b)
{
    long x, y;
    if (size_is_const(a, &x) && size_is_const(b, &y)) return size_const(y ? floor_div(x, y) : 0);
    if (a == b || size_is(b, 1)) return a == b ? size_const(1) : a;
    SizeRef q, r;
    split(a, b, &q, &r);
    if (size_is(r, 0)) return q;
    if (size_is_const(b, &y) && y > 0 && size_lower(r) >= 0 && size_upper(r) < y) return q;
    return size_add(q, size_atom(atom_get(ATOM_DIV, NULL, r, b)));
}

SizeRef size_mod(SizeRef a, SizeRef b)
{
    long x, y;
    if (size_is_const(a, &x) && size_is_const(b, &y))
        return size_const(y ? x - y * floor_div(x, y) : 0);
    if (a == b || size_is(b, 1)) return size_const(0);
    SizeRef q, r;
    split(a, b, &q, &r);
    if (size_is(r, 0)) return r;
    if (size_is_const(b, &y) && y > 0 && size_lower(r) >= 0 && size_upper(r) < y) return r;
    return size_atom(atom_get(ATOM_MOD, NULL, r, b));
}

typedef struct Interval { long lo, hi; } Interval;
static Interval size_interval(SizeRef s);

static long min4(long a, long b, long c, long d)
{
    long m = a < b ? a : b, n = c < d ? c : d;
    return m < n ? m : n;
}

static long max4(long a, long b, long c, long d)
{
    long m = a > b ? a : b, n = c > d ? c : d;
    return m > n ? m : n;
}

static Interval atom_interval(const Atom *t)
{
    if (t->kind == ATOM_DIM) return (Interval){t->dim->lo, t->dim->hi < 0 ? LONG_MAX : t->dim->hi};
    Interval a = size_interval(t->a), b = size_interval(t->b);
    if (t->kind == ATOM_MOD)
        return (Interval){b.lo > 0 ? 0 : LONG_MIN, b.hi == LONG_MAX ? b.hi : b.hi - 1};
    if (b.lo <= 0) return (Interval){LONG_MIN, LONG_MAX};
    long lo = min4(floor_div(a.lo, b.lo), floor_div(a.lo, b.hi), LONG_MAX, LONG_MAX);
    if (a.hi == LONG_MAX) return (Interval){lo, LONG_MAX};
    return (Interval){lo, max4(floor_div(a.hi, b.lo), floor_div(a.hi, b.hi), LONG_MIN, LONG_MIN)};
}

static Interval size_interval(SizeRef s)
{
    Interval sum = {0, 0};
    for (int i = 0; i < s->n; i++) {
        Interval t = {s->term[i].k, s->term[i].k};
        for (int j = 0; j < s->term[i].n; j++) {
            Interval f = atom_interval(s->term[i].atom[j]);
            long a = mul_sat(t.lo, f.lo), b = mul_sat(t.lo, f.hi);
            long c = mul_sat(t.hi, f.lo), d = mul_sat(t.hi, f.hi);
            t = (Interval){min4(a, b, c, d), max4(a, b, c, d)};
        }
        sum = (Interval){add_sat(sum.lo, t.lo), add_sat(sum.hi, t.hi)};
    }
    return sum;
}

long size_lower(SizeRef s) { return size_interval(s).lo; }
long size_upper(SizeRef s) { return size_interval(s).hi; }

static long atom_eval(const Atom *t, const long *values)
{
    if (t->kind == ATOM_DIM) return values[t->dim->id];
    long a = size_eval(t->a, values), b = size_eval(t->b, values);
    if (b == 0) return 0;
    return t->kind == ATOM_DIV ? floor_div(a, b) : a - b * floor_div(a, b);
}

long size_eval(SizeRef s, const long *dim_values)
{
    long sum = 0;
    for (int i = 0; i < s->n; i++) {
        long t = s->term[i].k;
        for (int j = 0; j < s->term[i].n; j++)
            t = mul_sat(t, atom_eval(s->term[i].atom[j], dim_values));
        sum = add_sat(sum, t);
    }
    return sum;
}

static const char *atom_text(const Atom *t)
{
    if (t->kind == ATOM_DIM) return t->dim->name;
    const char *a = size_text(t->a), *b = size_text(t->b);
    const char *pa = t->a->n > 1 || t->a->term[0].n > 1 || t->a->term[0].k != 1 ? "(" : "";
    const char *pb = t->b->n > 1 || (t->b->n == 1 && t->b->term[0].n > 1) ? "(" : "";
    return format("%s%s%s %c %s%s%s", pa, a, *pa ? ")" : "", t->kind == ATOM_DIV ? '/' : '%', pb, b,
                  *pb ? ")" : "");
}

static const char *term_text(const Term *t, long k, bool real)
{
    Text out = {0};
    if (k != 1 || t->n == 0 || real) text_add(&out, real ? "%ld.0" : "%ld", k);
    for (int i = 0; i < t->n; i++) {
        bool compound = t->atom[i]->kind != ATOM_DIM && (t->n > 1 || k != 1 || real);
        text_add(&out, "%s%s%s%s", out.n ? "*" : "", compound ? "(" : "", atom_text(t->atom[i]),
                 compound ? ")" : "");
    }
    return out.s;
}

static const char *terms_text(SizeRef s, bool real)
{
    Text out = {0};
    if (s->n == 0) return real ? "0.0" : "0";
    for (int i = 0; i < s->n; i++) {
        long k = s->term[i].k;
        const char *sign = i == 0 ? (k < 0 ? "-" : "") : k < 0 ? " - " : " + ";
        text_add(&out, "%s%s", sign, term_text(&s->term[i], k < 0 && k != LONG_MIN ? -k : k, real));
    }
    return out.s;
}

const char *size_text(SizeRef s) { return terms_text(s, false); }
const char *size_real_text(SizeRef s) { return terms_text(s, true); }

void size_dims(SizeRef s, uint64_t *mask)
{
    for (int i = 0; i < s->n; i++)
        for (int j = 0; j < s->term[i].n; j++) {
            const Atom *t = s->term[i].atom[j];
            if (t->kind == ATOM_DIM) *mask |= (uint64_t)1 << (t->dim->id & 63);
            else {
                size_dims(t->a, mask);
                size_dims(t->b, mask);
            }
        }
}

/* ---- shapes and types ---- */

bool shape_equal(const Shape *a, const Shape *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->size[i] != b->size[i]) return false;
    return true;
}

SizeRef shape_count(const Shape *s)
{
    SizeRef n = size_const(1);
    for (int i = 0; i < s->rank; i++) n = size_mul(n, s->size[i]);
    return n;
}

bool elem_is_real(Elem e)
{
    return e == ELEM_REAL || e == ELEM_F16 || e == ELEM_F32 || e == ELEM_F64;
}

bool elem_is_int(Elem e) { return e == ELEM_I8 || e == ELEM_I32 || e == ELEM_U8; }

const char *type_text(Type t)
{
    Text out = {0};
    text_add(&out, "%s", elem_text(t.elem));
    for (int i = 0; i < t.shape.rank; i++)
        text_add(&out, "%s%s", i ? ", " : "[", size_text(t.shape.size[i]));
    if (t.shape.rank) text_add(&out, "]");
    return out.s;
}

long elem_bytes(Elem e)
{
    switch (e) {
    case ELEM_REAL: return options.f64 ? 8 : 4;
    case ELEM_F64: return 8;
    case ELEM_F32:
    case ELEM_I32: return 4;
    case ELEM_F16: return 2;
    default: return 1;
    }
}
