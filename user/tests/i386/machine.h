/* tests/i386/machine.h -- what the tests must know of this machine: addresses, and programs as numbers.
 * Instructions are in instructions.h. The other machine's files of these names hold the same list. */
#ifndef TAMAL_TESTS_MACHINE_H
#define TAMAL_TESTS_MACHINE_H

#include <stdint.h>

#define USER_BASE          0x08000000ul         /* first address of a program */
#define USER_IMAGE_END     0x10000000ul         /* end of what image and heap may use */
#define USER_STACK_TOP     0x80000000ul
#define USER_LIMIT         0x80000000ul         /* nothing of a program lies from here on, but malloco's blocks */
#define REGION_BASE        0xA10C0000ul         /* malloco's blocks */
#define KERNEL_ADDRESS     0x00100000ul         /* the kernel's first byte */
#define KERNEL_POOL_FRAMES 1024                 /* frames that are for the kernel first: below 4 MiB, at most so many */
#define CAN_FORBID_EXECUTION 0                  /* of a page that can be read */
#define TABLE_SPANS        { 1ul << 22 }         /* bytes that a page table maps, by level; the directory is the last */

/* Addresses at which no byte belongs to a program. */
#define BAD_ADDRESSES(X) \
    X(0x0) X(0x1) X(0xfff) X(0x1000) X(0xb8000) X(0x00100000) X(0x003FFFFF) X(0x00400000) X(0x06FFF000) X(0x07000000) \
    X(0x07FFFFFF) X(0x10000000) X(0x40000000) X(0x80000000) X(0xA10BFFFF) X(0xA10C0000) X(0xA14C0000) X(0xC0000000) \
    X(0xFEE00000) X(0xFFFFF000) X(0xFFFFFFF8) X(0xFFFFFFFF)

/* ELF, System V ABI, chapters 4 and 5. */
#define ELF_CLASS   1                           /* 32 bits */
#define ELF_MACHINE 3                           /* Intel 80386 */
struct elf_program {
    uint32_t type, offset, va, pa, file_bytes, memory_bytes, flags, align;
};

static const uint8_t exit_55[] = {
    0xbb, 55, 0, 0, 0,                          /* movl $55, %ebx */
    0xb8, 2, 0, 0, 0,                           /* movl $2, %eax: exit */
    0xcd, 0x80,                                 /* int $0x80 */
    0xff, 0x25, 0, 0, 0, 0,                     /* jump through address 0, should exit ever return */
};
static const uint8_t exit_56_plus_word_in_third_page[] = {
    0x8b, 0x1d, 0x00, 0x20, 0x00, 0x08,         /* movl 0x08002000, %ebx */
    0x83, 0xc3, 56,                             /* addl $56, %ebx */
    0xb8, 2, 0, 0, 0,
    0xcd, 0x80,
};
static const uint8_t return_at_once[] = { 0xc3 };               /* ret */

#endif
