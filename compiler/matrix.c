/* matrix.c - operands of matrix products as the runtime reads them.
 * In: a node that is a view of an array. Out: the array, where the matrix starts in it, the
 * distance of its rows, and whether it is stored by columns. A transpose, a slice, the split into
 * heads of an attention layer cost nothing this way. */
#include "kernel.h"

Matrix matrix_of(const Code *c, Node *n, Var *const *batch)
{
    n = see_through(n);
    int r = n->type.shape.rank;
    Var row = {"i", n->type.shape.size[r - 2], 9}, column = {"j", n->type.shape.size[r - 1], 9};
    Var *vars[MAX_RANK];
    for (int i = 0; i + 2 < r; i++) vars[i] = batch[i];
    vars[r - 2] = &row;
    vars[r - 1] = &column;
    Index ix = index_of_vars(r, vars), at = ix;
    Matrix m = {.base = n};
    while (!is_leaf_memory(m.base) && !c->def_of[m.base->id]) {
        Index in = at;
        index_operand(m.base, 0, &in, &at);
        m.base = see_through(m.base->in[0]);
    }
    Affine flat = index_flat(&at, &m.base->type.shape);
    SizeRef down = affine_factor(&flat, &row), across = affine_factor(&flat, &column);
    bool is_row = size_is(row.size, 1), is_column = size_is(column.size, 1);
    m.turned = !(size_is(across, 1) || is_column) || (size_is(down, 0) && !is_row);
    m.ld = m.turned ? across : down;
    if (size_is(m.ld, 0)) m.ld = m.turned ? row.size : column.size;
    m.start = affine_without(&flat, &row);
    m.start = affine_without(&m.start, &column);
    return m;
}

Node *array_of(const Code *c, Node *n)
{
    n = see_through(n);
    while (n->op == OP_RESHAPE && !(c && c->def_of[n->id])) n = see_through(n->in[0]);
    return n;
}

ProductSizes product_sizes(const Product *p)
{
    const Shape *a = &p->a->type.shape, *b = &p->b->type.shape;
    return (ProductSizes){a->size[a->rank - 2], b->size[b->rank - 1], a->size[a->rank - 1]};
}

const Shape *product_shape(const Def *d) { return &d->products.at[0].node->type.shape; }

/* "i - 3" */
static const char *shifted(SizeRef by)
{
    long v;
    if (!size_is_const(by, &v)) return format("i + %s", size_text(by));
    return v ? format("i %c %ld", v < 0 ? '-' : '+', v < 0 ? -v : v) : "i";
}

const char *band_text(const Def *d)
{
    const Product *p = d->products.at;
    if (!d->products.n || p->band.of == BAND_ALL) return "";
    const char *x = p->band.of == BAND_TERMS ? "k" : "j";
    ProductSizes s = product_sizes(p);
    SizeRef one = size_const(1), width = p->band.of == BAND_TERMS ? s.k : s.n;
    bool first = p->band.lo != size_sub(one, s.m), last = p->band.hi != size_sub(width, one);
    if (first && last)
        return format(", only %s <= %s <= %s", shifted(p->band.lo), x, shifted(p->band.hi));
    return first ? format(", only %s >= %s", x, shifted(p->band.lo))
                 : format(", only %s <= %s", x, shifted(p->band.hi));
}
