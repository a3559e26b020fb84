/* test_fs_faults: whatever allocation or disk request fails, calls end with an error and nothing else happens: the image stays
 * consistent, what was synced stays, nothing leaks, and when the fault is over everything works again.
 *
 * Arguments: [seed [rounds]].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/log.h"
#include "fs_model.h"

/* A workload; every call may fail, but only with the errors a fault explains. */
static const long *allowed;
static long check(long result)
{
    static const long always[] = { -EIO, -ENOMEM, -ENOSPC, 0 };
    bool good = result >= 0;
    for (const long *e = always; *e != 0; e++)
        good |= result == *e;
    for (const long *e = allowed; e != NULL && *e != 0; e++)
        good |= result == *e;
    if (!good)
        fprintf(stderr, "result %ld\n", result);
    EXPECT(good);
    host_checks++;
    return result;
}

static char bytes[200000];

static void workload(void)
{
    static const long missing[] = { -ENOENT, -ENOTDIR, -EBADF, 0 };     /* after a call before it failed */
    char path[64];
    allowed = missing;
    check(do_mkdir(P("/w"), 0, 0));
    check(do_mkdir(P("/w/sub"), 0, 0));
    for (int i = 0; i < 70; i++) {      /* more than a block of names: the index is used */
        snprintf(path, sizeof(path), "/w/file%d", i);
        long fd = check(do_open(P(path), O_CREATE | O_RDWR, 0));
        if (fd < 0)
            continue;
        check(do_write((uintptr_t)fd, P(bytes), i % 9 == 0 ? 150000 : 700));
        if (i % 20 == 7)
            check(do_fsync((uintptr_t)fd, 0, 0));
        if (i % 11 == 0)
            check(do_ftruncate((uintptr_t)fd, 5000, 0));
        EXPECT(do_close((uintptr_t)fd, 0, 0) == 0);
    }
    check(do_symlink(P("/w/file1"), P("/w/sub/link"), 0));
    check(do_link(P("/w/file2"), P("/w/sub/other"), 0));
    check(do_rename(P("/w/file3"), P("/w/sub/moved"), 0));
    check(do_rename(P("/w/sub"), P("/up"), 0));
    check(do_sync(0, 0, 0));
    long fd = check(do_open(P("/up/link"), O_RDONLY, 0));
    if (fd >= 0) {
        check(do_read((uintptr_t)fd, P(bytes), 1000));
        EXPECT(do_close((uintptr_t)fd, 0, 0) == 0);
    }
    for (int i = 0; i < 70; i += 2) {
        snprintf(path, sizeof(path), "/w/file%d", i);
        check(do_unlink(P(path), 0, 0));
    }
    (void)log_checkpoint();
}

static void keep_file(void)             /* synced before the fault: must be there after it */
{
    long fd = do_open(P("/keep"), O_CREATE | O_RDWR, 0);
    EXPECT(fd >= 0 && do_write((uintptr_t)fd, P("precious"), 8) == 8 && do_fsync((uintptr_t)fd, 0, 0) == 0);
    EXPECT(do_close((uintptr_t)fd, 0, 0) == 0);
}

static void kept(void)
{
    char got[9] = "";
    long fd = do_open(P("/keep"), O_RDONLY, 0);
    EXPECT(fd >= 0 && do_read((uintptr_t)fd, P(got), 8) == 8 && memcmp(got, "precious", 8) == 0);
    EXPECT(do_close((uintptr_t)fd, 0, 0) == 0);
}

static void after(const char *what)
{
    host_fail_request = 0;
    host_fail_alloc = 0;
    kept();
    (void)do_sync(0, 0, 0);             /* reports what failed, once */
    EXPECT(do_sync(0, 0, 0) == 0);
    EXPECT(host_check(host_disk, host_disk_blocks, what) == 0);
    char path[64];
    for (int i = 0; i < 70; i++) {
        snprintf(path, sizeof(path), "/w/file%d", i);
        (void)do_unlink(P(path), 0, 0);
    }
    (void)do_unlink(P("/up/link"), 0, 0); (void)do_unlink(P("/up/other"), 0, 0); (void)do_unlink(P("/up/moved"), 0, 0);
    (void)do_unlink(P("/up"), 0, 0); (void)do_unlink(P("/w/sub/link"), 0, 0); (void)do_unlink(P("/w/sub/other"), 0, 0);
    (void)do_unlink(P("/w/sub/moved"), 0, 0); (void)do_unlink(P("/w/sub"), 0, 0); (void)do_unlink(P("/w"), 0, 0);
    EXPECT(log_checkpoint() == 0);
    EXPECT(host_check(host_disk, host_disk_blocks, what) == 0);
    struct statfs fs;
    EXPECT(do_statfs(P("/"), P(&fs), 0) == 0);
    EXPECT(fs.inodes_free == fs.inodes_total - 3 &&
           fs.blocks_free == fs.blocks_data - 2); /* /, /keep: nothing leaked */
    host_drop();
    EXPECT(host_mount() == 0);
    kept();
    host_drop();
}

static void one(const char *what, long at, bool always, int kind)
{
    host_format(2500, 256, 200);
    host_frames = 4000;
    EXPECT(host_mount() == 0);
    keep_file();
    if (kind < 0) {
        host_fail_alloc = at;
        host_alloc_always = always;
    } else {
        host_fail_ops = (unsigned)kind;
        host_fail_request = at;
        host_fail_always = always;
    }
    workload();
    after(what);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 120;
    host_seed(argc > 1 ? strtoull(argv[1], NULL, 0) : 1);
    host_quiet = getenv("LOUD") == NULL;
    memset(bytes, 'x', sizeof(bytes));
    for (unsigned i = 1; i <= rounds; i++) {
        host_delay = i & 1;
        one("allocation fails", i * 3 + host_random() % 3, false, -1);
        one("all allocations fail", i * 5 + host_random() % 5, true, -1);
        one("a read fails", i, false, 1 << BLOCK_READ);
        one("a write fails", i, false, 1 << BLOCK_WRITE);
        one("all writes fail", i, true, 1 << BLOCK_WRITE);
        one("a flush fails", i, false, 1 << BLOCK_FLUSH);
        one("the disk is gone", i, true, 7);
    }
    printf("test_fs_faults: %lu checks, 0 failed\n", host_checks);
    return 0;
}
