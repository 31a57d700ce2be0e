/* graph.h - sizes, types, operators, and the graph that the passes work on. */
#ifndef NNC_GRAPH_H
#define NNC_GRAPH_H
#include "tree.h"

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

#endif
