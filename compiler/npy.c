/* npy.c - NumPy's array files. In: the bytes of a .npy file of version 1 to 3, from anywhere. Out:
 * a tensor in C order, or an error; nothing the file says is believed before it is checked. */
#include "command.h"
#include "eval.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct Header {
    char kind;                /* f, i, u, b */
    int width;                /* bytes of an element */
    bool big_endian, fortran;
    int rank;
    long size[MAX_RANK], count;
} Header;

static Tensor *bad(const char **error, const char *text)
{
    *error = text;
    return NULL;
}

/* The value of a key in the header's dictionary, NULL when it has none. */
static const char *value_of(const char *dict, const char *key)
{
    for (const char *p = dict; (p = strstr(p, key)); p++) {
        const char *q = p + strlen(key);
        if (p == dict || (p[-1] != '\'' && p[-1] != '"') || *q != p[-1]) continue;
        for (q++; *q == ' ' || *q == ':'; q++) continue;
        return q;
    }
    return NULL;
}

static bool read_descr(Header *h, const char *dict)
{
    const char *s = value_of(dict, "descr");
    if (!s || (*s != '\'' && *s != '"')) return false;
    s++;
    if (!strchr("<>|=", *s)) return false;
    h->big_endian = *s++ == '>';
    h->kind = *s++;
    if (!isdigit((unsigned char)s[0]) || (s[1] != '\'' && s[1] != '"')) return false;
    h->width = s[0] - '0';
    switch (h->kind) {
    case 'f': return h->width == 2 || h->width == 4 || h->width == 8;
    case 'i':
    case 'u': return h->width == 1 || h->width == 2 || h->width == 4 || h->width == 8;
    case 'b': return h->width == 1;
    default: return false;
    }
}

static bool read_shape(Header *h, const char *dict)
{
    const char *s = value_of(dict, "shape");
    if (!s || *s++ != '(') return false;
    h->count = 1;
    for (;;) {
        while (*s == ' ' || *s == ',') s++;
        if (*s == ')') return true;
        if (!isdigit((unsigned char)*s) || h->rank == MAX_RANK) return false;
        char *end;
        long v = strtol(s, &end, 10);
        if (__builtin_mul_overflow(h->count, v, &h->count)) return false;
        h->size[h->rank++] = v;
        s = end;
    }
}

static double element(const Header *h, const unsigned char *p)
{
    uint64_t bits = 0;
    for (int i = 0; i < h->width; i++)
        bits |= (uint64_t)p[h->big_endian ? h->width - 1 - i : i] << 8 * i;
    if (h->kind == 'f' && h->width == 2) return half_value((unsigned)bits);
    if (h->kind == 'f' && h->width == 4) {
        uint32_t low = (uint32_t)bits;
        float f;
        memcpy(&f, &low, sizeof f);
        return (double)f;
    }
    if (h->kind == 'f') {
        double d;
        memcpy(&d, &bits, sizeof d);
        return d;
    }
    if (h->kind != 'i') return (double)bits;
    int unused = 64 - 8 * h->width;
    return (double)((int64_t)(bits << unused) >> unused);
}

static Elem elem_of(const Header *h)
{
    if (h->kind == 'b') return ELEM_BOOL;
    if (h->kind == 'f') return h->width == 2 ? ELEM_F16 : h->width == 4 ? ELEM_F32 : ELEM_F64;
    if (h->width == 1) return h->kind == 'u' ? ELEM_U8 : ELEM_I8;
    return ELEM_I32;
}

static void read_elements(const Header *h, const unsigned char *p, Tensor *t)
{
    long index[MAX_RANK] = {0}, stride[MAX_RANK] = {0}, step = 1;
    for (int i = 0; i < h->rank; i++) {
        int axis = h->fortran ? i : h->rank - 1 - i;
        stride[axis] = step;
        step *= h->size[axis];
    }
    for (long k = 0; k < h->count; k++) {
        long at = 0;
        for (int i = 0; i < h->rank; i++) at += index[i] * stride[i];
        t->v[k] = element(h, p + at * h->width);
        for (int i = h->rank - 1; i >= 0 && ++index[i] == h->size[i]; i--) index[i] = 0;
    }
}

Tensor *npy_read(const char *bytes, size_t length, const char **error)
{
    const unsigned char *b = (const unsigned char *)bytes;
    if (length < 10 || memcmp(b, "\x93NUMPY", 6)) return bad(error, "not a NumPy array file");
    if (b[6] < 1 || b[6] > 3)
        return bad(error, format("version %d of the NumPy format is not known", b[6]));
    size_t start = b[6] == 1 ? 10 : 12, size = b[8] | (size_t)b[9] << 8;
    if (length < start) return bad(error, "the file ends inside its header");
    if (b[6] > 1) size |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (size > length - start) return bad(error, "the file ends inside its header");
    const char *dict = format("%.*s", (int)size, bytes + start), *order;
    Header h = {0};
    if (size > 65535 || !read_descr(&h, dict))
        return bad(error, "elements of this type cannot be read (floats, integers and bool can)");
    if (!read_shape(&h, dict)) return bad(error, "the shape in the header makes no sense");
    order = value_of(dict, "fortran_order");
    h.fortran = order && !strncmp(order, "True", 4);
    size_t data = length - start - size;
    if (h.count > (long)(data / (size_t)h.width))
        return bad(error, format("the header says %ld elements, the file holds %zu", h.count,
                                 data / (size_t)h.width));
    Tensor *t = tensor_new(elem_of(&h), h.rank, h.size);
    read_elements(&h, b + start + size, t);
    return t;
}
