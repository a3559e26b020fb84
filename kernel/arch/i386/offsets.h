/* offsets.h -- where assembly finds the fields of struct context and struct trap_frame; arch.c asserts each. Selectors. */
#ifndef I386_OFFSETS_H
#define I386_OFFSETS_H

#define GDT_CODE_0_SEL   0x08
#define GDT_CODE_3_SEL   0x13           /* index 2, level 3 */
#define GDT_DATA_0_SEL   0x18
#define GDT_DATA_3_SEL   0x23           /* index 4, level 3 */
#define GDT_TSS_FAULT    6              /* index: the double-fault task */
#define GDT_TSS_INITIAL  11             /* index: what the processor is in before its first switch */
#define GDT_TSS_IDLE     12
#define GDT_TSS_START    13             /* the first of the tasks' */
#define GDT_TSS_SWEEPER  20
#define GDT_COUNT        8192           /* as many as the processor can address */
#define SELECTOR(index)  ((index) << 3)

#define CPUS_MAX  1

#define CTX_STACK 108                   /* struct context: behind the TSS of 104 bytes and its frame pointer */

#define TF_CS     52
#define TF_SIZE   68
#define EFLAGS_VM 0x20000               /* virtual-8086 mode */
#define STACK_SPARE 320                 /* a kernel trap wants its frame and this much besides, or reports an overflow */

#endif
