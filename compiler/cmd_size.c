/* cmd_size.c - `nnc size`: what the compiled model needs. In: the file. Out: bytes of parameters,
 * states and constant tables, and for each entry the work area, the stack and the operations, in
 * total and for each kernel with its equations. Sizes are those at the upper bounds of the dims. */
#include "command.h"
#include "kernel.h"

#include <math.h>
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

static double slot_bytes(const SlotList *slots)
{
    double sum = 0;
    for (int i = 0; i < slots->n; i++) sum += (double)type_bytes(slots->at[i]->type);
    return sum;
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

static void print_kernel(const Code *c, const Kernel *k)
{
    for (int i = 0; i < k->defs.n; i++) {
        const Def *d = k->defs.at[i];
        Text equation = {0};
        node_equation(&equation, c->names, d->node);
        double bytes = d->home && d->home->memory == MEM_WORK ? (double)d->home->bytes : 0;
        printf("    %15s %13s   %s\n", i ? "" : grouped(k->flops), bytes > 0 ? grouped(bytes) : "",
               equation.s ? equation.s : "");
    }
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
    printf("    stack      %s bytes, about\n", grouped((double)c->stack_bytes));
    printf("    operations %s\n", grouped(c->flops));
    if (c->kernels.n) printf("    %15s %13s\n", "operations", "bytes");
    for (int i = 0; i < c->kernels.n; i++) print_kernel(c, c->kernels.at[i]);
}

int cmd_size(void)
{
    int code;
    Program *p = load_program(&code);
    if (!p) return code;
    for (int i = 0; i < options.entries.n; i++)
        if (!entry_named(p, "size", options.entries.at[i])) return EXIT_USAGE;
    run_passes(p, NULL);
    if (!can_compile(p, true)) return EXIT_PROGRAM;
    CodeList codes = compile_entries(p);
    double work = 0, params = slot_bytes(&p->params), states = slot_bytes(&p->states);
    for (int i = 0; i < codes.n; i++) work = fmax(work, (double)codes.at[i]->work_bytes);
    double tables = table_bytes(&codes);
    printf("parameters  %s bytes\n", grouped(params));
    printf("states      %s bytes\n", grouped(states));
    printf("tables      %s bytes, constant\n", grouped(tables));
    printf("work area   %s bytes, the largest of the entries\n", grouped(work));
    printf("RAM         %s bytes: parameters, states and work area\n",
           grouped(params + states + work));
    for (int i = 0; i < codes.n; i++) print_entry(codes.at[i]);
    return EXIT_OK;
}
