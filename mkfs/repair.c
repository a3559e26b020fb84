/*
 * repair.c -- fsck_repair: does to an image what a kernel does when it mounts it.
 *
 * The log is emptied so that nothing old can ever pass for new: a torn transaction may have left whole groups in the
 * ring, and a new transaction with the same number could end in one of them. So the next number skips more than
 * all the transactions a ring can hold.
 */
#include <string.h>

#include "mkfs/check.h"
#include "mkfs/layout.h"
#include "mkfs/log.h"
#include "mkfs/view.h"

struct repair {
    uint8_t    *image;
    struct view view;                   /* of the same bytes */
    uint64_t    changes;
};

static uint64_t write_replayed(struct repair *repair)
{
    uint64_t written = 0;
    for (uint32_t block = 0; block < repair->view.sb.blocks; block++)
        if (repair->view.moved[block] != 0) {       /* from the ring, and homes are never in the ring */
            memcpy(repair->image + (size_t)block * FS_BLOCK_SIZE, view_block(&repair->view, block), FS_BLOCK_SIZE);
            repair->view.moved[block] = 0;
            written++;
        }
    return written;
}

static void empty_log(struct repair *repair, uint64_t next_sequence)
{
    struct log_header header = { .magic = LOG_HEADER_MAGIC, .tail = 0 };
    header.sequence = next_sequence + repair->view.sb.log_blocks;
    header.checksum = image_log_header_checksum(&header);
    memcpy(repair->image + (size_t)repair->view.sb.log_start * FS_BLOCK_SIZE, &header, sizeof header);
}

static void clear_map_bit(struct repair *repair, uint32_t start, uint32_t index)
{
    uint8_t *block = repair->image + (size_t)(start + index / BITS_PER_BLOCK) * FS_BLOCK_SIZE;
    uint32_t bit = index % BITS_PER_BLOCK;
    block[bit / 8] &= (uint8_t)~(1u << bit % 8);
    repair->changes++;
}

/* Clean images only: every block is in range and used once. */
static bool free_block(void *context, uint64_t file_block, uint32_t block, bool is_index)
{
    struct repair *repair = context;
    (void)file_block, (void)is_index;
    clear_map_bit(repair, repair->view.sb.bmap_start, block);
    return true;
}

static void free_orphans(struct repair *repair)
{
    const struct superblock *sb = &repair->view.sb;
    for (uint32_t inum = FS_ROOT_INODE + 1; inum < sb->inodes; inum++) {
        struct disk_inode inode;
        view_inode(&repair->view, inum, &inode);
        if (inode.type == 0 || inode.nlink != 0)
            continue;
        view_walk_inode(&repair->view, &inode, free_block, repair);
        clear_map_bit(repair, sb->imap_start, inum);
        memset(repair->image + (size_t)(sb->inode_start + inum / INODES_PER_BLOCK) * FS_BLOCK_SIZE
               + inum % INODES_PER_BLOCK * sizeof inode, 0, sizeof inode);
    }
}

uint64_t fsck_repair(void *image, size_t bytes, struct fsck_result *result)
{
    struct repair repair = { .image = image };
    struct log_state state;
    char why[256];

    fsck_check(image, bytes, NULL, NULL, result);
    if (result->verdict == FSCK_CANNOT_CHECK || !view_open(&repair.view, image, bytes, why, sizeof why))
        return 0;
    log_replay(&repair.view, &state);
    if (state.sound && state.transactions != 0) {
        repair.changes += 1 + write_replayed(&repair);
        empty_log(&repair, state.next_sequence);
    }
    if (result->verdict == FSCK_CLEAN && result->orphans != 0)
        free_orphans(&repair);
    view_close(&repair.view);
    return repair.changes;
}
