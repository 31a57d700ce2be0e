/* test_runtime_file.c - files: what is written is read back, and whatever is not exactly the
 * model's is refused, with a message that says why and without touching the model. */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "nn.h"

Suite *suite_runtime_file(void);

typedef struct Params {
    float W[3][2];
    double scale;
    float b[2];
    int32_t none[0 + 1]; /* described as empty */
} Params;

typedef struct State {
    uint64_t seed;
    Params m;
    unsigned char mask[5];
} State;

static const nn_tensor params_table[] = {
    {"fc.W", offsetof(Params, W), NN_F32, 2, {3, 2}},
    {"scale", offsetof(Params, scale), NN_F64, 0, {0}},
    {"none", offsetof(Params, none), NN_I32, 2, {0, 7}},
    {"b", offsetof(Params, b), NN_F32, 1, {2}},
};

static const nn_tensor state_table[] = {
    {"seed", offsetof(State, seed), NN_U64, 0, {0}},
    {"m.fc.W", offsetof(State, m.W), NN_F32, 2, {3, 2}},
    {"mask \"\\\n\xc3\xa9", offsetof(State, mask), NN_BOOL, 1, {5}},
};

static char path[64], other[80], error[400];

static void set_up(void)
{
    snprintf(path, sizeof path, "/tmp/nn_test_%ld.safetensors", (long)getpid());
    snprintf(other, sizeof other, "%s.tmp", path);
    error[0] = '\0';
}

static void tear_down(void)
{
    remove(path);
    remove(other);
}

static const Params some = {{{1, 2}, {3, 4}, {5, 6}}, 0.1, {-0.0f, 8}, {9}};

static int load(Params *p)
{
    return nn_load(path, params_table, 4, p, error, sizeof error);
}

static size_t read_file(char *text, size_t size)
{
    FILE *f = fopen(path, "rb");
    size_t n;
    ck_assert_ptr_nonnull(f);
    n = fread(text, 1, size, f);
    fclose(f);
    return n;
}

static void write_file(const char *text, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, size, f), size);
    fclose(f);
}

/* Writes a header and `data` bytes, and expects loading to fail with a message that contains
 * `why` (NULL: to succeed). */
static void expect(const char *header, size_t data, const char *why)
{
    static char text[4096];
    size_t n = strlen(header);
    Params p, before;
    memset(text, 0, sizeof text);
    text[0] = (char)(n & 255);
    text[1] = (char)(n >> 8);
    memcpy(text + 8, header, n);
    write_file(text, 8 + n + data);
    memset(&p, 0x55, sizeof p);
    memcpy(&before, &p, sizeof p);
    if (!why) {
        ck_assert_msg(load(&p) == 0, "%s: %s", header, error);
        return;
    }
    ck_assert_msg(load(&p) == -1, "accepted: %s", header);
    ck_assert_msg(strstr(error, why) != NULL, "\"%s\" does not say \"%s\"", error, why);
    ck_assert_mem_eq(&p, &before, sizeof p);
}

#define W_ "\"fc.W\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]}"
#define S_ "\"scale\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[24,32]}"
#define N_ "\"none\":{\"dtype\":\"I32\",\"shape\":[0,7],\"data_offsets\":[32,32]}"
#define B_ "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[32,40]}"
#define ALL W_ "," S_ "," N_ "," B_

START_TEST(round_trip)
{
    Params p;
    char text[600];
    memset(&p, 0, sizeof p);
    ck_assert_int_eq(nn_save(path, params_table, 4, &some, error, sizeof error), 0);
    ck_assert_int_eq(access(other, F_OK), -1);
    ck_assert_int_eq(load(&p), 0);
    ck_assert_mem_eq(p.W, some.W, sizeof p.W);
    ck_assert_mem_eq(&p.scale, &some.scale, sizeof p.scale);
    ck_assert_mem_eq(p.b, some.b, sizeof p.b);
    size_t n = read_file(text, sizeof text);
    ck_assert_uint_eq((unsigned char)text[0] % 8, 0);
    ck_assert_uint_eq(n, 8 + (size_t)(unsigned char)text[0] + ((size_t)text[1] << 8) + 40);
    ck_assert_mem_eq(text + 8, "{" ALL "}", strlen("{" ALL "}"));
}
END_TEST

/* parameters and state in one file, names that need escapes, saving over an existing file */
START_TEST(several_structs)
{
    Params p = some, q;
    State s, t;
    memset(&s, 0, sizeof s);
    memset(&q, 0, sizeof q);
    memset(&t, 0, sizeof t);
    s.seed = 0xfedcba9876543210u;
    s.m.W[2][1] = 7.5f;
    memcpy(s.mask, "\1\0\1\1\0", 5);
    nn_group out[2] = {{"params.", params_table, 4, &p}, {"", state_table, 3, &s}};
    nn_group in[2] = {{"", state_table, 3, &t}, {"params.", params_table, 4, &q}};
    for (int n = 0; n < 2; n++)
        ck_assert_int_eq(nn_save_groups(path, out, 2, error, sizeof error), 0);
    ck_assert_msg(nn_load_groups(path, in, 2, error, sizeof error) == 0, "%s", error);
    ck_assert_uint_eq(t.seed, s.seed);
    ck_assert_mem_eq(t.m.W, s.m.W, sizeof t.m.W);
    ck_assert_mem_eq(t.mask, s.mask, sizeof t.mask);
    ck_assert_mem_eq(q.W, p.W, sizeof q.W);
    ck_assert_int_eq(load(&q), -1);
    ck_assert_ptr_nonnull(strstr(error, "params.fc.W is not in the model"));
}
END_TEST

START_TEST(what_is_accepted)
{
    expect("{" ALL "}", 40, NULL);
    expect("{" B_ "," N_ "," S_ "," W_ "}   ", 40, NULL);
    expect("{ \"__metadata__\" : {\"a\":\"b\\u00e9\\ud83d\\ude00\", \"c\":\"\"} , " ALL " }", 40,
           NULL);
    expect("{\"__metadata__\":{}," ALL "}\n", 40, NULL);
    expect("{\"fc\\u002eW\":{\"shape\":[ 3 ,2],\"data_offsets\":[0,24],\"dtype\":\"F32\"}," S_ ","
           N_ "," B_ "}", 40, NULL);
}
END_TEST

START_TEST(what_does_not_fit)
{
    expect("{" W_ "," S_ "," N_ "}", 32, "tensor b is missing");
    expect("{" ALL ",\"x\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[40,44]}}", 44,
           "tensor x is not in the model");
    expect("{" ALL "," W_ "}", 40, "fc.W is there twice");
    expect("{\"fc.W\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", 40,
           "tensor fc.W has shape [2,3], the model has [3,2]");
    expect("{\"scale\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[24,32]}}", 40,
           "tensor scale has shape [1], the model has []");
    expect("{\"b\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 40,
           "tensor b has type F16, the model has F32");
    expect("{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 40,
           "tensor b has 4 bytes, its shape needs 8");
    expect("{" W_ "," S_ "," N_ ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],"
           "\"data_offsets\":[28,36]}}", 40, "tensor b overlaps another");
    expect("{" W_ "," S_ "," N_ ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],"
           "\"data_offsets\":[36,44]}}", 44, "tensor b comes after a gap");
    expect("{" W_ "," S_ "," N_ ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],"
           "\"data_offsets\":[400,408]}}", 40, "tensor b ends past the end");
    expect("{" ALL "}", 39, "ends past the end");
    expect("{" ALL "}", 41, "41 bytes of data, the model has 40");
    expect("{}", 0, "is missing");
}
END_TEST

START_TEST(what_is_not_the_format)
{
    expect("", 0, "does not begin with {");
    expect(" {" ALL "}", 40, "does not begin with {");
    expect("[]", 40, "does not begin with {");
    expect("{" ALL, 40, ", or } expected");
    expect("{" ALL ",}", 40, "\" expected");
    expect("{" ALL "} x", 40, "text after the end");
    expect("{\"b\" {}}", 40, ": expected");
    expect("{\"b\":7}", 40, "{ expected");
    expect("{\"b\":{}}", 40, "\" expected");
    expect("{\"b\":{\"dtype\":\"F32\"}}", 40, "missing");
    expect("{\"b\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 40, "key given twice");
    expect("{\"b\":{\"kind\":\"F32\"}}", 40, "unknown key");
    expect("{\"b\":{\"dtype\":\"FLOATING\"}}", 40, "string too long");
    expect("{\"b\":{\"shape\":[-1]}}", 40, "number expected");
    expect("{\"b\":{\"shape\":[01]}}", 40, "number expected");
    expect("{\"b\":{\"shape\":[1.5]}}", 40, ", or ] expected");
    expect("{\"b\":{\"shape\":[18446744073709551616]}}", 40, "number too large");
    expect("{\"b\":{\"shape\":[1,1,1,1,1,1,1,1,1]}}", 40, "list too long");
    expect("{\"b\":{\"data_offsets\":[1]}}", 40, "not a range");
    expect("{\"b\":{\"data_offsets\":[2,1]}}", 40, "not a range");
    expect("{\"b\":{\"data_offsets\":[1,2,3]}}", 40, "list too long");
    expect("{\"a\nb\":{}}", 40, "control character");
    expect("{\"a\\x\":{}}", 40, "unknown escape");
    expect("{\"a\\u00g0\":{}}", 40, "bad \\u escape");
    expect("{\"a\\u0000\":{}}", 40, "a zero in it");
    expect("{\"a\\ud800x\":{}}", 40, "surrogate");
    expect("{\"a\\ud800\\u0041\":{}}", 40, "surrogate");
    expect("{\"a\\udc00\":{}}", 40, "surrogate");
    expect("{\"__metadata__\":{\"a\":{\"b\":\"c\"}}," ALL "}", 40, "\" expected");
    expect("{\"__metadata__\":{},\"__metadata__\":{}," ALL "}", 40, "given twice");
    expect("{\"abc", 0, "string without end");
    expect("{\"abc\\", 0, "string without end");
}
END_TEST

/* a file cut off anywhere is refused */
START_TEST(truncated)
{
    char text[600];
    Params p;
    ck_assert_int_eq(nn_save(path, params_table, 4, &some, error, sizeof error), 0);
    size_t n = read_file(text, sizeof text);
    for (size_t cut = 0; cut < n; cut++) {
        write_file(text, cut);
        memset(&p, 0x55, sizeof p);
        ck_assert_msg(load(&p) == -1, "accepted %zu of %zu bytes", cut, n);
        ck_assert_int_eq(*(unsigned char *)p.W, 0x55);
        ck_assert_ptr_nonnull(strstr(error, path));
    }
}
END_TEST

/* A byte changed in the header is refused or makes no difference; nothing else may happen. */
START_TEST(changed)
{
    char text[600];
    Params p;
    ck_assert_int_eq(nn_save(path, params_table, 4, &some, error, sizeof error), 0);
    size_t n = read_file(text, sizeof text);
    for (size_t at = 0; at < n - 40; at++)
        for (int bit = 0; bit < 8; bit++) {
            text[at] = (char)(text[at] ^ 1 << bit);
            write_file(text, n);
            memset(&p, 0x55, sizeof p);
            if (load(&p) == 0)
                ck_assert_mem_eq(p.W, some.W, sizeof p.W);
            else
                ck_assert_int_eq(*(unsigned char *)p.W, 0x55);
            text[at] = (char)(text[at] ^ 1 << bit);
        }
}
END_TEST

START_TEST(no_file)
{
    Params p;
    ck_assert_int_eq(load(&p), -1);
    ck_assert_ptr_nonnull(strstr(error, "cannot open"));
    ck_assert_int_eq(nn_load(path, params_table, 4, &p, NULL, 0), -1);
    ck_assert_int_eq(nn_load(path, params_table, 4, &p, error, 5), -1);
    ck_assert_uint_eq(strlen(error), 4);
    ck_assert_int_eq(nn_save("/nonexistent/x", params_table, 4, &p, error, sizeof error), -1);
    ck_assert_ptr_nonnull(strstr(error, "cannot create"));
}
END_TEST

/* a failed save leaves the old file */
START_TEST(full_disk)
{
    Params p;
    if (access("/dev/full", W_OK) != 0)
        return;
    ck_assert_int_eq(nn_save(path, params_table, 4, &some, error, sizeof error), 0);
    ck_assert_int_eq(symlink("/dev/full", other), 0);
    ck_assert_int_eq(nn_save(path, params_table, 4, &p, error, sizeof error), -1);
    ck_assert_ptr_nonnull(strstr(error, "writing failed"));
    ck_assert_int_eq(load(&p), 0);
    ck_assert_mem_eq(p.W, some.W, sizeof p.W);
}
END_TEST

Suite *suite_runtime_file(void)
{
    Suite *s = suite_create("runtime: files");
    TCase *t = tcase_create("file");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, several_structs);
    tcase_add_test(t, what_is_accepted);
    tcase_add_test(t, what_does_not_fit);
    tcase_add_test(t, what_is_not_the_format);
    tcase_add_test(t, truncated);
    tcase_add_test(t, changed);
    tcase_add_test(t, no_file);
    tcase_add_test(t, full_disk);
    suite_add_tcase(s, t);
    return s;
}
