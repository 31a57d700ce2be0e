/* nn_gemm_d.h - matrix products in double, for one pass.
 *
 * In come the operands of nn_gemm_nn_d, nt_d and tn_d, out goes C: four rows by two vectors at
 * a time.  Double is for checking gradients and for reference results, so there is no packing and
 * no table of shapes, and no FMA: the bits are the same on every machine.  Sums run over k in
 * order from the start value for nn and tn; nt sums in 16 lanes.  Meant to be included inside
 * `#ifdef NN_ISA`, after nn_math.h and nn_reduce.h. */
#ifdef NN_ISA

#define nn_act_row_d NN_NAME(nn_act_row_d)
#define nn_vd NN_NAME(nn_vd)
#define nn_block_d NN_NAME(nn_block_d)
#define nn_rest_d NN_NAME(nn_rest_d)
#define nn_strip_d NN_NAME(nn_strip_d)
#define nn_product_d NN_NAME(nn_product_d)
#define nn_product_t_d NN_NAME(nn_product_t_d)

static void nn_act_row_d(double *c, int n, unsigned flags)
{
    if (flags & NN_RELU)
        for (int j = 0; j < n; j++)
            c[j] = nn_fmax_d(c[j], 0.0);
    else if (flags & NN_TANH)
        for (int j = 0; j < n; j++)
            c[j] = nn_tanh_d(c[j]);
    else if (flags & NN_SIGMOID)
        for (int j = 0; j < n; j++)
            c[j] = nn_sigmoid_d(c[j]);
}

/* c[m][n] += a b, any m <= 4 and n <= 16 */
static void nn_rest_d(int m, int n, int K, const double *a, size_t ras, size_t cas,
                      const double *b, size_t ldb, double *c, size_t ldc)
{
    for (int r = 0; r < m; r++)
        for (int q = 0; q < n; q++) {
            double s = c[(size_t)r * ldc + (size_t)q];
            for (int k = 0; k < K; k++)
                s += a[(size_t)r * ras + (size_t)k * cas] * b[(size_t)k * ldb + (size_t)q];
            c[(size_t)r * ldc + (size_t)q] = s;
        }
}

#if NN_LEVEL > 0
typedef double nn_vd __attribute__((vector_size(NN_VB)));

/* c[mr][nv vectors] += a b; mr and nv are literals */
NN_INLINE void nn_block_d(const int mr, const int nv, int K, const double *a, size_t ras,
                          size_t cas, const double *b, size_t ldb, double *c, size_t ldc)
{
    nn_vd s[4][2], x[2];
    NN_UNROLL
    for (int r = 0; r < mr; r++)
        NN_UNROLL
        for (int v = 0; v < nv; v++)
            memcpy(&s[r][v], c + (size_t)r * ldc + v * (NN_VB / 8), NN_VB);
    NN_NO_UNROLL
    for (int k = 0; k < K; k++, a += cas, b += ldb) {
        NN_UNROLL
        for (int v = 0; v < nv; v++)
            memcpy(&x[v], b + v * (NN_VB / 8), NN_VB);
        NN_UNROLL
        for (int r = 0; r < mr; r++)
            NN_UNROLL
            for (int v = 0; v < nv; v++)
                s[r][v] += a[(size_t)r * ras] * x[v];
    }
    NN_UNROLL
    for (int r = 0; r < mr; r++)
        NN_UNROLL
        for (int v = 0; v < nv; v++)
            memcpy(c + (size_t)r * ldc + v * (NN_VB / 8), &s[r][v], NN_VB);
}

/* c[mr][N] += a b */
NN_INLINE void nn_strip_d(const int mr, int N, int K, const double *a, size_t ras, size_t cas,
                          const double *b, size_t ldb, double *c, size_t ldc)
{
    enum { LANES = NN_VB / 8 };
    int j = 0;
    for (; j + 2 * LANES <= N; j += 2 * LANES)
        nn_block_d(mr, 2, K, a, ras, cas, b + j, ldb, c + j, ldc);
    for (; j + LANES <= N; j += LANES)
        nn_block_d(mr, 1, K, a, ras, cas, b + j, ldb, c + j, ldc);
    nn_rest_d(mr, N - j, K, a, ras, cas, b + j, ldb, c + j, ldc);
}
#else
NN_INLINE void nn_strip_d(const int mr, int N, int K, const double *a, size_t ras, size_t cas,
                          const double *b, size_t ldb, double *c, size_t ldc)
{
    nn_rest_d(mr, N, K, a, ras, cas, b, ldb, c, ldc);
}
#endif

static void nn_product_d(int M, int N, int K, const double *A, size_t ras, size_t cas,
                         const double *B, size_t ldb, double *C, size_t ldc, const double *bias,
                         unsigned flags)
{
    for (int i = 0; i < M; i++) {
        double *c = C + (size_t)i * ldc;
        for (int j = 0; j < N; j++)
            c[j] = (flags & NN_ACC ? c[j] : 0.0) + (flags & NN_BIAS ? bias[j] : 0.0);
    }
    int i = 0;
    for (; i + 4 <= M; i += 4)
        nn_strip_d(4, N, K, A + (size_t)i * ras, ras, cas, B, ldb, C + (size_t)i * ldc, ldc);
    for (; i < M; i++)
        nn_strip_d(1, N, K, A + (size_t)i * ras, ras, cas, B, ldb, C + (size_t)i * ldc, ldc);
    for (i = 0; i < M; i++)
        nn_act_row_d(C + (size_t)i * ldc, N, flags);
}

static void nn_product_t_d(int M, int N, int K, const double *A, size_t lda, const double *B,
                           size_t ldb, double *C, size_t ldc, const double *bias, unsigned flags)
{
    for (int i = 0; i < M; i++) {
        double *c = C + (size_t)i * ldc;
        for (int j = 0; j < N; j++) {
            double s = nn_dot_d(A + (size_t)i * lda, B + (size_t)j * ldb, K);
            if (flags & NN_ACC)
                s += c[j];
            if (flags & NN_BIAS)
                s += bias[j];
            c[j] = s;
        }
        nn_act_row_d(c, N, flags);
    }
}
#endif
