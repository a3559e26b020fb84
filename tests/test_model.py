"""Memory used at random by several tasks at once and compared with a model: /tests/model (R000, R001, R002, R004).

10,000 operations in all, with seeds that are always the same; a failure names the seed and the command that repeats it.
    TAMAL_MODEL_SEED=77 make test T=tests/test_model.py         other seeds, from this one on
    TAMAL_MODEL_SECONDS=1800 make test T="-k long-release"      that long on 4 harts, seeds change; or long-debug
"""
# Breaks that were tried: what was done to the kernel -> the message, one of several as a rule. "model only" was done for tasks
# of that name, because init and the shell do not come that far otherwise. Each fails within the runs below.
#   malloco.c, find_hole: the highest hole          -> malloco(50529) gives 0xa14b3000, expected 0xa10c0000
#   find_hole: MARKED counts as free                -> malloco(110045) gives 0xa10c0000, expected 0xa10cd000
#   malloco: 4 MiB exactly are refused              -> malloco(4194304) gives 0x0, expected 0xa10c0000
#   chau: one page too few                          -> page 0xa10c6000 is granted (0x1), expected 0x21
#   chau: one page too many                         -> page 0xa10c7000 is granted marked first (0x61), expected 0x41
#   sweep: not a block's last page                  -> page 0xa10c4000 is not granted resident writable (0x12), expected 0x0
#   sweep: up to the end of the ACTIVE block behind -> page 0xa10cd000 offset 0 reads 0x0, expected 0x27
#   sweep: first[] keeps its bits                   -> page 0xa10c0000 is not granted first (0x40), expected 0x0
#   sweep: reserved is not lowered                  -> R004-3 statistics say reserved 420, committed 160 KiB; expected 368, 160
#   sweep: resident is not lowered                  -> R004-3 statistics say reserved 344, committed 172 KiB; expected 344, 152
#   sweep: no fence (M1; release)                   -> op=551 reuse: page 0xa10c2000 offset 1 reads 0x50, expected 0x0
#   sweeper.c: only the first task is swept         -> R000-10 the block at 0xa10c0000 is still marked, after 2 sweeps
#   a sweep each 50 ticks                           -> R000-9 the block at 0xa10c3000 is gone at tick 51, before any sweep
#   a sweep each 300 ticks                          -> R000-10 tick 400, but only 1 sweeps
#   vm.c, map_fresh: no clear_page                  -> FAIL model.c: used == 0 (95, 0): not even the model begins as zeros
#   any page of REGION may appear                   -> R000-8 a task lived after an access to 0xa14538de: status 98
#   untouched pages of MARKED blocks appear         -> R004-8 the kernel takes 0xa10ee86b: 13, errno 0
#   fork: blocks are not copied                     -> task=5.9 op=0 fork: page 0xa10c0000 is not granted (0x0), expected 0x41
#   fork: MARKED blocks are ACTIVE in the child     -> R000-9 the block at 0xa10c7000 is gone at tick 4, before any sweep
#   fork: the parent may go on writing (model only) -> page 0xa10c3000 is granted resident writable first (0x53), expected 0x4b
#   fork: no page_share (model only)                -> panic: frame 0x80335000 was freed twice
#   fork: no fence in the parent (M6)               -> op=29 fork: page 0xa10ea000 is granted resident cow (0xf), expected 0x13
#   break_cow: the old frame is not dropped         -> AROUND /tests/model: status 0, lost 1103 frames
#   break_cow: never copies (not for the image)     -> page 0xa10c8000 offset 2543 reads 0x1, expected 0x0
#   break_cow: the copy lacks 8 bytes               -> page 0xa10c5000 offset 4095 reads 0x0, expected 0xb9
#   break_cow: no fence after the copy (release)    -> kernel store: page 0xa10ca000 offset 0 reads 0x0, expected 0x51
#   heap shrinks: its lowest page stays mapped      -> R004-3 statistics say reserved 4056, committed 148 KiB; expected 4056, 144
#   heap shrinks: one page too many goes            -> page 0x100018000 is granted (0x1), expected 0x13
#   heap shrinks: no fence (release)                -> load: page 0x10001b000 is granted (0x1), expected 0x13
#   tamalloc: no guard page                         -> R002-1 tamalloc(11801) gives 0x100000b000, beside the area at 0x1000001000
# "release": there only. In a DEBUG kernel most system calls open and close user memory, and that makes the emulator forget
# all translations. Which of these messages comes depends on when the sweeper does; that one comes was seen more than once.
import os
import re
from collections import namedtuple

import pytest

from lib.machine import CAP, batch
from lib.paths import ON_RISCV

SEED = int(os.environ.get("TAMAL_MODEL_SEED", "0"), 0)
SECONDS = int(os.environ.get("TAMAL_MODEL_SECONDS", "0"))

# The caches that a first run fills would count as lost frames: so a short one comes before the one that is measured.
WARM = "/tests/model -s 1 -t 8 -n 40"

Round = namedtuple("Round", "seed operations checks evictions tasks")
ROUND = r"^model: round \d+, seed=(\d+): (\d+) operations, (\d+) checks, (\d+) evictions, (\d+) tasks$"


def rounds_of(console):
    return [Round(*map(int, numbers)) for numbers in re.findall(ROUND, console, re.M)]


def judge(console, overload=False):
    """The rounds of a run in which all agreed. Every task that was killed is one that the model wanted to be."""
    console = console.replace("\r", "")
    wrong = [line for line in console.splitlines() if re.match(r"model: seed=\d+ |FAIL ", line)]
    assert not wrong, "\n".join(wrong)
    assert re.search(r"^TEST model: PASS \d+ checks$", console, re.M), f"no result:\n{console[-3000:]}"
    assert not re.search(r"^TEST model: FAIL", console, re.M)
    around = re.search(r"^AROUND /tests/model: status (-?\d+), lost (\d+) frames, (\d+) tasks, (\d+) promises$", console, re.M)
    assert around, f"around did not report:\n{console[-2000:]}"
    assert around.groups() == ("0", "0", "0", "0"), around[0]
    rounds = rounds_of(console)
    if not overload:
        killed = len(re.findall(r"^fault: pid=\d+ name=model ", console, re.M))
        wanted = sum(r.evictions for r in rounds)
        assert killed == wanted, f"{killed} fault: lines, {wanted} accesses that must end a task"
        assert not re.search("^oom: ", console, re.M)
    return rounds


def run(image, arguments, cap=CAP, **machine):
    console = batch(f"{WARM}; /tests/around /tests/model {arguments}", image=image, cap=cap, **machine).console
    return judge(console, overload="-o" in arguments)[1:]


# cpus, debug, tasks, operations of each, first seed
ON_ONE_CPU = {"cpus1-release": (1, False, 8, 938, 11000), "cpus1-debug": (1, True, 6, 417, 14000)}
ON_HARTS = {"cpus1-release": (1, False, 4, 626, 11000), "cpus2-release": (2, False, 8, 313, 12000),
            "cpus4-release": (4, False, 4, 626, 13000), "cpus4-debug": (4, True, 6, 417, 14000)}
SHORT = ON_HARTS if ON_RISCV else ON_ONE_CPU
LONG = {"long-release": (4, False, 8, 400, 100000), "long-debug": (4, True, 8, 400, 200000)}
RUNS = LONG if SECONDS else SHORT


@pytest.mark.parametrize("name", RUNS)
def test_model(image_with_small_log, name):
    cpus, debug, tasks, each, first_seed = RUNS[name]
    rounds = run(image_with_small_log, f"-s {SEED + first_seed} -t {tasks} -n {each} -l {SECONDS}", cpus=cpus, debug=debug,
                 mem="64M", cap=CAP + SECONDS)
    print(f"{len(rounds)} rounds: " + ", ".join(f"{sum(column)} {field}" for field, column in
                                                list(zip(Round._fields, zip(*rounds)))[1:]))
    assert sum(r.operations for r in rounds) > len(rounds) * tasks * each > 0       # and those of the children
    assert all(r.evictions > 0 and r.tasks > 2 * tasks for r in rounds)
    assert len({r.seed for r in rounds}) == len(rounds) or not SECONDS


def test_short_runs_are_ten_thousand_operations():
    assert sum(tasks * each for _, _, tasks, each, _ in SHORT.values()) >= 10_000


@pytest.mark.parametrize("debug", [False, True], ids=["release", "debug"])
def test_overload(image_with_small_log, debug):
    """Others eat all memory meanwhile: calls may fail and tasks be killed for it, but what is read is never wrong."""
    rounds = run(image_with_small_log, f"-o -s {SEED + 15000} -t 4 -n 150", cpus=4, debug=debug, mem="32M")
    assert rounds and all(r.operations > 0 for r in rounds)


# ---- Tests of the harness

GOOD = """model: round 1, seed=5: 700 operations, 9000 checks, 1 evictions, 9 tasks
fault: pid=9 name=model cause=13 err=0x0 va=0x0 pc=0x1000000c2 -> killed
TEST model: PASS 9001 checks
AROUND /tests/model: status 0, lost 0 frames, 0 tasks, 0 promises
"""


@pytest.mark.host
def test_harness_takes_a_good_run():
    assert judge(GOOD) == [Round(5, 700, 9000, 1, 9)]


@pytest.mark.host
@pytest.mark.parametrize("line, message", [
    ("model: seed=5 task=2 op=31 load: page 0x100005000 offset 3 reads 0x41, expected 0x0; again: /tests/model -s 7 -t 1 -n 40",
     "reads 0x41"),
    ("fault: pid=11 name=model cause=13 err=0x0 va=0x0 pc=0x1000000c2 -> killed", "2 fault: lines, 1 accesses"),
    ("AROUND /tests/model: status 0, lost 3 frames, 0 tasks, 0 promises", "lost 3 frames"),
    ("oom: pid=9 name=model score=9 va=0x0 toucher=9 -> killed", "oom: "),
    ("TEST model: FAIL 1 of 9001", "FAIL"),
])
def test_harness_sees(line, message):
    with pytest.raises(AssertionError, match=message):
        judge(line + "\n" + GOOD)
