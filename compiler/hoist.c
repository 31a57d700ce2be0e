/* hoist.c - what does not need the step before is computed for all steps at once.
 * In: a simplified graph with recurrences. Out: the same values, where
 *     z_t = x_t @ W + h @ U    takes its first term from one product xs @ W in front of the loop,
 *     dW' = dW + x_t' @ dz_t   is one product behind the loop over the emitted dz,
 * and what is the same in every step is computed once. Inner recurrences come first, so that what
 * leaves them can leave the outer ones too. Sums may be added up in another order. */
#include "hoist.h"
#include "nnc.h"

/* ---- values outside ---- */

static Node *outside(Hoist *h, Node *n);

static Shape all_steps(const Hoist *h, const Shape *s)
{
    Shape to = {.rank = s->rank + 1, .size = {h->steps}};
    for (int i = 1; i < to.rank; i++) to.size[i] = s->size[i - 1];
    return to;
}

/* Like n outside, but always with the steps as first axis. */
static Node *spread(Hoist *h, Node *n)
{
    Node *x = outside(h, n);
    if (h->change[n->id] != CHANGE_NEVER) return x;
    Shape to = all_steps(h, &x->type.shape);
    return n_broadcast(h->g, x, &to, 1);
}

/* The attributes of an operator for operands with one more axis in front. */
static Attr moved_attr(const Node *n)
{
    Attr a = n->attr;
    if (op_info[n->op].class == CLASS_FOLD || n->op == OP_REVERSE || n->op == OP_BROADCAST)
        a.axes <<= 1;
    if (n->op == OP_CONCAT || n->op == OP_WINDOW || n->op == OP_UNWINDOW) a.k++;
    bool moves = n->op == OP_TRANSPOSE, blocks = n->op == OP_SLICE || n->op == OP_PAD;
    for (int i = n->type.shape.rank; i > 0 && (moves || blocks); i--) {
        if (moves)
            a.perm[i] = n->attr.perm[i - 1] + 1;
        else
            a.lo[i] = n->attr.lo[i - 1];
    }
    if (moves) a.perm[0] = 0;
    if (blocks) a.lo[0] = size_const(0);
    return a;
}

/* W @ x_t for columns x_t: the rows xs @ W'. */
static Node *product_of_columns(Hoist *h, const Node *n)
{
    Node *x = spread(h, n->in[1]);
    Node *y = n_matmul(h->g, n_swap_last(h->g, x), n_swap_last(h->g, spread(h, n->in[0])));
    return n_swap_last(h->g, y);
}

static Node *all_at_once(Hoist *h, Node *n)
{
    if (n->op == OP_MATMUL && h->change[n->in[0]->id] == CHANGE_NEVER &&
        h->change[n->in[1]->id] != CHANGE_NEVER)
        return product_of_columns(h, n);
    Node **in = NEW_N(Node *, n->n_in + 1);
    bool gathers = n->op == OP_GATHER;
    for (int k = 0; k < n->n_in; k++)
        in[k] = gathers && k == 0 ? outside(h, n->in[k]) : spread(h, n->in[k]);
    Attr attr = moved_attr(n);
    return graph_node(h->g, n->op, &attr, (Type){n->type.elem, all_steps(h, &n->type.shape)},
                      n->n_in, in);
}

static Node *same_for_all(Hoist *h, Node *n)
{
    Node **in = NEW_N(Node *, n->n_in + 1);
    for (int k = 0; k < n->n_in; k++) in[k] = outside(h, n->in[k]);
    return graph_node(h->g, n->op, &n->attr, n->type, n->n_in, in);
}

static Node *outside(Hoist *h, Node *n)
{
    Node **x = &h->outside[n->id];
    if (*x) return *x;
    if (h->emitted[n->id]) return *x = h->result[h->emitted[n->id] - 1];
    if (n->op == OP_INPUT) return *x = h->in[n->attr.k];
    Node *y = h->change[n->id] == CHANGE_NEVER ? same_for_all(h, n) : all_at_once(h, n);
    name_as(y, n);
    if (!y->span.src) y->span = n->span;
    if (!y->rule) y->rule = n->rule;
    return *x = y;
}

static Node *add_term(Graph *g, Node *sum, Node *x, bool minus)
{
    if (!sum) return minus ? n_map1(g, OP_NEG, x) : x;
    return n_map2(g, minus ? OP_SUB : OP_ADD, sum, x);
}

/* ---- the loop that stays ---- */

/* An element of a sequence, or a value from outside. */
static Node *take(Hoist *h, Node *value, Change change, const Node *n)
{
    Node *x = change == CHANGE_NEVER ? build_capture(&h->b, value) : build_seq(&h->b, value);
    name_as(x, n);
    x->span = n->span;
    return x;
}

static Node *keep(Hoist *h, Node *n);

/* The terms that do not need the step before become one term from outside, when that pays. */
static Node *keep_sum(Hoist *h, Node *n)
{
    TermList terms = {0};
    Change change = CHANGE_NEVER;
    Node *sum = NULL;
    int count = 0;
    bool worth = false;
    collect_terms(h, n, false, true, &terms);
    for (int i = 0; i < terms.n; i++) {
        const Node *t = terms.at[i].node;
        if (h->change[t->id] == CHANGE_BY_STATE) continue;
        count++;
        worth |= h->worth[t->id];
        if (h->change[t->id] > change) change = h->change[t->id];
    }
    if (count < 2 || !worth) return NULL;
    for (int i = 0; i < terms.n; i++) {
        Node *t = terms.at[i].node;
        if (h->change[t->id] == CHANGE_BY_STATE) continue;
        sum = add_term(h->g, sum, change == CHANGE_NEVER ? outside(h, t) : spread(h, t),
                       terms.at[i].minus);
    }
    sum = change == CHANGE_NEVER ? build_capture(&h->b, sum) : build_seq(&h->b, sum);
    for (int i = 0; i < terms.n; i++)
        if (h->change[terms.at[i].node->id] == CHANGE_BY_STATE)
            sum = add_term(h->b.scan->body, sum, keep(h, terms.at[i].node), terms.at[i].minus);
    return sum;
}

static Node *keep_operator(Hoist *h, Node *n)
{
    if (h->change[n->id] == CHANGE_BY_STATE && (n->op == OP_ADD || n->op == OP_SUB)) {
        Node *sum = keep_sum(h, n);
        if (sum) return sum;
    }
    Node **in = NEW_N(Node *, n->n_in + 1);
    for (int k = 0; k < n->n_in; k++) in[k] = keep(h, n->in[k]);
    return graph_node(h->b.scan->body, n->op, &n->attr, n->type, n->n_in, in);
}

/* The value of n in the new body. */
static Node *keep(Hoist *h, Node *n)
{
    Node **x = &h->kept[n->id];
    Change change = h->change[n->id];
    if (*x) return *x;
    if (n->op == OP_INPUT) return *x = take(h, h->in[n->attr.k], change, n);
    if (change != CHANGE_BY_STATE && h->worth[n->id] && !is_body_view(n))
        return *x = take(h, outside(h, n), change, n);
    Node *y = keep_operator(h, n);
    name_as(y, n);
    if (!y->span.src) y->span = n->span;
    if (!y->rule) y->rule = n->rule;
    return *x = y;
}

/* States get their inputs first: sums and steps refer to them. */
static int *keep_states(Hoist *h)
{
    const Scan *s = h->scan;
    int *place = NEW_N(int, s->n_states + 1);
    for (int j = 0; j < s->n_states; j++) {
        const Total *t = &h->total[j];
        place[j] = -1;
        if (!h->needed[j] || (t->is_total && !t->inside.n)) continue;
        place[j] = h->b.state.n;
        Node *x = build_state(&h->b, h->in[s->n_seqs + j]);
        for (int i = 0; i < s->body->nodes.n; i++) {
            const Node *n = s->body->nodes.at[i];
            if (n->op != OP_INPUT || n->attr.k != s->n_seqs + j) continue;
            h->kept[i] = x;
            name_as(x, n);
            x->span = n->span;
        }
    }
    return place;
}

static void keep_steps(Hoist *h, const int *place)
{
    const Scan *s = h->scan;
    Graph *body = h->b.scan->body;
    for (int j = 0; j < s->n_states; j++) {
        const Total *t = &h->total[j];
        if (place[j] < 0) continue;
        Node *next = t->is_total ? h->kept[t->state->id] : keep(h, s->next[j]);
        for (int i = 0; t->is_total && i < t->inside.n; i++)
            next = add_term(body, next, keep(h, t->inside.at[i].node), t->inside.at[i].minus);
        vec_push(&h->b.next, next);
    }
    for (int i = 0; i < h->cuts.n; i++) vec_push(&h->b.emit, keep(h, h->cuts.at[i]));
}

/* ---- results ---- */

/* The last value of a state: what the loop added up, and the sums over all steps. */
static Node *last_value(Hoist *h, int state, Node *of_loop)
{
    const Total *t = &h->total[state];
    Node *y = of_loop ? of_loop : h->in[h->scan->n_seqs + state];
    for (int i = 0; i < t->outside.n; i++) {
        Term x = t->outside.at[i];
        Node *all = h->emitted[x.node->id] || h->change[x.node->id] != CHANGE_BY_STATE
                        ? spread(h, x.node)
                        : all_at_once(h, x.node);
        y = add_term(h->g, y, n_reduce(h->g, OP_SUM, all, 1), x.minus);
    }
    return y;
}

/* Values in g of the results that are read. */
static Node **take_apart(Hoist *h, const bool *read)
{
    const Scan *s = h->scan;
    int n = s->n_states + s->n_emits;
    Node **value = NEW_N(Node *, n + 1);
    find_hoists(h, read);
    h->outside = NEW_N(Node *, s->body->nodes.n + 1);
    h->kept = NEW_N(Node *, s->body->nodes.n + 1);
    h->b = scan_build(s->reversed);
    int *place = keep_states(h);
    keep_steps(h, place);
    if (h->b.emit.n && !h->b.seq.n && !h->b.state.n) build_seq(&h->b, h->in[0]);
    NodeList in = build_finish(&h->b);
    h->result = NEW_N(Node *, h->cuts.n + 1);
    for (int i = 0; i < h->cuts.n; i++) {
        h->result[i] = n_scan(h->g, h->b.scan, h->steps, h->b.next.n + i, in.n, in.at);
        name_as(h->result[i], h->cuts.at[i]);
        if (!h->result[i]->span.src) h->result[i]->span = h->cuts.at[i]->span;
    }
    for (int i = 0; i < n; i++) {
        if (!read[i]) continue;
        Node *loop = i < s->n_states && place[i] >= 0
                         ? n_scan(h->g, h->b.scan, h->steps, place[i], in.n, in.at)
                         : NULL;
        value[i] = i < s->n_states ? last_value(h, i, loop) : spread(h, s->emit[i - s->n_states]);
    }
    return value;
}

/* ---- the graph around ---- */

typedef struct Group {
    const Node *node;
    bool *read;
    Node **value;
} Group;
typedef VEC(Group) GroupList;

static Group *group_of(GroupList *groups, const Node *n)
{
    for (int i = 0; i < groups->n; i++)
        if (same_scan(groups->at[i].node, n)) return &groups->at[i];
    const Scan *s = n->attr.ref;
    Group new = {.node = n, .read = NEW_N(bool, s->n_states + s->n_emits + 1)};
    vec_push(groups, new);
    return &groups->at[groups->n - 1];
}

static Graph *hoist(const Graph *g, Node **roots, int n);

static Node **hoist_scan(Graph *to, const Group *group, Node *const *map)
{
    const Node *n = group->node;
    const Scan *old = n->attr.ref;
    Scan *s = NEW(Scan);
    int count = old->n_states + old->n_emits;
    *s = *old;
    s->next = NEW_N(Node *, count + 1);
    for (int i = 0; i < count; i++) s->next[i] = old->next[i];
    s->emit = s->next + s->n_states;
    s->body = hoist(old->body, s->next, count);
    s->body = simplify_roots(s->body, s->next, count);
    to->span = n->span;
    to->rule = n->rule;
    Hoist h = {
        .g = to, .scan = s, .steps = n->attr.size, .in = mapped_operands(n, map), .n_in = n->n_in};
    return take_apart(&h, group->read);
}

static Graph *hoist(const Graph *g, Node **roots, int n)
{
    int *uses = graph_uses(g, roots, n);
    GroupList groups = {0};
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *x = g->nodes.at[i];
        if (uses[i] && x->op == OP_SCAN) group_of(&groups, x)->read[x->attr.k] = true;
    }
    Graph *to = graph_new();
    Node **map = NEW_N(Node *, g->nodes.n + 1);
    for (int i = 0; i < g->nodes.n; i++) {
        Node *x = g->nodes.at[i];
        if (!uses[i]) continue;
        Group *group = x->op == OP_SCAN ? group_of(&groups, x) : NULL;
        if (group && !group->value) group->value = hoist_scan(to, group, map);
        to->span = x->span;
        to->rule = x->rule;
        map[i] = group ? group->value[x->attr.k]
                       : graph_node(to, x->op, &x->attr, x->type, x->n_in, mapped_operands(x, map));
        name_as(map[i], x);
        if (!map[i]->adjoint_of && x->adjoint_of) map[i]->adjoint_of = map[x->adjoint_of->id];
    }
    map_roots(roots, n, map);
    return to;
}

void hoist_entry(Entry *e)
{
    bool recurs = false;
    for (int i = 0; i < e->g->nodes.n; i++) recurs |= e->g->nodes.at[i]->op == OP_SCAN;
    if (!recurs) return;
    Node **roots;
    int n = gather_roots(e, &roots);
    e->g = hoist(e->g, roots, n);
    return_roots(e, roots);
    simplify_entry(e);
}
