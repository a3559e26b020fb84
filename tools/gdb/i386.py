# i386.py -- what the commands must know about the i386: descriptors, task-state segments, two-level paging, traps. Loaded
# by tamal.py. The processor's tables are read from memory, where they are right in any case: what QEMU prints as the
# flags of TR is not.
import re
import struct

import gdb

import base
from base import command, looks_only, register, symbol, value, word

NAME = "i386"
BITS = 32
POOLS = ("user pool, frames from 4 MiB up", "kernel pool, frames below 4 MiB")     # enum zone of kalloc.c
LEVELS, INDEX_BITS, ENTRY_BYTES = 2, 10, 4


# ---- Descriptors

class Descriptor:
    """One of 8 bytes in the GDT; Intel SDM 3A, 3.4.5."""

    def __init__(self, index, raw):
        low, high = struct.unpack("<II", raw)
        self.index, self.raw = index, raw
        self.base = low >> 16 | (high & 0xff) << 16 | high & 0xff000000
        self.limit, self.big = low & 0xffff | high & 0xf0000, high >> 23 & 1
        self.type, self.segment, self.dpl, self.present = high >> 8 & 15, high >> 12 & 1, high >> 13 & 3, high >> 15 & 1

    @property
    def selector(self):
        return self.index * 8 + (self.dpl if self.segment else 0)

    @property
    def is_tss(self):
        return bool(self.present and not self.segment and self.type & 13 == 9)

    @property
    def kind(self):
        if self.segment:
            return ("data", "code")[self.type >> 3]
        return {2: "LDT", 5: "task gate", 9: "TSS", 11: "TSS, busy"}.get(self.type, "system")


def descriptors():
    table = value("gdt")
    raw = base.memory(int(table.address), table.type.sizeof)
    return [Descriptor(i // 8, raw[i:i + 8]) for i in range(0, len(raw), 8)]


def descriptor(index):
    table = value("gdt")
    if not 0 <= index < table.type.sizeof // 8:
        raise gdb.GdbError(f"the GDT has no entry {index}")
    return Descriptor(index, base.memory(int(table.address) + 8 * index, 8))


def task_register():
    """The selector in TR. Where the emulator does not tell: that of the one TSS that is busy."""
    try:
        found = re.search(r"^TR =([0-9a-f]{4})", gdb.execute("monitor info registers", to_string=True), re.M)
        if found:
            return int(found[1], 16)
    except gdb.error:
        pass
    return next((d.selector for d in descriptors() if d.is_tss and d.type == 11), 0)


def is_sweeping():
    return int(descriptor(task_register() >> 3).base) == int(value("&sweeper_tss"))


def owners():
    """{address of a TSS: whose it is}."""
    names = {int(value("&sweeper_tss")): "the sweeper", int(value("&initial_tss")): "before the first task",
             int(value("&fault_tss")): "double fault"}
    for cpu in base.cpus():
        names[int(cpu["idle"])] = f"idle task of CPU {int(cpu['id'])}"
    for task in base.tasks():
        names[int(task.address)] = base.label(task)
    return names


@command
@looks_only
def gdt(argument):
    """The global descriptor table: each segment and TSS, and whose it is; entries in a row that are free are one line."""
    tr, names = task_register(), owners()
    whose = {1: "code of the kernel", 2: "code of programs", 3: "data of the kernel", 4: "data of programs"}
    table = descriptors()
    print(f"GDT at {int(value('&gdt')):#x}, {len(table)} entries of 8 bytes; TR = {tr:#x}")
    print("    INDEX SELECTOR KIND      BASE       LIMIT             DPL TYPE WHOSE")
    free = None
    for d in table + [None]:
        if d is not None and not d.present and d.index:
            free = free if free is not None else d.index
            continue
        if free is not None:
            last = (d.index if d is not None else len(table)) - 1
            print(f"{free if free == last else f'{free}-{last}':>9}          free")
            free = None
        if d is None:
            break
        if d.index == 0:
            print(f"{0:9} {'0x00':>8} null")
            continue
        limit = f"{d.limit:#x} {'pages' if d.big else 'bytes'}"
        owner = names.get(d.base, "a task that is not in the list") if d.is_tss else whose.get(d.index, "")
        print(f"{d.index:9} {f'{d.selector:#04x}':>8} {d.kind:9} {d.base:#010x} {limit:17} {d.dpl:3} {d.type:#4x} {owner}"
              + (" <- TR" if d.is_tss and d.selector == tr else ""))


# ---- Task-state segments

def find_tss(argument):
    """The descriptor that `tss ARGUMENT` means."""
    if not argument:
        return descriptor(task_register() >> 3)
    named = {"sweeper": "sweeper_tss", "initial": "initial_tss", "fault": "fault_tss", "idle": "boot_task"}
    index = re.fullmatch(r"gdt\[(.+)\]", argument)
    if index:
        return descriptor(int(gdb.parse_and_eval(index[1])))
    if argument in named:
        address = int(value("&" + named[argument]))
    elif re.match(r"0x", argument):
        return descriptor(int(argument, 16) >> 3)
    else:
        address = int(base.find_task(argument).address)
    found = next((d for d in descriptors() if d.is_tss and d.base == address), None)
    if found is None:
        raise gdb.GdbError("no descriptor in the GDT points to its TSS")
    return found


SELECTORS = {0: "null", 1: "code, level 0", 2: "code, level 3", 3: "data, level 0", 4: "data, level 3"}
FLAGS = {0: "CF", 2: "PF", 4: "AF", 6: "ZF", 7: "SF", 8: "TF", 9: "IF", 10: "DF", 11: "OF", 14: "NT", 16: "RF", 17: "VM"}


def whose_directory(root):
    if root == int(value("kernel_pagetable")):
        return "the kernel's directory"
    for task in base.tasks():
        if int(task["space"]) and int(task["space"]["root"]) == root:
            return f"directory of {base.label(task)}"
    return ""


def whose_stack(address):
    for task in [cpu["idle"].dereference() for cpu in base.cpus()] + base.tasks():
        stack = int(task["kstack"])
        if stack and stack < address <= stack + base.PAGE:
            return f"{'top of' if address == stack + base.PAGE else 'in'} the kernel stack of {base.label(task)}"
    return ""


@command
@looks_only
def tss(argument):
    """tss [PID | 0xSELECTOR | gdt[INDEX] | sweeper | idle | initial | fault]: a task-state segment, its 104 bytes by name.
    Without an argument the current one, which TR selects: the processor wrote its registers there when it last left it."""
    d = find_tss(argument)
    if not d.is_tss:
        raise gdb.GdbError(f"gdt[{d.index}], selector {d.selector:#x}, describes no TSS")
    tr = task_register()
    print(f"gdt[{d.index}], selector {d.selector:#x}: TSS at {d.base:#x}, limit {d.limit:#x}, type {d.type:#x}: "
          f"{owners().get(d.base, 'a task that is not in the list')}")
    if d.selector == tr:
        print("It is the current one: esp0 and ss0 count for the next trap, the rest is what was loaded or saved last.")
    fields = gdb.lookup_type("struct tss").fields()
    raw = base.memory(d.base, gdb.lookup_type("struct tss").sizeof)
    for field in fields:
        offset, size = field.bitpos // 8, field.type.sizeof
        number = int.from_bytes(raw[offset:offset + size], "little")
        if field.name in ("cs", "ss", "ds", "es", "fs", "gs", "ss0"):
            note = SELECTORS.get(number >> 3, "")
        elif field.name == "previous":
            note = "no task called this one" if number == 0 else f"called by gdt[{number >> 3}]"
        elif field.name == "eip":
            note = base.where(number, 0)
        elif field.name == "eflags":
            note = " ".join(name for bit, name in FLAGS.items() if number & 1 << bit)
        elif field.name == "cr3":
            note = whose_directory(number)
        elif field.name in ("esp0", "esp"):
            note = whose_stack(number)
        elif field.name == "io_map":
            note = "no port is allowed to user mode" if number >= d.limit else ""
        else:
            note = ""
        print(f"{offset:+5} {field.name:10} {number:#0{2 + 2 * size}x}{' ' * (8 - 2 * size)}  {note}".rstrip())


# ---- Gates

EXCEPTIONS = {
    0: "#DE divide error", 1: "#DB debug", 2: "NMI", 3: "#BP breakpoint", 4: "#OF overflow", 5: "#BR bound range",
    6: "#UD invalid opcode", 7: "#NM no floating point", 8: "#DF double fault", 9: "coprocessor segment overrun",
    10: "#TS invalid TSS", 11: "#NP segment not present", 12: "#SS stack segment", 13: "#GP general protection",
    14: "#PF page fault", 16: "#MF floating point", 17: "#AC alignment", 18: "#MC machine check", 19: "#XM SIMD",
    20: "#VE virtualisation",
}
IRQS = {0: "clock", 1: "keyboard", 2: "second PIC", 4: "COM1", 8: "CMOS clock", 14: "IDE disk"}
CALLS = {100: "malloco", 101: "chau", 128: "system calls", 222: "fork"}
GATES = {5: "task gate", 14: "interrupt gate", 15: "trap gate"}


def group_of(vector):
    if vector in CALLS:
        return vector                       # each for itself
    return "exceptions" if vector < 32 else "device interrupts" if vector < 48 else ""


def gates():
    """(vector, type, level, selector, handler) of each; type 0: not present."""
    raw = base.memory(int(value("&idt")), value("idt").type.sizeof)
    for vector in range(len(raw) // 8):
        low, selector, zero, kind, high = struct.unpack_from("<HHBBH", raw, 8 * vector)
        yield vector, kind & 15 if kind & 0x80 else 0, kind >> 5 & 3, selector, low | high << 16


@command
@looks_only
def idt(argument):
    """idt [VECTOR]: the interrupt descriptor table, gates of one kind in a row as one line; or one gate."""
    if argument:
        wanted = int(gdb.parse_and_eval(argument))
        if not 0 <= wanted < 256:
            raise gdb.GdbError(f"there is no vector {wanted}")
        vector, kind, level, selector, handler = list(gates())[wanted]
        raw = base.memory(int(value("&idt")) + 8 * vector, 8)
        name = EXCEPTIONS.get(vector) or CALLS.get(vector) or (f"IRQ {vector - 32} {IRQS.get(vector - 32, '')}".strip()
                                                              if 32 <= vector < 48 else "")
        print(f"idt[{vector}] at {int(value('&idt')) + 8 * vector:#x}: {raw.hex(' ')}   {name}")
        if not kind:
            print("not present")
        elif kind == 5:
            print(f"task gate, DPL {level}: switches to the TSS of gdt[{selector >> 3}], selector {selector:#x}")
        else:
            print(f"{GATES.get(kind, 'gate')}, DPL {level}: selector {selector:#x}, offset {handler:#x} <{symbol(handler)}>")
            print("a program may use it: int " + str(vector) if level == 3 else
                  f"`int {vector}` in a program is a general protection fault with error code {vector * 8 + 2:#x}")
        return
    print(f"IDT at {int(value('&idt')):#x}")
    print("  VECTOR GATE           DPL SELECTOR HANDLER")
    run = []

    def show():
        if not run:
            return
        first, last = run[0], run[-1]
        numbers = str(first[0]) if first is last else f"{first[0]}-{last[0]}"
        vector, kind, level, selector, handler = first
        if not kind:
            print(f"{numbers:>8} not present")
            return
        if kind == 5:
            target = owners().get(descriptor(selector >> 3).base, "?")
        else:
            target = symbol(handler) + ("" if first is last else f" .. {symbol(last[4])}")
        name = CALLS.get(vector) or (EXCEPTIONS.get(vector, group_of(vector)) if first is last else group_of(vector))
        print(f"{numbers:>8} {GATES.get(kind, 'gate'):14} {level:3} {selector:#8x} {target:20} {name}".rstrip())

    for gate in gates():
        alike = run and gate[1:4] == run[-1][1:4] and (not gate[1] or group_of(gate[0]) == group_of(run[-1][0]))
        if not alike:
            show()
            run.clear()
        run.append(gate)
    show()


# ---- Tasks

def in_user_mode():
    return register("cs") & 3 == 3


def current_address():
    return int(value("current_task")) if int(value("cpus_online")) else 0


def registers_of(task):
    """pc, frame pointer, in user mode?, and the CPU whose registers these are; None: those in its TSS."""
    saved = task["context"]["tss"]
    if int(task["context"]["selector"]) == task_register():
        return register("pc"), register("fp"), in_user_mode(), base.cpus()[0]
    return int(saved["eip"]), int(saved["ebp"]), int(saved["cs"]) & 3 == 3, None


def caller(fp, stack):
    """From a frame pointer: the return address and the caller's frame pointer; None: the stack ends here."""
    return (word(fp + 4), word(fp)) if stack <= fp <= stack + base.PAGE - 8 else None


def first_callers(task, pc):
    """jump_to_task() has no frame of its own: its return address is above the far pointer."""
    esp = int(task["context"]["tss"]["esp"])
    return [word(esp + 8)] if symbol(pc).startswith("jump_to_task") else []


def user_registers(frame):
    return int(frame["eip"]), int(frame["esp"])


def note():
    if not int(value("cpus_online")) or not is_sweeping():
        return ""
    return (f"TR is {task_register():#x}: the sweeper runs, as a task of the processor's own. The task in current_task "
            "goes on after it.")


# ---- Page tables

def page_table():
    """The directory in CR3; 0: paging is off."""
    return register("cr3") & ~0xfff if register("cr0") >> 31 & 1 else 0


def check_address(va):
    return va & 0xffffffff


def address_of(va):
    return va


def decode(entry, level):
    """None: not present; else (is it a leaf?, address, rights, marks)."""
    if not entry & 1:
        return None
    rights = "r" + ("w" if entry & 2 else "-") + "x" + ("u" if entry & 4 else "-")
    large = level == 1 and entry & 0x80
    marks = [name for bit, name in ((8, "global"), (9, "COW")) if entry & 1 << bit]
    return level == 0 or bool(large), entry & (0xffc00000 if large else 0xfffff000), rights, " ".join(marks)


def bits(entry):
    return "".join(letter if entry & 1 << bit else "-" for bit, letter in enumerate("PWUTCADSG"))


def table_name(level):
    return "directory" if level == 1 else "table"


# ---- Between user mode and the kernel

def is_current(me):
    return f"*(unsigned *){int(value('&current_task')):#x} == {me:#x}"


def to_kernel():
    """The first instruction of the kernel is the handler of the vector: of `int N` that of N, else whichever comes."""
    code = base.memory(register("pc"), 2)
    handlers = {vector: handler for vector, kind, level, selector, handler in gates() if kind in (14, 15)}
    wanted = [handlers[code[1]]] if code[0] == 0xcd and code[1] in handlers else list(handlers.values())
    return base.run_to(wanted, is_current(current_address()))


def to_call():
    """syscall(frame, number, arguments) is where all of them meet."""
    me = is_current(current_address())
    if not base.run_to([int(value("&'syscall'"))], me):
        return False
    function = base.function_of_call(word(register("sp") + 8))
    return register("pc") == function or base.run_to([function], me)


def to_user(me):
    start = int(value("&trap_return"))
    for instruction in gdb.selected_inferior().architecture().disassemble(start, start + 32):
        if instruction["asm"].split()[0].startswith("iret"):
            break
    else:
        raise gdb.GdbError("no iret behind trap_return")
    leaves = "(*(unsigned *)($esp + 4) & 3) == 3"       # the code segment that iret loads
    at_iret = register("pc") == instruction["addr"] and word(register("sp") + 4) & 3 == 3
    if not at_iret and not base.run_to([instruction["addr"]], f"{is_current(me)} && {leaves}"):
        return False
    return base.run_to([word(register("sp"))], f"{is_current(me)} && ($cs & 3) == 3")
