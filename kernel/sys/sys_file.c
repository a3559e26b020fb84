/*
 * sys_file.c -- the system calls on files: checks arguments, then lets fs/ do the work.
 *
 * Owns:     nothing. Every handler: arguments in arg[0..5], result or -errno; user pointers are touched by usercopy only.
 * Limits:   a transfer is at most TRANSFER_MAX bytes (results are ints), a longer one is cut; a size that would be
 *           negative as a signed number is -EINVAL.
 * Not here: what the calls do (fs/), pipes' and the console's insides.
 */
#include "abi/fcntl.h"
#include "dev/console.h"
#include "fs/file.h"
#include "fs/log.h"
#include "fs/names.h"
#include "fs/super.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "mm/usercopy.h"
#include "sched/sched.h"

#define TRANSFER_MAX 0x7ffff000u

HOT static struct file *file_of(struct task *self, uintptr_t fd)
{
    return files_get(self->files, (int)fd);
}

static int begin(struct walk *w, struct task *self, uintptr_t path)
{
    return walk_begin_user(w, self->files->cwd, va_of(path));
}

/* The inode a path leads to, referenced. */
static int inode_at(struct task *self, uintptr_t path, bool follow, struct inode **out)
{
    struct walk w;
    int err = begin(&w, self, path);
    if (err < 0)
        return err;
    err = walk_to_parent(&w);
    if (err == 0)
        err = walk_last(&w, follow, out);
    walk_end(&w);
    return err;
}

/* ---- Descriptors */

HOT long sys_read(struct task *self, const uintptr_t arg[])
{
    struct file *file = file_of(self, arg[0]);
    size_t nbytes = arg[2];
    if (file == NULL)
        return -EBADF;
    if ((intptr_t)nbytes < 0)
        return -EINVAL;
    return file_read(file, va_of(arg[1]), MIN(nbytes, TRANSFER_MAX));
}

HOT long sys_write(struct task *self, const uintptr_t arg[])
{
    struct file *file = file_of(self, arg[0]);
    size_t nbytes = arg[2];
    if (file == NULL)
        return -EBADF;
    if ((intptr_t)nbytes < 0)
        return -EINVAL;
    return file_write(file, va_of(arg[1]), MIN(nbytes, TRANSFER_MAX));
}

long sys_close(struct task *self, const uintptr_t arg[])
{
    return files_close(self->files, (int)arg[0]);
}

long sys_dup(struct task *self, const uintptr_t arg[])
{
    struct file *file = file_of(self, arg[0]);
    return file == NULL ? -EBADF : files_install(self->files, file_hold(file));
}

long sys_dup2(struct task *self, const uintptr_t arg[])
{
    struct file *file = file_of(self, arg[0]);
    if (file == NULL)
        return -EBADF;
    if ((int)arg[0] == (int)arg[1])
        return (int)arg[1];
    return files_install_at(self->files, (int)arg[1], file_hold(file));
}

long sys_lseek(struct task *self, const uintptr_t arg[])
{
    struct file *file = file_of(self, arg[0]);
    return file == NULL ? -EBADF : file_seek(file, (intptr_t)arg[1], (int)arg[2]);
}

long sys_fstat(struct task *self, const uintptr_t arg[])
{
    struct file *file = file_of(self, arg[0]);
    struct stat st;
    int err = file == NULL ? -EBADF : file_stat(file, &st);
    return err < 0 ? err : copy_to_user(va_of(arg[1]), &st, sizeof(st));
}

long sys_fsync(struct task *self, const uintptr_t arg[])
{
    struct file *file = file_of(self, arg[0]);
    if (file == NULL)
        return -EBADF;
    if (file->kind != FILE_INODE)
        return file->kind == FILE_PIPE ? -EINVAL : 0;
    int err = log_commit();
    int earlier = inode_sync_error(file->inode);
    return err < 0 ? err : earlier;
}

long sys_ftruncate(struct task *self, const uintptr_t arg[])
{
    struct file *file = file_of(self, arg[0]);
    intptr_t nbytes = (intptr_t)arg[1];
    if (file == NULL)
        return -EBADF;
    if (file->kind != FILE_INODE || !file->writable || nbytes < 0)
        return -EINVAL;
    return inode_truncate(file->inode, (uint64_t)nbytes);
}

long sys_pipe(struct task *self, const uintptr_t arg[])
{
    struct file *read_end, *write_end;
    int fds[2];
    int err = file_pipe(&read_end, &write_end);
    if (err < 0)
        return err;
    if ((fds[0] = files_install(self->files, read_end)) < 0) {
        file_put(write_end);
        return fds[0];
    }
    fds[1] = files_install(self->files, write_end);
    err = fds[1] < 0 ? fds[1] : copy_to_user(va_of(arg[0]), fds, sizeof(fds));
    if (err < 0) {
        files_close(self->files, fds[0]);
        if (fds[1] >= 0)
            files_close(self->files, fds[1]);
    }
    return err;
}

/* ---- The terminal */

static int check_console(struct task *self, uintptr_t fd)
{
    struct file *file = file_of(self, fd);
    if (file == NULL)
        return -EBADF;
    return file->kind == FILE_DEVICE && file->device == device_find(DEV_CONSOLE) ? 0 : -ENOTTY;
}

long sys_ttymode(struct task *self, const uintptr_t arg[])
{
    int err = check_console(self, arg[0]);
    return err < 0 ? err : console_set_mode((int)arg[1]);
}

long sys_tcsetpgrp(struct task *self, const uintptr_t arg[])
{
    int err = check_console(self, arg[0]);
    if (err < 0 || (int)arg[1] < 0)
        return err < 0 ? err : -EINVAL;
    console_set_group((int)arg[1]);
    return 0;
}

/* ---- Paths */

/* What open() adds to finding the inode. Takes the reference over. Truncates last: an open() that fails changes nothing. */
static long open_inode(struct task *self, struct inode *inode, unsigned flags)
{
    struct file *file;
    int type = inode_type(inode);
    int err = type < 0 ? type : 0;
    if (type == T_DIR && (flags & (O_ACCMODE | O_CREATE | O_TRUNC)))
        err = -EISDIR;
    if (err < 0) {
        inode_put(inode);
        return err;
    }
    err = file_open(inode, flags, &file);
    if (err == 0 && type == T_FILE && (flags & O_TRUNC)) {
        err = inode_truncate(inode, 0);
        if (err < 0)
            file_put(file);
    }
    return err < 0 ? err : files_install(self->files, file);
}

long sys_open(struct task *self, const uintptr_t arg[])
{
    unsigned flags = (unsigned)arg[1];
    struct inode *inode;
    struct walk w;
    if ((flags & O_ACCMODE) == O_ACCMODE)
        return -EINVAL;
    int err = files_reserve(self->files);
    if (err == 0)
        err = begin(&w, self, arg[0]);
    if (err < 0)
        return err;
    err = names_open(&w, flags, &inode);
    walk_end(&w);
    return err < 0 ? err : open_inode(self, inode, flags);
}

static long create(struct task *self, uintptr_t path, const struct new_inode *what)
{
    struct walk w;
    int err = begin(&w, self, path);
    if (err < 0)
        return err;
    err = walk_to_parent(&w);
    if (err == 0 && w.wants_directory && what->type != T_DIR)
        err = -ENOENT;
    if (err == 0)
        err = names_create(&w, what, NULL);
    walk_end(&w);
    return err;
}

long sys_mkdir(struct task *self, const uintptr_t arg[])
{
    return create(self, arg[0], &(struct new_inode){ .type = T_DIR });
}

long sys_mknod(struct task *self, const uintptr_t arg[])
{
    if (arg[1] > UINT16_MAX || arg[2] > UINT16_MAX)
        return -EINVAL;
    return create(self, arg[0], &(struct new_inode){ T_DEVICE, (unsigned)arg[1], (unsigned)arg[2], NULL });
}

long sys_symlink(struct task *self, const uintptr_t arg[])
{
    char *target = alloc_page_raw();
    if (target == NULL)
        return -ENOMEM;
    long err = copy_string_from_user(target, va_of(arg[0]), FS_SYMLINK_MAX + 1);
    if (err == 0)
        err = -ENOENT;
    if (err > 0)
        err = create(self, arg[1], &(struct new_inode){ .type = T_SYMLINK, .target = target });
    free_page(target);
    return err;
}

long sys_unlink(struct task *self, const uintptr_t arg[])
{
    struct walk w;
    int err = begin(&w, self, arg[0]);
    if (err < 0)
        return err;
    err = names_unlink(&w);
    walk_end(&w);
    return err;
}

/* Calls with two paths. */
static long with_two(struct task *self, const uintptr_t arg[], int (*act)(struct walk *, struct walk *))
{
    struct walk from, to;
    int err = begin(&from, self, arg[0]);
    if (err < 0)
        return err;
    if ((err = begin(&to, self, arg[1])) == 0) {
        err = act(&from, &to);
        walk_end(&to);
    }
    walk_end(&from);
    return err;
}

long sys_link(struct task *self, const uintptr_t arg[])
{
    return with_two(self, arg, names_link);
}

long sys_rename(struct task *self, const uintptr_t arg[])
{
    return with_two(self, arg, names_rename);
}

long sys_chdir(struct task *self, const uintptr_t arg[])
{
    struct inode *dir;
    int err = inode_at(self, arg[0], true, &dir);
    if (err < 0)
        return err;
    int type = inode_type(dir);
    if (type != T_DIR) {
        inode_put(dir);
        return type < 0 ? type : -ENOTDIR;
    }
    files_chdir(self->files, dir);
    return 0;
}

static long stat_path(struct task *self, const uintptr_t arg[], bool follow)
{
    struct inode *inode;
    struct stat st;
    int err = inode_at(self, arg[0], follow, &inode);
    if (err < 0)
        return err;
    if ((err = inode_lock(inode)) == 0) {
        inode_stat(inode, &st);
        inode_unlock(inode);
    }
    inode_put(inode);
    return err < 0 ? err : copy_to_user(va_of(arg[1]), &st, sizeof(st));
}

long sys_stat(struct task *self, const uintptr_t arg[])
{
    return stat_path(self, arg, true);
}

long sys_lstat(struct task *self, const uintptr_t arg[])
{
    return stat_path(self, arg, false);
}

long sys_readlink(struct task *self, const uintptr_t arg[])
{
    struct inode *inode;
    if (arg[2] == 0 || (intptr_t)arg[2] < 0)
        return -EINVAL;
    char *target = alloc_page_raw();            /* user memory is not touched with an inode locked: see read_slice() */
    if (target == NULL)
        return -ENOMEM;
    long n = inode_at(self, arg[0], false, &inode);
    if (n == 0) {
        if ((n = inode_lock(inode)) == 0) {
            n = inode->disk.type == T_SYMLINK ? inode_read(inode, target, va_of(0), 0, MIN(arg[2], FS_SYMLINK_MAX)) : -EINVAL;
            inode_unlock(inode);
        }
        inode_put(inode);
    }
    if (n > 0 && copy_to_user(va_of(arg[1]), target, (size_t)n) != 0)
        n = -EFAULT;
    free_page(target);
    return n;
}

/* Returns the length of the path, NUL counted. */
long sys_getcwd(struct task *self, const uintptr_t arg[])
{
    char *start, *page = alloc_page_raw();
    if (page == NULL)
        return -ENOMEM;
    long n = names_path(self->files->cwd, page, &start);
    if (n == 0) {
        size_t length = strlen(start) + 1;
        n = length > arg[1] ? -ERANGE : copy_to_user(va_of(arg[0]), start, length);
        if (n == 0)
            n = (long)length;
    }
    free_page(page);
    return n;
}

long sys_utime(struct task *self, const uintptr_t arg[])
{
    struct inode *inode;
    int64_t seconds;
    int err = inode_at(self, arg[0], true, &inode);
    if (err < 0)
        return err;
    if (copy_from_user(&seconds, va_of(arg[1]), sizeof(seconds)) != 0) {
        inode_put(inode);
        return -EFAULT;
    }
    if ((err = log_begin(INODE_CREDITS)) == 0) {
        if ((err = inode_lock(inode)) == 0) {
            inode->disk.mtime = seconds;
            inode_update(inode);
            inode_unlock(inode);
        }
        log_end(INODE_CREDITS);
    }
    inode_put(inode);
    return err;
}

/* ---- The file system as a whole */

long sys_sync(struct task *self, const uintptr_t arg[])
{
    (void)self;
    (void)arg;
    return fs_sync();
}

long sys_statfs(struct task *self, const uintptr_t arg[])
{
    struct inode *inode;
    struct statfs fs;
    int err = inode_at(self, arg[0], true, &inode);
    if (err < 0)
        return err;
    inode_put(inode);
    fs_statistics(&fs);
    return copy_to_user(va_of(arg[1]), &fs, sizeof(fs));
}
