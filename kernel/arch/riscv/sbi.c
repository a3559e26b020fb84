/*
 * sbi.c -- calls to the firmware (RISC-V SBI 1.0): timer, IPI, remote fence, starting harts, power.
 *
 * Owns:     nothing. The firmware serves each call on this hart, in machine mode, with interrupts of ours held off:
 *           a remote fence cannot deadlock with a hart that spins with its interrupts disabled.
 */
#include "lib/printk.h"
#include "lib/string.h"
#include "sched/sched.h"
#include "riscv.h"

#define EID_TIME   0x54494d45ul
#define EID_IPI    0x735049ul
#define EID_RFENCE 0x52464e43ul
#define EID_HSM    0x48534dul
#define EID_SRST   0x53525354ul

static long sbi_call(uintptr_t extension, uintptr_t function, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    register uintptr_t a0 __asm__("a0") = a;
    register uintptr_t a1 __asm__("a1") = b;
    register uintptr_t a2 __asm__("a2") = c;
    register uintptr_t a3 __asm__("a3") = d;
    register uintptr_t a6 __asm__("a6") = function;
    register uintptr_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a6), "r"(a7) : "memory");
    return (long)a0;
}

/* stimecmp (CSR 0x14d, Sstc) is written directly where the hart has it: 9 times cheaper than the firmware call. */
void timer_set(uint64_t when)
{
    if (platform.sstc)
        CSR_WRITE(0x14d, when);
    else
        sbi_call(EID_TIME, 0, when, 0, 0, 0);
}

/* sbi_init -- with Sstc the firmware's own timer must be quiet: a pending machine timer slows every block. */
void sbi_init(void)
{
    if (platform.sstc)
        sbi_call(EID_TIME, 0, ~0ul, 0, 0, 0);
    timer_set(TIMER_NEVER);
}

void cpu_kick(struct cpu *cpu) { sbi_call(EID_IPI, 0, 1, cpu->hart, 0, 0); }

/* sbi_remote_fence -- size -1 at 0 means every address. */
void sbi_remote_fence(uint64_t harts)
{
    unsigned base = (unsigned)__builtin_ctzl(harts);
    if (sbi_call(EID_RFENCE, 1, harts >> base, base, 0, ~0ul) != 0)
        panic("the firmware refused a remote fence for harts 0x%lx", harts);
}

/* Where entry.S looks up a hart that did not come in where it should: see _start. */
struct { uintptr_t hart; struct task *idle; } started_harts[CPUS_MAX];

int arch_start_cpu(struct cpu *cpu)
{
    started_harts[cpu->id].hart = cpu->hart;
    started_harts[cpu->id].idle = cpu->idle;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    long err = sbi_call(EID_HSM, 0, cpu->hart, (uintptr_t)start_hart, (uintptr_t)cpu->idle, 0);
    return err == 0 ? 0 : -EIO;
}

/* machine_off -- the test device takes an exit status; SBI's shutdown always reports 0. */
void machine_off(int status)
{
    irq_off();
    if (machine.test_device != 0) {
        volatile uint32_t *finisher = (volatile uint32_t *)machine.test_device;
        *finisher = status == 0 ? 0x5555u : ((uint32_t)status & 0xff) << 16 | 0x3333u;
    }
    sbi_call(EID_SRST, 0, 0, status != 0, 0, 0);
    for (;;)
        cpu_wait();
}

void machine_reboot(void)
{
    irq_off();
    sbi_call(EID_SRST, 0, 1, 0, 0, 0);
    for (;;)
        cpu_wait();
}

/* The others stop in their software interrupt (sys/panic.c); one that spins with interrupts off stays there. */
void cpus_stop_others(void)
{
    for (unsigned i = 0; i < cpus_online; i++)
        if (cpus[i].online && &cpus[i] != this_cpu())
            cpu_kick(&cpus[i]);
}
