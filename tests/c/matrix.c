/* matrix.c - generated C against the interpreter. In: .nn files. The interpreter runs the graph
 * from before `hoist`. Every entry of each is called with random arguments, every dim at its
 * least, its greatest and in between, one call after the other on one model; results, params,
 * states, the seed and the number of calls are compared, after every call and after init. The C
 * is compiled without a warning, so that each two of the compilers gcc and clang, -O0 and -O3,
 * float and double, scalar and vector code meet; vector code runs on each instruction set that
 * the processor has. Out: what differs, and "N passed, M failed", an entry in one setting being
 * one. MATRIX=full takes all combinations; MATRIX=san compiles with the sanitizers instead, all
 * buffers having exactly their size: that needs libasan loaded before this program. Called with
 * --runtime it compiles the runtime with the flags of each build into a folder under $RUNTIMES,
 * where the programs find it. */
#include "eval.h"
#include "kernel.h"
#include "nn.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEED = 7, MAX_SETTINGS = 5, MOST_SHOWN = 3 };

typedef struct Build {
    const char *cc, *flags;
    bool f64, scalar;
} Build;

#define ONE " -DNN_ONE_ISA -march=native"
/* The first five cover all pairs (vector code is -O3 whatever is said here), and vectors of both
 * element types by gcc, which is wrong most often. Vector code of every instruction set takes three
 * times as long to compile, so two of them have only the widest. One lets threads share what is
 * long enough. */
static Build matrix[] = {
    {"gcc", "-O0" ONE, false, false}, {"gcc", "-O3 -fopenmp", false, true},
    {"clang", "-O0", true, true},     {"clang", "-O3", false, false},
    {"gcc", "-O0" ONE, true, false},
    {"gcc", "-O0", true, true},       {"gcc", "-O0", false, true},
    {"gcc", "-O0", false, false},     {"gcc", "-O0", true, false},
    {"gcc", "-O3", true, true},       {"gcc", "-O3", true, false},
    {"gcc", "-O3", false, false},     {"clang", "-O0", false, true},
    {"clang", "-O0", true, false},    {"clang", "-O0", false, false},
    {"clang", "-O3", true, false},    {"clang", "-O3", false, true},
    {"clang", "-O3", true, true},
};
/* One pass of vector code: each further one takes as long again to compile. Without the passes of
 * gcc that look for what is known behind each of the many checks it takes a quarter of the time. */
#define SAN "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all " \
    "--param asan-instrumentation-with-call-threshold=0 " \
    "-fno-tree-vrp -fno-tree-pre -fno-tree-dominator-opts"
static Build sanitized[] = {{"gcc", SAN ONE " -w", false, false}};
#define STRICT "-std=c11 -Wall -Wextra -Wconversion -Wshadow -pedantic -Werror"
static const char *const isas[] = {"sse2", "avx2", "avx512"};

static int passed, failed;

static const char *own_flags(const Build *b)
{
    return format("%s%s", b->flags, b->scalar ? " -DNN_SCALAR" : "");
}

static const char *flags_of(const Build *b) { return format(STRICT " %s", own_flags(b)); }

/* As with --single-file. It is the build that takes no time. */
static bool brings_runtime(const Build *b)
{
    return !strcmp(b->cc, "clang") && !strcmp(b->flags, "-O0") && b->scalar;
}

/* ---- the runtime ----------------------------------------------------------------------------- */

/* Where it lies, as the shell sees it: "$RUNTIMES"/gcc__O0 */
static const char *runtime_of(const Build *b)
{
    Text name = {0};
    for (const char *s = format("%s %s", b->cc, own_flags(b)); *s; s++)
        text_add(&name, "%c", isalnum((unsigned char)*s) ? *s : '_');
    return format("\"$RUNTIMES\"/%s", name.s);
}

/* Builds that differ in the element type only share one. */
static void build_runtime(const Build *b)
{
    const char *dir = runtime_of(b);
    const char *command = format("test -d %s || { mkdir %s && cd %s && "
                                 "%s %s -fPIC -I\"$INCLUDE\" -c \"$INCLUDE\"/nn_isa.c "
                                 "\"$INCLUDE\"/nn_kernels.c \"$INCLUDE\"/nn_random.c; }",
                                 dir, dir, dir, b->cc, flags_of(b));
    if (brings_runtime(b) || !system(command)) return;
    printf("FAILED %s\n", command);
    failed++;
}

/* ---- what the interpreter says --------------------------------------------------------------- */

typedef struct Snapshot {
    Tensor **params, **states;
    uint64_t seed, call;
} Snapshot;

typedef struct Step {
    Entry *entry;
    int setting;
    Tensor **args;
    TensorList results;
    Snapshot before, after;
} Step;
typedef struct Trace {
    Program *program;
    VEC(Step) steps;
    Snapshot first;
} Trace;

static Tensor **copies(Tensor *const *from, int n)
{
    Tensor **to = NEW_N(Tensor *, n + 1);
    for (int i = 0; i < n; i++) {
        to[i] = tensor_new(from[i]->elem, from[i]->rank, from[i]->size);
        memcpy(to[i]->v, from[i]->v, sizeof(double) * (size_t)from[i]->count);
    }
    return to;
}

static Snapshot snapshot(const Machine *m)
{
    const Program *p = m->program;
    return (Snapshot){copies(m->params, p->params.n), copies(m->states, p->states.n), m->seed,
                      m->call};
}

/* Setting 0 has every dim at its least, 1 at its greatest, the others mix. */
static void choose_dims(const Entry *e, int setting, long *dims)
{
    for (int i = 0; i < e->dims.n; i++) {
        const Dim *d = e->dims.at[i];
        int level = setting < 2 ? setting : (i + setting) % 3;
        dims[d->id] = level == 0 ? d->lo : level == 1 ? d->hi : (d->lo + d->hi) / 2;
    }
}

/* A value of the element type: reals that are exact in it, integers that are sometimes wrong as an
 * index. u is in [0, 1). */
static double random_value(Elem e, double u)
{
    switch (e) {
    case ELEM_BOOL: return u < 0.5;
    case ELEM_U8: return floor(u * 256);
    case ELEM_I8: return floor(u * 256) - 128;
    case ELEM_I32: return floor(u * 12) - 1;
    default:
        return eval_convert(ELEM_F64, e == ELEM_F16 ? e : ELEM_F32, (double)(float)(3 * u - 1.5));
    }
}

static Tensor **random_arguments(const Entry *e, const long *dims, uint64_t number)
{
    Tensor **args = NEW_N(Tensor *, e->inputs.n + 1);
    for (int i = 0; i < e->inputs.n; i++) {
        Type t = e->inputs.at[i].type;
        long size[MAX_RANK];
        for (int k = 0; k < t.shape.rank; k++) size[k] = size_eval(t.shape.size[k], dims);
        args[i] = tensor_new(t.elem, t.shape.rank, size);
        for (long k = 0; k < args[i]->count; k++)
            args[i]->v[k] =
                random_value(t.elem, nn_uniform_at(number, 0, (uint32_t)i, (uint64_t)k));
    }
    return args;
}

static void add_step(Trace *t, Machine *m, Entry *e, int setting)
{
    const char *error = NULL;
    long dims[64] = {0};
    choose_dims(e, setting, dims);
    Step s = {.entry = e, .setting = setting, .before = snapshot(m)};
    s.args = random_arguments(e, dims, 1000 + (uint64_t)t->steps.n);
    if (!machine_call(m, e, s.args, &s.results, &error)) {
        printf("FAILED %s: %s\n", e->name, error);
        failed++;
        return;
    }
    s.after = snapshot(m);
    vec_push(&t->steps, s);
}

static void trace(Trace *t, Program *p)
{
    Machine *m = machine_new(p, SEED);
    t->program = p;
    t->first = snapshot(m);
    for (int setting = 0; setting < MAX_SETTINGS; setting++)
        for (int i = 0; i < p->entries.n; i++) {
            Entry *e = p->entries.at[i];
            if (setting < (e->dims.n == 0 ? 2 : e->dims.n == 1 ? 3 : MAX_SETTINGS))
                add_step(t, m, e, setting);
        }
}

/* ---- what C says ----------------------------------------------------------------------------- */

typedef struct Run {
    Native *native;
    Machine *m;
    const char *what;
    int shown;
} Run;

/* Reals agree relative to the greatest of the tensor: a float holds seven digits, and sums of a
 * hundred terms lose some, which shows where Adam divides a small gradient by its own magnitude.
 * Everything else agrees exactly. */
static bool agrees(Run *r, const Tensor *a, const Tensor *b, const char *name)
{
    double scale = 0.01, within = options.f64 && a->elem != ELEM_F32 ? 1e-12 : 4e-5;
    for (long i = 0; i < a->count; i++)
        if (isfinite(a->v[i])) scale = fmax(scale, fabs(a->v[i]));
    if (!elem_is_real(a->elem)) within = 0;
    if (a->elem == ELEM_F16) within = 1e-3;
    for (long i = 0; i < a->count && a->count == b->count; i++) {
        double x = a->v[i], y = b->v[i];
        if (x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= within * scale) continue;
        if (r->shown++ < MOST_SHOWN)
            printf("FAILED %s: %s, element %ld of %ld: %.9g, compiled %.9g\n", r->what, name, i,
                   a->count, x, y);
        return false;
    }
    return a->count == b->count;
}

static bool same_machine(Run *r, const Snapshot *s, const char *name)
{
    const Program *p = r->m->program;
    bool ok = true;
    for (int i = 0; i < p->params.n; i++)
        ok &=
            agrees(r, s->params[i], r->m->params[i], format("%s: %s", name, p->params.at[i]->path));
    for (int i = 0; i < p->states.n; i++)
        ok &=
            agrees(r, s->states[i], r->m->states[i], format("%s: %s", name, p->states.at[i]->path));
    if (s->seed == r->m->seed && s->call == r->m->call) return ok;
    printf("FAILED %s: %s: seed %llu, call %llu, compiled %llu, %llu\n", r->what, name,
           (unsigned long long)s->seed, (unsigned long long)s->call, (unsigned long long)r->m->seed,
           (unsigned long long)r->m->call);
    return false;
}

/* Every call starts from what the interpreter had then, so that differences do not add up. */
static bool same_step(Run *r, const Step *s)
{
    const char *error = NULL;
    const Program *p = r->m->program;
    TensorList results = {0};
    *r->m = (Machine){.program = r->m->program, .seed = s->before.seed, .call = s->before.call};
    r->m->params = copies(s->before.params, p->params.n);
    r->m->states = copies(s->before.states, p->states.n);
    const char *name = format("%s, setting %d", s->entry->name, s->setting);
    if (!native_call(r->native, r->m, s->entry, s->args, &results, &error)) {
        printf("FAILED %s: %s: %s\n", r->what, name, error);
        return false;
    }
    bool ok = results.n == s->results.n;
    for (int i = 0; i < results.n && ok; i++)
        ok = agrees(r, s->results.at[i], results.at[i], format("%s, result %d", name, i));
    return same_machine(r, &s->after, name) && ok;
}

/* The number of entries, and of initialisers, that differ. */
static int compare(Native *native, const Trace *t, const char *what)
{
    const char *error = NULL;
    Run r = {.native = native, .m = machine_new(t->program, 1), .what = what};
    int wrong = 0;
    if (!native_init(native, r.m, SEED, &error)) {
        printf("FAILED %s: %s\n", what, error);
        return 1;
    }
    if (t->program->params.n + t->program->states.n) wrong += !same_machine(&r, &t->first, "init");
    for (int i = 0; i < t->program->entries.n; i++) {
        bool ok = true;
        for (int k = 0; k < t->steps.n; k++)
            if (t->steps.at[k].entry == t->program->entries.at[i])
                ok &= same_step(&r, &t->steps.at[k]);
        wrong += !ok;
    }
    return wrong;
}

/* In a process of its own: it chooses its instruction set once, and may crash. */
static void run_apart(Native *native, const Trace *t, const char *isa, const char *what)
{
    int status, all = t->program->entries.n + 1, wrong = all;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (isa) setenv("NN_ISA", isa, 1);
        alarm(300);
        wrong = compare(native, t, what);
        fflush(stdout);
        _exit(wrong);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) status = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) <= all)
        wrong = WEXITSTATUS(status);
    else
        printf("FAILED %s: stopped with status %d\n", what, status);
    passed += all - wrong;
    failed += wrong;
}

static bool has_isa(const char *isa)
{
    setenv("NN_ISA", isa, 1);
    nn_isa_set(4);
    bool below = !strcmp(isa, "sse2") || nn_isa() == NN_LEVEL_AVX512;
    bool has = below || (!strcmp(isa, "avx2") && nn_isa() >= NN_LEVEL_AVX2);
    unsetenv("NN_ISA");
    return has;
}

static void run_build(const Trace *t, const Build *b, const char *file)
{
    const char *error = NULL;
    const char *what = format("%s, %s %s%s, %s", file, b->cc, b->flags, b->scalar ? " scalar" : "",
                              b->f64 ? "double" : "float");
    setenv("CC", b->cc, 1);
    options.own_runtime = !brings_runtime(b);
    const char *runtime = format(" -I\"$INCLUDE\" %s/*.o", runtime_of(b));
    const char *flags = format("%s%s", flags_of(b), brings_runtime(b) ? "" : runtime);
    Native *native = native_build(t->program, flags, &error);
    if (!native) {
        printf("FAILED %s: %s\n", what, error);
        failed++;
        return;
    }
    bool one = b->scalar || strstr(b->flags, ONE);
    if (one) run_apart(native, t, NULL, what);
    for (size_t i = 0; i < sizeof isas / sizeof *isas && !one; i++)
        if (has_isa(isas[i])) run_apart(native, t, isas[i], format("%s, %s", what, isas[i]));
    native_free(native);
}

/* ---- files ----------------------------------------------------------------------------------- */

static Program *load(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const Source *src = source_read(path);
    Module *m = src ? check_module(src) : NULL;
    Program *p = m ? lower_module(m, format("%.*s", (int)strcspn(name, "."), name)) : NULL;
    diag_flush(stdout);
    for (int i = 0; p && i < p->entries.n; i++) simplify_entry(p->entries.at[i]);
    if (p && p->init) simplify_entry(p->init);
    if (p) return p;
    printf("FAILED %s: cannot be read\n", path);
    failed++;
    return NULL;
}

static void run_file(const char *path, const Build *builds, int n)
{
    for (int f64 = 0; f64 < 2; f64++) {
        Trace t = {0};
        options.f64 = f64;
        Program *p = load(path);
        if (!p) return;
        trace(&t, p);
        for (int i = 0; i < p->entries.n; i++) hoist_entry(p->entries.at[i]);
        for (int i = 0; i < n; i++)
            if (builds[i].f64 == options.f64) run_build(&t, &builds[i], path);
    }
}

/* The builds whose compiler there is, moved to the front. */
static int available(Build *builds, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (!system(format("command -v %s >/dev/null", builds[i].cc))) builds[kept++] = builds[i];
    return kept;
}

int main(int argc, char **argv)
{
    const char *kind = getenv("MATRIX") ? getenv("MATRIX") : "";
    bool san = !strcmp(kind, "san");
    int n = san ? 1 : !strcmp(kind, "full") ? (int)(sizeof matrix / sizeof *matrix) : 5;
    Build *builds = san ? sanitized : matrix;
    unsetenv("LD_PRELOAD"); /* libasan is here, the compilers need none */
    n = available(builds, n);
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--runtime"))
            for (int k = 0; k < n; k++) build_runtime(&builds[k]);
        else
            run_file(argv[i], builds, n);
        diag_reset();
        arena_release();
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
