/* Calls of a profiled model, and what its table then says. Of times only that they are printed. */
#include "timed.h"
#include <stdlib.h>
#include <string.h>

static timed m;
static float x[8 * 300], y[8 * 200];
static _Alignas(64) char work[TIMED_WORK];
static int steps, failed;

static void expect(int holds, const nn_profile_row *r, const char *what)
{
    if (holds) return;
    failed = 1;
    printf("%s %s %s: %s; %.0f calls, %.0f operations, %.0f bytes\n", r->function, r->numbers,
           r->equation, what, (double)r->calls, r->operations, r->bytes);
}

/* scores(3), twice; train(5, 3) three times and train(2, 8) twice: 5 calls, 19 steps. */
static void check_row(const nn_profile_row *rows, const nn_profile_row *r)
{
    expect(r->least * r->calls <= r->nanoseconds, r, "no call takes less than the least");
    if (r->inside >= 0) {
        steps++;
        expect(r->calls == 19, r, "19 steps");
        expect(!strncmp(r->function, "train_", 6), r, "in a step of train");
        expect(rows[r->inside].calls == 5 && rows[r->inside].inside < 0, r, "in the recurrence");
        expect(rows[r->inside].operations >= r->operations, r, "counted with the recurrence");
    } else if (!strcmp(r->function, "train"))
        expect(r->calls == 5, r, "5 calls");
    else if (!strcmp(r->function, "never"))
        expect(!r->calls && !r->nanoseconds && !(r->bytes > 0), r, "no calls");
    else {
        const double operations = 2.0 * (3 * 200 * 300) * 2, bytes = 4.0 * (900 + 60000 + 600) * 2;
        expect(r->calls == 2, r, "2 calls");
        expect(r->operations >= operations && r->operations <= operations, r, "a product");
        expect(r->bytes >= bytes && r->bytes <= bytes, r, "three matrices");
        expect(!strcmp(r->place, "timed.nn:8"), r, "its place");
    }
}

int main(void)
{
    int n, called = 0;
    const nn_profile_row *rows = timed_profile_rows(&n);
    timed_init(&m, 1);
    for (int i = 0; i < 2; i++) timed_scores(&m, 3, x, y, work);
    for (int i = 0; i < 3; i++) (void)timed_train(&m, 5, 3, x, work);
    for (int i = 0; i < 2; i++) (void)timed_train(&m, 2, 8, x, work);
    for (int i = 0; i < n; i++) check_row(rows, &rows[i]);
    for (int i = 0; i < n; i++) called += rows[i].calls > 0;
    timed_profile(stdout);
    timed_profile_clear();
    for (int i = 0; i < n; i++)
        expect(!rows[i].calls && !rows[i].nanoseconds && !rows[i].least &&
                   !(rows[i].operations > 0),
               &rows[i], "cleared");
    printf("%d rows, %d called, %s steps: %s\n", n, called, steps ? "with" : "without",
           failed ? "wrong" : "right");
    return failed || !steps;
}
