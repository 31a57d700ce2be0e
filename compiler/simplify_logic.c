/* simplify_logic.c - conditions, comparisons, choices and conversions.
 * In: a node. Out: one that computes the same by less, or NULL. In what comes out numbers stand on
 * the right of == and !=, and a choice is made by the positive form of its condition, so that
 * other rules have one form to look for. Comparisons are not turned round where a NaN would
 * notice. */
#include "simplify.h"

static Node *not_of(Simplifier *s, Node *c) { return n_map1(s->g, OP_NOT, c); }

static Node *choose(Simplifier *s, Node *c, Node *a, Node *b)
{
    return n_map3(s->g, OP_WHERE, c, a, b);
}

/* The condition of which n is the number 1 or 0, or NULL. */
static Node *condition_of(const Node *n)
{
    return n->op == OP_CAST && n->in[0]->type.elem == ELEM_BOOL ? n->in[0] : NULL;
}

static Node *rule_not(Simplifier *s, Node *n)
{
    Node *c = n->in[0];
    if (c->op == OP_NOT) return c->in[0];
    if (c->op == OP_EQ) return n_map2(s->g, OP_NE, c->in[0], c->in[1]);
    if (c->op == OP_NE) return n_map2(s->g, OP_EQ, c->in[0], c->in[1]);
    if ((c->op != OP_LT && c->op != OP_LE) || elem_is_real(c->in[0]->type.elem)) return NULL;
    return n_map2(s->g, c->op == OP_LT ? OP_LE : OP_LT, c->in[1], c->in[0]);
}

/* and: `whole` is 1; or: `whole` is 0. The other value decides the result alone. */
static Node *rule_both(Node *n, double whole)
{
    Node *a = n->in[0], *b = n->in[1];
    if (a == b || is_number(b, whole) || is_number(a, 1 - whole)) return a;
    return is_number(a, whole) || is_number(b, 1 - whole) ? b : NULL;
}

static Node *rule_equal(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *b = n->in[1], *c = condition_of(a);
    if (node_is_const(a, NULL) && !node_is_const(b, NULL)) return n_map2(s->g, n->op, b, a);
    if (a == b && !elem_is_real(a->type.elem)) return n_full(s->g, n->type, n->op == OP_EQ);
    if (!c && a->type.elem == ELEM_BOOL) c = a;
    if (!c || (!is_number(b, 0) && !is_number(b, 1))) return NULL;
    return is_number(b, n->op == OP_EQ) ? c : not_of(s, c);
}

/* 0 < c and so on, where c is a condition as a number */
static Node *rule_less(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *b = n->in[1], *c;
    bool strict = n->op == OP_LT;
    if ((c = condition_of(b)) && is_number(a, strict ? 0 : 1)) return c;
    if ((c = condition_of(a)) && is_number(b, strict ? 1 : 0)) return not_of(s, c);
    return NULL;
}

/* ---- c ? a : b ---- */

/* What is left of an arm that is only looked at where c holds, or only where it does not. */
static Node *within(Simplifier *s, Node *arm, const Node *c, bool holds)
{
    if (arm->op == OP_WHERE && arm->in[0] == c) return arm->in[holds ? 1 : 2];
    if (arm == c || condition_of(arm) == c) return n_full(s->g, arm->type, holds);
    if (arm->op != OP_MUL || !holds) return NULL;
    if (condition_of(arm->in[0]) == c) return arm->in[1];
    return condition_of(arm->in[1]) == c ? arm->in[0] : NULL;
}

/* Is arm 0 where a is? Then a == 0 ? 0 : arm is arm. */
static bool follows_zero(const Node *n, const Node *arm, const Node *a)
{
    if (arm == a) return true;
    if (arm->op == OP_NEG) return arm->in[0] == a;
    if (arm->op != OP_MUL) return false;
    return (arm->in[0] == a && may_vanish(n, arm->in[1])) ||
           (arm->in[1] == a && may_vanish(n, arm->in[0]));
}

static Node *choose_bool(Simplifier *s, Node *c, Node *a, Node *b)
{
    if (is_number(b, 0)) return n_map2(s->g, OP_AND, c, a);
    if (is_number(a, 1)) return n_map2(s->g, OP_OR, c, b);
    if (is_number(a, 0)) return n_map2(s->g, OP_AND, not_of(s, c), b);
    return is_number(b, 1) ? n_map2(s->g, OP_OR, not_of(s, c), a) : NULL;
}

static Node *rule_where(Simplifier *s, Node *n)
{
    Node *c = n->in[0], *a = n->in[1], *b = n->in[2], *r;
    double v;
    if (a == b) return a;
    if (node_is_const(c, &v)) return v != 0 ? a : b;
    if (c->op == OP_NOT) return choose(s, c->in[0], b, a);
    if (c->op == OP_NE)
        return choose(s, n_map2(s->g, OP_EQ, c->in[0], c->in[1]), b, a);
    if (n->type.elem == ELEM_BOOL) return choose_bool(s, c, a, b);
    if (is_number(a, 1) && is_number(b, 0)) return n_cast(s->g, n->type.elem, c);
    if (is_number(a, 0) && is_number(b, 1)) return n_cast(s->g, n->type.elem, not_of(s, c));
    if (is_number(a, -1) && is_number(b, 0))
        return n_map1(s->g, OP_NEG, n_cast(s->g, n->type.elem, c));
    if ((r = within(s, a, c, true))) return choose(s, c, r, b);
    if ((r = within(s, b, c, false))) return choose(s, c, a, r);
    if (c->op == OP_EQ && is_number(c->in[1], 0) && is_number(a, 0) && follows_zero(n, b, c->in[0]))
        return b;
    return NULL;
}

/* ---- conversions ---- */

/* Every value of `from` is a value of `to`, whatever float `real` is in the build. */
static bool widens(Elem from, Elem to)
{
    switch (from) {
    case ELEM_BOOL: return true;
    case ELEM_I8: case ELEM_U8: return to == ELEM_I32 || elem_is_real(to);
    case ELEM_F16: return elem_is_real(to);
    case ELEM_F32: return to == ELEM_F64 || to == ELEM_REAL;
    default: return to == ELEM_F64;
    }
}

/* Going from integers through reals to integers saturates, where the direct way wraps. */
static bool same_way(Elem from, Elem by, Elem to)
{
    bool saturates = elem_is_int(from) && elem_is_real(by) && elem_is_int(to);
    return widens(from, by) && (!saturates || from == to || widens(from, to));
}

static Node *rule_cast(Simplifier *s, Node *n)
{
    Node *a = n->in[0];
    Elem to = n->type.elem;
    if (a->type.elem == to) return a;
    if (a->op == OP_CAST && same_way(a->in[0]->type.elem, a->type.elem, to))
        return n_cast(s->g, to, a->in[0]);
    if (a->op == OP_WHERE && node_is_const(a->in[1], NULL) && node_is_const(a->in[2], NULL))
        return choose(s, a->in[0], n_cast(s->g, to, a->in[1]), n_cast(s->g, to, a->in[2]));
    return NULL;
}

Node *rule_logic(Simplifier *s, Node *n)
{
    switch (n->op) {
    case OP_NOT: return rule_not(s, n);
    case OP_AND: return rule_both(n, 1);
    case OP_OR: return rule_both(n, 0);
    case OP_EQ: case OP_NE: return rule_equal(s, n);
    case OP_LT: case OP_LE: return rule_less(s, n);
    case OP_WHERE: return rule_where(s, n);
    case OP_CAST: return rule_cast(s, n);
    default: return NULL;
    }
}
