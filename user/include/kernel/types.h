/* kernel/types.h -- xv6's names for integers. */
#ifndef TAMAL_XV6_TYPES_H
#define TAMAL_XV6_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef unsigned int   uint;
typedef unsigned short ushort;
typedef unsigned char  uchar;
typedef uint8_t        uint8;
typedef uint16_t       uint16;
typedef uint32_t       uint32;
typedef uint64_t       uint64;
typedef uint64_t       pde_t;

#endif
