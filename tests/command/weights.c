/* The entries of weights.nn that only compute, of a model in memory or, with -DWEIGHTS, of one made
 * with --weights. `weights save FILE RESULTS` trains a model, writes it, and what its entries give;
 * `weights compare RESULTS` compares with what they give here. */
#include "weights.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef WEIGHTS
#include "nn.h"
#endif

static weights m;
static _Alignas(64) char work[WEIGHTS_WORK];
static float results[10000];

static float wave(int i) { return (float)sin(0.7 * i); }

/* Every entry, for one sample and for three. */
static int compute(void)
{
    float x[8 * 3 * 3 * 81];
    int32_t t[3] = {69, 0, 33}, at = 0;
    for (int i = 0; i < (int)(sizeof x / sizeof *x); i++) x[i] = wave(i);
    for (int n = 1; n <= 3; n += 2) {
        weights_predict(&m, n, x, results + at, work), at += n * 5;
        weights_tied(&m, n, t, results + at, work), at += n * 70;
        weights_turned(&m, n, x, results + at, work), at += n * 24;
        weights_recur(&m, n, x, results + at, work), at += n * 19;
        weights_stream(&m, x, results + at, work), at += 6;
    }
    return at;
}

#ifndef WEIGHTS
static int save(const char *path)
{
    char error[300];
    float x[3 * 3 * 81];
    const int32_t t[3] = {1, 4, 0};
    const nn_group groups[] = {{"params.", weights_param_table, WEIGHTS_PARAMS, &m.params},
                               {"state.", weights_state_table, WEIGHTS_STATES, &m.state}};
    weights_init(&m, 3);
    for (int i = 0; i < 3 * 3 * 81; i++) x[i] = wave(3 * i);
    for (int i = 0; i < 5; i++) (void)weights_train(&m, 3, x, t, work);
    if (!nn_save_groups(path, groups, 2, error, sizeof error)) return 0;
    puts(error);
    return 1;
}
#endif

int main(int argc, char **argv)
{
    static float expected[10000];
    const int saves = argc == 4 && !strcmp(argv[1], "save");
    if (!saves && argc != 3) return 2;
#ifdef WEIGHTS
    weights_init(&m, 9);
#else
    if (!saves || save(argv[2])) return 1;
#endif
    const size_t n = (size_t)compute();
    FILE *f = fopen(argv[argc - 1], saves ? "wb" : "rb");
    if (!f) return 1;
    size_t done = saves ? fwrite(results, sizeof *results, n, f)
                        : fread(expected, sizeof *results, n, f);
    fclose(f);
    for (size_t i = 0; i < n && !saves; i++)
        if (!(fabsf(results[i] - expected[i]) <= 2e-5f * (1 + fabsf(expected[i])))) {
            printf("result %d is %g, expected %g\n", (int)i, (double)results[i],
                   (double)expected[i]);
            return 1;
        }
    printf("%d results %s\n", (int)n, saves ? "written" : "are the same");
    return done != n;
}
