/* nn_file.c - structs of arrays to and from safetensors files.  Hosted: stdio, and the heap for
 * the header of a file being read.
 *
 * In come tables of (name, offset, type, sizes) and the structs they describe, out goes a file
 *     8 bytes   n, the length of the header, little-endian
 *     n bytes   {"name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},...}, padded to 8
 *     the rest  the arrays, little-endian, one after the other
 * or the structs filled from one.  A file is replaced in one step or not at all.  A struct is
 * changed only after the whole header has been found to say exactly what the tables say: same
 * names, types and shapes, no gaps, no overlaps, and a file of exactly that length. */
#ifndef NN_ISA /* once, when pasted into a file that is compiled in passes */
#include "nn.h"
#if __STDC_HOSTED__
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "nn_header.h"

static const uint64_t nn_longest_header = 100000000; /* the limit of the format's own reader */

static const struct {
    const char *name;
    size_t size;
} nn_types[] = {{"F32", 4}, {"F64", 8}, {"F16", 2},  {"I32", 4},
                {"U8", 1},  {"I8", 1},  {"BOOL", 1}, {"U64", 8}};

/* ---- what is common to both directions ----------------------------------------------------- */

/* where a message goes, and the file it is about */
struct nn_report {
    const char *path;
    char *text;
    size_t size;
};

#if defined __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
static int nn_fail(const struct nn_report *r, const char *format, ...)
{
    va_list args;
    size_t used;
    if (r->size == 0)
        return -1;
    snprintf(r->text, r->size, "%s: ", r->path);
    used = strlen(r->text);
    va_start(args, format);
    vsnprintf(r->text + used, r->size - used, format, args);
    va_end(args);
    return -1;
}

static uint64_t nn_bytes(const nn_tensor *t)
{
    uint64_t n = nn_types[t->type].size;
    for (int i = 0; i < t->rank; i++)
        n *= (uint64_t)t->sizes[i];
    return n;
}

static int nn_big_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 0;
}

/* Turns every element of a piece around, on a big-endian machine. */
static void nn_swap(unsigned char *p, size_t bytes, size_t size)
{
    if (!nn_big_endian() || size == 1)
        return;
    for (size_t i = 0; i + size <= bytes; i += size)
        for (size_t k = 0; k < size / 2; k++) {
            unsigned char c = p[i + k];
            p[i + k] = p[i + size - 1 - k];
            p[i + size - 1 - k] = c;
        }
}

/* "[2,3]" */
static const char *nn_shape_text(char text[128], int rank, const uint64_t *sizes)
{
    size_t used = 1;
    text[0] = '[';
    for (int i = 0; i < rank && used < 100; i++)
        used += (size_t)snprintf(text + used, 128 - used, i ? ",%llu" : "%llu",
                                 (unsigned long long)sizes[i]);
    snprintf(text + used, 128 - used, "]");
    return text;
}

static void nn_table_sizes(const nn_tensor *t, uint64_t sizes[NN_MAX_RANK])
{
    for (int i = 0; i < NN_MAX_RANK; i++)
        sizes[i] = i < t->rank ? (uint64_t)t->sizes[i] : 0;
}

static int nn_tables_are_sound(const nn_group *groups, int count, const struct nn_report *r)
{
    for (int g = 0; g < count; g++)
        for (int i = 0; i < groups[g].count; i++) {
            const nn_tensor *t = &groups[g].table[i];
            int bad = t->rank < 0 || t->rank > NN_MAX_RANK || (unsigned)t->type > NN_U64;
            for (int k = 0; !bad && k < t->rank; k++)
                bad = t->sizes[k] < 0;
            if (bad || strlen(groups[g].prefix) + strlen(t->name) >= NN_LONGEST_NAME)
                return nn_fail(r, "the table's row for %.80s is not valid", t->name);
        }
    return 0;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Text that is only counted while file is NULL: the header is produced twice. */
struct nn_writer {
    FILE *file;
    uint64_t length;
};

static void nn_put(struct nn_writer *w, const char *text)
{
    w->length += strlen(text);
    if (w->file)
        fputs(text, w->file);
}

static void nn_put_number(struct nn_writer *w, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    nn_put(w, text);
}

/* a JSON string without its quotation marks */
static void nn_put_name(struct nn_writer *w, const char *name)
{
    char text[8];
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        if (c == '"' || c == '\\')
            snprintf(text, sizeof text, "\\%c", c);
        else if (c < 0x20)
            snprintf(text, sizeof text, "\\u%04x", c);
        else
            snprintf(text, sizeof text, "%c", c);
        nn_put(w, text);
    }
}

static void nn_put_header(struct nn_writer *w, const nn_group *groups, int count)
{
    uint64_t at = 0;
    nn_put(w, "{");
    for (int g = 0, first = 1; g < count; g++)
        for (int i = 0; i < groups[g].count; i++, first = 0) {
            const nn_tensor *t = &groups[g].table[i];
            nn_put(w, first ? "\"" : ",\"");
            nn_put_name(w, groups[g].prefix);
            nn_put_name(w, t->name);
            nn_put(w, "\":{\"dtype\":\"");
            nn_put(w, nn_types[t->type].name);
            nn_put(w, "\",\"shape\":[");
            for (int k = 0; k < t->rank; k++) {
                nn_put(w, k ? "," : "");
                nn_put_number(w, (uint64_t)t->sizes[k]);
            }
            nn_put(w, "],\"data_offsets\":[");
            nn_put_number(w, at);
            nn_put(w, ",");
            nn_put_number(w, at += nn_bytes(t));
            nn_put(w, "]}");
        }
    nn_put(w, "}");
    while (w->length % 8)
        nn_put(w, " ");
}

static void nn_put_data(FILE *file, const nn_tensor *t, const void *base)
{
    const unsigned char *from = (const unsigned char *)base + t->offset;
    uint64_t left = nn_bytes(t);
    if (!nn_big_endian()) {
        fwrite(from, 1, (size_t)left, file);
        return;
    }
    while (left) {
        unsigned char piece[512];
        size_t n = left < sizeof piece ? (size_t)left : sizeof piece;
        memcpy(piece, from, n);
        nn_swap(piece, n, nn_types[t->type].size);
        fwrite(piece, 1, n, file);
        from += n;
        left -= n;
    }
}

static void nn_put_file(FILE *file, const nn_group *groups, int count)
{
    struct nn_writer counter = {NULL, 0}, writer = {file, 0};
    nn_put_header(&counter, groups, count);
    for (int i = 0; i < 8; i++)
        fputc((int)(counter.length >> 8 * i & 255), file);
    nn_put_header(&writer, groups, count);
    for (int g = 0; g < count; g++)
        for (int i = 0; i < groups[g].count; i++)
            nn_put_data(file, &groups[g].table[i], groups[g].base);
}

NN_API int nn_save_groups(const char *path, const nn_group *groups, int count, char *error,
                          size_t error_size)
{
    struct nn_report r = {path, error, error_size};
    size_t n = strlen(path);
    char *other;
    FILE *file;
    int bad;
    if (nn_tables_are_sound(groups, count, &r))
        return -1;
    other = (char *)malloc(n + 5);
    if (!other)
        return nn_fail(&r, "out of memory");
    memcpy(other, path, n);
    memcpy(other + n, ".tmp", 5);
    file = fopen(other, "wb");
    if (!file) {
        free(other);
        return nn_fail(&r, "cannot create %s.tmp", path);
    }
    nn_put_file(file, groups, count);
    bad = ferror(file) | fflush(file);
    bad |= fclose(file);
    if (bad)
        nn_fail(&r, "writing failed");
    else {
#ifdef _WIN32
        remove(path); /* rename does not replace a file there */
#endif
        bad = rename(other, path);
        if (bad)
            nn_fail(&r, "cannot rename %s.tmp", path);
    }
    if (bad)
        remove(other);
    free(other);
    return bad ? -1 : 0;
}

/* ---- comparing it with the tables ---------------------------------------------------------- */

/* a tensor of the tables, and where the file has it */
struct nn_place {
    const nn_tensor *tensor;
    unsigned char *to;
    uint64_t from;
    int found;
};

static struct nn_place *nn_find(struct nn_place *places, const nn_group *groups, int count,
                                const char *name)
{
    for (int g = 0; g < count; g++) {
        size_t n = strlen(groups[g].prefix);
        for (int i = 0; i < groups[g].count; i++, places++)
            if (strncmp(name, groups[g].prefix, n) == 0 &&
                strcmp(name + n, groups[g].table[i].name) == 0)
                return places;
    }
    return NULL;
}

static int nn_compare(const struct nn_entry *e, struct nn_place *place, uint64_t data,
                      const struct nn_report *r)
{
    char have[128], want[128];
    uint64_t sizes[NN_MAX_RANK];
    const nn_tensor *t;
    if (!place)
        return nn_fail(r, "tensor %.200s is not in the model", e->name);
    t = place->tensor;
    if (place->found)
        return nn_fail(r, "tensor %.200s is there twice", e->name);
    if (strcmp(e->type, nn_types[t->type].name) != 0)
        return nn_fail(r, "tensor %.200s has type %s, the model has %s", e->name, e->type,
                       nn_types[t->type].name);
    nn_table_sizes(t, sizes);
    if (e->rank != t->rank ||
        memcmp(e->sizes, sizes, sizeof sizes[0] * (size_t)t->rank) != 0)
        return nn_fail(r, "tensor %.200s has shape %s, the model has %s", e->name,
                       nn_shape_text(have, e->rank, e->sizes),
                       nn_shape_text(want, t->rank, sizes));
    if (e->to - e->from != nn_bytes(t))
        return nn_fail(r, "tensor %.200s has %llu bytes, its shape needs %llu", e->name,
                       (unsigned long long)(e->to - e->from), (unsigned long long)nn_bytes(t));
    if (e->to > data)
        return nn_fail(r, "tensor %.200s ends past the end of the file", e->name);
    place->from = e->from;
    place->found = 1;
    return 0;
}

static int nn_read_header(const char *text, size_t length, uint64_t data, struct nn_place *places,
                          const nn_group *groups, int count, const struct nn_report *report)
{
    struct nn_reader r = {text, text, text + length, NULL};
    int metadata = 0;
    if (length == 0 || text[0] != '{')
        return nn_fail(report, "not a safetensors file: the header does not begin with {");
    r.at++;
    if (!nn_take(&r, '}')) {
        do {
            struct nn_entry e;
            memset(&e, 0, sizeof e);
            if (!nn_string(&r, e.name, sizeof e.name) || !nn_need(&r, ':'))
                break;
            if (strcmp(e.name, "__metadata__") == 0) {
                if (metadata++)
                    nn_bad(&r, "__metadata__ given twice");
                else
                    nn_metadata(&r);
            } else if (nn_description(&r, &e) &&
                       nn_compare(&e, nn_find(places, groups, count, e.name), data, report))
                return -1;
        } while (!r.problem && nn_take(&r, ','));
        if (!r.problem)
            nn_need(&r, '}');
    }
    nn_skip_space(&r);
    if (!r.problem && r.at != r.end)
        nn_bad(&r, "text after the end");
    if (r.problem)
        return nn_fail(report, "header, byte %lld: %s", (long long)(r.at - r.start), r.problem);
    return 0;
}

/* by place in the file; empty tensors before the one that begins there */
static int nn_by_place(const void *a, const void *b)
{
    const struct nn_place *x = (const struct nn_place *)a, *y = (const struct nn_place *)b;
    uint64_t m = nn_bytes(x->tensor), n = nn_bytes(y->tensor);
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return m < n ? -1 : m > n;
}

static int nn_check_places(struct nn_place *places, int n, uint64_t data, const nn_group *groups,
                           int count, const struct nn_report *r)
{
    uint64_t at = 0;
    const struct nn_place *p = places;
    for (int g = 0; g < count; g++)
        for (int i = 0; i < groups[g].count; i++, p++)
            if (!p->found)
                return nn_fail(r, "tensor %.200s%.200s is missing", groups[g].prefix,
                               groups[g].table[i].name);
    qsort(places, (size_t)n, sizeof *places, nn_by_place);
    for (int i = 0; i < n; i++) {
        if (places[i].from != at)
            return nn_fail(r, "tensor %.200s %s", places[i].tensor->name,
                           places[i].from < at ? "overlaps another" : "comes after a gap");
        at += nn_bytes(places[i].tensor);
    }
    if (at != data)
        return nn_fail(r, "%llu bytes of data, the model has %llu", (unsigned long long)data,
                       (unsigned long long)at);
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* The length of an open file, by reading to its end: fseek to the end is not portable, and long
 * may be too short. */
static int nn_length(FILE *file, uint64_t *length)
{
    unsigned char piece[4096];
    size_t n;
    *length = 0;
    while ((n = fread(piece, 1, sizeof piece, file)) > 0)
        *length += n;
    rewind(file);
    return ferror(file) ? -1 : 0;
}

static int nn_load_open(FILE *file, const nn_group *groups, int count, struct nn_place *places,
                        int n, char **header, const struct nn_report *r)
{
    unsigned char prefix[8];
    uint64_t length, size = 0;
    if (nn_length(file, &length))
        return nn_fail(r, "reading failed");
    if (length < 8 || fread(prefix, 1, 8, file) != 8)
        return nn_fail(r, "not a safetensors file: only %llu bytes", (unsigned long long)length);
    for (int i = 7; i >= 0; i--)
        size = size << 8 | prefix[i];
    if (size > nn_longest_header)
        return nn_fail(r, "not a safetensors file: a header of %llu bytes",
                       (unsigned long long)size);
    if (size > length - 8)
        return nn_fail(r, "cut off: a header of %llu bytes in a file of %llu",
                       (unsigned long long)size, (unsigned long long)length);
    *header = (char *)malloc((size_t)size + 1);
    if (!*header)
        return nn_fail(r, "out of memory");
    if (fread(*header, 1, (size_t)size, file) != size)
        return nn_fail(r, "reading failed");
    if (nn_read_header(*header, (size_t)size, length - 8 - size, places, groups, count, r) ||
        nn_check_places(places, n, length - 8 - size, groups, count, r))
        return -1;
    for (int i = 0; i < n; i++) {
        size_t bytes = (size_t)nn_bytes(places[i].tensor);
        if (bytes && fread(places[i].to, 1, bytes, file) != bytes)
            return nn_fail(r, "reading failed at tensor %.200s", places[i].tensor->name);
        nn_swap(places[i].to, bytes, nn_types[places[i].tensor->type].size);
    }
    return 0;
}

NN_API int nn_load_groups(const char *path, const nn_group *groups, int count, char *error,
                          size_t error_size)
{
    struct nn_report r = {path, error, error_size};
    struct nn_place *places;
    char *header = NULL;
    FILE *file;
    int n = 0, result;
    if (nn_tables_are_sound(groups, count, &r))
        return -1;
    for (int g = 0; g < count; g++)
        n += groups[g].count;
    places = (struct nn_place *)calloc((size_t)n + 1, sizeof *places);
    if (!places)
        return nn_fail(&r, "out of memory");
    for (int g = 0, k = 0; g < count; g++)
        for (int i = 0; i < groups[g].count; i++, k++) {
            places[k].tensor = &groups[g].table[i];
            places[k].to = (unsigned char *)groups[g].base + groups[g].table[i].offset;
        }
    file = fopen(path, "rb");
    if (!file) {
        free(places);
        return nn_fail(&r, "cannot open the file");
    }
    result = nn_load_open(file, groups, count, places, n, &header, &r);
    fclose(file);
    free(header);
    free(places);
    return result;
}

/* ---- one struct ---------------------------------------------------------------------------- */

NN_API int nn_save(const char *path, const nn_tensor *table, int count, const void *base,
                   char *error, size_t error_size)
{
    nn_group one;
    one.prefix = "";
    one.table = table;
    one.count = count;
    one.base = (void *)(uintptr_t)base; /* only read */
    return nn_save_groups(path, &one, 1, error, error_size);
}

NN_API int nn_load(const char *path, const nn_tensor *table, int count, void *base, char *error,
                   size_t error_size)
{
    nn_group one;
    one.prefix = "";
    one.table = table;
    one.count = count;
    one.base = base;
    return nn_load_groups(path, &one, 1, error, error_size);
}
#else
typedef int nn_file_is_for_hosted_systems;
#endif
#endif
