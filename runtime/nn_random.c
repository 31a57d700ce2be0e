/* nn_random.c - filling arrays with random numbers, and orthonormal matrices.
 *
 * In come (seed, call, site), out goes an array whose element i is a pure function of those and
 * i: key = seed, counter = (i / 4, site, low half of call, high half of call), word i % 4.  The
 * same bits on every machine, compiler and instruction set, in any order and in any pieces. */
#ifndef NN_SELF
#define NN_SELF "nn_random.c"
#endif
#include "nn_isa.h"
#ifdef NN_ISA
#include "nn_random.h"

#define nn_blocks NN_NAME(nn_blocks)
#define nn_normal_blocks NN_NAME(nn_normal_blocks)
#define nn_fill_uniform NN_NAME(nn_fill_uniform)
#define nn_fill_uniform_d NN_NAME(nn_fill_uniform_d)
#define nn_fill_normal NN_NAME(nn_fill_normal)
#define nn_fill_normal_d NN_NAME(nn_fill_normal_d)
#define nn_one_uniform NN_NAME(nn_one_uniform)
#define nn_one_normal NN_NAME(nn_one_normal)

/* w[word][b] = the words of 16 blocks from `block` on: the loop over b becomes vectors */
NN_INLINE void nn_blocks(uint32_t w[4][16], uint64_t block, uint64_t seed, uint64_t call,
                         uint32_t site)
{
    for (int b = 0; b < 16; b++) {
        uint32_t x[4];
        nn_philox((uint32_t)block + (uint32_t)b, site, (uint32_t)call, (uint32_t)(call >> 32),
                  (uint32_t)seed, (uint32_t)(seed >> 32), x);
        w[0][b] = x[0];
        w[1][b] = x[1];
        w[2][b] = x[2];
        w[3][b] = x[3];
    }
}

static void nn_fill_uniform(float *y, size_t n, uint64_t seed, uint64_t call, uint32_t site)
{
    for (size_t i = 0; i < n; i += 64) {
        uint32_t w[4][16];
        size_t m = n - i < 64 ? n - i : 64;
        nn_blocks(w, i / 4, seed, call, site);
        float *q = y + i;
        if (m == 64)
            for (int b = 0; b < 16; b++)
                for (int k = 0; k < 4; k++)
                    q[4 * b + k] = (float)(int32_t)(w[k][b] >> 8) * 5.9604644775390625e-8f;
        else
            for (size_t j = 0; j < m; j++)
                q[j] = (float)(int32_t)(w[j % 4][j / 4] >> 8) * 5.9604644775390625e-8f;
    }
}

static void nn_fill_uniform_d(double *y, size_t n, uint64_t seed, uint64_t call, uint32_t site)
{
    for (size_t i = 0; i < n; i += 64) {
        uint32_t w[4][16];
        size_t m = n - i < 64 ? n - i : 64;
        nn_blocks(w, i / 4, seed, call, site);
        for (size_t j = 0; j < m; j++)
            y[i + j] = (double)(w[j % 4][j / 4] >> 8) * 5.9604644775390625e-8;
    }
}

/* 64 normal numbers from 16 blocks: number j is x[j % 4][j / 4] */
NN_INLINE void nn_normal_blocks(double x[4][16], uint64_t first, uint64_t seed, uint64_t call,
                                uint32_t site)
{
    uint32_t w[4][16];
    nn_blocks(w, first, seed, call, site);
    for (int b = 0; b < 16; b++)
        nn_normal_pair(w[0][b], w[1][b], &x[0][b], &x[1][b]);
    for (int b = 0; b < 16; b++)
        nn_normal_pair(w[2][b], w[3][b], &x[2][b], &x[3][b]);
}

static void nn_fill_normal_d(double *y, size_t n, uint64_t seed, uint64_t call, uint32_t site)
{
    for (size_t i = 0; i < n; i += 64) {
        double x[4][16];
        size_t m = n - i < 64 ? n - i : 64;
        nn_normal_blocks(x, i / 4, seed, call, site);
        for (size_t j = 0; j < m; j++)
            y[i + j] = x[j % 4][j / 4];
    }
}

static void nn_fill_normal(float *y, size_t n, uint64_t seed, uint64_t call, uint32_t site)
{
    for (size_t i = 0; i < n; i += 64) {
        double x[4][16];
        size_t m = n - i < 64 ? n - i : 64;
        nn_normal_blocks(x, i / 4, seed, call, site);
        for (size_t j = 0; j < m; j++)
            y[i + j] = (float)x[j % 4][j / 4];
    }
}

static double nn_one_uniform(uint64_t seed, uint64_t call, uint32_t site, uint64_t element)
{
    uint32_t x[4];
    nn_philox((uint32_t)(element / 4), site, (uint32_t)call, (uint32_t)(call >> 32),
              (uint32_t)seed, (uint32_t)(seed >> 32), x);
    return (double)(x[element % 4] >> 8) * 5.9604644775390625e-8;
}

static double nn_one_normal(uint64_t seed, uint64_t call, uint32_t site, uint64_t element)
{
    uint32_t x[4];
    double a, b;
    nn_philox((uint32_t)(element / 4), site, (uint32_t)call, (uint32_t)(call >> 32),
              (uint32_t)seed, (uint32_t)(seed >> 32), x);
    nn_normal_pair(x[element % 4 & 2], x[(element % 4 & 2) + 1], &a, &b);
    return element % 2 ? b : a;
}

#else

NN_API void nn_uniform(float *y, size_t n, uint64_t seed, uint64_t call, uint32_t site)
{
    NN_CALL(nn_fill_uniform)(y, n, seed, call, site);
}

NN_API void nn_uniform_d(double *y, size_t n, uint64_t seed, uint64_t call, uint32_t site)
{
    NN_CALL(nn_fill_uniform_d)(y, n, seed, call, site);
}

NN_API void nn_normal(float *y, size_t n, uint64_t seed, uint64_t call, uint32_t site)
{
    NN_CALL(nn_fill_normal)(y, n, seed, call, site);
}

NN_API void nn_normal_d(double *y, size_t n, uint64_t seed, uint64_t call, uint32_t site)
{
    NN_CALL(nn_fill_normal_d)(y, n, seed, call, site);
}

NN_API double nn_uniform_at(uint64_t seed, uint64_t call, uint32_t site, uint64_t element)
{
    return NN_CALL(nn_one_uniform)(seed, call, site, element);
}

NN_API double nn_normal_at(uint64_t seed, uint64_t call, uint32_t site, uint64_t element)
{
    return NN_CALL(nn_one_normal)(seed, call, site, element);
}

/* ---- orthonormal matrices ------------------------------------------------------------------ */

NN_API size_t nn_orthogonal_work(int rows, int cols)
{
    return (size_t)rows * (size_t)cols * sizeof(double);
}

/* v[count][length] -> the same space with orthonormal rows, by the modified Gram-Schmidt process
 * run twice over each row, which leaves no more than rounding errors.  Dividing by positive
 * lengths is the choice of signs that keeps the distribution uniform.  A row that depends on those
 * before it is replaced by the first unit vector that does not. */
static void nn_gram_schmidt(double *v, size_t count, size_t length)
{
    for (size_t i = 0; i < count; i++) {
        double *a = v + i * length;
        for (size_t unit = 0;; unit++) {
            double before = 0.0, after = 0.0;
            for (size_t k = 0; k < length; k++)
                before += a[k] * a[k];
            for (int twice = 0; twice < 2; twice++)
                for (size_t j = 0; j < i; j++) {
                    const double *b = v + j * length;
                    double s = 0.0;
                    for (size_t k = 0; k < length; k++)
                        s += a[k] * b[k];
                    for (size_t k = 0; k < length; k++)
                        a[k] -= s * b[k];
                }
            for (size_t k = 0; k < length; k++)
                after += a[k] * a[k];
            if (after > before * 1e-24) {
                double scale = 1.0 / sqrt(after);
                for (size_t k = 0; k < length; k++)
                    a[k] *= scale;
                break;
            }
            if (unit == length)
                break; /* only with values that are not finite */
            for (size_t k = 0; k < length; k++)
                a[k] = k == unit ? 1.0 : 0.0;
        }
    }
}

NN_API void nn_orthogonal_d(double *w, int rows, int cols, void *work)
{
    size_t m = (size_t)rows, n = (size_t)cols;
    double *v = (double *)work;
    if (rows < cols) {
        nn_gram_schmidt(w, m, n);
        return;
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            v[j * m + i] = w[i * n + j];
    nn_gram_schmidt(v, n, m);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            w[i * n + j] = v[j * m + i];
}

NN_API void nn_orthogonal(float *w, int rows, int cols, void *work)
{
    size_t m = (size_t)rows, n = (size_t)cols;
    double *v = (double *)work;
    int tall = rows >= cols;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            v[tall ? j * m + i : i * n + j] = (double)w[i * n + j];
    nn_gram_schmidt(v, tall ? n : m, tall ? m : n);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            w[i * n + j] = (float)v[tall ? j * m + i : i * n + j];
}
#endif
