/* test_check.c - names: what is seen from where, which name comes first, imports that go wrong; and
 * the programs of tests/errors: at least two for every code of the table. */
#include "lower.h"

#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/nnc_check_XXXXXX";

static void stop(void)
{
    arena_release();
    diag_reset();
}

static bool checks(const char *text)
{
    return check_module(source_from_text("t.nn", text, (int)strlen(text))) != NULL;
}

/* The reports as text. */
static const char *reports(void)
{
    Text t = {0};
    char buffer[4096];
    FILE *f = tmpfile();
    size_t n;
    diag_flush(f);
    rewind(f);
    text_add(&t, "%s", "");
    while ((n = fread(buffer, 1, sizeof buffer - 1, f)) > 0) {
        buffer[n] = 0;
        text_add(&t, "%s", buffer);
    }
    fclose(f);
    return t.s;
}

static const struct {
    const char *text, *code;
} names[] = {
    {"fn g(x: real) -> real = y; entry f(x: real) -> real = x;", "E0201"},
    {"fn never_called(x: real) -> real = undefined_name;", "E0201"},
    {"layer L(x: real[n]) -> real = n; entry f(x: real[3]) -> real = L(x);", NULL},
    {"layer L(x: real[n]) -> real = m; entry f(x: real[3]) -> real = L(x);", "E0201"},
    {"dim N in 1..4; fn g(x: real) -> real = N; entry f(x: real) -> real = g(x);", "E0201"},
    {"dim N in 1..4; fn g(x: real[N]) -> real = N; entry f(x: real[N]) -> real = g(x);", NULL},
    {"dim N in 1..4; entry f(x: real[N]) -> real = N;", NULL},
    {"entry f(x: real) -> real { y = z; z = x; return y; }", "E0201"},
    {"entry f(x: real) -> real = later * x; const later = 3;", NULL},
    {"entry f(x: real) -> real { x = 1; return x; }", "E0202"},
    {"entry f(x: real) -> real { y = 1; y = 2; return x; }", "E0202"},
    {"entry f(x: real) -> real { a, a = (1, 2); return x; }", "E0202"},
    {"fn g[a, a](x: real) -> real = x; entry f(x: real) -> real = x;", "E0202"},
    {"fn g[a](a: real) -> real = a; entry f(x: real) -> real = x;", "E0202"},
    {"const a = 1; const a = 2;", "E0202"},
    {"fn g(x: real) -> real { param w: real = 1; w = 2; return w; }", "E0202"},
    {"const relu = 3; entry f(x: real) -> real = relu * x;", NULL},
    {"const exp = 3; entry f(x: real) -> real = exp * x;", NULL},
    {"entry f(x: real) -> real = work;", NULL},
    {"entry f(x: real[3]) -> real { scan (a in x; a = 0) { next a = a; } return a; }", "E0202"},
    {"entry f(x: real[3]) -> real { s = 1; scan (a in x; s = 0) { next s = a; } return s; }",
     "E0202"},
    {"test \"t\" { assert nothing == 1; }", "E0201"},
    {"test \"t\" { a = 1; assert a == 1; }", NULL},
    {"fn g(x: real) -> real = x; grad (dy) = dy * other;", "E0201"},
    {"fn g(x: real) -> real { h = x; return h; } grad (dy) = dy * h;", NULL},
    {"import std.optim as o; entry f(x: real) -> real = o;", NULL},
    {"entry f(x: real[3]) -> real = sum[i](x[i]);", NULL},
    {"entry f(x: real[3]) -> real = sum[i](x[j]);", "E0201"},
};

START_TEST(names_in_sight)
{
    bool ok = checks(names[_i].text);
    const char *said = reports();
    ck_assert_msg(ok == !names[_i].code, "%s\n%s", names[_i].text, said);
    if (names[_i].code)
        ck_assert_msg(strstr(said, names[_i].code) != NULL, "%s\n%s", names[_i].text, said);
}
END_TEST

START_TEST(every_wrong_name_is_told_once)
{
    ck_assert(
        !checks("fn g(x: real) -> real = a + b;\nentry f(x: real) -> real = g(x) + g(x) + c;\n"));
    ck_assert_int_eq(diag_errors(), 3);
}
END_TEST

START_TEST(the_nearest_name_is_suggested)
{
    ck_assert(!checks("entry f(hidden: real) -> real = sigmod(hiden);"));
    const char *said = reports();
    ck_assert(strstr(said, "did you mean `sigmoid`?") && strstr(said, "did you mean `hidden`?"));
}
END_TEST

START_TEST(a_library_that_is_not_imported)
{
    ck_assert(!checks("net = LSTM[4];"));
    ck_assert(strstr(reports(), "import std.rnn;") != NULL);
}
END_TEST

/* ---- files that import each other ------------------------------------------------------------ */

static const char *write_program(const char *name, const char *text)
{
    const char *path = format("%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    ck_assert(f != NULL);
    fputs(text, f);
    fclose(f);
    return path;
}

static void make_folder(void) { ck_assert(mkdtemp(folder) != NULL); }

static void drop_folder(void)
{
    static const char *const files[] = {"a.nn", "b.nn", "c.nn", "e.nn"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(format("%s/%s", folder, files[i]));
    rmdir(folder);
    stop();
}

static bool file_checks(const char *path) { return check_module(source_read(path)) != NULL; }

START_TEST(a_file_that_imports_itself)
{
    ck_assert(!file_checks(write_program("a.nn", "import \"a.nn\";\nconst k = 1;\n")));
    ck_assert(strstr(reports(), "E0206") != NULL);
}
END_TEST

START_TEST(files_in_a_circle)
{
    write_program("b.nn", "import \"c.nn\";\n");
    write_program("c.nn", "import \"a.nn\";\n");
    ck_assert(!file_checks(write_program("a.nn", "import \"b.nn\";\nconst k = 1;\n")));
    ck_assert(strstr(reports(), "E0206") != NULL);
}
END_TEST

START_TEST(one_file_twice_is_no_circle)
{
    write_program("c.nn", "const k = 3;\n");
    write_program("b.nn", "import \"c.nn\";\nconst m = 2 * k;\n");
    const char *path = write_program("a.nn", "import \"b.nn\" as b;\nimport \"c.nn\" as c;\nentry "
                                             "f(x: real) -> real = b.m * c.k * x;\n");
    Module *m = check_module(source_read(path));
    ck_assert_msg(m != NULL, "%s", reports());
    ck_assert(lower_module(m, "a") != NULL);
}
END_TEST

START_TEST(empty_and_broken_files)
{
    write_program("e.nn", "");
    ck_assert(
        file_checks(write_program("a.nn", "import \"e.nn\";\nentry f(x: real) -> real = x;\n")));
    stop();
    write_program("b.nn", "const = ;\n");
    ck_assert(
        !file_checks(write_program("a.nn", "import \"b.nn\";\nentry f(x: real) -> real = x;\n")));
    ck_assert(strstr(reports(), "b.nn:1:") != NULL);
    stop();
    ck_assert(!file_checks(write_program("a.nn", "import \".\";\n")));
}
END_TEST

/* ---- the table of codes ---------------------------------------------------------------------- */

/* Does the program's expected output hold the code? */
static bool mentions(const char *path, const char *code)
{
    const Source *src = source_read(path);
    return src && strstr(src->text, format("[%s]", code)) != NULL;
}

static int programs_for(const char *code)
{
    int n = 0;
    DIR *d = opendir("tests/errors");
    ck_assert_msg(d != NULL, "tests/errors is not here");
    for (struct dirent *e; (e = readdir(d));)
        n += !strncmp(e->d_name, code, 5) && mentions(format("tests/errors/%s", e->d_name), code);
    closedir(d);
    return n;
}

START_TEST(every_code_has_two_programs)
{
    Text missing = {0};
    for (const ErrorInfo *e = error_table; e->code; e++)
        if (programs_for(e->code) < 2)
            text_add(&missing, " %s", e->code);
    ck_assert_msg(missing.n == 0, "fewer than two programs in tests/errors for%s", missing.s);
}
END_TEST

/* ---- the reference --------------------------------------------------------------------------- */

/* The blocks of compiler/LANGUAGE.md that are marked `nn` are whole programs. */
START_TEST(examples_of_the_reference)
{
    static const char mark[] = "```nn\n";
    const Source *page = source_read("compiler/LANGUAGE.md");
    ck_assert_msg(page != NULL, "compiler/LANGUAGE.md is not here");
    char *text = strdup(page->text);
    int count = 0;
    for (char *p = text; (p = strstr(p, mark)); count++) {
        p += sizeof mark - 1;
        const char *end = strstr(p, "```");
        ck_assert(end != NULL);
        stop();
        Module *m = check_module(source_from_text("LANGUAGE.md", p, (int)(end - p)));
        Program *made = m ? lower_module(m, "t") : NULL;
        ck_assert_msg(made != NULL, "%.*s\n%s", (int)(end - p), p, reports());
    }
    free(text);
    ck_assert_int_ge(count, 7);
}
END_TEST

Suite *suite_check(void)
{
    Suite *s = suite_create("check");
    TCase *t = tcase_create("names"), *files = tcase_create("files");
    tcase_add_checked_fixture(t, NULL, stop);
    tcase_add_loop_test(t, names_in_sight, 0, (int)(sizeof names / sizeof *names));
    tcase_add_test(t, every_wrong_name_is_told_once);
    tcase_add_test(t, the_nearest_name_is_suggested);
    tcase_add_test(t, a_library_that_is_not_imported);
    tcase_add_test(t, every_code_has_two_programs);
    tcase_add_test(t, examples_of_the_reference);
    tcase_add_checked_fixture(files, make_folder, drop_folder);
    tcase_add_test(files, a_file_that_imports_itself);
    tcase_add_test(files, files_in_a_circle);
    tcase_add_test(files, one_file_twice_is_no_circle);
    tcase_add_test(files, empty_and_broken_files);
    suite_add_tcase(s, t);
    suite_add_tcase(s, files);
    return s;
}
