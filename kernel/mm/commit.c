/*
 * commit.c -- the account of promised pages: see commit.h.
 *
 * Owns:     charged and backed. Locks: commit_lock makes the check and the charge one step.
 */
#include "mm/commit.h"
#include "mm/kalloc.h"
#include "sched/spinlock.h"

#define RESERVE_PART 16                 /* one frame in so many is never promised: for the kernel and its cache */

static struct spinlock commit_lock = SPINLOCK_INIT("commit", RANK_COMMIT);
static size_t charged;                  /* pages promised */
static size_t backed;                   /* frames that back some of them */

size_t commit_outstanding(void)
{
    size_t used = __atomic_load_n(&backed, __ATOMIC_RELAXED);
    size_t all = __atomic_load_n(&charged, __ATOMIC_RELAXED);
    return all > used ? all - used : 0;
}

int commit_charge(size_t npages)
{
    acquire(&commit_lock);
    size_t available = frames_user_free() + frames_reclaimable();
    size_t taken = commit_outstanding() + frames_total() / RESERVE_PART;
    bool fits = npages <= available && taken <= available - npages;
    if (fits)
        __atomic_fetch_add(&charged, npages, __ATOMIC_RELAXED);
    release(&commit_lock);
    return fits ? 0 : -ENOMEM;
}

void commit_release(size_t npages) { __atomic_fetch_sub(&charged, npages, __ATOMIC_RELAXED); }

void commit_frame_used(void *page)
{
    page_of(page)->flags |= PAGE_PROMISED;
    __atomic_fetch_add(&backed, 1, __ATOMIC_RELAXED);
}

void commit_frame_freed(void) { __atomic_fetch_sub(&backed, 1, __ATOMIC_RELAXED); }

bool commit_spares_a_frame(void) { return frames_user_free() + frames_reclaimable() > commit_outstanding(); }

bool commit_may_overcommit(void)
{
    return frames_user_free() + frames_reclaimable() > commit_outstanding() + frames_total() / RESERVE_PART;
}
