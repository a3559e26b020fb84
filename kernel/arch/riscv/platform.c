/*
 * platform.c -- what the device tree says about this machine: memory, harts, clock, devices, initrd, command line.
 *
 * Owns:     `machine` and `platform`, filled once by the boot hart and constant afterwards.
 * Not here: reading the tree's format (lib/fdt.c), driving the devices (dev/).
 */
#include "lib/fdt.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "sched/sched.h"
#include "riscv.h"

struct machine machine;
struct platform platform;
bool cpus_take_turns;
uintptr_t boot_arguments[2] = { ~0ul, 0 };              /* entry.S: a0 = hart, a1 = device tree; not in .bss */

extern char __kernel_end[];

static void add_device(uintptr_t base, uint64_t nbytes)
{
    if (base == 0 || machine.devices == ARRAY_SIZE(machine.device))
        return;
    machine.device[machine.devices].base = base;
    machine.device[machine.devices++].nbytes = PAGE_UP(nbytes);
}

/* find_device -- base of the first device compatible with `name`, which is then mapped; 0: none. */
static uintptr_t find_device(const struct fdt *fdt, const char *name, fdt_node *node)
{
    uint64_t base, nbytes;
    *node = fdt_compatible(fdt, -1, name);
    if (*node < 0 || !fdt_reg(fdt, *node, 0, &base, &nbytes))
        return 0;
    add_device(base, nbytes);
    return base;
}

static unsigned interrupt_of(const struct fdt *fdt, fdt_node node)
{
    uint64_t irq = 0;
    return fdt_number(fdt, node, "interrupts", &irq) ? (unsigned)irq : 0;
}

static void read_memory(const struct fdt *fdt)
{
    uint64_t base = 0, nbytes = 0;
    fdt_node memory = fdt_path(fdt, "/memory");
    if (memory < 0 || !fdt_reg(fdt, memory, 0, &base, &nbytes))
        panic("the device tree names no memory");
    machine.memory_start = base;
    machine.memory_end = base + nbytes;
    machine.kernel_end = PAGE_UP(__kernel_end);
    if (machine.memory_end > MEMORY_LIMIT) {
        printk("memory: %lu MiB are beyond 0x%lx and stay unused\n",
               (machine.memory_end - MEMORY_LIMIT) >> 20, MEMORY_LIMIT);
        machine.memory_end = MEMORY_LIMIT;
    }
}

/* Each hart, and which of the PLIC's contexts is its S-mode: the PLIC lists (interrupt controller, line) pairs in the
 * order of its contexts, and line 9 is the S-mode external interrupt. */
static void read_harts(const struct fdt *fdt, fdt_node plic)
{
    int depth = 0;
    uint32_t pairs_bytes = 0;
    const uint8_t *pairs = plic < 0 ? NULL : fdt_prop(fdt, plic, "interrupts-extended", &pairs_bytes);
    unsigned hart = 0;
    bool in_cpu = false;

    for (fdt_node n = fdt_next(fdt, -1, &depth); n >= 0; n = fdt_next(fdt, n, &depth)) {
        const char *type = fdt_string(fdt, n, "device_type");
        uint64_t value;
        if (type != NULL && strcmp(type, "cpu") == 0 && machine.harts < ARRAY_SIZE(machine.hart_ids)) {
            in_cpu = fdt_number(fdt, n, "reg", &value);
            hart = machine.harts;
            machine.hart_ids[machine.harts++] = (unsigned)value;
            const char *isa = fdt_string(fdt, n, "riscv,isa");
            for (const char *s = isa; s != NULL && (s = strchr(s, '_')) != NULL; s++)
                platform.sstc |= strncmp(s, "_sstc", 5) == 0;
        } else if (in_cpu && fdt_prop(fdt, n, "interrupt-controller", NULL) != NULL
                   && fdt_number(fdt, n, "phandle", &value)) {
            for (uint32_t i = 0; i + 8 <= pairs_bytes; i += 8) {
                uint32_t handle = (uint32_t)pairs[i] << 24 | pairs[i + 1] << 16 | pairs[i + 2] << 8 | pairs[i + 3];
                if (handle == value && pairs[i + 7] == 9)
                    platform.plic_context[hart] = i / 8;
            }
            in_cpu = false;
        }
    }
}

static void read_slots(const struct fdt *fdt)
{
    uint64_t base, nbytes;
    for (fdt_node n = fdt_compatible(fdt, -1, "virtio,mmio"); n >= 0; n = fdt_compatible(fdt, n, "virtio,mmio")) {
        if (machine.slots == MACHINE_SLOTS_MAX || !fdt_reg(fdt, n, 0, &base, &nbytes))
            break;
        add_device(base, nbytes);
        unsigned at = machine.slots++;                  /* the tree lists them highest first; keep them sorted */
        for (; at > 0 && machine.slot[at - 1].base > base; at--)
            machine.slot[at] = machine.slot[at - 1];
        machine.slot[at].base = base;
        machine.slot[at].irq = interrupt_of(fdt, n);
    }
}

static void read_chosen(const struct fdt *fdt)
{
    fdt_node chosen = fdt_path(fdt, "/chosen");
    if (chosen < 0)
        return;
    const char *bootargs = fdt_string(fdt, chosen, "bootargs");
    if (bootargs != NULL && copy_string(machine.command_line, bootargs, COMMAND_LINE_MAX) >= COMMAND_LINE_MAX)
        printk("boot: the command line is longer than %d bytes and was cut\n", COMMAND_LINE_MAX - 1);
    uint64_t start, end;
    if (fdt_number(fdt, chosen, "linux,initrd-start", &start) && fdt_number(fdt, chosen, "linux,initrd-end", &end)
        && start < end && start >= machine.kernel_end && end <= machine.memory_end) {
        machine.initrd_start = start;
        machine.initrd_end = end;
    }
}

void platform_init(const void *device_tree)
{
    struct fdt fdt;
    fdt_node node;
    uint64_t value;

    if (!fdt_open(&fdt, device_tree))
        panic("no device tree at %p", device_tree);
    read_memory(&fdt);
    platform.plic = find_device(&fdt, "riscv,plic0", &node);
    if (platform.plic == 0)
        panic("the device tree names no PLIC");
    read_harts(&fdt, node);
    machine.clock_hz = fdt_number(&fdt, fdt_path(&fdt, "/cpus"), "timebase-frequency", &value) ? value : 10000000;
    machine.uart.base = find_device(&fdt, "ns16550a", &node);
    if (machine.uart.base != 0) {
        machine.uart.irq = interrupt_of(&fdt, node);
        machine.uart.shift = fdt_number(&fdt, node, "reg-shift", &value) ? (unsigned)value : 0;
    }
    machine.rtc = find_device(&fdt, "google,goldfish-rtc", &node);
    machine.test_device = find_device(&fdt, "sifive,test0", &node);
    read_slots(&fdt);
    read_chosen(&fdt);
}

/* arch_init -- the device tree lies in memory that becomes free frames: all that is needed is copied here. */
void arch_init(void)
{
    machine.boot_hart = (unsigned)boot_arguments[0];
    platform_init((const void *)boot_arguments[1]);
    sbi_init();
}

void arch_init_cpu(void)
{
    trap_init_cpu();
    if (this_cpu()->hart == machine.boot_hart)
        interrupt_init();
}

/* rtc_seconds -- goldfish real-time clock: nanoseconds since 1970; reading the low half latches the high one. */
int64_t rtc_seconds(void)
{
    if (machine.rtc == 0)
        return 0;
    volatile uint32_t *rtc = (volatile uint32_t *)machine.rtc;
    uint64_t low = rtc[0];
    return (int64_t)(((uint64_t)rtc[1] << 32 | low) / 1000000000u);
}
