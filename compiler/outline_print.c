/* outline_print.c - routines and their calls as C.
 * In: a routine with its names. Out: a static function, and for each of its kernels a call that
 * hands over the arrays, by NN_SHARE where threads may share its passes. */
#include "outline.h"

#include <string.h>

/* ---- the function ---- */

static bool has_hole(const Sketch *s, const char *word)
{
    for (int i = 0; i < s->lines.n; i++)
        if (has_word(s->lines.at[i], word)) return true;
    return false;
}

typedef VEC(int) IntList;

/* The holes that are arguments: what the kernel reads, then what it writes. */
static IntList argument_order(const Sketch *s)
{
    IntList order = {0};
    for (int written = 0; written < 2; written++)
        for (int i = 0; i < s->holes.n; i++)
            if (is_argument(&s->holes.at[i]) && s->holes.at[i].written == written)
                vec_push(&order, i);
    return order;
}

static const char *passes_text(const Routine *r)
{
    return r->passes == PASSES_RANGE ? format("int %s, int %s", r->first, r->last)
           : r->passes == PASSES_N   ? format("int %s", r->last)
                                     : "";
}

static const char *head_text(const Routine *r)
{
    const Sketch *s = r->uses.at[0];
    const Program *p = s->e->c->program;
    Text head = {0};
    const char *sep = r->passes == PASSES_KNOWN ? "" : ", ";
    text_add(&head, "%s void NN_NAME(%s)(%s", r->uses.n > 1 ? "NN_NOINLINE" : "static", r->name,
             passes_text(r));
    for (int i = 0; i < p->dims.n; i++) {
        if (!has_hole(s, p->dims.at[i]->name)) continue;
        text_add(&head, "%sint %s", sep, p->dims.at[i]->name);
        sep = ", ";
    }
    const IntList order = argument_order(s);
    for (int k = 0; k < order.n; k++, sep = ", ") {
        const int i = order.at[k];
        text_add(&head, "%s%s", sep,
                 hole_declaration(&s->holes.at[i], r->names[i], r->is_const[i],
                                  r->apart ? "NN_RESTRICT " : ""));
    }
    text_add(&head, ")");
    return head.s;
}

static void print_locals(Text *out, const Routine *r)
{
    const Sketch *s = r->uses.at[0];
    bool any = false;
    for (int i = 0; i < s->holes.n; i++) {
        const Hole *h = &s->holes.at[i];
        bool own = h->buffer && h->buffer->is_scratch && r->passes == PASSES_RANGE;
        if (own)
            text_add(out, "    NN_OWN_SCRATCH(%s, %ld);\n", r->names[i], h->buffer->bytes);
        else if (h->buffer && !is_argument(h))
            text_add(out, "    %s;\n", hole_declaration(h, r->names[i], false, ""));
        else
            continue;
        any = true;
    }
    if (any) text_add(out, "\n");
}

/* The loop's own line, with the passes that it is given. */
static const char *loop_text(const Routine *r)
{
    const Sketch *s = r->uses.at[0];
    const char *from = strstr(s->ranged, "FROM"), *to = strstr(from, "TO");
    return format("%.*s%s%.*s%s%s", (int)(from - s->ranged), s->ranged, r->first ? r->first : "0",
                  (int)(to - from - 4), from + 4,
                  r->passes == PASSES_KNOWN ? c_size(s->passes) : r->last, to + 2);
}

/* For one kernel, which its equations stand above: their numbers; for several: the equations. */
static void print_comment(Text *out, const Routine *r)
{
    const Sketch *s = r->uses.at[0];
    const KernelEquations q = kernel_equations(s->e, s->k);
    const char *to = q.last == q.first ? "" : format(" .. (%d)", q.last);
    const char *place = format("(%d)%s of %s", q.first, to, s->e->c->entry->name);
    if (r->uses.n > 1) {
        Text note = {0};
        print_routine_equations(&note, r, " *   ");
        note.s[note.n - 1] = 0;
        text_add(out, "\n/* %s, and %d more:\n%s */\n", place, r->uses.n - 1, note.s);
    } else
        text_add(out, "\n/* passes of the loop at %s */\n", place);
}

void print_routine(Text *out, Routine *r)
{
    const Sketch *s = r->uses.at[0];
    if (r->printed) return;
    r->printed = true;
    print_comment(out, r);
    wrap_lines(out, head_text(r), 0);
    text_add(out, "{\n");
    print_locals(out, r);
    for (int i = 0; i < s->lines.n; i++) {
        const char *line = s->lines.at[i];
        if (s->passes && !strcmp(line, s->ranged)) line = loop_text(r);
        int indent = (int)strspn(line, " ");
        const char *filled = fill_holes(line + indent, r->names);
        if (s->k->kind == DEF_SCAN) filled = with_argument_types(s->e, s->k, filled);
        wrap_lines(out, filled, indent + 4);
    }
    text_add(out, "}\n");
}

/* ---- calls ---- */

/* Is the array const where the call stands? Parameters and states are when the model is. */
static bool is_const_there(const Sketch *s, const Buffer *b)
{
    const Entry *entry = s->e->c->entry;
    if (b->memory == MEM_SLOT) return !entry->writes && !entry->draws;
    return !b->writable;
}

/* The array of the entry in the type that the routine has for it. */
static const char *argument_text(const Routine *r, const Sketch *s, int i)
{
    const Hole *h = &s->holes.at[i];
    Buffer *b = h->buffer;
    const Affine start = affine_const(size_const(0));
    b->used = true;
    if (!b->type.shape.rank || b->is_scratch) return b->access;
    if (h->flat || b->type.shape.rank < 2) return array_text(b, &start);
    if (!b->flat && r->is_const[i] == is_const_there(s, b)) return b->access;
    return format("(%s)%s", hole_declaration(h, "", r->is_const[i], ""), b->access);
}

const char *call_text(Emit *e, const Sketch *s)
{
    const Routine *r = s->routine;
    const char *size = c_size(s->passes ? s->passes : size_const(0)), *sep = "";
    Text call = {0};
    text_add(&call, "NN_NAME(%s)(", r->name);
    if (r->passes == PASSES_RANGE) text_add(&call, s->is_shared ? "nn_from, nn_to" : "0, %s", size);
    if (r->passes == PASSES_N) text_add(&call, "%s", size);
    if (r->passes != PASSES_KNOWN) sep = ", ";
    for (int i = 0; i < e->c->program->dims.n; i++) {
        if (!has_hole(s, e->c->program->dims.at[i]->name)) continue;
        text_add(&call, "%s%s", sep, e->c->program->dims.at[i]->name);
        sep = ", ";
    }
    const IntList order = argument_order(s);
    for (int k = 0; k < order.n; k++, sep = ", ")
        text_add(&call, "%s%s", sep, argument_text(r, s, order.at[k]));
    if (s->is_shared) return format("NN_SHARE(%s, %s, %s));", size, s->cost, call.s);
    return format("%s);", call.s);
}
