/* output.c - files that the command writes. In: a path and a text. Out: the file, replaced in one
 * step and only when its contents change, so that make does not rebuild what is the same. */
#include "command.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *model_name(const char *path)
{
    if (!strcmp(path, "-")) return "model";
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    return intern(base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
}

static int write_failed(const char *path)
{
    fprintf(stderr, "nnc: cannot write `%s`: %s\n", path, strerror(errno));
    return EXIT_IO;
}

static bool holds_already(const char *path, const char *text, size_t length)
{
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    char buffer[4096];
    size_t at = 0, n;
    bool same = true;
    while (same && (n = fread(buffer, 1, sizeof buffer, f)) > 0) {
        same = n <= length - at && !memcmp(buffer, text + at, n);
        at += n;
    }
    same = same && at == length && !ferror(f);
    fclose(f);
    return same;
}

static int write_in_place(const char *path, const char *text, size_t length)
{
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(text, 1, length, f) == length;
    if (f && fclose(f)) ok = false;
    return ok ? EXIT_OK : write_failed(path);
}

int write_output(const char *path, const char *text, size_t length)
{
    struct stat old;
    if (!strcmp(path, "-")) {
        bool ok = fwrite(text, 1, length, stdout) == length && !fflush(stdout);
        return ok ? EXIT_OK : write_failed("standard output");
    }
    bool exists = stat(path, &old) == 0;
    if (exists && !S_ISREG(old.st_mode)) return write_in_place(path, text, length);
    if (exists && holds_already(path, text, length)) return EXIT_OK;
    const char *fresh = format("%s.new%ld", path, (long)getpid());
    int code = write_in_place(fresh, text, length);
    if (code == EXIT_OK && rename(fresh, path)) code = write_failed(path);
    if (code != EXIT_OK) remove(fresh);
    return code;
}
