/* emit_fold.c - sums, extremes and the like inside a row.
 * In: a fold whose operand is an expression. Out: the loops that accumulate it: a local for the
 * axes behind the last one that is kept, memory for the others, and for long rows the runtime's
 * sum, scalar product or extreme of a whole row. */
#include "emit.h"

#include <string.h>

bool is_over_rows(const Kernel *k, const Def *d) { return k->n_rows > 0 && (d->reduced & 1); }

Index value_index(Emit *e, const Def *d)
{
    Index all = open_index(e, &d->domain, d->domain.rank), ix = {0};
    for (int i = 0; i < d->domain.rank; i++)
        if (!(d->reduced >> i & 1)) {
            ix.at[ix.rank] = all.at[i];
            ix.run[ix.rank++] = 1;
        }
    return ix;
}

Frag element_of(Emit *e, const Def *d)
{
    Index ix = open_index(e, &d->domain, d->domain.rank), a, b;
    if (!d->is_product) return value_of(e, d->node->in[0], &ix);
    Index y = value_index(e, d);
    product_indices(d->node, &y, &ix.at[d->by_rows ? 0 : d->domain.rank - 1], &a, &b);
    Frag pair[2] = {value_of(e, d->node->in[0], &a), value_of(e, d->node->in[1], &b)};
    return apply_template(op_info[OP_MUL].value, d->node->type.elem, pair);
}

void count_element(Emit *e, const Def *d)
{
    Index ix = open_index(e, &d->domain, d->domain.rank), a, b;
    if (!d->is_product)
        count_values(e, d->node->in[0], &ix);
    else {
        Index y = value_index(e, d);
        product_indices(d->node, &y, &ix.at[d->by_rows ? 0 : d->domain.rank - 1], &a, &b);
        count_values(e, d->node->in[0], &a);
        count_values(e, d->node->in[1], &b);
    }
}

/* The row of x that the innermost open loop would run through, as a pointer to its first element;
 * NULL when it is not in memory. */
static const char *row_of(Emit *e, Node *x, const Index *ix, SizeRef size)
{
    Var along = {"?", size, MAX_LEVEL};
    Index at = *ix, base;
    at.at[at.rank - 1] = affine_var(&along);
    x = see_through(x);
    while (!e->c->def_of[x->id] && !is_leaf_memory(x)) {
        if (!is_view(x)) return NULL;
        Index in = at;
        index_operand(x, 0, &in, &at);
        x = see_through(x->in[0]);
    }
    base = at;
    Affine flat = index_flat(&base, &x->type.shape);
    Buffer *b = memory_of(e->c, x);
    if (!size_is(affine_factor(&flat, &along), 1) || !b) return NULL;
    for (int i = 0; i < base.rank; i++)
        if (base.run[i]) base.at[i] = affine_without(&base.at[i], &along);
    return pointer_text(b, &x->type.shape, &base);
}

/* A sum or an extreme of a whole row by the runtime. The innermost loop is not open. */
static Frag row_fold(Emit *e, const Def *d)
{
    Node *x = see_through(d->node->in[0]);
    SizeRef n = d->domain.size[d->domain.rank - 1];
    open_loop(e, n);
    Index ix = open_index(e, &d->domain, d->domain.rank);
    if (!size_is(n, 1)) e->depth--;
    const char *wide = !strcmp(c_value_type(d->node->type.elem), "double") ? "_d" : "",
               *size = c_size(n);
    const char *name = d->node->op == OP_SUM ? "sum" : d->node->op == OP_MAXOF ? "max" : "min";
    const char *row = row_of(e, x, &ix, n), *other;
    if (row) return (Frag){format("nn_%s%s(%s, %s)", name, wide, row, size), C_PRIMARY, e->depth};
    Node *p = see_through(x->in[0]), *q = see_through(x->in[1]);
    row = row_of(e, p, &ix, n);
    other = row_of(e, q, &ix, n);
    if (row && other)
        return (Frag){format("nn_dot%s(%s, %s, %s)", wide, row, other, size), C_PRIMARY, e->depth};
    row = row_of(e, p->in[0], &ix, n);
    Index at = ix;
    at.at[at.rank - 1] = affine_const(size_const(0));
    Frag mean = value_of(e, p->in[1], &at);
    return (Frag){format("nn_sumsq_dev%s(%s, %s, %s)", wide, row, mean.s, size), C_PRIMARY,
                  e->depth};
}

/* The inner axes of a fold: those up to the last kept one are loops around its result. Axes of one
 * element count as neither kept nor folded. */
typedef struct FoldShape {
    int last_kept;       /* n_rows - 1: none is kept */
    bool kept, has_tail; /* has_tail: some axis behind the last kept one is folded */
    bool in_memory;      /* the result is added to, not set */
    bool over_rows;
} FoldShape;

static FoldShape fold_shape(const Kernel *k, const Def *d)
{
    FoldShape f = {.last_kept = k->n_rows - 1, .over_rows = is_over_rows(k, d)};
    f.in_memory = f.over_rows;
    for (int i = k->n_rows; i < d->domain.rank; i++) {
        if (size_is(d->domain.size[i], 1)) continue;
        bool folded = d->reduced >> i & 1;
        f.in_memory |= !folded && f.has_tail;
        if (!folded) f.last_kept = i;
        f.kept |= !folded;
        f.has_tail = folded;
    }
    f.in_memory |= f.kept && !f.has_tail;
    return f;
}

/* The part of a fold over the axes behind the last kept one, as an expression at this depth. */
static Frag fold_tail(Emit *e, const Def *d, const FoldShape *f)
{
    int from = f->last_kept + 1, end = d->domain.rank - d->in_row;
    bool loops = false;
    for (int i = from; i < end; i++) loops |= !size_is(d->domain.size[i], 1);
    if (!loops && d->in_row) return row_fold(e, d);
    if (!loops) return element_of(e, d);
    const char *name = local_name(e, d->node);
    add_declaration(
        e, e->depth,
        format("%s %s = %s;", c_value_type(d->node->type.elem), name, fold_first(d->node)));
    for (int i = from; i < end; i++) open_loop(e, d->domain.size[i]);
    if (!d->in_row) count_element(e, d);
    step(e, d->node, name, NULL, d->in_row ? row_fold(e, d) : element_of(e, d));
    for (int i = end; i-- > from;) close_loop(e, d->domain.size[i], false);
    return (Frag){name, C_PRIMARY, e->depth};
}

static void finish_fold(Emit *e, const Def *d, const FoldShape *f, Frag part)
{
    const Shape *s = &d->node->type.shape;
    Index ix = value_index(e, d);
    if (f->in_memory) {
        Buffer *to = f->over_rows ? sum_of(e, d) : d->home;
        step(e, d->node, element_text(to, s, &ix), to, part);
        return;
    }
    if (!f->kept && part.s[strcspn(part.s, "(")]) {
        const char *name = local_name(e, d->node);
        add_declaration(
            e, e->depth,
            format("const %s %s = %s;", c_value_type(d->node->type.elem), name, part.s));
        part.s = name;
    }
    if (!f->kept) remember(e, e->depth, value_key(d->node, &ix), part.s);
    store_all(e, d, &ix, part);
}

void emit_fold(Emit *e, const Def *d)
{
    FoldShape f = fold_shape(e->k, d);
    int rows = e->k->n_rows;
    if (f.in_memory && !f.over_rows) fill(e, d->home, d->node, rows, fold_first(d->node));
    for (int i = rows; i <= f.last_kept; i++) open_loop(e, d->domain.size[i]);
    e->counts.n = 0;
    finish_fold(e, d, &f, fold_tail(e, d, &f));
    for (int i = f.last_kept + 1; i-- > rows;)
        close_loop(e, d->domain.size[i], !(d->reduced >> i & 1));
    if (f.in_memory && !f.over_rows) store_copies(e, d, rows);
}

/* Where argmax and argmin look: the loops over the axes that stay are open, then those over the
 * others; `first`: at the first element, with only the former open. */
static Index arg_index(Emit *e, const Def *d, bool first)
{
    Shape order = d->domain;
    int place[MAX_RANK] = {0}, n = 0;
    for (int folded = 0; folded < 2; folded++)
        for (int i = 0; i < d->domain.rank; i++)
            if ((int)(d->reduced >> i & 1) == folded) place[i] = n++;
    for (int i = 0; i < d->domain.rank; i++) {
        order.size[place[i]] = d->domain.size[i];
        if (first && d->reduced >> i & 1) order.size[place[i]] = size_const(1);
    }
    Index open = open_index(e, &order, order.rank), ix = {.rank = order.rank};
    for (int i = 0; i < ix.rank; i++) {
        ix.at[i] = open.at[place[i]];
        ix.run[i] = 1;
    }
    return ix;
}

/* The number of element ix among those that are compared, row by row. */
static const char *arg_number(const Def *d, const Index *ix)
{
    Affine number = affine_const(size_const(0));
    for (int i = 0; i < ix->rank; i++) {
        if (!(d->reduced >> i & 1)) continue;
        number = affine_scale(number, d->domain.size[i]);
        number = affine_add(number, &ix->at[i]);
    }
    return affine_text(&number);
}

/* Loops over the folded axes that keep the best so far and where it was. */
static void emit_best(Emit *e, const Def *d, const char *place, const char *best)
{
    const Elem elem = d->node->in[0]->type.elem;
    Index at = arg_index(e, d, true);
    e->counts.n = 0;
    add_declaration(
        e, e->depth,
        format("%s %s = %s;", c_value_type(elem), best, value_of(e, d->node->in[0], &at).s));
    int depth = e->depth;
    for (int i = 0; i < d->domain.rank; i++)
        if (d->reduced >> i & 1) open_loop(e, d->domain.size[i]);
    if (e->depth == depth) return;
    at = arg_index(e, d, false);
    Frag v = value_of(e, d->node->in[0], &at), pair[2] = {v, {best, C_PRIMARY, 0}};
    Frag better = apply_template(op_info[d->node->op].value, elem, pair);
    add_line(e, e->depth, format("if (%s) {", better.s));
    vec_push(&e->scope[e->depth].lines, format("    %s = %s;", best, v.s));
    vec_push(&e->scope[e->depth].lines, format("    %s = %s;", place, arg_number(d, &at)));
    vec_push(&e->scope[e->depth].lines, "}");
    for (int i = d->domain.rank; i-- > 0;)
        if (d->reduced >> i & 1) close_loop(e, d->domain.size[i], false);
}

void emit_arg(Emit *e, const Def *d)
{
    for (int i = e->k->n_rows; i < d->domain.rank; i++)
        if (!(d->reduced >> i & 1)) open_loop(e, d->domain.size[i]);
    const char *place = local_name(e, d->node), *best = c_unique(e->ids, "best");
    add_declaration(e, e->depth, format("int32_t %s = 0;", place));
    emit_best(e, d, place, best);
    Index ix = open_index(e, &d->node->type.shape, d->node->type.shape.rank);
    if (e->depth == e->row_level) remember(e, e->depth, value_key(d->node, &ix), place);
    store_all(e, d, &ix, (Frag){place, C_PRIMARY, e->depth});
    for (int i = d->domain.rank; i-- > e->k->n_rows;)
        if (!(d->reduced >> i & 1)) close_loop(e, d->domain.size[i], true);
}
