/* outline.c - kernels that are equal but for names become one function.
 * In: the kernels of all entries, ready to be written. Every kernel is written once with holes in
 * place of the arrays, scalars and locals it uses; kernels with the same text and the same types in
 * their holes are equal. Out: for each set of equal kernels that is worth it, and for each loop
 * that threads may share, a routine; its kernels call it. An array that a kernel reads and writes
 * is one hole, so equal kernels also agree in what they update in place. The plan may let an array
 * take the place of another that ends there; where it does so in no use of a routine, its arguments
 * are `restrict`, without which compilers keep loads and stores of short loops in order.
 * Elementwise kernels are written over flat arrays: one routine serves all shapes. */
#include "outline.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    FEWEST_LINES = 6, /* of a routine that stands for several kernels */
    CALL_COST = 4,    /* nanoseconds */
    WORTH_A_CALL = 100 * CALL_COST
};

/* ---- holes ---- */

/* The number in the hole at p, which ends behind *end; -1: there is none. */
static int hole_at(const char *p, const char **end)
{
    char *stop;
    if (*p != '$' || !isdigit((unsigned char)p[1])) return -1;
    long n = strtol(p + 1, &stop, 10);
    if (*stop != '$') return -1;
    *end = stop + 1;
    return (int)n;
}

const char *fill_holes(const char *line, const char *const *names)
{
    Text out = {0};
    text_add(&out, "%s", "");
    while (*line) {
        int hole = hole_at(line, &line);
        if (hole < 0)
            text_add(&out, "%c", *line++);
        else
            text_add(&out, "%s", names[hole]);
    }
    return out.s;
}

const char *sketch_local(Emit *e, const Node *n, bool is_element)
{
    Text at = {0};
    text_add(&at, "%s", "");
    for (int i = 1; i <= e->depth; i++) text_add(&at, "%s", e->scope[i].var.name);
    vec_push(&e->sketch->holes, ((Hole){.node = n, .at = at.s, .is_element = is_element}));
    return format("$%d$", e->sketch->holes.n - 1);
}

/* ---- writing a kernel with holes ---- */

typedef struct Saved {
    const char *name, *access;
    bool flat, used;
} Saved;

static BufferList all_buffers(const Code *c)
{
    BufferList all = {0};
    for (int i = 0; i < c->leaves.n; i++) vec_push(&all, c->leaves.at[i]);
    for (int i = 0; i < c->outputs.n; i++) vec_push(&all, c->outputs.at[i]);
    for (int i = 0; i < c->buffers.n; i++) vec_push(&all, c->buffers.at[i]);
    return all;
}

static bool is_written(const Kernel *k, const Buffer *b)
{
    for (int i = 0; i < k->defs.n; i++) {
        if (k->defs.at[i]->home == b || k->defs.at[i]->parts == b) return true;
        for (int j = 0; j < k->defs.at[i]->copies.n; j++)
            if (k->defs.at[i]->copies.at[j] == b) return true;
    }
    return false;
}

static bool is_parts(const Kernel *k, const Buffer *b)
{
    for (int i = 0; i < k->defs.n; i++)
        if (k->defs.at[i]->parts == b) return true;
    return false;
}

/* The value in the array; NULL for what the entry is given. */
static const Node *node_of(const Code *c, const Buffer *b)
{
    for (int i = 0; i < c->defs.n; i++) {
        const Def *d = c->defs.at[i];
        if (d->home == b || d->parts == b) return d->node;
        for (int k = 0; k < d->copies.n; k++)
            if (d->copies.at[k] == b && b->memory == MEM_OUTPUT) return d->node;
    }
    return NULL;
}

/* A scalar that the kernel sets would need a pointer. */
static bool is_set_scalar(const Hole *h)
{
    const Buffer *b = h->buffer;
    return b && h->written && !b->type.shape.rank && b->memory != MEM_ROW &&
           !(b->memory == MEM_OUTPUT && !b->slot);
}

static void write_once(Sketch *s, const BufferList *all)
{
    Emit *e = s->e;
    s->holes.n = s->loops.n = s->ids.taken.n = 0;
    reserve_sizes(&s->ids);
    for (int i = 0; i < e->c->program->dims.n; i++)
        c_unique(&s->ids, e->c->program->dims.at[i]->name);
    for (int i = 0; i < all->n; i++) {
        Buffer *b = all->at[i];
        b->access = b->name = sketch_local(e, NULL, false);
        b->used = false;
    }
    e->ids = &s->ids;
    write_kernel(e, s->k);
    s->lines = e->scope[0].lines;
}

/* May a pass of another thread have changed the array already? */
static bool may_change(const Kernel *k, const Buffer *b, const BufferList *all)
{
    for (int i = 0; i < all->n; i++) {
        const Buffer *w = all->at[i];
        if (!is_written(k, w)) continue;
        if (w == b) return true;
        bool apart = w->offset + w->bytes <= b->offset || b->offset + b->bytes <= w->offset;
        if (w->memory == MEM_WORK && b->memory == MEM_WORK && !apart) return true;
    }
    return false;
}

/* Is the loop all there is, but for values that it uses in every pass and that stay as they are? */
static bool is_one_loop(const Sketch *s, const BufferList *all)
{
    bool behind = false;
    if (s->loops.n != 1) return false;
    for (int i = 0; i < s->lines.n; i++) {
        const char *line = s->lines.at[i], *end;
        if (*line == ' ' || *line == '}' || !strcmp(line, "NN_EACH")) continue;
        if (behind) return false;
        behind = !strcmp(line, s->loops.at[0]->loop);
        if (!behind && strncmp(line, "const ", 6)) return false;
        for (const char *p = line; *p && !behind; p++) {
            int hole = hole_at(p, &end);
            if (hole < 0) continue;
            if (hole < all->n && may_change(s->k, all->at[hole], all)) return false;
            p = end - 1;
        }
    }
    return behind;
}

/* Are the locals of the loop declared in it, and not in front of it? */
static bool has_own_locals(const Sketch *s)
{
    bool *seen = NEW_N(bool, s->holes.n + 1);
    for (int i = 0; i < s->lines.n; i++)
        for (const char *line = s->lines.at[i], *p = line, *end; *p; p++) {
            int hole = hole_at(p, &end);
            if (hole < 0) continue;
            bool declared = p > line + 1 && p[-1] == ' ' && isalnum((unsigned char)p[-2]);
            if (!s->holes.at[hole].buffer && !seen[hole] && !declared) return false;
            seen[hole] = true;
            p = end - 1;
        }
    return true;
}

/* Holes in the order in which they occur. */
static void renumber(Sketch *s)
{
    HoleList raw = s->holes;
    const char **names = NEW_N(const char *, raw.n + 1), *end;
    s->holes = (HoleList){0};
    for (int i = 0; i < s->lines.n; i++)
        for (const char *p = s->lines.at[i]; *p; p++) {
            int hole = hole_at(p, &end);
            if (hole < 0) continue;
            if (!names[hole]) {
                names[hole] = format("$%d$", s->holes.n);
                vec_push(&s->holes, raw.at[hole]);
            }
            p = end - 1;
        }
    for (int i = 0; i < s->lines.n; i++) s->lines.at[i] = fill_holes(s->lines.at[i], names);
}

/* ---- what equal kernels have in common ---- */

bool is_argument(const Hole *h) { return h->buffer && h->buffer->memory != MEM_ROW; }

bool is_by_value(const Hole *h)
{
    const Buffer *b = h->buffer;
    bool pointer = b && b->memory == MEM_OUTPUT && !b->slot;
    return b && !b->type.shape.rank && !b->is_scratch && !pointer;
}

const char *hole_declaration(const Hole *h, const char *name, bool is_const, const char *qualifier)
{
    Text out = {0};
    Buffer b = *h->buffer;
    b.name = name;
    b.flat = h->flat;
    b.writable = !is_const;
    if (b.is_scratch) return format("void *%s", name);
    if (b.memory == MEM_ROW && b.type.shape.rank) {
        declare_array(&out, &b);
        return format("%.*s", (int)strcspn(out.s + 4, ";"), out.s + 4);
    }
    if (!is_by_value(h)) return pointer_declaration(&b, name, qualifier);
    bool local = b.memory == MEM_STACK || b.memory == MEM_ROW;
    return format("%s %s", local ? scalar_type(&b) : c_type(b.type.elem), name);
}

static const char *key_of(const Sketch *s)
{
    Text key = {0};
    text_add(&key, "%s\n", s->passes ? "passes" : "");
    for (int i = 0; i < s->holes.n; i++) {
        const Hole *h = &s->holes.at[i];
        if (!h->buffer) continue;
        text_add(&key, "%d: %s %s %ld\n", i, is_argument(h) ? "given" : "local",
                 hole_declaration(h, "", !h->written, ""),
                 h->buffer->is_scratch ? h->buffer->bytes : 0);
    }
    for (int i = 0; i < s->lines.n; i++) text_add(&key, "%s\n", s->lines.at[i]);
    return key.s;
}

/* ---- sketches ---- */

static bool can_be_routine(const Sketch *s)
{
    for (int i = 0; i < s->holes.n; i++)
        if (is_set_scalar(&s->holes.at[i])) return false;
    return s->lines.n && (s->passes || !s->is_shared);
}

/* The sketch of a kernel that is one loop is its loop's, behind what stands in front of it. */
static void become_loop(Sketch *s)
{
    const Sketch *loop = s->loops.at[0];
    for (int i = 0; i < s->lines.n; i++)
        if (!strcmp(s->lines.at[i], loop->loop)) s->lines.at[i] = loop->ranged;
    s->ranged = loop->ranged;
    s->passes = loop->passes;
    s->cost = loop->cost;
    s->is_shared = loop->is_shared;
    s->loops.n = 0;
}

static void finish_sketch(Sketch *s, bool possible)
{
    renumber(s);
    s->possible = possible && can_be_routine(s);
    s->key = key_of(s);
}

/* How often each hole is in the lines. */
static int *count_holes(const Sketch *s, int n_holes)
{
    int *times = NEW_N(int, n_holes + 1);
    const char *end;
    for (int i = 0; i < s->lines.n; i++)
        for (const char *p = s->lines.at[i]; *p; p++) {
            int hole = hole_at(p, &end);
            if (hole < 0) continue;
            times[hole]++;
            p = end - 1;
        }
    return times;
}

/* Are its rows used in this loop alone? Those that hand values on to others are the kernel's. */
static bool has_own_rows(const Sketch *kernel, const Sketch *loop, const BufferList *all)
{
    const int *inside = count_holes(loop, kernel->holes.n);
    const int *everywhere = count_holes(kernel, kernel->holes.n);
    for (int i = 0; i < all->n; i++) {
        bool is_row = all->at[i]->memory == MEM_ROW && all->at[i]->type.shape.rank;
        if (is_row && inside[i] && inside[i] != everywhere[i]) return false;
    }
    return true;
}

/* Written twice, as entries are: the first time shows which arrays are flat. */
static Sketch *sketch_of(Emit *e, const Kernel *k)
{
    Sketch *s = NEW(Sketch);
    BufferList all = all_buffers(e->c);
    Saved *saved = NEW_N(Saved, all.n + 1);
    *s = (Sketch){.e = e, .k = k};
    if (k->kind == DEF_SCAN && !has_own_steps(k)) return s;
    if (k->kind == DEF_DRAW || is_zero_already(e, k)) return s;
    for (int i = 0; i < all.n; i++) {
        const Buffer *b = all.at[i];
        saved[i] = (Saved){b->name, b->access, b->flat, b->used};
        all.at[i]->flat = false;
    }
    e->sketch = s;
    for (int i = 0; i < 2; i++) write_once(s, &all);
    e->sketch = NULL;
    for (int i = 0; i < all.n; i++) {
        Buffer *b = all.at[i];
        const bool parts = is_parts(k, b);
        s->holes.at[i] =
            (Hole){b, b->flat, is_written(k, b), node_of(e->c, b), parts ? "parts" : "", parts};
        b->name = saved[i].name;
        b->access = saved[i].access;
        b->flat = saved[i].flat;
        b->used = saved[i].used;
    }
    if (is_one_loop(s, &all)) become_loop(s);
    for (int i = 0; i < s->loops.n; i++) {
        Sketch *loop = s->loops.at[i];
        s->is_shared |= loop->is_shared;
        loop->holes = s->holes;
        finish_sketch(loop, loop->is_shared && has_own_locals(loop) && has_own_rows(s, loop, &all));
    }
    finish_sketch(s, true);
    return s;
}

bool sketch_loop(Emit *e, const Scope *loop, SizeRef size, const char *pragma)
{
    Sketch *s = NEW(Sketch);
    Scope *out = &e->scope[0];
    const char *v = loop->var.name, *brace = loop->statements != 1 ? " {" : "";
    *s = (Sketch){.e = e, .k = e->k, .passes = size};
    s->cost = share_cost(e, loop, size, &s->is_shared);
    s->loop = format("for (int %s = 0; %s < %s; %s++)%s", v, v, c_size(size), v, brace);
    s->ranged = format("for (int %s = FROM; %s < TO; %s++)%s", v, v, v, brace);
    if (pragma) vec_push(&s->lines, pragma);
    vec_push(&s->lines, s->ranged);
    for (int i = 0; i < loop->lines.n; i++)
        vec_push(&s->lines, format("    %s", loop->lines.at[i]));
    if (*brace) vec_push(&s->lines, "}");
    for (int i = 0; i < s->lines.n; i++)
        vec_push(&out->lines, s->lines.at[i] == s->ranged ? s->loop : s->lines.at[i]);
    out->statements++;
    vec_push(&e->sketch->loops, s);
    return true;
}

/* ---- which kernels become routines ---- */

/* Nanoseconds, roughly. */
static double cost_of(const Kernel *k)
{
    enum { FLOPS_A_NANOSECOND = 100 };
    bool product = k->kind == DEF_GEMM || k->kind == DEF_CONV;
    return product ? work_flops(k->work) / FLOPS_A_NANOSECOND : 0.25 * work_flops(k->work);
}

/* What a call adds is little beside the kernel, or beside the kernels of the entry on average. */
static bool is_worth_a_call(const Code *c, const Kernel *k)
{
    double all = 0;
    for (int i = 0; i < c->kernels.n; i++) all += cost_of(c->kernels.at[i]);
    return cost_of(k) >= WORTH_A_CALL || all / c->kernels.n >= WORTH_A_CALL;
}

static Routine *routine_for(RoutineList *all, const Sketch *s)
{
    for (int i = 0; i < all->n; i++)
        if (!strcmp(all->at[i]->uses.at[0]->key, s->key)) return all->at[i];
    Routine *r = NEW(Routine);
    vec_push(all, r);
    return r;
}

static bool share_memory(const Buffer *a, const Buffer *b)
{
    return a->memory == MEM_WORK && b->memory == MEM_WORK && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

/* Does an array that the kernel writes share memory with another? */
static bool has_overlap(const Sketch *s)
{
    for (int i = 0; i < s->holes.n; i++)
        for (int k = 0; k < s->holes.n; k++) {
            const Hole *a = &s->holes.at[i], *b = &s->holes.at[k];
            if (i == k || !is_argument(a) || !is_argument(b)) continue;
            bool writes = a->written || a->buffer->is_scratch;
            if (writes && share_memory(a->buffer, b->buffer)) return true;
        }
    return false;
}

static bool is_apart(const Routine *r)
{
    for (int i = 0; i < r->uses.n; i++)
        if (has_overlap(r->uses.at[i])) return false;
    return true;
}

/* Several kernels, or one loop for several threads. */
static bool is_worth_it(const Routine *r)
{
    const Sketch *s = r->uses.at[0];
    for (int i = 0; i < r->uses.n; i++)
        if (r->uses.at[i]->is_shared) return true;
    return r->uses.n > 1 && s->lines.n >= FEWEST_LINES;
}

static Passes known_passes(const Routine *r)
{
    const SizeRef first = r->uses.at[0]->passes;
    Passes known = !first || size_is_const(first, NULL) ? PASSES_KNOWN : PASSES_N;
    for (int i = 0; i < r->uses.n; i++) {
        const Sketch *s = r->uses.at[i];
        if (s->is_shared) return PASSES_RANGE;
        if (s->passes != first) known = PASSES_N;
    }
    return known;
}

static void use_routine(RoutineList *all, Sketch *s)
{
    if (!s->possible || (!s->is_shared && !is_worth_a_call(s->e->c, s->k))) return;
    s->routine = routine_for(all, s);
    vec_push(&s->routine->uses, s);
}

void find_routines(Emit **emits, int n, Identifiers *functions)
{
    RoutineList all = {0};
    for (int i = 0; i < n; i++) {
        Emit *e = emits[i];
        e->sketches = NEW_N(Sketch *, e->c->kernels.n + 1);
        for (int k = 0; k < e->c->kernels.n; k++) {
            Sketch *s = sketch_of(e, e->c->kernels.at[k]);
            e->sketches[s->k->order] = s;
            use_routine(&all, s);
            for (int l = 0; l < s->loops.n; l++) use_routine(&all, s->loops.at[l]);
        }
    }
    for (int i = 0; i < all.n; i++) {
        Routine *r = all.at[i];
        if (is_worth_it(r)) {
            r->passes = known_passes(r);
            r->apart = is_apart(r);
            name_routine(r, functions);
        } else
            for (int k = 0; k < r->uses.n; k++) r->uses.at[k]->routine = NULL;
    }
}
