/*
 * malloco: blocks of lazy pages in REGION. What is granted, what a first touch maps, what belongs to nobody and ends the
 * task that touches it, and that each task has a REGION of its own (R000-1..8, R000-13, C1).
 */
#include "user/tests/region.h"

/* ---- R000-1, A000-2: a call gives its result and changes no other register; a page fault changes none at all. */

static bool kept(const char *changed)
{
    if (changed != 0)
        printf("changed: %s\n", changed);
    return changed == 0;
}

static int check_registers(void *unused)
{
    unsigned long result;
    (void)unused;

    for (unsigned i = 0; i < 2; i++) {          /* twice: the flags, where there are any, are others */
        char *page = (char *)REGION + 2 * i * PAGE;
        MUST(kept(changed_by_call(i, 100, 5000, &result)) && result == (unsigned long)page);
        MUST(kept(changed_by_store(i, page + 5)));      /* the first touch of a page: the instruction is simply done */
        MUST(page_is(page) & PAGE_IS_RESIDENT);
        MUST(kept(changed_by_call(i, 101, (unsigned long)page + PAGE, &result)) && result == (unsigned long)-EINVAL);
        MUST(kept(changed_by_call(i, 100, 0, &result)) && result == 0);
    }
    for (unsigned i = 0; i < 2; i++)
        MUST(kept(changed_by_call(i, 101, REGION + 2 * i * PAGE, &result)) && result == 0);
    return 0;
}

TEST(registers_are_preserved) { CHECK_EQ(in_child(check_registers, 0), 0); }

/* ---- What is granted: R000-2 to -5 */

/* A000-5, A000-6: nothing, too much, and numbers that wrap when they are rounded up or cut to 32 bits. */
static bool all_sizes_are_refused(void)
{
    static const size_t sizes[] = {
        0, REGION_BYTES + 1, REGION_BYTES + PAGE, 5ul << 20, 0xFFFFF000, 0xFFFFF001, 0xFFFFFFFF,
        ~0ul - PAGE, ~0ul - PAGE + 1, ~0ul - PAGE + 2, ~0ul - 1, ~0ul, WIDE_ALIASES(1ul) WIDE_ALIASES(PAGE)
    };

    for (size_t i = 0; i < COUNT(sizes); i++)
        if (malloco(sizes[i]) != 0)
            return false;
    for (size_t power = 2 * REGION_BYTES; power != 0; power <<= 1)
        if (malloco(power) != 0 || malloco(power + 1) != 0 || malloco(power + PAGE) != 0)
            return false;
    return true;
}

static int refuse(void *unused)
{
    struct region_map before, after;
    (void)unused;

    MUST(all_sizes_are_refused());
    MUST(pages_with(PAGE_IS_GRANTED) == 0);
    MUST(malloco(1) == (void *)REGION);         /* the first grant still is at REGION's start: nothing was used up */
    look(&before);
    MUST(all_sizes_are_refused());
    look(&after);
    MUST(same(&before, &after));
    MUST(malloco(PAGE) == (void *)(REGION + PAGE));
    return 0;
}

TEST(sizes_that_are_refused) { CHECK_EQ(in_child(refuse, 0), 0); }

/* R000-2, R000-3, A000-6: sizes are rounded up to pages, and blocks follow each other. */
static int follow_each_other(void *unused)
{
    static const struct { size_t nbytes, npages; } grants[] = {
        { 1, 1 }, { 4096, 1 }, { 4097, 2 }, { 8192, 2 }, { 8193, 3 }, { 2, 1 }, { 4095, 1 }, { 100000, 25 },
        { 65536, 16 },
    };
    size_t page = 0;
    (void)unused;

    for (size_t i = 0; i < COUNT(grants); i++) {
        MUST(malloco(grants[i].nbytes) == (void *)(REGION + page * PAGE));
        for (size_t k = 0; k < grants[i].npages; k++, page++)
            MUST(page_is((char *)REGION + page * PAGE) == (PAGE_IS_GRANTED | (k == 0 ? PAGE_IS_FIRST : 0)));
        MUST(page_is((char *)REGION + page * PAGE) == 0);
    }
    return 0;
}

TEST(blocks_follow_each_other) { CHECK_EQ(in_child(follow_each_other, 0), 0); }

/* R000-4, A000-3, A000-5: 4 MiB, to the byte; then nothing more. */
static int whole_region(void *nbytes)
{
    char *block = malloco((size_t)nbytes);

    MUST(block == (char *)REGION);
    MUST(malloco(1) == 0);
    MUST(pages_with(PAGE_IS_GRANTED) == (int)REGION_PAGES);
    MUST(pages_with(PAGE_IS_RESIDENT) == 0);
    block[0] = 'a';
    block[REGION_BYTES - 1] = 'z';
    MUST(block[0] == 'a' && block[REGION_BYTES - 1] == 'z');
    MUST(pages_with(PAGE_IS_RESIDENT) == 2);
    MUST(dies(LOAD, REGION_END));
    return 0;
}

static int exactly_full(void *unused)
{
    struct region_map before, after;
    (void)unused;

    MUST(malloco(REGION_BYTES - 2 * PAGE) == (void *)REGION);
    look(&before);
    MUST(malloco(2 * PAGE + 1) == 0);           /* one page more than is left */
    MUST(malloco(REGION_BYTES) == 0);
    look(&after);
    MUST(same(&before, &after));
    MUST(malloco(2 * PAGE) == (void *)(REGION_END - 2 * PAGE));
    MUST(malloco(1) == 0);
    return 0;
}

TEST(four_mebibytes_and_no_more)
{
    CHECK_EQ(in_child(whole_region, (void *)REGION_BYTES), 0);
    CHECK_EQ(in_child(whole_region, (void *)(REGION_BYTES - 1)), 0);
    CHECK_EQ(in_child(exactly_full, 0), 0);
}

/* R000-3, R000-5, A000-4: a tracker for 1024 blocks, each its own page. */
static int thousand_blocks(void *unused)
{
    (void)unused;
    for (unsigned long i = 0; i < REGION_PAGES; i++)
        MUST(malloco(i % 2 ? PAGE : 1) == (void *)(REGION + i * PAGE));
    MUST(malloco(1) == 0);
    MUST(pages_with(PAGE_IS_FIRST) == (int)REGION_PAGES);
    put_tags((char *)REGION, REGION_PAGES, 7000);
    MUST(has_tags((char *)REGION, REGION_PAGES, 7000));
    return 0;
}

TEST(a_thousand_blocks) { CHECK_EQ(in_child(thousand_blocks, 0), 0); }

/* R000-2: the call itself takes no frame, neither for a page nor for a table. The number of free frames is everybody's: it
 * is looked at several times, and a call that takes a frame takes one each time. */
static int frames_taken_by_the_call(void *nbytes)
{
    struct kcounters before, after;

    malloco(0);                                 /* the program's pages that take part are there now */
    kcounters(&after);
    kcounters(&before);
    void *block = malloco((size_t)nbytes);
    kcounters(&after);
    return block != (void *)REGION ? 1000 : before.frames_free != after.frames_free;
}

TEST(the_call_takes_no_frame)
{
    static const size_t sizes[] = { 1, 300000, REGION_BYTES };

    for (size_t i = 0; i < COUNT(sizes); i++) {
        int taken = 1;
        for (int tries = 0; tries < 8 && taken == 1; tries++)
            taken = in_child(frames_taken_by_the_call, (void *)sizes[i]);
        CHECK_EQ(taken, 0);
    }
}

/* R004-3 for REGION: reserved counts what is granted, committed what was touched. */
static int account(void *unused)
{
    struct process_mem_info start = own_memory(), now;
    (void)unused;

    own_memory();
    start = own_memory();
    char *block = malloco(5 * PAGE + 1);
    now = own_memory();
    MUST(now.reserved_memory == start.reserved_memory + 24);
    MUST(now.committed_memory == start.committed_memory);
    block[2 * PAGE] = block[5 * PAGE] = 1;
    now = own_memory();
    MUST(now.reserved_memory == start.reserved_memory + 24);
    MUST(now.committed_memory == start.committed_memory + 8);
    malloco(0);
    malloco(REGION_BYTES);
    now = own_memory();
    MUST(now.reserved_memory == start.reserved_memory + 24);
    return 0;
}

TEST(grants_and_touches_are_counted) { CHECK_EQ(in_child(account, 0), 0); }

/* ---- First touch: R000-6, R000-7, A000-8 */

/* R000-6: whatever touches it, one frame, for this page, that may be read and written from now on. */
static int touch_each_way(void *unused)
{
    static const unsigned offsets[] = { 0, 8, 2048, 4088, 1000, 4080 };
    char *block = malloco(2 * TOUCHES * PAGE);
    struct kcounters before, after;
    (void)unused;

    own_memory();
    kcounters(&after);
    kcounters(&before);
    for (int how = 0; how < TOUCHES; how++) {
        char *page = block + (2 * how + 1) * (long)PAGE, *address = page + offsets[how % COUNT(offsets)];
        struct process_mem_info start = own_memory();
        kcounters(&before);
        touch_page(how, address);
        kcounters(&after);
        MUST(after.demand_faults == before.demand_faults + 1);
        MUST(own_memory().committed_memory == start.committed_memory + 4);
        MUST(page_is(page) == (PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_WRITABLE));
        MUST(pages_with(PAGE_IS_RESIDENT) == how + 1);          /* no neighbour came with it */
        kcounters(&before);
        touch_page(how, page);
        ((volatile char *)page)[PAGE - 1] = 0;                  /* after a load, a store does not fault */
        (void)((volatile char *)page)[1];
        kcounters(&after);
        MUST(after.demand_faults == before.demand_faults);
        MUST(is_zero(page, 1));
    }
    return 0;
}

TEST(a_touch_maps_one_page) { CHECK_EQ(in_child(touch_each_way, 0), 0); }

/* R000-7: any byte of a page brings that page and no other, and the byte is the one that was meant. */
static int touch_odd_bytes(void *unused)
{
    static const unsigned offsets[] = { 4095, 1, 2049, 4094, 7 };
    char *block = malloco(9 * PAGE);
    (void)unused;

    for (size_t i = 0; i < COUNT(offsets); i++) {
        char *page = block + (1 + i) * PAGE;
        page[offsets[i]] = (char)(i + 1);
        MUST(pages_with(PAGE_IS_RESIDENT) == (int)i + 1);
        MUST(page_is(page) & PAGE_IS_RESIDENT);
    }
    for (size_t i = 0; i < COUNT(offsets); i++) {
        char *page = block + (1 + i) * PAGE;
        MUST(page[offsets[i]] == (char)(i + 1));
        page[offsets[i]] = 0;
        MUST(is_zero(page, 1));
    }
    return 0;
}

TEST(odd_bytes_touch_their_page) { CHECK_EQ(in_child(touch_odd_bytes, 0), 0); }

/* A000-8: frames that were full of something come zeroed. (M4, as far as the one task that uses the page can see it.) */
static int leave_dirty_frames(void *unused)
{
    char *memory = sbrk(3 * (long)REGION_BYTES);
    (void)unused;

    MUST(memory != SBRK_ERROR && malloco(REGION_BYTES) != 0);
    memset(memory, 0xdd, 3 * REGION_BYTES);
    memset((char *)REGION, 0xdd, REGION_BYTES);
    return 0;
}

static int all_zero(void *unused)
{
    (void)unused;
    MUST(malloco(REGION_BYTES) == (void *)REGION);
    MUST(is_zero((char *)REGION, REGION_PAGES));
    return 0;
}

TEST(frames_come_zeroed)
{
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(in_child(leave_dirty_frames, 0), 0);
        CHECK_EQ(in_child(all_zero, 0), 0);
    }
}

/* Section 5: one access to two pages maps both, and no others. */
static int touch_two_each_way(void *unused)
{
    char *block = malloco(3 * TOUCHES_OF_TWO * PAGE), *boundary = block + PAGE;
    struct kcounters before, after;
    (void)unused;

    kcounters(&after);
    for (int how = 0; how < TOUCHES_OF_TWO; how++, boundary += 3 * PAGE) {
        kcounters(&before);
        touch_two_pages(how, boundary);
        kcounters(&after);
        MUST(after.demand_faults == before.demand_faults + 2);
        MUST(page_is(boundary - 1) & page_is(boundary) & PAGE_IS_RESIDENT);
        MUST(pages_with(PAGE_IS_RESIDENT) == 2 * (how + 1));
        touch_two_pages(how, boundary);
        kcounters(&before);
        MUST(before.demand_faults == after.demand_faults);
        MUST(is_zero(boundary - PAGE, 2));
    }
    return 0;
}

/* A000-1: REGION begins within what one leaf table maps and ends within another one: at a boundary of tables the two pages'
 * entries are in different ones. */
#define TAG ((unsigned long)0x1122334455667788)
#define LAST_BYTE (sizeof(long) - 1)

static int touch_both_sides(void *boundary)
{
    char *at = boundary;
    struct kcounters before, after;

    MUST(malloco(REGION_BYTES) == (void *)REGION);
    kcounters(&after);
    kcounters(&before);
    MUST(load_unaligned(at - 2) == 0);
    kcounters(&after);
    MUST(after.demand_faults == before.demand_faults + 2);
    MUST(pages_with(PAGE_IS_RESIDENT) == 2);
    MUST(page_is(at - 1) & page_is(at) & PAGE_IS_RESIDENT);
    store_unaligned(at - 3, TAG);
    MUST(load_unaligned(at - 3) == TAG);
    MUST(*(at - 1) == 0x66 && *at == 0x55);     /* little-endian: bytes 2 and 3 */
    store_unaligned(at + 3 * PAGE - LAST_BYTE, ~0ul);   /* and by a store, where nothing is mapped yet */
    MUST(pages_with(PAGE_IS_RESIDENT) == 4);
    MUST(load_unaligned(at + 3 * PAGE - LAST_BYTE) == ~0ul);
    MUST(*(at + 3 * PAGE - LAST_BYTE - 1) == 0 && *(at + 3 * PAGE + 1) == 0);
    return 0;
}

/* R001-6, A001-13: a store to two shared pages copies both, and the other task keeps what it had. */
static int store_to_two_shared_pages(void *boundary)
{
    char *at = boundary;

    MUST(malloco(REGION_BYTES) == (void *)REGION);
    store_unaligned(at - 3, TAG);
    int pid = fork();
    if (pid == 0) {
        uint64_t copies = counters().cow_copies;
        copies = counters().cow_copies;         /* the first look may have copied a page of the stack */
        store_unaligned(at - 3, ~TAG);
        MUST(counters().cow_copies == copies + 2);
        MUST(load_unaligned(at - 3) == ~TAG);
        exit(0);
    }
    MUST(status_of(pid) == 0);
    MUST(load_unaligned(at - 3) == TAG);
    return 0;
}

static int touch_across_the_end(void *store)
{
    char *end = (char *)malloco(PAGE) + PAGE;

    *(end - 1) = 1;
    announce(store != 0 ? STORE : LOAD, (unsigned long)end);
    if (store != 0)
        store_unaligned(end - 2, 1);
    else
        load_unaligned(end - 2);
    return 0;
}

static int touch_across_the_start(void *store)
{
    malloco(PAGE);
    announce(store != 0 ? STORE : LOAD, REGION - 2);
    if (store != 0)
        store_unaligned((char *)REGION - 2, 1);
    else
        load_unaligned((char *)REGION - 2);
    return 0;
}

TEST(accesses_to_two_pages)
{
    static const unsigned long boundaries[] = { REGION + PAGE, 0xA1200000, 0xA1400000 };

    CHECK_EQ(in_child(touch_two_each_way, 0), 0);
    for (size_t i = 0; i < COUNT(boundaries); i++) {
        CHECK_EQ(in_child(touch_both_sides, (void *)boundaries[i]), 0);
        CHECK_EQ(in_child(store_to_two_shared_pages, (void *)boundaries[i]), 0);
    }
    for (unsigned long store = 0; store < 2; store++) {
        CHECK_EQ(in_child(touch_across_the_end, (void *)store), -1);
        CHECK_EQ(in_child(touch_across_the_start, (void *)store), -1);
    }
}

/* A first touch costs the frame and the tables that are missing: all those on the way for the first (C1), then one per boundary.
 * R000-7: the frame is a user's; a table is a kernel's, as long as there are frames for the kernel alone. */
static int frames_of_touches(void *unused)
{
    static const unsigned long pages[] = {
        0xA11FF000, 0xA11FE000, 0xA1200000, 0xA13FF000, 0xA1400000, REGION_END - PAGE,
    };
    struct kcounters before, after;
    unsigned long last = 0;
    (void)unused;

    MUST(malloco(REGION_BYTES) == (void *)REGION);
    kcounters(&after);
    for (size_t i = 0; i < COUNT(pages); last = pages[i++] / TABLE_BYTES) {
        unsigned tables = last == 0 ? TABLES_OF_A_PAGE : pages[i] / TABLE_BYTES != last;
        kcounters(&before);
        (void)*(volatile char *)pages[i];
        kcounters(&after);
        unsigned kernel = before.frames_kernel_free >= tables ? tables : 0;
        if (before.frames_kernel_free - after.frames_kernel_free != kernel ||
            before.frames_user_free - after.frames_user_free != 1 + tables - kernel)
            return (int)(1000 + i);
    }
    return 0;
}

/* They are the task's own (C1): it costs as many while another one has all of them. */
static int frames_beside_a_neighbour(void *unused)
{
    struct gate over = gate_new(), ready = gate_new();

    int neighbour = fork();
    if (neighbour == 0) {
        int result = frames_of_touches(unused);
        say_ready(&ready);
        gate_wait(&over);
        exit(result);
    }
    await_ready(&ready, 1);
    int result = frames_of_touches(unused);
    gate_open(&over);
    return status_of(neighbour) == 0 ? result : 1;
}

static int often(int (*body)(void *))           /* others may take a frame meanwhile, but not each time */
{
    int result = 1;
    for (int tries = 0; tries < 8 && result != 0; tries++)
        result = in_child(body, 0);
    return result;
}

TEST(tables_come_on_demand)
{
    CHECK_EQ(often(frames_of_touches), 0);
    CHECK_EQ(often(frames_beside_a_neighbour), 0);
}

/* ---- What ends a task: R000-8, A000-7 */

/* R000-8, A000-7, T-4: tried by a task with two pages granted, the first of them touched. */
static int bad_addresses(void *unused)
{
    static const unsigned long bad[] = {
        REGION + 2 * PAGE,                      /* the byte after the block */
        REGION + 3 * PAGE + 5, 0xA1200000, REGION_END - 1,      /* pages of REGION that nobody was granted */
        0xA10BFFFF, 0xA14C0000, 0xA10BF000, 0xA14C0001,         /* on either side of it */
        0xA1000000, 0x80200000, 0x82000000, 0x87fffff8, 0xA0000000, 0xBFFFFFFF, WIDE_ALIASES(REGION)
    };
    char *block = malloco(2 * PAGE);
    (void)unused;

    MUST(block == (char *)REGION);
    block[0] = 'x';
    for (size_t i = 0; i < COUNT(bad); i++) {
        MUST(dies(LOAD, bad[i]));
        MUST(dies(STORE, bad[i]));
    }
    for (size_t i = 0; i < BAD_POINTERS; i++)
        if (bad_pointers[i] != block) {         /* the kernel's part of the address space, and before it, and behind it */
            MUST(dies(LOAD, (unsigned long)bad_pointers[i]));
            MUST(dies(STORE, (unsigned long)bad_pointers[i]));
        }
    MUST(dies(FETCH, REGION + 2 * PAGE));
    MUST(dies(FETCH, 0xA14C0000));
    MUST(dies(FETCH, 0));
    MUST(dies(FETCH, KERNEL_ADDRESS));
    MUST(block[0] == 'x' && block[2 * PAGE - 1] == 0);
    return 0;
}

/* Blocks are not to be executed: R000-6. */
static int fetch_from_a_block(void *unused)
{
    char *block = malloco(2 * PAGE);
    (void)unused;

    memcpy(block, return_at_once, sizeof return_at_once);
    if (CAN_FORBID_EXECUTION) {
        MUST(dies(FETCH, REGION));              /* touched: X is clear */
        MUST(dies(FETCH, REGION + PAGE));       /* granted */
    } else {
        printf("skipped: this machine executes whatever it can read\n");
    }
    return 0;
}

/* All of REGION granted and its tables there: what lies beside it, in the same tables, belongs to nobody. */
static int beside_the_region(void *unused)
{
    static const unsigned long bad[] = {
        0xA1000000, REGION - PAGE, REGION - 1, REGION_END, REGION_END + PAGE, 0xA17FFFFF, 0xA1800000,
    };
    (void)unused;

    MUST(malloco(REGION_BYTES) == (void *)REGION);
    put_tags((char *)REGION, REGION_PAGES, 1);
    for (size_t i = 0; i < COUNT(bad); i++) {
        MUST(dies(LOAD, bad[i]));
        MUST(dies(STORE, bad[i]));
    }
    MUST(has_tags((char *)REGION, REGION_PAGES, 1));
    return 0;
}

/* A task without any block. On RISC-V its root points to the kernel's own table there (C1). */
static int nothing_granted(void *unused)
{
    (void)unused;
    MUST(dies(LOAD, REGION));
    MUST(dies(STORE, REGION_END - 1));
    MUST(dies(FETCH, REGION));
    MUST(malloco(0) == 0);
    MUST(dies(LOAD, REGION));
    return 0;
}

TEST(bad_addresses_end_the_task)
{
    CHECK_EQ(in_child(bad_addresses, 0), 0);
    CHECK_EQ(in_child(fetch_from_a_block, 0), 0);
    CHECK_EQ(in_child(beside_the_region, 0), 0);
    CHECK_EQ(in_child(nothing_granted, 0), 0);
}

static int write_after_the_access(void *fd)
{
    malloco(PAGE);
    do_access(LOAD, REGION + PAGE);
    write((int)(long)fd, "!", 1);
    return 0;
}

/* R000-8, A000-11: it never runs again, and whoever is at work meanwhile does not notice. */
TEST(an_evicted_task_never_runs_again)
{
    struct gate over = gate_new(), ready = gate_new();
    int fds[2];
    char byte;

    int other = fork();
    if (other == 0) {
        malloco(20 * PAGE);
        put_tags((char *)REGION, 20, 31);
        say_ready(&ready);
        gate_wait(&over);
        exit(has_tags((char *)REGION, 20, 31) ? 0 : 1);
    }
    await_ready(&ready, 1);
    for (int i = 0; i < 10; i++) {
        pipe(fds);
        CHECK_EQ(in_child(write_after_the_access, (void *)(long)fds[1]), -1);
        close(fds[1]);
        CHECK_EQ(read(fds[0], &byte, 1), 0);
        close(fds[0]);
    }
    gate_open(&over);
    CHECK_EQ(status_of(other), 0);
}

/* ---- Each task its own: R000-13, C1, R001-4 */

/* R000-13, A000-4: two tasks use the same addresses at the same time. */
static int same_addresses(void)
{
    struct gate over = gate_new(), ready = gate_new();
    int pids[2];

    for (long i = 0; i < 2; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            bool right = malloco(300 * PAGE) == (void *)REGION;
            put_tags((char *)REGION, 300, 1000000u * (unsigned long)(i + 1));
            say_ready(&ready);
            gate_wait(&over);
            exit(right && has_tags((char *)REGION, 300, 1000000u * (unsigned long)(i + 1)) ? 0 : 1);
        }
    }
    await_ready(&ready, 2);
    gate_open(&over);
    return status_of(pids[0]) + status_of(pids[1]);
}

TEST(equal_addresses_are_different_frames)
{
    CHECK_EQ(same_addresses(), 0);
}

/* C1: had the roots copied the entry, REGION would be there for a task that was made before and never used it. */
TEST(no_task_sees_the_blocks_of_another)
{
    struct gate over = gate_new(), ready = gate_new();

    int owner = fork();
    if (owner == 0) {
        malloco(10 * PAGE);
        put_tags((char *)REGION, 10, 5);
        say_ready(&ready);
        gate_wait(&over);
        exit(has_tags((char *)REGION, 10, 5) ? 0 : 1);
    }
    await_ready(&ready, 1);
    CHECK(dies(LOAD, REGION));
    CHECK(dies(STORE, REGION + PAGE));
    gate_open(&over);
    CHECK_EQ(status_of(owner), 0);
}

/* R000-3, R000-13: whoever had the descriptor, or the program, before. */
static int first_grant_is_fresh(void *unused)
{
    (void)unused;
    MUST(pages_with(PAGE_IS_GRANTED) == 0);
    MUST(malloco(3 * PAGE) == (void *)REGION);
    MUST(is_zero((char *)REGION, 3));
    memset((char *)REGION, 0x77, 3 * PAGE);
    MUST(malloco(REGION_BYTES - 3 * PAGE) == (void *)(REGION + 3 * PAGE));
    return 0;
}

static int exec_with_blocks(void *unused)
{
    char *argv[] = { "malloco", "after-exec", 0 };
    (void)unused;
    malloco(REGION_BYTES);
    put_tags((char *)REGION, 40, 9);
    exec("/tests/malloco", argv);
    return 127;
}

TEST(a_new_task_and_a_new_program_start_empty)
{
    for (int i = 0; i < 20; i++)
        CHECK_EQ(in_child(first_grant_is_fresh, 0), 0);
    CHECK_EQ(in_child(exec_with_blocks, 0), 0);
}

/* R001-4, R001-6, R001-7, A001-13: a forked child has the same blocks; what was touched is shared until one writes, what was not
 * stays lazy in each; what is granted afterwards is one's own. A000-10: a write to a page that is there, but not to be written,
 * keeps the rest of it. */
static int forked(void *unused)
{
    char *a = malloco(2 * PAGE), *b = malloco(3 * PAGE);
    struct gate wrote = gate_new(), ready = gate_new();
    struct region_map mine;
    (void)unused;

    a[0] = 'a';
    a[PAGE - 1] = 'z';
    b[2 * PAGE] = 'b';
    int pid = fork();
    if (pid == 0) {
        uint64_t copies = counters().cow_copies;
        look(&mine);
        MUST(pages_with(PAGE_IS_GRANTED) == 5 && pages_with(PAGE_IS_FIRST) == 2 && pages_with(PAGE_IS_RESIDENT) == 2);
        MUST(page_is(a) == (PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_FIRST | PAGE_IS_SHARED | PAGE_IS_COW));
        MUST(a[0] == 'a' && b[2 * PAGE] == 'b' && a[PAGE] == 0);
        MUST(pages_with(PAGE_IS_RESIDENT) == 3);        /* a[PAGE] was lazy, and is only ours */
        MUST(page_is(a + PAGE) == (PAGE_IS_GRANTED | PAGE_IS_RESIDENT | PAGE_IS_WRITABLE));
        copies = counters().cow_copies;
        a[0] = 'c';
        MUST(counters().cow_copies == copies + 1);
        MUST(a[0] == 'c' && a[PAGE - 1] == 'z');
        a[PAGE] = b[0] = 'd';
        MUST(malloco(4 * PAGE) == (void *)(REGION + 5 * PAGE));
        put_tags((char *)REGION + 5 * PAGE, 4, 500);
        say_ready(&ready);
        gate_wait(&wrote);
        MUST(a[0] == 'c' && a[PAGE] == 'd' && b[0] == 'd' && b[2 * PAGE] == 'b' && b[PAGE] == 0);
        MUST(has_tags((char *)REGION + 5 * PAGE, 4, 500));
        return 0;
    }
    await_ready(&ready, 1);
    MUST(a[0] == 'a' && a[PAGE - 1] == 'z' && b[2 * PAGE] == 'b');
    MUST(pages_with(PAGE_IS_GRANTED) == 5 && pages_with(PAGE_IS_RESIDENT) == 2);
    MUST(a[PAGE] == 0 && b[0] == 0);
    b[2 * PAGE] = 'p';
    MUST(malloco(PAGE) == (void *)(REGION + 5 * PAGE));
    MUST(is_zero((char *)REGION + 5 * PAGE, 1));
    *((char *)REGION + 5 * PAGE) = 'p';
    gate_open(&wrote);
    return status_of(pid);
}

TEST(a_fork_has_the_same_blocks) { CHECK_EQ(in_child(forked, 0), 0); }

/* A000-9: blocks are not the only lazy memory, and all kinds go on working side by side. */
static int touch_all_kinds(int depth, char **areas, size_t count)
{
    volatile char frame[3000];

    frame[0] = frame[2999] = (char)depth;
    for (size_t i = 0; i < count; i++) {
        MUST(is_zero(areas[i] + (size_t)depth * PAGE, 1));
        areas[i][(size_t)depth * PAGE + 7] = (char)(depth + (int)i);
    }
    if (depth + 1 < 12)
        MUST(touch_all_kinds(depth + 1, areas, count) == 0);
    for (size_t i = 0; i < count; i++)
        MUST(areas[i][(size_t)depth * PAGE + 7] == (char)(depth + (int)i));
    MUST(frame[0] == (char)depth && frame[2999] == (char)depth);
    return 0;
}

static int all_kinds(void *unused)
{
    char *areas[] = { malloco(12 * PAGE), sbrk(12 * PAGE), sbrklazy(12 * PAGE), tamalloc(12 * PAGE), malloco(12 * PAGE) };
    (void)unused;

    MUST(areas[0] == (char *)REGION && areas[1] != SBRK_ERROR && areas[2] != SBRK_ERROR && areas[3] != TAMALLOC_ERROR);
    MUST(sbrk(PAGE) != SBRK_ERROR);             /* the heap need not begin at a page */
    for (size_t i = 1; i <= 2; i++)
        areas[i] = (char *)(((unsigned long)areas[i] + PAGE - 1) & ~(PAGE - 1));
    return touch_all_kinds(0, areas, COUNT(areas));
}

TEST(all_kinds_of_lazy_memory) { CHECK_EQ(in_child(all_kinds, 0), 0); }

/* ---- The kernel as the first to touch a page: section 5, R004-8, R001-13 */

static int fds[2];

static int kernel_reads(void *unused)
{
    char *block = malloco(40 * PAGE), bytes[16];
    (void)unused;

    MUST(write(1, block, 1) == 1);              /* a NUL on the console */
    MUST(write(1, "\n", 1) == 1);
    MUST(pages_with(PAGE_IS_RESIDENT) == 1);
    MUST(pipe(fds) == 0);
    MUST(write(fds[1], block + 3 * PAGE - 4, 8) == 8);                  /* two pages at once */
    MUST(page_is(block + 2 * PAGE) & page_is(block + 3 * PAGE) & PAGE_IS_RESIDENT);
    memset(bytes, 'x', sizeof bytes);
    MUST(read(fds[0], bytes, sizeof bytes) == 8 && bytes[0] == 0 && bytes[7] == 0 && bytes[8] == 'x');
    int file = open("/tmp/malloco", O_CREATE | O_TRUNC | O_RDWR);
    MUST(write(file, block + 10 * PAGE, 5 * PAGE) == 5 * PAGE);         /* into a log transaction */
    MUST(pages_with(PAGE_IS_RESIDENT) == 8);
    close(file);
    unlink("/tmp/malloco");
    errno = 0;
    MUST(open(block + 20 * PAGE, O_RDONLY) == -1 && errno == ENOENT);   /* an empty name */
    MUST(page_is(block + 20 * PAGE) & PAGE_IS_RESIDENT);
    MUST(pages_with(PAGE_IS_RESIDENT) == 9);
    return 0;
}

static int kernel_writes(void *unused)
{
    char *block = malloco(REGION_BYTES);
    struct process_mem_info *rows = (void *)(block + 4 * PAGE - 24);    /* the first row crosses into page 4 */
    struct kcounters *c = (void *)(block + 8 * PAGE);
    struct system_mem_summary *sum = (void *)(block + 10 * PAGE);
    struct task_info *tasks = (void *)(block + 12 * PAGE);
    (void)unused;

    int live = get_all_pid_stats(rows, 80);
    MUST(live >= 3 && rows[0].pid == 1 && rows[live].pid == 0);
    MUST(page_is(block + 3 * PAGE) & page_is(block + 4 * PAGE) & PAGE_IS_RESIDENT);
    MUST(kcounters(c) == 0 && c->ticks > 0 && c->frames_total > c->frames_free);
    MUST(get_mem_stats(getpid(), &rows[79]) == 0 && rows[79].pid == getpid());
    MUST(get_all_mem_stats(sum) == 0 && sum->total_reserved_memory >= 4);
    MUST(tasklist(tasks, 10) > 3 && tasks[0].pid > 0);
    int zero = open("/dev/zero", O_RDONLY), file = open("/README", O_RDONLY);
    int resident = pages_with(PAGE_IS_RESIDENT);
    MUST(read(zero, block + 20 * PAGE + 100, 2 * PAGE) == 2 * PAGE);
    MUST(pages_with(PAGE_IS_RESIDENT) == resident + 3);
    MUST(read(file, block + 30 * PAGE - 50, 100) == 100 && block[30 * PAGE - 50] != 0 && block[30 * PAGE] != 0);
    MUST(pages_with(PAGE_IS_RESIDENT) == resident + 5);
    close(zero);
    close(file);
    return 0;
}

/* A boundary of tables: the kernel reads and writes on both sides. */
static int kernel_crosses_tables(void *boundary)
{
    char *at = boundary, right[] = "12345678", *seen = at + 5 * PAGE - 4;

    MUST(malloco(REGION_BYTES) == (void *)REGION && pipe(fds) == 0);
    MUST(write(fds[1], at - 4, 8) == 8 && write(fds[1], right, 8) == 8);
    MUST(pages_with(PAGE_IS_RESIDENT) == 2);
    MUST(read(fds[0], seen, 8) == 8);
    MUST(pages_with(PAGE_IS_RESIDENT) == 4 && is_zero(at + 4 * PAGE, 2));
    MUST(read(fds[0], at - 4, 8) == 8 && memcmp(at - 4, right, 8) == 0);
    MUST(at[-5] == 0 && at[4] == 0 && pages_with(PAGE_IS_RESIDENT) == 4);
    return 0;
}

/* A page that nobody was granted is EFAULT for a call, not the end of its caller. */
static int kernel_is_refused(void *unused)
{
    char *block = malloco(2 * PAGE), *end = block + 2 * PAGE;
    struct region_map before, after;
    struct kcounters c;
    (void)unused;

    MUST(pipe(fds) == 0);
    *(end - 1) = 'x';
    look(&before);
    errno = 0;
    MUST(kcounters((struct kcounters *)end) == -1 && errno == EFAULT);
    errno = 0;
    MUST(write(fds[1], end, 1) == -1 && errno == EFAULT);
    errno = 0;
    MUST(get_all_mem_stats((void *)(end - 8)) == -1 && errno == EFAULT);
    errno = 0;
    MUST(stat(end, (void *)block) == -1 && errno == EFAULT);
    errno = 0;
    MUST(get_all_pid_stats((void *)(REGION_END - 8), 1) == -1 && errno == EFAULT);
    look(&after);
    MUST(same(&before, &after));
    MUST(kcounters(&c) == 0);
    return 0;
}

/* REGION's last bytes: a string without an end, and what would go on behind it. On the i386, REGION lies beyond all else that is
 * a program's, so nothing but REGION's own end stops the kernel there. */
static int kernel_stops_at_the_end(void *unused)
{
    char *block = malloco(REGION_BYTES), *end = block + REGION_BYTES;
    (void)unused;

    MUST(pipe(fds) == 0);
    memset(end - PAGE, 'x', PAGE);
    errno = 0;
    MUST(open(end - 5, O_RDONLY) == -1 && errno == EFAULT);
    errno = 0;
    MUST(write(fds[1], end - 5, 6) == -1 && errno == EFAULT);
    MUST(write(fds[1], end - 5, 5) == 5);
    errno = 0;
    MUST(read(fds[0], end - 4, 5) == -1 && errno == EFAULT);
    end[-1] = '\0';
    errno = 0;
    MUST(open(end - 5, O_RDONLY) == -1 && errno == ENOENT);
    return 0;
}

TEST(the_kernel_touches_pages_too)
{
    uint64_t before = evictions_now();

    CHECK_EQ(in_child(kernel_reads, 0), 0);
    CHECK_EQ(in_child(kernel_writes, 0), 0);
    CHECK_EQ(in_child(kernel_crosses_tables, (void *)0xA1200000), 0);
    CHECK_EQ(in_child(kernel_crosses_tables, (void *)0xA1400000), 0);
    CHECK_EQ(in_child(kernel_is_refused, 0), 0);
    CHECK_EQ(in_child(kernel_stops_at_the_end, 0), 0);
    CHECK_EQ(evictions_now(), before);
}

/* ---- No frame left: section 5 */

#define NOT_REACHED 40

/* T-2: the k-th frame that a first touch needs is not there: the task ends, nothing half made stays. */
static int touch_without_frame(void *k)
{
    char *block = malloco(4 * PAGE);

    printf("shortage: pid=%d va=0x%lx\n", getpid(), (unsigned long)(block + PAGE));
    failalloc((unsigned long)k);
    *(volatile char *)(block + PAGE) = 1;
    return failalloc(0) > 0 ? NOT_REACHED : 1;
}

static int kernel_touch_without_frame(void *k)
{
    char *block = malloco(4 * PAGE);

    printf("shortage: pid=%d va=0x%lx\n", getpid(), (unsigned long)(block + PAGE));
    failalloc((unsigned long)k);
    kcounters((struct kcounters *)(block + PAGE));
    return failalloc(0) > 0 ? NOT_REACHED : 1;
}

static long last_that_is_needed(int (*body)(void *))
{
    for (long k = 1; k < 20; k++) {
        int status = in_child(body, (void *)k);
        if (status == NOT_REACHED) {
            printf("no shortage\n");            /* takes back the last announcement */
            return k - 1;
        }
        CHECK_EQ(status, -1);
    }
    return -1;
}

TEST(a_touch_that_finds_no_frame)
{
    errno = 0;
    if (failalloc(0) < 0) {
        CHECK_EQ(errno, ENOSYS);                /* no debug kernel */
        return;
    }
    CHECK_EQ(last_that_is_needed(touch_without_frame), TABLES_OF_A_PAGE + 1);
    CHECK_EQ(last_that_is_needed(kernel_touch_without_frame), TABLES_OF_A_PAGE + 1);
}

/* Every frame there is, in blocks: somebody has to go; the others keep what they have, and so does the kernel. R000-7: frames
 * that are for the kernel alone are not given to users, who would take all of them here. */
static int fill_region(struct gate *ready, struct gate *over)
{
    MUST(malloco(REGION_BYTES) == (void *)REGION);
    for (unsigned long i = 0; i < REGION_PAGES; i++) {
        put_tags((char *)REGION + i * PAGE, 1, (unsigned long)getpid() * 10000 + i);
        MUST(KERNEL_POOL_FRAMES == 0 || counters().frames_kernel_free > 0);
    }
    say_ready(ready);
    gate_wait(over);
    for (unsigned long i = 0; i < REGION_PAGES; i++)
        MUST(has_tags((char *)REGION + i * PAGE, 1, (unsigned long)getpid() * 10000 + i));
    return 0;
}

TEST(more_blocks_than_memory)
{
    struct gate ready = gate_new(), over = gate_new();
    int pids[60], killed = 0, wanted = (int)(counters().frames_total / REGION_PAGES) + 4, started = 0;

    for (; started < wanted && started < (int)COUNT(pids); started++) {
        pids[started] = fork();
        if (pids[started] < 0)
            break;
        if (pids[started] == 0)
            exit(fill_region(&ready, &over));
    }
    await_ready(&ready, started);               /* until each of them is done or dead */
    gate_open(&over);
    for (int i = 0; i < started; i++) {
        int status = status_of(pids[i]);
        CHECK(status == 0 || status == -1);
        killed += status == -1;
    }
    CHECK(killed > 0 && killed < started);
    printf("killed for memory: %d of %d\n", killed, started);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "after-exec") == 0)
        return first_grant_is_fresh(0);
    RUN(registers_are_preserved);
    RUN(sizes_that_are_refused);
    RUN(blocks_follow_each_other);
    RUN(four_mebibytes_and_no_more);
    RUN(a_thousand_blocks);
    RUN(the_call_takes_no_frame);
    RUN(grants_and_touches_are_counted);
    RUN(a_touch_maps_one_page);
    RUN(odd_bytes_touch_their_page);
    RUN(frames_come_zeroed);
    RUN(accesses_to_two_pages);
    RUN(tables_come_on_demand);
    RUN(bad_addresses_end_the_task);
    RUN(an_evicted_task_never_runs_again);
    RUN(equal_addresses_are_different_frames);
    RUN(no_task_sees_the_blocks_of_another);
    RUN(a_new_task_and_a_new_program_start_empty);
    RUN(a_fork_has_the_same_blocks);
    RUN(all_kinds_of_lazy_memory);
    RUN(the_kernel_touches_pages_too);
    RUN(a_touch_that_finds_no_frame);
    RUN(more_blocks_than_memory);
    return check_summary("malloco");
}
