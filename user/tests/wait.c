/* wait, wait_for_task, exit: every status arrives once, at the right parent, and a bad address loses no child. */
#include "user/tests/support.h"

static int spawn(int status)
{
    int pid = fork();

    if (pid == 0)
        exit(status);
    return pid;
}

TEST(no_children)
{
    int status = 5;

    FAILS(wait(0), ECHILD);
    FAILS(wait(&status), ECHILD);
    CHECK_EQ(status, 5);
    FAILS(wait_for_task(getpid(), 0), EINVAL);          /* waiting for oneself would never end (A003-4) */
    FAILS(wait_for_task(1, 0), ECHILD);
    FAILS(wait_for_task(0, 0), ECHILD);
    FAILS(wait_for_task(-1, 0), ECHILD);
    FAILS(wait_for_task(0x7fffffff, 0), ECHILD);
    FAILS(wait_for_task((int)0x80000000, 0), ECHILD);
}

TEST(statuses_as_given_to_exit)
{
    static const int statuses[] = { 0, 1, 7, 127, 128, 255, 256, -1, -2, 0x7fffffff, (int)0x80000000 };
    int status;

    for (size_t i = 0; i < COUNT(statuses); i++) {
        status = 12345;
        int pid = spawn(statuses[i]);
        CHECK_EQ(wait(&status), pid);
        CHECK_EQ(status, statuses[i]);
    }
}

TEST(status_address_may_be_null)
{
    int pid = spawn(3);
    CHECK_EQ(wait(0), pid);
    pid = spawn(3);
    CHECK_EQ(wait_for_task(pid, 0), pid);
}

TEST(bad_status_address_loses_no_child)
{
    int status = -2, pid = spawn(9);

    for (size_t i = 1; i < BAD_POINTERS; i++) {         /* 0 is allowed */
        FAILS(wait((int *)bad_pointers[i]), EFAULT);
        FAILS(wait_for_task(pid, (int *)bad_pointers[i]), EFAULT);
    }
    FAILS(wait((int *)main_text()), EFAULT);
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 9);
}

TEST(status_may_be_misaligned)
{
    char buffer[16];
    int status, pid = spawn(77);

    CHECK_EQ(wait((int *)(buffer + 1)), pid);
    memcpy(&status, buffer + 1, sizeof status);
    CHECK_EQ(status, 77);
}

TEST(each_child_once)
{
    int pids[30], seen[30] = { 0 }, status;

    for (int i = 0; i < 30; i++)
        pids[i] = spawn(i);
    for (int i = 0; i < 30; i++) {
        int pid = wait(&status);
        CHECK(status >= 0 && status < 30);
        if (status >= 0 && status < 30) {
            CHECK_EQ(pid, pids[status]);
            seen[status]++;
        }
    }
    for (int i = 0; i < 30; i++)
        CHECK_EQ(seen[i], 1);
    FAILS(wait(0), ECHILD);
}

TEST(this_child_and_no_other)
{
    int status, first = spawn(1), second = spawn(2), third = spawn(3);

    CHECK_EQ(wait_for_task(second, &status), second);
    CHECK_EQ(status, 2);
    FAILS(wait_for_task(second, &status), ECHILD);      /* it is gone */
    CHECK_EQ(wait_for_task(third, &status), third);
    CHECK_EQ(status, 3);
    CHECK_EQ(wait(&status), first);
    CHECK_EQ(status, 1);
}

TEST(grandchildren_are_not_ours)
{
    int fds[2], grandchild = 0, status = -2;
    char byte;

    pipe(fds);
    int pid = fork();
    if (pid == 0) {
        grandchild = fork();
        if (grandchild == 0)
            exit(0);
        write(fds[1], &grandchild, sizeof grandchild);
        exit(5);
    }
    CHECK_EQ(read(fds[0], &grandchild, sizeof grandchild), sizeof grandchild);
    FAILS(wait_for_task(grandchild, 0), ECHILD);
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, 5);
    close(fds[1]);
    CHECK_EQ(read(fds[0], &byte, 1), 0);                /* the orphan has ended, too */
    close(fds[0]);
    FAILS(wait(0), ECHILD);
}

TEST(waits_for_a_child_that_still_runs)
{
    int fds[2], status = -2;
    char byte = 'x';

    pipe(fds);
    int pid = fork();
    if (pid == 0) {
        close(fds[1]);
        read(fds[0], &byte, 1);
        exit(byte == 'y' ? 4 : 5);
    }
    int releaser = fork();
    if (releaser == 0) {
        byte = 'y';
        write(fds[1], &byte, 1);
        exit(6);
    }
    close(fds[0]);
    close(fds[1]);
    CHECK_EQ(wait_for_task(pid, &status), pid);
    CHECK_EQ(status, 4);
    CHECK_EQ(wait_for_task(releaser, &status), releaser);
    CHECK_EQ(status, 6);
}

TEST(orphans_go_to_init)                        /* M7: the parent dies first */
{
    for (int i = 0; i < 20; i++) {
        int status = -2, pid = fork();
        if (pid == 0) {
            for (int j = 0; j < 3; j++)
                if (fork() == 0)
                    exit(fork() == 0 ? 1 : 2);
            exit(3);
        }
        CHECK_EQ(wait(&status), pid);
        CHECK_EQ(status, 3);
    }
    FAILS(wait(0), ECHILD);
}

int main(void)
{
    RUN(no_children);
    RUN(statuses_as_given_to_exit);
    RUN(status_address_may_be_null);
    RUN(bad_status_address_loses_no_child);
    RUN(status_may_be_misaligned);
    RUN(each_child_once);
    RUN(this_child_and_no_other);
    RUN(grandchildren_are_not_ours);
    RUN(waits_for_a_child_that_still_runs);
    RUN(orphans_go_to_init);
    return check_summary("wait");
}
