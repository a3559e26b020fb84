/*
 * sleepers N -- N tasks sleep; they must not make running ones slower (DESIGN 4), and all wake at the end.
 * Prints "SLEEPERS n alone A ns, among B ns": guest time of the same work before and while they sleep.
 */
#include <inttypes.h>
#include "user/tests/support.h"

/* Switches and calls: a byte back and forth between two tasks. */
static uint64_t ping_pong(int rounds)
{
    int there[2], back[2];
    char byte = 'p';

    pipe(there);
    pipe(back);
    int pid = fork();
    if (pid == 0) {
        while (read(there[0], &byte, 1) == 1 && byte == 'p')
            write(back[1], &byte, 1);
        exit(0);
    }
    uint64_t start = clock_ns();
    for (int i = 0; i < rounds; i++) {
        write(there[1], &byte, 1);
        read(back[0], &byte, 1);
    }
    uint64_t end = clock_ns();
    byte = 'e';
    write(there[1], &byte, 1);
    wait_for_task(pid, 0);
    close(there[0]), close(there[1]), close(back[0]), close(back[1]);
    return end - start;
}

int main(int argc, char **argv)
{
    int wanted = argc > 1 ? atoi(argv[1]) : 100, n = 0, status, bad = 0, fds[2];
    char byte;

    ping_pong(50);
    uint64_t alone = ping_pong(400);
    pipe(fds);
    for (; n < wanted; n++) {
        int pid = fork();
        if (pid < 0)
            break;
        if (pid == 0) {
            close(fds[1]);
            exit(read(fds[0], &byte, 1) == 0 ? 5 : 6);
        }
    }
    CHECK_EQ(n, wanted);
    struct kcounters c;
    kcounters(&c);
    CHECK(c.tasks_live >= (uint64_t)n);
    ping_pong(50);
    uint64_t among = ping_pong(400);
    printf("SLEEPERS %d alone %" PRIu64 " ns, among %" PRIu64 " ns\n", n, alone, among);
    close(fds[0]);
    close(fds[1]);
    for (int i = 0; i < n; i++) {
        status = -2;
        if (wait(&status) < 0 || status != 5)
            bad++;
    }
    CHECK_EQ(bad, 0);
    return check_summary("sleepers");
}
