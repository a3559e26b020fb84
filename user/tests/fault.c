/* fault: every access that is not granted kills the task that made it, with status -1 and one line, and nobody else. */
#include "user/tests/support.h"
#include "instructions.h"

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
        EVICTED(jump, (uintptr_t)bad_pointers[i] & ~(uintptr_t)1);
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
    static unsigned data[4];
    unsigned stack[4], *heap = (unsigned *)sbrk(PAGE);

    memcpy(data, return_at_once, sizeof return_at_once);
    memcpy(stack, return_at_once, sizeof return_at_once);
    memcpy(heap, return_at_once, sizeof return_at_once);
    if (CAN_FORBID_EXECUTION) {
        EVICTED(jump, data);
        EVICTED(jump, stack);
        EVICTED(jump, heap);
    } else {
        printf("skipped: this machine executes whatever it can read\n");
    }
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

static int across_two_pages(void *end) { return load_word((char *)end - sizeof(long) / 2); }

TEST(half_an_access_outside)
{
    char *top = sbrk(PAGE) + PAGE;

    EVICTED(across_two_pages, top);
    sbrk(-(long)PAGE);
}

static int do_deed(void *deed)
{
    ((const struct deed *)deed)->function();
    return 0;
}

static void all_are_evicted(const struct deed *deeds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int failures_before = check_failures;
        EVICTED(do_deed, &deeds[i]);
        if (check_failures != failures_before)
            printf("    by: %s\n", deeds[i].name);
    }
}

TEST(instructions_of_the_kernel) { all_are_evicted(forbidden, COUNT(forbidden)); }

TEST(hostile_registers) { all_are_evicted(hostile, COUNT(hostile)); }     /* they must not hurt the trap path */

static int do_call(void *number)
{
    return odd_calls[(uintptr_t)number].function();
}

TEST(calls_keep_registers_in_any_state)
{
    for (uintptr_t i = 0; i < COUNT(odd_calls); i++)
        if (!CHECK_EQ(in_child(do_call, (void *)i), 0))
            printf("    by: %s\n", odd_calls[i].name);
}

/* R000-8, A000-11, M11: while one task after another dies, others on all harts go on computing. */
TEST(others_live)
{
    int status, pids[4];

    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            uint64_t x = 1;
            for (long n = 0; n < 2000000; n++)
                x = x * 6364136223846793005u + 1;
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
    RUN(calls_keep_registers_in_any_state);
    RUN(others_live);
    return check_summary("fault");
}
