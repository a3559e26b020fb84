"""Kernel tasks A, B, C of the handout (R003-10..13), and the in-kernel self-tests."""
import pytest

from lib.machine import batch
from lib.paths import ON_RISCV

STORE, LOAD = ("cause=15 err=0x0", "cause=13 err=0x0") if ON_RISCV else ("cause=14 err=0x2", "cause=14 err=0x0")
BOTH = pytest.mark.parametrize("debug", [False, True], ids=["release", "debug"])


@BOTH
@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_tasks_a_b_c(cpus, debug):
    run = batch(append="demo=tasks", cpus=cpus, debug=debug, disk="none")
    lines = run.lines

    def at(text):
        found = [i for i, line in enumerate(lines) if text in line]
        assert found, f"no line with {text!r} in\n" + "\n".join(lines)
        return found[0]

    # R003-11: the store faults, the address is told, B1 ends with -1, the others live.
    fault = run.has(rf"^fault: pid=\d+ name=B1 {STORE} va=0x1000 pc=0x[0-9a-f]+ -> killed$")
    assert fault and at("B1 ended with -1") > at("name=B1")
    # R003-12: exactly this line.
    assert "Task B contents at va 0x1000: B" in lines
    # R003-13: after unmap_page a load faults, and no frame is lost.
    assert run.has(rf"^fault: pid=\d+ name=B2 {LOAD} va=0x1000 pc=0x[0-9a-f]+ -> killed$")
    assert "not reached" not in run.console
    frames = run.has(r"free frames before (\d+), after (\d+)$")
    assert frames and frames[1] == frames[2]
    # R003-10: A goes on only after B's exiting line, and gets B's code.
    assert at("Task A: waiting") < at("Task B: exiting") < at("Task A: task B ended with 7")
    assert all(f"Task C: count {n}" in lines for n in range(1, 6))


@BOTH
@pytest.mark.parametrize("cpus", [1, 2, 4, 8])
def test_selftest(cpus, debug):
    run = batch(append="demo=selftest", cpus=cpus, debug=debug, disk="none")
    assert run.has(r"^selftest: .*\b[1-9]\d* passed, 0 failed$"), "\n".join(run.lines)


@BOTH
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_selftest_with_interrupts_everywhere(seed, debug):
    """seed: a timer interrupt at random moments, each tenth of a millisecond. Kernel tasks are interrupted wherever they allow it."""
    by_instructions = ["-icount", "shift=3,sleep=off"]
    run = batch(append=f"seed={seed} demo=selftest", cpus=1, debug=debug, disk="none", extra=by_instructions)
    assert run.has(r"^selftest: .*\b[1-9]\d* passed, 0 failed$"), "\n".join(run.lines)


def test_unknown_demo_is_named():
    run = batch('true', append="demo=nosuch", cpus=1)
    assert run.has(r"^demo=nosuch is not known")
