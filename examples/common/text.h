/* text.h - a text as numbers: its characters are numbered, and cut into pieces to learn from. */
#ifndef TEXT_H
#define TEXT_H

#include <stdint.h>
#include <stdio.h>

enum { TEXT_MOST = 256 }; /* bytes are characters here */

typedef struct Text {
    uint8_t alphabet[TEXT_MOST]; /* the byte of every number, 0 behind the last */
    uint8_t *code;               /* the numbers of the text */
    int characters, length;      /* how many different ones, and in all */
    int train;                   /* the first of them are to learn from, a tenth is held out */
} Text;

/* 0 when done; else -1 with a message on stderr: no such file, shorter than least, or with more
 * than most different characters. With known, an alphabet from before, others are left out. */
int text_read(Text *t, const char *path, int most, int least, const uint8_t *known);
void text_free(Text *t);

/* The piece of n characters from place at, as the model takes it. */
void text_piece(const Text *t, int at, int n, int32_t *out);

/* A random place of the training part with n characters behind it; the same for a seed and draw. */
int text_place(const Text *t, int n, uint64_t seed, uint64_t draw);

/* One of n with these probabilities; u is uniform in [0, 1). */
int text_choose(const float *prob, int n, double u);

#endif
