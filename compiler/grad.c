/* grad.c - reverse-mode differentiation of the graph.
 * In: a scalar loss and the nodes to differentiate for. Out: for each of them the derivative, of
 * its shape, as nodes added to the same graph, or the reason why there is none. One sweep from the
 * loss backwards visits each node once, when the adjoints from all its users are summed, and
 * applies the formulas of the operator table. What it makes can be differentiated again. */
#include "nnc.h"

#include <stdlib.h>
#include <string.h>

/* Ways in which a path from the loss ends; where several do, the first that holds is reported. */
typedef enum CutKind { CUT_ZERO, CUT_NODIFF, CUT_STOP, CUT_COUNT } CutKind;

/* How a node is reached from the loss. */
typedef struct Reach {
    bool live;                /* by a path on which every derivative may differ from zero */
    bool discrete;            /* by a path that has gone over to integers or bools */
    const Node *cut[CUT_COUNT];   /* by a path that ended above, at this node */
} Reach;

typedef struct Sweep {
    Graph *g;
    int n;                    /* nodes up to the loss */
    Reach *reach;
    bool *wanted;             /* depends on one of the x's */
    Node **adjoint;
    Node **leader;            /* CUSTOM, SCAN: the first node of the same call */
    const Expr *formula[OP_COUNT][3];
} Sweep;

static const char *const zero_rule = "0";

static int rule_place(const Node *n, int k) { return op_info[n->op].arity < 0 ? 0 : k; }

static const char *rule_of(const Node *n, int k)
{
    return op_info[n->op].derivative[rule_place(n, k)];
}

static bool is_real(const Node *n) { return elem_is_real(n->type.elem); }

/* Operands of a call with a stated gradient: the inputs; its body is not looked into. */
static int operand_count(const Node *n)
{
    return n->op == OP_CUSTOM ? ((const Custom *)n->attr.ref)->n_inputs : n->n_in;
}

static bool passes(const Node *n, int k)
{
    const char *rule = rule_of(n, k);
    return is_real(n) && is_real(n->in[k]) && rule && strcmp(rule, zero_rule) != 0;
}

/* ---- what lies between the x's and the loss ---- */

static void find_wanted(Sweep *s, int n, Node *const *x)
{
    for (int i = 0; i < n; i++)
        if (x[i]->id < s->n) s->wanted[x[i]->id] = true;
    for (int i = 0; i < s->n; i++) {
        const Node *node = s->g->nodes.at[i];
        for (int k = 0; k < operand_count(node) && !s->wanted[i]; k++)
            s->wanted[i] = passes(node, k) && s->wanted[node->in[k]->id];
    }
}

/* Nodes that share their operands with others, one for each result. */
static bool has_results(const Node *n) { return n->op == OP_CUSTOM || n->op == OP_SCAN; }

static bool same_call(const Node *a, const Node *b)
{
    return a->attr.ref == b->attr.ref && a->n_in == b->n_in &&
           !memcmp(a->in, b->in, sizeof(Node *) * (size_t)a->n_in);
}

static void find_leaders(Sweep *s)
{
    VEC(Node *) leaders = {0};
    for (int i = 0; i < s->n; i++) {
        Node *n = s->g->nodes.at[i];
        if (!has_results(n)) continue;
        for (int k = 0; k < leaders.n && !s->leader[i]; k++)
            if (same_call(n, leaders.at[k])) s->leader[i] = leaders.at[k];
        if (s->leader[i]) continue;
        s->leader[i] = n;
        vec_push(&leaders, n);
    }
}

/* ---- contributions ---- */

/* A formula leaves out what broadcasting does: here d gets exactly the type of the operand. */
static Node *fit(Graph *g, Node *d, Type to)
{
    d = n_cast(g, to.elem, d);
    if (to.shape.rank == 0) return n_reduce(g, OP_SUM, d, (1u << d->type.shape.rank) - 1);
    if (d->type.shape.rank == 0) d = n_expand(g, d, &to.shape);
    if (shape_equal(&d->type.shape, &to.shape)) return d;
    fprintf(stderr, "nnc: internal error: a derivative of type %s for %s\n", type_text(d->type),
            type_text(to));
    abort();
}

static void contribute(Sweep *s, Node *to, Node *d)
{
    Node **sum = &s->adjoint[to->id];
    d = fit(s->g, d, to->type);
    if (*sum) {
        s->g->rule = "sum over uses";
        d = n_map2(s->g, OP_ADD, *sum, d);
    }
    *sum = d;
}

/* The name goes to the sum of all contributions; of two nodes with one adjoint, to a named one. */
static void label_adjoint(const Node *n, Node *d, int first_new)
{
    if (d->id < first_new) return;
    if (!d->adjoint_of || (!d->adjoint_of->name && n->name)) d->adjoint_of = n;
}

static const Expr *formula_for(Sweep *s, const Node *n, int k)
{
    const Expr **cached = &s->formula[n->op][rule_place(n, k)];
    if (!*cached) *cached = parse_formula(rule_of(n, k));
    return *cached;
}

/* ---- one node ---- */

static void pass_cuts(const Reach *from, Reach *to)
{
    for (int kind = 0; kind < CUT_COUNT; kind++)
        if (!to->cut[kind]) to->cut[kind] = from->cut[kind];
}

static void cut_at(Reach *to, CutKind kind, const Node *n)
{
    if (!to->cut[kind]) to->cut[kind] = n;
}

/* Follows the edge from n to its operand k, and differentiates it when it is alive. */
static void follow(Sweep *s, Node *n, int k)
{
    const Reach *from = &s->reach[n->id];
    Node *a = n->in[k];
    Reach *to = &s->reach[a->id];
    const char *rule = rule_of(n, k);
    pass_cuts(from, to);
    if (!is_real(a)) {
        to->discrete |= from->live || from->discrete;
    } else if (!is_real(n)) {
        if (from->discrete) cut_at(to, rule ? CUT_ZERO : CUT_NODIFF, n);
    } else if (from->live && !passes(n, k)) {
        cut_at(to, n->op == OP_STOP ? CUT_STOP : rule ? CUT_ZERO : CUT_NODIFF, n);
    } else if (from->live) {
        to->live = true;
        if (!s->wanted[a->id] || !s->adjoint[n->id]) return;
        s->g->rule = rule;
        contribute(s, a, formula_build(s->g, formula_for(s, n, k), n, k, s->adjoint[n->id]));
    }
}

/* The nodes of one call, by result: those that the loss uses have adjoints. */
static bool find_results(Sweep *s, Node *leader, Node **result, Node **dy)
{
    bool any = false;
    for (int i = leader->id; i < s->n; i++) {
        Node *n = s->g->nodes.at[i];
        if (s->leader[i] != leader) continue;
        result[n->attr.k] = n;
        dy[n->attr.k] = s->adjoint[i];
        any |= s->adjoint[i] != NULL;
        s->reach[leader->id].live |= s->reach[i].live;
        s->reach[leader->id].discrete |= s->reach[i].discrete;
        pass_cuts(&s->reach[i], &s->reach[leader->id]);
    }
    return any;
}

/* Results of a stated function that the loss does not use get zeros as adjoints. */
static bool collect_results(Sweep *s, Node *leader, Node **result, Node **dy)
{
    const Custom *c = leader->attr.ref;
    bool any = find_results(s, leader, result, dy);
    for (int k = 0; k < c->n_results && any; k++) {
        Attr attr = {.k = k, .ref = c};
        Type type = leader->in[c->n_inputs + k]->type;
        if (!result[k])
            result[k] = graph_node(s->g, OP_CUSTOM, &attr, type, leader->n_in, leader->in);
        if (!dy[k]) dy[k] = n_full(s->g, type, 0);
    }
    return any;
}

/* A stated gradient that is the constant zero cuts the path like a rule "0". One that could not be
 * built was reported; it counts as alive so that nothing else is. */
static void follow_custom(Sweep *s, Node *leader)
{
    const Custom *c = leader->attr.ref;
    Node **result = NEW_N(Node *, c->n_results), **dy = NEW_N(Node *, c->n_results);
    Node **d = NEW_N(Node *, c->n_inputs + 1);
    bool any = collect_results(s, leader, result, dy);
    s->g->rule = "stated";
    bool built = any && c->gradient(c, s->g, leader->in, result, dy, d);
    for (int k = 0; k < c->n_inputs; k++) {
        Node *a = leader->in[k];
        const Reach *from = &s->reach[leader->id];
        Reach *to = &s->reach[a->id];
        double v;
        pass_cuts(from, to);
        if (!is_real(a)) to->discrete |= from->live || from->discrete;
        else if (from->discrete) cut_at(to, CUT_NODIFF, leader);
        else if (from->live && built && (!d[k] || (node_is_const(d[k], &v) && v == 0)))
            cut_at(to, CUT_ZERO, leader);
        else if (from->live) {
            to->live = true;
            if (built && s->wanted[a->id]) contribute(s, a, d[k]);
        }
    }
}

/* A recurrence: its reverse gives the derivatives of all operands at once. */
static void follow_scan(Sweep *s, Node *leader)
{
    const Scan *scan = leader->attr.ref;
    int n_out = scan->n_states + scan->n_emits;
    Node **result = NEW_N(Node *, n_out + 1), **dy = NEW_N(Node *, n_out + 1);
    Node **d = NEW_N(Node *, leader->n_in + 1);
    bool *want = NEW_N(bool, leader->n_in + 1);
    bool any = find_results(s, leader, result, dy);
    const Reach *from = &s->reach[leader->id];
    for (int k = 0; k < leader->n_in; k++)
        want[k] = from->live && is_real(leader->in[k]) && s->wanted[leader->in[k]->id];
    s->g->rule = "reverse scan";
    if (any) scan_gradient(s->g, leader, dy, want, d);
    for (int k = 0; k < leader->n_in; k++) {
        Node *a = leader->in[k];
        Reach *to = &s->reach[a->id];
        pass_cuts(from, to);
        if (!is_real(a)) to->discrete |= from->live || from->discrete;
        else if (from->discrete) cut_at(to, CUT_NODIFF, leader);
        else if (want[k] && any && !d[k]) cut_at(to, CUT_ZERO, leader);
        else if (from->live) {
            to->live = true;
            if (want[k] && any) contribute(s, a, d[k]);
        }
    }
}

static bool is_reached(const Reach *r)
{
    return r->live || r->discrete || r->cut[CUT_ZERO] || r->cut[CUT_NODIFF] || r->cut[CUT_STOP];
}

static void visit(Sweep *s, Node *n, int first_new)
{
    if (s->adjoint[n->id]) label_adjoint(n, s->adjoint[n->id], first_new);
    if (has_results(n) && s->leader[n->id] != n) return;
    if (!has_results(n) && !is_reached(&s->reach[n->id])) return;
    s->g->span = n->span;
    if (n->op == OP_CUSTOM) follow_custom(s, n);
    else if (n->op == OP_SCAN) follow_scan(s, n);
    else for (int k = 0; k < n->n_in; k++) follow(s, n, k);
}

/* ---- the whole ---- */

static GradResult result_for(Sweep *s, Node *x)
{
    static const Reach never;
    const Reach *r = x->id < s->n ? &s->reach[x->id] : &never;
    GradResult out = {GRAD_OK, x->id < s->n ? s->adjoint[x->id] : NULL, NULL};
    if (!out.d) out.d = n_full(s->g, x->type, 0);
    if (r->live) return out;
    if (r->cut[CUT_ZERO]) return (GradResult){GRAD_ZERO, out.d, r->cut[CUT_ZERO]};
    if (r->cut[CUT_NODIFF]) return (GradResult){GRAD_NODIFF, out.d, r->cut[CUT_NODIFF]};
    return (GradResult){GRAD_INDEPENDENT, out.d, r->cut[CUT_STOP]};
}

void differentiate(Graph *g, Node *loss, int n, Node *const *x, GradResult *result)
{
    Span span = g->span;
    const Node *adjoint_of = g->adjoint_of;
    const char *rule = g->rule;
    int first_new = g->nodes.n, count = loss->id + 1;
    Sweep *s = NEW(Sweep);
    *s = (Sweep){.g = g, .n = count, .reach = NEW_N(Reach, count), .wanted = NEW_N(bool, count),
                 .adjoint = NEW_N(Node *, count), .leader = NEW_N(Node *, count)};
    find_wanted(s, n, x);
    find_leaders(s);
    g->adjoint_of = NULL;
    s->reach[loss->id].live = true;
    s->adjoint[loss->id] = n_const(g, loss->type.elem, 1);
    for (int i = loss->id; i >= 0; i--) visit(s, g->nodes.at[i], first_new);
    for (int i = 0; i < n; i++) result[i] = result_for(s, x[i]);
    g->span = span;
    g->adjoint_of = adjoint_of;
    g->rule = rule;
}
