/* options.c - the flags of all commands in one table, and the reading of the command line.
 * In: the words behind the command's name. Out: `settings` for the commands and `options` for the
 * compiler; wrong usage is reported with the nearest flag that exists. */
#include "command.h"

#include <ctype.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

Settings settings;
Options options;

typedef struct Flag {
    char letter;              /* 0: none */
    const char *name;
    const char *value;        /* how its value is called; NULL: a switch */
    unsigned commands;
    size_t field;             /* in Settings; SIZE_MAX: a definition */
    const char *meaning;
} Flag;

#define AT(f) offsetof(Settings, f)
static const Flag flags[] = {
    {'o', "output", "DIR", COMPILE, AT(out), "where the files go; - prints the C source"},
    {0, "name", "NAME", COMPILE | SIZES, AT(name), "prefix of the C names; else the file's name"},
    {'D', "define", "NAME=VALUE", ANY_PROGRAM, SIZE_MAX, "another value for a const of the file"},
    {0, "real", "f32|f64", ANY_PROGRAM, AT(real), "what `real` is: float or double"},
    {0, "bounds", "clamp|trap|off", COMPILE | SIZES | RUN | TEST, AT(bounds),
     "data as an index outside: nearest, stop, or unchecked"},
    {0, "entries", "A,B", COMPILE | SIZES, AT(entries), "only these entries"},
    {0, "single-file", NULL, COMPILE | SIZES, AT(single_file), "the runtime inside the .c file"},
    {0, "profile", NULL, COMPILE, AT(profile), "code that measures itself, for NAME_profile()"},
    {0, "flops", NULL, SIZES, AT(flops), "operations and bytes moved by each equation"},
    {0, "direct", NULL, COMPILE | TEST | SIZES, AT(direct),
     "no convolutions by Winograd's algorithm: less RAM, exacter"},
    {0, "max-ram", "BYTES", COMPILE | TEST | SHOW | SIZES, AT(max_ram),
     "an upper bound for `RAM` of nnc size: 64k, 1.5M"},
    {0, "weights", "FILE", COMPILE | SIZES, AT(weights),
     "parameters from a .safetensors file, as constants"},
    {0, "depfile", "FILE", COMPILE, AT(depfile), "writes the files read as a rule for make"},
    {0, "seed", "N", RUN | TEST | SHOW, AT(seed), "seed of the initial values and of draws (0)"},
    {0, "params", "FILE", RUN | SHOW, AT(params), "parameters from a .safetensors file"},
    {0, "after", "PASS", SHOW, AT(after), "the graph after this pass"},
    {0, "grad", NULL, SHOW, AT(grad), "the derivative as equations"},
    {0, "graph", "text|dot|svg", SHOW, AT(graph), "the graph, as equations or as a drawing"},
    {0, "at", "X=V,...", SHOW, AT(at), "values and gradients for these arguments"},
    {0, "interpret", NULL, TEST, AT(no_compile), "only the interpreter, no compiled C"},
    {'h', "help", NULL, ANY_PROGRAM, AT(help), "this text"},
};
enum { N_FLAGS = sizeof flags / sizeof *flags };

int usage_error(const char *command, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "nnc%s%s: ", command ? " " : "", command ? command : "");
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\nhint: `nnc help%s%s` shows how it is used\n", command ? " " : "",
            command ? command : "");
    va_end(args);
    return EXIT_USAGE;
}

const char *did_you_mean(const char *name, const char *const *known, int count)
{
    const char *s = nearest(name, known, count);
    return s ? format(": did you mean `%s`?", s) : "";
}

void flags_help(Text *out, unsigned command_bit)
{
    for (int i = 0; i < N_FLAGS; i++) {
        const Flag *f = &flags[i];
        if (!(f->commands & command_bit)) continue;
        bool attached = f->letter && f->value;
        const char *left = attached ? format("-%c %s", f->letter, f->value)
                                    : format("--%s%s%s", f->name, f->value ? " " : "",
                                             f->value ? f->value : "");
        text_add(out, "  %-24s %s\n", left, f->meaning);
    }
}

/* "-2", "-.5" and "-inf" are arguments: numbers, not flags. */
static bool is_argument(const char *word)
{
    return word[0] != '-' || !word[1] || isdigit((unsigned char)word[1]) || word[1] == '.' ||
           !strcmp(word, "-inf") || !strcmp(word, "-Infinity");
}

static bool name_is(const char *name, const char *word, size_t n)
{
    return strlen(name) == n && !strncmp(name, word, n);
}

static const Flag *find_flag(const char *word, unsigned bit)
{
    for (int i = 0; i < N_FLAGS; i++) {
        const Flag *f = &flags[i];
        if (!(f->commands & bit)) continue;
        bool is_long = word[1] == '-';
        if (is_long && name_is(f->name, word + 2, strcspn(word + 2, "="))) return f;
        if (!is_long && f->letter == word[1]) return f;
    }
    return NULL;
}

static void unknown_flag(const char *command, const char *word, unsigned bit)
{
    VEC(const char *) known = {0};
    for (int i = 0; i < N_FLAGS; i++)
        if (flags[i].commands & bit) vec_push(&known, format("--%s", flags[i].name));
    const char *plain = format("%.*s", (int)strcspn(word, "="), word);
    usage_error(command, "no option `%s`%s", plain, did_you_mean(plain, known.at, known.n));
}

static bool add_define(const char *command, const char *text)
{
    size_t n = strcspn(text, "=");
    if (!n || !text[n]) {
        usage_error(command, "`-D %s` is not of the form NAME=VALUE", text);
        return false;
    }
    vec_push(&options.defines, ((Define){intern(text, n), text + n + 1, false}));
    return true;
}

/* Stores one flag. *i is its place in argv and moves on to its value when that stands apart. */
static bool store_flag(const char *command, const Flag *f, int argc, char **argv, int *i)
{
    const char *word = argv[*i], *value = NULL;
    if (word[1] == '-') value = strchr(word, '=') ? strchr(word, '=') + 1 : NULL;
    else if (word[2]) value = word + 2;
    if (!f->value) {
        if (value) usage_error(command, "`--%s` takes no value", f->name);
        else *(bool *)((char *)&settings + f->field) = true;
        return !value;
    }
    if (!value && *i + 1 < argc) value = argv[++*i];
    if (!value) {
        usage_error(command, "`%s` needs a value: %s", word, f->value);
        return false;
    }
    if (f->field == SIZE_MAX) return add_define(command, value);
    *(const char **)((char *)&settings + f->field) = value;
    return true;
}

static bool set_bounds(const char *command)
{
    static const char *const known[] = {"clamp", "trap", "off"};
    const char *word = settings.bounds ? settings.bounds : known[BOUNDS_CLAMP];
    for (int i = 0; i < 3; i++)
        if (!strcmp(word, known[i])) {
            options.bounds = (Bounds)i;
            return true;
        }
    usage_error(command, "`--bounds` is clamp, trap or off, not `%s`%s", word,
                did_you_mean(word, known, 3));
    return false;
}

/* "65536", "64k", "64 KiB", "1.5M": k, M and G are powers of 1024, kB, MB and GB of 1000. */
static bool read_bytes(const char *text, long *bytes)
{
    static const char prefixes[] = "kmg";
    char *rest;
    double v = strtod(text, &rest);
    if (rest == text || !isdigit((unsigned char)text[0])) return false;
    while (*rest == ' ') rest++;
    const char *prefix = *rest ? strchr(prefixes, tolower((unsigned char)*rest)) : NULL;
    if (prefix) rest++;
    bool decimal = prefix && (!strcmp(rest, "B") || !strcmp(rest, "b"));
    if (strcmp(rest, "") && strcmp(rest, "B") && !(prefix && !strcmp(rest, "iB"))) return false;
    for (long i = prefix ? prefix - prefixes + 1 : 0; i > 0; i--) v *= decimal ? 1000 : 1024;
    *bytes = v < 1e15 ? (long)v : 0;
    return *bytes > 0;
}

static bool set_options(const char *command)
{
    const char *known[] = {"f32", "f64"};
    options.out_dir = settings.out;
    options.name = settings.name;
    options.depfile = settings.depfile;
    options.single_file = settings.single_file;
    options.profile = settings.profile;
    options.direct = settings.direct;
    options.weights = settings.weights;
    if (settings.real && strcmp(settings.real, "f32") && strcmp(settings.real, "f64")) {
        usage_error(command, "`--real` is f32 or f64, not `%s`%s", settings.real,
                    did_you_mean(settings.real, known, 2));
        return false;
    }
    if (settings.max_ram && !read_bytes(settings.max_ram, &options.max_ram)) {
        usage_error(command,
                    "`--max-ram` is a number of bytes such as 65536, 64k or 1.5M, not `%s`",
                    settings.max_ram);
        return false;
    }
    options.f64 = settings.real && !strcmp(settings.real, "f64");
    if (!set_bounds(command)) return false;
    for (const char *s = settings.entries; s && *s;) {
        size_t n = strcspn(s, ",");
        if (n) vec_push(&options.entries, intern(s, n));
        s += n + (s[n] == ',');
    }
    return true;
}

bool read_arguments(const char *command, unsigned bit, int argc, char **argv)
{
    bool only_arguments = false;
    for (int i = 0; i < argc; i++) {
        if (only_arguments || is_argument(argv[i])) {
            vec_push(&settings.args, argv[i]);
            continue;
        }
        if (!strcmp(argv[i], "--")) {
            only_arguments = true;
            continue;
        }
        const Flag *f = find_flag(argv[i], bit);
        if (!f) {
            unknown_flag(command, argv[i], bit);
            return false;
        }
        if (!store_flag(command, f, argc, argv, &i)) return false;
    }
    return set_options(command);
}
