/* main.c - what a perceptron can learn and what it cannot: AND and OR, but not XOR, which two
 * layers of perceptrons compute when they are wired by hand. */
#include <stdio.h>
#include "gates.h"

static const float inputs[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};

typedef struct Gate {
    const char *name;
    float wanted[4];
} Gate;

static int mistakes_in_one_pass(gates *m, const Gate *gate)
{
    float mistakes = 0;
    for (int i = 0; i < 4; i++) mistakes += gates_learn(m, inputs[i], gate->wanted[i], NULL);
    return (int)mistakes;
}

static void learn(const Gate *gate)
{
    enum { MOST = 1000 };
    gates m; /* a model is plain data: every gate gets its own */
    int passes = 0, mistakes = 1;
    gates_init(&m, 0);
    while (mistakes && passes < MOST) {
        mistakes = mistakes_in_one_pass(&m, gate);
        passes++;
    }
    printf("%-4s %s after %d passes: w = (%g, %g), b = %g, answers", gate->name,
           mistakes ? "still wrong" : "learned", passes, (double)m.params.w[0],
           (double)m.params.w[1], (double)m.params.b);
    for (int i = 0; i < 4; i++) printf(" %g", (double)gates_predict(&m, inputs[i], NULL));
    printf("\n");
}

int main(void)
{
    const Gate all[] = {{"AND", {0, 0, 0, 1}}, {"OR", {0, 1, 1, 1}}, {"XOR", {0, 1, 1, 0}}};
    gates m;
    printf("inputs: (0, 0) (0, 1) (1, 0) (1, 1)\n\n");
    for (int k = 0; k < 3; k++) learn(&all[k]);

    /* The wired network has its weights in the code, but every entry of a file takes its model. */
    gates_init(&m, 0);
    printf("\nXOR as AND(OR, NAND), two layers wired by hand: answers");
    for (int i = 0; i < 4; i++) printf(" %g", (double)gates_wired(&m, inputs[i], NULL));
    printf("\n");
    return 0;
}
