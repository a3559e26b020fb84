/*
 * malloco.c -- which pages of REGION a task was granted: malloco, chau, and the sweep of one address space.
 *
 * Owns:     struct region inside each struct vm: three bit maps of 1024 pages. A block is a run of granted pages from a
 *           `first` one to the page before the next `first` or ungranted one; so neighbouring holes merge by themselves,
 *           and 1024 blocks of one page fit.
 * Locks:    vm->lock.
 * Not here: giving a page its frame (vm.c), when to sweep (task/sweeper.c).
 */
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/malloco.h"

#define NO_HOLE REGION_PAGES

static void set_bit(uint32_t *map, size_t page) { map[page / 32] |= 1u << page % 32; }
static uintptr_t address_of(size_t page) { return REGION_BASE + (page << PAGE_SHIFT); }

/* find_hole -- the lowest run of `npages` free pages, or NO_HOLE. */
static size_t find_hole(const struct region *r, size_t npages)
{
    size_t run = 0;
    for (size_t page = 0; page < REGION_PAGES; page++) {
        if (r->granted[page / 32] == ~0u) {             /* 32 pages at once */
            page |= 31;
            run = 0;
        } else if (region_bit(r->granted, page)) {
            run = 0;
        } else if (++run == npages) {
            return page + 1 - npages;
        }
    }
    return NO_HOLE;
}

/* One area stands for all blocks, from the first grant on: vm_fault() and fork find them through it. */
static int have_area(struct vm *vm)
{
    if (vm_find_area(vm, REGION_BASE) != NULL)
        return 0;
    return vm_insert_area(vm, REGION_BASE, REGION_END, AREA_REGION, PTE_READ | PTE_WRITE, 0);
}

uintptr_t malloco(struct vm *vm, size_t nbytes)
{
    struct region *r = &vm->region;
    if (nbytes == 0 || nbytes > REGION_END - REGION_BASE)       /* checked before rounding up, which could wrap */
        return 0;
    size_t npages = PAGE_UP(nbytes) >> PAGE_SHIFT;
    acquire(&vm->lock);
    size_t start = have_area(vm) == 0 ? find_hole(r, npages) : NO_HOLE;
    if (start != NO_HOLE) {
        set_bit(r->first, start);
        for (size_t page = start; page < start + npages; page++)
            set_bit(r->granted, page);
        r->pages_granted += (uint32_t)npages;
        vm->reserved += npages;
    }
    release(&vm->lock);
    return start != NO_HOLE ? address_of(start) : 0;
}

static size_t end_of_block(const struct region *r, size_t start)
{
    size_t page = start + 1;
    while (page < REGION_PAGES && region_bit(r->granted, page) && !region_bit(r->first, page))
        page++;
    return page;
}

int chau(struct vm *vm, uintptr_t start)
{
    struct region *r = &vm->region;
    size_t first = (start - REGION_BASE) >> PAGE_SHIFT;
    int err = -EINVAL;
    acquire(&vm->lock);
    if ((start & PAGE_MASK) == 0 && malloco_state(vm, start) == BLOCK_ACTIVE && region_bit(r->first, first)) {
        size_t end = end_of_block(r, first);
        for (size_t page = first; page < end; page++)
            set_bit(r->marked, page);
        r->pages_marked += (uint32_t)(end - first);
        err = 0;
    }
    release(&vm->lock);
    return err;
}

bool malloco_stays(struct vm *vm, uintptr_t va, size_t nbytes)
{
    bool stays = true;
    acquire(&vm->lock);
    for (uintptr_t page = PAGE_DOWN(va); page < va + nbytes; page += PAGE_SIZE)
        stays = stays && malloco_state(vm, page) == BLOCK_ACTIVE;
    release(&vm->lock);
    return stays;
}

static size_t clear_marked_pages(struct vm *vm)
{
    size_t cleared = 0, end;
    for (size_t page = 0; page < REGION_PAGES; page = end) {
        end = page + 1;
        if (!region_bit(vm->region.marked, page))
            continue;
        while (end < REGION_PAGES && region_bit(vm->region.marked, end))
            end++;
        cleared += vm_clear_pages(vm, address_of(page), address_of(end));
    }
    return cleared;
}

void malloco_sweep(struct vm *vm, struct swept *swept)
{
    struct region *r = &vm->region;
    size_t cleared = clear_marked_pages(vm);
    vm_free_cleared(vm, REGION_BASE, REGION_END, cleared);
    swept->pages += cleared;
    for (size_t i = 0; i < ARRAY_SIZE(r->marked); i++) {
        swept->blocks += (unsigned)__builtin_popcount(r->first[i] & r->marked[i]);
        r->granted[i] &= ~r->marked[i];
        r->first[i] &= ~r->marked[i];
        r->marked[i] = 0;
    }
    vm->reserved -= r->pages_marked;
    r->pages_granted -= r->pages_marked;
    r->pages_marked = 0;
}

unsigned malloco_describe(const struct vm *vm, uintptr_t va)
{
    static const unsigned bits[] = { 0, PAGE_IS_GRANTED, PAGE_IS_GRANTED | PAGE_IS_MARKED };
    bool first = region_bit(vm->region.first, (va - REGION_BASE) >> PAGE_SHIFT);
    return bits[malloco_state(vm, va)] | (first ? PAGE_IS_FIRST : 0);
}
