/* lower.h - what check and the lower_*.c files share: scopes, values, instances, the state.
 *
 * Lowering is an abstract interpretation of the tree: an expression becomes a Value, which is a
 * number that is known now, a node of the graph, or a thing such as a layer or a set. Functions and
 * layers are inlined at every call, so all shapes are concrete up to the dims of the file. */
#ifndef NNC_LOWER_H
#define NNC_LOWER_H
#include "nnc.h"

/* ---- scope.c: the names of a file ------------------------------------------------------------ */

typedef struct Symbol { const char *name; const Decl *decl; Module *module; } Symbol;
typedef struct Alias { const char *alias; Module *module; } Alias;
typedef struct Scope {
    VEC(Symbol) own;          /* declared in the file */
    VEC(Symbol) imported;     /* from imports, then from the libraries seen without an import */
    VEC(Symbol) prelude;
    VEC(Alias) aliases;       /* import .. as name */
} Scope;

/* The declaration a name means in a file, or NULL. */
const Symbol *scope_find(const Module *m, const char *name);
Module *scope_alias(const Module *m, const char *alias);
/* Every name visible at file level, for "did you mean". */
typedef VEC(const char *) StrList;
void scope_names(const Module *m, StrList *out);
Module *module_load(const Source *src);                /* parses, imports, declares */
int modules_loaded(Module *const **out);               /* every file read so far */
const char *library_with(const char *name);
bool is_builtin_name(const char *name);                /* primitives and words with a meaning */
int builtin_names(const char *const **names);

/* ---- values ---------------------------------------------------------------------------------- */

typedef enum ValueKind {
    V_POISON,       /* an error was reported; everything made from it is silent */
    V_NUMBER,       /* known now: fits any element type */
    V_TABLE,        /* a constant array of plain numbers: fits any element type */
    V_NODE,
    V_TUPLE,
    V_SET,          /* tensors by parameter */
    V_FUNCTION,     /* fn, layer or entry, perhaps with static arguments */
    V_BUILTIN,
    V_STACK,        /* n layers one behind the other: parts[0] is the layer, num how many */
    V_INSTANCE,
    V_STRING,
    V_DISTRIBUTION, /* what may stand behind ~ */
    V_MODULE
} ValueKind;

typedef struct Inst Inst;
typedef struct Value Value;
typedef VEC(Value) ValueList;

/* A named static or call argument as it was written. */
typedef struct Argument { const char *name; Value *value; const Expr *expr; Span span; } Argument;
typedef VEC(Argument) ArgumentList;

typedef struct Member { Slot *slot; Node *node; } Member;

struct Value {
    ValueKind kind;
    Span span;
    double num;               /* V_NUMBER */
    SizeRef size;             /* V_NUMBER: as a size (a quotient rounded down); NULL: it is none */
    SizeRef over, under;      /* V_NUMBER: an inexact quotient of sizes that are not known yet */
    bool is_bool;
    Node *node;
    const double *table;      /* V_TABLE */
    Shape shape;
    ValueList parts;          /* V_TUPLE; arguments of V_DISTRIBUTION; a stack's layers */
    VEC(Member) set;
    bool is_params;           /* V_SET: `params` itself or params(net): what `update` may assign */
    const Decl *decl;
    Module *module;
    ArgumentList statics;
    const struct Builtin *builtin;
    Inst *inst;
    const char *text;
    DrawKind draw;            /* V_DISTRIBUTION; bernoulli is uniform below p */
    bool is_bernoulli;
};

/* ---- instances: layers with memory ----------------------------------------------------------- */

typedef struct Child { const char *name; const Expr *site; Inst *inst; } Child;
typedef struct Ordinal { const char *name; int count; } Ordinal;
struct Inst {
    const char *path;         /* "net.fc1"; "" at file level */
    Value layer;              /* V_FUNCTION; V_POISON for a file, an entry or a test */
    VEC(Child) children;
    SlotList slots;
    bool in_entry;            /* belongs to an entry: nobody else can use its weights */
    VEC(Ordinal) ordinals;    /* how many inline instances of each layer */
    int applications;         /* in this entry */
    Span first_use;           /* the call that fixed the sizes */
};

/* ---- the lowering state ---------------------------------------------------------------------- */

typedef struct Local { const char *name; Value value; Span span; } Local;
typedef struct Env Env;
struct Env {
    Env *parent;
    VEC(Local) locals;
    Module *module;           /* where names that are not local are looked up */
    const Decl *decl;         /* the fn, layer or entry whose body this is; NULL at file level */
    Inst *inst;               /* where inline instances and params go; NULL in a fn */
    bool has_dots;
    Shape dots;               /* what `..` stands for */
    bool sees_dims;
    StrList targets;          /* names that grad asks for: their values are marked */
};

/* The body of a scan being lowered: what it uses from outside becomes an operand of the scan, what
 * it draws one more sequence. */
typedef struct ScanScope {
    struct ScanScope *parent;
    Graph *outer;
    SizeRef steps;
    VEC(Node *) captured;     /* nodes of the outer graph, from operand n_fixed on */
    VEC(Node *) drawn;        /* nodes of the outer graph: draws of all steps, from DRAWN_BASE on */
    int n_fixed;
} ScanScope;

/* What `sizeof` speaks of, in bytes; a `require` with it waits until the memory is planned. */
typedef struct Footprint { double work, stack, params, states; } Footprint;
typedef struct Requirement { Env *env; const Stmt *stmt; const Entry *entry; } Requirement;
typedef VEC(Requirement) RequirementList;

typedef struct Memo { Inst *inst; ValueList args; Value result; } Memo;
typedef struct Site { const char *key; long id; } Site;
typedef struct GlobalValue { const Decl *decl; Value value; int state; } GlobalValue;
typedef struct CustomMemo { const Decl *decl; Node **in; int n; Value result; } CustomMemo;

typedef struct Lower {
    Program *p;
    Module *root;
    Graph *g;
    Entry *entry;             /* being lowered; NULL for the initialisers and tests */
    bool training;
    ScanScope *scan;          /* the innermost scan whose body is being lowered */
    bool in_init;             /* only compile-time values */
    const Shape *drawn;       /* the tensor whose first value is lowered: fan_in(), fan_out() */
    Inst *file;               /* the root of all instances */
    VEC(GlobalValue) globals;
    VEC(Memo) memos;
    VEC(CustomMemo) customs;
    VEC(Site) sites;
    VEC(const Decl *) active; /* calls being inlined */
    const char *owner;        /* the path of the instance whose body is being lowered, or NULL */
    const char *layer;        /* the layer or function whose body is being lowered, or NULL */
    const char *eq_name;      /* the equation whose whole right side is being lowered */
    Span eq_name_span;
    int set_size;             /* parameters known in the round before */
    bool final_round;
    Span user_call;           /* the innermost call that is written in the user's files */
    struct TestEnv *test;
    RequirementList requirements;
    const Footprint *footprint; /* known now, while they are checked */
} Lower;
extern Lower *low;            /* one program is lowered at a time */

/* ---- lower_value.c ---- */
Value value_poison(void);
Value value_number(double v, Span at);
Value value_size(SizeRef s, Span at);
Value value_bool(bool b, Span at);
Value value_node(Node *n, Span at);
Value value_tuple(const ValueList *parts, Span at);
bool value_is_poison(const Value *v);
const char *value_text(const Value *v);                /* "real[N, 10]", "a number", "a layer" */
/* The value as a node; numbers and tables take the element type. NULL: reported. */
Node *value_to_node(const Value *v, Elem elem);
Node *value_to_type(const Value *v, Type t);           /* numbers fill the shape; NULL: no fit */
bool value_type(const Value *v, Type *t);              /* false: not a tensor */
bool value_is_static(const Value *v);                  /* a number known now */
bool value_integer(const Value *v, long *k);
bool value_equal(const Value *a, const Value *b);

/* ---- lower_env.c ---- */
Env *env_new(Env *parent, Module *m, const Decl *decl, Inst *inst);
void env_set(Env *e, const char *name, Value v, Span at);
Local *env_find(Env *e, const char *name);
Value env_lookup(Env *e, const char *name, Span at);   /* reports E0201 */
Value global_value(const Symbol *s, Span at);

/* ---- lower_type.c ---- */
bool lower_type(Env *e, const TypeExpr *t, Type *out); /* every size known; reported otherwise */
SizeRef lower_size(Env *e, const Expr *x);             /* NULL: reported */
void negative_size(Env *e, const Expr *x, SizeRef s);  /* E0307, with the sizes in x and the call */
/* Binds signature variables and `..` from the arguments, then checks every size. */
bool bind_signature(Env *e, const FormalList *formals, Value *args, const char *what, Span call);
bool check_result(Env *e, const TypeExpr *t, Value *v, Span at);
enum { MAX_BYTES = INT32_MAX };
long largest_bytes(Type t);                            /* LONG_MAX: more than can be counted */
bool check_bytes(Type t, Span at);                     /* reports E0605 */

/* ---- lower_expr.c ---- */
Value lower_expr(Env *e, const Expr *x);
Value lower_binary(Operator op, Value a, Value b, Span at, Span whole);
Value lower_unary_op(Op op, Value a, Span at);
Value lower_select(Value c, Value a, Value b, Span whole);
/* Nodes made from now on come from here; inside a library, from the user's call that led there. */
void place_at(Span at);
/* What is wrong inside a library shows the call that led there. */
void diag_context(Diag *d, Span at);
bool static_context(void);                             /* tests, initial values: numbers stay so */

/* ---- lower_unify.c ---- */
/* Brings operands to one element type and shape; `what` is as in "cannot add"; reports E0302 and
 * E0320. */
bool unify(const Value *a, const Value *b, Node **na, Node **nb, const char *what, Span at);
/* The common shape from the right, where 1s stretch; false: there is none. */
bool join_shapes(const Shape *x, const Shape *y, Shape *to);
/* E0302 about shapes x and y of a and b. */
void report_shapes(const Value *a, const Value *b, const char *what, Span at, const Shape *x,
                   const Shape *y);
void diag_operands(Diag *d, const Value *a, const Value *b); /* labels both */

/* ---- lower_static.c ---- */
Value static_arithmetic(Operator op, const Value *a, const Value *b, Span at);
/* False: not known at compile time. */
bool static_compare(Operator op, const Value *a, const Value *b, bool *result);

/* ---- lower_matmul.c ---- */
Value lower_matmul(const Value *a, const Value *b, Span at, Span whole);
const char *const_named(SizeRef s);                    /* the file's const of the value; or NULL */

/* ---- lower_index.c ---- */
Value lower_index(Env *e, Value base, const Expr *x);
Value lower_array(Env *e, const Expr *x);
bool may_be_empty(const Expr *x, SizeRef size);        /* false: E0311, data cannot pick from it */

/* ---- lower_call.c, lower_builtin.c ---- */
Value lower_call(Env *e, const Expr *x);
Value call_value(Env *e, Value f, ArgumentList *args, const Expr *site, Span whole);
Value apply_statics(Env *e, Value f, const Expr *x);   /* Dense[128, act = relu] */
/* The signature's scope with statics and formals bound; false: reported. `values` gets the
 * arguments in the order of the formals. */
bool open_call(const Value *f, const ArgumentList *args, Inst *inst, Span whole, Env **out,
               Value *values);
Value call_body(const Value *f, Env *outer, const Value *values, Span whole);
enum { MAX_ARGS = 32 };
/* Sorts arguments into the places that `names` gives; missing ones stay V_POISON, kind 0. */
bool sort_arguments(const ArgumentList *args, const char *const *names, int n, int required,
                    const char *what, Span whole, Value *out);
typedef struct Builtin {
    const char *name;
    Value (*call)(Env *e, const struct Builtin *b, ArgumentList *args, Span whole);
    Op op;
    bool takes_statics;       /* zeros[2, 3] */
    const char *signature;    /* for messages and `nnc help` */
} Builtin;
typedef Value BuiltinFn(Env *e, const Builtin *b, ArgumentList *args, Span whole);
BuiltinFn call_rearrange, call_stack, call_reshape, call_flatten, call_transpose, call_concat,
    call_join, call_split, call_pad, call_reverse, call_filled, call_one_hot;
extern const Builtin builtins[];           /* ends with a row of zeros */
const Builtin *builtin_find(const char *name);

/* ---- lower_inst.c ---- */
bool is_layer(const Value *v);                         /* can an instance be made of it? */
Inst *inst_child(Inst *parent, const char *name, const Expr *site, Value layer);
Value stack_member(Env *e, const Value *stack, const Expr *x);
Value instance_new(Env *e, Value layer, const char *name, const Expr *site, Span at);
Value inline_instance(Env *e, Value layer, const Expr *site, Span at);
Value instance_apply(Inst *inst, ArgumentList *args, Span whole);
Inst *entry_inst(const Decl *entry);
const char *join_path(const char *a, const char *b);
Slot *find_slot(const Inst *inst, const char *name);

/* ---- lower_grad.c ---- */
Value lower_grad(Env *e, const Expr *x);
/* A call of a fn whose derivative is stated: `result` is what its body gave for `values`. */
Value stated_call(const Value *f, const Value *values, Value result, Span at);
void collect_targets(Env *e, const StmtList *body);
Value mark_target(const Env *e, const char *name, Value v);
/* lent: by the library, until a name in the user's text takes its place */
void name_value(Value *v, const char *name, bool lent);

/* ---- lower_set.c ---- */
Value params_value(Env *e, const Inst *of, Span at);
/* f for every member of the sets among args, by position; what is no set is given unchanged. */
typedef Value MemberFn(Value *args, int n, const Slot *slot, void *user);
Value set_map(const Value *args, int n, MemberFn *f, void *user, Span at);
bool any_set(const Value *args, int n);

/* ---- lower_draw.c ---- */
Value lower_draw(Env *e, Value dist, Type t, Span at, const char *what);
long draw_site(const char *key);

/* ---- lower_scan.c ---- */
void lower_scan(Env *e, const Stmt *s);
Value import_value(Value v);                           /* into the body of the scan being lowered */
/* A draw of type t in the body being lowered: this step's element of all the draws of the scan. */
Node *draw_each_step(DrawKind kind, Type t, long site);

/* ---- lower_labels.c, lower_access.c: index notation ---- */
void lower_indexed(Env *e, const Stmt *s);             /* y[i, j] = .. */
bool is_fold_expr(const Expr *x);                      /* sum[k](..) and its like */
Value lower_fold_expr(Env *e, const Expr *x);

/* ---- lower_stmt.c ---- */
/* Lowers statements in order; the value of `return`, or poison when there is none. */
Value lower_body(Env *e, const StmtList *body, Span at);
void lower_one(Env *e, const Stmt *s);                 /* any statement but `return` */
void lower_def(Env *e, const Stmt *s);
void define_name(Env *e, Name name, Value v);          /* an equation's name gets its value, once */
Slot *declare_slot(Env *e, const Stmt *s);
Slot *slot_of_node(const Node *n);                     /* of a PARAM or STATE node, else NULL */
void record_update(Slot *slot, Node *value, Span at);
void lower_require(Env *e, const Stmt *s);

/* ---- lower_test.c ---- */
Value test_call_entry(const Value *f, const ArgumentList *args, Span whole);
/* A param or state as a node of the graph now being built; in a test its values at this moment. */
Value memory_value(Slot *s, Span at);

/* ---- lower.c ---- */
Entry *find_entry(const Decl *d);

#endif
