/* fuse.c - which values are computed once and kept, and which are written out inside their users.
 * In: the simplified graph of an entry. Out: its definitions, ready to be grouped into kernels
 * (group.c). A value is a definition when it leaves the entry, when it is accumulated, when the
 * runtime needs it as an array, or when several definitions use it and it costs more than reading
 * it back. Matrix products take the bias and the activation behind them along. */
#include "fuse.h"

#include <stdlib.h>
#include <string.h>

enum { KEEP_COST = 2, HEAVY = 10, MEDIUM = 4, MANY = -1 };

/* ---- costs ---- */

static int op_cost(const Node *n)
{
    if (op_info[n->op].class == CLASS_FOLD) return (int)unrolled_terms(n);
    switch (n->op) {
    case OP_EXP:
    case OP_LOG:
    case OP_SIN:
    case OP_COS:
    case OP_TANH:
    case OP_SIGMOID:
    case OP_ERF:
    case OP_POW: return HEAVY;
    case OP_DIV:
    case OP_SQRT:
    case OP_RSQRT:
    case OP_MOD: return MEDIUM;
    case OP_MATMUL: return 2 * (int)unrolled_terms(n);
    case OP_GATHER: return 1;
    default: return op_info[n->op].class == CLASS_MAP && see_through((Node *)n) == n;
    }
}

bool is_heavy(const Node *n) { return op_cost(n) >= HEAVY; }

/* Is the value always a definition? */
static bool stands_alone(const Node *n)
{
    if (is_window_fold(n)) return true;
    switch (n->op) {
    case OP_SUM:
    case OP_MATMUL: return !unrolled_terms(n);
    case OP_CONV:
    case OP_CONV_DATA:
    case OP_CONV_WEIGHTS:
    case OP_DRAW:
    case OP_CONCAT:
    case OP_PAD:
    case OP_SCATTER:
    case OP_UNWINDOW:
    case OP_SCAN: return true;
    default: return op_info[n->op].class == CLASS_FOLD;
    }
}

static bool is_free(const Node *n)
{
    return op_info[n->op].class == CLASS_LEAF && n->op != OP_DRAW;
}

static void count_users(Choice *c)
{
    for (int i = c->g->nodes.n - 1; i >= 0; i--) {
        Node *n = c->g->nodes.at[i];
        if (!c->live[i] || see_through(n) != n) continue;
        for (int k = 0; k < n->n_in; k++) {
            Node *in = see_through(n->in[k]);
            c->live[in->id] = true;
            c->users[in->id]++;
        }
    }
}

/* Costs of writing a node out, where operands that will surely be kept cost nothing. */
static void estimate_costs(Choice *c)
{
    for (int i = 0; i < c->g->nodes.n; i++) {
        Node *n = c->g->nodes.at[i];
        if (!c->live[i] || is_free(n)) continue;
        int cost = op_cost(n);
        for (int k = 0; k < n->n_in; k++) {
            Node *in = see_through(n->in[k]);
            if (!c->likely[in->id]) cost += c->cost[in->id];
        }
        c->cost[i] = cost > 1000 ? 1000 : cost;
        c->likely[i] = stands_alone(n) || c->force[i] || (c->users[i] > 1 && cost > KEEP_COST);
    }
}

/* ---- what must be in memory ---- */

static void force(Choice *c, Node *n)
{
    n = see_through(n);
    if (!is_leaf_memory(n)) c->force[n->id] = true;
}

/* The node of which n is only a view, or the product that stores what n is a view of. */
static Node *base_of(const Choice *c, Node *n, const Index *ix, Index *base)
{
    *base = *ix;
    for (n = see_through(n); is_view(n) && !(c && c->head[n->id]); n = see_through(n->in[0])) {
        Index in = *base;
        index_operand(n, 0, &in, base);
    }
    return n;
}

/* The factor by which axis `axis` of n moves in memory, and the node that is in memory. */
Node *stride_of(const Choice *c, Node *n, int axis, SizeRef *stride)
{
    Var v[MAX_RANK], *vars[MAX_RANK];
    Index ix, base;
    for (int i = 0; i < n->type.shape.rank; i++) {
        v[i] = (Var){"i", n->type.shape.size[i], 1};
        vars[i] = &v[i];
    }
    ix = index_of_vars(n->type.shape.rank, vars);
    Node *b = base_of(c, n, &ix, &base);
    Affine flat = index_flat(&base, &b->type.shape);
    *stride = affine_factor(&flat, vars[axis]);
    bool opaque = false;
    for (int i = 0; i < flat.n; i++) {
        bool own = false;
        for (int k = 0; k < n->type.shape.rank; k++) own |= flat.var[i] == vars[k];
        opaque |= !own;
    }
    return opaque || (is_free(b) && !is_leaf_memory(b)) ? NULL : b;
}

/* Convolutions read arrays, from the first element to the last. Channels that come out of them in
 * groups are put side by side once: readers that count through all would divide. */
static void force_images(Choice *c)
{
    for (int i = 0; i < c->g->nodes.n; i++)
        if (c->live[i] && is_of_groups(c->g->nodes.at[i])) force(c, c->g->nodes.at[i]);
    for (int i = 0; i < c->g->nodes.n; i++)
        for (int k = 0; c->live[i] && is_convolution(c->g->nodes.at[i]) && k < 2; k++)
            force(c, array_of(NULL, c->g->nodes.at[i]->in[k]));
}

/* Can the runtime's product read n in place: rows, or columns when turned, one after another? */
static Node *matrix_base(const Choice *c, Node *n, bool *turned)
{
    int r = n->type.shape.rank;
    SizeRef down, across;
    Node *b = stride_of(c, n, r - 2, &down);
    if (!b || !stride_of(c, n, r - 1, &across)) return NULL;
    bool row = size_is(n->type.shape.size[r - 2], 1),
         column = size_is(n->type.shape.size[r - 1], 1);
    bool plain = (size_is(across, 1) || column) && (row || !size_is(down, 0));
    *turned = !plain;
    return plain || ((size_is(down, 1) || row) && (column || !size_is(across, 0))) ? b : NULL;
}

/* The array that a matrix numbers in another way: loops over its own axes divide nothing. */
static Node *unreshaped(const Choice *c, Node *n)
{
    n = see_through(n);
    while (n->op == OP_RESHAPE && !c->head[n->id] && !is_free(see_through(n->in[0])))
        n = see_through(n->in[0]);
    return n;
}

/* Keeps the matrix n, or the array of which it is a view. */
static void force_matrix(Choice *c, Node *n, Node *base)
{
    if (!base) n = unreshaped(c, n);
    force(c, base ? base : n);
}

/* There is no product of two operands that are both stored by columns: the second is copied. */
static void force_product(Choice *c, const Product *p)
{
    bool turned_a = false, turned_b = false;
    Node *a = matrix_base(c, see_through(p->a), &turned_a),
         *b = matrix_base(c, see_through(p->b), &turned_b);
    force_matrix(c, p->a, a);
    force_matrix(c, p->b, a && turned_a && turned_b ? NULL : b);
}

/* A row that lies in memory element after element, once its base is kept. */
static Node *row_base(const Choice *c, Node *n)
{
    SizeRef stride;
    if (!n->type.shape.rank) return NULL;
    Node *b = stride_of(c, n, n->type.shape.rank - 1, &stride);
    return b && size_is(stride, 1) ? b : NULL;
}

static bool row_is_kept(const Choice *c, Node *n, Node **base)
{
    *base = row_base(c, n);
    return *base && (is_leaf_memory(*base) || c->likely[(*base)->id] || c->force[(*base)->id]);
}

/* The value that is repeated along the last axis, when n is one. */
bool is_same_in_row(const Node *n)
{
    return n->op == OP_BROADCAST && n->attr.axes >> (n->type.shape.rank - 1) & 1;
}

/* Sums and extremes over long rows are the runtime's: it reads whole rows from memory. */
static void force_fold(Choice *c, Node *n)
{
    Node *x = see_through(n->in[0]), *a, *b;
    if (!fold_is_in_row(n)) {
        if (c->cost[x->id] >= HEAVY) force(c, x);
        return;
    }
    if (n->op == OP_SUM && x->op == OP_MUL) {
        Node *p = see_through(x->in[0]), *q = see_through(x->in[1]);
        if (p == q && p->op == OP_SUB && is_same_in_row(see_through(p->in[1])) &&
            row_is_kept(c, see_through(p->in[0]), &a) && !c->likely[p->id]) {
            force(c, a);
            return;
        }
        if (row_is_kept(c, p, &a) && row_is_kept(c, q, &b)) {
            force(c, a);
            force(c, b);
            return;
        }
    }
    a = row_base(c, x);
    force(c, a ? a : x);
}

/* Windows that overlap read elements several times. */
static void force_window(Choice *c, Node *n)
{
    enum { MOST_WRITTEN = 64 };
    Node *x = see_through(n->in[0]);
    long cost = c->cost[x->id];
    bool overlap = false;
    for (const Node *v = x; is_view(v) && !c->likely[v->id]; v = see_through(v->in[0]))
        overlap |= v->op == OP_WINDOW || v->op == OP_BROADCAST;
    if (cost < (overlap ? 1 : HEAVY) && cost * unrolled_terms(n) <= MOST_WRITTEN) return;
    Node *base = row_base(c, x);
    force(c, base ? base : x);
}

/* The array in which the elements of a sequence of matrices lie, if rows are rows there, perhaps
 * with gaps between: the heads of an attention layer, side by side. NULL: there is none. */
static Node *element_base(const Choice *c, Node *seq)
{
    enum { OUTER = 1, INNER = 2 };
    Var v[3], *vars[3];
    Index ix, base;
    if (seq->type.shape.rank != 3) return NULL;
    for (int i = 0; i < 3; i++) {
        v[i] = (Var){"i", seq->type.shape.size[i], i ? INNER : OUTER};
        vars[i] = &v[i];
    }
    ix = index_of_vars(3, vars);
    Node *b = base_of(c, seq, &ix, &base);
    Affine flat = index_flat(&base, &b->type.shape);
    for (int i = 0; i < flat.n; i++)
        if (flat.var[i]->level >= INNER && flat.var[i] != vars[1] && flat.var[i] != vars[2])
            return NULL;
    bool rows = size_is(affine_factor(&flat, vars[2]), 1) &&
                !size_is(affine_factor(&flat, vars[1]), 0);
    return rows && !(is_free(b) && !is_leaf_memory(b)) ? b : NULL;
}

/* The step reads elements of sequences and captured arrays through pointers. */
static void force_scan(Choice *c, Node *n)
{
    const Scan *s = n->attr.ref;
    for (int k = 0; k < n->n_in; k++) {
        bool state = k >= s->n_seqs && k < s->n_seqs + s->n_states;
        Node *base = !s->n_states && k < s->n_seqs ? element_base(c, n->in[k]) : NULL;
        if (!state && n->in[k]->type.shape.rank) force(c, base ? base : n->in[k]);
    }
}

static void force_operands(Choice *c, Node *n)
{
    if (c->head[n->id]) {
        const Def *d = c->head[n->id];
        for (int i = 0; i < d->products.n; i++) force_product(c, &d->products.at[i]);
        if (d->bias) force(c, row_base(c, d->bias));
        return;
    }
    if (n->op == OP_SCAN) force_scan(c, n);
    bool by_terms = unrolled_terms(n) || n->op == OP_MATMUL;
    if (is_window_fold(n)) {
        force_window(c, n);
        return;
    }
    if (op_info[n->op].class == CLASS_FOLD && !by_terms) force_fold(c, n);
    if (n->op == OP_BROADCAST || by_terms)
        for (int k = 0; k < n->n_in; k++) {
            Node *in = see_through(n->in[k]);
            int limit = by_terms ? 1 : MEDIUM;
            if (in->type.shape.rank && c->cost[in->id] >= limit) {
                Node *b = row_base(c, in);
                force(c, b ? b : in);
            }
        }
    if (n->op == OP_GATHER && c->cost[see_through(n->in[0])->id] > KEEP_COST) force(c, n->in[0]);
}

/* ---- the choice ---- */

static void add_owner(Choice *c, Node *n, int owner)
{
    int *o = &c->owner[n->id];
    if (*o == 0)
        *o = owner;
    else if (*o != owner)
        *o = MANY;
}

static void give_owner(Choice *c, Node *n, int owner)
{
    const Def *head = c->head[n->id];
    for (int k = 0; !head && k < n->n_in; k++) add_owner(c, see_through(n->in[k]), owner);
    for (int k = 0; head && k < head->products.n; k++) {
        add_owner(c, see_through(head->products.at[k].a), owner);
        add_owner(c, see_through(head->products.at[k].b), owner);
    }
    for (int k = 0; head && head->conv && k < 2; k++)
        add_owner(c, see_through(head->conv->in[k]), owner);
    if (head && head->bias) add_owner(c, see_through(head->bias), owner);
}

/* The same elements in another order: what they are made from is kept as well as they are. */
static bool only_moves(const Node *n)
{
    return n->op == OP_RESHAPE || n->op == OP_TRANSPOSE || n->op == OP_REVERSE;
}

static void choose(Choice *c)
{
    for (int i = c->g->nodes.n - 1; i >= 0; i--) {
        Node *n = c->g->nodes.at[i];
        if (!c->live[i] || c->absorbed[i] || is_free(n) || see_through(n) != n) continue;
        if (!c->users[i] && !c->root[i]) continue;
        bool shared = c->owner[i] == MANY && c->cost[i] > KEEP_COST;
        if (shared && only_moves(n)) {
            force(c, n->in[0]);
            shared = false;
        }
        c->keep[i] = stands_alone(n) || c->head[i] || c->force[i] || c->root[i] || shared;
        give_owner(c, n, c->keep[i] ? i + 1 : c->owner[i]);
        force_operands(c, n);
    }
}

/* Values that are written out inside each other make a tree, and a value that is used twice stands
 * in it twice. Where the tree would grow large, such a value is computed once. */
static void limit_trees(Choice *c)
{
    enum { LARGE = 64 };
    int *tree = NEW_N(int, c->g->nodes.n + 1);
    for (int i = 0; i < c->g->nodes.n; i++) {
        Node *n = c->g->nodes.at[i];
        int size = 1, times = unrolled_terms(n) ? (int)unrolled_terms(n) : 1;
        if (!c->live[i] || c->absorbed[i] || is_free(n) || see_through(n) != n) continue;
        for (int k = 0; k < n->n_in; k++) {
            const Node *in = see_through(n->in[k]);
            size += times * (c->keep[in->id] ? 1 : tree[in->id]);
        }
        if (size > LARGE && c->users[i] > 1) c->keep[i] = true;
        tree[i] = size > 1 << 20 ? 1 << 20 : size;
    }
}

/* ---- definitions ---- */

static DefKind kind_of(const Node *n)
{
    if (is_window_fold(n)) return DEF_MAP;
    switch (n->op) {
    case OP_ARGMAX:
    case OP_ARGMIN: return DEF_ARG;
    case OP_CONCAT:
    case OP_PAD: return DEF_JOIN;
    case OP_SCATTER:
    case OP_UNWINDOW: return DEF_SCATTER;
    case OP_DRAW: return DEF_DRAW;
    case OP_SCAN: return DEF_SCAN;
    case OP_SUM:
    case OP_MATMUL: return unrolled_terms(n) ? DEF_MAP : DEF_FOLD;
    default: return op_info[n->op].class == CLASS_FOLD ? DEF_FOLD : DEF_MAP;
    }
}

bool fold_is_in_row(const Node *n)
{
    enum { LONG_ROW = 32, LONG_VECTOR = 1024 }; /* a vector is mostly a row of results */
    const Shape *s = &n->in[0]->type.shape;
    const Node *x = see_through(n->in[0]);
    if (is_free(x) && !is_leaf_memory(x)) return false;
    if (n->op != OP_SUM && n->op != OP_MAXOF && n->op != OP_MINOF) return false;
    if (!elem_is_real(n->type.elem) || n->type.elem == ELEM_F16 || !s->rank) return false;
    return n->attr.axes >> (s->rank - 1) & 1 &&
           size_upper(s->size[s->rank - 1]) >= (s->rank == 1 ? LONG_VECTOR : LONG_ROW);
}

/* Is the product better summed up row by row of the right operand, [k, m, n]? When the left operand
 * is stored by columns, or is one row and there are columns enough for vectors. */
static bool goes_by_rows(const Node *a, const Node *b, const Shape *y)
{
    enum { FEW = 8 };
    SizeRef stride, k = a->type.shape.size[a->type.shape.rank - 1];
    long terms;
    if (y->rank != 2 || (size_is_const(k, &terms) && terms <= FEW)) return false;
    if (stride_of(NULL, (Node *)a, 1, &stride) && !size_is(stride, 1)) return true;
    return size_is(y->size[0], 1) && size_lower(y->size[1]) >= FEW &&
           stride_of(NULL, (Node *)b, b->type.shape.rank - 1, &stride) && size_is(stride, 1);
}

static void set_product_domain(Def *d)
{
    Node *a = see_through(d->node->in[0]), *b = see_through(d->node->in[1]);
    Shape y = d->node->type.shape;
    SizeRef k = a->type.shape.size[a->type.shape.rank - 1];
    d->is_product = true;
    d->domain = y;
    d->by_rows = goes_by_rows(a, b, &y);
    d->domain.rank = y.rank + 1;
    if (d->by_rows) {
        d->domain.size[0] = k;
        d->domain.size[1] = y.size[0];
        d->domain.size[2] = y.size[1];
        d->reduced = 1;
    } else {
        d->domain.size[y.rank] = k;
        d->reduced = 1u << y.rank;
    }
}

static Def *add_def(Code *code, Node *n, const Def *like)
{
    Def *d = NEW(Def);
    if (like)
        *d = *like;
    else
        *d = (Def){.kind = kind_of(n), .act = OP_COUNT};
    d->node = n;
    d->id = code->defs.n;
    d->domain = n->type.shape;
    if (d->kind == DEF_FOLD && n->op == OP_MATMUL)
        set_product_domain(d);
    else if (d->kind == DEF_FOLD || d->kind == DEF_ARG) {
        d->domain = n->in[0]->type.shape;
        d->reduced = n->attr.axes;
        d->in_row = d->kind == DEF_FOLD && fold_is_in_row(n);
    }
    vec_push(&code->defs, d);
    return d;
}

Def *add_store(Code *code, Node *n, Buffer *to)
{
    static const Def store = {.kind = DEF_MAP, .is_store = true, .act = OP_COUNT};
    Def *d = add_def(code, n, &store);
    vec_push(&d->copies, to);
    d->need = NEED_NOTHING;
    return d;
}

static Choice choice_new(Code *code, const TargetList *targets)
{
    Graph *g = code->g;
    int n = g->nodes.n + 1;
    Choice c = {.g = g,
                .live = NEW_N(bool, n),
                .root = NEW_N(bool, n),
                .keep = NEW_N(bool, n),
                .force = NEW_N(bool, n),
                .likely = NEW_N(bool, n),
                .absorbed = NEW_N(bool, n),
                .users = NEW_N(int, n),
                .owner = NEW_N(int, n),
                .cost = NEW_N(int, n),
                .head = NEW_N(Def *, n)};
    for (int i = 0; i < targets->n; i++) {
        int id = targets->at[i].node->id;
        c.live[id] = true;
        c.root[id] = !is_free(targets->at[i].node) && !node_is_const(targets->at[i].node, NULL);
    }
    return c;
}

void choose_definitions(Code *code, const TargetList *targets)
{
    Choice c = choice_new(code, targets);
    count_users(&c);
    share_signs(&c);
    memset(c.users, 0, sizeof *c.users * (size_t)code->g->nodes.n);
    count_users(&c);
    force_images(&c);
    estimate_costs(&c);
    match_products(&c);
    choose(&c);
    limit_trees(&c);
    for (int i = 0; i < code->g->nodes.n; i++)
        if (c.keep[i]) code->def_of[i] = add_def(code, code->g->nodes.at[i], c.head[i]);
}

/* ---- the pass ---- */

static Names *name_roots(const Entry *e)
{
    Node **roots;
    int n = gather_roots(e, &roots);
    return names_of(e->g, roots, n);
}

static void find_leaves(Code *c)
{
    for (int i = 0; i < c->g->nodes.n; i++) {
        Node *n = c->g->nodes.at[i];
        if (n->op == OP_PARAM || n->op == OP_STATE) c->leaf_of[i] = slot_buffer(c, n->attr.ref);
        if (n->op != OP_INPUT && n->op != OP_TABLE) continue;
        Buffer *b = NEW(Buffer);
        *b = (Buffer){
            .memory = n->op == OP_INPUT ? MEM_INPUT : MEM_TABLE, .type = n->type, .name = n->name};
        if (n->op == OP_INPUT) b->name = c->entry->inputs.at[n->attr.k].name;
        c->leaf_of[i] = b;
        vec_push(&c->leaves, b);
    }
}

Code *fuse(Program *p, Entry *e)
{
    Code *c = NEW(Code);
    *c = (Code){.program = p, .entry = e, .g = e->g, .names = name_roots(e)};
    TargetList targets = find_targets(c);
    int limit = c->g->nodes.n + targets.n + 1; /* a node may be added for each target */
    c->def_of = NEW_N(Def *, limit);
    c->leaf_of = NEW_N(Buffer *, limit);
    find_leaves(c);
    choose_definitions(c, &targets);
    find_bands(c, &targets);
    c->kernel_limit = c->defs.n + 2 * targets.n + 1;
    group_definitions(c);
    place_results(c, &targets);
    return c;
}
