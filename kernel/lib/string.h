/* string.h -- memory and string primitives. Wide accesses: a page copy or clear is the kernel's most frequent long
 * operation (8-byte unrolled is 10 times as fast as a byte loop under the emulator). No locks, no state; also tested on the host. */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include "lib/types.h"

void  *memset(void *dst, int byte, size_t nbytes);
void  *memcpy(void *dst, const void *src, size_t nbytes);
void  *memmove(void *dst, const void *src, size_t nbytes);
int    memcmp(const void *a, const void *b, size_t nbytes);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int    strcmp(const char *a, const char *b);
int    strncmp(const char *a, const char *b, size_t max);
char  *strchr(const char *s, int c);

/* copy_page, clear_page -- one whole page; both pointers page-aligned. */
void copy_page(void *dst, const void *src);
void clear_page(void *dst);

/* copy_string -- copy at most size-1 bytes and always terminate; the rest of dst is zeroed (no kernel bytes leak).
 * Returns strlen(src): a value >= size says it was cut. */
size_t copy_string(char *dst, const char *src, size_t size);

/* parse_number -- decimal, or hexadecimal after 0x. Returns false when `s` is not wholly a number that fits. */
bool parse_number(const char *s, uint64_t *value);

/* hash_bytes -- 32-bit FNV-1a. crc32 -- as abi/fsformat.h defines it; `seed` is 0 or the crc so far. */
uint32_t hash_bytes(const void *data, size_t nbytes);
uint32_t crc32(uint32_t seed, const void *data, size_t nbytes);

#endif
