/* params.c - parameters from safetensors files. In: a file that nn_save has written from the table
 * of a generated program's params, or nn_save_groups from those of its params and its state, with
 * the prefixes "params." and "state.". Out: the machine with these values; names, types and shapes
 * are checked by the runtime library, which reads the file. */
#include "command.h"
#include "eval.h"
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

/* The table of the generated program: the slots in order, states behind the seed and the counter
 * of calls. Here they are laid out one behind the other. */
static nn_group group_of(const char *prefix, const SlotList *slots, Tensor *const *values,
                         bool counters)
{
    static const char *const names[] = {"seed", "call"};
    nn_tensor *table = NEW_N(nn_tensor, slots->n + 2);
    int n = counters ? 2 : 0;
    size_t offset = 8 * (size_t)n;
    for (int i = 0; i < n; i++)
        table[i] = (nn_tensor){names[i], 8 * (size_t)i, NN_U64, 0, {0}};
    for (int i = 0; i < slots->n; i++) {
        const Tensor *t = values[i];
        nn_dtype type = dtype_of(t->elem);
        nn_tensor *row = &table[n++];
        *row = (nn_tensor){slots->at[i]->path, offset, type, t->rank, {0}};
        for (int k = 0; k < t->rank; k++) row->sizes[k] = (int)t->size[k];
        offset += ((size_t)t->count * bytes_of(type) + 7) / 8 * 8;
    }
    return (nn_group){prefix, table, n, arena_alloc(offset + 8)};
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

/* The last n rows of the group, as the values of n slots. */
static void take_values(const nn_group *g, int n, Tensor **values)
{
    const nn_tensor *rows = g->table + (g->count - n);
    for (int i = 0; i < n; i++)
        for (long k = 0; k < values[i]->count; k++)
            values[i]->v[k] = element((const char *)g->base + rows[i].offset, rows[i].type, k);
}

bool load_params(Machine *m, const char *path, const char **error)
{
    char text[400];
    const Program *p = m->program;
    nn_group params = group_of("", &p->params, m->params, false);
    nn_group groups[2] = {params, group_of("state.", &p->states, m->states, true)};
    groups[0].prefix = "params.";
    bool alone = !nn_load_groups(path, &params, 1, text, sizeof text);
    if (!alone && nn_load_groups(path, groups, 2, NULL, 0)) {
        *error = format("%s", text);
        return false;
    }
    take_values(&params, p->params.n, m->params);
    if (alone) return true;
    const uint64_t *counters = groups[1].base;
    m->seed = counters[0];
    m->call = counters[1];
    take_values(&groups[1], p->states.n, m->states);
    return true;
}
