"""Lines on the console stay whole (M15): programs and the kernel write on all harts at once.

Broken on purpose in kernel/dev/console.c, and seen here: write_kernel_message() that releases the lock between two halves of a
line (2 and 4 CPUs); take_turn() that does not wait for its turn (4 CPUs)."""
import re

import pytest

from lib.machine import batch
from lib.paths import ON_RISCV

CAUSE = "cause=13 err=0x0" if ON_RISCV else "cause=14 err=0x4"          # a load by a program, nothing there
FAULT = re.compile(rf"fault: pid=\d+ name=lines {CAUSE} va=0x0 pc=0x[0-9a-f]+ -> killed")
LINE = re.compile(r"line (\d+) (\d+) (?:abcdefghijklmnopqrstuvwxyz){2}")


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_lines_of_all_harts_are_whole(cpus, image_with_small_log):
    """M15, T-4: no line is missing, none has anything else in it, and none comes twice."""
    run = batch("echo begin; /tests/lines; echo end", cpus=cpus, image=image_with_small_log)
    lines = run.lines
    lines = lines[lines.index("begin") + 1:lines.index("end")]
    assert lines.pop() == "lines: 0 bad"
    strange = [line for line in lines if not FAULT.fullmatch(line) and not LINE.fullmatch(line)]
    assert not strange, "\n".join(strange)
    assert sorted(LINE.fullmatch(line).groups() for line in lines if line.startswith("line")) == sorted(
        (str(worker), str(n)) for worker in range(0, 8, 2) for n in range(100))
    assert sum(line.startswith("fault: ") for line in lines) == 4 * 100
