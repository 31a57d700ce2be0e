/* equations.c - the nodes of a graph as equations in the language.
 * In: nodes and their names. Out: expression texts with the fewest parentheses. What the language
 * does by itself is not written: broadcasting from the right, the 1-sized axes of a product with a
 * vector, marks. */
#include "equations.h"
#include "nnc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How tightly an expression binds, in the order of the grammar. */
enum { BY_SELECT, BY_OR, BY_AND, BY_COMPARE, BY_SUM, BY_PRODUCT, BY_SIGN, BY_POWER, BY_POSTFIX };

static void write_operand(Text *out, Names *m, const Node *n, int by, bool stretches);

void number_text(Text *out, Elem e, double v)
{
    if (e == ELEM_BOOL) text_add(out, "%s", v != 0 ? "true" : "false");
    else if (isnan(v)) text_add(out, "nan");
    else if (isinf(v)) text_add(out, v < 0 ? "-inf" : "inf");
    else {
        char s[40];
        bool as_float = e != ELEM_F64 && !(e == ELEM_REAL && options.f64);
        for (int digits = 6; digits <= 17; digits++) {
            snprintf(s, sizeof s, "%.*g", digits, v);
            double back = strtod(s, NULL);
            if (as_float ? (float)back == (float)v : back == v) break;
        }
        text_add(out, "%s", s);
    }
}

/* "f(a, b", to be closed by the caller. */
static void write_list(Text *out, Names *m, const char *open, int n, Node *const *in)
{
    text_add(out, "%s", open);
    for (int k = 0; k < n; k++) {
        if (k) text_add(out, ", ");
        write_operand(out, m, in[k], BY_SELECT, false);
    }
}

static void write_sizes(Text *out, const Shape *s)
{
    text_add(out, "[");
    for (int i = 0; i < s->rank; i++) text_add(out, "%s%s", i ? ", " : "", size_text(s->size[i]));
    text_add(out, "]");
}

/* ", axis = 1" unless all axes (or, for `usual`, the axes a call without it would take). */
static void write_axes(Text *out, unsigned axes, unsigned usual)
{
    if (axes == usual) return;
    bool one = (axes & (axes - 1)) == 0;
    const char *sep = one ? ", axis = " : ", axis = (";
    for (int i = 0; i < MAX_RANK; i++)
        if (axes >> i & 1) {
            text_add(out, "%s%d", sep, i);
            sep = ", ";
        }
    if (!one) text_add(out, ")");
}

static void write_fold(Text *out, Names *m, const Node *n)
{
    const char *name = n->op == OP_MAXOF ? "max" : n->op == OP_MINOF ? "min" : op_info[n->op].name;
    text_add(out, "%s", name);
    write_list(out, m, "(", 1, n->in);
    write_axes(out, n->attr.axes, (1u << n->in[0]->type.shape.rank) - 1);
    text_add(out, ")");
}

typedef struct Infix { Op op; const char *sign; int by, left, right; } Infix;
static const Infix infix[] = {
    {OP_OR, "||", BY_OR, BY_OR, BY_AND},
    {OP_AND, "&&", BY_AND, BY_AND, BY_COMPARE},
    {OP_LT, "<", BY_COMPARE, BY_SUM, BY_SUM},
    {OP_LE, "<=", BY_COMPARE, BY_SUM, BY_SUM},
    {OP_EQ, "==", BY_COMPARE, BY_SUM, BY_SUM},
    {OP_NE, "!=", BY_COMPARE, BY_SUM, BY_SUM},
    {OP_ADD, "+", BY_SUM, BY_SUM, BY_PRODUCT},
    {OP_SUB, "-", BY_SUM, BY_SUM, BY_PRODUCT},
    {OP_MUL, "*", BY_PRODUCT, BY_PRODUCT, BY_SIGN},
    {OP_DIV, "/", BY_PRODUCT, BY_PRODUCT, BY_SIGN},
    {OP_MOD, "%", BY_PRODUCT, BY_PRODUCT, BY_SIGN},
    {OP_MATMUL, "@", BY_PRODUCT, BY_PRODUCT, BY_SIGN},
    {OP_POW, "^", BY_POWER, BY_POSTFIX, BY_POWER},
};

static const Infix *infix_of(Op op)
{
    for (size_t i = 0; i < sizeof infix / sizeof *infix; i++)
        if (infix[i].op == op) return &infix[i];
    return NULL;
}

/* x[:, 1:3, ..] */
static void write_slice(Text *out, Names *m, const Node *n)
{
    const Shape *a = &n->in[0]->type.shape, *b = &n->type.shape;
    int last = b->rank - 1;
    while (last > 0 && b->size[last] == a->size[last]) last--;
    write_operand(out, m, n->in[0], BY_POSTFIX, false);
    text_add(out, "[");
    for (int i = 0; i <= last; i++) {
        SizeRef end = size_add(n->attr.lo[i], b->size[i]);
        if (i) text_add(out, ", ");
        if (b->size[i] == a->size[i]) text_add(out, ":");
        else
            text_add(out, "%s:%s", size_is(n->attr.lo[i], 0) ? "" : size_text(n->attr.lo[i]),
                     end == a->size[i] ? "" : size_text(end));
    }
    text_add(out, "]");
}

/* Leading new axes come by themselves; an inner one is `new`: b[:, new]. */
static void write_broadcast(Text *out, Names *m, const Node *n, int by)
{
    const Shape *s = &n->type.shape;
    int first = 0, last = s->rank - 1;
    while (first < s->rank && n->attr.axes >> first & 1) first++;
    while (last >= 0 && !(n->attr.axes >> last & 1)) last--;
    if (last < first) {
        write_operand(out, m, n->in[0], by, true);
        return;
    }
    write_operand(out, m, n->in[0], BY_POSTFIX, true);
    for (int i = first; i <= last; i++)
        text_add(out, "%s%s", i == first ? "[" : ", ", n->attr.axes >> i & 1 ? "new" : ":");
    text_add(out, "]");
}

static void write_table(Text *out, const Node *n)
{
    const double *v = n->attr.ref;
    const Shape *s = &n->type.shape;
    long count, inner = 0;
    if (s->rank != 1 && s->rank != 2) inner = -1;
    if (inner < 0 || !size_is_const(shape_count(s), &count) || count > 12) {
        text_add(out, "table");
        write_sizes(out, s);
        return;
    }
    if (s->rank == 2) size_is_const(s->size[1], &inner);
    text_add(out, s->rank == 2 ? "[[" : "[");
    for (long i = 0; i < count; i++) {
        if (i) text_add(out, inner && i % inner == 0 ? "], [" : ", ");
        number_text(out, n->type.elem, v[i]);
    }
    text_add(out, s->rank == 2 ? "]]" : "]");
}

static void write_transpose(Text *out, Names *m, const Node *n)
{
    int r = n->type.shape.rank, fixed = 0;
    bool turned = is_turned_vector(n);
    while (!turned && fixed < r && n->attr.perm[fixed] == fixed) fixed++;
    if (turned || fixed >= r - 2) {
        write_operand(out, m, n->in[0], BY_POSTFIX, false);
        text_add(out, "'");
        return;
    }
    write_list(out, m, "transpose(", 1, n->in);
    for (int i = 0; i < r; i++) text_add(out, "%s%d", i ? ", " : ", (", n->attr.perm[i]);
    text_add(out, "))");
}

/* pad(x, 1, 1, axis = 2), nested where several axes grow. */
static void write_pad(Text *out, Names *m, const Node *n)
{
    const Shape *from = &n->in[0]->type.shape, *to = &n->type.shape;
    for (int i = 0; i < to->rank; i++)
        if (from->size[i] != to->size[i]) text_add(out, "pad(");
    write_operand(out, m, n->in[0], BY_SELECT, false);
    for (int i = 0; i < to->rank; i++) {
        SizeRef more = size_sub(to->size[i], from->size[i]);
        if (from->size[i] == to->size[i]) continue;
        text_add(out, ", %s, %s, axis = %d)", size_text(n->attr.lo[i]),
                 size_text(size_sub(more, n->attr.lo[i])), i);
    }
}

static void write_custom(Text *out, Names *m, const Node *n)
{
    const Custom *c = n->attr.ref;
    text_add(out, "%s", c->decl->name.s);
    write_list(out, m, "(", c->n_inputs, n->in);
    text_add(out, ")");
    if (c->n_results > 1) text_add(out, "[%ld]", n->attr.k);
}

static void write_draw(Text *out, const Node *n)
{
    static const char *const kind[] = {"uniform(0, 1)", "normal(0, 1)", "orthogonal()"};
    text_add(out, "%s", kind[n->attr.draw]);
}

/* ", axis = 2, 2*i + p - 1": the axis that is opened, and which of its elements (i, p) is. */
static void write_opening(Text *out, const Node *n)
{
    static const char *const index[MAX_RANK] = {"i", "p", "q", "r", "s", "u", "v", "w"};
    text_add(out, ", axis = %ld, ", n->attr.k);
    for (unsigned k = 0; k < n->attr.axes && k < MAX_RANK; k++) {
        int factor = n->attr.perm[k];
        text_add(out, "%s", factor < 0 ? (k ? " - " : "-") : k ? " + " : "");
        if (abs(factor) != 1) text_add(out, "%d*", abs(factor));
        text_add(out, "%s", index[k]);
    }
    const char *offset = n->attr.lo[0] ? size_text(n->attr.lo[0]) : "0";
    if (strcmp(offset, "0") != 0)
        text_add(out, *offset == '-' ? " - %s" : " + %s", offset + (*offset == '-'));
}

/* ", pad = (1, 1), stride = (2, 2)": what is not 0 or 1. */
static void write_taps(Text *out, const Node *n)
{
    const Attr *a = &n->attr;
    if (!size_is(a->lo[0], 0) || !size_is(a->lo[1], 0))
        text_add(out, ", pad = (%s, %s)", size_text(a->lo[0]), size_text(a->lo[1]));
    if (a->perm[0] != 1 || a->perm[1] != 1)
        text_add(out, ", stride = (%d, %d)", a->perm[0], a->perm[1]);
    if (a->perm[2] != 1 || a->perm[3] != 1)
        text_add(out, ", dilation = (%d, %d)", a->perm[2], a->perm[3]);
}

/* [a, b, c] of scalars is built as a concatenation of vectors of size 1. */
static bool is_array_literal(const Node *n)
{
    bool literal = n->op == OP_CONCAT && n->type.shape.rank == 1;
    for (int k = 0; literal && k < n->n_in; k++)
        literal = n->in[k]->op == OP_RESHAPE && n->in[k]->in[0]->type.shape.rank == 0;
    return literal;
}

/* zeros[3, 4] and ones[3, 4] */
static bool write_constant(Text *out, const Node *n)
{
    const Node *v = n->in[0];
    if (v->op != OP_CONST || (v->attr.num != 0 && v->attr.num != 1)) return false;
    text_add(out, v->attr.num != 0 ? "ones" : "zeros");
    write_sizes(out, &n->type.shape);
    return true;
}

/* Calls, leaves and indexing: what binds tightest. */
static void write_primary(Text *out, Names *m, const Node *n)
{
    switch (n->op) {
    case OP_CONST: number_text(out, n->type.elem, n->attr.num); return;
    case OP_SIZE: text_add(out, "%s", size_text(n->attr.size)); return;
    case OP_TABLE: write_table(out, n); return;
    case OP_DRAW: write_draw(out, n); return;
    case OP_IOTA:
        text_add(out, n->type.shape.rank == 1 ? "iota" : "iota(axis = %ld)", n->attr.k);
        if (n->type.shape.rank == 1) write_sizes(out, &n->type.shape);
        return;
    case OP_INPUT: text_add(out, "input%ld", n->attr.k); return;
    case OP_SLICE: write_slice(out, m, n); return;
    case OP_TRANSPOSE: write_transpose(out, m, n); return;
    case OP_PAD: write_pad(out, m, n); return;
    case OP_CUSTOM: write_custom(out, m, n); return;
    case OP_GATHER:
        write_operand(out, m, n->in[0], BY_POSTFIX, false);
        write_list(out, m, "[", 1, &n->in[1]);
        text_add(out, "]");
        return;
    default: break;
    }
    if (is_turned_vector(n)) {
        write_transpose(out, m, n);
        return;
    }
    if (op_info[n->op].class == CLASS_FOLD) {
        write_fold(out, m, n);
        return;
    }
    if (n->op == OP_BROADCAST && write_constant(out, n)) return;
    if (is_array_literal(n)) {
        write_list(out, m, "[", n->n_in, n->in);
        text_add(out, "]");
        return;
    }
    bool is_map = op_info[n->op].class == CLASS_MAP;
    text_add(out, "%s(", n->op == OP_CAST ? elem_text(n->type.elem) : op_info[n->op].name);
    for (int k = 0; k < n->n_in; k++) {
        if (k) text_add(out, ", ");
        write_operand(out, m, n->in[k], BY_SELECT, is_map);
    }
    if (n->op == OP_RESHAPE || n->op == OP_BROADCAST || n->op == OP_SCATTER) {
        text_add(out, ", ");
        write_sizes(out, &n->type.shape);
    }
    if (n->op == OP_WINDOW || n->op == OP_UNWINDOW) write_opening(out, n);
    if (n->op == OP_CONV || n->op == OP_CONV_DATA || n->op == OP_CONV_WEIGHTS) write_taps(out, n);
    if (n->op == OP_CONCAT) write_axes(out, 1u << n->attr.k, 1);
    if (n->op == OP_REVERSE) write_axes(out, n->attr.axes, 1);
    text_add(out, ")");
}

/* -1 * x, which is written -x. */
static bool is_minus(Names *m, const Node *n)
{
    double v;
    return n->op == OP_MUL && !node_name(m, n->in[0]) && node_is_const(n->in[0], &v) && v == -1;
}

static int binding(Names *m, const Node *n)
{
    const Infix *f = infix_of(n->op);
    if (is_minus(m, n)) return BY_SIGN;
    if (f) return f->by;
    if (n->op == OP_WHERE) return BY_SELECT;
    if (n->op == OP_NEG || n->op == OP_NOT) return BY_SIGN;
    if (n->op == OP_CONST && signbit(n->attr.num)) return BY_SIGN;
    if (n->op == OP_SIZE && strpbrk(size_text(n->attr.size), "+-*/%")) return BY_SUM;
    return BY_POSTFIX;
}

/* A factor of a matrix product. A vector is a row on the left and a column on the right; the other
 * way round it has to be said: a[:, new] @ b[new, :]. */
static void write_factor(Text *out, Names *m, const Node *n, int by, bool right)
{
    const Node *v = seen(n), *a = v->n_in ? v->in[0] : NULL;
    const Shape *s = &v->type.shape;
    bool vector = !node_name(m, v) && is_vector_view(v) && a->type.shape.rank == 1;
    if (vector && s->size[s->rank - 1 - right] != a->type.shape.size[0]) {
        write_operand(out, m, a, BY_POSTFIX, false);
        text_add(out, right ? "[new, :]" : "[:, new]");
    } else {
        write_operand(out, m, n, by, true);
    }
}

/* Does the text of n begin with a negative number? Gives the number, and what it is multiplied by
 * or NULL. */
static bool begins_negative(Names *m, const Node *n, double *v, const Node **factor)
{
    n = seen(n);
    *factor = NULL;
    if (node_name(m, n)) return false;
    if (n->op == OP_MUL && !node_name(m, n->in[0])) {
        *factor = n->in[1];
        n = n->in[0];
    }
    return node_is_const(n, v) && *v < 0;
}

/* a + -2 is written a - 2, and a + -2 * b is written a - 2 * b. */
static bool write_difference(Text *out, Names *m, const Node *n)
{
    double v;
    const Node *factor;
    if (n->op != OP_ADD || !begins_negative(m, n->in[1], &v, &factor)) return false;
    write_operand(out, m, n->in[0], BY_SUM, true);
    text_add(out, " - ");
    if (!factor || v != -1) number_text(out, n->type.elem, -v);
    if (factor && v != -1) text_add(out, " * ");
    if (factor) write_operand(out, m, factor, v == -1 ? BY_PRODUCT : BY_SIGN, true);
    return true;
}

static void write_value(Text *out, Names *m, const Node *n)
{
    const Infix *f = infix_of(n->op);
    if (write_difference(out, m, n)) return;
    if (is_minus(m, n)) {
        text_add(out, "-");
        write_operand(out, m, n->in[1], BY_SIGN, true);
    } else if (n->op == OP_MATMUL) {
        write_factor(out, m, n->in[0], f->left, false);
        text_add(out, " @ ");
        write_factor(out, m, n->in[1], f->right, true);
    } else if (f) {
        write_operand(out, m, n->in[0], f->left, true);
        text_add(out, f->op == OP_POW ? "%s" : " %s ", f->sign);
        write_operand(out, m, n->in[1], f->right, true);
    } else if (n->op == OP_WHERE) {
        write_operand(out, m, n->in[0], BY_OR, true);
        text_add(out, " ? ");
        write_operand(out, m, n->in[1], BY_SELECT, true);
        text_add(out, " : ");
        write_operand(out, m, n->in[2], BY_SELECT, true);
    } else if (n->op == OP_NEG || n->op == OP_NOT) {
        text_add(out, n->op == OP_NEG ? "-" : "!");
        write_operand(out, m, n->in[0], BY_SIGN, true);
    } else {
        write_primary(out, m, n);
    }
}

/* `stretches`: the operator broadcasts its operands from the right. */
static void write_operand(Text *out, Names *m, const Node *n, int by, bool stretches)
{
    n = seen(n);
    const char *name = node_name(m, n);
    if (name) text_add(out, "%s", name);
    else if (is_vector_view(n)) write_operand(out, m, n->in[0], by, stretches);
    else if (n->op == OP_BROADCAST && stretches) write_broadcast(out, m, n, by);
    else {
        bool loose = binding(m, n) < by;
        if (loose) text_add(out, "(");
        write_value(out, m, n);
        if (loose) text_add(out, ")");
    }
}

void node_operand(Text *out, Names *m, const Node *n)
{
    write_operand(out, m, n, BY_SELECT, false);
}

void node_value(Text *out, Names *m, const Node *n)
{
    n = seen(n);
    if (leaf_name(n)) text_add(out, "%s", leaf_name(n));
    else if (is_vector_view(n)) write_operand(out, m, n->in[0], BY_SELECT, false);
    else write_value(out, m, n);
}

void node_equation(Text *out, Names *m, const Node *n)
{
    const char *name = node_name(m, n);
    if (name) text_add(out, "%s", name);
    if (seen(n)->op == OP_DRAW) text_add(out, ": %s ~ ", type_text(n->type));
    else if (name) text_add(out, " = ");
    node_value(out, m, n);
}
