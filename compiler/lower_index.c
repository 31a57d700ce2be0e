/* lower_index.c - brackets behind a tensor: slices, `new` axes, gathers; and array literals.
 * In: x[0:T], x[.., 2], b[:, new], E[tokens], x[2:4, i], [[0, 1], [1, 0]]. Out: slices, reshapes
 * and gathers; every bound that is no data is proved at compile time. */
#include "lower.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* ---- slices ---- */

typedef struct Cut { /* the block being taken, and the shape that is left of it */
    SizeRef lo[MAX_RANK];
    Shape block, result;
    int axis;              /* next axis of the operand */
    Node *index[MAX_RANK]; /* by axis of the result: data that picks from it, or NULL */
    const Expr *array;     /* the index among them that is an array */
} Cut;

static bool too_many(const Expr *x, const Value *v)
{
    Diag *d = error_at("E0304", x->span, "too many indices for %s", value_text(v));
    diag_here(d, "%s", "");
    diag_label(d, v->span, "%s", value_text(v));
    return false;
}

/* Behind the end counts from the end: -1 is the last. */
static SizeRef from_end(SizeRef i, SizeRef size)
{
    return size_upper(i) < 0 ? size_add(i, size) : i;
}

/* N is anything from 1 to 64: what is proved must hold for all of it. */
static void note_interval(Diag *d, SizeRef s)
{
    if (size_is_const(s, NULL)) return;
    long hi = size_upper(s);
    if (hi == LONG_MAX)
        diag_note(d, "`%s` is at least %ld", size_text(s), size_lower(s));
    else
        diag_note(d, "`%s` is in %ld..%ld", size_text(s), size_lower(s), hi);
}

static bool outside(const Expr *x, SizeRef index, SizeRef size)
{
    const char *last = size_text(size_sub(size, size_const(1)));
    Diag *d = size_upper(index) < 0
                  ? error_at("E0311", x->span, "the index %s is not inside -%s..-1",
                             size_text(index), size_text(size))
                  : error_at("E0311", x->span, "the index %s is not inside 0..%s", size_text(index),
                             last);
    diag_here(d, "%s", "");
    note_interval(d, size);
    diag_context(d, x->span);
    return false;
}

static bool slice_outside(const Expr *x, SizeRef lo, SizeRef hi, SizeRef size)
{
    Diag *d = error_at("E0310", x->span, "the slice %s:%s is not inside 0:%s", size_text(lo),
                       size_text(hi), size_text(size));
    diag_here(d, "%s", "");
    note_interval(d, size);
    diag_context(d, x->span);
    return false;
}

static bool cut_index(const Expr *x, SizeRef index, const Value *v, const Shape *s, Cut *c)
{
    if (c->axis >= s->rank) return too_many(x, v);
    SizeRef size = s->size[c->axis], i = from_end(index, size);
    if (size_lower(i) < 0 || size_lower(size_sub(size, i)) < 1) return outside(x, index, size);
    c->lo[c->axis] = i;
    c->block.size[c->axis++] = size_const(1);
    return true;
}

static bool cut_range(Env *e, const Expr *x, const Value *v, const Shape *s, Cut *c)
{
    if (c->axis >= s->rank) return too_many(x, v);
    SizeRef size = s->size[c->axis], lo = x->a ? lower_size(e, x->a) : size_const(0),
            hi = x->b ? lower_size(e, x->b) : size;
    if (!lo || !hi) return false;
    lo = from_end(lo, size);
    hi = from_end(hi, size);
    SizeRef n = size_sub(hi, lo);
    if (size_lower(lo) < 0 || size_lower(n) < 0 || size_lower(size_sub(size, hi)) < 0)
        return slice_outside(x, lo, hi, size);
    c->lo[c->axis] = lo;
    c->block.size[c->axis++] = n;
    c->result.size[c->result.rank++] = n;
    return true;
}

static void cut_whole(const Shape *s, Cut *c)
{
    c->lo[c->axis] = size_const(0);
    c->block.size[c->axis] = s->size[c->axis];
    c->result.size[c->result.rank++] = s->size[c->axis++];
}

/* ---- indices that are data ---- */

/* A constant array of indices; negative ones count from the end. */
static Node *constant_indices(const Expr *x, const Value *v, SizeRef size)
{
    long n = 0, rows = 0;
    size_is_const(shape_count(&v->shape), &n);
    bool fixed = size_is_const(size, &rows);
    Value from_front = *v;
    double *k = NEW_N(double, n + 1);
    for (long i = 0; i < n; i++) {
        k[i] = v->table[i] < 0 && fixed ? v->table[i] + (double)rows : v->table[i];
        bool inside = k[i] >= 0 && k[i] < (double)size_lower(size);
        if (k[i] == floor(k[i]) && !inside)
            return outside(x, size_const((long)v->table[i]), size), NULL;
    }
    from_front.table = k;
    return value_to_node(&from_front, ELEM_I32);
}

/* Of an axis without elements there is no nearest one. */
bool may_be_empty(const Expr *x, SizeRef size)
{
    Diag *d =
        error_at("E0311", x->span, "data cannot be an index of an axis that may have no elements");
    diag_here(d, "%s", "");
    note_interval(d, size);
    return false;
}

static bool cut_data(const Expr *x, Value *index, const Value *v, const Shape *s, Cut *c)
{
    if (c->axis >= s->rank) return too_many(x, v);
    Node *n = index->kind == V_TABLE  ? constant_indices(x, index, s->size[c->axis])
              : index->kind == V_NODE ? index->node
                                      : NULL;
    if (!n && index->kind == V_TABLE) return false;
    if (!n || !elem_is_int(n->type.elem)) {
        Diag *d = error_at("E0320", x->span, "an index must be an integer, this is %s",
                           value_text(index));
        diag_here(d, "%s", "");
        diag_hint(d, "convert it: `i32(..)`");
        return false;
    }
    if (size_lower(s->size[c->axis]) < 1) return may_be_empty(x, s->size[c->axis]);
    if (n->type.shape.rank && c->array) {
        Diag *d =
            error_at("E0304", x->span, "two indices are arrays: this could mean pairs or a block");
        diag_here(d, "%s", value_text(index));
        diag_label(d, c->array->span, "an array too");
        diag_hint(d, "for pairs write `y[k] = x[i[k], j[k]];`, for a block take one after the "
                     "other: `x[i][:, j]`");
        return false;
    }
    if (n->type.shape.rank) c->array = x;
    c->index[c->result.rank] = n;
    cut_whole(s, c);
    return true;
}

/* y = x with the axis replaced by those of the index: row gathers with the axis in front. */
static Node *take(Node *x, int axis, Node *index)
{
    int perm[MAX_RANK], back[MAX_RANK], rank = x->type.shape.rank, r = index->type.shape.rank;
    if (axis == 0) return n_gather(low->g, x, index);
    for (int i = 0; i < rank; i++) perm[i] = i == 0 ? axis : i <= axis ? i - 1 : i;
    for (int i = 0; i < rank - 1 + r; i++) back[i] = i < axis ? r + i : i < axis + r ? i - axis : i;
    return n_transpose(low->g, n_gather(low->g, n_transpose(low->g, x, perm), index), back);
}

/* From the last axis to the first, so that the axes still to come keep their numbers. */
static Value take_all(Node *x, const Cut *c, const Expr *whole, const Value *v)
{
    for (int i = c->result.rank - 1; i >= 0; i--) {
        if (!c->index[i]) continue;
        if (x->type.shape.rank - 1 + c->index[i]->type.shape.rank > MAX_RANK)
            return too_many(whole, v), value_poison();
        x = take(x, i, c->index[i]);
    }
    return value_node(x, whole->span);
}

/* How many axes of the operand the items behind `..` take. */
static int axes_behind(const ExprList *items, int from)
{
    int n = 0;
    for (int i = from; i < items->n; i++)
        n += items->at[i]->kind != EX_NEW && items->at[i]->kind != EX_DOTS;
    return n;
}

static bool room(const Expr *x, const Cut *c)
{
    if (c->result.rank < MAX_RANK) return true;
    Diag *d = error_at("E0304", x->span, "more than %d axes", MAX_RANK);
    diag_here(d, "%s", "");
    return false;
}

static bool cut_item(Env *e, const ExprList *items, int i, const Value *v, const Shape *s, Cut *c)
{
    const Expr *x = items->at[i];
    if (!room(x, c)) return false;
    if (x->kind == EX_NEW) {
        c->result.size[c->result.rank++] = size_const(1);
        return true;
    }
    if (x->kind == EX_DOTS) {
        int behind = axes_behind(items, i + 1);
        while (c->axis < s->rank - behind && room(x, c)) cut_whole(s, c);
        return true;
    }
    if (x->kind == EX_RANGE) return cut_range(e, x, v, s, c);
    Value index = lower_expr(e, x);
    if (index.kind == V_POISON) return false;
    if (index.kind == V_NUMBER && index.size) return cut_index(x, index.size, v, s, c);
    return cut_data(x, &index, v, s, c);
}

Value lower_index(Env *e, Value base, const Expr *x)
{
    if (base.kind == V_TUPLE || base.kind == V_INSTANCE || base.kind == V_SET) {
        Diag *d = error_at("E0204", x->span, "%s cannot be indexed", value_text(&base));
        diag_here(d, "%s", "");
        return value_poison();
    }
    Node *n = value_to_node(&base, ELEM_REAL);
    if (!n) return value_poison();
    const Shape s = n->type.shape;
    Cut c = {.block = s};
    for (int i = 0; i < x->list.n; i++)
        if (!cut_item(e, &x->list, i, &base, &s, &c)) return value_poison();
    while (c.axis < s.rank) {
        if (c.result.rank == MAX_RANK) return too_many(x->list.at[0], &base), value_poison();
        cut_whole(&s, &c);
    }
    place_at(x->span);
    Node *block = n_reshape(low->g, n_slice(low->g, n, c.lo, &c.block), &c.result);
    return take_all(block, &c, x, &base);
}

/* ---- array literals ---- */

static bool parts_of(const Value *v, const Shape **s, const double **at)
{
    static const Shape scalar;
    *s = v->kind == V_TABLE ? &v->shape : &scalar;
    *at = v->kind == V_TABLE ? v->table : &v->num;
    return v->kind == V_TABLE || (v->kind == V_NUMBER && !isnan(v->num));
}

static bool ragged(const Value *v, const Value *first)
{
    Diag *d = error_at("E0302", v->span, "the elements of an array must have one shape");
    diag_here(d, "%s", value_text(v));
    diag_label(d, first->span, "%s", value_text(first));
    return false;
}

/* Only plain numbers: a constant table. */
static Value literal_table(const ValueList *parts, Span at)
{
    const Shape *s, *s0;
    const double *from;
    parts_of(&parts->at[0], &s0, &from);
    long n = 1;
    size_is_const(shape_count(s0), &n);
    double *all = NEW_N(double, n * parts->n + 1);
    for (int i = 0; i < parts->n; i++) {
        parts_of(&parts->at[i], &s, &from);
        if (!shape_equal(s, s0)) return ragged(&parts->at[i], &parts->at[0]), value_poison();
        memcpy(all + n * i, from, sizeof(double) * (size_t)n);
    }
    Value v = {.kind = V_TABLE, .span = at, .table = all, .shape = {.rank = s0->rank + 1}};
    v.shape.size[0] = size_const(parts->n);
    for (int i = 0; i < s0->rank; i++) v.shape.size[i + 1] = s0->size[i];
    return v;
}

static Node *with_leading_one(Node *n)
{
    Shape s = {.rank = n->type.shape.rank + 1};
    s.size[0] = size_const(1);
    for (int i = 0; i < n->type.shape.rank; i++) s.size[i + 1] = n->type.shape.size[i];
    return n_reshape(low->g, n, &s);
}

static Value literal_nodes(const ValueList *parts, Span at)
{
    Elem e = ELEM_REAL;
    for (int i = 0; i < parts->n; i++)
        if (parts->at[i].kind == V_NODE) e = parts->at[i].node->type.elem;
    Node **nodes = NEW_N(Node *, parts->n);
    for (int i = 0; i < parts->n; i++) {
        Node *n = value_to_node(&parts->at[i], e);
        if (!n) return value_poison();
        if (n->type.elem != e || n->type.shape.rank == MAX_RANK)
            return ragged(&parts->at[i], &parts->at[0]), value_poison();
        nodes[i] = with_leading_one(n);
        if (!shape_equal(&nodes[i]->type.shape, &nodes[0]->type.shape))
            return ragged(&parts->at[i], &parts->at[0]), value_poison();
    }
    return value_node(n_concat(low->g, 0, parts->n, nodes), at);
}

/* Sizes that are not known yet: [N, 784] and [.., 784] are lists, as `reshape` takes them. */
static bool add_list_dots(Env *e, const Expr *x, ValueList *parts)
{
    if (!e->has_dots) {
        Diag *d = error_at("E0306", x->span, "`..` stands for nothing here");
        diag_here(d, "%s", "");
        return false;
    }
    for (int i = 0; i < e->dots.rank; i++) vec_push(parts, value_size(e->dots.size[i], x->span));
    return true;
}

static bool is_list(const ValueList *parts)
{
    bool symbolic = false;
    for (int i = 0; i < parts->n; i++) {
        if (parts->at[i].kind != V_NUMBER || !parts->at[i].size) return false;
        symbolic |= isnan(parts->at[i].num);
    }
    return symbolic;
}

Value lower_array(Env *e, const Expr *x)
{
    ValueList parts = {0};
    bool plain = true;
    for (int i = 0; i < x->list.n; i++) {
        if (x->list.at[i]->kind == EX_DOTS) {
            if (!add_list_dots(e, x->list.at[i], &parts)) return value_poison();
            continue;
        }
        Value v = lower_expr(e, x->list.at[i]);
        if (v.kind == V_POISON) return v;
        const Shape *s;
        const double *at;
        plain &= parts_of(&v, &s, &at);
        if (v.kind == V_TABLE && v.shape.rank == MAX_RANK) return too_many(x, &v), value_poison();
        vec_push(&parts, v);
    }
    if (is_list(&parts)) return value_tuple(&parts, x->span);
    return plain ? literal_table(&parts, x->span) : literal_nodes(&parts, x->span);
}
