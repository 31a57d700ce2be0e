#include <stdio.h>
#include "embed.h"
int main(void)
{
    embed line;
    embed_init(&line, 1);
    for (int i = 0; i < 1000; i++) embed_learn(&line, (float)(i % 3), 2 * (float)(i % 3) + 1, NULL);
    printf("f(10) = %.3f\n", (double)embed_predict(&line, 10, NULL));
    return 0;
}
