/*
 * fuzz.c -- fsck's core must survive any bytes: damages images at random and checks and repairs each.
 *
 *   fuzz IMAGE ROUNDS SEED     built with address and undefined-behaviour sanitizers; exit status 0: survived
 *
 * Most damage goes where the structure is, and checksums are often made right again, or nothing behind them would
 * ever be reached. Also proves: fsck_check changes no byte; fsck_repair of a consistent image gives a clean one.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mkfs/check.h"
#include "mkfs/crc32.h"
#include "mkfs/layout.h"

static uint64_t random_state;
static struct superblock layout;        /* of the undamaged image */
static unsigned long verdicts[3];

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return limit == 0 ? 0 : (uint32_t)(random_state >> 33) % limit;
}

static uint8_t *read_image(const char *path, size_t *nbytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(2);
    }
    *nbytes = (size_t)ftell(file);
    uint8_t *image = malloc(*nbytes);
    rewind(file);
    if (image == NULL || fread(image, 1, *nbytes, file) != *nbytes) {
        perror(path);
        exit(2);
    }
    fclose(file);
    return image;
}

/* A block worth damaging: the structure first, then the first data blocks (directories, index blocks). */
static uint32_t choose_block(void)
{
    switch (random_below(8)) {
    case 0:  return 0;
    case 1:  return layout.log_start;
    case 2:  return layout.log_start + 1 + random_below(24);
    case 3:  return layout.imap_start;
    case 4:  return layout.bmap_start;
    case 5:  return layout.inode_start;
    case 6:  return layout.data_start + random_below(64);
    default: return random_below(layout.blocks);
    }
}

/* A number that is likely to mean something, well or badly. */
static uint32_t choose_number(void)
{
    switch (random_below(8)) {
    case 0:  return 0;
    case 1:  return UINT32_MAX - random_below(3);
    case 2:  return layout.blocks - 1 + random_below(3);
    case 3:  return random_below(layout.blocks);
    case 4:  return layout.data_start + random_below(64);
    case 5:  return random_below(8);
    case 6:  return 1u << random_below(32);
    default: return random_below(UINT32_MAX);
    }
}

static void damage(uint8_t *image, size_t nbytes)
{
    size_t at = (size_t)choose_block() * FS_BLOCK_SIZE;
    uint32_t number = choose_number();
    at += random_below(2) ? random_below(FS_BLOCK_SIZE) : random_below(1024);
    switch (random_below(3)) {
    case 0:
        at &= ~(size_t)3;
        if (at + sizeof number <= nbytes)
            memcpy(image + at, &number, sizeof number);
        break;
    case 1:
        if (at < nbytes)
            image[at] ^= (uint8_t)(1u << random_below(8));
        break;
    default:
        for (uint32_t run = random_below(100); run > 0 && at < nbytes; run--, at++)
            image[at] = (uint8_t)(number >> 8 * (at & 3));
        break;
    }
}

static void mend_group(uint8_t *block, size_t room)
{
    struct log_group group;
    memcpy(&group, block, sizeof group);
    if (group.magic != LOG_GROUP_MAGIC)
        return;
    if (group.count <= LOG_GROUP_MAX && (size_t)group.count * FS_BLOCK_SIZE <= room)
        group.body_checksum = image_crc32(0, block + FS_BLOCK_SIZE, (size_t)group.count * FS_BLOCK_SIZE);
    group.checksum = image_crc32(0, &group, offsetof(struct log_group, checksum));
    memcpy(block, &group, sizeof group);
}

/* Make all checksums right, whatever they cover now. */
static void mend_checksums(uint8_t *image, size_t nbytes)
{
    struct superblock sb;
    struct log_header header;
    size_t end = ((size_t)layout.log_start + layout.log_blocks) * FS_BLOCK_SIZE;
    size_t log = (size_t)layout.log_start * FS_BLOCK_SIZE;
    if (nbytes < end)
        return;
    memcpy(&sb, image, sizeof sb);
    sb.checksum = image_superblock_checksum(&sb);
    memcpy(image, &sb, sizeof sb);
    memcpy(&header, image + log, sizeof header);
    header.checksum = image_log_header_checksum(&header);
    memcpy(image + log, &header, sizeof header);
    for (size_t at = log + FS_BLOCK_SIZE; at < end; at += FS_BLOCK_SIZE)
        mend_group(image + at, end - at - FS_BLOCK_SIZE);
}

static void fail(const char *what, uint32_t round)
{
    printf("fuzz: round %u: %s\n", round, what);
    exit(1);
}

static void count_line(void *context, enum fsck_kind kind, const char *line)
{
    (void)kind;
    *(size_t *)context += strlen(line);
}

static void try_image(uint8_t *image, size_t nbytes, uint32_t round)
{
    struct fsck_result result, again;
    uint8_t *before = malloc(nbytes);
    size_t printed = 0;

    memcpy(before, image, nbytes);
    fsck_check(image, nbytes, count_line, &printed, &result);
    if (memcmp(image, before, nbytes) != 0)
        fail("fsck_check changed the image", round);
    free(before);
    if (result.verdict > FSCK_CANNOT_CHECK || (result.verdict == FSCK_INCONSISTENT) != (result.problems != 0))
        fail("the verdict does not fit the problems", round);
    verdicts[result.verdict]++;
    fsck_repair(image, nbytes, &again);
    if (again.verdict != result.verdict || again.problems != result.problems)
        fail("fsck_repair saw another image than fsck_check", round);
    fsck_check(image, nbytes, NULL, NULL, &again);
    if (result.verdict == FSCK_CLEAN && (again.verdict != FSCK_CLEAN || again.transactions || again.orphans))
        fail("a consistent image is not clean after fsck_repair", round);
}

int main(int argc, char **argv)
{
    size_t nbytes;
    char why[256];
    if (argc != 4) {
        fprintf(stderr, "usage: fuzz IMAGE ROUNDS SEED\n");
        return 2;
    }
    uint8_t *original = read_image(argv[1], &nbytes);
    random_state = strtoull(argv[3], NULL, 10);
    if (!image_layout_check(&layout, original, nbytes, why, sizeof why)) {
        fprintf(stderr, "%s: %s\n", argv[1], why);
        return 2;
    }
    for (uint32_t round = 0; round < strtoul(argv[2], NULL, 10); round++) {
        size_t kept = random_below(16) != 0 ? nbytes : random_below((uint32_t)nbytes) + 1;
        uint8_t *image = malloc(kept);          /* exactly as long as the image: the sanitizer sees a step beyond */
        memcpy(image, original, kept);
        for (uint32_t times = 1 + random_below(round % 4 == 0 ? 40 : 3); times > 0; times--)
            damage(image, kept);
        if (random_below(4) != 0)
            mend_checksums(image, kept);
        try_image(image, kept, round);
        free(image);
    }
    free(original);
    printf("fuzz: %lu clean, %lu inconsistent, %lu cannot check\n", verdicts[0], verdicts[1], verdicts[2]);
    return 0;
}
