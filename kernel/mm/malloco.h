/* malloco.h -- malloco and chau: up to 4 MiB a task, in blocks of whole pages in REGION, freed by a sweeper.
 *
 *            malloco()               chau()                sweep
 *   FREE -------------> ACTIVE ------------> MARKED -----------------> FREE
 *
 * ACTIVE: each page gets a frame when it is first touched (vm_fault). MARKED: still counts and is not granted again; pages
 * touched before still work, others do not appear any more. The sweep unmaps, and only then the addresses are free. */
#ifndef MM_MALLOCO_H
#define MM_MALLOCO_H

#include "mm/vm.h"

enum block_state { BLOCK_FREE, BLOCK_ACTIVE, BLOCK_MARKED };

static inline bool region_bit(const uint32_t *map, size_t page) { return (map[page / 32] >> page % 32 & 1) != 0; }

/* malloco_state -- of the block that va lies in; outside REGION: BLOCK_FREE. vm->lock held. */
static inline enum block_state malloco_state(const struct vm *vm, uintptr_t va)
{
    if (LIKELY(va < REGION_BASE || va >= REGION_END))
        return BLOCK_FREE;
    size_t page = (va - REGION_BASE) >> PAGE_SHIFT;
    if (!region_bit(vm->region.granted, page))
        return BLOCK_FREE;
    return region_bit(vm->region.marked, page) ? BLOCK_MARKED : BLOCK_ACTIVE;
}

/* malloco -- a block of at least nbytes, lowest address first; 0: nbytes is 0, there is no hole, or 4 MiB would be exceeded.
 * No frame is taken. chau -- the block that starts at `start` becomes MARKED: 0, or -EINVAL: no ACTIVE block starts there. */
uintptr_t malloco(struct vm *vm, size_t nbytes);
MUST_CHECK int chau(struct vm *vm, uintptr_t start);

/* malloco_stays -- is all of this range of REGION in ACTIVE blocks? Then it is there until its own task calls chau() or ends. */
bool malloco_stays(struct vm *vm, uintptr_t va, size_t nbytes);

/* malloco_sweep -- free all MARKED blocks of this address space, with one fence; adds to *swept. vm->lock held. */
struct swept { size_t blocks, pages; };
void malloco_sweep(struct vm *vm, struct swept *swept);

unsigned malloco_describe(const struct vm *vm, uintptr_t va);   /* PAGE_IS_GRANTED, _MARKED, _FIRST; va in REGION */

/* tamalloc -- a private area of at least nbytes, zeroed page by page as it is touched; more than there is memory is fine.
 * Its address, -EINVAL (0, or more than TASK_SIZE), or -ENOMEM (no room for it). (tamalloc.c) */
MUST_CHECK long tamalloc(struct vm *vm, size_t nbytes);

#endif
