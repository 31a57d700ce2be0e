/* command.h - what the files of the command line share: the settings that main.c reads from the
 * arguments, the commands, the passes, and the small helpers for files and values. */
#ifndef NNC_COMMAND_H
#define NNC_COMMAND_H
#include "nnc.h"

enum {
    EXIT_OK = 0, EXIT_PROGRAM = 1, EXIT_USAGE = 2, EXIT_TEST = 3, EXIT_IO = 4, EXIT_INTERNAL = 70
};

/* ---- options.c: flags and arguments -------------------------------------------------------- */

/* Which commands take a flag: a bit for each. */
enum { COMPILE = 1, CHECK = 2, RUN = 4, TEST = 8, SHOW = 16, SIZES = 32, ANY_PROGRAM = 63 };

/* What stood on the command line; NULL or false where nothing did. */
typedef struct Settings {
    VEC(const char *) args;   /* in order, without the flags */
    const char *out, *name, *real, *bounds, *entries, *depfile, *max_ram;
    const char *seed, *params, *weights, *after, *graph, *at, *cc;
    bool single_file, profile, direct, flops, grad, no_compile, help;
} Settings;
extern Settings settings;

/* Reads the arguments behind the command's name into `settings` and `options`. False: wrong usage,
 * which was reported. A word that reads as a number is an argument, never a flag. */
bool read_arguments(const char *command, unsigned command_bit, int argc, char **argv);
/* The flags a command takes, one a line. */
void flags_help(Text *out, unsigned command_bit);
/* Reports wrong usage, with a pointer to the command's help; returns EXIT_USAGE. */
int usage_error(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* ": did you mean `train`?", or "" when nothing known is near. */
const char *did_you_mean(const char *name, const char *const *known, int count);

/* ---- main.c: the commands and the pipeline ------------------------------------------------- */

typedef struct Command {
    const char *name;
    unsigned bit;
    int (*run)(void);         /* settings are read; returns the exit code */
    const char *usage;        /* the arguments */
    const char *summary;      /* one line */
    const char *help, *examples;
} Command;
extern const Command commands[];                       /* ends with a row without a name */

/* Reads, checks and lowers settings.args.at[0], prints reports. NULL: *code is the exit code. */
Program *load_program(int *code);
/* Applies the graph passes up to and including `last` (NULL: all) to every entry. False, reported:
 * it does not fit. */
bool run_passes(Program *p, const char *last);
/* The entry of that name; NULL, reported: there is none. */
Entry *entry_named(Program *p, const char *command, const char *name);

int cmd_compile(void);
int cmd_check(void);
int cmd_run(void);
int cmd_test(void);
int cmd_show(void);
int cmd_size(void);
int cmd_explain(void);
int cmd_help(void);
void print_command_help(FILE *to, const Command *c);
void print_overview(FILE *to);

/* ---- output.c: files ----------------------------------------------------------------------- */

/* Writes the text, "-" to standard output; a file that holds it already stays untouched. Returns
 * EXIT_OK or, reported, EXIT_IO. */
int write_output(const char *path, const char *text, size_t length);
/* "mnist" of "models/mnist.nn"; "model" for standard input. */
const char *model_name(const char *path);

/* ---- json.c, npy.c: values ----------------------------------------------------------------- */

/* A number, true, false or a rectangular array of them, nested; NaN and Infinity are understood.
 * NULL: *error says what is wrong. Elements: bool, i32 when all are integers, else f64. */
Tensor *json_read(const char *text, const char **error);
/* The shortest numbers that read back the same; `as_float`: the same float. */
void json_write(Text *out, const Tensor *t, bool as_float);
/* A NumPy file in memory: versions 1 to 3, f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1. */
Tensor *npy_read(const char *bytes, size_t length, const char **error);

/* ---- value.c, cmd_run.c: arguments and results ----------------------------------------------- */

/* t, converted to the element type; NULL: *error says which value does not fit. */
Tensor *tensor_to(const Tensor *t, Elem e, const char **error);
/* An argument of `run`: JSON, @file.npy or @file.json. */
Tensor *read_value(const char *word, Elem e, const char **error);
/* The results of a call as JSON on standard output, one a line. */
void print_results(const Program *p, const Entry *e, const TensorList *results);
/* --seed; false: it is no number, which was reported. */
bool read_seed(const char *command, uint64_t *seed);
/* A machine with --seed and --params; NULL, reported: *code is the exit code. */
Machine *start_machine(Program *p, const char *command, int *code);

/* ---- params.c: parameters in files --------------------------------------------------------- */

/* Fills the machine's params, and the states that a safetensors file has: given[i], by Slot.id,
 * which may be NULL. */
bool load_params(Machine *m, const char *path, bool *given, const char **error);

/* ---- known.c: parameters as constants ------------------------------------------------------ */

/* Under --weights: what the entries that stay do not update becomes a constant. False, reported:
 * *code is the exit code. */
bool embed_weights(Program *p, int *code);

#endif
