/* emit_loop.c - kernels that are loops.
 * In: a kernel's groups. Out: the loops over its rows, with what each row computes in order: values
 * that the row shares become locals, maps become inner loops, folds accumulate. Sums over the rows
 * themselves are set to their first value before the loops. */
#include "emit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- loops ---- */

static const char *const loop_names[] = {"i", "j", "k", "l", "p", "q", "r", "s"};

static bool is_taken(const Emit *e, const char *name)
{
    for (int i = 0; i < e->ids->taken.n; i++)
        if (!strcmp(e->ids->taken.at[i], name)) return true;
    return false;
}

/* The name of the loop variable at a level: the first letters that nothing else is called. */
static const char *loop_name(const Emit *e, int level)
{
    for (size_t i = 0; i < sizeof loop_names / sizeof *loop_names; i++)
        if (!is_taken(e, loop_names[i]) && --level == 0) return loop_names[i];
    return format("i%d", level);
}

/* An axis of one element is no loop: its index is 0. */
void open_loop(Emit *e, SizeRef size)
{
    if (size_is(size, 1)) return;
    Scope *s = &e->scope[++e->depth];
    *s = (Scope){.var = {loop_name(e, e->depth), size, e->depth}};
}

void add_line(Emit *e, int level, const char *line)
{
    vec_push(&e->scope[level].lines, line);
    e->scope[level].statements++;
}

void add_declaration(Emit *e, int level, const char *line)
{
    add_line(e, level, line);
    e->scope[level].declares = true;
}

static bool has_loop(const Scope *s)
{
    for (int i = 0; i < s->lines.n; i++)
        if (!strncmp(s->lines.at[i], "for (", 5) || !strncmp(s->lines.at[i], "nn_", 3)) return true;
    return false;
}

/* The loop becomes one statement of the body around it. */
void close_loop(Emit *e, SizeRef size, bool independent)
{
    enum { WORTH_VECTORS = 8 };
    if (size_is(size, 1)) return;
    Scope *s = &e->scope[e->depth], *out = &e->scope[--e->depth];
    bool braces = s->statements != 1, wide = size_upper(size) >= WORTH_VECTORS;
    if (independent && wide && !has_loop(s)) vec_push(&out->lines, "NN_EACH");
    const char *v = s->var.name;
    vec_push(&out->lines, format("for (int %s = 0; %s < %s; %s++)%s", v, v, c_size(size), v, braces ? " {" : ""));
    for (int i = 0; i < s->lines.n; i++) vec_push(&out->lines, format("    %s", s->lines.at[i]));
    if (braces) vec_push(&out->lines, "}");
    out->statements++;
}

Index open_index(Emit *e, const Shape *s, int rank)
{
    Index ix = {.rank = rank};
    for (int i = 0, level = 0; i < rank; i++) {
        bool one = size_is(s->size[i], 1);
        ix.at[i] = one ? affine_const(size_const(0)) : affine_var(&e->scope[++level].var);
        ix.run[i] = 1;
    }
    return ix;
}

/* ---- storing ---- */

static bool is_narrow(const Buffer *b)
{
    Elem e = b->type.elem;
    if (b->memory == MEM_STACK && b->type.shape.rank == 0) return false;
    return e == ELEM_U8 || e == ELEM_I8 || e == ELEM_BOOL || e == ELEM_F16;
}

static const char *stored(const Buffer *b, Frag f)
{
    if (b->type.elem == ELEM_F16) return format("nn_half(%s)", f.s);
    return is_narrow(b) ? format("(%s)%s", c_type(b->type.elem), with(f, C_UNARY)) : f.s;
}

static void store(Emit *e, Buffer *b, const Shape *s, const Index *ix, Frag f)
{
    add_line(e, e->depth, format("%s = %s;", element_text(e, b, s, ix), stored(b, f)));
}

/* target = step(target, f), as `target += f` where C has that. */
static void step(Emit *e, const Node *n, const char *target, const Buffer *b, Frag f)
{
    const char *value = op_info[n->op == OP_MATMUL ? OP_SUM : n->op].value;
    Frag operands[2] = {{target, C_PRIMARY, 0}, f};
    bool plain = !b || !is_narrow(b);
    if (plain && strlen(value) == 5 && strchr("+*", value[2]))
        add_line(e, e->depth, format("%s %c= %s;", target, value[2], f.s));
    else {
        Frag y = apply_template(e, value, n->type.elem, operands);
        add_line(e, e->depth, format("%s = %s;", target, b ? stored(b, y) : y.s));
    }
}

const char *fold_first(const Node *n)
{
    const char *first = n->op == OP_MATMUL ? "0" : op_info[n->op].domain;
    double v = *first == '-' ? -INFINITY : *first == 'i' ? INFINITY : atof(first);
    Elem e = n->type.elem;
    if (elem_is_int(e) && isinf(v)) {
        double lo = e == ELEM_I8 ? -128 : e == ELEM_U8 ? 0 : -2147483648.0;
        double hi = e == ELEM_I8 ? 127 : e == ELEM_U8 ? 255 : 2147483647.0;
        v = v < 0 ? lo : hi;
    }
    return c_number(e, v);
}

/* The elements of a loop over the node's shape, which is opened and closed here. */
static void fill(Emit *e, Buffer *b, const Node *n, int skip, const char *value)
{
    const Shape *s = &n->type.shape;
    for (int i = skip; i < s->rank; i++) open_loop(e, s->size[i]);
    Index ix = open_index(e, s, s->rank);
    store(e, b, s, &ix, (Frag){value, C_PRIMARY, 0});
    for (int i = s->rank; i-- > skip;) close_loop(e, s->size[i], true);
}

/* What lives in d->home goes to its other places; the loops over the first `skip` axes are open. */
void store_copies(Emit *e, const Def *d, int skip)
{
    for (int i = 0; i < d->copies.n; i++) {
        const Shape *s = &d->node->type.shape;
        if (d->copies.at[i] == d->home) continue;
        for (int k = skip; k < s->rank; k++) open_loop(e, s->size[k]);
        Index ix = open_index(e, s, s->rank);
        const char *from = element_text(e, d->home, s, &ix);
        store(e, d->copies.at[i], s, &ix, (Frag){from, C_PRIMARY, 0});
        for (int k = s->rank; k-- > skip;) close_loop(e, s->size[k], true);
    }
}

/* Stores the value at its home and wherever else it goes. */
static void store_all(Emit *e, const Def *d, const Index *ix, Frag f)
{
    if (d->home) store(e, d->home, &d->node->type.shape, ix, f);
    for (int i = 0; i < d->copies.n; i++)
        if (d->copies.at[i] != d->home) store(e, d->copies.at[i], &d->node->type.shape, ix, f);
}

/* ---- maps ---- */

/* h_ij for an element of the array h, h for a value that has no array. */
static const char *element_name(Emit *e, const Def *d)
{
    if (!d->home || !d->home->type.shape.rank) return local_name(e, d->node);
    Text name = {0};
    text_add(&name, "%s_", e->c_name[d->node->id]);
    for (int i = 1; i <= e->depth; i++) text_add(&name, "%s", e->scope[i].var.name);
    return c_unique(e->ids, name.s);
}

/* A local for the value, unless it is only stored. */
static void keep_value(Emit *e, const Def *d, const Index *ix, Frag f)
{
    const char *name = element_name(e, d), *key = value_key(d->node, ix);
    add_declaration(e, e->depth, format("const %s %s = %s;", c_value_type(d->node->type.elem), name, f.s));
    remember(e, e->depth, key, name);
    store_all(e, d, ix, (Frag){name, C_PRIMARY, e->depth});
}

static bool is_read_again(const Emit *e, const Def *d, const Index *ix)
{
    const char *key = value_key(d->node, ix);
    for (int i = 0; i < e->counts.n; i++)
        if (!strcmp(e->counts.at[i].key, key)) return true;
    return false;
}

/* x = x - y is written x -= y. */
static bool emit_in_place(Emit *e, Node *n, Buffer *b, const Index *ix)
{
    if ((n->op != OP_ADD && n->op != OP_SUB) || is_narrow(b)) return false;
    const Node *a = see_through(n->in[0]);
    if (memory_of(e->c, a) != b) return false;
    const char *target = element_text(e, b, &n->type.shape, ix);
    Frag f = value_of(e, n->in[0], ix);
    if (strcmp(f.s, target)) return false;
    Frag other = value_of(e, n->in[1], ix);
    add_line(e, e->depth, format("%s %c= %s;", target, n->op == OP_ADD ? '+' : '-', other.s));
    return true;
}

static void emit_map(Emit *e, const Def *d, bool straight)
{
    Index ix = open_index(e, &d->domain, d->domain.rank);
    Buffer *only = d->home ? d->home : d->copies.n ? d->copies.at[0] : NULL;
    int places = d->copies.n + (d->home && (!d->copies.n || d->copies.at[0] != d->home));
    bool again = !d->is_store && (is_read_again(e, d, &ix) || (straight && e->k->groups.n > 1));
    bool direct = only && places == 1 && !again;
    if (direct && !d->is_store && emit_in_place(e, d->node, only, &ix)) return;
    Frag f = d->is_store ? value_of(e, d->node, &ix) : operation_of(e, d->node, &ix);
    if (direct) store(e, only, &d->node->type.shape, &ix, f);
    else keep_value(e, d, &ix, f);
}

/* ---- folds ---- */

static bool is_over_rows(const Kernel *k, const Def *d) { return k->n_rows > 0 && (d->reduced & 1); }

static Index value_index(Emit *e, const Def *d)
{
    Index all = open_index(e, &d->domain, d->domain.rank), ix = {0};
    for (int i = 0; i < d->domain.rank; i++)
        if (!(d->reduced >> i & 1)) {
            ix.at[ix.rank] = all.at[i];
            ix.run[ix.rank++] = 1;
        }
    return ix;
}

static Frag element_of(Emit *e, const Def *d)
{
    Index ix = open_index(e, &d->domain, d->domain.rank), a, b;
    if (!d->is_product) return value_of(e, d->node->in[0], &ix);
    Index y = value_index(e, d);
    product_indices(d->node, &y, &ix.at[d->by_rows ? 0 : d->domain.rank - 1], &a, &b);
    Frag pair[2] = {value_of(e, d->node->in[0], &a), value_of(e, d->node->in[1], &b)};
    return apply_template(e, op_info[OP_MUL].value, d->node->type.elem, pair);
}

static void count_element(Emit *e, const Def *d)
{
    Index ix = open_index(e, &d->domain, d->domain.rank), a, b;
    if (!d->is_product) count_values(e, d->node->in[0], &ix);
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
    return pointer_text(e, b, &x->type.shape, &base);
}

/* A sum or an extreme of a whole row by the runtime. The innermost loop is not open. */
static Frag row_fold(Emit *e, const Def *d)
{
    Node *x = see_through(d->node->in[0]);
    SizeRef n = d->domain.size[d->domain.rank - 1];
    open_loop(e, n);
    Index ix = open_index(e, &d->domain, d->domain.rank);
    if (!size_is(n, 1)) e->depth--;
    const char *wide = !strcmp(c_value_type(d->node->type.elem), "double") ? "_d" : "", *size = c_size(n);
    const char *name = d->node->op == OP_SUM ? "sum" : d->node->op == OP_MAXOF ? "max" : "min";
    const char *row = row_of(e, x, &ix, n), *other;
    if (row) return (Frag){format("nn_%s%s(%s, %s)", name, wide, row, size), C_PRIMARY, e->depth};
    Node *p = see_through(x->in[0]), *q = see_through(x->in[1]);
    row = row_of(e, p, &ix, n);
    other = row_of(e, q, &ix, n);
    if (row && other) return (Frag){format("nn_dot%s(%s, %s, %s)", wide, row, other, size), C_PRIMARY, e->depth};
    row = row_of(e, p->in[0], &ix, n);
    Index at = ix;
    at.at[at.rank - 1] = affine_const(size_const(0));
    Frag mean = value_of(e, p->in[1], &at);
    return (Frag){format("nn_sumsq_dev%s(%s, %s, %s)", wide, row, mean.s, size), C_PRIMARY, e->depth};
}

/* The inner axes of a fold: those up to the last kept one are loops around its result. Axes of one
 * element count as neither kept nor folded. */
typedef struct FoldShape {
    int last_kept;            /* n_rows - 1: none is kept */
    bool kept, has_tail;      /* has_tail: some axis behind the last kept one is folded */
    bool in_memory;           /* the result is added to, not set */
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
    add_declaration(e, e->depth, format("%s %s = %s;", c_value_type(d->node->type.elem), name, fold_first(d->node)));
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
        step(e, d->node, element_text(e, d->home, s, &ix), d->home, part);
        return;
    }
    if (!f->kept && part.s[strcspn(part.s, "(")]) {
        const char *name = local_name(e, d->node);
        add_declaration(e, e->depth, format("const %s %s = %s;", c_value_type(d->node->type.elem), name, part.s));
        part.s = name;
    }
    if (!f->kept) remember(e, e->depth, value_key(d->node, &ix), part.s);
    store_all(e, d, &ix, part);
}

static void emit_fold(Emit *e, const Def *d)
{
    FoldShape f = fold_shape(e->k, d);
    int rows = e->k->n_rows;
    if (f.in_memory && !f.over_rows) fill(e, d->home, d->node, rows, fold_first(d->node));
    for (int i = rows; i <= f.last_kept; i++) open_loop(e, d->domain.size[i]);
    e->counts.n = 0;
    finish_fold(e, d, &f, fold_tail(e, d, &f));
    bool independent = !f.has_tail;
    for (int i = f.last_kept + 1; i-- > rows;) close_loop(e, d->domain.size[i], independent);
    if (f.in_memory && !f.over_rows) store_copies(e, d, rows);
    if (f.in_memory && !f.over_rows) store_copies(e, d, rows);
}

/* Where argmax and argmin look: the loops over the other axes are open, then the one over theirs. */
static Index arg_index(Emit *e, const Def *d, int axis, Affine along)
{
    Shape others = d->domain;
    others.rank--;
    for (int i = axis; i < others.rank; i++) others.size[i] = d->domain.size[i + 1];
    Index open = open_index(e, &others, others.rank), ix = {.rank = d->domain.rank};
    for (int i = 0, k = 0; i < ix.rank; i++) {
        ix.at[i] = i == axis ? along : open.at[k++];
        ix.run[i] = 1;
    }
    return ix;
}

/* A loop over the axis that keeps the best so far and where it was. */
static void emit_best(Emit *e, const Def *d, int axis, const char *place, const char *best)
{
    const Elem elem = d->node->in[0]->type.elem;
    Index at = arg_index(e, d, axis, affine_const(size_const(0)));
    e->counts.n = 0;
    add_declaration(e, e->depth, format("%s %s = %s;", c_value_type(elem), best, value_of(e, d->node->in[0], &at).s));
    if (size_is(d->domain.size[axis], 1)) return;
    open_loop(e, d->domain.size[axis]);
    const char *var = e->scope[e->depth].var.name;
    at = arg_index(e, d, axis, affine_var(&e->scope[e->depth].var));
    Frag v = value_of(e, d->node->in[0], &at), pair[2] = {v, {best, C_PRIMARY, 0}};
    Frag better = apply_template(e, op_info[d->node->op].value, elem, pair);
    add_line(e, e->depth, format("if (%s) {", better.s));
    vec_push(&e->scope[e->depth].lines, format("    %s = %s;", best, v.s));
    vec_push(&e->scope[e->depth].lines, format("    %s = %s;", place, var));
    vec_push(&e->scope[e->depth].lines, "}");
    close_loop(e, d->domain.size[axis], false);
}

static void emit_arg(Emit *e, const Def *d)
{
    int axis = 0;
    while (!(d->reduced >> axis & 1)) axis++;
    for (int i = e->k->n_rows; i < d->domain.rank; i++)
        if (i != axis) open_loop(e, d->domain.size[i]);
    const char *place = local_name(e, d->node), *best = c_unique(e->ids, "best");
    add_declaration(e, e->depth, format("int32_t %s = 0;", place));
    emit_best(e, d, axis, place, best);
    Index ix = open_index(e, &d->node->type.shape, d->node->type.shape.rank);
    if (e->depth == e->row_level) remember(e, e->depth, value_key(d->node, &ix), place);
    store_all(e, d, &ix, (Frag){place, C_PRIMARY, e->depth});
    for (int i = d->domain.rank; i-- > e->k->n_rows;)
        if (i != axis) close_loop(e, d->domain.size[i], false);
}

/* ---- groups and kernels ---- */

static void count_step(void *context, Node *n, const Index *ix) { count_values(context, n, ix); }

static void count_group(Emit *e, const Group *g)
{
    e->counts.n = 0;
    for (int i = 0; i < g->defs.n; i++) {
        const Def *d = g->defs.at[i];
        Affine row = affine_const(size_const(0));
        Index ix = open_index(e, &d->domain, d->domain.rank);
        if (d->kind != DEF_MAP) count_element(e, d);
        else if (d->is_store) count_values(e, d->node, &ix);
        else each_operand(d->node, &ix, &row, count_step, e);
    }
}

static void emit_group(Emit *e, const Group *g)
{
    if (g->is_fold) {
        if (g->defs.at[0]->kind == DEF_ARG) emit_arg(e, g->defs.at[0]);
        else emit_fold(e, g->defs.at[0]);
        return;
    }
    for (int i = 0; i < g->inner.rank; i++) open_loop(e, g->inner.size[i]);
    count_group(e, g);
    for (int i = 0; i < g->defs.n; i++) {
        const Def *d = g->defs.at[i];
        if (d->kind == DEF_MAP) {
            emit_map(e, d, g->inner.rank == 0);
            continue;
        }
        Index ix = value_index(e, d);
        step(e, d->node, element_text(e, d->home, &d->node->type.shape, &ix), d->home, element_of(e, d));
    }
    for (int i = g->inner.rank; i-- > 0;) close_loop(e, g->inner.size[i], true);
}

static bool rows_are_independent(const Kernel *k)
{
    for (int i = 0; i < k->defs.n; i++)
        if (is_over_rows(k, k->defs.at[i])) return false;
    return true;
}

void emit_loops(Emit *e)
{
    const Kernel *k = e->k;
    for (int i = 0; i < k->defs.n; i++)
        if (is_over_rows(k, k->defs.at[i]))
            fill(e, k->defs.at[i]->home, k->defs.at[i]->node, 0, fold_first(k->defs.at[i]->node));
    for (int i = 0; i < k->n_rows; i++) open_loop(e, k->domain.size[i]);
    e->row_level = e->depth;
    for (int i = 0; i < k->groups.n; i++) emit_group(e, k->groups.at[i]);
    for (int i = k->n_rows; i-- > 0;) close_loop(e, k->domain.size[i], rows_are_independent(k));
    for (int i = 0; i < k->defs.n; i++)
        if (is_over_rows(k, k->defs.at[i])) store_copies(e, k->defs.at[i], 0);
}
