/* main.c - runs every unit suite. In: the functions suite_<name> of the files test_<name>.c, listed
 * by the Makefile in suites.inc. Out: the failed checks, then "N passed, M failed"; the exit status
 * is 1 when a check failed. CK_FORK=no keeps everything in one process, for debuggers. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define SUITE(name) Suite *suite_##name(void);
#include "suites.inc"
#undef SUITE

static Suite *(*const suites[])(void) = {
#define SUITE(name) suite_##name,
#include "suites.inc"
};

int main(void)
{
    setenv("CK_DEFAULT_TIMEOUT", "120", 0);            /* a busy machine is no error */
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_SILENT);
    int run = srunner_ntests_run(runner), failed = srunner_ntests_failed(runner);
    TestResult **failures = srunner_failures(runner);
    for (int i = 0; i < failed; i++)
        printf("FAILED %s:%d: %s: %s\n", tr_lfile(failures[i]), tr_lno(failures[i]),
               tr_tcname(failures[i]), tr_msg(failures[i]));
    free(failures);
    printf("%d passed, %d failed\n", run - failed, failed);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
