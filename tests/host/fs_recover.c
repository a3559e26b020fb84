/*
 * fs_recover.c -- recovers images with the kernel's mount and log code, then lists or checks them.
 *
 *   fs_recover [-l] [-w] IMAGE...       -l: list what is in it; -w: write the recovered image back
 * One line an image: "IMAGE: clean" or what is wrong; exit status 0 when all are clean.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fs/log.h"
#include "fs_host.h"
#include "fs_recover.h"

uint32_t crc32(uint32_t seed, const void *data, size_t n);

static int mount_image(uint8_t *image, size_t nbytes)
{
    host_disk = image;
    host_disk_blocks = (uint32_t)(nbytes / 4096);
    host_frames = 1u << 20;
    int err = host_mount();
    if (err < 0)
        host_drop();
    return err;
}

static void unmount(void)
{
    host_drop();
    host_disk = NULL;
}

int fs_recover(uint8_t *image, size_t nbytes)
{
    int err = mount_image(image, nbytes);
    if (err == 0) {
        err = log_checkpoint();
        unmount();
    }
    return err;
}

static uint32_t contents_crc(const char *path, const struct stat *st)
{
    static char bytes[65536];
    uint32_t crc = 0;
    long n;
    if (st->type == T_SYMLINK) {
        n = do_readlink(P(path), P(bytes), sizeof(bytes));
        return n > 0 ? crc32(0, bytes, (size_t)n) : 0;
    }
    long fd = st->type == T_FILE ? do_open(P(path), O_RDONLY, 0) : -1;
    while (fd >= 0 && (n = do_read((uintptr_t)fd, P(bytes), sizeof(bytes))) > 0)
        crc = crc32(crc, bytes, (size_t)n);
    if (fd >= 0)
        (void)do_close((uintptr_t)fd, 0, 0);
    return crc;
}

static int list(const char *path, FILE *out)
{
    struct stat st;
    struct dirent d;
    char sub[FS_PATH_MAX];
    long err = do_lstat(P(path), P(&st), 0);
    if (err < 0)
        return (int)err;
    fprintf(out, "%d %d %llu %08x %s\n", st.type, st.nlink, (unsigned long long)st.size, contents_crc(path, &st), path);
    long fd = st.type == T_DIR ? do_open(P(path), O_RDONLY, 0) : -1;
    while (fd >= 0 && err >= 0 && do_read((uintptr_t)fd, P(&d), sizeof(d)) == sizeof(d))
        if (d.inum != 0 && strcmp(d.name, ".") != 0 && strcmp(d.name, "..") != 0
            && snprintf(sub, sizeof(sub), "%s/%s", strcmp(path, "/") == 0 ? "" : path, d.name) < (int)sizeof(sub))
            err = list(sub, out);
    if (fd >= 0)
        (void)do_close((uintptr_t)fd, 0, 0);
    return err < 0 ? (int)err : 0;
}

int fs_list(uint8_t *image, size_t nbytes, FILE *out)
{
    int err = mount_image(image, nbytes);
    if (err == 0) {
        err = list("/", out);
        unmount();
    }
    return err;
}

#ifndef FS_RECOVER_LIBRARY
static bool one(const char *path, bool listing, bool write_back)
{
    FILE *file = fopen(path, write_back ? "r+b" : "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        return printf("%s: cannot read\n", path), false;
    size_t nbytes = (size_t)ftell(file);
    uint8_t *image = malloc(nbytes + 1);
    rewind(file);
    bool good = fread(image, 1, nbytes, file) == nbytes;
    int err = good ? fs_recover(image, nbytes) : -EIO;
    unsigned problems = err == 0 ? host_check(image, (uint32_t)(nbytes / 4096), path) : 0;
    good = err == 0 && problems == 0;
    printf("%s: %s", path, good ? "clean\n" : "");
    if (!good)
        printf(err < 0 ? "error %d\n" : "%d problems\n", err < 0 ? -err : (int)problems);
    if (err == 0 && write_back) {
        rewind(file);
        good &= fwrite(image, 1, nbytes, file) == nbytes;
    }
    if (err == 0 && listing)
        good &= fs_list(image, nbytes, stdout) == 0;
    good &= fclose(file) == 0;
    free(image);
    return good;
}

int main(int argc, char **argv)
{
    bool listing = false, write_back = false, good = true;
    int option;
    while ((option = getopt(argc, argv, "lw")) != -1) {
        if (option == '?')
            return 2;
        listing |= option == 'l';
        write_back |= option == 'w';
    }
    host_quiet = true;
    for (int i = optind; i < argc; i++)
        good &= one(argv[i], listing, write_back);
    return good ? 0 : 1;
}
#endif
