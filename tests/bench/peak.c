/* peak.c - what the processor can do, as a process that is asked: `peak` is the time of a million
 * multiplications and additions in independent FMA instructions, as wide as it has them, on one
 * thread. Without vectors that are known here it has no task. */
#define _POSIX_C_SOURCE 200809L
#include "serve.h"

#if defined __x86_64__ && defined __GNUC__
#define VECTOR(name, bytes, isa) \
    typedef float name##_v __attribute__((vector_size(bytes))); \
    __attribute__((target(isa))) static void name(const void *none) \
    { \
        (void)none; \
        name##_v s[12] = {{0}}, a = {0}; \
        __asm__ volatile("" : "+x"(a)); \
        for (int i = 0; i < 1000000 / (2 * 12 * (bytes / 4)); i++) \
            __asm__ volatile( \
                "vfmadd231ps %12, %12, %0\n\tvfmadd231ps %12, %12, %1\n\t" \
                "vfmadd231ps %12, %12, %2\n\tvfmadd231ps %12, %12, %3\n\t" \
                "vfmadd231ps %12, %12, %4\n\tvfmadd231ps %12, %12, %5\n\t" \
                "vfmadd231ps %12, %12, %6\n\tvfmadd231ps %12, %12, %7\n\t" \
                "vfmadd231ps %12, %12, %8\n\tvfmadd231ps %12, %12, %9\n\t" \
                "vfmadd231ps %12, %12, %10\n\tvfmadd231ps %12, %12, %11" \
                : "+x"(s[0]), "+x"(s[1]), "+x"(s[2]), "+x"(s[3]), "+x"(s[4]), "+x"(s[5]), \
                  "+x"(s[6]), "+x"(s[7]), "+x"(s[8]), "+x"(s[9]), "+x"(s[10]), "+x"(s[11]) \
                : "x"(a)); \
    }
VECTOR(fma512, 64, "avx512f")
VECTOR(fma256, 32, "avx2,fma")

static void (*widest(void))(const void *)
{
    if (__builtin_cpu_supports("avx512f")) return fma512;
    return __builtin_cpu_supports("fma") ? fma256 : NULL;
}

#elif defined __aarch64__ && defined __GNUC__
typedef float fma128_v __attribute__((vector_size(16)));
static void fma128(const void *none)
{
    (void)none;
    fma128_v s[16] = {{0}}, a = {0};
    for (int i = 0; i < 1000000 / (2 * 16 * 4); i++)
        for (int j = 0; j < 16; j++)
            __asm__ volatile("fmla %0.4s, %1.4s, %1.4s" : "+w"(s[j]) : "w"(a));
}
static void (*widest(void))(const void *) { return fma128; }

#else
static void (*widest(void))(const void *) { return NULL; }
#endif

int main(void)
{
    const Task task = {"peak", widest(), NULL, NULL};
    return serve(&task, task.run ? 1 : 0);
}
