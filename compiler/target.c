/* target.c - where values live and results go.
 * In: definitions in kernels. Out: a home for every value that is needed beyond its loop body.
 * Outputs are written where they are computed. An update is written in place when every reader of
 * the old value has run before, or reads exactly the element that is replaced; otherwise it is kept
 * and stored by a kernel of its own, after all readers. */
#include "fuse.h"

#include <string.h>

/* ---- targets ---- */

static Buffer *new_output(Code *c, Type type, const char *name, const Slot *member)
{
    Buffer *b = NEW(Buffer);
    *b = (Buffer){
        .memory = MEM_OUTPUT, .type = type, .name = name, .slot = member, .writable = true};
    vec_push(&c->outputs, b);
    return b;
}

static void add_output(Code *c, const Output *o, TargetList *targets)
{
    bool returned = !c->entry->is_step && c->entry->outputs.n == 1 && o->node &&
                    o->node->type.shape.rank == 0;
    if (returned) {
        c->result = see_through(o->node);
        c->result_home = NEW(Buffer);
        *c->result_home = (Buffer){.memory = MEM_STACK, .type = o->node->type, .name = o->name,
                                   .writable = true, .as_stored = true};
        vec_push(&c->buffers, c->result_home);
        Target t = {see_through(o->node), c->result_home, false};
        vec_push(targets, t);
    } else if (o->node) {
        Type type = o->node->type;
        if (o->row) type.shape.size[type.shape.rank - 1] = o->row;
        Target t = {see_through(o->node), new_output(c, type, o->name, NULL), false};
        vec_push(targets, t);
    }
    for (int i = 0; i < o->set.n && !o->node; i++) {
        if (!o->set.at[i]) continue;
        const Slot *member = c->program->params.at[i];
        Target t = {see_through(o->set.at[i]), new_output(c, member->type, o->name, member), false};
        vec_push(targets, t);
    }
}

Buffer *slot_buffer(Code *c, const Slot *s)
{
    for (int i = 0; i < c->leaves.n; i++)
        if (c->leaves.at[i]->slot == s) return c->leaves.at[i];
    Buffer *b = NEW(Buffer);
    *b = (Buffer){.memory = MEM_SLOT, .type = s->type, .slot = s};
    vec_push(&c->leaves, b);
    return b;
}

TargetList find_targets(Code *c)
{
    TargetList targets = {0};
    for (int i = 0; i < c->entry->outputs.n; i++) add_output(c, &c->entry->outputs.at[i], &targets);
    for (int i = 0; i < c->entry->updates.n; i++) {
        const Update *u = &c->entry->updates.at[i];
        Buffer *b = slot_buffer(c, u->slot);
        b->writable = true;
        Target t = {see_through(u->value), b, true};
        vec_push(&targets, t);
    }
    return targets;
}

/* ---- updates ---- */

static Node *slot_node(const Code *c, const Slot *s)
{
    for (int i = 0; i < c->g->nodes.n; i++) {
        Node *n = c->g->nodes.at[i];
        if ((n->op == OP_PARAM || n->op == OP_STATE) && n->attr.ref == s) return n;
    }
    return NULL;
}

static bool reads_node(const Def *d, const Node *n)
{
    for (int i = 0; i < d->reads->at.n; i++)
        if (d->reads->at.at[i].node == n) return true;
    return false;
}

static KernelList readers_of(const Code *c, const Node *n, const Kernel *except)
{
    KernelList list = {0};
    for (int i = 0; i < c->defs.n && n; i++) {
        const Def *d = c->defs.at[i];
        if (d->kernel != except && reads_node(d, n)) vec_push(&list, d->kernel);
    }
    return list;
}

/* Runs k after all other readers of the old value, when that is possible. */
static bool follow_readers(Code *c, Kernel *k, const Node *old)
{
    KernelList readers = readers_of(c, old, k);
    for (int i = 0; i < readers.n; i++)
        if (readers.at[i]->after[k->id]) return false;
    for (int i = 0; i < readers.n; i++) order_kernels(c, k, readers.at[i]);
    return true;
}

static bool is_updated(const TargetList *targets, const Node *n)
{
    for (int i = 0; i < targets->n; i++)
        if (targets->at[i].is_update && targets->at[i].to->slot == n->attr.ref) return true;
    return false;
}

/* A copy of a slot that is replaced itself: `update a = b; update b = a;`. */
static Node *keep_old(Code *c, Node *slot)
{
    Attr none = {0};
    Node *n = graph_node(c->g, OP_BROADCAST, &none, slot->type, 1, &slot);
    if (c->def_of[n->id]) return n;
    Def *d = NEW(Def);
    *d = (Def){
        .node = n, .kind = DEF_MAP, .id = c->defs.n, .domain = n->type.shape, .act = OP_COUNT};
    vec_push(&c->defs, d);
    c->def_of[n->id] = d;
    add_to_kernels(c, d);
    find_groups(c, d->kernel);
    return n;
}

static void store_later(Code *c, Node *n, Buffer *to, const Node *old)
{
    Def *d = add_store(c, n, to);
    add_to_kernels(c, d);
    find_groups(c, d->kernel);
    if (old) follow_readers(c, d->kernel, old);
}

static void keep_old_slots(Code *c, const TargetList *targets)
{
    for (int i = 0; i < targets->n; i++) {
        Target *t = &targets->at[i];
        bool from_slot = t->node->op == OP_PARAM || t->node->op == OP_STATE;
        if (t->is_update && from_slot && t->node->attr.ref != t->to->slot &&
            is_updated(targets, t->node))
            t->node = keep_old(c, t->node);
    }
}

static void place_update(Code *c, const Target *t)
{
    Node *n = t->node, *old = slot_node(c, t->to->slot);
    Def *d = c->def_of[n->id];
    if (n == old) return;
    bool direct = d && d->kind == DEF_MAP && (!old || may_overwrite(c, d, old));
    if (direct && follow_readers(c, d->kernel, old))
        vec_push(&d->copies, t->to);
    else
        store_later(c, n, t->to, old);
}

/* ---- homes ---- */

static Buffer *new_buffer(Code *c, Memory memory, const Def *d, int skip)
{
    Buffer *b = NEW(Buffer);
    *b = (Buffer){.memory = memory, .type = d->node->type, .skip = skip, .writable = true};
    b->type.shape.rank = 0;
    for (int i = skip; i < d->node->type.shape.rank; i++)
        b->type.shape.size[b->type.shape.rank++] = d->node->type.shape.size[i];
    if (b->type.shape.rank == 0 && memory == MEM_WORK) b->memory = MEM_STACK;
    vec_push(&c->buffers, b);
    return b;
}

static void give_home(Code *c, Def *d)
{
    enum { ROW_BYTES = 16384 };
    if (d->need == NEED_ARRAY || (d->need == NEED_ROW && d->copies.n))
        d->home = d->copies.n ? d->copies.at[0] : new_buffer(c, MEM_WORK, d, 0);
    else if (d->need == NEED_ROW) {
        d->home = new_buffer(c, MEM_ROW, d, d->kernel->n_rows);
        if (type_bytes(d->home->type) > ROW_BYTES) d->home->memory = MEM_WORK;
    }
}

void place_results(Code *c, const TargetList *targets)
{
    keep_old_slots(c, targets);
    for (int i = 0; i < targets->n; i++) {
        const Target *t = &targets->at[i];
        Def *d = c->def_of[t->node->id];
        if (t->is_update)
            place_update(c, t);
        else if (d)
            vec_push(&d->copies, t->to);
        else
            store_later(c, t->node, t->to, NULL);
    }
    find_needs(c);
    for (int i = 0; i < c->defs.n; i++) give_home(c, c->defs.at[i]);
    for (int i = 0; i < c->kernels.n; i++)
        if (c->kernels.at[i]->kind == DEF_SCAN) place_states(c, c->kernels.at[i]);
}
