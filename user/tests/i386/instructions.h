/* tests/i386/instructions.h -- what only assembly can do, for the tests of faults, of memory and of floating point.
 * The other machine's file of this name offers the same. */
#ifndef TAMAL_TESTS_INSTRUCTIONS_H
#define TAMAL_TESTS_INSTRUCTIONS_H

#include "user/user.h"

static inline uintptr_t stack_pointer(void)
{
    uintptr_t sp;
    __asm__ volatile("movl %%esp, %0" : "=r"(sp));
    return sp;
}

/* Registers that a function must give back to its caller, with other values; for one that never returns. */
__attribute__((always_inline)) static inline void change_kept_registers(void)
{
    __asm__ volatile("movl $1, %%ebx; movl $2, %%esi; movl $3, %%edi" ::: "ebx", "esi", "edi");
}
#define LONGJMP_RESTORES_ROUNDING 1

/* ---- Faults. Each of these ends the task that does it, and nobody else. */
struct deed {
    const char *name;
    void (*function)(void);
};
#define DEED(name, text) static inline void name(void) { __asm__ volatile(text ::: "memory"); }

DEED(undefined,         "ud2")
DEED(halt_cpu,          "hlt")
DEED(interrupts_off,    "cli")
DEED(interrupts_on,     "sti")
DEED(port_in,           "inb $0x60, %%al")
DEED(port_out,          "movb $0xfe, %%al; outb %%al, $0x64")                   /* resets the machine, if it may */
DEED(port_by_dx,        "movw $0x604, %%dx; movw $0x2000, %%ax; outw %%ax, %%dx")       /* switches it off */
DEED(load_gdt,          "subl $8, %%esp; lgdt (%%esp)")
DEED(load_idt,          "subl $8, %%esp; lidt (%%esp)")
DEED(load_task,         "movw $0xa0, %%ax; ltr %%ax")
DEED(load_local,        "xorl %%eax, %%eax; lldt %%ax")
DEED(read_cr0,          "movl %%cr0, %%eax")
DEED(write_cr3,         "xorl %%eax, %%eax; movl %%eax, %%cr3")
DEED(write_debug,       "xorl %%eax, %%eax; movl %%eax, %%db7")
DEED(clear_ts,          "clts")
DEED(load_msw,          "movw $1, %%ax; lmsw %%ax")
DEED(invalidate,        "invlpg (%%esp)")
DEED(read_msr,          "movl $0x174, %%ecx; rdmsr")
DEED(enter_fast,        ".byte 0x0f, 0x34")                                     /* sysenter */
DEED(enter_fast_too,    ".byte 0x0f, 0x05")                                     /* syscall */

/* Vectors a program may not call, whether they are exceptions, devices or nothing. */
DEED(int_0,             "int $0")
DEED(int_1,             "int $1")
DEED(int_3,             "int3")
DEED(int_8,             "int $8")
DEED(int_13,            "int $13")
DEED(int_14,            "int $14")
DEED(int_32,            "int $32")
DEED(int_36,            "int $36")
DEED(int_88,            "int $88")
DEED(int_99,            "int $99")
DEED(int_102,           "int $102")
DEED(int_223,           "int $223")
DEED(int_255,           "int $255")
DEED(into_set,          "movb $0x7f, %%al; addb $1, %%al; into")
DEED(icebp,             ".byte 0xf1")

/* Descriptors a program may not use: the kernel's segments, the tasks' TSS (0xA0: the sweeper's), what is not there. */
DEED(jump_sweeper,      "ljmp $0xa0, $0")
DEED(call_sweeper,      "lcall $0xa0, $0")
DEED(jump_first_task,   "ljmp $0x58, $0")
DEED(jump_idle_task,    "ljmp $0x60, $0")
DEED(jump_own_task,     "str %%ax; subl $8, %%esp; movl $0, (%%esp); movw %%ax, 4(%%esp); ljmp *(%%esp)")
DEED(jump_kernel,       "ljmp $0x08, $0x100000")
DEED(call_kernel,       "lcall $0x08, $0x100000")
DEED(jump_null,         "ljmp $0x00, $0x08000000")
DEED(jump_data,         "ljmp $0x23, $0x08000000")
DEED(jump_beyond,       "ljmp $0xfffb, $0x08000000")
DEED(return_to_kernel,  "pushl $0x08; pushl $0x100000; lret")
DEED(iret_to_kernel,    "pushfl; pushl $0x08; pushl $0x100000; iretl")
DEED(data_of_kernel,    "movw $0x18, %%ax; movw %%ax, %%ds")
DEED(code_of_kernel,    "movw $0x08, %%ax; movw %%ax, %%es")
DEED(task_as_data,      "movw $0xa0, %%ax; movw %%ax, %%fs")
DEED(beyond_the_table,  "movw $0xfffb, %%ax; movw %%ax, %%gs")
DEED(kernel_stack,      "movw $0x18, %%ax; movw %%ax, %%ss")
DEED(null_stack,        "xorl %%eax, %%eax; movw %%ax, %%ss")

/* Flags: a nested task to return to (NT, 0x4000), a trap after each instruction (TF, 0x100). */
#define SET_FLAG(flag) "pushfl; orl $" #flag ", (%%esp); popfl\n"
DEED(return_nested,     SET_FLAG(0x4000) "pushfl; pushl $0x13; pushl $0x08000000; iretl")
DEED(trap_each,         SET_FLAG(0x100) "nop; nop")
DEED(trap_each_call,    "pushfl; orl $0x100, (%%esp); movl $11, %%eax; popfl; int $0x80; nop")

DEED(trap_after_ss,     "pushfl; orl $0x100, (%%esp); movl $11, %%eax; movw %%ss, %%cx; popfl; movw %%cx, %%ss; int $0x80; nop")

DEED(divide_by_zero,    "xorl %%ecx, %%ecx; xorl %%edx, %%edx; divl %%ecx")
DEED(divide_too_big,    "movl $1, %%ecx; movl $1, %%edx; divl %%ecx")
DEED(float_exception,   "fninit; pushl $0x33b; fldcw (%%esp); fldz; fld1; fdiv %%st(1), %%st; fwait")   /* not masked */

static const struct deed forbidden[] = {
    { "ud2", undefined }, { "hlt", halt_cpu }, { "cli", interrupts_off }, { "sti", interrupts_on }, { "in", port_in },
    { "out", port_out }, { "out to dx", port_by_dx }, { "lgdt", load_gdt }, { "lidt", load_idt }, { "ltr", load_task },
    { "lldt", load_local }, { "read cr0", read_cr0 }, { "write cr3", write_cr3 }, { "write dr7", write_debug },
    { "clts", clear_ts }, { "lmsw", load_msw }, { "invlpg", invalidate }, { "rdmsr", read_msr },
    { "sysenter", enter_fast }, { "syscall", enter_fast_too },
    { "int 0", int_0 }, { "int 1", int_1 }, { "int3", int_3 }, { "int 8", int_8 }, { "int 13", int_13 },
    { "int 14", int_14 }, { "int 32", int_32 }, { "int 36", int_36 }, { "int 88", int_88 }, { "int 99", int_99 },
    { "int 102", int_102 }, { "int 223", int_223 }, { "int 255", int_255 }, { "into", into_set }, { "icebp", icebp },
    { "far jump to the sweeper's TSS", jump_sweeper }, { "far call of the sweeper's TSS", call_sweeper },
    { "far jump to TSS 0x58", jump_first_task }, { "far jump to TSS 0x60", jump_idle_task },
    { "far jump to its own TSS", jump_own_task }, { "far jump to kernel code", jump_kernel },
    { "far call of kernel code", call_kernel }, { "far jump to selector 0", jump_null },
    { "far jump to data", jump_data }, { "far jump beyond the GDT", jump_beyond },
    { "far return to kernel code", return_to_kernel }, { "iret to kernel code", iret_to_kernel },
    { "ds = kernel data", data_of_kernel }, { "es = kernel code", code_of_kernel }, { "fs = a TSS", task_as_data },
    { "gs beyond the GDT", beyond_the_table }, { "ss = kernel data", kernel_stack }, { "ss = 0", null_stack },
    { "iret with NT", return_nested }, { "TF", trap_each }, { "TF over a call", trap_each_call },
    { "division by zero", divide_by_zero }, { "quotient too big", divide_too_big },
    { "floating-point exception", float_exception },
    { "TF over a call behind a load of ss", trap_after_ss },
};

/* Registers that would hurt a trap path which trusts them; at the end a load or a push that faults. */
DEED(kernel_addresses,  "movl $0x100000, %%ebp; movl $0x100000, %%esp; movl 0, %%eax")
DEED(push_into_kernel,  "movl $0x100100, %%esp; pushl $0")
DEED(no_stack,          "xorl %%esp, %%esp; pushl $0")
DEED(call_on_no_stack,  "movl $-16, %%esp; movl $11, %%eax; int $0x80; movl 0, %%eax")
DEED(no_segments,       "xorl %%eax, %%eax; movw %%ax, %%ds; movw %%ax, %%es; movw %%ax, %%fs; movw %%ax, %%gs; ud2")
DEED(backwards,         "std; movl 0, %%eax")
DEED(nested_then_fault, SET_FLAG(0x4000) "movl 0, %%eax")
/* To a mode in which cs is no selector and tells no level. A processor ignores the flag (0x20000) here, QEMU 7.2 goes there. */
DEED(virtual_8086,      "pushl $0; pushl $0; pushl $0; pushl $0; pushl $0x23; pushl %%esp\n"
                        "pushfl; orl $0x20000, (%%esp); pushl $0x10; pushl $0x2000; iretl")

static const struct deed hostile[] = {
    { "kernel addresses in esp, ebp", kernel_addresses }, { "a push into the kernel", push_into_kernel },
    { "a push at address 0", no_stack }, { "a call without a stack", call_on_no_stack },
    { "null segments", no_segments }, { "the direction flag", backwards }, { "NT and a fault", nested_then_fault },
    { "virtual-8086 mode", virtual_8086 },
};

/* ---- Calls in a state that the kernel must not trust and must give back: 0, or what was wrong. */

/* Every register but eax, through each gate that returns: `number` in eax. */
#define REGISTERS_LOST(name, number, gate) \
    static inline int name(void) \
    { \
        uint32_t wrong; \
        __asm__ volatile( \
            "pushl %%ebp\n" \
            "movl $0x1eb1, %%ebx; movl $0x1ec1, %%ecx; movl $0x1ed1, %%edx\n" \
            "movl $0x1e51, %%esi; movl $0x1ed2, %%edi; movl $0x1eb2, %%ebp\n" \
            "movl $" #number ", %%eax; int $" #gate "\n" \
            "xorl $0x1eb1, %%ebx; xorl $0x1ec1, %%ecx; xorl $0x1ed1, %%edx\n" \
            "xorl $0x1e51, %%esi; xorl $0x1ed2, %%edi; xorl $0x1eb2, %%ebp\n" \
            "orl %%ecx, %%ebx; orl %%edx, %%ebx; orl %%esi, %%ebx; orl %%edi, %%ebx; orl %%ebp, %%ebx\n" \
            "popl %%ebp" \
            : "=b"(wrong) :: "eax", "ecx", "edx", "esi", "edi", "memory", "cc"); \
        return wrong != 0; \
    }
REGISTERS_LOST(lost_by_getpid, 11, 0x80)
REGISTERS_LOST(lost_by_malloco, 0, 100)
REGISTERS_LOST(lost_by_chau, 0, 101)

static inline int odd_stack(void)
{
    uint32_t result = 11, wrong;
    __asm__ volatile(
        "movl %%esp, %%esi; movl $3, %%esp\n"
        "int $0x80\n"
        "subl $3, %%esp; movl %%esp, %1; movl %%esi, %%esp"
        : "+a"(result), "=&r"(wrong) :: "esi", "memory", "cc");
    return wrong != 0 || result != (uint32_t)getpid();
}

static inline int null_segments(void)
{
    uint32_t result = 11;
    __asm__ volatile(
        "xorl %%ecx, %%ecx; movw %%cx, %%ds; movw %%cx, %%es; movw %%cx, %%fs; movw %%cx, %%gs\n"
        "int $0x80\n"
        "movw %%ss, %%cx; movw %%cx, %%ds; movw %%cx, %%es; movw %%cx, %%fs; movw %%cx, %%gs"
        : "+a"(result) :: "ecx", "memory", "cc");
    return result != (uint32_t)getpid();
}

/* What the kernel copies must go upwards, whatever the program's direction flag says. */
static inline int direction_flag(void)
{
    char right[64], seen[64];
    int result = 28;                            /* getcwd */

    memset(seen, '?', sizeof seen);
    __asm__ volatile("std; int $0x80; cld" : "+a"(result) : "b"(seen), "c"(sizeof seen) : "memory", "cc");
    return getcwd(right, sizeof right) == 0 || result < 0 || strcmp(seen, right) != 0;
}

/* NT belongs to the program: calls that switch tasks, and interrupts, return as always and leave it set. */
static inline int nested_flag(void)
{
    uint32_t flags, result = 13;                /* pause for a tenth of a second: others run */

    __asm__ volatile(
        SET_FLAG(0x4000)
        "int $0x80\n"
        "movl $50000000, %%ecx\n"               /* and ticks come meanwhile */
        "1: decl %%ecx; jnz 1b\n"
        "pushfl; popl %%edx\n"
        "pushl %%edx; andl $~0x4000, (%%esp); popfl"
        : "+a"(result), "=d"(flags) : "b"(1) : "ecx", "memory", "cc");
    return (flags & 0x4000) == 0 || result != 0;
}

/* A forked child begins with the flags of the call, by a far jump to its TSS: NT must not make that a return, ... */
static inline int nested_flag_over_fork(void)
{
    uint32_t flags;
    int pid, status = -2;

    __asm__ volatile(
        SET_FLAG(0x4000)
        "int $222\n"
        "pushfl; popl %%edx\n"
        "pushl %%edx; andl $~0x4000, (%%esp); popfl"
        : "=a"(pid), "=d"(flags) :: "memory", "cc");
    if (pid == 0)
        exit((flags & 0x4000) == 0);
    return (flags & 0x4000) == 0 || wait_for_task(pid, &status) != pid || status != 0;
}

/* ... and TF must trap in the child's first instruction, not in the kernel's last. */
static inline int trap_flag_over_fork(void)
{
    char c;
    int ends[2], status = -2, pid = pipe(ends) == 0 ? fork() : -1;

    if (pid == 0) {
        __asm__ volatile(SET_FLAG(0x100) "int $222; nop; nop" ::: "eax", "memory", "cc");
        write(ends[1], "x", 1);                 /* neither it nor its child comes here */
        exit(0);
    }
    close(ends[1]);
    long n = read(ends[0], &c, 1);              /* until both are gone */
    close(ends[0]);
    return n != 0 || wait_for_task(pid, &status) != pid || status != -1;
}

static const struct { const char *name; int (*function)(void); } odd_calls[] = {
    { "other registers are kept by int 0x80", lost_by_getpid }, { "by int 100", lost_by_malloco },
    { "by int 101", lost_by_chau }, { "odd esp", odd_stack }, { "null segments", null_segments },
    { "direction flag", direction_flag }, { "NT", nested_flag },
    { "NT over fork", nested_flag_over_fork }, { "TF over fork", trap_flag_over_fork },
};

/* ---- Floating point: the x87's registers are a stack of eight. */
#define FLOAT_REGISTERS "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"

/* A program finds 53 bits of precision, as double has on every machine, rounding to nearest, no exception enabled. */
#define FLOAT_CONTROL 0x027f

/* Fill the stack, let time pass in a loop that touches none, look: one asm block, so that the compiler keeps out.
 * 0: all are as they were set. */
static inline long float_spin(long base, long rounds)
{
    int set[2] = { (int)base, (int)base + 7 }, seen[8], bad = 0;

    __asm__ volatile(
        "fildl (%1); fildl 4(%1); fildl (%1); fildl 4(%1); fildl (%1); fildl 4(%1); fildl (%1); fildl 4(%1)\n"
        "1: decl %0; jnz 1b\n"
        "fistpl (%2); fistpl 4(%2); fistpl 8(%2); fistpl 12(%2); fistpl 16(%2); fistpl 20(%2); fistpl 24(%2); fistpl 28(%2)"
        : "+r"(rounds) : "r"(set), "r"(seen) : "cc", "memory", FLOAT_REGISTERS);
    for (int i = 0; i < 8; i++)
        bad |= seen[i] ^ set[(i + 1) % 2];
    return bad;
}

/* Put `value` into a register, make a call, read the register. */
static inline long float_over_call(long number, long argument, long value)
{
    long seen;
    __asm__ volatile("fildl %3; int $0x80; fistpl %1"
                     : "+a"(number), "=m"(seen) : "b"(argument), "m"(value) : "memory", FLOAT_REGISTERS);
    return seen;
}

static inline long float_over_fork(long value, int *pid)
{
    long seen, result;
    __asm__ volatile("fildl %2; int $222; fistpl %1" : "=&a"(result), "=m"(seen) : "m"(value) : "memory", FLOAT_REGISTERS);
    *pid = (int)result;
    return seen;
}

static inline void float_change_all(long base)
{
    __asm__ volatile("fildl %0; fildl %0; fildl %0; fildl %0; fildl %0; fildl %0; fildl %0; fildl %0; fninit"
                     :: "m"(base) : FLOAT_REGISTERS);
}

/* The rounding mode: 0 to nearest; 1 and 2 are others. */
static inline long float_rounding(void)
{
    uint16_t control;
    __asm__ volatile("fnstcw %0" : "=m"(control));
    return control >> 10 & 3;
}
static inline void float_set_rounding(long mode)
{
    uint16_t control;
    __asm__ volatile("fnstcw %0" : "=m"(control));
    control = (uint16_t)((control & ~0xc00) | mode << 10);
    __asm__ volatile("fldcw %0" :: "m"(control));
}

/* What a program that the task ran before may have left behind, and: nothing is left of it. */
static inline void float_leave_traces(void)
{
    float_set_rounding(1);
    __asm__ volatile("fldz; fld1; fdiv %st(1), %st");   /* two registers in use, and the flag of a division by zero set */
}

static inline int float_is_fresh(void)
{
    uint32_t environment[7];                    /* control, status, tags (3: empty) in the lower halves */
    __asm__ volatile("fnstenv %0; fldenv %0" : "=m"(environment));
    return (environment[0] & 0xffff) == FLOAT_CONTROL && (environment[1] & 0xffff) == 0 && (environment[2] & 0xffff) == 0xffff;
}

/* ---- Every register over one instruction (R000-1, A000-2): each gets a value of its own, the instruction is executed, and they
 * are looked at. A call's result apart: 0, or the name of the first one that is not as it was. */

#define REGISTER_NAMES "gs", "fs", "flags", "edi", "esi", "ebp", "esp", "ebx", "edx", "ecx", "eax"
enum { GS, FS, FLAGS, EDI, ESI, EBP, ESP, EBX, EDX, ECX, EAX, REGISTER_COUNT };

/* registers_over_NAME(registers): they are popped from the array, the instruction is executed, they are pushed back. Meanwhile
 * esp is the array's end: nobody else uses a program's stack. */
__asm__("   .macro  registers_over name, instruction:vararg\n"
        "   .globl  registers_over_\\name\n"
        "registers_over_\\name:\n"
        "   movl    4(%esp), %eax\n"
        "   pushal\n"
        "   movl    %esp, registers_over_stack\n"
        "   movl    %eax, %esp\n"
        "   popl    %gs\n"
        "   popl    %fs\n"
        "   popfl\n"
        "   popal\n"                                    /* all but esp */
        "   \\instruction\n"
        "   pushal\n"
        "   pushfl\n"
        "   pushl   %fs\n"
        "   pushl   %gs\n"
        "   cld\n"
        "   movl    registers_over_stack, %esp\n"
        "   pushl   %ds\n"
        "   popl    %fs\n"
        "   pushl   %ds\n"
        "   popl    %gs\n"
        "   popal\n"
        "   ret\n"
        "   .endm\n"
        "   .pushsection .text.registers_over, \"ax\"\n"
        "   registers_over malloco, int $100\n"
        "   registers_over chau, int $101\n"
        "   registers_over store, movb $0, (%eax)\n"
        "   .popsection\n"
        "   .pushsection .bss.registers_over_stack, \"aw\", @nobits\n"
        "   .balign 4\n"
        "registers_over_stack: .skip 4\n"
        "   .popsection\n");

void registers_over_malloco(uint32_t *registers);
void registers_over_chau(uint32_t *registers);
void registers_over_store(uint32_t *registers);

/* Flags that a program may have: bit 1 and IF always, the six of arithmetic, direction, AC, ID. Null selectors stay null. */
#define FLAGS_LEAST 0x000202
#define FLAGS_MOST  0x240ed7
#define DATA_SELECTOR 0x23

/* `variant` 0, 1: as many flags as there can be, as few; the one or the other selector. */
static inline const char *changed_register(unsigned variant, void (*over)(uint32_t *registers), unsigned long *eax)
{
    static const char *const names[REGISTER_COUNT] = { REGISTER_NAMES };
    uint32_t seen[REGISTER_COUNT], wanted[REGISTER_COUNT] = {
        [GS] = variant == 0 ? DATA_SELECTOR : 0, [FS] = variant == 0 ? 0 : DATA_SELECTOR,
        [FLAGS] = variant == 0 ? FLAGS_MOST : FLAGS_LEAST, [ESP] = (uint32_t)(seen + REGISTER_COUNT), [EAX] = *eax,
        [EDI] = 0xc3c30ed1, [ESI] = 0xc3c30e51, [EBP] = 0xc3c30eb9, [EBX] = 0xc3c30eb0, [EDX] = 0xc3c30ed0, [ECX] = 0xc3c30ec0,
    };

    memcpy(seen, wanted, sizeof seen);
    over(seen);
    *eax = seen[EAX];
    for (int i = 0; i < EAX; i++)
        if (i <= FS ? (uint16_t)seen[i] != (uint16_t)wanted[i] : seen[i] != wanted[i])  /* a selector has 16 bits */
            return names[i];
    return 0;
}

/* malloco (100) or chau (101), with this argument. */
static inline const char *changed_by_call(unsigned variant, unsigned long number, unsigned long argument, unsigned long *result)
{
    *result = argument;
    return changed_register(variant, number == 100 ? registers_over_malloco : registers_over_chau, result);
}

/* One byte, 0. */
static inline const char *changed_by_store(unsigned variant, char *address)
{
    unsigned long eax = (unsigned long)address;
    const char *changed = changed_register(variant, registers_over_store, &eax);

    return eax != (unsigned long)address ? "eax" : changed;
}

/* ---- Accesses to memory. Memory that is all zeros stays so. */
#define TOUCH(instruction, address) \
    __asm__ volatile(instruction : : "r"(address) : "eax", "ebx", "ecx", "edx", "memory", "cc", FLOAT_REGISTERS)
#define TOUCH_STRING(instruction, from, to) \
    __asm__ volatile(instruction : "+S"(from), "+D"(to) : : "eax", "ecx", "memory", "cc")
#define ZERO_ALL "xorl %%eax, %%eax; xorl %%ebx, %%ebx; xorl %%ecx, %%ecx; xorl %%edx, %%edx; "

/* One instruction that accesses up to 8 bytes at `address`, a multiple of 8. */
#define TOUCHES 15
static inline void touch_page(int how, char *address)
{
    char *from = address, *to = address;

    switch (how) {
    case 0: TOUCH("movb (%0), %%al", address); break;
    case 1: TOUCH("movw (%0), %%ax", address); break;
    case 2: TOUCH("movl (%0), %%eax", address); break;
    case 3: TOUCH("fldl (%0); fstp %%st(0)", address); break;
    case 4: TOUCH("movb $0, (%0)", address); break;
    case 5: TOUCH("movw $0, (%0)", address); break;
    case 6: TOUCH("movl $0, (%0)", address); break;
    case 7: TOUCH("fldz; fstpl (%0)", address); break;
    case 8: TOUCH(ZERO_ALL "lock xaddl %%eax, (%0)", address); break;
    case 9: TOUCH(ZERO_ALL "lock cmpxchg8b (%0)", address); break;
    case 10: TOUCH(ZERO_ALL "xchgl %%eax, (%0)", address); break;
    case 11: TOUCH("negl (%0)", address); break;
    case 12: TOUCH("movl %%esp, %%ecx; leal 4(%0), %%esp; pushl $0; movl %%ecx, %%esp", address); break;
    case 13: TOUCH_STRING("lodsl", from, to); break;
    case 14: TOUCH_STRING("xorl %%eax, %%eax; movl $2, %%ecx; rep stosl", from, to); break;
    }
}

/* One instruction that accesses bytes on both sides of a boundary of pages; the last ones read from one, write to the other. */
#define TOUCHES_OF_TWO 14
static inline void touch_two_pages(int how, char *boundary)
{
    char *from = boundary - 4, *to = boundary;

    switch (how) {
    case 0: TOUCH("movw -1(%0), %%ax", boundary); break;
    case 1: TOUCH("movl -1(%0), %%eax", boundary); break;
    case 2: TOUCH("fldl -5(%0); fstp %%st(0)", boundary); break;
    case 3: TOUCH("fldt -9(%0); fstp %%st(0)", boundary); break;
    case 4: TOUCH("movw $0, -1(%0)", boundary); break;
    case 5: TOUCH("movl $0, -3(%0)", boundary); break;
    case 6: TOUCH("fldz; fstpl -1(%0)", boundary); break;
    case 7: TOUCH("fldz; fstpt -2(%0)", boundary); break;
    case 8: TOUCH(ZERO_ALL "lock xaddl %%eax, -2(%0)", boundary); break;
    case 9: TOUCH(ZERO_ALL "lock cmpxchg8b -4(%0)", boundary); break;
    case 10: TOUCH("negl -1(%0)", boundary); break;
    case 11: TOUCH("movl %%esp, %%ecx; leal 2(%0), %%esp; pushl $0; movl %%ecx, %%esp", boundary); break;
    case 12: TOUCH_STRING("movsl", from, to); break;
    case 13: TOUCH_STRING("movl $2, %%ecx; subl $4, %%esi; rep movsl", from, to); break;
    }
}

static inline unsigned long load_unaligned(const char *address)
{
    unsigned long value;
    __asm__ volatile("movl (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void store_unaligned(char *address, unsigned long value)
{
    __asm__ volatile("movl %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

/* ---- What the tests of malloco and chau must know of this machine */
#define TABLES_OF_A_PAGE 1                      /* a task's own, between its root and a page of REGION */
#define TABLE_BYTES      (4ul << 20)            /* what the last of them maps */
#define SWEEPER_TASKS    0                      /* the sweeper is the processor's task, in gdt[20]: tests/test_i386.py */
#define SWEEP_LATE       0                      /* ticks that a sweep may begin late */

/* Other numbers with the lower 32 bits of this one, to be listed: there are none. */
#define WIDE_ALIASES(number)

#endif
