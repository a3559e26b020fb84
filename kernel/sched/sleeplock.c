/*
 * sleeplock.c -- locks whose holder may suspend. A guard spinlock protects holder and waiters.
 */
#include "lib/printk.h"
#include "sched/sched.h"
#include "sched/sleeplock.h"

void sleeplock_init(struct sleeplock *lock, const char *name, enum lock_rank rank)
{
    spinlock_init(&lock->guard, name, RANK_SLEEPGUARD);
    lock->holder = NULL;
    lock->waiters = 0;
    lock->rank = (uint16_t)rank;
    lock->name = name;
}

HOT static int take(struct sleeplock *lock, enum wait_mode mode)
{
    int err = 0;
    acquire(&lock->guard);
    KASSERT(lock->holder != current());
    while (lock->holder != NULL && err == 0) {
        lock->waiters++;
        err = suspend(lock, &lock->guard, mode);
        lock->waiters--;
    }
    if (err == 0)
        lock->holder = current();
    release(&lock->guard);
    if (err == 0)
        lock_note_taken(lock, lock->rank, lock->name);
    return err;
}

void sleep_acquire(struct sleeplock *lock) { (void)take(lock, WAIT_FIRM); }     /* firm waits are never interrupted */
int sleep_acquire_killable(struct sleeplock *lock) { return take(lock, WAIT_KILLABLE); }

bool sleep_try_acquire(struct sleeplock *lock)
{
    acquire(&lock->guard);
    bool free = lock->holder == NULL;
    if (free)
        lock->holder = current();
    release(&lock->guard);
    return free;
}

HOT void sleep_release(struct sleeplock *lock)
{
    lock_note_dropped(lock);
    acquire(&lock->guard);
    KASSERT(lock->holder == current());
    lock->holder = NULL;
    if (lock->waiters > 0)
        wakeup(lock);
    release(&lock->guard);
}

bool sleep_held(const struct sleeplock *lock) { return lock->holder == current(); }
