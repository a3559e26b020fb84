# entry.S -- from the firmware to C. OpenSBI enters one hart here in S-mode (a0 = hart, a1 = device tree, satp 0,
# interrupts off); the others are started later through SBI HSM at start_hart (a0 = hart, a1 = struct cpu's idle task).

#include "offsets.h"

    .section .text.entry
    .global _start
# before: paging off, no stack.   after: kmain() on the boot hart's idle stack, tp = its idle task.
#
# Only the first hart that comes here boots. OpenSBI 1.1 marks a hart as started before it writes down where it shall start:
# one that was still on its way to sleep then comes here, too, perhaps in the middle of our boot. It is told by its number.
_start:
    la      t0, boot_hart_taken
    li      t1, 1
    amoswap.w.aq t1, t1, (t0)
    bnez    t1, late_hart
    la      t0, __bss_start             # zero .bss: nothing is there yet
    la      t1, __bss_end
1:  sd      zero, (t0)
    addi    t0, t0, 8
    bltu    t0, t1, 1b
    csrw    sie, zero
    csrw    sscratch, zero              # 0 = "in the kernel", see trap.S
    li      t0, 0x6000
    csrc    sstatus, t0                 # floating point off
    la      tp, boot_task
    la      sp, boot_stack + 4096 - TF_SIZE
    mv      s0, zero                    # the backtrace ends here
    la      t0, boot_arguments
    sd      a0, 0(t0)
    sd      a1, 8(t0)
    call    kmain
1:  wfi
    j       1b

# before: a0 = a hart that arch_start_cpu() has entered in started_harts[].  after: as start_hart wants it.
late_hart:
    la      t0, started_harts
    li      t2, CPUS_MAX
1:  ld      t1, 0(t0)                   # hart
    ld      a1, 8(t0)                   # idle task, 0: none
    beqz    a1, 2f
    beq     t1, a0, start_hart
2:  addi    t0, t0, 16
    addi    t2, t2, -1
    bnez    t2, 1b
3:  wfi                                 # nobody asked for this one
    j       3b

    .global start_hart
# before: paging off, a1 = the idle task made for this hart.  after: cpu_main() on that task's stack.
start_hart:
    csrw    sie, zero
    csrw    sscratch, zero
    li      t0, 0x6000
    csrc    sstatus, t0
    mv      tp, a1
    ld      sp, CTX_FRAME(tp)
    mv      s0, zero
    call    cpu_main
1:  wfi
    j       1b

    .global switch_registers
# switch_registers(save = a0, load = a1): returns on the other task's stack; tp tells who that is.
switch_registers:
    sd      ra, CTX_RA(a0)
    sd      sp, CTX_SP(a0)
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    sd      s\n, CTX_S0 + 8 * \n(a0)
    .endr
    ld      ra, CTX_RA(a1)
    ld      sp, CTX_SP(a1)
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    ld      s\n, CTX_S0 + 8 * \n(a1)
    .endr
    ld      tp, CTX_TP(a1)
    ret

    .option push
    .option arch, +f, +d
    .global fp_save, fp_load
# fp_save(a0), fp_load(a0): all 32 registers and fcsr of struct fp_state; sstatus.FS must be on.
fp_save:
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fsd     f\n, 8 * \n(a0)
    .endr
    frcsr   t0
    sd      t0, 256(a0)
    ret
fp_load:
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fld     f\n, 8 * \n(a0)
    .endr
    ld      t0, 256(a0)
    fscsr   t0
    ret
    .option pop

# cpu_wait: wfi as the last instruction of its page. The emulator's record/replay counts the rest of wfi's
# translation block otherwise; a page end ends the block.
    .global cpu_wait
    .balign 4096
    .option push
    .option norvc
    .skip   4092
cpu_wait:
    wfi
    ret
    .option pop

    .data
    .balign 4
boot_hart_taken:                        # not in .bss, which the boot hart clears
    .word   0

    .bss
    .balign 4096
    .global boot_stack, emergency_stack
boot_stack:                             # the boot hart's idle task lives on it
    .skip   4096
emergency_stack:                        # reports a kernel stack overflow
    .skip   4096
