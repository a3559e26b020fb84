/* crc32.h -- the checksum of superblock, log header and log groups (abi/fsformat.h says which bytes).
 * The same values as zlib's crc32: reflected polynomial 0xEDB88320, start and final xor 0xFFFFFFFF. */
#ifndef MKFS_CRC32_H
#define MKFS_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* image_crc32 -- checksum of nbytes at data, continuing from `before`: 0 to start, or the value for the
 * bytes that come before these. Any alignment. */
uint32_t image_crc32(uint32_t before, const void *data, size_t nbytes);

#endif
