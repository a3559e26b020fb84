/*
 * tests/crashload.h -- what the workload of the crash tests (crashload.c, in the machine) and their judge
 * (tests/host/crash_judge.c) agree on: which byte an operation writes, and how a mark looks on the disk.
 */
#ifndef TAMAL_TESTS_CRASHLOAD_H
#define TAMAL_TESTS_CRASHLOAD_H

#include <stdint.h>

/* Byte `offset` of the file that operation `version` (from 1, each task counts its own) of `task` wrote there: so each byte
 * on the disk tells who wrote it, and which of the contents a file had is the one that is found. */
static inline uint64_t crash_word(uint32_t task, uint32_t version, uint64_t word)
{
    uint64_t x = ((uint64_t)(task + 1) << 56 | (uint64_t)version << 32) + word;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}
static inline uint8_t crash_byte(uint32_t task, uint32_t version, uint64_t offset)
{
    return (uint8_t)(crash_word(task, version, offset / 8) >> offset % 8 * 8);
}

/* The whole contents of /crash/m<task>. Written as soon as a promise was made, and not synced: where a block that begins
 * like this comes first in the log of writes, all operations up to `version` had been promised. It fits a sector. */
#define CRASH_MARK_MAGIC 0x6b72616d68737263u    /* "crshmark" */
struct crash_mark {
    uint64_t magic;
    uint32_t task, version;
    uint64_t check;                             /* crash_word(task, version, magic) */
};

#endif
