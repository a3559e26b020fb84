/* fs_recover.h -- crash states are recovered by the kernel's own code. */
#ifndef TESTS_HOST_FS_RECOVER_H
#define TESTS_HOST_FS_RECOVER_H

#include <stddef.h>
#include <stdint.h>

/* fs_recover -- mount the image, which replays its log and frees orphans, empty the log, unmount: in place. 0 or -errno. As
 * often as wanted in one process. fs_list -- a line for every name, in the order of the directories, to `out`:
 * "type nlink size crc32-of-contents path". 0 or -errno. */
int fs_recover(uint8_t *image, size_t nbytes);
struct _IO_FILE;
int fs_list(uint8_t *image, size_t nbytes, struct _IO_FILE *out);

#endif
