# entry.S -- from the boot loader to C (Multiboot 0.6.96): protected mode, flat segments, paging off, interrupts off;
# eax = magic, ebx = what the loader tells. One CPU, so one way in.

#include "offsets.h"

    .section .multiboot, "a"
    .balign 4
    .long   0x1BADB002, 0x3, -(0x1BADB002 + 0x3)        # magic; modules on pages, memory map; checksum

    .section .text.entry, "ax"
    .global _start
# before: no stack of ours.   after: kmain() on the idle task's stack.
_start:
    movl    $boot_stack + 4096 - TF_SIZE - 12, %esp     # 16-byte aligned before a call
    movl    %eax, boot_arguments
    movl    %ebx, boot_arguments + 4
    movl    $boot_task, current_task
    xorl    %ebp, %ebp                  # the backtrace ends here
    pushl   $0
    popfl
    cld
    call    kmain
1:  hlt
    jmp     1b

# cpu_wait: hlt wakes for an interrupt only while they are on; sti takes effect after the next instruction, so none can
# come in between. It is handled here.
    .global cpu_wait
cpu_wait:
    sti
    hlt
    cli
    ret

# jump_to_task(selector): the processor saves all registers in the current TSS and loads them from that one (7.3).
# No instruction before the jump changes flags: QEMU 7.2 would put those in the place of the flags that the TSS holds, which
# are a forked child's own.
    .section .text.hot, "ax"
    .global jump_to_task
jump_to_task:
    pushl   4(%esp)                     # a far pointer: selector, ...
    pushl   $0                          # ... and offset, which is ignored
    ljmp    *(%esp)
    addl    $8, %esp                    # here we are again
    ret

    .text
    .global become_idle_task
# become_idle_task(tss): the code that runs since power-on becomes the task of GDT_TSS_IDLE and goes on here.
become_idle_task:
    movl    4(%esp), %eax
    movl    $1f, 32(%eax)               # eip
    pushfl
    popl    36(%eax)                    # eflags
    movl    %ebx, 52(%eax)
    movl    %esp, 56(%eax)
    movl    %ebp, 60(%eax)
    movl    %esi, 64(%eax)
    movl    %edi, 68(%eax)
    ljmp    $SELECTOR(GDT_TSS_IDLE), $0
1:  ret

    .bss
    .balign 4096
    .global boot_stack, emergency_stack
boot_stack:                             # the idle task lives on it
    .skip   4096
emergency_stack:                        # reports a kernel stack overflow
    .skip   4096

    .section .note.GNU-stack, "", %progbits
