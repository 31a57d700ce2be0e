/* main.c - learns a motion from its equation alone: physics [STEPS [WEIGHTS [PICTURE]]].
 * In: nothing but the number of steps (10000). Out: how it goes, the parameters in WEIGHTS
 * (physics.safetensors), how far the motion is from the exact one when they are read back, and
 * both drawn in PICTURE (physics.svg). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "nn.h"
#include "physics.h"
#include "progress.h"

enum { POINTS = PHYSICS_N_MAX, SEED = 1, PARTS = 10, WIDTH = 640, HEIGHT = 320 };
static const float END = 2; /* T of physics.nn */

typedef struct Motion {
    float t[POINTS], u[POINTS], exact[POINTS];
    double error; /* the largest difference */
} Motion;

static physics net;
static _Alignas(64) unsigned char work[PHYSICS_WORK];

static void follow(Motion *m)
{
    for (int i = 0; i < POINTS; i++) m->t[i] = END * (float)i / (POINTS - 1);
    physics_motion(&net, POINTS, m->t, m->u, m->exact, work);
    m->error = 0;
    for (int i = 0; i < POINTS; i++)
        m->error = fmax(m->error, fabs((double)(m->u[i] - m->exact[i])));
}

/* Keeps the motion after a fiftieth of the steps. */
static void train(Progress *p, Motion *early)
{
    char said[64];
    Motion now;
    for (int e = 0; e < p->epochs; e++) {
        for (int s = 0; s < p->steps; s++) {
            const float done = (float)p->done / (float)(p->epochs * p->steps);
            if (p->done == p->epochs * p->steps / 50) follow(early);
            progress_step(p, physics_train(&net, done, work));
        }
        follow(&now);
        snprintf(said, sizeof said, "largest error %.5f", now.error);
        progress_epoch(p, said);
    }
}

/* Writes the parameters and reads them into a model that has never learned. */
static int save_and_load(const char *path)
{
    char error[256];
    int failed =
        nn_save(path, physics_param_table, PHYSICS_PARAMS, &net.params, error, sizeof error);
    physics_init(&net, SEED + 1);
    failed = failed ||
             nn_load(path, physics_param_table, PHYSICS_PARAMS, &net.params, error, sizeof error);
    if (failed) fprintf(stderr, "physics: %s\n", error);
    return failed;
}

/* Over u = -1 .. 1. */
static void draw_curve(FILE *f, const float *t, const float *u, const char *style)
{
    fprintf(f, "<polyline fill=\"none\" %s points=\"", style);
    for (int i = 0; i < POINTS; i++)
        fprintf(f, "%s%.1f,%.1f", i ? " " : "", (double)(t[i] / END * WIDTH),
                (double)((1 - u[i]) * HEIGHT / 2));
    fprintf(f, "\"/>\n");
}

static int draw(const char *path, const Motion *early, const Motion *late)
{
    FILE *f = fopen(path, "w");
    if (f) {
        fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-8 -8 %d %d\">\n",
                WIDTH + 16, HEIGHT + 16);
        fprintf(f, "<path d=\"M0 0V%dM0 %dH%d\" stroke=\"#888\"/>\n", HEIGHT, HEIGHT / 2, WIDTH);
        draw_curve(f, late->t, late->exact, "stroke=\"#fc6\" stroke-width=\"7\"");
        draw_curve(f, late->t, early->u, "stroke=\"#68c\" stroke-dasharray=\"6 4\"");
        draw_curve(f, late->t, late->u, "stroke=\"#136\" stroke-width=\"1.5\"");
        fprintf(f, "</svg>\n");
    }
    if (f && !ferror(f) && !fclose(f)) return 0;
    fprintf(stderr, "physics: cannot write %s\n", path);
    return -1;
}

int main(int argc, char **argv)
{
    const int steps = argc > 1 ? atoi(argv[1]) : 10000;
    const char *weights = argc > 2 ? argv[2] : "physics.safetensors";
    const char *picture = argc > 3 ? argv[3] : "physics.svg";
    Progress progress;
    Motion early, late, again;
    if (steps < PARTS || progress_start(&progress, PARTS, steps / PARTS)) {
        fprintf(stderr, "usage: physics [STEPS [WEIGHTS [PICTURE]]], at least %d steps\n", PARTS);
        return 2;
    }
    physics_init(&net, SEED);
    train(&progress, &early);
    progress_end(&progress);
    follow(&late);
    if (save_and_load(weights) || draw(picture, &early, &late)) return 1;
    follow(&again);
    printf("\nwrote %s and %s; read back, the largest error is %.5f\n", weights, picture,
           again.error);
    return again.error == late.error ? 0 : 1;
}
