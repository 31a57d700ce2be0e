/* hoist.h - what the parts of hoisting share: a recurrence that is taken apart. Values of its body
 * are told apart by what they change with; a value of the body has a value outside, which is either
 * the same for all steps or has the steps as its first axis. */
#ifndef NNC_HOIST_H
#define NNC_HOIST_H
#include "graph.h"

typedef enum Change {
    CHANGE_NEVER,             /* made of captured values and numbers */
    CHANGE_BY_STEP,           /* made of elements of the sequences too */
    CHANGE_BY_STATE           /* needs the step before */
} Change;

/* A term of a sum. */
typedef struct Term { Node *node; bool minus; } Term;
typedef VEC(Term) TermList;

/* What becomes of a state s with next s = s + f, where f does not need s: `outside` are the terms
 * of f whose sum over all steps is computed behind the loop, `inside` the others. */
typedef struct Total {
    bool is_total;
    Node *state;              /* s in the body */
    TermList outside, inside;
} Total;

typedef struct Hoist {
    Graph *g;                 /* around the recurrence */
    const Scan *scan;
    SizeRef steps;
    Node *const *in;          /* operands of the recurrence, in g */
    int n_in;
    /* by node of the body, except `needed` and `total` */
    Change *change;
    bool *worth;              /* contains work that pays outside */
    bool *needed;             /* by state: something that is read depends on it */
    bool *inside;             /* has to be computed in the loop: a next state needs it */
    bool *behind;             /* is computed outside from what the loop emits, not emitted */
    int *uses;
    int *emitted;             /* 0, or its place among `cuts`, from 1 */
    Node **outside;           /* its value in g */
    Node **kept;              /* its value in the new body */
    Total *total;             /* by state */
    NodeList cuts;            /* values of the body that the loop emits for what comes behind it */
    ScanBuild b;              /* the recurrence that stays */
    Node **result;            /* of the recurrence that stays, in g: its emits, as in `cuts` */
} Hoist;

/* hoist_find.c: finds everything up to `total`. */
void find_hoists(Hoist *h, const bool *read);
bool is_body_view(const Node *n);                      /* only moves elements */
/* n as a sum: its terms, through sums that nothing else uses. */
void collect_terms(const Hoist *h, Node *n, bool minus, bool top, TermList *out);

#endif
