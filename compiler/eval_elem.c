/* eval_elem.c - the arithmetic of single elements in the interpreter.
 * In: elements as doubles, and their types. Out: the element that the operator gives. A double is
 * exact for integers, rounded for f16, and for f32 where `real` is a double; other reals are left
 * as they are. Integers wrap, integer quotients round down, reals that become integers are cut
 * off and saturate. */
#include "eval.h"

#include <math.h>
#include <stdlib.h>

/* The nearest half-precision number, ties to even. */
static double round_half(double v)
{
    if (!isfinite(v) || v == 0) return v;
    int e;
    frexp(v, &e);
    double quantum = ldexp(1, (e < -13 ? -13 : e) - 11);
    double r = nearbyint(v / quantum) * quantum;
    return fabs(r) > 65504 ? copysign(INFINITY, v) : r;
}

double half_value(unsigned bits)
{
    int exponent = (int)(bits >> 10 & 31);
    double fraction = (double)(bits & 1023) / 1024, v;
    if (exponent == 31) v = fraction != 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0) v = ldexp(fraction, -14);
    else v = ldexp(1 + fraction, exponent - 15);
    return bits >> 15 ? -v : v;
}

/* Non-negative halves are in the order of their bits. */
uint16_t half_bits(double v)
{
    unsigned best = 0;
    if (isnan(v)) return 0x7e00;
    for (unsigned bit = 0x4000; bit; bit >>= 1)
        if (half_value(best | bit) <= fabs(v)) best |= bit;
    return (uint16_t)(best | (signbit(v) ? 0x8000u : 0));
}

static double wrap(Elem e, int64_t v)
{
    switch (e) {
    case ELEM_I8: return (double)((int64_t)(((uint64_t)v + 128) & 255) - 128);
    case ELEM_U8: return (double)((uint64_t)v & 255);
    default: return (double)((int64_t)(((uint64_t)v + 0x80000000u) & 0xffffffffu) - 0x80000000);
    }
}

static double saturate(Elem e, double v)
{
    double lo = e == ELEM_I8 ? -128 : e == ELEM_U8 ? 0 : -2147483648.0;
    double hi = e == ELEM_I8 ? 127 : e == ELEM_U8 ? 255 : 2147483647.0;
    if (isnan(v)) return 0;
    return v <= lo ? lo : v >= hi ? hi : trunc(v);
}

bool eval_rounds(Elem e) { return e == ELEM_F16 || (e == ELEM_F32 && options.f64); }

double eval_convert(Elem from, Elem to, double v)
{
    if (to == ELEM_BOOL) return v != 0;
    if (to == ELEM_F16) return round_half(v);
    if (eval_rounds(to)) return (double)(float)v;
    if (!elem_is_int(to)) return v;
    return elem_is_real(from) ? saturate(to, v) : wrap(to, (int64_t)v);
}

static int64_t int_pow(int64_t a, int64_t n)
{
    if (n < 0) return a == 1 ? 1 : a == -1 ? (n % 2 ? -1 : 1) : 0;
    uint64_t r = 1, square = (uint64_t)a;
    for (; n; n >>= 1, square *= square)
        if (n & 1) r *= square;
    return (int64_t)r;
}

static int64_t int_quotient(int64_t a, int64_t b)
{
    if (b == 0) return 0;
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Arithmetic of integers; operands have at most 32 bits, so nothing here overflows. */
static bool int_map(Op op, int64_t a, int64_t b, int64_t *y)
{
    switch (op) {
    case OP_NEG: *y = -a; return true;
    case OP_ABS: *y = a < 0 ? -a : a; return true;
    case OP_SIGN: *y = (a > 0) - (a < 0); return true;
    case OP_FLOOR: case OP_CEIL: case OP_ROUND: *y = a; return true;
    case OP_ADD: *y = a + b; return true;
    case OP_SUB: *y = a - b; return true;
    case OP_MUL: *y = a * b; return true;
    case OP_DIV: *y = int_quotient(a, b); return true;
    case OP_MOD: *y = b == 0 ? 0 : a - b * int_quotient(a, b); return true;
    case OP_POW: *y = int_pow(a, b); return true;
    default: return false;
    }
}

static double sigmoid(double a)
{
    double e = exp(-fabs(a));
    return (a < 0 ? e : 1) / (1 + e);
}

static double real_map1(Op op, double a)
{
    switch (op) {
    case OP_NEG: return -a;
    case OP_EXP: return exp(a);
    case OP_LOG: return log(a);
    case OP_SQRT: return sqrt(a);
    case OP_RSQRT: return 1 / sqrt(a);
    case OP_ABS: return fabs(a);
    case OP_SIGN: return a > 0 ? 1 : a < 0 ? -1 : a;
    case OP_FLOOR: return floor(a);
    case OP_CEIL: return ceil(a);
    case OP_ROUND: return nearbyint(a);
    case OP_SIN: return sin(a);
    case OP_COS: return cos(a);
    case OP_TANH: return tanh(a);
    case OP_SIGMOID: return sigmoid(a);
    case OP_ERF: return erf(a);
    case OP_NOT: return a == 0;
    default: return a;                                 /* stop_grad and mark */
    }
}

static double real_map2(Op op, double a, double b)
{
    switch (op) {
    case OP_ADD: return a + b;
    case OP_SUB: return a - b;
    case OP_MUL: return a * b;
    case OP_DIV: return a / b;
    case OP_MOD: return a - b * floor(a / b);
    case OP_POW: return pow(a, b);
    case OP_MIN: return a <= b || isnan(a) ? a : b;
    case OP_MAX: return a >= b || isnan(a) ? a : b;
    case OP_LT: return a < b;
    case OP_LE: return a <= b;
    case OP_EQ: return a == b;
    case OP_NE: return a != b;
    case OP_AND: return a != 0 && b != 0;
    case OP_OR: return a != 0 || b != 0;
    default: abort();
    }
}

double eval_map(Op op, Elem in, Elem out, const double *v)
{
    int64_t y;
    if (op == OP_CAST) return eval_convert(in, out, v[0]);
    if (op == OP_WHERE) return v[0] != 0 ? v[1] : v[2];
    int arity = op_info[op].arity;
    if (elem_is_int(in) && int_map(op, (int64_t)v[0], arity > 1 ? (int64_t)v[1] : 0, &y))
        return wrap(out, y);
    double r = arity == 1 ? real_map1(op, v[0]) : real_map2(op, v[0], v[1]);
    return elem_is_int(out) ? saturate(out, r) : eval_convert(out, out, r);
}
