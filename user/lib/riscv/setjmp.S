# setjmp.S -- save what a function call must preserve, and go back to it.
#   jmp_buf: word 0 ra, 1 sp, 2..13 s0..s11, 14..25 fs0..fs11
    .macro  each_register op, fop
    \op     ra,   0*8(a0)
    \op     sp,   1*8(a0)
    \op     s0,   2*8(a0)
    \op     s1,   3*8(a0)
    \op     s2,   4*8(a0)
    \op     s3,   5*8(a0)
    \op     s4,   6*8(a0)
    \op     s5,   7*8(a0)
    \op     s6,   8*8(a0)
    \op     s7,   9*8(a0)
    \op     s8,  10*8(a0)
    \op     s9,  11*8(a0)
    \op     s10, 12*8(a0)
    \op     s11, 13*8(a0)
    \fop    fs0,  14*8(a0)
    \fop    fs1,  15*8(a0)
    \fop    fs2,  16*8(a0)
    \fop    fs3,  17*8(a0)
    \fop    fs4,  18*8(a0)
    \fop    fs5,  19*8(a0)
    \fop    fs6,  20*8(a0)
    \fop    fs7,  21*8(a0)
    \fop    fs8,  22*8(a0)
    \fop    fs9,  23*8(a0)
    \fop    fs10, 24*8(a0)
    \fop    fs11, 25*8(a0)
    .endm

    .section .text.setjmp, "ax"
    .globl  setjmp
setjmp:                                 # a0 = jmp_buf; returns 0 now, longjmp's value later
    each_register sd, fsd
    li      a0, 0
    ret

    .section .text.longjmp, "ax"
    .globl  longjmp
longjmp:                                # a0 = jmp_buf, a1 = value; 0 becomes 1
    each_register ld, fld
    seqz    a0, a1
    add     a0, a0, a1
    ret
