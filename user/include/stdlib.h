/* stdlib.h -- memory, numbers, sorting, leaving. */
#ifndef TAMAL_STDLIB_H
#define TAMAL_STDLIB_H

#include <stddef.h>

#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1
#define RAND_MAX     0x7fffffff

typedef struct { int quot, rem; } div_t;
typedef struct { long quot, rem; } ldiv_t;

void *malloc(size_t nbytes);
void *calloc(size_t count, size_t nbytes);
void *realloc(void *block, size_t nbytes);
void  free(void *block);

int                atoi(const char *s);
long               atol(const char *s);
long long          atoll(const char *s);
double             atof(const char *s);
long               strtol(const char *restrict s, char **restrict end, int base);
unsigned long      strtoul(const char *restrict s, char **restrict end, int base);
long long          strtoll(const char *restrict s, char **restrict end, int base);
unsigned long long strtoull(const char *restrict s, char **restrict end, int base);
double             strtod(const char *restrict s, char **restrict end);

int    abs(int n);
long   labs(long n);
div_t  div(int n, int by);
ldiv_t ldiv(long n, long by);

int  rand(void);
void srand(unsigned seed);

void  qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));
void *bsearch(const void *key, const void *base, size_t count, size_t size,
              int (*compare)(const void *, const void *));

_Noreturn void exit(int status);                /* functions of atexit(), then flushes FILEs */
_Noreturn void _Exit(int status);
_Noreturn void abort(void);
int   atexit(void (*function)(void));
char *getenv(const char *name);                 /* always NULL: there is no environment */
int   system(const char *command);              /* sh -c command; its status, or -1 */

#endif
