/* test_states.c - every state in which the parser can stop has a message. What goes in is the
 * report that bison wrote about the automaton, parse.output beside the test program. With lookahead
 * correction an error is found where the next token is first looked at: in a state that was just
 * entered by shifting a token, or by reductions that needed none. For each of those, every stack
 * that can lead there must fit a row of syntax_errors.def. */
#include "parsing.h"
#include "syntax.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_STATES = 1000, MAX_RULES = 500, MAX_STACK = 40, MAX_SEEN = 1 << 18, SHORT = 12 };

typedef struct Edge { const char *symbol; int to; } Edge;
typedef struct State {
    VEC(Edge) edges;
    VEC(int) before;                        /* states with an edge to this one */
    const char *symbol;                     /* on every edge to this one */
    const char *item;                       /* the first item, to be shown */
    int default_rule;                       /* 0: none */
    bool looks_ahead;                       /* acts differently by the next token */
    bool is_fresh;                          /* can be entered before the next token is known */
} State;

static State states[MAX_STATES];
static struct { const char *left; int length; } rules[MAX_RULES];
static int n_states;

/* ---- reading parse.output ------------------------------------------------------------------- */

static char *read_report(void)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 20);
    ck_assert_int_gt(n, 0);
    path[n] = 0;
    strcpy(strrchr(path, '/') + 1, "parse.output");
    const Source *s = source_read(path);
    ck_assert_msg(s != NULL, "cannot read %s", path);
    return (char *)(uintptr_t)s->text;
}

/* The symbol at *s without its quotes; *s moves behind it and the blanks after it. */
static const char *read_symbol(char **s)
{
    size_t n = strcspn(*s, " ");
    const char *symbol = **s == '"' ? intern(*s + 1, n - 2) : intern(*s, n);
    *s += n + strspn(*s + n, " ");
    return symbol;
}

static void add_edge(int from, const char *symbol, int to)
{
    vec_push(&states[from].edges, ((Edge){symbol, to}));
    vec_push(&states[to].before, from);
    states[to].symbol = symbol;
}

/* "   12 left: a b" or "   13     | a b" */
static void read_rule(char *line, const char **left)
{
    int number = (int)strtol(line, &line, 10), length = 0;
    line += strspn(line, " ");
    if (*line != '|') *left = intern(line, strcspn(line, ":"));
    line += strcspn(line, ":|") + 1;
    for (line += strspn(line, " "); *line; length++) read_symbol(&line);
    ck_assert_int_lt(number, MAX_RULES);
    rules[number].left = *left;
    rules[number].length = strstr(line - 6, "%empty") ? 0 : length;
}

static void read_state_line(State *s, char *line)
{
    char *to;
    line += strspn(line, " ");
    if (line[0] >= '0' && line[0] <= '9') {
        if (!s->item) s->item = intern_str(line);
        return;
    }
    const char *symbol = read_symbol(&line);
    if ((to = strstr(line, "go to state "))) {
        add_edge((int)(s - states), symbol, atoi(to + 12));
        if (strncmp(line, "shift", 5) == 0) s->looks_ahead = true;
    } else if (strncmp(line, "reduce using rule ", 18) == 0) {
        if (strcmp(symbol, "$default") == 0) s->default_rule = atoi(line + 18);
        else s->looks_ahead = true;
    } else if (strncmp(line, "error", 5) == 0) {
        s->looks_ahead = true;
    }
}

static void read_automaton(void)
{
    const char *left = NULL;
    bool in_grammar = false;
    State *s = NULL;
    for (char *line = read_report(), *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        if (strcmp(line, "Grammar") == 0) in_grammar = true;
        if (strncmp(line, "Terminals", 9) == 0) in_grammar = false;
        if (strncmp(line, "State ", 6) == 0) {
            n_states = atoi(line + 6) + 1;
            ck_assert_int_le(n_states, MAX_STATES);
            s = &states[n_states - 1];
        } else if (in_grammar && line[0] == ' ') {
            read_rule(line, &left);
        } else if (s && line[0] == ' ') {
            read_state_line(s, line);
        }
    }
    ck_assert_int_gt(n_states, 100);
}

/* ---- where the next token is first looked at ------------------------------------------------ */

static void mark_fresh(int state);

/* Marks what is reached from `state` by popping `depth` more symbols and going over `left`. */
static void mark_after_reduction(int state, int depth, const char *left)
{
    if (depth > 0) {
        for (int i = 0; i < states[state].before.n; i++)
            mark_after_reduction(states[state].before.at[i], depth - 1, left);
        return;
    }
    for (int i = 0; i < states[state].edges.n; i++)
        if (strcmp(states[state].edges.at[i].symbol, left) == 0)
            mark_fresh(states[state].edges.at[i].to);
}

static void mark_fresh(int state)
{
    State *s = &states[state];
    if (s->is_fresh) return;
    s->is_fresh = true;
    if (s->looks_ahead || !s->default_rule) return;
    mark_after_reduction(state, rules[s->default_rule].length, rules[s->default_rule].left);
}

static bool is_token(const char *symbol)
{
    for (int i = 1; i < MAX_RULES; i++)
        if (rules[i].left && strcmp(rules[i].left, symbol) == 0) return false;
    return true;
}

static void mark_all_fresh(void)
{
    mark_fresh(0);
    for (int i = 0; i < n_states; i++)
        if (states[i].symbol && is_token(states[i].symbol)) mark_fresh(i);
}

/* ---- every stack that leads there ----------------------------------------------------------- */

static const char *seen[MAX_SEEN];

/* True when the text was not seen before. */
static bool note(const char *text)
{
    const char *s = intern_str(text);
    size_t i = ((uintptr_t)s >> 4) % MAX_SEEN;
    while (seen[i] && seen[i] != s) i = (i + 1) % MAX_SEEN;
    if (seen[i] == s) return false;
    seen[i] = s;
    return true;
}

/* Extends the stack, the last symbol first, downwards from `state` until a row fits. Returns the
 * number of stacks for which none does. */
static int count_uncovered(int origin, int state, const char **stack, int depth)
{
    const char *shorter[SHORT], *hint;
    stack[depth++] = state == 0 ? "START" : states[state].symbol;
    int n = stack_collapse(stack, depth, shorter, SHORT);
    if (syntax_message(shorter, n, &hint)) return 0;
    Text key = {0};
    text_add(&key, "%d %d %s", origin, state, depth > 1 ? stack[depth - 2] : "");
    for (int i = 0; i < n; i++) text_add(&key, " %s", shorter[i]);
    if (!note(key.s)) return 0;
    if (state == 0 || n == SHORT || depth == MAX_STACK) {
        fprintf(stderr, "no message for state %d, %s\n  %s\n", origin, states[origin].item, key.s);
        return 1;
    }
    int uncovered = 0;
    for (int i = 0; i < states[state].before.n; i++)
        uncovered += count_uncovered(origin, states[state].before.at[i], stack, depth);
    return uncovered;
}

START_TEST(every_error_state_has_a_message)
{
    fresh_start();
    memset(states, 0, sizeof states);
    memset(rules, 0, sizeof rules);
    memset(seen, 0, sizeof seen);
    read_automaton();
    mark_all_fresh();
    const char *stack[MAX_STACK];
    int checked = 0, uncovered = 0;
    for (int i = 0; i < n_states; i++) {
        if (!states[i].is_fresh || !states[i].looks_ahead) continue;
        checked++;
        uncovered += count_uncovered(i, i, stack, 0);
    }
    ck_assert_int_gt(checked, 100);
    ck_assert_int_eq(uncovered, 0);
}
END_TEST

Suite *suite_states(void)
{
    Suite *s = suite_create("states");
    TCase *t = tcase_create("states");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, every_error_state_has_a_message);
    suite_add_tcase(s, t);
    return s;
}
