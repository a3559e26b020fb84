/*
 * checks.c -- the end of a task: terminate(), ZOMBIE, wait_for_task(), and who frees stack and descriptor. Kernel tasks start kernel
 * tasks, which end at chosen and at random moments.
 */
#include "labs/kernel_check.h"

static int codes(unsigned i)            /* the interesting ones first */
{
    static const int first[] = { 0, 7, -1, 1, 255, -77777 };
    return i < ARRAY_SIZE(first) ? first[i] : (int)check_random();
}

static void end_with(void *code) { terminate((int)(intptr_t)code); }

static int start(void (*body)(void *), intptr_t argument)
{
    int pid = task_start_kernel("mayfly", body, (void *)argument);
    EXPECT(pid > 0, "", "a task is started: expected a pid, saw %d", pid);
    return pid;
}

/* wait_for -- and all that must hold for a task that ends with `code`. */
static void wait_for(int pid, int code)
{
    int seen = 0x5EED, result = wait_for_task(pid, &seen);
    EXPECT(result == pid, "", "wait_for_task(%d): expected its pid, saw %d", pid, result);
    EXPECT(result != pid || seen == code, "wrong-code", "exit code: expected %d, saw %d", code, seen);
}

/* ---- One at a time */

static volatile unsigned ended;

static void end_later(void *code)
{
    for (unsigned i = 0; i < 10; i++)
        yield();
    sleep_until_us(clock_uptime_us() + 15000);
    ended = 1;
    terminate((int)(intptr_t)code);
}

static void wait_comes_first(void)
{
    for (unsigned i = 0; i < 12; i++) {
        int code = codes(i);
        ended = 0;
        int pid = start(end_later, code);
        wait_for(pid, code);
        EXPECT(ended == 1, "early", "wait_for_task came back before the task had ended");
    }
}

static void end_comes_first(void)
{
    for (unsigned i = 0; i < 12; i++) {
        int code = codes(i), pid = start(end_with, code);
        EXPECT(becomes_zombie(pid), "no-zombie", "the task has ended and nobody waits: expected state ZOMBIE (%d), saw %d", ZOMBIE, state_of(pid));
        if (state_of(pid) != ZOMBIE)
            return;
        wait_for(pid, code);
        EXPECT(state_of(pid) == -1, "still-there", "task %d was waited for, but it is still in the list of tasks: state %d", pid, state_of(pid));
    }
}

#define ZOMBIES 60

static void nobody_waits(void)
{
    static int pids[ZOMBIES];
    wait_for(start(end_with, 0), 0);            /* the slab has its frames */
    size_t before = frames_free();
    for (unsigned i = 0; i < ZOMBIES; i++)
        pids[i] = start(end_with, (intptr_t)(i * 3));
    for (unsigned i = 0; i < ZOMBIES; i++)
        if (!becomes_zombie(pids[i])) {
            EXPECT(false, "no-zombie", "nobody waits for task %d: expected state ZOMBIE (%d), saw %d", pids[i], ZOMBIE, state_of(pids[i]));
            return;
        }
    sleep_until_us(clock_uptime_us() + 100000);
    for (unsigned i = 0; i < ZOMBIES; i++)
        EXPECT(state_of(pids[i]) == ZOMBIE, "no-zombie", "100 ms later nobody has waited for task %d: expected ZOMBIE, saw state %d", pids[i],
               state_of(pids[i]));
    size_t now = frames_free();
    EXPECT(before - now < ZOMBIES, "stack-stays", "%u zombies keep %zu frames: their kernel stacks must be free already", ZOMBIES, before - now);
    for (unsigned i = 0; i < ZOMBIES; i++)
        wait_for(pids[i], (int)(i * 3));
    EXPECT(frames_free() == before, "leak", "all were waited for: expected %zu free frames, saw %zu", before, frames_free());
}

static void nothing_is_lost(void)
{
    wait_for(start(end_with, 0), 0);
    size_t before = frames_free();
    unsigned live = tasks_live();
    for (unsigned i = 0; i < 1000; i++)
        wait_for(start(end_with, (intptr_t)i), (int)i);
    EXPECT(frames_free() == before, "leak", "1000 tasks came and went: expected %zu free frames, saw %zu", before, frames_free());
    EXPECT(tasks_live() == live, "live", "1000 tasks came and went: expected %u live tasks, saw %u", live, tasks_live());
    int zombie = start(end_with, 1);
    EXPECT(becomes_zombie(zombie), "no-zombie", "nobody waits for task %d: expected state ZOMBIE, saw %d", zombie, state_of(zombie));
    EXPECT(tasks_live() == live, "live", "a zombie is no live task: expected %u, saw %u", live, tasks_live());
    wait_for(zombie, 1);
}

/* ---- Who may not be waited for */

static volatile int self_wait;

static void wait_for_myself(void *unused)
{
    int code;
    (void)unused;
    self_wait = wait_for_task(current()->pid, &code);
}

static void bad_pids(void)
{
    int code, result, pid;
    const int unknown[] = { 1 << 30, 0, -1, -7 };
    self_wait = 1;
    pid = start(wait_for_myself, 0);
    for (uint64_t end = clock_uptime_us() + PATIENCE_US / 4; self_wait == 1 && clock_uptime_us() < end; )
        yield();
    EXPECT(self_wait != 1, "self", "a task that waits for itself: expected -EINVAL (%d) at once, it waits for ever", -EINVAL);
    EXPECT(self_wait == 1 || self_wait == -EINVAL, "self", "a task that waits for itself: expected -EINVAL (%d), saw %d", -EINVAL, self_wait);
    if (self_wait == 1)
        return;
    wait_for(pid, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(unknown); i++) {
        result = wait_for_task(unknown[i], &code);
        EXPECT(result == -ECHILD, "stale", "wait_for_task(%d), which is nobody: expected -ECHILD (%d), saw %d", unknown[i], -ECHILD, result);
    }
    for (unsigned i = 0; i < 20; i++) {
        pid = start(end_with, (intptr_t)i);
        wait_for(pid, (int)i);
        result = wait_for_task(pid, &code);
        EXPECT(result == -ECHILD, "stale", "task %d was waited for already: expected -ECHILD (%d), saw %d", pid, -ECHILD, result);
    }
}

/* ---- A wakeup is no message: it only says "look again". */

static struct task *volatile late;

static void end_when_told(void *code)
{
    late = current();
    while (!ended)
        yield();
    terminate((int)(intptr_t)code);
}

static volatile int waited_for, wait_result, wait_code;

static void wait_for_late(void *unused)
{
    int code = 0x5EED;
    (void)unused;
    wait_result = wait_for_task(waited_for, &code);
    wait_code = code;
}

static void nap_until_told(void *code)
{
    late = current();
    while (!ended)
        sleep_until_us(clock_uptime_us() + 30000);
    terminate((int)(intptr_t)code);
}

static void wakeup_is_no_end(void)
{
    for (unsigned round = 0; round < 20; round++) {
        int code = codes(round);
        ended = 0;
        late = NULL;
        wait_result = 0;
        waited_for = start(nap_until_told, code);
        int waiter = start(wait_for_late, 0);
        while (late == NULL || state_of(waiter) != WAITING)
            yield();
        for (unsigned i = 0; i < 5 && wait_result == 0; i++) {
            wakeup(late);                       /* somebody means another event at this address */
            sleep_until_us(clock_uptime_us() + 1000);
        }
        EXPECT(wait_result == 0, "early", "a wakeup without an end: expected that the waiter goes on waiting, wait_for_task gave %d", wait_result);
        if (wait_result != 0)
            return;
        ended = 1;
        wait_for(waiter, 0);
        EXPECT(wait_result == waited_for && wait_code == code, "wrong-code", "after that: expected pid %d with code %d, saw %d with %d",
               waited_for, code, wait_result, wait_code);
    }
}

/* ---- Two waiters, killed waiters */

static unsigned got_code, got_echild, got_other;

static void one_of_two(void *unused)
{
    int code = 0x5EED, result = wait_for_task(waited_for, &code);
    (void)unused;
    __atomic_fetch_add(result == waited_for && code == 5 ? &got_code : result == -ECHILD ? &got_echild : &got_other, 1, __ATOMIC_RELAXED);
}

static void two_waiters(void)
{
    for (unsigned round = 0; round < 60; round++) {
        got_code = got_echild = got_other = ended = 0;
        waited_for = start(end_when_told, 5);
        int a = start(one_of_two, 0), b = start(one_of_two, 0);
        for (uint64_t end = clock_uptime_us() + 2000 + check_random() % 3000; clock_uptime_us() < end; )
            yield();
        ended = 1;
        if (!becomes_zombie(a) || !becomes_zombie(b)) {
            EXPECT(false, "two", "two tasks wait for one: one of them waits for ever");
            return;
        }
        wait_for(a, 0);
        wait_for(b, 0);
        EXPECT(got_code == 1 && got_echild == 1, "two", "two wait for one: expected one with the code, one with -ECHILD; saw %u, %u, other %u",
               got_code, got_echild, got_other);
        if (got_code != 1)
            return;
    }
}

static struct task *volatile waiting_task;

static void wait_and_tell(void *unused)
{
    waiting_task = current();
    wait_for_late(unused);
}

static void waiter_is_killed(void)
{
    for (unsigned round = 0; round < 10; round++) {
        ended = 0;
        waiting_task = NULL;
        waited_for = start(end_when_told, 9);
        int waiter = start(wait_and_tell, 0);
        while (waiting_task == NULL || state_of(waiter) != WAITING)
            yield();
        task_kill(waiting_task);
        if (!becomes_zombie(waiter)) {
            EXPECT(false, "killed", "the waiter was killed: expected that its wait ends, it goes on");
            return;
        }
        EXPECT(wait_result == -EINTR, "killed", "the waiter was killed: expected -EINTR (%d), saw %d", -EINTR, wait_result);
        wait_for(waiter, 0);
        ended = 1;
        int code = 0x5EED, result = wait_for_task(waited_for, &code);
        EXPECT(result == waited_for && code == 9, "killed", "then another task waits: expected pid %d with code 9, saw %d with code %d", waited_for,
               result, code);
        if (result != waited_for)
            return;
    }
}

/* ---- Several harts. In the grader's machine harts take turns when a timer interrupt comes: a task that sets its hart's timer to a
 * moment a little later stands in the middle of terminate() while the others go on. */

static void shake(uint64_t random) { timer_set(clock_now() + 1 + random % 120); }

struct order { int code; uint32_t delay; };

static void end_shaken(void *order)
{
    struct order o = *(struct order *)order;
    shake(o.delay);
    terminate(o.code);
}

static void cycles(void *number)
{
    uint64_t random = check_seed + (uintptr_t)number;
    struct order order;
    for (unsigned i = 0; i < 250; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        order = (struct order){ .code = (int)(random >> 40), .delay = (uint32_t)(random >> 20) % 120 };
        int pid = start(end_shaken, (intptr_t)&order), code;
        for (unsigned turns = random >> 60; turns > 8; turns--)
            yield();
        wait_for(pid, order.code);
        EXPECT(wait_for_task(pid, &code) == -ECHILD, "stale", "task %d was waited for already: expected -ECHILD", pid);
    }
}

static void on_all_harts(void)
{
    wait_for(start(end_with, 0), 0);
    unsigned live = tasks_live();
    run_workers(4, cycles);
    EXPECT(tasks_live() == live, "live", "1000 tasks came and went: expected %u live tasks, saw %u", live, tasks_live());
}

/* The end comes just when somebody begins to wait, or before, or after. One of the two is stopped in the middle. */
static struct order now_order;
static uint32_t wait_delay;

static void end_when_told_shaken(void *unused)
{
    (void)unused;
    late = current();
    while (!ended)
        ;
    if (now_order.delay != 0)
        shake(now_order.delay);
    terminate(now_order.code);
}

static void wait_shaken(void *unused)
{
    ended = 1;
    if (wait_delay != 0)
        timer_set(clock_now() + wait_delay % 40);
    wait_for_late(unused);
}

static void no_wakeup_is_lost(void)
{
    for (unsigned round = 0; round < 400; round++) {
        now_order = (struct order){ .code = (int)(check_random() >> 1), .delay = round % 2 != 0 ? check_random() | 1 : 0 };
        wait_delay = round % 2 != 0 ? 0 : check_random() | 1;
        ended = 0;
        late = NULL;
        wait_result = 0;
        waited_for = start(end_when_told_shaken, 0);
        for (uint64_t end = clock_uptime_us() + PATIENCE_US; late == NULL && clock_uptime_us() < end; )
            yield();
        int waiter = start(round % 4 == 3 ? wait_for_late : wait_shaken, 0);
        for (unsigned turns = check_random() % 40; turns > 0; turns--)
            yield();
        ended = 1;
        if (!becomes_zombie(waiter)) {
            EXPECT(false, "lost-wakeup", "round %u: the task has ended (its state is %d), and who waits for it sleeps for ever", round,
                   state_of(waited_for));
            return;
        }
        EXPECT(wait_result == waited_for && wait_code == now_order.code, "wrong-code", "round %u: expected pid %d with code %d, saw %d with %d",
               round, waited_for, now_order.code, wait_result, wait_code);
        wait_for(waiter, 0);
        if (wait_code != now_order.code)
            return;
    }
}

/* The waiter sees ZOMBIE and claims it at once, while the dying task may still be on its stack. */
static void die_watched(void *order)
{
    struct order o = *(struct order *)order;
    __atomic_store_n(&late, current(), __ATOMIC_SEQ_CST);
    timer_set(clock_now() + o.delay);
    terminate(o.code);
}

/* Delays with which the task stood between ZOMBIE and its last switch are tried again, and those around them. */
static void stack_is_left_first(void)
{
    wait_for(start(end_with, 0), 0);
    size_t before = frames_free();
    uint32_t hit = 0;
    for (unsigned round = 0; round < 600; round++) {
        struct order order = { .code = (int)round ^ 0x1234, .delay = 1 + check_random() % 150 };
        if (hit != 0 && round % 4 != 0)
            order.delay = hit + check_random() % 9 - MIN(hit - 1, 6);
        uint64_t end = clock_uptime_us() + 400;
        late = NULL;
        int pid = start(die_watched, (intptr_t)&order);
        if (cpus_online > 1)
            irq_push();                         /* an idle hart takes it, not this one */
        while (cpus_online > 1 && (late == NULL || __atomic_load_n(&late->state, __ATOMIC_ACQUIRE) != ZOMBIE) && clock_uptime_us() < end)
            ;
        if (late != NULL && late->on_cpu && (hit == 0 || order.delay < hit || round % 16 == 0))
            hit = order.delay;
        if (cpus_online > 1)
            irq_pop();
        wait_for(pid, order.code);
    }
    EXPECT(frames_free() == before, "leak", "600 tasks came and went: expected %zu free frames, saw %zu", before, frames_free());
}

KERNEL_CHECKS({ "wait_comes_first", wait_comes_first }, { "end_comes_first", end_comes_first }, { "nobody_waits", nobody_waits },
              { "nothing_is_lost", nothing_is_lost }, { "bad_pids", bad_pids }, { "wakeup_is_no_end", wakeup_is_no_end },
              { "two_waiters", two_waiters }, { "waiter_is_killed", waiter_is_killed }, { "on_all_harts", on_all_harts },
              { "no_wakeup_is_lost", no_wakeup_is_lost }, { "stack_is_left_first", stack_is_left_first })
