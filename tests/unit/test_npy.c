/* NumPy files: every element type and order, and files that were made to do harm. */
#include "command.h"

#include <check.h>
#include <math.h>
#include <string.h>

static char file[512];

static void teardown(void)
{
    diag_reset();
    arena_release();
}

/* A file with this dictionary and these data bytes; its length. */
static size_t make(int version, const char *dict, const void *data, size_t bytes)
{
    size_t n = strlen(dict), at = version == 1 ? 10 : 12;
    memset(file, 0, sizeof file);
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (char)version;
    file[8] = (char)(n & 255);
    file[9] = (char)(n >> 8);
    memcpy(file + at, dict, n);
    memcpy(file + at + n, data, bytes);
    return at + n + bytes;
}

static const char *dict(const char *descr, const char *fortran, const char *shape)
{
    return format("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, fortran, shape);
}

static Tensor *read(const char *descr, const void *data, size_t bytes)
{
    const char *error = NULL;
    size_t n = make(1, dict(descr, "False", "(2,)"), data, bytes);
    Tensor *t = npy_read(file, n, &error);
    ck_assert_msg(t != NULL, "%s: %s", descr, error);
    return t;
}

static void refuse(size_t n, const char *words)
{
    const char *error = NULL;
    ck_assert_ptr_null(npy_read(file, n, &error));
    ck_assert_msg(strstr(error, words) != NULL, "%s", error);
}

START_TEST(element_types)
{
    Tensor *t = read("<f4", (const float[]){1.5f, -2}, 8);
    ck_assert(t->elem == ELEM_F32 && t->v[0] == 1.5 && t->v[1] == -2);
    t = read("<f8", (const double[]){0.1, 1e300}, 16);
    ck_assert(t->elem == ELEM_F64 && t->v[0] == 0.1 && t->v[1] == 1e300);
    t = read("<i4", (const int32_t[]){-7, 1 << 30}, 8);
    ck_assert(t->elem == ELEM_I32 && t->v[0] == -7 && t->v[1] == 1 << 30);
    t = read("<i8", (const int64_t[]){-7, 1l << 40}, 16);
    ck_assert(t->v[0] == -7 && t->v[1] == 1099511627776.0);
    t = read("|u1", (const uint8_t[]){0, 255}, 2);
    ck_assert(t->elem == ELEM_U8 && t->v[0] == 0 && t->v[1] == 255);
    t = read("|i1", (const int8_t[]){-128, 127}, 2);
    ck_assert(t->elem == ELEM_I8 && t->v[0] == -128 && t->v[1] == 127);
    t = read("|b1", (const uint8_t[]){1, 0}, 2);
    ck_assert(t->elem == ELEM_BOOL && t->v[0] == 1 && t->v[1] == 0);
    t = read(">i4", "\0\0\1\0\xff\xff\xff\xfe", 8);
    ck_assert(t->v[0] == 256 && t->v[1] == -2);
}
END_TEST

START_TEST(half_precision)
{
    Tensor *t = read("<f2", (const uint16_t[]){0x3c00, 0xc500}, 4);
    ck_assert(t->elem == ELEM_F16 && t->v[0] == 1 && t->v[1] == -5);
    t = read("<f2", (const uint16_t[]){0x0001, 0xfc00}, 4);
    ck_assert(t->v[0] == ldexp(1, -24) && t->v[1] == -(double)INFINITY);
}
END_TEST

START_TEST(orders_and_versions)
{
    const char *error = NULL;
    const uint8_t data[6] = {1, 2, 3, 4, 5, 6};
    for (int version = 1; version <= 3; version++) {
        size_t n = make(version, dict("|u1", "False", "(2, 3)"), data, 6);
        Tensor *t = npy_read(file, n, &error);
        ck_assert(t && t->rank == 2 && t->size[1] == 3 && t->v[1] == 2 && t->v[3] == 4);
    }
    Tensor *t = npy_read(file, make(1, dict("|u1", "True", "(2, 3)"), data, 6), &error);
    ck_assert(t && t->v[0] == 1 && t->v[1] == 3 && t->v[2] == 5 && t->v[3] == 2);
    t = npy_read(file, make(1, dict("|u1", "False", "()"), data, 1), &error);
    ck_assert(t && t->rank == 0 && t->v[0] == 1);
    t = npy_read(file, make(1, dict("|u1", "False", "(0, 3)"), data, 0), &error);
    ck_assert(t && t->count == 0);
}
END_TEST

START_TEST(hostile_files)
{
    const uint8_t data[6] = {0};
    size_t n = make(1, dict("<f4", "False", "(2,)"), data, 6);
    refuse(n, "2 elements, the file holds 1");
    refuse(0, "not a NumPy");
    refuse(9, "not a NumPy");
    refuse(20, "inside its header");
    refuse(make(9, dict("<f4", "False", "(2,)"), data, 6), "version 9");
    refuse(make(1, dict("<c8", "False", "(2,)"), data, 6), "this type");
    refuse(make(1, dict("<f3", "False", "(2,)"), data, 6), "this type");
    refuse(make(1, dict("|O", "False", "(2,)"), data, 6), "this type");
    refuse(make(1, "{'shape': (1,)}", data, 6), "this type");
    refuse(make(1, dict("|u1", "False", "(-1,)"), data, 6), "shape");
    refuse(make(1, dict("|u1", "False", "(1, 2"), data, 6), "shape");
    refuse(make(1, dict("|u1", "False", "(1,1,1,1,1,1,1,1,1)"), data, 6), "shape");
    refuse(make(1, dict("|u1", "False", "(4294967296, 4294967296)"), data, 6), "shape");
    refuse(make(1, dict("|u1", "False", "(99999999999999999999,)"), data, 6), "elements");
}
END_TEST

Suite *suite_npy(void);
Suite *suite_npy(void)
{
    Suite *s = suite_create("npy");
    TCase *t = tcase_create("npy");
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, element_types);
    tcase_add_test(t, half_precision);
    tcase_add_test(t, orders_and_versions);
    tcase_add_test(t, hostile_files);
    suite_add_tcase(s, t);
    return s;
}
