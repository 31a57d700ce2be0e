/* png.c - writes a grey picture as PNG (ISO/IEC 15948): a signature, then chunks of length, type,
 * data and checksum; the data are the rows, each behind a byte 0 (no filter), packed by zlib. */
#include "png.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void big_endian(uint8_t out[4], uint32_t value)
{
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void write_chunk(FILE *f, const char *type, const uint8_t *data, size_t size)
{
    uint8_t length[4], sum[4];
    uLong crc = crc32(0, (const Bytef *)type, 4);
    if (size) crc = crc32(crc, data, (uInt)size); /* crc32 of NULL would start anew */
    big_endian(length, (uint32_t)size);
    big_endian(sum, (uint32_t)crc);
    fwrite(length, 1, 4, f);
    fwrite(type, 1, 4, f);
    if (size) fwrite(data, 1, size, f);
    fwrite(sum, 1, 4, f);
}

/* The packed rows; NULL when there is no memory. */
static uint8_t *pack(const uint8_t *grey, size_t width, size_t height, uLongf *size)
{
    const size_t row = width + 1;
    uint8_t *rows = malloc(row * height), *packed = NULL;
    *size = compressBound((uLong)(row * height));
    if (rows && (packed = malloc(*size))) {
        for (size_t y = 0; y < height; y++) {
            rows[y * row] = 0;
            memcpy(rows + y * row + 1, grey + y * width, width);
        }
        if (compress2(packed, size, rows, (uLong)(row * height), 9) != Z_OK) {
            free(packed);
            packed = NULL;
        }
    }
    free(rows);
    return packed;
}

int png_write(const char *path, const uint8_t *grey, int width, int height)
{
    uint8_t header[13] = {0};
    uLongf size = 0;
    uint8_t *packed = pack(grey, (size_t)width, (size_t)height, &size);
    FILE *f = packed ? fopen(path, "wb") : NULL;
    int failed = !f;
    if (f) {
        big_endian(header, (uint32_t)width);
        big_endian(header + 4, (uint32_t)height);
        header[8] = 8; /* bits; the colour type 0 is grey */
        fwrite("\x89PNG\r\n\x1a\n", 1, 8, f);
        write_chunk(f, "IHDR", header, sizeof header);
        write_chunk(f, "IDAT", packed, size);
        write_chunk(f, "IEND", NULL, 0);
        failed = ferror(f);
        failed |= fclose(f);
    }
    free(packed);
    if (failed) fprintf(stderr, "cannot write %s\n", path);
    return failed ? -1 : 0;
}
