/* serve.h - a process that is asked for times. After "ready" it reads lines "TASK SECONDS" and
 * answers each with the least time of one call of the task, in microseconds, within these seconds;
 * "-" for a task that it does not have. `turns` asks several of them in turn. With one thread
 * (THREADS=1) it is the processor's time of all threads of the process, in which nothing else that
 * runs on the machine is counted. It is right only on one processor, as `turns` sees to: what a
 * thread spends that is running on another at that moment is added to it later. */
#ifndef SERVE_H
#define SERVE_H
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* `run` is called with `of`. `reset`, if any, comes before each question: training starts from
 * the same weights. */
typedef struct Task {
    const char *name;
    void (*run)(const void *of);
    void (*reset)(void);
    const void *of;
} Task;

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double sample(const Task *task, int times)
{
    const char *threads = getenv("THREADS");
    bool one = threads && !strcmp(threads, "1");
    clockid_t clock = one ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    double start = seconds(clock);
    for (int i = 0; i < times; i++) task->run(task->of);
    return seconds(clock) - start;
}

/* The least time of a call, in microseconds. A sample is as many calls as take 100 microseconds, so
 * that the clock does not matter. */
static double least(const Task *task, double limit)
{
    int times = 1;
    double end = seconds(CLOCK_MONOTONIC) + limit, best, took;
    task->run(task->of);
    while ((best = sample(task, times)) < 100e-6) times *= 2;
    while (seconds(CLOCK_MONOTONIC) < end)
        if ((took = sample(task, times)) < best) best = took;
    return 1e6 * best / times;
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
            printf("%.6f\n", least(&tasks[i], limit));
        } else {
            puts("-");
        }
        fflush(stdout);
    }
    return 0;
}
#endif
