/* check.h -- fsck as a library: proves an image consistent, in memory, without touching it.
 *
 * Works on any bytes whatever: a hostile image costs time in proportion to its size and nothing else. No state is
 * kept between calls, so a test can check thousands of crash images in one process. */
#ifndef MKFS_CHECK_H
#define MKFS_CHECK_H

#include <stddef.h>
#include <stdint.h>

enum fsck_verdict {                     /* also the exit statuses of fsck */
    FSCK_CLEAN        = 0,
    FSCK_INCONSISTENT = 1,
    FSCK_CANNOT_CHECK = 2,              /* no usable superblock, or no memory */
};

enum fsck_kind {
    FSCK_PROBLEM,                       /* one inconsistency: "inode 7: block 1234 is also used by inode 9" */
    FSCK_NOTE,                          /* worth knowing, not wrong: replayed transactions, unlinked inodes */
    FSCK_FATAL,                         /* why the image cannot be checked */
};

#define FSCK_PROBLEMS_REPORTED 100u     /* problems after these are counted, not reported */

/* Receives one line without newline; valid during the call only. May be NULL where only the result matters. */
typedef void (*fsck_report)(void *context, enum fsck_kind kind, const char *line);

struct fsck_result {
    enum fsck_verdict verdict;
    uint64_t problems;                  /* all, reported or not */
    uint32_t transactions;              /* replayed from the log (in memory) */
    uint32_t files, directories;        /* files: everything linked that is no directory */
    uint32_t orphans;                   /* unlinked while open */
    uint32_t used_blocks, total_blocks; /* as the block map has it, of the whole disk */
};

/* fsck_check -- check the file system in image[0 .. bytes) as it is after recovery of its log.
 *   context  passed on to report
 *   result   always filled in */
void fsck_check(const void *image, size_t bytes, fsck_report report, void *context, struct fsck_result *result);

/* fsck_repair -- what a kernel does when it mounts: write the log's committed blocks to their places, empty the
 * log, and free what was unlinked while open, if there is no problem but that. Changes the image in place.
 * An image whose superblock or log is wrong is left as it is.
 *   result   of the check before
 *   returns  the number of blocks and inodes changed; 0: nothing was touched */
uint64_t fsck_repair(void *image, size_t bytes, struct fsck_result *result);

#endif
