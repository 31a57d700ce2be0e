/* nnc.h - the types of the compiler, in the order of the pipeline:
 *
 *     text -> tokens -> tree -> checked tree -> graph -> gradient -> simplified -> kernels -> order
 *     -> memory plan -> C
 *
 * One program is compiled per process run; memory comes from one arena that is freed at the end,
 * so nothing here is ever freed piecemeal. */
#ifndef NNC_H
#define NNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- util.c: memory, strings, growing arrays ------------------------------------------------- */

void *arena_alloc(size_t bytes);                       /* zeroed; lives until arena_release */
void arena_release(void);                              /* frees everything, forgets all names */
/* Calls `forget` when the arena is released: for tables that point into it, once they exist. */
void at_release(void (*forget)(void));
#define NEW(T) ((T *)arena_alloc(sizeof(T)))
#define NEW_N(T, n) ((T *)arena_alloc(sizeof(T) * (size_t)(n)))

const char *intern(const char *s, size_t n);           /* equal strings get equal pointers */
const char *intern_str(const char *s);
const char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  /* in the arena */

/* A growing array: VEC(int) v = {0}; vec_push(&v, 3); v.at[0], v.n */
#define VEC(T) struct { T *at; int n, cap; }
#define vec_push(v, x)                                                \
    ((v)->at = vec_grow((v)->at, (v)->n, &(v)->cap, sizeof *(v)->at), \
     (void)((v)->at[(v)->n++] = (x)))
void *vec_grow(void *at, int n, int *cap, size_t size);
/* qsort, also of an array that has nothing and so no memory. */
#define vec_sort(v, order) vec_sort_all((v)->at, (v)->n, sizeof *(v)->at, order)
void vec_sort_all(void *at, int n, size_t size, int (*order)(const void *, const void *));

/* A text being built; always terminated. */
typedef struct Text { char *s; size_t n, cap; } Text;
void text_add(Text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The last piece of a path: "W" of net.Dense1.W; and the last with what is before it as long as it
 * begins with a number: "stack1.0" of net.stack1.0. */
const char *last_piece(const char *path);
const char *named_end(const char *path);
const char *underscored(const char *path);             /* net_Dense1_W */

/* The known name nearest to `name` (at most a third of it mistyped), or NULL: "did you mean". */
const char *nearest(const char *name, const char *const *known, int count);

/* ---- source.c: texts and places in them ------------------------------------------------------ */

typedef struct Source {
    const char *name;         /* as it is shown: the path given, or std/nn.nn */
    const char *text;         /* ends in NUL (a NUL inside is an error found by the lexer) */
    int length;
    bool is_std;              /* from the library that is embedded in the compiler */
} Source;

/* A range of bytes; src == NULL: nowhere. */
typedef struct Span { const Source *src; int begin, end; } Span;

const Source *source_read(const char *path);           /* "-": standard input; NULL: cannot read */
const Source *source_from_text(const char *name, const char *text, int length);
const Source *source_std(const char *name);            /* "nn" -> std/nn.nn; NULL: there is none */
int span_line(Span s);                                 /* from 1 */
int span_column(Span s);                               /* from 1, in characters */
Span span_join(Span a, Span b);
const char *span_text(Span s);                         /* the covered text, in the arena */
int utf8_bytes(const char *s, int available);          /* of the character at s; 0: it is none */

/* ---- diag.c: errors and warnings ------------------------------------------------------------- */

typedef enum Severity { SEV_ERROR, SEV_WARNING } Severity;
typedef struct Diag Diag;

/* Starts a report at a place; it is printed by diag_flush in the order of the places. The same
 * code at the same place is reported once. After 20 errors the rest is dropped. */
Diag *report(Severity sev, const char *code, Span at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
#define error_at(code, ...) report(SEV_ERROR, code, __VA_ARGS__)
#define warning_at(code, ...) report(SEV_WARNING, code, __VA_ARGS__)
/* The text under the place itself ("" draws carets only), and further labelled places. */
void diag_here(Diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void diag_label(Diag *d, Span at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_note(Diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void diag_hint(Diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int diag_errors(void);                                 /* number of errors so far */
void diag_flush(FILE *to);                             /* prints and forgets the pending reports */
void diag_colour(int mode);                            /* 0 never, 1 always, -1 on a terminal */
void diag_reset(void);                                 /* forgets all; goes with arena_release */

/* explain.c: what can be said about every code, from errors.def. */
typedef struct ErrorInfo {
    const char *code, *title;
    const char *text;         /* why it is an error and what to do; lines of at most 90 columns */
    const char *wrong, *right;/* small programs: one that has the error, the same without it */
} ErrorInfo;
extern const ErrorInfo error_table[];                  /* ends with a row without a code */
const ErrorInfo *error_info(const char *code);         /* NULL: no such code */

/* ---- lex.re, parse.y, tree.c: tokens and the tree -------------------------------------------- */

typedef enum Elem {
    ELEM_REAL, ELEM_F16, ELEM_F32, ELEM_F64, ELEM_I8, ELEM_I32, ELEM_U8, ELEM_BOOL
} Elem;

/* Expressions. What each kind uses of the fields below stands beside it. */
typedef enum ExprKind {
    EX_NAME,        /* name                                                                  */
    EX_NUMBER,      /* num, is_int                                                           */
    EX_STRING,      /* name (the text between the quotes)                                    */
    EX_TRAINING,    /* the word `training`                                                   */
    EX_NEXT,        /* next name                                                             */
    EX_GRAD,        /* grad(list...)                                                         */
    EX_CONVERT,     /* elem(list...)            real(i)                                      */
    EX_TUPLE,       /* (list...), two or more                                                */
    EX_ARRAY,       /* [list...]                                                             */
    EX_CALL,        /* a(list...)                                                            */
    EX_INDEX,       /* a[list...]               index, statics or reduction: check decides   */
    EX_FIELD,       /* a.name                                                                */
    EX_TRANSPOSE,   /* a'                                                                    */
    EX_UNARY,       /* op a                                                                  */
    EX_BINARY,      /* a op b                                                                */
    EX_SELECT,      /* a ? b : c                                                             */
    /* only inside [ ] and ( ) */
    EX_DOTS,        /* ..                                                                    */
    EX_NEW,         /* new                                                                   */
    EX_RANGE,       /* a : b, either may be NULL                                             */
    EX_IN,          /* name in a                                                             */
    EX_NAMED,       /* name = a                                                              */
    EX_ERROR        /* stands where the text was wrong; reported already                     */
} ExprKind;

typedef enum Operator {
    O_PIPE, O_OR, O_AND, O_EQ, O_NE, O_LT, O_GT, O_LE, O_GE, O_ADD, O_SUB, O_MUL, O_DIV, O_MOD,
    O_MATMUL, O_POW, O_NEG, O_NOT
} Operator;
const char *operator_text(Operator o);                 /* "|>", "||", ... */

typedef struct Expr Expr;
typedef VEC(Expr *) ExprList;
struct Expr {
    ExprKind kind;
    Span span;                /* the whole expression */
    Span at;                  /* the name, the operator sign, or the whole */
    const char *name;
    double num;
    bool is_int;              /* a number written without a fraction or an exponent */
    Elem elem;
    Operator op;
    Expr *a, *b, *c;
    ExprList list;
};

typedef struct TypeExpr TypeExpr;
typedef VEC(TypeExpr *) TypeList;
struct TypeExpr {
    Span span;
    bool is_tuple;
    TypeList parts;           /* of a tuple */
    Elem elem;
    ExprList dims;            /* sizes; EX_DOTS for `..` */
};

typedef struct Name { const char *s; Span span; } Name;
typedef VEC(Name) NameList;

typedef struct Formal { Name name; TypeExpr *type; Expr *init; } Formal;    /* NULL: not stated */
typedef VEC(Formal) FormalList;

typedef enum StmtKind {
    ST_DEF,         /* names[0] [: type] = value, or ~ value when is_draw                    */
    ST_TUPLE,       /* names = value                                                         */
    ST_INDEXED,     /* names[0] [ indices ] [: type] = value                                 */
    ST_PARAM,       /* param names[0] : type  = or ~  value                                  */
    ST_STATE,
    ST_SCAN,        /* scan (seqs; inits) { body }                                           */
    ST_NEXT,        /* next names[0] = value                                                 */
    ST_EMIT,        /* emit names[0] = value                                                 */
    ST_UPDATE,      /* update target = value                                                 */
    ST_REQUIRE,     /* require value, text                                                   */
    ST_RETURN,      /* return list                                                           */
    ST_ASSERT,      /* in tests: assert value                                                */
    ST_CHECK_GRAD,  /* in tests: check_grad value                                            */
    ST_REPEAT       /* in tests: repeat (count) value                                        */
} StmtKind;

typedef struct Stmt Stmt;
typedef VEC(Stmt *) StmtList;
typedef struct Binding { Name name; Expr *value; } Binding;                 /* x in xs, h = h0 */
typedef VEC(Binding) BindingList;
struct Stmt {
    StmtKind kind;
    Span span;
    const char *doc;          /* the /// comment above, or NULL */
    NameList names;
    TypeExpr *type;
    bool is_draw;
    ExprList list;            /* indices of ST_INDEXED, results of ST_RETURN */
    Expr *value, *target, *count;
    const char *text;
    BindingList seqs, inits;  /* of a scan */
    StmtList body;            /* of a scan */
};

typedef enum DeclKind {
    DECL_IMPORT,    /* import path or file [as name]: text = "std.optim" or the file's name   */
    DECL_CONST,     /* const name [: type] = value                                            */
    DECL_DIM,       /* dim name [in lo .. hi]: value, value2                                  */
    DECL_FN, DECL_LAYER, DECL_ENTRY,
    DECL_TEST,      /* test text { body }                                                     */
    DECL_STMT       /* a param, state or equation at file level: stmt                         */
} DeclKind;

typedef struct Decl Decl;
struct Decl {
    DeclKind kind;
    Span span;
    const char *doc;
    Name name;
    FormalList statics, formals;
    TypeExpr *type;           /* of the result or the const; may be NULL */
    StmtList body;            /* `= e;` is one ST_RETURN */
    bool is_training;         /* training entry */
    bool has_gradient, is_surrogate;
    NameList gradient_names;  /* dy */
    StmtList gradient;
    Expr *value, *value2;
    const char *text;
    bool is_file;             /* import "file" rather than import a.path */
    Stmt *stmt;
};
typedef VEC(Decl *) DeclList;

/* Parses one text. Errors are reported; what could be understood is returned. */
DeclList parse_source(const Source *src);
Expr *parse_formula(const char *text);                 /* one expression, for the operator table */
void print_expr(Text *out, const Expr *e);             /* as source text, fewest parentheses */
void print_decl(Text *out, const Decl *d);             /* formatted source text */

/* ---- size.c: sizes are polynomials over dims ------------------------------------------------- */

/* A run-time size with its bounds; hi < 0: no bound was stated. */
typedef struct Dim { const char *name; long lo, hi; Span span; int id; } Dim;

/* Hash-consed and in normal form: equal sizes are the same pointer. */
typedef struct Size Size;
typedef const Size *SizeRef;
SizeRef size_const(long v);
SizeRef size_dim(const Dim *d);
SizeRef size_add(SizeRef a, SizeRef b);
SizeRef size_sub(SizeRef a, SizeRef b);
SizeRef size_mul(SizeRef a, SizeRef b);
SizeRef size_div(SizeRef a, SizeRef b);                /* floor division; b is not the constant 0 */
SizeRef size_mod(SizeRef a, SizeRef b);
bool size_is_const(SizeRef s, long *value);            /* value may be NULL */
bool size_is(SizeRef s, long value);
long size_lower(SizeRef s);                            /* an interval that holds every value */
long size_upper(SizeRef s);                            /* LONG_MAX: unbounded */
long size_eval(SizeRef s, const long *dim_values);     /* dim_values by Dim.id */
const char *size_text(SizeRef s);                      /* "2*N + 1": language and C alike */
const char *size_real_text(SizeRef s);                 /* "2.0*N + 1.0": C that does not overflow */
void size_dims(SizeRef s, uint64_t *mask);             /* adds 1 << Dim.id of every dim in s */

enum { MAX_RANK = 8 };
typedef struct Shape { int rank; SizeRef size[MAX_RANK]; } Shape;
typedef struct Type { Elem elem; Shape shape; } Type;

bool shape_equal(const Shape *a, const Shape *b);
SizeRef shape_count(const Shape *s);                   /* product of the sizes */
const char *type_text(Type t);                         /* "real[N, 10]" */
const char *elem_text(Elem e);
long elem_bytes(Elem e);                               /* in C */
bool elem_is_real(Elem e);                             /* real f16 f32 f64: differentiable */
bool elem_is_int(Elem e);                              /* i8 i32 u8 */

/* ---- ops.def, ops.c: the table of operators -------------------------------------------------- */

typedef enum Op {
#define LEAF(id, ...) OP_##id,
#define MAP1(id, ...) OP_##id,
#define MAP2(id, ...) OP_##id,
#define MAP3(id, ...) OP_##id,
#define FOLD(id, ...) OP_##id,
#define PRIM(id, ...) OP_##id,
#include "ops.def"
    OP_COUNT
} Op;

typedef enum OpClass { CLASS_LEAF, CLASS_MAP, CLASS_FOLD, CLASS_PRIM } OpClass;

typedef struct OpInfo {
    const char *id;           /* "TANH" */
    const char *name;         /* "tanh": in the language (where callable), in dumps */
    OpClass class;
    int arity;                /* -1: any number */
    /* maps: the C value in a, b, c, e.g. "nn_tanh(a)"; folds: the step in a (so far), b */
    const char *value;
    const char *derivative[3];/* formulas in a b c y dy; "0": zero everywhere; NULL: NODIFF */
    /* maps: sample operands for tests, "lo..hi" each, away from kinks; folds: the first value */
    const char *domain;
    const char *meaning;
} OpInfo;
extern const OpInfo op_info[OP_COUNT];
Op op_by_name(const char *name);                       /* OP_COUNT: none */
bool op_returns_bool(Op op);

/* ---- graph.c: the static computational graph ------------------------------------------------- */

typedef struct Node Node;
typedef VEC(Node *) NodeList;
typedef struct Graph Graph;
typedef struct Tensor Tensor;
typedef struct Slot Slot;
typedef struct Custom Custom;
typedef struct Scan Scan;

/* Everything that tells two nodes of one operator apart besides operands and type. Unused fields
 * are zero, so that attributes compare as bytes. */
typedef struct Attr {
    double num;               /* CONST: the value */
    /* INPUT: which; DRAW: the site; MARK: serial; CONCAT, IOTA, WINDOW: axis; CUSTOM, SCAN: result;
     * CONV: 1 when the kernel is [p, q, channels, maps] */
    long k;
    /* folds, REVERSE: set of axes (bit i: axis i); BROADCAST: axes of the result that are new;
     * WINDOW, UNWINDOW: how many axes stand for one */
    unsigned axes;
    int draw;                 /* DRAW: a DrawKind */
    /* TRANSPOSE: axis i of the result is axis perm[i] of the operand; WINDOW: factors;
     * CONV: strides of rows and columns, then dilations */
    int perm[MAX_RANK];
    /* SLICE: first index; PAD: zeros put in front, CONV: those of rows and columns;
     * WINDOW: lo[0] is the offset */
    SizeRef lo[MAX_RANK];
    SizeRef size;             /* SIZE: the value; SCAN: how many steps */
    int copy;                 /* not 0: computed again, apart from the first and other copies */
    const void *ref;          /* PARAM, STATE: Slot; TABLE: double[]; CUSTOM: Custom; SCAN: Scan */
} Attr;

typedef enum DrawKind { DRAW_UNIFORM, DRAW_NORMAL, DRAW_ORTHOGONAL } DrawKind;

struct Node {
    Op op;
    int id;                   /* place in g->nodes: operands come before users */
    Type type;
    int n_in;
    Node **in;
    Attr attr;
    Span span;                /* the expression it came from */
    const char *name;         /* the user's name for the value, or NULL */
    const char *owner;        /* the path of the instance in which it got its name, or NULL */
    const char *layer;        /* the layer or function in which it got its name, or NULL */
    bool name_is_lent;        /* by the library: a name in the user's text takes its place */
    const Node *adjoint_of;   /* a gradient: the node it is the adjoint of, or NULL */
    const char *rule;         /* a gradient: the formula it came from, or NULL */
    const Node *again;        /* a copy: the node that has the same value, or NULL */
    Node *wait;               /* a copy: is computed after this node */
    Node *next_hash;
};

struct Graph {
    VEC(Node *) nodes;
    Node **buckets;
    int n_buckets;
    Span span;                /* given to nodes made now */
    const Node *adjoint_of;
    const char *rule;
};

Graph *graph_new(void);
/* The one way to make a node: infers the type (ops.c), finds an equal node, else appends.
 * `type` gives element and shape where the operator does not determine them. */
Node *graph_node(Graph *g, Op op, const Attr *attr, Type type, int n, Node *const *in);

/* Builders. Shapes must already agree, except that map broadcasts scalars. */
Node *n_const(Graph *g, Elem e, double v);                /* a scalar */
Node *n_full(Graph *g, Type t, double v);                 /* a scalar broadcast to t */
Node *n_table(Graph *g, Type t, const double *values);    /* constant array, sizes constant */
Node *n_input(Graph *g, int k, Type t, const char *name);
Node *n_slot(Graph *g, Slot *s);
Node *n_size(Graph *g, Elem e, SizeRef s);                /* a size as a scalar */
Node *n_iota(Graph *g, const Shape *s, int axis);         /* i32: the index along the axis */
Node *n_draw(Graph *g, DrawKind kind, Type t, long site);
Node *n_map1(Graph *g, Op op, Node *a);
Node *n_map2(Graph *g, Op op, Node *a, Node *b);
Node *n_map3(Graph *g, Op op, Node *a, Node *b, Node *c);
Node *n_cast(Graph *g, Elem e, Node *a);
Node *n_mark(Graph *g, Node *a);                          /* the value under a name of its own */
/* Axes of size 1: reshape first. */
Node *n_broadcast(Graph *g, Node *a, const Shape *to, unsigned new_axes);
Node *n_expand(Graph *g, Node *a, const Shape *to);       /* from the right, as NumPy; or NULL */
Node *n_reduce(Graph *g, Op op, Node *a, unsigned axes);
Node *n_matmul(Graph *g, Node *a, Node *b);               /* [B.., m, k] @ [B.., k, n], equal B.. */
Node *n_reshape(Graph *g, Node *a, const Shape *to);
Node *n_transpose(Graph *g, Node *a, const int *perm);
Node *n_swap_last(Graph *g, Node *a);                     /* a' */
Node *n_slice(Graph *g, Node *a, const SizeRef *lo, const Shape *to);
Node *n_pad(Graph *g, Node *a, const SizeRef *lo, const Shape *to); /* zeros around */
Node *n_concat(Graph *g, int axis, int n, Node *const *parts);
Node *n_reverse(Graph *g, Node *a, unsigned axes);
Node *n_gather(Graph *g, Node *table, Node *index);       /* index.shape + table.shape[1..] */
Node *n_scatter_add(Graph *g, Node *index, Node *rows, const Shape *to);

bool node_is_const(const Node *n, double *value);         /* CONST, or a broadcast of one */
void graph_verify(const Graph *g, const char *after);     /* aborts with a message when broken */
/* One equation a line. */
void graph_dump(Text *out, const Graph *g, Node *const *roots, int n_roots);
/* The name of `from`, for a node that has none. */
void name_as(Node *to, const Node *from);
/* All that a reader is told of `from`: its name, its place, its rule; the value that it is the
 * adjoint of is looked up in `map`, by Node.id. */
void note_as(Node *to, const Node *from, Node *const *map);
/* What stands for the operands of n in another graph, by `map`. */
Node **mapped_operands(const Node *n, Node *const *map);
/* n in another graph, with all that a reader is told of it; with another attribute, perhaps. */
Node *node_copy(Graph *to, const Node *n, const Attr *attr, Node *const *map);
void map_roots(Node **roots, int n, Node *const *map);
/* Copies what `roots` reach into a new graph, in order; roots are replaced. */
Graph *graph_copy(const Graph *g, Node **roots, int n_roots);
/* By Node.id: how often the roots and what they need read the node; 0: nobody does. */
int *graph_uses(const Graph *g, Node *const *roots, int n_roots);

/* A derivative that the user stated: y = body(inputs), but d inputs = gradient(inputs, y, dy).
 * CUSTOM nodes have operands (inputs.., results of the body..); attr.k says which result it is. */
struct Custom {
    const Decl *decl;
    int n_inputs, n_results;
    bool is_surrogate;
    /* The gradient lowered for these inputs: one node per input, or NULL where it has none. */
    bool (*gradient)(const Custom *c, Graph *g, Node *const *inputs, Node *const *results,
                     Node *const *dy, Node **d_inputs);
    const void *closure;
};

/* A recurrence: the body runs once for each element of the sequences. SCAN nodes have operands
 * (sequences.., first states.., captured values..); INPUT k of the body is the element, state or
 * value of operand k. Results are the last states, then the emitted sequences. */
typedef struct Moved Moved;
struct Scan {
    Graph *body;
    int n_seqs, n_states, n_captures, n_emits;
    Node **next, **emit;      /* in the body; emit follows next in one array */
    bool reversed;            /* runs from the last element to the first */
    const Moved *const *moved;/* by emit: in which order slices has it stored; NULL: as emitted */
    Scan *wider;              /* the same recurrence with more emits behind the others, or NULL */
};
/* A sequence of matrices is stored as the transpose of what it is in another shape; rows stay. */
struct Moved { Shape shape; int perm[MAX_RANK]; };
/* The result nodes of a recurrence over the same operands as `like`. */
Node *n_scan(Graph *g, const Scan *s, SizeRef steps, int result, int n_in, Node *const *in);
Type scan_type(const Scan *s, SizeRef steps, int result);
bool same_scan(const Node *a, const Node *b);          /* are they results of one recurrence? */

/* scan_build.c: a recurrence put together. Operands stand in the graph around it, `next` (one for
 * each state, in order) and `emit` in scan->body. */
typedef struct ScanBuild {
    Scan *scan;
    NodeList seq, state, capture, next, emit;
} ScanBuild;
ScanBuild scan_build(bool reversed);
/* The element, the state, the value in the body. */
Node *build_seq(ScanBuild *b, Node *seq);
Node *build_state(ScanBuild *b, Node *first);
Node *build_capture(ScanBuild *b, Node *value);
NodeList build_finish(ScanBuild *b);                   /* completes b->scan; operands, in order */
/* n and what it depends on, in another graph; `map` by Node.id holds what is there already. */
Node *copy_into(Graph *to, const Node *n, Node **map);

/* d[i] becomes the derivative for operand i where want[i]; dy by result, NULL where the loss does
 * not use it. Adds to g the recurrence again with what the derivative needs, and the reverse. */
void scan_gradient(Graph *g, Node *scan, Node *const *dy, const bool *want, Node **d);
/* Does computing it again cost less than reading a saved value back? Operands not counted. */
bool is_cheap(const Node *n);
/* Bodies simplified, unused results and operands dropped; roots are replaced. */
Graph *scan_settle(const Graph *g, Node **roots, int n);

/* ---- the program: what lower makes ----------------------------------------------------------- */

/* A param or a state: one array of constant shape. */
struct Slot {
    const char *path;         /* "net.fc1.W" */
    bool is_state;
    Type type;
    Span span;
    const char *doc;
    int id;                   /* place in program->params or program->states */
    const double *values;     /* --weights: a constant, outside those lists; NULL: memory */
    bool is_used;
};
typedef VEC(Slot *) SlotList;

typedef struct Input {
    const char *name;
    Type type;
    Span span;
    bool has_default;
    double init;
} Input;
/* One returned name: a tensor, or a set of tensors shaped like the parameters. */
typedef struct Output {
    const char *name;
    Span span;
    Node *node;               /* NULL: a set */
    SizeRef row;              /* of a step: the distance of rows where they have gaps, or NULL */
    VEC(Node *) set;          /* one per program parameter; NULL where the set has no such member */
} Output;
typedef struct Update { Slot *slot; Node *value; Span span; } Update;

typedef struct Entry {
    const char *name;
    const char *doc;
    const Decl *decl;
    bool is_training;
    Graph *g;
    VEC(const Dim *) dims;    /* in the order in which they first appear in the signature */
    VEC(Input) inputs;
    VEC(Output) outputs;
    VEC(Update) updates;
    bool is_step;             /* no entry of the program but the step of a scan; */
    const struct Regions *const *known; /* then by input what a mask has decided, see band.h */
    /* found after simplify: */
    bool draws, writes, reads;/* has draws; updates slots; reads slots */
    /* found by recompute, when it has changed the entry: */
    int n_again;              /* values that are computed again */
    long work_before, work_after;
    double flops_before, flops_after;
} Entry;

typedef struct Test { const Decl *decl; } Test;

typedef struct Program {
    const char *name;         /* prefix in C */
    const Source *src;
    VEC(Dim *) dims;
    SlotList params, states;
    VEC(Entry *) entries;
    Entry *init;              /* its updates set every slot */
    VEC(const Decl *) tests;
    struct Scope *scope;      /* of the file, for tests */
    bool has_draws;
} Program;

/* ---- options --------------------------------------------------------------------------------- */

/* What happens when data is an index outside its axis: the nearest row, a stop, or anything. */
typedef enum Bounds { BOUNDS_CLAMP, BOUNDS_TRAP, BOUNDS_OFF } Bounds;
typedef struct Define { const char *name; const char *value; bool used; } Define;
typedef struct Options {
    const char *out_dir, *name, *depfile;
    bool f64;                 /* --real f64 */
    Bounds bounds;            /* --bounds */
    bool single_file;
    bool profile;             /* --profile */
    bool direct;              /* --direct: no convolution by Winograd's algorithm */
    bool own_runtime;         /* native.c: nn_* are found in this process or in the flags */
    const char *weights;      /* --weights: a file; NULL: none */
    long max_ram;             /* bytes of parameters, states and work area; 0: any number */
    bool colour_never;
    VEC(Define) defines;      /* -D name=value */
    VEC(const char *) entries;/* --entries a,b; empty: all */
} Options;
extern Options options;

/* ---- check.c, lower*.c: names, shapes, the graph --------------------------------------------- */

typedef struct Module Module;
struct Module {
    const Source *src;
    DeclList decls;
    struct Scope *scope;
};

/* Reads imports, resolves every name. NULL when there were errors. */
Module *check_module(const Source *src);
/* Every entry as a graph, with shapes checked and gradients built. NULL when there were errors. */
Program *lower_module(Module *m, const char *program_name);

/* ---- footprint.c: arrays that no memory holds, requirements on memory ------------------------ */

/* Names the first tensor of an entry that no memory holds. Where there are windows it is known only
 * at the end what is stored. */
void check_memory(Program *p, const Entry *e, bool at_end);
/* Plans the memory of entries where a `require` speaks of it, and reports what does not hold. */
void check_footprint(Program *p);

/* ---- lower_test.c: tests and numerical checks ------------------------------------------------ */

/* How a test runs an entry; results as in machine_call. */
typedef VEC(Tensor *) TensorList;
typedef bool EntryRunner(void *user, Entry *e, Tensor *const *args, TensorList *results,
                         const char **message);
/* A fresh scope for one test; its equations and assertions are evaluated in order, and see the
 * parameters and states as they are then in the machine. */
struct TestEnv;
struct Machine;
struct TestEnv *test_begin(struct Machine *memory, EntryRunner *run, void *user);
bool test_define(struct TestEnv *t, const Stmt *equation);          /* false: reported */
/* The parts of a tuple, or one value. */
bool test_value(struct TestEnv *t, const Expr *x, TensorList *out);
/* The arguments of a call of an entry, for check_grad: false when x is no such call. */
bool test_call(struct TestEnv *t, const Expr *x, Entry **entry, TensorList *args);

/* A fn of the program's file with a stated (not surrogate) derivative, applied to inputs of small
 * sizes: results are CUSTOM nodes of g, inputs INPUT nodes. */
typedef struct Stated {
    const Decl *decl;
    Graph *g;
    int n_inputs, n_results;
    Node **inputs, **results;
} Stated;
typedef VEC(Stated) StatedList;
void stated_functions(Program *p, StatedList *out);

/* ---- grad.c, formula.c: reverse-mode differentiation ----------------------------------------- */

/* Why L has no useful derivative with respect to x. */
typedef enum GradStatus { GRAD_OK, GRAD_ZERO, GRAD_INDEPENDENT, GRAD_NODIFF } GradStatus;
typedef struct GradResult {
    GradStatus status;
    Node *d;                  /* dL/dx, of the shape of x; zeros when status is not GRAD_OK */
    const Node *cut;          /* the node at which every path ends, or NULL */
} GradResult;
/* d `loss` / d x for each x; loss is scalar and real. Adds nodes to g. */
void differentiate(Graph *g, Node *loss, int n, Node *const *x, GradResult *result);
/* A derivative formula as a graph. fwd is the node that is differentiated, dy its adjoint, k the
 * operand to differentiate for; in it a b c are the operands of fwd and y is fwd. A plain number
 * comes back as a scalar. */
Node *formula_build(Graph *g, const Expr *formula, Node *fwd, int k, Node *dy);

/* ---- simplify.c ------------------------------------------------------------------------------ */

void simplify_entry(Entry *e);                         /* replaces e->g and its roots */
/* Results and updates; NULL where a set has no member. */
int gather_roots(const Entry *e, Node ***roots);
void return_roots(Entry *e, Node *const *roots);       /* in the same order, when replaced */
Graph *simplify_roots(const Graph *g, Node **roots, int n); /* the same for any roots */

/* ---- hoist.c --------------------------------------------------------------------------------- */

/* Takes out of recurrences what can be computed for all steps at once; e is simplified again. */
void hoist_entry(Entry *e);

/* ---- layout.c, layout_conv.c: the order of axes in memory ------------------------------------ */

/* The same graph with convolutions, and with channels innermost around them; NULL: it has none, and
 * the roots are as they were. */
Graph *layout_roots(const Graph *g, Node **roots, int n);
/* The same for an entry, which stays as it is: a copy, or e itself where nothing changes. */
Entry *layout(Entry *e);

/* ---- slices.c: parts of the graph that work slice by slice ----------------------------------- */

/* The same entry, where what works on each slice of its leading axes by itself is a recurrence over
 * these; e itself where nothing changes. */
Entry *slices(Entry *e);

/* ---- weights.c: what is computed of --weights once ------------------------------------------- */

/* A copy of an entry behind layout, or e itself where nothing changes. */
Entry *weights(Entry *e);

/* ---- eval.c: the naive interpreter, in double precision -------------------------------------- */

struct Tensor { Elem elem; int rank; long size[MAX_RANK]; long count; double *v; };
Tensor *tensor_new(Elem e, int rank, const long *size);
typedef struct Machine {
    Program *program;
    Tensor **params, **states;/* by Slot.id */
    uint64_t seed, call;
} Machine;
Machine *machine_new(Program *p, uint64_t seed);       /* runs the initialisers, as call 0 */
/* Binds the entry's dims from the shapes of args. On disagreement returns false and a message. */
bool bind_dims(const Entry *e, Tensor *const *args, long *dim_values, const char **message);
/* Runs an entry: results are one tensor per output (a set: one per member, in order); updates are
 * applied afterwards. false and a message when the arguments do not fit. */
bool machine_call(Machine *m, Entry *e, Tensor *const *args, TensorList *results,
                  const char **message);
/* Values of roots without a machine: inputs and slots by the node's attr. */
void eval_roots(const Graph *g, Node *const *roots, int n, const long *dim_values,
                Tensor *const *inputs, Machine *m, Tensor **values);

/* ---- kernel.h holds the loop level: fuse.c schedule.c plan.c emit*.c ------------------------- */

#endif
