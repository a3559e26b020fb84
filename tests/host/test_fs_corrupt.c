/* test_fs_corrupt: a damaged disk gives errors, never a crash, an endless loop or a panic: whatever bytes of the metadata are
 * wrong, mounting and every call come back.
 *
 * Arguments: [seed [images]].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/log.h"
#include "fs_host.h"
#include "mkfs/layout.h"

static char bytes[300000];

static void make_tree(void)
{
    char path[64];
    for (int d = 0; d < 4; d++) {
        snprintf(path, sizeof(path), "/d%d", d);
        EXPECT(do_mkdir(P(path), 0, 0) == 0);
        for (int i = 0; i < (d == 1 ? 90 : 9); i++) {
            snprintf(path, sizeof(path), "/d%d/f%d", d, i);
            long fd = do_open(P(path), O_CREATE | O_RDWR, 0);
            EXPECT(fd >= 0 && do_write((uintptr_t)fd, P(bytes), i == 3 ? sizeof(bytes) : 5000) > 0);
            if (i == 4)
                EXPECT(do_lseek((uintptr_t)fd, 6000000, SEEK_SET) > 0 && do_write((uintptr_t)fd, P(bytes), 9000) > 0);
            EXPECT(do_close((uintptr_t)fd, 0, 0) == 0);
        }
        snprintf(path, sizeof(path), "/d%d/link", d);
        EXPECT(do_symlink(P("/d0/f1"), P(path), 0) == 0);
    }
}

/* Look at everything, at most so deep and so much: a damaged tree may have loops. */
static void visit(const char *path, int depth, int *left)
{
    struct stat st;
    struct dirent d[16];
    char sub[400];
    if (--*left < 0 || do_lstat(P(path), P(&st), 0) < 0)
        return;
    (void)do_readlink(P(path), P(bytes), 100);
    long n, fd = do_open(P(path), O_RDONLY, 0);
    if (fd < 0)
        return;
    for (int i = 0; i < 3 && st.type != T_DIR && do_read((uintptr_t)fd, P(bytes), sizeof(bytes)) > 0; i++)
        ;
    for (int k = 0; k < 20 && st.type == T_DIR && depth < 5 && (n = do_read((uintptr_t)fd, P(d), sizeof(d))) > 0; k++)
        for (long i = 0; i < n / 64; i++)
            if (d[i].inum != 0 && snprintf(sub, sizeof(sub), "%s/%.59s", path, d[i].name) < 300)
                visit(sub, depth + 1, left);
    (void)do_close((uintptr_t)fd, 0, 0);
    host_checks++;
}

static void disturb(void)
{
    char path[64], other[64];
    for (int i = 0; i < 60; i++) {
        snprintf(path, sizeof(path), "/d%u/f%u", host_random() % 4, host_random() % 12);
        snprintf(other, sizeof(other), "/d%u/%s%u", host_random() % 4, host_random() % 4 ? "f" : "../d",
                 host_random() % 12);
        long fd = do_open(P(path), O_RDWR | (host_random() % 2 ? O_CREATE : 0), 0);
        if (fd >= 0) {
            (void)do_lseek((uintptr_t)fd, host_random() % 8000000, SEEK_SET);
            (void)do_write((uintptr_t)fd, P(bytes), host_random() % 20000);
            if (host_random() % 3 == 0)
                (void)do_ftruncate((uintptr_t)fd, host_random() % 7000000, 0);
            (void)do_close((uintptr_t)fd, 0, 0);
        }
        switch (host_random() % 6) {
        case 0: (void)do_unlink(P(path), 0, 0); break;
        case 1: (void)do_rename(P(path), P(other), 0); break;
        case 2: (void)do_link(P(path), P(other), 0); break;
        case 3: (void)do_mkdir(P(other), 0, 0); break;
        case 4: (void)do_chdir(P(other), 0, 0); break;
        case 5: (void)do_getcwd(P(bytes), 1000, 0); break;
        }
    }
    (void)do_sync(0, 0, 0);
    (void)log_checkpoint();
}

/* Damage of the kinds that matter: single bytes, block numbers, whole fields, somewhere before or in the used data. */
static void damage(const struct superblock *sb)
{
    for (unsigned i = host_random() % 12 + 1; i > 0; i--) {
        uint32_t block;
        switch (host_random() % 4) {
        case 0:  block = sb->inode_start + host_random() % 3; break;
        case 1:  block = sb->data_start + host_random() % 400; break;
        case 2:  block = host_random() % sb->data_start; break;
        default: block = sb->log_start + host_random() % 40; break;
        }
        uint8_t *at = host_disk + (size_t)block * 4096 + host_random() % 1020 * 4;
        uint32_t value = host_random() % 3 == 0 ? host_random() : host_random() % 3 ? host_random() % 2000 : 0;
        if (host_random() % 4 == 0)
            *at = (uint8_t)value;
        else
            memcpy(at, &value, 4);
    }
}

int main(int argc, char **argv)
{
    unsigned images = argc > 2 ? (unsigned)atoi(argv[2]) : 400, mounted = 0;
    host_seed(argc > 1 ? strtoull(argv[1], NULL, 0) : 1);
    host_quiet = getenv("LOUD") == NULL;
    host_frames = 6000;
    host_format(2000, 256, 100);
    EXPECT(host_mount() == 0);
    make_tree();
    EXPECT(do_sync(0, 0, 0) == 0);      /* the log still holds a lot */
    host_drop();
    uint8_t *good = host_copy_disk();
    struct superblock sb;
    memcpy(&sb, good, sizeof(sb));
    for (unsigned i = 0; i < images; i++) {
        memcpy(host_disk, good, (size_t)host_disk_blocks * 4096);
        damage(&sb);
        if (host_mount() == 0) {
            int left = 400;
            mounted++;
            visit("/", 0, &left);
            disturb();
            left = 400;
            visit("/", 0, &left);
        }
        host_drop();
    }
    free(good);
    EXPECT(mounted > images / 4);
    printf("test_fs_corrupt: %lu checks, 0 failed\n", host_checks);
    return 0;
}
