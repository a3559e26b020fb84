/* sync -- wait until everything written so far is on the disk. */
#include <err.h>
#include "user/user.h"

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        usage("");
    if (sync() < 0)
        err(1, "sync");
    return 0;
}
