"""What the i386 machine's hardware is told and does, as section 3 of the requirements has it: descriptors, gates, task-state
segments, task switches, the sweeper as a task of the processor. All of it is read from the memory and the registers of a
running kernel, not from its source.

I-8 (frames come back) needs no test of its own: /tests/around and the stress run compare what is free, the sum of both pools,
before and after many rounds, here as on the other machine; and a frame's address says which pool it goes back to.
"""
import re
import struct
import subprocess
import time

import pytest

from lib.machine import PANIC_STATUS, batch
from lib.paths import IMAGE, ROOT, flavour
from lib.probe import Probe             # and with it what lies in grade/
from i386 import (CODE_0, CODE_3, DATA_0, DATA_3, FIRST_TASK, FRAME_FIELDS, FRAME_POINTER, IDLE, IF, INITIAL, NT, PAGE, SELECTOR,
                  STACK, SWEEPER, descriptor, frame_of, gate, gdt, tss)

pytestmark = pytest.mark.i386("these are the tables of the i386")
needs_programs = pytest.mark.skipif(not IMAGE.parent.joinpath("bin/sh").exists(), reason="no user programs were built")

FRAME_EAX, FRAME_CS = 4 * FRAME_FIELDS.index("eax"), 4 * FRAME_FIELDS.index("cs")


def busy(p, index):
    """Byte 5 of a descriptor: present, level, type. 0x89: a TSS, 0x8B: the one the processor is in."""
    return gdt(p, index).raw[5]


def tasks_in_gdt(p):
    """{index: TSS address} of the descriptors for tasks, the idle task's too, the sweeper's not."""
    raw = p.read("gdt", 8 * 256)
    found = {i: descriptor(raw[8 * i:8 * i + 8]) for i in range(IDLE, 256)}
    return {i: d.base for i, d in found.items() if d.p and i != SWEEPER}


@pytest.fixture(scope="module")
def booted():
    """Stopped where the kernel has set everything up: the idle loop begins."""
    with Probe(append="demo=tasks", disk="none") as p:
        p.run_until("scheduler")
        yield p


# ---- Tables

def test_segments_are_flat(booted):
    """I-1, A000-21: code and data of both levels span 4 GiB, or REGION at 2.5 GiB would be out of reach."""
    assert booted.registers()["GDT"] == booted.address("gdt")
    assert gdt(booted, 0).raw == bytes(8)
    for index, selector, kind, level in ((1, CODE_0, 0xA, 0), (2, CODE_3, 0xA, 3), (3, DATA_0, 2, 0), (4, DATA_3, 2, 3)):
        d = gdt(booted, index)
        assert (d.limit, d.g, d.base) == (0xFFFFF, 1, 0), f"I-1: gdt[{index}] is not flat: {d}"
        assert (d.type & ~1, d.s, d.dpl, d.p, d.db, d.l) == (kind, 1, level, 1, 1, 0), f"I-1: gdt[{index}]: {d}"     # 1: accessed
        assert selector == index * 8 + level
    r = booted.registers()
    assert (r["CS"], r["SS"], r["DS"], r["ES"]) == (CODE_0, DATA_0, DATA_0, DATA_0)
    assert not gdt(booted, 5).p


def test_tss_descriptors(booted):
    """I-2: gdt[20] is the sweeper's and nobody else's; all TSS descriptors have the processor's layout: 104 bytes (A001-6), a base
    that is the whole address of a TSS (A000-17)."""
    assert gdt(booted, SWEEPER).base == booted.address("sweeper_tss")
    assert gdt(booted, INITIAL).base == booted.address("initial_tss")
    assert gdt(booted, IDLE).base == booted.address("boot_task")        # struct task begins with its TSS
    for index in (INITIAL, SWEEPER, *tasks_in_gdt(booted)):
        d = gdt(booted, index)
        assert (d.limit, d.g, d.s, d.dpl, d.p) == (0x67, 0, 0, 0, 1), f"I-2: gdt[{index}]: {d}"
        assert d.type in (9, 11), f"I-2: gdt[{index}]: {d}"
    assert (booted.registers()["GDT"] % 8) == 0


SYSTEM_CALLS = {100, 101, 128, 222}
PRESENT = {*range(21), *range(32, 48)} | SYSTEM_CALLS


def test_gates(booted):
    """I-3, proof (d), A000-20: a program may use 100, 101, 222 and 0x80, no other vector; all are interrupt gates into the kernel."""
    assert booted.registers()["IDT"] == booted.address("idt")
    raw = booted.read("idt", 256 * 8)
    gates = {vector: gate(raw[8 * vector:8 * vector + 8]) for vector in range(256)}
    assert {v for v, g in gates.items() if g.p} == PRESENT
    assert {v for v, g in gates.items() if g.p and g.dpl == 3} == SYSTEM_CALLS, "I-3"
    for vector in PRESENT - {8}:
        g = gates[vector]
        assert (g.type, g.s, g.selector, g.zero) == (0xE, 0, CODE_0, 0), f"I-3: idt[{vector}]: {g}"
        assert g.raw[5] == (0xEE if vector in SYSTEM_CALLS else 0x8E), f"I-3: idt[{vector}]: {g}"
        assert g.offset == booted.address(f"_isr{vector}")
    # A double fault finds no usable stack: it is a task of its own, at a level that no program reaches.
    assert (gates[8].type, gates[8].dpl) == (5, 0)
    assert gdt(booted, gates[8].selector >> 3).base == booted.address("fault_tss")


def test_read_only_pages_hold_the_kernel_too(booted):
    """I-7: paging is on, and so is CR0.WP (A001-11)."""
    assert booted.registers()["CR0"] & 0x80010000 == 0x80010000


def test_the_sweepers_tss(booted):
    """I-5, A000-19: it begins at barrendero, in level 0, in the kernel's address space, on a stack of its own."""
    t = tss(booted, booted.address("sweeper_tss"))
    assert booted.name(t["eip"]) == "barrendero+0x0"
    assert (t["cs"], t["ss"], t["ds"], t["es"], t["fs"], t["gs"]) == (CODE_0, *[DATA_0] * 5)
    assert t["cr3"] == booted.word("kernel_pagetable") == booted.registers()["CR3"]
    assert not t["eflags"] & IF                                         # R000-15: nothing preempts it
    stacks = [booted.word(task + STACK) for task in tasks_in_gdt(booted).values()]
    assert (t["esp"] - 1) & ~(PAGE - 1) not in stacks


def check_tss_of_kernel_tasks(p):
    tasks = tasks_in_gdt(p)
    for index, task in tasks.items():
        t = tss(p, task)
        assert t["ss0"] == DATA_0, f"I-4: gdt[{index}]: {t}"
        assert t["esp0"] == p.word(task + STACK) + PAGE, f"I-4: gdt[{index}]: {t}"
        assert p.word(task + SELECTOR) & 0xffff == index * 8
        assert t["previous"] == 0, "I-6: somebody switched by a call"
    tops = [tss(p, task)["esp0"] for task in tasks.values()]
    assert len(set(tops)) == len(tops), "I-4: two tasks share a kernel stack"
    return tasks


def test_each_task_has_its_tss():
    """I-4: tasks A, B, C of the demo, and idle: ss0, esp0 at the top of each one's own kernel stack."""
    with Probe(append="demo=tasks", disk="none") as p:
        p.run_until("sleep_until_us")                   # C: by now all have been made
        assert len(check_tss_of_kernel_tasks(p)) >= 5


def test_nobody_comes_between_in_the_gdt():
    """Kernel tasks have interrupts on, and they make and reap tasks, too: a tick in the middle of the list of free entries would
    let the next task take the same one."""
    with Probe(append="demo=selftest", disk="none") as p:
        seen = {(p.run_until("gdt_take", "gdt_give_back"), p.registers()["EFL"] & IF) for _ in range(20)}
        assert seen == {("gdt_take", 0), ("gdt_give_back", 0)}


@needs_programs
def test_many_tasks_and_never_index_20():
    """I-2: more tasks than there are entries before the sweeper's, which stays what it was."""
    with Probe(append='run="forktest 20; halt"') as p:
        p.run_until("task_publish", times=22)
        tasks = check_tss_of_kernel_tasks(p)
        assert len(tasks) > SWEEPER - FIRST_TASK + 8 and SWEEPER not in tasks
        assert set(range(FIRST_TASK, SWEEPER)) < set(tasks)
        assert gdt(p, SWEEPER).base == p.address("sweeper_tss")
        assert len(set(tasks.values())) == len(tasks)
        assert "forktest: OK" in p.finish()


def test_names_of_the_course(booted):
    """I-11: a student who knows the course's kernel finds its files and names."""
    folder = ROOT / "kernel" / "arch" / "i386"
    assert all((folder / name).exists() for name in ("gdt.c", "idt.c", "tss.c", "isr.S"))
    assert {"tss_gdt_entry_for_task", "gdt", "idt", "_isr32", "_isr100", "current_task", "barrendero"} <= set(booted.symbols)
    assert re.search(r"^    IDT_ENTRY3\(100\);", (folder / "idt.c").read_text(), re.M)


# ---- The sweeper

@needs_programs
def test_a_hundred_ticks_are_a_second():
    """I-9: by the board's own clock, in the machine's time, which stands still while we look."""
    own_time = ["-rtc", "base=2024-01-01T00:00:00,clock=vm", "-icount", "shift=3,sleep=off"]
    seconds = []
    with Probe(append='run="sleep 20; halt"', extra=own_time) as p:
        for n in range(1, 11):
            p.run_until("hardware_sweeper_enter")
            assert p.word("ticks") == 100 * n
            date = p.monitor("qom-get /machine rtc-time")
            seconds.append(int(re.search(r'"tm_sec": (\d+)', date)[1]))
    assert 8 <= seconds[-1] - seconds[0] <= 10, seconds                 # nine seconds, and what reading whole ones leaves open


@needs_programs
def test_a_sweep_in_100_ticks():
    """Proof (a), R000-10: the n-th sweep comes at tick 100 n, and none is left out."""
    run = batch("sleep 3", append="verbose")
    sweeps = re.findall(r"^sweep: n=(\d+) tick=(\d+) blocks=0 pages=0$", "\n".join(run.lines), re.M)
    sweeps = [(int(n), int(tick)) for n, tick in sweeps]
    assert len(sweeps) >= 2 and sweeps == [(n, 100 * n) for n in range(1, len(sweeps) + 1)]


JUMP_TO_ITSELF = b"\xeb\xfe"


def to_user_mode(p):
    """To the next instruction of a program."""
    while p.run_until("trap_return", "user_enter") == "trap_return" and p.word(p.registers()["ESP"] + FRAME_CS) & 3 == 0:
        pass
    while p.registers()["CPL"] != 3:
        p.step()


def back_from_sweep(p):
    """Stopped in the sweeper; go on to the first instruction of whoever was interrupted."""
    while p.registers()["TR"] == SWEEPER * 8:
        p.run_until(far_jump(p))
        p.step()


def far_jump(p):
    """The address of `ljmp *(%esp)`, by which tasks are switched."""
    code = p.read("jump_to_task", 64)
    assert code.count(b"\xff\x2c\x24") == 1
    return p.address("jump_to_task") + code.index(b"\xff\x2c\x24")


@needs_programs
def test_who_is_in_the_task_register():
    """Proofs (b) and (c), A000-18: TR is 0x60 while idle, the task's own selector while one runs, 0xA0 in the sweeper, which leaves
    current_task alone (R000-15); gdt[20] is busy exactly in there."""
    with Probe(append='run="sleep 3; halt"') as p:
        p.run_until("cpu_wait")
        assert p.registers()["TR"] == 0x60 and p.word("current_task") == p.address("boot_task")
        assert (busy(p, IDLE), busy(p, SWEEPER)) == (0x8B, 0x89)

        to_user_mode(p)
        task, before = p.word("current_task"), p.registers()
        selector, eip = before["TR"], before["EIP"]
        assert selector >= FIRST_TASK * 8 and selector % 8 == 0 and selector != SWEEPER * 8
        assert gdt(p, selector >> 3).base == task != p.address("boot_task")
        assert (busy(p, selector >> 3), busy(p, IDLE), busy(p, SWEEPER)) == (0x8B, 0x89, 0x89)
        code = p.read(eip, 2)
        p.write(eip, JUMP_TO_ITSELF)                    # the program stays there: the first sweep finds it, the second one nobody

        for round in (1, 2):
            p.run_until("hardware_sweeper_enter")
            task, before = p.word("current_task"), p.registers()
            assert gdt(p, before["TR"] >> 3).base == task
            assert before["TR"] == (selector if round == 1 else IDLE * 8)
            p.run_until(far_jump(p))
            p.step()
            inside = p.registers()
            assert inside["TR"] == 0xA0
            assert inside["EIP"] == p.address("barrendero") if round == 1 else p.name(inside["EIP"]).startswith("jump_to_task")
            p.run_until("hardware_sweeper_leave")
            inside = p.registers()
            assert inside["TR"] == 0xA0 and inside["CPL"] == 0
            assert p.word("current_task") == task
            assert (busy(p, SWEEPER), busy(p, before["TR"] >> 3)) == (0x8B, 0x89)
            assert inside["CR3"] == p.word("kernel_pagetable")
            assert inside["EFL"] & (IF | NT) == 0 and tss(p, p.address("sweeper_tss"))["previous"] == 0     # I-6
            assert inside["ESP"] & ~(PAGE - 1) != p.word(task + STACK)
            back_from_sweep(p)
            after = p.registers()
            assert (after["TR"], after["CR3"]) == (before["TR"], before["CR3"]) and p.word("current_task") == task
            assert (busy(p, SWEEPER), busy(p, before["TR"] >> 3)) == (0x89, 0x8B)
            if round == 1:
                p.write(eip, code)
        p.finish()


def sweep_right_after_exec(p):
    """The first program begins, stays where it is, and the next tick is a sweep's: CR3 before the sweep and after it. None:
    somebody else came between, as when the disk interrupts."""
    p.run_until("task_change_program")
    task = p.word("current_task")
    to_user_mode(p)
    if p.word("current_task") != task:
        return None
    p.write(p.registers()["EIP"], JUMP_TO_ITSELF)
    p.write("ticks", struct.pack("<I", 99))
    if p.run_until("hardware_sweeper_enter", "context_switch") == "context_switch":
        return None
    before = p.registers()["CR3"]
    p.run_until("hardware_sweeper_leave")
    back_from_sweep(p)
    assert p.word("current_task") == task
    return before, p.registers()["CR3"]


@needs_programs
def test_a_sweep_right_after_exec_comes_back_to_the_new_program():
    """The far jump into the sweeper does not save CR3. A task that changed its page table in exec and was not switched away
    since must find the new one again, not the one that was freed."""
    for _ in range(5):
        with Probe(append='run="true; halt"') as p:
            seen = sweep_right_after_exec(p)
        if seen:
            assert seen[0] == seen[1], "after the sweep CR3 is not what it was"
            return
    raise AssertionError("no sweep came right after an exec")


# ---- Task switches

@needs_programs
def test_one_far_jump_changes_everything():
    """Proof (e): over `ljmp` CR3, ESP, EIP and TR change in one step, to what the new task's TSS holds; the old one's has been
    filled."""
    with Probe(append='run="true; true; halt"') as p:
        jump = far_jump(p)
        for _ in range(500):                            # kernel tasks keep the page table: not each switch changes CR3
            p.run_until(jump)
            before = p.registers()
            selector = p.word(before["ESP"] + 4) & 0xffff
            wanted = tss(p, gdt(p, selector >> 3).base)
            if wanted["cr3"] != before["CR3"] and selector != SWEEPER * 8:
                break
        else:
            raise AssertionError("no switch between two address spaces was seen")
        old = gdt(p, before["TR"] >> 3).base
        assert before["EIP"] == jump and busy(p, before["TR"] >> 3) == 0x8B and busy(p, selector >> 3) == 0x89
        p.step()
        after = p.registers()
        for register in ("CR3", "ESP", "EIP", "TR"):
            assert after[register] != before[register], f"(e): {register} did not change"
        assert (after["TR"], after["CR3"], after["ESP"]) == (selector, wanted["cr3"], wanted["esp"])
        assert after["EIP"] == wanted["eip"]
        assert busy(p, before["TR"] >> 3) == 0x89 and busy(p, selector >> 3) == 0x8B
        saved = tss(p, old)
        assert (saved["esp"], saved["eip"]) == (before["ESP"], jump + 3)
        assert not after["EFL"] & NT and tss(p, gdt(p, selector >> 3).base)["previous"] == 0        # I-6: a jump, no call


@needs_programs
def test_a_forked_child_begins_behind_int_222():
    """Proof (f), I-4, R001-3, A001-12: the child's TSS is the parent's frame with 0 in EAX; its first instruction is the one after
    `int 222`, in level 3, in an address space and on a kernel stack of its own."""
    with Probe(append='run="true; halt"') as p:
        p.run_until("task_fork")                        # of init, which makes the shell
        p.write(p.word(p.word("current_task") + FRAME_POINTER) + FRAME_EAX, b"eax!")        # the child's must not be this
        p.run_until("task_publish")
        esp = p.registers()["ESP"]
        child, parent = p.word(esp + 4), p.word(esp + 8)
        frame, t = frame_of(p, parent), tss(p, child)
        assert parent == p.word("current_task")
        assert frame["vector"] == 222
        assert p.read(frame["eip"] - 2, 2) == b"\xcd\xde", "the frame does not lie behind int 222"
        assert t["eip"] == frame["eip"], "(f)"
        assert t["eax"] == 0
        for name in ("ecx", "edx", "ebx", "ebp", "esi", "edi", "esp", "eflags"):
            assert t[name] == frame[name], f"I-4: {name}"
        assert (t["cs"], t["ss"], t["ds"], t["es"], t["ss0"]) == (CODE_3, DATA_3, DATA_3, DATA_3, DATA_0)
        assert t["eflags"] & IF
        assert t["esp0"] == p.word(child + STACK) + PAGE != tss(p, parent)["esp0"]
        parents_root = p.registers()["CR3"]
        assert t["cr3"] not in (parents_root, p.word("kernel_pagetable")), "I-4: the child has no directory of its own"
        selector = p.word(child + SELECTOR) & 0xffff
        d = gdt(p, selector >> 3)
        assert (d.base, d.type, d.limit) == (child, 9, 0x67)

        jump = far_jump(p)
        while True:
            p.run_until(jump)
            if p.word(p.registers()["ESP"] + 4) & 0xffff == selector:
                break
        p.step()
        r = p.registers()
        assert (r["EIP"], r["ESP"], r["EAX"], r["CPL"]) == (frame["eip"], frame["esp"], 0, 3)
        assert (r["TR"], r["CR3"]) == (selector, t["cr3"])
        assert busy(p, selector >> 3) == 0x8B
        p.finish()


# ---- Faults by vectors that are not a program's

@needs_programs
def test_vectors_of_the_kernel_are_not_the_programs():
    """I-3: `int 14` and `int 32` in a program are general protection faults, with the gate in the error code."""
    if not (flavour(False) / "tests" / "fault").exists():
        pytest.skip("/tests/fault was not built")
    run = batch("/tests/fault")
    for vector in (14, 32):
        error = vector * 8 + 2
        line = rf"^fault: pid=\d+ name=\w+ cause=13 err={error:#x} va=0x0 pc=0x8[0-9a-f]+ -> killed$"
        assert run.has(line), f"I-3: int {vector}"


@needs_programs
def test_a_double_fault_is_reported():
    """A task whose level-0 stack is gone cannot even be told of a fault. The processor switches to the double-fault task, which
    must find the kernel's page table, or all that is seen is a machine that starts again."""
    with Probe(append='run="true; halt"') as p:
        p.run_until("sys_fork")
        task = p.word("current_task")
        p.write(task + 4, struct.pack("<I", PAGE))              # esp0: the page below it is never mapped
        console = p.finish(PANIC_STATUS)
    assert re.search(r"^panic: double fault: esp 0x[0-9a-f]+, stack of task \d+ \(init\) begins at 0x[0-9a-f]+, at pc 0x[0-9a-f]+",
                     console, re.M), console


@needs_programs
def test_a_mistaken_interrupt_15_blocks_nothing():
    """The second PIC calls, and when the processor asks which line it was, there is none: it says 15. To the first PIC that was an
    interrupt all the same; if nobody tells it that it is over, the disk and the serial port are never heard again."""
    with Probe(append='run="true; sync; true; halt"', cap=20) as p:
        while True:                                             # until the disk waits for a processor with interrupts off
            p.run_until("cpu_wait")
            pending = re.search(r"pic1: irr=([0-9a-f]+) imr=([0-9a-f]+)", p.monitor("info pic"))
            if int(pending[1], 16) & 0x40:
                break
        p.monitor("o/b 0xa1 0xff")                              # every line of the second PIC off: 14 is not there any more
        p.run_until("_isr47")
        p.monitor(f"o/b 0xa1 0x{pending[2]}")
        p.finish()


UART = 0x3f8


def key(p, byte):
    """The serial port has received a byte."""
    p.process.stdin.write(bytes([byte]))
    p.process.stdin.flush()
    while int(p.monitor(f"i/b {UART + 5:#x}").split("=")[1], 16) & 1 == 0:      # line status
        assert time.monotonic() < p.end


@needs_programs
def test_a_key_while_the_transmitter_interrupts():
    """The PIC hears a line that rises. The serial port's stays up as long as there is any cause: a byte that is received while it
    is up because the transmitter is empty raises nothing, and must be found before the handler returns."""
    with Probe(append='run="cat; halt"', cap=20, stdin=subprocess.PIPE) as p:
        p.run_until("console_read")
        p.run_until("cpu_wait")
        p.write("int_enable", b"\x03")                          # as if output waited: tell when the transmitter is empty, too
        p.monitor(f"o/b {UART + 1:#x} 3")
        key(p, 0x15)                                            # Ctrl-U has no echo, which would move the line
        p.run_until("transmitter_ready")                        # the first byte was read; nobody will look again
        key(p, ord("x"))
        p.run_until("cpu_wait")
        for byte in b"\n\x04":
            key(p, byte)
        assert re.search("^x\nx$", p.finish(), re.M)
