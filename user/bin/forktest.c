/* forktest [limit] -- fork until it fails (or up to a limit), then reap every child: nobody may be lost. */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "user/user.h"
#include "tool.h"

/* Children wait until the pipe they inherited has no writer left. */
static void wait_for_end(int fds[2])
{
    char byte;

    close(fds[1]);
    read(fds[0], &byte, 1);
    exit(0);
}

int main(int argc, char **argv)
{
    int64_t limit = argc > 1 ? number_argument(argv[1]) : 1000000;
    int fds[2], status, why = 0;
    long started = 0, reaped = 0, bad = 0;

    if (argc > 2)
        usage("[limit]");
    if (pipe(fds) < 0)
        err(1, "pipe");
    while (started < limit) {
        int pid = fork();
        if (pid == 0)
            wait_for_end(fds);
        if (pid < 0) {
            why = errno;
            break;
        }
        started++;
    }
    close(fds[0]);
    close(fds[1]);
    while (reaped < started && wait(&status) > 0) {
        reaped++;
        bad += status != 0;
    }
    if (why)
        printf("forktest: %ld children, then: %s\n", started, strerror(why));
    else
        printf("forktest: %ld children\n", started);
    if (reaped != started || bad != 0 || wait(&status) != -1) {
        printf("forktest: FAIL: %ld reaped, %ld with a bad status\n", reaped, bad);
        return 1;
    }
    printf("forktest: OK\n");
    return 0;
}
