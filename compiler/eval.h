/* eval.h - the element level of the interpreter, shared by eval.c, eval_ops.c and constant
 * folding in the simplifier, so that a folded constant is what running the program gives. */
#ifndef NNC_EVAL_H
#define NNC_EVAL_H
#include "nnc.h"

/* One element of a map: operands of element type `in` (of the arms, for `where`), result `out`. */
double eval_map(Op op, Elem in, Elem out, const double *v);
/* v, a value of type `from`, as a value of type `to`. */
double eval_convert(Elem from, Elem to, double v);
bool eval_rounds(Elem e);   /* is a real of this type less than a double? */
/* The value of an f16 with these bits. */
double half_value(unsigned bits);
/* The bits of v, which is a half. */
uint16_t half_bits(double v);

/* What leaves read: sizes by Dim.id, inputs by number, the machine's slots, seed and call (NULL:
 * seed 0, call 0, and no slots). */
typedef struct Surroundings {
    const long *dims;
    Tensor *const *inputs;
    const Machine *machine;
    const char **fault;       /* what went wrong first, unless --bounds clamp; NULL: clamped */
} Surroundings;

/* Computes one node from its operands' values into y, whose type and sizes are set. */
void eval_node(const Node *n, Tensor *const *in, const Surroundings *around, Tensor *y);

#endif
