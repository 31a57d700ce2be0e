/* test_lex.c - texts as tokens: kinds, values and places of each, doc comments, and what is no
 * token. */
#include "parse.h"
#include "parsing.h"

#include <check.h>
#include <string.h>

static Parser lex_bytes(const char *text, int length)
{
    fresh_start();
    Parser p = {.src = source_from_text("p.nn", text, length)};
    lex_source(&p);
    return p;
}

/* The tokens as they stand in the text, with a `|` between them. */
static const char *cut(const char *text)
{
    Parser p = lex_bytes(text, (int)strlen(text));
    Text out = {0};
    for (int i = 0; i < p.tokens.n - 1; i++)
        text_add(&out, "%s%s", i ? "|" : "", span_text(p.tokens.at[i].span));
    ck_assert_int_eq(p.tokens.at[p.tokens.n - 1].kind, END);
    return out.s ? out.s : "";
}

START_TEST(texts_are_cut_into_tokens)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"  // nothing\n\t/* at * all **/\r\n", ""},
        {"dim N in 1..64;", "dim|N|in|1|..|64|;"},
        {"1e-3 1.5e+10 2E5 0.5", "1e-3|1.5e+10|2E5|0.5"},
        {"1e 1.x 1...5 .5", "1|e|1|.|x|1|..|.|5|.|5"},
        {"a**b", "a|**|b"},
        {"x''@y'^-2", "x|'|'|@|y|'|^|-|2"},
        {"a|>b||c&&!d", "a||>|b||||c|&&|!|d"},
        {"a<=b>=c==d!=e<f>g=h~i", "a|<=|b|>=|c|==|d|!=|e|<|f|>|g|=|h|~|i"},
        {"a->b-c", "a|->|b|-|c"},
        {"Θ1 = σ(α_x);", "Θ1|=|σ|(|α_x|)|;"},
        {"\"a // b\" \"\" c", "\"a // b\"|\"\"|c"},
        {"a/*b*/c/b", "a|c|/|b"},
        {"_x x_1 inf informs", "_x|x_1|inf|informs"},
        {"\xEF\xBB\xBFx", "x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_str_eq(cut(cases[i][0]), cases[i][1]);
        if (strcmp(cases[i][0], "a**b")) ck_assert_int_eq(diag_errors(), 0);
    }
}
END_TEST

START_TEST(words_and_numbers_have_values)
{
    static const int kinds[] = {IMPORT,     AS,   CONST,     DIM,  FN,   LAYER,  ENTRY,   TRAINING,
                                TEST,       PARAM, STATE,    UPDATE, SCAN, NEXT, EMIT,    RETURN,
                                REQUIRE,    ASSERT, REPEAT,  CHECK_GRAD, GRAD, SURROGATE, IN,
                                NEW_WORD,   NAME, NAME};
    const char *text = "import as const dim fn layer entry training test param state update scan "
                       "next emit return require assert repeat check_grad grad surrogate in new "
                       "inf true";
    Parser p = lex_bytes(text, (int)strlen(text));
    for (int i = 0; i < p.tokens.n - 1; i++) ck_assert_int_eq(p.tokens.at[i].kind, kinds[i]);
    p = lex_bytes("real f16 f32 f64 i8 i32 u8 bool", 31);
    static const Elem elems[] = {ELEM_REAL, ELEM_F16, ELEM_F32, ELEM_F64,
                                 ELEM_I8,   ELEM_I32, ELEM_U8,  ELEM_BOOL};
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(p.tokens.at[i].kind, ELEM);
        ck_assert_int_eq(p.tokens.at[i].elem, elems[i]);
    }
    p = lex_bytes("12 1.5 2e1 0", 12);
    ck_assert(p.tokens.at[0].is_int && p.tokens.at[0].num == 12);
    ck_assert(!p.tokens.at[1].is_int && p.tokens.at[1].num == 1.5);
    ck_assert(!p.tokens.at[2].is_int && p.tokens.at[2].num == 20);
    ck_assert(p.tokens.at[3].is_int && p.tokens.at[3].num == 0);
    p = lex_bytes("\"a b\" name", 10);
    ck_assert_str_eq(p.tokens.at[0].text, "a b");
    ck_assert_ptr_eq(p.tokens.at[1].text, intern_str("name"));
}
END_TEST

static const char *doc_of_first(const char *text)
{
    DeclList decls = parse_text(text, -1);
    ck_assert_int_gt(decls.n, 0);
    return decls.at[0]->doc;
}

START_TEST(doc_comments_belong_to_what_follows)
{
    ck_assert_str_eq(doc_of_first("/// one\nconst a = 1;"), "one");
    ck_assert_str_eq(doc_of_first("/// one \n///  two\r\n///\n///three\n\nconst a = 1;"),
                     "one\n two\n\nthree");
    ck_assert_str_eq(doc_of_first("/// the file\n\n/// the item\nfn f(x: real) = x;"), "the item");
    ck_assert_str_eq(doc_of_first("/// one\n// not this\nentry f(x: real) = x;"), "one");
    ck_assert_ptr_null(doc_of_first("// one\nconst a = 1;"));
    ck_assert_ptr_null(doc_of_first("//// one\nconst a = 1;"));
    DeclList decls = parse_text("const a = 1; /// behind\nparam w: real = 0;\n"
                                "/// the state\nstate s: real = 0;\nlayer L(x: real) {\n"
                                "  /// the weight\n  param v: real = 0;\n  return v * x;\n}",
                                -1);
    ck_assert_ptr_null(decls.at[1]->doc);
    ck_assert_str_eq(decls.at[2]->doc, "the state");
    ck_assert_str_eq(decls.at[2]->stmt->doc, "the state");
    ck_assert_str_eq(decls.at[3]->body.at[0]->doc, "the weight");
    ck_assert_ptr_null(decls.at[3]->body.at[1]->doc);
}
END_TEST

START_TEST(bytes_that_are_no_text)
{
    static const struct { const char *text; int length, errors; } cases[] = {
        {"x = 1;\0", 7, 1},      {"\0\0\0x", 4, 1},           {"x\0y\0z", 5, 2},
        {"// \xFF\nx = 1;", 11, 1}, {"x = \"\xC0\x80\";", 9, 1},  {"\xED\xA0\x80", 3, 1},
        {"/* \x80 */ \xFE", 9, 2}, {"x = \x01;", 6, 1},       {"caf\xE9 = 1;", 9, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        parse_text(cases[i].text, cases[i].length);
        ck_assert_msg(diag_errors() == cases[i].errors, "case %d: %s", (int)i, printed_reports());
        ck_assert_ptr_nonnull(strstr(printed_reports(), "[E0105]"));
    }
}
END_TEST

START_TEST(nothing_is_read_behind_the_end)
{
    static const char *const ends[] = {"\"abc", "/* abc", "// abc", "/// abc", "1e", "1.", "\"",
                                       "/*", "/", "\xE2\x82", "a", "1", "\xEF\xBB", "**", "|"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        lex_bytes(ends[i], (int)strlen(ends[i]));
}
END_TEST

Suite *suite_lex(void)
{
    Suite *s = suite_create("lex");
    TCase *t = tcase_create("lex");
    tcase_add_test(t, texts_are_cut_into_tokens);
    tcase_add_test(t, words_and_numbers_have_values);
    tcase_add_test(t, doc_comments_belong_to_what_follows);
    tcase_add_test(t, bytes_that_are_no_text);
    tcase_add_test(t, nothing_is_read_behind_the_end);
    suite_add_tcase(s, t);
    return s;
}
