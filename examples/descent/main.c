/* main.c - fits a line to real data by gradient descent, and compares it with the line that least
 * squares gives in closed form. */
#include <math.h>
#include <stdio.h>
#include "descent.h"
#include "petals.h"

enum { STEPS = 2000 };

/* theta1 = sum (x - mean x) (y - mean y) / sum (x - mean x)^2, theta0 = mean y - theta1 mean x */
static void least_squares(double *theta0, double *theta1)
{
    double mx = 0, my = 0, xy = 0, xx = 0;
    for (int i = 0; i < PETALS; i++) {
        mx += (double)petal_length[i] / PETALS;
        my += (double)petal_width[i] / PETALS;
    }
    for (int i = 0; i < PETALS; i++) {
        const double dx = (double)petal_length[i] - mx;
        xy += dx * ((double)petal_width[i] - my);
        xx += dx * dx;
    }
    *theta1 = xy / xx;
    *theta0 = my - *theta1 * mx;
}

int main(void)
{
    /* Larger steps than about 0.11 overshoot the valley for these lengths, and the cost rises. */
    const float alpha = 0.1f;
    descent m;
    double theta0, theta1;

    descent_init(&m, 0);
    printf("   step      cost   theta0   theta1\n");
    for (int step = 0; step <= STEPS; step++) {
        const double before0 = (double)m.params.theta0, before1 = (double)m.params.theta1;
        const float J = descent_descend(&m, PETALS, petal_length, petal_width, alpha, NULL);
        if (step < 3 || step == 10 || step == 100 || step == 1000 || step == STEPS)
            printf("%7d  %.6f  %7.4f  %7.4f\n", step, (double)J, before0, before1);
    }
    least_squares(&theta0, &theta1);
    printf("\ngradient descent  width = %.4f + %.4f length\n", (double)m.params.theta0,
           (double)m.params.theta1);
    printf("least squares     width = %.4f + %.4f length\n", theta0, theta1);

    const double error =
        fmax(fabs((double)m.params.theta0 - theta0), fabs((double)m.params.theta1 - theta1));
    return error < 1e-3 ? 0 : 1;
}
