/* names.h -- changes of the tree: create, link, unlink, rename; and the way up for getcwd().
 * Each takes walks that have begun, makes its own operation, and changes everything or nothing. Results: 0 or
 * -EEXIST -ENOENT -ENOTDIR -EISDIR -ENOTEMPTY -EINVAL -EMLINK -EPERM -ENOSPC -ENAMETOOLONG -ELOOP -EIO -ENOMEM. */
#ifndef FS_NAMES_H
#define FS_NAMES_H

#include "fs/path.h"

void names_init(void);

/* names_create -- a new inode called w->last in w->at (after walk_to_parent). `target`: of a symbolic link. *out, if
 * wanted: the inode, referenced. */
struct new_inode { unsigned type, major, minor; const char *target; };
MUST_CHECK int names_create(struct walk *w, const struct new_inode *what, struct inode **out);
MUST_CHECK int names_open(struct walk *w, unsigned flags, struct inode **out);      /* the inode open(flags) means */
MUST_CHECK int names_link(struct walk *from, struct walk *to);
MUST_CHECK int names_unlink(struct walk *w);            /* also an empty directory */
MUST_CHECK int names_rename(struct walk *from, struct walk *to);

/* names_path -- the absolute path of `dir`, built at the end of the page `page`: its start in *start, NUL-terminated. */
MUST_CHECK int names_path(struct inode *dir, char *page, char **start);

#endif
