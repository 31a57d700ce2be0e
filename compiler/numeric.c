/* numeric.c - derivatives compared with differences. In: a scalar in a graph and the variables it
 * depends on. Out: agreement, or the element that disagrees most. Everything is computed in double
 * precision by the interpreter, so a difference quotient is good to about nine digits; points at
 * which two step widths give different quotients lie at a kink and are passed over. */
#include "numeric.h"

#include <math.h>
#include <string.h>

enum { MOST_ELEMENTS = 256, POINTS = 5 };

typedef struct Probe {
    Graph *g;
    Node *loss;
    const long *dims;
    Tensor **inputs;
    Machine *machine;
} Probe;

typedef struct Worst { double by, stated, measured; const char *place; } Worst;

static double loss_at(const Probe *p)
{
    Tensor *value;
    eval_roots(p->g, &p->loss, 1, p->dims, p->inputs, p->machine, &value);
    return value->v[0];
}

static double quotient(const Probe *p, double *x, double step)
{
    double at = *x, above, below;
    *x = at + step;
    above = loss_at(p);
    *x = at - step;
    below = loss_at(p);
    *x = at;
    return (above - below) / (2 * step);
}

static const char *element_place(const char *name, const Tensor *t, long i)
{
    Text out = {0};
    long index[MAX_RANK] = {0};
    for (int k = t->rank - 1; k >= 0; k--) {
        index[k] = i % t->size[k];
        i /= t->size[k];
    }
    text_add(&out, "%s", name);
    for (int k = 0; k < t->rank; k++) text_add(&out, "%s%ld", k ? ", " : "[", index[k]);
    text_add(&out, t->rank ? "]" : "");
    return out.s;
}

/* Compares one element; keeps it when it is the worst so far. */
static void probe_element(const Probe *p, const char *name, Tensor *t, long i, double stated,
                          Worst *worst)
{
    double step = 1e-5 * fmax(1, fabs(t->v[i]));
    double measured = quotient(p, &t->v[i], step);
    double size = fmax(fabs(stated), fabs(measured)), by = fabs(stated - measured);
    double allowed = 1e-6 * size + 1e-8 * fmax(1, fabs(loss_at(p)));
    if (by <= allowed) return;
    double closer = quotient(p, &t->v[i], step / 16);
    if (isfinite(stated) && !(fabs(closer - measured) <= 1e-3 * size)) return;
    /* of fourth order: the error of the quotient falls to a quarter with half the step */
    double half = quotient(p, &t->v[i], step / 2);
    measured = half + (half - measured) / 3;
    by = fabs(stated - measured);
    if (by <= allowed) return;
    if (!isfinite(by)) by = (double)INFINITY;
    if (by / allowed <= worst->by) return;
    *worst = (Worst){by / allowed, stated, measured, element_place(name, t, i)};
}

static void probe_tensor(const Probe *p, const char *name, Tensor *t, const Tensor *stated,
                         Worst *worst)
{
    long stride = t->count > MOST_ELEMENTS ? t->count / MOST_ELEMENTS : 1;
    for (long i = 0; i < t->count; i += stride)
        probe_element(p, name, t, i, stated->v[i], worst);
}

static const char *verdict(const Worst *w)
{
    if (!w->place) return NULL;
    return format("at %s the derivative is %.9g, but differences give %.9g", w->place, w->stated,
                  w->measured);
}

/* ---- an entry -------------------------------------------------------------------------------- */

static NodeList variables_of(const Graph *g)
{
    NodeList x = {0};
    for (int i = 0; i < g->nodes.n; i++) {
        Node *n = g->nodes.at[i];
        if ((n->op == OP_INPUT || n->op == OP_PARAM) && elem_is_real(n->type.elem)) vec_push(&x, n);
    }
    return x;
}

static const Custom *find_surrogate(const Graph *g)
{
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        const Custom *c = n->op == OP_CUSTOM ? n->attr.ref : NULL;
        if (c && c->is_surrogate) return c;
    }
    return NULL;
}

static Tensor *copy_of(const Tensor *t)
{
    Tensor *c = tensor_new(t->elem, t->rank, t->size);
    memcpy(c->v, t->v, sizeof(double) * (size_t)t->count);
    return c;
}

/* Compares the derivative for every variable; the tensors are changed and restored. */
static const char *compare(const Probe *p, const NodeList *x, const Entry *e)
{
    GradResult *d = NEW_N(GradResult, x->n + 1);
    Node **roots = NEW_N(Node *, x->n + 1);
    Tensor **stated = NEW_N(Tensor *, x->n + 1);
    Worst worst = {0};
    differentiate(p->g, p->loss, x->n, x->at, d);
    for (int i = 0; i < x->n; i++) roots[i] = d[i].d;
    eval_roots(p->g, roots, x->n, p->dims, p->inputs, p->machine, stated);
    for (int i = 0; i < x->n; i++) {
        const Node *n = x->at[i];
        const Slot *slot = n->op == OP_PARAM ? n->attr.ref : NULL;
        Tensor *t = slot ? p->machine->params[slot->id] : p->inputs[n->attr.k];
        const char *name = slot ? slot->path : e ? e->inputs.at[n->attr.k].name : n->name;
        probe_tensor(p, name, t, stated[i], &worst);
    }
    return verdict(&worst);
}

const char *check_gradient(Machine *m, const Entry *e, Tensor *const *args)
{
    long dims[64] = {0};
    const char *message;
    Node *loss = e->outputs.n ? e->outputs.at[0].node : NULL;
    if (!loss || loss->type.shape.rank || !elem_is_real(loss->type.elem))
        return format("`%s` returns %s: only a real scalar has a gradient", e->name,
                      loss ? type_text(loss->type) : "no tensor");
    if (!bind_dims(e, args, dims, &message)) return message;
    Probe p = {.loss = loss, .dims = dims, .machine = m};
    p.g = graph_copy(e->g, &p.loss, 1);
    p.inputs = NEW_N(Tensor *, e->inputs.n + 1);
    for (int i = 0; i < e->inputs.n; i++) p.inputs[i] = copy_of(args[i]);
    if (find_surrogate(p.g)) return NULL;               /* knowingly different */
    NodeList x = variables_of(p.g);
    return compare(&p, &x, e);
}

/* ---- a stated derivative --------------------------------------------------------------------- */

/* Numbers in -2..2 that are the same in every run. */
static double sample(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0 * 4 - 2;
}

static Tensor *sample_tensor(const Node *n, uint64_t *state)
{
    long size[MAX_RANK] = {0};
    for (int k = 0; k < n->type.shape.rank; k++) size_is_const(n->type.shape.size[k], &size[k]);
    Tensor *t = tensor_new(n->type.elem, n->type.shape.rank, size);
    for (long i = 0; i < t->count; i++) {
        double v = sample(state);
        t->v[i] = elem_is_real(n->type.elem) ? v : v > 0;
    }
    return t;
}

/* A scalar that depends on every element of the results with a weight of its own. */
static Node *weighted_sum(Graph *g, const Stated *s, uint64_t *state)
{
    Node *sum = n_const(g, ELEM_REAL, 0);
    for (int i = 0; i < s->n_results; i++) {
        Node *y = s->results[i];
        if (!elem_is_real(y->type.elem)) continue;
        Tensor *w = sample_tensor(y, state);
        Node *weight = w->rank ? n_table(g, y->type, w->v) : n_const(g, y->type.elem, w->v[0]);
        Node *part = n_map2(g, OP_MUL, y, weight);
        part = n_reduce(g, OP_SUM, part, (1u << w->rank) - 1);
        sum = n_map2(g, OP_ADD, sum, n_cast(g, ELEM_REAL, part));
    }
    return sum;
}

const char *check_stated(const Stated *s)
{
    uint64_t state = 1;
    long dims[64] = {0};
    NodeList x = {0};
    Probe p = {.g = s->g, .dims = dims};
    p.loss = weighted_sum(s->g, s, &state);
    p.inputs = NEW_N(Tensor *, s->n_inputs + 1);
    for (int i = 0; i < s->n_inputs; i++)
        if (elem_is_real(s->inputs[i]->type.elem)) vec_push(&x, s->inputs[i]);
    for (int point = 0; point < POINTS; point++) {
        for (int i = 0; i < s->n_inputs; i++) p.inputs[i] = sample_tensor(s->inputs[i], &state);
        if (!isfinite(loss_at(&p))) continue;
        const char *wrong = compare(&p, &x, NULL);
        if (wrong) return wrong;
    }
    return NULL;
}
