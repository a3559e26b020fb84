/* super.h -- the file system as a whole: what mount.c offers to sys_file.c and to the other files of fs/. */
#ifndef FS_SUPER_H
#define FS_SUPER_H

#include "abi/stat.h"
#include "lib/types.h"

#define LOG_BLOCKS_MIN 64               /* header and ring: the largest operation must fit twice */

void fs_statistics(struct statfs *fs);

/* fs_flush_soon -- wake the flusher; by_time: it should commit and checkpoint everything. Any context.
 * fs_flush_step -- what it does then. Task context, no lock, no operation. */
void fs_flush_soon(bool by_time);
void fs_flush_step(bool by_time);

/* DAMAGE -- one line about something on the disk that cannot be; after a handful of them one says that more follow, so
 * that a hostile image cannot keep the kernel printing. */
bool damage_may_be_told(void);          /* mount.c */
#define DAMAGE(format, ...) \
    do { if (damage_may_be_told()) printk("fs: " format ": the disk needs fsck\n", __VA_ARGS__); } while (0)

#endif
