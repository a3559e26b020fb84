/*
 * mount.c -- brings the file system up, keeps it going (the flusher), and the calls of fs.h that exec uses.
 *
 * Start:    superblock, log recovery, cache, maps, root, orphans, flusher.
 * Flusher:  writes file data when much of it is dirty, commits what is older than FLUSH_SECONDS, checkpoints when the log
 *           is half full or nothing else happens. A second task, the fs timer, wakes it by time.
 * Not here: everything the start-up calls.
 */
#include "fs/alloc.h"
#include "fs/file.h"
#include "fs/log.h"
#include "fs/names.h"
#include "fs/super.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "sched/clock.h"
#include "sched/sched.h"
#include "task/task.h"

#define FLUSH_SECONDS 5

static struct superblock super;
static bool mounted;

#define DAMAGE_TOLD 16

bool damage_may_be_told(void)
{
    static uint32_t told;
    uint32_t n = __atomic_fetch_add(&told, 1, __ATOMIC_RELAXED);
    if (n == DAMAGE_TOLD)
        printk("fs: the disk is damaged in more places; further ones are not listed: run fsck\n");
    if (n > DAMAGE_TOLD)
        __atomic_store_n(&told, DAMAGE_TOLD + 1, __ATOMIC_RELAXED);
    return n < DAMAGE_TOLD;
}

/* ---- Mounting */

static bool super_is_sane(const struct superblock *s, uint32_t disk_blocks)
{
    return s->blocks <= disk_blocks && s->log_start == 1 && s->log_blocks >= LOG_BLOCKS_MIN
           && s->log_blocks < s->blocks && s->imap_start >= s->log_start + s->log_blocks
           && s->bmap_start >= s->imap_start + s->imap_blocks && s->inode_start >= s->bmap_start + s->bmap_blocks
           && s->data_start >= s->inode_start + s->inode_blocks && s->data_start < s->blocks
           && s->imap_blocks < s->blocks && s->bmap_blocks < s->blocks && s->inode_blocks < s->blocks
           && s->inodes > FS_ROOT_INODE && s->inodes <= (uint64_t)s->inode_blocks * INODES_PER_BLOCK;
}

static int read_super(struct block_device *device)
{
    void *page = alloc_page();
    if (page == NULL)
        return -ENOMEM;
    struct block_request r = { .op = BLOCK_READ, .block = 0, .count = 1, .pages = &page };
    int err = block_wait(device, &r);
    super = *(struct superblock *)page;
    free_page(page);
    if (err < 0)
        return err;
    if (super.magic != FS_MAGIC || super.version != FS_VERSION || super.block_size != FS_BLOCK_SIZE
        || super.checksum != crc32(0, &super, offsetof(struct superblock, checksum))) {
        printk("fs: %s holds no Tamal file system\n", device->name);
        return -EINVAL;
    }
    if (!super_is_sane(&super, device->blocks)) {
        printk("fs: the superblock of %s makes no sense\n", device->name);
        return -EINVAL;
    }
    return 0;
}

static int open_root(void)
{
    if ((fs_root = inode_get(FS_ROOT_INODE)) == NULL)
        return -ENOMEM;
    int type = inode_type(fs_root);
    if (type >= 0 && type != T_DIR)
        printk("fs: the root is not a directory\n");
    return type < 0 ? type : type == T_DIR ? 0 : -EIO;
}

/* Free the inodes of one block of the table that are in use without a name: they were open at a crash. */
static uint32_t free_orphans_of(uint32_t first, struct buffer *b)
{
    uint32_t freed = 0;
    for (uint32_t i = 0; i < INODES_PER_BLOCK; i++) {
        const struct disk_inode *d = (struct disk_inode *)b->data + i;
        if (!inode_number_in_use(first + i) || d->type == 0 || d->nlink > 0)
            continue;
        struct inode *inode = inode_get(first + i);
        if (inode != NULL && inode_type(inode) >= 0)
            freed++;
        inode_put(inode);
    }
    return freed;
}

static bool block_has_inodes(uint32_t block)
{
    for (uint32_t i = 0; i < INODES_PER_BLOCK; i++)
        if (inode_number_in_use(block * INODES_PER_BLOCK + i))
            return true;
    return false;
}

static void free_orphans(void)
{
    uint32_t freed = 0;
    struct buffer *b;
    for (uint32_t i = 0; i < super.inode_blocks; i++) {
        if (!block_has_inodes(i))
            continue;
        cache_read_ahead(super.inode_start + i, BLOCK_SEGMENTS_MAX);
        if (cache_read(super.inode_start + i, &b) < 0)
            continue;
        freed += free_orphans_of(i * INODES_PER_BLOCK, b);
        cache_put(b);
    }
    if (freed > 0)
        printk("fs: freed %u files that were open without a name\n", freed);
}

static int start_up(void)
{
    struct log_place place;
    int err = read_super(root_disk);
    if (err == 0)
        err = log_recover(root_disk, &super, &place);
    if (err == 0)
        err = cache_init(root_disk);
    if (err == 0)
        err = log_init(&place);
    if (err == 0)
        err = inode_init(&super);
    if (err == 0)
        err = alloc_init(&super);
    if (err == 0)
        err = open_root();
    return err;
}

static void flusher(void *unused);
static void timer(void *unused);

int fs_mount(void)
{
    if (root_disk == NULL) {
        printk("fs: there is no disk\n");
        return -ENODEV;
    }
    names_init();
    int err = start_up();
    if (err < 0) {
        printk("fs: cannot mount %s: error %d\n", root_disk->name, -err);
        return err;
    }
    free_orphans();
    mounted = true;
    if ((err = task_start_kernel("flusher", flusher, NULL)) >= 0)
        err = task_start_kernel("fs timer", timer, NULL);
    return err < 0 ? err : 0;
}

/* ---- The flusher */

static struct {
    bool wanted;                        /* fs_lock */
    bool by_time;                       /* fs_lock: FLUSH_SECONDS have passed */
} flush;

void fs_flush_soon(bool by_time)
{
    acquire(&fs_lock);
    if (!flush.wanted || by_time) {
        flush.wanted = true;
        flush.by_time |= by_time;
        wakeup(&flush);
    }
    release(&fs_lock);
}

void fs_flush_step(bool by_time)
{
    while (cache_wants_flush())
        if (cache_write_back(~(uint64_t)0, CACHE_BATCH) < 0)
            break;
    if (by_time)
        (void)log_commit();
    if (by_time || log_wants_checkpoint())
        (void)log_checkpoint();
}

static void flusher(void *unused)
{
    (void)unused;
    for (;;) {
        acquire(&fs_lock);
        while (!flush.wanted)
            (void)suspend(&flush, &fs_lock, WAIT_FIRM);
        bool by_time = flush.by_time;
        flush.wanted = flush.by_time = false;
        release(&fs_lock);
        fs_flush_step(by_time);
    }
}

/* Sleeps without a tick while there is nothing to write. */
static void timer(void *unused)
{
    (void)unused;
    for (;;) {
        log_wait_until_busy();
        if (sleep_until_us(clock_uptime_us() + FLUSH_SECONDS * 1000000u) < 0)
            return;
        fs_flush_soon(true);
    }
}

int fs_sync(void)
{
    if (!mounted)
        return 0;
    int err = log_commit();
    int earlier = cache_take_errors();
    return err < 0 ? err : earlier;
}

void fs_statistics(struct statfs *fs)
{
    *fs = (struct statfs){ .block_size = FS_BLOCK_SIZE };
    alloc_statistics(fs);
}

/* ---- For exec */

struct inode *fs_open_exec(const char *path, int *error)
{
    struct walk w;
    struct inode *inode = NULL;
    int err = walk_begin_kernel(&w, current()->files != NULL ? current()->files->cwd : fs_root, path);
    if (err == 0) {
        err = walk_to_parent(&w);
        if (err == 0)
            err = walk_last(&w, true, &inode);
        walk_end(&w);
    }
    if (err == 0) {
        err = inode_type(inode) == T_FILE ? inode_lock(inode) : -EACCES;
        if (err < 0)
            inode_put(inode);
    }
    *error = err;
    return err < 0 ? NULL : inode;
}

long fs_read_kernel(struct inode *inode, void *dst, uint64_t offset, size_t nbytes)
{
    return inode_read(inode, dst, va_of(0), offset, nbytes);
}

uint64_t fs_size(struct inode *inode)
{
    return inode->disk.size;
}

void fs_close_exec(struct inode *inode)
{
    inode_unlock(inode);
    inode_put(inode);
}
