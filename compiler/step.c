/* step.c - the step of a recurrence as a function of its own.
 * In: a scan in a graph whose definitions have been chosen. Out: its body through the same passes
 * as an entry, with the operands as inputs and the next states and emitted values as outputs; and
 * the buffers that the loop around it needs. */
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

static Type operand_type(const Scan *s, const Node *scan, int k)
{
    Type t = scan->in[k]->type;
    if (k >= s->n_seqs) return t;
    for (int i = 1; i < t.shape.rank; i++) t.shape.size[i - 1] = t.shape.size[i];
    t.shape.rank--;
    return t;
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

Code *compile_step(Code *of, const Node *scan)
{
    const Scan *s = scan->attr.ref;
    Entry *e = NEW(Entry);
    *e = (Entry){.name = step_name(of, scan), .g = s->body, .is_step = true};
    for (int i = 0; i < of->entry->dims.n; i++) vec_push(&e->dims, of->entry->dims.at[i]);
    for (int k = 0; k < scan->n_in; k++) {
        Input in = {.name = distinct(e, input_name(s, k)), .type = operand_type(s, scan, k)};
        vec_push(&e->inputs, in);
    }
    for (int i = 0; i < s->n_states + s->n_emits; i++) {
        const char *name = result_name(of, scan, i);
        Output o = {.name =
                        distinct(e, i < s->n_states ? intern_str(format("next_%s", name)) : name),
                    .node = s->next[i]};
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
