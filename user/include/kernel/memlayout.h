/* kernel/memlayout.h -- addresses under xv6's names. The whole picture is in docs/memory-maps.md. */
#ifndef TAMAL_XV6_MEMLAYOUT_H
#define TAMAL_XV6_MEMLAYOUT_H

#include "kernel/riscv.h"

#ifdef __riscv
#define KERNBASE 0x80000000L                    /* RAM; a program that touches it is killed */
#define PHYSTOP  (KERNBASE + 128L * 1024 * 1024)
#else
#define KERNBASE 0x00100000L
#define PHYSTOP  0x07000000L
#endif
#define TRAMPOLINE (MAXVA - PGSIZE)             /* nothing is there for a program, as in xv6 */
#define TRAPFRAME  (TRAMPOLINE - PGSIZE)

#endif
