/*
 * gdt.c -- the global descriptor table: flat segments, and one TSS descriptor for each task.
 *
 *   index  selector                                  index  selector
 *     0    0x00   null                                 11   0x58   TSS before the first switch
 *     1    0x08   code, level 0                        12   0x60   TSS of the idle task
 *     2    0x13   code, level 3                        13.. 0x68.. TSS of tasks, but for
 *     3    0x18   data, level 0                        20   0xA0   TSS of the sweeper
 *     4    0x23   data, level 3
 *     6    0x30   TSS of the double-fault task
 *
 * Owns:     gdt[]. Free entries are linked: an entry that is not present is ours to use, and holds the next one's index.
 * Locks:    one CPU, interrupts off.
 */
#include "lib/printk.h"
#include "lib/string.h"
#include "i386.h"

#define TYPE_CODE 0xA                   /* execute, read */
#define TYPE_DATA 0x2                   /* read, write */

gdt_entry_t gdt[GDT_COUNT] ALIGNED(8);
static unsigned first_free;

/* flat -- all 4 GiB: REGION lies at 2.5 GiB, out of reach of shorter segments (A000-21). */
static gdt_entry_t flat(unsigned type, unsigned level)
{
    return (gdt_entry_t){ .limit_15_0 = 0xFFFF, .limit_19_16 = 0xF, .g = 1, .db = 1, .s = 1, .p = 1,
                          .type = (uint8_t)(type & 0xF), .dpl = (uint8_t)(level & 3) };
}

unsigned gdt_take(const struct tss *tss)
{
    unsigned index = first_free;
    if (index == 0)
        return 0;
    first_free = gdt[index].limit_15_0;
    gdt[index] = tss_gdt_entry_for_task(tss);
    return index;
}

void gdt_give_back(unsigned index)
{
    KASSERT(gdt[index].p && index >= GDT_TSS_START && index != GDT_TSS_SWEEPER);
    gdt[index] = (gdt_entry_t){ .limit_15_0 = (uint16_t)first_free };
    first_free = index;
}

void gdt_init(void)
{
    struct { uint16_t limit; uint32_t base; } __attribute__((packed)) gdtr = { sizeof(gdt) - 1, (uint32_t)gdt };
    gdt[1] = flat(TYPE_CODE, 0);
    gdt[2] = flat(TYPE_CODE, 3);
    gdt[3] = flat(TYPE_DATA, 0);
    gdt[4] = flat(TYPE_DATA, 3);
    gdt[GDT_TSS_FAULT] = tss_gdt_entry_for_task(&fault_tss);
    gdt[GDT_TSS_INITIAL] = tss_gdt_entry_for_task(&initial_tss);
    gdt[GDT_TSS_SWEEPER] = tss_gdt_entry_for_task(&sweeper_tss);
    for (unsigned i = GDT_COUNT - 1; i >= GDT_TSS_START; i--)
        if (i != GDT_TSS_SWEEPER) {
            gdt[i].limit_15_0 = (uint16_t)first_free;
            first_free = i;
        }
    __asm__ volatile("lgdt %0\n\t"
                     "ljmp %1, $1f\n"
                     "1:\tmovl %2, %%ds\n\tmovl %2, %%es\n\tmovl %2, %%fs\n\tmovl %2, %%gs\n\tmovl %2, %%ss"
                     :: "m"(gdtr), "i"(GDT_CODE_0_SEL), "r"(GDT_DATA_0_SEL) : "memory");
}
