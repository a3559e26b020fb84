"""make gdb: one session from a user program's main into the kernel and back, and the commands that know Tamal. What they show is
compared with what GDB itself, the other commands and the programs say."""
import os
import re
import shutil
import time

import pexpect
import pytest

from lib.machine import CAP, copy_image, tail
from lib.paths import ARCH, CPUS_MAX, IMAGE, ON_RISCV, PATIENCE, ROOT, kernel

pytestmark = pytest.mark.skipif(shutil.which("gdb-multiarch") is None, reason="gdb-multiarch is not installed")

CPUS = min(2, CPUS_MAX)
TEXT = r"0x1000[0-9a-f]{5}\b" if ON_RISCV else r"0x800[0-9a-f]{4}\b"            # where programs have their code
IMAGE_PAGE = "0x100000000" if ON_RISCV else "0x08000000"
LEVELS, INDEX_BITS, ENTRY_BYTES = (3, 9, 8) if ON_RISCV else (2, 10, 4)
BAD = re.compile(r"Traceback|Error occurred|Python Exception|No symbol|Undefined|optimized out>?$", re.M)


def environment():
    return {**{k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}, "ARCH": ARCH, "TERM": "dumb"}


class Session:
    """A debugger on a pseudo-terminal."""
    PROMPT = "(gdb) "

    def __init__(self, folder, *words, append="", cpus=CPUS):
        image = copy_image(IMAGE, folder / "disk.img")
        self.child = pexpect.spawn("make", ["-s", "--no-print-directory", "gdb", f"CPUS={cpus}", *words, f"DISK={image}"],
                                   cwd=str(ROOT), env={**environment(), "APPEND": append}, timeout=CAP * PATIENCE,
                                   encoding="utf-8", codec_errors="replace", echo=False, dimensions=(50, 250))
        self.log = ""
        self.wait_for(self.PROMPT)

    def wait_for(self, text):
        try:
            self.child.expect_exact(text)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            seen = self.log + (self.child.before or "")
            raise AssertionError(f"{type(error).__name__} while waiting for {text!r}\n{tail(seen)}")
        self.log += self.child.before + text
        return self.child.before.replace("\r", "")

    def do(self, command):
        self.child.sendline(command)
        return self.wait_for(self.PROMPT)

    def show(self, command):
        """A command of ours, which must work: what it prints."""
        text = self.do(command)
        assert text.strip() and not BAD.search(text), f"{command}: {text}"
        return text

    def value(self, expression):
        """A number, as GDB itself knows it."""
        text = self.do(f"output/x {expression}")
        assert re.fullmatch(r"0x[0-9a-f]+", text.strip()), f"{expression}: {text}"
        return int(text, 16)

    def refuses(self, command, why):
        text = self.do(command)
        assert why in text and "Traceback" not in text, f"{command}: {text}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:                            # it may be running still: nobody reads a command then
            self.child.close(force=True)
            return
        self.child.sendline("kill")
        self.child.sendline("quit")
        try:
            self.child.expect(pexpect.EOF, timeout=20 * PATIENCE)
        finally:
            self.child.close(force=True)


def start(gdb, where):
    gdb.do(f"break {where}")
    assert "Breakpoint 1, " in gdb.do("continue")


def test_from_a_program_into_the_kernel_and_back(folder):
    with Session(folder, "PROG=ls", append='run="ls /; halt"') as gdb:
        gdb.do("break kmain")
        assert re.search(r"Breakpoint 1, .*kmain", gdb.do("continue"))
        assert "arch_init" in gdb.do("list kmain,+6")
        gdb.do('break main if $_streq($task(), "ls")')
        assert re.search(r"Breakpoint 2, .*main", gdb.do("continue"))
        assert "argc" in gdb.do("info args")
        tasks = gdb.do("tasks")
        assert re.search(r"\bls\b", tasks) and re.search(r"\binit\b", tasks)
        arrived = gdb.show("step-syscall")
        assert re.search(r"sys_\w+", gdb.do("backtrace 1")), arrived
        assert re.search(r"'?ls'?", gdb.do("print self->name"))
        gdb.do("to-user")
        where = gdb.do("print $pc")
        assert re.search(TEXT, where), where            # in the program's text again
        assert "rror" not in gdb.do("areas")


def test_every_command_works_at_a_breakpoint(folder):
    with Session(folder, append='run="cat /README; halt"') as gdb:
        start(gdb, "sys_read")
        listed = set(re.findall(r"^([a-z-]+) {2,}\S", gdb.show("tamal"), re.M))
        both = {"tasks", "task", "pool", "frames", "areas", "blocks", "locks", "pt", "pagetable", "runqueues", "console"}
        only = {"csrs"} if ON_RISCV else {"gdt", "idt", "tss"}
        moving = {"to-kernel", "to-user", "step-syscall", "send", "tamal"}
        assert listed == both | only | moving
        for command in sorted(both | only - {"pt"}):
            gdb.show(command)
        for command in ("task 1", "areas 1", "blocks 1", "pagetable 1", "pagetable kernel", f"pt {IMAGE_PAGE}", "pt sys_read 1"):
            gdb.show(command)
        assert "init" in gdb.do("tasks")
        assert gdb.do("info threads").count("CPU#") == CPUS or gdb.do("info threads").count("Thread") >= CPUS
        gdb.refuses("task 4711", "no task 4711")
        gdb.refuses("areas 2", "kernel task")
        gdb.refuses("to-kernel", "in the kernel")
        gdb.refuses("pt", "which address?")


def test_commands_work_before_the_kernel_does(folder):
    """Paused at the first instruction: nothing is set up, and nothing of ours breaks."""
    with Session(folder) as gdb:
        for command in ["tasks", "locks", "tamal"] + (["csrs"] if ON_RISCV else ["gdt", "idt"]):
            gdb.show(command)
        for command in ("task", "pagetable", "pt 0", "areas"):
            gdb.refuses(command, " yet" if command != "pagetable" and command != "pt 0" else "no page table yet")


# ---- What they show is true

def leaves(text):
    """The mapped ranges of `pagetable`: (start, end, physical start, rights, marks)."""
    found = re.findall(r"(0x[0-9a-f]+)\.\.(0x[0-9a-f]+) -> (0x[0-9a-f]+)\.\.(0x[0-9a-f]+) ([rwxu-]{4}) (\d+) pages?"
                       r"(?: of (\d+) MiB)?((?: global| COW)*)$", text, re.M)
    for start, end, at, to, _, pages, mib, _ in found:
        size = int(mib) << 20 if mib else 4096
        assert int(end, 16) - int(start, 16) == int(to, 16) - int(at, 16) == int(pages) * size
    return [(int(start, 16), int(end, 16), int(at, 16), rights, marks.strip())
            for start, end, at, _, rights, _, _, marks in found]


def physical(gdb, va):
    """Where a page table puts an address, by GDB's own reading of the tables; None: nowhere."""
    table = (gdb.value("$satp") & (1 << 44) - 1) << 12 if ON_RISCV else gdb.value("$cr3") & ~0xfff
    for level in reversed(range(LEVELS)):
        index = va >> 12 + INDEX_BITS * level & (1 << INDEX_BITS) - 1
        entry = gdb.value(f"*({'unsigned long' if ON_RISCV else 'unsigned'} *){table + ENTRY_BYTES * index:#x}")
        target = (entry >> 10) << 12 if ON_RISCV else entry & ~0xfff
        if not entry & 1:
            return None
        if entry & 14 if ON_RISCV else level == 0 or entry & 0x80:
            return target | va & (1 << 12 + INDEX_BITS * level) - 1
        table = target
    raise AssertionError("the last level points to one more table")


def test_page_tables_as_they_are(folder):
    """A forked shell: pagetable, pt and areas agree with the entries in memory; private pages are COW and not writable."""
    with Session(folder, append='run="ls /; halt"') as gdb:
        start(gdb, 'task_publish if $_streq($task(), "sh")')     # in the shell's fork: its pages have become COW
        mapped = leaves(gdb.show("pagetable"))
        user = [leaf for leaf in mapped if leaf[3][3] == "u"]
        assert len(user) >= 3 and any(marks == "COW" for *_, marks in user)
        assert all("w" not in rights for _, _, _, rights, marks in user if "COW" in marks)
        for begin, end, at, _, _ in user[:2] + user[-1:]:
            assert physical(gdb, begin) == at and physical(gdb, end - 1) == at + (end - 1 - begin)
            assert f"-> {at:#x}, a page of 4 KiB" in gdb.show(f"pt {begin:#x}")
        granted = [(int(a, 16), int(b, 16)) for a, b in re.findall(r"(0x[0-9a-f]+)\.\. *(0x[0-9a-f]+) ", gdb.show("areas"))]
        pages = {page for begin, end, *_ in user for page in range(begin, end, 4096)}
        assert all(any(low <= page < high for low, high in granted) for page in pages)
        resident = int(re.search(r"(\d+) present", gdb.do("areas"))[1])
        assert len(pages) == resident
        # The kernel's own text: mapped one to one, not writable, not the user's.
        text = gdb.value("(unsigned long)&sys_exec")
        around = [leaf for leaf in leaves(gdb.show("pagetable kernel")) if leaf[0] <= text < leaf[1]]
        assert [(leaf[0] - leaf[2], leaf[3]) for leaf in around] == [(0, "r-x-")]
        assert f"-> {text:#x}," in gdb.show("pt sys_exec")
        hole = user[0][0] - 0x1000
        assert physical(gdb, hole) is None and "not mapped" in gdb.show(f"pt {hole:#x}")


def test_tasks_queues_and_frames_as_they_are(folder):
    """Who runs, who waits and who is queued: tasks, runqueues and the kernel's counters agree; so do pool and the counts."""
    with Session(folder, append='run="forktest 5; halt"') as gdb:
        start(gdb, 'wait_any_child if $_streq($task(), "forktest")')     # its children have not all run yet, or wait in a pipe
        rows = re.findall(r"^ *(\d+) (\w+) +(\d+|-) +(\d+|-) (.{16})", gdb.show("tasks"), re.M)
        queues = gdb.show("runqueues")
        assert len(rows) == gdb.value("live") + sum(state == "ZOMBIE" for _, state, *_ in rows)
        queued = re.findall(r"^    pid (\d+) ", queues, re.M)
        runs = re.findall(r": runs pid (\d+) ", queues)
        assert len(re.findall(r"^CPU ", queues, re.M)) == CPUS
        # RUNNABLE and in no queue: just switched away from, or taken from the queue and about to run.
        assert set(queued) <= {pid for pid, state, *_ in rows if state == "RUNNABLE"}
        assert set(runs) <= {pid for pid, state, *_ in rows if state == "RUNNING"} and runs
        assert len(queued) == sum(gdb.value(f"cpus[{i}].rq_length") for i in range(CPUS))
        here = re.search(r"pid (\d+),", gdb.show("task"))[1]
        assert here in runs
        children = [row for row in rows if row[3] == here]
        assert len(children) == 5 and all(row[4].strip() == "forktest" for row in children)
        waiting = next((pid for pid, state, *_ in rows if state == "WAITING"))
        assert re.search(r"^#1 .*\n#2 .*(suspend|give_away|switch_to)", gdb.show(f"task {waiting}"), re.M)

        pool = gdb.show("pool")
        zones = 1 if ON_RISCV else 2
        total, free = map(int, re.search(r"^(\d+) frames, (\d+) free", pool, re.M).groups())
        lists = [[f"pools[{z}]"] + [f"lists[{z}][{i}]" for i in range(CPUS)] for z in range(zones)]
        counts = [[gdb.value(f"'kalloc.c'::{name}.count") for name in zone] for zone in lists]
        assert total == gdb.value("'kalloc.c'::total_frames") and free == sum(map(sum, counts))
        assert [int(n) for n in re.findall(r": (\d+) free, ", pool)] == [sum(zone) for zone in counts]
        assert [int(n) for n in re.findall(r"^    CPU \d+: (\d+)", pool, re.M)] == [n for zone in counts for n in zone[1:]]
        assert gdb.do("frames") == pool


def test_locks_that_are_taken_are_named(folder):
    with Session(folder, append='run="ls; halt"') as gdb:
        start(gdb, 'task_make_runnable if $_any_caller_is("wakeup", 5)')         # whoever wakes holds the bucket's lock
        assert re.search(r"^wait bucket \(buckets\[\d+\]\.lock, 0x[0-9a-f]+\) is taken", gdb.show("locks"), re.M)
        gdb.do("delete")
        gdb.do("break sys_exec")
        gdb.do("continue")
        assert "no lock is taken" in gdb.show("locks")


# ---- Between user mode and the kernel

def test_to_kernel_and_back_by_a_system_call(folder):
    with Session(folder, "PROG=ls", append='run="ls /; halt"') as gdb:
        start(gdb, 'sys_open if $_streq($task(), "ls")')
        task = gdb.show("task")
        me, goes_on = re.search(r"pid (\d+),", task)[1], re.search(r"^user mode: pc (0x[0-9a-f]+) ", task, re.M)[1]
        back = gdb.show("to-user")
        assert gdb.value("$pc") == int(goes_on, 16) and "user mode at" in gdb.show("task"), back
        gdb.refuses("to-user", "in user mode already")
        before = gdb.value("$pc")
        assert re.search(TEXT, hex(before))
        arrived = gdb.show("to-kernel")
        assert "trap_entry" in arrived if ON_RISCV else re.search(r"_isr\d+ ", arrived)
        assert re.search(rf"pid {me},", gdb.show("task"))
        gdb.do("to-user")
        assert "sys_" in gdb.show("step-syscall")
        assert re.search(rf"pid {me},", gdb.show("task"))


def test_single_steps_into_the_kernel_and_back(folder):
    """stepi goes through a system call instruction into the kernel, and with the last instruction of the trap back."""
    with Session(folder, "PROG=ls", append='run="ls /; halt"') as gdb:
        start(gdb, 'call_open if $_streq($task(), "ls")')
        for _ in range(12):
            if re.search(r"\b(ecall|int +\$0x80)", gdb.do("x/i $pc")):
                break
            gdb.do("stepi")
        gdb.do("stepi")
        where = gdb.do("info symbol $pc")
        assert ("trap_entry in" if ON_RISCV else "_isr128 in") in where, where
        code = gdb.do("x/90i user_return" if ON_RISCV else "x/10i trap_return")
        last = re.findall(r"^ +(0x[0-9a-f]+) .*:\t(?:sret|iret)\b", code, re.M)[0]
        gdb.do(f'tbreak *{last} if $_streq($task(), "ls")' + ("" if ON_RISCV else " && (*(int *)($esp + 4) & 3) == 3"))
        gdb.do("continue")
        gdb.do("stepi")
        assert re.match(TEXT, hex(gdb.value("$pc"))) and "call_open" in gdb.do("info symbol $pc")


@pytest.mark.riscv("these are its registers")
def test_csrs(folder):
    with Session(folder, append='run="ls /; halt"') as gdb:
        start(gdb, 'sys_open if $_streq($task(), "ls")')
        text = gdb.show("csrs")
        assert f"root {(gdb.value('$satp') & (1 << 44) - 1) << 12:#x}" in text and "Sv39" in text
        assert re.search(r"^stvec .* <trap_entry> direct$", text, re.M)
        assert re.search(r"^scause .* ecall from user mode$", text, re.M)
        assert "SIE=0 interrupts are off" in text and "SPP=0" in text and "this hart is in the kernel" in text
        assert f"{gdb.value('$sepc'):#018x}" in text
        gdb.do("to-user")
        text = gdb.show("csrs")
        assert "SIE=1 interrupts are on" in text or "SPIE=1" in text
        assert re.search(r"^sscratch .*\bls, the task: this hart is in user mode$", text, re.M)


@pytest.mark.i386("these are its tables")
def test_descriptor_tables(folder):
    with Session(folder, append='run="ls /; halt"') as gdb:
        start(gdb, 'sys_open if $_streq($task(), "ls")')
        pid = re.search(r"pid (\d+),", gdb.show("task"))[1]
        table = gdb.show("gdt")
        row = re.compile(r"^ +(\d+) +(0x[0-9a-f]+) (code|data|TSS, busy|TSS) +(0x[0-9a-f]+) 0x[0-9a-f]+ (?:pages|bytes) "
                         r"+\d +0x[0-9a-f]+ (.*)$", re.M)
        rows = {int(index): (int(selector, 16), kind, int(base, 16), whose)
                for index, selector, kind, base, whose in row.findall(table)}
        assert [rows[i][0] for i in (1, 2, 3, 4)] == [0x08, 0x13, 0x18, 0x23]
        assert rows[20] == (0xa0, "TSS", gdb.value("&sweeper_tss"), "the sweeper")
        busy = [row for row in rows.values() if row[1] == "TSS, busy"]
        assert len(busy) == 1 and busy[0][2] == gdb.value("current_task") and busy[0][3] == f"pid {pid} ls <- TR"
        assert re.search(r"^ +5 +free$", table, re.M) and re.search(r"^ +\d+-8191 +free$", table, re.M)

        gates = gdb.show("idt")
        assert re.findall(r"^ +(\d+) interrupt gate +3 +0x8 (\S+)", gates, re.M) == \
            [(n, f"_isr{n}") for n in ("100", "101", "128", "222")]
        assert re.search(r"^ +32-47 interrupt gate +0 +0x8 _isr32 \.\. _isr47 +device interrupts$", gates, re.M)
        assert "error code 0x72" in gdb.show("idt 14") and "a program may use it" in gdb.show("idt 222")
        gdb.refuses("idt 256", "no vector 256")

        current = gdb.show("tss")
        assert f": pid {pid} ls" in current and "It is the current one" in current
        stack = gdb.value("current_task->kstack") + 4096
        assert re.search(rf"^ +\+4 esp0 +{stack:#010x}  top of the kernel stack of pid {pid} ls$", current, re.M)
        assert re.search(r"^ +\+8 ss0 +0x00000018 ", current, re.M) and re.search(r"^ \+102 io_map ", current, re.M)
        init = gdb.show("tss 1")
        assert re.search(r"^ +\+32 eip +0x[0-9a-f]+  jump_to_task\+", init, re.M)
        assert re.search(r"^ +\+28 cr3 +0x[0-9a-f]+  directory of pid 1 init$", init, re.M)
        assert gdb.show(f"tss {gdb.value('current_task->context.selector'):#x}") == current == gdb.show(f"tss {pid}")
        assert gdb.show("tss gdt[20]") == gdb.show("tss sweeper") == gdb.show("tss 0xa0")
        assert re.search(r"^ +\+32 eip .*barrendero", gdb.show("tss sweeper"), re.M)
        gdb.refuses("tss gdt[1]", "describes no TSS")
        gdb.refuses("tss 4711", "no task 4711")


@pytest.mark.i386("a task of the processor's own")
def test_the_sweeper_under_the_debugger(folder):
    """At a breakpoint on barrendero: TR is its selector, the interrupted task is still the current one and shown as such."""
    with Session(folder, append='run="sleep 3; halt"') as gdb:
        start(gdb, "barrendero")
        assert re.search(r"^ +20 +0xa0 TSS, busy .* the sweeper <- TR$", gdb.show("gdt"), re.M)
        assert "TR is 0xa0: the sweeper runs" in gdb.show("tasks") and "TR is 0xa0" in gdb.show("runqueues")
        assert ": the sweeper\n" in gdb.show("tss")
        name = re.search(r'"(\w+)"', gdb.do("print $task()"))[1]
        task = gdb.show("task")                                  # not the sweeper's registers, but what the TSS holds
        assert task.startswith(f"{name}:") and "hardware_sweeper_enter" in task and "barrendero" not in task


def test_a_debugger_can_attach_later(folder):
    """make qemu-gdb waits, and says how to attach."""
    image = copy_image(IMAGE, folder / "disk.img")
    waiting = pexpect.spawn("make", ["-s", "--no-print-directory", "qemu-gdb", "CPUS=1", f"DISK={image}"], cwd=str(ROOT),
                            env=environment(), timeout=CAP * PATIENCE, encoding="utf-8", echo=False, dimensions=(50, 300))
    try:
        waiting.expect(r"target remote ([^\s']+)")
        target = waiting.match.group(1)
        end = time.monotonic() + CAP * PATIENCE         # it is told before QEMU listens there
        while not os.path.exists(target) and time.monotonic() < end:
            time.sleep(0.05)
        done = pexpect.run(f"gdb-multiarch -q -batch -iex 'set auto-load no' -iex 'set remotetimeout 30' {kernel()} "
                           f"-ex 'target remote {target}' -ex 'break kmain' -ex continue -ex 'info symbol $pc' -ex kill",
                           encoding="utf-8", timeout=CAP * PATIENCE)
        assert "kmain in section .text" in done or "kmain + " in done, done
    finally:
        waiting.close(force=True)
