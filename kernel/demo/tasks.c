/*
 * tasks.c -- kernel tasks A, B and C of the course handout (`make qemu APPEND=demo=tasks`).
 *
 * A waits for B; B uses virtual address 0x1000 three ways; C only counts. The exercises:
 *   1. An access to 0x1000 without a mapping: the fault line shows cause 15 (store page fault) and va 0x1000, and the
 *      task that did it ends with -1 while the others go on.
 *   2. With a frame mapped there, the same address works.
 *   3. After unmap_page() it faults again (13: a load), and the free frames are what they were.
 */
#include "arch/arch.h"
#include "demo/demo.h"
#include "lib/printk.h"
#include "mm/kalloc.h"
#include "mm/vm.h"
#include "sched/clock.h"
#include "task/task.h"

#define DEMO_VA 0x1000ul

static void nap(unsigned ms)
{
    if (sleep_until_us(clock_uptime_us() + ms * 1000ul) != 0)
        terminate(-1);                          /* killed */
}

static int start(const char *name, void (*body)(void *))
{
    int pid = task_start_expendable(name, body, NULL);
    if (pid < 0)
        panic("no memory for task %s", name);
    return pid;
}

static void touch_unmapped(void *unused)
{
    (void)unused;
    printk("Task B1: storing to va 0x%lx, which nobody mapped\n", DEMO_VA);
    *(volatile char *)DEMO_VA = 'B';
    printk("Task B1: not reached\n");
}

static void read_unmapped(void *unused)
{
    (void)unused;
    printk("Task B2: loading from va 0x%lx after unmap_page\n", DEMO_VA);
    printk("Task B2: read %c: not reached\n", *(volatile char *)DEMO_VA);
}

static void use_mapped(void)
{
    void *frame = alloc_page();
    if (frame == NULL)
        panic("no frame for the demo");
    acquire(&kernel_map_lock);
    int err = map_page(kernel_pagetable, va_of(DEMO_VA), (paddr_t){ (uintptr_t)frame }, PTE_READ | PTE_WRITE);
    release(&kernel_map_lock);
    if (err != 0)
        panic("map_page: error %d", -err);
    volatile char *p = (volatile char *)DEMO_VA;
    *p = 'B';
    printk("Task B contents at va 0x%lx: %c\n", DEMO_VA, *p);
}

/* B begins when A and C have been made, so that only its own doings change the number of free frames. */
static struct spinlock start_lock = SPINLOCK_INIT("demo start", RANK_PIPE);
static bool all_made;

static void wait_until_all_made(void)
{
    acquire(&start_lock);
    while (!all_made)
        suspend(&all_made, &start_lock, WAIT_FIRM);
    release(&start_lock);
}

static void task_b(void *unused)
{
    int code = 0;
    (void)unused;
    wait_until_all_made();
    if (wait_for_task(start("B1", touch_unmapped), &code) > 0)
        printk("Task B: exercise 1: B1 ended with %d\n", code);
    size_t before = frames_free();
    use_mapped();
    acquire(&kernel_map_lock);
    unmap_page(kernel_pagetable, va_of(DEMO_VA), true);
    release(&kernel_map_lock);
    printk("Task B: exercise 3: free frames before %zu, after %zu\n", before, frames_free());
    if (wait_for_task(start("B2", read_unmapped), &code) > 0)
        printk("Task B: exercise 3: B2 ended with %d\n", code);
    printk("Task B: exiting\n");
    terminate(7);
}

static void task_a(void *pid_of_b)
{
    int code = 0;
    printk("Task A: waiting for task B\n");
    if (wait_for_task((int)(uintptr_t)pid_of_b, &code) > 0)
        printk("Task A: task B ended with %d\n", code);
}

static void task_c(void *unused)
{
    (void)unused;
    for (unsigned i = 1; i <= 5; i++) {
        printk("Task C: count %u\n", i);
        nap(20);
    }
}

void demo_tasks(void *unused)
{
    int code, b, a, c;
    (void)unused;
    b = start("B", task_b);
    a = task_start_expendable("A", task_a, (void *)(uintptr_t)b);
    c = start("C", task_c);
    if (a < 0)
        panic("no memory for task A");
    acquire(&start_lock);
    all_made = true;
    wakeup(&all_made);
    release(&start_lock);
    bool ok = wait_for_task(a, &code) == a && wait_for_task(c, &code) == c;
    printk("demo: tasks A, B and C have ended\n");
    machine_off(ok ? 0 : 1);
}
