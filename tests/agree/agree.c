/* agree.c - a network against what PyTorch computed once. In: a file NAME.nn, with the weights
 * NAME.weights.safetensors, as `nnc run --params` takes them, and the recording
 * NAME.torch.safetensors, which make.py has written: the arguments of the entries, what these
 * return (ENTRY.OUTPUT, ENTRY.OUTPUT.PATH for a gradient) and which states they leave
 * (ENTRY.after.PATH). Every entry is called with these arguments from these weights, interpreted,
 * as C in double and as C in float, and everything that it returns is compared. An entry whose
 * results are recorded with one more axis is called that often on the same model; an entry
 * `then_..` goes on with the model of the entry before.
 * Out: the worst difference of every entry, and "N passed, M failed". */
#include "command.h"
#include "kernel.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The difference is relative to the greatest value of the tensor, but to at least this share of the
 * greatest in all that the call returns: the bias of a convolution in front of a batch norm has the
 * gradient 0, of which rounding leaves 1e-17. */
static const double least_share = 0.01;
static const char flags[] = "-O0 -w -DNN_ONE_ISA -march=native";
static const double within_double = 1e-9, within_float = 1e-4;

static int passed, failed;

/* ---- recordings ------------------------------------------------------------------------------ */

typedef struct Record {
    const char *name;
    Tensor *value;
    bool used;
} Record;
typedef VEC(Record) Recording;

static Elem elem_of(const char *dtype)
{
    return !strcmp(dtype, "F64")   ? ELEM_F64
           : !strcmp(dtype, "F32") ? ELEM_F32
           : !strcmp(dtype, "I32") ? ELEM_I32
                                   : ELEM_BOOL;
}

static double element(Elem e, const char *data, long i)
{
    double d;
    float f;
    int32_t n;
    switch (e) {
    case ELEM_F64: memcpy(&d, data + 8 * i, 8); return d;
    case ELEM_F32: memcpy(&f, data + 4 * i, 4); return (double)f;
    case ELEM_I32: memcpy(&n, data + 4 * i, 4); return n;
    default: return data[i];
    }
}

static Tensor *tensor_at(const cJSON *entry, const char *data)
{
    long size[MAX_RANK] = {0};
    const cJSON *shape = cJSON_GetObjectItem(entry, "shape");
    const cJSON *offsets = cJSON_GetObjectItem(entry, "data_offsets");
    int rank = cJSON_GetArraySize(shape);
    for (int i = 0; i < rank && i < MAX_RANK; i++)
        size[i] = (long)cJSON_GetArrayItem(shape, i)->valuedouble;
    Elem e = elem_of(cJSON_GetObjectItem(entry, "dtype")->valuestring);
    Tensor *t = tensor_new(e, rank, size);
    data += (long)cJSON_GetArrayItem(offsets, 0)->valuedouble;
    for (long i = 0; i < t->count; i++) t->v[i] = element(e, data, i);
    return t;
}

/* The file has been written by make.py: it is not doubted. */
static bool read_recording(const char *path, Recording *out)
{
    uint64_t length;
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    fseek(f, 0, SEEK_END);
    size_t bytes = (size_t)ftell(f);
    char *text = arena_alloc(bytes + 1);
    rewind(f);
    bool ok = fread(text, 1, bytes, f) == bytes && bytes > sizeof length;
    fclose(f);
    if (!ok) return false;
    memcpy(&length, text, sizeof length);
    cJSON *header = cJSON_ParseWithLength(text + 8, (size_t)length);
    for (const cJSON *e = header ? header->child : NULL; e; e = e->next)
        vec_push(out, ((Record){format("%s", e->string), tensor_at(e, text + 8 + length), false}));
    cJSON_Delete(header);
    return out->n > 0;
}

static const Tensor *recorded(Recording *r, const char *name)
{
    for (int i = 0; i < r->n; i++)
        if (!strcmp(r->at[i].name, name)) {
            r->at[i].used = true;
            return r->at[i].value;
        }
    return NULL;
}

/* ---- one entry ------------------------------------------------------------------------------- */

/* What an entry gives, and leaves, beside what is recorded of it. */
typedef struct Pair {
    const char *name;
    const Tensor *given, *recorded;
} Pair;
typedef struct Pairs {
    VEC(Pair) list;
    const char *missing;      /* a name that the recording lacks */
} Pairs;

static void add_pair(Pairs *p, Recording *r, const char *name, const Tensor *given)
{
    const Tensor *t = recorded(r, name);
    if (!t) p->missing = name;
    else vec_push(&p->list, ((Pair){name, given, t}));
}

/* The results of a call: ENTRY.OUTPUT, ENTRY.OUTPUT.PATH for the members of a set. */
static Pairs results_of(const Program *p, const Entry *e, const TensorList *results, Recording *r)
{
    Pairs pairs = {0};
    int at = 0;
    for (int i = 0; i < e->outputs.n; i++) {
        const Output *o = &e->outputs.at[i];
        const char *name = format("%s.%s", e->name, o->name);
        if (o->node) add_pair(&pairs, r, name, results->at[at++]);
        for (int k = 0; k < o->set.n && !o->node; k++)
            if (o->set.at[k]) {
                const char *member = format("%s.%s", name, p->params.at[k]->path);
                add_pair(&pairs, r, member, results->at[at++]);
            }
    }
    return pairs;
}

/* The states that an entry leaves: ENTRY.after.PATH, where that is recorded. */
static Pairs states_of(const Machine *m, const Entry *e, Recording *r)
{
    Pairs pairs = {0};
    for (int i = 0; i < m->program->states.n; i++) {
        const char *name = format("%s.after.%s", e->name, m->program->states.at[i]->path);
        if (recorded(r, name)) add_pair(&pairs, r, name, m->states[i]);
    }
    return pairs;
}

static double greatest(const double *v, long n)
{
    double most = 0;
    for (long i = 0; i < n; i++) most = fmax(most, fabs(v[i]));
    return most;
}

/* The recorded values of call number k start here. */
static const double *of_call(const Pair *p, long k)
{
    return p->recorded->v + (p->recorded->rank > p->given->rank ? k * p->given->count : 0);
}

static bool same_shape(const Pair *p)
{
    const Tensor *a = p->given, *b = p->recorded;
    int more = b->rank - a->rank;
    if (more < 0 || more > 1) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->size[i] != b->size[i + more]) return false;
    return true;
}

/* The greatest difference; *where is its tensor. inf: shapes differ, or something is no number. */
static double difference(const Pairs *pairs, long call, const char **where)
{
    double all = 0, worst = 0;
    *where = pairs->missing;
    if (pairs->missing) return INFINITY;
    for (int i = 0; i < pairs->list.n; i++) {
        const Pair *p = &pairs->list.at[i];
        *where = p->name;
        if (!same_shape(p)) return INFINITY;
        all = fmax(all, greatest(of_call(p, call), p->given->count));
    }
    for (int i = 0; i < pairs->list.n; i++) {
        const Pair *p = &pairs->list.at[i];
        const double *b = of_call(p, call);
        double scale = fmax(greatest(b, p->given->count), least_share * all);
        for (long k = 0; k < p->given->count; k++) {
            double d = fabs(p->given->v[k] - b[k]);
            if (d != 0 && !(d <= worst * scale)) {
                worst = d / scale < INFINITY ? d / scale : INFINITY;
                *where = p->name;
            }
        }
    }
    return worst;
}

/* How the entries of a program are computed. */
typedef struct Backend {
    const char *name;
    Program *program;
    Native *native;           /* NULL: interpreted */
} Backend;

static bool call(const Backend *b, Machine *m, Entry *e, Tensor **args, TensorList *results,
                 const char **error)
{
    results->n = 0;
    return b->native ? native_call(b->native, m, e, args, results, error)
                     : machine_call(m, e, args, results, error);
}

static Tensor **arguments(const Entry *e, Recording *r, const char **error)
{
    Tensor **args = NEW_N(Tensor *, e->inputs.n + 1);
    for (int i = 0; i < e->inputs.n; i++) {
        const Tensor *t = recorded(r, e->inputs.at[i].name);
        if (!t) *error = format("the argument `%s` is not recorded", e->inputs.at[i].name);
        else args[i] = tensor_to(t, e->inputs.at[i].type.elem, error);
        if (!args[i]) return NULL;
    }
    return args;
}

/* How often the recording says that the entry is called. */
static long calls_of(const Pairs *pairs)
{
    for (int i = 0; i < pairs->list.n; i++) {
        const Pair *p = &pairs->list.at[i];
        if (p->recorded->rank > p->given->rank) return p->recorded->size[0];
    }
    return 1;
}

static double worst_of(const Backend *b, Machine *m, Entry *e, Recording *r, const char **what)
{
    Tensor **args = arguments(e, r, what);
    double worst = 0;
    long calls = 1;
    if (!args) return INFINITY;
    for (long k = 0; k <= calls; k++) {
        TensorList results = {0};
        const char *where;
        if (k < calls && !call(b, m, e, args, &results, what)) return INFINITY;
        Pairs pairs = k < calls ? results_of(b->program, e, &results, r) : states_of(m, e, r);
        if (k == 0) calls = calls_of(&pairs);
        double d = difference(&pairs, k, &where);
        if (d > worst) {
            worst = d;
            *what = where;
        }
    }
    return worst;
}

/* ---- one network ----------------------------------------------------------------------------- */

static Program *load(const char *path, const char *name)
{
    const Source *src = source_read(path);
    Module *m = src ? check_module(src) : NULL;
    Program *p = m ? lower_module(m, name) : NULL;
    diag_flush(stdout);
    for (int i = 0; p && i < p->entries.n; i++) simplify_entry(p->entries.at[i]);
    if (p && p->init) simplify_entry(p->init);
    return p;
}

/* NAME.weights.safetensors of NAME.nn */
static const char *beside(const char *path, const char *what)
{
    return format("%.*s.%s.safetensors", (int)strlen(path) - 3, path, what);
}

/* The recorded weights are floats: what stands in the file is what a program in double gets. */
static Tensor **load_weights(const char *path, const char *name, const char **error)
{
    options.f64 = false;
    *error = "the program cannot be read";
    Program *p = load(path, name);
    Machine *m = p ? machine_new(p, 0) : NULL;
    return m && load_params(m, beside(path, "weights"), NULL, error) ? m->params : NULL;
}

static Machine *start(Program *p, Tensor **weights)
{
    Machine *m = machine_new(p, 0);
    for (int i = 0; i < p->params.n; i++)
        memcpy(m->params[i]->v, weights[i]->v, sizeof(double) * (size_t)weights[i]->count);
    return m;
}

static void run(const Backend *b, const char *name, Tensor **weights, Recording *r)
{
    Machine *m = NULL;
    double within = options.f64 ? within_double : within_float;
    for (int i = 0; i < b->program->entries.n; i++) {
        Entry *e = b->program->entries.at[i];
        const char *what = "";
        if (!m || strncmp(e->name, "then_", 5)) m = start(b->program, weights);
        double worst = worst_of(b, m, e, r, &what);
        bool ok = worst <= within;
        printf("%-6s %-14s %-18s %-6s %-11s  %.1e  %s\n", ok ? "ok" : "FAILED", name, e->name,
               options.f64 ? "double" : "float", b->name, worst, what);
        passed += ok;
        failed += !ok;
    }
}

static void broken(const char *name, const char *error)
{
    printf("FAILED %s: %s\n", name, error);
    failed++;
}

static void run_file(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *error = "";
    const char *name = format("%.*s", (int)strcspn(base, "."), base);
    Recording r = {0};
    Tensor **weights = load_weights(path, name, &error);
    if (!weights) {
        broken(name, error);
        return;
    }
    if (!read_recording(beside(path, "torch"), &r))
        broken(name, "the recording cannot be read");
    for (int f64 = 1; f64 >= 0; f64--) {
        options.f64 = f64;
        Backend b = {"interpreted", load(path, name), NULL};
        if (f64) run(&b, name, weights, &r);       /* the interpreter computes in double anyway */
        b.name = "compiled";
        b.native = native_build(b.program, flags, &error);
        if (!b.native) {
            broken(name, error);
            continue;
        }
        run(&b, name, weights, &r);
        native_free(b.native);
    }
    for (int i = 0; i < r.n; i++)
        if (!r.at[i].used) broken(name, format("`%s` is recorded for no entry", r.at[i].name));
}

int main(int argc, char **argv)
{
    options.own_runtime = true; /* compiles in a third of the time */
    if (argc == 2) run_file(argv[1]);
    arena_release();
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
