/* test_graph.c - the graph and its builders: one node for each value, operands before users, the
 * rules by which sizes stretch, and copies. */
#include "sample.h"

#include <check.h>
#include <signal.h>
#include <string.h>

static Graph *g;
static Node *x, *y;
static Dim dim_n;
static SizeRef N;

static void start(void)
{
    g = graph_new();
    dim_n = (Dim){"N", 1, 8, {0}, 0};
    N = size_dim(&dim_n);
    x = n_input(g, 0, real_of(SHAPE(2, 3)), "x");
    y = n_input(g, 1, real_of(SHAPE(2, 3)), "y");
}

static void stop(void)
{
    arena_release();
}

static const char *dump(Node *root)
{
    Text t = {0};
    graph_dump(&t, g, &root, 1);
    return t.s;
}

START_TEST(equal_requests_give_one_node)
{
    int before = g->nodes.n;
    Node *a = n_map2(g, OP_ADD, x, y);
    ck_assert_ptr_eq(n_map2(g, OP_ADD, x, y), a);
    ck_assert_int_eq(g->nodes.n, before + 1);
    ck_assert_ptr_ne(n_map2(g, OP_ADD, y, x), a);
    ck_assert_ptr_ne(n_map2(g, OP_SUB, x, y), a);
    ck_assert_ptr_eq(n_const(g, ELEM_REAL, 2), n_const(g, ELEM_REAL, 2));
    ck_assert_ptr_ne(n_const(g, ELEM_REAL, 0.0), n_const(g, ELEM_REAL, -0.0));
    ck_assert_ptr_ne(n_const(g, ELEM_REAL, 1), n_const(g, ELEM_I32, 1));
    ck_assert_ptr_ne(n_reduce(g, OP_SUM, x, 1), n_reduce(g, OP_SUM, x, 2));
    ck_assert_ptr_ne(n_mark(g, x), n_mark(g, x));
}
END_TEST

START_TEST(many_nodes_are_found_again)
{
    Node *first[3000];
    for (int i = 0; i < 3000; i++) first[i] = n_map2(g, OP_MUL, x, n_full(g, x->type, i));
    int before = g->nodes.n;
    for (int i = 0; i < 3000; i++)
        ck_assert_ptr_eq(n_map2(g, OP_MUL, x, n_full(g, x->type, i)), first[i]);
    ck_assert_int_eq(g->nodes.n, before);
    graph_verify(g, "many");
}
END_TEST

START_TEST(requests_that_change_nothing)
{
    static const int straight[] = {0, 1};
    Shape s = SHAPE(2, 3);
    SizeRef zero[] = {size_const(0), size_const(0)};
    ck_assert_ptr_eq(n_reshape(g, x, &s), x);
    ck_assert_ptr_eq(n_transpose(g, x, straight), x);
    ck_assert_ptr_eq(n_expand(g, x, &s), x);
    ck_assert_ptr_eq(n_slice(g, x, zero, &s), x);
    ck_assert_ptr_eq(n_pad(g, x, zero, &s), x);
    ck_assert_ptr_eq(n_reduce(g, OP_SUM, x, 0), x);
    ck_assert_ptr_eq(n_reverse(g, x, 0), x);
    ck_assert_ptr_eq(n_concat(g, 0, 1, &x), x);
    ck_assert_ptr_eq(n_cast(g, ELEM_REAL, x), x);
}
END_TEST

START_TEST(types_follow_from_operands)
{
    ck_assert_str_eq(type_text(n_map2(g, OP_LT, x, y)->type), "bool[2, 3]");
    ck_assert_str_eq(type_text(n_reduce(g, OP_SUM, x, 2)->type), "real[2]");
    ck_assert_str_eq(type_text(n_reduce(g, OP_ARGMAX, x, 1)->type), "i32[3]");
    ck_assert_str_eq(type_text(n_matmul(g, x, n_swap_last(g, y))->type), "real[2, 2]");
    ck_assert_str_eq(type_text(n_concat(g, 0, 2, (Node *[]){x, y})->type), "real[4, 3]");
    Shape places = SHAPE(5, 4);
    ck_assert_str_eq(type_text(n_gather(g, x, n_iota(g, &places, 0))->type), "real[5, 4, 3]");
    ck_assert_str_eq(type_text(n_size(g, ELEM_REAL, N)->type), "real");
    ck_assert_str_eq(type_text(n_map2(g, OP_MUL, n_const(g, ELEM_REAL, 2), x)->type), "real[2, 3]");
}
END_TEST

START_TEST(sizes_stretch_from_the_right)
{
    Node *row = n_input(g, 2, real_of(SHAPE(3)), "row"),
         *column = n_input(g, 3, real_of(SHAPE(2, 1)), "column");
    Node *wrong = n_input(g, 4, real_of(SHAPE(2)), "wrong");
    Shape to = SHAPE(2, 3), narrow = SHAPE(3);
    ck_assert_str_eq(dump(n_expand(g, row, &to)),
                     "%2: real[3] = input 2   // row\n%5: real[2, 3] = broadcast new 0 %2\n");
    ck_assert_str_eq(dump(n_expand(g, column, &to)),
                     "%3: real[2, 1] = input 3   // column\n%6: real[2] = reshape %3\n%7: real[2, "
                     "3] = broadcast new 1 %6\n");
    ck_assert_ptr_null(n_expand(g, wrong, &to));
    ck_assert_ptr_null(n_expand(g, x, &narrow));
    ck_assert_ptr_null(n_expand(g, row, &(Shape){1, {N}}));
}
END_TEST

START_TEST(numbers_in_disguise)
{
    double v = 0;
    ck_assert(node_is_const(n_full(g, x->type, 2.5), &v) && v == 2.5);
    ck_assert(!node_is_const(x, NULL));
}
END_TEST

START_TEST(a_copy_holds_what_is_reached)
{
    Node *sum = n_map2(g, OP_ADD, x, y), *dead = n_map1(g, OP_EXP, y),
         *root = n_map1(g, OP_TANH, sum), *none = NULL;
    sum->name = "s";
    Node *roots[] = {root, none, x};
    Graph *copy = graph_copy(g, roots, 3);
    (void)dead;
    graph_verify(copy, "copy");
    ck_assert_int_eq(copy->nodes.n, 4);
    ck_assert_ptr_null(roots[1]);
    ck_assert_int_eq(roots[0]->op, OP_TANH);
    ck_assert_str_eq(roots[0]->in[0]->name, "s");
    ck_assert_ptr_eq(roots[2], roots[0]->in[0]->in[0]);
    ck_assert_ptr_eq(g->nodes.at[root->id], root);
}
END_TEST

/* Nodes that differ in where they begin alone must not share a bucket: the time limit says so. */
START_TEST(many_slices_of_one_array)
{
    enum { MANY = 50000 };
    Shape one = SHAPE(1);
    Node *long_row = n_input(g, 1, real_of(SHAPE(MANY)), "row");
    for (int i = 0; i < MANY; i++) n_slice(g, long_row, (SizeRef[]){size_const(i)}, &one);
    int nodes = g->nodes.n;
    n_slice(g, long_row, (SizeRef[]){size_const(MANY / 2)}, &one);
    ck_assert_int_eq(g->nodes.n, nodes);
}
END_TEST

/* ---- what a broken graph does: verify stops the compiler ------------------------------------- */

START_TEST(an_operand_from_elsewhere)
{
    Node *a = n_map1(g, OP_EXP, x);
    a->in[0] = n_input(graph_new(), 0, real_of(SHAPE(2, 3)), "other");
    freopen("/dev/null", "w", stderr);
    graph_verify(g, "test");
}
END_TEST

START_TEST(a_type_that_does_not_follow)
{
    Node *a = n_map1(g, OP_EXP, x);
    a->type.shape = SHAPE(7);
    freopen("/dev/null", "w", stderr);
    graph_verify(g, "test");
}
END_TEST

Suite *suite_graph(void)
{
    Suite *s = suite_create("graph");
    TCase *t = tcase_create("graph");
    tcase_add_checked_fixture(t, start, stop);
    tcase_add_test(t, equal_requests_give_one_node);
    tcase_add_test(t, many_nodes_are_found_again);
    tcase_add_test(t, many_slices_of_one_array);
    tcase_add_test(t, requests_that_change_nothing);
    tcase_add_test(t, types_follow_from_operands);
    tcase_add_test(t, sizes_stretch_from_the_right);
    tcase_add_test(t, numbers_in_disguise);
    tcase_add_test(t, a_copy_holds_what_is_reached);
    tcase_add_test_raise_signal(t, an_operand_from_elsewhere, SIGABRT);
    tcase_add_test_raise_signal(t, a_type_that_does_not_follow, SIGABRT);
    suite_add_tcase(s, t);
    return s;
}
