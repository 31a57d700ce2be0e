/* footprint.c - arrays that are too large, and requirements on memory:
 * `require sizeof(work) <= 65536, "..";`.
 * In: an entry; a lowered program whose requirements were put aside. Out: reports of arrays that no
 * memory holds, and of requirements that do not hold, with the bytes they speak of. Entries are
 * taken through the passes on copies, as the sizes are known only behind `fuse` and `plan`; a
 * program without large windows and such requirements costs nothing. */
#include "kernel.h"
#include "lower.h"

#include <string.h>

/* The passes replace what an entry points to, so they get an entry of their own. */
static Entry *copy_of(const Entry *e)
{
    Entry *copy = NEW(Entry);
    *copy = *e;
    memset(&copy->outputs, 0, sizeof copy->outputs);
    memset(&copy->updates, 0, sizeof copy->updates);
    for (int i = 0; i < e->outputs.n; i++) {
        Output o = e->outputs.at[i];
        memset(&o.set, 0, sizeof o.set);
        for (int k = 0; k < e->outputs.at[i].set.n; k++)
            vec_push(&o.set, e->outputs.at[i].set.at[k]);
        vec_push(&copy->outputs, o);
    }
    for (int i = 0; i < e->updates.n; i++) vec_push(&copy->updates, e->updates.at[i]);
    return copy;
}

static Code *compiled_copy(Program *p, const Entry *e)
{
    Entry *copy = copy_of(e);
    graph_passes(p, copy, NULL);
    return compile_entry(p, copy);
}

/* ---- arrays ---- */

static bool is_too_large(const Node *n) { return largest_bytes(n->type) > MAX_BYTES; }

/* Is something too large, where there are windows? */
static bool is_large_with_windows(const Graph *g)
{
    bool large = false, windows = false;
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        large |= is_too_large(n);
        windows |= n->op == OP_WINDOW || n->op == OP_UNWINDOW;
    }
    return large && windows;
}

/* Does the value have an array, all of it? */
static bool is_stored(const Code *c, const Node *n)
{
    const Def *d = c->def_of[n->id];
    if (!d) return is_leaf_memory(n);
    return d->copies.n > 0 || (d->home && largest_bytes(d->home->type) > MAX_BYTES);
}

void check_memory(Program *p, const Entry *e, bool at_end)
{
    const Graph *g = e->g;
    const Code *c = NULL;
    if (is_large_with_windows(g)) {
        if (!at_end) return;
        Entry *copy = copy_of(e);
        simplify_entry(copy);
        c = fuse(p, layout(copy));
        g = c->g;
    }
    for (int i = 0; i < g->nodes.n && !diag_errors(); i++) {
        const Node *n = g->nodes.at[i];
        if (!c || !is_too_large(n) || is_stored(c, n)) check_bytes(n->type, n->span);
    }
}

/* ---- requirements ---- */

static void check_one(const Requirement *r, const Footprint *f)
{
    low->footprint = f;
    Value v = lower_expr(r->env, r->stmt->value);
    low->footprint = NULL;
    if (v.kind == V_POISON || (v.kind == V_NUMBER && v.is_bool && v.num != 0)) return;
    bool known = v.kind == V_NUMBER && v.is_bool;
    Diag *d = error_at(known ? "E0312" : "E0306", r->stmt->value->span,
                       known ? "%s" : "this is not known at compile time: %s", r->stmt->text);
    diag_here(d, "%s", known ? "this does not hold" : "");
    diag_note(d, "%s: work %.0f, stack about %.0f, params %.0f, states %.0f bytes",
              r->entry ? format("`%s`", r->entry->name) : "the largest of the entries", f->work,
              f->stack, f->params, f->states);
    diag_hint(d, "`nnc size` says what takes how much");
}

void check_footprint(Program *p)
{
    const RequirementList *all = &low->requirements;
    Footprint *each = NEW_N(Footprint, p->entries.n + 1),
              most = {.params = slot_bytes(&p->params), .states = slot_bytes(&p->states)};
    if (!all->n || diag_errors()) return;
    for (int i = 0; i < p->entries.n; i++) {
        const Code *c = compiled_copy(p, p->entries.at[i]);
        each[i] =
            (Footprint){(double)c->work_bytes, (double)c->stack_bytes, most.params, most.states};
        if (each[i].work > most.work) most.work = each[i].work;
        if (each[i].stack > most.stack) most.stack = each[i].stack;
    }
    for (int k = 0; k < all->n; k++) {
        const Footprint *f = &most;
        for (int i = 0; i < p->entries.n; i++)
            if (p->entries.at[i] == all->at[k].entry) f = &each[i];
        check_one(&all->at[k], f);
    }
}
