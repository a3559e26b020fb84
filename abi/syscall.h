/* abi/syscall.h -- SYS_* numbers, from syscalls.def. */
#ifndef ABI_SYSCALL_H
#define ABI_SYSCALL_H

#define SYSCALL(nr, result, name, params) SYS_##name = (nr),
enum syscall_number {
#include "abi/syscalls.def"
    SYSCALL_LIMIT                       /* one past the last number */
};
#undef SYSCALL

#endif
