/* emit_share.c - loops that threads may share.
 * In: an outermost loop whose passes do not depend on each other, already written. Out: when it
 * takes long enough, a call of its routine, which runs the passes from .. to - 1, inside NN_SHARE,
 * which without OpenMP is just that call. A function and not a parallel region in place, because
 * clang compiles a region without the instruction set of the function around it. Every element is
 * computed as before, so no bit depends on the threads. */
#include "outline.h"

enum { WORTH_SHARING = 30000 }; /* nanoseconds */

/* Nanoseconds of one pass: what the whole loop takes at the bounds, spread over its passes. */
const char *share_cost(const Emit *e, const Scope *s, SizeRef size, bool *worth)
{
    double all = (double)size_upper(size) * (s->passes ? (double)size_upper(s->passes) : 1);
    double one = e->cost > 0 ? e->cost / all : 0.25;
    long inner = 1;
    *worth = one * all >= WORTH_SHARING && size_upper(size) > 1;
    if (s->passes && !size_is_const(s->passes, &inner))
        return format("%.2g * (%s)", one, c_size(s->passes));
    one *= (double)inner;
    return format(one < 10 ? "%.2g" : "%.0f", one);
}

/* A kernel's loops come in the order in which they were sketched. Rows are the routine's own. */
bool share_loop(Emit *e, const Scope *s, SizeRef size, const char *pragma)
{
    if (e->in_part) return false;
    if (e->sketch) return sketch_loop(e, s, size, pragma);
    const Sketch *kernel = e->sketches[e->k->order];
    const int i = e->n_loops++;
    const Sketch *loop = i < kernel->loops.n ? kernel->loops.at[i] : NULL;
    if (!loop || !loop->routine) return false;
    add_line(e, 0, call_text(e, loop));
    for (int h = 0; h < loop->holes.n; h++) {
        Buffer *b = loop->holes.at[h].buffer;
        if (b && !is_argument(&loop->holes.at[h])) b->used = false;
    }
    return true;
}
