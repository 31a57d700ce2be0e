/* main.c - learns to continue a text: gpt TEXT [EPOCHS [WEIGHTS]]. In: any text. Out: how it
 * goes, with the loss on the last tenth of the text, which is held out; the parameters and the
 * alphabet in WEIGHTS (gpt.safetensors), which are read back; and what the model writes, one
 * character after the other. With 0 epochs it only reads WEIGHTS and writes. */
#include <stdio.h>
#include <stdlib.h>
#include "gpt.h"
#include "nn.h"
#include "progress.h"
#include "text.h"

enum { BATCH = 16, SPAN = GPT_T_MAX, PIECE = SPAN + 1, SEED = 1, WRITTEN = 600 };
enum { CHARACTERS = sizeof((gpt *)0)->params.out.b / sizeof(float) }; /* V of the model */

static gpt net; /* parameters, Adam's moments, the cache: 11 MB */
static _Alignas(64) unsigned char work[GPT_WORK];

/* The loss in nats a character on the held-out text, on `most` batches of it. */
static double held_out(const Text *t, int most)
{
    static int32_t piece[BATCH * PIECE];
    double sum = 0;
    int batches = (t->length - t->train - 1) / (BATCH * SPAN);
    if (batches > most) batches = most;
    for (int b = 0; b < batches; b++) {
        for (int i = 0; i < BATCH; i++)
            text_piece(t, t->train + (b * BATCH + i) * SPAN, PIECE, piece + i * PIECE);
        sum += (double)gpt_loss(&net, piece, work);
    }
    return sum / batches;
}

static void train(const Text *t, Progress *p)
{
    static int32_t piece[BATCH * PIECE];
    char said[64];
    const int all = p->epochs * p->steps;
    while (p->done < all) {
        for (int i = 0; i < BATCH; i++) {
            const int at = text_place(t, PIECE, SEED, (uint64_t)(p->done * BATCH + i));
            text_piece(t, at, PIECE, piece + i * PIECE);
        }
        progress_step(p, gpt_train(&net, piece, (float)(p->done + 1) / (float)all, work));
        if (p->done % p->steps) continue;
        snprintf(said, sizeof said, "step %d, held out %.4f", p->done, held_out(t, 20));
        progress_epoch(p, said);
    }
}

/* Parameters and alphabet, saved or loaded. */
static int file(int (*save_or_load)(const char *, const nn_group *, int, char *, size_t),
                const char *path, uint8_t *alphabet)
{
    static const nn_tensor table = {"alphabet", 0, NN_U8, 1, {TEXT_MOST}};
    const nn_group groups[] = {{"", gpt_param_table, GPT_PARAMS, &net.params},
                               {"", &table, 1, alphabet}};
    char error[256];
    const int failed = save_or_load(path, groups, 2, error, sizeof error);
    if (failed) fprintf(stderr, "gpt: %s\n", error);
    return failed;
}

/* Continues a line break; a cache of keys and values makes each character one short step. */
static void write_text(const Text *t, float temperature)
{
    float prob[CHARACTERS];
    int c = 0;
    while (c < t->characters - 1 && t->alphabet[c] != '\n') c++;
    for (int i = 0; i < WRITTEN; i++) {
        gpt_next_char(&net, c, i, temperature, prob, work);
        c = text_choose(prob, t->characters, nn_uniform_at(SEED, (uint64_t)i, 1001, 0));
        putchar(t->alphabet[c]);
    }
    putchar('\n');
}

static int learn(const Text *t, int epochs, const char *weights, uint8_t *alphabet)
{
    Progress progress;
    const int steps = t->train / (BATCH * SPAN), most = t->length;
    if (progress_start(&progress, epochs, steps)) return -1;
    gpt_init(&net, SEED);
    train(t, &progress);
    progress_end(&progress);
    const double before = held_out(t, most);
    if (file(nn_save_groups, weights, alphabet)) return -1;
    gpt_init(&net, SEED + 1);
    if (file(nn_load_groups, weights, alphabet)) return -1;
    printf("\nwrote %s; read back, the loss on the held-out text is %.4f\n\n", weights,
           held_out(t, most));
    return before == held_out(t, most) ? 0 : -1;
}

int main(int argc, char **argv)
{
    const int epochs = argc > 2 ? atoi(argv[2]) : 3, least = 12 * BATCH * SPAN;
    const char *weights = argc > 3 ? argv[3] : "gpt.safetensors";
    uint8_t alphabet[TEXT_MOST];
    Text text;
    if (argc < 2 || epochs < 0 || epochs > 1000) {
        fputs("usage: gpt TEXT [EPOCHS [WEIGHTS]]\n", stderr);
        return 2;
    }
    gpt_init(&net, SEED);
    if (epochs == 0 && file(nn_load_groups, weights, alphabet)) return 1;
    if (text_read(&text, argv[1], CHARACTERS, least, epochs ? NULL : alphabet)) return 2;
    const int failed = epochs && learn(&text, epochs, weights, text.alphabet);
    if (!epochs) printf("held out %.4f\n\n", held_out(&text, text.length));
    if (!failed) write_text(&text, 0.8f);
    text_free(&text);
    return failed ? 1 : 0;
}
