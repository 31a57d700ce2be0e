/* curve.h - a curve in the terminal. */
#ifndef CURVE_H
#define CURVE_H

/* Prints y[0..n-1] > 0 as a line of braille dots over a logarithmic axis, `columns` characters wide
 * with its labels (at most 100) and eight rows high. Neighbours are averaged where there are more
 * values than dots. */
void curve_print(const float *y, int n, int columns, const char *below);

#endif
