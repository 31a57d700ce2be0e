/* main.c - learns kinds of clothes: residual [FOLDER [EPOCHS [WEIGHTS [COUNT]]]].
 * In: the four files of Fashion-MNIST in FOLDER (Debian's), of which the first COUNT training
 * pictures are used (all). Out: how it goes, the curve of the loss, and in WEIGHTS
 * (residual.safetensors) the whole model: parameters, running means and variances, Adam's moments.
 * They are read back and used. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include "idx.h"
#include "residual.h"
#include "nn.h"
#include "progress.h"

enum { BATCH = RESIDUAL_N_MAX, SEED = 1 };

static residual net;
static _Alignas(64) unsigned char work[RESIDUAL_WORK];

/* The number of right answers. */
static int count_right(const Pictures *p)
{
    int32_t answer[BATCH];
    int right = 0;
    for (int at = 0; at < p->count; at += BATCH) {
        const int n = p->count - at < BATCH ? p->count - at : BATCH;
        residual_predict(&net, n, p->grey + (size_t)at * PIXELS, answer, work);
        for (int i = 0; i < n; i++) right += answer[i] == p->label[at + i];
    }
    return right;
}

/* Returns the number of right answers in the end. */
static int train(Pictures *p, const Pictures *test, Progress *progress)
{
    static uint8_t grey[BATCH * PIXELS];
    int32_t label[BATCH];
    char said[64];
    int right = 0;
    for (int e = 0; e < progress->epochs; e++) {
        pictures_shuffle(p, SEED, e);
        for (int s = 0; s < progress->steps; s++) {
            pictures_take(p, s * BATCH, BATCH, grey, label);
            const float done = (float)progress->done / (float)(progress->epochs * progress->steps);
            progress_step(progress, residual_train(&net, BATCH, grey, label, done, work));
        }
        right = count_right(test);
        snprintf(said, sizeof said, "test accuracy %5.2f %%", 100.0 * right / test->count);
        progress_epoch(progress, said);
    }
    return right;
}

/* Writes the model and reads it into one that has never learned. */
static int save_and_load(const char *path)
{
    const nn_group model[2] = {
        {"", residual_param_table, RESIDUAL_PARAMS, &net.params},
        {"state.", residual_state_table, RESIDUAL_STATES, &net.state},
    };
    char error[256];
    int failed = nn_save_groups(path, model, 2, error, sizeof error);
    residual_init(&net, SEED + 1);
    failed = failed || nn_load_groups(path, model, 2, error, sizeof error);
    if (failed) fprintf(stderr, "residual: %s\n", error);
    return failed;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist";
    const int epochs = argc > 2 ? atoi(argv[2]) : 5;
    const char *weights = argc > 3 ? argv[3] : "residual.safetensors";
    const int most = argc > 4 ? atoi(argv[4]) : INT_MAX;
    Pictures pictures, test;
    Progress progress;
    if (epochs < 1 || pictures_read_both(&pictures, &test, folder, most)) {
        fputs("usage: residual [FOLDER [EPOCHS [WEIGHTS [COUNT]]]], with the files of MNIST\n",
              stderr);
        return 2;
    }
    int failed = progress_start(&progress, epochs, pictures.count / BATCH);
    if (!failed) {
        residual_init(&net, SEED);
        const int right = train(&pictures, &test, &progress);
        progress_end(&progress);
        failed = save_and_load(weights);
        if (!failed) {
            const int again = count_right(&test);
            printf("\nwrote %s; read back, it is right on %d of %d\n", weights, again, test.count);
            failed = again != right;
        }
    }
    pictures_free(&pictures);
    pictures_free(&test);
    return failed ? 1 : 0;
}
