/* spinlock.h -- mutual exclusion between CPUs for short sections, and the order in which locks are taken.
 *
 * Interrupts stay off while one is held, and the holder must not suspend. Debug builds check that ranks strictly grow,
 * that nobody takes a lock twice, and that the releaser is the holder.
 *
 * The rank table (outer first). A CPU that holds a lock may only take locks further down. Sleep locks have ranks too;
 * a spinlock is always further down than any sleep lock, since nothing may suspend while holding a spinlock.
 *
 * Rank        Lock                     Guards                                             Kind
 * RENAME      fs rename lock           the shape of the directory tree                    sleep
 * FILE        file->lock               one open file's offset                             sleep
 * NONE        inode->lock              one file: two are taken in an order no number has  sleep
 * LOG         log commit lock          one commit at a time                               sleep
 * IO          io_lock, alloc_lock      the pool of transfers; the block and inode maps    sleep
 * PIPE        pipe->lock               one pipe's ring and ends                           spin
 * CONSOLE_IN  console input, turns     line buffer, mode, group; whose turn to write      spin
 * FAMILY      family_lock              parent, children, zombies; wait and exit           spin
 * TASKS       tasks_lock               the list of all tasks, the pid table               spin
 * VM          vm->lock, kernel map     one address space: areas, page table               spin
 * COMMIT      commit lock              promised pages                                     spin
 * FS          short fs locks           cache hash and lists, log state, inode table       spin
 * DISK        disk queue, block wait   descriptors in flight; requests waited for         spin
 * CLOCK       clock wheel              sleepers by deadline                               spin
 * SLEEPGUARD  sleeplock's guard        holder and waiters of a sleep lock                 spin
 * WAIT        wait bucket              who waits for what; a waiting task's state         spin
 * RUNQ        cpu->rq_lock             one CPU's run queue                                spin
 * SLAB        slab cache               partly used pages of a cache                       spin
 * PAGES       kalloc lists             free frames                                        spin
 * CONSOLE     console output lock      the output ring and the UART                       spin, always last
 *
 * FS lies below VM because alloc_page(), which is called under VM, may take clean frames from the cache (shrinker); so
 * nothing may allocate, or touch user memory, while it holds a lock of rank FS or further down.
 */
#ifndef SCHED_SPINLOCK_H
#define SCHED_SPINLOCK_H

#include "arch/arch.h"
#include "lib/types.h"

enum lock_rank {
    RANK_NONE,                          /* not checked */
    RANK_RENAME, RANK_FILE, RANK_LOG, RANK_IO, RANK_LAST_SLEEP = RANK_IO,
    RANK_PIPE, RANK_CONSOLE_IN, RANK_FAMILY, RANK_TASKS, RANK_VM, RANK_COMMIT, RANK_FS, RANK_DISK,
    RANK_CLOCK, RANK_SLEEPGUARD, RANK_WAIT, RANK_RUNQ, RANK_SLAB, RANK_PAGES, RANK_CONSOLE,
};

struct spinlock {
    uint32_t       locked;              /* 1 while held */
    uint16_t       rank;                /* enum lock_rank */
    const char    *name;
#ifdef DEBUG
    struct task   *holder;              /* who holds it */
#endif
};

#define SPINLOCK_INIT(the_name, the_rank) { .locked = 0, .rank = (the_rank), .name = (the_name) }

void spinlock_init(struct spinlock *lock, const char *name, enum lock_rank rank);

/* irq_push, irq_pop -- interrupts off, counted per task: the last pop brings them back. A system call begins at depth 1
 * (its trap turned interrupts off), so locks in it touch no control register. The count is in struct context, with which
 * every struct task begins. */
static inline void irq_push(void)
{
    if (((struct context *)current())->irq_depth++ == 0)
        irq_off();
    __asm__ volatile("" ::: "memory");
}

static inline void irq_pop(void)
{
    __asm__ volatile("" ::: "memory");
    if (--((struct context *)current())->irq_depth == 0)
        irq_on();
}

/* acquire, release -- any context, also interrupt handlers. Interrupts go off with the first lock and come back as
 * they were with the last. try_acquire never waits and so may be used against the order. */
#ifdef DEBUG
void acquire(struct spinlock *lock);
void release(struct spinlock *lock);
#else
void spin(struct spinlock *lock);       /* spinlock.c: it is taken, wait */

static inline void acquire(struct spinlock *lock)
{
    irq_push();
    if (UNLIKELY(__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE) != 0))
        spin(lock);
}

static inline void release(struct spinlock *lock)
{
    __atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
    irq_pop();
}
#endif
MUST_CHECK bool try_acquire(struct spinlock *lock);

/* spinlock_held -- does this task hold it? For assertions: release builds only know that somebody does. */
bool spinlock_held(const struct spinlock *lock);

/* lock_note_taken, lock_note_dropped -- the rank check of debug builds; sleep locks call them too. */
#ifdef DEBUG
void lock_note_taken(const void *lock, enum lock_rank rank, const char *name);
void lock_note_dropped(const void *lock);
bool lock_held_from(enum lock_rank rank);       /* does this task hold one of this rank or further down? */
#else
static inline void lock_note_taken(const void *lock, enum lock_rank rank, const char *name)
{
    (void)lock, (void)rank, (void)name;
}
static inline void lock_note_dropped(const void *lock) { (void)lock; }
#endif

#endif
