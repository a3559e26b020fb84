/*
 * chau: giving a block back. It stays as it is until the sweeper comes, still counts, and only then its pages go and its
 * addresses may be granted again (R000-4, -9, -11 to -14; section 5 of the requirements).
 *
 * Bodies and phases: see region.h. All the blocks are made in children, so each starts with an empty REGION.
 */
#include "user/tests/region.h"

/* Where block n pages behind REGION's start begins. */
static char *at(size_t page) { return (char *)REGION + page * PAGE; }

static bool refused(unsigned long address)
{
    errno = 0;
    return chau((void *)address) == -1 && errno == EINVAL;
}

/* ---- Bad arguments: R000-9, A000-13. Nothing changes, and the call comes back. */

static int refuse_all(const unsigned long *bad, size_t count)
{
    struct region_map before, after;

    look(&before);
    for (size_t i = 0; i < count; i++)
        MUST(refused(bad[i]));
    look(&after);
    MUST(same(&before, &after));
    return 0;
}

static int bad_arguments(void *unused)
{
    int local;
    char *block = malloco(3 * PAGE), *heap = sbrk(PAGE), *area = tamalloc(2 * PAGE);
    unsigned long start = (unsigned long)block;
    (void)unused;

    MUST(block == at(0) && malloco(PAGE) == at(3) && area != TAMALLOC_ERROR);
    put_tags(at(1), 2, 11);
    heap[0] = area[0] = 'h';
    const unsigned long bad[] = {
        0, 1, PAGE, start + 1, start + 8, start + PAGE - 1, start - 1, start - PAGE,
        start + PAGE, start + 2 * PAGE, start + 2 * PAGE + 5,                   /* inside a block: its other pages */
        start + 4 * PAGE, start + 500 * PAGE, REGION_END - PAGE, REGION_END, REGION_END + PAGE,         /* nobody's */
        (unsigned long)heap, (unsigned long)area, (unsigned long)area + PAGE, (unsigned long)&local,
        (unsigned long)main_text(),
        KERNEL_ADDRESS, 0x80200000, 0x80000000, 0x87fff000, 0x10000000,         /* the kernel's, here or elsewhere */
        WIDE_ALIASES(start) WIDE_ALIASES(start + 3 * PAGE) start + REGION_BYTES, ~0ul, ~0ul - PAGE + 1,
    };
    unsigned long near[8 * sizeof(long)];
    for (size_t bit = 0; bit < COUNT(near); bit++)
        near[bit] = start ^ 1ul << bit;
    MUST(refuse_all(near, COUNT(near)) == 0);
    MUST(refuse_all(bad, COUNT(bad)) == 0);
    MUST(has_tags(at(1), 2, 11) && heap[0] == 'h' && area[0] == 'h');
    await_sweep();
    MUST(refuse_all(bad, COUNT(bad)) == 0);     /* and no sweep took anything for them */
    MUST(has_tags(at(1), 2, 11) && heap[0] == 'h' && area[0] == 'h');
    return 0;
}

static int bad_arguments_without_blocks(void *unused)
{
    static const unsigned long bad[] = { 0, REGION, REGION + PAGE, REGION_END - PAGE, REGION_END, ~0ul, 0x80200000 };
    (void)unused;
    return refuse_all(bad, COUNT(bad));
}

TEST(bad_arguments_change_nothing)
{
    CHECK_EQ(in_child(bad_arguments, 0), 0);
    CHECK_EQ(in_child(bad_arguments_without_blocks, 0), 0);
}

/* ---- The life of a block: ACTIVE, MARKED, FREE */

/* R000-9: a good one. The call unmaps nothing and frees nothing: what was touched works until the sweep (A000-22). */
static struct region_map when_marked;
static struct process_mem_info when_active;

static int mark_one(void)
{
    struct kcounters before, after;

    own_memory();
    MUST(malloco(5 * PAGE) == at(0) && malloco(2 * PAGE) == at(5));
    put_tags(at(1), 3, 70);
    put_tags(at(5), 1, 80);
    kcounters(&after);
    kcounters(&before);
    when_active = own_memory();
    MUST(chau(at(0)) == 0);
    kcounters(&after);
    MUST(after.frames_free <= before.frames_free);
    MUST(own_memory().reserved_memory == when_active.reserved_memory);          /* R000-4: it counts */
    MUST(own_memory().committed_memory == when_active.committed_memory);
    look(&when_marked);
    for (int i = 0; i < 5; i++) {
        int bits = PAGE_IS_GRANTED | PAGE_IS_MARKED | (i == 0 ? PAGE_IS_FIRST : 0);
        MUST(when_marked.page[i] == (bits | (i >= 1 && i <= 3 ? PAGE_IS_RESIDENT | PAGE_IS_WRITABLE : 0)));
    }
    MUST(!(when_marked.page[5] & PAGE_IS_MARKED) && !(when_marked.page[6] & PAGE_IS_MARKED));
    MUST(has_tags(at(1), 3, 70));
    put_tags(at(1), 3, 90);
    MUST(has_tags(at(1), 3, 90));
    return 0;
}

static int one_is_gone(void)
{
    struct process_mem_info now = own_memory();

    for (int i = 0; i < 5; i++)
        MUST(page_is(at((size_t)i)) == 0);
    MUST(page_is(at(5)) == (PAGE_IS_GRANTED | PAGE_IS_FIRST | PAGE_IS_RESIDENT | PAGE_IS_WRITABLE));
    MUST(page_is(at(6)) == PAGE_IS_GRANTED);
    MUST(has_tags(at(5), 1, 80));
    MUST(now.reserved_memory == when_active.reserved_memory - 20);
    MUST(now.committed_memory == when_active.committed_memory - 12);
    MUST(dies(LOAD, REGION));
    MUST(dies(STORE, REGION + PAGE));
    return 0;
}

TEST(a_block_works_until_the_sweep_takes_it) { CHECK_EQ(quiet_then_swept(mark_one, one_is_gone), 0); }

/* The second chau, before the sweep and after it, changes nothing (S000: "no hará nada"). */
static int chau_twice(void)
{
    static struct region_map once;

    MUST(malloco(2 * PAGE) == at(0) && malloco(2 * PAGE) == at(2));
    put_tags(at(0), 4, 1);
    MUST(chau(at(0)) == 0);
    look(&once);
    for (int i = 0; i < 3; i++)
        MUST(refused(REGION));
    MUST(refused(REGION + PAGE));
    look(&when_marked);
    MUST(same(&once, &when_marked));
    return 0;
}

static int chau_after_the_sweep(void)
{
    struct region_map before, after;

    look(&before);
    MUST(refused(REGION) && refused(REGION + PAGE));
    look(&after);
    MUST(same(&before, &after));
    await_sweep();                              /* a page freed twice would be a panic here at the latest */
    look(&after);
    MUST(same(&before, &after));
    MUST(has_tags(at(2), 2, 3));
    MUST(chau(at(2)) == 0);
    await_sweep();
    MUST(refused((unsigned long)at(2)));
    MUST(pages_with(PAGE_IS_GRANTED) == 0);
    MUST(malloco(REGION_BYTES) == at(0));
    return 0;
}

TEST(a_second_chau_is_refused) { CHECK_EQ(quiet_then_swept(chau_twice, chau_after_the_sweep), 0); }

/* Use after chau by the task itself. */
static int use_after_sweep(void *kind)
{
    malloco(PAGE);
    put_tags(at(0), 1, 5);
    MUST(chau(at(0)) == 0);
    await_sweep();
    do_access((int)(long)kind, REGION);
    return 0;
}

/* A000-22: of a MARKED block no further page appears. Also when the sweep comes before the access. */
static int use_untouched(void *kind)
{
    malloco(3 * PAGE);
    put_tags(at(0), 1, 5);
    MUST(chau(at(0)) == 0);
    do_access((int)(long)kind, REGION + PAGE);
    return 0;
}

TEST(use_after_chau_ends_the_task)
{
    CHECK_EQ(in_child(use_after_sweep, (void *)LOAD), -1);
    CHECK_EQ(in_child(use_after_sweep, (void *)STORE), -1);
    CHECK_EQ(in_child(use_untouched, (void *)LOAD), -1);
    CHECK_EQ(in_child(use_untouched, (void *)STORE), -1);
}

/* The kernel on the task's behalf: what is gone, or does not appear any more, is EFAULT. A page that is still there may be
 * refused or not; it harms nobody. */
static int fds[2];

static int kernel_uses_marked(void)
{
    struct kcounters *c = (void *)at(1);

    MUST(pipe(fds) == 0);
    MUST(malloco(3 * PAGE) == at(0));
    put_tags(at(0), 1, 5);
    MUST(chau(at(0)) == 0);
    errno = 0;
    MUST(kcounters(c) == -1 && errno == EFAULT);
    errno = 0;
    MUST(write(fds[1], at(2), 1) == -1 && errno == EFAULT);
    long n = write(fds[1], at(0), 8);
    MUST(n == 8 || (n == -1 && errno == EFAULT));
    int file = open("/tmp/chau", O_CREATE | O_RDWR);
    n = write(file, at(0), PAGE);
    MUST(n == PAGE || (n == -1 && errno == EFAULT));
    n = write(file, at(0), 3 * PAGE);
    MUST(n == PAGE || (n == -1 && errno == EFAULT));
    close(file);
    unlink("/tmp/chau");
    MUST(has_tags(at(0), 1, 5));
    return 0;
}

static int kernel_uses_swept(void)
{
    errno = 0;
    MUST(kcounters((void *)at(0)) == -1 && errno == EFAULT);
    errno = 0;
    MUST(write(fds[1], at(0), 8) == -1 && errno == EFAULT);
    errno = 0;
    MUST(get_all_mem_stats((void *)at(2)) == -1 && errno == EFAULT);
    MUST(pages_with(PAGE_IS_RESIDENT) == 0 && pages_with(PAGE_IS_GRANTED) == 0);
    return 0;
}

TEST(the_kernel_uses_nothing_after_chau) { CHECK_EQ(quiet_then_swept(kernel_uses_marked, kernel_uses_swept), 0); }

/* ---- Granting again: R000-4, R000-12 */

/* MARKED counts: the region is full until the sweep. Afterwards it is granted, and read as zero. */
static int full_and_marked(void)
{
    MUST(malloco(REGION_BYTES) == at(0));
    put_tags(at(0), REGION_PAGES, 3);
    MUST(chau(at(0)) == 0);
    look(&when_marked);
    MUST(malloco(1) == 0 && malloco(REGION_BYTES) == 0);
    struct region_map now;
    look(&now);
    MUST(same(&when_marked, &now));
    return 0;
}

static int full_and_swept(void)
{
    MUST(pages_with(PAGE_IS_GRANTED) == 0);
    MUST(malloco(REGION_BYTES) == at(0));
    MUST(pages_with(PAGE_IS_RESIDENT) == 0);
    MUST(is_zero(at(0), REGION_PAGES));
    MUST(malloco(1) == 0);
    return 0;
}

TEST(marked_counts_in_the_limit) { CHECK_EQ(quiet_then_swept(full_and_marked, full_and_swept), 0); }

/* One page of an exhausted region. */
static int one_of_many_marked(void)
{
    for (size_t i = 0; i < REGION_PAGES; i++)
        MUST(malloco(PAGE) == at(i));
    put_tags(at(0), REGION_PAGES, 10);
    MUST(chau(at(777)) == 0);
    MUST(malloco(PAGE) == 0);
    return 0;
}

static int one_of_many_swept(void)
{
    MUST(malloco(2 * PAGE) == 0);
    MUST(malloco(PAGE) == at(777));
    MUST(is_zero(at(777), 1));
    MUST(malloco(1) == 0);
    MUST(has_tags(at(0), 777, 10) && has_tags(at(778), REGION_PAGES - 778, 788));
    return 0;
}

TEST(one_page_of_a_full_region) { CHECK_EQ(quiet_then_swept(one_of_many_marked, one_of_many_swept), 0); }

/* MARKED space is not granted while it is, although it is the lowest; after the sweep it is. */
static int marked_is_not_granted(void)
{
    MUST(malloco(2 * PAGE) == at(0) && malloco(PAGE) == at(2));
    put_tags(at(0), 3, 40);
    MUST(chau(at(0)) == 0);
    MUST(malloco(2 * PAGE) == at(3) && malloco(PAGE) == at(5));
    MUST(has_tags(at(0), 3, 40));
    return 0;
}

static int lowest_hole_first(void)              /* "chau(first of two), sweep, malloco(same size)" */
{
    MUST(malloco(2 * PAGE) == at(0));
    MUST(is_zero(at(0), 2));
    MUST(has_tags(at(2), 1, 42));
    MUST(malloco(PAGE) == at(6));
    return 0;
}

TEST(the_lowest_hole_is_granted_first) { CHECK_EQ(quiet_then_swept(marked_is_not_granted, lowest_hole_first), 0); }

/* First fit: the lowest hole that is large enough; neighbouring holes are one, in whatever order they became free. */
static int first_fit(void *unused)
{
    static const size_t sizes[] = { 2, 3, 1, 4, 2 };
    size_t page = 0;
    (void)unused;

    for (size_t i = 0; i < COUNT(sizes); page += sizes[i++])
        MUST(malloco(sizes[i] * PAGE) == at(page));     /* 0-1, 2-4, 5, 6-9, 10-11 */
    put_tags(at(0), 12, 600);
    MUST(chau(at(2)) == 0 && chau(at(6)) == 0);
    await_sweep();                                      /* free: 2-4, 6-9, 12- */
    MUST(malloco(4 * PAGE) == at(6));
    MUST(malloco(5 * PAGE) == at(12));
    MUST(malloco(1) == at(2));
    MUST(malloco(2 * PAGE) == at(3));
    MUST(malloco(1) == at(17));
    MUST(is_zero(at(2), 3) && is_zero(at(6), 4));
    MUST(has_tags(at(0), 2, 600) && has_tags(at(5), 1, 605) && has_tags(at(10), 2, 610));
    return 0;
}

static int merge(void *first)
{
    static const size_t starts[] = { 0, 2, 5 };         /* 0-1, 2-4, 5; behind them one that stays */
    size_t last = (size_t)first;

    MUST(malloco(2 * PAGE) == at(0) && malloco(3 * PAGE) == at(2) && malloco(PAGE) == at(5) && malloco(PAGE) == at(6));
    put_tags(at(0), 7, 50);
    for (size_t i = 0; i < 3; i++)
        if (i != last)
            MUST(chau(at(starts[i])) == 0);
    await_sweep();
    MUST(malloco(REGION_BYTES - 7 * PAGE) == at(7));    /* the rest, so that only the holes are left */
    MUST(malloco(6 * PAGE) == 0);
    MUST(chau(at(starts[last])) == 0);
    await_sweep();
    MUST(malloco(6 * PAGE) == at(0));
    MUST(is_zero(at(0), 6) && has_tags(at(6), 1, 56));
    MUST(malloco(1) == 0);
    return 0;
}

TEST(first_fit_and_merging)
{
    CHECK_EQ(in_child(first_fit, 0), 0);
    for (long last = 0; last < 3; last++)
        CHECK_EQ(in_child(merge, (void *)last), 0);
}

/* "total fits but no contiguous hole" */
static int no_contiguous_hole(void *unused)
{
    struct region_map before, after;
    (void)unused;

    for (size_t i = 0; i < REGION_PAGES; i++)
        MUST(malloco(1) == at(i));
    for (size_t i = 0; i < REGION_PAGES; i += 2)
        MUST(chau(at(i)) == 0);
    await_sweep();
    look(&before);
    MUST(pages_with(PAGE_IS_GRANTED) == (int)REGION_PAGES / 2);
    MUST(malloco(2 * PAGE) == 0 && malloco(REGION_BYTES / 2) == 0);
    look(&after);
    MUST(same(&before, &after));
    MUST(chau(at(501)) == 0);
    await_sweep();
    MUST(malloco(4 * PAGE) == 0);
    MUST(malloco(3 * PAGE) == at(500));
    MUST(malloco(2 * PAGE) == 0);
    MUST(malloco(1) == at(0) && malloco(1) == at(2));
    return 0;
}

TEST(a_hole_must_be_contiguous) { CHECK_EQ(in_child(no_contiguous_hole, 0), 0); }

/* A000-1: REGION's leaf tables, three or two. The pages at both sides of each boundary go, and come again as zero. */
static int across_tables(void *unused)
{
    static const unsigned long edges[] = { REGION, 0xA11FF000, 0xA1200000, 0xA13FF000, 0xA1400000, REGION_END - PAGE };
    (void)unused;

    for (int round = 0; round < 2; round++) {
        MUST(malloco(REGION_BYTES) == at(0));
        for (size_t i = 0; i < COUNT(edges); i++) {
            MUST(is_zero((char *)edges[i], 1));
            put_tags((char *)edges[i], 1, i + 1);
        }
        MUST(pages_with(PAGE_IS_RESIDENT) == COUNT(edges));
        MUST(chau(at(0)) == 0);
        await_sweep();
        MUST(pages_with(PAGE_IS_RESIDENT) == 0 && pages_with(PAGE_IS_GRANTED) == 0);
    }
    return 0;
}

/* With the last page of a table the table goes, too: every frame is back, not only the pages' (C1). The number of free
 * frames is everybody's: it is looked at several times. */
static int frames_missing(void *unused)
{
    struct kcounters before, after;
    (void)unused;

    malloco(REGION_BYTES);
    kcounters(&after);
    kcounters(&before);
    *(volatile char *)0xA11FF000 = *(volatile char *)0xA1200000 = *(volatile char *)0xA1400000 = 1;
    kcounters(&after);
    MUST(before.frames_free > after.frames_free);
    MUST(chau(at(0)) == 0);
    await_sweep();
    kcounters(&after);
    return before.frames_free != after.frames_free;
}

/* One of three blocks goes: it lies across a boundary of tables, and its neighbours keep both tables. */
static int across_one_boundary(void *boundary)
{
    size_t middle = (size_t)((char *)boundary - (char *)REGION) / PAGE - 2;

    MUST(malloco(middle * PAGE) == at(0) && malloco(4 * PAGE) == at(middle) && malloco(2 * PAGE) == at(middle + 4));
    put_tags(at(middle - 2), 7, 70);
    for (int round = 0; round < 2; round++) {
        MUST(chau(at(middle)) == 0);
        await_sweep();
        for (size_t i = 0; i < 4; i++)
            MUST(page_is(at(middle + i)) == 0);
        MUST(has_tags(at(middle - 2), 2, 70) && has_tags(at(middle + 4), 1, 76));
        MUST(pages_with(PAGE_IS_RESIDENT) == 3);
        MUST(dies(STORE, (unsigned long)boundary) && dies(LOAD, (unsigned long)boundary - 1));
        MUST(malloco(4 * PAGE) == at(middle) && is_zero(at(middle), 4));
        put_tags(at(middle), 4, 90);
    }
    MUST(has_tags(at(middle - 2), 2, 70) && has_tags(at(middle), 4, 90) && has_tags(at(middle + 4), 1, 76));
    return 0;
}

TEST(a_block_in_several_tables)
{
    int missing = 1;

    CHECK_EQ(in_child(across_tables, 0), 0);
    CHECK_EQ(in_child(across_one_boundary, (void *)0xA1200000), 0);
    CHECK_EQ(in_child(across_one_boundary, (void *)0xA1400000), 0);
    for (int tries = 0; tries < 8 && missing == 1; tries++)
        missing = in_child(frames_missing, 0);
    CHECK_EQ(missing, 0);
}

/* ---- Several tasks: R000-13 */

/* A neighbour has blocks at the same addresses; our chau and the sweep are no business of its. */
static int chau_beside_a_neighbour(void *unused)
{
    struct gate over = gate_new(), ready = gate_new();
    (void)unused;

    int neighbour = fork();
    if (neighbour == 0) {
        malloco(8 * PAGE);
        put_tags(at(0), 8, 4000);
        say_ready(&ready);
        gate_wait(&over);
        exit(has_tags(at(0), 8, 4000) && pages_with(PAGE_IS_RESIDENT) == 8 && pages_with(PAGE_IS_MARKED) == 0 ? 0 : 1);
    }
    MUST(malloco(8 * PAGE) == at(0));
    put_tags(at(0), 8, 8000);
    await_ready(&ready, 1);
    MUST(chau(at(0)) == 0);
    await_sweep();
    MUST(pages_with(PAGE_IS_GRANTED) == 0);
    gate_open(&over);
    MUST(status_of(neighbour) == 0);
    return 0;
}

TEST(chau_is_for_one_task_only) { CHECK_EQ(in_child(chau_beside_a_neighbour, 0), 0); }

/* Section 5: of a block that is shared since a fork, only the mapping of the one that gave it back goes. */
static int parent_gives(void *unused)
{
    struct gate over = gate_new();
    (void)unused;

    MUST(malloco(4 * PAGE) == at(0));
    put_tags(at(0), 4, 300);
    int pid = fork();
    if (pid == 0) {
        gate_wait(&over);                       /* the parent has chau'd and its sweep is over */
        MUST(has_tags(at(0), 4, 300));
        MUST(page_is(at(3)) == (PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_COW));
        put_tags(at(0), 4, 900);
        MUST(has_tags(at(0), 4, 900));
        MUST(chau(at(0)) == 0);
        return 0;
    }
    MUST(chau(at(0)) == 0);
    await_sweep();
    MUST(pages_with(PAGE_IS_GRANTED) == 0 && pages_with(PAGE_IS_RESIDENT) == 0);
    MUST(malloco(4 * PAGE) == at(0) && is_zero(at(0), 4));
    put_tags(at(0), 4, 77);
    gate_open(&over);
    MUST(status_of(pid) == 0);
    MUST(has_tags(at(0), 4, 77));
    return 0;
}

static int child_gives(void *unused)
{
    (void)unused;
    MUST(malloco(6 * PAGE) == at(0));
    put_tags(at(0), 4, 300);
    int pid = fork();
    if (pid == 0) {
        MUST(page_is(at(1)) == (PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_COW | PAGE_IS_SHARED));
        MUST(chau(at(0)) == 0);
        await_sweep();
        MUST(pages_with(PAGE_IS_GRANTED) == 0 && pages_with(PAGE_IS_RESIDENT) == 0);
        MUST(dies(LOAD, REGION));
        MUST(malloco(6 * PAGE) == at(0) && is_zero(at(0), 6));
        return 0;
    }
    MUST(status_of(pid) == 0);
    MUST(has_tags(at(0), 4, 300));
    MUST(page_is(at(1)) == (PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_COW));
    uint64_t copies = counters().cow_copies;
    put_tags(at(0), 4, 900);                    /* the last sharer: no copy */
    MUST(counters().cow_copies == copies);
    MUST(has_tags(at(0), 4, 900) && is_zero(at(4), 2));
    return 0;
}

TEST(a_shared_block_goes_for_one_task)
{
    CHECK_EQ(in_child(parent_gives, 0), 0);
    CHECK_EQ(in_child(child_gives, 0), 0);
}

/* Section 5, R001-4: MARKED is copied by fork; both are swept, each frame goes once. */
static int fork_pid;
static struct kcounters at_fork;

static int marked_fork(void)
{
    MUST(malloco(3 * PAGE) == at(0) && malloco(2 * PAGE) == at(3));
    put_tags(at(0), 5, 60);
    MUST(chau(at(0)) == 0);
    at_fork = counters();
    fork_pid = fork();
    if (fork_pid == 0) {
        int marked = pages_with(PAGE_IS_GRANTED | PAGE_IS_MARKED | PAGE_IS_RESIDENT | PAGE_IS_COW), early = 0;
        if (!has_tags(at(0), 5, 60) || !refused(REGION))
            early = __LINE__;
        await_sweep();
        MUST(marked == 3 && early == 0);
        MUST(pages_with(PAGE_IS_GRANTED) == 2 && has_tags(at(3), 2, 63));
        MUST(dies(STORE, REGION));
        MUST(malloco(3 * PAGE) == at(0) && is_zero(at(0), 3));
        exit(0);
    }
    MUST(fork_pid > 0);
    MUST(malloco(PAGE) == at(5));
    return 0;
}

static int marked_fork_swept(void)
{
    struct kcounters now = counters();

    MUST(pages_with(PAGE_IS_GRANTED) == 3 && has_tags(at(3), 2, 63));
    MUST(now.blocks_swept == at_fork.blocks_swept + 2);
    MUST(now.pages_swept == at_fork.pages_swept + 6);
    MUST(status_of(fork_pid) == 0);
    MUST(malloco(3 * PAGE) == at(0) && is_zero(at(0), 3));
    return 0;
}

TEST(fork_copies_marked_blocks) { CHECK_EQ(quiet_then_swept(marked_fork, marked_fork_swept), 0); }

/* ---- R000-14: whatever a task had when it ended comes back, whether the sweep or the end was first. */

#define HELD 600

enum ending { EXITS, IS_EVICTED, IS_KILLED };

static int end_with_blocks(enum ending how, bool sweep_before)
{
    for (size_t i = 0; i < HELD / 2; i++)
        MUST(malloco(2 * PAGE) == at(2 * i));
    put_tags(at(0), HELD, 1);
    for (size_t i = 0; i < HELD / 2; i += 2)
        MUST(chau(at(2 * i)) == 0);
    if (sweep_before)
        await_sweep();
    if (how == IS_EVICTED)
        do_access(LOAD, REGION_END - 1);
    if (how == IS_KILLED)
        kill(getpid());
    return 0;
}

static void frames_return(enum ending how, bool sweep_before, bool reap_late)
{
    uint64_t before = counters().frames_free;
    int pid = fork();

    if (pid == 0)
        exit(end_with_blocks(how, sweep_before));
    if (reap_late) {
        await_sweep();
        await_sweep();
    }
    CHECK_EQ(status_of(pid), how == EXITS ? 0 : -1);
    await_sweep();
    CHECK(counters().frames_free + HELD / 10 > before);         /* others may have taken a few */
}

TEST(what_a_dead_task_had_comes_back)
{
    for (enum ending how = EXITS; how <= IS_KILLED; how++) {
        frames_return(how, false, false);
        frames_return(how, true, false);
        frames_return(how, false, true);
    }
}

int main(void)
{
    RUN(bad_arguments_change_nothing);
    RUN(a_block_works_until_the_sweep_takes_it);
    RUN(a_second_chau_is_refused);
    RUN(use_after_chau_ends_the_task);
    RUN(the_kernel_uses_nothing_after_chau);
    RUN(marked_counts_in_the_limit);
    RUN(one_page_of_a_full_region);
    RUN(the_lowest_hole_is_granted_first);
    RUN(first_fit_and_merging);
    RUN(a_hole_must_be_contiguous);
    RUN(a_block_in_several_tables);
    RUN(chau_is_for_one_task_only);
    RUN(a_shared_block_goes_for_one_task);
    RUN(fork_copies_marked_blocks);
    RUN(what_a_dead_task_had_comes_back);
    return check_summary("chau");
}
