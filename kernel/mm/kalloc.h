/* kalloc.h -- physical page frames. Owner: whoever holds a reference; the last free_page() gives the frame back.
 *
 * Free frames are threaded into lists through themselves: one list per CPU and a common pool from which CPUs refill
 * and to which they drain in batches, so that CPUs do not meet on one lock. struct page, one a frame, counts
 * references. Debug builds fill free frames with POISON_FREE and check it when they are handed out. */
#ifndef MM_KALLOC_H
#define MM_KALLOC_H

#include "lib/printk.h"
#include "lib/types.h"

#define POISON_FREE 0x05

struct page {
    uint32_t refs;                      /* 0: free. Atomic */
    uint16_t entries;                   /* a page-table page: how many entries are in use. The vm lock's */
    uint16_t flags;                     /* PAGE_* */
};
#define PAGE_PROMISED 1                 /* backs a charged page: see commit.h */
#define PAGE_CODE     2                 /* held instructions: cleared when freed, see release_frame() */

/* init_kalloc -- put every frame of [start, end) that is not reserved on the free list. Boot CPU, once.
 * kalloc_reserve must be called first for each range that must stay untouched (initrd). */
void   kalloc_reserve(uintptr_t start, uintptr_t end);
void   init_kalloc(uintptr_t start, uintptr_t end);

/* alloc_page -- one zeroed frame, or NULL if there is none even after asking the cache to shrink. The caller owns one
 * reference. Any context; never suspends. alloc_page_raw: contents undefined, for callers that overwrite all of it. */
MUST_CHECK void *alloc_page(void);
MUST_CHECK void *alloc_page_raw(void);

/* alloc_user_page_raw -- for a user's page or a block of a file. Only a promised one, which was charged, may take what was
 * promised (commit.h). On a machine with two pools it never comes from the kernel's, from which the others come first.
 * alloc_table_page_raw -- a table on the way to a page that was perhaps promised. */
MUST_CHECK void *alloc_user_page_raw(bool promised);
MUST_CHECK void *alloc_table_page_raw(void);

/* alloc_fails_now -- T-2, debug builds: must this allocation of a frame or of a small object fail? failalloc() chose which
 * one of the current task's. */
#ifdef DEBUG
bool alloc_fails_now(void);
#else
static inline bool alloc_fails_now(void) { return false; }
#endif

/* page_of -- the descriptor of a frame; anything else is a panic. Inline, like the counting below: fork and exit do this
 * for every page of a task. */
struct frame_table { struct page *pages; uintptr_t first, bytes; };     /* pages[0] describes the frame at `first` */
extern struct frame_table frame_table;
NORETURN void bad_frame(const void *page, const char *what);
void release_frame(void *page);         /* kalloc.c: nobody refers to it any more */

static inline struct page *page_of(const void *page)
{
    uintptr_t offset = (uintptr_t)page - frame_table.first;
    if (UNLIKELY(offset >= frame_table.bytes || (offset & PAGE_MASK) != 0))
        bad_frame(page, "is no frame of the allocator");
    return &frame_table.pages[offset >> PAGE_SHIFT];
}

/* page_share -- one more reference, before it is published (M2). */
static inline void page_share(void *page)
{
    if (UNLIKELY(__atomic_fetch_add(&page_of(page)->refs, 1, __ATOMIC_RELAXED) == 0))
        bad_frame(page, "is free and cannot be shared");
}

/* free_page -- drop one reference; at zero the frame is free. Misaligned, out of range or already free: panic. */
static inline void free_page(void *page)
{
    uint32_t before = __atomic_fetch_sub(&page_of(page)->refs, 1, __ATOMIC_ACQ_REL);
    if (UNLIKELY(before == 0))
        bad_frame(page, "was freed twice");
    if (before == 1)
        release_frame(page);
}

static inline unsigned page_refs(const void *page) { return __atomic_load_n(&page_of(page)->refs, __ATOMIC_ACQUIRE); }

size_t frames_total(void);              /* usable frames */
size_t frames_free(void);               /* exact when nobody allocates meanwhile; the sum of the two pools: */
size_t frames_user_free(void);
size_t frames_kernel_free(void);        /* 0 on a machine with one pool */

/* kalloc_set_shrinker -- upcall (mm -> fs): `shrink(n)` gives back up to n clean cache frames at once and returns how
 * many; `reclaimable()` tells how many it could. shrink takes a lock of rank RANK_FS, so nobody allocates under one;
 * it never suspends. */
void   kalloc_set_shrinker(size_t (*shrink)(size_t nframes), size_t (*reclaimable)(void));
size_t frames_reclaimable(void);

#endif
