/* main.c - learns to tell ten kinds of pictures apart: digits FOLDER [EPOCHS [WEIGHTS]].
 * In: MNIST's four files in FOLDER (Fashion-MNIST of Debian when none is named). Out: how it goes,
 * the curve of the loss, and the parameters in WEIGHTS (digits.safetensors) for predict. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "curve.h"
#include "digits.h"
#include "idx.h"
#include "nn.h"

enum { BATCH = DIGITS_N_MAX, SEED = 1 };

static digits net; /* parameters and Adam's moments: 1.2 MB, too much for some stacks */
static _Alignas(64) unsigned char work[DIGITS_WORK];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Another order in every epoch, the same in every run. */
static void shuffle(int *order, int n, int epoch)
{
    for (int i = 0; i < n; i++) order[i] = i;
    for (int i = n - 1; i > 0; i--) {
        const double u = nn_uniform_at(SEED, (uint64_t)epoch, 1000, (uint64_t)i);
        const int k = (int)(u * (i + 1)), swap = order[i];
        order[i] = order[k];
        order[k] = swap;
    }
}

static double accuracy(const Pictures *p)
{
    int32_t answer[BATCH];
    int right = 0;
    for (int at = 0; at < p->count; at += BATCH) {
        const int n = p->count - at < BATCH ? p->count - at : BATCH;
        digits_predict(&net, n, p->grey + (size_t)at * PIXELS, answer, work);
        for (int i = 0; i < n; i++) right += answer[i] == p->label[at + i];
    }
    return 100.0 * right / p->count;
}

/* One step on the pictures order[0 .. BATCH - 1]; returns the loss. */
static float step(const Pictures *p, const int *order)
{
    static uint8_t grey[BATCH * PIXELS];
    int32_t label[BATCH];
    float loss, right;
    for (int i = 0; i < BATCH; i++) {
        memcpy(grey + i * PIXELS, p->grey + (size_t)order[i] * PIXELS, PIXELS);
        label[i] = p->label[order[i]];
    }
    digits_train(&net, BATCH, grey, label, &loss, &right, work);
    return loss;
}

/* The loss of every step goes to curve. Progress is shown on a terminal only. */
static void train(const Pictures *p, const Pictures *test, int epochs, int *order, float *curve)
{
    const int steps = p->count / BATCH; /* the few pictures left over change with the order */
    const double start = now();
    for (int e = 0; e < epochs; e++) {
        double sum = 0;
        shuffle(order, p->count, e);
        for (int s = 0; s < steps; s++) {
            const int done = e * steps + s + 1;
            sum += (double)(curve[done - 1] = step(p, order + s * BATCH));
            if (s % 20 || !isatty(1)) continue;
            const double left = (now() - start) / done * (epochs * steps - done);
            printf("\repoch %2d  %3d %%  loss %.4f  %3.0f s left ", e + 1, 100 * s / steps,
                   sum / (s + 1), left);
            fflush(stdout);
        }
        const double left = (now() - start) / (e + 1) * (epochs - e - 1);
        printf("%sepoch %2d  loss %.4f  test accuracy %5.2f %%  %3.0f s left\n",
               isatty(1) ? "\r\033[K" : "", e + 1, sum / steps, accuracy(test), left);
    }
    printf("\ntraining took %.1f s; the loss (logarithmic):\n", now() - start);
    curve_print(curve, epochs * steps, 80, "from the first step to the last");
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist";
    const int epochs = argc > 2 ? atoi(argv[2]) : 10;
    const char *weights = argc > 3 ? argv[3] : "digits.safetensors";
    char error[256];
    Pictures pictures = {0}, test = {0};
    if (epochs < 1 || epochs > 1000 || pictures_read(&pictures, folder, "train") ||
        pictures_read(&test, folder, "t10k")) {
        fputs("usage: digits FOLDER [EPOCHS [WEIGHTS]], with the files of MNIST\n", stderr);
        pictures_free(&pictures);
        return 2;
    }
    int *order = malloc((size_t)pictures.count * sizeof *order);
    float *curve = malloc((size_t)epochs * (size_t)(pictures.count / BATCH + 1) * sizeof *curve);
    int failed = !order || !curve;
    if (!failed) {
        digits_init(&net, SEED);
        train(&pictures, &test, epochs, order, curve);
        failed = nn_save(weights, digits_param_table, DIGITS_PARAMS, &net.params, error,
                         sizeof error);
        if (failed) fprintf(stderr, "digits: %s\n", error);
        else printf("\nwrote %s\n", weights);
    }
    free(order);
    free(curve);
    pictures_free(&pictures);
    pictures_free(&test);
    return failed ? 1 : 0;
}
