/* nn_conv_weights.h - the gradients of the kernels of a convolution, for one pass, in float and
 * double.
 *
 * In come images and the gradients dy of the outputs, out goes the sum over all outputs.  The taps
 * of one row of the window that see the same outputs are the rows of one product, which sums over
 * the outputs of a row; where that is faster, borders are left out of it and follow.  With few
 * maps, several pixels of dy are one with more maps and a wider window, whose shifted parts are
 * added at the end.  Meant to be included inside `#ifdef NN_ISA`, after nn_conv_data.h. */
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
#define nn_weights_strip NN_NAME(nn_weights_strip)
#define nn_taps_alike NN_NAME(nn_taps_alike)
#define nn_parts_borders NN_NAME(nn_parts_borders)
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
    return nn_taps_from(first, end > first ? end - first : 0);
}

/* The outputs `at` of rows y0 .. y1 - 1 and the taps t of row p of the window, which see all of
 * them: w[p][t][C][O] += x' dy, of which only the rows from .. to - 1 of w[P Q C] are computed. */
static void nn_weights_strip(const struct nn_correlation *g, const char *x, const char *dy, char *w,
                             int y0, int y1, int p, struct nn_taps at, struct nn_taps t, int from,
                             int to)
{
    const struct nn_axis *r = &g->rows, *c = &g->columns;
    const size_t C = (size_t)g->channels, O = (size_t)g->maps, row = (size_t)c->in * C;
    const int start = (p * c->taps + t.first) * g->channels, end = start + t.n * g->channels;
    const int first = start > from ? start : from, last = end < to ? end : to;
    const size_t near = (size_t)c->stride * C, far = (size_t)r->stride * row;
    const size_t begin = (size_t)(y0 * r->stride - r->pad + p * r->dilation) * row +
                         (size_t)(at.first * c->stride - c->pad + t.first * c->dilation) * C;
    struct nn_strip s = {last - first, g->maps, at.n, y1 - y0, 1, near, far, O, g->c_row, O,
                         NULL, NN_ACC, 1, 0, 0};
    if (at.n <= 0 || last <= first)
        return;
    if (at.n == 1) { /* a column: one product down the rows */
        s.K = s.blocks;
        s.blocks = 1;
        s.cas = far;
        s.ldb = g->c_row;
    }
    g->strip(&s, x + (begin + (size_t)(first - start)) * g->bytes,
             dy + ((size_t)y0 * g->c_row + (size_t)at.first * O) * g->bytes,
             w + (size_t)first * O * g->bytes);
}

/* taps from q on, side by side, that see the same outputs */
static struct nn_taps nn_taps_alike(const struct nn_axis *c, int q)
{
    const struct nn_taps xs = nn_outputs_of(c, q);
    int n = 1;
    for (; q + n < c->taps && c->dilation == 1; n++) {
        const struct nn_taps next = nn_outputs_of(c, q + n);
        if (next.first != xs.first || next.n != xs.n)
            break;
    }
    return nn_taps_from(q, n);
}

/* Is it faster to have all taps together for the outputs that all of them see, and those at the
 * borders one by one, far apart?  For n rows; a product also reads and stores its part of w. */
static int nn_parts_borders(const struct nn_correlation *g, int n)
{
    const struct nn_axis *c = &g->columns;
    const int lanes = g->bytes == sizeof(float) ? NN_ORDER_LANES : 1, C = g->channels;
    const struct nn_taps inside = nn_inside(c);
    const double vectors = 2.0 * C * ((g->maps + lanes - 1) / lanes);
    double together = 0, parted = nn_strip_cost(c->taps * C, g->maps, inside.n * n, lanes) +
                                  vectors * c->taps;
    if (c->dilation != 1)
        return 0;
    for (int q = 0; q < c->taps;) {
        const struct nn_taps t = nn_taps_alike(c, q);
        together += nn_strip_cost(t.n * C, g->maps, nn_outputs_of(c, q).n * n, lanes) +
                    vectors * t.n;
        q += t.n;
    }
    for (int x = 0; x < c->out; x++) {
        const int taps = nn_taps_at(c, x).n;
        if (x < inside.first || x >= inside.first + inside.n)
            parted += nn_strip_cost(taps * C, g->maps, n, lanes) + vectors * taps;
    }
    return 1.1 * parted < together;
}

/* Rows y .. y + n of one image, for each row p of the window.  Taps that see the same outputs, and
 * lie side by side, are rows of one product. */
static void nn_weights_rows(const struct nn_correlation *g, const char *x, const char *dy, char *w,
                            int y, int n, int parts, int from, int to)
{
    const struct nn_axis *r = &g->rows, *c = &g->columns;
    const struct nn_taps all = {0, c->taps}, inside = nn_inside(c);
    for (int p = 0; p < r->taps; p++) {
        const struct nn_taps ys = nn_outputs_of(r, p);
        const int y0 = ys.first > y ? ys.first : y;
        const int y1 = ys.first + ys.n < y + n ? ys.first + ys.n : y + n;
        if (y1 <= y0)
            continue;
        if (parts)
            nn_weights_strip(g, x, dy, w, y0, y1, p, inside, all, from, to);
        for (int i = 0; i < c->out && parts; i++)
            if (i < inside.first || i >= inside.first + inside.n)
                nn_weights_strip(g, x, dy, w, y0, y1, p, nn_taps_from(i, 1), nn_taps_at(c, i),
                                 from, to);
        for (int q = 0; q < c->taps && !parts;) {
            const struct nn_taps t = nn_taps_alike(c, q);
            nn_weights_strip(g, x, dy, w, y0, y1, p, nn_outputs_of(c, q), t, from, to);
            q += t.n;
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
    const int most = both < NEAR ? (int)(NEAR / both) : 1, out = g->rows.out;
    const int rows = most < out ? most : out, parts = nn_parts_borders(g, rows);
    for (int n = 0; n < N; n++, x += g->in_image, dy += g->out_image)
        for (int y = 0; y < out; y += rows)
            nn_weights_rows(g, x, dy, w, y, rows < out - y ? rows : out - y, parts, from, to);
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
