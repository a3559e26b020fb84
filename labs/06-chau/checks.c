/*
 * checks.c -- chau and the sweeper: what a call marks, what a sweep takes and when, and that nobody sees another's memory.
 *
 * Each check works in children, which begin with an empty REGION. Times are the kernel's ticks: sweep n begins at tick 100 n, and
 * what is to happen between two sweeps begins early after one. Using a block after chau() is the program's mistake: no check
 * asks what comes of it, except that it must never show what belongs to somebody else. Nor must addresses be granted again.
 */
#include "labs/user_check.h"
#include <stdbool.h>

#define PAGES  1024ul                           /* of REGION */
#define PERIOD 100ul                            /* ticks from sweep to sweep */
#define HEX(p) ((unsigned long)(p))

static char *at(size_t page) { return REGION_START + page * PAGE; }

static size_t resident_of(const char *block, size_t npages)
{
    return pages_with(0, block, npages, PAGE_IS_RESIDENT, PAGE_IS_RESIDENT);
}

static long frames(void) { return (long)counters_now().frames_free; }
static uint64_t ticks(void) { return counters_now().ticks; }

/* ---- Time. pause(1) is ten ticks, in which nothing runs. The rest is spent without the kernel: asking it costs more. */

static void let_ticks_pass(uint64_t n)
{
    uint64_t end = clock_ns() + n * (1000000000 / 100);
    while (clock_ns() < end)
        continue;
}

static void await_tick(uint64_t goal)
{
    while (ticks() + 12 < goal)
        pause(1);
    for (uint64_t now = ticks(); now < goal; now = ticks())
        let_ticks_pass(goal - now);
}

/* Until a sweep is over that began after this call, if there is any: two ticks late is in time, and it takes a while. */
static void past_a_sweep(void) { await_tick((ticks() / PERIOD + 1) * PERIOD + 5); }

/* Until no sweep is near: half a period is left. */
static void between_sweeps(void)
{
    uint64_t phase = ticks() % PERIOD;
    if (phase < 4 || phase > 50)
        past_a_sweep();
}

/* ---- Blocks. Every page gets its own number, in its first and in its last word. */

static char *block_of(size_t npages)
{
    char *block = malloco(npages * PAGE);
    EXPECT(block != 0, "no-block", "malloco(%lu) of a task that has room for it: expected a block, saw NULL", npages * PAGE);
    return block;
}

static void fill(char *block, size_t npages, uint64_t tag)
{
    for (size_t i = 0; i < npages; i++) {
        uint64_t *words = (uint64_t *)(block + i * PAGE);
        words[0] = words[511] = tag + i;
    }
}

/* The address of the first word that is not what fill() has put there, or NULL. */
static uint64_t *changed(char *block, size_t npages, uint64_t tag)
{
    for (size_t i = 0; i < npages; i++) {
        volatile uint64_t *words = (uint64_t *)(block + i * PAGE);
        if (words[0] != tag + i)
            return (uint64_t *)&words[0];
        if (words[511] != tag + i)
            return (uint64_t *)&words[511];
    }
    return 0;
}

/* A block that must be as it was, all of its pages touched. A page that is not there is not read: that might end the task. */
static bool is_intact(char *block, size_t npages, uint64_t tag, unsigned long number)
{
    size_t there = resident_of(block, npages);
    if (!EXPECT(there == npages, "live-block", "block %lu was not given back, and of its pages %lu are mapped, expected %lu",
                number,
                there, npages))
        return false;
    uint64_t *word = changed(block, npages, tag);
    return EXPECT(word == 0, "live-block", "block %lu was not given back, and 0x%lx reads 0x%lx, expected 0x%lx", number,
                  HEX(word), (unsigned long)*word, (unsigned long)(tag + (HEX(word) - HEX(block)) / PAGE));
}

static bool give_back(char *block)
{
    int err = chau(block);
    return EXPECT(err == 0, "refused", "chau(0x%lx) of a block of this task: expected 0, saw %d, errno %d", HEX(block), err,
                  errno);
}

/* ---- chau marks, and nothing else */

static void mark_in_child(void)
{
    size_t npages = 10 + check_random() % 50;
    between_sweeps();
    char *block = block_of(npages), *next = block_of(2);
    if (block == 0 || next == 0)
        return;
    own_stack_and_variables();
    fill(block, npages, 500);
    fill(next, 2, 900);
    long before = frames();
    before = frames();
    give_back(block);
    long came = frames() - before;
    size_t there = resident_of(block, npages);
    EXPECT(there == npages, "early",
           "right after chau: expected all %lu pages still mapped, saw %lu: the sweeper takes them, later",
           npages, there);
    EXPECT(came <= 0, "early", "right after chau: expected no frame back in the pool yet, saw %ld", came);
    is_intact(next, 2, 900, 2);
}

static void chau_only_marks(void) { expects_in_child(mark_in_child); }

/* ---- A second chau does nothing, before the sweep and after it. */

static void twice_in_child(void)
{
    between_sweeps();
    char *first = block_of(5), *second = block_of(3);
    if (first == 0 || second == 0)
        return;
    fill(first, 5, 100);
    fill(second, 3, 200);
    uint64_t reserved = row_of(0).reserved_memory;
    give_back(first);
    (void)!chau(first);
    (void)!chau(first);
    uint64_t marked = row_of(0).reserved_memory;
    EXPECT(marked == reserved, "twice", "chau three times: expected %lu KiB reserved until the sweep, saw %lu",
           (unsigned long)reserved, (unsigned long)marked);
    past_a_sweep();
    (void)!chau(first);
    past_a_sweep();
    uint64_t now = row_of(0).reserved_memory;
    EXPECT(now <= reserved && now + 20 >= reserved, "twice",
           "a block of 20 KiB was given back three times: expected at least %lu KiB reserved, saw %lu",
           (unsigned long)reserved - 20, (unsigned long)now);
    is_intact(second, 3, 200, 2);
}

static void second_chau_does_nothing(void)
{
    expects_in_child(twice_in_child);
    past_a_sweep();
}

/* ---- The frames come back: by the next sweep, all of them, each once. */

static void return_in_child(void)
{
    own_stack_and_variables();
    for (int round = 0; round < 3; round++) {
        size_t npages = 40 + check_random() % 150;
        between_sweeps();
        char *block = malloco(npages * PAGE);
        if (block == 0 && round > 0)            /* who never grants anything again has used up 4 MiB */
            return;
        if (!EXPECT(block != 0, "no-block", "malloco(%lu): expected a block, saw NULL", npages * PAGE))
            return;
        fill(block, npages, 7);
        long before = frames();
        before = frames();
        give_back(block);
        past_a_sweep();
        long came = frames() - before;
        size_t there = resident_of(block, npages);
        EXPECT(there != npages || came < (long)npages / 2, "entry-stays",
               "one sweep after chau: %ld frames are back in the pool, and "
               "%lu pages of the block are still mapped to them", came, there);
        if (!EXPECT(there != npages, "not-swept",
                    "tick %lu, one sweep after chau: expected none of the block's %lu pages mapped, "
                    "saw all of them", (unsigned long)ticks(), npages))
            return;
        EXPECT(there == 0, "pages-left", "one sweep after chau: expected none of the block's %lu pages mapped, saw %lu", npages,
               there);
        EXPECT(came >= (long)npages, "not-freed", "one sweep after chau: expected %lu frames back in the pool, saw %ld", npages,
               came);
        EXPECT(came <= (long)npages + 5, "too-many-frames", "one sweep after chau of %lu pages: saw %ld frames come back",
               npages, came);
    }
}

static void frames_come_back(void)
{
    expects_in_child(return_in_child);
    past_a_sweep();
    long before = frames();                     /* somebody else uses those frames: a frame freed twice shows */
    char *memory = sbrk(400 * (long)PAGE);
    EXPECT(memory != SBRK_ERROR, "", "sbrk of 400 pages: expected memory");
    memset(memory, 0x5a, 400 * PAGE);
    long taken = before - frames();
    EXPECT(taken >= 400, "double", "400 pages of a heap were touched: expected at least 400 frames taken, saw %ld", taken);
}

/* ---- What was not given back stays. */

#define BLOCKS 60

static void live_in_child(void)
{
    static char *block[BLOCKS];
    static size_t npages[BLOCKS];

    between_sweeps();
    for (unsigned long i = 0; i < BLOCKS; i++) {
        npages[i] = i % 7 == 3 ? 1 : 1 + check_random() % 8;
        block[i] = block_of(npages[i]);
        if (block[i] == 0)
            return;
        fill(block[i], npages[i], 1000 * i);
    }
    for (unsigned long i = BLOCKS; i-- > 0; )           /* one or two that stay between those that go */
        if (i % 5 == 1 || i % 5 == 3)
            give_back(block[i]);
    for (int sweep = 0; sweep < 2; sweep++) {
        past_a_sweep();
        for (unsigned long i = 0; i < BLOCKS; i++)
            if (i % 5 != 1 && i % 5 != 3 && !is_intact(block[i], npages[i], 1000 * i, i + 1))
                return;
    }
}

static void live_blocks_stay(void) { expects_in_child(live_in_child); }

/* ---- Pages that were never touched are passed over. */

static void untouched_in_child(void)
{
    between_sweeps();
    char *never = block_of(300), *half = block_of(600), *one = block_of(1), *last = block_of(20);
    if (never == 0 || half == 0 || one == 0 || last == 0)
        return;
    for (size_t i = 100; i < 500; i += 40)
        fill(half + i * PAGE, 1, i);
    fill(last, 1, 77);
    give_back(never);
    give_back(half);
    give_back(one);
    past_a_sweep();
    EXPECT(resident_of(at(0), 901) == 0, "pages-left",
           "one sweep after chau: expected no page mapped of blocks touched in part, saw %lu",
           resident_of(at(0), 901));
    is_intact(last, 1, 77, 4);
}

static void untouched_is_passed_over(void) { expects_in_child(untouched_in_child); }

/* ---- Every task is swept: those that wait, too. */

#define TASKS 7

static int hold(struct partner *self, void *number)
{
    char *block = malloco(12 * PAGE), *stays = malloco(2 * PAGE);
    uint64_t tag = 10000 * (1 + (uint64_t)(uintptr_t)number);

    if (block == 0 || stays == 0)
        return 50;
    fill(block, 12, tag);
    fill(stays, 2, tag + 500);
    if (chau(block) != 0)
        return 51;
    tell(self);
    await(self);                                /* through the sweep */
    if (changed(stays, 2, tag + 500) != 0)
        return 52;
    return (int)resident_of(block, 12);
}

static void every_task_is_swept(void)
{
    struct partner partners[TASKS];
    unsigned left = 0, lost = 0, bad = 0;

    between_sweeps();
    for (size_t i = 0; i < TASKS; i++) {
        partners[i] = partner_start(hold, (void *)i);
        await(&partners[i]);
    }
    past_a_sweep();
    for (size_t i = 0; i < TASKS; i++) {
        tell(&partners[i]);
        int pages = partner_end(&partners[i]);
        bad += pages == 50 || pages == 51 || pages < 0;
        lost += pages == 52;
        left += pages > 0 && pages <= 12;
    }
    EXPECT(bad == 0, "refused", "%d tasks give a block back: expected that all can, saw %u that could not", TASKS, bad);
    EXPECT(lost == 0, "live-block", "of %d tasks, %u lost a block that was not given back", TASKS, lost);
    EXPECT(left == 0, "one-task", "of %d tasks that gave a block back, %u still had pages of it after the sweep, expected 0",
           TASKS, left);
}

/* ---- When: sweeps = ticks / 100. A sweep begins two ticks late at most, and is counted when it is over. Each look bounds the
 * other. */

#define LATE 4

static void watch_the_clock(uint64_t stop, unsigned *early, unsigned *late, struct kcounters *seen)
{
    struct kcounters now, next = counters_now();
    do {
        now = next;
        next = counters_now();
        if (now.sweeps > next.ticks / PERIOD && ++*early == 1)
            *seen = now;
        if (now.ticks >= LATE && next.sweeps < (now.ticks - LATE) / PERIOD && ++*late == 1)
            *seen = now;
        if (next.ticks % PERIOD > 5 && next.ticks % PERIOD < 88)
            pause(1);
        else if (next.ticks % PERIOD < 98)
            let_ticks_pass(1);
    } while (next.ticks < stop);
}

static void once_in_a_hundred_ticks(void)
{
    unsigned early = 0, late = 0;
    struct kcounters seen = { 0 };
    uint64_t start = ticks() / PERIOD;

    watch_the_clock((start + 2) * PERIOD + 15, &early, &late, &seen);
    struct kcounters end = counters_now();
    EXPECT(end.sweeps != 0, "never", "tick %lu: expected %lu sweeps, saw none", (unsigned long)end.ticks,
           (unsigned long)(end.ticks / PERIOD));
    EXPECT(early == 0, "too-many", "tick %lu: expected %lu sweeps since boot, saw %lu", (unsigned long)seen.ticks,
           (unsigned long)(seen.ticks / PERIOD), (unsigned long)seen.sweeps);
    EXPECT(late == 0, "late", "tick %lu: expected %lu sweeps since boot, saw %lu", (unsigned long)seen.ticks,
           (unsigned long)(seen.ticks / PERIOD), (unsigned long)seen.sweeps);
}

/* The same while every hart has something to do, and something is to be swept. */

static int be_busy(struct partner *self, void *unused)
{
    (void)self, (void)unused;
    for (;;)
        __asm__ volatile("");
    return 0;
}

static void on_time_when_busy(void)
{
    struct partner busy[9];
    unsigned early = 0, late = 0, n = 1 + (unsigned)counters_now().cpus;
    struct kcounters seen = { 0 };
    uint64_t next = (ticks() / PERIOD + 1) * PERIOD;

    if (n > COUNT(busy))
        n = COUNT(busy);
    if (ticks() % PERIOD > 70)
        next += PERIOD;
    await_tick(next - 5);
    for (unsigned i = 0; i < n; i++)
        busy[i] = partner_start(be_busy, 0);
    char *block = block_of(20);
    if (block != 0) {
        fill(block, 20, 3);
        (void)!chau(block);                     /* so that the sweep has work; R000-9 asks about the call */
    }
    watch_the_clock(next + 6, &early, &late, &seen);
    for (unsigned i = 0; i < n; i++) {
        kill(busy[i].pid);
        partner_end(&busy[i]);
    }
    EXPECT(early == 0, "too-many", "tick %lu, all harts busy: expected %lu sweeps since boot, saw %lu", (unsigned long)seen.ticks,
           (unsigned long)(seen.ticks / PERIOD), (unsigned long)seen.sweeps);
    EXPECT(late == 0, "late", "tick %lu, all harts busy: expected %lu sweeps since boot, saw %lu", (unsigned long)seen.ticks,
           (unsigned long)(seen.ticks / PERIOD), (unsigned long)seen.sweeps);
    EXPECT(counters_now().sweeps != 0, "never", "tick %lu: expected %lu sweeps, saw none", (unsigned long)ticks(),
           (unsigned long)(ticks() / PERIOD));
}

/* ---- MARKED addresses are not granted; what is granted again is zero, and stays. Whoever grants nothing again is right, too. */

static void again_in_child(void)
{
    between_sweeps();
    char *given = block_of(6), *stays = block_of(2), *early[3];
    if (given == 0 || stays == 0)
        return;
    fill(given, 6, 300);
    fill(stays, 2, 400);
    give_back(given);
    for (size_t i = 0; i < COUNT(early); i++) {
        early[i] = malloco((2 * i + 1) * PAGE);
        EXPECT(early[i] == 0 || early[i] >= given + 6 * PAGE, "regrant",
               "before the sweep malloco(%lu) grants 0x%lx, which lies in a block that is only marked", (2 * i + 1) * PAGE,
               HEX(early[i]));
    }
    past_a_sweep();
    char *again = malloco(6 * PAGE);
    if (again != 0) {
        for (size_t i = 0; i < 6 * PAGE / 8; i++)
            if (!EXPECT(((volatile uint64_t *)again)[i] == 0, "old-data",
                        "after the sweep malloco grants 0x%lx, and 0x%lx reads 0x%lx, "
                        "expected 0", HEX(again), HEX(again + 8 * i), (unsigned long)((uint64_t *)again)[i]))
                break;
        fill(again, 6, 600);
        past_a_sweep();
        uint64_t *word = changed(again, 6, 600);
        EXPECT(word == 0, "mark-stays",
               "a block that was granted again: 0x%lx reads 0x%lx after the next sweep, and nobody gave it back",
               HEX(word), (unsigned long)*word);
    }
    is_intact(stays, 2, 400, 2);
}

/* Who uses a block that was granted again may be ended for it by a wrong kernel: told as such. */
static int use_again(void *unused)
{
    (void)unused;
    between_sweeps();
    char *block = malloco(4 * PAGE);
    if (block == 0 || chau(block) != 0)
        return 2;
    past_a_sweep();
    block = malloco(4 * PAGE);
    if (block != 0)
        memset(block, 1, 4 * PAGE);
    return 0;
}

static void full_in_child(void)
{
    between_sweeps();
    char *first = block_of(1000), *second = block_of(24), *more;
    if (first == 0 || second == 0)
        return;
    fill(first, 3, 1);
    give_back(first);
    give_back(second);
    more = malloco(PAGE);
    EXPECT(more == 0, "regrant", "4 MiB are granted, and all of it only marked: malloco(4096): expected NULL, saw 0x%lx",
           HEX(more));
}

static void marked_is_not_granted(void)
{
    int status = in_child(use_again, 0);
    EXPECT(status != 2, "refused", "chau of a block of this task: expected 0");
    EXPECT(status != -1, "mark-stays",
           "a task uses a block that was granted again after the sweep: expected that it lives, saw it ended");
    if (status == 0) {
        expects_in_child(again_in_child);
        expects_in_child(full_in_child);
    }
}

/* ---- The same addresses in another task */

static int neighbour(struct partner *self, void *unused)
{
    (void)unused;
    char *block = malloco(8 * PAGE);
    if (block == 0)
        return 1;
    fill(block, 8, 4000);
    tell(self);
    await(self);
    return changed(block, 8, 4000) == 0 && resident_of(block, 8) == 8 ? 0 : 2;
}

static void others_keep_theirs(void)
{
    between_sweeps();
    struct partner other = partner_start(neighbour, 0);
    await(&other);
    char *block = block_of(8);
    if (block != 0) {
        fill(block, 8, 8000);
        give_back(block);
    }
    past_a_sweep();
    tell(&other);
    int status = partner_end(&other);
    EXPECT(status == 0, "other-task",
           "another task has a block at the same address and gave nothing back: expected that it finds what "
           "it wrote, saw status %d", status);
}

/* ---- What a task had when it ended comes back. */

static int end_with_blocks(void *how)
{
    between_sweeps();
    char *block = malloco(80 * PAGE), *second = malloco(80 * PAGE);
    if (block == 0 || second == 0)
        return 2;
    fill(block, 80, 1);
    fill(second, 80, 2);
    if (chau(block) != 0)
        return 3;
    if (how != 0)
        *(volatile char *)(REGION_BASE + 1000 * PAGE) = 1;      /* never granted */
    return 0;
}

static void dead_tasks_leave_nothing(void)
{
    own_stack_and_variables();
    for (long how = 0; how < 2; how++) {
        long before = frames();
        before = frames();
        int status = in_child(end_with_blocks, (void *)how);
        EXPECT(status != 3, "refused", "chau of a block of this task: expected 0");
        EXPECT(status == -(int)how, "", "a task that ends with blocks: expected status %d, saw %d", -(int)how, status);
        past_a_sweep();
        long missing = before - frames();
        EXPECT(missing <= 4, "lost",
               "a task ended with 160 pages, half of them marked: after the next sweep %ld frames are missing",
               missing);
    }
}

/* ---- M1: victims use a block that they gave back, on harts other than the sweeper's. They see what is theirs, or nothing. The
 * frames' next owners write all over them. A debug kernel's free frames are full of 0x05. */

#define VICTIM_PAGES 24                         /* few: a solution may fence for each, which takes the emulator long */
#define MINE  0x1111222233334444ul
#define OTHER 0xeeeeeeeeeeeeeeeeul

static int victim(struct partner *self, void *unused)
{
    (void)unused;
    uint64_t *block = malloco(VICTIM_PAGES * PAGE);
    if (block == 0)
        return 2;
    volatile uint64_t *words[] = { block, block + 200, block + (VICTIM_PAGES - 1) * PAGE / 8 + 300, block + 511 };
    for (size_t i = 0; i < VICTIM_PAGES * PAGE / 8; i++)
        block[i] = MINE;
    if (chau(block) != 0)
        return 3;
    tell(self);
    for (;;)
        for (size_t i = 0; i < COUNT(words); i++) {
            uint64_t word = *words[i];
            if (word != MINE && word != 0) {
                check_child = getpid();
                check_records = 0;
                record("fail", "stranger|M1: a hart read 0x%lx from 0x%lx, a page that its task gave back: somebody else's frame",
                       (unsigned long)word, HEX(words[i]));
                return 1;
            }
        }
}

static unsigned be_tenant(void)
{
    uint64_t *words = (uint64_t *)sbrk(128 * (long)PAGE);
    unsigned spoiled = 0;
    if (words == (uint64_t *)SBRK_ERROR)
        return 0;
    for (size_t i = 0; i < 128 * PAGE / 8; i += 4)
        words[i] = OTHER;
    for (size_t i = 0; i < 128 * PAGE / 8; i += 4)
        spoiled += words[i] != OTHER;
    sbrk(-128 * (long)PAGE);
    return spoiled;
}

static void running_victims(void)
{
    struct partner victims[8];
    unsigned n = (unsigned)counters_now().cpus > 1 ? (unsigned)counters_now().cpus - 1 : 1;

    if (n > COUNT(victims))
        n = COUNT(victims);
    for (int round = 0; round < 2 && check_broken == 0; round++) {
        uint64_t goal = (ticks() / PERIOD + 1) * PERIOD;
        if (goal - ticks() < 20)
            goal += PERIOD;
        await_tick(goal - 8);
        for (unsigned i = 0; i < n; i++) {
            victims[i] = partner_start(victim, 0);
            await(&victims[i]);
        }
        EXPECT(ticks() < goal, "", "the victims run before the sweep of tick %lu", (unsigned long)goal);
        while (ticks() < goal + 3) {
            unsigned spoiled = be_tenant();
            EXPECT(spoiled == 0, "stranger", "M1: %u words that this task wrote to its heap were changed by somebody else",
                   spoiled);
        }
        for (unsigned i = 0; i < n; i++) {
            kill(victims[i].pid);
            int status = partner_end(&victims[i]);
            EXPECT(status != 2 && status != 3, "refused", "a task gives a block back: expected that it can");
            check_broken += status == 1;
        }
    }
}

static const struct check checks[] = {
    { "chau_only_marks", chau_only_marks }, { "second_chau_does_nothing", second_chau_does_nothing },
    { "frames_come_back", frames_come_back }, { "live_blocks_stay", live_blocks_stay },
    { "untouched_is_passed_over", untouched_is_passed_over }, { "every_task_is_swept", every_task_is_swept },
    { "once_in_a_hundred_ticks", once_in_a_hundred_ticks }, { "on_time_when_busy", on_time_when_busy },
    { "marked_is_not_granted", marked_is_not_granted }, { "others_keep_theirs", others_keep_theirs },
    { "dead_tasks_leave_nothing", dead_tasks_leave_nothing }, { "running_victims", running_victims },
};

int main(void) { return run_check(checks, COUNT(checks)); }
