/*
 * tests/region.h -- what the tests of malloco and chau share: REGION as its task sees it, sweeps, accesses that end a task.
 *
 * A body runs in a child, which is a fresh task with an empty REGION. It returns 0, or the line of the MUST that failed:
 *   CHECK_EQ(in_child(body, 0), 0);            "FAIL ...: in_child(body, 0) == 0 (57, 0)": look at line 57
 */
#ifndef TAMAL_TESTS_REGION_H
#define TAMAL_TESTS_REGION_H

#include <stdbool.h>
#include "instructions.h"                       /* user/tests/$(ARCH)/ */
#include "user/tests/support.h"

#define REGION       REGION_BASE
#define REGION_END   0xA14C0000ul
#define REGION_BYTES (REGION_END - REGION)
#define REGION_PAGES (REGION_BYTES / PAGE)
#define TICKS_PER_SWEEP 100

#define MUST(condition) \
    do { \
        if (!(condition)) \
            return __LINE__; \
    } while (0)

/* ---- What a task has */

struct region_map { uint8_t page[REGION_PAGES]; };      /* PAGE_IS_* of each */

static inline void look(struct region_map *map)
{
    memset(map, 0xff, sizeof *map);                     /* what no page is */
    pagemap(0, (void *)REGION, map->page, REGION_PAGES);
}

/* How many pages of REGION have all these bits. */
static inline int pages_with(int bits)
{
    struct region_map map;
    int count = 0;

    look(&map);
    for (size_t i = 0; i < REGION_PAGES; i++)
        count += (map.page[i] & bits) == bits;
    return count;
}

static inline int page_is(const void *address)
{
    uint8_t bits = 0xff;

    pagemap(0, address, &bits, 1);
    return bits;
}

static inline bool same(const struct region_map *a, const struct region_map *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static inline struct process_mem_info own_memory(void)
{
    struct process_mem_info row;
    memset(&row, 0, sizeof row);
    get_mem_stats(getpid(), &row);
    return row;
}

#define WORDS_PER_PAGE (PAGE / sizeof(unsigned long))

/* Each page gets a value of its own in its first and last word; has_tags() looks whether it still has it. */
static inline void put_tags(char *block, size_t npages, unsigned long tag)
{
    volatile unsigned long *words = (unsigned long *)block;

    for (size_t i = 0; i < npages; i++, words += WORDS_PER_PAGE)
        words[0] = words[WORDS_PER_PAGE - 1] = tag + i;
}

static inline bool has_tags(const char *block, size_t npages, unsigned long tag)
{
    const volatile unsigned long *words = (const unsigned long *)block;

    for (size_t i = 0; i < npages; i++, words += WORDS_PER_PAGE)
        if (words[0] != tag + i || words[WORDS_PER_PAGE - 1] != tag + i)
            return false;
    return true;
}

static inline bool is_zero(const char *block, size_t npages)
{
    const volatile unsigned long *words = (const unsigned long *)block;
    unsigned long sum = 0;

    for (size_t i = 0; i < npages * WORDS_PER_PAGE; i++)
        sum |= words[i];
    return sum == 0;
}

/* ---- Sweeps. Sweep n begins at tick 100 * n. */

static inline struct kcounters counters(void)
{
    struct kcounters c;
    memset(&c, 0, sizeof c);
    kcounters(&c);
    return c;
}

/* await_sweep -- until a sweep that began after this call is over; its number, or that of a later one. */
static inline uint64_t await_sweep(void)
{
    uint64_t goal = counters().ticks / TICKS_PER_SWEEP + 1;

    for (;;) {
        struct kcounters c = counters();
        if (c.sweeps >= goal)
            return c.sweeps;
        if (c.ticks > (goal + 10) * TICKS_PER_SWEEP) {
            printf("FAIL R000-10: tick %lu, and sweep %lu did not come\n", (unsigned long)c.ticks, (unsigned long)goal);
            return 0;
        }
        pause(1);
    }
}

/*
 * quiet_then_swept -- a fresh task runs quiet() with no sweep in it, and swept() after the next one. The status, as of
 * in_child(). A slow host may let a sweep come too early: then the task's result does not count, and another one tries.
 */
#define SWEEP_CAME 0x5ee9

struct phases { int (*quiet)(void), (*swept)(void); uint64_t number; };

static inline int run_phases(void *argument)
{
    struct phases *phases = argument;
    int result = phases->quiet();

    if (counters().ticks / TICKS_PER_SWEEP != phases->number)
        return SWEEP_CAME;
    if (result == 0 && phases->swept != 0) {
        await_sweep();
        result = phases->swept();
    }
    return result;
}

static inline int quiet_then_swept(int (*quiet)(void), int (*swept)(void))
{
    struct phases phases = { quiet, swept, 0 };

    for (int tries = 0; tries < 25; tries++) {
        int status = -2;
        phases.number = await_sweep();
        int pid = fork();
        if (pid == 0)
            exit(run_phases(&phases));
        if (pid < 0 || wait_for_task(pid, &status) != pid)
            return -2;
        bool came = counters().ticks / TICKS_PER_SWEEP != phases.number;
        if (status != SWEEP_CAME && !(status == -1 && came))
            return status;
        printf("again: pid=%d\n", pid);                 /* a fault of its does not count either */
    }
    return SWEEP_CAME;
}

/* ---- Accesses that end the task. Announced, so that the console's `fault:` line can be compared (T-4). */

enum { FETCH, LOAD, STORE };                            /* tests/test_malloco.py knows what a machine calls them */

struct access { int kind; unsigned long va; };

static inline void announce(int kind, unsigned long va)
{
    static const char *const names[] = { [FETCH] = "fetch", [LOAD] = "load", [STORE] = "store" };
    printf("access: pid=%d %s va=0x%lx\n", getpid(), names[kind], va);
}

/* The access itself. Returns if nothing happens. */
static inline void do_access(int kind, unsigned long va)
{
    announce(kind, va);
    if (kind == LOAD)
        (void)*(volatile char *)va;
    else if (kind == STORE)
        *(volatile char *)va = 1;
    else
        ((void (*)(void))va)();
}

static inline int make_access(void *argument)
{
    struct access *access = argument;
    do_access(access->kind, access->va);
    return 0;
}

/* dies -- a child that makes this access is evicted: status -1, one eviction counted, and we live on (R000-8). */
static inline bool dies(int kind, unsigned long va)
{
    struct access access = { kind, va };
    uint64_t before = evictions_now();
    return in_child(make_access, &access) == -1 && evictions_now() == before + 1;
}

/* ---- Tasks that wait for each other */

struct gate { int fds[2]; };                            /* a pipe: opens when its last writer lets go */

static inline struct gate gate_new(void)
{
    struct gate gate = { { -1, -1 } };
    pipe(gate.fds);
    return gate;
}

static inline void gate_open(struct gate *gate)
{
    close(gate->fds[0]);
    close(gate->fds[1]);
}

/* In a child: until the parent opens it. */
static inline void gate_wait(struct gate *gate)
{
    char byte;
    close(gate->fds[1]);
    read(gate->fds[0], &byte, 1);
    close(gate->fds[0]);
}

/* In a child, once. In the parent: until `count` children were ready, or have ended without that. */
static inline void say_ready(struct gate *ready)
{
    write(ready->fds[1], "r", 1);
    close(ready->fds[1]);
}

static inline void await_ready(struct gate *ready, int count)
{
    char byte;
    close(ready->fds[1]);
    while (count-- > 0 && read(ready->fds[0], &byte, 1) == 1)
        continue;
    close(ready->fds[0]);
}

static inline int status_of(int pid)
{
    int status = -2;
    return wait_for_task(pid, &status) == pid ? status : -2;
}

#endif
