/*
 * platform.c -- what the boot loader says about this machine, and the parts of a PC that every one has: PIT, CMOS clock, power.
 *
 * Owns:     `machine`, filled once and constant afterwards; the PIT.
 * Not here: interrupts (interrupt.c), the serial port and the disk (dev/).
 * References: Multiboot 0.6.96, 3.3; Intel 8254 data sheet.
 */
#include "lib/printk.h"
#include "lib/string.h"
#include "sched/sched.h"
#include "i386.h"

#define MULTIBOOT_MAGIC   0x2BADB002u
#define MULTIBOOT_CMDLINE 0x004u
#define MULTIBOOT_MODULES 0x008u
#define MULTIBOOT_MMAP    0x040u

struct multiboot {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
};
struct multiboot_module { uint32_t start, end, string, reserved; };
struct multiboot_range { uint32_t size; uint64_t base, length; uint32_t type; } __attribute__((packed));
#define RANGE_RAM 1

#define PIT_HZ        1193182u
#define PIT_COUNTER0  0x40              /* the clock interrupt */
#define PIT_COUNTER2  0x42              /* the speaker's; used once, to measure */
#define PIT_CONTROL   0x43
#define PIT_ONE_SHOT  0x30              /* both bytes, mode 0: one interrupt when the count has ended */
#define PORT_B        0x61              /* bit 0: counter 2 runs; bit 1: speaker; bit 5: its output */
#define CMOS_INDEX    0x70
#define CMOS_DATA     0x71
#define PORT_POWER    0x604             /* QEMU's ACPI: 0x2000 turns the machine off, exit status 0 */
#define PORT_EXIT     0xF4              /* isa-debug-exit: v ends QEMU with status 2 v + 1 */
#define PORT_KEYBOARD 0x64              /* 0xFE: reset */

struct machine machine;
bool cpus_take_turns;
uint32_t boot_arguments[2] __attribute__((section(".data"))) = { 0, 0 };        /* entry.S: magic, struct multiboot */

extern char __kernel_end[];

/* The range of RAM that the kernel lies in; what is below 1 MiB is left alone. */
static void read_memory(const struct multiboot *m)
{
    uint64_t end = 0;
    for (uintptr_t at = m->mmap_addr; (m->flags & MULTIBOOT_MMAP) && at < m->mmap_addr + m->mmap_length; ) {
        const struct multiboot_range *r = (const struct multiboot_range *)at;
        if (r->type == RANGE_RAM && r->base <= (uintptr_t)__kernel_end && r->base + r->length > (uintptr_t)__kernel_end)
            end = r->base + r->length;
        at += r->size + sizeof(r->size);
    }
    if (end == 0)
        panic("the boot loader names no memory");
    machine.kernel_end = PAGE_UP(__kernel_end);
    machine.memory_start = 0;
    machine.memory_end = (uintptr_t)MIN(end, 0xFFFFF000u);
    if (machine.memory_end > MEMORY_LIMIT) {
        printk("memory: %zu MiB are beyond 0x%lx and stay unused\n", (machine.memory_end - (size_t)MEMORY_LIMIT) >> 20, MEMORY_LIMIT);
        machine.memory_end = MEMORY_LIMIT;
    }
}

/* The command line begins with the kernel's own file name. */
static void read_command_line(const struct multiboot *m)
{
    const char *line = (m->flags & MULTIBOOT_CMDLINE) ? (const char *)m->cmdline : "";
    while (*line != '\0' && *line != ' ')
        line++;
    while (*line == ' ')
        line++;
    if (copy_string(machine.command_line, line, COMMAND_LINE_MAX) >= COMMAND_LINE_MAX)
        printk("boot: the command line is longer than %d bytes and was cut\n", COMMAND_LINE_MAX - 1);
}

/* measure_clock -- how often the time-stamp counter counts in a second: 5 ms of it beside the PIT. An emulator's host may take
 * the processor away meanwhile, which makes it longer: the shortest of several is right. */
static uint64_t measure_clock(void)
{
    const unsigned per_second = 200, count = PIT_HZ / per_second;
    uint64_t shortest = UINT64_MAX;
    io_write8(PORT_B, (uint8_t)((io_read8(PORT_B) & ~3u) | 1));
    for (unsigned i = 0; i < 8; i++) {
        io_write8(PIT_CONTROL, 0xB0);                   /* counter 2, both bytes, mode 0 */
        io_write8(PIT_COUNTER2, count & 0xFF);
        io_write8(PIT_COUNTER2, count >> 8);
        uint64_t start = clock_now();
        while ((io_read8(PORT_B) & 0x20) == 0)
            ;
        shortest = MIN(shortest, clock_now() - start);
    }
    return shortest * per_second;
}

void platform_init(void)
{
    const struct multiboot *m = (const struct multiboot *)boot_arguments[1];
    if (boot_arguments[0] != MULTIBOOT_MAGIC)
        panic("no multiboot loader brought us here: eax is 0x%x", boot_arguments[0]);
    read_memory(m);
    read_command_line(m);
    if ((m->flags & MULTIBOOT_MODULES) && m->mods_count > 0) {
        const struct multiboot_module *module = (const struct multiboot_module *)m->mods_addr;
        if (module->start >= machine.kernel_end && module->end <= machine.memory_end && module->start < module->end) {
            machine.initrd_start = module->start;
            machine.initrd_end = module->end;
        } else {
            printk("initrd: not in the memory that is used, ignored\n");
        }
    }
    machine.harts = 1;
    machine.uart.base = 0x3F8;
    machine.uart.irq = 4;
    machine.clock_hz = measure_clock();
}

/* arch_init -- what the loader left lies in memory that becomes free frames: all that is needed is copied here. */
void arch_init(void)
{
    gdt_init();
    tss_init();
    idt_init();
    platform_init();
}

void arch_init_cpu(void) { interrupt_init(); }

/* ---- Time. The PIT is set for one interrupt at a time; it can count 55 ms at most, and whoever is early sets it again. */

void timer_set(uint64_t when)
{
    uint64_t now = clock_now(), count = 1;
    io_write8(PIT_CONTROL, PIT_ONE_SHOT);               /* without a count it stands still */
    if (when == TIMER_NEVER)
        return;
    if (when > now)
        count = (when - now) * PIT_HZ / machine.clock_hz + 1;
    count = MIN(count, 0xFFFFu);
    io_write8(PIT_COUNTER0, (uint8_t)count);
    io_write8(PIT_COUNTER0, (uint8_t)(count >> 8));
}

static unsigned cmos(unsigned index)
{
    io_write8(CMOS_INDEX, (uint8_t)index);
    return io_read8(CMOS_DATA);
}

static int from_bcd(unsigned value) { return (int)((value >> 4) * 10 + (value & 15)); }

struct cmos_time { unsigned field[6]; };                /* second minute hour day month year, in BCD */

static struct cmos_time read_cmos(void)
{
    static const uint8_t index[6] = { 0, 2, 4, 7, 8, 9 };
    struct cmos_time t;
    while (cmos(10) & 0x80)                             /* it is being updated */
        ;
    for (unsigned i = 0; i < 6; i++)
        t.field[i] = cmos(index[i]);
    return t;
}

/* rtc_seconds -- the civil date as days since 1970-01-01, Gregorian; the year begins in March here. */
int64_t rtc_seconds(void)
{
    struct cmos_time t, again = read_cmos();
    do {
        t = again;
        again = read_cmos();
    } while (memcmp(&t, &again, sizeof(t)) != 0);       /* not across an update */
    int second = from_bcd(t.field[0]), minute = from_bcd(t.field[1]), hour = from_bcd(t.field[2]);
    int day = from_bcd(t.field[3]), month = from_bcd(t.field[4]), year = 2000 + from_bcd(t.field[5]);
    if (month <= 2)
        year--;
    int months = (month + 9) % 12;
    int days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * months + 2) / 5 + day - 1 - 719468;
    return (int64_t)days * 86400 + hour * 3600 + minute * 60 + second;
}

/* ---- CPUs and power */

void cpu_kick(struct cpu *cpu) { (void)cpu; }           /* there is no other one */

int arch_start_cpu(struct cpu *cpu)
{
    (void)cpu;
    return -EIO;
}

void machine_off(int status)
{
    irq_off();
    if (status == 0)
        io_write16(PORT_POWER, 0x2000);                 /* takes effect while we halt */
    else
        io_write8(PORT_EXIT, (uint8_t)((unsigned)status >> 1));
    for (;;)
        __asm__ volatile("hlt");
}

void machine_reboot(void)
{
    irq_off();
    io_write8(PORT_KEYBOARD, 0xFE);
    for (;;)
        __asm__ volatile("hlt");
}

void cpus_stop_others(void) { }
