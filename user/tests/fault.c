/* fault: every access that is not granted kills the task that made it, with status -1 and one line, and nobody else. */
#include "user/tests/support.h"

static int load(void *address) { return *(volatile char *)address + 1000; }
static int store(void *address) { *(volatile char *)address = 1; return 0; }
static int load_word(void *address) { return (int)(*(volatile long *)address & 1) + 1000; }
static int jump(void *address) { ((void (*)(void))address)(); return 0; }

TEST(loads)
{
    for (size_t i = 0; i < BAD_POINTERS; i++)
        EVICTED(load, bad_pointers[i]);
}

TEST(stores)
{
    for (size_t i = 0; i < BAD_POINTERS; i++)
        EVICTED(store, bad_pointers[i]);
}

TEST(jumps)
{
    for (size_t i = 0; i < BAD_POINTERS; i++)
        EVICTED(jump, (unsigned long)bad_pointers[i] & ~1ul);
}

TEST(text_and_constants_are_read_only)
{
    static const char constant[] = "constant";

    EVICTED(store, main_text());
    EVICTED(store, constant);
    CHECK_EQ(constant[0], 'c');
}

TEST(data_and_stack_do_not_execute)
{
    static unsigned data[4] = { 0x00008067 };   /* ret */
    unsigned stack[4] = { 0x00008067 };
    unsigned *heap = (unsigned *)sbrk(PAGE);

    heap[0] = 0x00008067;
    EVICTED(jump, data);
    EVICTED(jump, stack);
    EVICTED(jump, heap);
    sbrk(-(long)PAGE);
}

/* R001-8: forked or not, a write to code is no copy-on-write. */
static int child_writes_text(void *unused)
{
    (void)unused;
    return in_child(store, main_text()) == -1 ? 0 : 1;
}

TEST(text_is_no_copy_on_write)
{
    struct kcounters before, after;

    kcounters(&before);
    CHECK_EQ(in_child(child_writes_text, 0), 0);
    kcounters(&after);
    CHECK_EQ(after.evictions, before.evictions + 1);
}

static int across_two_pages(void *end) { return load_word((char *)end - 4); }

TEST(half_an_access_outside)
{
    char *top = sbrk(PAGE) + PAGE;

    EVICTED(across_two_pages, top);
    sbrk(-(long)PAGE);
}

static int illegal(void *unused) { (void)unused; __asm__ volatile(".word 0"); return 0; }
static int supervisor_csr(void *unused) { (void)unused; __asm__ volatile("csrr a0, sstatus" ::: "a0"); return 0; }
static int supervisor_return(void *unused) { (void)unused; __asm__ volatile("sret"); return 0; }
static int fence_tlb(void *unused) { (void)unused; __asm__ volatile("sfence.vma"); return 0; }
static int halt_hart(void *unused) { (void)unused; __asm__ volatile("csrw satp, zero"); return 0; }
static int breakpoint(void *unused) { (void)unused; __asm__ volatile("ebreak"); return 0; }

TEST(instructions_of_the_kernel)
{
    EVICTED(illegal, 0);
    EVICTED(supervisor_csr, 0);
    EVICTED(supervisor_return, 0);
    EVICTED(fence_tlb, 0);
    EVICTED(halt_hart, 0);
    EVICTED(breakpoint, 0);
}

static int clobber_registers(void *unused)      /* hostile registers must not hurt the trap path */
{
    (void)unused;
    __asm__ volatile("li sp, 0x80200000; li tp, 0; li gp, -1; li ra, 1; lb a0, 0(zero)" ::: "memory");
    return 0;
}

static int kernel_stack_pointer(void *unused)
{
    (void)unused;
    __asm__ volatile("li sp, -16; li a7, 11; ecall; lb a0, 0(zero)" ::: "memory");
    return 0;
}

TEST(hostile_registers)
{
    EVICTED(clobber_registers, 0);
    EVICTED(kernel_stack_pointer, 0);
}

TEST(registers_survive_calls)
{
    unsigned long bad = 0;

    for (int i = 0; i < 100; i++) {
        register unsigned long a7 __asm__("a7") = 11;   /* getpid */
        register unsigned long a0 __asm__("a0") = 0;
        register unsigned long a1 __asm__("a1") = 0x1a1, a2 __asm__("a2") = 0x1a2, a5 __asm__("a5") = 0x1a5;
        register unsigned long t0 __asm__("t0") = 0x101, t6 __asm__("t6") = 0x106, s5 __asm__("s5") = 0x1055;
        __asm__ volatile("ecall" : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a5), "+r"(a7), "+r"(t0), "+r"(t6), "+r"(s5) :: "memory");
        bad += a1 != 0x1a1 || a2 != 0x1a2 || a5 != 0x1a5 || a7 != 11 || t0 != 0x101 || t6 != 0x106 || s5 != 0x1055;
    }
    CHECK_EQ(bad, 0);
}

/* R000-8, A000-11, M11: while one task after another dies, others on all harts go on computing. */
TEST(others_live)
{
    int status, pids[4];

    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            unsigned long x = 1;
            for (long n = 0; n < 2000000; n++)
                x = x * 6364136223846793005ul + 1;
            exit(x == 0 ? 1 : 0);
        }
    }
    uint64_t before = evictions_now();
    for (int i = 0; i < 30; i++)
        CHECK_EQ(in_child(load, 0), -1);
    CHECK_EQ(evictions_now(), before + 30);
    for (int i = 0; i < 4; i++) {
        status = -2;
        CHECK_EQ(wait_for_task(pids[i], &status), pids[i]);
        CHECK_EQ(status, 0);
    }
}

int main(void)
{
    RUN(loads);
    RUN(stores);
    RUN(jumps);
    RUN(text_and_constants_are_read_only);
    RUN(data_and_stack_do_not_execute);
    RUN(text_is_no_copy_on_write);
    RUN(half_an_access_outside);
    RUN(instructions_of_the_kernel);
    RUN(hostile_registers);
    RUN(registers_survive_calls);
    RUN(others_live);
    return check_summary("fault");
}
