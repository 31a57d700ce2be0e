/* lower_draw.c - draws: `x ~ normal(0, 1)`.
 * A draw is a function of seed, call, site and element, so a site gets one number for the program:
 * the equation of one instance, told apart by how often the instance was applied in the entry. In
 * the body of a scan every step is an element of the draw. */
#include "lower.h"

#include <math.h>
#include <string.h>

long draw_site(const char *key)
{
    for (int i = 0; i < low->sites.n; i++)
        if (!strcmp(low->sites.at[i].key, key)) return low->sites.at[i].id;
    Site s = {key, low->sites.n + 1};
    vec_push(&low->sites, s);
    return s.id;
}

static const char *site_key(Env *e, Span at, const char *what)
{
    return format("%s|%s|%s|%d|%s|%d",
                  low->in_init ? "init"
                  : low->entry ? low->entry->name
                               : "test",
                  e->inst ? e->inst->path : "", at.src ? at.src->name : "", at.begin, what,
                  e->inst ? e->inst->applications : 0);
}

/* scale * draw + shift; the scale and shift are numbers or tensors that broadcast */
static Value affine(Node *draw, Value scale, Value shift, Span at)
{
    Value v = lower_binary(O_MUL, value_node(draw, at), scale, at, at);
    return lower_binary(O_ADD, v, shift, at, at);
}

/* What was drawn as real numbers, as the elements that were asked for */
static Value drawn_as(Elem elem, Value v, Span at)
{
    if (v.kind != V_NODE || v.node->type.elem == elem) return v;
    return value_node(n_cast(low->g, elem, v.node), at);
}

Value lower_draw(Env *e, Value dist, Type t, Span at, const char *what)
{
    if (dist.kind == V_POISON) return dist;
    if (dist.kind != V_DISTRIBUTION) {
        Diag *d = error_at("E0204", dist.span, "a distribution is needed behind `~`, this is %s",
                           value_text(&dist));
        diag_here(d, "%s", "");
        diag_hint(d, "`~` draws, as in `~ normal(0, 1)`; a value is given with `=`");
        return value_poison();
    }
    if (!elem_is_real(t.elem) && !(dist.is_bernoulli && t.elem == ELEM_BOOL)) {
        Diag *d = error_at("E0320", at, "random numbers are real, not %s", elem_text(t.elem));
        diag_here(d, "%s", "");
        return value_poison();
    }
    place_at(at);
    Elem elem = t.elem;
    if (dist.is_bernoulli || elem == ELEM_F16) t.elem = ELEM_REAL;
    if (dist.draw == DRAW_ORTHOGONAL && (t.shape.rank != 2 || low->scan)) {
        Diag *d = error_at("E0304", at, "`orthogonal` draws %s",
                           low->scan ? "one matrix, not one in each step"
                                     : format("a matrix, not %s", type_text(t)));
        diag_here(d, "%s", "");
        if (low->scan) diag_hint(d, "draw it before the `scan`");
        return value_poison();
    }
    Node *n = draw_each_step(dist.draw, t, draw_site(site_key(e, at, what)));
    if (!n) {
        Diag *d = error_at(
            "E0304", at, "more than %d axes: the draws of all steps together have one more than %s",
            MAX_RANK, type_text(t));
        diag_here(d, "%s", "");
        return value_poison();
    }
    if (dist.draw == DRAW_ORTHOGONAL) return drawn_as(elem, value_node(n, at), at);
    Value a = dist.parts.at[0];
    if (dist.is_bernoulli) {
        return drawn_as(elem, lower_binary(O_LT, value_node(n, at), a, at, at), at);
    }
    Value b = dist.parts.at[1];
    if (dist.draw == DRAW_NORMAL) return drawn_as(elem, affine(n, b, a, at), at);
    return drawn_as(elem, affine(n, lower_binary(O_SUB, b, a, at, at), a, at), at);
}
