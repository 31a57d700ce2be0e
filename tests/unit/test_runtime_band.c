/* test_runtime_band.c - products in a band, in every form and on every instruction set, against a
 * double loop, with arrays of exactly the size that may be touched. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "arrays.h"
#include "nn.h"

Suite *suite_runtime_band(void);

enum { FORM_NN, FORM_NT, FORM_TN };

typedef struct Case {
    int form, M, N, K, lda, ldb, ldc, lo, hi;
    unsigned flags;
} Case;

static const int levels[] = {NN_LEVEL_BASE, NN_LEVEL_AVX2, NN_LEVEL_AVX512};
static const unsigned flag_sets[] = {
    0, NN_CLEAR, NN_ACC, NN_CLEAR | NN_BIAS, NN_BIAS | NN_RELU, NN_ACC | NN_CLEAR | NN_TANH,
};

static size_t work_of(const Case *c)
{
    return c->form == FORM_NN   ? nn_gemm_nn_work(c->M, c->N, c->K)
           : c->form == FORM_NT ? nn_gemm_nt_work(c->M, c->N, c->K)
                                : nn_gemm_tn_work(c->M, c->N, c->K);
}

static void run(const Case *c, const float *A, const float *B, float *C, const float *bias)
{
    size_t work = work_of(c);
    void *ws = work ? array(work, 1) : NULL;
    (c->form == FORM_NN   ? nn_gemm_nn_band
     : c->form == FORM_NT ? nn_gemm_nt_band
                          : nn_gemm_tn_band)(c->M, c->N, c->K, A, c->lda, B, c->ldb, C, c->ldc,
                                             bias, c->flags, c->lo, c->hi, ws);
    free(ws);
}

static void run_d(const Case *c, const double *A, const double *B, double *C, const double *bias)
{
    (c->form == FORM_NN   ? nn_gemm_nn_band_d
     : c->form == FORM_NT ? nn_gemm_nt_band_d
                          : nn_gemm_tn_band_d)(c->M, c->N, c->K, A, c->lda, B, c->ldb, C, c->ldc,
                                               bias, c->flags, c->lo, c->hi, NULL);
}

static bool in_band(const Case *c, int i, int x) { return x >= i + c->lo && x <= i + c->hi; }

/* what element (i, j) of the whole product should be; *scale is the size of what was added up */
static double expected(const Case *c, const double *A, const double *B, double start,
                       const double *bias, int i, int j, double *scale)
{
    double y = (c->flags & NN_ACC ? start : 0.0) + (c->flags & NN_BIAS ? bias[j] : 0.0);
    *scale = 1.0 + fabs(y);
    for (int k = 0; k < c->K; k++) {
        double a = c->form == FORM_TN ? A[k * c->lda + i] : A[i * c->lda + k];
        double b = c->form == FORM_NT ? B[j * c->ldb + k] : B[k * c->ldb + j];
        y += a * b;
        *scale += fabs(a * b);
    }
    if (c->flags & NN_RELU)
        return y > 0.0 ? y : 0.0;
    return c->flags & NN_TANH ? tanh(y) : y;
}

/* An element that is wanted is right; another one of C is right as well or as it was, or 0 with
 * NN_CLEAR; and what lies between the rows of C is as it was. */
static bool fits(const Case *c, int i, int j, double y, double start, double want, double error)
{
    if (j >= c->N)
        return y == start;
    if (fabs(want - y) <= error)
        return true;
    const bool clears = (c->flags & (NN_CLEAR | NN_ACC)) == NN_CLEAR;
    return c->flags & NN_COLUMNS && !in_band(c, i, j) && y == (clears ? 0.0 : start);
}

static void check_case(const Case *c)
{
    size_t na = c->form == FORM_TN ? extent(c->K, c->M, c->lda) : extent(c->M, c->K, c->lda);
    size_t nb = c->form == FORM_NT ? extent(c->N, c->K, c->ldb) : extent(c->K, c->N, c->ldb);
    size_t nc = extent(c->M, c->N, c->ldc);
    float *A = array(na, 4), *B = array(nb, 4), *C = array(nc, 4);
    float *bias = array((size_t)c->N, 4);
    double *Ad = array(na, 8), *Bd = array(nb, 8), *Cd = array(nc, 8), *R = array(nc, 8);
    double *bias_d = array((size_t)c->N, 8);
    for (size_t i = 0; i < na; i++) {
        const int outer = (int)i / c->lda, inner = (int)i % c->lda;
        const bool tn = c->form == FORM_TN;
        const bool beside = !in_band(c, tn ? inner : outer, tn ? outer : inner);
        Ad[i] = (double)(A[i] = c->flags & NN_TERMS && beside ? 0.0f : (float)random_value());
    }
    for (size_t i = 0; i < nb; i++)
        Bd[i] = (double)(B[i] = (float)random_value());
    for (size_t i = 0; i < nc; i++)
        R[i] = Cd[i] = (double)(C[i] = (float)random_value());
    for (int i = 0; i < c->N; i++)
        bias_d[i] = (double)(bias[i] = (float)random_value());
    run(c, A, B, C, c->flags & NN_BIAS ? bias : NULL);
    run_d(c, Ad, Bd, Cd, c->flags & NN_BIAS ? bias_d : NULL);
    for (int i = 0; i < c->M; i++)
        for (int j = 0; j < c->ldc && (size_t)(i * c->ldc + j) < nc; j++) {
            int at = i * c->ldc + j;
            double scale = 1.0, want = R[at];
            if (j < c->N)
                want = expected(c, Ad, Bd, want, bias_d, i, j, &scale);
            if (!fits(c, i, j, (double)C[at], R[at], want, 6e-7 * scale) ||
                !fits(c, i, j, Cd[at], R[at], want, 1e-14 * scale))
                ck_abort_msg("%s form %d %dx%dx%d band %d..%d flags %u: C[%d][%d] = %.9g, %.17g, "
                             "expected %.17g", nn_isa_name(), c->form, c->M, c->N, c->K, c->lo,
                             c->hi, c->flags, i, j, (double)C[at], Cd[at], want);
        }
    free(A), free(B), free(C), free(bias);
    free(Ad), free(Bd), free(Cd), free(R), free(bias_d);
}

static Case case_of(int form, int M, int N, int K, int lo, int hi, unsigned flags)
{
    Case c = {form, M, N, K, 0, 0, 0, lo, hi, flags};
    c.lda = (form == FORM_TN ? M : K) + random_below(3);
    c.ldb = (form == FORM_NT ? K : N) + random_below(3);
    c.ldc = N + random_below(3);
    return c;
}

/* Triangles of either side, shifted, and narrow bands, in every form. */
static void check_bands(int M, int N, int K)
{
    const unsigned flags = flag_sets[random_below(6)];
    for (int form = FORM_NN; form <= FORM_TN; form++)
        for (int of = 0; of < 2; of++) {
            const int width = of ? K : N, shift = random_below(2 * width + 3) - width - 1;
            const int bands[][2] = {{1 - M, 0}, {0, width}, {-M, shift}, {shift, width},
                                    {shift, shift + random_below(20)}, {-M, width}};
            for (int b = 0; b < 6; b++) {
                Case c = case_of(form, M, N, K, bands[b][0], bands[b][1],
                                 flags | (of ? NN_TERMS : NN_COLUMNS));
                check_case(&c);
            }
        }
}

START_TEST(sizes)
{
    static const int some[] = {0, 1, 7, 16, 17, 31, 64, 65};
    if (nn_isa_set(levels[_i]) != levels[_i])
        return;
    for (int m = 0; m < 8; m++)
        for (int n = 0; n < 8; n++)
            check_bands(some[m], some[n], some[random_below(8)]);
    for (int n = 0; n < 60; n++)
        check_bands(random_below(90), random_below(150), random_below(100));
}
END_TEST

/* several blocks of terms and of columns that are copied */
START_TEST(blocks)
{
    if (nn_isa_set(levels[_i]) != levels[_i])
        return;
    check_bands(150, 140, 1100);
    check_bands(600, 70, 33);
}
END_TEST

static float left[80 * 80], right[80 * 80], sums[80 * 80], first[80 * 80];

/* Terms far beside the band are not looked at, nor are rows of B that no row has as a term. */
START_TEST(beside)
{
    if (nn_isa_set(levels[_i]) != levels[_i])
        return;
    for (int i = 0; i < 80 * 80; i++)
        left[i] = i / 80 < i % 80 ? (i % 80 >= (i / 80 / 16 + 1) * 16 ? NAN : 0) : 1;
    for (int i = 0; i < 80 * 80; i++)
        right[i] = 1;
    nn_gemm_nn_band(80, 80, 80, left, 80, right, 80, sums, 80, NULL, NN_TERMS, -79, 0, NULL);
    for (int i = 0; i < 80 * 80; i++)
        ck_assert_float_eq(sums[i], (float)(i / 80 + 1));
}
END_TEST

/* With FMA all instruction sets leave the same bits, beside the band too. */
START_TEST(bits)
{
    static char ws[131072];
    for (int i = 0; i < 80 * 80; i++) {
        left[i] = (float)random_value();
        right[i] = (float)random_value();
    }
    for (int l = 1; l < 3; l++) {
        if (nn_isa_set(levels[l]) != levels[l])
            continue;
        nn_gemm_nt_band(75, 77, 40, left, 80, right, 80, sums, 80, NULL, NN_COLUMNS | NN_CLEAR,
                        -30, 3, ws);
        if (l == 1)
            memcpy(first, sums, sizeof sums);
        else
            ck_assert_mem_eq(first, sums, sizeof sums);
    }
}
END_TEST

Suite *suite_runtime_band(void)
{
    Suite *s = suite_create("runtime: products in a band");
    TCase *t = tcase_create("band");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, sizes, 0, 3);
    tcase_add_loop_test(t, blocks, 0, 3);
    tcase_add_loop_test(t, beside, 0, 3);
    tcase_add_test(t, bits);
    suite_add_tcase(s, t);
    return s;
}
