/*
 * crash_states -- tries what a crash can leave of a disk: recover each state with the kernel's own file system (DESIGN
 * 10.22), check it with fsck, and find every byte that was promised.
 *
 *   crash_states BASE EVENTS SEED SUBSETS [SAMPLE-FOLDER SAMPLES]
 *
 * EVENTS is text, made by test_crash.py from QEMU's write log and the console, in the order things happened:
 *     W offset nbytes position     a completed write; its bytes are at `position` of EVENTS.data
 *     F                            a completed flush
 *     P path size seed             from here on this holds (size -1: no such name)
 *     R path                       from here on it does not
 * States: after each W, all writes so far ("prefix"); and SUBSETS times, from a random event on, everything up to the last
 * F before it and of the writes since then only some, every other time torn between sectors of 512 bytes.
 * Some states are also written to SAMPLE-FOLDER as image N and the promises that hold in it (N.promises), to be booted.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs_host.h"
#include "fs_recover.h"
#include "mkfs/check.h"

enum { SECTOR = 512 };

struct occurrence {
    char     kind;                              /* W F P R */
    uint64_t offset, nbytes, position;
    int      name;                              /* index into names[] */
    long     size;
    unsigned seed;
};

static struct occurrence *occurrences;
static size_t count;
static char (*names)[64];
static int name_count;
static uint8_t *data, *base, *durable, *image, *scratch;
static size_t image_bytes, data_bytes;
static unsigned long states, replayed, promises_checked, failures;

struct promise { bool holds; long size; unsigned seed; };

static void *must_alloc(size_t n)
{
    void *p = calloc(1, n + 1);
    if (p == NULL)
        exit(2);
    return p;
}

static uint8_t *read_file(const char *path, size_t *nbytes)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    *nbytes = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = must_alloc(*nbytes);
    if (fread(bytes, 1, *nbytes, f) != *nbytes)
        exit(2);
    fclose(f);
    return bytes;
}

static int name_index(const char *name)
{
    for (int i = 0; i < name_count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    names = realloc(names, (size_t)(name_count + 1) * sizeof *names);
    snprintf(names[name_count], sizeof *names, "%s", name);
    return name_count++;
}

static void read_events(const char *path)
{
    char line[256], name[128], data_path[1024];
    FILE *f = fopen(path, "r");

    if (f == NULL)
        exit(2);
    snprintf(data_path, sizeof data_path, "%s.data", path);
    data = read_file(data_path, &data_bytes);
    while (fgets(line, sizeof line, f) != NULL) {
        struct occurrence o = { .kind = line[0] };
        unsigned long long offset, nbytes, position;
        int fields = line[0] == 'W' ? sscanf(line + 1, "%llu %llu %llu", &offset, &nbytes, &position) - 3
                   : line[0] == 'P' ? sscanf(line + 1, "%127s %ld %u", name, &o.size, &o.seed) - 3
                   : line[0] == 'R' ? sscanf(line + 1, "%127s", name) - 1 : line[0] == 'F' ? 0 : -1;
        if (fields != 0) {
            fprintf(stderr, "bad event: %s", line);
            exit(2);
        }
        if (line[0] == 'W') {
            o.offset = offset, o.nbytes = nbytes, o.position = position;
            if (offset + nbytes > image_bytes || position + nbytes > data_bytes)
                exit(2);
        }
        if (line[0] == 'P' || line[0] == 'R')
            o.name = name_index(name);
        occurrences = realloc(occurrences, (count + 1) * sizeof *occurrences);
        occurrences[count++] = o;
    }
    fclose(f);
}

static void apply(uint8_t *to, const struct occurrence *o)
{
    if (o->kind == 'W')
        memcpy(to + o->offset, data + o->position, o->nbytes);
}

static void follow(struct promise *promises, const struct occurrence *o)
{
    if (o->kind == 'P')
        promises[o->name] = (struct promise){ true, o->size, o->seed };
    if (o->kind == 'R')
        promises[o->name].holds = false;
}

/* ---- One state */

static void complain(const char *what, const char *format, ...)
{
    va_list args;

    failures++;
    if (failures > 20)
        return;
    printf("FAIL %s: ", what);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static void report(void *what, enum fsck_kind kind, const char *line)
{
    if (kind != FSCK_NOTE)
        complain(what, "fsck: %s", line);
}

static uint8_t byte_of(unsigned seed, unsigned long i) { return (uint8_t)((uint32_t)(seed + i / 7) * 2654435761u >> 24) ^ (uint8_t)i; }

/* The crc32 that fs_list() shows for a file with these bytes; remembered, since promises are looked at in many states. */
uint32_t crc32(uint32_t seed, const void *bytes, size_t n);
static uint32_t promised_crc(long size, unsigned seed)
{
    static struct { long size; unsigned seed; uint32_t crc; } known[4096];
    unsigned slot = (unsigned)(size * 31 + seed) % 4096;
    if (known[slot].size != size || known[slot].seed != seed || size == 0) {
        uint8_t *bytes = must_alloc((size_t)size);
        for (long i = 0; i < size; i++)
            bytes[i] = byte_of(seed, (unsigned long)i);
        known[slot].size = size, known[slot].seed = seed, known[slot].crc = crc32(0, bytes, (size_t)size);
        free(bytes);
    }
    return known[slot].crc;
}

static void check_promises(const char *what, const char *listing, const struct promise *promises)
{
    char *seen = must_alloc((size_t)name_count);

    for (const char *line = listing; *line != '\0'; line = strchr(line, '\n') + 1) {
        int type, nlink;
        unsigned long long size;
        uint32_t crc;
        char path[1100];
        if (sscanf(line, "%d %d %llu %x %1099[^\n]", &type, &nlink, &size, &crc, path) != 5)
            continue;
        for (int i = 0; i < name_count; i++) {
            if (strcmp(names[i], path) != 0)
                continue;
            seen[i] = 1;
            if (!promises[i].holds)
                continue;
            if (promises[i].size < 0)
                complain(what, "%s is there, and it was promised that it is not", path);
            else if ((long)size != promises[i].size)
                complain(what, "%s has %llu bytes, promised were %ld", path, size, promises[i].size);
            else if (crc != promised_crc(promises[i].size, promises[i].seed))
                complain(what, "%s has wrong bytes", path);
        }
    }
    for (int i = 0; i < name_count; i++) {
        promises_checked += promises[i].holds;
        if (promises[i].holds && promises[i].size >= 0 && !seen[i])
            complain(what, "%s is missing, promised were %ld bytes", names[i], promises[i].size);
    }
    free(seen);
}

static void check_listing(const char *what, uint8_t *disk, const struct promise *promises)
{
    char *listing = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&listing, &length);
    int err = fs_list(disk, image_bytes, out);

    fclose(out);
    if (err != 0)
        complain(what, "listing failed: %d", err);
    else
        check_promises(what, listing, promises);
    free(listing);
}

static void check_state(const char *what, const uint8_t *state, const struct promise *promises)
{
    struct fsck_result result;

    states++;
    fsck_check(state, image_bytes, report, (void *)what, &result);
    replayed += result.transactions;
    memcpy(scratch, state, image_bytes);
    int err = fs_recover(scratch, image_bytes);
    if (err != 0) {
        complain(what, "the kernel's recovery failed: %d", err);
        return;
    }
    fsck_check(scratch, image_bytes, report, (void *)what, &result);
    if (result.verdict != FSCK_CLEAN)
        complain(what, "fsck after recovery: verdict %d", result.verdict);
    if (result.transactions != 0)
        complain(what, "recovery left %u transactions in the log", result.transactions);
    check_listing(what, scratch, promises);
}

/* ---- Which states */

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % limit;
}

static void write_sample(const char *folder, unsigned number, const uint8_t *state, const struct promise *promises)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/%u", folder, number);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(state, 1, image_bytes, f) != image_bytes || fclose(f) != 0)
        exit(2);
    snprintf(path, sizeof path, "%s/%u.promises", folder, number);
    f = fopen(path, "w");
    for (int i = 0; i < name_count; i++)
        if (promises[i].holds)
            fprintf(f, "P %s %ld %u\n", names[i], promises[i].size, promises[i].seed);
    if (fclose(f) != 0)
        exit(2);
    snprintf(path, sizeof path, "%s/%u.promises.data", folder, number);
    f = fopen(path, "wb");                      /* no writes among these events */
    if (f == NULL || fclose(f) != 0)
        exit(2);
}

static void all_prefixes(unsigned step)
{
    struct promise *promises = must_alloc((size_t)name_count * sizeof *promises);
    char what[64];
    size_t writes = 0;

    memcpy(image, base, image_bytes);
    check_state("before the first write", image, promises);
    for (size_t i = 0; i < count; i++) {
        apply(image, &occurrences[i]);
        follow(promises, &occurrences[i]);
        bool promised = occurrences[i].kind == 'P' && (i + 1 == count || occurrences[i + 1].kind != 'P');
        if (promised || (occurrences[i].kind == 'W' && writes++ % step == 0)) {
            snprintf(what, sizeof what, "prefix of %zu events", i + 1);
            check_state(what, image, promises);
        }
    }
    free(promises);
}

/* Of the writes after the last flush before `end`, some: whole ones, or (torn) some of their sectors. */
static void one_subset(size_t end, bool torn, const char *folder, int sample)
{
    struct promise *promises = must_alloc((size_t)name_count * sizeof *promises);
    size_t flush = 0;
    char what[80];
    unsigned chance = 1 + random_below(9);

    for (size_t i = 0; i < end; i++) {
        follow(promises, &occurrences[i]);
        if (occurrences[i].kind == 'F')
            flush = i;
    }
    memcpy(image, durable, image_bytes);
    for (size_t i = flush; i < end; i++) {
        const struct occurrence *o = &occurrences[i];
        uint64_t unit = torn ? SECTOR : 4096;
        for (uint64_t at = 0; o->kind == 'W' && at < o->nbytes; at += unit)
            if (random_below(10) < chance)
                memcpy(image + o->offset + at, data + o->position + at, o->nbytes - at < unit ? o->nbytes - at : unit);
    }
    snprintf(what, sizeof what, "subset%s after flush %zu, crash at %zu", torn ? ", torn," : "", flush, end);
    check_state(what, image, promises);
    if (sample >= 0)
        write_sample(folder, (unsigned)sample, image, promises);
    free(promises);
}

/* In ascending order of their crash points, so that `durable`, the state at the last flush, is made step by step. */
static int ascending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static void random_subsets(unsigned n, const char *folder, unsigned samples)
{
    size_t *ends = must_alloc(n * sizeof *ends), done = 0;
    unsigned sampled = 0;

    for (unsigned i = 0; i < n; i++)
        ends[i] = 1 + random_below((uint32_t)count);
    qsort(ends, n, sizeof *ends, ascending);
    memcpy(durable, base, image_bytes);
    for (unsigned i = 0; i < n; i++) {
        size_t flush = done;
        for (size_t k = done; k < ends[i]; k++)
            if (occurrences[k].kind == 'F')
                flush = k;
        for (; done < flush; done++)
            apply(durable, &occurrences[done]);
        bool sample = sampled < samples && i >= (uint64_t)n * (2 * sampled + 1) / (2 * samples);
        one_subset(ends[i], i % 2, folder, sample ? (int)sampled++ : -1);
    }
    free(ends);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    host_quiet = true;
    base = read_file(argv[1], &image_bytes);
    durable = must_alloc(image_bytes);
    image = must_alloc(image_bytes);
    scratch = must_alloc(image_bytes);
    read_events(argv[2]);
    random_state = (uint32_t)atoi(argv[3]) * 2u + 1u;
    if (strcmp(argv[4], "check") == 0) {        /* one image that was recovered elsewhere, against EVENTS' promises */
        struct promise *promises = must_alloc((size_t)name_count * sizeof *promises);
        for (size_t i = 0; i < count; i++)
            follow(promises, &occurrences[i]);
        check_state(argv[1], base, promises);
        free(promises);
    } else {
        const char *step = getenv("CRASH_STEP");
        all_prefixes(step != NULL ? (unsigned)atoi(step) : 1);
        random_subsets((unsigned)atoi(argv[4]), argc > 6 ? argv[5] : NULL, argc > 6 ? (unsigned)atoi(argv[6]) : 0);
    }
    printf("crash_states: %lu states, %lu transactions replayed, %lu promises looked at, %lu failures\n", states, replayed,
           promises_checked, failures);
    return failures != 0;
}
