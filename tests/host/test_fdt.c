/* test_fdt: the device-tree reader finds what QEMU's tree holds, and a damaged tree never makes it read outside the blob.
 *
 * usage: test_fdt BLOB     (qemu-system-riscv64 -machine virt,dumpdtb=BLOB -smp 4 -m 128M)
 * Build: cc -fsanitize=address,undefined -I. -Ikernel -Itests/host -Wno-builtin-declaration-mismatch
 *        tests/host/test_fdt.c kernel/lib/fdt.c       (libc's own string functions serve)
 * The blob is copied to a heap block of its exact size, so one byte too far is seen by the address sanitizer. */
#include "check.h"
#include "lib/fdt.h"
#include <stdlib.h>
#include <string.h>

#define MUTANTS 20000

static uint32_t random_state = 12345;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % limit;
}

static void put32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void finds_what_is_there(const uint8_t *blob)
{
    struct fdt fdt;
    uint64_t address = 0, nbytes = 0, value = 0;
    int depth, cpus = 0, slots = 0;
    uint32_t length = 0;

    CHECK(fdt_open(&fdt, blob));
    fdt_node root = fdt_next(&fdt, -1, &depth);
    CHECK(root == 0 && depth == 0);
    CHECK(strcmp(fdt_name(&fdt, root), "") == 0);
    CHECK(fdt_path(&fdt, "/") == root);
    CHECK(fdt_prop(&fdt, root, "compatible", &length) != NULL && length > 0);

    fdt_node memory = fdt_path(&fdt, "/memory");
    CHECK(memory > 0 && strcmp(fdt_name(&fdt, memory), "memory@80000000") == 0);
    CHECK(fdt_path(&fdt, "/memory@80000000") == memory);
    CHECK(fdt_path(&fdt, "/memory@8") < 0 && fdt_path(&fdt, "/mem") < 0 && fdt_path(&fdt, "/memory/x") < 0);
    CHECK(fdt_reg(&fdt, memory, 0, &address, &nbytes) && address == 0x80000000 && nbytes == 128u << 20);
    CHECK(!fdt_reg(&fdt, memory, 1, &address, &nbytes));

    fdt_node uart = fdt_compatible(&fdt, -1, "ns16550a");
    CHECK(uart > 0 && fdt_reg(&fdt, uart, 0, &address, &nbytes) && address == 0x10000000);
    CHECK(fdt_number(&fdt, uart, "interrupts", &value) && value == 10);
    CHECK(fdt_compatible(&fdt, uart, "ns16550a") < 0);

    fdt_node plic = fdt_compatible(&fdt, -1, "riscv,plic0");
    CHECK(plic > 0 && fdt_number(&fdt, plic, "phandle", &value) && fdt_handle(&fdt, (uint32_t)value) == plic);
    CHECK(fdt_handle(&fdt, 0x7fffffff) < 0);

    for (fdt_node n = fdt_compatible(&fdt, -1, "virtio,mmio"); n >= 0; n = fdt_compatible(&fdt, n, "virtio,mmio"))
        slots++;
    CHECK(slots == 8);
    fdt_node cpu_list = fdt_path(&fdt, "/cpus");
    CHECK(fdt_number(&fdt, cpu_list, "timebase-frequency", &value) && value == 10000000);
    depth = 0;
    for (fdt_node n = fdt_next(&fdt, cpu_list, &depth); n >= 0 && depth > 0; n = fdt_next(&fdt, n, &depth)) {
        const char *type = fdt_string(&fdt, n, "device_type");
        if (type != NULL && strcmp(type, "cpu") == 0) {
            CHECK(fdt_reg(&fdt, n, 0, &address, &nbytes) && address < 4 && nbytes == 0);
            cpus++;
        }
    }
    CHECK(cpus == 4);
    CHECK(fdt_prop(&fdt, root, "no-such", NULL) == NULL && fdt_string(&fdt, memory, "no-such") == NULL);
    CHECK(fdt_name(&fdt, 1) == NULL && fdt_name(&fdt, -1) == NULL && fdt_name(&fdt, 1 << 30) == NULL);
    CHECK(fdt_prop(&fdt, -5, "reg", NULL) == NULL);
}

/* A tree made by hand: reserved ranges in both places, one-cell numbers, NOPs, a property list that does not end in NUL. */
static size_t build_small_tree(uint8_t *blob)
{
    static const char names[] = "reg\0#address-cells\0#size-cells\0s";
    uint8_t *p = blob + 40;

    put32(p, 0); put32(p + 4, 0x1000); put32(p + 8, 0); put32(p + 12, 0x2000);
    memset(p + 16, 0, 16);
    p += 32;
    uint8_t *start = p;
#define WORD(value) (put32(p, (value)), p += 4)
    WORD(4); WORD(1); WORD(0);                              /* NOP; root "" */
    WORD(3); WORD(4); WORD(4); WORD(1);                     /* #address-cells = 1 */
    WORD(3); WORD(4); WORD(19); WORD(1);                    /* #size-cells = 1 */
    WORD(1); memcpy(p, "reserved-memory", 16); p += 16;
    WORD(3); WORD(4); WORD(4); WORD(1);
    WORD(4);
    WORD(3); WORD(4); WORD(19); WORD(1);
    WORD(1); memcpy(p, "a@5\0", 4); p += 4;
    WORD(3); WORD(16); WORD(0); WORD(5); WORD(6); WORD(7); WORD(8);
    WORD(2);
    WORD(1); memcpy(p, "b@9\0", 4); p += 4;
    WORD(3); WORD(8); WORD(0); WORD(9); WORD(10);
    WORD(3); WORD(3); WORD(31); memcpy(p, "xyz\0", 4); p += 4;      /* "s": a string without its end */
    WORD(2); WORD(2); WORD(2); WORD(9);
#undef WORD
    uint32_t struct_size = (uint32_t)(p - start);
    memcpy(p, names, sizeof(names));
    p += sizeof(names);
    const uint32_t header[10] = { 0xd00dfeed, (uint32_t)(p - blob), (uint32_t)(start - blob),
        (uint32_t)(start - blob) + struct_size, 40, 17, 16, 0, sizeof(names), struct_size };
    for (int i = 0; i < 10; i++)
        put32(blob + 4 * i, header[i]);
    return (size_t)(p - blob);
}

static void reads_reserved_ranges(void)
{
    static const uint64_t expected[][2] = { { 0x1000, 0x2000 }, { 5, 6 }, { 7, 8 }, { 9, 10 } };
    uint8_t blob[512];
    struct fdt fdt;
    uint64_t address, nbytes;

    build_small_tree(blob);
    CHECK(fdt_open(&fdt, blob));
    for (unsigned i = 0; i < 4; i++)
        CHECK(fdt_reserved(&fdt, i, &address, &nbytes) && address == expected[i][0] && nbytes == expected[i][1]);
    CHECK(!fdt_reserved(&fdt, 4, &address, &nbytes));
    CHECK(fdt_string(&fdt, fdt_path(&fdt, "/reserved-memory/b"), "s") == NULL);
}

static void refuses_bad_headers(const uint8_t *blob, size_t size)
{
    uint8_t *copy = malloc(size);
    struct fdt fdt;

    CHECK(!fdt_open(&fdt, NULL));
    for (int field = 0; field < 10; field++) {
        memcpy(copy, blob, size);
        put32(copy + 4 * field, field == 5 ? 3 : 0xfffffff0);
        bool matters = field != 6 && field != 7;            /* last compatible version, boot cpu */
        CHECK(fdt_open(&fdt, copy) == !matters);
    }
    free(copy);
}

/* Calls everything; only the sanitizers judge. Every loop must end by itself. */
static void use_all(const uint8_t *blob, size_t size)
{
    static const char *const paths[] = { "/", "/chosen", "/cpus/cpu@0/interrupt-controller", "/soc/serial", "/a/b/c" };
    struct fdt fdt;
    uint64_t a, b;
    uint32_t length;
    int depth;

    if (!fdt_open(&fdt, blob) || fdt.size > size)           /* the kernel must believe the size; the test knows it */
        return;
    for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        fdt_node n = fdt_path(&fdt, paths[i]);
        const char *name = fdt_name(&fdt, n);
        if (name != NULL)
            checks_made += strlen(name) < size ? 0 : 1;
    }
    for (fdt_node n = fdt_next(&fdt, -1, &depth); n >= 0; n = fdt_next(&fdt, n, &depth)) {
        const uint8_t *p = fdt_prop(&fdt, n, "reg", &length);
        volatile uint8_t sum = 0;
        for (uint32_t i = 0; p != NULL && i < length; i++)
            sum += p[i];
        const char *s = fdt_string(&fdt, n, "compatible");
        if (s != NULL)
            sum += (uint8_t)strlen(s);
        fdt_number(&fdt, n, "phandle", &a);
        for (unsigned i = 0; i < 4; i++)
            fdt_reg(&fdt, n, i, &a, &b);
    }
    fdt_compatible(&fdt, -1, "no,such");
    fdt_handle(&fdt, 3);
    for (unsigned i = 0; i < 8; i++)
        fdt_reserved(&fdt, i, &a, &b);
    for (int i = 0; i < 8; i++)
        fdt_name(&fdt, (fdt_node)random_below((uint32_t)size * 2));
}

static void survives_mutants(const uint8_t *blob, size_t size, unsigned mutants)
{
    static const uint32_t nasty[] = { 0, 1, 2, 3, 4, 9, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, 0xfffffff4 };

    for (unsigned round = 0; round < mutants; round++) {
        size_t kept = random_below(16) == 0 ? random_below((uint32_t)size) + 1 : size;
        uint8_t *copy = malloc(kept < 40 ? 40 : kept);
        memset(copy, 0, 40);
        memcpy(copy, blob, kept);
        for (uint32_t edits = random_below(8) + 1; edits > 0 && kept >= 44; edits--) {
            uint32_t at = random_below(4) == 0 ? random_below(80) : random_below((uint32_t)kept);
            if (at >= kept)
                continue;
            if (random_below(2) == 0 && at / 4 * 4 + 4 <= kept)
                put32(copy + at / 4 * 4, nasty[random_below(sizeof(nasty) / sizeof(nasty[0]))]);
            else
                copy[at] = (uint8_t)random_below(256);
        }
        if (kept != size && random_below(2) == 0)           /* a cut blob that is honest about its size */
            put32(copy + 4, (uint32_t)kept);
        use_all(copy, kept < 40 ? 40 : kept);
        free(copy);
        checks_made++;
    }
}

/* QEMU pads its tree to 1 MiB: drop what nothing refers to, and say so in the header. */
static size_t trim(uint8_t *blob, size_t size)
{
    struct fdt fdt;

    if (!fdt_open(&fdt, blob))
        return size;
    uint32_t struct_end = fdt.struct_off + fdt.struct_size, strings_end = fdt.strings_off + fdt.strings_size;
    size = struct_end > strings_end ? struct_end : strings_end;
    put32(blob + 4, (uint32_t)size);
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t buffer[1 << 20];
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;

    if (f == NULL) {
        fprintf(stderr, "usage: test_fdt BLOB\n");
        return 2;
    }
    size_t size = fread(buffer, 1, sizeof(buffer), f);
    fclose(f);
    size = trim(buffer, size);
    uint8_t *blob = malloc(size);
    memcpy(blob, buffer, size);
    finds_what_is_there(blob);
    reads_reserved_ranges();
    refuses_bad_headers(blob, size);
    survives_mutants(blob, size, MUTANTS);
    free(blob);
    size = build_small_tree(buffer);
    survives_mutants(buffer, size, MUTANTS);
    return check_done("test_fdt");
}
