/* winograd.c - which convolutions take Winograd's algorithm.
 * In: a convolution or a derivative of one. Out: is it called as nn_winograd, and with how much
 * scratch? A rule on the shape alone, so that plan and emit agree and the code says what it does:
 * 3 x 3 windows side by side, of floats, with sizes that are known (a batch that is not counts as
 * one image), where it is at least a fifth faster and there are 4 million multiplications to do: a
 * network for a small processor keeps its small work area. --max-ram and --direct switch it off. */
#include "kernel.h"

#include <limits.h>
#include "nn.h"

enum { LEAST_CHANNELS = 16, LEAST_MULTIPLIES = 4000000 };

static bool known_sizes(const SizeRef *from, int n, int *to)
{
    for (int i = 0; i < n; i++) {
        long v;
        if (!size_is_const(from[i], &v) || v < 1 || v > INT_MAX) return false;
        to[i] = (int)v;
    }
    return true;
}

/* The sizes that it has to have. */
static bool sizes_of(const Node *n, struct nn_conv_sizes *s)
{
    const Shape x = conv_image(n), y = conv_result(n), k = conv_kernel(n);
    bool close = true;
    for (int i = 0; i < 2; i++) {
        long pad;
        close &= size_is(k.size[2 + i], 3) && n->attr.perm[i] == 1 && n->attr.perm[2 + i] == 1;
        if (!size_is_const(n->attr.lo[i], &pad) || pad < 0 || pad > 2) return false;
        s->pad[i] = (int)pad;
        s->window[i] = 3;
        s->stride[i] = s->dilation[i] = 1;
    }
    return close && known_sizes(&x.size[1], 3, s->x) && known_sizes(&y.size[1], 3, s->y);
}

/* The taps of all outputs of an axis that lie inside the image. */
static double taps_inside(const struct nn_conv_sizes *s, int axis)
{
    double n = 0;
    for (int t = 0; t < 3; t++) {
        int first = s->pad[axis] - t, end = s->x[axis] + s->pad[axis] - t;
        if (first < 0) first = 0;
        if (end > s->y[axis]) end = s->y[axis];
        if (end > first) n += end - first;
    }
    return n;
}

/* Time in multiply-adds, for a channel and a map: 36 for a tile of 4 x 4, which take a quarter more
 * than their number as the products are small; and the tiles transformed, and the kernels. */
static double tiled_cost(const int *out, int batch, int channels, int maps)
{
    double tiles = (double)batch * ((out[0] + 3) / 4) * ((out[1] + 3) / 4);
    return tiles * (45 + 300.0 / channels + 300.0 / maps) + 150;
}

bool takes_winograd(const Node *n)
{
    struct nn_conv_sizes s;
    int batch = 1;
    bool asked = !options.direct && !options.max_ram && !is_depthwise(n);
    if (!asked || elem_bytes(n->type.elem) != 4 || !sizes_of(n, &s)) return false;
    if (!known_sizes(conv_image(n).size, 1, &batch)) batch = 1;
    if (s.x[2] < LEAST_CHANNELS || s.y[2] < LEAST_CHANNELS) return false;
    double all = 9.0 * batch * s.y[0] * s.y[1] * s.x[2] * s.y[2];
    double direct = taps_inside(&s, 0) * taps_inside(&s, 1) * batch;
    double tiled = tiled_cost(n->op == OP_CONV_DATA ? s.x : s.y, batch, s.x[2], s.y[2]);
    return all >= LEAST_MULTIPLIES && direct > 1.2 * tiled;
}

long winograd_scratch(const Node *n)
{
    struct nn_conv_sizes s;
    long batch = size_upper(conv_image(n).size[0]);
    if (!sizes_of(n, &s)) return 0;
    return (long)nn_winograd_work(batch > INT_MAX ? INT_MAX : (int)batch, &s);
}
