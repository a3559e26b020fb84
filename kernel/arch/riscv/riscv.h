/* riscv.h -- what the files of this machine share among themselves; nobody else includes it. */
#ifndef RISCV_RISCV_H
#define RISCV_RISCV_H

#include "arch/arch.h"

extern struct task boot_task;                   /* the boot hart's idle task; entry.S makes it current */

/* platform.c: what the device tree says about this machine and nobody else needs. */
struct platform {
    bool      sstc;                             /* timer compare register (Sstc extension) */
    uintptr_t plic;
    unsigned  plic_context[64];                 /* S-mode context of hart_ids[i] */
};
extern struct platform platform;
void platform_init(const void *device_tree);

/* sbi.c */
void sbi_init(void);                            /* needs platform.sstc */
void sbi_remote_fence(uint64_t harts);          /* bit = hart number */

/* interrupt.c */
void interrupt_init(void);                      /* PLIC, boot hart */
void trap_init_cpu(void);                       /* stvec, enabled interrupts of this hart */

/* entry.S, fp.c */
void switch_registers(struct context *save, struct context *load);
void start_hart(void);
void trap_entry(void);
void fp_save(struct fp_state *fp);
void fp_load(const struct fp_state *fp);
bool fp_first_use(struct task *t);              /* an illegal instruction that floating point explains: retry */

#define CSR_READ(name) ({ uintptr_t v_; __asm__ volatile("csrr %0, " #name : "=r"(v_)); v_; })
#define CSR_WRITE(name, value) __asm__ volatile("csrw " #name ", %0" :: "r"((uintptr_t)(value)) : "memory")
#define CSR_SET(name, bits) __asm__ volatile("csrs " #name ", %0" :: "r"((uintptr_t)(bits)) : "memory")
#define CSR_CLEAR(name, bits) __asm__ volatile("csrc " #name ", %0" :: "r"((uintptr_t)(bits)) : "memory")

#endif
