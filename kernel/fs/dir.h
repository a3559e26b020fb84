/* dir.h -- directories: names to inode numbers. Paths are path.h's. All calls: the directory locked. */
#ifndef FS_DIR_H
#define FS_DIR_H

#include "fs/inode.h"

struct name {
    const char *text;
    uint32_t length;
}; /* 1 .. FS_NAME_MAX bytes, no slash, not necessarily terminated */

/* dir_lookup -- the entry called `name`: inode number and slot. 0, -ENOENT (also: the directory was removed), -EIO, -ENOMEM.
 * dir_name_of -- the name of `inum` here, to name[FS_NAME_MAX + 1].
 * dir_empty -- 1: nothing but "." and "..", 0, or -errno. */
MUST_CHECK int dir_lookup(struct inode *dir, struct name name, uint32_t *inum, uint32_t *slot);
MUST_CHECK int dir_name_of(struct inode *dir, uint32_t inum, char *name);
MUST_CHECK int dir_empty(struct inode *dir);

/* In an operation:
 * dir_init -- the entries of a new directory, "." and "..".
 * dir_add  -- a new entry; the name is not there yet. On error nothing has changed. DIR_ADD_CREDITS.
 * dir_pin, dir_set -- get the block of an entry the caller has looked up; then let that entry, called `name`, refer to
 *             `inum`; 0: it goes. dir_set cannot fail, and leaves the buffer to the caller. One credit, and the inode's. */
#define DIR_ADD_CREDITS 8u              /* inode, entry's block, new index blocks, block maps of what is new */
MUST_CHECK int dir_init(struct inode *dir, uint32_t parent);
MUST_CHECK int dir_add(struct inode *dir, struct name name, uint32_t inum);
MUST_CHECK int dir_pin(struct inode *dir, uint32_t slot, struct buffer **out);
void dir_set(struct inode *dir, struct buffer *pinned, struct name name, uint32_t slot, uint32_t inum);

void dir_index_free(struct inode *dir); /* drop the names in memory; also without lock when nobody refers to it */

#endif
