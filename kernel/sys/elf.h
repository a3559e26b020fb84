/* elf.h -- the part of the ELF format that exec reads (System V ABI, chapters 4 and 5), in the machine's word size;
 * struct elf_program, whose order of fields depends on it, is in machine.h. */
#ifndef SYS_ELF_H
#define SYS_ELF_H

#include "arch/arch.h"

struct elf_header {
    uint8_t  magic[4];                  /* 0x7f 'E' 'L' 'F' */
    uint8_t  class, data, version, pad[9];      /* class: ELF_CLASS; data 1: little-endian */
    uint16_t type, machine;             /* type 2: executable */
    uint32_t version2;
    uintptr_t entry, program_offset, section_offset;
    uint32_t flags;
    uint16_t header_size, program_size, programs, section_size, sections, section_names;
};

#define ELF_EXECUTABLE 2
#define ELF_LOAD       1
#define ELF_X          1u
#define ELF_W          2u
#define ELF_R          4u

#endif
