/* nn_random.h - the generator itself: one Philox-4x32-10 block, and the normal pair made of it.
 *
 * In come a counter and a key, out go four words of 32 bits that pass for random: ten rounds of
 * multiplications by two constants, with the halves crossed over and the key, advanced by two
 * more constants, mixed in (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
 * Integer arithmetic, and for the normal values double arithmetic without FMA and without libm
 * except for the exactly rounded square root: the same bits everywhere.  Meant to be included
 * inside `#ifdef NN_ISA`. */
#ifdef NN_ISA

#define nn_philox NN_NAME(nn_philox)
#define nn_log_unit NN_NAME(nn_log_unit)
#define nn_turn NN_NAME(nn_turn)
#define nn_normal_pair NN_NAME(nn_normal_pair)

/* x[0..3] = block (c0, c1, c2, c3) under key (k0, k1) */
NN_INLINE void nn_philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0,
                         uint32_t k1, uint32_t *x)
{
    for (int r = 0; r < 10; r++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    x[0] = c0;
    x[1] = c1;
    x[2] = c2;
    x[3] = c3;
}

/* ln u for u in (0, 1]: u = 2^k m with sqrt(1/2) <= m < sqrt(2), ln m = 2 artanh((m-1)/(m+1)) */
NN_INLINE double nn_log_unit(double u)
{
    uint64_t b;
    memcpy(&b, &u, sizeof b);
    b -= 0x3fe6a09e667f3bcdu; /* the bits of sqrt(1/2) */
    double k = (double)((int32_t)(b >> 52) - ((int32_t)(b >> 63) << 12));
    b = (b & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu;
    double m;
    memcpy(&m, &b, sizeof m);
    double s = (m - 1.0) / (m + 1.0), z = s * s;
    double p = 1.0 / 19.0;
    p = p * z + 1.0 / 17.0;
    p = p * z + 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    return k * 0.69314718055994531 + 2.0 * (s + s * z * p);
}

/* cosine and sine of w / 2^32 turns: the top bits give the quarter, the rest an angle within
 * 1/8 turn of its middle, for which the Taylor series are short */
NN_INLINE void nn_turn(uint32_t w, double *c, double *s)
{
    uint32_t quarter = (w + 0x20000000u) >> 30;
    double a = (double)(int32_t)(w - (quarter << 30)) * 1.4629180792671596e-9; /* 2 pi / 2^32 */
    double z = a * a;
    double ps = 1.0 / 6227020800.0;
    ps = ps * z - 1.0 / 39916800.0;
    ps = ps * z + 1.0 / 362880.0;
    ps = ps * z - 1.0 / 5040.0;
    ps = ps * z + 1.0 / 120.0;
    ps = ps * z - 1.0 / 6.0;
    ps = a + a * z * ps;
    double pc = 1.0 / 479001600.0;
    pc = pc * z - 1.0 / 3628800.0;
    pc = pc * z + 1.0 / 40320.0;
    pc = pc * z - 1.0 / 720.0;
    pc = pc * z + 1.0 / 24.0;
    pc = 1.0 - 0.5 * z + z * z * pc;
    double x = quarter & 1u ? ps : pc, y = quarter & 1u ? pc : ps;
    *c = (quarter + 1u) & 2u ? -x : x;
    *s = quarter & 2u ? -y : y;
}

/* Box and Muller: two words -> two independent standard normal values */
NN_INLINE void nn_normal_pair(uint32_t a, uint32_t b, double *x, double *y)
{
    double radius = sqrt(-2.0 * nn_log_unit(((double)a + 0.5) * 2.3283064365386963e-10));
    double c, s;
    nn_turn(b, &c, &s);
    *x = radius * c;
    *y = radius * s;
}
#endif
