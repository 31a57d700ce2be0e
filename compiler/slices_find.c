/* slices_find.c - which parts of a graph are computed slice by slice.
 * In: the graph of an entry. Out: sets of nodes around batched matrix products whose large result,
 * or large operand, is needed by nothing outside. Their leading axes go through all operators of
 * the set unchanged, so a slice of one value is made of slices of others, and the large values are
 * stored for one slice only. No path leaves a set and comes back, nor goes from set to set in a
 * circle: each is one step of the computation. */
#include "slices.h"

#include "kernel.h"

/* Values that stay inside and have so many bytes together are worth it, if a slice of one has at
 * most so many. Measured with a transformer of 4 heads: arrays of 1 MB are kept by the caches
 * anyway, at 4 MB a training step gains 4 to 8 %, at 17 MB 12 %; slices of 1 and 4 MB still gain 15
 * to 20 %, and of 16 MB nothing, since then not even the last cache holds one. */
enum { FEWEST_BYTES = 4 << 20, MOST_SLICE_BYTES = 4 << 20 };

typedef struct Find {
    const Graph *g;
    VEC(Kind *) kinds;
    int *part;  /* by Node.id: 1 + place in `parts`, or 0 */
    bool *core; /* makes or reads a large value; others are in a part to connect those */
    bool *is_root;
    SlicesList parts;
    int *seen; /* by Node.id, and behind them by part: the search that was here */
    int search;
} Find;

/* ---- operators that work slice by slice ------------------------------------------------------ */

static bool has_batch(const Shape *s, const Shape *batch)
{
    if (s->rank < batch->rank) return false;
    for (int i = 0; i < batch->rank; i++)
        if (s->size[i] != batch->size[i]) return false;
    return true;
}

static unsigned axes_of(const Shape *batch) { return (1u << batch->rank) - 1; }

static bool keeps_batch(const Node *n, const Shape *batch)
{
    const unsigned axes = axes_of(batch);
    if (op_info[n->op].class == CLASS_MAP) return true;
    if (op_info[n->op].class == CLASS_FOLD || n->op == OP_REVERSE || n->op == OP_BROADCAST)
        return !(n->attr.axes & axes);
    switch (n->op) {
    case OP_MATMUL: return n->type.shape.rank - 2 >= batch->rank;
    case OP_RESHAPE: return true;
    case OP_CONCAT: return n->attr.k >= batch->rank;
    case OP_SLICE:
    case OP_PAD:
    case OP_TRANSPOSE:
        for (int i = 0; i < batch->rank; i++)
            if (n->op == OP_TRANSPOSE ? n->attr.perm[i] != i : !size_is(n->attr.lo[i], 0))
                return false;
        return true;
    default: return false;
    }
}

static bool fits(const Node *n, const Shape *batch)
{
    if (!n->n_in || n->attr.copy || !has_batch(&n->type.shape, batch)) return false;
    for (int k = 0; k < n->n_in; k++)
        if (!has_batch(&n->in[k]->type.shape, batch)) return false;
    return see_through((Node *)(uintptr_t)n) == n && keeps_batch(n, batch);
}

static bool is_rebuilt(const Kind *kind, const Node *n)
{
    if (!has_batch(&n->type.shape, &kind->batch)) return false;
    if (n->op == OP_IOTA) return true;
    if (n->op == OP_BROADCAST && n->attr.axes & axes_of(&kind->batch)) return true;
    bool all = kind->fits[n->id] && (op_info[n->op].class == CLASS_MAP || is_view(n));
    for (int k = 0; k < n->n_in; k++) all &= kind->rebuilt[n->in[k]->id];
    return all;
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static SizeRef slice_count(const Shape *s, int rank)
{
    SizeRef count = size_const(1);
    for (int i = rank; i < s->rank; i++) count = size_mul(count, s->size[i]);
    return count;
}

static bool is_wide(const Kind *kind, const Node *n)
{
    return has_batch(&n->type.shape, &kind->batch) &&
           slice_count(&n->type.shape, kind->batch.rank) == kind->wide;
}

static void add_kind(Find *f, const Shape *batch, SizeRef wide)
{
    for (int i = 0; i < f->kinds.n; i++)
        if (shape_equal(&f->kinds.at[i]->batch, batch) && f->kinds.at[i]->wide == wide) return;
    Kind *kind = NEW(Kind);
    *kind = (Kind){*batch, wide, NEW_N(bool, f->g->nodes.n + 1), NEW_N(bool, f->g->nodes.n + 1)};
    for (int i = 0; i < f->g->nodes.n; i++) {
        kind->fits[i] = fits(f->g->nodes.at[i], batch);
        kind->rebuilt[i] = is_rebuilt(kind, f->g->nodes.at[i]);
    }
    vec_push(&f->kinds, kind);
}

/* Batched products of which one matrix is larger than the other two. */
static void find_kinds(Find *f)
{
    enum { LARGER = 2 };
    for (int i = 0; i < f->g->nodes.n; i++) {
        const Node *n = f->g->nodes.at[i], *all[3] = {n};
        int rank = n->type.shape.rank - 2;
        if (n->op != OP_MATMUL || rank < 1) continue;
        Shape batch = {.rank = rank};
        for (int k = 0; k < rank; k++) batch.size[k] = n->type.shape.size[k];
        if (size_upper(shape_count(&batch)) < 2) continue;
        for (int k = 0; k < 2; k++) all[k + 1] = n->in[k];
        for (int k = 0; k < 3; k++) {
            SizeRef wide = slice_count(&all[k]->type.shape, rank);
            bool largest = true;
            for (int o = 0; o < 3; o++)
                largest &= o == k || size_upper(wide) / LARGER >=
                                         size_upper(slice_count(&all[o]->type.shape, rank));
            long bytes = type_bytes(all[k]->type);
            if (largest && bytes >= FEWEST_BYTES) add_kind(f, &batch, wide);
        }
    }
}

/* ---- paths ----------------------------------------------------------------------------------- */

/* Does n depend on the part, whether it is in it or behind it? A part depends on all that one of
 * its nodes does. */
static bool depends(Find *f, const Node *n, int part)
{
    VEC(const Node *) stack = {0};
    int *seen_part = f->seen + f->g->nodes.n;
    f->search++;
    vec_push(&stack, n);
    while (stack.n) {
        const Node *x = stack.at[--stack.n];
        const int of = f->part[x->id];
        if (of == part) return true;
        if (f->seen[x->id] == f->search) continue;
        f->seen[x->id] = f->search;
        for (int k = 0; k < x->n_in; k++) vec_push(&stack, x->in[k]);
        if (!of || seen_part[of] == f->search) continue;
        seen_part[of] = f->search;
        const NodeList *all = &f->parts.at[of - 1].nodes;
        for (int i = 0; i < all->n; i++)
            if (f->part[all->at[i]->id] == of) vec_push(&stack, all->at[i]);
    }
    return false;
}

/* Does no operand of n come out of the part and back to it? */
static bool may_join(Find *f, const Node *n, int part)
{
    for (int k = 0; k < n->n_in; k++)
        if (f->part[n->in[k]->id] != part && depends(f, n->in[k], part)) return false;
    return true;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void join_part(Find *f, Node *n, const Kind *kind, int part)
{
    if (!part) {
        vec_push(&f->parts, ((Slices){.kind = kind}));
        part = f->parts.n;
    }
    vec_push(&f->parts.at[part - 1].nodes, n);
    f->part[n->id] = part;
}

/* The latest part of that kind among the operands that n can join, or 0. */
static int part_for(Find *f, const Node *n, const Kind *kind)
{
    int best = 0;
    for (int k = 0; k < n->n_in; k++) {
        const int part = f->part[n->in[k]->id];
        if (part > best && f->parts.at[part - 1].kind == kind && may_join(f, n, part)) best = part;
    }
    return best;
}

static bool is_core(const Kind *kind, const Node *n)
{
    bool core = is_wide(kind, n);
    for (int k = 0; k < n->n_in; k++)
        core |= is_wide(kind, n->in[k]) && !kind->rebuilt[n->in[k]->id];
    return core;
}

static void place_node(Find *f, Node *n)
{
    for (int core = 1; core >= 0; core--)
        for (int i = 0; i < f->kinds.n && !f->part[n->id]; i++) {
            const Kind *kind = f->kinds.at[i];
            if (!kind->fits[n->id] || kind->rebuilt[n->id] || is_core(kind, n) != core) continue;
            const int part = part_for(f, n, kind);
            f->core[n->id] = core;
            if (core || part) join_part(f, n, kind, part);
        }
}

/* What connects nothing in a part is none of it, nor is another view of what it computes. */
static void leave_ends(Find *f)
{
    bool *needed = NEW_N(bool, f->g->nodes.n + 1);
    for (int i = f->g->nodes.n - 1; i >= 0; i--) {
        const Node *n = f->g->nodes.at[i];
        if ((!f->core[i] || is_view(n)) && !needed[i]) f->part[i] = 0;
        for (int k = 0; f->part[i] && k < n->n_in; k++)
            if (f->part[n->in[k]->id] == f->part[i]) needed[n->in[k]->id] = true;
    }
}

/* ---- parts that share large values ----------------------------------------------------------- */

/* The value of which n is a view, perhaps. */
static const Node *viewed(const Find *f, const Node *n, int part)
{
    while (f->part[n->id] != part && is_view(n)) n = n->in[0];
    return n;
}

static bool reads(const Find *f, int part, const Node *x)
{
    const NodeList *all = &f->parts.at[part - 1].nodes;
    for (int i = 0; i < all->n; i++)
        for (int k = 0; f->part[all->at[i]->id] == part && k < all->at[i]->n_in; k++)
            if (viewed(f, all->at[i]->in[k], part) == x) return true;
    return false;
}

/* Does a read what b makes, or what b reads too? */
static bool is_linked(const Find *f, int a, int b)
{
    const Slices *s = &f->parts.at[a - 1];
    if (s->kind != f->parts.at[b - 1].kind) return false;
    for (int i = 0; i < s->nodes.n; i++) {
        const Node *n = s->nodes.at[i];
        for (int k = 0; f->part[n->id] == a && k < n->n_in; k++) {
            const Node *x = viewed(f, n->in[k], a);
            bool wide = is_wide(s->kind, n->in[k]) && !s->kind->rebuilt[n->in[k]->id];
            if (wide && (f->part[x->id] == b || reads(f, b, x))) return true;
        }
    }
    return false;
}

static void move_nodes(Find *f, const NodeList *nodes, int from, int to)
{
    for (int i = 0; i < nodes->n; i++)
        if (f->part[nodes->at[i]->id] == from) f->part[nodes->at[i]->id] = to;
}

/* The nodes of b go to a, unless a path leads from one to the other through something else. */
static bool unite(Find *f, int a, int b)
{
    NodeList *to = &f->parts.at[a - 1].nodes, moved = {0};
    const NodeList *from = &f->parts.at[b - 1].nodes;
    for (int i = 0; i < from->n; i++)
        if (f->part[from->at[i]->id] == b) vec_push(&moved, from->at[i]);
    const int before = to->n;
    move_nodes(f, &moved, b, a);
    for (int i = 0; i < moved.n; i++) vec_push(to, moved.at[i]);
    for (int i = 0; i < to->n; i++) {
        if (f->part[to->at[i]->id] != a || may_join(f, to->at[i], a)) continue;
        to->n = before;
        move_nodes(f, &moved, a, b);
        return false;
    }
    return moved.n > 0;
}

static bool unite_any(Find *f)
{
    for (int a = 1; a <= f->parts.n; a++)
        for (int b = 1; b <= f->parts.n; b++)
            if (a != b && is_linked(f, a, b) && unite(f, a, b)) return true;
    return false;
}

/* ---- what is worth it ------------------------------------------------------------------------ */

/* By Node.id: is it needed outside of its part? */
static bool *find_needed_outside(const Find *f)
{
    bool *outside = NEW_N(bool, f->g->nodes.n + 1);
    for (int i = 0; i < f->g->nodes.n; i++) {
        const Node *n = f->g->nodes.at[i];
        outside[i] |= f->is_root[i];
        for (int k = 0; k < n->n_in; k++)
            outside[n->in[k]->id] |= f->part[n->in[k]->id] != f->part[i];
    }
    return outside;
}

/* A product inside, and a large value that stays there. */
static bool is_worth_it(const Find *f, int part, const bool *outside)
{
    const Slices *s = &f->parts.at[part - 1];
    const long most = size_upper(s->kind->wide);
    bool product = false, saves = false;
    for (int i = 0; i < s->nodes.n; i++) {
        const Node *n = s->nodes.at[i];
        if (f->part[n->id] != part) continue;
        product |= n->op == OP_MATMUL;
        long bytes = type_bytes(n->type);
        if (is_wide(s->kind, n) && most > MOST_SLICE_BYTES / elem_bytes(n->type.elem)) return false;
        saves |= is_wide(s->kind, n) && !outside[n->id] && bytes >= FEWEST_BYTES;
    }
    return product && saves;
}

static int by_place(const void *x, const void *y)
{
    return (*(Node *const *)x)->id - (*(Node *const *)y)->id;
}

/* The parts that are left, numbered anew. */
static SlicesList take_worthy(Find *f, const bool *outside)
{
    SlicesList found = {0};
    int *number = NEW_N(int, f->parts.n + 1);
    for (int p = 1; p <= f->parts.n; p++) {
        if (!is_worth_it(f, p, outside)) continue;
        Slices s = {.kind = f->parts.at[p - 1].kind};
        const NodeList *all = &f->parts.at[p - 1].nodes;
        for (int i = 0; i < all->n; i++)
            if (f->part[all->at[i]->id] == p) vec_push(&s.nodes, all->at[i]);
        vec_sort(&s.nodes, by_place);
        vec_push(&found, s);
        number[p] = found.n;
    }
    for (int i = 0; i < f->g->nodes.n; i++) f->part[i] = number[f->part[i]];
    return found;
}

SlicesList find_slices(const Graph *g, Node *const *roots, int n, int **part_of, bool **outside)
{
    const int size = g->nodes.n + 1;
    const int *uses = graph_uses(g, roots, n);
    Find f = {.g = g,
              .part = NEW_N(int, size),
              .core = NEW_N(bool, size),
              .is_root = NEW_N(bool, size),
              .seen = NEW_N(int, 2 * size)};
    for (int i = 0; i < n; i++)
        if (roots[i]) f.is_root[roots[i]->id] = true;
    find_kinds(&f);
    for (int i = 0; i < g->nodes.n && f.kinds.n; i++)
        if (uses[i]) place_node(&f, g->nodes.at[i]);
    leave_ends(&f);
    while (unite_any(&f)) continue;
    *part_of = f.part;
    *outside = find_needed_outside(&f);
    return take_worthy(&f, *outside);
}
