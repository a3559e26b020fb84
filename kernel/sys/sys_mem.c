/* sys_mem.c -- system calls about the calling task's memory. */
#include "mm/vm.h"
#include "sys/syscall.h"

long sys_sbrk(struct task *self, const uintptr_t arg[])
{
    return vm_grow_heap(vm_of(self), (intptr_t)arg[0], false);
}

long sys_sbrklazy(struct task *self, const uintptr_t arg[])
{
    return vm_grow_heap(vm_of(self), (intptr_t)arg[0], true);
}
