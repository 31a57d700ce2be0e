/* native.c - a program as machine code in this process, for `nnc test` and the tests.
 * In: a program. Out: its entries, callable with the interpreter's values. The program is emitted,
 * with the runtime in it unless this process or the flags have that to offer, together with a
 * wrapper of one form for every entry, compiled by $CC (cc) into a shared object in a fresh folder,
 * and loaded. The folder is gone when native_build returns. */
#include "embedded.h"
#include "emit.h"
#include "eval.h"
#include "nn.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void NativeEntry(void *model, const int *dims, void **in, void **out, void *work);
typedef void NativeInit(void *model, uint64_t seed);

struct Native {
    Program *program;
    void *library;
    void *model; /* as C sees it */
    size_t model_bytes;
};

/* ---- the wrapper ---- */

static void wrap_entry(Text *out, const Program *p, const Entry *e)
{
    Signature s = signature_of(p, e);
    const char *name = c_identifier(e->name), *sep = "";
    bool returned = strcmp(s.returns, "void") != 0;
    text_add(
        out,
        "void nnc_call_%s(void *model, const int *dims, void **in, void **out, void *work)\n{\n",
        name);
    text_add(out, "    (void)model; (void)dims; (void)in; (void)out;\n    ");
    if (returned) text_add(out, "*(%s *)out[0] = ", s.returns);
    text_add(out, "%s_%s(", p->name, name);
    if (s.has_model) text_add(out, "(%s *)model", c_model(p)), sep = ", ";
    for (int i = 0; i < e->dims.n; i++, sep = ", ") text_add(out, "%sdims[%d]", sep, i);
    for (int i = 0; i < e->inputs.n; i++, sep = ", ") {
        Type t = e->inputs.at[i].type;
        text_add(out, t.shape.rank ? "%s(const %s *)in[%d]" : "%s*(const %s *)in[%d]", sep,
                 c_type(t.elem), i);
    }
    for (int i = 0; i < e->outputs.n && !returned; i++, sep = ", ") {
        const Output *o = &e->outputs.at[i];
        const char *type = o->node ? c_type(o->node->type.elem) : format("%s_params", p->name);
        text_add(out, "%s(%s *)out[%d]", sep, type, i);
    }
    text_add(out, "%swork);\n}\n", sep);
    text_add(out, "size_t nnc_work_%s(void) { return %s_%s_WORK; }\n", name, c_upper(p->name),
             c_upper(name));
}

static const char *wrapper(const Program *p)
{
    Text out = {0};
    text_add(&out, "#include \"%s.h\"\n", p->name);
    for (int i = 0; i < p->entries.n; i++) wrap_entry(&out, p, p->entries.at[i]);
    if (program_has_model(p)) {
        text_add(&out,
                 "void nnc_init(void *model, uint64_t seed) { %s_init((%s *)model, seed); }\n",
                 p->name, c_model(p));
        text_add(&out, "size_t nnc_model_bytes(void) { return sizeof(%s); }\n", c_model(p));
        if (p->params.n)
            text_add(&out, "size_t nnc_params_bytes(void) { return sizeof(%s_params); }\n",
                     p->name);
        text_add(&out, "size_t nnc_state_at(void) { return offsetof(%s, state); }\n", c_model(p));
        text_add(&out, "const void *nnc_states(void) { return %s_state_table; }\n", p->name);
        text_add(&out, "const void *nnc_params(void) { return %s; }\n",
                 p->params.n ? format("%s_param_table", p->name) : "NULL");
    }
    return out.s;
}

/* ---- building ---- */

static bool write_file(const char *dir, const char *name, const char *text)
{
    FILE *f = fopen(format("%s/%s", dir, name), "w");
    if (!f) return false;
    bool ok = fputs(text, f) >= 0;
    return fclose(f) == 0 && ok;
}

static const char *read_start(const char *path)
{
    static const size_t most = 2000;
    char *text = arena_alloc(most + 1);
    FILE *f = fopen(path, "r");
    if (!f) return "";
    text[fread(text, 1, most, f)] = 0;
    fclose(f);
    return text;
}

static bool compile(const char *dir, const char *name, const char *flags, const char **error)
{
    const char *cc = getenv("CC") ? getenv("CC") : "cc";
    /* no name of the program means one of this process, but for the runtime's */
    const char *bound = options.own_runtime ? "-Wl,-Bsymbolic" : "";
    const char *command =
        format("cd '%s' && %s %s -shared -fPIC %s -I. -o model.so %s.c wrapper.c -lm 2> errors",
               dir, cc, flags, bound, name);
    if (system(command) == 0) return true;
    *error = format("`%s` failed:\n%s", cc, read_start(format("%s/errors", dir)));
    return false;
}

/* The runtime's headers, which the program includes when it does not bring them. */
static const char *header_name(const EmbeddedFile *f)
{
    static const char folder[] = "runtime/";
    const char *dot = strrchr(f->name, '.');
    if (strncmp(f->name, folder, sizeof folder - 1) || strcmp(dot, ".h")) return NULL;
    return f->name + sizeof folder - 1;
}

static bool write_headers(const char *dir)
{
    bool ok = true;
    for (const EmbeddedFile *f = embedded_files; f->name && ok; f++)
        if (header_name(f)) ok = write_file(dir, header_name(f), f->text);
    return ok;
}

static void remove_files(const char *dir, const char *name)
{
    const char *files[] = {format("%s.c", name), format("%s.h", name), "wrapper.c", "model.so",
                           "errors"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(format("%s/%s", dir, files[i]));
    for (const EmbeddedFile *f = embedded_files; f->name; f++)
        if (header_name(f)) unlink(format("%s/%s", dir, header_name(f)));
    rmdir(dir);
}

bool native_has_runtime(void)
{
#ifdef __ELF__
    void *self = dlopen(NULL, RTLD_NOW);
    bool has = self && dlsym(self, "nn_isa_name");
    if (self) dlclose(self);
    return has;
#else
    return false;
#endif
}

static void *symbol(const Native *n, const char *name) { return dlsym(n->library, name); }

static size_t size_from(const Native *n, const char *name)
{
    size_t (*f)(void);
    *(void **)&f = symbol(n, name);
    return f ? f() : 0;
}

static const nn_tensor *table_from(const Native *n, const char *name)
{
    const void *(*f)(void);
    *(void **)&f = symbol(n, name);
    return f ? f() : NULL;
}

Native *native_build(Program *p, const char *flags, const char **error)
{
    Text header = {0}, source = {0}, whole = {0};
    const char *tmp = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    char *dir = (char *)(uintptr_t)format("%s/nnc-XXXXXX", tmp);
    bool single = options.single_file;
    p->name = c_identifier(p->name);
    options.single_file = !options.own_runtime;
    emit_program(p, &header, &source);
    if (options.single_file) paste_runtime(&whole, &source);
    else whole = source;
    options.single_file = single;
    if (!mkdtemp(dir)) {
        *error = format("cannot make a folder in %s: %s", tmp, strerror(errno));
        return NULL;
    }
    Native *n = NEW(Native);
    n->program = p;
    bool ok = write_file(dir, format("%s.h", p->name), header.s) &&
              write_file(dir, format("%s.c", p->name), whole.s) &&
              write_file(dir, "wrapper.c", wrapper(p)) &&
              (!options.own_runtime || write_headers(dir));
    if (!ok) *error = format("cannot write to %s", dir);
    ok = ok && compile(dir, p->name, flags, error);
    if (ok && !(n->library = dlopen(format("%s/model.so", dir), RTLD_NOW | RTLD_LOCAL))) {
        *error = format("%s", dlerror());
        ok = false;
    }
    if (!getenv("NNC_KEEP")) remove_files(dir, p->name);
    if (!ok) return NULL;
    n->model_bytes = size_from(n, "nnc_model_bytes");
    n->model = calloc(1, n->model_bytes + (n->model_bytes == 0));
    return n;
}

void native_free(Native *n)
{
    if (n->library) dlclose(n->library);
    free(n->model);
    n->library = n->model = NULL;
}

/* ---- values ---- */

static void element_store(Elem e, void *at, long i, double v)
{
    switch (e) {
    case ELEM_F16: ((uint16_t *)at)[i] = half_bits(v); return;
    case ELEM_I8: ((int8_t *)at)[i] = (int8_t)v; return;
    case ELEM_I32: ((int32_t *)at)[i] = (int32_t)v; return;
    case ELEM_U8:
    case ELEM_BOOL: ((uint8_t *)at)[i] = (uint8_t)v; return;
    default: break;
    }
    if (elem_bytes(e) == 8)
        ((double *)at)[i] = v;
    else
        ((float *)at)[i] = (float)v;
}

static double element_load(Elem e, const void *at, long i)
{
    switch (e) {
    case ELEM_F16: return half_value(((const uint16_t *)at)[i]);
    case ELEM_I8: return ((const int8_t *)at)[i];
    case ELEM_I32: return ((const int32_t *)at)[i];
    case ELEM_U8:
    case ELEM_BOOL: return ((const uint8_t *)at)[i];
    default: return elem_bytes(e) == 8 ? ((const double *)at)[i] : (double)((const float *)at)[i];
    }
}

static void move_slot(const Slot *s, char *base, const nn_tensor *table, int first, Tensor *t,
                      bool to_c)
{
    char *at = base + table[s->id + first].offset;
    for (long i = 0; i < t->count; i++)
        if (to_c)
            element_store(s->type.elem, at, i, t->v[i]);
        else
            t->v[i] = element_load(s->type.elem, at, i);
}

/* Every slot, the seed and the number of calls: machine to model, or back. */
static void move_model(const Native *n, Machine *m, bool to_c)
{
    const Program *p = n->program;
    const nn_tensor *params = table_from(n, "nnc_params"), *states = table_from(n, "nnc_states");
    if (!program_has_model(p)) return;
    char *model = n->model, *state = model + size_from(n, "nnc_state_at");
    for (int i = 0; i < p->params.n; i++)
        move_slot(p->params.at[i], model, params, 0, m->params[p->params.at[i]->id], to_c);
    for (int i = 0; i < p->states.n; i++)
        move_slot(p->states.at[i], state, states, 2, m->states[p->states.at[i]->id], to_c);
    memcpy(to_c ? (void *)(state + states[0].offset) : (void *)&m->seed,
           to_c ? (void *)&m->seed : (void *)(state + states[0].offset), 8);
    memcpy(to_c ? (void *)(state + states[1].offset) : (void *)&m->call,
           to_c ? (void *)&m->call : (void *)(state + states[1].offset), 8);
}

/* ---- calls ---- */

typedef struct Call {
    long dims[64];
    VEC(void *) in, out;
    VEC(void *) owned;
} Call;

/* Exactly as large as the callee may take it to be, so that a sanitizer sees every step beyond. */
static void *call_memory(Call *c, size_t alignment, long bytes)
{
    void *p;
    if (posix_memalign(&p, alignment, bytes ? (size_t)bytes : 1)) abort();
    memset(p, 0x7f, (size_t)bytes);
    vec_push(&c->owned, p);
    return p;
}

static void *array_memory(Call *c, const Type *t)
{
    long width = elem_bytes(t->elem);
    return call_memory(c, sizeof(void *), size_eval(shape_count(&t->shape), c->dims) * width);
}

static void pass_input(Call *c, const Input *in, const Tensor *arg)
{
    long count = size_eval(shape_count(&in->type.shape), c->dims);
    void *at = array_memory(c, &in->type);
    for (long i = 0; i < count; i++)
        element_store(in->type.elem, at, i, arg ? arg->v[i] : in->init);
    vec_push(&c->in, at);
}

static void *set_memory(const Native *n, Call *c)
{
    return call_memory(c, sizeof(void *), (long)size_from(n, "nnc_params_bytes"));
}

static Tensor *value_at(const Call *c, Type t, const void *at)
{
    long size[MAX_RANK] = {0};
    for (int k = 0; k < t.shape.rank; k++) size[k] = size_eval(t.shape.size[k], c->dims);
    Tensor *y = tensor_new(t.elem, t.shape.rank, size);
    for (long i = 0; i < y->count; i++) y->v[i] = element_load(t.elem, at, i);
    return y;
}

static void take_output(const Native *n, const Call *c, const Output *o, const char *at,
                        TensorList *results)
{
    const nn_tensor *params = table_from(n, "nnc_params");
    if (o->node) {
        vec_push(results, value_at(c, o->node->type, at));
        return;
    }
    for (int i = 0; i < o->set.n; i++)
        if (o->set.at[i])
            vec_push(results, value_at(c, n->program->params.at[i]->type, at + params[i].offset));
}

bool native_call(Native *n, Machine *m, Entry *e, Tensor *const *args, TensorList *results,
                 const char **error)
{
    Call c = {0};
    int dims[64] = {0};
    NativeEntry *entry;
    if (!bind_dims(e, args, c.dims, error)) return false;
    *(void **)&entry = symbol(n, format("nnc_call_%s", c_identifier(e->name)));
    for (int i = 0; i < e->dims.n; i++) dims[i] = (int)c.dims[e->dims.at[i]->id];
    for (int i = 0; i < e->inputs.n; i++) pass_input(&c, &e->inputs.at[i], args[i]);
    for (int i = 0; i < e->outputs.n; i++) {
        const Output *o = &e->outputs.at[i];
        vec_push(&c.out, o->node ? array_memory(&c, &o->node->type) : set_memory(n, &c));
    }
    long bytes = (long)size_from(n, format("nnc_work_%s", c_identifier(e->name)));
    void *work = call_memory(&c, 64, bytes);
    move_model(n, m, true);
    entry(n->model, dims, c.in.at, c.out.at, work);
    move_model(n, m, false);
    for (int i = 0; i < e->outputs.n && results; i++)
        take_output(n, &c, &e->outputs.at[i], c.out.at[i], results);
    for (int i = 0; i < c.owned.n; i++) free(c.owned.at[i]);
    return true;
}

bool native_init(Native *n, Machine *m, uint64_t seed, const char **error)
{
    NativeInit *init;
    if (!program_has_model(n->program)) return true;
    *(void **)&init = symbol(n, "nnc_init");
    if (!init) {
        *error = "the compiled program has no initialiser";
        return false;
    }
    init(n->model, seed);
    move_model(n, m, false);
    return true;
}
