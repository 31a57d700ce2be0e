/* show_graph.c - the computational graph as a drawing. In: every value of an entry, perhaps with
 * numbers. Out: text for Graphviz: variables are boxes, operators circles, and the data flow from
 * left to right. With numbers each edge carries the value above and the gradient below it. */
#include "show.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const char head[] =
    "digraph %s {\n"
    "  rankdir=LR; bgcolor=white; nodesep=0.35; ranksep=0.45;\n"
    "  node [fontname=\"Helvetica\", fontsize=13, color=\"#4a5568\", penwidth=1.2];\n"
    "  edge [color=\"#4a5568\", arrowsize=0.7, penwidth=1.1];\n";
static const char tight[] = "shape=plaintext, width=0, height=0, margin=0.02";
static const char value_colour[] = "#1a7f37", adjoint_colour[] = "#c0262d";

/* Text inside an HTML-like label. */
static const char *escaped(const char *s)
{
    Text out = {0};
    for (; *s; s++) {
        if (*s == '&') text_add(&out, "&amp;");
        else if (*s == '<') text_add(&out, "&lt;");
        else if (*s == '>') text_add(&out, "&gt;");
        else if (*s == '"') text_add(&out, "&quot;");
        else text_add(&out, "%c", *s);
    }
    return out.s ? out.s : "";
}

static bool is_variable(const Node *n)
{
    return n->op == OP_INPUT || n->op == OP_PARAM || n->op == OP_STATE;
}

/* Does the node only change how its operand is seen? Then users point at the operand. */
static const Node *drawn(const Node *n)
{
    while (n->op == OP_MARK || n->op == OP_BROADCAST || is_vector_view(n)) n = n->in[0];
    return n;
}

/* What stands in the circle: "+", "tanh", a number. */
static const char *sign_of(const Node *n)
{
    static const struct { Op op; const char *sign; } signs[] = {
        {OP_ADD, "+"}, {OP_SUB, "−"}, {OP_MUL, "×"}, {OP_DIV, "÷"}, {OP_NEG, "−"},
        {OP_POW, "^"}, {OP_MATMUL, "@"}, {OP_LT, "<"}, {OP_LE, "≤"}, {OP_EQ, "="}, {OP_NE, "≠"},
        {OP_AND, "∧"}, {OP_OR, "∨"}, {OP_NOT, "¬"}, {OP_SUM, "Σ"}, {OP_PROD, "Π"},
        {OP_MAXOF, "max"}, {OP_MINOF, "min"}, {OP_WHERE, "? :"},
    };
    Text out = {0};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (signs[i].op == n->op) return signs[i].sign;
    if (n->op == OP_CONST) number_text(&out, n->type.elem, n->attr.num);
    else if (n->op == OP_SIZE) text_add(&out, "%s", size_text(n->attr.size));
    else if (n->op == OP_CUSTOM) text_add(&out, "%s", ((const Custom *)n->attr.ref)->decl->name.s);
    else if (n->op == OP_CAST) text_add(&out, "%s", elem_text(n->type.elem));
    else text_add(&out, "%s", op_info[n->op].name);
    return out.s;
}

static void draw_node(Text *out, const Item *item, const Node *result)
{
    const Node *n = item->value;
    const char *name = item->name ? escaped(item->name) : NULL;
    if (is_variable(n)) {
        text_add(out, "  n%d [shape=box, style=\"rounded,filled\", fillcolor=\"%s\", ", n->id,
                 n->op == OP_INPUT ? "#dbeafe" : "#fef3c7");
        text_add(out, "label=<<B>%s</B>", name ? name : "");
        if (n->type.shape.rank)
            text_add(out, "<BR/><FONT POINT-SIZE=\"10\">%s</FONT>", escaped(type_text(n->type)));
        text_add(out, ">];\n");
    } else if (op_info[n->op].class == CLASS_LEAF && n->op != OP_DRAW) {
        text_add(out, "  n%d [%s, label=< %s >];\n", n->id, tight, escaped(sign_of(n)));
    } else {
        bool wide = strlen(sign_of(n)) > 3;
        text_add(out, "  n%d [%s, height=0.45, label=<%s>", n->id,
                 wide ? "shape=ellipse, margin=\"0.02,0.02\"" : "shape=circle, fixedsize=true",
                 escaped(sign_of(n)));
        if (name && n != result) text_add(out, ", xlabel=<<I>%s</I>>", name);
        text_add(out, "];\n");
    }
}

/* The middle of an edge: value, a line, gradient; or the type of an array. */
static bool draw_label(Text *out, const Item *item)
{
    const Node *n = item->value;
    if (item->v) {
        text_add(out, "  e%d [%s, label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" "
                 "CELLSPACING=\"0\" CELLPADDING=\"2\">", n->id, tight);
        text_add(out, "<TR><TD><FONT COLOR=\"%s\">%s</FONT></TD></TR><HR/>", value_colour,
                 escaped(brief(item->v, 24)));
        text_add(out, "<TR><TD><FONT COLOR=\"%s\">%s</FONT></TD></TR></TABLE>>];\n",
                 adjoint_colour, item->d ? escaped(brief(item->d, 24)) : " ");
        return true;
    }
    if (!n->type.shape.rank || is_variable(n)) return false;
    text_add(out, "  e%d [%s, fontsize=10, fontcolor=\"#718096\", label=< %s >];\n", n->id, tight,
             escaped(type_text(n->type)));
    return true;
}

/* In a graph of single numbers the inputs stand in one column at the left. */
static void draw_column(Text *out, const Study *s)
{
    for (int i = 0; i < s->items.n; i++)
        if (s->items.at[i].value->type.shape.rank) return;
    const char *arrow = "";
    text_add(out, "  {rank=same; edge [style=invis]; ");
    for (int i = 0; i < s->items.n; i++) {
        if (!is_variable(s->items.at[i].value)) continue;
        text_add(out, "%sn%d", arrow, s->items.at[i].value->id);
        arrow = " -> ";
    }
    text_add(out, "}\n");
}

void show_dot(Text *out, const Study *s)
{
    bool *labelled = NEW_N(bool, s->g->nodes.n + 1);
    text_add(out, head, s->entry->name);
    for (int i = 0; i < s->items.n; i++) {
        const Item *item = &s->items.at[i];
        const Node *n = item->value;
        if (drawn(n) != n) continue;
        draw_node(out, item, s->result);
        bool number = op_info[n->op].class == CLASS_LEAF && !is_variable(n);
        if (number || !(labelled[n->id] = draw_label(out, item))) continue;
        text_add(out, "  n%d -> e%d [arrowhead=none, weight=4];\n", n->id, n->id);
    }
    for (int i = 0; i < s->items.n; i++) {
        const Node *n = s->items.at[i].value;
        for (int k = 0; drawn(n) == n && k < n->n_in; k++) {
            const Node *a = drawn(n->in[k]);
            text_add(out, "  %s%d -> n%d;\n", labelled[a->id] ? "e" : "n", a->id, n->id);
        }
    }
    draw_column(out, s);
    const Node *last = drawn(s->result);
    text_add(out, "  result [shape=box, style=\"rounded,filled\", fillcolor=\"#dcfce7\", "
             "label=<<B>%s</B>>];\n  %s%d -> result;\n}\n", escaped(s->result_name),
             labelled[last->id] ? "e" : "n", last->id);
}

/* Graphviz writes to our standard output itself. */
int show_svg(const Text *dot)
{
    fflush(stdout);
    signal(SIGPIPE, SIG_IGN);
    FILE *f = popen("command -v dot >/dev/null 2>&1 || exit 127; exec dot -Tsvg", "w");
    if (!f) {
        fprintf(stderr, "nnc: cannot start a process: %s\n", strerror(errno));
        return EXIT_IO;
    }
    fwrite(dot->s, 1, dot->n, f);
    int status = pclose(f), code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    if (code == 127)
        fputs("nnc: drawing needs the program `dot`, which is not installed\n"
              "hint: install graphviz, or use --graph=dot and draw elsewhere\n", stderr);
    else if (code) fputs("nnc: `dot` could not draw the graph\n", stderr);
    return code ? EXIT_IO : EXIT_OK;
}
