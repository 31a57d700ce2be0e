/* schedule.c - the order in which kernels run.
 * In: kernels with what must run before each. Out: the same kernels in an order that keeps few
 * bytes alive: of the kernels that could run now, the one that adds least to the work area, and of
 * equal ones the one that stands first in the program. */
#include "kernel.h"

typedef struct Reading {
    const Code *c;
    Kernel *k;
    bool *reads;
} Reading;

static void note(void *context, const Def *r, const Frame *f, Node *n, const Index *ix)
{
    Reading *x = context;
    const Def *p = x->c->def_of[n->id];
    (void)r;
    (void)f;
    (void)ix;
    if (p && p->kernel != x->k && p->home && p->home->memory == MEM_WORK) x->reads[p->id] = true;
}

/* reads[kernel][def]: does the kernel read the definition's array in the work area? */
static bool **find_reads(const Code *c)
{
    bool **reads = NEW_N(bool *, c->kernels.n);
    for (int i = 0; i < c->kernels.n; i++) {
        Kernel *k = c->kernels.at[i];
        reads[k->id] = NEW_N(bool, c->defs.n + 1);
        Reading x = {c, k, reads[k->id]};
        for (int j = 0; j < k->defs.n; j++) each_read(c, k->defs.at[j], note, &x);
    }
    return reads;
}

static bool is_ready(const Kernel *k, const bool *done, int n)
{
    for (int i = 0; i < n; i++)
        if (k->after[i] && !done[i]) return false;
    return true;
}

/* Bytes that start to live with k, less the bytes that nobody needs after it. */
static long growth(const Code *c, const Kernel *k, bool **reads, const int *readers)
{
    long bytes = 0;
    for (int i = 0; i < k->defs.n; i++) {
        const Buffer *b = k->defs.at[i]->home;
        if (b && b->memory == MEM_WORK && !b->skip) bytes += type_bytes(b->type);
    }
    for (int i = 0; i < c->defs.n; i++)
        if (reads[k->id][i] && readers[i] == 1) bytes -= type_bytes(c->defs.at[i]->home->type);
    return bytes;
}

void schedule(Code *c)
{
    int n = c->kernels.n;
    bool **reads = find_reads(c), *done = NEW_N(bool, n + 1);
    int *readers = NEW_N(int, c->defs.n + 1);
    for (int i = 0; i < n; i++)
        for (int d = 0; d < c->defs.n; d++) readers[d] += reads[i][d];
    KernelList order = {0};
    while (order.n < n) {
        Kernel *best = NULL;
        long least = 0;
        for (int i = 0; i < n; i++) {
            Kernel *k = c->kernels.at[i];
            if (done[k->id] || !is_ready(k, done, n)) continue;
            long bytes = growth(c, k, reads, readers);
            if (best && bytes >= least) continue;
            best = k;
            least = bytes;
        }
        done[best->id] = true;
        for (int d = 0; d < c->defs.n; d++) readers[d] -= reads[best->id][d];
        best->order = order.n;
        vec_push(&order, best);
    }
    c->kernels = order;
}
