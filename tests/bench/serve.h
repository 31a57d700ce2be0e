/* serve.h - a process that is asked for times. After "ready" it reads lines "TASK SECONDS" and answers
 * each with the least time of one call of the task, in microseconds, within these seconds; "-" for a
 * task that it does not have. `turns` asks several of them in turn. */
#ifndef SERVE_H
#define SERVE_H
#include <stdio.h>
#include <string.h>
#include <time.h>

/* `reset`, if any, comes before each question: training starts from the same weights. */
typedef struct Task { const char *name; void (*run)(void); void (*reset)(void); } Task;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The least time of a call, in microseconds. A sample is as many calls as take 20 microseconds, so that
 * the clock does not matter. */
static double least(void (*run)(void), double limit)
{
    int times = 1;
    double best = 1e30, end = seconds() + limit, start, took;
    run();
    for (;; times *= 2) {
        start = seconds();
        for (int i = 0; i < times; i++) run();
        if ((took = seconds() - start) >= 20e-6) break;
    }
    do {
        if (took / times < best) best = took / times;
        start = seconds();
        for (int i = 0; i < times; i++) run();
        took = seconds() - start;
    } while (start + took < end);
    return 1e6 * (took / times < best ? took / times : best);
}

static int serve(const Task *tasks, int n)
{
    char line[128], name[100];
    double limit;
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        int i = n;
        if (sscanf(line, "%99s %lf", name, &limit) == 2)
            for (i = 0; i < n && strcmp(tasks[i].name, name) != 0; i++) {}
        if (i < n) {
            if (tasks[i].reset) tasks[i].reset();
            printf("%.6f\n", least(tasks[i].run, limit));
        } else {
            puts("-");
        }
        fflush(stdout);
    }
    return 0;
}
#endif
