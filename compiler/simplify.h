/* simplify.h - what the parts of the simplifier share. A rule looks at one node, whose operands
 * are simplified already, and returns a node of the same type and value, or NULL when it has
 * nothing to say. What it builds need not be simplified. */
#ifndef NNC_SIMPLIFY_H
#define NNC_SIMPLIFY_H
#include "graph.h"

typedef struct Simplifier {
    Graph *g;                 /* the graph that is being built */
    VEC(Node *) done;         /* by Node.id: what the node was simplified to, or NULL */
    VEC(int) uses;            /* by Node.id: users in the graph from before */
    int fired;                /* rules that found something */
} Simplifier;

/* Rules, by what they look at. */
Node *rule_const(Simplifier *s, Node *n);             /* operands that are all known numbers */
Node *rule_arithmetic(Simplifier *s, Node *n);        /* + - * / and functions */
Node *rule_terms(Simplifier *s, Node *n);             /* sums of multiples */
Node *rule_logic(Simplifier *s, Node *n);             /* conditions, comparisons, casts */
Node *rule_move(Simplifier *s, Node *n);              /* movement of movement, maps of broadcasts */
Node *rule_block(Simplifier *s, Node *n);             /* slices, pads and joins */
Node *rule_fold(Simplifier *s, Node *n);              /* folds */
Node *rule_product(Simplifier *s, Node *n);           /* matrix products and sums that are ones */

/* What is computed from weights alone, as a weight. */
Node *fold_weights(Simplifier *s, Node *n);

/* ---- questions about nodes ---- */

bool is_number(const Node *n, double v);              /* is every element v? */
void count_uses(Simplifier *s, const Node *n, int uses); /* n is read so often more */
bool is_single(const Simplifier *s, const Node *n);   /* does it have at most one user? */
bool is_finite(const Node *n);                        /* certainly without inf and NaN */
/* The scalar that every element of n equals, or NULL. */
Node *uniform_of(Node *n);
/* Is a zero factor enough to make n zero? */
bool may_vanish(const Node *n, const Node *factor);

#endif
