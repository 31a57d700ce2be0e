/* arrays.c - see arrays.h. */
#include "arrays.h"

#include <check.h>
#include <stdlib.h>

static uint64_t random_state = 88172645463325252u;

void random_start(uint64_t state) { random_state = state; }

int random_below(int n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (int)((random_state >> 20) % (uint64_t)n);
}

double random_value(void) { return random_below(2001) / 1000.0 - 1.0; }

void *array(size_t count, size_t size)
{
    void *p = malloc(count ? count * size : 1);
    ck_assert_ptr_nonnull(p);
    return p;
}

size_t extent(int rows, int cols, int ld)
{
    return rows > 0 && cols > 0 ? (size_t)(rows - 1) * (size_t)ld + (size_t)cols : 0;
}
