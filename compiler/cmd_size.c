/* cmd_size.c - `nnc size`: what the compiled model needs. In: the file. Out: bytes of parameters,
 * states and constant tables, and for each entry the work area, the stack and the operations, in
 * total and for each kernel with its equations; under --flops the work of every equation. Sizes are
 * those at the upper bounds of the dims. */
#include "command.h"
#include "kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "1234567" as "1 234 567". */
static const char *grouped(double v)
{
    char digits[40];
    Text out = {0};
    int n = snprintf(digits, sizeof digits, "%.0f", v);
    for (int i = 0; i < n; i++)
        text_add(&out, "%s%c", i && (n - i) % 3 == 0 ? " " : "", digits[i]);
    return out.s;
}

/* Each table once, however many entries use it. */
static double table_bytes(const CodeList *codes)
{
    VEC(const void *) seen = {0};
    double sum = 0;
    for (int i = 0; i < codes->n; i++)
        for (int k = 0; k < codes->at[i]->g->nodes.n; k++) {
            const Node *n = codes->at[i]->g->nodes.at[k];
            int j = 0;
            if (n->op != OP_TABLE) continue;
            while (j < seen.n && seen.at[j] != n->attr.ref) j++;
            if (j < seen.n) continue;
            vec_push(&seen, n->attr.ref);
            sum += (double)type_bytes(n->type);
        }
    return sum;
}

/* Every value that is stored gets a name: what the entry calls it, or v1, v2, .. */
static void name_values(const Code *c)
{
    const Entry *e = c->entry;
    for (int i = 0, fresh = 0; i < c->defs.n; i++) {
        const Node *n = c->defs.at[i]->node;
        const char *name = node_name(c->names, n);
        for (int k = 0; k < e->outputs.n && !name; k++)
            if (e->outputs.at[k].node == n) name = e->outputs.at[k].name;
        if (!node_name(c->names, n))
            names_give(c->names, n, name ? name : format("v%d", ++fresh));
    }
}

static const char *equation_of(const Code *c, const Def *d)
{
    Text equation = {0};
    if (leaf_name(d->node) && d->copies.n) text_add(&equation, "%s = ", d->copies.at[0]->name);
    if (leaf_name(d->node)) node_value(&equation, c->names, d->node);
    else node_equation(&equation, c->names, d->node);
    text_add(&equation, "%s", band_text(d));
    return equation.s ? equation.s : "";
}

static void print_kernel(const Code *c, const Kernel *k)
{
    for (int i = 0; i < k->defs.n; i++) {
        const Def *d = k->defs.at[i];
        double bytes = d->home && d->home->memory == MEM_WORK ? (double)d->home->bytes : 0;
        printf("    %15s %13s   %s\n", i ? "" : grouped(work_flops(k->work)),
               bytes > 0 ? grouped(bytes) : "", equation_of(c, d));
    }
}

/* ---- --flops --------------------------------------------------------------------------------- */

static void print_work(const Work *w, const char *what)
{
    const SizeRef columns[] = {w->multiplies, w->others, work_operations(*w), w->bytes};
    printf("    ");
    for (int i = 0; i < 4; i++) {
        bool empty = size_is(columns[i], 0);
        printf("%15s ", empty ? "" : grouped((double)size_upper(columns[i])));
    }
    printf("  %s\n", what);
}

/* Every equation with its own work; what several in a kernel read counts with the first. */
static void print_entry_work(const Code *c)
{
    printf("    %15s %15s %15s %15s \n", "multiply-adds", "others", "operations", "bytes moved");
    for (int i = 0; i < c->kernels.n; i++)
        for (int k = 0; k < c->kernels.at[i]->defs.n; k++) {
            const Def *d = c->kernels.at[i]->defs.at[k];
            print_work(&d->work, equation_of(c, d));
        }
    print_work(&c->work, "in all");
}

static void print_entry(const Code *c)
{
    Text dims = {0};
    for (int i = 0; i < c->entry->dims.n; i++) {
        const Dim *d = c->entry->dims.at[i];
        text_add(&dims, "%s%s = %ld", i ? ", " : "   at ", d->name, d->hi);
    }
    printf("\n%s%s\n", c->entry->name, dims.s ? dims.s : "");
    printf("    work area  %s bytes\n", grouped((double)c->work_bytes));
    if (c->entry->n_again) printf("               %s\n", recomputed_text(c->entry));
    printf("    stack      %s bytes, about\n", grouped((double)c->stack_bytes));
    printf("    operations %s\n", grouped(c->flops));
    name_values(c);
    if (settings.flops) {
        print_entry_work(c);
        return;
    }
    if (c->kernels.n) printf("    %15s %13s\n", "operations", "bytes");
    for (int i = 0; i < c->kernels.n; i++) print_kernel(c, c->kernels.at[i]);
}

/* ---- flash ----------------------------------------------------------------------------------- */

/* Code and constants in bytes, -1: unknown. Measured: the model as one file is compiled for size
 * by $CC (a cross compiler gives the numbers of its target), without the variants for particular
 * processors. */
static long flash_bytes(Program *p)
{
    Text header = {0}, source = {0}, whole = {0};
    const char *tmp = getenv("TMPDIR"), *cc = getenv("CC");
    char *dir = (char *)(uintptr_t)format("%s/nnc-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    long bytes = -1;
    options.single_file = true;
    emit_program(p, &header, &source);
    paste_runtime(&whole, &source);
    if (!mkdtemp(dir)) return -1;
    const char *h = format("%s/%s.h", dir, p->name), *c = format("%s/%s.c", dir, p->name);
    if (write_output(h, header.s, header.n) == EXIT_OK &&
        write_output(c, whole.s, whole.n) == EXIT_OK) {
        FILE *f = popen(format("cd '%s' && { %s -Os -w -DNN_SCALAR -DNN_ONE_ISA "
                               "-fno-asynchronous-unwind-tables -c %s.c -o model.o && size model.o;"
                               "} 2>/dev/null | tail -n 1", dir, cc && *cc ? cc : "cc", p->name),
                        "r");
        if (f && fscanf(f, "%ld", &bytes) != 1) bytes = -1;
        if (f) pclose(f);
    }
    remove(h);
    remove(c);
    remove(format("%s/model.o", dir));
    remove(dir);
    return bytes;
}

int cmd_size(void)
{
    int code;
    Program *p = load_program(&code);
    if (!p) return code;
    for (int i = 0; i < options.entries.n; i++)
        if (!entry_named(p, "size", options.entries.at[i])) return EXIT_USAGE;
    if (!embed_weights(p, &code)) return code;
    if (!run_passes(p, NULL)) return EXIT_PROGRAM;
    CodeList codes = compile_entries(p);
    double work = 0, params = slot_bytes(&p->params), states = slot_bytes(&p->states);
    for (int i = 0; i < codes.n; i++) work = fmax(work, (double)codes.at[i]->work_bytes);
    double tables = table_bytes(&codes);
    long flash = flash_bytes(p);
    printf("parameters  %s bytes\n", grouped(params));
    printf("states      %s bytes\n", grouped(states));
    printf("tables      %s bytes, constant\n", grouped(tables));
    printf("work area   %s bytes, the largest of the entries\n", grouped(work));
    if (flash >= 0)
        printf("flash       %s bytes: code and tables, compiled with -Os\n",
               grouped((double)flash));
    else printf("flash       unknown: no C compiler; set CC\n");
    printf("RAM         %s bytes: parameters, states and work area\n",
           grouped(params + states + work));
    for (int i = 0; i < codes.n; i++) print_entry(codes.at[i]);
    return EXIT_OK;
}
