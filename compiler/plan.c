/* plan.c - where every array is in the work area.
 * In: kernels in order. Out: an offset for each array, such that no two arrays that hold values at
 * the same time overlap; an array that is computed element by element from one that ends
 * there takes its place. The work area of a very small entry is a few arrays of the C function. */
#include "kernel.h"

#include "nn.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 64, SMALL_WORK = 1024 };

long shape_upper(const Shape *s)
{
    long product = 1, whole = size_upper(shape_count(s));
    for (int i = 0; i < s->rank; i++) {
        long n = size_upper(s->size[i]);
        product = n > 0 && product > LONG_MAX / 64 / n ? LONG_MAX / 64 : product * n;
    }
    return product < whole ? product : whole;
}

long type_bytes(Type t) { return shape_upper(&t.shape) * elem_bytes(t.elem); }

double slot_bytes(const SlotList *slots)
{
    double sum = 0;
    for (int i = 0; i < slots->n; i++) sum += (double)type_bytes(slots->at[i]->type);
    return sum;
}

static long lines(long bytes) { return (bytes + LINE - 1) / LINE * LINE; }

/* ---- lifetimes ---- */

typedef struct Living {
    Code *c;
    int order;
} Living;

static void extend(void *context, const Def *r, const Frame *f, Node *n, const Index *ix)
{
    Living *x = context;
    const Def *p = x->c->def_of[n->id];
    (void)r;
    (void)f;
    (void)ix;
    if (p && p->home && p->home->last < x->order) p->home->last = x->order;
}

/* The states of a recurrence and what its step gives. */
static void live_in_loop(const Kernel *k)
{
    const Scan *s = k->step ? k->defs.at[0]->node->attr.ref : NULL;
    for (int i = 0; s && i < s->n_states + s->n_emits; i++) {
        k->result[i]->first = k->result[i]->last = k->order;
        if (i < s->n_states) k->state[i]->first = k->state[i]->last = k->order;
    }
}

static void find_lifetimes(Code *c)
{
    for (int i = 0; i < c->defs.n; i++) {
        const Def *d = c->defs.at[i];
        if (d->home) d->home->first = d->home->last = d->kernel->order;
    }
    for (int i = 0; i < c->kernels.n; i++) live_in_loop(c->kernels.at[i]);
    for (int i = 0; i < c->defs.n; i++) {
        Living x = {c, c->defs.at[i]->kernel->order};
        each_read(c, c->defs.at[i], extend, &x);
    }
}

/* ---- scratch of matrix products ---- */

static int bound(SizeRef s)
{
    long v = size_upper(s);
    return v > INT_MAX ? INT_MAX : (int)v;
}

static size_t product_scratch(const Code *c, const Def *d, const Product *p)
{
    Var v = {"b", size_const(1), 1}, *batch[MAX_RANK];
    for (int i = 0; i < MAX_RANK; i++) batch[i] = &v;
    ProductSizes s = product_sizes(p);
    int m = bound(s.m), n = bound(s.n), k = bound(s.k);
    bool wide = elem_bytes(d->node->type.elem) == 8;
    if (matrix_of(c, p->a, batch).turned)
        return wide ? nn_gemm_tn_work_d(m, n, k) : nn_gemm_tn_work(m, n, k);
    if (matrix_of(c, p->b, batch).turned)
        return wide ? nn_gemm_nt_work_d(m, n, k) : nn_gemm_nt_work(m, n, k);
    return wide ? nn_gemm_nn_work_d(m, n, k) : nn_gemm_nn_work(m, n, k);
}

/* Sizes that are not known: up to 32, where pixels may share a vector, and the largest. */
static long first_size(SizeRef s)
{
    long v = 1;
    return size_is_const(s, &v) ? v : 1;
}

static long next_size(long v, long most) { return v < 32 || v >= most ? v + 1 : most; }

static size_t conv_scratch(const Node *n)
{
    if (!n || is_depthwise(n)) return 0;
    if (takes_winograd(n)) return (size_t)winograd_scratch(n);
    const Shape k = conv_kernel(n);
    const Shape y = conv_result(n);
    struct nn_conv_sizes s = {.y = {bound(y.size[1]), bound(y.size[2])}};
    long maps = bound(k.size[0]), channels = bound(k.size[1]);
    bool wide = elem_bytes(n->type.elem) == 8, packed = n->op == OP_CONV && n->attr.k;
    size_t most = 0;
    for (int i = 0; i < 2; i++) {
        s.window[i] = bound(k.size[2 + i]);
        s.stride[i] = n->attr.perm[i];
        s.dilation[i] = n->attr.perm[2 + i];
    }
    for (long o = first_size(k.size[0]); o <= maps; o = next_size(o, maps))
        for (long c = first_size(k.size[1]); c <= channels; c = next_size(c, channels)) {
            s.y[2] = (int)o;
            s.x[2] = (int)c;
            size_t need = packed ? (wide ? 0 : nn_conv_packed_work(&s))
                          : wide                  ? nn_conv_work_d(&s)
                          : n->op == OP_CONV_DATA ? nn_conv_data_work(&s)
                                                  : nn_conv_work(&s);
            if (need > most) most = need;
        }
    return most;
}

static size_t draw_scratch(const Node *n)
{
    if (n->op != OP_DRAW || n->attr.draw != DRAW_ORTHOGONAL || !n->type.shape.rank) return 0;
    long rows = size_upper(n->type.shape.size[0]);
    return rows ? nn_orthogonal_work((int)rows, (int)(shape_upper(&n->type.shape) / rows)) : 0;
}

static void add_scratch(Code *c, Kernel *k)
{
    size_t bytes = k->step ? (size_t)k->step->work_bytes : 0;
    for (int i = 0; i < k->defs.n; i++) {
        const Def *d = k->defs.at[i];
        for (int j = 0; j < d->products.n; j++) {
            size_t need = product_scratch(c, d, &d->products.at[j]);
            if (need > bytes) bytes = need;
        }
        if (conv_scratch(d->conv) > bytes) bytes = conv_scratch(d->conv);
        if (draw_scratch(d->node) > bytes) bytes = draw_scratch(d->node);
    }
    if (!bytes) return;
    Shape s = {.rank = 1, .size = {size_const((long)bytes)}};
    k->scratch = NEW(Buffer);
    *k->scratch = (Buffer){.memory = MEM_WORK,
                           .type = {ELEM_U8, s},
                           .name = "scratch",
                           .is_scratch = true,
                           .writable = true,
                           .first = k->order,
                           .last = k->order};
    vec_push(&c->buffers, k->scratch);
}

/* ---- one array in the place of another ---- */

static bool is_taken(const Code *c, const Buffer *b)
{
    for (int i = 0; i < c->buffers.n; i++)
        if (c->buffers.at[i]->in_place_of == b) return true;
    return false;
}

static bool may_replace(const Code *c, const Def *d, const Def *old)
{
    const Buffer *a = old->home, *b = d->home;
    if (!a) return false;
    const Shape *s = &a->type.shape, *t = &b->type.shape;
    if (b->memory == MEM_WORK ? shape_count(s) != shape_count(t) : !shape_equal(s, t))
        return false;
    return a->memory == MEM_WORK && !a->skip && a->last == d->kernel->order &&
           a->first < a->last &&
           elem_bytes(a->type.elem) == elem_bytes(b->type.elem) && !is_taken(c, a) &&
           may_overwrite(c, d, old->node);
}

/* A loop over less than a vector, run often: compilers make vectors of its unrolled passes only
 * when they know that what one stores, no other loads. Then the result has a place of its own. */
static bool is_short_loop(const Def *d)
{
    enum { VECTOR = 8, OFTEN = 4096 };
    const Shape *s = &d->domain;
    const int last = s->rank - 1;
    long inner;
    return !options.max_ram && s->rank > 1 && size_is_const(s->size[last], &inner) && inner > 1 &&
           inner < VECTOR && shape_upper(s) >= OFTEN;
}

static void reuse_places(Code *c)
{
    for (int i = 0; i < c->defs.n; i++) {
        Def *d = c->defs.at[i];
        if (d->kind != DEF_MAP || !d->home || d->home->memory != MEM_WORK || d->home->skip)
            continue;
        if (is_short_loop(d)) continue;
        if (d->home->first != d->kernel->order) continue;
        for (int k = 0; k < c->defs.n && !d->home->in_place_of; k++)
            if (c->defs.at[k] != d && may_replace(c, d, c->defs.at[k]))
                d->home->in_place_of = c->defs.at[k]->home;
    }
}

/* The initialiser has no work area: what a slot is computed from is made in the slot itself. */
static void work_in_slots(Code *c)
{
    for (int i = 0; i < c->defs.n; i++) {
        const Def *d = c->defs.at[i];
        Buffer *slot = d->copies.n ? d->copies.at[0] : NULL;
        for (int k = 0; k < c->defs.n && slot && slot->memory == MEM_SLOT; k++) {
            Def *old = c->defs.at[k];
            Def as_home = *d;
            as_home.home = slot;
            if (old == d || !may_replace(c, &as_home, old)) continue;
            old->home->memory = MEM_SLOT;
            old->home = slot;
            break;
        }
    }
}

/* ---- offsets ---- */

/* Buffers that share one place, from the first to the last. */
typedef struct Block {
    int first, last;
    long bytes, offset;
} Block;
typedef struct BlockList {
    Block *at;
    int n;
} BlockList;

static const Buffer *first_of(const Buffer *b)
{
    while (b->in_place_of) b = b->in_place_of;
    return b;
}

static int by_bytes(const void *x, const void *y)
{
    const Block *a = *(Block *const *)x, *b = *(Block *const *)y;
    if (a->bytes != b->bytes) return a->bytes < b->bytes ? 1 : -1;
    return a->first != b->first ? a->first - b->first : a < b ? -1 : 1;
}

static int by_time(const void *x, const void *y)
{
    const Block *a = *(Block *const *)x, *b = *(Block *const *)y;
    if (a->first != b->first) return a->first - b->first;
    return a->bytes != b->bytes ? (a->bytes < b->bytes ? 1 : -1) : a < b ? -1 : 1;
}

/* The lowest place that is free for as long as `b` lives. */
static long find_place(Block *const *placed, int n, const Block *b)
{
    long at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < n; i++) {
            const Block *o = placed[i];
            bool together = o->first <= b->last && b->first <= o->last;
            if (!together || o->offset + o->bytes <= at || at + b->bytes <= o->offset) continue;
            at = o->offset + o->bytes;
            moved = true;
        }
    }
    return at;
}

static long place_blocks(BlockList *blocks, int (*order)(const void *, const void *))
{
    Block **sorted = NEW_N(Block *, blocks->n + 1);
    long end = 0;
    for (int i = 0; i < blocks->n; i++) sorted[i] = &blocks->at[i];
    qsort(sorted, (size_t)blocks->n, sizeof *sorted, order);
    for (int i = 0; i < blocks->n; i++) {
        sorted[i]->offset = find_place(sorted, i, sorted[i]);
        if (sorted[i]->offset + sorted[i]->bytes > end) end = sorted[i]->offset + sorted[i]->bytes;
    }
    return end;
}

static void find_live(Code *c, const BlockList *blocks)
{
    c->live = NEW_N(long, c->kernels.n + 1);
    c->live_bytes = 0;
    for (int t = 0; t < c->kernels.n; t++) {
        for (int i = 0; i < blocks->n; i++)
            if (blocks->at[i].first <= t && t <= blocks->at[i].last)
                c->live[t] += blocks->at[i].bytes;
        if (c->live[t] > c->live_bytes) c->live_bytes = c->live[t];
    }
}

static void place_work(Code *c)
{
    BlockList blocks = {NEW_N(Block, c->buffers.n + 1), 0};
    int *block_of = NEW_N(int, c->buffers.n + 1);
    for (int i = 0; i < c->buffers.n; i++) {
        Buffer *b = c->buffers.at[i];
        if (b->memory != MEM_WORK) continue;
        b->bytes = type_bytes(b->type);
        int k = 0;
        while (b->in_place_of && k < i && c->buffers.at[k] != first_of(b)) k++;
        bool fresh = !b->in_place_of;
        block_of[i] = fresh ? blocks.n++ : block_of[k];
        Block *o = &blocks.at[block_of[i]];
        if (fresh) *o = (Block){b->first, b->last, lines(b->bytes), 0};
        if (b->last > o->last) o->last = b->last;
    }
    long bytes = place_blocks(&blocks, by_time);
    if (place_blocks(&blocks, by_bytes) > bytes) place_blocks(&blocks, by_time);
    c->work_bytes = 0;
    for (int i = 0; i < blocks.n; i++)
        if (blocks.at[i].offset + blocks.at[i].bytes > c->work_bytes)
            c->work_bytes = blocks.at[i].offset + blocks.at[i].bytes;
    find_live(c, &blocks);
    for (int i = 0; i < c->buffers.n; i++)
        if (c->buffers.at[i]->memory == MEM_WORK)
            c->buffers.at[i]->offset = blocks.at[block_of[i]].offset;
}

/* ---- the stack, and operations ---- */

static bool has_scratch(const Code *c)
{
    for (int i = 0; i < c->kernels.n; i++)
        if (c->kernels.at[i]->scratch) return true;
    return false;
}

static void move_to_stack(Code *c)
{
    for (int i = 0; i < c->buffers.n; i++) {
        Buffer *b = c->buffers.at[i];
        b->in_place_of = NULL;
        if (b->memory == MEM_WORK) b->memory = b->skip ? MEM_ROW : MEM_STACK;
    }
    c->work_bytes = c->live_bytes = 0;
}

/* Registers saved, arguments and locals, beside the arrays. */
static void measure_stack(Code *c)
{
    enum { FRAME_BYTES = 256 };
    c->stack_bytes = FRAME_BYTES;
    for (int i = 0; i < c->buffers.n; i++)
        if (c->buffers.at[i]->memory != MEM_WORK)
            c->stack_bytes += type_bytes(c->buffers.at[i]->type);
    long deepest = 0; /* of the functions called: steps, and parts of rows with their sums */
    for (int i = 0; i < c->kernels.n; i++) {
        const Kernel *k = c->kernels.at[i];
        long bytes = k->step ? k->step->stack_bytes : 0;
        for (int j = 0; j < k->defs.n; j++)
            if (k->defs.at[j]->parts) bytes += type_bytes(k->defs.at[j]->node->type);
        if (bytes > deepest) deepest = bytes;
    }
    c->stack_bytes += deepest;
}

void plan(Code *c)
{
    find_lifetimes(c);
    for (int i = 0; i < c->kernels.n; i++) add_scratch(c, c->kernels.at[i]);
    add_parts(c);
    count_work(c);
    bool is_init = c->entry == c->program->init;
    if (is_init)
        work_in_slots(c);
    else
        reuse_places(c);
    place_work(c);
    if (is_init || (c->work_bytes <= SMALL_WORK && !has_scratch(c))) move_to_stack(c);
    measure_stack(c);
}
