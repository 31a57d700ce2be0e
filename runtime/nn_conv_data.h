/* nn_conv_data.h - what a convolution hands back to its images, for one pass, in float and double.
 *
 * In come gradients dy [N][rows][columns][maps] and kernels, out go those of the images.  There
 * are two ways, and the one with fewer operations is taken.  An element of the image is a
 * correlation of dy with the kernel back to front, for each remainder by the stride with other
 * taps.  Or products of the pixels of dy with all kernels make whole windows, a few pixels at a
 * time so that they stay near, and these are added up: no lane is idle where there are few
 * channels, and borders are like the rest.  Meant to be included inside `#ifdef NN_ISA`, after
 * nn_conv.h. */
#ifdef NN_ISA

#ifndef NN_CONV_DATA_ONCE
#define NN_CONV_DATA_ONCE
NN_COMMON
enum {
    NN_WINDOW_ROOM = 4096,   /* elements of windows at a time */
    NN_WINDOW_LARGEST = 1024 /* elements of a window, for that way */
};

/* elements of the windows that are added up at a time, at most */
static inline size_t nn_window_room(const struct nn_conv_sizes *s)
{
    const size_t window = (size_t)s->x[2] * (size_t)s->window[0] * (size_t)s->window[1];
    const size_t all = (size_t)s->y[0] * (size_t)s->y[1] * window;
    if (window > NN_WINDOW_LARGEST)
        return 0;
    return all < NN_WINDOW_ROOM ? all : (size_t)NN_WINDOW_ROOM;
}
NN_COMMON_END
#endif

/* The lanes by which ways are chosen that differ in bits: the same for all machines that are to
 * agree. */
#undef NN_ORDER_LANES
#if NN_FMA
#define NN_ORDER_LANES (NN_LEVEL > 0 ? 16 : 1)
#else
#define NN_ORDER_LANES 4
#endif

#define nn_class_of NN_NAME(nn_class_of)
#define nn_data_class NN_NAME(nn_data_class)
#define nn_pack_backward NN_NAME(nn_pack_backward)
#define nn_pack_windows NN_NAME(nn_pack_windows)
#define nn_count_strip NN_NAME(nn_count_strip)
#define nn_prefers_windows NN_NAME(nn_prefers_windows)
#define nn_pack_data NN_NAME(nn_pack_data)
#define nn_add_row NN_NAME(nn_add_row)
#define nn_add_windows NN_NAME(nn_add_windows)
#define nn_data_windows NN_NAME(nn_data_windows)
#define nn_data_classes NN_NAME(nn_data_classes)

/* ---- correlations ---------------------------------------------------------------------------- */

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
    *taps = nn_taps_from(first, of.taps);
    *step = g;
    return of;
}

/* Elements (i, j), (i, j + stride), .. of dx; `taps` and `step` by axis.  Where they lie side by
 * side, several may share a vector. */
static struct nn_correlation nn_data_class(const struct nn_conv_sizes *s, int i, int j,
                                           struct nn_taps *taps, int *step, size_t bytes,
                                           nn_strip_fn *strip, int lanes)
{
    const size_t pixel = (size_t)s->x[2], row = (size_t)s->x[1] * pixel;
    const struct nn_axis rows = nn_axis_of(s, 0), columns = nn_axis_of(s, 1);
    struct nn_correlation q = {
        nn_class_of(&rows, i, &taps[0], &step[0]), nn_class_of(&columns, j, &taps[1], &step[1]),
        s->y[2], s->x[2], (size_t)s->stride[0] * row, (size_t)s->stride[1] * pixel, bytes,
        (size_t)s->y[0] * (size_t)s->y[1] * (size_t)s->y[2] * bytes,
        (size_t)s->x[0] * row * bytes, strip, NULL, NULL, 0, 1, NULL, NULL};
    const struct nn_conv_sizes sizes = nn_sizes_of(&q);
    if (s->stride[1] == 1)
        q.pixels = nn_pixels_of(&sizes, nn_inside(&q.columns).n, lanes, 0);
    return q;
}

/* w[P'][Q'][O][C] = the taps from (p, q) on, every `step`, of k[O][C][P][Q], back to front */
static void nn_pack_backward(const struct nn_conv_sizes *s, const char *k, char *w, size_t bytes,
                              const struct nn_taps *taps, const int *step)
{
    const size_t O = (size_t)s->y[2], C = (size_t)s->x[2], Q = (size_t)s->window[1];
    const size_t all = (size_t)s->window[0] * Q;
    for (int p = taps[0].n; p-- > 0;)
        for (int q = taps[1].n; q-- > 0;) {
            const size_t t = (size_t)(taps[0].first + p * step[0]) * Q +
                             (size_t)(taps[1].first + q * step[1]);
            for (size_t o = 0; o < O; o++)
                for (size_t c = 0; c < C; c++, w += bytes)
                    nn_copy_one(w, k + ((o * C + c) * all + t) * bytes, bytes);
        }
}

/* w[O][P][Q][C] = k[O][C][P][Q] */
static void nn_pack_windows(const struct nn_conv_sizes *s, const char *k, char *w, size_t bytes)
{
    const size_t C = (size_t)s->x[2], taps = (size_t)s->window[0] * (size_t)s->window[1];
    for (size_t o = 0; o < (size_t)s->y[2]; o++)
        for (size_t t = 0; t < taps; t++)
            for (size_t c = 0; c < C; c++, w += bytes)
                nn_copy_one(w, k + ((o * C + c) * taps + t) * bytes, bytes);
}

/* ---- the choice ------------------------------------------------------------------------------ */

/* In place of a strip: adds its cost to c, which stays where it is as elements have no bytes. */
static void nn_count_strip(const struct nn_strip *s, const void *a, const void *b, void *c)
{
    (void)a, (void)b;
    *(double *)c += s->times * nn_strip_cost(s->M, s->N, (double)s->K * s->blocks, NN_ORDER_LANES);
}

/* Windows take a product, and for each pixel the rows of its window loaded, added and stored. */
static int nn_prefers_windows(const struct nn_conv_sizes *s)
{
    const int row = s->window[1] * s->x[2], window = s->window[0] * row, lanes = NN_ORDER_LANES;
    const double pixels = (double)s->y[0] * s->y[1];
    const double adding = 4.0 * s->window[0] * ((row + lanes - 1) / lanes + s->dilation[1]);
    double correlating = 0, windows = pixels * (s->y[2] * ((window + lanes - 1) / lanes) + adding);
    if (nn_window_room(s) == 0)
        return 0;
    for (int i = 0; i < s->stride[0]; i++)
        for (int j = 0; j < s->stride[1]; j++) {
            struct nn_taps taps[2];
            int step[2];
            struct nn_correlation q = nn_data_class(s, i, j, taps, step, 0, nn_count_strip, lanes);
            q.w = q.wide = (const char *)&correlating;
            nn_correlate(&q, q.w, (char *)&correlating, 0, q.rows.out);
        }
    return windows < correlating;
}

/* Kernels for one of the ways; is it that of windows? */
static int nn_pack_data(const struct nn_conv_sizes *s, const void *k, void *ws, size_t bytes)
{
    const int is_float = bytes == sizeof(float), lanes = is_float ? NN_VB / 4 : 1;
    char *w = (char *)ws, *wide = w + nn_conv_elements(s) * bytes;
    if (is_float && nn_prefers_windows(s)) {
        nn_pack_windows(s, (const char *)k, w, bytes);
        return 1;
    }
    for (int i = 0; i < s->stride[0]; i++)
        for (int j = 0; j < s->stride[1]; j++) {
            struct nn_taps taps[2];
            int step[2];
            const struct nn_correlation q = nn_data_class(s, i, j, taps, step, bytes, NULL, lanes);
            const struct nn_conv_sizes sizes = nn_sizes_of(&q);
            nn_pack_backward(s, (const char *)k, w, bytes, taps, step);
            if (q.pixels > 1) {
                nn_pack_wide(&sizes, w, wide, q.pixels, bytes);
                wide += nn_wide_elements(&sizes, q.pixels) * bytes;
            }
            w += nn_conv_elements(&sizes) * bytes;
        }
    return 0;
}

/* ---- images from .. to - 1 ------------------------------------------------------------------- */

/* dx[N][x rows][x columns][C] from dy, class by class */
static void nn_data_classes(const struct nn_conv_sizes *s, const void *dy, const void *ws, void *dx,
                            size_t bytes, nn_strip_fn *strip, int from, int to)
{
    const size_t pixel = (size_t)s->x[2] * bytes, row = (size_t)s->x[1] * pixel;
    const int lanes = bytes == sizeof(float) ? NN_VB / 4 : 1;
    const char *w = (const char *)ws, *wide = w + nn_conv_elements(s) * bytes;
    for (int i = 0; i < s->stride[0]; i++)
        for (int j = 0; j < s->stride[1]; j++) {
            struct nn_taps taps[2];
            int step[2];
            struct nn_correlation q = nn_data_class(s, i, j, taps, step, bytes, strip, lanes);
            const struct nn_conv_sizes sizes = nn_sizes_of(&q);
            q.w = w;
            q.wide = wide;
            nn_correlate_rows(&q, dy, (char *)dx + (size_t)i * row + (size_t)j * pixel,
                              from * q.rows.out, to * q.rows.out);
            w += nn_conv_elements(&sizes) * bytes;
            if (q.pixels > 1)
                wide += nn_wide_elements(&sizes, q.pixels) * bytes;
        }
}

NN_INLINE void nn_add_row(float *to, const float *from, ptrdiff_t n)
{
#if NN_LEVEL > 0
    for (; n >= NN_VL; n -= NN_VL, to += NN_VL, from += NN_VL)
        nn_vstore(to, nn_vload(to) + nn_vload(from));
    if (n > 0) {
        const nn_vmask mask = nn_vtail((int)n);
        nn_vstore_some(to, nn_vload_some(to, mask) + nn_vload_some(from, mask), mask);
    }
#else
    for (ptrdiff_t i = 0; i < n; i++)
        to[i] += from[i];
#endif
}

/* dx += the windows of n pixels from pixel `first` on */
static void nn_add_windows(const struct nn_conv_sizes *s, const float *windows, float *dx,
                           int first, int n)
{
    const struct nn_axis rows = nn_axis_of(s, 0), columns = nn_axis_of(s, 1);
    const ptrdiff_t C = s->x[2], Q = columns.taps, row = columns.in * C;
    int y = first / columns.out, x = first % columns.out;
    struct nn_taps ty = nn_taps_at(&rows, y);
    for (; n > 0; n--, windows += rows.taps * Q * C) {
        const int at = x * columns.stride - columns.pad, d = columns.dilation;
        float *to = dx + (y * rows.stride - rows.pad + ty.first * rows.dilation) * row;
        const float *from = windows + ty.first * Q * C;
        for (int p = 0; p < ty.n; p++, to += rows.dilation * row, from += Q * C) {
            if (d == 1) {
                const int q = at < 0 ? -at : 0;
                const int end = columns.in - at < columns.taps ? columns.in - at : columns.taps;
                nn_add_row(to + (at + q) * C, from + q * C, (end - q) * C);
            } else
                for (int q = 0; q < columns.taps; q++)
                    if (at + q * d >= 0 && at + q * d < columns.in)
                        nn_add_row(to + (at + q * d) * C, from + q * C, C);
        }
        if (++x == columns.out) {
            x = 0;
            ty = nn_taps_at(&rows, ++y);
        }
    }
}

/* dx[N][x rows][x columns][C] = the windows dy w added up; `room` for some of them */
static void nn_data_windows(const struct nn_conv_sizes *s, const float *dy, const float *w,
                            float *dx, float *room, int from, int to)
{
    const size_t image = (size_t)s->x[0] * (size_t)s->x[1] * (size_t)s->x[2];
    const size_t O = (size_t)s->y[2], window = nn_conv_elements(s) / (O ? O : 1);
    const int pixels = s->y[0] * s->y[1], most = (int)(NN_WINDOW_ROOM / window);
    const int parts = (pixels + most - 1) / most;
    struct nn_strip g = {0, (int)window, s->y[2], 1, O, 1, 0, window, 0, window, NULL, 0,
                         1, 0, 0};
    for (int n = from; n < to; n++) {
        const float *pixel = dy + (size_t)n * (size_t)pixels * O;
        memset(dx + (size_t)n * image, 0, image * sizeof *dx);
        for (int part = 0; part < parts; part++) {
            const int first = (int)((int64_t)pixels * part / parts);
            g.M = (int)((int64_t)pixels * (part + 1) / parts) - first;
            nn_strip_f(&g, pixel + (size_t)first * O, w, room);
            nn_add_windows(s, room, dx + (size_t)n * image, first, g.M);
        }
    }
}
#endif
