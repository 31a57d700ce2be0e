/* cmd_compile.c - `nnc compile`: writes the model as C. In: the file and where its C goes. Out: a
 * header and a source file, rewritten only when they change, and a rule for make when asked. */
#include "kernel.h"
#include "lower.h"
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* The name with everything that C does not allow replaced. */
static const char *as_identifier(const char *name)
{
    Text out = {0};
    if (isdigit((unsigned char)name[0]) || !name[0]) text_add(&out, "net");
    for (const char *p = name; *p; p++)
        text_add(&out, "%c", (unsigned char)*p < 128 && isalnum((unsigned char)*p) ? *p : '_');
    return out.s;
}

static bool is_keyword(const char *name)
{
    static const char *const words[] = {
        "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else",
        "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register",
        "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef",
        "union", "unsigned", "void", "volatile", "while", "nn", "main",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i], name)) return true;
    return false;
}

/* The prefix of the C names, and of the files'. NULL: reported. */
static const char *output_name(void)
{
    const char *name = options.name ? options.name : model_name(settings.args.at[0]);
    const char *fit = as_identifier(name);
    if (is_keyword(fit)) fit = format("%s_net", fit);
    if (!strcmp(fit, name)) return name;
    Diag *d = error_at("E0604", (Span){0}, "`%s` cannot be the prefix of C names", name);
    diag_hint(d, "give one with `--name %s`", fit);
    diag_flush(stderr);
    return NULL;
}

/* Entries of --entries that do not exist are wrong usage. */
static bool known_entries(Program *p)
{
    for (int i = 0; i < options.entries.n; i++)
        if (!entry_named(p, "compile", options.entries.at[i])) return false;
    return true;
}

/* Entries that are called like a function of --profile are wrong usage. */
static bool free_for_profile(const Program *p)
{
    for (int i = 0; i < p->entries.n && options.profile; i++)
        for (const char *const *f = profile_functions; *f; f++)
            if (!strcmp(p->entries.at[i]->name, *f)) {
                usage_error("compile", "--profile adds a function `%s_%s`, which entry `%s` is",
                            p->name, *f, *f);
                return false;
            }
    return true;
}

static const char *make_escaped(const char *path)
{
    Text out = {0};
    for (; *path; path++) {
        if (*path == ' ' || *path == '#') text_add(&out, "\\");
        if (*path == '$') text_add(&out, "$");
        text_add(&out, "%c", *path);
    }
    return out.s ? out.s : "";
}

/* The outputs depend on every file that was read; each input is a target of its own too, so that a
 * removed import does not stop make. */
static int write_depfile(const char *header, const char *source)
{
    Text out = {0};
    Module *const *files;
    int n = modules_loaded(&files);
    text_add(&out, "%s %s:", make_escaped(source), make_escaped(header));
    for (int i = 0; i < n; i++)
        if (!files[i]->src->is_std) text_add(&out, " \\\n  %s", make_escaped(files[i]->src->name));
    if (options.weights) text_add(&out, " \\\n  %s", make_escaped(options.weights));
    text_add(&out, "\n");
    if (options.weights) text_add(&out, "%s:\n", make_escaped(options.weights));
    for (int i = 0; i < n; i++)
        if (!files[i]->src->is_std) text_add(&out, "%s:\n", make_escaped(files[i]->src->name));
    return write_output(options.depfile, out.s, out.n);
}

static int make_folder(const char *path)
{
    struct stat s;
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode)) return EXIT_OK;
    if (mkdir(path, 0777) == 0) return EXIT_OK;
    fprintf(stderr, "nnc: cannot make the folder `%s`: %s\n", path, strerror(errno));
    return EXIT_IO;
}

static int write_files(const char *name, const Text *header, const Text *source)
{
    const char *dir = options.out_dir ? options.out_dir : ".";
    const char *base = strcmp(dir, ".") ? format("%s/%s", dir, name) : name;
    const char *h = format("%s.h", base), *c = format("%s.c", base);
    int code = make_folder(dir);
    if (code == EXIT_OK) code = write_output(h, header->s, header->n);
    if (code == EXIT_OK) code = write_output(c, source->s, source->n);
    if (code == EXIT_OK && options.depfile) code = write_depfile(h, c);
    return code;
}

/* What --max-ram has changed. */
static void print_recomputed(const Program *p)
{
    for (int i = 0; i < p->entries.n; i++) {
        const Entry *e = p->entries.at[i];
        if (e->n_again)
            fprintf(stderr, "nnc: note: `%s`: %s\n", e->name, recomputed_text(e));
    }
}

int cmd_compile(void)
{
    int code;
    Text header = {0}, source = {0}, whole = {0};
    if (settings.args.n > 1)
        return usage_error("compile", "one file at a time, not also `%s`", settings.args.at[1]);
    const char *name = output_name();
    if (!name) return EXIT_PROGRAM;
    options.name = name;
    Program *p = load_program(&code);
    if (!p) return code;
    if (!known_entries(p) || !free_for_profile(p)) return EXIT_USAGE;
    if (!embed_weights(p, &code)) return code;
    if (!run_passes(p, NULL)) return EXIT_PROGRAM;
    print_recomputed(p);
    emit_program(p, &header, &source);
    if (options.single_file) paste_runtime(&whole, &source);
    else whole = source;
    bool to_stdout = options.out_dir && !strcmp(options.out_dir, "-");
    return to_stdout ? write_output("-", whole.s, whole.n) : write_files(name, &header, &whole);
}
