/* main.c - the lecture's graph f = (x + y) z: its value forwards, its gradient backwards. */
#include <stdio.h>
#include "graph.h"

int main(void)
{
    const float x = -2, y = 5, z = -4;
    float dx, dy, dz;

    /* Neither entry needs work memory (GRAPH_WORK is 0), so NULL will do. */
    const float f = graph_value(x, y, z, NULL);
    graph_gradient(x, y, z, &dx, &dy, &dz, NULL);
    printf("f(%g, %g, %g) = %g\n", (double)x, (double)y, (double)z, (double)f);
    printf("df/dx = %g   df/dy = %g   df/dz = %g\n", (double)dx, (double)dy, (double)dz);
    return 0;
}
