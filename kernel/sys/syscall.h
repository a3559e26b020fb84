/* syscall.h -- shape of a system call's function: long sys_NAME(self, arg). Returns its result or a negative errno.
 * Runs with interrupts off, in the task's own kernel stack; may suspend. Arguments are words as the user passed them:
 * nothing about them is checked yet. */
#ifndef SYS_SYSCALL_H
#define SYS_SYSCALL_H

#include "sched/sched.h"

#define SYSCALL(nr, result, name, params) long sys_##name(struct task *self, const uintptr_t arg[]);
#include "abi/syscalls.def"
#undef SYSCALL

/* exec_path -- replace the current task's program: path and argument strings are kernel memory here.
 * Returns argc, or a negative errno and nothing changed. See exec.c. */
MUST_CHECK long exec_path(const char *path, const char *const *argv);

/* symbol_name -- the function that holds pc, and how far into it; NULL: none. */
const char *symbol_name(uintptr_t pc, uintptr_t *offset);

#endif
