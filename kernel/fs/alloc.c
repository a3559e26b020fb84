/*
 * alloc.c -- allocates blocks and inode numbers from the bit maps on the disk.
 *
 * Owns:     both maps. Their buffers stay referenced, so allocating never reads the disk.
 * Locks:    alloc_lock (sleep, since log_modify() may wait).
 * Reuse:    a block freed by transaction T may be in the log, from T or before, as metadata; and until T is committed it
 *           still belongs to its file. So it must not be used again before the log's tail has passed T. Freed blocks are
 *           marked in a second map in memory, of two generations: one being filled, one sealed. The sealed one is cleared
 *           at once when the tail passes the transaction that was running when it was sealed.
 * Not here: which block of a file a block is (inode.c).
 */
#include "fs/alloc.h"
#include "fs/log.h"
#include "fs/super.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "sched/sleeplock.h"

#define GROUP_BITS  (FS_BLOCK_SIZE * 8u)
#define GROUP_WORDS (FS_BLOCK_SIZE / 8u)
#define GROUPS_PAGE (PAGE_SIZE / sizeof(struct group))

struct group {                          /* one block of a bit map */
    struct buffer *map;
    uint64_t *pending[2];               /* blocks only: freed, not reusable yet; a frame each */
    uint32_t  pending_count[2];
    uint32_t  free;                     /* clear bits of the map, pending ones included */
};

struct bitmap {
    struct group **pages;               /* a page of pointers to pages of groups */
    uint32_t groups;
    uint32_t bits;                      /* valid bits */
    uint32_t free;
    uint32_t hint;                      /* where the last search without goal ended */
};

static struct sleeplock alloc_lock;
static struct bitmap blocks, inodes;
static uint32_t data_start;
static unsigned filling;                /* the generation that takes freed blocks; the other is sealed or empty */
static bool     sealed;
static uint64_t filling_sequence, sealed_sequence;     /* transaction of the last block each took */

static struct group *group_at(const struct bitmap *map, uint32_t index)
{
    return &map->pages[index / GROUPS_PAGE][index % GROUPS_PAGE];
}

static uint32_t count_free(const uint64_t *words, uint32_t bits)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < bits / 64; i++)
        used += words[i] == ~(uint64_t)0 ? 64 : (uint32_t)__builtin_popcountll(words[i]);
    if (bits % 64 != 0)
        used += (uint32_t)__builtin_popcountll(words[bits / 64] & (((uint64_t)1 << (bits % 64)) - 1));
    return bits - used;
}

static int load_group(struct bitmap *map, uint32_t index, uint32_t block, bool with_pending)
{
    struct group *g = group_at(map, index);
    int err = cache_read(block, &g->map);
    if (err < 0)
        return err;
    for (int i = 0; i < 2 && with_pending; i++)
        if ((g->pending[i] = alloc_page()) == NULL)
            return -ENOMEM;
    g->free = count_free(g->map->data, MIN(GROUP_BITS, map->bits - index * GROUP_BITS));
    map->free += g->free;
    return 0;
}

static int load_bitmap(struct bitmap *map, uint32_t start, uint32_t nblocks, uint32_t bits, bool with_pending)
{
    *map = (struct bitmap){ .groups = (bits + GROUP_BITS - 1) / GROUP_BITS, .bits = bits };
    if (map->groups > nblocks || map->groups / GROUPS_PAGE >= PAGE_SIZE / sizeof(void *))
        return -EINVAL;
    if ((map->pages = alloc_page()) == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < map->groups; i++) {
        if (i % GROUPS_PAGE == 0 && (map->pages[i / GROUPS_PAGE] = alloc_page()) == NULL)
            return -ENOMEM;
        if (i % BLOCK_SEGMENTS_MAX == 0)
            cache_read_ahead(start + i, MIN(BLOCK_SEGMENTS_MAX, map->groups - i));
        int err = load_group(map, i, start + i, with_pending);
        if (err < 0)
            return err;
    }
    return 0;
}

int alloc_init(const struct superblock *super)
{
    sleeplock_init(&alloc_lock, "alloc", RANK_IO);
    data_start = super->data_start;
    filling = 0;
    sealed = false;
    int err = load_bitmap(&blocks, super->bmap_start, super->bmap_blocks, super->blocks, true);
    if (err == 0)
        err = load_bitmap(&inodes, super->imap_start, super->imap_blocks, super->inodes, false);
    blocks.hint = data_start;
    return err;
}

bool block_is_data(uint32_t block) { return block >= data_start && block < blocks.bits; }
uint32_t alloc_groups(void)        { return blocks.groups; }

/* ---- Bits */

/* Bits of word w that may be taken, as ones. */
static uint64_t available(const struct group *g, uint32_t w)
{
    uint64_t taken = ((const uint64_t *)g->map->data)[w];
    if (g->pending[0] != NULL)
        taken |= g->pending[0][w] | g->pending[1][w];
    return ~taken;
}

static bool bit_is_set(const struct bitmap *map, uint32_t bit)
{
    const uint64_t *words = group_at(map, bit / GROUP_BITS)->map->data;
    return (words[bit % GROUP_BITS / 64] >> (bit % 64)) & 1;
}

/* First available bit of group `index` at or after `from` (a bit of the group); GROUP_BITS: none. */
static uint32_t search_group(const struct bitmap *map, uint32_t index, uint32_t from)
{
    const struct group *g = group_at(map, index);
    if (g->free <= g->pending_count[0] + g->pending_count[1])
        return GROUP_BITS;
    uint64_t mask = ~(uint64_t)0 << (from % 64);
    for (uint32_t w = from / 64; w < GROUP_WORDS; w++, mask = ~(uint64_t)0) {
        uint64_t bits = available(g, w) & mask;
        if (bits != 0) {
            uint32_t bit = w * 64 + (uint32_t)__builtin_ctzll(bits);
            return index * GROUP_BITS + bit < map->bits ? bit : GROUP_BITS;
        }
    }
    return GROUP_BITS;
}

/* First available bit at or after `goal`, else before it; map->bits: none. */
static uint32_t search(const struct bitmap *map, uint32_t goal)
{
    if (goal >= map->bits)
        goal = 0;
    uint32_t from = goal % GROUP_BITS;
    for (uint32_t i = 0; i <= map->groups; i++, from = 0) {     /* the first group once more, for its beginning */
        uint32_t index = (goal / GROUP_BITS + i) % map->groups;
        uint32_t bit = search_group(map, index, from);
        if (bit < GROUP_BITS)
            return index * GROUP_BITS + bit;
    }
    return map->bits;
}

/* Set `bit` and up to want-1 available ones after it, in the same group. Returns how many. */
static uint32_t take_run(struct bitmap *map, uint32_t bit, uint32_t want)
{
    struct group *g = group_at(map, bit / GROUP_BITS);
    uint64_t *words = g->map->data;
    uint32_t in_group = bit % GROUP_BITS, count = 0;
    log_modify(g->map);
    while (count < want && in_group + count < GROUP_BITS && bit + count < map->bits) {
        uint32_t at = in_group + count;
        if (!((available(g, at / 64) >> (at % 64)) & 1))
            break;
        words[at / 64] |= (uint64_t)1 << (at % 64);
        count++;
    }
    g->free -= count;
    map->free -= count;
    return count;
}

/* ---- Generations of freed blocks */

static bool generation_empty(unsigned which)
{
    for (uint32_t i = 0; i < blocks.groups; i++)
        if (group_at(&blocks, i)->pending_count[which] > 0)
            return false;
    return true;
}

static void clear_generation(unsigned which)
{
    for (uint32_t i = 0; i < blocks.groups; i++) {
        struct group *g = group_at(&blocks, i);
        if (g->pending_count[which] > 0)
            clear_page(g->pending[which]);
        g->pending_count[which] = 0;
    }
}

/* Make reusable what the log's tail has passed; seal what was freed since. */
static void turn_generations(void)
{
    for (;;) {
        if (sealed && log_tail_sequence() > sealed_sequence) {
            clear_generation(!filling);
            sealed = false;
        }
        if (sealed || generation_empty(filling))
            return;
        sealed = true;
        sealed_sequence = filling_sequence;
        filling = !filling;
    }
}

bool alloc_blocked_by_log(void)
{
    sleep_acquire(&alloc_lock);
    bool waiting = !generation_empty(0) || !generation_empty(1);
    sleep_release(&alloc_lock);
    return waiting;
}

bool alloc_has_space(void)
{
    return blocks.free > 0 && inodes.free > 0;
}

/* ---- Blocks */

int alloc_blocks(uint32_t goal, uint32_t want, uint32_t *start)
{
    sleep_acquire(&alloc_lock);
    turn_generations();
    uint32_t bit = search(&blocks, goal != 0 ? goal : blocks.hint);
    int count = -ENOSPC;
    if (bit < blocks.bits) {
        count = (int)take_run(&blocks, bit, want);
        *start = bit;
        blocks.hint = bit + (uint32_t)count;
    }
    sleep_release(&alloc_lock);
    return count;
}

static void free_one(uint32_t block)
{
    if (!block_is_data(block) || !bit_is_set(&blocks, block)) {
        DAMAGE("block %u is freed but not in use", block);
        return;
    }
    struct group *g = group_at(&blocks, block / GROUP_BITS);
    uint32_t at = block % GROUP_BITS;
    log_modify(g->map);
    ((uint64_t *)g->map->data)[at / 64] &= ~((uint64_t)1 << (at % 64));
    g->pending[filling][at / 64] |= (uint64_t)1 << (at % 64);
    g->pending_count[filling]++;
    filling_sequence = log_sequence();
    g->free++;
    blocks.free++;
    log_forget(block);
}

void free_blocks(uint32_t start, uint32_t count)
{
    sleep_acquire(&alloc_lock);
    for (uint32_t i = 0; i < count; i++)
        free_one(start + i);
    sleep_release(&alloc_lock);
}

/* ---- Inode numbers */

int alloc_inode_number(uint32_t *inum)
{
    sleep_acquire(&alloc_lock);
    uint32_t bit = search(&inodes, inodes.hint);
    if (bit < inodes.bits) {
        (void)take_run(&inodes, bit, 1);
        inodes.hint = bit + 1;
        *inum = bit;
    }
    sleep_release(&alloc_lock);
    return bit < inodes.bits ? 0 : -ENOSPC;
}

void free_inode_number(uint32_t inum)
{
    struct group *g = group_at(&inodes, inum / GROUP_BITS);
    uint32_t at = inum % GROUP_BITS;
    sleep_acquire(&alloc_lock);
    if (bit_is_set(&inodes, inum)) {
        log_modify(g->map);
        ((uint64_t *)g->map->data)[at / 64] &= ~((uint64_t)1 << (at % 64));
        g->free++;
        inodes.free++;
        inodes.hint = MIN(inodes.hint, inum);   /* low numbers first: the table stays dense */
    }
    sleep_release(&alloc_lock);
}

bool inode_number_in_use(uint32_t inum)
{
    return inum < inodes.bits && bit_is_set(&inodes, inum);
}

void alloc_statistics(struct statfs *fs)
{
    fs->blocks_free = blocks.free;
    fs->blocks_total = blocks.bits;
    fs->blocks_data = blocks.bits - data_start;
    fs->inodes_total = inodes.bits;
    fs->inodes_free = inodes.free;
}
