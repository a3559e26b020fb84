/* inode.h -- files as such: an inode in memory, its size, its blocks, its bytes. Names are dir.h's. */
#ifndef FS_INODE_H
#define FS_INODE_H

#include "abi/fsformat.h"
#include "abi/stat.h"
#include "fs/cache.h"
#include "sched/sleeplock.h"

struct dir_index;

struct inode {                          /* [i] inodes lock  [l] its own lock  [c] constant */
    uint32_t          inum;             /* [c] */
    uint32_t          refs;             /* [i] 0: only cached, on the unused list */
    struct inode     *hash_next;        /* [i] */
    struct list       unused;           /* [i] */
    struct sleeplock  lock;
    bool              loaded;           /* [l] `disk` is valid */
    bool              write_error;      /* some of its data could not be written: fsync() reports it once */
    struct disk_inode disk;             /* [l] as it is, or will be, in the inode table */
    struct buffer    *table;            /* [l] its block of the inode table while referenced, so updating cannot fail */
    struct {
        uint32_t file, disk, count;
    } run; /* [l] last piece of the block map found; count 0: none */
    struct {
        uint32_t next, end, window;
    } ahead;                 /* [l] read-ahead: expected block, where reading has got to */
    struct dir_index *index;            /* [l] a directory's names in memory, or NULL */
};

MUST_CHECK int inode_init(const struct superblock *super);

/* inode_get -- the inode with this number, referenced, not locked, perhaps not loaded. NULL: no memory. Any task context.
 * inode_hold -- one more reference. inode_put -- one less; the last one of a file without names frees it, in operations of
 * its own: no operation open, no inode locked. NULL is allowed. */
MUST_CHECK struct inode *inode_get(uint32_t inum);
struct inode *inode_hold(struct inode *inode);
void inode_put(struct inode *inode);

/* inode_lock -- wait for it and load it. 0, -EIO (unreadable, or nonsense on the disk), -ENOMEM: then not locked.
 * Order: a directory before what it contains; two directories: ancestor first, else by address, under rename_lock. */
MUST_CHECK int inode_lock(struct inode *inode);
void inode_unlock(struct inode *inode);

/* In an operation, inode locked unless said otherwise:
 * inode_create -- a new inode without names, referenced and locked. 0, -ENOSPC, -ENOMEM, -EIO.
 * inode_update -- put a changed `disk` into the inode table. Cannot fail. INODE_CREDITS says what create and update cost.
 * inode_grow   -- the buffer of block n, allocated (zeroed) if it was a hole: for directories, as metadata. */
#define INODE_CREDITS 2
MUST_CHECK int inode_create(unsigned type, unsigned major, unsigned minor, struct inode **out);
void inode_update(struct inode *inode);
MUST_CHECK int inode_grow(struct inode *inode, uint32_t n, struct buffer **out);

/* inode_map -- the disk block of block n, 0 for a hole, and how many blocks from there on are consecutive too (at least 1).
 * Locked. 0, -EIO, -EFBIG. */
MUST_CHECK int inode_map(struct inode *inode, uint32_t n, uint32_t *disk, uint32_t *count);

/* inode_read -- bytes at `offset`, to kernel memory, or if `kernel` is NULL to user memory. Locked. Count (short at the end
 * of the file), or -EIO, -EFAULT, -ENOMEM when nothing was read.
 * inode_write -- no operation open, not locked: makes operations of its own, a slice each. `offset` in and out; append:
 * every slice goes to the end. Count, short when something ended it; else -ENOSPC -EFBIG -EFAULT -EIO -EINTR -ENOMEM.
 * inode_write_slice -- in an operation with write_credits(), locked; from kernel memory; for symbolic links.
 * inode_truncate -- no operation open, not locked. 0, -EFBIG, -EIO, -ENOMEM. */
MUST_CHECK long inode_read(struct inode *inode, void *kernel, vaddr_t user, uint64_t offset, size_t nbytes);
MUST_CHECK long inode_write(struct inode *inode, vaddr_t user, uint64_t *offset, size_t nbytes, bool append);
MUST_CHECK long inode_write_slice(struct inode *inode, const void *kernel, vaddr_t user, uint64_t offset,
                                  size_t nbytes);
uint32_t write_credits(size_t nbytes);
MUST_CHECK int inode_truncate(struct inode *inode, uint64_t size);

/* inode_stat -- locked. inode_sync_error -- -EIO once after data of it could not be written. */
void inode_stat(struct inode *inode, struct stat *st);
int  inode_sync_error(struct inode *inode);

/* make_space -- after -ENOSPC, outside any operation: true if trying again makes sense, as freed blocks have become usable.
 * *tries starts at 0. */
bool make_space(int error, int *tries);

#endif
