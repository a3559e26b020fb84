/* view.h -- read-only access to an image in memory, with the log's committed blocks seen in their places.
 *
 * A view never writes to the image and never copies a block: replay is a table that says "for home block b, look
 * at ring block moved[b] instead". Everything works on images at any alignment and with any contents. */
#ifndef MKFS_VIEW_H
#define MKFS_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/fsformat.h"

struct view {
    const uint8_t    *image;
    struct superblock sb;               /* proven by image_layout_check() */
    uint32_t         *moved;            /* [sb.blocks]; 0: the block is in its place */
};

/* view_open -- prove the superblock and prepare an empty replay table. The image must stay as long as the view.
 *   returns  false with the reason in `why`; nothing to close then */
bool view_open(struct view *view, const void *image, size_t bytes, char *why, size_t nwhy);
void view_close(struct view *view);

/* view_block -- the FS_BLOCK_SIZE bytes of a block; number < sb.blocks is the caller's duty. */
const uint8_t *view_block(const struct view *view, uint32_t number);

/* view_inode -- a copy of an inode; inum < sb.inodes is the caller's duty. */
void view_inode(const struct view *view, uint32_t inum, struct disk_inode *inode);

/* view_map_bit -- bit `index` of the map that begins at block `start`; the map covers it. */
bool view_map_bit(const struct view *view, uint32_t start, uint32_t index);

/* Called for every block number other than 0 in an inode, index blocks before what they list.
 *   file_block  position in the file; of an index block, the first position it can map
 *   block       the number as found: any value
 *   is_index    whether it is an index block
 *   returns     of an index block: whether to go on into it. Must be false for one seen before, or a hostile
 *               image would make the walk very long. Never entered when out of range, whatever is returned. */
typedef bool (*view_visitor)(void *context, uint64_t file_block, uint32_t block, bool is_index);

/* view_walk_inode -- visit all blocks of an inode, in ascending order of position. */
void view_walk_inode(const struct view *view, const struct disk_inode *inode, view_visitor visit, void *context);

#endif
