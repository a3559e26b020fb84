/* build.h -- writes a tree of nodes as a file system image. */
#ifndef MKFS_BUILD_H
#define MKFS_BUILD_H

#include "abi/fsformat.h"
#include "mkfs/tree.h"

/* build_image -- write all areas of *sb with the contents of the tree to fd, an empty file. Blocks of zeros are
 * not written, so the host file is sparse. Any failure ends the program through die(). */
void build_image(int fd, const struct superblock *sb, struct node *root);

#endif
