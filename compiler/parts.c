/* parts.c - long sums over rows are added up in parts.
 * In: the kernels of an entry, in order. Out: of each that has long sums over its rows, into how
 * many parts its outermost loop is cut, and an array for the sums of every part. These are added in
 * order behind the loop, by whatever thread each was made, and with one thread too: so no bit
 * depends on how many there are. Which sums are long is a matter of their shape alone, so no bit
 * depends either on what else the kernel computes, as under --max-ram. */
#include "kernel.h"

enum {
    MOST_PARTS = 16,      /* even for 2, 4, 8 and 16 threads */
    LONG_SUM = 65536,     /* elements that are added up: worth a share of their own */
    FEWEST_TERMS = 256,   /* of each sum; for each part there is one more */
    MOST_SUM_BYTES = 4096 /* of the sums of a part, which lie on the stack of its thread */
};

/* The axis of the outermost loop; -1: there is none. */
static int outer_axis(const Kernel *k)
{
    for (int i = 0; i < k->n_rows; i++)
        if (!size_is(k->domain.size[i], 1)) return i;
    return -1;
}

static bool is_long_sum(const Def *d)
{
    const Type *t = &d->node->type;
    const long sums = shape_upper(&t->shape), terms = shape_upper(&d->domain);
    return d->kind == DEF_FOLD && d->reduced & 1 && elem_is_real(t->elem) && t->elem != ELEM_F16 &&
           t->shape.rank < MAX_RANK && size_is_const(shape_count(&t->shape), NULL) &&
           type_bytes(*t) <= MOST_SUM_BYTES && terms >= LONG_SUM && terms / sums >= FEWEST_TERMS;
}

static Buffer *parts_buffer(const Kernel *k, const Def *d)
{
    Buffer *b = NEW(Buffer);
    Shape s = {.rank = 1, .size = {size_const(k->parts)}};
    const Shape *sum = &d->node->type.shape;
    for (int i = 0; i < sum->rank; i++) s.size[s.rank++] = sum->size[i];
    *b = (Buffer){.memory = MEM_WORK,
                  .type = {d->home->type.elem, s},
                  .writable = true,
                  .first = k->order,
                  .last = k->order};
    return b;
}

static void cut(Code *c, Kernel *k)
{
    const int axis = outer_axis(k);
    if (k->kind != DEF_MAP || axis < 0) return;
    const SizeRef size = k->domain.size[axis];
    const bool few = size_is_const(size, NULL) && size_upper(size) < MOST_PARTS;
    for (int i = 0; i < k->defs.n; i++) {
        Def *d = k->defs.at[i];
        if (!is_long_sum(d)) continue;
        k->parts = few ? size_upper(size) : MOST_PARTS;
        d->parts = parts_buffer(k, d);
        vec_push(&c->buffers, d->parts);
    }
}

void add_parts(Code *c)
{
    for (int i = 0; i < c->kernels.n && c->entry != c->program->init; i++) cut(c, c->kernels.at[i]);
}
