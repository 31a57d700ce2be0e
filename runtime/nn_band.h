/* nn_band.h - products of which only a band of columns is wanted, or to whose rows only a band of
 * terms contributes, for one pass.
 *
 * In come the operands of nn_gemm_nn_band, nt and tn, out goes C.  Sixteen rows at a time have the
 * columns, or the terms, that one of them has; the tiles of nn_gemm.h compute these.  nt copies B,
 * transposed, one block at a time, and all rows use the copy.  What is summed is summed over k in
 * order; elements of C beside the band are left alone or set to 0, or computed where the sixteen
 * rows reach them: which ones, neither the instruction set nor the number of threads decides.
 * Meant to be included inside `#ifdef NN_ISA`, after nn_gemm.h and nn_gemm_d.h. */
#ifdef NN_ISA

#define nn_band_clear NN_NAME(nn_band_clear)
#define nn_band_tile NN_NAME(nn_band_tile)
#define nn_band_block NN_NAME(nn_band_block)
#define nn_band_rows NN_NAME(nn_band_rows)
#define nn_band_d NN_NAME(nn_band_d)

#ifndef NN_BAND_ONCE
#define NN_BAND_ONCE
NN_COMMON
enum { NN_BAND_ROWS = 16 };

/* A product: row i has the columns, or the terms, i + lo .. i + hi. */
struct nn_banded {
    int M, N, K, lo, hi;
    const float *A, *B, *bias;
    float *C;
    size_t ras, cas, ldb, ldc;
    unsigned flags;
    int turned; /* B[N][K] */
};

/* The columns j .. j + n - 1 and terms k .. k + terms - 1; element [k][j] of B, and its strides. */
struct nn_band_part {
    int j, n, k, terms;
    const float *b;
    size_t rbs, cbs;
    unsigned flags;
};

/* from .. to - 1: what of 0 .. size - 1 the rows i .. i + m - 1 have of the band lo .. hi */
static inline void nn_band_range(int lo, int hi, int i, int m, int size, int *from, int *to)
{
    *from = i + lo < 0 ? 0 : i + lo < size ? i + lo : size;
    *to = i + m + hi < *from ? *from : i + m + hi < size ? i + m + hi : size;
}

/* The same for columns, in whole vectors of every instruction set. */
static inline void nn_band_columns(int lo, int hi, int i, int m, int size, int *from, int *to)
{
    nn_band_range(lo, hi, i, m, size, from, to);
    const int up = (*to + NN_BAND_ROWS - 1) / NN_BAND_ROWS * NN_BAND_ROWS;
    *from -= *from % NN_BAND_ROWS;
    *to = up < size ? up : size;
}
NN_COMMON_END
#endif

/* c[m][from .. to - 1] = 0, sixteen rows at a time column by column: a row is too short for a call
 * of memset. */
NN_INLINE void nn_band_clear(int m, int from, int to, float *c, size_t ldc)
{
    for (int i = 0; i < m; i += NN_BAND_ROWS) {
        const int end = i + NN_BAND_ROWS < m ? i + NN_BAND_ROWS : m;
        int j = from;
#if NN_LEVEL > 0
        for (; j + NN_VL <= to; j += NN_VL)
            for (int r = i; r < end; r++)
                nn_vstore(c + (size_t)r * ldc + j, nn_vset(0.0f));
#endif
        for (; j < to; j++)
            for (int r = i; r < end; r++)
                c[(size_t)r * ldc + (size_t)j] = 0.0f;
    }
}

/* c[m][n] from `terms` terms */
NN_INLINE void nn_band_tile(const struct nn_banded *q, const struct nn_band_part *part, int m,
                            int n, int terms, const float *a, const float *b, float *c,
                            const float *bias)
{
#if NN_LEVEL > 0
    struct nn_panel p = {q->ras, q->cas, part->rbs, q->ldc, terms, 0, bias, part->flags,
                         1,      0,      0,         0,      0};
    if (!nn_one_panel(&p, m, n, a, b, c))
        nn_columns(&p, m, n, a, b, part->rbs, c, bias);
#else
    nn_plain(m, n, terms, a, q->ras, q->cas, b, part->rbs, part->cbs, c, q->ldc, bias,
             part->flags);
#endif
}

/* The rows i0 .. end - 1 of one part; rows with the same columns are computed together. */
static void nn_band_block(const struct nn_banded *q, const struct nn_band_part *part, int i0,
                          int end)
{
    const int columns = (q->flags & NN_COLUMNS) != 0;
    const int first = columns ? part->j : part->k, lo = q->lo - first, hi = q->hi - first;
    for (int i = i0, m; i < end; i += m) {
        int j = 0, to = part->n, k = 0, last = part->terms, from, until;
        m = end - i < NN_BAND_ROWS ? end - i : NN_BAND_ROWS;
        if (!columns)
            nn_band_range(lo, hi, i, m, part->terms, &k, &last);
        else
            nn_band_columns(lo, hi, i, m, part->n, &j, &to);
        for (int more; columns && i + m < end; m += more) {
            more = end - i - m < NN_BAND_ROWS ? end - i - m : NN_BAND_ROWS;
            nn_band_columns(lo, hi, i + m, more, part->n, &from, &until);
            if (from != j || until != to)
                break;
        }
        float *c = q->C + (size_t)i * q->ldc + part->j;
        const int clears = columns && (part->flags & (NN_CLEAR | NN_ACC)) == NN_CLEAR;
#if NN_LEVEL > 0
        if (columns && i + m < end)
            nn_fetch_rows(NN_BAND_ROWS, clears ? part->n : to, c + (size_t)m * q->ldc, q->ldc, 1);
#endif
        if (clears) {
            nn_band_clear(m, 0, j, c, q->ldc);
            nn_band_clear(m, to, part->n, c, q->ldc);
        }
        if (j < to)
            nn_band_tile(q, part, m, to - j, last - k,
                         q->A + (size_t)i * q->ras + (size_t)(part->k + k) * q->cas,
                         part->b + (size_t)k * part->rbs + (size_t)j * part->cbs, c + j,
                         part->flags & NN_BIAS ? q->bias + part->j + j : c);
    }
}

/* The rows from .. to - 1. */
static void nn_band_rows(const struct nn_banded *q, float *ws, int from, int to)
{
    (void)ws;
#if NN_LEVEL > 0
    const int blocks = q->K > NN_BLOCK_K ? (q->K + NN_BLOCK_K - 1) / NN_BLOCK_K : 1;
    struct nn_band_part p = {0, 0, 0, q->K, q->B, q->ldb, 1, q->flags};
    for (; q->turned && p.j < q->N; p.j += NN_BLOCK_N) {
        p.n = q->N - p.j < NN_BLOCK_N ? q->N - p.j : NN_BLOCK_N;
        const int vectors = (p.n + NN_VL - 1) / NN_VL, tail = p.n - (vectors - 1) * NN_VL;
        p.rbs = (size_t)(vectors * NN_VL);
        p.b = ws;
        for (int t = p.k = 0; t < blocks; t++, p.k += p.terms) {
            p.terms = (q->K - p.k + blocks - t - 1) / (blocks - t);
            p.flags = nn_block_flags(q->flags, t == 0, t + 1 == blocks);
            nn_transpose_panel(ws, q->B + (size_t)p.j * q->ldb + p.k, q->ldb, p.terms, vectors,
                               tail);
            nn_band_block(q, &p, from, to);
        }
    }
    if (q->turned)
        return;
    p.n = q->N;
#else
    const size_t rbs = q->turned ? 1 : q->ldb, cbs = q->turned ? q->ldb : 1;
    const struct nn_band_part p = {0, q->N, 0, q->K, q->B, rbs, cbs, q->flags};
#endif
    nn_band_block(q, &p, from, to);
}

/* The same in double, where nothing is copied. */
static void nn_band_d(int M, int N, int K, const double *A, size_t ras, size_t cas, const double *B,
                      size_t ldb, int turned, double *C, size_t ldc, const double *bias,
                      unsigned flags, int lo, int hi)
{
    for (int i = 0, m; i < M; i += m, A += (size_t)m * ras, C += (size_t)m * ldc) {
        int j = 0, to = N, k = 0, last = K;
        m = M - i < NN_BAND_ROWS ? M - i : NN_BAND_ROWS;
        if (flags & NN_COLUMNS)
            nn_band_columns(lo, hi, i, m, N, &j, &to);
        else
            nn_band_range(lo, hi, i, m, K, &k, &last);
        for (int r = 0; (flags & (NN_CLEAR | NN_ACC)) == NN_CLEAR && r < m; r++)
            memset(C + (size_t)r * ldc, 0, (size_t)N * sizeof *C);
        const double *a = A + (size_t)k * cas, *starts = flags & NN_BIAS ? bias + j : bias;
        if (j < to && turned)
            nn_product_t_d(m, to - j, last - k, a, ras, B + (size_t)j * ldb + k, ldb, C + j, ldc,
                           starts, flags);
        else if (j < to)
            nn_product_d(m, to - j, last - k, a, ras, cas, B + (size_t)k * ldb + j, ldb, C + j, ldc,
                         starts, flags);
    }
}
#endif
