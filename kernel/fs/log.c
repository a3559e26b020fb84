/*
 * log.c -- the write-ahead log: group commit, copies of what is being committed, lazy checkpoints.
 *
 * Owns:     the running transaction, the list of buffers waiting for a checkpoint, the ring.
 * Locks:    fs_lock for state; commit_lock (sleep) for one commit or checkpoint at a time; then io_lock while writing.
 * Rules:    1. Data before metadata: file data dirty when a transaction closes is on the disk, flushed, before the
 *              transaction's blocks are. Data never travels in the log: what the log holds may be replayed until the tail
 *              has passed it, and would then overwrite newer data that was written in place.
 *           2. A block changed by the running transaction is not written home (it would overtake the log).
 *           3. The header moves the tail only after a flush of the home blocks; ring space is used again only after a
 *              flush of the header.
 *           4. Room: operations are admitted only while the running transaction and another as large fit the ring, so
 *              a commit always fits, also one that failed and was merged with its successor.
 *           5. A commit copies its blocks before it lets operations go on. Without memory for the copies it writes the
 *              buffers themselves and operations wait until that is done.
 * Errors:   a commit that fails gives its blocks back to the running transaction: nothing is lost, everything is tried
 *           again; until it works, operations that would change something fail with -EIO.
 * Not here: recovery (recover.c), file data (cache.c), which blocks change (alloc.c, inode.c, dir.c).
 */
#include "abi/fsformat.h"
#include "fs/log.h"
#include "fs/super.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "sched/sched.h"
#include "sched/sleeplock.h"

#define TRANSACTION_MAX 240u            /* blocks; twice this and the data fit the arrays below */
#define BLOCKS_MAX      512u            /* entries of a page of pointers */

static struct {
    struct log_place at;                /* head: next block to write; sequence: of the running transaction */
    uint32_t    tail;                   /* as in the header on the disk */
    uint64_t    tail_sequence;
    uint32_t    used;                   /* ring blocks from tail to head */
    uint32_t    open;                   /* operations between begin and end */
    uint32_t    reserved;               /* their credits */
    bool        wanted;                 /* somebody waits for credits */
    struct list running;                /* buffers of the running transaction */
    uint32_t    running_count;
    struct list checkpoint;             /* committed, not yet home; by log_sequence */
    bool        freezing;               /* operations wait to begin */
    bool        failed;                 /* the last commit did not reach the disk */
    struct sleeplock commit_lock;

    /* The commit in progress, commit_lock. */
    struct buffer **buffers;            /* a page of pointers */
    void          **pages;              /* [0]: the descriptor; then the buffers' contents, copied or not */
    struct log_group *group;            /* descriptor block */
    uint8_t        *header;             /* header block */
} log;

int log_init(const struct log_place *place)
{
    memset(&log, 0, sizeof(log));
    log.at = *place;
    log.tail = place->head;
    log.tail_sequence = place->sequence;
    list_init(&log.running);
    list_init(&log.checkpoint);
    sleeplock_init(&log.commit_lock, "commit", RANK_LOG);
    log.buffers = alloc_page();
    log.pages = alloc_page();
    log.group = alloc_page();
    log.header = alloc_page();
    return log.buffers && log.pages && log.group && log.header ? 0 : -ENOMEM;
}

uint32_t log_credits_max(void)   { return MIN(TRANSACTION_MAX, log.at.ring / 2 - 1); }
uint64_t log_sequence(void)      { return log.at.sequence; }
uint64_t log_tail_sequence(void) { return log.tail_sequence; }
bool     log_wants_checkpoint(void) { return log.used > log.at.ring / 2; }

bool log_idle(void)
{
    return log.running_count == 0 && log.used == 0 && cache_dirty_count() == 0;
}

void log_wait_until_busy(void)
{
    acquire(&fs_lock);
    while (log_idle())
        (void)suspend(&log.running, &fs_lock, WAIT_FIRM);
    release(&fs_lock);
}

void log_note_busy(void)
{
    wakeup(&log.running);
}

/* ---- Operations */

static int make_room(uint32_t credits);

static bool fits(uint32_t credits)      /* fs_lock held */
{
    uint32_t blocks = log.running_count + log.reserved + credits;
    return blocks <= TRANSACTION_MAX && 2 * (blocks + 1) <= log.at.ring - log.used;
}

int log_begin(uint32_t credits)
{
    DASSERT(credits <= log_credits_max());
    if (UNLIKELY(cache_read_only()))
        return -EROFS;
    acquire(&fs_lock);
    for (;;) {
        if (UNLIKELY(log.freezing)) {
            suspend(&log.freezing, &fs_lock, WAIT_FIRM);
            continue;
        }
        if (LIKELY(!log.failed && fits(credits)))
            break;
        if (!log.failed && log.running_count == 0 && log.open > 0) {
            log.wanted = true;          /* others hold the credits */
            suspend(&log.reserved, &fs_lock, WAIT_FIRM);
            continue;
        }
        release(&fs_lock);
        int err = make_room(credits);
        if (err < 0)
            return err;
        acquire(&fs_lock);
    }
    log.open++;
    log.reserved += credits;
    release(&fs_lock);
    return 0;
}

void log_end(uint32_t credits)
{
    acquire(&fs_lock);
    DASSERT(log.open > 0 && log.reserved >= credits);
    log.reserved -= credits;
    if (--log.open == 0 && log.freezing)
        wakeup(&log.open);
    if (UNLIKELY(log.wanted)) {
        log.wanted = false;
        wakeup(&log.reserved);
    }
    bool short_of_room = log_wants_checkpoint();
    release(&fs_lock);
    if (UNLIKELY(short_of_room))
        fs_flush_soon(false);
}

static void add_running(struct buffer *b)       /* fs_lock held */
{
    b->flags |= B_RUNNING;
    list_push_back(&log.running, &b->running_link);
    if (log.running_count++ == 0)
        log_note_busy();
}

void log_modify(struct buffer *b)
{
    acquire(&fs_lock);
    DASSERT(log.open > 0 && b->refs > 0);
    while (UNLIKELY(b->flags & B_WRITING))
        suspend(b, &fs_lock, WAIT_FIRM);
    if (!(b->flags & B_RUNNING)) {
        if (b->flags & B_DIRTY)
            cache_clean(b);
        add_running(b);
    }
    release(&fs_lock);
}

void log_forget(uint32_t block)
{
    struct buffer *b;
    acquire(&fs_lock);
    b = cache_find(block);
    if (b != NULL && (b->flags & (B_IN_LOG | B_WRITING)) == B_RUNNING) {
        b->flags &= ~B_RUNNING;
        list_remove(&b->running_link);
        log.running_count--;
        cache_settle(b);
    }
    release(&fs_lock);
    cache_forget(block);
}

/* ---- Commit. commit_lock held throughout. */

/* Wait until no operation is open and keep new ones out. Returns with fs_lock held. */
static void freeze(void)
{
    acquire(&fs_lock);
    log.freezing = true;
    while (log.open > 0)
        suspend(&log.open, &fs_lock, WAIT_FIRM);
}

static void thaw(void)
{
    acquire(&fs_lock);
    log.freezing = false;
    wakeup(&log.freezing);
    release(&fs_lock);
}

/* The running transaction becomes the committing one. fs_lock held, frozen. Returns its length. */
static uint32_t close_transaction(void)
{
    struct buffer *b;
    uint32_t count = 0;
    while ((b = list_first(&log.running, struct buffer, running_link)) != NULL) {
        list_remove(&b->running_link);
        b->flags = (b->flags & ~B_RUNNING) | B_COMMITTING;
        log.buffers[count] = b;
        log.pages[count + 1] = b->data;
        log.group->home[count++] = b->block;
    }
    log.running_count = 0;
    return count;
}

/* Copy the blocks, so that operations may change the buffers again. False: no memory, pages are the buffers' own. */
static bool copy_blocks(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        void *copy = alloc_page_raw();
        if (copy == NULL) {
            while (i-- > 0) {
                free_page(log.pages[i + 1]);
                log.pages[i + 1] = log.buffers[i]->data;
            }
            return false;
        }
        copy_page(copy, log.buffers[i]->data);
        log.pages[i + 1] = copy;
    }
    return true;
}

/* The descriptor's checksums; call when pages[] will not change any more. */
static void finish_group(uint32_t count, uint64_t sequence)
{
    struct log_group *group = log.group;
    group->magic = LOG_GROUP_MAGIC;
    group->count = count;
    group->sequence = sequence;
    group->last = 1;
    group->body_checksum = 0;
    for (uint32_t i = 0; i < count; i++)
        group->body_checksum = crc32(group->body_checksum, log.pages[i + 1], FS_BLOCK_SIZE);
    memset(&group->home[count], 0, (LOG_GROUP_MAX - count) * sizeof(group->home[0]));
    group->checksum = crc32(0, group, offsetof(struct log_group, checksum));
    log.pages[0] = group;
}

/* Write pages[0 .. count] at the head of the ring, around its end if need be. io_lock held. */
static int write_ring(uint32_t nblocks)
{
    uint32_t until_end = MIN(nblocks, log.at.ring - log.at.head);
    int err = cache_write_pages_locked(log.at.start + 1 + log.at.head, log.pages, until_end);
    if (err == 0 && nblocks > until_end)
        err = cache_write_pages_locked(log.at.start + 1, log.pages + until_end, nblocks - until_end);
    return err;
}

/* Rule 1, then the log, then a flush. */
static int write_transaction(uint32_t count, uint64_t stamp)
{
    int err = 0;
    sleep_acquire(&io_lock);
    int data_error = cache_write_back_locked(stamp, UINT32_MAX);
    if (count > 0) {
        if (count + 1 > log.at.ring - log.used)
            err = -EIO;                 /* only after failures: a checkpoint must come first */
        else if (cache_unflushed())
            err = cache_flush_locked();
        if (err == 0)
            err = write_ring(count + 1);
    }
    if (err == 0)
        err = cache_flush_locked();
    sleep_release(&io_lock);
    return err < 0 ? err : data_error == 0 ? 0 : 1;
}

/* The transaction is on the disk: its buffers wait for the checkpoint. fs_lock held. */
static void transaction_done(uint32_t count, uint64_t sequence)
{
    if (count == 0)
        return;
    for (uint32_t i = 0; i < count; i++) {
        struct buffer *b = log.buffers[i];
        list_remove(&b->checkpoint_link);
        b->flags = (b->flags & ~B_COMMITTING) | B_LOGGED;
        b->log_sequence = sequence;
        b->log_start = log.at.head;
        list_push_back(&log.checkpoint, &b->checkpoint_link);
    }
    log.at.head = (log.at.head + count + 1) % log.at.ring;
    log.used += count + 1;
}

/* It is not: everything joins the running transaction, under the same number. fs_lock held. */
static void transaction_failed(uint32_t count, uint64_t sequence)
{
    for (uint32_t i = 0; i < count; i++) {
        struct buffer *b = log.buffers[i];
        b->flags &= ~B_COMMITTING;
        if (!(b->flags & B_RUNNING))
            add_running(b);
    }
    log.at.sequence = sequence;
}

static int commit_locked(void)
{
    freeze();
    uint32_t count = close_transaction();
    uint64_t sequence = log.at.sequence, stamp = cache_stamp();
    if (count > 0)
        log.at.sequence++;
    release(&fs_lock);
    cache_keep_until(stamp);
    bool copied = copy_blocks(count);
    if (copied)
        thaw();
    if (count > 0)
        finish_group(count, sequence);
    int err = write_transaction(count, stamp);
    cache_keep_until(0);

    acquire(&fs_lock);
    if (err < 0 && !log.failed)
        printk("fs: the log could not be written, changes stay in memory\n");
    log.failed = err < 0;
    if (err >= 0)
        transaction_done(count, sequence);
    else
        transaction_failed(count, sequence);
    release(&fs_lock);
    for (uint32_t i = 0; i < count && copied; i++)
        free_page(log.pages[i + 1]);
    if (!copied)
        thaw();
    return err;
}

int log_commit(void)
{
    uint64_t wanted = log.at.sequence;
    bool empty = log.running_count == 0;
    sleep_acquire(&log.commit_lock);
    /* Whoever closed the transaction we wanted also wrote the data that was dirty then: ours. */
    int err = empty || log.at.sequence == wanted ? commit_locked() : 0;
    sleep_release(&log.commit_lock);
    return err < 0 ? err : 0;
}

/* ---- Checkpoint. commit_lock held. */

/* Committed buffers the running transaction has not changed since, oldest first, marked as being written. */
static uint32_t take_committed(void)
{
    struct buffer *b;
    uint32_t count = 0;
    acquire(&fs_lock);
    list_for_each(b, &log.checkpoint, checkpoint_link) {
        if (b->flags & (B_RUNNING | B_WRITING | B_FAILED))
            continue;
        b->flags |= B_WRITING;
        log.buffers[count++] = b;
        if (count == BLOCKS_MAX)
            break;
    }
    release(&fs_lock);
    return count;
}

/* After the flush: what was written leaves the log. */
static void leave_log(uint32_t count, bool flushed)
{
    acquire(&fs_lock);
    for (uint32_t i = 0; i < count; i++) {
        struct buffer *b = log.buffers[i];
        if ((b->flags & B_FAILED) || !flushed)
            continue;
        b->flags &= ~B_LOGGED;
        list_remove(&b->checkpoint_link);
        cache_settle(b);
    }
    release(&fs_lock);
}

static void forget_failures(void)
{
    struct buffer *b;
    acquire(&fs_lock);
    list_for_each(b, &log.checkpoint, checkpoint_link)
        b->flags &= ~B_FAILED;
    release(&fs_lock);
}

/* Let the header say where the oldest transaction begins that is still needed. io_lock held. */
static int move_tail(void)
{
    struct log_header *header = (struct log_header *)log.header;
    void *page = header;
    acquire(&fs_lock);
    struct buffer *oldest = list_first(&log.checkpoint, struct buffer, checkpoint_link);
    header->magic = LOG_HEADER_MAGIC;
    header->tail = oldest != NULL ? oldest->log_start : log.at.head;
    header->sequence = oldest != NULL ? oldest->log_sequence : log.at.sequence;
    header->checksum = crc32(0, header, offsetof(struct log_header, checksum));
    release(&fs_lock);
    if (header->sequence == log.tail_sequence)
        return 0;
    int err = cache_write_pages_locked(log.at.start, &page, 1);
    if (err == 0)
        err = cache_flush_locked();
    if (err < 0) {
        printk("fs: the log's header could not be written, the log keeps what it holds\n");
        return err;
    }
    acquire(&fs_lock);
    log.tail = header->tail;
    log.tail_sequence = header->sequence;
    log.used = (log.at.head + log.at.ring - log.tail) % log.at.ring;
    if (oldest != NULL && log.used == 0)
        log.used = log.at.ring;
    release(&fs_lock);
    return 0;
}

static int checkpoint_locked(void)
{
    int error = 0;
    uint32_t count;
    sleep_acquire(&io_lock);
    while ((count = take_committed()) > 0) {
        int err = cache_write_home_locked(log.buffers, count);
        int flush_error = cache_flush_locked();
        leave_log(count, flush_error == 0);
        if (err < 0)
            error = err;
        if (flush_error < 0) {
            error = flush_error;
            break;
        }
    }
    if (error < 0)
        printk("fs: some blocks could not be written home, the log keeps them\n");
    forget_failures();
    int err = move_tail();
    sleep_release(&io_lock);
    return error < 0 ? error : err;
}

int log_checkpoint(void)
{
    sleep_acquire(&log.commit_lock);
    int err = commit_locked();
    if (err >= 0)
        err = checkpoint_locked();
    sleep_release(&log.commit_lock);
    return err < 0 ? err : 0;
}

void log_relieve(void)
{
    if (!sleep_try_acquire(&log.commit_lock))
        return;                         /* a commit may wait for the caller's operation */
    (void)checkpoint_locked();
    sleep_release(&log.commit_lock);
}

/* Commit, and checkpoint if the ring is short, until an operation of this size fits. */
static int make_room(uint32_t credits)
{
    int err = 0;
    sleep_acquire(&log.commit_lock);
    acquire(&fs_lock);
    bool enough = !log.failed && fits(credits);
    bool ring_short = 2 * (TRANSACTION_MAX / 2 + 1) > log.at.ring - log.used
                      || 2 * (credits + 1) > log.at.ring - log.used;
    release(&fs_lock);
    if (!enough) {
        err = commit_locked();
        if (err < 0 ? log.used > 0 : ring_short) {
            int checkpoint_error = checkpoint_locked();
            if (err < 0 && checkpoint_error == 0)
                err = commit_locked();
            else if (err >= 0)
                err = checkpoint_error;
        }
    }
    sleep_release(&log.commit_lock);
    return err < 0 ? err : 0;
}
