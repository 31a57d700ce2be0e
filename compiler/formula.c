/* formula.c - a derivative formula of the operator table as graph nodes.
 * In: the parsed formula, the node that is differentiated, the operand in question and the adjoint
 * dy. Out: the node whose value the formula describes. Everything it makes is made of operators
 * from the same table, so what comes out can be differentiated again. The words that undo a
 * movement (spread, unslice, ...) take its axes and sizes from the node that is differentiated. */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

typedef struct Formula {
    Graph *g;
    Node *fwd, *dy;
    int k;                    /* the operand to differentiate for */
} Formula;

static _Noreturn void bad_formula(const Formula *f, const char *what)
{
    fprintf(stderr, "nnc: internal error: derivative of %s: %s\n", op_info[f->fwd->op].name, what);
    abort();
}

static const Shape *operand_shape(const Formula *f) { return &f->fwd->in[f->k]->type.shape; }

/* ---- folded axes as one ---- */

/* A view in which the folded axes are the single axis `axis`, and the way back. */
typedef struct Merged {
    Node *m;
    int axis;
    bool moved;
    Shape apart;
    int back[MAX_RANK];
} Merged;

/* One axis is left where it is, as long as there is room for another beside it. Several are moved
 * to the end and joined there, in their order. */
static Merged merge_axes(Graph *g, Node *a, unsigned axes)
{
    const Shape *s = &a->type.shape;
    Merged r = {.m = a, .apart = {.rank = s->rank}};
    int perm[MAX_RANK], n = 0, kept;
    while (!(axes >> r.axis & 1)) r.axis++;
    if (!(axes & (axes - 1)) && s->rank < MAX_RANK) return r;
    for (int i = 0; i < s->rank; i++)
        if (!(axes >> i & 1)) perm[n++] = i;
    kept = n;
    for (int i = 0; i < s->rank; i++)
        if (axes >> i & 1) perm[n++] = i;
    Shape joined = {.rank = 2, .size = {size_const(1), size_const(1)}};
    for (int i = 0; i < s->rank; i++) {
        r.apart.size[i] = s->size[perm[i]];
        r.back[perm[i]] = i;
        joined.size[i >= kept] = size_mul(joined.size[i >= kept], r.apart.size[i]);
    }
    r.m = n_reshape(g, n_transpose(g, a, perm), &joined);
    r.axis = 1;
    r.moved = true;
    return r;
}

static Node *unmerge(Graph *g, const Merged *r, Node *y)
{
    return r->moved ? n_transpose(g, n_reshape(g, y, &r->apart), r->back) : y;
}

/* ---- the words ---- */

static Node *word_spread(const Formula *f, Node *const *in)
{
    return n_broadcast(f->g, in[0], operand_shape(f), f->fwd->attr.axes);
}

static Node *word_collect(const Formula *f, Node *const *in)
{
    return n_reduce(f->g, OP_SUM, in[0], f->fwd->attr.axes);
}

static Node *word_unshape(const Formula *f, Node *const *in)
{
    return n_reshape(f->g, in[0], operand_shape(f));
}

static Node *word_unpermute(const Formula *f, Node *const *in)
{
    int back[MAX_RANK] = {0};
    for (int i = 0; i < f->fwd->type.shape.rank; i++) back[f->fwd->attr.perm[i]] = i;
    return n_transpose(f->g, in[0], back);
}

static Node *word_unslice(const Formula *f, Node *const *in)
{
    return n_pad(f->g, in[0], f->fwd->attr.lo, operand_shape(f));
}

static Node *word_unpad(const Formula *f, Node *const *in)
{
    return n_slice(f->g, in[0], f->fwd->attr.lo, operand_shape(f));
}

static Node *word_unwindow(const Formula *f, Node *const *in)
{
    Type wide = {in[0]->type.elem, *operand_shape(f)};
    return graph_node(f->g, OP_UNWINDOW, &f->fwd->attr, wide, 1, in);
}

static Node *word_rewindow(const Formula *f, Node *const *in)
{
    Type open = {in[0]->type.elem, *operand_shape(f)};
    return graph_node(f->g, OP_WINDOW, &f->fwd->attr, open, 1, in);
}

static Node *word_unconcat(const Formula *f, Node *const *in)
{
    long axis = f->fwd->attr.k;
    SizeRef lo[MAX_RANK];
    for (int i = 0; i < MAX_RANK; i++) lo[i] = size_const(0);
    for (int i = 0; i < f->k; i++)
        lo[axis] = size_add(lo[axis], f->fwd->in[i]->type.shape.size[axis]);
    return n_slice(f->g, in[0], lo, operand_shape(f));
}

static Node *word_unreverse(const Formula *f, Node *const *in)
{
    return n_reverse(f->g, in[0], f->fwd->attr.axes);
}

static Node *word_uncast(const Formula *f, Node *const *in)
{
    return n_cast(f->g, f->fwd->in[f->k]->type.elem, in[0]);
}

static Node *word_scatter_add(const Formula *f, Node *const *in)
{
    return n_scatter_add(f->g, in[0], in[1], operand_shape(f));
}

static Node *word_gather(const Formula *f, Node *const *in)
{
    return n_gather(f->g, in[0], in[1]);
}

/* The number of each element among those with the same index along the other axes, row by row. */
static Node *number_along(Graph *g, const Shape *s, unsigned axes)
{
    Node *number = NULL;
    for (int i = 0; i < s->rank; i++) {
        if (!(axes >> i & 1)) continue;
        Node *next = n_iota(g, s, i), *size = n_size(g, ELEM_I32, s->size[i]);
        number = number ? n_map2(g, OP_ADD, n_map2(g, OP_MUL, size, number), next) : next;
    }
    return number;
}

/* Along the folded axes, holds at the first element that the result was taken from. */
static Node *word_first_of(const Formula *f, Node *const *in)
{
    Graph *g = f->g;
    const Shape *s = &in[0]->type.shape;
    unsigned axes = f->fwd->attr.axes;
    Node *first = n_reduce(g, f->fwd->op == OP_MAXOF ? OP_ARGMAX : OP_ARGMIN, in[0], axes);
    return n_map2(g, OP_EQ, number_along(g, s, axes), n_broadcast(g, first, s, axes));
}

/* For each element the product of the others: rest[i] = prod[j](i == j ? 1 : a[j]). Dividing the
 * product by the element would be wrong where elements are zero. */
static Node *word_prod_rest(const Formula *f, Node *const *in)
{
    Graph *g = f->g;
    Merged r = merge_axes(g, in[0], f->fwd->attr.axes);
    Shape pairs = {.rank = r.m->type.shape.rank + 1};
    for (int i = 0; i < pairs.rank; i++)
        pairs.size[i] = r.m->type.shape.size[i > r.axis ? i - 1 : i];
    Node *others = n_broadcast(g, r.m, &pairs, 1u << r.axis);
    Node *same = n_map2(g, OP_EQ, n_iota(g, &pairs, r.axis), n_iota(g, &pairs, r.axis + 1));
    Node *one = n_const(g, others->type.elem, 1);
    Node *rest = n_reduce(g, OP_PROD, n_map3(g, OP_WHERE, same, one, others), 2u << r.axis);
    return unmerge(g, &r, rest);
}

static const struct Word {
    const char *name;
    int arity;
    Node *(*make)(const Formula *f, Node *const *in);
} words[] = {
    {"spread", 1, word_spread},       {"collect", 1, word_collect},
    {"unshape", 1, word_unshape},     {"unpermute", 1, word_unpermute},
    {"unwindow", 1, word_unwindow},   {"rewindow", 1, word_rewindow},
    {"unslice", 1, word_unslice},     {"unpad", 1, word_unpad},
    {"unconcat", 1, word_unconcat},   {"unreverse", 1, word_unreverse},
    {"uncast", 1, word_uncast},       {"scatter_add", 2, word_scatter_add},
    {"gather", 2, word_gather},       {"first_of", 2, word_first_of},
    {"prod_rest", 1, word_prod_rest},
};

/* ---- expressions ---- */

static Node *build(const Formula *f, const Expr *e);

static Node *build_name(const Formula *f, const Expr *e)
{
    if (!strcmp(e->name, "dy")) return f->dy;
    if (!strcmp(e->name, "y")) return f->fwd;
    int i = e->name[0] - 'a';
    if (e->name[1] || i < 0 || i >= f->fwd->n_in) bad_formula(f, "an unknown name");
    return f->fwd->in[i];
}

static Node *build_call(const Formula *f, const Expr *e)
{
    Node *in[3];
    int n = e->list.n;
    if (e->a->kind != EX_NAME || n < 1 || n > 3) bad_formula(f, "a call that is none");
    for (int i = 0; i < n; i++) in[i] = build(f, e->list.at[i]);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i].name, e->a->name) && words[i].arity == n) return words[i].make(f, in);
    Op op = op_by_name(e->a->name);
    if (op == OP_COUNT || op_info[op].class != CLASS_MAP || op_info[op].arity != n)
        bad_formula(f, "an unknown function");
    return n == 1 ? n_map1(f->g, op, in[0]) : n_map2(f->g, op, in[0], in[1]);
}

static Node *build_binary(const Formula *f, const Expr *e)
{
    Node *a = build(f, e->a), *b = build(f, e->b);
    switch (e->op) {
    case O_ADD: return n_map2(f->g, OP_ADD, a, b);
    case O_SUB: return n_map2(f->g, OP_SUB, a, b);
    case O_MUL: return n_map2(f->g, OP_MUL, a, b);
    case O_DIV: return n_map2(f->g, OP_DIV, a, b);
    case O_MOD: return n_map2(f->g, OP_MOD, a, b);
    case O_POW: return n_map2(f->g, OP_POW, a, b);
    case O_MATMUL: return n_matmul(f->g, a, b);
    case O_EQ: return n_map2(f->g, OP_EQ, a, b);
    case O_NE: return n_map2(f->g, OP_NE, a, b);
    case O_LT: return n_map2(f->g, OP_LT, a, b);
    case O_LE: return n_map2(f->g, OP_LE, a, b);
    case O_GT: return n_map2(f->g, OP_LT, b, a);
    case O_GE: return n_map2(f->g, OP_LE, b, a);
    case O_AND: return n_map2(f->g, OP_AND, a, b);
    case O_OR: return n_map2(f->g, OP_OR, a, b);
    default: bad_formula(f, "an operator that formulas do not have");
    }
}

static Node *build_unary(const Formula *f, const Expr *e)
{
    if (e->op == O_NEG && e->a->kind == EX_NUMBER)
        return n_const(f->g, f->dy->type.elem, -e->a->num);
    return n_map1(f->g, e->op == O_NEG ? OP_NEG : OP_NOT, build(f, e->a));
}

static Node *build(const Formula *f, const Expr *e)
{
    switch (e->kind) {
    case EX_NAME: return build_name(f, e);
    case EX_NUMBER: return n_const(f->g, f->dy->type.elem, e->num);
    case EX_CALL: return build_call(f, e);
    case EX_TRANSPOSE: return n_swap_last(f->g, build(f, e->a));
    case EX_UNARY: return build_unary(f, e);
    case EX_BINARY: return build_binary(f, e);
    case EX_SELECT:
        return n_map3(f->g, OP_WHERE, build(f, e->a), build(f, e->b), build(f, e->c));
    default: bad_formula(f, "an expression that formulas do not have");
    }
}

Node *formula_build(Graph *g, const Expr *formula, Node *fwd, int k, Node *dy)
{
    return build(&(Formula){g, fwd, dy, k}, formula);
}
