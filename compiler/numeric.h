/* numeric.h - derivatives compared with differences, for `nnc test`. */
#ifndef NNC_NUMERIC_H
#define NNC_NUMERIC_H
#include "command.h"

/* The derivative of the first result of an entry, a real scalar, against central differences in
 * double precision: for every param and real input, at the machine's values and the arguments. Of
 * large arrays some elements are tried. NULL: they agree; else what differs most, or why there is
 * nothing to compare. */
const char *check_gradient(Machine *m, const Entry *e, Tensor *const *args);

/* The stated derivative of a fn against central differences at a few points. NULL: they agree. */
const char *check_stated(const Stated *s);

#endif
