#include <stdio.h>
#include "neuron.h"
int main(void)
{
    const float x[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    neuron n;
    neuron_init(&n, 1);
    for (int i = 0; i < 4000; i++) neuron_learn(&n, x[i % 4], (float)(i % 4 == 3), NULL);
    for (int i = 0; i < 4; i++) printf("%.2f\n", (double)neuron_predict(&n, x[i], NULL));
}
