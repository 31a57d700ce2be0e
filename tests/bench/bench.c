/* bench.c - times a training step and a prediction of one sample of the benchmark's networks.
 * Prints, for each, the least time of many repetitions in microseconds: the machine may be shared,
 * so only minima of one run are compared. */
#define _POSIX_C_SOURCE 200809L
#include "mlp.h"
#include "xor.h"

#include <stdio.h>
#include <time.h>

enum { BLOCKS = 300 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static _Alignas(64) char work[MLP_WORK > 64 ? MLP_WORK : 64];
static float pictures[64 * 784], classes[64 * 10];
static int32_t labels[64];
static const float corners[8] = {0, 0, 0, 1, 1, 0, 1, 1}, targets[4] = {0, 1, 1, 0};
static mlp big;
static xor small;

static void big_step(void) { mlp_train(&big, 64, pictures, labels, work); }
static void big_predict(void) { mlp_predict(&big, 1, pictures, classes, work); }
static void small_step(void) { xor_train(&small, 4, corners, targets, work); }
static void small_predict(void) { xor_predict(&small, 1, corners, classes, work); }

static double least(void (*run)(void), int times)
{
    double best = 1e30;
    for (int block = 0; block < BLOCKS; block++) {
        double start = now();
        for (int i = 0; i < times; i++) run();
        double each = (now() - start) / times;
        if (each < best) best = each;
    }
    return best;
}

int main(void)
{
    mlp_init(&big, 1);
    xor_init(&small, 1);
    nn_normal(pictures, 64 * 784, 1, 0, 0);
    for (int i = 0; i < 64; i++) labels[i] = i % 10;
    printf("mlp train %.3f\n", least(big_step, 1));
    printf("mlp infer %.3f\n", least(big_predict, 20));
    printf("xor train %.4f\n", least(small_step, 500));
    printf("xor infer %.4f\n", least(small_predict, 500));
    return 0;
}
