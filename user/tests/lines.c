/* lines -- prints on all harts at once, from programs and from the kernel: tests/test_lines.py looks whether each line is whole.
 * Half of the workers write lines, the others start children that die of a bad access and so cause fault: lines. */
#include "user/tests/support.h"

#define WORKERS 8                               /* even ones write, odd ones cause faults */
#define ROUNDS  100
#define FILLING "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"

static int load(void *address) { return *(volatile char *)address; }

static int write_lines(int worker)
{
    char line[100];
    int bad = 0;

    for (int round = 0; round < ROUNDS; round++) {
        int length = snprintf(line, sizeof line, "line %d %d %s\n", worker, round, FILLING);
        bad += write(1, line, (size_t)length) != length;
    }
    return bad;
}

static int cause_faults(void)
{
    int bad = 0;

    for (int round = 0; round < ROUNDS; round++)
        bad += in_child(load, 0) != -1;
    return bad;
}

int main(void)
{
    int bad = 0, status, fds[2], pids[WORKERS];
    char byte;

    pipe(fds);                                  /* its end is the start */
    for (int i = 0; i < WORKERS; i++)
        if ((pids[i] = fork()) == 0) {
            close(fds[1]);
            read(fds[0], &byte, 1);
            exit(i % 2 == 0 ? write_lines(i) : cause_faults());
        }
    close(fds[0]), close(fds[1]);
    for (int i = 0; i < WORKERS; i++) {
        status = -2;
        bad += wait_for_task(pids[i], &status) != pids[i] || status != 0;
    }
    printf("lines: %d bad\n", bad);
    return bad;
}
