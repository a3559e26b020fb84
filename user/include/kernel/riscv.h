/* kernel/riscv.h -- page arithmetic and registers under xv6's names. */
#ifndef TAMAL_XV6_RISCV_H
#define TAMAL_XV6_RISCV_H

#include "kernel/types.h"

#define PGSIZE  4096
#define PGSHIFT 12
#define PGROUNDUP(size) (((size) + PGSIZE - 1) & ~(PGSIZE - 1))
#define PGROUNDDOWN(a)  ((a) & ~(PGSIZE - 1))

#ifdef __riscv
#define MAXVA (1L << 38)                        /* Sv39, positive half */

static inline uint64 r_sp(void)
{
    uint64 value;
    __asm__ volatile("mv %0, sp" : "=r"(value));
    return value;
}

static inline uint64 r_time(void)
{
    uint64 value;
    __asm__ volatile("rdtime %0" : "=r"(value));
    return value;
}
#else
#define MAXVA 0x80000000UL
#endif

#endif
