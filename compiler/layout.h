/* layout.h - shared by layout.c (the order of axes), layout_axes.c (nodes in another order),
 * layout_windows.c (windows), layout_conv.c and layout_depthwise.c (convolutions). */
#ifndef NNC_LAYOUT_H
#define NNC_LAYOUT_H
#include "nnc.h"

/* A value of the new graph: `last` is the axis that u has moved behind all others, -1: none. */
typedef struct Laid {
    Node *u;
    int last;
} Laid;

typedef struct Layout {
    const Graph *old;
    Graph *g;
    Laid *laid; /* by Node.id in the old graph */
} Layout;

/* The value of an old node with its own order of axes, or with one axis last, or in another order:
 * axis i of the result is axis perm[i]. */
Node *laid_plain(Layout *l, const Node *n);
Node *laid_last(Layout *l, const Node *n, int axis);
Node *laid_in_order(Layout *l, const Node *n, const int *perm);

/* ---- layout_axes.c ---- */

/* A transposition, joined with what stands in front of it. */
Node *turn(Graph *g, Node *n, const int *perm);
Node *reshape_from_base(Graph *g, Node *n, const Shape *to);
/* Where u counts the elements of something computed with finer axes in another way, that; else
 * NULL. part_of: the axis of u that each of those is a part of. The windows of a pooling are such
 * axes: with them, nothing is divided to find an element's window. */
Node *finer(const Node *u, int *part_of);
/* The parts of some axes. */
unsigned parts_in(unsigned axes, const int *part_of, int rank);
/* n with the finer axes. */
Node *split(Graph *g, Node *n, const Shape *fine, const int *part_of);

/* A copy of the entry with these roots, in the order of gather_roots, in another graph. */
Entry *entry_with(const Entry *e, Graph *g, Node *const *roots);

/* ---- layout_windows.c ---- */

enum { PLAIN = -1, NONE_ = -1 };

/* One axis of the windows: the whole axis `wide` of the image, or a part of its window. */
typedef struct Label {
    int wide, part, factor;
    SizeRef size;
} Label;

typedef struct Windows {
    Label at[MAX_RANK];
    int n, split;             /* at[0 .. split) are the rows of the matrix */
    bool taps_first;          /* the rows are the taps */
    Shape image;
    SizeRef pad[MAX_RANK];    /* zeros in front, by axis of the image */
    bool open[MAX_RANK];      /* is the axis seen through windows? */
    int row, column, channel; /* axes of the image; row and channel may be NONE_ */
    int group;                /* the axis of the image that tells the groups apart, or NONE_ */
    SizeRef groups;           /* its size, or NULL */
} Windows;

/* Some axes in the order in which they are wanted. */
typedef struct Order {
    int n;
    int at[MAX_RANK]; /* numbers of labels, or axes of the image */
    Shape sizes;
} Order;

void order_add(Order *o, int i, SizeRef size);

/* Is v windows, perhaps with moved axes? Then of which image; a label for each axis. */
const Node *windows_in(const Node *v, Windows *w);
/* Is n windows that are added up, perhaps a block of the sum? Then of which array. */
const Node *added_windows(const Node *n, Windows *w);

/* ---- layout_conv.c ---- */

/* Is n a convolution or a derivative of one? Then its value by an OP_CONV.. node of the new
 * graph. */
bool lay_convolution(Layout *l, const Node *n, Laid *out);

/* ---- layout_depthwise.c ---- */

/* The same where each channel is by itself. */
bool lay_depthwise(Layout *l, const Node *n, Laid *out);

#endif
