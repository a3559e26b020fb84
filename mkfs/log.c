/*
 * log.c -- finds the committed transactions in an image's log, as recovery does.
 *
 * A transaction is some groups in a row; a group is a descriptor and the blocks it lists. Nothing of a transaction
 * enters the view before its last group has been proven whole.
 *
 * Must never: go round the ring more than once (a hostile image could make that endless), or accept a home outside
 * the maps, the inode table and the data: superblock and log are never logged.
 */
#include "mkfs/log.h"

#include <stdio.h>
#include <string.h>

#include "mkfs/crc32.h"
#include "mkfs/layout.h"

/* Where the scan stands. */
struct scan {
    struct view      *view;
    struct log_state *state;
    uint32_t          ring;             /* blocks in the ring */
    uint32_t          tail;             /* ring index of the first group */
    uint32_t          used;             /* ring blocks of the groups already accepted */
};

enum group_verdict { GROUP_WHOLE, GROUP_ABSENT, GROUP_WRONG };

/* The disk block at `offset` blocks after the tail, round the ring. */
static uint32_t ring_block(const struct scan *scan, uint32_t offset)
{
    uint64_t index = ((uint64_t)scan->tail + offset) % scan->ring;
    return scan->view->sb.log_start + 1 + (uint32_t)index;
}

/* The raw bytes: the log itself is never replayed over. */
static const uint8_t *ring_bytes(const struct scan *scan, uint32_t offset)
{
    return scan->view->image + (size_t)ring_block(scan, offset) * FS_BLOCK_SIZE;
}

static uint32_t body_checksum(const struct scan *scan, uint32_t offset, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum = image_crc32(sum, ring_bytes(scan, offset + 1 + i), FS_BLOCK_SIZE);
    return sum;
}

/* Checksummed, and yet not what the format allows? */
static bool contents_wrong(const struct scan *scan, const struct log_group *group)
{
    const struct superblock *sb = &scan->view->sb;
    struct log_state *state = scan->state;
    unsigned long long sequence = group->sequence;

    if (group->count == 0 || group->count > LOG_GROUP_MAX) {
        snprintf(state->why, sizeof state->why, "log: transaction %llu: a group of %u blocks, allowed are 1 to %u",
                 sequence, group->count, LOG_GROUP_MAX);
        return true;
    }
    if (group->last > 1) {
        snprintf(state->why, sizeof state->why, "log: transaction %llu: last is %u, not 0 or 1",
                 sequence, group->last);
        return true;
    }
    for (uint32_t i = 0; i < group->count; i++)
        if (group->home[i] < sb->imap_start || group->home[i] >= sb->blocks) {
            snprintf(state->why, sizeof state->why, "log: transaction %llu: home block %u is outside %u to %u",
                     sequence, group->home[i], sb->imap_start, sb->blocks - 1);
            return true;
        }
    return false;
}

/* Read and prove the group whose descriptor is `offset` blocks after the tail. */
static enum group_verdict read_group(const struct scan *scan, uint32_t offset, struct log_group *group)
{
    if (offset >= scan->ring)
        return GROUP_ABSENT;
    memcpy(group, ring_bytes(scan, offset), sizeof *group);
    if (group->magic != LOG_GROUP_MAGIC || group->sequence != scan->state->next_sequence)
        return GROUP_ABSENT;
    if (group->checksum != image_crc32(0, group, offsetof(struct log_group, checksum)))
        return GROUP_ABSENT;
    if (contents_wrong(scan, group))
        return GROUP_WRONG;
    if (group->count > scan->ring - offset - 1)
        return GROUP_ABSENT;                        /* it would run into its own beginning */
    if (group->body_checksum != body_checksum(scan, offset, group->count))
        return GROUP_ABSENT;
    return GROUP_WHOLE;
}

/* Is the next transaction there, whole? *nblocks: the ring blocks it takes. */
static bool prove_transaction(struct scan *scan, uint32_t *nblocks)
{
    struct log_group group;
    uint32_t offset = scan->used;
    do {
        enum group_verdict verdict = read_group(scan, offset, &group);
        if (verdict == GROUP_WRONG)
            scan->state->sound = false;
        if (verdict != GROUP_WHOLE)
            return false;
        offset += 1 + group.count;
    } while (group.last == 0);
    *nblocks = offset - scan->used;
    return true;
}

/* Enter a proven transaction into the view. */
static void enter_transaction(struct scan *scan, uint32_t nblocks)
{
    uint32_t end = scan->used + nblocks;
    while (scan->used < end) {
        struct log_group group;
        memcpy(&group, ring_bytes(scan, scan->used), sizeof group);
        for (uint32_t i = 0; i < group.count; i++)
            scan->view->moved[group.home[i]] = ring_block(scan, scan->used + 1 + i);
        scan->used += 1 + group.count;
    }
    scan->state->transactions++;
    scan->state->next_sequence++;
}

static bool header_sound(const struct log_header *header, uint32_t ring, struct log_state *state)
{
    if (header->magic != LOG_HEADER_MAGIC)
        snprintf(state->why, sizeof state->why, "log header: magic is 0x%x, expected 0x%x",
                 header->magic, LOG_HEADER_MAGIC);
    else if (header->checksum != image_log_header_checksum(header))
        snprintf(state->why, sizeof state->why, "log header: checksum is 0x%x, computed 0x%x",
                 header->checksum, image_log_header_checksum(header));
    else if (header->tail >= ring)
        snprintf(state->why, sizeof state->why, "log header: tail is %u, but the ring has %u blocks",
                 header->tail, ring);
    else
        return true;
    return false;
}

void log_replay(struct view *view, struct log_state *state)
{
    struct scan scan = { .view = view, .state = state, .ring = view->sb.log_blocks - 1 };
    struct log_header header;
    uint32_t nblocks;

    memset(state, 0, sizeof *state);
    memcpy(&header, view->image + (size_t)view->sb.log_start * FS_BLOCK_SIZE, sizeof header);
    state->sound = header_sound(&header, scan.ring, state);
    if (!state->sound)
        return;
    state->next_sequence = header.sequence;
    scan.tail = header.tail;
    while (prove_transaction(&scan, &nblocks))
        enter_transaction(&scan, nblocks);
}
