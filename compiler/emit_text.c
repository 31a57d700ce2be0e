/* emit_text.c - the C text of elements and of operations on texts.
 * In: a buffer and an index, or a C value of the operator table and its operands. Out: `h[i][j]`,
 * `&h[i][3]`, `nn_tanh(x + 1.0f)`, with the fewest parentheses and without those that compilers
 * warn about when they are missing. */
#include "emit.h"

#include <ctype.h>
#include <string.h>

/* ---- memory ---- */

Buffer *memory_of(const Code *c, const Node *n)
{
    const Def *d = c->def_of[n->id];
    return d ? d->home : c->leaf_of[n->id];
}

/* Can C index the array by all its axes: only the first size may depend on a dim? */
static bool has_constant_rows(const Buffer *b)
{
    for (int i = 1; i < b->type.shape.rank; i++)
        if (!size_is_const(b->type.shape.size[i], NULL)) return false;
    return true;
}

/* The part of the index that the buffer stores, and whether C can write it axis by axis. */
static bool stored_index(const Buffer *b, const Shape *s, const Index *ix, Shape *part, Index *at)
{
    bool plain = has_constant_rows(b);
    part->rank = at->rank = 0;
    for (int i = b->skip; i < s->rank; i++) {
        part->size[part->rank++] = s->size[i];
        at->at[at->rank] = ix->at[i];
        at->run[at->rank++] = ix->run[i];
        plain &= ix->run[i] == 1;
    }
    return plain && shape_equal(part, &b->type.shape);
}

static const char *scalar_text(const Buffer *b)
{
    return b->memory == MEM_OUTPUT && !b->slot ? format("*%s", b->access) : b->access;
}

const char *element_text(Buffer *b, const Shape *s, const Index *ix)
{
    Shape part;
    Index at;
    Text out = {0};
    b->used = true;
    if (b->type.shape.rank == 0) return scalar_text(b);
    bool plain = stored_index(b, s, ix, &part, &at);
    if (!plain) b->flat = b->type.shape.rank > 1;
    text_add(&out, "%s", b->access);
    if (b->flat || !plain) {
        Affine flat = index_flat(&at, &part);
        text_add(&out, "[%s]", affine_text(&flat));
    } else {
        for (int i = 0; i < at.rank; i++) text_add(&out, "[%s]", affine_text(&at.at[i]));
    }
    return out.s;
}

const char *array_text(Buffer *b, const Affine *start)
{
    bool zero = start->n == 0 && size_is(start->base, 0);
    int rank = b->type.shape.rank;
    b->used = true;
    if (rank == 0)
        return b->memory == MEM_OUTPUT && !b->slot ? b->access : format("&%s", b->access);
    if (rank > 1 && (!zero || !has_constant_rows(b))) b->flat = true;
    if (!zero)
        return format(affine_is_simple(start) || start->n == 1 ? "%s + %s" : "%s + (%s)", b->access,
                      affine_text(start));
    if (rank == 1 || b->flat) return b->access;
    if (rank == 2) return format("%s[0]", b->access);
    Text out = {0};
    text_add(&out, "&%s", b->access);
    for (int i = 0; i < rank; i++) text_add(&out, "[0]");
    return out.s;
}

const char *pointer_text(Buffer *b, const Shape *s, const Index *ix)
{
    Shape part;
    Index at;
    bool plain = stored_index(b, s, ix, &part, &at);
    if (b->type.shape.rank == 0) return array_text(b, &ix->at[0]);
    if (!plain || b->flat || b->type.shape.rank == 1) {
        Affine flat = index_flat(&at, &part);
        if (!plain && b->type.shape.rank > 1) b->flat = true;
        return array_text(b, &flat);
    }
    Text out = {0};
    b->used = true;
    const Affine *last = &at.at[at.rank - 1];
    bool row = last->n == 0 && size_is(last->base, 0);
    text_add(&out, row ? "%s" : "&%s", b->access);
    for (int i = 0; i < at.rank - row; i++) text_add(&out, "[%s]", affine_text(&at.at[i]));
    return out.s;
}

/* ---- templates ---- */

const char *with(Frag f, int by) { return f.by < by ? format("(%s)", f.s) : f.s; }

typedef struct Infix {
    const char *sign;
    int by, left, right;
} Infix;
static const Infix infix[] = {
    {" ? ", C_COND, C_OR, C_COND},         {" || ", C_OR, C_EQUAL, C_EQUAL},
    {" && ", C_AND, C_EQUAL, C_EQUAL},     {" == ", C_EQUAL, C_SUM, C_SUM},
    {" != ", C_EQUAL, C_SUM, C_SUM},       {" <= ", C_ORDER, C_SUM, C_SUM},
    {" >= ", C_ORDER, C_SUM, C_SUM},       {" < ", C_ORDER, C_SUM, C_SUM},
    {" > ", C_ORDER, C_SUM, C_SUM},        {" + ", C_SUM, C_SUM, C_PRODUCT},
    {" - ", C_SUM, C_SUM, C_PRODUCT},      {" * ", C_PRODUCT, C_PRODUCT, C_UNARY},
    {" / ", C_PRODUCT, C_PRODUCT, C_UNARY}};

static const Infix *infix_of(const char *value)
{
    for (size_t i = 0; i < sizeof infix / sizeof *infix; i++)
        if (!strchr(value, '(') && strstr(value, infix[i].sign)) return &infix[i];
    return NULL;
}

const char *c_suffix(Elem elem)
{
    return elem_is_int(elem) || elem == ELEM_BOOL  ? "_i"
           : !strcmp(c_value_type(elem), "double") ? "_d"
                                                   : "";
}

static const char *operand_text(const char *value, const char *at, const Infix *f, Frag operand)
{
    if (f) return with(operand, at == value ? f->left : f->right);
    if (strchr(value, '(')) return operand.s;
    bool clash = at > value && at[-1] == operand.s[0];
    return clash ? format("(%s)", operand.s) : with(operand, at == value ? C_COND : C_UNARY);
}

static Frag fill_template(const char *value, Elem elem, const Frag *operands)
{
    Text out = {0};
    const Infix *f = infix_of(value);
    int level = 0;
    if (f && f->sign[1] == '/' && (elem_is_int(elem) || elem == ELEM_BOOL))
        value = "nn_div(a, b)", f = NULL;
    if (f && f->by == C_SUM && operands[1].s[0] == '-') {
        Frag minus[2] = {operands[0], {operands[1].s + 1, C_PRIMARY, operands[1].level}};
        return fill_template(f->sign[1] == '+' ? "a - b" : "a + b", elem, minus);
    }
    for (const char *p = value; *p;) {
        size_t n = 0;
        while (isalnum((unsigned char)p[n]) || p[n] == '_') n++;
        if (n == 1 && *p >= 'a' && *p <= 'c') {
            Frag x = operands[*p - 'a'];
            text_add(&out, "%s", operand_text(value, p, f, x));
            if (x.level > level) level = x.level;
        } else {
            text_add(&out, "%.*s%s", n ? (int)n : 1, p, p[n] == '(' && n ? c_suffix(elem) : "");
        }
        p += n ? n : 1;
    }
    int by = f ? f->by : strchr(value, '(') ? C_PRIMARY : value[1] ? C_UNARY : operands[0].by;
    return (Frag){out.s, by, level};
}

/* Half precision is computed in floats and rounded behind every operation. */
Frag apply_template(const char *value, Elem elem, const Frag *operands)
{
    Frag f = fill_template(value, elem, operands);
    bool inexact = strchr(value, '(') || f.by == C_SUM || f.by == C_PRODUCT;
    if (elem != ELEM_F16 || !inexact) return f;
    return (Frag){format("nn_round_half(%s)", f.s), C_PRIMARY, f.level};
}

/* What `call(..)` is written around when that is all of s, else NULL. */
static const char *inside_call(const char *s, const char *call)
{
    size_t n = strlen(call), end = strlen(s);
    int depth = 0;
    if (strncmp(s, call, n) || s[n] != '(') return NULL;
    for (size_t i = n; i < end; i++) {
        depth += (s[i] == '(') - (s[i] == ')');
        if (depth == 0) return i == end - 1 ? format("%.*s", (int)(end - n - 2), s + n + 1) : NULL;
    }
    return NULL;
}

const char *stored_half(Frag f)
{
    const char *bits = inside_call(f.s, "nn_from_half"), *exact = inside_call(f.s, "nn_round_half");
    return bits ? bits : format("nn_half(%s)", exact ? exact : f.s);
}
