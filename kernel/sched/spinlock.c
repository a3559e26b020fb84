/*
 * spinlock.c -- spinlocks, interrupts-off sections, and the lock-order check of debug builds.
 */
#include "arch/arch.h"
#include "lib/printk.h"
#include "sched/sched.h"
#include "sched/spinlock.h"

#ifdef DEBUG
/* A sleep lock is noted with interrupts on, if a kernel task takes it; the handlers of interrupts use the same list. */
void lock_note_taken(const void *lock, enum lock_rank rank, const char *name)
{
    struct task *self = current();
    if (rank == RANK_NONE)
        return;
    irq_push();
    for (unsigned i = 0; i < self->locks_held; i++) {
        if (self->held[i].lock == lock)
            panic("lock %s taken twice by task %d (%s)", name, self->pid, self->name);
        if (self->held[i].rank >= rank)
            panic("lock order: %s (rank %d) taken while holding %s (rank %d)", name, rank, self->held[i].name,
                  self->held[i].rank);
    }
    if (self->locks_held == LOCKS_HELD_MAX)
        panic("task %d (%s) holds %d locks", self->pid, self->name, LOCKS_HELD_MAX);
    self->held[self->locks_held].lock = lock;
    self->held[self->locks_held].name = name;
    self->held[self->locks_held++].rank = (uint16_t)rank;
    irq_pop();
}

bool lock_held_from(enum lock_rank rank)
{
    struct task *self = current();
    for (unsigned i = 0; i < self->locks_held; i++)
        if (self->held[i].rank >= rank)
            return true;
    return false;
}

void lock_note_dropped(const void *lock)
{
    struct task *self = current();
    irq_push();
    for (unsigned i = self->locks_held; i-- > 0; )
        if (self->held[i].lock == lock) {
            self->held[i] = self->held[--self->locks_held];
            break;
        }
    irq_pop();
}
#endif

void spinlock_init(struct spinlock *lock, const char *name, enum lock_rank rank)
{
    *lock = (struct spinlock)SPINLOCK_INIT(name, (uint16_t)rank);
}

/* spin -- read while it is held, so that waiting CPUs do not fight for the line; then try again. */
void spin(struct spinlock *lock)
{
    do
        while (__atomic_load_n(&lock->locked, __ATOMIC_RELAXED) != 0)
            cpu_relax();
    while (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE) != 0);
}

#ifdef DEBUG
void acquire(struct spinlock *lock)
{
    irq_push();
    if (lock->locked && lock->holder == current())
        panic("lock %s taken twice by task %d (%s)", lock->name, current()->pid, current()->name);
    if (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE) != 0)
        spin(lock);
    lock_note_taken(lock, lock->rank, lock->name);
    lock->holder = current();
}

void release(struct spinlock *lock)
{
    if (!lock->locked || lock->holder != current())
        panic("lock %s released by task %d (%s), which does not hold it", lock->name, current()->pid, current()->name);
    lock->holder = NULL;
    lock_note_dropped(lock);
    __atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
    irq_pop();
}
#endif

/* try_acquire -- a lock out of order cannot deadlock when it is only tried, so its rank is not checked. */
bool try_acquire(struct spinlock *lock)
{
    irq_push();
    if (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE) != 0) {
        irq_pop();
        return false;
    }
#ifdef DEBUG
    lock->holder = current();
#endif
    return true;
}

bool spinlock_held(const struct spinlock *lock)
{
#ifdef DEBUG
    return lock->locked && lock->holder == current();
#else
    return lock->locked != 0;
#endif
}
