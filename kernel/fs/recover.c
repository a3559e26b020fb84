/*
 * recover.c -- after a crash: replays the log's committed transactions to their home blocks, then empties the log.
 *
 * Owns:     nothing that outlives it. It runs before the cache holds any block, and talks to the disk directly.
 * Rule:     a transaction is replayed only when every group of it is proved whole by its checksums and its last group is
 *           there; the first that is not ends the log. Replaying twice does no harm, so a crash in here does none.
 * Not here: writing the log (log.c).
 */
#include "abi/fsformat.h"
#include "fs/log.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"

#define BODY_PAGES 16u                  /* blocks of a group's body read at a time */

struct recovery {                       /* in a frame of its own: kernel stacks are small */
    struct block_device *device;
    const struct superblock *super;
    struct log_place place;
    uint32_t replayed, transactions;
    struct log_group *group;
    void *body[BODY_PAGES];
};

static int transfer(struct recovery *r, enum block_op op, uint32_t block, void **pages, uint32_t count)
{
    struct block_request request = { .op = op, .block = block, .count = count, .pages = pages };
    return block_wait(r->device, &request);
}

/* Read `count` ring blocks from index `at` on, around the end of the ring. */
static int read_ring(struct recovery *r, uint32_t at, void **pages, uint32_t count)
{
    at %= r->place.ring;
    uint32_t until_end = MIN(count, r->place.ring - at);
    int err = transfer(r, BLOCK_READ, r->place.start + 1 + at, pages, until_end);
    if (err == 0 && count > until_end)
        err = transfer(r, BLOCK_READ, r->place.start + 1, pages + until_end, count - until_end);
    return err;
}

static bool homes_are_sane(const struct recovery *r)
{
    for (uint32_t i = 0; i < r->group->count; i++)
        if (r->group->home[i] < r->super->imap_start || r->group->home[i] >= r->super->blocks)
            return false;
    return true;
}

/* Read the descriptor at ring index `at`, `used` blocks after the tail. 1: belongs to transaction `sequence`; 0: no. */
static int read_group(struct recovery *r, uint32_t at, uint32_t used, uint64_t sequence)
{
    void *page = r->group;
    int err = read_ring(r, at, &page, 1);
    if (err < 0)
        return err;
    const struct log_group *g = r->group;
    return g->magic == LOG_GROUP_MAGIC && g->sequence == sequence && g->count >= 1 && g->count <= LOG_GROUP_MAX
           && used + 1 + g->count <= r->place.ring
           && g->checksum == crc32(0, g, offsetof(struct log_group, checksum)) && homes_are_sane(r);
}

static int write_homes(struct recovery *r, uint32_t first, uint32_t count)
{
    for (uint32_t done = 0, n; done < count; done += n) {
        uint32_t home = r->group->home[first + done];
        for (n = 1; done + n < count && r->group->home[first + done + n] == home + n; n++)
            ;
        int err = transfer(r, BLOCK_WRITE, home, r->body + done, n);
        if (err < 0)
            return err;
    }
    return 0;
}

/* The body of the group whose descriptor is at ring index `at`: compute its checksum, or write it home. */
static int walk_body(struct recovery *r, uint32_t at, bool replay, uint32_t *checksum)
{
    *checksum = 0;
    for (uint32_t done = 0; done < r->group->count; ) {
        uint32_t n = MIN(BODY_PAGES, r->group->count - done);
        int err = read_ring(r, at + 1 + done, r->body, n);
        if (err == 0 && replay)
            err = write_homes(r, done, n);
        if (err < 0)
            return err;
        for (uint32_t i = 0; i < n; i++)
            *checksum = crc32(*checksum, r->body[i], FS_BLOCK_SIZE);
        done += n;
    }
    return 0;
}

/* Walk the groups of one transaction from the head: check them, or replay them. Returns its length in blocks, 0 if it is
 * not whole, or -errno. */
static int walk_transaction(struct recovery *r, uint32_t used, bool replay)
{
    uint32_t length = 0, checksum;
    for (;;) {
        int good = read_group(r, r->place.head + length, used + length, r->place.sequence);
        if (good <= 0)
            return good;
        int err = walk_body(r, r->place.head + length, replay, &checksum);
        if (err < 0)
            return err;
        if (checksum != r->group->body_checksum)
            return 0;
        length += 1 + r->group->count;
        r->replayed += replay ? r->group->count : 0;
        if (r->group->last)
            return (int)length;
    }
}

static int replay_all(struct recovery *r)
{
    uint32_t used = 0;
    for (;;) {
        int length = walk_transaction(r, used, false);
        if (length <= 0)
            return length;
        if ((length = walk_transaction(r, used, true)) <= 0)
            return length < 0 ? length : -EIO;
        used += (uint32_t)length;
        r->place.head = (r->place.head + (uint32_t)length) % r->place.ring;
        r->place.sequence++;
        r->transactions++;
    }
}

static int read_header(struct recovery *r)
{
    void *page = r->group;              /* any frame will do */
    const struct log_header *h = page;
    int err = transfer(r, BLOCK_READ, r->place.start, &page, 1);
    if (err < 0)
        return err;
    if (h->magic != LOG_HEADER_MAGIC || h->tail >= r->place.ring
        || h->checksum != crc32(0, h, offsetof(struct log_header, checksum))) {
        printk("fs: the log's header is not valid\n");
        return -EINVAL;
    }
    r->place.head = h->tail;
    r->place.sequence = h->sequence;
    return 0;
}

/* Homes, flush, header, flush: the log is empty. The next sequence number skips all that may lie torn in the ring. */
static int finish(struct recovery *r)
{
    r->place.sequence += r->place.ring + 1;
    struct block_request flush = { .op = BLOCK_FLUSH };
    int err = block_wait(r->device, &flush);
    if (err < 0)
        return err;
    void *page = r->group;
    struct log_header *h = page;
    memset(page, 0, PAGE_SIZE);
    h->magic = LOG_HEADER_MAGIC;
    h->tail = r->place.head;
    h->sequence = r->place.sequence;
    h->checksum = crc32(0, h, offsetof(struct log_header, checksum));
    if ((err = transfer(r, BLOCK_WRITE, r->place.start, &page, 1)) < 0)
        return err;
    flush = (struct block_request){ .op = BLOCK_FLUSH };
    return block_wait(r->device, &flush);
}

static int recover(struct recovery *r)
{
    int err = (r->group = alloc_page()) != NULL ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < BODY_PAGES && err == 0; i++)
        if ((r->body[i] = alloc_page()) == NULL)
            err = -ENOMEM;
    if (err == 0)
        err = read_header(r);
    if (err == 0)
        err = replay_all(r);
    if (err == 0 && r->transactions > 0)
        err = finish(r);
    if (err == 0 && r->transactions > 0)
        printk("fs: recovered %u transactions, %u blocks\n", r->transactions, r->replayed);
    for (uint32_t i = 0; i < BODY_PAGES && r->body[i] != NULL; i++)
        free_page(r->body[i]);
    if (r->group != NULL)
        free_page(r->group);
    return err;
}

int log_recover(struct block_device *device, const struct superblock *super, struct log_place *place)
{
    struct recovery *r = alloc_page();
    if (r == NULL)
        return -ENOMEM;
    r->device = device;
    r->super = super;
    r->place.start = super->log_start;
    r->place.ring = super->log_blocks - 1;
    int err = recover(r);
    *place = r->place;
    free_page(r);
    return err;
}
