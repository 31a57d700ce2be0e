/* test_runtime_gemm.c - every form, flag and instruction set of the matrix products against a
 * double loop in double, with arrays of exactly the size that may be touched. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "arrays.h"
#include "nn.h"

Suite *suite_runtime_gemm(void);

enum { FORM_NN, FORM_NT, FORM_TN };

typedef struct Case {
    int form, M, N, K, lda, ldb, ldc;
    unsigned flags;
} Case;

static const int levels[] = {NN_LEVEL_BASE, NN_LEVEL_AVX2, NN_LEVEL_AVX512};

static const unsigned flag_sets[] = {
    0, NN_ACC, NN_BIAS, NN_ACC | NN_BIAS, NN_RELU, NN_BIAS | NN_RELU,
    NN_BIAS | NN_TANH, NN_BIAS | NN_SIGMOID, NN_ACC | NN_TANH,
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
    (c->form == FORM_NN   ? nn_gemm_nn
     : c->form == FORM_NT ? nn_gemm_nt
                          : nn_gemm_tn)(c->M, c->N, c->K, A, c->lda, B, c->ldb, C, c->ldc, bias,
                                        c->flags, ws);
    free(ws);
}

static void run_d(const Case *c, const double *A, const double *B, double *C, const double *bias)
{
    (c->form == FORM_NN   ? nn_gemm_nn_d
     : c->form == FORM_NT ? nn_gemm_nt_d
                          : nn_gemm_tn_d)(c->M, c->N, c->K, A, c->lda, B, c->ldb, C, c->ldc, bias,
                                          c->flags, NULL);
}

/* what element (i, j) should be; *scale is the size of what was added up */
static double expected(const Case *c, const float *A, const float *B, double start,
                       const float *bias, int i, int j, double *scale)
{
    double y = (c->flags & NN_ACC ? start : 0.0) + (c->flags & NN_BIAS ? (double)bias[j] : 0.0);
    *scale = 1.0 + fabs(y);
    for (int k = 0; k < c->K; k++) {
        double a = (double)(c->form == FORM_TN ? A[k * c->lda + i] : A[i * c->lda + k]);
        double b = (double)(c->form == FORM_NT ? B[j * c->ldb + k] : B[k * c->ldb + j]);
        y += a * b;
        *scale += fabs(a * b);
    }
    if (c->flags & NN_RELU)
        return y > 0.0 ? y : 0.0;
    if (c->flags & NN_TANH)
        return tanh(y);
    return c->flags & NN_SIGMOID ? 1.0 / (1.0 + exp(-y)) : y;
}

static void check_case(const Case *c)
{
    size_t na = c->form == FORM_TN ? extent(c->K, c->M, c->lda) : extent(c->M, c->K, c->lda);
    size_t nb = c->form == FORM_NT ? extent(c->N, c->K, c->ldb) : extent(c->K, c->N, c->ldb);
    size_t nc = extent(c->M, c->N, c->ldc);
    float *A = array(na, 4), *B = array(nb, 4), *C = array(nc, 4), *R = array(nc, 4);
    float *bias = array((size_t)c->N, 4);
    double *Ad = array(na, 8), *Bd = array(nb, 8), *Cd = array(nc, 8);
    double *bias_d = array((size_t)c->N, 8);
    for (size_t i = 0; i < na; i++)
        Ad[i] = (double)(A[i] = (float)random_value());
    for (size_t i = 0; i < nb; i++)
        Bd[i] = (double)(B[i] = (float)random_value());
    for (size_t i = 0; i < nc; i++)
        Cd[i] = (double)(R[i] = C[i] = (float)random_value());
    for (int i = 0; i < c->N; i++)
        bias_d[i] = (double)(bias[i] = (float)random_value());
    run(c, A, B, C, c->flags & NN_BIAS ? bias : NULL);
    run_d(c, Ad, Bd, Cd, c->flags & NN_BIAS ? bias_d : NULL);
    for (int i = 0; i < c->M; i++)
        for (int j = 0; j < c->ldc && (size_t)(i * c->ldc + j) < nc; j++) {
            int at = i * c->ldc + j;
            double scale = 1.0, want = (double)R[at];
            if (j < c->N)
                want = expected(c, A, B, want, bias, i, j, &scale);
            if (!(fabs(want - (double)C[at]) <= (j < c->N ? 6e-7 * scale : 0.0)) ||
                !(fabs(want - Cd[at]) <= (j < c->N ? 1e-14 * scale : 0.0)))
                ck_abort_msg("%s form %d %dx%dx%d ld %d %d %d flags %u: C[%d][%d] = %.9g, %.17g, "
                             "expected %.17g", nn_isa_name(), c->form, c->M, c->N, c->K, c->lda,
                             c->ldb, c->ldc, c->flags, i, j, (double)C[at], Cd[at], want);
        }
    free(A), free(B), free(C), free(R), free(bias);
    free(Ad), free(Bd), free(Cd), free(bias_d);
}

static void check_shape(int form, int M, int N, int K, unsigned flags)
{
    Case c = {form, M, N, K, 0, 0, 0, flags};
    c.lda = (form == FORM_TN ? M : K) + random_below(3);
    c.ldb = (form == FORM_NT ? K : N) + random_below(3);
    c.ldc = N + random_below(3);
    check_case(&c);
}

START_TEST(small_shapes)
{
    if (nn_isa_set(levels[_i]) != levels[_i])
        return;
    for (int M = 0; M <= 18; M++)
        for (int N = 0; N <= 18; N++)
            for (int form = FORM_NN; form <= FORM_TN; form++) {
                check_shape(form, M, N, random_below(4), flag_sets[random_below(9)]);
                check_shape(form, M, N, random_below(40), flag_sets[random_below(9)]);
            }
}
END_TEST

START_TEST(larger_shapes)
{
    if (nn_isa_set(levels[_i]) != levels[_i])
        return;
    for (int n = 0; n < 150; n++)
        check_shape(random_below(3), random_below(70), random_below(150),
                    random_below(80), flag_sets[random_below(9)]);
    for (int flag = 0; flag < 9; flag++)
        for (int form = FORM_NN; form <= FORM_TN; form++)
            check_shape(form, 13 + flag, 33, 530, flag_sets[flag]);
}
END_TEST

/* rows and columns enough for copies of the operands, in several blocks of k */
START_TEST(copied_shapes)
{
    if (nn_isa_set(levels[_i]) != levels[_i])
        return;
    for (int n = 0; n < 18; n++)
        check_shape(n % 3, 90 + random_below(150), 90 + random_below(60), 40 + random_below(500),
                    flag_sets[n % 9]);
    for (int form = FORM_NN; form <= FORM_TN; form++)
        check_shape(form, 96, 1100, 48, NN_BIAS);
}
END_TEST

/* nt with few columns, or with few rows for its K, sums in lanes */
START_TEST(lanes)
{
    if (nn_isa_set(levels[_i]) != levels[_i])
        return;
    for (int n = 0; n < 150; n++)
        check_shape(FORM_NT, random_below(70), (int)random_below(n % 2 ? 16 : 60),
                    60 + (int)random_below(n % 2 ? 60 : 200), flag_sets[random_below(9)]);
    for (int flag = 0; flag < 9; flag++)
        check_shape(FORM_NT, 9, 300, 1031, flag_sets[flag]);
}
END_TEST

/* tn with few columns is computed transposed */
START_TEST(turned)
{
    if (nn_isa_set(levels[_i]) != levels[_i])
        return;
    for (int n = 0; n < 90; n++)
        check_shape(FORM_TN, 30 + random_below(120), 1 + random_below(15),
                    14 + random_below(40), flag_sets[n % 9]);
}
END_TEST

/* row distances that are a multiple of 2 KiB make nn and tn copy */
START_TEST(copied_operands)
{
    if (nn_isa_set(levels[_i]) != levels[_i])
        return;
    Case nn = {FORM_NN, 49, 260, 514, 516, 512, 260, NN_BIAS | NN_TANH};
    Case tn = {FORM_TN, 202, 257, 514, 512, 260, 258, NN_ACC | NN_RELU};
    ck_assert_uint_gt(work_of(&nn), 0);
    ck_assert_uint_gt(work_of(&tn), 0);
    check_case(&nn);
    check_case(&tn);
}
END_TEST

START_TEST(scratch_grows)
{
    for (int n = 0; n < 2000; n++) {
        int M = random_below(2000), N = random_below(2000), K = random_below(2000);
        int m = M - random_below(M + 1), k = K - random_below(K + 1);
        int j = N - random_below(N + 1);
        ck_assert_uint_le(nn_gemm_nn_work(m, j, k), nn_gemm_nn_work(M, N, K));
        ck_assert_uint_le(nn_gemm_nt_work(m, j, k), nn_gemm_nt_work(M, N, K));
        ck_assert_uint_le(nn_gemm_tn_work(m, j, k), nn_gemm_tn_work(M, N, K));
        ck_assert_uint_le(nn_gemm_nn_work(M, N, K), 131072);
        ck_assert_uint_le(nn_gemm_nt_work(M, N, K), 131072);
        ck_assert_uint_le(nn_gemm_tn_work(M, N, K), 262144);
    }
}
END_TEST

static float left[64 * 300], right[64 * 300], one[64 * 64], all[64 * 64], narrow[64 * 64];

/* C for M rows, with rows of 64 */
static void product_of(int form, int M, int N, int K, float *C)
{
    Case c = {form, M, N, K, form == FORM_TN ? 64 : K, form == FORM_NT ? K : N, 64, NN_SIGMOID};
    run(&c, left, right, C, NULL);
}

/* The rows for M in m, m + 1, .. are those for M = most, on every instruction set with FMA. */
static void check_rows(int form, int m, int most, int N, int K)
{
    const size_t row = 64 * sizeof *one;
    for (int l = 0; l < 3; l++) {
        if (nn_isa_set(levels[l]) != levels[l])
            continue;
        memset(all, 0, sizeof all);
        memset(one, 0, sizeof one);
        product_of(form, most, N, K, all);
        for (int rows = m; rows < most; rows++) {
            product_of(form, rows, N, K, one);
            ck_assert_mem_eq(one, all, row * (size_t)rows);
        }
        if (levels[l] == NN_LEVEL_AVX2)
            memcpy(narrow, all, sizeof all);
        else if (levels[l] == NN_LEVEL_AVX512)
            ck_assert_mem_eq(narrow, all, sizeof all);
    }
}

/* The bits of a row depend neither on how many rows there are nor, given FMA, on the instruction
 * set.  nt sums in order or in lanes, as its sizes say. */
START_TEST(bits_of_a_row)
{
    for (int i = 0; i < 64 * 300; i++) {
        left[i] = (float)random_value();
        right[i] = (float)random_value();
    }
    check_rows(FORM_NN, 1, 40, 37, 61);
    check_rows(FORM_TN, 1, 40, 37, 61);
    check_rows(FORM_TN, 1, 64, 5, 61);
    check_rows(FORM_NT, 11, 40, 37, 61);
    check_rows(FORM_NT, 1, 10, 37, 61);
    check_rows(FORM_NT, 1, 40, 15, 67);
    check_rows(FORM_NT, 1, 13, 37, 211);
}
END_TEST

/* Rows first .. first + 2 of a product that copies its operands are those of a product of three
 * rows, which does not; and no scratch is as good. */
START_TEST(bits_of_copies)
{
    enum { M = 130, N = 140, K = 610 };
    float *A = array(M * K, 4), *B = array(N * K, 4), *C = array(M * N, 4), *few = array(M * N, 4);
    for (int i = 0; i < M * K; i++)
        A[i] = (float)random_value();
    for (int i = 0; i < N * K; i++)
        B[i] = (float)random_value();
    nn_isa_set(levels[_i]);
    for (int tn = 0; tn <= 1; tn++) {
        Case c = {tn ? FORM_TN : FORM_NN, M, N, K, tn ? M : K, N, N, 0};
        run(&c, A, B, C, NULL);
        (tn ? nn_gemm_tn : nn_gemm_nn)(M, N, K, A, c.lda, B, N, few, N, NULL, 0, NULL);
        ck_assert_mem_eq(C, few, M * N * sizeof *C);
        for (int first = 0; first < M; first += 40) {
            (tn ? nn_gemm_tn : nn_gemm_nn)(3, N, K, A + (tn ? first : first * K), c.lda, B, N, few,
                                           N, NULL, 0, NULL);
            ck_assert_mem_eq(C + first * N, few, 3 * N * sizeof *C);
        }
    }
    free(A), free(B), free(C), free(few);
}
END_TEST

/* relu keeps NaN, as the elementwise maximum does */
START_TEST(not_a_number)
{
    float A[2] = {NAN, 1.0f}, B[2] = {1.0f, 1.0f}, C[1];
    for (int l = 0; l < 3; l++) {
        nn_isa_set(levels[l]);
        nn_gemm_nn(1, 1, 2, A, 2, B, 1, C, 1, NULL, NN_RELU, NULL);
        ck_assert(isnan(C[0]));
    }
}
END_TEST

Suite *suite_runtime_gemm(void)
{
    Suite *s = suite_create("runtime: matrix products");
    TCase *t = tcase_create("gemm");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, small_shapes, 0, 3);
    tcase_add_loop_test(t, copied_shapes, 0, 3);
    tcase_add_loop_test(t, larger_shapes, 0, 3);
    tcase_add_loop_test(t, lanes, 0, 3);
    tcase_add_loop_test(t, turned, 0, 3);
    tcase_add_loop_test(t, copied_operands, 0, 3);
    tcase_add_test(t, scratch_grows);
    tcase_add_test(t, bits_of_a_row);
    tcase_add_loop_test(t, bits_of_copies, 0, 3);
    tcase_add_test(t, not_a_number);
    suite_add_tcase(s, t);
    return s;
}
