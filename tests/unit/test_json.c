/* JSON values: what is understood, what is refused with which words, how numbers are written. */
#include "command.h"

#include <check.h>
#include <math.h>
#include <string.h>

static void teardown(void)
{
    diag_reset();
    arena_release();
}

static Tensor *read(const char *text)
{
    const char *error = NULL;
    Tensor *t = json_read(text, &error);
    ck_assert_msg(t != NULL, "%s: %s", text, error);
    return t;
}

static void refuse(const char *text, const char *words)
{
    const char *error = NULL;
    ck_assert_ptr_null(json_read(text, &error));
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(strstr(error, words) != NULL, "%s: %s", text, error);
}

static void write(double v, bool as_float, const char *text)
{
    Text out = {0};
    Tensor *t = tensor_new(ELEM_F64, 0, NULL);
    t->v[0] = v;
    json_write(&out, t, as_float);
    ck_assert_str_eq(out.s, text);
}

START_TEST(scalars)
{
    ck_assert_int_eq(read("-2")->rank, 0);
    ck_assert_double_eq(read("-2")->v[0], -2);
    ck_assert_double_eq(read(" 2.5e-3 ")->v[0], 2.5e-3);
    ck_assert_int_eq(read("true")->elem, ELEM_BOOL);
    ck_assert_int_eq(read("7")->elem, ELEM_I32);
    ck_assert_int_eq(read("7.5")->elem, ELEM_F64);
    ck_assert(isinf(read("Infinity")->v[0]) && read("-inf")->v[0] < 0);
    ck_assert(isnan(read("NaN")->v[0]));
}
END_TEST

START_TEST(arrays)
{
    Tensor *t = read("[[1, 2, 3], [4, 5, 6]]");
    ck_assert_int_eq(t->rank, 2);
    ck_assert_int_eq(t->size[0], 2);
    ck_assert_int_eq(t->size[1], 3);
    for (int i = 0; i < 6; i++) ck_assert_double_eq(t->v[i], i + 1);
    ck_assert_int_eq(read("[]")->count, 0);
    ck_assert_int_eq(read("[[], []]")->size[0], 2);
    ck_assert_int_eq(read("[true, false]")->elem, ELEM_BOOL);
    ck_assert(isinf(read("[1, -Infinity]")->v[1]));
}
END_TEST

START_TEST(ragged_arrays_say_where)
{
    refuse("[[1, 2], [3]]", "[1] has 1 elements, others have 2");
    refuse("[[1, 2], 3]", "[1] is a number, where others are arrays");
    refuse("[1, [2]]", "[1] is an array, where others are numbers");
    refuse("[[[1]], [[1], [2]]]", "[1] has 2 elements");
    refuse("[1, \"a\"]", "[1] is not a number");
    refuse("{\"a\": 1}", "the value is not a number");
    refuse("[[[[[[[[[1]]]]]]]]]", "more than 8 axes");
}
END_TEST

START_TEST(nonsense_is_refused)
{
    refuse("", "empty");
    refuse("[1, 2", "ends before");
    refuse("1 2", "cannot read it at `2`");
    refuse("abc", "abc");
}
END_TEST

START_TEST(numbers_are_written_short)
{
    write(-12, true, "-12");
    write((double)0.1f, true, "0.1");
    write(0.1, false, "0.1");
    write((double)0.1f, false, "0.10000000149011612");
    write(1.0 / 3, true, "0.33333333");
    write(1e20, true, "1e+20");
    write(16777216, true, "16777216");
    write(-0.0, true, "0");
    write((double)NAN, true, "NaN");
    write(-(double)INFINITY, true, "-Infinity");
}
END_TEST

START_TEST(arrays_are_written_nested)
{
    Text out = {0};
    json_write(&out, read("[[1.5, 2], [3, 4]]"), true);
    ck_assert_str_eq(out.s, "[[1.5, 2], [3, 4]]");
    Text flags = {0};
    json_write(&flags, read("[true, false]"), true);
    ck_assert_str_eq(flags.s, "[true, false]");
}
END_TEST

START_TEST(conversion_checks_the_range)
{
    const char *error = NULL;
    ck_assert_ptr_nonnull(tensor_to(read("[0, 255]"), ELEM_U8, &error));
    ck_assert_ptr_null(tensor_to(read("[0, 256]"), ELEM_U8, &error));
    ck_assert_ptr_nonnull(strstr(error, "256 is not an u8"));
    ck_assert_ptr_null(tensor_to(read("1.5"), ELEM_I32, &error));
    ck_assert_ptr_null(tensor_to(read("NaN"), ELEM_I32, &error));
    ck_assert_ptr_null(tensor_to(read("2"), ELEM_BOOL, &error));
    ck_assert_double_eq(tensor_to(read("1.5"), ELEM_REAL, &error)->v[0], 1.5);
}
END_TEST

Suite *suite_json(void);
Suite *suite_json(void)
{
    Suite *s = suite_create("json");
    TCase *t = tcase_create("json");
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, scalars);
    tcase_add_test(t, arrays);
    tcase_add_test(t, ragged_arrays_say_where);
    tcase_add_test(t, nonsense_is_refused);
    tcase_add_test(t, numbers_are_written_short);
    tcase_add_test(t, arrays_are_written_nested);
    tcase_add_test(t, conversion_checks_the_range);
    suite_add_tcase(s, t);
    return s;
}
