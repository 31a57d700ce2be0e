/* slices.h - what slices_find.c finds and slices.c takes apart: parts of a graph that work on each
 * slice of their leading axes by itself. */
#ifndef NNC_SLICES_H
#define NNC_SLICES_H
#include "nnc.h"

/* Values with the same leading axes, `batch`, and what can be said about all nodes of the graph
 * with respect to these. `wide` is the number of elements that the values which are worth it have
 * in one slice: more than what they are made of. By Node.id: */
typedef struct Kind {
    Shape batch;
    SizeRef wide;
    bool *
        fits; /* has these axes, as its operands do, and a slice of it is made of slices of those */
    bool *rebuilt; /* is made in the slice rather than taken from outside: a broadcast, indices */
} Kind;

/* Nodes that are computed together, slice by slice, in the order of the graph. */
typedef struct Slices {
    const Kind *kind;
    NodeList nodes;
} Slices;
typedef VEC(Slices) SlicesList;

/* The parts of the graph that are worth it. By Node.id, part_of becomes the number of a node's
 * part, from 1, or 0, and outside: is a node of a part needed outside of it? */
SlicesList find_slices(const Graph *g, Node *const *roots, int n, int **part_of, bool **outside);

#endif
