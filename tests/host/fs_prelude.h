/* fs_prelude.h -- included before everything when kernel/fs is compiled for the host: stands in for the headers
 * that hold inline functions of the machine or of the allocator. The functions are in fs_host.c. */
#ifndef TESTS_HOST_FS_PRELUDE_H
#define TESTS_HOST_FS_PRELUDE_H

#define ARCH_ARCH_H
#define SCHED_SCHED_H
#define MM_KALLOC_H
#include "abi/info.h"
#include "lib/types.h"

struct task *current(void);
struct context {
    uint32_t irq_depth;
}; /* for the inline functions of spinlock.h; compiled with -DDEBUG */
static inline void irq_off(void) {}
static inline void irq_on(void) {}

enum wait_mode { WAIT_KILLABLE, WAIT_FIRM };
struct files;
struct spinlock;
struct task {
    volatile uint32_t killed;
    struct files *files;
    const void *wait_on;                /* NULL: may run */
    int number;
    bool over;
};
struct task *current(void);
int  suspend(const void *on, struct spinlock *lock, enum wait_mode mode);
void wakeup(const void *on);
void preempt_point(void);
#define PREEMPT_BYTES (256u << 10)

/* mm/kalloc.h */
MUST_CHECK void *alloc_page(void);
MUST_CHECK void *alloc_page_raw(void);
MUST_CHECK void *alloc_user_page_raw(bool promised);
void   free_page(void *page);
size_t frames_total(void);
size_t frames_free(void);
void   kalloc_set_shrinker(size_t (*shrink)(size_t nframes), size_t (*reclaimable)(void));

#endif
