/* ops.h - the shape rules of the operator table, for graph.c alone. */
#ifndef NNC_OPS_H
#define NNC_OPS_H
#include "graph.h"

/* The type of op(in...); `given` is taken where operands do not determine it. */
Type op_type(Op op, const Attr *attr, Type given, int n, Node *const *in);

#endif
