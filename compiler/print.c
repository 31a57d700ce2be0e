/* print.c - the tree as source text. What goes in is a tree; what comes out is text that parses to
 * the same tree, with the fewest parentheses, in the layout of the examples. */
#include "tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How tightly an expression holds together; the grammar's levels. */
enum {
    LEVEL_SELECT,
    LEVEL_PIPE,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_COMPARE,
    LEVEL_ADD,
    LEVEL_MUL,
    LEVEL_UNARY,
    LEVEL_POWER,
    LEVEL_POSTFIX
};

static int operator_level(Operator o)
{
    switch (o) {
    case O_PIPE: return LEVEL_PIPE;
    case O_OR: return LEVEL_OR;
    case O_AND: return LEVEL_AND;
    case O_EQ:
    case O_NE:
    case O_LT:
    case O_GT:
    case O_LE:
    case O_GE: return LEVEL_COMPARE;
    case O_ADD:
    case O_SUB: return LEVEL_ADD;
    case O_MUL:
    case O_DIV:
    case O_MOD:
    case O_MATMUL: return LEVEL_MUL;
    case O_POW: return LEVEL_POWER;
    case O_NEG:
    case O_NOT: return LEVEL_UNARY;
    }
    return LEVEL_POSTFIX;
}

static int expr_level(const Expr *e)
{
    if (e->kind == EX_SELECT) return LEVEL_SELECT;
    if (e->kind == EX_BINARY || e->kind == EX_UNARY) return operator_level(e->op);
    if (e->kind == EX_NUMBER && signbit(e->num)) return LEVEL_UNARY;
    return LEVEL_POSTFIX;
}

/* ---- expressions ---------------------------------------------------------------------------- */

/* The shortest decimal that reads back as the same number, of the same kind. */
static void print_number(Text *out, double v, bool is_int)
{
    char s[40];
    if (is_int) {
        text_add(out, "%.0f", v);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        double back = strtod(s, NULL);
        if (!isfinite(v) || memcmp(&back, &v, sizeof v) == 0) break;
    }
    text_add(out, "%s%s", s, strpbrk(s, ".ein") ? "" : ".0");
}

static void print_at_level(Text *out, const Expr *e, int least)
{
    bool wraps = expr_level(e) < least;
    if (wraps) text_add(out, "(");
    print_expr(out, e);
    if (wraps) text_add(out, ")");
}

static void print_list(Text *out, const char *open, const ExprList *list, const char *close)
{
    text_add(out, "%s", open);
    for (int i = 0; i < list->n; i++) {
        if (i) text_add(out, ", ");
        print_expr(out, list->at[i]);
    }
    text_add(out, "%s", close);
}

/* The exponent may be a signed power: a^-b. */
static void print_power(Text *out, const Expr *e)
{
    const Expr *b = e->b;
    print_at_level(out, e->a, LEVEL_POSTFIX);
    text_add(out, "^");
    if (b->kind == EX_UNARY && b->op == O_NEG) {
        text_add(out, "-");
        print_at_level(out, b->a, LEVEL_POWER);
    } else {
        print_at_level(out, b, LEVEL_POWER);
    }
}

static void print_binary(Text *out, const Expr *e)
{
    int level = operator_level(e->op);
    if (e->op == O_POW) {
        print_power(out, e);
        return;
    }
    print_at_level(out, e->a, level == LEVEL_COMPARE ? level + 1 : level);
    text_add(out, " %s ", operator_text(e->op));
    print_at_level(out, e->b, level + 1);
}

static void print_range(Text *out, const Expr *e)
{
    if (e->a) print_expr(out, e->a);
    text_add(out, ":");
    if (e->b) print_expr(out, e->b);
}

static void print_select(Text *out, const Expr *e)
{
    print_at_level(out, e->a, LEVEL_PIPE);
    text_add(out, " ? ");
    print_expr(out, e->b);
    text_add(out, " : ");
    print_expr(out, e->c);
}

void print_expr(Text *out, const Expr *e)
{
    switch (e->kind) {
    case EX_NAME: text_add(out, "%s", e->name); break;
    case EX_NUMBER: print_number(out, e->num, e->is_int); break;
    case EX_STRING: text_add(out, "\"%s\"", e->name); break;
    case EX_TRAINING: text_add(out, "training"); break;
    case EX_NEXT: text_add(out, "next %s", e->name); break;
    case EX_GRAD: print_list(out, "grad(", &e->list, ")"); break;
    case EX_CONVERT:
        text_add(out, "%s", elem_text(e->elem));
        print_list(out, "(", &e->list, ")");
        break;
    case EX_TUPLE: print_list(out, "(", &e->list, ")"); break;
    case EX_ARRAY: print_list(out, "[", &e->list, "]"); break;
    case EX_CALL:
        print_at_level(out, e->a, LEVEL_POSTFIX);
        print_list(out, "(", &e->list, ")");
        break;
    case EX_INDEX:
        print_at_level(out, e->a, LEVEL_POSTFIX);
        print_list(out, "[", &e->list, "]");
        break;
    case EX_FIELD:
        print_at_level(out, e->a, LEVEL_POSTFIX);
        text_add(out, ".%s", e->name);
        break;
    case EX_TRANSPOSE:
        print_at_level(out, e->a, LEVEL_POSTFIX);
        text_add(out, "'");
        break;
    case EX_UNARY:
        text_add(out, "%s", operator_text(e->op));
        print_at_level(out, e->a, LEVEL_UNARY);
        break;
    case EX_BINARY: print_binary(out, e); break;
    case EX_SELECT: print_select(out, e); break;
    case EX_DOTS: text_add(out, ".."); break;
    case EX_NEW: text_add(out, "new"); break;
    case EX_RANGE: print_range(out, e); break;
    case EX_IN:
    case EX_NAMED:
        text_add(out, "%s %s ", e->name, e->kind == EX_IN ? "in" : "=");
        print_expr(out, e->a);
        break;
    case EX_ERROR: text_add(out, "?"); break;
    }
}

/* ---- types and names ------------------------------------------------------------------------ */

static void print_type(Text *out, const TypeExpr *t)
{
    if (t->is_tuple) {
        for (int i = 0; i < t->parts.n; i++) {
            text_add(out, i ? ", " : "(");
            print_type(out, t->parts.at[i]);
        }
        text_add(out, ")");
        return;
    }
    text_add(out, "%s", elem_text(t->elem));
    if (t->dims.n) print_list(out, "[", &t->dims, "]");
}

static void print_type_given(Text *out, const TypeExpr *t)
{
    if (!t) return;
    text_add(out, ": ");
    print_type(out, t);
}

static void print_names(Text *out, const NameList *names)
{
    for (int i = 0; i < names->n; i++) text_add(out, "%s%s", i ? ", " : "", names->at[i].s);
}

static void print_value(Text *out, const char *sign, const Expr *value)
{
    text_add(out, " %s ", sign);
    print_expr(out, value);
    text_add(out, ";\n");
}

static void print_indent(Text *out, int depth) { text_add(out, "%*s", 2 * depth, ""); }

static void print_doc(Text *out, const char *doc, int depth)
{
    if (!doc) return;
    for (const char *line = doc, *end; line; line = end ? end + 1 : NULL) {
        end = strchr(line, '\n');
        int n = (int)(end ? (size_t)(end - line) : strlen(line));
        print_indent(out, depth);
        text_add(out, n ? "/// %.*s\n" : "///%.*s\n", n, line);
    }
}

/* ---- statements ----------------------------------------------------------------------------- */

static void print_stmt(Text *out, const Stmt *s, int depth);

static void print_block(Text *out, const StmtList *body, int depth)
{
    text_add(out, "{\n");
    for (int i = 0; i < body->n; i++) print_stmt(out, body->at[i], depth + 1);
    print_indent(out, depth);
    text_add(out, "}\n");
}

static void print_bindings(Text *out, const BindingList *list, const char *sign)
{
    for (int i = 0; i < list->n; i++) {
        text_add(out, "%s%s %s ", i ? ", " : "", list->at[i].name.s, sign);
        print_expr(out, list->at[i].value);
    }
}

static void print_scan(Text *out, const Stmt *s, int depth)
{
    text_add(out, "scan (");
    print_bindings(out, &s->seqs, "in");
    text_add(out, "; ");
    print_bindings(out, &s->inits, "=");
    text_add(out, ") ");
    print_block(out, &s->body, depth);
}

static void print_keyword(Text *out, const char *word, const Expr *e)
{
    text_add(out, "%s ", word);
    print_expr(out, e);
}

static void print_stmt(Text *out, const Stmt *s, int depth)
{
    print_doc(out, s->doc, depth);
    print_indent(out, depth);
    switch (s->kind) {
    case ST_PARAM: text_add(out, "param "); break;
    case ST_STATE: text_add(out, "state "); break;
    case ST_NEXT: text_add(out, "next "); break;
    case ST_EMIT: text_add(out, "emit "); break;
    case ST_UPDATE: print_keyword(out, "update", s->target); break;
    case ST_REQUIRE:
        print_keyword(out, "require", s->value);
        text_add(out, ", \"%s\";\n", s->text);
        return;
    case ST_RETURN: print_list(out, "return ", &s->list, ";\n"); return;
    case ST_ASSERT: print_keyword(out, "assert", s->value); break;
    case ST_CHECK_GRAD: print_keyword(out, "check_grad", s->value); break;
    case ST_REPEAT:
        text_add(out, "repeat (");
        print_expr(out, s->count);
        print_keyword(out, ")", s->value);
        break;
    case ST_SCAN: print_scan(out, s, depth); return;
    case ST_DEF:
    case ST_TUPLE:
    case ST_INDEXED: break;
    }
    if (s->kind == ST_ASSERT || s->kind == ST_CHECK_GRAD || s->kind == ST_REPEAT) {
        text_add(out, ";\n");
        return;
    }
    print_names(out, &s->names);
    if (s->kind == ST_INDEXED) print_list(out, "[", &s->list, "]");
    print_type_given(out, s->type);
    print_value(out, s->is_draw ? "~" : "=", s->value);
}

/* ---- items ---------------------------------------------------------------------------------- */

static void print_formals(Text *out, const char *open, const FormalList *list, const char *close)
{
    text_add(out, "%s", open);
    for (int i = 0; i < list->n; i++) {
        const Formal *f = &list->at[i];
        text_add(out, "%s%s", i ? ", " : "", f->name.s);
        print_type_given(out, f->type);
        if (f->init) {
            text_add(out, " = ");
            print_expr(out, f->init);
        }
    }
    text_add(out, "%s", close);
}

/* One return alone is written as `= value;`. */
static void print_body(Text *out, const StmtList *body)
{
    if (body->n == 1 && body->at[0]->kind == ST_RETURN && body->at[0]->list.n == 1) {
        print_value(out, "=", body->at[0]->list.at[0]);
        return;
    }
    text_add(out, " ");
    print_block(out, body, 0);
}

static void print_callable(Text *out, const Decl *d)
{
    const char *word = d->kind == DECL_FN ? "fn" : d->kind == DECL_LAYER ? "layer" : "entry";
    text_add(out, "%s%s %s", d->is_training ? "training " : "", word, d->name.s);
    if (d->statics.n) print_formals(out, "[", &d->statics, "]");
    print_formals(out, "(", &d->formals, ")");
    if (d->type) {
        text_add(out, " -> ");
        print_type(out, d->type);
    }
    print_body(out, &d->body);
    if (!d->has_gradient) return;
    text_add(out, "  %s (", d->is_surrogate ? "surrogate" : "grad");
    print_names(out, &d->gradient_names);
    text_add(out, ")");
    print_body(out, &d->gradient);
}

static void print_import(Text *out, const Decl *d)
{
    text_add(out, d->is_file ? "import \"%s\"" : "import %s", d->text);
    if (d->name.s) text_add(out, " as %s", d->name.s);
    text_add(out, ";\n");
}

static void print_dim(Text *out, const Decl *d)
{
    text_add(out, "dim %s", d->name.s);
    if (d->value) {
        text_add(out, " in ");
        print_expr(out, d->value);
        text_add(out, "..");
        print_expr(out, d->value2);
    }
    text_add(out, ";\n");
}

void print_decl(Text *out, const Decl *d)
{
    if (d->kind != DECL_STMT) print_doc(out, d->doc, 0);
    switch (d->kind) {
    case DECL_IMPORT: print_import(out, d); break;
    case DECL_CONST:
        text_add(out, "const %s", d->name.s);
        print_type_given(out, d->type);
        print_value(out, "=", d->value);
        break;
    case DECL_DIM: print_dim(out, d); break;
    case DECL_FN:
    case DECL_LAYER:
    case DECL_ENTRY: print_callable(out, d); break;
    case DECL_TEST:
        text_add(out, "test \"%s\" ", d->text);
        print_block(out, &d->body, 0);
        break;
    case DECL_STMT: print_stmt(out, d->stmt, 0); break;
    }
}
