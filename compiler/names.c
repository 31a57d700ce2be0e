/* names.c - names for the values of a graph.
 * In: a graph and its roots. Out: a unique name for every value that a reader wants to see by
 * itself: the user's names, d_<name> for adjoints, t1, t2, .. for what is used more than once. A
 * name that several instances of a layer give is told apart by the instance: Dense1_z, Dense2_z;
 * then by a number. */
#include "equations.h"

#include <ctype.h>
#include <string.h>

struct Names {
    int n;                    /* nodes of the graph when the names were given */
    const char **name;        /* by Node.id */
    bool *stands;
    bool *fresh;              /* the name is t and a number */
    const char **taken;       /* an open hash table of interned names */
    int n_taken, n_buckets;
    int n_fresh;
    VEC(const char *) paths;  /* of the parameters, as far as a gradient may be named after them */
};

/* ---- names ---------------------------------------------------------------------------------- */

static const char **name_bucket(Names *m, const char *name)
{
    size_t i = (size_t)(uintptr_t)name >> 4;
    while (m->taken[i % (size_t)m->n_buckets] && m->taken[i % (size_t)m->n_buckets] != name) i++;
    return &m->taken[i % (size_t)m->n_buckets];
}

static void take_name(Names *m, const char *name)
{
    if (2 * m->n_taken >= m->n_buckets) {
        const char **old = m->taken;
        int n_old = m->n_buckets;
        m->n_buckets = n_old ? 2 * n_old : 64;
        m->taken = NEW_N(const char *, m->n_buckets);
        for (int i = 0; i < n_old; i++)
            if (old[i]) *name_bucket(m, old[i]) = old[i];
    }
    const char **b = name_bucket(m, name);
    m->n_taken += !*b;
    *b = name;
}

static const char *unique_name(Names *m, const char *name)
{
    const char *s = intern_str(name);
    for (int i = 2; m->n_buckets && *name_bucket(m, s) == s; i++)
        s = intern_str(format("%s_%d", name, i));
    take_name(m, s);
    return s;
}

static const char *fresh_name(Names *m, int id)
{
    const char *s;
    m->fresh[id] = true;
    do s = intern_str(format("t%d", ++m->n_fresh));
    while (*name_bucket(m, s) == s);
    take_name(m, s);
    return s;
}

const Node *seen(const Node *n)
{
    while (n->op == OP_MARK) n = n->in[0];
    return n;
}

static bool is_leaf(const Node *n)
{
    return op_info[n->op].class == CLASS_LEAF && n->op != OP_DRAW;
}

/* Products with vectors and elements of array literals are built so. */
bool is_vector_view(const Node *n)
{
    if (n->op != OP_RESHAPE) return false;
    const Shape *a = &n->in[0]->type.shape, *b = &n->type.shape;
    const Shape *flat = a->rank < b->rank ? a : b, *other = flat == a ? b : a;
    int kept = 0;
    for (int i = 0; i < other->rank; i++) {
        if (size_is(other->size[i], 1)) continue;
        if (kept == flat->rank || flat->size[kept++] != other->size[i]) return false;
    }
    return flat->rank <= 1;
}

bool is_turned_vector(const Node *n)
{
    if (n->op != OP_RESHAPE || n->type.shape.rank != 2) return false;
    const Shape *a = &n->in[0]->type.shape, *b = &n->type.shape;
    return a->rank == 2 && a->size[0] == b->size[1] && a->size[1] == b->size[0];
}

/* Is n written anew at each use, as it says little beyond its operand? */
static bool is_view(const Node *n)
{
    return n->op == OP_BROADCAST || n->op == OP_MARK || is_vector_view(n) ||
           ((n->op == OP_TRANSPOSE || is_turned_vector(n)) &&
            (is_leaf(seen(n->in[0])) || seen(n->in[0])->name)) ||
           (n->op == OP_CAST && is_leaf(seen(n->in[0])));
}

/* How often each node is written, where views are seen through. */
static int *count_uses(const Graph *g, Node *const *roots, int n_roots)
{
    int *uses = NEW_N(int, g->nodes.n + 1);
    for (int i = 0; i < n_roots; i++)
        if (roots[i]) uses[roots[i]->id]++;
    for (int i = g->nodes.n - 1; i >= 0; i--) {
        const Node *n = g->nodes.at[i];
        for (int k = 0; uses[i] && k < n->n_in; k++) uses[n->in[k]->id] += is_view(n) ? uses[i] : 1;
    }
    return uses;
}

const char *leaf_name(const Node *n)
{
    switch (n->op) {
    case OP_INPUT: return n->name;
    case OP_PARAM:
    case OP_STATE: return ((const Slot *)n->attr.ref)->path;
    default: return NULL;
    }
}

/* ---- paths ---------------------------------------------------------------------------------- */

static bool ends_in_piece(const char *path, const char *piece)
{
    size_t n = strlen(path), k = strlen(piece);
    return n >= k && !strcmp(path + n - k, piece) && (n == k || path[n - k - 1] == '.');
}

/* The shortest end of the path, in whole pieces, that no other of the paths has: Dense1_W. The
 * number of a layer in a stack does not begin it. */
static const char *short_path(const char *path, const char *const *paths, int n)
{
    const char *end = path + strlen(path);
    for (bool shared = true; shared && end > path;) {
        do end--;
        while (end > path && end[-1] != '.');
        shared = isdigit((unsigned char)*end);
        for (int i = 0; i < n && !shared; i++)
            shared = strcmp(paths[i], path) != 0 && ends_in_piece(paths[i], end);
    }
    return underscored(end);
}

const char *gradient_name(Names *m, const char *path)
{
    return format("d_%s", short_path(path, m->paths.at, m->paths.n));
}

typedef VEC(int) IdList;

/* ---- values --------------------------------------------------------------------------------- */

/* The value's name, with the instance before it when other instances give it too. */
static const char *name_in_instance(const char *const *wanted, const char *const *owner,
                                    const IdList *named, int id)
{
    VEC(const char *) owners = {0};
    bool several = false;
    for (int i = 0; i < named->n; i++) {
        int other = named->at[i];
        if (wanted[other] != wanted[id]) continue;
        vec_push(&owners, owner[other]);
        several = several || strcmp(owner[other], owner[id]) != 0;
    }
    if (!several || !*owner[id]) return wanted[id];
    return format("%s_%s", short_path(owner[id], owners.at, owners.n), wanted[id]);
}

/* What the user calls each value. Names with a dot are of gradients by a parameter that is not in
 * the graph any more: d_net.Dense1.b. */
static void find_wanted(Names *m, const Graph *g, const int *uses, const char **wanted,
                        const char **owner)
{
    for (int i = 0; i < m->n; i++) {
        const Node *n = g->nodes.at[i];
        if (!uses[i]) continue;
        if (n->name && !n->adjoint_of) {
            wanted[seen(n)->id] = intern_str(n->name);
            owner[seen(n)->id] = n->owner ? n->owner : "";
        }
        if (n->name && strchr(n->name, '.') && !is_leaf(n)) vec_push(&m->paths, n->name + 2);
        if (n->op == OP_PARAM) vec_push(&m->paths, leaf_name(n));
        if (leaf_name(n)) take_name(m, m->name[i] = intern_str(leaf_name(n)));
    }
}

/* The names of leaves stand as they are; those of other values are made unique in graph order. */
static void name_values(Names *m, const Graph *g, const int *uses, const char **wanted)
{
    IdList named = {0};
    const char **owner = NEW_N(const char *, m->n + 1);
    find_wanted(m, g, uses, wanted, owner);
    for (int i = 0; i < m->n; i++)
        if (uses[i] && wanted[i] && !is_leaf(g->nodes.at[i])) vec_push(&named, i);
    for (int k = 0; k < named.n; k++) {
        int i = named.at[k];
        const char *name = strchr(wanted[i], '.') ? gradient_name(m, wanted[i] + 2)
                                                  : name_in_instance(wanted, owner, &named, i);
        m->name[i] = unique_name(m, name);
    }
}

/* The adjoint of a value is the last of the nodes made for it that have as many elements. */
static void name_adjoints(Names *m, const Graph *g, const int *uses)
{
    int *adjoint = NEW_N(int, m->n + 1);               /* id + 1, by the id of the value */
    for (int i = 0; i < m->n; i++) {
        const Node *n = g->nodes.at[i], *of = n->adjoint_of;
        if (uses[i] && of && !is_leaf(n) && !is_view(n) && !m->name[i] &&
            shape_count(&n->type.shape) == shape_count(&of->type.shape))
            adjoint[seen(of)->id] = i + 1;
    }
    for (int i = 0; i < m->n; i++)
        if (adjoint[i] && m->name[i])
            m->name[adjoint[i] - 1] = unique_name(m, gradient_name(m, m->name[i]));
}

Names *names_of(const Graph *g, Node *const *roots, int n_roots)
{
    Names *m = NEW(Names);
    m->n = g->nodes.n;
    m->name = NEW_N(const char *, m->n + 1);
    m->stands = NEW_N(bool, m->n + 1);
    m->fresh = NEW_N(bool, m->n + 1);
    take_name(m, intern_str("params"));
    int *uses = count_uses(g, roots, n_roots);
    name_values(m, g, uses, NEW_N(const char *, m->n + 1));
    name_adjoints(m, g, uses);
    for (int i = 0; i < m->n; i++) {
        const Node *n = g->nodes.at[i];
        if (!uses[i] || is_leaf(n)) continue;
        bool shared = (uses[i] > 1 && !is_view(n)) || n->op == OP_DRAW || n->op == OP_SCAN;
        if (!m->name[i] && shared)
            m->name[i] = n->op == OP_DRAW ? unique_name(m, "draw") : fresh_name(m, i);
        m->stands[i] = m->name[i] != NULL;
    }
    return m;
}

void names_give(Names *m, const Node *n, const char *name)
{
    if (m->name[n->id] && name && !strcmp(m->name[n->id], name)) return;
    m->fresh[n->id] = false;
    m->name[n->id] = name ? unique_name(m, name) : fresh_name(m, n->id);
    m->stands[n->id] = true;
}

void names_renumber(Names *m, Node *const *order, int n)
{
    m->taken = NULL;
    m->n_taken = m->n_buckets = m->n_fresh = 0;
    take_name(m, intern_str("params"));
    for (int i = 0; i < m->n; i++) {
        if (m->fresh[i]) m->name[i] = NULL;
        if (m->name[i]) take_name(m, m->name[i]);
    }
    for (int i = 0; i < n; i++) {
        int id = order[i]->id;
        if (m->fresh[id] && !m->name[id]) m->name[id] = fresh_name(m, id);
    }
    for (int i = 0; i < m->n; i++)
        if (m->fresh[i] && !m->name[i]) m->name[i] = fresh_name(m, i);
}

const char **names_swap(Names *m, const char **name)
{
    const char **old = m->name;
    m->name = name;
    return old;
}

const char *node_name(Names *m, const Node *n)
{
    n = seen(n);
    return n->id < m->n ? m->name[n->id] : NULL;
}

bool node_stands(Names *m, const Node *n)
{
    return n->id < m->n && m->stands[n->id] && !is_leaf(n);
}
