/* sleeplock.h -- mutual exclusion for long sections: the holder may suspend (disk, user memory), waiters sleep.
 * Task context only, no spinlock held. */
#ifndef SCHED_SLEEPLOCK_H
#define SCHED_SLEEPLOCK_H

#include "sched/spinlock.h"

struct sleeplock {
    struct spinlock guard;
    struct task    *holder;             /* NULL: free */
    uint32_t        waiters;
    uint16_t        rank;
    const char     *name;
};

void sleeplock_init(struct sleeplock *lock, const char *name, enum lock_rank rank);
void sleep_acquire(struct sleeplock *lock);
MUST_CHECK int sleep_acquire_killable(struct sleeplock *lock);  /* 0, or -EINTR: killed while waiting, not taken */
MUST_CHECK bool sleep_try_acquire(struct sleeplock *lock);
void sleep_release(struct sleeplock *lock);
bool sleep_held(const struct sleeplock *lock);          /* by the current task */

#endif
