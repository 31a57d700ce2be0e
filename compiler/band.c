/* band.c - matrix products of which a mask leaves a band.
 * In: the definitions of an entry. Out: for each product of the runtime the band of columns
 * i + lo .. i + hi of row i beside which nobody wants the result, since all readers choose
 * something else there or multiply it by 0; or the band of terms beside which its left operand is
 * 0. The rest is not computed; columns that a reader calculates with in vain are stored as 0. */
#include "band.h"
#include "fuse.h"

/* ---- what nobody wants ----------------------------------------------------------------------- */

/* Operators that make nothing unusual of a 0 in operand k. */
static bool is_gentle(Op op, int k)
{
    switch (op) {
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_NEG:
    case OP_ABS:
    case OP_TANH:
    case OP_SIGMOID:
    case OP_MIN:
    case OP_MAX:
    case OP_CAST:
    case OP_WHERE: return true;
    case OP_DIV: return k == 0;
    default: return false;
    }
}

/* The parts of operand k of a map that n does not look at, or looks at in vain. */
static Regions unwanted_of_map(const Node *n, int k, const Regions *known, const Regions *unwanted,
                               const Regions *choice)
{
    Regions r = {0};
    for (int i = 0; unwanted && i < unwanted->n; i++)
        if (unwanted->at[i].any || is_gentle(n->op, k)) add_region(&r, unwanted->at[i]);
    for (int i = 0; known && i < known->n; i++)
        if (is_gentle(n->op, k)) add_region(&r, known->at[i]);
    for (int i = 0; n->op == OP_WHERE && k > 0 && choice && i < choice->n; i++) {
        Region chosen = choice->at[i];
        chosen.any = true;
        if ((chosen.value != 0) == (k == 2)) add_region(&r, chosen);
    }
    return r;
}

/* The same for the operand of a view. */
static Regions unwanted_of_view(const Node *n, const Regions *unwanted)
{
    Regions r = {0};
    for (int i = 0; unwanted && i < unwanted->n; i++) {
        Region y = unwanted->at[i];
        y.from = size_add(y.from, size_sub(view_start(n, y.p), view_start(n, y.q)));
        y.p = operand_axis(n, y.p);
        y.q = operand_axis(n, y.q);
        if (y.p >= 0 && y.q >= 0) add_region(&r, y);
    }
    return r;
}

/* What both of two readers do not want. */
static Regions neither(const Regions *a, const Regions *b)
{
    Regions r = {0};
    for (int i = 0; i < a->n; i++) {
        Region y = a->at[i];
        const Region *other = region_of(b, y.p, y.q);
        y.from = other ? larger_size(y.from, other->from) : NULL;
        y.any = y.any && other && other->any;
        if (y.from) add_region(&r, y);
    }
    return r;
}

/* By Node.id: what no reader wants; NULL: no region. From the last node to the first. */
static Regions **unwanted_regions(const Graph *g, const TargetList *targets,
                                  Regions *const *known)
{
    static const Regions all_wanted;
    Regions **unwanted = NEW_N(Regions *, g->nodes.n + 1);
    bool *read = NEW_N(bool, g->nodes.n + 1);
    for (int i = 0; i < targets->n; i++) read[targets->at[i].node->id] = true;
    for (int i = g->nodes.n - 1; i >= 0; i--) {
        const Node *n = g->nodes.at[i];
        for (int k = 0; read[i] && k < n->n_in; k++) {
            int id = n->in[k]->id;
            Regions r = all_wanted;
            if (keeps_axes(n))
                r = unwanted_of_view(n, unwanted[i]);
            else if (op_info[n->op].class == CLASS_MAP)
                r = unwanted_of_map(n, k, known[i], unwanted[i], known[n->in[0]->id]);
            if (read[id]) r = neither(&r, unwanted[id] ? unwanted[id] : &all_wanted);
            read[id] = true;
            unwanted[id] = NULL;
            if (!r.n) continue;
            unwanted[id] = NEW(Regions);
            *unwanted[id] = r;
        }
    }
    return unwanted;
}

/* ---- products -------------------------------------------------------------------------------- */

/* The rest of a matrix [rows, columns] beside the regions over its two last axes: true if that is
 * less than the matrix. Regions with `value` only, unless it is NULL. */
static bool band_beside(const Regions *r, const Shape *s, const double *value, Band *band)
{
    enum { FEW_ROWS = 16 }; /* the runtime computes as many together */
    int row = s->rank - 2, column = s->rank - 1;
    SizeRef one = size_const(1);
    const Region *after = region_of(r, column, row), *before = region_of(r, row, column);
    if (after && value && after->value != *value) after = NULL;
    if (before && value && before->value != *value) before = NULL;
    SizeRef first = size_sub(one, s->size[row]), last = size_sub(s->size[column], one);
    band->lo = before ? size_sub(one, before->from) : first;
    band->hi = after ? size_sub(after->from, one) : last;
    band->clears = (after && !after->any) || (before && !before->any);
    bool less =
        size_upper(size_sub(band->lo, first)) > 0 || size_upper(size_sub(last, band->hi)) > 0;
    return less && size_upper(s->size[row]) > FEW_ROWS;
}

void find_bands(Code *c, const TargetList *targets)
{
    static const double zero = 0;
    Regions **known = c->known = known_regions(c->g, c->entry->known);
    Regions **unwanted = unwanted_regions(c->g, targets, known);
    for (int i = 0; i < c->defs.n; i++)
        for (int k = 0; k < c->defs.at[i]->products.n; k++) {
            Product *p = &c->defs.at[i]->products.at[k];
            const Regions *beside = unwanted[p->node->id], *a = known[p->a->id];
            Band band = {0};
            if (band_beside(beside, &p->node->type.shape, NULL, &band))
                band.of = BAND_COLUMNS;
            else if (band_beside(a, &p->a->type.shape, &zero, &band))
                band.of = BAND_TERMS;
            p->band = band;
        }
}
