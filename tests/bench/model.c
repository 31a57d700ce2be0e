/* model.c - a network of the benchmark in C that nnc wrote, as a process that is asked for the
 * times of `train`, `infer` and, with -DSGD, `sgd`. MODEL is its name; X, T and Y are the elements
 * of the inputs, targets and outputs; X_CLASSES and T_CLASSES say below which number integers lie,
 * 0 for reals. With the name of a file it saves there a model that was trained a little; with
 * -DCONSTANT that is compiled in. */
#define _POSIX_C_SOURCE 200809L
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define CALL(f) PASTE(PASTE(MODEL, _), f)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#include TEXT(MODEL.h)
#include "nn.h"
#include "serve.h"

#include <stdlib.h>

static void *x, *t, *y, *work;

#ifdef CONSTANT
static void infer(const void *none)
{
    (void)none;
    CALL(predict)(x, y, work);
}
#else
static MODEL m, start;

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

static int save(const char *path)
{
    char error[300];
    const nn_group groups[] = {
        {"params.", CALL(param_table), sizeof CALL(param_table) / sizeof(nn_tensor), &m.params},
        {"state.", CALL(state_table), sizeof CALL(state_table) / sizeof(nn_tensor), &m.state}};
    reset();
    for (int i = 0; i < 3; i++) train(NULL);
    if (!nn_save_groups(path, groups, 2, error, sizeof error)) return 0;
    fprintf(stderr, "bench: %s\n", error);
    return 1;
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

int main(int argc, char **argv)
{
    static const Task tasks[] = {
#ifdef CONSTANT
        {"infer", infer, NULL, NULL},
#else
        {"train", train, reset, NULL}, {"infer", infer, reset, NULL},
#ifdef SGD
        {"sgd", sgd, reset, NULL},
#endif
#endif
    };
    x = numbers(X, X_CLASSES, 1);
    t = numbers(T, T_CLASSES, 2);
    y = numbers(Y, 0, 3);
    work = aligned_alloc(64, WORK / 64 * 64 + 64);
    if (!work) return 1;
    memset(work, 0, WORK);
#ifndef CONSTANT
    CALL(init)(&start, 1);
    if (argc > 1) return save(argv[1]);
#else
    (void)argc, (void)argv;
#endif
    return serve(tasks, sizeof tasks / sizeof tasks[0]);
}
