/* test_emit.c - random programs as C against the interpreter, in float and in double; the memory
 * plan against an independent check; the same C for the same program. */
#include "graphs.h"
#include "kernel.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES = 24, SIZE = 22 };

static void teardown(void)
{
    options.f64 = false;
    diag_reset();
    arena_release();
}

static void check_values(const Tensor *a, const Tensor *b, double tolerance, const char *what)
{
    double scale = 1;
    ck_assert_int_eq((int)a->count, (int)b->count);
    for (long i = 0; i < a->count; i++) scale = fmax(scale, fabs(a->v[i]));
    for (long i = 0; i < a->count; i++) {
        bool same = fabs(a->v[i] - b->v[i]) <= tolerance * scale ||
                    (isnan(a->v[i]) && isnan(b->v[i])) || a->v[i] == b->v[i];
        ck_assert_msg(same, "%s, element %ld of %ld: %.9g, compiled %.9g", what, i, a->count,
                      a->v[i], b->v[i]);
    }
}

static void check_machines(const Machine *a, const Machine *b, double tolerance, const char *what)
{
    for (int i = 0; i < a->program->params.n; i++)
        check_values(a->params[i], b->params[i], tolerance,
                     format("%s, %s", what, a->program->params.at[i]->path));
    for (int i = 0; i < a->program->states.n; i++)
        check_values(a->states[i], b->states[i], tolerance,
                     format("%s, %s", what, a->program->states.at[i]->path));
    ck_assert_uint_eq(a->call, b->call);
}

static void take_values(Tensor *to, const Tensor *from)
{
    memcpy(to->v, from->v, sizeof(double) * (size_t)to->count);
}

/* Runs the entry on both; afterwards both go on from the interpreter's values. */
static void check_entry(Native *native, Machine *a, Machine *b, Entry *e, long n, double tolerance,
                        const char *what)
{
    TensorList left = {0}, right = {0};
    const char *error = NULL;
    Tensor **args = random_arguments(e, (uint64_t)n + 77, n);
    ck_assert_msg(machine_call(a, e, args, &left, &error), "%s", error);
    ck_assert_msg(native_call(native, b, e, args, &right, &error), "%s", error);
    ck_assert_int_eq(left.n, right.n);
    for (int i = 0; i < left.n; i++)
        check_values(left.at[i], right.at[i], tolerance, format("%s, result %d", what, i));
    check_machines(a, b, tolerance, what);
    for (int i = 0; i < a->program->params.n; i++) take_values(b->params[i], a->params[i]);
    for (int i = 0; i < a->program->states.n; i++) take_values(b->states[i], a->states[i]);
}

static void check_program(uint64_t number, double tolerance)
{
    static const long sizes[] = {1, 6, 9};
    Program *p = random_program(number, ENTRIES, SIZE, 9);
    const char *error = NULL;
    options.own_runtime = native_has_runtime();
    /* half of them with all instructions of the processor, masked loads for instance */
    const char *flags = number % 2 ? "-O1 -w -DNN_ONE_ISA -march=native" : "-O1 -w -DNN_ONE_ISA";
    Native *native = native_build(p, flags, &error);
    ck_assert_msg(native != NULL, "program %d: %s", (int)number, error);
    Machine *a = machine_new(p, 5), *b = machine_new(p, 1);
    ck_assert_msg(native_init(native, b, 5, &error), "%s", error);
    check_machines(a, b, tolerance, "init");
    for (int i = 0; i < p->entries.n; i++)
        for (int k = 0; k < 3; k++)
            check_entry(
                native, a, b, p->entries.at[i], sizes[k], tolerance,
                format("program %d, %s, N = %ld", (int)number, p->entries.at[i]->name, sizes[k]));
    native_free(native);
}

START_TEST(in_double)
{
    options.f64 = true;
    check_program((uint64_t)_i, 1e-9);
}
END_TEST

START_TEST(in_float) { check_program((uint64_t)_i + 100, 2e-3); }
END_TEST

/* ---- the plan -------------------------------------------------------------------------------- */

static bool shares_place(const Buffer *a, const Buffer *b)
{
    for (const Buffer *x = b; x; x = x->in_place_of)
        if (x == a) return true;
    for (const Buffer *x = a; x; x = x->in_place_of)
        if (x == b) return true;
    return false;
}

static void check_plan(const Code *c, const char *what)
{
    for (int i = 0; i < c->buffers.n; i++)
        for (int k = 0; k < i; k++) {
            const Buffer *a = c->buffers.at[i], *b = c->buffers.at[k];
            if (a->memory != MEM_WORK || b->memory != MEM_WORK) continue;
            bool together = a->first <= b->last && b->first <= a->last;
            bool apart = a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset;
            bool over = shares_place(a, b) && (a->first == b->last || b->first == a->last);
            ck_assert_msg(!together || apart || over, "%s: two arrays overlap", what);
            ck_assert_msg(a->offset % 64 == 0 && a->offset + a->bytes <= c->work_bytes,
                          "%s: outside the work area", what);
        }
    ck_assert_msg((double)c->work_bytes <= 1.3 * (double)c->live_bytes + 512,
                  "%s: %ld bytes planned, %ld live", what, c->work_bytes, c->live_bytes);
}

START_TEST(plans_do_not_overlap)
{
    double planned = 0, live = 0;
    for (uint64_t number = 0; number < 30; number++) {
        Program *p = random_program(number + 1000, 10, 40, 64);
        CodeList codes = compile_entries(p);
        for (int i = 0; i < codes.n; i++) {
            check_plan(codes.at[i],
                       format("program %d, %s", (int)number, codes.at[i]->entry->name));
            planned += (double)codes.at[i]->work_bytes;
            live += (double)codes.at[i]->live_bytes;
        }
    }
    ck_assert_msg(planned <= 1.05 * live, "%.0f bytes planned, %.0f live at once", planned, live);
}
END_TEST

START_TEST(same_text_every_time)
{
    Text header[2] = {{0}}, source[2] = {{0}};
    for (int i = 0; i < 2; i++) emit_program(random_program(7, 6, 30, 16), &header[i], &source[i]);
    ck_assert_str_eq(header[0].s, header[1].s);
    ck_assert_str_eq(source[0].s, source[1].s);
}
END_TEST

START_TEST(every_operator_occurs)
{
    for (uint64_t number = 0; number < 40; number++) random_program(number, 4, 40, 9);
    for (int op = 0; op < OP_COUNT; op++) {
        bool elsewhere =
            op == OP_CONST || op == OP_INPUT || op == OP_PARAM || op == OP_STATE || op >= OP_WINDOW;
        ck_assert_msg(elsewhere || operators_used() >> op & 1, "%s is not tested",
                      op_info[op].name);
    }
}
END_TEST

Suite *suite_emit(void)
{
    Suite *s = suite_create("emit");
    TCase *t = tcase_create("emit");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_loop_test(t, in_double, 0, 5);
    tcase_add_loop_test(t, in_float, 0, 5);
    tcase_add_test(t, plans_do_not_overlap);
    tcase_add_test(t, same_text_every_time);
    tcase_add_test(t, every_operator_occurs);
    suite_add_tcase(s, t);
    return s;
}
