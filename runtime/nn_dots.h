/* nn_dots.h - products as scalar products of rows, for one pass.
 *
 * In come the operands of nn_gemm_nt, out goes C[M][N] = A[M][K] B[N][K]', without a transposed
 * copy of B: every element is summed along k in 16 lanes, which are added in the tree of
 * nn_reduce.h.  A tile is as many elements as a vector has lanes, so that their lanes are added
 * together.  Empty at level 0.  Meant to be included inside `#ifdef NN_ISA`, after nn_tile.h. */
#if defined NN_ISA && NN_LEVEL > 0

#define nn_dot_lanes NN_NAME(nn_dot_lanes)
#define nn_dot_tile NN_NAME(nn_dot_tile)
#define nn_dot_tile_of NN_NAME(nn_dot_tile_of)
#define nn_dot_block NN_NAME(nn_dot_block)
#define nn_dot_columns NN_NAME(nn_dot_columns)
#define nn_dots NN_NAME(nn_dots)

/* The rows and columns of the usual tile; room for its elements, in whole vectors; the parts of 16
 * lanes that are summed at once, as the registers allow: all for one row, which reads B once. */
#undef NN_DOT_ROWS
#undef NN_DOT_COLUMNS
#undef NN_DOT_PARTS
#undef NN_DOT_MOST
#if NN_VB == 64
#define NN_DOT_ROWS 4
#define NN_DOT_COLUMNS 4
#define NN_DOT_MOST 16
#elif NN_VB == 32
#define NN_DOT_ROWS 3
#define NN_DOT_COLUMNS 4
#define NN_DOT_MOST 16
#else
#define NN_DOT_ROWS 2
#define NN_DOT_COLUMNS 2
#define NN_DOT_MOST 4
#endif
#define NN_DOT_PARTS(mr) (NN_VB == 32 && (mr) == 1 ? 2 : NN_REGISTERS / (2 * NN_VL))

#ifndef NN_DOTS_ONCE
#define NN_DOTS_ONCE
/* gcc would load a vector again for every use */
#if defined __x86_64__ && !defined __clang__
#define NN_IN_REGISTER(v) __asm__("" : "+v"(v))
#else
#define NN_IN_REGISTER(v) (void)0
#endif

/* what all tiles of a product share */
struct nn_dot_sizes {
    int K;
    size_t lda, ldb, ldc;
    unsigned flags;
};
enum { NN_DOT_BLOCK = 1 << 17 }; /* elements of B that are used again before the next ones come */
typedef void nn_dot_fn(const struct nn_dot_sizes *s, const float *a, const float *b, float *c,
                       const float *bias, int row, int column);
#endif

/* acc[q][i nr + j], lanes q NN_VL and on: the sums for row i of A and row j of B */
NN_INLINE void nn_dot_lanes(const int mr, const int nr, const struct nn_dot_sizes *s,
                            const float *a, const float *b, int K, nn_vf acc[][NN_DOT_MOST])
{
    const int parts = NN_DOT_PARTS(mr);
    const size_t lda = s->lda, ldb = s->ldb;
    nn_vf sum[NN_VPARTS][NN_DOT_MOST];
    NN_UNROLL
    for (int q = 0; q < parts; q++)
        NN_UNROLL
        for (int i = 0; i < NN_DOT_MOST; i++)
            sum[q][i] = nn_vset(0.0f);
    /* one pointer for four rows, as in nn_tile */
    const float *a4[4] = {a, a, a, a}, *b4[4] = {b, b, b, b};
    NN_UNROLL
    for (int i = 1; i < 4; i++) {
        if (mr > 4 * i)
            a4[i] += 4 * (size_t)i * lda;
        if (nr > 4 * i)
            b4[i] += 4 * (size_t)i * ldb;
    }
#define NN_DOT_STEP(LOAD)                                                                    \
    NN_UNROLL                                                                                \
    for (int q = 0; q < parts; q++) {                                                 \
        nn_vf x[NN_VL];                                                                      \
        NN_UNROLL                                                                            \
        for (int i = 0; i < mr; i++)                                                         \
            x[i] = LOAD(a4[i / 4] + (size_t)(i % 4) * lda + q * NN_VL, q);                   \
        NN_UNROLL                                                                            \
        for (int j = 0; j < nr; j++) {                                                       \
            nn_vf y = LOAD(b4[j / 4] + (size_t)(j % 4) * ldb + q * NN_VL, q);                \
            if (mr > 1)                                                                      \
                NN_IN_REGISTER(y);                                                           \
            NN_UNROLL                                                                        \
            for (int i = 0; i < mr; i++)                                                     \
                sum[q][i * nr + j] = nn_vfma(x[i], y, sum[q][i * nr + j]);                   \
        }                                                                                    \
    }
#define NN_DOT_FULL(p, q) nn_vload(p)
#define NN_DOT_SOME(p, q) nn_vload_some(p, nn_vtail(K - (q) * NN_VL))
    NN_NO_UNROLL
    for (; K >= parts * NN_VL; K -= 16) {
        NN_DOT_STEP(NN_DOT_FULL)
        NN_UNROLL
        for (int i = 0; i < 4; i++) {
            a4[i] += 16;
            b4[i] += 16;
        }
    }
    if (K > 0) {
        NN_DOT_STEP(NN_DOT_SOME)
    }
#undef NN_DOT_STEP
#undef NN_DOT_FULL
#undef NN_DOT_SOME
    NN_UNROLL
    for (int q = 0; q < parts; q++)
        NN_UNROLL
        for (int i = 0; i < NN_DOT_MOST; i++)
            acc[q][i] = sum[q][i];
}

/* C[mr][nr] = rows of A times rows of B; mr and nr are literals, mr nr <= NN_DOT_MOST.  Rows and
 * columns before `row` and `column` are left as they are: tiles at an edge overlap others. */
NN_INLINE void nn_dot_tile(const int mr, const int nr, const struct nn_dot_sizes *s,
                           const float *a, const float *b, float *c, const float *bias, int row,
                           int column)
{
    nn_vf lanes[NN_VPARTS][NN_DOT_MOST];
    float t[NN_DOT_MOST] = {0.0f};
    for (int q = 0; q < NN_VPARTS; q += NN_DOT_PARTS(mr))
        nn_dot_lanes(mr, nr, s, a + q * NN_VL, b + q * NN_VL, s->K - q * NN_VL, lanes + q);
    NN_UNROLL
    for (int i = 0; i < NN_DOT_MOST; i++)
        lanes[0][i] = nn_vjoin(&lanes[0][i], NN_DOT_MOST);
    nn_vf y[NN_DOT_MOST / NN_VL];
#define NN_DOT_EACH                                 \
    NN_UNROLL                                       \
    for (int v = 0; v < (mr * nr + NN_VL - 1) / NN_VL; v++)
#define NN_DOT_ROW(to, from)     \
    NN_UNROLL                    \
    for (int i = 0; i < mr; i++) \
        memcpy(to, from, (size_t)nr * sizeof *t)
    NN_DOT_EACH
        y[v] = nn_vfolds(lanes[0] + v * NN_VL);
    if (s->flags & NN_ACC) {
        NN_DOT_ROW(t + i * nr, c + (size_t)i * s->ldc);
        NN_DOT_EACH
            y[v] += nn_vload(t + v * NN_VL);
    }
    if (s->flags & NN_BIAS) {
        NN_DOT_ROW(t + i * nr, bias);
        NN_DOT_EACH
            y[v] += nn_vload(t + v * NN_VL);
    }
    NN_DOT_EACH
        nn_vstore(t + v * NN_VL, s->flags & NN_RELU ? nn_vrelu(y[v]) : y[v]);
    if (row == 0 && column == 0) {
        NN_DOT_ROW(c + (size_t)i * s->ldc, t + i * nr);
    } else {
        NN_NO_UNROLL
        for (int i = row; i < mr; i++)
            memcpy(c + (size_t)i * s->ldc + column, t + i * nr + column,
                   (size_t)(nr - column) * sizeof *t);
    }
#undef NN_DOT_ROW
#undef NN_DOT_EACH
}

/* The tiles there are: of the usual shape, of fewer rows, of few columns, and what is left. */
#if NN_VB == 64
#define NN_DOT_TILES(T) T(4, 4) T(3, 5) T(2, 8) T(1, 16) T(8, 2) T(16, 1) T(1, 4) T(1, 1)
#elif NN_VB == 32
#define NN_DOT_TILES(T) T(3, 4) T(4, 2) T(2, 4) T(8, 1) T(1, 4) T(1, 1)
#else
#define NN_DOT_TILES(T) T(2, 2) T(1, 4) T(4, 1) T(1, 1)
#endif
#define NN_DOT_TILE(mr, nr) NN_NAME(nn_dot_tile_##mr##_##nr)
#define NN_DEFINE(mr, nr)                                                              \
    NN_NOINLINE void NN_DOT_TILE(mr, nr)(const struct nn_dot_sizes *s, const float *a, \
                                         const float *b, float *c, const float *bias,  \
                                         int row, int column)                          \
    {                                                                                  \
        nn_dot_tile(mr, nr, s, a, b, c, bias, row, column);                            \
    }
NN_DOT_TILES(NN_DEFINE)
#define NN_CHOICE(mr, nr) \
    case nr * 32 + mr:    \
        return NN_DOT_TILE(mr, nr);

static nn_dot_fn *nn_dot_tile_of(int mr, int nr)
{
    switch (nr * 32 + mr) {
        NN_DOT_TILES(NN_CHOICE)
    default: return NULL;
    }
}
#undef NN_DOT_TILES
#undef NN_DOT_TILE
#undef NN_DEFINE
#undef NN_CHOICE

/* The elements of C[M][N] in tiles of one shape, of which the last overlap; M >= mr and N >= nr. */
static void nn_dot_block(const struct nn_dot_sizes *s, int mr, int nr, int M, int N,
                         const float *a, const float *b, float *c, const float *bias)
{
    nn_dot_fn *tile = nn_dot_tile_of(mr, nr);
    for (int i = 0; i < M; i += mr) {
        const int i0 = i + mr <= M ? i : M - mr;
        for (int j = 0; j < N; j += nr) {
            const int j0 = j + nr <= N ? j : N - nr;
            tile(s, a + (size_t)i0 * s->lda, b + (size_t)j0 * s->ldb, c + (size_t)i0 * s->ldc + j0,
                 bias + j0, i - i0, j - j0);
        }
    }
}

/* C[M][N] = A B' by tiles of the usual shape: the columns that are left by higher ones where there
 * are rows enough, the rows that are left by wider ones. */
static void nn_dot_columns(const struct nn_dot_sizes *s, int M, int N, const float *a,
                           const float *b, float *c, const float *bias)
{
    for (int w = 1; w < NN_DOT_COLUMNS; w *= 2)
        if ((N & w) && M >= NN_VL / w) {
            N -= w;
            nn_dot_block(s, NN_VL / w, w, M, w, a, b + (size_t)N * s->ldb, c + N, bias + N);
        }
    while (M > 0 && N > 0) {
        int mr = M < NN_DOT_ROWS ? M : NN_DOT_ROWS;
        int nr = mr == NN_DOT_ROWS ? NN_DOT_COLUMNS : NN_VL / mr;
        if (N < nr || (mr == 1 && NN_VB == 32)) {
            mr = 1;
            nr = N >= 4 ? 4 : 1;
        }
        const int m = M - M % mr;
        nn_dot_block(s, mr, nr, m, N, a, b, c, bias);
        M -= m;
        a += (size_t)m * s->lda;
        c += (size_t)m * s->ldc;
    }
}

/* The same for any N: as many rows of B at a time as the second-level cache keeps. */
static void nn_dots(const struct nn_dot_sizes *s, int M, int N, const float *a, const float *b,
                    float *c, const float *bias)
{
    const int most = NN_DOT_BLOCK / (s->K + 1) / 16 * 16 + 16;
    for (int j = 0; j < N; j += most)
        nn_dot_columns(s, M, N - j < most ? N - j : most, a, b + (size_t)j * s->ldb, c + j,
                       bias + j);
}
#endif
