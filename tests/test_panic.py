"""A bug of the kernel: message, where, who, a backtrace with names, the other harts stopped, exit status 101."""
import pytest

from lib.machine import PANIC_STATUS, batch
from lib.paths import ON_I386, ON_RISCV

# scause; or the vector, and an error code that says present (1), store (2)
UNMAPPED_STORE, FORBIDDEN_STORE = ("cause=15 err=0x0", "cause=15 err=0x0") if ON_RISCV else ("cause=14 err=0x2", "cause=14 err=0x3")
BOTH = pytest.mark.parametrize("debug", [False, True], ids=["release", "debug"])


def panic(demo, **more):
    return batch(append=f"demo={demo}", status=PANIC_STATUS, disk="none", **more)


def names_of_backtrace(run):
    lines = run.lines
    start = next(i for i, line in enumerate(lines) if line.startswith("backtrace"))
    names = []
    for line in lines[start + 1:]:
        words = line.split()
        if len(words) != 3 or words[0] not in ("at", "by"):
            break
        names.append(words[2].split("+")[0])
    return names


@BOTH
@pytest.mark.parametrize("cpus", [1, 4])
def test_panic_says_what_where_and_how_it_came_there(cpus, debug):
    run = panic("panic", cpus=cpus, debug=debug)
    assert run.has(r"^panic: .+$")
    assert run.has(r"cpu \d+ hart \d+, task \d+ \(\S+\)")
    names = names_of_backtrace(run)
    assert "?" not in names and any(name.startswith("demo") for name in names), names


@BOTH
def test_kernel_fault_is_a_panic_with_cause_and_registers(debug):
    """A000-12: a fault of the kernel outside user copies is a bug of the kernel."""
    run = panic("fault", cpus=2, debug=debug)
    assert run.has(rf"^panic: kernel fault: {UNMAPPED_STORE} va=0x[0-9a-f]+ pc=0x[0-9a-f]+$")
    assert any(name.startswith("demo") for name in names_of_backtrace(run))


@BOTH
@pytest.mark.parametrize("cpus", [1, 4])
def test_kernel_stack_overflow_is_caught(cpus, debug):
    """Found at trap entry, told on an emergency stack."""
    run = panic("overflow", cpus=cpus, debug=debug)
    assert run.has(r"^panic: .*stack overflow")


def test_text_is_not_writable():
    """R003-3: no page is both W and X."""
    run = panic("writetext", cpus=1)
    assert run.has(rf"^panic: kernel fault: {FORBIDDEN_STORE} ")


def test_data_is_not_executable():
    """On the i386 it is: its pages have no bit that forbids it, and the demo says so instead of failing in some other way."""
    if ON_I386:
        assert batch(append="demo=rundata", status=1, disk="none", cpus=1).has(r"^rundata: this machine executes data$")
    else:
        assert panic("rundata", cpus=1).has(r"^panic: kernel fault: cause=12 ")


def test_bad_free_names_the_address():
    """R003-2: misaligned, out of range or double free panics, naming the address."""
    run = panic("doublefree", cpus=1)
    assert run.has(r"^panic: frame 0x[0-9a-f]{6,} was freed twice$")


def test_a_write_to_a_free_frame_is_found():
    """T-3: debug builds fill free frames with 0x05 and look when they hand one out."""
    run = panic("usefreed", cpus=1, debug=True)
    assert run.has(r"^panic: free frame 0x[0-9a-f]+ was written at 0x[0-9a-f]+3e[48]: 0x[0-9a-f]*78[0-9a-f]*$"), "\n".join(run.lines)
    batch(append="demo=usefreed", status=1, disk="none", cpus=1)       # a release build does not look
