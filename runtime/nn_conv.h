/* nn_conv.h - convolutions without windows, for one pass, in float and double.
 *
 * In come images [N][rows][columns][channels] and kernels [maps][channels][P][Q], out goes the
 * convolution or one of its derivatives.  With the channels innermost, the taps of one row of the
 * window lie one after another in the image, and those of the next pixel a fixed distance on: a
 * strip of pixels is P products whose rows overlap, added up in the registers of one tile.  Only
 * the kernel is copied, in the order in which the products read it.  Around the image there are
 * zeros that nobody stores: pixels with the same taps inside the image make a strip.  Meant to be
 * included inside `#ifdef NN_ISA`, after nn_gemm.h and nn_gemm_d.h. */
#ifdef NN_ISA

#ifndef NN_CONV_ONCE
#define NN_CONV_ONCE
/* One axis of a convolution: tap t of output i reads the input at stride i - pad + dilation t. */
struct nn_axis {
    int in, out, taps, stride, pad, dilation;
};

/* Products C[M][N] (+)= sum over t, k of A[i ras + k cas + t aos] B[k ldb + j + t bos] */
struct nn_strip {
    int M, N, K, blocks;
    size_t ras, cas, aos, ldb, bos, ldc;
    const void *bias;
    unsigned flags;
};
typedef void nn_strip_fn(const struct nn_strip *s, const void *a, const void *b, void *c);

/* A convolution of one image: from [H][W][channels] with w[P][Q][channels][maps] to rows and
 * pixels that lie c_row and c_pixel apart; sizes in elements of `bytes` bytes. */
struct nn_correlation {
    struct nn_axis rows, columns;
    int channels, maps;
    size_t c_row, c_pixel, bytes;
    nn_strip_fn *strip;
    const void *bias;
    unsigned flags;
};

/* taps, or outputs, in a row */
struct nn_taps {
    int first, n;
};

/* elements of all kernels */
static inline size_t nn_conv_elements(const struct nn_conv_sizes *s)
{
    return (size_t)s->x[2] * (size_t)s->y[2] * (size_t)s->window[0] * (size_t)s->window[1];
}
#endif

#define nn_strip_f NN_NAME(nn_strip_f)
#define nn_strip_of_doubles NN_NAME(nn_strip_of_doubles)
#define nn_taps_at NN_NAME(nn_taps_at)
#define nn_correlate_strip NN_NAME(nn_correlate_strip)
#define nn_correlate NN_NAME(nn_correlate)
#define nn_copy_one NN_NAME(nn_copy_one)
#define nn_pack_forward NN_NAME(nn_pack_forward)
#define nn_pack_backward NN_NAME(nn_pack_backward)
#define nn_unpack NN_NAME(nn_unpack)
#define nn_conv_forward NN_NAME(nn_conv_forward)
#define nn_class_of NN_NAME(nn_class_of)
#define nn_conv_backward NN_NAME(nn_conv_backward)
#define nn_outputs_of NN_NAME(nn_outputs_of)
#define nn_weights_rows NN_NAME(nn_weights_rows)
#define nn_conv_backward_weights NN_NAME(nn_conv_backward_weights)

/* ---- strips -------------------------------------------------------------------------------- */

static void nn_strip_f(const struct nn_strip *s, const void *a, const void *b, void *c)
{
    if (s->M <= 0 || s->N <= 0)
        return;
#if NN_LEVEL > 0
    struct nn_panel p = {s->ras,   s->cas,    s->ldb, s->ldc, s->K, 0, NULL,
                         s->flags, s->blocks, s->aos, s->bos};
    nn_columns(&p, s->M, s->N, (const float *)a, (const float *)b, s->ldb, (float *)c,
               (const float *)s->bias, 0, NULL);
#else
    int n = s->K > 0 && s->blocks > 0 ? s->blocks : 1;
    for (int t = 0; t < n; t++)
        nn_plain(s->M, s->N, s->blocks ? s->K : 0, (const float *)a + (size_t)t * s->aos, s->ras,
                 s->cas, (const float *)b + (size_t)t * s->bos, s->ldb, 1, (float *)c, s->ldc,
                 (const float *)s->bias, nn_block_flags(s->flags, t == 0, t + 1 == n));
#endif
}

static void nn_strip_of_doubles(const struct nn_strip *s, const void *a, const void *b, void *c)
{
    int n = s->K > 0 && s->blocks > 0 ? s->blocks : 1;
    for (int t = 0; t < n; t++)
        nn_product_d(s->M, s->N, s->blocks ? s->K : 0, (const double *)a + (size_t)t * s->aos,
                     s->ras, s->cas, (const double *)b + (size_t)t * s->bos, s->ldb, (double *)c,
                     s->ldc, (const double *)s->bias,
                     nn_block_flags(s->flags, t == 0, t + 1 == n));
}

/* ---- one image ----------------------------------------------------------------------------- */

NN_INLINE struct nn_taps nn_taps_at(const struct nn_axis *x, int out)
{
    int base = out * x->stride - x->pad, d = x->dilation;
    int first = base < 0 ? (-base + d - 1) / d : 0;
    int end = base < x->in ? (x->in - 1 - base) / d + 1 : 0;
    end = end < x->taps ? end : x->taps;
    return (struct nn_taps){first, end > first ? end - first : 0};
}

/* M outputs from (y, x) on, along the row or down the column, all with the same taps */
static void nn_correlate_strip(const struct nn_correlation *q, const char *in, const char *w,
                               char *out, int y, int x, int M, int down)
{
    const struct nn_axis *r = &q->rows, *c = &q->columns;
    const struct nn_taps ty = nn_taps_at(r, y), tx = nn_taps_at(c, x);
    const size_t C = (size_t)q->channels, O = (size_t)q->maps, row = (size_t)c->in * C;
    const int pieces = c->dilation == 1 || tx.n == 0 ? 1 : tx.n;
    struct nn_strip s = {M, q->maps, tx.n / pieces * q->channels, ty.n, 0, 1, 0, O, 0, 0,
                         q->bias, q->flags};
    s.ras = (size_t)(down ? r->stride : c->stride) * (down ? row : C);
    s.aos = (size_t)r->dilation * row;
    s.bos = (size_t)c->taps * C * O;
    s.ldc = down ? q->c_row : q->c_pixel;
    if (ty.n > 0 && tx.n > 0) {
        in += ((size_t)(y * r->stride - r->pad + ty.first * r->dilation) * row +
               (size_t)(x * c->stride - c->pad + tx.first * c->dilation) * C) * q->bytes;
        w += ((size_t)ty.first * s.bos + (size_t)tx.first * C * O) * q->bytes;
    }
    out += ((size_t)y * q->c_row + (size_t)x * q->c_pixel) * q->bytes;
    for (int t = 0; t < pieces; t++) {
        s.flags = nn_block_flags(q->flags, t == 0, t + 1 == pieces);
        q->strip(&s, in, w, out);
        in += (size_t)c->dilation * C * q->bytes;
        w += C * O * q->bytes;
    }
}

/* The pixels whose taps are all inside, row by row; the others column by column. */
static void nn_correlate(const struct nn_correlation *q, const char *in, const char *w, char *out)
{
    const struct nn_axis *r = &q->rows, *c = &q->columns;
    int x0 = 0, x1 = c->out;
    while (x0 < x1 && nn_taps_at(c, x0).n < c->taps)
        x0++;
    while (x1 > x0 && nn_taps_at(c, x1 - 1).n < c->taps)
        x1--;
    for (int y = 0; y < r->out && x1 > x0; y++)
        nn_correlate_strip(q, in, w, out, y, x0, x1 - x0, 0);
    for (int y = 0, n; y < r->out; y += n) {
        const struct nn_taps t = nn_taps_at(r, y);
        for (n = 1; y + n < r->out; n++) {
            const struct nn_taps next = nn_taps_at(r, y + n);
            if (next.first != t.first || next.n != t.n)
                break;
        }
        for (int x = 0; x < c->out; x++)
            if (x < x0 || x >= x1)
                nn_correlate_strip(q, in, w, out, y, x, n, 1);
    }
}

/* ---- kernels in the order of the products --------------------------------------------------- */

NN_INLINE void nn_copy_one(char *to, const char *from, size_t bytes)
{
    if (bytes == sizeof(float))
        memcpy(to, from, sizeof(float));
    else
        memcpy(to, from, sizeof(double));
}

/* w[P][Q][C][O] = k[O][C][P][Q] */
static void nn_pack_forward(const struct nn_conv_sizes *s, const char *k, char *w, size_t bytes)
{
    const size_t O = (size_t)s->y[2], C = (size_t)s->x[2];
    const size_t taps = (size_t)s->window[0] * (size_t)s->window[1];
    for (size_t o = 0; o < O; o += 16)
        for (size_t c = 0; c < C; c++)
            for (size_t t = 0; t < taps; t++)
                for (size_t i = o; i < o + 16 && i < O; i++)
                    nn_copy_one(w + ((t * C + c) * O + i) * bytes,
                                k + ((i * C + c) * taps + t) * bytes, bytes);
}

/* k[O][C][P][Q] = w[P][Q][C][O] */
static void nn_unpack(const struct nn_conv_sizes *s, const char *w, char *k, size_t bytes)
{
    const size_t O = (size_t)s->y[2], C = (size_t)s->x[2];
    const size_t taps = (size_t)s->window[0] * (size_t)s->window[1];
    for (size_t o = 0; o < O; o += 16)
        for (size_t c = 0; c < C; c++)
            for (size_t i = o; i < o + 16 && i < O; i++)
                for (size_t t = 0; t < taps; t++)
                    nn_copy_one(k + ((i * C + c) * taps + t) * bytes,
                                w + ((t * C + c) * O + i) * bytes, bytes);
}

/* w[P'][Q'][O][C] = the taps from (p, q) on, every `step`, of k[O][C][P][Q], back to front */
static void nn_pack_backward(const struct nn_conv_sizes *s, const char *k, char *w, size_t bytes,
                             const struct nn_taps *rows, const struct nn_taps *columns,
                             const int *step)
{
    const size_t O = (size_t)s->y[2], C = (size_t)s->x[2], Q = (size_t)s->window[1];
    const size_t taps = (size_t)s->window[0] * Q;
    for (int p = rows->n; p-- > 0;)
        for (int q = columns->n; q-- > 0;) {
            const size_t t = (size_t)(rows->first + p * step[0]) * Q +
                             (size_t)(columns->first + q * step[1]);
            for (size_t o = 0; o < O; o++)
                for (size_t c = 0; c < C; c++, w += bytes)
                    nn_copy_one(w, k + ((o * C + c) * taps + t) * bytes, bytes);
        }
}

/* ---- forward --------------------------------------------------------------------------------- */

/* y[N][y rows][y columns][O] = act(correlation of x with k + bias) */
static void nn_conv_forward(int N, const struct nn_conv_sizes *s, const void *x, const void *k,
                            void *y, const void *bias, unsigned flags, void *ws, size_t bytes,
                            nn_strip_fn *strip)
{
    const size_t image = (size_t)s->x[0] * (size_t)s->x[1] * (size_t)s->x[2] * bytes;
    const size_t result = (size_t)s->y[0] * (size_t)s->y[1] * (size_t)s->y[2] * bytes;
    const struct nn_correlation q = {
        {s->x[0], s->y[0], s->window[0], s->stride[0], s->pad[0], s->dilation[0]},
        {s->x[1], s->y[1], s->window[1], s->stride[1], s->pad[1], s->dilation[1]},
        s->x[2], s->y[2], (size_t)s->y[1] * (size_t)s->y[2], (size_t)s->y[2], bytes, strip,
        bias, flags};
    nn_pack_forward(s, (const char *)k, (char *)ws, bytes);
    for (int n = 0; n < N; n++)
        nn_correlate(&q, (const char *)x + (size_t)n * image, (const char *)ws,
                     (char *)y + (size_t)n * result);
}

/* ---- backward, data -------------------------------------------------------------------------- */

/* Input element i gets from tap t of output (i + pad - dilation t) / stride, where that divides.
 * Elements begin, begin + stride, .. all have the taps first, first + step, .. and read outputs one
 * after another: for them it is a correlation with stride 1 over the taps back to front. */
static struct nn_axis nn_class_of(const struct nn_axis *x, int begin, struct nn_taps *taps,
                                  int *step)
{
    struct nn_axis of = {x->out, 0, 0, 1, 0, 1};
    int first = 0, g = 1;
    if (begin < x->in)
        of.out = (x->in - begin + x->stride - 1) / x->stride;
    while (first < x->taps && (begin + x->pad - first * x->dilation) % x->stride != 0)
        first++;
    while (g * x->dilation % x->stride != 0)
        g++;
    of.taps = (x->taps - first + g - 1) / g;
    if (of.taps > 0)
        of.pad = -((begin + x->pad - (first + (of.taps - 1) * g) * x->dilation) / x->stride);
    of.dilation = g * x->dilation / x->stride;
    *taps = (struct nn_taps){first, of.taps};
    *step = g;
    return of;
}

/* dx[N][x rows][x columns][C] from dy, class by class */
static void nn_conv_backward(int N, const struct nn_conv_sizes *s, const void *dy, const void *k,
                             void *dx, void *ws, size_t bytes, nn_strip_fn *strip)
{
    const size_t pixel = (size_t)s->x[2], row = (size_t)s->x[1] * pixel;
    const size_t image = (size_t)s->x[0] * row * bytes;
    const size_t result = (size_t)s->y[0] * (size_t)s->y[1] * (size_t)s->y[2] * bytes;
    const struct nn_axis rows = {s->x[0], s->y[0], s->window[0], s->stride[0], s->pad[0],
                                 s->dilation[0]};
    const struct nn_axis columns = {s->x[1], s->y[1], s->window[1], s->stride[1], s->pad[1],
                                    s->dilation[1]};
    for (int i = 0; i < s->stride[0]; i++)
        for (int j = 0; j < s->stride[1]; j++) {
            struct nn_taps tr, tc;
            int step[2];
            const struct nn_axis r = nn_class_of(&rows, i, &tr, &step[0]);
            const struct nn_axis c = nn_class_of(&columns, j, &tc, &step[1]);
            const struct nn_correlation q = {
                r, c, s->y[2], s->x[2], (size_t)s->stride[0] * row, (size_t)s->stride[1] * pixel,
                bytes, strip, NULL, 0};
            nn_pack_backward(s, (const char *)k, (char *)ws, bytes, &tr, &tc, step);
            for (int n = 0; n < N; n++)
                nn_correlate(&q, (const char *)dy + (size_t)n * result, (const char *)ws,
                             (char *)dx + (size_t)n * image +
                                 ((size_t)i * row + (size_t)j * pixel) * bytes);
        }
}

/* ---- backward, weights ----------------------------------------------------------------------- */

/* the outputs whose tap t lies inside the input */
static struct nn_taps nn_outputs_of(const struct nn_axis *x, int t)
{
    int base = t * x->dilation - x->pad;
    int first = base < 0 ? (-base + x->stride - 1) / x->stride : 0;
    int end = base < x->in ? (x->in - 1 - base) / x->stride + 1 : 0;
    end = end < x->out ? end : x->out;
    return (struct nn_taps){first, end > first ? end - first : 0};
}

/* Rows y .. y + n of one image: w[p][q ..][C][O] += x' dy for each row p of the window.  Taps of
 * one row that see the same outputs, and lie side by side, are rows of one product. */
static void nn_weights_rows(const struct nn_correlation *g, const char *x, const char *dy, char *w,
                            int y, int n)
{
    const struct nn_axis *r = &g->rows, *c = &g->columns;
    const size_t C = (size_t)g->channels, O = (size_t)g->maps, row = (size_t)c->in * C;
    for (int p = 0; p < r->taps; p++) {
        const struct nn_taps ys = nn_outputs_of(r, p);
        const int y0 = ys.first > y ? ys.first : y;
        const int y1 = ys.first + ys.n < y + n ? ys.first + ys.n : y + n;
        for (int q = 0, wide; q < c->taps && y1 > y0; q += wide) {
            const struct nn_taps xs = nn_outputs_of(c, q);
            for (wide = 1; q + wide < c->taps && c->dilation == 1; wide++) {
                const struct nn_taps next = nn_outputs_of(c, q + wide);
                if (next.first != xs.first || next.n != xs.n)
                    break;
            }
            if (xs.n == 0)
                continue;
            const struct nn_strip s = {
                wide * g->channels, g->maps, xs.n, y1 - y0, 1, (size_t)c->stride * C,
                (size_t)r->stride * row, O, (size_t)c->out * O, O, NULL, NN_ACC};
            const size_t from = (size_t)(y0 * r->stride - r->pad + p * r->dilation) * row +
                                (size_t)(xs.first * c->stride - c->pad + q * c->dilation) * C;
            g->strip(&s, x + from * g->bytes,
                     dy + ((size_t)y0 * s.bos + (size_t)xs.first * O) * g->bytes,
                     w + (size_t)(p * c->taps + q) * C * O * g->bytes);
        }
    }
}

/* dk[O][C][P][Q] = sum over images and outputs of x and dy.  So many rows at a time that both
 * stay in the first-level cache while all of w is updated with them. */
static void nn_conv_backward_weights(int N, const struct nn_conv_sizes *s, const void *x,
                                     const void *dy, void *dk, void *ws, size_t bytes,
                                     nn_strip_fn *strip)
{
    enum { NEAR = 32768 };
    const size_t image = (size_t)s->x[0] * (size_t)s->x[1] * (size_t)s->x[2] * bytes;
    const size_t row = (size_t)s->y[1] * (size_t)s->y[2] * bytes;
    const size_t both = row + (size_t)s->stride[0] * (size_t)s->x[1] * (size_t)s->x[2] * bytes;
    const int rows = both < NEAR ? (int)(NEAR / both) : 1;
    const struct nn_correlation g = {
        {s->x[0], s->y[0], s->window[0], s->stride[0], s->pad[0], s->dilation[0]},
        {s->x[1], s->y[1], s->window[1], s->stride[1], s->pad[1], s->dilation[1]},
        s->x[2], s->y[2], 0, 0, bytes, strip, NULL, 0};
    memset(ws, 0, nn_conv_elements(s) * bytes);
    for (int n = 0; n < N; n++)
        for (int y = 0; y < s->y[0]; y += rows)
            nn_weights_rows(&g, (const char *)x + (size_t)n * image,
                            (const char *)dy + (size_t)n * (size_t)s->y[0] * row, (char *)ws, y,
                            y + rows < s->y[0] ? rows : s->y[0] - y);
    nn_unpack(s, (const char *)ws, (char *)dk, bytes);
}
#endif
