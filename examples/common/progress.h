/* progress.h - how a training goes: lines while it runs, and the curve of the loss at its end. */
#ifndef PROGRESS_H
#define PROGRESS_H

typedef struct Progress {
    int epochs, steps, done; /* steps in an epoch; steps done in all */
    double start, sum;       /* seconds; the sum of this epoch's losses */
    float *curve;            /* the loss of every step */
} Progress;

/* 0 when done; else -1 and a message is on stderr: no step to do, or no memory for the curve. */
int progress_start(Progress *p, int epochs, int steps);

/* After every step. On a terminal there is a line that says how far it is. */
void progress_step(Progress *p, float loss);

/* After every epoch: prints its mean loss, what `said` says, and the time left. */
void progress_epoch(Progress *p, const char *said);

/* Prints the time and the curve, and forgets it. */
void progress_end(Progress *p);

#endif
