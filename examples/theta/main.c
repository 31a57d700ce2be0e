/* main.c - forward propagation by the generated code, beside the same sums written out by hand. */
#include <math.h>
#include <stdio.h>
#include "theta.h"

static double g(double z)
{
    return 1 / (1 + exp(-z));
}

/* One unit: g(row[0] * 1 + row[1] x1 + row[2] x2). */
static double unit(const float *row, double x1, double x2)
{
    return g((double)row[0] + (double)row[1] * x1 + (double)row[2] * x2);
}

int main(void)
{
    const float inputs[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    theta m;
    double largest = 0;
    theta_init(&m, 0); /* the matrices are given in theta.nn, nothing is drawn */

    printf("x1 x2   h = g(Theta a1)   a2 = g(Theta1 a1)      h = g(Theta2 a2)\n");
    for (int i = 0; i < 4; i++) {
        const float *x = inputs[i];
        float logistic, a2[2], a3;
        theta_two_layers(&m, x, &logistic, NULL);
        theta_three_layers(&m, x, a2, &a3, NULL);
        printf("%g  %g    %.6f          %.6f  %.6f     %.6f\n", (double)x[0], (double)x[1],
               (double)logistic, (double)a2[0], (double)a2[1], (double)a3);

        const double x1 = (double)x[0], x2 = (double)x[1];
        const double b1 = unit(m.params.Theta1[0], x1, x2), b2 = unit(m.params.Theta1[1], x1, x2);
        const double by_hand[4] = {unit(m.params.Theta[0], x1, x2), b1, b2,
                                   unit(m.params.Theta2[0], b1, b2)};
        const double generated[4] = {(double)logistic, (double)a2[0], (double)a2[1], (double)a3};
        for (int k = 0; k < 4; k++) largest = fmax(largest, fabs(generated[k] - by_hand[k]));
    }
    printf("\ntwo layers: x1 AND x2; three layers: x1 XNOR x2\n");
    printf("the same sums written out in double differ by less than 1e-6: %s\n",
           largest < 1e-6 ? "yes" : "no");
    return largest < 1e-6 ? 0 : 1;
}
