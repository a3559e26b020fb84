/* Memory ends in the middle of a system call: nobody may wait for somebody who waits for him, promises are kept, and a task that
 * was killed stops. (DESIGN's rules 6 and 7 of memory; M13.) Run with 64M or more: sizes follow the machine's memory. */
#include "user/tests/support.h"

static struct kcounters counters(void)
{
    struct kcounters c = { 0 };
    kcounters(&c);
    return c;
}

static long frames_total(void) { return (long)counters().frames_total; }

static void touch_pages(char *memory, long npages)
{
    for (long i = 0; i < npages; i++)
        memory[(unsigned long)i * PAGE] = 1;
}

/* A task that holds `part` of 16 parts of memory and then does `work` until it is killed. */
static int start_hog(int part, void (*work)(void))
{
    int fds[2];
    char byte;

    pipe(fds);
    int pid = fork();
    if (pid == 0) {
        long npages = frames_total() * part / 16;
        touch_pages(tamalloc((unsigned long)npages * PAGE), npages);
        write(fds[1], "r", 1);
        for (;;)
            work();
    }
    close(fds[1]);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    return pid;
}

/* The hog wants the lock of an inode again and again; the toucher reads that inode into memory for which there is no frame
 * until the hog is gone: the toucher must not hold the lock while it waits for that. */
#define LINK "/tmp/shortage.link"
#define FILE "/tmp/shortage.file"
static char data[16 * PAGE];

static void look_at_link(void)
{
    struct stat st;
    lstat(LINK, &st);
}

static void grow_file(void)
{
    int fd = open(FILE, O_RDWR);

    ftruncate(fd, 1);
    lseek(fd, 1, 0);
    write(fd, data, sizeof data - 1);
    close(fd);
}

static int read_links(char *to, long npages)
{
    for (long i = 0; i < npages; i++)
        if (readlink(LINK, to + (unsigned long)i * PAGE, 100) != 7)
            return 1;
    return 0;
}

static int read_file(char *to, long npages)
{
    int fd = open(FILE, O_RDONLY);

    for (long i = 0; i + 16 <= npages; i += 16) {
        lseek(fd, 0, 0);
        if (read(fd, to + (unsigned long)i * PAGE, 16 * PAGE) < 0)
            return 1;
    }
    return 0;
}

static void hog_and_reader(void (*work)(void), int (*reads)(char *to, long npages))
{
    int hog = start_hog(8, work), status = -2;
    int reader = fork();

    if (reader == 0) {
        long npages = frames_total() * 7 / 16;
        exit(reads(tamalloc((unsigned long)npages * PAGE), npages));
    }
    CHECK_EQ(wait_for_task(reader, &status), reader);
    CHECK_EQ(status, 0);
    kill(hog);
    CHECK_EQ(wait_for_task(hog, &status), hog);
    CHECK_EQ(status, -1);
}

TEST(readlink_holds_nothing_while_it_waits)
{
    unlink(LINK);
    CHECK_EQ(symlink("/bin/sh", LINK), 0);
    for (int round = 0; round < 4; round++)
        hog_and_reader(look_at_link, read_links);
    unlink(LINK);
}

TEST(read_of_a_growing_file_holds_nothing_while_it_waits)
{
    make_file(FILE, "x");
    for (int round = 0; round < 4; round++)
        hog_and_reader(grow_file, read_file);
    unlink(FILE);
}

/* All that is left, promised to this task from here on. */
static char *claim_all(void)
{
    char *start = sbrk(0);

    while (sbrk(256 * PAGE) != SBRK_ERROR)
        ;
    while (sbrk(PAGE) != SBRK_ERROR)
        ;
    return start;
}

/* A file of so many times 64 KiB, all of it in the cache and clean. */
static int clean_file(int pieces)
{
    int fd = open(FILE, O_CREATE | O_RDWR | O_TRUNC);

    for (int i = 0; i < pieces; i++)
        CHECK_EQ(write(fd, data, sizeof data), sizeof data);
    sync();
    lseek(fd, 0, 0);
    while (read(fd, data, sizeof data) > 0)
        ;
    return fd;
}

/* When all is promised, clean blocks of the cache are written again, which makes them dirty: what was counted as free for the
 * promise is not any more, and the promise must hold all the same. */
static int claim_all_and_rewrite(void *descriptor)
{
    int fd = (int)(long)descriptor;
    char *start = claim_all();

    lseek(fd, 0, 0);
    for (int i = 0; i < 48; i++)
        if (write(fd, data, sizeof data) != (long)sizeof data)
            return 1;
    touch_pages(start, (sbrk(0) - start) / (long)PAGE);
    return 0;
}

TEST(promises_hold_when_the_cache_becomes_dirty)
{
    int fd = clean_file(48);

    CHECK_EQ(in_child(claim_all_and_rewrite, (void *)(long)fd), 0);
    close(fd);
    unlink(FILE);
}

static int claim_and_touch_all(void *unused)
{
    char *start = claim_all();

    (void)unused;
    touch_pages(start, (sbrk(0) - start) / (long)PAGE);
    return 0;
}

/* What describes a block is given back with the block, and not when something is written next time. */
TEST(an_evicted_block_takes_its_descriptor_along)
{
    int fd = clean_file(160);                   /* 2,560 blocks: at least 50 frames of descriptors */
    struct kcounters before = counters();

    CHECK_EQ(in_child(claim_and_touch_all, 0), 0);
    struct kcounters after = counters();
    CHECK(before.frames_cached > after.frames_cached + 2000);
    CHECK(after.frames_free + after.frames_cached > before.frames_free + before.frames_cached + 25);
    close(fd);
    unlink(FILE);
}

TEST(areas_of_one_task_are_bounded)
{
    long count = 0;

    FAILS(tamalloc(0), EINVAL);
    while (tamalloc(1) != TAMALLOC_ERROR)
        count++;
    CHECK_EQ(errno, ENOMEM);
    CHECK(count > 4000);
}

static int mixed_heap(void *unused)
{
    char *start = sbrk(0);

    (void)unused;
    for (int i = 0; i < 4000; i++)
        if (sbrk(PAGE) == SBRK_ERROR || sbrklazy(PAGE) == SBRK_ERROR)
            return 1;
    start[0] = start[7999 * PAGE] = 1;
    if (sbrk(start - sbrk(0)) == SBRK_ERROR || sbrk(0) != start)
        return 2;
    return sbrk(8000 * PAGE) == SBRK_ERROR ? 3 : start[0];
}

TEST(a_mixed_heap_shrinks_in_one_step)
{
    CHECK_EQ(in_child(mixed_heap, 0), 0);
}

/* A killed task does not finish its long read first; and where it shares the only CPU with who wants to kill it, it lets him. */
TEST(a_killed_reader_stops)
{
    uint64_t evictions_before = evictions_now();
    int status = -2, reached[2];
    long size = 200l << 20;
    char byte;

    int fd = open(FILE, O_CREATE | O_RDWR | O_TRUNC);
    CHECK_EQ(ftruncate(fd, size), 0);           /* a hole: no blocks */
    pipe(reached);
    int pid = fork();
    if (pid == 0) {
        char *to = tamalloc((unsigned long)size);
        write(reached[1], "r", 1);
        read(fd, to, (unsigned long)size);      /* more than there is memory: it would end by itself only in a shortage */
        exit(5);
    }
    CHECK_EQ(read(reached[0], &byte, 1), 1);
    CHECK_EQ(kill(pid), 0);
    CHECK_EQ(wait_for_task(pid, &status), pid);
    CHECK_EQ(status, -1);
    if (counters().cpus == 1)
        CHECK_EQ(evictions_now(), evictions_before);
    close(reached[0]), close(reached[1]), close(fd);
    unlink(FILE);
}

int main(void)
{
    RUN(readlink_holds_nothing_while_it_waits);
    RUN(read_of_a_growing_file_holds_nothing_while_it_waits);
    RUN(promises_hold_when_the_cache_becomes_dirty);
    RUN(an_evicted_block_takes_its_descriptor_along);
    checks_in_child(test_areas_of_one_task_are_bounded);
    RUN(a_mixed_heap_shrinks_in_one_step);
    RUN(a_killed_reader_stops);
    return check_summary("shortage");
}
