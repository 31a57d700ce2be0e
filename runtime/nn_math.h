/* nn_math.h - the mathematics of one pass: straight-line functions of one value.
 *
 * In comes a number, out goes f of it: no branch, no table, no call, no errno, so that a loop
 * which calls one with unit stride is vectorised as it stands, by gcc and by clang, for whatever
 * instruction set the pass is for.  Errors are at most 2 units in the last place (README.md has
 * the measured table), NaN stays NaN, infinities, zeros of both signs and denormal numbers come
 * out as C's own functions have them, unless a comment says otherwise.  The names end in _d for
 * double; there most of them are libm's.  Meant to be included inside `#ifdef NN_ISA`. */
#ifdef NN_ISA

#define nn_bits NN_NAME(nn_bits)
#define nn_float NN_NAME(nn_float)
#define nn_sel NN_NAME(nn_sel)
#define nn_mad NN_NAME(nn_mad)
#define nn_sqrt NN_NAME(nn_sqrt)
#define nn_rsqrt NN_NAME(nn_rsqrt)
#define nn_abs NN_NAME(nn_abs)
#define nn_sign NN_NAME(nn_sign)
#define nn_round NN_NAME(nn_round)
#define nn_floor NN_NAME(nn_floor)
#define nn_ceil NN_NAME(nn_ceil)
#define nn_fmin NN_NAME(nn_fmin)
#define nn_fmax NN_NAME(nn_fmax)
#define nn_exp_core NN_NAME(nn_exp_core)
#define nn_exp NN_NAME(nn_exp)
#define nn_exp_neg NN_NAME(nn_exp_neg)
#define nn_exp_inrange NN_NAME(nn_exp_inrange)
#define nn_log NN_NAME(nn_log)
#define nn_sigmoid NN_NAME(nn_sigmoid)
#define nn_tanh NN_NAME(nn_tanh)
#define nn_erf NN_NAME(nn_erf)
#define nn_quarter NN_NAME(nn_quarter)
#define nn_sin_core NN_NAME(nn_sin_core)
#define nn_cos_core NN_NAME(nn_cos_core)
#define nn_sin NN_NAME(nn_sin)
#define nn_cos NN_NAME(nn_cos)
#define nn_pow NN_NAME(nn_pow)

NN_INLINE uint32_t nn_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

NN_INLINE float nn_float(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Both arms are evaluated first: nothing is left for the compiler to guard with a branch. */
NN_INLINE float nn_sel(int c, float a, float b)
{
    return c ? a : b;
}

/* a b + c.  Contraction is off, so this alone decides where an FMA is, and gcc and clang give the
 * same bits. */
NN_INLINE float nn_mad(float a, float b, float c)
{
#if NN_FMA
    return fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

NN_INLINE float nn_sqrt(float x)
{
    return sqrtf(x);
}

NN_INLINE float nn_rsqrt(float x)
{
    return 1.0f / sqrtf(x);
}

NN_INLINE float nn_abs(float x)
{
    return nn_float(nn_bits(x) & 0x7fffffffu);
}

/* -1, 1, or x itself for zeros and NaN */
NN_INLINE float nn_sign(float x)
{
    return nn_sel(x > 0.0f, 1.0f, nn_sel(x < 0.0f, -1.0f, x));
}

/* The nearest integer, the even one of two.  Adding 2^23 leaves no bits for a fraction. */
NN_INLINE float nn_round(float x)
{
    float a = nn_abs(x);
    float r = nn_sel(a < 8388608.0f, (a + 8388608.0f) - 8388608.0f, a);
    return nn_float(nn_bits(r) | (nn_bits(x) & 0x80000000u));
}

NN_INLINE float nn_floor(float x)
{
    float r = nn_round(x);
    return nn_sel(r > x, r - 1.0f, r);
}

NN_INLINE float nn_ceil(float x)
{
    float r = nn_round(x);
    r = nn_sel(r < x, r + 1.0f, r);
    return nn_float(nn_bits(r) | (nn_bits(x) & 0x80000000u));
}

/* The smaller and the larger of two; a of equals; NaN when one of them is. */
NN_INLINE float nn_fmin(float a, float b)
{
    return nn_sel(a <= b, a, nn_sel(a != a, a, b));
}

NN_INLINE float nn_fmax(float a, float b)
{
    return nn_sel(a >= b, a, nn_sel(a != a, a, b));
}

/* x = k ln 2 + r, |r| <= ln 2 / 2.  Returns e^r - 1 to 2^-26 relative.  The low 9 bits of *k are
 * k + bias: with 127, the bits of 2^k when shifted by 23. */
NN_INLINE float nn_exp_core(float x, float bias, uint32_t *k)
{
    float whole = 12582912.0f + bias; /* 1.5 * 2^23: adding it rounds to integer */
    float t = nn_mad(x, 1.44269504f, whole);
    float n = t - whole;
    *k = nn_bits(t);
    float r = nn_mad(n, -0.693145752f, x); /* 16 bits of ln 2: this product is exact */
    r = nn_mad(n, -1.42860677e-6f, r);
    float q = 0.0013836427f;
    q = nn_mad(q, r, 0.008367082f);
    q = nn_mad(q, r, 0.041667752f);
    q = nn_mad(q, r, 0.16666539f);
    q = nn_mad(q, r, 0.49999997f);
    return nn_mad(q * r, r, r);
}

/* e^x.  Both tests look at x, because gcc nests selects of selects badly. */
NN_INLINE float nn_exp(float x)
{
    uint32_t k;
    float c = nn_sel(x > 89.0f, 89.0f, x);
    c = nn_sel(x < -104.0f, -104.0f, c);
    float p = nn_exp_core(c, 254.0f, &k);
    uint32_t h = k >> 1; /* 2^k in two factors: k reaches -150 and 128 */
    return ((1.0f + p) * nn_float(h << 23)) * nn_float((k - h) << 23);
}

/* e^x for x <= 0 (softmax, sigmoid, gaussians); results below the smallest normal number are 0 */
NN_INLINE float nn_exp_neg(float x)
{
    uint32_t k;
    float p = nn_exp_core(x, 127.0f, &k), s = nn_float(k << 23); /* garbage where the result is 0 */
    return nn_sel(x < -87.33654f, 0.0f, nn_mad(p, s, s));
}

/* e^x for -87.3 <= x <= 88.3, nothing else */
NN_INLINE float nn_exp_inrange(float x)
{
    uint32_t k;
    float p = nn_exp_core(x, 127.0f, &k), s = nn_float(k << 23);
    return nn_mad(p, s, s);
}

/* ln x: x = 2^k (1 + f) with 2/3 <= 1 + f < 4/3 */
NN_INLINE float nn_log(float x)
{
    float d = nn_sel(x < 1.17549435e-38f, x * 8388608.0f, x); /* lift denormals */
    float kd = nn_sel(x < 1.17549435e-38f, -23.0f, 0.0f);
    uint32_t u = nn_bits(d) - 0x3f2aaaabu; /* the bits of 2/3 */
    float k = (float)((int32_t)u >> 23) + kd;
    float f = nn_float((u & 0x007fffffu) + 0x3f2aaaabu) - 1.0f;
    float p = -0.12981205f;
    p = nn_mad(p, f, 0.13998406f);
    p = nn_mad(p, f, -0.121712f);
    p = nn_mad(p, f, 0.1400443f);
    p = nn_mad(p, f, -0.16681208f);
    p = nn_mad(p, f, 0.20010477f);
    p = nn_mad(p, f, -0.24999605f);
    p = nn_mad(p, f, 0.33333215f);
    float g = f * f;
    float y = nn_mad(k, 1.42860677e-6f, (g * f) * p);
    y = nn_mad(-0.5f, g, y);
    y = y + f;
    y = nn_mad(k, 0.693145752f, y);
    y = nn_sel(x == 0.0f, -INFINITY, y);
    y = nn_sel(x < 0.0f, NAN, y);
    return nn_sel(x < INFINITY, y, x + x); /* inf and NaN */
}

/* With e = e^-|x| and w = e / (1 + e):  1 - w for x >= 0,  e - e w for x < 0.  The exponential
 * never overflows, and the subtraction rounds better than e / (1 + e).  0 below -87.33. */
NN_INLINE float nn_sigmoid(float x)
{
    float e = nn_exp_neg(-nn_abs(x));
    float w = e / (1.0f + e);
    float s = nn_sel(x < 0.0f, e, 1.0f);
    return nn_mad(-s, w, s);
}

/* With a = |x|:  a + a P(a^2) below 0.55,  1 - 2 / (1 + e^2a) above */
NN_INLINE float nn_tanh(float x)
{
    float a = nn_abs(x), z = a * a;
    float p = 0.01643788f;
    p = nn_mad(p, z, -0.05267201f);
    p = nn_mad(p, z, 0.13320729f);
    p = nn_mad(p, z, -0.33332947f);
    p = nn_mad(p * z, a, a);
    float b = nn_sel(a > 10.0f, 10.0f, a);
    float q = 1.0f - 2.0f / (1.0f + nn_exp_inrange(b + b));
    float y = nn_sel(a < 0.55f, p, q);
    return nn_float(nn_bits(y) | (nn_bits(x) & 0x80000000u));
}

/* With a = |x|:  a + a P(a^2) below 1.15,  1 - Q(a)^4 above, where Q is near the fourth root of
 * 1 - erf: smooth enough for degree 7, and no exponential. */
NN_INLINE float nn_erf(float x)
{
    float a = nn_abs(x), z = a * a;
    float p = 6.90343077e-05f;
    p = nn_mad(p, z, -0.000770923507f);
    p = nn_mad(p, z, 0.0051528723f);
    p = nn_mad(p, z, -0.0268348791f);
    p = nn_mad(p, z, 0.112831458f);
    p = nn_mad(p, z, -0.376125932f);
    p = nn_mad(p, z, 0.128379166f);
    p = nn_mad(p, a, a);
    float b = nn_sel(a > 3.95f, 3.95f, a);
    float q = -0.000183113007f;
    q = nn_mad(q, b, 0.0032850164f);
    q = nn_mad(q, b, -0.0225131214f);
    q = nn_mad(q, b, 0.0670839623f);
    q = nn_mad(q, b, -0.0522955284f);
    q = nn_mad(q, b, -0.0614087693f);
    q = nn_mad(q, b, -0.310007066f);
    q = nn_mad(q, b, 1.00580966f);
    q = q * q;
    float y = nn_sel(a < 1.15f, p, nn_mad(-q, q, 1.0f));
    return nn_float(nn_bits(y) | (nn_bits(x) & 0x80000000u));
}

/* |x| = k pi/2 + r, |r| <= pi/4.  pi/2 is cut into 25 + 25 + 53 bits, so with k < 2^28 all but the
 * last product are exact.  Past 4e8, where neighbouring floats are five turns apart, the angle
 * counts as 0. */
NN_INLINE float nn_quarter(float x, int32_t *k)
{
    float a = nn_abs(x);
    double d = (double)nn_sel(a < 4.0e8f, a, 0.0f);
    double n = (d * 0.63661977236758134 + 6755399441055744.0) - 6755399441055744.0;
    *k = (int32_t)n;
    double r = (d - n * 1.5707963109016418) - n * 1.5893254712295857e-08;
    return (float)(r - n * 6.123233995736766e-17);
}

/* sin r and cos r for |r| <= pi/4 */
NN_INLINE float nn_sin_core(float r)
{
    float z = r * r;
    float p = -0.00019518285f;
    p = nn_mad(p, z, 0.008332189f);
    p = nn_mad(p, z, -0.16666655f);
    return nn_mad(p * z, r, r);
}

NN_INLINE float nn_cos_core(float r)
{
    float z = r * r;
    float p = 2.4432327e-5f;
    p = nn_mad(p, z, -0.001388731f);
    p = nn_mad(p, z, 0.041666646f);
    return nn_mad(p * z, z, nn_mad(-0.5f, z, 1.0f));
}

NN_INLINE float nn_sin(float x)
{
    int32_t k;
    float r = nn_quarter(x, &k);
    float y = nn_sel(k & 1, nn_cos_core(r), nn_sin_core(r));
    y = nn_float(nn_bits(y) ^ ((uint32_t)(k & 2) << 30) ^ (nn_bits(x) & 0x80000000u));
    return nn_sel(nn_abs(x) < INFINITY, y, x - x);
}

NN_INLINE float nn_cos(float x)
{
    int32_t k;
    float r = nn_quarter(x, &k);
    float y = nn_sel(k & 1, nn_sin_core(r), nn_cos_core(r));
    y = nn_float(nn_bits(y) ^ ((uint32_t)((k + 1) & 2) << 30));
    return nn_sel(nn_abs(x) < INFINITY, y, x - x);
}

/* x^y = 2^(y log2 |x|), in double so that the error of the logarithm, multiplied by y, is not
 * seen.  log2 from the series of artanh(s), s = (m - 1) / (m + 1), 2/3 <= m < 4/3. */
NN_INLINE float nn_pow(float x, float y)
{
    float a = nn_abs(x);
    float l = nn_sel(a < 1.17549435e-38f, a * 8388608.0f, a);
    float kd = nn_sel(a < 1.17549435e-38f, -23.0f, 0.0f);
    uint32_t u = nn_bits(l) - 0x3f2aaaabu;
    double k = (double)((float)((int32_t)u >> 23) + kd);
    double m = (double)nn_float((u & 0x007fffffu) + 0x3f2aaaabu);
    double s = (m - 1.0) / (m + 1.0), z = s * s;
    double p = 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    p = p * z + 1.0;
    double t = (double)y * (k + p * s * 2.8853900817779268);
    /* |x| = 0 and inf: the logarithm is -inf and inf */
    float e = nn_sel(a == 0.0f, -y, y);
    t = ((a == 0.0f) | (a == INFINITY)) ? (e > 0.0f ? 300.0 : -300.0) : t;
    t = t > 300.0 ? 300.0 : t;
    t = t < -300.0 ? -300.0 : t;
    /* 2^t: rounded to integer by adding 1.5 * 2^52, whose low bits then hold it */
    double w = t + 6755399441055744.0;
    double r = (t - (w - 6755399441055744.0)) * 0.69314718055994531;
    double q = 1.0 / 362880.0;
    q = q * r + 1.0 / 40320.0;
    q = q * r + 1.0 / 5040.0;
    q = q * r + 1.0 / 720.0;
    q = q * r + 1.0 / 120.0;
    q = q * r + 1.0 / 24.0;
    q = q * r + 1.0 / 6.0;
    q = q * r + 0.5;
    q = q * r + 1.0;
    q = q * r + 1.0;
    uint64_t b;
    memcpy(&b, &w, sizeof b);
    b = (b + 1023u) << 52;
    double scale;
    memcpy(&scale, &b, sizeof scale);
    float v = (float)(q * scale);
    /* a negative x: the sign of odd powers, NaN for broken ones */
    float half = y * 0.5f;
    int whole = nn_round(y) == y, odd = whole & (nn_round(half) != half);
    v = nn_float(nn_bits(v) | ((uint32_t)odd << 31 & nn_bits(x)));
    v = nn_sel((x < 0.0f) & (a < INFINITY) & !whole, NAN, v);
    v = nn_sel((a == 1.0f) & (nn_abs(y) == INFINITY), 1.0f, v);
    v = nn_sel((x != x) | (y != y), x + y, v);
    return nn_sel((x == 1.0f) | (y == 0.0f), 1.0f, v);
}

#define nn_mad_d NN_NAME(nn_mad_d)
#define nn_sqrt_d NN_NAME(nn_sqrt_d)
#define nn_rsqrt_d NN_NAME(nn_rsqrt_d)
#define nn_abs_d NN_NAME(nn_abs_d)
#define nn_sign_d NN_NAME(nn_sign_d)
#define nn_round_d NN_NAME(nn_round_d)
#define nn_floor_d NN_NAME(nn_floor_d)
#define nn_ceil_d NN_NAME(nn_ceil_d)
#define nn_fmin_d NN_NAME(nn_fmin_d)
#define nn_fmax_d NN_NAME(nn_fmax_d)
#define nn_exp_d NN_NAME(nn_exp_d)
#define nn_exp_neg_d NN_NAME(nn_exp_neg_d)
#define nn_log_d NN_NAME(nn_log_d)
#define nn_sigmoid_d NN_NAME(nn_sigmoid_d)
#define nn_tanh_d NN_NAME(nn_tanh_d)
#define nn_erf_d NN_NAME(nn_erf_d)
#define nn_sin_d NN_NAME(nn_sin_d)
#define nn_cos_d NN_NAME(nn_cos_d)
#define nn_pow_d NN_NAME(nn_pow_d)

NN_INLINE double nn_mad_d(double a, double b, double c)
{
#if NN_FMA
    return fma(a, b, c);
#else
    return a * b + c;
#endif
}

NN_INLINE double nn_sqrt_d(double x) { return sqrt(x); }
NN_INLINE double nn_rsqrt_d(double x) { return 1.0 / sqrt(x); }
NN_INLINE double nn_abs_d(double x) { return fabs(x); }
NN_INLINE double nn_sign_d(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x; }
NN_INLINE double nn_floor_d(double x) { return floor(x); }
NN_INLINE double nn_ceil_d(double x) { return ceil(x); }
NN_INLINE double nn_fmin_d(double a, double b) { return a <= b ? a : a != a ? a : b; }
NN_INLINE double nn_fmax_d(double a, double b) { return a >= b ? a : a != a ? a : b; }
NN_INLINE double nn_exp_d(double x) { return exp(x); }
NN_INLINE double nn_exp_neg_d(double x) { return exp(x); }
NN_INLINE double nn_log_d(double x) { return log(x); }
NN_INLINE double nn_tanh_d(double x) { return tanh(x); }
NN_INLINE double nn_erf_d(double x) { return erf(x); }
NN_INLINE double nn_sin_d(double x) { return sin(x); }
NN_INLINE double nn_cos_d(double x) { return cos(x); }
NN_INLINE double nn_pow_d(double x, double y) { return pow(x, y); }

/* as nn_round: independent of the rounding mode's library call */
NN_INLINE double nn_round_d(double x)
{
    double a = fabs(x);
    double r = a < 4503599627370496.0 ? (a + 4503599627370496.0) - 4503599627370496.0 : a;
    return copysign(r, x);
}

NN_INLINE double nn_sigmoid_d(double x)
{
    double e = exp(-fabs(x));
    return (x < 0.0 ? e : 1.0) / (1.0 + e);
}
#endif
