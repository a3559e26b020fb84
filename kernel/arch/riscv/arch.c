/*
 * arch.c -- Sv39 page tables, the kernel's own mapping, and the first registers of a task.
 *
 * Owns:     the format of an entry and of a table; kernel_pagetable.
 * Locks:    none of its own. The caller holds the address space's lock; kernel_pagetable is edited at boot and by
 *           demo tasks under kernel_map_lock (vm.c).
 * Not here: which pages a task may have (mm/vm.c), frames (mm/kalloc.c).
 *
 * A page-table page counts the entries in use in page_of(table)->entries, so that a table left empty is found and
 * freed without a scan. Tables of the kernel's part are shared by all address spaces and never freed.
 */
#include "arch/arch.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "sched/sched.h"
#include "riscv.h"

#define CHECK_OFFSET(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #field)
CHECK_OFFSET(struct task, context, 0);
CHECK_OFFSET(struct context, ra, CTX_RA);
CHECK_OFFSET(struct context, sp, CTX_SP);
CHECK_OFFSET(struct context, s, CTX_S0);
CHECK_OFFSET(struct context, tp, CTX_TP);
CHECK_OFFSET(struct context, frame, CTX_FRAME);
CHECK_OFFSET(struct context, stack, CTX_STACK);
CHECK_OFFSET(struct context, scratch, CTX_SCRATCH);
CHECK_OFFSET(struct trap_frame, pc, TF_PC);
CHECK_OFFSET(struct trap_frame, ra, TF_RA);
CHECK_OFFSET(struct trap_frame, tp, TF_TP);
CHECK_OFFSET(struct trap_frame, t0, TF_T0);
CHECK_OFFSET(struct trap_frame, s0, TF_S0);
CHECK_OFFSET(struct trap_frame, a, TF_A0);
CHECK_OFFSET(struct trap_frame, a[7], TF_A7);
CHECK_OFFSET(struct trap_frame, s2, TF_S2);
CHECK_OFFSET(struct trap_frame, t3, TF_T3);
CHECK_OFFSET(struct trap_frame, t6, TF_T6);
CHECK_OFFSET(struct trap_frame, status, TF_STATUS);
_Static_assert(sizeof(struct trap_frame) == TF_SIZE && TF_SIZE % 16 == 0, "trap frame");
_Static_assert(sizeof(pte_t) * PT_ENTRIES == PAGE_SIZE, "a table is a page");

extern char __text_end[], __kernel_start[], __kernel_end[];

pte_t *kernel_pagetable;
static const unsigned all_cpus = ALL_CPUS;
static uint16_t asid_limit;             /* highest address-space number; the same on all harts */

/* ---- Walking */

static pte_t table_entry(pte_t *table) { return (pte_t){ ((uintptr_t)table >> PAGE_SHIFT << 10) | PTE_V }; }

/* own_middle_table -- REGION shares its gigabyte with the kernel (C1). Before an entry is added there, this address space
 * gets a table of its own in the place of the kernel's, with the kernel's large leaves copied: what the kernel can reach
 * stays the same, so no fence is needed. `entries` counts only what is the user's. */
static pte_t *own_middle_table(pte_t *root, unsigned top)
{
    pte_t *fresh = alloc_table_page_raw();
    if (fresh == NULL)
        return NULL;
    copy_page(fresh, pte_table(kernel_pagetable[top]));
    __atomic_store_n(&root[top].bits, table_entry(fresh).bits, __ATOMIC_RELEASE);
    return fresh;
}

static bool is_kernels(const pte_t *root, unsigned top)
{
    return pte_valid(root[top]) && root[top].bits == kernel_pagetable[top].bits;
}

/* new_table -- a missing table of `level` - 1, entered into `table`, which is of `level`. NULL: no memory. */
static pte_t *new_table(pte_t *root, vaddr_t va, pte_t *table, unsigned level)
{
    unsigned top = pt_index(va.addr, PT_LEVELS - 1);
    if (level == PT_LEVELS - 2 && root != kernel_pagetable && is_kernels(root, top)) {
        table = own_middle_table(root, top);
        if (table == NULL)
            return NULL;
    }
    pte_t *fresh = alloc_table_page_raw();           /* perhaps on the way to a promised page */
    if (fresh == NULL) {
        leaf_table_release(root, va, &all_cpus);         /* the levels added above it, for nothing now */
        return NULL;
    }
    clear_page(fresh);
    __atomic_store_n(&table[pt_index(va.addr, level)].bits, table_entry(fresh).bits, __ATOMIC_RELEASE);
    page_of(table)->entries++;
    return fresh;
}

/* walk -- the table of `level` that covers va, or NULL: absent, or there is no memory for it. */
HOT static pte_t *walk(pte_t *root, vaddr_t va, unsigned level, bool alloc)
{
    pte_t *table = root;
    for (unsigned l = PT_LEVELS - 1; l > level && table != NULL; l--) {
        pte_t entry = table[pt_index(va.addr, l)];
        if (!pte_valid(entry))
            table = alloc ? new_table(root, va, table, l) : NULL;
        else
            table = pte_leaf(entry) ? NULL : pte_table(entry);  /* a leaf here: a large page of the kernel */
    }
    return table;
}

pte_t *leaf_table(pte_t *root, vaddr_t va, bool alloc) { return walk(root, va, 0, alloc); }

HOT pte_t *leaf_table_seek(pte_t *root, vaddr_t va, uintptr_t *span)
{
    pte_t *table = root;
    for (unsigned l = PT_LEVELS - 1; l > 0; l--) {
        pte_t entry = table[pt_index(va.addr, l)];
        *span = pt_span(l);
        if (!pte_valid(entry) || pte_leaf(entry))
            return NULL;
        table = pte_table(entry);
    }
    return table;
}

pte_t *leaf_find(pte_t *root, vaddr_t va)
{
    pte_t *table = leaf_table(root, va, false);
    return table == NULL ? NULL : &table[pt_index(va.addr, 0)];
}

/* leaf_table_release -- free the tables on the way to va that hold no entry, from the leaf up. A hart may remember the
 * way to a table as well as a translation: the same order, clear, fence, free. */
void leaf_table_release(pte_t *root, vaddr_t va, const unsigned *cpus)
{
    unsigned top = pt_index(va.addr, PT_LEVELS - 1);
    for (unsigned level = 0; level < PT_LEVELS - 1; level++) {
        pte_t *table = walk(root, va, level, false);
        if (table == NULL)
            continue;
        if (page_of(table)->entries != 0 || (level == PT_LEVELS - 2 && is_kernels(root, top)))
            return;
        if (level == PT_LEVELS - 2 && top < KERNEL_LIMIT >> 30) {
            root[top] = kernel_pagetable[top];  /* REGION's gigabyte is the kernel's alone again */
        } else {
            pte_t *parent = walk(root, va, level + 1, false);
            parent[pt_index(va.addr, level + 1)].bits = 0;
            page_of(parent)->entries--;
        }
        __atomic_thread_fence(__ATOMIC_SEQ_CST);        /* the entry before the mask: who loads the root later walks past it */
        unsigned mask = cpus == NULL ? 0 : __atomic_load_n(cpus, __ATOMIC_SEQ_CST);
        if (mask != 0)
            flush_cpus(mask);
        free_page(table);
    }
}

int map_page(pte_t *root, vaddr_t va, paddr_t pa, unsigned flags)
{
    KASSERT(((va.addr | pa.addr) & PAGE_MASK) == 0 && va.addr < USER_LIMIT);
    pte_t *table = leaf_table(root, va, true);
    if (table == NULL)
        return -ENOMEM;
    pte_t *entry = &table[pt_index(va.addr, 0)];
    if (pte_valid(*entry))
        return -EEXIST;
    __atomic_store_n(&entry->bits, pte_make((void *)pa.addr, flags).bits, __ATOMIC_RELEASE);  /* M4: filled before */
    page_of(table)->entries++;
    return 0;
}

void unmap_page(pte_t *root, vaddr_t va, bool free_frame)
{
    pte_t *entry = leaf_find(root, va);
    if (entry == NULL || !pte_valid(*entry))
        return;
    void *frame = pte_frame(*entry);
    entry->bits = 0;
    flush_cpus(ALL_CPUS);                           /* M1: no CPU can reach the frame any more, ... */
    page_of((void *)PAGE_DOWN(entry))->entries--;
    if (free_frame)
        free_page(frame);                       /* ... and only now may it be used for something else */
    leaf_table_release(root, va, &all_cpus);
}

size_t pagetable_pages(const pte_t *root)
{
    size_t pages = 1;
    unsigned left = page_of(root)->entries;
    for (unsigned i = 0; i < PT_ENTRIES && left > 0; i++)
        if (pte_valid(root[i])) {
            left--;
            if (!is_kernels(root, i))
                pages += 1u + page_of(pte_table(root[i]))->entries;     /* a middle table, and its leaf tables */
        }
    return pages;
}

pte_t *pagetable_new(void)
{
    pte_t *root = alloc_page();
    if (root == NULL)
        return NULL;
    for (unsigned i = 0; i < KERNEL_LIMIT >> 30; i++)
        root[i] = kernel_pagetable[i];          /* the kernel's tables are shared, for good */
    page_of(root)->entries = KERNEL_LIMIT >> 30;
    return root;
}

void pagetable_free(pte_t *root)
{
    KASSERT(page_of(root)->entries == KERNEL_LIMIT >> 30);      /* no user table is left */
    page_of(root)->entries = 0;
    free_page(root);
}

/* ---- The kernel's mapping */

/* map_range -- 1:1, with large leaves where both ends allow. Boot only: there is memory, or the machine is too small. */
static void map_range(uintptr_t start, uintptr_t end, unsigned flags)
{
    for (uintptr_t a = PAGE_DOWN(start); a < end; ) {
        bool large = a % pt_span(1) == 0 && end - a >= pt_span(1);
        pte_t *table = walk(kernel_pagetable, va_of(a), large ? 1 : 0, true);
        if (table == NULL)
            panic("not enough memory for the kernel's page tables");
        pte_t *entry = &table[pt_index(a, large ? 1 : 0)];
        if (!pte_valid(*entry)) {
            *entry = pte_make((void *)a, flags);
            entry->bits |= PTE_G;
            page_of(table)->entries++;
        }
        a += large ? pt_span(1) : PAGE_SIZE;
    }
}

void map_kernel_memory(void)
{
    kernel_pagetable = alloc_page();
    if (kernel_pagetable == NULL)
        panic("not enough memory for the kernel's page table");
    for (unsigned i = 0; i < machine.devices; i++)
        map_range(machine.device[i].base, machine.device[i].base + machine.device[i].nbytes, PTE_READ | PTE_WRITE);
    map_range((uintptr_t)__kernel_start, (uintptr_t)__text_end, PTE_READ | PTE_EXEC);
    map_range((uintptr_t)__text_end, machine.memory_end, PTE_READ | PTE_WRITE);
    for (unsigned i = 0; i < KERNEL_LIMIT >> 30; i++)   /* every gigabyte has its table now: roots copy the pointers */
        if (walk(kernel_pagetable, va_of((uintptr_t)i << 30), 1, true) == NULL)
            panic("not enough memory for the kernel's page tables");
}

/* pagetable_load -- each load takes a fresh address-space number of this hart, so whatever the TLB still holds under
 * older numbers cannot match and no fence is needed; only when the numbers begin again must all of it go. (A fence
 * would be a second flush of the emulator's TLB.) Harts without such numbers have asid_limit 0. */
HOT void pagetable_load(pte_t *root)
{
    static uint16_t last_asid[CPUS_MAX];
    uint16_t *asid = &last_asid[this_cpu()->id];
    bool wrap = *asid >= asid_limit;
    *asid = wrap ? 0 : *asid + 1;
    CSR_WRITE(satp, 8ul << 60 | (uintptr_t)*asid << 44 | (uintptr_t)root >> PAGE_SHIFT);
    if (UNLIKELY(wrap))
        flush_local();
}

/* paging_on -- bits of the number that a hart does not have read back as zero. */
void paging_on(void)
{
    uintptr_t root = 8ul << 60 | (uintptr_t)kernel_pagetable >> PAGE_SHIFT;
    CSR_WRITE(satp, root | 0xfffful << 44);
    asid_limit = (uint16_t)(CSR_READ(satp) >> 44);
    flush_local();
    pagetable_load(kernel_pagetable);
}

void flush_local(void) { __asm__ volatile("sfence.vma" ::: "memory"); }

/* flush_others -- the firmware spins until the other harts have answered. The emulator's deterministic mode runs one hart at
 * a time, and of two harts the second never gets a turn while the first spins: there a kick does the same. It is taken before
 * the hart's next instruction with interrupts on, so before it touches a user's page again, and decode() flushes. */
static void flush_others(unsigned mask, uint64_t harts)
{
    if (!cpus_take_turns)
        sbi_remote_fence(harts);
    for (unsigned i = 0; cpus_take_turns && i < cpus_online; i++)
        if ((mask >> i & 1) && (harts >> cpus[i].hart & 1))
            cpu_kick(&cpus[i]);
}

HOT void flush_cpus(unsigned mask)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);    /* cleared entries are visible before anybody flushes */
    irq_push();
    uint64_t harts = 0;
    for (unsigned i = 0; i < cpus_online; i++)
        if ((mask >> i & 1) && &cpus[i] != this_cpu() && cpus[i].online)
            harts |= 1ul << cpus[i].hart;
    flush_local();
    if (harts != 0)
        flush_others(mask, harts);
    irq_pop();
}

void instruction_fence(void) { __asm__ volatile("fence.i" ::: "memory"); }

/* ---- Tasks' registers */

HOT void context_switch(struct context *save, struct context *load, pte_t *root)
{
    if (root != NULL)
        pagetable_load(root);
    switch_registers(save, load);
}

void context_release(struct task *t) { (void)t; }
void context_enter_user(struct task *t) { (void)t; }
void hardware_sweeper_init(void (*body)(void)) { (void)body; }
void hardware_sweeper_enter(void) { }
void hardware_sweeper_leave(void) { }

bool context_init(struct task *t, void (*first)(void))
{
    memset(&t->context, 0, sizeof(t->context));
    t->context.tp = (uintptr_t)t;
    t->context.stack = t->kstack;
    t->context.frame = t->kstack + PAGE_SIZE - TF_SIZE;
    t->context.sp = t->context.frame;
    t->context.ra = (uintptr_t)first;
    return true;
}

void frame_init(struct trap_frame *tf, vaddr_t entry, vaddr_t stack, uintptr_t arg0, uintptr_t arg1)
{
    memset(tf, 0, sizeof(*tf));
    tf->pc = entry.addr;
    tf->sp = stack.addr;
    tf->a[0] = arg0;
    tf->a[1] = arg1;
}

uintptr_t frame_pc(const struct trap_frame *tf) { return tf->pc; }
uintptr_t frame_fp(const struct trap_frame *tf) { return tf->s0; }

/* A leaf keeps its return address in ra and only its caller's frame pointer in memory. */
uintptr_t frame_caller(const struct trap_frame *tf)
{
    uintptr_t fp = tf->s0, pc;
    return backtrace_step(&fp, &pc) && pc == 0 ? tf->ra : 0;
}

void frame_print(const struct trap_frame *tf)
{
    const uintptr_t *reg = &tf->pc;
    static const char names[][4] = { "pc", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3",
        "a4", "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6" };
    for (unsigned i = 0; i < ARRAY_SIZE(names); i += 4)
        printk("  %3s %016lx %3s %016lx %3s %016lx %3s %016lx\n", names[i], reg[i], names[i + 1], reg[i + 1],
               names[i + 2], reg[i + 2], names[i + 3], reg[i + 3]);
}

/* A frame pointer points past its record: { caller's fp, return address } (RISC-V psABI, frame pointer convention). */
bool backtrace_step(uintptr_t *fp, uintptr_t *pc)
{
    uintptr_t stack = PAGE_DOWN(*fp - 1);
    if (*fp % 8 != 0 || *fp < stack + 16 || *fp < (uintptr_t)__kernel_start || *fp > machine.memory_end)
        return false;
    uintptr_t caller = ((uintptr_t *)*fp)[-2];
    *pc = ((uintptr_t *)*fp)[-1];
    if (PAGE_DOWN(*pc - 1) == stack) {          /* a leaf saves its caller's fp only, where others have the address */
        caller = *pc;
        *pc = 0;
    }
    bool up = caller > *fp && PAGE_DOWN(caller - 1) == stack;      /* frames only grow towards the stack's top */
    *fp = caller;
    return up;                                  /* the outermost function's return address leads nowhere */
}

uintptr_t backtrace_here(uintptr_t *pc)
{
    uintptr_t *fp = __builtin_frame_address(0);
    *pc = (uintptr_t)__builtin_return_address(0);
    return fp[-2];
}
