/* recompute.c - values computed again instead of kept, under --max-ram.
 * In: a simplified entry and the bytes that parameters, states and the work area may take together.
 * Out: the entry with the same results, changed so that its work area fits: behind a gap in which
 * nobody needs it, a value is computed a second time. Step by step, the gap is chosen that frees
 * most for the operations it adds, judged by the plan of the changed entry. Nothing changes where
 * everything fits; E0603 where it cannot. */
#include "recompute.h"

#include <limits.h>
#include <math.h>

/* ---- an entry as it would be compiled ---- */

/* Changes of the copy's results leave those of e alone. */
static Entry entry_copy(const Entry *e, const Graph *g, Node **roots, int n)
{
    Entry copy = *e;
    copy.g = graph_copy(g, roots, n);
    copy.outputs.at = NEW_N(Output, e->outputs.n + 1);
    copy.updates.at = NEW_N(Update, e->updates.n + 1);
    for (int i = 0; i < e->outputs.n; i++) {
        const Output *o = &e->outputs.at[i];
        copy.outputs.at[i] = *o;
        copy.outputs.at[i].set.at = NEW_N(Node *, o->set.n + 1);
    }
    for (int i = 0; i < e->updates.n; i++) copy.updates.at[i] = e->updates.at[i];
    return_roots(&copy, roots);
    return copy;
}

static double excess(const Code *c, long aim)
{
    double sum = 0;
    for (int i = 0; i < c->kernels.n; i++)
        if (c->live[i] > aim) sum += (double)(c->live[i] - aim);
    return sum;
}

static Trial try_entry(Program *p, const Entry *e, const Graph *g, Node **roots, int n, long aim)
{
    Trial t = {.entry = entry_copy(e, g, roots, n)};
    Entry *planned = NEW(Entry); /* the passes of the loop level add to the graph */
    Node **own = NEW_N(Node *, n + 1);
    for (int i = 0; i < n; i++) own[i] = roots[i];
    *planned = entry_copy(&t.entry, t.entry.g, own, n);
    t.code = compile_entry(p, planned);
    t.excess = excess(t.code, aim);
    return t;
}

/* ---- gaps ---- */

typedef VEC(const Def *) ReaderList;
typedef struct Readers {
    const Code *c;
    ReaderList *of; /* by Def.id */
} Readers;

static void note_reader(void *context, const Def *r, const Frame *f, Node *n, const Index *ix)
{
    Readers *x = context;
    const Def *d = x->c->def_of[n->id];
    (void)f;
    (void)ix;
    if (!d || d == r) return;
    ReaderList *list = &x->of[d->id];
    if (!list->n || list->at[list->n - 1] != r) vec_push(list, r);
}

static ReaderList *find_readers(const Code *c)
{
    Readers x = {c, NEW_N(ReaderList, c->defs.n + 1)};
    for (int i = 0; i < c->defs.n; i++) each_read(c, c->defs.at[i], note_reader, &x);
    return x.of;
}

/* The kernel of the next reader behind kernel `from`, or -1. */
static int next_use(const ReaderList *readers, int from)
{
    int next = -1;
    for (int i = 0; i < readers->n; i++) {
        int order = readers->at[i]->kernel->order;
        if (order > from && (next < 0 || order < next)) next = order;
    }
    return next;
}

/* Of what the first late reader waits for, the last to be computed. It must stand before all late
 * readers in the graph, since the copy will stand between. */
static const Node *find_wait(const Code *c, const Gap *gap, int before)
{
    const Kernel *reader = c->kernels.at[gap->to];
    for (int t = gap->to - 1; t > gap->from; t--) {
        const Kernel *k = c->kernels.at[t];
        for (int i = k->defs.n - 1; i >= 0 && reader->after[k->id]; i--) {
            const Def *d = k->defs.at[i];
            if (!d->is_store && d->node->id < before) return d->node;
        }
    }
    return NULL;
}

/* Operations of the value and of what has to be computed again for it. */
static double copy_cost(const Code *c, const Gap *gap, const Node *n, bool *seen)
{
    const Def *d = c->def_of[n->id];
    if (seen[n->id] || (d && d != gap->value && is_there(gap, d))) return 0;
    seen[n->id] = true;
    double sum = d ? work_flops(d->work) : 0;
    for (int k = 0; k < n->n_in; k++) sum += copy_cost(c, gap, n->in[k], seen);
    return sum;
}

/* Fills in the rest of a gap between two kernels. False: it cannot be used. */
static bool measure_gap(const Trial *t, Gap *gap, const ReaderList *readers, long aim)
{
    const Code *c = t->code;
    int before = INT_MAX;
    long bytes = gap->value->home->bytes;
    for (int i = gap->from + 1; i < gap->to; i++) {
        long above = t->code->live[i] - aim;
        if (above > 0) gap->gain += (double)(above < bytes ? above : bytes);
    }
    if (gap->gain <= 0) return false;
    gap->late = NEW_N(bool, c->defs.n + 1);
    for (int i = 0; i < readers->n; i++) {
        const Def *r = readers->at[i];
        if (r->kernel->order < gap->to) continue;
        gap->late[r->id] = true;
        if (r->node->id < before) before = r->node->id;
    }
    gap->wait = find_wait(c, gap, before);
    gap->cost = copy_cost(c, gap, gap->value->node, NEW_N(bool, c->g->nodes.n + 1));
    return gap->wait != NULL;
}

typedef VEC(Gap) GapList;

/* The most useful gap of each value. */
static void add_best_gap(GapList *gaps, const Trial *t, const Def *d, const ReaderList *readers,
                         long aim)
{
    Gap best = {0};
    for (int from = d->kernel->order, to; (to = next_use(readers, from)) >= 0; from = to) {
        Gap gap = {.value = d, .from = from, .to = to};
        if (measure_gap(t, &gap, readers, aim) && gap.gain > best.gain) best = gap;
    }
    if (best.value) vec_push(gaps, best);
}

static double worth(const Gap *g)
{
    return g->gain / (g->cost + (double)g->value->home->bytes);
}

static int by_worth(const void *x, const void *y)
{
    const Gap *a = x, *b = y;
    if (worth(a) != worth(b)) return worth(a) < worth(b) ? 1 : -1;
    return a->value->id - b->value->id;
}

static GapList find_gaps(const Trial *t, Node *const *roots, int n, long aim)
{
    const Code *c = t->code;
    GapList gaps = {0};
    ReaderList *readers = find_readers(c);
    bool *is_root = NEW_N(bool, c->g->nodes.n + 1);
    for (int i = 0; i < n; i++)
        if (roots[i]) is_root[roots[i]->id] = true;
    for (int i = 0; i < c->defs.n; i++) {
        const Def *d = c->defs.at[i];
        bool in_work = d->home && d->home->memory == MEM_WORK && !d->home->skip && !d->is_store;
        if (in_work && d->kind != DEF_SCAN && !is_root[d->node->id])
            add_best_gap(&gaps, t, d, &readers[i], aim);
    }
    vec_sort(&gaps, by_worth);
    return gaps;
}

/* ---- the search ---- */

/* The best of the changes that look best. False: none helps. */
static bool improve(Program *p, const Entry *e, Trial *now, long aim)
{
    enum { TRIALS = 24, ENOUGH = 3, LEAST = 50 };
    Node **roots;
    int n = gather_roots(now->code->entry, &roots), found = 0;
    if (now->excess <= 0) return false;
    GapList gaps = find_gaps(now, roots, n, aim);
    Trial best = {0};
    double best_worth = 0;
    for (int i = 0; i < gaps.n && i < TRIALS && found < ENOUGH; i++) {
        Node **own = NEW_N(Node *, n + 1);
        for (int k = 0; k < n; k++) own[k] = roots[k];
        const Graph *g = compute_again(now->code, &gaps.at[i], own, n);
        Trial t = try_entry(p, e, g, own, n, aim);
        double freed = now->excess - t.excess, added = t.code->flops - now->code->flops;
        double value = freed / (fmax(added, 0) + (double)gaps.at[i].value->home->bytes);
        if (freed < now->excess / LEAST) continue;
        found++;
        if (value <= best_worth) continue;
        best_worth = value;
        best = t;
    }
    if (found) *now = best;
    return found > 0;
}

/* The bytes that are aimed at next: always a little less than now, whatever is allowed in the end,
 * so that a smaller bound goes the same way further. `more` is the number of aims that nothing came
 * near: what does not pay alone may pay together with what comes next. */
static long next_aim(const Code *c, int more)
{
    enum { STEPS = 16 };
    return c->live_bytes - c->live_bytes / STEPS * (1 + more);
}

/* Copies of copies of copies would end nowhere: an entry may become twice as large. */
static bool is_too_large(const Code *now, const Code *first)
{
    enum { MOST = 2 };
    return now->g->nodes.n > MOST * first->g->nodes.n || now->flops > MOST * first->flops;
}

static Trial search(Program *p, const Entry *e, Trial now, long allowed)
{
    enum { MOST_MORE = 8 };
    const Code *first = now.code;
    Trial least = now;
    for (int more = 0; more < MOST_MORE && !is_too_large(now.code, first);) {
        if (least.code->work_bytes <= allowed) break;
        long aim = next_aim(now.code, more);
        now.excess = excess(now.code, aim);
        more = improve(p, e, &now, aim) ? 0 : more + 1;
        if (now.code->work_bytes < least.code->work_bytes) least = now;
    }
    return least;
}

void recompute(Program *p, Entry *e)
{
    if (!options.max_ram || e == p->init || !is_chosen(e)) return;
    Node **roots;
    int n = gather_roots(e, &roots);
    long fixed = (long)(slot_bytes(&p->params) + slot_bytes(&p->states));
    long allowed = options.max_ram - fixed;
    Trial first = try_entry(p, e, e->g, roots, n, 0), found = search(p, e, first, allowed);
    if (found.code->work_bytes > allowed) {
        report_no_room(&found, e, fixed);
        return;
    }
    if (found.code == first.code) return;
    *e = found.entry;
    e->work_before = first.code->work_bytes;
    e->work_after = found.code->work_bytes;
    e->flops_before = first.code->flops;
    e->flops_after = found.code->flops;
    for (int i = 0; i < found.code->defs.n; i++)
        e->n_again += found.code->defs.at[i]->node->again != NULL;
}

static const char *kib(long bytes)
{
    return bytes < 10240 ? format("%ld bytes", bytes)
                         : format("%ld KiB", (bytes + 1023) / 1024);
}

const char *recomputed_text(const Entry *e)
{
    return format("work area %s -> %s, %d value%s computed again, arithmetic %+.1f %%",
                  kib(e->work_before), kib(e->work_after), e->n_again, e->n_again == 1 ? "" : "s",
                  100 * (e->flops_after / fmax(e->flops_before, 1) - 1));
}
