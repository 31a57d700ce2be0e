/* cmd_show.c - `nnc show`: what the compiler sees, for reading. In: the file, perhaps an entry, and
 * how to look at it. Out: equations, kernels, the memory plan, the derivative or a drawing. */
#include "kernel.h"
#include "show.h"

#include <string.h>

static int print_text(const Text *out)
{
    if (out->n) fwrite(out->s, 1, out->n, stdout);
    return EXIT_OK;
}

/* ---- after a pass ---------------------------------------------------------------------------- */

static int show_parsed(void)
{
    Text out = {0};
    const Source *src = source_read(settings.args.at[0]);
    if (!src) return EXIT_IO;
    DeclList decls = parse_source(src);
    for (int i = 0; i < decls.n; i++) print_decl(&out, decls.at[i]);
    return print_text(&out);
}

/* Entries, and with a pass of the loop level their kernels or their place in memory. */
static void show_after(Text *out, Program *p, Entry *e, const Pass *pass)
{
    Code *c = NULL;
    for (const Pass *step = passes; step <= pass; step++) {
        if (step->arrange) e = step->arrange(e);
        if (step->start) c = step->start(p, e);
        if (step->loops) step->loops(c);
    }
    if (!c) {
        show_entry(out, p, e, false);
        return;
    }
    entry_heading(out, e);
    if (pass->loops == plan) dump_plan(out, c);
    else dump_kernels(out, c);
}

static const Pass *find_pass(const char *name)
{
    VEC(const char *) known = {0};
    for (const Pass *pass = passes; pass->name; pass++) {
        if (!strcmp(pass->name, name)) return pass;
        vec_push(&known, pass->name);
    }
    const char *hint = did_you_mean(name, known.at, known.n);
    usage_error("show", "no pass `%s`%s", name, *hint ? hint : "; `nnc help passes` lists them");
    return NULL;
}

/* ---- the commands' forms --------------------------------------------------------------------- */

typedef VEC(Entry *) EntryList;

static bool is_gradient(const Entry *e)
{
    for (int i = 0; i < e->g->nodes.n; i++)
        if (e->g->nodes.at[i]->adjoint_of) return true;
    return false;
}

static int show_gradients(Program *p, const EntryList *entries, bool chosen)
{
    Text out = {0};
    bool any = false;
    for (int i = 0; i < entries->n; i++) {
        Entry *e = entries->at[i];
        if (i) text_add(&out, "\n");
        if (is_gradient(e)) {
            simplify_entry(e);
            show_entry(&out, p, e, true);
            any = true;
        } else {
            any |= show_derivative(&out, e);
        }
    }
    if (!any && chosen) return usage_error("show", "%.*s", (int)out.n - 1, out.s);
    return print_text(&out);
}

static int show_drawing(Program *p, Entry *e, const char *form)
{
    bool as_text = !strcmp(form, "text");
    Text out = {0};
    Study *s = study_entry(e, !as_text);
    if (!s->result)
        return usage_error("show", "`%s` returns no tensor: there is nothing to draw", e->name);
    if (settings.at) {
        int code = study_at(s, p);
        if (code != EXIT_OK) return code;
    }
    if (as_text && settings.at) show_numbers(&out, s);
    else if (as_text) show_entry(&out, p, e, false);
    else show_dot(&out, s);
    return strcmp(form, "svg") ? print_text(&out) : show_svg(&out);
}

static const char *graph_form(void)
{
    static const char *const forms[] = {"text", "dot", "svg"};
    if (!settings.graph) return "text";
    for (int i = 0; i < 3; i++)
        if (!strcmp(settings.graph, forms[i])) return forms[i];
    usage_error("show", "`--graph` is text, dot or svg, not `%s`%s", settings.graph,
                did_you_mean(settings.graph, forms, 3));
    return NULL;
}

static int show_passes(Program *p, const EntryList *entries, const Pass *pass)
{
    Text out = {0};
    if (!run_passes(p, pass->name)) return EXIT_PROGRAM;
    for (int i = 0; i < entries->n; i++) {
        if (i) text_add(&out, "\n");
        show_after(&out, p, entries->at[i], pass);
    }
    return print_text(&out);
}

int cmd_show(void)
{
    int code;
    EntryList entries = {0};
    const Pass *pass = find_pass(settings.after ? settings.after : "simplify");
    const char *form = graph_form();
    if (!pass || !form) return EXIT_USAGE;
    if (!strcmp(pass->name, "parse")) return show_parsed();
    Program *p = load_program(&code);
    if (!p) return code;
    bool chosen = settings.args.n > 1;
    for (int i = 0; i < p->entries.n && !chosen; i++) vec_push(&entries, p->entries.at[i]);
    for (int i = 1; i < settings.args.n; i++) {
        Entry *e = entry_named(p, "show", settings.args.at[i]);
        if (!e) return EXIT_USAGE;
        vec_push(&entries, e);
    }
    if (!entries.n) return usage_error("show", "`%s` has no entries", settings.args.at[0]);
    if (settings.grad) return show_gradients(p, &entries, chosen);
    if (settings.graph || settings.at) return show_drawing(p, entries.at[0], form);
    return show_passes(p, &entries, pass);
}
