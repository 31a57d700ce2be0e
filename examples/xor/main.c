/* main.c - XOR is learned from 100 different beginnings by plain gradient descent. */
#include <stdio.h>
#include "xor.h"

enum { SEEDS = 100, STEPS = 2000 };

static const float x[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
static const float y[4] = {0, 1, 1, 0};

/* A network has solved XOR when every answer is nearer to the right value than 0.1. */
static int is_solved(const xor *net)
{
    float out[4];
    xor_predict(net, 4, x[0], out, NULL);
    for (int i = 0; i < 4; i++) {
        const float error = out[i] - y[i];
        if (error > 0.1f || error < -0.1f) return 0;
    }
    return 1;
}

static void show(const xor *net)
{
    float out[4];
    xor_predict(net, 4, x[0], out, NULL);
    for (int i = 0; i < 4; i++)
        printf("  %g xor %g = %.2f\n", (double)x[i][0], (double)x[i][1], (double)out[i]);
}

/* Returns the step at which XOR was solved, or 0. */
static int train(xor *net, unsigned seed, int talk)
{
    xor_init(net, seed);
    for (int step = 1; step <= STEPS; step++) {
        const float loss = xor_train(net, 4, x[0], y, NULL);
        if (talk && (step == 1 || step % 500 == 0))
            printf("  step %4d  loss %.4f\n", step, (double)loss);
        if (!talk && is_solved(net)) return step;
    }
    return is_solved(net) ? STEPS : 0;
}

int main(void)
{
    static xor net;
    int solved = 0, slowest = 0;

    printf("seed 1, all four samples at every step:\n");
    train(&net, 1, 1);
    show(&net);

    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        const int step = train(&net, seed, 0);
        solved += step > 0;
        if (step > slowest) slowest = step;
    }
    printf("solved from %d of %d seeds, the slowest after %d steps\n", solved, SEEDS, slowest);
    return solved == SEEDS ? 0 : 1;
}
