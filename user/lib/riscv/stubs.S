# stubs.S -- one function per line of abi/syscalls.def: call_NAME, also called NAME.
#
#   ecall: number in a7, arguments in a0.. as C passes them, result in a0.
#   A result in [-4095, -1] is an error number negated: errno is set and -1 returned.
#
# The plain names are weak, so a program may define a function of that name. Names in the list below have no
# alias at all: the library has a function of that name with more to do, in C.

    .set    wrapped_exec, 1             # unistd.c: looks in /bin
    .set    wrapped_exit, 1             # exit.c: flushes files
    .set    wrapped_getcwd, 1           # unistd.c: returns the buffer
    .set    wrapped_time, 1             # time.c: returns the seconds
    .set    wrapped_utime, 1            # time.c: the seconds by value

    .macro  stub number, name
    .section .text.call_\name, "ax"
    .globl  call_\name
    .type   call_\name, @function
call_\name:
    .ifndef wrapped_\name
    .weak   \name
    .set    \name, call_\name
    .endif
    li      a7, \number
    ecall
    li      t0, -4095
    bgeu    a0, t0, failed_call
    ret
    .size   call_\name, . - call_\name
    .endm

#define SYSCALL(number, result, name, parameters) stub number, name
#include "abi/syscalls.def"

# long syscall(long number, ...)
    .section .text.syscall, "ax"
    .globl  syscall
    .type   syscall, @function
syscall:
    mv      a7, a0
    mv      a0, a1
    mv      a1, a2
    mv      a2, a3
    mv      a3, a4
    mv      a4, a5
    mv      a5, a6
    ecall
    li      t0, -4095
    bgeu    a0, t0, failed_call
    ret

# failed_call: a0 = negated error number; the end of a stub whose caller is in ra
    .section .text.failed_call, "ax"
failed_call:
    neg     a0, a0
    la      t0, errno
    sw      a0, 0(t0)
    li      a0, -1
    ret
