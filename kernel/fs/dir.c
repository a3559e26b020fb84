/*
 * dir.c -- directories: arrays of 64-byte entries on the disk, and a hash of their names in memory.
 *
 * Owns:     the index of each directory: open addressing, name hash to slot, in single frames. Made at the first lookup in
 *           a directory of more than one block; kept up to date by every change; dropped with the inode. It is only a
 *           help: without memory for it, or in a directory too large for it, lookups scan.
 * Locks:    the directory's inode lock. Entries are metadata: changed in operations only.
 * Not here: paths and symbolic links (path.c), what a change of names does to inodes (names.c).
 */
#include "fs/dir.h"
#include "fs/log.h"
#include "fs/super.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "sched/clock.h"
#include "sched/sched.h"

#define PROBES_MAX   256u               /* an index in which more names collide is given up */
#define SLOTS_BLOCK  (FS_BLOCK_SIZE / (uint32_t)sizeof(struct dirent))
#define ENTRIES_PAGE ((uint32_t)(PAGE_SIZE / sizeof(struct entry)))
#define INDEX_PAGES  256u               /* at most: 98,304 names at a load of three quarters */
#define NO_SLOT      UINT32_MAX

struct entry { uint32_t hash, slot; };  /* slot + 1; 0: never used, NO_SLOT: was used */

struct dir_index {                      /* one frame */
    uint32_t      pages;                /* a power of two */
    uint32_t      taken;                /* entries not 0 */
    uint32_t      free_slots;           /* slots of the directory without a name */
    uint32_t      hint;                 /* no free slot before this one */
    struct entry *page[INDEX_PAGES];
};
_Static_assert(sizeof(struct dir_index) <= PAGE_SIZE, "one frame");

static size_t index_frames;             /* of all directories; atomic */

static uint32_t slots_of(const struct inode *dir) { return (uint32_t)(dir->disk.size / sizeof(struct dirent)); }

/* The block of the directory that holds `slot`, referenced. */
static int slot_block(struct inode *dir, uint32_t slot, struct buffer **out)
{
    uint32_t disk, count;
    int err = inode_map(dir, slot / SLOTS_BLOCK, &disk, &count);
    if (err == 0 && disk == 0) {
        DAMAGE("directory %u has a hole", dir->inum);
        err = -EIO;
    }
    return err < 0 ? err : cache_read(disk, out);
}

static struct dirent *slot_in(struct buffer *b, uint32_t slot)
{
    return (struct dirent *)b->data + slot % SLOTS_BLOCK;
}

static bool same_name(const struct dirent *d, struct name name)
{
    return d->inum != 0 && d->name[0] == name.text[0] && d->name[name.length] == '\0'
           && memcmp(d->name, name.text, name.length) == 0;
}

static struct name name_in(const struct dirent *d)
{
    return (struct name){ d->name, (uint32_t)strnlen(d->name, FS_NAME_MAX) };
}

/* ---- The index */

static struct entry *entry_at(const struct dir_index *index, uint32_t i)
{
    i &= index->pages * ENTRIES_PAGE - 1;
    return &index->page[i / ENTRIES_PAGE][i % ENTRIES_PAGE];
}

static void index_free(struct dir_index *index)
{
    for (uint32_t i = 0; i < index->pages; i++)
        if (index->page[i] != NULL)
            free_page(index->page[i]);
    __atomic_fetch_sub(&index_frames, index->pages + 1, __ATOMIC_RELAXED);
    free_page(index);
}

void dir_index_free(struct inode *dir)
{
    if (dir->index != NULL)
        index_free(dir->index);
    dir->index = NULL;
}

/* An empty index with room for `names`, or NULL. */
static struct dir_index *index_new(uint32_t names)
{
    uint32_t pages = 1;
    while (pages <= INDEX_PAGES && pages * ENTRIES_PAGE / 4 * 3 <= names)
        pages *= 2;
    if (pages > INDEX_PAGES || __atomic_load_n(&index_frames, __ATOMIC_RELAXED) + pages > frames_total() / 16)
        return NULL;
    struct dir_index *index = alloc_page();
    if (index == NULL)
        return NULL;
    __atomic_fetch_add(&index_frames, pages + 1, __ATOMIC_RELAXED);
    index->pages = pages;
    for (uint32_t i = 0; i < pages; i++)
        if ((index->page[i] = alloc_page()) == NULL) {
            index_free(index);
            return NULL;
        }
    return index;
}

/* False: too many names fall together (a hostile directory); such an index would be slower than none. */
static bool index_insert(struct dir_index *index, uint32_t hash, uint32_t slot)
{
    uint32_t i = hash;
    while (entry_at(index, i)->slot != 0)
        if (++i - hash > PROBES_MAX)
            return false;
    *entry_at(index, i) = (struct entry){ hash, slot + 1 };
    index->taken++;
    return true;
}

static void index_remove(struct dir_index *index, uint32_t hash, uint32_t slot)
{
    for (uint32_t i = hash; entry_at(index, i)->slot != 0; i++)
        if (entry_at(index, i)->slot == slot + 1) {
            entry_at(index, i)->slot = NO_SLOT;
            break;
        }
    index->free_slots++;
    index->hint = MIN(index->hint, slot);
}

static int index_block_names(struct inode *dir, struct dir_index *index, uint32_t first)
{
    struct buffer *b;
    int err = slot_block(dir, first, &b);
    if (err < 0)
        return err;
    uint32_t end = MIN(first + SLOTS_BLOCK, slots_of(dir));
    for (uint32_t slot = first; err == 0 && slot < end; slot++) {
        struct name name = name_in(slot_in(b, slot));
        if (slot_in(b, slot)->inum != 0)
            err = index_insert(index, hash_bytes(name.text, name.length), slot) ? 0 : -EIO;
        else
            index->free_slots++;
    }
    cache_put(b);
    return err;
}

/* Make the index if the directory is large enough to want one. Failing is no error. */
static void want_index(struct inode *dir)
{
    if (LIKELY(dir->index != NULL) || slots_of(dir) <= SLOTS_BLOCK)
        return;
    struct dir_index *index = index_new(slots_of(dir));
    for (uint32_t slot = 0; index != NULL && slot < slots_of(dir); slot += SLOTS_BLOCK) {
        preempt_point();
        if (index_block_names(dir, index, slot) < 0) {
            index_free(index);
            return;
        }
    }
    dir->index = index;
}

/* A name was added in `slot`. A full index goes; the next lookup makes a larger one. */
static void index_added(struct inode *dir, struct name name, uint32_t slot, bool was_free)
{
    struct dir_index *index = dir->index;
    if (index == NULL)
        return;
    if (was_free)
        index->free_slots--;
    index->hint = was_free ? slot + 1 : index->hint;
    bool fits = index_insert(index, hash_bytes(name.text, name.length), slot);
    if (!fits || index->taken >= index->pages * ENTRIES_PAGE / 8 * 7)
        dir_index_free(dir);
}

/* ---- Looking up */

/* The slot called `name` in the block that holds slot `first`: 1 found, 0 not, or -errno. */
static int scan_block(struct inode *dir, struct name name, uint32_t first, uint32_t *inum, uint32_t *found)
{
    struct buffer *b;
    int err = slot_block(dir, first, &b);
    if (err < 0)
        return err;
    uint32_t end = MIN(first + SLOTS_BLOCK, slots_of(dir));
    for (uint32_t slot = first; slot < end; slot++)
        if (same_name(slot_in(b, slot), name)) {
            *inum = slot_in(b, slot)->inum;
            *found = slot;
            err = 1;
            break;
        }
    cache_put(b);
    return err;
}

/* Is `slot` called `name`? 1 yes, 0 no, or -errno. */
static int check_slot(struct inode *dir, struct name name, uint32_t slot, uint32_t *inum)
{
    struct buffer *b;
    int err = slot_block(dir, slot, &b);
    if (err < 0)
        return err;
    bool same = same_name(slot_in(b, slot), name);
    *inum = slot_in(b, slot)->inum;
    cache_put(b);
    return same;
}

static int index_lookup(struct inode *dir, struct name name, uint32_t *inum, uint32_t *slot)
{
    uint32_t hash = hash_bytes(name.text, name.length);
    for (uint32_t i = hash; ; i++) {
        struct entry *e = entry_at(dir->index, i);
        if (e->slot == 0)
            return -ENOENT;
        if (e->hash != hash || e->slot == NO_SLOT)
            continue;
        int found = check_slot(dir, name, e->slot - 1, inum);
        if (found < 0)
            return found;
        if (found) {
            *slot = e->slot - 1;
            return 0;
        }
    }
}

int dir_lookup(struct inode *dir, struct name name, uint32_t *inum, uint32_t *slot)
{
    if (dir->disk.nlink == 0)
        return -ENOENT;
    want_index(dir);
    if (dir->index != NULL)
        return index_lookup(dir, name, inum, slot);
    for (uint32_t first = 0; first < slots_of(dir); first += SLOTS_BLOCK) {
        int found = scan_block(dir, name, first, inum, slot);
        if (found != 0)
            return found < 0 ? found : 0;
    }
    return -ENOENT;
}

/* Walk all entries: the first one for which `inum` matches (0: free; NO_SLOT: any used one) from slot `from` on. Returns 1
 * with *slot and, if wanted, the name; 0: none; or -errno. */
static int find_inum(struct inode *dir, uint32_t inum, uint32_t from, uint32_t *slot, char *name)
{
    struct buffer *b = NULL;
    for (uint32_t at = from; at < slots_of(dir); at++) {
        if (b == NULL || at % SLOTS_BLOCK == 0) {
            cache_put(b);
            int err = slot_block(dir, at, &b);
            if (err < 0)
                return err;
        }
        const struct dirent *d = slot_in(b, at);
        if (inum == NO_SLOT ? d->inum == 0 : d->inum != inum)
            continue;
        if (name != NULL)
            copy_string(name, d->name, FS_NAME_MAX + 1);
        *slot = at;
        cache_put(b);
        return 1;
    }
    cache_put(b);
    return 0;
}

int dir_name_of(struct inode *dir, uint32_t inum, char *name)
{
    uint32_t slot;
    int found = find_inum(dir, inum, 2, &slot, name);
    return found > 0 ? 0 : found < 0 ? found : -ENOENT;
}

int dir_empty(struct inode *dir)
{
    uint32_t slot;
    int found = find_inum(dir, NO_SLOT, 2, &slot, NULL);
    return found < 0 ? found : !found;
}

/* ---- Changing */

static void fill_slot(struct buffer *b, uint32_t slot, struct name name, uint32_t inum)
{
    struct dirent *d = slot_in(b, slot);
    log_modify(b);
    memset(d, 0, sizeof(*d));
    memcpy(d->name, name.text, name.length);
    d->inum = inum;
}

/* A free slot and its block: one that was used before, else a new one at the end. *was_free says which. */
static int take_slot(struct inode *dir, uint32_t *slot, struct buffer **out, bool *was_free)
{
    int found = 0;
    if (dir->index == NULL || dir->index->free_slots > 0)
        found = find_inum(dir, 0, dir->index != NULL ? dir->index->hint : 0, slot, NULL);
    if (found < 0)
        return found;
    *was_free = found;
    if (found)
        return slot_block(dir, *slot, out);
    *slot = slots_of(dir);
    int err = *slot % SLOTS_BLOCK == 0 ? inode_grow(dir, *slot / SLOTS_BLOCK, out) : slot_block(dir, *slot, out);
    if (err == 0)
        dir->disk.size += sizeof(struct dirent);
    return err;
}

int dir_add(struct inode *dir, struct name name, uint32_t inum)
{
    struct buffer *b;
    uint32_t slot;
    bool was_free;
    int err = take_slot(dir, &slot, &b, &was_free);
    if (err < 0) {
        inode_update(dir);              /* index blocks may have been added */
        return err;
    }
    fill_slot(b, slot, name, inum);
    cache_put(b);
    index_added(dir, name, slot, was_free);
    dir->disk.mtime = clock_seconds();
    inode_update(dir);
    return 0;
}

int dir_pin(struct inode *dir, uint32_t slot, struct buffer **out)
{
    return slot_block(dir, slot, out);
}

void dir_set(struct inode *dir, struct buffer *pinned, struct name name, uint32_t slot, uint32_t inum)
{
    log_modify(pinned);
    if (inum == 0)
        memset(slot_in(pinned, slot), 0, sizeof(struct dirent));
    else
        slot_in(pinned, slot)->inum = inum;
    if (inum == 0 && dir->index != NULL)
        index_remove(dir->index, hash_bytes(name.text, name.length), slot);
    dir->disk.mtime = clock_seconds();
    inode_update(dir);
}

int dir_init(struct inode *dir, uint32_t parent)
{
    int err = dir_add(dir, (struct name){ ".", 1 }, dir->inum);
    return err < 0 ? err : dir_add(dir, (struct name){ "..", 2 }, parent);
}
