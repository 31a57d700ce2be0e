/* value.c - the values that a person hands to an entry. In: a word of the command line: JSON, or @
 * and the name of a NumPy or JSON file. Out: a tensor of the element type the entry asks for; a
 * value that does not fit it is an error, never rounded silently. */
#include "command.h"
#include "eval.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static bool range_of(Elem e, double *lo, double *hi)
{
    switch (e) {
    case ELEM_I8: *lo = -128, *hi = 127; return true;
    case ELEM_U8: *lo = 0, *hi = 255; return true;
    case ELEM_I32: *lo = -2147483648.0, *hi = 2147483647.0; return true;
    case ELEM_BOOL: *lo = 0, *hi = 1; return true;
    default: return false;
    }
}

Tensor *tensor_to(const Tensor *t, Elem e, const char **error)
{
    double lo, hi;
    Tensor *to = tensor_new(e, t->rank, t->size);
    bool bounded = range_of(e, &lo, &hi);
    for (long i = 0; i < t->count; i++) {
        double v = t->v[i];
        if (bounded && !(v >= lo && v <= hi && v == floor(v))) {
            *error = e == ELEM_BOOL ? format("%.9g is neither true nor false", v)
                                    : format("%.9g is not an %s (an integer in %.0f..%.0f)", v,
                                             elem_text(e), lo, hi);
            return NULL;
        }
        to->v[i] = eval_rounds(e) ? eval_convert(ELEM_REAL, e, v) : v;
    }
    return to;
}

static bool ends_in(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

static Tensor *read_value_file(const char *path, const char **error)
{
    const Source *src = source_read(path);
    if (!src) {
        *error = format("cannot read `%s`: %s", path, strerror(errno));
        return NULL;
    }
    bool is_npy = ends_in(path, ".npy") || src->text[0] == '\x93';
    Tensor *t = is_npy ? npy_read(src->text, (size_t)src->length, error)
                       : json_read(src->text, error);
    if (!t) *error = format("`%s`: %s", path, *error);
    return t;
}

Tensor *read_value(const char *word, Elem e, const char **error)
{
    Tensor *t = word[0] == '@' ? read_value_file(word + 1, error) : json_read(word, error);
    return t ? tensor_to(t, e, error) : NULL;
}
