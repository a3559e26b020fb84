/* log.h -- transactions: changes of metadata that reach the disk together or not at all. Format: abi/fsformat.h.
 *
 * An operation (a system call that changes the file system, or one slice of a long one) runs between log_begin() and
 * log_end(). Operations of all tasks join the running transaction; a commit closes it, and with the rest of its file
 * data on the disk first, writes it to the log. Home locations are written later, by a checkpoint.
 *
 * Order of locks: log_begin() comes before any inode lock of the operation, and a task that holds an inode lock never
 * calls log_begin(), log_commit() or inode_put(): a commit waits for the open operations to end. */
#ifndef FS_LOG_H
#define FS_LOG_H

#include "fs/cache.h"

/* log_recover -- replay what the log holds and leave it empty. 0, -EIO, -EINVAL (no log), -ENOMEM. Boot, before any
 * buffer of the cache exists. In recover.c. log_init -- then, ready for operations. */
struct superblock;
struct log_place { uint32_t start, ring, head; uint64_t sequence; };    /* first block, ring length, where to go on */
MUST_CHECK int log_recover(struct block_device *device, const struct superblock *super, struct log_place *place);
MUST_CHECK int log_init(const struct log_place *place);

/* log_begin -- join the running transaction, promising to change at most `credits` blocks, credits <= log_credits_max().
 * Waits for room. 0; -EROFS: the disk cannot be written at all; -EIO: the log cannot be written now, nothing may change
 * until it can. */
MUST_CHECK int log_begin(uint32_t credits);
void log_end(uint32_t credits);
uint32_t log_credits_max(void);

/* log_modify -- call before changing a metadata buffer. Waits while a checkpoint writes it. In an operation.
 * log_forget -- a metadata block was freed: no need to log it if only the running transaction knows it. */
void log_modify(struct buffer *b);
void log_forget(uint32_t block);

/* log_commit -- everything done before the call, data and metadata, is on the disk when it returns. 0 or -EIO: all is
 * still in memory and will be tried again. log_checkpoint -- commit, then write all home and empty the log.
 * Both: no operation open, no inode lock. */
int log_commit(void);
int log_checkpoint(void);
void log_relieve(void);                 /* short of memory: checkpoint what is committed, unless somebody commits now */
bool log_wants_checkpoint(void);        /* half full */
bool log_idle(void);                    /* nothing to commit, nothing to checkpoint */
void log_wait_until_busy(void);         /* suspend until there is something */
void log_note_busy(void);               /* fs_lock held: there is, as of now */

uint64_t log_sequence(void);            /* of the running transaction */
uint64_t log_tail_sequence(void);       /* older transactions will never be replayed */

#endif
