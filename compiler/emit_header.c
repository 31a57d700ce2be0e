/* emit_header.c - the header of the generated code: what a C program sees of the model.
 * In: the program and its compiled entries. Out: the parameters and the states as structs of real
 * arrays, one prototype for each entry, the bytes of work each needs, and tables of what the
 * structs hold, for saving and loading. */
#include "emit.h"

#include <string.h>

bool program_has_model(const Program *p) { return p->params.n || p->states.n || p->has_draws; }

/* ---- structs ---- */

static void print_doc(Text *out, const char *doc, int indent)
{
    if (!doc || !*doc) return;
    for (const char *line = doc; *line;) {
        size_t n = strcspn(line, "\n");
        text_add(out, "%*s%s%.*s%s\n", indent, "", line == doc ? "/* " : " * ", (int)n, line,
                 line[n] ? "" : " */");
        line += n + (line[n] == '\n');
        if (!*line && line[-1] == '\n') text_add(out, "%*s */\n", indent, "");
    }
}

static void print_member(Text *out, const Slot *s, const char *name, int indent)
{
    print_doc(out, s->doc, indent);
    text_add(out, "%*s%s %s", indent, "", c_type(s->type.elem), name);
    for (int i = 0; i < s->type.shape.rank; i++)
        text_add(out, "[%s]", size_text(s->type.shape.size[i]));
    text_add(out, ";\n");
}

/* The members whose path starts with prefix, from slot `first` on; structs for nested paths. */
static void print_members(Text *out, const SlotList *slots, const char *prefix, int indent)
{
    size_t n = strlen(prefix);
    for (int i = 0; i < slots->n; i++) {
        const char *path = slots->at[i]->path;
        if (strncmp(path, prefix, n)) continue;
        size_t piece = strcspn(path + n, ".");
        const char *name = c_identifier(format("%.*s", (int)piece, path + n));
        if (!n)
            name = format("%.*s", (int)strcspn(c_slot(slots->at[i]), "."), c_slot(slots->at[i]));
        if (!path[n + piece]) {
            print_member(out, slots->at[i], name, indent);
            continue;
        }
        const char *inner = format("%.*s", (int)(n + piece + 1), path);
        bool seen = false;
        for (int k = 0; k < i; k++) seen |= !strncmp(slots->at[k]->path, inner, strlen(inner));
        if (seen) continue;
        text_add(out, "%*sstruct {\n", indent, "");
        print_members(out, slots, inner, indent + 4);
        text_add(out, "%*s} %s;\n", indent, "", name);
    }
}

static void print_structs(Text *out, const Program *p)
{
    const char *name = p->name, *model = c_model(p);
    if (p->params.n) {
        text_add(
            out,
            "/* Every parameter; a gradient has the same type. */\ntypedef struct %s_params {\n",
            name);
        print_members(out, &p->params, "", 4);
        text_add(out, "} %s_params;\n\n", name);
    }
    text_add(out, "/* What is kept between calls. */\ntypedef struct %s_state {\n", name);
    text_add(out, "    uint64_t seed; /* of all random numbers */\n    uint64_t call; /* counts "
                  "the calls that draw */\n");
    print_members(out, &p->states, "", 4);
    text_add(out,
             "} %s_state;\n\n/* The whole model: plain data, to be copied and saved as it is. */\n",
             name);
    text_add(out, "typedef struct %s {\n", model);
    if (p->params.n) text_add(out, "    %s_params params;\n", name);
    text_add(out, "    %s_state state;\n} %s;\n", name, model);
    if (model != name)
        text_add(out, "#ifndef __cplusplus /* where `%s` is no name */\ntypedef %s %s;\n#endif\n",
                 name, model, name);
    text_add(out, "\n");
}

/* ---- prototypes ---- */

static bool is_returned(const Entry *e)
{
    return !e->is_step && e->outputs.n == 1 && e->outputs.at[0].node &&
           e->outputs.at[0].node->type.shape.rank == 0;
}

Signature signature_of(const Program *p, const Entry *e)
{
    Signature s = {.has_model = program_has_model(p) && !e->is_step, .returns = "void"};
    s.model_is_const = !e->writes && !e->draws;
    if (s.has_model) c_unique(&s.ids, "m");
    for (int i = 0; i < e->dims.n; i++) c_unique(&s.ids, e->dims.at[i]->name);
    c_unique(&s.ids, "work");
    for (int i = 0; i < e->inputs.n; i++)
        vec_push(&s.inputs, c_unique(&s.ids, c_identifier(e->inputs.at[i].name)));
    if (is_returned(e)) s.returns = c_type(e->outputs.at[0].node->type.elem);
    for (int i = 0; i < e->outputs.n; i++) {
        const char *name = c_identifier(e->outputs.at[i].name ? e->outputs.at[i].name : "out");
        vec_push(&s.outputs, is_returned(e) ? name : c_unique(&s.ids, name));
    }
    return s;
}

static void add_argument(Text *out, const char *text)
{
    text_add(out, "%s%s", out->s[out->n - 1] == '(' ? "" : ", ", text);
}

const char *prototype(const Program *p, const Entry *e)
{
    Signature s = signature_of(p, e);
    Text out = {0};
    text_add(&out, "%s %s_%s(", s.returns, p->name, c_identifier(e->name));
    if (s.has_model)
        add_argument(&out, format("%s%s *m", s.model_is_const ? "const " : "", c_model(p)));
    for (int i = 0; i < e->dims.n; i++) add_argument(&out, format("int %s", e->dims.at[i]->name));
    for (int i = 0; i < e->inputs.n; i++) {
        Type t = e->inputs.at[i].type;
        add_argument(
            &out, format(t.shape.rank ? "const %s *%s" : "%s %s", c_type(t.elem), s.inputs.at[i]));
    }
    for (int i = 0; i < e->outputs.n && !is_returned(e); i++) {
        const Output *o = &e->outputs.at[i];
        const char *type = o->node ? c_type(o->node->type.elem) : format("%s_params", p->name);
        add_argument(&out, format("%s *%s", type, s.outputs.at[i]));
    }
    add_argument(&out, "void *work");
    text_add(&out, ")");
    return out.s;
}

static void print_entry(Text *out, const Program *p, const Code *c)
{
    Signature s = signature_of(p, c->entry);
    const Entry *e = c->entry;
    text_add(out, "\n");
    print_doc(out, e->doc, 0);
    Text shapes = {0};
    for (int i = 0; i < e->inputs.n; i++)
        if (e->inputs.at[i].type.shape.rank)
            text_add(&shapes, "%s%s: %s", shapes.n ? ", " : "", s.inputs.at[i],
                     type_text(e->inputs.at[i].type));
    for (int i = 0; i < e->outputs.n; i++)
        if (e->outputs.at[i].node && !is_returned(e))
            text_add(&shapes, "%s%s: %s",
                     !i && shapes.n ? "  ->  "
                     : shapes.n     ? ", "
                                    : "",
                     s.outputs.at[i], type_text(e->outputs.at[i].node->type));
    if (shapes.n) {
        Text wrapped = {0};
        wrap_lines(&wrapped, shapes.s, 0);
        text_add(out, "/* ");
        for (char *q = wrapped.s; *q; q++)
            if (*q != '\n')
                text_add(out, "%c", *q);
            else if (q[1])
                text_add(out, "\n  ");
        text_add(out, " */\n");
    }
    wrap_lines(out, format("%s;", prototype(p, e)), 0);
}

static void print_work_sizes(Text *out, const Program *p, const CodeList *codes)
{
    const char *upper = c_upper(p->name);
    long most = 0;
    text_add(out, "/* Bytes of `work`, aligned to 64; where it is 0, work may be NULL. */\n");
    for (int i = 0; i < codes->n; i++) {
        const Code *c = codes->at[i];
        if (c->entry == p->init) continue;
        text_add(out, "#define %s_%s_WORK %ld\n", upper, c_upper(c_identifier(c->entry->name)),
                 c->work_bytes);
        if (c->work_bytes > most) most = c->work_bytes;
    }
    text_add(out, "#define %s_WORK %ld\n", upper, most);
}

static void print_bounds(Text *out, const Program *p)
{
    const char *sep = "\n/* The largest sizes. */\nenum { ";
    for (int i = 0; i < p->dims.n; i++) {
        const Dim *d = p->dims.at[i];
        if (d->hi < 0) continue;
        text_add(out, "%s%s_%s_MAX = %ld", sep, c_upper(p->name), c_identifier(d->name), d->hi);
        sep = ", ";
    }
    if (*sep == ',') text_add(out, " };\n");
}

static void print_tables(Text *out, const Program *p)
{
    const char *name = p->name, *upper = c_upper(p->name);
    text_add(out, "\n/* What the structs hold, for nn_save and nn_load. */\n");
    text_add(out, "enum { %s_PARAMS = %d, %s_STATES = %d };\n", upper, p->params.n, upper,
             p->states.n + 2);
    if (p->params.n)
        text_add(out, "extern const nn_tensor %s_param_table[%s_PARAMS];\n", name, upper);
    text_add(out, "extern const nn_tensor %s_state_table[%s_STATES];\n", name, upper);
}

/* A model in a single file needs no other header: the row type of its tables, as in nn.h. */
static void print_tensor_type(Text *out)
{
    text_add(
        out,
        "\n#if !defined NN_H && !defined NN_TENSOR\n#define NN_TENSOR\n"
        "typedef enum nn_dtype { NN_F32, NN_F64, NN_F16, NN_I32, NN_U8, NN_I8, NN_BOOL, NN_U64 } "
        "nn_dtype;\n"
        "enum { NN_MAX_RANK = 8 };\n"
        "typedef struct nn_tensor {\n    const char *name;\n    size_t offset; /* bytes from the "
        "start of the struct */\n"
        "    nn_dtype type;\n    int rank;\n    int sizes[NN_MAX_RANK];\n} nn_tensor;\n#endif\n");
}

void emit_header(Text *out, const Program *p, const CodeList *codes,
                 const ProfileRows *rows)
{
    const char *guard = format("%s_H", c_upper(p->name));
    const char *from = p->src ? p->src->name : "a graph";
    if (strrchr(from, '/')) from = strrchr(from, '/') + 1;
    text_add(out, "/* %s.h - generated by nnc from %s. */\n", p->name, from);
    text_add(out, "#ifndef %s\n#define %s\n#include <stddef.h>\n#include <stdint.h>\n", guard,
             guard);
    if (rows->n) text_add(out, "#include <stdio.h>\n");
    if (program_has_model(p) && !options.single_file) text_add(out, "#include \"nn.h\"\n");
    if (program_has_model(p) && options.single_file) print_tensor_type(out);
    text_add(out, "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    if (program_has_model(p)) print_structs(out, p);
    print_work_sizes(out, p, codes);
    print_bounds(out, p);
    if (program_has_model(p)) {
        print_tables(out, p);
        text_add(out, "\n/* Draws the parameters and sets the states; the same seed gives the same "
                      "model. */\n");
        text_add(out, "void %s_init(%s *m, uint64_t seed);\n", p->name, c_model(p));
    }
    for (int i = 0; i < codes->n; i++)
        if (codes->at[i]->entry != p->init) print_entry(out, p, codes->at[i]);
    declare_profile(out, p, rows);
    text_add(out, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
}
