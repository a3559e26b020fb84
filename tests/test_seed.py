"""The deterministic mode (make qemu SEED=n): the same seed gives the same console, byte for byte, on one hart and on
several; another seed is another interleaving."""
import os
import subprocess

import pytest

from lib.paths import ARCH, CPUS_MAX, IMAGE, PATIENCE, ROOT

# Tasks that get in each other's way: the order of the lines is the order of the interleaving.
RACE = "(seq 1 40 & seq 101 140 & seq 201 240 & wait) | cat; "
WORK = RACE + "ls /bin | wc; stress -t 1 -n 4 fork pipe; forktest 20; echo done; "


def qemu(seed, commands, cpus, append=""):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    environment["ARCH"] = ARCH
    environment["APPEND"] = f'run="{commands}halt" {append}'.strip()
    done = subprocess.run(["make", "-s", "--no-print-directory", "qemu", f"SEED={seed}", f"CPUS={min(cpus, CPUS_MAX)}", "MEM=128M"], cwd=ROOT,
                          env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=300 * PATIENCE)
    assert done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")[-3000:]
    text = done.stdout
    assert b"Tamal on " in text
    return text[text.index(b"Tamal on "):]


@pytest.mark.parametrize("cpus", [1, 2, 4])
@pytest.mark.parametrize("seed", [1, 7])
def test_same_seed_same_console(seed, cpus):
    first, second = qemu(seed, WORK, cpus), qemu(seed, WORK, cpus)
    assert first == second
    assert b"done" in first


def test_another_seed_is_another_interleaving():
    """Of eight seeds on one hart, at least two differ in the order in which three writers come through."""
    assert len({qemu(seed, RACE, 1) for seed in range(1, 9)}) >= 2


def test_seed_leaves_the_image_alone():
    image = IMAGE
    before = image.stat().st_mtime_ns
    qemu(3, "echo x > /x; sync; ", 1)
    assert image.stat().st_mtime_ns == before
