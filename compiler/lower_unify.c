/* lower_unify.c - two operands as one.
 * In: values of any kind. Out: nodes of one element type and one shape, broadcast explicitly; or a
 * report of what does not fit, with both shapes and where they come from. */
#include "lower.h"

#include <string.h>

void diag_operands(Diag *d, const Value *a, const Value *b)
{
    diag_here(d, "%s", "");
    if (a->span.src) diag_label(d, a->span, "%s", value_text(a));
    if (b->span.src) diag_label(d, b->span, "%s", value_text(b));
    diag_context(d, a->span);
}

static bool is_word(const char *s)
{
    for (; *s; s++)
        if (strchr("()[]{}+-*/@^%<>=!?:,|&. '", *s)) return false;
    return true;
}

/* "for one value per row write `b[:, new]`": when a vector fits another axis of a matrix. */
static void hint_axis(Diag *d, const Value *wide, const Value *narrow)
{
    Type w, n;
    if (!value_type(wide, &w) || !value_type(narrow, &n) || w.shape.rank != 2 || n.shape.rank != 1)
        return;
    const char *name = span_text(narrow->span);
    if (n.shape.size[0] != w.shape.size[0] || !is_word(name)) return;
    diag_hint(d,
              "for one value per row write `%s[:, new]`; for one per column declare `%s: %s[%s]`",
              name, name, elem_text(n.elem), size_text(w.shape.size[1]));
}

void report_shapes(const Value *a, const Value *b, const char *what, Span at, const Shape *x,
                          const Shape *y)
{
    Diag *d = error_at("E0302", at, "cannot %s %s and %s", what, value_text(a), value_text(b));
    diag_operands(d, a, b);
    int i = 1;
    while (i <= x->rank && i <= y->rank &&
           (x->size[x->rank - i] == y->size[y->rank - i] || size_is(x->size[x->rank - i], 1) ||
            size_is(y->size[y->rank - i], 1)))
        i++;
    if (i <= x->rank && i <= y->rank)
        diag_note(d, "sizes are matched from the right: %s against %s",
                  size_text(x->size[x->rank - i]), size_text(y->size[y->rank - i]));
    if (x->rank > y->rank)
        hint_axis(d, a, b);
    else
        hint_axis(d, b, a);
}

static void report_elements(const Value *a, const Value *b, const char *what, Span at, Elem x,
                            Elem y)
{
    Diag *d = error_at("E0320", at, "cannot %s %s and %s", what, value_text(a), value_text(b));
    diag_operands(d, a, b);
    diag_note(d, "%s and %s are different kinds of numbers and are never mixed silently",
              elem_text(x), elem_text(y));
    const Value *other = elem_is_real(x) ? b : a;
    Elem to = elem_is_real(x) ? x : elem_is_real(y) ? y : ELEM_I32;
    diag_hint(d, "convert it: `%s(%s)`", elem_text(to), span_text(other->span));
}

static void warn_stretch(const Shape *x, const Shape *y, const Shape *to, const Value *a,
                         const Value *b, Span at)
{
    bool sx = false, sy = false;
    for (int i = 0; i < to->rank; i++) {
        int ix = i - (to->rank - x->rank), iy = i - (to->rank - y->rank);
        sx |= ix >= 0 && x->size[ix] != to->size[i];
        sy |= iy >= 0 && y->size[iy] != to->size[i];
    }
    if (!sx || !sy) return;
    Diag *d = warning_at("W0101", at, "both operands are stretched, to %s",
                         type_text((Type){ELEM_REAL, *to}));
    diag_operands(d, a, b);
    diag_hint(d, "if an outer product is meant, this is right; else a `new` is in the wrong place");
}

bool join_shapes(const Shape *x, const Shape *y, Shape *to)
{
    to->rank = x->rank > y->rank ? x->rank : y->rank;
    for (int i = 1; i <= to->rank; i++) {
        SizeRef sx = i <= x->rank ? x->size[x->rank - i] : NULL,
                sy = i <= y->rank ? y->size[y->rank - i] : NULL;
        if (sx && sy && sx != sy && !size_is(sx, 1) && !size_is(sy, 1)) return false;
        to->size[to->rank - i] = !sx || (sy && size_is(sx, 1)) ? sy : sx;
    }
    return true;
}

static Elem element_of(const Value *a, const Value *b)
{
    if (a->kind == V_NODE) return a->node->type.elem;
    if (b->kind == V_NODE) return b->node->type.elem;
    return (a->is_bool && b->is_bool) ? ELEM_BOOL : ELEM_REAL;
}

bool unify(const Value *a, const Value *b, Node **na, Node **nb, const char *what, Span at)
{
    Elem e = element_of(a, b);
    *na = value_to_node(a, e);
    *nb = value_to_node(b, e);
    if (!*na || !*nb) return false;
    Elem x = (*na)->type.elem, y = (*nb)->type.elem;
    if (x != y) {
        report_elements(a, b, what, at, x, y);
        return false;
    }
    Shape sa = (*na)->type.shape, sb = (*nb)->type.shape, to = {0};
    if (!join_shapes(&sa, &sb, &to)) {
        report_shapes(a, b, what, at, &sa, &sb);
        return false;
    }
    warn_stretch(&sa, &sb, &to, a, b, at);
    *na = n_expand(low->g, *na, &to);
    *nb = n_expand(low->g, *nb, &to);
    return true;
}
