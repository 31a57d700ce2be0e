/* emit_name.c - names, types and numbers as C writes them.
 * In: names of the language, which may hold any letter. Out: C identifiers, unique where they must
 * be; the Greek letters of the mathematics by their English names. */
#include "emit.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- identifiers ---- */

static const char *const greek_small[] = {
    "alpha", "beta",   "gamma",   "delta", "epsilon", "zeta",    "eta",  "theta", "iota",
    "kappa", "lambda", "mu",      "nu",    "xi",      "omicron", "pi",   "rho",   "sigma",
    "sigma", "tau",    "upsilon", "phi",   "chi",     "psi",     "omega"};

/* Words of C++ that are names in C, its operators among them. */
static const char *const words_of_cpp[] = {
    "alignas",      "alignof",     "and",        "and_eq",        "bitand",       "bitor",
    "bool",         "catch",       "char8_t",    "char16_t",      "char32_t",     "class",
    "co_await",     "co_return",   "co_yield",   "compl",         "concept",      "const_cast",
    "consteval",    "constexpr",   "constinit",  "decltype",      "delete",       "dynamic_cast",
    "explicit",     "export",      "false",      "friend",        "mutable",      "namespace",
    "new",          "noexcept",    "not",        "not_eq",        "nullptr",      "operator",
    "or",           "or_eq",       "private",    "protected",     "public",      "reinterpret_cast",
    "requires",     "static_assert", "static_cast", "template",   "this",         "thread_local",
    "throw",        "true",        "try",        "typeid",        "typename",     "using",
    "virtual",      "wchar_t",     "xor",        "xor_eq"};

static bool is_word_of_cpp(const char *s)
{
    for (size_t i = 0; i < sizeof words_of_cpp / sizeof *words_of_cpp; i++)
        if (!strcmp(s, words_of_cpp[i])) return true;
    return false;
}

/* Words that C or the headers of the generated code have taken. */
static const char *const reserved[] = {
    "asm",      "auto",     "break",    "case",   "char",     "const",    "continue", "default",
    "do",       "double",   "else",     "enum",   "extern",   "float",    "for",      "goto",
    "if",       "inline",   "int",      "long",   "register", "restrict", "return",   "short",
    "signed",   "sizeof",   "static",   "struct", "switch",   "typedef",  "union",    "unsigned",
    "void",     "volatile", "while",    "main",   "NULL",     "INFINITY", "NAN",      "I",
    "j0",       "j1",       "jn",       "y0",     "y1",       "yn",       "linux",    "unix",
    "errno",    "assert"};

static bool is_reserved(const char *s)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (!strcmp(s, reserved[i])) return true;
    return is_word_of_cpp(s) || !strncmp(s, "nn_", 3) || !strncmp(s, "NN_", 3);
}

/* The character at *s as a code point; moves behind it. */
static unsigned next_code(const char **s)
{
    unsigned c = (unsigned char)*(*s)++;
    int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
    c &= more ? 0x3Fu >> more : 0x7Fu;
    while (more-- && (**s & 0xC0) == 0x80) c = c << 6 | ((unsigned char)*(*s)++ & 0x3Fu);
    return c;
}

static void add_letter(Text *out, unsigned c)
{
    if (c < 128 && (isalnum((int)c) || c == '_'))
        text_add(out, "%c", (int)c);
    else if (c == '.')
        text_add(out, "_");
    else if (c == '\'')
        text_add(out, "_t");
    else if (c >= 0x3B1 && c <= 0x3C9)
        text_add(out, "%s", greek_small[c - 0x3B1]);
    else if (c >= 0x391 && c <= 0x3A9) {
        const char *name = greek_small[c - 0x391];
        text_add(out, "%c%s", toupper(name[0]), name + 1);
    } else
        text_add(out, "u%X", c);
}

const char *c_identifier(const char *name)
{
    Text out = {0};
    if (isdigit((unsigned char)*name)) text_add(&out, "_");
    while (*name) add_letter(&out, next_code(&name));
    if (is_reserved(out.s)) text_add(&out, "_");
    return out.n ? out.s : "_";
}

const char *c_model(const Program *p)
{
    if (!is_word_of_cpp(p->name)) return p->name;
    const char *piece = "model", *tried = NULL;
    while (piece != tried) {
        tried = piece;
        for (int i = 0; i < p->entries.n; i++)
            if (!strcmp(p->entries.at[i]->name, piece)) piece = format("%s_", piece);
    }
    return format("%s_%s", p->name, piece);
}

bool c_is_taken(const Identifiers *ids, const char *name)
{
    for (int i = 0; i < ids->taken.n; i++)
        if (!strcmp(ids->taken.at[i], name)) return true;
    return false;
}

const char *c_unique(Identifiers *ids, const char *wanted)
{
    const char *name = wanted;
    for (int i = 1; c_is_taken(ids, name); i++)
        name = i == 1 ? format("%s_", wanted) : format("%s_%d", wanted, i);
    vec_push(&ids->taken, name);
    return name;
}

const char *c_path(const char *path)
{
    Text out = {0};
    while (*path) {
        size_t n = strcspn(path, ".");
        text_add(&out, "%s%s", out.n ? "." : "", c_identifier(format("%.*s", (int)n, path)));
        path += n + (path[n] == '.');
    }
    return out.s;
}

const char *c_upper(const char *name)
{
    char *s = (char *)(uintptr_t)format("%s", name);
    for (char *p = s; *p; p++) *p = (char)toupper((unsigned char)*p);
    return s;
}

/* The states begin with two members of their own, seed and call. */
static bool is_counter(const char *piece, size_t n)
{
    return n == 4 && (!strncmp(piece, "seed", n) || !strncmp(piece, "call", n));
}

const char *c_slot(const Slot *s)
{
    size_t n = strcspn(s->path, ".");
    const char *path = s->path;
    if (s->is_state && is_counter(path, n)) path = format("%.*s_%s", (int)n, path, path + n);
    return c_path(path);
}

/* ---- types and numbers ---- */

const char *c_type(Elem e)
{
    switch (e) {
    case ELEM_REAL: return options.f64 ? "double" : "float";
    case ELEM_F64: return "double";
    case ELEM_F32: return "float";
    case ELEM_F16: return "uint16_t";
    case ELEM_I8: return "int8_t";
    case ELEM_I32: return "int32_t";
    default: return "uint8_t";
    }
}

const char *c_value_type(Elem e)
{
    return e == ELEM_BOOL ? "int" : e == ELEM_F16 ? "float" : c_type(e);
}

const char *c_number(Elem e, double v)
{
    if (e == ELEM_BOOL) return v != 0 ? "1" : "0";
    if (elem_is_int(e)) return v <= -2147483648.0 ? "INT32_MIN" : format("%.0f", v);
    if (isnan(v)) return "NAN";
    bool wide = !strcmp(c_value_type(e), "double");
    if (isinf(v)) return format("%s%s", v < 0 ? "-" : "", wide ? "(double)INFINITY" : "INFINITY");
    char s[48];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        double back = strtod(s, NULL);
        if (wide ? back == v : (float)back == (float)v) break;
    }
    if (!strpbrk(s, ".e")) strcat(s, ".0");
    return wide ? format("%s", s) : format("%sf", s);
}

/* ---- sizes ---- */

/* Integers that the source names: `const H = 128;`, where no other constant has that value and the
 * number itself is not written anywhere else, so that a size of 128 can only be H. */
typedef struct SizeName {
    long value;
    const char *name;
} SizeName;
static VEC(SizeName) size_names;

static bool number_stands(const char *text, long value)
{
    size_t n = strlen(format("%ld", value));
    int found = 0;
    for (const char *p = text; (p = strstr(p, format("%ld", value))); p += n) {
        bool inside = p > text && (isalnum((unsigned char)p[-1]) || p[-1] == '_' || p[-1] == '.');
        found += !inside && !isalnum((unsigned char)p[n]) &&
                 !(p[n] == '.' && isdigit((unsigned char)p[n + 1]));
    }
    return found > 1;
}

static bool const_value(const Decl *d, long *value)
{
    for (int i = 0; i < options.defines.n; i++)
        if (!strcmp(options.defines.at[i].name, d->name.s)) {
            *value = atol(options.defines.at[i].value);
            return true;
        }
    if (d->value->kind != EX_NUMBER || !d->value->is_int) return false;
    *value = (long)d->value->num;
    return true;
}

/* Capitals only, and none that the runtime or an argument is called. */
static bool may_name_size(const Program *p, const char *name)
{
    bool taken = !isupper((unsigned char)*name) || (!name[1] && strchr("ABCKMN", *name));
    for (int i = 0; i < p->dims.n; i++) taken |= !strcmp(p->dims.at[i]->name, name);
    for (int i = 0; i < p->entries.n; i++) {
        const Entry *e = p->entries.at[i];
        for (int k = 0; k < e->inputs.n; k++) taken |= !strcmp(e->inputs.at[k].name, name);
        for (int k = 0; k < e->outputs.n; k++)
            taken |= e->outputs.at[k].name && !strcmp(e->outputs.at[k].name, name);
    }
    return !taken;
}

void reserve_sizes(Identifiers *ids)
{
    for (int i = 0; i < size_names.n; i++)
        if (size_names.at[i].name) c_unique(ids, size_names.at[i].name);
}

void name_sizes(const Program *p)
{
    size_names.at = NULL;
    size_names.n = size_names.cap = 0;
    if (!p->src) return;
    DeclList decls = parse_source(p->src);
    for (int i = 0; i < decls.n; i++) {
        SizeName s;
        const Decl *d = decls.at[i];
        if (d->kind != DECL_CONST || !const_value(d, &s.value)) continue;
        s.name = c_identifier(d->name.s);
        if (s.value < 3 || !may_name_size(p, s.name) || number_stands(p->src->text, s.value))
            continue;
        bool twice = false;
        for (int k = 0; k < size_names.n; k++)
            if (size_names.at[k].value == s.value) {
                size_names.at[k].name = NULL;
                twice = true;
            }
        if (!twice) vec_push(&size_names, s);
    }
}

const char *c_size(SizeRef s)
{
    long v;
    if (size_is_const(s, &v))
        for (int i = 0; i < size_names.n; i++)
            if (size_names.at[i].value == v && size_names.at[i].name) return size_names.at[i].name;
    return size_text(s);
}

/* Where C goes on at or behind p: comments say nothing to the compiler. */
static const char *behind_comments(const char *p)
{
    while (p[0] == '/' && p[1] == '*') p = strstr(p, "*/") + 2;
    return p;
}

bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    char before = ' ';
    for (const char *p = behind_comments(text); *p; before = *p, p = behind_comments(p + 1)) {
        bool apart = !isalnum((unsigned char)before) && !strchr("_.>", before); /* no member */
        bool starts = apart && !strncmp(p, word, n);
        if (starts && !isalnum((unsigned char)p[n]) && p[n] != '_') return true;
    }
    return false;
}

void print_size_names(Text *out, const char *used_in)
{
    const char *sep = "enum { ";
    for (int i = 0; i < size_names.n; i++) {
        if (!size_names.at[i].name || !has_word(used_in, size_names.at[i].name)) continue;
        text_add(out, "%s%s = %ld", sep, size_names.at[i].name, size_names.at[i].value);
        sep = ", ";
    }
    if (*sep == ',') text_add(out, " };\n");
}

/* ---- lines ---- */

/* How good a place s[i], a space, is for a break: behind a comma, before a sum, a product. */
static int break_rank(const char *s, int i)
{
    if (s[i] != ' ') return 0;
    if (s[i - 1] == ',') return 3;
    bool sign = s[i + 1] && (s[i + 2] == ' ' || (s[i + 2] && s[i + 3] == ' '));
    if (!sign) return 0;
    return strchr("?:&|", s[i + 1])                    ? 3
           : strchr("+-", s[i + 1]) && s[i + 2] == ' ' ? 2
           : strchr("*/<>", s[i + 1])                  ? 1
                                                       : 0;
}

/* The best place to break within `room` characters: at the least depth of brackets. */
static int break_at(const char *s, int room)
{
    int depth = 0, best = 0, best_depth = 1000, best_rank = 0;
    for (int i = 0; s[i] && i < room; i++) {
        if (strchr("([{", s[i])) depth++;
        if (strchr(")]}", s[i])) depth--;
        int rank = i > room / 3 ? break_rank(s, i) : 0;
        if (!rank || depth > best_depth || (depth == best_depth && rank < best_rank)) continue;
        best = i;
        best_depth = depth;
        best_rank = rank;
    }
    return best;
}

void wrap_lines(Text *out, const char *line, int indent)
{
    enum { COLUMNS = 100 };
    bool pragma = line[0] == '#';
    for (int more = 0;; more = 4) {
        int room = COLUMNS - indent - more, n = (int)strlen(line);
        int at = n > room && !pragma && !strstr(line, "/*") ? break_at(line, room) : 0;
        text_add(out, "%*s%.*s\n", indent + more, "", at ? at : n, line);
        if (!at) return;
        line += at + 1;
    }
}
