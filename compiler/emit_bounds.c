/* emit_bounds.c - data as an index: the row of an array that an integer names.
 * In: the index as a node, and how many rows there are. Out: a variable of the generated code that
 * is inside, as far as --bounds asks for it: kept at the nearest row (clamp), proved by a test that
 * stops the program with the place in the source (trap), or taken as it is (off). What cannot be
 * outside is not tested. */
#include "emit.h"

/* Is the value never negative? Then *top is a bound that it never exceeds. */
static bool has_top(const Node *n, SizeRef *top)
{
    SizeRef a, b;
    double v;
    n = see_through((Node *)n);
    switch (n->op) {
    case OP_CONST:
        v = n->attr.num;
        *top = size_const((long)v);
        return v >= 0;
    case OP_SIZE: *top = n->attr.size; return size_lower(*top) >= 0;
    case OP_IOTA: *top = size_sub(n->type.shape.size[n->attr.k], size_const(1)); return true;
    case OP_BROADCAST:
    case OP_RESHAPE:
    case OP_TRANSPOSE:
    case OP_SLICE:
    case OP_GATHER: return has_top(n->in[0], top);
    case OP_CAST:
        return elem_is_int(n->in[0]->type.elem) && n->type.elem == ELEM_I32 &&
               has_top(n->in[0], top);
    case OP_ARGMAX:
    case OP_ARGMIN: {
        const Shape *s = &n->in[0]->type.shape;
        *top = size_const(1);
        for (int i = 0; i < s->rank; i++)
            if (n->attr.axes >> i & 1) *top = size_mul(*top, s->size[i]);
        *top = size_sub(*top, size_const(1));
        return true;
    }
    case OP_ADD:
    case OP_MUL:
        if (n->type.elem != ELEM_I32) return false;
        if (!has_top(n->in[0], &a) || !has_top(n->in[1], &b)) return false;
        *top = n->op == OP_ADD ? size_add(a, b) : size_mul(a, b);
        return true;
    default: break;
    }
    *top = size_const(255);
    return n->type.elem == ELEM_U8 || n->type.elem == ELEM_BOOL;
}

static bool is_inside(const Node *index, SizeRef rows)
{
    SizeRef top;
    return has_top(index, &top) && size_lower(size_sub(rows, top)) >= 1 &&
           size_upper(top) <= INT32_MAX;
}

static const char *place_text(Span at)
{
    const char *file = at.src ? at.src->name : "", *slash = NULL;
    for (const char *p = file; *p; p++)
        if (*p == '/') slash = p;
    return at.src ? format("%s:%d", slash ? slash + 1 : file, span_line(at)) : "nnc";
}

/* "const int row = i < 0 ? 0 : i > 8 ? 8 : i;" */
static const char *declare_row(const char *name, const Node *index, Frag f, SizeRef rows, Span at)
{
    const char *value = with(f, C_PRIMARY);
    const char *last = size_text(size_sub(rows, size_const(1)));
    bool is_unsigned = index->type.elem == ELEM_U8 || index->type.elem == ELEM_BOOL;
    if (options.bounds == BOUNDS_OFF || is_inside(index, rows))
        return format("const int %s = %s;", name, f.s);
    if (options.bounds == BOUNDS_TRAP)
        return format("const int %s = nn_row(%s, %s, \"%s\");", name, f.s, size_text(rows),
                      place_text(at));
    const char *below = is_unsigned ? "" : format("%s < 0 ? 0 : ", value);
    return format("const int %s = %s%s > %s ? %s : %s;", name, below, value, last, last, value);
}

const Var *picked_row(Emit *e, Node *index, const Index *at, SizeRef rows, Span place)
{
    Frag row = value_of(e, index, at);
    const char *key = format("row %s of %s", value_key(see_through(index), at), size_text(rows));
    int level = row.level;
    const char *name = recall(e, key);
    if (!name) {
        name = c_unique(e->ids, "row");
        add_declaration(e, level, declare_row(name, see_through(index), row, rows, place));
        remember(e, level, key, name);
    }
    Var *var = NEW(Var);
    *var = (Var){name, rows, level};
    return var;
}
