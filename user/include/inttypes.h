/* inttypes.h -- printf letters of the stdint types. */
#ifndef TAMAL_INTTYPES_H
#define TAMAL_INTTYPES_H

#include <stdint.h>

#if __SIZEOF_LONG__ == 8
#define INT64_LETTERS "l"
#else
#define INT64_LETTERS "ll"
#endif

#define PRId8  "d"
#define PRIu8  "u"
#define PRIx8  "x"
#define PRId16 "d"
#define PRIu16 "u"
#define PRIx16 "x"
#define PRId32 "d"
#define PRIi32 "i"
#define PRIu32 "u"
#define PRIx32 "x"
#define PRIX32 "X"
#define PRIo32 "o"
#define PRId64 INT64_LETTERS "d"
#define PRIi64 INT64_LETTERS "i"
#define PRIu64 INT64_LETTERS "u"
#define PRIx64 INT64_LETTERS "x"
#define PRIX64 INT64_LETTERS "X"
#define PRIo64 INT64_LETTERS "o"
#define PRIdPTR "zd"                            /* a pointer is as wide as a size */
#define PRIuPTR "zu"
#define PRIxPTR "zx"
#define PRIdMAX PRId64
#define PRIuMAX PRIu64
#define PRIxMAX PRIx64

#endif
