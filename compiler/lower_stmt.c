/* lower_stmt.c - statements: every line is an equation.
 * In: a body and its scope. Out: the value of `return`; params and states become slots of the
 * instance whose body this is, updates are recorded for the entry. */
#include "lower.h"

#include <string.h>

/* ---- memory ---- */

static bool shape_is_constant(const Shape *s)
{
    for (int i = 0; i < s->rank; i++)
        if (!size_is_const(s->size[i], NULL)) return false;
    return true;
}

static bool disagrees(const Slot *slot, Type t, const Inst *inst, Span at)
{
    Diag *d = error_at("E0305", low->user_call.src ? low->user_call : at,
                       "`%s` would be %s here and was %s in its first use", slot->path,
                       type_text(t), type_text(slot->type));
    diag_here(d, "%s", "");
    if (inst->first_use.src) diag_label(d, inst->first_use, "the first use");
    diag_label(d, at, "the memory whose size is fixed by the first use");
    diag_hint(d, "make a second instance for other sizes");
    return false;
}

static bool depends_on_dim(const Stmt *s, Type t)
{
    Diag *d = error_at("E0306", s->type->span, "memory has a constant size, `%s` would be %s",
                       s->names.at[0].s, type_text(t));
    diag_here(d, "%s", "");
    diag_hint(d, "only sizes that are known at compile time can stand here, no `dim`");
    diag_context(d, s->type->span);
    return false;
}

/* The first value is lowered into the graph of the initialisers. */
static void initialise(Env *e, const Stmt *s, Slot *slot)
{
    Graph *g = low->g;
    ScanScope *scan = low->scan;
    bool in_init = low->in_init;
    low->scan = NULL;
    low->g = low->p->init->g;
    low->in_init = true;
    Value v = lower_expr(e, s->value);
    if (v.kind == V_DISTRIBUTION && !s->is_draw) {
        Diag *d =
            error_at("E0204", s->value->span, "a distribution is drawn from with `~`, not `=`");
        diag_here(d, "%s", "");
        v = value_poison();
    } else if (s->is_draw) {
        v = lower_draw(e, v, slot->type, s->value->span, slot->path);
    }
    Node *n = v.kind == V_POISON ? NULL : value_to_type(&v, slot->type);
    if (!n && v.kind != V_POISON) {
        Diag *d =
            error_at("E0303", s->value->span, "the first value of `%s` must be %s, this is %s",
                     s->names.at[0].s, type_text(slot->type), value_text(&v));
        diag_here(d, "%s", "");
    }
    if (n) {
        Update u = {slot, n, s->span};
        vec_push(&low->p->init->updates, u);
    }
    low->g = g;
    low->scan = scan;
    low->in_init = in_init;
}

static void warn_private(const Inst *inst, Span at)
{
    if (!inst->in_entry || inst->layer.kind != V_FUNCTION) return;
    Diag *d = warning_at("W0104", inst->first_use.src ? inst->first_use : at,
                         "the weights of `%s` belong to one entry, no other entry can use them",
                         inst->path);
    diag_here(d, "%s", "");
    const char *layer = span_text(inst->layer.span);
    diag_hint(d, "make the instance at file level: `net = %s;`",
              *layer ? layer : inst->layer.decl->name.s);
}

/* While the first value is lowered, fan_in() and fan_out() speak of this tensor. */
Slot *declare_slot(Env *e, const Stmt *s)
{
    Type t;
    if (!e->inst) {
        Diag *d = error_at("E0502", s->span, "a `fn` has no memory");
        diag_here(d, "%s", "");
        diag_hint(d, "make this a `layer`");
        return NULL;
    }
    if (!lower_type(e, s->type, &t)) return NULL;
    Slot *slot = find_slot(e->inst, s->names.at[0].s);
    if (slot)
        return shape_equal(&slot->type.shape, &t.shape) ||
                       disagrees(slot, t, e->inst, s->type->span)
                   ? slot
                   : NULL;
    if (!shape_is_constant(&t.shape)) return depends_on_dim(s, t), NULL;
    if (!check_bytes(t, s->type->span)) return NULL;
    if (s->kind == ST_PARAM && !elem_is_real(t.elem)) {
        Diag *d = error_at("E0320", s->type->span, "a `param` is trained, so it is real, not %s",
                           elem_text(t.elem));
        diag_here(d, "%s", "");
        diag_hint(d, "use `state` for other numbers");
        return NULL;
    }
    SlotList *all = s->kind == ST_PARAM ? &low->p->params : &low->p->states;
    slot = NEW(Slot);
    *slot = (Slot){.path = join_path(e->inst->path, s->names.at[0].s),
                   .is_state = s->kind == ST_STATE,
                   .type = t,
                   .span = s->span,
                   .doc = s->doc,
                   .id = all->n};
    vec_push(all, slot);
    vec_push(&e->inst->slots, slot);
    if (s->kind == ST_PARAM) warn_private(e->inst, s->span);
    low->drawn = &slot->type.shape;
    initialise(e, s, slot);
    low->drawn = NULL;
    return slot;
}

/* ---- updates ---- */

void record_update(Slot *slot, Node *value, Span at)
{
    Entry *e = low->entry;
    for (int i = 0; i < e->updates.n; i++) {
        if (e->updates.at[i].slot != slot) continue;
        e->updates.at[i].value = value;
        e->updates.at[i].span = at;
        return;
    }
    Update u = {slot, value, at};
    vec_push(&e->updates, u);
}

static Node *pending(const Slot *slot)
{
    for (int i = 0; low->entry && i < low->entry->updates.n; i++)
        if (low->entry->updates.at[i].slot == slot) return low->entry->updates.at[i].value;
    return NULL;
}

Slot *slot_of_node(const Node *n)
{
    SlotList *all = n->op == OP_PARAM   ? &low->p->params
                    : n->op == OP_STATE ? &low->p->states
                                        : NULL;
    for (int i = 0; all && i < all->n; i++)
        if (all->at[i] == n->attr.ref) return all->at[i];
    return NULL;
}

static void updated_twice(const Slot *slot, Span at)
{
    Diag *d = error_at("E0503", at, "`%s` is updated twice", slot->path);
    diag_here(d, "%s", "");
    diag_hint(
        d,
        "an update takes effect after the entry returns; write one `update` with the whole change");
}

static void update_slot(Env *e, const Stmt *s, Slot *slot, const Value *v)
{
    Node *n = v->kind == V_POISON ? NULL : value_to_type(v, slot->type);
    if (!n) {
        if (v->kind == V_POISON) return;
        Diag *d = error_at("E0303", s->value->span, "`%s` is %s, the new value is %s", slot->path,
                           type_text(slot->type), value_text(v));
        diag_here(d, "%s", value_text(v));
        return;
    }
    bool in_entry = e->decl && e->decl->kind == DECL_ENTRY;
    if (!in_entry && !low->training) return;
    if (in_entry && pending(slot))
        updated_twice(slot, s->span);
    else
        record_update(slot, n, s->span);
}

static void update_set(Env *e, const Stmt *s, const Value *target, const Value *v)
{
    (void)e;
    if (v->kind == V_POISON) return;
    if (v->kind != V_SET || v->set.n != target->set.n) {
        if (!low->final_round) return;
        Diag *d = error_at("E0303", s->value->span, "a set of %d parameters is updated with %s",
                           target->set.n, value_text(v));
        diag_here(d, "%s", "");
        return;
    }
    for (int i = 0; i < target->set.n; i++) {
        Slot *slot = target->set.at[i].slot;
        if (!shape_equal(&v->set.at[i].node->type.shape, &slot->type.shape)) {
            Diag *d =
                error_at("E0303", s->value->span, "`%s` is %s, the new value is %s", slot->path,
                         type_text(slot->type), type_text(v->set.at[i].node->type));
            diag_here(d, "%s", "");
            return;
        }
        if (pending(slot))
            updated_twice(slot, s->span);
        else
            record_update(slot, v->set.at[i].node, s->span);
    }
}

static void lower_update(Env *e, const Stmt *s)
{
    if (!low->entry || low->scan) {
        bool counts = low->training || (e->decl && e->decl->kind == DECL_ENTRY);
        if ((low->entry || low->test) && !counts) return;
        Diag *d = error_at("E0503", s->span,
                           low->scan ? "an update cannot stand inside a `scan`"
                                     : "nothing can be updated here");
        diag_here(d, "%s", "");
        diag_context(d, s->span);
        if (low->scan)
            diag_hint(d, e->decl && e->decl->kind == DECL_LAYER
                             ? "apply `%s` to all steps at once, outside of the scan; or carry its "
                               "state as a state of the scan and update it once behind it"
                             : "carry the value as a state of the scan and update once behind it",
                      e->decl ? e->decl->name.s : "");
        return;
    }
    Slot *own = s->target->kind == EX_NAME && e->inst && e->decl->kind == DECL_LAYER
                    ? find_slot(e->inst, s->target->name)
                    : NULL;
    Value target =
        own ? value_node(n_slot(low->g, own), s->target->span) : lower_expr(e, s->target);
    Value v = lower_expr(e, s->value);
    if (target.kind == V_POISON) return;
    if (target.kind == V_INSTANCE) target = params_value(e, target.inst, s->target->span);
    Slot *slot = target.kind == V_NODE ? slot_of_node(target.node) : NULL;
    if (target.kind == V_SET && target.is_params)
        update_set(e, s, &target, &v);
    else if (slot)
        update_slot(e, s, slot, &v);
    if (slot || target.is_params) return;
    Diag *d = error_at("E0503", s->target->span,
                       "only a `param`, a `state` or `params` can be updated, this is %s",
                       value_text(&target));
    diag_here(d, "%s", "");
}

/* ---- equations ---- */

void define_name(Env *e, Name name, Value v)
{
    for (int i = 0; i < e->locals.n; i++) {
        if (e->locals.at[i].name != name.s) continue;
        Diag *d = error_at("E0202", name.span, "`%s` is defined twice", name.s);
        diag_here(d, "%s", "");
        return;
    }
    v = mark_target(e, name.s, v);
    name_value(&v, name.s, name.span.src && name.span.src->is_std);
    env_set(e, name.s, v, name.span);
}

static Value ascribe(Env *e, const Stmt *s, Value v)
{
    Type t;
    if (!s->type || v.kind == V_POISON) return v;
    if (!s->is_draw) return check_result(e, s->type, &v, s->span) ? v : value_poison();
    return lower_type(e, s->type, &t) ? v : value_poison();
}

void lower_def(Env *e, const Stmt *s)
{
    low->eq_name = s->is_draw ? NULL : s->names.at[0].s;
    Value v = lower_expr(e, s->value);
    low->eq_name = NULL;
    if (s->is_draw) {
        Type t = {.elem = ELEM_REAL};
        if (e->decl && e->decl->kind == DECL_FN) {
            Diag *d = error_at("E0502", s->span, "a `fn` is pure and draws nothing");
            diag_here(d, "%s", "");
            diag_hint(d, "make this a `layer`");
            v = value_poison();
        } else if (s->type && !lower_type(e, s->type, &t))
            v = value_poison();
        else
            v = lower_draw(e, v, t, s->value->span, s->names.at[0].s);
    } else
        v = ascribe(e, s, v);
    if (is_layer(&v)) v = instance_new(e, v, s->names.at[0].s, s->value, s->span);
    define_name(e, s->names.at[0], v);
}

static void lower_tuple_def(Env *e, const Stmt *s)
{
    Value v = lower_expr(e, s->value);
    bool fits = v.kind == V_TUPLE && v.parts.n == s->names.n;
    if (!fits && v.kind != V_POISON) {
        Diag *d = error_at("E0205", s->value->span, "%d names for %s", s->names.n, value_text(&v));
        diag_here(d, "%s", "");
    }
    for (int i = 0; i < s->names.n; i++)
        define_name(e, s->names.at[i], fits ? v.parts.at[i] : value_poison());
}

static void lower_memory(Env *e, const Stmt *s)
{
    Slot *slot = declare_slot(e, s);
    if (!slot) {
        define_name(e, s->names.at[0], value_poison());
        return;
    }
    /* a second application of the instance in this entry goes on from what the first one left */
    Node *n = slot->is_state && low->training ? pending(slot) : NULL;
    env_set(e, s->names.at[0].s, n ? value_node(n, s->span) : memory_value(slot, s->span),
            s->names.at[0].span);
}

static bool mentions_sizeof(const Expr *x)
{
    if (!x) return false;
    if (x->kind == EX_CALL && x->a->kind == EX_NAME && !strcmp(x->a->name, "sizeof")) return true;
    for (int i = 0; i < x->list.n; i++)
        if (mentions_sizeof(x->list.at[i])) return true;
    return mentions_sizeof(x->a) || mentions_sizeof(x->b) || mentions_sizeof(x->c);
}

/* Memory is known only behind the last pass, so what speaks of it is put aside. */
void lower_require(Env *e, const Stmt *s)
{
    if (mentions_sizeof(s->value)) {
        Requirement r = {e, s, low->entry};
        vec_push(&low->requirements, r);
        return;
    }
    Value v = lower_expr(e, s->value);
    if (v.kind == V_POISON || (v.kind == V_NUMBER && v.is_bool && v.num != 0)) return;
    bool known = v.kind == V_NUMBER && v.is_bool;
    Diag *d = error_at(known ? "E0312" : "E0306", s->value->span,
                       known ? "%s" : "this is not known at compile time: %s", s->text);
    diag_here(d, "%s", known ? "this does not hold" : "");
    diag_context(d, s->value->span);
}

static Value lower_return(Env *e, const Stmt *s)
{
    if (s->list.n == 1) return lower_expr(e, s->list.at[0]);
    ValueList parts = {0};
    for (int i = 0; i < s->list.n; i++) vec_push(&parts, lower_expr(e, s->list.at[i]));
    return value_tuple(&parts, s->span);
}

static void outside_scan(const Stmt *s)
{
    Diag *d = error_at("E0204", s->span, "`%s` has a meaning only inside a `scan`",
                       s->kind == ST_NEXT ? "next" : "emit");
    diag_here(d, "%s", "");
}

void lower_one(Env *e, const Stmt *s)
{
    place_at(s->span);
    switch (s->kind) {
    case ST_DEF: lower_def(e, s); return;
    case ST_TUPLE: lower_tuple_def(e, s); return;
    case ST_PARAM:
    case ST_STATE: lower_memory(e, s); return;
    case ST_UPDATE: lower_update(e, s); return;
    case ST_REQUIRE: lower_require(e, s); return;
    case ST_INDEXED: lower_indexed(e, s); return;
    case ST_SCAN: lower_scan(e, s); return;
    case ST_NEXT:
    case ST_EMIT: outside_scan(s); return;
    default: return; /* `return` ends a body; the rest stands in tests alone */
    }
}

Value lower_body(Env *e, const StmtList *body, Span at)
{
    for (int i = 0; i < body->n; i++) {
        if (body->at[i]->kind == ST_RETURN) {
            Value v = lower_return(e, body->at[i]);
            if (i + 1 < body->n) {
                Diag *d =
                    error_at("E0207", body->at[i + 1]->span, "nothing can stand behind `return`");
                diag_here(d, "%s", "");
            }
            return v;
        }
        lower_one(e, body->at[i]);
    }
    if (e->decl && e->decl->kind == DECL_ENTRY && !e->decl->type)
        return (Value){.kind = V_TUPLE, .span = at};
    Diag *d = error_at("E0207", e->decl ? e->decl->name.span : at, "`%s` returns nothing",
                       e->decl ? e->decl->name.s : "this");
    diag_here(d, "%s", "");
    diag_hint(d, "end the body with `return ..;`");
    return value_poison();
}
