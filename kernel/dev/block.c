/*
 * block.c -- what all disks share: the root disk, the check of a request, waiting for one.
 *
 * Locks:    wait_lock, between a completion and the task that waits for it.
 * Not here: drivers (virtio_blk.c, ramdisk.c); caching (fs/cache.c).
 */
#include "dev/block.h"
#include "sched/sched.h"
#include "sched/spinlock.h"

struct block_device *root_disk;

static struct spinlock wait_lock = SPINLOCK_INIT("block wait", RANK_DISK);

int block_check(const struct block_device *dev, const struct block_request *r)
{
    if (r->op == BLOCK_FLUSH)
        return r->count == 0 ? 0 : -EIO;
    if (r->count == 0 || r->count > BLOCK_SEGMENTS_MAX || r->count > dev->blocks || r->block > dev->blocks - r->count)
        return -EIO;
    return r->op == BLOCK_WRITE && dev->read_only ? -EIO : 0;
}

/* The request lies on the waiter's stack: after `finished` is seen under the lock, nobody looks at it any more. */
static void finish_wait(struct block_request *r)
{
    acquire(&wait_lock);
    *(bool *)r->private = true;
    wakeup(r);
    release(&wait_lock);
}

int block_wait(struct block_device *dev, struct block_request *r)
{
    bool finished = false;

    r->done = finish_wait;
    r->private = &finished;
    dev->submit(dev, r);
    acquire(&wait_lock);
    while (!finished)
        (void)suspend(r, &wait_lock, WAIT_FIRM);
    release(&wait_lock);
    return r->error;
}
