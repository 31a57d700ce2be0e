/* tree.h - what the parser makes of a text: declarations, statements, expressions. */
#ifndef NNC_TREE_H
#define NNC_TREE_H
#include "common.h"

/* ---- lex.re, parse.y, tree.c: tokens and the tree -------------------------------------------- */

typedef enum Elem {
    ELEM_REAL, ELEM_F16, ELEM_F32, ELEM_F64, ELEM_I8, ELEM_I32, ELEM_U8, ELEM_BOOL
} Elem;
const char *elem_text(Elem e);                         /* "real" */

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

#endif
