/* test_explain.c - the table of errors: every row is complete, codes are unique and in order, both
 * programs of a row have the form of programs, and the wrong ones of E01xx show their error. */
#include "parsing.h"

#include <check.h>
#include <string.h>

START_TEST(rows_are_complete_and_in_order)
{
    const char *before = "";
    for (const ErrorInfo *e = error_table; e->code; e++) {
        ck_assert_int_eq((int)strlen(e->code), 5);
        ck_assert_msg(strcmp(before, e->code) < 0, "%s after %s", e->code, before);
        ck_assert_int_gt((int)strlen(e->title), 5);
        ck_assert_int_gt((int)strlen(e->text), 40);
        ck_assert_int_eq(e->wrong == NULL, e->right == NULL);
        for (const char *s = e->text; s; s = strchr(s, '\n')) {
            s += *s == '\n';
            ck_assert_msg(strcspn(s, "\n") <= 100, "%s: a long line", e->code);
        }
        ck_assert_ptr_eq(error_info(e->code), e);
        before = e->code;
    }
    ck_assert_ptr_null(error_info("E9999"));
    ck_assert_ptr_null(error_info(""));
}
END_TEST

START_TEST(samples_of_form_show_their_error)
{
    for (const ErrorInfo *e = error_table; e->code; e++) {
        if (!e->wrong) continue;
        const char *reports = reports_of(e->wrong);
        if (strncmp(e->code, "E01", 3) == 0) {
            ck_assert_msg(strstr(reports, format("[%s]", e->code)) != NULL, "%s\n%s", e->code,
                          reports);
            ck_assert_msg(diag_errors() == 1, "%s\n%s", e->code, reports);
        } else {
            ck_assert_msg(diag_errors() == 0, "%s\n%s", e->code, reports);
        }
        reports = reports_of(e->right);
        ck_assert_msg(diag_errors() == 0, "%s\n%s", e->code, reports);
    }
}
END_TEST

Suite *suite_explain(void)
{
    Suite *s = suite_create("explain");
    TCase *t = tcase_create("explain");
    tcase_add_test(t, rows_are_complete_and_in_order);
    tcase_add_test(t, samples_of_form_show_their_error);
    suite_add_tcase(s, t);
    return s;
}
