/* sample.h - sample graphs with values for their inputs, and the checks that the suites of the
 * middle of the compiler share: derivatives against differences, one graph against another. */
#ifndef SAMPLE_H
#define SAMPLE_H
#include "nnc.h"

enum { MAX_INPUTS = 12, MAX_DIMS = 64 };

typedef struct Sample {
    Graph *g;
    const char *what;         /* said when a check fails */
    int n;
    Node *input[MAX_INPUTS];
    Tensor *value[MAX_INPUTS];
    bool vary[MAX_INPUTS];    /* is the derivative for this input looked at? */
    long dims[MAX_DIMS];
    uint64_t random;          /* state of the generator: the same numbers in every run */
} Sample;

Sample sample_new(const char *what, uint64_t seed);
double sample_uniform(Sample *s, double lo, double hi);
int sample_choice(Sample *s, int n);                   /* 0 .. n - 1 */
/* An input with values drawn from lo..hi; bools and integers are drawn whole. */
Node *sample_input(Sample *s, Type t, double lo, double hi);

/* The shape of up to MAX_RANK constant sizes that ends at a negative one. */
Shape shape_of(const long *size);
#define SHAPE(...) shape_of((const long[]){__VA_ARGS__, -1})
#define SCALAR ((Shape){0})
Type real_of(Shape s);

Tensor *sample_value(const Sample *s, Node *n);
/* The sum of all elements of y, each with a weight of its own. */
Node *weighted_sum(Sample *s, Node *y);

/* Compares d loss / d x for every varied input with central differences, then does the same with a
 * weighted sum of those derivatives; both also after simplification. */
void check_derivatives(Sample *s, Node *loss);
/* The roots before and after simplification have the same values, within 1e-12 of their size. */
void check_simplified(Sample *s, Node *const *roots, int n);

#endif
