/* nn_panels.h - the instances of the tile that the library needs, for one pass.
 *
 * In comes the shape of a tile, out goes the address of a function that computes any number of
 * such tiles, one below the other.  Empty at level 0.  Meant to be included inside
 * `#ifdef NN_ISA`, after nn_tile.h. */
#if defined NN_ISA && NN_LEVEL > 0

#define nn_panel_of NN_NAME(nn_panel_of)

#ifndef NN_PANELS_ONCE
#define NN_PANELS_ONCE
typedef void nn_panel_fn(const struct nn_panel *p, const float *a, const float *b, float *c,
                         int chunks);
#endif

#if NN_REGISTERS == 32
#define NN_INSTANCES(I)                                                                     \
    I(1, 1) I(2, 1) I(3, 1) I(4, 1) I(5, 1) I(6, 1) I(7, 1) I(8, 1) I(9, 1) I(10, 1) I(11, 1) \
    I(12, 1) I(13, 1) I(14, 1) I(15, 1) I(16, 1)                                            \
    I(1, 2) I(2, 2) I(3, 2) I(4, 2) I(5, 2) I(6, 2) I(7, 2) I(8, 2) I(9, 2) I(10, 2) I(11, 2) \
    I(12, 2) I(13, 2) I(14, 2)                                                              \
    I(1, 3) I(2, 3) I(3, 3) I(4, 3) I(5, 3) I(6, 3) I(7, 3) I(8, 3) I(9, 3)                 \
    I(1, 4) I(2, 4) I(3, 4) I(4, 4) I(5, 4) I(6, 4) I(1, 8) I(2, 8) I(3, 8) I(1, 16)
#else
#define NN_INSTANCES(I)                                                                     \
    I(1, 1) I(2, 1) I(3, 1) I(4, 1) I(5, 1) I(6, 1) I(7, 1) I(8, 1) I(9, 1) I(10, 1) I(11, 1) \
    I(12, 1)                                                                                \
    I(1, 2) I(2, 2) I(3, 2) I(4, 2) I(5, 2) I(6, 2) I(1, 3) I(2, 3) I(3, 3) I(4, 3)         \
    I(1, 4) I(2, 4) I(1, 8)
#endif

/* Left alone, gcc computes the addresses of all rows of C before the sums and keeps them on the
 * stack, which costs a tile as much as a step of its sums. */
#if defined __GNUC__ && !defined __clang__
#pragma GCC push_options
#pragma GCC optimize("no-tree-pre", "no-code-hoisting")
#endif
#define NN_PANEL(mr, nv, m) NN_NAME(nn_panel_##mr##_##nv##_##m)
#define NN_PANEL_DEFINE(mr, nv, m)                                                            \
    static void NN_PANEL(mr, nv, m)(const struct nn_panel *p, const float *a, const float *b, \
                                    float *c, int chunks)                                     \
    {                                                                                         \
        nn_chunks(mr, nv, m, mr > 3, p, a, b, c, chunks);                                     \
    }
#define NN_MASKED(mr, nv) NN_PANEL_DEFINE(mr, nv, 1)
NN_INSTANCES(NN_MASKED)
#if !NN_FREE_MASK
#define NN_UNMASKED(mr, nv) NN_PANEL_DEFINE(mr, nv, 0)
NN_INSTANCES(NN_UNMASKED)
#undef NN_UNMASKED
#endif
#if defined __GNUC__ && !defined __clang__
#pragma GCC pop_options
#endif

#if NN_FREE_MASK
#define NN_CHOICE(mr, nv) \
    case nv * 32 + mr:    \
        return NN_PANEL(mr, nv, 1);
#else
#define NN_CHOICE(mr, nv) \
    case nv * 32 + mr:    \
        return masked ? NN_PANEL(mr, nv, 1) : NN_PANEL(mr, nv, 0);
#endif

static nn_panel_fn *nn_panel_of(int mr, int nv, int masked)
{
    (void)masked;
    switch (nv * 32 + mr) {
        NN_INSTANCES(NN_CHOICE)
    default: return NULL;
    }
}
#undef NN_INSTANCES
#undef NN_PANEL
#undef NN_PANEL_DEFINE
#undef NN_MASKED
#undef NN_CHOICE
#endif
