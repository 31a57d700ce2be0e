/* nn_gemm_d.h - matrix products in double, for one pass.
 *
 * In come the operands of nn_gemm_nn_d, nt_d and tn_d, out goes C: loops over a small block of
 * sums with literal bounds, which compilers turn into vectors.  Double is for checking gradients
 * and for reference results, so there is no packing and no table of shapes.  Sums run over k in
 * order from the start value for nn and tn; nt sums in 16 lanes.  Meant to be included inside
 * `#ifdef NN_ISA`, after nn_math.h and nn_reduce.h. */
#ifdef NN_ISA

#define nn_act_row_d NN_NAME(nn_act_row_d)
#define nn_block_d NN_NAME(nn_block_d)
#define nn_product_d NN_NAME(nn_product_d)
#define nn_product_t_d NN_NAME(nn_product_t_d)

/* four rows by two vectors, or by four values where there are none */
#undef NN_BLOCK_D
#define NN_BLOCK_D (NN_LEVEL > 0 ? NN_VB / 4 : 4)

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

/* c[m][n] += a b; m and n are literals wherever speed matters */
NN_INLINE void nn_block_d(int m, int n, int K, const double *a, size_t ras, size_t cas,
                          const double *b, size_t ldb, double *c, size_t ldc)
{
    double s[4][16];
    for (int r = 0; r < m; r++)
        for (int q = 0; q < n; q++)
            s[r][q] = c[(size_t)r * ldc + (size_t)q];
    for (int k = 0; k < K; k++, a += cas, b += ldb)
        for (int r = 0; r < m; r++)
            for (int q = 0; q < n; q++)
                s[r][q] = nn_mad_d(a[(size_t)r * ras], b[q], s[r][q]);
    for (int r = 0; r < m; r++)
        for (int q = 0; q < n; q++)
            c[(size_t)r * ldc + (size_t)q] = s[r][q];
}

static void nn_product_d(int M, int N, int K, const double *A, size_t ras, size_t cas,
                         const double *B, size_t ldb, double *C, size_t ldc, const double *bias,
                         unsigned flags)
{
    for (int i = 0; i < M; i++) {
        double *c = C + (size_t)i * ldc;
        for (int j = 0; j < N; j++)
            c[j] = (flags & NN_ACC ? c[j] : 0.0) + (flags & NN_BIAS ? bias[j] : 0.0);
    }
    for (int i = 0; i < M; i += 4) {
        const double *a = A + (size_t)i * ras;
        double *c = C + (size_t)i * ldc;
        int m = M - i < 4 ? M - i : 4, j = 0;
        for (; m == 4 && j + NN_BLOCK_D <= N; j += NN_BLOCK_D)
            nn_block_d(4, NN_BLOCK_D, K, a, ras, cas, B + j, ldb, c + j, ldc);
        for (; j + NN_BLOCK_D <= N; j += NN_BLOCK_D)
            for (int r = 0; r < m; r++)
                nn_block_d(1, NN_BLOCK_D, K, a + (size_t)r * ras, ras, cas, B + j, ldb,
                           c + (size_t)r * ldc + j, ldc);
        if (j < N)
            nn_block_d(m, N - j, K, a, ras, cas, B + j, ldb, c + j, ldc);
        for (int r = 0; r < m; r++)
            nn_act_row_d(c + (size_t)r * ldc, N, flags);
    }
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
