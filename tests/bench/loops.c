/* loops.c - loops over elements and rows that nnc wrote (loops.nn), as a process that is asked for
 * the times of each, and of `copy`: memcpy between two such arrays, of COUNT elements. */
#define _POSIX_C_SOURCE 200809L
#include "loops.h"
#include "serve.h"

static loops m;
static float x[COUNT], y[COUNT], bias[256];
static volatile float total;

#define LOOP(name, call)                   \
    static void run_##name(const void *of) \
    {                                      \
        (void)of;                          \
        call;                              \
    }
LOOP(copy, memcpy(y, x, sizeof y); __asm__ volatile("" : : "r"(y) : "memory"))
LOOP(bias_relu, loops_bias_relu(&m, x, bias, y, NULL))
LOOP(tanh, loops_tanhs(&m, x, y, NULL))
LOOP(exp, loops_exps(&m, x, y, NULL))
LOOP(gelu, loops_gelus(&m, x, y, NULL))
LOOP(sum, total = loops_sums(&m, x, NULL))
LOOP(softmax, loops_softmaxes(&m, x, y, NULL))
LOOP(layer_norm, loops_layer_norm(&m, x, y, NULL))
LOOP(adam, loops_adam(&m, x, NULL))

int main(void)
{
#define TASK(name) {#name, run_##name, NULL, NULL}
    static const Task tasks[] = {
        TASK(copy), TASK(bias_relu), TASK(tanh), TASK(exp), TASK(gelu),
        TASK(sum), TASK(softmax), TASK(layer_norm), TASK(adam),
    };
    loops_init(&m, 1);
    nn_normal(x, COUNT, 1, 0, 1);
    nn_normal(bias, 256, 1, 0, 2);
    return serve(tasks, sizeof tasks / sizeof tasks[0]);
}
