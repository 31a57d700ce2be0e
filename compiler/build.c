/* build.c - builders of graph nodes: one function for each kind of node that passes make.
 * In: operands whose shapes already agree. Out: the node; trivial requests (a reshape to the same
 * shape, a sum over no axes) return the operand. */
#include "eval.h"

#include <string.h>

static Node *make(Graph *g, Op op, const Attr *attr, Type type, int n, Node *const *in)
{
    return graph_node(g, op, attr, type, n, in);
}

Node *n_const(Graph *g, Elem e, double v)
{
    Attr a = {.num = eval_rounds(e) ? eval_convert(ELEM_REAL, e, v) : v};
    return make(g, OP_CONST, &a, (Type){.elem = e}, 0, NULL);
}

Node *n_full(Graph *g, Type t, double v) { return n_expand(g, n_const(g, t.elem, v), &t.shape); }

Node *n_table(Graph *g, Type t, const double *values)
{
    Attr a = {.ref = values};
    return make(g, OP_TABLE, &a, t, 0, NULL);
}

Node *n_input(Graph *g, int k, Type t, const char *name)
{
    Attr a = {.k = k};
    Node *n = make(g, OP_INPUT, &a, t, 0, NULL);
    n->name = name;
    return n;
}

Node *n_slot(Graph *g, Slot *s)
{
    Attr a = {.ref = s};
    Node *n = make(g, s->is_state ? OP_STATE : OP_PARAM, &a, s->type, 0, NULL);
    const char *dot = strrchr(s->path, '.');
    n->name = dot ? intern_str(dot + 1) : s->path;
    return n;
}

Node *n_size(Graph *g, Elem e, SizeRef s)
{
    long v;
    if (size_is_const(s, &v)) return n_const(g, e, (double)v);
    Attr a = {.size = s};
    return make(g, OP_SIZE, &a, (Type){.elem = e}, 0, NULL);
}

Node *n_iota(Graph *g, const Shape *s, int axis)
{
    Attr a = {.k = axis};
    return make(g, OP_IOTA, &a, (Type){ELEM_I32, *s}, 0, NULL);
}

Node *n_draw(Graph *g, DrawKind kind, Type t, long site)
{
    Attr a = {.k = site, .draw = kind};
    return make(g, OP_DRAW, &a, t, 0, NULL);
}

Node *n_map1(Graph *g, Op op, Node *a) { return make(g, op, NULL, a->type, 1, &a); }

static Node *like(Graph *g, Node *n, const Node *other)
{
    return n->type.shape.rank == 0 ? n_expand(g, n, &other->type.shape) : n;
}

Node *n_map2(Graph *g, Op op, Node *a, Node *b)
{
    Node *in[2] = {like(g, a, b), like(g, b, a)};
    return make(g, op, NULL, in[0]->type, 2, in);
}

Node *n_map3(Graph *g, Op op, Node *a, Node *b, Node *c)
{
    const Node *widest = a->type.shape.rank ? a : b->type.shape.rank ? b : c;
    Node *in[3] = {like(g, a, widest), like(g, b, widest), like(g, c, widest)};
    return make(g, op, NULL, in[1]->type, 3, in);
}

Node *n_cast(Graph *g, Elem e, Node *a)
{
    if (a->type.elem == e) return a;
    return make(g, OP_CAST, NULL, (Type){.elem = e}, 1, &a);
}

Node *n_mark(Graph *g, Node *a)
{
    Attr attr = {.k = g->nodes.n};                     /* its own place: never equal to another */
    return make(g, OP_MARK, &attr, a->type, 1, &a);
}

Node *n_broadcast(Graph *g, Node *a, const Shape *to, unsigned new_axes)
{
    if (!new_axes) return a;
    Attr attr = {.axes = new_axes};
    return make(g, OP_BROADCAST, &attr, (Type){a->type.elem, *to}, 1, &a);
}

/* Axes that are missing or literally 1 are stretched: the 1s are dropped first, then broadcast. */
Node *n_expand(Graph *g, Node *a, const Shape *to)
{
    const Shape *s = &a->type.shape;
    int shift = to->rank - s->rank;
    if (shift < 0) return NULL;
    if (shape_equal(s, to)) return a;
    unsigned fresh = (1u << shift) - 1;
    Shape kept = {0};
    for (int i = 0; i < s->rank; i++) {
        if (s->size[i] == to->size[i + shift]) kept.size[kept.rank++] = s->size[i];
        else if (size_is(s->size[i], 1)) fresh |= 1u << (i + shift);
        else return NULL;
    }
    return n_broadcast(g, n_reshape(g, a, &kept), to, fresh);
}

Node *n_reduce(Graph *g, Op op, Node *a, unsigned axes)
{
    if (!axes && op != OP_ARGMAX && op != OP_ARGMIN) return a;
    Attr attr = {.axes = axes};
    return make(g, op, &attr, a->type, 1, &a);
}

Node *n_matmul(Graph *g, Node *a, Node *b)
{
    Node *in[2] = {a, b};
    return make(g, OP_MATMUL, NULL, a->type, 2, in);
}

Node *n_reshape(Graph *g, Node *a, const Shape *to)
{
    if (shape_equal(&a->type.shape, to)) return a;
    return make(g, OP_RESHAPE, NULL, (Type){a->type.elem, *to}, 1, &a);
}

Node *n_transpose(Graph *g, Node *a, const int *perm)
{
    Attr attr = {0};
    bool moved = false;
    for (int i = 0; i < a->type.shape.rank; i++) {
        attr.perm[i] = perm[i];
        moved |= perm[i] != i;
    }
    return moved ? make(g, OP_TRANSPOSE, &attr, a->type, 1, &a) : a;
}

Node *n_swap_last(Graph *g, Node *a)
{
    int perm[MAX_RANK], r = a->type.shape.rank;
    for (int i = 0; i < r; i++) perm[i] = i < r - 2 ? i : 2 * r - 3 - i;
    return n_transpose(g, a, perm);
}

static Node *block(Graph *g, Op op, Node *a, const SizeRef *lo, const Shape *to)
{
    if (shape_equal(&a->type.shape, to)) return a;
    Attr attr = {0};
    for (int i = 0; i < to->rank; i++) attr.lo[i] = lo[i];
    return make(g, op, &attr, (Type){a->type.elem, *to}, 1, &a);
}

/* The last element of a sequence that a recurrence emits, when it is the next value of a state:
 * then it is the last value of the state. */
static Node *last_state(Graph *g, const Node *a, const SizeRef *lo, const Shape *to)
{
    const Scan *s = a->attr.ref;
    if (a->op != OP_SCAN || a->attr.k < s->n_states || !size_is(to->size[0], 1)) return NULL;
    SizeRef last = s->reversed ? size_const(0) : size_sub(a->attr.size, size_const(1));
    for (int i = 0; i < to->rank; i++)
        if (i ? to->size[i] != a->type.shape.size[i] : lo[0] != last) return NULL;
    for (int k = 0; k < s->n_states; k++)
        if (s->next[k] == s->emit[a->attr.k - s->n_states])
            return n_reshape(g, n_scan(g, s, a->attr.size, k, a->n_in, a->in), to);
    return NULL;
}

Node *n_slice(Graph *g, Node *a, const SizeRef *lo, const Shape *to)
{
    Node *state = last_state(g, a, lo, to);
    return state ? state : block(g, OP_SLICE, a, lo, to);
}

Node *n_pad(Graph *g, Node *a, const SizeRef *lo, const Shape *to)
{
    return block(g, OP_PAD, a, lo, to);
}

Node *n_concat(Graph *g, int axis, int n, Node *const *parts)
{
    if (n == 1) return parts[0];
    Attr attr = {.k = axis};
    return make(g, OP_CONCAT, &attr, parts[0]->type, n, parts);
}

Node *n_reverse(Graph *g, Node *a, unsigned axes)
{
    if (!axes) return a;
    Attr attr = {.axes = axes};
    return make(g, OP_REVERSE, &attr, a->type, 1, &a);
}

Node *n_gather(Graph *g, Node *table, Node *index)
{
    Node *in[2] = {table, index};
    return make(g, OP_GATHER, NULL, table->type, 2, in);
}

Node *n_scatter_add(Graph *g, Node *index, Node *rows, const Shape *to)
{
    Node *in[2] = {index, rows};
    return make(g, OP_SCATTER, NULL, (Type){rows->type.elem, *to}, 2, in);
}

Type scan_type(const Scan *s, SizeRef steps, int result)
{
    if (result < s->n_states) return s->next[result]->type;
    Type t = s->emit[result - s->n_states]->type;
    Shape seq = {.rank = t.shape.rank + 1, .size = {steps}};
    for (int i = 0; i < t.shape.rank; i++) seq.size[i + 1] = t.shape.size[i];
    return (Type){t.elem, seq};
}

Node *n_scan(Graph *g, const Scan *s, SizeRef steps, int result, int n_in, Node *const *in)
{
    Attr attr = {.k = result, .size = steps, .ref = s};
    return graph_node(g, OP_SCAN, &attr, scan_type(s, steps, result), n_in, in);
}
