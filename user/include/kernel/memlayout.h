/* kernel/memlayout.h -- addresses under xv6's names. The whole picture is in docs/memory-maps.md. */
#ifndef TAMAL_XV6_MEMLAYOUT_H
#define TAMAL_XV6_MEMLAYOUT_H

#include "kernel/riscv.h"                       /* KERNBASE and PHYSTOP, too: kernel/machine.h */

#define TRAMPOLINE (MAXVA - PGSIZE)             /* nothing is there for a program, as in xv6 */
#define TRAPFRAME  (TRAMPOLINE - PGSIZE)

#endif
