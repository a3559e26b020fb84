/* fs.h -- what the floors above use of the file system: inodes by path for exec, and a task's open files.
 * The pieces behind it, bottom up: cache.c blocks, log.c transactions (recover.c after a crash), alloc.c free blocks and
 * inodes, inode.c files, dir.c entries, path.c paths, names.c the tree, pipe.c, file.c descriptors, mount.c start and
 * flusher. On-disk format: abi/fsformat.h. What is durable when: docs/filesystem.md. */
#ifndef FS_FS_H
#define FS_FS_H

#include "lib/types.h"

struct inode;
struct files;
struct task;

/* fs_mount -- recover the log, free orphans, start the flusher. Task context, once. 0 or -errno (message printed). */
MUST_CHECK int fs_mount(void);

/* fs_open_exec -- the regular file at `path` (kernel string), locked for reading, or a negative errno in *error. The
 * caller reads with fs_read_kernel() and must call fs_close_exec(). */
struct inode *fs_open_exec(const char *path, int *error);
long     fs_read_kernel(struct inode *inode, void *dst, uint64_t offset, size_t nbytes);   /* count, or -errno */
uint64_t fs_size(struct inode *inode);
void     fs_close_exec(struct inode *inode);

/* files_new -- no open files, current directory /. files_copy -- for fork: shares the open files. files_release -- close
 * all. Task context; release and new may suspend, copy does not. NULL: no memory. */
MUST_CHECK struct files *files_new(void);
MUST_CHECK struct files *files_copy(struct files *files);
void files_release(struct files *files);

/* fs_sync -- everything written before the call is on the disk when it returns. 0 or -EIO. */
int fs_sync(void);

#endif
