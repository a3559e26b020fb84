/*
 * sweep: the sweeper, barrendero. It takes all the MARKED blocks of all tasks and nothing else, gives each frame back once,
 * counts what it took, and is nobody that a user task could notice (R000-10, -11, -14, -15; M3, M10).
 *
 *     sweep           all of that
 *     sweep clock     when it comes: once in 100 ticks (some seconds)
 */
#include "user/tests/region.h"

static char *at(size_t page) { return (char *)REGION + page * PAGE; }

/* ---- What a sweep takes, and what it counts */

static struct kcounters before;

static uint64_t blocks_since(void) { return counters().blocks_swept - before.blocks_swept; }
static uint64_t pages_since(void) { return counters().pages_swept - before.pages_swept; }

/* R000-10: pages never touched are skipped, blocks that were chau'd are counted, the ACTIVE one between them is not. */
static int three_blocks(void)
{
    MUST(malloco(5 * PAGE) == at(0) && malloco(PAGE) == at(5));
    MUST(malloco(4 * PAGE) == at(6) && malloco(7 * PAGE) == at(10));
    put_tags(at(1), 2, 10);
    put_tags(at(6), 4, 20);
    put_tags(at(10), 7, 30);
    before = counters();
    MUST(chau(at(0)) == 0 && chau(at(5)) == 0 && chau(at(10)) == 0);
    MUST(blocks_since() == 0 && pages_since() == 0);
    return 0;
}

static int three_are_gone(void)
{
    MUST(blocks_since() == 3 && pages_since() == 9);
    MUST(pages_with(PAGE_IS_GRANTED) == 4 && pages_with(PAGE_IS_RESIDENT) == 4 && pages_with(PAGE_IS_MARKED) == 0);
    MUST(has_tags(at(6), 4, 20));
    await_sweep();                              /* A000-15: what was FREE already is not swept again */
    MUST(blocks_since() == 3 && pages_since() == 9);
    MUST(has_tags(at(6), 4, 20));
    return 0;
}

TEST(a_sweep_takes_the_marked_blocks) { CHECK_EQ(quiet_then_swept(three_blocks, three_are_gone), 0); }

/* R000-9, R000-11: no frame comes back by chau itself, all of them by the next sweep. A few frames may be others' doing. */
#define MANY 512
#define FEW  40

static int give_back_many(void)
{
    MUST(malloco(MANY * PAGE) == at(0));
    put_tags(at(0), MANY, 5);
    before = counters();
    MUST(chau(at(0)) == 0);
    MUST(counters().frames_free < before.frames_free + FEW);
    return 0;
}

static int many_are_back(void)
{
    MUST(counters().frames_free + FEW > before.frames_free + MANY);
    MUST(blocks_since() == 1 && pages_since() == MANY);
    return 0;
}

TEST(frames_come_back_by_the_sweep) { CHECK_EQ(quiet_then_swept(give_back_many, many_are_back), 0); }

/* A000-14, A000-15: 1024 blocks of a page, every other one MARKED. */
static int mark_every_other(void)
{
    for (size_t i = 0; i < REGION_PAGES; i++)
        MUST(malloco(PAGE) == at(i));
    put_tags(at(0), REGION_PAGES, 100);
    before = counters();
    for (size_t i = 0; i < REGION_PAGES; i += 2)
        MUST(chau(at(i)) == 0);
    return 0;
}

static int every_other_is_gone(void)
{
    MUST(blocks_since() == REGION_PAGES / 2 && pages_since() == REGION_PAGES / 2);
    for (size_t i = 0; i < REGION_PAGES; i++) {
        int expected = PAGE_IS_GRANTED | PAGE_IS_FIRST | PAGE_IS_RESIDENT | PAGE_IS_WRITABLE;
        MUST(page_is(at(i)) == (i % 2 ? expected : 0));
        if (i % 2)
            MUST(has_tags(at(i), 1, 100 + i));
    }
    for (size_t i = 0; i < REGION_PAGES; i += 2) {
        MUST(malloco(PAGE) == at(i));
        MUST(is_zero(at(i), 1));
        put_tags(at(i), 1, 100 + i);
    }
    MUST(malloco(PAGE) == 0);
    for (size_t i = 0; i < REGION_PAGES; i++)   /* R000-5: all 1024 at once */
        MUST(chau(at(i)) == 0);
    await_sweep();
    MUST(blocks_since() == REGION_PAGES * 3 / 2 && pages_since() == REGION_PAGES * 3 / 2);
    MUST(pages_with(PAGE_IS_GRANTED) == 0 && pages_with(PAGE_IS_RESIDENT) == 0);
    MUST(malloco(REGION_BYTES) == at(0));
    return 0;
}

TEST(every_other_of_a_thousand_blocks) { CHECK_EQ(quiet_then_swept(mark_every_other, every_other_is_gone), 0); }

/* ---- Many tasks */

#define TASKS  24
#define BLOCKS 6

static int hold_and_give_back(int task, struct gate *ready, struct gate *over)
{
    unsigned long tag = (unsigned long)task * 1000;

    for (size_t i = 0; i < BLOCKS; i++)
        MUST(malloco(3 * PAGE) == at(3 * i));
    put_tags(at(0), 3 * BLOCKS, tag);
    for (size_t i = 0; i < BLOCKS; i++)
        if ((i + (size_t)task) % 2)
            MUST(chau(at(3 * i)) == 0);
    say_ready(ready);
    gate_wait(over);                            /* until the sweep is over */
    for (size_t i = 0; i < BLOCKS; i++) {
        if ((i + (size_t)task) % 2)
            MUST(page_is(at(3 * i)) == 0 && page_is(at(3 * i + 2)) == 0);
        else
            MUST(has_tags(at(3 * i), 3, tag + 3 * i));
    }
    MUST(pages_with(PAGE_IS_GRANTED) == 3 * BLOCKS / 2 && pages_with(PAGE_IS_RESIDENT) == 3 * BLOCKS / 2);
    return 0;
}

/* R000-10: for every task, the current one and those that wait. */
TEST(all_tasks_are_swept)
{
    struct gate ready = gate_new(), over = gate_new();
    int pids[TASKS];

    before = counters();
    for (int i = 0; i < TASKS; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            exit(hold_and_give_back(i, &ready, &over));
    }
    await_ready(&ready, TASKS);
    await_sweep();
    CHECK_EQ(blocks_since(), TASKS * BLOCKS / 2);
    CHECK_EQ(pages_since(), TASKS * BLOCKS / 2 * 3);
    gate_open(&over);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(status_of(pids[i]), 0);
}

/* M3: pages of ACTIVE blocks are touched for the first time while MARKED blocks beside them are swept. */
#define ROUNDS 4

static void wait_for_tick_before_sweep(void)
{
    while (counters().ticks % TICKS_PER_SWEEP > 85)     /* too late for this one */
        pause(1);
    while (counters().ticks % TICKS_PER_SWEEP < 85)
        pause(1);
    while (counters().ticks % TICKS_PER_SWEEP > 50 && counters().ticks % TICKS_PER_SWEEP < 99)
        continue;
}

static int touch_beside_the_swept(int worker)
{
    for (int round = 0; round < ROUNDS; round++) {
        unsigned long tag = (unsigned long)(worker + 1) * 100000 + (unsigned long)round * 5000;
        for (size_t i = 0; i < REGION_PAGES; i++)
            MUST(malloco(PAGE) == at(i));
        for (size_t i = 0; i < REGION_PAGES; i += 2) {
            put_tags(at(i), 1, tag);
            MUST(chau(at(i)) == 0);
        }
        wait_for_tick_before_sweep();
        for (size_t i = 1; i < REGION_PAGES; i += 2) {
            MUST(is_zero(at(i), 1));
            put_tags(at(i), 1, tag + i);
        }
        await_sweep();
        for (size_t i = 0; i < REGION_PAGES; i++) {
            MUST(!(page_is(at(i)) & PAGE_IS_GRANTED) == (i % 2 == 0));
            MUST(i % 2 == 0 || has_tags(at(i), 1, tag + i));
        }
        MUST(pages_with(PAGE_IS_RESIDENT) == (int)REGION_PAGES / 2);
        for (size_t i = 1; i < REGION_PAGES; i += 2)
            MUST(chau(at(i)) == 0);
        await_sweep();
        MUST(pages_with(PAGE_IS_RESIDENT) == 0);
    }
    return 0;
}

/* M3: grants, touches and giving back go on all the time. What a task was granted and has written is there until it gives
 * it back, whatever the sweeper does at this moment. */
#define SWEEPS_WITH_WORK 10

/* How many pages may be MARKED by now: most of them are kept for the moment of the sweep. */
static size_t marked_allowed(uint64_t tick)
{
    tick %= TICKS_PER_SWEEP;
    return tick >= 98 || tick < 3 ? 500 : 100;
}

static int work_while_swept(int worker)
{
    enum { SLOTS = 40 };
    static struct { char *block; size_t npages; unsigned long tag; } slot[SLOTS];
    uint64_t sweeps = counters().sweeps, end = sweeps + SWEEPS_WITH_WORK;
    uint32_t random = 2463534242u + (uint32_t)worker;
    size_t marked = 0, held = 0;

    while (sweeps < end) {
        random ^= random << 13, random ^= random >> 17, random ^= random << 5;      /* Marsaglia 2003 */
        size_t i = random % SLOTS;
        struct kcounters now = counters();
        if (now.sweeps != sweeps) {
            sweeps = now.sweeps;
            marked = 0;
        }
        if (slot[i].block == 0) {
            slot[i].npages = random / SLOTS % 8 + 1;
            slot[i].block = malloco(slot[i].npages * PAGE);
            if (slot[i].block == 0)
                continue;                       /* a long sweep, during which much was MARKED again */
            MUST(is_zero(slot[i].block, slot[i].npages));
        } else if (marked < marked_allowed(now.ticks)) {
            MUST(has_tags(slot[i].block, slot[i].npages, slot[i].tag));
            MUST(chau(slot[i].block) == 0);
            marked += slot[i].npages;
            slot[i].block = 0;
            continue;
        }
        slot[i].tag = random;
        put_tags(slot[i].block, slot[i].npages, random);
    }
    await_sweep();
    for (size_t i = 0; i < SLOTS; i++)
        if (slot[i].block != 0) {
            MUST(has_tags(slot[i].block, slot[i].npages, slot[i].tag));
            held += slot[i].npages;
        }
    MUST(pages_with(PAGE_IS_GRANTED) == (int)held && pages_with(PAGE_IS_RESIDENT) == (int)held);
    return 0;
}

static void on_all_harts(int (*body)(int))
{
    int pids[9], workers = (int)counters().cpus;

    for (int i = 0; i < workers; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            exit(body(i));
    }
    for (int i = 0; i < workers; i++)
        CHECK_EQ(status_of(pids[i]), 0);
}

TEST(first_touches_during_a_sweep) { on_all_harts(touch_beside_the_swept); }
TEST(work_goes_on_during_sweeps)
{
    before = counters();
    on_all_harts(work_while_swept);
    CHECK(blocks_since() > 100);                /* they did work */
}

/* ---- Eviction of the last task that could run: the machine idles, the sweeper still comes, the memory is back (R000-8). */

static int evicted_alone(void)
{
    MUST(malloco(MANY * PAGE) == at(0) && malloco(PAGE) == at(MANY));
    put_tags(at(0), MANY, 5);
    MUST(chau(at(0)) == 0);
    pause(2);                                   /* the parent sleeps by now */
    do_access(STORE, REGION + (MANY + 1) * PAGE);
    return 0;
}

TEST(eviction_of_the_last_runnable_task)
{
    uint64_t frames = counters().frames_free;

    int pid = fork();
    if (pid == 0)
        exit(evicted_alone());
    pause(5);                                   /* now nobody is awake */
    await_sweep();
    CHECK_EQ(status_of(pid), -1);
    await_sweep();
    CHECK(counters().frames_free + FEW > frames);
}

/* ---- R000-15: no user task */

static struct task_info tasks[256];
static struct process_mem_info rows[256];

TEST(the_sweeper_is_no_user_task)
{
    int count = tasklist(tasks, COUNT(tasks)), users = 0, sweepers = 0, sweeper = 0;

    CHECK(count > 0 && count <= (int)COUNT(tasks));
    for (int i = 0; i < count; i++) {
        if (strcmp(tasks[i].name, "barrendero") == 0) {
            sweepers++;
            sweeper = tasks[i].pid;
            CHECK_EQ(tasks[i].kernel_only, 1);
            CHECK_EQ(tasks[i].reserved_kb, 0);
        }
        users += !tasks[i].kernel_only && tasks[i].state != ZOMBIE;
    }
    CHECK_EQ(sweepers, SWEEPER_TASKS);          /* M10: there is one, here or as a task of the processor */
    int live = get_all_pid_stats(rows, COUNT(rows));
    CHECK_EQ(live, users);
    for (int i = 0; i < live; i++)
        CHECK(rows[i].pid != sweeper && strcmp(rows[i].process_name, "barrendero") != 0);
    struct process_mem_info row;
    if (SWEEPER_TASKS != 0) {
        FAILS(get_mem_stats(sweeper, &row), ESRCH);
        FAILS(kill(sweeper), EPERM);
    }
}

/* Whom it interrupts stays who it is. */
static int same_task_after_a_sweep(void *unused)
{
    int pid = getpid();
    uint64_t end = counters().sweeps + 3;
    (void)unused;

    while (counters().sweeps < end)
        for (int i = 0; i < 100; i++)
            MUST(getpid() == pid);
    struct process_mem_info row = own_memory();
    MUST(row.pid == pid && strcmp(row.process_name, "sweep") == 0);
    return 0;
}

TEST(the_current_task_stays_current) { CHECK_EQ(in_child(same_task_after_a_sweep, 0), 0); }

/* ---- The clock: R000-10, M10 */

static void check_clock(uint64_t sweeps)
{
    struct kcounters now, next = counters();
    uint64_t start = next.sweeps;

    do {
        now = next;
        next = counters();                      /* two looks: what the first saw bounds the second and the other way round */
        CHECK(now.sweeps <= next.ticks / TICKS_PER_SWEEP);
        CHECK(now.ticks < (next.sweeps + 1) * TICKS_PER_SWEEP + SWEEP_LATE);
        CHECK(next.sweeps - now.sweeps <= 1 && next.ticks >= now.ticks);        /* none skipped, none twice */
        pause(1);
    } while (now.sweeps < start + sweeps);
}

/* The hundred ticks are a second: at least, because a slow host may lose some, but not many harts' ticks. */
static void check_rate(struct kcounters start, int started)
{
    uint64_t ticks = counters().ticks - start.ticks;
    CHECK(ticks <= 10 * (uint64_t)(uptime() - started + 1) + 2);
}

TEST(once_in_a_hundred_ticks)
{
    struct kcounters start = counters();
    int started = uptime();

    check_clock(1);
    check_rate(start, started);
}

/* The same while every hart has several that would like to run, and there is something to sweep each time: the sweeper goes
 * ahead of them. */
#define BUSY_PER_HART 4

static _Noreturn void be_busy(void)
{
    for (;;)
        __asm__ volatile("");
}

static _Noreturn void give_back_now_and_then(void)
{
    for (;;) {
        char *block = malloco(10 * PAGE);
        if (block == 0 || (put_tags(block, 4, 1), chau(block)) != 0)
            exit(1);
        pause(3);
    }
}

TEST(also_when_all_harts_are_busy)
{
    int pids[BUSY_PER_HART * 8 + 1], spinners = BUSY_PER_HART * (int)counters().cpus;
    struct kcounters start = counters();
    int started = uptime();

    for (int i = 0; i <= spinners; i++) {
        pids[i] = fork();
        if (pids[i] == 0 && i < spinners)
            be_busy();
        if (pids[i] == 0)
            give_back_now_and_then();
    }
    check_clock(2);
    check_rate(start, started);
    for (int i = 0; i <= spinners; i++) {
        CHECK_EQ(kill(pids[i]), 0);
        CHECK_EQ(status_of(pids[i]), -1);
    }
}

int main(int argc, char **argv)
{
    struct kcounters start = counters(), end;

    if (argc > 1 && strcmp(argv[1], "clock") == 0) {
        RUN(once_in_a_hundred_ticks);
        RUN(also_when_all_harts_are_busy);
    } else {
        RUN(a_sweep_takes_the_marked_blocks);
        RUN(frames_come_back_by_the_sweep);
        RUN(every_other_of_a_thousand_blocks);
        RUN(all_tasks_are_swept);
        RUN(first_touches_during_a_sweep);
        RUN(work_goes_on_during_sweeps);
        RUN(eviction_of_the_last_runnable_task);
        RUN(the_sweeper_is_no_user_task);
        RUN(the_current_task_stays_current);
    }
    await_sweep();
    end = counters();                           /* the console's lines must add up to this */
    unsigned long blocks = end.blocks_swept - start.blocks_swept, pages = end.pages_swept - start.pages_swept;
    printf("swept: from %lu to %lu, blocks %lu, pages %lu\n", (unsigned long)start.sweeps,
           (unsigned long)end.sweeps, blocks, pages);
    return check_summary("sweep");
}
