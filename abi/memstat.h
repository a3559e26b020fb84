/* abi/memstat.h -- what the kernel tells about memory. Same layout on every machine: padding is explicit.
 *
 *   get_all_pid_stats, get_mem_stats    struct process_mem_info
 *   get_all_mem_stats                   struct system_mem_summary
 *   arealist, pagemap                   struct area_info, PAGE_IS_*
 */
#ifndef ABI_MEMSTAT_H
#define ABI_MEMSTAT_H

#include <stdint.h>

struct process_mem_info {
    uint64_t reserved_memory;           /* KiB: all areas */
    uint64_t committed_memory;          /* KiB: of these, pages now in frames; a shared frame counts in each sharer */
    uint32_t committed_percent;         /* committed * 100 / reserved; 0 when nothing is reserved */
    int32_t  oom_score;                 /* 0..1000: permille of all frames, tables counted; the highest goes first */
    int32_t  pid;
    char     process_name[16];          /* ends with a NUL, zeros behind it */
    uint32_t padding;
};
_Static_assert(sizeof(struct process_mem_info) == 48, "struct process_mem_info is ABI");

struct system_mem_summary {             /* sums over all user tasks */
    uint64_t total_reserved_memory;     /* MiB: summed in KiB, then divided once */
    uint64_t total_committed_memory;    /* MiB */
};
_Static_assert(sizeof(struct system_mem_summary) == 16, "struct system_mem_summary is ABI");

/* One area of an address space: arealist(). */
enum area_kind { AREA_IMAGE, AREA_HEAP, AREA_STACK, AREA_TAMALLOC, AREA_REGION };   /* REGION: malloco's blocks */
#define AREA_READ  1u
#define AREA_WRITE 2u
#define AREA_EXEC  4u

struct area_info {
    uint64_t start, end;                /* bytes, half-open, page-aligned */
    uint32_t kind;                      /* enum area_kind */
    uint32_t access;                    /* AREA_READ, AREA_WRITE, AREA_EXEC */
    uint64_t reserved_pages;            /* REGION: pages of its blocks */
    uint64_t resident_pages;
};
_Static_assert(sizeof(struct area_info) == 40, "struct area_info is ABI");

/* One page: pagemap() gives a byte of these for each. */
#define PAGE_IS_GRANTED  1              /* in an area; in REGION: in a block */
#define PAGE_IS_RESIDENT 2              /* in a frame */
#define PAGE_IS_SHARED   4              /* other tasks have the same frame */
#define PAGE_IS_COW      8              /* read-only now; a write gets a copy, or the page itself from the last sharer */
#define PAGE_IS_WRITABLE 16             /* a write would not fault */
#define PAGE_IS_MARKED   32             /* chau() was called, the sweeper has not come yet */
#define PAGE_IS_FIRST    64             /* first page of a malloco block */

#endif
