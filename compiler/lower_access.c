/* lower_access.c - a tensor under indices: x[i, j], x[2*i + p], table[word[t], d], x[.., c, 3].
 * In: a base and its items. Out: a node whose axes are named. A plain index names an axis; an
 * offset or stride is proved to stay inside and becomes a window; an integer tensor gathers. */
#include "lower_labels.h"

#include <string.h>

/* ---- affine indices ---- */

static bool affine_number(Env *e, const Expr *x, Affinity *out)
{
    Value v = lower_expr(e, x);
    *out = (Affinity){.c = v.size};
    return v.kind == V_NUMBER && v.size;
}

static bool affine_product(Env *e, const Indices *ix, const Expr *x, Affinity *out)
{
    Affinity a, b;
    long k;
    if (!affine_index(e, ix, x->a, &a) || !affine_index(e, ix, x->b, &b)) return false;
    if (mentions_index(ix, x->a) && mentions_index(ix, x->b)) return false;
    if (mentions_index(ix, x->a)) {
        Affinity swap = a;
        a = b;
        b = swap;
    }
    if (!size_is_const(a.c, &k))
        return !mentions_index(ix, x->b) ? (*out = (Affinity){.c = size_mul(a.c, b.c)}, true)
                                         : false;
    *out = (Affinity){.c = size_mul(a.c, b.c)};
    for (int i = 0; i < ix->n; i++) out->coef[i] = k * b.coef[i];
    return true;
}

bool affine_index(Env *e, const Indices *ix, const Expr *x, Affinity *out)
{
    if (!mentions_index(ix, x)) return affine_number(e, x, out);
    if (x->kind == EX_NAME) {
        *out = (Affinity){.c = size_const(0)};
        out->coef[index_find(ix, x->name)] = 1;
        return true;
    }
    if (x->kind == EX_UNARY && x->op == O_NEG) {
        if (!affine_index(e, ix, x->a, out)) return false;
        out->c = size_sub(size_const(0), out->c);
        for (int i = 0; i < ix->n; i++) out->coef[i] = -out->coef[i];
        return true;
    }
    if (x->kind != EX_BINARY) return false;
    if (x->op == O_MUL) return affine_product(e, ix, x, out);
    if (x->op != O_ADD && x->op != O_SUB) return false;
    Affinity a, b;
    if (!affine_index(e, ix, x->a, &a) || !affine_index(e, ix, x->b, &b)) return false;
    int sign = x->op == O_ADD ? 1 : -1;
    *out = (Affinity){.c = sign > 0 ? size_add(a.c, b.c) : size_sub(a.c, b.c)};
    for (int i = 0; i < ix->n; i++) out->coef[i] = a.coef[i] + sign * b.coef[i];
    return true;
}

/* The smallest and the largest value that the index takes. */
static void affine_range(const Indices *ix, const Affinity *f, SizeRef *lo, SizeRef *hi)
{
    *lo = *hi = f->c;
    for (int i = 0; i < ix->n; i++) {
        if (!f->coef[i]) continue;
        SizeRef reach = size_mul(size_const(f->coef[i]), size_sub(ix->var[i].size, size_const(1)));
        if (f->coef[i] > 0)
            *hi = size_add(*hi, reach);
        else
            *lo = size_add(*lo, reach);
    }
}

static bool inside(const Indices *ix, const Affinity *f, SizeRef size, const Expr *x)
{
    SizeRef lo, hi;
    affine_range(ix, f, &lo, &hi);
    if (size_lower(lo) >= 0 && size_lower(size_sub(size, hi)) >= 1) return true;
    Diag *d = error_at("E0311", x->span, "the index runs from %s to %s, the axis from 0 to %s",
                       size_text(lo), size_text(hi), size_text(size_sub(size, size_const(1))));
    diag_here(d, "%s", "");
    diag_hint(d, "state a smaller range, as in `i in n - 2`");
    return false;
}

/* ---- items ---- */

typedef enum ItemKind { ITEM_DOTS, ITEM_AFFINE, ITEM_DATA } ItemKind;
typedef struct Item {
    ItemKind kind;
    const Expr *x;
    int axis;
    Affinity f;
    Labelled data;
} Item;

static bool read_item(Env *e, Indices *ix, const Expr *x, Item *it, SizeRef size)
{
    *it = (Item){.kind = ITEM_AFFINE, .x = x, .axis = it->axis};
    if (x->kind > EX_SELECT) {
        Diag *d = error_at("E0204", x->span, "a slice or `new` cannot stand among indices");
        diag_here(d, "%s", "");
        return false;
    }
    if (affine_index(e, ix, x, &it->f)) {
        long k;
        if (!mentions_index(ix, x) && size_is_const(it->f.c, &k) && k < 0)
            it->f.c = size_add(it->f.c, size);
        return inside(ix, &it->f, size, x);
    }
    it->kind = ITEM_DATA;
    it->data = labelled_expr(e, ix, x);
    if (it->data.v.kind == V_POISON) return false;
    Type t;
    if (value_type(&it->data.v, &t) && elem_is_int(t.elem))
        return size_lower(size) >= 1 || may_be_empty(x, size);
    Diag *d = error_at("E0320", x->span, "an index must be an integer, this is %s",
                       value_text(&it->data.v));
    diag_here(d, "%s", "");
    return false;
}

static bool wrong_rank(const Expr *x, const Value *base, int have)
{
    Diag *d = error_at("E0304", x->span, "%d indices for %s", have, value_text(base));
    diag_here(d, "%s", "");
    return false;
}

/* One item for each axis of the base; `..` becomes one plain index for each axis under it. */
static int read_items(Env *e, Indices *ix, const Expr *x, const Value *base, const Shape *s,
                      Item *items)
{
    int n = 0, named = 0;
    bool dots = false;
    for (int i = 0; i < x->list.n; i++)
        if (x->list.at[i]->kind == EX_DOTS)
            dots = true;
        else
            named++;
    int lead = s->rank - named;
    if (dots ? lead < 0 : lead != 0) return wrong_rank(x, base, named), -1;
    for (int i = 0; i < x->list.n; i++) {
        if (x->list.at[i]->kind != EX_DOTS) {
            items[n].axis = n;
            if (!read_item(e, ix, x->list.at[i], &items[n], s->size[n])) return -1;
            n++;
            continue;
        }
        for (int k = 0; k < lead; k++, n++) {
            int var = k + ix->n_dots - lead;
            items[n] = (Item){
                .kind = ITEM_AFFINE, .x = x->list.at[i], .axis = n, .f = {.c = size_const(0)}};
            if (var < 0 || ix->var[var].size != s->size[n]) {
                Diag *d =
                    error_at("E0302", x->list.at[i]->span,
                             "`..` does not stand for the leading sizes of %s", value_text(base));
                diag_here(d, "%s", "");
                return -1;
            }
            items[n].f.coef[var] = 1;
        }
    }
    return n;
}

/* ---- windows ---- */

static int count_terms(const Indices *ix, const Affinity *f)
{
    int n = 0;
    for (int i = 0; i < ix->n; i++) n += f->coef[i] != 0;
    return n;
}

/* Every index stands once, so each axis can be opened by itself. */
static bool is_separable(const Indices *ix, const Item *items, int n)
{
    for (int i = 0; i < ix->n; i++) {
        int uses = 0;
        for (int k = 0; k < n; k++)
            uses += items[k].kind == ITEM_DATA ? 2 : items[k].f.coef[i] != 0;
        if (uses > 1) return false;
    }
    for (int k = 0; k < n; k++)
        if (items[k].kind == ITEM_DATA) return false;
    return true;
}

/* Opens axis `at` of x by c + sum coef[i] i: one axis for each index, in ascending order. */
static Node *open_axis(const Indices *ix, Node *x, int at, const Affinity *f, int *label)
{
    Shape to = x->type.shape;
    Attr attr = {.k = at, .lo = {f->c}};
    int m = 0, rank = to.rank;
    for (int i = 0; i < ix->n; i++) {
        if (!f->coef[i]) continue;
        attr.perm[m] = (int)f->coef[i];
        label[m++] = i;
    }
    if (rank - 1 + m > MAX_RANK) return NULL;
    for (int i = rank - 1; i > at; i--) to.size[i - 1 + m] = x->type.shape.size[i];
    for (int i = 0; i < m; i++) to.size[at + i] = ix->var[label[i]].size;
    to.rank = rank - 1 + m;
    attr.axes = (unsigned)m;
    if (m == 1 && attr.perm[0] == 1) { /* a plain index, perhaps with an offset: a block */
        SizeRef lo[MAX_RANK];
        for (int i = 0; i < rank; i++) lo[i] = size_const(0);
        lo[at] = f->c;
        return n_slice(low->g, x, lo, &to);
    }
    if (m == 0) {
        SizeRef lo[MAX_RANK];
        Shape one = x->type.shape;
        for (int i = 0; i < rank; i++) lo[i] = size_const(0);
        lo[at] = f->c;
        one.size[at] = size_const(1);
        return n_reshape(low->g, n_slice(low->g, x, lo, &one), &to);
    }
    return graph_node(low->g, OP_WINDOW, &attr, (Type){x->type.elem, to}, 1, &x);
}

/* The axes in the ascending order of their labels. */
static Labelled sorted(Node *x, const int *label, int n, Span at)
{
    Labelled l = {.n = n};
    int perm[MAX_RANK];
    for (int i = 0; i < n; i++) {
        int k = i;
        for (; k > 0 && label[perm[k - 1]] > label[i]; k--) perm[k] = perm[k - 1];
        perm[k] = i;
    }
    for (int i = 0; i < n; i++) l.label[i] = label[perm[i]];
    l.v = value_node(n_transpose(low->g, x, perm), at);
    return l;
}

static Labelled by_windows(const Indices *ix, Node *x, const Item *items, int n, Span at)
{
    int label[2 * MAX_RANK], place = 0;
    for (int i = 0; i < n; i++) {
        int m = count_terms(ix, &items[i].f);
        x = place + m + (n - 1 - i) <= MAX_RANK
                ? open_axis(ix, x, place, &items[i].f, label + place)
                : NULL;
        if (!x) {
            Diag *d = error_at("E0304", at, "more than %d axes", MAX_RANK);
            diag_here(d, "%s", "");
            return labelled_poison();
        }
        place += m;
    }
    return sorted(x, label, place, at);
}

/* ---- gathers ---- */

/* table[word[t], d]: whole rows by number */
static bool is_row_gather(const Indices *ix, const Item *items, int n)
{
    unsigned used = 0;
    if (items[0].kind != ITEM_DATA) return false;
    for (int i = 0; i < items[0].data.n; i++) used |= 1u << items[0].data.label[i];
    for (int k = 1; k < n; k++) {
        if (items[k].kind == ITEM_DATA || !size_is(items[k].f.c, 0)) return false;
        int terms = 0;
        for (int i = 0; i < ix->n; i++) {
            if (!items[k].f.coef[i]) continue;
            if (items[k].f.coef[i] != 1 || used >> i & 1) return false;
            used |= 1u << i;
            terms++;
        }
        if (terms != 1) return false;
    }
    return true;
}

static Labelled by_rows(const Indices *ix, Node *x, const Item *items, int n, Span at)
{
    int label[2 * MAX_RANK], m = 0;
    for (int i = 0; i < items[0].data.n; i++) label[m++] = items[0].data.label[i];
    for (int k = 1; k < n; k++)
        for (int i = 0; i < ix->n; i++)
            if (items[k].f.coef[i]) label[m++] = i;
    if (m > MAX_RANK) return labelled_poison();
    Node *rows = n_gather(low->g, x, value_to_node(&items[0].data.v, ELEM_I32));
    for (int k = 1; k < n; k++) { /* a range that is shorter than the axis */
        Shape to = rows->type.shape;
        SizeRef lo[MAX_RANK];
        for (int i = 0; i < to.rank; i++) lo[i] = size_const(0);
        to.size[items[0].data.n + k - 1] = ix->var[label[items[0].data.n + k - 1]].size;
        rows = n_slice(low->g, rows, lo, &to);
    }
    return sorted(rows, label, m, at);
}

static Node *term(Node *sum, Node *x, SizeRef factor)
{
    Graph *g = low->g;
    if (!size_is(factor, 1)) x = n_map2(g, OP_MUL, x, n_size(g, ELEM_I32, factor));
    return sum ? n_map2(g, OP_ADD, sum, x) : x;
}

/* An item as an i32 node over all indices, inside its axis: an index that is data picks from
 * 0, 1, .. */
static Node *item_node(const Indices *ix, const Item *it, SizeRef size, const Labelled *space)
{
    Graph *g = low->g;
    if (it->kind == ITEM_DATA) {
        Shape axis = {.rank = 1, .size = {size}};
        return n_gather(g, n_iota(g, &axis, 0), label_align(ix, &it->data, space));
    }
    Shape s = {.rank = space->n};
    for (int i = 0; i < space->n; i++) s.size[i] = ix->var[space->label[i]].size;
    Node *sum = n_expand(g, n_size(g, ELEM_I32, it->f.c), &s);
    for (int i = 0; i < ix->n; i++)
        if (it->f.coef[i]) sum = term(sum, index_node(ix, i, space), size_const(it->f.coef[i]));
    return sum;
}

/* Any mixture: the place of the element in the flat tensor is computed and gathered. */
static Labelled by_place(const Indices *ix, Node *x, const Item *items, int n, Span at)
{
    Labelled space = {0};
    for (int k = 0; k < n; k++) {
        Labelled own = {0};
        if (items[k].kind == ITEM_DATA)
            own = items[k].data;
        else
            for (int i = 0; i < ix->n; i++)
                if (items[k].f.coef[i]) own.label[own.n++] = i;
        space = label_union(&space, &own);
    }
    Node *place = NULL;
    SizeRef stride = size_const(1);
    for (int k = n - 1; k >= 0; k--) {
        place = term(place, item_node(ix, &items[k], x->type.shape.size[k], &space), stride);
        stride = size_mul(stride, x->type.shape.size[k]);
    }
    Shape flat = {.rank = 1, .size = {stride}};
    space.v = value_node(n_gather(low->g, n_reshape(low->g, x, &flat), place), at);
    return space;
}

Labelled labelled_access(Env *e, Indices *ix, const Expr *x)
{
    Item items[2 * MAX_RANK];
    if (mentions_index(ix, x->a)) {
        Diag *d = error_at("E0204", x->a->span, "what is indexed cannot depend on an index itself");
        diag_here(d, "%s", "");
        diag_hint(d, "give it a line of its own");
        return labelled_poison();
    }
    Value base = lower_expr(e, x->a);
    Node *b = base.kind == V_POISON ? NULL : value_to_node(&base, ELEM_REAL);
    if (!b) return labelled_poison();
    int n = read_items(e, ix, x, &base, &b->type.shape, items);
    if (n < 0) return labelled_poison();
    place_at(x->span);
    if (is_separable(ix, items, n)) return by_windows(ix, b, items, n, x->span);
    if (is_row_gather(ix, items, n)) return by_rows(ix, b, items, n, x->span);
    return by_place(ix, b, items, n, x->span);
}
