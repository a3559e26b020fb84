/* kernel/fs.h -- xv6's names for facts of the file system. A directory is an array of struct dirent. */
#ifndef TAMAL_XV6_FS_H
#define TAMAL_XV6_FS_H

#include "abi/fsformat.h"

#define ROOTINO   FS_ROOT_INODE
#define BSIZE     ((int)FS_BLOCK_SIZE)
#define DIRSIZ    ((int)FS_NAME_MAX + 1)        /* bytes of dirent.name, its NUL counted */
#define NDIRECT   ((int)FS_DIRECT)
#define NINDIRECT ((int)FS_INDEX)
#define MAXFILE   ((int)FS_MAX_BLOCKS)

#endif
