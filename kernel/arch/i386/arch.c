/*
 * arch.c -- two-level page tables, the kernel's own mapping, and a task's registers.
 *
 * Owns:     the format of an entry and of a table; kernel_pagetable.
 * Locks:    none of its own. The caller holds the address space's lock; kernel_pagetable is edited at boot and by
 *           demo tasks under kernel_map_lock (vm.c).
 * Not here: which pages a task may have (mm/vm.c), frames (mm/kalloc.c), task switches (tss.c).
 *
 * A table counts the entries in use in page_of(table)->entries, so that a table left empty is found and freed without a
 * scan; a directory counts its user tables. Tables of the kernel's part are shared by all address spaces and never freed.
 */
#include "arch/arch.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "sched/sched.h"
#include "i386.h"

#define CHECK_OFFSET(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #field)
CHECK_OFFSET(struct task, context, 0);
CHECK_OFFSET(struct context, stack, CTX_STACK);
CHECK_OFFSET(struct context, frame, CTX_STACK - 4);
CHECK_OFFSET(struct trap_frame, cs, TF_CS);
CHECK_OFFSET(struct tss, eip, 32);
CHECK_OFFSET(struct tss, edi, 68);
_Static_assert(sizeof(struct trap_frame) == TF_SIZE, "trap frame");
_Static_assert(sizeof(pte_t) * PT_ENTRIES == PAGE_SIZE, "a table is a page");

#define CR0_MP 0x00000002u              /* fwait, too, traps while CR0.TS is set */
#define CR0_EM 0x00000004u
#define CR0_NE 0x00000020u              /* floating-point errors are exception 16 */
#define CR0_WP 0x00010000u
#define CR0_PG 0x80000000u
#define CR4_LARGE_PAGES 0x10u
#define CR4_GLOBAL_PAGES 0x80u
#define KERNEL_ENTRIES (KERNEL_LIMIT / pt_span(1))

extern char __text_end[], __kernel_start[];

pte_t *kernel_pagetable;
static const unsigned all_cpus = ALL_CPUS;

/* ---- Walking */

static pte_t table_entry(pte_t *table) { return (pte_t){ (uint32_t)table | PTE_P | PTE_W | PTE_U }; }

HOT pte_t *leaf_table(pte_t *root, vaddr_t va, bool alloc)
{
    pte_t *entry = &root[pt_index(va.addr, 1)];
    if (pte_valid(*entry))
        return (entry->bits & PTE_LARGE) ? NULL : pte_table(*entry);
    pte_t *fresh = alloc ? alloc_table_page_raw() : NULL;       /* perhaps on the way to a promised page */
    if (fresh == NULL)
        return NULL;
    clear_page(fresh);
    __atomic_store_n(&entry->bits, table_entry(fresh).bits, __ATOMIC_RELEASE);
    page_of(root)->entries++;
    return fresh;
}

HOT pte_t *leaf_table_seek(pte_t *root, vaddr_t va, uintptr_t *span)
{
    *span = pt_span(1);
    return leaf_table(root, va, false);
}

pte_t *leaf_find(pte_t *root, vaddr_t va)
{
    pte_t *table = leaf_table(root, va, false);
    return table == NULL ? NULL : &table[pt_index(va.addr, 0)];
}

/* leaf_table_release -- the processor may remember the way to a table as well as a translation: clear, flush, free. */
void leaf_table_release(pte_t *root, vaddr_t va, const unsigned *cpus)
{
    pte_t *table = leaf_table(root, va, false);
    if (table == NULL || page_of(table)->entries != 0 || pt_index(va.addr, 1) < KERNEL_ENTRIES)
        return;
    root[pt_index(va.addr, 1)].bits = 0;
    page_of(root)->entries--;
    if (cpus != NULL)
        flush_cpus(*cpus);
    free_page(table);
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
    flush_cpus(ALL_CPUS);                       /* M1: nothing can reach the frame any more, ... */
    page_of((void *)PAGE_DOWN(entry))->entries--;
    if (free_frame)
        free_page(frame);                       /* ... and only now may it be used for something else */
    leaf_table_release(root, va, &all_cpus);
}

size_t pagetable_pages(const pte_t *root) { return 1u + page_of(root)->entries; }

pte_t *pagetable_new(void)
{
    pte_t *root = alloc_page();
    if (root == NULL)
        return NULL;
    memcpy(root, kernel_pagetable, KERNEL_ENTRIES * sizeof(pte_t));     /* the kernel's tables are shared, for good */
    return root;
}

void pagetable_free(pte_t *root)
{
    KASSERT(page_of(root)->entries == 0);       /* no user table is left */
    free_page(root);
}

/* ---- The kernel's mapping */

/* The first 4 MiB page by page, because not all of it is mapped and text is read-only; then large pages. */
static void map_first_4_mib(void)
{
    pte_t *table = alloc_page();
    if (table == NULL)
        panic("not enough memory for the kernel's page table");
    kernel_pagetable[0] = (pte_t){ (uint32_t)table | PTE_P | PTE_W };
    for (uintptr_t a = 2 * PAGE_SIZE; a < pt_span(1); a += PAGE_SIZE) {         /* nothing at 0 and 0x1000 */
        bool text = a >= (uintptr_t)__kernel_start && a < (uintptr_t)__text_end;
        table[pt_index(a, 0)] = pte_make((void *)a, text ? PTE_READ | PTE_EXEC : PTE_READ | PTE_WRITE);
        table[pt_index(a, 0)].bits |= PTE_G;
        page_of(table)->entries++;
    }
}

void map_kernel_memory(void)
{
    kernel_pagetable = alloc_page();
    if (kernel_pagetable == NULL)
        panic("not enough memory for the kernel's page table");
    map_first_4_mib();
    for (uintptr_t a = pt_span(1); a < machine.memory_end; a += pt_span(1))
        kernel_pagetable[pt_index(a, 1)] = (pte_t){ a | PTE_P | PTE_W | PTE_A | PTE_D | PTE_LARGE | PTE_G };
}

/* pagetable_load -- outside a task switch: exec, exit. A switch loads it from the TSS. */
void pagetable_load(pte_t *root)
{
    current()->context.tss.cr3 = (uint32_t)root;        /* the sweeper comes back through the TSS; a switch saves no CR3 there */
    write_cr3((uint32_t)root);
}

/* paging_on -- WP: the kernel's own writes respect read-only pages, or they would go through a shared one (A001-11). */
void paging_on(void)
{
    uint32_t cr0, cr4;
    __asm__ volatile("movl %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("movl %0, %%cr4" :: "r"(cr4 | CR4_LARGE_PAGES | CR4_GLOBAL_PAGES));
    pagetable_load(kernel_pagetable);                   /* tells the idle task's TSS, too, which is older than the table */
    fault_tss.cr3 = (uint32_t)kernel_pagetable;
    __asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movl %0, %%cr0" :: "r"((cr0 & ~CR0_EM) | CR0_MP | CR0_NE | CR0_PG | CR0_WP) : "memory");
}

void flush_local(void) { write_cr3(read_cr3()); }

void flush_cpus(unsigned mask)
{
    if (mask & 1)
        flush_local();
}

void instruction_fence(void) { }                /* code is fetched right by itself here */

/* ---- Tasks' registers */

void frame_init(struct trap_frame *tf, vaddr_t entry, vaddr_t stack, uintptr_t arg0, uintptr_t arg1)
{
    *tf = (struct trap_frame){ .eip = entry.addr, .esp = stack.addr, .eax = arg0, .edx = arg1, .cs = GDT_CODE_3_SEL,
                               .ss = GDT_DATA_3_SEL, .ds = GDT_DATA_3_SEL, .es = GDT_DATA_3_SEL,
                               .eflags = EFLAGS_IF | EFLAGS_RESERVED };
    __asm__ volatile("movl %0, %%fs; movl %0, %%gs" :: "r"(GDT_DATA_3_SEL));    /* the kernel never touches them */
}

uintptr_t frame_pc(const struct trap_frame *tf) { return tf->eip; }
uintptr_t frame_fp(const struct trap_frame *tf) { return tf->ebp; }
uintptr_t frame_caller(const struct trap_frame *tf) { (void)tf; return 0; }     /* every function has its own record */

void frame_print(const struct trap_frame *tf)
{
    uintptr_t sp = (tf->cs & 3) != 0 ? tf->esp : (uintptr_t)&tf->esp;
    printk("  eax %08x ebx %08x ecx %08x edx %08x\n", tf->eax, tf->ebx, tf->ecx, tf->edx);
    printk("  esi %08x edi %08x ebp %08x esp %08x\n", tf->esi, tf->edi, tf->ebp, sp);
    printk("  eip %08x eflags %08x cs %04x ds %04x es %04x\n", tf->eip, tf->eflags, tf->cs, tf->ds, tf->es);
    printk("  vector %u error 0x%x cr2 %08x cr3 %08x tr %04x\n", tf->vector, tf->error, read_cr2(), read_cr3(), read_tr());
}

/* A frame pointer points to its record: { caller's frame pointer, return address } (System V ABI, i386). */
bool backtrace_step(uintptr_t *fp, uintptr_t *pc)
{
    uintptr_t stack = PAGE_DOWN(*fp);
    if (*fp % 4 != 0 || *fp < (uintptr_t)__kernel_start || *fp + 8 > machine.memory_end || *fp + 8 > stack + PAGE_SIZE)
        return false;
    uintptr_t caller = ((uintptr_t *)*fp)[0];
    *pc = ((uintptr_t *)*fp)[1];
    bool up = caller > *fp && PAGE_DOWN(caller) == stack;       /* frames only grow towards the stack's top */
    *fp = caller;
    return up;
}

uintptr_t backtrace_here(uintptr_t *pc)
{
    uintptr_t *fp = __builtin_frame_address(0);
    *pc = (uintptr_t)__builtin_return_address(0);
    return fp[0];
}
