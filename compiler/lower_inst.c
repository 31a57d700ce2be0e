/* lower_inst.c - instances of layers: who owns which weights, and under which path.
 * An instance is found again by its name or by the place in the text where it is written, so that
 * every application of a layer uses the same weights; the first use fixes the sizes. */
#include "lower.h"

#include <math.h>
#include <string.h>

const char *join_path(const char *a, const char *b)
{
    return intern_str(*a ? format("%s.%s", a, b) : b);
}

Slot *find_slot(const Inst *inst, const char *name)
{
    const char *path = join_path(inst->path, name);
    for (int i = 0; i < inst->slots.n; i++)
        if (inst->slots.at[i]->path == path) return inst->slots.at[i];
    return NULL;
}

Inst *inst_child(Inst *parent, const char *name, const Expr *site, Value layer)
{
    for (int i = 0; i < parent->children.n; i++) {
        Child *c = &parent->children.at[i];
        if (site ? c->site == site : c->name == name) return c->inst;
    }
    Inst *inst = NEW(Inst);
    inst->path = join_path(parent->path, name);
    inst->layer = layer;
    inst->in_entry = parent->in_entry;
    Child c = {name, site, inst};
    vec_push(&parent->children, c);
    return inst;
}

Inst *entry_inst(const Decl *entry)
{
    Inst *i = inst_child(low->file, entry->name.s, NULL, value_poison());
    i->in_entry = true;
    return i;
}

static const char *layer_name(const Value *layer)
{
    return layer->kind == V_STACK ? "stack" : layer->decl->name.s;
}

bool is_layer(const Value *v)
{
    return v->kind == V_STACK || (v->kind == V_FUNCTION && v->decl->kind == DECL_LAYER);
}

static Value no_memory(const Value *layer, Span at)
{
    Diag *d =
        error_at("E0502", at, "`%s` has weights, and a `fn` has no memory", layer_name(layer));
    diag_here(d, "%s", "");
    diag_hint(d, "make this a `layer`, or use the layer in an entry");
    return value_poison();
}

Value instance_new(Env *e, Value layer, const char *name, const Expr *site, Span at)
{
    if (!e->inst) return no_memory(&layer, at);
    return (Value){.kind = V_INSTANCE, .span = at, .inst = inst_child(e->inst, name, site, layer)};
}

static const char *ordinal_name(Inst *in, const char *layer)
{
    for (int i = 0; i < in->ordinals.n; i++)
        if (in->ordinals.at[i].name == layer)
            return intern_str(format("%s%d", layer, ++in->ordinals.at[i].count));
    Ordinal o = {layer, 1};
    vec_push(&in->ordinals, o);
    return intern_str(format("%s1", layer));
}

/* h = Dense[8](x) is named h; inside a longer expression Dense1, Dense2, .. */
Value inline_instance(Env *e, Value layer, const Expr *site, Span at)
{
    if (!e->inst) return no_memory(&layer, at);
    for (int i = 0; i < e->inst->children.n; i++)
        if (e->inst->children.at[i].site == site)
            return (Value){.kind = V_INSTANCE, .span = at, .inst = e->inst->children.at[i].inst};
    const char *name =
        low->eq_name ? low->eq_name : ordinal_name(e->inst, intern_str(layer_name(&layer)));
    return (Value){.kind = V_INSTANCE, .span = at, .inst = inst_child(e->inst, name, site, layer)};
}

static bool same_arguments(const ValueList *a, const ArgumentList *b)
{
    if (a->n != b->n) return false;
    for (int i = 0; i < a->n; i++)
        if (b->at[i].name || !value_equal(&a->at[i], b->at[i].value)) return false;
    return true;
}

/* stack[4, Block]: the layers 0, 1, .. one behind the other; further arguments go to each. */
static Value stack_apply(Inst *inst, ArgumentList *args, Span whole)
{
    Value layer = inst->layer.parts.at[0], v = value_poison();
    for (int i = 0; i < (int)inst->layer.num; i++) {
        Inst *one = inst_child(inst, intern_str(format("%d", i)), NULL, layer);
        ArgumentList next = {0};
        for (int k = 0; k < args->n; k++) vec_push(&next, args->at[k]);
        if (i) next.at[0].value = NEW(Value), *next.at[0].value = v;
        v = instance_apply(one, &next, whole);
        if (v.kind == V_POISON) return v;
    }
    return v;
}

Value call_stack(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    static const char *const names[] = {"n", "layer"};
    Value v[2];
    long n;
    if (!sort_arguments(args, names, 2, 2, b->name, whole, v)) return value_poison();
    if (!value_integer(&v[0], &n) || n < 1 || n > 10000 || !is_layer(&v[1])) {
        Diag *d = error_at("E0205", whole, "`stack[n, Layer]` takes a number from 1 and a layer");
        diag_here(d, "%s", "");
        return value_poison();
    }
    Value s = {.kind = V_STACK, .span = whole, .num = (double)n};
    vec_push(&s.parts, v[1]);
    return s;
}

/* What a layer makes and returns is called as the instance, Dense1, unless its text has a name for
 * it that is not the library's. `first`: the nodes before it are not the layer's. */
static void name_result(const Inst *inst, Value *v, const Graph *g, int first)
{
    if (v->kind != V_NODE || low->g != g || v->node->id < first) return;
    const char *name = named_end(inst->path), *owner = low->owner;
    low->owner = name > inst->path ? intern(inst->path, (size_t)(name - inst->path) - 1) : "";
    if (v->node->name_is_lent) v->node->name = NULL;
    name_value(v, intern_str(underscored(name)), true);
    low->owner = owner;
}

/* blocks[2], blocks[-1]: one layer of blocks = stack[4, Block]. */
Value stack_member(Env *e, const Value *stack, const Expr *x)
{
    long n = (long)stack->inst->layer.num, i = 0;
    const Expr *item = x->list.at[0];
    bool plain =
        x->list.n == 1 && item->kind != EX_RANGE && item->kind != EX_DOTS && item->kind != EX_NEW;
    Value v = plain ? lower_expr(e, item) : value_number(NAN, x->span);
    if (v.kind == V_POISON) return v;
    if (!value_integer(&v, &i) || i < -n || i >= n) {
        Diag *d =
            error_at("E0311", x->span, "`%s` has the layers 0..%ld", stack->inst->path, n - 1);
        diag_here(d, "%s", "");
        return value_poison();
    }
    const char *name = intern_str(format("%ld", i < 0 ? i + n : i));
    return (Value){.kind = V_INSTANCE,
                   .span = x->span,
                   .inst = inst_child(stack->inst, name, NULL, stack->inst->layer.parts.at[0])};
}

/* The same instance applied to the same values is the same value, draws and updates included. */
Value instance_apply(Inst *inst, ArgumentList *args, Span whole)
{
    if (inst->layer.kind == V_STACK && args->n) return stack_apply(inst, args, whole);
    if (inst->layer.kind != V_FUNCTION) {
        Diag *d = error_at("E0204", whole, "`%s` cannot be called", inst->path);
        diag_here(d, "%s", "");
        return value_poison();
    }
    for (int i = 0; i < low->memos.n; i++)
        if (low->memos.at[i].inst == inst && same_arguments(&low->memos.at[i].args, args))
            return low->memos.at[i].result;
    Env *outer;
    Value values[MAX_ARGS];
    inst->applications++;
    if (!inst->first_use.src)
        inst->first_use = whole.src && whole.src->is_std ? low->user_call : whole;
    if (!open_call(&inst->layer, args, inst, whole, &outer, values)) return value_poison();
    const Graph *g = low->g;
    int first = g->nodes.n;
    const char *owner = low->owner, *layer = low->layer;
    low->owner = inst->path;
    low->layer = inst->layer.decl->name.s;
    Value v = call_body(&inst->layer, outer, values, whole);
    low->owner = owner;
    name_result(inst, &v, g, first);
    low->layer = layer;
    Memo m = {.inst = inst, .result = v};
    bool named = false;
    for (int i = 0; i < args->n; i++) {
        vec_push(&m.args, *args->at[i].value);
        named |= args->at[i].name != NULL;
    }
    if (v.kind != V_POISON && !named) vec_push(&low->memos, m);
    return v;
}
