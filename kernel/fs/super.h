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

#endif
