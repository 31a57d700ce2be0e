/* emit_loop.c - kernels that are loops.
 * In: a kernel's groups. Out: the loops over its rows, with what each row computes in order: values
 * that the row shares become locals, maps become inner loops, folds accumulate. Sums over the rows
 * themselves are set to their first value before the loops. */
#include "emit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- loops ---- */

static const char *const loop_names[] = {"i", "j", "k", "l", "p", "q", "r", "s"};

/* The name of the loop variable at a level: the first letters that nothing else is called. */
static const char *loop_name(const Emit *e, int level)
{
    for (size_t i = 0; i < sizeof loop_names / sizeof *loop_names; i++)
        if (!c_is_taken(e->ids, loop_names[i]) && --level == 0) return loop_names[i];
    return format("i%d", level);
}

/* An axis of one element is no loop: its index is 0. */
void open_loop(Emit *e, SizeRef size)
{
    if (size_is(size, 1)) return;
    Scope *s = &e->scope[++e->depth];
    *s = (Scope){.var = {loop_name(e, e->depth), size, e->depth}};
}

void add_line(Emit *e, int level, const char *line)
{
    vec_push(&e->scope[level].lines, line);
    e->scope[level].statements++;
}

void add_declaration(Emit *e, int level, const char *line)
{
    add_line(e, level, line);
    e->scope[level].declares = true;
}

enum { WORTH_VECTORS = 4 };

/* Functions of the runtime that have a loop. */
static bool is_loop_inside(const char *line)
{
    static const char *const calls[] = {" = nn_sum", " = nn_max(", " = nn_max_d(", " = nn_min(",
                                        " = nn_min_d(", " = nn_dot"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strstr(line, calls[i])) return true;
    return !strncmp(line, "nn_", 3);
}

/* Is there a loop in the body, other than one so short that compilers unroll it? */
static bool has_loop(const Scope *s)
{
    for (int i = 0; i < s->lines.n; i++) {
        const char *line = s->lines.at[i] + strspn(s->lines.at[i], " ");
        int size = WORTH_VECTORS;
        if (is_loop_inside(line)) return true;
        if (strncmp(line, "for (", 5)) continue;
        if (sscanf(line, "for (int %*[a-z] = 0; %*[a-z] < %d;", &size) < 1 || size >= WORTH_VECTORS)
            return true;
    }
    return false;
}

/* The loop becomes one statement of the body around it. */
void close_loop(Emit *e, SizeRef size, bool independent)
{
    if (size_is(size, 1)) return;
    Scope *s = &e->scope[e->depth], *out = &e->scope[--e->depth];
    bool braces = s->statements != 1, wide = size_upper(size) >= WORTH_VECTORS;
    const bool each = independent && wide && !has_loop(s) && e->k->kind != DEF_SCAN;
    const char *v = s->var.name, *pragma = each ? "NN_EACH" : NULL;
    SizeRef all = s->passes ? size_mul(size, s->passes) : size;
    out->passes = out->passes ? size_add(out->passes, all) : all;
    if (independent && e->depth == 0 && share_loop(e, s, size, pragma)) return;
    if (pragma) vec_push(&out->lines, pragma);
    const char *head = format("for (int %s = 0; %s < %s; %s++)", v, v, c_size(size), v);
    if (s->is_part) head = part_head(e, s, size);
    vec_push(&out->lines, format("%s%s", head, braces ? " {" : ""));
    for (int i = 0; i < s->lines.n; i++) vec_push(&out->lines, format("    %s", s->lines.at[i]));
    if (braces) vec_push(&out->lines, "}");
    out->statements++;
}

Index open_index(Emit *e, const Shape *s, int rank)
{
    Index ix = {.rank = rank};
    if (rank && rank == e->flat_rank) {
        for (int i = 0; i < rank; i++) ix.at[i] = affine_const(size_const(0));
        ix.at[0] = affine_var(&e->scope[1].var);
        ix.run[0] = rank;
        return ix;
    }
    for (int i = 0, level = 0; i < rank; i++) {
        bool one = size_is(s->size[i], 1);
        ix.at[i] = one ? affine_const(size_const(0)) : affine_var(&e->scope[++level].var);
        ix.run[i] = 1;
    }
    return ix;
}

/* ---- storing ---- */

static bool is_narrow(const Buffer *b)
{
    Elem e = b->type.elem;
    bool is_local = b->memory == MEM_STACK && b->type.shape.rank == 0 && !b->as_stored;
    if (is_local && e == ELEM_BOOL) return false;
    return e == ELEM_U8 || e == ELEM_I8 || e == ELEM_BOOL || e == ELEM_F16;
}

static const char *stored(const Buffer *b, Frag f)
{
    if (b->type.elem == ELEM_F16) return stored_half(f);
    return is_narrow(b) ? format("(%s)%s", c_type(b->type.elem), with(f, C_UNARY)) : f.s;
}

static const char *store_text(Buffer *b, const Shape *s, const Index *ix, Frag f)
{
    return format("%s = %s;", element_text(b, s, ix), stored(b, f));
}

void store(Emit *e, Buffer *b, const Shape *s, const Index *ix, Frag f)
{
    add_line(e, e->depth, store_text(b, s, ix, f));
}

/* target = step(target, f), as `target += f` where C has that. */
void step(Emit *e, const Node *n, const char *target, const Buffer *b, Frag f)
{
    const char *value = op_info[n->op == OP_MATMUL ? OP_SUM : n->op].value;
    bool half = n->type.elem == ELEM_F16, in_bits = half && b && is_narrow(b);
    Frag operands[2] = {{in_bits ? format("nn_from_half(%s)", target) : target, C_PRIMARY, 0},
                        later_operand(e, value, n->type.elem, f)};
    bool plain = !half && (!b || !is_narrow(b));
    if (plain && strlen(value) == 5 && strchr("+*", value[2]))
        add_line(e, e->depth, format("%s %c= %s;", target, value[2], f.s));
    else {
        Frag y = apply_template(value, n->type.elem, operands);
        add_line(e, e->depth, format("%s = %s;", target, b ? stored(b, y) : y.s));
    }
}

const char *fold_first(const Node *n)
{
    const char *first = n->op == OP_MATMUL ? "0" : op_info[n->op].domain;
    double v = *first == '-' ? -INFINITY : *first == 'i' ? INFINITY : atof(first);
    Elem e = n->type.elem;
    if (elem_is_int(e) && isinf(v)) {
        double lo = e == ELEM_I8 ? -128 : e == ELEM_U8 ? 0 : -2147483648.0;
        double hi = e == ELEM_I8 ? 127 : e == ELEM_U8 ? 255 : 2147483647.0;
        v = v < 0 ? lo : hi;
    }
    return c_number(e, v);
}

/* The elements of a loop over the node's shape, which is opened and closed here. */
void fill(Emit *e, Buffer *b, const Node *n, int skip, const char *value)
{
    const Shape *s = &n->type.shape;
    const double cost = e->cost;
    e->cost = 0; /* that of what comes behind */
    for (int i = skip; i < s->rank; i++) open_loop(e, s->size[i]);
    Index ix = open_index(e, s, s->rank);
    store(e, b, s, &ix, (Frag){value, C_PRIMARY, 0});
    for (int i = s->rank; i-- > skip;) close_loop(e, s->size[i], true);
    e->cost = cost;
}

/* What lives in d->home goes to its other places; the loops over the first `skip` axes are open. */
void store_copies(Emit *e, const Def *d, int skip)
{
    for (int i = 0; i < d->copies.n; i++) {
        const Shape *s = &d->node->type.shape;
        if (d->copies.at[i] == d->home) continue;
        for (int k = skip; k < s->rank; k++) open_loop(e, s->size[k]);
        Index ix = open_index(e, s, s->rank);
        const char *from = element_text(d->home, s, &ix);
        store(e, d->copies.at[i], s, &ix, (Frag){from, C_PRIMARY, 0});
        for (int k = s->rank; k-- > skip;) close_loop(e, s->size[k], true);
    }
}

/* Stores the value at its home and wherever else it goes. */
void store_all(Emit *e, const Def *d, const Index *ix, Frag f)
{
    if (d->home) store(e, d->home, &d->node->type.shape, ix, f);
    for (int i = 0; i < d->copies.n; i++)
        if (d->copies.at[i] != d->home) store(e, d->copies.at[i], &d->node->type.shape, ix, f);
}

/* ---- maps ---- */

/* h_ij for an element of the array h, h for a value that has no array. */
static const char *element_name(Emit *e, const Def *d)
{
    if (!d->home || !d->home->type.shape.rank) return local_name(e, d->node);
    Text suffix = {0};
    if (e->sketch) return sketch_local(e, d->node, true);
    text_add(&suffix, "_");
    for (int i = 1; i <= e->depth; i++) text_add(&suffix, "%s", e->scope[i].var.name);
    return c_unique(e->ids, format("%s%s", e->c_name[d->node->id], suffix.s));
}

/* A value whose home is a scalar of the function is used from there. */
static void keep_scalar(Emit *e, const Def *d, const Index *ix, Frag f)
{
    const Shape *s = &d->node->type.shape;
    const char *name = element_text(d->home, s, ix);
    store(e, d->home, s, ix, f);
    remember(e, e->depth, value_key(d->node, ix), name);
    for (int i = 0; i < d->copies.n; i++)
        if (d->copies.at[i] != d->home)
            store(e, d->copies.at[i], s, ix, (Frag){name, C_PRIMARY, e->depth});
}

/* A local for the value, which is stored at the end of the pass. */
static void keep_value(Emit *e, const Def *d, const Index *ix, Frag f)
{
    const Shape *s = &d->node->type.shape;
    const char *name = element_name(e, d), *key = value_key(d->node, ix);
    const Frag local = {name, C_PRIMARY, e->depth};
    add_declaration(e, e->depth,
                    format("const %s %s = %s;", c_value_type(d->node->type.elem), name, f.s));
    remember(e, e->depth, key, name);
    if (d->home) vec_push(&e->kept, store_text(d->home, s, ix, local));
    for (int i = 0; i < d->copies.n; i++)
        if (d->copies.at[i] != d->home)
            vec_push(&e->kept, store_text(d->copies.at[i], s, ix, local));
}

/* Behind everything that the pass reads: a processor lets a read wait for a write before it that is
 * a multiple of 4 KiB away, as the two moments of an optimiser often are. */
static void store_kept(Emit *e)
{
    for (int i = 0; i < e->kept.n; i++) add_line(e, e->depth, e->kept.at[i]);
    e->kept.n = 0;
}

/* What other definitions of the kernel read of a value: anything, elements of other places. */
typedef struct Readers {
    const Node *node;
    bool any, elsewhere;
} Readers;

static void find_read(void *context, const Def *reader, const Frame *f, Node *n, const Index *ix)
{
    Readers *r = context;
    int rank = reader->domain.rank;
    if (n != r->node || reader->node == n) return;
    r->any = true;
    r->elsewhere |= !ix || ix->rank != rank || !index_is_vars(ix, 0, rank, (Var *const *)f->vars);
}

static Readers readers_of(const Emit *e, const Def *d)
{
    Readers r = {.node = d->node};
    for (int i = 0; i < e->k->defs.n; i++) each_read(e->c, e->k->defs.at[i], find_read, &r);
    return r;
}

static bool is_read_again(const Emit *e, const Def *d, const Index *ix)
{
    const char *key = value_key(d->node, ix);
    for (int i = 0; i < e->counts.n; i++)
        if (!strcmp(e->counts.at[i].key, key)) return true;
    return false;
}

/* x = x - y is written x -= y. */
static bool emit_in_place(Emit *e, Node *n, Buffer *b, const Index *ix)
{
    if ((n->op != OP_ADD && n->op != OP_SUB) || is_narrow(b)) return false;
    const Node *a = see_through(n->in[0]);
    if (memory_of(e->c, a) != b) return false;
    const char *target = element_text(b, &n->type.shape, ix);
    Frag f = value_of(e, n->in[0], ix);
    if (strcmp(f.s, target)) return false;
    Frag other = value_of(e, n->in[1], ix);
    add_line(e, e->depth, format("%s %c= %s;", target, n->op == OP_ADD ? '+' : '-', other.s));
    return true;
}

static void emit_map(Emit *e, const Def *d, bool straight)
{
    Index ix = open_index(e, &d->domain, d->domain.rank);
    Buffer *only = d->home ? d->home : d->copies.n ? d->copies.at[0] : NULL;
    int places = d->copies.n + (d->home && (!d->copies.n || d->copies.at[0] != d->home));
    Readers readers = straight ? readers_of(e, d) : (Readers){0};
    bool again = !d->is_store && (is_read_again(e, d, &ix) || readers.any);
    bool direct = only && places == 1 && !again;
    if (direct && !d->is_store && emit_in_place(e, d->node, only, &ix)) return;
    Frag f = d->is_store ? value_of(e, d->node, &ix) : operation_of(e, d->node, &ix);
    if (direct)
        store(e, only, &d->node->type.shape, &ix, f);
    else if (!d->is_store && d->home && d->home->memory == MEM_STACK && !d->home->type.shape.rank)
        keep_scalar(e, d, &ix, f);
    else
        keep_value(e, d, &ix, f);
    if (readers.elsewhere) store_kept(e);
}

/* ---- groups and kernels ---- */

static void count_step(void *context, Node *n, const Index *ix) { count_values(context, n, ix); }

static void count_group(Emit *e, const Group *g)
{
    e->counts.n = 0;
    for (int i = 0; i < g->defs.n; i++) {
        const Def *d = g->defs.at[i];
        Affine row = affine_const(size_const(0));
        Index ix = open_index(e, &d->domain, d->domain.rank);
        if (d->kind != DEF_MAP)
            count_element(e, d);
        else if (d->is_store)
            count_values(e, d->node, &ix);
        else
            each_operand(d->node, &ix, &row, count_step, e);
    }
}

/* Does a sum of the group add up over its inner axis? */
static bool is_added_over(const Kernel *k, const Group *g, int axis)
{
    for (int i = 0; i < g->defs.n; i++) {
        const Def *d = g->defs.at[i];
        int inner = 0;
        for (int a = k->n_rows; a < d->domain.rank; a++) {
            if (size_is(d->domain.size[a], 1)) continue;
            if (inner++ == axis && d->reduced >> a & 1) return true;
        }
    }
    return false;
}

static void emit_group(Emit *e, const Group *g)
{
    if (g->is_fold) {
        if (g->defs.at[0]->kind == DEF_ARG)
            emit_arg(e, g->defs.at[0]);
        else
            emit_fold(e, g->defs.at[0]);
        return;
    }
    for (int i = 0; i < g->inner.rank; i++) open_loop(e, g->inner.size[i]);
    count_group(e, g);
    for (int i = 0; i < g->defs.n; i++) {
        const Def *d = g->defs.at[i];
        if (d->kind == DEF_MAP) {
            emit_map(e, d, g->inner.rank == 0);
            continue;
        }
        Index ix = value_index(e, d);
        Buffer *sum = sum_of(e, d);
        step(e, d->node, element_text(sum, &d->node->type.shape, &ix), sum, element_of(e, d));
    }
    store_kept(e);
    for (int i = g->inner.rank; i-- > 0;)
        close_loop(e, g->inner.size[i], !is_added_over(e->k, g, i));
}

static bool rows_are_independent(const Kernel *k)
{
    for (int i = 0; i < k->defs.n; i++)
        if (is_over_rows(k, k->defs.at[i])) return false;
    return true;
}

/* Of one outermost loop. Roughly: a quarter of a nanosecond for an operation or an element. */
static double cost_of_loop(const Kernel *k)
{
    const double all = work_flops(k->work) + (double)shape_upper(&k->domain) * k->groups.n;
    return 0.25 * all / (k->n_rows ? 1 : k->groups.n);
}

/* Is every element made from the elements of the same place and from scalars? */
static bool is_flat_value(const Code *c, Node *n, const Shape *s)
{
    n = see_through(n);
    if (!n->type.shape.rank) return true;
    if (c->def_of[n->id] || is_leaf_memory(n)) return shape_equal(&n->type.shape, s);
    if (n->op == OP_BROADCAST) return !n->in[0]->type.shape.rank;
    if (op_info[n->op].class != CLASS_MAP) return false;
    for (int i = 0; i < n->n_in; i++)
        if (!is_flat_value(c, n->in[i], s)) return false;
    return true;
}

static bool is_flat_place(const Buffer *b, const Shape *s)
{
    return !b || (b->memory != MEM_ROW && !b->skip && shape_equal(&b->type.shape, s));
}

static bool is_flat(const Emit *e, const Kernel *k)
{
    const Shape *s = &k->domain;
    long upper = size_upper(shape_count(s));
    bool flat = s->rank > 0 && k->groups.n == 1 && upper > 1 && upper <= INT32_MAX;
    for (int i = 0; i < k->defs.n && flat; i++) {
        const Def *d = k->defs.at[i];
        flat = d->kind == DEF_MAP && shape_equal(&d->domain, s) && is_flat_place(d->home, s);
        for (int j = 0; j < d->copies.n; j++) flat = flat && is_flat_place(d->copies.at[j], s);
        if (d->is_store) flat = flat && is_flat_value(e->c, d->node, s);
        else if (op_info[d->node->op].class != CLASS_MAP) flat = false;
        for (int j = 0; j < d->node->n_in && !d->is_store; j++)
            flat = flat && is_flat_value(e->c, d->node->in[j], s);
    }
    return flat;
}

/* Elementwise, as one loop whatever the shape. */
static void emit_flat(Emit *e, const Group *g)
{
    const SizeRef count = shape_count(&e->k->domain);
    e->flat_rank = e->k->domain.rank;
    e->cost = cost_of_loop(e->k);
    open_loop(e, count);
    count_group(e, g);
    for (int i = 0; i < g->defs.n; i++) emit_map(e, g->defs.at[i], false);
    store_kept(e);
    close_loop(e, count, true);
    e->cost = 0;
    e->flat_rank = 0;
}

void emit_loops(Emit *e)
{
    const Kernel *k = e->k;
    if (e->sketch && is_flat(e, k)) {
        emit_flat(e, k->groups.at[0]);
        return;
    }
    for (int i = 0; i < k->defs.n; i++)
        if (is_over_rows(k, k->defs.at[i]) && !k->defs.at[i]->parts)
            fill(e, k->defs.at[i]->home, k->defs.at[i]->node, 0, fold_first(k->defs.at[i]->node));
    if (k->parts) begin_part(e);
    e->cost = cost_of_loop(k);
    for (int i = 0; i < k->n_rows; i++) open_loop(e, k->domain.size[i]);
    e->scope[1].is_part = e->in_part;
    e->row_level = e->depth;
    for (int i = 0; i < k->groups.n; i++) emit_group(e, k->groups.at[i]);
    for (int i = k->n_rows; i-- > 0;) close_loop(e, k->domain.size[i], rows_are_independent(k));
    if (k->parts) end_part(e);
    e->cost = 0;
    for (int i = 0; i < k->defs.n; i++)
        if (is_over_rows(k, k->defs.at[i])) store_copies(e, k->defs.at[i], 0);
}
