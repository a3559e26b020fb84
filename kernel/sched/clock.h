/* clock.h -- ticks, sleeping until a time, and the time of day.
 *
 * A tick is one handled timer interrupt of the boot CPU, TICKS_PER_SECOND of them a second. Time of day and uptime come
 * from the machine's clock, not from ticks. */
#ifndef SCHED_CLOCK_H
#define SCHED_CLOCK_H

#include "lib/types.h"

#define TICKS_PER_SECOND 100

void clock_init(void);                  /* boot CPU, once */
void clock_start_cpu(void);             /* each CPU: arm its tick */

/* clock_interrupt -- the timer interrupt of this CPU: arms the next one; on the boot CPU counts a tick and wakes
 * sleepers. True: the running task's time slice is over. Called by trap code, interrupts off.
 * clock_kick_soon -- in half a millisecond, a task that still waits in this CPU's queue is offered to a sleeping CPU. */
bool clock_interrupt(void);
void clock_kick_soon(void);

/* clock_enter_idle, clock_leave_idle -- an idle CPU that does not count ticks needs no timer interrupt. */
void clock_enter_idle(void);
void clock_leave_idle(void);

/* clock_set_seed -- deterministic mode: timer interrupts also at pseudo-random times 20 to 120 us apart; 0: off. */
void clock_set_seed(uint64_t seed);

unsigned long clock_ticks(void);             /* handled ticks since boot */
uint64_t clock_uptime_us(void);         /* microseconds since boot */
int64_t  clock_seconds(void);           /* seconds since 1970 */

/* sleep_until_us -- suspend until clock_uptime_us() >= deadline (rounded up to a tick). 0, or -EINTR: killed. */
MUST_CHECK int sleep_until_us(uint64_t deadline);

/* clock_set_hook -- upcall (sched -> task): called on the boot CPU at each tick, interrupts off, no lock held. */
void clock_set_hook(void (*hook)(unsigned long tick));

#endif
