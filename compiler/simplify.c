/* simplify.c - the same values by less work: local rules, applied until none has anything to say.
 * In: a graph and its roots. Out: a new graph with what the roots still need, operands first.
 * Numbers may differ from the unsimplified graph by rounding and no more, with one exception: in a
 * derivative a factor that is the constant 0 makes the product 0, also where the other factor is
 * infinite or NaN, because a path with derivative 0 contributes nothing. Names, places in the
 * source and the mark of what is the adjoint of what move to the node that takes over the value.
 * Functions with stated gradients, marks and stop_grad have done their work and disappear. */
#include "known.h"
#include "nnc.h"
#include "simplify.h"

#include <math.h>

enum { MAX_ROUNDS = 8 };

/* ---- questions about nodes ---- */

bool is_number(const Node *n, double v)
{
    double value;
    return node_is_const(n, &value) && value == v;
}

bool is_single(const Simplifier *s, const Node *n)
{
    return n->id >= s->uses.n || s->uses.at[n->id] <= 1;
}

bool is_finite(const Node *n)
{
    double v;
    if (node_is_const(n, &v)) return isfinite(v);
    if (n->op == OP_BROADCAST || n->op == OP_CAST) return is_finite(n->in[0]);
    return !elem_is_real(n->type.elem) || n->op == OP_SIZE;
}

Node *uniform_of(Node *n)
{
    while (n->op == OP_BROADCAST && n->type.shape.rank) n = n->in[0];
    return n->type.shape.rank ? NULL : n;
}

bool may_vanish(const Node *n, const Node *factor) { return n->rule || is_finite(factor); }

/* ---- one node ---- */

void count_uses(Simplifier *s, const Node *n, int uses)
{
    while (s->uses.n <= n->id) vec_push(&s->uses, 0);
    s->uses.at[n->id] += uses;
}

/* r takes over from n. Numbers are shared by everyone, so they stay without a name; the nodes of
 * the forward computation do not turn into adjoints. */
static void take_over(Node *r, const Node *n)
{
    if (r == n || node_is_const(r, NULL) || r->op == OP_SIZE) return;
    name_as(r, n);
    if (!r->span.src) r->span = n->span;
    if (!r->adjoint_of && r->rule) r->adjoint_of = n->adjoint_of;
}

static Node *rule_gone(Simplifier *s, Node *n)
{
    (void)s;
    if (n->op == OP_MARK || n->op == OP_STOP) return n->in[0];
    if (n->op == OP_CUSTOM) return n->in[((const Custom *)n->attr.ref)->n_inputs + n->attr.k];
    return NULL;
}

static Node *apply_rules(Simplifier *s, Node *n)
{
    static Node *(*const rules[])(Simplifier *, Node *) = {
        rule_gone, rule_const, rule_logic, rule_arithmetic, rule_terms, rule_move, rule_block,
        rule_fold, rule_product,
    };
    bool is_leaf = op_info[n->op].class == CLASS_LEAF;
    if (is_leaf && n->op != OP_IOTA && !known_values(n)) return NULL;
    s->g->span = n->span;
    s->g->rule = n->rule;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        Node *r = rules[i](s, n);
        if (r && r != n) return r;
    }
    return NULL;
}

static Node *simplify_node(Simplifier *s, Node *n);

static Node *simplify_operands(Simplifier *s, Node *n)
{
    Node *few[8], **in = n->n_in <= 8 ? few : NEW_N(Node *, n->n_in);
    bool same = true;
    for (int k = 0; k < n->n_in; k++) {
        in[k] = simplify_node(s, n->in[k]);
        same &= in[k] == n->in[k];
    }
    return same ? n : graph_node(s->g, n->op, &n->attr, n->type, n->n_in, in);
}

/* Rules that undo each other end where a node comes back to itself. */
static Node *simplify_node(Simplifier *s, Node *n)
{
    while (s->done.n < s->g->nodes.n) vec_push(&s->done, NULL);
    if (s->done.at[n->id]) return s->done.at[n->id];
    s->done.at[n->id] = n;
    Node *m = simplify_operands(s, n), *r;
    take_over(m, n);
    if (m != n) {
        r = simplify_node(s, m);
    } else {
        r = apply_rules(s, n);
        if (!r) return n;
        s->fired++;
        take_over(r, n);
        r = simplify_node(s, r);
        take_over(r, n);
    }
    s->done.at[n->id] = r;
    return r;
}

/* ---- all nodes ---- */

static const char *adjoint_name(const Node *of)
{
    const Slot *slot = of->op == OP_PARAM ? of->attr.ref : NULL;
    return intern_str(format("d_%s", slot ? slot->path : of->name));
}

/* An adjoint whose forward node goes away keeps the name that it would have had from it. */
static void settle_adjoints(const Graph *g, Node *const *roots, int n)
{
    int *uses = graph_uses(g, roots, n);
    for (int i = 0; i < g->nodes.n; i++) {
        Node *d = g->nodes.at[i];
        const Node *of = d->adjoint_of;
        if (!uses[i] || !of || uses[of->id]) continue;
        if (of->name && !d->name) d->name = adjoint_name(of);
        d->adjoint_of = NULL;
    }
}

static void copy_adjoint(Node *to, const Node *from, Node *const *map)
{
    const Node *of = from->adjoint_of;
    if (!of || !to->rule || to->adjoint_of) return;
    to->adjoint_of = map[of->id];
    if (!map[of->id] && of->name && !to->name) to->name = adjoint_name(of);
}

static Graph *rebuild(const Graph *old, Node **roots, int n, int *fired)
{
    Simplifier s = {.g = graph_new()};
    int *uses = graph_uses(old, roots, n);
    Node **map = NEW_N(Node *, old->nodes.n + 1);
    for (int i = 0; i < old->nodes.n; i++) {
        const Node *from = old->nodes.at[i];
        if (!uses[i]) continue;
        s.g->span = from->span;
        s.g->rule = from->rule;
        Node *to = graph_node(s.g, from->op, &from->attr, from->type, from->n_in,
                              mapped_operands(from, map));
        name_as(to, from);
        copy_adjoint(to, from, map);
        count_uses(&s, to, uses[i]);
        map[i] = simplify_node(&s, to);
        if (map[i] != to) count_uses(&s, map[i], uses[i]);
    }
    map_roots(roots, n, map);
    *fired = s.fired;
    settle_adjoints(s.g, roots, n);
    return graph_copy(s.g, roots, n);
}

Graph *simplify_roots(const Graph *g, Node **roots, int n)
{
    int fired = 1;
    Graph *out = NULL;
    for (int i = 0; i < MAX_ROUNDS && fired; i++) out = rebuild(out ? out : g, roots, n, &fired);
    return out;
}

/* ---- an entry ---- */

int gather_roots(const Entry *e, Node ***roots)
{
    VEC(Node *) all = {0};
    for (int i = 0; i < e->outputs.n; i++) {
        const Output *o = &e->outputs.at[i];
        vec_push(&all, o->node);
        for (int k = 0; k < o->set.n; k++) vec_push(&all, o->set.at[k]);
    }
    for (int i = 0; i < e->updates.n; i++) vec_push(&all, e->updates.at[i].value);
    *roots = all.at;
    return all.n;
}

void return_roots(Entry *e, Node *const *roots)
{
    for (int i = 0; i < e->outputs.n; i++) {
        Output *o = &e->outputs.at[i];
        o->node = *roots++;
        for (int k = 0; k < o->set.n; k++) o->set.at[k] = *roots++;
    }
    int kept = 0;
    for (int i = 0; i < e->updates.n; i++) {
        Update u = e->updates.at[i];
        u.value = *roots++;
        bool is_slot = u.value->op == OP_PARAM || u.value->op == OP_STATE;
        if (!is_slot || u.value->attr.ref != u.slot) e->updates.at[kept++] = u;
    }
    e->updates.n = kept;
}

static void find_effects(Entry *e)
{
    e->draws = e->reads = false;
    e->writes = e->updates.n > 0;
    for (int i = 0; i < e->g->nodes.n; i++) {
        Op op = e->g->nodes.at[i]->op;
        e->draws |= op == OP_DRAW;
        e->reads |= (op == OP_PARAM || op == OP_STATE) && !is_weight(e->g->nodes.at[i]);
    }
}

/* Dropping an update may leave its slot without any use, so what is left is copied once more. */
void simplify_entry(Entry *e)
{
    Node **roots;
    int n = gather_roots(e, &roots);
    e->g = scan_settle(e->g, roots, n);
    e->g = simplify_roots(e->g, roots, n);
    return_roots(e, roots);
    n = gather_roots(e, &roots);
    e->g = graph_copy(e->g, roots, n);
    return_roots(e, roots);
    find_effects(e);
}
