/* simplify_arith.c - sums, products, quotients, powers and functions of single elements.
 * In: a node. Out: one that computes the same by less, or NULL. A number moves to the left of a
 * product, a minus sign outwards. Reals are regrouped only where that costs no more than a
 * rounding: numbers that are multiplied are joined, numbers that are added are not, because
 * x + 1e20 - 1e20 is not x; x / c becomes x * (1 / c) only where 1 / c is exact. log(exp(x)) and
 * x / x stay. */
#include "simplify.h"

#include <math.h>

static bool is_real(const Node *n) { return elem_is_real(n->type.elem); }

static Node *number(Simplifier *s, const Node *like, double v)
{
    return n_full(s->g, like->type, v);
}

static Node *map1(Simplifier *s, Op op, Node *a) { return n_map1(s->g, op, a); }
static Node *map2(Simplifier *s, Op op, Node *a, Node *b) { return n_map2(s->g, op, a, b); }
static Node *neg(Simplifier *s, Node *a) { return n_map1(s->g, OP_NEG, a); }

/* x when n is -x, also under a broadcast. */
static Node *negated(Simplifier *s, Node *n)
{
    if (n->op == OP_NEG) return n->in[0];
    if (n->op != OP_BROADCAST || n->in[0]->op != OP_NEG) return NULL;
    return n_broadcast(s->g, n->in[0]->in[0], &n->type.shape, n->attr.axes);
}

/* ---- numbers ---- */

/* Far from overflow and underflow, so that joining it with another loses only a rounding. */
static bool is_tame(double v) { return v == 0 || (fabs(v) > 1e-12 && fabs(v) < 1e12); }

static bool is_exact_in_float(double v) { return (double)(float)v == v; }

static bool has_exact_inverse(double v)
{
    int e;
    return v != 0 && is_tame(v) && fabs(frexp(v, &e)) == 0.5;
}

/* number * x, x / number or x + number: x and the number */
static bool by_number(const Node *n, Op op, Node **x, double *v)
{
    int place = op == OP_MUL ? 0 : 1;
    if (n->op != op || !node_is_const(n->in[place], v)) return false;
    *x = n->in[1 - place];
    return true;
}

static Node *times(Simplifier *s, double v, Node *x)
{
    return n_map2(s->g, OP_MUL, number(s, x, v), x);
}

/* ---- a + b, a - b, -a ---- */

static Node *rule_add(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *b = n->in[1], *x;
    double v, w;
    if (is_number(b, 0)) return a;
    if (is_number(a, 0)) return b;
    if (a == b) return times(s, 2, a);
    if ((x = negated(s, b))) return map2(s, OP_SUB, a, x);
    if ((x = negated(s, a))) return map2(s, OP_SUB, b, x);
    if (!is_real(n) && node_is_const(b, &v) && by_number(a, OP_ADD, &x, &w))
        return map2(s, OP_ADD, x, map2(s, OP_ADD, number(s, n, w), number(s, n, v)));
    return NULL;
}

static Node *rule_sub(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *b = n->in[1], *x;
    if (is_number(b, 0)) return a;
    if (is_number(a, 0)) return neg(s, b);
    if (!is_real(n) && a == b) return number(s, n, 0);
    if ((x = negated(s, b))) return map2(s, OP_ADD, a, x);
    if ((x = negated(s, a))) return neg(s, map2(s, OP_ADD, x, b));
    return NULL;
}

static Node *rule_neg(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *x;
    double v;
    if ((x = negated(s, a))) return x;
    if (a->op == OP_SUB && is_single(s, a)) return map2(s, OP_SUB, a->in[1], a->in[0]);
    if (!is_real(n)) return NULL;
    if (by_number(a, OP_MUL, &x, &v)) return times(s, -v, x);
    if (by_number(a, OP_DIV, &x, &v)) return map2(s, OP_DIV, x, number(s, n, -v));
    return NULL;
}

/* ---- a * b ---- */

/* v * (c * x) as one product, v * (x / c) as one product or quotient, v * (c / x) as c' / x */
static Node *mul_number(Simplifier *s, Node *n, double v, Node *a)
{
    Node *x;
    double c;
    if (!is_real(n) && by_number(a, OP_MUL, &x, &c))
        return map2(s, OP_MUL, map2(s, OP_MUL, number(s, n, v), number(s, n, c)), x);
    if (!is_real(n) || !is_tame(v)) return NULL;
    if (by_number(a, OP_MUL, &x, &c) && is_tame(c)) return times(s, v * c, x);
    if (a->op == OP_DIV && node_is_const(a->in[0], &c) && is_tame(c) && is_single(s, a))
        return map2(s, OP_DIV, number(s, n, v * c), a->in[1]);
    if (by_number(a, OP_DIV, &x, &c) && c != 0 && is_tame(c)) {
        if (is_exact_in_float(v / c) && v / c * c == v) return times(s, v / c, x);
        if (v != 0 && is_exact_in_float(c / v) && c / v * v == c)
            return map2(s, OP_DIV, x, number(s, n, c / v));
    }
    return NULL;
}

/* e * (u / d) is e / d * u when u is one number for all elements and d is not, or is a sum, as in a
 * softmax: one rounding less, and the quotient is the one that the forward computation has. Any
 * other u / d that is one number stays: it is divided once, and not for each element. */
static Node *mul_quotient(Simplifier *s, Node *e, Node *q)
{
    Node *quotient = q->op == OP_BROADCAST ? q->in[0] : q;
    if (quotient->op != OP_DIV || !is_real(q)) return NULL;
    Node *u = uniform_of(quotient->in[0]), *d = quotient->in[1];
    if (!u || (uniform_of(q) && (!node_is_const(u, NULL) || d->op != OP_SUM))) return NULL;
    if (q != quotient) d = n_broadcast(s->g, d, &q->type.shape, q->attr.axes);
    Node *p = map2(s, OP_DIV, e, d);
    return is_number(u, 1) ? p : map2(s, OP_MUL, u, p);
}

/* t * where(t == 0, 0, k) is t * k. */
static Node *mul_masked(Simplifier *s, Node *n, Node *t, Node *w)
{
    if (w->op != OP_WHERE || w->in[0]->op != OP_EQ || w->in[0]->in[0] != t) return NULL;
    if (!is_number(w->in[0]->in[1], 0) || !is_number(w->in[1], 0)) return NULL;
    return may_vanish(n, w->in[2]) ? map2(s, OP_MUL, t, w->in[2]) : NULL;
}

/* (c as a number) * where(c, k, 0) is where(c, k, 0), and c times c is c. */
static Node *mul_same_mask(Node *t, Node *w)
{
    if (t->op != OP_CAST || t->in[0]->type.elem != ELEM_BOOL) return NULL;
    if (t == w) return t;
    bool same = w->op == OP_WHERE && w->in[0] == t->in[0];
    return same && is_number(w->in[2], 0) ? w : NULL;
}

static Node *mul_ordered(Simplifier *s, Node *n, Node *a, Node *b)
{
    Node *r = mul_masked(s, n, a, b);
    if (!r) r = mul_same_mask(a, b);
    return r ? r : mul_quotient(s, a, b);
}

static Node *rule_mul(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *b = n->in[1], *x, *r;
    double v;
    if (node_is_const(b, NULL) && !node_is_const(a, NULL)) return map2(s, OP_MUL, b, a);
    if (node_is_const(a, &v)) {
        if (v == 1) return b;
        if (v == -1) return neg(s, b);
        if (v == 0 && may_vanish(n, b)) return a;
        if ((x = negated(s, b)) && is_real(n)) return times(s, -v, x);
        return mul_number(s, n, v, b);
    }
    if ((x = negated(s, a))) return neg(s, map2(s, OP_MUL, x, b));
    if ((x = negated(s, b))) return neg(s, map2(s, OP_MUL, a, x));
    r = mul_ordered(s, n, a, b);
    return r ? r : mul_ordered(s, n, b, a);
}

/* ---- a / b ---- */

/* c * x / v and x / c / v with the numbers joined */
static Node *div_number(Simplifier *s, Node *n, Node *a, double v)
{
    Node *x;
    double c;
    if (v == 1) return a;
    if (v == -1) return neg(s, a);
    if (!is_real(n)) return NULL;
    if (has_exact_inverse(v)) return times(s, 1 / v, a);
    if (v == 0 || !is_tame(v)) return NULL;
    if (by_number(a, OP_DIV, &x, &c) && c != 0 && is_tame(c))
        return map2(s, OP_DIV, x, number(s, n, c * v));
    if (by_number(a, OP_MUL, &x, &c) && c != 0 && is_tame(c)) {
        if (is_exact_in_float(c / v) && c / v * v == c) return times(s, c / v, x);
        if (is_exact_in_float(v / c) && v / c * c == v)
            return map2(s, OP_DIV, x, number(s, n, v / c));
    }
    return NULL;
}

static Node *rule_div(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *b = n->in[1], *x, *r;
    double v;
    if (node_is_const(b, &v) && (r = div_number(s, n, a, v))) return r;
    if (!is_real(n)) return NULL;
    if (is_number(a, 0) && n->rule && !is_number(b, 0)) return a;
    if ((x = negated(s, a))) return neg(s, map2(s, OP_DIV, x, b));
    if ((x = negated(s, b))) return neg(s, map2(s, OP_DIV, a, x));
    return NULL;
}

/* ---- a ^ b ---- */

/* Small powers by products. 0.5 and -0.5 differ from pow at -inf alone, where it gives inf. */
static Node *rule_pow(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *square;
    double v;
    if (!node_is_const(n->in[1], &v)) return is_number(a, 1) ? a : NULL;
    if (v == 0) return number(s, n, 1);
    if (v == 1) return a;
    square = map2(s, OP_MUL, a, a);
    if (v == 2) return square;
    if (v == 3) return map2(s, OP_MUL, square, a);
    if (v == 4) return map2(s, OP_MUL, square, square);
    if (!is_real(n)) return NULL;
    if (v == 0.5) return map1(s, OP_SQRT, a);
    if (v == -0.5) return map1(s, OP_RSQRT, a);
    if (v == -1) return map2(s, OP_DIV, number(s, n, 1), a);
    if (v == -2) return map2(s, OP_DIV, number(s, n, 1), square);
    return NULL;
}

/* ---- other functions ---- */

/* A limit that never bites, and a value compared with itself. */
static Node *rule_limit(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *b = n->in[1];
    double never = n->op == OP_MAX ? -INFINITY : INFINITY;
    (void)s;
    if (a == b || is_number(b, never)) return a;
    return is_number(a, never) ? b : NULL;
}

/* Functions that forget a minus sign, pass it on, or change nothing the second time. */
static Node *rule_sign(Simplifier *s, Node *n)
{
    Node *a = n->in[0], *x;
    bool even = n->op == OP_ABS || n->op == OP_COS;
    bool rounds = n->op == OP_FLOOR || n->op == OP_CEIL || n->op == OP_ROUND;
    bool odd = n->op == OP_SIGN || n->op == OP_TANH || n->op == OP_ERF || n->op == OP_SIN;
    if ((n->op == OP_ABS || n->op == OP_SIGN || rounds) && a->op == n->op) return a;
    if (rounds && (!is_real(n) || a->op == OP_FLOOR || a->op == OP_CEIL || a->op == OP_ROUND))
        return a;
    if ((even || odd) && is_real(n) && (x = negated(s, a)))
        return even ? map1(s, n->op, x) : neg(s, map1(s, n->op, x));
    return NULL;
}

Node *rule_arithmetic(Simplifier *s, Node *n)
{
    switch (n->op) {
    case OP_ADD: return rule_add(s, n);
    case OP_SUB: return rule_sub(s, n);
    case OP_MUL: return rule_mul(s, n);
    case OP_DIV: return rule_div(s, n);
    case OP_NEG: return rule_neg(s, n);
    case OP_POW: return rule_pow(s, n);
    case OP_MIN: case OP_MAX: return rule_limit(s, n);
    case OP_ABS: case OP_SIGN: case OP_COS: case OP_SIN: case OP_TANH: case OP_ERF:
    case OP_FLOOR: case OP_CEIL: case OP_ROUND:
        return rule_sign(s, n);
    default: return NULL;
    }
}

/* ---- sums of multiples ---- */

/* sign * factor * base, or base / factor: factor is one scalar for all elements, number or node. */
typedef struct Term {
    Node *base, *factor;
    bool divides, minus;
} Term;

static bool term_of(Simplifier *s, Node *n, Term *t)
{
    double v;
    *t = (Term){.base = n->in[0]};
    if (n->op == OP_MUL && (t->factor = uniform_of(n->in[0]))) {
        t->base = n->in[1];
    } else if (n->op == OP_MUL || n->op == OP_DIV) {
        t->factor = uniform_of(n->in[1]);
        t->divides = n->op == OP_DIV;
    } else if (n->op == OP_WHERE && is_number(n->in[2], 0)) {
        t->factor = uniform_of(n->in[1]);
        t->base = n_cast(s->g, n->type.elem, n->in[0]);
    }
    if (!t->factor) return false;
    if (t->factor->op == OP_NEG) {
        t->factor = t->factor->in[0];
        t->minus = true;
    }
    if (t->factor->op == OP_DIV && is_number(t->factor->in[0], 1) && !t->divides) {
        t->factor = t->factor->in[1];
        t->divides = true;
    }
    if (node_is_const(t->factor, &v) && v < 0) {
        t->factor = n_const(s->g, n->type.elem, -v);
        t->minus = true;
    }
    return true;
}

/* x k + y k is (x + y) k, also with signs, for quotients, and where c ? k : 0 is k times c. */
static Node *take_out_factor(Simplifier *s, Node *n, Node *a, Node *b)
{
    Term x, y;
    if (!is_real(n) || !is_single(s, a) || !is_single(s, b)) return NULL;
    if (a->op != OP_MUL && a->op != OP_DIV && b->op != OP_MUL && b->op != OP_DIV) return NULL;
    if (!term_of(s, a, &x) || !term_of(s, b, &y)) return NULL;
    if (x.factor != y.factor || x.divides != y.divides) return NULL;
    y.minus ^= n->op == OP_SUB;
    Node *sum = map2(s, x.minus == y.minus ? OP_ADD : OP_SUB, x.base, y.base);
    if (x.minus && !y.minus) sum = map2(s, OP_SUB, y.base, x.base);
    Node *r = x.divides ? map2(s, OP_DIV, sum, x.factor) : map2(s, OP_MUL, x.factor, sum);
    return x.minus && y.minus ? neg(s, r) : r;
}

/* (c ? x : 0) + (c ? 0 : y) is c ? x : y: the derivatives of the two arms meet here. */
static Node *join_arms(Simplifier *s, Node *n, Node *a, Node *b)
{
    if (n->op != OP_ADD || a->op != OP_WHERE || b->op != OP_WHERE || a->in[0] != b->in[0])
        return NULL;
    int zeros = 0;
    for (int k = 1; k < 3; k++) zeros += is_number(a->in[k], 0) + is_number(b->in[k], 0);
    if (zeros < 2 || !is_single(s, a) || !is_single(s, b)) return NULL;
    return n_map3(s->g, OP_WHERE, a->in[0], map2(s, OP_ADD, a->in[1], b->in[1]),
                  map2(s, OP_ADD, a->in[2], b->in[2]));
}

Node *rule_terms(Simplifier *s, Node *n)
{
    if (n->op != OP_ADD && n->op != OP_SUB) return NULL;
    Node *r = join_arms(s, n, n->in[0], n->in[1]);
    return r ? r : take_out_factor(s, n, n->in[0], n->in[1]);
}
