/* show_grad.c - entries and their derivatives as equations in the language. In: an entry. Out: its
 * equations in order with their types; or the forward equations, then for each of them, last one
 * first, the adjoint with the formula it came from. */
#include "kernel.h"
#include "show.h"

#include <string.h>

void show_line(Text *out, const char *equation, const char *comment)
{
    if (comment && *comment) text_add(out, "  %-44s // %s\n", equation, comment);
    else text_add(out, "  %s\n", equation);
}

void entry_heading(Text *out, const Entry *e)
{
    text_add(out, "%sentry %s(", e->is_training ? "training " : "", e->name);
    for (int i = 0; i < e->inputs.n; i++)
        text_add(out, "%s%s: %s", i ? ", " : "", e->inputs.at[i].name,
                 type_text(e->inputs.at[i].type));
    text_add(out, ")");
    for (int i = 0; i < e->outputs.n; i++) {
        const Output *o = &e->outputs.at[i];
        text_add(out, "%s%s", i ? ", " : e->outputs.n > 1 ? " -> (" : " -> ",
                 o->node ? type_text(o->node->type) : "params");
    }
    text_add(out, e->outputs.n > 1 ? ")\n" : "\n");
}

static const char *equation_text(Names *m, const Node *n)
{
    Text out = {0};
    node_equation(&out, m, n);
    return out.s;
}

static const char *operand_text(Names *m, const Node *n)
{
    Text out = {0};
    node_operand(&out, m, n);
    return out.s;
}

/* The equation of n; a loop once, at the first of its results. */
static void show_equation(Text *out, Names *m, const Graph *g, const Node *n, const char *comment)
{
    if (n->op != OP_SCAN) {                            /* a draw tells its type itself */
        show_line(out, equation_text(m, n), n->op == OP_DRAW ? NULL : comment);
        return;
    }
    for (int i = 0; i < n->id; i++)
        if (same_scan(g->nodes.at[i], n) && node_stands(m, g->nodes.at[i])) return;
    show_scan(out, m, g, n);
}

/* ---- an entry as it is ----------------------------------------------------------------------- */

static NodeList roots_of(const Entry *e)
{
    NodeList roots = {0};
    for (int i = 0; i < e->outputs.n; i++) {
        const Output *o = &e->outputs.at[i];
        if (o->node) vec_push(&roots, o->node);
        for (int k = 0; !o->node && k < o->set.n; k++)
            if (o->set.at[k]) vec_push(&roots, o->set.at[k]);
    }
    for (int i = 0; i < e->updates.n; i++) vec_push(&roots, e->updates.at[i].value);
    return roots;
}

static bool *mark_reached(const Graph *g, const NodeList *roots)
{
    bool *live = NEW_N(bool, g->nodes.n + 1);
    for (int i = 0; i < roots->n; i++) live[roots->at[i]->id] = true;
    for (int i = g->nodes.n - 1; i >= 0; i--)
        for (int k = 0; live[i] && k < g->nodes.at[i]->n_in; k++)
            live[g->nodes.at[i]->in[k]->id] = true;
    return live;
}

static void show_slots(Text *out, const Graph *g, const bool *live)
{
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        if (!live[i] || (n->op != OP_PARAM && n->op != OP_STATE)) continue;
        const Slot *s = n->attr.ref;
        text_add(out, "  %s %s: %s\n", s->is_state ? "state" : "param", s->path,
                 type_text(s->type));
    }
}

static void show_results(Text *out, Names *m, const Program *p, const Entry *e)
{
    for (int i = 0; i < e->updates.n; i++) {
        const Update *u = &e->updates.at[i];
        show_line(out, format("update %s = %s", u->slot->path, operand_text(m, u->value)), NULL);
    }
    Text tensors = {0};
    for (int i = 0; i < e->outputs.n; i++) {
        const Output *o = &e->outputs.at[i];
        if (o->node)
            text_add(&tensors, "%s%s", tensors.n ? ", " : "", operand_text(m, o->node));
        for (int k = 0; !o->node && k < o->set.n; k++)
            if (o->set.at[k])
                show_line(out, format("return %s: %s", p->params.at[k]->path,
                                      operand_text(m, o->set.at[k])), NULL);
    }
    if (tensors.n) show_line(out, format("return %s", tensors.s), NULL);
}

void show_entry(Text *out, const Program *p, const Entry *e, bool rules)
{
    NodeList roots = roots_of(e);
    Names *m = names_of(e->g, roots.at, roots.n);
    bool *live = mark_reached(e->g, &roots);
    entry_heading(out, e);
    show_slots(out, e->g, live);
    for (int i = 0; i < e->g->nodes.n; i++) {
        const Node *n = e->g->nodes.at[i];
        if (!live[i] || n->op == OP_MARK || !node_stands(m, n)) continue;
        const char *rule = rules && n->adjoint_of && n->rule ? n->rule : NULL;
        show_equation(out, m, e->g, n, rule ? rule : type_text(n->type));
    }
    show_results(out, m, p, e);
}

/* ---- the derivative -------------------------------------------------------------------------- */

static bool *used_by_values(const Study *s)
{
    NodeList roots = {0};
    for (int i = 0; i < s->items.n; i++) vec_push(&roots, s->items.at[i].value);
    return mark_reached(s->g, &roots);
}

static const Item *item_with_adjoint(const Study *s, const Node *d)
{
    for (int i = s->items.n - 1; i >= 0; i--)
        if (s->items.at[i].adjoint == d) return &s->items.at[i];
    return NULL;
}

/* Adjoints are named after their values; of several with one adjoint the last value counts. */
static Names *name_study(const Study *s)
{
    NodeList roots = {0};
    for (int i = 0; i < s->g->nodes.n; i++) s->g->nodes.at[i]->adjoint_of = NULL;
    for (int i = 0; i < s->items.n; i++) {
        const Item *item = &s->items.at[i];
        Node *v = item->value, *d = item->adjoint;
        vec_push(&roots, v);
        if (op_info[v->op].class != CLASS_LEAF) v->name = item->name;
        if (!d) continue;
        vec_push(&roots, d);
        if (item_with_adjoint(s, d) == item && op_info[d->op].class != CLASS_LEAF)
            d->name = format("d_%s", item->name);
    }
    return names_of(s->g, roots.at, roots.n);
}

/* "d_x = d_q": values whose adjoint is that of another value, a variable or a number. */
static void show_aliases(Text *out, const Study *s, Names *m, const Node *d)
{
    for (int i = s->items.n - 1; i >= 0; i--) {
        const Item *item = &s->items.at[i];
        if (item->adjoint != d || item->value == s->result) continue;
        const char *name = format("d_%s", item->name), *text = operand_text(m, d);
        if (strcmp(name, text)) show_line(out, format("%s = %s", name, text), item->rule);
    }
}

static void show_backward(Text *out, const Study *s, Names *m, const bool *forward)
{
    NodeList adjoints = {0};
    for (int i = 0; i < s->items.n; i++)
        if (s->items.at[i].adjoint) vec_push(&adjoints, s->items.at[i].adjoint);
    bool *live = mark_reached(s->g, &adjoints);
    show_line(out, format("d_%s = 1", s->result_name), NULL);
    for (int i = 0; i < s->g->nodes.n; i++) {
        const Node *n = s->g->nodes.at[i];
        const Item *item = live[i] ? item_with_adjoint(s, n) : NULL;
        const char *rule = item ? item->rule : NULL;
        if (live[i] && !forward[i] && node_stands(m, n))
            show_equation(out, m, s->g, n, rule ? rule : type_text(n->type));
        if (item) show_aliases(out, s, m, n);
    }
}

bool show_derivative(Text *out, Entry *e)
{
    Study *s = study_entry(e, false);
    if (!s->seed) {
        text_add(out, "`%s` returns %s: only a real scalar that depends on something has a "
                 "derivative\n", e->name, s->result ? type_text(s->result->type) : "no tensor");
        return false;
    }
    study_simplify(s);
    Names *m = name_study(s);
    bool *forward = used_by_values(s);
    entry_heading(out, e);
    show_slots(out, s->g, forward);
    for (int i = 0; i < s->g->nodes.n; i++) {
        const Node *n = s->g->nodes.at[i];
        if (forward[i] && node_stands(m, n)) show_equation(out, m, s->g, n, type_text(n->type));
    }
    text_add(out, "backward\n");
    show_backward(out, s, m, forward);
    return true;
}

/* ---- numbers --------------------------------------------------------------------------------- */

void show_numbers(Text *out, const Study *s)
{
    NodeList values = {0};
    for (int i = 0; i < s->items.n; i++) vec_push(&values, s->items.at[i].value);
    Names *m = names_of(s->g, values.at, values.n);
    entry_heading(out, s->entry);
    for (int i = 0; i < s->items.n; i++) {
        const Item *item = &s->items.at[i];
        bool leaf = op_info[item->value->op].class == CLASS_LEAF;
        if (!leaf) names_give(m, item->value, item->name);
        const char *left = leaf ? item->name : equation_text(m, item->value);
        const char *d = item->d ? format("   d_%s = %s", item->name, brief(item->d, 40)) : "";
        show_line(out, left, format("%-8s%s", brief(item->v, 40), d));
    }
}
