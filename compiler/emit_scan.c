/* emit_scan.c - a recurrence: a loop that calls the function of its step.
 * In: the kernel of a scan, whose step has been written. Out: the first states copied to their
 * place, and one call for each element of the sequences. A state that is an array has two places:
 * the step reads it from one and writes the next to the other, and they change roles. */
#include "emit.h"

#include <stdlib.h>
#include <string.h>

static Index at_step(const Affine *t, const Shape *s)
{
    Index ix = {.rank = s->rank};
    for (int i = 0; i < s->rank; i++) {
        ix.at[i] = i == 0 && t ? *t : affine_const(size_const(0));
        ix.run[i] = 1;
    }
    return ix;
}

/* The buffer of the step for argument `i`: its inputs, then its outputs. */
static const Buffer *argument_of(const Kernel *k, const Signature *sig, int i)
{
    const int inputs = k->step->entry->inputs.n;
    return i < inputs ? leaf_buffer(k->step, MEM_INPUT, sig->inputs.at[i])
                      : output_buffer(k->step, sig->outputs.at[i - inputs]);
}

static const char *type_of_argument(const Buffer *b)
{
    if (!b || b->flat || b->type.shape.rank < 2) return "";
    return format("(%s)", pointer_declaration(b, "", ""));
}

/* A pointer in the type that the step's function has for its argument `i`. That comes out when the
 * step is written, so a loop for several threads, sketched before, keeps a place for it. */
static const char *as_argument(const Emit *e, const Kernel *k, const Signature *sig, int i,
                               const char *pointer)
{
    if (e->sketch) return format("#%d#(%s)", i, pointer);
    const char *type = type_of_argument(argument_of(k, sig, i));
    return *type ? format("%s(%s)", type, pointer) : pointer;
}

const char *with_argument_types(const Emit *e, const Kernel *k, const char *line)
{
    Signature sig = signature_of(e->c->program, k->step->entry);
    Text out = {0};
    for (const char *hash; (hash = strchr(line, '#')); line = strchr(hash + 1, '#') + 1)
        text_add(&out, "%.*s%s", (int)(hash - line), line,
                 type_of_argument(argument_of(k, &sig, atoi(hash + 1))));
    text_add(&out, "%s", line);
    return out.s;
}

/* A value in the type of the step's argument, which is that of memory. */
static const char *as_scalar(Elem elem, Frag f)
{
    bool is_narrow = elem == ELEM_U8 || elem == ELEM_I8 || elem == ELEM_BOOL;
    bool in_memory = strchr(f.s, '[') != NULL;
    if (elem == ELEM_F16) return stored_half(f);
    return is_narrow && !in_memory ? format("(%s)%s", c_type(elem), with(f, C_UNARY)) : f.s;
}

static void first_states(Emit *e, const Kernel *k)
{
    Node *scan = k->defs.at[0]->node;
    const Scan *s = scan->attr.ref;
    for (int i = 0; i < s->n_states; i++) {
        Node *init = see_through(scan->in[s->n_seqs + i]);
        const Shape *shape = &init->type.shape;
        for (int a = 0; a < shape->rank; a++) open_loop(e, shape->size[a]);
        Index ix = open_index(e, shape, shape->rank);
        e->counts.n = 0;
        store(e, k->state[i], shape, &ix, value_of(e, init, &ix));
        for (int a = shape->rank; a-- > 0;) close_loop(e, shape->size[a], a == shape->rank - 1);
    }
}

/* State `i` before a step, or behind it. The loop over the steps is open. */
static const char *state(Emit *e, const Kernel *k, int i, bool behind)
{
    const Scan *s = k->defs.at[0]->node->attr.ref;
    Shape steps = {.rank = 1, .size = {k->defs.at[0]->node->attr.size}};
    Index open = open_index(e, &steps, 1), zero = at_step(NULL, &s->next[i]->type.shape);
    const char *place[2];
    for (int odd = 0; odd < 2; odd++) {
        Buffer *b = odd == behind ? k->state[i] : k->result[i];
        place[odd] = pointer_text(b, &b->type.shape, &zero);
    }
    if (!open.at[0].n) return place[0];
    return format("%s %% 2 ? %s : %s", affine_text(&open.at[0]), place[1], place[0]);
}

/* Operand `i`: an element of a sequence, a state, or a captured value. */
static const char *operand(Emit *e, const Kernel *k, const Signature *sig, int i, const Affine *t)
{
    Node *scan = k->defs.at[0]->node, *n = see_through(scan->in[i]);
    const Scan *s = scan->attr.ref;
    bool is_seq = i < s->n_seqs, is_state = !is_seq && i < s->n_seqs + s->n_states;
    const Shape *shape = &n->type.shape;
    Index ix = at_step(is_seq ? t : NULL, shape);
    if (is_state) {
        Buffer *b = k->state[i - s->n_seqs];
        Index zero = at_step(NULL, &b->type.shape);
        return shape->rank ? as_argument(e, k, sig, i, state(e, k, i - s->n_seqs, false))
                           : element_text(b, &b->type.shape, &zero);
    }
    Var one = {"0", size_const(1), 0};
    Matrix m = element_in_place(e->c, scan, i, t->n ? (Var *)(uintptr_t)t->var[0] : &one);
    if (m.base) {
        m.start = affine_without(&m.start, &one);
        return as_argument(e, k, sig, i, array_text(memory_of(e->c, m.base), &m.start));
    }
    if (shape->rank == is_seq) return as_scalar(n->type.elem, value_of(e, n, &ix));
    return as_argument(e, k, sig, i, pointer_text(memory_of(e->c, n), shape, &ix));
}

/* Where the matrix of a step starts that is stored in another order. */
static Affine moved_place(const Moved *m, const Type *type, const Affine *t, SizeRef steps)
{
    Graph *g = graph_new();
    const int rank = m->shape.rank;
    int back[MAX_RANK];
    for (int i = 0; i < rank; i++) back[m->perm[i]] = i;
    Shape each = {3, {steps, m->shape.size[rank - 2], m->shape.size[rank - 1]}};
    Node *turned = n_transpose(g, n_input(g, 0, *type, NULL), back);
    Node *y = n_reshape(g, turned, &each);
    Index at = at_step(t, &each);
    for (; y->op != OP_INPUT; y = y->in[0]) {
        Index in = at;
        index_operand(y, 0, &in, &at);
    }
    return index_flat(&at, &type->shape);
}

static const char *result(Emit *e, const Kernel *k, const Signature *sig, int i, const Affine *t)
{
    const Scan *s = k->defs.at[0]->node->attr.ref;
    const int place = k->step->entry->inputs.n + i;
    const Def *d = i < s->n_states ? NULL : result_def(k, i);
    Buffer *b = k->result[i];
    if (i < s->n_states && b->type.shape.rank)
        return as_argument(e, k, sig, place, state(e, k, i, true));
    if (d) {
        const Shape *shape = &d->node->type.shape;
        const Moved *moved = s->moved ? s->moved[i - s->n_states] : NULL;
        Index ix = at_step(t, shape);
        if (!moved) return as_argument(e, k, sig, place, pointer_text(b, shape, &ix));
        Affine start = moved_place(moved, &d->node->type, t, d->node->attr.size);
        return as_argument(e, k, sig, place, array_text(b, &start));
    }
    Index zero = at_step(NULL, &b->type.shape);
    zero.at[0] = affine_const(size_const(0));
    return as_argument(e, k, sig, place, pointer_text(b, &b->type.shape, &zero));
}

static void call_step(Emit *e, const Kernel *k, const Affine *t)
{
    const Entry *step = k->step->entry;
    Signature sig = signature_of(e->c->program, step);
    Text line = {0};
    text_add(&line, "NN_NAME(%s)(", c_identifier(step->name));
    for (int i = 0; i < step->dims.n; i++) text_add(&line, "%s, ", step->dims.at[i]->name);
    for (int i = 0; i < step->inputs.n; i++) text_add(&line, "%s, ", operand(e, k, &sig, i, t));
    for (int i = 0; i < step->outputs.n; i++) text_add(&line, "%s, ", result(e, k, &sig, i, t));
    if (k->scratch) k->scratch->used = true;
    text_add(&line, "%s);", k->scratch ? k->scratch->access : "NULL");
    add_line(e, e->depth, line.s);
}

/* States that are scalars are handed over by value. */
static void move_scalars(Emit *e, const Kernel *k)
{
    const Scan *s = k->defs.at[0]->node->attr.ref;
    for (int i = 0; i < s->n_states; i++) {
        Buffer *to = k->state[i], *from = k->result[i];
        const Shape *shape = &to->type.shape;
        Index zero = at_step(NULL, shape);
        zero.at[0] = affine_const(size_const(0));
        if (!shape->rank)
            add_line(e, e->depth,
                     format("%s = %s;", element_text(to, shape, &zero),
                            element_text(from, shape, &zero)));
    }
}

/* After an odd number of steps the last state is in the other place. */
static void place_last(Emit *e, const Kernel *k, SizeRef steps)
{
    const Scan *s = k->defs.at[0]->node->attr.ref;
    long n = 1;
    bool known = size_is_const(steps, &n);
    const char *size = c_size(steps), *when = "";
    if (!known) when = format(strpbrk(size, " +-*/%") ? "if ((%s) %% 2) " : "if (%s %% 2) ", size);
    for (int i = 0; i < s->n_states && n % 2; i++) {
        Buffer *to = k->state[i], *from = k->result[i];
        const Shape *shape = &to->type.shape;
        Index zero = at_step(NULL, shape);
        if (!shape->rank || !result_def(k, i)) continue;
        add_line(e, e->depth,
                 format("%smemcpy(%s, %s, (size_t)(%s) * sizeof(%s));", when,
                        pointer_text(to, shape, &zero), pointer_text(from, shape, &zero),
                        c_size(shape_count(shape)), c_type(to->type.elem)));
    }
}

bool has_own_steps(const Kernel *k)
{
    enum { MOST_SCRATCH = 1 << 20 }; /* on the stack of each thread */
    const Scan *s = k->defs.at[0]->node->attr.ref;
    if (s->n_states || options.profile) return false; /* the rows of a profile are one thread's */
    if (k->scratch && k->scratch->bytes > MOST_SCRATCH) return false;
    for (int i = 0; i < s->n_emits; i++)
        if (!result_def(k, i)) return false;
    return true;
}

/* Nanoseconds of all steps, roughly. */
static double cost_of_steps(const Kernel *k)
{
    enum { PRODUCTS_A_NANOSECOND = 50, OTHERS_A_NANOSECOND = 4 };
    return (double)size_upper(k->work.multiplies) / PRODUCTS_A_NANOSECOND +
           (double)size_upper(k->work.others) / OTHERS_A_NANOSECOND;
}

void emit_scan(Emit *e, const Kernel *k)
{
    const Node *scan = k->defs.at[0]->node;
    const Scan *s = scan->attr.ref;
    Shape steps = {.rank = 1, .size = {scan->attr.size}};
    first_states(e, k);
    open_loop(e, steps.size[0]);
    Index open = open_index(e, &steps, 1);
    Affine t = open.at[0];
    if (s->reversed) {
        Affine back = affine_scale(t, size_const(-1));
        Affine last = affine_const(size_sub(steps.size[0], size_const(1)));
        t = affine_add(last, &back);
    }
    e->counts.n = 0;
    call_step(e, k, &t);
    move_scalars(e, k);
    e->cost = cost_of_steps(k);
    close_loop(e, steps.size[0], has_own_steps(k));
    e->cost = 0;
    place_last(e, k, steps.size[0]);
    for (int i = 0; i < k->defs.n; i++) store_copies(e, k->defs.at[i], 0);
}
