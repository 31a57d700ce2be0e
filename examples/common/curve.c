/* curve.c - draws a curve in braille characters, each of which is two dots wide and four high. */
#include "curve.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 8, MOST = 100, LABEL = 8 };

/* The bit of the dot at column x of 0..1 and row y of 0..3 in U+2800 + bits. */
static unsigned dot(int x, int y)
{
    static const unsigned char bits[4][2] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};
    return bits[y][x];
}

static void print_braille(unsigned bits)
{
    const unsigned code = 0x2800 + bits;
    putchar((int)(0xe0 | code >> 12));
    putchar((int)(0x80 | (code >> 6 & 0x3f)));
    putchar((int)(0x80 | (code & 0x3f)));
}

static float average(const float *y, int from, int to)
{
    float sum = 0;
    for (int i = from; i < to; i++) sum += y[i];
    return sum / (float)(to - from);
}

/* In six characters, if that is possible. */
static void print_label(double value)
{
    printf(value >= 100 ? "%6.1f " : value >= 0.001 ? "%6.3f " : "%6.0e ", value);
}

void curve_print(const float *y, int n, int columns, const char *below)
{
    unsigned cell[ROWS][MOST];
    float value[2 * MOST], low, high;
    int width = (columns > MOST ? MOST : columns) - LABEL;
    if (n < 1 || width < 1) return;
    const int dots = n < 2 * width ? n : 2 * width;
    memset(cell, 0, sizeof cell);
    for (int i = 0; i < dots; i++)
        value[i] = average(y, (int)((long)i * n / dots), (int)((long)(i + 1) * n / dots));
    low = high = value[0];
    for (int i = 1; i < dots; i++) {
        if (value[i] < low) low = value[i];
        if (value[i] > high) high = value[i];
    }
    int before = -1;
    for (int i = 0; i < dots; i++) {
        const float share = high > low ? logf(high / value[i]) / logf(high / low) : 0;
        const int at = (int)(share * (4 * ROWS - 1) + 0.5f);
        /* a steep step is filled, so that the line has no gaps */
        const int from = before < 0 ? at : before < at ? before + 1 : before > at ? before - 1 : at;
        for (int k = from;; k += at > from ? 1 : -1) {
            cell[k / 4][i / 2] |= dot(i % 2, k % 4);
            if (k == at) break;
        }
        before = at;
    }
    for (int r = 0; r < ROWS; r++) {
        if (r == 0) print_label((double)high);
        else if (r == ROWS - 1) print_label((double)low);
        else printf("%6s ", "");
        int last = (dots + 1) / 2;
        while (last > 0 && !cell[r][last - 1]) last--;
        for (int c = 0; c < last; c++) print_braille(cell[r][c]);
        putchar('\n');
    }
    printf("%*s%s\n", LABEL - 1, "", below);
}
