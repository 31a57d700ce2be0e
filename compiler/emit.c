/* emit.c - the program as one C file and its header.
 * In: a checked and lowered program. Out: C11 that is also C++, needs only the runtime, and is the
 * same for the same input. The file includes itself once for every instruction set; the functions
 * in it compute the entries, and the public ones choose. Every entry is written twice: the first
 * time shows which arrays are used, and whether axis by axis or as one row of elements. */
#include "emit.h"

#include <math.h>
#include <string.h>

/* ---- the public functions ---- */

static void print_checks(Text *out, const Entry *e)
{
    for (int i = 0; i < e->dims.n; i++) {
        const Dim *d = e->dims.at[i];
        if (d->hi >= 0)
            text_add(out, "    NN_CHECK(%s >= %ld && %s <= %ld);\n", d->name, d->lo, d->name,
                     d->hi);
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
    for (int i = 0; i < c->entry->dims.n; i++, sep = ", ")
        text_add(&line, "%s%s", sep, c->entry->dims.at[i]->name);
    for (int i = 0; i < c->entry->inputs.n; i++, sep = ", ") {
        Buffer *b = leaf_buffer(c, MEM_INPUT, s.inputs.at[i]);
        bool rows = b && !b->flat && b->type.shape.rank > 1;
        text_add(&line, rows ? "%s(%s)%s" : "%s%s%s", sep,
                 rows ? pointer_declaration(b, "", "") : "", s.inputs.at[i]);
    }
    for (int i = 0; i < c->entry->outputs.n && !c->result; i++, sep = ", ") {
        Buffer *b = output_buffer(c, s.outputs.at[i]);
        bool rows = b && !b->flat && b->type.shape.rank > 1;
        text_add(&line, rows ? "%s(%s)%s" : "%s%s%s", sep,
                 rows ? pointer_declaration(b, "", "") : "", s.outputs.at[i]);
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

static void print_table(Text *out, const Program *p, const char *kind, const SlotList *slots,
                        const char *first)
{
    text_add(out, "const nn_tensor %s_%s_table[%s_%sS] = {\n%s", p->name, kind, c_upper(p->name),
             c_upper(kind), first);
    for (int i = 0; i < slots->n; i++) {
        const Slot *s = slots->at[i];
        Text line = {0};
        text_add(&line, "{\"%s\", offsetof(%s_%s%s, %s), %s, %d, {", s->path, p->name, kind,
                 s->is_state ? "" : "s", c_slot(s), dtype_name(s->type.elem),
                 s->type.shape.rank);
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
                                   "    {\"call\", offsetof(%s_state, call), NN_U64, 0, {0}},\n",
                                   p->name, p->name);
        if (p->params.n) print_table(out, p, "param", &p->params, "");
        print_table(out, p, "state", &p->states, first);
    }
    for (int i = 0; i < codes->n; i++) {
        if (codes->at[i]->entry != p->init)
            print_call(out, codes->at[i]);
        else
            text_add(out, "void %s_init(%s *m, uint64_t seed)\n{\n    NN_CALL(%s)(m, seed);\n}\n\n",
                     p->name, c_model(p), c_identifier(p->init->name));
    }
}

/* ---- the file ---- */

static void print_values(Text *out, const Buffer *b, const double *v, int axis, long begin,
                         long count, bool flat)
{
    long size = count;
    if (!flat) size_is_const(b->type.shape.size[axis], &size);
    bool last = flat || axis == b->type.shape.rank - 1;
    text_add(out, "{");
    for (long i = 0; i < size; i++) {
        text_add(out, i == 0 ? "" : last && i % 12 ? ", " : ",\n    ");
        if (last)
            text_add(out, "%s", c_number(b->type.elem, v[begin + i]));
        else
            print_values(out, b, v, axis + 1, begin + i * (count / size), count / size, false);
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
        for (int k = 0; k < n->type.shape.rank && !b->flat; k++)
            text_add(out, "[%s]", size_text(n->type.shape.size[k]));
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

static const char macros[] =
    "#ifdef NN_DEBUG\n"
    "#include <assert.h>\n"
    "#define NN_CHECK(x) assert(x)\n"
    "#else\n"
    "#define NN_CHECK(x) ((void)0)\n"
    "#endif\n"
    "/* before a loop whose passes do not depend on each other */\n"
    "#if defined __clang__\n"
    "#pragma clang diagnostic ignored \"-Wpass-failed\" /* not every such loop has vectors */\n"
    "#define NN_EACH _Pragma(\"clang loop vectorize(assume_safety)\")\n"
    "#elif defined __GNUC__\n"
    "#define NN_EACH _Pragma(\"GCC ivdep\")\n"
    "#else\n"
    "#define NN_EACH\n"
    "#endif\n";

/* Of code that checks the indices that are data. */
static const char trap[] =
    "/* an index outside 0..rows-1: define it to do something else, which must not return */\n"
    "#ifndef NN_TRAP\n"
    "#if __STDC_HOSTED__\n"
    "#include <stdio.h>\n#include <stdlib.h>\n"
    "#define NN_TRAP(place, i, rows)                                                        \\\n"
    "    (fprintf(stderr, \"%s: the index %ld is not inside 0..%ld\\n\", place, (long)(i),     \\\n"
    "             (long)(rows) - 1),                                                        \\\n"
    "     abort())\n"
    "#else\n"
    "#define NN_TRAP(place, i, rows) __builtin_trap()\n"
    "#endif\n#endif\n";

static void print_once(Text *out, const Program *p, const CodeList *codes, const char *functions,
                       const ProfileRows *rows)
{
    Text once = {0};
    const char *upper = c_upper(p->name);
    print_size_names(&once, functions);
    for (int i = 0; i < codes->n; i++) print_constants(&once, codes->at[i]);
    print_profile_table(&once, rows);
    text_add(out, "#include \"%s.h\"\n\n#ifndef %s_ONCE\n#define %s_ONCE\n", p->name, upper, upper);
    text_add(out, "%s%s%s#endif\n\n", macros, has_word(functions, "nn_row") ? trap : "",
             once.s ? once.s : "");
}

/* The functions of steps stand before the function that calls them. */
static void add_with_steps(CodeList *all, Code *c)
{
    for (int i = 0; i < c->kernels.n; i++)
        if (c->kernels.at[i]->step) add_with_steps(all, c->kernels.at[i]->step);
    vec_push(all, c);
}

/* The file includes itself where it lies; with the runtime in it, nn_isa.h does that. */
static void print_passes(Text *out, const Program *p)
{
    if (options.single_file)
        text_add(out, "#define NN_SELF \"%s.c\"\n#include \"nn_isa.h\"\n\n", p->name);
    else
        text_add(out,
                 "#ifndef NN_ISA\n#include \"nn_pass.h\"\n#include \"%s.c\"\n#include \"nn_pass.h\"\n"
                 "#if NN_PASSES > 1\n#include \"%s.c\"\n#include \"nn_pass.h\"\n"
                 "#include \"%s.c\"\n#include \"nn_pass.h\"\n#endif\n#endif\n\n",
                 p->name, p->name, p->name);
    text_add(out, "#ifdef NN_ISA /* once for every instruction set */\n");
}

/* Sizes are written with the names of the dims, so these are C identifiers while C is written; the
 * names in the language come back. */
static Lines name_dims(const Program *p)
{
    Lines before = {0};
    Identifiers ids = {0};
    c_unique(&ids, "m");
    c_unique(&ids, "work");
    for (int i = 0; i < p->dims.n; i++) {
        vec_push(&before, p->dims.at[i]->name);
        p->dims.at[i]->name = c_unique(&ids, c_identifier(before.at[i]));
    }
    return before;
}

void emit_program(Program *p, Text *header, Text *source)
{
    Lines dims = name_dims(p);
    CodeList codes = compile_entries(p), all = {0};
    Text functions = {0}, helpers = {0};
    name_sizes(p);
    for (int i = 0; i < codes.n; i++) add_with_steps(&all, codes.at[i]);
    Emit **emits = NEW_N(Emit *, all.n + 1);
    for (int i = 0; i < all.n; i++) emits[i] = new_emit(all.at[i]);
    Identifiers names = {0};
    for (int i = 0; i < all.n; i++) {
        vec_push(&names.taken, c_identifier(all.at[i]->entry->name));
        emits[i]->functions = &names;
    }
    find_routines(emits, all.n, &names);
    ProfileRows rows = profile_rows(emits, &codes);
    for (int i = 0; i < all.n; i++) print_function(&functions, emits[i]);
    if (!functions.s) text_add(&functions, "\n");
    print_helpers(&helpers, functions.s);
    print_opening(source, p, emits, all.n);
    print_once(source, p, &all, functions.s, &rows);
    print_passes(source, p);
    text_add(source, "#include \"nn_math.h\"\n#include \"nn_reduce.h\"\n%s%s\n#else /* once */\n\n",
             helpers.s ? helpers.s : "", functions.s);
    print_public(source, p, &codes);
    print_profile_functions(source, p, &rows);
    text_add(source, "#endif\n");
    emit_header(header, p, &codes, &rows);
    for (int i = 0; i < dims.n; i++) p->dims.at[i]->name = dims.at[i];
}
