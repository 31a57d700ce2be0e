/* nn_fixed.h - small matrix products whose sizes the C compiler knows, for one pass.
 *
 * In come the operands of nn_gemm_nn and nn_gemm_tn with literal sizes, out goes C, in the same
 * bits: the tiles are instantiated in the caller, and nothing is left of the choice of shapes.
 * Two to four times as fast up to 8^3, 1.4 times at 16^3, no faster from 64 x 10 x 256 on; each
 * use costs 1 to 3 KB of code and a third of a second of compilation for each pass.  Meant to be
 * included inside `#ifdef NN_ISA`, after nn_math.h. */
#ifdef NN_ISA
#include "nn_vec.h"
#include "nn_tile.h"

#define nn_fixed_rows NN_NAME(nn_fixed_rows)
#define nn_fixed NN_NAME(nn_fixed)

#if NN_LEVEL > 0

/* all rows of `panels` column panels, each nv vectors wide */
NN_INLINE void nn_fixed_rows(const int M, const int nv, const int masked, struct nn_panel *p,
                             const float *a, const float *b, float *c, int panels)
{
    const int most = nn_rows_max(nv), n = (M + most - 1) / most, q = M / n, longer = M % n;
    for (; panels > 0; panels--) {
        if (longer)
            nn_chunks(q + 1, nv, masked, 0, p, a, b, c, longer);
        nn_chunks(q, nv, masked, 0, p, a + (size_t)(longer * (q + 1)) * p->ras, b,
                  c + (size_t)(longer * (q + 1)) * p->ldc, n - longer);
        b += nv * NN_VL;
        c += nv * NN_VL;
        if (p->flags & NN_BIAS)
            p->bias += nv * NN_VL;
    }
}

/* Full panels of one width, then of a narrower one, then the last panel where lanes of its last
 * vector are unused or it is narrower still; everything folds to literals. */
NN_INLINE void nn_fixed(const int M, const int N, const int K, const float *A, const int ras,
                        const int cas, const float *B, const int ldb, float *C, const int ldc,
                        const float *bias, const unsigned flags)
{
    const int vectors = (N + NN_VL - 1) / NN_VL, tail = N - (vectors - 1) * NN_VL;
    const int max = nn_width_max(M), w0 = nn_width_next(vectors, max);
    const int panels = (vectors + max - 1) / max, rest = vectors % panels;
    const int n0 = w0 >= 8 ? vectors / w0 : rest ? rest : panels, left0 = vectors - n0 * w0;
    const int w1 = left0 ? nn_width_next(left0, max) : w0, n1 = left0 / w1, left1 = left0 % w1;
    const int last = left1 ? left1 : w1, masked = left1 || tail < NN_VL;
    const int full0 = n0 - (masked && !left0), full1 = n1 - (masked && left0 && !left1);
    const int j = full0 * w0 * NN_VL, l = j + full1 * w1 * NN_VL;
    struct nn_panel p = {(size_t)ras, (size_t)cas, (size_t)ldb, (size_t)ldc, K, NN_VL, bias, flags,
                         1, 0, 0, 0};
    if (M <= 0 || N <= 0)
        return;
    nn_fixed_rows(M, w0, 0, &p, A, B, C, full0);
    nn_fixed_rows(M, w1, 0, &p, A, B + j, C + j, full1);
    p.tail = tail;
    nn_fixed_rows(M, last, 1, &p, A, B + l, C + l, masked);
}
#else

NN_INLINE void nn_fixed(const int M, const int N, const int K, const float *A, const int ras,
                        const int cas, const float *B, const int ldb, float *C, const int ldc,
                        const float *bias, const unsigned flags)
{
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            float s = flags & NN_BIAS ? bias[j] : 0.0f;
            if (flags & NN_ACC)
                s = C[i * ldc + j] + s;
            for (int k = 0; k < K; k++)
                s = nn_mad(A[i * ras + k * cas], B[k * ldb + j], s);
            s = flags & NN_RELU ? nn_fmax(s, 0.0f) : s;
            s = flags & NN_TANH ? nn_tanh(s) : flags & NN_SIGMOID ? nn_sigmoid(s) : s;
            C[i * ldc + j] = s;
        }
}
#endif

/* C[M][N] = A[M][K] B[K][N], or += with NN_ACC, and so on as in nn_gemm_nn.  As functions, they
 * would each be one more copy of all the tiles for the compiler. */
#undef nn_fixed_nn
#define nn_fixed_nn(M, N, K, A, lda, B, ldb, C, ldc, bias, flags) \
    nn_fixed(M, N, K, A, lda, 1, B, ldb, C, ldc, bias, flags)
/* C[M][N] = A[K][M]' B[K][N] */
#undef nn_fixed_tn
#define nn_fixed_tn(M, N, K, A, lda, B, ldb, C, ldc, bias, flags) \
    nn_fixed(M, N, K, A, 1, lda, B, ldb, C, ldc, bias, flags)
#endif
