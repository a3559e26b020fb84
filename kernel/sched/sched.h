/* sched.h -- struct task, struct cpu, and how a CPU passes from one task to the next.
 *
 *           task_start           schedule              terminate        wait, wait_for_task
 *  UNUSED ------------> RUNNABLE ---------> RUNNING -------------> ZOMBIE -----------------> UNUSED (freed)
 *                        ^    ^     yield    |   |           (only the waiter frees the descriptor)
 *                        |    +--------------+   |
 *              wakeup(c) |                       | suspend(c, lock)
 *                        +------- WAITING <------+
 *
 * The kernel runs with interrupts off from a trap's entry on; a task in the kernel loses its CPU only where it
 * suspends, yields, or passes a preempt_point(). Kernel tasks run with interrupts on between their locks.
 *
 * Switching goes straight from task to task. The outgoing task stays marked on_cpu until the incoming one has left
 * its stack: wakers and reapers wait for that mark, so nobody runs, or frees, a stack that is still in use (M8). */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "abi/info.h"
#include "arch/arch.h"
#include "lib/list.h"
#include "sched/spinlock.h"

#define LOCKS_HELD_MAX 16               /* debug: depth of the rank check */
#define STACK_MAGIC 0x6b61745f73746b21ul /* lowest word of every kernel stack: gone means the stack ran over */

enum wait_mode { WAIT_KILLABLE, WAIT_FIRM };    /* does kill() end this wait? */

/* Who may touch what: [s] the task itself, or its creator before it starts; [w] its wait bucket's lock while WAITING;
 * [f] family_lock; [t] tasks_lock; [a] atomic; [c] constant after creation; [q] the run queue's lock. */
struct task {
    struct context   context;           /* [s] saved registers while not running; first, because assembly reads it */
    uintptr_t        kstack;            /* [s] kernel stack: address of its frame; 0 once freed */
    uint32_t         on_cpu;            /* [a] 1 until its last switch away is complete */
    struct cpu      *cpu;               /* [s] where it runs, or ran last */
    struct address_space *space;        /* [s] what its CPU loads; NULL: kernel only. A struct vm starts with it */
    volatile uint32_t killed;           /* [a] it must not return to user mode */
    struct fp_state *fp;                /* [s] saved floating-point registers; NULL: it used none yet */

    enum task_state  state;             /* RUNNING <-> others: [s]; WAITING -> RUNNABLE: [w]; ZOMBIE: [f] */
    const void      *wait_on;           /* [w] what it waits for; NULL when not WAITING */
    struct wait_bucket *wait_bucket;    /* [a] set before killed is read: see suspend() */
    enum wait_mode   wait_mode;         /* [w] */
    struct list      wait_link;         /* [w] in its bucket */
    struct list      run_link;          /* [q] in a run queue */
    struct list      clock_link;        /* the clock wheel's lock */
    uint64_t         wake_tick;         /* the clock wheel's lock */

    int              pid;               /* [c] */
    int              group;             /* [a] job control */
    char             name[TASK_NAME_SIZE];      /* [s] always terminated */
    struct list      all_link;          /* [t] every task, ascending pid */
    struct task     *pid_next;          /* [t] pid hash chain */
    struct task     *parent;            /* [f] NULL: none */
    struct list      children;          /* [f] living */
    struct list      zombies;           /* [f] dead and not yet waited for */
    struct list      sibling;           /* [f] on the parent's children or zombies */
    bool             expendable;        /* [c] a kernel task whose own fault ends it and nothing else */
    bool             urgent;            /* [s] goes ahead of the others in a run queue, and is not stolen from it */
    bool             leaving;           /* [t] it gave up its address space for good; ZOMBIE soon */
    bool             claimed;           /* [f] a waiter is waiting for just this task */
    int              exit_code;         /* [f] meaningful when ZOMBIE */

    struct files    *files;             /* [s] open files and current directory (fs); NULL for a kernel task */
    void           (*entry)(void *);    /* [c] kernel tasks: the body */
    void            *argument;          /* [c] */
    int32_t          oom_adj;           /* [a] */
    uint64_t         cpu_time;          /* [s] clock units used */
    uint64_t         started_at;        /* [s] clock when it last got the CPU */
#ifdef DEBUG
    unsigned         locks_held;        /* [s] */
    struct { const void *lock; const char *name; uint16_t rank; } held[LOCKS_HELD_MAX];
    uint64_t         fail_alloc_at;     /* [s] T-2: fail this many-th allocation from now; 0: never */
    bool             alloc_was_failed;  /* [s] T-2: it happened, and no out-of-memory decision was made of it yet */
#endif
};

/* What a CPU loads to run a task: the root of a page table, and which CPUs have it loaded now (bit = cpu id) and so may
 * hold its translations. sched.c keeps the mask; mm/vm.c reads it to know whom to send a fence. */
struct address_space {
    pte_t   *root;
    unsigned cpus;                      /* [a] */
};

enum previous_fate { PREVIOUS_WAITS, PREVIOUS_YIELDS, PREVIOUS_DIES };

struct cpu {
    unsigned         id;                /* 0 .. cpus_online-1, dense */
    unsigned         hart;              /* the machine's own number */
    struct task     *task;              /* running now; == current() there */
    struct task     *idle;
    struct task     *previous;          /* the task just switched away from, until finish_switch(); and what becomes of it */
    enum previous_fate previous_fate;
    struct address_space *loaded;       /* whose page table is loaded; NULL: the kernel's */
    struct address_space *unloaded;     /* the one before, until the switch is over; NULL: none */
    bool             tick_stopped;      /* idle: no timer interrupt is armed */
    bool             kick_armed;        /* clock_kick_soon() is on its way */
    uint64_t         next_tick;         /* clock_now() of its next tick */
    volatile bool    online;
    volatile uint32_t sleeping;        /* in wfi with an empty queue: worth an IPI */
    struct spinlock  rq_lock;
    struct list      rq;                /* RUNNABLE tasks, first in first out */
    volatile unsigned rq_length;
} ALIGNED(64);

extern struct cpu  cpus[CPUS_MAX];
extern unsigned    cpus_online;         /* fixed before the first user task runs */
extern struct cpu *boot_cpu;            /* counts the ticks */

static inline struct cpu *this_cpu(void) { return current()->cpu; }     /* stale unless interrupts are off */

void sched_init(void);                  /* boot CPU: its idle task is the code that runs now */
void sched_add_cpu(unsigned hart, struct task *idle);   /* boot CPU: another one, with the idle task it will run */
NORETURN void scheduler(void);          /* each CPU's idle loop; enters with interrupts off, irq_depth 1 */

void task_make_runnable(struct task *t);                /* a new task; any context */

/* finish_switch -- what the incoming task does first, on its own stack: frees a dead predecessor's stack, queues a
 * yielding one, clears its on_cpu. A new task's first act. */
void finish_switch(void);
void yield(void);                       /* let others run, if any wait here; task context, no spinlock */

/* sched_use_space -- the current task moves to another address space (exec) or to none (exit). */
void sched_use_space(struct address_space *space);

/* preempt_point -- let pending interrupts in, and perhaps another task: for long loops in system calls.
 * Task context, no spinlock held, sleep locks allowed. */
void preempt_point(void);
#define PREEMPT_BYTES (256u << 10)      /* after so many bytes copied, less than a millisecond, one is due */

/* suspend -- wait for wakeup(on). `lock` (may be NULL) is released once the wait cannot be missed any more, and taken
 * again before returning. Wakeups may be spurious: wait in a loop on the real condition.
 *   returns  0, or -EINTR when mode is WAIT_KILLABLE and the task was killed (before or meanwhile)
 *   context  task holding no spinlock but `lock` */
int  suspend(const void *on, struct spinlock *lock, enum wait_mode mode);
void wakeup(const void *on);            /* all that wait for `on`; any context; holder of locks above RANK_WAIT is fine */

/* task_kill -- mark killed and end a killable wait. The caller makes sure the descriptor stays (tasks_lock). */
void task_kill(struct task *t);

/* sched_exit -- last act of a task: never returns; its stack is freed after the switch. Interrupts off. */
NORETURN void sched_exit(void);

/* sched_set_stack_release -- upcall (sched -> task): frees a dead task's kernel stack. */
void sched_set_stack_release(void (*release)(struct task *t));
void sched_kick_if_waiting(void);       /* tick: surplus work here and a CPU asleep: wake it */

#endif
