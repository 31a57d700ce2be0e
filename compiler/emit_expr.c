/* emit_expr.c - expressions: the value of a node at an index as C text.
 * In: a node and its index in the loops that are open. Out: an expression with the fewest
 * parentheses, made from the C values of the operator table. What does not change in the inner loop
 * is computed outside it, and what occurs twice in a loop body gets a name. */
#include "emit.h"

#include <ctype.h>
#include <stdlib.h>
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
    for (;;) {
        const char *name = c_fresh(e->ids, "t");
        bool taken = false;
        for (int i = 0; i < e->c->g->nodes.n && !taken; i++) taken = e->c_name[i] && !strcmp(e->c_name[i], name);
        if (!taken) return name;
    }
}

/* A name for a local: what the user calls the value, or a short one. */
const char *local_name(Emit *e, const Node *n)
{
    const char *name = node_name(e->c->names, n);
    if (e->c_name[n->id]) return c_unique(e->ids, e->c_name[n->id]);
    return name ? c_unique(e->ids, c_identifier(name)) : fresh_name(e);
}

/* ---- memory ---- */

Buffer *memory_of(const Code *c, const Node *n)
{
    const Def *d = c->def_of[n->id];
    return d ? d->home : c->leaf_of[n->id];
}

/* Can C index the array by all its axes: only the first size may depend on a dim? */
static bool has_constant_rows(const Buffer *b)
{
    for (int i = 1; i < b->type.shape.rank; i++)
        if (!size_is_const(b->type.shape.size[i], NULL)) return false;
    return true;
}

/* The part of the index that the buffer stores, and whether C can write it axis by axis. */
static bool stored_index(const Buffer *b, const Shape *s, const Index *ix, Shape *part, Index *at)
{
    bool plain = has_constant_rows(b);
    part->rank = at->rank = 0;
    for (int i = b->skip; i < s->rank; i++) {
        part->size[part->rank++] = s->size[i];
        at->at[at->rank] = ix->at[i];
        at->run[at->rank++] = ix->run[i];
        plain &= ix->run[i] == 1;
    }
    return plain && shape_equal(part, &b->type.shape);
}

static const char *scalar_text(const Buffer *b)
{
    return b->memory == MEM_OUTPUT && !b->slot ? format("*%s", b->access) : b->access;
}

const char *element_text(Emit *e, Buffer *b, const Shape *s, const Index *ix)
{
    Shape part;
    Index at;
    Text out = {0};
    (void)e;
    b->used = true;
    if (b->type.shape.rank == 0) return scalar_text(b);
    bool plain = stored_index(b, s, ix, &part, &at);
    if (!plain) b->flat = b->type.shape.rank > 1;
    text_add(&out, "%s", b->access);
    if (b->flat || !plain) {
        Affine flat = index_flat(&at, &part);
        text_add(&out, "[%s]", affine_text(&flat));
    } else {
        for (int i = 0; i < at.rank; i++) text_add(&out, "[%s]", affine_text(&at.at[i]));
    }
    return out.s;
}

const char *array_text(Buffer *b, const Affine *start)
{
    bool zero = start->n == 0 && size_is(start->base, 0);
    int rank = b->type.shape.rank;
    b->used = true;
    if (rank == 0) return b->memory == MEM_OUTPUT && !b->slot ? b->access : format("&%s", b->access);
    if (rank > 1 && (!zero || !has_constant_rows(b))) b->flat = true;
    if (!zero) return format(affine_is_simple(start) || start->n == 1 ? "%s + %s" : "%s + (%s)", b->access, affine_text(start));
    if (rank == 1 || b->flat) return b->access;
    if (rank == 2) return format("%s[0]", b->access);
    Text out = {0};
    text_add(&out, "&%s", b->access);
    for (int i = 0; i < rank; i++) text_add(&out, "[0]");
    return out.s;
}

const char *pointer_text(Emit *e, Buffer *b, const Shape *s, const Index *ix)
{
    Shape part;
    Index at;
    (void)e;
    bool plain = stored_index(b, s, ix, &part, &at);
    if (b->type.shape.rank == 0) return array_text(b, &ix->at[0]);
    if (!plain || b->flat || b->type.shape.rank == 1) {
        Affine flat = index_flat(&at, &part);
        if (!plain && b->type.shape.rank > 1) b->flat = true;
        return array_text(b, &flat);
    }
    Text out = {0};
    b->used = true;
    const Affine *last = &at.at[at.rank - 1];
    bool row = last->n == 0 && size_is(last->base, 0);
    text_add(&out, row ? "%s" : "&%s", b->access);
    for (int i = 0; i < at.rank - row; i++) text_add(&out, "[%s]", affine_text(&at.at[i]));
    return out.s;
}

/* ---- templates ---- */

const char *with(Frag f, int by) { return f.by < by ? format("(%s)", f.s) : f.s; }

typedef struct Infix { const char *sign; int by, left, right; } Infix;
static const Infix infix[] = {
    {" ? ", C_COND, C_OR, C_COND},    {" || ", C_OR, C_EQUAL, C_EQUAL},   {" && ", C_AND, C_EQUAL, C_EQUAL},
    {" == ", C_EQUAL, C_SUM, C_SUM},  {" != ", C_EQUAL, C_SUM, C_SUM},    {" <= ", C_ORDER, C_SUM, C_SUM},
    {" >= ", C_ORDER, C_SUM, C_SUM},  {" < ", C_ORDER, C_SUM, C_SUM},     {" > ", C_ORDER, C_SUM, C_SUM},
    {" + ", C_SUM, C_SUM, C_PRODUCT}, {" - ", C_SUM, C_SUM, C_PRODUCT},   {" * ", C_PRODUCT, C_PRODUCT, C_UNARY},
    {" / ", C_PRODUCT, C_PRODUCT, C_UNARY}};

static const Infix *infix_of(const char *value)
{
    for (size_t i = 0; i < sizeof infix / sizeof *infix; i++)
        if (!strchr(value, '(') && strstr(value, infix[i].sign)) return &infix[i];
    return NULL;
}

static const char *suffix_of(Elem elem)
{
    return elem_is_int(elem) || elem == ELEM_BOOL ? "_i" : !strcmp(c_value_type(elem), "double") ? "_d" : "";
}

static const char *operand_text(const char *value, const char *at, const Infix *f, Frag operand)
{
    if (f) return with(operand, at == value ? f->left : f->right);
    if (strchr(value, '(')) return operand.s;
    bool clash = at > value && at[-1] == operand.s[0];
    return clash ? format("(%s)", operand.s) : with(operand, at == value ? C_COND : C_UNARY);
}

/* The C value of the operator table with its operands a, b, c written in; functions get the suffix
 * of their element type. */
Frag apply_template(Emit *e, const char *value, Elem elem, const Frag *operands)
{
    Text out = {0};
    const Infix *f = infix_of(value);
    int level = 0;
    if (f && f->sign[1] == '/' && (elem_is_int(elem) || elem == ELEM_BOOL)) value = "nn_div(a, b)", f = NULL;
    (void)e;
    if (f && f->by == C_SUM && operands[1].s[0] == '-') {
        Frag minus[2] = {operands[0], {operands[1].s + 1, C_PRIMARY, operands[1].level}};
        return apply_template(e, f->sign[1] == '+' ? "a - b" : "a + b", elem, minus);
    }
    for (const char *p = value; *p;) {
        size_t n = 0;
        while (isalnum((unsigned char)p[n]) || p[n] == '_') n++;
        if (n == 1 && *p >= 'a' && *p <= 'c') {
            Frag x = operands[*p - 'a'];
            text_add(&out, "%s", operand_text(value, p, f, x));
            if (x.level > level) level = x.level;
        } else {
            text_add(&out, "%.*s%s", n ? (int)n : 1, p, p[n] == '(' && n ? suffix_of(elem) : "");
        }
        p += n ? n : 1;
    }
    int by = f ? f->by : strchr(value, '(') ? C_PRIMARY : value[1] ? C_UNARY : operands[0].by;
    return (Frag){out.s, by, level};
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
    if (to == ELEM_F16) return (Frag){format("nn_half(%s)", a.s), C_PRIMARY, a.level};
    if (elem_is_int(to) && elem_is_real(from)) {
        const char *wide = suffix_of(from);
        return (Frag){format("nn_to_%s%s(%s)", elem_text(to), wide, a.s), C_PRIMARY, a.level};
    }
    if (!strcmp(type, c_value_type(from))) return a;
    return (Frag){format("(%s)%s", type, with(a, C_UNARY)), C_UNARY, a.level};
}

/* x - max(x), the operand of a softmax's exponential: never positive. */
static bool is_never_positive(const Node *n)
{
    n = see_through((Node *)n);
    if (n->op != OP_SUB) return false;
    const Node *m = see_through(n->in[1]);
    while (m->op == OP_BROADCAST || m->op == OP_RESHAPE) m = see_through(m->in[0]);
    return m->op == OP_MAXOF && see_through(m->in[0]) == see_through(n->in[0]);
}

static Frag map_of(Emit *e, Node *n, const Index *ix)
{
    Frag operands[3];
    for (int k = 0; k < n->n_in; k++) operands[k] = value_of(e, n->in[k], ix);
    Elem elem = n->in[n->op == OP_WHERE ? 1 : 0]->type.elem;
    if (n->op == OP_CAST) return convert(operands[0], elem, n->type.elem);
    const char *value = op_info[n->op].value;
    if (n->op == OP_EXP && is_never_positive(n->in[0])) value = "nn_exp_neg(a)";
    return apply_template(e, value, elem, operands);
}

static Frag terms_of(Emit *e, Node *n, const Index *ix)
{
    Frag sum = {0};
    for (long t = 0; t < unrolled_terms(n); t++) {
        Affine k = affine_const(size_const(t));
        Index a, b;
        product_indices(n, ix, &k, &a, &b);
        Frag pair[2] = {value_of(e, n->in[0], &a), value_of(e, n->in[1], &b)};
        Frag term = apply_template(e, op_info[OP_MUL].value, n->type.elem, pair);
        Frag both[2] = {sum, term};
        sum = t ? apply_template(e, op_info[OP_ADD].value, n->type.elem, both) : term;
    }
    return sum;
}

/* The row of a table, with an index outside it clamped. */
static const Var *row_of(Emit *e, Node *n, const Index *at)
{
    SizeRef rows = n->in[0]->type.shape.size[0];
    Frag row = value_of(e, n->in[1], at);
    const char *key = format("row %s of %s", value_key(see_through(n->in[1]), at), size_text(rows));
    int level = row.level;
    const char *name = recall(e, key);
    if (!name) {
        const char *last = size_text(size_sub(rows, size_const(1)));
        name = c_unique(e->ids, "row");
        const char *v = with(row, C_PRIMARY);
        add_declaration(e, level, format("const int %s = %s < 0 ? 0 : %s > %s ? %s : %s;", name, v, v, last, last, v));
        remember(e, level, key, name);
    }
    Var *var = NEW(Var);
    *var = (Var){name, rows, level};
    return var;
}

typedef struct GatherWalk { Emit *e; Node *n; Affine row; Frag result; bool is_table; } GatherWalk;

static void gather_step(void *context, Node *n, const Index *ix)
{
    GatherWalk *w = context;
    if (!w->is_table) w->row = affine_var(row_of(w->e, w->n, ix));
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
    if (n->op == OP_MATMUL) return terms_of(e, n, ix);
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
    return op_info[n->op].class == CLASS_MAP || n->op == OP_MATMUL;
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
    static const Var anywhere = {"?", NULL, 0};
    Affine row = affine_const(size_const(0));
    (void)anywhere;
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
        return (Frag){format(strpbrk(s, " +-*/%") ? "(%s)(%s)" : "(%s)%s", c_value_type(n->type.elem), s), C_UNARY, 0};
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
    const char *s = element_text(e, b, &n->type.shape, ix);
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
