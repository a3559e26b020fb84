/* layout.h -- where each area of an image lies: computed once, by mkfs to lay out and by fsck to compare. */
#ifndef MKFS_LAYOUT_H
#define MKFS_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/fsformat.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "images are little-endian and these tools read them as they lie: big-endian hosts are not supported");

#define BITS_PER_BLOCK    (FS_BLOCK_SIZE * 8u)
#define DIRENTS_PER_BLOCK (FS_BLOCK_SIZE / (uint32_t)sizeof(struct dirent))
#define LOG_BLOCKS_LEAST  3u            /* fsck's limit: header, one descriptor, one block */

/* image_layout_make -- fill *sb, checksum included, for a disk of `blocks` blocks with the areas in the order
 * of abi/fsformat.h and no gap between them.
 *   inodes   in the table, 0 included
 *   why      receives the reason, when it does not fit
 *   returns  whether a layout with at least one data block exists */
bool image_layout_make(struct superblock *sb, uint32_t blocks, uint32_t inodes, uint32_t log_blocks,
                       char *why, size_t nwhy);

/* image_layout_check -- read the superblock from an image of `bytes` bytes into *sb and prove every field.
 * After `true`, all areas are in range of the image, in order, and large enough for what they must hold. */
bool image_layout_check(struct superblock *sb, const void *image, uint64_t bytes, char *why, size_t nwhy);

/* The two checksums over the leading fields of a structure. */
uint32_t image_superblock_checksum(const struct superblock *sb);
uint32_t image_log_header_checksum(const struct log_header *header);

#endif
