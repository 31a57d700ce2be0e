/* emit_share.c - loops that threads may share.
 * In: an outermost loop whose passes do not depend on each other, already written. Out: when it takes
 * long enough, a function of its own that runs the passes from .. to - 1, and in the loop's place a
 * call of it inside NN_SHARE, which without OpenMP is just that call. What the loop uses becomes its
 * arguments; arrays that hold one row become locals, so that every thread has its own. A function and
 * not a parallel region in place, because clang compiles a region without the instruction set of the
 * function around it. Every element is computed as before, so no bit depends on the threads. */
#include "emit.h"

#include <string.h>

enum { WORTH_SHARING = 30000 }; /* nanoseconds */

/* What the function has from its caller, and of its own. */
typedef struct Share {
    const char *body;
    Lines declarations, names; /* of arguments */
    Text locals;
    bool possible;
} Share;

static void pass(Share *s, const char *name, const char *declaration)
{
    if (!has_word(s->body, name)) return;
    vec_push(&s->names, name);
    vec_push(&s->declarations, declaration);
}

static bool is_home_here(const Emit *e, const Buffer *b)
{
    for (int i = 0; i < e->k->defs.n; i++)
        if (e->k->defs.at[i]->home == b) return true;
    return false;
}

/* A row in the work area, or a scalar that the loop sets, is one for all passes. */
static void pass_local(Share *s, const Emit *e, Buffer *b)
{
    if (!b->name || !has_word(s->body, b->name)) return;
    if (b->memory == MEM_ROW) {
        if (b->type.shape.rank)
            declare_array(&s->locals, b);
        else
            text_add(&s->locals, "    %s %s;\n", scalar_type(b), b->name);
        b->used = false;
    } else if (b->is_scratch) {
        pass(s, b->name, format("void *%s", b->name));
        text_add(&s->locals, "    NN_OWN_SCRATCH(%s, %ld);\n", b->name, b->bytes);
    } else if (b->skip || (!b->type.shape.rank && is_home_here(e, b)))
        s->possible = false;
    else if (b->type.shape.rank)
        pass(s, b->name, pointer_declaration(b, b->name, ""));
    else
        pass(s, b->name, format("%s %s", scalar_type(b), b->name));
}

static void pass_arguments(Share *s, const Code *c)
{
    const Signature sig = signature_of(c->program, c->entry);
    if (sig.has_model)
        pass(s, "m", format("%s%s *m", sig.model_is_const ? "const " : "", c_model(c->program)));
    for (int i = 0; i < c->entry->dims.n; i++)
        pass(s, c->entry->dims.at[i]->name, format("int %s", c->entry->dims.at[i]->name));
    for (int i = 0; i < c->entry->inputs.n; i++)
        pass(s, sig.inputs.at[i], input_declaration(c, &sig, i, ""));
    for (int i = 0; i < c->entry->outputs.n && !c->result; i++)
        pass(s, sig.outputs.at[i], output_declaration(c, &sig, i, ""));
}

/* Members of the model and of sets that are accessed as one row of elements. */
static void pass_aliases(Share *s, const BufferList *list)
{
    for (int i = 0; i < list->n; i++) {
        const Buffer *b = list->at[i];
        if (b->flat && b->slot) pass(s, b->access, pointer_declaration(b, b->access, ""));
    }
}

/* Values that all passes use are locals in front of the loop: "const float scale = ..". */
static void pass_values(Share *s, const Lines *before)
{
    for (int i = 0; i < before->n; i++) {
        const char *line = before->at[i], *end = strstr(line, " = "), *name = end;
        if (strncmp(line, "const ", 6) || !end) continue;
        while (name[-1] != ' ') name--;
        pass(s, format("%.*s", (int)(end - name), name), format("%.*s", (int)(end - line), line));
    }
}

static Share share_of(const Emit *e, const char *body)
{
    Share s = {.body = body, .possible = true};
    pass_arguments(&s, e->c);
    pass_aliases(&s, &e->c->leaves);
    pass_aliases(&s, &e->c->outputs);
    pass_values(&s, &e->scope[0].lines);
    for (int i = 0; i < e->c->buffers.n; i++) pass_local(&s, e, e->c->buffers.at[i]);
    return s;
}

static const char *loop_text(const Scope *s, const char *pragma, const char *from, const char *to)
{
    Text body = {0};
    const char *v = s->var.name;
    bool braces = s->statements != 1;
    if (pragma) text_add(&body, "    %s\n", pragma);
    text_add(&body, "    for (int %s = %s; %s < %s; %s++)%s\n", v, from, v, to, v,
             braces ? " {" : "");
    for (int i = 0; i < s->lines.n; i++) {
        int indent = (int)strspn(s->lines.at[i], " ");
        wrap_lines(&body, s->lines.at[i] + indent, indent + 8);
    }
    if (braces) text_add(&body, "    }\n");
    return body.s;
}

static void print_function_of(Emit *e, const Share *s, const char *name, const char *from,
                              const char *to)
{
    Text head = {0};
    const Kernel *k = e->k;
    int first = number_of(e, k->defs.at[0]), last = number_of(e, k->defs.at[k->defs.n - 1]);
    text_add(&e->shared, "\n/* passes of the loop at (%d)", first);
    if (last != first) text_add(&e->shared, " .. (%d)", last);
    text_add(&e->shared, " of %s */\n", e->c->entry->name);
    text_add(&head, "static void NN_NAME(%s)(int %s, int %s", name, from, to);
    for (int i = 0; i < s->declarations.n; i++) text_add(&head, ", %s", s->declarations.at[i]);
    wrap_lines(&e->shared, format("%s)", head.s), 0);
    text_add(&e->shared, "{\n%s%s%s}\n", s->locals.n ? s->locals.s : "", s->locals.n ? "\n" : "",
             s->body);
}

/* Nanoseconds of one pass: what the whole loop takes at the bounds, spread over its passes. */
const char *share_cost(const Emit *e, const Scope *s, SizeRef size, bool *worth)
{
    double all = (double)size_upper(size) * (s->passes ? (double)size_upper(s->passes) : 1);
    double one = e->cost > 0 ? e->cost / all : 0.25;
    long inner = 1;
    *worth = one * all >= WORTH_SHARING && size_upper(size) > 1;
    if (s->passes && !size_is_const(s->passes, &inner))
        return format("%.2g * (%s)", one, c_size(s->passes));
    one *= (double)inner;
    return format(one < 10 ? "%.2g" : "%.0f", one);
}

bool share_loop(Emit *e, const Scope *s, SizeRef size, const char *pragma)
{
    bool worth;
    int taken = e->ids->taken.n;
    const char *cost = share_cost(e, s, size, &worth);
    if (e->sketch) return sketch_loop(e, s, size, pragma);
    if (!worth) return false;
    const char *from = c_unique(e->ids, "from"), *to = c_unique(e->ids, "to");
    Share share = share_of(e, loop_text(s, pragma, from, to));
    e->ids->taken.n = taken;
    if (!share.possible) return false;
    const char *wanted = format("%s_rows_%d", c_identifier(e->c->entry->name),
                                number_of(e, e->k->defs.at[0]));
    const char *name = c_unique(e->functions, wanted);
    print_function_of(e, &share, name, from, to);
    Text call = {0};
    text_add(&call, "NN_SHARE(%s, %s, NN_NAME(%s)(nn_from, nn_to", c_size(size), cost, name);
    for (int i = 0; i < share.names.n; i++) text_add(&call, ", %s", share.names.at[i]);
    text_add(&call, "));");
    add_line(e, e->depth, call.s);
    return true;
}
