/* emit_expr.c - expressions: the value of a node at an index as C text.
 * In: a node and its index in the loops that are open. Out: an expression with the fewest
 * parentheses, made from the C values of the operator table. What does not change in the inner loop
 * is computed outside it, and what occurs twice in a loop body gets a name. */
#include "emit.h"

#include <stdlib.h>
#include <math.h>
#include <string.h>

/* ---- names for values ---- */

const char *value_key(const Node *n, const Index *ix)
{
    Text key = {0};
    text_add(&key, "%d", n->id);
    for (int i = 0; i < ix->rank; i++)
        if (ix->run[i]) text_add(&key, ":%d:%s", ix->run[i], affine_text(&ix->at[i]));
    return key.s;
}

void remember(Emit *e, int level, const char *key, const char *name)
{
    Memo m = {key, name};
    vec_push(&e->scope[level].memos, m);
}

static const char *recall_at(const Emit *e, const char *key, int *level)
{
    for (*level = e->depth; *level >= 0; --*level) {
        const Scope *s = &e->scope[*level];
        for (int i = 0; i < s->memos.n; i++)
            if (!strcmp(s->memos.at[i].key, key)) return s->memos.at[i].name;
    }
    return NULL;
}

const char *recall(const Emit *e, const char *key)
{
    int level;
    return recall_at(e, key, &level);
}

/* t1, t2, ..., the first that no value is called. */
static const char *fresh_name(Emit *e)
{
    const char *name = "t";
    bool taken = true;
    for (int k = 1; taken; k++) {
        name = format("t%d", k);
        taken = c_is_taken(e->ids, name);
        for (int i = 0; i < e->c->g->nodes.n && !taken; i++)
            taken = e->c_name[i] && !strcmp(e->c_name[i], name);
    }
    return c_unique(e->ids, name);
}

/* A name for a local: what the user calls the value, or a short one. */
const char *local_name(Emit *e, const Node *n)
{
    const char *name = node_name(e->c->names, n);
    if (e->sketch) return sketch_local(e, n, false);
    if (e->c_name[n->id]) return c_unique(e->ids, e->c_name[n->id]);
    return name ? c_unique(e->ids, c_identifier(name)) : fresh_name(e);
}

/* ---- operations ---- */

static int index_level(const Index *ix)
{
    int level = 0;
    for (int i = 0; i < ix->rank; i++)
        if (ix->run[i] && affine_level(&ix->at[i]) > level) level = affine_level(&ix->at[i]);
    return level;
}

static Frag convert(Frag a, Elem from, Elem to)
{
    const char *type = c_value_type(to);
    if (to == ELEM_BOOL && from != ELEM_BOOL)
        return (Frag){format("%s != %s", with(a, C_SUM), c_number(from, 0)), C_EQUAL, a.level};
    bool from_double = !strcmp(c_value_type(from), "double");
    if (to == ELEM_F16 && from_double)
        a = (Frag){format("(float)%s", with(a, C_UNARY)), C_UNARY, a.level};
    if (to == ELEM_F16) return (Frag){format("nn_round_half(%s)", a.s), C_PRIMARY, a.level};
    if (elem_is_int(to) && elem_is_real(from)) {
        const char *wide = c_suffix(from);
        return (Frag){format("nn_to_%s%s(%s)", elem_text(to), wide, a.s), C_PRIMARY, a.level};
    }
    if (!strcmp(type, c_value_type(from))) return a;
    return (Frag){format("(%s)%s", type, with(a, C_UNARY)), C_UNARY, a.level};
}

static const Node *without_copies(const Node *n)
{
    n = see_through((Node *)n);
    while (n->op == OP_BROADCAST || n->op == OP_RESHAPE) n = see_through(n->in[0]);
    return n;
}

/* x - max(x), or x - (-inf < max(x) ? max(x) : 0), the operand of a softmax's exponential. */
static bool is_below_top(const Node *n)
{
    double least;
    const Node *m = without_copies(n->in[1]);
    if (m->op == OP_WHERE) {
        const Node *asks = without_copies(m->in[0]);
        bool guard = asks->op == OP_LT && node_is_const(asks->in[0], &least) && least < -1e300;
        if (!guard || see_through(asks->in[1]) != see_through(m->in[1])) return false;
        m = without_copies(m->in[1]);
    }
    return m->op == OP_MAXOF && see_through(m->in[0]) == see_through(n->in[0]);
}

/* x and c of c * x, where c is a number: 1 for anything else */
static const Node *factor_of(const Node *n, double *c)
{
    *c = 1;
    n = see_through((Node *)n);
    if (n->op == OP_NEG) *c = -1, n = see_through(n->in[0]);
    else if (n->op == OP_MUL && node_is_const(n->in[0], c)) n = see_through(n->in[1]);
    return n;
}

/* 1 when an element is never below 0, -1 when never above, or NaN; 0 when nothing is known */
static int sign_of(const Node *n)
{
    double a, b;
    n = see_through((Node *)n);
    switch (n->op) {
    case OP_NEG: return -sign_of(n->in[0]);
    case OP_ABS: case OP_EXP: return 1;
    case OP_SUB: return is_below_top(n) ? -1 : 0;
    case OP_MIN: case OP_MAX:
        if (!node_is_const(n->in[0], &a) && !node_is_const(n->in[1], &a)) return 0;
        return n->op == OP_MIN ? (a <= 0 ? -1 : 0) : a >= 0;
    case OP_MUL:
        if (factor_of(n->in[0], &a) == factor_of(n->in[1], &b)) return a * b < 0 ? -1 : 1;
        return node_is_const(n->in[0], &a) ? (a < 0 ? -1 : 1) * sign_of(n->in[1]) : 0;
    default: return 0;
    }
}

/* Compilers unroll an innermost loop of up to 16 passes before they use vectors, which then belong
 * to the loop around it. */
static bool is_unrolled(const Emit *e)
{
    enum { MOST = 16 };
    long n;
    return e->depth > 1 && size_is_const(e->scope[e->depth].var.size, &n) && n <= MOST;
}

/* gcc 12 makes a masked load of an array's element that only one arm of a choice, or of && and ||,
 * reads. In an unrolled loop, and in one with more doubles than conditions in a vector, it takes
 * the mask of other elements. A load that stands before the choice has no mask. */
static Frag loaded_before(Emit *e, Elem elem, Frag arm)
{
    const char *type = c_value_type(elem);
    bool wide = !strcmp(type, "double") && arm.level >= e->depth;
    if (!strchr(arm.s, '[') || !(wide || is_unrolled(e))) return arm;
    const char *name = fresh_name(e);
    add_declaration(e, arm.level, format("const %s %s = %s;", type, name, arm.s));
    return (Frag){name, C_PRIMARY, arm.level};
}

Frag later_operand(Emit *e, const char *value, Elem elem, Frag f)
{
    bool may_skip = strchr(value, '?') || strstr(value, "&&") || strstr(value, "||");
    return may_skip ? loaded_before(e, elem, f) : f;
}

/* Is the innermost loop, over the channels of an image for instance, so short that compilers unroll
 * it instead of using vectors, and run so often that the jumps of its choices, which nothing
 * foretells, would cost the most? */
static bool has_jumps(const Emit *e)
{
    enum { OFTEN = 4096 };
    long size, often = 1;
    if (e->depth < 3 || !is_unrolled(e)) return false;
    for (int i = 1; i <= e->depth && often < OFTEN; i++)
        often *= size_is_const(e->scope[i].var.size, &size) ? size : OFTEN;
    return often >= OFTEN;
}

static bool is_zero(const Node *n)
{
    double v;
    return node_is_const(without_copies(n), &v) && v == 0 && !signbit(v);
}

/* c ? a : 0 or c ? 0 : a without a jump, as nn_keep(c, a), where jumps are felt. */
static const char *choice(const Emit *e, const Node *n)
{
    const char *value = op_info[OP_WHERE].value;
    if (strcmp(c_value_type(n->type.elem), "float") || !has_jumps(e)) return value;
    return is_zero(n->in[2]) ? "nn_keep(a, b)" : is_zero(n->in[1]) ? "nn_keep(!(a), c)" : value;
}

static Frag map_of(Emit *e, Node *n, const Index *ix)
{
    Frag operands[3];
    for (int k = 0; k < n->n_in; k++) operands[k] = value_of(e, n->in[k], ix);
    Elem elem = n->in[n->op == OP_WHERE ? 1 : 0]->type.elem;
    if (n->op == OP_CAST) return convert(operands[0], elem, n->type.elem);
    const char *value = n->op == OP_WHERE ? choice(e, n) : op_info[n->op].value;
    if (n->op == OP_EXP && sign_of(n->in[0]) < 0) value = "nn_exp_neg(a)";
    for (int k = 1; k < n->n_in; k++) operands[k] = later_operand(e, value, elem, operands[k]);
    return apply_template(value, elem, operands);
}

/* The number of the first best of a few elements, found one by one. */
static Frag first_best(Emit *e, Node *n, const Index *ix)
{
    const Elem elem = n->in[0]->type.elem;
    const char *place = local_name(e, n), *best = c_unique(e->ids, "best");
    for (long t = 0; t < unrolled_terms(n); t++) {
        Index at[2];
        term_indices(n, ix, t, at);
        Frag v = value_of(e, n->in[0], &at[0]), pair[2] = {v, {best, C_PRIMARY, e->depth}};
        const char *better = apply_template(op_info[n->op].value, elem, pair).s;
        if (!t) {
            add_declaration(e, e->depth, format("int32_t %s = 0;", place));
            add_declaration(e, e->depth, format("%s %s = %s;", c_value_type(elem), best, v.s));
            continue;
        }
        add_line(e, e->depth, format("%s = %s ? %ld : %s;", place, better, t, place));
        if (t + 1 < unrolled_terms(n))
            add_line(e, e->depth, format("%s = %s ? %s : %s;", best, better, with(v, C_OR), best));
    }
    return (Frag){place, C_PRIMARY, e->depth};
}

static Frag terms_of(Emit *e, Node *n, const Index *ix)
{
    Frag sum = {0};
    const char *value = op_info[n->op == OP_MATMUL ? OP_SUM : n->op].value;
    if (n->op == OP_ARGMAX || n->op == OP_ARGMIN) return first_best(e, n, ix);
    for (long t = 0; t < unrolled_terms(n); t++) {
        Index at[2];
        Frag factors[2];
        term_indices(n, ix, t, at);
        for (int k = 0; k < n->n_in; k++) factors[k] = value_of(e, n->in[k], &at[k]);
        Frag term = n->n_in == 1 ? factors[0]
                                 : apply_template(op_info[OP_MUL].value, n->type.elem, factors);
        Frag both[2] = {sum, t ? later_operand(e, value, n->type.elem, term) : term};
        sum = t ? apply_template(value, n->type.elem, both) : term;
    }
    return sum;
}

typedef struct GatherWalk {
    Emit *e;
    Node *n;
    Affine row;
    Frag result;
    bool is_table;
} GatherWalk;

static void gather_step(void *context, Node *n, const Index *ix)
{
    GatherWalk *w = context;
    if (!w->is_table)
        w->row = affine_var(
            picked_row(w->e, w->n->in[1], ix, w->n->in[0]->type.shape.size[0], w->n->span));
    else {
        Index at = *ix;
        at.at[0] = w->row;
        w->result = value_of(w->e, n, &at);
    }
    w->is_table = true;
}

Frag operation_of(Emit *e, Node *n, const Index *ix)
{
    Index in;
    if (op_info[n->op].class == CLASS_MAP) return map_of(e, n, ix);
    if (unrolled_terms(n)) return terms_of(e, n, ix);
    if (n->op == OP_GATHER) {
        GatherWalk w = {.e = e, .n = n};
        Affine row = affine_const(size_const(0));
        each_operand(n, ix, &row, gather_step, &w);
        return w.result;
    }
    if (!index_operand(n, 0, ix, &in)) {
        fprintf(stderr, "nnc: internal error: %s is no expression\n", op_info[n->op].name);
        abort();
    }
    return value_of(e, n->in[0], &in);
}

/* ---- values ---- */

static bool is_operation(const Node *n)
{
    if (n->op == OP_CAST) return op_info[see_through(n->in[0])->op].class != CLASS_LEAF;
    return op_info[n->op].class == CLASS_MAP || unrolled_terms(n);
}

static int *count_of(Emit *e, const char *key)
{
    for (int i = 0; i < e->counts.n; i++)
        if (!strcmp(e->counts.at[i].key, key)) return &e->counts.at[i].n;
    return NULL;
}

static void count_operand(void *context, Node *n, const Index *ix) { count_values(context, n, ix); }

void count_values(Emit *e, Node *n, const Index *ix)
{
    Affine row = affine_const(size_const(0));
    n = see_through(n);
    if (op_info[n->op].class == CLASS_LEAF && !e->c->def_of[n->id]) return;
    const char *key = value_key(n, ix);
    int *count = count_of(e, key);
    if (recall(e, key)) return;
    if (count) {
        ++*count;
        return;
    }
    if (is_operation(n) || e->c->def_of[n->id]) {
        Count first = {key, 1};
        vec_push(&e->counts, first);
    }
    if (!e->c->def_of[n->id]) each_operand(n, ix, &row, count_operand, e);
}

static Frag leaf_value(const Node *n, const Index *ix)
{
    if (n->op == OP_CONST) {
        const char *s = c_number(n->type.elem, n->attr.num);
        return (Frag){s, *s == '-' ? C_UNARY : C_PRIMARY, 0};
    }
    if (n->op == OP_SIZE) {
        bool plain = elem_is_int(n->type.elem);
        const char *s = c_size(n->attr.size);
        if (plain) return (Frag){s, strpbrk(s, " +-*/%") ? C_SUM : C_PRIMARY, 0};
        return (Frag){
            format(strpbrk(s, " +-*/%") ? "(%s)(%s)" : "(%s)%s", c_value_type(n->type.elem), s),
            C_UNARY, 0};
    }
    Index at = *ix;
    index_split(&at, &n->type.shape);
    const Affine *a = &at.at[n->attr.k];
    return (Frag){affine_text(a), affine_is_simple(a) ? C_PRIMARY : C_SUM, affine_level(a)};
}

static Frag load(Emit *e, Node *n, const Index *ix, const char *key)
{
    Buffer *b = memory_of(e->c, n);
    const Def *d = e->c->def_of[n->id];
    if (!b) {
        fprintf(stderr, "nnc: internal error: %%%d at %s has no place\n", n->id, key);
        abort();
    }
    int level = index_level(ix), rows = d && d->kernel == e->k ? e->row_level : 0;
    const char *s = element_text(b, &n->type.shape, ix);
    Frag f = {s, *s == '*' ? C_UNARY : C_PRIMARY, level > rows ? level : rows};
    if (n->type.elem == ELEM_F16) f = (Frag){format("nn_from_half(%s)", s), C_PRIMARY, f.level};
    return f;
}

Frag value_of(Emit *e, Node *n, const Index *ix)
{
    n = see_through(n);
    bool is_leaf = op_info[n->op].class == CLASS_LEAF && !is_leaf_memory(n) && !e->c->def_of[n->id];
    if (is_leaf) return leaf_value(n, ix);
    const char *key = value_key(n, ix);
    int level;
    const char *name = recall_at(e, key, &level);
    if (name) return (Frag){name, C_PRIMARY, level};
    if (e->c->def_of[n->id] || is_leaf_memory(n)) return load(e, n, ix, key);
    Frag f = operation_of(e, n, ix);
    const int *count = count_of(e, key);
    if (!is_operation(n) || f.by == C_PRIMARY) {
        bool call = f.by == C_PRIMARY && is_operation(n) && strchr(f.s, '(');
        if (!call) return f;
    }
    if (f.level >= e->depth && !(count && *count > 1)) return f;
    name = local_name(e, n);
    add_declaration(e, f.level, format("const %s %s = %s;", c_value_type(n->type.elem), name, f.s));
    remember(e, f.level, key, name);
    return (Frag){name, C_PRIMARY, f.level};
}
