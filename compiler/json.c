/* json.c - tensors as JSON text. In: a number, true, false or a rectangular nested array of them,
 * as a person types them. Out: a tensor, or an error that says where the array is not rectangular.
 * The other way: numbers in the shortest form that reads back the same. */
#include "command.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Reader {
    const Tensor *t;          /* the rank and sizes that every part must have */
    double *v;                /* where the elements go; NULL: only check */
    long at;                  /* the next element */
    bool all_bool, all_int;
    const char *error;
} Reader;

/* JSON has no words for these; 1e999 is read as infinity, and null stands for NaN. */
static const char *plain_json(const char *text)
{
    static const struct { const char *word, *json; } words[] = {
        {"Infinity", "1e999"}, {"inf", "1e999"}, {"NaN", "null"}, {"nan", "null"},
    };
    Text out = {0};
    text_add(&out, "%s", "");
    while (*text) {
        size_t skip = 0;
        for (size_t i = 0; i < sizeof words / sizeof *words && !skip; i++) {
            size_t n = strlen(words[i].word);
            if (strncmp(text, words[i].word, n) || isalnum((unsigned char)text[n])) continue;
            text_add(&out, "%s", words[i].json);
            skip = n;
        }
        if (!skip) {
            skip = 1 + strcspn(text + 1, "INin");      /* where such a word can start */
            text_add(&out, "%.*s", (int)skip, text);
        }
        text += skip;
    }
    return out.s;
}

/* "[1][0]": where in the array an element stands. */
static const char *place(const long *index, int depth)
{
    Text out = {0};
    for (int i = 0; i < depth; i++) text_add(&out, "[%ld]", index[i]);
    return depth ? out.s : "the value";
}

/* The sizes along the first elements; every other part must agree. */
static bool measure(const cJSON *v, int *rank, long *size, const char **error)
{
    for (*rank = 0; cJSON_IsArray(v); v = v->child) {
        if (*rank == MAX_RANK) {
            *error = format("an array of more than %d axes", MAX_RANK);
            return false;
        }
        size[(*rank)++] = cJSON_GetArraySize(v);
        if (!v->child) break;
    }
    return true;
}

static bool number_of(const cJSON *v, double *x)
{
    if (cJSON_IsNumber(v)) *x = v->valuedouble;
    else if (cJSON_IsBool(v)) *x = cJSON_IsTrue(v);
    else if (cJSON_IsNull(v)) *x = (double)NAN;
    else return false;
    return true;
}

static void read_part(Reader *r, const cJSON *v, int depth, long *index)
{
    double x;
    if (r->error) return;
    bool is_array = cJSON_IsArray(v);
    if (!is_array && !number_of(v, &x)) {
        r->error = format("%s is not a number", place(index, depth));
    } else if (is_array != (depth < r->t->rank)) {
        r->error = format("the array is not rectangular: %s is %s", place(index, depth),
                          is_array ? "an array, where others are numbers"
                                   : "a number, where others are arrays");
    } else if (!is_array) {
        if (r->v) r->v[r->at] = x;
        r->at++;
        r->all_bool &= cJSON_IsBool(v) != 0;
        r->all_int &= x == floor(x) && fabs(x) <= 2147483648.0;
    } else if (cJSON_GetArraySize(v) != r->t->size[depth]) {
        r->error = format("the array is not rectangular: %s has %d elements, others have %ld",
                          place(index, depth), cJSON_GetArraySize(v), r->t->size[depth]);
    } else {
        index[depth] = 0;
        for (const cJSON *c = v->child; c && !r->error; c = c->next, index[depth]++)
            read_part(r, c, depth + 1, index);
    }
}

/* What cJSON made of the text, as a tensor. */
static Tensor *tensor_of(const cJSON *v, const char **error)
{
    long index[MAX_RANK + 1] = {0};
    Tensor shape = {.rank = 0}, *t;
    if (!measure(v, &shape.rank, shape.size, error)) return NULL;
    Reader check = {&shape, NULL, 0, true, true, NULL};
    read_part(&check, v, 0, index);
    *error = check.error;
    if (check.error) return NULL;
    t = tensor_new(ELEM_F64, shape.rank, shape.size);
    Reader fill = {&shape, t->v, 0, true, true, NULL};
    read_part(&fill, v, 0, index);
    if (fill.at) t->elem = fill.all_bool ? ELEM_BOOL : fill.all_int ? ELEM_I32 : ELEM_F64;
    return t;
}

Tensor *json_read(const char *text, const char **error)
{
    const char *plain = plain_json(text), *end = NULL;
    cJSON *v = cJSON_ParseWithOpts(plain, &end, true);
    if (!v) {
        const char *rest = end ? end : plain;
        *error = *rest ? format("no number or array: cannot read it at `%.20s`", rest)
                       : *text ? "the text ends before the array does" : "an empty value";
        return NULL;
    }
    Tensor *t = tensor_of(v, error);
    cJSON_Delete(v);
    return t;
}

static void write_number(Text *out, Elem e, double v, bool as_float)
{
    char s[40];
    if (e == ELEM_BOOL) text_add(out, "%s", v != 0 ? "true" : "false");
    else if (isnan(v)) text_add(out, "NaN");
    else if (isinf(v)) text_add(out, v < 0 ? "-Infinity" : "Infinity");
    else if (v == floor(v) && fabs(v) < 1e15) text_add(out, "%.0f", v + 0.0);
    else {
        for (int digits = 1; digits <= 17; digits++) {
            snprintf(s, sizeof s, "%.*g", digits, v);
            double back = strtod(s, NULL);
            if (as_float ? (float)back == (float)v : back == v) break;
            if (as_float && digits == 9) break;
        }
        text_add(out, "%s", s);
    }
}

static void write_axis(Text *out, const Tensor *t, bool as_float, int axis, long *at)
{
    if (axis == t->rank) {
        write_number(out, t->elem, t->v[(*at)++], as_float);
        return;
    }
    text_add(out, "[");
    for (long i = 0; i < t->size[axis]; i++) {
        if (i) text_add(out, ", ");
        write_axis(out, t, as_float, axis + 1, at);
    }
    text_add(out, "]");
}

void json_write(Text *out, const Tensor *t, bool as_float)
{
    long at = 0;
    write_axis(out, t, as_float, 0, &at);
}
