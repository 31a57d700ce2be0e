/* emit_constant.c - constant arrays: tables of the source, and the weights of --weights.
 * In: compiled entries whose code is written, so that it is known what they use. Out: a `static
 * const` array for each, a weight once for all entries. A number is the shortest that reads back
 * the same; a half is its bits. */
#include "emit.h"
#include "eval.h"

#include <string.h>

/* ---- names of weights ---- */

typedef struct Constant {
    const Slot *slot;
    const char *name;
} Constant;
static VEC(Constant) constants;

static void name_constant(const Program *p, Identifiers *ids, const Slot *s)
{
    for (int i = 0; i < constants.n; i++)
        if (constants.at[i].slot == s) return;
    const char *name = c_identifier(format("%s_%s", p->name, underscored(s->path)));
    vec_push(&constants, ((Constant){s, c_unique(ids, name)}));
}

void name_constants(const Program *p, const CodeList *codes)
{
    static const char *const own[] = {"init", "params", "state", "param_table", "state_table"};
    Identifiers ids = {0};
    memset(&constants, 0, sizeof constants);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        vec_push(&ids.taken, format("%s_%s", p->name, own[i]));
    for (const char *const *f = profile_functions; *f; f++)
        vec_push(&ids.taken, format("%s_%s", p->name, *f));
    for (int i = 0; i < codes->n; i++) {
        const Entry *e = codes->at[i]->entry;
        Signature s = signature_of(p, e);
        vec_push(&ids.taken, format("%s_%s", p->name, c_identifier(e->name)));
        for (int k = 0; k < s.ids.taken.n; k++) vec_push(&ids.taken, s.ids.taken.at[k]);
    }
    for (int i = 0; i < codes->n; i++)
        for (int k = 0; k < codes->at[i]->leaves.n; k++) {
            const Slot *s = codes->at[i]->leaves.at[k]->slot;
            if (s && s->values) name_constant(p, &ids, s);
        }
}

const char *c_constant(const Slot *s)
{
    for (int i = 0; i < constants.n; i++)
        if (constants.at[i].slot == s) return constants.at[i].name;
    return s->path;
}

/* ---- values ---- */

static const char *value_text(Elem e, double v)
{
    return e == ELEM_F16 ? format("0x%04x", half_bits(v)) : c_number(e, v);
}

static void print_values(Text *out, const Type *t, const double *v, int axis, long begin,
                         long count, bool flat)
{
    long size = count;
    if (!flat) size_is_const(t->shape.size[axis], &size);
    bool last = flat || axis == t->shape.rank - 1;
    text_add(out, "{");
    for (long i = 0; i < size; i++) {
        text_add(out, i == 0 ? "" : last && i % 12 ? ", " : ",\n    ");
        if (last)
            text_add(out, "%s", value_text(t->elem, v[begin + i]));
        else
            print_values(out, t, v, axis + 1, begin + i * (count / size), count / size, false);
    }
    text_add(out, "}");
}

static void print_array(Text *out, const char *name, const Type *t, const double *v, bool flat)
{
    long count = shape_upper(&t->shape);
    text_add(out, "static const %s %s", c_type(t->elem), name);
    for (int k = 0; k < t->shape.rank && !flat; k++)
        text_add(out, "[%s]", size_text(t->shape.size[k]));
    if (flat) text_add(out, "[%ld]", count);
    text_add(out, " = ");
    print_values(out, t, v, 0, 0, count, flat);
    text_add(out, ";\n");
}

static bool is_used(const CodeList *codes, const Slot *s)
{
    for (int i = 0; i < codes->n; i++)
        for (int k = 0; k < codes->at[i]->leaves.n; k++) {
            const Buffer *b = codes->at[i]->leaves.at[k];
            if (b->slot == s && b->used) return true;
        }
    return false;
}

void print_constants(Text *out, const CodeList *codes)
{
    for (int i = 0; i < constants.n; i++) {
        const Slot *s = constants.at[i].slot;
        if (is_used(codes, s)) print_array(out, constants.at[i].name, &s->type, s->values, false);
    }
    for (int i = 0; i < codes->n; i++)
        for (int k = 0; k < codes->at[i]->g->nodes.n; k++) {
            const Node *n = codes->at[i]->g->nodes.at[k];
            const Buffer *b = codes->at[i]->leaf_of[k];
            if (n->op == OP_TABLE && b && b->used)
                print_array(out, b->access, &n->type, n->attr.ref, b->flat);
        }
}
