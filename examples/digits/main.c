/* main.c - learns to tell ten kinds of pictures apart: digits FOLDER [EPOCHS [WEIGHTS]].
 * In: MNIST's four files in FOLDER (Fashion-MNIST of Debian when none is named). Out: how it goes,
 * the curve of the loss, and the parameters in WEIGHTS (digits.safetensors) for predict. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include "digits.h"
#include "idx.h"
#include "nn.h"
#include "progress.h"

enum { BATCH = DIGITS_N_MAX, SEED = 1 };

static digits net; /* parameters and Adam's moments: 1.2 MB, too much for some stacks */
static _Alignas(64) unsigned char work[DIGITS_WORK];

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

static void train(Pictures *p, const Pictures *test, Progress *progress)
{
    static uint8_t grey[BATCH * PIXELS];
    int32_t label[BATCH];
    float loss, right;
    char said[64];
    for (int e = 0; e < progress->epochs; e++) {
        pictures_shuffle(p, SEED, e);
        for (int s = 0; s < progress->steps; s++) {
            pictures_take(p, s * BATCH, BATCH, grey, label);
            digits_train(&net, BATCH, grey, label, &loss, &right, work);
            progress_step(progress, loss);
        }
        snprintf(said, sizeof said, "test accuracy %5.2f %%", accuracy(test));
        progress_epoch(progress, said);
    }
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist";
    const int epochs = argc > 2 ? atoi(argv[2]) : 10;
    const char *weights = argc > 3 ? argv[3] : "digits.safetensors";
    char error[256];
    Pictures pictures, test;
    Progress progress;
    if (epochs < 1 || epochs > 1000 || pictures_read_both(&pictures, &test, folder, INT_MAX)) {
        fputs("usage: digits FOLDER [EPOCHS [WEIGHTS]], with the files of MNIST\n", stderr);
        return 2;
    }
    /* the few pictures left over change with the order */
    int failed = progress_start(&progress, epochs, pictures.count / BATCH);
    if (!failed) {
        digits_init(&net, SEED);
        train(&pictures, &test, &progress);
        progress_end(&progress);
        failed = nn_save(weights, digits_param_table, DIGITS_PARAMS, &net.params, error,
                         sizeof error);
        if (failed) fprintf(stderr, "digits: %s\n", error);
        else printf("\nwrote %s\n", weights);
    }
    pictures_free(&pictures);
    pictures_free(&test);
    return failed ? 1 : 0;
}
