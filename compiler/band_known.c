/* band_known.c - which parts of values are one number because of a mask.
 * In: a simplified graph. Out: for every value the half planes x[p] >= x[q] + from of its index x
 * in which it is one known number. They begin at comparisons of indices such as `j <= i`, go
 * through selections and operators that one operand decides, and turn with the axes. What a mask
 * forbids is taken for a finite number: 0 * x is 0 there, and -inf + x is -inf. */
#include "band.h"
#include "eval.h"
#include "kernel.h"

#include <math.h>

/* ---- regions --------------------------------------------------------------------------------- */

SizeRef larger_size(SizeRef a, SizeRef b)
{
    SizeRef more = size_sub(a, b);
    if (size_lower(more) >= 0) return a;
    return size_upper(more) <= 0 ? b : NULL;
}

static Region *find_region(Regions *r, int p, int q)
{
    for (int i = 0; r && i < r->n; i++)
        if (r->at[i].p == p && r->at[i].q == q) return &r->at[i];
    return NULL;
}

const Region *region_of(const Regions *r, int p, int q)
{
    return find_region((Regions *)(uintptr_t)r, p, q);
}

void add_region(Regions *r, Region region)
{
    Region *old = find_region(r, region.p, region.q);
    if (!old) {
        if (r->n < MAX_REGIONS) r->at[r->n++] = region;
    } else if (larger_size(old->from, region.from) == old->from) {
        *old = region;
    }
}

/* ---- axes ------------------------------------------------------------------------------------ */

bool keeps_axes(const Node *n)
{
    return n->op == OP_BROADCAST || n->op == OP_TRANSPOSE || n->op == OP_SLICE ||
           n->op == OP_RESHAPE;
}

/* The elements behind an axis. */
static SizeRef inner_count(const Shape *s, int axis)
{
    SizeRef count = size_const(1);
    for (int i = axis + 1; i < s->rank; i++) count = size_mul(count, s->size[i]);
    return count;
}

int operand_axis(const Node *n, int axis)
{
    const Shape *to = &n->type.shape, *of = &n->in[0]->type.shape;
    int old = 0;
    switch (n->op) {
    case OP_TRANSPOSE: return n->attr.perm[axis];
    case OP_SLICE: return axis;
    case OP_BROADCAST:
        for (int i = 0; i < axis; i++) old += !(n->attr.axes >> i & 1);
        return n->attr.axes >> axis & 1 ? -1 : old;
    default:
        for (int i = 0; i < of->rank; i++)
            if (of->size[i] == to->size[axis] && inner_count(of, i) == inner_count(to, axis))
                return i;
        return -1;
    }
}

int view_axis(const Node *n, int axis)
{
    for (int i = 0; i < n->type.shape.rank; i++)
        if (operand_axis(n, i) == axis) return i;
    return -1;
}

SizeRef view_start(const Node *n, int axis)
{
    return n->op == OP_SLICE ? n->attr.lo[axis] : size_const(0);
}

/* ---- integers that count along axes ---------------------------------------------------------- */

/* plus + by[0] x[0] + by[1] x[1] + .. */
typedef struct Linear {
    SizeRef plus;
    int by[MAX_RANK];
} Linear;

static Linear *linear_sum(const Linear *a, const Linear *b, int sign)
{
    if (!a || !b) return NULL;
    Linear *y = NEW(Linear);
    y->plus = sign < 0 ? size_sub(a->plus, b->plus) : size_add(a->plus, b->plus);
    for (int i = 0; i < MAX_RANK; i++) y->by[i] = a->by[i] + sign * b->by[i];
    return y;
}

static Linear *linear_view(const Node *n, const Linear *of)
{
    if (!of) return NULL;
    Linear *y = NEW(Linear);
    y->plus = of->plus;
    for (int i = 0; i < n->in[0]->type.shape.rank; i++) {
        int axis = view_axis(n, i);
        if (of->by[i] && axis < 0) return NULL;
        if (!of->by[i]) continue;
        y->by[axis] = of->by[i];
        y->plus = size_add(y->plus, size_mul(size_const(of->by[i]), view_start(n, axis)));
    }
    return y;
}

static Linear *linear_leaf(SizeRef plus)
{
    Linear *y = NEW(Linear);
    y->plus = plus;
    return y;
}

static Linear *linear_of(const Node *n, Linear *const *of)
{
    Linear *y, *a = n->n_in > 0 ? of[n->in[0]->id] : NULL;
    const Linear *b = n->n_in > 1 ? of[n->in[1]->id] : NULL;
    double v = n->attr.num;
    if (keeps_axes(n)) return linear_view(n, a);
    switch (n->op) {
    case OP_CONST: return v == floor(v) && fabs(v) < 1e6 ? linear_leaf(size_const((long)v)) : NULL;
    case OP_SIZE: return linear_leaf(n->attr.size);
    case OP_IOTA:
        y = linear_leaf(size_const(0));
        y->by[n->attr.k] = 1;
        return y;
    case OP_ADD: return linear_sum(a, b, 1);
    case OP_SUB: return linear_sum(a, b, -1);
    case OP_NEG: return linear_sum(linear_leaf(size_const(0)), a, -1);
    case OP_CAST: return elem_bytes(n->type.elem) < 4 ? NULL : a;
    default: return NULL;
    }
}

/* `a < b` and the like, where a - b is x[p] - x[q] + c: one number where that is large, another
 * where it is small. */
static void compare_indices(const Node *n, const Linear *diff, Regions *r)
{
    int p = -1, q = -1;
    if (!diff) return;
    for (int i = 0; i < MAX_RANK; i++) {
        if (!diff->by[i]) continue;
        int *axis = diff->by[i] == 1 ? &p : &q;
        if (diff->by[i] * diff->by[i] != 1 || *axis >= 0) return;
        *axis = i;
    }
    if (p < 0 || q < 0) return;
    bool strict = n->op == OP_LT, equal = n->op == OP_EQ || n->op == OP_NE;
    SizeRef one = size_const(1), c = diff->plus, minus = size_sub(size_const(0), c);
    double below = n->op != OP_EQ, above = n->op == OP_NE;
    add_region(r, (Region){p, q, strict ? minus : size_add(minus, one), above, false});
    add_region(r, (Region){q, p, strict || equal ? size_add(c, one) : c, below, false});
}

/* ---- operators that one operand decides ------------------------------------------------------ */

typedef struct Rule {
    Op op;
    int k;             /* the operand */
    double known, not; /* its value; what the other one must be known not to be (NAN: no matter) */
    double result;
} Rule;

static const Rule rules[] = {
    {OP_MUL, 0, 0, NAN, 0},
    {OP_MUL, 1, 0, NAN, 0},
    {OP_DIV, 0, 0, 0, 0},
    {OP_AND, 0, 0, NAN, 0},
    {OP_AND, 1, 0, NAN, 0},
    {OP_OR, 0, 1, NAN, 1},
    {OP_OR, 1, 1, NAN, 1},
    {OP_ADD, 0, -INFINITY, NAN, -INFINITY},
    {OP_ADD, 1, -INFINITY, NAN, -INFINITY},
    {OP_SUB, 0, -INFINITY, -INFINITY, -INFINITY},
    {OP_MIN, 0, -INFINITY, NAN, -INFINITY},
    {OP_MIN, 1, -INFINITY, NAN, -INFINITY},
};

/* Is n never v, as in `v < x ? x : 1`? */
static bool is_never(const Node *n, double v)
{
    double w;
    n = see_through((Node *)(uintptr_t)n);
    if (node_is_const(n, &w)) return w != v;
    if (keeps_axes(n)) return is_never(n->in[0], v);
    if (n->op != OP_WHERE || !is_never(n->in[2], v)) return false;
    const Node *asks = n->in[0];
    return is_never(n->in[1], v) || (asks->op == OP_LT && asks->in[1] == n->in[1] &&
                                     node_is_const(asks->in[0], &w) && w >= v);
}

/* Operands as far as they are known in the half plane of axes p and q. */
typedef struct Known {
    bool is;
    SizeRef from; /* NULL: everywhere */
    double value;
} Known;

static Known known_operand(const Node *in, Regions *const *known, int p, int q)
{
    double v;
    if (node_is_const(in, &v)) return (Known){true, NULL, v};
    const Region *r = region_of(known[in->id], p, q);
    return r ? (Known){true, r->from, r->value} : (Known){0};
}

/* Where both are known. */
static bool both_known(Known a, Known b, SizeRef *from)
{
    *from = !a.from ? b.from : !b.from ? a.from : larger_size(a.from, b.from);
    return a.is && b.is && *from;
}

/* All operands are known; false: not in one half plane. */
static bool all_known(const Node *n, const Known *in, Known *y)
{
    double v[3] = {in[0].value, n->n_in > 1 ? in[1].value : 0, n->n_in > 2 ? in[2].value : 0};
    Elem e = n->in[n->n_in > 2 ? 1 : 0]->type.elem;
    Known all = {true, NULL, 0};
    for (int k = 0; k < n->n_in; k++) {
        if (!in[k].is) return false;
        if (all.from && in[k].from) all.from = larger_size(all.from, in[k].from);
        else if (in[k].from) all.from = in[k].from;
        if (in[k].from && !all.from) return false;
    }
    all.value = eval_map(n->op, e, n->type.elem, v);
    *y = all;
    return all.from != NULL;
}

/* The value of a map in the half plane of axes p and q. */
static Known known_map(const Node *n, Regions *const *known, int p, int q)
{
    Known in[3] = {0}, y = {0};
    for (int k = 0; k < n->n_in; k++) in[k] = known_operand(n->in[k], known, p, q);
    if (all_known(n, in, &y) && isnan(y.value)) return (Known){0};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const Rule *r = &rules[i];
        Known decides = in[r->k];
        if (n->op != r->op || !decides.is || !decides.from || decides.value != r->known) continue;
        if (!isnan(r->not) && !is_never(n->in[1 - r->k], r->not)) continue;
        if (!y.is || larger_size(y.from, decides.from) == y.from)
            y = (Known){true, decides.from, r->result};
    }
    if (n->op == OP_WHERE && in[0].is) {
        Known arm = in[in[0].value != 0 ? 1 : 2];
        if (both_known(in[0], arm, &arm.from)) y = arm;
    }
    return y;
}

static void map_regions(const Node *n, Regions *const *known, Regions *r)
{
    for (int k = 0; k < n->n_in; k++) {
        const Regions *of = known[n->in[k]->id];
        for (int i = 0; of && i < of->n; i++) {
            Known y = known_map(n, known, of->at[i].p, of->at[i].q);
            if (y.is && y.from)
                add_region(r, (Region){of->at[i].p, of->at[i].q, y.from, y.value, false});
        }
    }
}

static void view_regions(const Node *n, const Regions *of, Regions *r)
{
    for (int i = 0; of && i < of->n; i++) {
        Region y = of->at[i];
        y.p = view_axis(n, y.p);
        y.q = view_axis(n, y.q);
        if (y.p < 0 || y.q < 0) continue;
        y.from = size_add(y.from, size_sub(view_start(n, y.q), view_start(n, y.p)));
        add_region(r, y);
    }
}

/* ---- recurrences ----------------------------------------------------------------------------- */

/* Moves the axes, behind which a step has none of its own: by -1 into the step, by 1 out of it. */
static Regions step_regions(const Regions *of, int by)
{
    Regions r = {0};
    for (int i = 0; of && i < of->n; i++) {
        Region y = of->at[i];
        y.p += by;
        y.q += by;
        if (y.p >= 0 && y.q >= 0) add_region(&r, y);
    }
    return r;
}

Regions *known_element(const Regions *sequence)
{
    Regions r = step_regions(sequence, -1), *y = NEW(Regions);
    *y = r;
    return r.n ? y : NULL;
}

/* What a recurrence emits is known as far as what its body emits is. */
static void scan_regions(const Node *n, Regions *const *known, Regions *r)
{
    const Scan *s = n->attr.ref;
    const Regions **inputs = NEW_N(const Regions *, n->n_in + 1);
    if (n->attr.k < s->n_states || (s->moved && s->moved[n->attr.k - s->n_states])) return;
    for (int k = 0; k < s->n_seqs; k++) inputs[k] = known_element(known[n->in[k]->id]);
    for (int k = s->n_seqs + s->n_states; k < n->n_in; k++) inputs[k] = known[n->in[k]->id];
    *r = step_regions(known_regions(s->body, inputs)[s->next[n->attr.k]->id], 1);
}

Regions **known_regions(const Graph *g, const Regions *const *inputs)
{
    Regions **known = NEW_N(Regions *, g->nodes.n + 1);
    Linear **linear = NEW_N(Linear *, g->nodes.n + 1);
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        Regions r = {0};
        bool compares = n->op == OP_LT || n->op == OP_LE || n->op == OP_EQ || n->op == OP_NE;
        linear[i] = linear_of(n, linear);
        if (compares)
            compare_indices(n, linear_sum(linear[n->in[0]->id], linear[n->in[1]->id], -1), &r);
        if (n->op == OP_INPUT && inputs && inputs[n->attr.k]) r = *inputs[n->attr.k];
        if (n->op == OP_SCAN)
            scan_regions(n, known, &r);
        else if (keeps_axes(n))
            view_regions(n, known[n->in[0]->id], &r);
        else if (op_info[n->op].class == CLASS_MAP && see_through((Node *)(uintptr_t)n) == n)
            map_regions(n, known, &r);
        if (!r.n) continue;
        known[i] = NEW(Regions);
        *known[i] = r;
    }
    return known;
}
