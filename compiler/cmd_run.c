/* cmd_run.c - `nnc run`: an entry evaluated by the interpreter. In: the file, the entry's name and
 * its arguments. Out: the results as JSON, one a line; a set of parameters is an object. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "value(x: real, y: real = 1)" */
static const char *signature(const Entry *e)
{
    Text out = {0};
    text_add(&out, "%s(", e->name);
    for (int i = 0; i < e->inputs.n; i++) {
        const Input *in = &e->inputs.at[i];
        text_add(&out, "%s%s: %s", i ? ", " : "", in->name, type_text(in->type));
        if (in->has_default) text_add(&out, " = %.9g", in->init);
    }
    text_add(&out, ")");
    return out.s;
}

/* The arguments behind the entry's name; those left out are NULL. False: reported. */
static bool read_inputs(const Entry *e, Tensor **args)
{
    int given = settings.args.n - 2;
    if (given > e->inputs.n) {
        usage_error("run", "%d arguments for %s", given, signature(e));
        return false;
    }
    for (int i = 0; i < e->inputs.n; i++) {
        const Input *in = &e->inputs.at[i];
        const char *error = NULL;
        if (i >= given && !in->has_default) {
            usage_error("run", "the argument `%s` is missing: %s", in->name, signature(e));
            return false;
        }
        if (i >= given) continue;
        args[i] = read_value(settings.args.at[i + 2], in->type.elem, &error);
        if (!args[i]) {
            usage_error("run", "the argument `%s` of %s: %s", in->name, signature(e), error);
            return false;
        }
    }
    return true;
}

static bool written_as_float(const Tensor *t)
{
    return (t->elem == ELEM_REAL && !options.f64) || t->elem == ELEM_F32 || t->elem == ELEM_F16;
}

void print_results(const Program *p, const Entry *e, const TensorList *results)
{
    Text out = {0};
    int at = 0;
    for (int i = 0; i < e->outputs.n; i++) {
        const Output *o = &e->outputs.at[i];
        const char *sep = "{";
        if (o->node) {
            json_write(&out, results->at[at], written_as_float(results->at[at]));
            at++;
        }
        for (int k = 0; k < o->set.n && !o->node; k++) {
            if (!o->set.at[k]) continue;
            text_add(&out, "%s\"%s\": ", sep, p->params.at[k]->path);
            json_write(&out, results->at[at], written_as_float(results->at[at]));
            at++;
            sep = ", ";
        }
        text_add(&out, o->node ? "\n" : "}\n");
    }
    if (out.n) fwrite(out.s, 1, out.n, stdout);
}

bool read_seed(const char *command, uint64_t *seed)
{
    char *end = NULL;
    *seed = 0;
    if (!settings.seed) return true;
    errno = 0;
    *seed = strtoull(settings.seed, &end, 0);
    if (*settings.seed != '-' && *settings.seed && !*end && !errno) return true;
    usage_error(command, "`--seed %s` is not a number from 0 to 2^64 - 1", settings.seed);
    return false;
}

Machine *start_machine(Program *p, const char *command, int *code)
{
    uint64_t seed;
    const char *error = NULL;
    *code = EXIT_USAGE;
    if (!read_seed(command, &seed)) return NULL;
    Machine *m = machine_new(p, seed);
    if (!settings.params || load_params(m, settings.params, NULL, &error)) return m;
    fprintf(stderr, "nnc: %s\n", error);
    *code = EXIT_IO;
    return NULL;
}

int cmd_run(void)
{
    int code;
    const char *error = NULL;
    TensorList results = {0};
    Program *p = load_program(&code);
    if (!p) return code;
    if (settings.args.n < 2) {
        Text all = {0};
        for (int i = 0; i < p->entries.n; i++)
            text_add(&all, "\n  %s", signature(p->entries.at[i]));
        return usage_error("run", "which entry?%s", all.n ? all.s : " The file has none");
    }
    Entry *e = entry_named(p, "run", settings.args.at[1]);
    if (!e) return EXIT_USAGE;
    Tensor **args = NEW_N(Tensor *, e->inputs.n + 1);
    if (!read_inputs(e, args)) return EXIT_USAGE;
    Machine *m = start_machine(p, "run", &code);
    if (!m) return code;
    if (!machine_call(m, e, args, &results, &error)) return usage_error("run", "%s", error);
    print_results(p, e, &results);
    return EXIT_OK;
}
