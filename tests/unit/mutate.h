/* mutate.h - the texts on which the compiler is tried. */
#ifndef MUTATE_H
#define MUTATE_H
#include "common.h"

void read_programs(void);      /* once, from the top folder */
char *make_case(long number);  /* in the arena; the same number, the same text */
int pick(int n);               /* 0 .. n - 1, by chance; follows the last case */

#endif
