/* embed.c - a build tool: files given as arguments become one C file on standard output, with a
 * table of name and text. Names are shown from the parent folder on: std/nn.nn, runtime/nn.h. */
#include <stdio.h>
#include <string.h>

static const char *short_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *p = slash;
    while (p && p > path && p[-1] != '/') p--;
    return p ? p : path;
}

static int write_bytes(const char *path, int index)
{
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    printf("static const char text%d[] = {", index);
    int c, n = 0;
    while ((c = fgetc(f)) != EOF) printf("%s%d,", n++ % 24 ? "" : "\n", c > 127 ? c - 256 : c);
    printf("0};\n");
    return fclose(f) == 0;
}

int main(int argc, char **argv)
{
    printf("#include \"embedded.h\"\n");
    for (int i = 1; i < argc; i++)
        if (!write_bytes(argv[i], i)) {
            fprintf(stderr, "embed: cannot read %s\n", argv[i]);
            return 1;
        }
    printf("const EmbeddedFile embedded_files[] = {\n");
    for (int i = 1; i < argc; i++)
        printf("    {\"%s\", text%d, sizeof text%d - 1},\n", short_name(argv[i]), i, i);
    printf("    {0, 0, 0}\n};\n");
    return 0;
}
