/* nn.h - the whole interface of the runtime library that generated networks are linked with.
 *
 * In come plain arrays and sizes, out go plain arrays: nothing here allocates, keeps state
 * between calls (but for the instruction set, decided once) or prints, and every function may be
 * called from several threads at once on different outputs.  Only nn_save and nn_load touch
 * files.  Arrays need the alignment of their elements and no more; an output never overlaps an
 * input unless a comment says so.  Usable from C11 and from C++. */
#ifndef NN_H
#define NN_H
#include <stddef.h>
#include <stdint.h>

/* restrict, for C and for C++ */
#ifndef NN_RESTRICT
#if !defined __cplusplus
#define NN_RESTRICT restrict
#elif defined __GNUC__ || defined _MSC_VER
#define NN_RESTRICT __restrict
#else
#define NN_RESTRICT
#endif
#endif

#if defined __GNUC__
#define NN_UNUSED __attribute__((unused))
#else
#define NN_UNUSED
#endif

/* How the public functions are declared.  In a single-file model they are private to it, so that
 * two such models can be linked into one program; it defines NN_WITHOUT_ KERNELS, RANDOM or FILES
 * for the parts that it leaves out. */
#ifndef NN_API
#ifdef NN_SINGLE_FILE
#define NN_API static NN_UNUSED
#else
#define NN_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the instruction set ------------------------------------------------------------------- */

/* The levels.  BASE is SSE2 on x86-64 and NEON on aarch64. */
enum { NN_LEVEL_SCALAR = 0, NN_LEVEL_BASE = 1, NN_LEVEL_AVX2 = 3, NN_LEVEL_AVX512 = 4 };

/* The level in use: the best the processor has, decided at the first call and kept.  In hosted
 * builds the environment variable NN_ISA = scalar | sse2 | avx2 | avx512 lowers it. */
NN_API int nn_isa(void);
NN_API const char *nn_isa_name(void);

/* Sets the level, as far as the processor allows, and returns it.  For tests and measurements:
 * not while another thread computes. */
NN_API int nn_isa_set(int level);

#ifndef NN_WITHOUT_KERNELS
/* ---- matrix products ----------------------------------------------------------------------- */

/* C[M][N] = A B, or C += A B with NN_ACC; then + bias[j] with NN_BIAS; then one activation.
 * Row-major; lda, ldb and ldc are the distances between rows, in elements.
 *   nn   A[M][K] B[K][N]    y  = x W       forward
 *   nt   A[M][K] B[N][K]    dx = dy W'     backward, data
 *   tn   A[K][M] B[K][N]    dW = x' dy     backward, weights
 * M, N and K may be 0; bias is read only with NN_BIAS.  ws is scratch of nn_gemm_??_work bytes,
 * aligned for its element type (64 bytes is best); it may be NULL where that is 0. */
enum {
    NN_ACC = 1, NN_BIAS = 2, NN_RELU = 4, NN_TANH = 8, NN_SIGMOID = 16, NN_PACKED = 32,
    NN_COLUMNS = 64, NN_TERMS = 128, NN_CLEAR = 256
};

NN_API void nn_gemm_nn(int M, int N, int K, const float *A, int lda, const float *B, int ldb,
                       float *C, int ldc, const float *bias, unsigned flags, void *ws);
NN_API void nn_gemm_nt(int M, int N, int K, const float *A, int lda, const float *B, int ldb,
                       float *C, int ldc, const float *bias, unsigned flags, void *ws);
NN_API void nn_gemm_tn(int M, int N, int K, const float *A, int lda, const float *B, int ldb,
                       float *C, int ldc, const float *bias, unsigned flags, void *ws);
NN_API void nn_gemm_nn_d(int M, int N, int K, const double *A, int lda, const double *B, int ldb,
                         double *C, int ldc, const double *bias, unsigned flags, void *ws);
NN_API void nn_gemm_nt_d(int M, int N, int K, const double *A, int lda, const double *B, int ldb,
                         double *C, int ldc, const double *bias, unsigned flags, void *ws);
NN_API void nn_gemm_tn_d(int M, int N, int K, const double *A, int lda, const double *B, int ldb,
                         double *C, int ldc, const double *bias, unsigned flags, void *ws);

/* The same where less is enough, as under a mask:
 *   NN_COLUMNS   of row i of C, the columns i + lo .. i + hi are wanted; others stay as they were
 *                or become what the whole product has there
 *   NN_CLEAR     without NN_ACC, they become 0 instead of staying as they were
 *   NN_TERMS     row i of A, column i for tn, has 0 beside the terms k = i + lo .. i + hi, which
 *                are all that needs to be read
 * What is summed up is the same sum in the same order as above. */
NN_API void nn_gemm_nn_band(int M, int N, int K, const float *A, int lda, const float *B,
                            int ldb, float *C, int ldc, const float *bias, unsigned flags,
                            int lo, int hi, void *ws);
NN_API void nn_gemm_nt_band(int M, int N, int K, const float *A, int lda, const float *B,
                            int ldb, float *C, int ldc, const float *bias, unsigned flags,
                            int lo, int hi, void *ws);
NN_API void nn_gemm_tn_band(int M, int N, int K, const float *A, int lda, const float *B,
                            int ldb, float *C, int ldc, const float *bias, unsigned flags,
                            int lo, int hi, void *ws);
NN_API void nn_gemm_nn_band_d(int M, int N, int K, const double *A, int lda, const double *B,
                              int ldb, double *C, int ldc, const double *bias, unsigned flags,
                              int lo, int hi, void *ws);
NN_API void nn_gemm_nt_band_d(int M, int N, int K, const double *A, int lda, const double *B,
                              int ldb, double *C, int ldc, const double *bias, unsigned flags,
                              int lo, int hi, void *ws);
NN_API void nn_gemm_tn_band_d(int M, int N, int K, const double *A, int lda, const double *B,
                              int ldb, double *C, int ldc, const double *bias, unsigned flags,
                              int lo, int hi, void *ws);

/* Bytes of ws, with a band or without.  The same on every machine, never more than 256 KiB, and no
 * smaller for larger sizes, so that one bound serves a range of shapes.  README.md gives the
 * formulas. */
NN_API size_t nn_gemm_nn_work(int M, int N, int K);
NN_API size_t nn_gemm_nt_work(int M, int N, int K);
NN_API size_t nn_gemm_tn_work(int M, int N, int K);
NN_API size_t nn_gemm_nn_work_d(int M, int N, int K);
NN_API size_t nn_gemm_nt_work_d(int M, int N, int K);
NN_API size_t nn_gemm_tn_work_d(int M, int N, int K);

/* ---- convolutions -------------------------------------------------------------------------- */

/* Images have their channels innermost: x[N][rows][columns][C], y[N][rows][columns][O]; kernels
 * are k[O][C][P][Q]. Around the image there are zeros:
 *   y[n][i][j][o] = act(sum over c, p, q of x[n][s i + d p - pad][s j + d q - pad][c] k[o][c][p][q]
 *                       + bias[o])
 * with stride s and dilation d; flags are those of the products without NN_ACC.  Up to 16 maps may
 * have several pixels in a vector: then a NaN or an infinity beside a window may make it NaN too.
 * With NN_PACKED, which only nn_conv and nn_conv_d know, kernels are k[P][Q][C][O], and less
 * scratch will do: nn_conv_packed_work bytes. */
struct nn_conv_sizes {
    int x[3], y[3];                       /* rows, columns, channels */
    int window[2];                        /* P, Q */
    int stride[2], pad[2], dilation[2];   /* of rows and columns; pad: before the first */
};

/* forward; dx from dy; dk from x and dy.  ws is scratch of nn_conv_work bytes,
 * for the data of nn_conv_data_work; of nn_conv_work_d for doubles. */
NN_API void nn_conv(int N, const struct nn_conv_sizes *s, const float *x, const float *k, float *y,
                    const float *bias, unsigned flags, void *ws);
NN_API void nn_conv_data(int N, const struct nn_conv_sizes *s, const float *dy, const float *k,
                         float *dx, void *ws);
NN_API void nn_conv_weights(int N, const struct nn_conv_sizes *s, const float *x, const float *dy,
                            float *dk, void *ws);
NN_API void nn_conv_d(int N, const struct nn_conv_sizes *s, const double *x, const double *k,
                      double *y, const double *bias, unsigned flags, void *ws);
NN_API void nn_conv_data_d(int N, const struct nn_conv_sizes *s, const double *dy,
                           const double *k, double *dx, void *ws);
NN_API void nn_conv_weights_d(int N, const struct nn_conv_sizes *s, const double *x,
                              const double *dy, double *dk, void *ws);
NN_API size_t nn_conv_work(const struct nn_conv_sizes *s);
NN_API size_t nn_conv_data_work(const struct nn_conv_sizes *s);
NN_API size_t nn_conv_work_d(const struct nn_conv_sizes *s);
NN_API size_t nn_conv_packed_work(const struct nn_conv_sizes *s); /* of doubles: none */

/* Each channel by itself, with kernels k[P][Q][C] and as many maps as channels:
 *   y[n][i][j][c] = act(sum over p, q of x[n][s i + d p - pad][s j + d q - pad][c] k[p][q][c]
 *                       + bias[c]) */
NN_API void nn_depthwise(int N, const struct nn_conv_sizes *s, const float *x, const float *k,
                         float *y, const float *bias, unsigned flags);
NN_API void nn_depthwise_data(int N, const struct nn_conv_sizes *s, const float *dy, const float *k,
                              float *dx);
NN_API void nn_depthwise_weights(int N, const struct nn_conv_sizes *s, const float *x,
                                 const float *dy, float *dk);
NN_API void nn_depthwise_d(int N, const struct nn_conv_sizes *s, const double *x, const double *k,
                           double *y, const double *bias, unsigned flags);
NN_API void nn_depthwise_data_d(int N, const struct nn_conv_sizes *s, const double *dy,
                                const double *k, double *dx);
NN_API void nn_depthwise_weights_d(int N, const struct nn_conv_sizes *s, const double *x,
                                   const double *dy, double *dk);

/* nn_conv in a quarter of the multiplications, by Winograd's algorithm, for windows of 3 x 3 with
 * stride and dilation 1, 0 to 2 zeros before the image, and 16 or more channels and maps.  Errors
 * are two to three times as large.  Outputs are computed 4 x 4 at a time: where one of them sees a
 * NaN or an infinity, all may be NaN, and so may more of a gradient of kernels.  ws has
 * nn_winograd_work bytes, no fewer for a larger N. */
NN_API void nn_winograd(int N, const struct nn_conv_sizes *s, const float *x, const float *k,
                        float *y, const float *bias, unsigned flags, void *ws);
NN_API void nn_winograd_data(int N, const struct nn_conv_sizes *s, const float *dy, const float *k,
                             float *dx, void *ws);
NN_API void nn_winograd_weights(int N, const struct nn_conv_sizes *s, const float *x,
                                const float *dy, float *dk, void *ws);
NN_API size_t nn_winograd_work(int N, const struct nn_conv_sizes *s);

/* ---- arrays of values ---------------------------------------------------------------------- */

/* y[i] = f(x[i]) for i < n.  y == x is allowed. */
NN_API void nn_vexp(size_t n, const float *x, float *y);
NN_API void nn_vlog(size_t n, const float *x, float *y);
NN_API void nn_vtanh(size_t n, const float *x, float *y);
NN_API void nn_vsigmoid(size_t n, const float *x, float *y);
NN_API void nn_verf(size_t n, const float *x, float *y);

/* Sum, scalar product, largest and smallest value; 0, 0, -inf and inf for n = 0.
 * A NaN anywhere in x is the largest and the smallest value. */
NN_API float nn_vsum(int n, const float *x);
NN_API float nn_vdot(int n, const float *x, const float *y);
NN_API float nn_vmax(int n, const float *x);
NN_API float nn_vmin(int n, const float *x);

#endif
#ifndef NN_WITHOUT_RANDOM
/* ---- random numbers ------------------------------------------------------------------------ */

/* Element i of an array is a pure function of (seed, call, site, i): the Philox-4x32-10 block
 * with key = seed and counter = (i / 4, site, low half of call, high half of call), word i % 4.
 * No two elements share a counter as long as i < 2^34.  The same bits on every machine, for every
 * instruction set, and for a part of an array as for the whole. */

/* Uniform in [0, 1): multiples of 2^-24.  The _d twins give exactly the same numbers. */
NN_API void nn_uniform(float *y, size_t n, uint64_t seed, uint64_t call, uint32_t site);
NN_API void nn_uniform_d(double *y, size_t n, uint64_t seed, uint64_t call, uint32_t site);
NN_API double nn_uniform_at(uint64_t seed, uint64_t call, uint32_t site, uint64_t element);

/* Standard normal.  The float is the double rounded. */
NN_API void nn_normal(float *y, size_t n, uint64_t seed, uint64_t call, uint32_t site);
NN_API void nn_normal_d(double *y, size_t n, uint64_t seed, uint64_t call, uint32_t site);
NN_API double nn_normal_at(uint64_t seed, uint64_t call, uint32_t site, uint64_t element);

/* Makes the columns of w[rows][cols] orthonormal (the rows when there are fewer of them).  Filled
 * with normal values before, w is then uniformly distributed over such matrices.  work has
 * nn_orthogonal_work bytes, aligned for double. */
NN_API void nn_orthogonal(float *w, int rows, int cols, void *work);
NN_API void nn_orthogonal_d(double *w, int rows, int cols, void *work);
NN_API size_t nn_orthogonal_work(int rows, int cols);

#endif
/* ---- files (hosted only) ------------------------------------------------------------------- */

typedef enum nn_dtype {
    NN_F32, NN_F64, NN_F16, NN_I32, NN_U8, NN_I8, NN_BOOL, NN_U64
} nn_dtype;

enum { NN_MAX_RANK = 8 };

/* One array inside a struct: a row of the table that is generated with the struct. */
typedef struct nn_tensor {
    const char *name;
    size_t offset; /* bytes from the start of the struct */
    nn_dtype type;
    int rank; /* 0 for a single value */
    int sizes[NN_MAX_RANK];
} nn_tensor;

/* A struct and its table.  In the file its names follow the prefix ("" for none). */
typedef struct nn_group {
    const char *prefix;
    const nn_tensor *table;
    int count;
    void *base; /* written by nn_load, only read by nn_save */
} nn_group;

#ifndef NN_WITHOUT_FILES
/* Write or read one safetensors file.  0 when done; else -1, and error (of error_size bytes, may
 * be NULL for 0) holds one line that names the file and the tensor.  Saving replaces the file in
 * one step or not at all.  Loading checks the whole file first and changes nothing unless names,
 * types, shapes and length are exactly the table's. */
NN_API int nn_save(const char *path, const nn_tensor *table, int count, const void *base,
                   char *error, size_t error_size);
NN_API int nn_load(const char *path, const nn_tensor *table, int count, void *base,
                   char *error, size_t error_size);

/* The same for several structs in one file: parameters, optimiser state, counters. */
NN_API int nn_save_groups(const char *path, const nn_group *groups, int count,
                          char *error, size_t error_size);
NN_API int nn_load_groups(const char *path, const nn_group *groups, int count,
                          char *error, size_t error_size);
#endif

#ifdef __cplusplus
}
#endif
#endif
