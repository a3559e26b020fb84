"""make grade-all: folders, tarballs and bundles, honest ones and hostile ones; each is graded apart, reported, and not done twice."""
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile

import pytest

from lib.paths import PATIENCE, PYTHON, ROOT

sys.path.insert(0, str(ROOT / "grade"))
import submissions  # noqa: E402

pytestmark = pytest.mark.host
FILE = "kernel/arch/riscv/arch.c"
HOSTILE = {
    "includes_itself": '#include __FILE__\n',
    "endless_include": '#include "/dev/zero"\n',
    "secret": '__asm__(".section .rodata\\n.incbin \\"/etc/shadow\\"");\n',
    "macro_bomb": "#define A x,x,x,x,x,x,x,x,x,x\n" + "".join(
        f"#define {chr(66 + i)} {','.join([chr(65 + i)] * 10)}\n" for i in range(12)) + "int bomb[] = { M };\n",
    "big_object": "char big[1ul << 40] = { 1 };\n",
}


def tar_of(files, links=()):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return data.getvalue()


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """(folder of submissions, folder of results, what was printed)."""
    folder, out = tmp_path_factory.mktemp("submissions"), tmp_path_factory.mktemp("results")
    reference = (ROOT / FILE).read_text()
    (folder / "folder" / "kernel" / "arch" / "riscv").mkdir(parents=True)
    shutil.copy(ROOT / FILE, folder / "folder" / FILE)
    (folder / "tarball.tar.gz").write_bytes(tar_of({f"my-solution/{FILE}": reference, "my-solution/Makefile": "all:\n\t:(){ :|:& };:\n"}))
    subprocess.run([PYTHON, "grade/grade", "lab", "unmap", str(folder / "starter")], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["git", "-C", str(folder / "starter"), "bundle", "create", "-q", str(folder / "bundle.bundle"), "--all"], check=True)
    (folder / "garbage.tar.gz").write_bytes(b"not a tarball")
    (folder / "empty.tar.gz").write_bytes(tar_of({}))
    (folder / "escapes.tar.gz").write_bytes(tar_of({"../../escaped": "x", "/tmp/tamal-escaped": "x", FILE: reference},
                                                   links=[("kernel/mm", "/etc")]))
    for name, text in HOSTILE.items():
        (folder / f"{name}.tar").write_bytes(tar_of({FILE: text + reference}))
    printed = grade(folder, out)
    return folder, out, printed


def grade(folder, out):
    done = subprocess.run([PYTHON, "grade/grade", "all", "--lab", "unmap", "--jobs", "2", "--out", str(out), str(folder)], cwd=ROOT,
                          capture_output=True, text=True, timeout=900 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def result(graded, name):
    return json.loads((graded[1] / f"{name}.json").read_text())


def test_each_kind_is_read(graded):
    assert {name: result(graded, name)["earned"] for name in ("folder", "tarball", "starter", "bundle")} == \
        {"folder": 100, "tarball": 100, "starter": 35, "bundle": 35}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_source_is_contained_and_reported(graded, name):
    """Endless includes, macros and objects end at the limits; a file of the host is not to be had."""
    record = result(graded, name)
    assert record["earned"] in (0, 100) and (record["earned"] == 0 or name == "secret"), record
    if record["earned"] == 0:
        assert {r["ending"] for r in record["checks"]} == {"build"} and record["checks"][0]["seen"]


def test_nothing_is_written_elsewhere(graded):
    assert result(graded, "escapes")["earned"] == 100
    assert not os.path.exists("/tmp/tamal-escaped") and not (graded[0].parent / "escaped").exists()


def test_what_cannot_be_read_is_said(graded):
    assert "no tarball that can be read" in result(graded, "garbage")["error"]
    empty = result(graded, "empty")
    assert empty["earned"] == 0


def test_the_summary_has_everybody_and_the_distribution(graded):
    text = (graded[1] / "summary.txt").read_text()
    assert text == graded[2]
    names = [path.stem for path in graded[1].glob("*.json")]
    assert len(names) == 7 + len(HOSTILE) and all(name in text for name in names)
    assert "mean" in text and text.count(" | ") == 10 and "#" in text and "most missed" in text
    lines = (graded[1] / "results.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["name"] for line in lines) == sorted(names)
    assert (graded[1] / "grades.csv").read_text().startswith("name,earned,points,error,R003-6,")


def test_what_is_done_is_not_done_again(graded):
    """Resumable: only what is new, or has changed, is graded; the rest is taken as it is."""
    folder, out, _ = graded
    times = {path.name: path.stat().st_mtime_ns for path in out.glob("*.json")}
    (out / "folder.json").unlink()
    with open(folder / "starter" / FILE, "a") as file:
        file.write("/* changed */\n")
    grade(folder, out)
    again = {path.name for path in out.glob("*.json") if path.stat().st_mtime_ns != times.get(path.name)}
    assert again == {"folder.json", "starter.json"}


def test_names(tmp_path):
    for name in ("a.tar.gz", "b.bundle", "c.git.bundle", "d.tgz"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "e").mkdir()
    (tmp_path / "notes.txt").write_text("no submission")
    assert sorted(submissions.find(tmp_path)) == ["a", "b", "c", "d", "e"]
