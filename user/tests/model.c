/*
 * model [-o] [-s seed] [-n operations] [-t tasks] [-l seconds] -- memory used at random, compared with a model of it.
 *
 * Each task does so many operations drawn from its own seed: blocks of malloco, areas of tamalloc, the heap, loads and
 * stores by itself and by the kernel, forks whose children go on at random from an inherited model, accesses that must
 * end a child. After each one the pages concerned and the statistics are compared, after some all that there is.
 *   -n  operations of each task; those of its children come on top
 *   -l  rounds with new seeds for so long
 *   -o  overload: others eat all memory meanwhile. Tasks may be killed for it; what they read must never be wrong.
 * Without -o the machine must have 64 MiB for 8 tasks, and nothing else may run: evictions are counted.
 *
 * What an operation draws depends on the seed and its number only. When the sweeper comes depends on time, so addresses
 * can differ from run to run. Round r gives task i the seed `seed + r * tasks + i`.
 *
 * The model lies in memory that is itself shared at fork and copied on write. Where that goes wrong so badly that the
 * model breaks, too, something does not agree any more or a task dies: it is seen all the same.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include "user/tests/model.h"

#define ERRORS_OF_MEMORY  (errno == ENOMEM || errno == EAGAIN)
#define TICKS_PER_SWEEP   100
#define TRANSFER_MAX      (3 * PAGE)            /* a pipe holds more, so one task can write and then read it */
#define CHILDREN_MAX      2
#define DEPTH_MAX         2
#define COMPARE_ALL_EVERY 16                    /* operations */
#define HUGE_AREA         (USER_LIMIT / 64)     /* AREAS_MAX of twice that find a place, and nowhere so many frames */

enum { STATUS_LIVED = 98, STATUS_MISMATCH = 99 };       /* ends of children; what is expected lies below */

struct tally { uint64_t operations, checks, evictions, tasks; };

static struct task {
    uint64_t seed, random;
    unsigned long top_seed;                     /* of the task that all this began with */
    char     name[32];                          /* "2": task 2; "2.17": the child of its operation 17 */
    int      operation, operations, depth, pid;
    const char *doing;
    int      pipe[2], zero, results;            /* descriptors */
    size_t   piped;                             /* bytes that went through the pipe */
    int      rights_unknown;                    /* a fork that failed leaves some pages copy-on-write */
    int      sweeps_seen;
    struct { int pid, status; } children[CHILDREN_MAX];
    int      child_count;
    struct tally tally;
} self;

static int total_tasks = 4, task_operations = 500, overload;
static uint8_t data[TRANSFER_MAX], expected[TRANSFER_MAX], states[REGION_PAGES + 2];

#define MISMATCH(format, ...) \
    do { \
        printf("model: seed=%lu task=%s op=%d %s: " format "; again: /tests/model%s -s %lu -t 1 -n %d\n", \
               self.top_seed, self.name, self.operation, self.doing, __VA_ARGS__, overload ? " -o" : "", \
               self.top_seed, task_operations); \
        exit(STATUS_MISMATCH); \
    } while (0)

#define EXPECT(condition, format, ...) \
    do { \
        self.tally.checks++; \
        if (!(condition)) \
            MISMATCH(format, __VA_ARGS__); \
    } while (0)

/* ---- Chance */

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t draw(void)
{
    self.random += 0x9e3779b97f4a7c15u;
    return mix(self.random);
}

static size_t pick(size_t below) { return draw() % below; }
static int one_in(size_t n) { return pick(n) == 0; }
static uint32_t new_tag(void) { return (uint32_t)draw() | 1; }
static int expected_status(uint64_t seed) { return (int)(seed % 60) + 1; }

/* ---- What time did: the sweeper */

static struct kcounters counters_now(void)
{
    struct kcounters c;

    EXPECT(kcounters(&c) == 0, "kcounters fails: errno %d", errno);
    return c;
}

static int is_marked(size_t page)
{
    uint8_t state;

    EXPECT(pagemap(0, (void *)region_va(page), &state, 1) == 0, "pagemap fails: errno %d", errno);
    return (state & PAGE_IS_MARKED) != 0;
}

/* observe_sweeper -- bring the model up to date. A sweep takes all that is marked then: so while the oldest block is
 * marked, all are; and when one is swept, so are all that were marked before it (R000-10).
 * It must come: a sweep that began after chau() ended takes the block, and of the two that end next at least the second
 * began after it (R000-11). And it must not come early: sweep n is due at tick 100 n (M10). */
static void observe_sweeper(void)
{
    size_t swept = model.marked_count;

    if (swept == 0)
        return;
    struct kcounters now = counters_now();
    const struct marked *oldest = &model.marked[0];
    if (is_marked(oldest->first)) {
        EXPECT(now.sweeps < oldest->sweeps_after + 2, "R000-10 the block at 0x%zx is still marked, after %" PRIu64 " sweeps",
               region_va(oldest->first), now.sweeps - oldest->sweeps_after);
        EXPECT(now.ticks / TICKS_PER_SWEEP <= now.sweeps + 2, "R000-10 tick %" PRIu64 ", but only %" PRIu64 " sweeps", now.ticks,
               now.sweeps);
        return;
    }
    while (swept > 1 && is_marked(model.marked[swept - 1].first))
        swept--;
    const struct marked *newest = &model.marked[swept - 1];
    now = counters_now();
    EXPECT(now.ticks >= (newest->sweeps_before + 1) * TICKS_PER_SWEEP,
           "R000-9 the block at 0x%zx is gone at tick %" PRIu64 ", before any sweep", region_va(newest->first), now.ticks);
    for (size_t i = 1; i < swept; i++)
        EXPECT(!is_marked(model.marked[i].first), "R000-10 the block at 0x%zx was left out by a sweep",
               region_va(model.marked[i].first));
    sweep_blocks(swept);
    self.sweeps_seen++;
}

static void await_sweep(void)
{
    for (observe_sweeper(); model.marked_count > 0; observe_sweeper())
        pause(1);
}

/* ---- Comparing */

/* compare_states -- pagemap() of `count` pages from va on. A MARKED page may have been swept meanwhile. */
static void compare_states(uintptr_t va, size_t count)
{
    int swept = 0;
    unsigned ignore = PAGE_IS_SHARED | (self.rights_unknown ? PAGE_IS_COW | PAGE_IS_WRITABLE : 0);

    if (in_region(va + PAGE) || in_region(va)) {                /* pagemap() does not look across its ends */
        uintptr_t end = va + count * PAGE;
        va = va < REGION_START ? REGION_START : va;
        count = ((end > REGION_STOP ? REGION_STOP : end) - va) / PAGE;
    }
    EXPECT(pagemap(0, (void *)va, states, count) == 0, "pagemap(0x%zx, %zu) fails: errno %d", va, count, errno);
    for (size_t i = 0; i < count; i++) {
        uintptr_t here = va + i * PAGE;
        unsigned want = page_state(here), is = states[i];
        if ((want & PAGE_IS_MARKED) && is == 0) {
            swept = 1;
            continue;
        }
        EXPECT((is & ~ignore) == (want & ~ignore), "page 0x%zx is %s%s%s%s%s%s (0x%x), expected 0x%x", here,
               is & PAGE_IS_GRANTED ? "granted" : "not granted", is & PAGE_IS_RESIDENT ? " resident" : "",
               is & PAGE_IS_COW ? " cow" : "", is & PAGE_IS_WRITABLE ? " writable" : "",
               is & PAGE_IS_MARKED ? " marked" : "", is & PAGE_IS_FIRST ? " first" : "", is, want);
        EXPECT(!(is & PAGE_IS_WRITABLE) || !(is & PAGE_IS_SHARED), "R001-6 page 0x%zx is shared and writable", here);
    }
    if (!swept)
        return;
    observe_sweeper();
    for (size_t i = 0; i < count; i++)
        EXPECT(states[i] != 0 || !(page_state(va + i * PAGE) & PAGE_IS_MARKED),
               "page 0x%zx of a marked block is not granted", va + i * PAGE);
}

static void compare_bytes(uintptr_t va, const uint8_t *real, const uint8_t *want, size_t length)
{
    size_t at = 0;

    self.tally.checks++;
    if (memcmp(real, want, length) == 0)
        return;
    while (at + 1 < length && real[at] == want[at])
        at++;
    MISMATCH("page 0x%zx offset %zu reads 0x%x, expected 0x%x", page_down(va + at), (va + at) % PAGE, real[at],
             want[at]);
}

static void compare_page(const struct page *page)
{
    page_bytes(page, expected);
    compare_bytes(page->va, (const uint8_t *)page->va, expected, PAGE);
}

/* Both numbers are of one moment, so they are those before or those after a sweep, and of now (R004-3, A004-2). */
static void compare_statistics(void)
{
    struct process_mem_info row;

    observe_sweeper();
    uint64_t reserved = reserved_pages() * 4, committed = resident_pages() * 4;
    EXPECT(get_mem_stats(self.pid, &row) == 0, "get_mem_stats fails: errno %d", errno);
    observe_sweeper();
    int as_before = row.reserved_memory == reserved && row.committed_memory == committed;
    EXPECT(as_before || (row.reserved_memory == reserved_pages() * 4 && row.committed_memory == resident_pages() * 4),
           "R004-3 statistics say reserved %" PRIu64 ", committed %" PRIu64 " KiB; expected %zu, %zu", row.reserved_memory,
           row.committed_memory, reserved_pages() * 4, resident_pages() * 4);
    EXPECT(row.committed_percent == row.committed_memory * 100 / row.reserved_memory && row.pid == self.pid,
           "R004-3 statistics say %u percent, pid %d", row.committed_percent, row.pid);
}

/* The areas' own numbers add up to the same. Areas are looked at one by one: only while no block waits for a sweep. */
static void compare_areas(void)
{
    static struct area_info rows[HEAP_MAX + AREAS_MAX + 8];
    uint64_t reserved = 0, resident = 0;
    int count = arealist(0, rows, COUNT(rows));

    EXPECT(count > 0 && count <= (int)COUNT(rows), "arealist gives %d", count);
    for (int i = 0; i < count; i++) {
        reserved += rows[i].reserved_pages;
        resident += rows[i].resident_pages;
    }
    EXPECT(reserved == reserved_pages() && resident == resident_pages(),
           "the areas add up to %" PRIu64 ", resident %" PRIu64 " pages; expected %zu, %zu", reserved, resident, reserved_pages(),
           resident_pages());
}

static void compare_area(const struct span *area)
{
    size_t count = (area->end - area->start) / PAGE;
    size_t near = count > 16 ? 16 : count;

    compare_states(area->start - PAGE, near + 1);               /* the guard page before, ... */
    compare_states(area->end - near * PAGE, near + 1);          /* ... and behind */
}

/* kernel_loads -- the kernel reads [va, va + length) for us, through the pipe: how much it gave, -1 with errno. */
static long kernel_loads(uintptr_t va, size_t length)
{
    long written = write(self.pipe[1], (const void *)va, length);

    if (written <= 0)
        return written;
    EXPECT(read(self.pipe[0], data, (size_t)written) == written, "the pipe loses some of %ld bytes", written);
    self.piped += (size_t)written;
    return written;
}

/* In overload a pipe may get no second page, and who writes more waits for a reader. */
static size_t pipeable(size_t length)
{
    size_t left = PAGE - self.piped % PAGE;

    return overload && length > left ? left : length;
}

/* A MARKED page may go while it is read: only the kernel can read it without harm. */
static void compare_marked_page(const struct page *page)
{
    uintptr_t va = page->va;
    size_t length = pipeable(PAGE);

    page_bytes(page, expected);
    long got = kernel_loads(va, length);
    EXPECT(got > 0 || errno == EFAULT, "write() from page 0x%zx is %ld, errno %d", va, got, errno);
    if (got > 0)
        compare_bytes(va, data, expected, (size_t)got);
    if (got == (long)length)
        return;
    observe_sweeper();
    EXPECT(find_page(va) == NULL, "R000-9 page 0x%zx of a marked block went before the sweep", va);
}

/* Everything: also that a sweep left ACTIVE blocks alone, and took all of the others, once (A000-14, A000-15). */
static void compare_all(void)
{
    observe_sweeper();
    for (size_t i = model.page_count; i-- > 0; )
        if (i < model.page_count) {                             /* a sweep may take some out */
            const struct page *page = &model.pages[i];
            if (in_region(page->va) && model.state[region_page(page->va)] == MARKED)
                compare_marked_page(page);
            else
                compare_page(page);
        }
    compare_states(REGION_START, REGION_PAGES);
    compare_states(model.heap_start, (heap_end() - model.heap_start) / PAGE + 1);
    for (size_t i = 0; i < model.area_count; i++)
        compare_area(&model.areas[i]);
    compare_statistics();
    if (model.marked_count == 0)
        compare_areas();
}

/* ---- Choosing where */

/* A run of granted pages; empty if the chosen kind has none. */
static struct span choose_span(void)
{
    size_t kind = pick(4), page = pick(REGION_PAGES);

    if (kind == 0)
        return (struct span){ model.heap_start, heap_end() };
    if (kind == 1)
        return model.area_count == 0 ? (struct span){ 0, 0 } : model.areas[pick(model.area_count)];
    for (size_t i = 0; i < REGION_PAGES; i++, page = (page + 1) % REGION_PAGES)
        if (model.state[page] == ACTIVE)
            return (struct span){ region_va(block_start(page)), region_va(block_end(page)) };
    return (struct span){ 0, 0 };
}

/* A page of a span: often the first or the last, mostly near them, so that it is met again. */
static uintptr_t choose_page(struct span span)
{
    size_t count = (span.end - span.start) / PAGE, near = pick(count < 12 ? count : 12);

    switch (pick(8)) {
    case 0:  return span.start;
    case 1:  return span.end - PAGE;
    case 2:  return span.start + (count <= REGION_PAGES ? pick(count) : near) * PAGE;
    case 3:  return span.end - PAGE - near * PAGE;
    default: return span.start + near * PAGE;
    }
}

/* is_affordable -- may all of [start, end) be in frames without exceeding the bounds of the model? */
static int is_affordable(uintptr_t start, uintptr_t end)
{
    size_t more = (page_up(end) - page_down(start)) / PAGE - touched_in(page_down(start), end);

    if (more == 0 || model.page_count + more > PAGES_MAX)
        return more == 0;
    if (model.area_count == 0 || start < model.areas[0].start)
        return 1;
    return touched_in(model.areas[0].start, model.areas[model.area_count - 1].end) + more <= AREA_TOUCHED;
}

/* choose_range -- up to `max` bytes that may be touched now; 0: none. */
static size_t choose_range(size_t max, uintptr_t *va)
{
    struct span span = choose_span();
    size_t length = 1 + pick(max);

    if (span.start == span.end)
        return 0;
    *va = choose_page(span) + (one_in(3) ? 0 : one_in(2) ? PAGE - 1 - pick(16) : pick(PAGE));
    if (length > span.end - *va)
        length = span.end - *va;
    if (is_affordable(*va, *va + length))
        return length;
    size_t rest = PAGE - *va % PAGE;
    return find_page(*va) == NULL ? 0 : length < rest ? length : rest;
}

/* ---- Accesses. First the real one, then the model's: a page touched first is one frame of zeros (R000-6, R002-3). */

typedef void part_action(uintptr_t va, size_t length, size_t done, uint32_t tag);

/* for_each_part -- cut [va, va + length) at the ends of pages; `done` bytes lie before the part. */
static void for_each_part(uintptr_t va, size_t length, part_action *act, uint32_t tag)
{
    for (size_t done = 0, part; done < length; done += part) {
        part = PAGE - (va + done) % PAGE;
        part = part > length - done ? length - done : part;
        act(va + done, part, done, tag);
    }
}

static void put_pattern(uintptr_t va, size_t length, size_t done, uint32_t tag)
{
    (void)done;
    write_pattern((uint8_t *)va, tag, va % PAGE, length);
}

static void put_in_data(uintptr_t va, size_t length, size_t done, uint32_t tag)
{
    write_pattern(data + done, tag, va % PAGE, length);
}

static void model_write(uintptr_t va, size_t length, size_t done, uint32_t tag)
{
    (void)done;
    write_page(va, length, tag);
}

static void model_read(uintptr_t va, size_t length, size_t done, uint32_t tag)
{
    static uint8_t whole[PAGE];
    (void)tag;
    page_bytes(touch_page(va), whole);
    memcpy(expected + done, whole + va % PAGE, length);
}

static void compare_part(uintptr_t va, size_t length, size_t done, uint32_t tag)
{
    (void)length, (void)done, (void)tag;
    compare_page(find_page(va));
}

/* Where too many pieces lie on a page already, a store to all of it makes them one. */
static void make_room(uintptr_t va, size_t length, size_t done, uint32_t tag)
{
    (void)done;
    if (has_room(va, length))
        return;
    write_pattern((uint8_t *)page_down(va), tag, 0, PAGE);
    write_page(page_down(va), PAGE, tag);
}

/* Whichever byte was touched: its page is there now, and its neighbours are as before (R000-7). */
static void after_access(uintptr_t va, size_t length)
{
    size_t count = (page_up(va + length) - page_down(va)) / PAGE;

    for_each_part(va, length, compare_part, 0);
    compare_states(page_down(va) - (in_region(va) ? PAGE : 0), count + 1 + (in_region(va) ? 1 : 0));
}

static void do_load(void)
{
    uintptr_t va;

    if (choose_range(1, &va) == 0)
        return;
    uint8_t byte = *(volatile uint8_t *)va;
    for_each_part(va, 1, model_read, 0);
    compare_bytes(va, &byte, expected, 1);
    after_access(va, 1);
}

static void store_byte(uintptr_t va)
{
    uint32_t tag = new_tag();

    make_room(va, 1, 0, tag + 2);
    *(volatile uint8_t *)va = pattern_byte(tag, va % PAGE);
    write_page(va, 1, tag);
}

static void do_store(void)
{
    uintptr_t va;

    if (choose_range(1, &va) == 0)
        return;
    store_byte(va);
    after_access(va, 1);
}

static void do_load_pages(void)
{
    uintptr_t va;
    size_t length = choose_range(TRANSFER_MAX, &va);

    if (length == 0)
        return;
    memcpy(data, (const void *)va, length);
    for_each_part(va, length, model_read, 0);
    compare_bytes(va, data, expected, length);
    after_access(va, length);
}

static void do_store_pages(void)
{
    uintptr_t va;
    size_t length = choose_range(TRANSFER_MAX, &va);
    uint32_t tag = one_in(6) ? 0 : new_tag();

    if (length == 0)
        return;
    for_each_part(va, length, make_room, new_tag());
    for_each_part(va, length, put_pattern, tag);
    for_each_part(va, length, model_write, tag);
    after_access(va, length);
}

/* One instruction on both sides of a page's end. */
static void do_unaligned(void)
{
    uintptr_t va, word;
    uint32_t tag = new_tag();

    if (choose_range(1, &va) == 0)
        return;
    va = page_down(va) + PAGE - 1 - pick(sizeof word - 1);
    struct span span = { page_down(va), page_down(va) + 2 * PAGE };
    if (!(page_state(span.start + PAGE) & PAGE_IS_GRANTED) || (page_state(span.start + PAGE) & PAGE_IS_MARKED)
        || !is_affordable(span.start, span.end))
        return;
    if (one_in(2)) {
        word = *(volatile uintptr_t *)va;
        for_each_part(va, sizeof word, model_read, 0);
        compare_bytes(va, (uint8_t *)&word, expected, sizeof word);
    } else {
        for_each_part(va, sizeof word, make_room, new_tag());
        for_each_part(va, sizeof word, put_in_data, tag);
        memcpy(&word, data, sizeof word);
        *(volatile uintptr_t *)va = word;
        for_each_part(va, sizeof word, model_write, tag);
    }
    after_access(va, sizeof word);
}

static void do_kernel_load(void)
{
    uintptr_t va;
    size_t length = choose_range(TRANSFER_MAX, &va);

    if (length == 0)
        return;
    length = pipeable(length);
    long got = kernel_loads(va, length);
    EXPECT(got == (long)length, "write() of %zu bytes from 0x%zx is %ld, errno %d", length, va, got, errno);
    for_each_part(va, length, model_read, 0);
    compare_bytes(va, data, expected, length);
    after_access(va, length);
}

/* From the pipe, or zeros from /dev/zero: the kernel breaks copy on write first (R001-13). */
static void do_kernel_store(void)
{
    uintptr_t va;
    size_t length = choose_range(TRANSFER_MAX, &va);
    uint32_t tag = one_in(4) ? 0 : new_tag();

    if (length == 0)
        return;
    length = pipeable(length);
    for_each_part(va, length, make_room, new_tag());
    if (tag != 0) {
        for_each_part(va, length, put_in_data, tag);
        EXPECT(write(self.pipe[1], data, length) == (long)length, "write() of %zu bytes fails: errno %d", length,
               errno);
        self.piped += length;
    }
    long got = read(tag == 0 ? self.zero : self.pipe[0], (void *)va, length);
    EXPECT(got == (long)length, "read() of %zu bytes to 0x%zx is %ld, errno %d", length, va, got, errno);
    for_each_part(va, length, model_write, tag);
    after_access(va, length);
}

/* ---- Granting and giving back */

/* Also nothing at all, 4 MiB, a byte more, and what would wrap round (A000-5, A000-6). */
static size_t choose_block_size(void)
{
    static const size_t special[] = { 0, 1, PAGE, PAGE + 1, REGION_PAGES * PAGE, REGION_PAGES * PAGE + 1, 0xFFFFF001,
                                      ~0ul };

    switch (pick(16)) {
    case 0:  return special[pick(COUNT(special))];
    case 1:  return 1 + pick(REGION_PAGES * PAGE);
    case 2:
    case 3:  return 1 + pick(128 * PAGE);
    default: return 1 + pick(20 * PAGE);
    }
}

/* The lowest hole that is large enough, or 0 (R000-3/4/12). A sweep that comes meanwhile makes larger holes. */
static uintptr_t grant_block(size_t nbytes)
{
    size_t count = nbytes > REGION_PAGES * PAGE ? REGION_PAGES + 1 : page_up(nbytes) / PAGE;

    observe_sweeper();
    size_t without = count == 0 ? REGION_PAGES : first_fit(count, 0);
    size_t with = count == 0 ? REGION_PAGES : first_fit(count, 1);
    int seen = self.sweeps_seen;
    uintptr_t got = (uintptr_t)malloco(nbytes);
    observe_sweeper();
    uintptr_t want = without == REGION_PAGES ? 0 : region_va(without);
    uintptr_t or_want = self.sweeps_seen == seen ? want : with == REGION_PAGES ? 0 : region_va(with);
    EXPECT(got == want || got == or_want, "malloco(%zu) gives 0x%zx, expected 0x%zx", nbytes, got, want);
    if (got != 0) {
        add_block(region_page(got), count);
        compare_states(got - PAGE, count + 2);
    }
    return got;
}

static void do_malloco(void) { (void)grant_block(choose_block_size()); }

static void mark(size_t first)
{
    size_t count = block_end(first) - first;

    uint64_t before = counters_now().sweeps;
    EXPECT(chau((void *)region_va(first)) == 0, "R000-9 chau(0x%zx) fails: errno %d", region_va(first), errno);
    mark_block(first, before, counters_now().sweeps);
    compare_states(region_va(first) - PAGE, count + 2);
}

static void do_chau(void)
{
    size_t page = pick(REGION_PAGES);

    if (model.marked_count == MARKED_MAX)
        return;
    for (size_t i = 0; i < REGION_PAGES; i++, page = (page + 1) % REGION_PAGES)
        if (model.state[page] == ACTIVE) {
            mark(block_start(page));
            return;
        }
}

/* Anything but the start of an ACTIVE block: an error, at once, and nothing changes (R000-9, A000-13). */
static void do_wrong_chau(void)
{
    size_t page = model.marked_count > 0 && one_in(2) ? model.marked[pick(model.marked_count)].first
                                                      : pick(REGION_PAGES);
    uintptr_t wrong[] = { 0,
                          KERNEL_ADDRESS,
                          REGION_START - PAGE,
                          REGION_STOP,
                          model.heap_start,
                          (uintptr_t)do_malloco,
                          region_va(page),
                          region_va(page) + 1 + pick(PAGE - 1),
                          model.area_count > 0 ? model.areas[0].start : ~0ul };
    uintptr_t va = wrong[pick(COUNT(wrong))];

    if (in_region(va) && va % PAGE == 0 && model.state[page] == ACTIVE && model.first[page])
        va++;
    errno = 0;
    int result = chau((void *)va);
    EXPECT(result == -1 && errno == EINVAL, "R000-9 chau(0x%zx) is %d, errno %d", va, result, errno);
    if (in_region(va))
        compare_states(page_down(va) - PAGE, 3);
}

/* Page aligned, with a page before and behind that belongs to nobody, and away from all else (R002-1). */
static void check_area(struct span area, size_t nbytes)
{
    EXPECT(area.start % PAGE == 0 && area.start >= page_up(model.brk) && area.end <= (uintptr_t)&area,
           "R002-1 tamalloc(%zu) gives 0x%zx", nbytes, area.start);
    for (size_t i = 0; i < model.area_count; i++)
        EXPECT(area.end + PAGE <= model.areas[i].start || area.start >= model.areas[i].end + PAGE,
               "R002-1 tamalloc(%zu) gives 0x%zx, beside the area at 0x%zx", nbytes, area.start, model.areas[i].start);
    EXPECT(area.start > REGION_STOP || area.end < REGION_START, "R002-1 tamalloc(%zu) gives 0x%zx", nbytes, area.start);
}

/* Also nothing, too much, and what would wrap round (R004-1, A002-2); and far more than there is (R002-2, A004-7). */
static void do_tamalloc(void)
{
    static const struct { size_t nbytes; int error; } wrong[] =
        { { 0, EINVAL }, { ~0ul, EINVAL }, { USER_LIMIT + 1, EINVAL }, { USER_LIMIT, ENOMEM } };
    size_t nbytes = one_in(8) ? HUGE_AREA + pick(HUGE_AREA) : 1 + pick(12 * PAGE);

    if (model.area_count == AREAS_MAX || one_in(6)) {
        size_t i = pick(COUNT(wrong));
        errno = 0;
        void *got = tamalloc(wrong[i].nbytes);
        EXPECT(got == TAMALLOC_ERROR && errno == wrong[i].error, "tamalloc(0x%zx) gives 0x%zx, errno %d",
               wrong[i].nbytes, (uintptr_t)got, errno);
        return;
    }
    uintptr_t got = (uintptr_t)tamalloc(nbytes);
    if (got == (uintptr_t)TAMALLOC_ERROR && overload && ERRORS_OF_MEMORY)
        return;
    EXPECT(got != (uintptr_t)TAMALLOC_ERROR, "tamalloc(%zu) fails: errno %d", nbytes, errno);
    struct span area = { got, got + page_up(nbytes) };
    check_area(area, nbytes);
    model.areas[model.area_count++] = area;
    compare_area(&area);
}

static void move_heap(intptr_t delta, int lazy)
{
    uintptr_t old = model.brk, end = heap_end();
    int error = delta < 0 && (uintptr_t)-delta > old - model.heap_start ? EINVAL : delta == INTPTR_MAX ? ENOMEM : 0;

    errno = 0;
    uintptr_t got = (uintptr_t)(lazy ? sbrklazy(delta) : sbrk(delta));
    if (got == (uintptr_t)SBRK_ERROR && overload && error == 0 && ERRORS_OF_MEMORY)
        return;
    if (error != 0) {
        EXPECT(got == (uintptr_t)SBRK_ERROR && errno == error, "sbrk(%zd) gives 0x%zx, errno %d", delta, got, errno);
        return;
    }
    EXPECT(got == old, "sbrk(%zd) gives 0x%zx, errno %d; expected 0x%zx", delta, got, errno, old);
    model.brk = old + (uintptr_t)delta;
    forget_pages(heap_end(), end);
    compare_states(model.heap_start, ((end > heap_end() ? end : heap_end()) - model.heap_start) / PAGE + 1);
}

static void do_heap(void)
{
    intptr_t used = (intptr_t)(model.brk - model.heap_start), room = (intptr_t)(HEAP_MAX * PAGE) - used, delta;

    switch (pick(10)) {
    case 0:  delta = 0; break;
    case 1:  delta = -used; break;
    case 2:  delta = -used - 1 - (intptr_t)pick(1 << 20); break;
    case 3:  delta = INTPTR_MAX; break;
    case 4:
    case 5:
    case 6:  delta = -(intptr_t)pick((size_t)used + 1); break;
    default: delta = 1 + (intptr_t)pick(8 * PAGE); break;
    }
    move_heap(delta > room && delta != INTPTR_MAX ? room : delta, one_in(2));
}

static void approach_sweep(void)
{
    while (counters_now().ticks % TICKS_PER_SWEEP < TICKS_PER_SWEEP - 10)
        pause(1);
}

/* Wait for a sweep; or only until one is near, so that it comes in the middle of the next operations (M3). */
static void do_await_sweep(void)
{
    if (one_in(2))
        await_sweep();
    else
        approach_sweep();
    compare_all();
}

/* A page that was touched is swept, granted and touched again. This task stays on its hart meanwhile, which knows the
 * page: unless the sweep makes it forget, the last touch meets the old frame and does not fault (M1, A000-16). */
static void do_reuse(void)
{
    uintptr_t va;

    approach_sweep();
    if (model.marked_count == MARKED_MAX || model.page_count == PAGES_MAX || (va = grant_block(1)) == 0)
        return;
    store_byte(va);
    mark(region_page(va));
    while (model.state[region_page(va)] == MARKED)
        observe_sweeper();
    if ((va = grant_block(1)) == 0 || model.page_count == PAGES_MAX)
        return;
    store_byte(va);
    after_access(va, 1);
}

/* ---- Accesses that must end a task. A child makes them. */

static void load_it(uintptr_t va)
{
    exit(*(volatile uint8_t *)va != expected[0] ? STATUS_MISMATCH : STATUS_LIVED);
}

static void store_it(uintptr_t va)
{
    *(volatile uint8_t *)va = 1;
    exit(STATUS_LIVED);
}

static void fetch_it(uintptr_t va)
{
    ((void (*)(void))va)();
    exit(STATUS_LIVED);
}

/* The status of a child that does this; 0: there could be no child. */
static int status_in_child(void (*access)(uintptr_t), uintptr_t va)
{
    int status = 0, pid = fork();

    if (pid == 0)
        access(va);
    if (pid < 0 && overload && ERRORS_OF_MEMORY) {
        self.rights_unknown = 1;
        return 0;
    }
    EXPECT(pid > 0, "fork fails: errno %d", errno);
    fork_pages();
    EXPECT(wait_for_task(pid, &status) == pid, "the child %d is lost: errno %d", pid, errno);
    return status;
}

static size_t choose_unused_page(void)
{
    size_t page = pick(REGION_PAGES);

    for (size_t i = 0; i < REGION_PAGES; i++, page = (page + 1) % REGION_PAGES)
        if (model.state[page] == FREE && (one_in(16) || (page > 0 && model.state[page - 1] != FREE)))
            return page;
    return REGION_PAGES;
}

/* Nobody may touch this: no page there was granted (A000-7), or it was given up before it was touched (A000-22). */
static uintptr_t choose_bad_address(void)
{
    static const uintptr_t never[] = { 0, 0x1000, REGION_START - 1, REGION_STOP, KERNEL_ADDRESS, USER_STACK_TOP,
                                       USER_LIMIT, ~0ul };
    size_t which = pick(6), at = pick(PAGE);

    if (which == 0)
        return heap_end() + at;
    if (which == 1 && model.area_count > 0)
        return model.areas[pick(model.area_count)].end + at;
    if (which == 2 && model.area_count > 0)
        return model.areas[pick(model.area_count)].start - PAGE + at;
    if (which == 3 && model.marked_count > 0) {
        const struct marked *block = &model.marked[pick(model.marked_count)];
        uintptr_t va = region_va(block->first + pick(block->pages)) + at;
        if (find_page(va) == NULL)
            return va;
    }
    size_t page = choose_unused_page();
    return which == 4 || page == REGION_PAGES ? never[pick(COUNT(never))] : region_va(page) + at;
}

static void do_bad_access(void)
{
    void (*access)(uintptr_t) = one_in(2) ? load_it : store_it;
    uintptr_t va = choose_bad_address();

    if (one_in(6)) {
        access = store_it;
        va = (uintptr_t)do_bad_access + pick(64);               /* code is not for writing (R001-8) */
    } else if (one_in(8)) {
        struct span span = choose_span();
        access = fetch_it;
        if (span.start == span.end)
            return;
        if (CAN_FORBID_EXECUTION)
            va = choose_page(span);                             /* data is not for execution; else: what is not there */
    } else if (one_in(8)) {
        va = (uintptr_t)&access - (64ul << 20);                 /* too far below the stack */
    }
    int status = status_in_child(access, va);
    if (status == 0)
        return;
    EXPECT(status == -1, "R000-8 a task lived after an access to 0x%zx: status %d", va, status);
    self.tally.evictions++;
}

/* The same through the kernel is an error, and harms nobody (R004-8). */
static void do_bad_pointer(void)
{
    uintptr_t va = choose_bad_address();

    errno = 0;
    size_t length = 1 + pick(16);
    long result = one_in(2) ? read(self.zero, (void *)va, length) : write(self.pipe[1], (const void *)va, length);
    EXPECT(result == -1 && errno == EFAULT, "R004-8 the kernel takes 0x%zx: %ld, errno %d", va, result, errno);
    if (in_region(va))
        compare_states(page_down(va) - PAGE, 3);
}

/* A touched page of a marked block still works, until the sweep takes it and the access is a bad one. */
static void do_marked_access(void)
{
    const struct marked *block = &model.marked[0];
    const struct page *page = NULL;

    for (size_t i = pick(PAGES_MAX), left = PAGES_MAX; left > 0 && page == NULL; left--, i = (i + 1) % PAGES_MAX)
        if (i < model.page_count && (page_state(model.pages[i].va) & PAGE_IS_MARKED))
            page = &model.pages[i];
    if (page == NULL)
        return;
    while (region_page(page->va) - block->first >= block->pages)
        block++;
    uintptr_t va = page->va + pick(PAGE);
    page_bytes(page, expected);
    expected[0] = expected[va % PAGE];
    int status = status_in_child(one_in(2) ? load_it : store_it, va);
    EXPECT(status == STATUS_LIVED || status <= 0, "page 0x%zx offset %zu of a marked block reads wrong in a child",
           page_down(va), va % PAGE);
    if (status != -1)
        return;
    self.tally.evictions++;
    uint64_t ticks = counters_now().ticks;
    EXPECT(overload || ticks >= (block->sweeps_before + 1) * TICKS_PER_SWEEP,
           "an access to page 0x%zx of a marked block evicts at tick %" PRIu64 ", before any sweep", page_down(va), ticks);
}

/* ---- Children that go on by themselves */

_Noreturn static void run_task(void);

static void reap_child(int i)
{
    int status = -2, pid = self.children[i].pid, want = self.children[i].status;

    EXPECT(wait_for_task(pid, &status) == pid, "the child %d is lost: errno %d", pid, errno);
    if (status == STATUS_MISMATCH)
        exit(STATUS_MISMATCH);                                  /* it has told why */
    EXPECT(status == want || (overload && status == -1), "the child %d ends with status %d, expected %d", pid, status,
           want);
    self.children[i] = self.children[--self.child_count];
}

static void do_reap(void)
{
    if (self.child_count > 0)
        reap_child((int)pick((size_t)self.child_count));
}

static void open_pipe(void)
{
    if (pipe(self.pipe) == 0)
        return;
    EXPECT(overload, "pipe fails: errno %d", errno);
    exit(expected_status(self.seed));
}

static void begin_as_child(uint64_t seed, int operations)
{
    size_t length = strlen(self.name);

    snprintf(self.name + length, sizeof self.name - length, ".%d", self.operation);
    fork_pages();
    self.seed = seed;
    self.operation = 0;
    self.operations = operations;
    self.depth++;
    self.pid = getpid();
    self.child_count = 0;
    self.tally = (struct tally){ .tasks = 1 };
    uint64_t sweeps = counters_now().sweeps;
    for (size_t i = 0; i < model.marked_count; i++)             /* a sweep that runs now may miss a task so new */
        model.marked[i].sweeps_after = sweeps;
    close(self.pipe[0]);
    close(self.pipe[1]);
    self.piped = 0;
    open_pipe();
    if (one_in(2))
        compare_all();
}

/* The child has the same memory, marked blocks included (R001-4, A001-13); what one side writes or does to its blocks, the
 * other never sees (R000-13, R001-7, A001-10).
 * Just before and just after the call a page is written: by then the parent must have lost the right to (M6). */
static void do_fork(void)
{
    uint64_t seed = draw();
    uintptr_t va;
    int operations = 4 + (int)pick(36);

    if (self.depth == DEPTH_MAX || self.child_count > CHILDREN_MAX - 1 - self.depth) {
        do_reap();
        return;
    }
    int writes = choose_range(1, &va) > 0;
    if (writes)
        store_byte(va);
    int pid = fork();
    if (pid == 0) {
        begin_as_child(seed, operations);
        run_task();
    }
    if (pid < 0 && overload && ERRORS_OF_MEMORY) {
        self.rights_unknown = 1;
        return;
    }
    EXPECT(pid > 0, "fork fails: errno %d", errno);
    fork_pages();
    self.children[self.child_count].pid = pid;
    self.children[self.child_count++].status = expected_status(seed);
    if (writes) {
        store_byte(va);
        after_access(va, 1);
    }
    if (one_in(2))
        compare_all();
}

/* A row about somebody who is busy is right in itself, and nothing is told of the dead (R004-3, M12). */
static void do_watch_child(void)
{
    struct process_mem_info row;

    if (self.child_count == 0)
        return;
    int pid = self.children[pick((size_t)self.child_count)].pid;
    if (get_mem_stats(pid, &row) != 0) {
        EXPECT(errno == ESRCH, "get_mem_stats(%d) fails: errno %d", pid, errno);
        return;
    }
    EXPECT(row.pid == pid && row.committed_memory <= row.reserved_memory && row.reserved_memory >= model.own_pages * 4,
           "R004-3 statistics of the child %d: pid %d, reserved %" PRIu64 ", committed %" PRIu64 " KiB", pid, row.pid,
           row.reserved_memory, row.committed_memory);
}

/* ---- A task */

static const struct { const char *name; size_t weight; void (*act)(void); } kinds[] = {
    { "malloco",      120, do_malloco },
    { "chau",         90,  do_chau },
    { "wrong chau",   30,  do_wrong_chau },
    { "tamalloc",     30,  do_tamalloc },
    { "sbrk",         110, do_heap },
    { "load",         100, do_load },
    { "store",        130, do_store },
    { "load pages",   60,  do_load_pages },
    { "store pages",  80,  do_store_pages },
    { "unaligned",    30,  do_unaligned },
    { "kernel load",  60,  do_kernel_load },
    { "kernel store", 80,  do_kernel_store },
    { "bad pointer",  30,  do_bad_pointer },
    { "bad access",   25,  do_bad_access },
    { "marked",       25,  do_marked_access },
    { "fork",         25,  do_fork },
    { "wait",         20,  do_reap },
    { "watch",        20,  do_watch_child },
    { "await sweep",  3,   do_await_sweep },
    { "reuse",        3,   do_reuse },
};

static void do_something(void)
{
    size_t sum = 0, i = 0;

    self.random = mix(self.seed ^ mix((uint64_t)self.operation + 1));
    for (size_t k = 0; k < COUNT(kinds); k++)
        sum += kinds[k].weight;
    for (size_t left = pick(sum); left >= kinds[i].weight; i++)
        left -= kinds[i].weight;
    self.doing = kinds[i].name;
    kinds[i].act();
    if (self.operation % COMPARE_ALL_EVERY == COMPARE_ALL_EVERY - 1)
        compare_all();
    else
        compare_statistics();
    self.tally.operations++;
}

/* Memory of all kinds is left to the kernel, marked or not; sometimes most of it is given back before. Who runs this
 * program counts the frames before and after (R000-14, R001-12). */
static void give_back(void)
{
    self.random = self.seed;
    if (one_in(2))
        return;
    move_heap(-(intptr_t)(model.brk - model.heap_start), 0);
    for (size_t page = 0; page < REGION_PAGES && model.marked_count < MARKED_MAX; page++)
        if (model.state[page] == ACTIVE)
            mark(page);
    compare_all();
}

_Noreturn static void run_task(void)
{
    for (; self.operation < self.operations; self.operation++)
        do_something();
    self.doing = "end";
    while (self.child_count > 0)
        reap_child(0);
    if (self.depth == 0)
        await_sweep();                          /* once all must be exact */
    compare_all();
    give_back();
    if (write(self.results, &self.tally, sizeof self.tally) != sizeof self.tally)
        MISMATCH("the result cannot be written: errno %d", errno);
    exit(expected_status(self.seed));
}

/* ---- All of them */

static int start_task(int number, uint64_t seed, const int results[2])
{
    int pid = fork();

    if (pid != 0)
        return pid;
    close(results[0]);
    self = (struct task){ .seed = seed, .top_seed = (unsigned long)seed, .operations = task_operations, .tally = { .tasks = 1 },
                          .results = results[1], .zero = open("/dev/zero", O_RDONLY), .doing = "start" };
    self.pid = getpid();
    snprintf(self.name, sizeof self.name, "%d", number);
    open_pipe();
    compare_all();
    run_task();
}

/* Touch memory until next to none is left, and let the others meet its end. The kernel kills who has most: this one. */
_Noreturn static void be_a_hog(void)
{
    volatile char *memory = tamalloc(2 * PAGE * (size_t)counters_now().frames_total);

    for (int naps = 0; naps < 5; ) {
        struct kcounters now = counters_now();
        if (now.frames_free + now.frames_cached > now.pages_committed + now.frames_total / 16 + 32) {
            *memory = 1;
            memory += PAGE;
        } else {
            naps++;
            pause(1);
        }
    }
    exit(0);
}

static int start_hogs(void)
{
    int pid = fork();

    if (pid != 0)
        return pid;
    for (int i = 0; i < task_operations / 30 + 1; i++) {
        if (fork() == 0)
            be_a_hog();
        wait(0);
    }
    exit(0);
}

static void fail_round(uint64_t seed, const char *format, long a, long b)
{
    char what[100];

    check_failures++;
    snprintf(what, sizeof what, format, a, b);
    printf("model: seed=%" PRIu64 " %s; again: /tests/model%s -s %" PRIu64 " -t %d -n %d\n", seed, what,
           overload ? " -o" : "", seed, total_tasks, task_operations);
}

static void end_tasks(uint64_t seed, const int *pids)
{
    for (int i = 0; i < total_tasks; i++) {
        int status = -2, want = expected_status(seed + (uint64_t)i);
        if (pids[i] > 0 && wait_for_task(pids[i], &status) == pids[i] && (status == want || (overload && status == -1)))
            continue;
        if (status == STATUS_MISMATCH)
            check_failures++;                                   /* it has told why */
        else
            fail_round(seed, "task=%ld: it ends with status %ld, and was not to", i, status);
    }
}

/* run_round -- all tasks once; what they counted. Evictions are those that they made, and no other. */
static struct tally run_round(uint64_t seed)
{
    int results[2], pids[total_tasks];
    struct kcounters before, after;
    struct tally sum = { 0, 0, 0, 0 }, one;

    CHECK_EQ(pipe(results), 0);
    CHECK_EQ(kcounters(&before), 0);
    for (int i = 0; i < total_tasks; i++)
        pids[i] = start_task(i, seed + (uint64_t)i, results);
    close(results[1]);
    int hogs = overload ? start_hogs() : 0;
    while (read(results[0], &one, sizeof one) == sizeof one) {  /* until all have ended, and their children */
        sum.operations += one.operations;
        sum.checks += one.checks;
        sum.evictions += one.evictions;
        sum.tasks += one.tasks;
    }
    close(results[0]);
    end_tasks(seed, pids);
    if (hogs > 0)
        wait_for_task(hogs, 0);
    CHECK_EQ(kcounters(&after), 0);
    uint64_t evictions = after.evictions - before.evictions;
    check_count += (int)sum.checks + 1;
    if (evictions != sum.evictions && check_failures == 0 && !overload)
        fail_round(seed, "%ld tasks were evicted, and %ld had to be", (long)evictions, (long)sum.evictions);
    return sum;
}

/* ---- The beginning */

__attribute__((noinline)) static void deepen_stack(void)
{
    volatile char room[8 * PAGE];

    for (size_t i = 0; i < sizeof room; i += PAGE)
        room[i] = 0;
}

/* The program's own pages are touched once, all of them: from then on only the model's come and go. */
static void take_baseline(void)
{
    static struct area_info areas[16];
    size_t used = 0;

    for (size_t i = 0; i < sizeof model; i++)
        used += ((volatile uint8_t *)&model)[i] != 0;
    CHECK_EQ(used, 0);                          /* where fresh pages are not zero, no model can begin */
    deepen_stack();
    int count = arealist(0, areas, COUNT(areas));
    CHECK(count > 0 && count < (int)COUNT(areas));
    for (int i = 0; i < count; i++)
        for (uintptr_t va = areas[i].start; va < areas[i].end; va += PAGE) {
            (void)*(volatile char *)va;
            model.own_pages++;
        }
    model.heap_start = model.brk = (uintptr_t)sbrk(0);
    CHECK_EQ(model.brk % PAGE, 0);
}

static void usage(void)
{
    printf("usage: model [-o] [-s seed] [-n operations] [-t tasks] [-l seconds]\n");
    exit(2);
}

int main(int argc, char **argv)
{
    uint64_t seed = (uint32_t)(clock_ns() / 1000);
    int option, start = uptime(), tenths = 0, round = 0;

    while ((option = getopt(argc, argv, "os:n:t:l:")) != -1)
        switch (option) {
        case 'o': overload = 1; break;
        case 's': seed = strtoul(optarg, NULL, 0); break;
        case 'n': task_operations = atoi(optarg); break;
        case 't': total_tasks = atoi(optarg); break;
        case 'l': tenths = atoi(optarg) * 10; break;
        default:  usage();
        }
    if (optind != argc || task_operations < 1 || total_tasks < 1 || total_tasks > 64)
        usage();
    printf("model: seed=%" PRIu64 ", %d tasks of %d operations%s\n", seed, total_tasks, task_operations,
           overload ? ", overload" : "");
    take_baseline();
    if (check_failures > 0)
        return check_summary("model");
    do {
        struct tally sum = run_round(seed);
        printf("model: round %d, seed=%" PRIu64 ": %" PRIu64 " operations, %" PRIu64 " checks, %" PRIu64 " evictions, %" PRIu64
               " tasks\n", ++round, seed, sum.operations, sum.checks, sum.evictions, sum.tasks);
        seed += (uint64_t)total_tasks;
    } while (check_failures == 0 && uptime() - start < tenths);
    return check_summary("model");
}
