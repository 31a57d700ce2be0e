/* idx.c - reads labelled pictures. In: two idx files, which are a magic number, the sizes, and the
 * values as bytes; numbers have four bytes, the highest first. zlib reads them plain or packed. */
#include "idx.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "nn.h"

static gzFile open_either(const char *folder, const char *set, const char *what, char path[1024])
{
    static const char *const ends[] = {"", ".gz"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, 1024, "%s/%s-%s-ubyte%s", folder, set, what, ends[i]);
        gzFile f = gzopen(path, "rb");
        if (f) return f;
    }
    return NULL;
}

static int read_number(gzFile f, long *out)
{
    unsigned char b[4];
    if (gzread(f, b, 4) != 4) return -1;
    *out = (long)b[0] << 24 | (long)b[1] << 16 | (long)b[2] << 8 | (long)b[3];
    return 0;
}

/* The values of one file, `size` bytes for each item; NULL: there is a message. */
static uint8_t *read_values(const char *folder, const char *set, const char *what, long magic,
                            int size, int *count)
{
    char path[1024];
    long found, n = 0, side;
    const char *problem = NULL;
    uint8_t *values = NULL;
    gzFile f = open_either(folder, set, what, path);
    if (!f) {
        fprintf(stderr, "cannot read %s\n", path);
        return NULL;
    }
    if (read_number(f, &found) || found != magic) problem = "is no idx file of this kind";
    else if (read_number(f, &n) || n < 1 || n > 1000000) problem = "has an impossible size";
    for (int i = 0; size > 1 && !problem && i < 2; i++)
        if (read_number(f, &side) || side != 28) problem = "does not hold pictures of 28 x 28";
    const unsigned bytes = (unsigned)n * (unsigned)size;
    if (!problem && !(values = malloc(bytes))) problem = "needs more memory than there is";
    if (!problem && gzread(f, values, bytes) != (int)bytes) problem = "ends too early";
    gzclose(f);
    if (problem) {
        fprintf(stderr, "%s %s\n", path, problem);
        free(values);
        return NULL;
    }
    *count = (int)n;
    return values;
}

int pictures_read(Pictures *p, const char *folder, const char *set)
{
    int labels = 0;
    *p = (Pictures){0};
    p->grey = read_values(folder, set, "images-idx3", 0x803, PIXELS, &p->count);
    uint8_t *bytes = p->grey ? read_values(folder, set, "labels-idx1", 0x801, 1, &labels) : NULL;
    p->label = bytes ? malloc((size_t)labels * sizeof *p->label) : NULL;
    p->order = bytes ? malloc((size_t)labels * sizeof *p->order) : NULL;
    int bad = !p->label || !p->order || labels != p->count;
    for (int i = 0; !bad && i < labels; i++) {
        p->order[i] = i;
        p->label[i] = bytes[i];
        bad = bytes[i] > 9;
    }
    if (bad && bytes) fprintf(stderr, "the labels of %s/%s do not fit\n", folder, set);
    free(bytes);
    if (bad) pictures_free(p);
    return bad ? -1 : 0;
}

void pictures_free(Pictures *p)
{
    free(p->grey);
    free(p->label);
    free(p->order);
    *p = (Pictures){0};
}

int pictures_read_both(Pictures *train, Pictures *test, const char *folder, int most)
{
    *train = *test = (Pictures){0};
    if (pictures_read(train, folder, "train") || pictures_read(test, folder, "t10k")) {
        pictures_free(train);
        return -1;
    }
    if (train->count > most) train->count = most;
    return 0;
}

void pictures_shuffle(Pictures *p, uint64_t seed, int epoch)
{
    int *order = p->order;
    for (int i = 0; i < p->count; i++) order[i] = i;
    for (int i = p->count - 1; i > 0; i--) {
        const double u = nn_uniform_at(seed, (uint64_t)epoch, 1000, (uint64_t)i);
        const int k = (int)(u * (i + 1)), swap = order[i];
        order[i] = order[k];
        order[k] = swap;
    }
}

void pictures_take(const Pictures *p, int at, int n, uint8_t *grey, int32_t *label)
{
    for (int i = 0; i < n; i++) {
        const int k = p->order[at + i];
        memcpy(grey + (size_t)i * PIXELS, p->grey + (size_t)k * PIXELS, PIXELS);
        label[i] = p->label[k];
    }
}
