/* simplify_const.c - operators whose operands are all known numbers.
 * In: a node. Out: the number or the table that it computes, found by the interpreter itself, so
 * that folding agrees with running. A table is made only when it is small and takes no more room
 * than the operands did; numbers that are joined become one as well. */
#include "eval.h"
#include "known.h"
#include "simplify.h"

#include <string.h>

enum { MAX_TABLE = 1024, MAX_LITERAL = 64 };

static Node *fold_map(Simplifier *s, Node *n)
{
    double v[3] = {0};
    for (int k = 0; k < n->n_in; k++)
        if (!node_is_const(n->in[k], &v[k])) return NULL;
    Elem in = n->in[n->op == OP_WHERE ? 1 : 0]->type.elem;
    return n_full(s->g, n->type, eval_map(n->op, in, n->type.elem, v));
}

/* The product of the sizes of the folded axes. */
static SizeRef folded_count(const Node *n)
{
    SizeRef count = size_const(1);
    for (int i = 0; i < n->in[0]->type.shape.rank; i++)
        if (n->attr.axes >> i & 1) count = size_mul(count, n->in[0]->type.shape.size[i]);
    return count;
}

/* A fold over equal elements: n v for a sum, v where more than no element is there. */
static Node *fold_fold(Simplifier *s, Node *n)
{
    double v;
    SizeRef count = folded_count(n);
    if (!node_is_const(n->in[0], &v)) return NULL;
    Node *value = n_full(s->g, n->type, v);
    if (n->op == OP_SUM) return n_map2(s->g, OP_MUL, value, n_size(s->g, n->type.elem, count));
    if (n->op == OP_PROD) return v == 1 ? value : NULL;
    if (size_lower(count) < 1) return NULL;
    return n->op == OP_ARGMAX || n->op == OP_ARGMIN ? n_full(s->g, n->type, 0) : value;
}

/* Does the operator take elements as they are, and nothing else? */
static bool only_moves(Op op)
{
    return op == OP_RESHAPE || op == OP_TRANSPOSE || op == OP_SLICE || op == OP_CONCAT ||
           op == OP_REVERSE || op == OP_GATHER;
}

/* Movement of equal elements. All other structural operators are linear, so zeros give zeros. */
static Node *fold_move(Simplifier *s, Node *n)
{
    double v = 0, other;
    if (n->op == OP_BROADCAST) return NULL;
    for (int k = 0; k < n->n_in; k++) {
        if (n->op == OP_GATHER && k == 1) continue;
        if (n->op == OP_SCATTER && k == 0) continue;
        if (!node_is_const(n->in[k], &other)) return NULL;
        if (k > 0 && n->op == OP_CONCAT && memcmp(&v, &other, sizeof v)) return NULL;
        v = other;
    }
    if (!only_moves(n->op) && v != 0) return NULL;
    return n_full(s->g, n->type, v);
}

static Tensor *tensor_of(const Node *n)
{
    long size[MAX_RANK] = {0};
    double v = 0;
    for (int i = 0; i < n->type.shape.rank; i++)
        if (!size_is_const(n->type.shape.size[i], &size[i])) return NULL;
    Tensor *t = tensor_new(n->type.elem, n->type.shape.rank, size);
    if (known_values(n)) {
        t->v = (double *)(uintptr_t)known_values(n);
    } else {
        node_is_const(n, &v);
        for (long i = 0; i < t->count; i++) t->v[i] = v;
    }
    return t;
}

static bool is_small(const Node *n)
{
    long count;
    return size_is_const(shape_count(&n->type.shape), &count) && count <= MAX_TABLE;
}

/* The first weight among the operands. */
static const Node *first_weight(const Node *n)
{
    for (int k = 0; k < n->n_in; k++)
        if (is_weight(n->in[k])) return n->in[k];
    return NULL;
}

/* May operand a go into a table? What is large and needed elsewhere would be there twice. */
static bool may_go(const Simplifier *s, const Node *n, const Node *a)
{
    bool weights = first_weight(n) != NULL;
    if (known_values(a)) return is_small(a) || (is_weight(a) && is_single(s, a));
    return node_is_const(a, NULL) && (is_small(a) || weights);
}

/* Of a weight the bytes: one of halves is not made one of floats. */
static long room_of(const Tensor *t, bool weight)
{
    return t->count * (weight ? elem_bytes(t->elem) : 1);
}

static Node *fold_table(Simplifier *s, Node *n)
{
    Tensor *few[8], **in = n->n_in <= 8 ? few : NEW_N(Tensor *, n->n_in);
    const Node *weight = first_weight(n);
    long room = 0;
    bool any = n->op == OP_CONCAT && n->n_in <= MAX_LITERAL;
    if ((!is_small(n) && !weight) || n->op == OP_BROADCAST) return NULL;
    for (int k = 0; k < n->n_in; k++) {
        any |= known_values(n->in[k]) != NULL;
        if (!may_go(s, n, n->in[k])) return NULL;
    }
    for (int k = 0; k < n->n_in && any; k++) {
        in[k] = tensor_of(n->in[k]);
        if (!in[k]) return NULL;
        if (!weight || known_values(n->in[k])) room += room_of(in[k], weight);
    }
    long dims[1] = {0};
    Tensor *y = any ? tensor_of(n) : NULL;
    if (!y || room_of(y, weight) > room) return NULL;
    eval_node(n, in, &(Surroundings){dims, NULL, NULL, NULL}, y);
    if (!n->type.shape.rank) return n_const(s->g, n->type.elem, y->v[0]);
    if (!weight) return n_table(s->g, n->type, y->v);
    if (n->op == OP_RESHAPE) return n_weight(s->g, n->type, known_values(weight), weight, "");
    return n_weight(s->g, n->type, y->v, weight, "_folded");
}

Node *fold_weights(Simplifier *s, Node *n)
{
    bool may_fold = first_weight(n) && n->op != OP_MATMUL && op_info[n->op].class != CLASS_LEAF;
    return may_fold ? fold_table(s, n) : NULL;
}

/* A table of equal elements is a number. */
static Node *fold_equal_table(Simplifier *s, Node *n)
{
    Tensor *t = known_values(n) ? tensor_of(n) : NULL;
    if (!t || !t->count) return NULL;
    for (long i = 1; i < t->count; i++)
        if (memcmp(&t->v[i], &t->v[0], sizeof *t->v)) return NULL;
    return n_full(s->g, n->type, t->v[0]);
}

Node *rule_const(Simplifier *s, Node *n)
{
    OpClass class = op_info[n->op].class;
    Node *r = NULL;
    if (n->op == OP_MATMUL || class == CLASS_LEAF) return fold_equal_table(s, n);
    if (class == CLASS_MAP) r = fold_map(s, n);
    else if (class == CLASS_FOLD) r = fold_fold(s, n);
    else r = fold_move(s, n);
    return r ? r : fold_table(s, n);
}
