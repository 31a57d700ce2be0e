/* lower_move.c - the built-in functions that move elements: reshape, transpose, concat, split, pad,
 * reverse, and the arrays made of nothing but their shape. */
#include "lower.h"

#include <string.h>

static Value problem(const char *code, Span at, const char *text)
{
    Diag *d = error_at(code, at, "%s", text);
    diag_here(d, "%s", "");
    return value_poison();
}

static bool axis_number(const Value *v, int rank, int def, Span at, int *axis)
{
    long k = def;
    if (v->kind != V_POISON && (!value_integer(v, &k) || k >= rank || k < -rank)) {
        problem("E0304", v->span,
                format("an axis is a number in %d..%d here, this is %s", -rank, rank - 1,
                       value_text(v)));
        return false;
    }
    if (rank == 0) {
        problem("E0304", at, "a scalar has no axis");
        return false;
    }
    *axis = (int)(k < 0 ? k + rank : k);
    return true;
}

static bool add_size(const Value *v, Shape *out)
{
    if (v->kind != V_NUMBER || !v->size)
        return problem("E0306", v->span,
                       format("a size must be an integer that is known at compile time, this is %s",
                              value_text(v))),
               false;
    if (out->rank == MAX_RANK)
        return problem("E0304", v->span, format("more than %d axes", MAX_RANK)), false;
    if (size_upper(v->size) < 0)
        return problem("E0307", v->span,
                       format("this size would be negative: %s", size_text(v->size))),
               false;
    out->size[out->rank++] = v->size;
    return true;
}

/* [N, 784] as a shape: a list of sizes, or one size */
static bool shape_of(const Value *v, Shape *out)
{
    if (v->kind == V_TABLE && v->shape.rank == 1) {
        long n = 0;
        size_is_const(v->shape.size[0], &n);
        for (long i = 0; i < n; i++) {
            Value one = value_number(v->table[i], v->span);
            if (!add_size(&one, out)) return false;
        }
        return true;
    }
    if (v->kind != V_TUPLE) return add_size(v, out);
    for (int i = 0; i < v->parts.n; i++)
        if (!add_size(&v->parts.at[i], out)) return false;
    return true;
}

Value call_reshape(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    static const char *const names[] = {"x", "sizes"};
    Value v[2];
    Shape to = {0};
    if (!sort_arguments(args, names, 2, 2, b->name, whole, v)) return value_poison();
    Node *n = value_to_node(&v[0], ELEM_REAL);
    if (!n || !shape_of(&v[1], &to)) return value_poison();
    SizeRef have = shape_count(&n->type.shape), want = shape_count(&to);
    if (have == want) return value_node(n_reshape(low->g, n, &to), whole);
    Diag *d = error_at("E0308", v[1].span, "cannot reshape %s to %s", value_text(&v[0]),
                       type_text((Type){n->type.elem, to}));
    diag_here(d, "%s elements", size_text(want));
    diag_label(d, v[0].span, "%s elements", size_text(have));
    return value_poison();
}

Value call_transpose(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    static const char *const names[] = {"x", "axes"};
    Value v[2];
    int perm[MAX_RANK];
    unsigned seen = 0;
    if (!sort_arguments(args, names, 2, 1, b->name, whole, v)) return value_poison();
    Node *n = value_to_node(&v[0], ELEM_REAL);
    if (!n) return value_poison();
    int rank = n->type.shape.rank;
    for (int i = 0; i < rank; i++) perm[i] = rank - 1 - i;
    if (v[1].kind == V_POISON) return value_node(n_transpose(low->g, n, perm), whole);
    if (v[1].kind != V_TUPLE || v[1].parts.n != rank)
        return problem(
            "E0304", v[1].span,
            format("`transpose` needs the %d axes in their new order: `(1, 0, ..)`", rank));
    for (int i = 0; i < rank; i++) {
        if (!axis_number(&v[1].parts.at[i], rank, 0, whole, &perm[i])) return value_poison();
        seen |= 1u << perm[i];
    }
    if (seen + 1 != 1u << rank)
        return problem("E0304", v[1].span, "every axis must stand there once");
    return value_node(n_transpose(low->g, n, perm), whole);
}

/* The parts as nodes of one element type; the named argument `axis` apart. */
static int collect_parts(ArgumentList *args, Node **nodes, int max, const Value **axis)
{
    Elem e = ELEM_REAL;
    int n = 0;
    *axis = NULL;
    for (int i = 0; i < args->n; i++)
        if (args->at[i].value->kind == V_NODE) e = args->at[i].value->node->type.elem;
    for (int i = 0; i < args->n; i++) {
        if (args->at[i].name && !strcmp(args->at[i].name, "axis")) {
            *axis = args->at[i].value;
            continue;
        }
        if (n == max)
            return problem("E0205", args->at[i].span, format("more than %d parts", max)), -1;
        Node *x = value_to_node(args->at[i].value, e);
        if (!x) return -1;
        if (x->type.elem != e)
            return problem("E0320", args->at[i].span,
                           format("parts of different elements: %s and %s", elem_text(e),
                                  elem_text(x->type.elem))),
                   -1;
        nodes[n++] = x;
    }
    return n;
}

static bool same_but(const Shape *a, const Shape *b, int axis)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (i != axis && a->size[i] != b->size[i]) return false;
    return true;
}

enum { MAX_PARTS = 64 };

Value call_concat(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    Node *nodes[MAX_PARTS];
    const Value *axis_value;
    int axis, n = collect_parts(args, nodes, MAX_PARTS, &axis_value);
    Value none = value_poison();
    if (n < 0) return value_poison();
    if (n == 0) return problem("E0205", whole, format("`%s` needs something to join", b->name));
    if (!axis_number(axis_value ? axis_value : &none, nodes[0]->type.shape.rank, -1, whole, &axis))
        return value_poison();
    for (int i = 1; i < n; i++)
        if (!same_but(&nodes[i]->type.shape, &nodes[0]->type.shape, axis))
            return problem("E0302", args->at[i].span,
                           format("cannot join %s and %s along axis %d", type_text(nodes[0]->type),
                                  type_text(nodes[i]->type), axis));
    return value_node(n_concat(low->g, axis, n, nodes), whole);
}

Value call_join(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    Node *nodes[MAX_PARTS];
    const Value *axis;
    int n = collect_parts(args, nodes, MAX_PARTS, &axis);
    if (n < 0) return value_poison();
    if (n == 0) return problem("E0205", whole, format("`%s` needs something to join", b->name));
    Shape to = nodes[0]->type.shape;
    if (to.rank == MAX_RANK) return problem("E0304", whole, format("more than %d axes", MAX_RANK));
    to.size[to.rank++] = size_const(1);
    const Type first = nodes[0]->type;
    for (int i = 0; i < n; i++) {
        if (!same_but(&nodes[i]->type.shape, &first.shape, -1))
            return problem("E0302", args->at[i].span,
                           format("cannot join %s and %s along a new axis", type_text(first),
                                  type_text(nodes[i]->type)));
        nodes[i] = n_reshape(low->g, nodes[i], &to);
    }
    return value_node(n_concat(low->g, to.rank - 1, n, nodes), whole);
}

Value call_split(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    static const char *const names[] = {"x", "n", "axis"};
    Value v[3];
    long count;
    int axis;
    ValueList parts = {0};
    if (!sort_arguments(args, names, 3, 2, b->name, whole, v)) return value_poison();
    Node *n = value_to_node(&v[0], ELEM_REAL);
    if (!n || !axis_number(&v[2], n->type.shape.rank, -1, whole, &axis)) return value_poison();
    if (!value_integer(&v[1], &count) || count < 1 || count > 1024)
        return problem("E0205", v[1].span, "`split` needs the number of parts");
    SizeRef size = n->type.shape.size[axis], each = size_div(size, size_const(count));
    if (size_mul(each, size_const(count)) != size)
        return problem("E0308", whole,
                       format("cannot split %s into %ld equal parts along axis %d",
                              value_text(&v[0]), count, axis));
    for (long i = 0; i < count; i++) {
        Shape to = n->type.shape;
        SizeRef lo[MAX_RANK];
        for (int k = 0; k < to.rank; k++) lo[k] = size_const(0);
        lo[axis] = size_mul(each, size_const(i));
        to.size[axis] = each;
        vec_push(&parts, value_node(n_slice(low->g, n, lo, &to), whole));
    }
    return value_tuple(&parts, whole);
}

Value call_pad(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    static const char *const names[] = {"x", "before", "after", "axis"};
    Value v[4];
    int axis;
    if (!sort_arguments(args, names, 4, 3, b->name, whole, v)) return value_poison();
    Node *n = value_to_node(&v[0], ELEM_REAL);
    if (!n || !axis_number(&v[3], n->type.shape.rank, -1, whole, &axis)) return value_poison();
    for (int i = 1; i < 3; i++)
        if (v[i].kind != V_NUMBER || !v[i].size || size_lower(v[i].size) < 0)
            return problem("E0310", v[i].span, "`pad` needs a size that is not negative");
    Shape to = n->type.shape;
    SizeRef lo[MAX_RANK];
    for (int k = 0; k < to.rank; k++) lo[k] = size_const(0);
    lo[axis] = v[1].size;
    to.size[axis] = size_add(to.size[axis], size_add(v[1].size, v[2].size));
    return value_node(n_pad(low->g, n, lo, &to), whole);
}

Value call_reverse(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    static const char *const names[] = {"x", "axis"};
    Value v[2];
    int axis;
    if (!sort_arguments(args, names, 2, 1, b->name, whole, v)) return value_poison();
    Node *n = value_to_node(&v[0], ELEM_REAL);
    if (!n || !axis_number(&v[1], n->type.shape.rank, 0, whole, &axis)) return value_poison();
    return value_node(n_reverse(low->g, n, 1u << axis), whole);
}

/* flatten[3](x): the last 3 axes as one; without a number all but the first */
Value call_flatten(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    static const char *const with[] = {"n", "x"}, *const without[] = {"x"};
    Value v[2];
    long n;
    bool counted = args->n == 2;
    if (!sort_arguments(args, counted ? with : without, counted ? 2 : 1, counted ? 2 : 1, b->name,
                        whole, v))
        return value_poison();
    Node *x = value_to_node(&v[counted], ELEM_REAL);
    if (!x) return value_poison();
    int rank = x->type.shape.rank;
    if (!counted)
        n = rank > 1 ? rank - 1 : 1;
    else if (!value_integer(&v[0], &n) || n < 1 || n > rank)
        return problem(
            "E0304", v[0].span,
            format("`flatten[n]` takes 1..%d of the axes of %s", rank, value_text(&v[1])));
    Shape to = x->type.shape, tail = {.rank = (int)n};
    for (int i = 0; i < n && i < rank; i++) tail.size[i] = to.size[rank - (int)n + i];
    if (rank == 0) tail.rank = 0;
    to.rank = rank - tail.rank + 1;
    to.size[to.rank - 1] = shape_count(&tail);
    return value_node(n_reshape(low->g, x, &to), whole);
}

/* zeros[2, 3], ones[n], iota[n] */
Value call_filled(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    Type t = {.elem = ELEM_REAL};
    for (int i = 0; i < args->n; i++) {
        const Value *v = args->at[i].value;
        if (v->kind != V_NUMBER || !v->size || size_upper(v->size) < 0)
            return problem("E0306", v->span,
                           format("`%s[..]` needs sizes, this is %s", b->name, value_text(v)));
        if (t.shape.rank == MAX_RANK)
            return problem("E0304", whole, format("more than %d axes", MAX_RANK));
        t.shape.size[t.shape.rank++] = v->size;
    }
    place_at(whole);
    if (b->op == OP_IOTA && t.shape.rank == 1)
        return value_node(n_iota(low->g, &t.shape, 0), whole);
    if (b->op == OP_IOTA) return problem("E0304", whole, "`iota[n]` counts along one axis");
    return value_node(n_full(low->g, t, !strcmp(b->name, "ones")), whole);
}

/* one_hot[n](labels): true where the last, new axis has the label's number */
Value call_one_hot(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    static const char *const names[] = {"n", "labels"};
    Value v[2];
    if (!sort_arguments(args, names, 2, 2, b->name, whole, v)) return value_poison();
    if (v[0].kind != V_NUMBER || !v[0].size)
        return problem("E0306", v[0].span, "`one_hot[n](labels)` needs the number of classes");
    Node *labels = value_to_node(&v[1], ELEM_I32);
    if (!labels) return value_poison();
    if (!elem_is_int(labels->type.elem))
        return problem("E0320", v[1].span,
                       format("labels are integers, this is %s", value_text(&v[1])));
    Shape to = labels->type.shape;
    if (to.rank == MAX_RANK) return problem("E0304", whole, format("more than %d axes", MAX_RANK));
    to.size[to.rank++] = v[0].size;
    Node *index = n_cast(low->g, labels->type.elem, n_iota(low->g, &to, to.rank - 1));
    return value_node(
        n_map2(low->g, OP_EQ, index, n_broadcast(low->g, labels, &to, 1u << (to.rank - 1))), whole);
}
