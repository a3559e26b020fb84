/*
 * record.h -- how a check speaks to the grader: numbered lines, each with a tag that only this run can make.
 *
 *   @3 5f0c9e7711d2a6b4 fail stale|page 0xA10C1000 reads 0x41, expected 0
 *
 * A record is a number (1, 2, 3 ..., of a child 1.PID, 2.PID ...), a tag, a kind and a text. The tag is SipHash-2-4 (Aumasson and Bernstein, 2012) of
 * "NUMBER KIND TEXT" under a key of this run, so a line of an older run, or one that somebody made up, is not a record. Kinds:
 *   begin   NAME                    the check has begun
 *   pass    COUNT                   so many expectations held since the last record; at the end
 *   fail    HINT|TEXT               one did not: which hint may help, what was expected and what was seen
 *   note    TEXT                    it is going on; also a value that the grader looks at
 *   end     FAILURES FRAMES TASKS   it is over: failed expectations; frames and tasks that are missing or left behind
 *
 * Both kinds of checks include this: programs by user_check.h, kernel tasks by kernel_check.h.
 */
#ifndef LABS_RECORD_H
#define LABS_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define RECORD_MAX 400                  /* bytes of a line; a longer text is cut */

struct record_key { uint64_t word[2]; };

#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = ROTATE(v[1], 13) ^ v[0];
    v[3] = ROTATE(v[3], 16) ^ v[2];
    v[0] = ROTATE(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = ROTATE(v[1], 17) ^ v[2];
    v[3] = ROTATE(v[3], 21) ^ v[0];
    v[2] = ROTATE(v[2], 32);
}

static inline uint64_t record_tag(const struct record_key *key, const char *text, size_t length)
{
    uint64_t v[4] = { key->word[0] ^ 0x736f6d6570736575u, key->word[1] ^ 0x646f72616e646f6du,
                      key->word[0] ^ 0x6c7967656e657261u, key->word[1] ^ 0x7465646279746573u };
    for (size_t at = 0; at <= length; at += 8) {
        uint64_t word = at + 8 > length ? (uint64_t)length << 56 : 0;
        for (size_t i = 0; i < 8 && at + i < length; i++)
            word |= (uint64_t)(uint8_t)text[at + i] << (8 * i);
        v[3] ^= word;
        sip_round(v);
        sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return (v[0] ^ v[1] ^ v[2] ^ v[3]) | 1ull << 63;    /* always 16 digits: printing takes as many instructions with any key */
}

/* 16 digits of `text` as a number; what follows them is returned. */
static inline const char *read_hex(const char *text, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < 16 && *text != '\0'; i++, text++)
        *value = *value << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
    return text;
}

#endif
