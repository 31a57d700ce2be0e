/* layout_windows.c - windows of an image, and windows that are added up, with a label for each
 * axis.
 * In: a node. Out: which image the windows are of, or which array of windows is added up, and for
 * each of its axes the axis of the image that it comes from; zeros around the image, and what is
 * cut out of a sum, are counted as padding. */
#include "layout.h"

/* ---- labels ---- */

static void label_image(Windows *w, const Shape *image)
{
    *w = (Windows){.n = image->rank,
                   .image = *image,
                   .row = NONE_,
                   .column = NONE_,
                   .channel = NONE_,
                   .group = NONE_};
    for (int i = 0; i < image->rank; i++) {
        w->at[i] = (Label){i, PLAIN, 0, image->size[i]};
        w->pad[i] = size_const(0);
    }
}

/* An axis becomes the two axes of its window. */
static bool open_label(Windows *w, const Attr *attr, const Shape *open)
{
    int k = (int)attr->k;
    if (attr->axes != 2 || attr->perm[0] <= 0 || attr->perm[1] <= 0 || w->at[k].part != PLAIN)
        return false;
    int wide = w->at[k].wide;
    if (w->n == MAX_RANK) return false;
    for (int i = w->n++; i > k + 1; i--) w->at[i] = w->at[i - 1];
    for (int part = 0; part < 2; part++)
        w->at[k + part] = (Label){wide, part, attr->perm[part], open->size[k + part]};
    w->open[wide] = true;
    w->pad[wide] = size_sub(w->pad[wide], attr->lo[0]);
    return true;
}

static void permute_labels(Windows *w, const int *perm, bool back)
{
    Label old[MAX_RANK];
    for (int i = 0; i < w->n; i++) old[i] = w->at[i];
    for (int i = 0; i < w->n; i++) w->at[back ? perm[i] : i] = old[back ? i : perm[i]];
}

/* A block of the image, zeros around it or cut out of it, along axes that windows see. */
static bool crop_image(Windows *w, const Node *n, const Shape *small)
{
    const Shape *large = &n->type.shape;
    for (int i = 0; i < large->rank; i++) {
        if (small->size[i] == large->size[i]) continue;
        if (!w->open[i]) return false;
        w->pad[i] = size_add(w->pad[i], n->attr.lo[i]);
    }
    return true;
}

/* ---- windows of an image ---- */

static const Node *strip_window(Windows *w, const Node *v, bool *ok)
{
    if (v->op != OP_WINDOW) {
        label_image(w, &v->type.shape);
        return v;
    }
    const Node *base = strip_window(w, v->in[0], ok);
    *ok = *ok && open_label(w, &v->attr, &v->type.shape);
    return base;
}

const Node *windows_in(const Node *t, Windows *w)
{
    const Node *v = t->op == OP_TRANSPOSE ? t->in[0] : t;
    bool ok = v->op == OP_WINDOW;
    const Node *x = ok ? strip_window(w, v, &ok) : NULL;
    if (!ok) return NULL;
    if (t != v) permute_labels(w, t->attr.perm, false);
    for (; x->op == OP_PAD; x = x->in[0])
        if (!crop_image(w, x, &x->in[0]->type.shape)) return NULL;
    w->image = x->type.shape;
    return x;
}

/* ---- windows added up ---- */

/* Axes of one element that were put in are taken out again. */
static bool drop_labels(Windows *w, const Node *n)
{
    int kept = 0;
    for (int i = 0; i < w->n; i++) {
        bool fresh = n->attr.axes >> i & 1;
        if (fresh && (w->at[i].part == PLAIN || !size_is(w->at[i].size, 1))) return false;
        if (!fresh) w->at[kept++] = w->at[i];
    }
    w->n = kept;
    return true;
}

const Node *added_windows(const Node *n, Windows *w)
{
    const Node *cut = n->op == OP_SLICE ? n : NULL;
    if (cut) n = n->in[0];
    if (n->op != OP_UNWINDOW) return NULL;
    label_image(w, &n->type.shape);
    for (; n->op == OP_UNWINDOW; n = n->in[0])
        if (!open_label(w, &n->attr, &n->in[0]->type.shape)) return NULL;
    for (int i = 0; cut && i < w->image.rank; i++) {
        if (cut->type.shape.size[i] == w->image.size[i]) continue;
        if (!w->open[i]) return NULL;
        w->pad[i] = size_add(w->pad[i], cut->attr.lo[i]);
    }
    if (cut) w->image = cut->type.shape;
    if (n->op == OP_BROADCAST) {
        if (!drop_labels(w, n)) return NULL;
        n = n->in[0];
    }
    if (n->op == OP_TRANSPOSE) {
        permute_labels(w, n->attr.perm, true);
        n = n->in[0];
    }
    return n;
}

/* ---- orders of axes ---- */

void order_add(Order *o, int i, SizeRef size)
{
    o->sizes.size[o->n] = size;
    o->at[o->n++] = i;
    o->sizes.rank = o->n;
}
