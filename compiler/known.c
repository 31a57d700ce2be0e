/* known.c - parameters whose values are known at compile time, for --weights.
 * In: a lowered program and a safetensors file of its parameters. Out: the program with every slot
 * that no entry updates as a constant: a slot with values, which is no part of the model any more.
 * Entries that learn are left out, unless they were asked for by name, which is an error. Whoever
 * computes something from constants alone gets a constant for it here, one for equal values. */
#include "command.h"
#include "kernel.h"
#include "known.h"

#include <string.h>

/* ---- constants ---- */

/* A constant, and the path of the parameter that it was made from first. */
typedef struct Constant {
    Slot *slot;
    const char *base;
} Constant;
static VEC(Constant) constants;
static VEC(const Slot *) named; /* have a path of their own */

static void forget(void)
{
    memset(&constants, 0, sizeof constants);
    memset(&named, 0, sizeof named);
}

bool is_weight(const Node *n)
{
    return (n->op == OP_PARAM || n->op == OP_STATE) && ((const Slot *)n->attr.ref)->values;
}

const double *known_values(const Node *n)
{
    if (n->op == OP_TABLE) return n->attr.ref;
    return is_weight(n) ? ((const Slot *)n->attr.ref)->values : NULL;
}

static Constant *find_constant(Type t, const double *values)
{
    size_t bytes = sizeof *values * (size_t)shape_upper(&t.shape);
    for (int i = 0; i < constants.n; i++) {
        const Slot *s = constants.at[i].slot;
        if (s->type.elem == t.elem && shape_equal(&s->type.shape, &t.shape) &&
            !memcmp(s->values, values, bytes))
            return &constants.at[i];
    }
    return NULL;
}

static const char *base_of(const Slot *s)
{
    for (int i = 0; i < constants.n; i++)
        if (constants.at[i].slot == s) return constants.at[i].base;
    return s->path;
}

Node *n_weight(Graph *g, Type t, const double *values, const Node *from, const char *ending)
{
    const Slot *of = from->attr.ref;
    Constant *found = find_constant(t, values);
    if (found) return n_slot(g, found->slot);
    Slot *s = NEW(Slot);
    const char *base = base_of(of);
    *s = (Slot){.path = intern_str(format("%s%s", base, ending)), .type = t, .span = of->span,
                .values = values, .is_state = of->is_state, .is_used = true};
    vec_push(&constants, ((Constant){s, base}));
    return n_slot(g, s);
}

/* Has another constant, which is not only of another shape, this path? */
static bool is_taken(const char *path, const Slot *s)
{
    for (int i = 0; i < named.n; i++)
        if (named.at[i]->values != s->values && !strcmp(named.at[i]->path, path)) return true;
    return false;
}

static bool is_named(const Slot *s)
{
    for (int i = 0; i < named.n; i++)
        if (named.at[i] == s) return true;
    return false;
}

void name_weights(const Graph *g)
{
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        if (!is_weight(n) || is_named(n->attr.ref)) continue;
        Slot *s = (Slot *)(uintptr_t)n->attr.ref;
        const char *path = s->path;
        for (int k = 2; is_taken(path, s); k++) path = format("%s_%d", s->path, k);
        s->path = intern_str(path);
        vec_push(&named, s);
    }
}

/* ---- which entries stay ---- */

/* The update of a parameter, or NULL. */
static const Update *learns(const Entry *e)
{
    for (int i = 0; i < e->updates.n; i++)
        if (!e->updates.at[i].slot->is_state) return &e->updates.at[i];
    return NULL;
}

/* The set of gradients that it returns, or NULL. */
static const Output *returns_set(const Entry *e)
{
    for (int i = 0; i < e->outputs.n; i++)
        if (!e->outputs.at[i].node) return &e->outputs.at[i];
    return NULL;
}

static void report_learning(const Entry *e)
{
    const Update *u = learns(e);
    Diag *d = u ? error_at("E0606", u->span, "entry `%s` updates `%s`, which --weights makes a "
                           "constant", e->name, u->slot->path)
                : error_at("E0606", returns_set(e)->span, "entry `%s` returns a set of parameters, "
                           "which --weights makes constants", e->name);
    diag_hint(d, "leave `%s` out of --entries, or compile without --weights and load the file "
                 "when the program runs", e->name);
}

/* Leaves out what learns; false: it was asked for by name. */
static bool choose_entries(Program *p)
{
    Text out = {0};
    int kept = 0;
    bool asked = options.entries.n > 0, good = true;
    for (int i = 0; i < p->entries.n; i++) {
        Entry *e = p->entries.at[i];
        bool learning = learns(e) || returns_set(e);
        if (asked && is_chosen(e) && learning) {
            report_learning(e);
            good = false;
        }
        if (asked ? is_chosen(e) : !learning && !e->is_training) p->entries.at[kept++] = e;
        else if (!asked) text_add(&out, "%s`%s`", out.n ? ", " : "", e->name);
    }
    p->entries.n = kept;
    if (out.n)
        fprintf(stderr, "nnc: note: without %s: with --weights the parameters are constants\n",
                out.s);
    return good;
}

/* ---- slots become constants ---- */

static bool is_updated(const Program *p, const Slot *s)
{
    for (int i = 0; i < p->entries.n; i++)
        for (int k = 0; k < p->entries.at[i]->updates.n; k++)
            if (p->entries.at[i]->updates.at[k].slot == s) return true;
    return false;
}

/* Keeps the slots that are updated; the others get their values. */
static void fix_slots(const Program *p, SlotList *slots, Tensor *const *values)
{
    int kept = 0;
    for (int i = 0; i < slots->n; i++) {
        Slot *s = slots->at[i];
        if (is_updated(p, s)) {
            s->id = kept;
            slots->at[kept++] = s;
        } else {
            s->values = values[i]->v;
            vec_push(&constants, ((Constant){s, s->path}));
        }
    }
    slots->n = kept;
}

/* The initialiser sets what stays, to the values of the file where that has them. */
static void fix_initialiser(Program *p, Tensor *const *states, const bool *given)
{
    int kept = 0;
    for (int i = 0; p->init && i < p->init->updates.n; i++) {
        Update u = p->init->updates.at[i];
        if (!is_updated(p, u.slot)) continue;
        const Tensor *t = states[u.slot->id];
        if (given[u.slot->id])
            u.value = t->rank ? n_table(p->init->g, u.slot->type, t->v)
                              : n_const(p->init->g, u.slot->type.elem, t->v[0]);
        p->init->updates.at[kept++] = u;
    }
    if (p->init) p->init->updates.n = kept;
}

static bool graph_draws(const Graph *g)
{
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        if (n->op == OP_DRAW) return true;
        if (n->op == OP_SCAN && graph_draws(((const Scan *)n->attr.ref)->body)) return true;
    }
    return false;
}

static bool entries_draw(const Program *p)
{
    for (int i = 0; i < p->entries.n; i++)
        if (graph_draws(p->entries.at[i]->g)) return true;
    return false;
}

/* A state that is read but was not in the file, or NULL. */
static const Slot *missing_state(const Program *p, const bool *given)
{
    for (int i = 0; i < p->entries.n; i++)
        for (int k = 0; k < p->entries.at[i]->g->nodes.n; k++) {
            const Node *n = p->entries.at[i]->g->nodes.at[k];
            const Slot *s = n->op == OP_STATE ? n->attr.ref : NULL;
            if (s && !given[s->id] && !is_updated(p, s)) return s;
        }
    return NULL;
}

/* A normalisation without its states would work with their first values. */
static void warn_states(const Program *p, const bool *given)
{
    const Slot *s = missing_state(p, given);
    if (s)
        fprintf(stderr, "nnc: warning: %s: no state `%s`, which keeps its first value\n"
                        "hint: nn_save_groups saves params and state\n", options.weights, s->path);
}

bool embed_weights(Program *p, int *code)
{
    const char *error = NULL;
    bool *given = NEW_N(bool, p->states.n + 1);
    if (!options.weights) return true;
    at_release(forget);
    *code = EXIT_PROGRAM;
    if (!choose_entries(p)) {
        diag_flush(stderr);
        return false;
    }
    Machine *m = machine_new(p, 0);
    if (!load_params(m, options.weights, given, &error)) {
        fprintf(stderr, "nnc: %s\nhint: names, types and shapes are those of the parameters in "
                        "`%s`; nn_save writes such files\n", error, settings.args.at[0]);
        *code = EXIT_IO;
        return false;
    }
    warn_states(p, given);
    fix_initialiser(p, m->states, given);
    fix_slots(p, &p->params, m->params);
    fix_slots(p, &p->states, m->states);
    p->has_draws = entries_draw(p);
    return true;
}
