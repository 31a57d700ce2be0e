/* nn_kernels.c - the public matrix products, convolutions and functions over arrays.
 *
 * In come the arguments of nn.h, out goes a call of the version for this processor: the headers
 * below are compiled here once per instruction set. */
#ifndef NN_SELF
#define NN_SELF "nn_kernels.c"
#endif
#include "nn_isa.h"
#ifdef NN_ISA
#include "nn_math.h"
#include "nn_reduce.h"
#include "nn_gemm.h"
#include "nn_gemm_d.h"
#include "nn_band.h"
#include "nn_conv.h"
#include "nn_conv_data.h"
#include "nn_conv_weights.h"
#include "nn_depthwise.h"
#include "nn_conv_winograd.h"

#define nn_map_exp NN_NAME(nn_map_exp)
#define nn_map_log NN_NAME(nn_map_log)
#define nn_map_tanh NN_NAME(nn_map_tanh)
#define nn_map_sigmoid NN_NAME(nn_map_sigmoid)
#define nn_map_erf NN_NAME(nn_map_erf)

static void nn_map_exp(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = nn_exp(x[i]);
}

static void nn_map_log(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = nn_log(x[i]);
}

static void nn_map_tanh(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = nn_tanh(x[i]);
}

static void nn_map_sigmoid(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = nn_sigmoid(x[i]);
}

static void nn_map_erf(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = nn_erf(x[i]);
}

#else

/* ---- products in several threads ---- */

typedef void nn_product_fn(int M, int N, int K, const float *A, size_t lda, const float *B,
                           size_t ldb, float *C, size_t ldc, const float *bias, unsigned flags,
                           float *ws);

#ifdef _OPENMP
enum { NN_PART_ROWS = 32 }; /* of a thread at least */

/* The rows of one thread, with scratch of its own where there is any. */
NN_NOINLINE void nn_part(nn_product_fn *f, int copies, int M, int N, int K, const float *A,
                         size_t lda, const float *B, size_t ldb, float *C, size_t ldc,
                         const float *bias, unsigned flags)
{
    float ws[NN_SCRATCH_TN]; /* what the largest form takes */
    f(M, N, K, A, lda, B, ldb, C, ldc, bias, flags, copies ? ws : NULL);
}
#endif

/* f for all rows, which lie `step` apart in A. Rows do not depend on each other, so the bits are
 * the same for any number of threads. */
static void nn_share(nn_product_fn *f, size_t step, int M, int N, int K, const float *A, size_t lda,
                     const float *B, size_t ldb, float *C, size_t ldc, const float *bias,
                     unsigned flags, float *ws)
{
#ifdef _OPENMP
    const double cost = 0.02 * NN_PART_ROWS * N * K; /* 50 multiply-adds a nanosecond */
    const int parts = nn_parts(M / NN_PART_ROWS, cost), copies = ws != NULL;
    if (parts > 1) {
#pragma omp parallel for num_threads(parts) schedule(static)
        for (int p = 0; p < parts; p++) {
            const int from = NN_PART(M, p, parts);
            const int rows = NN_PART(M, p + 1, parts) - from;
            nn_part(f, copies, rows, N, K, A + (size_t)from * step, lda, B, ldb,
                    C + (size_t)from * ldc, ldc, bias, flags);
        }
        return;
    }
#else
    (void)step;
#endif
    f(M, N, K, A, lda, B, ldb, C, ldc, bias, flags, ws);
}

/* Rows of a band, in sixteens, with scratch of the thread's own where there are several. */
NN_NOINLINE void nn_band_share(const struct nn_banded *q, float *ws, int from, int to)
{
    NN_OWN_SCRATCH(ws, NN_SCRATCH * sizeof(float));
    to *= NN_BAND_ROWS;
    NN_CALL(nn_band_rows)(q, ws, from * NN_BAND_ROWS, to < q->M ? to : q->M);
}

static void nn_band(const struct nn_banded *q, void *ws)
{
    const int width = q->hi - q->lo + NN_BAND_ROWS, most = q->flags & NN_COLUMNS ? q->N : q->K;
    const double part = width < most ? width : most;
    const double cost = 0.02 * NN_BAND_ROWS * part * (q->flags & NN_COLUMNS ? q->K : q->N);
    NN_SHARE((q->M + NN_BAND_ROWS - 1) / NN_BAND_ROWS, cost,
             nn_band_share(q, (float *)ws, nn_from, nn_to));
}

/* ---- convolutions in several threads ---- */

/* nanoseconds of one image, at 50 multiply-adds in each */
static double nn_image_cost(const struct nn_conv_sizes *s)
{
    return 0.02 * s->y[0] * s->y[1] * (double)nn_conv_elements(s);
}

/* where each channel is by itself */
static double nn_channels_cost(const struct nn_conv_sizes *s)
{
    return 0.02 * s->y[0] * s->y[1] * s->x[2] * s->window[0] * s->window[1];
}

/* rows of outputs, which do not depend on each other */
static void nn_share_rows(const struct nn_correlation *q, int N, const struct nn_conv_sizes *s,
                          const void *x, void *y)
{
    if (s->y[0] > 0)
        NN_SHARE(N * s->y[0], nn_image_cost(s) / s->y[0],
                 NN_CALL(nn_correlate_rows)(q, x, y, nn_from, nn_to));
}

/* Images from .. to - 1, with room for windows behind the kernels, or of the thread's own. */
NN_NOINLINE void nn_window_part(const struct nn_conv_sizes *s, const float *dy, float *ws,
                                float *dx, int from, int to)
{
    float *room = ws + nn_conv_elements(s);
    NN_OWN_SCRATCH(room, NN_WINDOW_ROOM * sizeof(float));
    NN_CALL(nn_data_windows)(s, dy, ws, dx, room, from, to);
}

/* Rows of the sums: every thread goes through all images, so that each sum has one order. */
static void nn_share_weights(const struct nn_weight_sums *sums, int N,
                             const struct nn_conv_sizes *s, const void *x)
{
    const struct nn_correlation *g[2] = {&sums->wide, &sums->rest};
    const char *const dy[2] = {sums->wide_dy, sums->rest_dy};
    char *const w[2] = {sums->wide_w, sums->w};
    for (int i = 0; i < 2; i++) {
        const int rows = g[i]->rows.taps * g[i]->columns.taps * g[i]->channels;
        if (g[i]->columns.out > 0 && rows > 0)
            NN_SHARE(rows, nn_image_cost(s) * N / rows,
                     NN_CALL(nn_weights_part)(g[i], N, (const char *)x, dy[i], w[i], nn_from,
                                              nn_to));
    }
}

/* elements of the wide kernels, and of their biases, that some instruction set may want */
static size_t nn_shared_elements(const struct nn_conv_sizes *s)
{
    size_t most = 0;
    for (int p = 2; p * s->y[2] <= NN_SHARED_LANES && s->y[2] > 0; p++) {
        const size_t wide = nn_wide_elements(s, p) + (size_t)(p * s->y[2]);
        const int saves = nn_saves_lanes(s, p, 4) || nn_saves_lanes(s, p, 8) ||
                          nn_saves_lanes(s, p, 16);
        if (saves && wide > most)
            most = wide;
    }
    return most;
}

/* ---- tiles in several threads ---- */

/* s as a convolution in tiles: of x, or with the kernels turned of dy */
static struct nn_winograd nn_winograd_of(int N, const struct nn_conv_sizes *s, const float *k,
                                         int packed, int turned, void *ws)
{
    const size_t C = (size_t)s->x[2], O = (size_t)s->y[2];
    struct nn_winograd w = {*s, 0, 0, k, 1, 9, 9 * C, turned, NULL, 0, (float *)ws, (float *)ws};
    if (packed) {
        w.k_tap = C * O;
        w.k_channel = O;
        w.k_map = 1;
    }
    for (int i = 0; i < 3 && turned; i++) {
        w.s.x[i] = s->y[i];
        w.s.y[i] = s->x[i];
    }
    if (turned) {
        w.s.pad[0] = 2 - s->pad[0];
        w.s.pad[1] = 2 - s->pad[1];
        w.k_channel = 9 * C;
        w.k_map = 9;
    }
    w.all = nn_tiles_of(N, &w.s);
    w.parts = nn_strip_parts(w.all);
    w.strips += nn_kernel_elements(&w.s);
    return w;
}

/* nanoseconds of all tiles, at 50 multiply-adds in each; of the inputs of one, at two elements; and
 * of the kernels of one channel, at ten */
static double nn_winograd_cost(const struct nn_winograd *w)
{
    return 0.02 * w->all * NN_TILE_ALL * w->s.x[2] * w->s.y[2];
}

static double nn_inputs_cost(int channels)
{
    return 0.5 * NN_TILE_ALL * channels;
}

static double nn_kernels_cost(const struct nn_winograd *w)
{
    return 0.1 * NN_TILE_ALL * w->s.y[2];
}

/* Many tiles: kernels are shared by channels, and then tiles. */
static void nn_share_strips(const struct nn_winograd *w, const float *x, float *y)
{
    const int O = w->s.y[2];
    NN_SHARE(w->s.x[2], nn_kernels_cost(w),
             NN_CALL(nn_winograd_kernels)(w, w->u, nn_from, nn_to, 0, O));
    NN_SHARE(w->parts, nn_winograd_cost(w) / w->parts,
             NN_CALL(nn_winograd_strips)(w, x, y, nn_from, nn_to));
}

/* Few tiles: maps are shared. */
static void nn_share_maps(const struct nn_winograd *w, const float *x, float *y)
{
    const int C = w->s.x[2], parts = nn_map_parts(w->s.y[2]);
    const double cost = nn_winograd_cost(w) + C * nn_kernels_cost(w);
    NN_SHARE(w->all, nn_inputs_cost(C), NN_CALL(nn_winograd_inputs)(w, x, nn_from, nn_to));
    NN_SHARE(parts, cost / parts, NN_CALL(nn_winograd_maps)(w, y, nn_from, nn_to));
}

static void nn_share_winograd(const struct nn_winograd *w, const float *x, float *y)
{
    (w->all <= NN_STRIP_PART * w->parts ? nn_share_maps : nn_share_strips)(w, x, y);
}

/* A strip after another: its tiles are shared, then its planes, so that each sum has one order. */
static void nn_share_sums(const struct nn_winograd *w, const float *x, const float *dy)
{
    const int C = w->s.x[2], O = w->s.y[2], most = NN_STRIP_PART * w->parts;
    const int strips = (w->all + most - 1) / most;
    for (int i = 0; i < strips; i++) {
        const int first = NN_PART(w->all, i, strips), n = NN_PART(w->all, i + 1, strips) - first;
        NN_SHARE(n, nn_inputs_cost(C + O),
                 NN_CALL(nn_winograd_take)(w, x, dy, first, n, nn_from, nn_to));
        NN_SHARE(NN_TILE_ALL, 0.02 * n * C * O,
                 NN_CALL(nn_winograd_add)(w, first, n, nn_from, nn_to));
    }
}

/* ---- the interface ---- */

NN_API void nn_gemm_nn(int M, int N, int K, const float *A, int lda, const float *B, int ldb,
                       float *C, int ldc, const float *bias, unsigned flags, void *ws)
{
    nn_share(NN_CALL(nn_product), (size_t)lda, M, N, K, A, (size_t)lda, B, (size_t)ldb, C,
             (size_t)ldc, bias, flags, (float *)ws);
}

NN_API void nn_gemm_nt(int M, int N, int K, const float *A, int lda, const float *B, int ldb,
                       float *C, int ldc, const float *bias, unsigned flags, void *ws)
{
    /* decided here, as threads have fewer rows: the sizes alone say in which order is summed */
    nn_product_fn *f = NN_IN_LANES(M, N, K) ? NN_CALL(nn_product_lanes) : NN_CALL(nn_product_t);
    nn_share(f, (size_t)lda, M, N, K, A, (size_t)lda, B, (size_t)ldb, C, (size_t)ldc,
             bias, flags, (float *)ws);
}

NN_API void nn_gemm_tn(int M, int N, int K, const float *A, int lda, const float *B, int ldb,
                       float *C, int ldc, const float *bias, unsigned flags, void *ws)
{
    nn_share(NN_CALL(nn_product_tn), 1, M, N, K, A, (size_t)lda, B, (size_t)ldb, C, (size_t)ldc,
             bias, flags, (float *)ws);
}

NN_API void nn_gemm_nn_d(int M, int N, int K, const double *A, int lda, const double *B, int ldb,
                         double *C, int ldc, const double *bias, unsigned flags, void *ws)
{
    (void)ws;
    NN_CALL(nn_product_d)(M, N, K, A, (size_t)lda, 1, B, (size_t)ldb, C, (size_t)ldc, bias, flags);
}

NN_API void nn_gemm_nt_d(int M, int N, int K, const double *A, int lda, const double *B, int ldb,
                         double *C, int ldc, const double *bias, unsigned flags, void *ws)
{
    (void)ws;
    NN_CALL(nn_product_t_d)(M, N, K, A, (size_t)lda, B, (size_t)ldb, C, (size_t)ldc, bias, flags);
}

NN_API void nn_gemm_tn_d(int M, int N, int K, const double *A, int lda, const double *B, int ldb,
                         double *C, int ldc, const double *bias, unsigned flags, void *ws)
{
    (void)ws;
    NN_CALL(nn_product_d)(M, N, K, A, 1, (size_t)lda, B, (size_t)ldb, C, (size_t)ldc, bias, flags);
}

NN_API void nn_gemm_nn_band(int M, int N, int K, const float *A, int lda, const float *B,
                            int ldb, float *C, int ldc, const float *bias, unsigned flags,
                            int lo, int hi, void *ws)
{
    const struct nn_banded q = {M, N, K, lo, hi, A, B, bias, C, (size_t)lda, 1,
                                (size_t)ldb, (size_t)ldc, flags, 0};
    nn_band(&q, ws);
}

NN_API void nn_gemm_nt_band(int M, int N, int K, const float *A, int lda, const float *B,
                            int ldb, float *C, int ldc, const float *bias, unsigned flags,
                            int lo, int hi, void *ws)
{
    const struct nn_banded q = {M, N, K, lo, hi, A, B, bias, C, (size_t)lda, 1,
                                (size_t)ldb, (size_t)ldc, flags, 1};
    if (!ws || NN_IN_LANES(M, N, K))
        nn_gemm_nt(M, N, K, A, lda, B, ldb, C, ldc, bias, flags, ws);
    else
        nn_band(&q, ws);
}

NN_API void nn_gemm_tn_band(int M, int N, int K, const float *A, int lda, const float *B,
                            int ldb, float *C, int ldc, const float *bias, unsigned flags,
                            int lo, int hi, void *ws)
{
    const struct nn_banded q = {M, N, K, lo, hi, A, B, bias, C, 1, (size_t)lda,
                                (size_t)ldb, (size_t)ldc, flags, 0};
    nn_band(&q, ws);
}

NN_API void nn_gemm_nn_band_d(int M, int N, int K, const double *A, int lda, const double *B,
                              int ldb, double *C, int ldc, const double *bias, unsigned flags,
                              int lo, int hi, void *ws)
{
    (void)ws;
    NN_CALL(nn_band_d)(M, N, K, A, (size_t)lda, 1, B, (size_t)ldb, 0, C, (size_t)ldc,
                       bias, flags, lo, hi);
}

NN_API void nn_gemm_nt_band_d(int M, int N, int K, const double *A, int lda, const double *B,
                              int ldb, double *C, int ldc, const double *bias, unsigned flags,
                              int lo, int hi, void *ws)
{
    (void)ws;
    NN_CALL(nn_band_d)(M, N, K, A, (size_t)lda, 1, B, (size_t)ldb, 1, C, (size_t)ldc,
                       bias, flags, lo, hi);
}

NN_API void nn_gemm_tn_band_d(int M, int N, int K, const double *A, int lda, const double *B,
                              int ldb, double *C, int ldc, const double *bias, unsigned flags,
                              int lo, int hi, void *ws)
{
    (void)ws;
    NN_CALL(nn_band_d)(M, N, K, A, 1, (size_t)lda, B, (size_t)ldb, 0, C, (size_t)ldc,
                       bias, flags, lo, hi);
}

NN_API size_t nn_gemm_nn_work(int M, int N, int K)
{
    return (size_t)nn_room_nn(M, N, K) * sizeof(float);
}

NN_API size_t nn_gemm_nt_work(int M, int N, int K)
{
    return (size_t)nn_room_nt(M, N, K) * sizeof(float);
}

NN_API size_t nn_gemm_tn_work(int M, int N, int K)
{
    return (size_t)nn_room_tn(M, N, K) * sizeof(float);
}

NN_API size_t nn_gemm_nn_work_d(int M, int N, int K)
{
    (void)M, (void)N, (void)K;
    return 0;
}

NN_API size_t nn_gemm_nt_work_d(int M, int N, int K)
{
    return nn_gemm_nn_work_d(M, N, K);
}

NN_API size_t nn_gemm_tn_work_d(int M, int N, int K)
{
    return nn_gemm_nn_work_d(M, N, K);
}

NN_API void nn_conv(int N, const struct nn_conv_sizes *s, const float *x, const float *k, float *y,
                    const float *bias, unsigned flags, void *ws)
{
    const struct nn_correlation q =
        NN_CALL(nn_conv_forward)(s, k, bias, flags, ws, sizeof *x, NN_CALL(nn_strip_f));
    nn_share_rows(&q, N, s, x, y);
}

NN_API void nn_conv_data(int N, const struct nn_conv_sizes *s, const float *dy, const float *k,
                         float *dx, void *ws)
{
    if (NN_CALL(nn_pack_data)(s, k, ws, sizeof *dy))
        NN_SHARE(N, nn_image_cost(s), nn_window_part(s, dy, (float *)ws, dx, nn_from, nn_to));
    else
        NN_SHARE(N, nn_image_cost(s),
                 NN_CALL(nn_data_classes)(s, dy, ws, dx, sizeof *dy, NN_CALL(nn_strip_f), nn_from,
                                          nn_to));
}

NN_API void nn_conv_weights(int N, const struct nn_conv_sizes *s, const float *x, const float *dy,
                            float *dk, void *ws)
{
    const struct nn_weight_sums sums =
        NN_CALL(nn_weights_begin)(s, dy, ws, sizeof *x, NN_CALL(nn_strip_f));
    nn_share_weights(&sums, N, s, x);
    NN_CALL(nn_weights_end)(s, &sums, dk, sizeof *dk);
}

NN_API void nn_winograd(int N, const struct nn_conv_sizes *s, const float *x, const float *k,
                        float *y, const float *bias, unsigned flags, void *ws)
{
    struct nn_winograd w = nn_winograd_of(N, s, k, (flags & NN_PACKED) != 0, 0, ws);
    w.bias = bias;
    w.flags = flags;
    nn_share_winograd(&w, x, y);
}

NN_API void nn_winograd_data(int N, const struct nn_conv_sizes *s, const float *dy, const float *k,
                             float *dx, void *ws)
{
    const struct nn_winograd w = nn_winograd_of(N, s, k, 0, 1, ws);
    nn_share_winograd(&w, dy, dx);
}

NN_API void nn_winograd_weights(int N, const struct nn_conv_sizes *s, const float *x,
                                const float *dy, float *dk, void *ws)
{
    const struct nn_winograd w = nn_winograd_of(N, s, NULL, 0, 0, ws);
    if (w.all == 0) {
        memset(dk, 0, nn_conv_elements(s) * sizeof *dk);
        return;
    }
    nn_share_sums(&w, x, dy);
    NN_SHARE(s->x[2], nn_kernels_cost(&w), NN_CALL(nn_winograd_dk)(&w, dk, nn_from, nn_to));
}

NN_API size_t nn_winograd_work(int N, const struct nn_conv_sizes *s)
{
    struct nn_conv_sizes back = *s;
    for (int i = 0; i < 3; i++) {
        back.x[i] = s->y[i];
        back.y[i] = s->x[i];
    }
    const size_t there = nn_winograd_elements(N, s), again = nn_winograd_elements(N, &back);
    return (there > again ? there : again) * sizeof(float);
}

NN_API void nn_conv_d(int N, const struct nn_conv_sizes *s, const double *x, const double *k,
                      double *y, const double *bias, unsigned flags, void *ws)
{
    const struct nn_correlation q =
        NN_CALL(nn_conv_forward)(s, k, bias, flags, ws, sizeof *x, NN_CALL(nn_strip_of_doubles));
    nn_share_rows(&q, N, s, x, y);
}

NN_API void nn_conv_data_d(int N, const struct nn_conv_sizes *s, const double *dy,
                           const double *k, double *dx, void *ws)
{
    NN_CALL(nn_pack_data)(s, k, ws, sizeof *dy);
    NN_SHARE(N, nn_image_cost(s),
             NN_CALL(nn_data_classes)(s, dy, ws, dx, sizeof *dy, NN_CALL(nn_strip_of_doubles),
                                      nn_from, nn_to));
}

NN_API void nn_conv_weights_d(int N, const struct nn_conv_sizes *s, const double *x,
                              const double *dy, double *dk, void *ws)
{
    const struct nn_weight_sums sums =
        NN_CALL(nn_weights_begin)(s, dy, ws, sizeof *x, NN_CALL(nn_strip_of_doubles));
    nn_share_weights(&sums, N, s, x);
    NN_CALL(nn_weights_end)(s, &sums, dk, sizeof *dk);
}

/* ---- each channel by itself ---- */

/* rows of outputs, images of dx, channels of kernels: none depends on another of its kind */
static void nn_share_depthwise(int N, const struct nn_conv_sizes *s, const struct nn_channelwise *q,
                               const void *x, const void *k, void *y)
{
    if (s->y[0] > 0)
        NN_SHARE(N * s->y[0], nn_channels_cost(s) / s->y[0],
                 NN_CALL(nn_depthwise_rows)(q, x, k, y, nn_from, nn_to));
}

static void nn_share_depthwise_data(int N, const struct nn_conv_sizes *s, const void *dy,
                                    const void *k, void *dx, size_t bytes, nn_run_fn *run)
{
    NN_SHARE(N, nn_channels_cost(s),
             NN_CALL(nn_depthwise_data_images)(s, dy, k, dx, bytes, run, nn_from, nn_to));
}

static void nn_share_depthwise_taps(int N, const struct nn_conv_sizes *s, const void *x,
                                    const void *dy, void *dk, size_t bytes, nn_run_fn *run)
{
    enum { LANES = 16 };
    const int C = s->x[2], vectors = (C + LANES - 1) / LANES;
    if (vectors > 0)
        NN_SHARE(vectors, N * nn_channels_cost(s) / vectors,
                 NN_CALL(nn_depthwise_taps)(N, s, x, dy, dk, bytes, run, nn_from * LANES,
                                            nn_to * LANES < C ? nn_to * LANES : C));
}

NN_API void nn_depthwise(int N, const struct nn_conv_sizes *s, const float *x, const float *k,
                         float *y, const float *bias, unsigned flags)
{
    const struct nn_channelwise q =
        NN_CALL(nn_depthwise_forward)(s, bias, flags, sizeof *x, NN_CALL(nn_depthwise_f));
    nn_share_depthwise(N, s, &q, x, k, y);
}

NN_API void nn_depthwise_data(int N, const struct nn_conv_sizes *s, const float *dy, const float *k,
                              float *dx)
{
    nn_share_depthwise_data(N, s, dy, k, dx, sizeof *dy, NN_CALL(nn_depthwise_f));
}

NN_API void nn_depthwise_weights(int N, const struct nn_conv_sizes *s, const float *x,
                                 const float *dy, float *dk)
{
    nn_share_depthwise_taps(N, s, x, dy, dk, sizeof *x, NN_CALL(nn_taps_f));
}

NN_API void nn_depthwise_d(int N, const struct nn_conv_sizes *s, const double *x, const double *k,
                           double *y, const double *bias, unsigned flags)
{
    const struct nn_channelwise q =
        NN_CALL(nn_depthwise_forward)(s, bias, flags, sizeof *x, NN_CALL(nn_depthwise_of_doubles));
    nn_share_depthwise(N, s, &q, x, k, y);
}

NN_API void nn_depthwise_data_d(int N, const struct nn_conv_sizes *s, const double *dy,
                                const double *k, double *dx)
{
    nn_share_depthwise_data(N, s, dy, k, dx, sizeof *dy, NN_CALL(nn_depthwise_of_doubles));
}

NN_API void nn_depthwise_weights_d(int N, const struct nn_conv_sizes *s, const double *x,
                                   const double *dy, double *dk)
{
    nn_share_depthwise_taps(N, s, x, dy, dk, sizeof *x, NN_CALL(nn_taps_of_doubles));
}

/* ---- scratch of convolutions ---- */

NN_API size_t nn_conv_packed_work(const struct nn_conv_sizes *s)
{
    return nn_shared_elements(s) * sizeof(float);
}

NN_API size_t nn_conv_work(const struct nn_conv_sizes *s)
{
    return (nn_conv_elements(s) + nn_shared_elements(s)) * sizeof(float);
}

NN_API size_t nn_conv_data_work(const struct nn_conv_sizes *s)
{
    struct nn_conv_sizes back = *s;
    back.x[2] = s->y[2];
    back.y[2] = s->x[2];
    const size_t windows = nn_window_room(s);
    const size_t shared = s->stride[1] == 1 ? nn_shared_elements(&back) : 0;
    return (nn_conv_elements(s) + (shared > windows ? shared : windows)) * sizeof(float);
}

NN_API size_t nn_conv_work_d(const struct nn_conv_sizes *s)
{
    return nn_conv_elements(s) * sizeof(double);
}

NN_API void nn_vexp(size_t n, const float *x, float *y)
{
    NN_CALL(nn_map_exp)(n, x, y);
}

NN_API void nn_vlog(size_t n, const float *x, float *y)
{
    NN_CALL(nn_map_log)(n, x, y);
}

NN_API void nn_vtanh(size_t n, const float *x, float *y)
{
    NN_CALL(nn_map_tanh)(n, x, y);
}

NN_API void nn_vsigmoid(size_t n, const float *x, float *y)
{
    NN_CALL(nn_map_sigmoid)(n, x, y);
}

NN_API void nn_verf(size_t n, const float *x, float *y)
{
    NN_CALL(nn_map_erf)(n, x, y);
}

NN_API float nn_vsum(int n, const float *x)
{
    return NN_CALL(nn_sum)(x, n);
}

NN_API float nn_vdot(int n, const float *x, const float *y)
{
    return NN_CALL(nn_dot)(x, y, n);
}

NN_API float nn_vmax(int n, const float *x)
{
    return NN_CALL(nn_max)(x, n);
}

NN_API float nn_vmin(int n, const float *x)
{
    return NN_CALL(nn_min)(x, n);
}
#endif
