/* nn_gemm.h - the loops around the tiles, for one pass and float.
 *
 * In come the operands of nn_gemm_nn, nt and tn, out goes C.  Operands are used where they are, but
 *   nt copies B, transposed, because tiles read rows of it;
 *   rows of B that lie a multiple of 2 KiB apart are copied, as they evict each other from the
 *   cache;
 *   with narrow vectors, where a panel of B is one line of the cache wide, k is taken in blocks
 *   that stay in the first-level cache, and where there are rows enough to read them again, B and
 *   for tn A are copied in the order in which tiles read them.
 * Large operands are asked for a tile or a panel ahead, as they may have to come from memory.  Sums
 * run over k in order, and C is kept in float between blocks of k, so that none of this changes a
 * bit; only nt of the sizes NN_IN_LANES sums in 16 lanes instead.  Without vector types (level 0)
 * plain loops give the bits that tiles without FMA give.  Meant to be included inside
 * `#ifdef NN_ISA`, after nn_math.h and nn_reduce.h. */
#ifdef NN_ISA
#include "nn_vec.h"
#include "nn_tile.h"
#include "nn_panels.h"
#include "nn_dots.h"
#include "nn_copies.h"

#define nn_row_chunks NN_NAME(nn_row_chunks)
#define nn_one_panel NN_NAME(nn_one_panel)
#define nn_columns NN_NAME(nn_columns)
#define nn_panel_at NN_NAME(nn_panel_at)
#define nn_panels NN_NAME(nn_panels)
#define nn_copied_columns NN_NAME(nn_copied_columns)
#define nn_block_flags NN_NAME(nn_block_flags)
#define nn_product_blocks NN_NAME(nn_product_blocks)
#define nn_product NN_NAME(nn_product)
#define nn_product_lanes NN_NAME(nn_product_lanes)
#define nn_product_t NN_NAME(nn_product_t)
#define nn_product_turned NN_NAME(nn_product_turned)
#define nn_tiles NN_NAME(nn_tiles)
#define nn_product_tiles NN_NAME(nn_product_tiles)
#define nn_product_far NN_NAME(nn_product_far)
#define nn_product_tn NN_NAME(nn_product_tn)

#ifndef NN_GEMM_ONCE
#define NN_GEMM_ONCE
NN_COMMON
enum {
    NN_FEW_ROWS = 10,   /* up to here nt is cheaper as scalar products than with a copy of B, */
    NN_SOME_ROWS = 64,  /* up to here if K is large; and with less than NN_FEW_COLUMNS too */
    NN_FEW_COLUMNS = 16,
    NN_BLOCK_K = 512,   /* rows of a copied panel of B, at most */
    NN_BLOCK_N = 64,    /* columns of one with that many rows, at most */
    NN_SCRATCH = NN_BLOCK_K * NN_BLOCK_N, /* floats for copies, at most */
    NN_BLOCK_KA = 256,  /* rows and columns of a copied block of A, for tn with wide vectors, */
    NN_BLOCK_M = 192,
    NN_SCRATCH_TN = NN_BLOCK_KA * (NN_BLOCK_M + 64), /* and floats for it and a panel of B */
    NN_NEAR_K = 256,    /* terms of a block, with narrow vectors */
    NN_NEAR_M = 48,     /* rows of A that stay near while copied panels of B go by */
    NN_MANY_ROWS = 48,  /* from here on a copied panel of B with long rows is used often enough, */
    NN_MORE_ROWS = 96,  /* from here on one of any, with narrow vectors */
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
/* the sizes for which nn and tn copy: with long rows, and with narrow vectors */
#define NN_COPIES_B(M, N, K) ((M) >= NN_MANY_ROWS && (int64_t)(N) * (K) >= NN_LARGE / 2)
#define NN_COPIES_NEAR(M, N, K) ((M) >= NN_MORE_ROWS && (int64_t)(N) * (K) >= 8192)
#define NN_COPIES_A(M, N, K) ((N) >= 256 && (K) >= 512 && (M) >= 64)
#define NN_COPIES_TILES(M, N, K) ((M) >= NN_MORE_ROWS && (N) >= NN_MORE_ROWS && (K) >= 48)
#define NN_FAR_AS(bit, rows, columns) ((int64_t)(rows) * (columns) >= NN_FAR ? (unsigned)(bit) : 0u)

/* Floats of scratch: for a copy of B, or the part of it that fits; */
static inline int nn_room(int64_t rows, int64_t columns)
{
    const int64_t most = rows < NN_BLOCK_K ? rows : (int64_t)NN_BLOCK_K;
    const int64_t all = most * ((columns + 15) / 16 * 16);
    return all < NN_SCRATCH ? (int)all : (int)NN_SCRATCH;
}

/* and for the copies of each form. */
static inline int nn_room_nn(int M, int N, int K)
{
    return NN_COPIES_B(M, N, K) ? (int)NN_SCRATCH : NN_COPIES_NEAR(M, N, K) ? nn_room(K, N) : 0;
}

static inline int nn_room_nt(int M, int N, int K)
{
    const int few = M < NN_MORE_ROWS && N > NN_BLOCK_N;
    return M > NN_FEW_ROWS ? nn_room(K, few ? (int)NN_BLOCK_N : N) : 0;
}

static inline int nn_room_tn(int M, int N, int K)
{
    const int terms = K < NN_NEAR_K ? K : (int)NN_NEAR_K;
    return NN_COPIES_A(M, N, K)       ? (int)NN_SCRATCH_TN
           : NN_COPIES_TILES(M, N, K) ? nn_room(terms, (int64_t)M + 16)
                                      : 0;
}
NN_COMMON_END
#endif

/* A panel of two vectors is a line of the cache wide or less: its rows are lines far apart, and
 * what is read of them should fit the first-level cache.  Wide vectors read several lines of
 * each. */
#undef NN_NARROW
#define NN_NARROW (NN_VL < 16)

/* The flags of one block of k: bias with the first, the activation with the last. */
NN_INLINE unsigned nn_block_flags(unsigned flags, int first, int last)
{
    unsigned all = NN_RELU | NN_TANH | NN_SIGMOID;
    return (first ? flags : (flags & all) | NN_ACC) & (last ? ~0u : ~all);
}

#if NN_LEVEL > 0

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

/* the panel nv vectors wide that begins with vector v of N columns */
NN_INLINE void nn_panel_at(struct nn_panel *p, int v, int nv, int N, const float *C,
                           const float *bias)
{
    p->tail = N - v * NN_VL < nv * NN_VL ? N - (v + nv - 1) * NN_VL : NN_VL;
    p->bias = p->flags & NN_BIAS ? bias + v * NN_VL : C;
}

/* C[M][N] for one block of k, operands where they are. */
NN_NOINLINE void nn_columns(struct nn_panel *p, int M, int N, const float *A, const float *B,
                            size_t ldb, float *C, const float *bias)
{
    const int vectors = (N + NN_VL - 1) / NN_VL, max = nn_width_max(M);
    const unsigned far = NN_FAR_AS(NN_FETCH_A, M, p->K) | NN_FAR_AS(NN_FETCH_B, p->K, N) |
                         NN_FAR_AS(NN_FETCH_C, M, N);
    p->ldb = ldb;
    for (int v = 0, nv; v < vectors; v += nv) {
        nv = nn_width_next(vectors - v, max);
        nn_panel_at(p, v, nv, N, C, bias);
        p->fetch = far & ~(unsigned)(v ? NN_FETCH_A : 0);
        nn_row_chunks(p, M, nv, A, B + v * NN_VL, C + v * NN_VL);
    }
}

/* C[M][vectors first .. end - 1] for one block of k, with panels of B one behind the other in ws.
 * With narrow vectors some rows of A at a time, for all panels. */
NN_NOINLINE void nn_panels(struct nn_panel *p, int M, int N, int first, int end, const float *A,
                          const float *ws, float *C, const float *bias)
{
    const int vectors = (N + NN_VL - 1) / NN_VL, max = nn_width_max(M);
    const int parts = NN_NARROW ? (M + NN_NEAR_M - 1) / NN_NEAR_M : 1;
    for (int t = 0, i = 0, m; t < parts; t++, i += m) {
        const float *a = A + (size_t)i * p->ras, *b = ws;
        float *c = C + (size_t)i * p->ldc;
        m = (M - i + parts - t - 1) / (parts - t);
        for (int v = first, nv; v < end; v += nv, b += p->ldb * (size_t)p->K) {
            nv = nn_width_next(vectors - v, max);
            nn_panel_at(p, v, nv, N, C, bias);
            p->ldb = (size_t)(nv * NN_VL);
            nn_row_chunks(p, m, nv, a, b, c + v * NN_VL);
        }
    }
}

/* The same with B copied, or transposed when turned: as many panels at once as there is room for,
 * with wide vectors one. */
NN_NOINLINE void nn_copied_columns(struct nn_panel *p, int M, int N, const float *A, const float *B,
                                   size_t ldb, float *C, const float *bias, int turned, float *ws,
                                   int room)
{
    const int vectors = (N + NN_VL - 1) / NN_VL, max = nn_width_max(M);
    const int fit = NN_NARROW && p->K > 0 ? room / (p->K * NN_VL) / max * max : 1;
    p->fetch = NN_NARROW ? 0 : NN_FAR_AS(NN_FETCH_A, M, p->K) | NN_FAR_AS(NN_FETCH_C, M, N);
    for (int first = 0, end; first < vectors; first = end) {
        end = first;
        for (int nv; end < vectors && (end == first || end - first + max <= fit); end += nv) {
            const float *b = B + (size_t)(end * NN_VL) * (turned ? ldb : 1);
            float *to = ws + (size_t)((end - first) * NN_VL) * (size_t)p->K;
            nv = nn_width_next(vectors - end, max);
            nn_panel_at(p, end, nv, N, C, bias);
            (turned ? nn_transpose_panel : nn_copy_panel)(to, b, ldb, p->K, nv, p->tail);
        }
        nn_panels(p, M, N, first, end, A, ws, C, bias);
        p->fetch &= ~(unsigned)NN_FETCH_A;
    }
}

/* copy: 0 B is used in place, 1 copied, 2 transposed. */
static void nn_product_blocks(int M, int N, int K, const float *A, size_t ras, size_t cas,
                              const float *B, size_t ldb, float *C, size_t ldc, const float *bias,
                              unsigned flags, int copy, float *ws, int room)
{
    struct nn_panel p = {ras, cas, ldb, ldc, K, 0, NULL, flags, 1, 0, 0, 0, 0};
    const int most = NN_NARROW ? (int)NN_NEAR_K : copy ? (int)NN_BLOCK_K : K;
    const int blocks = K > most ? (K + most - 1) / most : 1;
    for (int t = 0, k0 = 0; t < blocks; t++, k0 += p.K) {
        const float *a = A + (size_t)k0 * cas, *b = B + (size_t)k0 * (copy == 2 ? 1 : ldb);
        p.K = (K - k0 + blocks - t - 1) / (blocks - t);
        p.flags = nn_block_flags(flags, t == 0, t + 1 == blocks);
        if (copy)
            nn_copied_columns(&p, M, N, a, b, ldb, C, bias, copy == 2, ws, room);
        else
            nn_columns(&p, M, N, a, b, ldb, C, bias);
    }
}

static void nn_product(int M, int N, int K, const float *A, size_t lda, const float *B, size_t ldb,
                       float *C, size_t ldc, const float *bias, unsigned flags, float *ws)
{
    struct nn_panel p = {lda, 1, ldb, ldc, K, 0, bias, flags, 1, 0, 0, 0, 0};
    int copy = NN_COPIES_B(M, N, K) && ldb % 512 == 0 && (size_t)K * ldb >= NN_LARGE;
    int blocks = NN_NARROW && K > NN_NEAR_K;
    copy |= NN_NARROW && NN_COPIES_NEAR(M, N, K);
    copy &= ws != NULL;
    blocks |= copy;
    if (M > 0 && N > 0 && (blocks || !nn_one_panel(&p, M, N, A, B, C)))
        nn_product_blocks(M, N, K, A, lda, 1, B, ldb, C, ldc, bias, flags, copy, ws,
                          nn_room_nn(M, N, K));
}

static void nn_product_t(int M, int N, int K, const float *A, size_t lda, const float *B,
                         size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags,
                         float *ws)
{
    if (!ws)
        nn_product_lanes(M, N, K, A, lda, B, ldb, C, ldc, bias, flags, ws);
    else if (M > 0 && N > 0)
        nn_product_blocks(M, N, K, A, lda, 1, B, ldb, C, ldc, bias, flags, 2, ws,
                          nn_room_nt(M, N, K));
}

/* tn for few columns: tiles of C' = B' A, with vectors along the rows of C, then transposed */
NN_NOINLINE void nn_product_turned(int M, int N, int K, const float *A, size_t lda,
                                   const float *B, size_t ldb, float *C, size_t ldc,
                                   const float *bias, unsigned flags)
{
    enum { ROWS = 4 * NN_VL };
    float t[NN_FEW_COLUMNS * ROWS];
    const unsigned starts = flags & (NN_ACC | NN_BIAS);
    struct nn_panel p = {1, ldb, lda, ROWS, K, 0, NULL, flags & ~(unsigned)NN_BIAS, 1, 0, 0, 0, 0};
    if (starts)
        p.flags |= NN_ACC;
    for (int i = 0, m; i < M; i += m, A += m, C += (size_t)m * ldc) {
        m = M - i < ROWS ? M - i : ROWS;
        for (int j = 0; starts && j < N; j++)
            for (int r = 0; r < m; r++) {
                const float c = flags & NN_ACC ? C[(size_t)r * ldc + (size_t)j] : 0.0f;
                t[j * ROWS + r] = flags & NN_BIAS ? c + bias[j] : c;
            }
        nn_columns(&p, N, m, B, A, lda, t, NULL);
        for (int r = 0; r < m; r++)
            for (int j = 0; j < N; j++)
                C[(size_t)r * ldc + (size_t)j] = t[j * ROWS + r];
    }
}

/* C[M][N] of tn for one block of k: A in tiles of at most `most` rows, one after the other in ws,
 * and one panel of B after the other behind them. */
static void nn_tiles(struct nn_panel *p, int M, int N, int most, const float *A, size_t lda,
                     const float *B, size_t ldb, float *C, const float *bias, float *ws)
{
    const int vectors = (N + NN_VL - 1) / NN_VL, max = nn_width_max(M);
    const int tiles = (M + most - 1) / most, low = M / tiles, longer = M % tiles;
    const size_t high = (size_t)(low + 1) * (size_t)p->K;
    float *panel = ws;
    for (int i = 0, m; i < tiles; i++, A += m, panel += (size_t)m * (size_t)p->K) {
        m = i < longer ? low + 1 : low;
        nn_copy_tile(panel, A, lda, p->K, m);
    }
    for (int v = 0, nv; v < vectors; v += nv) {
        float *c = C + v * NN_VL;
        nv = nn_width_next(vectors - v, max);
        nn_panel_at(p, v, nv, N, C, bias);
        nn_copy_panel(panel, B + v * NN_VL, ldb, p->K, nv, p->tail);
        p->ldb = (size_t)(nv * NN_VL);
        p->tile = high;
        p->cas = (size_t)low + 1;
        if (longer)
            nn_panel_of(low + 1, nv, p->tail < NN_VL)(p, ws, panel, c, longer);
        p->tile -= (size_t)p->K;
        p->cas--;
        nn_panel_of(low, nv, p->tail < NN_VL)(p, ws + (size_t)longer * high, panel,
                                              c + (size_t)(longer * (low + 1)) * p->ldc,
                                              tiles - longer);
    }
}

/* tn with copies of both operands: as many rows of C at a time as there is room for */
static void nn_product_tiles(int M, int N, int K, const float *A, size_t lda, const float *B,
                             size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags,
                             float *ws, int room)
{
    const int max = nn_width_max(M), blocks = (K + NN_NEAR_K - 1) / NN_NEAR_K;
    struct nn_panel p = {1, 0, ldb, ldc, K, 0, NULL, flags, 1, 0, 0, 0, 0};
    for (int t = 0, k0 = 0; t < blocks; t++, k0 += p.K) {
        p.K = (K - k0 + blocks - t - 1) / (blocks - t);
        p.flags = nn_block_flags(flags, t == 0, t + 1 == blocks);
        const int fit = room / p.K - max * NN_VL, parts = (M + fit - 1) / fit;
        for (int u = 0, i = 0, m; u < parts; u++, i += m) {
            m = (M - i + parts - u - 1) / (parts - u);
            nn_tiles(&p, m, N, nn_rows_max(max), A + (size_t)k0 * lda + i, lda,
                     B + (size_t)k0 * ldb, ldb, C + (size_t)i * ldc, bias, ws);
        }
    }
}

/* tn for wide vectors, with blocks of A and panels of B copied */
static void nn_product_far(int M, int N, int K, const float *A, size_t lda, const float *B,
                           size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags,
                           float *ws)
{
    struct nn_panel p = {1, NN_BLOCK_M, ldb, ldc, K, 0, NULL, flags, 1, 0, 0, 0, 0};
    const int room = NN_SCRATCH_TN - NN_BLOCK_KA * NN_BLOCK_M;
    for (int k0 = 0; k0 < K; k0 += p.K) {
        p.K = K - k0 < NN_BLOCK_KA ? K - k0 : NN_BLOCK_KA;
        p.flags = nn_block_flags(flags, k0 == 0, k0 + p.K == K);
        for (int m0 = 0, m; m0 < M; m0 += m) {
            m = M - m0 < NN_BLOCK_M ? M - m0 : NN_BLOCK_M;
            for (int k = 0; k < p.K; k++)
                memcpy(ws + (size_t)k * NN_BLOCK_M, A + (size_t)(k0 + k) * lda + m0,
                       (size_t)m * sizeof *ws);
            nn_copied_columns(&p, m, N, ws, B + (size_t)k0 * ldb, ldb, C + (size_t)m0 * ldc, bias,
                              0, ws + NN_BLOCK_KA * NN_BLOCK_M, room);
        }
    }
}

static void nn_product_tn(int M, int N, int K, const float *A, size_t lda, const float *B,
                          size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags,
                          float *ws)
{
    struct nn_panel p = {1, lda, ldb, ldc, K, 0, bias, flags, 1, 0, 0, 0, 0};
    const int far = NN_COPIES_A(M, N, K) && lda % 256 == 0 && (size_t)K * lda >= NN_LARGE;
    if (M <= 0 || N <= 0)
        return;
    if (NN_TURNS(M, N, K))
        nn_product_turned(M, N, K, A, lda, B, ldb, C, ldc, bias, flags);
    else if (ws && NN_NARROW && NN_COPIES_TILES(M, N, K))
        nn_product_tiles(M, N, K, A, lda, B, ldb, C, ldc, bias, flags, ws, nn_room_tn(M, N, K));
    else if (ws && !NN_NARROW && far)
        nn_product_far(M, N, K, A, lda, B, ldb, C, ldc, bias, flags, ws);
    else if ((NN_NARROW && K > NN_NEAR_K) || !nn_one_panel(&p, M, N, A, B, C))
        nn_product_blocks(M, N, K, A, 1, lda, B, ldb, C, ldc, bias, flags, 0, NULL, 0);
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
