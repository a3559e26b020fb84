/*
 * syscall.c -- from a number to a function. The table comes from abi/syscalls.def: a call is one line there and one
 * function sys_NAME in sys_task.c, sys_mem.c or sys_file.c.
 */
#include "abi/syscall.h"
#include "sys/syscall.h"

#define SYSCALL(nr, result, name, params) [nr] = sys_##name,
static long (*const handlers[SYSCALL_LIMIT])(struct task *self, const uintptr_t arg[]) = {
#include "abi/syscalls.def"
};
#undef SYSCALL

HOT void syscall(struct trap_frame *tf, unsigned long number, const uintptr_t arg[])
{
    long result = -ENOSYS;
    if (LIKELY(number < SYSCALL_LIMIT && handlers[number] != NULL))
        result = handlers[number](current(), arg);
    frame_set_result(tf, result);
}
