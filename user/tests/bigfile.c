/* bigfile: direct, indirect and double-indirect blocks, holes, large and small pieces, fsync sync statfs. */
#include "user/tests/support.h"

#define DIRECT_END   (FS_DIRECT * PAGE)
#define INDIRECT_END ((FS_DIRECT + FS_INDEX) * PAGE)

static uint64_t blocks[8 * PAGE / 8];

static void fill(uint64_t seed, size_t nbytes)
{
    for (size_t i = 0; i < nbytes / 8; i++)
        blocks[i] = seed * 0x9e3779b97f4a7c15u + i;
}

static int is_filled(uint64_t seed, size_t nbytes)
{
    for (size_t i = 0; i < nbytes / 8; i++)
        if (blocks[i] != seed * 0x9e3779b97f4a7c15u + i)
            return 0;
    return 1;
}

TEST(six_megabytes_come_back)
{
    const unsigned pieces = 192;                /* of 32 KiB: 6 MiB, well into the double-indirect blocks */
    int fd = open("big", O_CREATE | O_RDWR), bad = 0;
    struct stat st;

    for (unsigned i = 0; i < pieces; i++) {
        fill(i, sizeof blocks);
        bad += write(fd, blocks, sizeof blocks) != sizeof blocks;
    }
    CHECK_EQ(bad, 0);
    CHECK_EQ(fsync(fd), 0);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.size, pieces * sizeof blocks);
    CHECK_EQ(st.blocks, pieces * 8 + 1 + 1 + 1);        /* data, indirect, double indirect, one below it */
    lseek(fd, 0, SEEK_SET);
    for (unsigned i = 0; i < pieces; i++)
        bad += read(fd, blocks, sizeof blocks) != sizeof blocks || !is_filled(i, sizeof blocks);
    CHECK_EQ(bad, 0);
    CHECK_EQ(read(fd, blocks, sizeof blocks), 0);
    close(fd);
}

TEST(pieces_that_cross_the_borders)
{
    static const unsigned long borders[] = { PAGE, DIRECT_END, INDIRECT_END, INDIRECT_END + PAGE };
    int fd = open("big", O_RDWR);

    for (size_t i = 0; i < COUNT(borders); i++) {
        fill(1000 + i, 1000);
        CHECK_EQ(lseek(fd, (long)borders[i] - 496, SEEK_SET), borders[i] - 496);
        CHECK_EQ(write(fd, blocks, 1000), 1000);
        memset(blocks, 0, sizeof blocks);
        lseek(fd, (long)borders[i] - 496, SEEK_SET);
        CHECK_EQ(read(fd, blocks, 1000), 1000);
        CHECK(is_filled(1000 + i, 1000));
    }
    close(fd);
}

TEST(truncation_gives_blocks_back)
{
    struct statfs before, after;
    struct stat st;
    int fd = open("big", O_RDWR);

    CHECK_EQ(statfs("/", &before), 0);
    CHECK_EQ(ftruncate(fd, (long)DIRECT_END - 100), 0);
    CHECK_EQ(sync(), 0);
    CHECK_EQ(statfs("/", &after), 0);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.blocks, FS_DIRECT);
    CHECK_EQ(after.blocks_free - before.blocks_free, 192 * 8 + 3 - FS_DIRECT);
    CHECK_EQ(ftruncate(fd, (long)INDIRECT_END + 5), 0);         /* grows as a hole */
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.size, INDIRECT_END + 5);
    CHECK(st.blocks <= FS_DIRECT + 3);
    lseek(fd, (long)DIRECT_END - 104, SEEK_SET);
    CHECK_EQ(read(fd, blocks, 1000), 1000);
    unsigned char *bytes = (unsigned char *)blocks;
    int nonzero = 0;
    for (int i = 4; i < 1000; i++)
        nonzero += bytes[i] != 0;
    CHECK_EQ(nonzero, 0);                       /* what was cut off does not come back */
    close(fd);
    CHECK_EQ(unlink("big"), 0);
}

TEST(holes_read_as_zero_and_take_no_space)
{
    struct stat st;
    int fd = open("hole", O_CREATE | O_RDWR), nonzero = 0;

    CHECK_EQ(lseek(fd, (long)INDIRECT_END + 100 * (long)PAGE, SEEK_SET), INDIRECT_END + 100 * PAGE);
    CHECK_EQ(write(fd, "end", 3), 3);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.blocks, 3);                     /* data, double indirect, one below it */
    lseek(fd, 12345, SEEK_SET);
    CHECK_EQ(read(fd, blocks, sizeof blocks), sizeof blocks);
    for (size_t i = 0; i < sizeof blocks / 8; i++)
        nonzero += blocks[i] != 0;
    CHECK_EQ(nonzero, 0);
    lseek(fd, (long)DIRECT_END + 5 * (long)PAGE, SEEK_SET);
    CHECK_EQ(write(fd, "mid", 3), 3);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.blocks, 5);
    close(fd);
    CHECK_EQ(unlink("hole"), 0);
}

TEST(small_writes_add_up)
{
    int fd = open("small", O_CREATE | O_RDWR), bad = 0;
    char line[16];

    for (int i = 0; i < 3000; i++) {
        snprintf(line, sizeof line, "line %05d\n", i);
        bad += write(fd, line, 11) != 11;
    }
    lseek(fd, 0, SEEK_SET);
    for (int i = 0; i < 3000; i++) {
        char seen[12] = { 0 };
        snprintf(line, sizeof line, "line %05d\n", i);
        bad += read(fd, seen, 11) != 11 || memcmp(seen, line, 11) != 0;
    }
    CHECK_EQ(bad, 0);
    close(fd);
    unlink("small");
}

TEST(statfs_and_sync)
{
    struct statfs before, after;

    CHECK_EQ(sync(), 0);
    CHECK_EQ(statfs(".", &before), 0);
    CHECK_EQ(before.block_size, FS_BLOCK_SIZE);
    CHECK(before.blocks_free <= before.blocks_data && before.blocks_data < before.blocks_total);
    CHECK(before.inodes_free < before.inodes_total);
    CHECK(before.reserved[0] == 0 && before.reserved[1] == 0);
    CHECK_EQ(make_file("one", "x"), 0);
    CHECK_EQ(statfs("/", &after), 0);
    CHECK_EQ(before.inodes_free - after.inodes_free, 1);
    CHECK_EQ(before.blocks_free - after.blocks_free, 1);
    CHECK_EQ(unlink("one"), 0);
    CHECK_EQ(sync(), 0);
    CHECK_EQ(statfs("/", &after), 0);
    CHECK_EQ(after.blocks_free, before.blocks_free);
    CHECK_EQ(after.inodes_free, before.inodes_free);
    int fds[2];
    pipe(fds);
    int result = fsync(fds[1]);
    CHECK(result == -1 && errno == EINVAL);
    close(fds[0]), close(fds[1]);
}

TEST(large_directory)
{
    char name[32];
    int bad = 0;

    CHECK_EQ(mkdir("d"), 0);
    for (int i = 0; i < 1600; i++) {            /* more than 22 blocks of entries */
        snprintf(name, sizeof name, "d/%d", i);
        bad += symlink("x", name) != 0;
        if (bad)
            break;
    }
    CHECK_EQ(bad, 0);
    for (int i = 1599; i >= 0; i--) {
        snprintf(name, sizeof name, "d/%d", i);
        bad += unlink(name) != 0;
    }
    CHECK_EQ(bad, 0);
    CHECK_EQ(unlink("d"), 0);
}

int main(void)
{
    mkdir("/tmp");
    CHECK_EQ(mkdir("/tmp/bigfile-test"), 0);
    chdir("/tmp/bigfile-test");
    RUN(six_megabytes_come_back);
    RUN(pieces_that_cross_the_borders);
    RUN(truncation_gives_blocks_back);
    RUN(holes_read_as_zero_and_take_no_space);
    RUN(small_writes_add_up);
    RUN(statfs_and_sync);
    RUN(large_directory);
    chdir("/");
    CHECK_EQ(unlink("/tmp/bigfile-test"), 0);
    return check_summary("bigfile");
}
