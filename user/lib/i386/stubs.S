# stubs.S -- one function per line of abi/syscalls.def: call_NAME, also called NAME.
#
#   malloco 100, chau 101, fork 222    gates of their own: int $100, int $101, int $222; argument and result in eax
#   all others                         int $0x80: number in eax, arguments in ebx, ecx, edx, esi, edi, result in eax
#   A result in [-4095, -1] is an error number negated: errno is set and -1 returned.
#
# C passes arguments on the stack, the first above the return address, and wants ebx, esi, edi, ebp back as they were.
# The kernel gives back every register but eax.
#
# The plain names are weak, so a program may define a function of that name. Names in the list below have no
# alias at all: the library has a function of that name with more to do, in C.

    .set    wrapped_exec, 1             # unistd.c: looks in /bin
    .set    wrapped_exit, 1             # exit.c: flushes files
    .set    wrapped_getcwd, 1           # unistd.c: returns the buffer
    .set    wrapped_time, 1             # time.c: returns the seconds
    .set    wrapped_utime, 1            # time.c: the seconds by value

    .macro  through_own_gate number
    movl    4(%esp), %eax               # fork has no argument: this is a word read for nothing
    int     $\number
    .endm

    .macro  through_common_gate number, count
    pushl   %ebx
    movl    8(%esp), %ebx
    .if     \count >= 2
    movl    12(%esp), %ecx
    .endif
    .if     \count >= 3
    movl    16(%esp), %edx
    .endif
    .if     \count >= 4
    pushl   %esi
    movl    24(%esp), %esi
    .endif
    .if     \count >= 5
    pushl   %edi
    movl    32(%esp), %edi
    .endif
    movl    $\number, %eax
    int     $0x80
    .if     \count >= 5
    popl    %edi
    .endif
    .if     \count >= 4
    popl    %esi
    .endif
    popl    %ebx
    .endm

    .macro  stub number, name, count
    .section .text.call_\name, "ax"
    .globl  call_\name
    .type   call_\name, @function
call_\name:
    .ifndef wrapped_\name
    .weak   \name
    .set    \name, call_\name
    .endif
    .if     \number == 100 || \number == 101 || \number == 222
    through_own_gate \number
    .else
    through_common_gate \number, \count
    .endif
    cmpl    $-4095, %eax
    jae     failed_call
    ret
    .size   call_\name, . - call_\name
    .endm

#define SIXTH(a, b, c, d, e, f, ...) f
#define COUNT(...) SIXTH(__VA_ARGS__, 5, 4, 3, 2, 1, 0) /* how many parameters; (void) counts as one */
#define SYSCALL(number, result, name, parameters) stub number, name, COUNT parameters
#include "abi/syscalls.def"

# long syscall(long number, ...): up to five arguments; those that were not given are whatever lies on the stack
    .section .text.syscall, "ax"
    .globl  syscall
    .type   syscall, @function
syscall:
    movl    4(%esp), %eax
    cmpl    $100, %eax
    je      1f
    cmpl    $101, %eax
    je      2f
    cmpl    $222, %eax
    je      3f
    pushl   %ebx
    pushl   %esi
    pushl   %edi
    movl    20(%esp), %ebx
    movl    24(%esp), %ecx
    movl    28(%esp), %edx
    movl    32(%esp), %esi
    movl    36(%esp), %edi
    int     $0x80
    popl    %edi
    popl    %esi
    popl    %ebx
    jmp     4f
1:  movl    8(%esp), %eax
    int     $100
    jmp     4f
2:  movl    8(%esp), %eax
    int     $101
    jmp     4f
3:  int     $222
4:  cmpl    $-4095, %eax
    jae     failed_call
    ret
    .size   syscall, . - syscall

# failed_call: eax = negated error number; the end of a stub whose caller's address lies on the stack
    .section .text.failed_call, "ax"
failed_call:
    negl    %eax
    movl    %eax, errno
    movl    $-1, %eax
    ret

    .section .note.GNU-stack, "", @progbits
