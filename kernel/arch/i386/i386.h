/* i386.h -- what the files of this machine share among themselves; nobody else includes it. */
#ifndef I386_I386_H
#define I386_I386_H

#include "arch/arch.h"

extern struct task boot_task;                   /* the idle task */

/* gdt.c: one 8-byte descriptor; 3.4.5. */
typedef struct {
    uint16_t limit_15_0, base_15_0;
    uint8_t  base_23_16;
    uint8_t  type : 4, s : 1, dpl : 2, p : 1;
    uint8_t  limit_19_16 : 4, avl : 1, l : 1, db : 1, g : 1;
    uint8_t  base_31_24;
} __attribute__((packed)) gdt_entry_t;
extern gdt_entry_t gdt[GDT_COUNT];

void gdt_init(void);
unsigned gdt_take(const struct tss *tss);       /* the index of a free entry, filled for this TSS; 0: none */
void gdt_give_back(unsigned index);

/* tss.c */
gdt_entry_t tss_gdt_entry_for_task(const struct tss *tss);
void tss_init(void);                            /* the initial TSS becomes current: TR = 0x58 */
void tss_for_kernel(struct tss *tss, uintptr_t stack_end, void (*code)(void));
extern struct tss initial_tss, sweeper_tss, fault_tss;

/* idt.c */
void idt_init(void);

/* interrupt.c */
void interrupt_init(void);                      /* the PICs, the clock's interrupt */

/* platform.c */
void platform_init(void);

/* isr.S, entry.S, fp.c */
void jump_to_task(unsigned selector);           /* jmp far to a TSS; returns when somebody jumps back */
void become_idle_task(struct tss *tss);         /* goes on as the task of TSS 0x60 */
void double_fault_task(void);
bool fp_first_use(void);                        /* device not available: the registers are the current task's now. false: no memory */

static inline uintptr_t read_cr2(void) { uintptr_t v; __asm__ volatile("movl %%cr2, %0" : "=r"(v)); return v; }
static inline uintptr_t read_cr3(void) { uintptr_t v; __asm__ volatile("movl %%cr3, %0" : "=r"(v)); return v; }
static inline void write_cr3(uintptr_t v) { __asm__ volatile("movl %0, %%cr3" :: "r"(v) : "memory"); }
static inline unsigned read_tr(void) { uint16_t v; __asm__ volatile("str %0" : "=r"(v)); return v; }

#endif
