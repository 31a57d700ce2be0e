/* group.c - which definitions share a kernel, and which loop in it.
 * In: definitions in topological order. Out: kernels: loops over common rows in which every
 * definition reads the others only at its own row, so that a softmax with its gradient, or all of
 * Adam for one tensor, is one loop. Sums over the rows are accumulated on the way. */
#include "fuse.h"

#include <string.h>

enum { MOST_DEFS = 24 };

/* ---- order ---- */

bool order_kernels(Code *c, Kernel *a, Kernel *b)
{
    if (a == b || a->after[b->id]) return true;
    if (b->after[a->id]) return false;
    for (int i = 0; i < c->kernels.n; i++) {
        Kernel *x = c->kernels.at[i];
        if (x != a && !x->after[a->id]) continue;
        x->after[b->id] = 1;
        for (int k = 0; k < c->kernel_limit; k++) x->after[k] |= b->after[k];
    }
    return true;
}

/* ---- what a definition reads ---- */

static void note_read(void *context, const Def *r, const Frame *f, Node *n, const Index *ix)
{
    ReadList *list = context;
    Read read = {.node = n};
    while (ix && read.aligned < r->domain.rank && read.aligned < ix->rank &&
           index_is_vars(ix, read.aligned, read.aligned + 1, (Var *const *)f->vars))
        read.aligned++;
    read.exact = ix && read.aligned == r->domain.rank && ix->rank == r->domain.rank;
    vec_push(&list->at, read);
}

static ReadList reads_of(const Code *c, const Def *d)
{
    ReadList list = {0};
    each_read(c, d, note_read, &list);
    if (d->node->wait) vec_push(&list.at, (Read){.node = d->node->wait});
    return list;
}

/* ---- joining a kernel ---- */

static bool has_loops(const Def *d)
{
    return d->kind == DEF_MAP || d->kind == DEF_FOLD || d->kind == DEF_ARG;
}

/* The outer loops that d could share: it either keeps all of them or is accumulated over all. */
static int rows_possible(const Def *d)
{
    int n = 0;
    bool first = d->reduced & 1;
    if (d->kind == DEF_ARG && first) return 0;
    while (n < d->domain.rank && (d->reduced >> n & 1) == first) n++;
    return n;
}

static bool is_over_rows(const Def *d, int n_rows) { return n_rows > 0 && (d->reduced & 1); }

/* How many rows d and k would share; 0: none. */
static int shared_rows(const Code *c, const Kernel *k, const Def *d, const ReadList *reads)
{
    int rows = rows_possible(d), same = 0;
    while (same < k->n_rows && same < d->domain.rank &&
           k->domain.size[same] == d->domain.size[same])
        same++;
    if (same < rows) rows = same;
    for (int i = 0; i < reads->at.n; i++) {
        const Def *p = c->def_of[reads->at.at[i].node->id];
        if (!p || p->kernel != k) continue;
        if (is_over_rows(p, 1)) return 0;
        if (reads->at.at[i].aligned < rows) rows = reads->at.at[i].aligned;
    }
    return rows;
}

static bool joins_in_order(const Code *c, const Kernel *k, const ReadList *reads)
{
    for (int i = 0; i < reads->at.n; i++) {
        const Def *p = c->def_of[reads->at.at[i].node->id];
        if (p && p->kernel != k && p->kernel->after[k->id]) return false;
    }
    return true;
}

static bool reads_from(const Code *c, const Kernel *k, const ReadList *reads)
{
    for (int i = 0; i < reads->at.n; i++) {
        const Def *p = c->def_of[reads->at.at[i].node->id];
        if (p && p->kernel == k) return true;
    }
    return false;
}

static bool shares_reads(const Kernel *k, const ReadList *reads)
{
    for (int i = 0; i < k->defs.n; i++) {
        const ReadList *other = k->defs.at[i]->reads;
        for (int a = 0; a < other->at.n; a++)
            for (int b = 0; b < reads->at.n; b++)
                if (other->at.at[a].node == reads->at.at[b].node &&
                    other->at.at[a].node->type.shape.rank)
                    return true;
    }
    return false;
}

/* Loops over a few elements are vectors that stay in registers: what is computed for all of them at
 * once is best a loop by itself. Others join it for the same elements, unless they are sums or need
 * the result of one of the mathematical functions, whose choices compilers turn into branches when
 * another choice in the loop depends on them. */
static bool tiny_can_join(const Code *c, const Kernel *k, const Def *d, const ReadList *reads,
                          int rows)
{
    if (is_over_rows(d, rows) || is_over_rows(k->defs.at[0], rows)) return false;
    for (int i = rows; i < k->domain.rank; i++)
        if (!size_is(k->domain.size[i], 1)) return false;
    for (int i = rows; i < d->domain.rank; i++)
        if (!size_is(d->domain.size[i], 1)) return false;
    for (int i = 0; i < reads->at.n; i++) {
        const Def *p = c->def_of[reads->at.at[i].node->id];
        if (p && p->kernel == k && is_heavy(p->node)) return false;
    }
    return true;
}

static bool can_join(const Code *c, const Kernel *k, const Def *d, const ReadList *reads, int *rows)
{
    if (k->kind != DEF_MAP || k->defs.n >= MOST_DEFS) return false;
    *rows = shared_rows(c, k, d, reads);
    bool scalars = k->domain.rank == 0 && d->domain.rank == 0;
    bool tiny = *rows > 0 && is_tiny(&k->domain) && is_tiny(&d->domain);
    if (tiny && !tiny_can_join(c, k, d, reads, *rows)) return false;
    return (*rows > 0 || scalars) && joins_in_order(c, k, reads);
}

/* Where windows have their largest elements is mostly asked backward, which reads the same array: a
 * kernel that the reader joins keeps nothing in between. */
static bool waits_for_reader(const Def *d)
{
    return is_window_fold(d->node) && (d->node->op == OP_ARGMAX || d->node->op == OP_ARGMIN);
}

static Kernel *find_kernel(const Code *c, const Def *d, const ReadList *reads, int *rows)
{
    if (waits_for_reader(d)) return NULL;
    for (int i = c->kernels.n - 1; i >= 0; i--) {
        Kernel *k = c->kernels.at[i];
        if (reads_from(c, k, reads) && can_join(c, k, d, reads, rows)) return k;
    }
    for (int i = c->kernels.n - 1; i >= 0; i--) {
        Kernel *k = c->kernels.at[i];
        if (can_join(c, k, d, reads, rows) && shape_equal(&k->domain, &d->domain) &&
            *rows == k->n_rows && (d->domain.rank == 0 || shares_reads(k, reads)))
            return k;
    }
    return NULL;
}

Kernel *add_kernel(Code *c, Def *d)
{
    Kernel *k = NEW(Kernel);
    k->id = c->kernels.n;
    k->kind = has_loops(d) ? DEF_MAP : d->kind;
    k->domain = d->domain;
    k->n_rows = has_loops(d) ? rows_possible(d) : 0;
    k->after = NEW_N(unsigned char, c->kernel_limit);
    vec_push(&c->kernels, k);
    return k;
}

static void join(Code *c, Kernel *k, Def *d, ReadList *reads)
{
    d->kernel = k;
    d->reads = reads;
    vec_push(&k->defs, d);
    if (d->domain.rank > k->domain.rank) k->domain = d->domain;
    for (int i = 0; i < reads->at.n; i++) {
        const Def *p = c->def_of[reads->at.at[i].node->id];
        if (p && p != d) order_kernels(c, k, p->kernel);
    }
}

/* A sum over whole rows needs the row as an inner loop. */
static void lower_rows(Kernel *k)
{
    for (int i = 0; i < k->defs.n; i++) {
        const Def *d = k->defs.at[i];
        if (d->in_row && d->domain.rank == k->n_rows) k->n_rows--;
    }
}

/* A sum or an extreme of a short row takes longer to come out of its vectors than to go in, and
 * what follows waits. Where there are two in turn, as in a softmax, and the rows fit into the
 * nearest cache, each is found for all rows before the next step. */
static void take_rows_together(Kernel *k)
{
    enum { CACHED_BYTES = 16384 };
    const int last = k->n_rows - 1;
    long blocks = 1;
    int waits = 0;
    if (k->kind != DEF_MAP || last < 1 || options.max_ram) return;
    if (k->domain.rank != k->n_rows + 1) return;
    for (int i = 0; i < k->defs.n; i++) {
        waits += k->defs.at[i]->in_row;
        if (is_over_rows(k->defs.at[i], k->n_rows)) return;
    }
    for (int i = 0; i < last; i++) blocks *= size_upper(k->domain.size[i]);
    const Type rows = {k->defs.at[0]->node->type.elem,
                       {2, {k->domain.size[last], k->domain.size[last + 1]}}};
    if (waits > 1 && blocks > 1 && type_bytes(rows) <= CACHED_BYTES) k->n_rows--;
}

/* All results of one recurrence are computed together. */
static Kernel *find_scan(const Code *c, const Def *d)
{
    for (int i = 0; i < c->kernels.n; i++) {
        Kernel *k = c->kernels.at[i];
        if (k->kind == DEF_SCAN && same_scan(k->defs.at[0]->node, d->node)) return k;
    }
    return NULL;
}

void add_to_kernels(Code *c, Def *d)
{
    ReadList *reads = NEW(ReadList);
    int rows = 0;
    *reads = reads_of(c, d);
    Kernel *k = has_loops(d) && !d->is_store ? find_kernel(c, d, reads, &rows) : NULL;
    if (d->kind == DEF_SCAN) k = find_scan(c, d);
    if (k)
        k->n_rows = rows;
    else
        k = add_kernel(c, d);
    if (d->kind == DEF_SCAN && !k->step) k->step = compile_step(c, d->node);
    join(c, k, d, reads);
}

void group_definitions(Code *c)
{
    for (int i = 0; i < c->defs.n; i++) add_to_kernels(c, c->defs.at[i]);
    for (int i = 0; i < c->kernels.n; i++) {
        lower_rows(c->kernels.at[i]);
        take_rows_together(c->kernels.at[i]);
        find_groups(c, c->kernels.at[i]);
    }
}

/* ---- the loops inside a row ---- */

/* An axis of one element is no loop. */
static Shape inner_of(const Kernel *k, const Def *d)
{
    Shape s = {0};
    for (int i = k->n_rows; i < d->domain.rank; i++)
        if (!size_is(d->domain.size[i], 1)) s.size[s.rank++] = d->domain.size[i];
    return s;
}

/* Can d be one statement in a loop over the inner axes, next to others? */
static bool is_statement(const Kernel *k, const Def *d)
{
    int last = d->domain.rank - 1;
    if (d->kind == DEF_MAP) return true;
    if (d->kind != DEF_FOLD || d->in_row || !is_over_rows(d, k->n_rows)) return false;
    while (last >= k->n_rows && size_is(d->domain.size[last], 1)) last--;
    return last < k->n_rows || !(d->reduced >> last & 1);
}

static bool may_enter(const Code *c, const Kernel *k, int group, const ReadList *reads)
{
    for (int i = 0; i < reads->at.n; i++) {
        const Def *p = c->def_of[reads->at.at[i].node->id];
        if (!p || p->kernel != k) continue;
        bool same =
            reads->at.at[i].exact || (p->group >= 0 && k->groups.at[p->group]->inner.rank == 0);
        if (p->group > group || (p->group == group && !same)) return false;
    }
    return true;
}

static int find_group(const Code *c, const Kernel *k, const Def *d, const Shape *inner)
{
    ReadList reads = reads_of(c, d);
    for (int i = k->groups.n - 1; i >= 0 && is_statement(k, d); i--) {
        const Group *g = k->groups.at[i];
        if (!g->is_fold && shape_equal(&g->inner, inner) && may_enter(c, k, i, &reads)) return i;
        if (!may_enter(c, k, i - 1, &reads)) break;
    }
    return k->groups.n;
}

void find_groups(Code *c, Kernel *k)
{
    k->groups.n = 0;
    for (int i = 0; i < k->defs.n; i++) k->defs.at[i]->group = -1;
    for (int i = 0; i < k->defs.n && k->kind == DEF_MAP; i++) {
        Def *d = k->defs.at[i];
        Shape inner = inner_of(k, d);
        d->group = find_group(c, k, d, &inner);
        if (d->group == k->groups.n) {
            Group *g = NEW(Group);
            g->inner = inner;
            g->is_fold = !is_statement(k, d);
            vec_push(&k->groups, g);
        }
        vec_push(&k->groups.at[d->group]->defs, d);
    }
}

/* ---- where values are needed ---- */

/* Does a row hold more than one element of the value? */
static bool has_inner(const Def *p)
{
    const Shape *s = &p->node->type.shape;
    for (int i = p->kernel->n_rows; i < s->rank; i++)
        if (!size_is(s->size[i], 1)) return true;
    return false;
}

static void need_more(void *context, const Def *r, const Frame *f, Node *n, const Index *ix)
{
    const Code *c = context;
    Def *p = c->def_of[n->id];
    Need need = NEED_NOTHING;
    if (!p || p == r) return;
    int rank = r->domain.rank;
    bool exact = ix && ix->rank == rank && index_is_vars(ix, 0, rank, (Var *const *)f->vars);
    if (r->kernel != p->kernel)
        need = NEED_ARRAY;
    else if (has_inner(p) && !(r->group == p->group && exact && is_statement(p->kernel, r)))
        need = NEED_ROW;
    if ((int)need > p->need) p->need = (int)need;
}

/* Does a loop over a kept axis lie inside one that is folded? Then the results of all its elements
 * are added to in turn, and they need a place. */
static bool adds_in_turn(const Def *d)
{
    bool folded = false, inside = false;
    if (d->kind != DEF_FOLD) return false;
    for (int i = d->kernel->n_rows; i < d->domain.rank; i++) {
        if (size_is(d->domain.size[i], 1)) continue;
        if (d->reduced >> i & 1)
            folded = true;
        else
            inside |= folded;
    }
    return inside;
}

void find_needs(Code *c)
{
    for (int i = 0; i < c->defs.n; i++) {
        Def *d = c->defs.at[i];
        bool array = !has_loops(d) || is_over_rows(d, d->kernel->n_rows);
        d->need = array ? NEED_ARRAY : adds_in_turn(d) ? NEED_ROW : NEED_NOTHING;
    }
    for (int i = 0; i < c->defs.n; i++) each_read(c, c->defs.at[i], need_more, c);
}
