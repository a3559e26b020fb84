/*
 * usercopy.c -- the kernel's only access to user memory: see usercopy.h.
 *
 * The loads and stores are in arch/ (usercopy.S), where a fault can be fixed up; sys/trap.c resolves such a fault like
 * the program's own.
 */
#include "arch/arch.h"
#include "lib/printk.h"
#include "mm/malloco.h"
#include "mm/usercopy.h"

HOT int copy_from_user(void *dst, vaddr_t src, size_t nbytes)
{
    if (nbytes == 0)
        return 0;
    if (!vm_range_ok(src.addr, nbytes))
        return -EFAULT;
    user_access_begin();
    size_t left = arch_copy_user(dst, (const void *)src.addr, nbytes);
    user_access_end();
    return left == 0 ? 0 : -EFAULT;
}

HOT int copy_to_user(vaddr_t dst, const void *src, size_t nbytes)
{
    if (nbytes == 0)
        return 0;
    if (!vm_range_ok(dst.addr, nbytes))
        return -EFAULT;
    user_access_begin();
    size_t left = arch_copy_user((void *)dst.addr, src, nbytes);
    user_access_end();
    return left == 0 ? 0 : -EFAULT;
}

int clear_user(vaddr_t dst, size_t nbytes)
{
    if (nbytes == 0)
        return 0;
    if (!vm_range_ok(dst.addr, nbytes))
        return -EFAULT;
    user_access_begin();
    size_t left = arch_clear_user((void *)dst.addr, nbytes);
    user_access_end();
    return left == 0 ? 0 : -EFAULT;
}

/* user_room -- how many bytes from va on could belong to a program, at most `max`. */
static size_t user_room(uintptr_t va, size_t max)
{
    if (!vm_range_ok(va, 1))
        return 0;
    uintptr_t end = va >= REGION_BASE && va < REGION_END ? REGION_END : USER_LIMIT;     /* either may be the higher one */
    return MIN(max, end - va);
}

long copy_string_from_user(char *dst, vaddr_t src, size_t size)
{
    size_t room = user_room(src.addr, size);
    if (room == 0)
        return -EFAULT;
    user_access_begin();
    size_t length = arch_copy_user_string(dst, (const char *)src.addr, room);
    user_access_end();
    if (length == (size_t)-1)
        return -EFAULT;
    if (length == room)
        return room == size ? -ENAMETOOLONG : -EFAULT;
    return (long)length;
}

HOT int user_fault_in(vaddr_t va, size_t nbytes, bool write)
{
    if (nbytes == 0)
        return 0;
    if (!vm_range_ok(va.addr, nbytes))
        return -EFAULT;
    if (UNLIKELY(va.addr >= REGION_BASE && va.addr < REGION_END) && !malloco_stays(vm_of(current()), va.addr, nbytes))
        return -EFAULT;                         /* the sweeper might take it in the middle of the call */
    user_access_begin();
    size_t left = arch_touch_user((void *)va.addr, nbytes, write);
    user_access_end();
    return left == 0 ? 0 : -EFAULT;
}
