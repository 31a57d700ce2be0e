/* index.c - where an element is: indices as affine functions of loop variables.
 * In: the index of an element of a node. Out: the index of the operand's element it is made from,
 * through every view, and the place in memory. A run of axes that are counted through together
 * stays one number as long as nothing looks between them, so that a reshape costs no division. */
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

/* ---- affine functions ---- */

Affine affine_const(SizeRef s) { return (Affine){.base = s}; }

Affine affine_var(const Var *v)
{
    Affine a = {.n = 1, .base = size_const(0)};
    a.var[0] = v;
    a.by[0] = size_const(1);
    return a;
}

Affine affine_add(Affine a, const Affine *b)
{
    a.base = size_add(a.base, b->base);
    for (int i = 0; i < b->n; i++) {
        int k = 0;
        while (k < a.n && a.var[k] != b->var[i]) k++;
        if (k == MAX_TERMS) abort();
        a.by[k] = k == a.n ? b->by[i] : size_add(a.by[k], b->by[i]);
        a.var[k] = b->var[i];
        if (k == a.n) a.n++;
    }
    return a;
}

Affine affine_scale(Affine a, SizeRef by)
{
    if (size_is(by, 0)) return affine_const(by);
    a.base = size_mul(a.base, by);
    for (int i = 0; i < a.n; i++) a.by[i] = size_mul(a.by[i], by);
    return a;
}

SizeRef affine_factor(const Affine *a, const Var *v)
{
    for (int i = 0; i < a->n; i++)
        if (a->var[i] == v) return a->by[i];
    return size_const(0);
}

bool affine_is_var(const Affine *a, const Var *v)
{
    return a->n == 1 && a->var[0] == v && size_is(a->by[0], 1) && size_is(a->base, 0);
}

Affine affine_without(const Affine *a, const Var *v)
{
    Affine rest = affine_const(a->base);
    for (int i = 0; i < a->n; i++) {
        Affine term = affine_scale(affine_var(a->var[i]), a->by[i]);
        if (a->var[i] != v) rest = affine_add(rest, &term);
    }
    return rest;
}

int affine_level(const Affine *a)
{
    int level = 0;
    for (int i = 0; i < a->n; i++)
        if (a->var[i]->level > level) level = a->var[i]->level;
    return level;
}

static bool is_word(const char *s) { return s[0] && !strpbrk(s, " +-*/%"); }

/* -1 times something is subtracted; other factors come first: 28*i */
static void add_term(Text *out, const char *name, SizeRef by)
{
    bool minus = size_is(by, -1);
    const char *factor = size_text(by);
    if (out->n)
        text_add(out, minus ? " - " : " + ");
    else if (minus)
        text_add(out, "-");
    if (size_is(by, 1) || minus)
        text_add(out, "%s", name);
    else
        text_add(out, is_word(factor) ? "%s*%s" : "(%s)*%s", factor, name);
}

const char *affine_text(const Affine *a)
{
    Text out = {0};
    long base;
    bool is_number = size_is_const(a->base, &base);
    bool base_first = !is_number || (a->n && size_is(a->by[0], -1));
    if (base_first && !size_is(a->base, 0)) text_add(&out, "%s", size_text(a->base));
    for (int i = 0; i < a->n; i++) add_term(&out, a->var[i]->name, a->by[i]);
    if (!base_first && base > 0) text_add(&out, out.n ? " + %ld" : "%ld", base);
    if (!base_first && base < 0) text_add(&out, out.n ? " - %ld" : "%ld", out.n ? -base : base);
    return out.n ? out.s : "0";
}

bool affine_is_simple(const Affine *a)
{
    return a->n == 0 ? is_word(size_text(a->base)) : a->n == 1 && affine_is_var(a, a->var[0]);
}

/* ---- runs of axes ---- */

Index index_of_vars(int rank, Var *const *vars)
{
    Index ix = {.rank = rank};
    for (int i = 0; i < rank; i++) {
        ix.at[i] = affine_var(vars[i]);
        ix.run[i] = 1;
    }
    return ix;
}

/* The elements behind one step of axis i within the axes up to `end`. */
static SizeRef stride_in(const Shape *s, int i, int end)
{
    SizeRef stride = size_const(1);
    while (++i < end) stride = size_mul(stride, s->size[i]);
    return stride;
}

/* A variable that stands for a quotient or a remainder. */
static Affine opaque(const Affine *a, SizeRef by, char sign, SizeRef size)
{
    Var *v = NEW(Var);
    const char *text = affine_text(a);
    v->name = format(affine_is_simple(a) ? "(%s %c %s)" : "((%s) %c %s)", text, sign,
                     is_word(size_text(by)) ? size_text(by) : format("(%s)", size_text(by)));
    v->size = size;
    v->level = affine_level(a);
    return affine_var(v);
}

/* a = inner * q + r with 0 <= r < inner, where a < inner * outer. Terms that inner divides go into
 * the quotient; only when the rest may reach inner is there anything to compute. */
static void divide(const Affine *a, SizeRef inner, SizeRef outer, Affine *q, Affine *r)
{
    *q = affine_const(size_div(a->base, inner));
    *r = affine_const(size_mod(a->base, inner));
    SizeRef most = r->base;
    for (int i = 0; i < a->n; i++) {
        Affine term = affine_var(a->var[i]);
        bool divides = size_is(size_mod(a->by[i], inner), 0);
        Affine part = affine_scale(term, divides ? size_div(a->by[i], inner) : a->by[i]);
        *(divides ? q : r) = affine_add(*(divides ? q : r), &part);
        if (!divides)
            most = size_add(most, size_mul(a->by[i], size_sub(a->var[i]->size, size_const(1))));
    }
    bool fits = size_lower(size_sub(inner, most)) > 0;
    for (int i = 0; i < r->n; i++) fits &= size_lower(r->by[i]) >= 0;
    if (fits) return;
    *q = opaque(a, inner, '/', outer);
    *r = opaque(a, inner, '%', inner);
}

static void split_run(Index *ix, const Shape *s, int i)
{
    int end = i + ix->run[i];
    Affine rest = ix->at[i];
    for (; i < end; i++) {
        Affine q = rest, r;
        if (i + 1 < end) {
            divide(&rest, stride_in(s, i, end), s->size[i], &q, &r);
            rest = r;
        }
        ix->at[i] = q;
        ix->run[i] = 1;
    }
}

void index_split(Index *ix, const Shape *s)
{
    for (int i = 0; i < ix->rank; i++)
        if (ix->run[i] > 1) split_run(ix, s, i);
}

/* The number of the element within the axes begin .. end; no run may cross the borders. */
static Affine flat_part(const Index *ix, const Shape *s, int begin, int end)
{
    Affine flat = affine_const(size_const(0));
    for (int i = begin; i < end; i += ix->run[i]) {
        Affine part = affine_scale(ix->at[i], stride_in(s, i + ix->run[i] - 1, end));
        flat = affine_add(flat, &part);
    }
    return flat;
}

Affine index_flat(const Index *ix, const Shape *s) { return flat_part(ix, s, 0, s->rank); }

bool index_is_vars(const Index *ix, int from, int to, Var *const *vars)
{
    for (int i = from; i < to; i++) {
        if (i >= ix->rank || ix->run[i] != 1) return false;
        bool zero = size_is(vars[i]->size, 1) && ix->at[i].n == 0;
        if (!zero && !affine_is_var(&ix->at[i], vars[i])) return false;
    }
    return true;
}

/* ---- views ---- */

static void set_axis(Index *to, int i, const Index *from, int k)
{
    to->at[i] = from->at[k];
    to->run[i] = from->run[k];
}

/* A run survives when it holds no new axis. */
static void through_broadcast(const Node *n, const Index *ix, Index *out)
{
    Index in = *ix;
    for (int i = 0; i < in.rank; i++)
        for (int k = i; in.run[i] > 1 && k < i + in.run[i]; k++)
            if (n->attr.axes >> k & 1) split_run(&in, &n->type.shape, i);
    out->rank = 0;
    for (int i = 0; i < in.rank; i++)
        if (!(n->attr.axes >> i & 1)) set_axis(out, out->rank++, &in, i);
}

/* A run survives when its axes stay neighbours in the same order. */
static void through_transpose(const Node *n, const Index *ix, Index *out)
{
    Index in = *ix;
    for (int i = 0; i < in.rank; i++)
        for (int k = i + 1; in.run[i] > 1 && k < i + in.run[i]; k++)
            if (n->attr.perm[k] != n->attr.perm[k - 1] + 1) split_run(&in, &n->type.shape, i);
    out->rank = in.rank;
    for (int i = 0; i < in.rank; i++) set_axis(out, n->attr.perm[i], &in, i);
}

/* A run survives when only its first axis is cut. */
static void through_slice(const Node *n, const Index *ix, Index *out)
{
    const Shape *s = &n->type.shape, *from = &n->in[0]->type.shape;
    *out = *ix;
    for (int i = 0; i < ix->rank; i++)
        for (int k = i + 1; out->run[i] > 1 && k < i + out->run[i]; k++)
            if (s->size[k] != from->size[k]) split_run(out, s, i);
    for (int i = 0; i < out->rank; i += out->run[i]) {
        SizeRef skipped = size_mul(n->attr.lo[i], stride_in(s, i, i + out->run[i]));
        Affine lo = affine_const(skipped);
        out->at[i] = affine_add(out->at[i], &lo);
    }
}

static void through_reverse(const Node *n, const Index *ix, Index *out)
{
    const Shape *s = &n->type.shape;
    *out = *ix;
    index_split(out, s);
    for (int i = 0; i < s->rank; i++) {
        if (!(n->attr.axes >> i & 1)) continue;
        Affine last = affine_const(size_sub(s->size[i], size_const(1)));
        Affine back = affine_scale(out->at[i], size_const(-1));
        out->at[i] = affine_add(last, &back);
    }
}

/* The axis that is opened is read at offset + sum of factor times index. */
void index_window(const Attr *attr, const Shape *open, const Index *ix, Index *out)
{
    Index in = *ix;
    int m = (int)attr->axes, at = (int)attr->k;
    index_split(&in, open);
    out->rank = in.rank - m + 1;
    for (int i = 0; i < out->rank; i++)
        if (i != at) set_axis(out, i, &in, i < at ? i : i + m - 1);
    Affine place = affine_const(attr->lo[0]);
    for (int k = 0; k < m; k++) {
        Affine step = affine_scale(in.at[at + k], size_const(attr->perm[k]));
        place = affine_add(place, &step);
    }
    out->at[at] = place;
    out->run[at] = 1;
}

/* Does a run of the index cross the place before axis i? */
static bool run_crosses(const Index *ix, int i) { return i < ix->rank && ix->run[i] == 0; }

/* The next shortest stretches of axes, from a and b on, that hold equally many elements. */
static void match_axes(const Shape *s, const Shape *t, const Index *ix, int *a, int *b)
{
    SizeRef p = size_const(1), q = size_const(1);
    bool first = true;
    while (first || p != q || run_crosses(ix, *a)) {
        first = false;
        bool left = *b == t->rank || (*a < s->rank && size_upper(p) <= size_upper(q));
        if (left && *a < s->rank)
            p = size_mul(p, s->size[(*a)++]);
        else if (*b < t->rank)
            q = size_mul(q, t->size[(*b)++]);
        else
            break;
    }
}

static void through_reshape(const Node *n, const Index *ix, Index *out)
{
    const Shape *s = &n->type.shape, *t = &n->in[0]->type.shape;
    out->rank = t->rank;
    for (int a = 0, b = 0; a < s->rank || b < t->rank;) {
        int a0 = a, b0 = b, wide = 0, last = 0;
        match_axes(s, t, ix, &a, &b);
        for (int k = b0; k < b; k++) {
            out->at[k] = affine_const(size_const(0));
            out->run[k] = 1;
            if (!size_is(t->size[k], 1)) {
                wide++;
                last = k;
            }
        }
        if (!wide) continue;
        Affine flat = flat_part(ix, s, a0, a);
        if (wide == 1) {
            out->at[last] = flat;
        } else {
            out->at[b0] = flat;
            for (int k = b0; k < b; k++) out->run[k] = k == b0 ? b - b0 : 0;
        }
    }
}

bool index_operand(const Node *n, int k, const Index *ix, Index *out)
{
    memset(out, 0, sizeof *out);
    if (op_info[n->op].class == CLASS_MAP || n->op == OP_CUSTOM) {
        *out = *ix;
        return true;
    }
    switch (n->op) {
    case OP_BROADCAST: through_broadcast(n, ix, out); return true;
    case OP_TRANSPOSE: through_transpose(n, ix, out); return true;
    case OP_SLICE: through_slice(n, ix, out); return true;
    case OP_REVERSE: through_reverse(n, ix, out); return true;
    case OP_RESHAPE: through_reshape(n, ix, out); return true;
    case OP_WINDOW: index_window(&n->attr, &n->type.shape, ix, out); return true;
    default: (void)k; return false;
    }
}
