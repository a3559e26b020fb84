/*
 * user/user.h -- the whole user API in one header, for programs in the style of xv6.
 *
 * Names, parameters and units are xv6's: sleep(), pause() and uptime() count tenths of a second, fprintf()
 * takes a descriptor. What xv6 lacks follows under its own headings. A call that fails returns -1 and sets
 * errno. Programs in the style of Unix include <stdio.h>, <unistd.h> and so on instead; when both kinds are
 * included in one file, the first wins where they differ (sleep, sbrk, fprintf).
 */
#ifndef TAMAL_USER_H
#define TAMAL_USER_H

#include <stdarg.h>
#include <sys/types.h>
#include "kernel/types.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/info.h"
#include "abi/memstat.h"
#include "abi/stat.h"

/* Tasks. */
int   fork(void);
_Noreturn void exit(int status);
int   wait(int *status);                        /* any child; status may be 0 */
int   wait_for_task(int pid, int *status);      /* this child and no other */
int   kill(int pid);                            /* it dies with status -1 */
int   getpid(void);
int   exec(const char *path, char **argv);      /* a name without '/' is also looked for in /bin */
int   pause(int tenths);
int   uptime(void);                             /* tenths of a second since boot */
int   setpgid(int pid, int group);              /* 0: this task, its own pid */
int   tasklist(struct task_info *rows, int max);

/* Memory. */
char *sbrklazy(intptr_t delta);                 /* like sbrk, but promises no frames */
void *malloc(size_t nbytes);
void *calloc(size_t count, size_t nbytes);
void *realloc(void *block, size_t nbytes);
void  free(void *block);
int   kcounters(struct kcounters *counters);
void *malloco(size_t nbytes);                   /* whole pages, zeroed when touched; 0: more than 4 MiB in all, or no hole */
int   chau(void *block);                        /* gives a malloco block back; the sweeper takes it within a second */
void *tamalloc(size_t nbytes);                  /* a lazy area, until exit; (void *)-1 and errno on failure */
#define TAMALLOC_ERROR ((void *)-1)
int   get_all_pid_stats(struct process_mem_info *rows, int max);        /* returns how many tasks there are */
int   get_all_mem_stats(struct system_mem_summary *sum);
int   get_mem_stats(int pid, struct process_mem_info *row);
int   arealist(int pid, struct area_info *areas, int max);              /* returns how many there are; pid 0: this task */
int   pagemap(int pid, const void *start, uint8_t *states, size_t npages);      /* PAGE_IS_* of each page */
long  failalloc(unsigned long n);               /* debug kernels: the n-th allocation for this task fails; what was left */
#define SBRK_ERROR ((char *)-1)

/* Files. */
int     open(const char *path, int flags, ...);
ssize_t read(int fd, void *to, size_t nbytes);
ssize_t write(int fd, const void *from, size_t nbytes);
int     close(int fd);
int     pipe(int fds[2]);
int     dup(int fd);
int     dup2(int from, int to);
int     fstat(int fd, struct stat *st);
long    lseek(int fd, long offset, int whence);
int     ftruncate(int fd, long nbytes);
int     fsync(int fd);
int     sync(void);

/* Names. */
int   mknod(const char *path, int major, int minor);
int   mkdir(const char *path, ...);
int   link(const char *from, const char *to);
int   symlink(const char *target, const char *path);
int   readlink(const char *path, char *to, size_t nbytes);
int   unlink(const char *path);                 /* an empty directory too */
int   rename(const char *from, const char *to);
int   chdir(const char *path);
char *getcwd(char *to, size_t nbytes);
int   stat(const char *path, struct stat *st);
int   lstat(const char *path, struct stat *st);
int   statfs(const char *path, struct statfs *fs);
int   utime(const char *path, int64_t seconds);

/* Terminal and machine. */
int   tcsetpgrp(int fd, int group);
int   ttymode(int fd, int mode);                /* TTY_COOKED or TTY_RAW; returns the mode before */
int   halt(int status);
int   reboot(void);
long  syscall(long number, ...);
uint64_t clock_ns(void);
uint64_t read_cycles(void);
uint64_t read_instructions(void);

/* Where xv6 and Unix differ under one name: another symbol stands behind xv6's. */
#ifndef TAMAL_UNISTD_H
int   sleep(int tenths) __asm__("pause");
char *sbrk(intptr_t delta);
#endif
#ifndef TAMAL_STDIO_H
int   fprintf(int fd, const char *format, ...) __asm__("dprintf");
#endif

/* Text. */
int    printf(const char *format, ...);
int    dprintf(int fd, const char *format, ...);
int    snprintf(char *to, size_t size, const char *format, ...);
int    vprintf(const char *format, va_list args);
char  *gets(char *to, int size);                /* one line with its newline; "" at end of file */
int    atoi(const char *s);
size_t strlen(const char *s);
char  *strcpy(char *restrict to, const char *restrict from);
char  *strchr(const char *s, int c);
int    strcmp(const char *a, const char *b);
void  *memset(void *to, int byte, size_t nbytes);
void  *memmove(void *to, const void *from, size_t nbytes);
void  *memcpy(void *restrict to, const void *restrict from, size_t nbytes);
int    memcmp(const void *a, const void *b, size_t nbytes);

/* Errors. */
extern int errno;
char *strerror(int error);
void  perror(const char *what);

#endif
