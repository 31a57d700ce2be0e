/* slices.c - what works slice by slice is computed so.
 * In: an entry behind layout. Out: the same entry, where a part of the graph that works on each
 * slice of its leading axes by itself (slices_find.c) is a recurrence without states over these:
 *     S = Q @ K', P = softmax(S), Y = P @ V    for Q, K, V [B, H, T, d]
 * becomes one step for each b and h, which takes [T, d] of Q, K and V and has [T, T] of S and P.
 * The step's work area is small and the same for all slices, so what stays inside does not leave
 * the caches; what is read outside, by a backward pass perhaps, is emitted. What depends on no
 * data, such as a mask, is made in the step. The interpreter keeps the graph as it was. */
#include "slices.h"

#include "kernel.h"
#include "layout.h"

typedef struct Sliced {
    const Graph *old;
    Graph *g;
    SlicesList parts;
    int *part_of;  /* by Node.id: the number of the part from 1, or 0 */
    bool *outside; /* by Node.id: is it needed outside of its part? */
    Node **reader; /* by Node.id: the only node that reads it, or NULL */
    Node **map;    /* by Node.id: the value in g; NULL: not yet, or inside of a part only */
} Sliced;

/* A part on its way into a recurrence. */
typedef struct Step {
    Sliced *all;
    const Kind *kind;
    int part;
    ScanBuild b;
    SizeRef steps;
    NodeList elements; /* of the sequences of b, in the body */
    Node **map;        /* by Node.id: its slice, in the body */
    Node **whole;      /* by Node.id: the same value in the body, for what depends on no data */
} Step;

static Node *mapped(Sliced *s, const Node *n);
static Node *slice_of(Step *t, const Node *n);

/* ---- slices ---------------------------------------------------------------------------------- */

static Shape without_batch(const Shape *s, int rank)
{
    Shape to = {.rank = s->rank - rank};
    for (int i = 0; i < to.rank; i++) to.size[i] = s->size[i + rank];
    return to;
}

/* The attributes of an operator for operands without the first `rank` axes. */
static Attr sliced_attr(const Node *n, int rank)
{
    Attr a = n->attr;
    const bool moves = n->op == OP_TRANSPOSE, blocks = n->op == OP_SLICE || n->op == OP_PAD;
    if (op_info[n->op].class == CLASS_FOLD || n->op == OP_REVERSE || n->op == OP_BROADCAST)
        a.axes >>= rank;
    if (n->op == OP_CONCAT) a.k -= rank;
    for (int i = 0; i < MAX_RANK && (moves || blocks); i++) {
        const bool is = i + rank < MAX_RANK;
        if (moves)
            a.perm[i] = is && i + rank < n->type.shape.rank ? n->attr.perm[i + rank] - rank : 0;
        else
            a.lo[i] = is ? n->attr.lo[i + rank] : NULL;
    }
    return a;
}

/* Slices of x, which has the leading axes, by number. Names are those of the values, if any. */
static Node *element_of(Step *t, Node *x)
{
    Shape rest = without_batch(&x->type.shape, t->kind->batch.rank), to = {.rank = rest.rank + 1};
    to.size[0] = t->steps;
    for (int i = 0; i < rest.rank; i++) to.size[i + 1] = rest.size[i];
    Node *seq = reshape_from_base(t->all->g, x, &to);
    for (int i = 0; i < t->b.seq.n; i++)
        if (t->b.seq.at[i] == seq) return t->elements.at[i];
    Node *element = build_seq(&t->b, seq);
    name_as(element, x);
    name_as(element, seq);
    if (!element->name) element->name = intern_str(format("x%d", t->b.seq.n));
    vec_push(&t->elements, element);
    return element;
}

/* Does a transposition move the last axis? Then columns lie in memory as rows of another matrix. */
static bool is_turned(const Node *n, int rank)
{
    const int r = n->type.shape.rank;
    return n->op == OP_TRANSPOSE && r - 2 >= rank && n->attr.perm[r - 1] != r - 1;
}

/* A value from outside. */
static Node *taken(Step *t, const Node *n)
{
    Node *x = mapped(t->all, n);
    if (!is_turned(x, t->kind->batch.rank)) return element_of(t, x);
    int perm[MAX_RANK], r = x->type.shape.rank;
    for (int i = 0; i < r; i++) perm[i] = i < r - 2 ? i : 2 * r - 3 - i;
    return n_swap_last(t->b.scan->body, element_of(t, turn(t->all->g, x, perm)));
}

/* ---- what is made in the step ---------------------------------------------------------------- */

static bool is_without_data(const Node *n)
{
    if (n->op == OP_CONST || n->op == OP_SIZE || n->op == OP_IOTA) return true;
    bool without = op_info[n->op].class == CLASS_MAP || (n->n_in && is_view(n));
    for (int k = 0; k < n->n_in; k++) without &= is_without_data(n->in[k]);
    return without;
}

/* The same for all slices. */
static Node *captured(Step *t, const Node *n)
{
    if (is_without_data(n)) return copy_into(t->b.scan->body, n, t->whole);
    if (!t->whole[n->id]) {
        Node *x = t->whole[n->id] = build_capture(&t->b, mapped(t->all, n));
        name_as(x, n);
        x->span = n->span;
    }
    return t->whole[n->id];
}

/* Repeated for all slices, or for those along some of the axes. */
static Node *repeated(Step *t, const Node *n)
{
    const int rank = t->kind->batch.rank;
    const unsigned batch = (1u << rank) - 1, fresh = n->attr.axes & batch;
    const Shape rest = without_batch(&n->type.shape, rank);
    Node *x = NULL;
    if (fresh == batch) {
        x = captured(t, n->in[0]);
    } else {
        Shape to = t->kind->batch;
        for (int i = rank; i < n->type.shape.rank; i++)
            if (!(n->attr.axes >> i & 1)) to.size[to.rank++] = n->type.shape.size[i];
        x = element_of(t, n_broadcast(t->all->g, mapped(t->all, n->in[0]), &to, fresh));
    }
    return n_broadcast(t->b.scan->body, x, &rest, n->attr.axes >> rank);
}

static Node *counted(Step *t, const Node *n)
{
    const int rank = t->kind->batch.rank;
    const Shape rest = without_batch(&n->type.shape, rank);
    Graph *body = t->b.scan->body;
    if (n->attr.k >= rank) return n_iota(body, &rest, (int)n->attr.k - rank);
    Node *x = element_of(t, n_iota(t->all->g, &t->kind->batch, (int)n->attr.k));
    return n_broadcast(body, x, &rest, (1u << rest.rank) - 1);
}

/* ---- the step -------------------------------------------------------------------------------- */

static Node *computed(Step *t, const Node *n)
{
    const int rank = t->kind->batch.rank;
    Attr attr = sliced_attr(n, rank);
    Type type = {n->type.elem, without_batch(&n->type.shape, rank)};
    Node **in = NEW_N(Node *, n->n_in + 1);
    for (int k = 0; k < n->n_in; k++) in[k] = slice_of(t, n->in[k]);
    return graph_node(t->b.scan->body, n->op, &attr, type, n->n_in, in);
}

static Node *slice_of(Step *t, const Node *n)
{
    Node **x = &t->map[n->id];
    if (*x) return *x;
    if (t->all->part_of[n->id] == t->part || (t->kind->rebuilt[n->id] && t->kind->fits[n->id]))
        *x = computed(t, n);
    else if (t->kind->rebuilt[n->id])
        *x = n->op == OP_IOTA ? counted(t, n) : repeated(t, n);
    else
        *x = taken(t, n);
    name_as(*x, n);
    if (!(*x)->span.src) (*x)->span = n->span;
    if (!(*x)->rule) (*x)->rule = n->rule;
    if (n->adjoint_of && !(*x)->adjoint_of && (*x)->op != OP_INPUT)
        (*x)->adjoint_of = t->map[n->adjoint_of->id];
    return *x;
}

/* The transposition that all readers of n look at, where n is a product that can store its rows
 * there. */
static Node *moved_to(const Step *t, const Node *n, const Node *slice)
{
    Node *to = t->all->reader[n->id];
    const int last = n->type.shape.rank - 1;
    bool product =
        n->op == OP_MATMUL && last == t->kind->batch.rank + 1 && !is_small_product(slice);
    if (!to || !product || t->all->part_of[to->id]) return NULL;
    return to->op == OP_TRANSPOSE && to->attr.perm[last] == last ? to : NULL;
}

static const Moved *moved_as(const Node *to)
{
    Moved *m = NEW(Moved);
    m->shape = to->in[0]->type.shape;
    for (int i = 0; i < MAX_RANK; i++) m->perm[i] = to->attr.perm[i];
    return m;
}

/* A result of the recurrence in the shape that it had, or moved. */
static void give_result(Step *t, const NodeList *in, int result, const Node *n, Node *to)
{
    Sliced *all = t->all;
    Attr attr = {.k = result, .size = t->steps, .ref = t->b.scan};
    Type type = to ? to->type : scan_type(t->b.scan, t->steps, result);
    Node *y = graph_node(all->g, OP_SCAN, &attr, type, in->n, in->at);
    note_as(y, n, all->map);
    if (to) name_as(y, to);
    if (to) all->map[to->id] = y;
    all->map[n->id] = to ? y : n_reshape(all->g, y, &n->type.shape);
    if (!all->map[n->id]->span.src) all->map[n->id]->span = n->span;
}

static void emit_results(Step *t, const Slices *s)
{
    NodeList emitted = {0}, to = {0};
    for (int i = 0; i < s->nodes.n; i++) {
        Node *n = s->nodes.at[i], *slice = slice_of(t, n);
        if (!t->all->outside[n->id]) continue;
        vec_push(&t->b.emit, slice);
        vec_push(&emitted, n);
        vec_push(&to, moved_to(t, n, slice));
    }
    NodeList in = build_finish(&t->b);
    const Moved **moved = NEW_N(const Moved *, emitted.n + 1);
    for (int i = 0; i < emitted.n; i++) moved[i] = to.at[i] ? moved_as(to.at[i]) : NULL;
    t->b.scan->moved = moved;
    for (int i = 0; i < emitted.n; i++) give_result(t, &in, i, emitted.at[i], to.at[i]);
}

static void slice_part(Sliced *all, int part)
{
    const Slices *s = &all->parts.at[part - 1];
    Step t = {.all = all,
              .kind = s->kind,
              .part = part,
              .b = scan_build(false),
              .steps = shape_count(&s->kind->batch),
              .map = NEW_N(Node *, all->old->nodes.n + 1),
              .whole = NEW_N(Node *, all->old->nodes.n + 1)};
    emit_results(&t, s);
}

/* ---- the graph around ------------------------------------------------------------------------ */

/* A part may need what stands behind its first node, so nodes are made when they are asked for. */
static Node *mapped(Sliced *s, const Node *n)
{
    if (s->map[n->id]) return s->map[n->id];
    if (s->part_of[n->id])
        slice_part(s, s->part_of[n->id]);
    else {
        for (int k = 0; k < n->n_in; k++) mapped(s, n->in[k]);
        s->map[n->id] = node_copy(s->g, n, &n->attr, s->map);
    }
    return s->map[n->id];
}

static void find_readers(Sliced *s, const int *uses)
{
    s->reader = NEW_N(Node *, s->old->nodes.n + 1);
    for (int i = 0; i < s->old->nodes.n; i++) {
        Node *x = s->old->nodes.at[i];
        for (int k = 0; uses[i] && k < x->n_in; k++)
            if (uses[x->in[k]->id] == 1) s->reader[x->in[k]->id] = x;
    }
}

/* A broadcast from a shape without axes of one element, from the value that has them where there is
 * one. */
static Node *from_ones(Graph *g, const Node *n, Node *const *map)
{
    unsigned ones = 0;
    Shape to = {0};
    for (int i = 0; n->op == OP_BROADCAST && i < n->type.shape.rank; i++) {
        bool fresh = n->attr.axes >> i & 1, one = fresh && size_is(n->type.shape.size[i], 1);
        if (one) ones |= 1u << i;
        if (one || !fresh) to.size[to.rank++] = n->type.shape.size[i];
    }
    Node *x = ones ? reshape_from_base(g, map[n->in[0]->id], &to) : NULL;
    if (!x || x->op == OP_RESHAPE) return node_copy(g, n, &n->attr, map);
    Node *y = n_broadcast(g, x, &n->type.shape, n->attr.axes & ~ones);
    name_as(y, n);
    return y;
}

/* Simplify leaves axes of one element out where it can, but a batch of one has slices too. */
static Graph *with_ones(const Graph *old, Node **roots, int n)
{
    Graph *g = graph_new();
    Node **map = NEW_N(Node *, old->nodes.n + 1);
    for (int i = 0; i < old->nodes.n; i++) map[i] = from_ones(g, old->nodes.at[i], map);
    map_roots(roots, n, map);
    return graph_copy(g, roots, n);
}

Entry *slices(Entry *e)
{
    Node **roots;
    int n = gather_roots(e, &roots);
    if (options.max_ram) return e;
    Sliced s = {.old = with_ones(e->g, roots, n), .g = graph_new()};
    s.map = NEW_N(Node *, s.old->nodes.n + 1);
    s.parts = find_slices(s.old, roots, n, &s.part_of, &s.outside);
    if (!s.parts.n) return e;
    const int *uses = graph_uses(s.old, roots, n);
    find_readers(&s, uses);
    for (int i = 0; i < s.old->nodes.n; i++) {
        const Node *x = s.old->nodes.at[i];
        if (uses[i] && (!s.part_of[i] || s.outside[i])) mapped(&s, x);
    }
    map_roots(roots, n, s.map);
    return entry_with(e, graph_copy(s.g, roots, n), roots);
}
