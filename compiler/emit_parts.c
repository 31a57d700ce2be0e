/* emit_parts.c - loops over rows that add up, in parts that threads may share.
 * In: a kernel whose outermost loop is cut into parts. Out: a loop over these, whose passes do not
 * depend on each other: each runs through its rows with sums of its own and stores them; and behind
 * it the sums of the parts, added in order. The sums of a part are local arrays, which compilers
 * know to lie apart from all others. */
#include "outline.h"

#include <string.h>

static const char *part_name(Emit *e, const Node *n)
{
    if (!e->sketch) return c_unique(e->ids, format("%s_part", e->c_name[n->id]));
    const char *name = sketch_local(e, n, true);
    e->sketch->holes.at[e->sketch->holes.n - 1].at = "part";
    return name;
}

static void declare_sum(Emit *e, const Def *d, Buffer *sum)
{
    Text out = {0};
    const char *first = fold_first(d->node);
    if (!sum->type.shape.rank) {
        add_declaration(e, 0, format("%s %s = %s;", c_type(sum->type.elem), sum->name, first));
        return;
    }
    declare_array(&out, sum);
    add_declaration(e, 0, format("%.*s", (int)strcspn(out.s, "\n") - 4, out.s + 4));
    fill(e, sum, d->node, 0, first);
}

/* Sums of the part that is about to be written; its row loops come next. */
void begin_part(Emit *e)
{
    const Kernel *k = e->k;
    e->sums = NEW_N(Buffer *, k->defs.n + 1);
    e->in_part = true;
    e->whole = e->scope[0];
    e->scope[0] = (Scope){.var = e->whole.var};
    e->part = c_unique(e->ids, "part");
    for (int i = 0; i < k->defs.n; i++) {
        const Def *d = k->defs.at[i];
        if (!d->parts) continue;
        const char *name = part_name(e, d->node);
        Buffer *sum = e->sums[i] = NEW(Buffer);
        *sum = (Buffer){.memory = MEM_ROW,
                        .type = {d->home->type.elem, d->node->type.shape},
                        .name = name,
                        .access = name};
        declare_sum(e, d, sum);
    }
    e->scope[0].passes = NULL;
}

Buffer *sum_of(const Emit *e, const Def *d)
{
    for (int i = 0; i < e->k->defs.n && d->parts; i++)
        if (e->k->defs.at[i] == d) return e->sums[i];
    return d->home;
}

const char *part_head(const Emit *e, const Scope *s, SizeRef size)
{
    const char *v = s->var.name, *n = c_size(size), *part = e->part;
    const long parts = e->k->parts;
    return format("for (int %s = NN_PART(%s, %s, %ld); %s < NN_PART(%s, %s + 1, %ld); %s++)", v, n,
                  part, parts, v, n, part, parts, v);
}

/* Loops over the sum and its parts: open ones, and the index of an element of the latter. */
static Index open_sums(Emit *e, const Shape *s)
{
    for (int i = 0; i < s->rank; i++) open_loop(e, s->size[i]);
    return open_index(e, s, s->rank);
}

static Index without_part(const Index *ix)
{
    Index sum = {.rank = ix->rank - 1};
    for (int i = 0; i < sum.rank; i++) {
        sum.at[i] = ix->at[i + 1];
        sum.run[i] = ix->run[i + 1];
    }
    return sum;
}

static void store_part(Emit *e, const Def *d)
{
    const Var part = {e->part, size_const(e->k->parts), 1};
    const Shape *s = &d->node->type.shape, *all = &d->parts->type.shape;
    Index ix = open_sums(e, s), at = {.rank = all->rank};
    at.at[0] = affine_var(&part);
    at.run[0] = 1;
    for (int i = 0; i < s->rank; i++) {
        at.at[i + 1] = ix.at[i];
        at.run[i + 1] = 1;
    }
    store(e, d->parts, all, &at, (Frag){element_text(sum_of(e, d), s, &ix), C_PRIMARY, e->depth});
    for (int i = s->rank; i-- > 0;) close_loop(e, s->size[i], true);
}

static void add_part(Emit *e, const Def *d)
{
    const Shape *s = &d->node->type.shape, *all = &d->parts->type.shape;
    const Index ix = open_sums(e, all), sum = without_part(&ix);
    const Frag part = {element_text(d->parts, all, &ix), C_PRIMARY, e->depth};
    step(e, d->node, element_text(d->home, s, &sum), d->home, part);
    for (int i = all->rank; i-- > 0;) close_loop(e, all->size[i], i > 0);
}

/* Shorter sums are added up in order. */
static bool parts_are_independent(const Kernel *k)
{
    for (int i = 0; i < k->defs.n; i++)
        if (is_over_rows(k, k->defs.at[i]) && !k->defs.at[i]->parts) return false;
    return true;
}

/* What has been written becomes the body of the loop over parts. */
static void close_parts(Emit *e, SizeRef inner)
{
    const SizeRef parts = size_const(e->k->parts);
    Scope *out = &e->scope[0], body = *out;
    body.var = (Var){e->part, parts, 1};
    body.passes = inner;
    *out = e->whole;
    if (parts_are_independent(e->k) && share_loop(e, &body, parts, NULL)) return;
    vec_push(&out->lines,
             format("for (int %s = 0; %s < %ld; %s++) {", e->part, e->part, e->k->parts, e->part));
    for (int i = 0; i < body.lines.n; i++)
        vec_push(&out->lines, format("    %s", body.lines.at[i]));
    vec_push(&out->lines, "}");
    out->statements++;
}

void end_part(Emit *e)
{
    const Kernel *k = e->k;
    const SizeRef inner = e->scope[0].passes; /* of the loops over rows */
    for (int i = 0; i < k->defs.n; i++)
        if (k->defs.at[i]->parts) store_part(e, k->defs.at[i]);
    e->in_part = false;
    close_parts(e, inner);
    e->cost = 0;
    for (int i = 0; i < k->defs.n; i++) {
        const Def *d = k->defs.at[i];
        if (!d->parts) continue;
        fill(e, d->home, d->node, 0, fold_first(d->node));
        add_part(e, d);
    }
}
