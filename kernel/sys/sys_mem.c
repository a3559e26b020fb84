/* sys_mem.c -- system calls about memory: the caller's heap, blocks and areas, and statistics about everybody's. */
#include "mm/kalloc.h"
#include "mm/malloco.h"
#include "mm/usercopy.h"
#include "sys/syscall.h"
#include "task/memstat.h"

long sys_sbrk(struct task *self, const uintptr_t arg[])
{
    return vm_grow_heap(vm_of(self), (intptr_t)arg[0], false);
}

long sys_sbrklazy(struct task *self, const uintptr_t arg[])
{
    return vm_grow_heap(vm_of(self), (intptr_t)arg[0], true);
}

long sys_malloco(struct task *self, const uintptr_t arg[])
{
    return (long)malloco(vm_of(self), arg[0]);
}

long sys_chau(struct task *self, const uintptr_t arg[])
{
    return chau(vm_of(self), arg[0]);
}

long sys_tamalloc(struct task *self, const uintptr_t arg[])
{
    return tamalloc(vm_of(self), arg[0]);
}

/* ---- Statistics. No lock is held while something is copied out, which may fault in the buffer. */

/* get_all_pid_stats(buf, max) -- rows by ascending pid, as many as fit; returns how many live user tasks there are. */
long sys_get_all_pid_stats(struct task *self, const uintptr_t arg[])
{
    struct process_mem_info row;
    int max = (int)arg[1], live = 0, err = 0;
    (void)self;
    if (max < 0)
        return -EINVAL;
    for (int after = 0; err == 0 && memstat_next(&row, after); after = row.pid) {
        if (live < max)
            err = copy_to_user(va_of(arg[0] + (size_t)live * sizeof(row)), &row, sizeof(row));
        live++;
        preempt_point();
    }
    return err != 0 ? err : live;
}

long sys_get_all_mem_stats(struct task *self, const uintptr_t arg[])
{
    struct system_mem_summary sum = { 0, 0 };
    struct process_mem_info row;
    (void)self;
    for (int after = 0; memstat_next(&row, after); after = row.pid) {
        sum.total_reserved_memory += row.reserved_memory;
        sum.total_committed_memory += row.committed_memory;
        preempt_point();
    }
    sum.total_reserved_memory >>= 10;           /* KiB -> MiB once: R004-7 */
    sum.total_committed_memory >>= 10;
    return copy_to_user(va_of(arg[0]), &sum, sizeof(sum));
}

long sys_get_mem_stats(struct task *self, const uintptr_t arg[])
{
    struct process_mem_info row;
    (void)self;
    if ((int)arg[0] == 0 || !memstat_of(&row, (int)arg[0]))  /* no task has pid 0 */
        return -ESRCH;
    return copy_to_user(va_of(arg[1]), &row, sizeof(row));
}

/* arealist(pid, areas, max) -- the areas of a task, as many as fit; returns how many there are. pid 0: the caller. */
long sys_arealist(struct task *self, const uintptr_t arg[])
{
    struct area_info info = { .end = 0 };
    struct space_found found;
    int max = (int)arg[2], count = 0, err = 0;
    (void)self;
    if (max < 0)
        return -EINVAL;
    while (err == 0) {
        if (!task_find_space(&found, (int)arg[0]))
            return -ESRCH;                      /* also when it ended meanwhile */
        bool more = vm_describe_area(found.vm, info.end, &info);
        release(&found.vm->lock);
        if (!more)
            break;
        if (count < max)
            err = copy_to_user(va_of(arg[1] + (size_t)count * sizeof(info)), &info, sizeof(info));
        count++;
        preempt_point();
    }
    return err != 0 ? err : count;
}

/* pagemap(pid, start, states, npages) -- one byte of PAGE_IS_* for each page of a task from the one of `start` on. */
long sys_pagemap(struct task *self, const uintptr_t arg[])
{
    uint8_t states[64];
    struct space_found found;
    size_t npages = arg[3];
    uintptr_t va = PAGE_DOWN(arg[1]);
    for (size_t done = 0, n; done < npages; done += n) {
        n = MIN(npages - done, sizeof(states));
        if (!vm_range_ok(va + done * PAGE_SIZE, n * PAGE_SIZE))
            return -EINVAL;
        if (self->killed)
            return -EINTR;
        if (!task_find_space(&found, (int)arg[0]))
            return -ESRCH;
        vm_describe_pages(found.vm, va + done * PAGE_SIZE, states, n);
        release(&found.vm->lock);
        if (copy_to_user(va_of(arg[2] + done), states, n) != 0)
            return -EFAULT;
        preempt_point();
    }
    return 0;
}

/* failalloc(n) -- T-2, debug builds: the caller's n-th allocation from now fails, of a frame or a small object; 0: none. Returns
 * what was left of the number set before: 0 when that failure has happened. */
long sys_failalloc(struct task *self, const uintptr_t arg[])
{
#ifdef DEBUG
    long left = (long)self->fail_alloc_at;
    self->fail_alloc_at = arg[0];
    self->alloc_was_failed = false;
    return left;
#else
    (void)self, (void)arg;
    return -ENOSYS;
#endif
}
