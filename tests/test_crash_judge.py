"""Crash states judged from outside: QEMU logs every write and flush of a busy workload (user/tests/crashload.c); the host
program crash_judge builds the states a crash may leave, every prefix and random subsets of unflushed sectors, lets the
kernel's own mount code recover each, and compares all of it with what had been promised. What the disk is assumed to do, and
when a promise binds, is told at the top of host/crash_judge.c. A sample is booted for real. The last tests prove that the
judge can fail.

CRASH_SUBSETS=20000 and CRASH_SEED=7 in the environment: more states, other states.
"""
import os
import re
import subprocess
from collections import namedtuple

import pytest

from lib.machine import DISK_DEVICE, Machine, assert_clean, batch
from lib.paths import MKFS, PATIENCE, ROOT, flavour, make

SUBSETS = int(os.environ.get("CRASH_SUBSETS", "1000"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
SAMPLES = 8
CC = os.environ.get("HOSTCC", "cc")
# No sanitizers: thousands of recoveries. test_fs.py runs the same code under them.
FLAGS = ["-std=gnu11", "-g", "-O2", "-DDEBUG", "-D_GNU_SOURCE", "-DFS_RECOVER_LIBRARY", "-pthread", "-Wall", "-Wextra",
         "-I.", "-Ikernel", "-Itests/host"]
PRELUDE = ["-include", "tests/host/fs_prelude.h"]
DISK = ["-blockdev", '{"driver":"blklogwrites","node-name":"disk0","log-sector-size":512,'
        '"file":{"driver":"file","filename":"{image}"},"log":{"driver":"file","filename":"{image}.log"}}',
        "-device", DISK_DEVICE]
# A log of at least 257 blocks takes small file data too; one of 64 wraps around and is checkpointed all the time.
LOADS = {"cpus2": dict(cpus=2, log=512, tasks=3, rounds=5), "cpus4": dict(cpus=4, log=64, tasks=4, rounds=4),
         "small": dict(cpus=2, log=300, tasks=3, rounds=12, more=" small")}

Recording = namedtuple("Recording", "base log console folder")


def run(*command):
    return subprocess.run([str(c) for c in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=600 * PATIENCE)


def compile_judge(folder, replace=None):
    """replace: {source: another file to be compiled in its place}."""
    objects, running = [], []
    sources = [line for line in (ROOT / "tests/host/fs_sources").read_text().splitlines() if not line.startswith("#")]
    sources = [s for s in sources if not s.endswith("fs_model.c")] + ["tests/host/fs_recover.c", "tests/host/crash_judge.c"]
    for source in sources:
        objects.append(folder / (source.replace("/", "-") + ".o"))
        prelude = [] if source.startswith("mkfs/") else PRELUDE
        command = [CC, *FLAGS, *prelude, "-c", (replace or {}).get(source, source), "-o", objects[-1]]
        running.append((source, subprocess.Popen([str(c) for c in command], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                                                 stderr=subprocess.STDOUT)))
        if len(running) % 2 == 0:
            running[-2][1].wait()
    for source, compiler in running:
        output, _ = compiler.communicate(timeout=300 * PATIENCE)
        assert compiler.returncode == 0, f"{source}:\n{output[-4000:]}"
    done = run(CC, "-pthread", *objects, "-o", folder / "crash_judge")
    assert done.returncode == 0, done.stdout[-4000:]
    return folder / "crash_judge"


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return compile_judge(tmp_path_factory.mktemp("judge"))


def make_base(path, log):
    make("-s", str(MKFS.relative_to(ROOT)))
    built = flavour(False)
    entries = ["/dev/console=c:1,0", "/dev/null=c:2,0", "/dev/zero=c:3,0", f"/tests/crashload={built}/tests/crashload"]
    entries += [f"/bin/{p}={built}/bin/{p}" for p in ("init", "sh", "ls", "cat", "halt", "echo")]
    done = run(MKFS, "-o", path, "-s", "16M", "-i", 1024, "-l", log, *entries)
    assert done.returncode == 0, done.stdout


def record(folder, cpus, log, tasks, rounds, more=""):
    base = folder / "base.img"
    make_base(base, log)
    (folder / "disk.img.log").touch()
    append = f'run="/tests/crashload {tasks} {rounds} {SEED}{more}; halt"'
    disk = [a.replace("{image}", str(folder / "disk.img")) for a in DISK]
    with Machine(image=base, folder=folder, disk=disk, cpus=cpus, append=append, wait=False) as m:
        for number in range(1, rounds + 1):
            m.expect([rf"\nquiet: {number}\r?\n", "FAIL"])
            assert m.which == 0, m.log[-2000:]
            m.log += f"\nposition: {number} {(folder / 'disk.img.log').stat().st_size}\n"
            m.send("\r")
        m.expect("crashload: done")
        m.finish()
    (folder / "console").write_text(m.log.replace("\r", ""))
    return Recording(base, folder / "disk.img.log", folder / "console", folder)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    made = {}

    def recording(load):
        if load not in made:
            made[load] = record(tmp_path_factory.mktemp(load), **LOADS[load])
        return made[load]
    return recording


def judged(judge, recording, *options):
    done = run(judge, *options, recording.base, recording.log, recording.console)
    assert done.returncode in (0, 1), f"crash_judge: {done.returncode}\n{done.stdout[-4000:]}"
    return done


def number(pattern, text):
    return int(re.search(pattern, text)[1])


@pytest.mark.parametrize("load", LOADS)
def test_every_state_recovers(load, judge, recordings):
    done = judged(judge, recordings(load), "-n", SUBSETS, "-s", SEED)
    print(f"\n{load}: " + done.stdout[-6000:])
    assert done.returncode == 0, done.stdout[-6000:]
    assert number(r"(\d+) subsets", done.stdout) >= SUBSETS
    assert number(r"(\d+) prefixes", done.stdout) >= number(r"(\d+) entries", done.stdout)
    assert number(r"(\d+) promises", done.stdout) > 50 and number(r"(\d+) transactions", done.stdout) > 100
    assert number(r"(\d+) orphans", done.stdout) > 0


@pytest.mark.parametrize("load", LOADS)
def test_a_sample_boots(load, judge, recordings):
    """States as the crash left them: fsck sees them consistent, the kernel mounts and lists them, fsck likes what is left."""
    recording = recordings(load)
    judged(judge, recording, "-n", 100, "-s", SEED + 1, "-d", recording.folder, "-k", SAMPLES)
    images = sorted(recording.folder.glob("state-*.img"))
    assert len(images) >= SAMPLES // 2
    for image in images[::len(LOADS)]:
        assert_clean(image)
        # The directories that are there, by the judge's own reader; each is listed, and the whole tree must come out.
        wanted = set(image.with_suffix(".names").read_text().split()) - {"/"}
        listed = sorted(p for p in wanted if p == "/crash" or re.search(r"-d\d$", p))
        ran = batch("; ".join(f"echo @{d}; ls -a {d}" for d in listed) or "ls /", image=image, cpus=2)
        seen, at = set(listed), None
        for line in ran.lines:
            at = line[1:] if line.startswith("@") else at
            seen |= {f"{at}/{word}" for word in line.split() if at and re.fullmatch(r"[tm]\d+(-[nd]\d+)?|n\d+", word)}
        assert seen >= wanted, f"{image.name}: missing {sorted(wanted - seen)}"


# ---- The judge can fail

def test_judge_needs_flushes(judge, recordings):
    """A disk whose FLUSH does nothing loses promises, and the judge sees it."""
    done = judged(judge, recordings("cpus2"), "-n", 200, "-s", SEED, "-x", 6)
    assert done.returncode == 1 and number(r"(\d+) failed states", done.stdout) > 10, done.stdout[-3000:]
    assert "which was promised" in done.stdout


def test_judge_sees_a_wrong_byte_in_the_log(judge, recordings):
    """One wrong byte may hit a transaction that is home already, which no state needs: of many places some must be missed."""
    for load in LOADS:
        for place in range(1, 5):
            done = judged(judge, recordings(load), "-n", 50, "-s", SEED, "-c", place)
            if done.returncode == 1 and "which was promised" in done.stdout:
                return
    pytest.fail(f"no wrong byte was seen\n{done.stdout[-3000:]}")


def test_judge_sees_recovery_without_checksums(folder, recordings):
    """Torn transactions are really there: recovery that believes every descriptor replays garbage."""
    source = (ROOT / "kernel/fs/recover.c").read_text()
    wrong = source.replace("checksum != r->group->body_checksum", "false")
    assert wrong != source, "recover.c has changed: change this test too"
    (folder / "recover.c").write_text(wrong)
    wrong_judge = compile_judge(folder, {"kernel/fs/recover.c": folder / "recover.c"})
    done = judged(wrong_judge, recordings("cpus2"), "-n", 300, "-s", SEED)
    assert done.returncode == 1, done.stdout[-3000:]


def test_judge_sees_recovery_that_forgets(folder, recordings):
    """Recovery that stops after the first transaction breaks promises although fsck finds nothing wrong with the result."""
    source = (ROOT / "kernel/fs/recover.c").read_text()
    wrong = source.replace("r->transactions++;", "r->transactions++; return 0;")
    assert wrong != source, "recover.c has changed: change this test too"
    (folder / "recover.c").write_text(wrong)
    wrong_judge = compile_judge(folder, {"kernel/fs/recover.c": folder / "recover.c"})
    done = judged(wrong_judge, recordings("cpus2"), "-n", 50, "-s", SEED)
    assert done.returncode == 1 and "which was promised" in done.stdout, done.stdout[-3000:]
