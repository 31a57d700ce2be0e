/* test_runtime_math.c - the inline mathematics and the reductions, for every instruction set.
 *
 * In come floats from all over the 2^32 bit patterns (all of them with NN_EXHAUSTIVE=1, every n-th
 * with NN_EXHAUSTIVE=n; then the errors are printed), out goes the largest distance from glibc's
 * double function in units in the last place.  This file includes itself once per set. */
#ifndef TEST_RUNTIME_MATH
#define TEST_RUNTIME_MATH
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "nn.h"

Suite *suite_runtime_math(void);

enum { EXP, EXP_NEG, LOG, TANH, SIGMOID, ERF, SIN, COS, SQRT, RSQRT, ROUND, FLOOR, CEIL, ABS, SIGN,
       MAPS };
enum { POW, MIN, MAX, PAIRS };

/* what is tested, by instruction set */
typedef struct Pass {
    void (*map)(int which, int n, const float *x, float *y);
    void (*pair)(int which, int n, const float *a, const float *b, float *y);
    float (*sum)(const float *x, int n);
    float (*dot)(const float *x, const float *y, int n);
    float (*sumsq_dev)(const float *x, float m, int n);
    float (*max)(const float *x, int n);
    float (*min)(const float *x, int n);
    double (*sum_d)(const double *x, int n);
    double (*dot_d)(const double *x, const double *y, int n);
    double (*sumsq_dev_d)(const double *x, double m, int n);
    double (*max_d)(const double *x, int n);
    double (*min_d)(const double *x, int n);
    double (*map_d)(int which, double x);
    double (*pair_d)(int which, double a, double b);
} Pass;
#endif

#define NN_SELF "../tests/unit/test_runtime_math.c"
#include "nn_isa.h"
#ifdef NN_ISA
#include "nn_math.h"
#include "nn_reduce.h"
#define map NN_NAME(map)
#define pair NN_NAME(pair)
#define map_d NN_NAME(map_d)
#define pair_d NN_NAME(pair_d)
#define all_of_pass NN_NAME(all_of_pass)

static void map(int which, int n, const float *NN_RESTRICT x, float *NN_RESTRICT y)
{
#define CASE(id, f)                 \
    case id:                        \
        for (int i = 0; i < n; i++) \
            y[i] = f(x[i]);         \
        break;
    switch (which) {
        CASE(EXP, nn_exp)
        CASE(EXP_NEG, nn_exp_neg)
        CASE(LOG, nn_log)
        CASE(TANH, nn_tanh)
        CASE(SIGMOID, nn_sigmoid)
        CASE(ERF, nn_erf)
        CASE(SIN, nn_sin)
        CASE(COS, nn_cos)
        CASE(SQRT, nn_sqrt)
        CASE(RSQRT, nn_rsqrt)
        CASE(ROUND, nn_round)
        CASE(FLOOR, nn_floor)
        CASE(CEIL, nn_ceil)
        CASE(ABS, nn_abs)
        CASE(SIGN, nn_sign)
    default: break;
    }
#undef CASE
}

static void pair(int which, int n, const float *NN_RESTRICT a, const float *NN_RESTRICT b,
                 float *NN_RESTRICT y)
{
    for (int i = 0; i < n; i++)
        y[i] = which == POW   ? nn_pow(a[i], b[i])
               : which == MIN ? nn_fmin(a[i], b[i])
                              : nn_fmax(a[i], b[i]);
}

static double map_d(int which, double x)
{
    switch (which) {
    case EXP: return nn_exp_d(x);
    case EXP_NEG: return nn_exp_neg_d(x);
    case LOG: return nn_log_d(x);
    case TANH: return nn_tanh_d(x);
    case SIGMOID: return nn_sigmoid_d(x);
    case ERF: return nn_erf_d(x);
    case SIN: return nn_sin_d(x);
    case COS: return nn_cos_d(x);
    case SQRT: return nn_sqrt_d(x);
    case RSQRT: return nn_rsqrt_d(x);
    case ROUND: return nn_round_d(x);
    case FLOOR: return nn_floor_d(x);
    case CEIL: return nn_ceil_d(x);
    case ABS: return nn_abs_d(x);
    default: return nn_sign_d(x);
    }
}

static double pair_d(int which, double a, double b)
{
    return which == POW ? nn_pow_d(a, b) : which == MIN ? nn_fmin_d(a, b) : nn_fmax_d(a, b);
}

static const Pass all_of_pass = {
    map, pair, nn_sum, nn_dot, nn_sumsq_dev, nn_max, nn_min, nn_sum_d, nn_dot_d, nn_sumsq_dev_d,
    nn_max_d, nn_min_d, map_d, pair_d,
};
#undef map
#undef pair
#undef map_d
#undef pair_d
#undef all_of_pass
#else

/* the passes that this processor can run */
static int passes(const Pass *pass[3], const char *name[3])
{
#if NN_PASSES == 3
    static const Pass *const every[] = {&all_of_pass_v1, &all_of_pass_v3, &all_of_pass_v4};
    static const char *const names[] = {"SSE2", "AVX2", "AVX-512"};
    int n = nn_isa() == NN_LEVEL_AVX512 ? 3 : nn_isa() == NN_LEVEL_AVX2 ? 2 : 1;
    memcpy(pass, every, sizeof every);
    memcpy(name, names, sizeof names);
    return n;
#else
    pass[0] = &all_of_pass_one;
    name[0] = "the one";
    return 1;
#endif
}

static double sigmoid_of(double x)
{
    return x < 0.0 ? exp(x) / (1.0 + exp(x)) : 1.0 / (1.0 + exp(-x));
}

static double rsqrt_of(double x)
{
    return 1.0 / sqrt(x);
}

static double sign_of(double x)
{
    return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x;
}

/* The function, the bound in units in the last place, the largest |x| the bound holds for, and
 * whether results below the smallest normal number may be 0. */
static const struct {
    const char *name;
    double (*of)(double);
    double bound, reach;
    int flushes;
} maps[MAPS] = {
    {"exp", exp, 2, INFINITY, 0},         {"exp_neg", exp, 2, INFINITY, 1},
    {"log", log, 2, INFINITY, 0},         {"tanh", tanh, 2, INFINITY, 0},
    {"sigmoid", sigmoid_of, 2, INFINITY, 1}, {"erf", erf, 2, INFINITY, 0},
    {"sin", sin, 2, 3.9e8, 0},            {"cos", cos, 2, 3.9e8, 0},
    {"sqrt", sqrt, 0.5, INFINITY, 0},     {"rsqrt", rsqrt_of, 2, INFINITY, 0},
    {"round", rint, 0, INFINITY, 0},      {"floor", floor, 0, INFINITY, 0},
    {"ceil", ceil, 0, INFINITY, 0},       {"abs", fabs, 0, INFINITY, 0},
    {"sign", sign_of, 0, INFINITY, 0},
};

/* the distance of y from the exact value, in units in its last place; 1e9 for what is no error of
 * rounding: a NaN, an infinity or the sign of a zero that should not be there */
static double distance(double exact, float y, int flushes)
{
    uint64_t bits;
    double unit;
    if (isnan(exact))
        return isnan(y) ? 0.0 : 1e9;
    if (isinf((float)exact) || isinf(y))
        return (float)exact == y ? 0.0 : 1e9;
    if (flushes && y == 0.0f && fabs(exact) < 1.17549435e-38)
        return 0.0;
    if (exact == 0.0 && y == 0.0f && (signbit(exact) != 0) != (signbit(y) != 0))
        return 1e9;
    memcpy(&bits, &exact, sizeof bits);
    bits = bits >> 52 & 2047; /* the exponent, to that of the last bit of a float */
    bits = bits < 897 ? 897 : bits;
    bits = (bits - 23) << 52;
    memcpy(&unit, &bits, sizeof unit);
    return fabs((double)y - exact) / unit;
}

static uint64_t stride(uint64_t usual)
{
    const char *s = getenv("NN_EXHAUSTIVE");
    return s && atoi(s) > 0 ? (uint64_t)atoi(s) : usual;
}

/* NN_ONLY=exp,sin,... : a part of the exhaustive run */
static int wanted(const char *name)
{
    const char *only = getenv("NN_ONLY");
    return !only || strstr(only, name) != NULL;
}

START_TEST(distances)
{
    enum { BLOCK = 4096 };
    static float x[BLOCK], y[3][BLOCK];
    const Pass *pass[3];
    const char *name[3];
    int n = passes(pass, name);
    double worst[3] = {0}, sum = 0.0, count = 0.0;
    float at[3] = {0};
    uint64_t step = stride(6007);
    if (!wanted(maps[_i].name))
        return;
    for (uint64_t u = 0; u < (uint64_t)1 << 32;) {
        int m = 0;
        for (; m < BLOCK && u < (uint64_t)1 << 32; u += step) {
            uint32_t bits = (uint32_t)u;
            float v;
            memcpy(&v, &bits, sizeof v);
            if (isnan(v) || (fabs((double)v) <= maps[_i].reach && !(_i == EXP_NEG && v > 0.0f)))
                x[m++] = v;
        }
        for (int p = 0; p < n; p++)
            pass[p]->map(_i, m, x, y[p]);
        for (int k = 0; k < m; k++) {
            double exact = maps[_i].of((double)x[k]);
            for (int p = 0; p < n; p++) {
                double d = distance(exact, y[p][k], maps[_i].flushes);
                sum += p == n - 1 ? d : 0.0;
                if (d > worst[p]) {
                    worst[p] = d;
                    at[p] = x[k];
                }
            }
        }
        count += m;
    }
    for (int p = 0; p < n; p++) {
        if (getenv("NN_EXHAUSTIVE"))
            fprintf(stderr, "%-8s %-8s max %.3f at %.9g, mean of the last %.4f\n", maps[_i].name,
                    name[p], worst[p], (double)at[p], sum / count);
        ck_assert_msg(worst[p] <= maps[_i].bound, "%s, %s: %g ulp at %.9g", maps[_i].name, name[p],
                      worst[p], (double)at[p]);
    }
}
END_TEST

/* where a mistake is likely: ends of ranges, powers of two, denormals, infinities, NaN */
START_TEST(special_values)
{
    static const float special[] = {
        0.0f, 1e-45f, 1.1754942e-38f, 1.17549435e-38f, 0.5f, 0.55f, 1.0f, 1.15f, 1.5f, 2.5f, 3.95f,
        10.0f, 16.6f, 87.33654f, 87.33655f, 87.4f, 88.0f, 88.72283f, 88.72284f, 89.0f, 103.97208f,
        103.97209f, 104.0f, 110.0f, 8388607.5f, 8388608.0f, 8388609.0f, 2147483648.0f, 1e20f,
        3.40282347e38f, INFINITY, NAN, 3.14159274f, 1.57079637f, 0.785398185f, 102943.7f,
    };
    enum { N = sizeof special / sizeof *special };
    const Pass *pass[3];
    const char *name[3];
    int n = passes(pass, name);
    float x[2 * N], y[2 * N];
    for (int i = 0; i < N; i++) {
        x[i] = special[i];
        x[N + i] = -special[i];
    }
    for (int p = 0; p < n; p++)
        for (int which = 0; which < MAPS; which++) {
            pass[p]->map(which, 2 * N, x, y);
            for (int i = 0; i < 2 * N; i++) {
                double exact = maps[which].of((double)x[i]), twin, d;
                if (which == EXP_NEG && x[i] > 0.0f)
                    continue;
                twin = pass[p]->map_d(which, (double)x[i]);
                ck_assert_msg(fabs(twin - exact) <= 1e-15 * fabs(exact) || twin == exact ||
                              (isnan(twin) && isnan(exact)), "%s_d(%g) = %g, expected %g",
                              maps[which].name, (double)x[i], twin, exact);
                if (fabsf(x[i]) > 3.9e8f && (which == SIN || which == COS)) {
                    /* the angle counts as 0, and there is none at infinity */
                    ck_assert(isinf(x[i]) ? isnan(y[i]) : y[i] == (which == COS ? 1.0f : 0.0f));
                    continue;
                }
                d = distance(exact, y[i], maps[which].flushes);
                ck_assert_msg(d <= maps[which].bound, "%s %s(%.9g) = %.9g, expected %.9g",
                              name[p], maps[which].name, (double)x[i], (double)y[i], exact);
            }
        }
}
END_TEST

START_TEST(pairs)
{
    static const float special[] = {0.0f, -0.0f, 1.0f, -1.0f, 0.5f, 2.0f, -2.0f, 3.0f, -3.0f, 2.5f,
                                    -0.5f, 1e-45f, -1e-45f, 3e38f, -3e38f, 16777215.0f,
                                    -16777216.0f, INFINITY, -INFINITY, NAN, 127.0f, -149.0f,
                                    1e-30f, 0.9999999f};
    enum { S = sizeof special / sizeof *special, N = S * S + 60000 };
    static float a[N], b[N], y[N];
    const Pass *pass[3];
    const char *name[3];
    int n = passes(pass, name);
    for (int i = 0; i < N; i++) {
        double u = nn_uniform_at(1, 0, 0, (uint64_t)i), v = nn_uniform_at(2, 0, 0, (uint64_t)i);
        a[i] = i < S * S ? special[i / S] : (float)exp(20.0 * u - 10.0);
        b[i] = i < S * S ? special[i % S] : (float)(24.0 * v - 12.0);
    }
    for (int p = 0; p < n; p++) {
        pass[p]->pair(POW, N, a, b, y);
        for (int i = 0; i < N; i++) {
            double exact = pow((double)a[i], (double)b[i]);
            ck_assert_msg(distance(exact, y[i], 0) <= 0.6, "%s: pow(%.9g, %.9g) = %.9g, expected "
                          "%.9g", name[p], (double)a[i], (double)b[i], (double)y[i], exact);
        }
        for (int which = MIN; which <= MAX; which++) {
            pass[p]->pair(which, S * S, a, b, y);
            for (int i = 0; i < S * S; i++) {
                int first = which == MIN ? a[i] <= b[i] : a[i] >= b[i];
                double twin = pass[p]->pair_d(which, (double)a[i], (double)b[i]);
                if (isnan(a[i]) || isnan(b[i]))
                    ck_assert(isnan(y[i]) && isnan(twin));
                else
                    ck_assert(memcmp(&y[i], first ? &a[i] : &b[i], sizeof(float)) == 0 &&
                              twin == (double)y[i]);
            }
        }
    }
}
END_TEST

/* every length: close to the double sum, and the same bits from every instruction set */
START_TEST(reductions)
{
    enum { N = 150 };
    const Pass *pass[3];
    const char *name[3];
    int n = passes(pass, name);
    for (int len = 0; len <= N; len++) {
        /* arrays that end where they must not be read further */
        float *x = malloc(sizeof *x * (size_t)(len + 1)) , *end;
        double *xd = malloc(sizeof *xd * (size_t)(len + 1));
        float *z = malloc(len ? sizeof *z * (size_t)len : 1);
        double sum = 0, dot = 0, dev = 0, top = -INFINITY, low = INFINITY;
        end = x + 1; /* an odd address for vectors */
        for (int i = 0; i < len; i++) {
            end[i] = (float)nn_normal_at(3, (uint64_t)len, 0, (uint64_t)i);
            z[i] = (float)nn_normal_at(4, (uint64_t)len, 0, (uint64_t)i);
            xd[i] = (double)end[i];
            sum += xd[i];
            dot += xd[i] * (double)z[i];
            dev += (xd[i] - 0.25) * (xd[i] - 0.25);
            top = fmax(top, xd[i]);
            low = fmin(low, xd[i]);
        }
        for (int p = 0; p < n; p++) {
            float s = pass[p]->sum(end, len), d = pass[p]->dot(end, z, len);
            float q = pass[p]->sumsq_dev(end, 0.25f, len);
            ck_assert_double_eq_tol((double)s, sum, 1e-5);
            ck_assert_double_eq_tol((double)d, dot, 1e-5);
            ck_assert_double_eq_tol((double)q, dev, 1e-4);
            ck_assert((double)pass[p]->max(end, len) == top);
            ck_assert((double)pass[p]->min(end, len) == low);
            ck_assert_double_eq_tol(pass[p]->sum_d(xd, len), sum, 1e-12);
            ck_assert_double_eq_tol(pass[p]->sumsq_dev_d(xd, 0.25, len), dev, 1e-12);
            ck_assert_double_ge(pass[p]->dot_d(xd, xd, len), 0.0);
            ck_assert(pass[p]->max_d(xd, len) == top && pass[p]->min_d(xd, len) == low);
            ck_assert(s == nn_vsum(len, end) && d == nn_vdot(len, end, z));
        }
        if (len) { /* a NaN anywhere is not lost */
            end[(len * 7) % len] = NAN;
            for (int at = 0; at < len; at++) {
                float kept = z[at];
                z[at] = NAN;
                for (int p = 0; p < n; p++)
                    ck_assert(isnan(pass[p]->max(z, len)) && isnan(pass[p]->min(z, len)));
                z[at] = kept;
            }
        }
        free(x);
        free(xd);
        free(z);
    }
}
END_TEST

START_TEST(arrays)
{
    static void (*const functions[])(size_t, const float *, float *) = {
        [EXP] = nn_vexp, [LOG] = nn_vlog, [TANH] = nn_vtanh, [SIGMOID] = nn_vsigmoid,
        [ERF] = nn_verf};
    const Pass *pass[3];
    const char *name[3];
    int n = passes(pass, name);
    float x[70], y[70], z[70];
    for (int i = 0; i < 70; i++)
        x[i] = (float)i * 0.3f - 9.0f;
    for (int which = EXP; which <= ERF; which++) {
        if (!functions[which])
            continue;
        pass[n - 1]->map(which, 70, x, y);
        memcpy(z, x, sizeof z);
        functions[which](70, z, z);
        for (int i = 0; i < 70; i++)
            ck_assert(y[i] == z[i] || (isnan(y[i]) && isnan(z[i])));
    }
}
END_TEST

static uint64_t hash(uint64_t h, size_t n, const float *x)
{
    const unsigned char *p = (const unsigned char *)x;
    for (size_t i = 0; i < n * sizeof *x; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return h;
}

/* There are two sets of bits, one with FMA and one without, on every machine and from every
 * compiler: these are they. */
START_TEST(known_bits)
{
    static const int levels[] = {NN_LEVEL_BASE, NN_LEVEL_AVX2, NN_LEVEL_AVX512};
    enum { N = 10000 };
    static float x[N], y[N];
    for (int l = 0; l < 3; l++) {
        uint64_t h = 14695981039346656037u;
        if (nn_isa_set(levels[l]) != levels[l])
            continue;
        nn_normal(x, N, 1, 2, 3);
        for (int i = 0; i < N; i++)
            x[i] *= 5.0f;
        nn_vexp(N, x, y);
        h = hash(h, N, y);
        nn_vtanh(N, x, y);
        h = hash(h, N, y);
        nn_vsigmoid(N, x, y);
        h = hash(h, N, y);
        nn_verf(N, x, y);
        h = hash(h, N, y);
        for (int i = 0; i < N; i++)
            x[i] = fabsf(x[i]);
        nn_vlog(N, x, y);
        h = hash(h, N, y);
        x[0] = nn_vsum(N, y);
        h = hash(h, 1, x);
        ck_assert_msg(h == 0x0a9a9e7b57485bd3u || h == 0x6a470797c79f7c69u, "%s: %016llx",
                      nn_isa_name(), (unsigned long long)h);
    }
}
END_TEST

Suite *suite_runtime_math(void)
{
    Suite *s = suite_create("runtime: mathematics");
    TCase *t = tcase_create("math");
    tcase_set_timeout(t, getenv("NN_EXHAUSTIVE") ? 3600 : 60);
    tcase_add_loop_test(t, distances, 0, MAPS);
    tcase_add_test(t, special_values);
    tcase_add_test(t, pairs);
    tcase_add_test(t, reductions);
    tcase_add_test(t, arrays);
    tcase_add_test(t, known_bits);
    suite_add_tcase(s, t);
    return s;
}
#endif
