/*
 * kernel_check.h -- the frame of checks that are kernel tasks: the grader links them with the kernel and boots `demo=check`.
 *
 *   static void unmapped_page_faults(void) { ... EXPECT(seen == 7, "no-fence", "hart 1 reads %d, expected a fault", seen); ... }
 *   KERNEL_CHECKS({ "unmapped_page_faults", unmapped_page_faults }, ...);
 *
 * The boot line's word job=KEY:SEED:NAME says which. The check runs in a task of its own; when it ends the machine goes off.
 */
#ifndef LABS_KERNEL_CHECK_H
#define LABS_KERNEL_CHECK_H

#include "arch/arch.h"
#include "demo/demo.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "labs/record.h"
#include "mm/kalloc.h"
#include "mm/vm.h"
#include "sched/clock.h"
#include "task/task.h"

struct kernel_check {
    const char *name;
    void      (*function)(void);
};

static struct record_key check_key;
static struct spinlock check_lock = SPINLOCK_INIT("check", RANK_NONE);
static unsigned check_records, check_held, check_broken;        /* the first: check_lock; the others: atomic */
static uint64_t check_seed = 1;

/* One line, in one printk(). */
static void PRINTF(2, 3) record(const char *kind, const char *format, ...)
{
    char text[200], tail[160];
    va_list arguments;

    va_start(arguments, format);
    format_va(tail, sizeof(tail), format, arguments);
    va_end(arguments);
    acquire(&check_lock);
    format_string(text, sizeof(text), "%u %s %s", ++check_records, kind, tail);
    printk("@%u %016llx %s %s\n", check_records, (unsigned long long)record_tag(&check_key, text, strlen(text)), kind, tail);
    release(&check_lock);
}

/* EXPECT -- if it does not hold: the key of a hint, and what was expected and what was seen. Only the first ones are told. */
#define EXPECT(condition, hint, ...) \
    do { \
        if (condition) \
            __atomic_fetch_add(&check_held, 1, __ATOMIC_RELAXED); \
        else if (__atomic_fetch_add(&check_broken, 1, __ATOMIC_RELAXED) < 8) \
            record("fail", hint "|" __VA_ARGS__); \
    } while (0)

/* The same numbers for the same seed, if one task asks. */
static inline uint32_t check_random(void)
{
    check_seed ^= check_seed << 13;
    check_seed ^= check_seed >> 7;
    check_seed ^= check_seed << 17;
    return (uint32_t)(check_seed >> 16);
}

/* run_workers -- body(0), ... body(n - 1) at once, each in a kernel task; returns when all have ended. */
static inline void run_workers(unsigned n, void (*body)(void *))
{
    int pids[2 * CPUS_MAX], code;
    for (unsigned i = 0; i < n && i < ARRAY_SIZE(pids); i++)
        pids[i] = task_start_kernel("worker", body, (void *)(uintptr_t)i);
    for (unsigned i = 0; i < n && i < ARRAY_SIZE(pids); i++)
        EXPECT(pids[i] > 0 && wait_for_task(pids[i], &code) == pids[i], "", "worker %u is started and waited for: pid %d", i, pids[i]);
}

#define PATIENCE_US 2000000             /* what should come has not come when so much time has passed */

/* state_of -- as ps shows it; -1: there is no such task. */
static inline int state_of(int pid)
{
    struct task_info row;
    return task_rows(&row, 1, pid - 1) == 1 && row.pid == pid ? (int)row.state : -1;
}

static inline bool becomes_zombie(int pid)
{
    uint64_t end = clock_uptime_us() + PATIENCE_US;
    while (state_of(pid) != ZOMBIE && state_of(pid) != -1 && clock_uptime_us() < end)
        yield();
    return state_of(pid) == ZOMBIE;
}

static void run_kernel_check(const struct kernel_check *checks, unsigned count)
{
    char job[120] = "";
    (void)option("job", job, sizeof(job));
    const char *name = read_hex(read_hex(read_hex(job, &check_key.word[0]), &check_key.word[1]), &check_seed) + 1;
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(checks[i].name, name) != 0)
            continue;
        record("begin", "%s", name);
        size_t frames = frames_free();
        checks[i].function();
        record("pass", "%u", check_held);
        record("end", "%u %ld 0", check_broken, (long)(frames - frames_free()));
        machine_off(check_broken != 0);
    }
    record("note", "there is no check %s", name);
    machine_off(2);
}

#define KERNEL_CHECKS(...) \
    static const struct kernel_check all_checks[] = { __VA_ARGS__ }; \
    void demo_check(void *unused) { (void)unused; run_kernel_check(all_checks, ARRAY_SIZE(all_checks)); }

#endif
