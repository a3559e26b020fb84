/*
 * layout.c -- the areas of an image.
 *
 *   superblock | log: header, ring | inode map | block map | inode table | data
 *
 * Three numbers decide everything: blocks, inodes, log_blocks. mkfs chooses them; fsck takes them from the
 * superblock, computes the rest again and compares.
 */
#include "mkfs/layout.h"

#include <stdio.h>
#include <string.h>

#include "mkfs/crc32.h"

uint32_t image_superblock_checksum(const struct superblock *sb)
{
    return image_crc32(0, sb, offsetof(struct superblock, checksum));
}

uint32_t image_log_header_checksum(const struct log_header *header)
{
    return image_crc32(0, header, offsetof(struct log_header, checksum));
}

static uint32_t round_up_divide(uint32_t amount, uint32_t unit)
{
    return amount / unit + (amount % unit != 0);
}

bool image_layout_make(struct superblock *sb, uint32_t blocks, uint32_t inodes, uint32_t log_blocks,
                       char *why, size_t nwhy)
{
    uint32_t imap_blocks = round_up_divide(inodes, BITS_PER_BLOCK);
    uint32_t bmap_blocks = round_up_divide(blocks, BITS_PER_BLOCK);
    uint32_t inode_blocks = round_up_divide(inodes, INODES_PER_BLOCK);
    uint64_t data_start = 1 + (uint64_t)log_blocks + imap_blocks + bmap_blocks + inode_blocks;

    if (data_start >= blocks) {
        snprintf(why, nwhy, "%u blocks are too few: superblock 1, log %u, maps %u, inode table %u"
                 " leave none for files", blocks, log_blocks, imap_blocks + bmap_blocks, inode_blocks);
        return false;
    }
    memset(sb, 0, sizeof *sb);
    sb->magic = FS_MAGIC;
    sb->version = FS_VERSION;
    sb->block_size = FS_BLOCK_SIZE;
    sb->blocks = blocks;
    sb->inodes = inodes;
    sb->log_start = 1;
    sb->log_blocks = log_blocks;
    sb->imap_start = sb->log_start + log_blocks;
    sb->imap_blocks = imap_blocks;
    sb->bmap_start = sb->imap_start + imap_blocks;
    sb->bmap_blocks = bmap_blocks;
    sb->inode_start = sb->bmap_start + bmap_blocks;
    sb->inode_blocks = inode_blocks;
    sb->data_start = (uint32_t)data_start;
    sb->checksum = image_superblock_checksum(sb);
    return true;
}

/* What the superblock says about itself, before any of its numbers is believed. */
static bool check_identity(const struct superblock *sb, char *why, size_t nwhy)
{
    if (sb->magic != FS_MAGIC)
        snprintf(why, nwhy, "superblock: magic is 0x%llx, expected 0x%llx: not a Tamal file system",
                 (unsigned long long)sb->magic, (unsigned long long)FS_MAGIC);
    else if (sb->checksum != image_superblock_checksum(sb))
        snprintf(why, nwhy, "superblock: checksum is 0x%x, computed 0x%x",
                 sb->checksum, image_superblock_checksum(sb));
    else if (sb->version != FS_VERSION)
        snprintf(why, nwhy, "superblock: version is %u, expected %u", sb->version, FS_VERSION);
    else if (sb->block_size != FS_BLOCK_SIZE)
        snprintf(why, nwhy, "superblock: block_size is %u, expected %u", sb->block_size, FS_BLOCK_SIZE);
    else
        return true;
    return false;
}

/* The three numbers that decide the layout. */
static bool check_numbers(const struct superblock *sb, uint64_t bytes, char *why, size_t nwhy)
{
    if (sb->blocks > bytes / FS_BLOCK_SIZE)
        snprintf(why, nwhy, "superblock: blocks is %u, but the image holds only %llu",
                 sb->blocks, (unsigned long long)(bytes / FS_BLOCK_SIZE));
    else if (sb->inodes <= FS_ROOT_INODE)
        snprintf(why, nwhy, "superblock: inodes is %u, too few for a root directory", sb->inodes);
    else if (sb->log_blocks < LOG_BLOCKS_LEAST)
        snprintf(why, nwhy, "superblock: log_blocks is %u, the least is %u", sb->log_blocks, LOG_BLOCKS_LEAST);
    else
        return true;
    return false;
}

bool image_layout_check(struct superblock *sb, const void *image, uint64_t bytes, char *why, size_t nwhy)
{
    struct superblock expected;
    char reason[160];

    if (bytes < FS_BLOCK_SIZE) {
        snprintf(why, nwhy, "superblock: the image is %llu bytes, less than one block", (unsigned long long)bytes);
        return false;
    }
    memcpy(sb, image, sizeof *sb);
    if (!check_identity(sb, why, nwhy) || !check_numbers(sb, bytes, why, nwhy))
        return false;
    if (!image_layout_make(&expected, sb->blocks, sb->inodes, sb->log_blocks, reason, sizeof reason)) {
        snprintf(why, nwhy, "superblock: %s", reason);
        return false;
    }
#define FIELD(name)  { #name, offsetof(struct superblock, name) }
    static const struct { const char *name; size_t offset; } fields[] = {
        FIELD(log_start), FIELD(imap_start), FIELD(imap_blocks), FIELD(bmap_start), FIELD(bmap_blocks),
        FIELD(inode_start), FIELD(inode_blocks), FIELD(data_start),
    };
#undef FIELD
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint32_t found, wanted;
        memcpy(&found, (const char *)sb + fields[i].offset, sizeof found);
        memcpy(&wanted, (const char *)&expected + fields[i].offset, sizeof wanted);
        if (found != wanted) {
            snprintf(why, nwhy, "superblock: %s is %u, expected %u", fields[i].name, found, wanted);
            return false;
        }
    }
    return true;
}
