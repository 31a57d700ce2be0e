/* nn_gemm.h - matrix products for one pass: the plain form, for double and where there are no
 * vector types.
 *
 * In come A through a row and a column stride (so that nn and tn are one), B by rows (or by
 * columns, for nt), out goes C.  Every element of C is summed in the order k = 0, 1, 2 ... from
 * its start value, whatever M and N are.  Meant to be included inside `#ifdef NN_ISA`, after
 * nn_math.h and nn_reduce.h. */
#ifdef NN_ISA

#define nn_act_row NN_NAME(nn_act_row)
#define nn_product NN_NAME(nn_product)
#define nn_product_t NN_NAME(nn_product_t)
#define nn_act_row_d NN_NAME(nn_act_row_d)
#define nn_product_d NN_NAME(nn_product_d)
#define nn_product_t_d NN_NAME(nn_product_t_d)

/* the activation over n values just stored: they are still in the first-level cache */
NN_NOINLINE void nn_act_row(float *c, int n, unsigned flags)
{
    if (flags & NN_RELU)
        for (int j = 0; j < n; j++)
            c[j] = nn_fmax(c[j], 0.0f);
    if (flags & NN_TANH)
        for (int j = 0; j < n; j++)
            c[j] = nn_tanh(c[j]);
    if (flags & NN_SIGMOID)
        for (int j = 0; j < n; j++)
            c[j] = nn_sigmoid(c[j]);
}

NN_NOINLINE void nn_product(int M, int N, int K, const float *A, size_t ras, size_t cas,
                            const float *B, size_t ldb, float *C, size_t ldc, const float *bias,
                            unsigned flags)
{
    for (int i = 0; i < M; i++) {
        float *NN_RESTRICT c = C + (size_t)i * ldc;
        if (!(flags & NN_ACC))
            for (int j = 0; j < N; j++)
                c[j] = 0.0f;
        if (flags & NN_BIAS)
            for (int j = 0; j < N; j++)
                c[j] += bias[j];
        for (int k = 0; k < K; k++) {
            float a = A[(size_t)i * ras + (size_t)k * cas];
            const float *b = B + (size_t)k * ldb;
            for (int j = 0; j < N; j++)
                c[j] = nn_mad(a, b[j], c[j]);
        }
        nn_act_row(c, N, flags);
    }
}

NN_NOINLINE void nn_product_t(int M, int N, int K, const float *A, size_t lda, const float *B,
                              size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags)
{
    for (int i = 0; i < M; i++) {
        float *c = C + (size_t)i * ldc;
        for (int j = 0; j < N; j++) {
            float s = nn_dot(A + (size_t)i * lda, B + (size_t)j * ldb, K);
            if (flags & NN_ACC)
                s += c[j];
            if (flags & NN_BIAS)
                s += bias[j];
            c[j] = s;
        }
        nn_act_row(c, N, flags);
    }
}

NN_NOINLINE void nn_act_row_d(double *c, int n, unsigned flags)
{
    if (flags & NN_RELU)
        for (int j = 0; j < n; j++)
            c[j] = nn_fmax_d(c[j], 0.0);
    if (flags & NN_TANH)
        for (int j = 0; j < n; j++)
            c[j] = nn_tanh_d(c[j]);
    if (flags & NN_SIGMOID)
        for (int j = 0; j < n; j++)
            c[j] = nn_sigmoid_d(c[j]);
}

NN_NOINLINE void nn_product_d(int M, int N, int K, const double *A, size_t ras, size_t cas,
                              const double *B, size_t ldb, double *C, size_t ldc,
                              const double *bias, unsigned flags)
{
    for (int i = 0; i < M; i++) {
        double *NN_RESTRICT c = C + (size_t)i * ldc;
        if (!(flags & NN_ACC))
            for (int j = 0; j < N; j++)
                c[j] = 0.0;
        if (flags & NN_BIAS)
            for (int j = 0; j < N; j++)
                c[j] += bias[j];
        for (int k = 0; k < K; k++) {
            double a = A[(size_t)i * ras + (size_t)k * cas];
            const double *b = B + (size_t)k * ldb;
            for (int j = 0; j < N; j++)
                c[j] = nn_mad_d(a, b[j], c[j]);
        }
        nn_act_row_d(c, N, flags);
    }
}

NN_NOINLINE void nn_product_t_d(int M, int N, int K, const double *A, size_t lda,
                                const double *B, size_t ldb, double *C, size_t ldc,
                                const double *bias, unsigned flags)
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
