/*
 * file.c -- open files, device files, and descriptor tables.
 *
 * Owns:     struct file (counted) and struct files (one a task).
 * Locks:    a file's sleep lock makes offset and transfer one step, for inodes only: a task that waits in a pipe or at the
 *           console holds nothing. Taken before any operation.
 * Not here: bytes of files (inode.c), pipes (pipe.c), argument checks (sys/sys_file.c).
 */
#include "abi/fcntl.h"
#include "dev/console.h"
#include "fs/file.h"
#include "fs/path.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "sched/sched.h"

static struct slab_cache file_slab  = SLAB_CACHE("file", struct file);
static struct slab_cache files_slab = SLAB_CACHE("files", struct files);

/* ---- Devices */

static long null_read(vaddr_t dst, size_t nbytes)
{
    (void)dst;
    (void)nbytes;
    return 0;
}

static long null_write(vaddr_t src, size_t nbytes)
{
    (void)src;
    return (long)nbytes;
}

static long zero_read(vaddr_t dst, size_t nbytes)
{
    size_t done = 0;
    while (done < nbytes && !current()->killed) {
        size_t piece = MIN(nbytes - done, PREEMPT_BYTES);
        int err = clear_user(va_add(dst, done), piece);
        if (err < 0)
            return err;
        done += piece;
        preempt_point();
    }
    return (long)done;
}

static const struct device_operations devices[] = {
    [DEV_CONSOLE] = { console_read, console_write },
    [DEV_NULL]    = { null_read, null_write },
    [DEV_ZERO]    = { zero_read, null_write },
};

const struct device_operations *device_find(unsigned major)
{
    return major < ARRAY_SIZE(devices) && devices[major].read != NULL ? &devices[major] : NULL;
}

/* ---- Open files */

static struct file *file_new(enum file_kind kind, unsigned access)
{
    struct file *file = slab_alloc(&file_slab);
    if (file != NULL) {
        file->refs = 1;
        file->kind = kind;
        file->readable = access != O_WRONLY;
        file->writable = access != O_RDONLY;
        sleeplock_init(&file->lock, "file", RANK_FILE);
    }
    return file;
}

int file_open(struct inode *inode, unsigned flags, struct file **out)
{
    const struct device_operations *device = NULL;
    int type = inode_type(inode);
    int err = type < 0 ? type : 0;
    if (type == T_DEVICE && (device = device_find(inode->disk.major)) == NULL)
        err = -ENXIO;
    struct file *file = err == 0 ? file_new(device != NULL ? FILE_DEVICE : FILE_INODE, flags & O_ACCMODE) : NULL;
    if (file == NULL) {
        inode_put(inode);
        return err < 0 ? err : -ENOMEM;
    }
    file->append = (flags & O_APPEND) != 0;
    file->inode = inode;
    file->device = device;
    *out = file;
    return 0;
}

int file_pipe(struct file **read_end, struct file **write_end)
{
    *read_end = file_new(FILE_PIPE, O_RDONLY);
    *write_end = file_new(FILE_PIPE, O_WRONLY);
    struct pipe *pipe = *read_end != NULL && *write_end != NULL ? pipe_new() : NULL;
    if (pipe == NULL) {
        if (*read_end != NULL)
            slab_free(&file_slab, *read_end);
        if (*write_end != NULL)
            slab_free(&file_slab, *write_end);
        return -ENOMEM;
    }
    (*read_end)->pipe = (*write_end)->pipe = pipe;
    return 0;
}

struct file *file_hold(struct file *file)
{
    __atomic_fetch_add(&file->refs, 1, __ATOMIC_RELAXED);
    return file;
}

void file_put(struct file *file)
{
    if (__atomic_sub_fetch(&file->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (file->kind == FILE_PIPE)
        pipe_close_end(file->pipe, file->writable);
    inode_put(file->inode);
    slab_free(&file_slab, file);
}

/* The offset needs the lock only while others share the file. With one reference there are no others, and none can come:
 * the only task that could dup() or fork() is in this call. 1: taken; 0: not needed; -EINTR: killed while waiting. */
static int lock_offset(struct file *file)
{
    if (__atomic_load_n(&file->refs, __ATOMIC_ACQUIRE) <= 1)
        return 0;
    return sleep_acquire_killable(&file->lock) < 0 ? -EINTR : 1;
}

static void unlock_offset(struct file *file, int locked)
{
    if (locked > 0)
        sleep_release(&file->lock);
}

/* What a read will write to is made present before the inode is locked: a page that finds no frame waits until some task is
 * gone, and that task may be waiting for the inode. (Who waits for the offset's lock can be killed.) */
HOT static long read_slice(struct file *file, vaddr_t dst, size_t nbytes)
{
    uint64_t size = file->inode->disk.size;
    nbytes = file->offset < size ? MIN(nbytes, size - file->offset) : 0;    /* it may grow meanwhile: not for this read */
    long n = user_fault_in(dst, nbytes, true);
    if (n == 0)
        n = inode_lock(file->inode);
    if (n == 0) {
        n = inode_read(file->inode, NULL, dst, file->offset, nbytes);
        inode_unlock(file->inode);
    }
    if (n > 0)
        file->offset += (uint64_t)n;
    return n;
}

HOT static long read_inode(struct file *file, vaddr_t dst, size_t nbytes)
{
    int locked = lock_offset(file);
    if (locked < 0)
        return locked;
    size_t done = 0, slice;
    long n;
    do {
        slice = MIN(nbytes - done, PREEMPT_BYTES);
        n = read_slice(file, va_add(dst, done), slice);
        done += n > 0 ? (size_t)n : 0;
    } while (n == (long)slice && done < nbytes && !current()->killed);
    unlock_offset(file, locked);
    return done > 0 ? (long)done : n;
}

static long write_inode(struct file *file, vaddr_t src, size_t nbytes)
{
    int locked = lock_offset(file);
    if (locked < 0)
        return locked;
    long n = inode_write(file->inode, src, &file->offset, nbytes, file->append);
    unlock_offset(file, locked);
    return n;
}

HOT long file_read(struct file *file, vaddr_t dst, size_t nbytes)
{
    if (!file->readable)
        return -EBADF;
    if (nbytes == 0)
        return 0;
    switch (file->kind) {
    case FILE_INODE:  return read_inode(file, dst, nbytes);
    case FILE_DEVICE: return file->device->read(dst, nbytes);
    case FILE_PIPE:   return pipe_read(file->pipe, dst, nbytes);
    }
    return -EBADF;
}

HOT long file_write(struct file *file, vaddr_t src, size_t nbytes)
{
    if (!file->writable)
        return -EBADF;
    if (nbytes == 0)
        return 0;
    switch (file->kind) {
    case FILE_INODE:  return write_inode(file, src, nbytes);
    case FILE_DEVICE: return file->device->write(src, nbytes);
    case FILE_PIPE:   return pipe_write(file->pipe, src, nbytes);
    }
    return -EBADF;
}

long file_seek(struct file *file, int64_t offset, int whence)
{
    if (file->kind != FILE_INODE)
        return -ESPIPE;
    if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
        return -EINVAL;
    int locked = lock_offset(file);
    if (locked < 0)
        return locked;
    int64_t base = whence == SEEK_SET ? 0 : (int64_t)file->offset;
    long err = whence == SEEK_END ? inode_lock(file->inode) : 0;
    if (err == 0 && whence == SEEK_END) {
        base = (int64_t)file->inode->disk.size;
        inode_unlock(file->inode);
    }
    int64_t to;
    if (err == 0 && (__builtin_add_overflow(base, offset, &to) || to < 0 || to > INTPTR_MAX))
        err = -EINVAL;
    if (err == 0) {
        file->offset = (uint64_t)to;
        err = (long)to;
    }
    unlock_offset(file, locked);
    return err;
}

int file_stat(struct file *file, struct stat *st)
{
    if (file->kind == FILE_PIPE) {
        *st = (struct stat){ .type = T_PIPE, .nlink = 1, .size = pipe_available(file->pipe) };
        return 0;
    }
    int err = inode_lock(file->inode);
    if (err < 0)
        return err;
    inode_stat(file->inode, st);
    inode_unlock(file->inode);
    return 0;
}

/* ---- Descriptor tables */

/* Where descriptor fd is kept; NULL: out of range, or its page does not exist. */
static struct file **slot_of(struct files *files, uint32_t fd)
{
    if (fd < FILES_INLINE)
        return &files->inline_slot[fd];
    if (fd >= FILES_MAX)
        return NULL;
    fd -= FILES_INLINE;
    struct file **page = files->page[fd / FILES_PAGE];
    return page != NULL ? &page[fd % FILES_PAGE] : NULL;
}

/* The same, with the page made. -EMFILE, -ENOMEM. */
static int make_slot(struct files *files, uint32_t fd, struct file ***out)
{
    if (fd >= FILES_MAX)
        return -EMFILE;
    if (fd >= FILES_INLINE) {
        struct file ***page = &files->page[(fd - FILES_INLINE) / FILES_PAGE];
        if (*page == NULL && (*page = alloc_page()) == NULL)
            return -ENOMEM;
    }
    *out = slot_of(files, fd);
    return 0;
}

struct files *files_new(void)
{
    struct files *files = slab_alloc(&files_slab);
    if (files != NULL)
        files->cwd = fs_root != NULL ? inode_hold(fs_root) : NULL;
    return files;
}

static void drop_tables(struct files *files)
{
    for (int i = 0; i < FILES_PAGES; i++)
        if (files->page[i] != NULL)
            free_page(files->page[i]);
    slab_free(&files_slab, files);
}

struct files *files_copy(struct files *files)
{
    struct files *copy = slab_alloc(&files_slab);
    if (copy == NULL)
        return NULL;
    for (int i = 0; i < FILES_PAGES; i++)
        if (files->page[i] != NULL && (copy->page[i] = alloc_page()) == NULL) {
            drop_tables(copy);
            return NULL;
        }
    for (uint32_t fd = 0; fd < files->limit; fd++) {
        struct file **from = slot_of(files, fd);
        if (from != NULL && *from != NULL)
            *slot_of(copy, fd) = file_hold(*from);
    }
    copy->lowest = files->lowest;
    copy->limit = files->limit;
    copy->cwd = inode_hold(files->cwd);
    return copy;
}

void files_release(struct files *files)
{
    for (uint32_t fd = 0; fd < files->limit; fd++) {
        struct file **slot = slot_of(files, fd);
        if (slot != NULL && *slot != NULL)
            file_put(*slot);
    }
    inode_put(files->cwd);
    drop_tables(files);
}

HOT struct file *files_get(struct files *files, long fd)
{
    struct file **slot = fd >= 0 && fd < FILES_MAX ? slot_of(files, (uint32_t)fd) : NULL;
    return slot != NULL ? *slot : NULL;
}

int files_reserve(struct files *files)
{
    struct file **slot = NULL;
    int err = 0;
    while ((err = make_slot(files, files->lowest, &slot)) == 0 && *slot != NULL)
        files->lowest++;
    return err;
}

int files_install(struct files *files, struct file *file)
{
    int err = files_reserve(files);
    if (err < 0) {
        file_put(file);
        return err;
    }
    *slot_of(files, files->lowest) = file;
    files->limit = MAX(files->limit, files->lowest + 1);
    return (int)files->lowest++;
}

int files_install_at(struct files *files, long fd, struct file *file)
{
    struct file **slot = NULL;
    int err = fd < 0 || fd >= FILES_MAX ? -EBADF : make_slot(files, (uint32_t)fd, &slot);
    if (err < 0) {
        file_put(file);
        return err;
    }
    struct file *old = *slot;
    *slot = file;
    files->limit = MAX(files->limit, (uint32_t)fd + 1);
    if (old != NULL)
        file_put(old);
    return (int)fd;
}

int files_close(struct files *files, long fd)
{
    struct file *file = files_get(files, fd);
    if (file == NULL)
        return -EBADF;
    *slot_of(files, (uint32_t)fd) = NULL;
    files->lowest = MIN(files->lowest, (uint32_t)fd);
    file_put(file);
    return 0;
}

void files_chdir(struct files *files, struct inode *dir)
{
    inode_put(files->cwd);
    files->cwd = dir;
}
