# crt0.S -- where a program starts.
#   before: eax = argc, edx = argv, esp = top of the stack, 16-aligned, nothing above it is ours
#   after:  never returns here: start_program() calls main() and exits
    .section .text.start, "ax"
    .globl _start
_start:
    xorl    %ebp, %ebp                  # end of every backtrace
    subl    $8, %esp                    # the two arguments make it 16 again, as C wants it at a call
    pushl   %edx
    pushl   %eax
    call    start_program
    ud2

    .section .note.GNU-stack, "", @progbits
