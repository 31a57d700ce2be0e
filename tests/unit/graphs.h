/* graphs.h - random programs, built with the graph builders: every operator, every kind of view,
 * products small and large, updates. For the tests of the loop level. */
#ifndef GRAPHS_H
#define GRAPHS_H
#include "nnc.h"

/* A program with `entries` random entries of about `size` nodes each, over the dim N in 1..hi, with
 * parameters and states. The same number gives the same program. */
Program *random_program(uint64_t number, int entries, int size, long hi);
/* Arguments for an entry with N = n. */
Tensor **random_arguments(const Entry *e, uint64_t number, long n);
/* Every operator that has been used, as 1 << Op, since the process started. */
uint64_t operators_used(void);

#endif
