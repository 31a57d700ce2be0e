/* lower_matmul.c - the product `@`: [.., m] @ [m], [m] @ [m, n], [.., k, m] @ [.., k, n].
 * Every form becomes MATMUL of matrices with equal leading sizes; a matrix on the right that has no
 * leading sizes makes one tall product of the left side, which is what a dense layer is. */
#include "lower.h"

#include <string.h>

const char *const_named(SizeRef s)
{
    const Scope *scope = low->root->scope;
    for (int i = 0; i < scope->own.n; i++) {
        if (scope->own.at[i].decl->kind != DECL_CONST) continue;
        Value v = global_value(&scope->own.at[i], (Span){0});
        if (v.kind == V_NUMBER && v.size == s && !v.is_bool) return scope->own.at[i].name;
    }
    return NULL;
}

/* "32 on the left (H = 32)" */
static const char *on_side(SizeRef s, const char *side)
{
    const char *name = size_is_const(s, NULL) ? const_named(s) : NULL;
    return name ? format("%s on the %s (%s = %s)", size_text(s), side, name, size_text(s))
                : format("%s on the %s", size_text(s), side);
}

static void report_inner(const Value *a, const Value *b, SizeRef left, SizeRef right, Span at)
{
    Diag *d = error_at("E0301", at, "cannot multiply: the inner sizes of `@` differ");
    diag_here(d, "%s", "");
    diag_label(d, a->span, "%s", value_text(a));
    diag_label(d, b->span, "%s", value_text(b));
    diag_note(d, "`@` needs [.., m] @ [m, n]; here m is %s and %s", on_side(left, "left"),
              on_side(right, "right"));
    const Node *n = b->kind == V_NODE ? b->node : NULL;
    Slot *s = n ? slot_of_node(n) : NULL;
    if (!s) return;
    const char *want = const_named(left) ? const_named(left) : size_text(left);
    const Shape *have = &s->type.shape;
    const char *rest = have->rank == 2 ? format(", %s", size_text(have->size[1])) : "";
    diag_hint(d, "`%s` is declared at %s:%d as %s; should it be %s[%s%s]?", span_text(b->span),
              s->span.src->name, span_line(s->span), type_text(s->type), elem_text(s->type.elem),
              want, rest);
}

static bool need_tensor(const Value *v, Node *n)
{
    if (n->type.shape.rank > 0) return true;
    Diag *d = error_at("E0301", v->span, "`@` multiplies vectors and matrices, this is %s",
                       value_text(v));
    diag_here(d, "%s", "");
    diag_hint(d, "write `*` for the product of numbers");
    return false;
}

/* [.., k, m] -> [rows, m] where rows is the product of everything before m */
static Node *flatten_rows(Graph *g, Node *a)
{
    const Shape *s = &a->type.shape;
    Shape head = *s, flat = {.rank = 2};
    head.rank--;
    flat.size[0] = shape_count(&head);
    flat.size[1] = s->size[s->rank - 1];
    return n_reshape(g, a, &flat);
}

/* Both operands with the leading sizes of both, matched from the right. */
static bool expand_leading(Graph *g, Node **a, Node **b)
{
    Shape sa = (*a)->type.shape, sb = (*b)->type.shape;
    int la = sa.rank - 2, lb = sb.rank - 2, lead = la > lb ? la : lb;
    Shape ta = {.rank = lead + 2}, tb = {.rank = lead + 2};
    for (int i = 1; i <= lead; i++) {
        SizeRef x = i <= la ? sa.size[la - i] : NULL, y = i <= lb ? sb.size[lb - i] : NULL;
        if (x && y && x != y && !size_is(x, 1) && !size_is(y, 1)) return false;
        ta.size[lead - i] = tb.size[lead - i] = !x || (y && size_is(x, 1)) ? y : x;
    }
    for (int i = 0; i < 2; i++) {
        ta.size[lead + i] = sa.size[la + i];
        tb.size[lead + i] = sb.size[lb + i];
    }
    *a = n_expand(g, *a, &ta);
    *b = n_expand(g, *b, &tb);
    return *a && *b;
}

static Node *dot(Graph *g, Node *a, Node *b)
{
    return n_reduce(g, OP_SUM, n_map2(g, OP_MUL, a, b), 1);
}

/* a: rank >= 2 and b: a matrix, inner sizes equal */
static Node *product(Graph *g, Node *a, Node *b)
{
    if (b->type.shape.rank == 2 && a->type.shape.rank > 2) {
        Shape to = a->type.shape;
        to.size[to.rank - 1] = b->type.shape.size[1];
        return n_reshape(g, n_matmul(g, flatten_rows(g, a), b), &to);
    }
    return expand_leading(g, &a, &b) ? n_matmul(g, a, b) : NULL;
}

static Node *with_axis(Graph *g, Node *n, bool in_front)
{
    Shape s = {.rank = 2};
    s.size[in_front ? 0 : 1] = size_const(1);
    s.size[in_front ? 1 : 0] = n->type.shape.size[0];
    return n_reshape(g, n, &s);
}

/* Drops the axis `k` (of size 1) that a vector operand got. */
static Node *without_axis(Graph *g, Node *n, int k)
{
    Shape s = n->type.shape;
    for (int i = k; i + 1 < s.rank; i++) s.size[i] = s.size[i + 1];
    s.rank--;
    return n_reshape(g, n, &s);
}

Value lower_matmul(const Value *a, const Value *b, Span at, Span whole)
{
    Graph *g = low->g;
    Elem e = a->kind == V_NODE   ? a->node->type.elem
             : b->kind == V_NODE ? b->node->type.elem
                                 : ELEM_REAL;
    Node *x = value_to_node(a, e), *y = value_to_node(b, e);
    if (!x || !y || !need_tensor(a, x) || !need_tensor(b, y)) return value_poison();
    if (x->type.elem != y->type.elem || !elem_is_real(x->type.elem)) {
        Diag *d = error_at("E0320", at, "cannot multiply %s and %s", value_text(a), value_text(b));
        diag_here(d, "%s", "");
        diag_label(d, a->span, "%s", value_text(a));
        diag_label(d, b->span, "%s", value_text(b));
        diag_hint(d, "`@` needs real numbers on both sides; convert with `real(..)`");
        return value_poison();
    }
    int ra = x->type.shape.rank, rb = y->type.shape.rank;
    SizeRef left = x->type.shape.size[ra - 1], right = y->type.shape.size[rb == 1 ? 0 : rb - 2];
    if (left != right) {
        report_inner(a, b, left, right, at);
        return value_poison();
    }
    if (ra == 1 && rb == 1) return value_node(dot(g, x, y), whole);
    Node *m = product(g, ra == 1 ? with_axis(g, x, true) : x, rb == 1 ? with_axis(g, y, false) : y);
    if (!m) {
        Diag *d = error_at("E0302", at, "cannot multiply %s and %s: the leading sizes differ",
                           value_text(a), value_text(b));
        diag_here(d, "%s", "");
        diag_label(d, a->span, "%s", value_text(a));
        diag_label(d, b->span, "%s", value_text(b));
        return value_poison();
    }
    if (rb == 1) m = without_axis(g, m, m->type.shape.rank - 1);
    if (ra == 1) m = without_axis(g, m, m->type.shape.rank - 2);
    return value_node(m, whole);
}
