/* explain.c - the table of all errors and warnings, from errors.def; `nnc explain` reads it. */
#include "common.h"

#include <string.h>

const ErrorInfo error_table[] = {
#define ERROR(code, title, text, wrong, right) {#code, title, text, wrong, right},
#include "errors_syntax.def"
#include "errors.def"
#undef ERROR
    {NULL, NULL, NULL, NULL, NULL},
};

const ErrorInfo *error_info(const char *code)
{
    for (const ErrorInfo *e = error_table; e->code; e++)
        if (strcmp(e->code, code) == 0) return e;
    return NULL;
}
