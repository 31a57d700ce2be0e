/* nn_isa.h - compile the including file once per instruction set and choose at run time.
 *
 *     #define NN_SELF "nn_kernels.c"
 *     #include "nn_isa.h"
 *     #ifdef NN_ISA              ... static functions, compiled once per instruction set ...
 *     #else                      ... public functions, compiled once: NN_CALL(f)(args) ...
 *     #endif
 *
 * This is for files that lie beside this one, as a compiler looks for NN_SELF from here; others
 * include themselves between nn_pass.h.
 *
 * In comes a file of that shape, out comes code as wide as the processor allows from a plain
 * `cc -O2`.  Inside a pass these are defined:
 *     NN_ISA      the suffix of the pass: v4 (AVX-512), v3 (AVX2 and FMA), v1 (SSE2), or one
 *     NN_NAME(f)  f with that suffix
 *     NN_LEVEL    4, 3, 1 (16-byte vectors) or 0 (no vector types)
 *     NN_VB       bytes of a vector
 *     NN_FMA      1 where nn_mad is one rounding
 * There is one pass only with -DNN_ONE_ISA (the command line's own instruction set), with
 * -DNN_SCALAR (no vector types at all), with -march= flags that have AVX2 already, on other
 * machines and with compilers that lack the GNU extensions.  -DNN_REPRODUCIBLE takes FMA out
 * everywhere: the same bits on every machine.
 *
 * System headers must be included before this one: clang takes a declaration inside a pass for a
 * second version of the function. */
#ifndef NN_ISA_H
#define NN_ISA_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#include "nn.h"

#define NN_CAT_(a, b) a##_##b
#define NN_CAT(a, b) NN_CAT_(a, b)
#define NN_NAME(f) NN_CAT(f, NN_ISA)

#if defined __GNUC__ && !defined NN_PLAIN_C
#define NN_INLINE static inline __attribute__((always_inline, unused))
#define NN_NOINLINE static __attribute__((noinline, unused))
#if !defined NN_SCALAR && (defined __SSE2__ || defined __ARM_NEON || defined __VSX__ || \
                           defined __wasm_simd128__)
#define NN_VECTORS 1
#endif
/* Square roots and FMA without errno: declared const, both compilers use and vectorise the
 * instruction, and never a call, whatever the command line says about -fmath-errno. */
#ifndef __THROW
#define NN_THROW
#else
#define NN_THROW __THROW
#endif
#ifdef __cplusplus
extern "C" {
#endif
extern float sqrtf(float) NN_THROW __attribute__((const));
extern double sqrt(double) NN_THROW __attribute__((const));
extern float fmaf(float, float, float) NN_THROW __attribute__((const));
extern double fma(double, double, double) NN_THROW __attribute__((const));
#ifdef __cplusplus
}
#endif
#else
#define NN_INLINE static inline
#define NN_NOINLINE static inline /* no compiler warns of those that are not used */
#endif

/* Contraction off: an FMA is only where nn_mad stands, so the bits do not depend on the compiler.
 * gcc vectorises at -O2, and turns selects into masks, only when told to here. */
#if defined __clang__
#pragma STDC FP_CONTRACT OFF
#elif defined __GNUC__
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math", "fp-contract=off")
#elif defined _MSC_VER
#pragma fp_contract(off)
#endif

#if defined __x86_64__ && defined NN_VECTORS
#include <immintrin.h>
#elif defined __ARM_NEON && defined NN_VECTORS
#include <arm_neon.h>
#endif

#ifdef NN_REPRODUCIBLE
#define NN_HAS_FMA 0
#else
#define NN_HAS_FMA 1
#endif

/* Loops over registers are unrolled completely, loops over memory are left as they are. */
#if defined __clang__
#define NN_UNROLL _Pragma("clang loop unroll(full)")
#define NN_NO_UNROLL _Pragma("clang loop unroll(disable)")
#define NN_UNROLL_4 _Pragma("clang loop unroll_count(4)")
#elif defined __GNUC__
#define NN_UNROLL _Pragma("GCC unroll 32")
#define NN_NO_UNROLL _Pragma("GCC unroll 1")
#define NN_UNROLL_4 _Pragma("GCC unroll 4")
#else
#define NN_UNROLL
#define NN_NO_UNROLL
#define NN_UNROLL_4
#endif

/* behind the name of a local array that vectors read */
#if defined NN_VECTORS
#define NN_ALIGNED __attribute__((aligned(64)))
#else
#define NN_ALIGNED
#endif

/* A loop with stride 2 becomes gathers in clang, several times slower: put this before it. */
#ifdef __clang__
#define NN_STRIDED _Pragma("clang loop vectorize_width(4) interleave_count(1)")
#else
#define NN_STRIDED
#endif

#if defined __x86_64__ && defined NN_VECTORS && !defined __AVX2__ && !defined NN_ONE_ISA
#define NN_PASSES 3
/* clang wants a list of features: given arch= it compiles 256-bit code */
#define NN_TARGET4 "avx512f,avx512vl,avx512dq,avx512bw,avx512cd,avx2,fma,bmi,bmi2"
#define NN_TARGET3 "avx2,fma,bmi,bmi2"
#define NN_PRAGMA_(x) _Pragma(#x)
#define NN_PRAGMA(x) NN_PRAGMA_(x)
#ifdef __clang__
#define NN_BEGIN(t) \
    NN_PRAGMA(clang attribute push(__attribute__((target(t))), apply_to = function))
#define NN_END _Pragma("clang attribute pop")
#else
#define NN_BEGIN(t) _Pragma("GCC push_options") NN_PRAGMA(GCC target(t))
#define NN_END _Pragma("GCC pop_options")
#endif
/* What all passes share is compiled with the first of them, but between these for any processor. */
#define NN_COMMON NN_END
#define NN_COMMON_END NN_BEGIN(NN_TARGET4)
#define NN_CALL(f) (nn_isa() == 4 ? f##_v4 : nn_isa() == 3 ? f##_v3 : f##_v1)

#else /* one pass, with what the command line allows */
#define NN_PASSES 1
#define NN_COMMON
#define NN_COMMON_END
#if !defined NN_VECTORS
#define NN_ONE_LEVEL 0
#define NN_ONE_VB 4
#elif defined __AVX512F__ && defined __AVX512VL__ && defined __AVX512DQ__ && defined __AVX512BW__
#define NN_ONE_LEVEL 4
#define NN_ONE_VB 64
#elif defined __AVX2__ && defined __FMA__
#define NN_ONE_LEVEL 3
#define NN_ONE_VB 32
#else
#define NN_ONE_LEVEL 1
#define NN_ONE_VB 16
#endif
#if defined __FMA__ || defined __ARM_FEATURE_FMA
#define NN_ONE_FMA NN_HAS_FMA
#else
#define NN_ONE_FMA 0
#endif
#define NN_CALL(f) f##_one
#endif

/* the first row of a part of n rows, which is the end of the part before it */
#define NN_PART(n, part, parts) ((int)((int64_t)(n) * (part) / (parts)))

/* NN_SHARE(rows, cost, f(nn_from, nn_to, ..)) runs the passes 0 .. rows - 1 of a loop, `cost`
 * nanoseconds each, by calls of f: one call, and with -fopenmp one for each thread that gets enough
 * to do. nn_parts says how many that is: one where threads are at work already. Rows belong to one
 * thread, and sums over them are made in parts that do not depend on the threads, so that no bit
 * depends on how many there are. */
#ifdef _OPENMP
#define NN_PART_COST 15000.0 /* nanoseconds of a thread at least; opening a region takes 3000 */
static inline int nn_parts(int rows, double cost)
{
    const double most = rows * cost / NN_PART_COST;
    int parts = omp_in_parallel() ? 1 : omp_get_max_threads();
    if (rows < parts)
        parts = rows;
    if (most < parts)
        parts = (int)most;
    return parts < 1 ? 1 : parts;
}
#define NN_SHARE(rows, cost, call)                                           \
    do {                                                                     \
        const int nn_rows = (rows), nn_n = nn_parts(nn_rows, (cost));        \
        if (nn_n > 1) {                                                      \
            _Pragma("omp parallel for schedule(static) num_threads(nn_n)")   \
            for (int nn_part = 0; nn_part < nn_n; nn_part++) {               \
                const int nn_from = NN_PART(nn_rows, nn_part, nn_n);         \
                const int nn_to = NN_PART(nn_rows, nn_part + 1, nn_n);       \
                call;                                                        \
            }                                                                \
        } else { /* without the cost of a region of one thread */            \
            const int nn_from = 0, nn_to = nn_rows;                          \
            call;                                                            \
        }                                                                    \
    } while (0)
/* Scratch of the caller is for one thread; of several, each has its own. */
#define NN_OWN_SCRATCH(p, bytes)            \
    float nn_own[(bytes) / sizeof(float)];  \
    if (omp_in_parallel())                  \
    p = nn_own
#else
#define NN_SHARE(rows, cost, call)             \
    do {                                       \
        const int nn_from = 0, nn_to = (rows); \
        (void)(cost);                          \
        call;                                  \
    } while (0)
#define NN_OWN_SCRATCH(p, bytes) (void)0
#endif

/* gcc sees arrays that a loop over 0 < i < N fills, and the case N = 0 in which it does not; and
 * g++ 12 warns of its own intrinsics. */
#if defined __GNUC__ && !defined __clang__
#define NN_QUIET                                                    \
    _Pragma("GCC diagnostic push")                                  \
    _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"")     \
    _Pragma("GCC diagnostic ignored \"-Wuninitialized\"")
#define NN_LOUD _Pragma("GCC diagnostic pop")
#else
#define NN_QUIET
#define NN_LOUD
#endif

/* A file of the runtime, or one that holds the runtime, is included from here. */
#ifdef NN_SELF
NN_QUIET
#if NN_PASSES == 3
NN_BEGIN(NN_TARGET4)
#define NN_ISA v4
#define NN_LEVEL 4
#define NN_VB 64
#define NN_FMA NN_HAS_FMA
#include NN_SELF
#undef NN_ISA
#undef NN_LEVEL
#undef NN_VB
#undef NN_FMA
NN_END

NN_BEGIN(NN_TARGET3)
#define NN_ISA v3
#define NN_LEVEL 3
#define NN_VB 32
#define NN_FMA NN_HAS_FMA
#include NN_SELF
#undef NN_ISA
#undef NN_LEVEL
#undef NN_VB
#undef NN_FMA
NN_END

#define NN_ISA v1
#define NN_LEVEL 1
#define NN_VB 16
#define NN_FMA 0
#else
#define NN_ISA one
#define NN_LEVEL NN_ONE_LEVEL
#define NN_VB NN_ONE_VB
#define NN_FMA NN_ONE_FMA
#endif
#include NN_SELF
#undef NN_ISA
#undef NN_LEVEL
#undef NN_VB
#undef NN_FMA
NN_LOUD
#endif
#endif
