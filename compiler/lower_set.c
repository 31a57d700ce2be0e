/* lower_set.c - sets of tensors by parameter: `params`, gradients with respect to them, and what is
 * computed from both. A set is a list in the order of the program's parameters; operations go
 * member by member, so sets of two instances of one layer meet by position. */
#include "lower.h"

#include <string.h>

bool any_set(const Value *args, int n)
{
    for (int i = 0; i < n; i++)
        if (args[i].kind == V_SET) return true;
    return false;
}

static bool under(const char *path, const char *prefix)
{
    size_t n = strlen(prefix);
    return n == 0 || (!strncmp(path, prefix, n) && (path[n] == '.' || path[n] == 0));
}

/* All parameters, or those of one instance. */
Value params_value(Env *e, const Inst *of, Span at)
{
    Value v = {.kind = V_SET, .span = at, .is_params = true};
    if (e->decl && e->decl->kind == DECL_FN && !of) {
        Diag *d = error_at("E0502", at, "a `fn` has no parameters");
        diag_here(d, "%s", "");
        diag_hint(d, "pass them as an argument");
        return value_poison();
    }
    for (int i = 0; i < low->p->params.n; i++) {
        Slot *s = low->p->params.at[i];
        if (of && !under(s->path, of->path)) continue;
        s->is_used = true;
        Value now = memory_value(s, at);
        if (now.kind == V_POISON) return now;
        Member m = {s, now.node};
        vec_push(&v.set, m);
    }
    if (v.set.n == 0 && low->final_round) {
        Diag *d =
            error_at("E0204", at, of ? "`%s` has no parameters" : "the file has no parameters",
                     of ? of->path : "");
        diag_here(d, "%s", "");
        return value_poison();
    }
    return v;
}

static bool sets_agree(const Value *args, int n, Span at, int *count)
{
    *count = -1;
    for (int i = 0; i < n; i++) {
        if (args[i].kind != V_SET) continue;
        if (*count >= 0 && *count != args[i].set.n) {
            if (!low->final_round) return false;
            Diag *d = error_at("E0205", at, "sets of %d and %d parameters do not go together",
                               *count, args[i].set.n);
            diag_here(d, "%s", "");
            diag_hint(d, "only sets of one layer, such as `params(a)` and `grad(L, params(a))`, "
                         "are combined");
            return false;
        }
        *count = args[i].set.n;
    }
    return true;
}

Value set_map(const Value *args, int n, MemberFn *f, void *user, Span at)
{
    int count;
    if (!sets_agree(args, n, at, &count)) return value_poison();
    Value result = {.kind = V_SET, .span = at};
    bool poisoned = false;
    for (int k = 0; k < count; k++) {
        Value one[16];
        const Slot *slot = NULL;
        for (int i = 0; i < n && i < 16; i++) {
            one[i] = args[i];
            if (args[i].kind != V_SET) continue;
            one[i] = value_node(args[i].set.at[k].node, args[i].span);
            if (!slot) slot = args[i].set.at[k].slot;
        }
        Value v = f(one, n, slot, user);
        Node *node = v.kind == V_POISON ? NULL : value_to_node(&v, ELEM_REAL);
        poisoned |= node == NULL;
        Member m = {low->p->params.at[0], node};
        for (int i = 0; i < low->p->params.n; i++)
            if (low->p->params.at[i] == slot) m.slot = low->p->params.at[i];
        vec_push(&result.set, m);
    }
    return poisoned ? value_poison() : result;
}
