/* entries.c - every entry of a program through the passes of the loop level. */
#include "kernel.h"

#include <string.h>

bool is_chosen(const Entry *e)
{
    for (int i = 0; i < options.entries.n; i++)
        if (!strcmp(options.entries.at[i], e->name)) return true;
    return options.entries.n == 0;
}

Code *compile_entry(Program *p, Entry *e)
{
    Code *c = fuse(p, e);
    schedule(c);
    plan(c);
    return c;
}

CodeList compile_entries(Program *p)
{
    CodeList codes = {0};
    for (int i = 0; i < p->entries.n; i++)
        if (is_chosen(p->entries.at[i])) vec_push(&codes, compile_entry(p, p->entries.at[i]));
    if (p->init && (p->params.n || p->states.n || p->has_draws)) vec_push(&codes, compile_entry(p, p->init));
    return codes;
}
