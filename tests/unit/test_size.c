/* test_size.c - sizes: the normal form in which equal sizes are the same pointer, bounds, floor
 * division and remainder, the text, and random polynomials against plain arithmetic. */
#include "graph.h"

#include <check.h>
#include <limits.h>
#include <stdlib.h>

static Dim dim_n, dim_m, dim_k, dim_free;
static SizeRef N, M, K, F;
static uint64_t chance;

static SizeRef num(long v) { return size_const(v); }

static void start(void)
{
    dim_n = (Dim){"N", 1, 64, {0}, 0};
    dim_m = (Dim){"M", 2, 8, {0}, 1};
    dim_k = (Dim){"K", 0, 5, {0}, 2};
    dim_free = (Dim){"F", 1, -1, {0}, 3};
    N = size_dim(&dim_n);
    M = size_dim(&dim_m);
    K = size_dim(&dim_k);
    F = size_dim(&dim_free);
    chance = 1;
}

static void stop(void)
{
    arena_release();
}

static int pick(int n)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (int)((chance >> 33) % (uint64_t)n);
}

START_TEST(equal_sizes_are_one_pointer)
{
    ck_assert_ptr_eq(size_add(N, M), size_add(M, N));
    ck_assert_ptr_eq(size_sub(size_add(N, num(3)), num(3)), N);
    ck_assert_ptr_eq(size_mul(size_add(N, num(1)), size_sub(N, num(1))),
                     size_sub(size_mul(N, N), num(1)));
    ck_assert_ptr_eq(size_mul(size_add(N, M), K), size_add(size_mul(K, M), size_mul(K, N)));
    ck_assert_ptr_eq(size_sub(N, N), num(0));
    ck_assert_ptr_eq(size_mul(N, num(0)), num(0));
    ck_assert_ptr_eq(size_dim(&dim_n), N);
    ck_assert_ptr_ne(size_mul(N, M), size_mul(N, N));
}
END_TEST

START_TEST(what_divides_is_divided)
{
    ck_assert_ptr_eq(size_div(size_mul(num(6), N), num(3)), size_mul(num(2), N));
    ck_assert_ptr_eq(size_div(size_mul(N, M), M), N);
    ck_assert_ptr_eq(size_div(size_add(size_mul(num(4), N), num(3)), num(4)), N);
    ck_assert_ptr_eq(size_div(N, N), num(1));
    ck_assert_ptr_eq(size_div(N, num(1)), N);
    ck_assert_ptr_eq(size_mod(size_mul(num(6), N), num(3)), num(0));
    ck_assert_ptr_eq(size_mod(size_add(size_mul(num(4), N), num(3)), num(4)), num(3));
    ck_assert_ptr_eq(size_mod(N, num(100)), N);
    ck_assert_ptr_eq(size_div(N, num(100)), num(0));
    ck_assert_ptr_eq(size_div(N, num(2)), size_div(N, num(2)));
    ck_assert_ptr_ne(size_mul(size_div(N, num(2)), num(2)), N);
}
END_TEST

START_TEST(division_rounds_down)
{
    static const long cases[][4] = {{7, 2, 3, 1}, {-7, 2, -4, 1}, {7, -2, -4, -1}, {-7, -2, 3, -1},
                                    {6, 3, 2, 0}, {0, 5, 0, 0},   {5, 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(size_is(size_div(num(cases[i][0]), num(cases[i][1])), cases[i][2]));
        ck_assert(size_is(size_mod(num(cases[i][0]), num(cases[i][1])), cases[i][3]));
    }
}
END_TEST

START_TEST(bounds)
{
    ck_assert_int_eq(size_lower(N), 1);
    ck_assert_int_eq(size_upper(N), 64);
    ck_assert_int_eq(size_lower(size_sub(N, M)), -7);
    ck_assert_int_eq(size_upper(size_sub(N, M)), 62);
    ck_assert_int_eq(size_upper(size_mul(N, M)), 512);
    ck_assert_int_eq(size_lower(size_mul(N, K)), 0);
    ck_assert_int_eq(size_upper(size_div(N, num(2))), 32);
    ck_assert_int_eq(size_upper(size_mod(N, num(3))), 2);
    ck_assert_int_eq(size_upper(F), LONG_MAX);
    ck_assert_int_le(size_lower(size_sub(num(0), F)), -LONG_MAX);
}
END_TEST

START_TEST(beyond_all_memory_stays_there)
{
    SizeRef big = num(1L << 40);
    ck_assert(size_is(size_mul(big, big), LONG_MAX));
    ck_assert(size_is(size_add(num(LONG_MAX), num(1)), LONG_MAX));
    ck_assert_int_eq(size_upper(size_mul(size_mul(big, N), big)), LONG_MAX);
    ck_assert(size_is(size_div(num(LONG_MIN), num(-1)), LONG_MAX));
}
END_TEST

START_TEST(text)
{
    ck_assert_str_eq(size_text(num(0)), "0");
    ck_assert_str_eq(size_text(num(-3)), "-3");
    ck_assert_str_eq(size_text(size_add(size_mul(num(2), N), num(1))), "2*N + 1");
    ck_assert_str_eq(size_text(size_sub(num(1), N)), "-N + 1");
    ck_assert_str_eq(size_text(size_mul(N, size_mul(N, M))), "N*N*M");
    ck_assert_str_eq(size_text(size_div(N, num(2))), "N / 2");
    ck_assert_str_eq(size_text(size_mul(num(3), size_mod(N, num(4)))), "3*(N % 4)");
    ck_assert_str_eq(size_text(size_div(size_add(N, num(1)), M)), "(N + 1) / M");
}
END_TEST

START_TEST(dims_in_a_size)
{
    uint64_t mask = 0;
    size_dims(size_add(size_div(M, num(3)), size_mul(N, N)), &mask);
    ck_assert_uint_eq(mask, 3);
    mask = 0;
    size_dims(num(7), &mask);
    ck_assert_uint_eq(mask, 0);
}
END_TEST

START_TEST(shapes_and_types)
{
    Shape a = {2, {N, num(10)}}, b = {2, {num(10), N}}, none = {0};
    ck_assert(shape_equal(&a, &a) && !shape_equal(&a, &b) && !shape_equal(&a, &none));
    ck_assert_ptr_eq(shape_count(&a), size_mul(num(10), N));
    ck_assert(size_is(shape_count(&none), 1));
    ck_assert_str_eq(type_text((Type){ELEM_REAL, a}), "real[N, 10]");
    ck_assert_str_eq(type_text((Type){ELEM_I32, none}), "i32");
    ck_assert(elem_is_real(ELEM_F16) && !elem_is_real(ELEM_I32) && elem_is_int(ELEM_U8) &&
              !elem_is_int(ELEM_BOOL));
}
END_TEST

/* ---- random polynomials against plain arithmetic --------------------------------------------- */

typedef struct Formula {
    SizeRef size;
    long value;
    bool defined;
} Formula;

static long floor_div(long a, long b)
{
    long q = a / b;
    return a % b && (a % b < 0) != (b < 0) ? q - 1 : q;
}

static Formula leaf(const long *dims)
{
    const SizeRef names[] = {N, M, K};
    int k = pick(5);
    if (k < 3) return (Formula){names[k], dims[k], true};
    long v = pick(13) - 4;
    return (Formula){num(v), v, true};
}

static Formula random_formula(int depth, const long *dims)
{
    if (depth == 0) return leaf(dims);
    Formula a = random_formula(depth - 1, dims), b = random_formula(pick(depth), dims);
    long d = 1 + pick(6);
    switch (pick(5)) {
    case 0: return (Formula){size_add(a.size, b.size), a.value + b.value, a.defined && b.defined};
    case 1: return (Formula){size_sub(a.size, b.size), a.value - b.value, a.defined && b.defined};
    case 2: return (Formula){size_mul(a.size, b.size), a.value * b.value, a.defined && b.defined};
    case 3: return (Formula){size_div(a.size, num(d)), floor_div(a.value, d), a.defined};
    default:
        return (Formula){size_mod(a.size, num(d)), a.value - d * floor_div(a.value, d), a.defined};
    }
}

START_TEST(random_polynomials)
{
    for (int i = 0; i < 4000; i++) {
        if (i % 200 == 0) {
            stop();
            uint64_t kept = chance;
            start();
            chance = kept;
        }
        long dims[4] = {1 + pick(64), 2 + pick(7), pick(6), 1};
        Formula f = random_formula(4, dims);
        ck_assert_int_eq(size_eval(f.size, dims), f.value);
        ck_assert_msg(size_lower(f.size) <= f.value && f.value <= size_upper(f.size),
                      "%s = %ld is not in %ld..%ld", size_text(f.size), f.value, size_lower(f.size),
                      size_upper(f.size));
    }
}
END_TEST

/* The time limit of a test is what fails when finding a size takes as long as there are sizes. */
START_TEST(a_hundred_thousand_sizes)
{
    enum { MANY = 100000 };
    for (int twice = 0; twice < 2; twice++)
        for (long i = 0; i < MANY; i++) ck_assert(size_is(size_sub(size_add(N, num(i)), N), i));
    ck_assert_ptr_eq(size_add(N, num(MANY - 1)), size_add(num(MANY - 1), N));
}
END_TEST

Suite *suite_size(void)
{
    Suite *s = suite_create("size");
    TCase *t = tcase_create("size");
    tcase_add_checked_fixture(t, start, stop);
    tcase_add_test(t, equal_sizes_are_one_pointer);
    tcase_add_test(t, what_divides_is_divided);
    tcase_add_test(t, division_rounds_down);
    tcase_add_test(t, bounds);
    tcase_add_test(t, beyond_all_memory_stays_there);
    tcase_add_test(t, text);
    tcase_add_test(t, dims_in_a_size);
    tcase_add_test(t, shapes_and_types);
    tcase_add_test(t, random_polynomials);
    tcase_add_test(t, a_hundred_thousand_sizes);
    suite_add_tcase(s, t);
    return s;
}
