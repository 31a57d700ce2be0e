/* lower_rearrange.c - rearrange(x, "... t (h e) -> ... h t e", h = heads): axes by name.
 * In: a tensor, a pattern and the sizes of axes that the pattern cannot tell. Out: a reshape that
 * opens the groups of the left side, a transpose, a reshape that closes the groups of the right
 * side (the notation of einops, Rogozhnikov 2022). Errors point into the pattern. */
#include "lower.h"

#include <ctype.h>
#include <string.h>

enum { MAX_AXES = 16 };

typedef struct Axis {
    const char *name;
    int group;
    int at, end;
    SizeRef size;
} Axis; /* name NULL: the literal 1 */
typedef struct Side {
    Axis axis[MAX_AXES];
    int n, groups, dots;
} Side; /* dots: place among groups, -1: none */
typedef struct Pattern {
    const char *text;
    Span span;
    Side left, right;
    Node *x;
} Pattern;

static bool wrong(const Pattern *p, int at, int end, const char *text)
{
    Span s = {p->span.src, p->span.begin + 1 + at, p->span.begin + 1 + (end > at ? end : at + 1)};
    Diag *d = error_at("E0309", s, "%s", text);
    diag_here(d, "%s", "");
    return false;
}

static bool add_axis(const Pattern *p, Side *s, const char *name, int at, int end)
{
    for (int i = 0; i < s->n; i++)
        if (name && s->axis[i].name == name)
            return wrong(p, at, end, format("the axis `%s` stands twice on one side", name));
    if (s->n == MAX_AXES) return wrong(p, at, end, "too many axes");
    s->axis[s->n++] = (Axis){name, s->groups, at, end, name ? NULL : size_const(1)};
    return true;
}

static bool scan_word(const Pattern *p, Side *s, const char **c, bool open)
{
    int at = (int)(*c - p->text);
    const char *start = *c;
    while (isalnum((unsigned char)**c) || **c == '_' || (unsigned char)**c >= 128) ++*c;
    size_t n = (size_t)(*c - start);
    if (n == 0) return wrong(p, at, at + 1, format("`%.1s` means nothing in a pattern", start));
    bool one = n == 1 && *start == '1';
    if (isdigit((unsigned char)*start) && !one)
        return wrong(p, at, at + (int)n, "a size is given by a name: `h = 4` behind the pattern");
    if (!add_axis(p, s, one ? NULL : intern(start, n), at, at + (int)n)) return false;
    s->groups += !open;
    return true;
}

static bool scan_side(const Pattern *p, Side *s, const char *c, const char *end)
{
    int open = -1;
    s->dots = -1;
    while (c < end) {
        int at = (int)(c - p->text);
        if (*c == ' ')
            c++;
        else if (!strncmp(c, "...", 3)) {
            if (s->dots >= 0 || open >= 0)
                return wrong(p, at, at + 3, "`...` stands once, outside groups");
            s->dots = s->groups++;
            c += 3;
        } else if (*c == '(') {
            if (open >= 0) return wrong(p, at, at + 1, "a group inside a group");
            open = at;
            c++;
        } else if (*c == ')') {
            if (open < 0) return wrong(p, at, at + 1, "this closes no group");
            open = -1;
            s->groups++;
            c++;
        } else if (!scan_word(p, s, &c, open >= 0))
            return false;
    }
    return open < 0 || wrong(p, open, open + 1, "this group is not closed");
}

/* ---- sizes ---- */

static Axis *find_axis(Side *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (s->axis[i].name == name) return &s->axis[i];
    return NULL;
}

static bool given_size(Pattern *p, const Argument *a)
{
    Axis *axis = a->name ? find_axis(&p->left, a->name) : NULL;
    if (!axis) {
        Diag *d =
            error_at("E0309", a->span, "the pattern has no axis of this name on its left side");
        diag_here(d, "%s", "");
        return false;
    }
    if (a->value->kind == V_NUMBER && a->value->size && size_upper(a->value->size) < 0) {
        Diag *d = error_at("E0307", a->span, "this size would be negative: %s",
                           size_text(a->value->size));
        diag_here(d, "%s", "");
        diag_context(d, a->span);
        return false;
    }
    if (a->value->kind == V_NUMBER && a->value->size)
        axis->size = a->value->size;
    else {
        Diag *d = error_at("E0306", a->span, "the size of an axis must be known at compile time");
        diag_here(d, "%s", "");
    }
    return axis->size != NULL;
}

/* One unknown axis of a group follows from the size of the tensor's axis. */
static bool solve_group(Pattern *p, int group, SizeRef total)
{
    SizeRef known = size_const(1);
    Axis *unknown = NULL;
    int at = 0, end = 0;
    for (int i = 0; i < p->left.n; i++) {
        Axis *a = &p->left.axis[i];
        if (a->group != group) continue;
        if (!end) at = a->at;
        end = a->end;
        if (a->size)
            known = size_mul(known, a->size);
        else if (unknown)
            return wrong(p, a->at, a->end,
                         format("the sizes of `%s` and `%s` cannot both be told from %s; give one "
                                "behind the pattern",
                                unknown->name, a->name, size_text(total)));
        else
            unknown = a;
    }
    if (unknown) {
        if (!size_is(known, 0)) unknown->size = size_div(total, known);
        known = unknown->size ? size_mul(known, unknown->size) : size_const(0);
    }
    return known == total ||
           wrong(p, at, end,
                 format("this group has %s elements, the axis of %s has %s", size_text(known),
                        type_text(p->x->type), size_text(total)));
}

static bool match_left(Pattern *p)
{
    const Shape *s = &p->x->type.shape;
    int plain = p->left.groups - (p->left.dots >= 0), lead = s->rank - plain;
    if (lead < 0 || (p->left.dots < 0 && lead > 0))
        return wrong(
            p, 0, (int)strlen(p->text),
            format("the left side has %d axes, %s has %d", plain, type_text(p->x->type), s->rank));
    for (int g = 0; g < p->left.groups; g++) {
        if (g == p->left.dots) continue;
        int axis = p->left.dots >= 0 && g > p->left.dots ? g - 1 + lead : g;
        if (!solve_group(p, g, s->size[axis])) return false;
    }
    return true;
}

static bool match_right(Pattern *p)
{
    if ((p->left.dots < 0) != (p->right.dots < 0))
        return wrong(p, 0, (int)strlen(p->text), "`...` stands on both sides or on none");
    for (int i = 0; i < p->right.n; i++) {
        Axis *a = &p->right.axis[i], *from = a->name ? find_axis(&p->left, a->name) : NULL;
        if (a->name && !from)
            return wrong(p, a->at, a->end,
                         format("the axis `%s` does not stand on the left side", a->name));
        if (from) a->size = from->size;
    }
    for (int i = 0; i < p->left.n; i++)
        if (p->left.axis[i].name && !find_axis(&p->right, p->left.axis[i].name))
            return wrong(p, p->left.axis[i].at, p->left.axis[i].end,
                         format("the axis `%s` is lost; take `sum` or `mean` over it first",
                                p->left.axis[i].name));
    return true;
}

/* ---- the graph ---- */

static bool push(Shape *s, SizeRef size)
{
    if (s->rank == MAX_RANK) return false;
    s->size[s->rank++] = size;
    return true;
}

/* The left side opened: every named axis and every axis under `...` by itself; which is where. */
static bool open_groups(const Pattern *p, Shape *open, int *place_of_axis, int *place_of_dots,
                        int *lead)
{
    const Shape *s = &p->x->type.shape;
    *lead = s->rank - (p->left.groups - (p->left.dots >= 0));
    for (int g = 0; g < p->left.groups; g++) {
        if (g == p->left.dots) {
            *place_of_dots = open->rank;
            for (int i = 0; i < *lead; i++)
                if (!push(open, s->size[g + i])) return false;
        }
        for (int i = 0; i < p->left.n; i++) {
            if (p->left.axis[i].group != g) continue;
            place_of_axis[i] = open->rank;
            if (p->left.axis[i].name && !push(open, p->left.axis[i].size)) return false;
        }
    }
    return true;
}

static Node *build(const Pattern *p)
{
    Shape open = {0}, closed = {0};
    int place[MAX_AXES], dots = 0, lead, perm[MAX_RANK], n = 0;
    if (!open_groups(p, &open, place, &dots, &lead)) return NULL;
    for (int g = 0; g < p->right.groups; g++) {
        SizeRef size = size_const(1);
        for (int i = 0; g == p->right.dots && i < lead; i++) {
            if (!push(&closed, open.size[dots + i])) return NULL;
            perm[n++] = dots + i;
        }
        if (g == p->right.dots) continue;
        for (int i = 0; i < p->right.n; i++) {
            const Axis *a = &p->right.axis[i];
            if (a->group != g) continue;
            size = size_mul(size, a->size);
            if (a->name) perm[n++] = place[find_axis((Side *)&p->left, a->name) - p->left.axis];
        }
        if (!push(&closed, size)) return NULL;
    }
    Graph *g = low->g;
    return n_reshape(g, n_transpose(g, n_reshape(g, p->x, &open), perm), &closed);
}

Value call_rearrange(Env *e, const Builtin *b, ArgumentList *args, Span whole)
{
    (void)e;
    if (args->n < 2 || args->at[1].value->kind != V_STRING) {
        Diag *d =
            error_at("E0205", whole,
                     "`%s` takes a tensor and a pattern: `rearrange(x, \"a b -> b a\")`", b->name);
        diag_here(d, "%s", "");
        return value_poison();
    }
    Pattern p = {.text = args->at[1].value->text,
                 .span = args->at[1].value->span,
                 .x = value_to_node(args->at[0].value, ELEM_REAL)};
    const char *arrow = strstr(p.text, "->");
    if (!p.x) return value_poison();
    if (!arrow)
        return wrong(&p, 0, (int)strlen(p.text), "a pattern has two sides: `a b -> b a`"),
               value_poison();
    if (!scan_side(&p, &p.left, p.text, arrow) ||
        !scan_side(&p, &p.right, arrow + 2, p.text + strlen(p.text)))
        return value_poison();
    for (int i = 2; i < args->n; i++)
        if (!given_size(&p, &args->at[i])) return value_poison();
    if (!match_left(&p) || !match_right(&p)) return value_poison();
    place_at(whole);
    Node *n = build(&p);
    if (!n)
        return wrong(&p, 0, (int)strlen(p.text), format("more than %d axes", MAX_RANK)),
               value_poison();
    return value_node(n, whole);
}
