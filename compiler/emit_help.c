/* emit_help.c - small functions of the generated code for what the runtime does not have: integer
 * arithmetic as the language defines it, conversions that saturate, half precision. Only those are
 * written that are called. */
#include "emit.h"

typedef struct Helper {
    const char *name, *text;
} Helper;

#define EACH_INT "NN_INLINE int32_t "
static const Helper helpers[] = {
    {"nn_min2", "#define nn_min2 nn_fmin\n"},
    {"nn_max2", "#define nn_max2 nn_fmax\n"},
    {"nn_min2_d", "#define nn_min2_d nn_fmin_d\n"},
    {"nn_max2_d", "#define nn_max2_d nn_fmax_d\n"},
    {"nn_keep",
     "/* a where c holds, else 0, without a jump */\n"
     "NN_INLINE float nn_keep(int c, float a)\n{\n"
     "    return nn_float(nn_bits(a) & (0u - (uint32_t)c));\n}\n"},
    {"nn_row",
     "NN_INLINE int nn_row(int32_t i, int rows, const char *place)\n{\n"
     "    if (i < 0 || i >= rows) NN_TRAP(place, i, rows);\n    return i;\n}\n"},
    {"nn_mod", "NN_INLINE float nn_mod(float a, float b) { return a - b * nn_floor(a / b); }\n"},
    {"nn_mod_d",
     "NN_INLINE double nn_mod_d(double a, double b) { return a - b * nn_floor_d(a / b); }\n"},
    {"nn_min2_i", EACH_INT "nn_min2_i(int32_t a, int32_t b) { return a <= b ? a : b; }\n"},
    {"nn_max2_i", EACH_INT "nn_max2_i(int32_t a, int32_t b) { return a >= b ? a : b; }\n"},
    {"nn_abs_i", EACH_INT "nn_abs_i(int32_t a) { return a < 0 ? -a : a; }\n"},
    {"nn_sign_i", EACH_INT "nn_sign_i(int32_t a) { return (a > 0) - (a < 0); }\n"},
    {"nn_floor_i", EACH_INT "nn_floor_i(int32_t a) { return a; }\n"},
    {"nn_ceil_i", EACH_INT "nn_ceil_i(int32_t a) { return a; }\n"},
    {"nn_round_i", EACH_INT "nn_round_i(int32_t a) { return a; }\n"},
    {"nn_div_i",
     EACH_INT "nn_div_i(int32_t a, int32_t b) /* rounded down; 0 for b = 0 */\n{\n"
              "    return b == 0 ? 0 : a / b - (a % b != 0 && (a < 0) != (b < 0));\n}\n"},
    {"nn_mod_i",
     EACH_INT "nn_mod_i(int32_t a, int32_t b) /* with the sign of b */\n{\n"
              "    return b == 0 ? 0 : a % b + (a % b != 0 && (a < 0) != (b < 0) ? b : 0);\n}\n"},
    {"nn_pow_i", EACH_INT "nn_pow_i(int32_t a, int32_t n)\n{\n"
                          "    uint32_t y = 1, square = (uint32_t)a;\n"
                          "    if (n < 0) return a == 1 ? 1 : a == -1 ? (n % 2 ? -1 : 1) : 0;\n"
                          "    for (; n; n >>= 1, square *= square)\n"
                          "        if (n & 1) y *= square;\n"
                          "    return (int32_t)y;\n}\n"},
    {"nn_to_i32", EACH_INT "nn_to_i32(float x)\n{\n"
                           "    return x >= 2147483648.0f ? INT32_MAX : x >= -2147483648.0f ? "
                           "(int32_t)x : x < 0.0f ? INT32_MIN : 0;\n}\n"},
    {"nn_to_i32_d", EACH_INT "nn_to_i32_d(double x)\n{\n"
                             "    return x >= 2147483647.0 ? INT32_MAX : x >= -2147483648.0 ? "
                             "(int32_t)x : x < 0.0 ? INT32_MIN : 0;\n}\n"},
    {"nn_to_i8", EACH_INT "nn_to_i8(float x) { return x >= 127.0f ? 127 : x >= -128.0f ? "
                          "(int32_t)x : x < 0.0f ? -128 : 0; }\n"},
    {"nn_to_i8_d", EACH_INT "nn_to_i8_d(double x) { return x >= 127.0 ? 127 : x >= -128.0 ? "
                            "(int32_t)x : x < 0.0 ? -128 : 0; }\n"},
    {"nn_to_u8",
     EACH_INT "nn_to_u8(float x) { return x >= 255.0f ? 255 : x >= 0.0f ? (int32_t)x : 0; }\n"},
    {"nn_to_u8_d",
     EACH_INT "nn_to_u8_d(double x) { return x >= 255.0 ? 255 : x >= 0.0 ? (int32_t)x : 0; }\n"},
    {"nn_from_half",
     "NN_INLINE float nn_from_half(uint16_t h)\n{\n"
     "    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = h & 0x7fffu;\n"
     "    float small = (float)rest * 5.9604644775390625e-8f; /* 2^-24 */\n"
     "    uint32_t bits = rest >= 0x7c00u ? (rest << 13) + 0x70000000u : (rest << 13) + "
     "0x38000000u;\n"
     "    return nn_float(rest < 0x400u ? nn_bits(small) | sign : bits | sign);\n}\n"},
    {"nn_half",
     "NN_INLINE uint16_t nn_half(float x) /* to the nearest, ties to even */\n{\n"
     "    uint32_t b = nn_bits(x), sign = b >> 16 & 0x8000u, a = b & 0x7fffffffu;\n"
     "    float tiny = nn_float(a) + 0.5f; /* aligns the lowest bit of a small result */\n"
     "    uint32_t small = nn_bits(tiny) - 0x3f000000u;\n"
     "    uint32_t wide = (a + 0xfffu + (a >> 13 & 1u) - 0x38000000u) >> 13;\n"
     "    uint32_t y = a < 0x38800000u ? small : wide > 0x7c00u ? 0x7c00u : wide;\n"
     "    return (uint16_t)(sign | (a > 0x7f800000u ? 0x7e00u : y));\n}\n"},
    {"nn_round_half",
     "NN_INLINE float nn_round_half(float x) { return nn_from_half(nn_half(x)); }\n"},
};

/* By the functions, or by a helper further down. */
static bool is_called(const char *functions, size_t i)
{
    bool called = has_word(functions, helpers[i].name);
    for (size_t k = i + 1; !called && k < sizeof helpers / sizeof *helpers; k++)
        called = has_word(helpers[k].text, helpers[i].name) && is_called(functions, k);
    return called;
}

void print_helpers(Text *out, const char *functions)
{
    for (size_t i = 0; i < sizeof helpers / sizeof *helpers; i++) {
        const Helper *h = &helpers[i];
        if (!is_called(functions, i)) continue;
        if (h->text[0] == '#')
            text_add(out, "#ifndef %s\n%s#endif\n", h->name, h->text);
        else
            text_add(out, "\n#define %s NN_NAME(%s)\n%s", h->name, h->name, h->text);
    }
}
