/*
 * path.c -- walks paths: components, "." and "..", symbolic links.
 *
 * Owns:     nothing but the walks in progress.
 * Locks:    one directory at a time, and only while a name is looked up: between two steps the tree may change.
 * Not here: entries (dir.c), changing the tree (names.c).
 */
#include "fs/path.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "mm/usercopy.h"

#define HALF (PAGE_SIZE / 2)            /* holds FS_PATH_MAX and a link's target together */

struct inode *fs_root;

bool name_is_dots(struct name name)
{
    return name.text[0] == '.' && (name.length == 1 || (name.length == 2 && name.text[1] == '.'));
}

int inode_type(struct inode *inode)
{
    if (!__atomic_load_n(&inode->loaded, __ATOMIC_ACQUIRE)) {
        int err = inode_lock(inode);
        if (err < 0)
            return err;
        inode_unlock(inode);
    }
    return inode->disk.type;            /* constant while somebody refers to it */
}

static char *page_for_text(void)
{
    char *page = alloc_page_raw();
    for (int tries = 0; page == NULL && tries < 4 && cache_make_memory(); tries++)
        page = alloc_page_raw();
    return page;
}

static int walk_start(struct walk *w, struct inode *cwd)
{
    if (w->page[0] == '\0') {
        free_page(w->page);
        return -ENOENT;
    }
    w->rest = w->page;
    w->at = inode_hold(w->page[0] == '/' ? fs_root : cwd);
    return 0;
}

int walk_begin_user(struct walk *w, struct inode *cwd, vaddr_t path)
{
    *w = (struct walk){ .page = page_for_text() };
    if (w->page == NULL)
        return -ENOMEM;
    long length = copy_string_from_user(w->page, path, FS_PATH_MAX);
    if (length < 0) {
        free_page(w->page);
        return (int)length;
    }
    return walk_start(w, cwd);
}

int walk_begin_kernel(struct walk *w, struct inode *cwd, const char *path)
{
    *w = (struct walk){ .page = page_for_text() };
    if (w->page == NULL)
        return -ENOMEM;
    if (copy_string(w->page, path, FS_PATH_MAX) >= FS_PATH_MAX) {
        free_page(w->page);
        return -ENAMETOOLONG;
    }
    return walk_start(w, cwd);
}

void walk_end(struct walk *w)
{
    inode_put(w->at);
    free_page(w->page);
}

/* What `name` in `dir` refers to, referenced. dir not locked. */
static int lookup(struct inode *dir, struct name name, struct inode **out)
{
    uint32_t inum, slot;
    int err = inode_lock(dir);
    if (err < 0)
        return err;
    if (dir->disk.type != T_DIR)
        err = -ENOTDIR;
    else
        err = dir_lookup(dir, name, &inum, &slot);
    if (err == 0 && (*out = inode_get(inum)) == NULL)
        err = -ENOMEM;
    inode_unlock(dir);
    return err;
}

int parent_of(struct inode *dir, struct inode **out)
{
    return lookup(dir, (struct name){ "..", 2 }, out);
}

static void move_to(struct walk *w, struct inode *inode)
{
    inode_put(w->at);
    w->at = inode;
}

/* The text left becomes the link's target and what followed the link. */
static int expand_link(struct walk *w, struct inode *link)
{
    char *half = w->rest < w->page + HALF ? w->page + HALF : w->page;
    if (++w->links > LINKS_MAX)
        return -ELOOP;
    int err = inode_lock(link);
    if (err < 0)
        return err;
    long length = inode_read(link, half, va_of(0), 0, FS_SYMLINK_MAX);
    inode_unlock(link);
    if (length <= 0)
        return length < 0 ? (int)length : -ENOENT;
    size_t more = strlen(w->rest);
    if ((size_t)length + 1 + more >= HALF)
        return -ENAMETOOLONG;
    half[length] = '\0';
    if (more > 0) {
        half[length] = '/';
        memcpy(half + length + 1, w->rest, more + 1);
    }
    w->rest = half;
    if (half[0] == '/')
        move_to(w, inode_hold(fs_root));
    return 0;
}

/* Go into the intermediate component `name`. */
static int step(struct walk *w, struct name name)
{
    struct inode *child;
    if (name.length == 1 && name.text[0] == '.' && inode_type(w->at) == T_DIR)
        return 0;
    int err = lookup(w->at, name, &child);
    if (err < 0)
        return err;
    int type = inode_type(child);
    if (type == T_DIR) {
        move_to(w, child);
        return 0;
    }
    err = type == T_SYMLINK ? expand_link(w, child) : type < 0 ? type : -ENOTDIR;
    inode_put(child);
    return err;
}

int walk_to_parent(struct walk *w)
{
    for (;;) {
        while (*w->rest == '/')
            w->rest++;
        struct name name = { w->rest, 0 };
        while (*w->rest != '\0' && *w->rest != '/') {
            w->rest++;
            name.length++;
        }
        if (name.length > FS_NAME_MAX)
            return -ENAMETOOLONG;
        bool slash = *w->rest == '/';
        while (*w->rest == '/')
            w->rest++;
        if (*w->rest == '\0') {
            w->last = name.length > 0 ? name : (struct name){ ".", 1 };
            w->wants_directory |= slash;
            return 0;
        }
        int err = step(w, name);
        if (err < 0)
            return err;
    }
}

int walk_last(struct walk *w, bool follow, struct inode **out)
{
    for (;;) {
        int err = lookup(w->at, w->last, out);
        w->missing = err == -ENOENT;
        if (err < 0)
            return err;
        int type = inode_type(*out);
        if (type == T_SYMLINK && (follow || w->wants_directory))
            err = expand_link(w, *out);
        else if (type < 0 || (w->wants_directory && type != T_DIR))
            err = type < 0 ? type : -ENOTDIR;
        else
            return 0;
        inode_put(*out);
        if (err == 0)
            err = walk_to_parent(w);
        if (err < 0)
            return err;
    }
}
