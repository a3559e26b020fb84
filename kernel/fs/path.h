/* path.h -- from a path to an inode. A walk keeps the text in a frame of its own (kernel stacks are small).
 *
 *   struct walk w;
 *   int err = walk_begin_user(&w, cwd, path);          then, if 0:
 *   err = walk_to_parent(&w);                          w.at: the directory, w.last: the name in it
 *   err = walk_last(&w, follow, &inode);               the inode of that name; symbolic links change w.at and w.last
 *   walk_end(&w);                                      always after a successful begin; no operation open
 */
#ifndef FS_PATH_H
#define FS_PATH_H

#include "fs/dir.h"

#define LINKS_MAX 8                     /* symbolic links one path may lead through */

struct walk {
    char         *page;                 /* two halves: the text being walked, and where a link's target is put */
    char         *rest;                 /* what is left of the text */
    struct inode *at;                   /* referenced */
    struct name   last;                 /* points into page; "." for the root itself */
    uint32_t      links;
    bool          wants_directory;      /* the path ends in a slash */
    bool          missing;              /* walk_last() said -ENOENT because just the last name is not there */
};

/* walk_begin -- 0, -ENOENT (empty), -EFAULT, -ENAMETOOLONG, -ENOMEM. The others: -ENOENT -ENOTDIR -ELOOP -ENAMETOOLONG
 * -EIO -ENOMEM. Task context, no operation open, no inode locked. */
MUST_CHECK int walk_begin_user(struct walk *w, struct inode *cwd, vaddr_t path);
MUST_CHECK int walk_begin_kernel(struct walk *w, struct inode *cwd, const char *path);
MUST_CHECK int walk_to_parent(struct walk *w);
MUST_CHECK int walk_last(struct walk *w, bool follow, struct inode **out);
void walk_end(struct walk *w);

bool name_is_dots(struct name name);    /* "." or ".." */
int  inode_type(struct inode *inode);   /* T_*, or -errno; referenced, not locked */
MUST_CHECK int parent_of(struct inode *dir, struct inode **out);        /* what ".." refers to; dir not locked */

extern struct inode *fs_root;           /* referenced for ever */

#endif
