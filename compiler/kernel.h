/* kernel.h - the loop level: what fuse, schedule, plan and emit hand to each other.
 *
 *     entry -fuse-> kernels -schedule-> kernels in order -plan-> buffers with places -emit-> C
 *
 * A *definition* is a node whose value is computed once, at a place of its own; every other node is
 * written out inside the definitions that use it. A *kernel* is one block of C: a loop nest over
 * several definitions, a call of the runtime's matrix product, and so on. A *buffer* is memory. */
#ifndef NNC_KERNEL_H
#define NNC_KERNEL_H
#include "equations.h"
#include "nnc.h"

/* ---- index.c: where an element is ------------------------------------------------------------ */

/* A loop variable, or a value computed in a loop that is used as an index: 0 <= value < size. */
typedef struct Var {
    const char *name; /* as C text */
    SizeRef size;
    int level; /* loops around its definition, its own loop included */
} Var;

enum { MAX_TERMS = 12 };
/* base + by[0] * var[0] + by[1] * var[1] + ... */
typedef struct Affine {
    int n;
    const Var *var[MAX_TERMS];
    SizeRef by[MAX_TERMS];
    SizeRef base;
} Affine;

/* The index of an element: one number per axis, or one for a run of neighbouring axes that counts
 * through them row by row. run[i] is how many axes at[i] counts through; 0 inside a run. */
typedef struct Index {
    int rank;
    Affine at[MAX_RANK];
    int run[MAX_RANK];
} Index;

Affine affine_const(SizeRef s);
Affine affine_var(const Var *v);
Affine affine_add(Affine a, const Affine *b);
Affine affine_scale(Affine a, SizeRef by);
bool affine_is_var(const Affine *a, const Var *v); /* exactly v */
SizeRef affine_factor(const Affine *a, const Var *v); /* the factor of v; 0 when v is not there */
Affine affine_without(const Affine *a, const Var *v); /* its value where v is 0 */
int affine_level(const Affine *a);                    /* the deepest level of its variables */
const char *affine_text(const Affine *a);             /* "28*i + j + 1" */
bool affine_is_simple(const Affine *a); /* a number or one name: needs no parentheses */

Index index_of_vars(int rank, Var *const *vars);
/* Every axis by itself; divides and takes remainders where a run cannot be split otherwise. */
void index_split(Index *ix, const Shape *s);
/* The number of the element in row-major order. */
Affine index_flat(const Index *ix, const Shape *s);
/* The index of operand k that element ix of n is made from, for every operator where that is one
 * element: maps and views. False for others. */
bool index_operand(const Node *n, int k, const Index *ix, Index *out);
/* The element of the wide side of a window under element ix of the open side. */
void index_window(const Attr *attr, const Shape *open, const Index *ix, Index *out);
/* Is every axis from `from` to before `to` numbered by exactly the variable of that place? */
bool index_is_vars(const Index *ix, int from, int to, Var *const *vars);

/* ---- the parts of a compiled entry ----------------------------------------------------------- */

typedef enum Memory {
    MEM_WORK,  /* in the work area */
    MEM_STACK, /* an array or a scalar of the C function */
    MEM_ROW,   /* an array or a scalar inside the loops over rows of one kernel */
    MEM_INPUT,
    MEM_SLOT,
    MEM_TABLE,
    MEM_OUTPUT
} Memory;

typedef struct Buffer Buffer;
struct Buffer {
    Memory memory;
    Type type;           /* element and shape as declared in C */
    int skip;            /* leading axes of the node that are not stored: one row at a time */
    const char *name;    /* C identifier of a local, an input, a table, an output */
    const char *access;  /* C expression of the array: "h", "m->params.net.W" */
    const Slot *slot;    /* MEM_SLOT, and a member of a set output */
    bool is_scratch;     /* of the runtime */
    bool writable;       /* a slot that is updated */
    bool as_stored;      /* a scalar in the type of memory: pointed to, or returned */
    bool flat;           /* accessed as one row of elements, found while emitting */
    bool used;           /* something reads or writes it, found while emitting */
    long bytes, offset;  /* at the bounds of the dims; the place in the work area */
    int first, last;     /* the kernels, by order, between which it holds a value */
    Buffer *in_place_of; /* shares the place of this buffer, which ends where this one starts */
};
typedef VEC(Buffer *) BufferList;

typedef struct Kernel Kernel;
typedef struct Def Def;
typedef struct Code Code;
typedef struct ReadList ReadList;
typedef VEC(Def *) DefList;
typedef VEC(Kernel *) KernelList;

/* work.c: of one computation of a definition, a kernel, an entry. */
typedef struct Work {
    SizeRef multiplies; /* multiply-adds of products and convolutions */
    SizeRef others;     /* operations on elements, not counting those */
    SizeRef bytes;      /* of arrays read and stored, each once a kernel */
} Work;

/* How a definition is computed. */
typedef enum DefKind {
    DEF_MAP,  /* each element by itself, in a loop over its shape */
    DEF_FOLD, /* accumulated over the axes `reduced` of the domain */
    DEF_ARG,  /* argmax, argmin */
    DEF_GEMM, /* matrix products by the runtime */
    DEF_CONV, /* a convolution or a derivative of one by the runtime */
    DEF_JOIN, /* concat, pad: each part by itself */
    DEF_SCATTER,
    DEF_DRAW,
    DEF_SCAN    /* a loop that calls the function of its step */
} DefKind;

/* band.c: what of a product is computed. */
typedef struct Band {
    enum {
        BAND_ALL,     /* everything */
        BAND_COLUMNS, /* of row i the columns i + lo .. i + hi */
        BAND_TERMS    /* of row i the terms i + lo .. i + hi; others are 0 */
    } of;
    SizeRef lo, hi;
    bool clears; /* other columns are stored as 0, since readers look at them, though in vain */
} Band;

typedef struct Product {
    Node *node, *a, *b; /* the rows of node may be numbered in another way than the sum's */
    Band band;
} Product;

struct Def {
    Node *node;
    DefKind kind;
    int id; /* place in code->defs */
    Kernel *kernel;
    int group;         /* which of the kernel's groups */
    ReadList *reads;   /* for fuse, group and target */
    Buffer *home;      /* NULL: a local of the loop body in which it is computed and used */
    Buffer *parts;     /* of a long sum over rows: the sums of each part of them; else NULL */
    BufferList copies; /* where the value is stored too */
    bool is_store;     /* only stores a value that is known without it: a leaf, a constant */
    /* maps and folds: the loops around one element, and those that are accumulated over */
    Shape domain;
    unsigned reduced;
    int need;        /* a Need, found by fuse */
    bool is_product; /* a fold of a product of two operands: a small matrix product */
    bool by_rows;    /* its domain is [k, m, n] rather than [.., m, n, k] */
    bool in_row;     /* a sum, maximum, dot product of whole rows by the runtime */
    /* DEF_GEMM: act(product + product + .. + bias), then perhaps transposed and reshaped */
    Node *conv; /* DEF_CONV: act(conv + bias) */
    VEC(Product) products;
    Node *transpose; /* NULL: none; keeps the last axis */
    Node *bias;
    Op act; /* OP_COUNT: none */
    Work work;
};

/* A loop over the inner axes of a row (or no loop: inner.rank 0) around several definitions. */
typedef struct Group {
    Shape inner;
    DefList defs;
    bool is_fold; /* one fold that needs loops of its own */
} Group;

struct Kernel {
    int id, order;
    DefKind kind; /* DEF_MAP stands for loops: maps and folds */
    Shape domain; /* of loops: the first n_rows sizes are the outer loops */
    int n_rows;
    long parts; /* into which its outermost loop is cut, each with long sums; 0: it is not */
    DefList defs;
    VEC(Group *) groups;
    unsigned char *after; /* by Kernel.id: kernels that must run before this one */
    Buffer *scratch;      /* of the matrix product or of the step, or NULL */
    Code *step;           /* DEF_SCAN: one step as a function of its own */
    Buffer **state;       /* DEF_SCAN: each state before a step, */
    Buffer **result;      /* and each of the step's results: next states, then emits */
    Work work;
};

/* One entry, or one step of a recurrence, on its way to C. */
struct Code {
    Program *program;
    Entry *entry;
    Graph *g;
    Names *names;
    Def **def_of;       /* by Node.id; NULL: written inside its users */
    Buffer **leaf_of;   /* by Node.id: inputs, slots, tables */
    struct Regions **known; /* by Node.id: parts that a mask has decided, see band.h */
    int kernel_limit;   /* kernels there can be at most */
    const Node *result; /* returned by value; NULL: returns nothing */
    Buffer *result_home;
    DefList defs;
    KernelList kernels; /* after schedule: in the order in which they run */
    BufferList buffers; /* everything in the work area or on the stack */
    BufferList leaves, outputs;
    /* found by plan */
    long work_bytes;  /* the work area */
    long live_bytes;  /* the largest sum of live buffers */
    long *live;       /* that sum for each kernel, in order */
    long stack_bytes; /* estimate: arrays and scalars of the C function */
    Work work;
    double flops; /* at the bounds of the dims */
};

double slot_bytes(const SlotList *slots);
long type_bytes(Type t);          /* at the bounds of the dims */
long shape_upper(const Shape *s); /* elements at the bounds */

/* ---- read.c: what definitions read ----------------------------------------------------------- */

/* The loop variables of a definition, and the index of its value in them. */
typedef struct Frame {
    Var var[MAX_RANK + 1];
    Var *vars[MAX_RANK + 1];
    Index value;
} Frame;

/* Variables for every axis of the domain; levels count from 1. */
void frame_of(const Def *d, Frame *f);
/* The operands of a definition with their index in the frame: calls back for each node that lives
 * in memory or in another definition. `ix` is NULL where it is read as a whole. */
typedef void ReadFn(void *context, const Def *reader, const Frame *f, Node *n, const Index *ix);
void each_read(const Code *c, const Def *d, ReadFn *fn, void *context);
/* The operands of a node that is written inside its user, with their index; a gather reads the row
 * numbered `row`. */
typedef void OperandFn(void *context, Node *n, const Index *ix);
void each_operand(Node *n, const Index *ix, const Affine *row, OperandFn *fn, void *context);
/* Does the kernel of d still need the old contents of memory that holds `old` when d has stored an
 * element there? Reads of exactly the element, and of the same row in earlier groups, are over. */
bool may_overwrite(const Code *c, const Def *d, const Node *old);
/* The elements of both operands in term k of element ix of a matrix product. */
void product_indices(const Node *n, const Index *ix, const Affine *k, Index *a, Index *b);
bool is_leaf_memory(const Node *n); /* INPUT, PARAM, STATE, TABLE */
bool is_view(const Node *n);        /* reads elements of its operand at other indices */
Node *see_through(Node *n);         /* marks, stop_grad and stated derivatives */
/* So few elements that the registers of a processor hold them. */
bool is_tiny(const Shape *s);
/* A product or a fold that is written out term by term: the number of terms, else 0. */
long unrolled_terms(const Node *n);
/* A fold over a few elements for each element of a large array, such as the windows of a pooling.
 * It is a definition, written out in a loop over the elements that stay. */
bool is_window_fold(const Node *n);
/* The elements of the operands in term t of element ix of such a value. */
void term_indices(const Node *n, const Index *ix, long t, Index operands[2]);
bool is_small_product(const Node *n);
bool is_convolution(const Node *n);
/* Is each channel by itself, with a kernel [p, q, channels]? */
bool is_depthwise(const Node *n);
/* The number of groups of channels where they have kernels of their own, else NULL; the axes of
 * image and result, [n, rows, columns, channels], behind that of the groups. */
SizeRef conv_groups(const Node *n);
/* Is n an image of such groups with its axes in another order? */
bool is_of_groups(const Node *n);
Shape conv_image(const Node *n), conv_result(const Node *n);
/* The kernels [maps, channels, p, q] of a convolution, however they lie; [channels, 1, p, q] where
 * each channel is by itself. */
Shape conv_kernel(const Node *n);

/* ---- winograd.c ---- */

/* Is a convolution, or a derivative of one, done by Winograd's algorithm? Its bytes of scratch. */
bool takes_winograd(const Node *n);
long winograd_scratch(const Node *n);

/* A matrix in memory, as the runtime's product reads it: element (i, j) at start + i*ld + j, or
 * when turned at start + i + j*ld. */
typedef struct Matrix {
    Node *base;   /* a definition or a leaf */
    Affine start; /* in the variables of the batch */
    SizeRef ld;
    bool turned;
} Matrix;

/* n as a matrix over its last two axes, `batch` numbering the axes before them. Needs a node for
 * which fuse has made sure that one exists. */
Matrix matrix_of(const Code *c, Node *n, Var *const *batch);
/* The array that n is in another shape, which a convolution reads from its first element on;
 * c: NULL as long as there are no definitions. */
Node *array_of(const Code *c, Node *n);
/* The sizes of the products of d. */
typedef struct ProductSizes {
    SizeRef m, n, k;
} ProductSizes;
ProductSizes product_sizes(const Product *p);
const Shape *product_shape(const Def *d); /* of each product of d */
/* ", only j <= i": columns j or terms k of row i; "" where all are computed. */
const char *band_text(const Def *d);

/* ---- the passes ------------------------------------------------------------------------------ */

/* A step of the pipeline, as `nnc show --after=NAME` knows it. Passes over the graph work on an
 * entry, `room` with a look at the memory that it will take; `start` makes loops of it, and the
 * passes behind work on those. */
typedef struct Pass {
    const char *name;
    void (*graph)(Entry *e);
    void (*room)(Program *p, Entry *e);
    Entry *(*arrange)(Entry *e); /* a copy for the loop level */
    Code *(*start)(Program *p, Entry *e);
    void (*loops)(Code *c);
    const char *help;
} Pass;
extern const Pass passes[]; /* ends with a row without a name */
/* One entry through the passes over the graph, up to and including `last` (NULL: all). */
void graph_passes(Program *p, Entry *e, const char *last);

/* The entry as kernels, in an order that is correct. Needs a simplified entry. */
Code *fuse(Program *p, Entry *e);
/* Lets the entry compute values again rather than keep them, until it fits into options.max_ram. */
void recompute(Program *p, Entry *e);
/* "work area 812 KiB -> 401 KiB, 5 values computed again, arithmetic +18 %" */
const char *recomputed_text(const Entry *e);
/* Orders the kernels so that few bytes are alive at once; places updates. */
void schedule(Code *c);
/* Gives every buffer its place. */
void plan(Code *c);
/* Cuts the loops of kernels that have long sums over their rows; adds buffers for the parts. */
void add_parts(Code *c);
/* Sets the work of the entry, its kernels and their definitions. */
void count_work(Code *c);
Work no_work(void);
SizeRef work_operations(Work w); /* a multiply-add is two */
double work_flops(Work w);       /* the same at the bounds of the dims */
/* The same entry after each of the three, for `nnc show --after=`. */
void dump_kernels(Text *out, const Code *c);
void dump_plan(Text *out, const Code *c);
/* All entries of the program (options.entries: those named), and the initialiser last. */
typedef VEC(Code *) CodeList;
CodeList compile_entries(Program *p);
bool is_chosen(const Entry *e); /* by --entries */
/* One entry through the passes over loops. */
Code *compile_entry(Program *p, Entry *e);

/* ---- step.c: recurrences --------------------------------------------------------------------- */

/* A scan's step through all passes: operands are its inputs, next states and emits its outputs. */
Code *compile_step(Code *of, const Node *scan);
/* Operand k of a scan without states where it is a view of an array: the element of a step, a
 * matrix in it. The base is NULL where sequences are arrays of their own. */
Matrix element_in_place(const Code *c, const Node *scan, int k, Var *step);
/* Buffers for the states of a scan's kernel and the results of its step; needs homes. */
void place_states(Code *c, Kernel *k);
/* The definition of a result of the kernel's recurrence, or NULL: nobody reads it. */
Def *result_def(const Kernel *k, int result);

/* ---- emit*.c, single.c ----------------------------------------------------------------------- */

void emit_program(Program *p, Text *header, Text *source);
/* What --profile adds to the names <model>_..; ends with NULL. */
extern const char *const profile_functions[];
/* The source with the runtime's text pasted in, for --single-file. */
void paste_runtime(Text *out, const Text *source);

/* ---- native.c: run a compiled program -------------------------------------------------------- */

typedef struct Native Native;
/* Emits, compiles with `cc flags` and loads the program. NULL and a message when that fails. */
Native *native_build(Program *p, const char *flags, const char **error);
/* Does this process export the runtime, so that options.own_runtime can be set? */
bool native_has_runtime(void);
/* Runs an entry on the machine's values, which it updates. Results as machine_call gives them. */
bool native_call(Native *n, Machine *m, Entry *e, Tensor *const *args, TensorList *results,
                 const char **error);
/* The initialiser, into the machine's slots. */
bool native_init(Native *n, Machine *m, uint64_t seed, const char **error);
void native_free(Native *n);

#endif
