/* file.h -- open files and a task's table of descriptors.
 *
 * A struct file is one open(): offset and mode, shared by every descriptor dup() and fork() make of it. A struct files
 * belongs to one task and is touched by it alone, so it has no lock; fork copies it in the parent. */
#ifndef FS_FILE_H
#define FS_FILE_H

#include "fs/fs.h"
#include "fs/inode.h"
#include "fs/pipe.h"

#define FILES_INLINE 16                 /* descriptors without a frame of their own */
#define FILES_PAGE   (PAGE_SIZE / sizeof(struct file *))
#define FILES_PAGES  2
#define FILES_MAX    1024               /* descriptors of one task: -EMFILE beyond */

enum file_kind { FILE_INODE, FILE_DEVICE, FILE_PIPE };

struct file {
    uint32_t         refs;              /* atomic */
    enum file_kind   kind;              /* constant, as all that follows but the offset */
    bool             readable, writable, append;
    struct inode    *inode;             /* INODE, DEVICE: referenced */
    struct pipe     *pipe;              /* PIPE: our end of it */
    const struct device_operations *device;
    struct sleeplock lock;              /* INODE: guards offset, held during a read or write */
    uint64_t         offset;
};

struct files {
    struct inode *cwd;                  /* referenced */
    uint32_t      lowest;               /* no free descriptor below */
    uint32_t      limit;                /* no open descriptor from here on */
    struct file  *inline_slot[FILES_INLINE];
    struct file **page[FILES_PAGES];    /* descriptors from FILES_INLINE on; NULL: none used yet */
};

/* What a major number does. */
struct device_operations {
    long (*read)(vaddr_t dst, size_t nbytes);
    long (*write)(vaddr_t src, size_t nbytes);
};
const struct device_operations *device_find(unsigned major);    /* NULL: no such device */

/* file_open -- an open file for an inode (takes over the reference, also on failure) with flags of open(). 0 or -ENOMEM,
 * -ENXIO (no such device). file_pipe -- the two ends of a new pipe. 0, -ENOMEM. file_hold, file_put: references. */
MUST_CHECK int file_open(struct inode *inode, unsigned flags, struct file **out);
MUST_CHECK int file_pipe(struct file **read_end, struct file **write_end);
struct file *file_hold(struct file *file);
void file_put(struct file *file);

MUST_CHECK long file_read(struct file *file, vaddr_t dst, size_t nbytes);
MUST_CHECK long file_write(struct file *file, vaddr_t src, size_t nbytes);
MUST_CHECK long file_seek(struct file *file, int64_t offset, int whence);
MUST_CHECK int  file_stat(struct file *file, struct stat *st);

/* files_reserve -- make sure that the next files_install() will not fail: 0, -EMFILE, -ENOMEM.
 * files_get -- the file behind a descriptor, borrowed, or NULL. files_install -- the lowest free descriptor from now on
 * is `file` (takes over the reference, also on failure): descriptor, -EMFILE, -ENOMEM. files_install_at -- descriptor fd,
 * closing what was there. files_close -- 0 or -EBADF. files_chdir -- takes over the reference. */
MUST_CHECK int files_reserve(struct files *files);
struct file *files_get(struct files *files, long fd);
MUST_CHECK int files_install(struct files *files, struct file *file);
MUST_CHECK int files_install_at(struct files *files, long fd, struct file *file);
int files_close(struct files *files, long fd);
void files_chdir(struct files *files, struct inode *dir);

#endif
