/* getpid setpgid tcsetpgrp tasklist kcounters ttymode, unknown numbers: what tasks tell about themselves. */
#include <limits.h>
#include "user/tests/support.h"

static struct task_info rows[256];

static struct task_info *row_of(int pid)
{
    int count = tasklist(rows, COUNT(rows));

    for (int i = 0; i < count && i < (int)COUNT(rows); i++)
        if (rows[i].pid == pid)
            return &rows[i];
    return 0;
}

#define HALF_WORD (1l << 4 * sizeof(long))      /* the upper half of a number counts, too */

TEST(unknown_calls_are_enosys)
{
    static const long numbers[] = { 0, 1, 47, 99, 102, 221, 223, 400, 464, 470, 471, 1000, 0x7fffffff, (long)0x80000000, -1, -222,
                                    HALF_WORD, HALF_WORD + 11, LONG_MAX, LONG_MIN };

    for (size_t i = 0; i < COUNT(numbers); i++)
        FAILS(syscall(numbers[i], 1, 2, 3, 4, 5), ENOSYS);
}

TEST(a_row_tells_the_truth)
{
    struct task_info *row = row_of(getpid());

    CHECK(row != 0);
    if (row == 0)
        return;
    CHECK(strcmp(row->name, "tasks") == 0);
    CHECK_EQ(row->state, RUNNING);
    CHECK_EQ(row->kernel_only, 0);
    CHECK(row->parent > 0 && row->group > 0);
    CHECK(row->resident_kb > 0 && row->resident_kb <= row->reserved_kb);
    for (size_t i = strlen(row->name); i < sizeof row->name; i++)
        CHECK_EQ(row->name[i], 0);              /* zero to its end: no kernel bytes */
    struct task_info *init = row_of(1);
    CHECK(init != 0 && strcmp(init->name, "init") == 0);
}

TEST(zombies_and_sleepers_are_seen)
{
    int fds[2];
    char byte;

    pipe(fds);
    int sleeper = fork();
    if (sleeper == 0) {
        close(fds[1]);
        read(fds[0], &byte, 1);
        exit(0);
    }
    int dead = fork();
    if (dead == 0)
        exit(0);
    struct task_info *row;
    int looks = 0;
    while ((row = row_of(dead)) != 0 && row->state != ZOMBIE && looks++ < 1000000)
        pause(0);
    CHECK(row != 0 && row->state == ZOMBIE);
    looks = 0;
    while ((row = row_of(sleeper)) != 0 && row->state != WAITING && looks++ < 1000000)
        pause(0);
    CHECK(row != 0 && row->state == WAITING && row->parent == getpid());
    CHECK_EQ(wait_for_task(dead, 0), dead);
    CHECK(row_of(dead) == 0);
    close(fds[0]), close(fds[1]);
    CHECK_EQ(wait_for_task(sleeper, 0), sleeper);
}

TEST(long_names_are_cut)
{
    char *argv[] = { "x", 0 };
    int fds[2];

    CHECK_EQ(link("/bin/cat", "/tmp/a-name-longer-than-fifteen"), 0);
    pipe(fds);
    int pid = fork();
    if (pid == 0) {
        dup2(fds[0], 0);
        close(fds[0]), close(fds[1]);
        exec("/tmp/a-name-longer-than-fifteen", argv);
        exit(1);
    }
    struct task_info *row;
    int looks = 0;
    while ((row = row_of(pid)) != 0 && strcmp(row->name, "a-name-longer-t") != 0 && row->state != ZOMBIE && looks++ < 1000000)
        pause(0);
    CHECK(row != 0 && strcmp(row->name, "a-name-longer-t") == 0);
    close(fds[0]), close(fds[1]);
    CHECK_EQ(wait(0), pid);
    CHECK_EQ(unlink("/tmp/a-name-longer-than-fifteen"), 0);
}

TEST(groups)
{
    int before = row_of(getpid())->group;

    FAILS(setpgid(-1, 0), EINVAL);
    FAILS(setpgid(0, -1), EINVAL);
    FAILS(setpgid(1, 0), ESRCH);                /* not ours */
    FAILS(setpgid(0x7fffffff, 0), ESRCH);
    int fds[2];
    char byte;
    pipe(fds);
    int pid = fork();
    if (pid == 0) {
        close(fds[1]);
        read(fds[0], &byte, 1);
        exit(0);
    }
    CHECK_EQ(row_of(pid)->group, before);       /* inherited */
    CHECK_EQ(setpgid(pid, 0), 0);
    CHECK_EQ(row_of(pid)->group, pid);
    CHECK_EQ(setpgid(pid, before), 0);
    CHECK_EQ(row_of(pid)->group, before);
    close(fds[0]), close(fds[1]);
    wait(0);
}

TEST(terminal_calls_want_a_terminal)
{
    int fd = open("/dev/null", O_RDWR), file = open("/README", O_RDONLY), fds[2];

    pipe(fds);
    FAILS(ttymode(fd, TTY_RAW), ENOTTY);
    FAILS(ttymode(file, TTY_RAW), ENOTTY);
    FAILS(ttymode(fds[0], TTY_RAW), ENOTTY);
    FAILS(tcsetpgrp(fd, 1), ENOTTY);
    FAILS(tcsetpgrp(file, 1), ENOTTY);
    close(fd), close(file), close(fds[0]), close(fds[1]);
    int console = open("/dev/console", O_RDWR);
    CHECK(console >= 0);
    FAILS(ttymode(console, 2), EINVAL);
    FAILS(ttymode(console, -1), EINVAL);
    int mode = ttymode(console, TTY_RAW);
    CHECK(mode == TTY_COOKED || mode == TTY_RAW);
    CHECK_EQ(ttymode(console, mode), TTY_RAW);
    FAILS(lseek(console, 0, SEEK_SET), ESPIPE);
    close(console);
}

TEST(counters_add_up)                           /* T-1 */
{
    struct kcounters c;

    memset(&c, 0xff, sizeof c);
    CHECK_EQ(kcounters(&c), 0);
    CHECK(c.frames_free + c.frames_cached <= c.frames_total);
    CHECK(c.cpus >= 1 && c.cpus <= 8);
    CHECK(c.tasks_live >= 3 && c.tasks_live <= c.tasks_max);
    CHECK(c.tasks_max >= 64);                   /* xv6's NPROC */
    for (size_t i = 0; i < COUNT(c.reserved); i++)
        CHECK_EQ(c.reserved[i], 0);
    CHECK_EQ(c.frames_kernel_free + c.frames_user_free, c.frames_free);
    CHECK(c.frames_kernel_free <= KERNEL_POOL_FRAMES);
    CHECK(c.clock_hz >= 1000);                  /* so fine at least that it shows milliseconds */
    struct kcounters later;
    int pid = fork();
    if (pid == 0)
        exit(*(volatile char *)0);
    wait(0);
    kcounters(&later);
    CHECK_EQ(later.evictions, c.evictions + 1);
    CHECK_EQ(later.frames_total, c.frames_total);
    CHECK(later.ticks >= c.ticks);
}

TEST(processor_time_is_counted)
{
    struct task_info *row = row_of(getpid());
    uint64_t before = row->cpu_time_us;

    uint64_t start = clock_ns();
    while (clock_ns() - start < 100000000)
        ;
    row = row_of(getpid());
    CHECK(row->cpu_time_us > before);
}

int main(void)
{
    mkdir("/tmp");
    RUN(unknown_calls_are_enosys);
    RUN(a_row_tells_the_truth);
    RUN(zombies_and_sleepers_are_seen);
    RUN(long_names_are_cut);
    RUN(groups);
    RUN(terminal_calls_want_a_terminal);
    RUN(counters_add_up);
    RUN(processor_time_is_counted);
    return check_summary("tasks");
}
