/* unistd.h -- Unix calls in Unix units: here sleep() counts seconds. (user/user.h counts tenths.) */
#ifndef TAMAL_UNISTD_H
#define TAMAL_UNISTD_H

#include <sys/types.h>
#include "abi/fcntl.h"                          /* SEEK_* */

#define STDIN_FILENO  0
#define STDOUT_FILENO 1
#define STDERR_FILENO 2

pid_t   fork(void);
pid_t   getpid(void);
_Noreturn void _exit(int status);
int     execv(const char *path, char *const argv[]);
int     execvp(const char *file, char *const argv[]);
int     execlp(const char *file, const char *arg, ...);
int     setpgid(pid_t pid, pid_t group);        /* 0: this task, its own pid */
int     tcsetpgrp(int fd, pid_t group);
#ifndef TAMAL_USER_H                            /* after user/user.h, xv6's versions stand */
unsigned sleep(unsigned seconds);
void   *sbrk(intptr_t delta);
#endif
int     usleep(unsigned microseconds);          /* rounded up to tenths of a second */

ssize_t read(int fd, void *to, size_t nbytes);
ssize_t write(int fd, const void *from, size_t nbytes);
int     close(int fd);
int     dup(int fd);
int     dup2(int from, int to);
int     pipe(int fds[2]);
long    lseek(int fd, long offset, int whence);
int     ftruncate(int fd, long nbytes);
int     fsync(int fd);
int     sync(void);
int     isatty(int fd);

int     link(const char *from, const char *to);
int     symlink(const char *target, const char *path);
int     readlink(const char *path, char *to, size_t nbytes);
int     unlink(const char *path);               /* an empty directory too */
int     rmdir(const char *path);
int     chdir(const char *path);
char   *getcwd(char *to, size_t nbytes);
int     access(const char *path, int mode);     /* is it there? mode is ignored */
#define F_OK 0
#define R_OK 4
#define W_OK 2
#define X_OK 1

long    syscall(long number, ...);              /* any call by number; -1 and errno on error */
int     getpagesize(void);

/* getopt -- the next option letter of argv, '?' for a wrong one (a message was printed), -1 at the end. */
int     getopt(int argc, char *const argv[], const char *letters);
extern char *optarg;                            /* argument of the letter just returned */
extern int   optind;                            /* first argument that is not an option */

#endif
