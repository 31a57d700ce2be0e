/* arrays.h - arrays of exact size and numbers to fill them, for the suites of the runtime. */
#ifndef ARRAYS_H
#define ARRAYS_H
#include <stddef.h>
#include <stdint.h>

/* The numbers from here on depend on `state` alone, which is not 0. */
void random_start(uint64_t state);
/* 0 .. n - 1; the same in every run */
int random_below(int n);
/* -1 .. 1 */
double random_value(void);
/* an array that ends where its last element ends, so that a sanitizer sees every overrun */
void *array(size_t count, size_t size);
/* the elements from the first to the last of a matrix with rows `ld` apart */
size_t extent(int rows, int cols, int ld);

#endif
