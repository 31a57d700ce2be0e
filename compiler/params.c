/* params.c - parameters from safetensors files. In: a file that nn_save has written from the table
 * of a generated program's params, or nn_save_groups from those of its params and its state, with
 * the prefixes "params." and "state.". Out: the machine with these values; names, types and shapes
 * are checked by the runtime library, which reads the file. Every parameter must be there, and no
 * other; of the states those that are: a program that predicts has no use for Adam's moments. */
#include "command.h"
#include "eval.h"
#include "nn.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <stdlib.h>
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

/* ---- the header of the file ---- */

/* The header as JSON, or NULL: it cannot be read, of which the runtime will say why. */
static cJSON *read_header(const char *path)
{
    unsigned char length[8];
    enum { LARGEST = 1 << 26 };
    size_t n = 0;
    cJSON *header = NULL;
    FILE *f = fopen(path, "rb");
    if (f && fread(length, 1, 8, f) == 8)
        for (int i = 8; i-- > 0 && n < LARGEST;) n = n << 8 | length[i];
    char *text = n && n < LARGEST ? calloc(n + 1, 1) : NULL;
    if (text && fread(text, 1, n, f) == n) header = cJSON_ParseWithLength(text, n);
    free(text);
    if (f) fclose(f);
    return header;
}

static const char *const dtype_names[] = {"F32", "F64", "F16", "I32", "U8", "I8", "BOOL", "U64"};

/* A row for a tensor that only the file has; false: its type or rank is not known. */
static bool foreign_row(const cJSON *x, const char *name, nn_tensor *row)
{
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(x, "dtype"));
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(x, "shape"), *size;
    *row = (nn_tensor){name, 0, NN_F32, 0, {0}};
    int i = 0, n_types = sizeof dtype_names / sizeof *dtype_names;
    while (type && i < n_types && strcmp(dtype_names[i], type)) i++;
    if (!type || i == n_types || cJSON_GetArraySize(shape) > NN_MAX_RANK) return false;
    row->type = (nn_dtype)i;
    cJSON_ArrayForEach(size, shape) row->sizes[row->rank++] = size->valueint;
    return true;
}

/* ---- tables ---- */

/* The table of the generated program: the slots in order, states behind the seed and the counter
 * of calls. Here they are laid out one behind the other. */
typedef struct Rows {
    nn_group group;
    Tensor **of; /* by row: the value it is read into, NULL: none */
    size_t bytes;
} Rows;

static Rows new_rows(const char *prefix, int most)
{
    nn_tensor *table = NEW_N(nn_tensor, most + 1);
    return (Rows){{prefix, table, 0, NULL}, NEW_N(Tensor *, most + 1), 0};
}

static void add_row(Rows *r, nn_tensor row, Tensor *of)
{
    size_t count = 1;
    for (int i = 0; i < row.rank; i++) count *= (size_t)row.sizes[i];
    row.offset = r->bytes;
    r->of[r->group.count] = of;
    ((nn_tensor *)(uintptr_t)r->group.table)[r->group.count++] = row;
    r->bytes += (count * bytes_of(row.type) + 7) / 8 * 8;
}

static void add_slots(Rows *r, const SlotList *slots, Tensor *const *values)
{
    for (int i = 0; i < slots->n; i++) {
        nn_tensor row = {slots->at[i]->path, 0, dtype_of(values[i]->elem), values[i]->rank, {0}};
        for (int k = 0; k < row.rank; k++) row.sizes[k] = (int)values[i]->size[k];
        add_row(r, row, values[i]);
    }
}

static int find_slot(const SlotList *slots, const char *path)
{
    int i = 0;
    while (i < slots->n && strcmp(slots->at[i]->path, path)) i++;
    return i;
}

/* The states that the file has, those of the program and others. */
static Rows state_rows(const Machine *m, const cJSON *header, bool *given)
{
    static const char prefix[] = "state.";
    const SlotList *slots = &m->program->states;
    Rows r = new_rows(prefix, cJSON_GetArraySize(header) + 2);
    add_row(&r, (nn_tensor){"seed", 0, NN_U64, 0, {0}}, NULL);
    add_row(&r, (nn_tensor){"call", 0, NN_U64, 0, {0}}, NULL);
    const cJSON *x;
    cJSON_ArrayForEach(x, header) {
        const char *name = x->string + sizeof prefix - 1;
        if (strncmp(x->string, prefix, sizeof prefix - 1)) continue;
        if (!strcmp(name, "seed") || !strcmp(name, "call")) continue;
        int i = find_slot(slots, name);
        nn_tensor row;
        if (i < slots->n) {
            add_slots(&r, &(SlotList){&slots->at[i], 1, 1}, &m->states[i]);
            if (given) given[i] = true;
        } else if (foreign_row(x, intern_str(name), &row)) {
            add_row(&r, row, NULL);
        }
    }
    return r;
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

static void take_values(const Rows *r)
{
    const nn_group *g = &r->group;
    for (int i = 0; i < g->count; i++)
        for (long k = 0; r->of[i] && k < r->of[i]->count; k++)
            r->of[i]->v[k] =
                element((const char *)g->base + g->table[i].offset, g->table[i].type, k);
}

/* Do the names of the file begin with "params." or "state."? */
static bool has_groups(const cJSON *header)
{
    const cJSON *x;
    bool any = false;
    cJSON_ArrayForEach(x, header) {
        if (!strcmp(x->string, "__metadata__")) continue;
        if (strncmp(x->string, "params.", 7) && strncmp(x->string, "state.", 6)) return false;
        any = true;
    }
    return any;
}

bool load_params(Machine *m, const char *path, bool *given, const char **error)
{
    char text[400];
    const Program *p = m->program;
    cJSON *header = read_header(path);
    Rows rows[2] = {new_rows("", p->params.n), state_rows(m, header, given)};
    int n = has_groups(header) ? 2 : 1;
    cJSON_Delete(header);
    add_slots(&rows[0], &p->params, m->params);
    if (n == 2) rows[0].group.prefix = "params.";
    for (int i = 0; i < n; i++) rows[i].group.base = arena_alloc(rows[i].bytes + 8);
    nn_group groups[2] = {rows[0].group, rows[1].group};
    if (nn_load_groups(path, groups, n, text, sizeof text)) {
        *error = format("%s", text);
        return false;
    }
    for (int i = 0; i < n; i++) take_values(&rows[i]);
    if (n == 1) return true;
    const uint64_t *counters = rows[1].group.base;
    m->seed = counters[0];
    m->call = counters[1];
    return true;
}
