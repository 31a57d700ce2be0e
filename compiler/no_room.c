/* no_room.c - the report about an entry that needs more memory than --max-ram allows (E0603): what
 * is in the work area when it is fullest, the largest arrays first, and what could be smaller. */
#include "recompute.h"


enum { MOST_LINES = 6 };

typedef struct Item {
    long bytes;
    const char *when, *what;
} Item;
typedef VEC(Item) ItemList;

static int by_bytes(const void *x, const void *y)
{
    const Item *a = x, *b = y;
    if (a->bytes != b->bytes) return a->bytes < b->bytes ? 1 : -1;
    return a < b ? -1 : 1;
}

static int fullest(const Code *c)
{
    int t = 0;
    for (int i = 1; i < c->kernels.n; i++)
        if (c->live[i] > c->live[t]) t = i;
    return t;
}

/* The equation of what is in the buffer. */
static const char *content(const Code *c, const Buffer *b)
{
    Text out = {0};
    for (int i = 0; i < c->defs.n; i++) {
        const Def *d = c->defs.at[i];
        if (d->home != b) continue;
        node_equation(&out, c->names, d->node);
        return format("%s   %s", out.s, type_text(d->node->type));
    }
    return b->is_scratch ? "scratch of a matrix product" : b->name ? b->name : "a recurrence";
}

static ItemList arrays_at(const Code *c, int t)
{
    ItemList items = {0};
    for (int i = 0; i < c->buffers.n; i++) {
        const Buffer *b = c->buffers.at[i];
        bool handed_on = b->in_place_of && b->first == t;
        if (b->memory != MEM_WORK || b->first > t || b->last < t || handed_on) continue;
        Item item = {b->bytes, format("%d .. %d", b->first + 1, b->last + 1), content(c, b)};
        vec_push(&items, item);
    }
    vec_sort(&items, by_bytes);
    return items;
}

static void add_slots(ItemList *items, const SlotList *slots)
{
    for (int i = 0; i < slots->n; i++) {
        const Slot *s = slots->at[i];
        Item item = {type_bytes(s->type), s->is_state ? "state" : "param",
                     format("%s: %s", s->path, type_text(s->type))};
        vec_push(items, item);
    }
    vec_sort(items, by_bytes);
}

static const char *table(const char *title, const ItemList *items)
{
    Text out = {0};
    text_add(&out, "%s", title);
    for (int i = 0; i < items->n && i < MOST_LINES; i++)
        text_add(&out, "\n%12ld bytes  %-10s %s", items->at[i].bytes, items->at[i].when,
                 items->at[i].what);
    if (items->n > MOST_LINES) text_add(&out, "\nand %d smaller ones", items->n - MOST_LINES);
    return out.s;
}

static const char *hint(const Entry *e)
{
    const Dim *largest = NULL;
    for (int i = 0; i < e->dims.n; i++)
        if (!largest || e->dims.at[i]->hi > largest->hi) largest = e->dims.at[i];
    if (largest && largest->hi > largest->lo)
        return format("a smaller bound of `%s`, now %ld, makes every array over it smaller",
                      largest->name, largest->hi);
    return options.f64 ? "`--real f32` takes half of it" : "smaller layers take less";
}

void report_no_room(const Trial *t, const Entry *e, long fixed)
{
    const Code *c = t->code;
    Span at = e->decl ? e->decl->name.span : (Span){0};
    Diag *d = error_at("E0603", at, "`%s` needs %ld bytes of RAM, `--max-ram` allows %ld", e->name,
                       fixed + c->work_bytes, options.max_ram);
    diag_here(d, "%ld bytes of parameters and states, and a work area of %ld", fixed,
              c->work_bytes);
    ItemList items = {0};
    if (fixed >= c->work_bytes) {
        add_slots(&items, &c->program->params);
        add_slots(&items, &c->program->states);
        diag_note(d, "%s", table("the largest parameters and states:", &items));
    } else {
        int kernel = fullest(c);
        items = arrays_at(c, kernel);
        diag_note(d, "%s", table(format("the work area is fullest at step %d of %d, with values "
                                        "that are computed again where\nthat helps; bytes, and "
                                        "from which step to which:",
                                        kernel + 1, c->kernels.n),
                                 &items));
    }
    diag_hint(d, "%s", hint(e));
}
