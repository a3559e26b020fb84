/*
 * selftest.c -- tests that need the inside of the kernel and several CPUs (`make qemu APPEND=demo=selftest`).
 *
 * Each test starts kernel tasks, waits for them all and compares what must hold with what is seen. The last line is
 * `selftest: N passed, N failed`, and the emulator's exit status says the same. Exits non-zero, never hangs by design:
 * every wait is for a task that ends by itself.
 *
 * Breaks that were tried once, and the test that saw each: no lock in pop() (frames on all CPUs), no remote fence in
 * flush_cpus() (shootdown), the frame freed before the fence in unmap_page() (unmap frees last), no fence in
 * vm_unmap_range() (shootdown of user memory), plain instead of atomic reference counts (references), suspend() that does
 * not look at `killed` (killed before the wait: hangs), reaping without on_cpu (terminate and wait).
 */
#include "arch/arch.h"
#include "demo/demo.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/kalloc.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "mm/vm.h"
#include "sched/clock.h"
#include "sched/sleeplock.h"
#include "task/task.h"

static unsigned failures;               /* of the running test; atomic */

#define CHECK(cond) \
    do { \
        if (!(cond)) { \
            __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED); \
            printk("selftest: %s:%d: failed: %s\n", __FILE__, __LINE__, #cond); \
        } \
    } while (0)

static unsigned worker_count(void) { return cpus_online < 2 ? 2 : cpus_online; }

/* run_workers -- body(0), body(1), ... at once, and wait for all. */
static void run_workers(unsigned n, void (*body)(void *))
{
    int pid[2 * CPUS_MAX], code;
    for (unsigned i = 0; i < n; i++) {
        pid[i] = task_start_kernel("worker", body, (void *)(uintptr_t)i);
        CHECK(pid[i] > 0);
    }
    for (unsigned i = 0; i < n; i++)
        if (pid[i] > 0)
            CHECK(wait_for_task(pid[i], &code) == pid[i] && code == 0);
}

/* ---- R003-1, R003-2, L3: no frame is handed out twice, none is lost, each is zero. */

#define HOLD 24

static void allocate_and_check(void *number)
{
    uint64_t *held[HOLD], mark = (uintptr_t)number + 1;
    for (unsigned round = 0; round < 10000 / HOLD; round++) {
        for (unsigned i = 0; i < HOLD; i++) {
            held[i] = alloc_page();
            CHECK(held[i] != NULL && held[i][0] == 0 && held[i][511] == 0);
            if (held[i] != NULL)
                held[i][0] = held[i][511] = mark << 32 | i;
        }
        for (unsigned i = 0; i < HOLD; i++)
            if (held[i] != NULL) {
                CHECK(held[i][0] == (mark << 32 | i) && held[i][511] == (mark << 32 | i));
                free_page(held[i]);
            }
    }
}

static void test_allocator(void)
{
    size_t before = frames_free();
    run_workers(worker_count(), allocate_and_check);
    CHECK(frames_free() == before);
}

static void test_last_in_first_out(void)
{
    irq_push();
    void *page = alloc_page();
    CHECK(page != NULL);
    if (page != NULL) {
        CHECK(page_refs(page) == 1);
        page_share(page);
        free_page(page);
        CHECK(page_refs(page) == 1);    /* still one owner */
        free_page(page);
        void *again = alloc_page();
        CHECK(again == page);
        free_page(again);
    }
    irq_pop();
}

/* Every frame can be had, the list then says NULL, and all of them come back. */
static void test_exhaustion(void)
{
    size_t before = frames_free(), taken = 0;
    void **chain = NULL, **page;
    while ((page = alloc_page_raw()) != NULL) {
        *page = chain;
        chain = page;
        taken++;
    }
    CHECK(taken >= before);
    CHECK(frames_free() == 0);
    CHECK(task_start_kernel("nobody", allocate_and_check, NULL) == -ENOMEM);
    CHECK(vm_new() == NULL);
    while (chain != NULL) {
        page = chain;
        chain = *page;
        free_page(page);
    }
    CHECK(frames_free() >= before);
}

static void test_slab(void)
{
    struct odd { char bytes[72]; };
    static struct slab_cache cache = SLAB_CACHE("selftest", struct odd);
    static struct odd *object[500];
    size_t before = frames_free();
    for (unsigned i = 0; i < ARRAY_SIZE(object); i++) {
        object[i] = slab_alloc(&cache);
        CHECK(object[i] != NULL && (uintptr_t)object[i] % 16 == 0 && object[i]->bytes[71] == 0);
        memset(object[i], (int)i, sizeof(*object[i]));
    }
    for (unsigned i = 0; i < ARRAY_SIZE(object); i++) {
        CHECK(object[i]->bytes[0] == (char)i && object[i]->bytes[71] == (char)i);
        slab_free(&cache, object[i]);
    }
    CHECK(cache.objects == 0 && frames_free() == before);
}

/* ---- R003-5, R003-6: map, refuse to overwrite, unmap, tables go when they are empty. */

#define TEST_VA 0x40000000ul            /* a gigabyte of the kernel's part where nothing is mapped */

static void test_map_unmap(void)
{
    size_t before = frames_free();
    void *frame = alloc_page();
    CHECK(frame != NULL);
    paddr_t pa = { (uintptr_t)frame };
    acquire(&kernel_map_lock);
    CHECK(map_page(kernel_pagetable, va_of(TEST_VA), pa, PTE_READ | PTE_WRITE) == 0);
    CHECK(map_page(kernel_pagetable, va_of(TEST_VA), pa, PTE_READ) == -EEXIST);
    CHECK(map_page(kernel_pagetable, va_of(TEST_VA + PAGE_SIZE), pa, PTE_READ | PTE_WRITE) == 0);
    *(volatile uint64_t *)TEST_VA = 42;
    CHECK(*(volatile uint64_t *)(TEST_VA + PAGE_SIZE) == 42 && *(uint64_t *)frame == 42);
    unmap_page(kernel_pagetable, va_of(TEST_VA), false);
    unmap_page(kernel_pagetable, va_of(TEST_VA), true);                 /* absent: nothing happens */
    unmap_page(kernel_pagetable, va_of(TEST_VA + (1ul << 29)), true);   /* absent table: the same */
    CHECK(*(volatile uint64_t *)(TEST_VA + PAGE_SIZE) == 42);           /* the sibling is intact */
    unmap_page(kernel_pagetable, va_of(TEST_VA + PAGE_SIZE), true);
    release(&kernel_map_lock);
    CHECK(frames_free() == before);
}

/* ---- M1: a reader on another CPU never sees what the frame holds after unmap_page() returned. */

static volatile uint32_t watching, stop_watching, saw_new_owner;

static void watch_page(void *unused)
{
    (void)unused;
    __atomic_store_n(&watching, 1, __ATOMIC_SEQ_CST);
    while (!stop_watching)              /* ends by its own fault, or when told */
        if (*(volatile uint64_t *)TEST_VA != 42)
            saw_new_owner = 1;
}

static void shootdown_round(void)
{
    int code;
    uint64_t *frame = alloc_page();
    CHECK(frame != NULL);
    frame[0] = 42;
    watching = stop_watching = 0;
    acquire(&kernel_map_lock);
    CHECK(map_page(kernel_pagetable, va_of(TEST_VA), (paddr_t){ (uintptr_t)frame }, PTE_READ) == 0);
    release(&kernel_map_lock);
    int pid = task_start_expendable("watcher", watch_page, NULL);
    CHECK(pid > 0);
    while (!watching)
        yield();
    acquire(&kernel_map_lock);
    unmap_page(kernel_pagetable, va_of(TEST_VA), false);
    release(&kernel_map_lock);
    frame[0] = 7;                       /* the next owner writes */
    for (volatile unsigned spin = 0; spin < 20000; spin++)
        ;
    stop_watching = 1;
    CHECK(wait_for_task(pid, &code) == pid && (code == -1 || code == 0));
    free_page(frame);
}

static void test_shootdown(void)
{
    saw_new_owner = 0;
    for (unsigned round = 0; round < (cpus_online > 1 ? 50u : 5u) && failures == 0; round++)
        shootdown_round();
    CHECK(saw_new_owner == 0);
}

/* The same when unmap_page() frees the frame: debug builds poison it, and the reader must not see that either. */
static void test_unmap_frees_last(void)
{
    int code;
    saw_new_owner = 0;
    for (unsigned round = 0; round < 50 && cpus_online > 1 && failures == 0; round++) {
        uint64_t *frame = alloc_page();
        CHECK(frame != NULL);
        for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
            frame[i] = 42;
        watching = stop_watching = 0;
        acquire(&kernel_map_lock);
        CHECK(map_page(kernel_pagetable, va_of(TEST_VA), (paddr_t){ (uintptr_t)frame }, PTE_READ) == 0);
        release(&kernel_map_lock);
        int pid = task_start_expendable("watcher", watch_page, NULL);
        CHECK(pid > 0);
        while (!watching)
            yield();
        acquire(&kernel_map_lock);
        unmap_page(kernel_pagetable, va_of(TEST_VA), true);
        release(&kernel_map_lock);
        stop_watching = 1;
        CHECK(wait_for_task(pid, &code) == pid);
    }
    CHECK(saw_new_owner == 0);
}

/* M1 for a user address space that another CPU has loaded: the mask of CPUs must name it, and the fence reach it. */
static struct vm *both;
static volatile uint32_t reader_on, reader_stop, reader_saw;

static void read_user_page(void *unused)
{
    (void)unused;
    sched_use_space(&both->space);
    for (uint64_t word = 42; !reader_stop && (word == 42 || word == 0); reader_on = 1)
        if (copy_from_user(&word, va_of(USER_BASE), sizeof(word)) != 0 || (word != 42 && word != 0))
            reader_saw = 1;             /* 42: the old page; 0: a fresh one, after the unmapping */
    sched_use_space(NULL);
}

static void user_shootdown_round(void)
{
    int code;
    both = vm_new();
    CHECK(both != NULL);
    CHECK(vm_add_area(both, USER_BASE, USER_BASE + 2 * PAGE_SIZE, AREA_IMAGE, PTE_READ | PTE_WRITE, 0) == 0);
    uint64_t *frame = vm_page(both, USER_BASE);
    CHECK(frame != NULL && vm_page(both, USER_BASE + PAGE_SIZE) != NULL);   /* or the empty table would go, with a fence */
    page_share(frame);                  /* ours, so that it is not given to anybody else */
    frame[0] = 42;
    reader_on = reader_stop = 0;
    int pid = task_start_kernel("reader", read_user_page, NULL);
    CHECK(pid > 0);
    while (!reader_on)
        yield();
    acquire(&both->lock);               /* keeps the reader from faulting a fresh page in */
    vm_unmap_range(both, USER_BASE, USER_BASE + PAGE_SIZE);
    frame[0] = 7;
    for (volatile unsigned spin = 0; spin < 20000; spin++)
        ;
    reader_stop = 1;
    release(&both->lock);
    CHECK(wait_for_task(pid, &code) == pid);
    free_page(frame);
    vm_free(both);
}

static void test_user_shootdown(void)
{
    reader_saw = 0;
    for (unsigned round = 0; round < 30 && cpus_online > 1 && failures == 0; round++)
        user_shootdown_round();
    CHECK(reader_saw == 0);
}

/* ---- M2: counting references loses none. */

static void *shared_page;
static uint32_t arrived;

/* start_together -- so that the workers really run at once. */
static void start_together(unsigned n)
{
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < n)
        yield();
}

static void share_and_free(void *unused)
{
    (void)unused;
    start_together(worker_count());
    for (unsigned i = 0; i < 100000; i++) {
        page_share(shared_page);
        free_page(shared_page);
    }
}

static void test_references(void)
{
    shared_page = alloc_page();
    CHECK(shared_page != NULL);
    page_share(shared_page);            /* a lost count must not free it */
    arrived = 0;
    run_workers(worker_count(), share_and_free);
    CHECK(page_refs(shared_page) == 2);
    if (page_refs(shared_page) == 2) {
        free_page(shared_page);
        free_page(shared_page);
    }
}

/* ---- M7, M8, A003-2..5: exit codes, no lost wakeup, no stack freed twice, at any interleaving. */

static void exit_with_number(void *code)
{
    if ((uintptr_t)code % 3 == 0)
        yield();
    terminate((int)(uintptr_t)code);
}

static void create_and_wait(void *number)
{
    for (unsigned i = 0; i < 1000; i++) {
        int code = -77, want = (int)((uintptr_t)number * 1000 + i);
        int pid = task_start_kernel("mayfly", exit_with_number, (void *)(uintptr_t)want);
        CHECK(pid > 0);
        if (i % 2 == 0)
            yield();                    /* sometimes it is dead before anybody waits */
        CHECK(wait_for_task(pid, &code) == pid && code == want);
        CHECK(wait_for_task(pid, &code) == -ECHILD);    /* a stale pid */
    }
}

static void test_terminate_wait(void)
{
    int code;
    size_t before = frames_free();
    unsigned live_before = tasks_live();
    CHECK(wait_for_task(current()->pid, &code) == -EINVAL);
    CHECK(wait_for_task(1 << 30, &code) == -ECHILD);
    run_workers(worker_count(), create_and_wait);
    CHECK(tasks_live() == live_before);
    CHECK(frames_free() == before);
}

/* Two waiters for one task: one gets the code, the other -ECHILD. */
static int shared_pid;
static unsigned got_code, got_echild;

static void wait_for_shared(void *unused)
{
    int code;
    (void)unused;
    int result = wait_for_task(shared_pid, &code);
    if (result == shared_pid && code == 5)
        __atomic_fetch_add(&got_code, 1, __ATOMIC_RELAXED);
    else if (result == -ECHILD)
        __atomic_fetch_add(&got_echild, 1, __ATOMIC_RELAXED);
}

static void die_later(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 20; i++)
        yield();
    terminate(5);
}

static void test_two_waiters(void)
{
    for (unsigned round = 0; round < 100; round++) {
        got_code = got_echild = 0;
        shared_pid = task_start_kernel("shared", die_later, NULL);
        CHECK(shared_pid > 0);
        run_workers(2, wait_for_shared);
        CHECK(got_code == 1 && got_echild == 1);
    }
}

/* ---- Waiting: pairs of tasks hand a turn to and fro. A lost wakeup hangs here, and the host's cap tells. */

static struct spinlock turn_lock = SPINLOCK_INIT("selftest turn", RANK_PIPE);
static unsigned turns[CPUS_MAX];

static void take_turns(void *number)
{
    unsigned *turn = &turns[(uintptr_t)number / 2];
    start_together(worker_count() & ~1u);
    acquire(&turn_lock);
    while (*turn < 5000)
        if (*turn % 2 == (uintptr_t)number % 2) {
            ++*turn;
            wakeup(turn);
            release(&turn_lock);
            for (volatile unsigned spin = 0; spin < *turn % 64; spin++)
                ;
            acquire(&turn_lock);
        } else {
            suspend(turn, &turn_lock, WAIT_FIRM);
        }
    wakeup(turn);
    release(&turn_lock);
}

static void test_turns(void)
{
    arrived = 0;
    memset(turns, 0, sizeof(turns));
    run_workers(worker_count() & ~1u, take_turns);
    for (unsigned i = 0; i < worker_count() / 2; i++)
        CHECK(turns[i] == 5000);
}

/* A kill ends a wait, whether it comes before, while falling asleep, or later. The wait itself would never end. */
static uint64_t never(void) { return clock_uptime_us() + 1000000000000ul; }

static void killed_before_wait(void *unused)
{
    (void)unused;
    task_kill(current());
    CHECK(sleep_until_us(never()) == -EINTR);
}

static struct task *volatile victim;
static uint32_t kills_wanted, kills_done;

static void kill_on_request(void)
{
    for (unsigned i = 1; i <= 3000; i++) {
        while (__atomic_load_n(&kills_wanted, __ATOMIC_SEQ_CST) != i)
            yield();
        for (volatile unsigned spin = 0; spin < i % 50; spin++)
            ;
        task_kill(victim);
        __atomic_store_n(&kills_done, i, __ATOMIC_SEQ_CST);
    }
}

static void be_killed(void)
{
    victim = current();
    for (unsigned i = 1; i <= 3000; i++) {
        __atomic_store_n(&kills_wanted, i, __ATOMIC_SEQ_CST);
        for (volatile unsigned spin = 0; spin < i / 50 % 50; spin++)
            ;
        CHECK(sleep_until_us(never()) == -EINTR);
        while (__atomic_load_n(&kills_done, __ATOMIC_SEQ_CST) != i)
            yield();
        current()->killed = 0;
    }
}

static void kill_pair(void *number)
{
    if ((uintptr_t)number == 0)
        be_killed();
    else
        kill_on_request();
}

static void test_kill_wait(void)
{
    run_workers(1, killed_before_wait);
    kills_wanted = kills_done = 0;
    run_workers(2, kill_pair);
}

/* ---- Locks: a counter under each kind of lock loses no increment. */

static struct spinlock spin_lock = SPINLOCK_INIT("selftest", RANK_PIPE);
static struct sleeplock sleep_lock;
static volatile uint64_t spin_count, sleep_count;

static void count_under_locks(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 5000; i++) {
        acquire(&spin_lock);
        spin_count = spin_count + 1;
        release(&spin_lock);
        sleep_acquire(&sleep_lock);
        uint64_t seen = sleep_count;
        if (i % 64 == 0)
            yield();
        sleep_count = seen + 1;
        sleep_release(&sleep_lock);
    }
}

static void test_locks(void)
{
    sleeplock_init(&sleep_lock, "selftest sleep", RANK_FILE);
    spin_count = sleep_count = 0;
    run_workers(worker_count(), count_under_locks);
    CHECK(spin_count == 5000ul * worker_count());
    CHECK(sleep_count == 5000ul * worker_count());
}

/* ---- Time: sleepers wake, none early, and a kill ends a sleep. */

static void sleep_some_ticks(void *number)
{
    uint64_t start = clock_uptime_us(), want = ((uintptr_t)number % 4 + 1) * 10000;
    CHECK(sleep_until_us(start + want) == 0);
    CHECK(clock_uptime_us() >= start + want);
}

static void test_sleep(void)
{
    CHECK(sleep_until_us(0) == 0);      /* the past: at once */
    run_workers(2 * CPUS_MAX, sleep_some_ticks);
}

/* ---- Promises: what does not fit is refused, and the account returns to zero. */

static void test_commit(void)
{
    size_t before = commit_outstanding();
    CHECK(commit_charge(frames_total() + 1) == -ENOMEM);
    CHECK(commit_charge(SIZE_MAX) == -ENOMEM);
    CHECK(commit_outstanding() == before);
    CHECK(commit_charge(100) == 0);
    CHECK(commit_outstanding() == before + 100);
    commit_release(100);
    CHECK(commit_outstanding() == before);
}

void demo_selftest(void *unused)
{
    static const struct { const char *name; void (*run)(void); } tests[] = {
        { "frames on all CPUs", test_allocator },
        { "last in, first out", test_last_in_first_out },
        { "every frame and back", test_exhaustion },
        { "slab", test_slab },
        { "map and unmap", test_map_unmap },
        { "shootdown", test_shootdown },
        { "unmap frees last", test_unmap_frees_last },
        { "shootdown of user memory", test_user_shootdown },
        { "references", test_references },
        { "terminate and wait", test_terminate_wait },
        { "two waiters", test_two_waiters },
        { "turns", test_turns },
        { "kill and wait", test_kill_wait },
        { "locks", test_locks },
        { "sleep", test_sleep },
        { "promises", test_commit },
    };
    unsigned passed = 0;
    (void)unused;
    for (unsigned i = 0; i < ARRAY_SIZE(tests); i++) {
        failures = 0;
        tests[i].run();
        printk("selftest: %s: %s\n", tests[i].name, failures == 0 ? "ok" : "FAILED");
        passed += failures == 0;
    }
    printk("selftest: %u passed, %zu failed\n", passed, ARRAY_SIZE(tests) - passed);
    machine_off(passed == ARRAY_SIZE(tests) ? 0 : 1);
}
