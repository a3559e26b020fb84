/* string.h -- memory and strings. */
#ifndef TAMAL_STRING_H
#define TAMAL_STRING_H

#include <stddef.h>

void  *memcpy(void *restrict to, const void *restrict from, size_t nbytes);
void  *memmove(void *to, const void *from, size_t nbytes);
void  *memset(void *to, int byte, size_t nbytes);
int    memcmp(const void *a, const void *b, size_t nbytes);
void  *memchr(const void *bytes, int byte, size_t nbytes);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t limit);
int    strcmp(const char *a, const char *b);
int    strncmp(const char *a, const char *b, size_t limit);
char  *strcpy(char *restrict to, const char *restrict from);
char  *strncpy(char *restrict to, const char *restrict from, size_t limit);
size_t strlcpy(char *restrict to, const char *restrict from, size_t size);      /* always ends with NUL */
size_t strlcat(char *restrict to, const char *restrict from, size_t size);      /* always ends with NUL */
char  *strcat(char *restrict to, const char *restrict from);
char  *strncat(char *restrict to, const char *restrict from, size_t limit);
char  *strchr(const char *s, int c);
char  *strrchr(const char *s, int c);
char  *strstr(const char *s, const char *part);
size_t strspn(const char *s, const char *accept);
size_t strcspn(const char *s, const char *reject);
char  *strpbrk(const char *s, const char *accept);
char  *strtok(char *restrict s, const char *restrict separators);
char  *strtok_r(char *restrict s, const char *restrict separators, char **restrict rest);
char  *strdup(const char *s);                   /* NULL without memory */
char  *strndup(const char *s, size_t limit);
char  *strerror(int error);

#endif
