/* emit.c - the program as one C file and its header.
 * In: a checked and lowered program. Out: C11 that is also C++, needs only the runtime, and is the
 * same for the same input. The file includes itself once for every instruction set; the functions
 * in it compute the entries, and the public ones choose. Every entry is written twice: the first
 * time shows which arrays are used, and whether axis by axis or as one row of elements. */
#include "emit.h"

#include <math.h>
#include <string.h>

/* ---- declarations of buffers ---- */

static const char *slot_access(const Slot *s)
{
    return format("m->%s.%s", s->is_state ? "state" : "params", c_path(s->path));
}

static const char *last_piece(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

static const char *name_of_buffer(const Emit *e, const Buffer *b)
{
    for (int i = 0; i < e->c->defs.n; i++)
        if (e->c->defs.at[i]->home == b) return e->c_name[e->c->defs.at[i]->node->id];
    return b->name ? c_identifier(b->name) : "t";
}

static void name_leaf(Emit *e, const Signature *s, Buffer *b)
{
    if (b->memory == MEM_INPUT) {
        for (int i = 0; i < e->c->entry->inputs.n; i++)
            if (!strcmp(e->c->entry->inputs.at[i].name, b->name)) b->access = s->inputs.at[i];
    } else if (b->memory == MEM_SLOT) {
        b->access = slot_access(b->slot);
        if (b->flat) b->access = b->name = c_unique(e->ids, c_identifier(last_piece(b->slot->path)));
    } else if (!b->access) {
        b->access = b->name = c_unique(e->ids, format("%s_%s", c_identifier(e->c->entry->name), b->name ? c_identifier(b->name) : "table"));
    }
}

static void name_output(Emit *e, const Signature *s, Buffer *b)
{
    for (int i = 0; i < e->c->entry->outputs.n; i++) {
        const Output *o = &e->c->entry->outputs.at[i];
        if (o->name != b->name && (!o->name || !b->name || strcmp(o->name, b->name))) continue;
        b->access = s->outputs.at[i];
        if (!b->slot) continue;
        b->access = format("%s->%s", s->outputs.at[i], c_path(b->slot->path));
        if (b->flat) b->access = c_unique(e->ids, format("%s_%s", s->outputs.at[i], c_identifier(last_piece(b->slot->path))));
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
static const char *pointer_declaration(const Buffer *b, const char *name, const char *qualifier)
{
    Text out = {0};
    const char *constant = b->writable ? "" : "const ";
    if (b->flat || b->type.shape.rank < 2) return format("%s%s *%s%s", constant, c_type(b->type.elem), qualifier, name);
    text_add(&out, "%s%s (*%s%s)", constant, c_type(b->type.elem), qualifier, name);
    for (int i = 1; i < b->type.shape.rank; i++) text_add(&out, "[%s]", c_size(b->type.shape.size[i]));
    return out.s;
}

static void declare_array(Text *out, const Buffer *b)
{
    text_add(out, "    %s %s", c_type(b->type.elem), b->name);
    if (b->flat) text_add(out, "[%ld]", shape_upper(&b->type.shape));
    for (int i = 0; i < b->type.shape.rank && !b->flat; i++)
        text_add(out, "[%s]", c_size(size_const(size_upper(b->type.shape.size[i]))));
    text_add(out, ";\n");
}

static void declare_work(Text *out, const Buffer *b)
{
    Text line = {0};
    bool flat = b->flat || b->type.shape.rank < 2;
    if (b->type.elem == ELEM_U8 && !strcmp(b->name, "scratch"))
        text_add(&line, "void *const scratch = w + %ld;", b->offset);
    else {
        const char *cast = pointer_declaration(b, "", "");
        text_add(&line, "%s = (%s)(w + %ld);", pointer_declaration(b, b->name, "const "),
                 flat ? format("%s *", c_type(b->type.elem)) : cast, b->offset);
    }
    wrap_lines(out, line.s, 4);
}

static void declare_alias(Text *out, const Buffer *b, const char *array)
{
    Text at = {0};
    text_add(&at, "&%s", array);
    for (int i = 0; i < b->type.shape.rank; i++) text_add(&at, "[0]");
    text_add(out, "    %s%s *const %s = %s;\n", b->writable ? "" : "const ", c_type(b->type.elem), b->access, at.s);
}

/* Arrays in the work area, arrays and scalars on the stack, and struct members that are accessed as
 * one row of elements. */
static void declare_buffers(Text *out, const Code *c, const Signature *s)
{
    bool area = false;
    Text arrays = {0};
    for (int i = 0; i < c->buffers.n; i++) {
        const Buffer *b = c->buffers.at[i];
        if (!b->used) continue;
        if (b->memory == MEM_WORK) declare_work(&arrays, b);
        else if (b->type.shape.rank == 0) text_add(out, "    %s %s;\n", c_value_type(b->type.elem), b->name);
        else declare_array(out, b);
        area |= b->memory == MEM_WORK;
    }
    for (int i = 0; i < c->leaves.n; i++) {
        const Buffer *b = c->leaves.at[i];
        if (b->used && b->flat && b->memory == MEM_SLOT) declare_alias(out, b, slot_access(b->slot));
    }
    for (int i = 0; i < c->outputs.n; i++) {
        const Buffer *b = c->outputs.at[i];
        if (!b->used || !b->flat || !b->slot) continue;
        for (int k = 0; k < c->entry->outputs.n; k++)
            if (c->entry->outputs.at[k].name == b->name)
                declare_alias(out, b, format("%s->%s", s->outputs.at[k], c_path(b->slot->path)));
    }
    if (area) text_add(out, "    char *const w = (char *)work;\n%s", arrays.s);
}

/* ---- the function of an entry ---- */

static Emit *new_emit(Code *c)
{
    Emit *e = NEW(Emit);
    int n = c->g->nodes.n + 1;
    e->c = c;
    e->c_name = NEW_N(const char *, n);
    e->number = NEW_N(int, n);
    e->given = NEW_N(bool, n);
    e->store_number = NEW_N(int, c->defs.n + 1);
    number_equations(e);
    for (int i = 0; i < c->defs.n; i++) {
        const char *name = node_name(c->names, c->defs.at[i]->node);
        if (name) e->c_name[c->defs.at[i]->node->id] = c_identifier(name);
    }
    return e;
}

/* The initialiser sets everything to 0 at once. */
static bool is_zero_already(const Emit *e, const Kernel *k)
{
    double v;
    const Def *d = k->defs.at[0];
    return e->c->entry == e->c->program->init && k->defs.n == 1 && d->is_store && node_is_const(d->node, &v) && v == 0;
}

static void emit_kernel(Text *out, Emit *e, const Kernel *k)
{
    int taken = e->ids->taken.n;
    if (is_zero_already(e, k)) return;
    e->k = k;
    e->depth = e->row_level = 0;
    e->scope[0] = (Scope){.var = {"", size_const(1), 0}};
    switch (k->kind) {
    case DEF_GEMM: emit_gemm(e, k->defs.at[0]); break;
    case DEF_JOIN: emit_join(e, k->defs.at[0]); break;
    case DEF_SCATTER:
        if (k->defs.at[0]->node->op == OP_UNWINDOW) emit_unwindow(e, k->defs.at[0]);
        else emit_scatter(e, k->defs.at[0]);
        break;
    case DEF_DRAW: emit_draw(e, k->defs.at[0]); break;
    default: emit_loops(e);
    }
    const Scope *s = &e->scope[0];
    text_add(out, "\n");
    print_kernel_note(out, e, k);
    if (s->declares) text_add(out, "    {\n");
    for (int i = 0; i < s->lines.n; i++) {
        int indent = (int)strspn(s->lines.at[i], " ");
        wrap_lines(out, s->lines.at[i] + indent, indent + (s->declares ? 8 : 4));
    }
    if (s->declares) text_add(out, "    }\n");
    e->ids->taken.n = taken;
}

static Buffer *leaf_buffer(const Code *c, Memory memory, const char *access)
{
    for (int i = 0; i < c->leaves.n; i++)
        if (c->leaves.at[i]->memory == memory && !strcmp(c->leaves.at[i]->access, access)) return c->leaves.at[i];
    return NULL;
}

static Buffer *output_buffer(const Code *c, const char *access)
{
    for (int i = 0; i < c->outputs.n; i++)
        if (!c->outputs.at[i]->slot && !strcmp(c->outputs.at[i]->access, access)) return c->outputs.at[i];
    return NULL;
}

static const char *pass_input(const Code *c, const Signature *s, int i)
{
    const Type *t = &c->entry->inputs.at[i].type;
    Buffer *b = leaf_buffer(c, MEM_INPUT, s->inputs.at[i]);
    if (!t->shape.rank) return format("%s %s", c_type(t->elem), s->inputs.at[i]);
    if (!b) return format("const %s *NN_RESTRICT %s", c_type(t->elem), s->inputs.at[i]);
    return pointer_declaration(b, s->inputs.at[i], "NN_RESTRICT ");
}

static const char *pass_output(const Code *c, const Signature *s, int i)
{
    Buffer *b = output_buffer(c, s->outputs.at[i]);
    if (!b) return format("%s_params *NN_RESTRICT %s", c->program->name, s->outputs.at[i]);
    return pointer_declaration(b, s->outputs.at[i], "NN_RESTRICT ");
}

/* The head of the function that is compiled once per instruction set: arrays as pointers to rows. */
static void print_head(Text *out, const Code *c, const Signature *s)
{
    Text line = {0};
    const Program *p = c->program;
    bool is_init = c->entry == p->init;
    text_add(&line, "static %s NN_NAME(%s)(", s->returns, c_identifier(c->entry->name));
    const char *sep = "";
    if (s->has_model) {
        text_add(&line, "%s%s *NN_RESTRICT m", s->model_is_const ? "const " : "", p->name);
        sep = ", ";
    }
    if (is_init) text_add(&line, "%suint64_t seed", sep);
    for (int i = 0; i < c->entry->dims.n; i++, sep = ", ") text_add(&line, "%sint %s", sep, c->entry->dims.at[i]->name);
    for (int i = 0; i < c->entry->inputs.n; i++, sep = ", ") text_add(&line, "%s%s", sep, pass_input(c, s, i));
    for (int i = 0; i < c->entry->outputs.n && !c->result; i++, sep = ", ") text_add(&line, "%s%s", sep, pass_output(c, s, i));
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
    c_unique(&ids, "w");
    e->ids = &ids;
    e->noted = NEW_N(bool, c->g->nodes.n + 1);
    name_buffers(e);
    for (int i = 0; i < c->kernels.n; i++) emit_kernel(&kernels, e, c->kernels.at[i]);
    bool is_init = c->entry == c->program->init;
    Text end = {0};
    if (c->entry->draws || is_init) text_add(&end, is_init ? "\n    m->state.call = 1;\n" : "\n    m->state.call++;\n");
    if (c->result) text_add(&end, "%s    return %s;\n", end.n ? "" : "\n", c->result_home->access);
    if (c->result) c->result_home->used = true;
    declare_buffers(&body, c, &s);
    if (is_init) text_add(&body, "    memset(m, 0, sizeof *m);\n    m->state.seed = seed;\n");
    const char *all = format("%s%s%s", body.s ? body.s : "", kernels.s ? kernels.s : "", end.s ? end.s : "");
    Text unused = {0};
    print_unused(&unused, c, &s, all);
    return format("%s%s", unused.s ? unused.s : "", all);
}

static void print_function(Text *out, Emit *e)
{
    function_body(e);
    for (int i = 0; i < e->c->leaves.n; i++) e->c->leaves.at[i]->used = false;
    for (int i = 0; i < e->c->outputs.n; i++) e->c->outputs.at[i]->used = false;
    for (int i = 0; i < e->c->buffers.n; i++) e->c->buffers.at[i]->used = false;
    const char *body = function_body(e);
    Signature s = signature_of(e->c->program, e->c->entry);
    text_add(out, "\n");
    print_head(out, e->c, &s);
    while (*body == '\n') body++;
    text_add(out, "{\n%s}\n", body);
}

/* ---- the public functions ---- */

static void print_checks(Text *out, const Entry *e)
{
    for (int i = 0; i < e->dims.n; i++) {
        const Dim *d = e->dims.at[i];
        if (d->hi >= 0) text_add(out, "    NN_CHECK(%s >= %ld && %s <= %ld);\n", d->name, d->lo, d->name, d->hi);
    }
}

static void print_call(Text *out, const Code *c)
{
    const Program *p = c->program;
    Signature s = signature_of(p, c->entry);
    Text line = {0};
    const char *sep = "";
    text_add(&line, "%sNN_CALL(%s)(", c->result ? "return " : "", c_identifier(c->entry->name));
    if (s.has_model) text_add(&line, "m"), sep = ", ";
    for (int i = 0; i < c->entry->dims.n; i++, sep = ", ") text_add(&line, "%s%s", sep, c->entry->dims.at[i]->name);
    for (int i = 0; i < c->entry->inputs.n; i++, sep = ", ") {
        Buffer *b = leaf_buffer(c, MEM_INPUT, s.inputs.at[i]);
        bool rows = b && !b->flat && b->type.shape.rank > 1;
        text_add(&line, rows ? "%s(%s)%s" : "%s%s%s", sep, rows ? pointer_declaration(b, "", "") : "", s.inputs.at[i]);
    }
    for (int i = 0; i < c->entry->outputs.n && !c->result; i++, sep = ", ") {
        Buffer *b = output_buffer(c, s.outputs.at[i]);
        bool rows = b && !b->flat && b->type.shape.rank > 1;
        text_add(&line, rows ? "%s(%s)%s" : "%s%s%s", sep, rows ? pointer_declaration(b, "", "") : "", s.outputs.at[i]);
    }
    text_add(&line, "%swork);", sep);
    wrap_lines(out, format("%s", prototype(p, c->entry)), 0);
    text_add(out, "{\n");
    print_checks(out, c->entry);
    wrap_lines(out, line.s, 4);
    text_add(out, "}\n\n");
}

static const char *dtype_name(Elem e)
{
    switch (e) {
    case ELEM_REAL: return options.f64 ? "NN_F64" : "NN_F32";
    case ELEM_F64: return "NN_F64";
    case ELEM_F32: return "NN_F32";
    case ELEM_F16: return "NN_F16";
    case ELEM_I8: return "NN_I8";
    case ELEM_I32: return "NN_I32";
    case ELEM_U8: return "NN_U8";
    default: return "NN_BOOL";
    }
}

static void print_table(Text *out, const Program *p, const char *kind, const SlotList *slots, const char *first)
{
    text_add(out, "const nn_tensor %s_%s_table[%s_%sS] = {\n%s", p->name, kind, c_upper(p->name), c_upper(kind), first);
    for (int i = 0; i < slots->n; i++) {
        const Slot *s = slots->at[i];
        Text line = {0};
        text_add(&line, "{\"%s\", offsetof(%s_%s%s, %s), %s, %d, {", s->path, p->name, kind, s->is_state ? "" : "s",
                 c_path(s->path), dtype_name(s->type.elem), s->type.shape.rank);
        for (int k = 0; k < s->type.shape.rank; k++)
            text_add(&line, "%s%s", k ? ", " : "", size_text(s->type.shape.size[k]));
        text_add(&line, "%s}},", s->type.shape.rank ? "" : "0");
        wrap_lines(out, line.s, 4);
    }
    text_add(out, "};\n\n");
}

static void print_public(Text *out, const Program *p, const CodeList *codes)
{
    if (program_has_model(p)) {
        const char *first = format("    {\"seed\", offsetof(%s_state, seed), NN_U64, 0, {0}},\n"
                                   "    {\"call\", offsetof(%s_state, call), NN_U64, 0, {0}},\n", p->name, p->name);
        if (p->params.n) print_table(out, p, "param", &p->params, "");
        print_table(out, p, "state", &p->states, first);
    }
    for (int i = 0; i < codes->n; i++) {
        if (codes->at[i]->entry != p->init) print_call(out, codes->at[i]);
        else text_add(out, "void %s_init(%s *m, uint64_t seed)\n{\n    NN_CALL(%s)(m, seed);\n}\n\n", p->name, p->name,
                      c_identifier(p->init->name));
    }
}

/* ---- the file ---- */

static void print_values(Text *out, const Buffer *b, const double *v, int axis, long begin, long count, bool flat)
{
    long size = count;
    if (!flat) size_is_const(b->type.shape.size[axis], &size);
    bool last = flat || axis == b->type.shape.rank - 1;
    text_add(out, "{");
    for (long i = 0; i < size; i++) {
        text_add(out, i == 0 ? "" : last && i % 12 ? ", " : ",\n    ");
        if (last) text_add(out, "%s", c_number(b->type.elem, v[begin + i]));
        else print_values(out, b, v, axis + 1, begin + i * (count / size), count / size, false);
    }
    text_add(out, "}");
}

static void print_constants(Text *out, const Code *c)
{
    for (int i = 0; i < c->g->nodes.n; i++) {
        const Node *n = c->g->nodes.at[i];
        Buffer *b = c->leaf_of[i];
        if (n->op != OP_TABLE || !b || !b->used) continue;
        long count = shape_upper(&n->type.shape);
        text_add(out, "static const %s %s", c_type(n->type.elem), b->access);
        for (int k = 0; k < n->type.shape.rank && !b->flat; k++) text_add(out, "[%s]", size_text(n->type.shape.size[k]));
        if (b->flat) text_add(out, "[%ld]", count);
        text_add(out, " = ");
        print_values(out, b, n->attr.ref, 0, 0, count, b->flat);
        text_add(out, ";\n");
    }
}

static void print_opening(Text *out, const Program *p, Emit **emits, int n)
{
    const char *from = p->src ? p->src->name : "a graph";
    if (strrchr(from, '/')) from = strrchr(from, '/') + 1;
    text_add(out, "/* %s.c - generated by nnc from %s.\n", p->name, from);
    for (int i = 0; i < n; i++) {
        if (!emits[i]->c->kernels.n) continue;
        text_add(out, " *\n * %s\n", emits[i]->c->entry->name);
        print_equations(out, emits[i]);
        print_work(out, emits[i]);
    }
    text_add(out, " */\n");
}

static void print_once(Text *out, const Program *p, const CodeList *codes, const char *functions)
{
    Text once = {0};
    print_size_names(&once, functions);
    for (int i = 0; i < codes->n; i++) print_constants(&once, codes->at[i]);
    text_add(out, "#include \"%s.h\"\n\n#ifndef %s_ONCE\n#define %s_ONCE\n", p->name, c_upper(p->name), c_upper(p->name));
    text_add(out, "#ifdef NN_DEBUG\n#include <assert.h>\n#define NN_CHECK(x) assert(x)\n#else\n#define NN_CHECK(x) ((void)0)\n#endif\n");
    text_add(out, "/* the passes of a loop do not depend on each other */\n");
    text_add(out, "#if defined __clang__\n#define NN_EACH _Pragma(\"clang loop vectorize(assume_safety)\")\n"
                  "#elif defined __GNUC__\n#define NN_EACH _Pragma(\"GCC ivdep\")\n#else\n#define NN_EACH\n#endif\n");
    text_add(out, "%s#endif\n\n", once.s ? once.s : "");
}

void emit_program(Program *p, Text *header, Text *source)
{
    CodeList codes = compile_entries(p);
    Emit **emits = NEW_N(Emit *, codes.n + 1);
    Text functions = {0}, helpers = {0};
    name_sizes(p);
    for (int i = 0; i < codes.n; i++) {
        emits[i] = new_emit(codes.at[i]);
        print_function(&functions, emits[i]);
    }
    if (!functions.s) text_add(&functions, "\n");
    print_helpers(&helpers, functions.s);
    print_opening(source, p, emits, codes.n);
    print_once(source, p, &codes, functions.s);
    text_add(source, "#define NN_SELF \"%s.c\"\n#include \"nn_isa.h\"\n\n#ifdef NN_ISA /* once for every instruction set */\n", p->name);
    text_add(source, "#include \"nn_math.h\"\n#include \"nn_reduce.h\"\n%s%s\n#else /* once */\n\n", helpers.s ? helpers.s : "", functions.s);
    print_public(source, p, &codes);
    text_add(source, "#endif\n");
    emit_header(header, p, &codes);
}
