"""malloco, chau and the sweeper, from the programs malloco, chau, sweep and victim of user/tests/, and from what the kernel says
meanwhile: its `fault:`, `oom:` and `sweep:` lines.

Sweeps come once a second. Most tests need many of them and no clock, so they run on a machine whose time runs FAST times as
fast: its device tree tells the kernel that the timer counts that much slower than it does. On the i386 machine, which has none,
time runs by instructions, and while nobody has anything to do it goes to the next event. When a sweep comes is tested with the
clock as it is.

Breaks that were tried: the kernel was spoilt in one place, and this is what failed. (c1, c2, c4: so many CPUs; else c4 release.)

  M1   vm_free_cleared() without shoot_down()           victim: nobody_uses_a_frame_after_its_sweep, first or second sweep, at
                                                        c2, c4 and c4 debug: "a victim read 0x8044c000 from 0xa10c0000"
  M1   flush_cpus() without sbi_remote_fence()          the same
  M1   frames freed before the fence                    the same; in debug kernels the value read is the poison
  M3   malloco_sweep() after vm->lock was released      sweep: work_goes_on_during_sweeps: a page granted again is not zero
                                                        (c2, c4, c4 debug); or a panic: vm_free: resident == 0
  M3   a MARKED block's page may still appear           chau: use_after_chau_ends_the_task, the_kernel_uses_nothing_after_chau
  M9   kill() drops the victim's REGION at once         victim: a_killed_task_keeps_its_memory...: a panic, the free list was
                                                        overwritten by the victim (c2, c4, c4 debug)
  M10  every hart counts ticks                          test_clock (c4): more ticks than the time allows; sweep 3 at tick 305
  M10  sweeps at multiples of 101 ticks                 test_clock (c1): sweep 3 at tick 303
  M10  every third sweep skipped                        test_clock (c1): fewer sweeps than ticks / 100
  M10  the sweeper started twice                        sweep: the_sweeper_is_no_user_task; the line of one sweep twice
  M10  the sweeper waits its turn in the run queue      test_clock (c1, c4): sweep 2 at tick 203, 212
  R000-1   a call clears a1                             malloco: registers_are_preserved
  R000-2   malloco() touches its first page             malloco: four_mebibytes_and_no_more, the_call_takes_no_frame
  R000-6   a touch maps the next page, too              malloco: a_touch_maps_one_page, odd_bytes_touch_their_page
  R000-6   blocks executable                            test_program[malloco]: cause 2 where a fetch fault was announced
  R000-7   the fault address rounded up                 every program hangs: time-out
  R000-8   an evicted task's code is 0                  malloco: bad_addresses_end_the_task; chau, sweep
  R000-9   chau() unmaps the block                      chau: a_block_works_until_the_sweep_takes_it; sweep: frames_come_back_...
  R000-9   a second chau() is 0                         chau: a_second_chau_is_refused
  R000-9   chau() of a page inside, of start + 1        chau: bad_arguments_change_nothing
  R000-10  only the first task is swept                 sweep: all_tasks_are_swept; chau: fork_copies_marked_blocks
  R000-12  MARKED pages are granted again               chau: marked_counts_in_the_limit, the_lowest_hole_is_granted_first
  R000-13  one tracker for all tasks                    malloco: nearly all; chau: bad_arguments_change_nothing
  R000-15  the sweeper called a user task               sweep: the_sweeper_is_no_user_task
  R001-4   fork copies no blocks, or not the marks      malloco: a_fork_has_the_same_blocks; chau: fork_copies_marked_blocks
  C1   leaf tables entered into the kernel's table      a panic at the first exit; sweep: all_tasks_are_swept
  A000-1   tables that became empty stay                chau: a_block_in_several_tables
  A000-5   4 MiB refused (< for <=); 32-bit sizes       malloco: four_mebibytes_and_no_more; sizes_that_are_refused
  A000-6   malloco(0) grants a page                     malloco: sizes_that_are_refused
  A000-7   any page of REGION; one page too many        malloco: bad_addresses_end_the_task; blocks_follow_each_other
  A000-8   frames not zeroed                            malloco: frames_come_zeroed; chau: marked_counts_in_the_limit
  A000-14  ACTIVE blocks are swept                      chau: a_block_works_until...; sweep: every_other_of_a_thousand_blocks
  A000-15  marks stay; only the first page of a block;  sweep: a_sweep_takes_the_marked_blocks, every_other_of_a_thousand_...;
           from the second page on                      chau: marked_counts_in_the_limit, a_second_chau_is_refused
  A000-16  frames not freed; pages stay granted         sweep: frames_come_back_by_the_sweep; chau: one_page_of_a_full_region
           vm->resident not counted down                a panic: vm_free: resident == 0
  T-4  the page's address in `fault:`                   test_program[malloco]: va=0xa10c3000 for 0xa10c3005
  T-4  `sweep:` also for nothing; one page too many     test_clock, test_program[sweep]: sums do not agree

And on the i386:

  R000-1   a call loses DF, sets carry, changes fs      malloco: registers_are_preserved
  R000-1   a page fault loses the zero flag             the same; chau, sweep
  R000-7   user pages from the kernel's frames          malloco: tables_come_on_demand, more_blocks_than_memory
  R000-7   tables from the users' frames                malloco: tables_come_on_demand
  R000-9   chau() ignores bit 29 of the address         chau: bad_arguments_change_nothing
  R000-10  the sweeper is entered a tick late           test_clock: sweep 1 at tick 101
  R001-6   fork leaves pages of REGION's second table   malloco: accesses_to_two_pages
           writable
  A000-1   a sweep clears the page behind a block that  chau: a_block_in_several_tables; sweep: every_other_of_a_thousand_...
           ends in the second table
  A000-1   the kernel's copies end where a table ends   malloco: the_kernel_touches_pages_too
  A000-7   REGION one page longer                       malloco: bad_addresses_end_the_task, four_mebibytes_and_no_more
  C1       one table of REGION for all tasks            a panic: a frame was freed twice
  T-4  no error code in `fault:`                        test_program[malloco], test_program[chau], test_lines

Without effect, because whoever finds no frame ends: tables that were made for nothing stay (make_present). And because
overcommitting ends before the users' frames do: they get the kernel's when their own have run out (alloc_frame).
"""
import re
import struct
import subprocess

import pytest

from lib.machine import QEMU, batch
from lib.paths import ON_RISCV
from test_user import MACHINES as OTHER_MACHINES
from test_user import Results, check_section, machine_id

PROGRAMS = ["malloco", "chau", "sweep", "victim"]
MACHINES = [dict(cpus=1), *OTHER_MACHINES]
FAST = 20
TICKS_PER_SWEEP = 100
LATE = 2 if ON_RISCV else 0                     # ticks that a sweep may come late; the i386's comes within the tick

REGION, REGION_END = 0xA10C0000, 0xA14C0000
USER_TEXT = range(0x100000000, 0x100100000) if ON_RISCV else range(0x08000000, 0x08100000)
KERNEL_MEMORY = range(0x2000, 0x07000000)       # i386: present in every address space, for the kernel

FAULT = re.compile(r"fault: pid=(\d+) name=(\S{1,15}) (cause=\d+ err=0x[0-9a-f]+) va=0x([0-9a-f]+) pc=0x([0-9a-f]+) -> killed")
OOM = re.compile(r"oom: pid=(\d+) name=(\S{1,15}) score=(\d+) va=0x([0-9a-f]+) toucher=(\d+) -> killed")
SWEEP = re.compile(r"sweep: n=(\d+) tick=(\d+) blocks=(\d+) pages=(\d+)")


def cause(access, va):
    """What the fault line says of an access: scause, or the vector and the error code (Intel SDM 3A, 4.7)."""
    if ON_RISCV:
        return f"cause={dict(fetch=12, load=13, store=15)[access]} err=0x0"
    return f"cause=14 err=0x{4 | 2 * (access == 'store') | (va in KERNEL_MEMORY):x}"        # user, write, present


def make_fast(tree, times):
    """The same device tree, with a timer that is said to count `times` as slowly (devicetree specification, chapter 5)."""
    tree = bytearray(tree)
    structure, strings = struct.unpack_from(">II", tree, 8)
    name = tree.index(b"timebase-frequency\0", strings) - strings
    at = tree.index(struct.pack(">III", 3, 4, name), structure) + 12       # FDT_PROP, 4 bytes long
    hz, = struct.unpack_from(">I", tree, at)
    struct.pack_into(">I", tree, at, hz // times)
    return bytes(tree)


@pytest.fixture(scope="session")
def fast_clock(tmp_path_factory):
    """fast_clock(cpus): QEMU's arguments for such a machine."""
    folder = tmp_path_factory.mktemp("trees")

    def arguments(cpus, mem="128M"):
        if not ON_RISCV:
            return ("-icount", "shift=6,sleep=off")     # 64 ns an instruction
        path = folder / f"{cpus}.dtb"
        if not path.exists():
            plain = folder / f"{cpus}.plain"
            subprocess.run([QEMU, "-machine", f"virt,dumpdtb={plain}", "-smp", str(cpus), "-m", mem, "-display", "none",
                            "-monitor", "none", "-serial", "null"], check=True, capture_output=True)
            path.write_bytes(make_fast(plain.read_bytes(), FAST))
        return ("-dtb", str(path))
    return arguments


@pytest.fixture(scope="session")
def results(request, image_with_small_log, fast_clock):
    wanted = {}
    for item in request.session.items:
        if item.function is test_program:
            machine, program = item.callspec.params["machine"], item.callspec.params["program"]
            more = {"image": image_with_small_log, "extra": fast_clock(machine["cpus"])}
            wanted.setdefault(machine_id(machine), ({**machine, **more}, []))[1].append(program)
    return {name: Results(*value) for name, value in wanted.items()}


@pytest.mark.parametrize("machine", MACHINES, ids=machine_id)
@pytest.mark.parametrize("program", PROGRAMS)
def test_program(machine, program, results):
    """R000-1..15, T-4: what a program checked, and that the kernel's lines agree with it; R000-14: no frame was lost."""
    result = results[machine_id(machine)].of(program)
    if isinstance(result, Exception):
        raise result
    text, status = result
    check_section(program, text, status)
    check_faults(program, text)
    check_shortages(program, text)
    check_sweeps(sweeps_of(text))
    check_sums(text)


@pytest.mark.parametrize("machine, append", [
    (dict(cpus=1), ""),
    (dict(cpus=2), "verbose"),
    (dict(cpus=4, debug=True), "verbose"),
    (dict(cpus=4), ""),
], ids=lambda value: machine_id(value) if isinstance(value, dict) else value or "quiet")
def test_clock(machine, append, image_with_small_log):
    """R000-10, M10: sweep n at tick 100 n, on one hart and on several, idle and busy. T-4: what is said about it."""
    verbose = append == "verbose"
    run = batch("/tests/sweep clock", image=image_with_small_log, append=append, **machine)
    complaints = "\n".join(line for line in run.lines if line.startswith(("FAIL", "TEST")))
    assert run.has(r"^TEST sweep: PASS \d+ checks$"), complaints or "\n".join(run.lines[-25:])
    text = "\n".join(run.lines)
    sweeps = sweeps_of(text)
    check_sweeps(sweeps, all_of_them=verbose, late=LATE)
    check_sums(text)
    if verbose:
        assert sweeps[0][0] == 1 and len(sweeps) >= 4
        assert any(blocks == 0 for _, _, blocks, _ in sweeps) and any(blocks > 0 for _, _, blocks, _ in sweeps)
        exits = [line for line in run.lines if line.startswith("exit: ")]
        assert exits and all(re.fullmatch(r"exit: pid=\d+ code=-?\d+", line) for line in exits)
    else:
        assert not any(line.startswith("exit: ") for line in run.lines)


# ---- What the kernel says (T-4)

def check_faults(program, text):
    """Each access that the program announced has its line, with this address and cause; and there is no other line."""
    expected, again, victims = {}, set(), set()
    for line in text.splitlines():
        if announced := re.fullmatch(r"access: pid=(\d+) (fetch|load|store) va=0x([0-9a-f]+)", line):
            expected[int(announced[1])] = (announced[2], int(announced[3], 16))
        elif retried := re.fullmatch(r"again: pid=(\d+)", line):        # a sweep came where none should: does not count
            again.add(int(retried[1]))
        elif victim := re.fullmatch(r"victim: pid=(\d+)", line):
            victims.add(int(victim[1]))
    faults = {}
    for line in text.splitlines():
        if not line.startswith("fault"):
            continue
        fault = FAULT.fullmatch(line)
        assert fault, line
        pid, va, pc = int(fault[1]), int(fault[4], 16), int(fault[5], 16)
        access, expected_va = expected.get(pid, (None, None))
        assert pid not in faults, f"a second fault of one task: {line}"
        assert fault[2] == program, line
        assert pc == va if access == "fetch" else pc in USER_TEXT, line
        assert pid in expected or pid in again or pid in victims, f"nobody announced this: {line}"
        if pid in victims:
            assert fault[3] in (cause("load", va), cause("store", va)) and REGION <= va < REGION_END, line
        elif pid not in again:
            right = f"{cause(access, expected_va)} va=0x{expected_va:x}"
            assert f"{fault[3]} va=0x{va:x}" == right, f"{line}\nexpected: {right}"
        faults[pid] = line
    missing = (expected.keys() | victims) - faults.keys() - again
    assert not missing, f"no fault line of {sorted(missing)}"


def check_shortages(program, text):
    """Whoever is announced to find no frame is killed for it, in the given form; so are as many more as the program counted."""
    announced, others = {}, 0
    for line in text.splitlines():
        if found := re.fullmatch(r"shortage: pid=(\d+) va=0x([0-9a-f]+)", line):
            announced[int(found[1])] = int(found[2], 16)
        elif line == "no shortage":
            announced.popitem()                 # there was a frame for the last one
        elif found := re.fullmatch(r"killed for memory: (\d+) of \d+", line):
            others += int(found[1])
    for line in text.splitlines():
        if not line.startswith("oom"):
            continue
        oom = OOM.fullmatch(line)
        assert oom and oom[2] == program and int(oom[3]) <= 1000, line
        pid, va, toucher = int(oom[1]), int(oom[4], 16), int(oom[5])
        assert REGION <= va < REGION_END, line
        if pid in announced:
            assert va == announced.pop(pid) and toucher == pid, line
        else:
            others -= 1
    assert not announced and others == 0, f"no line of {announced}; {others} more than there should be"


def sweeps_of(text):
    """[(n, tick, blocks, pages)] of the kernel's lines."""
    lines = [line for line in text.splitlines() if line.startswith("sweep:")]
    for line in lines:
        assert SWEEP.fullmatch(line), line
    return [tuple(map(int, SWEEP.fullmatch(line).groups())) for line in lines]


def check_sweeps(sweeps, all_of_them=False, late=None):
    """Ascending; never before its tick, and if `late` is given not later than that; with blocks, or else one after the other."""
    last = None
    for n, tick, blocks, pages in sweeps:
        assert tick >= n * TICKS_PER_SWEEP, f"sweep {n} came too early, at tick {tick}"
        assert late is None or tick <= n * TICKS_PER_SWEEP + late, f"sweep {n} came too late, at tick {tick}"
        assert last is None or n > last, f"sweep {n} after {last}"
        if all_of_them:
            assert last is None or n == last + 1, f"sweep {n} after {last}"
        else:
            assert blocks > 0, f"sweep {n} says that it did nothing"
        assert pages <= blocks * 1024
        last = n


def check_sums(text):
    """kcounters says the same as the lines, added up."""
    for found in re.finditer(r"^swept: from (\d+) to (\d+), blocks (\d+), pages (\d+)$", text, re.M):
        start, end, blocks, pages = map(int, found.groups())
        lines = [sweep for sweep in sweeps_of(text) if start < sweep[0] <= end]
        assert (blocks, pages) == (sum(sweep[2] for sweep in lines), sum(sweep[3] for sweep in lines)), found[0]


# ---- Tests of the harness

FAULT_LINE = f"fault: pid=7 name=chau {cause('load', REGION)} va=0xa10c0000 pc=0x{USER_TEXT[0x492]:x} -> killed"


def test_harness_compares_faults():
    announced = "access: pid=7 load va=0xa10c0000\n"
    stored = cause("store", REGION)
    check_faults("chau", announced + FAULT_LINE)
    check_faults("chau", "again: pid=7\n" + FAULT_LINE)
    check_faults("chau", "victim: pid=7\n" + FAULT_LINE)
    for text, complaint in [
        (FAULT_LINE, "nobody announced"),
        (announced, "no fault line"),
        ("victim: pid=7\n", "no fault line"),
        (announced.replace("load", "store") + FAULT_LINE, f"expected: {stored} va=0xa10c0000"),
        (announced.replace("load", "fetch") + FAULT_LINE, "va=0xa10c0000"),
        (announced.replace("a10c0000", "a10c1000") + FAULT_LINE, "expected: .* va=0xa10c1000"),
        (announced + FAULT_LINE + "\n" + FAULT_LINE, "second fault"),
        (announced + FAULT_LINE.replace("err=0x", "err=0x1"), "err=0x1"),
        (announced + FAULT_LINE.replace("pc=0x", "pc=0x8"), "pc=0x8"),
        (announced + FAULT_LINE.replace("name=chau", "name=sh"), "name=sh"),
        (announced + FAULT_LINE.replace(" -> killed", ""), "fault: pid=7"),
    ]:
        with pytest.raises(AssertionError, match=complaint):
            check_faults("chau", text)


def test_harness_compares_sweeps():
    check_sweeps([(1, 100, 1, 0), (3, 300 + LATE, 2, 9)], late=LATE)
    check_sweeps([(1, 100, 0, 0), (2, 200, 1, 1)], all_of_them=True)
    for sweeps, options, complaint in [
        ([(2, 199, 1, 0)], {}, "too early"),
        ([(2, 201 + LATE, 1, 0)], {"late": LATE}, "too late"),
        ([(2, 200, 1, 0), (2, 200, 1, 0)], {}, "after 2"),
        ([(2, 200, 0, 0)], {}, "did nothing"),
        ([(1, 100, 1, 0), (3, 300, 1, 0)], {"all_of_them": True}, "sweep 3 after 1"),
    ]:
        with pytest.raises(AssertionError, match=complaint):
            check_sweeps(sweeps, **options)
    with pytest.raises(AssertionError):
        sweeps_of("sweep: n=1 tick=100 blocks=1")
    check_sums("sweep: n=2 tick=200 blocks=3 pages=4\nswept: from 1 to 2, blocks 3, pages 4\n")
    with pytest.raises(AssertionError):
        check_sums("sweep: n=2 tick=200 blocks=3 pages=4\nswept: from 1 to 2, blocks 3, pages 5\n")


def test_harness_compares_shortages():
    announced = "shortage: pid=9 va=0xa10c1000\n"
    line = "oom: pid=9 name=malloco score=0 va=0xa10c1000 toucher=9 -> killed\n"
    check_shortages("malloco", announced + line)
    check_shortages("malloco", announced + "no shortage\n")
    check_shortages("malloco", line + "killed for memory: 1 of 3\n")
    for text in [announced, line, announced + line + line, announced + line.replace("c1000", "c2000"),
                 announced + line.replace("toucher=9", "toucher=8"), "killed for memory: 1 of 3\n"]:
        with pytest.raises(AssertionError):
            check_shortages("malloco", text)
