/*
 * check_inode.c -- pass 1 of fsck: every inode by itself, and who owns which block.
 *
 * The first inode to use a block owns it; every later use is a problem and is not followed. So each block is looked
 * into at most once, however an image is knotted, and a pass takes time in proportion to the disk.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "abi/stat.h"
#include "mkfs/check_parts.h"

/* One inode's walk through its blocks. */
struct claim {
    struct check *check;
    uint32_t      inum;
    uint16_t      type;
    uint64_t      limit;                /* blocks its size covers */
    uint64_t      mapped;               /* data blocks within the limit */
    uint64_t      beyond;               /* blocks outside it, index blocks included */
    uint64_t      total;                /* block numbers in it other than 0 */
    uint32_t      first_block;          /* where file block 0 is, if it is this inode's; or 0 */
};

/* Take `block` for the inode, unless it cannot be had. */
static bool claim_block(struct claim *claim, uint64_t file_block, uint32_t block, bool is_index)
{
    struct check *check = claim->check;
    const struct superblock *sb = &check->view.sb;

    if (block < sb->data_start || block >= sb->blocks) {
        check_problem(check, "inode %u: %s %u (file block %" PRIu64 ") is outside the data area, %u to %u",
                      claim->inum, is_index ? "index block" : "block", block, file_block,
                      sb->data_start, sb->blocks - 1);
        return false;
    }
    if (check->owner[block] == claim->inum) {
        check_problem(check, "inode %u: block %u is used twice", claim->inum, block);
        return false;
    }
    if (check->owner[block] != 0) {
        check_problem(check, "inode %u: block %u is also used by inode %u", claim->inum, block,
                      check->owner[block]);
        return false;
    }
    check->owner[block] = claim->inum;
    return true;
}

static void remember_dir_block(struct check *check, uint32_t inum, uint32_t file_block, uint32_t block)
{
    if (check->ndir_blocks == check->dir_block_capacity) {
        size_t capacity = check->dir_block_capacity ? check->dir_block_capacity * 2 : 64;
        struct dir_block *grown = realloc(check->dir_blocks, capacity * sizeof grown[0]);
        if (grown == NULL) {
            check->out_of_memory = true;
            return;
        }
        check->dir_blocks = grown;
        check->dir_block_capacity = capacity;
    }
    check->dir_blocks[check->ndir_blocks++] = (struct dir_block){ inum, file_block, block };
}

static bool visit_block(void *context, uint64_t file_block, uint32_t block, bool is_index)
{
    struct claim *claim = context;
    bool claimed = claim_block(claim, file_block, block, is_index);

    claim->total++;
    if (file_block >= claim->limit)
        claim->beyond++;
    else if (!is_index)
        claim->mapped++;
    if (!claimed || is_index)
        return claimed;
    if (file_block == 0)
        claim->first_block = block;
    if (claim->type == T_DIR && file_block < claim->limit)
        remember_dir_block(claim->check, claim->inum, (uint32_t)file_block, block);
    return true;
}

static void check_directory_size(struct check *check, uint32_t inum, const struct disk_inode *inode,
                                 const struct claim *claim)
{
    if (inode->size % sizeof(struct dirent) != 0)
        check_problem(check, "inode %u: directory size %" PRIu64 " is not a multiple of %zu", inum, inode->size,
                      sizeof(struct dirent));
    if (inode->nlink == 0)
        return;                                     /* an orphan: its contents are being taken away */
    if (inode->size < 2 * sizeof(struct dirent))
        check_problem(check, "inode %u: directory size %" PRIu64 " has no room for \".\" and \"..\"", inum,
                      inode->size);
    if (claim->mapped < claim->limit)
        check_problem(check, "inode %u: directory has %" PRIu64 " holes", inum, claim->limit - claim->mapped);
}

static void check_symlink(struct check *check, uint32_t inum, const struct disk_inode *inode,
                          const struct claim *claim)
{
    if (inode->nlink == 0)
        return;
    if (inode->size == 0 || inode->size > FS_SYMLINK_MAX)
        check_problem(check, "inode %u: symbolic link of %" PRIu64 " bytes, allowed are 1 to %u", inum, inode->size,
                      FS_SYMLINK_MAX);
    else if (claim->first_block == 0)
        check_problem(check, "inode %u: symbolic link has no block for its target", inum);
    else if (memchr(view_block(&check->view, claim->first_block), 0, (size_t)inode->size) != NULL)
        check_problem(check, "inode %u: symbolic link has a NUL in its target", inum);
}

static void check_device(struct check *check, uint32_t inum, const struct disk_inode *inode,
                         const struct claim *claim)
{
    if (claim->total != 0)
        check_problem(check, "inode %u: device has %" PRIu64 " blocks", inum, claim->total);
    if (inode->size != 0)
        check_problem(check, "inode %u: device has size %" PRIu64, inum, inode->size);
}

/* What must hold whatever the type. */
static void check_fields(struct check *check, uint32_t inum, const struct disk_inode *inode,
                         const struct claim *claim)
{
    if (inode->type > T_SYMLINK)
        check_problem(check, "inode %u: type %u is unknown", inum, inode->type);
    if (inode->nlink > FS_LINK_MAX)
        check_problem(check, "inode %u: link count %u is above the limit, %u", inum, inode->nlink, FS_LINK_MAX);
    if (inode->size > FS_MAX_BLOCKS * FS_BLOCK_SIZE)
        check_problem(check, "inode %u: size %" PRIu64 " is above the limit, %" PRIu64, inum, inode->size,
                      (uint64_t)FS_MAX_BLOCKS * FS_BLOCK_SIZE);
    if (inode->reserved != 0)
        check_problem(check, "inode %u: reserved field is %u, not 0", inum, inode->reserved);
    if (inode->type != T_DEVICE && (inode->major != 0 || inode->minor != 0))
        check_problem(check, "inode %u: device number %u,%u, but it is no device", inum, inode->major, inode->minor);
    if (inode->blocks != claim->total)
        check_problem(check, "inode %u: blocks is %u, counted %" PRIu64, inum, inode->blocks, claim->total);
    if (claim->beyond != 0 && inode->nlink != 0 && inode->type != T_DEVICE)
        check_problem(check, "inode %u: %" PRIu64 " blocks beyond its size of %" PRIu64 " bytes", inum,
                      claim->beyond, inode->size);
}

static void check_inode(struct check *check, uint32_t inum, const struct disk_inode *inode)
{
    struct claim claim = { .check = check, .inum = inum, .type = inode->type };

    claim.limit = inode->size / FS_BLOCK_SIZE + (inode->size % FS_BLOCK_SIZE != 0);
    view_walk_inode(&check->view, inode, visit_block, &claim);
    check_fields(check, inum, inode, &claim);
    switch (inode->type) {
    case T_DIR:     check_directory_size(check, inum, inode, &claim); break;
    case T_SYMLINK: check_symlink(check, inum, inode, &claim); break;
    case T_DEVICE:  check_device(check, inum, inode, &claim); break;
    }
    check->facts[inum].blocks = (uint32_t)claim.total;
}

/* The table's last block may have room for inodes that do not exist: it is zero. */
static void check_table_end(struct check *check)
{
    const struct superblock *sb = &check->view.sb;
    uint32_t there = sb->inodes % INODES_PER_BLOCK;
    const uint8_t *block = view_block(&check->view, sb->inode_start + sb->inode_blocks - 1);
    for (size_t i = there * sizeof(struct disk_inode); there != 0 && i < FS_BLOCK_SIZE; i++)
        if (block[i] != 0) {
            check_problem(check, "inode table: not zero after its last inode, %u", sb->inodes - 1);
            return;
        }
}

void check_inodes(struct check *check)
{
    for (uint32_t inum = 0; inum < check->view.sb.inodes; inum++) {
        struct disk_inode inode;
        view_inode(&check->view, inum, &inode);
        if (inode.type == 0)
            continue;
        if (inum == 0) {
            check_problem(check, "inode 0: type is %u, but inode 0 is never used", inode.type);
            continue;
        }
        check->facts[inum].type = inode.type;
        check->facts[inum].nlink = inode.nlink;
        check_inode(check, inum, &inode);
    }
    check_table_end(check);
    if (check->facts[FS_ROOT_INODE].type != T_DIR)
        check_problem(check, "inode %u: the root is not a directory, its type is %u", FS_ROOT_INODE,
                      check->facts[FS_ROOT_INODE].type);
}
