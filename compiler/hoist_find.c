/* hoist_find.c - what of a recurrence can be computed for all steps at once.
 * In: a scan. Out: for every value of its body what it changes with and whether moving it pays; the
 * states that only add up; and the values that the loop has to emit for what comes behind it. */
#include "hoist.h"

/* ---- what a value changes with ---- */

bool is_body_view(const Node *n)
{
    return n->op == OP_BROADCAST || n->op == OP_RESHAPE || n->op == OP_TRANSPOSE ||
           n->op == OP_REVERSE;
}

/* Is there an operator that computes n for all steps at once? */
static bool has_outside(const Hoist *h, const Node *n)
{
    if (n->type.shape.rank == MAX_RANK) return false;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k]->type.shape.rank == MAX_RANK) return false;
    switch (n->op) {
    case OP_SCAN:
    case OP_SCATTER:
    case OP_DRAW:
    case OP_CUSTOM:
    case OP_MARK:
    case OP_STOP: return false;
    case OP_GATHER: return h->change[n->in[0]->id] == CHANGE_NEVER;
    default: return true;
    }
}

static Change change_of(const Hoist *h, const Node *n)
{
    const Scan *s = h->scan;
    if (n->op == OP_INPUT)
        return n->attr.k < s->n_seqs                 ? CHANGE_BY_STEP
               : n->attr.k < s->n_seqs + s->n_states ? CHANGE_BY_STATE
                                                     : CHANGE_NEVER;
    if (n->op == OP_DRAW) return CHANGE_BY_STATE;
    Change c = CHANGE_NEVER;
    for (int k = 0; k < n->n_in; k++)
        if (h->change[n->in[k]->id] > c) c = h->change[n->in[k]->id];
    return c == CHANGE_BY_STEP && !has_outside(h, n) ? CHANGE_BY_STATE : c;
}

/* A product of all steps with one matrix is one product: more rows, or columns that become rows. */
static bool is_shared_product(const Hoist *h, const Node *n)
{
    if (n->op != OP_MATMUL) return false;
    SizeRef columns = n->type.shape.size[n->type.shape.rank - 1];
    return h->change[n->in[1]->id] == CHANGE_NEVER ||
           (h->change[n->in[0]->id] == CHANGE_NEVER && size_is(columns, 1));
}

static bool is_worth(const Hoist *h, const Node *n)
{
    Change c = h->change[n->id];
    if (c == CHANGE_NEVER ? !is_cheap(n) : is_shared_product(h, n)) return true;
    for (int k = 0; k < n->n_in; k++)
        if (h->change[n->in[k]->id] == c && h->worth[n->in[k]->id]) return true;
    return false;
}

static void sort_values(Hoist *h)
{
    for (int i = 0; i < h->scan->body->nodes.n; i++) {
        const Node *n = h->scan->body->nodes.at[i];
        h->change[i] = change_of(h, n);
        h->worth[i] = h->change[i] != CHANGE_BY_STATE && is_worth(h, n);
    }
}

/* ---- states that only add up ---- */

void collect_terms(const Hoist *h, Node *n, bool minus, bool top, TermList *out)
{
    bool own = top || h->uses[n->id] == 1;
    if (own && (n->op == OP_ADD || n->op == OP_SUB)) {
        collect_terms(h, n->in[0], minus, false, out);
        collect_terms(h, n->in[1], minus ^ (n->op == OP_SUB), false, out);
    } else if (own && n->op == OP_NEG) {
        collect_terms(h, n->in[0], !minus, false, out);
    } else {
        Term t = {n, minus};
        vec_push(out, t);
    }
}

/* The sum of all steps is one matrix product. */
static bool is_product_term(const Hoist *h, const Node *n)
{
    if (!has_outside(h, n)) return false;
    return n->op == OP_MATMUL ||
           (n->op == OP_MUL && n->in[0]->op == OP_BROADCAST && n->in[1]->op == OP_BROADCAST &&
            !(n->in[0]->attr.axes & n->in[1]->attr.axes));
}

/* Products go outside, and what needs no state. Other terms are added up where they are made. */
static bool goes_outside(const Hoist *h, const Node *n)
{
    return h->change[n->id] != CHANGE_BY_STATE || is_product_term(h, n);
}

static void emit_value(Hoist *h, Node *n)
{
    if (h->emitted[n->id]) return;
    vec_push(&h->cuts, n);
    h->emitted[n->id] = h->cuts.n;
}

/* The loop emits what n, computed behind it, needs of it. */
static void emit_needs(Hoist *h, Node *n)
{
    if (h->change[n->id] != CHANGE_BY_STATE || h->emitted[n->id]) return;
    if (!h->behind[n->id] && !(is_body_view(n) && has_outside(h, n))) {
        emit_value(h, n);
        return;
    }
    for (int k = 0; k < n->n_in; k++) emit_needs(h, n->in[k]);
}

static Node *state_input(const Hoist *h, int state)
{
    const Graph *g = h->scan->body;
    for (int i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->op == OP_INPUT && g->nodes.at[i]->attr.k == h->scan->n_seqs + state)
            return g->nodes.at[i];
    return NULL;
}

static void find_total(Hoist *h, int state)
{
    Total *t = &h->total[state];
    Node *next = h->scan->next[state], *s = state_input(h, state);
    TermList terms = {0};
    if (!s || !elem_is_real(s->type.elem) || s == next || h->uses[next->id] != 1 ||
        h->uses[s->id] != 1)
        return;
    collect_terms(h, next, false, true, &terms);
    bool adds = false;
    for (int i = 0; i < terms.n; i++) {
        if (terms.at[i].node != s)
            vec_push(&t->inside, terms.at[i]);
        else
            adds = !terms.at[i].minus;
    }
    t->state = s;
    t->is_total = adds;
}

/* Moves terms from inside to outside; the operands of products have to be emitted. */
static void move_terms(Hoist *h, Total *t)
{
    int kept = 0;
    for (int i = 0; i < t->inside.n; i++) {
        Term x = t->inside.at[i];
        if (!goes_outside(h, x.node)) {
            t->inside.at[kept++] = x;
            continue;
        }
        vec_push(&t->outside, x);
        for (int k = 0; h->change[x.node->id] == CHANGE_BY_STATE && k < x.node->n_in; k++)
            emit_needs(h, x.node->in[k]);
    }
    t->inside.n = kept;
}

/* ---- what has to stay ---- */

static void reach(Hoist *h, const Node *n, bool *seen)
{
    if (seen[n->id]) return;
    seen[n->id] = true;
    for (int k = 0; k < n->n_in; k++) reach(h, n->in[k], seen);
}

/* Marks what the states need from step to step, as far as they are needed. */
static void find_inside(Hoist *h)
{
    const Scan *s = h->scan;
    for (int j = 0; j < s->n_states; j++) {
        const Total *t = &h->total[j];
        if (!h->needed[j]) continue;
        if (!t->is_total) reach(h, s->next[j], h->inside);
        for (int i = 0; t->is_total && i < t->inside.n; i++)
            if (!goes_outside(h, t->inside.at[i].node)) reach(h, t->inside.at[i].node, h->inside);
    }
}

/* A product with one matrix that no next state needs, and what is made of it. */
static void find_behind(Hoist *h)
{
    for (int i = 0; i < h->scan->body->nodes.n; i++) {
        const Node *n = h->scan->body->nodes.at[i];
        if (h->change[i] != CHANGE_BY_STATE || h->inside[i] || !has_outside(h, n)) continue;
        h->behind[i] = is_shared_product(h, n);
        for (int k = 0; k < n->n_in; k++) h->behind[i] |= h->behind[n->in[k]->id];
    }
}

/* States that are read, or that something which is read is made of. */
static bool *needed_states(const Hoist *h, const bool *read)
{
    const Scan *s = h->scan;
    bool *needed = NEW_N(bool, s->n_states + 1), *seen = NEW_N(bool, s->body->nodes.n + 1),
         more = true;
    for (int i = 0; i < s->n_states; i++) needed[i] = read[i];
    for (int i = 0; i < s->n_emits; i++)
        if (read[s->n_states + i]) reach((Hoist *)h, s->emit[i], seen);
    while (more) {
        more = false;
        for (int i = 0; i < s->n_states; i++) {
            const Node *in = state_input(h, i);
            if (in && seen[in->id]) needed[i] = true;
            if (!needed[i] || seen[s->next[i]->id]) continue;
            reach((Hoist *)h, s->next[i], seen);
            more = true;
        }
    }
    return needed;
}

void find_hoists(Hoist *h, const bool *read)
{
    const Scan *s = h->scan;
    int n = s->body->nodes.n + 1;
    h->change = NEW_N(Change, n);
    h->worth = NEW_N(bool, n);
    h->inside = NEW_N(bool, n);
    h->behind = NEW_N(bool, n);
    h->emitted = NEW_N(int, n);
    h->total = NEW_N(Total, s->n_states + 1);
    h->uses = graph_uses(s->body, s->next, s->n_states + s->n_emits);
    h->needed = needed_states(h, read);
    sort_values(h);
    for (int j = 0; j < s->n_states; j++)
        if (h->needed[j]) find_total(h, j);
    find_inside(h);
    find_behind(h);
    for (int i = 0; i < s->n_emits; i++) {
        Node *e = s->emit[i];
        if (!read[s->n_states + i] || h->change[e->id] != CHANGE_BY_STATE) continue;
        if (h->behind[e->id])
            emit_needs(h, e);
        else
            emit_value(h, e);
    }
    for (int j = 0; j < s->n_states; j++)
        if (h->total[j].is_total) move_terms(h, &h->total[j]);
}
