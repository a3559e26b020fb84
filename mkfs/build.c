/*
 * build.c -- writes a tree of nodes as a file system image.
 *
 * Blocks are given out in ascending order and never returned, inodes likewise, so both maps end up as one run of
 * ones, and the data of every file is contiguous, its index blocks after it.
 *
 * Must never: depend on anything but the arguments, the host files and SOURCE_DATE_EPOCH. The same inputs give the
 * same bytes. What has no host file (directories, devices, links) takes the newest mtime of the host files.
 */
#include "mkfs/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mkfs/layout.h"
#define stat tamal_stat                 /* abi/stat.h and the host both have a struct stat */
#include "abi/stat.h"
#undef stat

struct builder {
    int                      fd;
    const struct superblock *sb;
    uint32_t                 next_block;    /* the lowest block not yet given out */
    struct disk_inode       *inodes;        /* 0 .. ninodes-1 */
    uint32_t                 ninodes;
};

/* The blocks of the file being written: numbers, in order. */
struct block_list {
    uint32_t *numbers;
    uint32_t  count, capacity;
};

static bool is_zero(const uint8_t *block)
{
    return block[0] == 0 && memcmp(block, block + 1, FS_BLOCK_SIZE - 1) == 0;
}

static void write_block(const struct builder *build, uint32_t number, const void *block)
{
    size_t done = 0;
    if (is_zero(block))
        return;                             /* a hole in the host file reads as zero */
    while (done < FS_BLOCK_SIZE) {
        ssize_t n = pwrite(build->fd, (const char *)block + done, FS_BLOCK_SIZE - done,
                           (off_t)number * FS_BLOCK_SIZE + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("writing block %u of the image: %s", number, strerror(n < 0 ? errno : ENOSPC));
        done += (size_t)n;
    }
}

static uint32_t take_block(struct builder *build, const char *who)
{
    if (build->next_block >= build->sb->blocks)
        die("%s: no room: the %u data blocks of the image are used up", who,
            build->sb->blocks - build->sb->data_start);
    return build->next_block++;
}

static const char *describe(const struct node *node)
{
    return node->source != NULL ? node->source : node->name[0] != '\0' ? node->name : "/";
}

static void append_block(struct builder *build, struct block_list *list, const struct node *node,
                         const void *block)
{
    if (list->count == FS_MAX_BLOCKS)
        die("%s: larger than the format's largest file, %llu blocks", describe(node),
            (unsigned long long)FS_MAX_BLOCKS);
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->numbers = realloc(list->numbers, list->capacity * sizeof list->numbers[0]);
        if (list->numbers == NULL)
            die("%s: out of memory", describe(node));
    }
    list->numbers[list->count] = take_block(build, describe(node));
    write_block(build, list->numbers[list->count++], block);
}

/* Write `count` block numbers as one index block; give back where. */
static uint32_t write_index(struct builder *build, struct disk_inode *inode, const struct node *node,
                            const uint32_t *numbers, uint32_t count)
{
    uint32_t index[FS_INDEX] = { 0 };
    uint32_t where = take_block(build, describe(node));
    memcpy(index, numbers, count * sizeof index[0]);
    write_block(build, where, index);
    inode->blocks++;
    return where;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Enter the blocks of the list into the inode and its index blocks. The list is freed. */
static void map_blocks(struct builder *build, struct disk_inode *inode, const struct node *node,
                       struct block_list *list)
{
    const uint32_t *at = list->numbers;
    uint32_t left = list->count, take = smaller(left, FS_DIRECT), outer[FS_INDEX], nouter = 0;

    inode->blocks = list->count;
    if (take > 0)
        memcpy(inode->direct, at, take * sizeof at[0]);
    at += take, left -= take;
    take = smaller(left, FS_INDEX);
    if (take > 0)
        inode->indirect = write_index(build, inode, node, at, take);
    at += take, left -= take;
    for (; left > 0; at += take, left -= take) {
        take = smaller(left, FS_INDEX);
        outer[nouter++] = write_index(build, inode, node, at, take);
    }
    if (nouter > 0)
        inode->double_indirect = write_index(build, inode, node, outer, nouter);
    free(list->numbers);
}

/* Read exactly nbytes of the host file. */
static void read_host(int fd, const char *name, uint8_t *buffer, size_t nbytes)
{
    while (nbytes > 0) {
        ssize_t n = read(fd, buffer, nbytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("%s: %s", name, n < 0 ? strerror(errno) : "became shorter while it was read");
        buffer += n;
        nbytes -= (size_t)n;
    }
}

static void write_file(struct builder *build, struct disk_inode *inode, const struct node *node)
{
    struct block_list list = { 0 };
    struct stat status;
    int fd = open(node->source, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        die("%s: %s", node->source, strerror(errno));
    inode->size = (uint64_t)status.st_size;
    for (uint64_t done = 0; done < inode->size; done += FS_BLOCK_SIZE) {
        uint8_t block[FS_BLOCK_SIZE] = { 0 };
        uint64_t left = inode->size - done;
        read_host(fd, node->source, block, left < FS_BLOCK_SIZE ? (size_t)left : FS_BLOCK_SIZE);
        append_block(build, &list, node, block);
    }
    close(fd);
    map_blocks(build, inode, node, &list);
}

static void write_symlink(struct builder *build, struct disk_inode *inode, const struct node *node)
{
    struct block_list list = { 0 };
    uint8_t block[FS_BLOCK_SIZE] = { 0 };
    inode->size = strlen(node->source);
    memcpy(block, node->source, inode->size);       /* FS_SYMLINK_MAX, and so one block */
    append_block(build, &list, node, block);
    map_blocks(build, inode, node, &list);
}

static void set_entry(struct dirent *entry, uint32_t inum, const char *name)
{
    entry->inum = inum;
    memcpy(entry->name, name, strlen(name));        /* FS_NAME_MAX at most, the rest is zero already */
}

static void write_directory(struct builder *build, struct disk_inode *inode, const struct node *node)
{
    struct block_list list = { 0 };
    uint32_t nentries = 2 + node->nchildren, slot = 2;
    uint32_t nblocks = (nentries + DIRENTS_PER_BLOCK - 1) / DIRENTS_PER_BLOCK;
    struct dirent *entries = allocate((uint64_t)nblocks * FS_BLOCK_SIZE);

    set_entry(&entries[0], node->inum, ".");
    set_entry(&entries[1], node->parent->inum, "..");
    for (const struct node *child = node->children; child != NULL; child = child->sibling)
        set_entry(&entries[slot++], child->inum, child->name);
    for (uint32_t i = 0; i < nblocks; i++)
        append_block(build, &list, node, &entries[i * DIRENTS_PER_BLOCK]);
    free(entries);
    inode->size = (uint64_t)nentries * sizeof(struct dirent);
    inode->nlink = (uint16_t)(2 + node->nsubdirs);
    map_blocks(build, inode, node, &list);
}

static void write_node(struct builder *build, const struct node *node)
{
    struct disk_inode *inode = &build->inodes[node->inum];
    inode->type = node->type;
    inode->nlink = 1;
    inode->mtime = node->mtime;
    switch (node->type) {
    case T_DIR:     write_directory(build, inode, node); break;
    case T_FILE:    write_file(build, inode, node); break;
    case T_SYMLINK: write_symlink(build, inode, node); break;
    default:        inode->major = node->major; inode->minor = node->minor; break;
    }
}

/* A map whose first nbits bits are ones. */
static void write_map(const struct builder *build, uint32_t start, uint32_t nbits)
{
    for (; nbits > 0; start++) {
        uint8_t block[FS_BLOCK_SIZE] = { 0 };
        uint32_t here = smaller(nbits, BITS_PER_BLOCK);
        memset(block, 0xff, here / 8);
        if (here % 8 != 0)
            block[here / 8] = (uint8_t)((1u << here % 8) - 1);
        write_block(build, start, block);
        nbits -= here;
    }
}

static void write_metadata(const struct builder *build)
{
    const struct superblock *sb = build->sb;
    struct log_header header = { .magic = LOG_HEADER_MAGIC, .tail = 0, .sequence = 1 };
    uint8_t block[FS_BLOCK_SIZE] = { 0 };

    for (uint32_t i = 0; i * INODES_PER_BLOCK < build->ninodes; i++)
        write_block(build, sb->inode_start + i, &build->inodes[i * INODES_PER_BLOCK]);
    write_map(build, sb->imap_start, build->ninodes);
    write_map(build, sb->bmap_start, build->next_block);
    header.checksum = image_log_header_checksum(&header);
    memcpy(block, &header, sizeof header);
    write_block(build, sb->log_start, block);
    memset(block, 0, sizeof block);
    memcpy(block, sb, sizeof *sb);
    write_block(build, 0, block);
}

/* SOURCE_DATE_EPOCH as a number, or -1 when it is not set. */
static int64_t epoch_wanted(void)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    char *end;
    if (text == NULL || *text == '\0')
        return -1;
    errno = 0;
    long long epoch = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || epoch < 0)
        die("SOURCE_DATE_EPOCH: \"%s\" is not a number of seconds", text);
    return epoch;
}

/* Give every node its mtime; on the way, refuse sources that are not ordinary files. */
static void set_times(struct node *root)
{
    int64_t epoch = epoch_wanted(), newest = 0;
    for (struct node *node = root; node != NULL; node = node->next_made) {
        struct stat status;
        if (node->type != T_FILE)
            continue;
        if (stat(node->source, &status) < 0)
            die("%s: %s", node->source, strerror(errno));
        if (!S_ISREG(status.st_mode))
            die("%s: not an ordinary file", node->source);
        node->mtime = status.st_mtime;
        if (node->mtime > newest)
            newest = node->mtime;
    }
    for (struct node *node = root; node != NULL; node = node->next_made)
        if (epoch >= 0)
            node->mtime = epoch;
        else if (node->type != T_FILE)
            node->mtime = newest;
}

static uint32_t count_inodes(const struct node *root)
{
    uint32_t last = 0;
    for (const struct node *node = root; node != NULL; node = node->next_made)
        last = node->inum;
    return last + 1;
}

void build_image(int fd, const struct superblock *sb, struct node *root)
{
    struct builder build = { .fd = fd, .sb = sb, .next_block = sb->data_start };

    build.ninodes = count_inodes(root);
    if (build.ninodes > sb->inodes)
        die("%u inodes are needed, the image has %u: give more with -i", build.ninodes, sb->inodes);
    build.inodes = allocate(((uint64_t)build.ninodes + INODES_PER_BLOCK) * sizeof build.inodes[0]);
    set_times(root);
    if (ftruncate(fd, (off_t)sb->blocks * FS_BLOCK_SIZE) < 0)
        die("setting the size of the image: %s", strerror(errno));
    for (const struct node *node = root; node != NULL; node = node->next_made)
        write_node(&build, node);
    write_metadata(&build);
    free(build.inodes);
}
