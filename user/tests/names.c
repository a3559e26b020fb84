/* link unlink mkdir mknod symlink readlink rename chdir getcwd: what names may do, and what they may not. */
#include "user/tests/support.h"

static void refuse_everywhere(const char *path, int error)
{
    struct stat st;
    struct statfs fs;
    char buffer[8];

    FAILS(open(path, O_RDONLY), error);
    FAILS(open(path, O_CREATE | O_RDWR), error);
    FAILS(stat(path, &st), error);
    FAILS(lstat(path, &st), error);
    FAILS(statfs(path, &fs), error);
    FAILS(unlink(path), error);
    FAILS(mkdir(path), error);
    FAILS(mknod(path, 1, 0), error);
    FAILS(link(path, "new"), error);
    FAILS(link("there", path), error);
    FAILS(symlink("there", path), error);
    FAILS(readlink(path, buffer, sizeof buffer), error);
    FAILS(rename(path, "new"), error);
    FAILS(rename("there", path), error);
    FAILS(chdir(path), error);
    FAILS(utime(path, 0), error);
    CHECK(!exists("new") && exists("there"));
}

TEST(empty_paths)
{
    refuse_everywhere("", ENOENT);
}

TEST(missing_parents)
{
    refuse_everywhere("no/such/path", ENOENT);
}

TEST(files_are_no_directories)
{
    refuse_everywhere("there/x", ENOTDIR);
    struct stat st;
    FAILS(stat("there/", &st), ENOTDIR);
    FAILS(stat("there/.", &st), ENOTDIR);
    FAILS(chdir("there"), ENOTDIR);
}

TEST(names_of_59_bytes_and_no_more)
{
    char name[70];

    strcpy(name, long_name(59, 'n'));
    CHECK_EQ(make_file(name, "59"), 0);
    CHECK(file_is(name, "59"));
    CHECK_EQ(unlink(name), 0);
    CHECK_EQ(mkdir(name), 0);
    CHECK_EQ(chdir(name), 0);
    CHECK_EQ(chdir(".."), 0);
    CHECK_EQ(unlink(name), 0);
    refuse_everywhere(long_name(60, 'n'), ENAMETOOLONG);
    refuse_everywhere(long_name(200, 'n'), ENAMETOOLONG);
}

TEST(paths_of_1023_bytes_and_no_more)
{
    static char path[1400];

    memset(path, '/', sizeof path);
    for (int i = 0; i < 1023; i += 2)
        path[i] = '.';
    path[1022] = '.', path[1023] = '\0';        /* ./././. : 1023 bytes */
    struct stat st;
    CHECK_EQ(stat(path, &st), 0);
    memset(path, '/', sizeof path);
    for (int i = 0; i < 1024; i += 2)
        path[i] = '.';
    path[1024] = '\0';
    refuse_everywhere(path, ENAMETOOLONG);
    refuse_everywhere(long_name(3000, 'p'), ENAMETOOLONG);
}

TEST(slashes_and_dots)
{
    struct stat a, b;

    CHECK_EQ(mkdir("d"), 0);
    CHECK_EQ(stat("d", &a), 0);
    CHECK_EQ(stat(".//.///d/../d/./", &b), 0);
    CHECK_EQ(a.ino, b.ino);
    CHECK_EQ(stat("/../../", &b), 0);
    CHECK_EQ(b.ino, 1);
    CHECK_EQ(unlink("d/"), 0);
}

TEST(dot_and_dotdot_stay)
{
    int result;

    CHECK_EQ(mkdir("d"), 0);
    result = unlink("d/."), CHECK(result == -1 && (errno == EINVAL || errno == EBUSY || errno == EPERM));
    result = unlink("d/.."), CHECK(result == -1 && (errno == EINVAL || errno == EBUSY || errno == ENOTEMPTY || errno == EPERM));
    result = unlink("/"), CHECK(result == -1 && (errno == EBUSY || errno == EINVAL || errno == EPERM));
    result = rename("d/.", "x"), CHECK(result == -1 && (errno == EINVAL || errno == EBUSY));
    result = rename("d", "d/.."), CHECK(result == -1);
    result = rename("/", "x"), CHECK(result == -1 && (errno == EINVAL || errno == EBUSY));
    FAILS(mkdir("/"), EEXIST);
    FAILS(mkdir("."), EEXIST);
    FAILS(mkdir("d/.."), EEXIST);
    CHECK_EQ(unlink("d"), 0);
}

TEST(link_gives_a_second_name)
{
    struct stat st;

    CHECK_EQ(make_file("a", "text"), 0);
    CHECK_EQ(link("a", "b"), 0);
    CHECK_EQ(stat("b", &st), 0);
    CHECK_EQ(st.nlink, 2);
    FAILS(link("a", "b"), EEXIST);
    FAILS(link("nosuch", "c"), ENOENT);
    FAILS(link("/", "c"), EPERM);
    CHECK_EQ(mkdir("d"), 0);
    FAILS(link("d", "e"), EPERM);
    FAILS(link("a", "d"), EEXIST);
    CHECK_EQ(unlink("a"), 0);
    CHECK(file_is("b", "text"));
    CHECK_EQ(stat("b", &st), 0);
    CHECK_EQ(st.nlink, 1);
    CHECK_EQ(unlink("b"), 0);
    FAILS(unlink("b"), ENOENT);
    CHECK_EQ(unlink("d"), 0);
}

TEST(unlink_takes_only_empty_directories)
{
    CHECK_EQ(mkdir("d"), 0);
    CHECK_EQ(make_file("d/f", ""), 0);
    FAILS(unlink("d"), ENOTEMPTY);
    CHECK_EQ(unlink("d/f"), 0);
    CHECK_EQ(mkdir("d/e"), 0);
    FAILS(unlink("d"), ENOTEMPTY);
    CHECK_EQ(unlink("d/e"), 0);
    CHECK_EQ(unlink("d"), 0);
}

TEST(mkdir_counts_links)
{
    struct stat st;

    CHECK_EQ(mkdir("d"), 0);
    FAILS(mkdir("d"), EEXIST);
    FAILS(mkdir("there"), EEXIST);
    CHECK_EQ(mkdir("d/x"), 0);
    CHECK_EQ(mkdir("d/y"), 0);
    CHECK_EQ(stat("d", &st), 0);
    CHECK_EQ(st.nlink, 4);                      /* its name, ".", and two ".." */
    CHECK_EQ(unlink("d/x"), 0);
    CHECK_EQ(unlink("d/y"), 0);
    CHECK_EQ(unlink("d"), 0);
}

TEST(mknod_makes_devices)
{
    struct stat st;
    char byte = 'x';

    CHECK_EQ(mknod("z", DEV_ZERO, 0), 0);
    CHECK_EQ(stat("z", &st), 0);
    CHECK(st.type == T_DEVICE && st.major == DEV_ZERO);
    int fd = open("z", O_RDONLY);
    CHECK_EQ(read(fd, &byte, 1), 1);
    CHECK_EQ(byte, 0);
    close(fd);
    FAILS(mknod("z", DEV_ZERO, 0), EEXIST);
    CHECK_EQ(unlink("z"), 0);
    CHECK_EQ(mknod("none", 77, 1), 0);          /* a node for a driver that is not there */
    int result = open("none", O_RDWR);
    CHECK(result == -1 && (errno == ENXIO || errno == ENODEV));
    CHECK_EQ(unlink("none"), 0);
    FAILS(mknod("neg", -1, 0), EINVAL);
    FAILS(mknod("big", 70000, 0), EINVAL);
    FAILS(mknod("big", 1, 70000), EINVAL);
}

TEST(symbolic_links)
{
    char target[FS_SYMLINK_MAX + 8];
    struct stat st;

    CHECK_EQ(symlink("there", "l"), 0);
    CHECK_EQ(readlink("l", target, sizeof target), 5);
    CHECK(memcmp(target, "there", 5) == 0);
    CHECK_EQ(readlink("l", target, 3), 3);      /* cut to fit, no NUL */
    CHECK_EQ(lstat("l", &st), 0);
    CHECK(st.type == T_SYMLINK && st.size == 5);
    CHECK_EQ(stat("l", &st), 0);
    CHECK_EQ(st.type, T_FILE);
    CHECK(file_is("l", "there"));
    FAILS(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
    FAILS(symlink("x", "l"), EEXIST);
    FAILS(symlink("", "m"), ENOENT);
    FAILS(readlink("there", target, sizeof target), EINVAL);
    FAILS(mkdir("l"), EEXIST);
    CHECK_EQ(unlink("l"), 0);                   /* the link, not what it names */
    CHECK(exists("there"));
    CHECK_EQ(symlink("nowhere", "l"), 0);
    FAILS(open("l", O_RDONLY), ENOENT);
    int fd = open("l", O_CREATE | O_RDWR);      /* through a dangling link: what it names is made */
    CHECK(fd >= 0);
    close(fd);
    CHECK(exists("nowhere"));
    FAILS(open("l", O_CREATE | O_EXCL | O_RDWR), EEXIST);
    unlink("nowhere"), unlink("l");
    CHECK_EQ(symlink(long_name(1023, 't'), "l"), 0);
    CHECK_EQ(readlink("l", target, sizeof target), 1023);
    CHECK_EQ(unlink("l"), 0);
    FAILS(symlink(long_name(1024, 't'), "l"), ENAMETOOLONG);
    CHECK_EQ(mkdir("d"), 0);
    CHECK_EQ(symlink("d", "l"), 0);
    CHECK_EQ(make_file("l/f", "in d"), 0);
    CHECK(file_is("d/f", "in d"));
    CHECK_EQ(symlink("../there", "d/up"), 0);   /* relative to where the link is */
    CHECK(file_is("d/up", "there"));
    unlink("d/f"), unlink("d/up"), unlink("l"), unlink("d");
}

TEST(symlink_loops_end)
{
    char name[8] = "c00", target[8];

    CHECK_EQ(symlink("self", "self"), 0);
    CHECK_EQ(symlink("b", "a"), 0);
    CHECK_EQ(symlink("a", "b"), 0);
    struct stat st;
    FAILS(open("self", O_RDONLY), ELOOP);
    FAILS(open("a", O_CREATE | O_RDWR), ELOOP);
    FAILS(stat("a/x", &st), ELOOP);
    FAILS(chdir("b"), ELOOP);
    CHECK_EQ(lstat("a", &st), 0);
    unlink("self"), unlink("a"), unlink("b");
    CHECK_EQ(make_file("c00", "end"), 0);       /* a chain of 8 is fine, one of 60 is not */
    for (int i = 1; i <= 60; i++) {
        strcpy(target, name);
        name[1] = (char)('0' + i / 10), name[2] = (char)('0' + i % 10);
        CHECK_EQ(symlink(target, name), 0);
    }
    CHECK(file_is("c08", "end"));
    FAILS(open("c60", O_RDONLY), ELOOP);
    for (int i = 0; i <= 60; i++) {
        name[1] = (char)('0' + i / 10), name[2] = (char)('0' + i % 10);
        unlink(name);
    }
}

TEST(rename_moves)
{
    struct stat st;

    make_file("a", "A"), make_file("b", "B");
    CHECK_EQ(rename("a", "c"), 0);
    CHECK(!exists("a") && file_is("c", "A"));
    CHECK_EQ(rename("c", "b"), 0);              /* replaces */
    CHECK(!exists("c") && file_is("b", "A"));
    CHECK_EQ(rename("b", "b"), 0);              /* onto itself: nothing happens */
    CHECK(file_is("b", "A"));
    CHECK_EQ(link("b", "b2"), 0);
    CHECK_EQ(rename("b", "b2"), 0);             /* two names of one file: POSIX says nothing happens */
    CHECK(file_is("b2", "A"));
    unlink("b");
    CHECK_EQ(rename("b2", "b"), 0);
    FAILS(rename("nosuch", "x"), ENOENT);
    FAILS(rename("b", "nodir/x"), ENOENT);
    CHECK_EQ(mkdir("d"), 0);
    CHECK_EQ(mkdir("e"), 0);
    FAILS(rename("b", "d"), EISDIR);
    FAILS(rename("d", "b"), ENOTDIR);
    CHECK_EQ(rename("b", "d/b"), 0);
    FAILS(rename("e", "d"), ENOTEMPTY);
    CHECK_EQ(rename("d", "e"), 0);              /* onto an empty directory */
    CHECK(!exists("d") && file_is("e/b", "A"));
    CHECK_EQ(mkdir("f"), 0);
    CHECK_EQ(rename("e", "f/g"), 0);            /* into another directory: ".." follows */
    CHECK_EQ(chdir("f/g/.."), 0);
    CHECK(exists("g"));
    CHECK_EQ(chdir(".."), 0);
    FAILS(rename("f", "f/g/h"), EINVAL);        /* into itself */
    FAILS(rename("f", "f/g"), EINVAL);
    int result = rename("f/g", "f");            /* onto its parent */
    CHECK(result == -1 && errno == ENOTEMPTY);
    CHECK_EQ(stat("f", &st), 0);
    CHECK_EQ(st.nlink, 3);
    CHECK_EQ(symlink("there", "l"), 0);
    CHECK_EQ(rename("l", "m"), 0);              /* the link itself */
    CHECK_EQ(lstat("m", &st), 0);
    CHECK_EQ(st.type, T_SYMLINK);
    unlink("m"), unlink("f/g/b"), unlink("f/g"), unlink("f");
}

TEST(rename_over_an_open_file)
{
    char byte;

    make_file("a", "A"), make_file("b", "B");
    int fd = open("b", O_RDONLY);
    CHECK_EQ(rename("a", "b"), 0);
    CHECK_EQ(read(fd, &byte, 1), 1);
    CHECK_EQ(byte, 'B');                        /* the old one, as long as it is open */
    close(fd);
    CHECK(file_is("b", "A"));
    unlink("b");
}

TEST(working_directory)
{
    char path[256], small[4];

    CHECK(getcwd(path, sizeof path) == path);
    CHECK(strcmp(path, "/tmp/names-test") == 0);
    CHECK_EQ(mkdir("d"), 0);
    CHECK_EQ(mkdir("d/e"), 0);
    CHECK_EQ(chdir("d/e"), 0);
    getcwd(path, sizeof path);
    CHECK(strcmp(path, "/tmp/names-test/d/e") == 0);
    CHECK_EQ(rename("/tmp/names-test/d", "/tmp/names-test/dd"), 0);
    getcwd(path, sizeof path);
    CHECK(strcmp(path, "/tmp/names-test/dd/e") == 0);
    errno = 0;
    CHECK(getcwd(small, sizeof small) == 0 && errno == ERANGE);
    errno = 0;
    CHECK(getcwd(path, 0) == 0 && (errno == EINVAL || errno == ERANGE));
    CHECK_EQ(unlink("/tmp/names-test/dd/e"), 0);        /* under our feet */
    errno = 0;
    CHECK(getcwd(path, sizeof path) == 0 && errno == ENOENT);
    FAILS(open("x", O_CREATE | O_RDWR), ENOENT);
    FAILS(mkdir("x"), ENOENT);
    int up = chdir("..");                       /* it may or may not still know the way */
    CHECK(up == 0 || errno == ENOENT);
    CHECK_EQ(chdir("/"), 0);
    getcwd(path, sizeof path);
    CHECK(strcmp(path, "/") == 0);
    CHECK_EQ(chdir("/tmp/names-test"), 0);
    unlink("dd");
}

static int chdir_away(void *unused) { (void)unused; return chdir("/"); }

TEST(working_directory_is_a_tasks_own)
{
    char path[64];

    CHECK_EQ(in_child(chdir_away, 0), 0);
    getcwd(path, sizeof path);
    CHECK(strcmp(path, "/tmp/names-test") == 0);
}

TEST(many_names_in_one_directory)
{
    char name[32];
    struct stat st;
    int bad = 0;

    CHECK_EQ(mkdir("many"), 0);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "many/f%d", i);
        bad += link("there", name) != 0;
    }
    CHECK_EQ(bad, 0);
    for (int i = 0; i < 300; i += 2) {
        snprintf(name, sizeof name, "many/f%d", i);
        bad += unlink(name) != 0;
    }
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "many/f%d", i);
        bad += exists(name) != (i & 1);
    }
    CHECK_EQ(bad, 0);
    CHECK_EQ(stat("many", &st), 0);
    uint64_t size = st.size;
    for (int i = 0; i < 300; i += 2) {          /* free slots are used again */
        snprintf(name, sizeof name, "many/g%d", i);
        bad += link("there", name) != 0;
    }
    CHECK_EQ(stat("many", &st), 0);
    CHECK_EQ(st.size, size);
    FAILS(unlink("many"), ENOTEMPTY);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, i & 1 ? "many/f%d" : "many/g%d", i);
        bad += unlink(name) != 0;
    }
    CHECK_EQ(bad, 0);
    CHECK_EQ(stat("there", &st), 0);
    CHECK_EQ(st.nlink, 1);
    CHECK_EQ(unlink("many"), 0);
}

TEST(too_many_links)
{
    CHECK_EQ(FS_LINK_MAX, 32000);               /* reaching it takes too long here; the host tests do */
}

TEST(deep_paths)
{
    char path[64];
    int depth = 0;

    while (depth < 60 && mkdir("deep") == 0 && chdir("deep") == 0)
        depth++;
    CHECK_EQ(depth, 60);
    errno = 0;
    CHECK(getcwd(path, sizeof path) == 0 && errno == ERANGE);
    for (; depth > 0; depth--)
        if (chdir("..") != 0 || unlink("deep") != 0) {
            CHECK_EQ(depth, 0);
            break;
        }
    CHECK(file_is("there", "there"));
}

int main(void)
{
    mkdir("/tmp");
    mkdir("/tmp/names-test");
    CHECK_EQ(chdir("/tmp/names-test"), 0);
    CHECK_EQ(make_file("there", "there"), 0);
    RUN(empty_paths);
    RUN(missing_parents);
    RUN(files_are_no_directories);
    RUN(names_of_59_bytes_and_no_more);
    RUN(paths_of_1023_bytes_and_no_more);
    RUN(slashes_and_dots);
    RUN(dot_and_dotdot_stay);
    RUN(link_gives_a_second_name);
    RUN(unlink_takes_only_empty_directories);
    RUN(mkdir_counts_links);
    RUN(mknod_makes_devices);
    RUN(symbolic_links);
    RUN(symlink_loops_end);
    RUN(rename_moves);
    RUN(rename_over_an_open_file);
    RUN(working_directory);
    RUN(working_directory_is_a_tasks_own);
    RUN(many_names_in_one_directory);
    RUN(too_many_links);
    RUN(deep_paths);
    unlink("there");
    chdir("/");
    CHECK_EQ(unlink("/tmp/names-test"), 0);
    return check_summary("names");
}
