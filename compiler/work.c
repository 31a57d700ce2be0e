/* work.c - how much each definition computes and moves.
 * In: the kernels of an entry, with homes. Out: multiply-adds, other operations and bytes as
 * polynomials over the dims, for every definition, kernel and entry; `nnc size` and recompute take
 * them at the upper bounds, the code of --profile at the sizes of the call. Bytes are what a kernel
 * has to move at least: every array that it reads and every array that it stores counts once. */
#include "kernel.h"

Work no_work(void)
{
    SizeRef zero = size_const(0);
    return (Work){zero, zero, zero};
}

static Work work_sum(Work a, Work b)
{
    return (Work){size_add(a.multiplies, b.multiplies), size_add(a.others, b.others),
                  size_add(a.bytes, b.bytes)};
}

static Work work_times(SizeRef n, Work w)
{
    return (Work){size_mul(n, w.multiplies), size_mul(n, w.others), size_mul(n, w.bytes)};
}

SizeRef work_operations(Work w)
{
    return size_add(size_mul(size_const(2), w.multiplies), w.others);
}

double work_flops(Work w) { return (double)size_upper(work_operations(w)); }

/* ---- operations ------------------------------------------------------------------------------ */

typedef struct Tally {
    long multiplies, others;
} Tally;

/* What is written inside d, for one element of its domain: sum(a * b) is one multiply-add. */
static void tally_node(const Code *c, const Node *n, bool top, Tally *t)
{
    n = see_through((Node *)n);
    if (!top && (c->def_of[n->id] || is_leaf_memory(n))) return;
    Tally one = {0};
    long terms = unrolled_terms(n) ? unrolled_terms(n) : 1;
    if (n->op == OP_MATMUL)
        one.multiplies = 1;
    else
        one.others = op_info[n->op].class == CLASS_MAP || op_info[n->op].class == CLASS_FOLD;
    const Node *term = n->op == OP_SUM ? see_through(n->in[0]) : n;
    if (term != n && term->op == OP_MUL && !c->def_of[term->id]) {
        one.others -= 2;
        one.multiplies++;
    }
    for (int k = 0; k < n->n_in; k++) tally_node(c, n->in[k], false, &one);
    t->multiplies += terms * one.multiplies;
    t->others += terms * one.others;
}

/* Every output of every map times every tap. */
static SizeRef conv_multiplies(const Node *n)
{
    const Shape k = conv_kernel(n);
    const Shape *y = n->op == OP_CONV ? &n->type.shape : &n->in[n->op != OP_CONV_DATA]->type.shape;
    SizeRef taps = size_mul(k.size[1], size_mul(k.size[2], k.size[3]));
    return size_mul(shape_count(y), taps);
}

/* The elements of a matrix [rows, width] before element i + from of row i; `unknown` where no
 * polynomial over the dims says how many. */
static SizeRef before_line(SizeRef from, SizeRef rows, SizeRef width, SizeRef unknown)
{
    long f, m, w, sum = 0;
    SizeRef none = size_const(0), end = size_sub(size_add(rows, from), size_const(1));
    if (size_upper(end) <= 0) return none;
    if (size_lower(size_sub(from, width)) >= 0) return size_mul(rows, width);
    if (size_lower(from) >= 0 && size_lower(size_sub(width, end)) >= 0) {
        SizeRef pairs = size_mul(rows, size_sub(rows, size_const(1)));
        return size_add(size_div(pairs, size_const(2)), size_mul(rows, from));
    }
    if (!size_is_const(from, &f) || !size_is_const(rows, &m) || !size_is_const(width, &w))
        return unknown;
    for (long i = 0; i < m; i++) sum += i + f < 0 ? 0 : i + f < w ? i + f : w;
    return size_const(sum);
}

/* All batches, and of each the band. */
static SizeRef product_multiplies(const Product *p)
{
    const Shape *s = &p->node->type.shape;
    ProductSizes z = product_sizes(p);
    const Band *b = &p->band;
    SizeRef batches = size_const(1), width = b->of == BAND_TERMS ? z.k : z.n;
    SizeRef each = size_mul(z.m, width);
    for (int i = 0; i + 2 < s->rank; i++) batches = size_mul(batches, s->size[i]);
    if (b->of != BAND_ALL) {
        SizeRef to = size_add(b->hi, size_const(1));
        each = size_sub(before_line(to, z.m, width, each),
                        before_line(b->lo, z.m, width, size_const(0)));
    }
    return size_mul(size_mul(batches, each), b->of == BAND_TERMS ? z.n : z.k);
}

static Work def_operations(const Code *c, const Def *d)
{
    Work w = no_work();
    Tally each = {0, (d->bias != NULL) + (d->act != OP_COUNT)};
    SizeRef elements = shape_count(&d->domain);
    for (int i = 0; i < d->products.n; i++)
        w.multiplies = size_add(w.multiplies, product_multiplies(&d->products.at[i]));
    if (d->is_store || d->kind == DEF_DRAW) return w;
    if (d->conv) w.multiplies = conv_multiplies(d->conv);
    bool called = d->products.n || d->conv;
    if (!called) each = (Tally){0};
    if (!called) tally_node(c, d->node, true, &each);
    w.multiplies = size_add(w.multiplies, size_mul(elements, size_const(each.multiplies)));
    w.others = size_mul(elements, size_const(each.others));
    return w;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static SizeRef array_bytes(const Shape *s, Elem e)
{
    return size_mul(shape_count(s), size_const(elem_bytes(e)));
}

typedef struct Read {
    const Node *node;
    const Def *reader; /* the first of the kernel */
    SizeRef bytes;
} Read;
typedef struct Traffic {
    const Code *c;
    VEC(Read) reads; /* of one kernel, each array once */
} Traffic;

/* A loop over fewer elements than the array has does not touch all of them. */
static void note_array(void *context, const Def *d, const Frame *f, Node *n, const Index *ix)
{
    Traffic *t = context;
    const Def *from = t->c->def_of[n->id];
    (void)f;
    if (from && from->kernel == d->kernel) return;
    SizeRef bytes = array_bytes(&n->type.shape, n->type.elem);
    SizeRef touched = array_bytes(&d->domain, n->type.elem);
    if (ix && size_upper(touched) < size_upper(bytes)) bytes = touched;
    for (int i = 0; i < t->reads.n; i++) {
        Read *r = &t->reads.at[i];
        if (r->node != n) continue;
        if (size_upper(bytes) > size_upper(r->bytes)) r->bytes = bytes;
        return;
    }
    vec_push(&t->reads, ((Read){n, d, bytes}));
}

static SizeRef stored_bytes(const Def *d)
{
    const Type *t = &d->node->type;
    bool is_array = d->home && !d->home->skip && !d->is_store && t->shape.rank;
    SizeRef sum = is_array ? array_bytes(&t->shape, t->elem) : size_const(0);
    for (int i = 0; i < d->copies.n; i++)
        if (d->copies.at[i] != d->home)
            sum = size_add(sum, array_bytes(&t->shape, d->copies.at[i]->type.elem));
    return sum;
}

/* ---- kernels --------------------------------------------------------------------------------- */

/* A step as often as it runs, and its states moved on behind it; told by the first result. */
static Work scan_work(const Kernel *k)
{
    const Node *scan = k->defs.at[0]->node;
    const Scan *s = scan->attr.ref;
    Work step = k->step->work;
    for (int i = 0; i < s->n_states; i++) {
        const Type *t = &s->next[i]->type;
        SizeRef moved = size_mul(size_const(2), array_bytes(&t->shape, t->elem));
        step.bytes = size_add(step.bytes, moved);
    }
    return work_times(scan->attr.size, step);
}

static void count_kernel(const Code *c, Kernel *k)
{
    Traffic t = {.c = c};
    k->work = no_work();
    for (int i = 0; i < k->defs.n; i++) {
        Def *d = k->defs.at[i];
        bool recurs = d->kind == DEF_SCAN;
        d->work = !recurs ? def_operations(c, d) : i ? no_work() : scan_work(k);
        if (!recurs) each_read(c, d, note_array, &t);
        if (!recurs) d->work.bytes = stored_bytes(d);
        for (int r = 0; r < t.reads.n; r++)
            if (t.reads.at[r].reader == d)
                d->work.bytes = size_add(d->work.bytes, t.reads.at[r].bytes);
        k->work = work_sum(k->work, d->work);
    }
}

void count_work(Code *c)
{
    c->work = no_work();
    for (int i = 0; i < c->kernels.n; i++) {
        count_kernel(c, c->kernels.at[i]);
        c->work = work_sum(c->work, c->kernels.at[i]->work);
    }
    c->flops = work_flops(c->work);
}
