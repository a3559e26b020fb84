/* tests/i386/calls.h -- system calls as only assembly can make them: with a known value in every register, or without a memory
 * access of the program's. The other machine's file of this name offers the same. Each program includes it once. */
#ifndef TAMAL_TESTS_CALLS_H
#define TAMAL_TESTS_CALLS_H

/* fork by its number with a known value in every register that a program may use; *wrong: which of them came back changed. */
long fork_with_patterns(unsigned long *wrong);
__asm__(
    ".text\n"
    ".globl fork_with_patterns\n"
    "fork_with_patterns:\n"
    "    pushl %ebx; pushl %esi; pushl %edi; pushl %ebp; pushl %fs; pushl %gs\n"
    "    movw %cs, %ax; movw %ax, %fs\n"        /* fs and gs: two other values that a program may load */
    "    xorl %eax, %eax; movw %ax, %gs\n"
    "    movl $0x1eb10101, %ebx; movl $0x1ec10102, %ecx; movl $0x1ed10103, %edx\n"
    "    movl $0x1e510104, %esi; movl $0x1ed20105, %edi\n"
    "    movb $0xd5, %ah; sahf; std\n"          /* every flag of arithmetic but overflow, and the direction */
    "    pushfl\n"
    "    movl %esp, %ebp\n"
    "    int $222\n"
    "    pushfl\n"
    "    cld\n"
    "    subl $4, %ebp; xorl %esp, %ebp\n"      /* 0 if both are intact; from here on ebp collects what differs */
    "    subl $0x1eb10101, %ebx; orl %ebx, %ebp\n"
    "    subl $0x1ec10102, %ecx; orl %ecx, %ebp\n"
    "    subl $0x1ed10103, %edx; orl %edx, %ebp\n"
    "    subl $0x1e510104, %esi; orl %esi, %ebp\n"
    "    subl $0x1ed20105, %edi; orl %edi, %ebp\n"
    "    popl %ebx; popl %ecx; xorl %ecx, %ebx; orl %ebx, %ebp\n"
    "    xorl %ebx, %ebx; xorl %ecx, %ecx\n"
    "    movw %cs, %bx; movw %fs, %cx; subl %ecx, %ebx; orl %ebx, %ebp\n"
    "    movw %gs, %cx; orl %ecx, %ebp\n"
    "    movw %ds, %cx; movw %ss, %bx; xorl %ecx, %ebx; orl %ebx, %ebp\n"
    "    movw %es, %cx; movw %ss, %bx; xorl %ecx, %ebx; orl %ebx, %ebp\n"
    "    movl 28(%esp), %ecx\n"
    "    movl %ebp, (%ecx)\n"
    "    popl %gs; popl %fs; popl %ebp; popl %edi; popl %esi; popl %ebx\n"
    "    ret\n");

/* failalloc(n), then the call, then failalloc(0), without a memory write of the program in between: after fork, a write to
 * the stack is an allocation, too. *left: 0 when the n-th one was reached. */
long call_with_failure(long n, long number, long a0, long a1, long a2, long *left);

/* The same with a load or a store instead of a call. */
void load_with_failure(long n, const volatile void *address, long *left);
void store_with_failure(long n, volatile void *address, long *left);

__asm__(
    ".text\n"
    "call_with_failure:\n"
    "    pushl %ebx; pushl %esi\n"
    "    movl 12(%esp), %ebx; movl $46, %eax; int $0x80\n"
    "    movl 16(%esp), %eax; movl 20(%esp), %ebx; movl 24(%esp), %ecx; movl 28(%esp), %edx\n"
    "    cmpl $100, %eax; je 1f\n"
    "    cmpl $222, %eax; je 2f\n"
    "    int $0x80\n"
    "    jmp 3f\n"
    "1:  movl %ebx, %eax; int $100\n"
    "    jmp 3f\n"
    "2:  int $222\n"
    "3:  movl %eax, %esi\n"
    "    xorl %ebx, %ebx; movl $46, %eax; int $0x80\n"
    "    movl 32(%esp), %ecx; movl %eax, (%ecx)\n"
    "    movl %esi, %eax\n"
    "    popl %esi; popl %ebx\n"
    "    ret\n"
    "load_with_failure:\n"
    "    pushl %ebx\n"
    "    movl 12(%esp), %ecx\n"
    "    movl 8(%esp), %ebx; movl $46, %eax; int $0x80\n"
    "    movb (%ecx), %dl\n"
    "    xorl %ebx, %ebx; movl $46, %eax; int $0x80\n"
    "    movl 16(%esp), %ecx; movl %eax, (%ecx)\n"
    "    popl %ebx\n"
    "    ret\n"
    "store_with_failure:\n"
    "    pushl %ebx\n"
    "    movl 12(%esp), %ecx\n"
    "    movl 8(%esp), %ebx; movl $46, %eax; int $0x80\n"
    "    movb $46, (%ecx)\n"
    "    xorl %ebx, %ebx; movl $46, %eax; int $0x80\n"
    "    movl 16(%esp), %ecx; movl %eax, (%ecx)\n"
    "    popl %ebx\n"
    "    ret\n");

#endif
