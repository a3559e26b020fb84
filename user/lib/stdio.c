/*
 * stdio.c -- FILEs: descriptors with a buffer.
 *
 * A FILE's buffer holds either bytes read ahead or bytes not yet written, never both. stdout and stderr have
 * none unless setvbuf() asks for it. Input from a terminal arrives a line at a time, because read() does so.
 * The formatter is printf.c.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include "library.h"

struct stream {
    int    fd;
    bool   can_read, can_write;
    bool   buffered;
    bool   at_end, failed;
    bool   writing;                             /* the buffer holds bytes for the file */
    char  *buffer;                              /* BUFSIZ bytes, allocated at first use */
    size_t next, end;                           /* reading: [next, end) is unread; writing: [0, end) is unwritten */
    struct stream *link;                        /* all open files */
};

static FILE input  = { .fd = 0, .can_read = true, .buffered = true };
static FILE output = { .fd = 1, .can_write = true, .link = &input };
static FILE errors = { .fd = 2, .can_write = true, .link = &output };
static FILE *files = &errors;

FILE *const stdin = &input, *const stdout = &output, *const stderr = &errors;

static bool fail(FILE *file, int error)
{
    file->failed = true;
    if (error)
        errno = error;
    return false;
}

static bool write_out(FILE *file)
{
    size_t nbytes = file->end;

    if (!file->writing || nbytes == 0)
        return true;
    file->end = 0;
    return write_all(file->fd, file->buffer, nbytes) == 0 || fail(file, 0);
}

static void flush_all(void)
{
    for (FILE *file = files; file != NULL; file = file->link)
        write_out(file);
}

static bool need_buffer(FILE *file)
{
    if (file->buffer == NULL)
        file->buffer = malloc(BUFSIZ);
    return file->buffer != NULL;
}

/* Bytes read ahead are given back to the descriptor before the first write after them. */
static bool start_writing(FILE *file)
{
    if (!file->can_write)
        return fail(file, EBADF);
    if (!file->writing) {
        if (file->next < file->end)
            call_lseek(file->fd, -(long)(file->end - file->next), SEEK_CUR);
        file->next = file->end = 0;
        file->writing = true;
        call_at_end(flush_all);
    }
    return true;
}

static bool start_reading(FILE *file)
{
    if (!file->can_read)
        return fail(file, EBADF);
    if (file->writing) {
        if (!write_out(file))
            return false;
        file->writing = false;
    }
    return true;
}

/* At least one unread byte in the buffer, or false at the end of the file. */
static bool fill(FILE *file)
{
    if (file->next < file->end)
        return true;
    if (!start_reading(file))
        return false;
    if (!need_buffer(file))
        return fail(file, ENOMEM);
    if (file->fd == 0)
        write_out(stdout);                      /* a question is seen before its answer is awaited */

    long got = call_read(file->fd, file->buffer, BUFSIZ);
    file->next = 0;
    file->end = got > 0 ? (size_t)got : 0;
    if (got == 0)
        file->at_end = true;
    if (got < 0)
        fail(file, 0);
    return got > 0;
}

static bool parse_mode(const char *mode, int *flags)
{
    bool both = strchr(mode, '+') != NULL;

    switch (mode[0]) {
    case 'r': *flags = both ? O_RDWR : O_RDONLY; return true;
    case 'w': *flags = (both ? O_RDWR : O_WRONLY) | O_CREATE | O_TRUNC; return true;
    case 'a': *flags = (both ? O_RDWR : O_WRONLY) | O_CREATE | O_APPEND; return true;
    default:  errno = EINVAL; return false;
    }
}

FILE *fdopen(int fd, const char *mode)
{
    int flags;

    if (!parse_mode(mode, &flags))
        return NULL;
    FILE *file = calloc(1, sizeof *file);
    if (file == NULL)
        return NULL;
    file->fd = fd;
    file->buffered = true;
    file->can_read = (flags & O_ACCMODE) != O_WRONLY;
    file->can_write = (flags & O_ACCMODE) != O_RDONLY;
    file->link = files;
    files = file;
    return file;
}

FILE *fopen(const char *path, const char *mode)
{
    int flags;

    if (!parse_mode(mode, &flags))
        return NULL;
    int fd = call_open(path, flags);
    if (fd < 0)
        return NULL;
    FILE *file = fdopen(fd, mode);
    if (file == NULL)
        call_close(fd);
    return file;
}

int fclose(FILE *file)
{
    bool ok = write_out(file);
    FILE **link = &files;

    while (*link != NULL && *link != file)
        link = &(*link)->link;
    if (*link == NULL) {
        errno = EBADF;
        return EOF;
    }
    *link = file->link;
    ok &= call_close(file->fd) == 0;
    free(file->buffer);
    if (file != stdin && file != stdout && file != stderr)
        free(file);
    return ok ? 0 : EOF;
}

int fflush(FILE *file)
{
    if (file != NULL)
        return write_out(file) ? 0 : EOF;
    flush_all();
    return 0;
}

/* Only whether there is a buffer can be chosen; it is always the library's own. */
int setvbuf(FILE *file, char *buffer, int mode, size_t size)
{
    (void)buffer;
    (void)size;
    write_out(file);
    file->buffered = mode == _IOFBF || file->can_read;
    return 0;
}

static size_t write_bytes(FILE *file, const char *from, size_t nbytes)
{
    if (!start_writing(file))
        return 0;
    if (!file->buffered || nbytes >= BUFSIZ || !need_buffer(file)) {
        if (!write_out(file))
            return 0;
        return write_all(file->fd, from, nbytes) == 0 || fail(file, 0) ? nbytes : 0;
    }
    if (file->end + nbytes > BUFSIZ && !write_out(file))
        return 0;
    memcpy(file->buffer + file->end, from, nbytes);
    file->end += nbytes;
    return nbytes;
}

size_t fwrite(const void *from, size_t size, size_t count, FILE *file)
{
    size_t nbytes;

    if (__builtin_mul_overflow(size, count, &nbytes) || nbytes == 0)
        return 0;
    return write_bytes(file, from, nbytes) / size;
}

size_t fread(void *to, size_t size, size_t count, FILE *file)
{
    size_t nbytes, done = 0;

    if (__builtin_mul_overflow(size, count, &nbytes) || nbytes == 0)
        return 0;
    while (done < nbytes && fill(file)) {
        size_t piece = file->end - file->next;
        if (piece > nbytes - done)
            piece = nbytes - done;
        memcpy((char *)to + done, file->buffer + file->next, piece);
        file->next += piece;
        done += piece;
    }
    return done / size;
}

int fgetc(FILE *file)
{
    return fill(file) ? (unsigned char)file->buffer[file->next++] : EOF;
}

int getc(FILE *file)
{
    return fgetc(file);
}

int getchar(void)
{
    return fgetc(stdin);
}

/* One byte can always be put back after one was read. */
int ungetc(int c, FILE *file)
{
    if (c == EOF || file->writing || !need_buffer(file))
        return EOF;
    if (file->next == 0) {
        if (file->end == BUFSIZ)
            return EOF;
        memmove(file->buffer + 1, file->buffer, file->end);
        file->next = 1;
        file->end++;
    }
    file->buffer[--file->next] = (char)c;
    file->at_end = false;
    return (unsigned char)c;
}

char *fgets(char *to, int size, FILE *file)
{
    int length = 0;

    while (length + 1 < size) {
        int c = fgetc(file);
        if (c == EOF)
            break;
        to[length++] = (char)c;
        if (c == '\n')
            break;
    }
    if (length == 0)
        return NULL;
    to[length] = '\0';
    return to;
}

ssize_t getline(char **line, size_t *size, FILE *file)
{
    size_t length = 0;

    if (*line == NULL)
        *size = 0;
    while (fill(file)) {
        char *start = file->buffer + file->next;
        size_t piece = file->end - file->next;
        char *newline = memchr(start, '\n', piece);
        if (newline != NULL)
            piece = (size_t)(newline - start) + 1;
        if (length + piece + 1 > *size) {
            size_t wanted = (length + piece + 1) * 2;
            char *bigger = realloc(*line, wanted);
            if (bigger == NULL)
                return -1;
            *line = bigger;
            *size = wanted;
        }
        memcpy(*line + length, start, piece);
        length += piece;
        file->next += piece;
        if (newline != NULL)
            break;
    }
    if (length == 0)
        return -1;
    (*line)[length] = '\0';
    return (ssize_t)length;
}

int fputc(int c, FILE *file)
{
    char byte = (char)c;
    return write_bytes(file, &byte, 1) == 1 ? (unsigned char)c : EOF;
}

int putc(int c, FILE *file)
{
    return fputc(c, file);
}

int putchar(int c)
{
    return fputc(c, stdout);
}

int fputs(const char *s, FILE *file)
{
    size_t length = strlen(s);
    return length == 0 || write_bytes(file, s, length) == length ? 0 : EOF;
}

int puts(const char *s)
{
    return printf("%s\n", s) < 0 ? EOF : 0;     /* line and newline in one write */
}

static void drain_to_file(struct sink *sink)
{
    if (sink->used > 0 && write_bytes(sink->to, sink->buffer, sink->used) == 0)
        sink->failed = 1;
    sink->used = 0;
}

int vfprintf(FILE *file, const char *format, va_list args)
{
    char text[1024];
    struct sink sink = { .buffer = text, .size = sizeof text, .drain = drain_to_file, .to = file };

    format_text(&sink, format, args);
    drain_to_file(&sink);
    return sink.failed ? -1 : (int)sink.total;
}

int vprintf(const char *format, va_list args)
{
    return vfprintf(stdout, format, args);
}

int fprintf(FILE *file, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = vfprintf(file, format, args);
    va_end(args);
    return result;
}

int printf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = vfprintf(stdout, format, args);
    va_end(args);
    return result;
}

int fseek(FILE *file, long offset, int whence)
{
    if (file->writing) {
        if (!write_out(file))
            return -1;
    } else if (whence == SEEK_CUR) {
        offset -= (long)(file->end - file->next);
    }
    if (call_lseek(file->fd, offset, whence) < 0)
        return -1;
    file->next = file->end = 0;
    file->at_end = false;
    return 0;
}

long ftell(FILE *file)
{
    long where = call_lseek(file->fd, 0, SEEK_CUR);

    if (where < 0)
        return -1;
    return file->writing ? where + (long)file->end : where - (long)(file->end - file->next);
}

void rewind(FILE *file)
{
    fseek(file, 0, SEEK_SET);
    clearerr(file);
}

int feof(FILE *file)
{
    return file->at_end;
}

int ferror(FILE *file)
{
    return file->failed;
}

void clearerr(FILE *file)
{
    file->at_end = file->failed = false;
}

int fileno(FILE *file)
{
    return file->fd;
}
