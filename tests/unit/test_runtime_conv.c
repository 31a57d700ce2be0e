/* test_runtime_conv.c - convolutions and their derivatives, float and double, on every instruction
 * set, against a loop over all taps, for many sizes, strides, dilations and pads; direct, and by
 * Winograd's algorithm. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "arrays.h"
#include "nn.h"

Suite *suite_runtime_conv(void);

static const int levels[] = {NN_LEVEL_BASE, NN_LEVEL_AVX2, NN_LEVEL_AVX512};
static const char *const direction_names[] = {"forward", "data", "weights"};

/* each channel by itself has kernels [P][Q][C] */
enum { DIRECT, ALONE, WINOGRAD };

typedef struct Case {
    struct nn_conv_sizes s;
    int N;
    unsigned flags;
    int form;
} Case;

static size_t product(const int *v, int n)
{
    size_t p = 1;
    while (n-- > 0)
        p *= (size_t)v[n];
    return p;
}

static size_t kernel_count(const Case *c)
{
    const int maps = c->form == ALONE ? 1 : c->s.y[2];
    return product(c->s.window, 2) * (size_t)c->s.x[2] * (size_t)maps;
}

/* x, k, y, bias in double; the arrays end where their last element ends */
typedef struct Arrays {
    size_t n[4];
    double *v[4];
} Arrays;
enum { X, K, Y, BIAS };

static Arrays arrays_of(const Case *c)
{
    Arrays a = {.n = {product(c->s.x, 3) * (size_t)c->N, kernel_count(c),
                      product(c->s.y, 3) * (size_t)c->N, (size_t)c->s.y[2]}};
    for (int i = 0; i < 4; i++) {
        a.v[i] = malloc((a.n[i] + !a.n[i]) * sizeof(double));
        for (size_t j = 0; j < a.n[i]; j++)
            a.v[i][j] = (float)random_below(2001) / 1000.0f - 1.0f;
    }
    return a;
}

static void free_arrays(Arrays *a)
{
    for (int i = 0; i < 4; i++)
        free(a->v[i]);
}

static double *copy_of(const Arrays *a, int i)
{
    double *to = malloc((a->n[i] + !a->n[i]) * sizeof *to);
    memcpy(to, a->v[i], a->n[i] * sizeof *to);
    return to;
}

static double activation(double v, unsigned flags)
{
    if (flags & NN_RELU)
        return v > 0 ? v : 0;
    if (flags & NN_TANH)
        return tanh(v);
    return flags & NN_SIGMOID ? 1 / (1 + exp(-v)) : v;
}

/* Every tap of every output; `which` array is the result, and is replaced. */
static void reference(const Case *c, Arrays *a, int which)
{
    const struct nn_conv_sizes *s = &c->s;
    const int *x = s->x, *y = s->y;
    if (which == Y)
        for (size_t i = 0; i < a->n[Y]; i++)
            a->v[Y][i] = c->flags & NN_BIAS ? a->v[BIAS][i % (size_t)y[2]] : 0;
    else
        memset(a->v[which], 0, a->n[which] * sizeof(double));
    for (int n = 0; n < c->N; n++)
        for (int t = 0; t < y[0] * y[1]; t++)
            for (int w = 0; w < s->window[0] * s->window[1]; w++) {
                int oy = t / y[1], ox = t % y[1], p = w / s->window[1], q = w % s->window[1];
                int iy = oy * s->stride[0] - s->pad[0] + p * s->dilation[0];
                int ix = ox * s->stride[1] - s->pad[1] + q * s->dilation[1];
                if (iy < 0 || iy >= x[0] || ix < 0 || ix >= x[1])
                    continue;
                for (int o = 0; o < y[2]; o++)
                    for (int ch = 0; ch < x[2]; ch++) {
                        double *px = &a->v[X][((n * x[0] + iy) * x[1] + ix) * x[2] + ch];
                        double *py = &a->v[Y][((n * y[0] + oy) * y[1] + ox) * y[2] + o];
                        int at = (o * x[2] + ch) * s->window[0] * s->window[1] + w;
                        double *pk = &a->v[K][c->form == ALONE ? w * x[2] + ch : at];
                        if (c->form == ALONE && o != ch)
                            continue;
                        if (which == Y)
                            *py += *px * *pk;
                        else if (which == X)
                            *px += *py * *pk;
                        else
                            *pk += *px * *py;
                    }
            }
    for (size_t i = 0; i < a->n[Y] && which == Y; i++)
        a->v[Y][i] = activation(a->v[Y][i], c->flags);
}

static float *floats(const double *v, size_t n)
{
    float *f = malloc((n + !n) * sizeof *f);
    for (size_t i = 0; i < n; i++)
        f[i] = (float)v[i];
    return f;
}

static size_t work_of(const Case *c, int which)
{
    if (c->form == WINOGRAD)
        return nn_winograd_work(c->N, &c->s);
    return which == X ? nn_conv_data_work(&c->s) : nn_conv_work(&c->s);
}

/* Kernels that are packed already give the same bits. */
#define CHECK_PACKED(T, conv, work)                                                               \
    static void check_packed_##T(const Case *c, const T *x, const T *k, const T *y, const T *bias) \
    {                                                                                             \
        const size_t O = (size_t)c->s.y[2], C = (size_t)c->s.x[2], n = kernel_count(c);       \
        const size_t taps = product(c->s.window, 2), size = product(c->s.y, 3) * (size_t)c->N;    \
        T *p = malloc((n + !n) * sizeof *p), *z = malloc((size + !size) * sizeof *z);             \
        const size_t bytes = (work);                                                              \
        void *ws = bytes ? malloc(bytes) : NULL;                                                  \
        for (size_t i = 0; i < n; i++)                                                            \
            p[(i % taps * C + i / taps % C) * O + i / taps / C] = k[i];                           \
        (conv)(c->N, &c->s, x, p, z, bias, c->flags | NN_PACKED, ws); \
        ck_assert_msg(!memcmp(y, z, size * sizeof *z), "packed, %s: other bits", nn_isa_name());  \
        free(p), free(z), free(ws);                                                               \
    }
CHECK_PACKED(float, c->form == WINOGRAD ? nn_winograd : nn_conv,
             c->form == WINOGRAD ? work_of(c, Y) : nn_conv_packed_work(&c->s))
CHECK_PACKED(double, nn_conv_d, 0)

static void run_float(const Case *c, Arrays *a, int which)
{
    float *v[4], nan_ = NAN;
    for (int i = 0; i < 4; i++)
        v[i] = floats(a->v[i], a->n[i]);
    for (size_t i = 0; i < a->n[which]; i++)
        v[which][i] = nan_;
    size_t work = work_of(c, which);
    void *ws = malloc(work + !work);
    if (c->form == WINOGRAD && which == Y)
        nn_winograd(c->N, &c->s, v[X], v[K], v[Y], v[BIAS], c->flags, ws);
    else if (c->form == WINOGRAD && which == X)
        nn_winograd_data(c->N, &c->s, v[Y], v[K], v[X], ws);
    else if (c->form == WINOGRAD)
        nn_winograd_weights(c->N, &c->s, v[X], v[Y], v[K], ws);
    else if (c->form == ALONE && which == Y)
        nn_depthwise(c->N, &c->s, v[X], v[K], v[Y], v[BIAS], c->flags);
    else if (c->form == ALONE && which == X)
        nn_depthwise_data(c->N, &c->s, v[Y], v[K], v[X]);
    else if (c->form == ALONE)
        nn_depthwise_weights(c->N, &c->s, v[X], v[Y], v[K]);
    else if (which == Y)
        nn_conv(c->N, &c->s, v[X], v[K], v[Y], v[BIAS], c->flags, ws);
    else if (which == X)
        nn_conv_data(c->N, &c->s, v[Y], v[K], v[X], ws);
    else
        nn_conv_weights(c->N, &c->s, v[X], v[Y], v[K], ws);
    if (which == Y && c->form != ALONE)
        check_packed_float(c, v[X], v[K], v[Y], v[BIAS]);
    for (size_t i = 0; i < a->n[which]; i++)
        a->v[which][i] = v[which][i];
    for (int i = 0; i < 4; i++)
        free(v[i]);
    free(ws);
}

static void run_double(const Case *c, Arrays *a, int which)
{
    double **v = a->v;
    size_t work = nn_conv_work_d(&c->s);
    void *ws = malloc(work + !work);
    for (size_t i = 0; i < a->n[which]; i++)
        v[which][i] = NAN;
    if (c->form == ALONE && which == Y)
        nn_depthwise_d(c->N, &c->s, v[X], v[K], v[Y], v[BIAS], c->flags);
    else if (c->form == ALONE && which == X)
        nn_depthwise_data_d(c->N, &c->s, v[Y], v[K], v[X]);
    else if (c->form == ALONE)
        nn_depthwise_weights_d(c->N, &c->s, v[X], v[Y], v[K]);
    else if (which == Y)
        nn_conv_d(c->N, &c->s, v[X], v[K], v[Y], v[BIAS], c->flags, ws);
    else if (which == X)
        nn_conv_data_d(c->N, &c->s, v[Y], v[K], v[X], ws);
    else
        nn_conv_weights_d(c->N, &c->s, v[X], v[Y], v[K], ws);
    if (which == Y && c->form != ALONE)
        check_packed_double(c, v[X], v[K], v[Y], v[BIAS]);
    free(ws);
}

static void compare(const Case *c, const Arrays *a, const double *want, int which, double eps)
{
    static const int direction[] = {[X] = 1, [K] = 2, [Y] = 0};
    const struct nn_conv_sizes *s = &c->s;
    for (size_t i = 0; i < a->n[which]; i++) {
        double error = fabs(a->v[which][i] - want[i]);
        if (!(error <= eps * (8 + fabs(want[i]))))
            ck_abort_msg("%s%s, %s: N %d, x %dx%dx%d, y %dx%dx%d, window %dx%d, stride %d %d, "
                         "pad %d %d, dilation %d %d, flags %u: element %zu is %g and not %g",
                         c->form == ALONE ? "each channel by itself, " : "",
                         direction_names[direction[which]], nn_isa_name(), c->N, s->x[0], s->x[1],
                         s->x[2], s->y[0], s->y[1], s->y[2], s->window[0], s->window[1],
                         s->stride[0], s->stride[1], s->pad[0], s->pad[1], s->dilation[0],
                         s->dilation[1], c->flags, i, a->v[which][i], want[i]);
    }
}

static void check_case(const Case *c)
{
    for (int which = X; which <= Y; which++) {
        Arrays a = arrays_of(c);
        double *old = copy_of(&a, which);
        reference(c, &a, which);
        double *want = copy_of(&a, which);
        double eps = 1e-5 * sqrt((double)(a.n[Y] + a.n[K]) / 100 + 1);
        run_float(c, &a, which);
        compare(c, &a, want, which, eps);
        memcpy(a.v[which], old, a.n[which] * sizeof *old);
        run_double(c, &a, which);
        compare(c, &a, want, which, 1e-11);
        free(old);
        free(want);
        free_arrays(&a);
    }
}

/* zeros behind the last element are as many as before the first, or one less */
static Case random_case(int channels, int most)
{
    static const unsigned flag_sets[] = {0, NN_BIAS, NN_RELU, NN_BIAS | NN_RELU,
                                         NN_BIAS | NN_TANH, NN_BIAS | NN_SIGMOID};
    Case c = {.N = 1 + random_below(3), .flags = flag_sets[random_below(6)]};
    struct nn_conv_sizes *s = &c.s;
    s->x[2] = 1 + random_below(channels);
    s->y[2] = 1 + random_below(channels);
    for (int i = 0; i < 2; i++) {
        s->window[i] = 1 + random_below(5);
        s->stride[i] = 1 + random_below(random_below(2) ? 1 : 3);
        s->dilation[i] = 1 + random_below(random_below(2) ? 1 : 3);
        s->pad[i] = random_below(random_below(3) ? 2 : 6);
        int span = s->dilation[i] * (s->window[i] - 1) + 1;
        int least = span - 2 * s->pad[i] > 1 ? span - 2 * s->pad[i] : 1;
        s->x[i] = least + random_below(most);
        s->y[i] = (s->x[i] + 2 * s->pad[i] - span) / s->stride[i] + 1;
    }
    return c;
}

START_TEST(convolution)
{
    nn_isa_set(levels[_i]);
    for (int i = 0; i < 200; i++) {
        Case c = random_case(i % 8 ? 6 : 36, i % 4 ? 5 : 20);
        check_case(&c);
    }
}
END_TEST

START_TEST(depthwise)
{
    nn_isa_set(levels[_i]);
    for (int i = 0; i < 400; i++) {
        Case c = random_case(i % 4 ? 20 : 70, i % 4 ? 5 : 20);
        c.s.y[2] = c.s.x[2];
        c.form = ALONE;
        check_case(&c);
    }
}
END_TEST

/* the layers of a small network, with all the sizes that have tiles of their own */
START_TEST(layers)
{
    static const Case cases[] = {
        {{{16, 16, 3}, {16, 16, 32}, {3, 3}, {1, 1}, {1, 1}, {1, 1}}, 2, NN_BIAS | NN_RELU, 0},
        {{{8, 8, 64}, {8, 8, 128}, {3, 3}, {1, 1}, {1, 1}, {1, 1}}, 1, 0, 0},
        {{{28, 28, 1}, {24, 24, 6}, {5, 5}, {1, 1}, {0, 0}, {1, 1}}, 3, NN_BIAS, 0},
        {{{12, 12, 6}, {8, 8, 16}, {5, 5}, {1, 1}, {0, 0}, {1, 1}}, 3, NN_BIAS | NN_RELU, 0},
        {{{9, 9, 16}, {5, 5, 32}, {3, 3}, {2, 2}, {1, 1}, {1, 1}}, 2, 0, 0},
        {{{1, 40, 5}, {1, 40, 7}, {1, 9}, {1, 1}, {0, 4}, {1, 1}}, 2, NN_BIAS | NN_TANH, 0},
        {{{6, 6, 33}, {6, 6, 17}, {1, 1}, {1, 1}, {0, 0}, {1, 1}}, 2, NN_BIAS, 0},
        {{{4, 4, 3}, {4, 4, 2}, {3, 3}, {1, 1}, {1, 1}, {1, 1}}, 0, NN_BIAS, 0},
    };
    nn_isa_set(levels[_i]);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(&cases[i]);
}
END_TEST

/* Few maps, so that several pixels share a vector, and windows that are added up: of all numbers of
 * maps up to 17, in wide images, with pixels left over, at borders, with strides and dilations. */
START_TEST(few_channels)
{
    nn_isa_set(levels[_i]);
    for (int maps = 1; maps <= 17; maps++)
        for (int i = 0; i < 8; i++) {
            const int pad = i % 3, stride = 1 + (i & 1), dilation = i == 7 ? 2 : 1;
            const int taps = 3 + i / 2, columns = 21 + maps + 5 * i;
            const int span = dilation * (taps - 1) + 1;
            const Case c = {{{9, columns, 1 + maps % 7},
                             {9 - 2, (columns + 2 * pad - span) / stride + 1, maps},
                             {3, taps}, {1, stride}, {0, pad}, {1, dilation}},
                            2, NN_BIAS | (i & 1 ? NN_RELU : NN_TANH), 0};
            check_case(&c);
        }
}
END_TEST

/* Tiles cut off at all borders, vectors that overlap, all pads; several strips of them. */
START_TEST(tiles)
{
    static const unsigned flag_sets[] = {0, NN_BIAS, NN_RELU, NN_BIAS | NN_TANH};
    nn_isa_set(levels[_i]);
    for (int i = 0; i < 60; i++) {
        Case c = {.N = i % 10 ? 1 + random_below(3) : 0, .flags = flag_sets[i % 4],
                  .form = WINOGRAD};
        struct nn_conv_sizes *s = &c.s;
        s->x[2] = 16 + random_below(i % 3 ? 6 : 40);
        s->y[2] = 16 + random_below(i % 5 ? 6 : 150);
        for (int k = 0; k < 2; k++) {
            s->window[k] = 3;
            s->stride[k] = s->dilation[k] = 1;
            s->pad[k] = random_below(3);
            s->y[k] = 1 + random_below(i % 6 ? 9 : 30);
            s->x[k] = s->y[k] + 2 - s->pad[k] - random_below(3);
            if (s->x[k] < 1)
                s->x[k] = 1;
        }
        check_case(&c);
    }
}
END_TEST

/* The relative error of a layer is two to three times that of a direct convolution. */
static double error_of(const Case *c, int which)
{
    random_start(1);
    Arrays a = arrays_of(c);
    reference(c, &a, which);
    double *want = copy_of(&a, which), error = 0, size = 0;
    run_float(c, &a, which);
    for (size_t i = 0; i < a.n[which]; i++) {
        error += (a.v[which][i] - want[i]) * (a.v[which][i] - want[i]);
        size += want[i] * want[i];
    }
    free(want);
    free_arrays(&a);
    return sqrt(error / size);
}

START_TEST(errors_of_tiles)
{
    static const Case cases[] = {
        {{{16, 16, 32}, {16, 16, 32}, {3, 3}, {1, 1}, {1, 1}, {1, 1}}, 2, 0, WINOGRAD},
        {{{8, 8, 128}, {8, 8, 64}, {3, 3}, {1, 1}, {1, 1}, {1, 1}}, 2, 0, WINOGRAD},
    };
    nn_isa_set(levels[_i]);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int which = X; which <= Y; which++) {
            Case direct = cases[i];
            direct.form = DIRECT;
            const double tiled = error_of(&cases[i], which), plain = error_of(&direct, which);
            ck_assert_msg(tiled < 3.5 * plain, "%zu, array %d, %s: error %g, direct %g", i, which,
                          nn_isa_name(), tiled, plain);
        }
}
END_TEST

/* Every instruction set with FMA gives the same bits. */
START_TEST(bits_of_tiles)
{
    const Case c = {{{13, 10, 21}, {13, 10, 35}, {3, 3}, {1, 1}, {1, 1}, {1, 1}}, 2, NN_BIAS,
                    WINOGRAD};
    for (int which = X; which <= Y; which++) {
        Arrays a[2];
        for (int i = 0; i < 2; i++) {
            random_start(2);
            a[i] = arrays_of(&c);
            nn_isa_set(levels[1 + i]);
            run_float(&c, &a[i], which);
        }
        ck_assert(!memcmp(a[0].v[which], a[1].v[which], a[0].n[which] * sizeof(double)));
        free_arrays(&a[0]), free_arrays(&a[1]);
    }
}
END_TEST

Suite *suite_runtime_conv(void)
{
    Suite *s = suite_create("runtime: convolutions");
    TCase *t = tcase_create("convolutions");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, convolution, 0, 3);
    tcase_add_loop_test(t, depthwise, 0, 3);
    tcase_add_loop_test(t, layers, 0, 3);
    tcase_add_loop_test(t, few_channels, 0, 3);
    tcase_add_loop_test(t, tiles, 0, 3);
    tcase_add_loop_test(t, errors_of_tiles, 0, 3);
    tcase_add_test(t, bits_of_tiles);
    suite_add_tcase(s, t);
    return s;
}
