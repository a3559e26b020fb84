/*
 * tamalloc.c -- large private areas that cost nothing until they are touched.
 *
 * Areas follow each other upwards with a page between that belongs to nobody, so that running over an area's end faults. They
 * stay until the task ends: the next one begins behind the last, and there is no hole to look for.
 * Locks:    vm->lock.
 */
#include "mm/malloco.h"

#define FIRST_ADDRESS (USER_IMAGE_END + PAGE_SIZE)              /* a guard page behind the heap's last possible one */
#define LAST_ADDRESS  (USER_STACK_TOP - STACK_MAX_BYTES - PAGE_SIZE)

static uintptr_t next_address(struct vm *vm)
{
    struct area *a;
    list_for_each_reverse(a, &vm->areas, link)
        if (a->kind == AREA_TAMALLOC)
            return a->end + PAGE_SIZE;
    return FIRST_ADDRESS;
}

long tamalloc(struct vm *vm, size_t nbytes)
{
    if (nbytes == 0 || nbytes > TASK_SIZE)              /* checked before rounding up, which could wrap */
        return -EINVAL;
    size_t length = PAGE_UP(nbytes);
    acquire(&vm->lock);
    uintptr_t start = next_address(vm);
    int err = start > LAST_ADDRESS || length > LAST_ADDRESS - start ? -ENOMEM : 0;
    if (err == 0)
        err = vm_insert_area(vm, start, start + length, AREA_TAMALLOC, PTE_READ | PTE_WRITE, 0);
    release(&vm->lock);
    return err != 0 ? err : (long)start;
}
