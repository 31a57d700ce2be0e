/* params.c - parameters from safetensors files. In: a file as the generated program's save function
 * writes it. Out: the machine's params, and its states when the file has them; the runtime library
 * reads the file and checks names, types and shapes. */
#include "command.h"
#include "nn.h"

#include <limits.h>
#include <string.h>

static nn_dtype dtype_of(Elem e)
{
    switch (e) {
    case ELEM_REAL: return options.f64 ? NN_F64 : NN_F32;
    case ELEM_F64: return NN_F64;
    case ELEM_F16: return NN_F16;
    case ELEM_I32: return NN_I32;
    case ELEM_I8: return NN_I8;
    case ELEM_U8: return NN_U8;
    case ELEM_BOOL: return NN_BOOL;
    default: return NN_F32;
    }
}

static size_t bytes_of(nn_dtype type)
{
    switch (type) {
    case NN_F64:
    case NN_U64: return 8;
    case NN_F32:
    case NN_I32: return 4;
    case NN_F16: return 2;
    default: return 1;
    }
}

/* The table of the slots, laid out one behind the other. */
static nn_group group_of(const char *prefix, const SlotList *slots, Tensor *const *values)
{
    nn_tensor *table = NEW_N(nn_tensor, slots->n + 1);
    size_t offset = 0;
    for (int i = 0; i < slots->n; i++) {
        const Tensor *t = values[i];
        nn_dtype type = dtype_of(t->elem);
        table[i] = (nn_tensor){slots->at[i]->path, offset, type, t->rank, {0}};
        for (int k = 0; k < t->rank; k++) table[i].sizes[k] = (int)t->size[k];
        offset += ((size_t)t->count * bytes_of(type) + 7) / 8 * 8;
    }
    return (nn_group){prefix, table, slots->n, arena_alloc(offset + 8)};
}

static double element(const char *base, nn_dtype type, long i)
{
    switch (type) {
    case NN_F64: return ((const double *)(const void *)base)[i];
    case NN_F32: return (double)((const float *)(const void *)base)[i];
    case NN_F16: return half_value(((const uint16_t *)(const void *)base)[i]);
    case NN_I32: return ((const int32_t *)(const void *)base)[i];
    case NN_I8: return ((const signed char *)base)[i];
    default: return ((const unsigned char *)base)[i];
    }
}

static void take_values(const nn_group *g, Tensor **values)
{
    for (int i = 0; i < g->count; i++)
        for (long k = 0; k < values[i]->count; k++)
            values[i]->v[k] =
                element((const char *)g->base + g->table[i].offset, g->table[i].type, k);
}

bool load_params(Machine *m, const char *path, const char **error)
{
    char first[400], text[400];
    nn_group groups[2] = {group_of("params.", &m->program->params, m->params),
                          group_of("state.", &m->program->states, m->states)};
    nn_group bare = {"", groups[0].table, groups[0].count, groups[0].base};
    bool with_states = !nn_load_groups(path, groups, 2, first, sizeof first);
    if (!with_states && nn_load_groups(path, &bare, 1, text, sizeof text)) {
        *error = format("%s", first);
        return false;
    }
    take_values(&groups[0], m->params);
    if (with_states) take_values(&groups[1], m->states);
    return true;
}
