/*
 * fp.c -- floating point of user programs, paid for only by those that use it.
 *
 * A task switch sets CR0.TS, so the first floating-point instruction after it traps (device not available). Then the
 * registers of whoever used the unit last are saved, and those of the current task are loaded. The kernel has no floating-point code.
 * Owns:     the x87 registers; who they belong to.
 * Locks:    one CPU, interrupts off.
 */
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/sched.h"
#include "i386.h"

static struct slab_cache fp_cache = SLAB_CACHE("fp_state", struct fp_state);
/* 53 bits of precision, as a double has: a program computes the same here as on other machines. No exception is enabled. */
static const uint16_t first_control = 0x027F;
static struct task *owner;                      /* whose registers are in the unit; NULL: nobody's */

static void fp_on(void)  { __asm__ volatile("clts"); }
static void fp_off(void) { __asm__ volatile("movl %%cr0, %%eax; orl $8, %%eax; movl %%eax, %%cr0" ::: "eax"); }

/* save -- fnsave leaves the unit empty. The unit is on. */
static void save(struct task *t) { __asm__ volatile("fnsave %0" : "=m"(*t->fp)); }

/* load -- frstor would first report an exception that a dead task has left in the unit. */
static void load(struct task *t) { __asm__ volatile("fnclex; frstor %0" :: "m"(*t->fp)); }

void fp_switch(struct task *from, struct task *to) { (void)from, (void)to; }    /* the processor sets TS */

bool fp_first_use(void)
{
    struct task *self = current();
    bool fresh = self->fp == NULL;
    if (fresh && (self->fp = slab_alloc(&fp_cache)) == NULL)
        return false;                           /* no memory for the registers: the task ends */
    fp_on();
    if (owner == self)
        return true;
    if (owner != NULL)
        save(owner);
    owner = self;
    if (fresh)
        __asm__ volatile("fninit; fldcw %0" :: "m"(first_control));
    else
        load(self);
    return true;
}

int fp_copy_to_child(struct task *parent, struct task *child)
{
    if (parent->fp == NULL)
        return 0;
    child->fp = slab_alloc(&fp_cache);
    if (child->fp == NULL)
        return -ENOMEM;
    if (owner == parent) {
        fp_on();
        save(parent);
        load(parent);                           /* still its own */
    }
    memcpy(child->fp, parent->fp, sizeof(*child->fp));
    return 0;
}

void fp_release(struct task *t)
{
    if (t->fp == NULL)
        return;
    if (owner == t) {
        owner = NULL;
        fp_off();
    }
    slab_free(&fp_cache, t->fp);
    t->fp = NULL;
}
