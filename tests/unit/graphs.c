/* graphs.c - random programs for the tests of the loop level. Values stay small and away from
 * kinks, so that float and double agree; the kinds of nodes are drawn with about equal chances. */
#include "graphs.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_POOL = 200 };

typedef struct Maker {
    Graph *g;
    const Dim *dim;
    uint64_t state;
    Node *pool[MAX_POOL]; /* real values so far */
    int n;
    Node *label; /* i32[N] */
    long sites;
} Maker;

static uint64_t used;

uint64_t operators_used(void) { return used; }

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int pick(Maker *m, int n) { return (int)(next(&m->state) % (uint64_t)n); }

static void keep(Maker *m, Node *n)
{
    if (!n || size_upper(shape_count(&n->type.shape)) > 20000) return;
    if (m->n < MAX_POOL && elem_is_real(n->type.elem)) m->pool[m->n++] = n;
}

static Node *any(Maker *m) { return m->pool[m->n - 1 - pick(m, m->n < 12 ? m->n : 12)]; }

static Node *number(Maker *m, double v) { return n_const(m->g, ELEM_REAL, v); }

/* a squeezed into lo .. hi */
static Node *within(Maker *m, Node *a, double lo, double hi)
{
    Graph *g = m->g;
    Node *s = n_map1(g, OP_SIN, a);
    return n_map2(g, OP_ADD, n_map2(g, OP_MUL, s, number(m, (hi - lo) / 2)),
                  number(m, (hi + lo) / 2));
}

/* The operand's samples in the table, "lo..hi lo..hi". */
static Node *operand(Maker *m, Op op, int k, Node *a)
{
    const char *domain = op_info[op].domain;
    double lo = -2, hi = 2;
    for (; k > 0 && strchr(domain, ' '); k--) domain = strchr(domain, ' ') + 1;
    if (!strncmp(domain, "bool", 4)) return n_map2(m->g, OP_LT, a, number(m, 0.123));
    sscanf(domain, "%lf..%lf", &lo, &hi);
    return within(m, a, lo, hi);
}

/* Another value of the same shape. */
static Node *partner(Maker *m, Node *a)
{
    for (int i = 0; i < 10; i++) {
        Node *b = any(m);
        Node *e =
            b->type.shape.rank <= a->type.shape.rank ? n_expand(m->g, b, &a->type.shape) : NULL;
        if (e) return e;
    }
    return a;
}

static Node *as_real(Maker *m, Node *n)
{
    return elem_is_real(n->type.elem) ? n : n_cast(m->g, ELEM_REAL, n);
}

static Node *random_map(Maker *m)
{
    Op op;
    do op = (Op)pick(m, OP_COUNT);
    while (op_info[op].class != CLASS_MAP || op == OP_CAST);
    Node *in[3], *a = any(m);
    for (int k = 0; k < op_info[op].arity; k++) in[k] = operand(m, op, k, k ? partner(m, a) : a);
    used |= (uint64_t)1 << op;
    if (op == OP_MARK) return n_mark(m->g, in[0]);
    Node *y = op_info[op].arity == 1   ? n_map1(m->g, op, in[0])
              : op_info[op].arity == 2 ? n_map2(m->g, op, in[0], in[1])
                                       : n_map3(m->g, op, in[0], in[1], in[2]);
    return as_real(m, y);
}

static Node *random_fold(Maker *m)
{
    Op op;
    do op = (Op)pick(m, OP_COUNT);
    while (op_info[op].class != CLASS_FOLD);
    Node *a = any(m);
    int rank = a->type.shape.rank;
    if (!rank) return NULL;
    unsigned axes = 1u + (unsigned)pick(m, (1 << rank) - 1);
    bool arg = op == OP_ARGMAX || op == OP_ARGMIN;
    if (arg) axes = 1u << pick(m, rank);
    if (op == OP_ANY || op == OP_ALL) a = n_map2(m->g, OP_LT, a, number(m, 0.321));
    if (op == OP_PROD) a = within(m, a, 0.98, 1.02);
    used |= (uint64_t)1 << op;
    return as_real(m, n_reduce(m->g, op, a, axes));
}

static Node *random_reshape(Maker *m, Node *a)
{
    Shape s = a->type.shape, t = {0};
    int kind = pick(m, 3);
    long n;
    used |= (uint64_t)1 << OP_RESHAPE;
    for (int i = 0; i < s.rank; i++) {
        if (kind == 0 && i + 1 < s.rank && !t.rank) {
            t.size[t.rank++] = size_mul(s.size[i], s.size[i + 1]);
            i++;
        } else if (kind == 1 && size_is_const(s.size[i], &n) && n % 2 == 0 &&
                   t.rank + 2 < MAX_RANK) {
            t.size[t.rank++] = size_const(n / 2);
            t.size[t.rank++] = size_const(2);
        } else
            t.size[t.rank++] = s.size[i];
    }
    if (kind == 2 && t.rank < 4) t.size[t.rank++] = size_const(1);
    return n_reshape(m->g, a, &t);
}

static Node *random_block(Maker *m, Node *a, bool cut)
{
    SizeRef lo[MAX_RANK] = {0};
    Shape to = a->type.shape;
    for (int i = 0; i < to.rank; i++) {
        long n;
        lo[i] = size_const(0);
        if (!size_is_const(to.size[i], &n) || n < 3) continue;
        lo[i] = size_const(pick(m, 2));
        to.size[i] = cut ? size_const(n - 2) : size_const(n + 2);
    }
    used |= (uint64_t)1 << (cut ? OP_SLICE : OP_PAD);
    return cut ? n_slice(m->g, a, lo, &to) : n_pad(m->g, a, lo, &to);
}

static Node *random_view(Maker *m)
{
    Node *a = any(m);
    int rank = a->type.shape.rank, perm[MAX_RANK];
    switch (pick(m, 7)) {
    case 0: return random_reshape(m, a);
    case 1: return random_block(m, a, true);
    case 2: return random_block(m, a, false);
    case 3:
        for (int i = 0; i < rank; i++) perm[i] = rank - 1 - i;
        used |= (uint64_t)1 << OP_TRANSPOSE;
        return n_transpose(m->g, a, perm);
    case 4:
        used |= (uint64_t)1 << OP_REVERSE;
        return rank ? n_reverse(m->g, a, 1u + (unsigned)pick(m, (1 << rank) - 1)) : NULL;
    case 5: {
        Node *parts[3] = {a, within(m, a, 0, 1), a};
        used |= (uint64_t)1 << OP_CONCAT;
        return rank ? n_concat(m->g, pick(m, rank), 2 + pick(m, 2), parts) : NULL;
    }
    default: {
        Shape to = a->type.shape;
        int at = pick(m, rank + 1);
        if (rank > 3) return NULL;
        for (int i = rank; i > at; i--) to.size[i] = to.size[i - 1];
        to.size[at] = size_const(2 + pick(m, 3));
        to.rank++;
        used |= (uint64_t)1 << OP_BROADCAST;
        return n_broadcast(m->g, a, &to, 1u << at);
    }
    }
}

static Node *random_product(Maker *m)
{
    Node *a = any(m), *b = NULL;
    int rank = a->type.shape.rank;
    if (rank < 2) return NULL;
    for (int i = m->n - 1; i >= 0 && !b; i--)
        for (int turn = 0; turn < 2 && !b; turn++) {
            Node *c =
                turn ? (m->pool[i]->type.shape.rank == rank ? n_swap_last(m->g, m->pool[i]) : NULL)
                     : m->pool[i];
            if (!c || c->type.shape.rank != rank ||
                c->type.shape.size[rank - 2] != a->type.shape.size[rank - 1])
                continue;
            bool same = true;
            for (int k = 0; k + 2 < rank; k++)
                same &= c->type.shape.size[k] == a->type.shape.size[k];
            if (same) b = c;
        }
    if (!b) b = n_swap_last(m->g, a);
    used |= (uint64_t)1 << OP_MATMUL;
    Node *y = n_matmul(m->g, within(m, a, -0.4, 0.5), b);
    if (pick(m, 2)) {
        Shape row = {.rank = 1, .size = {y->type.shape.size[rank - 1]}};
        Node *bias = NULL;
        for (int i = 0; i < m->n && !bias; i++)
            if (shape_equal(&m->pool[i]->type.shape, &row)) bias = m->pool[i];
        if (bias) y = n_map2(m->g, OP_ADD, y, n_expand(m->g, bias, &y->type.shape));
        int act = pick(m, 4);
        if (act == 0) y = n_map2(m->g, OP_MAX, number(m, 0), y);
        if (act == 1) y = n_map1(m->g, OP_TANH, y);
        if (act == 2) y = n_map1(m->g, OP_SIGMOID, y);
    }
    return y;
}

static Node *random_lookup(Maker *m)
{
    Node *a = any(m);
    Shape s = a->type.shape;
    long rows;
    if (!s.rank || s.rank > 3 || !size_is_const(s.size[0], &rows)) return NULL;
    Node *rows_of = n_gather(m->g, a, m->label);
    used |= (uint64_t)1 << OP_GATHER | (uint64_t)1 << OP_SCATTER;
    return pick(m, 2) ? rows_of : n_scatter_add(m->g, m->label, within(m, rows_of, -1, 1), &s);
}

static Node *random_leaf(Maker *m)
{
    Graph *g = m->g;
    Shape s = {.rank = 2, .size = {size_dim(m->dim), size_const(3 + pick(m, 3))}};
    double *v = NEW_N(double, 6);
    switch (pick(m, 5)) {
    case 0: used |= (uint64_t)1 << OP_IOTA; return n_cast(g, ELEM_REAL, n_iota(g, &s, pick(m, 2)));
    case 1: used |= (uint64_t)1 << OP_SIZE; return n_size(g, ELEM_REAL, size_dim(m->dim));
    case 2:
        for (int i = 0; i < 6; i++) v[i] = 0.25 * i - 0.5;
        used |= (uint64_t)1 << OP_TABLE;
        return n_table(g, (Type){ELEM_REAL, {.rank = 2, .size = {size_const(2), size_const(3)}}},
                       v);
    case 3:
        used |= (uint64_t)1 << OP_DRAW;
        return n_draw(g, pick(m, 2) ? DRAW_NORMAL : DRAW_UNIFORM, (Type){ELEM_REAL, s}, ++m->sites);
    default: {
        Node *whole = n_cast(g, ELEM_I32, within(m, any(m), 0.2, 7.8));
        used |= (uint64_t)1 << OP_CAST;
        Op op = pick(m, 2) ? OP_DIV : OP_MOD;
        return n_cast(g, ELEM_REAL,
                      n_map2(g, op, n_map2(g, OP_SUB, whole, n_const(g, ELEM_I32, 4)),
                             n_const(g, ELEM_I32, 3)));
    }
    }
}

static void random_node(Maker *m)
{
    int kind = pick(m, 20);
    keep(m, kind < 9    ? random_map(m)
            : kind < 12 ? random_fold(m)
            : kind < 15 ? random_view(m)
            : kind < 17 ? random_product(m)
            : kind < 18 ? random_lookup(m)
                        : random_leaf(m));
}

/* ---- programs ------------------------------------------------------------------------------- */

static Type real_type(int rank, SizeRef a, SizeRef b, SizeRef c)
{
    return (Type){ELEM_REAL, {.rank = rank, .size = {a, b, c}}};
}

static void add_slot(Program *p, bool is_state, const char *path, Type t)
{
    Slot *s = NEW(Slot);
    *s = (Slot){.path = path, .is_state = is_state, .type = t, .is_used = true};
    s->id = is_state ? p->states.n : p->params.n;
    if (is_state)
        vec_push(&p->states, s);
    else
        vec_push(&p->params, s);
}

static void add_input(Entry *e, const char *name, Type t)
{
    Input in = {.name = name, .type = t};
    vec_push(&e->inputs, in);
}

static void add_results(Maker *m, Program *p, Entry *e)
{
    static const char *const names[] = {"p", "q", "r"};
    int outputs = 1 + pick(m, 3);
    for (int i = 0; i < outputs; i++) {
        Output o = {.name = names[i], .node = m->pool[m->n - 1 - pick(m, m->n < 25 ? m->n : 25)]};
        vec_push(&e->outputs, o);
    }
    for (int i = 0; i < p->params.n + p->states.n; i++) {
        Slot *s = i < p->params.n ? p->params.at[i] : p->states.at[i - p->params.n];
        Node *old = n_slot(m->g, s), *with = NULL;
        if (pick(m, 2)) continue;
        for (int k = m->n - 1; k >= 0 && !with; k--)
            if (shape_equal(&m->pool[k]->type.shape, &s->type.shape)) with = m->pool[k];
        Node *value =
            with && pick(m, 3) ? within(m, with, -1, 1) : n_map2(m->g, OP_MUL, old, number(m, 0.5));
        if (pick(m, 2))
            value = n_map2(m->g, OP_SUB, old, n_map2(m->g, OP_MUL, value, number(m, 0.125)));
        Update u = {.slot = s, .value = value};
        vec_push(&e->updates, u);
    }
}

static Entry *random_entry(Program *p, uint64_t number, int size, const char *name)
{
    Entry *e = NEW(Entry);
    const Dim *d = p->dims.at[0];
    *e = (Entry){.name = name, .g = graph_new()};
    vec_push(&e->dims, d);
    SizeRef n = size_dim(d), five = size_const(5), one = size_const(1);
    add_input(e, "x", real_type(2, n, five, one));
    add_input(e, "y", real_type(2, n, size_const(40), one));
    add_input(e, "z", real_type(3, n, size_const(3), size_const(4)));
    add_input(e, "a", real_type(0, one, one, one));
    add_input(e, "label", (Type){ELEM_I32, {.rank = 1, .size = {n}}});
    Maker m = {.g = e->g, .dim = d, .state = number};
    for (int i = 0; i < 4; i++)
        keep(&m, n_input(e->g, i, e->inputs.at[i].type, e->inputs.at[i].name));
    m.label = n_input(e->g, 4, e->inputs.at[4].type, "label");
    for (int i = 0; i < p->params.n; i++) keep(&m, n_slot(e->g, p->params.at[i]));
    for (int i = 0; i < p->states.n; i++) keep(&m, n_slot(e->g, p->states.at[i]));
    while (size--) random_node(&m);
    add_results(&m, p, e);
    return e;
}

Program *random_program(uint64_t number, int entries, int size, long hi)
{
    Program *p = NEW(Program);
    Dim *d = NEW(Dim);
    *p = (Program){.name = "sample", .has_draws = true};
    *d = (Dim){.name = "N", .lo = 1, .hi = hi};
    vec_push(&p->dims, d);
    SizeRef five = size_const(5), forty = size_const(40), seven = size_const(7);
    add_slot(p, false, "net.W", real_type(2, five, seven, five));
    add_slot(p, false, "net.V", real_type(2, forty, five, five));
    add_slot(p, false, "b", real_type(1, seven, five, five));
    add_slot(p, true, "old", real_type(2, five, seven, five));
    add_slot(p, true, "count", real_type(0, five, five, five));
    for (int i = 0; i < entries; i++) {
        Entry *e = random_entry(p, number * 1000 + (uint64_t)i, size, format("entry%d", i));
        simplify_entry(e);
        vec_push(&p->entries, e);
    }
    p->init = NEW(Entry);
    *p->init = (Entry){.name = "init", .g = graph_new(), .writes = true};
    for (int i = 0; i < p->params.n; i++) {
        Node *draw = n_draw(p->init->g, DRAW_NORMAL, p->params.at[i]->type, 100 + i);
        Update u = {.slot = p->params.at[i],
                    .value = n_map2(p->init->g, OP_MUL, draw, n_const(p->init->g, ELEM_REAL, 0.5))};
        vec_push(&p->init->updates, u);
    }
    for (int i = 0; i < p->states.n; i++) {
        Update u = {.slot = p->states.at[i],
                    .value = n_full(p->init->g, p->states.at[i]->type, i * 0.75)};
        vec_push(&p->init->updates, u);
    }
    simplify_entry(p->init);
    return p;
}

Tensor **random_arguments(const Entry *e, uint64_t number, long n)
{
    long dims[64] = {0};
    Tensor **args = NEW_N(Tensor *, e->inputs.n);
    dims[e->dims.at[0]->id] = n;
    for (int i = 0; i < e->inputs.n; i++) {
        Type t = e->inputs.at[i].type;
        long size[MAX_RANK];
        for (int k = 0; k < t.shape.rank; k++) size[k] = size_eval(t.shape.size[k], dims);
        args[i] = tensor_new(t.elem, t.shape.rank, size);
        for (long k = 0; k < args[i]->count; k++) {
            double v = (double)(next(&number) >> 11) * 0x1p-53;
            args[i]->v[k] =
                t.elem == ELEM_I32 ? (double)(long)(v * 9) - 1 : (double)(float)(3 * v - 1.5);
        }
    }
    return args;
}
