# trap.S -- the only way into the kernel after start-up, and the way back.
#
# sscratch tells where a trap came from: in user mode it holds the task, in the kernel it is 0.
# The page table stays, no fence is needed: the kernel is mapped in every address space.
# Outside this file's kernel path sstatus always has SPP = 0 and SPIE = 1, so that sret means "to user mode with
# interrupts on" and the user path need not touch sstatus at all (each CSR access costs as much as 50 instructions
# under the emulator).

#include "offsets.h"

.macro save_registers                   # all but sp, tp, pc; sp = frame
    sd      ra, TF_RA(sp)
    sd      gp, TF_GP(sp)
    sd      t0, TF_T0(sp)
    sd      t1, TF_T1(sp)
    sd      t2, TF_T2(sp)
    sd      s0, TF_S0(sp)
    sd      s1, TF_S1(sp)
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
    sd      a\n, TF_A0 + 8 * \n(sp)
    .endr
    .irp    n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    sd      s\n, TF_S2 + 8 * (\n - 2)(sp)
    .endr
    .irp    n, 3, 4, 5, 6
    sd      t\n, TF_T3 + 8 * (\n - 3)(sp)
    .endr
.endm

.macro load_registers                   # the same ones back
    ld      ra, TF_RA(sp)
    ld      gp, TF_GP(sp)
    ld      t0, TF_T0(sp)
    ld      t1, TF_T1(sp)
    ld      t2, TF_T2(sp)
    ld      s0, TF_S0(sp)
    ld      s1, TF_S1(sp)
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
    ld      a\n, TF_A0 + 8 * \n(sp)
    .endr
    .irp    n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    ld      s\n, TF_S2 + 8 * (\n - 2)(sp)
    .endr
    .irp    n, 3, 4, 5, 6
    ld      t\n, TF_T3 + 8 * (\n - 3)(sp)
    .endr
.endm

    .section .text.hot, "ax"
    .balign 4                           # stvec keeps its mode in the low two bits
    .global trap_entry
trap_entry:
    csrrw   tp, sscratch, tp
    beqz    tp, from_kernel

# ---- user mode --(system call, fault, interrupt)--> kernel
#   before: sp, tp = the user's; user tp is in sscratch    after: sp = task's trap frame, tp = task, sscratch = 0
    sd      sp, CTX_SCRATCH(tp)
    ld      sp, CTX_FRAME(tp)
    save_registers
    ld      t0, CTX_SCRATCH(tp)
    sd      t0, TF_SP(sp)
    csrrw   t1, sscratch, zero
    sd      t1, TF_TP(sp)
    csrr    t2, sepc
    csrr    a1, scause
    mv      s0, zero                    # a backtrace ends here
    mv      a0, sp
    li      t0, 8                       # ecall from user mode
    bne     a1, t0, 1f
    addi    t2, t2, 4                   # a system call returns behind its ecall
    sd      t2, TF_PC(sp)
    ld      a1, TF_A7(sp)
    call    user_syscall
    j       user_return
1:  sd      t2, TF_PC(sp)
    call    user_trap

# ---- back to user mode; interrupts are off, sp = trap frame
    .global user_return
user_return:
    ld      t0, TF_PC(sp)
    csrw    sepc, t0
    csrw    sscratch, tp
    load_registers
    ld      tp, TF_TP(sp)
    ld      sp, TF_SP(sp)
    sret

    .global user_enter
user_enter:                             # the first time: no trap to return from
    ld      sp, CTX_FRAME(tp)
    j       user_return

# ---- kernel --(interrupt, or a fault in a user copy)--> kernel, on the same stack
#   before: sscratch = tp, tp = 0
from_kernel:
    csrrw   tp, sscratch, zero
    sd      t0, CTX_SCRATCH(tp)
    ld      t0, CTX_STACK(tp)
    sub     t0, sp, t0                  # room left on the stack; a negative number looks huge
    addi    t0, t0, -(TF_SIZE + STACK_SPARE)
    srli    t0, t0, 12                  # so anything but 0 here is no stack of this task
    bnez    t0, overflow
    ld      t0, CTX_SCRATCH(tp)
    addi    sp, sp, -TF_SIZE
    save_registers
    addi    t0, sp, TF_SIZE
    sd      t0, TF_SP(sp)
    sd      tp, TF_TP(sp)
    csrr    t0, sepc
    sd      t0, TF_PC(sp)
    li      t1, 0x100                   # SPP: clear it, ...
    csrrc   t0, sstatus, t1
    sd      t0, TF_STATUS(sp)
    li      t1, 0x20
    csrs    sstatus, t1                 # ... set SPIE: the invariant above
    csrr    a1, scause
    mv      a0, sp
    call    kernel_trap
    ld      t0, TF_STATUS(sp)
    csrw    sstatus, t0
    ld      t0, TF_PC(sp)
    csrw    sepc, t0
    load_registers
    ld      sp, TF_SP(sp)
    sret

# ---- no room for a trap frame: the kernel stack ran over, or sp is garbage. Report from a stack of its own.
overflow:
    la      t0, emergency_taken
    amoswap.w t0, tp, (t0)              # one reporter; a second one stops here
    sext.w  t0, t0
    beqz    t0, 2f
1:  wfi
    j       1b
2:  mv      a0, sp
    csrr    a1, sepc
    mv      a2, s0
    la      sp, emergency_stack + 4096
    la      t0, emergency_stack
    sd      t0, CTX_STACK(tp)           # so that a further trap has somewhere to go
    call    stack_overflow

    .bss
    .balign 8
emergency_taken:
    .skip   8
