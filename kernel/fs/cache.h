/* cache.h -- disk blocks in memory: one buffer = one 4 KiB block = one frame.
 *
 * A buffer is used between cache_read() or cache_new() and cache_put(). What protects its contents is the lock of what
 * it belongs to (the inode's, the allocator's); the cache's own lock, fs_lock, protects the state below and is shared
 * with log.c, because a buffer's state and its transaction change together.
 *
 *               read done                cache_dirty                 flusher
 *   B_READING ------------> (clean) ----------------> B_DIRTY ----------------> B_WRITING --> (clean)      file data
 *                             |   log_modify                    commit              checkpoint
 *                             +-------------> B_RUNNING ------> B_COMMITTING ------> B_LOGGED --> (clean)  metadata
 *
 * A clean buffer nobody references waits in the LRU list, from which memory pressure takes it. */
#ifndef FS_CACHE_H
#define FS_CACHE_H

#include "dev/block.h"
#include "lib/list.h"
#include "sched/spinlock.h"

#define B_VALID      1u                 /* contents are those of the block, or newer */
#define B_READING    2u                 /* a read is in flight */
#define B_WRITING    4u                 /* a write to its home is in flight */
#define B_DIRTY      8u                 /* file data newer than the disk: on the dirty list */
#define B_RUNNING    16u                /* changed by the running transaction: on log.running */
#define B_COMMITTING 32u                /* part of the transaction that is being written to the log */
#define B_LOGGED     64u                /* the live log holds it: on log.checkpoint until its home is up to date */
#define B_FAILED     128u               /* its last write failed */
#define B_LRU        256u               /* clean, unreferenced: on the LRU list */

/* A buffer with one of these follows the log's rules: changed only in a transaction, never while B_WRITING. */
#define B_IN_LOG     (B_RUNNING | B_COMMITTING | B_LOGGED)

struct buffer {                         /* everything but *data: fs_lock */
    uint32_t       block;
    uint32_t       refs;
    uint32_t       flags;
    uint32_t       owner;               /* inode number of file data: whom to tell when a write fails */
    void          *data;                /* the frame */
    struct buffer *hash_next;
    struct list    link;                /* LRU list or dirty list */
    struct list    running_link;        /* log.running */
    struct list    checkpoint_link;     /* log.checkpoint, by log_sequence */
    uint64_t       dirty_stamp;         /* when it became dirty: the dirty list is in this order */
    uint64_t       log_sequence;        /* last committed transaction that holds it */
    uint32_t       log_start;           /* where that transaction begins in the ring */
};

extern struct spinlock fs_lock;

MUST_CHECK int cache_init(struct block_device *device);
bool cache_read_only(void);             /* is the disk? */

/* cache_read -- the block's buffer, referenced, contents valid. 0, -EIO, -ENOMEM. May suspend.
 * cache_new  -- the same for a block whose old contents do not matter: zeroed (`zero`), or to be overwritten whole.
 * cache_put  -- the reference goes; NULL is allowed. */
MUST_CHECK int cache_read(uint32_t block, struct buffer **out);
MUST_CHECK int cache_new(uint32_t block, bool zero, struct buffer **out);
void cache_put(struct buffer *b);

/* cache_read_ahead -- start reading `count` consecutive blocks in one request; stops early at one already here or when
 * memory is short. Does not wait. */
void cache_read_ahead(uint32_t block, uint32_t count);

/* cache_dirty -- the buffer's data, a part of file `owner`, has just been changed. Never for buffers in the log.
 * cache_forget -- the block was freed: what is dirty of it need not be written. */
void cache_dirty(struct buffer *b, uint32_t owner);
void cache_forget(uint32_t block);

/* cache_throttle -- wait while too much is dirty. 0; -EINTR: killed; -EIO: dirty data cannot be written.
 * Task context, no lock and no transaction. */
MUST_CHECK int cache_throttle(void);

/* cache_make_memory -- after an allocation failed: write out what keeps frames, so that they can be taken. False: nothing
 * more to gain. Task context, no spinlock; inside an operation too. */
bool cache_make_memory(void);
bool cache_wants_flush(void);           /* enough is dirty to start writing */

/* ---- For log.c and the flusher. io_lock: one writer at a time uses the pool of transfers and the batch.
 * cache_write_back -- write the data that was dirty at `stamp` (~0: all there is now) home, at most `max` blocks.
 * Returns 0 or -EIO (failed blocks are dirty again, their owners are told). No lock, or commit_lock.
 * The _locked functions want io_lock held. */
extern struct sleeplock io_lock;
int  cache_write_back(uint64_t stamp, uint32_t max);
int  cache_write_back_locked(uint64_t stamp, uint32_t max);
int  cache_write_home_locked(struct buffer **buffers, uint32_t count);     /* B_WRITING set by the caller; B_FAILED says */
int  cache_write_pages_locked(uint32_t block, void **pages, uint32_t count);
int  cache_flush_locked(void);          /* FLUSH the device, if anything was written since the last one */
bool cache_unflushed(void);
uint64_t cache_stamp(void);
void cache_keep_until(uint64_t stamp);  /* cache_forget() must not drop data dirtied up to `stamp`; 0: it may */
int  cache_take_errors(void);           /* -EIO once after a data write failed, else 0 */
void cache_settle(struct buffer *b);    /* fs_lock held, after flags were cleared: to the LRU list if it may */
void cache_clean(struct buffer *b);     /* fs_lock held: B_DIRTY goes */
struct buffer *cache_find(uint32_t block);      /* fs_lock held: the buffer if it is here, no reference taken */
size_t cache_dirty_count(void);
size_t cache_index_frames(void);        /* frames of descriptors, free ones among them too */

/* cache_set_error_hook -- tells the owner (inode number) of data that could not be written. Task context, no spinlock. */
void cache_set_error_hook(void (*hook)(uint32_t owner));

#define CACHE_BATCH 512                 /* blocks one round of writing takes */

#endif
