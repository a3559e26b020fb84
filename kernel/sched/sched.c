/*
 * sched.c -- who runs next: run queues, switching, suspend and wakeup.
 *
 * Owns:     cpus[]; every task's state while it is RUNNABLE or WAITING; the wait buckets.
 * Locks:    a wait bucket's lock guards the tasks waiting in it; cpu->rq_lock that CPU's queue.
 * Not here: how a task is made and ends (task/task.c), ticks (clock.c), registers (arch/).
 *
 * Waiting tasks hash by the address they wait for, so neither wakeup() nor a switch looks at tasks that wait for
 * something else. A waker spins, for the length of one switch at most, until the woken task has left its stack
 * (on_cpu); that switch takes run queue and page locks only, which no waker holds.
 */
#include "lib/printk.h"
#include "lib/string.h"
#include "sched/clock.h"
#include "sched/sched.h"

#define WAIT_BUCKETS 512                /* power of two; 2,000 sleepers make lists of 4 */

struct wait_bucket {
    struct spinlock lock;
    struct list     tasks;
};

struct cpu  cpus[CPUS_MAX];
unsigned    cpus_online;
struct cpu *boot_cpu;
struct task boot_task;                  /* the boot CPU's idle task: the code that runs from power-on */

static struct wait_bucket buckets[WAIT_BUCKETS];
static void (*release_stack)(struct task *t);

void sched_set_stack_release(void (*release)(struct task *t)) { release_stack = release; }

/* ---- Run queues */

HOT static void enqueue(struct cpu *c, struct task *t)
{
    acquire(&c->rq_lock);
    if (t->urgent)
        list_push_front(&c->rq, &t->run_link);
    else
        list_push_back(&c->rq, &t->run_link);
    c->rq_length++;
    release(&c->rq_lock);
}

HOT static struct task *dequeue(struct cpu *c)
{
    if (c->rq_length == 0)
        return NULL;
    acquire(&c->rq_lock);
    struct task *t = list_first(&c->rq, struct task, run_link);
    if (t != NULL && t->urgent && c != this_cpu())
        t = NULL;                                       /* its CPU comes to it at once: no need to steal it */
    if (t != NULL) {
        list_remove(&t->run_link);
        c->rq_length--;
    }
    release(&c->rq_lock);
    return t;
}

/* steal -- the oldest waiting task of the CPU after this one in turn that has any. */
static struct task *steal(struct cpu *c)
{
    for (unsigned i = 1; i < cpus_online; i++) {
        struct task *t = dequeue(&cpus[(c->id + i) % cpus_online]);
        if (t != NULL)
            return t;
    }
    return NULL;
}

HOT static void kick_a_sleeper(void)
{
    for (unsigned i = 0; i < cpus_online; i++)
        if (cpus[i].sleeping && __atomic_exchange_n(&cpus[i].sleeping, false, __ATOMIC_SEQ_CST)) {
            cpu_kick(&cpus[i]);
            return;
        }
}

void sched_kick_if_waiting(void)
{
    struct cpu *c = this_cpu();
    if (c->rq_length > 0 && c->task != c->idle)
        kick_a_sleeper();
}

/* A woken task goes to the waker's CPU: most often the waker is about to wait itself, and a switch costs far less than
 * an interrupt to another CPU. A second one in the queue calls a sleeping CPU at once; a single one, if it still waits
 * half a millisecond later. */
HOT void task_make_runnable(struct task *t)
{
    irq_push();
    struct cpu *c = this_cpu();
    t->state = RUNNABLE;
    enqueue(c, t);
    if (c->rq_length > 1) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);        /* the queue's length before their `sleeping` */
        kick_a_sleeper();
    } else if (cpus_online > 1 && c->task != c->idle) {
        clock_kick_soon();
    }
    irq_pop();
}

/* ---- Switching */

/* The bit is set before the table is loaded and cleared after another one is: who reads the mask after clearing an
 * entry misses no CPU that can still use it (M1). begin_space says what is to be loaded, NULL: nothing. */
HOT static pte_t *begin_space(struct cpu *c, struct address_space *space)
{
    if (c->loaded == space)
        return NULL;
    if (space != NULL)
        __atomic_fetch_or(&space->cpus, 1u << c->id, __ATOMIC_SEQ_CST);
    c->unloaded = c->loaded;
    c->loaded = space;
    return space != NULL ? space->root : kernel_pagetable;
}

HOT static void end_space(struct cpu *c)
{
    if (c->unloaded != NULL)
        __atomic_fetch_and(&c->unloaded->cpus, ~(1u << c->id), __ATOMIC_SEQ_CST);
    c->unloaded = NULL;
}

void sched_use_space(struct address_space *space)
{
    irq_push();
    struct cpu *c = this_cpu();
    current()->space = space;
    pte_t *root = begin_space(c, space);
    if (root != NULL)
        pagetable_load(root);
    end_space(c);
    irq_pop();
}

HOT void finish_switch(void)
{
    struct cpu *c = this_cpu();
    struct task *previous = c->previous;
    enum previous_fate fate = c->previous_fate;

    c->previous = NULL;
    end_space(c);
    if (fate == PREVIOUS_DIES)
        release_stack(previous);
    __atomic_store_n(&previous->on_cpu, 0, __ATOMIC_RELEASE);
    if (fate == PREVIOUS_YIELDS)                        /* otherwise it is not ours to touch any more */
        enqueue(c, previous);
}

HOT static void switch_to(struct cpu *c, struct task *next, enum previous_fate fate)
{
    struct task *self = current();
    uint64_t now = clock_now();
    DASSERT(!irq_enabled() && (next->on_cpu == 0 || next == c->idle));  /* nobody runs on its stack (M8) */

    self->cpu_time += now - self->started_at;
    next->started_at = now;
    if (next->cpu != c)
        instruction_fence();                            /* M14: its code may have been written on the other CPU */
    next->cpu = c;
    next->state = RUNNING;
    next->on_cpu = 1;
    c->task = next;
    c->previous = self;
    c->previous_fate = fate;
    fp_switch(self, next);
    context_switch(&self->context, &next->context, begin_space(c, next->space));
    finish_switch();
}

/* give_away -- run somebody else; the idle task if nobody is runnable here. */
HOT static void give_away(enum previous_fate fate)
{
    struct cpu *c = this_cpu();
    struct task *next = dequeue(c);
    KASSERT(current()->kstack == 0 || *(uint64_t *)current()->kstack == STACK_MAGIC);
    switch_to(c, next != NULL ? next : c->idle, fate);
}

void yield(void)
{
    irq_push();
    if (this_cpu()->rq_length > 0) {
        current()->state = RUNNABLE;
        give_away(PREVIOUS_YIELDS);
    }
    irq_pop();
}

void preempt_point(void)
{
    struct task *self = current();
    if (self->context.irq_depth != 1)
        return;                                         /* a kernel task: it has interrupts on between its locks */
    self->context.irq_depth = 0;
    irq_on();                                           /* what is pending comes in here */
    irq_off();
    self->context.irq_depth = 1;
}

void sched_exit(void)
{
    give_away(PREVIOUS_DIES);
    panic("a dead task ran again");
}

/* ---- Waiting */

HOT static struct wait_bucket *bucket_of(const void *on)
{
    uintptr_t x = (uintptr_t)on >> 3;
    return &buckets[(x ^ x >> 9 ^ x >> 18) & (WAIT_BUCKETS - 1)];
}

/* kill() sets `killed` and then looks for wait_bucket; suspend() sets wait_bucket and then looks at `killed`: one of the
 * two sees the other, so a kill cannot fall between the check and the sleep. */
HOT int suspend(const void *on, struct spinlock *lock, enum wait_mode mode)
{
    struct task *self = current();
    struct wait_bucket *b = bucket_of(on);

    irq_push();
    DASSERT(lock == NULL || spinlock_held(lock));       /* or a wakeup may come before we are in the bucket (M7) */
    acquire(&b->lock);
    __atomic_store_n(&self->wait_bucket, b, __ATOMIC_SEQ_CST);
    if (mode == WAIT_KILLABLE && __atomic_load_n(&self->killed, __ATOMIC_SEQ_CST)) {
        self->wait_bucket = NULL;
        release(&b->lock);
        irq_pop();
        return -EINTR;
    }
    self->wait_on = on;
    self->wait_mode = mode;
    self->state = WAITING;
    list_push_back(&b->tasks, &self->wait_link);
    if (lock != NULL)
        release(lock);
    release(&b->lock);
#ifdef DEBUG
    for (unsigned i = 0; i < self->locks_held; i++)
        if (self->held[i].rank > RANK_LAST_SLEEP)
            panic("task %d (%s) suspends while holding %s", self->pid, self->name, self->held[i].name);
#endif
    give_away(PREVIOUS_WAITS);
    if (lock != NULL)
        acquire(lock);
    irq_pop();
    return mode == WAIT_KILLABLE && self->killed ? -EINTR : 0;
}

/* The bucket's lock is held; `t` waits in it. */
HOT static void wake(struct task *t)
{
    list_remove(&t->wait_link);
    t->wait_on = NULL;
    t->wait_bucket = NULL;
    while (__atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE))
        cpu_relax();                                    /* still on its way out: see the file's head */
    task_make_runnable(t);
}

HOT void wakeup(const void *on)
{
    struct wait_bucket *b = bucket_of(on);
    struct task *t, *next;
    acquire(&b->lock);
    list_for_each_safe(t, next, &b->tasks, wait_link)
        if (t->wait_on == on)
            wake(t);
    release(&b->lock);
}

void task_kill(struct task *t)
{
    __atomic_store_n(&t->killed, 1, __ATOMIC_SEQ_CST);
    struct wait_bucket *b = __atomic_load_n(&t->wait_bucket, __ATOMIC_SEQ_CST);
    if (b == NULL)
        return;
    acquire(&b->lock);
    if (t->wait_bucket == b && t->wait_on != NULL && t->wait_mode == WAIT_KILLABLE)
        wake(t);
    release(&b->lock);
}

/* ---- Start and idle */

void sched_add_cpu(unsigned hart, struct task *idle)
{
    struct cpu *c = &cpus[cpus_online];
    c->id = cpus_online;
    c->hart = hart;
    c->task = c->idle = idle;
    list_init(&c->rq);
    spinlock_init(&c->rq_lock, "run queue", RANK_RUNQ);
    idle->cpu = c;
    idle->state = RUNNING;
    idle->on_cpu = 1;
    idle->context.irq_depth = 1;
    cpus_online++;
}

void sched_init(void)
{
    extern char boot_stack[];
    for (unsigned i = 0; i < WAIT_BUCKETS; i++) {
        spinlock_init(&buckets[i].lock, "wait bucket", RANK_WAIT);
        list_init(&buckets[i].tasks);
    }
    boot_task.kstack = (uintptr_t)boot_stack;
    copy_string(boot_task.name, "idle0", sizeof(boot_task.name));
    *(uint64_t *)boot_stack = STACK_MAGIC;
    if (!context_init(&boot_task, NULL))
        panic("the first task has no room in the machine's tables");
    sched_add_cpu(machine.boot_hart, &boot_task);
    boot_cpu = &cpus[0];
    boot_cpu->online = true;
}

static bool work_somewhere(void)
{
    for (unsigned i = 0; i < cpus_online; i++)
        if (cpus[i].rq_length > 0)
            return true;
    return false;
}

/* Each CPU's idle task. Interrupts are off but for the window in the middle; wfi ends when one is pending, also while
 * they are off, so a wakeup between the last look and wfi is not missed. */
void scheduler(void)
{
    struct cpu *c = this_cpu();
    for (;;) {
        struct task *next = dequeue(c);
        if (next == NULL)
            next = steal(c);
        if (next != NULL) {
            clock_leave_idle();
            switch_to(c, next, PREVIOUS_WAITS);
            continue;
        }
        __atomic_store_n(&c->sleeping, true, __ATOMIC_SEQ_CST);
        if (!work_somewhere()) {
            clock_enter_idle();
            cpu_wait();
        }
        __atomic_store_n(&c->sleeping, false, __ATOMIC_SEQ_CST);
        preempt_point();
    }
}
