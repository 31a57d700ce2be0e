/* parse.y - the grammar. What goes in are the tokens of one text; what comes out is its tree, in
 * p->decls or p->formula. The grammar is LALR(1) without conflicts and holds no error rules: an
 * error ends the parse, syntax.c reports and repairs it, and the parse starts again. */
%code requires {
#include "syntax.h"

typedef struct Init { bool is_draw; Expr *value; } Init;
typedef struct Gradient { bool is_given, is_surrogate; NameList names; StmtList body; } Gradient;
}

%code {
#include "parse_actions.h"

static int yylex(YYSTYPE *value, Span *at, Parser *p);
static void yyerror(const Span *at, Parser *p, const char *message);

#define YYMAXDEPTH 10000
#define YYLLOC_DEFAULT(all, rhs, n)                                                                \
    ((all) = (n) ? span_join(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n)) : empty_after(YYRHSLOC(rhs, 0)))
}

%define api.pure full
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%param { Parser *p }

%union {
    const Token *token;
    Expr *expr;
    ExprList exprs;
    TypeExpr *type;
    Elem elem;
    TypeList types;
    Name name;
    NameList names;
    Formal formal;
    FormalList formals;
    Init init;
    Binding binding;
    BindingList bindings;
    Stmt *stmt;
    StmtList stmts;
    Gradient gradient;
    Decl *decl;
}

%token END 0 "end of file"
%token FORMULA "formula"
%token <token> NAME "name" NUMBER "number" STRING "string" ELEM "element_type"
%token IMPORT "import" AS "as" CONST "const" DIM "dim" FN "fn" LAYER "layer" ENTRY "entry"
%token TRAINING "training" TEST "test" PARAM "param" STATE "state" UPDATE "update" SCAN "scan"
%token NEXT "next" EMIT "emit" RETURN "return" REQUIRE "require" ASSERT "assert"
%token REPEAT "repeat" CHECK_GRAD "check_grad" GRAD "grad" SURROGATE "surrogate" IN "in"
%token NEW_WORD "new"
%token DOTS ".." ARROW "->" PIPE "|>" EQ "==" NE "!=" LE "<=" GE ">=" AND "&&" OR "||"
%token LT "<" GT ">" PLUS "+" MINUS "-" TIMES "*" DIVIDE "/" MODULO "%" MATMUL "@"
%token NOT "!" POWER "^" TICK "'" DOT "." COMMA "," SEMICOLON ";" COLON ":" QUESTION "?"
%token EQUALS "=" TILDE "~" LPAREN "(" RPAREN ")" LBRACKET "[" RBRACKET "]" LBRACE "{" RBRACE "}"

%left "|>"
%left "||"
%left "&&"
%nonassoc "==" "!=" "<" ">" "<=" ">="
%left "+" "-"
%left "*" "/" "%" "@"

%type <decl> item import_decl const_decl dim_decl fn_decl layer_decl entry_decl test_decl
%type <name> alias path
%type <names> names
%type <expr> expr op unary power postfix primary arg item1 dim_size
%type <exprs> exprs elements args items dim_sizes
%type <type> type type_given result
%type <types> types
%type <elem> element
%type <formal> formal
%type <formals> formal_list formals statics
%type <init> init
%type <binding> seq start_value
%type <bindings> seqs start_values
%type <stmt> stmt def param_stmt state_stmt require_stmt scan_stmt test_stmt
%type <stmts> body block stmts test_stmts
%type <gradient> gradient

%%

start:
    file
  | "formula" expr                      { p->formula = $2; }
  ;

file:
    %empty
  | file item                           { vec_push(&p->decls, $2); }
  ;

item:
    import_decl
  | const_decl
  | dim_decl
  | fn_decl
  | layer_decl
  | entry_decl
  | test_decl
  | param_stmt                          { $$ = decl_stmt(p, @$, $1); }
  | state_stmt                          { $$ = decl_stmt(p, @$, $1); }
  | require_stmt                        { $$ = decl_stmt(p, @$, $1); }
  | def                                 { $$ = decl_stmt(p, @$, $1); }
  ;

import_decl:
    "import" path alias ";"             { $$ = decl_import(p, @$, $2.s, false, $3); }
  | "import" "string" alias ";"         { $$ = decl_import(p, @$, $2->text, true, $3); }
  ;

path:
    "name"                              { $$ = name_of($1); }
  | path "." "name"                     { $$ = path_join(@$, $1, $3); }
  ;

alias:
    %empty                              { $$ = (Name){0}; }
  | "as" "name"                         { $$ = name_of($2); }
  ;

const_decl:
    "const" "name" type_given "=" expr ";"
                                        { $$ = decl_value(p, DECL_CONST, @$, $2, $3, $5, NULL); }
  ;

dim_decl:
    "dim" "name" ";"                    { $$ = decl_value(p, DECL_DIM, @$, $2, NULL, NULL, NULL); }
  | "dim" "name" "in" expr ".." expr ";"
                                        { $$ = decl_value(p, DECL_DIM, @$, $2, NULL, $4, $6); }
  ;

fn_decl:
    "fn" "name" statics formals result body gradient
                                        { $$ = decl_callable(p, DECL_FN, @$, $2, $3, $4, $5, $6);
                                          set_gradient($$, &$7); }
  ;

layer_decl:
    "layer" "name" statics formals result body
                                        { $$ = decl_callable(p, DECL_LAYER, @$, $2, $3, $4,
                                                             $5, $6); }
  ;

entry_decl:
    "entry" "name" formals result body
                                        { $$ = decl_callable(p, DECL_ENTRY, @$, $2, (FormalList){0},
                                                             $3, $4, $5); }
  | "training" "entry" "name" formals result body
                                        { $$ = decl_callable(p, DECL_ENTRY, @$, $3, (FormalList){0},
                                                             $4, $5, $6);
                                          $$->is_training = true; }
  ;

gradient:
    %empty                              { $$ = (Gradient){0}; }
  | "grad" "(" names ")" body           { $$ = (Gradient){true, false, $3, $5}; }
  | "surrogate" "(" names ")" body      { $$ = (Gradient){true, true, $3, $5}; }
  ;

statics:
    %empty                              { $$ = (FormalList){0}; }
  | "[" formal_list "]"                 { $$ = $2; }
  ;

formals:
    "(" ")"                             { $$ = (FormalList){0}; }
  | "(" formal_list ")"                 { $$ = $2; }
  ;

formal_list:
    formal                              { $$ = (FormalList){0}; vec_push(&$$, $1); }
  | formal_list "," formal              { $$ = $1; vec_push(&$$, $3); }
  ;

formal:
    "name" type_given                   { $$ = (Formal){name_of($1), $2, NULL}; }
  | "name" type_given "=" expr          { $$ = (Formal){name_of($1), $2, $4}; }
  ;

result:
    %empty                              { $$ = NULL; }
  | "->" type                           { $$ = $2; }
  ;

type_given:
    %empty                              { $$ = NULL; }
  | ":" type                            { $$ = $2; }
  ;

type:
    element                             { $$ = type_element(@$, $1, (ExprList){0}); }
  | element "[" dim_sizes "]"           { $$ = type_element(@$, $1, $3); }
  | "(" types ")"                       { $$ = type_tuple(@$, $2); }
  ;

element:
    "element_type"                      { $$ = $1->elem; }
  ;

types:
    type "," type                       { $$ = (TypeList){0}; vec_push(&$$, $1);
                                          vec_push(&$$, $3); }
  | types "," type                      { $$ = $1; vec_push(&$$, $3); }
  ;

dim_sizes:
    dim_size                            { $$ = (ExprList){0}; vec_push(&$$, $1); }
  | dim_sizes "," dim_size              { $$ = $1; vec_push(&$$, $3); }
  ;

dim_size:
    ".."                                { $$ = expr_new(EX_DOTS, @$, @$); }
  | expr
  ;

body:
    "=" expr ";"                        { $$ = body_of(p, $2); }
  | block
  ;

block:
    "{" stmts "}"                       { $$ = $2; }
  ;

stmts:
    %empty                              { $$ = (StmtList){0}; }
  | stmts stmt                          { $$ = $1; vec_push(&$$, $2); }
  ;

stmt:
    def
  | param_stmt
  | state_stmt
  | scan_stmt
  | "next" "name" "=" expr ";"          { $$ = stmt_value(p, ST_NEXT, @$, $2, $4); }
  | "emit" "name" "=" expr ";"          { $$ = stmt_value(p, ST_EMIT, @$, $2, $4); }
  | "update" postfix "=" expr ";"       { $$ = stmt_value(p, ST_UPDATE, @$, NULL, $4);
                                          $$->target = $2; }
  | require_stmt
  | "return" exprs ";"                  { $$ = stmt_new(p, ST_RETURN, @$); $$->list = $2; }
  ;

require_stmt:
    "require" expr "," "string" ";"     { $$ = stmt_value(p, ST_REQUIRE, @$, NULL, $2);
                                          $$->text = $4->text; }
  ;

def:
    "name" type_given init ";"          { $$ = stmt_def(p, ST_DEF, @$, $1, $2, $3); }
  | "name" "[" items "]" type_given "=" expr ";"
                                        { $$ = stmt_def(p, ST_INDEXED, @$, $1, $5,
                                                        (Init){false, $7});
                                          $$->list = $3; }
  | "name" "," names "=" expr ";"       { $$ = stmt_tuple(p, @$, $1, &$3, $5); }
  ;

names:
    "name"                              { $$ = (NameList){0}; vec_push(&$$, name_of($1)); }
  | names "," "name"                    { $$ = $1; vec_push(&$$, name_of($3)); }
  ;

param_stmt:
    "param" "name" ":" type init ";"    { $$ = stmt_def(p, ST_PARAM, @$, $2, $4, $5); }
  ;

state_stmt:
    "state" "name" ":" type init ";"    { $$ = stmt_def(p, ST_STATE, @$, $2, $4, $5); }
  ;

init:
    "=" expr                            { $$ = (Init){false, $2}; }
  | "~" expr                            { $$ = (Init){true, $2}; }
  ;

scan_stmt:
    "scan" "(" seqs ";" start_values ")" block
                                        { $$ = stmt_new(p, ST_SCAN, @$);
                                          $$->seqs = $3; $$->inits = $5; $$->body = $7; }
  ;

seqs:
    seq                                 { $$ = (BindingList){0}; vec_push(&$$, $1); }
  | seqs "," seq                        { $$ = $1; vec_push(&$$, $3); }
  ;

seq:
    "name" "in" expr                    { $$ = (Binding){name_of($1), $3}; }
  ;

start_values:
    start_value                         { $$ = (BindingList){0}; vec_push(&$$, $1); }
  | start_values "," start_value        { $$ = $1; vec_push(&$$, $3); }
  ;

start_value:
    "name" "=" expr                     { $$ = (Binding){name_of($1), $3}; }
  ;

test_decl:
    "test" "string" "{" test_stmts "}"  { $$ = decl_new(p, DECL_TEST, @$);
                                          $$->text = $2->text; $$->name.span = @2; $$->body = $4; }
  ;

test_stmts:
    %empty                              { $$ = (StmtList){0}; }
  | test_stmts test_stmt                { $$ = $1; vec_push(&$$, $2); }
  ;

test_stmt:
    def
  | "assert" expr ";"                   { $$ = stmt_value(p, ST_ASSERT, @$, NULL, $2); }
  | "check_grad" postfix ";"            { $$ = stmt_value(p, ST_CHECK_GRAD, @$, NULL, $2); }
  | "repeat" "(" expr ")" expr ";"      { $$ = stmt_value(p, ST_REPEAT, @$, NULL, $5);
                                          $$->count = $3; }
  ;

exprs:
    expr                                { $$ = (ExprList){0}; vec_push(&$$, $1); }
  | exprs "," expr                      { $$ = $1; vec_push(&$$, $3); }
  ;

expr:
    op
  | op "?" expr ":" expr                { $$ = expr_over(p, EX_SELECT, @$, @2, $1, $3, $5); }
  ;

op:
    unary
  | op "|>" op                          { $$ = expr_binary(p, O_PIPE, @$, @2, $1, $3); }
  | op "||" op                          { $$ = expr_binary(p, O_OR, @$, @2, $1, $3); }
  | op "&&" op                          { $$ = expr_binary(p, O_AND, @$, @2, $1, $3); }
  | op "==" op                          { $$ = expr_binary(p, O_EQ, @$, @2, $1, $3); }
  | op "!=" op                          { $$ = expr_binary(p, O_NE, @$, @2, $1, $3); }
  | op "<" op                           { $$ = expr_binary(p, O_LT, @$, @2, $1, $3); }
  | op ">" op                           { $$ = expr_binary(p, O_GT, @$, @2, $1, $3); }
  | op "<=" op                          { $$ = expr_binary(p, O_LE, @$, @2, $1, $3); }
  | op ">=" op                          { $$ = expr_binary(p, O_GE, @$, @2, $1, $3); }
  | op "+" op                           { $$ = expr_binary(p, O_ADD, @$, @2, $1, $3); }
  | op "-" op                           { $$ = expr_binary(p, O_SUB, @$, @2, $1, $3); }
  | op "*" op                           { $$ = expr_binary(p, O_MUL, @$, @2, $1, $3); }
  | op "/" op                           { $$ = expr_binary(p, O_DIV, @$, @2, $1, $3); }
  | op "%" op                           { $$ = expr_binary(p, O_MOD, @$, @2, $1, $3); }
  | op "@" op                           { $$ = expr_binary(p, O_MATMUL, @$, @2, $1, $3); }
  ;

unary:
    power
  | "-" unary                           { $$ = expr_unary(p, O_NEG, @$, @1, $2); }
  | "!" unary                           { $$ = expr_unary(p, O_NOT, @$, @1, $2); }
  ;

power:
    postfix
  | postfix "^" power                   { $$ = expr_binary(p, O_POW, @$, @2, $1, $3); }
  | postfix "^" "-" power               { $$ = expr_unary(p, O_NEG, span_join(@3, @4), @3, $4);
                                          $$ = expr_binary(p, O_POW, @$, @2, $1, $$); }
  ;

postfix:
    primary
  | postfix "(" ")"                     { $$ = expr_list(p, EX_CALL, @$, $1->at, $1,
                                                         (ExprList){0}); }
  | postfix "(" args ")"                { $$ = expr_list(p, EX_CALL, @$, $1->at, $1, $3); }
  | postfix "[" items "]"               { $$ = expr_list(p, EX_INDEX, @$, $1->at, $1, $3); }
  | postfix "." "name"                  { $$ = expr_over(p, EX_FIELD, @$, @3, $1, NULL, NULL);
                                          $$->name = $3->text; }
  | postfix "'"                         { $$ = expr_over(p, EX_TRANSPOSE, @$, @2, $1, NULL, NULL); }
  ;

primary:
    "name"                              { $$ = expr_name($1); }
  | "number"                            { $$ = expr_number($1); }
  | "string"                            { $$ = expr_new(EX_STRING, @$, @$); $$->name = $1->text; }
  | "training"                          { $$ = expr_new(EX_TRAINING, @$, @$); }
  | "next" "name"                       { $$ = expr_new(EX_NEXT, @$, @2); $$->name = $2->text; }
  | "grad" "(" args ")"                 { $$ = expr_list(p, EX_GRAD, @$, @1, NULL, $3); }
  | "element_type" "(" args ")"         { $$ = expr_list(p, EX_CONVERT, @$, @1, NULL, $3);
                                          $$->elem = $1->elem; }
  | "(" expr ")"                        { $$ = $2; $$->span = @$; }
  | "(" expr "," exprs ")"              { $$ = expr_list(p, EX_TUPLE, @$, @$, NULL,
                                                         list_before($2, &$4)); }
  | "[" elements "]"                    { $$ = expr_list(p, EX_ARRAY, @$, @$, NULL, $2); }
  ;

elements:
    dim_size                            { $$ = (ExprList){0}; vec_push(&$$, $1); }
  | elements "," dim_size               { $$ = $1; vec_push(&$$, $3); }
  ;

args:
    arg                                 { $$ = (ExprList){0}; vec_push(&$$, $1); }
  | args "," arg                        { $$ = $1; vec_push(&$$, $3); }
  ;

arg:
    expr
  | "name" "=" expr                     { $$ = expr_over(p, EX_NAMED, @$, @1, $3, NULL, NULL);
                                          $$->name = $1->text; }
  ;

items:
    item1                               { $$ = (ExprList){0}; vec_push(&$$, $1); }
  | items "," item1                     { $$ = $1; vec_push(&$$, $3); }
  ;

item1:
    expr
  | ".."                                { $$ = expr_new(EX_DOTS, @$, @$); }
  | "new"                               { $$ = expr_new(EX_NEW, @$, @$); }
  | "name" "in" expr                    { $$ = expr_over(p, EX_IN, @$, @1, $3, NULL, NULL);
                                          $$->name = $1->text; }
  | "name" "=" expr                     { $$ = expr_over(p, EX_NAMED, @$, @1, $3, NULL, NULL);
                                          $$->name = $1->text; }
  | ":"                                 { $$ = expr_new(EX_RANGE, @$, @1); }
  | expr ":"                            { $$ = expr_over(p, EX_RANGE, @$, @2, $1, NULL, NULL); }
  | ":" expr                            { $$ = expr_over(p, EX_RANGE, @$, @1, NULL, $2, NULL); }
  | expr ":" expr                       { $$ = expr_over(p, EX_RANGE, @$, @2, $1, $3, NULL); }
  ;

%%

static int yylex(YYSTYPE *value, Span *at, Parser *p)
{
    const Token *t = &p->tokens.at[p->next++];
    value->token = t;
    *at = t->span;
    return t->kind;
}

/* The only message that does not come through yyreport_syntax_error: the stack is full. */
static void yyerror(const Span *at, Parser *p, const char *message)
{
    (void)message;
    syntax_too_deep(p, *at);
}

enum { SHORT_STACK = 12 };

static int yyreport_syntax_error(const yypcontext_t *ctx, Parser *p)
{
    VEC(const char *) stack = {0};
    for (const yy_state_t *s = ctx->yyssp; *s != 0; s--)
        vec_push(&stack, yysymbol_name(YY_ACCESSING_SYMBOL(*s)));
    vec_push(&stack, "START");
    const char *shorter[SHORT_STACK];
    int depth = stack_collapse(stack.at, stack.n, shorter, SHORT_STACK);

    yysymbol_kind_t list[YYNTOKENS];
    bool symbols[YYNTOKENS] = {false}, expected[YYMAXUTOK + 1] = {false};
    int n = yypcontext_expected_tokens(ctx, list, YYNTOKENS);
    for (int i = 0; i < n; i++) symbols[list[i]] = true;
    for (int kind = 0; kind <= YYMAXUTOK; kind++) {
        yysymbol_kind_t symbol = YYTRANSLATE(kind);
        expected[kind] = symbol != YYSYMBOL_YYUNDEF && symbols[symbol];
    }
    syntax_error(p, &(Stop){shorter, depth, expected});
    return 0;
}
