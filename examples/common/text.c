/* text.c - reads a text and numbers its characters by their bytes. */
#include "text.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "nn.h"

static uint8_t *read_whole(const char *path, int *length)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    size_t n = 0, room = 1 << 16, got;
    uint8_t *s = malloc(room);
    while (s && (got = fread(s + n, 1, room - n, f)) > 0) {
        n += got;
        if (n < room) continue;
        uint8_t *more = room < INT_MAX / 2 ? realloc(s, room * 2) : NULL;
        if (!more) free(s);
        s = more;
        room *= 2;
    }
    if (s && ferror(f)) {
        free(s);
        s = NULL;
    }
    fclose(f);
    *length = (int)n;
    return s;
}

static void number_characters(Text *t)
{
    int seen[TEXT_MOST] = {0};
    for (int i = 0; i < t->length; i++) seen[t->code[i]] = 1;
    for (int c = 1; c < TEXT_MOST; c++)
        if (seen[c]) t->alphabet[t->characters++] = (uint8_t)c;
}

/* Bytes become their numbers; those without one are left out. */
static void encode(Text *t)
{
    int number[TEXT_MOST], n = 0;
    for (int c = 0; c < TEXT_MOST; c++) number[c] = -1;
    for (int k = 0; k < t->characters; k++) number[t->alphabet[k]] = k;
    for (int i = 0; i < t->length; i++)
        if (number[t->code[i]] >= 0) t->code[n++] = (uint8_t)number[t->code[i]];
    t->length = n;
    t->train = n - n / 10;
}

int text_read(Text *t, const char *path, int most, int least, const uint8_t *known)
{
    memset(t, 0, sizeof *t);
    t->code = read_whole(path, &t->length);
    if (!t->code) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return -1;
    }
    if (known) {
        memcpy(t->alphabet, known, sizeof t->alphabet);
        while (t->characters < most && known[t->characters]) t->characters++;
    } else
        number_characters(t);
    if (t->characters > most) {
        fprintf(stderr, "%s: %d different characters, the model has %d: nnc compile -D V=%d\n",
                path, t->characters, most, t->characters);
        text_free(t);
        return -1;
    }
    encode(t);
    if (t->length >= least) return 0;
    fprintf(stderr, "%s: %d characters, at least %d are needed\n", path, t->length, least);
    text_free(t);
    return -1;
}

void text_free(Text *t)
{
    free(t->code);
    t->code = NULL;
}

void text_piece(const Text *t, int at, int n, int32_t *out)
{
    for (int i = 0; i < n; i++) out[i] = t->code[at + i];
}

int text_place(const Text *t, int n, uint64_t seed, uint64_t draw)
{
    return (int)(nn_uniform_at(seed, draw, 1000, 0) * (t->train - n + 1));
}

int text_choose(const float *prob, int n, double u)
{
    for (int i = 0; i < n - 1; i++) {
        u -= (double)prob[i];
        if (u < 0) return i;
    }
    return n - 1;
}
