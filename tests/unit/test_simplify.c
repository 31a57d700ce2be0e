/* test_simplify.c - the simplifier: what single rules make of small graphs, the forms that must
 * come out of whole models, names, exactness, speed, and random programs before and after. */
#include "sample.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- graphs as text ---- */

static void write_axes(Text *t, unsigned axes)
{
    text_add(t, "[");
    for (int i = 0; i < MAX_RANK; i++)
        if (axes >> i & 1) text_add(t, "%d", i);
    text_add(t, "]");
}

/* add(x0, broadcast[0](x1)); a number stands for itself however it is broadcast */
static void write_node(Text *t, const Node *n)
{
    double v;
    if (node_is_const(n, &v)) {
        text_add(t, "%g", v);
        return;
    }
    if (n->op == OP_INPUT) {
        text_add(t, "x%ld", n->attr.k);
        return;
    }
    text_add(t, "%s", op_info[n->op].name);
    if (n->attr.axes) write_axes(t, n->attr.axes);
    if (n->op == OP_SIZE) text_add(t, " %s", size_text(n->attr.size));
    for (int k = 0; k < n->n_in; k++) {
        text_add(t, k ? ", " : "(");
        write_node(t, n->in[k]);
    }
    if (n->n_in) text_add(t, ")");
}

static const char *text_of(const Node *n)
{
    Text t = {0};
    write_node(&t, n);
    return t.s;
}

/* What n is simplified to; its values are compared on the way. */
static Node *simplified(Sample *s, Node *n)
{
    check_simplified(s, &n, 1);
    simplify_roots(s->g, &n, 1);
    return n;
}

#define expect(n, text) ck_assert_str_eq(text_of(simplified(&s, n)), text)

static Sample s;
static Node *x, *y, *label;

static Node *num(double v) { return n_const(s.g, ELEM_REAL, v); }
static Node *m1(Op op, Node *a) { return n_map1(s.g, op, a); }
static Node *m2(Op op, Node *a, Node *b) { return n_map2(s.g, op, a, b); }
static Node *where(Node *c, Node *a, Node *b) { return n_map3(s.g, OP_WHERE, c, a, b); }
static Node *is_zero(Node *a) { return m2(OP_EQ, a, num(0)); }

/* Loops over many graphs start each with empty memory. */
static void forget(void)
{
    arena_release();
}

/* x0 and x1 of one shape, and labels for the rows. */
static void start(Shape shape)
{
    s = sample_new("simplify", 1);
    x = sample_input(&s, real_of(shape), 0.2, 2);
    y = sample_input(&s, real_of(shape), 0.2, 2);
    Shape rows = shape;
    rows.rank--;
    if (shape.rank) label = sample_input(&s, (Type){ELEM_I32, rows}, 0, 3);
}

/* ---- single rules ---- */

START_TEST(sums_and_products)
{
    start(SHAPE(2, 3));
    expect(m2(OP_ADD, x, num(0)), "x0");
    expect(m2(OP_ADD, num(0), x), "x0");
    expect(m2(OP_ADD, num(2), x), "add(2, x0)");
    expect(m2(OP_ADD, x, x), "mul(2, x0)");
    expect(m2(OP_SUB, x, num(0)), "x0");
    expect(m2(OP_SUB, num(0), x), "neg(x0)");
    expect(m2(OP_MUL, x, num(1)), "x0");
    expect(m2(OP_MUL, x, num(-1)), "neg(x0)");
    expect(m2(OP_DIV, x, num(1)), "x0");
    expect(m2(OP_DIV, x, num(4)), "mul(0.25, x0)");
    expect(m2(OP_DIV, x, num(3)), "div(x0, 3)");
    expect(m1(OP_NEG, m1(OP_NEG, x)), "x0");
    expect(m2(OP_ADD, x, m1(OP_NEG, y)), "sub(x0, x1)");
    expect(m2(OP_SUB, x, m1(OP_NEG, y)), "add(x0, x1)");
    expect(m1(OP_NEG, m2(OP_SUB, x, y)), "sub(x1, x0)");
    expect(m2(OP_MUL, m1(OP_NEG, x), m1(OP_NEG, y)), "mul(x0, x1)");
    expect(m2(OP_DIV, m1(OP_NEG, x), y), "neg(div(x0, x1))");
    expect(m2(OP_MUL, m2(OP_MUL, x, num(3)), num(2)), "mul(6, x0)");
    expect(m2(OP_DIV, m2(OP_MUL, x, num(2)), num(10)), "div(x0, 5)");
    expect(m2(OP_MUL, m2(OP_DIV, x, num(10)), num(20)), "mul(2, x0)");
    expect(m2(OP_MUL, num(3), num(4)), "12");
    expect(m2(OP_MUL, y, m2(OP_DIV, num(1), x)), "div(x1, x0)");
    expect(m2(OP_MUL, m2(OP_DIV, num(3), x), num(2)), "div(6, x0)");
}
END_TEST

START_TEST(powers_and_functions)
{
    start(SHAPE(2, 3));
    expect(m2(OP_POW, x, num(2)), "mul(x0, x0)");
    expect(m2(OP_POW, x, num(3)), "mul(mul(x0, x0), x0)");
    expect(m2(OP_POW, x, num(4)), "mul(mul(x0, x0), mul(x0, x0))");
    expect(m2(OP_POW, x, num(1)), "x0");
    expect(m2(OP_POW, x, num(0)), "1");
    expect(m2(OP_POW, x, num(0.5)), "sqrt(x0)");
    expect(m2(OP_POW, x, num(-0.5)), "rsqrt(x0)");
    expect(m2(OP_POW, x, num(-1)), "div(1, x0)");
    expect(m2(OP_POW, x, num(2.5)), "pow(x0, 2.5)");
    expect(m1(OP_TANH, m1(OP_NEG, x)), "neg(tanh(x0))");
    expect(m1(OP_ABS, m1(OP_NEG, x)), "abs(x0)");
    expect(m2(OP_MAX, x, num(-INFINITY)), "x0");
    expect(m1(OP_LOG, m1(OP_EXP, x)), "log(exp(x0))");
    expect(m1(OP_EXP, num(0)), "1");
    expect(m1(OP_STOP, n_mark(s.g, x)), "x0");
}
END_TEST

/* What could be another number is left alone. */
START_TEST(exactness)
{
    start(SHAPE(3));
    expect(m2(OP_SUB, m2(OP_ADD, x, num(1e20)), num(1e20)), "sub(add(x0, 1e+20), 1e+20)");
    expect(m2(OP_MUL, x, num(0)), "mul(0, x0)");
    expect(m2(OP_SUB, x, x), "sub(x0, x0)");
    expect(m2(OP_DIV, x, x), "div(x0, x0)");
    expect(m2(OP_MUL, m2(OP_MUL, x, num(1e200)), num(1e200)), "mul(1e+200, mul(1e+200, x0))");
    expect(m2(OP_MUL, n_cast(s.g, ELEM_REAL, m2(OP_LT, x, y)), num(0)), "0");
    s.g->rule = "a derivative";
    expect(m2(OP_MUL, m1(OP_TANH, x), num(0)), "0");
    s.g->rule = NULL;
    s.value[0]->v[0] = INFINITY;
    s.value[0]->v[1] = NAN;
    expect(m2(OP_MUL, m1(OP_EXP, x), num(0)), "mul(0, exp(x0))");
    expect(where(is_zero(x), num(0), x), "x0");
}
END_TEST

START_TEST(choices)
{
    start(SHAPE(2, 3));
    Node *c = m2(OP_LT, x, y);
    expect(where(c, x, x), "x0");
    expect(where(m1(OP_NOT, c), x, y), "where(lt(x0, x1), x1, x0)");
    expect(where(c, num(1), num(0)), "cast(lt(x0, x1))");
    expect(where(c, num(0), num(1)), "cast(not(lt(x0, x1)))");
    expect(where(c, num(-1), num(0)), "neg(cast(lt(x0, x1)))");
    expect(where(c, where(c, x, y), num(3)), "where(lt(x0, x1), x0, 3)");
    expect(where(is_zero(x), num(0), x), "x0");
    expect(where(is_zero(x), num(0), m2(OP_MUL, x, num(3))), "mul(3, x0)");
    expect(where(m2(OP_NE, x, num(0)), x, num(0)), "x0");
    Node *t = n_cast(s.g, ELEM_REAL, c);
    expect(is_zero(t), "not(lt(x0, x1))");
    expect(where(is_zero(t), num(0), m2(OP_MUL, t, x)), "where(lt(x0, x1), x0, 0)");
    expect(m2(OP_MUL, t, where(c, num(5), num(0))), "where(lt(x0, x1), 5, 0)");
    expect(m2(OP_MUL, t, t), "cast(lt(x0, x1))");
    expect(m2(OP_ADD, where(c, x, num(0)), where(c, num(0), y)), "where(lt(x0, x1), x0, x1)");
    expect(m1(OP_NOT, m1(OP_NOT, c)), "lt(x0, x1)");
    expect(m2(OP_AND, c, c), "lt(x0, x1)");
    expect(n_cast(s.g, ELEM_REAL, n_cast(s.g, ELEM_I32, c)), "cast(lt(x0, x1))");
}
END_TEST

START_TEST(movement)
{
    start(SHAPE(2, 3));
    Shape flat = SHAPE(6), column = SHAPE(2, 3, 1), big = SHAPE(4, 2, 3), wide = SHAPE(5, 4, 2, 3);
    Shape cut = SHAPE(1, 2), padded = SHAPE(4, 5), inner = SHAPE(3, 3);
    SizeRef one[2] = {size_const(1), size_const(1)}, zero[2] = {size_const(0), size_const(0)};
    expect(n_reshape(s.g, n_reshape(s.g, x, &flat), &column), "reshape(x0)");
    expect(n_swap_last(s.g, n_swap_last(s.g, x)), "x0");
    expect(n_broadcast(s.g, n_broadcast(s.g, x, &big, 1), &wide, 1), "broadcast[01](x0)");
    expect(n_slice(s.g, n_pad(s.g, x, one, &padded), one, &x->type.shape), "x0");
    expect(n_slice(s.g, n_pad(s.g, x, one, &padded), zero, &(Shape){2, {one[0], one[0]}}), "0");
    expect(n_slice(s.g, n_slice(s.g, n_pad(s.g, x, zero, &padded), one, &inner), zero,
                   &cut), "slice(x0)");
    Node *both[2] = {x, y};
    expect(n_slice(s.g, n_concat(s.g, 0, 2, both), (SizeRef[]){size_const(2), size_const(0)},
                   &y->type.shape), "x1");
    expect(n_reverse(s.g, n_reverse(s.g, x, 3), 1), "reverse[1](x0)");
    Node *rows = n_reduce(s.g, OP_SUM, x, 2), *more = n_reduce(s.g, OP_MAXOF, y, 2);
    Node *spread = n_broadcast(s.g, rows, &x->type.shape, 2);
    expect(m1(OP_EXP, spread), "broadcast[1](exp(sum[1](x0)))");
    expect(m2(OP_MUL, spread, n_broadcast(s.g, more, &x->type.shape, 2)),
           "broadcast[1](mul(sum[1](x0), max_of[1](x1)))");
    expect(n_reduce(s.g, OP_SUM, spread, 2), "mul(3, sum[1](x0))");
    expect(n_reduce(s.g, OP_SUM, rows, 1), "sum[01](x0)");
    expect(n_reduce(s.g, OP_MAXOF, n_reshape(s.g, x, &flat), 1), "max_of[01](x0)");
    expect(n_reduce(s.g, OP_SUM, n_reshape(s.g, x, &column), 4), "x0");
    expect(n_reduce(s.g, OP_SUM, n_swap_last(s.g, x), 1), "sum[1](x0)");
    expect(n_reduce(s.g, OP_SUM, m2(OP_MUL, x, num(3)), 3), "mul(3, sum[01](x0))");
    expect(n_reduce(s.g, OP_SUM, n_pad(s.g, x, one, &padded), 3), "sum[01](x0)");
}
END_TEST

/* The adjoints of the parts of an array meet as one join. */
START_TEST(parts)
{
    start(SHAPE(4, 6));
    Shape half = SHAPE(4, 3);
    SizeRef lo[2] = {size_const(0), size_const(0)}, hi[2] = {size_const(0), size_const(3)};
    Node *a = n_slice(s.g, x, lo, &half), *b = n_slice(s.g, x, hi, &half);
    Node *loss = n_reduce(s.g, OP_SUM, m2(OP_MUL, m1(OP_EXP, a), m1(OP_SIN, b)), 3);
    GradResult d;
    differentiate(s.g, loss, 1, &x, &d);
    ck_assert_int_eq(simplified(&s, d.d)->op, OP_CONCAT);
    Node *ends[2] = {a, b};
    expect(n_concat(s.g, 1, 2, ends), "x0");
}
END_TEST

/* Windows side by side are a reshape, as in pooling; others stay. */
START_TEST(windows)
{
    start(SHAPE(6));
    Type pairs = real_of(SHAPE(3, 2));
    Attr side_by_side = {.axes = 2, .perm = {2, 1}, .lo = {size_const(0)}};
    Attr overlapping = side_by_side;
    overlapping.perm[0] = 1;
    Node *w = graph_node(s.g, OP_WINDOW, &side_by_side, pairs, 1, &x);
    expect(w, "reshape(x0)");
    expect(graph_node(s.g, OP_UNWINDOW, &side_by_side, x->type, 1, &w), "x0");
    w = graph_node(s.g, OP_WINDOW, &overlapping, pairs, 1, &x);
    ck_assert_int_eq(simplified(&s, w)->op, OP_WINDOW);
    Node *ones = n_full(s.g, pairs, 1);
    w = graph_node(s.g, OP_UNWINDOW, &overlapping, x->type, 1, &ones);
    ck_assert_int_eq(simplified(&s, w)->op, OP_UNWINDOW);
}
END_TEST

/* ---- whole forms ---- */

/* cross entropy of logits z against weights t, per row, as the library writes it */
static Node *cross_entropy(Node *z, Node *t, int axis)
{
    const Shape *shape = &z->type.shape;
    Node *m = m1(OP_STOP, n_reduce(s.g, OP_MAXOF, z, 1u << axis));
    Node *e = m1(OP_EXP, m2(OP_SUB, z, n_broadcast(s.g, m, shape, 1u << axis)));
    Node *log_sum = m2(OP_ADD, m1(OP_LOG, n_reduce(s.g, OP_SUM, e, 1u << axis)), m);
    Node *picked = where(is_zero(t), num(0), m2(OP_MUL, t, z));
    return m2(OP_SUB, log_sum, n_reduce(s.g, OP_SUM, picked, 1u << axis));
}

static Node *one_hot(void)
{
    const Shape *shape = &x->type.shape;
    Node *hit = m2(OP_EQ, n_iota(s.g, shape, 1), n_broadcast(s.g, label, shape, 2));
    return n_cast(s.g, ELEM_REAL, hit);
}

static const char *gradient_text(Node *loss, Node *of)
{
    GradResult d;
    differentiate(s.g, loss, 1, &of, &d);
    ck_assert_int_eq(d.status, GRAD_OK);
    return text_of(simplified(&s, d.d));
}

#define E "exp(sub(x0, broadcast[1](max_of[1](x0))))"
#define P "div(" E ", broadcast[1](sum[1](" E ")))"

START_TEST(softmax_cross_entropy)
{
    start(SHAPE(3));
    ck_assert_str_eq(gradient_text(cross_entropy(x, y, 0), x),
                     "sub(div(exp(sub(x0, broadcast[0](max_of[0](x0)))), broadcast[0](sum[0]("
                     "exp(sub(x0, broadcast[0](max_of[0](x0))))))), x1)");
    start(SHAPE(4, 3));
    Node *rows = n_reduce(s.g, OP_SUM, cross_entropy(x, y, 1), 1);
    ck_assert_str_eq(gradient_text(rows, x), "sub(" P ", x1)");
    Node *mean = m2(OP_DIV, rows, num(4));
    ck_assert_str_eq(gradient_text(mean, x), "mul(0.25, sub(" P ", x1))");
    Node *labelled = n_reduce(s.g, OP_SUM, cross_entropy(x, one_hot(), 1), 1);
    ck_assert_str_eq(gradient_text(labelled, x), "sub(" P ", cast(eq(iota, broadcast[1](x2))))");
}
END_TEST

START_TEST(softmax_cross_entropy_by_dim)
{
    Dim n = {.name = "N", .lo = 1, .hi = 64};
    start(SCALAR);
    s.dims[0] = 4;
    x = sample_input(&s, real_of((Shape){2, {size_dim(&n), size_const(3)}}), -1, 1);
    label = sample_input(&s, (Type){ELEM_I32, {1, {size_dim(&n)}}}, 0, 3);
    Node *rows = n_reduce(s.g, OP_SUM, cross_entropy(x, one_hot(), 1), 1);
    Node *mean = m2(OP_DIV, rows, n_size(s.g, ELEM_REAL, size_dim(&n)));
    const char *text = gradient_text(mean, x);
    ck_assert_msg(strstr(text, "div(sub(div(exp(") == text, "%s", text);
}
END_TEST

/* sum[axes](a * b) where a has the axes in `in_a` of the full shape, b those in `in_b` */
static Node *contraction(const Shape *full, unsigned in_a, unsigned in_b, unsigned axes)
{
    Shape part[2] = {{0}};
    unsigned all = (1u << full->rank) - 1;
    for (int i = 0; i < full->rank; i++) {
        if (in_a >> i & 1) part[0].size[part[0].rank++] = full->size[i];
        if (in_b >> i & 1) part[1].size[part[1].rank++] = full->size[i];
    }
    Node *a = sample_input(&s, real_of(part[0]), -1, 1);
    Node *b = sample_input(&s, real_of(part[1]), -1, 1);
    Node *product = m2(OP_MUL, n_broadcast(s.g, a, full, all & ~in_a),
                       n_broadcast(s.g, b, full, all & ~in_b));
    return n_reduce(s.g, OP_SUM, product, axes);
}

START_TEST(contractions)
{
    start(SCALAR);
    Shape ijk = SHAPE(2, 3, 4), bijk = SHAPE(2, 3, 4, 5);
    expect(contraction(&ijk, 5, 6, 4), "matmul(x2, transpose(x3))");
    expect(contraction(&ijk, 6, 5, 4), "matmul(x5, transpose(x4))");
    expect(contraction(&ijk, 3, 6, 2), "matmul(x6, x7)");
    expect(contraction(&ijk, 7, 4, 4), "reshape(matmul(reshape(x8), reshape(x9)))");
    start(SCALAR);
    expect(contraction(&bijk, 11, 13, 8), "matmul(x2, transpose(x3))");
    expect(contraction(&bijk, 15, 14, 8), "sum[3](mul(x4, broadcast[0](x5)))");
}
END_TEST

/* Every choice of axes gives the right values, recognised or not. */
START_TEST(all_contractions)
{
    for (unsigned i = 0; i < 15 * 15 * 15; i++) {
        forget();
        start(SCALAR);
        Shape full = SHAPE(2, 3, 4, 5);
        simplified(&s, contraction(&full, 1 + i % 15, 1 + i / 15 % 15, 1 + i / 225));
    }
}
END_TEST

/* The weights' gradient of a batch of products with shared weights is one product. */
START_TEST(shared_weights)
{
    start(SCALAR);
    Node *a = sample_input(&s, real_of(SHAPE(5, 2, 3)), -1, 1);
    Node *w = sample_input(&s, real_of(SHAPE(3, 4)), -1, 1);
    Shape full = SHAPE(5, 3, 4);
    Node *z = n_matmul(s.g, a, n_broadcast(s.g, w, &full, 1));
    expect(z, "reshape(matmul(reshape(x2), x3))");
    Node *loss = n_reduce(s.g, OP_SUM, m1(OP_EXP, z), 7);
    const char *text = gradient_text(loss, w);
    ck_assert_msg(strstr(text, "matmul(transpose(reshape(x2)), ") == text, "%s", text);
}
END_TEST

/* ---- names, entries ---- */

START_TEST(names)
{
    start(SHAPE(3));
    Node *h = n_mark(s.g, m1(OP_TANH, m2(OP_ADD, x, num(0))));
    h->name = "h";
    Node *z = m2(OP_MUL, h, num(1));
    z->name = "z";
    Node *root = simplified(&s, m2(OP_ADD, z, y));
    ck_assert_str_eq(text_of(root), "add(tanh(x0), x1)");
    ck_assert_str_eq(root->in[0]->name, "h");
    Node *loss = n_reduce(s.g, OP_SUM, m2(OP_MUL, h, h), 1);
    GradResult d;
    differentiate(s.g, loss, 1, &h, &d);
    Node *both[2] = {d.d, h};
    simplify_roots(s.g, both, 2);
    ck_assert_str_eq(text_of(both[0]), "mul(2, tanh(x0))");
    ck_assert_ptr_eq(both[0]->adjoint_of, both[1]);
    ck_assert_str_eq(both[1]->name, "h");
}
END_TEST

START_TEST(entries)
{
    start(SHAPE(3));
    Slot w = {.path = "w", .type = real_of(SHAPE(3))};
    Slot v = {.path = "v", .type = w.type, .is_state = true};
    Entry e = {.name = "train", .g = s.g};
    Node *old = n_slot(s.g, &w);
    vec_push(&e.updates, ((Update){.slot = &w, .value = m2(OP_ADD, old, num(0))}));
    vec_push(&e.updates, ((Update){.slot = &v, .value = m2(OP_ADD, old, x)}));
    Output out = {.name = "params"};
    vec_push(&out.set, old);
    vec_push(&out.set, NULL);
    vec_push(&e.outputs, out);
    simplify_entry(&e);
    ck_assert_int_eq(e.updates.n, 1);
    ck_assert_ptr_eq(e.updates.at[0].slot, &v);
    ck_assert(e.writes && e.reads && !e.draws);
    ck_assert_ptr_null(e.outputs.at[0].set.at[1]);
    ck_assert_ptr_eq(e.outputs.at[0].set.at[0]->attr.ref, &w);
    graph_verify(e.g, "simplify");
}
END_TEST

/* ---- size and order ---- */

START_TEST(speed)
{
    start(SHAPE(8));
    Node *sum = x, *w = y;
    for (int i = 0; i < 3000; i++) {
        Node *part = m2(OP_MUL, m1(i % 2 ? OP_TANH : OP_SIN, sum), num(1 + i % 7));
        sum = m2(OP_ADD, part, m2(OP_MUL, w, num(0.5 + i)));
    }
    GradResult d;
    differentiate(s.g, n_reduce(s.g, OP_SUM, sum, 1), 1, &w, &d);
    ck_assert_int_gt(s.g->nodes.n, 20000);
    clock_t begin = clock();
    Graph *g = simplify_roots(s.g, &d.d, 1);
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    ck_assert_msg(seconds < 2, "%d nodes took %g seconds", g->nodes.n, seconds);
}
END_TEST

/* ---- random programs ---- */

static Dim any = {.name = "N", .lo = 1, .hi = 8};

static Shape random_shape(void)
{
    SizeRef choice[] = {size_const(1), size_const(2), size_const(3), size_dim(&any)};
    Shape r = {.rank = sample_choice(&s, 4)};
    for (int i = 0; i < r.rank; i++) r.size[i] = choice[sample_choice(&s, 4)];
    return r;
}

/* lo + (hi - lo) * sigmoid(a): any value brought into the range of an operand */
static Node *squash(Node *a, double lo, double hi)
{
    return m2(OP_ADD, m2(OP_MUL, m1(OP_SIGMOID, a), num(hi - lo)), num(lo));
}

static Node *to_shape(Node *a, const Shape *shape)
{
    Node *b = n_expand(s.g, a, shape);
    unsigned all = (1u << a->type.shape.rank) - 1;
    return b ? b : n_expand(s.g, n_reduce(s.g, OP_SUM, a, all), shape);
}

static Node *random_map(Node *a, Node *b)
{
    Op op = (Op)(OP_NEG + sample_choice(&s, OP_WHERE - OP_NEG + 1));
    const char *domain = op_info[op].domain;
    b = to_shape(b, &a->type.shape);
    if (op == OP_WHERE) return where(m2(OP_LT, a, b), b, m1(OP_SIN, a));
    if (!strncmp(domain, "bool", 4) || op == OP_CAST || op == OP_STOP) return m2(OP_MUL, a, b);
    if (op == OP_ADD || op == OP_SUB || op == OP_MUL) return m2(op, a, b);
    if (op == OP_LT || op == OP_LE || op == OP_EQ || op == OP_NE)
        return n_cast(s.g, ELEM_REAL, m2(op, a, b));
    if (op_info[op].arity == 1) return m1(op, squash(a, 0.2, op == OP_ROUND ? 0.4 : 0.9));
    return m2(op, squash(a, 0.2, 0.9), squash(b, 1, 2));
}

static Node *random_fold(Node *a)
{
    const Op op[] = {OP_SUM, OP_SUM, OP_PROD, OP_MAXOF, OP_MINOF};
    if (!a->type.shape.rank) return m1(OP_SIN, a);
    unsigned axes = 1 + (unsigned)sample_choice(&s, (1 << a->type.shape.rank) - 1);
    return n_reduce(s.g, op[sample_choice(&s, 5)], a, axes);
}

static Node *random_block(Node *a, bool pads)
{
    Shape to = a->type.shape;
    SizeRef lo[MAX_RANK];
    for (int i = 0; i < to.rank; i++) {
        long room = pads ? sample_choice(&s, 3) : size_lower(to.size[i]) - 1;
        long first = room > 0 ? sample_choice(&s, (int)room + 1) : 0;
        lo[i] = size_const(first);
        if (room > 0)
            to.size[i] = size_add(to.size[i], size_const(pads ? room : -room));
    }
    return pads ? n_pad(s.g, a, lo, &to) : n_slice(s.g, a, lo, &to);
}

static Node *random_transpose(Node *a)
{
    int perm[MAX_RANK], rank = a->type.shape.rank, by = rank ? sample_choice(&s, rank) : 0;
    for (int i = 0; i < rank; i++) perm[i] = (i + by) % rank;
    return n_transpose(s.g, a, perm);
}

static Node *random_broadcast(Node *a)
{
    Shape to = {0};
    unsigned axes = 0;
    for (int i = 0; i <= a->type.shape.rank; i++) {
        if (to.rank < 4 && sample_choice(&s, 2)) {
            axes |= 1u << to.rank;
            to.size[to.rank++] = size_const(1 + sample_choice(&s, 3));
        }
        if (i < a->type.shape.rank) to.size[to.rank++] = a->type.shape.size[i];
    }
    return to.rank <= 4 ? n_broadcast(s.g, a, &to, axes) : a;
}

static Node *random_reshape(Node *a)
{
    Shape to = {0};
    if (sample_choice(&s, 2)) {
        to = (Shape){1, {shape_count(&a->type.shape)}};
        return n_reshape(s.g, a, &to);
    }
    for (int i = 0; i < a->type.shape.rank && to.rank < 4; i++) {
        if (sample_choice(&s, 2)) to.size[to.rank++] = size_const(1);
        to.size[to.rank++] = a->type.shape.size[i];
    }
    return shape_count(&to) == shape_count(&a->type.shape) ? n_reshape(s.g, a, &to) : a;
}

/* a times its own transpose, or a sum over a product of broadcasts of a and b */
static Node *random_product(Node *a, Node *b)
{
    int rank = a->type.shape.rank;
    if (rank >= 2 && rank < 4 && sample_choice(&s, 2)) return n_matmul(s.g, a, n_swap_last(s.g, a));
    if (rank < 1 || b->type.shape.rank < 1 || rank + b->type.shape.rank > 5)
        return m2(OP_MUL, a, a);
    if (a->type.shape.size[rank - 1] != b->type.shape.size[0]) b = to_shape(b, &a->type.shape);
    if (a->type.shape.size[rank - 1] != b->type.shape.size[0]) return a;
    Shape full = a->type.shape;
    for (int i = 1; i < b->type.shape.rank; i++) full.size[full.rank++] = b->type.shape.size[i];
    unsigned in_a = (1u << rank) - 1, all = (1u << full.rank) - 1, in_b = all & ~(in_a >> 1);
    Node *ab = m2(OP_MUL, n_broadcast(s.g, a, &full, all & ~in_a),
                  n_broadcast(s.g, b, &full, all & ~in_b));
    return n_reduce(s.g, OP_SUM, ab, 1u << (rank - 1));
}

static Node *random_gather(Node *a)
{
    if (!a->type.shape.rank) return a;
    static const double index[] = {0, 2, 0, 1};
    Node *table = n_table(s.g, (Type){ELEM_I32, SHAPE(2, 2)}, index);
    Node *rows = n_gather(s.g, a, table);
    if (a->type.shape.rank > 2 || sample_choice(&s, 2)) return rows;
    return n_scatter_add(s.g, table, rows, &a->type.shape);
}

/* Pairs of neighbours along the first axis, and what they add up to again. */
static Node *random_window(Node *a)
{
    if (!a->type.shape.rank || a->type.shape.rank > 3) return m1(OP_COS, a);
    Shape open = a->type.shape;
    for (int i = open.rank++; i > 1; i--) open.size[i] = open.size[i - 1];
    open.size[1] = size_const(size_lower(open.size[0]) > 1 ? 2 : 1);
    open.size[0] = size_sub(size_add(open.size[0], size_const(1)), open.size[1]);
    Attr attr = {.axes = 2, .perm = {1, 1}, .lo = {size_const(0)}};
    Node *pairs = graph_node(s.g, OP_WINDOW, &attr, real_of(open), 1, &a);
    return sample_choice(&s, 2) ? pairs : graph_node(s.g, OP_UNWINDOW, &attr, a->type, 1, &pairs);
}

static Node *random_node(Node *a, Node *b)
{
    int rank = a->type.shape.rank;
    switch (sample_choice(&s, 15)) {
    case 0: return random_fold(a);
    case 1: return random_block(a, false);
    case 2: return random_block(a, true);
    case 3: return random_transpose(a);
    case 4: return random_broadcast(a);
    case 5: return random_reshape(a);
    case 6: return random_product(a, b);
    case 7: return random_gather(a);
    case 8: return rank ? n_reverse(s.g, a, 1u << sample_choice(&s, rank)) : a;
    case 9: return rank ? n_concat(s.g, 0, 2, (Node *[]){a, a}) : m1(OP_TANH, a);
    case 10: return random_window(a);
    default: return random_map(a, b);
    }
}

static bool is_small(const Node *n)
{
    return n->type.shape.rank <= 4 && size_eval(shape_count(&n->type.shape), s.dims) <= 64;
}

/* A loss made of nodes that use earlier ones, the later the likelier; values are kept within
 * bounds, so that differences are exact enough. */
static Node *random_program(uint64_t seed)
{
    Node *pool[32];
    int n = 0;
    forget();
    s = sample_new(format("program %d", (int)seed), seed);
    s.dims[any.id] = 1 + (long)(seed % 3);
    for (; n < 3; n++) pool[n] = sample_input(&s, real_of(random_shape()), -1.5, 1.5);
    pool[n++] = num(0);
    pool[n++] = num(2);
    while (n < 18) {
        Node *a = pool[n - 1 - sample_choice(&s, n < 6 ? n : 6)], *b = pool[sample_choice(&s, n)];
        Node *r = random_node(a, b);
        if (is_small(r)) pool[n++] = r;
    }
    Node *loss = num(0);
    for (int i = n - 3; i < n; i++)
        loss = m2(OP_ADD, loss, weighted_sum(&s, squash(pool[i], -1, 1)));
    return loss;
}

enum { PROGRAMS = 40 };

START_TEST(random_programs)
{
    for (uint64_t i = 0; i < PROGRAMS; i++) {
        Node *loss = random_program(i + PROGRAMS * (uint64_t)_i);
        check_simplified(&s, &loss, 1);
        check_derivatives(&s, loss);
    }
}
END_TEST

/* Twice the same text, byte for byte. */
START_TEST(same_every_time)
{
    const char *text[2];
    char kept[1 << 16] = "";
    for (int i = 0; i < 2; i++) {
        Node *loss = random_program(7);
        GradResult d;
        differentiate(s.g, loss, 1, &s.input[0], &d);
        Graph *g = simplify_roots(s.g, &d.d, 1);
        Text t = {0};
        graph_dump(&t, g, &d.d, 1);
        ck_assert(t.n < sizeof kept);
        if (i == 0) memcpy(kept, t.s, t.n + 1);
        text[i] = i ? t.s : kept;
    }
    ck_assert_str_eq(text[0], text[1]);
}
END_TEST

Suite *suite_simplify(void);
Suite *suite_simplify(void)
{
    Suite *suite = suite_create("simplify");
    TCase *t = tcase_create("simplify");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, sums_and_products);
    tcase_add_test(t, powers_and_functions);
    tcase_add_test(t, exactness);
    tcase_add_test(t, choices);
    tcase_add_test(t, movement);
    tcase_add_test(t, parts);
    tcase_add_test(t, windows);
    tcase_add_test(t, softmax_cross_entropy);
    tcase_add_test(t, softmax_cross_entropy_by_dim);
    tcase_add_test(t, contractions);
    tcase_add_test(t, all_contractions);
    tcase_add_test(t, shared_weights);
    tcase_add_test(t, names);
    tcase_add_test(t, entries);
    tcase_add_test(t, speed);
    tcase_add_loop_test(t, random_programs, 0, 10);
    tcase_add_test(t, same_every_time);
    suite_add_tcase(suite, t);
    return suite;
}
