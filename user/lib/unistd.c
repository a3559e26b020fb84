/*
 * unistd.c -- Unix functions that are a little more than a system call.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "library.h"
#include "abi/fsformat.h"

#define ARGUMENTS_MAX 64

/* A name without '/' is looked for here, then in /bin. Comes back only on failure. */
int exec(const char *path, char **argv)
{
    char in_bin[FS_PATH_MAX] = "/bin/";

    int result = call_exec(path, argv);
    if (errno != ENOENT || path == NULL || strchr(path, '/') != NULL)
        return result;
    if (strlcat(in_bin, path, sizeof in_bin) >= sizeof in_bin)
        return result;
    return call_exec(in_bin, argv);
}

int execv(const char *path, char *const argv[])
{
    return call_exec(path, (char **)argv);
}

int execvp(const char *file, char *const argv[])
{
    return exec(file, (char **)argv);
}

int execlp(const char *file, const char *arg, ...)
{
    char *argv[ARGUMENTS_MAX + 1] = { (char *)arg };
    int count = 1;
    va_list args;

    va_start(args, arg);
    while (count < ARGUMENTS_MAX && (argv[count] = va_arg(args, char *)) != NULL)
        count++;
    va_end(args);
    argv[count] = NULL;
    return exec(file, argv);
}

int system(const char *command)
{
    int status;
    int pid = call_fork();

    if (pid == 0) {
        char *argv[] = { "sh", "-c", (char *)command, NULL };
        call_exec("/bin/sh", argv);
        _exit(127);
    }
    if (pid < 0 || call_wait_for_task(pid, &status) < 0)
        return -1;
    return status;
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    if (options != 0 || pid == 0 || pid < -1) {
        errno = EINVAL;
        return -1;
    }
    return pid == -1 ? call_wait(status) : call_wait_for_task(pid, status);
}

unsigned sleep(unsigned seconds)
{
    const unsigned piece = 100000000;           /* fits pause()'s int of tenths */

    while (seconds > piece) {
        call_pause((int)piece * 10);
        seconds -= piece;
    }
    call_pause((int)seconds * 10);
    return 0;
}

int usleep(unsigned microseconds)
{
    return call_pause((int)(microseconds / 100000 + (microseconds % 100000 != 0)));
}

int write_all(int fd, const void *from, size_t nbytes)
{
    const char *next = from;

    while (nbytes > 0) {
        long written = call_write(fd, next, nbytes);
        if (written <= 0)
            return -1;
        next += written;
        nbytes -= (size_t)written;
    }
    return 0;
}

char *getcwd(char *to, size_t nbytes)
{
    return call_getcwd(to, nbytes) < 0 ? NULL : to;
}

/* A terminal is a console device that knows the foreground group: only it can change modes. */
int isatty(int fd)
{
    struct stat st;

    if (call_fstat(fd, &st) < 0)
        return 0;
    if (st.type == T_DEVICE && st.major == DEV_CONSOLE)
        return 1;
    errno = ENOTTY;
    return 0;
}

int access(const char *path, int mode)
{
    struct stat st;
    (void)mode;
    return call_stat(path, &st);
}

int rmdir(const char *path)
{
    struct stat st;

    if (call_lstat(path, &st) < 0)
        return -1;
    if (st.type != T_DIR) {
        errno = ENOTDIR;
        return -1;
    }
    return call_unlink(path);
}

int remove(const char *path)
{
    return call_unlink(path);
}

int getpagesize(void)
{
    return 4096;
}
