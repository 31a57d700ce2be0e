/* nn_conv_weights.h - the gradients of the kernels of a convolution, for one pass, in float and
 * double.
 *
 * In come images and the gradients dy of the outputs, out goes the sum over all outputs.  The taps
 * of one row of the window that see the same outputs are the rows of one product, which sums over
 * the outputs of a row.  With few maps, several pixels of dy are one with more maps and a wider
 * window, whose shifted parts are added at the end.  Meant to be included inside `#ifdef NN_ISA`,
 * after nn_conv_data.h. */
#ifdef NN_ISA

#ifndef NN_CONV_WEIGHTS_ONCE
#define NN_CONV_WEIGHTS_ONCE
/* Sums w[P][Q][channels][maps] over images and their dy, whose rows lie c_row elements apart: for
 * pixels that share their vectors, with the wide window, and for the others. */
struct nn_weight_sums {
    struct nn_correlation wide, rest;
    const char *wide_dy, *rest_dy;
    char *wide_w, *w;
};
#endif

#define nn_outputs_of NN_NAME(nn_outputs_of)
#define nn_weights_rows NN_NAME(nn_weights_rows)
#define nn_weights_part NN_NAME(nn_weights_part)
#define nn_weights_begin NN_NAME(nn_weights_begin)
#define nn_fold_wide NN_NAME(nn_fold_wide)
#define nn_unpack NN_NAME(nn_unpack)
#define nn_weights_end NN_NAME(nn_weights_end)

/* ---- sums ------------------------------------------------------------------------------------ */

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
 * one row that see the same outputs, and lie side by side, are rows of one product; of all rows
 * w[P Q C] only from .. to - 1 are computed. */
static void nn_weights_rows(const struct nn_correlation *g, const char *x, const char *dy, char *w,
                            int y, int n, int from, int to)
{
    const struct nn_axis *r = &g->rows, *c = &g->columns;
    const int channels = g->channels;
    const size_t C = (size_t)channels, O = (size_t)g->maps, row = (size_t)c->in * C;
    for (int p = 0; p < r->taps; p++) {
        const struct nn_taps ys = nn_outputs_of(r, p);
        const int y0 = ys.first > y ? ys.first : y;
        const int y1 = ys.first + ys.n < y + n ? ys.first + ys.n : y + n;
        if ((p + 1) * c->taps * channels <= from || p * c->taps * channels >= to || y1 <= y0)
            continue;
        for (int q = 0, wide; q < c->taps; q += wide) {
            const struct nn_taps xs = nn_outputs_of(c, q);
            for (wide = 1; q + wide < c->taps && c->dilation == 1; wide++) {
                const struct nn_taps next = nn_outputs_of(c, q + wide);
                if (next.first != xs.first || next.n != xs.n)
                    break;
            }
            const int first = (p * c->taps + q) * channels, end = first + wide * channels;
            const int begin = first > from ? first : from;
            if (xs.n == 0 || begin >= to || end <= from)
                continue;
            const struct nn_strip s = {
                (end < to ? end : to) - begin, g->maps, xs.n, y1 - y0, 1, (size_t)c->stride * C,
                (size_t)r->stride * row, O, g->c_row, O, NULL, NN_ACC, 1, 0, 0};
            const size_t at = (size_t)(y0 * r->stride - r->pad + p * r->dilation) * row +
                              (size_t)(xs.first * c->stride - c->pad + q * c->dilation) * C +
                              (size_t)(begin - first);
            g->strip(&s, x + at * g->bytes,
                     dy + ((size_t)y0 * s.bos + (size_t)xs.first * O) * g->bytes,
                     w + (size_t)begin * O * g->bytes);
        }
    }
}

/* Rows from .. to - 1 of w over all images.  So many rows of these at a time that both stay in the
 * first-level cache while all of w is updated with them. */
static void nn_weights_part(const struct nn_correlation *g, int N, const char *x, const char *dy,
                            char *w, int from, int to)
{
    enum { NEAR = 32768 };
    const size_t both = (g->c_row + (size_t)g->rows.stride * (size_t)g->columns.in *
                                        (size_t)g->channels) * g->bytes;
    const int rows = both < NEAR ? (int)(NEAR / both) : 1;
    for (int n = 0; n < N; n++, x += g->in_image, dy += g->out_image)
        for (int y = 0; y < g->rows.out; y += rows)
            nn_weights_rows(g, x, dy, w, y, rows < g->rows.out - y ? rows : g->rows.out - y, from,
                            to);
}

/* ---- before and behind ----------------------------------------------------------------------- */

/* The sums of all outputs, at 0: the wide ones of the first, and the others. */
static struct nn_weight_sums nn_weights_begin(const struct nn_conv_sizes *s, const void *dy,
                                              void *ws, size_t bytes, nn_strip_fn *strip)
{
    const size_t row = (size_t)s->y[1] * (size_t)s->y[2];
    const int lanes = bytes == sizeof(float) ? NN_ORDER_LANES : 1;
    const int p = nn_pixels_of(s, s->y[1], lanes, 1), shared = p > 1 ? s->y[1] / p : 0;
    const struct nn_correlation g = {
        nn_axis_of(s, 0), nn_axis_of(s, 1), s->x[2], s->y[2], row, 0, bytes,
        (size_t)s->x[0] * (size_t)s->x[1] * (size_t)s->x[2] * bytes, (size_t)s->y[0] * row * bytes,
        strip, NULL, NULL, 0, p, NULL, NULL};
    struct nn_weight_sums sums = {g, g, (const char *)dy, (const char *)dy, NULL, (char *)ws};
    sums.wide_w = sums.w + nn_conv_elements(s) * bytes;
    sums.wide.maps *= p;
    sums.wide.columns.taps = nn_wide_taps(s, p);
    sums.wide.columns.stride *= p;
    sums.wide.columns.out = shared;
    sums.rest.columns.out -= shared * p;
    sums.rest.columns.pad -= shared * p * s->stride[1];
    sums.rest_dy += (size_t)(shared * p) * (size_t)s->y[2] * bytes;
    memset(ws, 0, (nn_conv_elements(s) + (p > 1 ? nn_wide_elements(s, p) : 0)) * bytes);
    return sums;
}

/* w[P][Q][C][O] += the parts of wide[P][Q + (p - 1) stride][C][p][O], pixel by pixel */
static void nn_fold_wide(const struct nn_conv_sizes *s, const float *wide, float *w, int p)
{
    const int taps = nn_wide_taps(s, p), Q = s->window[1], C = s->x[2], O = s->y[2];
    for (int i = 0; i < s->window[0] * Q * C; i++, w += O)
        for (int j = 0; j < p; j++) {
            const int q = i / C % Q + j * s->stride[1], r = i / C / Q;
            const float *part = wide + (size_t)(((r * taps + q) * C + i % C) * p + j) * (size_t)O;
            for (int o = 0; o < O; o++)
                w[o] += part[o];
        }
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

/* dk[O][C][P][Q] of the sums; pixels share vectors only in float */
static void nn_weights_end(const struct nn_conv_sizes *s, const struct nn_weight_sums *sums,
                           void *dk, size_t bytes)
{
    if (sums->wide.pixels > 1)
        nn_fold_wide(s, (const float *)(const void *)sums->wide_w, (float *)(void *)sums->w,
                     sums->wide.pixels);
    nn_unpack(s, sums->w, (char *)dk, bytes);
}
#endif
