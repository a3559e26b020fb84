/*
 * spinlock.c -- spinlocks, interrupts-off sections, and the lock-order check of debug builds.
 *
 * irq_depth counts, per task, the sections that want interrupts off. System calls begin at depth 1 (the trap turned
 * interrupts off), so the locks they take cost no access to a control register.
 */
#include "arch/arch.h"
#include "lib/printk.h"
#include "sched/sched.h"
#include "sched/spinlock.h"

void irq_push(void)
{
    if (current()->irq_depth++ == 0)
        irq_off();
    __asm__ volatile("" ::: "memory");
}

void irq_pop(void)
{
    __asm__ volatile("" ::: "memory");
    DASSERT(current()->irq_depth > 0);
    if (--current()->irq_depth == 0)
        irq_on();
}

#ifdef DEBUG
void lock_note_taken(const void *lock, enum lock_rank rank, const char *name)
{
    struct task *self = current();
    if (rank == RANK_NONE)
        return;
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
}

void lock_note_dropped(const void *lock)
{
    struct task *self = current();
    for (unsigned i = self->locks_held; i-- > 0; )
        if (self->held[i].lock == lock) {
            self->held[i] = self->held[--self->locks_held];
            return;
        }
}
#else
void lock_note_taken(const void *lock, enum lock_rank rank, const char *name) { (void)lock; (void)rank; (void)name; }
void lock_note_dropped(const void *lock) { (void)lock; }
#endif

void spinlock_init(struct spinlock *lock, const char *name, enum lock_rank rank)
{
    *lock = (struct spinlock)SPINLOCK_INIT(name, (uint16_t)rank);
}

static void taken(struct spinlock *lock)
{
#ifdef DEBUG
    lock_note_taken(lock, lock->rank, lock->name);
    lock->holder = current();
#else
    (void)lock;
#endif
}

void acquire(struct spinlock *lock)
{
    irq_push();
#ifdef DEBUG
    if (lock->locked && lock->holder == current())
        panic("lock %s taken twice by task %d (%s)", lock->name, current()->pid, current()->name);
#endif
    while (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE) != 0)
        while (__atomic_load_n(&lock->locked, __ATOMIC_RELAXED) != 0)
            cpu_relax();
    taken(lock);
}

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

void release(struct spinlock *lock)
{
#ifdef DEBUG
    if (!lock->locked || lock->holder != current())
        panic("lock %s released by task %d (%s), which does not hold it", lock->name, current()->pid, current()->name);
    lock->holder = NULL;
    lock_note_dropped(lock);
#endif
    __atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
    irq_pop();
}

bool spinlock_held(const struct spinlock *lock)
{
#ifdef DEBUG
    return lock->locked && lock->holder == current();
#else
    return lock->locked != 0;
#endif
}
