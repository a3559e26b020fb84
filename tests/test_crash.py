"""Whatever moment the power fails: the file system recovers, is consistent, and holds every byte that fsync or sync had
promised. QEMU logs all writes and flushes of a busy workload (user/tests/crashwork.c); tests/host/crash_states.c makes the
states a crash can leave of them, every prefix and random subsets of what was not flushed, recovers each with the kernel's
own code and checks it. Some are booted for real.

It found its first kernel bug: with file data that travelled in the log, replay put old bytes over newer ones (3 runs of 3
failed on commit 8633673, none after 28a4384).

TAMAL_CRASH_SUBSETS: how many random subsets (default 2000). TAMAL_CRASH_SEED: which.
"""
import os
import re
import select
import subprocess

import pytest

from lib import blklog
from lib.images import make_image
from lib.machine import Boot, CAP, Run, TimeOut, check_run, run_machine, tail
from lib.paths import PATIENCE, ROOT
from test_host import CC, run

SUBSETS = int(os.environ.get("TAMAL_CRASH_SUBSETS", "2000"))
SEED = int(os.environ.get("TAMAL_CRASH_SEED", "1"))
SAMPLES = 10
FLAGS = ["-std=gnu11", "-g", "-O2", "-DDEBUG", "-D_GNU_SOURCE", "-DFS_RECOVER_LIBRARY", "-pthread", "-I.", "-Ikernel",
         "-Itests/host", "-include", "tests/host/fs_prelude.h"]
BINS = ["init", "sh", "halt", "echo", "ls"]


def record(boot, log):
    """Run crashwork; answer each of its lines after noting how long the write log is. -> console, notes, status"""
    process = subprocess.Popen(boot.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    console, rest, notes = "", "", []
    try:
        while True:
            ready, _, _ = select.select([process.stdout], [], [], CAP * PATIENCE)
            if not ready:
                raise TimeOut(f"TimeOut: crashwork says nothing more\n{tail(console)}")
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                return console, notes, process.wait(timeout=CAP)
            console += piece.decode("utf-8", "replace")
            *lines, rest = (rest + piece.decode("utf-8", "replace")).split("\n")
            for line in lines:
                found = re.search(r"(PROMISE|RETRACT) (\S+)(?: (-?\d+) (\d+))?\r?$", line)
                if found:
                    notes.append((log.stat().st_size, found))
                    process.stdin.write(b"g\n")
                    process.stdin.flush()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stdin.close()


def write_events(path, entries, notes):
    """What happened, in order, as crash_states reads it. A note counts after all that the log held when it was made."""
    notes, position = list(notes), 0
    with open(path, "w") as events, open(f"{path}.data", "wb") as data:
        def note():
            kind, name, size, seed = notes.pop(0)[1].groups()
            events.write(f"P {name} {size} {seed}\n" if kind == "PROMISE" else f"R {name}\n")

        for start, flags, offset, contents in entries:
            while notes and notes[0][0] <= start:
                note()
            if contents:
                events.write(f"W {offset} {len(contents)} {position}\n")
                data.write(contents)
                position += len(contents)
            if flags & blklog.FLUSH:
                events.write("F\n")
        while notes:
            note()


class Workload:
    """One recorded run: base image, events, and the checker."""

    def __init__(self, folder, cpus, workers, rounds):
        self.folder = folder
        self.base = make_image(folder / "base.img", bins=BINS, tests=["crashwork"], size="16M", log=300)
        log = folder / "log.bin"
        log.touch()
        boot = Boot(image=self.base, folder=folder, cpus=cpus, append=f'run="/tests/crashwork {workers} {rounds}; halt"',
                    disk=["{disk}"])
        boot.arguments = [a for a in boot.arguments if a != "{disk}"] + blklog.arguments(boot.image, log)
        self.console, notes, status = record(boot, log)
        check_run(Run(self.console, status, boot))
        assert "crashwork: done" in self.console, tail(self.console)
        self.entries = blklog.entries(log)
        self.promises = sum(found[1] == "PROMISE" for _, found in notes)
        self.events = folder / "events"
        write_events(self.events, self.entries, notes)
        self.writes = sum(bool(data) for _, _, _, data in self.entries)
        self.flushes = sum(bool(flags & blklog.FLUSH) for _, flags, _, _ in self.entries)
        self.tool = build_tool(folder / "crash_states")

    def check(self, *arguments, base=None, events=None):
        return run(self.tool, base or self.base, events or self.events, SEED, *arguments)


def build_tool(to):
    """Optimised and without sanitizers: thousands of recoveries."""
    sources = [line for line in (ROOT / "tests" / "host" / "fs_sources").read_text().splitlines()
               if line and not line.startswith("#") and not line.endswith("fs_model.c")]
    done = run(CC, *FLAGS, "tests/host/crash_states.c", "tests/host/fs_recover.c", *sources, "-o", to)
    assert done.returncode == 0, done.stdout[-4000:]
    return to


@pytest.fixture(scope="module")
def workload(tmp_path_factory):
    return Workload(tmp_path_factory.mktemp("crash"), cpus=2, workers=4, rounds=250)


def test_workload_is_busy(workload):
    assert workload.writes > 400 and workload.flushes > 150 and workload.promises > 200, \
        (workload.writes, workload.flushes, workload.promises)


def test_every_state_recovers_and_keeps_its_promises(workload):
    samples = workload.folder / "samples"
    samples.mkdir()
    done = workload.check(SUBSETS, samples, SAMPLES)
    print(done.stdout[-2000:])
    summary = re.search(r"^crash_states: (\d+) states, (\d+) transactions replayed, (\d+) promises looked at, (\d+) failures$", done.stdout, re.M)
    assert summary, done.stdout[-3000:]
    assert done.returncode == 0 and summary[4] == "0", done.stdout[:6000]
    assert int(summary[1]) >= workload.writes + SUBSETS and int(summary[2]) > 1000 and int(summary[3]) > 10000
    assert len(list(samples.glob("*.promises"))) == SAMPLES


@pytest.mark.parametrize("number", range(SAMPLES))
def test_states_booted_for_real(workload, number):
    """The kernel itself recovers; what it leaves is checked like the others."""
    sample = workload.folder / "samples" / str(number)
    if not sample.exists():
        workload.check(SUBSETS, sample.parent, SAMPLES)
    boot = Boot(image=sample, cpus=2, append='run="ls /; halt"', folder=None)
    try:
        check_run(run_machine(boot))
        done = workload.check("check", base=boot.image, events=f"{sample}.promises")
        assert done.returncode == 0 and ": 1 states" in done.stdout, done.stdout
    finally:
        boot.clean_up()


# ---- Tests of the tests

def test_checker_sees_a_broken_promise(workload, folder):
    """The last promise asks for one byte more than was written."""
    lines = workload.events.read_text().splitlines()
    last = max(i for i, line in enumerate(lines) if line.startswith("P") and not line.endswith(" -1 0"))
    kind, name, size, seed = lines[last].split()
    lines[last] = f"{kind} {name} {int(size) + 1} {seed}"
    events = folder / "events"
    events.write_text("\n".join(lines) + "\n")
    (folder / "events.data").symlink_to(f"{workload.events}.data")
    done = workload.check(1, events=events)
    assert done.returncode == 1 and "bytes, promised were" in done.stdout


def test_checker_sees_a_disk_that_forgets_flushed_writes(workload, folder):
    """Some writes are dropped for good, flushed or not: promises must break, or fsck must object."""
    lines = workload.events.read_text().splitlines()
    writes = [i for i, line in enumerate(lines) if line.startswith("W")]
    for i in writes[len(writes) // 3::5]:
        lines[i] = "F"
    events = folder / "events"
    events.write_text("\n".join(lines) + "\n")
    (folder / "events.data").symlink_to(f"{workload.events}.data")
    done = workload.check(20, events=events)
    assert done.returncode == 1 and "FAIL" in done.stdout


def test_recorded_log_is_the_disk(workload):
    """All writes of the log on top of the base give the image that the run left."""
    image = bytearray(workload.base.read_bytes())
    for _, _, offset, data in workload.entries:
        image[offset:offset + len(data)] = data
    assert bytes(image) == (workload.folder / "disk.img").read_bytes()
