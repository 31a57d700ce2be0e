/* step.c - the step of a recurrence as a function of its own.
 * In: a scan in a graph whose definitions have been chosen. Out: its body through the same passes
 * as an entry, with the operands as inputs and the next states and emitted values as outputs; and
 * the buffers that the loop around it needs. */
#include "band.h"
#include "kernel.h"

#include <string.h>

/* The name of what goes in: as the body calls it, else the letter of its role. */
static const char *input_name(const Scan *s, int k)
{
    for (int i = 0; i < s->body->nodes.n; i++) {
        const Node *n = s->body->nodes.at[i];
        if (n->op == OP_INPUT && n->attr.k == k && n->name) return n->name;
    }
    return k < s->n_seqs ? "x" : k < s->n_seqs + s->n_states ? "h" : "c";
}

static const char *result_name(const Code *of, const Node *scan, int result)
{
    for (int i = 0; i < of->g->nodes.n; i++) {
        const Node *n = of->g->nodes.at[i];
        if (same_scan(n, scan) && n->attr.k == result && node_name(of->names, n))
            return node_name(of->names, n);
    }
    return "h";
}

Matrix element_in_place(const Code *c, const Node *scan, int k, Var *step)
{
    const Scan *s = scan->attr.ref;
    Node *n = see_through(scan->in[k]);
    bool is_there = is_leaf_memory(n) || c->def_of[n->id];
    if (s->n_states || k >= s->n_seqs || n->type.shape.rank != 3 || is_there) return (Matrix){0};
    return matrix_of(c, n, &step);
}

/* The distance of the rows of an element that lies in a larger array, with gaps; else NULL. */
static SizeRef row_distance(const Code *of, const Node *scan, int k)
{
    Var step = {"i", scan->attr.size, 1};
    Matrix m = element_in_place(of, scan, k, &step);
    return m.base && m.ld != scan->in[k]->type.shape.size[2] ? m.ld : NULL;
}

static Type operand_type(const Code *of, const Node *scan, int k)
{
    const Scan *s = scan->attr.ref;
    SizeRef ld = row_distance(of, scan, k);
    Type t = scan->in[k]->type;
    if (ld) t.shape.size[2] = ld;
    if (k >= s->n_seqs) return t;
    for (int i = 1; i < t.shape.rank; i++) t.shape.size[i - 1] = t.shape.size[i];
    t.shape.rank--;
    return t;
}

/* Elements with gaps come in as matrices of longer rows, of which the body takes the first part. */
static Graph *body_with_gaps(const Code *of, const Node *scan, Node **roots, int n)
{
    const Scan *s = scan->attr.ref;
    SizeRef zero[2] = {size_const(0), size_const(0)};
    bool any = false;
    for (int k = 0; k < scan->n_in; k++) any |= row_distance(of, scan, k) != NULL;
    if (!any) return s->body;
    Graph *to = graph_new();
    Node **map = NEW_N(Node *, s->body->nodes.n + 1);
    for (int i = 0; i < s->body->nodes.n; i++) {
        const Node *x = s->body->nodes.at[i];
        SizeRef ld = x->op == OP_INPUT ? row_distance(of, scan, (int)x->attr.k) : NULL;
        Type t = x->type;
        if (ld) t.shape.size[1] = ld;
        map[i] = ld ? n_input(to, (int)x->attr.k, t, NULL) : node_copy(to, x, &x->attr, map);
        if (!ld) continue;
        note_as(map[i], x, map);
        map[i] = n_slice(to, map[i], zero, &x->type.shape);
    }
    map_roots(roots, n, map);
    return to;
}

static bool is_free_name(const Entry *e, const char *name)
{
    for (int i = 0; i < e->inputs.n; i++)
        if (!strcmp(e->inputs.at[i].name, name)) return false;
    for (int i = 0; i < e->outputs.n; i++)
        if (!strcmp(e->outputs.at[i].name, name)) return false;
    return true;
}

static const char *distinct(const Entry *e, const char *name)
{
    const char *wanted = name;
    for (int i = 2; !is_free_name(e, name); i++) name = intern_str(format("%s_%d", wanted, i));
    return name;
}

/* train_ys_step: after the entry and the first emitted value, or the first state. */
static const char *step_name(const Code *of, const Node *scan)
{
    const Scan *s = scan->attr.ref;
    const char *what = result_name(of, scan, s->n_emits ? s->n_states : 0);
    const char *wanted = intern_str(format("%s_%s_step", of->entry->name, what)), *name = wanted;
    for (int i = 0, n = 2; i < of->kernels.n; i++) {
        const Code *step = of->kernels.at[i]->step;
        if (!step || strcmp(step->entry->name, name)) continue;
        name = intern_str(format("%s_%d", wanted, n++));
        i = -1;
    }
    return name;
}

/* The distance of the rows of what is emitted, where it is stored with gaps; else NULL. */
static SizeRef emit_distance(const Scan *s, int emit)
{
    const Moved *m = s->moved ? s->moved[emit] : NULL;
    SizeRef distance = size_const(1);
    for (int i = m ? m->shape.rank : 0; i-- > 0 && m->perm[i] != m->shape.rank - 2;)
        distance = size_mul(distance, m->shape.size[m->perm[i]]);
    return m && distance != m->shape.size[m->shape.rank - 1] ? distance : NULL;
}

/* What the masks around a recurrence have decided of the operands of a step. */
static const Regions *const *known_operands(const Code *of, const Node *scan)
{
    const Scan *s = scan->attr.ref;
    const Regions **known = NEW_N(const Regions *, scan->n_in + 1);
    for (int k = 0; of->known && k < scan->n_in; k++) {
        const Regions *r = of->known[scan->in[k]->id];
        if (k >= s->n_seqs + s->n_states) known[k] = r;
        if (k < s->n_seqs && !row_distance(of, scan, k)) known[k] = known_element(r);
    }
    return known;
}

Code *compile_step(Code *of, const Node *scan)
{
    const Scan *s = scan->attr.ref;
    Entry *e = NEW(Entry);
    const int n_roots = s->n_states + s->n_emits;
    Node **roots = NEW_N(Node *, n_roots + 1);
    for (int i = 0; i < n_roots; i++) roots[i] = s->next[i];
    *e = (Entry){.name = step_name(of, scan), .is_step = true};
    e->known = known_operands(of, scan);
    e->g = body_with_gaps(of, scan, roots, n_roots);
    for (int i = 0; i < of->entry->dims.n; i++) vec_push(&e->dims, of->entry->dims.at[i]);
    for (int k = 0; k < scan->n_in; k++) {
        Input in = {.name = distinct(e, input_name(s, k)), .type = operand_type(of, scan, k)};
        vec_push(&e->inputs, in);
    }
    for (int i = 0; i < s->n_states + s->n_emits; i++) {
        const char *name = result_name(of, scan, i);
        Output o = {.name =
                        distinct(e, i < s->n_states ? intern_str(format("next_%s", name)) : name),
                    .node = roots[i],
                    .row = i < s->n_states ? NULL : emit_distance(s, i - s->n_states)};
        vec_push(&e->outputs, o);
    }
    return compile_entry(of->program, e);
}

/* ---- the loop around it ---- */

static Buffer *state_buffer(Code *c, Type t, const char *name)
{
    Buffer *b = NEW(Buffer);
    *b = (Buffer){.memory = t.shape.rank ? MEM_WORK : MEM_STACK,
                  .type = t,
                  .name = name,
                  .writable = true,
                  .as_stored = true};
    vec_push(&c->buffers, b);
    return b;
}

Def *result_def(const Kernel *k, int result)
{
    for (int i = 0; i < k->defs.n; i++)
        if (k->defs.at[i]->node->attr.k == result) return k->defs.at[i];
    return NULL;
}

/* A state that someone reads is kept where its result is; an emitted value that nobody reads still
 * needs a place to go to. */
void place_states(Code *c, Kernel *k)
{
    const Scan *s = k->defs.at[0]->node->attr.ref;
    int n = s->n_states + s->n_emits;
    k->state = NEW_N(Buffer *, n + 1);
    k->result = NEW_N(Buffer *, n + 1);
    for (int i = 0; i < k->defs.n; i++) k->defs.at[i]->home->as_stored = true;
    for (int i = 0; i < n; i++) {
        const char *name = k->step->entry->outputs.at[i].name;
        Def *d = result_def(k, i);
        if (i >= s->n_states && d) {
            k->result[i] = d->home;
            continue;
        }
        k->result[i] = state_buffer(c, s->next[i]->type, name);
        if (i >= s->n_states) continue;
        k->state[i] = d ? d->home : state_buffer(c, s->next[i]->type, name + strlen("next_"));
    }
}
