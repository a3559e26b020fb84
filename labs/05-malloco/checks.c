/*
 * checks.c -- malloco and its lazy pages: what is granted, what a first touch maps, whose touch ends the task.
 *
 * Each check works in children, which begin with an empty REGION. An access that a wrong kernel may punish is made in a child of
 * its own, so that the check can tell what happened.
 */
#include "labs/user_check.h"
#include <stdbool.h>

#define PAGES      1024ul                       /* of REGION */
#define END        (REGION_BASE + REGION_BYTES)
#define HEX(p)     ((unsigned long)(p))

static char *at(size_t page) { return REGION_START + page * PAGE; }

static size_t resident(void) { return pages_with(0, REGION_START, PAGES, PAGE_IS_RESIDENT, PAGE_IS_RESIDENT); }

static bool is_resident(const void *page) { return (state_of(0, page) & PAGE_IS_RESIDENT) != 0; }

static long frames(void)
{
    struct kcounters c = counters_now();
    return (long)c.frames_free;
}

/* A block of this many pages, which every check can count on but those about malloco's numbers. NULL was told. */
static char *block_of(size_t npages)
{
    char *block = malloco(npages * PAGE);
    EXPECT(block != 0, "no-block", "malloco(%lu): expected a block, saw NULL", npages * PAGE);
    return block;
}

/* ---- Accesses */

static void load(const void *address) { (void)*(const volatile char *)address; }
static void store(void *address) { *(volatile char *)address = 1; }

static int load_body(void *address)
{
    load(address);
    return 0;
}

static int store_body(void *address)
{
    store(address);
    return 0;
}

static bool load_ends(unsigned long va) { return in_child(load_body, (void *)va) == -1; }
static bool store_ends(unsigned long va) { return in_child(store_body, (void *)va) == -1; }

static uint64_t load_unaligned(const char *address)
{
    uint64_t value;
    __asm__ volatile("ld %0, 0(%1)" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static void store_unaligned(char *address, uint64_t value)
{
    __asm__ volatile("sd %0, 0(%1)" : : "r"(value), "r"(address) : "memory");
}

/* The first byte of [start, start + nbytes) that is not 0, or NULL. */
static const char *first_nonzero(const char *start, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i += 8)
        if (*(const volatile uint64_t *)(start + i) != 0)
            return start + i;
    return 0;
}

/* ---- malloco's answer */

static void answer_in_child(void)
{
    unsigned long first = HEX(malloco(1)), second = HEX(malloco(1)), refused = HEX(malloco(2 * REGION_BYTES));

    if (EXPECT(first != 0, "no-answer", "malloco(1) of a fresh task: expected 0x%lx, saw 0", REGION_BASE))
        EXPECT(first >> 32 == 0, "sign", "malloco(1) of a fresh task: expected 0x%lx, saw 0x%lx", REGION_BASE, first);
    EXPECT(first == REGION_BASE, "first", "malloco(1) of a fresh task: expected 0x%lx, saw 0x%lx", REGION_BASE, first);
    EXPECT(second != first, "first", "the second malloco(1): expected another address than 0x%lx", first);
    EXPECT(refused == 0, "no-error", "malloco(8 MiB): expected NULL, saw 0x%lx", refused);
}

static void answer_arrives(void) { expects_in_child(answer_in_child); }

/* ---- Blocks follow each other: sizes are rounded up, no two blocks share a page. */

static void follow_in_child(void)
{
    static const size_t fixed[] = { 1, 4096, 4097, 8192, 5, 8191 };
    size_t page = 0;

    for (unsigned i = 0; i < 20; i++) {
        size_t nbytes = i < COUNT(fixed) ? fixed[i] : check_random() % 100000 + 1;
        char *block = malloco(nbytes);
        if (!EXPECT(block != 0, "no-block", "grant %u, malloco(%lu): expected 0x%lx, saw NULL", i + 1, nbytes, HEX(at(page))))
            return;
        EXPECT(HEX(block) % PAGE == 0, "not-rounded", "grant %u, malloco(%lu): expected the start of a page, saw 0x%lx", i + 1,
               nbytes,
               HEX(block));
        EXPECT(block >= at(page), "not-rounded",
               "grant %u, malloco(%lu): expected 0x%lx, saw 0x%lx: it overlaps the block before it",
               i + 1, nbytes, HEX(at(page)), HEX(block));
        if (!EXPECT(block <= at(page), "gap",
                    "grant %u, malloco(%lu): expected 0x%lx, saw 0x%lx: pages between the blocks are lost",
                    i + 1, nbytes, HEX(at(page)), HEX(block)) || block != at(page))
            return;
        page += (nbytes + PAGE - 1) / PAGE;
    }
}

static void blocks_follow(void) { expects_in_child(follow_in_child); }

/* ---- The call takes nothing. The number of free frames is everybody's: what one call took it takes each time. */

static long taken;
static size_t came;

static void take_in_child(void)
{
    own_stack_and_variables();
    size_t npages = 20 + check_random() % 200;
    long before = frames();
    before = frames();
    char *block = malloco(npages * PAGE - 1);
    taken = before - frames();
    came = resident();
    if (EXPECT(block != 0, "no-block", "malloco(%lu): expected a block, saw NULL", npages * PAGE - 1)) {
        EXPECT(came == 0, "eager", "right after malloco of %lu pages: expected 0 pages in frames, saw %lu", npages, came);
        EXPECT(taken == 0, "table", "malloco of %lu pages: expected 0 frames taken, saw %ld", npages, taken);
    }
}

static void call_is_lazy(void)
{
    expects_in_child(take_in_child);
    expects_in_child(take_in_child);
}

/* ---- 4 MiB and no more */

static size_t rest;

static void whole_in_child(void)
{
    size_t nbytes = REGION_BYTES - rest;
    char *block = malloco(nbytes);
    if (!EXPECT(block == REGION_START, "full-refused", "malloco(%lu) of a fresh task: expected 0x%lx, saw 0x%lx", nbytes,
                REGION_BASE,
                HEX(block)))
        return;
    block = malloco(1);
    EXPECT(block == 0, "over", "malloco(1) after all of the 4 MiB were granted: expected NULL, saw 0x%lx", HEX(block));
}

static void exact_in_child(void)
{
    size_t left = 2 + check_random() % 30, granted = PAGES - left;
    char *block = malloco(granted * PAGE);

    if (!EXPECT(block == at(0), "no-block", "malloco(%lu): expected 0x%lx, saw 0x%lx", granted * PAGE, REGION_BASE, HEX(block)))
        return;
    block = malloco(left * PAGE + 1);
    EXPECT(block == 0, "over", "%lu pages are left, malloco of one byte more: expected NULL, saw 0x%lx", left, HEX(block));
    block = malloco(REGION_BYTES);
    EXPECT(block == 0, "over", "%lu pages are left, malloco(4194304): expected NULL, saw 0x%lx", left, HEX(block));
    block = malloco(PAGE);
    EXPECT(block == at(granted), "refusal-changes", "after two refused requests, malloco(4096): expected 0x%lx, saw 0x%lx",
           HEX(at(granted)), HEX(block));
    block = malloco((left - 1) * PAGE);
    EXPECT(block == at(granted + 1), "full-refused", "malloco of the last %lu pages: expected 0x%lx, saw 0x%lx", left - 1,
           HEX(at(granted + 1)), HEX(block));
    block = malloco(1);
    EXPECT(block == 0, "over", "malloco(1) after 1024 pages: expected NULL, saw 0x%lx", HEX(block));
}

static void exactly_four_mebibytes(void)
{
    rest = 0;
    expects_in_child(whole_in_child);
    rest = 1;
    expects_in_child(whole_in_child);
    expects_in_child(exact_in_child);
}

/* Sizes that wrap when they are rounded up, or are small when they are cut to 32 bits; and 0. */
static void odd_in_child(void)
{
    static const unsigned long huge[] = { ~0ul, ~0ul - PAGE + 2, ~0ul - PAGE, 1ul << 63, 1ul << 44, 1ul << 32, (1ul << 32) + 1,
                                          0xFFFFF001, 0xFFFFFFFF, 5ul << 20, REGION_BYTES + 1 };
    for (size_t i = 0; i < COUNT(huge); i++) {
        unsigned long block = HEX(malloco(huge[i]));
        EXPECT(block == 0, "wraps", "malloco(0x%lx): expected NULL, saw 0x%lx", huge[i], block);
    }
    unsigned long block = HEX(malloco(0));
    EXPECT(block == 0, "zero", "malloco(0): expected NULL, saw 0x%lx", block);
    block = HEX(malloco(1));
    EXPECT(block == REGION_BASE, "refusal-changes", "malloco(1) after refused requests only: expected 0x%lx, saw 0x%lx",
           REGION_BASE, block);
}

static void odd_sizes_are_refused(void) { expects_in_child(odd_in_child); }

/* ---- As many blocks as there are pages */

static void thousand_in_child(void)
{
    for (size_t i = 0; i < PAGES; i++) {
        char *block = malloco(i % 2 != 0 ? PAGE : 1);
        if (!EXPECT(block == at(i), "few-blocks", "block %lu of one page: expected 0x%lx, saw 0x%lx", i + 1, HEX(at(i)),
                    HEX(block)))
            return;
    }
    char *block = malloco(1);
    EXPECT(block == 0, "over", "block 1025: expected NULL, saw 0x%lx", HEX(block));
}

static void thousand_blocks(void) { expects_in_child(thousand_in_child); }

/* ---- The first touch. All accesses are the task's own; who is ended for one is told by first_touch_lives. */

static char *touch_block;

static void touched_once(char *page, bool by_load)
{
    const char *how = by_load ? "a load from" : "a store to";
    size_t before = resident();
    if (by_load)
        load(page + 8 * (check_random() % 512));
    else
        store(page + check_random() % PAGE);
    size_t after = resident();
    EXPECT(is_resident(page), "wrong-page", "after %s page 0x%lx: expected it in a frame, and it is not", how, HEX(page));
    EXPECT(after <= before + 1, "whole-block", "after %s one page: expected %lu pages in frames, saw %lu", how, before + 1,
           after);
    EXPECT((state_of(0, page) & PAGE_IS_WRITABLE) != 0, "read-only", "after %s page 0x%lx: expected it writable, and it is not",
           how,
           HEX(page));
}

static void touch_in_child(void)
{
    size_t npages = 12 + check_random() % 20;

    touch_block = block_of(npages);
    if (touch_block == 0)
        return;
    own_stack_and_variables();
    for (size_t i = 1; i + 1 < npages; i += 2 + check_random() % 2) {
        long before = frames();
        touched_once(touch_block + i * PAGE, i % 4 == 1);
        long one = before - frames();
        EXPECT(i == 1 || one == 1, "frames", "the first touch of one more page: expected 1 frame taken, saw %ld", one);
        before = frames();
        store(touch_block + i * PAGE);
        load(touch_block + i * PAGE + 100);
        EXPECT(frames() == before, "frames", "the second touch of a page: expected 0 frames taken, saw %ld", before - frames());
    }
}

static int try_touch(void *by_load)
{
    char *block = malloco(3 * PAGE);
    if (block == 0)
        return 7;
    if (by_load)
        load(block + PAGE);
    else
        store(block + PAGE);
    return 0;
}

static void first_touch_maps_one_page(void)
{
    int by_load = in_child(try_touch, (void *)1), by_store = in_child(try_touch, 0);

    EXPECT(by_load != 7, "no-block", "malloco(12288): expected a block, saw NULL");
    EXPECT(by_load == 0, "no-fault", "a task loads from a page it was granted: expected that it lives, saw it ended");
    EXPECT(by_store == 0, "no-fault", "a task stores to a page it was granted: expected that it lives, saw it ended");
    if (by_load == 0 && by_store == 0)
        expects_in_child(touch_in_child);
}

/* ---- Zeros, whatever was in the frame before */

static int leave_dirty_frames(void *unused)
{
    char *memory = sbrk(256 * (long)PAGE);
    (void)unused;
    if (memory == SBRK_ERROR)
        return 1;
    memset(memory, 0xd5, 256 * PAGE);
    return 0;
}

static void zeros_in_child(void)
{
    char *block = block_of(200);
    if (block == 0)
        return;
    const char *seen = first_nonzero(block, 200 * PAGE);
    EXPECT(seen == 0, "not-zero", "page 0x%lx, offset %lu, reads 0x%lx, expected 0", HEX(page_down(seen)), HEX(seen) % PAGE,
           (unsigned long)*(const uint64_t *)seen);
}

static void pages_come_as_zeros(void)
{
    for (int i = 0; i < 2; i++) {
        int status = in_child(leave_dirty_frames, 0);
        EXPECT(status == 0, "", "a task that fills 1 MiB of its heap ends with 0: it ended with %d", status);
        expects_in_child(zeros_in_child);
    }
}

/* ---- Any byte of a page, and two pages at once */

static void odd_bytes_in_child(void)
{
    static const unsigned offsets[] = { 4095, 1, 2049, 4088, 0 };
    char *block = block_of(20);
    if (block == 0)
        return;
    for (size_t i = 0; i < COUNT(offsets); i++) {       /* odd pages; the last one is the block's last */
        char *page = block + (4 * i + 3) * PAGE;
        page[offsets[i]] = (char)(i + 65);
        EXPECT(is_resident(page), "wrong-page", "a store to 0x%lx: page 0x%lx is not in a frame", HEX(page + offsets[i]),
               HEX(page));
    }
    EXPECT(resident() == COUNT(offsets), "wrong-page", "%lu pages were touched: expected as many in frames, saw %lu",
           COUNT(offsets),
           resident());
    for (size_t i = 0; i < COUNT(offsets); i++) {
        char *page = block + (4 * i + 3) * PAGE;
        EXPECT(page[offsets[i]] == (char)(i + 65), "wrong-page", "0x%lx was set to %d and reads %d", HEX(page + offsets[i]),
               (int)i + 65,
               page[offsets[i]]);
    }
}

static void borders_in_child(void)
{
    static const unsigned long borders[] = { 0xA1200000, 0xA1400000, 0xA1234000 };      /* of the leaf tables; any */
    char *block = malloco(REGION_BYTES);
    if (!EXPECT(block == REGION_START, "no-block", "malloco(4194304) of a fresh task: expected 0x%lx, saw 0x%lx", REGION_BASE,
                HEX(block)))
        return;
    for (size_t i = 0; i < COUNT(borders); i++) {
        char *border = (char *)borders[i];
        uint64_t seen = load_unaligned(border - 4);
        EXPECT(seen == 0, "not-zero", "8 bytes around 0x%lx: expected 0, saw 0x%lx", borders[i], seen);
        EXPECT(is_resident(border - PAGE) && is_resident(border), "border",
               "a load of 8 bytes around 0x%lx: expected both pages in frames",
               borders[i]);
        store_unaligned(border - 3, 0x1122334455667788ul);
        EXPECT(load_unaligned(border - 3) == 0x1122334455667788ul, "border", "8 bytes stored around 0x%lx read 0x%lx", borders[i],
               (unsigned long)load_unaligned(border - 3));
    }
    at(PAGES)[-1] = 'z';
    EXPECT(at(PAGES)[-1] == 'z' && is_resident(at(PAGES - 1)), "border", "the last byte of REGION does not keep what is stored");
}

static int odd_byte_body(void *unused)
{
    (void)unused;
    char *block = malloco(PAGE);
    store(block + PAGE - 1);
    return 0;
}

static void any_byte_of_a_page(void)
{
    int status = in_child(odd_byte_body, 0);
    if (EXPECT(status == 0, "wrong-page",
               "a store to the last byte of a granted page: expected that the task lives, saw it ended")) {
        expects_in_child(odd_bytes_in_child);
        expects_in_child(borders_in_child);
    }
}

/* ---- What nobody was granted */

static void must_end(unsigned long va, const char *what)
{
    bool by_load = load_ends(va), by_store = store_ends(va);
    if (strcmp(what, "the byte after the last block") == 0)
        EXPECT(by_load && by_store, "end", "%s, 0x%lx: expected the end of the task, saw it live", what, va);
    else if (by_store)
        EXPECT(by_load, "reads", "a load from %s, 0x%lx: expected the end of the task, saw it live", what, va);
    else
        EXPECT(by_load && by_store, "any-address", "an access to %s, 0x%lx: expected the end of the task, saw it live", what, va);
}

static void strangers_in_child(void)
{
    size_t npages = 3 + check_random() % 20;
    char *block = block_of(npages);

    if (block == 0)
        return;
    memset(block, 0x33, npages * PAGE);
    uint64_t evictions = evictions_now();
    must_end(REGION_BASE + (npages + 100 + check_random() % 500) * PAGE, "a page of REGION that was never granted");
    must_end(END - 1, "the last byte of REGION, never granted");
    must_end(HEX(block) + npages * PAGE, "the byte after the last block");
    must_end(END, "the byte after REGION");
    must_end(REGION_BASE - 1, "the byte before REGION");
    uint64_t seen = evictions_now() - evictions;
    EXPECT(seen == 10, "", "tasks ended for a bad access: expected 10, saw %lu", (unsigned long)seen);
    for (size_t i = 0; i < npages * PAGE; i += 512)
        EXPECT(block[i] == 0x33, "", "the parent's byte at 0x%lx: expected 0x33, saw 0x%x", HEX(block + i), block[i]);
}

static void ungranted_ends_the_task(void)
{
    if (!EXPECT(load_ends(REGION_BASE) && store_ends(REGION_BASE), "any-address",
                "an access to REGION by a task without a block: expected its end, saw it live"))
        return;
    expects_in_child(strangers_in_child);
}

/* ---- Each task has its own REGION. */

static char *own_block;
static unsigned tag;

static void own_in_child(void)
{
    own_block = malloco(6 * PAGE);
    if (!EXPECT(own_block != 0, "no-block", "malloco(24576) of a fresh task: expected a block, saw NULL") ||
        !EXPECT(own_block == at(0), "shared-tracker", "the first grant of a fresh task: expected 0x%lx, saw 0x%lx", REGION_BASE,
                HEX(own_block)))
        return;
    const char *seen = first_nonzero(own_block, 6 * PAGE);
    EXPECT(seen == 0, "shared-frames", "0x%lx reads 0x%lx, expected 0: another task's?", HEX(seen),
           (unsigned long)*(const uint64_t *)seen);
    memset(own_block, (int)tag, 6 * PAGE);
    pause(1 + (int)tag % 3);                    /* the others do the same meanwhile */
    for (size_t i = 0; i < 6 * PAGE; i++)
        if (!EXPECT(own_block[i] == (char)tag, "shared-frames", "0x%lx: this task wrote 0x%x, it reads 0x%x", HEX(own_block + i),
                    tag,
                    (unsigned)(unsigned char)own_block[i]))
            return;
}

static void each_task_has_its_own(void)
{
    int status, failed = 0;

    for (unsigned i = 0; i < 3; i++) {          /* one after the other */
        tag = 0x40 + i;
        expects_in_child(own_in_child);
    }
    if (check_broken != 0)
        return;
    for (unsigned i = 0; i < 8; i++)            /* at once */
        if (fork() == 0) {
            check_child = getpid();
            check_records = check_broken = 0;
            tag = 0x50 + i;
            own_in_child();
            exit((int)check_broken);
        }
    while (wait(&status) > 0)
        failed += status != 0;
    EXPECT(failed == 0, "shared-tracker",
           "8 tasks with blocks at once: expected that all find what they wrote, saw %d that did not", failed);
}

/* ---- The kernel touches on the task's behalf. */

static void kernel_in_child(void)
{
    int fds[2] = { -1, -1 };
    char *block = block_of(4);
    if (block == 0)
        return;
    int err = kcounters((struct kcounters *)(block + PAGE));
    EXPECT(err == 0, "kernel", "kcounters() into an untouched page of a block: expected 0, saw %d, errno %d", err, errno);
    EXPECT(err != 0 || ((struct kcounters *)(block + PAGE))->frames_total != 0, "kernel",
           "kcounters() wrote nothing into the page");
    pipe(fds);
    long n = write(fds[1], block + 3 * PAGE - 50, 100);
    EXPECT(n == 100, "kernel", "write() from two untouched pages: expected 100, saw %ld", n);
    n = read(fds[0], block, 100);
    EXPECT(n == 100, "kernel", "read() into an untouched page: expected 100, saw %ld", n);
    err = kcounters((struct kcounters *)(block + 4 * PAGE));
    EXPECT(err == -1, "any-address", "kcounters() into the page after the block: expected -1, saw %d", err);
}

static void kernel_touches_too(void) { expects_in_child(kernel_in_child); }

static const struct check checks[] = {
    { "answer_arrives", answer_arrives }, { "blocks_follow", blocks_follow }, { "call_is_lazy", call_is_lazy },
    { "exactly_four_mebibytes", exactly_four_mebibytes }, { "odd_sizes_are_refused", odd_sizes_are_refused },
    { "thousand_blocks", thousand_blocks }, { "first_touch_maps_one_page", first_touch_maps_one_page },
    { "pages_come_as_zeros", pages_come_as_zeros }, { "any_byte_of_a_page", any_byte_of_a_page },
    { "ungranted_ends_the_task", ungranted_ends_the_task }, { "each_task_has_its_own", each_task_has_its_own },
    { "kernel_touches_too", kernel_touches_too },
};

int main(void) { return run_check(checks, COUNT(checks)); }
