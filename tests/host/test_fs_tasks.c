/* test_fs_tasks: tasks that use the file system at once, with turns taken at every lock, do not disturb each other: what each
 * wrote it reads, names appear once, nothing deadlocks, the disk's completions come in any order, the image is consistent, also
 * after a crash at any point, and no file ever shows what its blocks held before.
 *
 * Arguments: [first seed [seeds]].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/log.h"
#include "fs/super.h"
#include "fs_host.h"

static bool stop_flusher;
static int busy;

static void flusher_task(long unused)
{
    (void)unused;
    while (busy > 0) {
        if (host_random() % 2)
            fs_flush_step(host_random() % 8 == 0);
        else
            (void)cache_write_back(~(uint64_t)0, CACHE_BATCH);
        for (int i = 0; i < 30; i++)
            preempt_point();
    }
    stop_flusher = true;
}

static long must(long result)
{
    if (result < 0)
        fprintf(stderr, "result %ld\n", result);
    EXPECT(result >= 0);
    host_checks++;
    return result;
}

/* Its own files in a shared directory, checked byte by byte. */
static void writer_task(long n)
{
    char path[64], other[64];
    char *bytes = malloc(90000), *got = malloc(90000);
    for (int round = 0; round < 12; round++) {
        size_t length = host_random() % (round % 4 == 0 ? 90000 : 6000) + 1;
        memset(bytes, 'a' + (int)n, length);
        snprintf(path, sizeof(path), "/shared/t%ld-%d", n, round % 3);
        snprintf(other, sizeof(other), "/shared/d%ld/r%ld-%d", n % 3, n, round);
        long fd = must(do_open(P(path), O_CREATE | O_RDWR | O_TRUNC, 0));
        EXPECT(must(do_write((uintptr_t)fd, P(bytes), length)) == (long)length);
        if (host_random() % 3 == 0)
            must(do_fsync((uintptr_t)fd, 0, 0));
        must(do_lseek((uintptr_t)fd, 0, SEEK_SET));
        EXPECT(must(do_read((uintptr_t)fd, P(got), 90000)) == (long)length && memcmp(got, bytes, length) == 0);
        must(do_close((uintptr_t)fd, 0, 0));
        long result = do_rename(P(path), P(other), 0);
        EXPECT(result == 0 || result == -ENOENT);       /* the directory may be gone */
        (void)do_unlink(P(result == 0 ? other : path), 0, 0);
    }
    free(bytes);
    free(got);
    busy--;
}

/* Directories come, go and change places. */
static void mover_task(long n)
{
    static const char *const dirs[] = { "/shared/d0",     "/shared/d1",     "/shared/d2",
                                        "/shared/d0/sub", "/shared/d1/sub", "/shared/d2/sub" };
    struct stat st;
    (void)n;
    for (int round = 0; round < 60; round++) {
        const char *a = dirs[host_random() % 6], *b = dirs[host_random() % 6];
        long result = 0;
        switch (host_random() % 5) {
        case 0: result = do_mkdir(P(a), 0, 0); break;
        case 1: result = do_unlink(P(a), 0, 0); break;
        case 2: case 3: result = do_rename(P(a), P(b), 0); break;
        case 4: result = do_stat(P(a), P(&st), 0); break;
        }
        EXPECT(result == 0 || result == -ENOENT || result == -ENOSPC || result == -EEXIST || result == -ENOTEMPTY ||
               result == -EINVAL || result == -ENOTDIR || result == -EISDIR);
        host_checks++;
    }
    busy--;
}

/* All append to one file: every record whole and once. */
static void appender_task(long n)
{
    char record[40];
    long fd = must(do_open(P("/log"), O_CREATE | O_WRONLY | O_APPEND, 0));
    for (int i = 0; i < 40; i++) {
        snprintf(record, sizeof(record), "%05ld %08d\n", n, i);
        EXPECT(must(do_write((uintptr_t)fd, P(record), 15)) == 15);
    }
    must(do_close((uintptr_t)fd, 0, 0));
    busy--;
}

static void check_log(int tasks)
{
    static char text[15 * 40 * 8 + 1];
    int next[8] = { 0 };
    long fd = must(do_open(P("/log"), O_RDONLY, 0));
    long n = must(do_read((uintptr_t)fd, P(text), sizeof(text)));
    EXPECT(n == 15L * 40 * tasks);
    for (long at = 0; at < n; at += 15) {
        long task = atol(text + at);
        EXPECT(task >= 0 && task < tasks && atoi(text + at + 6) == next[task]++);
    }
    must(do_close((uintptr_t)fd, 0, 0));
}

/* The same names created and removed by all: exactly one wins each time. */
static void racer_task(long n)
{
    (void)n;
    for (int i = 0; i < 40; i++) {
        long fd = do_open(P("/race"), O_CREATE | O_EXCL | O_RDWR, 0);
        EXPECT(fd >= 0 || fd == -EEXIST);
        long again = do_open(P("/race"), O_CREATE | O_RDWR, 0);
        EXPECT(again >= 0);
        long gone = do_unlink(P("/race"), 0, 0);
        EXPECT(gone == 0 || gone == -ENOENT);
        EXPECT(do_write((uintptr_t)again, P("hello"), 5) == 5);
        must(do_close((uintptr_t)again, 0, 0));
        if (fd >= 0)
            must(do_close((uintptr_t)fd, 0, 0));
        host_checks++;
    }
    busy--;
}

/* Every file of writer n holds its letter only: never what a block held before. */
static void check_contents(const char *path)
{
    static char bytes[100000];
    struct stat st;
    struct dirent d;
    char sub[300];
    must(do_lstat(P(path), P(&st), 0));
    long fd = must(do_open(P(path), O_RDONLY, 0));
    const char *name = strrchr(path, '/') + 1;
    if (st.type == T_FILE && (name[0] == 't' || (name[0] == 'r' && name[1] != 'a'))) {
        long n = must(do_read((uintptr_t)fd, P(bytes), sizeof(bytes)));
        for (long i = 0; i < n; i++)
            if (bytes[i] != 'a' + name[1] - '0') {
                fprintf(stderr, "%s: byte %ld is %d\n", path, i, bytes[i]);
                EXPECT(!"contents of another file");
            }
        host_checks++;
    }
    while (st.type == T_DIR && do_read((uintptr_t)fd, P(&d), sizeof(d)) == sizeof(d))
        if (d.inum != 0 && strcmp(d.name, ".") != 0 && strcmp(d.name, "..") != 0) {
            snprintf(sub, sizeof(sub), "%s/%s", strcmp(path, "/") == 0 ? "" : path, d.name);
            check_contents(sub);
        }
    must(do_close((uintptr_t)fd, 0, 0));
}

static void check_crashes(uint8_t *base, unsigned states)
{
    uint8_t *disk = host_disk;
    host_frames = 5000;
    for (unsigned i = 0; i < states; i++) {
        size_t cut = host_random() % (host_event_count + 1);
        host_disk = host_crash_image(base, &cut, i % 4 != 0);
        EXPECT(host_check(host_disk, host_disk_blocks, "crash, before recovery") == 0);
        EXPECT(host_mount() == 0);
        check_contents("/");
        must(log_checkpoint());
        EXPECT(host_check(host_disk, host_disk_blocks, "crash, after recovery") == 0);
        host_drop();
        free(host_disk);
        host_checks++;
    }
    host_disk = disk;
    free(base);
}

static void one(uint64_t seed)
{
    host_seed(seed);
    host_format(seed % 4 ? 700 : 3000, 256, seed % 2 ? 64 : 300);
    host_frames = seed % 3 == 0 ? 500 : 5000;
    host_delay = seed % 5 != 0;
    uint8_t *base = host_copy_disk();
    host_record(true);
    EXPECT(host_mount() == 0);
    must(do_mkdir(P("/shared"), 0, 0));
    for (int i = 0; i < 4; i++) { host_spawn(writer_task, i); busy++; }
    for (int i = 0; i < 3; i++) { host_spawn(mover_task, i); busy++; }
    for (int i = 0; i < 3; i++) { host_spawn(appender_task, i); busy++; }
    for (int i = 0; i < 2; i++) { host_spawn(racer_task, i); busy++; }
    host_spawn(flusher_task, 0);
    host_run(seed);
    check_log(3);
    must(do_sync(0, 0, 0));
    EXPECT(host_check(host_disk, host_disk_blocks, "after tasks") == 0 && host_orphans == 0);
    must(log_checkpoint());
    EXPECT(host_check(host_disk, host_disk_blocks, "after tasks, checkpointed") == 0);
    host_drop();
    host_record(false);
    check_crashes(base, 12);
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    unsigned seeds = argc > 2 ? (unsigned)atoi(argv[2]) : 40;
    host_quiet = getenv("LOUD") == NULL;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        one(seed);
        if (seeds < 5)
            printf("seed %lu done\n", (unsigned long)seed);
    }
    printf("test_fs_tasks: %lu checks, 0 failed\n", host_checks);
    return 0;
}
