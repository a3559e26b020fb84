/* tests/riscv/machine.h -- what the tests must know of this machine: addresses, and programs as numbers.
 * Instructions are in instructions.h. The other machine's files of these names hold the same list. */
#ifndef TAMAL_TESTS_MACHINE_H
#define TAMAL_TESTS_MACHINE_H

#include <stdint.h>

#define USER_BASE          0x100000000ul        /* first address of a program */
#define USER_IMAGE_END     0x1000000000ul       /* end of what image and heap may use */
#define USER_STACK_TOP     0x3FC0000000ul
#define USER_LIMIT         0x4000000000ul       /* nothing of a program lies from here on */
#define REGION_BASE        0xA10C0000ul         /* malloco's blocks */
#define KERNEL_ADDRESS     0x80200000ul         /* the kernel's first instruction */
#define KERNEL_POOL_FRAMES 0                    /* frames that are for the kernel first */
#define CAN_FORBID_EXECUTION 1                  /* of a page that can be read */
#define TABLE_SPANS        { 1ul << 21, 1ul << 30 }    /* bytes that a page table maps, by level; the root is the last */

/* Addresses at which no byte belongs to a program. */
#define BAD_ADDRESSES(X) \
    X(0x0) X(0x1) X(0x1000) X(0xfff) X(0x10000000) X(0x80000000) X(0x80200000) X(0x87fff000) X(0xA10BFFFF) \
    X(0xA10C0000) X(0xA14C0000) X(0xFFFFFFFF) X(0xFFFFF000) X(0x2000000000) X(0x3FC0000000) X(0x3FFFFFF000) \
    X(0x3FFFFFFFFF) X(0x4000000000) X(0x7FFFFFFFFFFFFFFF) X(0x8000000000000000) X(0xFFFFFFC080200000) \
    X(0xFFFFFFFFFFFFF000) X(0xFFFFFFFFFFFFFFF8) X(0xFFFFFFFFFFFFFFFF)

/* ELF, System V ABI, chapters 4 and 5. */
#define ELF_CLASS   2                           /* 64 bits */
#define ELF_MACHINE 243                         /* RISC-V */
struct elf_program {
    uint32_t type, flags;
    uint64_t offset, va, pa, file_bytes, memory_bytes, align;
};

static const uint32_t exit_55[] = {
    0x03700513,                                 /* li a0, 55 */
    0x00200893,                                 /* li a7, 2: exit */
    0x00000073,                                 /* ecall */
    0x00000067,                                 /* jump to 0, should exit ever return */
};
static const uint32_t exit_56_plus_word_in_third_page[] = {
    0x00100513,                                 /* li a0, 1 */
    0x02051513,                                 /* slli a0, a0, 32: USER_BASE */
    0x00002637,                                 /* lui a2, 2: two pages */
    0x00c50633,                                 /* add a2, a0, a2 */
    0x00063503,                                 /* ld a0, 0(a2) */
    0x03850513,                                 /* addi a0, a0, 56 */
    0x00200893,
    0x00000073,
};
static const uint32_t return_at_once[] = { 0x00008067 };        /* ret */

#endif
