/* task.h -- the life of a task: made, forked, replaced, ended, waited for. The diagram is in sched/sched.h.
 *
 * A descriptor is freed by its waiter, the kernel stack by the scheduler after the last switch, the address space by the
 * task itself as it ends. Nothing here has a fixed number of slots: memory, and `maxtasks=` on the boot line, are the
 * limits. */
#ifndef TASK_TASK_H
#define TASK_TASK_H

#include "sched/sched.h"

struct vm;
struct files;

void task_init(void);                   /* boot CPU, once: hooks, limits from the command line */

/* task_start_kernel -- a kernel task that runs body(argument) with interrupts on and then terminates with 0. An
 * expendable one (demos, labs) ends alone when its body faults; any other kernel fault is a panic.
 * task_start_init -- the first user task: runs `first` in kernel mode, which execs /bin/init. Returns the pid,
 * -EAGAIN (task limit) or -ENOMEM. */
MUST_CHECK int task_start_kernel(const char *name, void (*body)(void *), void *argument);
MUST_CHECK int task_start_expendable(const char *name, void (*body)(void *), void *argument);
MUST_CHECK int task_start_init(void (*first)(void *), void *argument);
struct task *task_new_idle(unsigned number);            /* boot only; NULL: no memory */

/* task_fork -- a copy of the current task that returns 0 from the same system call. Child's pid, -EAGAIN, -ENOMEM. */
MUST_CHECK int task_fork(void);

/* terminate -- the current task becomes a ZOMBIE with this exit code. */
NORETURN void terminate(int code);

/* wait_for_task -- wait until task `pid` ends, take its exit code and free its descriptor; returns pid.
 * wait_any_child -- the same for whichever child ends first.
 *   -EINVAL  pid is the caller        -ECHILD  no such child, or another waiter was first
 *   -EINTR   killed while waiting
 * A task may wait for its children; a kernel task for any kernel task. */
MUST_CHECK int wait_for_task(int pid, int *code);
MUST_CHECK int wait_any_child(int *code);

/* task_kill_for_memory -- the oom: line, unless the task was killed already or is gone, and the kill. */
void task_kill_for_memory(int pid, int score, uintptr_t va);

/* task_kill_pid -- kill one task; -ESRCH, or -EPERM for kernel tasks. task_kill_group -- every task of a group; returns
 * how many. Any context. */
MUST_CHECK int task_kill_pid(int pid);
int  task_kill_group(int group);

int  task_set_group(int pid, int group);                /* itself or a child; 0, -ESRCH, -EINVAL */

/* task_rows -- fill rows for the tasks with pid > after, ascending, at most `max`; how many. */
unsigned task_rows(struct task_info *rows, unsigned max, int after);
unsigned tasks_live(void);
unsigned tasks_limit(void);
void tasks_print(void);                 /* to the console, for panic and Ctrl-P */

/* task_change_program -- exec: the current task moves to `vm` and is called after the last component of `path`; its old address
 * space is freed. */
void task_change_program(struct vm *vm, const char *path);

/* task_next_space -- the first user task with pid > after that has an address space, skipping those without MARKED blocks if
 * `only_marked`. True: *found is filled and found->vm->lock is held, which keeps address space and descriptor; false: no more,
 * nothing is held. No lock of rank TASKS or further down may be held. */
struct space_found {
    struct task *task;
    struct vm   *vm;
    int          pid, oom_adj;
    bool         is_init;               /* and so never killed */
    char         name[TASK_NAME_SIZE];
};
bool task_next_space(struct space_found *found, int after, bool only_marked);
bool task_find_space(struct space_found *found, int pid);       /* just this one; 0: the caller */

/* task_evict -- kill a task and count it: for a bad access, or for lack of memory. */
void task_evict(struct task *t);
extern size_t evictions;              /* atomic */

/* task_await_end -- suspend until task `pid` is dead and its memory free; at once if it is. 0, or -EINTR: killed meanwhile.
 * task_leaving -- the pid of some task that is about to free its memory; 0: none. */
MUST_CHECK int task_await_end(int pid);
int task_leaving(void);

/* oom_init -- from now on a touch that finds no frame ends a task: see oom.c. sweeper_start -- the sweeper begins. (sweeper.c) */
void oom_init(void);
void sweeper_start(void);
struct sweeper_counters { unsigned long sweeps; size_t blocks, pages; };
extern struct sweeper_counters sweeper_counters;                /* written by the sweeper only */

/* Upcalls (task -> fs): open files at fork and at exit. */
void task_set_file_hooks(struct files *(*copy)(struct files *), void (*release)(struct files *));

/* option -- the value of `name=` on the kernel's command line, copied to buf; false when absent. Quotes "..." may
 * enclose a value with spaces. (task/options.c) */
bool option(const char *name, char *buf, size_t size);
uint64_t option_number(const char *name, uint64_t otherwise);

#endif
