/* kill: the victim ends with status -1 wherever it is; nobody else does (M9). */
#include "user/tests/support.h"

TEST(bad_numbers)
{
    FAILS(kill(0), EINVAL);
    FAILS(kill((int)0x80000000), EINVAL);
    FAILS(kill(0x7fffffff), ESRCH);
    FAILS(kill(-0x7fffffff), ESRCH);
}

TEST(init_cannot_be_killed)
{
    FAILS(kill(1), EPERM);
}

TEST(kernel_tasks_cannot_be_killed)
{
    static struct task_info rows[128];
    int count = tasklist(rows, COUNT(rows)), seen = 0;

    for (int i = 0; i < count && i < (int)COUNT(rows); i++)
        if (rows[i].kernel_only) {
            FAILS(kill(rows[i].pid), EPERM);
            seen++;
        }
    CHECK(seen >= 0);
}

static void kill_and_reap(int pid)
{
    int status = 5;

    CHECK_EQ(kill(pid), 0);
    CHECK_EQ(wait_for_task(pid, &status), pid);
    CHECK_EQ(status, -1);
    FAILS(kill(pid), ESRCH);                    /* it is gone */
}

TEST(one_that_computes)
{
    int pid = fork();
    if (pid == 0)
        for (;;)
            __asm__ volatile("");
    kill_and_reap(pid);
}

TEST(one_that_sleeps)
{
    int pid = fork();
    if (pid == 0) {
        pause(0x7fffffff);
        exit(3);
    }
    kill_and_reap(pid);
}

TEST(one_that_reads_an_empty_pipe)
{
    int fds[2];
    char byte;

    pipe(fds);
    int pid = fork();
    if (pid == 0) {
        read(fds[0], &byte, 1);
        exit(3);
    }
    kill_and_reap(pid);
    CHECK_EQ(write(fds[1], "z", 1), 1);         /* the pipe still works */
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(byte, 'z');
    close(fds[0]);
    close(fds[1]);
}

TEST(one_that_writes_a_full_pipe)
{
    static char block[4096];
    int fds[2];
    char byte;

    pipe(fds);
    int pid = fork();
    if (pid == 0)
        for (;;)
            write(fds[1], block, sizeof block);
    CHECK_EQ(read(fds[0], &byte, 1), 1);        /* it has begun */
    kill_and_reap(pid);
    close(fds[0]);
    close(fds[1]);
}

TEST(one_that_waits_for_a_child)
{
    int fds[2], grandchild = 0;
    char byte;

    pipe(fds);
    int pid = fork();
    if (pid == 0) {
        grandchild = fork();
        if (grandchild == 0) {
            close(fds[0]);
            pause(0x7fffffff);
        }
        write(fds[1], &grandchild, sizeof grandchild);
        close(fds[1]);
        wait(0);
        exit(3);
    }
    CHECK_EQ(read(fds[0], &grandchild, sizeof grandchild), sizeof grandchild);
    kill_and_reap(pid);
    CHECK_EQ(kill(grandchild), 0);              /* an orphan now; init buries it */
    close(fds[1]);
    CHECK_EQ(read(fds[0], &byte, 1), 0);
    close(fds[0]);
}

TEST(itself)
{
    int status = 5, pid = fork();
    if (pid == 0) {
        kill(getpid());
        for (;;)
            getpid();
    }
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(status, -1);
}

TEST(a_zombie_keeps_its_status)
{
    int fds[2], status = 5;
    char byte;

    pipe(fds);
    int pid = fork();
    if (pid == 0)
        exit(33);
    close(fds[1]);
    CHECK_EQ(read(fds[0], &byte, 1), 0);        /* it has closed its files, so it is nearly or quite a zombie */
    close(fds[0]);
    kill(pid);
    CHECK_EQ(wait(&status), pid);
    CHECK(status == 33 || status == -1);
}

TEST(a_group)
{
    int fds[2], pids[3], status;
    char byte;

    pipe(fds);
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            setpgid(0, i == 0 ? 0 : pids[0]);
            write(fds[1], "r", 1);
            pause(0x7fffffff);
        }
        CHECK_EQ(read(fds[0], &byte, 1), 1);    /* it has joined */
    }
    int other = fork();
    if (other == 0) {
        setpgid(0, 0);
        write(fds[1], "r", 1);
        pause(0x7fffffff);
    }
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(kill(-pids[0]), 0);
    for (int i = 0; i < 3; i++) {
        status = 5;
        CHECK_EQ(wait_for_task(pids[i], &status), pids[i]);
        CHECK_EQ(status, -1);
    }
    FAILS(kill(-pids[0]), ESRCH);
    CHECK_EQ(kill(other), 0);
    CHECK_EQ(wait_for_task(other, &status), other);
    close(fds[0]);
    close(fds[1]);
}

TEST(while_it_forks_and_execs)
{
    for (int i = 0; i < 20; i++) {
        int pid = fork();
        if (pid == 0)
            for (;;) {
                int child = fork();
                if (child == 0) {
                    char *argv[] = { "true", 0 };
                    exec("/bin/true", argv);
                    exit(1);
                }
                wait(0);
            }
        for (volatile int spin = 0; spin < i * 5000; spin++)
            ;
        kill_and_reap(pid);
    }
}

int main(void)
{
    RUN(bad_numbers);
    RUN(init_cannot_be_killed);
    RUN(kernel_tasks_cannot_be_killed);
    RUN(one_that_computes);
    RUN(one_that_sleeps);
    RUN(one_that_reads_an_empty_pipe);
    RUN(one_that_writes_a_full_pipe);
    RUN(one_that_waits_for_a_child);
    RUN(itself);
    RUN(a_zombie_keeps_its_status);
    RUN(a_group);
    RUN(while_it_forks_and_execs);
    return check_summary("kill");
}
