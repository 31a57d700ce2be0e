/* nn_conv_winograd.h - convolutions with 3 x 3 kernels in a quarter of the multiplications, for one
 * pass, in float.
 *
 * In come the arguments of a convolution with stride 1, out go its outputs 4 x 4 at a time, by
 * Winograd's algorithm F(4 x 4, 3 x 3).  Along one axis a tile of 6 inputs d gives 4 outputs
 *     y = A'((G k) (B d)),    y[i] = sum over t of k[t] d[i + t]
 * with 6 multiplications for 12: G k and B d are the values of polynomials at the points 0, a, -a,
 * b, -b and infinity, A' goes back.  Along both axes it is 36 for 144, and with all channels and
 * maps each of the 36 is a matrix product.  With a = 3/4 and b = 3/2 all constants of A and B are
 * exact and of about the same size: errors are twice those of the direct sum, where the usual 1 and
 * 2 make them four times as large.  dk has 3 outputs for kernels of 4 values of dy, at the same
 * points; dx is a convolution of dy with the kernels turned.  A strip of tiles at a time stays
 * near; an output belongs to one tile and has one order of sums whatever the strips are.  Meant to
 * be included inside `#ifdef NN_ISA`, after nn_conv.h. */
#ifdef NN_ISA

#ifndef NN_CONV_WINOGRAD_ONCE
#define NN_CONV_WINOGRAD_ONCE
NN_COMMON
enum {
    NN_TILE_OUT = 4, /* outputs of a tile along an axis */
    NN_TILE_IN = 6,
    NN_TILE_ALL = 36,
    NN_STRIP_PART = 7,  /* tiles of a strip that one thread has at least */
    NN_STRIP_PARTS = 8, /* of a strip, at most: even for 2, 4 and 8 threads */
    NN_MAP_PART = 16,   /* maps at a time where tiles are few: the widest vector */
    NN_GATHERED = 4,    /* channels whose kernels are transposed at once */
    NN_PLANE_GAP = 16   /* floats between planes, which else might evict each other */
};

/* What a tile goes through: B d, A' m, G k of a convolution, and of the gradient of its kernels
 * the G of 4 values and the A' of 3. */
enum { NN_TILE_INPUTS, NN_TILE_OUTPUTS, NN_TILE_KERNELS, NN_TILE_DY, NN_TILE_DK };

/* A convolution y[N] of x[N] in tiles, `all` of them, in strips of at most `parts` parts.  Tap t =
 * 3 p + q of channel c and map o is at t k_tap + c k_channel + o k_map of k, turned: tap 8 - t.
 * u[36][channels][maps] has the kernels transformed; strips[] is for tiles. */
struct nn_winograd {
    struct nn_conv_sizes s;
    int all, parts;
    const float *k;
    size_t k_tap, k_channel, k_map;
    int turned;
    const float *bias;
    unsigned flags;
    float *u, *strips;
};

/* elements of a matrix in one of 36 planes */
static inline size_t nn_tile_plane(int rows, int columns)
{
    return (size_t)rows * (size_t)columns + NN_PLANE_GAP;
}

/* tiles of one image down or across, and of N images */
static inline int nn_tiles_along(const struct nn_conv_sizes *s, int axis)
{
    return (s->y[axis] + NN_TILE_OUT - 1) / NN_TILE_OUT;
}

static inline int nn_tiles_of(int N, const struct nn_conv_sizes *s)
{
    return N * nn_tiles_along(s, 0) * nn_tiles_along(s, 1);
}

static inline int nn_strip_parts(int tiles)
{
    const int parts = (tiles + NN_STRIP_PART - 1) / NN_STRIP_PART;
    return parts < 1 ? 1 : parts < NN_STRIP_PARTS ? parts : (int)NN_STRIP_PARTS;
}

/* elements of the strips for each of that many parts */
static inline size_t nn_strip_elements(const struct nn_conv_sizes *s, int parts)
{
    const size_t tiles = (size_t)(NN_STRIP_PART * parts), both = (size_t)(s->x[2] + s->y[2]);
    return NN_TILE_ALL * tiles * both / (size_t)parts / 16 * 16 + 16 +
           2 * NN_TILE_ALL * NN_PLANE_GAP;
}

/* parts of the maps, the last with what is left */
static inline int nn_map_parts(int maps)
{
    return maps < NN_MAP_PART ? 1 : maps / NN_MAP_PART;
}

/* elements of the kernels, transformed: all, or part after part */
static inline size_t nn_kernel_elements(const struct nn_conv_sizes *s)
{
    return NN_TILE_ALL * (nn_tile_plane(s->x[2], s->y[2]) +
                          (size_t)(nn_map_parts(s->y[2]) - 1) * NN_PLANE_GAP);
}

static inline size_t nn_winograd_elements(int N, const struct nn_conv_sizes *s)
{
    const int parts = nn_strip_parts(nn_tiles_of(N, s));
    return nn_kernel_elements(s) + (size_t)parts * nn_strip_elements(s, parts);
}

/* the elements of n that lie inside when the first is number `at` of `size`, as bits */
static inline unsigned nn_bits_inside(int at, int n, int size)
{
    const int first = at < 0 ? -at : 0, end = size - at < n ? size - at : n;
    return end > first ? (1u << end) - (1u << first) : 0;
}
NN_COMMON_END
#endif

#define nn_points_inputs NN_NAME(nn_points_inputs)
#define nn_points_outputs NN_NAME(nn_points_outputs)
#define nn_points_kernels NN_NAME(nn_points_kernels)
#define nn_points NN_NAME(nn_points)
#define nn_transform NN_NAME(nn_transform)
#define nn_take_tiles NN_NAME(nn_take_tiles)
#define nn_take_inputs NN_NAME(nn_take_inputs)
#define nn_take_dy NN_NAME(nn_take_dy)
#define nn_give_outputs NN_NAME(nn_give_outputs)
#define nn_gather_kernels NN_NAME(nn_gather_kernels)
#define nn_winograd_products NN_NAME(nn_winograd_products)
#define nn_winograd_kernels NN_NAME(nn_winograd_kernels)
#define nn_winograd_inputs NN_NAME(nn_winograd_inputs)
#define nn_winograd_maps NN_NAME(nn_winograd_maps)
#define nn_winograd_strips NN_NAME(nn_winograd_strips)
#define nn_winograd_take NN_NAME(nn_winograd_take)
#define nn_winograd_add NN_NAME(nn_winograd_add)
#define nn_winograd_dk NN_NAME(nn_winograd_dk)

#if NN_LEVEL == 0
#define nn_act_row NN_NAME(nn_act_row)
#define nn_transpose_panel NN_NAME(nn_transpose_panel)

static void nn_act_row(float *c, int n, unsigned flags)
{
    for (int i = 0; i < n; i++)
        c[i] = nn_finish(c[i], flags);
}

/* nothing to transpose: a vector is one float */
static void nn_transpose_panel(float *d, const float *b, size_t ldb, int K, int nv, int tail)
{
    (void)ldb, (void)nv, (void)tail;
    memcpy(d, b, (size_t)K * sizeof *d);
}
#endif

/* all channels i .. i + NN_VL - 1 of n >= NN_VL; the last vector may begin in the one before it */
#define NN_EACH_VECTOR(i, n) \
    for (int i = 0; i < (n); i = i + NN_VL < (n) && i + 2 * NN_VL > (n) ? (n)-NN_VL : i + NN_VL)

/* ---- one axis -------------------------------------------------------------------------------- */

#define NN_POINT_A 0.75f
#define NN_POINT_B 1.5f
#define NN_SQUARE_A (NN_POINT_A * NN_POINT_A)
#define NN_SQUARE_B (NN_POINT_B * NN_POINT_B)

/* B d: coefficients of d at x^i in the products of all x - point but one; r may be d */
NN_INLINE void nn_points_inputs(nn_vf *r, const nn_vf *d)
{
    const nn_vf a2 = nn_vset(-NN_SQUARE_A), b2 = nn_vset(-NN_SQUARE_B);
    const nn_vf both = nn_vset(NN_SQUARE_A * NN_SQUARE_B);
    const nn_vf sum = nn_vset(-NN_SQUARE_A - NN_SQUARE_B);
    const nn_vf even_a = nn_vfma(b2, d[2], d[4]), odd_a = nn_vfma(b2, d[1], d[3]);
    const nn_vf even_b = nn_vfma(a2, d[2], d[4]), odd_b = nn_vfma(a2, d[1], d[3]);
    const nn_vf first = nn_vfma(both, d[0], nn_vfma(sum, d[2], d[4]));
    const nn_vf last = nn_vfma(both, d[1], nn_vfma(sum, d[3], d[5]));
    r[0] = first;
    r[1] = nn_vfma(nn_vset(NN_POINT_A), odd_a, even_a);
    r[2] = nn_vfma(nn_vset(-NN_POINT_A), odd_a, even_a);
    r[3] = nn_vfma(nn_vset(NN_POINT_B), odd_b, even_b);
    r[4] = nn_vfma(nn_vset(-NN_POINT_B), odd_b, even_b);
    r[5] = last;
}

/* A' m, n outputs: y[i] = sum over points p of p^i m; infinity counts in the last */
NN_INLINE void nn_points_outputs(const int n, nn_vf *y, const nn_vf *m)
{
    const nn_vf sum_a = m[1] + m[2], sum_b = m[3] + m[4];
    const nn_vf diff_a = m[1] - m[2], diff_b = m[3] - m[4];
    const nn_vf a2 = nn_vset(NN_SQUARE_A), b2 = nn_vset(NN_SQUARE_B);
    y[0] = m[0] + (sum_a + sum_b);
    y[1] = nn_vfma(nn_vset(NN_POINT_B), diff_b, nn_vset(NN_POINT_A) * diff_a);
    y[2] = nn_vfma(b2, sum_b, a2 * sum_a);
    if (n == 3)
        y[2] += m[5];
    else
        y[3] = nn_vfma(nn_vset(NN_POINT_B * NN_SQUARE_B), diff_b,
                       nn_vfma(nn_vset(NN_POINT_A * NN_SQUARE_A), diff_a, m[5]));
}

/* G k of n values: sum over i of k[i] p^i / the product of p - all other points */
NN_INLINE void nn_points_kernels(const int n, nn_vf *r, const nn_vf *k)
{
    const float over_0 = 1.0f / (NN_SQUARE_A * NN_SQUARE_B);
    const float over_a = 0.5f / (NN_SQUARE_A * (NN_SQUARE_A - NN_SQUARE_B));
    const float over_b = 0.5f / (NN_SQUARE_B * (NN_SQUARE_B - NN_SQUARE_A));
    const nn_vf a2 = nn_vset(NN_SQUARE_A), b2 = nn_vset(NN_SQUARE_B), last = k[n - 1];
    const nn_vf even_a = nn_vfma(a2, k[2], k[0]) * nn_vset(over_a);
    const nn_vf even_b = nn_vfma(b2, k[2], k[0]) * nn_vset(over_b);
    const nn_vf third = n == 4 ? k[3] : nn_vset(0.0f);
    const nn_vf odd_a = nn_vfma(a2, third, k[1]) * nn_vset(NN_POINT_A * over_a);
    const nn_vf odd_b = nn_vfma(b2, third, k[1]) * nn_vset(NN_POINT_B * over_b);
    r[0] = k[0] * nn_vset(over_0);
    r[1] = even_a + odd_a;
    r[2] = even_a - odd_a;
    r[3] = even_b + odd_b;
    r[4] = even_b - odd_b;
    r[5] = last;
}

NN_INLINE void nn_points(const int way, nn_vf *to, const nn_vf *from)
{
    if (way == NN_TILE_INPUTS)
        nn_points_inputs(to, from);
    else if (way == NN_TILE_OUTPUTS || way == NN_TILE_DK)
        nn_points_outputs(way == NN_TILE_DK ? 3 : 4, to, from);
    else
        nn_points_kernels(way == NN_TILE_DY ? 4 : 3, to, from);
}

/* ---- one tile -------------------------------------------------------------------------------- */

/* Element (i, j) of a tile is at i row + j column of x or y, in a vector of channels.  At a border
 * only those exist whose bits are set in `rows` and `columns`, of the image read or written; the
 * others are 0.  Outputs get a bias, and NN_RELU. */
NN_INLINE void nn_transform(const int way, const int border, const float *x, size_t row,
                            size_t column, float *y, size_t to_row, size_t to_column,
                            unsigned rows, unsigned columns, const float *bias, unsigned flags)
{
    static const float zeros[NN_VL] = {0.0f};
    const int in = way == NN_TILE_KERNELS ? 3 : way == NN_TILE_DY ? NN_TILE_OUT : NN_TILE_IN;
    const int out = way == NN_TILE_DK ? 3 : way == NN_TILE_OUTPUTS ? NN_TILE_OUT : NN_TILE_IN;
    nn_vf half[NN_TILE_IN][NN_TILE_IN], line[NN_TILE_IN], end[NN_TILE_IN];
    NN_UNROLL
    for (int i = 0; i < in; i++) {
        NN_UNROLL
        for (int j = 0; j < in; j++) {
            const float *from = x + (size_t)i * row + (size_t)j * column;
            if (border && way != NN_TILE_OUTPUTS)
                from = rows >> i & columns >> j & 1 ? from : zeros;
            line[j] = nn_vload(from);
        }
        nn_points(way, half[i], line);
    }
    const nn_vf more = flags & NN_BIAS ? nn_vload(bias) : nn_vset(0.0f);
    NN_UNROLL
    for (int j = 0; j < out; j++) {
        NN_UNROLL
        for (int i = 0; i < in; i++)
            line[i] = half[i][j];
        nn_points(way, end, line);
        NN_UNROLL
        for (int i = 0; i < out; i++) {
            if (way == NN_TILE_OUTPUTS) {
                if (border && !(rows >> i & columns >> j & 1))
                    continue;
                end[i] += more;
                if (flags & NN_RELU)
                    end[i] = nn_vrelu(end[i]);
            }
            nn_vstore(y + (size_t)i * to_row + (size_t)j * to_column, end[i]);
        }
    }
}

/* ---- strips of tiles ------------------------------------------------------------------------- */

/* v[to - from][channels], in each of 36 planes, = the tiles from .. to - 1 of images of `size`
 * rows, columns and channels, transformed; the first of them lies `pad` before the image. */
NN_INLINE void nn_take_tiles(const int way, const struct nn_winograd *w, const float *x,
                             const int *size, const int *pad, float *v, size_t plane, int from,
                             int to)
{
    const int across = nn_tiles_along(&w->s, 1), image = nn_tiles_along(&w->s, 0) * across;
    const int n = way == NN_TILE_DY ? NN_TILE_OUT : NN_TILE_IN;
    const size_t C = (size_t)size[2], row = (size_t)size[1] * C;
    for (int t = from; t < to; t++, v += C) {
        const int i = t % image / across * NN_TILE_OUT - pad[0];
        const int j = t % across * NN_TILE_OUT - pad[1];
        const unsigned rows = nn_bits_inside(i, n, size[0]);
        const unsigned columns = nn_bits_inside(j, n, size[1]);
        const int inside = rows == (1u << n) - 1 && columns == (1u << n) - 1;
        const float *at = x + (ptrdiff_t)(t / image) * size[0] * (ptrdiff_t)row +
                          i * (ptrdiff_t)row + j * (ptrdiff_t)C;
        NN_EACH_VECTOR(c, size[2]) {
            if (inside)
                nn_transform(way, 0, at + c, row, C, v + c, NN_TILE_IN * plane, plane, rows,
                             columns, NULL, 0);
            else
                nn_transform(way, 1, at + c, row, C, v + c, NN_TILE_IN * plane, plane, rows,
                             columns, NULL, 0);
        }
    }
}

NN_NOINLINE void nn_take_inputs(const struct nn_winograd *w, const float *x, float *v, size_t plane,
                                int from, int to)
{
    nn_take_tiles(NN_TILE_INPUTS, w, x, w->s.x, w->s.pad, v, plane, from, to);
}

NN_NOINLINE void nn_take_dy(const struct nn_winograd *w, const float *dy, float *v, size_t plane,
                            int from, int to)
{
    static const int none[2] = {0, 0};
    nn_take_tiles(NN_TILE_DY, w, dy, w->s.y, none, v, plane, from, to);
}

/* The maps first .. end - 1 of y, of the tiles from .. to - 1, out of their products
 * m[36][to - from][maps] */
NN_NOINLINE void nn_give_outputs(const struct nn_winograd *w, const float *m, float *y, int from,
                                 int to, int first, int end)
{
    const int across = nn_tiles_along(&w->s, 1), image = nn_tiles_along(&w->s, 0) * across;
    const int O = w->s.y[2], n = NN_TILE_OUT;
    const size_t row = (size_t)w->s.y[1] * (size_t)O, plane = nn_tile_plane(to - from, O);
    const float *bias = w->flags & NN_BIAS ? w->bias + first : NULL;
    m += first;
    for (int t = from; t < to; t++, m += O) {
        const int i = t % image / across * n, j = t % across * n;
        const unsigned rows = nn_bits_inside(i, n, w->s.y[0]);
        const unsigned columns = nn_bits_inside(j, n, w->s.y[1]);
        float *at = y + ((size_t)(t / image) * (size_t)w->s.y[0] + (size_t)i) * row +
                    (size_t)j * (size_t)O + first;
        NN_EACH_VECTOR(o, end - first)
            nn_transform(NN_TILE_OUTPUTS, 1, m + o, NN_TILE_IN * plane, plane, at + o, row,
                         (size_t)O, rows, columns, bias ? bias + o : NULL, w->flags);
        for (int p = 0; p < n * n && w->flags & (NN_TANH | NN_SIGMOID); p++)
            if (rows >> p / n & columns >> p % n & 1)
                nn_act_row(at + (size_t)(p / n) * row + (size_t)(p % n) * (size_t)O, end - first,
                           w->flags);
    }
}

/* Of m[36][n][maps] the maps first .. end - 1 = v[36][n][channels] u[36][channels][those maps] */
static void nn_winograd_products(const struct nn_winograd *w, int n, const float *v, const float *u,
                                 float *m, int first, int end)
{
    const int C = w->s.x[2], O = w->s.y[2], maps = end - first;
    const size_t in = nn_tile_plane(n, C), out = nn_tile_plane(n, O);
    const size_t both = nn_tile_plane(C, maps);
    for (size_t p = 0; p < NN_TILE_ALL; p++)
        nn_product(n, maps, C, v + p * in, (size_t)C, u + p * both, (size_t)maps,
                   m + p * out + first, (size_t)O, NULL, 0, NULL);
}

/* The outputs of the tiles of parts first .. end - 1, a strip after another */
static void nn_winograd_strips(const struct nn_winograd *w, const float *x, float *y, int first,
                               int end)
{
    const int O = w->s.y[2], most = NN_STRIP_PART * (end - first);
    const int begin = NN_PART(w->all, first, w->parts);
    const int tiles = NN_PART(w->all, end, w->parts) - begin;
    const int strips = (tiles + most - 1) / most;
    float *v = w->strips + (size_t)first * nn_strip_elements(&w->s, w->parts);
    for (int i = 0; i < strips; i++) {
        const int from = begin + NN_PART(tiles, i, strips);
        const int to = begin + NN_PART(tiles, i + 1, strips);
        const size_t in = nn_tile_plane(to - from, w->s.x[2]);
        float *m = v + NN_TILE_ALL * in;
        nn_take_inputs(w, x, v, in, from, to);
        nn_winograd_products(w, to - from, v, w->u, m, 0, O);
        nn_give_outputs(w, m, y, from, to, 0, O);
    }
}

/* ---- kernels --------------------------------------------------------------------------------- */

/* taps[n][9][a vector] = the kernels of the channels c .. c + n - 1 for the maps from o on. Those
 * of a map lie one behind the other; turned, those of a channel do. */
NN_INLINE void nn_gather_kernels(const struct nn_winograd *w, float *taps, int c, int n, int o)
{
    const float *k = w->k + (size_t)c * w->k_channel + (size_t)o * w->k_map;
    float turned[9 * NN_VL];
    if (!w->turned) {
        nn_transpose_panel(taps, k, w->k_map, 9 * n, 1, NN_VL);
        return;
    }
    for (int i = 0; i < n; i++, k += w->k_channel, taps += 9 * NN_VL) {
        nn_transpose_panel(turned, k, w->k_map, 9, 1, NN_VL);
        for (int t = 0; t < 9; t++)
            nn_vstore(taps + t * NN_VL, nn_vload(turned + (8 - t) * NN_VL));
    }
}

/* u[36][channels][maps first .. end - 1] of the channels from .. to - 1 */
static void nn_winograd_kernels(const struct nn_winograd *w, float *u, int from, int to, int first,
                                int end)
{
    const int maps = end - first, copies = w->k_map != 1 || w->turned;
    const size_t plane = nn_tile_plane(w->s.x[2], maps), tap = copies ? NN_VL : w->k_tap;
    float taps[9 * NN_VL * NN_GATHERED];
    NN_EACH_VECTOR(o, maps)
        for (int c = from, n; c < to; c += n) {
            const float *k = w->k + (size_t)c * w->k_channel + (size_t)(first + o);
            n = to - c < NN_GATHERED ? to - c : NN_GATHERED;
            if (copies)
                nn_gather_kernels(w, taps, c, n, first + o);
            for (int i = 0; i < n; i++)
                nn_transform(NN_TILE_KERNELS, 0,
                             copies ? taps + 9 * NN_VL * i : k + (size_t)i * w->k_channel, 3 * tap,
                             tap, u + (size_t)(c + i) * (size_t)maps + o, NN_TILE_IN * plane, plane,
                             0, 0, NULL, 0);
        }
}

/* ---- few tiles ------------------------------------------------------------------------------- */

/* Of all tiles as one strip: the inputs from .. to - 1, for all threads; */
static void nn_winograd_inputs(const struct nn_winograd *w, const float *x, int from, int to)
{
    const size_t in = nn_tile_plane(w->all, w->s.x[2]);
    nn_take_inputs(w, x, w->strips + (size_t)from * (size_t)w->s.x[2], in, from, to);
}

/* and all that is to do for the parts from .. to - 1 of the maps. The kernels of a part, which few
 * tiles hardly use again, are soon used, and the next take their place in the near cache. */
static void nn_winograd_maps(const struct nn_winograd *w, float *y, int from, int to)
{
    const int C = w->s.x[2], O = w->s.y[2];
    const float *v = w->strips;
    float *m = w->strips + NN_TILE_ALL * nn_tile_plane(w->all, C);
    float *u = w->u + (size_t)from * NN_TILE_ALL * nn_tile_plane(C, NN_MAP_PART);
    for (int part = from; part < to; part++) {
        const int first = part * NN_MAP_PART;
        const int end = part + 1 < nn_map_parts(O) ? first + NN_MAP_PART : O;
        nn_winograd_kernels(w, u, 0, C, first, end);
        nn_winograd_products(w, w->all, v, u, m, first, end);
        nn_give_outputs(w, m, y, 0, w->all, first, end);
    }
}

/* ---- the gradient of the kernels ------------------------------------------------------------- */

/* Of a strip of n tiles, the first of them number `first`, the tiles from .. to - 1: those of x and
 * behind them those of dy. */
static void nn_winograd_take(const struct nn_winograd *w, const float *x, const float *dy,
                             int first, int n, int from, int to)
{
    const int C = w->s.x[2], O = w->s.y[2];
    const size_t in = nn_tile_plane(n, C), out = nn_tile_plane(n, O);
    float *v = w->strips, *d = v + NN_TILE_ALL * in;
    nn_take_inputs(w, x, v + (size_t)from * (size_t)C, in, first + from, first + to);
    nn_take_dy(w, dy, d + (size_t)from * (size_t)O, out, first + from, first + to);
}

/* The planes from .. to - 1 of u[36][channels][maps] += sums over the tiles of that strip */
static void nn_winograd_add(const struct nn_winograd *w, int first, int n, int from, int to)
{
    const int C = w->s.x[2], O = w->s.y[2];
    const size_t in = nn_tile_plane(n, C), out = nn_tile_plane(n, O), both = nn_tile_plane(C, O);
    const float *v = w->strips, *d = v + NN_TILE_ALL * in;
    for (size_t p = (size_t)from; p < (size_t)to; p++)
        nn_product_tn(C, O, n, v + p * in, (size_t)C, d + p * out, (size_t)O, w->u + p * both,
                      (size_t)O, NULL, first ? NN_ACC : 0, NULL);
}

/* dk[maps][channels][3][3] of the sums of the channels from .. to - 1 */
static void nn_winograd_dk(const struct nn_winograd *w, float *dk, int from, int to)
{
    const int C = w->s.x[2], O = w->s.y[2];
    const size_t plane = nn_tile_plane(C, O);
    float taps[9 * NN_VL];
    NN_EACH_VECTOR(o, O)
        for (int c = from; c < to; c++) {
            float *k = dk + ((size_t)o * (size_t)C + (size_t)c) * 9;
            nn_transform(NN_TILE_DK, 0, w->u + (size_t)c * (size_t)O + o, NN_TILE_IN * plane,
                         plane, taps, 3 * NN_VL, NN_VL, 0, 0, NULL, 0);
            for (int i = 0; i < NN_VL; i++, k += (size_t)C * 9)
                for (int t = 0; t < 9; t++)
                    k[t] = taps[t * NN_VL + i];
        }
}
#endif
