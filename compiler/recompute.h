/* recompute.h - shared by recompute.c (which values are not kept), again.c (the graph in which they
 * are computed a second time) and no_room.c (what to say when that is not enough). */
#ifndef NNC_RECOMPUTE_H
#define NNC_RECOMPUTE_H
#include "kernel.h"

/* A gap in the life of a value: kernels between an early reader and a late one, by order. */
typedef struct Gap {
    const Def *value;
    int from, to;      /* the last kernel before the gap that needs it, the first behind */
    bool *late;        /* by Def.id: reads the value behind the gap */
    const Node *wait;  /* the copy comes after it, as the first late reader does anyway; or NULL */
    double gain, cost; /* bytes too many that go away, summed over kernels; operations added */
} Gap;

/* An entry as it would be compiled. */
typedef struct Trial {
    Entry entry;   /* a copy of its own */
    Code *code;
    double excess; /* bytes above the aim, summed over the kernels */
} Trial;

/* ---- again.c ---- */

/* Is a value that d needs there when the late readers run, or so small that it may be kept? Then
 * the copy of gap->value is computed from it, else from a copy of it too. */
bool is_there(const Gap *gap, const Def *d);
/* The graph of c with the gap: late readers use a copy of the value. Roots are replaced. */
Graph *compute_again(const Code *c, const Gap *gap, Node **roots, int n);

/* ---- no_room.c ---- */

/* E0603: `t` is the entry at its smallest, `fixed` the bytes of parameters and states. */
void report_no_room(const Trial *t, const Entry *e, long fixed);

#endif
