/*
 * idt.c -- the interrupt descriptor table: which vectors exist, and which of them a program may use.
 *
 * All are interrupt gates: interrupts are off when the kernel begins. DPL 3 only for the system calls: `int 14` in a program is a
 * general protection fault, not a page fault.
 * Owns:     idt[].
 */
#include "i386.h"

typedef struct {                        /* 6.11 */
    uint16_t offset_15_0, selector;
    uint8_t  zero, type : 5, dpl : 2, present : 1;
    uint16_t offset_31_16;
} __attribute__((packed)) idt_entry_t;

#define TYPE_TASK_GATE      0x05
#define TYPE_INTERRUPT_GATE 0x0E

idt_entry_t idt[256] ALIGNED(8);

static void set_gate(unsigned vector, uint32_t code, unsigned level)
{
    idt[vector] = (idt_entry_t){ .offset_15_0 = code & 0xFFFF, .offset_31_16 = (uint16_t)(code >> 16),
                                 .selector = GDT_CODE_0_SEL, .type = TYPE_INTERRUPT_GATE, .dpl = level & 3, .present = 1 };
}

#define IDT_ENTRY0(n) do { extern char _isr##n[]; set_gate(n, (uint32_t)_isr##n, 0); } while (0)
#define IDT_ENTRY3(n) do { extern char _isr##n[]; set_gate(n, (uint32_t)_isr##n, 3); } while (0)

void idt_init(void)
{
    struct { uint16_t limit; uint32_t base; } __attribute__((packed)) idtr = { sizeof(idt) - 1, (uint32_t)idt };

    IDT_ENTRY0(0);  IDT_ENTRY0(1);  IDT_ENTRY0(2);  IDT_ENTRY0(3);  IDT_ENTRY0(4);  IDT_ENTRY0(5);  IDT_ENTRY0(6);
    IDT_ENTRY0(7);  IDT_ENTRY0(9);  IDT_ENTRY0(10); IDT_ENTRY0(11); IDT_ENTRY0(12); IDT_ENTRY0(13); IDT_ENTRY0(14);
    IDT_ENTRY0(15); IDT_ENTRY0(16); IDT_ENTRY0(17); IDT_ENTRY0(18); IDT_ENTRY0(19); IDT_ENTRY0(20);

    /* The double fault comes as a task of its own: the stack it was caused on is not to be trusted. */
    idt[8] = (idt_entry_t){ .selector = SELECTOR(GDT_TSS_FAULT), .type = TYPE_TASK_GATE, .present = 1 };

    IDT_ENTRY0(32); IDT_ENTRY0(33); IDT_ENTRY0(34); IDT_ENTRY0(35); IDT_ENTRY0(36); IDT_ENTRY0(37); IDT_ENTRY0(38);
    IDT_ENTRY0(39); IDT_ENTRY0(40); IDT_ENTRY0(41); IDT_ENTRY0(42); IDT_ENTRY0(43); IDT_ENTRY0(44); IDT_ENTRY0(45);
    IDT_ENTRY0(46); IDT_ENTRY0(47);

    IDT_ENTRY3(100);                    /* malloco */
    IDT_ENTRY3(101);                    /* chau */
    IDT_ENTRY3(128);                    /* all other system calls */
    IDT_ENTRY3(222);                    /* fork */
    __asm__ volatile("lidt %0" :: "m"(idtr));
}
