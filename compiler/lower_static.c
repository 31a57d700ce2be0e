/* lower_static.c - arithmetic of what is known at compile time.
 * In: numbers and sizes, which may hold dims. Out: their sum, product, quotient, order. A number
 * has two faces: a size is an integer, quotients rounded down as in C; data is the exact value. */
#include "lower.h"

#include <math.h>

static Value static_divide(const Value *a, const Value *b, Span at)
{
    long k;
    bool constant = !isnan(a->num) && !isnan(b->num);
    if (!a->size || !b->size || size_is(b->size, 0)) return value_number(a->num / b->num, at);
    Value v = {.kind = V_NUMBER,
               .span = at,
               .num = constant ? a->num / b->num : NAN,
               .size = size_div(a->size, b->size)};
    bool exact = size_mul(v.size, b->size) == a->size;
    if (!constant && !exact) v.over = a->size, v.under = b->size;
    if (exact && size_is_const(v.size, &k)) v.num = (double)k;
    return v;
}

static SizeRef sized(Operator op, SizeRef a, SizeRef b)
{
    switch (op) {
    case O_ADD: return size_add(a, b);
    case O_SUB: return size_sub(a, b);
    case O_MUL: return size_mul(a, b);
    default: return size_mod(a, b);
    }
}

/* a quotient that is not known yet goes on as a quotient: (N/2) + 1 is (N + 2)/2 */
static void keep_quotient(Operator op, const Value *a, const Value *b, Value *v)
{
    SizeRef one = size_const(1);
    SizeRef x = a->over ? a->over : a->size, y = b->over ? b->over : b->size;
    SizeRef p = a->over ? a->under : one, q = b->over ? b->under : one;
    if ((!a->over && !b->over) || op == O_MOD) return;
    v->under = size_mul(p, q);
    v->over = op == O_MUL ? size_mul(x, y) : sized(op, size_mul(x, q), size_mul(y, p));
}

static Value static_power(const Value *a, const Value *b, Span at)
{
    long k;
    if (!isnan(a->num) && !isnan(b->num)) return value_number(pow(a->num, b->num), at);
    if (!a->size || !value_integer(b, &k) || k < 0 || k > 8) return value_number(NAN, at);
    SizeRef s = size_const(1);
    while (k-- > 0) s = size_mul(s, a->size);
    return value_size(s, at);
}

static double plain_arithmetic(Operator op, double a, double b)
{
    switch (op) {
    case O_ADD: return a + b;
    case O_SUB: return a - b;
    case O_MUL: return a * b;
    default: return a - b * floor(a / b);
    }
}

Value static_arithmetic(Operator op, const Value *a, const Value *b, Span at)
{
    if (op == O_DIV) return static_divide(a, b, at);
    if (op == O_POW) return static_power(a, b, at);
    double x = plain_arithmetic(op, a->num, b->num);
    bool has_size = a->size && b->size && !(op == O_MOD && size_is(b->size, 0));
    if (!has_size) return value_number(x, at);
    Value v = value_size(sized(op, a->size, b->size), at);
    if (!isnan(a->num) && !isnan(b->num)) v.num = x;
    keep_quotient(op, a, b, &v);
    return v;
}

/* -1 less, 0 equal, 1 greater, 2 not known at compile time */
static int static_order(const Value *a, const Value *b)
{
    if (!isnan(a->num) && !isnan(b->num)) return a->num < b->num ? -1 : a->num > b->num;
    if (!a->size || !b->size) return 2;
    SizeRef d = size_sub(a->size, b->size);
    if (size_is(d, 0)) return 0;
    if (size_lower(d) > 0) return 1;
    return size_upper(d) < 0 ? -1 : 2;
}

bool static_compare(Operator op, const Value *a, const Value *b, bool *result)
{
    int o = static_order(a, b);
    long lo = 1, hi = -1;
    if (o == 2 && a->size && b->size) { /* N <= 64 holds for N in 1..64 */
        SizeRef d = size_sub(a->size, b->size);
        lo = size_lower(d), hi = size_upper(d);
        if (op == O_LE && hi <= 0) return *result = true, true;
        if (op == O_GE && lo >= 0) return *result = true, true;
        if (op == O_GT && hi <= 0) return *result = false, true;
        if (op == O_LT && lo >= 0) return *result = false, true;
    }
    if (o == 2) return false;
    *result = op == O_EQ   ? o == 0
              : op == O_NE ? o != 0
              : op == O_LT ? o < 0
              : op == O_GT ? o > 0
              : op == O_LE ? o <= 0
                           : o >= 0;
    return true;
}
