/* outline_name.c - what routines and the values in them are called.
 * In: a routine and the kernels that it stands for. Out: its own name, after the layer that the
 * kernels belong to, and a name for every hole: what the text of the layer calls the value, without
 * the instance, where all the kernels agree; else p for a parameter that is updated, g for a
 * gradient by one, as in the library, x for what is read and y for what is stored. */
#include "outline.h"

#include <ctype.h>
#include <string.h>

/* ---- names of values ---- */

static bool is_numbered(const char *name)
{
    return name[0] == 't' && name[1] && strspn(name + 1, "0123456789") == strlen(name + 1);
}

/* sum_3: the third of that name in its entry. */
static const char *without_number(const char *name)
{
    size_t n = strlen(name);
    while (n && isdigit((unsigned char)name[n - 1])) n--;
    return n > 1 && name[n] && name[n - 1] == '_' ? format("%.*s", (int)n - 1, name) : name;
}

static const char *end_of(const char *name)
{
    const char *leaf = strrchr(name, '.');
    return leaf ? leaf + 1 : name;
}

/* As the text that makes the value calls it; NULL when it has no name there. */
static const char *own_name(const Emit *e, const Node *n)
{
    const char *name = node_name(e->c->names, n);
    if (!name || is_numbered(name)) return NULL;
    if (n->name && !n->adjoint_of)
        return strchr(n->name, '.') ? format("d_%s", end_of(n->name)) : n->name;
    const Node *of = n->adjoint_of ? see_through((Node *)(uintptr_t)n->adjoint_of) : NULL;
    const char *by = of ? leaf_name(of) : NULL;
    if (of && !by) by = of->name;
    if (by && !strncmp(name, "d_", 2)) return format("d_%s", end_of(by));
    return without_number(name);
}

static const char *short_name(const Sketch *s, const Hole *h)
{
    const Buffer *b = h->buffer;
    if (h->node) return own_name(s->e, h->node);
    if (b && b->slot) return last_piece(b->slot->path);
    return b ? b->name : NULL;
}

/* As the entry calls it. */
static const char *full_name(const Sketch *s, const Hole *h)
{
    if (!h->node || !s->e->c_name[h->node->id]) return short_name(s, h);
    return s->e->c_name[h->node->id];
}

static bool is_parameter(const Hole *h)
{
    return h->buffer && h->buffer->memory == MEM_SLOT && !h->buffer->slot->is_state;
}

static bool is_gradient(const Hole *h)
{
    const Node *n = h->node;
    if (!n) return false;
    if (n->name && !strncmp(n->name, "d_", 2) && strchr(n->name, '.')) return true;
    return n->adjoint_of && n->adjoint_of->op == OP_PARAM;
}

/* The name that all kernels have for the hole, or what it is. */
static const char *common_name(const Routine *r, int hole)
{
    bool same = true, parameters = true, gradients = true;
    const Hole *h = &r->uses.at[0]->holes.at[hole];
    const char *name = short_name(r->uses.at[0], h);
    for (int i = 0; i < r->uses.n; i++) {
        const Hole *other = &r->uses.at[i]->holes.at[hole];
        const char *its = short_name(r->uses.at[i], other);
        same &= name && its && !strcmp(name, its);
        parameters &= is_parameter(other);
        gradients &= is_gradient(other);
    }
    if (same) return name;
    if (!h->buffer) return NULL;
    return parameters && h->written ? "p" : gradients ? "g" : h->written ? "y" : "x";
}

/* sum, sum_2, .. */
static const char *unique_name(Identifiers *ids, const char *wanted)
{
    const char *name = wanted;
    for (int i = 2; c_is_taken(ids, name); i++) name = format("%s_%d", wanted, i);
    return c_unique(ids, name);
}

/* t1, t2, .. */
static const char *numbered_name(Identifiers *ids)
{
    int k = 1;
    while (c_is_taken(ids, format("t%d", k))) k++;
    return c_unique(ids, format("t%d", k));
}

/* Letters of loops, sizes, dims and the like are taken. */
static Identifiers taken_names(const Sketch *s)
{
    Identifiers ids = {0};
    for (int i = 0; i < s->ids.taken.n; i++) vec_push(&ids.taken, s->ids.taken.at[i]);
    for (int i = 0; i < s->lines.n; i++) {
        char v[8];
        const char *loop = strstr(s->lines.at[i], "for (int ");
        if (loop && sscanf(loop, "for (int %7[a-z0-9]", v) == 1 && !c_is_taken(&ids, v))
            vec_push(&ids.taken, format("%s", v));
    }
    return ids;
}

/* The array of the value of which the local is one element. */
static int array_of_hole(const Sketch *s, const Hole *h)
{
    for (int i = 0; i < s->holes.n && h->node; i++)
        if (s->holes.at[i].buffer && !s->holes.at[i].is_element && s->holes.at[i].node == h->node)
            return i;
    return -1;
}

static void name_hole(Routine *r, Identifiers *ids, int hole)
{
    const Sketch *s = r->uses.at[0];
    const Hole *h = &s->holes.at[hole];
    const char *name = r->uses.n > 1 ? common_name(r, hole) : full_name(s, h);
    const int array = h->buffer ? -1 : array_of_hole(s, h);
    if (array >= 0 && r->uses.n > 1) name = r->names[array];
    if (name && *h->at && (array >= 0 || h->is_element)) name = format("%s_%s", name, h->at);
    r->names[hole] = name ? unique_name(ids, c_identifier(name)) : numbered_name(ids);
}

/* ---- the routine ---- */

static const char *layer_of(const Node *n)
{
    if (n->layer) return n->layer;
    const char *forward = n->adjoint_of ? n->adjoint_of->layer : NULL;
    return forward ? format("%s_backward", forward) : NULL;
}

/* The layer of a value, or of what it is made from. */
static const char *layer_near(const Node *n, int depth)
{
    const char *layer = layer_of(n);
    for (int i = 0; i < n->n_in && !layer && depth; i++) layer = layer_near(n->in[i], depth - 1);
    return layer;
}

/* The layer that most of the kernel's values belong to. */
static const char *layer_of_kernel(const Sketch *s)
{
    enum { NEAR = 4 };
    const char *best = NULL;
    int most = 0;
    for (int i = 0; i < s->holes.n; i++) {
        const char *layer = s->holes.at[i].node ? layer_of(s->holes.at[i].node) : NULL;
        int n = 0;
        for (int k = 0; k < s->holes.n && layer; k++) {
            const char *other = s->holes.at[k].node ? layer_of(s->holes.at[k].node) : NULL;
            n += other && !strcmp(other, layer);
        }
        if (n > most) best = layer, most = n;
    }
    for (int i = s->k->defs.n; i-- > 0 && !best;) best = layer_near(s->k->defs.at[i]->node, NEAR);
    return best;
}

/* train_Adam: the entry, unless several use it, and what the kernels are part of. */
static const char *routine_name(const Routine *r)
{
    const Sketch *s = r->uses.at[0];
    const char *entry = c_identifier(s->e->c->entry->name);
    if (r->uses.n == 1) return format("%s_rows_%d", entry, number_of(s->e, s->k->defs.at[0]));
    const Node *last = s->k->defs.at[s->k->defs.n - 1]->node;
    const bool gradient = s->k->defs.n == 1 && is_gradient(&(Hole){.node = last});
    const char *part = gradient ? own_name(s->e, last) : layer_of_kernel(s);
    if (!part) part = s->k->defs.at[0]->copies.n ? "update" : "loop";
    bool shared = false;
    for (int i = 0; i < r->uses.n; i++) shared |= r->uses.at[i]->e != s->e;
    return shared ? c_identifier(part) : format("%s_%s", entry, c_identifier(part));
}

static bool any_is_const(const Routine *r, int hole)
{
    for (int i = 0; i < r->uses.n; i++)
        if (!r->uses.at[i]->holes.at[hole].buffer->writable) return true;
    return false;
}

void name_routine(Routine *r, Identifiers *functions)
{
    const Sketch *s = r->uses.at[0];
    Identifiers ids = taken_names(s);
    r->name = unique_name(functions, routine_name(r));
    r->names = NEW_N(const char *, s->holes.n + 1);
    r->is_const = NEW_N(bool, s->holes.n + 1);
    if (r->passes == PASSES_RANGE) r->first = c_unique(&ids, "from");
    r->last = c_unique(&ids, r->passes == PASSES_RANGE ? "to" : "n");
    for (int locals = 0; locals < 2; locals++)
        for (int i = 0; i < s->holes.n; i++)
            if (locals == !s->holes.at[i].buffer) name_hole(r, &ids, i);
    for (int i = 0; i < s->holes.n; i++) {
        const Hole *h = &s->holes.at[i];
        bool rows = h->buffer && !h->flat && h->buffer->type.shape.rank > 1;
        if (is_argument(h) && !h->written) r->is_const[i] = !rows || any_is_const(r, i);
    }
}

/* The value's name in the comment: that of its hole, of its memory, or its own. */
const char **names_in_comment(const Routine *r)
{
    const Sketch *s = r->uses.at[0];
    const Code *c = s->e->c;
    const char **names = NEW_N(const char *, c->g->nodes.n + 1);
    for (int i = s->holes.n; i-- > 0;) {
        const Hole *h = &s->holes.at[i];
        const bool named = h->node && node_name(c->names, h->node);
        if (named && (h->buffer || !names[h->node->id])) names[h->node->id] = r->names[i];
        for (int k = 0; k < c->g->nodes.n && h->buffer; k++)
            if (c->leaf_of[k] == h->buffer) names[k] = r->names[i];
    }
    for (int i = 0; i < c->g->nodes.n; i++) {
        const Node *n = c->g->nodes.at[i];
        const Def *d = c->def_of[i];
        bool only_stored = d && d->kernel == s->k && d->copies.n;
        if (names[i] || only_stored || !node_stands(c->names, n)) continue;
        names[i] = own_name(s->e, n);
        if (!names[i]) names[i] = node_name(c->names, n);
    }
    return names;
}
