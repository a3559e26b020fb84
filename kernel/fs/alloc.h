/* alloc.h -- which blocks and inodes are free: the two bit maps, kept in memory whole. Every call but alloc_statistics()
 * is made in an operation and counts towards its credits: one block for each group (32768 blocks or inodes) touched. */
#ifndef FS_ALLOC_H
#define FS_ALLOC_H

#include "abi/fsformat.h"
#include "abi/stat.h"
#include "lib/types.h"

MUST_CHECK int alloc_init(const struct superblock *super);

/* alloc_blocks -- up to `want` consecutive blocks, at or after `goal` if possible, else anywhere. At least one: count, with
 * the first in *start. -ENOSPC. The blocks' old contents are anything.
 * free_blocks -- give blocks of a file back. They become reusable when the log can no longer replay anything over them.
 * A block that is not in use, or not a data block, is reported and left alone. */
MUST_CHECK int alloc_blocks(uint32_t goal, uint32_t want, uint32_t *start);
void free_blocks(uint32_t start, uint32_t count);
bool block_is_data(uint32_t block);     /* may an inode refer to it? */

MUST_CHECK int alloc_inode_number(uint32_t *inum);      /* 0, -ENOSPC */
void free_inode_number(uint32_t inum);
bool inode_number_in_use(uint32_t inum);

/* alloc_blocked_by_log -- freed blocks that wait for a checkpoint: worth one when there is no space. */
bool alloc_blocked_by_log(void);
bool alloc_has_space(void);             /* a block and an inode at least */
uint32_t alloc_groups(void);
void alloc_statistics(struct statfs *fs);

#endif
