/*
 * checks.c -- watches the demo (tasks A, B and C) from inside: a task looks at the kernel's page table all the time and reports what is
 * mapped at 0x1000, and what lies there. The grader reads the console for the rest.
 */
#include "labs/kernel_check.h"

#define DEMO_VA 0x1000ul

/* All runs on one hart. Each time the others get it only for some hundred instructions, then its timer brings the watcher back: it sees
 * whatever lasts longer than that. */
static void watch(void *unused)
{
    uint64_t before = 0;
    bool told = false;
    (void)unused;
    for (;;) {
        irq_push();
        pte_t *entry = leaf_find(kernel_pagetable, va_of(DEMO_VA));
        uint64_t now = entry != NULL && pte_valid(*entry) ? entry->bits : 0;
        uintptr_t frame = now != 0 ? (uintptr_t)pte_frame(*entry) : 0;
        bool good = frame >= frame_table.first && frame - frame_table.first < frame_table.bytes;
        if (now != before) {
            told = false;
            if (now == 0)
                record("note", "gone");
            else
                record("note", "mapped 0x%llx frame 0x%lx refs %u", (unsigned long long)now, (long)frame,
                       good ? page_refs((void *)frame) : 0);
        }
        if (good && !told && *(volatile char *)frame == 'B') {
            record("note", "contents B");
            told = true;
        }
        before = now;
        irq_pop();
        if (this_cpu()->rq_length > 0) {
            timer_set(clock_now() + 20 + check_random() % 40);
            yield();
        }
    }
}

static void watch_demo(void)
{
    EXPECT(task_start_kernel("watcher", watch, NULL) > 0, "", "the watcher is started");
    demo_tasks(NULL);
}

KERNEL_CHECKS({ "watch_demo", watch_demo })
