/* stdio.h -- formatted output and buffered files.
 *
 * stdout and stderr are not buffered: each call is one write(), so that output of several tasks does not mix
 * and fork() never prints twice. setvbuf(stdout, NULL, _IOFBF, 0) buffers, for programs that print a lot.
 */
#ifndef TAMAL_STDIO_H
#define TAMAL_STDIO_H

#include <stdarg.h>
#include <sys/types.h>
#include "abi/fcntl.h"                          /* SEEK_* */

typedef struct stream FILE;
extern FILE *const stdin, *const stdout, *const stderr;

#define EOF    (-1)
#define BUFSIZ 4096
#define _IOFBF 0                                /* buffered */
#define _IOLBF 1                                /* taken as _IONBF */
#define _IONBF 2                                /* not buffered */

#define PRINTF_LIKE(text, values) __attribute__((__format__(__printf__, text, values)))

int printf(const char *format, ...) PRINTF_LIKE(1, 2);
int dprintf(int fd, const char *format, ...) PRINTF_LIKE(2, 3);
int sprintf(char *to, const char *format, ...) PRINTF_LIKE(2, 3);
int snprintf(char *to, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
int vprintf(const char *format, va_list args);
int vdprintf(int fd, const char *format, va_list args);
int vfprintf(FILE *file, const char *format, va_list args);
int vsprintf(char *to, const char *format, va_list args);
int vsnprintf(char *to, size_t size, const char *format, va_list args);
#ifndef TAMAL_USER_H                            /* after user/user.h, xv6's fprintf(int fd, ...) stands */
int fprintf(FILE *file, const char *format, ...) PRINTF_LIKE(2, 3);
#endif

FILE   *fopen(const char *path, const char *mode);
FILE   *fdopen(int fd, const char *mode);
int     fclose(FILE *file);
int     fflush(FILE *file);                     /* NULL: every file */
int     setvbuf(FILE *file, char *buffer, int mode, size_t size);
size_t  fread(void *to, size_t size, size_t count, FILE *file);
size_t  fwrite(const void *from, size_t size, size_t count, FILE *file);
int     fgetc(FILE *file);
int     getc(FILE *file);
int     getchar(void);
int     ungetc(int c, FILE *file);
char   *fgets(char *to, int size, FILE *file);
ssize_t getline(char **line, size_t *size, FILE *file);
int     fputc(int c, FILE *file);
int     putc(int c, FILE *file);
int     putchar(int c);
int     fputs(const char *s, FILE *file);
int     puts(const char *s);
int     fseek(FILE *file, long offset, int whence);
long    ftell(FILE *file);
void    rewind(FILE *file);
int     feof(FILE *file);
int     ferror(FILE *file);
void    clearerr(FILE *file);
int     fileno(FILE *file);

void perror(const char *what);                  /* "what: why errno says" on stderr */
int  remove(const char *path);
int  rename(const char *from, const char *to);

#endif
