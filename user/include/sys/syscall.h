/* sys/syscall.h -- SYS_* numbers, and call_NAME(): the bare system calls under names no program redefines.
 *
 * Each call_NAME returns the kernel's result, or -1 with errno set. The library calls these, never the plain
 * names, so that a program may have a function called `write` of its own.
 */
#ifndef TAMAL_SYS_SYSCALL_H
#define TAMAL_SYS_SYSCALL_H

#include <stddef.h>
#include <stdint.h>
#include "abi/syscall.h"

struct stat;
struct statfs;
struct task_info;
struct kcounters;
struct area_info;
struct process_mem_info;
struct system_mem_summary;

#define SYSCALL(nr, result, name, params) result call_##name params;
#include "abi/syscalls.def"
#undef SYSCALL

long syscall(long number, ...);                 /* any call by number; -1 and errno on error */

#endif
