/* product.c - matrix products of one library, as a process that is asked for their times: a task is
 * "nn:64x784x256", the form and m x k x n. In: -DONEDNN, -DLIBXSMM or -DOPENBLAS for that library, else
 * the runtime. C [m, n] = A B; in nt B is stored transposed, in tn A is. */
#define _POSIX_C_SOURCE 200809L
#include "nn.h"
#include "serve.h"

#if defined ONEDNN
#include <oneapi/dnnl/dnnl.h>
#elif defined LIBXSMM
#include <libxsmm.h>
#elif defined OPENBLAS
#include <cblas.h>
#endif

typedef struct Product {
    char name[40];
    bool ta, tb;
    int m, k, n;
} Product;

static float *a, *b, *c, *ws;

static void multiply(const void *of)
{
    const Product *p = of;
    int lda = p->ta ? p->m : p->k, ldb = p->tb ? p->k : p->n;
#if defined ONEDNN
    dnnl_sgemm(p->ta ? 'T' : 'N', p->tb ? 'T' : 'N', p->m, p->n, p->k, 1, a, lda, b, ldb, 0, c, p->n);
#elif defined LIBXSMM
    /* by columns the operands change places */
    float one = 1, zero = 0;
    libxsmm_smmfunction f = libxsmm_smmdispatch(p->n, p->m, p->k, &ldb, &lda, &p->n, &one, &zero, NULL, NULL);
    f(b, a, c);
#elif defined OPENBLAS
    cblas_sgemm(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans,
                p->m, p->n, p->k, 1, a, lda, b, ldb, 0, c, p->n);
#else
    (p->ta ? nn_gemm_tn : p->tb ? nn_gemm_nt : nn_gemm_nn)(p->m, p->n, p->k, a, lda, b, ldb, c, p->n,
                                                           NULL, 0, ws);
#endif
}

/* Does the library have it? The dispatch of libxsmm knows operands as they are, up to some size. */
static bool has(const Product *p)
{
#ifdef LIBXSMM
    float one = 1, zero = 0;
    return !p->ta && !p->tb && (double)p->m * p->k * p->n < 2e7 &&
           libxsmm_smmdispatch(p->n, p->m, p->k, &p->n, &p->k, &p->n, &one, &zero, NULL, NULL);
#else
    return p->m > 0;
#endif
}

int main(void)
{
    static const int sizes[][3] = {
        {1024, 1024, 1024}, {256, 256, 256}, {64, 784, 256}, {64, 256, 10}, {32, 128, 128},
        {1, 784, 256}, {4096, 27, 16}, {16, 16, 16}, {8, 8, 8},
    };
    static const char *const forms[] = {"nn", "nt", "tn"};
    static Product products[3 * sizeof sizes / sizeof sizes[0]];
    static Task tasks[sizeof products / sizeof products[0]];
    int n = 0;
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        const int *s = sizes[i / 3];
        Product *p = &products[i];
        *p = (Product){.ta = i % 3 == 2, .tb = i % 3 == 1, .m = s[0], .k = s[1], .n = s[2]};
        snprintf(p->name, sizeof p->name, "%s:%dx%dx%d", forms[i % 3], s[0], s[1], s[2]);
        if (has(p)) tasks[n++] = (Task){p->name, multiply, NULL, p};
    }
    float **const buffers[] = {&a, &b, &c, &ws};
    for (int i = 0; i < 4; i++) {
        if (!(*buffers[i] = aligned_alloc(64, 1024 * 1024 * sizeof(float)))) return 1;
        for (int k = 0; k < 1024 * 1024; k++) (*buffers[i])[k] = (float)(k % 17) * 0.125f - 1;
    }
    return serve(tasks, n);
}
