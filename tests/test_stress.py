"""Everything at its limit, and back: tasks, memory, pipes, files, on all harts. Short here; TAMAL_STRESS_SECONDS=1800 makes
the mixed runs that long. After each run no frame is lost and the disk is clean."""
import os
import re

import pytest

from lib.machine import CAP
from lib.machine import batch as plain_batch

SECONDS = int(os.environ.get("TAMAL_STRESS_SECONDS", "4"))
DEBUG = pytest.mark.parametrize("debug", [False, True], ids=["release", "debug"])


@pytest.fixture
def batch(image_with_small_log):
    def run(commands, **more):
        return plain_batch(commands, image=image_with_small_log, **more)
    return run


def check_around(run, program, summary):
    failures = "\n".join(line for line in run.lines if line.startswith(("FAIL", "stress:", "forktest:", "AROUND")))
    assert run.has(summary), failures or "\n".join(run.lines[-25:])
    around = run.has(rf"^AROUND {program}: status (-?\d+), lost (\d+) frames, (\d+) tasks, (\d+) promises$")
    assert around, "\n".join(run.lines[-25:])
    assert around.groups() == ("0", "0", "0", "0"), f"{around[0]}\n{failures}"


@DEBUG
@pytest.mark.parametrize("mode, cpus, mem, append", [
    ("fork", 4, "32M", "maxtasks=120"),         # to the limit of tasks
    ("fork", 2, "32M", ""),                     # to the end of memory
    ("memory", 4, "32M", ""),
    ("memory", 1, "32M", ""),
    ("charge", 4, "32M", ""),
    ("files", 4, "64M", ""),
])
def test_bomb(batch, mode, cpus, mem, append, debug):
    run = batch(f"/tests/around /tests/bomb {mode}; echo the shell lives", cpus=cpus, mem=mem, append=append, debug=debug)
    check_around(run, "/tests/bomb", r"^TEST bomb: PASS \d+ checks$")
    assert run.has("^the shell lives$")
    if mode == "memory":
        lines = [line for line in run.lines if line.startswith("oom: ")]         # T-4
        assert len(lines) >= 4
        for line in lines:
            assert re.fullmatch(r"oom: pid=\d+ name=bomb score=\d+ va=0x[0-9a-f]+ toucher=\d+ -> killed", line), line


@DEBUG
def test_forktest_meets_maxtasks(batch, debug):
    """R001-11, A001-9: a full table is -EAGAIN, and nothing is lost."""
    run = batch("/tests/around forktest", cpus=4, mem="64M", append="maxtasks=60", debug=debug)
    check_around(run, "forktest", "^forktest: OK$")
    children = int(run.has(r"^forktest: (\d+) children, then: Resource temporarily unavailable$")[1])
    assert 40 <= children < 60


def test_forktest_meets_the_end_of_memory(batch):
    run = batch("/tests/around forktest", cpus=4, mem="32M")
    check_around(run, "forktest", "^forktest: OK$")
    assert int(run.has(r"^forktest: (\d+) children, then: ")[1]) > 300


def test_two_thousand_sleepers_fit_and_slow_nobody(batch):
    """128 MiB. Guest time under -icount counts instructions, so the comparison does not depend on the host."""
    run = batch("/tests/around /tests/sleepers 2000", cpus=1, mem="128M", extra=["-icount", "shift=3,sleep=off"])
    check_around(run, "/tests/sleepers", r"^TEST sleepers: PASS \d+ checks$")
    alone, among = map(int, run.has(r"^SLEEPERS 2000 alone (\d+) ns, among (\d+) ns$").groups())
    assert among < 1.5 * alone, (alone, among)


def test_two_thousand_sleepers_on_four_harts(batch):
    run = batch("/tests/around /tests/sleepers 2000; free", cpus=4, mem="128M")
    check_around(run, "/tests/sleepers", r"^TEST sleepers: PASS \d+ checks$")


@DEBUG
@pytest.mark.parametrize("kind", ["fork", "pipe", "file", "memory", ""])
def test_storm(batch, kind, debug):
    run = batch(f"/tests/around stress -t {SECONDS if kind == '' else max(SECONDS // 4, 1)} {kind}", cpus=4, debug=debug,
                cap=CAP + SECONDS)
    check_around(run, "stress", "^stress: PASS$")
    assert not run.has(r" [1-9]\d* wrong$")


def test_mixed_storm_in_little_memory(batch):
    run = batch(f"stress -t {SECONDS} -n 12; echo status $?", cpus=4, mem="32M", cap=CAP + SECONDS)
    assert run.has("^stress: PASS$") and run.has("^status 0$"), "\n".join(run.lines[-25:])


def test_mixed_storm_on_eight_harts(batch):
    run = batch(f"stress -t {max(SECONDS // 2, 2)} -n 16; echo status $?", cpus=8, cap=CAP + SECONDS)
    assert run.has("^stress: PASS$") and run.has("^status 0$"), "\n".join(run.lines[-25:])
