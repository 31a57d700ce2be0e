/* main.c - the commands, and the pipeline they run. In: the command line. Out: the exit code of the
 * command: 0 ok, 1 an error in the program, 2 wrong usage, 3 a failed test, 4 input or output,
 * 70 a fault of the compiler itself. */
#include "command.h"
#include "kernel.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the pipeline -------------------------------------------------------------------------- */

Program *load_program(int *code)
{
    const char *path = settings.args.at[0];
    const Source *src = source_read(path);
    *code = src ? EXIT_PROGRAM : EXIT_IO;
    if (!src) {
        fprintf(stderr, "nnc: cannot read `%s`: %s\n", path, strerror(errno));
        return NULL;
    }
    Module *m = check_module(src);
    Program *p = m ? lower_module(m, options.name ? options.name : model_name(path)) : NULL;
    if (p) check_footprint(p);
    bool failed = diag_errors() > 0;
    diag_flush(stderr);
    return failed ? NULL : p;
}

bool run_passes(Program *p, const char *last)
{
    for (int i = 0; i < p->entries.n; i++) graph_passes(p, p->entries.at[i], last);
    if (p->init) graph_passes(p, p->init, last);
    bool failed = diag_errors() > 0;
    diag_flush(stderr);
    return !failed;
}

Entry *entry_named(Program *p, const char *command, const char *name)
{
    VEC(const char *) known = {0};
    for (int i = 0; i < p->entries.n; i++) {
        if (!strcmp(p->entries.at[i]->name, name)) return p->entries.at[i];
        vec_push(&known, p->entries.at[i]->name);
    }
    Text all = {0};
    for (int i = 0; i < known.n; i++) text_add(&all, "%s%s", i ? ", " : "", known.at[i]);
    const char *hint = did_you_mean(name, known.at, known.n);
    if (!*hint) hint = all.n ? format("; there is %s", all.s) : "; the file has no entries";
    usage_error(command, "no entry `%s` in `%s`%s", name, settings.args.at[0], hint);
    return NULL;
}

/* ---- the commands -------------------------------------------------------------------------- */

const Command commands[] = {
    {"compile", COMPILE, cmd_compile, "MODEL.nn [options]", "write the model as C",
     "Writes MODEL.h and MODEL.c: a struct with the parameters, a function for every entry.\n"
     "They need the runtime library (cc MODEL.c main.c -lnnrt -lm) unless --single-file is given.\n"
     "With --weights the parameters of a file are constants of the C code: entries that only\n"
     "compute are called without a model, nothing is loaded, and normalisations, transposes and\n"
     "the like are worked into the constants. Entries that learn are left out.\n"
     "Files whose contents do not change are not written, so make does not rebuild them.\n",
     "  nnc compile mnist.nn                   mnist.h and mnist.c, in this folder\n"
     "  nnc compile mnist.nn -o gen -D H=64    into gen/, with another const\n"
     "  nnc compile mnist.nn --max-ram 256k    computes again what it has no room to keep\n"
     "  nnc compile mnist.nn --weights mnist.safetensors --entries predict\n"
     "  nnc compile mnist.nn --profile         with mnist_profile(stdout): time by equation\n"
     "  nnc compile mnist.nn --single-file     one .c file that needs nothing but libc\n"
     "  nnc compile mnist.nn -o - | less       the C source, to read\n"},
    {"check", CHECK, cmd_check, "MODEL.nn [options]", "find errors in names, shapes and gradients",
     "Checks the file as the other commands do, and prints nothing when all is well.\n",
     "  nnc check mnist.nn\n"
     "  cat mnist.nn | nnc check -\n"},
    {"run", RUN, cmd_run, "MODEL.nn ENTRY [ARGUMENT...]", "evaluate an entry with the interpreter",
     "Arguments are JSON numbers or arrays, or files: @image.npy, @batch.json. Arguments with a\n"
     "default may be left out at the end. Results are printed as JSON, one a line. Sizes such as\n"
     "the batch follow from the arguments; parameters are initialised from the seed.\n",
     "  nnc run graph.nn value -2 5 -4             -12\n"
     "  nnc run xor.nn predict '[[0, 1], [1, 1]]'\n"
     "  nnc run mnist.nn predict @images.npy --params mnist.safetensors\n"},
    {"test", TEST, cmd_test, "MODEL.nn [options]", "run the tests, check the gradients",
     "Runs every `test` twice, interpreted and as compiled C ($CC or cc), compares stated\n"
     "derivatives with differences of the function; the exit code is 3 if something fails.\n",
     "  nnc test xor.nn\n"
     "  CC=clang nnc test xor.nn --seed 7\n"
     "  nnc test xor.nn --interpret                without a C compiler\n"},
    {"show", SHOW, cmd_show, "MODEL.nn [ENTRY] [options]", "the graph and the derivative, to read",
     "Prints the entries as equations with their shapes, after all passes or after one of them,\n"
     "the derivative with the rule behind each line, or a drawing. With --at the drawing carries\n"
     "values above and gradients below.\n",
     "  nnc show graph.nn value --at x=-2,y=5,z=-4\n"
     "  nnc show xor.nn loss --grad\n"
     "  nnc show xor.nn train --after=lower\n"
     "  nnc show graph.nn value --graph=svg --at x=-2,y=5,z=-4 > graph.svg\n"},
    {"size", SIZES, cmd_size, "MODEL.nn [options]", "flash, RAM, stack and operations",
     "What the compiled model needs: in total, for each entry, and for each equation.\n",
     "  nnc size mnist.nn\n"
     "  nnc size mnist.nn --entries predict --single-file\n"
     "  nnc size mnist.nn --weights mnist.safetensors\n"
     "  nnc size mnist.nn --flops              what each equation computes and moves\n"
     "  nnc size mnist.nn --max-ram 256k       what it costs to do with less\n"},
    {"explain", 0, cmd_explain, "CODE", "what an error means, with an example",
     "Explains an error code in more words, with a program that shows it and its correction.\n",
     "  nnc explain E0302\n"},
    {"help", 0, cmd_help, "[COMMAND | TOPIC]", "this text, or help about a command or topic",
     "Topics: language, ops, passes, errors.\n",
     "  nnc help run\n"
     "  nnc help ops\n"},
    {NULL, 0, NULL, NULL, NULL, NULL, NULL},
};

void print_overview(FILE *to)
{
    fputs("nnc compiles neural networks, forward and backward, to readable C.\n\nusage:\n", to);
    for (const Command *c = commands; c->name; c++)
        fprintf(to, "  nnc %-8s %-30s %s\n", c->name, c->usage, c->summary);
    fputs("\nexamples:\n"
          "  nnc run graph.nn value -2 5 -4     evaluate an entry\n"
          "  nnc show graph.nn value --grad     its derivative as equations\n"
          "  nnc compile mnist.nn -o gen        gen/mnist.h and gen/mnist.c\n"
          "\n`nnc help COMMAND` tells more; `nnc help language` is about the language.\n",
          to);
}

void print_command_help(FILE *to, const Command *c)
{
    Text flags = {0};
    flags_help(&flags, c->bit);
    fprintf(to, "nnc %s - %s\n\nusage: nnc %s %s\n\n%s", c->name, c->summary, c->name, c->usage,
            c->help);
    if (flags.n) fprintf(to, "\noptions:\n%s", flags.s);
    fprintf(to, "\nexamples:\n%s", c->examples);
}

static int run_command(const Command *c, int argc, char **argv)
{
    if (!read_arguments(c->name, c->bit, argc, argv)) return EXIT_USAGE;
    if (settings.help) {
        print_command_help(stdout, c);
        return EXIT_OK;
    }
    if (c->bit && !settings.args.n) {
        fprintf(stderr, "nnc %s: which file?\n\n", c->name);
        print_command_help(stderr, c);
        return EXIT_USAGE;
    }
    return c->run();
}

static int unknown_command(const char *word)
{
    VEC(const char *) known = {0};
    for (const Command *c = commands; c->name; c++) vec_push(&known, c->name);
    const char *hint = did_you_mean(word, known.at, known.n);
    size_t n = strlen(word);
    if (n > 3 && !strcmp(word + n - 3, ".nn"))
        hint = format(": did you mean `nnc check %s`?", word);
    return usage_error(NULL, "no command `%s`%s", word, hint);
}

static int dispatch(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "--help";
    if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
        puts("nnc " NNC_VERSION);
        return EXIT_OK;
    }
    if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
        print_overview(stdout);
        return EXIT_OK;
    }
    for (const Command *c = commands; c->name; c++)
        if (!strcmp(c->name, word)) return run_command(c, argc - 2, argv + 2);
    return unknown_command(word);
}

/* ---- faults of the compiler ---------------------------------------------------------------- */

#ifdef NNC_SANITIZED
static void catch_faults(void) {}                      /* the sanitizer's report says more */
#else
/* Only what a signal handler may call. */
static void internal_error(int signal_number)
{
    static const char aborted[] = "nnc: internal error: stopped by its own checks\n";
    static const char fault[] = "nnc: internal error: memory fault\n";
    bool is_abort = signal_number == SIGABRT;
    ssize_t n = write(STDERR_FILENO, is_abort ? aborted : fault,
                      is_abort ? sizeof aborted - 1 : sizeof fault - 1);
    _exit(n < 0 ? EXIT_IO : EXIT_INTERNAL);
}

/* The handler has a stack of its own, as the fault may be an overflow of the usual one. */
static void catch_faults(void)
{
    static char stack[1 << 16];
    stack_t s = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction a = {.sa_handler = internal_error, .sa_flags = SA_ONSTACK};
    sigaltstack(&s, NULL);
    sigaction(SIGABRT, &a, NULL);
    sigaction(SIGSEGV, &a, NULL);
    sigaction(SIGBUS, &a, NULL);
    sigaction(SIGFPE, &a, NULL);
}
#endif

int main(int argc, char **argv)
{
    catch_faults();
    diag_colour(-1);
    int code = dispatch(argc, argv);
    if (fflush(stdout) && code == EXIT_OK) {
        fprintf(stderr, "nnc: cannot write to standard output: %s\n", strerror(errno));
        code = EXIT_IO;
    }
    arena_release();
    return code;
}
