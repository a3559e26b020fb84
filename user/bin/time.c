/* time command [argument...] -- run a command, then say on stderr how long it took; its status is ours. */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include "user/user.h"

int main(int argc, char **argv)
{
    int status = 0;

    if (argc < 2)
        usage("command [argument...]");
    uint64_t start = clock_ns();
    int pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        exec(argv[1], argv + 1);
        warn("%s", argv[1]);
        exit(errno == ENOENT ? 127 : 126);
    }
    wait_for_task(pid, &status);
    uint64_t us = (clock_ns() - start) / 1000;
    dprintf(2, "real %" PRIu64 ".%06" PRIu64 " s\n", us / 1000000, us % 1000000);
    return status;
}
