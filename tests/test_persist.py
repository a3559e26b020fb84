"""What was synced is there after the power failed, what was written is there after a reboot or a halt, and a RAM disk
serves the same file system."""
import pytest

from lib.images import make_image
from lib.machine import Machine, assert_clean, batch, copy_image, fsck
from lib.paths import IMAGE


def test_synced_files_survive_a_power_failure(folder):
    image = copy_image(IMAGE, folder / "disk.img")
    with Machine(image=image, own=False, cpus=2) as m:
        m.ok("mkdir /keep; echo durable > /keep/file; seq 1 3000 > /keep/numbers; ln -s file /keep/link; sync")
        m.send("seq 1 100000 > /keep/lost\r")                  # busy when the power goes
        m.expect_exact("\r\n")
        m.kill()
    with Machine(image=image, own=False, cpus=1) as m:
        assert m.ok("cat /keep/file /keep/link") == "durable\ndurable\n"
        assert m.ok("tail -n 1 /keep/numbers; wc -l < /keep/numbers").split() == ["3000", "3000"]
        m.halt()


def test_again_and_again(folder):
    """Six power failures on one disk: each time all that was synced before is there."""
    image = copy_image(IMAGE, folder / "disk.img")
    for n in range(6):
        with Machine(image=image, own=False, cpus=2) as m:
            assert m.ok("cat /dev/null " + " ".join(f"/count{i}" for i in range(n))).split() == [str(i) for i in range(n)]
            m.ok(f"echo {n} > /count{n}; sync; rm -f /tmp/x; seq 1 2000 > /tmp/x")
            m.kill()
        status, text = fsck(image)
        assert status == 0, text


def test_halt_loses_nothing(folder):
    image = copy_image(IMAGE, folder / "disk.img")
    batch("echo unsynced > /file; seq 1 5000 > /numbers", image=image, own=False, cpus=2)
    run = batch("cat /file; tail -n 1 /numbers", image=image, own=False, cpus=2)
    assert run.has("^unsynced$") and run.has("^5000$")


def test_reboot_keeps(folder):
    """The machine itself starts again: QEMU is not ended."""
    with Machine(cpus=2, reboots=True) as m:
        m.ok("echo kept > /file")
        m.send("reboot\r")
        m.expect_exact("Tamal on ")
        m.expect_exact("$ ")
        assert m.ok("cat /file") == "kept\n"
        m.halt()


def test_reboot_ends_an_emulator_that_does_not_reboot():
    batch("reboot", halt=False, cpus=1)


@pytest.mark.parametrize("debug", [False, True], ids=["release", "debug"])
def test_ram_disk_is_the_same_file_system(debug):
    run = batch("echo hi > /f; cat /f; /tests/file; /tests/names; df /", cpus=2, disk="initrd", mem="256M", debug=debug)
    assert run.has("^ramdisk: ") and run.has("^hi$")
    assert run.has("^TEST file: PASS") and run.has("^TEST names: PASS")


def test_ram_disk_leaves_the_image_alone(folder):
    image = copy_image(IMAGE, folder / "disk.img")
    before = image.read_bytes()
    batch("echo hi > /f; sync", cpus=1, disk="initrd", mem="256M", image=image, own=False)
    assert image.read_bytes() == before


def test_small_disk(folder):
    image = make_image(folder / "small.img", size="4M", bins=["init", "sh", "halt", "cat", "echo", "sync", "df"])
    run = batch("echo small > /f; sync; cat /f; df", image=image, cpus=1)
    assert run.has("^small$")


def test_large_disk(folder):
    """1 GiB, sparse: more than one block of every map."""
    image = make_image(folder / "large.img", size="1G")
    with Machine(image=image, own=False, cpus=2) as m:
        assert int(m.ok("df").splitlines()[1].split()[0]) > 950000
        m.ok("seq 1 200000 > /big; cp /big /big2")
        assert m.ok("tail -n 1 /big2") == "200000\n"
        m.halt()
