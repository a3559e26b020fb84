# isr.S -- the only way into the kernel after start-up, and the way back: one entry for each vector.
#
# From user mode the processor loads ss:esp from the task's TSS (ss0:esp0, the top of its kernel stack); from the kernel it
# stays on the stack it is on. The page table stays: the kernel is mapped in every address space.

#include "offsets.h"

    .macro  ISR n                       # a vector without an error code
    .global _isr\n
_isr\n:
    pushl   $0
    pushl   $\n
    jmp     trap_entry
    .endm

    .macro  ISR_ERROR n                 # the processor has pushed an error code
    .global _isr\n
_isr\n:
    pushl   $\n
    jmp     trap_entry
    .endm

    .section .text.hot, "ax"
    ISR 0
    ISR 1
    ISR 2
    ISR 3
    ISR 4
    ISR 5
    ISR 6
    ISR 7
    ISR 9
    ISR_ERROR 10
    ISR_ERROR 11
    ISR_ERROR 12
    ISR_ERROR 13
    ISR_ERROR 14
    ISR 15
    ISR 16
    ISR_ERROR 17
    ISR 18
    ISR 19
    ISR 20
    .irp    n, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47
    ISR \n
    .endr
    ISR 100
    ISR 101
    ISR 128
    ISR 222

# ---- any vector: the rest of struct trap_frame, then C
trap_entry:
    pushal
    pushl   %ds
    pushl   %es
    movl    $GDT_DATA_0_SEL, %eax       # a program may have loaded anything there
    movl    %eax, %ds
    movl    %eax, %es
    cld
    movl    %esp, %ebx                  # the frame
    testb   $3, TF_CS(%ebx)
    jz      from_kernel
from_user:
    xorl    %ebp, %ebp                  # a backtrace ends here
    subl    $8, %esp                    # 16-byte aligned before a call
    pushl   %ebx
    call    user_trap
    movl    %ebx, %esp

# ---- back; interrupts are off, esp = trap frame
    .global trap_return
trap_return:
    popl    %es
    popl    %ds
    popal
    addl    $8, %esp                    # vector, error code
    iret

    .global user_enter
user_enter:                             # the first time: no trap to return from
    movl    current_task, %eax
    movl    CTX_STACK - 4(%eax), %esp   # context.frame
    jmp     trap_return

# ---- kernel --(interrupt, or a fault in a user copy)--> kernel, on the same stack
from_kernel:
    testl   $EFLAGS_VM, TF_CS + 4(%ebx) # virtual-8086 mode: cs is no selector. QEMU 7.2 lets a program go there by iret
    jnz     from_user
    movl    current_task, %eax
    movl    %esp, %ecx
    subl    CTX_STACK(%eax), %ecx       # room left on the stack; the sweeper's is another one
    cmpl    $4096, %ecx
    jae     1f
    cmpl    $STACK_SPARE, %ecx
    jb      overflow
1:  andl    $-16, %esp
    subl    $12, %esp
    pushl   %ebx
    call    kernel_trap
    movl    %ebx, %esp
    jmp     trap_return

# ---- the kernel stack ran over. Report from a stack of its own.
overflow:
    movl    %esp, %eax
    movl    $emergency_stack + 4096, %esp
    pushl   12 * 4(%ebx)                # pc
    pushl   %eax
    call    stack_overflow

    .section .note.GNU-stack, "", %progbits
