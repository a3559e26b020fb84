/* fs_prelude.h -- included before everything when kernel/fs is compiled for the host: stands in for the headers
 * that hold inline functions of the machine or of the allocator. The functions are in fs_host.c. */
#ifndef TESTS_HOST_FS_PRELUDE_H
#define TESTS_HOST_FS_PRELUDE_H

#define ARCH_ARCH_H
#define SCHED_SCHED_H
#define SCHED_SPINLOCK_H
#define MM_KALLOC_H
#include "abi/info.h"
#include "lib/types.h"

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

/* sched/spinlock.h */
enum lock_rank {
    RANK_NONE, RANK_RENAME, RANK_INODE, RANK_INODE2, RANK_LOG, RANK_BUFFER, RANK_PIPE, RANK_FILES, RANK_FS, RANK_DISK, RANK_SLAB,
};
struct spinlock { uint32_t locked; uint16_t rank; const char *name; };
#define SPINLOCK_INIT(the_name, the_rank) { .locked = 0, .rank = (the_rank), .name = (the_name) }
void spinlock_init(struct spinlock *lock, const char *name, enum lock_rank rank);
void acquire(struct spinlock *lock);
void release(struct spinlock *lock);
MUST_CHECK bool try_acquire(struct spinlock *lock);

/* mm/kalloc.h */
MUST_CHECK void *alloc_page(void);
MUST_CHECK void *alloc_page_raw(void);
void   free_page(void *page);
size_t frames_total(void);
size_t frames_free(void);
void   kalloc_set_shrinker(size_t (*shrink)(size_t nframes), size_t (*reclaimable)(void));

#endif
