/*
 * clock.c -- the counters RISC-V lets a program read by itself.
 * The time register of QEMU's virt machine counts at 10 MHz: 100 nanoseconds a step.
 */
#include <time.h>

#define NS_PER_STEP 100

uint64_t clock_ns(void)
{
    uint64_t steps;
    __asm__ volatile("rdtime %0" : "=r"(steps));
    return steps * NS_PER_STEP;
}

uint64_t read_cycles(void)
{
    uint64_t cycles;
    __asm__ volatile("rdcycle %0" : "=r"(cycles));
    return cycles;
}

uint64_t read_instructions(void)
{
    uint64_t instructions;
    __asm__ volatile("rdinstret %0" : "=r"(instructions));
    return instructions;
}
