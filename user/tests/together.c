/* together: many tasks at the same files, names and pipes at once. Nothing gets lost or mixed. */
#include "user/tests/support.h"

#define WORKERS 4

static int each(int (*body)(int))
{
    int pids[WORKERS], failed = 0;

    for (int i = 0; i < WORKERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            exit(body(i));
    }
    for (int i = 0; i < WORKERS; i++) {
        int status = -2;
        wait_for_task(pids[i], &status);
        failed += status != 0;
        if (status != 0)
            printf("worker %d: status %d\n", i, status);
    }
    return failed;
}

static int write_own_file(int worker)
{
    char name[16], block[700];

    snprintf(name, sizeof name, "own%d", worker);
    for (int round = 0; round < 8; round++) {
        int fd = open(name, O_CREATE | O_RDWR | O_TRUNC);
        memset(block, 'a' + worker, sizeof block);
        for (int i = 0; i < 30; i++)
            if (write(fd, block, sizeof block) != sizeof block)
                return 1;
        lseek(fd, 0, SEEK_SET);
        for (int i = 0; i < 30; i++) {
            if (read(fd, block, sizeof block) != sizeof block)
                return 2;
            for (size_t k = 0; k < sizeof block; k++)
                if (block[k] != 'a' + worker)
                    return 3;
        }
        close(fd);
        if (unlink(name) != 0)
            return 4;
    }
    return 0;
}

TEST(each_its_own_file) { CHECK_EQ(each(write_own_file), 0); }

static int shared;

static int append_lines(int worker)
{
    char line[9];

    int fd = open("log", O_WRONLY | O_APPEND);
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof line, "%d %05d\n", worker, i);
        if (write(fd, line, 8) != 8)
            return 1;
    }
    close(fd);
    return 0;
}

TEST(appends_do_not_overwrite)
{
    char line[9] = { 0 };
    int next[WORKERS] = { 0 }, bad = 0, lines = 0;

    close(open("log", O_CREATE | O_TRUNC | O_RDWR));
    CHECK_EQ(each(append_lines), 0);
    int fd = open("log", O_RDONLY);
    while (read(fd, line, 8) == 8) {
        int worker = line[0] - '0';
        lines++;
        if (worker < 0 || worker >= WORKERS || atoi(line + 2) != next[worker]++)
            bad++;
    }
    CHECK_EQ(bad, 0);
    CHECK_EQ(lines, WORKERS * 100);
    close(fd);
    unlink("log");
}

static int write_shared(int worker)
{
    char block[100];

    memset(block, 'a' + worker, sizeof block);
    for (int i = 0; i < 50; i++)
        if (write(shared, block, sizeof block) != sizeof block)
            return 1;
    return 0;
}

TEST(one_offset_for_all)                        /* xv6's sharedfd */
{
    char block[100];
    int count[WORKERS] = { 0 }, mixed = 0;

    shared = open("shared", O_CREATE | O_TRUNC | O_RDWR);
    CHECK_EQ(each(write_shared), 0);
    lseek(shared, 0, SEEK_SET);
    while (read(shared, block, sizeof block) == sizeof block) {
        for (size_t k = 1; k < sizeof block; k++)
            mixed += block[k] != block[0];
        if (block[0] >= 'a' && block[0] < 'a' + WORKERS)
            count[block[0] - 'a']++;
    }
    CHECK_EQ(mixed, 0);
    for (int i = 0; i < WORKERS; i++)
        CHECK_EQ(count[i], 50);
    close(shared);
    unlink("shared");
}

static int create_and_delete(int worker)
{
    char name[24];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 30; i++) {
            snprintf(name, sizeof name, "c%d-%d", worker, i);
            int fd = open(name, O_CREATE | O_EXCL | O_RDWR);
            if (fd < 0 || write(fd, name, 4) != 4)
                return 1;
            close(fd);
        }
        for (int i = 0; i < 30; i++) {
            snprintf(name, sizeof name, "c%d-%d", worker, i);
            if (unlink(name) != 0)
                return 2;
        }
    }
    return 0;
}

TEST(names_in_one_directory) { CHECK_EQ(each(create_and_delete), 0); }

static int fight_for_one_name(int worker)
{
    for (int i = 0; i < 60; i++) {
        int how = (worker + i) % 4;
        if (how == 0) {
            int fd = open("one", O_CREATE | O_RDWR);
            if (fd >= 0) {
                write(fd, "x", 1);
                close(fd);
            }
        } else if (how == 1) {
            unlink("one");
        } else if (how == 2) {
            rename("one", "two");
        } else {
            link("two", "one");
        }
    }
    return 0;
}

TEST(one_name)
{
    struct statfs before, after;

    sync();
    statfs("/", &before);
    CHECK_EQ(each(fight_for_one_name), 0);
    unlink("one"), unlink("two");
    sync();
    statfs("/", &after);
    CHECK_EQ(after.inodes_free, before.inodes_free);
    CHECK_EQ(after.blocks_free, before.blocks_free);
}

static int only_one_creates(int worker)
{
    char name[16];
    int won = 0;

    (void)worker;
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "ex%d", i);
        int fd = open(name, O_CREATE | O_EXCL | O_RDWR);
        won += fd >= 0;
        if (fd < 0 && errno != EEXIST)
            return 1;
        close(fd);
    }
    char byte = (char)won;
    return write(shared, &byte, 1) == 1 ? 0 : 2;
}

TEST(exclusive_means_one)
{
    int fds[2], sum = 0;
    char byte, name[16];

    pipe(fds);
    shared = fds[1];
    CHECK_EQ(each(only_one_creates), 0);
    close(fds[1]);
    while (read(fds[0], &byte, 1) == 1)
        sum += byte;
    CHECK_EQ(sum, 30);
    close(fds[0]);
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "ex%d", i);
        CHECK_EQ(unlink(name), 0);
    }
}

static int directories_back_and_forth(int worker)
{
    char a[16], b[16];

    snprintf(a, sizeof a, "A/%d", worker);
    snprintf(b, sizeof b, "B/%d", worker);
    if (mkdir(a) != 0)
        return 1;
    for (int i = 0; i < 40; i++)
        if (rename(a, b) != 0 || rename(b, a) != 0)
            return 2;
    return unlink(a) == 0 ? 0 : 3;
}

static int knot(int worker)                     /* renames that would make circles: none may ever succeed in doing so */
{
    for (int i = 0; i < 40; i++)
        if (worker % 2) {
            rename("A", "B/A");
            rename("B/A", "A");
        } else {
            rename("B", "A/B");
            rename("A/B", "B");
        }
    return 0;
}

TEST(directories_move)
{
    CHECK_EQ(mkdir("A"), 0);
    CHECK_EQ(mkdir("B"), 0);
    CHECK_EQ(each(directories_back_and_forth), 0);
    CHECK_EQ(each(knot), 0);
    rename("A/B", "B"), rename("B/A", "A");     /* one may have been left inside the other */
    CHECK_EQ(unlink("A"), 0);
    CHECK_EQ(unlink("B"), 0);
}

static int read_while_others_write(int worker)
{
    static unsigned char block[4096];

    for (int i = 0; i < 40; i++) {
        int fd = open("rw", O_RDWR);
        if (worker % 2) {
            memset(block, i, sizeof block);
            if (write(fd, block, sizeof block) != sizeof block)
                return 1;
        } else {
            if (read(fd, block, sizeof block) != sizeof block)
                return 2;
            for (size_t k = 1; k < sizeof block; k++)
                if (block[k] != block[0])
                    return 3;                   /* a read of a block sees one write, not half of two */
        }
        close(fd);
    }
    return 0;
}

TEST(reads_see_whole_writes)
{
    int fd = open("rw", O_CREATE | O_RDWR);

    CHECK_EQ(ftruncate(fd, 4096), 0);
    CHECK_EQ(each(read_while_others_write), 0);
    close(fd);
    unlink("rw");
}

int main(void)
{
    mkdir("/tmp");
    CHECK_EQ(mkdir("/tmp/together"), 0);
    chdir("/tmp/together");
    RUN(each_its_own_file);
    RUN(appends_do_not_overwrite);
    RUN(one_offset_for_all);
    RUN(names_in_one_directory);
    RUN(one_name);
    RUN(exclusive_means_one);
    RUN(directories_move);
    RUN(reads_see_whole_writes);
    chdir("/");
    CHECK_EQ(unlink("/tmp/together"), 0);
    return check_summary("together");
}
