/*
 * inode.c -- inodes in memory and the bytes of files: block map, read, write, truncate, free.
 *
 * Owns:     the inode cache (hash by number; unused ones stay cached, oldest go first).
 * Locks:    inodes.lock (spin) for the hash and reference counts; each inode's sleep lock for its contents. Inode locks
 *           are taken inside operations (log.h) or by readers without one, never before log_begin().
 * Rules:    user memory is faulted in before an operation starts. A block's data is changed under its inode's lock.
 *           A failed call leaves the block map as if the part that failed had not been asked for.
 * Not here: names (dir.c), descriptors and offsets (file.c), free blocks (alloc.c).
 */
#include "fs/alloc.h"
#include "fs/dir.h"
#include "fs/inode.h"
#include "fs/log.h"
#include "fs/super.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "sched/clock.h"
#include "sched/sched.h"

#define SLICE_BLOCKS  64u               /* blocks one operation of a write covers at most */
#define SLICE_RUNS    8u                /* pieces of free space one operation takes at most: bounds the maps it changes */
#define AHEAD_FIRST   4u                /* read-ahead window, in blocks: first, and largest */
#define AHEAD_MAX     BLOCK_SEGMENTS_MAX
#define UNUSED_MIN    64u
#define NUMBER_TRIES  64                /* inodes in use that the map says are free, in a row */
#define SPACE_TRIES   8                 /* others may take what a checkpoint gave */
#define HASH_SIZE     (PAGE_SIZE / sizeof(struct inode *))

static struct slab_cache inode_slab = SLAB_CACHE("inode", struct inode);

static struct {
    struct spinlock lock;
    struct inode  **hash;               /* one page of chains */
    struct list     unused;             /* oldest first */
    size_t          unused_count, unused_max;
    uint32_t        table_start, count;
} inodes = { .lock = SPINLOCK_INIT("inodes", RANK_FS) };

static void note_write_error(uint32_t inum);

int inode_init(const struct superblock *super)
{
    inodes.hash = alloc_page();
    list_init(&inodes.unused);
    inodes.unused_count = 0;
    inodes.unused_max = MAX(UNUSED_MIN, frames_total() / 8);
    inodes.table_start = super->inode_start;
    inodes.count = super->inodes;
    cache_set_error_hook(note_write_error);
    return inodes.hash != NULL ? 0 : -ENOMEM;
}

/* ---- The inode cache */

static struct inode **chain_of(uint32_t inum)
{
    return &inodes.hash[(inum ^ (inum >> 9)) % HASH_SIZE];
}

static struct inode *find(uint32_t inum)        /* inodes.lock held */
{
    struct inode *inode = *chain_of(inum);
    while (inode != NULL && inode->inum != inum)
        inode = inode->hash_next;
    return inode;
}

static void reference(struct inode *inode)      /* inodes.lock held */
{
    if (inode->refs++ == 0) {
        list_remove(&inode->unused);
        inodes.unused_count--;
    }
}

static void unhash(struct inode *inode)         /* inodes.lock held */
{
    struct inode **at = chain_of(inode->inum);
    while (*at != inode)
        at = &(*at)->hash_next;
    *at = inode->hash_next;
}

static struct inode *inode_new(uint32_t inum)
{
    struct inode *inode = slab_alloc(&inode_slab);
    if (inode != NULL) {
        inode->inum = inum;
        inode->refs = 1;
        list_init(&inode->unused);
        sleeplock_init(&inode->lock, "inode", RANK_NONE);       /* order: see inode_lock() in inode.h */
    }
    return inode;
}

struct inode *inode_get(uint32_t inum)
{
    acquire(&inodes.lock);
    struct inode *inode = find(inum), *fresh = NULL;
    if (inode == NULL) {
        release(&inodes.lock);
        if ((fresh = inode_new(inum)) == NULL)
            return NULL;
        acquire(&inodes.lock);
        inode = find(inum);
    }
    if (inode != NULL) {
        reference(inode);
    } else {
        inode = fresh;
        inode->hash_next = *chain_of(inum);
        *chain_of(inum) = inode;
        fresh = NULL;
    }
    release(&inodes.lock);
    if (fresh != NULL)
        slab_free(&inode_slab, fresh);
    return inode;
}

struct inode *inode_hold(struct inode *inode)
{
    acquire(&inodes.lock);
    inode->refs++;
    release(&inodes.lock);
    return inode;
}

static void inode_destroy(struct inode *inode)
{
    dir_index_free(inode);
    slab_free(&inode_slab, inode);
}

/* Take the oldest unused inode out if there are too many. inodes.lock held. */
static struct inode *take_surplus(void)
{
    if (inodes.unused_count <= inodes.unused_max)
        return NULL;
    struct inode *oldest = list_first(&inodes.unused, struct inode, unused);
    list_remove(&oldest->unused);
    inodes.unused_count--;
    unhash(oldest);
    return oldest;
}

/* A file without names and with one reference, ours: free its blocks, then the inode. False: it could not be. */
static bool inode_delete(struct inode *inode)
{
    bool freed = false;
    if (inode_truncate(inode, 0) == 0 && log_begin(INODE_CREDITS) == 0) {
        if (inode_lock(inode) == 0) {
            memset(&inode->disk, 0, sizeof(inode->disk));
            inode_update(inode);
            inode->loaded = false;
            inode_unlock(inode);
            free_inode_number(inode->inum);     /* last: whoever takes it finds the lock free */
            freed = true;
        }
        log_end(INODE_CREDITS);
    }
    if (!freed)
        printk("fs: inode %u could not be freed now, the next mount will\n", inode->inum);
    return freed;
}

void inode_put(struct inode *inode)
{
    struct buffer *table = NULL;
    struct inode *surplus = NULL;
    if (inode == NULL)
        return;
    acquire(&inodes.lock);
    /* Nobody can find it: it stays ours. Once freed, its number may come back for a new file, whose last reference we may
     * then hold, so look again. */
    for (bool freed = true; freed && inode->refs == 1 && inode->loaded && inode->disk.nlink == 0; ) {
        release(&inodes.lock);
        freed = inode_delete(inode);
        acquire(&inodes.lock);
    }
    if (--inode->refs == 0) {
        table = inode->table;
        inode->table = NULL;
        if (inode->loaded && inode->disk.nlink > 0) {
            list_push_back(&inodes.unused, &inode->unused);
            inodes.unused_count++;
            surplus = take_surplus();
        } else {
            unhash(inode);
            surplus = inode;
        }
    }
    release(&inodes.lock);
    cache_put(table);
    if (surplus != NULL)
        inode_destroy(surplus);
}

static void note_write_error(uint32_t inum)
{
    acquire(&inodes.lock);
    struct inode *inode = find(inum);
    if (inode != NULL)
        inode->write_error = true;
    release(&inodes.lock);
}

int inode_sync_error(struct inode *inode)
{
    acquire(&inodes.lock);
    bool failed = inode->write_error;
    inode->write_error = false;
    release(&inodes.lock);
    return failed ? -EIO : 0;
}

/* ---- Loading, storing */

static struct disk_inode *in_table(struct inode *inode)
{
    return (struct disk_inode *)inode->table->data + inode->inum % INODES_PER_BLOCK;
}

static int inode_load(struct inode *inode)
{
    int err = 0;
    if (inode->table == NULL)
        err = cache_read(inodes.table_start + inode->inum / INODES_PER_BLOCK, &inode->table);
    if (err < 0 || inode->loaded)
        return err;
    inode->disk = *in_table(inode);
    inode->run.count = 0;
    memset(&inode->ahead, 0, sizeof(inode->ahead));
    if (inode->disk.type < T_DIR || inode->disk.type > T_SYMLINK || inode->disk.size > FS_MAX_BLOCKS * FS_BLOCK_SIZE) {
        DAMAGE("inode %u is not valid (type %u)", inode->inum, inode->disk.type);
        return -EIO;
    }
    __atomic_store_n(&inode->loaded, true, __ATOMIC_RELEASE);      /* inode_type() looks without the lock */
    return 0;
}

HOT int inode_lock(struct inode *inode)
{
    sleep_acquire(&inode->lock);
    if (LIKELY(inode->loaded && inode->table != NULL))
        return 0;
    int err = inode->inum < inodes.count ? inode_load(inode) : -EIO;
    if (err < 0)
        sleep_release(&inode->lock);
    return err;
}

HOT void inode_unlock(struct inode *inode)
{
    sleep_release(&inode->lock);
}

void inode_update(struct inode *inode)
{
    log_modify(inode->table);
    *in_table(inode) = inode->disk;
}

/* Lock a new number's inode and read its place in the table. -EEXIST: the number is in use although the map said it was
 * free (a damaged disk): it is not even locked then, as our caller may be who holds it. */
static int claim(struct inode *inode)
{
    int err = 0;
    if (!sleep_try_acquire(&inode->lock))
        return -EEXIST;
    if (inode->table == NULL)
        err = cache_read(inodes.table_start + inode->inum / INODES_PER_BLOCK, &inode->table);
    if (err == 0 && in_table(inode)->type != 0)
        err = -EEXIST;
    if (err < 0)
        sleep_release(&inode->lock);
    return err;
}

/* A free number and its inode, locked. A number that is in use stays marked so. */
static int take_number(struct inode **out)
{
    for (unsigned tries = 0; tries < NUMBER_TRIES; tries++) {
        uint32_t inum;
        int err = alloc_inode_number(&inum);
        if (err < 0)
            return err;
        struct inode *inode = inode_get(inum);
        err = inode == NULL ? -ENOMEM : claim(inode);
        if (err == 0) {
            *out = inode;
            return 0;
        }
        inode_put(inode);               /* not loaded, or somebody else's: only the reference goes */
        if (err != -EEXIST) {
            free_inode_number(inum);
            return err;
        }
        DAMAGE("inode %u is in use but not in the map", inum);
    }
    return -EIO;
}

int inode_create(unsigned type, unsigned major, unsigned minor, struct inode **out)
{
    struct inode *inode = NULL;
    int err = take_number(&inode);
    if (err < 0)
        return err;
    inode->disk = (struct disk_inode){ .type = (uint16_t)type, .major = (uint16_t)major, .minor = (uint16_t)minor,
                                       .mtime = clock_seconds() };
    inode->run.count = 0;
    memset(&inode->ahead, 0, sizeof(inode->ahead));
    inode->write_error = false;
    __atomic_store_n(&inode->loaded, true, __ATOMIC_RELEASE);
    inode_update(inode);
    *out = inode;
    return 0;
}

void inode_stat(struct inode *inode, struct stat *st)
{
    *st = (struct stat){ .dev = 1, .ino = inode->inum, .type = (int16_t)inode->disk.type,
                         .nlink = (int16_t)inode->disk.nlink, .blocks = inode->disk.blocks, .size = inode->disk.size,
                         .mtime = inode->disk.mtime, .major = inode->disk.major, .minor = inode->disk.minor };
}

/* ---- The block map. inode locked. */

/* Where the number of block n is kept. */
struct place {
    uint32_t      *entries;             /* array it is in: direct[] of the inode, or an index block's data */
    uint32_t       slot, slots;         /* its index there; length of the array */
    struct buffer *leaf;                /* the index block, referenced; NULL: direct, or there is none yet */
};

static bool block_number_bad(const struct inode *inode, uint32_t block)
{
    if (LIKELY(block == 0 || block_is_data(block)))
        return false;
    DAMAGE("inode %u refers to block %u", inode->inum, block);
    return true;
}

/* The index block *number refers to, referenced. When there is none: a new one if `alloc` (the caller stores *number where
 * it belongs), else *out = NULL. */
static int index_block(struct inode *inode, uint32_t *number, bool alloc, struct buffer **out)
{
    *out = NULL;
    if (*number != 0)
        return block_number_bad(inode, *number) ? -EIO : cache_read(*number, out);
    if (!alloc)
        return 0;
    uint32_t block;
    int err = alloc_blocks(inode->run.disk, 1, &block);
    if (err < 0)
        return err;
    if ((err = cache_new(block, true, out)) < 0) {
        free_blocks(block, 1);
        return err;
    }
    log_modify(*out);
    *number = block;
    inode->disk.blocks++;
    return 0;
}

static int find_double(struct inode *inode, uint32_t n, bool alloc, struct place *p)
{
    struct buffer *top;
    int err = index_block(inode, &inode->disk.double_indirect, alloc, &top);
    if (err < 0 || top == NULL)
        return err;
    uint32_t *number = (uint32_t *)top->data + n / FS_INDEX, old = *number, new = old;
    err = index_block(inode, &new, alloc, &p->leaf);
    if (new != old) {
        log_modify(top);
        *number = new;
    }
    cache_put(top);
    return err;
}

/* Fill *p; without `alloc`, entries may come out NULL: the whole array is a hole. */
static int find_place(struct inode *inode, uint32_t n, bool alloc, struct place *p)
{
    int err = 0;
    *p = (struct place){ .entries = inode->disk.direct, .slot = n, .slots = FS_DIRECT };
    if (n < FS_DIRECT)
        return 0;
    n -= FS_DIRECT;
    p->slots = FS_INDEX;
    if (n < FS_INDEX) {
        err = index_block(inode, &inode->disk.indirect, alloc, &p->leaf);
    } else if ((n -= FS_INDEX) < FS_INDEX * FS_INDEX) {
        err = find_double(inode, n, alloc, p);
    } else {
        return -EFBIG;
    }
    p->slot = n % FS_INDEX;
    p->entries = p->leaf != NULL ? p->leaf->data : NULL;
    return err;
}

/* How many entries from the place on continue it: consecutive blocks, or holes. */
static uint32_t run_length(const struct place *p, uint32_t max)
{
    uint32_t first = p->entries[p->slot], count = 1;
    max = MIN(max, p->slots - p->slot);
    while (count < max && p->entries[p->slot + count] == (first == 0 ? 0 : first + count))
        count++;
    return count;
}

int inode_map(struct inode *inode, uint32_t n, uint32_t *disk, uint32_t *count)
{
    if (LIKELY(n - inode->run.file < inode->run.count)) {
        *disk = inode->run.disk + (n - inode->run.file);
        *count = inode->run.count - (n - inode->run.file);
        return 0;
    }
    struct place p;
    int err = find_place(inode, n, false, &p);
    if (err < 0)
        return err;
    *disk = 0;
    *count = 1;
    if (p.entries != NULL) {
        *disk = p.entries[p.slot];
        *count = run_length(&p, FS_INDEX);
        if (block_number_bad(inode, *disk) || block_number_bad(inode, *disk == 0 ? 0 : *disk + *count - 1))
            err = -EIO;
    } else {
        *count = p.slots - p.slot;
    }
    cache_put(p.leaf);
    if (err == 0 && *disk != 0) {
        inode->run.file = n;
        inode->run.disk = *disk;
        inode->run.count = *count;
    }
    return err;
}

/* Fill the hole at block n, and after it while it goes on, up to `want` blocks, as consecutive blocks. Returns how many. In
 * an operation. */
static int fill_hole(struct inode *inode, uint32_t n, uint32_t want, uint32_t *disk)
{
    struct place p;
    uint32_t goal = inode->run.count > 0 ? inode->run.disk + inode->run.count : 0;
    int err = find_place(inode, n, true, &p);
    if (err < 0) {
        cache_put(p.leaf);
        return err;
    }
    if (p.slot > 0 && p.entries[p.slot - 1] != 0)
        goal = p.entries[p.slot - 1] + 1;
    int count = alloc_blocks(goal, run_length(&p, want), disk);
    if (count > 0) {
        if (p.leaf != NULL)
            log_modify(p.leaf);
        for (int i = 0; i < count; i++)
            p.entries[p.slot + (uint32_t)i] = *disk + (uint32_t)i;
        inode->disk.blocks += (uint32_t)count;
        bool continues = inode->run.count > 0 && inode->run.file + inode->run.count == n
                         && inode->run.disk + inode->run.count == *disk;
        if (!continues) {
            inode->run.file = n;
            inode->run.disk = *disk;
            inode->run.count = 0;
        }
        inode->run.count += (uint32_t)count;
    }
    cache_put(p.leaf);
    return count;
}

/* Give back the one block n, which the operation has just filled a hole with and could not use. */
static void unfill(struct inode *inode, uint32_t n, uint32_t count)
{
    struct place p;
    inode->run.count = 0;
    if (find_place(inode, n, false, &p) < 0 || p.entries == NULL)
        return;
    if (p.leaf != NULL)
        log_modify(p.leaf);
    for (uint32_t i = 0; i < count; i++) {
        free_blocks(p.entries[p.slot + i], 1);
        p.entries[p.slot + i] = 0;
    }
    inode->disk.blocks -= count;
    cache_put(p.leaf);
}

static void drop_excess(struct inode *inode);

int inode_grow(struct inode *inode, uint32_t n, struct buffer **out)
{
    uint32_t disk;
    int err = fill_hole(inode, n, 1, &disk);
    if (err >= 0 && (err = cache_new(disk, true, out)) < 0)
        unfill(inode, n, 1);
    if (err < 0) {
        drop_excess(inode);
        return err;
    }
    log_modify(*out);
    return 0;
}

/* ---- Reading */

/* Block n of a sequence, mapped to `count` blocks from `disk`, is about to be read: have the next ones read as well. */
static void read_ahead(struct inode *inode, uint32_t n, uint32_t disk, uint32_t count)
{
    if (n != inode->ahead.next) {
        if (n + 1 == inode->ahead.next)
            return;                     /* the same block again, by small reads */
        inode->ahead.window = 0;
        inode->ahead.end = n;
    }
    inode->ahead.next = n + 1;
    if (n >= inode->ahead.end) {
        inode->ahead.end = n + MIN(count, MAX(inode->ahead.window, 1u));
        if (inode->ahead.window > 0 || n == 0) {
            inode->ahead.end = n + MIN(count, MAX(inode->ahead.window, AHEAD_FIRST));
            cache_read_ahead(disk, inode->ahead.end - n);
        }
        inode->ahead.window = MIN(MAX(inode->ahead.window * 2, AHEAD_FIRST), AHEAD_MAX);
    } else if (n + inode->ahead.window / 2 >= inode->ahead.end && inode->ahead.end - n < count) {
        uint32_t from = inode->ahead.end - n, more = MIN(count - from, inode->ahead.window);
        cache_read_ahead(disk + from, more);
        inode->ahead.end += more;
        inode->ahead.window = MIN(inode->ahead.window * 2, AHEAD_MAX);
    }
}

HOT static int copy_out(void *kernel, vaddr_t user, const void *src, size_t nbytes)
{
    if (kernel == NULL)
        return src != NULL ? copy_to_user(user, src, nbytes) : clear_user(user, nbytes);
    if (src != NULL)
        memcpy(kernel, src, nbytes);
    else
        memset(kernel, 0, nbytes);
    return 0;
}

HOT static int read_piece(struct inode *inode, void *kernel, vaddr_t user, uint64_t offset, size_t nbytes)
{
    uint32_t disk, count, n = (uint32_t)(offset / FS_BLOCK_SIZE);
    int err = inode_map(inode, n, &disk, &count);
    if (err < 0)
        return err;
    if (disk == 0)
        return copy_out(kernel, user, NULL, nbytes);
    read_ahead(inode, n, disk, count);
    struct buffer *b;
    if ((err = cache_read(disk, &b)) < 0)
        return err;
    err = copy_out(kernel, user, (char *)b->data + offset % FS_BLOCK_SIZE, nbytes);
    cache_put(b);
    return err;
}

HOT long inode_read(struct inode *inode, void *kernel, vaddr_t user, uint64_t offset, size_t nbytes)
{
    if (offset >= inode->disk.size)
        return 0;
    nbytes = MIN(nbytes, inode->disk.size - offset);
    size_t done = 0, rest = PREEMPT_BYTES;
    while (done < nbytes) {
        size_t piece = MIN(nbytes - done, FS_BLOCK_SIZE - (offset + done) % FS_BLOCK_SIZE);
        int err = read_piece(inode, kernel != NULL ? (char *)kernel + done : NULL, va_add(user, done), offset + done,
                             piece);
        if (err < 0)
            return done > 0 ? (long)done : err;
        done += piece;
        if (piece < rest) {
            rest -= piece;
            continue;
        }
        rest = PREEMPT_BYTES;
        preempt_point();
        if (kernel == NULL && current()->killed)
            break;
    }
    return (long)done;
}

/* ---- Writing */

/* One slice changes: the inode, index blocks (two leaves and the top, or new ones), block maps, and data in the log. */
uint32_t write_credits(size_t nbytes)
{
    uint32_t nblocks = (uint32_t)(nbytes / FS_BLOCK_SIZE) + 2;
    return 1 + 4 + MIN(alloc_groups(), MIN(nblocks, SLICE_RUNS) + 3) + nblocks;
}

/* The most bytes a slice may have: its credits must fit a transaction. */
static size_t slice_max(void)
{
    return MIN(SLICE_BLOCKS, log_credits_max() - 18) * (size_t)FS_BLOCK_SIZE;
}

HOT static int copy_in(void *dst, const void *kernel, vaddr_t user, size_t nbytes)
{
    if (kernel == NULL)
        return copy_from_user(dst, user, nbytes);
    memcpy(dst, kernel, nbytes);
    return 0;
}

/* Bytes of one block, which has a place on the disk. `fresh`: it was allocated by this operation. */
static int write_block(struct inode *inode, uint32_t disk, bool fresh, const void *kernel, vaddr_t user, uint32_t at,
                       size_t nbytes)
{
    struct buffer *b;
    bool whole = nbytes == FS_BLOCK_SIZE;
    int err = fresh || whole ? cache_new(disk, !whole, &b) : cache_read(disk, &b);
    if (err < 0)
        return err;
    err = copy_in((char *)b->data + at, kernel, user, nbytes);
    if (err < 0 && fresh)
        clear_page(b->data);
    cache_dirty(b, inode->inum);
    cache_put(b);
    return err;
}

/* In an operation. Stops early, without error, when it has taken enough pieces of free space. */
long inode_write_slice(struct inode *inode, const void *kernel, vaddr_t user, uint64_t offset, size_t nbytes)
{
    size_t done = 0;
    uint32_t runs = 0, fresh_until = 0;         /* blocks before this one were allocated here */
    int err = 0;
    while (done < nbytes) {
        uint64_t at = offset + done;
        uint32_t disk, count, n = (uint32_t)(at / FS_BLOCK_SIZE), in_block = (uint32_t)(at % FS_BLOCK_SIZE);
        if ((err = inode_map(inode, n, &disk, &count)) < 0)
            break;
        if (disk == 0) {
            if (runs++ == SLICE_RUNS)
                break;
            uint64_t last = (offset + nbytes - 1) / FS_BLOCK_SIZE;
            if ((err = fill_hole(inode, n, (uint32_t)(last - n) + 1, &disk)) < 0)
                break;
            fresh_until = n + (uint32_t)err;
        }
        size_t piece = MIN(nbytes - done, FS_BLOCK_SIZE - in_block);
        if ((err = write_block(inode, disk, n < fresh_until, kernel != NULL ? (const char *)kernel + done : NULL,
                               va_add(user, done), in_block, piece)) < 0) {
            if (n < fresh_until)
                unfill(inode, n, fresh_until - n);
            break;
        }
        done += piece;
    }
    if (offset + done > inode->disk.size && done > 0)
        inode->disk.size = offset + done;
    if (err < 0)
        drop_excess(inode);
    if (done > 0)
        inode->disk.mtime = clock_seconds();
    if (memcmp(in_table(inode), &inode->disk, sizeof(inode->disk)) != 0)
        inode_update(inode);
    return done > 0 || err == 0 ? (long)done : err;
}

/* One operation: at most slice_max() bytes, whose pages are present. */
static long write_operation(struct inode *inode, vaddr_t user, uint64_t *offset, size_t nbytes, bool append)
{
    uint32_t credits = write_credits(nbytes);
    long n = log_begin(credits);
    if (n < 0)
        return n;
    if ((n = inode_lock(inode)) == 0) {
        uint64_t at = append ? inode->disk.size : *offset;
        if (at + nbytes > FS_MAX_BLOCKS * FS_BLOCK_SIZE)
            n = -EFBIG;
        else
            n = inode_write_slice(inode, NULL, user, at, nbytes);
        if (n > 0)
            *offset = at + (uint64_t)n;
        inode_unlock(inode);
    }
    log_end(credits);
    return n;
}

long inode_write(struct inode *inode, vaddr_t user, uint64_t *offset, size_t nbytes, bool append)
{
    size_t done = 0;
    int tries = 0;
    while (done < nbytes && !(done > 0 && current()->killed)) {
        size_t slice = MIN(nbytes - done, slice_max() - *offset % FS_BLOCK_SIZE);
        long n = cache_throttle();
        if (n == 0)
            n = user_fault_in(va_add(user, done), slice, false);
        if (n == 0)
            n = write_operation(inode, va_add(user, done), offset, slice, append);
        if (n < 0 && make_space((int)n, &tries))
            continue;
        if (n < 0)
            return done > 0 ? (long)done : n;
        if (cache_wants_flush())
            fs_flush_soon(false);
        tries = 0;
        done += (size_t)n;
        if (done < nbytes)
            preempt_point();
    }
    return (long)done;
}

bool make_space(int error, int *tries)
{
    if (error != -ENOSPC || ++*tries > SPACE_TRIES)
        return false;
    if (!alloc_blocked_by_log())
        return alloc_has_space();       /* somebody else has made some meanwhile */
    return log_checkpoint() == 0;
}

/* ---- Truncating */

static uint64_t blocks_of(uint64_t size) { return (size + FS_BLOCK_SIZE - 1) / FS_BLOCK_SIZE; }

/* What one operation may still do. */
struct allowance {
    uint32_t groups;                    /* block maps it may still change */
    uint32_t group;                     /* the last one it changed */
};

/* Free entries[from .. to) from the end. Returns where it stopped: everything from there on is free, entries unchanged. */
static uint32_t free_entries(struct inode *inode, const uint32_t *entries, uint32_t from, uint32_t to,
                             struct allowance *left)
{
    while (to > from) {
        uint32_t block = entries[to - 1], group = block / (FS_BLOCK_SIZE * 8);
        if (block != 0 && group != left->group) {
            if (left->groups == 0)
                return to;
            left->groups--;
            left->group = group;
        }
        if (block != 0) {
            free_blocks(block, 1);
            inode->disk.blocks -= inode->disk.blocks > 0;
        }
        to--;
    }
    return to;
}

/* Free an index block's entries from `keep` on, and the block itself when none is kept. *number is cleared then. Returns
 * the number of entries left to free below this index (0: done), or -errno. */
static int shrink_leaf(struct inode *inode, uint32_t *number, uint32_t keep, struct allowance *left)
{
    struct buffer *leaf;
    int err = index_block(inode, number, false, &leaf);
    if (err < 0 || leaf == NULL)
        return err;
    uint32_t *entries = leaf->data;
    uint32_t stop = free_entries(inode, entries, keep, FS_INDEX, left);
    bool whole = keep == 0 && stop == 0;
    if (!whole) {
        log_modify(leaf);
        memset(entries + stop, 0, (FS_INDEX - stop) * sizeof(*entries));
    }
    cache_put(leaf);
    if (whole) {
        struct allowance one = { .groups = 1, .group = left->group };     /* set aside by the caller */
        (void)free_entries(inode, number, 0, 1, left->groups > 0 ? left : &one);
        *number = 0;
    }
    return stop > keep ? (int)stop : 0;
}

/* The double-indirect part from block `keep` of it on. Returns blocks of it left (0: `keep`), or -errno. */
static long shrink_double(struct inode *inode, uint32_t keep, struct allowance *left)
{
    struct buffer *top;
    int err = index_block(inode, &inode->disk.double_indirect, false, &top);
    if (err < 0 || top == NULL)
        return err;
    uint32_t *entries = top->data;
    long rest = 0;
    for (uint32_t i = FS_INDEX; i-- > keep / FS_INDEX && rest == 0; ) {
        uint32_t number = entries[i];
        if (number == 0)
            continue;
        rest = left->groups == 0 ? (long)FS_INDEX
                                 : shrink_leaf(inode, &number, i == keep / FS_INDEX ? keep % FS_INDEX : 0, left);
        if (number != entries[i]) {
            log_modify(top);
            entries[i] = number;
        }
        if (rest > 0)
            rest += (long)i * FS_INDEX;
        preempt_point();
    }
    cache_put(top);
    if (rest == 0 && keep == 0) {
        free_blocks(inode->disk.double_indirect, 1);
        inode->disk.double_indirect = 0;
        inode->disk.blocks -= inode->disk.blocks > 0;
    }
    return rest;
}

/* Free blocks from `keep` on, as far as the allowance goes. Returns the file's length in blocks then, or -errno. */
static long shrink(struct inode *inode, uint64_t keep, struct allowance *left)
{
    const uint64_t first_double = FS_DIRECT + FS_INDEX;
    long rest = shrink_double(inode, (uint32_t)(keep > first_double ? keep - first_double : 0), left);
    if (rest != 0)
        return rest < 0 ? rest : rest + (long)first_double;
    if (keep < first_double) {
        rest = shrink_leaf(inode, &inode->disk.indirect, (uint32_t)(keep > FS_DIRECT ? keep - FS_DIRECT : 0), left);
        if (rest != 0)
            return rest < 0 ? rest : rest + (long)FS_DIRECT;
    }
    if (keep < FS_DIRECT) {
        uint32_t stop = free_entries(inode, inode->disk.direct, (uint32_t)keep, FS_DIRECT, left);
        memset(inode->disk.direct + stop, 0, (FS_DIRECT - stop) * sizeof(inode->disk.direct[0]));
        if (stop > keep)
            return stop;
    }
    return (long)keep;
}

/* After a failed growth: index blocks made for blocks that did not come would lie behind the end. Still in the operation. */
static void drop_excess(struct inode *inode)
{
    struct allowance few = { .groups = 3, .group = UINT32_MAX };
    inode->run.count = 0;
    (void)shrink(inode, blocks_of(inode->disk.size), &few);
}

/* Zero the kept last block behind `size`, so that growing again shows zeros. */
static int clear_tail(struct inode *inode, uint64_t size)
{
    uint32_t disk, count, at = (uint32_t)(size % FS_BLOCK_SIZE);
    struct buffer *b;
    int err = at == 0 ? 0 : inode_map(inode, (uint32_t)(size / FS_BLOCK_SIZE), &disk, &count);
    if (err < 0 || at == 0 || disk == 0)
        return err;
    if ((err = cache_read(disk, &b)) < 0)
        return err;
    memset((char *)b->data + at, 0, FS_BLOCK_SIZE - at);
    cache_dirty(b, inode->inum);
    cache_put(b);
    return 0;
}

/* One operation: towards `size`. Returns 0: done, 1: more to do, or -errno. */
static int truncate_slice(struct inode *inode, uint64_t size, uint32_t groups)
{
    int err = 0;
    if (size < inode->disk.size && (err = clear_tail(inode, size)) < 0)
        return err;
    if (size < inode->disk.size) {
        struct allowance left = { .groups = groups, .group = UINT32_MAX };
        uint64_t keep = blocks_of(size);
        long length = shrink(inode, keep, &left);
        inode->run.count = 0;
        memset(&inode->ahead, 0, sizeof(inode->ahead));
        if (length < 0)
            err = (int)length;
        else if ((uint64_t)length > keep) {
            inode->disk.size = MIN(inode->disk.size, (uint64_t)length * FS_BLOCK_SIZE);
            err = 1;
        }
    }
    if (err == 0)
        inode->disk.size = size;
    inode->disk.mtime = clock_seconds();
    inode_update(inode);
    return err;
}

int inode_truncate(struct inode *inode, uint64_t size)
{
    if (size > FS_MAX_BLOCKS * FS_BLOCK_SIZE)
        return -EFBIG;
    uint32_t groups = MIN(alloc_groups(), log_credits_max() - 10), credits = groups + 8;
    if (groups == alloc_groups())
        groups = UINT32_MAX;            /* all maps fit one operation: no limit */
    int err = 1;
    while (err > 0) {
        if ((err = log_begin(credits)) < 0)
            return err;
        if ((err = inode_lock(inode)) == 0) {
            err = truncate_slice(inode, size, groups);
            inode_unlock(inode);
        }
        log_end(credits);
    }
    return err;
}
