/* nn_tile.h - the one kernel behind every matrix product and convolution, for one pass.
 *
 * In come strided operands, out goes a tile of C that was held in registers all along:
 *     C[mr][nv vectors] (+)= sum over t, k of A[i ras + k cas + t aos] B[k ldb + t bos + j]
 * The strides of A make nn (cas = 1), tn (ras = 1) and copied operands one kernel; the blocks t,
 * one in a product, are the rows of the window of a convolution.  Every element is summed over
 * t and k = 0, 1, 2 ... from its start value, so its bits depend neither on the shape of the tile
 * nor on the instruction set, as long as there is FMA.  Empty at level 0.  Meant to be
 * included inside `#ifdef NN_ISA`, after nn_math.h and nn_vec.h. */
#if defined NN_ISA && NN_LEVEL > 0

#ifndef NN_TILE_ONCE
#define NN_TILE_ONCE
/* Rows and columns are expanded by the preprocessor, so that the accumulators are only ever
 * indexed by literals: as loops, gcc -O1 and for some tiles clang -O2 keep them in memory, at less
 * than half the speed.  A row has the columns that some tile uses. */
#define NN_J1(X, i) X(i, 0)
#define NN_J2(X, i) NN_J1(X, i) X(i, 1)
#define NN_J3(X, i) NN_J2(X, i) X(i, 2)
#define NN_J4(X, i) NN_J3(X, i) X(i, 3)
#define NN_J8(X, i) NN_J4(X, i) X(i, 4) X(i, 5) X(i, 6) X(i, 7)
#define NN_J16(X, i) \
    NN_J8(X, i) X(i, 8) X(i, 9) X(i, 10) X(i, 11) X(i, 12) X(i, 13) X(i, 14) X(i, 15)
#define NN_ROWS(R)                                                                      \
    R(0, NN_J16) R(1, NN_J8) R(2, NN_J8) R(3, NN_J4) R(4, NN_J4) R(5, NN_J4) R(6, NN_J3) \
    R(7, NN_J3) R(8, NN_J3) R(9, NN_J2) R(10, NN_J2) R(11, NN_J2) R(12, NN_J2)          \
    R(13, NN_J2) R(14, NN_J1) R(15, NN_J1)

/* what a column panel needs beyond its three pointers */
struct nn_panel {
    size_t ras, cas, ldb, ldc;
    int K;
    int tail;          /* lanes of the last vector, 1 .. NN_VL */
    const float *bias; /* of this panel; read with NN_BIAS */
    unsigned flags;
    int blocks;        /* products that are added up, aos and bos apart in A and B */
    size_t aos, bos;
    unsigned fetch;    /* NN_FETCH_..: what is not in the nearer caches and is asked for in time */
    size_t tile;       /* from one tile of A to the next; 0: as many rows as it has */
};

enum {
    NN_FETCH_A = 1, /* of the next tile */
    NN_FETCH_B = 2, /* of the next panel */
    NN_FETCH_C = 4, /* of the next tile */
    NN_LINE = 16    /* floats that come together */
};
#endif

#define nn_act_row NN_NAME(nn_act_row)
#define nn_tile NN_NAME(nn_tile)
#define nn_fetch_rows NN_NAME(nn_fetch_rows)
#define nn_chunks NN_NAME(nn_chunks)
#define nn_rows_max NN_NAME(nn_rows_max)
#define nn_width_max NN_NAME(nn_width_max)
#define nn_width_next NN_NAME(nn_width_next)

/* The activation over n values just stored: they are still in the first-level cache.  Out of
 * line, which keeps the instances of the tile small. */
NN_NOINLINE void nn_act_row(float *c, int n, unsigned flags)
{
    if (flags & NN_TANH)
        for (int j = 0; j < n; j++)
            c[j] = nn_tanh(c[j]);
    else
        for (int j = 0; j < n; j++)
            c[j] = nn_sigmoid(c[j]);
}

/* mr, nv, masked and fetches are literals at every call.  With fetches, the elements of A and B
 * that lie next_a and next_b behind those of each k are asked for. */
NN_INLINE void nn_tile(const int mr, const int nv, const int masked, const int fetches,
                       const struct nn_panel *p, const float *a, const float *b, float *c,
                       size_t next_a, size_t next_b)
{
    nn_vf acc[16][16], bv[16];
    const nn_vmask mask = nn_vtail(masked ? p->tail : NN_VL);
    const size_t ras = p->ras, cas = p->cas, ldb = p->ldb, ldc = p->ldc;
    const unsigned flags = p->flags;
    const int K = p->K;
#define LOAD(q, j) \
    (masked && j == nv - 1 ? nn_vload_some((q) + j * NN_VL, mask) : nn_vload((q) + j * NN_VL))

#define X(i, j) \
    if (j < nv) \
        bv[j] = flags & NN_BIAS ? LOAD(p->bias, j) : nn_vset(0.0f);
    NN_J16(X, 0)
#undef X
    if (flags & NN_ACC) {
#define X(i, j) \
    if (j < nv) \
        acc[i][j] = LOAD(c + (size_t)i * ldc, j);
#define ROW(i, EACH) \
    if (i < mr) {    \
        EACH(X, i)   \
    }
        NN_ROWS(ROW)
#undef X
        if (flags & NN_BIAS) {
#define X(i, j) \
    if (j < nv) \
        acc[i][j] += bv[j];
            NN_ROWS(ROW)
#undef X
        }
    } else {
#define X(i, j) \
    if (j < nv) \
        acc[i][j] = bv[j];
        NN_ROWS(ROW)
#undef X
    }
#undef ROW

    NN_NO_UNROLL
    for (int t = 0; t < p->blocks; t++, a += p->aos, b += p->bos) {
        /* One pointer for four rows: the addresses a + {0, 1, 2, 3} ras are addressing modes; one
         * pointer for all would cost an addition per row. */
        const float *a0 = a, *a1 = a, *a2 = a, *a3 = a, *bk = b;
        if (mr > 4)
            a1 += 4 * ras;
        if (mr > 8)
            a2 += 8 * ras;
        if (mr > 12)
            a3 += 12 * ras;
        NN_NO_UNROLL
        for (int k = 0; k < K; k++) {
#define X(i, j) \
    if (j < nv) \
        bv[j] = LOAD(bk, j);
            NN_J16(X, 0)
#undef X
#define X(i, j) \
    if (j < nv) \
        acc[i][j] = nn_vfma(x, bv[j], acc[i][j]);
#define ROW(i, EACH)                                                                             \
    if (i < mr) {                                                                                \
        const float *from = i < 4 ? a0 : i < 8 ? a1 : i < 12 ? a2 : a3;                          \
        nn_vf x = nn_vset(from[i % 4 * ras]);                                                    \
        EACH(X, i)                                                                               \
    }
            NN_ROWS(ROW)
#undef X
#undef ROW
            if (fetches) {
                __builtin_prefetch(a0 + next_a, 0, 2);
                __builtin_prefetch(bk + next_b, 0, 2);
            }
            a0 += cas;
            if (mr > 4)
                a1 += cas;
            if (mr > 8)
                a2 += cas;
            if (mr > 12)
                a3 += cas;
            bk += ldb;
        }
    }

#define ROW(i, EACH) \
    if (i < mr) {    \
        EACH(X, i)   \
    }
    if (flags & NN_RELU) {
#define X(i, j) \
    if (j < nv) \
        acc[i][j] = nn_vrelu(acc[i][j]);
        NN_ROWS(ROW)
#undef X
    }
#define X(i, j)                                                               \
    if (j < nv) {                                                             \
        if (masked && j == nv - 1)                                            \
            nn_vstore_some(c + (size_t)i * ldc + j * NN_VL, acc[i][j], mask); \
        else                                                                  \
            nn_vstore(c + (size_t)i * ldc + j * NN_VL, acc[i][j]);            \
    }
    NN_ROWS(ROW)
#undef X
#undef ROW
#undef LOAD
}

/* Asks for mr rows of n floats. */
NN_INLINE void nn_fetch_rows(const int mr, int n, const float *q, size_t ld, const int write)
{
    for (int i = 0; i < mr; i++, q += ld)
        for (int j = 0; j < n; j += NN_LINE) {
            if (write) __builtin_prefetch(q + j, 1, 2);
            else __builtin_prefetch(q + j, 0, 2);
        }
}

/* the same for `chunks` groups of mr rows, one below the other */
NN_INLINE void nn_chunks(const int mr, const int nv, const int masked, const int fetches,
                         const struct nn_panel *p, const float *a, const float *b, float *c,
                         int chunks)
{
    const int lines = nv * NN_VL / NN_LINE;
    for (int t = 0; t < chunks; t++) {
        size_t next_a = 0, next_b = 0;
        if (fetches && p->fetch) {
            if (p->fetch & NN_FETCH_A && p->cas == 1)
                nn_fetch_rows(mr, p->K, a + (size_t)mr * p->ras, p->ras, 0);
            if (p->fetch & NN_FETCH_A && p->cas != 1)
                next_a = NN_LINE;
            if (p->fetch & NN_FETCH_B && t < lines)
                next_b = (size_t)(nv * NN_VL + t * NN_LINE);
            if (p->fetch & NN_FETCH_C)
                nn_fetch_rows(mr, nv * NN_VL, c + (size_t)mr * p->ldc, p->ldc, 1);
        }
        nn_tile(mr, nv, masked, fetches, p, a, b, c, next_a, next_b);
        if (p->flags & (NN_TANH | NN_SIGMOID))
            for (int i = 0; i < mr; i++)
                nn_act_row(c + (size_t)i * p->ldc, (nv - 1) * NN_VL + p->tail, p->flags);
        a += p->tile ? p->tile : (size_t)mr * p->ras;
        c += (size_t)mr * p->ldc;
    }
}

/* The rows of a tile nv vectors wide: mr nv accumulators, nv vectors of B and one value of A must
 * fit the registers. */
NN_INLINE int nn_rows_max(int nv)
{
#if NN_REGISTERS == 32
    return nv == 1 ? 16 : nv == 2 ? 14 : nv == 3 ? 9 : nv == 4 ? 6 : nv == 8 ? 3 : 1;
#else
    return nv == 1 ? 12 : nv == 2 ? 6 : nv == 3 ? 4 : nv == 4 ? 2 : 1;
#endif
}

/* The widest panel worth using for M rows: few rows need more columns, to have enough independent
 * sums and to read long pieces of B. */
NN_INLINE int nn_width_max(int M)
{
#if NN_REGISTERS == 32
    return M == 1 ? 16 : M <= 3 ? 8 : 4;
#else
    return M == 1 ? 8 : M == 2 ? 4 : M <= 4 ? 3 : 2;
#endif
}

/* The next panel when `left` vectors are to do: an even split, rounded to a width that exists. */
NN_INLINE int nn_width_next(int left, int max)
{
    int w = left;
    if (w > max) {
        const int panels = (left + max - 1) / max;
        w = (left + panels - 1) / panels;
    }
    return w >= 16 ? 16 : w >= 8 ? 8 : w > 4 ? 4 : w;
}
#endif
