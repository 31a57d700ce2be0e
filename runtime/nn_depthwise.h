/* nn_depthwise.h - convolutions of each channel by itself, for one pass, in float and double.
 *
 * In come images [N][rows][columns][channels] and kernels [P][Q][channels], out go the convolution,
 * what it hands back to its images, or to its kernels.  A vector holds neighbouring channels: the
 * sums of a few pixels, or of a few taps, stay in registers while the taps, or the pixels, go by.
 * Pixels with the same taps inside the image make a run, so there are no zeros around it and no
 * windows.  Every sum has one order, whatever the instruction set and the number of threads.
 * Meant to be included inside `#ifdef NN_ISA`, after nn_conv.h and nn_conv_data.h. */
#ifdef NN_ISA

#ifndef NN_DEPTHWISE_ONCE
#define NN_DEPTHWISE_ONCE
/* Pixels with the same taps, `in` apart in the image and `out` in the result */
struct nn_run {
    int n, rows, taps;
    size_t in, out;
};
struct nn_channelwise;
typedef void nn_run_fn(const struct nn_channelwise *q, const struct nn_run *r, const void *x,
                       void *k, void *y);

/* A correlation of every channel by itself: strides of images, results and kernels, in elements of
 * `bytes` bytes.  A run makes y of x and k, or k of x and y. */
struct nn_channelwise {
    struct nn_axis rows, columns;
    int channels;
    size_t x_row, x_pixel, y_row, y_pixel;
    ptrdiff_t k_row, k_tap;
    size_t bytes, x_image, y_image;
    nn_run_fn *run;
    const void *bias;
    unsigned flags;
};
#endif

#define nn_depthwise_tile NN_NAME(nn_depthwise_tile)
#define nn_depthwise_lanes NN_NAME(nn_depthwise_lanes)
#define nn_depthwise_f NN_NAME(nn_depthwise_f)
#define nn_depthwise_of_doubles NN_NAME(nn_depthwise_of_doubles)
#define nn_slides NN_NAME(nn_slides)
#define nn_taps_tile NN_NAME(nn_taps_tile)
#define nn_taps_lanes NN_NAME(nn_taps_lanes)
#define nn_taps_f NN_NAME(nn_taps_f)
#define nn_taps_of_doubles NN_NAME(nn_taps_of_doubles)
#define nn_one_run NN_NAME(nn_one_run)
#define nn_depthwise_rows NN_NAME(nn_depthwise_rows)
#define nn_depthwise_forward NN_NAME(nn_depthwise_forward)
#define nn_depthwise_data_images NN_NAME(nn_depthwise_data_images)
#define nn_depthwise_taps NN_NAME(nn_depthwise_taps)

/* ---- without vectors ------------------------------------------------------------------------- */

#undef NN_PLAIN_RUN
#undef NN_PLAIN_TAPS
#undef NN_MAD_D
#define NN_MAD_D(a, b, c) ((c) + (a) * (b))

/* y[pixel][c] = act(bias[c] + sum over taps of x[pixel + tap][c] k[tap][c]) */
#define NN_PLAIN_RUN(NAME, T, MAD, ACT)                                                           \
    static void NAME(const struct nn_channelwise *q, const struct nn_run *r, const void *x,       \
                     void *k, void *y)                                                            \
    {                                                                                             \
        const size_t down = (size_t)q->rows.dilation * q->x_row;                                  \
        const size_t across = (size_t)q->columns.dilation * q->x_pixel;                           \
        for (int i = 0; i < r->n; i++) {                                                          \
            const T *in = (const T *)x + (size_t)i * r->in;                                       \
            T *NN_RESTRICT out = (T *)y + (size_t)i * r->out;                                     \
            for (int c = 0; c < q->channels; c++)                                                 \
                out[c] = q->flags & NN_BIAS ? ((const T *)q->bias)[c] : 0;                        \
            for (int p = 0; p < r->rows; p++)                                                     \
                for (int t = 0; t < r->taps; t++) {                                               \
                    const T *a = in + (size_t)p * down + (size_t)t * across;                      \
                    const T *w = (const T *)k + p * q->k_row + t * q->k_tap;                      \
                    for (int c = 0; c < q->channels; c++)                                         \
                        out[c] = MAD(a[c], w[c], out[c]);                                         \
                }                                                                                 \
            ACT(out, q->channels, q->flags);                                                      \
        }                                                                                         \
    }

/* k[tap][c] += sum over pixels of x[pixel + tap][c] y[pixel][c] */
#define NN_PLAIN_TAPS(NAME, T, MAD)                                                               \
    static void NAME(const struct nn_channelwise *q, const struct nn_run *r, const void *x,       \
                     void *k, void *y)                                                            \
    {                                                                                             \
        const size_t down = (size_t)q->rows.dilation * q->x_row;                                  \
        const size_t across = (size_t)q->columns.dilation * q->x_pixel;                           \
        for (int i = 0; i < r->n; i++) {                                                          \
            const T *in = (const T *)x + (size_t)i * r->in;                                       \
            const T *d = (const T *)y + (size_t)i * r->out;                                       \
            for (int p = 0; p < r->rows; p++)                                                     \
                for (int t = 0; t < r->taps; t++) {                                               \
                    const T *a = in + (size_t)p * down + (size_t)t * across;                      \
                    T *NN_RESTRICT w = (T *)k + p * q->k_row + t * q->k_tap;                      \
                    for (int c = 0; c < q->channels; c++)                                         \
                        w[c] = MAD(a[c], d[c], w[c]);                                             \
                }                                                                                 \
        }                                                                                         \
    }

NN_PLAIN_RUN(nn_depthwise_of_doubles, double, NN_MAD_D, nn_act_row_d)
NN_PLAIN_TAPS(nn_taps_of_doubles, double, NN_MAD_D)

#if NN_LEVEL == 0
#define nn_act_plain NN_NAME(nn_act_plain)
NN_INLINE void nn_act_plain(float *y, int n, unsigned flags)
{
    for (int c = 0; c < n; c++)
        y[c] = nn_finish(y[c], flags);
}

NN_PLAIN_RUN(nn_depthwise_f, float, nn_mad, nn_act_plain)
NN_PLAIN_TAPS(nn_taps_f, float, nn_mad)
#else

/* ---- a few pixels of a vector of channels ---------------------------------------------------- */

#undef NN_LANES
#undef NN_PUT
#define NN_LANES(p) (masked ? nn_vload_some(p, mask) : nn_vload(p))
#define NN_PUT(p, v)                     \
    do {                                 \
        if (masked)                      \
            nn_vstore_some(p, v, mask);  \
        else                             \
            nn_vstore(p, v);             \
    } while (0)

/* px pixels, from channel c on.  With `slide`, the next tap of a pixel is the tap of the next
 * pixel, and three taps share what they load.  px, masked and slide are literals. */
NN_INLINE void nn_depthwise_tile(const int px, const int masked, const int slide,
                                 const struct nn_channelwise *q, const struct nn_run *r,
                                 const float *x, const float *k, float *y, int c)
{
    const nn_vmask mask = nn_vtail(masked ? q->channels - c : NN_VL);
    const size_t down = (size_t)q->rows.dilation * q->x_row, in = r->in, out = r->out;
    const size_t across = (size_t)q->columns.dilation * q->x_pixel;
    const ptrdiff_t next = q->k_tap;
    nn_vf acc[8], w[3];
    w[0] = q->flags & NN_BIAS ? NN_LANES((const float *)q->bias + c) : nn_vset(0.0f);
    NN_UNROLL
    for (int i = 0; i < px; i++)
        acc[i] = w[0];
    NN_NO_UNROLL
    for (int p = 0; p < r->rows; p++, x += down, k += q->k_row) {
        const float *a = x + c, *b = k + c;
        int t = 0;
        if (slide)
            for (; t + 3 <= r->taps; t += 3, a += 3 * in, b += 3 * next) {
                NN_UNROLL
                for (int j = 0; j < 3; j++)
                    w[j] = NN_LANES(b + j * next);
                NN_UNROLL
                for (int m = 0; m < px + 2; m++) {
                    const nn_vf v = NN_LANES(a + (size_t)m * in);
                    NN_UNROLL
                    for (int j = 0; j < 3; j++)
                        if (m - j >= 0 && m - j < px)
                            acc[m - j] = nn_vfma(v, w[j], acc[m - j]);
                }
            }
        NN_NO_UNROLL
        for (; t < r->taps; t++, a += across, b += next) {
            w[0] = NN_LANES(b);
            NN_UNROLL
            for (int i = 0; i < px; i++)
                acc[i] = nn_vfma(NN_LANES(a + (size_t)i * in), w[0], acc[i]);
        }
    }
    NN_UNROLL
    for (int i = 0; i < px; i++) {
        const nn_vf v = q->flags & NN_RELU ? nn_vrelu(acc[i]) : acc[i];
        NN_PUT(y + (size_t)i * out + c, v);
    }
}

/* all channels of px pixels */
NN_INLINE void nn_depthwise_lanes(const int px, const int slide, const struct nn_channelwise *q,
                                  const struct nn_run *r, const float *x, const float *k, float *y)
{
    int c = 0;
    for (; !NN_FREE_MASK && c + NN_VL <= q->channels; c += NN_VL)
        nn_depthwise_tile(px, 0, slide, q, r, x, k, y, c);
    for (; c < q->channels; c += NN_VL)
        nn_depthwise_tile(px, 1, slide, q, r, x, k, y, c);
    for (int i = 0; i < px && q->flags & (NN_TANH | NN_SIGMOID); i++)
        nn_act_row(y + (size_t)i * r->out, q->channels, q->flags);
}

/* Do three taps of neighbouring pixels share what they load? */
NN_INLINE int nn_slides(const struct nn_channelwise *q, const struct nn_run *r)
{
    return r->taps >= 3 && r->in == (size_t)q->columns.dilation * q->x_pixel;
}

static void nn_depthwise_f(const struct nn_channelwise *q, const struct nn_run *r, const void *x,
                           void *k, void *y)
{
    const float *in = (const float *)x, *w = (const float *)k;
    const int slides = nn_slides(q, r);
    float *out = (float *)y;
    for (int i = 0, n; i < r->n; i += n, in += (size_t)n * r->in, out += (size_t)n * r->out) {
        const int left = r->n - i;
        n = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        switch (n + slides) {
        case 9: nn_depthwise_lanes(8, 1, q, r, in, w, out); break;
        case 8: nn_depthwise_lanes(8, 0, q, r, in, w, out); break;
        case 5: nn_depthwise_lanes(4, 1, q, r, in, w, out); break;
        case 4: nn_depthwise_lanes(4, 0, q, r, in, w, out); break;
        default:
            if (n == 2)
                nn_depthwise_lanes(2, 0, q, r, in, w, out);
            else
                nn_depthwise_lanes(1, 0, q, r, in, w, out);
        }
    }
}

/* ---- a few taps of a vector of channels ------------------------------------------------------ */

/* Rows of taps from (p, t) on, of n pixels.  With `slide` four pixels at a time, and three taps
 * share what they load.  rows, taps, masked and slide are literals. */
NN_INLINE void nn_taps_tile(const int rows, const int taps, const int masked, const int slide,
                            const struct nn_channelwise *q, const struct nn_run *r, int p, int t,
                            int n, const float *x, float *k, const float *y, int c)
{
    const nn_vmask mask = nn_vtail(masked ? q->channels - c : NN_VL);
    const size_t down = (size_t)q->rows.dilation * q->x_row, in = r->in, out = r->out;
    const size_t across = (size_t)q->columns.dilation * q->x_pixel;
    nn_vf acc[9], d[4];
    int i = 0;
    x += (size_t)p * down + (size_t)t * across + (size_t)c;
    k += p * q->k_row + t * q->k_tap + c;
    y += c;
    NN_UNROLL
    for (int j = 0; j < rows * taps; j++)
        acc[j] = NN_LANES(k + j / taps * q->k_row + j % taps * q->k_tap);
    if (slide)
        for (; i + 4 <= n; i += 4, x += 4 * in, y += 4 * out) {
            NN_UNROLL
            for (int j = 0; j < 4; j++)
                d[j] = NN_LANES(y + (size_t)j * out);
            NN_UNROLL
            for (int s = 0; s < rows; s++)
                NN_UNROLL
                for (int m = 0; m < 4 + taps - 1; m++) {
                    const nn_vf v = NN_LANES(x + (size_t)s * down + (size_t)m * in);
                    NN_UNROLL
                    for (int j = taps; j-- > 0;)
                        if (m - j >= 0 && m - j < 4)
                            acc[s * taps + j] = nn_vfma(v, d[m - j], acc[s * taps + j]);
                }
        }
    NN_NO_UNROLL
    for (; i < n; i++, x += in, y += out) {
        d[0] = NN_LANES(y);
        NN_UNROLL
        for (int j = 0; j < rows * taps; j++)
            acc[j] = nn_vfma(NN_LANES(x + (size_t)(j / taps) * down + (size_t)(j % taps) * across),
                             d[0], acc[j]);
    }
    NN_UNROLL
    for (int j = 0; j < rows * taps; j++)
        NN_PUT(k + j / taps * q->k_row + j % taps * q->k_tap, acc[j]);
}

/* all taps of n pixels: three rows of three at a time, as far as there are as many */
NN_INLINE void nn_taps_lanes(const int masked, const struct nn_channelwise *q,
                             const struct nn_run *r, int n, const float *x, float *k,
                             const float *y, int c)
{
    const int slides = nn_slides(q, r);
    for (int p = 0, rows; p < r->rows; p += rows) {
        int t = 0;
        rows = r->rows - p >= 3 ? 3 : 1;
        for (; t + 3 <= r->taps; t += 3)
            if (rows == 3 && slides)
                nn_taps_tile(3, 3, masked, 1, q, r, p, t, n, x, k, y, c);
            else if (rows == 3)
                nn_taps_tile(3, 3, masked, 0, q, r, p, t, n, x, k, y, c);
            else
                nn_taps_tile(1, 3, masked, 0, q, r, p, t, n, x, k, y, c);
        for (; t < r->taps; t++)
            if (rows == 3)
                nn_taps_tile(3, 1, masked, 0, q, r, p, t, n, x, k, y, c);
            else
                nn_taps_tile(1, 1, masked, 0, q, r, p, t, n, x, k, y, c);
    }
}

/* So few pixels at a time that the first-level cache keeps them. */
static void nn_taps_f(const struct nn_channelwise *q, const struct nn_run *r, const void *x,
                      void *k, void *y)
{
    enum { PIXELS = 16 };
    for (int i = 0, n; i < r->n; i += n) {
        const float *in = (const float *)x + (size_t)i * r->in;
        const float *d = (const float *)y + (size_t)i * r->out;
        int c = 0;
        n = r->n - i < PIXELS ? r->n - i : PIXELS;
        for (; !NN_FREE_MASK && c + NN_VL <= q->channels; c += NN_VL)
            nn_taps_lanes(0, q, r, n, in, (float *)k, d, c);
        for (; c < q->channels; c += NN_VL)
            nn_taps_lanes(1, q, r, n, in, (float *)k, d, c);
    }
}
#endif

/* ---- images ---------------------------------------------------------------------------------- */

/* n outputs from (y, x) on: in a row, or down a column */
static void nn_one_run(const struct nn_channelwise *q, const char *in, char *k, char *out, int y,
                       int x, int n, int down)
{
    const struct nn_axis *r = &q->rows, *c = &q->columns;
    const struct nn_taps ty = nn_taps_at(r, y), tx = nn_taps_at(c, x);
    const size_t next = (size_t)(down ? r->stride : c->stride) * (down ? q->x_row : q->x_pixel);
    const struct nn_run run = {n, tx.n > 0 ? ty.n : 0, tx.n, next, down ? q->y_row : q->y_pixel};
    if (n <= 0)
        return;
    if (run.rows > 0) {
        const size_t row = (size_t)(y * r->stride - r->pad + ty.first * r->dilation);
        const size_t column = (size_t)(x * c->stride - c->pad + tx.first * c->dilation);
        in += (row * q->x_row + column * q->x_pixel) * q->bytes;
        k += (ty.first * q->k_row + tx.first * q->k_tap) * (ptrdiff_t)q->bytes;
    }
    out += ((size_t)y * q->y_row + (size_t)x * q->y_pixel) * q->bytes;
    q->run(q, &run, in, k, out);
}

/* Rows from .. to - 1 of all images: the pixels whose taps are all inside, row by row; the others
 * down the columns, as far as the rows have the same taps. */
static void nn_depthwise_rows(const struct nn_channelwise *q, const void *x, const void *k,
                              const void *y, int from, int to)
{
    const struct nn_axis *r = &q->rows, *c = &q->columns;
    const struct nn_taps inside = nn_inside(c);
    for (int i = from, n; i < to; i += n) {
        const int row = i % r->out;
        const char *in = (const char *)x + (size_t)(i / r->out) * q->x_image;
        char *out = (char *)y + (size_t)(i / r->out) * q->y_image;
        const struct nn_taps t = nn_taps_at(r, row);
        for (n = 1; i + n < to && row + n < r->out; n++) {
            const struct nn_taps next = nn_taps_at(r, row + n);
            if (next.first != t.first || next.n != t.n)
                break;
        }
        for (int j = 0; j < n; j++)
            nn_one_run(q, in, (char *)k, out, row + j, inside.first, inside.n, 0);
        for (int j = 0; j < c->out; j++)
            if (j < inside.first || j >= inside.first + inside.n)
                nn_one_run(q, in, (char *)k, out, row, j, n, 1);
    }
}

/* y = act(correlation of x with k + bias) */
static struct nn_channelwise nn_depthwise_forward(const struct nn_conv_sizes *s, const void *bias,
                                                unsigned flags, size_t bytes, nn_run_fn *run)
{
    const size_t C = (size_t)s->x[2], x_row = (size_t)s->x[1] * C, y_row = (size_t)s->y[1] * C;
    const struct nn_channelwise q = {nn_axis_of(s, 0), nn_axis_of(s, 1), s->x[2], x_row, C, y_row,
                                     C, s->window[1] * (ptrdiff_t)C, (ptrdiff_t)C, bytes,
                                     (size_t)s->x[0] * x_row * bytes,
                                     (size_t)s->y[0] * y_row * bytes, run, bias, flags};
    return q;
}

/* Images from .. to - 1 of dx, the elements that have the same taps together: a correlation of dy
 * with these taps back to front. */
static void nn_depthwise_data_images(const struct nn_conv_sizes *s, const void *dy, const void *k,
                                     void *dx, size_t bytes, nn_run_fn *run, int from, int to)
{
    const struct nn_channelwise whole = nn_depthwise_forward(s, NULL, 0, bytes, run);
    for (int i = 0; i < s->stride[0]; i++)
        for (int j = 0; j < s->stride[1]; j++) {
            struct nn_channelwise q = whole;
            struct nn_taps ty, tx;
            int down, across;
            q.rows = nn_class_of(&whole.rows, i, &ty, &down);
            q.columns = nn_class_of(&whole.columns, j, &tx, &across);
            q.x_row = whole.y_row;
            q.y_row = (size_t)s->stride[0] * whole.x_row;
            q.y_pixel = (size_t)s->stride[1] * whole.x_pixel;
            q.x_image = whole.y_image;
            q.y_image = whole.x_image;
            q.k_row = -down * whole.k_row;
            q.k_tap = -across * whole.k_tap;
            const ptrdiff_t last = (ty.first + (ty.n - 1) * down) * whole.k_row +
                                   (tx.first + (tx.n - 1) * across) * whole.k_tap;
            const size_t first = (size_t)i * whole.x_row + (size_t)j * whole.x_pixel;
            const char *taps = (const char *)k;
            if (ty.n > 0 && tx.n > 0)
                taps += last * (ptrdiff_t)bytes;
            nn_depthwise_rows(&q, dy, taps, (char *)dx + first * bytes, from * q.rows.out,
                              to * q.rows.out);
        }
}

/* dk = sums over all N images, for the channels from .. to - 1 */
static void nn_depthwise_taps(int N, const struct nn_conv_sizes *s, const void *x, const void *dy,
                              void *dk, size_t bytes, nn_run_fn *run, int from, int to)
{
    struct nn_channelwise q = nn_depthwise_forward(s, NULL, 0, bytes, run);
    const size_t first = (size_t)from * bytes, pixel = (size_t)s->x[2] * bytes;
    q.channels = to - from;
    for (int t = 0; t < s->window[0] * s->window[1]; t++)
        memset((char *)dk + (size_t)t * pixel + first, 0, (size_t)q.channels * bytes);
    nn_depthwise_rows(&q, (const char *)x + first, (char *)dk + first, (const char *)dy + first, 0,
                      N * s->y[0]);
}
#endif
