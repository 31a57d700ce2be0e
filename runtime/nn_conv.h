/* nn_conv.h - convolutions without windows, for one pass, in float and double.
 *
 * In come images [N][rows][columns][channels] and kernels [maps][channels][P][Q], out goes the
 * convolution.  With the channels innermost, the taps of one row of the window lie one after
 * another in the image, and those of the next pixel a fixed distance on: a strip of pixels is P
 * products whose rows overlap, added up in the registers of one tile.  Only the kernel is copied,
 * in the order in which the products read it.  Around the image there are zeros that nobody
 * stores: pixels with the same taps inside the image make a strip.  Where few maps would leave
 * lanes empty, several pixels share a vector.  Meant to be included inside `#ifdef NN_ISA`, after
 * nn_gemm.h and nn_gemm_d.h. */
#ifdef NN_ISA

#ifndef NN_CONV_ONCE
#define NN_CONV_ONCE
NN_COMMON
/* One axis of a convolution: tap t of output i reads the input at stride i - pad + dilation t. */
struct nn_axis {
    int in, out, taps, stride, pad, dilation;
};

/* Products C[M][N] (+)= sum over t, k of A[i ras + k cas + t aos] B[k ldb + j + t bos], `times` of
 * them with the same B, a_step and c_step apart in A and C */
struct nn_strip {
    int M, N, K, blocks;
    size_t ras, cas, aos, ldb, bos, ldc;
    const void *bias;
    unsigned flags;
    int times;
    size_t a_step, c_step;
};
typedef void nn_strip_fn(const struct nn_strip *s, const void *a, const void *b, void *c);

/* A convolution of images [H][W][channels], in_image bytes apart, with w[P][Q][channels][maps] to
 * rows and pixels that lie c_row and c_pixel apart; sizes in elements of `bytes` bytes.  Where
 * `pixels` are more than one, so many pixels are one, with the kernel `wide`. */
struct nn_correlation {
    struct nn_axis rows, columns;
    int channels, maps;
    size_t c_row, c_pixel, bytes, in_image, out_image;
    nn_strip_fn *strip;
    const char *w, *bias;
    unsigned flags;
    int pixels;
    const char *wide, *wide_bias;
};

/* taps, or outputs, in a row */
struct nn_taps {
    int first, n;
};

static inline struct nn_taps nn_taps_from(int first, int n)
{
    const struct nn_taps taps = {first, n};
    return taps;
}

enum { NN_SHARED_LANES = 32 }; /* maps of all pixels in a vector, at most */

static inline struct nn_axis nn_axis_of(const struct nn_conv_sizes *s, int i)
{
    const struct nn_axis axis = {s->x[i],      s->y[i],   s->window[i],
                                 s->stride[i], s->pad[i], s->dilation[i]};
    return axis;
}

/* the sizes of a correlation as those of a convolution */
static inline struct nn_conv_sizes nn_sizes_of(const struct nn_correlation *q)
{
    const struct nn_axis *r = &q->rows, *c = &q->columns;
    const struct nn_conv_sizes sizes = {{r->in, c->in, q->channels}, {r->out, c->out, q->maps},
                                        {r->taps, c->taps},          {r->stride, c->stride},
                                        {r->pad, c->pad},            {r->dilation, c->dilation}};
    return sizes;
}

/* elements of all kernels */
static inline size_t nn_conv_elements(const struct nn_conv_sizes *s)
{
    return (size_t)s->x[2] * (size_t)s->y[2] * (size_t)s->window[0] * (size_t)s->window[1];
}

/* the taps of a row of p pixels that share their vectors */
static inline int nn_wide_taps(const struct nn_conv_sizes *s, int p)
{
    return s->window[1] + (p - 1) * s->stride[1];
}

static inline size_t nn_wide_elements(const struct nn_conv_sizes *s, int p)
{
    return (size_t)s->window[0] * (size_t)nn_wide_taps(s, p) * (size_t)s->x[2] *
           (size_t)(p * s->y[2]);
}

/* Does it take fewer operations when p pixels share their vectors of so many lanes? */
static inline int nn_saves_lanes(const struct nn_conv_sizes *s, int p, int lanes)
{
    const int O = s->y[2], one = (O + lanes - 1) / lanes, all = (p * O + lanes - 1) / lanes;
    return s->dilation[1] == 1 && p * O <= NN_SHARED_LANES &&
           (int64_t)all * nn_wide_taps(s, p) < (int64_t)p * one * s->window[1];
}

/* Time of a strip in multiply-adds of vectors.  A tile of fewer than four waits for its sums. */
static inline double nn_strip_cost(int M, int N, double K, int lanes)
{
    const double tile = (double)M * ((N + lanes - 1) / lanes);
    return M > 0 && N > 0 ? K * (tile < 4 ? 4 : tile) + 32 : 0;
}

/* How many of m pixels share their vectors; turned: pixels are summed over. */
static inline int nn_pixels_of(const struct nn_conv_sizes *s, int m, int lanes, int turned)
{
    const int O = s->y[2], C = s->x[2], P = s->window[0];
    double least = 0;
    int best = 1;
    for (int p = 1; p <= m && (p == 1 || p * O <= NN_SHARED_LANES); p++) {
        const int taps = nn_wide_taps(s, p) * C, narrow = s->window[1] * C;
        if (p > 1 && !nn_saves_lanes(s, p, lanes))
            continue;
        const double cost = turned ? P * (nn_strip_cost(taps, p * O, m / p, lanes) +
                                          nn_strip_cost(narrow, O, m % p, lanes))
                                   : nn_strip_cost(m / p, p * O, (double)taps * P, lanes) +
                                         nn_strip_cost(m % p, O, (double)narrow * P, lanes);
        if (p == 1 || cost < least) {
            least = cost;
            best = p;
        }
    }
    return best;
}
NN_COMMON_END
#endif

#define nn_strip_f NN_NAME(nn_strip_f)
#define nn_strip_of_doubles NN_NAME(nn_strip_of_doubles)
#define nn_taps_at NN_NAME(nn_taps_at)
#define nn_inside NN_NAME(nn_inside)
#define nn_correlate_strip NN_NAME(nn_correlate_strip)
#define nn_correlate_inside NN_NAME(nn_correlate_inside)
#define nn_correlate NN_NAME(nn_correlate)
#define nn_correlate_rows NN_NAME(nn_correlate_rows)
#define nn_copy_one NN_NAME(nn_copy_one)
#define nn_gather NN_NAME(nn_gather)
#define nn_pack_forward NN_NAME(nn_pack_forward)
#define nn_pack_wide NN_NAME(nn_pack_wide)
#define nn_conv_forward NN_NAME(nn_conv_forward)

/* ---- strips -------------------------------------------------------------------------------- */

static void nn_strip_f(const struct nn_strip *s, const void *a, const void *b, void *c)
{
    const float *A = (const float *)a, *B = (const float *)b, *bias = (const float *)s->bias;
    float *C = (float *)c;
    if (s->M <= 0 || s->N <= 0)
        return;
    for (int i = 0; i < s->times; i++, A += s->a_step, C += s->c_step) {
#if NN_LEVEL > 0
        struct nn_panel p = {s->ras,   s->cas,    s->ldb, s->ldc, s->K, 0, bias,
                             s->flags, s->blocks, s->aos, s->bos, 0, 0};
        if (!nn_one_panel(&p, s->M, s->N, A, B, C))
            nn_columns(&p, s->M, s->N, A, B, s->ldb, C, bias);
#else
        const int n = s->K > 0 && s->blocks > 0 ? s->blocks : 1;
        for (int t = 0; t < n; t++)
            nn_plain(s->M, s->N, s->blocks ? s->K : 0, A + (size_t)t * s->aos, s->ras, s->cas,
                     B + (size_t)t * s->bos, s->ldb, 1, C, s->ldc, bias,
                     nn_block_flags(s->flags, t == 0, t + 1 == n));
#endif
    }
}

static void nn_strip_of_doubles(const struct nn_strip *s, const void *a, const void *b, void *c)
{
    const double *A = (const double *)a, *B = (const double *)b;
    const int n = s->K > 0 && s->blocks > 0 ? s->blocks : 1;
    for (int i = 0; i < s->times; i++)
        for (int t = 0; t < n; t++)
            nn_product_d(s->M, s->N, s->blocks ? s->K : 0,
                         A + (size_t)i * s->a_step + (size_t)t * s->aos, s->ras, s->cas,
                         B + (size_t)t * s->bos, s->ldb, (double *)c + (size_t)i * s->c_step,
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
    return nn_taps_from(first, end > first ? end - first : 0);
}

/* the outputs whose taps are all inside the input */
static struct nn_taps nn_inside(const struct nn_axis *x)
{
    int first = 0, end = x->out;
    while (first < end && nn_taps_at(x, first).n < x->taps)
        first++;
    while (end > first && nn_taps_at(x, end - 1).n < x->taps)
        end--;
    return nn_taps_from(first, end - first);
}

/* Outputs from (y, x) on, with the same taps: M in a row, `times` such rows; or down a column. */
static void nn_correlate_strip(const struct nn_correlation *q, const char *in, char *out, int y,
                               int x, int M, int times, int down)
{
    const struct nn_axis *r = &q->rows, *c = &q->columns;
    const struct nn_taps ty = nn_taps_at(r, y), tx = nn_taps_at(c, x);
    const size_t C = (size_t)q->channels, O = (size_t)q->maps, row = (size_t)c->in * C;
    const int pieces = c->dilation == 1 || tx.n == 0 ? 1 : tx.n;
    const char *w = q->w;
    struct nn_strip s = {M, q->maps, tx.n / pieces * q->channels, ty.n, 0, 1, 0, O, 0, 0,
                         q->bias, q->flags, times, (size_t)r->stride * row, q->c_row};
    s.ras = down ? (size_t)r->stride * row : (size_t)c->stride * C;
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

/* n pixels from x on in `times` rows, with all taps inside the columns */
static void nn_correlate_inside(const struct nn_correlation *q, const char *in, char *out, int y,
                                int x, int n, int times)
{
    const struct nn_axis *c = &q->columns;
    const int p = q->pixels, shared = p > 1 ? n / p : 0;
    if (shared > 0) {
        struct nn_correlation wide = *q;
        const struct nn_axis columns = {c->in,         shared,
                                        c->taps + (p - 1) * c->stride,
                                        p * c->stride, c->pad - x * c->stride, 1};
        wide.columns = columns;
        wide.maps *= p;
        wide.c_pixel *= (size_t)p;
        wide.w = q->wide;
        wide.bias = q->wide_bias;
        nn_correlate_strip(&wide, in, out + (size_t)x * q->c_pixel * q->bytes, y, 0, shared, times,
                           0);
    }
    if (n > shared * p)
        nn_correlate_strip(q, in, out, y, x + shared * p, n - shared * p, times, 0);
}

/* Rows from .. to - 1, those with the same taps together: the pixels whose taps are all inside, row
 * by row; the others column by column. */
static void nn_correlate(const struct nn_correlation *q, const char *in, char *out, int from,
                         int to)
{
    const struct nn_axis *r = &q->rows, *c = &q->columns;
    const struct nn_taps inside = nn_inside(c);
    for (int y = from, n; y < to; y += n) {
        const struct nn_taps t = nn_taps_at(r, y);
        for (n = 1; y + n < to; n++) {
            const struct nn_taps next = nn_taps_at(r, y + n);
            if (next.first != t.first || next.n != t.n)
                break;
        }
        nn_correlate_inside(q, in, out, y, inside.first, inside.n, n);
        for (int x = 0; x < c->out; x++)
            if (x < inside.first || x >= inside.first + inside.n)
                nn_correlate_strip(q, in, out, y, x, n, 1, 1);
    }
}

/* rows from .. to - 1 of all images */
static void nn_correlate_rows(const struct nn_correlation *q, const void *in, void *out, int from,
                              int to)
{
    const int rows = q->rows.out;
    for (int i = from, n; i < to; i += n) {
        const int y = i % rows;
        n = to - i < rows - y ? to - i : rows - y;
        nn_correlate(q, (const char *)in + (size_t)(i / rows) * q->in_image,
                     (char *)out + (size_t)(i / rows) * q->out_image, y, y + n);
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

/* n elements that lie `step` apart; in groups of 16 without a loop */
NN_INLINE void nn_gather(char *to, const char *from, size_t n, size_t step, size_t bytes)
{
    if (n == 16 && bytes == sizeof(float)) {
        float v[16];
        for (int i = 0; i < 16; i++)
            memcpy(&v[i], from + (size_t)i * step, sizeof v[i]);
        memcpy(to, v, sizeof v);
    } else
        for (size_t i = 0; i < n; i++)
            nn_copy_one(to + i * bytes, from + i * step, bytes);
}

/* w[P][Q][C][O] = k[O][C][P][Q], of 16 maps after another, whose kernels the cache holds */
static void nn_pack_forward(const struct nn_conv_sizes *s, const char *k, char *w, size_t bytes)
{
    const size_t O = (size_t)s->y[2], C = (size_t)s->x[2];
    const size_t taps = (size_t)s->window[0] * (size_t)s->window[1];
    for (size_t o = 0; o < O; o += 16)
        for (size_t c = 0; c < C; c++)
            for (size_t t = 0; t < taps; t++)
                nn_gather(w + ((t * C + c) * O + o) * bytes, k + ((o * C + c) * taps + t) * bytes,
                          O - o < 16 ? O - o : 16, C * taps * bytes, bytes);
}

/* wide[P][Q + (p - 1) stride][C][p][O] = w[P][Q][C][O], moved by the stride for each pixel */
static void nn_pack_wide(const struct nn_conv_sizes *s, const char *w, char *wide, int p,
                         size_t bytes)
{
    const int taps = nn_wide_taps(s, p), Q = s->window[1], C = s->x[2];
    const size_t maps = (size_t)s->y[2] * bytes;
    memset(wide, 0, nn_wide_elements(s, p) * bytes);
    for (int r = 0; r < s->window[0]; r++)
        for (int j = 0; j < p; j++)
            for (int q = 0; q < Q; q++)
                for (int c = 0; c < C; c++)
                    memcpy(wide + (size_t)(((r * taps + q + j * s->stride[1]) * C + c) * p + j) *
                                      maps,
                           w + (size_t)((r * Q + q) * C + c) * maps, maps);
}

/* ---- forward --------------------------------------------------------------------------------- */

/* y[N][y rows][y columns][O] = act(correlation of x with k + bias), up to the choice of rows */
static struct nn_correlation nn_conv_forward(const struct nn_conv_sizes *s, const void *k,
                                             const void *bias, unsigned flags, void *ws,
                                             size_t bytes, nn_strip_fn *strip)
{
    const size_t pixel = (size_t)s->y[2], row = (size_t)s->y[1] * pixel;
    const int lanes = bytes == sizeof(float) ? NN_VB / 4 : 1;
    struct nn_correlation q = {nn_axis_of(s, 0), nn_axis_of(s, 1), s->x[2], s->y[2], row, pixel,
                               bytes, (size_t)s->x[0] * (size_t)s->x[1] * (size_t)s->x[2] * bytes,
                               (size_t)s->y[0] * row * bytes, strip, (const char *)k,
                               (const char *)bias, flags & ~(unsigned)NN_PACKED, 1, NULL, NULL};
    char *wide = (char *)ws;
    if (!(flags & NN_PACKED)) {
        nn_pack_forward(s, (const char *)k, (char *)ws, bytes);
        q.w = (const char *)ws;
        wide += nn_conv_elements(s) * bytes;
    }
    q.pixels = nn_pixels_of(s, nn_inside(&q.columns).n, lanes, 0);
    if (q.pixels > 1) {
        char *biases = wide + nn_wide_elements(s, q.pixels) * bytes;
        nn_pack_wide(s, q.w, wide, q.pixels, bytes);
        for (int j = 0; j < q.pixels && flags & NN_BIAS; j++)
            memcpy(biases + (size_t)j * pixel * bytes, bias, pixel * bytes);
        q.wide = wide;
        q.wide_bias = biases;
    }
    return q;
}
#endif
