/* test_runtime_random.c - the generator: published values, the same bits on every path, moments,
 * and orthonormal matrices. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "nn.h"

Suite *suite_runtime_random(void);

static const int levels[] = {NN_LEVEL_BASE, NN_LEVEL_AVX2, NN_LEVEL_AVX512};

/* The known answers of Salmon et al. (2011), kat_vectors, philox 4x32 with 10 rounds, seen
 * through nn_uniform: counter (c0, c1, c2, c3) is element 4 c0, site c1, call c2 + 2^32 c3. */
START_TEST(known_answers)
{
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (int n = 0; n < 3; n++) {
        const uint32_t *c = known[n].counter, *k = known[n].key;
        uint64_t seed = k[0] | (uint64_t)k[1] << 32, call = c[2] | (uint64_t)c[3] << 32;
        for (unsigned w = 0; w < 4; w++) {
            double u = nn_uniform_at(seed, call, c[1], 4 * (uint64_t)c[0] + w);
            ck_assert_double_eq(u * 16777216.0, (double)(known[n].answer[w] >> 8));
        }
    }
}
END_TEST

/* arrays, their double twins, single elements and every instruction set agree, for every length */
START_TEST(one_set_of_bits)
{
    enum { N = 203 };
    static float u[N], z[N];
    static double ud[N], zd[N];
    const uint64_t seed = 0x123456789abcdef0u, call = 0xfedcba9800000001u;
    if (nn_isa_set(levels[_i]) != levels[_i])
        return;
    for (size_t n = 0; n <= N; n++) {
        memset(u, 0, sizeof u);
        nn_uniform(u, n, seed, call, 77);
        nn_normal(z, n, seed, call, 77);
        nn_uniform_d(ud, n, seed, call, 77);
        nn_normal_d(zd, n, seed, call, 77);
        for (size_t i = 0; i < n; i++) {
            double at = nn_normal_at(seed, call, 77, i);
            ck_assert(ud[i] == nn_uniform_at(seed, call, 77, i));
            ck_assert(ud[i] == (double)u[i]);
            ck_assert_mem_eq(&zd[i], &at, sizeof at);
            ck_assert(z[i] == (float)zd[i]);
        }
        for (size_t i = n; i < N; i++)
            ck_assert(u[i] == 0.0f);
    }
    /* these bits are the contract: they never change */
    ck_assert(nn_normal_at(seed, call, 77, 0) == 0x1.c407b0ff7de0dp-6);
    ck_assert(nn_normal_at(seed, call, 77, 1) == 0x1.38a7a9901ec4fp-1);
    ck_assert(nn_normal_at(seed, call, 77, 2) == -0x1.362936ba22141p+0);
    ck_assert(nn_normal_at(seed, call, 77, 3) == -0x1.726cffdca35a7p-1);
}
END_TEST

START_TEST(different_streams)
{
    double a = nn_uniform_at(1, 2, 3, 4);
    ck_assert(a != nn_uniform_at(2, 2, 3, 4));
    ck_assert(a != nn_uniform_at(1 + ((uint64_t)1 << 32), 2, 3, 4));
    ck_assert(a != nn_uniform_at(1, 3, 3, 4));
    ck_assert(a != nn_uniform_at(1, 2 + ((uint64_t)1 << 32), 3, 4));
    ck_assert(a != nn_uniform_at(1, 2, 4, 4));
    ck_assert(a != nn_uniform_at(1, 2, 3, 5));
    ck_assert(a != nn_uniform_at(1, 2, 3, 8));
    ck_assert(a != nn_uniform_at(1, 2, 3, 4 + ((uint64_t)1 << 33)));
}
END_TEST

/* within five standard errors */
START_TEST(moments)
{
    enum { N = 400000 };
    double *x = malloc(N * sizeof *x), m[5] = {0}, lag = 0.0;
    int bins[64] = {0};
    double chi = 0.0;
    nn_uniform_d(x, N, 42, 7, 1);
    for (int i = 0; i < N; i++) {
        ck_assert(x[i] >= 0.0 && x[i] < 1.0);
        bins[(int)(x[i] * 64.0)]++;
        m[1] += x[i];
        m[2] += (x[i] - 0.5) * (x[i] - 0.5);
    }
    for (int b = 0; b < 64; b++)
        chi += (bins[b] - N / 64.0) * (bins[b] - N / 64.0) / (N / 64.0);
    ck_assert_double_eq_tol(m[1] / N, 0.5, 5.0 * sqrt(1.0 / 12.0 / N));
    ck_assert_double_eq_tol(m[2] / N, 1.0 / 12.0, 5.0 * sqrt(1.0 / 180.0 / N));
    ck_assert_double_lt(chi, 63.0 + 5.0 * sqrt(126.0));
    nn_normal_d(x, N, 42, 7, 2);
    memset(m, 0, sizeof m);
    for (int i = 0; i < N; i++) {
        double s = x[i] * x[i];
        m[1] += x[i];
        m[2] += s;
        m[3] += s * x[i];
        m[4] += s * s;
        lag += i ? x[i] * x[i - 1] : 0.0;
    }
    ck_assert_double_eq_tol(m[1] / N, 0.0, 5.0 * sqrt(1.0 / N));
    ck_assert_double_eq_tol(m[2] / N, 1.0, 5.0 * sqrt(2.0 / N));
    ck_assert_double_eq_tol(m[3] / N, 0.0, 5.0 * sqrt(15.0 / N));
    ck_assert_double_eq_tol(m[4] / N, 3.0, 5.0 * sqrt(96.0 / N));
    ck_assert_double_eq_tol(lag / N, 0.0, 5.0 * sqrt(1.0 / N));
    free(x);
}
END_TEST

/* the normal values against libm's logarithm, cosine and sine */
START_TEST(box_and_muller)
{
    for (uint64_t i = 0; i < 4000; i += 2) {
        /* 24 of the 32 bits are visible, so only the angle's and radius' leading bits */
        double a = nn_uniform_at(9, 8, 7, i), b = nn_uniform_at(9, 8, 7, i + 1);
        double r = sqrt(-2.0 * log(a + 0x1p-25)), t = 6.283185307179586 * (b + 0x1p-25);
        ck_assert_double_eq_tol(nn_normal_at(9, 8, 7, i), r * cos(t), 2e-4);
        ck_assert_double_eq_tol(nn_normal_at(9, 8, 7, i + 1), r * sin(t), 2e-4);
    }
}
END_TEST

static double departure(const double *w, int rows, int cols)
{
    double worst = 0.0;
    int tall = rows >= cols, n = tall ? cols : rows, length = tall ? rows : cols;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double s = i == j ? -1.0 : 0.0;
            for (int k = 0; k < length; k++)
                s += tall ? w[k * cols + i] * w[k * cols + j] : w[i * cols + k] * w[j * cols + k];
            worst = fabs(s) > worst ? fabs(s) : worst;
        }
    return worst;
}

START_TEST(orthonormal)
{
    static const int shapes[][2] = {{1, 1}, {5, 5}, {7, 3}, {3, 7}, {40, 40}, {64, 10}, {1, 9}};
    static float w[1600];
    static double d[1600];
    for (int n = 0; n < 7; n++) {
        int rows = shapes[n][0], cols = shapes[n][1];
        void *work = malloc(nn_orthogonal_work(rows, cols));
        nn_normal(w, (size_t)(rows * cols), 5, (uint64_t)n, 0);
        for (int i = 0; i < rows * cols; i++)
            d[i] = (double)w[i];
        nn_orthogonal_d(d, rows, cols, work);
        nn_orthogonal(w, rows, cols, work);
        ck_assert_double_lt(departure(d, rows, cols), 1e-14);
        for (int i = 0; i < rows * cols; i++)
            ck_assert(w[i] == (float)d[i]);
        free(work);
    }
    /* dependent columns still give an orthonormal matrix */
    for (int i = 0; i < 36; i++)
        d[i] = i % 6 < 3 ? 1.0 : 0.0;
    double work[36];
    nn_orthogonal_d(d, 6, 6, work);
    ck_assert_double_lt(departure(d, 6, 6), 1e-14);
}
END_TEST

Suite *suite_runtime_random(void)
{
    Suite *s = suite_create("runtime: random numbers");
    TCase *t = tcase_create("random");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, known_answers);
    tcase_add_loop_test(t, one_set_of_bits, 0, 3);
    tcase_add_test(t, different_streams);
    tcase_add_test(t, moments);
    tcase_add_test(t, box_and_muller);
    tcase_add_test(t, orthonormal);
    suite_add_tcase(s, t);
    return s;
}
