/* abi/fsformat.h -- the file system as it lies on the disk. Kernel, mkfs and fsck read this one description.
 *
 *   block 0      superblock                                       never changes after mkfs
 *   log          log_blocks   write-ahead log, a ring: see below
 *   inode map    imap_blocks  one bit an inode,  1 = in use       (bit 0 is set: inode 0 means "none")
 *   block map    bmap_blocks  one bit a block of the whole disk,  1 = in use (everything before data is set)
 *   inode table  inode_blocks INODES_PER_BLOCK inodes a block
 *   data         the rest: file contents, directories, index blocks
 *
 * Blocks are 4 KiB, numbers little-endian. Block number 0 in an inode or an index block is a hole that reads as zero.
 *
 * The log. log_start holds a struct log_header; the ring is the log_blocks - 1 blocks after it. A transaction is one
 * or more groups, each a descriptor block followed by the blocks it lists, all consecutive in the ring (wrapping at
 * its end). It is committed when every group of it is on the disk whole, which the checksums prove: there is no
 * separate commit record. Recovery starts at header.tail with sequence header.sequence and replays transactions in
 * order until one is missing, torn, or carries another sequence number; that is the end. Whoever recovers then starts
 * an empty log with sequence + log_blocks, so that no torn group left in the ring can ever complete a new transaction.
 * The header is rewritten only after the blocks of the transactions it leaves behind are safely in their places.
 */
#ifndef ABI_FSFORMAT_H
#define ABI_FSFORMAT_H

#include <stdint.h>

#define FS_BLOCK_SIZE   4096u
#define FS_MAGIC        0x3153464c414d4154ull   /* "TAMALFS1" */
#define FS_VERSION      1u
#define FS_ROOT_INODE   1u
#define FS_NAME_MAX     59u                     /* bytes of a name, no NUL counted */
#define FS_PATH_MAX     1024u                   /* bytes of a path, NUL counted */
#define FS_LINK_MAX     32000u
#define FS_SYMLINK_MAX  1023u                   /* bytes of a link's target, no NUL counted */

struct superblock {
    uint64_t magic;                     /* FS_MAGIC */
    uint32_t version;                   /* FS_VERSION */
    uint32_t block_size;                /* FS_BLOCK_SIZE */
    uint32_t blocks;                    /* blocks of the whole disk */
    uint32_t inodes;                    /* inodes in the table, 0 included */
    uint32_t log_start,   log_blocks;   /* header and ring */
    uint32_t imap_start,  imap_blocks;
    uint32_t bmap_start,  bmap_blocks;
    uint32_t inode_start, inode_blocks;
    uint32_t data_start;                /* first block for files */
    uint32_t checksum;                  /* crc32 of all the fields before this one */
};

#define FS_DIRECT    22u
#define FS_INDEX     (FS_BLOCK_SIZE / 4u)       /* block numbers in an index block */
#define FS_MAX_BLOCKS (FS_DIRECT + FS_INDEX + (uint64_t)FS_INDEX * FS_INDEX)

struct disk_inode {
    uint16_t type;                      /* T_* of abi/stat.h; 0: free */
    uint16_t nlink;                     /* names; for a directory 2 + subdirectories ("." and ".." are stored) */
    uint16_t major, minor;              /* of a T_DEVICE */
    uint64_t size;                      /* bytes; a directory's is a multiple of 64 */
    int64_t  mtime;                     /* seconds since 1970 */
    uint32_t blocks;                    /* blocks it occupies, index blocks included */
    uint32_t reserved;
    uint32_t direct[FS_DIRECT];
    uint32_t indirect;                  /* index block of the next FS_INDEX blocks */
    uint32_t double_indirect;           /* index block of index blocks */
};
_Static_assert(sizeof(struct disk_inode) == 128, "inode size");
#define INODES_PER_BLOCK (FS_BLOCK_SIZE / (uint32_t)sizeof(struct disk_inode))

struct dirent {                         /* programs read directories as arrays of these */
    uint32_t inum;                      /* 0: free slot */
    char     name[FS_NAME_MAX + 1];     /* NUL-terminated, zero-filled */
};
_Static_assert(sizeof(struct dirent) == 64, "dirent size");

#define LOG_HEADER_MAGIC 0x4c474844u
struct log_header {                     /* first block of the log */
    uint32_t magic;                     /* LOG_HEADER_MAGIC */
    uint32_t tail;                      /* ring index (0 .. log_blocks-2) where recovery starts */
    uint64_t sequence;                  /* of the transaction expected there */
    uint32_t checksum;                  /* crc32 of the fields before this one */
};

#define LOG_GROUP_MAGIC 0x4c474752u
#define LOG_GROUP_MAX   1000u           /* blocks one descriptor can list */
struct log_group {                      /* descriptor block */
    uint32_t magic;                     /* LOG_GROUP_MAGIC */
    uint32_t count;                     /* blocks listed, 1 .. LOG_GROUP_MAX */
    uint64_t sequence;                  /* of its transaction: each transaction takes the next number */
    uint32_t last;                      /* 1: the transaction ends with this group */
    uint32_t body_checksum;             /* crc32 of the `count` blocks that follow, one after another */
    uint32_t home[LOG_GROUP_MAX];       /* where each block belongs */
    uint32_t checksum;                  /* crc32 of the fields before this one */
};
_Static_assert(sizeof(struct log_group) <= FS_BLOCK_SIZE, "descriptor fits a block");
/* crc32: the reflected polynomial 0xEDB88320, start and final xor 0xFFFFFFFF (as zlib's crc32). */

#define DEV_CONSOLE 1                   /* majors of T_DEVICE; minors are 0 */
#define DEV_NULL    2
#define DEV_ZERO    3

#endif
