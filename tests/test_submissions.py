"""make grade-all: folders, tarballs and bundles, honest ones and hostile ones; each is graded apart, reported, and not done twice."""
import argparse
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

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


# ---- What is read of a submission, and how

GLOBS = [FILE]


def git(folder, *words):
    return subprocess.run(["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@y", *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / FILE).parent.mkdir(parents=True)
    (folder / FILE).write_text("mine\n")
    git(folder.parent, "init", "-q", "-b", "main", str(folder))
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "mine")
    return folder


def test_a_repository_runs_nothing(repository, tmp_path):
    """Git obeys a repository's own settings: so it is not asked about a student's folder."""
    ran = tmp_path / "ran"
    for name in ("core.fsmonitor", "filter.x.clean", "filter.x.smudge", "diff.external", "core.sshCommand"):
        git(repository, "config", name, f"touch {ran}; cat")
    (repository / ".gitattributes").write_text("* filter=x\n")
    (repository / ".gitignore").write_text("*\n")
    assert submissions.read(repository, GLOBS) == {FILE: (b"mine\n", 0o644)} and not ran.exists()


@pytest.mark.parametrize("refs", [["main"], ["HEAD"], ["--all"]])
def test_a_bundle_needs_no_head(repository, tmp_path, refs):
    git(repository, "bundle", "create", "-q", str(tmp_path / "x.bundle"), *refs)
    assert submissions.read(tmp_path / "x.bundle", GLOBS) == {FILE: (b"mine\n", 0o644)}


def test_a_bundle_fills_no_disk(repository, tmp_path):
    """A few kilobytes that a checkout would make 300 GB of: one blob of zeros under many names, in many folders."""
    with open(tmp_path / "zeros", "wb") as file:
        file.truncate(300 << 20)
    tree = git(repository, "hash-object", "-w", str(tmp_path / "zeros")).stdout.decode().strip()
    for kind in ("100644 blob", "040000 tree", "040000 tree"):
        rows = "".join(f"{kind} {tree}\tn{n}\n" for n in range(10))
        tree = subprocess.run(["git", "-C", str(repository), "mktree"], input=rows, text=True, capture_output=True, check=True).stdout.strip()
    (tmp_path / "zeros").unlink()
    git(repository, "read-tree", "--prefix=more/", tree)
    git(repository, "commit", "-qm", "bomb")
    git(repository, "bundle", "create", "-q", str(tmp_path / "x.bundle"), "main")
    assert (tmp_path / "x.bundle").stat().st_size < 1 << 20
    assert submissions.read(tmp_path / "x.bundle", GLOBS) == {FILE: (b"mine\n", 0o644)}


def test_a_tarball_fills_no_memory(tmp_path):
    """Its first header alone says that 4 GB of names follow."""
    with gzip.open(tmp_path / "x.tar.gz", "wb", compresslevel=1) as file:
        member = tarfile.TarInfo("pax")
        member.type, member.size = tarfile.XHDTYPE, 4 << 30
        file.write(member.tobuf())
        for _ in range(80):
            file.write(bytes(1 << 20))
    with pytest.raises(submissions.Unreadable, match="larger than"):
        submissions.read(tmp_path / "x.tar.gz", GLOBS)


@pytest.mark.parametrize("names", [["._mine", "mine/._x", "mine/" + FILE], ["__MACOSX/._x", "a/b/" + FILE], ["./" + FILE, "./old/" + FILE],
                                   [".DS_Store", "kernel/notes", FILE, "zzz"]])
def test_a_tree_is_found_wherever_it_was_packed(tmp_path, names):
    (tmp_path / "x.tar.gz").write_bytes(tar_of({name: name for name in names}))
    assert list(submissions.read(tmp_path / "x.tar.gz", GLOBS)) == [FILE]
    assert "old" not in submissions.read(tmp_path / "x.tar.gz", GLOBS)[FILE][0].decode()
    for name in names:
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_text("x")
    assert submissions.read(tmp_path / "folder", GLOBS) == {FILE: (b"x", 0o644)}


def test_odd_files_of_a_folder_are_not_read(tmp_path):
    (tmp_path / FILE).parent.mkdir(parents=True)
    secret = tmp_path / "secret"
    secret.write_text("x")
    for make in (lambda path: path.symlink_to(secret), os.mkfifo, lambda path: path.mkdir()):
        make(tmp_path / FILE)
        assert submissions.read(tmp_path, GLOBS) == {}
        (shutil.rmtree if (tmp_path / FILE).is_dir() and not (tmp_path / FILE).is_symlink() else os.unlink)(tmp_path / FILE)
    (tmp_path / FILE).write_text("x")
    open(os.fsencode(tmp_path) + b"/a\xf1o", "w").close()           # no UTF-8
    assert submissions.read(tmp_path, GLOBS) == {FILE: (b"x", 0o644)}


def test_who_packed_without_rights_loses_nothing(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        member = tarfile.TarInfo(FILE)
        member.mode = 0
        tar.addfile(member)
    assert submissions.read(tmp_path / "x.tar", GLOBS) == {FILE: (b"", 0o644)}


def test_a_result_that_was_cut_is_made_again(tmp_path):
    (tmp_path / "x.json").write_text('{"mark": "un')
    assert submissions.known_mark(tmp_path / "x.json") is None and submissions.known_mark(tmp_path / "none.json") is None


# ---- What a build can see

def test_a_build_sees_no_solution():
    """Of the lab's patches, which hold the solution, and of the reference's objects, none lies in the tree that is built."""
    lab = submissions.labs.find(ROOT, ["unmap"])[0]
    given = submissions.given_tree(lab, ROOT / "labs", "/nowhere")
    assert FILE in given and given[FILE][0] != (ROOT / FILE).read_bytes()
    assert not [name for name in given if name.startswith("labs/") or name.endswith(".patch") or "hidden" in name]


@pytest.mark.skipif(not submissions.trees.sandbox(ROOT), reason="bubblewrap is not here")
def test_a_build_sees_the_compilers_and_itself(tmp_path):
    """Neither the instructor's tree nor other submissions, wherever they lie."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "mine").write_text("mine")
    (tmp_path / "other").write_text("other")
    script = (f"cat mine; ls {tmp_path}; ls {ROOT}; ls / /etc; cc --version >/dev/null && echo compiler; touch {ROOT}/no /usr/no; "
              "setsid sleep 5577 &")
    status, output = submissions.trees.run_limited(["sh", "-c", script], tmp_path / "tree", contained=True)
    words = output.split()
    assert "mine" in output and "compiler" in words and "other" not in words and "grade" not in words and "home" not in words
    assert "shadow" not in words and "passwd" not in words and not (ROOT / "no").exists()
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists() and b"5577" in path.read_bytes().split(b"\0")]


# ---- Many

def test_odd_names(tmp_path, monkeypatch):
    """A line end, a space, a quote, no UTF-8: with GNU parallel and without, each submission comes to its command as it is called."""
    folder, out = tmp_path / "all of it", tmp_path / "my $(grades)"
    names = [b"two\nlines", b"a 'b' \"c\" $(d)", b"Mu\xf1oz", b"-x", b"{}"]
    for name in names:
        os.makedirs(os.path.join(os.fsencode(folder), name))
    command = tmp_path / "grade"
    command.mkdir()
    (command / "grade").write_text("import os, sys\nopen(os.path.join(os.path.dirname(__file__), 'seen'), 'ab').write("
                                   "b'\\0'.join(map(os.fsencode, sys.argv[1:])) + b'\\0\\n\\0')\n")
    monkeypatch.setattr(submissions.labs, "HERE", command)
    lab = submissions.labs.find(ROOT, ["unmap"])[0]
    for path in (os.environ["PATH"], os.path.dirname(PYTHON) + "x"):
        monkeypatch.setenv("PATH", path)
        assert submissions.run_all(lab, submissions.find(folder), argparse.Namespace(out=str(out), jobs=1)) == 0
        calls = (command / "seen").read_bytes().split(b"\0\n\0")[:-1]
        (command / "seen").unlink()
        assert sorted(os.path.basename(call.split(b"\0")[-1]) for call in calls) == sorted(names)
        assert {call.split(b"\0")[4] for call in calls} == {os.fsencode(out)}


def test_names(tmp_path):
    for name in ("a.tar.gz", "b.bundle", "c.git.bundle", "d.tgz"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "e").mkdir()
    (tmp_path / "notes.txt").write_text("no submission")
    assert sorted(submissions.find(tmp_path)) == ["a", "b", "c", "d", "e"]
