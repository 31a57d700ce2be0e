/* test_util.c - memory, names, growing texts, places in sources, and "did you mean". */
#include "common.h"

#include <check.h>
#include <stddef.h>
#include <string.h>

START_TEST(arena_gives_zeroed_aligned_memory)
{
    for (size_t n = 1; n < 200000; n = n * 3 + 1) {
        char *p = arena_alloc(n);
        ck_assert_uint_eq((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++) ck_assert_int_eq(p[i], 0);
        memset(p, 0xAA, n);
    }
    arena_release();
    ck_assert_int_eq(*(char *)arena_alloc(1), 0);
}
END_TEST

START_TEST(large_blocks_leave_the_small_ones_alone)
{
    char *a = arena_alloc(16), *big = arena_alloc(1 << 20), *b = arena_alloc(16);
    memset(a, 1, 16);
    memset(big, 2, 1 << 20);
    memset(b, 3, 16);
    ck_assert_int_eq(a[15], 1);
    ck_assert_int_eq(big[(1 << 20) - 1], 2);
    ck_assert_int_eq(b[0], 3);
}
END_TEST

START_TEST(equal_names_are_one_pointer)
{
    const char *a = intern_str("alpha");
    ck_assert_ptr_eq(a, intern("alphabet", 5));
    ck_assert_ptr_ne(a, intern_str("alphA"));
    ck_assert_ptr_eq(intern("", 0), intern_str(""));
    for (int i = 0; i < 5000; i++) intern_str(format("name%d", i));
    ck_assert_ptr_eq(a, intern_str("alpha"));
    ck_assert_ptr_eq(intern_str("name4999"), intern_str(format("name%d", 4999)));
}
END_TEST

START_TEST(texts_and_vectors_grow)
{
    Text t = {0};
    text_add(&t, "%s", "");
    ck_assert_str_eq(t.s, "");
    for (int i = 0; i < 1000; i++) text_add(&t, "%d,", i % 10);
    ck_assert_uint_eq(t.n, 2000);
    ck_assert_uint_eq(strlen(t.s), 2000);
    ck_assert_int_eq(strncmp(t.s + 1990, "5,6,7,8,9,", 10), 0);
    VEC(int) v = {0};
    for (int i = 0; i < 1000; i++) vec_push(&v, i);
    for (int i = 0; i < v.n; i++) ck_assert_int_eq(v.at[i], i);
    ck_assert_str_eq(format("%d-%s-%.2f", 3, "x", 0.5), "3-x-0.50");
}
END_TEST

START_TEST(nearest_name)
{
    static const char *const known[] = {"hidden", "relu", "softmax", "N", "weights", "W1"};
    static const char *const cases[][2] = {
        {"hiden", "hidden"},  {"hidedn", "hidden"}, {"ReLU", "relu"},       {"n", "N"},
        {"sofmtax", "softmax"}, {"weight", "weights"}, {"xyz", NULL},       {"W2", NULL},
        {"M", NULL},          {"", NULL},           {"completely", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *near = nearest(cases[i][0], known, 6);
        if (cases[i][1]) ck_assert_str_eq(near, cases[i][1]);
        else ck_assert_ptr_null(near);
    }
    char long_name[200];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    ck_assert_ptr_null(nearest(long_name, known, 6));
}
END_TEST

START_TEST(lines_and_columns_count_characters)
{
    const Source *s = source_from_text("x", "a\nσ = Θ1;\n\xFFz", 13);
    struct { int begin, line, column; } at[] = {
        {0, 1, 1}, {1, 1, 2}, {2, 2, 1}, {4, 2, 2}, {7, 2, 5}, {9, 2, 6}, {12, 3, 1}, {13, 3, 2},
        {99, 3, 2},
    };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        ck_assert_int_eq(span_line((Span){s, at[i].begin, at[i].begin}), at[i].line);
        ck_assert_int_eq(span_column((Span){s, at[i].begin, at[i].begin}), at[i].column);
    }
    ck_assert_int_eq(span_line((Span){0}), 0);
    ck_assert_str_eq(span_text((Span){s, 2, 6}), "σ =");
    ck_assert_str_eq(span_text((Span){0}), "");
    Span joined = span_join((Span){s, 4, 6}, (Span){s, 1, 5});
    ck_assert_int_eq(joined.begin, 1);
    ck_assert_int_eq(joined.end, 6);
    ck_assert_ptr_eq(span_join((Span){0}, joined).src, s);
}
END_TEST

START_TEST(well_formed_characters)
{
    static const struct { const char *s; int n; } cases[] = {
        {"a", 1}, {"\xC3\xA9", 2}, {"\xE2\x82\xAC", 3}, {"\xF0\x9F\x98\x80", 4}, {"\xC3", 0},
        {"\x80", 0}, {"\xC0\x80", 0}, {"\xE0\x80\x80", 0}, {"\xED\xA0\x80", 0},
        {"\xF0\x80\x80\x80", 0}, {"\xF4\x90\x80\x80", 0}, {"\xF5\x80\x80\x80", 0}, {"\xC3(", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_int_eq(utf8_bytes(cases[i].s, (int)strlen(cases[i].s)), cases[i].n);
    ck_assert_int_eq(utf8_bytes("a", 0), 0);
}
END_TEST

START_TEST(sources_are_read_whole)
{
    ck_assert_ptr_null(source_read("/no/such/file.nn"));
    ck_assert_ptr_null(source_read("/"));
    ck_assert_ptr_null(source_std("no_such_library"));
    const Source *s = source_from_text("x", "a\0b", 3);
    ck_assert_int_eq(s->length, 3);
    ck_assert_int_eq(s->text[2], 'b');
    ck_assert_int_eq(s->text[3], 0);
    const Source *nn = source_std("nn");
    ck_assert_ptr_nonnull(nn);
    ck_assert(nn->is_std);
    ck_assert_str_eq(nn->name, "std/nn.nn");
}
END_TEST

Suite *suite_util(void)
{
    Suite *s = suite_create("util");
    TCase *t = tcase_create("util");
    tcase_add_test(t, arena_gives_zeroed_aligned_memory);
    tcase_add_test(t, large_blocks_leave_the_small_ones_alone);
    tcase_add_test(t, equal_names_are_one_pointer);
    tcase_add_test(t, texts_and_vectors_grow);
    tcase_add_test(t, nearest_name);
    tcase_add_test(t, lines_and_columns_count_characters);
    tcase_add_test(t, well_formed_characters);
    tcase_add_test(t, sources_are_read_whole);
    suite_add_tcase(s, t);
    return s;
}
