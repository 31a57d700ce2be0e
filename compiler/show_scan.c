/* show_scan.c - a recurrence as it would be written in the language. In: a SCAN node. Out: the loop
 * with its sequences, first states, and the equations of its body; a derivative's loop, which runs
 * from the last element to the first, says so. */
#include "kernel.h"
#include "show.h"

#include <string.h>

/* The node of g that is result k of the loop, or NULL. */
static const Node *result_of(const Graph *g, const Node *scan, int k)
{
    for (int i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->attr.k == k && same_scan(g->nodes.at[i], scan)) return g->nodes.at[i];
    return NULL;
}

static const char *operand(Names *m, const Node *n)
{
    Text out = {0};
    node_operand(&out, m, n);
    return out.s;
}

/* What the body calls operand k: its element, the state, or the value from outside. */
static const char *body_name(Names *outer, const Graph *g, const Node *scan, int k)
{
    const Scan *s = scan->attr.ref;
    const char *given = NULL;
    for (int i = 0; i < s->body->nodes.n; i++) {
        const Node *n = s->body->nodes.at[i];
        if (n->op == OP_INPUT && n->attr.k == k) given = n->name;
    }
    if (k >= s->n_seqs + s->n_states) {
        const char *text = operand(outer, scan->in[k]);
        return strchr(text, ' ') ? format("(%s)", text) : text;
    }
    const Node *last = k >= s->n_seqs ? result_of(g, scan, k - s->n_seqs) : NULL;
    if (last && node_name(outer, last)) return node_name(outer, last);
    return given ? given : format(k < s->n_seqs ? "x%d" : "h%d", k + 1);
}

/* Inputs of the body take the names from outside; values without a name differ from those there. */
static Names *body_names(const Scan *s, const char *const *names)
{
    for (int i = 0; i < s->body->nodes.n; i++) {
        Node *n = s->body->nodes.at[i];
        if (n->op == OP_INPUT) n->name = names[n->attr.k];
    }
    Names *m = names_of(s->body, s->next, s->n_states + s->n_emits);
    for (int i = 0, fresh = 0; i < s->body->nodes.n; i++) {
        const Node *n = s->body->nodes.at[i];
        if (node_stands(m, n) && !n->name) names_give(m, n, format("s%d", ++fresh));
    }
    return m;
}

static void show_head(Text *out, Names *m, const Node *scan, const char *const *names)
{
    const Scan *s = scan->attr.ref;
    Text head = {0};
    text_add(&head, "%sscan (", s->reversed ? "reverse " : "");
    for (int k = 0; k < s->n_seqs + s->n_states; k++) {
        const char *sep = k == s->n_seqs ? "; " : k ? ", " : "";
        text_add(&head, k < s->n_seqs ? "%s%s in %s" : "%s%s = %s", sep, names[k],
                 operand(m, scan->in[k]));
    }
    text_add(&head, ") {");
    show_line(out, head.s, NULL);
}

void show_scan(Text *out, Names *m, const Graph *g, const Node *scan)
{
    const Scan *s = scan->attr.ref;
    int n = s->n_seqs + s->n_states + s->n_captures;
    const char **names = NEW_N(const char *, n + 1);
    for (int k = 0; k < n; k++) names[k] = body_name(m, g, scan, k);
    show_head(out, m, scan, names);
    Names *inner = body_names(s, names);
    for (int i = 0; i < s->body->nodes.n; i++) {
        const Node *b = s->body->nodes.at[i];
        Text equation = {0};
        if (!node_stands(inner, b) || b->op == OP_MARK) continue;
        node_equation(&equation, inner, b);
        show_line(out, format("  %s", equation.s), type_text(b->type));
    }
    for (int k = 0; k < s->n_states + s->n_emits; k++) {
        const Node *result = result_of(g, scan, k);
        const char *name = k < s->n_states ? names[s->n_seqs + k]
                                           : result ? node_name(m, result) : NULL;
        if (!name) continue;
        const char *word = k < s->n_states ? "next" : "emit";
        show_line(out, format("  %s %s = %s", word, name, operand(inner, s->next[k])),
                  result ? type_text(result->type) : NULL);
    }
    show_line(out, "}", NULL);
}
