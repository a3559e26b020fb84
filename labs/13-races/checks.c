/*
 * checks.c -- six stress tests, one for each race. Kernel tasks on several harts do the same thing at the same moment, again and again.
 *
 * In the grader's machine harts take turns when a timer interrupt comes. A task that sets its hart's timer to a moment a little later
 * stands in the middle of what it does next while the others go on. Which moments are tried depends on the seed alone.
 */
#include "labs/kernel_check.h"

static void shake(uint64_t from, uint64_t range) { timer_set(clock_now() + from + check_random() % range); }

static int start_task(void (*body)(void *), void *argument)
{
    int pid = task_start_kernel("mayfly", body, argument);
    EXPECT(pid > 0, "", "a task is started: expected a pid, saw %d", pid);
    return pid;
}

static void wait_for(int pid, int code)
{
    int seen = 0x5EED, result = wait_for_task(pid, &seen);
    EXPECT(result == pid && seen == code, "", "wait_for_task(%d): expected its pid and code %d, saw %d and %d", pid, code, result, seen);
}

/* ---- A: a hart reads a page while another one takes it away. */

#define VA 0x41000000ul

static volatile unsigned watching, stop_watching;
static volatile uint64_t saw;

static void watch(void *unused)
{
    (void)unused;
    while (!stop_watching) {
        uint64_t word = *(volatile uint64_t *)VA;
        watching = 1;
        if (word != 42)
            saw = word;
    }
}

static void page_goes(void)
{
    for (unsigned round = 0; round < 120 && saw == 0; round++) {
        int code;
        uint64_t *frame = alloc_page_raw();
        for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
            frame[i] = 42;
        watching = stop_watching = 0;
        acquire(&kernel_map_lock);
        EXPECT(map_page(kernel_pagetable, va_of(VA), (paddr_t){ (uintptr_t)frame }, PTE_READ) == 0, "", "a page is mapped");
        release(&kernel_map_lock);
        int pid = task_start_expendable("watcher", watch, NULL);
        while (!watching)
            yield();
        acquire(&kernel_map_lock);
        if (cpus_online > 2)                    /* the firmware's fence needs a hart that goes on */
            shake(1, 60);
        unmap_page(kernel_pagetable, va_of(VA), true);
        release(&kernel_map_lock);
        stop_watching = 1;
        EXPECT(wait_for_task(pid, &code) == pid, "", "the watcher ends");
    }
    EXPECT(saw == 0, "", "a hart still read the page after its frame had been freed: it saw 0x%lx (0x05 marks free frames)", (long)saw);
}

/* ---- B: two drop the last two references of a frame. */

static void *shared;
static unsigned arrived, go;

static void meet(unsigned *at, unsigned n)
{
    __atomic_fetch_add(at, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(at, __ATOMIC_SEQ_CST) < n)
        yield();
}

#define DROPS 1500

static void drop(void *number)
{
    uint64_t random = check_seed + (uintptr_t)number;
    for (unsigned round = 1; round <= DROPS; round++) {
        if (number == NULL) {
            shared = alloc_page_raw();
            page_share(shared);
        }
        meet(&arrived, 2 * round);
        random = random * 6364136223846793005u + 1442695040888963407u;
        timer_set(clock_now() + 1 + (random >> 33) % 12);
        free_page(shared);
        meet(&go, 2 * round);
    }
}

static void references_dropped(void)
{
    size_t before = frames_free();
    run_workers(2, drop);
    EXPECT(frames_free() == before, "", "%u times two tasks dropped the last two references of a frame: expected %zu free frames, saw %zu", DROPS,
           before, frames_free());
}

/* ---- C: a new task runs at once, on another hart. */

static void fault_at_once(void *unused)
{
    (void)unused;
    *(volatile char *)0x1000 = 1;
}

static void new_tasks(void)
{
    for (unsigned round = 0; round < 700; round++) {
        int code = 0, pid = task_start_expendable("expendable", fault_at_once, NULL);
        EXPECT(pid > 0, "", "an expendable task is started: expected a pid, saw %d", pid);
        EXPECT(wait_for_task(pid, &code) == pid && code == -1, "", "its fault ends it alone: expected code -1, saw %d", code);
    }
}

/* ---- D: the end of a task comes just when somebody begins to wait for it. */

static volatile unsigned told;
static volatile int waited_for, wait_result, wait_code;
static struct task *volatile late;

static void end_when_told(void *code)
{
    late = current();
    while (!told)
        ;
    terminate((int)(intptr_t)code);
}

static void tell_and_wait(void *unused)
{
    int code = 0x5EED;
    (void)unused;
    told = 1;
    shake(1, 40);
    wait_result = wait_for_task(waited_for, &code);
    wait_code = code;
}

static void waiter_and_end(void)
{
    for (unsigned round = 0; round < 500; round++) {
        told = 0;
        late = NULL;
        wait_result = 0;
        waited_for = start_task(end_when_told, (void *)(uintptr_t)round);
        while (late == NULL)
            yield();
        int waiter = start_task(tell_and_wait, NULL);
        if (!becomes_zombie(waiter)) {
            EXPECT(false, "", "round %u: the task has ended (its state is %d), and who waits for it sleeps for ever", round, state_of(waited_for));
            return;
        }
        EXPECT(wait_result == waited_for && wait_code == (int)round, "", "round %u: expected pid %d with code %u, saw %d with %d", round, waited_for,
               round, wait_result, wait_code);
        wait_for(waiter, 0);
    }
}

/* ---- E: somebody waits for a task at the moment in which it dies. */

struct order { int code; uint32_t delay; };

static void die_watched(void *order)
{
    struct order o = *(struct order *)order;
    __atomic_store_n(&late, current(), __ATOMIC_SEQ_CST);
    timer_set(clock_now() + o.delay);
    terminate(o.code);
}

/* Delays with which the task stood between ZOMBIE and its last switch are tried again, and those around them. */
static void death_watched(void)
{
    uint32_t hit = 0;
    wait_for(start_task(die_watched, &(struct order){ .code = 1, .delay = 100 }), 1);
    size_t before = frames_free();
    for (unsigned round = 0; round < 600; round++) {
        struct order order = { .code = (int)round, .delay = 1 + check_random() % 150 };
        if (hit != 0 && round % 4 != 0)
            order.delay = hit + check_random() % 9 - MIN(hit - 1, 6);
        uint64_t end = clock_uptime_us() + 400;
        late = NULL;
        int pid = start_task(die_watched, &order);
        if (cpus_online > 1)
            irq_push();                         /* an idle hart takes it, not this one */
        while (cpus_online > 1 && (late == NULL || __atomic_load_n(&late->state, __ATOMIC_ACQUIRE) != ZOMBIE) && clock_uptime_us() < end)
            ;
        if (late != NULL && late->on_cpu)
            hit = order.delay;
        if (cpus_online > 1)
            irq_pop();
        wait_for(pid, order.code);
    }
    EXPECT(frames_free() == before, "", "600 tasks came and went: expected %zu free frames, saw %zu", before, frames_free());
}

/* ---- F: groups are set while tasks come and go. */

static void set_groups(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 200; i++) {
        EXPECT(task_set_group(0, (int)i) == 0, "", "task_set_group: expected 0");
        if (i % 8 == 0)
            yield();
    }
}

static void come_and_go(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 60; i++)
        wait_for(start_task(set_groups, NULL), 0);
}

static void pick(void *number)
{
    if ((uintptr_t)number % 2 == 0)
        set_groups(NULL);
    else
        come_and_go(NULL);
}

static void groups(void) { run_workers(4, pick); }

KERNEL_CHECKS({ "page_goes", page_goes }, { "references_dropped", references_dropped }, { "new_tasks", new_tasks },
              { "waiter_and_end", waiter_and_end }, { "death_watched", death_watched }, { "groups", groups })
