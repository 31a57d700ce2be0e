/* entries.c - every entry of a program through the passes of the loop level. */
#include "kernel.h"

#include <string.h>

static bool is_chosen(const Entry *e)
{
    for (int i = 0; i < options.entries.n; i++)
        if (!strcmp(options.entries.at[i], e->name)) return true;
    return options.entries.n == 0;
}

static Code *compile_entry(Program *p, Entry *e)
{
    Code *c = fuse(p, e);
    schedule(c);
    plan(c);
    return c;
}

static bool is_missing(const Node *n) { return n->op == OP_SCAN; }

bool can_compile(const Program *p, bool tell)
{
    for (int i = 0; i < p->entries.n; i++) {
        const Entry *e = p->entries.at[i];
        for (int k = 0; is_chosen(e) && k < e->g->nodes.n; k++) {
            const Node *n = e->g->nodes.at[k];
            if (!is_missing(n)) continue;
            if (!tell) return false;
            Diag *d = error_at("E0208", n->span, "C code for `scan` is not available yet");
            diag_here(d, "%s", "");
            diag_hint(d, "`nnc run` and `nnc test` interpret it");
            diag_flush(stderr);
            return false;
        }
    }
    return true;
}

CodeList compile_entries(Program *p)
{
    CodeList codes = {0};
    for (int i = 0; i < p->entries.n; i++)
        if (is_chosen(p->entries.at[i])) vec_push(&codes, compile_entry(p, p->entries.at[i]));
    if (p->init && (p->params.n || p->states.n || p->has_draws)) vec_push(&codes, compile_entry(p, p->init));
    return codes;
}
