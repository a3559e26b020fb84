/*
 * names.c -- what changes the tree of names: create, link, unlink, rename.
 *
 * Locks:    rename_lock (sleep): while held, no directory changes its parent, and nobody else locks two directories. Then
 *           an operation, then the parent directory, then the inode the name refers to. Two parents: the ancestor first,
 *           else by address.
 * Rule:     inodes are put after the operation has ended, since putting the last reference may need one.
 * Not here: entries (dir.c), finding the parent (path.c).
 */
#include "abi/fcntl.h"
#include "fs/log.h"
#include "fs/names.h"
#include "lib/printk.h"
#include "lib/string.h"

#define CREATE_CREDITS 26u              /* inode, its number, entry; entries of a new directory or a link's block */
#define CHANGE_CREDITS 16u              /* unlink, link, rename */
#define DEPTH_MAX      100000           /* directories above one another: more is a loop in a broken tree */

static struct sleeplock rename_lock;

void names_init(void)
{
    sleeplock_init(&rename_lock, "rename", RANK_RENAME);
}

/* Lock a directory in which a name is to be made. */
static int lock_living(struct inode *dir)
{
    int err = inode_lock(dir);
    if (err < 0)
        return err;
    err = dir->disk.type != T_DIR ? -ENOTDIR : dir->disk.nlink == 0 ? -ENOENT : 0;
    if (err < 0)
        inode_unlock(dir);
    return err;
}

/* ---- Create */

/* What a new inode holds from the start. */
static int fill_new(struct inode *inode, const struct new_inode *what, uint32_t parent)
{
    if (what->type == T_DIR)
        return dir_init(inode, parent);
    if (what->type != T_SYMLINK)
        return 0;
    long n = inode_write_slice(inode, what->target, va_of(0), 0, strlen(what->target));
    return n < 0 ? (int)n : 0;
}

/* In an operation, dir locked, name not there. After an error too *out may be an inode to put (without names). */
static int create_in(struct inode *dir, struct name name, const struct new_inode *what, struct inode **out)
{
    bool is_dir = what->type == T_DIR;
    if (is_dir && dir->disk.nlink >= FS_LINK_MAX)
        return -EMLINK;
    int err = inode_create(what->type, what->major, what->minor, out);
    if (err < 0)
        return err;
    err = fill_new(*out, what, dir->inum);
    if (err == 0)
        err = dir_add(dir, name, (*out)->inum);
    if (err == 0)
        (*out)->disk.nlink = is_dir ? 2 : 1;
    inode_update(*out);
    inode_unlock(*out);
    if (err == 0 && is_dir) {
        dir->disk.nlink++;
        inode_update(dir);
    }
    return err;
}

static int create_once(struct walk *w, const struct new_inode *what, struct inode **out)
{
    uint32_t inum, slot;
    int err = log_begin(CREATE_CREDITS);
    if (err < 0)
        return err;
    if ((err = lock_living(w->at)) == 0) {
        err = dir_lookup(w->at, w->last, &inum, &slot);
        if (err == 0)
            err = -EEXIST;
        else if (err == -ENOENT)
            err = create_in(w->at, w->last, what, out);
        inode_unlock(w->at);
    }
    log_end(CREATE_CREDITS);
    return err;
}

int names_create(struct walk *w, const struct new_inode *what, struct inode **out)
{
    int tries = 0;
    for (;;) {
        struct inode *inode = NULL;
        int err = create_once(w, what, &inode);
        if (err == 0 && out != NULL) {
            *out = inode;
            return 0;
        }
        inode_put(inode);
        if (!make_space(err, &tries))
            return err;
    }
}

int names_open(struct walk *w, unsigned flags, struct inode **out)
{
    const struct new_inode file = { .type = T_FILE };
    bool exclusive = (flags & O_CREATE) && (flags & O_EXCL);
    int err = walk_to_parent(w);
    while (err == 0) {
        err = walk_last(w, !exclusive && !(flags & O_NOFOLLOW), out);
        if (err == 0 && exclusive) {
            inode_put(*out);
            return -EEXIST;
        }
        if (err == 0 && inode_type(*out) == T_SYMLINK) {
            inode_put(*out);
            return -ELOOP;
        }
        if (err != -ENOENT || !w->missing || !(flags & O_CREATE))
            return err;
        if (w->wants_directory)
            return -EISDIR;
        err = names_create(w, &file, out);
        if (err != -EEXIST || exclusive)
            return err;
        err = 0;                        /* somebody else made it meanwhile: open that */
    }
    return err;
}

/* ---- Link and unlink */

static int link_in(struct inode *dir, struct name name, struct inode *inode)
{
    uint32_t inum, slot;
    int err = dir_lookup(dir, name, &inum, &slot);
    if (err != -ENOENT)
        return err == 0 ? -EEXIST : err;
    if ((err = inode_lock(inode)) < 0)
        return err;
    if (inode->disk.nlink == 0)
        err = -ENOENT;
    else if (inode->disk.nlink >= FS_LINK_MAX)
        err = -EMLINK;
    else
        err = dir_add(dir, name, inode->inum);
    if (err == 0) {
        inode->disk.nlink++;
        inode_update(inode);
    }
    inode_unlock(inode);
    return err;
}

static int link_once(struct walk *to, struct inode *inode)
{
    int err = log_begin(CHANGE_CREDITS);
    if (err < 0)
        return err;
    if ((err = lock_living(to->at)) == 0) {
        err = link_in(to->at, to->last, inode);
        inode_unlock(to->at);
    }
    log_end(CHANGE_CREDITS);
    return err;
}

int names_link(struct walk *from, struct walk *to)
{
    struct inode *inode;
    int tries = 0;
    int err = walk_to_parent(from);
    if (err == 0)
        err = walk_last(from, false, &inode);
    if (err < 0)
        return err;
    if (inode_type(inode) == T_DIR)
        err = -EPERM;
    if (err == 0)
        err = walk_to_parent(to);
    if (err == 0 && to->wants_directory)
        err = -ENOTDIR;
    if (err == 0)
        do
            err = link_once(to, inode);
        while (make_space(err, &tries));
    inode_put(inode);
    return err;
}

/* One name less for an inode whose entry is gone. Locked. */
static void drop_link(struct inode *inode)
{
    inode->disk.nlink = inode->disk.type == T_DIR || inode->disk.nlink == 0 ? 0 : inode->disk.nlink - 1;
    inode_update(inode);
}

/* Locked directory `dir`, locked inode it refers to in `slot`. */
static int unlink_in(struct inode *dir, struct walk *w, uint32_t slot, struct inode *inode)
{
    struct buffer *pinned;
    bool is_dir = inode->disk.type == T_DIR;
    int err = is_dir ? dir_empty(inode) : w->wants_directory ? -ENOTDIR : 1;
    if (err <= 0)
        return err < 0 ? err : -ENOTEMPTY;
    if ((err = dir_pin(dir, slot, &pinned)) < 0)
        return err;
    if (is_dir && dir->disk.nlink > 0)
        dir->disk.nlink--;
    dir_set(dir, pinned, w->last, slot, 0);
    cache_put(pinned);
    drop_link(inode);
    return 0;
}

static bool known_not_directory(const struct inode *inode)
{
    return __atomic_load_n(&inode->loaded, __ATOMIC_ACQUIRE) && inode->disk.type != T_DIR;
}

/* Returns 1: the name refers to a directory, and in a broken tree that may lie above its parent; two such locks are taken
 * with rename_lock held only (`ordered`). */
static int unlink_once(struct walk *w, bool ordered)
{
    uint32_t inum, slot;
    struct inode *inode = NULL;
    int err = log_begin(CHANGE_CREDITS);
    if (err < 0)
        return err;
    if ((err = lock_living(w->at)) == 0) {
        err = dir_lookup(w->at, w->last, &inum, &slot);
        if (err == 0 && (inum == w->at->inum || (inode = inode_get(inum)) == NULL))
            err = inum == w->at->inum ? -EIO : -ENOMEM;
        if (err == 0 && !ordered && !known_not_directory(inode))
            err = 1;
        if (err == 0 && (err = inode_lock(inode)) == 0) {
            err = unlink_in(w->at, w, slot, inode);
            inode_unlock(inode);
        }
        inode_unlock(w->at);
    }
    log_end(CHANGE_CREDITS);
    inode_put(inode);
    return err;
}

int names_unlink(struct walk *w)
{
    int err = walk_to_parent(w);
    if (err < 0 || name_is_dots(w->last))
        return err < 0 ? err : -EINVAL;
    err = unlink_once(w, false);
    if (err > 0) {
        sleep_acquire(&rename_lock);
        err = unlink_once(w, true);
        sleep_release(&rename_lock);
    }
    return err;
}

/* ---- Rename */

/* One end of a rename. */
struct end {
    struct walk  *w;
    uint32_t      slot;
    struct inode *inode;                /* what the name refers to, or NULL */
    struct buffer *pinned;              /* the entry's block */
    uint32_t      towards;              /* the child of this end's directory on the way to the other's; 0: it is not above */
};

/* The child of `top` on the way down to `from`, 0 if top is not above it. rename_lock held, nothing else. */
static int child_towards(struct inode *top, struct inode *from, uint32_t *child)
{
    struct inode *at = inode_hold(from), *up;
    int err = 0;
    *child = 0;
    for (int depth = 0; at != top && at != fs_root && *child == 0; depth++) {
        err = depth < DEPTH_MAX ? parent_of(at, &up) : -EIO;
        if (err < 0)
            break;
        if (up == top)
            *child = at->inum;
        inode_put(at);
        at = up;
    }
    inode_put(at);
    return err;
}

static int lock_parents(struct end *from, struct end *to)
{
    struct inode *first = from->w->at, *second = to->w->at;
    if (first == second)
        return lock_living(first);
    if (to->towards != 0 || (from->towards == 0 && second < first)) {
        first = second;
        second = from->w->at;
    }
    int err = lock_living(first);
    if (err == 0 && (err = lock_living(second)) < 0)
        inode_unlock(first);
    return err;
}

static void unlock_parents(struct end *from, struct end *to)
{
    inode_unlock(from->w->at);
    if (to->w->at != from->w->at)
        inode_unlock(to->w->at);
}

static int find_end(struct end *end)
{
    uint32_t inum;
    int err = dir_lookup(end->w->at, end->w->last, &inum, &end->slot);
    if (err == 0 && (end->inode = inode_get(inum)) == NULL)
        err = -ENOMEM;
    if (err == 0)
        err = dir_pin(end->w->at, end->slot, &end->pinned);
    return err;
}

/* May from->inode, locked, take the place of to->inode, locked or NULL? */
static int rename_allowed(const struct end *from, const struct end *to)
{
    bool is_dir = from->inode->disk.type == T_DIR;
    if (!is_dir && (from->w->wants_directory || to->w->wants_directory))
        return -ENOTDIR;
    if (to->inode == NULL)
        return is_dir && from->w->at != to->w->at && to->w->at->disk.nlink >= FS_LINK_MAX ? -EMLINK : 0;
    if (to->inode->disk.type != T_DIR)
        return is_dir ? -ENOTDIR : 0;
    if (!is_dir)
        return -EISDIR;
    int empty = dir_empty(to->inode);
    return empty < 0 ? empty : empty ? 0 : -ENOTEMPTY;
}

/* Everything is locked and checked; only adding the new entry can fail, and then nothing has changed. */
static int rename_entries(struct end *from, struct end *to, struct buffer *dotdot)
{
    struct inode *old_dir = from->w->at, *new_dir = to->w->at;
    if (to->inode == NULL) {
        int err = dir_add(new_dir, to->w->last, from->inode->inum);
        if (err < 0)
            return err;
    } else {
        if (to->inode->disk.type == T_DIR)
            new_dir->disk.nlink--;
        dir_set(new_dir, to->pinned, to->w->last, to->slot, from->inode->inum);
        drop_link(to->inode);
    }
    if (dotdot != NULL) {
        dir_set(from->inode, dotdot, (struct name){ "..", 2 }, 1, new_dir->inum);
        old_dir->disk.nlink--;
        new_dir->disk.nlink++;
        inode_update(new_dir);
    }
    dir_set(old_dir, from->pinned, from->w->last, from->slot, 0);
    return 0;
}

/* Both parents and the moved inode are locked. */
static int rename_to(struct end *from, struct end *to)
{
    struct buffer *dotdot = NULL;
    int err = to->inode != NULL ? inode_lock(to->inode) : 0;
    if (err < 0)
        return err;
    err = rename_allowed(from, to);
    if (err == 0 && from->inode->disk.type == T_DIR && from->w->at != to->w->at)
        err = dir_pin(from->inode, 1, &dotdot);
    if (err == 0)
        err = rename_entries(from, to, dotdot);
    cache_put(dotdot);
    if (to->inode != NULL)
        inode_unlock(to->inode);
    return err;
}

static int rename_locked(struct end *from, struct end *to)
{
    int err = find_end(from);
    if (err == 0 && (err = find_end(to)) == -ENOENT && to->inode == NULL)
        err = 0;
    if (err < 0 || from->inode == to->inode)
        return err;                     /* two names of one file: nothing to do, says POSIX */
    if (from->inode->inum == from->towards || from->inode == to->w->at || from->inode == from->w->at)
        return -EINVAL;                 /* into itself or below */
    if (to->inode != NULL && (to->inode->inum == to->towards || to->inode == from->w->at || to->inode == to->w->at))
        return -ENOTEMPTY;              /* over a directory that holds the file */
    if ((err = inode_lock(from->inode)) < 0)
        return err;
    err = rename_to(from, to);
    inode_unlock(from->inode);
    return err;
}

static int rename_once(struct walk *from_walk, struct walk *to_walk)
{
    struct end from = { .w = from_walk }, to = { .w = to_walk };
    int err = child_towards(from_walk->at, to_walk->at, &from.towards);
    if (err == 0)
        err = child_towards(to_walk->at, from_walk->at, &to.towards);
    if (err < 0 || (err = log_begin(CHANGE_CREDITS)) < 0)
        return err;
    if ((err = lock_parents(&from, &to)) == 0) {
        err = rename_locked(&from, &to);
        unlock_parents(&from, &to);
    }
    cache_put(from.pinned);
    cache_put(to.pinned);
    log_end(CHANGE_CREDITS);
    inode_put(from.inode);
    inode_put(to.inode);
    return err;
}

int names_rename(struct walk *from, struct walk *to)
{
    int tries = 0;
    int err = walk_to_parent(from);
    if (err == 0)
        err = walk_to_parent(to);
    if (err == 0 && (name_is_dots(from->last) || name_is_dots(to->last)))
        err = -EINVAL;
    if (err < 0)
        return err;
    sleep_acquire(&rename_lock);
    do
        err = rename_once(from, to);
    while (make_space(err, &tries));
    sleep_release(&rename_lock);
    return err;
}

/* ---- The way up */

/* Put "/name" of `child` in `dir` in front of *start. */
static int prepend_name(struct inode *dir, struct inode *child, char *page, char **start)
{
    char *name = page;                  /* the page's beginning is free: paths are shorter */
    int err = inode_lock(dir);
    if (err < 0)
        return err;
    err = dir_name_of(dir, child->inum, name);
    inode_unlock(dir);
    size_t length = err == 0 ? strlen(name) : 0;
    if (err == 0 && (size_t)(*start - page) < FS_NAME_MAX + 2 + length)
        err = -ENAMETOOLONG;
    if (err < 0)
        return err;
    *start -= length;
    memcpy(*start, name, length);
    *--*start = '/';
    return 0;
}

int names_path(struct inode *dir, char *page, char **start)
{
    struct inode *at = inode_hold(dir), *up;
    int err = 0;
    *start = page + FS_BLOCK_SIZE - 1;
    **start = '\0';
    sleep_acquire(&rename_lock);
    while (at != fs_root && (err = parent_of(at, &up)) == 0) {
        err = prepend_name(up, at, page, start);
        inode_put(at);
        at = up;
        if (err < 0)
            break;
    }
    sleep_release(&rename_lock);
    inode_put(at);
    if (**start == '\0')
        *--*start = '/';
    return err;
}
