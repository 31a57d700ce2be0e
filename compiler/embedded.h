/* embedded.h - the library in the language and the runtime's text, as they were when the compiler
 * was built. Made by embed/embed.c; ends with a row of zeros. */
#ifndef NNC_EMBEDDED_H
#define NNC_EMBEDDED_H
#include <stddef.h>

typedef struct EmbeddedFile { const char *name, *text; size_t length; } EmbeddedFile;
extern const EmbeddedFile embedded_files[];

#endif
