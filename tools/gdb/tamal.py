# tamal.py -- GDB commands that know Tamal. `make gdb` loads it; elsewhere: (gdb) source tools/gdb/tamal.py
# `tamal` lists the commands. They work wherever the machine is paused, in user mode too: GDB reads memory with the
# rights of the mode it stopped in, so they ask QEMU for physical memory, where the kernel is mapped one to one.
#
# Here are the commands that both machines have. base.py reads the kernel; riscv.py and i386.py know the registers and
# page tables of a machine and have the commands for what only that machine has.
import importlib
import os
import socket
import sys
import threading

import gdb

sys.dont_write_bytecode = True
# Where this file is. __file__ would be another one's when another script sources this one.
sys.path.insert(0, os.path.dirname(os.path.abspath(sys._getframe().f_code.co_filename)))
for name in ("base", "riscv", "i386"):
    sys.modules.pop(name, None)             # sourced again: what was edited counts
import base  # noqa: E402
from base import (PAGE, command, cpus, current, find_task, has_field, label, looks_only, members, state,  # noqa: E402
                  symbol, tasks, text, value, vm_of, where, words)

base.machine = machine = importlib.import_module(
    "riscv" if gdb.selected_inferior().architecture().name().startswith("riscv") else "i386")
sys.path.pop(0)


@command
def tamal(argument):
    """List these commands."""
    for name, doc in sorted(base.commands):
        print(f"{name:14} {doc.splitlines()[0]}")


# ---- Tasks

@command
@looks_only
def tasks_(argument):
    """All tasks: pid, state, CPU, parent, what a waiting one waits for, name."""
    print("   PID STATE     CPU PARENT NAME             WAITS FOR")
    for cpu in cpus():
        idle = cpu["idle"].dereference()
        busy = int(cpu["task"]) != int(idle.address)
        print(f"  idle {'' if busy else 'RUNNING':9} {int(cpu['id']):3}        {text(idle['name'])}")
    all_tasks = tasks()
    for task in all_tasks:
        cpu = task["cpu"]["id"] if int(task["cpu"]) else "-"
        parent = int(task["parent"]["pid"]) if int(task["parent"]) else "-"
        waits = what(int(task["wait_on"]), all_tasks) if int(task["wait_on"]) else ""
        print(f"{int(task['pid']):6} {state(task):9} {str(cpu):>3} {parent!s:>6} {text(task['name']):16} {waits}")
    if machine.note():
        print(machine.note())


def what(address, all_tasks):
    for task in all_tasks:
        if 0 <= address - int(task.address) < task.type.sizeof:
            return f"task {int(task['pid'])}"
    return f"{address:#x}" + (f" <{symbol(address)}>" if symbol(address) else "")


@command
@looks_only
def task(argument):
    """task [PID]: one task: its backtrace in the kernel, and where it is in user mode.
    For a task that does not run now, from the registers it saved when it was switched away from. Without PID: the
    task of this CPU."""
    t = find_task(argument)
    stack = int(t["kstack"])
    print(f"{text(t['name'])}: pid {int(t['pid'])}, {state(t)}, struct task at {int(t.address):#x}, "
          f"kernel stack {stack:#x}..{stack + PAGE:#x}")
    pc, fp, user, cpu = machine.registers_of(t)
    if cpu is not None:
        print(f"It runs on CPU {int(cpu['id'])}: `thread {int(cpu['hart']) + 1}`, then `backtrace` shows more.")
    if user:
        print(f"in user mode at {pc:#x} {where(pc, 0)}")
        return
    print(f"#0  {pc:#x} {where(pc, 0 if cpu is not None else 1)}")
    depth, callers = 0, [] if cpu is not None else machine.first_callers(t, pc)
    while depth < 64:
        if callers:
            pc = callers.pop()
        else:
            step = machine.caller(fp, stack)
            if step is None:
                break
            pc, fp = step
        if pc == 0 or "+" not in where(pc):             # a return address is never where a function begins
            break
        depth += 1
        print(f"#{depth:<2} {pc:#x} {where(pc)}")
    if int(t["space"]):
        frame = int(t["context"]["frame"])
        frame = gdb.Value(frame).cast(gdb.lookup_type("struct trap_frame").pointer())
        pc, sp = machine.user_registers(frame)
        print(f"user mode: pc {pc:#x} {where(pc, 0)}, sp {sp:#x}")


@command
@looks_only
def runqueues(argument):
    """For each CPU: what runs, and what waits for the CPU, in the order in which it will get it."""
    for cpu in cpus():
        running = cpu["task"].dereference()
        idle = int(cpu["task"]) == int(cpu["idle"])
        marks = [name for name in ("sleeping", "tick_stopped", "kick_armed") if int(cpu[name])]
        runs = "idle" if idle else f"runs {label(running)}"
        print(f"CPU {int(cpu['id'])} (hart {int(cpu['hart'])}): {runs}" + (f" [{', '.join(marks)}]" if marks else ""))
        queue = list(members(cpu["rq"], "task", "run_link"))
        for t in queue:
            print(f"    {label(t)}" + (" (urgent)" if int(t["urgent"]) else ""))
        if len(queue) != int(cpu["rq_length"]):
            print(f"    rq_length is {int(cpu['rq_length'])}: just being changed")
    if machine.note():
        print(machine.note())


class TaskName(gdb.Function):
    """$task(): the name of this CPU's task. All programs begin at one address: break main if $_streq($task(), "ls")"""

    def __init__(self):
        super().__init__("task")

    def invoke(self):
        with base.physical_memory():
            t = current()
            return text(t["name"]) if t is not None else ""


TaskName()


# ---- Memory

@command
@looks_only
def pool(argument):
    """Physical frames: how many, how many free, and where the free ones are listed."""
    pools, lists = value("'kalloc.c'::pools"), value("'kalloc.c'::lists")
    rows = []
    for zone, name in enumerate(machine.POOLS):
        own = [int(lists[zone][i]["count"]) for i in range(len(cpus()))]
        batches, chain = 0, pools[zone]["head"]
        while int(chain):
            batches, chain = batches + 1, chain["next_batch"]
        rows.append((name, int(pools[zone]["count"]), batches, own, [lists[zone][i]["head"] for i in range(len(cpus()))]))
    free = sum(common + sum(own) for _, common, _, own, _ in rows)
    total = int(value("'kalloc.c'::total_frames"))
    print(f"{total} frames, {free} free")
    for name, common, batches, own, heads in rows:
        print(f"{name}: {common + sum(own)} free, {common} of them in the pool, in {batches} batches")
        for i, n in enumerate(own):
            print(f"    CPU {i}: {n}" + (f", the next one at {int(heads[i]):#x}" if int(heads[i]) else ""))
    print(f"promised: {int(value('charged'))} pages, of which {int(value('backed'))} have a frame")


@command
def frames(argument):
    """The same as pool."""
    pool(argument)


@command
@looks_only
def areas(argument):
    """areas [PID]: what an address space has been granted; see kernel/mm/vm.h."""
    vm = vm_of(find_task(argument))
    print(f"struct vm at {int(vm.address):#x}: {int(vm['reserved'])} pages granted, {int(vm['resident'])} present")
    kinds = {int(f.enumval): f.name[5:].lower() for f in gdb.lookup_type("enum area_kind").fields()}
    for area in members(vm["areas"], "area", "link"):
        access = "".join(letter if int(area["access"]) & bit else "-" for letter, bit in (("r", 1), ("w", 2), ("x", 4)))
        pages = (int(area["end"]) - int(area["start"])) // PAGE
        charged = "charged" if int(area["flags"]) & 1 else "not charged"
        print(f"{int(area['start']):#14x}..{int(area['end']):#14x} {access} {kinds[int(area['kind'])]:9} "
              f"{pages} pages, {charged}")


@command
@looks_only
def blocks(argument):
    """blocks [PID]: malloco's blocks of a task, ACTIVE or MARKED; see kernel/mm/malloco.h."""
    vm = vm_of(find_task(argument))
    region = vm["region"]
    maps = {name: [int(region[name][i]) for i in range(32)] for name in ("granted", "first", "marked")}
    bit = {name: lambda page, words=words: words[page // 32] >> page % 32 & 1 for name, words in maps.items()}
    base, page = 0xa10c0000, 0
    print(f"{int(region['pages_granted'])} pages granted, {int(region['pages_marked'])} of them marked for the sweeper")
    while page < 1024:
        start, page = page, page + 1
        if not bit["granted"](start):
            continue
        while page < 1024 and bit["granted"](page) and not bit["first"](page):
            page += 1
        state = "MARKED" if bit["marked"](start) else "ACTIVE"
        print(f"{base + start * PAGE:#x}..{base + page * PAGE:#x} {state} {page - start} pages")


# ---- Page tables

def table_entries(address):
    return words(address, 1 << machine.INDEX_BITS, machine.ENTRY_BYTES)


def root_of(argument):
    """(address, what it is) of the root that `pagetable ARGUMENT` means."""
    kernel = int(value("kernel_pagetable"))
    if argument == "kernel":
        return kernel, "the kernel's"
    if argument:
        t = find_task(argument)
        if not int(t["space"]):
            return kernel, f"{label(t)} is a kernel task: the kernel's"
        return int(vm_of(t)["space"]["root"]), label(t)
    if machine.page_table():
        return machine.page_table(), "in use on this CPU"
    return kernel, "the kernel's; paging is off on this CPU"


def references(frame):
    """How many have the frame, as the allocator counts; nothing for a frame that is not the allocator's."""
    table = value("frame_table")
    offset = frame - int(table["first"])
    if not 0 <= offset < int(table["bytes"]):
        return ""
    refs = int(table["pages"][offset // PAGE]["refs"])
    return f", {refs} {'reference' if refs == 1 else 'references'}"


@command
@looks_only
def pt(argument):
    """pt VA [PID]: walk a page table for an address, level by level.
    Without PID: the table that this CPU uses now, or the kernel's while paging is off."""
    arguments = gdb.string_to_argv(argument)
    if not arguments:
        raise gdb.GdbError("pt VA [PID]: which address?")
    wanted = gdb.parse_and_eval(arguments[0])
    if wanted.type.code == gdb.TYPE_CODE_FUNC:
        wanted = wanted.address
    table, what_it_is = root_of(arguments[1] if len(arguments) > 1 else "")
    if not table:
        raise gdb.GdbError("the kernel has made no page table yet")
    va = machine.check_address(int(wanted) & (2**machine.BITS - 1))
    print(f"{machine.table_name(machine.LEVELS - 1)} at {table:#x}: {what_it_is}")
    for level in reversed(range(machine.LEVELS)):
        index = va >> (12 + machine.INDEX_BITS * level) & ((1 << machine.INDEX_BITS) - 1)
        entry = table_entries(table)[index]
        found = machine.decode(entry, level)
        print(f"level {level}: table {table:#x} entry {index:3} at {table + machine.ENTRY_BYTES * index:#x} = "
              f"{entry:#0{2 + 2 * machine.ENTRY_BYTES}x} {machine.bits(entry)}", end="")
        if found is None:
            print(" -> not mapped")
            return
        leaf, target, rights, marks = found
        if leaf:
            size = PAGE << machine.INDEX_BITS * level
            print(f"{' ' + marks if marks else ''} -> {target | va & (size - 1):#x}, a page of {size // 1024} KiB"
                  f"{references(target) if level == 0 else ''}")
            return
        print(f" -> table {target:#x}")
        table = target
    print("the last level points to one more table: this table is damaged")


def show_table(table, level, va, kernel, depth):
    """Its entries: leaves that go on from one to the next as one line; a table, unless it is the kernel's, by itself.
    `kernel`: the entries of the kernel's table of the same place, None: it has none there."""
    size, digits = PAGE << machine.INDEX_BITS * level, 2 + machine.BITS // 4
    margin, run = "  " * depth, None

    def end_of_run():
        if run is not None:
            first, last, start, target, rights, marks = run
            end, pages = start + (last - first + 1) * size, last - first + 1
            indexes = f"{first}" if first == last else f"{first}-{last}"
            print(f"{margin}[{indexes:>9}] {start:#0{digits}x}..{end:#0{digits}x} -> "
                  f"{target:#010x}..{target + pages * size:#010x} {rights} {pages} {'page' if pages == 1 else 'pages'}"
                  f"{'' if level == 0 else f' of {size >> 20} MiB'}{' ' + marks if marks else ''}")

    for index, entry in enumerate(table_entries(table)):
        found = machine.decode(entry, level)
        if found is None:
            continue
        leaf, target, rights, marks = found
        start = machine.address_of(va + index * size)
        if leaf and run is not None and run[1] == index - 1 and run[3] + (index - run[0]) * size == target \
           and run[4:] == (rights, marks):
            run = (run[0], index, *run[2:])
            continue
        end_of_run()
        run = (index, index, start, target, rights, marks) if leaf else None
        if leaf:
            continue
        shared = kernel is not None and machine.decode(kernel[index], level) == found
        print(f"{margin}[{index:>9}] {start:#0{digits}x} -> {machine.table_name(level - 1)} at {target:#x}"
              + (", the kernel's: `pagetable kernel`" if shared else ""))
        if not shared:
            below = machine.decode(kernel[index], level) if kernel is not None else None
            below = table_entries(below[1]) if below and not below[0] else None
            show_table(target, level - 1, va + index * size, below, depth + 1)
    end_of_run()


@command
@looks_only
def pagetable(argument):
    """pagetable [PID | kernel]: a whole page table: what is mapped where, pages in a row with the same rights as one line.
    r w x: the rights, u: user mode has them, COW: copied on the first write. Without PID: the table that this CPU uses now."""
    root, what_it_is = root_of(argument)
    if not root:
        raise gdb.GdbError("the kernel has made no page table yet")
    kernel = int(value("kernel_pagetable"))
    print(f"{machine.table_name(machine.LEVELS - 1)} at {root:#x}: {what_it_is}")
    show_table(root, machine.LEVELS - 1, 0, None if root == kernel else table_entries(kernel), 0)


# ---- Locks

def find_locks(variable, name, depth=0):
    """All struct spinlock and struct sleeplock inside a variable, as (name, value)."""
    kind = variable.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_ARRAY and depth < 4:
        low, high = kind.range()
        inside = kind.target().strip_typedefs()
        if inside.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_ARRAY):
            for i in range(low, min(high, 1024) + 1):
                yield from find_locks(variable[i], f"{name}[{i}]", depth + 1)
    elif kind.code == gdb.TYPE_CODE_STRUCT and depth < 4:
        if kind.tag in ("spinlock", "sleeplock"):
            yield name, variable
            return
        for field in kind.fields():
            if field.name and field.type.strip_typedefs().code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_ARRAY):
                yield from find_locks(variable[field.name], f"{name}.{field.name}", depth + 1)


def static_locks():
    """Those in variables of the kernel, found by asking for all variables once."""
    source = None
    for line in gdb.execute("info variables -q -n", to_string=True).splitlines():
        if line.startswith("File "):
            source = line[5:-1]
        elif source and source.startswith("kernel/") and line.endswith(";"):
            name = line.rstrip(";").split("[")[0].split()[-1].lstrip("*")
            try:
                variable = gdb.parse_and_eval(f"'{source}'::{name}")
            except gdb.error:
                continue
            if not variable.is_optimized_out:           # the compiler dropped it
                yield from find_locks(variable, name)


@command
@looks_only
def locks(argument):
    """Which locks are taken, and with DEBUG=1 by whom.
    Release builds: locks in the kernel's variables and those of address spaces. DEBUG=1: every lock that a task holds."""
    found = 0
    for name, lock in list(static_locks()) + [(f"vm of pid {int(t['pid'])}", vm_of(t)["lock"])
                                              for t in tasks() if int(t["space"])]:
        if lock.type.strip_typedefs().tag == "sleeplock":
            holder, taken = lock["holder"], int(lock["holder"]) != 0
        else:
            taken = int(lock["locked"]) != 0
            holder = lock["holder"] if has_field(lock, "holder") else None
        if taken:
            found += 1
            by = f" by {text(holder['name'])}, pid {int(holder['pid'])}" if holder is not None and int(holder) else ""
            print(f"{text(lock['name'])} ({name}, {int(lock.address):#x}) is taken{by}")
    if cpus() and has_field(cpus()[0]["idle"].dereference(), "held"):
        for t in [cpu["idle"].dereference() for cpu in cpus()] + tasks():
            for i in range(int(t["locks_held"])):
                found += 1
                held = t["held"][i]
                print(f"{text(t['name'])}, pid {int(t['pid'])}, holds {text(held['name'])} at {int(held['lock']):#x}, "
                      f"rank {int(held['rank'])}")
    if not found:
        print("no lock is taken")


# ---- Between user mode and the kernel

def need_user_mode():
    if not machine.in_user_mode():
        raise gdb.GdbError("this CPU is in the kernel: `to-user` comes first, or choose another one by `thread N`")


def arrive(arrived):
    if not arrived:
        print("stopped elsewhere")
    gdb.execute("frame")


@command
def to_kernel(argument):
    """From user mode to the first instruction of the kernel, at this task's next trap; from a system call: by this one."""
    need_user_mode()
    arrive(machine.to_kernel())


@command
def step_syscall(argument):
    """From user mode to the C function of this task's next system call: sys_fork(), sys_write(), ..."""
    need_user_mode()
    arrive(machine.to_call())


@command
def to_user(argument):
    """From the kernel to where this task goes on in user mode."""
    if machine.in_user_mode():
        raise gdb.GdbError("this CPU is in user mode already")
    t = current()
    if t is None or not int(t["space"]):
        raise gdb.GdbError("this CPU runs a kernel task: choose another one by `thread N`, or break at trap_entry")
    arrive(machine.to_user(int(t.address)))


# ---- The console of `make gdb`: the guest's output appears here while it runs; `send` is its keyboard.

class Console(threading.Thread):
    def __init__(self, path):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.log = b""

    def run(self):
        while data := self.socket.recv(4096):
            self.log += data
            os.write(1, data)


console_thread = None
if "TAMAL_CONSOLE" in os.environ:
    console_thread = Console(os.environ["TAMAL_CONSOLE"])
    console_thread.start()


def need_console():
    if console_thread is None:
        raise gdb.GdbError("only under `make gdb`; here the console is where the machine was started")
    return console_thread


@command
def send(argument):
    """send TEXT: type a line on the machine's console, once it has booted; it reads it when it runs. `send \\x03`: Ctrl-C."""
    line = argument.encode().decode("unicode_escape").encode("latin-1")
    need_console().socket.sendall(line if len(line) == 1 and line < b" " else line + b"\r")


@command
def console(argument):
    """console [LINES]: show the last lines (40) of the machine's console again."""
    lines = need_console().log.decode("utf-8", "replace").splitlines()
    print("\n".join(lines[-int(argument or 40):]))


# osabi: this is no Linux, where a step would go over system calls, by a breakpoint behind them. remotetimeout: seconds; 2 are not
# enough on a busy host.
for setting in ("set osabi none", "set stack-cache off", "set code-cache off", "set print pretty on", "set remotetimeout 30"):
    gdb.execute(setting)
print("Commands that know the kernel: tamal lists them. The machine is paused: break and continue let it run, Ctrl-C stops it."
      + (" Its console appears here; send TEXT types on it." if console_thread else ""))
