/* nn_profile.h - measured kernels, for code that `nnc compile --profile` has written.
 * In: a table `nn_profile_rows` with a row for each kernel, numbered nn_kernel_.., and NN_START and
 * NN_STOP around each. Out: calls, nanoseconds, operations and bytes in the rows,
 * and the table as text. The rows are one set for the whole program, and not of one thread. */
#ifndef NN_PROFILE_H
#define NN_PROFILE_H
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The header of every profiled model declares it too, as it may be all that a program includes. */
#ifndef NN_PROFILE_ROW
#define NN_PROFILE_ROW
typedef struct nn_profile_row {
    const char *function; /* the entry, or the step of a recurrence */
    const char *numbers;  /* its equations, as numbered in the generated code */
    const char *equation; /* of those the one with most work */
    const char *place;    /* of that one in the source */
    int inside;           /* the row of the recurrence whose step it is part of, or -1 */
    uint64_t calls, nanoseconds;
    uint64_t least; /* nanoseconds of a call */
    double operations, bytes; /* a multiply-add is two; each array counts once a call */
} nn_profile_row;
#endif

/* Nanoseconds since any moment. A system without a clock of C11 defines it from a counter. */
#ifndef NN_NANOSECONDS
#include <time.h>
static inline uint64_t nn_nanoseconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
#define NN_NANOSECONDS() nn_nanoseconds()
#endif

static inline void nn_profile_add(nn_profile_row *row, uint64_t start, double operations,
                                  double bytes)
{
    const uint64_t now = NN_NANOSECONDS(), took = now > start ? now - start : 0;
    if (!row->calls || took < row->least) row->least = took;
    row->calls++;
    row->nanoseconds += took;
    row->operations += operations;
    row->bytes += bytes;
}

/* Around a kernel, which is called by its function and the number of its last equation. */
#define NN_START(kernel) const uint64_t nn_start_##kernel = NN_NANOSECONDS()
#define NN_STOP(kernel, operations, bytes)                                                        \
    nn_profile_add(&nn_profile_rows[nn_kernel_##kernel], nn_start_##kernel, operations, bytes)

static inline void nn_profile_clear(nn_profile_row *rows, int n)
{
    for (int i = 0; i < n; i++) {
        rows[i].calls = rows[i].nanoseconds = rows[i].least = 0;
        rows[i].operations = rows[i].bytes = 0;
    }
}

/* The time of the rows from `first` on that one entry has, or of all: those inside others count
 * with them. */
static inline double nn_profile_seconds(const nn_profile_row *rows, int first, int n)
{
    double sum = 0;
    for (int i = first; i < n; i++)
        if (rows[i].inside < 0) sum += (double)rows[i].nanoseconds * 1e-9;
    return sum;
}

/* 1e9 a second, or nothing where there is none. */
static inline void nn_profile_rate(FILE *to, double amount, double seconds)
{
    if (amount > 0 && seconds > 0) fprintf(to, " %8.2f", amount / seconds * 1e-9);
    else fprintf(to, " %8s", "");
}

/* What the operations of a call take at NN_PEAK of them a second, as a share of the least time. */
static inline void nn_profile_floor(FILE *to, const nn_profile_row *row)
{
#ifdef NN_PEAK
    const double call = row->operations / (double)row->calls, least = (double)row->least * 1e-9;
    if (least > 0) fprintf(to, " %5.0f %%", 100 * call / (NN_PEAK * least));
    else fprintf(to, " %7s", "");
#else
    (void)to, (void)row;
#endif
}

#ifdef NN_PEAK
#define NN_PROFILE_FLOOR "   floor"
#else
#define NN_PROFILE_FLOOR ""
#endif

static inline void nn_profile_line(FILE *to, const nn_profile_row *rows, const nn_profile_row *row,
                                   double whole)
{
    const double seconds = (double)row->nanoseconds * 1e-9;
    const double calls = (double)row->calls;
    fprintf(to, "%6.2f %% %9.0f %11.6f %10.2f %10.2f", whole > 0 ? 100 * seconds / whole : 0.0,
            calls, seconds, seconds / calls * 1e6, (double)row->least * 1e-3);
    nn_profile_rate(to, row->operations, seconds);
    nn_profile_rate(to, row->bytes, seconds);
    nn_profile_floor(to, row);
    fprintf(to, "   ");
    for (int i = row->inside; i >= 0; i = rows[i].inside) fprintf(to, "  ");
    fprintf(to, "%s %s%s%s\n", row->numbers, row->equation, *row->place ? "   " : "", row->place);
}

/* Entry by entry, in the order of the equations. Steps of a recurrence stand below it, indented,
 * and are part of its time. */
static inline void nn_profile_print(FILE *to, const nn_profile_row *rows, int n)
{
    const double whole = nn_profile_seconds(rows, 0, n);
    for (int i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && (rows[end].inside >= 0 ||
                                      !strcmp(rows[end].function, rows[i].function));)
            end++;
        if (!rows[i].calls) continue;
        const double seconds = nn_profile_seconds(rows, i, end);
        fprintf(to, "%s: %.0f calls, %.6f s in its kernels, %.2f %% of all\n", rows[i].function,
                (double)rows[i].calls, seconds, whole > 0 ? 100 * seconds / whole : 0.0);
        fprintf(to, "%8s %9s %11s %10s %10s %8s %8s%s   %s\n", "share", "calls", "seconds",
                "us/call", "least us", "GFLOP/s", "GB/s", NN_PROFILE_FLOOR, "equation");
        for (int k = i; k < end; k++)
            if (rows[k].calls) nn_profile_line(to, rows, &rows[k], whole);
        fprintf(to, "\n");
    }
}
#endif
