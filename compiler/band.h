/* band.h - parts of values that a mask decides, shared by band_known.c and band.c. */
#ifndef NNC_BAND_H
#define NNC_BAND_H
#include "graph.h"

/* The elements of a value with x[p] >= x[q] + from, x being the index. */
typedef struct Region {
    int p, q;
    SizeRef from;
    double value; /* what all of them are */
    bool any;     /* of elements that nobody wants: may they be anything at all? */
} Region;

enum { MAX_REGIONS = 4 };
typedef struct Regions {
    int n;
    Region at[MAX_REGIONS];
} Regions;

/* By Node.id: the regions in which a value is one number whatever the arguments are; NULL: none. Of
 * the body of a recurrence the arguments are known too, by number; else NULL. */
Regions **known_regions(const Graph *g, const Regions *const *inputs);
/* The regions of an element of a sequence; NULL: none. */
Regions *known_element(const Regions *sequence);
/* The region over the same axes, or NULL. */
const Region *region_of(const Regions *r, int p, int q);
/* Adds a region; of two over the same axes the larger stays. */
void add_region(Regions *r, Region region);
/* The larger size, or NULL where that depends on dims. */
SizeRef larger_size(SizeRef a, SizeRef b);
/* Axis of the operand that axis `axis` of a broadcast, transpose, slice or reshape counts through,
 * -1 for none; and the other way round. */
int operand_axis(const Node *view, int axis);
int view_axis(const Node *view, int axis);
/* What is added to an index of such a view to give that of its operand. */
SizeRef view_start(const Node *view, int axis);
bool keeps_axes(const Node *n);

#endif
