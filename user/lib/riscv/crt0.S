# crt0.S -- where a program starts.
#   before: a0 = argc, a1 = argv, sp = top of the stack, 16-aligned, nothing above it is ours
#   after:  never returns here: start_program() calls main() and exits
    .section .text.start, "ax"
    .globl _start
_start:
    .option push
    .option norelax                     # gp itself cannot be set relative to gp
    la      gp, __global_pointer$
    .option pop
    li      ra, 0                       # end of every backtrace
    li      s0, 0
    call    start_program
    ebreak
