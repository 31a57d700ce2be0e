/* sample.c - sample graphs with values, and checks of derivatives and of simplified graphs.
 * In: graphs built by the suites. Out: a failed check that names the sample, or nothing. */
#include "sample.h"

#include <check.h>
#include <math.h>
#include <string.h>

Sample sample_new(const char *what, uint64_t seed)
{
    return (Sample){.g = graph_new(), .what = what, .random = seed * 2654435761u + 1};
}

static uint64_t next_random(Sample *s)
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double sample_uniform(Sample *s, double lo, double hi)
{
    return lo + (hi - lo) * (double)(next_random(s) >> 11) * 0x1p-53;
}

int sample_choice(Sample *s, int n) { return (int)(next_random(s) % (uint64_t)n); }

Shape shape_of(const long *size)
{
    Shape s = {0};
    while (*size >= 0) s.size[s.rank++] = size_const(*size++);
    return s;
}

Type real_of(Shape s) { return (Type){ELEM_REAL, s}; }

static Tensor *tensor_for(const Sample *s, Type t)
{
    long size[MAX_RANK] = {0};
    for (int i = 0; i < t.shape.rank; i++) size[i] = size_eval(t.shape.size[i], s->dims);
    return tensor_new(t.elem, t.shape.rank, size);
}

Node *sample_input(Sample *s, Type t, double lo, double hi)
{
    ck_assert(s->n < MAX_INPUTS);
    Tensor *v = tensor_for(s, t);
    for (long i = 0; i < v->count; i++) {
        double x = sample_uniform(s, lo, hi);
        v->v[i] = elem_is_real(t.elem) ? x : floor(x);
    }
    Node *n = n_input(s->g, s->n, t, format("x%d", s->n));
    s->value[s->n] = v;
    s->vary[s->n] = elem_is_real(t.elem);
    s->input[s->n++] = n;
    return n;
}

Tensor *sample_value(const Sample *s, Node *n)
{
    Tensor *v;
    eval_roots(s->g, &n, 1, s->dims, s->value, NULL, &v);
    return v;
}

static double scalar_value(const Sample *s, Node *n) { return sample_value(s, n)->v[0]; }

Node *weighted_sum(Sample *s, Node *y)
{
    if (!elem_is_real(y->type.elem)) y = n_cast(s->g, ELEM_REAL, y);
    Node *w = sample_input(s, (Type){y->type.elem, y->type.shape}, 0.5, 1.5);
    s->vary[s->n - 1] = false;
    Node *wy = n_map2(s->g, OP_MUL, w, y);
    return n_reduce(s->g, OP_SUM, wy, (1u << y->type.shape.rank) - 1);
}

/* ---- the same values after simplification ---- */

void check_simplified(Sample *s, Node *const *roots, int n)
{
    Tensor *before[2 * MAX_INPUTS], *after[2 * MAX_INPUTS];
    Node *copy[2 * MAX_INPUTS];
    ck_assert(n <= 2 * MAX_INPUTS);
    memcpy(copy, roots, sizeof *copy * (size_t)n);
    Graph *g = simplify_roots(s->g, copy, n);
    graph_verify(g, "simplify");
    eval_roots(s->g, roots, n, s->dims, s->value, NULL, before);
    eval_roots(g, copy, n, s->dims, s->value, NULL, after);
    for (int k = 0; k < n; k++) {
        ck_assert_msg(shape_equal(&roots[k]->type.shape, &copy[k]->type.shape) &&
                      roots[k]->type.elem == copy[k]->type.elem, "%s: another type", s->what);
        for (long i = 0; i < before[k]->count; i++) {
            double a = before[k]->v[i], b = after[k]->v[i];
            bool same = a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-12 * fmax(1, fabs(a));
            if (same) continue;
            Text t = {0};
            graph_dump(&t, s->g, roots, n);
            text_add(&t, "after\n");
            graph_dump(&t, g, copy, n);
            ck_abort_msg("%s: root %d element %ld: %.17g, simplified %.17g\n%s", s->what, k, i, a,
                         b, t.s);
        }
    }
}

/* ---- derivatives ---- */

static double difference(Sample *s, Node *loss, int k, long i)
{
    double *x = &s->value[k]->v[i], at = *x, h = 1e-5 * fmax(1, fabs(at));
    *x = at + h;
    double above = scalar_value(s, loss);
    *x = at - h;
    double below = scalar_value(s, loss);
    *x = at;
    return (above - below) / (2 * h);
}

static void compare_derivative(Sample *s, Node *loss, const Tensor *d, int k, const char *order)
{
    ck_assert_int_eq(d->count, s->value[k]->count);
    for (long i = 0; i < d->count; i++) {
        double expected = difference(s, loss, k, i), got = d->v[i];
        double scale = fmax(1, fmax(fabs(expected), fabs(got)));
        if (fabs(expected - got) <= 1e-6 * scale) continue;
        Text t = {0};
        graph_dump(&t, s->g, &loss, 1);
        ck_abort_msg("%s: %s derivative for x%d[%ld]: %.12g, by differences %.12g\n%s", s->what,
                     order, k, i, got, expected, t.s);
    }
}

/* The derivatives by the varied inputs as nodes; their number. */
static int derive(Sample *s, Node *loss, Node **d, int *which, const char *order)
{
    Node *x[MAX_INPUTS] = {NULL};
    GradResult result[MAX_INPUTS];
    int n = 0;
    for (int k = 0; k < s->n; k++)
        if (s->vary[k]) {
            which[n] = k;
            x[n++] = s->input[k];
        }
    differentiate(s->g, loss, n, x, result);
    graph_verify(s->g, "grad");
    for (int i = 0; i < n; i++) {
        d[i] = result[i].d;
        ck_assert_msg(shape_equal(&d[i]->type.shape, &x[i]->type.shape), "%s: shape", s->what);
        compare_derivative(s, loss, sample_value(s, d[i]), which[i], order);
    }
    return n;
}

void check_derivatives(Sample *s, Node *loss)
{
    Node *d[2 * MAX_INPUTS], *second = NULL;
    int which[MAX_INPUTS];
    int n = derive(s, loss, d, which, "first");
    for (int i = 0; i < n; i++) {
        Node *part = weighted_sum(s, d[i]);
        second = second ? n_map2(s->g, OP_ADD, second, part) : part;
    }
    if (!second) return;
    n += derive(s, second, d + n, which, "second");
    check_simplified(s, d, n);
}
