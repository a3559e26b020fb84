"""The grader, graded: every ending gets its word, liars earn nothing, everything but the student's files is as it was given, runs do not
disturb each other, one record becomes many outputs. The eight requirements that graders have to meet are named in the tests.

The machines run tests/grading/99-endings in the place of a lab, and the real lab `unmap`.
"""
import argparse
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from lib.paths import PATIENCE, PYTHON, ROOT

sys.path.insert(0, str(ROOT / "grade"))
import command  # noqa: E402
import labs  # noqa: E402
import records  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
import trees  # noqa: E402
from guest import WALL, Guest, HostError, Symbols  # noqa: E402

pytestmark = pytest.mark.host
ENDINGS = ROOT / "tests" / "grading" / "99-endings"


# ---- Records

def test_the_tag_is_siphash():
    """The vector of the algorithm's authors: key 00..0f, message 00..0e."""
    key = bytes(range(16))
    words = (key[:8][::-1] + key[8:][::-1]).hex()
    assert records.tag(words, bytes(range(15))) == 0xa129ca6149be45e5


def lines_of(key, *texts):
    return "".join(f"@{t.split()[0]} {records.tag(key, t.encode()):016x} {t.split(' ', 1)[1]}\n" for t in texts)


def test_reader_takes_whole_records_of_its_own_key_only():
    """3, 4: records are whole lines with this run's tag; others are counted and ignored."""
    key, other = "0" * 31 + "1", "0" * 31 + "2"
    reader = records.Reader(key)
    good = lines_of(key, "1 begin x", "2 pass 3", "3 end 0 0 0")
    assert reader.feed(good[:20]) + reader.feed(good[20:]) == 3
    reader.feed(lines_of(other, "4 pass 100"))
    reader.feed(good)
    assert (len(reader.records), reader.forged, reader.repeated, reader.gap()) == (3, 1, 3, 0)
    reader.feed("text before " + lines_of(key, "5 note x"))
    assert len(reader.records) == 3
    reader.feed(lines_of(key, "6 note x"))
    assert reader.gap() == 4


def test_a_submission_brings_no_build_folder(tmp_path):
    """With a build/ of its own, newer than every source, or leading elsewhere, a submission would bring a compiler's work and mkfs itself."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "build").symlink_to(tmp_path / "victim")
    options = argparse.Namespace(source=str(theirs), pristine=str(ours))
    assert command.work_folder(options, labs.find(ROOT, ["unmap"])[0]) == ours / "build" / "grade" / "02-unmap"


def test_who_stole_the_key_cannot_break_the_reader():
    key = "0" * 32
    reader = records.Reader(key)
    assert reader.feed(lines_of(key, "1 begin x", "2 pass many", "3 end ", "4 end 1e9 0", "9" * 5000 + " note x")) == 1
    assert reader.feed(lines_of(key, *(f"{n} note x" for n in range(2, 20000)))) == 19998


# ---- A tree with the lab of endings, built once

@pytest.fixture(scope="module")
def lab_tree(tmp_path_factory):
    tree = {**trees.snapshot(ROOT), **{f"labs/{ENDINGS.name}/{name}": both for name, both in trees.snapshot(ENDINGS).items()}}
    folder = tmp_path_factory.mktemp("graded") / "tree"
    trees.lay_out({name: both for name, both in tree.items() if not name.startswith("tests/")}, folder)
    return folder


@pytest.fixture(scope="module")
def lab(lab_tree):
    return labs.load(lab_tree / "labs" / ENDINGS.name)


@pytest.fixture(scope="module")
def built(lab_tree, lab):
    return trees.Built(lab_tree, lab)


@pytest.fixture(scope="module")
def results(built, lab):
    return {result["id"]: result for result in run.Grading(built, lab.checks).run()}


WORDS = {"good": ("pass", "done"), "wrong": ("fail", "done"), "looks_at_nothing": ("fail", "done"), "waits_for_ever": ("fail", "deadlock"),
         "spins": ("fail", "livelock"), "reports_for_ever": ("fail", "timeout"), "dies": ("fail", "evicted"), "exits": ("fail", "off"),
         "resets": ("fail", "reboot"), "halts": ("skip", ""), "floods": ("fail", "flood")}


@pytest.mark.parametrize("name", WORDS)
def test_every_ending_has_its_word(results, name):
    """1, 2: done, deadlock, livelock, timeout, evicted, off, reboot and endless output are told apart."""
    result = results[name]
    assert (result["status"], result["ending"]) == WORDS[name], result
    if result["status"] == "fail":
        assert result["seen"] and result["hint"]["en"] and result["hint"]["es"]


def test_a_failure_teaches(results):
    """6: what was expected, what was seen, the hint of this very mistake in both languages; dependents are skipped, not failed."""
    wrong = results["wrong"]
    assert wrong["seen"] == "the answer: expected 4, saw 3" and wrong["hint"] == {"en": "three is not four", "es": "tres no es cuatro"}
    assert results["halts"]["status"] == "skip" and results["halts"]["seen"] == "wrong" and results["halts"]["earned"] == 0
    assert results["looks_at_nothing"]["hint_key"] == "garbled"
    assert "fault: pid=1" in results["dies"]["seen"]
    assert "every task waits" in results["waits_for_ever"]["seen"]


@pytest.mark.parametrize("name", ["prints_the_expected", "repeats_itself", "lies_in_a_child", "hangs_after_printing", "cuts_records"])
def test_liars_earn_nothing(results, name):
    """4: the expected lines printed, a record repeated, made up in a child, printed before a hang, one left out."""
    result = results[name]
    assert result["status"] == "fail" and result["earned"] == 0, result


# ---- The kernel's own endings

BODIES = {
    "panic": 'panic("the student asked for it");',
    "trap": "*(volatile int *)8 = 1;",
    "silent": "for (;;) ;",
    "clock": "irq_off(); for (;;) ;",
}


@pytest.fixture(scope="module")
def unmap(tmp_path_factory):
    """Grades a body of unmap_page(), or a change elsewhere: the result of its first check."""
    lab = labs.find(ROOT, ["unmap"])[0]
    reference, work = trees.snapshot(ROOT), tmp_path_factory.mktemp("unmap")
    file = "kernel/arch/riscv/arch.c"

    def grade(body, where=r"(void unmap_page\([^)]*\)\n\{\n)", check="R003-6", **more):
        data, mode = reference[file]
        text, n = re.subn(where, lambda m: m[1] + "    " + body + "\n", data.decode(), count=1)
        assert n == 1
        tree = {**reference, file: (text.encode(), mode)}
        return run.grade(tree, lab, work / "tree", checks=[lab.find(check)], **more)["checks"][0]
    grade.folder = work
    return grade


def test_a_panic_names_the_functions(unmap):
    result = unmap(BODIES["panic"])
    assert result["ending"] == "panic" and re.search(r"asked for it \(in unmap_page, called by .*entry_is_cleared.*, demo_check", result["seen"]), result


def test_an_unexpected_trap_is_no_panic(unmap):
    result = unmap(BODIES["trap"])
    assert result["ending"] == "trap" and "unmap_page" in result["seen"] and "va=0x8" in result["seen"], result


def test_a_silent_boot(unmap):
    result = unmap(BODIES["silent"], where=r"(void map_kernel_memory\(void\)\n\{\n)")
    assert result["ending"] in ("silent", "livelock") and result["status"] == "fail", result
    assert any("map_kernel_memory" in line for line in [result["seen"], *result["more"]])


def test_interrupts_that_stay_off(unmap):
    result = unmap(BODIES["clock"])
    assert result["ending"] == "livelock" and "the clock stands still" in result["seen"] and "unmap_page" in result["seen"], result


def test_what_does_not_build_is_said_with_the_compilers_words(unmap):
    result = unmap("int x = nosuchname;")
    assert result["ending"] == "build" and "nosuchname" in result["seen"] and result["earned"] == 0


# ---- A kernel that cheats

def test_a_kernel_that_powers_off_early(unmap):
    result = unmap("machine_off(0);")
    assert (result["status"], result["ending"]) == ("fail", "off"), result


def test_a_kernel_that_replays_a_recorded_console(unmap):
    """4: the records of a perfect run, printed by the kernel, with and without an end of the machine."""
    perfect = unmap("", where=r"(void map_kernel_memory\(void\)\n\{\n)")
    assert perfect["status"] == "pass", perfect
    lines = [line for line in perfect["console"].replace("\r", "").splitlines() if line.startswith("@")]
    assert len(lines) == 3
    replay = f'printk("%s", "{chr(92)}n{(chr(92) + "n").join(lines)}{chr(92)}n");'
    for end in ("", "machine_off(0);"):
        result = unmap(f"(void)root, (void)va, (void)free_frame; {replay} {end} return;")
        assert result["status"] == "fail" and result["earned"] == 0, result
        assert any("forged" in line for line in result["more"]), result


def test_a_student_cannot_blame_the_host(unmap):
    """What a source says while it is compiled is not taken for what the machine that grades says."""
    result = unmap("\n#error tools/setup: the compiler is not installed\n")
    assert result["ending"] == "build" and result["earned"] == 0


def test_somebody_elses_file_is_not_included(unmap):
    """Where there is no sandbox, the reference may lie where a student guesses: the compiler notes what it has read."""
    (unmap.folder / "given.h").write_text("int given;\n")
    result = unmap(f"""\n#include "{unmap.folder}/given.h"\n""", where="(^)")
    assert result["ending"] == "build" and "not part of the tree" in result["seen"] and "given.h" in result["seen"], result


def test_long_lines_are_cut(unmap):
    result = unmap(r'''printk("\npanic: "); for (int i = 0; i < 3000; i++) printk("%100d", i); printk("\xef\xbf\xbf\n"); for (;;) ;''')
    assert result["ending"] == "panic" and max(len(line) for line in [result["seen"], result["detail"], *result["more"]]) <= run.SEEN_MAX


def test_the_kernels_clock_is_found_among_others(tmp_path):
    """A student's file may have a static `ticks`, too; a symbol's name may be any bytes."""
    odd = '__asm__(".pushsection .data\\n\\"a\xff\\":\\n.popsection");'
    for name, more in (("clock", ""), ("sweeper", ""), ("x", odd)):
        text = f"static volatile long ticks[9] = {{1}}; void {name}(void) {{ ticks[0]++; }} {more}\n"
        (tmp_path / f"{name}.c").write_bytes(text.encode("latin-1"))
    subprocess.run(["cc", "-c", "clock.c", "sweeper.c", "x.c"], cwd=tmp_path, check=True)
    for place, order in enumerate((["clock.o", "sweeper.o", "x.o"], ["x.o", "clock.o", "sweeper.o"], ["x.o", "sweeper.o", "clock.o"])):
        subprocess.run(["ld", "-r", "-o", "all.o", *order], cwd=tmp_path, check=True)
        symbols = Symbols(tmp_path / "all.o")
        assert symbols.ticks == sorted(address for address, name in symbols.known if name == "ticks")[place]


# ---- Nothing but the student's files counts

def test_the_rest_is_as_it_was_given(unmap, tmp_path):
    """4: a grader, a Makefile, a header of checks that a student changed are not what is used."""
    lab = labs.find(ROOT, ["unmap"])[0]
    pristine = trees.snapshot(ROOT)
    submission = dict(pristine)
    for name in ("Makefile", "labs/kernel_check.h", "labs/02-unmap/checks.c", "grade/run.py", "kernel/mm/kalloc.c"):
        submission[name] = (b"all of it is mine\n", 0o644)
    submission["kernel/arch/riscv/arch.c"] = (pristine["kernel/arch/riscv/arch.c"][0] + b"/* mine */\n", 0o644)
    submission["kernel/arch/riscv/more.c"] = (b"#error not asked for\n", 0o644)
    tree = trees.compose(pristine, submission, lab.files)
    changed = {name for name in tree if tree[name] != pristine.get(name)}
    assert changed == {"kernel/arch/riscv/arch.c"} and set(tree) == set(pristine)


def test_a_students_repository_knows_what_it_was_given(tmp_path):
    """4: `make grade` in a student's tree takes everything else from the first commit."""
    folder = tmp_path / "student"
    done = subprocess.run([PYTHON, "grade/grade", "lab", "unmap", str(folder)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder / "labs" / "kernel_check.h").write_text("#error changed\n")
    (folder / "Makefile").write_text("all:\n\ttouch /tmp/never\n")
    done = subprocess.run([PYTHON, "grade/grade", "--check", "R003-6-page"], cwd=folder, capture_output=True, text=True,
                          timeout=300 * PATIENCE)
    assert done.returncode == 0 and "10/10" in done.stdout, done.stdout + done.stderr


def test_a_students_tree_has_no_solution(tmp_path):
    folder = tmp_path / "student"
    assert subprocess.run([PYTHON, "grade/grade", "lab", "unmap", str(folder)], cwd=ROOT, capture_output=True).returncode == 0
    log = subprocess.run(["git", "-C", str(folder), "log", "-p", "--all"], capture_output=True, text=True).stdout
    assert log.count("\ncommit ") + log.startswith("commit ") == 1
    assert "flush_cpus(ALL_CPUS);" not in log and "mutants" not in [p.name for p in folder.rglob("*")]
    assert not list(folder.rglob("starter.patch")) and not (folder / "kernel" / "arch" / "i386").exists()
    assert subprocess.run([PYTHON, "grade/grade", "lab", "unmap", str(folder)], cwd=ROOT, capture_output=True).returncode == 2


# ---- The same verdict whatever the host does

def console_of(built, lab, name, seed, key="5" * 32):
    check = lab.find(name)
    folder = Path(built.folder).parent
    guest = Guest(built.kernel, lab.machine, cpus=check.cpus, seed=seed, key=key,
                  image=built.image(folder / f"{name}-{seed}-{os.getpid()}.img", f"{key}{seed:016x} {name}"))
    with guest:
        guest.run()
        return guest.console


def test_a_busy_host_changes_nothing(built, lab):
    """2, 7: the same seed is the same run, byte for byte, also when other work takes the host's processors eightfold."""
    quiet = console_of(built, lab, "good", 7)
    others = [subprocess.Popen([PYTHON, "-c", "while True: pass"]) for _ in range(8 * (os.cpu_count() or 1))]
    try:
        busy = console_of(built, lab, "good", 7)
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert quiet == busy and "@1 " in quiet


def test_the_key_does_not_change_the_run():
    """7: each run has another key; reading it and printing tags takes as many instructions with any, or a seed would be many runs."""
    keys = {run.new_key() for _ in range(200)}
    assert len(keys) == 200 and all(re.fullmatch("[0-9]{32}", key) for key in keys)
    assert all(records.tag(key, b"1 begin x") >> 60 for key in keys)


def test_runs_side_by_side_are_apart(built, lab, tmp_path, monkeypatch):
    """5: eight at once, each with its own folder, disk and sockets; nothing is left behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))          # others may grade on this machine meanwhile
    checks = [labs.Check(f"good-{n}", {"en": "", "es": ""}, 1, guest="good", hints={"": {"en": "", "es": ""}}) for n in range(8)]
    results = run.Grading(built, checks, jobs=8).run()
    assert [result["status"] for result in results] == ["pass"] * 8
    assert not list(tmp_path.iterdir())


def test_an_emulator_that_is_killed_is_nobodys_fault(built, lab):
    """8: what the host did is not the student's: an infrastructure error, exit status 2."""
    check = lab.find("reports_for_ever")
    folder = Path(built.folder).parent
    with run.start_guest(built, check, cpus=1, seed=1, folder=str(folder)) as guest:
        start = guest.start

        def start_and_kill():
            start()
            guest.process.kill()
        guest.start = start_and_kill
        with pytest.raises(HostError, match="from outside"):
            guest.run()


def test_an_emulator_that_breaks_down_is_the_kernels_doing(built, lab):
    """It aborts where a kernel does what no kernel does: this check fails, the others go on."""
    with run.start_guest(built, lab.find("reports_for_ever"), cpus=1, seed=1, folder=str(Path(built.folder).parent)) as guest:
        start = guest.start

        def start_and_abort():
            start()
            guest.process.send_signal(signal.SIGABRT)
        guest.start = start_and_abort
        ending = guest.run()
    assert ending.word == "off" and "SIGABRT" in ending.detail


@pytest.mark.parametrize("ticks, word", [([1, 5, 3], "livelock"), (range(10 ** 9), "timeout")])
def test_a_kernel_cannot_stop_the_clock(built, lab, monkeypatch, ticks, word):
    """The clock is in the kernel's memory: one that goes back, or on too slowly, ends the run, and is not the host's fault."""
    monkeypatch.setattr("guest.WALL", WALL if word == "livelock" else -1)
    with run.start_guest(built, lab.find("reports_for_ever"), cpus=1, seed=1, folder=str(Path(built.folder).parent)) as guest:
        values = iter(ticks)
        guest.ticks, guest.quiet = lambda: next(values), 10 ** 9
        assert guest.run().word == word


def test_a_debugger_that_gets_lost_is_left(built, lab, monkeypatch):
    with run.start_guest(built, lab.find("good"), cpus=1, seed=1, folder=str(Path(built.folder).parent)) as guest:
        guest.monitor = argparse.Namespace(human=lambda line: "", socket=argparse.Namespace(close=lambda: None))
        monkeypatch.setattr("shutil.which", lambda name: "gdb")

        def lost(*words, timeout, **more):
            raise subprocess.TimeoutExpired(words, timeout)
        monkeypatch.setattr("guest.subprocess.run", lost)
        assert guest.who_waits() == []


def test_a_check_that_meets_nonsense_fails(built):
    """What an outside check reads, the student's kernel wrote."""
    check = labs.Check("x", {"en": "", "es": ""}, 1, outside=lambda look: int("nonsense"))
    result = run.run_outside(built, check, seed=1, folder="")
    assert result["status"] == "fail" and "nonsense" in result["seen"]


def test_an_error_of_the_grader_is_exit_status_2(monkeypatch, capsys):
    def broken(options, language):
        raise KeyError("x")
    monkeypatch.setattr(command, "grade_labs", broken)
    assert command.main(["--lab", "unmap"]) == 2 and "nothing was graded" in capsys.readouterr().err


def test_ctrl_c_ends_at_once(built, lab):
    """The machines that still run are ended; nobody waits for them."""
    def say(result):
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        run.Grading(built, [lab.find("good"), lab.find("reports_for_ever")], jobs=2, say=say).run()
    assert not Guest.all


def test_two_at_once_in_a_tree_wait_for_each_other(tmp_path):
    order = []

    def second():
        with run.alone(tmp_path, lambda: order.append("waits")):
            order.append("second")
    with run.alone(tmp_path, lambda: None):
        other = threading.Thread(target=second)
        other.start()
        while not order:
            time.sleep(0.01)
        order.append("first")
    other.join()
    assert order == ["waits", "first", "second"]


# ---- Hosts of honest students

def test_what_was_handed_out_has_its_line_ends(tmp_path, monkeypatch):
    """A host that makes CRLF of them, and a hook that says where its own repository is, change nothing."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "run").write_bytes(b"#!/bin/sh\n")
    (tree / "run").chmod(0o755)
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", trees.STARTER_SUBJECT]):
        subprocess.run(["git", *words], cwd=tree, check=True)
    (tmp_path / ".gitconfig").write_text("[core]\n\tautocrlf = true\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "none"))
    assert trees.first_commit(tree) == {"run": (b"#!/bin/sh\n", 0o755)}


def test_without_git_there_is_no_first_commit(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert trees.first_commit(tmp_path) is None and trees.files_of(tmp_path) == ["file"]


def test_a_build_may_have_more_processes_than_there_are(tmp_path):
    """The limit counts all of a user's threads: those of a desktop are not the build's."""
    status, output = trees.run_limited([shutil.which("bash"), "-c", "ulimit -u"], tmp_path)
    assert status == 0 and int(output) >= trees.own_threads() + trees.BUILD_PROCESSES // 2 > 200


def test_a_host_may_have_lower_limits(tmp_path):
    script = f"import sys; sys.path.insert(0, {str(ROOT / 'grade')!r}); import trees; print(trees.run_limited(['true'], '.'))"
    done = subprocess.run(["bash", "-c", 'ulimit -f 100000; ulimit -v 900000; exec "$@"', "-", PYTHON, "-c", script], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.stdout == "(0, '')\n", done.stderr


def test_no_emulator_is_exit_status_2(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in (path for place in os.environ["PATH"].split(":") if Path(place).is_dir() for path in Path(place).iterdir()):
        if not tool.name.startswith("qemu-system") and not os.path.lexists(folder / tool.name):
            (folder / tool.name).symlink_to(tool)
    done = subprocess.run([PYTHON, "grade/grade", "--lab", "unmap", "--check", "R003-6"], cwd=ROOT, capture_output=True, text=True,
                          timeout=300 * PATIENCE, env={**os.environ, "PATH": str(folder), "LANG_HINTS": "es", "LC_ALL": "POSIX",
                                                           "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"})      # which has no á
    assert done.returncode == 2 and "no se calific" in done.stderr, done.stdout + done.stderr


# ---- One record, many outputs

@pytest.fixture(scope="module")
def record(results, lab):
    return [run.record_of(lab, [results[check.id] for check in lab.checks], 0)]


def test_outputs_agree(record):
    """8."""
    text = report.text(record, "es")
    assert "tres no es cuatro" in text and "Total: 5 de 80 puntos" in text and "interbloqueo" in text
    assert "CHECK=wrong SEED=1" in text and "GDB=1" in text
    data = json.loads(report.as_json(record))
    assert (data["earned"], data["points"]) == (5, 80)
    tree = xml.fromstring(report.as_junit(record, "en"))
    suite = tree.find("testsuite")
    assert (int(suite.get("tests")), int(suite.get("failures")), int(suite.get("skipped"))) == (16, 14, 1)
    rows = list(csv.DictReader(io.StringIO(report.as_csv(record))))
    assert sum(int(row["earned"]) for row in rows) == 5 and {row["ending"] for row in rows} >= {"deadlock", "livelock", "reboot"}
    scope = json.loads(report.as_gradescope(record, "en"))
    assert scope["score"] == 5 and len(scope["tests"]) == 16 and scope["tests"][0]["visibility"] == "visible"
    room = json.loads(report.as_classroom(record, "en"))
    assert (room["status"], room["score"], room["max_score"]) == ("fail", 5, 80)
    assert {test["status"] for test in room["tests"]} == {"pass", "fail"}
    room = json.loads(report.as_classroom50(record, "es"))
    assert (room["schema"], room["score"], room["max-score"]) == ("classroom50/result/v1", 5, 80)
    assert sum(test["score"] for test in room["tests"]) == 5 and sum(test["passed"] is True for test in room["tests"]) == 1
    for test in scope["tests"]:                             # what Gradescope's specification knows, and no more
        assert test["status"] in ("passed", "failed") and test["output_format"] == "text" and 0 <= test["score"] <= test["max_score"]
        assert set(test) == {"name", "number", "score", "max_score", "status", "output", "output_format", "visibility", "tags"}
        assert isinstance(test["number"], str) and test["visibility"] in ("hidden", "after_due_date", "after_published", "visible")


def test_xml_holds_whatever_a_kernel_prints(record):
    odd = [{**record[0], "checks": [{**result, "seen": "\uffff\ud800 <&> \x07"} for result in record[0]["checks"]]}]
    assert len(list(xml.fromstring(report.as_junit(odd, "es")).iter("failure"))) == 14


def test_hidden_checks_are_hidden(lab_tree, lab):
    hidden = lab_tree / "labs" / ENDINGS.name / "hidden.py"
    hidden.write_text('lab.check("secret", "s", es="s", guest="good", points=5, hint=("h", "p"))\n')
    try:
        assert [check.id for check in labs.load(hidden.parent).checks if check.hidden] == ["secret"]
    finally:
        hidden.unlink()
