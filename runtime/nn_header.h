/* nn_header.h - the syntax of a safetensors header.
 *
 * In comes the text between two pointers, out come the tensors that it describes, one at a time,
 * or the first problem and where it is.  The parser takes exactly the JSON that the format allows:
 * an object of descriptions and at most one __metadata__, an object of strings.  Nothing nests
 * deeper than that, so nothing recurses, and nothing is allocated.  Part of nn_file.c. */
#ifndef NN_HEADER_H
#define NN_HEADER_H
#include <stdint.h>
#include <string.h>
#include "nn.h"

enum { NN_LONGEST_NAME = 1024 }; /* bytes of a name, prefix included, and the zero */

/* one tensor as the file describes it */
struct nn_entry {
    char name[NN_LONGEST_NAME];
    char type[8];
    int rank;
    uint64_t sizes[NN_MAX_RANK];
    uint64_t from, to;
};

/* the header's text from at to end; the first error stays */
struct nn_reader {
    const char *start, *at, *end;
    const char *problem;
};

static int nn_bad(struct nn_reader *r, const char *problem)
{
    if (!r->problem)
        r->problem = problem;
    return 0;
}

static void nn_skip_space(struct nn_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* Passes over one character if it is there. */
static int nn_take(struct nn_reader *r, char c)
{
    nn_skip_space(r);
    if (r->at == r->end || *r->at != c)
        return 0;
    r->at++;
    return 1;
}

static int nn_need(struct nn_reader *r, char c)
{
    if (nn_take(r, c))
        return 1;
    switch (c) {
    case '"': return nn_bad(r, "\" expected");
    case ':': return nn_bad(r, ": expected");
    case '{': return nn_bad(r, "{ expected");
    case '[': return nn_bad(r, "[ expected");
    case ']': return nn_bad(r, ", or ] expected");
    default: return nn_bad(r, ", or } expected");
    }
}

static int nn_hex4(struct nn_reader *r, unsigned *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        char c = r->at < r->end ? *r->at : '\0';
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return nn_bad(r, "bad \\u escape");
        *code = *code * 16 + (unsigned)digit;
    }
    return 1;
}

static size_t nn_utf8(unsigned code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

/* the character after a backslash */
static int nn_escape(struct nn_reader *r, unsigned *code)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    unsigned low;
    const char *p;
    if (r->at == r->end)
        return nn_bad(r, "string without end");
    if (*r->at == 'u') {
        r->at++;
        if (!nn_hex4(r, code))
            return 0;
        if (*code >= 0xd800 && *code < 0xdc00) {
            if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
                return nn_bad(r, "half a surrogate pair");
            r->at += 2;
            if (!nn_hex4(r, &low))
                return 0;
            if (low < 0xdc00 || low >= 0xe000)
                return nn_bad(r, "half a surrogate pair");
            *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
        } else if (*code >= 0xdc00 && *code < 0xe000)
            return nn_bad(r, "half a surrogate pair");
        return *code != 0 || nn_bad(r, "a string with a zero in it");
    }
    p = *r->at ? strchr(from, *r->at) : NULL;
    if (!p)
        return nn_bad(r, "unknown escape");
    *code = (unsigned char)to[p - from];
    r->at++;
    return 1;
}

/* A string into text of `size` bytes; where text is NULL it is only passed over. */
static int nn_string(struct nn_reader *r, char *text, size_t size)
{
    size_t used = 0;
    if (!nn_need(r, '"'))
        return 0;
    for (;;) {
        char piece[4];
        size_t n = 1;
        if (r->at == r->end)
            return nn_bad(r, "string without end");
        piece[0] = *r->at++;
        if (piece[0] == '"')
            break;
        if ((unsigned char)piece[0] < 0x20)
            return nn_bad(r, "control character in a string");
        if (piece[0] == '\\') {
            unsigned code;
            if (!nn_escape(r, &code))
                return 0;
            n = nn_utf8(code, piece);
        }
        if (!text)
            continue;
        if (used + n >= size)
            return nn_bad(r, "string too long");
        memcpy(text + used, piece, n);
        used += n;
    }
    if (text)
        text[used] = '\0';
    return 1;
}

/* a whole number without sign, as the format has them */
static int nn_number(struct nn_reader *r, uint64_t *n)
{
    const char *first;
    nn_skip_space(r);
    first = r->at;
    *n = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        unsigned digit = (unsigned)(*r->at - '0');
        if (*n > (UINT64_MAX - digit) / 10)
            return nn_bad(r, "number too large");
        *n = *n * 10 + digit;
    }
    if (r->at == first || (*first == '0' && r->at - first > 1))
        return nn_bad(r, "number expected");
    return 1;
}

/* [n, n, ...] */
static int nn_numbers(struct nn_reader *r, uint64_t *list, int most, int *count)
{
    *count = 0;
    if (!nn_need(r, '['))
        return 0;
    if (nn_take(r, ']'))
        return 1;
    do {
        if (*count == most)
            return nn_bad(r, "list too long");
        if (!nn_number(r, &list[(*count)++]))
            return 0;
    } while (nn_take(r, ','));
    return nn_need(r, ']');
}

/* __metadata__: an object of strings, passed over */
static int nn_metadata(struct nn_reader *r)
{
    if (!nn_need(r, '{'))
        return 0;
    if (nn_take(r, '}'))
        return 1;
    do {
        if (!nn_string(r, NULL, 0) || !nn_need(r, ':') || !nn_string(r, NULL, 0))
            return 0;
    } while (nn_take(r, ','));
    return nn_need(r, '}');
}

/* {"dtype":..., "shape":..., "data_offsets":...}, each exactly once, in any order */
static int nn_description(struct nn_reader *r, struct nn_entry *e)
{
    unsigned seen = 0;
    if (!nn_need(r, '{'))
        return 0;
    do {
        char key[16];
        unsigned bit;
        if (!nn_string(r, key, sizeof key) || !nn_need(r, ':'))
            return 0;
        if (strcmp(key, "dtype") == 0) {
            bit = 1;
            if (!nn_string(r, e->type, sizeof e->type))
                return 0;
        } else if (strcmp(key, "shape") == 0) {
            bit = 2;
            if (!nn_numbers(r, e->sizes, NN_MAX_RANK, &e->rank))
                return 0;
        } else if (strcmp(key, "data_offsets") == 0) {
            uint64_t range[2];
            int n;
            bit = 4;
            if (!nn_numbers(r, range, 2, &n))
                return 0;
            if (n != 2 || range[0] > range[1])
                return nn_bad(r, "data_offsets are not a range");
            e->from = range[0];
            e->to = range[1];
        } else
            return nn_bad(r, "unknown key in the description of a tensor");
        if (seen & bit)
            return nn_bad(r, "key given twice");
        seen |= bit;
    } while (nn_take(r, ','));
    if (!nn_need(r, '}'))
        return 0;
    return seen == 7 || nn_bad(r, "dtype, shape or data_offsets missing");
}
#endif
