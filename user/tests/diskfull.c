/* diskfull: no space, no inodes: ENOSPC, nothing is lost, and all comes back after deleting. For a small disk. */
#include "user/tests/support.h"

static char block[8192];

static struct statfs space(void)
{
    struct statfs fs;

    sync();
    statfs("/", &fs);
    return fs;
}

/* Bytes written until the disk was full. */
static long fill(const char *path)
{
    long total = 0, n;
    int fd = open(path, O_CREATE | O_WRONLY | O_TRUNC);

    memset(block, 'f', sizeof block);
    while ((n = write(fd, block, sizeof block)) > 0)
        total += n;
    CHECK(n == -1 && errno == ENOSPC);
    struct stat st;
    fstat(fd, &st);
    CHECK_EQ(st.size, total);                   /* what was said to be written is there, no more */
    close(fd);
    return total;
}

static void fill_and_delete(void)
{
    struct statfs before = space(), full;

    long total = fill("/full");
    CHECK(total > 1000000);
    full = space();
    CHECK(full.blocks_free < 8);
    FAILS(mkdir("/d"), ENOSPC);
    CHECK(!exists("/d"));
    int fd = open("/empty", O_CREATE | O_RDWR); /* a name may still fit into its directory's block */
    if (fd >= 0) {
        long n = write(fd, block, sizeof block);
        CHECK((n == -1 && errno == ENOSPC) || n < (long)sizeof block);
        close(fd);
        CHECK_EQ(unlink("/empty"), 0);
    } else {
        CHECK_EQ(errno, ENOSPC);
    }
    CHECK(file_is("/kept", "kept"));
    fd = open("/kept", O_WRONLY);               /* overwriting needs no space */
    CHECK_EQ(write(fd, "KEPT", 4), 4);
    CHECK_EQ(fsync(fd), 0);
    close(fd);
    CHECK(file_is("/kept", "KEPT"));
    fd = open("/kept", O_WRONLY);
    write(fd, "kept", 4);
    close(fd);
    fd = open("/full", O_RDONLY);
    long seen = 0, n;
    int wrong = 0;
    while ((n = read(fd, block, sizeof block)) > 0) {
        for (long i = 0; i < n; i++)
            wrong += block[i] != 'f';
        seen += n;
    }
    CHECK_EQ(seen, total);
    CHECK_EQ(wrong, 0);
    close(fd);
    CHECK_EQ(unlink("/full"), 0);
    struct statfs after = space();
    CHECK_EQ(after.blocks_free, before.blocks_free);
    CHECK_EQ(after.inodes_free, before.inodes_free);
}

TEST(full_and_free_again)
{
    CHECK_EQ(make_file("/kept", "kept"), 0);
    fill_and_delete();
    fill_and_delete();
}

TEST(space_freed_is_usable_at_once)             /* also before the log has been emptied */
{
    long first = fill("/a");
    unlink("/a");
    long second = fill("/b");
    CHECK(second > first - 64 * (long)PAGE);
    CHECK_EQ(unlink("/b"), 0);
}

TEST(open_but_unlinked_holds_its_space)
{
    struct statfs before = space();

    int fd = open("/open", O_CREATE | O_RDWR);
    for (int i = 0; i < 50; i++)
        write(fd, block, sizeof block);
    unlink("/open");
    CHECK(space().blocks_free + 99 < before.blocks_free);
    close(fd);
    CHECK_EQ(space().blocks_free, before.blocks_free);
    CHECK_EQ(space().inodes_free, before.inodes_free);
}

TEST(many_writers_on_a_full_disk)
{
    struct statfs before = space();
    char name[16];

    for (int i = 0; i < 4; i++)
        if (fork() == 0) {
            snprintf(name, sizeof name, "/w%d", i);
            int fd = open(name, O_CREATE | O_RDWR);
            long n, total = 0;
            memset(block, 'a' + i, sizeof block);
            while ((n = write(fd, block, 5000)) > 0)
                total += n;
            int good = errno == ENOSPC;
            lseek(fd, 0, SEEK_SET);
            while ((n = read(fd, block, 5000)) > 0)
                for (long k = 0; k < n; total--, k++)
                    good &= block[k] == 'a' + i;
            exit(good && total == 0 ? 0 : 1);
        }
    for (int i = 0; i < 4; i++) {
        int status = -2;
        wait(&status);
        CHECK_EQ(status, 0);
    }
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "/w%d", i);
        CHECK_EQ(unlink(name), 0);
    }
    CHECK_EQ(space().blocks_free, before.blocks_free);
}

TEST(no_inodes)
{
    struct statfs before = space();
    char name[24];
    unsigned made = 0;

    CHECK_EQ(mkdir("/many"), 0);
    for (;; made++) {
        snprintf(name, sizeof name, "/many/%u", made);
        int fd = open(name, O_CREATE | O_RDWR);
        if (fd < 0)
            break;
        close(fd);
    }
    CHECK_EQ(errno, ENOSPC);
    CHECK_EQ(made, before.inodes_free - 1);
    CHECK_EQ(space().inodes_free, 0);
    FAILS(mkdir("/many/d"), ENOSPC);
    FAILS(symlink("x", "/many/l"), ENOSPC);
    FAILS(mknod("/many/n", 1, 0), ENOSPC);
    CHECK_EQ(link("/many/0", "/many/link"), 0); /* needs none */
    CHECK_EQ(unlink("/many/link"), 0);
    CHECK_EQ(unlink("/many/0"), 0);
    CHECK_EQ(make_file("/many/again", "again"), 0);
    CHECK_EQ(unlink("/many/again"), 0);
    for (unsigned i = 1; i < made; i++) {
        snprintf(name, sizeof name, "/many/%u", i);
        if (unlink(name) != 0) {
            CHECK_EQ(i, 0);
            break;
        }
    }
    CHECK_EQ(unlink("/many"), 0);
    struct statfs after = space();
    CHECK_EQ(after.inodes_free, before.inodes_free);
    CHECK_EQ(after.blocks_free, before.blocks_free);
}

int main(void)
{
    RUN(full_and_free_again);
    RUN(space_freed_is_usable_at_once);
    RUN(open_but_unlinked_holds_its_space);
    RUN(many_writers_on_a_full_disk);
    RUN(no_inodes);
    unlink("/kept");
    return check_summary("diskfull");
}
