/*
 * cache.c -- the block cache: finds blocks in memory, reads them, reads ahead, writes dirty file data in large requests.
 *
 * Owns:     every buffer and its frame; the dirty list; the pool of write transfers.
 * Locks:    fs_lock (spin) for all state of buffers; io_lock (sleep) for who writes. Requests are submitted without
 *           fs_lock, since a driver may complete them at once.
 * Bounded:  by memory only. alloc_page() takes clean buffers through cache_shrink(). Dirty buffers are limited to a share
 *           of memory: writers wait. Writing needs no memory: transfers and the batch are there from the start.
 * Not here: what a block means (inode.c, dir.c, alloc.c), order between blocks (log.c).
 */
#include "fs/cache.h"
#include "fs/log.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/kalloc.h"
#include "mm/slab.h"
#include "sched/sched.h"
#include "sched/sleeplock.h"

#define WRITE_TRANSFERS 8               /* requests in flight while writing */
#define AHEAD_TRANSFERS 16              /* requests in flight that read ahead: who finds none free does without */
#define HASH_PAGE (PAGE_SIZE / sizeof(struct buffer *))
#define SPARE_MAX 64                    /* descriptors kept for the next buffers */

/* One request and what it carries. */
struct transfer {
    struct block_request request;
    struct buffer *buffers[BLOCK_SEGMENTS_MAX];     /* NULL: plain pages */
    void          *pages[BLOCK_SEGMENTS_MAX];
    bool           busy;
};

struct spinlock  fs_lock = SPINLOCK_INIT("fs", RANK_FS);
struct sleeplock io_lock;

static struct slab_cache buffer_slab = SLAB_CACHE("buffer", struct buffer);

static struct {
    struct block_device *device;
    struct buffer ***hash;              /* a page of pages of chains */
    uint32_t    hash_mask;
    struct list lru;                    /* oldest first */
    size_t      lru_count;
    struct list dirty;                  /* oldest first */
    size_t      dirty_count;
    size_t      dirty_high, dirty_low;  /* writers wait above high; the flusher starts above low */
    uint64_t    stamp;                  /* last dirty_stamp given out */
    uint64_t    keep_until;
    struct list spare;                  /* descriptors without a frame, by link */
    size_t      spare_count;
    uint64_t    writes_started, writes_flushed;     /* does the device hold unflushed writes? */
    bool        write_errors;           /* data could not be written: not yet reported by sync */
    bool        writes_fail;            /* the last round of data writing failed */
    uint32_t    in_flight;              /* of the pool */
    int         pool_error;             /* of plain pages in flight */
    void      (*error_hook)(uint32_t owner);
} cache;

static struct transfer pool[WRITE_TRANSFERS];       /* io_lock; busy and in_flight: fs_lock */
static struct transfer ahead[AHEAD_TRANSFERS];      /* whose busy says so; busy: fs_lock */
static struct buffer **batch;                       /* io_lock; CACHE_BATCH entries */

static size_t cache_shrink(size_t nframes);
static size_t cache_reclaimable(void);

int cache_init(struct block_device *device)
{
    uint32_t pages = 1;
    memset(&cache, 0, sizeof(cache));
    while (pages < HASH_PAGE && pages * HASH_PAGE < frames_total() / 2)
        pages *= 2;
    cache.hash = alloc_page();
    batch = alloc_page();
    if (cache.hash == NULL || batch == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < pages; i++)
        if ((cache.hash[i] = alloc_page()) == NULL)
            return -ENOMEM;
    cache.hash_mask = pages * (uint32_t)HASH_PAGE - 1;
    cache.device = device;
    list_init(&cache.lru);
    list_init(&cache.dirty);
    list_init(&cache.spare);
    sleeplock_init(&io_lock, "fs io", RANK_IO);
    cache.dirty_high = MAX(frames_total() / 4, (size_t)128);
    cache.dirty_low = cache.dirty_high / 2;
    kalloc_set_shrinker(cache_shrink, cache_reclaimable);
    return 0;
}

bool cache_read_only(void) { return cache.device->read_only; }

/* ---- Finding buffers. All with fs_lock held. */

static struct buffer **chain_of(uint32_t block)
{
    uint32_t h = (block * 2654435761u) >> 7;
    h = (h ^ (h >> 13)) & cache.hash_mask;
    return &cache.hash[h / HASH_PAGE][h % HASH_PAGE];
}

HOT struct buffer *cache_find(uint32_t block)
{
    struct buffer *b = *chain_of(block);
    while (b != NULL && b->block != block)
        b = b->hash_next;
    return b;
}

static void insert(struct buffer *b)
{
    struct buffer **chain = chain_of(b->block);
    b->hash_next = *chain;
    *chain = b;
}

static void unhash(struct buffer *b)
{
    struct buffer **at = chain_of(b->block);
    while (*at != b)
        at = &(*at)->hash_next;
    *at = b->hash_next;
}

static void reference(struct buffer *b)
{
    b->refs++;
    if (b->flags & B_LRU) {
        b->flags &= ~B_LRU;
        list_remove(&b->link);
        cache.lru_count--;
    }
}

/* The frame and the descriptor go. fs_lock held. Some descriptors are kept: a shortage must not lack one for its last frame. */
static void discard(struct buffer *b)
{
    free_page(b->data);
    if (cache.spare_count == SPARE_MAX) {
        slab_free(&buffer_slab, b);
        return;
    }
    list_push_back(&cache.spare, &b->link);
    cache.spare_count++;
}

void cache_settle(struct buffer *b)
{
    if (b->refs != 0 || (b->flags & (B_READING | B_WRITING | B_DIRTY | B_IN_LOG | B_LRU)))
        return;
    if (!(b->flags & B_VALID)) {
        unhash(b);
        discard(b);
        return;
    }
    b->flags |= B_LRU;
    list_push_back(&cache.lru, &b->link);
    cache.lru_count++;
}

/* ---- Memory */

static size_t cache_reclaimable(void)
{
    return __atomic_load_n(&cache.lru_count, __ATOMIC_RELAXED);
}

size_t cache_index_frames(void) { return __atomic_load_n(&buffer_slab.slabs, __ATOMIC_RELAXED); }

static size_t cache_shrink(size_t nframes)
{
    size_t freed = 0;
    acquire(&fs_lock);
    while (freed < nframes && !list_empty(&cache.lru)) {
        struct buffer *b = list_first(&cache.lru, struct buffer, link);
        b->flags &= ~B_LRU;
        list_remove(&b->link);
        cache.lru_count--;
        unhash(b);
        discard(b);
        freed++;
    }
    release(&fs_lock);
    return freed;
}

/* A descriptor from the spares, or NULL. fs_lock held. */
static struct buffer *take_spare(void)
{
    struct buffer *b = list_first(&cache.spare, struct buffer, link);
    if (b != NULL) {
        list_remove(&b->link);
        cache.spare_count--;
    }
    return b;
}

/* A buffer that is in no list and no chain yet, with a frame of unknown contents. */
static struct buffer *buffer_alloc(uint32_t block)
{
    void *frame = alloc_user_page_raw(false);
    if (frame == NULL)
        return NULL;
    acquire(&fs_lock);
    struct buffer *b = take_spare();
    release(&fs_lock);
    if (b == NULL && (b = slab_alloc(&buffer_slab)) == NULL) {
        free_page(frame);
        return NULL;
    }
    memset(b, 0, sizeof(*b));
    b->block = block;
    b->data = frame;
    list_init(&b->link);
    list_init(&b->running_link);
    list_init(&b->checkpoint_link);
    return b;
}

bool cache_make_memory(void)
{
    size_t before = cache_reclaimable();
    if (cache_dirty_count() > 0)
        (void)cache_write_back(~(uint64_t)0, CACHE_BATCH);
    if (cache_reclaimable() <= before)
        log_relieve();
    return cache_reclaimable() > 0;
}

static struct buffer *buffer_alloc_hard(uint32_t block)
{
    struct buffer *b = buffer_alloc(block);
    for (int tries = 0; b == NULL && tries < 4 && cache_make_memory(); tries++)
        b = buffer_alloc(block);
    return b;
}

/* ---- Reading */

/* The block's buffer, referenced; made if it is not here, then without B_VALID. */
static int find_or_add(uint32_t block, struct buffer **out)
{
    acquire(&fs_lock);
    struct buffer *b = cache_find(block);
    if (LIKELY(b != NULL)) {
        reference(b);
        release(&fs_lock);
        *out = b;
        return 0;
    }
    release(&fs_lock);
    struct buffer *fresh = buffer_alloc_hard(block);
    if (fresh == NULL)
        return -ENOMEM;
    acquire(&fs_lock);
    if ((b = cache_find(block)) == NULL) {
        insert(fresh);
        b = fresh;
    } else {
        discard(fresh);
    }
    reference(b);
    release(&fs_lock);
    *out = b;
    return 0;
}

static void reading_done(struct buffer *b, int error)       /* fs_lock held */
{
    b->flags &= ~B_READING;
    if (error == 0)                     /* after the contents: cache_read() looks without the lock */
        __atomic_fetch_or(&b->flags, B_VALID, __ATOMIC_RELEASE);
    wakeup(b);
    cache_settle(b);
}

/* Fill a referenced buffer that is not valid: read it, or wait for who does. */
static int fill(struct buffer *b)
{
    int error = 0;
    acquire(&fs_lock);
    while (!(b->flags & B_VALID) && error == 0) {
        if (b->flags & B_READING) {
            suspend(b, &fs_lock, WAIT_FIRM);
            continue;
        }
        b->flags |= B_READING;
        release(&fs_lock);
        struct block_request r = { .op = BLOCK_READ, .block = b->block, .count = 1, .pages = &b->data };
        error = block_wait(cache.device, &r);
        acquire(&fs_lock);
        reading_done(b, error);
    }
    release(&fs_lock);
    return error;
}

HOT int cache_read(uint32_t block, struct buffer **out)
{
    if (UNLIKELY(block >= cache.device->blocks)) {
        printk("fs: block %u is beyond the end of the disk\n", block);
        return -EIO;
    }
    struct buffer *b;
    int err = find_or_add(block, &b);
    if (UNLIKELY(err < 0))
        return err;
    bool valid = (__atomic_load_n(&b->flags, __ATOMIC_ACQUIRE) & B_VALID) != 0;
    if (UNLIKELY(!valid) && (err = fill(b)) < 0) {
        printk("fs: cannot read block %u\n", block);
        cache_put(b);
        return err;
    }
    *out = b;
    return 0;
}

int cache_new(uint32_t block, bool zero, struct buffer **out)
{
    struct buffer *b;
    int err = find_or_add(block, &b);
    if (err < 0)
        return err;
    acquire(&fs_lock);
    while (b->flags & B_READING)        /* read ahead, before it was freed */
        suspend(b, &fs_lock, WAIT_FIRM);
    b->flags |= B_VALID;
    release(&fs_lock);
    if (zero)
        clear_page(b->data);
    *out = b;
    return 0;
}

HOT void cache_put(struct buffer *b)
{
    if (b == NULL)
        return;
    acquire(&fs_lock);
    DASSERT(b->refs > 0);
    b->refs--;
    cache_settle(b);
    release(&fs_lock);
}

static void read_ahead_done(struct block_request *r)
{
    struct transfer *t = container_of(r, struct transfer, request);
    acquire(&fs_lock);
    for (uint32_t i = 0; i < r->count; i++)
        reading_done(t->buffers[i], r->error);
    t->busy = false;
    release(&fs_lock);
}

/* A transfer to read ahead from this block, now ours; NULL: the block is here, or enough is under way. */
static struct transfer *take_ahead(uint32_t block)
{
    struct transfer *found = NULL;
    acquire(&fs_lock);
    if (cache_find(block) == NULL)
        for (struct transfer *t = ahead; found == NULL && t < ahead + AHEAD_TRANSFERS; t++)
            if (!t->busy)
                found = t;
    if (found != NULL)
        found->busy = true;
    release(&fs_lock);
    return found;
}

/* A buffer for a block that is not here, marked as being read; NULL: it is here, or no memory. */
static struct buffer *add_for_reading(uint32_t block)
{
    acquire(&fs_lock);
    bool here = cache_find(block) != NULL;
    release(&fs_lock);
    struct buffer *b = here ? NULL : buffer_alloc(block);
    if (b == NULL)
        return NULL;
    acquire(&fs_lock);
    if (cache_find(block) != NULL) {
        discard(b);
        b = NULL;
    } else {
        b->flags = B_READING;
        insert(b);
    }
    release(&fs_lock);
    return b;
}

void cache_read_ahead(uint32_t block, uint32_t count)
{
    if (block >= cache.device->blocks)
        return;
    count = MIN(MIN(count, BLOCK_SEGMENTS_MAX), cache.device->blocks - block);
    struct transfer *t = take_ahead(block);
    if (t == NULL)
        return;
    uint32_t n = 0;
    while (n < count && (t->buffers[n] = add_for_reading(block + n)) != NULL) {
        t->pages[n] = t->buffers[n]->data;
        n++;
    }
    if (n == 0) {
        acquire(&fs_lock);
        t->busy = false;
        release(&fs_lock);
        return;
    }
    t->request = (struct block_request){ .op = BLOCK_READ, .block = block, .count = n, .pages = t->pages,
                                         .done = read_ahead_done };
    cache.device->submit(cache.device, &t->request);
}

/* ---- Dirty data */

void cache_dirty(struct buffer *b, uint32_t owner)
{
    acquire(&fs_lock);
    b->owner = owner;
    if (!(b->flags & B_DIRTY)) {
        DASSERT(!(b->flags & B_IN_LOG) && b->refs > 0);
        b->flags |= B_DIRTY;
        b->dirty_stamp = ++cache.stamp;
        list_push_back(&cache.dirty, &b->link);
        if (cache.dirty_count++ == 0)
            log_note_busy();
    }
    release(&fs_lock);
}

void cache_clean(struct buffer *b)
{
    b->flags &= ~B_DIRTY;
    list_remove(&b->link);
    cache.dirty_count--;
}

void cache_forget(uint32_t block)
{
    acquire(&fs_lock);
    struct buffer *b = cache_find(block);
    if (b != NULL && (b->flags & B_DIRTY) && b->dirty_stamp > cache.keep_until) {
        cache_clean(b);
        cache_settle(b);
    }
    release(&fs_lock);
}

int cache_throttle(void)
{
    if (UNLIKELY(!commit_spares_a_frame()) && cache.dirty_count > 0)
        (void)cache_write_back(~(uint64_t)0, CACHE_BATCH);      /* dirty pages do not back promises, clean ones do */
    while (UNLIKELY(cache.dirty_count > cache.dirty_high)) {
        if (current()->killed)
            return -EINTR;
        if (cache_write_back(~(uint64_t)0, CACHE_BATCH) < 0)
            return -EIO;
    }
    return 0;
}

size_t cache_dirty_count(void)       { return __atomic_load_n(&cache.dirty_count, __ATOMIC_RELAXED); }
bool cache_wants_flush(void)         { return cache_dirty_count() > cache.dirty_low && !cache.writes_fail; }
void cache_set_error_hook(void (*hook)(uint32_t owner)) { cache.error_hook = hook; }

uint64_t cache_stamp(void)
{
    return cache.stamp;
}

void cache_keep_until(uint64_t stamp)
{
    acquire(&fs_lock);
    cache.keep_until = stamp;
    release(&fs_lock);
}

int cache_take_errors(void)
{
    acquire(&fs_lock);
    bool failed = cache.write_errors;
    cache.write_errors = false;
    release(&fs_lock);
    return failed ? -EIO : 0;
}

/* ---- Writing. io_lock held by the caller throughout. */

static void write_done(struct block_request *r)
{
    struct transfer *t = container_of(r, struct transfer, request);
    acquire(&fs_lock);
    for (uint32_t i = 0; i < r->count; i++) {
        struct buffer *b = t->buffers[i];
        if (b == NULL)
            continue;
        b->flags &= ~B_WRITING;
        if (r->error != 0)
            b->flags |= B_FAILED;
        wakeup(b);
    }
    if (r->error != 0)
        cache.pool_error = -EIO;
    t->busy = false;
    cache.in_flight--;
    wakeup(&cache.in_flight);
    release(&fs_lock);
}

/* A transfer that is not in flight, after waiting for one if need be; now ours. */
static struct transfer *take_transfer(void)
{
    struct transfer *t = pool;
    acquire(&fs_lock);
    while (cache.in_flight == WRITE_TRANSFERS)
        suspend(&cache.in_flight, &fs_lock, WAIT_FIRM);
    while (t->busy)
        t++;
    t->busy = true;
    cache.in_flight++;
    release(&fs_lock);
    return t;
}

static void submit_write(struct transfer *t, uint32_t block, uint32_t count)
{
    t->request = (struct block_request){ .op = BLOCK_WRITE, .block = block, .count = count, .pages = t->pages,
                                         .done = write_done };
    cache.writes_started++;
    cache.device->submit(cache.device, &t->request);
}

/* Wait for everything in flight; 0 or -EIO. */
static int drain_writes(void)
{
    acquire(&fs_lock);
    while (cache.in_flight > 0)
        suspend(&cache.in_flight, &fs_lock, WAIT_FIRM);
    int error = cache.pool_error;
    cache.pool_error = 0;
    release(&fs_lock);
    return error;
}

int cache_write_pages_locked(uint32_t block, void **pages, uint32_t count)
{
    while (count > 0) {
        uint32_t n = MIN(count, BLOCK_SEGMENTS_MAX);
        struct transfer *t = take_transfer();
        for (uint32_t i = 0; i < n; i++) {
            t->buffers[i] = NULL;
            t->pages[i] = pages[i];
        }
        submit_write(t, block, n);
        block += n;
        pages += n;
        count -= n;
    }
    return drain_writes();
}

/* By block number. Mostly sorted already, since files are written from start to end. */
static void sort(struct buffer **buffers, uint32_t count)
{
    for (uint32_t gap = count > 16 ? 40 : 1; gap > 0; gap = gap == 40 ? 13 : gap == 13 ? 4 : gap == 4 ? 1 : 0)
        for (uint32_t i = gap; i < count; i++) {
            struct buffer *b = buffers[i];
            uint32_t at = i;
            for (; at >= gap && buffers[at - gap]->block > b->block; at -= gap)
                buffers[at] = buffers[at - gap];
            buffers[at] = b;
        }
}

int cache_write_home_locked(struct buffer **buffers, uint32_t count)
{
    sort(buffers, count);
    for (uint32_t done = 0; done < count; ) {
        struct transfer *t = take_transfer();
        uint32_t first = buffers[done]->block, n = 0;
        while (done + n < count && n < BLOCK_SEGMENTS_MAX && buffers[done + n]->block == first + n) {
            t->buffers[n] = buffers[done + n];
            t->pages[n] = buffers[done + n]->data;
            n++;
        }
        submit_write(t, first, n);
        done += n;
    }
    return drain_writes();
}

/* Move up to `max` dirty buffers, oldest first, to the batch, as being written. */
static uint32_t take_dirty(uint64_t stamp, uint32_t max)
{
    uint32_t count = 0;
    acquire(&fs_lock);
    while (count < max && !list_empty(&cache.dirty)) {
        struct buffer *b = list_first(&cache.dirty, struct buffer, link);
        if (b->dirty_stamp > stamp)
            break;
        cache_clean(b);
        b->flags = (b->flags | B_WRITING) & ~B_FAILED;
        b->refs++;
        batch[count++] = b;
    }
    release(&fs_lock);
    return count;
}

/* After a round: what failed is dirty again, its owner is told; the rest is clean. */
static void finish_dirty(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct buffer *b = batch[i];
        acquire(&fs_lock);
        bool failed = (b->flags & B_FAILED) != 0;
        if (failed && !(b->flags & (B_DIRTY | B_IN_LOG))) {
            b->flags |= B_DIRTY;
            b->dirty_stamp = ++cache.stamp;
            list_push_back(&cache.dirty, &b->link);
            cache.dirty_count++;
        }
        b->flags &= ~B_FAILED;
        uint32_t owner = b->owner;
        b->refs--;
        cache_settle(b);                /* from here on b may be another's */
        release(&fs_lock);
        if (failed && cache.error_hook != NULL)
            cache.error_hook(owner);
    }
}

int cache_write_back_locked(uint64_t stamp, uint32_t max)
{
    int error = 0;
    if (stamp > cache.stamp)
        stamp = cache.stamp;            /* what fails or is dirtied meanwhile is for the next time */
    while (max > 0) {
        uint32_t count = take_dirty(stamp, MIN(max, CACHE_BATCH));
        if (count == 0)
            break;
        int err = cache_write_home_locked(batch, count);
        finish_dirty(count);
        if (err < 0)
            error = err;
        max -= count;
    }
    if (error < 0) {
        if (!cache.writes_fail)
            printk("fs: file data could not be written, it stays in memory\n");
        cache.write_errors = true;
    }
    cache.writes_fail = error < 0;
    return error;
}

int cache_write_back(uint64_t stamp, uint32_t max)
{
    sleep_acquire(&io_lock);
    int err = cache_write_back_locked(stamp, max);
    sleep_release(&io_lock);
    return err;
}

bool cache_unflushed(void)
{
    return cache.writes_started != cache.writes_flushed;
}

int cache_flush_locked(void)
{
    uint64_t covered = cache.writes_started;
    if (covered == cache.writes_flushed)
        return 0;
    struct block_request r = { .op = BLOCK_FLUSH };
    int err = block_wait(cache.device, &r);
    if (err == 0)
        cache.writes_flushed = covered;
    return err;
}
