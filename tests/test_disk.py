"""Full disks, failing disks, damaged disks, no disk: an error for the program and a clear message, nothing lost, no hang."""
import json
import random

import pytest

from lib.images import make_image
from lib.machine import DISK_DEVICE, Broken, Machine, batch, copy_image, fsck
from lib.paths import IMAGE
from test_mkfs import Image

NOSPACE = "No space left on device"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make_image(tmp_path_factory.mktemp("small") / "small.img", size="5M", inodes=256, log=64,
                      bins=["init", "sh", "halt", "echo", "cat", "rm", "sync", "mkdir"], tests=["diskfull"])


@pytest.mark.parametrize("cpus, debug", [(1, False), (4, False), (2, True)], ids=["cpus1", "cpus4", "cpus2-debug"])
def test_full_disk_and_no_inodes(small, cpus, debug):
    """user/tests/diskfull.c: ENOSPC with nothing lost, space returns after delete, twice over."""
    run = batch("/tests/diskfull", image=small, cpus=cpus, debug=debug)
    failures = "\n".join(line for line in run.lines if line.startswith("FAIL"))
    assert run.has(r"^TEST diskfull: PASS \d+ checks$"), failures or run.lines[-20:]


def test_full_disk_at_the_shell(small):
    with Machine(image=small, cpus=2) as m:
        m.ok("echo before > /before; sync")
        text, status = m.run("cat /dev/zero > /huge")
        assert status == 1 and NOSPACE in text
        text, status = m.run("echo x > /new; cat /before")
        assert "before" in text
        text, status = m.run("mkdir /directory")
        assert status in (0, 1)
        m.ok("rm /huge; echo after > /after; cat /after /before")
        m.halt()


# ---- A disk that fails: blkdebug says which request.

def failing(image, *rules, read_only=False):
    """QEMU's options for a disk on which some requests fail. rules: dicts of blkdebug's inject-error."""
    node = {"driver": "raw", "node-name": "disk0",              # raw tells blkdebug of each request
            "file": {"driver": "blkdebug", "inject-error": list(rules),
                     "image": {"driver": "file", "filename": str(image)}}}
    if read_only:
        node = {"driver": "file", "node-name": "disk0", "filename": str(image), "read-only": True}
    return ["-blockdev", json.dumps(node), "-device", DISK_DEVICE]


def block_of(image, path, index=0):
    """The disk block of a file's index-th block, as mkfs placed it."""
    file = Image(image.read_bytes())
    return file.direct(file.find(path), index)


@pytest.fixture
def disk(folder):
    numbers = folder / "numbers"
    numbers.write_text("".join(f"{n}\n" for n in range(2000)))
    (folder / "other").write_text("other\n")
    return make_image(folder / "disk.img", f"/numbers={numbers}", f"/other={folder / 'other'}", size="16M", tests=["overwrite"])


def rule(event, block, errno=5, once=False, **more):
    """Requests of that kind which touch the block fail. blkdebug's rule would go on to fail other kinds: hence iotype."""
    return {"event": event, "errno": errno, "sector": block * 8, "once": once, "immediately": False,
            "iotype": event.split("_")[0], **more}


def test_read_error_is_eio_and_nothing_else(disk):
    bad = block_of(disk, "/numbers", 1)
    boot = dict(image=disk, own=False, disk=failing(disk, rule("read_aio", bad)), cpus=2)
    with Machine(**boot) as m:
        text, status = m.run("cat /numbers > /dev/null")
        assert status == 1 and "cat: /numbers: Input/output error" in text
        assert m.ok("cat /other") == "other\n"
        assert m.ok("head -n 3 /numbers") == "0\n1\n2\n"       # the blocks before it are good
        text, status = m.run("wc /numbers")
        assert status == 1 and "Input/output error" in text
        m.ok("echo new > /new; sync; cat /new")
        m.halt()


def test_read_error_of_a_program_is_an_exec_error(disk):
    bad = block_of(disk, "/bin/wc")
    boot = dict(image=disk, own=False, disk=failing(disk, rule("read_aio", bad)), cpus=2)
    with Machine(**boot) as m:
        text, status = m.run("wc /other")
        assert status == 126 and "Input/output error" in text
        assert m.ok("cat /other") == "other\n"
        m.halt()


def test_read_error_that_passes_is_forgotten(disk):
    """No buffer keeps the error: reading again reads again."""
    bad = block_of(disk, "/numbers", 1)
    boot = dict(image=disk, own=False, disk=failing(disk, rule("read_aio", bad, once=True)), cpus=2)
    with Machine(**boot) as m:
        m.run("cat /numbers > /dev/null")
        assert m.ok("tail -n 1 /numbers") == "1999\n"
        m.halt()


def test_write_error_of_file_data_is_seen_by_fsync(disk):
    bad = block_of(disk, "/numbers", 2)
    boot = dict(image=disk, own=False, disk=failing(disk, rule("write_aio", bad)), cpus=2)
    with Machine(**boot) as m:
        text, status = m.run("/tests/overwrite /numbers 8192")
        assert status == 4 and "fsync: Input/output error" in text
        text, status = m.run("/tests/overwrite /numbers 4096")
        assert m.ok("cat /other") == "other\n"
        m.kill()
    assert fsck(disk)[0] == 0


def test_log_that_cannot_be_written(disk):
    """No write to the log succeeds: changes are refused or stay in memory, reading goes on, nothing hangs or panics."""
    log = Image(disk.read_bytes()).sb["log_start"]
    rules = [rule("write_aio", block) for block in range(log, log + 64)]
    boot = dict(image=disk, own=False, disk=failing(disk, *rules), cpus=2)
    with Machine(**boot) as m:
        assert m.ok("cat /other") == "other\n"
        text, status = m.run("echo x > /x; sync")
        assert status == 1 and "Input/output error" in text
        assert m.ok("cat /other") == "other\n"
        m.kill()
    assert fsck(disk)[0] == 0


def test_all_writes_fail(disk):
    boot = dict(image=disk, own=False, cpus=2,
                disk=failing(disk, {"event": "write_aio", "errno": 5, "once": False, "iotype": "write"}))
    with Machine(**boot) as m:
        assert m.ok("cat /other") == "other\n"
        text, status = m.run("seq 1 3000 > /x; sync")
        assert status == 1 and "Input/output error" in text
        assert m.ok("echo shell lives") == "shell lives\n"
        m.send("halt\r")                                       # nothing can be saved, but the machine ends, and says so
        m.expect("Input/output error|disk reported errors")
        m.finish(clean=False)
    assert fsck(disk)[0] == 0


def test_writes_that_fail_once_succeed_later(disk):
    log = Image(disk.read_bytes()).sb["log_start"]
    rules = [rule("write_aio", block, once=True) for block in range(log, log + 8)]
    boot = dict(image=disk, own=False, disk=failing(disk, *rules), cpus=2)
    with Machine(**boot) as m:
        m.run("echo x > /x; sync")
        for _ in range(20):
            text, status = m.run("echo y > /y && sync")
            if status == 0:
                break
        assert status == 0, text
        assert m.ok("cat /y") == "y\n"
        m.halt()


@pytest.mark.riscv("QEMU gives an IDE disk no read-only image")
def test_read_only_disk(disk):
    boot = dict(image=disk, own=False, disk=failing(disk, read_only=True), cpus=2)
    with Machine(**boot) as m:
        assert "read-only" in m.log
        assert m.ok("cat /other") == "other\n"
        text, status = m.run("echo x > /x")
        assert status == 1 and "Read-only file system" in text
        text, status = m.run("rm /other")
        assert status == 1 and "Read-only file system" in text
        m.halt()


@pytest.mark.riscv("QEMU gives an IDE disk no read-only image")
def test_read_only_disk_with_a_log_to_replay(disk):
    """Mounting must not need to write: the committed blocks are seen, or the mount is refused with a message."""
    with Machine(image=disk, own=False, cpus=1) as m:
        m.ok("echo replay > /replay; sync")
        m.kill()
    boot = dict(image=disk, own=False, disk=failing(disk, read_only=True), cpus=1)
    with Machine(wait=False, **boot) as m:
        if m.expect(["\\$ ", "cannot start /bin/init"]) is not None and m.which == 0:
            assert m.ok("cat /replay") == "replay\n"
            m.halt()
        else:
            m.finish(1, clean=False)


# ---- No disk, and disks that are none

def test_no_disk_is_said():
    run = batch(None, disk="none", status=1, cpus=2)
    assert run.has(r"no disk|no file system") and run.has("cannot start /bin/init")


def test_empty_disk_is_said(folder):
    empty = folder / "empty.img"
    empty.write_bytes(bytes(1 << 20))
    run = batch(None, image=empty, status=1, cpus=2, clean=False)
    assert run.has("cannot start /bin/init")


def test_disk_too_short_for_its_file_system(folder):
    short = copy_image(IMAGE, folder / "short.img")
    with open(short, "r+b") as file:
        file.truncate(8 << 20)
    run = batch(None, image=short, status=1, cpus=1, clean=False)
    assert run.has("cannot start /bin/init")


def test_image_without_init(folder):
    image = make_image(folder / "no-init.img", bins=["sh"])
    run = batch(None, image=image, status=1, cpus=1)
    assert run.has(r"cannot start /bin/init \(error 2\)")


def damage_superblock(image):
    image.data[20] ^= 0xff


def damage_log_header(image):
    image.data[image.sb["log_start"] * 4096] ^= 0xff


def damage_root(image):
    image.put_inode(1, type=2)


def damage_init(image):
    image.put_direct(image.find("/bin/init"), 0, 0xffffff)


def damage_bin(image):
    image.put_direct(image.find("/bin"), 0, 1)


def damage_sizes(image):
    image.put_inode(image.find("/bin/init"), size=1 << 60)


@pytest.mark.parametrize("damage", [damage_superblock, damage_log_header, damage_root, damage_init, damage_bin, damage_sizes])
def test_damaged_disk_ends_with_a_message(folder, damage):
    """It must not hang, nor panic: the machine says what is wrong and ends."""
    path = copy_image(IMAGE, folder / "disk.img")
    image = Image(path.read_bytes())
    damage(image)
    path.write_bytes(image.data)
    assert fsck(path)[0] != 0
    run = batch(None, image=path, status=1, cpus=2, clean=False)
    assert run.has("cannot start /bin/init")


def test_random_damage_never_panics(folder):
    """Bytes of the metadata at random; the machine boots or refuses, and the shell's commands end."""
    good = IMAGE.read_bytes()
    layout = Image(good).sb
    rng = random.Random(5)
    for n in range(12):
        data = bytearray(good)
        for _ in range(rng.choice([1, 5, 40])):
            block = rng.choice([layout["imap_start"], layout["bmap_start"], layout["inode_start"], layout["inode_start"] + 1,
                                layout["data_start"], layout["data_start"] + 1])
            data[block * 4096 + rng.randrange(4096)] = rng.randrange(256)
        path = folder / "damaged.img"
        path.write_bytes(data)
        try:
            batch("ls -lR /; cat /README > /copy; mkdir /d; rm -r /tmp; rm -r /tests; sync", image=path, own=False, cpus=2,
                  clean=False)
        except Broken as broken:
            assert "exit status is 1, not 0" in str(broken), f"round {n}: {broken}"
