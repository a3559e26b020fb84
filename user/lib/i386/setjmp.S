# setjmp.S -- save what a function call must preserve, and go back to it.
#   jmp_buf: word 0 ebx, 1 esi, 2 edi, 3 ebp, 4 esp after the return, 5 eip, 6 the x87 control word.
#   The eight x87 registers are empty at every call, so there is nothing in them to save.
    .section .text.setjmp, "ax"
    .globl  setjmp
    .type   setjmp, @function
setjmp:                                 # jmp_buf; returns 0 now, longjmp's value later
    movl    4(%esp), %eax
    movl    %ebx, 0*4(%eax)
    movl    %esi, 1*4(%eax)
    movl    %edi, 2*4(%eax)
    movl    %ebp, 3*4(%eax)
    leal    4(%esp), %ecx
    movl    %ecx, 4*4(%eax)
    movl    (%esp), %ecx
    movl    %ecx, 5*4(%eax)
    fnstcw  6*4(%eax)
    xorl    %eax, %eax
    ret
    .size   setjmp, . - setjmp

    .section .text.longjmp, "ax"
    .globl  longjmp
    .type   longjmp, @function
longjmp:                                # jmp_buf, value; 0 becomes 1
    movl    4(%esp), %edx
    movl    8(%esp), %eax
    testl   %eax, %eax
    jnz     1f
    incl    %eax
1:  movl    0*4(%edx), %ebx
    movl    1*4(%edx), %esi
    movl    2*4(%edx), %edi
    movl    3*4(%edx), %ebp
    movl    4*4(%edx), %esp
    fldcw   6*4(%edx)
    jmp     *5*4(%edx)
    .size   longjmp, . - longjmp

    .section .note.GNU-stack, "", @progbits
