/* vm.h -- a user address space: what a task has been granted (areas) and what of it is in frames (page table).
 *
 * Granting costs nothing; the first touch of a page faults and vm_fault() maps a frame. fork shares the frames of
 * private pages read-only and a write makes the copy. Every edit of a user page table is made in vm.c under vm->lock,
 * and every removal is: clear, fence wherever it may live, then free (M1). */
#ifndef MM_VM_H
#define MM_VM_H

#include "abi/memstat.h"
#include "arch/arch.h"
#include "sched/sched.h"

#define AREA_CHARGED 1u                 /* its pages were promised: see commit.h */
#define AREAS_OUTSIDE_MAX 8192          /* they are searched in turn with interrupts off, and no score counts their memory */
#define AREAS_INSIDE 16                 /* the first areas live inside struct vm; further ones come from a slab */

struct area {
    struct list link;                   /* vm->areas, ascending, never overlapping */
    uintptr_t   start, end;             /* page-aligned, half-open */
    uint8_t     kind;                   /* enum area_kind */
    uint8_t     access;                 /* PTE_READ | PTE_WRITE | PTE_EXEC */
    uint8_t     flags;                  /* AREA_* */
};

/* malloco's blocks in REGION, one bit a page (malloco.c). A page is FREE when not granted, MARKED when marked, else ACTIVE. */
#define REGION_PAGES ((REGION_END - REGION_BASE) >> PAGE_SHIFT)
struct region {
    uint32_t granted[REGION_PAGES / 32];
    uint32_t first[REGION_PAGES / 32];  /* a block begins here */
    uint32_t marked[REGION_PAGES / 32]; /* chau() was called: the next sweep takes it */
    uint32_t pages_granted, pages_marked;
};

struct vm {
    struct address_space space;         /* root and the CPUs that have it loaded */
    struct spinlock lock;               /* all that follows, and the page table */
    struct list   areas;
    struct area  *hint;                 /* the area found last */
    uintptr_t     heap_start;           /* page-aligned, behind the image */
    uintptr_t     brk;                  /* end of the heap as the program sees it: any byte */
    size_t        resident;             /* present user pages; a shared frame counts in each sharer */
    size_t        reserved;             /* pages of all areas, of REGION only those granted */
    struct region region;
    unsigned      inside_used;          /* bit map of areas_inside */
    unsigned      areas_outside;        /* how many are not */
    struct area   areas_inside[AREAS_INSIDE];
};

static inline struct vm *vm_of(const struct task *t)
{
    return t->space == NULL ? NULL : container_of(t->space, struct vm, space);
}

/* vm_counters -- events since boot, for kcounters(). Written by atomic adds. */
struct vm_counters { size_t demand_faults, cow_copies, cow_upgrades, shootdowns; };
extern struct vm_counters vm_counters;

void init_vm(void);                     /* the kernel's page table; paging still off */

/* vm_new -- an empty address space, or NULL. vm_free -- all its frames and tables go; no CPU has it loaded.
 * vm_fork -- a copy that shares the frames of private pages until one side writes. NULL: no memory, or more is promised
 * than there is; the parent is as before. The caller runs in `parent`. */
MUST_CHECK struct vm *vm_new(void);
void vm_free(struct vm *vm);
MUST_CHECK struct vm *vm_fork(struct vm *parent);

/* vm_add_area -- grant [start, end). 0, -ENOMEM, -EINVAL (overlaps, or outside user space). */
MUST_CHECK int vm_add_area(struct vm *vm, uintptr_t start, uintptr_t end, enum area_kind kind, unsigned access,
                           unsigned flags);
MUST_CHECK int vm_insert_area(struct vm *vm, uintptr_t start, uintptr_t end, enum area_kind kind, unsigned access,
                              unsigned flags);                  /* the same without the charge; vm->lock held */
struct area *vm_find_area(struct vm *vm, uintptr_t va);         /* vm->lock held; NULL: not granted */

/* vm_fault -- make one page usable for `access` (one of PTE_READ, PTE_WRITE, PTE_EXEC), whoever asks. When there is no frame
 * for it the shortage hook makes room, which may end a task and takes until that one is gone.
 *   returns  0: retry the access; -EFAULT: not granted, or not for this; -ENOMEM: no frame, and the caller is to end
 *   context  task; no spinlock, and no sleep lock that a task waits for which cannot be killed meanwhile */
MUST_CHECK int vm_fault(struct vm *vm, uintptr_t va, unsigned access);

/* vm_set_shortage_hook -- upcall (mm -> task): no frame for the current task's touch of va. True: something was freed, try
 * again; false: the current task is to end. `attempt` counts from 0. */
void vm_set_shortage_hook(bool (*make_room)(uintptr_t va, unsigned attempt));

/* vm_page -- exec: the frame behind `va`, made present like by a read; NULL: not granted, or no memory. The caller is the
 * only user of this vm and may write the frame. */
MUST_CHECK void *vm_page(struct vm *vm, uintptr_t va);

/* vm_unmap_range -- drop all pages of [start, end) in M1's order; areas are not changed. vm->lock held. Where several ranges
 * go, one fence is enough: vm_clear_pages for each (how many it cleared), then vm_free_cleared once over all. */
void vm_unmap_range(struct vm *vm, uintptr_t start, uintptr_t end);
MUST_CHECK size_t vm_clear_pages(struct vm *vm, uintptr_t start, uintptr_t end);
void vm_free_cleared(struct vm *vm, uintptr_t start, uintptr_t end, size_t cleared);

/* vm_grow_heap -- move the end of the heap by delta bytes. lazy: not charged (overcommit).
 * Returns the old end, or -ENOMEM, -EINVAL (below its start); nothing changed then. */
MUST_CHECK long vm_grow_heap(struct vm *vm, intptr_t delta, bool lazy);

/* vm_oom_score -- R004-4: adj + permille of all frames that this address space holds, clamped to 0..1000. vm->lock held. */
int vm_oom_score(struct vm *vm, int adj);

/* vm_describe_area -- the first area that ends after `after`; false: none. vm_describe_pages -- one byte of PAGE_IS_* bits for
 * each of `npages` pages from va on. vm->lock held. */
bool vm_describe_area(struct vm *vm, uintptr_t after, struct area_info *info);
void vm_describe_pages(struct vm *vm, uintptr_t va, uint8_t *states, size_t npages);

/* vm_range_ok -- may a user program own all of [va, va + nbytes)? Only a check of numbers. */
static inline bool vm_range_ok(uintptr_t va, size_t nbytes)
{
    if (UNLIKELY(va >= REGION_BASE && va < REGION_END))
        return nbytes <= REGION_END - va;
    return va >= USER_BASE && va < USER_LIMIT && nbytes <= USER_LIMIT - va;
}

/* kernel_map_lock -- guards later edits of kernel_pagetable (demo tasks). */
extern struct spinlock kernel_map_lock;

#define STACK_MAX_BYTES (8ul << 20)     /* how far a user stack may grow */

#endif
