/*
 * fp.c -- floating point of user programs, paid for only by those that use it.
 *
 * sstatus.FS is off when a task starts, so its first floating-point instruction traps; from then on the task has a
 * struct fp_state, FS is on while it runs, and its registers are saved at a switch only when they were written (FS
 * dirty). The kernel itself has no floating-point code.
 */
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/sched.h"
#include "riscv.h"

#define FS_CLEAN 0x4000ul
#define FS_DIRTY 0x6000ul

static struct slab_cache fp_cache = SLAB_CACHE("fp_state", struct fp_state);

static void fp_enable(struct task *t)
{
    CSR_SET(sstatus, SSTATUS_FS);
    fp_load(t->fp);
    CSR_CLEAR(sstatus, FS_DIRTY & ~FS_CLEAN);   /* on, and equal to what is saved */
}

static void fp_save_if_dirty(struct task *t)
{
    if ((CSR_READ(sstatus) & SSTATUS_FS) == FS_DIRTY) {
        fp_save(t->fp);
        CSR_CLEAR(sstatus, FS_DIRTY & ~FS_CLEAN);
    }
}

HOT void fp_switch(struct task *from, struct task *to)
{
    if (LIKELY(from->fp == NULL && to->fp == NULL))
        return;
    if (from->fp != NULL) {
        fp_save_if_dirty(from);
        CSR_CLEAR(sstatus, SSTATUS_FS);
    }
    if (to->fp != NULL)
        fp_enable(to);
}

bool fp_first_use(struct task *t)
{
    if (t->fp != NULL)
        return false;                           /* it has floating point: the instruction is really illegal */
    t->fp = slab_alloc(&fp_cache);
    if (t->fp == NULL)
        return false;                           /* no memory for the registers: the task ends */
    fp_enable(t);
    return true;
}

int fp_copy_to_child(struct task *parent, struct task *child)
{
    if (parent->fp == NULL)
        return 0;
    child->fp = slab_alloc(&fp_cache);
    if (child->fp == NULL)
        return -ENOMEM;
    fp_save_if_dirty(parent);
    memcpy(child->fp, parent->fp, sizeof(*child->fp));
    return 0;
}

void fp_release(struct task *t)
{
    if (t->fp == NULL)
        return;
    if (t == current())
        CSR_CLEAR(sstatus, SSTATUS_FS);
    slab_free(&fp_cache, t->fp);
    t->fp = NULL;
}
