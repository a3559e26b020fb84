/*
 * oom.c -- the end of memory: a touch found no frame, although the cache gave back what it could.
 *
 * The task with the highest score goes: the toucher itself, unless another one has more. init is never chosen. The toucher
 * holds no lock, suspends until the victim's memory is free, and tries again; so each try costs one task, and at the latest the
 * toucher is the highest itself.
 * Locks:    one address space at a time, through task_next_space().
 * Not here: promises, which make most shortages an error of a call instead (mm/commit.c).
 */
#include "mm/commit.h"
#include "mm/vm.h"
#include "task/task.h"

#define FREE_RIDES 8                    /* so often nobody is killed because somebody ends anyway */

/* choose -- the pid of who is to go, and its score. */
static int choose(bool only_self, int *score)
{
    struct task *self = current();
    struct space_found found;
    int pid = self->pid;
    *score = -1;
    for (int after = 0; task_next_space(&found, after, false); after = found.pid) {
        int its_score = vm_oom_score(found.vm, found.oom_adj);
        bool is_self = found.task == self;
        release(&found.vm->lock);
        if (found.is_init)                              /* not even as the toucher, while there is anybody else */
            continue;
        if (is_self ? its_score >= *score : its_score > *score && !only_self) {
            *score = its_score;
            pid = found.pid;
        }
    }
    return pid;
}

/* must_fail -- T-2: this allocation was made to fail; nobody else shall pay for it. */
static bool must_fail(struct task *self)
{
#ifdef DEBUG
    bool failed = self->alloc_was_failed;
    self->alloc_was_failed = false;
    return failed;
#else
    (void)self;
    return false;
#endif
}

/* A task that goes is first seen with its memory, then leaving, then its memory is free. So we choose first and look for the two
 * others then: whoever left before we could choose him has been seen by one of the looks, and nobody goes in his place. */
static bool make_room(uintptr_t va, unsigned attempt)
{
    struct task *self = current();
    bool only_self = must_fail(self);
    int score;
    if (self->killed)                   /* it ends anyway; nobody else shall pay for what it still touches */
        return false;
    int pid = choose(only_self, &score);
    if (!only_self && attempt < FREE_RIDES) {
        int leaving = task_leaving();
        if (leaving != 0)
            return task_await_end(leaving) == 0;
        if (commit_may_overcommit())
            return true;
    }
    task_kill_for_memory(pid, MAX(score, 0), va);
    return pid != self->pid && task_await_end(pid) == 0;
}

void oom_init(void) { vm_set_shortage_hook(make_room); }
