"""User test programs (user/tests/*.c): each program is one test on each machine, several programs share a boot.

A program runs under /tests/around, which compares free frames, tasks and promised pages before and after. A boot that
breaks off fails the program that ran then; the rest go on in a fresh machine.
"""
import re

import pytest

from lib.machine import Broken, batch
from lib.paths import ON_RISCV

PROGRAMS = ["fork", "wait", "kill", "exec", "elf", "pipe", "file", "names", "badptr", "memory", "fault", "float", "time",
            "tasks", "bigfile", "together", "shortage", "library"]
ERROR = "0x0" if ON_RISCV else "0x[0-9a-f]+"    # only the i386 has an error code
MACHINES = [dict(cpus=2), dict(cpus=4), dict(cpus=1, debug=True), dict(cpus=4, debug=True)]


def machine_id(machine):
    return f"cpus{machine['cpus']}-{'debug' if machine.get('debug') else 'release'}"


def boot_line(programs):
    return f"for p in {' '.join(programs)}; do echo @begin $p; /tests/around /tests/$p; echo @end $p $?; done"


def sections(console):
    """{program: (its output, status or None)} of what the console shows."""
    found = {}
    for match in re.finditer(r"^@begin (\w+)\n(.*?)(?:^@end \1 (-?\d+)$|\Z)", console.replace("\r", ""), re.M | re.S):
        found[match[1]] = (match[2], None if match[3] is None else int(match[3]))
    return found


class Results:
    """Runs all the programs that are asked for on one machine, when the first of them is asked for."""

    def __init__(self, machine, programs):
        self.machine, self.left, self.done = machine, list(programs), {}

    def of(self, program):
        while program in self.left:
            try:
                console = batch(boot_line(self.left), **self.machine).console
                error = None
            except Broken as broken:
                console, error = str(broken), broken
            except AssertionError as unclean:       # fsck: nobody in particular
                console, error = str(unclean), unclean
            self.settle(error, console)
        return self.done[program]

    def settle(self, error, console):
        if error is None:
            found = sections(console)
            for program in self.left:
                self.done[program] = found.get(program, ("", None))
            self.left = []
            return
        if len(self.left) == 1:                     # alone on the machine: the failure is this program's
            self.done[self.left.pop()] = error
            return
        # Something broke with several in one boot: from here on, each has a machine of its own.
        for program in list(self.left):
            alone = Results(self.machine, [program])
            self.done[program] = alone.of(program)
        self.left = []


@pytest.fixture(scope="session")
def results(request, image_with_small_log):
    wanted = {}
    for item in request.session.items:
        if item.function is test_program:
            machine, program = item.callspec.params["machine"], item.callspec.params["program"]
            wanted.setdefault(machine_id(machine), ({**machine, "image": image_with_small_log}, []))[1].append(program)
    return {name: Results(*value) for name, value in wanted.items()}


@pytest.mark.parametrize("machine", MACHINES, ids=machine_id)
@pytest.mark.parametrize("program", PROGRAMS)
def test_program(machine, program, results):
    """M13: on debug kernels every acquire checks the order of locks, and a breach is a panic. T-4: fault: lines have their form."""
    result = results[machine_id(machine)].of(program)
    if isinstance(result, Exception):
        raise result
    check_section(program, *result)


def check_section(program, text, status):
    complaints = [line for line in text.splitlines() if line.startswith(("FAIL ", "worker "))]
    summary = re.findall(rf"^TEST {program}: (PASS|FAIL) (\d+).*$", text, re.M)
    assert summary, f"no summary of {program}:\n{text[-3000:]}"
    assert not complaints and all(verdict == "PASS" for verdict, _ in summary), "\n".join(complaints[:60])
    assert int(summary[-1][1]) > 0
    around = re.search(rf"^AROUND /tests/{program}: status (-?\d+), lost (\d+) frames, (\d+) tasks, (\d+) promises$", text, re.M)
    assert around, f"around did not report:\n{text[-2000:]}"
    assert around[1] == "0", text[-2000:]
    assert (around[2], around[3], around[4]) == ("0", "0", "0"), f"lost frames, tasks or promises: {around[0]}"
    for line in text.splitlines():
        if line.startswith("fault: "):
            assert re.fullmatch(rf"fault: pid=\d+ name=\S{{1,15}} cause=\d+ err={ERROR} va=0x[0-9a-f]+ pc=0x[0-9a-f]+ -> killed", line)


# ---- Tests of the harness

def test_harness_sees_a_failed_check():
    text = "FAIL x.c:3: a == b (1, 2)\nTEST fork: FAIL 1 of 2\nAROUND /tests/fork: status 1, lost 0 frames, 0 tasks, 0 promises\n"
    with pytest.raises(AssertionError, match="a == b"):
        check_section("fork", text, 1)


def test_harness_sees_a_lost_frame():
    text = "TEST fork: PASS 2 checks\nAROUND /tests/fork: status 0, lost 1 frames, 0 tasks, 0 promises\n"
    with pytest.raises(AssertionError, match="lost 1 frames"):
        check_section("fork", text, 1)


def test_harness_sees_a_program_that_says_nothing():
    with pytest.raises(AssertionError, match="no summary"):
        check_section("fork", "AROUND /tests/fork: status 0, lost 0 frames, 0 tasks, 0 promises\n", 0)


def test_harness_finds_the_broken_section():
    found = sections("@begin a\r\nx\r\n@end a 0\r\n@begin b\r\ny\r\npanic: z\r\n")
    assert found == {"a": ("x\n", 0), "b": ("y\npanic: z\n", None)}


def test_around_sees_a_leak(image_with_small_log):
    """/tests/leak leaves an orphan behind that holds memory: frames and a task are missing."""
    run = batch("/tests/around /tests/leak; echo status $?", cpus=2, image=image_with_small_log)
    assert run.has(r"^AROUND /tests/leak: status 0, lost [1-9]\d* frames, 1 tasks")
    assert run.has("^status 1$")
