/*
 * exec.c -- a new program in the current task: a fresh address space is built beside the old one, and only when all of
 * it stands does the task move over. A hostile file or a shortage is an error code; the caller goes on as it was.
 *
 * The new stack, from the top down: argv[] pointers with their NULL, then the strings; sp is 16-aligned below them.
 */
#include "fs/fs.h"
#include "abi/fsformat.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/kalloc.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "mm/vm.h"
#include "sys/elf.h"
#include "sys/syscall.h"
#include "task/task.h"

#define ARGUMENTS_MAX      4096         /* strings */
#define ARGUMENT_BYTES_MAX (128u << 10) /* all of them, with argv[] */
#define PROGRAMS_MAX       64           /* program headers looked at */
#define STACK_FIRST_PAGES  2            /* granted and charged at start; more comes on touch */

/* Where argument strings come from: the old program's memory, or the kernel's (init). */
struct arguments {
    uintptr_t          user;            /* user address of argv[], when `kernel` is NULL */
    const char *const *kernel;
};

/* ---- The image */

static bool header_ok(const struct elf_header *h, uint64_t file_bytes)
{
    uint64_t table = (uint64_t)h->programs * sizeof(struct elf_program);
    return memcmp(h->magic, "\177ELF", 4) == 0 && h->class == ELF_CLASS && h->data == 1 && h->type == ELF_EXECUTABLE
        && h->machine == ELF_MACHINE && h->program_size == sizeof(struct elf_program) && h->programs >= 1
        && h->programs <= PROGRAMS_MAX && h->program_offset <= file_bytes && table <= file_bytes - h->program_offset;
}

static bool segment_ok(const struct elf_program *p, uint64_t file_bytes)
{
    return p->file_bytes <= p->memory_bytes && p->offset <= file_bytes && p->file_bytes <= file_bytes - p->offset
        && p->va >= USER_BASE && p->va < USER_IMAGE_END && p->memory_bytes <= USER_IMAGE_END - p->va
        && (p->flags & (ELF_W | ELF_X)) != (ELF_W | ELF_X);     /* no page is both writable and executable */
}

static int fill_segment(struct vm *vm, struct inode *file, const struct elf_program *p)
{
    for (uint64_t done = 0; done < p->file_bytes; ) {
        uintptr_t va = p->va + done;
        size_t n = MIN(PAGE_SIZE - (va & PAGE_MASK), p->file_bytes - done);
        char *frame = vm_page(vm, PAGE_DOWN(va));
        if (frame == NULL)
            return -ENOMEM;
        long got = fs_read_kernel(file, frame + (va & PAGE_MASK), p->offset + done, n);
        if (got < 0)
            return (int)got;
        if ((size_t)got != n)
            return -ENOEXEC;
        done += n;
    }
    return 0;
}

static int load_segment(struct vm *vm, struct inode *file, const struct elf_program *p)
{
    if (p->memory_bytes == 0)
        return 0;
    uintptr_t start = PAGE_DOWN(p->va), end = PAGE_UP(p->va + p->memory_bytes);
    unsigned access = PTE_READ | ((p->flags & ELF_W) ? PTE_WRITE : 0) | ((p->flags & ELF_X) ? PTE_EXEC : 0);
    int err = vm_add_area(vm, start, end, AREA_IMAGE, access, (p->flags & ELF_W) ? AREA_CHARGED : 0);
    if (err != 0)
        return err == -EINVAL ? -ENOEXEC : err;         /* it overlaps another segment */
    vm->heap_start = vm->brk = MAX(vm->brk, end);
    return fill_segment(vm, file, p);
}

static int load_image(struct vm *vm, struct inode *file, uintptr_t *entry)
{
    struct elf_header h;
    struct elf_program p;
    uint64_t file_bytes = fs_size(file);

    long got = fs_read_kernel(file, &h, 0, sizeof(h));
    if (got < 0)
        return (int)got;
    if (got != sizeof(h) || !header_ok(&h, file_bytes))
        return -ENOEXEC;
    for (unsigned i = 0; i < h.programs; i++) {
        got = fs_read_kernel(file, &p, h.program_offset + i * sizeof(p), sizeof(p));
        if (got != sizeof(p))
            return got < 0 ? (int)got : -ENOEXEC;
        if (p.type != ELF_LOAD)
            continue;
        int err = segment_ok(&p, file_bytes) ? load_segment(vm, file, &p) : -ENOEXEC;
        if (err != 0)
            return err;
    }
    *entry = h.entry;
    struct area *code = vm_find_area(vm, h.entry);
    return code != NULL && (code->access & PTE_EXEC) ? 0 : -ENOEXEC;
}

/* ---- The arguments */

/* put -- write kernel bytes into the new address space. */
static int put(struct vm *vm, uintptr_t va, const void *from, size_t nbytes)
{
    const char *source = from;
    while (nbytes > 0) {
        size_t n = MIN(PAGE_SIZE - (va & PAGE_MASK), nbytes);
        char *frame = vm_page(vm, PAGE_DOWN(va));
        if (frame == NULL)
            return -ENOMEM;
        memcpy(frame + (va & PAGE_MASK), source, n);
        va += n;
        source += n;
        nbytes -= n;
    }
    return 0;
}

/* argument_address -- the i-th pointer of argv[]; 0 at its end. */
static int argument_address(const struct arguments *args, size_t i, uintptr_t *address)
{
    if (args->kernel != NULL) {
        *address = (uintptr_t)args->kernel[i];
        return 0;
    }
    uintptr_t at = args->user + i * sizeof(uintptr_t);
    return copy_from_user(address, va_of(at), sizeof(*address));
}

static int count_arguments(const struct arguments *args, size_t *count)
{
    for (size_t i = 0; i <= ARGUMENTS_MAX; i++) {
        uintptr_t address;
        int err = argument_address(args, i, &address);
        if (err != 0)
            return err;
        if (address == 0) {
            *count = i;
            return 0;
        }
    }
    return -E2BIG;
}

/* fetch_argument -- the i-th string into `buf` of a page; its length with the NUL, or a negative errno. */
static long fetch_argument(const struct arguments *args, size_t i, char *buf)
{
    uintptr_t address;
    int err = argument_address(args, i, &address);
    if (err != 0)
        return err;
    long length = args->kernel != NULL ? (long)copy_string(buf, (const char *)address, PAGE_SIZE)
                                       : copy_string_from_user(buf, va_of(address), PAGE_SIZE);
    if (length == -ENAMETOOLONG || length >= (long)PAGE_SIZE)
        return -E2BIG;
    return length < 0 ? length : length + 1;
}

static long build_stack(struct vm *vm, const struct arguments *args, uintptr_t *sp, uintptr_t *argv)
{
    size_t argc = 0;
    int err = vm_add_area(vm, USER_STACK_TOP - STACK_FIRST_PAGES * PAGE_SIZE, USER_STACK_TOP, AREA_STACK,
                          PTE_READ | PTE_WRITE, AREA_CHARGED);
    if (err == 0)
        err = count_arguments(args, &argc);
    if (err != 0)
        return err;
    char *buf = alloc_page_raw();
    if (buf == NULL)
        return -ENOMEM;
    *argv = USER_STACK_TOP - (argc + 1) * sizeof(uintptr_t);
    *sp = *argv;
    for (size_t i = 0; err == 0 && i < argc; i++) {
        long nbytes = fetch_argument(args, i, buf);
        if (nbytes < 0)
            err = (int)nbytes;
        else if ((*sp -= (size_t)nbytes) < USER_STACK_TOP - ARGUMENT_BYTES_MAX)
            err = -E2BIG;
        else if ((err = put(vm, *sp, buf, (size_t)nbytes)) == 0)
            err = put(vm, *argv + i * sizeof(uintptr_t), sp, sizeof(*sp));
    }
    free_page(buf);
    *sp &= ~(uintptr_t)15;
    if (err == 0 && vm_page(vm, PAGE_DOWN(*sp - 1)) == NULL)    /* the first push does not fault */
        err = -ENOMEM;
    return err != 0 ? err : (long)argc;
}

/* ---- All of it */

static long build(struct vm *vm, const char *path, const struct arguments *args, uintptr_t *entry, uintptr_t *sp,
                  uintptr_t *argv)
{
    int err = 0;
    struct inode *file = fs_open_exec(path, &err);
    if (file == NULL)
        return err;
    err = load_image(vm, file, entry);
    fs_close_exec(file);
    return err != 0 ? err : build_stack(vm, args, sp, argv);
}

static long exec(const char *path, const struct arguments *args)
{
    struct task *self = current();
    uintptr_t entry = 0, sp = 0, argv = 0;
    struct vm *vm = vm_new();
    if (vm == NULL)
        return -ENOMEM;
    long argc = build(vm, path, args, &entry, &sp, &argv);
    if (argc < 0) {
        vm_free(vm);
        return argc;
    }
    task_change_program(vm, path);
    fp_release(self);
    instruction_fence();
    frame_init(task_frame(self), va_of(entry), va_of(sp), (uintptr_t)argc, argv);
    return argc;
}

long exec_path(const char *path, const char *const *argv)
{
    return exec(path, &(struct arguments){ .kernel = argv });
}

long sys_exec(struct task *self, const uintptr_t arg[])
{
    (void)self;
    char *path = alloc_page_raw();
    if (path == NULL)
        return -ENOMEM;
    long result = copy_string_from_user(path, va_of(arg[0]), FS_PATH_MAX);
    if (result >= 0)
        result = exec(path, &(struct arguments){ .user = arg[1] });
    free_page(path);
    return result;
}
