/*
 * crc32.c -- CRC-32, eight bytes a step, because a full log is megabytes and crash tests check thousands.
 *
 * Owns:     its tables, made at the first call. Single-threaded, like all of mkfs/.
 * Not here: which bytes a checksum covers (layout.c, log.c).
 */
#include "mkfs/crc32.h"

#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0xEDB88320u
#define STRIDE     8

/* table[k][b]: what byte b adds to the remainder when k more bytes follow it. */
static uint32_t table[STRIDE][256];
static bool table_made;

static void make_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t rest = byte;
        for (int bit = 0; bit < 8; bit++)
            rest = (rest >> 1) ^ (rest & 1 ? POLYNOMIAL : 0);
        table[0][byte] = rest;
    }
    for (int follow = 1; follow < STRIDE; follow++)
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t rest = table[follow - 1][byte];
            table[follow][byte] = (rest >> 8) ^ table[0][rest & 255];
        }
    table_made = true;
}

static uint32_t step_eight(uint32_t rest, const uint8_t *p)
{
    uint64_t word;
    uint32_t sum = 0;
    memcpy(&word, p, sizeof word);          /* little-endian: layout.h asserts it */
    word ^= rest;
    for (int i = 0; i < STRIDE; i++)
        sum ^= table[STRIDE - 1 - i][(word >> (8 * i)) & 255];
    return sum;
}

uint32_t image_crc32(uint32_t before, const void *data, size_t nbytes)
{
    const uint8_t *p = data;
    uint32_t rest = ~before;

    if (!table_made)
        make_table();
    for (; nbytes >= STRIDE; p += STRIDE, nbytes -= STRIDE)
        rest = step_eight(rest, p);
    for (; nbytes > 0; p++, nbytes--)
        rest = (rest >> 8) ^ table[0][(rest ^ *p) & 255];
    return ~rest;
}
