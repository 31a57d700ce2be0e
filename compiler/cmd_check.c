/* cmd_check.c - `nnc check`: reads, checks and lowers the file; the reports are the output. */
#include "command.h"

int cmd_check(void)
{
    int code;
    return load_program(&code) ? EXIT_OK : code;
}
