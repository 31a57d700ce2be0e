/* scope.c - files and the names in them.
 * In: a source. Out: its tree with the imported files behind it, and a table of the names that are
 * visible at file level. A name is looked for among the file's own, then the imported, then those
 * of the libraries that are seen without an import; so a user may shadow any of the library. */
#include "lower.h"

#include <string.h>

static const char *const prelude_names[] = {"nn",   "conv", "norm", "activation",
                                            "loss", "init", "optim"};
enum { N_PRELUDE = sizeof prelude_names / sizeof *prelude_names };

typedef struct Loaded {
    const char *key;
    Module *module;
    bool busy;
} Loaded;
static VEC(Loaded) loaded;

static void forget_files(void) { memset(&loaded, 0, sizeof loaded); }

static const Symbol *find_in(const Symbol *at, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (at[i].name == name) return &at[i];
    return NULL;
}

const Symbol *scope_find(const Module *m, const char *name)
{
    const Scope *s = m->scope;
    const Symbol *found = find_in(s->own.at, s->own.n, name);
    if (!found) found = find_in(s->imported.at, s->imported.n, name);
    if (!found) found = find_in(s->prelude.at, s->prelude.n, name);
    return found;
}

Module *scope_alias(const Module *m, const char *alias)
{
    for (int i = 0; i < m->scope->aliases.n; i++)
        if (m->scope->aliases.at[i].alias == alias) return m->scope->aliases.at[i].module;
    return NULL;
}

void scope_names(const Module *m, StrList *out)
{
    const Scope *s = m->scope;
    for (int i = 0; i < s->own.n; i++) vec_push(out, s->own.at[i].name);
    for (int i = 0; i < s->imported.n; i++) vec_push(out, s->imported.at[i].name);
    for (int i = 0; i < s->prelude.n; i++) vec_push(out, s->prelude.at[i].name);
    const char *const *builtin;
    int n = builtin_names(&builtin);
    for (int i = 0; i < n; i++) vec_push(out, builtin[i]);
}

static void declare(Module *m, const char *name, Span at, const Decl *d)
{
    Scope *s = m->scope;
    const Symbol *old = find_in(s->own.at, s->own.n, name);
    if (old) {
        Diag *r = error_at("E0202", at, "`%s` is defined twice", name);
        diag_here(r, "%s", "");
        Span first =
            old->decl->kind == DECL_STMT ? old->decl->stmt->names.at[0].span : old->decl->name.span;
        diag_label(r, first, "the first definition");
        diag_hint(r, "every name is defined once; choose another name here");
        return;
    }
    Symbol y = {name, d, m};
    vec_push(&s->own, y);
}

static void declare_decl(Module *m, const Decl *d)
{
    switch (d->kind) {
    case DECL_IMPORT:
    case DECL_TEST: return;
    case DECL_STMT:
        for (int i = 0; i < d->stmt->names.n; i++)
            declare(m, d->stmt->names.at[i].s, d->stmt->names.at[i].span, d);
        return;
    default: declare(m, d->name.s, d->name.span, d);
    }
}

static Module *load(const Source *src, const char *key, Span at, bool with_prelude);

/* A file that is imported lies beside the file that imports it. */
static const Source *beside(const Source *from, const char *file)
{
    const char *slash = strrchr(from->name, '/');
    if (!slash || file[0] == '/') return source_read(file);
    return source_read(format("%.*s/%s", (int)(slash - from->name), from->name, file));
}

static const Source *find_import(const Module *m, const Decl *d)
{
    if (d->is_file) return beside(m->src, d->text);
    return !strncmp(d->text, "std.", 4) ? source_std(d->text + 4) : NULL;
}

static void import_missing(const Decl *d)
{
    Diag *r = error_at("E0206", d->span, "cannot find `%s`", d->text);
    diag_here(r, "%s", "");
    if (d->is_file)
        diag_hint(r, "the path is relative to the folder of this file");
    else if (strncmp(d->text, "std.", 4))
        diag_hint(r, "a file is imported by its name in quotes: `import \"%s.nn\";`", d->text);
    else {
        static const char *const known[] = {"std.nn",       "std.activation", "std.loss",
                                            "std.init",     "std.optim",      "std.rnn",
                                            "std.attention"};
        const char *near = nearest(d->text, known, 7);
        if (near)
            diag_hint(r, "did you mean `%s`?", near);
        else
            diag_hint(r, "the libraries are std.nn, std.activation, std.loss, std.init, std.optim, "
                         "std.rnn and std.attention");
    }
}

static void import(Module *m, const Decl *d)
{
    const Source *src = find_import(m, d);
    if (!src) {
        import_missing(d);
        return;
    }
    Module *other = load(src, src->name, d->span, !src->is_std);
    if (!other) return;
    if (d->name.s) {
        Alias a = {d->name.s, other};
        vec_push(&m->scope->aliases, a);
        return;
    }
    for (int i = 0; i < other->scope->own.n; i++)
        vec_push(&m->scope->imported, other->scope->own.at[i]);
}

static void see_prelude(Module *m)
{
    for (int k = 0; k < N_PRELUDE; k++) {
        const Source *src = source_std(prelude_names[k]);
        if (!src || src == m->src || !strcmp(src->name, m->src->name)) continue;
        Module *lib = load(src, src->name, (Span){0}, false);
        for (int i = 0; lib && i < lib->scope->own.n; i++)
            vec_push(&m->scope->prelude, lib->scope->own.at[i]);
    }
}

/* The files of a library see each other's preludes only after all are declared: a library file may
 * use the others, as activation does in nn. */
static Module *load(const Source *src, const char *key, Span at, bool with_prelude)
{
    for (int i = 0; i < loaded.n; i++) {
        if (strcmp(loaded.at[i].key, key)) continue;
        if (loaded.at[i].busy && at.src && !src->is_std) {
            Diag *r = error_at(
                "E0206", at, "this import leads back to a file that is being imported: `%s`", key);
            diag_here(r, "%s", "");
            diag_hint(r, "put what both files need into a third file");
            return NULL;
        }
        return loaded.at[i].module;
    }
    Module *m = NEW(Module);
    m->src = src;
    m->scope = NEW(Scope);
    Loaded l = {key, m, true};
    int slot = loaded.n;
    if (!loaded.n) at_release(forget_files);
    vec_push(&loaded, l);
    int before = diag_errors();
    m->decls = parse_source(src);
    bool sound = diag_errors() == before; /* else an import may not be what was meant */
    for (int i = 0; i < m->decls.n; i++) declare_decl(m, m->decls.at[i]);
    for (int i = 0; i < m->decls.n && sound; i++)
        if (m->decls.at[i]->kind == DECL_IMPORT) import(m, m->decls.at[i]);
    if (with_prelude || src->is_std) see_prelude(m);
    loaded.at[slot].busy = false;
    return m;
}

Module *module_load(const Source *src) { return load(src, src->name, (Span){0}, true); }

/* The library that has the name but was not imported, or NULL. */
const char *library_with(const char *name)
{
    static const char *const libraries[] = {"rnn", "attention"};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        const Source *src = source_std(libraries[i]);
        Module *m = src ? load(src, src->name, (Span){0}, false) : NULL;
        if (m && find_in(m->scope->own.at, m->scope->own.n, name)) return libraries[i];
    }
    return NULL;
}

int modules_loaded(Module *const **out)
{
    VEC(Module *) all = {0};
    for (int i = 0; i < loaded.n; i++) vec_push(&all, loaded.at[i].module);
    *out = all.at;
    return all.n;
}
