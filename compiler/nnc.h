/* nnc.h - the program that is compiled, its options, and the passes over its graphs.
 *
 * The types of the compiler stand in five headers, each of which includes the one before:
 *
 *     common.h    memory, texts, reports
 *     tree.h      text -> tokens -> tree
 *     graph.h     sizes, operators, nodes, recurrences
 *     nnc.h       tree -> checked tree -> graph -> gradient -> simplified -> laid out -> sliced
 *     kernel.h    graph -> kernels -> order -> memory plan -> C */
#ifndef NNC_H
#define NNC_H
#include "graph.h"

/* ---- the program: what lower makes ----------------------------------------------------------- */

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

#endif
