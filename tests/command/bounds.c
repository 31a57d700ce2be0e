/* Rows 3 and N of a table of 4: what the compiled model does with an index outside. */
#include "bounds.h"
#include <stdio.h>

int main(int argc, char **argv)
{
    const float E[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const int32_t t[2] = {3, argc > 1 ? argv[1][0] - '5' : 0};
    float y[4];
    bounds_rows(2, E, t, y, NULL);
    printf("%g %g\n", (double)y[2], (double)y[3]);
    return 0;
}
