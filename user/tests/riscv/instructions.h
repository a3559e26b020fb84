/* tests/riscv/instructions.h -- what only assembly can do, for the tests of faults, of memory and of floating point.
 * The other machine's file of this name offers the same. */
#ifndef TAMAL_TESTS_INSTRUCTIONS_H
#define TAMAL_TESTS_INSTRUCTIONS_H

#include "user/user.h"

static inline uintptr_t stack_pointer(void)
{
    uintptr_t sp;
    __asm__ volatile("mv %0, sp" : "=r"(sp));
    return sp;
}

/* Registers that a function must give back to its caller, with other values; for one that never returns. */
__attribute__((always_inline)) static inline void change_kept_registers(void)
{
    __asm__ volatile("li s1, 1; li s2, 2; li s3, 3; li s4, 4; li s5, 5; li s6, 6; li s7, 7; li s8, 8\n"
                     "li s9, 9; li s10, 10; li s11, 11"
                     ::: "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11");
}
#define LONGJMP_RESTORES_ROUNDING 0

/* ---- Faults. Each of these ends the task that does it, and nobody else. */
struct deed {
    const char *name;
    void (*function)(void);
};
#define DEED(name, text) static inline void name(void) { __asm__ volatile(text ::: "memory"); }

DEED(illegal_instruction, ".word 0")
DEED(read_status, "csrr t0, sstatus")
DEED(kernel_return, "sret")
DEED(fence_tlb, "sfence.vma")
DEED(write_page_table, "csrw satp, zero")
DEED(breakpoint, "ebreak")
static const struct deed forbidden[] = {
    { "illegal instruction", illegal_instruction }, { "csrr sstatus", read_status }, { "sret", kernel_return },
    { "sfence.vma", fence_tlb }, { "csrw satp", write_page_table }, { "ebreak", breakpoint },
};

/* Registers that would hurt a trap path which trusts them; at the end a load that faults. */
DEED(kernel_addresses, "li sp, 0x80200000; li tp, 0; li gp, -1; li ra, 1; lb a0, 0(zero)")
DEED(call_without_stack, "li sp, -16; li a7, 11; ecall; lb a0, 0(zero)")
static const struct deed hostile[] = {
    { "kernel addresses in sp, tp, gp, ra", kernel_addresses }, { "a call without a stack", call_without_stack },
};

/* ---- Calls in a state that the kernel must not trust and must give back: 0, or what was wrong. */
static inline int odd_registers(void)
{
    register uintptr_t a7 __asm__("a7") = 11;   /* getpid */
    register uintptr_t a0 __asm__("a0");
    uintptr_t wrong;
    __asm__ volatile(
        "mv t1, tp; mv t2, gp; mv t3, sp\n"
        "li tp, 1; li gp, -1; li sp, 3\n"
        "ecall\n"
        "addi tp, tp, -1; addi gp, gp, 1; addi sp, sp, -3\n"
        "or %0, tp, gp; or %0, %0, sp\n"
        "mv tp, t1; mv gp, t2; mv sp, t3"
        : "=&r"(wrong), "=r"(a0), "+r"(a7) :: "t1", "t2", "t3", "memory");
    return wrong != 0 || a0 != (uintptr_t)getpid();
}

static inline int registers_lost(void)
{
    register uintptr_t a7 __asm__("a7") = 11;   /* getpid */
    register uintptr_t a0 __asm__("a0") = 0;
    register uintptr_t a1 __asm__("a1") = 0x1a1, a2 __asm__("a2") = 0x1a2, a5 __asm__("a5") = 0x1a5;
    register uintptr_t t0 __asm__("t0") = 0x101, t6 __asm__("t6") = 0x106, s5 __asm__("s5") = 0x1055;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a5), "+r"(a7), "+r"(t0), "+r"(t6), "+r"(s5) :: "memory");
    return a1 != 0x1a1 || a2 != 0x1a2 || a5 != 0x1a5 || a7 != 11 || t0 != 0x101 || t6 != 0x106 || s5 != 0x1055;
}

static const struct { const char *name; int (*function)(void); } odd_calls[] = {
    { "other registers are kept", registers_lost }, { "odd sp, tp, gp", odd_registers },
};

/* ---- Floating point */

/* Set registers, let time pass in a loop that touches none, look: one asm block, so that the compiler keeps out.
 * 0: all are as they were set. */
static inline long float_spin(long base, long rounds)
{
    long bad, other = base + 7;

    __asm__ volatile(
        "fcvt.d.l f0, %1\n fcvt.d.l f9, %2\n fcvt.d.l f18, %1\n fcvt.d.l f31, %2\n"
        "1: addi %3, %3, -1\n bnez %3, 1b\n"
        "fcvt.l.d t0, f0\n  sub t0, t0, %1\n mv %0, t0\n"
        "fcvt.l.d t0, f9\n  sub t0, t0, %2\n or %0, %0, t0\n"
        "fcvt.l.d t0, f18\n sub t0, t0, %1\n or %0, %0, t0\n"
        "fcvt.l.d t0, f31\n sub t0, t0, %2\n or %0, %0, t0\n"
        : "=&r"(bad), "+r"(base), "+r"(other), "+r"(rounds)
        :: "t0", "f0", "f9", "f18", "f31", "memory");
    return bad;
}

/* Put `value` into a register, make a call, read the register. */
static inline long float_over_call(long number, long argument, long value)
{
    register long a7 __asm__("a7") = number, a0 __asm__("a0") = argument;
    long seen;
    __asm__ volatile("fcvt.d.l f20, %2\n ecall\n fcvt.l.d %1, f20"
                     : "+r"(a0), "=&r"(seen) : "r"(value), "r"(a7) : "f20", "memory");
    return seen;
}

static inline long float_over_fork(long value, int *pid)
{
    register long a7 __asm__("a7") = 222, a0 __asm__("a0") = 0;
    long seen;
    __asm__ volatile("fcvt.d.l f21, %2\n ecall\n fcvt.l.d %1, f21"
                     : "+r"(a0), "=&r"(seen) : "r"(value), "r"(a7) : "f21", "memory");
    *pid = (int)a0;
    return seen;
}

static inline void float_change_all(long base)
{
    __asm__ volatile(
        "fcvt.d.l f0, %0\n fcvt.d.l f1, %1\n fcvt.d.l f2, %2\n fcvt.d.l f8, %0\n fcvt.d.l f9, %1\n fcvt.d.l f18, %2\n"
        "fcvt.d.l f27, %0\n fcvt.d.l f28, %1\n fcvt.d.l f31, %2\n"
        :: "r"(base), "r"(base + 1), "r"(base + 2)
        : "f0", "f1", "f2", "f8", "f9", "f18", "f27", "f28", "f31");
}

/* The rounding mode: 0 to nearest; 1 and 2 are others. */
static inline void float_set_rounding(long mode) { __asm__ volatile("fsrm zero, %0" :: "r"(mode)); }
static inline long float_rounding(void)
{
    long mode;
    __asm__ volatile("frrm %0" : "=r"(mode));
    return mode;
}

/* What a program that the task ran before may have left behind, and: nothing is left of it. */
static inline void float_leave_traces(void)
{
    __asm__ volatile("fcvt.d.w fs1, %0\n fsrm zero, %1" :: "r"(7), "r"(1) : "fs1");
}

static inline int float_is_fresh(void)
{
    long bits, status;
    __asm__ volatile("fmv.x.d %0, fs1\n frcsr %1" : "=r"(bits), "=r"(status));
    return bits == 0 && status == 0;
}

/* ---- Every register over one instruction (R000-1, A000-2): each gets a value of its own, the instruction is executed, and they
 * are looked at. A call's result apart: 0, or the name of the first one that is not as it was. */

/* registers_over_NAME(a0, a7, seen): seen[n] is what xn holds afterwards; seen[0] is the stack pointer before. */
__asm__("   .macro  registers_over name, instruction:vararg\n"
        "   .globl  registers_over_\\name\n"
        "registers_over_\\name:\n"
        "   addi    sp, sp, -384\n"
        "   .irp    n, 1, 3, 4, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27\n"
        "   sd      x\\n, 128 + 8 * \\n(sp)\n"
        "   .endr\n"
        "   sd      a2, 376(sp)\n"
        "   sd      sp, 0(a2)\n"
        "   mv      a7, a1\n"
        "   .irp    n, 1, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27\n"
        "   li      x\\n, 0x7a5a0000c3c30000 + \\n\n"
        "   .endr\n"
        "   .irp    n, 28, 29, 30, 31\n"
        "   li      x\\n, 0x7a5a0000c3c30000 + \\n\n"
        "   .endr\n"
        "   \\instruction\n"
        "   sd      x31, -8(sp)\n"                      /* two registers to work with; nobody else uses this stack */
        "   sd      x30, -16(sp)\n"
        "   ld      x31, 376(sp)\n"
        "   .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25\n"
        "   sd      x\\n, 8 * \\n(x31)\n"
        "   .endr\n"
        "   .irp    n, 26, 27, 28, 29\n"
        "   sd      x\\n, 8 * \\n(x31)\n"
        "   .endr\n"
        "   ld      x30, -16(sp)\n"
        "   sd      x30, 240(x31)\n"
        "   ld      x30, -8(sp)\n"
        "   sd      x30, 248(x31)\n"
        "   .irp    n, 1, 3, 4, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27\n"
        "   ld      x\\n, 128 + 8 * \\n(sp)\n"
        "   .endr\n"
        "   addi    sp, sp, 384\n"
        "   ret\n"
        "   .endm\n"
        "   .pushsection .text.registers_over, \"ax\"\n"
        "   registers_over call, ecall\n"
        "   registers_over store, sb zero, 0(a0)\n"
        "   .popsection\n");

void registers_over_call(unsigned long a0, unsigned long a7, unsigned long *seen);
void registers_over_store(unsigned long a0, unsigned long a7, unsigned long *seen);

static inline const char *changed_register(const unsigned long *seen, unsigned long a7)
{
    static char name[4];

    for (int n = 1; n < 32; n++) {
        unsigned long expected = n == 2 ? seen[0] : n == 17 ? a7 : 0x7a5a0000c3c30000ul + (unsigned)n;
        if (n != 10 && seen[n] != expected) {
            snprintf(name, sizeof name, "x%d", n);
            return name;
        }
    }
    return 0;
}

/* malloco (100) or chau (101), with this argument. `variant` is for machines that have flags. */
static inline const char *changed_by_call(unsigned variant, unsigned long number, unsigned long argument, unsigned long *result)
{
    unsigned long seen[32];
    (void)variant;

    registers_over_call(argument, number, seen);
    *result = seen[10];
    return changed_register(seen, number);
}

/* One byte, 0. */
static inline const char *changed_by_store(unsigned variant, char *address)
{
    unsigned long seen[32];
    (void)variant;

    registers_over_store((unsigned long)address, 0, seen);
    return seen[10] != (unsigned long)address ? "x10" : changed_register(seen, 0);
}

/* ---- Accesses to memory. Memory that is all zeros stays so. */
#define TOUCH(instruction, address) \
    __asm__ volatile(instruction : : "r"(address) : "t0", "ft0", "memory")

/* One instruction that accesses up to 8 bytes at `address`, a multiple of 8. */
#define TOUCHES 10
static inline void touch_page(int how, char *address)
{
    switch (how) {
    case 0: TOUCH("lb t0, 0(%0)", address); break;
    case 1: TOUCH("lh t0, 0(%0)", address); break;
    case 2: TOUCH("lw t0, 0(%0)", address); break;
    case 3: TOUCH("ld t0, 0(%0)", address); break;
    case 4: TOUCH("sb zero, 0(%0)", address); break;
    case 5: TOUCH("sh zero, 0(%0)", address); break;
    case 6: TOUCH("sw zero, 0(%0)", address); break;
    case 7: TOUCH("sd zero, 0(%0)", address); break;
    case 8: TOUCH("amoadd.d t0, zero, (%0)", address); break;
    case 9: TOUCH("lr.d t0, (%0)", address); break;
    }
}

/* One instruction that accesses bytes on both sides of a boundary of pages. */
#define TOUCHES_OF_TWO 8
static inline void touch_two_pages(int how, char *boundary)
{
    switch (how) {
    case 0: TOUCH("lh t0, -1(%0)", boundary); break;
    case 1: TOUCH("lw t0, -1(%0)", boundary); break;
    case 2: TOUCH("ld t0, -7(%0)", boundary); break;
    case 3: TOUCH("fld ft0, -4(%0)", boundary); break;
    case 4: TOUCH("sh zero, -1(%0)", boundary); break;
    case 5: TOUCH("sw zero, -3(%0)", boundary); break;
    case 6: TOUCH("sd zero, -1(%0)", boundary); break;
    case 7: TOUCH("fmv.d.x ft0, zero; fsd ft0, -6(%0)", boundary); break;
    }
}

static inline unsigned long load_unaligned(const char *address)
{
    unsigned long value;
    __asm__ volatile("ld %0, 0(%1)" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void store_unaligned(char *address, unsigned long value)
{
    __asm__ volatile("sd %0, 0(%1)" : : "r"(value), "r"(address) : "memory");
}

/* ---- What the tests of malloco and chau must know of this machine */
#define TABLES_OF_A_PAGE 2                      /* a task's own, between its root and a page of REGION */
#define TABLE_BYTES      (2ul << 20)            /* what the last of them maps */
#define SWEEPER_TASKS    1                      /* the sweeper is in the list of tasks */
#define SWEEP_LATE       2                      /* ticks that a sweep may begin late */

/* Other numbers with the lower 32 bits of this one, to be listed: a machine of 64 bits must not take them for it. */
#define WIDE_ALIASES(number) (number) + (1ul << 32), (number) - (1ul << 32), (number) | 0xffffffff00000000,

#endif
