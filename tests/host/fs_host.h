/* fs_host.h -- the kernel's file system on the host: a fake disk that records what was written, fake memory that can run
 * out, tasks that take turns. See fs_host.c. */
#ifndef TESTS_HOST_FS_HOST_H
#define TESTS_HOST_FS_HOST_H

#include "fs_prelude.h"
#include "abi/fcntl.h"
#include "abi/fsformat.h"
#include "abi/stat.h"
#include "dev/block.h"
#include "fs/file.h"

/* ---- The disk */
enum event_kind { EVENT_WRITE, EVENT_FLUSH };
struct event { enum event_kind kind; uint32_t block; uint8_t *data; };  /* one block of a completed write, or a flush */

extern uint8_t      *host_disk;         /* what reads see */
extern uint32_t      host_disk_blocks;
extern struct event *host_events;       /* since host_record(true) */
extern size_t        host_event_count;
void host_record(bool on);              /* forget and start, or stop */
extern unsigned long host_requests, host_reads, host_writes, host_flushes;
extern long host_fail_request;          /* this many requests from now fails with -EIO; 0: none */
extern bool host_fail_always;           /* and all after it */
extern unsigned host_fail_ops;          /* bits: 1 << BLOCK_READ ... which fail; the others are not counted */
extern bool host_delay;                 /* complete requests late, in any order */

/* ---- Memory */
extern size_t host_frames;              /* there are so many */
extern long host_fail_alloc;            /* this many allocations from now fails; 0: none */
extern bool host_alloc_always;          /* and all after it */
extern size_t host_frames_used, host_objects_used;

/* ---- Life. host_mount -- fresh memory, mount what is on host_disk; 0 or -errno. host_drop -- forget everything in
 * memory, as a crash does. host_format -- an empty file system on a new disk. */
int  host_mount(void);
void host_drop(void);
void host_format(uint32_t blocks, uint32_t inodes, uint32_t log_blocks);
extern bool host_quiet;                 /* swallow printk */
extern char host_last_message[256];

/* ---- Tasks that take turns: host_spawn() before host_run(), which returns when all are over. */
void host_spawn(void (*body)(long), long argument);
void host_run(uint64_t seed);
uint32_t host_random(void);
void host_seed(uint64_t seed);

/* ---- Calls, by the system-call handlers; the current task's files. */
#define HOST_CALL(name) long sys_##name(struct task *, const uintptr_t[]); \
    static inline long do_##name(uintptr_t a, uintptr_t b, uintptr_t c) \
    {                                                                   \
        const uintptr_t arg[6] = { a, b, c };                           \
        return sys_##name(current(), arg);                              \
    }
HOST_CALL(read)
HOST_CALL(write) HOST_CALL(close) HOST_CALL(dup) HOST_CALL(dup2) HOST_CALL(open) HOST_CALL(mknod) HOST_CALL(unlink)
    HOST_CALL(link) HOST_CALL(mkdir) HOST_CALL(chdir) HOST_CALL(fstat) HOST_CALL(stat) HOST_CALL(lstat) HOST_CALL(lseek)
        HOST_CALL(symlink) HOST_CALL(readlink) HOST_CALL(getcwd) HOST_CALL(rename) HOST_CALL(fsync) HOST_CALL(sync)
            HOST_CALL(ftruncate) HOST_CALL(pipe) HOST_CALL(statfs) HOST_CALL(utime) HOST_CALL(ttymode)
                HOST_CALL(tcsetpgrp)
#define P(x) ((uintptr_t)(x))

    /* host_crash_image -- a disk as a crash may leave it: base, with what was recorded before event *cut; `subset`: of the writes
 * since the last flush only some, some of them torn between sectors, and *cut may be moved on to the next flush. host_copy_disk. Both to be freed. */
    uint8_t *host_copy_disk(void);
uint8_t *host_crash_image(const uint8_t *base, size_t *cut, bool subset);

/* host_check -- fsck of an image; problems are printed. Returns their number (and 1 when it cannot be checked). */
extern unsigned host_orphans;           /* it found so many inodes without a name */
unsigned host_check(const uint8_t *image, uint32_t blocks, const char *what);
#define EXPECT(cond) do { if (!(cond)) host_failed(__FILE__, __LINE__, #cond); } while (0)
void host_failed(const char *file, int line, const char *what);
extern unsigned long host_checks;

#endif
