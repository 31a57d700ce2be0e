/* mutate.c - programs that are nearly right. In: the number of a case, and the programs of the test
 * folders, of the library and of `nnc explain`. Out: the text of the case: one of the programs with
 * tokens replaced, moved, deleted and invented, or no program at all. */
#include "mutate.h"

#include <check.h>
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PROGRAMS = 400, MAX_TOKENS = 4000, MAX_TEXT = 1 << 16 };

/* ---- chance: the same number, the same program ----------------------------------------------- */

static uint64_t chance;

static uint64_t next_chance(void)
{
    uint64_t z = chance += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int pick(int n) { return n > 0 ? (int)(next_chance() % (uint64_t)n) : 0; }

/* ---- programs to start from ------------------------------------------------------------------ */

static char *programs[MAX_PROGRAMS];
static int n_programs, n_right;

/* The text up to the blocks of expected output. */
static void add_program(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, MAX_TEXT);
    if (!f || !text || n_programs == MAX_PROGRAMS) {
        if (f) fclose(f);
        free(text);
        return;
    }
    text[fread(text, 1, MAX_TEXT / 8, f)] = 0;
    fclose(f);
    char *end = strstr(text, "// >>> ");
    if (end) *end = 0;
    programs[n_programs++] = text;
}

static int is_program(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 3 && !strcmp(d->d_name + n - 3, ".nn");
}

static void read_folder(const char *folder)
{
    struct dirent **list;
    int n = scandir(folder, &list, is_program, alphasort);
    for (int k = 0; k < n; k++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, list[k]->d_name);
        add_program(path);
        free(list[k]);
    }
    if (n >= 0) free(list);
}

/* Programs without an error come first: those of the tests, and the corrected ones of `explain`. */
void read_programs(void)
{
    read_folder("tests/lang");
    for (const ErrorInfo *e = error_table; e->code; e++)
        if (e->right && n_programs < MAX_PROGRAMS) programs[n_programs++] = strdup(e->right);
    n_right = n_programs;
    read_folder("tests/errors");
    read_folder("compiler/std");
    ck_assert_msg(n_programs > 100, "the folders of programs are not here");
}

/* ---- tokens ---------------------------------------------------------------------------------- */

typedef struct Tokens {
    char *at[MAX_TOKENS];
    int n;
} Tokens;

static char *piece(const char *s, size_t n)
{
    char *p = NEW_N(char, n + 1);
    memcpy(p, s, n);
    return p;
}

static bool is_letter(char c)
{
    return isalpha((unsigned char)c) || c == '_' || (unsigned char)c > 127;
}

static size_t token_length(const char *s)
{
    static const char *const pairs[] = {"->", "|>", "||", "&&", "==", "!=", "<=", ">=", "..", "//"};
    size_t n = 0;
    if (*s == '/' && s[1] == '/') return strcspn(s, "\n");
    if (*s == '"') {
        n = strcspn(s + 1, "\"\n") + 1;
        return n + (s[n] == '"');
    }
    while (is_letter(s[n]) || (n && isdigit((unsigned char)s[n]))) n++;
    if (n) return n;
    while (isdigit((unsigned char)s[n]) || (n && s[n] == '.' && isdigit((unsigned char)s[n + 1])) ||
           (n && s[n] == 'e'))
        n++;
    if (n) return n;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (!strncmp(s, pairs[i], 2)) return 2;
    return 1;
}

static void split_text(const char *s, Tokens *t)
{
    t->n = 0;
    while (*s && t->n < MAX_TOKENS) {
        if (isspace((unsigned char)*s)) {
            s++;
            continue;
        }
        size_t n = token_length(s);
        if (s[0] != '/' || s[1] != '/') t->at[t->n++] = piece(s, n);
        s += n;
    }
}

static char *join_tokens(const Tokens *t)
{
    Text out = {0};
    text_add(&out, "%s", "");
    for (int i = 0; i < t->n && out.n < MAX_TEXT / 2; i++) {
        bool line = strchr(";{}", t->at[i][0]) != NULL;
        text_add(&out, "%s%s", t->at[i], line ? "\n" : " ");
    }
    return out.s;
}

static void insert_token(Tokens *t, int at, char *s)
{
    if (t->n == MAX_TOKENS) return;
    memmove(t->at + at + 1, t->at + at, sizeof *t->at * (size_t)(t->n - at));
    t->at[at] = s;
    t->n++;
}

static void delete_tokens(Tokens *t, int at, int n)
{
    if (n > t->n - at) n = t->n - at;
    memmove(t->at + at, t->at + at + n, sizeof *t->at * (size_t)(t->n - at - n));
    t->n -= n;
}

/* ---- changes --------------------------------------------------------------------------------- */

static const char *const numbers[] = {"0",
                                      "1",
                                      "2",
                                      "3",
                                      "5",
                                      "64",
                                      "0.5",
                                      "1e-30",
                                      "1e300",
                                      "1000000000",
                                      "2147483648",
                                      "4611686018427387904",
                                      "9007199254740993",
                                      "99999",
                                      "(-1)",
                                      "(1 / 0)",
                                      "inf"};
static const char *const operators[] = {
    "+", "-", "*", "/", "%", "@", "^", "|>", "==", "!=", "<", ">", "<=", ">=", "&&", "||",
    "?", ":", ",", ".", "'", "!", "=", "~",  "..", "(",  ")", "[", "]",  "{",  "}",  ";"};
static const char *const words[] = {
    "import",   "const",         "dim",     "fn",        "layer",      "entry",     "training",
    "test",     "param",         "state",   "update",    "scan",       "next",      "emit",
    "return",   "require",       "assert",  "repeat",    "check_grad", "grad",      "surrogate",
    "in",       "new",           "real",    "i32",       "bool",       "u8",        "f16",
    "params",   "work",          "true",    "pi",        "exp",        "log",       "max",
    "sum",      "mean",          "argmax",  "reshape",   "flatten",    "transpose", "concat",
    "join",     "split",         "pad",     "reverse",   "zeros",      "ones",      "iota",
    "one_hot",  "normal",        "uniform", "bernoulli", "orthogonal", "fan_in",    "is_integer",
    "size",     "rearrange",     "stack",   "var",       "where",      "pow",       "stop_grad",
    "identity", "Dense",         "Dropout", "softmax",   "relu",       "step",      "cross_entropy",
    "mse",      "Adam",          "glorot",  "x",         "y",          "n",         "N",
    "W",        "\"a b -> b a\""};
#define ONE_OF(list) ((char *)(uintptr_t)list[pick((int)(sizeof list / sizeof *list))])

static char *any_token(const Tokens *t)
{
    switch (pick(5)) {
    case 0: return ONE_OF(numbers);
    case 1: return ONE_OF(operators);
    case 2: return ONE_OF(words);
    default: return t->n ? t->at[pick(t->n)] : ONE_OF(words);
    }
}

/* A token of the same kind elsewhere in the program. */
static char *similar(const Tokens *t, const char *s)
{
    for (int tries = 0; tries < 50; tries++) {
        char *other = t->at[pick(t->n)];
        if (is_letter(*s) == is_letter(*other) &&
            !isdigit((unsigned char)*s) == !isdigit((unsigned char)*other) && strcmp(s, other))
            return other;
    }
    return any_token(t);
}

static void nest(Tokens *t, int at)
{
    static const char *const open[] = {"(", "[", "-", "!", "(1 +", "exp(", "["};
    char *s = ONE_OF(open);
    for (int i = pick(3) ? pick(30) : pick(600); i >= 0; i--) insert_token(t, at, s);
}

static int statement_end(const Tokens *t, int at)
{
    while (at < t->n && *t->at[at] != ';' && *t->at[at] != '}') at++;
    return at;
}

static void copy_statement(Tokens *t, int from, int to)
{
    int end = statement_end(t, from);
    Tokens *copy = NEW(Tokens);
    for (int i = from; i <= end && i < t->n; i++) copy->at[copy->n++] = t->at[i];
    for (int i = copy->n - 1; i >= 0; i--) insert_token(t, to, copy->at[i]);
}

static void mutate(Tokens *t)
{
    int at = pick(t->n), other = pick(t->n);
    if (!t->n) {
        insert_token(t, 0, any_token(t));
        return;
    }
    char *swap = t->at[at];
    switch (pick(22)) {
    case 0: delete_tokens(t, at, 1); break;
    case 1: delete_tokens(t, at, 1 + pick(6)); break;
    case 2: insert_token(t, at, t->at[at]); break;
    case 3:
        t->at[at] = t->at[other];
        t->at[other] = swap;
        break;
    case 4: insert_token(t, at, any_token(t)); break;
    case 5: t->at[at] = any_token(t); break;
    case 6: nest(t, at); break;
    case 7: copy_statement(t, at, other); break;
    case 8: delete_tokens(t, at, statement_end(t, at) - at); break;
    case 9:
    case 10:
    case 11:
    case 12:
        for (int i = 0; i < t->n; i++, at = (at + 1) % t->n)
            if (isdigit((unsigned char)*t->at[at])) break;
        t->at[at] = ONE_OF(numbers);
        break;
    default: t->at[at] = similar(t, swap);
    }
}

static char *make_soup(void)
{
    Tokens *t = NEW(Tokens);
    for (int n = pick(200); n > 0; n--) insert_token(t, t->n, any_token(t));
    return join_tokens(t);
}

static char *make_noise(const char *text)
{
    size_t n = strlen(text);
    char *s = piece(text, n);
    for (int k = 1 + pick(8); k > 0 && n; k--) s[(size_t)next_chance() % n] = (char)(1 + pick(255));
    return s;
}

/* The program of a number, in the arena. */
char *make_case(long number)
{
    chance = (uint64_t)number * 0x2545f4914f6cdd1du + 77;
    const char *base = programs[pick(pick(4) ? n_right : n_programs)];
    int way = pick(20);
    if (way == 0) return make_soup();
    if (way == 1) return make_noise(base);
    Tokens *t = NEW(Tokens);
    split_text(base, t);
    if (way == 2) {
        Tokens *more = NEW(Tokens);
        split_text(programs[pick(n_right)], more);
        for (int i = 0; i < more->n; i++) insert_token(t, t->n, more->at[i]);
    }
    for (int k = way == 3 ? 0 : way < 14 ? 1 : 1 + pick(6); k > 0; k--) mutate(t);
    return join_tokens(t);
}
