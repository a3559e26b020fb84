# riscv.py -- what the commands must know about RISC-V: registers, Sv39, traps. Loaded by tamal.py.
import gdb

import base
from base import command, looks_only, register, symbol, value, word

NAME = "riscv"
BITS = 64
POOLS = ("frames",)                         # of kalloc.c
LEVELS, INDEX_BITS, ENTRY_BYTES = 3, 9, 8   # Sv39


# ---- Tasks

def in_user_mode():
    return register("priv") == 0


def current_address():
    """In user mode sscratch holds the task, in the kernel tp: see trap.S."""
    cpu = base.this_cpu()
    known = int(cpu["task"]) if cpu is not None else 0
    if in_user_mode():
        return register("sscratch")
    if known in (register("tp"), register("sscratch")):
        return known
    inside = value("machine")["memory_end"]
    return register("tp") if known and int(value("&__kernel_start")) <= register("tp") < int(inside) else known


def registers_of(task):
    """pc, frame pointer, in user mode?, and the CPU whose registers these are; None: those saved at the last switch."""
    cpu = base.running_on(task)
    if cpu is None:
        return int(task["context"]["ra"]), int(task["context"]["s"][0]), False, None
    here = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        if thread.num == int(cpu["hart"]) + 1:
            thread.switch()
    answer = register("pc"), register("fp"), in_user_mode(), cpu
    here.switch()
    return answer


def caller(fp, stack):
    """From a frame pointer: the return address and the caller's frame pointer; None: the stack ends here."""
    return (word(fp - 8), word(fp - 16)) if stack <= fp - 16 < stack + base.PAGE else None


def first_callers(task, pc):
    return []


def user_registers(frame):
    return int(frame["pc"]), int(frame["sp"])


def note():
    return ""


# ---- Page tables

def page_table():
    """The root in use on this hart; 0: paging is off."""
    satp = register("satp")
    return (satp & (2**44 - 1)) * base.PAGE if satp else 0


def check_address(va):
    if va >> 38 not in (0, 2**26 - 1):
        raise gdb.GdbError(f"{va:#x} is no Sv39 address: bits 39 to 63 must repeat bit 38")
    return va & (2**39 - 1)


def address_of(va):
    """The lower 39 bits as an address: bit 38 is repeated."""
    return va | (2**64 - 2**39) if va >> 38 & 1 else va


def decode(entry, level):
    """None: not valid; else (is it a leaf?, address, rights, marks)."""
    if not entry & 1:
        return None
    rights = "".join(letter if entry & 1 << bit else "-" for bit, letter in ((1, "r"), (2, "w"), (3, "x"), (4, "u")))
    marks = [name for bit, name in ((5, "global"), (8, "COW")) if entry & 1 << bit]
    return entry & 14 != 0, (entry >> 10 & (2**44 - 1)) * base.PAGE, rights, " ".join(marks)


def bits(entry):
    return "".join(letter if entry & 1 << bit else "-" for bit, letter in enumerate("VRWXUGAD"))


def table_name(level):
    return f"table of level {level}"


# ---- Control and status registers

EXCEPTIONS = {
    0: "instruction address misaligned", 1: "instruction access fault", 2: "illegal instruction", 3: "breakpoint",
    4: "load address misaligned", 5: "load access fault", 6: "store address misaligned", 7: "store access fault",
    8: "ecall from user mode", 9: "ecall from the kernel", 12: "instruction page fault", 13: "load page fault",
    15: "store page fault",
}
INTERRUPTS = {1: "software (another hart's kick)", 5: "timer", 9: "external (a device, by the PLIC)"}
FP_STATES = ("off", "initial", "clean", "dirty")


def cause_name(cause):
    number = cause & (2**63 - 1)
    if cause >> 63:
        return "interrupt: " + INTERRUPTS.get(number, str(number))
    return EXCEPTIONS.get(number, f"exception {number}")


def place(address):
    name = symbol(address)
    return f" <{name}>" if name else ""


def names_of_interrupts(bits_set):
    return ", ".join(name for bit, name in INTERRUPTS.items() if bits_set & 1 << bit) or "none"


@command
@looks_only
def csrs(argument):
    """The control and status registers of this hart that traps and paging use, decoded."""
    status = register("sstatus")
    satp, stvec, scratch = register("satp"), register("stvec"), register("sscratch")
    mode = {0: "paging is off", 8: f"Sv39, ASID {satp >> 44 & 0xffff}, root {page_table():#x}"}.get(satp >> 60, "unknown mode")
    holder = next((base.label(t) for t in base.tasks() if int(t.address) == scratch), "")
    if in_user_mode():
        before = "the task: this hart is in user mode"
    else:
        before = "this hart is in the kernel" if scratch == 0 else "this hart is on its way into the kernel, or out of it"
    flags = [f"SIE={status >> 1 & 1} interrupts are {'on' if status & 2 else 'off'}",
             f"SPIE={status >> 5 & 1} after sret {'on' if status & 32 else 'off'}",
             f"SPP={status >> 8 & 1} sret goes to {'the kernel' if status & 256 else 'user mode'}",
             f"FS={status >> 13 & 3} floating point {FP_STATES[status >> 13 & 3]}",
             f"SUM={status >> 18 & 1} the kernel {'may' if status & 1 << 18 else 'may not'} touch user pages"]
    print(f"sstatus  {status:#018x}  " + ("\n" + " " * 29).join(flags))
    print(f"satp     {satp:#018x}  {mode}")
    print(f"stvec    {stvec:#018x} {place(stvec & ~3)} {('direct', 'vectored')[stvec & 1]}")
    print(f"sscratch {scratch:#018x}  {holder + ', ' if holder else ''}{before}")
    print(f"sepc     {register('sepc'):#018x} {place(register('sepc'))}")
    print(f"scause   {register('scause'):#018x}  {cause_name(register('scause'))}")
    print(f"stval    {register('stval'):#018x}")
    print(f"sie      {register('sie'):#018x}  enabled: {names_of_interrupts(register('sie'))}")
    print(f"sip      {register('sip'):#018x}  pending: {names_of_interrupts(register('sip'))}")


# ---- Between user mode and the kernel

def user_task():
    return register("sscratch")


def to_kernel():
    at_ecall = base.memory(register("pc"), 4) == b"\x73\0\0\0"
    return base.run_to([register("stvec") & ~3], f"$sscratch == {user_task():#x}" + (" && $scause == 8" if at_ecall else ""))


def to_call():
    me = user_task()
    if not base.run_to([register("stvec") & ~3], f"$sscratch == {me:#x} && $scause == 8"):
        return False
    return base.run_to([base.function_of_call(register("a7"))], f"$tp == {me:#x}")


def to_user(me):
    start = int(value("&user_return"))
    for instruction in gdb.selected_inferior().architecture().disassemble(start, start + 256):
        if instruction["asm"].strip() == "sret":
            break
    else:
        raise gdb.GdbError("no sret behind user_return")
    if register("pc") != instruction["addr"] and not base.run_to([instruction["addr"]], f"$sscratch == {me:#x}"):
        return False
    return base.run_to([register("sepc")], f"$sscratch == {me:#x}")
