/* turns.c - asks processes for times, in turn: A B C, A B C, .. so that the load of the machine is
 * the same for all, and keeps the least. With THREADS=1 they all run on one processor, whatever
 * threads they start: there, whoever reads the processor's time of its process, no other thread of
 * it is running, whose time the system would add only later.
 *   turns ROUNDS SECONDS TASK.. <LIST      LIST: lines "LABEL COMMAND", run by the shell
 * Prints lines "LABEL TASK MICROSECONDS"; tasks that a process does not have are left out, so is a
 * process that does not start, with a line on the error stream. See serve.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 16, MOST_TASKS = 64 };

typedef struct Child {
    char label[64];
    pid_t pid;
    FILE *ask, *answer;             /* NULL once it is gone */
    double best[MOST_TASKS];        /* 0: not asked yet, < 0: it does not have the task */
} Child;

/* This process, and those it starts, on the processor it is on. */
static void pin(void)
{
#ifdef __linux__
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) perror("bench: sched_setaffinity");
#endif
}

static void start(Child *c, const char *command)
{
    int down[2], up[2];
    if (pipe(down) != 0 || pipe(up) != 0 || (c->pid = fork()) < 0) {
        perror("turns");
        exit(1);
    }
    fcntl(down[1], F_SETFD, FD_CLOEXEC);        /* or the next child holds them open */
    fcntl(up[0], F_SETFD, FD_CLOEXEC);
    if (c->pid == 0) {
        dup2(down[0], 0);
        dup2(up[1], 1);
        close(down[1]);
        close(up[0]);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(down[0]);
    close(up[1]);
    c->ask = fdopen(down[1], "w");
    c->answer = fdopen(up[0], "r");
}

/* The next line of a child, without its end; false, with a report, when there is none. */
static int hear(Child *c, char *line, int size)
{
    if (c->ask && c->answer && fgets(line, size, c->answer)) {
        line[strcspn(line, "\n")] = '\0';
        return 1;
    }
    if (c->ask) fprintf(stderr, "bench: without %s: the process ended\n", c->label);
    c->ask = NULL;
    return 0;
}

/* Reads "LABEL COMMAND" lines; waits for each process, so that no two prepare at once. */
static int start_all(Child *children)
{
    char line[4096];
    int n = 0, at;
    while (n < MOST && fgets(line, sizeof line, stdin)) {
        Child *c = &children[n];
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%63s %n", c->label, &at) != 1) continue;
        start(c, line + at);
        if (hear(c, line, sizeof line)) n++;
    }
    return n;
}

static void ask(Child *c, int task, const char *name, const char *limit)
{
    char line[256];
    if (!c->ask || c->best[task] < 0) return;
    fprintf(c->ask, "%s %s\n", name, limit);
    fflush(c->ask);
    if (!hear(c, line, sizeof line)) return;
    double us = line[0] == '-' ? -1 : strtod(line, NULL);
    if (us < 0 || c->best[task] == 0 || us < c->best[task]) c->best[task] = us;
}

int main(int argc, char **argv)
{
    static Child children[MOST];
    if (argc < 4 || argc - 3 > MOST_TASKS) {
        fputs("usage: turns ROUNDS SECONDS TASK.. <LIST\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    const char *threads = getenv("THREADS");
    if (threads && !strcmp(threads, "1")) pin();
    int n = start_all(children);
    for (int round = 0; round < atoi(argv[1]); round++)
        for (int task = 3; task < argc; task++)
            for (int i = 0; i < n; i++) ask(&children[i], task - 3, argv[task], argv[2]);
    for (int i = 0; i < n; i++) {
        for (int task = 3; task < argc; task++)
            if (children[i].best[task - 3] > 0)
                printf("%s %s %.6f\n", children[i].label, argv[task], children[i].best[task - 3]);
        if (children[i].ask) fclose(children[i].ask);
        waitpid(children[i].pid, NULL, 0);
    }
    return 0;
}
