/* elf.h -- the part of the ELF format that exec reads (System V ABI, chapters 4 and 5), 64-bit. */
#ifndef SYS_ELF_H
#define SYS_ELF_H

#include <stdint.h>

struct elf_header {
    uint8_t  magic[4];                  /* 0x7f 'E' 'L' 'F' */
    uint8_t  class, data, version, pad[9];      /* class 2: 64-bit; data 1: little-endian */
    uint16_t type, machine;             /* type 2: executable */
    uint32_t version2;
    uint64_t entry, program_offset, section_offset;
    uint32_t flags;
    uint16_t header_size, program_size, programs, section_size, sections, section_names;
};

struct elf_program {
    uint32_t type, flags;               /* type 1: load */
    uint64_t offset, va, pa, file_bytes, memory_bytes, align;
};

#define ELF_EXECUTABLE 2
#define ELF_LOAD       1
#define ELF_X          1u
#define ELF_W          2u
#define ELF_R          4u

#endif
