/* kernel/riscv.h -- page arithmetic and registers under xv6's names; kernel/machine.h says what differs between machines. */
#ifndef TAMAL_XV6_RISCV_H
#define TAMAL_XV6_RISCV_H

#include "kernel/types.h"
#include "kernel/machine.h"

#define PGSIZE  4096
#define PGSHIFT 12
#define PGROUNDUP(size) (((size) + PGSIZE - 1) & ~(PGSIZE - 1))
#define PGROUNDDOWN(a)  ((a) & ~(PGSIZE - 1))

#endif
