/* product.c - matrix products of one library, as a process that is asked for the times of its
 * arguments: "nn:64x784x256" is the form and m x k x n. In: -DONEDNN, -DLIBXSMM or -DOPENBLAS for
 * that library, else the runtime. C [m, n] = A B; in nt B is stored transposed, in tn A is. */
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

enum { MOST = 1024 * 1024 }; /* elements of a matrix */

typedef struct Product {
    bool ta, tb;
    int m, k, n;
} Product;

static float *a, *b, *c, *ws;

static void multiply(const void *of)
{
    const Product *p = of;
    int lda = p->ta ? p->m : p->k, ldb = p->tb ? p->k : p->n;
#if defined ONEDNN
    dnnl_sgemm(p->ta ? 'T' : 'N', p->tb ? 'T' : 'N', p->m, p->n, p->k, 1, a, lda, b, ldb, 0, c,
               p->n);
#elif defined LIBXSMM
    /* by columns the operands change places */
    float one = 1, zero = 0;
    libxsmm_smmfunction f =
        libxsmm_smmdispatch(p->n, p->m, p->k, &ldb, &lda, &p->n, &one, &zero, NULL, NULL);
    f(b, a, c);
#elif defined OPENBLAS
    cblas_sgemm(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans,
                p->m, p->n, p->k, 1, a, lda, b, ldb, 0, c, p->n);
#else
    (p->ta ? nn_gemm_tn : p->tb ? nn_gemm_nt : nn_gemm_nn)(p->m, p->n, p->k, a, lda, b, ldb, c,
                                                           p->n, NULL, 0, ws);
#endif
}

/* Does the library have it? The dispatch of libxsmm knows operands as they are, up to some size. */
static bool has(const Product *p)
{
    if ((long)p->m * p->k > MOST || (long)p->k * p->n > MOST || (long)p->m * p->n > MOST)
        return false;
#ifdef LIBXSMM
    float one = 1, zero = 0;
    return !p->ta && !p->tb && (double)p->m * p->k * p->n < 2e7 &&
           libxsmm_smmdispatch(p->n, p->m, p->k, &p->n, &p->k, &p->n, &one, &zero, NULL, NULL);
#else
    return true;
#endif
}

int main(int argc, char **argv)
{
    Product *products = calloc((size_t)argc, sizeof *products);
    Task *tasks = calloc((size_t)argc, sizeof *tasks);
    float **const buffers[] = {&a, &b, &c, &ws};
    int n = 0;
    if (!products || !tasks) return 1;
    for (int i = 1; i < argc; i++) {
        Product *p = &products[i];
        char form[3] = "";
        if (sscanf(argv[i], "%2[nt]:%dx%dx%d", form, &p->m, &p->k, &p->n) != 4) continue;
        p->ta = form[0] == 't';
        p->tb = form[1] == 't';
        if (has(p)) tasks[n++] = (Task){argv[i], multiply, NULL, p};
    }
    for (int i = 0; i < 4; i++) {
        /* each at another place in its page: at the same one a load waits for another's store */
        if (!(*buffers[i] = aligned_alloc(64, (MOST + 1024) * sizeof(float)))) return 1;
        *buffers[i] += 256 * i + 16;
        for (int k = 0; k < MOST; k++) (*buffers[i])[k] = (float)(k % 17) * 0.125f - 1;
    }
    return serve(tasks, n);
}
