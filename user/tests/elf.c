/*
 * elf: exec of hostile files. Each header field is damaged in turn; exec must refuse with an error, or start the file,
 * and in both cases this program and the kernel live and no frame is lost.
 */
#include "user/tests/support.h"

struct elf_header {                             /* struct elf_program is the machine's */
    uint8_t   magic[4], class, data, version, pad[9];
    uint16_t  type, machine;
    uint32_t  version2;
    uintptr_t entry, program_offset, section_offset;
    uint32_t  flags;
    uint16_t  header_size, program_size, programs, section_size, sections, section_names;
};
#define R 4u
#define W 2u
#define X 1u
#define BASE    USER_BASE
#define LIMIT   USER_IMAGE_END                  /* end of what an image may use */
#define ALL     UINTPTR_MAX
#define TOP_BIT (UINTPTR_MAX / 2 + 1)

static struct {
    struct elf_header  h;
    struct elf_program p[4];
    uint32_t           code[64];
} file;

static size_t more_than_there_is;               /* bytes; an image may be as large */

/* The smallest good program: exit(55). */
static void make_good(void)
{
    memset(&file, 0, sizeof file);
    file.h = (struct elf_header){ .magic = { 0x7f, 'E', 'L', 'F' }, .class = ELF_CLASS, .data = 1, .version = 1, .type = 2,
        .machine = ELF_MACHINE, .version2 = 1, .entry = BASE + offsetof(__typeof__(file), code),
        .program_offset = sizeof(struct elf_header), .header_size = sizeof(struct elf_header),
        .program_size = sizeof(struct elf_program), .programs = 1 };
    file.p[0] = (struct elf_program){ .type = 1, .flags = R | X, .va = BASE, .file_bytes = sizeof file,
        .memory_bytes = sizeof file, .align = 4096 };
    memcpy(file.code, exit_55, sizeof exit_55);
}

static int run_it(void *argument)
{
    char *argv[] = { "hostile", 0 };

    (void)argument;
    syscall(7, "/tmp/hostile", argv);
    return -1000 - errno;
}

/* The child's status: 55 ran, -1 killed, -1000 - errno refused. */
static int attempt(size_t nbytes)
{
    int fd = open("/tmp/hostile", O_CREATE | O_TRUNC | O_WRONLY);

    CHECK_EQ(write(fd, &file, nbytes), nbytes);
    close(fd);
    return in_child(run_it, 0);
}

#define REFUSED(error) CHECK_EQ(attempt(sizeof file), -1000 - (error))
#define DAMAGED(damage, error) do { make_good(); damage; REFUSED(error); } while (0)

TEST(good_one_runs)
{
    make_good();
    CHECK_EQ(attempt(sizeof file), 55);
}

TEST(every_length)
{
    make_good();
    for (size_t n = 0; n < sizeof file; n += n < 200 ? 1 : 13)
        if (attempt(n) != -1000 - ENOEXEC) {
            CHECK_EQ(n, -1);
            return;
        }
    CHECK(1);
}

TEST(header_fields)
{
    DAMAGED(file.h.magic[0] = 0, ENOEXEC);
    DAMAGED(file.h.magic[3] = 'G', ENOEXEC);
    DAMAGED(file.h.class = 3 - ELF_CLASS, ENOEXEC);
    DAMAGED(file.h.data = 2, ENOEXEC);
    DAMAGED(file.h.type = 1, ENOEXEC);
    DAMAGED(file.h.type = 3, ENOEXEC);
    DAMAGED(file.h.machine = 62, ENOEXEC);
    DAMAGED(file.h.program_size = 0, ENOEXEC);
    DAMAGED(file.h.program_size = sizeof(struct elf_program) - 8, ENOEXEC);
    DAMAGED(file.h.program_size = 0xffff, ENOEXEC);
    DAMAGED(file.h.programs = 0, ENOEXEC);
    DAMAGED(file.h.programs = 0xffff, ENOEXEC);
    DAMAGED(file.h.program_offset = ALL, ENOEXEC);
    DAMAGED(file.h.program_offset = ALL - sizeof(struct elf_program) + 1, ENOEXEC);
    DAMAGED(file.h.program_offset = sizeof file, ENOEXEC);
    DAMAGED(file.h.program_offset = sizeof file - 8, ENOEXEC);
    DAMAGED(file.h.program_offset = TOP_BIT, ENOEXEC);
}

TEST(entry_outside)
{
    static const uintptr_t entries[] = { 0, 1, 0x1000, KERNEL_ADDRESS, BASE - 2, BASE + 0x10000, LIMIT, USER_STACK_TOP - PAGE,
                                         USER_LIMIT, TOP_BIT, ALL, ALL - 1, REGION_BASE };
    for (size_t i = 0; i < COUNT(entries); i++)
        DAMAGED(file.h.entry = entries[i], ENOEXEC);
    DAMAGED(file.p[0].flags = R, ENOEXEC);      /* the entry is not in an executable segment */
    DAMAGED(file.p[0].flags = R | W, ENOEXEC);
}

TEST(misaligned_entry_harms_only_itself)
{
    make_good();
    file.h.entry |= 1;
    int status = attempt(sizeof file);
    CHECK(status == 55 || status == -1 || status == -1000 - ENOEXEC);
}

TEST(segments_outside)
{
    static const uintptr_t places[] = { 0, 0x1000, 0x80000000, KERNEL_ADDRESS, REGION_BASE, BASE - PAGE, BASE - 1, LIMIT,
        LIMIT - PAGE / 2, LIMIT - 1, USER_STACK_TOP, USER_LIMIT, 2 * USER_LIMIT, TOP_BIT, ALL - PAGE + 1, ALL };
    for (size_t i = 0; i < COUNT(places); i++) {
        make_good();
        file.h.programs = 2;
        file.p[1] = (struct elf_program){ .type = 1, .flags = R | W, .va = places[i], .memory_bytes = PAGE };
        REFUSED(ENOEXEC);
    }
}

TEST(sizes)
{
    DAMAGED(file.p[0].memory_bytes = 10, ENOEXEC);                      /* smaller than what comes from the file */
    DAMAGED(file.p[0].offset = ALL, ENOEXEC);
    DAMAGED(file.p[0].offset = sizeof file, ENOEXEC);
    DAMAGED(file.p[0].offset = ALL - sizeof file + 2, ENOEXEC);        /* the sum wraps */
    DAMAGED((file.p[0].file_bytes = sizeof file + 1, file.p[0].memory_bytes = 2 * PAGE), ENOEXEC);
    DAMAGED((file.p[0].file_bytes = ALL, file.p[0].memory_bytes = ALL), ENOEXEC);
    DAMAGED(file.p[0].memory_bytes = ALL, ENOEXEC);
    DAMAGED(file.p[0].memory_bytes = TOP_BIT, ENOEXEC);
    DAMAGED(file.p[0].memory_bytes = ALL - BASE + 1, ENOEXEC);         /* va + size is 0 */
    DAMAGED(file.p[0].memory_bytes = LIMIT - BASE + 1, ENOEXEC);
}

TEST(more_memory_than_there_is)
{
    make_good();
    file.h.programs = 2;
    file.p[1] = (struct elf_program){ .type = 1, .flags = R | W, .va = BASE + PAGE, .memory_bytes = more_than_there_is };
    CHECK_EQ(attempt(sizeof file), -1000 - ENOMEM);
}

TEST(read_only_giant_is_lazy_or_refused)
{
    make_good();
    file.h.programs = 2;
    file.p[1] = (struct elf_program){ .type = 1, .flags = R, .va = BASE + PAGE, .memory_bytes = more_than_there_is };
    int status = attempt(sizeof file);
    CHECK(status == 55 || status == -1000 - ENOMEM);
}

TEST(overlapping_segments)
{
    static const uintptr_t places[] = { BASE, BASE + 1, BASE + PAGE - 1, BASE + PAGE / 2 };
    for (size_t i = 0; i < COUNT(places); i++) {
        make_good();
        file.h.programs = 2;
        file.p[1] = (struct elf_program){ .type = 1, .flags = R | W, .va = places[i], .memory_bytes = PAGE };
        REFUSED(ENOEXEC);
    }
    make_good();                                /* the second begins below and swallows the first */
    file.h.programs = 2;
    file.p[0].va = BASE + PAGE;
    file.h.entry += PAGE;
    file.p[1] = (struct elf_program){ .type = 1, .flags = R | W, .va = BASE, .memory_bytes = 4 * PAGE };
    REFUSED(ENOEXEC);
}

TEST(writable_and_executable)
{
    DAMAGED(file.p[0].flags = R | W | X, ENOEXEC);
    DAMAGED(file.p[0].flags = W | X, ENOEXEC);
}

TEST(unreadable_segment_harms_only_itself)
{
    make_good();
    file.p[0].flags = X;
    int status = attempt(sizeof file);
    CHECK(status == 55 || status == -1 || status == -1000 - ENOEXEC);
}

TEST(unaligned_segment_runs_or_is_refused)
{
    make_good();
    file.p[0].va = BASE + 8;
    file.h.entry += 8;
    int status = attempt(sizeof file);
    CHECK(status == 55 || status == -1000 - ENOEXEC);
}

TEST(empty_and_foreign_segments_are_passed_over)
{
    make_good();
    file.h.programs = 4;
    file.p[1] = (struct elf_program){ .type = 1, .flags = R | W, .va = BASE + PAGE };
    file.p[2] = (struct elf_program){ .type = 0x6474e551, .flags = R | W | X, .va = ALL, .memory_bytes = ALL, .file_bytes = 5 };
    file.p[3] = (struct elf_program){ .type = 4, .offset = ALL };
    CHECK_EQ(attempt(sizeof file), 55);
}

TEST(data_segment_is_filled_and_zeroed)
{
    make_good();
    file.h.programs = 2;
    file.p[1] = (struct elf_program){ .type = 1, .flags = R | W, .offset = 16, .va = BASE + PAGE + 16, .file_bytes = 8,
        .memory_bytes = 3 * PAGE };
    memcpy(file.code, exit_56_plus_word_in_third_page, sizeof exit_56_plus_word_in_third_page);
    CHECK_EQ(attempt(sizeof file), 56);
}

/* Any byte of the headers, several values: never a dead kernel, never a lost frame. */
TEST(every_byte)
{
    struct kcounters before, after;
    size_t headers = sizeof(struct elf_header) + sizeof(struct elf_program);
    unsigned ran = 0, refused = 0, killed = 0, other = 0;

    make_good();
    attempt(sizeof file);
    sync();
    kcounters(&before);
    for (size_t at = 0; at < headers; at++) {
        static const uint8_t changes[] = { 0x01, 0x80, 0xff };
        for (size_t i = 0; i < COUNT(changes); i++) {
            make_good();
            ((uint8_t *)&file)[at] ^= changes[i];
            int status = attempt(sizeof file);
            ran += status == 55;
            killed += status == -1;
            refused += status <= -1000;
            other += status != 55 && status != -1 && status > -1000;
        }
    }
    sync();
    kcounters(&after);
    CHECK_EQ(other, 0);
    CHECK(refused > headers * 3 / 4);           /* of three times as many: most bytes matter */
    CHECK(after.frames_free + after.frames_cached + 16 > before.frames_free + before.frames_cached);
    CHECK_EQ(after.pages_committed, before.pages_committed);
}

int main(void)
{
    struct kcounters counters;

    kcounters(&counters);
    more_than_there_is = (size_t)(counters.frames_total + 1) * PAGE;
    mkdir("/tmp");
    RUN(good_one_runs);
    RUN(every_length);
    RUN(header_fields);
    RUN(entry_outside);
    RUN(misaligned_entry_harms_only_itself);
    RUN(segments_outside);
    RUN(sizes);
    RUN(more_memory_than_there_is);
    RUN(read_only_giant_is_lazy_or_refused);
    RUN(overlapping_segments);
    RUN(writable_and_executable);
    RUN(unreadable_segment_harms_only_itself);
    RUN(unaligned_segment_runs_or_is_refused);
    RUN(empty_and_foreign_segments_are_passed_over);
    RUN(data_segment_is_filled_and_zeroed);
    RUN(every_byte);
    unlink("/tmp/hostile");
    return check_summary("elf");
}
