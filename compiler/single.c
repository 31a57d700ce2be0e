/* single.c - the runtime pasted into a generated file, for --single-file.
 * In: the generated source, which includes the runtime's headers. Out: one text that needs libc and
 * libm only: the parts of the runtime in the order in which its README lists them, each once,
 * without its own includes, in front of the generated functions. */
#include "embedded.h"
#include "emit.h"

#include <string.h>

static const char *embedded(const char *name)
{
    for (const EmbeddedFile *f = embedded_files; f->name; f++) {
        const char *slash = strrchr(f->name, '/');
        if (!strcmp(slash ? slash + 1 : f->name, name)) return f->text;
    }
    return NULL;
}

/* The name in `#include "nn_x.h"`, when the line is that. */
static const char *included(const char *line, size_t n)
{
    static const char start[] = "#include \"nn";
    const char *quote = n > sizeof start ? memchr(line + 10, '"', n - 10) : NULL;
    if (!quote || strncmp(line, start, sizeof start - 1)) return NULL;
    return format("%.*s", (int)(quote - line - 10), line + 10);
}

typedef struct Paste {
    Text *out;
    Lines done;
} Paste;

static void paste(Paste *p, const char *name);

/* Adds the text, with the runtime's files in place of the lines that include them. */
static void paste_text(Paste *p, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        const char *name = included(text, n);
        if (name)
            paste(p, name);
        else
            text_add(p->out, "%.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static void paste(Paste *p, const char *name)
{
    const char *text = embedded(name);
    for (int i = 0; i < p->done.n; i++)
        if (!strcmp(p->done.at[i], name)) return;
    vec_push(&p->done, name);
    if (text) paste_text(p, text);
}

static void leave_out(Text *out, bool without, const char *part)
{
    if (without) text_add(out, "#define NN_WITHOUT_%s\n", part);
}

/* nn.h comes before the model's own header, which declares nn_tensor itself where nn.h is not. */
void paste_runtime(Text *out, const Text *source)
{
    Paste p = {.out = out};
    bool products = strstr(source->s, "nn_gemm_") || strstr(source->s, "nn_conv") ||
                    strstr(source->s, "nn_winograd") || strstr(source->s, "nn_depthwise");
    bool random = strstr(source->s, "nn_uniform") || strstr(source->s, "nn_normal") ||
                  strstr(source->s, "nn_orthogonal");
    const char *opening = strstr(source->s, "*/\n");
    if (!opening) return;
    opening += 3;
    text_add(out, "%.*s\n#ifndef NN_SINGLE_FILE\n#define NN_SINGLE_FILE\n",
             (int)(opening - source->s), source->s);
    leave_out(out, !products, "KERNELS");
    leave_out(out, !random, "RANDOM");
    leave_out(out, true, "FILES");
    text_add(out, "#endif\n\n");
    paste(&p, "nn.h");
    paste_text(&p, opening);
    paste(&p, "nn_isa.c");
    if (products) paste(&p, "nn_kernels.c");
    if (random) paste(&p, "nn_random.c");
}
