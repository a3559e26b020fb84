/* kernel/machine.h -- what xv6 programs want to know of this machine, i386: addresses and registers. */
#ifndef TAMAL_XV6_MACHINE_H
#define TAMAL_XV6_MACHINE_H

#include "kernel/types.h"

#define MAXVA    0xC0000000UL                   /* nothing of a program is here or above */
#define KERNBASE 0x00100000UL                   /* the kernel; a program that touches it is killed */
#define PHYSTOP  0x07000000UL                   /* the kernel uses no memory above */

static inline uint32 r_sp(void)
{
    uint32 value;
    __asm__ volatile("movl %%esp, %0" : "=r"(value));
    return value;
}

static inline uint64 r_time(void)
{
    uint64 value;
    __asm__ volatile("rdtsc" : "=A"(value));
    return value;
}

#endif
