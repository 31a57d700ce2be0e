/* nn_reduce.h - sums, scalar products, largest and smallest values of a row, for one pass.
 *
 * In comes an array of n >= 0 values, out goes one: 16 lanes run down the array, lane l taking
 * the elements l, l + 16, l + 32 ..., and are then folded in a fixed tree.  The bits therefore
 * depend on n and the values alone, not on the instruction set, the compiler or FMA.  A largest or
 * smallest value that is zero is +0.  Quick from about 16 elements on; a plain loop is better
 * below.  Meant to be included inside
 * `#ifdef NN_ISA`, after nn_math.h. */
#ifdef NN_ISA

#define nn_fold NN_NAME(nn_fold)
#define nn_fold_lanes NN_NAME(nn_fold_lanes)
#define nn_sum NN_NAME(nn_sum)
#define nn_dot NN_NAME(nn_dot)
#define nn_sumsq_dev NN_NAME(nn_sumsq_dev)
#define nn_max NN_NAME(nn_max)
#define nn_min NN_NAME(nn_min)
#define nn_fold_d NN_NAME(nn_fold_d)
#define nn_sum_d NN_NAME(nn_sum_d)
#define nn_dot_d NN_NAME(nn_dot_d)
#define nn_sumsq_dev_d NN_NAME(nn_sumsq_dev_d)
#define nn_max_d NN_NAME(nn_max_d)
#define nn_min_d NN_NAME(nn_min_d)

/* The functions over rows are out of line on purpose: inlined next to a loop over the same row,
 * clang moves that loop's first load across iterations, and then does not vectorise it. */

/* t[0..15] -> one value: halves are added until one is left */
NN_INLINE float nn_fold(const float *t)
{
    float a0 = (t[0] + t[8]) + (t[4] + t[12]), a1 = (t[1] + t[9]) + (t[5] + t[13]);
    float a2 = (t[2] + t[10]) + (t[6] + t[14]), a3 = (t[3] + t[11]) + (t[7] + t[15]);
    return (a0 + a2) + (a1 + a3);
}

#if NN_LEVEL > 0

#define nn_vec NN_NAME(nn_vec)
#define nn_veci NN_NAME(nn_veci)
/* any address, any type behind it */
typedef float nn_vec __attribute__((vector_size(NN_VB), aligned(4), may_alias));
typedef int32_t nn_veci __attribute__((vector_size(NN_VB), aligned(4), may_alias));

#undef NN_PARTS
#undef NN_LANES
#undef NN_LOAD
#define NN_LANES (NN_VB / 4)
#define NN_PARTS (16 / NN_LANES) /* vectors that make the 16 lanes */
#define NN_LOAD(p) (*(const nn_vec *)(p))

/* The tree of nn_fold, from the vectors that hold the 16 lanes. */
NN_INLINE float nn_fold_lanes(const nn_vec *s)
{
#if defined __x86_64__
#if NN_LEVEL == 4
    __m256 h = _mm512_extractf32x8_ps((__m512)s[0], 1);
    h = _mm256_add_ps(_mm512_castps512_ps256((__m512)s[0]), h);
    __m128 w = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
#elif NN_LEVEL == 3
    __m256 h = (__m256)(s[0] + s[1]);
    __m128 w = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
#else
    __m128 w = (__m128)((s[0] + s[2]) + (s[1] + s[3]));
#endif
    w = _mm_add_ps(w, _mm_movehl_ps(w, w));
    return _mm_cvtss_f32(_mm_add_ss(w, _mm_shuffle_ps(w, w, 1)));
#else
    float t[16];
    memcpy(t, s, sizeof t);
    return nn_fold(t);
#endif
}

NN_NOINLINE float nn_sum(const float *x, int n)
{
    nn_vec s[NN_PARTS];
    float t[16];
    int i = 0;
    memset(s, 0, sizeof s);
    NN_UNROLL_4
    for (; i + 16 <= n; i += 16)
        for (int q = 0; q < NN_PARTS; q++)
            s[q] += NN_LOAD(x + i + q * NN_LANES);
    if (i == n) return nn_fold_lanes(s);
    memcpy(t, s, sizeof t);
    for (int l = 0; i + l < n; l++)
        t[l] += x[i + l];
    return nn_fold(t);
}

NN_NOINLINE float nn_dot(const float *x, const float *y, int n)
{
    nn_vec s[NN_PARTS];
    float t[16];
    int i = 0;
    memset(s, 0, sizeof s);
    NN_UNROLL_4
    for (; i + 16 <= n; i += 16)
        for (int q = 0; q < NN_PARTS; q++)
            s[q] += NN_LOAD(x + i + q * NN_LANES) * NN_LOAD(y + i + q * NN_LANES);
    if (i == n) return nn_fold_lanes(s);
    memcpy(t, s, sizeof t);
    for (int l = 0; i + l < n; l++)
        t[l] += x[i + l] * y[i + l];
    return nn_fold(t);
}

/* sum over i of (x[i] - m)^2 */
NN_NOINLINE float nn_sumsq_dev(const float *x, float m, int n)
{
    nn_vec s[NN_PARTS];
    float t[16];
    int i = 0;
    memset(s, 0, sizeof s);
    NN_UNROLL_4
    for (; i + 16 <= n; i += 16)
        for (int q = 0; q < NN_PARTS; q++) {
            nn_vec d = NN_LOAD(x + i + q * NN_LANES) - m;
            s[q] += d * d;
        }
    if (i == n) return nn_fold_lanes(s);
    memcpy(t, s, sizeof t);
    for (int l = 0; i + l < n; l++)
        t[l] += (x[i + l] - m) * (x[i + l] - m);
    return nn_fold(t);
}

/* The order does not matter to the largest and the smallest value once a zero is made positive,
 * so four vectors of any width run down the array.  The instructions lose a NaN: whether there
 * was one is kept apart. */
#undef NN_VMAX
#undef NN_VMIN
#undef NN_NANS
#define nn_nans NN_NAME(nn_nans)
#define nn_any NN_NAME(nn_any)
#define nn_pick NN_NAME(nn_pick)
#define nn_across_max NN_NAME(nn_across_max)
#define nn_across_min NN_NAME(nn_across_min)
#undef NN_ACROSS
#if NN_LEVEL == 4
typedef __mmask16 nn_nans;
#define NN_NANS(v) _mm512_cmp_ps_mask((__m512)(v), (__m512)(v), _CMP_UNORD_Q)
#define NN_VMAX(a, b) ((nn_vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define NN_VMIN(a, b) ((nn_vec)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define NN_ACROSS(v, op) return _mm512_reduce_##op##_ps((__m512)(v))

NN_INLINE int nn_any(nn_nans bad)
{
    return bad != 0;
}
#else
typedef nn_veci nn_nans;
#define NN_NANS(v) ((v) != (v))
#if NN_LEVEL == 3
#define NN_VMAX(a, b) ((nn_vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define NN_VMIN(a, b) ((nn_vec)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define NN_ACROSS(v, op)                                                          \
    __m128 w = _mm256_castps256_ps128((__m256)(v));                               \
    w = _mm_##op##_ps(w, _mm256_extractf128_ps((__m256)(v), 1));                  \
    w = _mm_##op##_ps(w, _mm_movehl_ps(w, w));                                    \
    return _mm_cvtss_f32(_mm_##op##_ss(w, _mm_shuffle_ps(w, w, 1)))
#elif defined __x86_64__
#define NN_VMAX(a, b) ((nn_vec)_mm_max_ps((__m128)(a), (__m128)(b)))
#define NN_VMIN(a, b) ((nn_vec)_mm_min_ps((__m128)(a), (__m128)(b)))
#define NN_ACROSS(v, op)                                                          \
    __m128 w = (__m128)(v);                                                       \
    w = _mm_##op##_ps(w, _mm_movehl_ps(w, w));                                    \
    return _mm_cvtss_f32(_mm_##op##_ss(w, _mm_shuffle_ps(w, w, 1)))
#else
#define NN_VMAX(a, b) nn_pick((a) > (b), a, b)
#define NN_VMIN(a, b) nn_pick((a) < (b), a, b)
#define NN_ACROSS(v, op)                                                          \
    float t[NN_LANES];                                                            \
    memcpy(t, &(v), sizeof t);                                                    \
    for (int h = NN_LANES / 2; h > 0; h /= 2)                                     \
        for (int l = 0; l < h; l++)                                               \
            t[l] = nn_f##op(t[l], t[l + h]);                                      \
    return t[0]

NN_INLINE nn_vec nn_pick(nn_veci c, nn_vec a, nn_vec b)
{
    return (nn_vec)((c & (nn_veci)a) | (~c & (nn_veci)b));
}
#endif

NN_INLINE int nn_any(nn_nans bad)
{
    int32_t b[NN_LANES], any = 0;
    memcpy(b, &bad, sizeof b);
    for (int l = 0; l < NN_LANES; l++)
        any |= b[l];
    return any != 0;
}
#endif

/* the largest and the smallest lane of a vector without NaN */
NN_INLINE float nn_across_max(nn_vec v)
{
    NN_ACROSS(v, max);
}

NN_INLINE float nn_across_min(nn_vec v)
{
    NN_ACROSS(v, min);
}

/* -inf for n = 0; NaN when there is one */
NN_NOINLINE float nn_max(const float *x, int n)
{
    nn_vec s[4];
    nn_nans bad;
    float m = -INFINITY;
    int i = 0;
    memset(&bad, 0, sizeof bad);
    memset(s, 0, sizeof s);
    for (int q = 0; q < 4; q++)
        s[q] -= INFINITY;
    for (; i + 4 * NN_LANES <= n; i += 4 * NN_LANES)
        for (int q = 0; q < 4; q++) {
            nn_vec v = NN_LOAD(x + i + q * NN_LANES);
            s[q] = NN_VMAX(s[q], v);
            bad |= NN_NANS(v);
        }
    for (; i + NN_LANES <= n; i += NN_LANES) {
        nn_vec v = NN_LOAD(x + i);
        s[0] = NN_VMAX(s[0], v);
        bad |= NN_NANS(v);
    }
    s[0] = NN_VMAX(NN_VMAX(s[0], s[1]), NN_VMAX(s[2], s[3]));
    for (; i < n; i++)
        m = nn_fmax(m, x[i]);
    m = nn_fmax(m, nn_across_max(s[0]));
    return nn_sel(nn_any(bad), NAN, m + 0.0f);
}

/* inf for n = 0; NaN when there is one */
NN_NOINLINE float nn_min(const float *x, int n)
{
    nn_vec s[4];
    nn_nans bad;
    float m = INFINITY;
    int i = 0;
    memset(&bad, 0, sizeof bad);
    memset(s, 0, sizeof s);
    for (int q = 0; q < 4; q++)
        s[q] += INFINITY;
    for (; i + 4 * NN_LANES <= n; i += 4 * NN_LANES)
        for (int q = 0; q < 4; q++) {
            nn_vec v = NN_LOAD(x + i + q * NN_LANES);
            s[q] = NN_VMIN(s[q], v);
            bad |= NN_NANS(v);
        }
    for (; i + NN_LANES <= n; i += NN_LANES) {
        nn_vec v = NN_LOAD(x + i);
        s[0] = NN_VMIN(s[0], v);
        bad |= NN_NANS(v);
    }
    s[0] = NN_VMIN(NN_VMIN(s[0], s[1]), NN_VMIN(s[2], s[3]));
    for (; i < n; i++)
        m = nn_fmin(m, x[i]);
    m = nn_fmin(m, nn_across_min(s[0]));
    return nn_sel(nn_any(bad), NAN, m + 0.0f);
}

#else /* the same tree without vector types */

NN_NOINLINE float nn_sum(const float *x, int n)
{
    float t[16] = {0};
    for (int i = 0; i < n; i++)
        t[i & 15] += x[i];
    return nn_fold(t);
}

NN_NOINLINE float nn_dot(const float *x, const float *y, int n)
{
    float t[16] = {0};
    for (int i = 0; i < n; i++)
        t[i & 15] += x[i] * y[i];
    return nn_fold(t);
}

NN_NOINLINE float nn_sumsq_dev(const float *x, float m, int n)
{
    float t[16] = {0};
    for (int i = 0; i < n; i++)
        t[i & 15] += (x[i] - m) * (x[i] - m);
    return nn_fold(t);
}

NN_NOINLINE float nn_max(const float *x, int n)
{
    float m = -INFINITY;
    for (int i = 0; i < n; i++)
        m = nn_fmax(m, x[i]);
    return m + 0.0f;
}

NN_NOINLINE float nn_min(const float *x, int n)
{
    float m = INFINITY;
    for (int i = 0; i < n; i++)
        m = nn_fmin(m, x[i]);
    return m + 0.0f;
}
#endif

/* double: the same 16 lanes, as an array that the compiler keeps in registers where it can */
NN_INLINE double nn_fold_d(const double *t)
{
    double a0 = (t[0] + t[8]) + (t[4] + t[12]), a1 = (t[1] + t[9]) + (t[5] + t[13]);
    double a2 = (t[2] + t[10]) + (t[6] + t[14]), a3 = (t[3] + t[11]) + (t[7] + t[15]);
    return (a0 + a2) + (a1 + a3);
}

NN_NOINLINE double nn_sum_d(const double *x, int n)
{
    double t[16] = {0};
    int i = 0;
    for (; i + 16 <= n; i += 16)
        for (int l = 0; l < 16; l++)
            t[l] += x[i + l];
    for (int l = 0; i + l < n; l++)
        t[l] += x[i + l];
    return nn_fold_d(t);
}

NN_NOINLINE double nn_dot_d(const double *x, const double *y, int n)
{
    double t[16] = {0};
    int i = 0;
    for (; i + 16 <= n; i += 16)
        for (int l = 0; l < 16; l++)
            t[l] += x[i + l] * y[i + l];
    for (int l = 0; i + l < n; l++)
        t[l] += x[i + l] * y[i + l];
    return nn_fold_d(t);
}

NN_NOINLINE double nn_sumsq_dev_d(const double *x, double m, int n)
{
    double t[16] = {0};
    int i = 0;
    for (; i + 16 <= n; i += 16)
        for (int l = 0; l < 16; l++)
            t[l] += (x[i + l] - m) * (x[i + l] - m);
    for (int l = 0; i + l < n; l++)
        t[l] += (x[i + l] - m) * (x[i + l] - m);
    return nn_fold_d(t);
}

NN_NOINLINE double nn_max_d(const double *x, int n)
{
    double m = -INFINITY;
    for (int i = 0; i < n; i++)
        m = nn_fmax_d(m, x[i]);
    return m + 0.0;
}

NN_NOINLINE double nn_min_d(const double *x, int n)
{
    double m = INFINITY;
    for (int i = 0; i < n; i++)
        m = nn_fmin_d(m, x[i]);
    return m + 0.0;
}
#endif
