/* lower_grad.c - grad(L, x) as an expression, and derivatives that the user states.
 * In: a scalar and what to differentiate by: a name, a tuple of names or a parameter set. Out:
 * nodes of the same graph, of the shapes of x. A loss that cannot teach anything is an error that
 * shows where the path ends. */
#include "lower.h"

#include <string.h>

/* ---- names that grad asks for ---- */

static void collect_names(Env *e, const Expr *x)
{
    if (x->kind == EX_NAME) vec_push(&e->targets, x->name);
    for (int i = 0; i < x->list.n; i++) collect_names(e, x->list.at[i]);
}

static void collect_expr(Env *e, const Expr *x)
{
    if (!x) return;
    if (x->kind == EX_GRAD)
        for (int i = 1; i < x->list.n; i++) collect_names(e, x->list.at[i]);
    collect_expr(e, x->a);
    collect_expr(e, x->b);
    collect_expr(e, x->c);
    for (int i = 0; i < x->list.n; i++) collect_expr(e, x->list.at[i]);
}

void collect_targets(Env *e, const StmtList *body)
{
    for (int i = 0; i < body->n; i++) {
        const Stmt *s = body->at[i];
        collect_expr(e, s->value);
        for (int k = 0; k < s->list.n; k++) collect_expr(e, s->list.at[k]);
        collect_targets(e, &s->body);
    }
}

/* A value that grad asks for by name becomes a node of its own: an equal expression elsewhere must
 * not count as the same variable. Inputs and params are such nodes already. */
Value mark_target(const Env *e, const char *name, Value v)
{
    bool wanted = false;
    for (int i = 0; i < e->targets.n; i++) wanted |= e->targets.at[i] == name;
    if (!wanted || v.kind != V_NODE || !elem_is_real(v.node->type.elem)) return v;
    bool entry = e->decl && e->decl->kind == DECL_ENTRY;
    if (entry && v.node->op == OP_INPUT) return v;
    Node *m = n_mark(low->g, v.node);
    m->name = name;
    m->owner = low->owner;
    m->layer = low->layer;
    return value_node(m, v.span);
}

void name_value(Value *v, const char *name, bool lent)
{
    if (v->kind != V_NODE || (v->node->name && (lent || !v->node->name_is_lent))) return;
    switch (v->node->op) {
    case OP_INPUT:
    case OP_PARAM:
    case OP_STATE:
    case OP_CONST: return;
    default:
        v->node->name = name;
        v->node->owner = low->owner;
        v->node->layer = low->layer;
        v->node->name_is_lent = lent;
    }
}

/* ---- reports ---- */

static void not_scalar(const Expr *loss, const Value *v)
{
    Diag *d = error_at("E0401", loss->span, "`grad` needs a single real number, this is %s",
                       value_text(v));
    diag_here(d, "%s", "");
    diag_hint(d, "write `grad(mean(%s), ..)` or `grad(sum(%s), ..)`", span_text(loss->span),
              span_text(loss->span));
}

static const char *node_text(const Node *n)
{
    if (n->op == OP_PARAM || n->op == OP_STATE) return ((const Slot *)n->attr.ref)->path;
    return n->name ? n->name : span_text(n->span);
}

/* The name of the function through which a path goes: `step` of step(z), `floor`, `>`. */
static const char *cut_name(const Node *cut)
{
    if (cut->op == OP_CUSTOM) return ((const Custom *)cut->attr.ref)->decl->name.s;
    return op_info[cut->op].name;
}

static void zero_everywhere(const Expr *x, const char *loss, const char *wrt, bool is_param,
                            const Node *cut)
{
    Diag *d = error_at("E0402", x->span,
                       "the gradient of `%s` with respect to `%s` is zero everywhere", loss, wrt);
    diag_here(d, "learning would never change `%s`", wrt);
    if (!cut) return;
    diag_label(d, cut->span, "every path from `%s` to `%s` goes through `%s`, whose gradient is 0",
               wrt, loss, cut_name(cut));
    const char *out = cut->name ? cut->name : "yhat";
    if (!is_param)
        diag_hint(d, "use a smooth function such as `sigmoid`, or a surrogate: `surrogate (dy) = "
                     "abs(z) <= 1 ? dy : 0;`");
    else
        diag_hint(d,
                  "use a smooth unit (`sigmoid`), the perceptron rule `update %s = %s + lr * (y - "
                  "%s) * x;`,\nor a surrogate: `surrogate (dy) = abs(z) <= 1 ? dy : 0;`",
                  wrt, wrt, out);
}

static void independent(const Expr *x, const char *loss, const char *wrt, const Node *cut)
{
    Diag *d = error_at("E0403", x->span, "`%s` does not depend on `%s`", loss, wrt);
    diag_here(d, "the gradient would be zero");
    if (cut) diag_label(d, cut->span, "the path from `%s` ends here, at `%s`", wrt, cut_name(cut));
}

static void no_derivative(const Expr *x, const char *loss, const char *wrt, const Node *cut)
{
    Diag *d = error_at("E0404", x->span,
                       "`%s` depends on `%s` only through `%s`, which has no derivative", loss, wrt,
                       cut ? cut_name(cut) : "an index");
    diag_here(d, "%s", "");
    if (cut) diag_label(d, cut->span, "`%s` gives an index", cut_name(cut));
    diag_hint(d, "use the values, as in `softmax` or `max`, instead of where they are");
}

static void report_status(const Expr *x, const GradResult *r, const char *loss, const char *wrt,
                          bool is_param)
{
    if (r->status == GRAD_ZERO) zero_everywhere(x, loss, wrt, is_param, r->cut);
    if (r->status == GRAD_INDEPENDENT) independent(x, loss, wrt, r->cut);
    if (r->status == GRAD_NODIFF) no_derivative(x, loss, wrt, r->cut);
}

/* ---- grad(L, x) ---- */

static bool collect_wrt(const Value *v, NodeList *out)
{
    if (v->kind == V_TUPLE) {
        for (int i = 0; i < v->parts.n; i++)
            if (!collect_wrt(&v->parts.at[i], out)) return false;
        return true;
    }
    if (v->kind == V_SET) {
        for (int i = 0; i < v->set.n; i++) vec_push(out, v->set.at[i].node);
        return true;
    }
    if (v->kind == V_NODE && elem_is_real(v->node->type.elem)) {
        vec_push(out, v->node);
        return true;
    }
    Diag *d = error_at("E0401", v->span, "cannot differentiate with respect to %s", value_text(v));
    diag_here(d, "%s", "");
    diag_hint(d, "name a real tensor, a tuple of them, or `params`");
    return false;
}

/* The gradient in the form of x: a tensor, a tuple, a set. */
static Value gradient_value(const Value *x, const GradResult *r, int *next, Span at)
{
    if (x->kind == V_NODE) return value_node(r[(*next)++].d, at);
    Value v = {.kind = x->kind, .span = at};
    if (x->kind == V_TUPLE)
        for (int i = 0; i < x->parts.n; i++)
            vec_push(&v.parts, gradient_value(&x->parts.at[i], r, next, at));
    for (int i = 0; i < x->set.n; i++) {
        Member m = {x->set.at[i].slot, r[(*next)++].d};
        vec_push(&v.set, m);
    }
    return v;
}

/* In a set, members that the loss does not reach get zeros and a warning; a set that it does not
 * reach at all, or reaches only through zero derivatives, is an error. */
static bool set_reached(const Expr *x, const Value *set, const GradResult *r, const char *loss)
{
    int reached = 0;
    for (int i = 0; i < set->set.n; i++) reached += r[i].status != GRAD_INDEPENDENT;
    for (int i = 0; i < set->set.n && low->final_round; i++) {
        if (r[i].status == GRAD_OK) continue;
        if (reached && r[i].status == GRAD_INDEPENDENT) {
            Diag *d =
                warning_at("W0105", x->span, "`%s` does not depend on `%s`: its gradient is zero",
                           loss, set->set.at[i].slot->path);
            diag_here(d, "%s", "");
            diag_label(d, set->set.at[i].slot->span, "declared here");
            diag_hint(d, "name the part that learns: `params(net)`");
            continue;
        }
        report_status(x, &r[i], loss, set->set.at[i].slot->path, true);
        return false;
    }
    return true;
}

static bool all_reached(const Expr *x, const Value *wrt, const GradResult *r, const char *loss)
{
    if (wrt->kind == V_SET) return set_reached(x, wrt, r, loss);
    if (wrt->kind == V_TUPLE) {
        bool ok = true;
        for (int i = 0; i < wrt->parts.n; i++) {
            ok &= all_reached(x, &wrt->parts.at[i], r, loss);
            r += wrt->parts.at[i].kind == V_SET ? wrt->parts.at[i].set.n : 1;
        }
        return ok;
    }
    report_status(x, r, loss, node_text(wrt->node), slot_of_node(wrt->node) != NULL);
    return r->status == GRAD_OK;
}

Value lower_grad(Env *e, const Expr *x)
{
    if (x->list.n != 2) {
        Diag *d = error_at("E0205", x->span,
                           "`grad` takes a loss and what to differentiate by: `grad(L, x)`");
        diag_here(d, "%s", "");
        return value_poison();
    }
    Value loss = lower_expr(e, x->list.at[0]), wrt = lower_expr(e, x->list.at[1]);
    if (loss.kind == V_POISON || wrt.kind == V_POISON) return value_poison();
    if (wrt.kind == V_INSTANCE) wrt = params_value(e, wrt.inst, x->list.at[1]->span);
    Type t;
    if (!value_type(&loss, &t) || t.shape.rank || !elem_is_real(t.elem)) {
        not_scalar(x->list.at[0], &loss);
        return value_poison();
    }
    NodeList xs = {0};
    Node *l = value_to_node(&loss, ELEM_REAL);
    if (wrt.kind == V_POISON || !l || !collect_wrt(&wrt, &xs)) return value_poison();
    GradResult *r = NEW_N(GradResult, xs.n + 1);
    place_at(x->span);
    differentiate(low->g, l, xs.n, xs.at, r);
    if (!all_reached(x, &wrt, r, span_text(x->list.at[0]->span))) return value_poison();
    int next = 0;
    return gradient_value(&wrt, r, &next, x->span);
}

/* ---- stated derivatives ---- */

typedef struct Closure {
    Value f;
    Value values[MAX_ARGS];
    int operand[MAX_ARGS];
} Closure;

/* The function's scope once more, with other nodes for the tensors it was called with. */
static Env *reopen(const Closure *k, Node *const *inputs)
{
    ArgumentList args = {0};
    Env *outer;
    Value values[MAX_ARGS], *v = NEW_N(Value, MAX_ARGS);
    for (int i = 0; i < k->f.decl->formals.n; i++) {
        v[i] = k->operand[i] >= 0 ? value_node(inputs[k->operand[i]], k->values[i].span)
                                  : k->values[i];
        Argument a = {.value = &v[i], .span = k->values[i].span};
        vec_push(&args, a);
    }
    if (!open_call(&k->f, &args, NULL, k->f.span, &outer, values)) return NULL;
    Env *body = env_new(outer, k->f.module, k->f.decl, NULL);
    for (int i = 0; i < k->f.decl->body.n; i++)
        if (k->f.decl->body.at[i]->kind == ST_DEF) lower_def(body, k->f.decl->body.at[i]);
    return body;
}

static bool wrong_shape(const Decl *d, const Formal *f, const Value *v, const Node *x)
{
    Diag *r = error_at("E0405", v->span.src ? v->span : d->gradient.at[0]->span,
                       "the stated gradient for `%s` is %s, `%s` is %s", f->name.s, value_text(v),
                       f->name.s, type_text(x->type));
    diag_here(r, "%s", "");
    diag_hint(r, "a gradient has the shape of what it is the gradient of; sum over the other axes");
    return false;
}

static bool wrong_count(const Decl *d, int need, int have)
{
    Diag *r = error_at("E0405", d->gradient.at[0]->span,
                       "`%s` has %d differentiable input%s, %d gradient%s stated", d->name.s, need,
                       need == 1 ? "" : "s", have, have == 1 ? " is" : "s are");
    diag_here(r, "%s", "");
    diag_hint(r, "give one result for each input, in their order: `grad (dy) = (dx1, dx2);`");
    return false;
}

static bool stated_gradient(const Custom *c, Graph *g, Node *const *inputs, Node *const *results,
                            Node *const *dy, Node **d_inputs)
{
    (void)results;
    const Closure *k = c->closure;
    const Decl *decl = c->decl;
    Graph *old = low->g;
    Span user = low->user_call;
    low->g = g;
    if (g->span.src && !g->span.src->is_std)
        low->user_call = g->span; /* the call, set by the sweep */
    Env *body = reopen(k, inputs), *e = body ? env_new(body, k->f.module, decl, NULL) : NULL;
    Value v = value_poison();
    if (e) {
        for (int i = 0; i < decl->gradient_names.n && i < c->n_results; i++)
            env_set(e, decl->gradient_names.at[i].s,
                    value_node(dy[i], decl->gradient_names.at[i].span),
                    decl->gradient_names.at[i].span);
        v = lower_body(e, &decl->gradient, decl->span);
    }
    int need = 0, next = 0;
    bool ok = v.kind != V_POISON;
    for (int i = 0; i < decl->formals.n; i++)
        need += k->operand[i] >= 0 && elem_is_real(inputs[k->operand[i]]->type.elem);
    int have = v.kind == V_TUPLE ? v.parts.n : 1;
    if (ok && have != need) ok = wrong_count(decl, need, have);
    for (int i = 0; ok && i < decl->formals.n; i++) {
        int at = k->operand[i];
        if (at < 0) continue;
        d_inputs[at] = NULL;
        if (!elem_is_real(inputs[at]->type.elem)) continue;
        Value part = v.kind == V_TUPLE ? v.parts.at[next] : v;
        next++;
        d_inputs[at] = value_to_type(&part, inputs[at]->type);
        if (!d_inputs[at]) ok = wrong_shape(decl, &decl->formals.at[i], &part, inputs[at]);
    }
    low->g = old;
    low->user_call = user;
    return ok;
}

static Custom *custom_new(const Value *f, const Value *values, const Value *result,
                          NodeList *operands)
{
    const Decl *d = f->decl;
    Custom *c = NEW(Custom);
    Closure *k = NEW(Closure);
    k->f = *f;
    for (int i = 0; i < d->formals.n; i++) {
        k->values[i] = values[i];
        k->operand[i] = values[i].kind == V_NODE ? operands->n : -1;
        if (values[i].kind == V_NODE) vec_push(operands, values[i].node);
    }
    *c = (Custom){.decl = d,
                  .n_inputs = operands->n,
                  .is_surrogate = d->is_surrogate,
                  .gradient = stated_gradient,
                  .closure = k};
    c->n_results = result->kind == V_TUPLE ? result->parts.n : 1;
    return c;
}

static bool same_call(const CustomMemo *m, const Decl *d, const NodeList *operands)
{
    if (m->decl != d || m->n != operands->n) return false;
    for (int i = 0; i < m->n; i++)
        if (m->in[i] != operands->at[i]) return false;
    return true;
}

Value stated_call(const Value *f, const Value *values, Value result, Span at)
{
    NodeList operands = {0};
    Custom *c = custom_new(f, values, &result, &operands);
    if (c->n_inputs == 0) return result;
    for (int i = 0; i < c->n_results; i++) {
        Value part = result.kind == V_TUPLE ? result.parts.at[i] : result;
        Node *n = value_to_node(&part, ELEM_REAL);
        if (!n) return value_poison();
        vec_push(&operands, n);
    }
    for (int i = 0; i < low->customs.n; i++)
        if (same_call(&low->customs.at[i], f->decl, &operands)) return low->customs.at[i].result;
    ValueList parts = {0};
    for (int i = 0; i < c->n_results; i++) {
        Attr attr = {.k = i, .ref = c};
        place_at(f->span.src ? f->span : at);
        vec_push(&parts,
                 value_node(graph_node(low->g, OP_CUSTOM, &attr, operands.at[c->n_inputs + i]->type,
                                       operands.n, operands.at),
                            at));
    }
    CustomMemo m = {f->decl, operands.at, operands.n,
                    result.kind == V_TUPLE ? value_tuple(&parts, at) : parts.at[0]};
    vec_push(&low->customs, m);
    return m.result;
}
