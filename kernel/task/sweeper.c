/*
 * sweeper.c -- barrendero, the task that takes back what programs gave up with chau(): exactly once in 100 ticks.
 *
 * The boot CPU's tick tells which sweep is due and wakes the sweeper, which goes ahead of every run queue. It is one task, so
 * two sweeps never overlap; it counts, so none is skipped, however late it gets the CPU (M10).
 * Locks:    the lock of one address space at a time; tasks come and go meanwhile.
 * Not here: the sweep of one address space (mm/malloco.c).
 */
#include "lib/printk.h"
#include "mm/malloco.h"
#include "sched/clock.h"
#include "task/task.h"

#define TICKS_PER_SWEEP 100

struct sweeper_counters sweeper_counters;
static struct spinlock due_lock = SPINLOCK_INIT("sweeper", RANK_FAMILY);
static unsigned long due;                  /* sweeps that should have begun by now; due_lock */
static bool verbose;

static void at_tick(unsigned long tick)
{
    if (tick % TICKS_PER_SWEEP != 0)
        return;
    if (HARDWARE_SWEEPER) {
        hardware_sweeper_enter();       /* now, whatever runs: it comes back when the sweep is done */
        return;
    }
    acquire(&due_lock);
    due = tick / TICKS_PER_SWEEP;
    wakeup(&due);
    release(&due_lock);
}

static void wait_until_due(unsigned long n)
{
    acquire(&due_lock);
    while (due < n)
        (void)suspend(&due, &due_lock, WAIT_FIRM);      /* nobody kills the sweeper */
    release(&due_lock);
}

static void sweep(unsigned long n)
{
    struct swept swept = { 0, 0 };
    struct space_found found;
    unsigned long tick = clock_ticks();
    for (int after = 0; task_next_space(&found, after, true); after = found.pid) {
        malloco_sweep(found.vm, &swept);
        release(&found.vm->lock);
    }
    sweeper_counters.blocks += swept.blocks;
    sweeper_counters.pages += swept.pages;
    __atomic_store_n(&sweeper_counters.sweeps, n, __ATOMIC_RELEASE);
    if (swept.blocks > 0 || verbose)
        printk("sweep: n=%lu tick=%lu blocks=%zu pages=%zu\n", n, tick, swept.blocks, swept.pages);
}

static void barrendero(void)
{
    for (unsigned long n = 1; ; n++) {
        if (!HARDWARE_SWEEPER)
            wait_until_due(n);
        sweep(n);
        if (HARDWARE_SWEEPER)
            hardware_sweeper_leave();   /* until the tick comes back here */
    }
}

static void sweeper_task(void *unused)
{
    (void)unused;
    current()->urgent = true;
    barrendero();
}

void sweeper_start(void)
{
    char buf[8];
    verbose = option("verbose", buf, sizeof(buf));
    if (HARDWARE_SWEEPER)
        hardware_sweeper_init(barrendero);
    else if (task_start_kernel("barrendero", sweeper_task, NULL) < 0)
        panic("no memory for the sweeper");
    clock_set_hook(at_tick);
}
