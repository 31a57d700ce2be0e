/* dump.c - kernels and the memory plan as text, for `nnc show --after=fuse|schedule|plan`. */
#include "kernel.h"

#include <string.h>

static const char *kind_text(const Kernel *k)
{
    switch (k->kind) {
    case DEF_GEMM: return "product";
    case DEF_CONV: return "convolution";
    case DEF_JOIN: return "join";
    case DEF_SCATTER: return "scatter";
    case DEF_DRAW: return "draw";
    case DEF_SCAN: return "recurrence";
    default: return "loops";
    }
}

static void dump_rows(Text *out, const Kernel *k)
{
    if (k->kind != DEF_MAP) return;
    text_add(out, " over [");
    for (int i = 0; i < k->n_rows; i++)
        text_add(out, "%s%s", i ? ", " : "", size_text(k->domain.size[i]));
    text_add(out, "]");
}

static const char *home_text(const Def *d)
{
    if (!d->home) return d->copies.n ? "stored" : "in the loop";
    switch (d->home->memory) {
    case MEM_WORK: return d->home->skip ? "row, in the work area" : "in the work area";
    case MEM_STACK: return "local";
    case MEM_ROW: return "row";
    default: return "in place";
    }
}

static void dump_def(Text *out, const Code *c, const Def *d)
{
    Text equation = {0};
    if (d->is_store) {
        const Buffer *to = d->copies.at[0];
        text_add(&equation, "%s = ", to->slot ? to->slot->path : to->name ? to->name : "result");
        node_operand(&equation, c->names, d->node);
    } else
        node_equation(&equation, c->names, d->node);
    text_add(&equation, "%s", band_text(d));
    text_add(out, "    %-64s %s, %s", equation.s, type_text(d->node->type), home_text(d));
    for (int i = 0; i < d->copies.n; i++)
        if (d->copies.at[i]->slot) text_add(out, ", to %s", d->copies.at[i]->slot->path);
    text_add(out, "\n");
}

void dump_kernels(Text *out, const Code *c)
{
    for (int i = 0; i < c->kernels.n; i++) {
        const Kernel *k = c->kernels.at[i];
        text_add(out, "kernel %d: %s", i + 1, kind_text(k));
        dump_rows(out, k);
        text_add(out, "\n");
        for (int j = 0; j < k->defs.n; j++) dump_def(out, c, k->defs.at[j]);
    }
}

static const char *name_of(const Code *c, const Buffer *b)
{
    for (int i = 0; i < c->defs.n; i++) {
        const Def *d = c->defs.at[i];
        const char *name = node_name(c->names, d->node);
        if (!name) name = format("%%%d", d->node->id);
        if (d->home == b) return name;
        if (d->parts == b && b) return format("parts of %s", name);
    }
    return b->name ? b->name : "scratch";
}

void dump_plan(Text *out, const Code *c)
{
    text_add(out, "%10s %10s   %-28s %s\n", "offset", "bytes", "array", "kernels");
    for (int i = 0; i < c->buffers.n; i++) {
        const Buffer *b = c->buffers.at[i];
        if (b->memory != MEM_WORK) continue;
        text_add(out, "%10ld %10ld   %-28s %d .. %d", b->offset, b->bytes,
                 format("%s: %s", name_of(c, b), type_text(b->type)), b->first + 1, b->last + 1);
        if (b->in_place_of) text_add(out, "   in place of %s", name_of(c, b->in_place_of));
        text_add(out, "\n");
    }
    text_add(out,
             "work %ld bytes; live at once %ld bytes; stack about %ld bytes; %.0f operations\n",
             c->work_bytes, c->live_bytes, c->stack_bytes, c->flops);
}
