/* fuse.h - shared by fuse.c (which values are kept), group.c (which share a kernel) and target.c
 * (where results go). */
#ifndef NNC_FUSE_H
#define NNC_FUSE_H
#include "kernel.h"

/* Where a definition's value must be kept for its readers. */
typedef enum Need {
    NEED_NOTHING, /* used in the loop body where it is computed */
    NEED_ROW,     /* used elsewhere in the same row */
    NEED_ARRAY    /* used by other kernels */
} Need;

/* What a definition reads, as found when it was added to its kernel. */
typedef struct Read {
    Node *node;
    int aligned; /* axes, from the first, that are numbered by the reader's loops */
    bool exact;  /* only the reader's own element */
} Read;
struct ReadList {
    VEC(Read) at;
};

/* A result of the entry: a node and the memory it must end in. */
typedef struct Target {
    Node *node;
    Buffer *to;
    bool is_update;
} Target;
typedef VEC(Target) TargetList;

/* The choice of definitions, by Node.id. */
typedef struct Choice {
    Graph *g;
    bool *live, *root, *keep, *force, *likely, *absorbed;
    int *users, *owner; /* owner: 0 none, id + 1 of the only definition that needs it, -1 several */
    int *cost;          /* of writing the node out where it is used */
    Def **head;         /* a matrix product with its sum, bias and activation */
} Choice;

/* ---- fuse.c ---- */

/* The factor by which axis `axis` of n moves in memory, and the node that is in memory; NULL when
 * the place is no affine function of the index. Heads of products (c may be NULL) are in memory. */
Node *stride_of(const Choice *c, Node *n, int axis, SizeRef *stride);
/* Is n one value repeated along the last axis? */
bool is_same_in_row(const Node *n);
void choose_definitions(Code *c, const TargetList *targets);
bool fold_is_in_row(const Node *n);
bool is_heavy(const Node *n); /* a call of the mathematics: tens of operations */
/* A definition that only stores n. */
Def *add_store(Code *c, Node *n, Buffer *to);

/* ---- fuse_product.c ---- */

/* Lets the derivative of max(0, z) ask max(0, z) for its sign, where that frees z. */
void share_signs(const Choice *c);
/* Sets head and absorbed. */
void match_products(Choice *c);

/* ---- band.c ---- */

/* Sets the band of every product. */
void find_bands(Code *c, const TargetList *targets);

/* ---- group.c: kernels over the definitions, and the groups in them. */
void group_definitions(Code *c);
/* Finds or makes the kernel of one definition. */
void add_to_kernels(Code *c, Def *d);
Kernel *add_kernel(Code *c, Def *d);
void find_groups(Code *c, Kernel *k);
/* Sets Def.need. */
void find_needs(Code *c);
/* b must run before a. False, and nothing changes, when b already needs a. */
bool order_kernels(Code *c, Kernel *a, Kernel *b);

/* ---- target.c ---- */
TargetList find_targets(Code *c);
Buffer *slot_buffer(Code *c, const Slot *s); /* one for each slot */
void place_results(Code *c, const TargetList *targets);

#endif
