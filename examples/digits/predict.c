/* predict.c - uses what digits has learned: predict [FOLDER [WEIGHTS]].
 * In: the test pictures in FOLDER and the parameters in WEIGHTS. Out: the first two pictures with
 * their answers, the first two that it gets wrong, and the share of right answers. It is linked
 * with reader.c: the same digits.nn, compiled for one picture at a time and without the training,
 * so that the model is 400 KB and its work area 4 KB. */
#include <stdio.h>
#include <string.h>
#include "idx.h"
#include "nn.h"
#include "reader.h"

static reader net;
static _Alignas(64) unsigned char work[READER_WORK];
static int is_fashion; /* clothes rather than digits */

static const char *const clothes[10] = {"T-shirt", "trousers", "pullover", "dress", "coat",
                                        "sandal", "shirt", "sneaker", "bag", "boot"};
static const char *const numbers[10] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

static int answer(const uint8_t *grey)
{
    int32_t out;
    reader_predict(&net, 1, grey, &out, work);
    return out;
}

/* A character of the terminal is twice as high as wide, so it shows two rows. */
static void shade_line(char *out, const uint8_t *grey, int row)
{
    static const char shades[] = " .:-=+*#%@";
    for (int x = 0; x < 28; x++) {
        const int sum = grey[28 * row + x] + grey[28 * (row + 1) + x];
        out[x] = shades[sum * 10 / 511];
    }
}

/* "boot (97 %)", or "coat? no, shirt" */
static void describe(char *out, size_t size, const uint8_t *grey, int label)
{
    const char *const *names = is_fashion ? clothes : numbers;
    const int said = answer(grey);
    float prob[10];
    reader_probs(&net, 1, grey, prob, work);
    const double percent = 100 * (double)prob[said];
    if (said == label) snprintf(out, size, "%s (%.0f %%)", names[said], percent);
    else snprintf(out, size, "%s (%.0f %%)? no, %s", names[said], percent, names[label]);
}

static void print_pair(const Pictures *p, int a, int b)
{
    enum { SECOND = 34 };
    const uint8_t *left = p->grey + (size_t)a * PIXELS, *right = p->grey + (size_t)b * PIXELS;
    char line[SECOND + 28], said[2][64];
    for (int row = 0; row < 28; row += 2) {
        int n = sizeof line;
        memset(line, ' ', sizeof line);
        shade_line(line, left, row);
        shade_line(line + SECOND, right, row);
        while (n > 0 && line[n - 1] == ' ') n--;
        printf("%.*s\n", n, line);
    }
    describe(said[0], sizeof said[0], left, p->label[a]);
    describe(said[1], sizeof said[1], right, p->label[b]);
    printf("%-*s%s\n\n", SECOND, said[0], said[1]);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist";
    const char *weights = argc > 2 ? argv[2] : "digits.safetensors";
    char error[256];
    Pictures test;
    int right = 0, wrong[2] = {0, 1};
    if (pictures_read(&test, folder, "t10k")) return 2;
    if (nn_load(weights, reader_param_table, READER_PARAMS, &net.params, error, sizeof error)) {
        fprintf(stderr, "predict: %s\n", error);
        pictures_free(&test);
        return 1;
    }
    for (int i = 0; i < test.count; i++) {
        const int is_right = answer(test.grey + (size_t)i * PIXELS) == test.label[i];
        if (!is_right && i - right < 2) wrong[i - right] = i;
        right += is_right;
    }
    is_fashion = strstr(folder, "fashion") != NULL;
    if (test.count > 1) {
        print_pair(&test, 0, 1);
        print_pair(&test, wrong[0], wrong[1]);
    }
    printf("right on %d of %d test pictures\n", right, test.count);
    pictures_free(&test);
    return 0;
}
