/* model.c - a network of the benchmark in C that nnc wrote, as a process that is asked for the times of
 * `train`, `infer` and, with -DSGD, `sgd`. MODEL is its name; X, T and Y are the elements of the inputs,
 * targets and outputs; X_CLASSES and T_CLASSES say below which number integers lie, 0 for reals. */
#define _POSIX_C_SOURCE 200809L
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define CALL(f) PASTE(PASTE(MODEL, _), f)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#include TEXT(MODEL.h)
#include "serve.h"

#include <stdlib.h>

static MODEL m, start;
static void *x, *t, *y, *work;

static void train(const void *none)
{
    (void)none;
    CALL(train)(&m, x, t, work);
}

static void infer(const void *none)
{
    (void)none;
    CALL(predict)(&m, x, y, work);
}

static void reset(void) { m = start; }

#ifdef SGD
static void sgd(const void *none)
{
    (void)none;
    CALL(sgd)(&m, x, t, work);
}
#endif

/* n numbers: integers below `classes`, or normal values */
static void *numbers(size_t n, int classes, uint32_t site)
{
    float *real = malloc(n * sizeof *real);
    int32_t *whole = malloc(n * sizeof *whole);
    if (!real || !whole) exit(1);
    if (classes) nn_uniform(real, n, 1, 0, site);
    else nn_normal(real, n, 1, 0, site);
    for (size_t i = 0; i < n; i++) whole[i] = (int32_t)(real[i] * (float)classes);
    free(classes ? (void *)real : (void *)whole);
    return classes ? (void *)whole : (void *)real;
}

int main(void)
{
    static const Task tasks[] = {
        {"train", train, reset, NULL}, {"infer", infer, reset, NULL},
#ifdef SGD
        {"sgd", sgd, reset, NULL},
#endif
    };
    x = numbers(X, X_CLASSES, 1);
    t = numbers(T, T_CLASSES, 2);
    y = numbers(Y, 0, 3);
    work = aligned_alloc(64, WORK / 64 * 64 + 64);
    if (!work) return 1;
    memset(work, 0, WORK);
    CALL(init)(&start, 1);
    return serve(tasks, sizeof tasks / sizeof tasks[0]);
}
