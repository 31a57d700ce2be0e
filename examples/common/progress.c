/* progress.c - tells how a training goes. In: the loss of every step. Out: lines on stdout. */
#include "progress.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "curve.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double left(const Progress *p)
{
    return (now() - p->start) / p->done * (p->epochs * p->steps - p->done);
}

int progress_start(Progress *p, int epochs, int steps)
{
    *p = (Progress){.epochs = epochs, .steps = steps, .start = now()};
    const int some = epochs > 0 && steps > 0;
    if (some) p->curve = malloc((size_t)epochs * (size_t)steps * sizeof *p->curve);
    if (p->curve) return 0;
    fprintf(stderr, "%s\n", some ? "too many steps for the memory" : "too few data for one step");
    return -1;
}

void progress_step(Progress *p, float loss)
{
    const int step = p->done % p->steps;
    if (step == 0) p->sum = 0;
    p->sum += (double)loss;
    p->curve[p->done++] = loss;
    if (step % 20 || !isatty(1)) return;
    printf("\repoch %2d  %3d %%  loss %.4g  %3.0f s left ", (p->done - 1) / p->steps + 1,
           100 * step / p->steps, p->sum / (step + 1), left(p));
    fflush(stdout);
}

void progress_epoch(Progress *p, const char *said)
{
    const double loss = p->sum / p->steps;
    printf("%sepoch %2d  loss ", isatty(1) ? "\r\033[K" : "", p->done / p->steps);
    printf(loss < 0.01 ? "%.1e" : loss < 100 ? "%.4f" : "%.2f", loss);
    printf("  %s  %3.0f s left\n", said, left(p));
    fflush(stdout);
}

void progress_end(Progress *p)
{
    printf("\ntraining took %.1f s; the loss (logarithmic):\n", now() - p->start);
    curve_print(p->curve, p->done, 80, "from the first step to the last");
    free(p->curve);
    *p = (Progress){0};
}
