/* equations.h - the nodes of a graph as equations in the language, for everything that shows a
 * graph to a person: `nnc show`, drawings, the comments of the generated code. */
#ifndef NNC_EQUATIONS_H
#define NNC_EQUATIONS_H
#include "graph.h"

typedef struct Names Names;

/* Names for what `roots` reach in g (NULL roots are skipped). A node gets a name, and with it an
 * equation of its own, when the user named it, when it is the adjoint of a named node (d_<name>)
 * or when its value is used more than once; the rest is written inside its user. Names are unique
 * within the result. Needs roots that are nodes of g; later nodes of g are not known to it. */
Names *names_of(const Graph *g, Node *const *roots, int n_roots);

/* Gives n the name, made unique, in place of the one it had, or t and a number when name is NULL; n
 * then has an equation of its own. */
void names_give(Names *m, const Node *n, const char *name);

/* Counts t1, t2, .. anew, in the order given and then in that of the graph. */
void names_renumber(Names *m, Node *const *order, int n);

/* Sets all names, by Node.id, as they are; returns those before. */
const char **names_swap(Names *m, const char **name);

/* A name for the gradient by the parameter (or the value) at a path: d_ and the shortest end of the
 * path that no other parameter of the graph has. Not made unique. */
const char *gradient_name(Names *m, const char *path);

/* The node's name (of an input, a param, a state: how the source calls it); NULL when it has none
 * and is written inside its user. */
const char *node_name(Names *m, const Node *n);

/* Does n have an equation of its own? False for inputs, slots and numbers. */
bool node_stands(Names *m, const Node *n);

/* The right side of n's equation, even when n has a name; it ends at operands with names. */
void node_value(Text *out, Names *m, const Node *n);

/* "h = tanh(x @ W + b)", or "eps: real[N] ~ normal(0, 1)" for a draw. */
void node_equation(Text *out, Names *m, const Node *n);

/* What a user of n writes: its name or its value. */
void node_operand(Text *out, Names *m, const Node *n);

/* What a reader sees of n: marks are their operand under a name. */
const Node *seen(const Node *n);
/* How the source calls an input, a param or a state; NULL for others. */
const char *leaf_name(const Node *n);
/* Does n only add or drop axes of size 1 around a vector or a scalar: [m] as [1, m]? It is not
 * written; users of n write its operand. */
bool is_vector_view(const Node *n);

/* Does n only turn a column into a row, or a row into a column? It is written a'. */
bool is_turned_vector(const Node *n);

/* The number as the language writes it: the shortest text that reads back the same, as a float
 * unless the element is f64. */
void number_text(Text *out, Elem e, double v);

#endif
