/*
 * check.c -- fsck_check: the order of the passes, the reports, the two maps.
 *
 *   superblock -> log (replayed in the view) -> inodes -> directories -> links -> maps
 *
 * Each pass may rely on what the passes before it proved, and on nothing else in the image.
 * Not here: what fsck prints (fsck.c), changes to an image (repair.c).
 */
#include "mkfs/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/stat.h"
#include "mkfs/check_parts.h"
#include "mkfs/layout.h"
#include "mkfs/log.h"

#define LINE_BYTES 512

static void report_line(struct check *check, enum fsck_kind kind, const char *format, va_list arguments)
{
    char line[LINE_BYTES];
    if (check->report == NULL)
        return;
    vsnprintf(line, sizeof line, format, arguments);
    check->report(check->context, kind, line);
}

void check_problem(struct check *check, const char *format, ...)
{
    va_list arguments;
    if (check->result->problems++ >= FSCK_PROBLEMS_REPORTED)
        return;
    va_start(arguments, format);
    report_line(check, FSCK_PROBLEM, format, arguments);
    va_end(arguments);
}

void check_note(struct check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_line(check, FSCK_NOTE, format, arguments);
    va_end(arguments);
}

static void cannot_check(struct check *check, const char *why)
{
    check->result->verdict = FSCK_CANNOT_CHECK;
    if (check->report != NULL)
        check->report(check->context, FSCK_FATAL, why);
}

bool check_is_orphan(const struct check *check, uint32_t inum)
{
    const struct inode_facts *facts = &check->facts[inum];
    return facts->type != 0 && facts->nlink == 0 && facts->names == 0 && inum != FS_ROOT_INODE;
}

/* The superblock's block holds nothing else. */
static void check_superblock_end(struct check *check)
{
    for (size_t i = sizeof(struct superblock); i < FS_BLOCK_SIZE; i++)
        if (check->view.image[i] != 0) {
            check_problem(check, "superblock: byte %zu of its block is not zero", i);
            return;
        }
}

static void check_log(struct check *check)
{
    struct log_state state;
    log_replay(&check->view, &state);
    check->result->transactions = state.transactions;
    if (state.transactions != 0)
        check_note(check, "log: %u transactions replayed", state.transactions);
    if (!state.sound)
        check_problem(check, "%s", state.why);
}

static void check_inode_map(struct check *check)
{
    const struct superblock *sb = &check->view.sb;
    for (uint32_t inum = 0; inum < sb->inodes; inum++) {
        bool marked = view_map_bit(&check->view, sb->imap_start, inum);
        bool used = inum == 0 || check->facts[inum].type != 0;
        if (used && !marked)
            check_problem(check, "inode map: inode %u is in use, but marked free", inum);
        if (!used && marked)
            check_problem(check, "inode map: inode %u is free, but marked in use", inum);
    }
}

/* Bits of a map after the last that means something are 0. */
static void check_map_end(struct check *check, const char *name, uint32_t start, uint32_t nblocks, uint32_t nbits)
{
    uint64_t all = (uint64_t)nblocks * BITS_PER_BLOCK;
    for (uint64_t bit = nbits; bit < all; bit++)
        if (view_map_bit(&check->view, start, (uint32_t)bit)) {
            check_problem(check, "%s map: bit %u is set, but only %u bits mean something", name, (uint32_t)bit, nbits);
            return;
        }
}

/* What the block map says of a block, compared with who uses it. Runs of blocks with the same complaint are one
 * line, so that a lost directory of a thousand blocks is not a thousand lines. */
enum complaint { NO_COMPLAINT, LEAKED, UNMARKED, METADATA_FREE };

static enum complaint judge_block(const struct check *check, uint32_t block)
{
    bool marked = view_map_bit(&check->view, check->view.sb.bmap_start, block);
    if (block < check->view.sb.data_start)
        return marked ? NO_COMPLAINT : METADATA_FREE;
    if (marked && check->owner[block] == 0)
        return LEAKED;
    if (!marked && check->owner[block] != 0)
        return UNMARKED;
    return NO_COMPLAINT;
}

static void report_run(struct check *check, enum complaint complaint, uint32_t first, uint32_t end)
{
    char blocks[48];
    if (end - first == 1)
        snprintf(blocks, sizeof blocks, "block %u", first);
    else
        snprintf(blocks, sizeof blocks, "blocks %u to %u", first, end - 1);
    if (complaint == LEAKED)
        check_problem(check, "block map: %s leaked: marked in use, but nothing uses them", blocks);
    else if (complaint == UNMARKED)
        check_problem(check, "block map: %s used by inode %u, but marked free", blocks, check->owner[first]);
    else if (complaint == METADATA_FREE)
        check_problem(check, "block map: %s before the data area, but marked free", blocks);
}

static void check_block_map(struct check *check)
{
    const struct superblock *sb = &check->view.sb;
    enum complaint now, before = NO_COMPLAINT;
    uint32_t first = 0;

    for (uint32_t block = 0; block < sb->blocks; block++) {
        check->result->used_blocks += view_map_bit(&check->view, sb->bmap_start, block);
        now = judge_block(check, block);
        if (now == before && check->owner[block] == check->owner[first])
            continue;
        report_run(check, before, first, block);
        before = now;
        first = block;
    }
    report_run(check, before, first, sb->blocks);
}

static void check_all(struct check *check)
{
    const struct superblock *sb = &check->view.sb;
    check_superblock_end(check);
    check_log(check);
    check_inodes(check);
    check_directories(check);
    check_links(check);
    check_inode_map(check);
    check_map_end(check, "inode", sb->imap_start, sb->imap_blocks, sb->inodes);
    check_block_map(check);
    check_map_end(check, "block", sb->bmap_start, sb->bmap_blocks, sb->blocks);
}

void fsck_check(const void *image, size_t bytes, fsck_report report, void *context, struct fsck_result *result)
{
    struct check check = { .report = report, .context = context, .result = result };
    char why[256];

    memset(result, 0, sizeof *result);
    if (!view_open(&check.view, image, bytes, why, sizeof why)) {
        cannot_check(&check, why);
        return;
    }
    result->total_blocks = check.view.sb.blocks;
    check.owner = calloc(check.view.sb.blocks, sizeof check.owner[0]);
    check.facts = calloc(check.view.sb.inodes, sizeof check.facts[0]);
    if (check.owner != NULL && check.facts != NULL)
        check_all(&check);
    if (check.owner == NULL || check.facts == NULL || check.out_of_memory)
        cannot_check(&check, "not enough memory");
    else
        result->verdict = result->problems == 0 ? FSCK_CLEAN : FSCK_INCONSISTENT;
    free(check.dir_blocks);
    free(check.facts);
    free(check.owner);
    view_close(&check.view);
}
