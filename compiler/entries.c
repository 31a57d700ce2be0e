/* entries.c - the table of the passes, and entries on their way through them.
 * In: lowered entries. Out: the same entries behind the passes over the graph, and as kernels with
 * a plan. Whoever needs to know what an entry becomes takes a copy of it by these functions. */
#include "kernel.h"

#include <string.h>

/* Gradients are built by `lower`, where `grad` stands in the text. */
const Pass passes[] = {
    {"parse", NULL, NULL, NULL, NULL, NULL, "the text as it was understood, in standard form"},
    {"lower", NULL, NULL, NULL, NULL, NULL,
     "functions and layers written out, shapes known, gradients built"},
    {"simplify", simplify_entry, NULL, NULL, NULL, NULL, "the same values by less work"},
    {"hoist", hoist_entry, NULL, NULL, NULL, NULL, "recurrences without what all steps can share"},
    {"recompute", NULL, recompute, NULL, NULL, NULL,
     "values that --max-ram has no room for computed again"},
    {"layout", NULL, NULL, layout, NULL, NULL,
     "convolutions found, the order of axes in memory chosen"},
    {"slices", NULL, NULL, slices, NULL, NULL,
     "what works slice by slice computed so, with small arrays"},
    {"weights", NULL, NULL, weights, NULL, NULL,
     "constants of --weights scaled, turned and packed as the code reads them"},
    {"fuse", NULL, NULL, NULL, fuse, NULL, "equations that share their loops gathered in kernels"},
    {"schedule", NULL, NULL, NULL, NULL, schedule,
     "kernels in the order that needs the least memory"},
    {"plan", NULL, NULL, NULL, NULL, plan, "a place in the work area for every array"},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

bool is_chosen(const Entry *e)
{
    for (int i = 0; i < options.entries.n; i++)
        if (!strcmp(options.entries.at[i], e->name)) return true;
    return options.entries.n == 0;
}

void graph_passes(Program *p, Entry *e, const char *last)
{
    for (const Pass *pass = passes; pass->name; pass++) {
        if (pass->graph) pass->graph(e);
        if (pass->room) pass->room(p, e);
        graph_verify(e->g, pass->name);
        if (last && !strcmp(pass->name, last)) break;
    }
}

Code *compile_entry(Program *p, Entry *e)
{
    Code *c = fuse(p, weights(slices(layout(e))));
    schedule(c);
    plan(c);
    return c;
}

CodeList compile_entries(Program *p)
{
    CodeList codes = {0};
    for (int i = 0; i < p->entries.n; i++)
        if (is_chosen(p->entries.at[i])) vec_push(&codes, compile_entry(p, p->entries.at[i]));
    if (p->init && (p->params.n || p->states.n || p->has_draws))
        vec_push(&codes, compile_entry(p, p->init));
    return codes;
}
