/*
 * checks.c -- unmap_page(): kernel tasks map, touch and unmap pages of the kernel's own page table, on one hart and on several.
 * The addresses lie in a gigabyte in which nothing else is mapped, so its tables come and go with the check's pages.
 */
#include "labs/kernel_check.h"

#define VA     0x41000000ul             /* three pages are used from here on */
#define FAR_VA (VA + (1ul << 29))       /* in a table of its own */

static void map(uintptr_t va, void *frame, unsigned flags)
{
    acquire(&kernel_map_lock);
    int err = map_page(kernel_pagetable, va_of(va), (paddr_t){ (uintptr_t)frame }, flags);
    release(&kernel_map_lock);
    EXPECT(err == 0, "", "map_page(0x%lx): expected 0, saw %d", va, err);
}

static void unmap(uintptr_t va, bool free_frame)
{
    acquire(&kernel_map_lock);
    unmap_page(kernel_pagetable, va_of(va), free_frame);
    release(&kernel_map_lock);
}

static void *frame_with(uint64_t word)
{
    uint64_t *frame = alloc_page();
    if (frame == NULL)
        panic("no frame for the check");
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        frame[i] = word;
    return frame;
}

static uint64_t load(uintptr_t va) { return *(volatile uint64_t *)va; }

static void load_task(void *va) { (void)load((uintptr_t)va); }

/* Whether a load from `va` faults: a task that does it is evicted, its exit code is -1. */
static bool load_faults(uintptr_t va)
{
    int code = 0, pid = task_start_expendable("loader", load_task, (void *)va);
    EXPECT(pid > 0 && wait_for_task(pid, &code) == pid, "", "a task that loads from 0x%lx is started and waited for", va);
    return code == -1;
}

/* ---- */

static void entry_is_cleared(void)
{
    void *frame = frame_with(42);
    map(VA, frame, PTE_READ | PTE_WRITE);
    EXPECT(load(VA) == 42, "", "the mapped page reads %ld, expected 42", (long)load(VA));
    pte_t *entry = leaf_find(kernel_pagetable, va_of(VA));
    pte_t seen = { 0 };
    map(VA + PAGE_SIZE, frame, PTE_READ);       /* keeps the table alive, so that the entry can be looked at */
    unmap(VA, false);
    seen.bits = entry != NULL ? entry->bits : 0;
    EXPECT(!pte_valid(seen), "not-cleared", "after unmap_page the entry of 0x%lx is 0x%lx, expected 0", VA, (long)seen.bits);
    unmap(VA + PAGE_SIZE, false);
    free_page(frame);
}

static void a_load_faults_afterwards(void)
{
    void *frame = frame_with(42);
    map(VA, frame, PTE_READ | PTE_WRITE);
    EXPECT(!load_faults(VA), "", "a load from the mapped page must not fault");
    unmap(VA, false);
    EXPECT(load_faults(VA), "not-cleared", "a load from 0x%lx after unmap_page must fault, and it did not", VA);
    free_page(frame);
}

static void frame_goes_back_if_asked(void)
{
    size_t before = frames_free();
    void *frame = frame_with(1);
    map(VA, frame, PTE_READ);
    unmap(VA, true);
    EXPECT(frames_free() == before, "not-freed", "free frames: expected %zu as before, saw %zu", before, frames_free());
}

static void frame_stays_if_not_asked(void)
{
    uint64_t *frame = frame_with(7);
    map(VA, frame, PTE_READ);
    unmap(VA, false);
    EXPECT(page_refs(frame) == 1, "freed-anyway", "free_frame is false: the frame's references: expected 1, saw %u", page_refs(frame));
    EXPECT(frame[5] == 7, "freed-anyway", "free_frame is false: the frame's word: expected 7, saw 0x%lx", (long)frame[5]);
    if (page_refs(frame) == 1)
        free_page(frame);
}

static void absent_page_is_nothing(void)
{
    void *frame = frame_with(9);
    map(VA, frame, PTE_READ);
    size_t before = frames_free();
    unmap(VA + PAGE_SIZE, true);                /* its table is there, it is not */
    unmap(VA + PAGE_SIZE, false);
    EXPECT(frames_free() == before, "absent-page", "unmapping an absent page changes the free frames: expected %zu, saw %zu", before, frames_free());
    EXPECT(load(VA) == 9, "sibling", "its neighbour reads %ld, expected 9", (long)load(VA));
    unmap(VA, true);
}

static void absent_table_is_nothing(void)
{
    size_t before = frames_free();
    unmap(FAR_VA, true);
    unmap(FAR_VA, false);
    EXPECT(frames_free() == before, "makes-tables", "unmapping where no table is: free frames: expected %zu, saw %zu", before, frames_free());
    EXPECT(leaf_table(kernel_pagetable, va_of(FAR_VA), false) == NULL, "makes-tables", "there is a table for 0x%lx now, expected none", FAR_VA);
}

static void siblings_are_intact(void)
{
    for (uint64_t i = 0; i < 3; i++)
        map(VA + i * PAGE_SIZE, frame_with(100 + i), PTE_READ | PTE_WRITE);
    unmap(VA + PAGE_SIZE, true);
    EXPECT(load(VA) == 100, "sibling", "the page before reads %ld, expected 100", (long)load(VA));
    EXPECT(load(VA + 2 * PAGE_SIZE) == 102, "sibling", "the page behind reads %ld, expected 102", (long)load(VA + 2 * PAGE_SIZE));
    unmap(VA, true);
    unmap(VA + 2 * PAGE_SIZE, true);
}

static void tables_go_when_empty(void)
{
    size_t before = frames_free();
    for (int round = 0; round < 20; round++) {
        map(VA, frame_with(1), PTE_READ);
        map(VA + PAGE_SIZE, frame_with(2), PTE_READ);
        unmap(VA, true);
        unmap(VA + PAGE_SIZE, true);
    }
    EXPECT(frames_free() == before, "lost-frames", "20 rounds of map and unmap: free frames: expected %zu, saw %zu", before, frames_free());
    EXPECT(leaf_table(kernel_pagetable, va_of(VA), false) == NULL, "table-stays", "the empty table of 0x%lx is still there", VA);
}

/* ---- Two harts: a watcher reads the page again and again while it is unmapped. What it read before has left the translation in its
 * hart's TLB. Once unmap_page() has returned, the frame belongs to somebody else, and the watcher must never see what is in it then. */

static volatile unsigned watching, stop_watching;
static volatile uint64_t saw;

static void watch(void *unused)
{
    (void)unused;
    while (!stop_watching) {
        uint64_t word = load(VA);
        watching = 1;
        if (word != 42)
            saw = word;
    }
}

static void watched_unmap(bool free_frame)
{
    int code;
    uint64_t *frame = frame_with(42);
    watching = stop_watching = 0;
    map(VA, frame, PTE_READ);
    int pid = task_start_expendable("watcher", watch, NULL);
    EXPECT(pid > 0, "", "the watcher is started");
    while (!watching)
        yield();
    unmap(VA, free_frame);
    for (unsigned i = 0; !free_frame && i < PAGE_SIZE / 8; i++)
        frame[i] = 0xBADBADull;                 /* its next owner writes to it */
    for (unsigned i = 0; i < 20; i++)
        yield();
    stop_watching = 1;
    EXPECT(wait_for_task(pid, &code) == pid, "", "the watcher ends");
    if (!free_frame)
        free_page(frame);
}

static void no_stale_read_on_another_hart(void)
{
    saw = 0;
    for (unsigned round = 0; round < 40 && saw == 0; round++)
        watched_unmap(false);
    EXPECT(saw == 0, "no-fence", "M1: after unmap_page a hart still reads the frame: it saw 0x%lx of its new owner", (long)saw);
}

static void frame_is_freed_last(void)
{
    saw = 0;
    for (unsigned round = 0; round < 40 && saw == 0; round++)
        watched_unmap(true);
    EXPECT(saw == 0, "frees-first", "M1: a hart read 0x%lx from a frame that was free already (0x05 is the mark of free frames)", (long)saw);
}

static void own_hart_forgets_too(void)
{
    uint64_t *frame = frame_with(42);
    map(VA, frame, PTE_READ);
    EXPECT(load(VA) == 42, "", "the mapped page reads %ld, expected 42", (long)load(VA));
    unmap(VA, false);
    EXPECT(load_faults(VA), "no-fence", "M1: right after unmap_page a load on the same hart must fault: the old translation is still used");
    free_page(frame);
}

KERNEL_CHECKS({ "entry_is_cleared", entry_is_cleared }, { "a_load_faults_afterwards", a_load_faults_afterwards },
              { "frame_goes_back_if_asked", frame_goes_back_if_asked }, { "frame_stays_if_not_asked", frame_stays_if_not_asked },
              { "absent_page_is_nothing", absent_page_is_nothing }, { "absent_table_is_nothing", absent_table_is_nothing },
              { "siblings_are_intact", siblings_are_intact }, { "tables_go_when_empty", tables_go_when_empty },
              { "no_stale_read_on_another_hart", no_stale_read_on_another_hart }, { "frame_is_freed_last", frame_is_freed_last },
              { "own_hart_forgets_too", own_hart_forgets_too })
