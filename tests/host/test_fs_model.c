/* test_fs_model: thousands of random operations do what a model says; the image is consistent whenever it is looked at; what
 * fsync and sync promised is there after a crash at any point.
 *
 * Build: see tests/host/fs_sources. Arguments: [seed [operations]].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/cache.h"
#include "fs/log.h"
#include "fs_model.h"

/* Mount, compare, sync, remount, compare. */
static void run_plain(uint64_t seed, unsigned ops, uint32_t blocks, uint32_t log_blocks, size_t frames)
{
    host_seed(seed);
    host_frames = frames;
    host_format(blocks, 512, log_blocks);
    model_start();
    EXPECT(host_mount() == 0);
    for (unsigned i = 0; i < ops; i++)
        model_step(false);
    model_compare_all("end");
    EXPECT(do_sync(0, 0, 0) == 0);
    EXPECT(host_check(host_disk, host_disk_blocks, "after sync") == 0);
    host_drop();
    EXPECT(host_mount() == 0);
    model_compare_all("remounted");
    EXPECT(log_checkpoint() == 0);
    EXPECT(host_check(host_disk, host_disk_blocks, "after checkpoint") == 0);
    host_drop();
    model_forget_promises();
}

static void run_crashes(uint64_t seed, unsigned ops, unsigned states, uint32_t log_blocks)
{
    host_seed(seed);
    host_frames = 3000;
    host_format(1300, 512, log_blocks);
    model_start();
    model_big = 60;
    uint8_t *base = host_copy_disk();
    host_record(true);
    EXPECT(host_mount() == 0);
    for (unsigned i = 0; i < ops; i++)
        model_step(false);
    host_record(false);
    host_drop();
    uint8_t *disk = host_disk;
    for (unsigned i = 0; i < states; i++) {
        size_t cut = host_random() % (host_event_count + 1);
        host_disk = host_crash_image(base, &cut, i % 4 != 0);
        unsigned bad = host_check(host_disk, host_disk_blocks, "crash, before recovery");
        EXPECT(bad == 0);
        EXPECT(host_mount() == 0);
        model_check_promise(cut);
        EXPECT(log_checkpoint() == 0);
        EXPECT(host_check(host_disk, host_disk_blocks, "crash, after recovery") == 0);
        host_drop();
        free(host_disk);
        host_checks++;
    }
    host_disk = disk;
    free(base);
    model_forget_promises();
    host_record(true);
    host_record(false);
}

/* A nearly full disk, where freed blocks are wanted again at once: after a crash no file may hold another's bytes. File n
 * is full of one letter; every other one is a directory with names, whose blocks the log knows. */
static void refill(unsigned n, bool synced)
{
    static char bytes[20 * 4096];
    char path[64], name[100];
    unsigned old = (n + 7) % 12;
    snprintf(path, sizeof(path), "/f%u", old);
    (void)do_unlink(P(path), 0, 0);
    for (int i = 0; i < 70; i++) {
        snprintf(name, sizeof(name), "/d%u/%d", old, i);
        (void)do_unlink(P(name), 0, 0);
    }
    snprintf(name, sizeof(name), "/d%u", old);
    (void)do_unlink(P(name), 0, 0);
    if (host_random() % 2) {
        snprintf(name, sizeof(name), "/d%u", n);
        (void)do_mkdir(P(name), 0, 0);
        for (int i = 0; i < 70; i++) {
            snprintf(name, sizeof(name), "/d%u/%d", n, i);
            (void)do_link(P("/one"), P(name), 0);
        }
    }
    snprintf(path, sizeof(path), "/f%u", n);
    (void)do_unlink(P(path), 0, 0);
    long fd = do_open(P(path), O_CREATE | O_RDWR, 0);
    memset(bytes, 'a' + (int)n, sizeof(bytes));
    if (fd >= 0) {
        long got = do_write((uintptr_t)fd, P(bytes), host_random() % sizeof(bytes));
        EXPECT(got >= 0 || got == -ENOSPC);
        EXPECT(do_close((uintptr_t)fd, 0, 0) == 0);
    }
    if (synced)
        EXPECT(do_sync(0, 0, 0) == 0);
    else
        EXPECT(cache_write_back(~(uint64_t)0, CACHE_BATCH) == 0);
}

static void check_letters(void)
{
    static char bytes[20 * 4096];
    char path[64];
    for (unsigned n = 0; n < 12; n++) {
        snprintf(path, sizeof(path), "/f%u", n);
        long fd = do_open(P(path), O_RDONLY, 0);
        long got = fd < 0 ? 0 : do_read((uintptr_t)fd, P(bytes), sizeof(bytes));
        for (long i = 0; i < got; i++)
            if (bytes[i] != 'a' + (int)n) {
                fprintf(stderr, "%s: byte %ld is %d\n", path, i, bytes[i]);
                EXPECT(!"contents of another file");
            }
        if (fd >= 0)
            EXPECT(do_close((uintptr_t)fd, 0, 0) == 0);
    }
}

static void run_reuse(uint64_t seed, unsigned states)
{
    host_seed(seed);
    host_frames = 3000;
    host_format(220, 64, seed % 2 ? 64 : 100);
    uint8_t *base = host_copy_disk();
    host_record(true);
    EXPECT(host_mount() == 0);
    EXPECT(do_mknod(P("/one"), 2, 0) == 0);
    for (unsigned i = 0; i < 60; i++)
        refill(host_random() % 12, host_random() % 4 == 0);
    host_record(false);
    host_drop();
    uint8_t *disk = host_disk;
    for (unsigned i = 0; i < states; i++) {
        size_t cut = host_random() % (host_event_count + 1);
        host_disk = host_crash_image(base, &cut, i % 4 != 0);
        EXPECT(host_check(host_disk, host_disk_blocks, "reuse, before recovery") == 0);
        EXPECT(host_mount() == 0);
        check_letters();
        EXPECT(log_checkpoint() == 0);
        EXPECT(host_check(host_disk, host_disk_blocks, "reuse, after recovery") == 0);
        host_drop();
        free(host_disk);
        host_checks++;
    }
    host_disk = disk;
    free(base);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    unsigned ops = argc > 2 ? (unsigned)atoi(argv[2]) : 3000;
    host_quiet = getenv("LOUD") == NULL;
    for (unsigned i = 0; i < 3; i++) {
        host_delay = i & 1;
        run_plain(seed * 100 + i, ops, 6000, 600, 20000);
        run_plain(seed * 100 + i, ops, 1500, 64, 20000);        /* full disk, small log */
        run_plain(seed * 100 + i, ops, 6000, 300, 420);         /* little memory */
        run_crashes(seed * 100 + i, ops / 5, 150, 300);
        run_crashes(seed * 100 + i, ops / 5, 150, 64);
        run_reuse(seed * 100 + i, 150);
        printf("round %u: %lu operations\n", i, model_ops);
    }
    printf("test_fs_model: %lu checks, 0 failed\n", host_checks);
    return 0;
}
