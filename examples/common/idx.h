/* idx.h - labelled pictures in the files of MNIST and Fashion-MNIST. */
#ifndef IDX_H
#define IDX_H
#include <stdint.h>

enum { PIXELS = 28 * 28 };

typedef struct Pictures {
    int count;
    uint8_t *grey;  /* count * PIXELS values, row by row, 0 for the background */
    int32_t *label; /* count numbers from 0 to 9 */
    int *order;     /* in which they are taken: at first as they come */
} Pictures;

/* Reads FOLDER/SET-images-idx3-ubyte and FOLDER/SET-labels-idx1-ubyte, plain or with .gz behind;
 * SET is "train" or "t10k". 0 when done; else -1, a message is on stderr and nothing is kept. */
int pictures_read(Pictures *p, const char *folder, const char *set);
void pictures_free(Pictures *p);

/* Reads both sets, of the training pictures no more than `most`. */
int pictures_read_both(Pictures *train, Pictures *test, const char *folder, int most);

/* Another order for every epoch, the same in every run. */
void pictures_shuffle(Pictures *p, uint64_t seed, int epoch);

/* Copies n pictures and their labels, from number `at` of the order on. */
void pictures_take(const Pictures *p, int at, int n, uint8_t *grey, int32_t *label);

#endif
