/* test_slices.c - what is computed slice by slice: how large values must be, what is stored for one
 * slice only, what ends such a part of the graph; and the values stay the same. */
#include "graphs.h"
#include "kernel.h"
#include "parsing.h"

#include <check.h>
#include <string.h>

static void teardown(void)
{
    options.max_ram = 0;
    options.f64 = false;
    diag_reset();
    arena_release();
}

/* An entry behind layout, and behind slices; and its scans. */
typedef struct Passed {
    Program *p;
    Entry *laid, *sliced;
    NodeList scans; /* the first result of each */
} Passed;

static NodeList scans_of(const Entry *e)
{
    NodeList scans = {0};
    for (int i = 0; i < e->g->nodes.n; i++) {
        Node *n = e->g->nodes.at[i];
        bool known = n->op != OP_SCAN;
        for (int k = 0; k < scans.n; k++) known |= same_scan(scans.at[k], n);
        if (!known) vec_push(&scans, n);
    }
    return scans;
}

static Passed pass(const char *text)
{
    static int n;
    text = format("import std.attention;\n%s\n", text);
    Module *m = check_module(source_from_text(format("s%d.nn", n++), text, (int)strlen(text)));
    Passed r = {.p = m ? lower_module(m, "p") : NULL};
    ck_assert_msg(r.p != NULL, "%s", printed_reports());
    graph_passes(r.p, r.p->init, NULL);
    graph_passes(r.p, r.p->entries.at[0], NULL);
    r.laid = layout(r.p->entries.at[0]);
    r.sliced = slices(r.laid);
    graph_verify(r.sliced->g, "slices");
    r.scans = scans_of(r.sliced);
    if (!r.scans.n) ck_assert(r.sliced == r.laid);
    return r;
}

/* An entry of Q, K, V [batch, T, 8]. */
static Passed pass_of(const char *batch, int T, const char *body)
{
    const char *all = format("real[%s, %d, 8]", batch, T);
    return pass(format("entry go(Q: %s, K: %s, V: %s)%s", all, all, all, body));
}

static Passed attention(const char *batch, int T)
{
    return pass_of(batch, T, " = attend(Q, K, V);");
}

static const Scan *scan_of(const Passed *r, int i) { return r->scans.at[i]->attr.ref; }

/* How many nodes of the operator a graph has. */
static int count_op(const Graph *g, Op op)
{
    int n = 0;
    for (int i = 0; i < g->nodes.n; i++) n += g->nodes.at[i]->op == op;
    return n;
}

static long elements(const Node *n) { return size_upper(shape_count(&n->type.shape)); }

/* How many nodes have that many elements at least, but for those that nothing has to store. */
static int count_large(const Graph *g, long least)
{
    int n = 0;
    for (int i = 0; i < g->nodes.n; i++)
        n += elements(g->nodes.at[i]) >= least && !is_view(g->nodes.at[i]);
    return n;
}

static void check_part(const Passed *r, int i, long steps, int emits)
{
    ck_assert_int_gt(r->scans.n, i);
    ck_assert_int_eq(size_upper(r->scans.at[i]->attr.size), steps);
    ck_assert_int_eq(scan_of(r, i)->n_states, 0);
    ck_assert_int_eq(scan_of(r, i)->n_emits, emits);
}

/* ---- size ------------------------------------------------------------------------------------ */

/* The scores are [4, 512, 512] as a whole, and [512, 512] in the step. */
START_TEST(large_values_are_those_of_a_slice)
{
    static const char *const batches[] = {"4", "2, 2", "1, 4", "4, 1", "2, 1, 2"};
    Passed r = attention(batches[_i], 512);
    ck_assert_int_eq(r.scans.n, 1);
    check_part(&r, 0, 4, 1);
    ck_assert_int_gt(count_large(r.laid->g, 4 * 512 * 512), 2);
    ck_assert_int_eq(count_large(r.sliced->g, 512 * 512), 0);
    ck_assert_int_gt(count_large(scan_of(&r, 0)->body, 512 * 512), 2);
    ck_assert_int_eq(count_large(scan_of(&r, 0)->body, 512 * 512 + 1), 0);
    ck_assert_int_eq(count_op(scan_of(&r, 0)->body, OP_MATMUL), 2);
    ck_assert_int_eq(count_op(r.sliced->g, OP_MATMUL), 0);
}
END_TEST

START_TEST(scratch_is_that_of_a_slice)
{
    Passed r = attention("2, 4", 512);
    const long all = compile_entry(r.p, r.p->entries.at[0])->work_bytes;
    options.max_ram = 1L << 30;
    ck_assert_int_ge(compile_entry(r.p, r.p->entries.at[0])->work_bytes, 8L * 512 * 512 * 4);
    ck_assert_int_lt(all, 4L * 512 * 512 * 4);
}
END_TEST

/* The number of slices may be known when the program runs only; the bound counts. */
START_TEST(batches_may_be_unknown)
{
    static const char text[] =
        "dim N in 1..%d;\n"
        "entry go(Q: real[N, 2, 512, 8]) -> real[N, 2, 512, 8] = attend(Q, Q, Q);";
    Passed r = pass(format(text, 2));
    ck_assert_int_eq(r.scans.n, 1);
    check_part(&r, 0, 4, 1);
    ck_assert(r.scans.at[0]->attr.size == size_mul(size_const(2), size_dim(r.p->dims.at[0])));
    fresh_start(); /* or N would be that of the other program */
    ck_assert_int_eq(pass(format(text, 1)).scans.n, 0);
}
END_TEST

START_TEST(small_values_stay_whole)
{
    ck_assert_int_eq(attention("2, 2", 511).scans.n, 0);
    options.f64 = true;
    ck_assert_int_eq(attention("2, 2", 362).scans.n, 0);
    ck_assert_int_eq(attention("2, 2", 363).scans.n, 1);
}
END_TEST

START_TEST(large_slices_stay_whole)
{
    ck_assert_int_eq(attention("2", 1024).scans.n, 1);
    ck_assert_int_eq(attention("2", 1025).scans.n, 0);
    ck_assert_int_eq(attention("16", 1025).scans.n, 0);
}
END_TEST

/* One product is no batch, whatever its size; nor is a batch of one. */
START_TEST(one_slice_stays_whole)
{
    ck_assert_int_eq(attention("1", 1024).scans.n, 0);
    ck_assert_int_eq(attention("1, 1", 1024).scans.n, 0);
    Passed r = pass("entry go(Q: real[1024, 8], K: real[1024, 8]) = softmax(Q @ K') @ K;");
    ck_assert_int_eq(r.scans.n, 0);
}
END_TEST

/* Of a product that makes nothing larger than what it reads, nothing needs to be kept near. */
START_TEST(products_of_equal_matrices_stay_whole)
{
    Passed r = pass("entry go(Q: real[8, 400, 400], K: real[8, 400, 400]) = exp(Q @ K') @ K;");
    ck_assert_int_eq(r.scans.n, 0);
}
END_TEST

START_TEST(bounded_memory_has_none)
{
    Passed r = attention("2, 2", 512);
    options.max_ram = 1L << 40;
    ck_assert(slices(r.laid) == r.laid);
    options.max_ram = 0;
    ck_assert(slices(r.laid) != r.laid);
}
END_TEST

/* ---- what is needed outside ------------------------------------------------------------------ */

/* Nothing large would stay inside. */
START_TEST(values_needed_outside_prevent)
{
    Passed r = pass_of("2, 2", 512, " {\n  S = Q @ K';\n  return (S, S @ V);\n}");
    ck_assert_int_eq(r.scans.n, 0);
    r = pass_of("2, 2", 512, " {\n  S = Q @ K';\n  P = exp(S);\n  return (S, P, P @ V);\n}");
    ck_assert_int_eq(r.scans.n, 0);
}
END_TEST

/* S stays inside, P is stored for each slice. */
START_TEST(values_needed_outside_are_emitted)
{
    Passed r = pass_of("2, 2", 512, " {\n  P = exp(Q @ K');\n  return (P, P @ V);\n}");
    ck_assert_int_eq(r.scans.n, 1);
    check_part(&r, 0, 4, 2);
    ck_assert_int_eq(elements(scan_of(&r, 0)->emit[0]), 512 * 512);
    ck_assert_int_eq(elements(scan_of(&r, 0)->emit[1]), 512 * 8);
}
END_TEST

/* Sums within a slice are small and may leave it. */
START_TEST(sums_within_slices_stay_inside)
{
    Passed r =
        pass_of("2, 2", 512, " {\n  P = exp(Q @ K');\n  return (sum(P, axis = 3), P @ V);\n}");
    ck_assert_int_eq(r.scans.n, 1);
    check_part(&r, 0, 4, 2);
    ck_assert_int_eq(count_op(scan_of(&r, 0)->body, OP_SUM), 1);
    ck_assert_int_eq(count_large(r.sliced->g, 512 * 512), 0);
}
END_TEST

/* A gradient with a mixture of all slices between it and the value: two parts, and the softmax that
 * both need is stored. */
START_TEST(backwards_is_a_part_of_its_own)
{
    Passed r =
        pass_of("2, 2", 512, " = grad(sum(sum(tanh(attend(Q, K, V)), axis = 0)^2), (Q, K, V));");
    ck_assert_int_eq(r.scans.n, 2);
    check_part(&r, 0, 4, 2);
    check_part(&r, 1, 4, 3);
    ck_assert_int_eq(elements(scan_of(&r, 0)->emit[0]), 512 * 512);
    ck_assert_int_eq(scan_of(&r, 1)->n_seqs, 5);
}
END_TEST

/* Without one the gradient is in the same step. */
START_TEST(backwards_may_be_the_same_step)
{
    Passed r = pass_of("2, 2", 512, " = grad(sum(attend(Q, K, V)^2), (Q, K, V));");
    ck_assert_int_eq(r.scans.n, 1);
    check_part(&r, 0, 4, 3);
}
END_TEST

/* Rows of heads side by side are read and stored where they lie. */
START_TEST(heads_are_stored_in_their_rows)
{
    Passed r = pass("entry go(x: real[2, 512, 16]) {\n  h = to_heads[2](x);\n"
                    "  return from_heads(attend(h, h, h));\n}");
    ck_assert_int_eq(r.scans.n, 1);
    check_part(&r, 0, 4, 1);
    const Scan *s = scan_of(&r, 0);
    ck_assert(s->moved[0] != NULL);
    ck_assert_int_eq(s->moved[0]->shape.rank, 4);
    ck_assert_int_eq(s->moved[0]->perm[1], 2);
    ck_assert_int_eq(s->moved[0]->perm[2], 1);
    r = attention("2, 2", 512);
    ck_assert(scan_of(&r, 0)->moved[0] == NULL);
}
END_TEST

/* ---- masks ----------------------------------------------------------------------------------- */

/* A mask of indices is made in the step, where its band is found. */
START_TEST(masks_of_indices_are_inside)
{
    Passed r = pass_of("2, 2", 512, " = attend(Q, K, V, causal[512]());");
    ck_assert_int_eq(r.scans.n, 1);
    const Scan *s = scan_of(&r, 0);
    ck_assert_int_eq(s->n_seqs, 3);
    ck_assert_int_eq(s->n_captures, 0);
    ck_assert_int_eq(count_op(s->body, OP_IOTA), 2);
    ck_assert_int_eq(count_op(r.sliced->g, OP_IOTA), 0);
    Text header = {0}, source = {0};
    emit_program(r.p, &header, &source);
    ck_assert(strstr(source.s, "nn_gemm_nt_band(512, 512, 8, ") != NULL);
    ck_assert(strstr(source.s, "nn_gemm_nn_band(512, 8, 512, ") != NULL);
}
END_TEST

/* Where it depends on the slice as well, only what that is made of is handed over. */
START_TEST(masks_of_the_slice_are_made_inside)
{
    Passed r = pass_of("2, 2", 512,
                       " {\n  A = Q @ K';\n  S[n in 2, h in 2, i in 512, j in 512] =\n"
                       "    j < i + 90 * h + n ? A[n, h, i, j] : -2;\n  return tanh(S) @ V;\n}");
    ck_assert_int_eq(r.scans.n, 1);
    ck_assert_int_eq(count_op(scan_of(&r, 0)->body, OP_LT), 1);
    ck_assert_int_eq(count_op(scan_of(&r, 0)->body, OP_IOTA), 1);
    for (int k = 0; k < r.scans.at[0]->n_in; k++)
        ck_assert_int_lt(elements(r.scans.at[0]->in[k]), 4 * 512 * 512);
}
END_TEST

/* One that depends on data is the same for all slices, or comes with each. */
START_TEST(masks_of_data_are_handed_over)
{
    static const struct {
        const char *type, *mask;
        int seqs, captures;
    } masks[] = {{"bool[512, 512]", "M", 2, 1},
                 {"bool[512]", "M", 2, 1},
                 {"bool[2]", "M[:, new, new, new]", 3, 0},
                 {"bool[2]", "M[:, new, new]", 3, 0},
                 {"bool[2, 512]", "M[:, new, new, :]", 3, 0},
                 {"bool[2, 2, 512, 512]", "M", 3, 0}};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        Passed r = pass(format("entry go(Q: real[2, 2, 512, 8], V: real[2, 2, 512, 8], M: %s) =\n"
                               "  exp(%s ? Q @ V' : -2) @ V;\n",
                               masks[i].type, masks[i].mask));
        ck_assert_int_eq(r.scans.n, 1);
        ck_assert_int_eq(count_op(scan_of(&r, 0)->body, OP_WHERE), 1);
        ck_assert_int_eq(scan_of(&r, 0)->n_seqs, masks[i].seqs);
        ck_assert_int_eq(scan_of(&r, 0)->n_captures, masks[i].captures);
    }
}
END_TEST

/* ---- what mixes slices ----------------------------------------------------------------------- */

static Passed pass_of_any(const char *body)
{
    static const char all[] = "real[N, 2, 512, 8]";
    return pass(format("dim N in 1..2;\nentry go(Q: %s, K: %s, V: %s)%s", all, all, all, body));
}

/* What makes P and what reads it are parts of their own, with the mixture between them. */
static const char *const mixtures[] = {
    " {\n  P = exp(Q @ K');\n  return (P - mean(P, axis = 0)[new]) @ V;\n}",
    " {\n  P = exp(Q @ K');\n  return (P - max(P, axis = 1)[:, new]) @ V;\n}",
    " {\n  P = exp(Q @ K');\n  return (P + reverse(P, axis = 0)) @ V;\n}",
    " {\n  P = exp(Q @ K');\n  A = P[:, 0];\n  B = P[:, 1];\n"
    "  Z = transpose([A, B], (1, 0, 2, 3));\n"
    "  return tanh(P + transpose([B, A], (1, 0, 2, 3)) * Z) @ V;\n}",
    " {\n  P = exp(Q @ K');\n  A = [[0.3, 0.7], [0.9, -0.4]];\n"
    "  X = reshape(A @ reshape(P, [N, 2, 262144]), [N, 2, 512, 512]);\n"
    "  return tanh(X) @ V;\n}",
};
enum { MIXTURES = sizeof mixtures / sizeof *mixtures };

START_TEST(mixtures_end_a_part)
{
    Passed r = pass_of_any(mixtures[_i]);
    ck_assert_int_eq(r.scans.n, 2);
    for (int i = 0; i < 2; i++) {
        check_part(&r, i, 4, 1);
        ck_assert_int_eq(count_op(scan_of(&r, i)->body, OP_MATMUL), 1);
    }
    ck_assert_int_eq(elements(scan_of(&r, 0)->emit[0]), 512 * 512);
    ck_assert_int_eq(elements(scan_of(&r, 1)->emit[0]), 512 * 8);
}
END_TEST

/* A transposition of the leading axes is one, too, though nothing is added up. */
START_TEST(turned_batches_end_a_part)
{
    Passed r = pass_of("2, 2", 512,
                       " {\n  P = exp(Q @ K');\n"
                       "  return (P * transpose(P, (1, 0, 2, 3))) @ V;\n}");
    ck_assert_int_eq(r.scans.n, 2);
    r = pass_of("2, 2", 512,
                " {\n  P = exp(Q @ K');\n"
                "  return (P * transpose(P, (0, 1, 3, 2))) @ V;\n}");
    ck_assert_int_eq(r.scans.n, 1);
}
END_TEST

/* ---- the same values ------------------------------------------------------------------------- */

/* The interpreter knows nothing of results that are stored in another order. */
static Graph *in_order(const Graph *g, Node **roots, int n)
{
    Graph *to = graph_new();
    Node **map = NEW_N(Node *, g->nodes.n + 1);
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *x = g->nodes.at[i];
        const Scan *s = x->op == OP_SCAN ? x->attr.ref : NULL;
        const Moved *m = s && s->moved ? s->moved[x->attr.k] : NULL;
        if (!m) {
            map[i] = node_copy(to, x, &x->attr, map);
            continue;
        }
        Node *y = n_scan(to, s, x->attr.size, (int)x->attr.k, x->n_in, mapped_operands(x, map));
        map[i] = n_transpose(to, n_reshape(to, y, &m->shape), m->perm);
    }
    map_roots(roots, n, map);
    return to;
}

static Tensor **values_of(const Passed *r, const Entry *e, Tensor *const *args, long n)
{
    Node **roots;
    const int all = gather_roots(e, &roots);
    Tensor **values = NEW_N(Tensor *, all + 1);
    long dims[64] = {0};
    Graph *g = in_order(e->g, roots, all);
    dims[r->p->dims.at[0]->id] = n;
    eval_roots(g, roots, all, dims, args, machine_new(r->p, 5), values);
    return values;
}

/* Sums have the same terms in the same order. */
static void check_values(const Passed *r)
{
    const long n = 2;
    Tensor **args = random_arguments(r->laid, 7, n);
    Tensor **before = values_of(r, r->laid, args, n), **after = values_of(r, r->sliced, args, n);
    Node **roots;
    double size = 0;
    ck_assert_int_gt(r->scans.n, 0);
    for (int i = gather_roots(r->laid, &roots); i-- > 0;) {
        if (!roots[i]) continue;
        ck_assert_int_eq(before[i]->count, after[i]->count);
        for (long k = 0; k < before[i]->count; k++) {
            size += before[i]->v[k] * before[i]->v[k];
            ck_assert_msg(before[i]->v[k] == after[i]->v[k], "result %d: element %ld is %g, not %g",
                          i, k, after[i]->v[k], before[i]->v[k]);
        }
    }
    ck_assert(size > 1e-6 && size < 1e12);
}

static const char *const bodies[] = {
    " = attend(Q, K, V);",
    " = attend(Q, K, V, causal[512]());",
    " {\n  P = exp(Q @ K');\n  return (P, P @ V, sum(P, axis = 3));\n}",
    " = grad(sum(attend(Q, K, V, causal[512]())^2), (Q, K, V));",
    " = grad(sum(sum(tanh(attend(Q, K, V)), axis = 0)^2), (Q, K, V));",
    " {\n  S = iota[N][:, new, new, new] == 1 ? Q @ K' : -2;\n  return tanh(S) @ V;\n}",
    " {\n  A = Q @ K';\n  S[n in N, h in 2, i in 512, j in 512] =\n"
    "    j < (i * 2 + h) * 3 + n ? A[n, h, i, j] : -2;\n  return tanh(S) @ V;\n}",
    " {\n  S = V[:, :, 0, 0][.., new, new] < 0 ? Q @ K' : -2;\n  return tanh(S) @ V;\n}",
};

START_TEST(values_stay_the_same)
{
    Passed r = pass_of_any(bodies[_i]);
    check_values(&r);
}
END_TEST

START_TEST(values_of_mixtures_stay_the_same)
{
    Passed r = pass_of_any(mixtures[_i]);
    check_values(&r);
}
END_TEST

/* Heads side by side, with weights around them: the value, or the step of a training. */
START_TEST(values_of_heads_stay_the_same)
{
    static const char *const results[] = {
        "net(x, x, causal_mask(x))",
        "grad(sum(net(x, x)^2), params)",
        "grad(sum(net(x, x, causal_mask(x))^2), x)",
    };
    Passed r = pass(format("dim N in 1..2;\nnet = MultiHead[2];\n"
                           "training entry go(x: real[N, 512, 12]) = %s;",
                           results[_i]));
    check_values(&r);
}
END_TEST

Suite *suite_slices(void)
{
    Suite *s = suite_create("slices");
    TCase *t = tcase_create("parts"), *v = tcase_create("values");
    tcase_set_timeout(v, 120);
    tcase_add_checked_fixture(t, fresh_start, teardown);
    tcase_add_checked_fixture(v, fresh_start, teardown);
    tcase_add_loop_test(t, large_values_are_those_of_a_slice, 0, 5);
    tcase_add_test(t, scratch_is_that_of_a_slice);
    tcase_add_test(t, batches_may_be_unknown);
    tcase_add_test(t, small_values_stay_whole);
    tcase_add_test(t, large_slices_stay_whole);
    tcase_add_test(t, one_slice_stays_whole);
    tcase_add_test(t, products_of_equal_matrices_stay_whole);
    tcase_add_test(t, bounded_memory_has_none);
    tcase_add_test(t, values_needed_outside_prevent);
    tcase_add_test(t, values_needed_outside_are_emitted);
    tcase_add_test(t, sums_within_slices_stay_inside);
    tcase_add_test(t, backwards_is_a_part_of_its_own);
    tcase_add_test(t, backwards_may_be_the_same_step);
    tcase_add_test(t, heads_are_stored_in_their_rows);
    tcase_add_test(t, masks_of_indices_are_inside);
    tcase_add_test(t, masks_of_the_slice_are_made_inside);
    tcase_add_test(t, masks_of_data_are_handed_over);
    tcase_add_loop_test(t, mixtures_end_a_part, 0, MIXTURES);
    tcase_add_test(t, turned_batches_end_a_part);
    tcase_add_loop_test(v, values_stay_the_same, 0, (int)(sizeof bodies / sizeof *bodies));
    tcase_add_loop_test(v, values_of_mixtures_stay_the_same, 0, MIXTURES);
    tcase_add_loop_test(v, values_of_heads_stay_the_same, 0, 3);
    suite_add_tcase(s, t);
    suite_add_tcase(s, v);
    return s;
}
