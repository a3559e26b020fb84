/* check_parts.h -- what the parts of the check share. Private to check*.c; check.h is the public contract.
 *
 *   check.c          the order of the passes, reporting, the two maps
 *   check_inode.c    pass 1: every inode by itself; who owns which block
 *   check_dir.c      pass 2: every directory entry;  pass 3: names, link counts, the tree
 */
#ifndef MKFS_CHECK_PARTS_H
#define MKFS_CHECK_PARTS_H

#include "mkfs/check.h"
#include "mkfs/view.h"

enum reach { REACH_UNKNOWN, REACH_ROOT, REACH_NOT, REACH_WALKING };

struct inode_facts {                    /* what the passes learn about an inode */
    uint16_t type, nlink;               /* pass 1: as found */
    uint8_t  reach;                     /* pass 3: enum reach, of a directory */
    uint32_t blocks;                    /* pass 1: counted */
    uint32_t names;                     /* pass 2: entries that name it, "." and ".." not counted */
    uint32_t subdirs;                   /* pass 2: entries in it that name a directory */
    uint32_t entries;                   /* pass 2: entries in it but "." and ".." */
    uint32_t parent;                    /* pass 2: directory with its first name; 0: none */
    uint32_t dotdot;                    /* pass 2: what its ".." says; 0: nothing usable */
};

struct dir_block {                      /* pass 1 leaves these for pass 2, in order of inum, then file_block */
    uint32_t inum, file_block, block;
};

struct check {
    struct view         view;
    fsck_report         report;
    void               *context;
    struct fsck_result *result;
    uint32_t           *owner;          /* [blocks]: the inode that uses it; 0: none */
    struct inode_facts *facts;          /* [inodes] */
    struct dir_block   *dir_blocks;
    size_t              ndir_blocks, dir_block_capacity;
    bool                out_of_memory;  /* some growing table could not grow: the result is void */
};

void check_problem(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_note(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* check_is_orphan -- unlinked while open: allocated, no link counted, no name. Valid after pass 2. */
bool check_is_orphan(const struct check *check, uint32_t inum);

void check_inodes(struct check *check);         /* pass 1 */
void check_directories(struct check *check);    /* pass 2 */
void check_links(struct check *check);          /* pass 3 */

#endif
