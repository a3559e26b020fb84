/* tests/riscv/calls.h -- system calls as only assembly can make them: with a known value in every register, or without a memory
 * access of the program's. The other machine's file of this name offers the same. Each program includes it once. */
#ifndef TAMAL_TESTS_CALLS_H
#define TAMAL_TESTS_CALLS_H

#define REGISTERS \
    "ra, gp, tp, t0, t1, t2, s0, s1, a1, a2, a3, a4, a5, a6, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5"

#define REGISTERS \
    "ra, gp, tp, t0, t1, t2, s0, s1, a1, a2, a3, a4, a5, a6, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5"

/* fork by its number with a known value in every register that a program may use; *wrong: which of them came back changed. */
long fork_with_patterns(unsigned long *wrong);
__asm__(
    ".text\n"
    ".globl fork_with_patterns\n"
    "fork_with_patterns:\n"
    "    addi sp, sp, -128\n"
    "    sd ra, 0(sp)\n    sd gp, 8(sp)\n    sd tp, 16(sp)\n    sd a0, 24(sp)\n"
    "    sd s0, 32(sp)\n   sd s1, 40(sp)\n   sd s2, 48(sp)\n    sd s3, 56(sp)\n"
    "    sd s4, 64(sp)\n   sd s5, 72(sp)\n   sd s6, 80(sp)\n    sd s7, 88(sp)\n"
    "    sd s8, 96(sp)\n   sd s9, 104(sp)\n  sd s10, 112(sp)\n  sd s11, 120(sp)\n"
    "    .set n, 0x101\n"
    "    .irp r, " REGISTERS "\n"
    "    li \\r, n\n"
    "    .set n, n + 1\n"
    "    .endr\n"
    "    mv t6, sp\n"
    "    li a7, 222\n"
    "    ecall\n"
    "    xor t6, t6, sp\n"                      /* 0 if both are intact; from here on t6 collects what differs */
    "    addi a7, a7, -222\n"
    "    or t6, t6, a7\n"
    "    .set n, 0x101\n"
    "    .irp r, " REGISTERS "\n"
    "    addi \\r, \\r, -n\n"
    "    or t6, t6, \\r\n"
    "    .set n, n + 1\n"
    "    .endr\n"
    "    ld ra, 0(sp)\n    ld gp, 8(sp)\n    ld tp, 16(sp)\n    ld a1, 24(sp)\n"
    "    ld s0, 32(sp)\n   ld s1, 40(sp)\n   ld s2, 48(sp)\n    ld s3, 56(sp)\n"
    "    ld s4, 64(sp)\n   ld s5, 72(sp)\n   ld s6, 80(sp)\n    ld s7, 88(sp)\n"
    "    ld s8, 96(sp)\n   ld s9, 104(sp)\n  ld s10, 112(sp)\n  ld s11, 120(sp)\n"
    "    sd t6, 0(a1)\n"
    "    addi sp, sp, 128\n"
    "    ret\n");

/* failalloc(n), then the call, then failalloc(0), without a memory access of the program in between: after fork, a write to
 * the stack is an allocation, too. *left: 0 when the n-th one was reached. */
long call_with_failure(long n, long number, long a0, long a1, long a2, long *left);

/* The same with a load or a store instead of a call. */
void load_with_failure(long n, const volatile void *address, long *left);
void store_with_failure(long n, volatile void *address, long *left);

__asm__(
    ".text\n"
    "call_with_failure:\n"
    "    mv t1, a1\n    mv t2, a2\n    mv t3, a3\n    mv t4, a4\n    mv t5, a5\n"
    "    li a7, 46\n    ecall\n"
    "    mv a0, t2\n    mv a1, t3\n    mv a2, t4\n    mv a7, t1\n    ecall\n"
    "    mv t1, a0\n"
    "    li a0, 0\n    li a7, 46\n    ecall\n"
    "    sd a0, 0(t5)\n"
    "    mv a0, t1\n"
    "    ret\n"
    "load_with_failure:\n"
    "    mv t1, a2\n    li a7, 46\n    ecall\n"
    "    lb zero, 0(a1)\n"
    "    li a0, 0\n    ecall\n"
    "    sd a0, 0(t1)\n"
    "    ret\n"
    "store_with_failure:\n"
    "    mv t1, a2\n    li a7, 46\n    ecall\n"
    "    sb a7, 0(a1)\n"
    "    li a0, 0\n    ecall\n"
    "    sd a0, 0(t1)\n"
    "    ret\n");

#endif
