/* Graph nodes as equations: names, parentheses, and what the language leaves unsaid. */
#include "equations.h"

#include <check.h>
#include <math.h>

static Graph *g;
static Dim batch = {.name = "N", .lo = 1, .hi = 64};

static void setup(void) { g = graph_new(); }

static void teardown(void)
{
    diag_reset();
    arena_release();
}

static Type real(int rank, long a, long b)
{
    Type t = {.elem = ELEM_REAL, .shape = {.rank = rank}};
    if (rank > 0) t.shape.size[0] = a < 0 ? size_dim(&batch) : size_const(a);
    if (rank > 1) t.shape.size[1] = size_const(b);
    return t;
}

static Node *scalar(const char *name, int k) { return n_input(g, k, real(0, 0, 0), name); }

static void expect(Node *root, const char *text)
{
    Text out = {0};
    Names *m = names_of(g, &root, 1);
    node_value(&out, m, root);
    ck_assert_str_eq(out.s, text);
}

START_TEST(parentheses_are_the_fewest)
{
    Node *a = scalar("a", 0), *b = scalar("b", 1), *c = scalar("c", 2);
    expect(n_map2(g, OP_MUL, n_map2(g, OP_ADD, a, b), c), "(a + b) * c");
    expect(n_map2(g, OP_ADD, n_map2(g, OP_MUL, a, b), c), "a * b + c");
    expect(n_map2(g, OP_SUB, a, n_map2(g, OP_SUB, b, c)), "a - (b - c)");
    expect(n_map2(g, OP_SUB, n_map2(g, OP_SUB, a, b), c), "a - b - c");
    expect(n_map1(g, OP_NEG, n_map2(g, OP_POW, a, b)), "-a^b");
    expect(n_map2(g, OP_POW, n_map1(g, OP_NEG, a), b), "(-a)^b");
    expect(n_map2(g, OP_POW, a, n_const(g, ELEM_REAL, -1)), "a^(-1)");
    expect(n_map2(g, OP_MUL, n_map1(g, OP_TANH, n_map2(g, OP_ADD, a, b)), c), "tanh(a + b) * c");
    expect(n_map3(g, OP_WHERE, n_map2(g, OP_LT, a, b), a, n_map2(g, OP_ADD, b, c)),
           "a < b ? a : b + c");
}
END_TEST

START_TEST(numbers_are_short)
{
    Node *a = scalar("a", 0);
    expect(n_map2(g, OP_MUL, a, n_const(g, ELEM_REAL, 0.1)), "a * 0.1");
    expect(n_map2(g, OP_MUL, a, n_const(g, ELEM_REAL, 2)), "a * 2");
    expect(n_map2(g, OP_MAX, a, n_const(g, ELEM_REAL, -(double)INFINITY)), "max(a, -inf)");
}
END_TEST

START_TEST(shapes_say_what_is_needed)
{
    Node *x = n_input(g, 0, real(2, -1, 3), "x"), *w = n_input(g, 1, real(2, 3, 4), "W");
    Node *b = n_input(g, 2, real(1, 4, 0), "b"), *v = n_input(g, 3, real(1, -1, 0), "v");
    Node *y = n_matmul(g, x, w);
    expect(n_map2(g, OP_ADD, y, n_expand(g, b, &y->type.shape)), "x @ W + b");
    expect(n_map2(g, OP_MUL, y, n_broadcast(g, v, &y->type.shape, 2)), "x @ W * v[:, new]");
    expect(n_matmul(g, n_swap_last(g, x), x), "x' @ x");
    expect(n_matmul(g, n_swap_last(g, n_map2(g, OP_ADD, x, x)), x), "(x + x)' @ x");
    expect(n_reduce(g, OP_SUM, y, 3), "sum(x @ W)");
    expect(n_reduce(g, OP_MAXOF, y, 2), "max(x @ W, axis = 1)");
    Shape flat = {.rank = 1, .size = {size_mul(size_dim(&batch), size_const(3))}};
    expect(n_reshape(g, x, &flat), "reshape(x, [3*N])");
    Shape column = {.rank = 2, .size = {size_const(3), size_const(2)}};
    SizeRef lo[2] = {size_const(0), size_const(1)};
    expect(n_slice(g, w, lo, &column), "W[:, 1:3]");
    Shape one = {.rank = 2, .size = {size_const(1), size_dim(&batch)}};
    expect(n_matmul(g, n_reshape(g, v, &one), x), "v @ x");
    Shape row = {.rank = 2, .size = {size_const(1), size_const(4)}};
    Shape tall = {.rank = 2, .size = {size_dim(&batch), size_const(1)}};
    expect(n_matmul(g, n_reshape(g, v, &tall), n_reshape(g, b, &row)), "v[:, new] @ b[new, :]");
}
END_TEST

START_TEST(names_are_unique)
{
    Node *a = scalar("a", 0), *h = n_map1(g, OP_TANH, a), *k = n_map1(g, OP_EXP, h);
    h->name = "h";
    k->name = "h";
    Node *twice = n_map1(g, OP_SIN, k);
    Node *root = n_map2(g, OP_ADD, twice, n_map2(g, OP_MUL, h, twice));
    Names *m = names_of(g, &root, 1);
    ck_assert_str_eq(node_name(m, h), "h");
    ck_assert_str_eq(node_name(m, k), "h_2");
    ck_assert_str_eq(node_name(m, twice), "t1");
    ck_assert_ptr_null(node_name(m, root));
    ck_assert(!node_stands(m, a) && node_stands(m, h) && !node_stands(m, root));
    Text out = {0};
    node_equation(&out, m, k);
    ck_assert_str_eq(out.s, "h_2 = exp(h)");
    names_give(m, root, "a");
    ck_assert_str_eq(node_name(m, root), "a_2");
}
END_TEST

START_TEST(adjoints_are_named_after_their_value)
{
    Node *a = scalar("a", 0), *h = n_map1(g, OP_TANH, a);
    h->name = "h";
    Node *dy = scalar("dy", 1);
    g->adjoint_of = h;
    Node *first = n_map2(g, OP_MUL, dy, h), *total = n_map2(g, OP_ADD, first, dy);
    g->adjoint_of = NULL;
    Names *m = names_of(g, &total, 1);
    ck_assert_str_eq(node_name(m, total), "d_h");
    ck_assert_ptr_null(node_name(m, first));
    Text out = {0};
    node_equation(&out, m, total);
    ck_assert_str_eq(out.s, "d_h = dy * h + dy");
}
END_TEST

static Node *param(const char *path, long size)
{
    Slot *slot = NEW(Slot);
    *slot = (Slot){.path = path, .type = real(1, size, 0)};
    return n_slot(g, slot);
}

START_TEST(instances_tell_names_apart)
{
    Node *x = n_input(g, 0, real(1, 3, 0), "x"), *b1 = param("net.Bias1.b", 3);
    Node *z1 = n_map2(g, OP_ADD, x, b1), *y1 = n_map1(g, OP_TANH, z1);
    Node *z2 = n_map2(g, OP_ADD, y1, param("net.Bias2.b", 3)), *y2 = n_map1(g, OP_TANH, z2);
    z1->name = z2->name = "z";
    z1->owner = "net.Bias1";
    z2->owner = "net.Bias2";
    y1->name = y2->name = "y";
    Node *dy = n_input(g, 1, real(1, 3, 0), "dy");
    g->adjoint_of = b1;
    Node *d = n_map2(g, OP_MUL, dy, y2);
    g->adjoint_of = NULL;
    Names *m = names_of(g, &d, 1);
    ck_assert_str_eq(node_name(m, z1), "Bias1_z");
    ck_assert_str_eq(node_name(m, z2), "Bias2_z");
    ck_assert_str_eq(node_name(m, y1), "y");           /* nobody tells whose it is */
    ck_assert_str_eq(node_name(m, y2), "y_2");
    ck_assert_str_eq(node_name(m, d), "d_Bias1_b");
    ck_assert_str_eq(gradient_name(m, "scale"), "d_scale");
}
END_TEST

START_TEST(numbers_follow_an_order)
{
    Node *a = scalar("a", 0), *h = n_map1(g, OP_TANH, a), *k = n_map1(g, OP_EXP, a);
    Node *root = n_map2(g, OP_ADD, n_map2(g, OP_MUL, h, h), n_map2(g, OP_MUL, k, k));
    Names *m = names_of(g, &root, 1);
    ck_assert_str_eq(node_name(m, h), "t1");
    ck_assert_str_eq(node_name(m, k), "t2");
    names_give(m, root, NULL);
    ck_assert_str_eq(node_name(m, root), "t3");
    names_renumber(m, (Node *[]){root, k}, 2);
    ck_assert_str_eq(node_name(m, root), "t1");
    ck_assert_str_eq(node_name(m, k), "t2");
    ck_assert_str_eq(node_name(m, h), "t3");
    names_give(m, h, "t1");
    ck_assert_str_eq(node_name(m, h), "t1_2");
}
END_TEST

START_TEST(negative_numbers_are_differences)
{
    Node *a = scalar("a", 0), *b = scalar("b", 1), *minus = n_const(g, ELEM_REAL, -1);
    Node *half = n_const(g, ELEM_REAL, -0.5);
    expect(n_map2(g, OP_ADD, a, half), "a - 0.5");
    expect(n_map2(g, OP_ADD, a, n_map2(g, OP_MUL, half, b)), "a - 0.5 * b");
    expect(n_map2(g, OP_ADD, a, n_map2(g, OP_MUL, minus, b)), "a - b");
    expect(n_map2(g, OP_MUL, minus, n_map2(g, OP_ADD, a, b)), "-(a + b)");
    expect(n_map2(g, OP_POW, n_map2(g, OP_MUL, minus, a), b), "(-a)^b");
}
END_TEST

START_TEST(a_turned_vector_is_a_transpose)
{
    Node *column = n_input(g, 0, real(2, 4, 1), "v");
    Shape row = {.rank = 2, .size = {size_const(1), size_const(4)}};
    expect(n_matmul(g, n_reshape(g, column, &row), column), "v' @ v");
}
END_TEST

START_TEST(a_window_tells_its_index)
{
    Node *x = n_input(g, 0, real(1, 7, 0), "x");
    Attr attr = {.axes = 2, .perm = {2, 1}, .lo = {size_const(1)}};
    expect(graph_node(g, OP_WINDOW, &attr, real(2, 3, 2), 1, &x),
           "window(x, axis = 0, 2*i + p + 1)");
}
END_TEST

START_TEST(marks_are_not_seen)
{
    Node *a = scalar("a", 0), *h = n_mark(g, n_map1(g, OP_TANH, a));
    h->name = "h";
    Node *root = n_map2(g, OP_ADD, h, a);
    expect(root, "h + a");
    Names *m = names_of(g, &root, 1);
    Text out = {0};
    node_equation(&out, m, h);
    ck_assert_str_eq(out.s, "h = tanh(a)");
}
END_TEST

Suite *suite_equations(void);
Suite *suite_equations(void)
{
    Suite *s = suite_create("equations");
    TCase *t = tcase_create("equations");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, parentheses_are_the_fewest);
    tcase_add_test(t, numbers_are_short);
    tcase_add_test(t, shapes_say_what_is_needed);
    tcase_add_test(t, names_are_unique);
    tcase_add_test(t, adjoints_are_named_after_their_value);
    tcase_add_test(t, instances_tell_names_apart);
    tcase_add_test(t, numbers_follow_an_order);
    tcase_add_test(t, negative_numbers_are_differences);
    tcase_add_test(t, a_turned_vector_is_a_transpose);
    tcase_add_test(t, a_window_tells_its_index);
    tcase_add_test(t, marks_are_not_seen);
    suite_add_tcase(s, t);
    return s;
}
