/* nn_vec.h - the few vector operations that the matrix products need, for one pass.
 *
 * In come vectors of NN_VB bytes, type nn_vf of NN_VL floats, out go the same; the last vector of
 * a row is read and written through a mask, so that nothing outside the row is touched.  At level
 * 0 a vector is one float, and nothing has masks.  Meant to be included
 * inside `#ifdef NN_ISA`, after nn_math.h and before nn_tile.h. */
#ifdef NN_ISA

#define nn_vf NN_NAME(nn_vf)
#define nn_vmask NN_NAME(nn_vmask)
#define nn_vtail NN_NAME(nn_vtail)
#define nn_vset NN_NAME(nn_vset)
#define nn_vload NN_NAME(nn_vload)
#define nn_vstore NN_NAME(nn_vstore)
#define nn_vload_some NN_NAME(nn_vload_some)
#define nn_vstore_some NN_NAME(nn_vstore_some)
#define nn_vfma NN_NAME(nn_vfma)
#define nn_vrelu NN_NAME(nn_vrelu)
#define nn_vquarters NN_NAME(nn_vquarters)
#define nn_vjoin NN_NAME(nn_vjoin)
#define nn_vfolds NN_NAME(nn_vfolds)

#undef NN_VL
#undef NN_VPARTS
#undef NN_ROWS4
#undef NN_UNPACK_LO
#undef NN_UNPACK_HI
#undef NN_PAIRS_LO
#undef NN_PAIRS_HI
#undef NN_EVENS
#undef NN_ODDS
#define NN_VL (NN_VB / 4)
#define NN_VPARTS (16 / NN_VL) /* vectors in 16 lanes */

/* registers, which decide the shape of the tiles; whether a mask costs nothing */
#undef NN_REGISTERS
#undef NN_FREE_MASK
#if NN_LEVEL == 4 || defined __aarch64__
#define NN_REGISTERS 32
#else
#define NN_REGISTERS 16
#endif
#define NN_FREE_MASK (NN_LEVEL == 4)

#if NN_LEVEL == 4

typedef __m512 nn_vf;
typedef __mmask16 nn_vmask;

/* the first n lanes; all of them from 16 on, none below 1 */
NN_INLINE nn_vmask nn_vtail(int n)
{
    return (nn_vmask)(n >= 16 ? 0xffffu : n <= 0 ? 0u : 0xffffu >> (16 - n));
}

NN_INLINE nn_vf nn_vset(float x)
{
    return _mm512_set1_ps(x);
}

NN_INLINE nn_vf nn_vload(const float *p)
{
    return _mm512_loadu_ps(p);
}

NN_INLINE void nn_vstore(float *p, nn_vf v)
{
    _mm512_storeu_ps(p, v);
}

NN_INLINE nn_vf nn_vload_some(const float *p, nn_vmask m)
{
    return _mm512_maskz_loadu_ps(m, p);
}

NN_INLINE void nn_vstore_some(float *p, nn_vf v, nn_vmask m)
{
    _mm512_mask_storeu_ps(p, m, v);
}

NN_INLINE nn_vf nn_vfma(nn_vf a, nn_vf b, nn_vf c)
{
#if NN_FMA
    return _mm512_fmadd_ps(a, b, c);
#else
    return _mm512_add_ps(_mm512_mul_ps(a, b), c);
#endif
}

/* max(0, v), in the operand order that keeps NaN */
NN_INLINE nn_vf nn_vrelu(nn_vf v)
{
    return _mm512_max_ps(_mm512_setzero_ps(), v);
}

/* Pieces of a transposition: rows p, p + 4 ld, p + 8 ld, p + 12 ld, four columns of each, as one
 * vector; interleaving inside each 128 bits then finishes the job. */
#define NN_ROWS4(p, ld)                                                                   \
    _mm512_insertf32x4(                                                                   \
        _mm512_insertf32x4(                                                               \
            _mm512_insertf32x4(_mm512_castps128_ps512(_mm_loadu_ps(p)),                   \
                               _mm_loadu_ps((p) + 4 * (ld)), 1),                          \
            _mm_loadu_ps((p) + 8 * (ld)), 2),                                             \
        _mm_loadu_ps((p) + 12 * (ld)), 3)
#define NN_UNPACK_LO(a, b) _mm512_unpacklo_ps(a, b)
#define NN_UNPACK_HI(a, b) _mm512_unpackhi_ps(a, b)
#define NN_PAIRS_LO(a, b) _mm512_shuffle_ps(a, b, 0x44)
#define NN_PAIRS_HI(a, b) _mm512_shuffle_ps(a, b, 0xee)
#define NN_EVENS(a, b) _mm512_shuffle_ps(a, b, 0x88)
#define NN_ODDS(a, b) _mm512_shuffle_ps(a, b, 0xdd)

/* v[0], v[4], v[8], v[12], each folded to four lanes */
NN_INLINE nn_vf nn_vquarters(const nn_vf *v)
{
    nn_vf a = _mm512_shuffle_f32x4(v[0], v[4], 0x44) + _mm512_shuffle_f32x4(v[0], v[4], 0xee);
    nn_vf b = _mm512_shuffle_f32x4(v[8], v[12], 0x44) + _mm512_shuffle_f32x4(v[8], v[12], 0xee);
    return _mm512_shuffle_f32x4(a, b, 0x88) + _mm512_shuffle_f32x4(a, b, 0xdd);
}

#elif NN_LEVEL == 3

typedef __m256 nn_vf;
typedef __m256i nn_vmask;

NN_INLINE nn_vmask nn_vtail(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

NN_INLINE nn_vf nn_vset(float x)
{
    return _mm256_set1_ps(x);
}

NN_INLINE nn_vf nn_vload(const float *p)
{
    return _mm256_loadu_ps(p);
}

NN_INLINE void nn_vstore(float *p, nn_vf v)
{
    _mm256_storeu_ps(p, v);
}

NN_INLINE nn_vf nn_vload_some(const float *p, nn_vmask m)
{
    return _mm256_maskload_ps(p, m);
}

/* In pieces: a masked store takes AMD's processors longer than three others. */
NN_INLINE void nn_vstore_some(float *p, nn_vf v, nn_vmask m)
{
    int lanes = _mm256_movemask_ps(_mm256_castsi256_ps(m));
    __m128 part = _mm256_castps256_ps128(v);
    if (lanes & 0x80) {
        nn_vstore(p, v);
        return;
    }
    if (lanes & 8) {
        _mm_storeu_ps(p, part);
        part = _mm256_extractf128_ps(v, 1);
        p += 4;
        lanes >>= 4;
    }
    if (lanes & 2) {
        _mm_storel_pi((__m64 *)p, part);
        part = _mm_movehl_ps(part, part);
        p += 2;
        lanes >>= 2;
    }
    if (lanes & 1)
        _mm_store_ss(p, part);
}

NN_INLINE nn_vf nn_vfma(nn_vf a, nn_vf b, nn_vf c)
{
#if NN_FMA
    return _mm256_fmadd_ps(a, b, c);
#else
    return _mm256_add_ps(_mm256_mul_ps(a, b), c);
#endif
}

NN_INLINE nn_vf nn_vrelu(nn_vf v)
{
    return _mm256_max_ps(_mm256_setzero_ps(), v);
}

#define NN_ROWS4(p, ld) \
    _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps((p) + 4 * (ld)), 1)
#define NN_UNPACK_LO(a, b) _mm256_unpacklo_ps(a, b)
#define NN_UNPACK_HI(a, b) _mm256_unpackhi_ps(a, b)
#define NN_PAIRS_LO(a, b) _mm256_shuffle_ps(a, b, 0x44)
#define NN_PAIRS_HI(a, b) _mm256_shuffle_ps(a, b, 0xee)
#define NN_EVENS(a, b) _mm256_shuffle_ps(a, b, 0x88)
#define NN_ODDS(a, b) _mm256_shuffle_ps(a, b, 0xdd)

NN_INLINE nn_vf nn_vquarters(const nn_vf *v)
{
    return _mm256_permute2f128_ps(v[0], v[4], 0x20) + _mm256_permute2f128_ps(v[0], v[4], 0x31);
}

#elif NN_LEVEL == 0

typedef float nn_vf;

NN_INLINE nn_vf nn_vset(float x)
{
    return x;
}

NN_INLINE nn_vf nn_vload(const float *p)
{
    return *p;
}

NN_INLINE void nn_vstore(float *p, nn_vf v)
{
    *p = v;
}

NN_INLINE nn_vf nn_vfma(nn_vf a, nn_vf b, nn_vf c)
{
    return nn_mad(a, b, c);
}

NN_INLINE nn_vf nn_vrelu(nn_vf v)
{
    return nn_fmax(v, 0.0f);
}

#else /* four lanes: SSE2, NEON and whatever else the compiler makes of 16-byte vectors */

#define nn_vi NN_NAME(nn_vi)
#define nn_vpick NN_NAME(nn_vpick)

typedef float nn_vf __attribute__((vector_size(16)));
typedef int32_t nn_vi __attribute__((vector_size(16)));
typedef int nn_vmask; /* the number of lanes */

NN_INLINE nn_vmask nn_vtail(int n)
{
    return n;
}

NN_INLINE nn_vf nn_vset(float x)
{
    nn_vf v = {x, x, x, x};
    return v;
}

NN_INLINE nn_vf nn_vload(const float *p)
{
    nn_vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

NN_INLINE void nn_vstore(float *p, nn_vf v)
{
    memcpy(p, &v, sizeof v);
}

NN_INLINE nn_vf nn_vload_some(const float *p, nn_vmask n)
{
    if (n >= 4)
        return nn_vload(p);
    nn_vf v = {n > 0 ? p[0] : 0.0f, n > 1 ? p[1] : 0.0f, n > 2 ? p[2] : 0.0f, 0.0f};
    return v;
}

NN_INLINE void nn_vstore_some(float *p, nn_vf v, nn_vmask n)
{
    if (n >= 4) {
        nn_vstore(p, v);
        return;
    }
    if (n > 0)
        p[0] = v[0];
    if (n > 1)
        p[1] = v[1];
    if (n > 2)
        p[2] = v[2];
}

NN_INLINE nn_vf nn_vfma(nn_vf a, nn_vf b, nn_vf c)
{
#if NN_FMA && defined __ARM_NEON
    return (nn_vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#elif NN_FMA
    nn_vf r = {fmaf(a[0], b[0], c[0]), fmaf(a[1], b[1], c[1]), fmaf(a[2], b[2], c[2]),
               fmaf(a[3], b[3], c[3])};
    return r;
#else
    return a * b + c;
#endif
}

NN_INLINE nn_vf nn_vrelu(nn_vf v)
{
    nn_vi below = v < nn_vset(0.0f);
    return (nn_vf)(~below & (nn_vi)v);
}

NN_INLINE nn_vf nn_vpick(float a, float b, float c, float d)
{
    nn_vf v = {a, b, c, d};
    return v;
}

#define NN_ROWS4(p, ld) nn_vload(p)
#define NN_UNPACK_LO(a, b) nn_vpick((a)[0], (b)[0], (a)[1], (b)[1])
#define NN_UNPACK_HI(a, b) nn_vpick((a)[2], (b)[2], (a)[3], (b)[3])
#define NN_PAIRS_LO(a, b) nn_vpick((a)[0], (a)[1], (b)[0], (b)[1])
#define NN_PAIRS_HI(a, b) nn_vpick((a)[2], (a)[3], (b)[2], (b)[3])
#define NN_EVENS(a, b) nn_vpick((a)[0], (a)[2], (b)[0], (b)[2])
#define NN_ODDS(a, b) nn_vpick((a)[1], (a)[3], (b)[1], (b)[3])

NN_INLINE nn_vf nn_vquarters(const nn_vf *v)
{
    return v[0];
}
#endif

#if NN_LEVEL > 0
/* The lanes of 16 that are in several vectors, `step` apart, as the tree of nn_reduce.h begins. */
NN_INLINE nn_vf nn_vjoin(const nn_vf *v, int step)
{
#if NN_VPARTS == 1
    (void)step;
    return v[0];
#elif NN_VPARTS == 2
    return v[0] + v[step];
#else
    return (v[0] + v[2 * step]) + (v[step] + v[3 * step]);
#endif
}

/* lane i: the sum of the lanes of v[i], in the rest of that tree */
NN_INLINE nn_vf nn_vfolds(const nn_vf *v)
{
    nn_vf a = nn_vquarters(v), b = nn_vquarters(v + 1);
    nn_vf c = nn_vquarters(v + 2), d = nn_vquarters(v + 3);
    nn_vf ab = NN_PAIRS_LO(a, b) + NN_PAIRS_HI(a, b), cd = NN_PAIRS_LO(c, d) + NN_PAIRS_HI(c, d);
    return NN_EVENS(ab, cd) + NN_ODDS(ab, cd);
}
#endif
#endif
