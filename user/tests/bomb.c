/*
 * bomb [mode] -- eat all there is of something; afterwards the machine must be as before.
 *   fork      every task forks as often as it can, children too; then the group is killed
 *   memory    several tasks touch overcommitted memory until the kernel ends them (oom: lines); this one lives
 *   charge    several tasks ask for promised memory until it is refused, and use all of it: nobody is killed
 *   files     descriptors, pipes and open files until there are no more
 */
#include "user/tests/support.h"

_Noreturn static void breed(int ready)
{
    for (;;) {
        int pid = fork();
        if (pid < 0) {
            write(ready, "x", 1);               /* the limit was met */
            pause(0x7fffffff);
        }
        if (pid == 0 && getpid() % 3 == 0)
            pause(0x7fffffff);
    }
}

TEST(fork)
{
    int fds[2], status;
    char byte;

    for (int round = 0; round < 2; round++) {
        pipe(fds);
        int leader = fork();
        if (leader == 0) {
            setpgid(0, 0);
            breed(fds[1]);
        }
        CHECK_EQ(read(fds[0], &byte, 1), 1);
        struct kcounters c;
        kcounters(&c);
        CHECK(round > 0 || c.tasks_live > 20);  /* later, zombies that init has not buried count for the limit, too */
        int kills = 0;
        while (kill(-leader) == 0 && kills < 100000)    /* those born meanwhile, too */
            kills++;
        CHECK_EQ(wait_for_task(leader, &status), leader);
        close(fds[1]);
        while (read(fds[0], &byte, 1) > 0)      /* the last of them has closed its end */
            ;
        close(fds[0]);
        int pid = fork();                       /* and forking works again */
        if (pid == 0)
            exit(3);
        CHECK(pid > 0);
        CHECK_EQ(wait_for_task(pid, &status), pid);
        CHECK_EQ(status, 3);
    }
}

static int eat_lazily(void *unused)
{
    (void)unused;
    for (;;) {
        char *piece = sbrklazy(64 * PAGE);
        if (piece == SBRK_ERROR)
            return 1;
        for (unsigned long i = 0; i < 64; i++)
            piece[i * PAGE] = 1;
    }
}

TEST(memory)
{
    int pids[3], status, killed = 0;
    uint64_t before = evictions_now();

    CHECK_EQ(in_child(eat_lazily, 0), -1);      /* alone */
    CHECK_EQ(evictions_now(), before + 1);
    for (int i = 0; i < 3; i++) {               /* and several at once */
        pids[i] = fork();
        if (pids[i] == 0)
            exit(eat_lazily(0));
        CHECK(pids[i] > 0);
    }
    for (int i = 0; i < 3; i++)
        if (pids[i] > 0) {
            CHECK_EQ(wait_for_task(pids[i], &status), pids[i]);
            killed += status == -1;
        }
    CHECK_EQ(killed, 3);
    CHECK_EQ(evictions_now(), before + 4);
    char *promised = sbrk(64 * PAGE);           /* there is memory again */
    CHECK(promised != SBRK_ERROR);
    memset(promised, 7, 64 * PAGE);
    sbrk(-64 * (long)PAGE);
}

/* Memory ends while files are used and tasks are born: they get errors or go on, and nothing is lost. */
TEST(memory_under_load)
{
    int status, worker = fork();

    if (worker == 0) {
        char name[16];
        for (int i = 0; i < 40; i++) {
            snprintf(name, sizeof name, "/tmp/load%d", i % 5);
            int fd = open(name, O_CREATE | O_RDWR | O_TRUNC);
            if (fd < 0)
                continue;
            static char block[5000];
            memset(block, i, sizeof block);
            long n = write(fd, block, sizeof block);
            lseek(fd, 0, SEEK_SET);
            static char back[5000];
            if (n > 0 && (read(fd, back, (size_t)n) != n || memcmp(block, back, (size_t)n) != 0))
                exit(1);
            close(fd);
            unlink(name);
            int child = fork();
            if (child == 0)
                exit(0);
            if (child > 0)
                wait_for_task(child, 0);
        }
        exit(0);
    }
    for (int i = 0; i < 4; i++) {
        int result = in_child(eat_lazily, 0);
        CHECK(result == -1 || result == -2);
    }
    CHECK_EQ(wait_for_task(worker, &status), worker);
    CHECK(status == 0 || status == -1);         /* it may be the one that finds no frame */
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "/tmp/load%d", i);
        unlink(name);
    }
}

static int eat_promised(void *unused)
{
    unsigned long pages = 0;
    char *start = sbrk(0);

    (void)unused;
    while (sbrk(16 * PAGE) != SBRK_ERROR)
        pages += 16;
    for (unsigned long i = 0; i < pages; i++)
        start[i * PAGE] = (char)i;
    for (unsigned long i = 0; i < pages; i++)
        if (start[i * PAGE] != (char)i)
            return 1;
    return 0;
}

TEST(charge)
{
    uint64_t before = evictions_now();
    int status, started = 0;

    for (int i = 0; i < 4; i++) {
        int pid = fork();                       /* the later ones may find nothing left */
        if (pid == 0)
            exit(eat_promised(0));
        started += pid > 0;
    }
    CHECK(started > 0);
    for (int i = 0; i < started; i++) {
        status = -2;
        CHECK(wait(&status) > 0);
        CHECK_EQ(status, 0);
    }
    CHECK_EQ(evictions_now(), before);
}

static int take_files(void *unused)
{
    int fds[2], n = 0;

    (void)unused;
    while (pipe(fds) == 0) {
        write(fds[1], "x", 1);
        n++;
    }
    while (open("/README", O_RDONLY) >= 0)
        n++;
    return n < 4;
}

TEST(files)
{
    int status;

    for (int i = 0; i < 8; i++)
        if (fork() == 0)
            exit(take_files(0));
    for (int i = 0; i < 8; i++) {
        status = -2;
        CHECK(wait(&status) > 0);
        CHECK_EQ(status, 0);
    }
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    close(fds[0]), close(fds[1]);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    mkdir("/tmp");
    if (strcmp(mode, "fork") == 0)
        RUN(fork);
    else if (strcmp(mode, "memory") == 0) {
        RUN(memory);
        RUN(memory_under_load);
    } else if (strcmp(mode, "charge") == 0)
        RUN(charge);
    else if (strcmp(mode, "files") == 0)
        RUN(files);
    return check_summary("bomb");
}
