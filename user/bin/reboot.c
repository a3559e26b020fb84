/* reboot -- write everything to the disk and start the machine again. */
#include <err.h>
#include "user/user.h"

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        usage("");
    reboot();
    err(1, "reboot");
}
