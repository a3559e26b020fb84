/* abi/info.h -- what the kernel tells about itself: tasklist() rows and kcounters(). Same layout on every machine. */
#ifndef ABI_INFO_H
#define ABI_INFO_H

#include <stdint.h>

/* Task states by number and printable name; struct task and ps share this list. */
#define TASK_STATES(X) X(UNUSED) X(RUNNABLE) X(RUNNING) X(WAITING) X(ZOMBIE)
#define TASK_STATE(name) name,
enum task_state { TASK_STATES(TASK_STATE) };
#undef TASK_STATE

#define TASK_NAME_SIZE 16               /* bytes, the terminating NUL counted */

struct task_info {                      /* one row of tasklist(), ascending pid */
    int32_t  pid;
    int32_t  parent;                    /* 0: none */
    int32_t  group;
    int32_t  state;                     /* enum task_state */
    int32_t  cpu;                       /* where it runs, or ran last */
    int32_t  kernel_only;               /* 1: a kernel task, no user memory */
    uint64_t cpu_time_us;               /* processor time used, microseconds */
    uint64_t reserved_kb;               /* user memory promised, KiB */
    uint64_t resident_kb;               /* of this, now in frames */
    char     name[TASK_NAME_SIZE];
};
_Static_assert(sizeof(struct task_info) == 64, "struct task_info is ABI");

struct kcounters {                      /* since boot unless said otherwise; grows only at its end */
    uint64_t frames_total;              /* usable frames of 4 KiB */
    uint64_t frames_free;               /* now */
    uint64_t ticks;                     /* handled timer interrupts of the boot hart, 100 a second */
    uint64_t sweeps;                    /* runs of the sweeper */
    uint64_t blocks_swept;
    uint64_t pages_swept;
    uint64_t demand_faults;             /* pages mapped on first touch */
    uint64_t cow_copies;                /* pages copied on a write to a shared one */
    uint64_t cow_upgrades;              /* pages made writable because nobody shared them any more */
    uint64_t shootdowns;                /* remote fences sent */
    uint64_t evictions;                 /* tasks killed for a bad access or for lack of memory */
    uint64_t tasks_live;                /* now, kernel tasks included, zombies not */
    uint64_t tasks_max;                 /* the limit now in force */
    uint64_t cpus;                      /* harts online */
    uint64_t frames_kernel_free;        /* i386: below 4 MiB; else 0 */
    uint64_t frames_user_free;          /* i386: from 4 MiB; else frames_free */
    uint64_t frames_cached;             /* frames of the block cache that could be given back */
    uint64_t pages_committed;           /* pages promised and not yet backed by a frame */
    uint64_t clock_hz;                  /* counts a second of the clock a program can read: clock_ns() is made of it */
    uint64_t frames_cache_index;        /* frames that describe blocks of the cache: given back with the last of their blocks */
    uint64_t reserved[4];
};
_Static_assert(sizeof(struct kcounters) == 24 * 8, "struct kcounters is ABI");

#endif
