/* ops.c - the operator table as data, and the type of every operator's result.
 * In: an operator, its attributes and operands. Out: the type of the result. Wrong operands are an
 * internal error: what a user can get wrong was reported before a node is made. */
#include "ops.h"

#include <stdlib.h>
#include <string.h>

const OpInfo op_info[OP_COUNT] = {
#define LEAF(id, name, meaning) {#id, name, CLASS_LEAF, 0, NULL, {NULL, NULL, NULL}, NULL, meaning},
#define MAP1(id, name, value, da, domain, meaning)                                                 \
    {#id, name, CLASS_MAP, 1, value, {da, NULL, NULL}, domain, meaning},
#define MAP2(id, name, value, da, db, domain, meaning)                                             \
    {#id, name, CLASS_MAP, 2, value, {da, db, NULL}, domain, meaning},
#define MAP3(id, name, value, da, db, dc, domain, meaning)                                         \
    {#id, name, CLASS_MAP, 3, value, {da, db, dc}, domain, meaning},
#define FOLD(id, name, first, step, da, meaning)                                                   \
    {#id, name, CLASS_FOLD, 1, step, {da, NULL, NULL}, first, meaning},
#define PRIM(id, name, arity, da, db, meaning)                                                     \
    {#id, name, CLASS_PRIM, arity, NULL, {da, db, NULL}, NULL, meaning},
#include "ops.def"
};

Op op_by_name(const char *name)
{
    for (int i = 0; i < OP_COUNT; i++)
        if (!strcmp(op_info[i].name, name)) return (Op)i;
    return OP_COUNT;
}

bool op_returns_bool(Op op)
{
    switch (op) {
    case OP_NOT:
    case OP_LT:
    case OP_LE:
    case OP_EQ:
    case OP_NE:
    case OP_AND:
    case OP_OR:
    case OP_ANY:
    case OP_ALL: return true;
    default: return false;
    }
}

static void need(bool ok, Op op, const char *what)
{
    if (ok) return;
    fprintf(stderr, "nnc: internal error: operator %s: %s\n", op_info[op].name, what);
    abort();
}

static Type type_map(Op op, int n, Node *const *in)
{
    Type t = in[op == OP_WHERE ? 1 : 0]->type;
    for (int i = 1; i < n; i++) {
        need(shape_equal(&in[i]->type.shape, &in[0]->type.shape), op,
             "operands of different shapes");
        if (op != OP_WHERE || i == 2)
            need(in[i]->type.elem == t.elem, op, "operands of different elements");
    }
    if (op == OP_WHERE) need(in[0]->type.elem == ELEM_BOOL, op, "a condition that is not bool");
    if (op_returns_bool(op)) t.elem = ELEM_BOOL;
    return t;
}

static Type type_fold(Op op, const Attr *attr, Node *const *in)
{
    Type t = in[0]->type;
    int rank = 0;
    for (int i = 0; i < t.shape.rank; i++)
        if (!(attr->axes >> i & 1)) t.shape.size[rank++] = t.shape.size[i];
    need(attr->axes >> t.shape.rank == 0, op, "an axis beyond the rank");
    t.shape.rank = rank;
    if (op == OP_ARGMAX || op == OP_ARGMIN) t.elem = ELEM_I32;
    if (op_returns_bool(op)) t.elem = ELEM_BOOL;
    return t;
}

static Type type_matmul(Node *const *in)
{
    const Shape *a = &in[0]->type.shape, *b = &in[1]->type.shape;
    need(a->rank >= 2 && a->rank == b->rank, OP_MATMUL,
         "operands that are no matrices of one rank");
    Type t = in[0]->type;
    need(in[1]->type.elem == t.elem, OP_MATMUL, "operands of different elements");
    for (int i = 0; i + 2 < a->rank; i++)
        need(a->size[i] == b->size[i], OP_MATMUL, "different leading sizes");
    need(a->size[a->rank - 1] == b->size[b->rank - 2], OP_MATMUL, "different inner sizes");
    t.shape.size[a->rank - 1] = b->size[b->rank - 1];
    return t;
}

static Type type_broadcast(const Attr *attr, Type to, Node *const *in)
{
    const Shape *a = &in[0]->type.shape;
    int k = 0;
    for (int i = 0; i < to.shape.rank; i++) {
        if (attr->axes >> i & 1) continue;
        need(k < a->rank && a->size[k] == to.shape.size[i], OP_BROADCAST,
             "a kept axis that changes its size");
        k++;
    }
    need(k == a->rank, OP_BROADCAST, "an axis that is lost");
    return (Type){in[0]->type.elem, to.shape};
}

static Type type_transpose(const Attr *attr, Node *const *in)
{
    Type t = in[0]->type;
    unsigned seen = 0;
    for (int i = 0; i < t.shape.rank; i++) {
        need(attr->perm[i] >= 0 && attr->perm[i] < t.shape.rank, OP_TRANSPOSE,
             "an axis beyond the rank");
        seen |= 1u << attr->perm[i];
        t.shape.size[i] = in[0]->type.shape.size[attr->perm[i]];
    }
    need(seen + 1 == 1u << t.shape.rank, OP_TRANSPOSE, "an axis named twice");
    return t;
}

static Type type_concat(const Attr *attr, int n, Node *const *in)
{
    Type t = in[0]->type;
    SizeRef sum = size_const(0);
    for (int i = 0; i < n; i++) {
        const Shape *s = &in[i]->type.shape;
        need(in[i]->type.elem == t.elem && s->rank == t.shape.rank, OP_CONCAT,
             "parts of different types");
        for (int k = 0; k < s->rank; k++)
            need(k == attr->k || s->size[k] == t.shape.size[k], OP_CONCAT,
                 "parts of different sizes");
        sum = size_add(sum, s->size[attr->k]);
    }
    t.shape.size[attr->k] = sum;
    return t;
}

static Type type_gather(Node *const *in)
{
    const Shape *a = &in[0]->type.shape, *b = &in[1]->type.shape;
    need(a->rank >= 1 && elem_is_int(in[1]->type.elem), OP_GATHER,
         "an index that is not an integer");
    need(a->rank - 1 + b->rank <= MAX_RANK, OP_GATHER, "too many axes");
    Type t = {in[0]->type.elem, *b};
    for (int i = 1; i < a->rank; i++) t.shape.size[t.shape.rank++] = a->size[i];
    return t;
}

static Type type_scatter(Type to, Node *const *in)
{
    const Shape *index = &in[0]->type.shape, *rows = &in[1]->type.shape;
    need(rows->rank == index->rank + to.shape.rank - 1, OP_SCATTER, "rows of another rank");
    for (int i = 0; i < index->rank; i++)
        need(rows->size[i] == index->size[i], OP_SCATTER, "another number of rows");
    for (int i = 1; i < to.shape.rank; i++)
        need(rows->size[index->rank + i - 1] == to.shape.size[i], OP_SCATTER,
             "rows of another size");
    return (Type){in[1]->type.elem, to.shape};
}

/* Windows replace axis k of the wide side by `axes` axes of the open side. */
static void check_window(Op op, const Attr *attr, const Shape *wide, const Shape *open)
{
    int m = (int)attr->axes, at = (int)attr->k;
    need(m >= 1 && m <= MAX_RANK && at >= 0 && at < wide->rank &&
             open->rank == wide->rank - 1 + m && attr->lo[0],
         op, "another rank");
    for (int i = 0; i < at; i++)
        need(open->size[i] == wide->size[i], op, "an axis that changes its size");
    for (int i = at + 1; i < wide->rank; i++)
        need(open->size[i - 1 + m] == wide->size[i], op, "an axis that changes its size");
}

static const Shape *without_first(const Shape *s, Shape *to)
{
    *to = (Shape){.rank = s->rank - 1};
    for (int i = 0; i < to->rank; i++) to->size[i] = s->size[i + 1];
    return to;
}

/* Images and results of four axes, kernels [maps, channels, p, q] that fit both, or
 * [p, q, channels] where each channel is by itself. An axis in front of all three numbers groups
 * of channels. */
static Type type_conv(Op op, const Attr *attr, Type given, Node *const *in)
{
    const Shape *a = &in[0]->type.shape, *b = &in[1]->type.shape, *y = &given.shape;
    const Shape *image = op == OP_CONV_DATA ? y : a;
    const Shape *result = op == OP_CONV ? y : op == OP_CONV_DATA ? a : b;
    const Shape *kernel = op == OP_CONV_WEIGHTS ? y : b;
    Shape one[3];
    if (image->rank == 5) {
        need(kernel->rank == 5 && result->rank == 5 && kernel->size[0] == image->size[0] &&
                 result->size[0] == image->size[0], op, "another number of groups");
        image = without_first(image, &one[0]);
        result = without_first(result, &one[1]);
        kernel = without_first(kernel, &one[2]);
    }
    need(image->rank == 4 && result->rank == 4, op, "another rank");
    need(image->size[0] == result->size[0], op, "another number of images");
    if (kernel->rank == 3) {
        need(kernel->size[2] == image->size[3] && kernel->size[2] == result->size[3], op,
             "kernels for other channels");
        return (Type){in[0]->type.elem, given.shape};
    }
    need(kernel->rank == 4, op, "another rank");
    Shape packed = {4, {kernel->size[3], kernel->size[2], kernel->size[0], kernel->size[1]}};
    if (attr->k && op != OP_CONV_WEIGHTS) kernel = &packed;
    need(kernel->size[0] == result->size[3] && kernel->size[1] == image->size[3], op,
         "kernels for other channels");
    return (Type){in[0]->type.elem, given.shape};
}

Type op_type(Op op, const Attr *attr, Type given, int n, Node *const *in)
{
    const OpInfo *info = &op_info[op];
    need(info->arity < 0 ? n > 0 : n == info->arity, op, "a wrong number of operands");
    if (op == OP_CAST) return (Type){given.elem, in[0]->type.shape};
    if (info->class == CLASS_LEAF) return given;
    if (info->class == CLASS_MAP) return type_map(op, n, in);
    if (info->class == CLASS_FOLD) return type_fold(op, attr, in);
    Type same = {in[0]->type.elem, given.shape};
    switch (op) {
    case OP_MATMUL: return type_matmul(in);
    case OP_BROADCAST: return type_broadcast(attr, given, in);
    case OP_RESHAPE:
        need(shape_count(&given.shape) == shape_count(&in[0]->type.shape), op,
             "another number of elements");
        return same;
    case OP_TRANSPOSE: return type_transpose(attr, in);
    case OP_SLICE:
    case OP_PAD: need(given.shape.rank == in[0]->type.shape.rank, op, "another rank"); return same;
    case OP_CONCAT: return type_concat(attr, n, in);
    case OP_REVERSE: return in[0]->type;
    case OP_GATHER: return type_gather(in);
    case OP_SCATTER: return type_scatter(given, in);
    case OP_WINDOW: check_window(op, attr, &in[0]->type.shape, &given.shape); return same;
    case OP_UNWINDOW: check_window(op, attr, &given.shape, &in[0]->type.shape); return same;
    case OP_CONV:
    case OP_CONV_DATA:
    case OP_CONV_WEIGHTS: return type_conv(op, attr, given, in);
    case OP_SCAN:
    case OP_CUSTOM: return given;
    default: need(false, op, "no type rule"); return given;
    }
}
