/*
 * view.c -- read-only access to an image in memory. view.h is the contract; log.c fills the replay table.
 */
#include "mkfs/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mkfs/layout.h"

bool view_open(struct view *view, const void *image, size_t bytes, char *why, size_t nwhy)
{
    view->image = image;
    view->moved = NULL;
    if (!image_layout_check(&view->sb, image, bytes, why, nwhy))
        return false;
    view->moved = calloc(view->sb.blocks, sizeof view->moved[0]);
    if (view->moved == NULL)
        snprintf(why, nwhy, "not enough memory for a disk of %u blocks", view->sb.blocks);
    return view->moved != NULL;
}

void view_close(struct view *view)
{
    free(view->moved);
    view->moved = NULL;
}

const uint8_t *view_block(const struct view *view, uint32_t number)
{
    uint32_t at = view->moved[number] != 0 ? view->moved[number] : number;
    return view->image + (size_t)at * FS_BLOCK_SIZE;
}

void view_inode(const struct view *view, uint32_t inum, struct disk_inode *inode)
{
    const uint8_t *block = view_block(view, view->sb.inode_start + inum / INODES_PER_BLOCK);
    memcpy(inode, block + inum % INODES_PER_BLOCK * sizeof *inode, sizeof *inode);
}

bool view_map_bit(const struct view *view, uint32_t start, uint32_t index)
{
    const uint8_t *block = view_block(view, start + index / BITS_PER_BLOCK);
    uint32_t bit = index % BITS_PER_BLOCK;
    return block[bit / 8] >> bit % 8 & 1;
}

struct walk {
    const struct view *view;
    view_visitor       visit;
    void              *context;
};

/* depth 1: the block lists data blocks; depth 2: it lists blocks of depth 1. */
static void walk_index(const struct walk *walk, uint32_t block, uint64_t file_block, int depth)
{
    uint64_t span = depth == 2 ? FS_INDEX : 1;
    if (block == 0 || !walk->visit(walk->context, file_block, block, true) || block >= walk->view->sb.blocks)
        return;
    const uint8_t *index = view_block(walk->view, block);
    for (uint32_t i = 0; i < FS_INDEX; i++, file_block += span) {
        uint32_t number;
        memcpy(&number, index + i * sizeof number, sizeof number);
        if (depth == 2)
            walk_index(walk, number, file_block, 1);
        else if (number != 0)
            walk->visit(walk->context, file_block, number, false);
    }
}

void view_walk_inode(const struct view *view, const struct disk_inode *inode, view_visitor visit, void *context)
{
    const struct walk walk = { view, visit, context };
    for (uint32_t i = 0; i < FS_DIRECT; i++)
        if (inode->direct[i] != 0)
            visit(context, i, inode->direct[i], false);
    walk_index(&walk, inode->indirect, FS_DIRECT, 1);
    walk_index(&walk, inode->double_indirect, FS_DIRECT + FS_INDEX, 2);
}
