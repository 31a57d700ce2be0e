/* graph.c - the static computational graph: hash-consed nodes in topological order.
 * In: operators with operands. Out: one node for each different value; equal requests return the
 * same node, so common subexpressions are found by construction. */
#include "ops.h"

#include <stdlib.h>
#include <string.h>

Graph *graph_new(void)
{
    Graph *g = NEW(Graph);
    g->n_buckets = 64;
    g->buckets = NEW_N(Node *, g->n_buckets);
    return g;
}

static uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * 0x9e3779b97f4a7c15u ^ (h >> 29); }

static uint64_t node_hash(Op op, const Attr *attr, Type type, int n, Node *const *in)
{
    uint64_t h = mix((uint64_t)op + 1, (uint64_t)type.elem), bits;
    memcpy(&bits, &attr->num, sizeof bits);
    h = mix(mix(mix(h, bits), (uint64_t)attr->k), attr->axes);
    h = mix(mix(h, (uint64_t)(uintptr_t)attr->ref), (uint64_t)(uintptr_t)attr->size);
    for (int i = 0; i < MAX_RANK; i++)
        if (attr->lo[i]) h = mix(h, (uint64_t)(uintptr_t)attr->lo[i]);
    for (int i = 0; i < type.shape.rank; i++) h = mix(h, (uint64_t)(uintptr_t)type.shape.size[i]);
    h = mix(h, (uint64_t)attr->copy);
    for (int i = 0; i < n; i++) h = mix(h, (uint64_t)in[i]->id);
    return h;
}

/* Bytes of the number are compared, so that -0 and 0 stay apart and NaN equals itself. */
static bool attr_equal(const Attr *a, const Attr *b)
{
    return !memcmp(&a->num, &b->num, sizeof a->num) && a->k == b->k && a->axes == b->axes &&
           a->draw == b->draw && a->copy == b->copy && a->size == b->size && a->ref == b->ref &&
           !memcmp(a->perm, b->perm, sizeof a->perm) && !memcmp(a->lo, b->lo, sizeof a->lo);
}

static bool node_equal(const Node *n, Op op, const Attr *attr, Type type, int n_in, Node *const *in)
{
    if (n->op != op || n->n_in != n_in || n->type.elem != type.elem) return false;
    for (int i = 0; i < n_in; i++)
        if (n->in[i] != in[i]) return false;
    return shape_equal(&n->type.shape, &type.shape) && attr_equal(&n->attr, attr);
}

static void graph_grow(Graph *g)
{
    g->n_buckets *= 2;
    g->buckets = NEW_N(Node *, g->n_buckets);
    for (int i = 0; i < g->nodes.n; i++) {
        Node *n = g->nodes.at[i];
        Node **b = &g->buckets[node_hash(n->op, &n->attr, n->type, n->n_in, n->in) %
                               (uint64_t)g->n_buckets];
        n->next_hash = *b;
        *b = n;
    }
}

Node *graph_node(Graph *g, Op op, const Attr *attr, Type given, int n_in, Node *const *in)
{
    static const Attr none;
    if (!attr) attr = &none;
    Type type = op_type(op, attr, given, n_in, in);
    uint64_t h = node_hash(op, attr, type, n_in, in);
    for (Node *n = g->buckets[h % (uint64_t)g->n_buckets]; n; n = n->next_hash)
        if (node_equal(n, op, attr, type, n_in, in)) return n;
    if (g->nodes.n > g->n_buckets) graph_grow(g);
    Node *n = NEW(Node);
    *n = (Node){.op = op,
                .id = g->nodes.n,
                .type = type,
                .n_in = n_in,
                .attr = *attr,
                .span = g->span,
                .adjoint_of = g->adjoint_of,
                .rule = g->rule};
    n->in = NEW_N(Node *, n_in ? n_in : 1);
    for (int i = 0; i < n_in; i++) n->in[i] = in[i];
    Node **b = &g->buckets[h % (uint64_t)g->n_buckets];
    n->next_hash = *b;
    *b = n;
    vec_push(&g->nodes, n);
    return n;
}

bool node_is_const(const Node *n, double *value)
{
    while (n->op == OP_BROADCAST || n->op == OP_RESHAPE) n = n->in[0];
    if (n->op != OP_CONST) return false;
    if (value) *value = n->attr.num;
    return true;
}

static void broken(const Node *n, const char *after, const char *what)
{
    fprintf(stderr, "nnc: internal error: after %s: node %d (%s): %s\n", after, n->id,
            op_info[n->op].name, what);
    abort();
}

void graph_verify(const Graph *g, const char *after)
{
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        if (n->id != i) broken(n, after, "out of place");
        for (int k = 0; k < n->n_in; k++) {
            const Node *a = n->in[k];
            if (a->id >= i || a->id < 0 || g->nodes.at[a->id] != a)
                broken(n, after, "an operand from elsewhere");
        }
        Type t = op_type(n->op, &n->attr, n->type, n->n_in, n->in);
        if (t.elem != n->type.elem || !shape_equal(&t.shape, &n->type.shape))
            broken(n, after, "a wrong type");
        for (int k = 0; k < n->type.shape.rank; k++)
            if (!n->type.shape.size[k]) broken(n, after, "a missing size");
    }
}

static void mark_live(const Graph *g, Node *const *roots, int n_roots, bool *live)
{
    for (int i = 0; i < n_roots; i++)
        if (roots[i]) live[roots[i]->id] = true;
    for (int i = g->nodes.n - 1; i >= 0; i--)
        for (int k = 0; live[i] && k < g->nodes.at[i]->n_in; k++)
            live[g->nodes.at[i]->in[k]->id] = true;
}

void name_as(Node *to, const Node *from)
{
    if (to->name) return;
    to->name = from->name;
    to->owner = from->owner;
    to->layer = from->layer;
}

void note_as(Node *to, const Node *from, Node *const *map)
{
    to->span = from->span;
    to->name = from->name;
    to->owner = from->owner;
    to->layer = from->layer;
    to->rule = from->rule;
    to->adjoint_of = from->adjoint_of ? map[from->adjoint_of->id] : NULL;
    to->again = from->again ? map[from->again->id] : NULL;
    to->wait = from->wait ? map[from->wait->id] : NULL;
}

Node **mapped_operands(const Node *n, Node *const *map)
{
    Node **in = NEW_N(Node *, n->n_in + 1);
    for (int k = 0; k < n->n_in; k++) in[k] = map[n->in[k]->id];
    return in;
}

Node *node_copy(Graph *g, const Node *n, const Attr *attr, Node *const *map)
{
    Node *to = graph_node(g, n->op, attr, n->type, n->n_in, mapped_operands(n, map));
    note_as(to, n, map);
    return to;
}

void map_roots(Node **roots, int n, Node *const *map)
{
    for (int i = 0; i < n; i++)
        if (roots[i]) roots[i] = map[roots[i]->id];
}

Graph *graph_copy(const Graph *g, Node **roots, int n_roots)
{
    Graph *to = graph_new();
    bool *live = NEW_N(bool, g->nodes.n + 1);
    Node **map = NEW_N(Node *, g->nodes.n + 1);
    mark_live(g, roots, n_roots, live);
    for (int i = 0; i < g->nodes.n; i++)
        if (live[i]) map[i] = node_copy(to, g->nodes.at[i], &g->nodes.at[i]->attr, map);
    map_roots(roots, n_roots, map);
    return to;
}

int *graph_uses(const Graph *g, Node *const *roots, int n)
{
    int *uses = NEW_N(int, g->nodes.n + 1);
    for (int i = 0; i < n; i++)
        if (roots[i]) uses[roots[i]->id]++;
    for (int i = g->nodes.n - 1; i >= 0; i--)
        for (int k = 0; uses[i] && k < g->nodes.at[i]->n_in; k++) uses[g->nodes.at[i]->in[k]->id]++;
    return uses;
}

/* ---- as text ---- */

static void dump_attr(Text *out, const Node *n)
{
    const Attr *a = &n->attr;
    switch (n->op) {
    case OP_CONST: text_add(out, " %.17g", a->num); break;
    case OP_INPUT: text_add(out, " %ld", a->k); break;
    case OP_PARAM:
    case OP_STATE: text_add(out, " %s", ((const Slot *)a->ref)->path); break;
    case OP_SIZE: text_add(out, " %s", size_text(a->size)); break;
    case OP_IOTA:
    case OP_CONCAT: text_add(out, " axis %ld", a->k); break;
    case OP_DRAW:
        text_add(out, " %s site %ld",
                 a->draw == DRAW_UNIFORM  ? "uniform"
                 : a->draw == DRAW_NORMAL ? "normal"
                                          : "orthogonal",
                 a->k);
        break;
    case OP_CUSTOM: text_add(out, " %s", ((const Custom *)a->ref)->decl->name.s); break;
    default: break;
    }
    if (op_info[n->op].class == CLASS_FOLD || n->op == OP_REVERSE || n->op == OP_BROADCAST) {
        const char *sep = n->op == OP_BROADCAST ? " new " : " over ";
        for (int i = 0; i < MAX_RANK; i++)
            if (a->axes >> i & 1) {
                text_add(out, "%s%d", sep, i);
                sep = ",";
            }
    }
    if (n->op == OP_TRANSPOSE)
        for (int i = 0; i < n->type.shape.rank; i++)
            text_add(out, "%s%d", i ? "," : " to ", a->perm[i]);
    if (n->op == OP_SLICE || n->op == OP_PAD)
        for (int i = 0; i < n->type.shape.rank; i++)
            text_add(out, "%s%s", i ? "," : " from ", size_text(a->lo[i]));
}

void graph_dump(Text *out, const Graph *g, Node *const *roots, int n_roots)
{
    bool *live = NEW_N(bool, g->nodes.n + 1);
    mark_live(g, roots, n_roots, live);
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        if (!live[i]) continue;
        text_add(out, "%%%d: %s = %s", n->id, type_text(n->type), op_info[n->op].name);
        dump_attr(out, n);
        for (int k = 0; k < n->n_in; k++) text_add(out, "%s%%%d", k ? ", " : " ", n->in[k]->id);
        if (n->name)
            text_add(out, "   // %s", n->name);
        else if (n->adjoint_of && n->adjoint_of->name)
            text_add(out, "   // d_%s", n->adjoint_of->name);
        text_add(out, "\n");
    }
}
