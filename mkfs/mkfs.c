/*
 * mkfs.c -- makes a file system image on the host: the command line, and the image's life as a file.
 *
 * The image grows under a temporary name beside the wanted one and is renamed when it is complete, so a failure
 * leaves nothing half made and an older image intact.
 * Not here: entries (tree.c), the areas of an image (layout.c), their contents (build.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mkfs/build.h"
#include "mkfs/layout.h"
#include "mkfs/tree.h"

#define DEFAULT_BYTES      (64ull << 20)
#define BYTES_PER_INODE    (16u << 10)
#define DEFAULT_INODES_MIN 1024u
#define DEFAULT_LOG_BLOCKS 1024u
#define LOG_SHARE          16u          /* the default log takes at most 1/16 of the disk ... */
#define LOG_BLOCKS_MIN     64u          /* ... but never less than this, nor may -l ask for less */

static char temporary[4096];            /* the unfinished image; empty when there is none */

static const char usage[] =
    "usage: mkfs -o IMAGE [-s SIZE[K|M|G]] [-i INODES] [-l LOGBLOCKS] ENTRY...\n"
    "ENTRY: /path=hostfile   /path=c:MAJOR,MINOR   /path->target   /directory/\n";

struct options {
    const char *image;
    uint64_t    nbytes;
    uint64_t    inodes, log_blocks;     /* 0: choose by the size */
};

void die(const char *format, ...)
{
    va_list arguments;
    if (temporary[0] != '\0')
        unlink(temporary);
    fputs("mkfs: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void *allocate(uint64_t nbytes)
{
    void *memory = nbytes <= SIZE_MAX ? calloc(1, (size_t)nbytes) : NULL;
    if (memory == NULL)
        die("out of memory: %llu bytes", (unsigned long long)nbytes);
    return memory;
}

static void interrupted(int signal_number)
{
    unlink(temporary);
    _exit(128 + signal_number);
}

/* A positive decimal number, with K, M or G after it where `units` is set. */
static uint64_t read_amount(const char *text, char option, bool units)
{
    char *end;
    unsigned shift = 0;
    errno = 0;
    unsigned long long amount = strtoull(text, &end, 10);
    if (units && *end != '\0' && end[1] == '\0')
        shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (shift != 0)
        end++;
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || amount == 0 || amount > UINT64_MAX >> shift)
        die("-%c %s: not a number%s above 0", option, text, units ? ", with K, M or G," : "");
    return amount << shift;
}

static struct options read_options(int argc, char **argv)
{
    struct options options = { .nbytes = DEFAULT_BYTES };
    int option;
    while ((option = getopt(argc, argv, "o:s:i:l:")) != -1)
        switch (option) {
        case 'o': options.image = optarg; break;
        case 's': options.nbytes = read_amount(optarg, 's', true); break;
        case 'i': options.inodes = read_amount(optarg, 'i', false); break;
        case 'l': options.log_blocks = read_amount(optarg, 'l', false); break;
        default:  fputs(usage, stderr); exit(1);
        }
    if (options.image == NULL || options.image[0] == '\0') {
        fputs("mkfs: no image: give -o IMAGE\n", stderr);
        fputs(usage, stderr);
        exit(1);
    }
    return options;
}

static uint32_t choose_inodes(const struct options *options)
{
    uint64_t inodes = options->inodes;
    if (inodes == 0)
        inodes = options->nbytes / BYTES_PER_INODE;
    if (options->inodes == 0 && inodes < DEFAULT_INODES_MIN)
        inodes = DEFAULT_INODES_MIN;
    if (inodes > UINT32_MAX - INODES_PER_BLOCK)
        die("-i %llu: too many inodes", (unsigned long long)inodes);
    if (inodes <= FS_ROOT_INODE)
        die("-i %llu: at least %u, inode 0 is never used", (unsigned long long)inodes, FS_ROOT_INODE + 1);
    return (uint32_t)(inodes + INODES_PER_BLOCK - 1) / INODES_PER_BLOCK * INODES_PER_BLOCK;
}

static uint32_t choose_log_blocks(const struct options *options, uint32_t blocks)
{
    if (options->log_blocks != 0) {
        if (options->log_blocks < LOG_BLOCKS_MIN || options->log_blocks >= blocks)
            die("-l %llu: the log needs at least %u blocks and fewer than the disk's %u",
                (unsigned long long)options->log_blocks, LOG_BLOCKS_MIN, blocks);
        return (uint32_t)options->log_blocks;
    }
    if (blocks / LOG_SHARE > DEFAULT_LOG_BLOCKS)
        return DEFAULT_LOG_BLOCKS;
    return blocks / LOG_SHARE < LOG_BLOCKS_MIN ? LOG_BLOCKS_MIN : blocks / LOG_SHARE;
}

static void choose_layout(struct superblock *sb, const struct options *options)
{
    char why[200];
    uint64_t blocks = options->nbytes / FS_BLOCK_SIZE;
    if (options->nbytes % FS_BLOCK_SIZE != 0)
        die("-s: %llu bytes are not a whole number of %u-byte blocks", (unsigned long long)options->nbytes,
            FS_BLOCK_SIZE);
    if (blocks > UINT32_MAX)
        die("-s: %llu blocks, the format's limit is %u", (unsigned long long)blocks, UINT32_MAX);
    if (!image_layout_make(sb, (uint32_t)blocks, choose_inodes(options),
                           choose_log_blocks(options, (uint32_t)blocks), why, sizeof why))
        die("-s: %s", why);
}

/* An empty file beside the image. From here on, die() and signals remove it. */
static int create_temporary(const char *image)
{
    char name[sizeof temporary];
    int length = snprintf(name, sizeof name, "%s.tmp.%ld", image, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof name)
        die("%s: the name is too long", image);
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        die("%s: %s", name, strerror(errno));
    memcpy(temporary, name, sizeof temporary);
    signal(SIGINT, interrupted);
    signal(SIGTERM, interrupted);
    signal(SIGHUP, interrupted);
    signal(SIGXFSZ, SIG_IGN);               /* a write beyond the file size limit is an error like another */
    return fd;
}

static void finish_image(int fd, const char *image)
{
    struct stat status;
    if (close(fd) < 0)
        die("%s: %s", image, strerror(errno));
    if (stat(image, &status) == 0 && !S_ISREG(status.st_mode))
        die("%s: is there already and not an ordinary file", image);
    if (rename(temporary, image) < 0)
        die("%s: %s", image, strerror(errno));
    temporary[0] = '\0';
}

int main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    struct superblock sb;
    struct node *root = tree_make();

    choose_layout(&sb, &options);
    for (int i = optind; i < argc; i++)
        tree_add(root, argv[i]);
    int fd = create_temporary(options.image);
    build_image(fd, &sb, root);
    finish_image(fd, options.image);
    return 0;
}
