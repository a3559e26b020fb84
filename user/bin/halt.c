/* halt [status] -- write everything to the disk and switch the machine off; QEMU exits with the status (0). */
#include <err.h>
#include "user/user.h"
#include "tool.h"

int main(int argc, char **argv)
{
    if (argc > 2)
        usage("[status]");
    halt(argc > 1 ? (int)number_argument(argv[1]) : 0);
    err(1, "halt");
}
