/* abi/stat.h -- what stat() and statfs() tell. The first five fields are xv6's. */
#ifndef ABI_STAT_H
#define ABI_STAT_H

#include <stdint.h>

#define T_DIR     1                     /* directory */
#define T_FILE    2                     /* ordinary file */
#define T_DEVICE  3                     /* device node: major, minor */
#define T_SYMLINK 4                     /* symbolic link; its data is the target path */
#define T_PIPE    5                     /* only from fstat() */

struct stat {
    int32_t  dev;                       /* the file system's disk */
    uint32_t ino;                       /* inode number */
    int16_t  type;                      /* T_* */
    int16_t  nlink;                     /* names that refer to it */
    uint32_t blocks;                    /* 4 KiB blocks it occupies, its map included */
    uint64_t size;                      /* bytes */
    int64_t  mtime;                     /* seconds since 1970 of the last change of the data */
    uint16_t major, minor;              /* of a device */
    uint32_t reserved;
};
_Static_assert(sizeof(struct stat) == 40, "struct stat is ABI");

struct statfs {
    uint32_t block_size;                /* bytes */
    uint32_t blocks_total;              /* the whole disk, in blocks */
    uint32_t blocks_data;               /* of these, blocks that can hold files */
    uint32_t blocks_free;
    uint32_t inodes_total;
    uint32_t inodes_free;
    uint32_t reserved[2];
};
_Static_assert(sizeof(struct statfs) == 32, "struct statfs is ABI");

#endif
