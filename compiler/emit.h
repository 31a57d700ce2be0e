/* emit.h - what the emitting files share: the C text of one entry while it is being written. */
#ifndef NNC_EMIT_H
#define NNC_EMIT_H
#include "kernel.h"

typedef VEC(const char *) Lines;

/* C expressions, by how tightly they bind. */
enum { C_COND, C_OR, C_AND, C_EQUAL, C_ORDER, C_SUM, C_PRODUCT, C_UNARY, C_PRIMARY };
typedef struct Frag {
    const char *s;
    int by;
    int level; /* the innermost loop it depends on */
} Frag;

/* A name for a value at an index, valid in the loop body (and inside) where it was declared. */
typedef struct Memo {
    const char *key, *name;
} Memo;
typedef struct Count {
    const char *key;
    int n;
} Count;

/* One loop body; scope 0 is the kernel outside its loops. */
typedef struct Scope {
    Var var; /* of the loop */
    bool is_part; /* it runs through the rows of a part */
    Lines lines;
    int statements;
    bool declares;
    SizeRef passes; /* of the innermost loops in one pass of this one; NULL: it is innermost */
    VEC(Memo) memos;
} Scope;

typedef struct Identifiers {
    Lines taken;
} Identifiers;

enum { MAX_LEVEL = 2 * MAX_RANK + 2 };

typedef struct Emit {
    Code *c;
    Identifiers *ids;    /* of the C function */
    const char **c_name; /* by Node.id: names of values as C identifiers */
    int *number;         /* by Node.id: the equation's number; 0: none */
    int *store_number;   /* by Def.id, of definitions that only store */
    bool *given;         /* by Node.id: the name is not the user's */
    bool *noted;         /* by Node.id: stands above a kernel already */
    const struct Routine *bare; /* whose equations are written, without numbers, shapes, places */
    bool is_brief;       /* a value that is stored is called what it is stored as */
    bool is_profiled;    /* --profile measures its kernels */
    Scope scope[MAX_LEVEL];
    int depth;
    int row_level;         /* depth inside the loops over rows */
    VEC(Count) counts;     /* how often values occur in the statements being written */
    Lines kept;            /* stores of the pass being written, which come last in it */
    const Kernel *k;       /* being written */
    VEC(Buffer *) scalars; /* MEM_STACK scalars: declared before everything */
    double cost;           /* of the loop being written, in nanoseconds; 0: that of copying */
    bool in_part;             /* of a kernel that is cut: what is written is a part of its loop, */
    const char *part;         /* of this number, */
    Scope whole;              /* behind what stands here, */
    Buffer **sums;            /* with these sums, by the place of the definition in the kernel */
    int n_loops;              /* of the kernel that can be shared, so far */
    struct Sketch *sketch;    /* being written instead of the kernel itself, or NULL */
    struct Sketch **sketches; /* by Kernel.order */
    int flat_rank;            /* one loop goes through all elements of arrays of that rank; or 0 */
} Emit;

/* ---- emit_name.c ---- */

const char *c_identifier(const char *name); /* Theta1, net_fc1_W; keywords get a _ */
/* The type of the model: its name, or xor_model where C++ does not have that name. */
const char *c_model(const Program *p);
const char *c_unique(Identifiers *ids, const char *wanted);
bool c_is_taken(const Identifiers *ids, const char *name);
const char *c_type(Elem e);       /* float, int32_t, ... */
const char *c_value_type(Elem e); /* of a local: bool is int */
const char *c_number(Elem e, double v);
const char *c_path(const char *path); /* net.fc1.W, pieces that are no C names changed */
const char *c_slot(const Slot *s);         /* its path in the struct of parameters or states */
const char *c_upper(const char *name);
const char *c_size(SizeRef s);     /* with named constants */
void name_sizes(const Program *p); /* the names c_size uses */
void reserve_sizes(Identifiers *ids);
void print_size_names(Text *out, const char *used_in);
bool has_word(const char *text, const char *word);
void wrap_lines(Text *out, const char *line, int indent);

/* ---- emit_constant.c ---- */

/* C names for the weights that the entries read, and the array of one of them. */
void name_constants(const Program *p, const CodeList *codes);
const char *c_constant(const Slot *s);
/* Every constant array that is used. */
void print_constants(Text *out, const CodeList *codes);

/* ---- emit_text.c ---- */

Buffer *memory_of(const Code *c, const Node *n);
const char *element_text(Buffer *b, const Shape *s, const Index *ix);
/* A pointer to the element. */
const char *pointer_text(Buffer *b, const Shape *s, const Index *ix);
const char *array_text(Buffer *b, const Affine *start); /* from element number `start` on */
const char *with(Frag f, int by); /* in parentheses when it binds less than `by` */
const char *c_suffix(Elem e);     /* of the runtime's functions: "", "_d", "_i" */
/* The C value of the operator table with its operands a, b, c written in; functions get the suffix
 * of their element type. */
Frag apply_template(const char *value, Elem elem, const Frag *operands);
const char *stored_half(Frag f); /* a value of half precision as it is stored */

/* ---- emit_expr.c ---- */

Frag value_of(Emit *e, Node *n, const Index *ix);
/* The operation of n itself, even when n has a name. */
Frag operation_of(Emit *e, Node *n, const Index *ix);
/* An operand behind the first of a template, which C may skip where that has ?, && or ||. */
Frag later_operand(Emit *e, const char *value, Elem elem, Frag f);
void count_values(Emit *e, Node *n, const Index *ix);
/* Names for values at an index, as long as the loop body is open. */
const char *value_key(const Node *n, const Index *ix);
void remember(Emit *e, int level, const char *key, const char *name);
const char *local_name(Emit *e, const Node *n);
const char *recall(const Emit *e, const char *key); /* NULL: no such name is open */

/* ---- emit_bounds.c ---- */

/* Element `at` of `index` as a variable that numbers one of the rows; `place` is blamed. */
const Var *picked_row(Emit *e, Node *index, const Index *at, SizeRef rows, Span place);

/* ---- emit_loop.c ---- */

void open_loop(Emit *e, SizeRef size);
/* Of the same size; independent: the passes of the loop may run in any order or at once. */
void close_loop(Emit *e, SizeRef size, bool independent);
void add_line(Emit *e, int level, const char *line); /* a statement */
void add_declaration(Emit *e, int level, const char *line);
void emit_loops(Emit *e);
const char *fold_first(const Node *n); /* what an empty fold gives, as C text */
/* target = step(target, f); b: where the target is, NULL for a local. */
void step(Emit *e, const Node *n, const char *target, const Buffer *b, Frag f);
void store(Emit *e, Buffer *b, const Shape *s, const Index *ix, Frag f);
/* Stores the value at its home and wherever else it goes. */
void store_all(Emit *e, const Def *d, const Index *ix, Frag f);
/* Sets the elements of n's value in b; the loops over the first `skip` axes are open. */
void fill(Emit *e, Buffer *b, const Node *n, int skip, const char *value);
/* The index of the first `rank` axes of s, whose loops are the ones that are open. */
Index open_index(Emit *e, const Shape *s, int rank);

/* ---- emit_fold.c ---- */

bool is_over_rows(const Kernel *k, const Def *d); /* accumulated over the outer loops */
Index value_index(Emit *e, const Def *d);         /* of the fold's value in the open loops */
Frag element_of(Emit *e, const Def *d);           /* what is accumulated */
void count_element(Emit *e, const Def *d);
void emit_fold(Emit *e, const Def *d);
void emit_arg(Emit *e, const Def *d);

/* ---- emit_call.c ---- */

void emit_gemm(Emit *e, const Def *d);
void emit_conv(Emit *e, const Def *d);
void emit_join(Emit *e, const Def *d);
void emit_scatter(Emit *e, const Def *d);
void emit_unwindow(Emit *e, const Def *d);
void emit_draw(Emit *e, const Def *d);
void store_copies(Emit *e, const Def *d, int skip);

/* ---- emit_scan.c ---- */

void emit_scan(Emit *e, const Kernel *k);
/* Do the steps of a recurrence not depend on each other, so that threads may share them? */
bool has_own_steps(const Kernel *k);
/* A line of the sketch of such steps, with the types of the arguments, once the step is written. */
const char *with_argument_types(const Emit *e, const Kernel *k, const char *line);

/* ---- emit_share.c ---- */

/* The outermost loop, with independent passes, as a function of its own that threads may share, and
 * the call of it as a statement of the kernel. False: it is not worth it, or not possible. `pragma`
 * stands above the loop, or is NULL. */
bool share_loop(Emit *e, const Scope *s, SizeRef size, const char *pragma);

/* The nanoseconds of one pass as C text; is the loop worth several threads? */
const char *share_cost(const Emit *e, const Scope *s, SizeRef size, bool *worth);

/* ---- emit_parts.c ---- */

/* In front of and behind the loops over rows of a kernel that is cut into parts. */
void begin_part(Emit *e);
void end_part(Emit *e);
/* The head of the loop over the rows of a part. */
const char *part_head(const Emit *e, const Scope *s, SizeRef size);
/* What a sum over rows is added up in. */
Buffer *sum_of(const Emit *e, const Def *d);

/* ---- outline.c ---- */

/* The routines that kernels call; `functions` are the names of all functions. */
void find_routines(Emit **emits, int n, Identifiers *functions);
/* While a kernel is written with holes: an outermost loop, and a local for the value. */
bool sketch_loop(Emit *e, const Scope *loop, SizeRef size, const char *pragma);
const char *sketch_local(Emit *e, const Node *n, bool is_element);

/* ---- emit_note.c ---- */

/* The number of an equation, or of a definition that only stores. */
int number_of(const Emit *e, const Def *d);
/* Gives every definition a name and every equation a number, in the order of the kernels. */
void number_equations(Emit *e);
/* The equations of the entry, and its work area, as lines of a comment. */
void print_equations(Text *out, Emit *e);
void print_work(Text *out, Emit *e);
/* Of a kernel: the numbers, the equation with most work and where that stands in the source. */
typedef struct KernelEquations {
    int first, last;
    const char *equation, *place;
} KernelEquations;
KernelEquations kernel_equations(Emit *e, const Kernel *k);
/* The comment above a kernel. */
void print_kernel_note(Text *out, Emit *e, const Kernel *k);
/* Of one that is a call: the numbers, and what it ends with. */
void print_call_note(Text *out, Emit *e, const Kernel *k);
/* The equations of a routine: names of values are its own. */
void print_routine_equations(Text *out, const struct Routine *r, const char *margin);

/* ---- emit_entry.c ---- */

Emit *new_emit(Code *c);
/* The initialiser sets everything to 0 at once: it does not write such a kernel. */
bool is_zero_already(const Emit *e, const Kernel *k);
/* The statements of the kernel into e->scope[0]. */
void write_kernel(Emit *e, const Kernel *k);
void print_function(Text *out, Emit *e);
/* "const float (*x)[784]": a pointer to rows, or to elements; `qualifier` is before the name. */
const char *pointer_declaration(const Buffer *b, const char *name, const char *qualifier);
const char *scalar_type(const Buffer *b); /* of one on the stack */
void declare_array(Text *out, const Buffer *b);
/* Arguments of the entry's function: "const float (*NN_RESTRICT x)[784]" with that qualifier. */
typedef struct Signature Signature;
const char *input_declaration(const Code *c, const Signature *s, int i, const char *qualifier);
const char *output_declaration(const Code *c, const Signature *s, int i, const char *qualifier);
/* The array behind an argument, NULL when nothing reads it (or the output is a set). */
Buffer *leaf_buffer(const Code *c, Memory memory, const char *access);
Buffer *output_buffer(const Code *c, const char *access);

/* ---- emit_profile.c ---- */

typedef struct ProfileRow {
    Emit *e;
    const Kernel *k;
    int inside; /* the row of the recurrence whose step it is in; -1: none */
} ProfileRow;
typedef VEC(ProfileRow) ProfileRows;
/* A row for each kernel that --profile measures; marks what holds them. */
ProfileRows profile_rows(Emit **emits, const CodeList *codes);
/* The lines before and behind a kernel. */
void print_start(Text *out, Emit *e, const Kernel *k);
void print_stop(Text *out, Emit *e, const Kernel *k);
void print_profile_table(Text *out, const ProfileRows *rows);
void print_profile_functions(Text *out, const Program *p, const ProfileRows *rows);
void declare_profile(Text *out, const Program *p, const ProfileRows *rows); /* in the header */

/* ---- emit_help.c ---- */

/* Small functions that `functions` calls and the runtime does not have. */
void print_helpers(Text *out, const char *functions);

/* ---- emit_header.c ---- */

/* The C interface of an entry. */
struct Signature {
    bool has_model, model_is_const;
    const char *returns;   /* C type; "void" */
    Lines inputs, outputs; /* names of the arguments */
    Identifiers ids;       /* all of them */
};
Signature signature_of(const Program *p, const Entry *e);
/* "float mnist_train(mnist *m, int N, ..., void *work)" */
const char *prototype(const Program *p, const Entry *e);
bool program_has_model(const Program *p);
void emit_header(Text *out, const Program *p, const CodeList *codes, const ProfileRows *rows);

#endif
