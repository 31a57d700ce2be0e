/* emit_entry.c - the function of one entry, compiled once for every instruction set.
 * In: an entry's kernels with their buffers. Out: a static function with arrays as pointers to
 * rows, the work area as named arrays, and the kernels in order, each below its equations. It is
 * written twice: the first time shows which arrays are used, axis by axis or as one row. */
#include "outline.h"

#include <string.h>

/* ---- declarations of buffers ---- */

static const char *slot_access(const Slot *s)
{
    if (s->values) return c_constant(s);
    return format("m->%s.%s", s->is_state ? "state" : "params", c_slot(s));
}

static const char *name_of_buffer(const Emit *e, const Buffer *b)
{
    for (int i = 0; i < e->c->defs.n; i++)
        if (e->c->defs.at[i]->home == b) return e->c_name[e->c->defs.at[i]->node->id];
    for (int i = 0; i < e->c->defs.n; i++)
        if (e->c->defs.at[i]->parts == b)
            return format("%s_parts", e->c_name[e->c->defs.at[i]->node->id]);
    return b->name ? c_identifier(b->name) : "t";
}

static void name_leaf(Emit *e, const Signature *s, Buffer *b)
{
    if (b->memory == MEM_INPUT) {
        for (int i = 0; i < e->c->entry->inputs.n; i++)
            if (!strcmp(e->c->entry->inputs.at[i].name, b->name)) b->access = s->inputs.at[i];
    } else if (b->memory == MEM_SLOT) {
        b->access = slot_access(b->slot);
        if (b->slot->values) vec_push(&e->ids->taken, b->access);
        if (b->flat)
            b->access = b->name = c_unique(e->ids, c_identifier(last_piece(b->slot->path)));
    } else if (!b->access) {
        b->access = b->name = c_unique(e->ids, format("%s_%s", c_identifier(e->c->entry->name),
                                                      b->name ? c_identifier(b->name) : "table"));
    }
}

static void name_output(Emit *e, const Signature *s, Buffer *b)
{
    for (int i = 0; i < e->c->entry->outputs.n; i++) {
        const Output *o = &e->c->entry->outputs.at[i];
        if (o->name != b->name && (!o->name || !b->name || strcmp(o->name, b->name))) continue;
        b->access = s->outputs.at[i];
        if (!b->slot) continue;
        b->access = format("%s->%s", s->outputs.at[i], c_slot(b->slot));
        if (b->flat)
            b->access = c_unique(
                e->ids, format("%s_%s", s->outputs.at[i], c_identifier(last_piece(b->slot->path))));
    }
}

static void name_buffers(Emit *e)
{
    Code *c = e->c;
    Signature s = signature_of(c->program, c->entry);
    for (int i = 0; i < c->leaves.n; i++) name_leaf(e, &s, c->leaves.at[i]);
    for (int i = 0; i < c->outputs.n; i++) name_output(e, &s, c->outputs.at[i]);
    for (int i = 0; i < c->buffers.n; i++) {
        Buffer *b = c->buffers.at[i];
        b->access = b->name = c_unique(e->ids, name_of_buffer(e, b));
    }
}

/* "float (*const h)[H]" and the like: a pointer to rows, or to elements. */
const char *pointer_declaration(const Buffer *b, const char *name, const char *qualifier)
{
    Text out = {0};
    const char *constant = b->writable ? "" : "const ";
    if (b->flat || b->type.shape.rank < 2)
        return format("%s%s *%s%s", constant, c_type(b->type.elem), qualifier, name);
    text_add(&out, "%s%s (*%s%s)", constant, c_type(b->type.elem), qualifier, name);
    for (int i = 1; i < b->type.shape.rank; i++)
        text_add(&out, "[%s]", c_size(b->type.shape.size[i]));
    return out.s;
}

/* A half is kept as its bits, a truth value as an int unless a pointer goes to it. */
const char *scalar_type(const Buffer *b)
{
    bool stored = b->as_stored || b->type.elem == ELEM_F16;
    return stored ? c_type(b->type.elem) : c_value_type(b->type.elem);
}

/* The vectors of a row never cross two lines of the cache. */
void declare_array(Text *out, const Buffer *b)
{
    enum { LINE_BYTES = 64 };
    text_add(out, "    %s %s", c_type(b->type.elem), b->name);
    if (b->flat) text_add(out, "[%ld]", shape_upper(&b->type.shape));
    for (int i = 0; i < b->type.shape.rank && !b->flat; i++)
        text_add(out, "[%s]", c_size(size_const(size_upper(b->type.shape.size[i]))));
    text_add(out, "%s;\n", type_bytes(b->type) >= LINE_BYTES ? " NN_ALIGNED" : "");
}

static void declare_work(Text *out, const Buffer *b, const char *area)
{
    Text line = {0};
    bool flat = b->flat || b->type.shape.rank < 2;
    if (b->is_scratch)
        text_add(&line, "void *const %s = %s + %ld;", b->name, area, b->offset);
    else {
        const char *cast = pointer_declaration(b, "", "");
        text_add(&line, "%s = (%s)(%s + %ld);", pointer_declaration(b, b->name, "const "),
                 flat ? format("%s *", c_type(b->type.elem)) : cast, area, b->offset);
    }
    wrap_lines(out, line.s, 4);
}

static void declare_alias(Text *out, const Buffer *b, const char *array)
{
    Text at = {0};
    text_add(&at, "&%s", array);
    for (int i = 0; i < b->type.shape.rank; i++) text_add(&at, "[0]");
    text_add(out, "    %s%s *const %s = %s;\n", b->writable ? "" : "const ", c_type(b->type.elem),
             b->access, at.s);
}

/* Arrays in the work area, arrays and scalars on the stack, and struct members that are accessed as
 * one row of elements. */
static void declare_buffers(Text *out, const Code *c, const Signature *s, const char *area)
{
    bool has_area = false;
    Text arrays = {0};
    for (int i = 0; i < c->buffers.n; i++) {
        const Buffer *b = c->buffers.at[i];
        if (!b->used) continue;
        if (b->memory == MEM_WORK)
            declare_work(&arrays, b, area);
        else if (b->type.shape.rank == 0)
            text_add(out, "    %s %s;\n", scalar_type(b), b->name);
        else
            declare_array(out, b);
        has_area |= b->memory == MEM_WORK;
    }
    for (int i = 0; i < c->leaves.n; i++) {
        const Buffer *b = c->leaves.at[i];
        if (b->used && b->flat && b->memory == MEM_SLOT)
            declare_alias(out, b, slot_access(b->slot));
    }
    for (int i = 0; i < c->outputs.n; i++) {
        const Buffer *b = c->outputs.at[i];
        if (!b->used || !b->flat || !b->slot) continue;
        for (int k = 0; k < c->entry->outputs.n; k++)
            if (c->entry->outputs.at[k].name == b->name)
                declare_alias(out, b, format("%s->%s", s->outputs.at[k], c_slot(b->slot)));
    }
    if (has_area) text_add(out, "    char *const %s = (char *)work;\n%s", area, arrays.s);
}

/* ---- the function of an entry ---- */

Emit *new_emit(Code *c)
{
    Emit *e = NEW(Emit);
    int n = c->g->nodes.n + 1;
    e->c = c;
    e->c_name = NEW_N(const char *, n);
    e->number = NEW_N(int, n);
    e->given = NEW_N(bool, n);
    e->store_number = NEW_N(int, c->defs.n + 1);
    number_equations(e);
    for (int i = 0; i < c->g->nodes.n; i++) {
        const char *name = node_name(c->names, c->g->nodes.at[i]);
        if (name) e->c_name[i] = c_identifier(name);
    }
    return e;
}

bool is_zero_already(const Emit *e, const Kernel *k)
{
    double v;
    const Def *d = k->defs.at[0];
    return e->c->entry == e->c->program->init && k->defs.n == 1 && d->is_store &&
           node_is_const(d->node, &v) && v == 0;
}

void write_kernel(Emit *e, const Kernel *k)
{
    e->k = k;
    e->depth = e->row_level = e->n_loops = 0;
    e->scope[0] = (Scope){.var = {"", size_const(1), 0}};
    switch (k->kind) {
    case DEF_GEMM: emit_gemm(e, k->defs.at[0]); break;
    case DEF_CONV: emit_conv(e, k->defs.at[0]); break;
    case DEF_JOIN: emit_join(e, k->defs.at[0]); break;
    case DEF_SCATTER:
        if (k->defs.at[0]->node->op == OP_UNWINDOW)
            emit_unwindow(e, k->defs.at[0]);
        else
            emit_scatter(e, k->defs.at[0]);
        break;
    case DEF_DRAW: emit_draw(e, k->defs.at[0]); break;
    case DEF_SCAN: emit_scan(e, k); break;
    default: emit_loops(e);
    }
}

static void emit_kernel(Text *out, Emit *e, const Kernel *k)
{
    int taken = e->ids->taken.n;
    const Sketch *sketch = e->sketches[k->order];
    if (is_zero_already(e, k)) return;
    if (sketch->routine) {
        e->scope[0] = (Scope){.var = {"", size_const(1), 0}};
        add_line(e, 0, call_text(e, sketch));
    } else
        write_kernel(e, k);
    const Scope *s = &e->scope[0];
    text_add(out, "\n");
    if (sketch->routine && sketch->routine->uses.n > 1)
        print_call_note(out, e, k);
    else
        print_kernel_note(out, e, k);
    print_start(out, e, k);
    if (s->declares) text_add(out, "    {\n");
    for (int i = 0; i < s->lines.n; i++) {
        int indent = (int)strspn(s->lines.at[i], " ");
        wrap_lines(out, s->lines.at[i] + indent, indent + (s->declares ? 8 : 4));
    }
    if (s->declares) text_add(out, "    }\n");
    print_stop(out, e, k);
    e->ids->taken.n = taken;
}

Buffer *leaf_buffer(const Code *c, Memory memory, const char *access)
{
    for (int i = 0; i < c->leaves.n; i++)
        if (c->leaves.at[i]->memory == memory && !strcmp(c->leaves.at[i]->access, access))
            return c->leaves.at[i];
    return NULL;
}

Buffer *output_buffer(const Code *c, const char *access)
{
    for (int i = 0; i < c->outputs.n; i++)
        if (!c->outputs.at[i]->slot && !strcmp(c->outputs.at[i]->access, access))
            return c->outputs.at[i];
    return NULL;
}

const char *input_declaration(const Code *c, const Signature *s, int i, const char *qualifier)
{
    const Type *t = &c->entry->inputs.at[i].type;
    Buffer *b = leaf_buffer(c, MEM_INPUT, s->inputs.at[i]);
    if (!t->shape.rank) return format("%s %s", c_type(t->elem), s->inputs.at[i]);
    if (!b) return format("const %s *%s%s", c_type(t->elem), qualifier, s->inputs.at[i]);
    return pointer_declaration(b, s->inputs.at[i], qualifier);
}

const char *output_declaration(const Code *c, const Signature *s, int i, const char *qualifier)
{
    Buffer *b = output_buffer(c, s->outputs.at[i]);
    if (!b) return format("%s_params *%s%s", c->program->name, qualifier, s->outputs.at[i]);
    return pointer_declaration(b, s->outputs.at[i], qualifier);
}

/* The head of the function compiled once per instruction set: arrays are pointers to rows. */
static void print_head(Text *out, const Code *c, const Signature *s)
{
    Text line = {0};
    const Program *p = c->program;
    bool is_init = c->entry == p->init;
    /* gcc forgets when it inlines a step that its arguments change roles from call to call */
    const char *kind = c->entry->is_step ? "NN_NOINLINE" : "static";
    text_add(&line, "%s %s NN_NAME(%s)(", kind, s->returns, c_identifier(c->entry->name));
    const char *sep = "";
    if (s->has_model) {
        text_add(&line, "%s%s *NN_RESTRICT m", s->model_is_const ? "const " : "", c_model(p));
        sep = ", ";
    }
    if (is_init) text_add(&line, "%suint64_t seed", sep);
    for (int i = 0; i < c->entry->dims.n; i++, sep = ", ")
        text_add(&line, "%sint %s", sep, c->entry->dims.at[i]->name);
    for (int i = 0; i < c->entry->inputs.n; i++, sep = ", ")
        text_add(&line, "%s%s", sep, input_declaration(c, s, i, "NN_RESTRICT "));
    for (int i = 0; i < c->entry->outputs.n && !c->result; i++, sep = ", ")
        text_add(&line, "%s%s", sep, output_declaration(c, s, i, "NN_RESTRICT "));
    text_add(&line, is_init ? ")" : "%svoid *NN_RESTRICT work)", sep);
    wrap_lines(out, line.s, 0);
}

static void print_unused(Text *out, const Code *c, const Signature *s, const char *body)
{
    for (int i = 0; i < s->ids.taken.n; i++) {
        const char *name = s->ids.taken.at[i];
        bool absent = c->entry == c->program->init && !strcmp(name, "work");
        if (!absent && !has_word(body, name)) text_add(out, "    (void)%s;\n", name);
    }
}

static const char *function_body(Emit *e)
{
    Code *c = e->c;
    Signature s = signature_of(c->program, c->entry);
    Text kernels = {0}, body = {0};
    Identifiers ids = {0};
    for (int i = 0; i < s.ids.taken.n; i++) vec_push(&ids.taken, s.ids.taken.at[i]);
    vec_push(&ids.taken, c->program->name); /* the type of the model */
    const char *area = c_unique(&ids, "w");
    reserve_sizes(&ids);
    e->ids = &ids;
    e->noted = NEW_N(bool, c->g->nodes.n + 1);
    name_buffers(e);
    for (int i = 0; i < c->kernels.n; i++) emit_kernel(&kernels, e, c->kernels.at[i]);
    bool is_init = c->entry == c->program->init;
    Text end = {0};
    if (c->entry->draws || is_init)
        text_add(&end, is_init ? "\n    m->state.call = 1;\n" : "\n    m->state.call++;\n");
    if (c->result) text_add(&end, "%s    return %s;\n", end.n ? "" : "\n", c->result_home->access);
    if (c->result) c->result_home->used = true;
    declare_buffers(&body, c, &s, area);
    if (is_init) text_add(&body, "    memset(m, 0, sizeof *m);\n    m->state.seed = seed;\n");
    const char *all =
        format("%s%s%s", body.s ? body.s : "", kernels.s ? kernels.s : "", end.s ? end.s : "");
    Text unused = {0};
    print_unused(&unused, c, &s, all);
    return format("%s%s", unused.s ? unused.s : "", all);
}

void print_function(Text *out, Emit *e)
{
    function_body(e);
    for (int i = 0; i < e->c->leaves.n; i++) e->c->leaves.at[i]->used = false;
    for (int i = 0; i < e->c->outputs.n; i++) e->c->outputs.at[i]->used = false;
    for (int i = 0; i < e->c->buffers.n; i++) e->c->buffers.at[i]->used = false;
    const char *body = function_body(e);
    Signature s = signature_of(e->c->program, e->c->entry);
    for (int i = 0; i < e->c->kernels.n; i++) {
        const Sketch *k = e->sketches[e->c->kernels.at[i]->order];
        if (k->routine) print_routine(out, k->routine);
        for (int l = 0; l < k->loops.n; l++)
            if (k->loops.at[l]->routine) print_routine(out, k->loops.at[l]->routine);
    }
    text_add(out, "\n");
    print_head(out, e->c, &s);
    while (*body == '\n') body++;
    text_add(out, "{\n%s}\n", body);
}
