# base.py -- how the commands read the kernel; what does not depend on the machine. Loaded by tamal.py.
import struct

import gdb

PAGE = 4096
machine = None                              # tamal.py sets it: riscv.py or i386.py, which offer the same
#   NAME BITS POOLS          what it is called, the width of a register, names of kalloc.c's pools
#   LEVELS INDEX_BITS ENTRY_BYTES page_table() check_address() address_of() decode() bits() table_name()      page tables
#   in_user_mode() current_address() registers_of() caller() first_callers() user_registers() note()          tasks
#   to_kernel() to_call() to_user()      the moves between user mode and the kernel: False when it stopped elsewhere


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


# ---- Values

def value(expression):
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error as error:
        text = str(error)
        if "No symbol" in text or "No struct" in text:
            raise gdb.GdbError(f"{text} Is the kernel loaded? Try: file build/{machine.NAME}/kernel.elf") from None
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


def memory(address, nbytes):
    try:
        return bytes(gdb.selected_inferior().read_memory(address, nbytes))
    except gdb.MemoryError:
        raise gdb.GdbError(f"there is no memory at {address:#x}") from None


def words(address, count, nbytes):
    """`count` unsigned numbers of `nbytes` bytes each."""
    return struct.unpack(f"<{count}{ {4: 'I', 8: 'Q'}[nbytes] }", memory(address, count * nbytes))


def text(array):
    return array.string("latin-1", "replace") if array.type.code == gdb.TYPE_CODE_ARRAY else \
        (array.string("latin-1", "replace") if int(array) else "")


def has_field(variable, name):
    return name in [field.name for field in variable.type.fields()]


def symbol(address):
    """name or name+offset; empty where there is none."""
    answer = gdb.execute(f"info symbol {address:#x}", to_string=True)
    return "" if answer.startswith("No symbol") else answer.split(" in section")[0].replace(" ", "")


def where(pc, before=1):
    """pc as function+offset and file:line; of the call before it, as pc is mostly a return address."""
    place = gdb.find_pc_line(pc - before)
    line = f" at {place.symtab.filename}:{place.line}" if place.symtab else ""
    return (symbol(pc) or "?") + line


def register(name):
    return int(gdb.parse_and_eval("$" + name)) & (2**machine.BITS - 1)


# ---- Tasks and CPUs

def tasks():
    return list(members(value("'task.c'::all_tasks"), "task", "all_link"))


def cpus():
    return [value("cpus")[i] for i in range(int(value("cpus_online")))]


def this_cpu():
    hart = gdb.selected_thread().num - 1                # QEMU: one thread per hart
    return next((cpu for cpu in cpus() if int(cpu["hart"]) == hart), None)


def current():
    """The task of the selected CPU; None before the kernel has one."""
    address = machine.current_address()
    return gdb.Value(address).cast(gdb.lookup_type("struct task").pointer()).dereference() if address else None


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


def label(task):
    """How a task is called in a list."""
    return f"pid {int(task['pid'])} {text(task['name'])}" if int(task["pid"]) else text(task["name"])


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


# ---- Running

def progress():
    """What changes when an instruction of this task is executed."""
    with physical_memory():
        return register("pc"), register("sp"), machine.current_address()


def run_to(addresses, condition):
    """Continue until one of the addresses is reached and the condition holds; False when it stopped elsewhere. Sometimes the
    machine stops again at the breakpoint where it was, as its instruction was interrupted before it was executed."""
    stops, here = [], progress()
    try:
        for address in set(addresses):
            stops.append(gdb.Breakpoint(f"*{address:#x}", internal=True, temporary=True))
            stops[-1].condition, stops[-1].silent = condition, True
        for _ in range(3):
            gdb.execute("continue", to_string=True)
            if gdb.selected_thread() is None or progress() != here:
                break
    finally:
        for stop in stops:
            if stop.is_valid():
                stop.delete()
    return gdb.selected_thread() is not None and register("pc") in addresses


def function_of_call(number):
    """The address of sys_NAME() for a system call's number; of syscall(), which says ENOSYS, if there is none."""
    handlers = value("'kernel/sys/syscall.c'::handlers")
    low, high = handlers.type.range()
    function = int(handlers[number]) if low <= number <= high else 0
    return function or int(value("&'syscall'"))
