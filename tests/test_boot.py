"""One binary boots on 1 to 8 harts and with 32 to 512 MiB, in both flavours: prompt, a command, halt, exit status 0."""
import re

import pytest

from lib.machine import Broken, Machine, Panic, TimeOut, batch, fsck
from lib.paths import CPUS_MAX, IMAGE, ON_RISCV

HARTS = [1, 2, 3, 4, 8]
MEMORY = ["32M", "128M", "512M"]


@pytest.mark.parametrize("cpus", HARTS)
@pytest.mark.parametrize("mem", MEMORY)
def test_boots_to_a_prompt_and_halts(cpus, mem):
    """M16: the other harts find everything set up when they start."""
    cpus = min(cpus, CPUS_MAX)
    with Machine(cpus=cpus, mem=mem) as m:
        assert m.ok("echo hello, world") == "hello, world\n"
        assert f"{cpus} cpus" in m.ok("uptime")
        m.halt()
        assert re.search(rf"cpus: {cpus} \w+, boot hart", m.log)


@pytest.mark.parametrize("cpus, mem", [(1, "32M"), (2, "128M"), (3, "128M"), (4, "32M"), (4, "512M"), (8, "128M")])
def test_debug_kernel_boots_and_halts(cpus, mem):
    cpus = min(cpus, CPUS_MAX)
    run = batch("echo hello; uptime", cpus=cpus, mem=mem, debug=True)
    assert run.has("^hello$") and run.has(rf"\b{cpus} cpus$")


def test_boot_log_is_short_and_its_first_line_names_the_machine():
    """I-10: on the serial port, with the same words on both machines."""
    run = batch("true", cpus=2)
    first = "Tamal on RISC-V: 128 MiB of memory, 2 harts" if ON_RISCV else "Tamal on i386: 112 MiB of memory, 1 hart"
    assert run.lines[0] == first
    assert len(run.lines) <= 12, run.lines


@pytest.mark.parametrize("mem, least, most", [("32M", 6500, 8192), ("128M", 31000, 32768), ("512M", 125000, 131072)])
def test_usable_frames_are_nearly_all_of_memory(mem, least, most):
    run = batch("free", cpus=1, mem=mem)
    total = int(run.has(r"^ +total +used.*\n +(\d+)")[1]) // 4
    if not ON_RISCV:                            # the kernel maps 112 MiB one to one; what is beyond stays unused
        least, most = min(least, 28000), min(most, 28672)
    assert least < total < most


def test_commands_of_the_boot_line_run_before_a_shell():
    with Machine(append='run="echo first; false; echo $?"', cpus=1) as m:
        assert "first\r\n1\r\n" in m.log
        assert m.ok("echo second") == "second\n"
        m.halt()


def test_halt_with_a_status_is_qemus_status():
    batch("halt 0", halt=False, cpus=1)


def test_shell_that_exits_is_started_again():
    with Machine(cpus=1) as m:
        m.type("exit 3")
        m.expect_exact("$ ")
        assert m.ok("echo again") == "again\n"
        m.halt()


def test_initrd_boots_the_same_file_system(cpus=2):
    with Machine(cpus=cpus, disk="initrd", mem="256M") as m:
        assert "ramdisk: " in m.log
        assert "sh" in m.ok("ls /bin").split()
        m.ok("echo data > /file; sync")
        assert m.ok("cat /file") == "data\n"
        m.halt()


def test_more_harts_than_the_kernel_takes_still_boot():
    """The limit is eight; a ninth hart is left off, not a crash. The i386 kernel drives one CPU (I-9)."""
    run = batch("uptime", cpus=1, extra=["-smp", "9"])
    assert run.has(rf"\b{CPUS_MAX} cpus$")


# ---- Tests of the harness: each piece must fail when it must.

def test_harness_sees_a_wrong_exit_status():
    with pytest.raises(Broken, match="exit status is 0, not 3"):
        batch("true", status=3, cpus=1)


def test_harness_sees_a_machine_that_says_nothing():
    with pytest.raises(TimeOut):
        batch("sleep 1000", cpus=1, cap=2)


def test_harness_sees_qemu_end_early():
    with pytest.raises(Broken, match="QEMU ended"):
        with Machine(cpus=1) as m:
            m.run("halt")


def test_harness_sees_an_inconsistent_image(folder):
    """The superblock's checksum of the image a run leaves is broken: the check after the run must object."""
    from lib.machine import assert_clean, copy_image
    image = copy_image(IMAGE, folder / "disk.img")
    assert_clean(image)
    with open(image, "r+b") as file:
        file.seek(60)
        file.write(b"\xff\xff\xff\xff")
    with pytest.raises(AssertionError, match="fsck after the run"):
        assert_clean(image)
    assert fsck(image)[0] == 2


def test_harness_sees_a_panic():
    with pytest.raises(Panic, match="panicked"):
        batch(append="demo=panic", cpus=2, disk="none")
