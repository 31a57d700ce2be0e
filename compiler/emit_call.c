/* emit_call.c - kernels that are not loops over one domain: matrix products and random numbers by
 * the runtime, and what is put together from parts. */
#include "emit.h"

#include <string.h>

static const char *suffix(const Node *n)
{
    return !strcmp(c_value_type(n->type.elem), "double") ? "_d" : "";
}

static const char *scratch_text(const Emit *e)
{
    if (!e->k->scratch) return "NULL";
    e->k->scratch->used = true;
    return e->k->scratch->access;
}

/* ---- matrix products ---- */

static void add_flag(Text *out, const char *flag)
{
    text_add(out, "%s%s", out->n ? " | " : "", flag);
}

static const char *flags_text(const Def *d, bool first, bool last, const Band *band)
{
    Text out = {0};
    if (!first) add_flag(&out, "NN_ACC");
    if (d->bias && last) add_flag(&out, "NN_BIAS");
    const char *act = d->act == OP_MAX       ? "NN_RELU"
                      : d->act == OP_TANH    ? "NN_TANH"
                      : d->act == OP_SIGMOID ? "NN_SIGMOID"
                                             : NULL;
    if (act && last) add_flag(&out, act);
    if (band && band->of == BAND_COLUMNS) add_flag(&out, "NN_COLUMNS");
    if (band && band->of == BAND_TERMS) add_flag(&out, "NN_TERMS");
    if (band && band->of == BAND_COLUMNS && band->clears) add_flag(&out, "NN_CLEAR");
    return out.n ? out.s : "0";
}

/* The first element of a bias vector in memory. */
static const char *bias_text(Emit *e, Node *bias)
{
    Index ix = {.rank = bias->type.shape.rank}, at;
    for (int i = 0; i < ix.rank; i++) {
        ix.at[i] = affine_const(size_const(0));
        ix.run[i] = 1;
    }
    for (at = ix; !e->c->def_of[bias->id] && !is_leaf_memory(bias);
         bias = see_through(bias->in[0])) {
        Index in = at;
        index_operand(bias, 0, &in, &at);
    }
    Affine flat = index_flat(&at, &bias->type.shape);
    return array_text(memory_of(e->c, bias), &flat);
}

/* Where the results of one call start and how far apart their rows are: one after another, or at
 * their places in the transpose. */
static Affine result_place(const Def *d, const Index *ix, SizeRef *ld)
{
    const Shape *s = product_shape(d);
    Affine start = affine_const(size_const(0));
    SizeRef stride = size_const(1);
    for (int k = s->rank; k-- > 0;) {
        int axis = d->transpose ? d->transpose->attr.perm[k] : k;
        if (axis == s->rank - 2) *ld = stride;
        if (axis < s->rank - 2) {
            Affine part = affine_scale(ix->at[axis], stride);
            start = affine_add(start, &part);
        }
        stride = size_mul(stride, s->size[axis]);
    }
    return start;
}

/* The result of a step may be part of the rows of a larger array. */
static bool has_gaps(const Def *d)
{
    return d->home->memory == MEM_OUTPUT && !d->home->slot &&
           !shape_equal(&d->home->type.shape, &d->node->type.shape);
}

/* Distances between rows, and operands, of one call: runtime_nn(M, N, K, A, lda, B, ldb, ...) */
static void emit_product(Emit *e, const Def *d, int which)
{
    const Product *p = &d->products.at[which];
    const Shape *shape = product_shape(d);
    int batch = shape->rank - 2;
    Var one = {"0", size_const(1), 0}, *vars[MAX_RANK] = {0};
    for (int i = 0, level = 0; i < batch; i++)
        vars[i] = size_is(shape->size[i], 1) ? &one : &e->scope[++level].var;
    Matrix a = matrix_of(e->c, p->a, vars), b = matrix_of(e->c, p->b, vars);
    a.start = affine_without(&a.start, &one);
    b.start = affine_without(&b.start, &one);
    ProductSizes s = product_sizes(p);
    Index ix = open_index(e, shape, batch);
    SizeRef ld = s.n;
    Affine start = result_place(d, &ix, &ld);
    if (has_gaps(d)) ld = d->home->type.shape.size[d->home->type.shape.rank - 1];
    bool last = which == d->products.n - 1;
    const char *form = a.turned ? "tn" : b.turned ? "nt" : "nn";
    const char *bias = d->bias && last ? bias_text(e, d->bias) : "NULL";
    const char *flags = flags_text(d, which == 0, last, &p->band);
    bool banded = p->band.of != BAND_ALL;
    if (banded) flags = format("%s, %s, %s", flags, c_size(p->band.lo), c_size(p->band.hi));
    add_line(e, e->depth,
             format("nn_gemm_%s%s%s(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s);", form,
                    banded ? "_band" : "", suffix(d->node), c_size(s.m), c_size(s.n), c_size(s.k),
                    array_text(memory_of(e->c, a.base), &a.start), c_size(a.ld),
                    array_text(memory_of(e->c, b.base), &b.start), c_size(b.ld),
                    array_text(d->home, &start), c_size(ld), bias, flags, scratch_text(e)));
}

/* Products of different batches do not depend on each other. */
void emit_gemm(Emit *e, const Def *d)
{
    enum { FLOPS_A_NANOSECOND = 100 };
    const Shape *shape = product_shape(d);
    int batch = shape->rank - 2;
    e->cost = work_flops(e->k->work) / FLOPS_A_NANOSECOND;
    for (int i = 0; i < batch; i++) open_loop(e, shape->size[i]);
    for (int i = 0; i < d->products.n; i++) emit_product(e, d, i);
    for (int i = batch; i-- > 0;) close_loop(e, shape->size[i], true);
    e->cost = 0;
    store_copies(e, d, 0);
}

/* ---- convolutions ---- */

/* The first element of n in memory b, or of the group whose loop is open. */
static const char *first_element(Emit *e, Buffer *b, const Node *n, SizeRef groups)
{
    const Shape *s = &n->type.shape;
    Affine start = affine_const(size_const(0));
    Index ix = open_index(e, s, groups != NULL);
    if (!groups) return array_text(b, &start);
    for (; ix.rank < s->rank; ix.rank++) {
        ix.at[ix.rank] = start;
        ix.run[ix.rank] = 1;
    }
    return pointer_text(b, s, &ix);
}

static const char *operand_text(Emit *e, Node *n, SizeRef groups)
{
    return first_element(e, memory_of(e->c, array_of(e->c, n)), n, groups);
}

static const char *three_sizes(const SizeRef *s)
{
    return format("{%s, %s, %s}", c_size(s[0]), c_size(s[1]), c_size(s[2]));
}

/* The sizes of a convolution as a struct of the runtime: x, y, window, stride, pad, dilation. */
static const char *conv_sizes(const Node *n)
{
    const Attr *a = &n->attr;
    const Shape x = conv_image(n), y = conv_result(n);
    const Shape k = conv_kernel(n);
    return format("{%s, %s, {%s, %s}, {%d, %d}, {%s, %s}, {%d, %d}}",
                  three_sizes(&x.size[1]), three_sizes(&y.size[1]), c_size(k.size[2]),
                  c_size(k.size[3]), a->perm[0], a->perm[1], c_size(a->lo[0]), c_size(a->lo[1]),
                  a->perm[2], a->perm[3]);
}

static const char *conv_flags(const char *flags, bool packed)
{
    if (!packed) return flags;
    return !strcmp(flags, "0") ? "NN_PACKED" : format("%s | NN_PACKED", flags);
}

void emit_conv(Emit *e, const Def *d)
{
    const Node *n = d->conv;
    SizeRef groups = conv_groups(n);
    const char *form = n->op == OP_CONV ? "" : n->op == OP_CONV_DATA ? "_data" : "_weights";
    const char *batch = c_size(conv_image(n).size[0]), *more = "", *scratch = "";
    const char *sizes = c_unique(e->ids, "sizes");
    add_declaration(e, 0, format("const struct nn_conv_sizes %s = %s;", sizes, conv_sizes(n)));
    if (groups) open_loop(e, groups);
    const char *a = operand_text(e, n->in[0], groups), *b = operand_text(e, n->in[1], groups);
    const char *to = first_element(e, d->home, n, groups);
    if (n->op == OP_CONV)
        more = format(", %s, %s", d->bias ? bias_text(e, d->bias) : "NULL",
                      conv_flags(flags_text(d, true, true, NULL), n->attr.k));
    if (!is_depthwise(n)) scratch = format(", %s", scratch_text(e));
    const char *way = is_depthwise(n) ? "depthwise" : takes_winograd(n) ? "winograd" : "conv";
    add_line(e, e->depth, format("nn_%s%s%s(%s, &%s, %s, %s, %s%s%s);", way, form,
                                 suffix(d->node), batch, sizes, a, b, to, more, scratch));
    if (groups) close_loop(e, groups, false);
    store_copies(e, d, 0);
}

/* ---- random numbers ---- */

void emit_draw(Emit *e, const Def *d)
{
    const Node *n = d->node;
    Affine start = affine_const(size_const(0));
    const char *to = array_text(d->home, &start), *count = c_size(shape_count(&n->type.shape));
    const char *kind = n->attr.draw == DRAW_UNIFORM ? "uniform" : "normal";
    bool simple = !strpbrk(count, " +-*/%");
    add_line(e, 0,
             format(simple ? "nn_%s%s(%s, (size_t)%s, m->state.seed, m->state.call, %ld);"
                           : "nn_%s%s(%s, (size_t)(%s), m->state.seed, m->state.call, %ld);",
                    kind, suffix(n), to, count, n->attr.k));
    if (n->attr.draw == DRAW_ORTHOGONAL && n->type.shape.rank) {
        SizeRef rows = n->type.shape.size[0];
        add_line(e, 0,
                 format("nn_orthogonal%s(%s, %s, %s, %s);", suffix(n), to, c_size(rows),
                        c_size(size_div(shape_count(&n->type.shape), rows)), scratch_text(e)));
    }
    store_copies(e, d, 0);
}

/* ---- parts ---- */

static const char *converted(const Buffer *b, Frag f)
{
    Elem e = b->type.elem;
    if (e == ELEM_F16) return stored_half(f);
    bool narrow = e == ELEM_U8 || e == ELEM_I8 || e == ELEM_BOOL;
    return narrow ? format("(%s)%s", c_type(e), with(f, C_UNARY)) : f.s;
}

/* Stores the parts `from` to before `to`, which have the same shape, as blocks of d's value; the
 * first starts at index lo, which moves behind the last. */
static void emit_blocks(Emit *e, const Def *d, int from, int to, SizeRef *lo)
{
    const Node *n = d->node;
    const Shape *s = &n->in[from]->type.shape;
    for (int i = 0; i < s->rank; i++) open_loop(e, s->size[i]);
    Index ix = open_index(e, s, s->rank);
    e->counts.n = 0;
    for (int k = from; k < to; k++) count_values(e, n->in[k], &ix);
    for (int k = from; k < to; k++) {
        Index at = ix;
        for (int i = 0; i < s->rank; i++) {
            Affine offset = affine_const(lo[i]);
            at.at[i] = affine_add(at.at[i], &offset);
        }
        Frag f = value_of(e, n->in[k], &ix);
        add_line(e, e->depth,
                 format("%s = %s;", element_text(d->home, &n->type.shape, &at),
                        converted(d->home, f)));
        if (n->op == OP_CONCAT) lo[n->attr.k] = size_add(lo[n->attr.k], s->size[n->attr.k]);
    }
    for (int i = s->rank; i-- > 0;) close_loop(e, s->size[i], true);
}

static void emit_zeros(Emit *e, const Def *d)
{
    const Shape *s = &d->node->type.shape;
    for (int i = 0; i < s->rank; i++) open_loop(e, s->size[i]);
    Index ix = open_index(e, s, s->rank);
    const char *zero = c_number(d->node->type.elem == ELEM_F16 ? ELEM_I32 : d->node->type.elem, 0);
    add_line(e, e->depth, format("%s = %s;", element_text(d->home, s, &ix), zero));
    for (int i = s->rank; i-- > 0;) close_loop(e, s->size[i], true);
}

/* Parts of one shape share their loops and what is computed for several of them. */
void emit_join(Emit *e, const Def *d)
{
    enum { AT_ONCE = 8 };
    SizeRef lo[MAX_RANK];
    const Node *n = d->node;
    for (int i = 0; i < MAX_RANK; i++) lo[i] = n->op == OP_PAD ? n->attr.lo[i] : size_const(0);
    if (n->op == OP_PAD) emit_zeros(e, d);
    for (int k = 0, end; k < n->n_in; k = end) {
        for (end = k + 1; end < n->n_in && end < k + AT_ONCE; end++)
            if (!shape_equal(&n->in[end]->type.shape, &n->in[k]->type.shape)) break;
        emit_blocks(e, d, k, end, lo);
    }
    store_copies(e, d, 0);
}

/* element `target` of the result += element `from` of n */
static void add_to_element(Emit *e, const Def *d, Node *n, const Index *from, const Index *target)
{
    e->counts.n = 0;
    count_values(e, n, from);
    Frag f = value_of(e, n, from);
    const char *element = element_text(d->home, &d->node->type.shape, target);
    if (converted(d->home, f) == f.s) {
        add_line(e, e->depth, format("%s += %s;", element, f.s));
        return;
    }
    bool half = d->home->type.elem == ELEM_F16;
    Frag pair[2] = {{half ? format("nn_from_half(%s)", element) : element, C_PRIMARY, 0}, f};
    Frag sum = apply_template(op_info[OP_ADD].value, d->node->type.elem, pair);
    add_line(e, e->depth, format("%s = %s;", element, converted(d->home, sum)));
}

/* Adds up what windows overlap. Within the innermost loop no element is met twice. */
void emit_unwindow(Emit *e, const Def *d)
{
    Node *windows = see_through(d->node->in[0]);
    const Shape *s = &windows->type.shape;
    emit_zeros(e, d);
    for (int i = 0; i < s->rank; i++) open_loop(e, s->size[i]);
    Index from = open_index(e, s, s->rank), target;
    index_window(&d->node->attr, s, &from, &target);
    target.rank = d->node->type.shape.rank;
    add_to_element(e, d, windows, &from, &target);
    for (int i = s->rank; i-- > 0;) close_loop(e, s->size[i], i == s->rank - 1);
    store_copies(e, d, 0);
}

/* Adds every row to the row of the result that its index names. */
void emit_scatter(Emit *e, const Def *d)
{
    Node *index = see_through(d->node->in[0]), *rows = see_through(d->node->in[1]);
    const Shape *s = &rows->type.shape, *to = &d->node->type.shape;
    int outer = index->type.shape.rank;
    emit_zeros(e, d);
    for (int i = 0; i < outer; i++) open_loop(e, s->size[i]);
    Index at = open_index(e, s, outer);
    e->counts.n = 0;
    const Var *var = picked_row(e, index, &at, to->size[0], d->node->span);
    for (int i = outer; i < s->rank; i++) open_loop(e, s->size[i]);
    Index from = open_index(e, s, s->rank), target = {.rank = to->rank};
    for (int i = 0; i < to->rank; i++) {
        target.at[i] = i ? from.at[outer + i - 1] : affine_var(var);
        target.run[i] = 1;
    }
    add_to_element(e, d, rows, &from, &target);
    for (int i = s->rank; i-- > 0;) close_loop(e, s->size[i], i >= outer);
    store_copies(e, d, 0);
}
