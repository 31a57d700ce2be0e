/* nn_isa.c - which instruction set this processor has.
 *
 * In comes the processor (and, in a hosted build, the environment variable NN_ISA, which can only
 * lower the choice), out goes one of the NN_LEVEL_ values.  It is decided once; two threads that
 * ask for the first time at once decide the same. */
#ifndef NN_ISA /* once, when pasted into a file that is compiled in passes */
#include "nn.h"
#if __STDC_HOSTED__
#include <stdlib.h>
#include <string.h>
#endif

#if defined __x86_64__ && defined __GNUC__ && !defined NN_SCALAR && !defined NN_PLAIN_C
static int nn_isa_of_processor(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("fma"))
        return NN_LEVEL_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return NN_LEVEL_AVX2;
    return NN_LEVEL_BASE;
}
#elif defined __GNUC__ && !defined NN_SCALAR && !defined NN_PLAIN_C && \
    (defined __SSE2__ || defined __ARM_NEON || defined __VSX__ || defined __wasm_simd128__)
static int nn_isa_of_processor(void)
{
    return NN_LEVEL_BASE;
}
#else
static int nn_isa_of_processor(void)
{
    return NN_LEVEL_SCALAR;
}
#endif

static int nn_isa_decide(void)
{
    int best = nn_isa_of_processor(), wanted = best;
#if __STDC_HOSTED__
    const char *name = getenv("NN_ISA");
    if (name && strcmp(name, "scalar") == 0)
        wanted = NN_LEVEL_SCALAR;
    else if (name && (strcmp(name, "sse2") == 0 || strcmp(name, "neon") == 0))
        wanted = NN_LEVEL_BASE;
    else if (name && strcmp(name, "avx2") == 0)
        wanted = NN_LEVEL_AVX2;
#endif
    return wanted < best ? wanted : best;
}

static int nn_isa_level = -1;

NN_API int nn_isa(void)
{
#if defined __GNUC__
    int level = __atomic_load_n(&nn_isa_level, __ATOMIC_RELAXED);
    if (level < 0) {
        level = nn_isa_decide();
        __atomic_store_n(&nn_isa_level, level, __ATOMIC_RELAXED);
    }
    return level;
#else
    if (nn_isa_level < 0)
        nn_isa_level = nn_isa_decide();
    return nn_isa_level;
#endif
}

NN_API int nn_isa_set(int level)
{
    int best = nn_isa_of_processor();
    nn_isa_level = level < best ? level : best;
    if (nn_isa_level == 2)
        nn_isa_level = NN_LEVEL_BASE;
    return nn_isa_level;
}

NN_API const char *nn_isa_name(void)
{
    switch (nn_isa()) {
    case NN_LEVEL_AVX512: return "avx512";
    case NN_LEVEL_AVX2: return "avx2";
    case NN_LEVEL_BASE:
#if defined __aarch64__
        return "neon";
#else
        return "sse2";
#endif
    default: return "scalar";
    }
}
#endif
