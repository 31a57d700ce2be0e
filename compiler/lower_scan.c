/* lower_scan.c - scan (x in xs; h = h0) { next h = ..; emit ys = ..; }
 * In: a recurrence as written. Out: a graph for one step, and nodes for the last states and the
 * emitted sequences. What the body uses from outside, weights included, becomes an operand, so that
 * a derivative finds every path. */
#include "lower.h"

#include <string.h>

/* ---- what the body takes from outside ---- */

static bool belongs(const Graph *g, const Node *n)
{
    return n->id < g->nodes.n && g->nodes.at[n->id] == n;
}

static int capture_number(ScanScope *scope, Node *outer)
{
    int k = 0;
    while (k < scope->captured.n && scope->captured.at[k] != outer) k++;
    if (k == scope->captured.n) vec_push(&scope->captured, outer);
    return scope->n_fixed + k;
}

static Node *capture(ScanScope *scope, Graph *body, Node *outer)
{
    Node *n = n_input(body, capture_number(scope, outer), outer->type, outer->name);
    n->span = outer->span;
    return n;
}

static Node *import_node(Graph *g, ScanScope *scope, Node *n)
{
    if (!scope || belongs(g, n)) return n;
    double v;
    if (n->type.shape.rank == 0 && node_is_const(n, &v)) return n_const(g, n->type.elem, v);
    return capture(scope, g, import_node(scope->outer, scope->parent, n));
}

Value import_value(Value v)
{
    if (!low->scan) return v;
    if (v.kind == V_NODE) v.node = import_node(low->g, low->scan, v.node);
    ValueList parts = {0};
    for (int i = 0; i < v.parts.n; i++) vec_push(&parts, import_value(v.parts.at[i]));
    v.parts = parts;
    if (v.kind != V_SET) return v;
    Value set = v;
    memset(&set.set, 0, sizeof set.set);
    for (int i = 0; i < v.set.n; i++) {
        Member m = {v.set.at[i].slot, import_node(low->g, low->scan, v.set.at[i].node)};
        vec_push(&set.set, m);
    }
    return set;
}

/* ---- what the body draws ---- */

/* Until all sequences are known, those drawn are numbered from here on. */
enum { DRAWN_BASE = 1 << 20 };

/* Step t reads element t of an array of draws: the reverse sees what the forward step saw, and the
 * numbers do not depend on how the steps are computed. In a scan inside a scan the array is drawn
 * for every step of both. */
static Node *draw_in(Graph *g, ScanScope *scope, DrawKind kind, Type t, long site)
{
    if (!scope) return n_draw(g, kind, t, site);
    Type all = {t.elem, {.rank = t.shape.rank + 1, .size = {scope->steps}}};
    for (int i = 0; i < t.shape.rank; i++) all.shape.size[i + 1] = t.shape.size[i];
    Node *seq =
        all.shape.rank <= MAX_RANK ? draw_in(scope->outer, scope->parent, kind, all, site) : NULL;
    if (!seq) return NULL;
    int k = 0;
    while (k < scope->drawn.n && scope->drawn.at[k] != seq) k++;
    if (k == scope->drawn.n) vec_push(&scope->drawn, seq);
    return n_input(g, DRAWN_BASE + k, t, NULL);
}

Node *draw_each_step(DrawKind kind, Type t, long site)
{
    return draw_in(low->g, low->scan, kind, t, site);
}

/* ---- sequences and first states ---- */

typedef struct Parts {
    VEC(Node *) operand; /* sequences, then first states */
    int n_seqs, n_states;
    SizeRef steps;
} Parts;

static bool add_sequence(Env *e, const Binding *b, Parts *p)
{
    Value v = lower_expr(e, b->value);
    Node *n = v.kind == V_POISON ? NULL : value_to_node(&v, ELEM_REAL);
    if (!n) return false;
    if (n->type.shape.rank == 0) {
        Diag *d = error_at("E0304", b->value->span, "`scan` runs over the first axis, this is %s",
                           value_text(&v));
        diag_here(d, "%s", "");
        return false;
    }
    SizeRef steps = n->type.shape.size[0];
    if (p->steps && p->steps != steps) {
        Diag *d =
            error_at("E0302", b->value->span, "the sequences have different lengths: %s and %s",
                     size_text(p->steps), size_text(steps));
        diag_here(d, "%s", value_text(&v));
        return false;
    }
    p->steps = steps;
    vec_push(&p->operand, n);
    return true;
}

static bool read_parts(Env *e, const Stmt *s, Parts *p)
{
    bool ok = true;
    p->n_seqs = s->seqs.n;
    p->n_states = s->inits.n;
    for (int i = 0; i < s->seqs.n; i++) ok &= add_sequence(e, &s->seqs.at[i], p);
    for (int i = 0; i < s->inits.n && ok; i++) {
        Value v = lower_expr(e, s->inits.at[i].value);
        Node *n = v.kind == V_POISON ? NULL : value_to_node(&v, ELEM_REAL);
        ok &= n != NULL;
        vec_push(&p->operand, n);
    }
    return ok;
}

static Type element_type(Type t)
{
    Type e = {t.elem, {.rank = t.shape.rank - 1}};
    for (int i = 0; i < e.shape.rank; i++) e.shape.size[i] = t.shape.size[i + 1];
    return e;
}

/* ---- the body ---- */

/* Sequences as written, sequences drawn, states, captured values. */
static int input_number(const ScanScope *scope, const Parts *p, int k)
{
    if (k >= DRAWN_BASE) return p->n_seqs + k - DRAWN_BASE;
    return k < p->n_seqs ? k : k + scope->drawn.n;
}

static Value *next_slot(const Stmt *s, const Stmt *next, Value *values)
{
    for (int i = 0; i < s->inits.n; i++)
        if (s->inits.at[i].name.s == next->names.at[0].s) return &values[i];
    return NULL;
}

static void lower_next_stmt(Env *e, const Stmt *s, const Stmt *next, Value *values)
{
    Value v = lower_expr(e, next->value), *slot = next_slot(s, next, values);
    const char *name = next->names.at[0].s;
    if (!slot || slot->kind != V_MODULE) { /* V_MODULE: not given yet */
        Diag *d =
            error_at("E0501", next->span,
                     slot ? "`next %s` is given twice" : "`%s` is no state of this scan", name);
        diag_here(d, "%s", "");
        return;
    }
    *slot = v;
    env_set(e, intern_str(format("next %s", name)), v, next->span);
}

static bool lower_emit(Env *e, const Stmt *emit, ValueList *emits)
{
    Value v = lower_expr(e, emit->value);
    Node *n = v.kind == V_POISON ? NULL : value_to_node(&v, ELEM_REAL);
    if (!n) return false;
    if (n->type.shape.rank == MAX_RANK) {
        Diag *d = error_at("E0304", emit->span, "more than %d axes", MAX_RANK);
        diag_here(d, "%s", "");
        return false;
    }
    vec_push(emits, value_node(n, emit->span));
    return true;
}

static bool check_state(const Stmt *s, int i, const Parts *p, Value *v)
{
    Type t = p->operand.at[p->n_seqs + i]->type;
    const Binding *b = &s->inits.at[i];
    if (v->kind == V_POISON) return false;
    if (v->kind == V_MODULE) {
        Diag *d = error_at("E0501", b->name.span, "the state `%s` has no next value", b->name.s);
        diag_here(d, "%s", "");
        diag_hint(d, "end the step with `next %s = ..;`", b->name.s);
        return false;
    }
    Node *n = value_to_type(v, t);
    if (!n) {
        Diag *d = error_at("E0501", v->span, "the state `%s` is %s before the step and %s after it",
                           b->name.s, type_text(t), value_text(v));
        diag_here(d, "%s", value_text(v));
        diag_label(d, b->value->span, "%s", type_text(t));
        diag_hint(d,
                  "a state keeps its shape; start it with a value of the right one, as `zeros[n]`");
        return false;
    }
    *v = value_node(n, v->span);
    return true;
}

/* Weights that layers in the body have read become operands like everything else from outside, and
 * all operands get their numbers. */
static Graph *capture_slots(Graph *body, ScanScope *scope, const Parts *p, Node **roots,
                            int n_roots)
{
    Graph *to = graph_new();
    Node **map = NEW_N(Node *, body->nodes.n + 1);
    for (int i = 0; i < body->nodes.n; i++) {
        const Node *n = body->nodes.at[i];
        Slot *slot = slot_of_node(n);
        Attr attr = n->attr;
        if (slot) attr = (Attr){.k = capture_number(scope, n_slot(scope->outer, slot))};
        if (slot || n->op == OP_INPUT) attr.k = input_number(scope, p, (int)attr.k);
        map[i] = graph_node(to, slot ? OP_INPUT : n->op, &attr, n->type, n->n_in,
                            mapped_operands(n, map));
        note_as(map[i], n, map);
    }
    map_roots(roots, n_roots, map);
    return to;
}

/* One step as a graph. Applications outside the body are not found again inside: their values
 * belong to another graph. */
static bool lower_step(Env *e, const Stmt *s, Parts *p, Scan *scan, ScanScope *scope,
                       NameList *emit_names)
{
    Env *body = env_new(e, e->module, e->decl, e->inst);
    Value *next = NEW_N(Value, s->inits.n + 1);
    ValueList emits = {0};
    int errors = diag_errors();
    for (int i = 0; i < p->operand.n; i++) {
        bool seq = i < p->n_seqs;
        const Binding *b = seq ? &s->seqs.at[i] : &s->inits.at[i - p->n_seqs];
        Node *o = p->operand.at[i];
        Node *n = n_input(low->g, i, seq ? element_type(o->type) : o->type, b->name.s);
        n->span = b->name.span;
        env_set(body, b->name.s, mark_target(e, b->name.s, value_node(n, b->name.span)),
                b->name.span);
        if (!seq) next[i - p->n_seqs].kind = V_MODULE;
    }
    for (int i = 0; i < s->body.n; i++) {
        const Stmt *st = s->body.at[i];
        place_at(st->span);
        if (st->kind == ST_NEXT)
            lower_next_stmt(body, s, st, next);
        else if (st->kind != ST_EMIT)
            lower_one(body, st);
        else if (lower_emit(body, st, &emits))
            vec_push(emit_names, st->names.at[0]);
    }
    for (int i = 0; i < s->inits.n; i++)
        if (!check_state(s, i, p, &next[i]) && diag_errors() == errors) return false;
    if (diag_errors() > errors) return false;
    int n = s->inits.n + emits.n;
    Node **roots = NEW_N(Node *, n + 1);
    for (int i = 0; i < n; i++)
        roots[i] = i < s->inits.n ? next[i].node : emits.at[i - s->inits.n].node;
    scan->body = capture_slots(low->g, scope, p, roots, n);
    scan->next = roots;
    scan->emit = roots + s->inits.n;
    scan->n_emits = emits.n;
    return true;
}

static Value last_value(Graph *g, const Scan *scan, const Parts *p, int result, const char *name,
                        Span at)
{
    place_at(at);
    Node *n = n_scan(g, scan, p->steps, result, p->operand.n, p->operand.at);
    if (!n->name) n->name = name;
    return value_node(n, at);
}

static void define_results(Env *e, const Stmt *s, const Scan *scan, const Parts *p,
                           const NameList *emits)
{
    for (int i = 0; i < s->inits.n; i++) {
        Name name = s->inits.at[i].name;
        define_name(e, name,
                    scan ? last_value(low->g, scan, p, i, name.s, name.span) : value_poison());
    }
    for (int i = 0; scan && i < emits->n; i++)
        define_name(e, emits->at[i],
                    last_value(low->g, scan, p, s->inits.n + i, emits->at[i].s, emits->at[i].span));
    for (int i = 0; !scan && i < s->body.n; i++)
        if (s->body.at[i]->kind == ST_EMIT)
            env_set(e, s->body.at[i]->names.at[0].s, value_poison(), s->span);
}

/* The draws of all steps stand behind the sequences that were written. */
static void add_drawn(Parts *p, const ScanScope *scope)
{
    Parts all = {.n_seqs = p->n_seqs + scope->drawn.n, .n_states = p->n_states, .steps = p->steps};
    for (int i = 0; i < p->n_seqs; i++) vec_push(&all.operand, p->operand.at[i]);
    for (int i = 0; i < scope->drawn.n; i++) vec_push(&all.operand, scope->drawn.at[i]);
    for (int i = p->n_seqs; i < p->operand.n; i++) vec_push(&all.operand, p->operand.at[i]);
    *p = all;
}

void lower_scan(Env *e, const Stmt *s)
{
    Parts p = {0};
    NameList emits = {0};
    Scan *scan = NEW(Scan);
    bool ok = read_parts(e, s, &p);
    Lower before = *low;
    ScanScope scope = {
        .parent = low->scan, .outer = low->g, .steps = p.steps, .n_fixed = p.operand.n};
    if (ok) {
        memset(&low->memos, 0, sizeof low->memos);
        memset(&low->customs, 0, sizeof low->customs);
        low->g = graph_new();
        low->scan = &scope;
        ok = lower_step(e, s, &p, scan, &scope, &emits);
        low->g = before.g;
        low->scan = before.scan;
        low->memos = before.memos;
        low->customs = before.customs;
    }
    add_drawn(&p, &scope);
    for (int i = 0; i < scope.captured.n; i++) vec_push(&p.operand, scope.captured.at[i]);
    scan->n_seqs = p.n_seqs;
    scan->n_states = p.n_states;
    scan->n_captures = scope.captured.n;
    define_results(e, s, ok ? scan : NULL, &p, &emits);
}
