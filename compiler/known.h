/* known.h - constants made of parameters: shared by the passes that compute with them. */
#ifndef NNC_KNOWN_H
#define NNC_KNOWN_H
#include "graph.h"

/* Is n a parameter or a state whose values are known? */
bool is_weight(const Node *n);
/* The elements of a table or a weight, in order; NULL: not known. */
const double *known_values(const Node *n);
/* A constant computed from the weight `from`, called as its parameter with the ending behind it;
 * equal values of one type are one constant. */
Node *n_weight(Graph *g, Type t, const double *values, const Node *from, const char *ending);
/* Gives the weights that a finished graph reads paths of their own. */
void name_weights(const Graph *g);

#endif
