/* png.h - grey pictures in files. */
#ifndef PNG_H
#define PNG_H
#include <stdint.h>

/* Writes width * height grey values, row by row, 0 for black, as a PNG of 8 bits. 0 when done;
 * else -1 and a message is on stderr. */
int png_write(const char *path, const uint8_t *grey, int width, int height);

#endif
