/* kernel/machine.h -- what xv6 programs want to know of this machine, RISC-V: addresses and registers. */
#ifndef TAMAL_XV6_MACHINE_H
#define TAMAL_XV6_MACHINE_H

#include "kernel/types.h"

#define MAXVA    (1L << 38)                     /* Sv39, positive half */
#define KERNBASE 0x80000000L                    /* RAM; a program that touches it is killed */
#define PHYSTOP  (KERNBASE + 128L * 1024 * 1024)

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

#endif
