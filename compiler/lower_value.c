/* lower_value.c - values of expressions: numbers that are known now, tensors, and things.
 * A number or a constant table has no element type of its own: it takes that of what it meets. */
#include "lower.h"

#include <limits.h>
#include <math.h>
#include <string.h>

Value value_poison(void) { return (Value){.kind = V_POISON}; }
bool value_is_poison(const Value *v) { return v->kind == V_POISON; }

Value value_number(double v, Span at)
{
    Value x = {.kind = V_NUMBER, .span = at, .num = v};
    if (v == floor(v) && fabs(v) < 9e15) x.size = size_const((long)v);
    return x;
}

Value value_size(SizeRef s, Span at)
{
    long k;
    if (size_is_const(s, &k)) return value_number((double)k, at);
    return (Value){.kind = V_NUMBER, .span = at, .num = NAN, .size = s};
}

Value value_bool(bool b, Span at)
{
    Value v = value_number(b, at);
    v.is_bool = true;
    return v;
}

Value value_node(Node *n, Span at)
{
    return n ? (Value){.kind = V_NODE, .span = at, .node = n, .shape = n->type.shape}
             : value_poison();
}

Value value_tuple(const ValueList *parts, Span at)
{
    for (int i = 0; i < parts->n; i++)
        if (parts->at[i].kind == V_POISON) return value_poison();
    return (Value){.kind = V_TUPLE, .span = at, .parts = *parts};
}

const char *value_text(const Value *v)
{
    switch (v->kind) {
    case V_POISON: return "an error";
    case V_NUMBER:
        return v->is_bool                 ? "true or false"
               : isnan(v->num) && v->size ? format("the number %s", size_text(v->size))
                                          : format("the number %g", v->num);
    case V_TABLE: return type_text((Type){ELEM_REAL, v->shape});
    case V_NODE: return type_text(v->node->type);
    case V_TUPLE: return format("a tuple of %d values", v->parts.n);
    case V_SET: return "a set of parameters";
    case V_FUNCTION:
        return v->decl->kind == DECL_FN      ? "a function"
               : v->decl->kind == DECL_LAYER ? "a layer"
                                             : "an entry";
    case V_BUILTIN: return "a function";
    case V_STACK: return "a stack of layers";
    case V_INSTANCE: return "an instance of a layer";
    case V_STRING: return "a text";
    case V_DISTRIBUTION: return "a distribution";
    case V_MODULE: return "an imported file";
    }
    return "a value";
}

bool value_type(const Value *v, Type *t)
{
    if (v->kind == V_NODE)
        *t = v->node->type;
    else if (v->kind == V_TABLE)
        *t = (Type){ELEM_REAL, v->shape};
    else if (v->kind == V_NUMBER)
        *t = (Type){v->is_bool ? ELEM_BOOL : ELEM_REAL, {0}};
    else
        return false;
    return true;
}

bool value_is_static(const Value *v) { return v->kind == V_NUMBER; }

bool value_integer(const Value *v, long *k)
{
    return v->kind == V_NUMBER && v->size && size_is_const(v->size, k);
}

/* Does a plain number fit the element type without a change? */
static bool number_fits(double x, Elem e)
{
    switch (e) {
    case ELEM_BOOL: return x == 0 || x == 1;
    case ELEM_I8: return x == floor(x) && x >= -128 && x <= 127;
    case ELEM_U8: return x == floor(x) && x >= 0 && x <= 255;
    case ELEM_I32: return x == floor(x) && x >= INT32_MIN && x <= INT32_MAX;
    default: return true;
    }
}

static Node *misfit(const Value *v, Elem e, double x)
{
    Diag *d = error_at("E0320", v->span, "the number %g does not fit %s", x, elem_text(e));
    diag_here(d, "%s", "");
    if (e == ELEM_BOOL)
        diag_hint(d, "a condition is a comparison such as `x > 0`");
    else
        diag_hint(d, "convert the other side: `real(..)`");
    return NULL;
}

Node *value_to_node(const Value *v, Elem elem)
{
    Graph *g = low->g;
    switch (v->kind) {
    case V_NODE: return v->node;
    case V_NUMBER: {
        long k;
        Elem e = v->is_bool ? ELEM_BOOL : elem;
        if (v->over && elem_is_real(e))
            return n_map2(g, OP_DIV, n_size(g, e, v->over), n_size(g, e, v->under));
        if (v->size && !size_is_const(v->size, &k)) return n_size(g, e, v->size);
        return number_fits(v->num, e) ? n_const(g, e, v->num) : misfit(v, e, v->num);
    }
    case V_TABLE: {
        long n = 0;
        size_is_const(shape_count(&v->shape), &n);
        for (long i = 0; i < n; i++)
            if (!number_fits(v->table[i], elem)) return misfit(v, elem, v->table[i]);
        return n_table(g, (Type){elem, v->shape}, v->table);
    }
    case V_POISON: return NULL;
    default: {
        Diag *d = error_at("E0204", v->span, "a tensor is needed here, this is %s", value_text(v));
        diag_here(d, "%s", "");
        return NULL;
    }
    }
}

Node *value_to_type(const Value *v, Type t)
{
    Node *n = value_to_node(v, t.elem);
    if (!n || n->type.elem != t.elem) return NULL;
    if (v->kind == V_NUMBER) return n_expand(low->g, n, &t.shape);
    return shape_equal(&n->type.shape, &t.shape) ? n : NULL;
}

bool value_equal(const Value *a, const Value *b)
{
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case V_NODE: return a->node == b->node;
    case V_NUMBER:
        return a->size ? a->size == b->size : !b->size && !memcmp(&a->num, &b->num, sizeof a->num);
    case V_TABLE: return a->table == b->table;
    case V_FUNCTION: return a->decl == b->decl && a->statics.n == 0 && b->statics.n == 0;
    case V_BUILTIN: return a->builtin == b->builtin;
    case V_INSTANCE: return a->inst == b->inst;
    case V_SET:
        if (a->set.n != b->set.n) return false;
        for (int i = 0; i < a->set.n; i++)
            if (a->set.at[i].node != b->set.at[i].node) return false;
        return true;
    case V_TUPLE:
        if (a->parts.n != b->parts.n) return false;
        for (int i = 0; i < a->parts.n; i++)
            if (!value_equal(&a->parts.at[i], &b->parts.at[i])) return false;
        return true;
    default: return false;
    }
}
