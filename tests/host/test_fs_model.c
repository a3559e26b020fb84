/* test_fs_model: thousands of random operations do what a model says; the image is consistent whenever it is looked at; what
 * fsync and sync promised is there after a crash at any point.
 *
 * Build: see tests/host/fs_sources. Arguments: [seed [operations]].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/log.h"
#include "fs_model.h"

static uint8_t *copy_disk(void)
{
    uint8_t *image = malloc((size_t)host_disk_blocks * 4096);
    memcpy(image, host_disk, (size_t)host_disk_blocks * 4096);
    return image;
}

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

/* A crash state: what reached the disk before event `cut`, and of the writes since the last flush a random part. */
static uint8_t *crash_image(const uint8_t *base, size_t cut, bool subset)
{
    size_t flushed = 0;
    uint8_t *image = malloc((size_t)host_disk_blocks * 4096);
    memcpy(image, base, (size_t)host_disk_blocks * 4096);
    for (size_t i = 0; i < cut; i++)
        if (host_events[i].kind == EVENT_FLUSH)
            flushed = i;
    unsigned share = host_random() % 5;
    for (size_t i = 0; i < cut; i++) {
        if (host_events[i].kind == EVENT_FLUSH || (subset && i > flushed && host_random() % 4 >= share))
            continue;
        uint8_t *at = image + (size_t)host_events[i].block * 4096;
        if (subset && i > flushed && host_random() % 8 == 0) {
            for (int sector = 0; sector < 8; sector++)          /* torn */
                if (host_random() % 2)
                    memcpy(at + sector * 512, host_events[i].data + sector * 512, 512);
        } else {
            memcpy(at, host_events[i].data, 4096);
        }
    }
    return image;
}

static void run_crashes(uint64_t seed, unsigned ops, unsigned states, uint32_t log_blocks)
{
    host_seed(seed);
    host_frames = 3000;
    host_format(3000, 512, log_blocks);
    model_start();
    model_big = 60;
    uint8_t *base = copy_disk();
    host_record(true);
    EXPECT(host_mount() == 0);
    for (unsigned i = 0; i < ops; i++)
        model_step(false);
    host_record(false);
    host_drop();
    uint8_t *disk = host_disk;
    for (unsigned i = 0; i < states; i++) {
        size_t cut = host_random() % (host_event_count + 1);
        host_disk = crash_image(base, cut, i % 4 != 0);
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
        printf("round %u: %lu operations\n", i, model_ops);
    }
    printf("test_fs_model: %lu checks, 0 failed\n", host_checks);
    return 0;
}
