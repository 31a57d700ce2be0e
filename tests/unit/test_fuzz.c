/* test_fuzz.c - wrong programs by the thousand. In: the cases of mutate.c by number. Out: a failed
 * check, with the program kept as a file, when the compiler crashes, aborts, takes too long,
 * refuses without a report, or loses the value of an entry.
 *     NNC_FUZZ=FROM:COUNT build/unit_tests        other and more cases than the usual ones
 *     NNC_FUZZ_EMIT=1                             what compiles is written as C, too */
#include "kernel.h"
#include "lower.h"
#include "mutate.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 10, USUAL_CASES = 1500 };

/* ---- one case -------------------------------------------------------------------------------- */

static void fail_case(const char *what)
{
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

/* How many elements all nodes of a graph have together, at the least sizes of the dims. */
static double elements(const Graph *g, const long *dims)
{
    double sum = 0;
    for (int i = 0; i < g->nodes.n; i++) {
        double n = 1;
        for (int k = 0; k < g->nodes.at[i]->type.shape.rank; k++)
            n *= (double)size_eval(g->nodes.at[i]->type.shape.size[k], dims);
        sum += n;
    }
    return sum;
}

static void call_entry(Machine *m, Entry *e, const long *dims)
{
    Tensor **args = NEW_N(Tensor *, e->inputs.n + 1);
    TensorList results = {0};
    const char *message;
    for (int i = 0; i < e->inputs.n; i++) {
        const Type *t = &e->inputs.at[i].type;
        long size[MAX_RANK];
        for (int k = 0; k < t->shape.rank; k++) size[k] = size_eval(t->shape.size[k], dims);
        args[i] = tensor_new(t->elem, t->shape.rank, size);
        for (long k = 0; k < args[i]->count; k++)
            args[i]->v[k] = elem_is_real(t->elem) ? 0.1 * pick(30) - 1 : pick(2);
    }
    machine_call(m, e, args, &results, &message);
}

/* d of the first real result by the real inputs: no shape may go wrong. */
static void differentiate_entry(Entry *e)
{
    Node *x[16], *loss = NULL;
    GradResult r[16];
    int n = 0;
    for (int i = 0; i < e->outputs.n && !loss; i++)
        if (e->outputs.at[i].node && elem_is_real(e->outputs.at[i].node->type.elem))
            loss = e->outputs.at[i].node;
    for (int i = 0; i < e->g->nodes.n && n < 16; i++) {
        Node *k = e->g->nodes.at[i];
        if ((k->op == OP_INPUT || k->op == OP_PARAM) && elem_is_real(k->type.elem)) x[n++] = k;
    }
    if (!loss || !n) return;
    loss = n_reduce(e->g, OP_SUM, loss, (1u << loss->type.shape.rank) - 1);
    differentiate(e->g, loss, n, x, r);
    for (int i = 0; i < n; i++)
        if (!shape_equal(&r[i].d->type.shape, &x[i]->type.shape))
            fail_case("a derivative of another shape");
    graph_verify(e->g, "grad");
}

static void run_program(Program *p)
{
    long dims[64] = {0};
    double most = 0;
    for (int i = 0; i < p->dims.n && i < 64; i++) dims[i] = p->dims.at[i]->lo;
    for (int i = 0; i <= p->entries.n; i++) {
        Entry *e = i < p->entries.n ? p->entries.at[i] : p->init;
        if (i < p->entries.n && e->decl->type && e->outputs.n == 0)
            fail_case("an entry without its value, and no report");
        graph_verify(e->g, "lower");
        if (i < p->entries.n) differentiate_entry(e);
        most += elements(e->g, dims);
        simplify_entry(e);
        graph_verify(e->g, "simplify");
        most += elements(e->g, dims);
    }
    if (getenv("NNC_FUZZ_EMIT")) {
        Text header = {0}, source = {0};
        emit_program(p, &header, &source);
    }
    if (most > 3e5) return;
    Machine *m = machine_new(p, 1);
    for (int i = 0; i < p->entries.n; i++) call_entry(m, p->entries.at[i], dims);
}

static bool compile_case(const char *text, FILE *sink)
{
    const Source *src = source_from_text("fuzz.nn", text, (int)strlen(text));
    Module *m = check_module(src);
    if (!m && !diag_errors()) fail_case("check refuses without a report");
    Program *p = m ? lower_module(m, "fuzz") : NULL;
    if (m && !p && !diag_errors()) fail_case("lower refuses without a report");
    if (p && diag_errors()) fail_case("lower reports and goes on");
    diag_flush(sink);
    if (p) run_program(p);
    diag_flush(sink);
    return p != NULL;
}

/* ---- many cases, in processes that may die --------------------------------------------------- */

typedef struct Shared {
    volatile long number;
    volatile long compiled;
} Shared;

static void run_cases(Shared *shared, long end)
{
    struct rlimit memory = {(rlim_t)3 << 30, (rlim_t)3 << 30};
    struct itimerval limit = {.it_value = {SECONDS, 0}};
    FILE *sink = fopen("/dev/null", "w");
    signal(SIGPROF, SIG_DFL);
#ifndef NNC_SANITIZED
    setrlimit(RLIMIT_AS, &memory);
#else
    (void)memory;
#endif
    for (; shared->number < end; shared->number++) {
        setitimer(ITIMER_PROF, &limit, NULL);
        shared->compiled += compile_case(make_case(shared->number), sink);
        arena_release();
        diag_reset();
    }
    _exit(0);
}

/* Kept as a text of its own, so that it can be tried again. */
static void keep_case(long number, int status)
{
    char path[200];
    snprintf(path, sizeof path, "%s/fuzz_%ld.nn", getenv("SCRATCH") ? getenv("SCRATCH") : "/tmp",
             number);
    FILE *f = fopen(path, "w");
    if (f) {
        fputs(make_case(number), f);
        fclose(f);
    }
    fprintf(stderr, "fuzz: case %ld ends with %s %d; it is kept in %s\n", number,
            WIFSIGNALED(status) ? "signal" : "exit code",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), path);
}

START_TEST(mutated_programs)
{
    long from = 0, count = USUAL_CASES, bad = 0;
    if (getenv("NNC_FUZZ")) sscanf(getenv("NNC_FUZZ"), "%ld:%ld", &from, &count);
    FILE *file = tmpfile();
    ck_assert(file && ftruncate(fileno(file), sizeof(Shared)) == 0);
    Shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    ck_assert(shared != MAP_FAILED);
    read_programs();
    for (shared->number = from; shared->number < from + count;) {
        fflush(NULL);
        pid_t child = fork();
        int status;
        if (child == 0) run_cases(shared, from + count);
        ck_assert(child > 0 && waitpid(child, &status, 0) == child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
        keep_case(shared->number++, status);
        bad++;
    }
    if (getenv("NNC_FUZZ")) printf("%ld of %ld programs compile\n", shared->compiled, count);
    ck_assert_msg(bad == 0, "%ld of %ld programs break the compiler", bad, count);
}
END_TEST

Suite *suite_fuzz(void)
{
    Suite *s = suite_create("fuzz");
    TCase *t = tcase_create("fuzz");
    tcase_set_timeout(t, getenv("NNC_FUZZ") ? 100000 : 120);
    tcase_add_test(t, mutated_programs);
    suite_add_tcase(s, t);
    return s;
}
