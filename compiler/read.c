/* read.c - what a definition reads, and at which index.
 * In: a definition with its loops. Out: every node in memory and every other definition that its
 * expression reaches, with the index as a function of the loop variables. */
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

enum {
    UNROLL_TERMS = 4,
    WINDOW_TERMS = 16,
    SMALL_MATRIX = 128,
    SMALL_PRODUCT = 32768,
    FEW_ELEMENTS = 64
};

/* ---- nodes ---- */

bool is_leaf_memory(const Node *n)
{
    return n->op == OP_INPUT || n->op == OP_PARAM || n->op == OP_STATE || n->op == OP_TABLE;
}

Node *see_through(Node *n)
{
    for (;;) {
        if (n->op == OP_MARK || n->op == OP_STOP)
            n = n->in[0];
        else if (n->op == OP_CUSTOM)
            n = n->in[((const Custom *)n->attr.ref)->n_inputs + (int)n->attr.k];
        else
            return n;
    }
}

bool is_view(const Node *n)
{
    switch (n->op) {
    case OP_BROADCAST:
    case OP_TRANSPOSE:
    case OP_SLICE:
    case OP_REVERSE:
    case OP_RESHAPE:
    case OP_WINDOW: return true;
    default: return false;
    }
}

static long cap(SizeRef s)
{
    long v = size_upper(s);
    return v < 0 || v > 1L << 40 ? 1L << 40 : v;
}

/* Small enough for plain loops: one of the matrices is small and constant, and so is the work. */
bool is_small_product(const Node *n)
{
    if (n->op != OP_MATMUL) return false;
    const Shape *a = &n->in[0]->type.shape, *y = &n->type.shape;
    SizeRef m = y->size[y->rank - 2], n_ = y->size[y->rank - 1], k = a->size[a->rank - 1];
    if (!elem_is_real(n->type.elem) || n->type.elem == ELEM_F16) return true;
    bool small = false;
    SizeRef pairs[3][2] = {{m, n_}, {m, k}, {k, n_}};
    for (int i = 0; i < 3; i++) {
        SizeRef p = size_mul(pairs[i][0], pairs[i][1]);
        small |= size_is_const(p, NULL) && cap(p) <= SMALL_MATRIX;
    }
    return small && cap(m) * cap(n_) <= SMALL_PRODUCT && cap(m) * cap(n_) * cap(k) <= SMALL_PRODUCT;
}

bool is_convolution(const Node *n)
{
    return n->op == OP_CONV || n->op == OP_CONV_DATA || n->op == OP_CONV_WEIGHTS;
}

static const Shape *kernel_shape(const Node *n)
{
    return n->op == OP_CONV_WEIGHTS ? &n->type.shape : &n->in[1]->type.shape;
}

SizeRef conv_groups(const Node *n)
{
    if (!is_convolution(n) || n->in[0]->type.shape.rank != 5) return NULL;
    return n->in[0]->type.shape.size[0];
}

bool is_of_groups(const Node *n)
{
    if (n->op != OP_TRANSPOSE) return false;
    for (n = n->in[0]; n->op == OP_RESHAPE; n = n->in[0]) {}
    return conv_groups(n) && n->op != OP_CONV_WEIGHTS;
}

static Shape in_group(const Node *n, const Shape *s)
{
    Shape one = *s;
    if (!conv_groups(n)) return one;
    one.rank--;
    for (int i = 0; i < one.rank; i++) one.size[i] = s->size[i + 1];
    return one;
}

Shape conv_image(const Node *n)
{
    return in_group(n, n->op == OP_CONV_DATA ? &n->type.shape : &n->in[0]->type.shape);
}

Shape conv_result(const Node *n)
{
    const Node *y = n->op == OP_CONV ? n : n->in[n->op == OP_CONV_WEIGHTS];
    return in_group(n, &y->type.shape);
}

bool is_depthwise(const Node *n) { return is_convolution(n) && kernel_shape(n)->rank == 3; }

Shape conv_kernel(const Node *n)
{
    const Shape *k = kernel_shape(n);
    if (k->rank == 3) return (Shape){4, {k->size[2], size_const(1), k->size[0], k->size[1]}};
    if (n->op == OP_CONV_WEIGHTS || !n->attr.k) return in_group(n, k);
    return (Shape){4, {k->size[3], k->size[2], k->size[0], k->size[1]}};
}

bool is_tiny(const Shape *s)
{
    long n;
    return size_is_const(shape_count(s), &n) && n <= FEW_ELEMENTS;
}

/* The number of elements along the axes, from `from` on, that n folds; MANY_TERMS when it is not
 * known or larger. */
enum { MANY_TERMS = 1000 };
static long folded_terms(const Node *n, int from)
{
    SizeRef terms = size_const(1);
    const Shape *s = &n->in[0]->type.shape;
    long k;
    for (int i = from; i < s->rank; i++)
        if (n->attr.axes >> i & 1) terms = size_mul(terms, s->size[i]);
    return size_is_const(terms, &k) && k < MANY_TERMS ? k : MANY_TERMS;
}

static bool is_real_fold(const Node *n)
{
    if (op_info[n->op].class != CLASS_FOLD) return false;
    Elem e = n->in[0]->type.elem;
    return elem_is_real(e) && e != ELEM_F16;
}

/* A sum of a few terms over so few elements that it is written inside its user. */
static bool is_tiny_sum(const Node *n)
{
    bool tiny = n->op == OP_SUM && is_real_fold(n) && is_tiny(&n->in[0]->type.shape);
    return tiny && folded_terms(n, 0) <= UNROLL_TERMS;
}

bool is_window_fold(const Node *n)
{
    if (!is_real_fold(n)) return false;
    int rank = n->in[0]->type.shape.rank, tail = rank;
    while (tail > 0 && n->attr.axes >> (tail - 1) & 1) tail--;
    bool in_turn = n->attr.axes & ((1u << tail) - 1); /* a kept axis lies behind a folded one */
    long terms = folded_terms(n, 0);
    if (is_tiny(&n->in[0]->type.shape) && (!in_turn || is_tiny_sum(n))) return false;
    return terms > 1 && terms <= WINDOW_TERMS && folded_terms(n, tail) <= UNROLL_TERMS;
}

long unrolled_terms(const Node *n)
{
    long k;
    if (is_window_fold(n)) return folded_terms(n, 0);
    if (!is_small_product(n)) return is_tiny_sum(n) ? folded_terms(n, 0) : 0;
    const Shape *a = &n->in[0]->type.shape;
    return size_is_const(a->size[a->rank - 1], &k) && k <= UNROLL_TERMS ? k : 0;
}

/* ---- frames ---- */

static const char *const axis_names[] = {"i", "j", "k", "l", "p", "q", "r", "s", "t"};

void frame_of(const Def *d, Frame *f)
{
    memset(f, 0, sizeof *f);
    for (int i = 0; i < d->domain.rank; i++) {
        f->var[i] = (Var){axis_names[i], d->domain.size[i], i + 1};
        f->vars[i] = &f->var[i];
    }
    Var *kept[MAX_RANK + 1];
    int n = 0;
    for (int i = 0; i < d->domain.rank; i++)
        if (!(d->reduced >> i & 1)) kept[n++] = f->vars[i];
    f->value = index_of_vars(n, kept);
}

/* ---- the walk ---- */

typedef struct Walk {
    const Code *c;
    const Def *d;
    const Frame *f;
    ReadFn *fn;
    void *context;
    bool whole;   /* the reader's loops are not those of the frame */
    Var anywhere; /* stands for an index that is read from memory */
} Walk;

static void walk_node(Walk *w, Node *n, const Index *ix);

/* The elements of both operands in term k of element ix of a matrix product. */
void product_indices(const Node *n, const Index *ix, const Affine *k, Index *a, Index *b)
{
    Index in = *ix;
    index_split(&in, &n->type.shape);
    int r = in.rank;
    *a = in;
    *b = in;
    a->at[r - 1] = *k;
    b->at[r - 2] = *k;
}

/* Element t, row by row, of those that are folded for element ix. */
static Index folded_index(const Node *n, const Index *ix, long t)
{
    const Shape *s = &n->in[0]->type.shape;
    Index in = *ix, x = {.rank = s->rank};
    index_split(&in, &n->type.shape);
    for (int i = s->rank, kept = in.rank; i-- > 0;) {
        long size = 1;
        x.run[i] = 1;
        if (!(n->attr.axes >> i & 1)) {
            x.at[i] = in.at[--kept];
            continue;
        }
        size_is_const(s->size[i], &size);
        x.at[i] = affine_const(size_const(t % size));
        t /= size;
    }
    return x;
}

void term_indices(const Node *n, const Index *ix, long t, Index operands[2])
{
    Affine k = affine_const(size_const(t));
    if (n->op != OP_MATMUL)
        operands[0] = folded_index(n, ix, t);
    else
        product_indices(n, ix, &k, &operands[0], &operands[1]);
}

static void gather_operands(Node *n, const Index *ix, const Affine *row, OperandFn *fn,
                            void *context)
{
    Index in = *ix, at = {0}, from = {0};
    index_split(&in, &n->type.shape);
    int r = n->in[1]->type.shape.rank;
    for (at.rank = 0; at.rank < r; at.rank++) {
        at.at[at.rank] = in.at[at.rank];
        at.run[at.rank] = 1;
    }
    from.at[0] = *row;
    from.run[0] = 1;
    for (from.rank = 1; r < in.rank; r++, from.rank++) {
        from.at[from.rank] = in.at[r];
        from.run[from.rank] = 1;
    }
    fn(context, n->in[1], &at);
    fn(context, n->in[0], &from);
}

void each_operand(Node *n, const Index *ix, const Affine *row, OperandFn *fn, void *context)
{
    Index in;
    long terms = unrolled_terms(n);
    if (op_info[n->op].class == CLASS_LEAF) return;
    if (n->op == OP_GATHER) {
        gather_operands(n, ix, row, fn, context);
        return;
    }
    for (long t = 0; t < terms; t++) {
        Index operands[2];
        term_indices(n, ix, t, operands);
        for (int k = 0; k < n->n_in; k++) fn(context, n->in[k], &operands[k]);
    }
    for (int k = 0; k < n->n_in && !terms; k++)
        if (index_operand(n, k, ix, &in))
            fn(context, n->in[k], &in);
        else {
            fprintf(stderr, "nnc: internal error: %s is written inside its user\n",
                    op_info[n->op].name);
            abort();
        }
}

static void walk_operand(void *context, Node *n, const Index *ix) { walk_node(context, n, ix); }

static void walk_operands(Walk *w, Node *n, const Index *ix)
{
    Affine anywhere = affine_var(&w->anywhere);
    each_operand(n, ix, &anywhere, walk_operand, w);
}

static void walk_node(Walk *w, Node *n, const Index *ix)
{
    n = see_through(n);
    if (is_leaf_memory(n) || w->c->def_of[n->id])
        w->fn(w->context, w->d, w->f, n, w->whole ? NULL : ix);
    else
        walk_operands(w, n, ix);
}

static void walk_whole(Walk *w, Node *n)
{
    Var v[MAX_RANK], *vars[MAX_RANK];
    for (int i = 0; i < n->type.shape.rank; i++) {
        v[i] = (Var){axis_names[i], n->type.shape.size[i], 1};
        vars[i] = &v[i];
    }
    Index ix = index_of_vars(n->type.shape.rank, vars);
    w->whole = true;
    walk_node(w, n, &ix);
}

static void walk_product(Walk *w)
{
    const Def *d = w->d;
    Index a, b;
    int last = d->by_rows ? 0 : d->domain.rank - 1;
    Affine k = affine_var(w->f->vars[last]);
    product_indices(d->node, &w->f->value, &k, &a, &b);
    walk_node(w, d->node->in[0], &a);
    walk_node(w, d->node->in[1], &b);
}

void each_read(const Code *c, const Def *d, ReadFn *fn, void *context)
{
    Frame f;
    frame_of(d, &f);
    Walk w = {c, d, &f, fn, context, false, {"?", size_const(1), MAX_RANK}};
    Index all = index_of_vars(d->domain.rank, f.vars);
    switch (d->kind) {
    case DEF_MAP:
        if (d->is_store)
            walk_node(&w, d->node, &all);
        else
            walk_operands(&w, d->node, &all);
        break;
    case DEF_FOLD:
    case DEF_ARG:
        if (d->is_product)
            walk_product(&w);
        else
            walk_node(&w, d->node->in[0], &all);
        break;
    case DEF_GEMM:
        for (int i = 0; i < d->products.n; i++) {
            walk_whole(&w, d->products.at[i].a);
            walk_whole(&w, d->products.at[i].b);
        }
        if (d->bias) walk_whole(&w, d->bias);
        break;
    case DEF_CONV:
        for (int k = 0; k < 2; k++) walk_whole(&w, d->conv->in[k]);
        if (d->bias) walk_whole(&w, d->bias);
        break;
    case DEF_JOIN:
    case DEF_SCAN:
    case DEF_SCATTER:
        for (int k = 0; k < d->node->n_in; k++) walk_whole(&w, d->node->in[k]);
        break;
    case DEF_DRAW: break;
    }
}

/* ---- storing where an old value is ---- */

typedef struct Overwrite {
    const Node *old;
    const Def *writer;
    bool safe;
} Overwrite;

/* Does element ix of n, counted row by row, lie in the row of d's loops that is being computed?
 * With all loops for the row: is it the very element? n may count the elements in another way. */
static bool is_in_row(const Def *d, int rows, const Frame *f, const Node *n, const Index *ix)
{
    Affine at = index_flat(ix, &n->type.shape);
    SizeRef stride = size_const(1), most;
    if (shape_count(&n->type.shape) != shape_count(&d->domain)) return false;
    for (int i = d->domain.rank; i-- > rows;) stride = size_mul(stride, d->domain.size[i]);
    most = size_sub(stride, size_const(1));
    for (int i = rows; i-- > 0; stride = size_mul(stride, d->domain.size[i])) {
        bool one = size_is(d->domain.size[i], 1);
        if (!one && affine_factor(&at, f->vars[i]) != stride) return false;
        at = affine_without(&at, f->vars[i]);
    }
    if (size_lower(at.base) < 0) return false;
    most = size_sub(most, at.base);
    for (int i = 0; i < at.n; i++) {
        SizeRef last = size_sub(at.var[i]->size, size_const(1));
        if (size_lower(at.by[i]) < 0) return false;
        most = size_sub(most, size_mul(at.by[i], last));
    }
    return size_lower(most) >= 0;
}

static void check_overwrite(void *context, const Def *r, const Frame *f, Node *n, const Index *ix)
{
    Overwrite *o = context;
    const Def *d = o->writer;
    if (n != o->old) return;
    int rows = d->kernel->n_rows;
    if (r->group < d->group)
        o->safe &= ix && r->domain.rank >= rows && is_in_row(d, rows, f, n, ix);
    else
        o->safe &= ix && r->group == d->group && r->id <= d->id &&
                   shape_equal(&r->domain, &d->domain) && is_in_row(d, d->domain.rank, f, n, ix);
}

bool may_overwrite(const Code *c, const Def *d, const Node *old)
{
    Overwrite o = {old, d, d->kind == DEF_MAP};
    for (int i = 0; i < d->kernel->defs.n; i++)
        each_read(c, d->kernel->defs.at[i], check_overwrite, &o);
    return o.safe;
}
