/* nn_gemm.h - packing and the loops around the tiles, for one pass and float.
 *
 * In come the operands of nn_gemm_nn, nt and tn, out goes C.  Operands are used where they are,
 * except that nt copies B, transposed, one panel of columns at a time, and that nn and tn copy a
 * panel or a block when its rows lie a multiple of 2 KiB apart and would evict each other from the
 * cache.  Large operands are asked for a tile or a panel ahead, as they may have to come from
 * memory.  Sums run over k in order, and C is kept in float between blocks of k, so that none of
 * this changes a bit; only nt of the sizes NN_IN_LANES sums in 16 lanes instead.  Without vector
 * types (level 0) plain loops give the bits that tiles without FMA give.  Meant to be
 * included inside `#ifdef NN_ISA`, after nn_math.h and nn_reduce.h. */
#ifdef NN_ISA
#include "nn_vec.h"
#include "nn_tile.h"
#include "nn_panels.h"
#include "nn_dots.h"

#define nn_copy_panel NN_NAME(nn_copy_panel)
#define nn_transpose_panel NN_NAME(nn_transpose_panel)
#define nn_row_chunks NN_NAME(nn_row_chunks)
#define nn_one_panel NN_NAME(nn_one_panel)
#define nn_columns NN_NAME(nn_columns)
#define nn_block_flags NN_NAME(nn_block_flags)
#define nn_product_blocks NN_NAME(nn_product_blocks)
#define nn_product NN_NAME(nn_product)
#define nn_product_lanes NN_NAME(nn_product_lanes)
#define nn_product_t NN_NAME(nn_product_t)
#define nn_product_turned NN_NAME(nn_product_turned)
#define nn_product_tn NN_NAME(nn_product_tn)

#ifndef NN_GEMM_ONCE
#define NN_GEMM_ONCE
enum {
    NN_FEW_ROWS = 10,   /* up to here nt is cheaper as scalar products than with a copy of B, */
    NN_SOME_ROWS = 64,  /* up to here if K is large; and with less than NN_FEW_COLUMNS too */
    NN_FEW_COLUMNS = 16,
    NN_BLOCK_K = 512,   /* rows of a copied panel of B */
    NN_BLOCK_N = 64,    /* columns of a copied panel of B, at most */
    NN_BLOCK_KA = 128,  /* rows and columns of a copied block of A, for tn */
    NN_BLOCK_M = 192,
    NN_MANY_ROWS = 48,  /* from here on a copied panel of B is used often enough */
    NN_FAR = 1 << 16,   /* elements of an operand that is likely not in the nearer caches */
    NN_LARGE = 1 << 18 /* elements of an operand that is too large for the second-level cache */
};
/* the sizes for which nt sums in 16 lanes */
#define NN_IN_LANES(M, N, K)                                                       \
    ((M) <= NN_FEW_ROWS || ((N) < NN_FEW_COLUMNS && (K) >= 64) ||                  \
     ((M) <= NN_SOME_ROWS && (K) >= 128 && (K) >= 16 * (M)))
/* the sizes for which tn computes C': where columns would leave a quarter of a vector unused */
#define NN_TURNS(M, N, K) \
    ((N) < NN_FEW_COLUMNS && NN_VL - 1 - ((N) - 1) % NN_VL >= NN_VL / 4 && (M) >= 32 && (K) >= 16)
/* the sizes for which nn and tn ask for scratch */
#define NN_COPIES_B(M, N, K) ((M) >= NN_MANY_ROWS && (int64_t)(N) * (K) >= NN_LARGE / 2)
#define NN_COPIES_A(M, N, K) ((N) >= 256 && (K) >= 512 && (M) >= 64)
#define NN_FAR_AS(bit, rows, columns) ((int64_t)(rows) * (columns) >= NN_FAR ? (unsigned)(bit) : 0u)
#endif

/* The flags of one block of k: bias with the first, the activation with the last. */
NN_INLINE unsigned nn_block_flags(unsigned flags, int first, int last)
{
    unsigned all = NN_RELU | NN_TANH | NN_SIGMOID;
    return (first ? flags : (flags & all) | NN_ACC) & (last ? ~0u : ~all);
}

#if NN_LEVEL > 0

/* d[K][nv vectors] = B[K][nv vectors], dense */
NN_NOINLINE void nn_copy_panel(float *NN_RESTRICT d, const float *NN_RESTRICT b, size_t ldb, int K,
                               int nv, int tail)
{
    const nn_vmask mask = nn_vtail(tail);
    for (int k = 0; k < K; k++, b += ldb, d += nv * NN_VL) {
        for (int j = 0; j + 1 < nv; j++)
            nn_vstore(d + j * NN_VL, nn_vload(b + j * NN_VL));
        nn_vstore(d + (nv - 1) * NN_VL, nn_vload_some(b + (nv - 1) * NN_VL, mask));
    }
}

/* d[K][nv vectors] = the transposed rows of B[nv vectors][K], zeros where there are none */
NN_NOINLINE void nn_transpose_panel(float *NN_RESTRICT d, const float *NN_RESTRICT b, size_t ldb,
                                    int K, int nv, int tail)
{
    const size_t w = (size_t)(nv * NN_VL);
    for (int v = 0; v < nv; v++, b += NN_VL * ldb, d += NN_VL) {
        int rows = v + 1 < nv ? NN_VL : tail, k = 0;
        if (rows == NN_VL)
            for (; k + 4 <= K; k += 4) {
                nn_vf r0 = NN_ROWS4(b + k, ldb), r1 = NN_ROWS4(b + k + ldb, ldb);
                nn_vf r2 = NN_ROWS4(b + k + 2 * ldb, ldb), r3 = NN_ROWS4(b + k + 3 * ldb, ldb);
                nn_vf l01 = NN_UNPACK_LO(r0, r1), l23 = NN_UNPACK_LO(r2, r3);
                nn_vf h01 = NN_UNPACK_HI(r0, r1), h23 = NN_UNPACK_HI(r2, r3);
                float *q = d + (size_t)k * w;
                nn_vstore(q, NN_PAIRS_LO(l01, l23));
                nn_vstore(q + w, NN_PAIRS_HI(l01, l23));
                nn_vstore(q + 2 * w, NN_PAIRS_LO(h01, h23));
                nn_vstore(q + 3 * w, NN_PAIRS_HI(h01, h23));
            }
        for (; k < K; k++)
            for (int i = 0; i < NN_VL; i++)
                d[(size_t)k * w + (size_t)i] = i < rows ? b[(size_t)i * ldb + (size_t)k] : 0.0f;
    }
}

/* nt, summed in 16 lanes */
static void nn_product_lanes(int M, int N, int K, const float *A, size_t lda, const float *B,
                             size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags,
                             float *ws)
{
    (void)ws;
    const struct nn_dot_sizes s = {K, lda, ldb, ldc, flags};
    nn_dots(&s, M, N, A, B, C, flags & NN_BIAS ? bias : C);
    if (flags & (NN_TANH | NN_SIGMOID))
        for (int i = 0; i < M; i++)
            nn_act_row(C + (size_t)i * ldc, N, flags);
}

/* All rows of one panel, split evenly: chunks of q + 1 rows, then chunks of q rows. */
NN_INLINE void nn_row_chunks(const struct nn_panel *p, int M, int nv, const float *a,
                             const float *b, float *c)
{
    const int most = nn_rows_max(nv), masked = p->tail < NN_VL;
    if (M <= most) { /* small products cannot afford the divisions */
        nn_panel_of(M, nv, masked)(p, a, b, c, 1);
        return;
    }
    const int n = (M + most - 1) / most, q = M / n, longer = M % n;
    if (longer) {
        nn_panel_of(q + 1, nv, masked)(p, a, b, c, longer);
        a += (size_t)longer * (size_t)(q + 1) * p->ras;
        c += (size_t)longer * (size_t)(q + 1) * p->ldc;
    }
    nn_panel_of(q, nv, masked)(p, a, b, c, n - longer);
}

/* A product that is one panel wide, with nothing around it: the small ones take as long as this. */
NN_INLINE int nn_one_panel(struct nn_panel *p, int M, int N, const float *A, const float *B,
                           float *C)
{
    const int vectors = (N + NN_VL - 1) / NN_VL;
    if (vectors > 4 || vectors > nn_width_max(M))
        return 0;
    p->tail = N - (vectors - 1) * NN_VL;
    nn_row_chunks(p, M, vectors, A, B, C);
    return 1;
}

/* C[M][N] for one block of k.  copy: 0 B is used in place, 1 copied, 2 transposed into ws. */
NN_NOINLINE void nn_columns(struct nn_panel *p, int M, int N, const float *A, const float *B,
                            size_t ldb, float *C, const float *bias, int copy, float *ws)
{
    const int vectors = (N + NN_VL - 1) / NN_VL, max = nn_width_max(M);
    const unsigned far = NN_FAR_AS(NN_FETCH_A, M, p->K) | NN_FAR_AS(NN_FETCH_B, p->K, N) |
                         NN_FAR_AS(NN_FETCH_C, M, N);
    p->ldb = ldb;
    for (int v = 0, nv; v < vectors; v += nv) {
        const int j = v * NN_VL;
        const float *b = copy == 2 ? B + (size_t)j * ldb : B + j;
        nv = nn_width_next(vectors - v, max);
        p->tail = v + nv == vectors ? N - (vectors - 1) * NN_VL : NN_VL;
        p->bias = p->flags & NN_BIAS ? bias + j : C;
        if (copy) {
            if (copy == 2)
                nn_transpose_panel(ws, b, ldb, p->K, nv, p->tail);
            else
                nn_copy_panel(ws, b, ldb, p->K, nv, p->tail);
            p->ldb = (size_t)(nv * NN_VL);
            b = ws;
        }
        p->fetch = far & ~(unsigned)(v ? NN_FETCH_A : 0) & ~(unsigned)(copy ? NN_FETCH_B : 0);
        nn_row_chunks(p, M, nv, A, b, C + j);
    }
}

/* nn and nt: copy as in nn_columns */
static void nn_product_blocks(int M, int N, int K, const float *A, size_t lda, const float *B,
                              size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags,
                              int copy, float *ws)
{
    struct nn_panel p = {lda, 1, ldb, ldc, K, 0, NULL, flags, 1, 0, 0, 0};
    const int blocks = copy ? (K + NN_BLOCK_K - 1) / NN_BLOCK_K : 1;
    for (int t = 0, k0 = 0; t == 0 || t < blocks; t++, k0 += p.K) {
        p.K = blocks > 1 ? (K - k0 + blocks - t - 1) / (blocks - t) : K;
        p.flags = nn_block_flags(flags, t == 0, t + 1 >= blocks);
        nn_columns(&p, M, N, A + k0, copy == 2 ? B + k0 : B + (size_t)k0 * ldb, ldb, C, bias, copy,
                   ws);
    }
}

static void nn_product(int M, int N, int K, const float *A, size_t lda, const float *B, size_t ldb,
                       float *C, size_t ldc, const float *bias, unsigned flags, float *ws)
{
    struct nn_panel p = {lda, 1, ldb, ldc, K, 0, bias, flags, 1, 0, 0, 0};
    int copy = ws && NN_COPIES_B(M, N, K) && ldb % 512 == 0 && (size_t)K * ldb >= NN_LARGE;
    if (M > 0 && N > 0 && (copy || !nn_one_panel(&p, M, N, A, B, C)))
        nn_product_blocks(M, N, K, A, lda, B, ldb, C, ldc, bias, flags, copy, ws);
}

static void nn_product_t(int M, int N, int K, const float *A, size_t lda, const float *B,
                         size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags,
                         float *ws)
{
    if (!ws)
        nn_product_lanes(M, N, K, A, lda, B, ldb, C, ldc, bias, flags, ws);
    else if (M > 0 && N > 0)
        nn_product_blocks(M, N, K, A, lda, B, ldb, C, ldc, bias, flags, 2, ws);
}

/* tn for few columns: tiles of C' = B' A, with vectors along the rows of C, then transposed */
NN_NOINLINE void nn_product_turned(int M, int N, int K, const float *A, size_t lda,
                                   const float *B, size_t ldb, float *C, size_t ldc,
                                   const float *bias, unsigned flags)
{
    enum { ROWS = 4 * NN_VL };
    float t[NN_FEW_COLUMNS * ROWS];
    const unsigned starts = flags & (NN_ACC | NN_BIAS);
    struct nn_panel p = {1, ldb, lda, ROWS, K, 0, NULL, flags & ~(unsigned)NN_BIAS, 1, 0, 0, 0};
    if (starts)
        p.flags |= NN_ACC;
    for (int i = 0, m; i < M; i += m, A += m, C += (size_t)m * ldc) {
        m = M - i < ROWS ? M - i : ROWS;
        for (int j = 0; starts && j < N; j++)
            for (int r = 0; r < m; r++) {
                const float c = flags & NN_ACC ? C[(size_t)r * ldc + (size_t)j] : 0.0f;
                t[j * ROWS + r] = flags & NN_BIAS ? c + bias[j] : c;
            }
        nn_columns(&p, N, m, B, A, lda, t, NULL, 0, NULL);
        for (int r = 0; r < m; r++)
            for (int j = 0; j < N; j++)
                C[(size_t)r * ldc + (size_t)j] = t[j * ROWS + r];
    }
}

static void nn_product_tn(int M, int N, int K, const float *A, size_t lda, const float *B,
                          size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags,
                          float *ws)
{
    struct nn_panel p = {1, lda, ldb, ldc, K, 0, bias, flags, 1, 0, 0, 0};
    if (M <= 0 || N <= 0)
        return;
    if (NN_TURNS(M, N, K)) {
        nn_product_turned(M, N, K, A, lda, B, ldb, C, ldc, bias, flags);
        return;
    }
    if (!ws || !NN_COPIES_A(M, N, K) || lda % 256 != 0 || (size_t)K * lda < NN_LARGE) {
        if (!nn_one_panel(&p, M, N, A, B, C))
            nn_columns(&p, M, N, A, B, ldb, C, bias, 0, NULL);
        return;
    }
    for (int k0 = 0; k0 < K; k0 += p.K) {
        p.K = K - k0 < NN_BLOCK_KA ? K - k0 : NN_BLOCK_KA;
        p.flags = nn_block_flags(flags, k0 == 0, k0 + p.K == K);
        for (int m0 = 0, m; m0 < M; m0 += m) {
            m = M - m0 < NN_BLOCK_M ? M - m0 : NN_BLOCK_M;
            for (int k = 0; k < p.K; k++)
                memcpy(ws + (size_t)k * NN_BLOCK_M, A + (size_t)(k0 + k) * lda + m0,
                       (size_t)m * sizeof *ws);
            p.cas = NN_BLOCK_M;
            nn_columns(&p, m, N, ws, B + (size_t)k0 * ldb, ldb, C + (size_t)m0 * ldc, bias,
                       1, ws + NN_BLOCK_KA * NN_BLOCK_M);
        }
    }
}

#else /* plain loops */

#define nn_finish NN_NAME(nn_finish)
#define nn_plain NN_NAME(nn_plain)

NN_INLINE float nn_finish(float s, unsigned flags)
{
    if (flags & NN_RELU)
        return nn_fmax(s, 0.0f);
    if (flags & NN_TANH)
        return nn_tanh(s);
    return flags & NN_SIGMOID ? nn_sigmoid(s) : s;
}

/* Four by four sums at a time, in variables; B[k][j] is at k rbs + j cbs. */
static void nn_plain(int M, int N, int K, const float *A, size_t ras, size_t cas, const float *B,
                     size_t rbs, size_t cbs, float *C, size_t ldc, const float *bias,
                     unsigned flags)
{
    for (int i = 0; i < M; i += 4)
        for (int j = 0; j < N; j += 4) {
            const int m = M - i < 4 ? M - i : 4, n = N - j < 4 ? N - j : 4;
            const float *a = A + (size_t)i * ras, *b = B + (size_t)j * cbs;
            float *c = C + (size_t)i * ldc + j, s[4][4] = {{0.0f}};
            for (int r = 0; r < m; r++)
                for (int q = 0; q < n; q++) {
                    s[r][q] = flags & NN_BIAS ? bias[j + q] : 0.0f;
                    if (flags & NN_ACC)
                        s[r][q] = c[(size_t)r * ldc + (size_t)q] + s[r][q];
                }
            if (m == 4 && n == 4)
                for (int k = 0; k < K; k++, a += cas, b += rbs)
                    for (int r = 0; r < 4; r++)
                        for (int q = 0; q < 4; q++)
                            s[r][q] = nn_mad(a[(size_t)r * ras], b[(size_t)q * cbs], s[r][q]);
            else
                for (int k = 0; k < K; k++, a += cas, b += rbs)
                    for (int r = 0; r < m; r++)
                        for (int q = 0; q < n; q++)
                            s[r][q] = nn_mad(a[(size_t)r * ras], b[(size_t)q * cbs], s[r][q]);
            for (int r = 0; r < m; r++)
                for (int q = 0; q < n; q++)
                    c[(size_t)r * ldc + (size_t)q] = nn_finish(s[r][q], flags);
        }
}

static void nn_product(int M, int N, int K, const float *A, size_t lda, const float *B, size_t ldb,
                       float *C, size_t ldc, const float *bias, unsigned flags, float *ws)
{
    (void)ws;
    nn_plain(M, N, K, A, lda, 1, B, ldb, 1, C, ldc, bias, flags);
}

static void nn_product_tn(int M, int N, int K, const float *A, size_t lda, const float *B,
                          size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags,
                          float *ws)
{
    (void)ws;
    nn_plain(M, N, K, A, 1, lda, B, ldb, 1, C, ldc, bias, flags);
}

static void nn_product_t(int M, int N, int K, const float *A, size_t lda, const float *B,
                         size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags,
                         float *ws)
{
    (void)ws;
    nn_plain(M, N, K, A, lda, 1, B, 1, ldb, C, ldc, bias, flags);
}

static void nn_product_lanes(int M, int N, int K, const float *A, size_t lda, const float *B,
                             size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags,
                             float *ws)
{
    (void)ws;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            const float *a = A + (size_t)i * lda, *b = B + (size_t)j * ldb;
            float *c = C + (size_t)i * ldc + j, t[16] = {0.0f};
            for (int k = 0; k < K; k++)
                t[k & 15] = nn_mad(a[k], b[k], t[k & 15]);
            float s = nn_fold(t);
            if (flags & NN_ACC)
                s += *c;
            if (flags & NN_BIAS)
                s += bias[j];
            *c = nn_finish(s, flags);
        }
}
#endif
#endif
