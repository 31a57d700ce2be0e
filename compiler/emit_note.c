/* emit_note.c - the comments of the generated code: the model as numbered equations.
 * In: the definitions in the order in which they are computed. Out: an equation in the language for
 * each, with its shape and its place in the source, and for a backward step the equation that it is
 * the derivative of; and the work area as a table. */
#include "outline.h"

#include <string.h>

/* ---- names and numbers ---- */

/* A name for a value that the user did not name: after where it goes, or after what it is. */
static const char *name_for(Names *names, const Def *d)
{
    for (int i = 0; i < d->copies.n; i++) {
        const Buffer *b = d->copies.at[i];
        if (b->memory == MEM_SLOT) return format("new_%s", last_piece(b->slot->path));
        if (b->slot) return gradient_name(names, b->slot->path);
        if (b->name) return b->name;
    }
    switch (d->node->op) {
    case OP_SUM: return "sum";
    case OP_MAXOF: return "top";
    case OP_CONCAT: return "joined";
    default: return NULL;
    }
}

static void number_node(Emit *e, Node *n, int *last);

static void number_operands(Emit *e, Node *n, int *last)
{
    for (int k = 0; k < n->n_in; k++) {
        Node *in = see_through(n->in[k]);
        if (!e->c->def_of[in->id]) number_node(e, in, last);
    }
}

/* Values with a name of their own that are written inside n come before it. */
static void number_node(Emit *e, Node *n, int *last)
{
    if (is_leaf_memory(n) || e->number[n->id]) return;
    number_operands(e, n, last);
    if (node_stands(e->c->names, n)) e->number[n->id] = ++*last;
}

/* Definitions without a name get one. */
static void name_definitions(Emit *e)
{
    const Code *c = e->c;
    for (int i = 0; i < c->kernels.n; i++)
        for (int k = 0; k < c->kernels.at[i]->defs.n; k++) {
            Def *d = c->kernels.at[i]->defs.at[k];
            if (d->is_store || node_name(c->names, d->node)) continue;
            names_give(c->names, d->node, name_for(c->names, d));
            e->given[d->node->id] = true;
        }
}

/* t1, t2, .. in the order of the equations. */
static void number_names(Emit *e, int last)
{
    const Graph *g = e->c->g;
    Node **numbered = NEW_N(Node *, last + 1);
    VEC(Node *) order = {0};
    for (int i = 0; i < g->nodes.n; i++) numbered[e->number[i]] = g->nodes.at[i];
    for (int i = 1; i <= last; i++)
        if (numbered[i]) vec_push(&order, numbered[i]);
    names_renumber(e->c->names, order.at, order.n);
}

void number_equations(Emit *e)
{
    Code *c = e->c;
    int last = 0;
    name_definitions(e);
    for (int i = 0; i < c->kernels.n; i++)
        for (int k = 0; k < c->kernels.at[i]->defs.n; k++) {
            Def *d = c->kernels.at[i]->defs.at[k];
            number_operands(e, d->node, &last);
            if (d->is_store)
                e->store_number[d->id] = ++last;
            else
                e->number[d->node->id] = ++last;
        }
    number_names(e, last);
}

/* ---- equations ---- */

static const char *place_of(const Node *n)
{
    if (!n->span.src) return "";
    const char *name = n->span.src->name, *slash = strrchr(name, '/');
    if (slash && !n->span.src->is_std) name = slash + 1;
    return format("%s:%d", name, span_line(n->span));
}

static const char *target_text(Emit *e, const Buffer *b)
{
    const Routine *r = e->bare;
    for (int i = 0; r && i < r->uses.at[0]->holes.n; i++)
        if (r->uses.at[0]->holes.at[i].buffer == b)
            return format(b->memory == MEM_SLOT ? "update %s" : "%s", r->names[i]);
    if (b->memory == MEM_SLOT) return format("update %s", b->slot->path);
    return b->slot ? format("%s.%s", b->name, b->slot->path) : b->name;
}

/* The band of the product n, or of one that is written inside d. */
static const char *band_note(Emit *e, const Node *n, const Def *d)
{
    for (int i = 0; i < e->c->defs.n; i++) {
        const Def *product = e->c->defs.at[i];
        const Node *node = product->products.n ? product->products.at[0].node : NULL;
        if (node && (node == n || (product == d && !e->number[node->id])))
            return band_text(product);
    }
    return "";
}

/* The equation; below it, where else its value is stored. */
static const char *equation_text(Emit *e, const Node *n, const Def *d)
{
    Text out = {0};
    Names *names = e->c->names;
    bool nameless = e->given[n->id] || e->is_brief || !node_name(names, n);
    bool only_stored = d && d->copies.n && (d->is_store || nameless);
    if (only_stored) {
        text_add(&out, "%s = ", target_text(e, d->copies.at[0]));
        if (d->is_store)
            node_operand(&out, names, n);
        else
            node_value(&out, names, n);
    } else
        node_equation(&out, names, n);
    text_add(&out, "%s", band_note(e, n, d));
    for (int i = only_stored; d && i < d->copies.n; i++)
        if (d->copies.at[i]->memory == MEM_SLOT || d->copies.at[i]->slot)
            text_add(&out, "\n    %s = %s", target_text(e, d->copies.at[i]), node_name(names, n));
    return out.s;
}

/* "real[N, 128]   mnist.nn:12   backward of (3)" in its column behind a line of that length, or
 * right behind it, or below it. What it is the backward of stands on a line of its own where there
 * is no room for it. */
static void print_remark(Text *out, Emit *e, const Node *n, const char *margin, int length)
{
    enum { REMARK = 52, COLUMNS = 100 };
    Text remark = {0};
    const char *place = place_of(n), *column = format("%s%*s", margin, REMARK, "");
    if (n->op != OP_DRAW) text_add(&remark, "   %s", type_text(n->type));
    if (*place) text_add(&remark, "   %s", place);
    if (length <= REMARK)
        text_add(out, "%*s", REMARK - length, "");
    else if ((int)strlen(margin) + length + (int)remark.n > COLUMNS)
        text_add(out, "\n%s", column);
    else
        column = format("%s%*s", margin, length, "");
    text_add(out, "%s", remark.n ? remark.s : "");
    if (n->again && e->number[n->again->id])
        text_add(out, "   (%d) again", e->number[n->again->id]);
    const Node *of = n->adjoint_of ? see_through((Node *)(uintptr_t)n->adjoint_of) : NULL;
    if (!of || !e->number[of->id]) return;
    const char *back = format("   backward of (%d)", e->number[of->id]);
    if (strlen(column) + remark.n + strlen(back) > COLUMNS)
        text_add(out, "\n%s%*s", margin, REMARK, "");
    text_add(out, "%s", back);
}

/* One line of the left side, cut where it is too long; the length of the last piece. */
static int print_left(Text *out, const char *line, const char *margin)
{
    const int indent = (int)strlen(margin);
    Text cut = {0};
    wrap_lines(&cut, line, indent);
    const char *s = cut.s + indent;
    int length = (int)strcspn(s, "\n");
    for (; s[length] && s[length + 1]; length = (int)strcspn(s, "\n")) {
        text_add(out, "%.*s\n%s", length, s, margin);
        s += length + 1 + indent;
    }
    text_add(out, "%.*s", length, s);
    return length;
}

/* The equation and what else its value goes to on the left, and the remark beside its last line. */
static void print_equation(Text *out, Emit *e, const Node *n, const Def *d, const char *margin)
{
    int number = d ? number_of(e, d) : e->number[n->id];
    const char *left = equation_text(e, n, d);
    if (!e->bare) left = format("(%d) %s", number, left);
    int length = 0;
    for (const char *s = left; *s; s += *s == '\n') {
        int n_line = (int)strcspn(s, "\n");
        if (s != left) text_add(out, "\n%s", margin);
        length = print_left(out, format("%.*s", n_line, s), margin);
        s += n_line;
    }
    if (!e->bare) print_remark(out, e, n, margin, length);
    text_add(out, "\n");
}

/* The equations of a definition: first the named values that are written inside it. */
static void print_inner(Text *out, Emit *e, Node *n, const Def *d, bool *done, const char *margin,
                        bool *first)
{
    if (is_leaf_memory(n) || done[n->id]) return;
    if (!d && e->c->def_of[n->id]) return;
    done[n->id] = true;
    for (int k = 0; k < n->n_in; k++)
        print_inner(out, e, see_through(n->in[k]), NULL, done, margin, first);
    if (!d && !e->number[n->id]) return;
    if (!*first) text_add(out, "%s", margin);
    *first = false;
    print_equation(out, e, n, d, margin);
}

static void print_defs(Text *out, Emit *e, const Kernel *k, bool *done, const char *margin,
                       bool *first)
{
    for (int i = 0; i < k->defs.n; i++) {
        const Def *d = k->defs.at[i];
        if (d->is_store) done[d->node->id] = false;
        if (!d->is_store || !is_leaf_memory(d->node)) {
            print_inner(out, e, d->node, d, done, margin, first);
            continue;
        }
        if (!*first) text_add(out, "%s", margin);
        *first = false;
        print_equation(out, e, d->node, d, margin);
    }
}

void print_equations(Text *out, Emit *e)
{
    bool *done = NEW_N(bool, e->c->g->nodes.n + 1), first = false;
    for (int i = 0; i < e->c->kernels.n; i++)
        print_defs(out, e, e->c->kernels.at[i], done, " *   ", &first);
}

/* Which inlined equations a kernel repeats is decided by the first kernel that needs them. */
void print_kernel_note(Text *out, Emit *e, const Kernel *k)
{
    Text note = {0};
    bool first = true;
    print_defs(&note, e, k, e->noted, "     * ", &first);
    if (note.n && note.s[note.n - 1] == '\n') note.s[--note.n] = 0;
    text_add(out, "    /* %s */\n", note.s ? note.s : "");
}

/* The equations of a routine's first kernel under the routine's names. */
void print_routine_equations(Text *out, const struct Routine *r, const char *margin)
{
    const Sketch *s = r->uses.at[0];
    Emit *e = s->e;
    bool *done = NEW_N(bool, e->c->g->nodes.n + 1), first = false;
    const char **names = names_swap(e->c->names, names_in_comment(r));
    e->bare = r;
    print_defs(out, e, s->k, done, margin, &first);
    e->bare = NULL;
    names_swap(e->c->names, names);
}

/* The numbers of a kernel's equations, and the last of them. */
void print_call_note(Text *out, Emit *e, const Kernel *k)
{
    const KernelEquations q = kernel_equations(e, k);
    const Def *d = k->defs.at[k->defs.n - 1];
    e->is_brief = true;
    const char *equation = equation_text(e, d->node, d);
    e->is_brief = false;
    const char *numbers = q.first == q.last ? "" : format("(%d) .. ", q.first);
    Text note = {0};
    text_add(&note, "    /* ");
    for (const char *s = format("%s(%d) %s", numbers, q.last, equation); *s; s += *s == '\n') {
        int n = (int)strcspn(s, "\n");
        print_left(&note, format("%.*s", n, s), "     * ");
        s += n;
        if (*s) text_add(&note, "\n     * ");
    }
    text_add(out, "%s */\n", note.s);
}

int number_of(const Emit *e, const Def *d)
{
    return d->is_store ? e->store_number[d->id] : e->number[d->node->id];
}

static int number_of_kernel(const Emit *e, int order)
{
    const Kernel *k = e->c->kernels.at[order];
    return number_of(e, k->defs.at[k->defs.n - 1]);
}

/* Numbers are given kernel by kernel, so a kernel's follow those of the one before. */
KernelEquations kernel_equations(Emit *e, const Kernel *k)
{
    const Def *most = k->defs.at[0];
    for (int i = 1; i < k->defs.n; i++)
        if (work_flops(k->defs.at[i]->work) > work_flops(most->work)) most = k->defs.at[i];
    const char *text = equation_text(e, most->node, most);
    return (KernelEquations){
        .first = k->order ? number_of_kernel(e, k->order - 1) + 1 : 1,
        .last = number_of_kernel(e, k->order),
        .equation = format("%.*s", (int)strcspn(text, "\n"), text),
        .place = place_of(most->node),
    };
}

/* ---- the work area ---- */

void print_work(Text *out, Emit *e)
{
    const Code *c = e->c;
    if (!c->work_bytes) return;
    text_add(out, " *   work: %ld bytes (at most %ld hold values at once)\n", c->work_bytes,
             c->live_bytes);
    text_add(out, " *     %10s %10s   %-24s %s\n", "offset", "bytes", "array",
             "from equation to equation");
    for (int i = 0; i < c->buffers.n; i++) {
        const Buffer *b = c->buffers.at[i];
        if (b->memory != MEM_WORK || !b->name) continue;
        const char *what = b == e->c->kernels.at[b->first]->scratch
                               ? "scratch"
                               : format("%s: %s", b->name, type_text(b->type));
        text_add(out, " *     %10ld %10ld   %-24s (%d) .. (%d)\n", b->offset, b->bytes, what,
                 number_of_kernel(e, b->first), number_of_kernel(e, b->last));
    }
}
