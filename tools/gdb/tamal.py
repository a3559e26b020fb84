# tamal.py -- GDB commands that know Tamal. `make gdb` loads it; elsewhere: (gdb) source tools/gdb/tamal.py
# `tamal` lists the commands. They work wherever the machine is paused, in user mode too: GDB reads memory with the
# rights of the mode it stopped in, so they ask QEMU for physical memory, where the kernel is mapped one to one.
import os
import socket
import threading

import gdb

PAGE = 4096
PTE_V, PTE_U, PTE_COW = 1, 16, 256


# ---- Reading the kernel

class physical_memory:
    """With this, memory is read as the bus sees it. (Memory only: break- and watchpoints are not touched.)"""

    def packet(self, on):
        try:
            gdb.execute(f"maintenance packet Qqemu.PhyMemMode:{on}", to_string=True)
        except gdb.error:
            pass                            # not QEMU: then rights are what they are

    def __enter__(self):
        self.packet(1)

    def __exit__(self, *exception):
        self.packet(0)


def value(expression):
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error as error:
        text = str(error)
        if "No symbol" in text or "No struct" in text:
            raise gdb.GdbError(f"{text} Is the kernel loaded? Try: file build/riscv/kernel.elf") from None
        raise gdb.GdbError(f"{expression}: {text}") from None


def members(head, type_name, field):
    """The members of a struct list ring, each as a value of struct TYPE_NAME."""
    member_type = gdb.lookup_type(f"struct {type_name}")
    offset = next(f.bitpos // 8 for f in member_type.fields() if f.name == field)
    link, first = head["next"], int(head.address)
    for _ in range(1_000_000):
        if int(link) == first or int(link) == 0:        # 0: not initialised yet
            return
        yield gdb.Value(int(link) - offset).cast(member_type.pointer()).dereference()
        link = link["next"]


def word(address):
    return int(gdb.Value(address).cast(gdb.lookup_type("unsigned long").pointer()).dereference())


def text(array):
    return array.string("latin-1", "replace") if array.type.code == gdb.TYPE_CODE_ARRAY else \
        (array.string("latin-1", "replace") if int(array) else "")


def where(pc, before=1):
    """pc as function+offset and file:line; of the call before it, as pc is mostly a return address."""
    name = gdb.execute(f"info symbol {pc:#x}", to_string=True).split(" in section")[0].replace(" ", "")
    place = gdb.find_pc_line(pc - before)
    line = f" at {place.symtab.filename}:{place.line}" if place.symtab else ""
    return (name if not name.startswith("Nosymbol") else "?") + line


def register(name):
    return int(gdb.parse_and_eval("$" + name)) & (2**64 - 1)


def tasks():
    return list(members(value("'task.c'::all_tasks"), "task", "all_link"))


def cpus():
    return [value("cpus")[i] for i in range(int(value("cpus_online")))]


def this_cpu():
    hart = gdb.selected_thread().num - 1                # QEMU: one thread per hart
    return next((cpu for cpu in cpus() if int(cpu["hart"]) == hart), None)


def current():
    """The task of the selected hart; None before the kernel has one."""
    cpu = this_cpu()
    return cpu["task"].dereference() if cpu is not None and int(cpu["task"]) else None


def find_task(argument):
    """The task with this pid; without one, the current task."""
    if not argument:
        task = current()
        if task is None:
            raise gdb.GdbError("no task yet: the kernel is still starting")
        return task
    pid = int(gdb.parse_and_eval(argument))
    for task in tasks():
        if int(task["pid"]) == pid:
            return task
    raise gdb.GdbError(f"no task {pid}; `tasks` lists them")


def vm_of(task):
    if not int(task["space"]):
        raise gdb.GdbError(f"{text(task['name'])} is a kernel task: it has no address space of its own")
    return task["space"].cast(gdb.lookup_type("struct vm").pointer()).dereference()


def state(task):
    return str(task["state"]).split("::")[-1]


def running_on(task):
    return next((cpu for cpu in cpus() if int(cpu["task"]) == int(task.address)), None)


# ---- Commands: each a function of the text behind its name; the comment in it is what `help` shows.

commands = []


def command(function):
    name = function.__name__.replace("_", "-").strip("-")

    class Command(gdb.Command):
        __doc__ = function.__doc__

        def invoke(self, argument, from_tty):
            function(argument.strip())

    Command(name, gdb.COMMAND_USER)
    commands.append((name, function.__doc__))
    return function


def looks_only(function):
    """Read physical memory while it runs."""
    def wrapped(argument):
        with physical_memory():
            function(argument)
    wrapped.__name__, wrapped.__doc__ = function.__name__, function.__doc__
    return wrapped


@command
def tamal(argument):
    """List these commands."""
    for name, doc in commands:
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


def what(address, all_tasks):
    for task in all_tasks:
        if 0 <= address - int(task.address) < task.type.sizeof:
            return f"task {int(task['pid'])}"
    symbol = gdb.execute(f"info symbol {address:#x}", to_string=True)
    return f"{address:#x}" + ("" if symbol.startswith("No symbol") else f" <{symbol.split(' in section')[0]}>")


@command
@looks_only
def task(argument):
    """task [PID]: one task: its backtrace in the kernel, and where it is in user mode.
    For a task that does not run now, from the registers it saved when it was switched away from. Without PID: the
    task of this hart."""
    t = find_task(argument)
    stack = int(t["kstack"])
    print(f"{text(t['name'])}: pid {int(t['pid'])}, {state(t)}, struct task at {int(t.address):#x}, "
          f"kernel stack {stack:#x}..{stack + PAGE:#x}")
    cpu = running_on(t)
    if cpu is not None:
        number = int(cpu["hart"]) + 1
        print(f"It runs on CPU {int(cpu['id'])}: `thread {number}`, then `backtrace` shows more.")
        here = gdb.selected_thread()
        for thread in gdb.selected_inferior().threads():
            if thread.num == number:
                thread.switch()
        pc, fp = register("pc"), register("fp")
        user = register("priv") == 0
        here.switch()
    else:
        pc, fp, user = int(t["context"]["ra"]), int(t["context"]["s"][0]), False
    if user:
        print(f"in user mode at {pc:#x} {where(pc, 0)}")
        return
    print(f"#0  {pc:#x} {where(pc, 0 if cpu is not None else 1)}")
    for depth in range(1, 64):
        if not stack <= fp - 16 < stack + PAGE:
            break
        pc, fp = word(fp - 8), word(fp - 16)
        if pc == 0 or "+" not in where(pc):             # a return address is never where a function begins
            break
        print(f"#{depth:<2} {pc:#x} {where(pc)}")
    if int(t["space"]):
        frame = int(t["context"]["frame"])
        frame = gdb.Value(frame).cast(gdb.lookup_type("struct trap_frame").pointer())
        print(f"user mode: pc {int(frame['pc']):#x} {where(int(frame['pc']), 0)}, sp {int(frame['sp']):#x}")


class TaskName(gdb.Function):
    """$task(): the name of this hart's task. All programs begin at one address: break main if $_streq($task(), "ls")"""

    def __init__(self):
        super().__init__("task")

    def invoke(self):
        with physical_memory():
            t = current()
            return text(t["name"]) if t is not None else ""


TaskName()


# ---- Memory

@command
@looks_only
def frames(argument):
    """Physical frames: how many, how many free, and where the free ones are listed."""
    lists, pool = value("'kalloc.c'::lists"), int(value("'kalloc.c'::pool")["count"])
    own = [int(lists[i]["count"]) for i in range(len(cpus()))]
    total = int(value("'kalloc.c'::total_frames"))
    print(f"{total} frames, {pool + sum(own)} free: {pool} in the pool, "
          + ", ".join(f"{n} on CPU {i}" for i, n in enumerate(own)))
    print(f"promised: {int(value('charged'))} pages, of which {int(value('backed'))} have a frame")


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


@command
@looks_only
def pt(argument):
    """pt VA [PID]: walk a page table (Sv39) for an address, level by level.
    Without PID: the table that this hart uses now, or the kernel's while paging is off."""
    words = gdb.string_to_argv(argument)
    if not words:
        raise gdb.GdbError("pt VA [PID]: which address?")
    value = gdb.parse_and_eval(words[0])
    if value.type.code == gdb.TYPE_CODE_FUNC:
        value = value.address
    va = int(value) & (2**64 - 1)
    if len(words) > 1:
        root = int(vm_of(find_task(words[1]))["space"]["root"])
    elif register("satp"):
        root = (register("satp") & (2**44 - 1)) * PAGE
    else:
        print("paging is off on this hart: this is the kernel's table")
        root = int(value("kernel_pagetable"))
        if not root:
            raise gdb.GdbError("which it has not made yet")
    if va >> 38 not in (0, 2**26 - 1):
        raise gdb.GdbError(f"{va:#x} is no Sv39 address: bits 39 to 63 must repeat bit 38")
    table = root
    for level in (2, 1, 0):
        index = (va >> (12 + 9 * level)) & 511
        entry = word(table + 8 * index)
        target = (entry >> 10 & (2**44 - 1)) * PAGE
        bits = "".join(letter if entry & 1 << bit else "-" for bit, letter in enumerate("VRWXUGAD"))
        print(f"level {level}: table {table:#x} entry {index:3} at {table + 8 * index:#x} = {entry:#018x} {bits}"
              + (" COW" if entry & PTE_COW else ""), end="")
        if not entry & PTE_V:
            print(" -> not mapped")
            return
        if entry & 14:                                  # R, W or X: a leaf
            size = PAGE << 9 * level
            print(f" -> {target | va & (size - 1):#x}, a page of {size // 1024} KiB")
            return
        print(f" -> table {target:#x}")
        table = target
    print("the last level points to one more table: this table is damaged")


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
                yield from find_locks(gdb.parse_and_eval(f"'{source}'::{name}"), name)
            except gdb.error:
                pass                                    # a variable that the compiler dropped


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
            holder = lock["holder"] if "holder" in [f.name for f in lock.type.fields()] else None
        if taken:
            found += 1
            by = f" by {text(holder['name'])}, pid {int(holder['pid'])}" if holder is not None and int(holder) else ""
            print(f"{text(lock['name'])} ({name}, {int(lock.address):#x}) is taken{by}")
    if "held" in [f.name for f in gdb.lookup_type("struct task").fields()]:
        for t in [cpu["idle"].dereference() for cpu in cpus()] + tasks():
            for i in range(int(t["locks_held"])):
                found += 1
                held = t["held"][i]
                print(f"{text(t['name'])}, pid {int(t['pid'])}, holds {text(held['name'])} at {int(held['lock']):#x}, "
                      f"rank {int(held['rank'])}")
    if not found:
        print("no lock is taken")


# ---- Between user mode and the kernel. `stepi` steps over the kernel at ecall and loses its way at sret.

def run_to(address, condition):
    """Continue until `address` is reached and the condition holds; False when it stopped elsewhere."""
    stop = gdb.Breakpoint(f"*{address:#x}", internal=True, temporary=True)
    stop.condition, stop.silent = condition, True
    try:
        gdb.execute("continue", to_string=True)
    finally:
        if stop.is_valid():
            stop.delete()
    if gdb.selected_thread() is None:
        return False
    return register("pc") == address


def user_task():
    if register("priv") != 0:
        raise gdb.GdbError("this hart is in the kernel: `to-user` comes first, or choose another one by `thread N`")
    return register("sscratch")                         # the task, while in user mode: see trap.S


def at_ecall():
    return bytes(gdb.selected_inferior().read_memory(register("pc"), 4)) == b"\x73\0\0\0"


@command
def to_kernel(argument):
    """From user mode to the first instruction of the kernel, at this task's next trap; from an ecall: by this ecall."""
    condition = f"$sscratch == {user_task():#x}" + (" && $scause == 8" if at_ecall() else "")
    if not run_to(register("stvec") & ~3, condition):
        print("stopped elsewhere")
    gdb.execute("frame")


@command
def step_syscall(argument):
    """From user mode to the C function of this task's next system call: sys_fork(), sys_write(), ..."""
    me = user_task()
    if not run_to(register("stvec") & ~3, f"$sscratch == {me:#x} && $scause == 8"):
        print("stopped elsewhere")
    else:
        handler = int(value("'kernel/sys/syscall.c'::handlers")[register("a7")]) if register("a7") < 1024 else 0
        function = handler or int(value("&'syscall'"))
        run_to(int(value(f"*(char *){function:#x}").address), f"$tp == {me:#x}")
    gdb.execute("frame")


@command
def to_user(argument):
    """From the kernel to where this task goes on in user mode."""
    if register("priv") == 0:
        raise gdb.GdbError("this hart is in user mode already")
    t = current()
    if t is None or not int(t["space"]):
        raise gdb.GdbError("this hart runs a kernel task: choose another one by `thread N`, or break at trap_entry")
    me, start = int(t.address), int(value("&user_return"))
    for instruction in gdb.selected_inferior().architecture().disassemble(start, start + 256):
        if instruction["asm"].strip() == "sret":
            break
    else:
        raise gdb.GdbError("no sret behind user_return")
    if register("pc") == instruction["addr"] or run_to(instruction["addr"], f"$sscratch == {me:#x}"):
        if run_to(register("sepc"), f"$sscratch == {me:#x}"):
            gdb.execute("frame")
            return
    print("stopped elsewhere")
    gdb.execute("frame")


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


for setting in ("set stack-cache off", "set code-cache off", "set print pretty on"):
    gdb.execute(setting)
print("Commands that know the kernel: tamal lists them. The machine is paused: break and continue let it run, Ctrl-C stops it."
      + (" Its console appears here; send TEXT types on it." if console_thread else ""))
