/*
 * checks.c -- gates and eviction, seen from a program: calls by vectors of their own, and what becomes of a task that does what
 * it may not. The descriptors themselves and the console's lines are in checks.py.
 */
#include "labs/user_check.h"
#include "instructions.h"

/* ---- Calls by a vector of their own. The first one that has no gate ends this task: the grader says so. */

static uint32_t call(unsigned vector, uint32_t argument)
{
    uint32_t result = argument;
    if (vector == 100)
        __asm__ volatile("int $100" : "+a"(result) :: "memory");
    else if (vector == 101)
        __asm__ volatile("int $101" : "+a"(result) :: "memory");
    else
        __asm__ volatile("int $222" : "+a"(result) :: "memory");
    return result;
}

static void calls_of_100_and_101(void)
{
    uint32_t pages = 2 + check_random() % 7, next = REGION_BASE + pages * (uint32_t)PAGE;

    uint32_t first = call(100, pages * (uint32_t)PAGE);
    EXPECT(first != (uint32_t)-ENOSYS, "number", "EAX after int 100: expected an address, saw -ENOSYS (0x%x)", first);
    EXPECT(first == REGION_BASE, "result", "EAX after int 100 with EAX = %u: expected 0x%x, saw 0x%x", pages * (uint32_t)PAGE,
           (uint32_t)REGION_BASE, first);
    uint32_t second = call(100, 1);
    EXPECT(second == next, "argument", "EAX after the next int 100: expected 0x%x, behind the first block of %u pages, saw 0x%x",
           next, pages, second);
    uint32_t freed = call(101, first), again = call(101, first);
    EXPECT(freed == 0, "argument", "EAX after int 101 with the first block: expected 0, saw 0x%x", freed);
    EXPECT(again == (uint32_t)-EINVAL, "result", "EAX after int 101 with the same block again: expected -EINVAL (0x%x), saw 0x%x",
           (uint32_t)-EINVAL, again);
    EXPECT(!lost_by_malloco(), "registers", "int 100: all registers but EAX must be kept, and they are not");
    EXPECT(!lost_by_chau(), "registers", "int 101: all registers but EAX must be kept, and they are not");
    EXPECT(!lost_by_getpid(), "registers", "int 0x80: all registers but EAX must be kept, and they are not");
}

static void call_of_222(void)
{
    int status = -2;
    uint32_t pid = call(222, 0);

    if (pid == 0)
        exit(55);
    EXPECT(pid != (uint32_t)-ENOSYS, "number", "EAX after int 222: expected the child's pid, saw -ENOSYS (0x%x)", pid);
    EXPECT((int)pid > 0, "result", "EAX after int 222: expected the child's pid, saw 0x%x", pid);
    EXPECT(wait_for_task((int)pid, &status) == (int)pid && status == 55, "result", "the child's exit code: expected 55, saw %d",
           status);
}

/* ---- Pages that nobody has touched yet, of every kind. What the fault handler provides must go on being provided. */

static int grow_stack(int depth)
{
    volatile char room[3000];
    room[0] = (char)depth;
    return depth == 0 ? 0 : grow_stack(depth - 1) + (room[0] == (char)depth);
}

static char *bytes_of_image[1];
static char  untouched[5 * PAGE];

static void every_lazy_page_comes(void)
{
    bytes_of_image[0] = untouched;
    char *heap = sbrklazy(3 * PAGE), *area = tamalloc(3 * PAGE), *block = (char *)call(100, 3 * PAGE);

    EXPECT(heap != (char *)-1 && area != 0 && block != 0, "", "heap, tamalloc area, malloco block are granted");
    for (size_t i = 0; i < 3; i++)
        heap[i * PAGE] = area[i * PAGE] = block[i * PAGE] = bytes_of_image[0][i * PAGE] = (char)(i + 1);
    for (char i = 0; i < 3; i++)
        EXPECT(heap[(size_t)i * PAGE] == i + 1 && area[(size_t)i * PAGE] == i + 1 && block[(size_t)i * PAGE] == i + 1, "",
               "byte %d of heap, area, block: expected %d, saw %d %d %d", i, i + 1, heap[(size_t)i * PAGE],
               area[(size_t)i * PAGE], block[(size_t)i * PAGE]);
    EXPECT_EQ(grow_stack(20), 20, "", "twenty calls deep, with a stack that grew");
}

/* A page comes while all registers are in use: the interrupted instruction is done again with the same ones. */
static void a_fault_changes_no_register(void)
{
    uint32_t wrong, word = 7;
    char *block = (char *)call(100, PAGE);

    __asm__ volatile(
        "pushl %%ebp\n"
        "movl $0x1ea1, %%eax; movl $0x1ec1, %%ecx; movl $0x1ed1, %%edx\n"
        "movl $0x1e51, %%esi; movl $0x1ed2, %%ebp\n"
        "movl $0x77, (%%edi)\n"                 /* the first touch */
        "xorl $0x1ea1, %%eax; xorl $0x1ec1, %%ecx; xorl $0x1ed1, %%edx\n"
        "xorl $0x1e51, %%esi; xorl $0x1ed2, %%ebp\n"
        "orl %%ecx, %%eax; orl %%edx, %%eax; orl %%esi, %%eax; orl %%ebp, %%eax\n"
        "popl %%ebp"
        : "=&a"(wrong) : "D"(block) : "ecx", "edx", "esi", "memory", "cc");
    memcpy(&word, block, 4);
    EXPECT(wrong == 0, "registers", "registers after a page fault differ in these bits: expected none, saw 0x%x", wrong);
    EXPECT(word == 0x77, "registers", "the word whose store faulted: expected 0x77, saw 0x%x", word);
}

/* ---- Eviction */

static int bad_vector(void *deed) { ((void (*)(void))deed)(); return 7; }
static int bad_store(void *address) { *(volatile char *)address = 1; return 7; }
static int bad_load(void *address) { (void)*(volatile char *)address; return 7; }

static char *const bad_places[] = {
    0, (char *)0x1000, (char *)KERNEL_ADDRESS, (char *)(REGION_BASE - 1), (char *)(REGION_BASE + (4u << 20)), (char *)0x40000000,
};

static void a_bad_access_ends_the_task(void)
{
    uint64_t before = counters_now().evictions;

    for (unsigned i = 0; i < COUNT(bad_places); i++) {
        int status = in_child(i % 2 == 0 ? bad_store : bad_load, bad_places[i]);
        EXPECT(status != 7, "goes-on", "a task that touches %p: expected its end, saw that it goes on behind the access",
               bad_places[i]);
        EXPECT(status == -1 || status == 7, "code", "exit code of a task that touches %p: expected -1, saw %d", bad_places[i],
               status);
    }
    unsigned counted = (unsigned)(counters_now().evictions - before);
    EXPECT(counted <= COUNT(bad_places), "again", "%u bad accesses: expected %u evictions at most, saw %u",
           (unsigned)COUNT(bad_places), (unsigned)COUNT(bad_places), counted);
}

/* What is allowed to level 3 only through a gate. */
static void a_forbidden_instruction_ends_the_task(void)
{
    for (unsigned i = 0; i < COUNT(forbidden); i++) {
        int status = in_child(bad_vector, (void *)forbidden[i].function);
        EXPECT(status == -1, "goes-on", "exit code of a task that does \"%s\": expected -1, saw %d", forbidden[i].name, status);
    }
}

/* Two siblings write to a pipe; one of them dies in between. Nothing of it may come afterwards, and the other one goes on. */
static void only_that_task_ends(void)
{
    int fds[2], status;
    char seen[64];

    EXPECT_EQ(pipe(fds), 0, "", "pipe");
    int victim = fork();
    if (victim == 0) {
        write(fds[1], "v", 1);
        bad_store(bad_places[check_random() % COUNT(bad_places)]);
        for (;;)
            write(fds[1], "X", 1);
    }
    int other = fork();
    if (other == 0) {
        for (int i = 0; i < 8; i++) {
            write(fds[1], "o", 1);
            pause(1);
        }
        exit(3);
    }
    EXPECT(victim > 0 && other > 0, "", "two children: pids %d and %d", victim, other);
    close(fds[1]);
    unsigned mine = 0, dead = 0, others = 0;
    for (long n; (n = read(fds[0], seen, sizeof seen)) > 0 && dead == 0; )
        for (long i = 0; i < n; i++) {
            mine += seen[i] == 'v';
            dead += seen[i] == 'X';
            others += seen[i] == 'o';
        }
    close(fds[0]);
    EXPECT(dead == 0, "goes-on", "an evicted task: expected that it never runs again, saw that it wrote %u bytes more", dead);
    EXPECT(mine == 1 && others == 8, "others", "bytes of the victim and of its sibling: expected 1 and 8, saw %u and %u", mine,
           others);
    status = -2;
    EXPECT(wait_for_task(victim, &status) == victim && status == -1, "code", "the victim's exit code: expected -1, saw %d",
           status);
    status = -2;
    EXPECT(wait_for_task(other, &status) == other && status == 3, "others", "the sibling's exit code: expected 3, saw %d",
           status);
}

/* A task that is killed from outside while it computes, and makes no call: its next trap is its last. */
static void a_killed_task_ends(void)
{
    int status = -2, pid = fork();

    if (pid == 0)
        for (;;)
            ;
    pause(1);
    EXPECT(pid > 0 && kill(pid) == 0, "", "kill(%d) of a task that computes: expected 0", pid);
    EXPECT(wait_for_task(pid, &status) == pid && status == -1, "", "exit code of a task that was killed: expected -1, saw %d",
           status);
}

static int die_with_blocks(void *npages)
{
    size_t n = (size_t)npages;
    char *block = malloco(n * PAGE);
    for (size_t i = 0; i < n; i++)
        block[i * PAGE] = 1;
    return bad_store(0);
}

static void its_memory_comes_back(void)
{
    (void)in_child(die_with_blocks, (void *)3);         /* so that all caches are filled */
    long before = frames_at_rest();
    for (int i = 0; i < 6; i++)
        EXPECT_EQ(in_child(die_with_blocks, (void *)(size_t)(20 + check_random() % 50)), -1, "code",
                  "exit code of an evicted task");
    long after = frames_at_rest();
    EXPECT(after == before, "leak", "free frames after six evictions: expected %ld as before, saw %ld", before, after);
}

/* For checks.py: bad deeds one after the other, each announced; the console has the kernel's lines between them. */
static void deeds(void)
{
    static const struct { const char *name; void (*function)(void); } list[] = {
        { "int14", int_14 }, { "int32", int_32 }, { "sweeper", jump_sweeper }, { "halt", halt_cpu },
    };
    for (unsigned i = 0; i < COUNT(list); i++) {
        printf("deed: %s\n", list[i].name);
        printf("ended: %d\n", in_child(bad_vector, (void *)list[i].function));
    }
    for (unsigned i = 0; i < 2; i++) {
        printf("deed: %s\n", i == 0 ? "store" : "load");
        printf("ended: %d\n", in_child(i == 0 ? bad_store : bad_load, (void *)0x1004));
    }
}

static const struct check checks[] = {
    { "calls_of_100_and_101", calls_of_100_and_101 },
    { "call_of_222", call_of_222 },
    { "every_lazy_page_comes", every_lazy_page_comes },
    { "a_fault_changes_no_register", a_fault_changes_no_register },
    { "a_bad_access_ends_the_task", a_bad_access_ends_the_task },
    { "a_forbidden_instruction_ends_the_task", a_forbidden_instruction_ends_the_task },
    { "only_that_task_ends", only_that_task_ends },
    { "a_killed_task_ends", a_killed_task_ends },
    { "its_memory_comes_back", its_memory_comes_back },
    { "deeds", deeds },
};
int main(void) { return run_check(checks, COUNT(checks)); }
