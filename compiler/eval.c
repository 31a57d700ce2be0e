/* eval.c - the naive interpreter of the graph: the oracle that everything else is compared with.
 * In: a graph, sizes for its dims, values for its inputs and slots. Out: the values of its roots,
 * in double precision, in the order of the mathematics. Values between are freed after their last
 * use; only what is returned stays in the arena, so that long training loops run in bounded
 * memory. It shares nothing with the code generator. */
#include "eval.h"

#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

static long count_of(int rank, const long *size)
{
    long n = 1;
    for (int i = 0; i < rank; i++) n *= size[i];
    return n;
}

Tensor *tensor_new(Elem e, int rank, const long *size)
{
    Tensor *t = NEW(Tensor);
    t->elem = e;
    t->rank = rank;
    for (int i = 0; i < rank; i++) t->size[i] = size[i];
    t->count = count_of(rank, size);
    t->v = NEW_N(double, t->count ? t->count : 1);
    return t;
}

static void *must_alloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p) {
        fputs("nnc: out of memory\n", stderr);
        exit(70);
    }
    return p;
}

/* A value outside the arena. */
static Tensor *value_new(Type type, const long *dims)
{
    Tensor *t = must_alloc(1, sizeof *t);
    t->elem = type.elem;
    t->rank = type.shape.rank;
    for (int i = 0; i < t->rank; i++) t->size[i] = size_eval(type.shape.size[i], dims);
    t->count = count_of(t->rank, t->size);
    t->v = must_alloc((size_t)t->count, sizeof(double));
    return t;
}

static void value_free(Tensor *t)
{
    if (!t) return;
    free(t->v);
    free(t);
}

static Tensor *value_keep(const Tensor *t)
{
    Tensor *kept = tensor_new(t->elem, t->rank, t->size);
    memcpy(kept->v, t->v, sizeof(double) * (size_t)t->count);
    return kept;
}

/* ---- running a graph ---- */

typedef struct Run {
    const Graph *g;
    Tensor **value;           /* by Node.id; NULL: not yet, or no longer */
    int *uses;                /* readers that are still to come */
} Run;

static Run run_new(const Graph *g, Node *const *roots, int n)
{
    size_t count = (size_t)g->nodes.n;
    Run r = {g, must_alloc(count, sizeof(Tensor *)), must_alloc(count, sizeof(int))};
    for (int i = 0; i < n; i++)
        if (roots[i]) r.uses[roots[i]->id]++;
    for (int i = g->nodes.n - 1; i >= 0; i--)
        for (int k = 0; r.uses[i] && k < g->nodes.at[i]->n_in; k++)
            r.uses[g->nodes.at[i]->in[k]->id]++;
    return r;
}

static void run_scan(Run *r, const Node *n, Tensor *const *in, const Surroundings *around);

/* Roots hold on to their values, so those are never freed here. */
static void run_all(Run *r, const Surroundings *around)
{
    int most = 1;
    for (int i = 0; i < r->g->nodes.n; i++)
        if (r->g->nodes.at[i]->n_in > most) most = r->g->nodes.at[i]->n_in;
    Tensor **in = must_alloc((size_t)most, sizeof(Tensor *));
    for (int i = 0; i < r->g->nodes.n; i++) {
        const Node *n = r->g->nodes.at[i];
        if (!r->uses[i]) continue;
        for (int k = 0; k < n->n_in; k++) in[k] = r->value[n->in[k]->id];
        if (n->op == OP_SCAN) {
            if (!r->value[i]) run_scan(r, n, in, around);
        } else {
            r->value[i] = value_new(n->type, around->dims);
            eval_node(n, in, around, r->value[i]);
        }
        for (int k = 0; k < n->n_in; k++) {
            int id = n->in[k]->id;
            if (--r->uses[id]) continue;
            value_free(r->value[id]);
            r->value[id] = NULL;
        }
    }
    free(in);
}

static void run_end(Run *r)
{
    for (int i = 0; i < r->g->nodes.n; i++) value_free(r->value[i]);
    free(r->value);
    free(r->uses);
}

/* ---- recurrences ---- */

/* Element t of a sequence, as a tensor of its own. */
static Tensor *element(const Tensor *seq, long t)
{
    Tensor *e = must_alloc(1, sizeof *e);
    *e = (Tensor){.elem = seq->elem, .rank = seq->rank - 1};
    for (int i = 0; i < e->rank; i++) e->size[i] = seq->size[i + 1];
    e->count = count_of(e->rank, e->size);
    e->v = must_alloc((size_t)e->count, sizeof(double));
    memcpy(e->v, seq->v + t * e->count, sizeof(double) * (size_t)e->count);
    return e;
}

/* One step: the states are replaced, the emitted values written to their place. */
static void run_step(const Scan *s, Tensor **inputs, long t, const Surroundings *around,
                     Tensor **results)
{
    Run r = run_new(s->body, s->next, s->n_states + s->n_emits);
    run_all(&r, &(Surroundings){around->dims, inputs, NULL, around->fault});
    for (int i = 0; i < s->n_states + s->n_emits; i++) {
        const Tensor *v = r.value[s->next[i]->id];
        double *to = results[i]->v + (i < s->n_states ? 0 : t * v->count);
        memcpy(to, v->v, sizeof(double) * (size_t)v->count);
    }
    run_end(&r);
}

/* The results that someone reads are kept; the last states are at first the first ones. */
static void run_scan(Run *r, const Node *n, Tensor *const *in, const Surroundings *around)
{
    const Scan *s = n->attr.ref;
    int count = s->n_states + s->n_emits;
    long steps = size_eval(n->attr.size, around->dims);
    Tensor **results = must_alloc((size_t)count, sizeof(Tensor *));
    Tensor **inputs = must_alloc((size_t)n->n_in, sizeof(Tensor *));
    for (int i = 0; i < count; i++)
        results[i] = value_new(scan_type(s, n->attr.size, i), around->dims);
    for (int i = 0; i < s->n_states; i++)
        memcpy(results[i]->v, in[s->n_seqs + i]->v, sizeof(double) * (size_t)results[i]->count);
    for (long i = 0; i < steps; i++) {
        long t = s->reversed ? steps - 1 - i : i;
        for (int k = 0; k < n->n_in; k++) inputs[k] = in[k];
        for (int k = 0; k < s->n_seqs; k++) inputs[k] = element(in[k], t);
        for (int k = 0; k < s->n_states; k++) inputs[s->n_seqs + k] = results[k];
        run_step(s, inputs, t, around, results);
        for (int k = 0; k < s->n_seqs; k++) value_free(inputs[k]);
    }
    for (int i = n->id; i < r->g->nodes.n; i++) {
        const Node *same = r->g->nodes.at[i];
        bool reads = r->uses[i] && same->op == OP_SCAN && same->attr.ref == s &&
                     same->n_in == n->n_in &&
                     !memcmp(same->in, n->in, sizeof(Node *) * (size_t)n->n_in);
        if (!reads) continue;
        r->value[i] = results[same->attr.k];
        results[same->attr.k] = NULL;
    }
    for (int i = 0; i < count; i++) value_free(results[i]);
    free(results);
    free(inputs);
}

/* ---- graphs ---- */

void eval_roots(const Graph *g, Node *const *roots, int n, const long *dim_values,
                Tensor *const *inputs, Machine *m, Tensor **values)
{
    Run r = run_new(g, roots, n);
    run_all(&r, &(Surroundings){dim_values, inputs, m, NULL});
    for (int i = 0; i < n; i++) values[i] = roots[i] ? value_keep(r.value[roots[i]->id]) : NULL;
    run_end(&r);
}

/* ---- sizes from arguments ---- */

static const char *tensor_text(const Tensor *t)
{
    Text out = {0};
    text_add(&out, "%s", elem_text(t->elem));
    for (int i = 0; i < t->rank; i++) text_add(&out, "%s%ld", i ? ", " : "[", t->size[i]);
    if (t->rank) text_add(&out, "]");
    return out.s;
}

static bool fail(const char **message, const char *text)
{
    *message = text;
    return false;
}

/* Gives every dim the size of the first axis that is that dim alone. */
static bool bind_plain(const Entry *e, Tensor *const *args, long *values, uint64_t *bound,
                       const char **message)
{
    for (int i = 0; i < e->inputs.n; i++)
        for (int k = 0; args[i] && k < args[i]->rank; k++)
            for (int d = 0; d < e->dims.n; d++) {
                const Dim *dim = e->dims.at[d];
                uint64_t bit = (uint64_t)1 << dim->id;
                long size = args[i]->size[k];
                if (e->inputs.at[i].type.shape.size[k] != size_dim(dim) || *bound & bit) continue;
                if (size < dim->lo || (dim->hi >= 0 && size > dim->hi))
                    return fail(message, format("`%s` is %ld in the argument `%s`, but must be in "
                                                "%ld..%ld", dim->name, size, e->inputs.at[i].name,
                                                dim->lo, dim->hi));
                values[dim->id] = size;
                *bound |= bit;
            }
    return true;
}

/* A dim that stands only in larger sizes gets the first value in its range that fits one of them:
 * such sizes are small in number and in value, so trying is enough. */
static void bind_rest(const Entry *e, Tensor *const *args, long *values, uint64_t *bound)
{
    for (int d = 0; d < e->dims.n; d++)
        for (int i = 0; i < e->inputs.n; i++)
            for (int k = 0; args[i] && k < args[i]->rank; k++) {
                const Dim *dim = e->dims.at[d];
                uint64_t bit = (uint64_t)1 << dim->id, used = 0;
                SizeRef size = e->inputs.at[i].type.shape.size[k];
                size_dims(size, &used);
                if (*bound & bit || (used & ~*bound) != bit) continue;
                long hi = dim->hi >= 0 ? dim->hi : args[i]->size[k];
                for (values[dim->id] = dim->lo; values[dim->id] < hi; values[dim->id]++)
                    if (size_eval(size, values) == args[i]->size[k]) break;
                *bound |= bit;
            }
}

static bool check_sizes(const Entry *e, Tensor *const *args, const long *values,
                        const char **message)
{
    for (int i = 0; i < e->inputs.n; i++) {
        const Type *t = &e->inputs.at[i].type;
        Text with = {0};
        bool same = true;
        for (int k = 0; args[i] && k < args[i]->rank; k++)
            same &= size_eval(t->shape.size[k], values) == args[i]->size[k];
        if (same) continue;
        for (int d = 0; d < e->dims.n; d++)
            text_add(&with, "%s%s = %ld", d ? ", " : " with ", e->dims.at[d]->name,
                     values[e->dims.at[d]->id]);
        return fail(message, format("the argument `%s` of `%s` is %s, but must be %s%s",
                                    e->inputs.at[i].name, e->name, tensor_text(args[i]),
                                    type_text(*t), with.s ? with.s : ""));
    }
    return true;
}

bool bind_dims(const Entry *e, Tensor *const *args, long *dim_values, const char **message)
{
    uint64_t bound = 0;
    for (int i = 0; i < e->inputs.n; i++) {
        const Input *in = &e->inputs.at[i];
        if (!args[i] && !in->has_default)
            return fail(message, format("the argument `%s` of `%s` is missing", in->name, e->name));
        if (args[i] && args[i]->rank != in->type.shape.rank)
            return fail(message, format("the argument `%s` of `%s` is %s, but must be %s", in->name,
                                        e->name, tensor_text(args[i]), type_text(in->type)));
    }
    if (!bind_plain(e, args, dim_values, &bound, message)) return false;
    bind_rest(e, args, dim_values, &bound);
    return check_sizes(e, args, dim_values, message);
}

/* ---- machines ---- */

static Tensor **slots_new(const SlotList *slots)
{
    Tensor **t = NEW_N(Tensor *, slots->n + 1);
    for (int i = 0; i < slots->n; i++) {
        const Shape *s = &slots->at[i]->type.shape;
        long size[MAX_RANK] = {0};
        for (int k = 0; k < s->rank; k++) size_is_const(s->size[k], &size[k]);
        t[slots->at[i]->id] = tensor_new(slots->at[i]->type.elem, s->rank, size);
    }
    return t;
}

static NodeList entry_roots(const Entry *e)
{
    NodeList roots = {0};
    for (int i = 0; i < e->outputs.n; i++) {
        const Output *o = &e->outputs.at[i];
        if (o->node) vec_push(&roots, o->node);
        for (int k = 0; k < o->set.n && !o->node; k++)
            if (o->set.at[k]) vec_push(&roots, o->set.at[k]);
    }
    for (int i = 0; i < e->updates.n; i++) vec_push(&roots, e->updates.at[i].value);
    return roots;
}

/* Updates see the values from before the call; after a fault, which is returned, none is made. */
static const char *run_entry(Machine *m, const Entry *e, const long *dims, Tensor *const *inputs,
                             TensorList *results)
{
    const char *fault = NULL;
    NodeList roots = entry_roots(e);
    Run r = run_new(e->g, roots.at, roots.n);
    bool draws = false;
    for (int i = 0; i < e->g->nodes.n; i++)
        draws |= r.uses[i] && e->g->nodes.at[i]->op == OP_DRAW;
    run_all(&r, &(Surroundings){dims, inputs, m, &fault});
    for (int i = 0; i < roots.n && !fault; i++) {
        const Tensor *value = r.value[roots.at[i]->id];
        int u = i - (roots.n - e->updates.n);
        if (u < 0) {
            if (results) vec_push(results, value_keep(value));
            continue;
        }
        const Slot *slot = e->updates.at[u].slot;
        Tensor *to = (slot->is_state ? m->states : m->params)[slot->id];
        memcpy(to->v, value->v, sizeof(double) * (size_t)to->count);
    }
    run_end(&r);
    if (draws && !fault) m->call++;
    return fault;
}

/* The initialisers are call 0; entries that draw count on from 1. */
Machine *machine_new(Program *p, uint64_t seed)
{
    Machine *m = NEW(Machine);
    long dims[64] = {0};
    m->program = p;
    m->seed = seed;
    m->params = slots_new(&p->params);
    m->states = slots_new(&p->states);
    if (p->init) run_entry(m, p->init, dims, NULL, NULL);
    m->call = 1;
    return m;
}

static Tensor *default_value(const Input *in, const long *dims)
{
    long size[MAX_RANK] = {0};
    for (int k = 0; k < in->type.shape.rank; k++)
        size[k] = size_eval(in->type.shape.size[k], dims);
    Tensor *t = tensor_new(in->type.elem, in->type.shape.rank, size);
    for (long i = 0; i < t->count; i++) t->v[i] = in->init;
    return t;
}

bool machine_call(Machine *m, Entry *e, Tensor *const *args, TensorList *results,
                  const char **message)
{
    long dims[64] = {0};
    if (!bind_dims(e, args, dims, message)) return false;
    Tensor **inputs = must_alloc((size_t)e->inputs.n, sizeof(Tensor *));
    for (int i = 0; i < e->inputs.n; i++)
        inputs[i] = args[i] ? args[i] : default_value(&e->inputs.at[i], dims);
    const char *fault = run_entry(m, e, dims, inputs, results);
    free(inputs);
    if (fault) *message = fault;
    return !fault;
}
