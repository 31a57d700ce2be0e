/* emit_profile.c - what --profile adds to the generated code.
 * In: the entries of a program, ready to be written. Out: a row for each kernel, those in the step
 * of a recurrence below the recurrence; the lines around a kernel that measure it, the table of the
 * rows, and the functions that show it. Without --profile there are no rows and no lines. */
#include "emit.h"

#include <string.h>

/* ---- rows ------------------------------------------------------------------------------------ */

static Emit *emit_of(Emit **emits, const Code *c)
{
    while ((*emits)->c != c) emits++;
    return *emits;
}

static void add_rows(ProfileRows *rows, Emit **emits, const Code *c, int inside)
{
    Emit *e = emit_of(emits, c);
    e->is_profiled = true;
    for (int i = 0; i < c->kernels.n; i++) {
        const Kernel *k = c->kernels.at[i];
        int row = rows->n;
        vec_push(rows, ((ProfileRow){e, k, inside}));
        if (k->step) add_rows(rows, emits, k->step, row);
    }
}

/* The initialiser runs once and is not measured. */
ProfileRows profile_rows(Emit **emits, const CodeList *codes)
{
    ProfileRows rows = {0};
    for (int i = 0; i < codes->n && options.profile; i++)
        if (codes->at[i]->entry != codes->at[i]->program->init)
            add_rows(&rows, emits, codes->at[i], -1);
    return rows;
}

/* train_12: the function and the last of the kernel's equations. */
static const char *kernel_name(Emit *e, const Kernel *k)
{
    return format("%s_%d", c_identifier(e->c->entry->name), kernel_equations(e, k).last);
}

/* ---- around a kernel ------------------------------------------------------------------------- */

void print_start(Text *out, Emit *e, const Kernel *k)
{
    if (e->is_profiled) text_add(out, "    NN_START(%s);\n", kernel_name(e, k));
}

void print_stop(Text *out, Emit *e, const Kernel *k)
{
    if (!e->is_profiled) return;
    const char *operations = size_real_text(work_operations(k->work));
    wrap_lines(out, format("NN_STOP(%s, %s, %s);", kernel_name(e, k), operations,
                           size_real_text(k->work.bytes)), 4);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* As literals of C, in lines that are cut at blanks. */
static void print_literal(Text *out, const char *s)
{
    enum { MOST = 84 };
    for (bool more = true; more; more = *s != 0) {
        int n = (int)strlen(s), cut = n;
        if (n > MOST)
            for (cut = MOST; cut > 1 && s[cut - 1] != ' ';) cut--;
        if (cut <= 1 && n > MOST) cut = n;
        text_add(out, "        \"");
        for (int i = 0; i < cut; i++) {
            if (strchr("\"\\?", s[i])) text_add(out, "\\");
            text_add(out, "%c", s[i]);
        }
        s += cut;
        text_add(out, "\"%s\n", *s ? "" : ",");
    }
}

void print_profile_table(Text *out, const ProfileRows *rows)
{
    if (!rows->n) return;
    text_add(out, "#include \"nn_profile.h\"\n/* --profile: a row for each kernel, by function and "
                  "last equation */\nenum {\n");
    for (int i = 0; i < rows->n; i++)
        text_add(out, "    nn_kernel_%s,\n", kernel_name(rows->at[i].e, rows->at[i].k));
    text_add(out, "    nn_kernels\n};\nstatic nn_profile_row nn_profile_rows[nn_kernels] = {\n");
    for (int i = 0; i < rows->n; i++) {
        const ProfileRow *r = &rows->at[i];
        KernelEquations q = kernel_equations(r->e, r->k);
        const char *numbers = q.first == q.last ? format("(%d)", q.last)
                                                : format("(%d)-(%d)", q.first, q.last);
        text_add(out, "    {\"%s\", \"%s\",\n", r->e->c->entry->name, numbers);
        print_literal(out, q.equation);
        text_add(out, "        \"%s\", %d, 0, 0, 0, 0, 0},\n", q.place, r->inside);
    }
    text_add(out, "};\n");
}

/* ---- the functions --------------------------------------------------------------------------- */

const char *const profile_functions[] = {"profile", "profile_rows", "profile_clear", NULL};

void print_profile_functions(Text *out, const Program *p, const ProfileRows *rows)
{
    if (!rows->n) return;
    text_add(out, "void %s_profile(FILE *to)\n{\n    nn_profile_print(to, nn_profile_rows, "
                  "nn_kernels);\n}\n\n", p->name);
    text_add(out, "const nn_profile_row *%s_profile_rows(int *n)\n{\n    *n = nn_kernels;\n"
                  "    return nn_profile_rows;\n}\n\n", p->name);
    text_add(out, "void %s_profile_clear(void)\n{\n    nn_profile_clear(nn_profile_rows, "
                  "nn_kernels);\n}\n\n", p->name);
}

/* A model in a single file needs no other header: the row's type, as in nn_profile.h. */
static const char row_type[] =
    "#ifndef NN_PROFILE_ROW\n#define NN_PROFILE_ROW\n"
    "typedef struct nn_profile_row {\n"
    "    const char *function; /* the entry, or the step of a recurrence */\n"
    "    const char *numbers;  /* its equations, as numbered in the generated code */\n"
    "    const char *equation; /* of those the one with most work */\n"
    "    const char *place;    /* of that one in the source */\n"
    "    int inside; /* the row of the recurrence whose step it is part of, or -1 */\n"
    "    uint64_t calls, nanoseconds;\n"
    "    uint64_t least; /* nanoseconds of a call */\n"
    "    double operations, bytes; /* a multiply-add is two; each array counts once a call */\n"
    "} nn_profile_row;\n#endif\n";

void declare_profile(Text *out, const Program *p, const ProfileRows *rows)
{
    if (!rows->n) return;
    text_add(out,
             "\n/* --profile: what each kernel has taken. The rows are static, one set for all\n"
             " * models and threads of the program: measure one thread at a time. */\n%s",
             row_type);
    text_add(out, "void %s_profile(FILE *to); /* the table as text */\n", p->name);
    text_add(out, "const nn_profile_row *%s_profile_rows(int *n);\n", p->name);
    text_add(out, "void %s_profile_clear(void); /* counts from 0 again */\n", p->name);
}
