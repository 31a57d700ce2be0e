/* nn_copies.h - copies of operands in the order in which tiles read them, for one pass.
 *
 * In come rows that lie far apart, out go a panel of B or the rows of A that a tile multiplies,
 * element after element.  Empty at level 0.  Meant to be included inside `#ifdef NN_ISA`, after
 * nn_vec.h. */
#if defined NN_ISA && NN_LEVEL > 0

#define nn_copy_panel NN_NAME(nn_copy_panel)
#define nn_transpose_panel NN_NAME(nn_transpose_panel)
#define nn_copy_tile NN_NAME(nn_copy_tile)

/* d[K][nv vectors] = B[K][nv vectors], dense.  The next panel is asked for: its rows lie too far
 * apart for the processor to see them coming. */
NN_NOINLINE void nn_copy_panel(float *NN_RESTRICT d, const float *NN_RESTRICT b, size_t ldb, int K,
                               int nv, int tail)
{
    const nn_vmask mask = nn_vtail(tail);
    for (int k = 0; k < K; k++, b += ldb, d += nv * NN_VL) {
        for (int j = 0; j < nv * NN_VL; j += 16)
            __builtin_prefetch(b + nv * NN_VL + j, 0, 2);
        for (int j = 0; j + 1 < nv; j++)
            nn_vstore(d + j * NN_VL, nn_vload(b + j * NN_VL));
        nn_vstore(d + (nv - 1) * NN_VL, nn_vload_some(b + (nv - 1) * NN_VL, mask));
    }
}

/* d[K][nv vectors] = the transposed rows of B[nv vectors][K], zeros where there are none */
NN_NOINLINE void nn_transpose_panel(float *NN_RESTRICT d, const float *NN_RESTRICT b, size_t ldb,
                                    int K, int nv, int tail)
{
    const size_t w = (size_t)(nv * NN_VL);
    for (int v = 0; v < nv; v++, b += NN_VL * ldb, d += NN_VL) {
        int rows = v + 1 < nv ? NN_VL : tail, k = 0;
        if (rows == NN_VL)
            for (; k + 4 <= K; k += 4) {
                nn_vf r0 = NN_ROWS4(b + k, ldb), r1 = NN_ROWS4(b + k + ldb, ldb);
                nn_vf r2 = NN_ROWS4(b + k + 2 * ldb, ldb), r3 = NN_ROWS4(b + k + 3 * ldb, ldb);
                nn_vf l01 = NN_UNPACK_LO(r0, r1), l23 = NN_UNPACK_LO(r2, r3);
                nn_vf h01 = NN_UNPACK_HI(r0, r1), h23 = NN_UNPACK_HI(r2, r3);
                float *q = d + (size_t)k * w;
                nn_vstore(q, NN_PAIRS_LO(l01, l23));
                nn_vstore(q + w, NN_PAIRS_HI(l01, l23));
                nn_vstore(q + 2 * w, NN_PAIRS_LO(h01, h23));
                nn_vstore(q + 3 * w, NN_PAIRS_HI(h01, h23));
            }
        for (; k < K; k++)
            for (int i = 0; i < NN_VL; i++)
                d[(size_t)k * w + (size_t)i] = i < rows ? b[(size_t)i * ldb + (size_t)k] : 0.0f;
    }
}

/* d[K][mr] = A[K][mr]: what a tile of tn reads */
NN_NOINLINE void nn_copy_tile(float *NN_RESTRICT d, const float *NN_RESTRICT a, size_t lda, int K,
                              int mr)
{
    if (mr == 6) /* nearly all tiles */
        for (int k = 0; k < K; k++, a += lda, d += 6)
            memcpy(d, a, 6 * sizeof *d);
    else
        for (int k = 0; k < K; k++, a += lda, d += mr)
            for (int i = 0; i < mr; i++)
                d[i] = a[i];
}
#endif
