/* show_study.c - an entry prepared for looking at. In: an entry and, for numbers, the arguments of
 * --at. Out: its values in order, each with a name, its adjoint and the rules behind the adjoint.
 * The adjoint of the result is an input of its own, so that the chain rule stays visible. */
#include "show.h"

#include <stdlib.h>
#include <string.h>

static bool *reached_from(const Graph *g, const Node *root)
{
    bool *live = NEW_N(bool, g->nodes.n + 1);
    live[root->id] = true;
    for (int i = root->id; i >= 0; i--)
        for (int k = 0; live[i] && k < g->nodes.at[i]->n_in; k++)
            live[g->nodes.at[i]->in[k]->id] = true;
    return live;
}

/* ---- the rules behind an adjoint ------------------------------------------------------------- */

static const char *rule_for(const Node *user, int k)
{
    const OpInfo *o = &op_info[user->op];
    if (user->op == OP_CUSTOM)
        return format("%s: stated", ((const Custom *)user->attr.ref)->decl->name.s);
    const char *d = o->derivative[o->arity < 0 ? 0 : k];
    return d && strcmp(d, "0") ? format("%s: %s", o->name, d) : NULL;
}

/* One formula for each operator that uses n; what is not written is looked through. */
static void collect_rules(Text *out, const Graph *g, const bool *live, int last, const Node *n)
{
    for (int i = n->id + 1; i <= last; i++) {
        const Node *user = g->nodes.at[i];
        for (int k = 0; live[i] && k < user->n_in; k++) {
            if (user->in[k] != n) continue;
            const char *rule = rule_for(user, k);
            if (user->op == OP_MARK || is_vector_view(user))
                collect_rules(out, g, live, last, user);
            else if (rule && !(out->s && strstr(out->s, rule)))
                text_add(out, "%s%s", out->n ? ";  " : "", rule);
        }
    }
}

/* ---- which values ---------------------------------------------------------------------------- */

static bool is_variable(const Node *n)
{
    return n->op == OP_INPUT || n->op == OP_PARAM;
}

/* How often each node is used, to tell which adjoints deserve a name. */
static int *use_counts(const Graph *g)
{
    int *uses = NEW_N(int, g->nodes.n + 1);
    for (int i = 0; i < g->nodes.n; i++)
        for (int k = 0; k < g->nodes.at[i]->n_in; k++) uses[g->nodes.at[i]->in[k]->id]++;
    return uses;
}

static const Node *without_views(const Node *n)
{
    while (n->op == OP_MARK || n->op == OP_BROADCAST || n->op == OP_RESHAPE ||
           n->op == OP_TRANSPOSE)
        n = n->in[0];
    return n;
}

/* Forward values without a name that get a line of their own: those that an adjoint is computed
 * from, and those whose adjoint is used repeatedly. */
static void choose_by_adjoint(const Study *s, bool *chosen)
{
    int *uses = use_counts(s->g), last = s->result->id;
    for (int i = last + 1; i < s->g->nodes.n; i++) {
        const Node *d = s->g->nodes.at[i], *of = d->adjoint_of;
        if (of && uses[i] > 1) chosen[without_views(of)->id] = true;
        for (int k = 0; k < d->n_in; k++) chosen[without_views(d->in[k])->id] = true;
    }
    for (int i = 0; i < s->g->nodes.n; i++) {
        const Node *n = s->g->nodes.at[i];
        if (op_info[n->op].class == CLASS_LEAF) chosen[i] = false;
        if (i <= last && is_vector_view(n)) chosen[n->in[0]->id] = false;
    }
}

static bool is_chosen(const Study *s, Names *m, const Node *n, bool all)
{
    bool is_leaf = op_info[n->op].class == CLASS_LEAF && n->op != OP_DRAW;
    if (all || n == s->result) return true;
    return is_leaf ? is_variable(n) : node_stands(m, n);
}

/* The values that are shown, in the order of the graph, with their names. */
static void choose(Study *s, const bool *live, bool all)
{
    Names *m = names_of(s->g, &s->result, 1);
    bool *chosen = NEW_N(bool, s->g->nodes.n + 1);
    VEC(Node *) nodes = {0};
    if (!all) choose_by_adjoint(s, chosen);
    for (int i = 0; i <= s->result->id; i++) {
        Node *n = s->g->nodes.at[i];
        if (live[i] && n->op != OP_MARK && (chosen[i] || is_chosen(s, m, n, all)))
            vec_push(&nodes, n);
    }
    if (!node_name(m, s->result)) s->result->name = s->result_name;
    if (!all) m = names_of(s->g, nodes.at, nodes.n);   /* as roots they all get names, in order */
    for (int i = 0; i < nodes.n; i++) {
        Item item = {.name = node_name(m, nodes.at[i]), .value = nodes.at[i]};
        vec_push(&s->items, item);
    }
}

/* ---- adjoints -------------------------------------------------------------------------------- */

/* By Node.id: d of the result with respect to every real node it depends on. */
static Node **find_adjoints(Study *s)
{
    s->seed = n_input(s->g, s->entry->inputs.n, s->result->type, format("d_%s", s->result_name));
    Node *loss = n_map2(s->g, OP_MUL, s->result, s->seed);
    VEC(Node *) x = {0};
    for (int i = 0; i <= s->result->id; i++)
        if (elem_is_real(s->g->nodes.at[i]->type.elem)) vec_push(&x, s->g->nodes.at[i]);
    GradResult *d = NEW_N(GradResult, x.n);
    differentiate(s->g, loss, x.n, x.at, d);
    Node **adjoint = NEW_N(Node *, s->g->nodes.n + 1);
    for (int i = 0; i < x.n; i++)
        if (d[i].status == GRAD_OK || d[i].status == GRAD_ZERO) adjoint[x.at[i]->id] = d[i].d;
    adjoint[s->result->id] = s->seed;
    return adjoint;
}

static void take_adjoints(Study *s, const bool *live, Node *const *adjoint)
{
    for (int i = 0; i < s->items.n; i++) {
        Item *item = &s->items.at[i];
        Text rules = {0};
        item->adjoint = adjoint[item->value->id];
        if (!item->adjoint || item->value == s->result) continue;
        collect_rules(&rules, s->g, live, s->result->id, item->value);
        item->rule = rules.s;
    }
}

Study *study_entry(Entry *e, bool all)
{
    Study *s = NEW(Study);
    s->entry = e;
    s->g = e->g;
    for (int i = 0; i < e->outputs.n && !s->result; i++) s->result = e->outputs.at[i].node;
    if (!s->result) return s;
    const Node *marked = s->result;
    while (s->result->op == OP_MARK) s->result = s->result->in[0];
    s->result_name = marked->name ? marked->name : s->result->name ? s->result->name : e->name;
    bool *live = reached_from(s->g, s->result);
    bool scalar = s->result->type.shape.rank == 0 && elem_is_real(s->result->type.elem);
    bool computed = op_info[s->result->op].class != CLASS_LEAF;
    Node **adjoint = scalar && computed ? find_adjoints(s) : NULL;
    choose(s, live, all);
    if (adjoint) take_adjoints(s, live, adjoint);
    return s;
}

void study_simplify(Study *s)
{
    int n = s->items.n;
    Node **roots = NEW_N(Node *, 2 * n + 2);
    for (int i = 0; i < n; i++) {
        roots[i] = s->items.at[i].value;
        roots[n + i] = s->items.at[i].adjoint;
    }
    roots[2 * n] = s->seed;
    roots[2 * n + 1] = s->result;
    s->g = simplify_roots(s->g, roots, 2 * n + 2);
    for (int i = 0; i < n; i++) {
        s->items.at[i].value = roots[i];
        s->items.at[i].adjoint = roots[n + i];
    }
    s->seed = roots[2 * n];
    s->result = roots[2 * n + 1];
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* The end of one "name=value": a comma outside of brackets. */
static const char *part_end(const char *p)
{
    for (int depth = 0; *p && (depth > 0 || *p != ','); p++) depth += (*p == '[') - (*p == ']');
    return p;
}

static int input_named(const Entry *e, const char *name)
{
    VEC(const char *) known = {0};
    for (int i = 0; i < e->inputs.n; i++) {
        if (!strcmp(e->inputs.at[i].name, name)) return i;
        vec_push(&known, e->inputs.at[i].name);
    }
    usage_error("show", "`%s` has no argument `%s`%s", e->name, name,
                did_you_mean(name, known.at, known.n));
    return -1;
}

/* "x=-2,y=[1, 2]" as tensors. False: reported. */
static bool read_at(const Entry *e, const char *text, Tensor **args)
{
    for (const char *p = text; *p;) {
        const char *end = part_end(p), *equals = memchr(p, '=', (size_t)(end - p)), *error = NULL;
        if (!equals) {
            usage_error("show", "`--at` is a list of NAME=VALUE, not `%s`", p);
            return false;
        }
        int k = input_named(e, intern(p, (size_t)(equals - p)));
        if (k < 0) return false;
        const char *word = intern(equals + 1, (size_t)(end - equals - 1));
        args[k] = read_value(word, e->inputs.at[k].type.elem, &error);
        if (!args[k]) {
            usage_error("show", "the argument `%s`: %s", e->inputs.at[k].name, error);
            return false;
        }
        p = end + (*end == ',');
    }
    return true;
}

static Tensor *default_of(const Input *in, const long *dims)
{
    long size[MAX_RANK] = {0};
    const Shape *s = &in->type.shape;
    for (int k = 0; k < s->rank; k++) size[k] = size_eval(s->size[k], dims);
    Tensor *t = tensor_new(in->type.elem, s->rank, size);
    for (long i = 0; i < t->count; i++) t->v[i] = in->init;
    return t;
}

int study_at(Study *s, Program *p)
{
    const Entry *e = s->entry;
    long dims[64] = {0};
    int code, n = s->items.n;
    const char *error = NULL;
    Tensor **args = NEW_N(Tensor *, e->inputs.n + 1);
    if (!read_at(e, settings.at, args)) return EXIT_USAGE;
    if (!bind_dims(e, args, dims, &error)) return usage_error("show", "%s", error);
    Machine *m = start_machine(p, "show", &code);
    if (!m) return code;
    for (int i = 0; i < e->inputs.n; i++)
        if (!args[i]) args[i] = default_of(&e->inputs.at[i], dims);
    args[e->inputs.n] = tensor_new(ELEM_REAL, 0, dims);
    args[e->inputs.n]->v[0] = 1;
    Node **roots = NEW_N(Node *, 2 * n + 1);
    Tensor **values = NEW_N(Tensor *, 2 * n + 1);
    for (int i = 0; i < n; i++) {
        roots[i] = s->items.at[i].value;
        roots[n + i] = s->items.at[i].adjoint;
    }
    eval_roots(s->g, roots, 2 * n, dims, args, m, values);
    for (int i = 0; i < n; i++) {
        s->items.at[i].v = values[i];
        s->items.at[i].d = values[n + i];
    }
    return EXIT_OK;
}

const char *brief(const Tensor *t, size_t limit)
{
    Text out = {0};
    bool real = elem_is_real(t->elem);
    if (t->count > 64) return format("%ld values", t->count);
    Tensor *short_t = tensor_new(t->elem, t->rank, t->size);
    for (long i = 0; i < t->count; i++) {
        char s[40];
        snprintf(s, sizeof s, "%.4g", t->v[i]);
        short_t->v[i] = real ? strtod(s, NULL) : t->v[i];
    }
    json_write(&out, short_t, false);
    if (out.n <= limit) return out.s;
    return format("%.*s ..", (int)limit - 3, out.s);
}
