/* outline.h - kernels as functions: what kernels that are equal but for names share. */
#ifndef NNC_OUTLINE_H
#define NNC_OUTLINE_H
#include "emit.h"

/* A name that is filled in later: of an array or a scalar that the kernel uses, or of a local. */
typedef struct Hole {
    Buffer *buffer;     /* NULL: a local */
    bool flat;          /* the array is accessed as one row of elements */
    bool written;       /* by the kernel */
    const Node *node;   /* the value; NULL: a leaf, or scratch */
    const char *at;     /* of a local: the loops it stands in, as "ij"; of sums: "part", "parts" */
    bool is_element;    /* of an array: is called h_ij */
} Hole;
typedef VEC(Hole) HoleList;

typedef struct Routine Routine;

typedef struct Sketch Sketch;

/* A kernel, or a loop of one, as text with holes: `$0$[i] = $1$[i];`. The holes are numbered in the
 * order in which they occur, so equal kernels have equal texts. */
struct Sketch {
    Emit *e;
    const Kernel *k;
    HoleList holes;
    Lines lines;
    bool possible;        /* can be a function */
    const char *key;      /* everything that equal kernels have in common */
    Identifiers ids;      /* names that are no holes */
    VEC(Sketch *) loops;  /* outermost ones with independent passes, where it is not one loop */
    const char *loop;     /* the head of its only loop, and from pass FROM to before pass TO */
    const char *ranged;
    SizeRef passes;       /* of that; NULL: the kernel is not such a loop alone */
    const char *cost;     /* nanoseconds of one pass, as C text */
    bool is_shared;       /* long enough for threads */
    Routine *routine;     /* NULL: stays in line */
};

/* How a routine is told the passes of its loop. */
typedef enum Passes { PASSES_KNOWN, PASSES_N, PASSES_RANGE } Passes;

struct Routine {
    const char *name;
    VEC(Sketch *) uses;
    Passes passes;
    const char *first, *last; /* names of the arguments of the range, or of n */
    const char **names;       /* by hole */
    bool *is_const;           /* by hole: what its array of rows is declared as */
    bool apart;               /* no array that is written shares memory with another */
    bool printed;
};

typedef VEC(Routine *) RoutineList;

/* ---- outline.c ---- */

const char *fill_holes(const char *line, const char *const *names);
/* Is it handed to the routine, rather than one of its locals? */
bool is_argument(const Hole *h);
bool is_by_value(const Hole *h); /* a scalar that is only read */
/* The declaration of the hole in the routine, under a name, with "NN_RESTRICT " or "". */
const char *hole_declaration(const Hole *h, const char *name, bool is_const,
                             const char *qualifier);

/* ---- outline_name.c ---- */

/* Chooses names for the routine and what stands in its holes. */
void name_routine(Routine *r, Identifiers *functions);
/* By Node.id: what the routine's comment calls the values of its first kernel. */
const char **names_in_comment(const Routine *r);

/* ---- outline_print.c ---- */

void print_routine(Text *out, Routine *r);
/* The call of the kernel's routine as a line of C. */
const char *call_text(Emit *e, const Sketch *s);

#endif
