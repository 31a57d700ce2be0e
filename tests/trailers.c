/* trailers.c - programs that carry their expected output. In: folders of .nn files that end in
 * blocks such as
 *
 *     // >>> run value -2 5 -4
 *     // -12
 *
 * Out: a message for every block whose output differs, then "N passed, M failed"; with --update
 * the files are rewritten with the output as it is now. A block's first line is an nnc command
 * without the file's name; what it prints on either stream is compared, and "exit 1" stands last
 * when it fails. `error` is short for check, `output` for test, `after PASS [ENTRY]` for
 * show [ENTRY] --after=PASS. The command runs on a copy without the blocks, beside copies of the
 * folder's other programs, so that places and imports are as if the blocks were not there. Of a
 * program without blocks the tests are run, which must pass. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char mark[] = "// >>> ";
static const char *nnc, *scratch;
static bool update;
static int passed, failed;

typedef struct Text { char *s; size_t n; } Text;

static void die(const char *what, const char *name)
{
    fprintf(stderr, "trailers: %s: %s\n", what, name);
    exit(2);
}

static void add(Text *t, const char *s, size_t n)
{
    t->s = realloc(t->s, t->n + n + 1);
    if (!t->s) die("out of memory", "");
    memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = 0;
}

static Text read_stream(FILE *f)
{
    Text t = {0};
    char buffer[4096];
    size_t n;
    add(&t, "", 0);
    while ((n = fread(buffer, 1, sizeof buffer, f)) > 0) add(&t, buffer, n);
    return t;
}

static Text read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) die("cannot read", path);
    Text t = read_stream(f);
    fclose(f);
    return t;
}

static void write_file(const char *path, const char *s, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(s, 1, n, f) != n || fclose(f)) die("cannot write", path);
}

/* The first block, or the end of the text. */
static size_t program_length(const char *s)
{
    size_t k = sizeof mark - 1;
    if (!strncmp(s, mark, k)) return 0;
    for (const char *p = s; (p = strstr(p, mark)); p++)
        if (p[-1] == '\n') return (size_t)(p - s);
    return strlen(s);
}

static bool is_program(const char *name)
{
    size_t n = strlen(name);
    return n > 3 && !strcmp(name + n - 3, ".nn");
}

static int is_chosen(const struct dirent *d) { return is_program(d->d_name); }

/* ---- one block ----------------------------------------------------------------------------- */

/* Appends a line without spaces at its end, as a comment when asked. */
static void add_line(Text *t, const char *s, size_t n, bool as_comment)
{
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\r')) n--;
    if (as_comment) add(t, n ? "// " : "//", n ? 3 : 2);
    add(t, s, n);
    add(t, "\n", 1);
}

/* The shell command for the words behind the mark. */
static Text command_for(const char *dir, const char *file, const char *words, size_t n)
{
    char verb[64] = "", pass[64] = "", *line = calloc(1, n + 1);
    Text t = {0};
    int at = 0;
    if (!line) die("out of memory", "");
    memcpy(line, words, n);
    sscanf(line, "%63s%n", verb, &at);
    const char *rest = line + at;
    if (!strcmp(verb, "error")) strcpy(verb, "check");
    if (!strcmp(verb, "output")) strcpy(verb, "test");
    if (!strcmp(verb, "after")) {
        strcpy(verb, "show");
        sscanf(rest, "%63s%n", pass, &at);
        rest += at;
    }
    size_t size = strlen(dir) + strlen(nnc) + strlen(file) + n + 128;
    t.s = calloc(1, size);
    if (!t.s) die("out of memory", "");
    t.n = (size_t)snprintf(t.s, size, "cd '%s' && NO_COLOR=1 '%s' %s %s%s%s%s 2>&1", dir, nnc, verb,
                           file, rest, *pass ? " --after=" : "", pass);
    free(line);
    return t;
}

/* What the command prints, its lines as comments, with its exit code when that is not 0. */
static Text run_block(const char *dir, const char *file, const char *words, size_t n)
{
    Text command = command_for(dir, file, words, n), out = {0};
    fflush(NULL);
    FILE *f = popen(command.s, "r");
    if (!f) die("cannot run", command.s);
    Text raw = read_stream(f);
    int status = pclose(f);
    add(&out, "", 0);
    for (const char *p = raw.s; *p;) {
        size_t k = strcspn(p, "\n");
        add_line(&out, p, k, true);
        p += k + (p[k] == '\n');
    }
    char last[32];
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    int length = snprintf(last, sizeof last, "exit %d", code);
    if (code) add_line(&out, last, (size_t)length, true);
    free(raw.s);
    free(command.s);
    return out;
}

static void compare(const char *path, const char *words, size_t n, const Text *expected,
                    const Text *got)
{
    if (!strcmp(expected->s, got->s)) {
        passed++;
        return;
    }
    failed++;
    printf("FAILED %s: %.*s\n-- expected:\n%s-- got:\n%s", path, (int)n, words, expected->s,
           got->s);
}

static void run_tests(const char *path, const char *dir, const char *file)
{
    Text out = run_block(dir, file, "test", 4);
    bool ok = !strstr(out.s, "\n// exit ");
    passed += ok;
    failed += !ok;
    if (!ok) printf("FAILED %s\n%s", path, out.s);
    free(out.s);
}

/* ---- files and folders --------------------------------------------------------------------- */

static void run_file(const char *from, const char *dir, const char *file)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", from, file);
    Text all = read_file(path), fresh = {0};
    size_t at = program_length(all.s);
    add(&fresh, all.s, at);
    if (at == all.n && !update) run_tests(path, dir, file);
    while (at < all.n) {
        const char *words = all.s + at + sizeof mark - 1;
        size_t n = strcspn(words, "\n");
        const char *p = words + n + (words[n] == '\n');
        Text expected = {0}, got = run_block(dir, file, words, n);
        add(&expected, "", 0);
        while (*p && strncmp(p, mark, sizeof mark - 1)) {
            size_t k = strcspn(p, "\n");
            if (k) add_line(&expected, p, k, false);
            p += k + (p[k] == '\n');
        }
        if (!update) compare(path, words, n, &expected, &got);
        add(&fresh, all.s + at, sizeof mark - 1 + n);
        add(&fresh, "\n", 1);
        add(&fresh, got.s, got.n);
        at = (size_t)(p - all.s);
        free(expected.s);
        free(got.s);
    }
    if (update && (fresh.n != all.n || memcmp(fresh.s, all.s, all.n))) {
        write_file(path, fresh.s, fresh.n);
        printf("updated %s\n", path);
    }
    free(all.s);
    free(fresh.s);
}

static void run_folder(const char *from, int number)
{
    char dir[4096], path[8192];
    struct dirent **list;
    int n = scandir(from, &list, is_chosen, alphasort);
    if (n < 0) die("cannot read", from);
    snprintf(dir, sizeof dir, "%s/%d", scratch, number);
    mkdir(dir, 0777);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", from, list[i]->d_name);
        Text t = read_file(path);
        snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name);
        write_file(path, t.s, program_length(t.s));
        free(t.s);
    }
    for (int i = 0; i < n; i++) {
        run_file(from, dir, list[i]->d_name);
        free(list[i]);
    }
    free(list);
}

int main(int argc, char **argv)
{
    int at = 1;
    update = argc > 1 && !strcmp(argv[1], "--update");
    at += update;
    if (argc - at < 3) {
        fputs("usage: trailers [--update] NNC SCRATCH-FOLDER FOLDER...\n", stderr);
        return 2;
    }
    nnc = argv[at++];
    scratch = argv[at++];
    mkdir(scratch, 0777);
    for (int i = at; i < argc; i++) run_folder(argv[i], i);
    if (!update) printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
