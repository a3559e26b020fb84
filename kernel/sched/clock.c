/*
 * clock.c -- the timer interrupt: ticks, sleepers, preemption; uptime and time of day.
 *
 * Owns:     the tick count, the wheel of sleepers.
 * Locks:    clock_lock guards the wheel, each sleeping task's clock_link and wake_tick.
 * Not here: giving the CPU away at a tick (sys/trap.c decides that from what was interrupted).
 *
 * Sleepers hang in a wheel by the 10 ms slot of their deadline; a tick looks at the slots that have passed, so a sleep
 * costs the same whether ten tasks sleep or thousands.
 */
#include "arch/arch.h"
#include "lib/printk.h"
#include "sched/clock.h"
#include "sched/sched.h"

#define WHEEL_SLOTS 1024                        /* 10 s a turn; later deadlines stay for another turn */
#define SLOT_US     (1000000 / TICKS_PER_SECOND)

static struct spinlock clock_lock = SPINLOCK_INIT("clock wheel", RANK_CLOCK);
static struct list wheel[WHEEL_SLOTS];
static uint64_t slots_done;                     /* every slot below has been looked at */
static unsigned long ticks;                         /* written by the boot CPU only */
static uint64_t boot_clock;                     /* clock_now() at clock_init() */
static int64_t  boot_seconds;
static uint64_t random_state;                   /* deterministic mode: not 0 */
static void (*tick_hook)(unsigned long tick);

static uint64_t tick_length(void) { return machine.clock_hz / TICKS_PER_SECOND; }

void clock_init(void)
{
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        list_init(&wheel[i]);
    boot_clock = clock_now();
    boot_seconds = rtc_seconds();
}

void clock_set_hook(void (*hook)(unsigned long tick)) { tick_hook = hook; }

void clock_set_seed(uint64_t seed)
{
    random_state = seed == 0 ? 0 : seed * 2 + 1;
    cpus_take_turns = seed != 0;
}

unsigned long clock_ticks(void) { return __atomic_load_n(&ticks, __ATOMIC_RELAXED); }

uint64_t clock_uptime_us(void)
{
    uint64_t t = clock_now() - boot_clock;
    return t / machine.clock_hz * 1000000 + t % machine.clock_hz * 1000000 / machine.clock_hz;
}

int64_t clock_seconds(void) { return boot_seconds + (int64_t)(clock_uptime_us() / 1000000); }

/* arm -- the next timer interrupt: the tick, or in deterministic mode a random moment before it. */
static void arm(struct cpu *c, uint64_t now)
{
    uint64_t when = c->next_tick;
    if (random_state != 0) {
        irq_push();
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        uint64_t us = 20 + (random_state >> 33) % 101;
        when = MIN(when, now + us * machine.clock_hz / 1000000);
        irq_pop();
    }
    timer_set(when);
}

void clock_start_cpu(void)
{
    struct cpu *c = this_cpu();
    uint64_t now = clock_now();
    c->next_tick = now + tick_length();
    c->tick_stopped = c->kick_armed = false;
    arm(c, now);
}

void clock_kick_soon(void)
{
    struct cpu *c = this_cpu();
    if (c->kick_armed)
        return;
    c->kick_armed = true;
    timer_set(MIN(c->next_tick, clock_now() + machine.clock_hz / 2000));
}

void clock_enter_idle(void)
{
    struct cpu *c = this_cpu();
    if (c != boot_cpu && !c->tick_stopped && !cpus_take_turns) {
        c->tick_stopped = true;
        timer_set(TIMER_NEVER);
    }
}

void clock_leave_idle(void)
{
    if (this_cpu()->tick_stopped)
        clock_start_cpu();
}

/* wake_sleepers -- all whose slot has passed. */
static void wake_sleepers(void)
{
    struct task *t, *next;
    uint64_t slot_now = clock_uptime_us() / SLOT_US;
    acquire(&clock_lock);
    for (; slots_done <= slot_now; slots_done++)
        list_for_each_safe(t, next, &wheel[slots_done % WHEEL_SLOTS], clock_link)
            if (t->wake_tick <= slot_now) {
                list_remove(&t->clock_link);
                wakeup(&t->clock_link);
            }
    release(&clock_lock);
}

bool clock_interrupt(void)
{
    struct cpu *c = this_cpu();
    uint64_t now = clock_now();
    c->kick_armed = false;
    if (now < c->next_tick) {                   /* a kick, or one of deterministic mode's extra interrupts */
        arm(c, now);
        sched_kick_if_waiting();
        return random_state != 0;
    }
    c->next_tick += tick_length();
    if (c->next_tick <= now)                    /* far behind (stopped in a debugger): do not run after it */
        c->next_tick = now + tick_length();
    arm(c, now);
    if (c == boot_cpu) {
        __atomic_store_n(&ticks, ticks + 1, __ATOMIC_RELAXED);
        wake_sleepers();
        if (tick_hook != NULL)
            tick_hook(ticks);
    }
    sched_kick_if_waiting();
    return true;
}

int sleep_until_us(uint64_t deadline)
{
    struct task *self = current();
    int err = 0;
    acquire(&clock_lock);
    self->wake_tick = (deadline + SLOT_US - 1) / SLOT_US;
    while (err == 0 && clock_uptime_us() < deadline) {
        if (list_empty(&self->clock_link)) {
            uint64_t slot = MAX(self->wake_tick, slots_done);   /* a slot already done is not looked at again */
            list_push_back(&wheel[slot % WHEEL_SLOTS], &self->clock_link);
        }
        err = suspend(&self->clock_link, &clock_lock, WAIT_KILLABLE);
    }
    list_remove(&self->clock_link);
    release(&clock_lock);
    return err;
}
