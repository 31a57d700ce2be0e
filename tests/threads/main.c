/* main.c - trains for a few steps and prints the bits that the parameters have then, and how many
 * threads a region has. */
#include "net.h"

#include <stdio.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

static net m;
static float x[97 * 300];
static int32_t t[97], words[7 * 41 + 1];
static _Alignas(64) char work[NET_WORK];

int main(void)
{
    int threads = 1;
    unsigned hash = 2166136261u;
#ifdef _OPENMP
    threads = omp_get_max_threads();
#endif
    nn_normal(x, 97 * 300, 1, 0, 0);
    for (int i = 0; i < 97; i++) t[i] = i % 10;
    for (int i = 0; i < 7 * 41 + 1; i++) words[i] = i * i % 29;
    net_init(&m, 1);
    for (int step = 0; step < 3; step++) net_train(&m, x, t, words, words + 1, work);
    for (size_t i = 0; i < sizeof m.params / sizeof(float); i++) {
        unsigned bits;
        memcpy(&bits, (const float *)&m.params + i, sizeof bits);
        hash = (hash ^ bits) * 16777619u;
    }
    printf("%d %08x\n", threads, hash);
    return 0;
}
