/* lower_labels.h - index notation: values whose axes carry the names of indices. */
#ifndef NNC_LOWER_LABELS_H
#define NNC_LOWER_LABELS_H
#include "lower.h"

/* An index such as i in y[i] = ..; its size may be found by its first plain use. Axes under `..`
 * are indices without a name. */
typedef struct IndexVar { const char *name; Span span; SizeRef size; Span sized_by; } IndexVar;
/* The first n_dots are `..`. */
typedef struct Indices { IndexVar var[2 * MAX_RANK]; int n; int n_dots; } Indices;

/* Axis k of the value belongs to index label[k]; labels ascend. Numbers have none. */
typedef struct Labelled { Value v; int n, label[MAX_RANK]; } Labelled;

/* An affine index: c + sum coef[i] * index i; false: not affine. */
typedef struct Affinity { SizeRef c; long coef[2 * MAX_RANK]; } Affinity;

int index_find(const Indices *ix, const char *name);   /* -1: no index of this name */
bool mentions_index(const Indices *ix, const Expr *x);
bool affine_index(Env *e, const Indices *ix, const Expr *x, Affinity *out);
/* Finds the sizes of indices by their plain uses in x; false: reported. */
bool infer_sizes(Env *e, Indices *ix, const Expr *x);
Labelled labelled_expr(Env *e, Indices *ix, const Expr *x);
/* x[..] with indices, lower_access.c */
Labelled labelled_access(Env *e, Indices *ix, const Expr *x);
/* Broadcast to the labels of `to`. */
Node *label_align(const Indices *ix, const Labelled *a, const Labelled *to);
Labelled label_union(const Labelled *a, const Labelled *b);
Node *index_node(const Indices *ix, int var, const Labelled *space);   /* the index's value, i32 */
Labelled labelled_poison(void);

#endif
