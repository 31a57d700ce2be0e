/* main.c - learns to draw digits: vae FOLDER [EPOCHS [WEIGHTS [PICTURE [COUNT]]]].
 * In: MNIST's four files in FOLDER, of which the first COUNT training pictures are used (all). Out:
 * how it goes, the parameters in WEIGHTS (vae.safetensors), and with the parameters read back from
 * there a PICTURE (vae.png): test pictures over what is left of them, walks from one digit to
 * another, and new ones. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "idx.h"
#include "nn.h"
#include "png.h"
#include "progress.h"
#include "vae.h"

enum { BATCH = VAE_N_MAX, SEED = 1, COLUMNS = 16, WALKS = 3, DRAWN = 5, SIDE = 28, GAP = 8 };
enum { ROWS = 2 + WALKS + DRAWN, WIDTH = COLUMNS * SIDE, HEIGHT = ROWS * SIDE + 2 * GAP };

static vae net;
static _Alignas(64) unsigned char work[VAE_WORK];

/* The loss of the test pictures in its two parts. */
static void measure(const Pictures *p, char *said, size_t size)
{
    double rec = 0, kl = 0;
    int batches = 0;
    for (int at = 0; at + BATCH <= p->count; at += BATCH, batches++) {
        float r, k;
        vae_loss(&net, BATCH, p->grey + (size_t)at * PIXELS, &r, &k, work);
        rec += (double)r;
        kl += (double)k;
    }
    snprintf(said, size, "test: reconstruction %.2f + divergence %.2f", rec / batches,
             kl / batches);
}

static void train(Pictures *p, const Pictures *test, Progress *progress)
{
    static uint8_t grey[BATCH * PIXELS];
    int32_t label[BATCH];
    char said[80];
    for (int e = 0; e < progress->epochs; e++) {
        pictures_shuffle(p, SEED, e);
        for (int s = 0; s < progress->steps; s++) {
            pictures_take(p, s * BATCH, BATCH, grey, label);
            progress_step(progress, vae_train(&net, BATCH, grey, work));
        }
        measure(test, said, sizeof said);
        progress_epoch(progress, said);
    }
}

/* Puts a row of pictures into the sheet, black on white. */
static void put_row(uint8_t *sheet, int top, const uint8_t *grey)
{
    for (int i = 0; i < COLUMNS; i++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                sheet[(top + y) * WIDTH + i * SIDE + x] = 255 - grey[(i * SIDE + y) * SIDE + x];
}

static int draw(const Pictures *test, const char *path)
{
    static uint8_t sheet[WIDTH * HEIGHT], row[COLUMNS * PIXELS];
    int top = 2 * SIDE + GAP;
    memset(sheet, 255, sizeof sheet);
    put_row(sheet, 0, test->grey);
    vae_reconstruct(&net, COLUMNS, test->grey, row, work);
    put_row(sheet, SIDE, row);
    for (int i = 0; i < WALKS; i++, top += SIDE) {
        const uint8_t *from = test->grey + 2 * i * PIXELS;
        vae_walk(&net, COLUMNS, from, from + PIXELS, row, work);
        put_row(sheet, top, row);
    }
    top += GAP;
    for (int i = 0; i < DRAWN; i++, top += SIDE) {
        vae_sample(&net, COLUMNS, row, work);
        put_row(sheet, top, row);
    }
    return png_write(path, sheet, WIDTH, HEIGHT);
}

/* Writes the parameters and reads them into a model that was never trained, which must then give
 * the same pictures. */
static int save_and_load(const char *path, const Pictures *test)
{
    static uint8_t before[BATCH * PIXELS], after[BATCH * PIXELS];
    char error[256];
    vae_reconstruct(&net, BATCH, test->grey, before, work);
    if (nn_save(path, vae_param_table, VAE_PARAMS, &net.params, error, sizeof error) == 0) {
        vae_init(&net, SEED + 1);
        if (nn_load(path, vae_param_table, VAE_PARAMS, &net.params, error, sizeof error) == 0) {
            vae_reconstruct(&net, BATCH, test->grey, after, work);
            if (memcmp(before, after, sizeof before) == 0) return 0;
            snprintf(error, sizeof error, "%s gives other pictures", path);
        }
    }
    fprintf(stderr, "vae: %s\n", error);
    return -1;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "";
    const int epochs = argc > 2 ? atoi(argv[2]) : 20;
    const char *weights = argc > 3 ? argv[3] : "vae.safetensors";
    const char *picture = argc > 4 ? argv[4] : "vae.png";
    const int most = argc > 5 ? atoi(argv[5]) : INT_MAX;
    Pictures pictures, test;
    Progress progress;
    if (argc < 2 || epochs < 1 || pictures_read_both(&pictures, &test, folder, most)) {
        fputs("usage: vae FOLDER [EPOCHS [WEIGHTS [PICTURE [COUNT]]]], with the files of MNIST\n",
              stderr);
        return 2;
    }
    int failed = test.count < BATCH || progress_start(&progress, epochs, pictures.count / BATCH);
    if (!failed) {
        vae_init(&net, SEED);
        train(&pictures, &test, &progress);
        progress_end(&progress);
        failed = save_and_load(weights, &test) || draw(&test, picture);
        if (!failed) printf("\nwrote %s and %s\n", weights, picture);
    }
    pictures_free(&pictures);
    pictures_free(&test);
    return failed ? 1 : 0;
}
