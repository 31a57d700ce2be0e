/* show.h - what the parts of `nnc show` share: one entry with a name for each value that is worth
 * looking at, its adjoint, and numbers for both. */
#ifndef NNC_SHOW_H
#define NNC_SHOW_H
#include "command.h"
#include "equations.h"

/* A value of the forward graph and the adjoint of the entry's result with respect to it. */
typedef struct Item {
    const char *name;         /* NULL: the value is written out inside its users */
    Node *value, *adjoint;    /* adjoint: NULL where there is none */
    const char *rule;         /* "tanh: dy * (1 - y*y)", a formula for each use; NULL: none */
    Tensor *v, *d;            /* numbers, when they were asked for */
} Item;

typedef struct Study {
    Entry *entry;
    Graph *g;
    Node *result;             /* the first result; NULL: the entry returns nothing but sets */
    const char *result_name;
    Node *seed;               /* the adjoint of the result, as an input of g; NULL: no derivative */
    VEC(Item) items;          /* in the order of the graph: operands first */
} Study;

/* The values of an entry with their adjoints, when its first result is a real scalar. `all` takes
 * every node, otherwise those with names and those without which an adjoint could not be told. */
Study *study_entry(Entry *e, bool all);
/* Replaces the graph by its simplified form; names and rules stay. */
void study_simplify(Study *s);
/* Fills in the numbers for the arguments of --at. EXIT_OK, or what was reported. */
int study_at(Study *s, Program *p);
/* The numbers of a tensor, shortened after `limit` characters. */
const char *brief(const Tensor *t, size_t limit);

/* "entry value(x: real) -> real" */
void entry_heading(Text *out, const Entry *e);
/* "  equation          // comment" */
void show_line(Text *out, const char *equation, const char *comment);
/* Every equation of an entry with its type, or with the rule behind it. */
void show_entry(Text *out, const Program *p, const Entry *e, bool rules);
/* The derivative as equations; false when the entry has none, with the reason in the text. */
bool show_derivative(Text *out, Entry *e);
/* The loop that a SCAN node is a result of; m: names of the graph g around it. */
void show_scan(Text *out, Names *m, const Graph *g, const Node *scan);
/* Every value with its numbers. */
void show_numbers(Text *out, const Study *s);
void show_dot(Text *out, const Study *s);
/* Draws dot text as SVG on standard output. */
int show_svg(const Text *dot);

#endif
