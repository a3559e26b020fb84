/*
 * vm.c -- user address spaces: granting, faulting in, sharing at fork, taking back.
 *
 * Owns:     struct vm, its areas and its page table.
 * Locks:    vm->lock. Frames, tables and promises are taken under it; nothing suspends.
 * Not here: the format of an entry (arch/), malloco's blocks (malloco.c), user pointers in system calls (usercopy.c), who
 *           goes when memory ends (task/oom.c), what a failed fault means for the task (sys/trap.c).
 *
 * The page-fault path: trap.S -> sys/trap.c -> vm_fault() -> make_present() -> map_fresh() or break_cow(); without a frame
 * -> task/oom.c, and again.
 */
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/kalloc.h"
#include "mm/malloco.h"
#include "mm/slab.h"
#include "mm/vm.h"

static struct slab_cache vm_cache = SLAB_CACHE("vm", struct vm);
static struct slab_cache area_cache = SLAB_CACHE("area", struct area);
struct spinlock kernel_map_lock = SPINLOCK_INIT("kernel map", RANK_VM);
struct vm_counters vm_counters;
static bool (*make_room)(uintptr_t va, unsigned attempt);

static void count(size_t *counter) { __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

void init_vm(void) { map_kernel_memory(); }
void vm_set_shortage_hook(bool (*hook)(uintptr_t va, unsigned attempt)) { make_room = hook; }

/* ---- Areas */

static size_t pages_of(const struct area *a) { return (a->end - a->start) >> PAGE_SHIFT; }

static struct area *area_new(struct vm *vm)
{
    for (unsigned i = 0; i < AREAS_INSIDE; i++)
        if ((vm->inside_used & 1u << i) == 0) {
            vm->inside_used |= 1u << i;
            return &vm->areas_inside[i];
        }
    if (vm->areas_outside == AREAS_OUTSIDE_MAX)
        return NULL;
    struct area *a = slab_alloc(&area_cache);
    vm->areas_outside += a != NULL;
    return a;
}

static void area_free(struct vm *vm, struct area *a)
{
    if (vm->hint == a)
        vm->hint = NULL;
    list_remove(&a->link);
    if (a >= vm->areas_inside && a < vm->areas_inside + AREAS_INSIDE)
        vm->inside_used &= ~(1u << (a - vm->areas_inside));
    else {
        slab_free(&area_cache, a);
        vm->areas_outside--;
    }
}

HOT struct area *vm_find_area(struct vm *vm, uintptr_t va)
{
    struct area *a = vm->hint;
    if (a != NULL && va >= a->start && va < a->end)
        return a;
    list_for_each(a, &vm->areas, link)
        if (va < a->end) {
            if (va < a->start)
                return NULL;
            vm->hint = a;
            return a;
        }
    return NULL;
}

int vm_insert_area(struct vm *vm, uintptr_t start, uintptr_t end, enum area_kind kind, unsigned access, unsigned flags)
{
    struct area *before;                                /* from the end: a heap that grows is near it */
    if (start >= end || ((start | end) & PAGE_MASK) != 0 || !vm_range_ok(start, end - start))
        return -EINVAL;
    list_for_each_reverse(before, &vm->areas, link) {
        if (before->start < end && start < before->end)
            return -EINVAL;
        if (before->end <= start)
            break;
    }
    struct area *a = area_new(vm);
    if (a == NULL)
        return -ENOMEM;
    *a = (struct area){ .start = start, .end = end, .kind = (uint8_t)kind, .access = (uint8_t)access,
                        .flags = (uint8_t)flags };
    list_push_front(&before->link, &a->link);           /* behind `before`, or first of all */
    if (kind != AREA_REGION)
        vm->reserved += pages_of(a);                    /* malloco counts what it grants */
    return 0;
}

int vm_add_area(struct vm *vm, uintptr_t start, uintptr_t end, enum area_kind kind, unsigned access, unsigned flags)
{
    size_t charge = (flags & AREA_CHARGED) ? (end - start) >> PAGE_SHIFT : 0;
    acquire(&vm->lock);
    int err = commit_charge(charge);
    if (err == 0) {
        err = vm_insert_area(vm, start, end, kind, access, flags);
        if (err != 0)
            commit_release(charge);
    }
    release(&vm->lock);
    return err;
}

/* resize_area -- to other bounds; the caller has made sure that there is room. */
static int resize_area(struct vm *vm, struct area *a, uintptr_t start, uintptr_t end)
{
    size_t before = pages_of(a), after = (end - start) >> PAGE_SHIFT;
    if (a->flags & AREA_CHARGED) {
        if (after > before && commit_charge(after - before) != 0)
            return -ENOMEM;
        if (after < before)
            commit_release(before - after);
    }
    a->start = start;
    a->end = end;
    vm->reserved += after - before;
    return 0;
}

/* ---- Walking the present part of a range: one run is the entries of one leaf table inside [va, end). */

struct run { pte_t *first; unsigned length; uintptr_t va; };

static bool next_run(pte_t *root, uintptr_t *va, uintptr_t end, struct run *run)
{
    while (*va < end) {
        uintptr_t span;
        pte_t *table = leaf_table_seek(root, va_of(*va), &span);
        uintptr_t stop = MIN((*va & ~(span - 1)) + span, end);
        run->va = *va;
        *va = stop;
        if (table != NULL) {
            run->first = &table[pt_index(run->va, 0)];
            run->length = (unsigned)((stop - run->va) >> PAGE_SHIFT);
            return true;
        }
    }
    return false;
}

static struct page *table_page(pte_t *entry) { return page_of((void *)PAGE_DOWN(entry)); }

/* ---- Faults */

/* new_frame -- for a page of this area; its contents are undefined. */
HOT static void *new_frame(const struct area *area)
{
    bool promised = (area->flags & AREA_CHARGED) != 0;
    void *frame = promised || commit_may_overcommit() ? alloc_user_page_raw(promised) : NULL;
    if (promised && frame != NULL)
        commit_frame_used(frame);
    return frame;
}

HOT static int map_fresh(struct vm *vm, struct area *area, pte_t *entry)
{
    void *frame = new_frame(area);
    if (frame == NULL)
        return -ENOMEM;
    clear_page(frame);
    if (area->access & PTE_EXEC)
        page_of(frame)->flags |= PAGE_CODE;
    __atomic_store_n(&entry->bits, pte_make(frame, area->access | PTE_USER).bits, __ATOMIC_RELEASE);    /* M4 */
    table_page(entry)->entries++;
    vm->resident++;
    count(&vm_counters.demand_faults);
    return 0;
}

HOT static void shoot_down(struct vm *vm)
{
    unsigned cpus_mask = __atomic_load_n(&vm->space.cpus, __ATOMIC_SEQ_CST);
    if ((cpus_mask & ~(1u << this_cpu()->id)) != 0)
        count(&vm_counters.shootdowns);
    flush_cpus(cpus_mask);
}

/* break_cow -- a write to a private page that is or was shared. The count is stable enough: other sharers can only go
 * away or, under their own vm's lock, copy; nobody can begin to share this page without our lock (M2). */
HOT static int break_cow(struct vm *vm, struct area *area, pte_t *entry)
{
    void *frame = pte_frame(*entry);
    unsigned rights = area->access | PTE_USER;
    if (page_refs(frame) == 1) {
        __atomic_store_n(&entry->bits, pte_make(frame, rights).bits, __ATOMIC_RELEASE);
        count(&vm_counters.cow_upgrades);
        return 0;
    }
    void *copy = new_frame(area);
    if (copy == NULL)
        return -ENOMEM;
    copy_page(copy, frame);
    __atomic_store_n(&entry->bits, pte_make(copy, rights).bits, __ATOMIC_RELEASE);
    shoot_down(vm);                                     /* nobody reads the old frame through us any more, ... */
    free_page(frame);                                   /* ... so our reference may go */
    count(&vm_counters.cow_copies);
    return 0;
}

/* grow_stack -- the stack area reaches down to va, if that is where a stack may grow. 0, -EFAULT, -ENOMEM. */
static int grow_stack(struct vm *vm, uintptr_t va, struct area **area)
{
    if (va >= USER_STACK_TOP || va < USER_STACK_TOP - STACK_MAX_BYTES)
        return -EFAULT;
    list_for_each_reverse(*area, &vm->areas, link)
        if ((*area)->kind == AREA_STACK)
            return resize_area(vm, *area, PAGE_DOWN(va), (*area)->end);
    return -EFAULT;
}

/* make_present -- the heart of vm_fault(): decides from (area, access, present entry). vm->lock is held. */
HOT static int make_present(struct vm *vm, uintptr_t va, unsigned access, bool *was_there)
{
    struct area *area = vm_find_area(vm, va);
    int err = area == NULL ? grow_stack(vm, va, &area) : 0;
    if (err != 0)
        return err;
    if ((area->access & access) == 0)
        return -EFAULT;

    bool may_appear = area->kind != AREA_REGION || malloco_state(vm, va) == BLOCK_ACTIVE;
    pte_t *table = leaf_table(vm->space.root, va_of(va), may_appear);
    if (table == NULL)
        return may_appear ? -ENOMEM : -EFAULT;
    pte_t *entry = &table[pt_index(va, 0)];
    if (!pte_valid(*entry)) {
        if (!may_appear)
            return -EFAULT;
        err = map_fresh(vm, area, entry);
        if (err != 0)
            leaf_table_release(vm->space.root, va_of(va), &vm->space.cpus);    /* perhaps made for nothing */
        return err;
    }
    if (pte_flags(*entry) & access) {
        *was_there = true;
        return 0;
    }
    if (access == PTE_WRITE && (pte_flags(*entry) & PTE_COW))
        return break_cow(vm, area, entry);
    return -EFAULT;
}

HOT int vm_fault(struct vm *vm, uintptr_t va, unsigned access)
{
    for (unsigned attempt = 0; ; attempt++) {
        bool was_there = false;
        acquire(&vm->lock);
        int err = make_present(vm, PAGE_DOWN(va), access, &was_there);
        if (was_there)
            flush_local();      /* M5: another path was faster, or this hart kept an old entry. Just retry. */
        release(&vm->lock);
        if (LIKELY(err != -ENOMEM) || !make_room(va, attempt))
            return err;
    }
}

void *vm_page(struct vm *vm, uintptr_t va)
{
    bool was_there;
    acquire(&vm->lock);
    int err = make_present(vm, PAGE_DOWN(va), PTE_READ, &was_there);
    release(&vm->lock);
    return err != 0 ? NULL : pte_frame(*leaf_find(vm->space.root, va_of(va)));
}

/* ---- Taking back */

size_t vm_clear_pages(struct vm *vm, uintptr_t start, uintptr_t end)
{
    struct run run;
    size_t cleared = 0;
    for (uintptr_t va = start; next_run(vm->space.root, &va, end, &run); )
        for (unsigned i = 0; i < run.length; i++)
            if (pte_valid(run.first[i])) {
                run.first[i] = pte_invalidate(run.first[i]);    /* M1: clear, remembering the frame ... */
                cleared++;
            }
    return cleared;
}

void vm_free_cleared(struct vm *vm, uintptr_t start, uintptr_t end, size_t cleared)
{
    struct run run;
    if (cleared == 0)
        return;
    shoot_down(vm);                                             /* ... fence wherever it may live ... */
    for (uintptr_t va = start; next_run(vm->space.root, &va, end, &run); ) {
        for (unsigned i = 0; i < run.length; i++)
            if (!pte_valid(run.first[i]) && !pte_none(run.first[i])) {
                free_page(pte_frame(run.first[i]));             /* ... and only then free */
                run.first[i].bits = 0;
                table_page(run.first)->entries--;
            }
        leaf_table_release(vm->space.root, va_of(run.va), &vm->space.cpus);
    }
    vm->resident -= cleared;
}

void vm_unmap_range(struct vm *vm, uintptr_t start, uintptr_t end)
{
    vm_free_cleared(vm, start, end, vm_clear_pages(vm, start, end));
}

/* free_range -- the same for an address space that no CPU has loaded: no fence, one pass. */
static void free_range(struct vm *vm, uintptr_t start, uintptr_t end)
{
    struct run run;
    for (uintptr_t va = start; next_run(vm->space.root, &va, end, &run); ) {
        unsigned freed = 0;
        for (pte_t *entry = run.first, *stop = entry + run.length; entry < stop; entry++)
            if (pte_valid(*entry)) {
                free_page(pte_frame(*entry));
                entry->bits = 0;
                freed++;
            }
        table_page(run.first)->entries -= freed;
        vm->resident -= freed;
        leaf_table_release(vm->space.root, va_of(run.va), NULL);
    }
}

void vm_free(struct vm *vm)
{
    struct area *a, *next;
    KASSERT(vm->space.cpus == 0);
    acquire(&vm->lock);         /* nobody finds this vm any more; whoever did (sweeper, statistics) is done with it now */
    release(&vm->lock);
    list_for_each_safe(a, next, &vm->areas, link) {
        free_range(vm, a->start, a->end);
        if (a->flags & AREA_CHARGED)
            commit_release(pages_of(a));
        area_free(vm, a);
    }
    KASSERT(vm->resident == 0);
    pagetable_free(vm->space.root);
    slab_free(&vm_cache, vm);
}

/* ---- Making */

struct vm *vm_new(void)
{
    struct vm *vm = slab_alloc(&vm_cache);
    if (vm == NULL)
        return NULL;
    vm->space.root = pagetable_new();
    if (vm->space.root == NULL) {
        slab_free(&vm_cache, vm);
        return NULL;
    }
    spinlock_init(&vm->lock, "address space", RANK_VM);
    list_init(&vm->areas);
    return vm;
}

static int copy_areas(struct vm *child, struct vm *parent)
{
    struct area *a;
    list_for_each(a, &parent->areas, link) {
        struct area *copy = area_new(child);
        if (copy == NULL)
            return -ENOMEM;
        size_t charge = (a->flags & AREA_CHARGED) ? pages_of(a) : 0;
        *copy = *a;
        list_push_back(&child->areas, &copy->link);
        if (commit_charge(charge) != 0) {
            copy->flags = 0;                            /* so that vm_free() releases what was charged, not more */
            return -ENOMEM;
        }
    }
    if (parent->region.pages_granted > 0)
        child->region = parent->region;
    child->reserved = parent->reserved;
    child->heap_start = parent->heap_start;
    child->brk = parent->brk;
    return 0;
}

/* share_run -- both sides get the same frames; a private writable page becomes read-only and COW in both. True: some
 * page of the parent lost its right to be written. */
static bool share_run(struct vm *child, struct run *run, pte_t *to)
{
    bool narrowed = false;
    unsigned shared = 0;
    for (pte_t *from = run->first, *end = from + run->length; from < end; from++, to++) {
        if (!pte_valid(*from))
            continue;
        if (pte_writable(*from)) {
            *from = pte_to_cow(*from);
            narrowed = true;
        }
        page_share(pte_frame(*from));                   /* M2: counted before it is published */
        *to = *from;
        shared++;
    }
    to -= run->length;
    table_page(to)->entries += shared;
    child->resident += shared;
    return narrowed;
}

static int share_pages(struct vm *child, struct vm *parent, bool *narrowed)
{
    struct area *a;
    struct run run;
    list_for_each(a, &parent->areas, link)
        for (uintptr_t va = a->start; next_run(parent->space.root, &va, a->end, &run); ) {
            pte_t *table = commit_spares_a_frame() ? leaf_table(child->space.root, va_of(run.va), true) : NULL;
            if (table == NULL)                          /* no tables out of what others were promised: fork can fail */
                return -ENOMEM;
            *narrowed |= share_run(child, &run, &table[pt_index(run.va, 0)]);
            leaf_table_release(child->space.root, va_of(run.va), NULL);
        }
    return 0;
}

struct vm *vm_fork(struct vm *parent)
{
    struct vm *child = vm_new();
    if (child == NULL)
        return NULL;
    bool narrowed = false;
    acquire(&parent->lock);
    int err = copy_areas(child, parent);
    if (err == 0)
        err = share_pages(child, parent, &narrowed);
    if (narrowed)
        shoot_down(parent);     /* M6: no CPU may write a shared frame through an old writable translation */
    release(&parent->lock);
    if (err != 0) {
        vm_free(child);         /* the parent's pages stay COW with one owner: its next write upgrades them */
        return NULL;
    }
    return child;
}

/* ---- The heap: areas of kind AREA_HEAP from heap_start up to brk, charged and lazy ones as they were asked for. */

static struct area *last_heap_area(struct vm *vm)
{
    struct area *a;
    list_for_each_reverse(a, &vm->areas, link)
        if (a->kind == AREA_HEAP)
            return a;
    return NULL;
}

static int extend_heap(struct vm *vm, uintptr_t from, uintptr_t to, unsigned flags)
{
    struct area *last = last_heap_area(vm);
    if (last != NULL && last->flags == flags)
        return resize_area(vm, last, last->start, to);
    int err = (flags & AREA_CHARGED) ? commit_charge((to - from) >> PAGE_SHIFT) : 0;
    if (err == 0) {
        err = vm_insert_area(vm, from, to, AREA_HEAP, PTE_READ | PTE_WRITE, flags);
        if (err != 0 && (flags & AREA_CHARGED))
            commit_release((to - from) >> PAGE_SHIFT);
    }
    return err;
}

static void shrink_heap(struct vm *vm, uintptr_t to)
{
    struct area *last = last_heap_area(vm), *before;
    vm_unmap_range(vm, to, PAGE_UP(vm->brk));                   /* one fence for all of it */
    for (; last->kind == AREA_HEAP && last->end > to; last = before) {      /* the image lies before the heap */
        uintptr_t keep = MAX(last->start, to);
        before = list_entry(last->link.prev, struct area, link);
        (void)resize_area(vm, last, last->start, keep);         /* shrinking cannot fail */
        if (keep == last->start)
            area_free(vm, last);
    }
}

long vm_grow_heap(struct vm *vm, intptr_t delta, bool lazy)
{
    acquire(&vm->lock);
    uintptr_t old = vm->brk;
    long result = (long)old;
    if (delta > 0 && (uintptr_t)delta > USER_IMAGE_END - old)
        result = -ENOMEM;
    else if (delta < 0 && (uintptr_t)-delta > old - vm->heap_start)
        result = -EINVAL;
    else {
        uintptr_t from = PAGE_UP(old), to = PAGE_UP(old + (uintptr_t)delta);
        int err = to > from ? extend_heap(vm, from, to, lazy ? 0 : AREA_CHARGED) : 0;
        if (to < from)
            shrink_heap(vm, to);
        if (err == 0)
            vm->brk = old + (uintptr_t)delta;
        else
            result = -ENOMEM;
    }
    release(&vm->lock);
    return result;
}

/* ---- What others are told */

int vm_oom_score(struct vm *vm, int adj)
{
    long held = (long)(vm->resident + pagetable_pages(vm->space.root));
    long score = adj + 1000 * held / (long)frames_total();
    return (int)(score < 0 ? 0 : MIN(score, 1000));
}

static size_t count_present(struct vm *vm, uintptr_t start, uintptr_t end)
{
    struct run run;
    size_t present = 0;
    for (uintptr_t va = start; next_run(vm->space.root, &va, end, &run); )
        for (unsigned i = 0; i < run.length; i++)
            present += pte_valid(run.first[i]);
    return present;
}

bool vm_describe_area(struct vm *vm, uintptr_t after, struct area_info *info)
{
    struct area *a = vm->hint;                          /* who asks for all of them asks in turn */
    if (a == NULL || a->end > after)
        a = list_entry(vm->areas.next, struct area, link);
    for (; &a->link != &vm->areas; a = list_entry(a->link.next, struct area, link))
        if (a->end > after) {
            vm->hint = a;
            *info = (struct area_info){
                .start = a->start, .end = a->end, .kind = a->kind,
                .access = ((a->access & PTE_READ) ? AREA_READ : 0) | ((a->access & PTE_WRITE) ? AREA_WRITE : 0)
                        | ((a->access & PTE_EXEC) ? AREA_EXEC : 0),
                .reserved_pages = a->kind == AREA_REGION ? vm->region.pages_granted : pages_of(a),
                .resident_pages = count_present(vm, a->start, a->end),
            };
            return true;
        }
    return false;
}

static uint8_t describe_page(struct vm *vm, uintptr_t va)
{
    struct area *a = vm_find_area(vm, va);
    if (a == NULL)
        return 0;
    unsigned bits = a->kind == AREA_REGION ? malloco_describe(vm, va) : PAGE_IS_GRANTED;
    pte_t *entry = leaf_find(vm->space.root, va_of(va));
    if (entry == NULL || !pte_valid(*entry))
        return (uint8_t)bits;
    bits |= PAGE_IS_RESIDENT;
    if (page_refs(pte_frame(*entry)) > 1)
        bits |= PAGE_IS_SHARED;
    if (pte_flags(*entry) & PTE_COW)
        bits |= PAGE_IS_COW;
    if (pte_writable(*entry))
        bits |= PAGE_IS_WRITABLE;
    return (uint8_t)bits;
}

void vm_describe_pages(struct vm *vm, uintptr_t va, uint8_t *states, size_t npages)
{
    for (size_t i = 0; i < npages; i++)
        states[i] = describe_page(vm, va + i * PAGE_SIZE);
}
