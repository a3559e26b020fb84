/* block.h -- what a disk driver offers the file system: 4 KiB blocks, many requests in flight, completion by callback.
 * Drivers: virtio_blk.c or ide.c, and ramdisk.c. */
#ifndef DEV_BLOCK_H
#define DEV_BLOCK_H

#include "lib/list.h"
#include "lib/types.h"

#define BLOCK_SIZE 4096u
#define BLOCK_SEGMENTS_MAX 64           /* pages one request can gather: 256 KiB */

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

struct block_request {                  /* owned by the caller until done() is called */
    enum block_op op;
    uint32_t      block;                /* first block */
    uint32_t      count;                /* blocks, 1 .. BLOCK_SEGMENTS_MAX; 0 for a flush */
    void        **pages;                /* `count` page addresses, one 4 KiB buffer each */
    int           error;                /* out: 0 or -EIO */
    void        (*done)(struct block_request *r);   /* any context, interrupts off; must not suspend */
    void         *private;              /* the caller's */
    struct list   link;                 /* the driver's: waiting for a free slot */
};

struct block_device {
    const char *name;
    uint32_t    blocks;                 /* capacity */
    bool        read_only;
    /* submit -- queue a request; never suspends, never fails: errors come through done(). Any context. A driver may
     * call done() before submit returns (RAM disk). A FLUSH covers every write whose done() was called before it was
     * submitted. */
    void      (*submit)(struct block_device *dev, struct block_request *r);
};

/* block_wait -- submit and suspend until it is done; returns r->error. Uses done and private itself. Task context, no
 * spinlock. */
int block_wait(struct block_device *dev, struct block_request *r);

/* block_check -- for drivers: 0, or -EIO for a request that leaves the disk, is too long or writes a read-only one. */
int block_check(const struct block_device *dev, const struct block_request *r);

/* The root disk, chosen at start: the initrd if there is one, else the first disk; NULL: none. */
extern struct block_device *root_disk;
void disks_probe(void);                 /* this machine's disk driver (virtio_blk.c, ide.c); sets root_disk if unset */
void ramdisk_init(void);                /* sets root_disk when the machine was given an initrd */

#endif
