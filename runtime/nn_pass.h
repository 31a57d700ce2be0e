/* nn_pass.h - one instruction set after the other, for a file that includes itself.
 *
 *     #ifndef NN_ISA
 *     #include "nn_pass.h"
 *     #include "model.c"
 *     #include "nn_pass.h"
 *     #if NN_PASSES > 1
 *     #include "model.c"
 *     #include "nn_pass.h"
 *     #include "model.c"
 *     #include "nn_pass.h"
 *     #endif
 *     #endif
 *     #ifdef NN_ISA              ... static functions, compiled once per instruction set ...
 *     #else                      ... public functions, compiled once: NN_CALL(f)(args) ...
 *     #endif
 *
 * Each time, the pass before is ended and the next one begun, as nn_isa.h describes them; the last
 * time leaves everything as it was.  The file names itself where it lies, so no path is needed. */
#include "nn_isa.h"

#ifndef NN_STAGE
NN_QUIET
#else
#undef NN_ISA
#undef NN_LEVEL
#undef NN_VB
#undef NN_FMA
#endif

#if !defined NN_STAGE && NN_PASSES == 1
#define NN_STAGE 1
#define NN_ISA one
#define NN_LEVEL NN_ONE_LEVEL
#define NN_VB NN_ONE_VB
#define NN_FMA NN_ONE_FMA
#elif !defined NN_STAGE
NN_BEGIN(NN_TARGET4)
#define NN_STAGE 4
#define NN_ISA v4
#define NN_LEVEL 4
#define NN_VB 64
#define NN_FMA NN_HAS_FMA
#elif NN_STAGE == 4
NN_END
NN_BEGIN(NN_TARGET3)
#undef NN_STAGE
#define NN_STAGE 3
#define NN_ISA v3
#define NN_LEVEL 3
#define NN_VB 32
#define NN_FMA NN_HAS_FMA
#elif NN_STAGE == 3
NN_END
#undef NN_STAGE
#define NN_STAGE 1
#define NN_ISA v1
#define NN_LEVEL 1
#define NN_VB 16
#define NN_FMA 0
#else
#undef NN_STAGE
NN_LOUD
#endif
