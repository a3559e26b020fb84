"""Many submissions: `make grade-all LAB=name SUBMISSIONS=folder JOBS=n`.

A submission is a folder, a tarball or a git bundle in that folder; its name without the ending names the student. Each is graded in a
copy of its own by one `grade/grade one ...`, which GNU parallel starts where it is installed (PARALLEL="--sshlogin a,b" spreads them over
machines that see this folder under the same path), else this program itself. What is done already, for the same submission and the same
lab, is not done again.

    OUT/NAME.json       the record of one submission        OUT/results.jsonl   one line each
    OUT/summary.txt     the table and the distribution      OUT/grades.csv      for a spreadsheet
"""
import bz2
import concurrent.futures
import csv
import gzip
import hashlib
import io
import json
import lzma
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

import course
import labs
import run
import trees
from guest import HostError, end_with_us

TOTAL_MAX = 64 << 20            # bytes of what one tarball unpacks to
ENDINGS = (".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar", ".bundle", ".git.bundle")


class Unreadable(Exception):
    """The submission itself cannot be read: the student's doing."""


def name_of(path):
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if path.name.endswith(ending):
            return path.name[:-len(ending)]
    return path.name


def find(folder):
    """Everything in the folder that can be a submission, by name."""
    found = {}
    for path in sorted(Path(folder).iterdir()):
        if path.name.startswith("."):
            continue
        if not (path.is_dir() or path.is_file() and path.name.endswith(ENDINGS)):
            print(f"grade: {path.name} is no folder, tarball or git bundle: left out", file=sys.stderr)
            continue
        if name_of(path) in found:
            raise labs.LabError(f"two submissions are called {name_of(path)}")
        found[name_of(path)] = path
    return found


def unpacked(path):
    """The bytes of a tarball, whatever packed it: all limits hold before anybody looks at what it says of itself."""
    for opener in (gzip.open, bz2.open, lzma.open, open):
        try:
            with opener(path, "rb") as file:
                data = file.read(TOTAL_MAX + 1)
        except (gzip.BadGzipFile, lzma.LZMAError, OSError, EOFError, zlib.error):
            continue
        if len(data) > TOTAL_MAX:
            raise Unreadable(f"it is larger than {TOTAL_MAX >> 20} MiB")
        return io.BytesIO(data)
    raise Unreadable("it is no file that can be read")


def read_tar(path, globs):
    tree = {}
    try:
        with tarfile.open(fileobj=unpacked(path), mode="r:") as tar:
            for member in tar:
                name = os.path.normpath(member.name)
                if member.isreg() and member.size <= trees.FILE_MAX and not name.startswith(("/", "..")):
                    tree[name] = member
            return {name: (tar.extractfile(member).read(), trees.plain_mode(member.mode))
                    for name, member in trees.wanted(tree, globs).items()}
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise Unreadable(f"it is no tarball that can be read: {str(error).splitlines()[0]}") from None


def read_bundle(path, globs):
    """What its HEAD has, else its newest branch. Nothing is checked out: no filter, hook or link of it does anything."""
    with tempfile.TemporaryDirectory(prefix="tamal-bundle.") as folder:
        status, output = trees.run_limited(["git", "clone", "-q", "--bare", "--template=", str(Path(path).resolve()), "bare"], folder,
                                           seconds=120)
        bare = Path(folder) / "bare"
        if status != 0:
            raise Unreadable(f"it is no git bundle that can be read: {output.strip()[-200:]}")
        head = trees.git(bare, "rev-parse", "-q", "--verify", "HEAD^{commit}", text=True)
        newest = trees.git(bare, "for-each-ref", "--sort=-committerdate", "--count=1", "--format=%(objectname)", "refs/heads", text=True)
        try:
            return trees.commit_files(bare, (head if head.returncode == 0 else newest).stdout.strip(), globs)
        except ValueError as error:
            raise Unreadable(str(error)) from None


def read(path, globs):
    """{path: (bytes, mode)} of what the lab asks for, in a submission."""
    path = Path(path)
    if path.is_dir():
        return trees.handed_in(path, globs)
    return read_bundle(path, globs) if path.name.endswith("bundle") else read_tar(path, globs)


def digest(lab, *parts):
    """Changes when the submission, the lab or the grader does. A part: {path: (bytes, mode)}."""
    total = hashlib.sha256()
    for tree in parts:
        for name, (data, mode) in sorted(tree.items()):
            total.update(os.fsencode(f"{name}\0{mode}\0{len(data)}\0") + data)
    return lab.name + ":" + total.hexdigest()[:32]


def known_mark(path):
    """Of the result that is there."""
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("mark")
    except (OSError, ValueError):
        return None


def given_tree(lab, *others):
    """What the lab hands out; submissions and results may lie in this tree, too, but are not part of it."""
    others = [os.path.relpath(os.path.realpath(other), os.path.realpath(labs.ROOT)) + "/" for other in others]
    return {name: both for name, both in course.student_files(lab).items() if not name.startswith(tuple(others))}


def work_folder(lab):
    return labs.ROOT / "build" / "grade-all" / lab.folder.name


def grade_one(lab_name, path, out):
    """The whole life of one submission; its record goes to OUT/NAME.json. Status 0: graded, whatever the score."""
    lab, name = labs.find(labs.ROOT, [lab_name])[0], name_of(Path(path))
    given, target = given_tree(lab, out, Path(path).parent), Path(out) / f"{name}.json"
    error = ""
    try:
        submission = read(path, lab.files)
        if not submission:
            error = "none of the files that the lab asks for is in it: " + " ".join(lab.files)
        elif missing := sorted(name for name in given if trees.matches(name, lab.files) and name not in submission):
            error = "not in it, so taken as handed out: " + " ".join(missing)
    except Unreadable as why:
        submission, error = {}, str(why)
    mark = digest(lab, given, trees.snapshot(lab.folder), submission, {"error": (error.encode("utf-8", "replace"), 0)})
    if known_mark(target) == mark:
        return 0
    record = {"name": name, "mark": mark, "error": error, "lab": lab.name, "earned": 0, "points": lab.points, "checks": []}
    if submission:
        first = work_folder(lab)
        work = Path(tempfile.mkdtemp(prefix=f"{lab.folder.name}.", dir=first.parent))
        try:
            shutil.copytree(first, work, symlinks=True, dirs_exist_ok=True)        # built once; each begins with a copy
            record.update(run.grade(submission, lab, work, pristine=given, jobs=1, contained=True))
        finally:
            shutil.rmtree(work, ignore_errors=True)
    for result in record["checks"]:
        result.pop("console", None)
    temporary = target.with_suffix(f".{os.getpid()}.part")
    temporary.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8", errors="backslashreplace")
    temporary.replace(target)
    return 0


def build_first(lab, given):
    """What was handed out, in the same sandbox: its objects are what every copy begins with, and no solution is among them."""
    trees.lay_out(given, work_folder(lab))
    try:
        trees.Built(work_folder(lab), lab, contained=True)
    except trees.BuildError as error:
        raise HostError(f"what was handed out does not build here, so nothing will: {error.output.strip()[-400:]}") from None


def run_all(lab, found, options):
    command = [sys.executable, str(labs.HERE / "grade"), "one", "--lab", lab.name, "--out", os.path.abspath(options.out)]
    paths = [os.fsencode(os.path.abspath(path)) for path in found.values()]
    if shutil.which("parallel") and "GNU" in subprocess.run(["parallel", "--version"], capture_output=True, text=True).stdout:
        words = ["parallel", "--will-cite", "--jobs", str(options.jobs), "--line-buffer", "--halt", "never", "--workdir", os.getcwd(),
                 "--null", *map(shlex.quote, command), "{}"]
        return subprocess.run(words, input=b"\0".join(paths), preexec_fn=end_with_us).returncode
    def one(path):
        return subprocess.run([*command, path]).returncode
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        return sum(status != 0 for status in pool.map(one, paths))


def histogram(scores, points, width=50):
    """The distribution as a plot: ten classes."""
    classes = [0] * 10
    for score in scores:
        classes[min(int(10 * score / points), 9) if points else 0] += 1
    most = max(classes + [1])
    return [f"  {points * i // 10:4} ..{points * (i + 1) // 10:4} | {'#' * round(width * n / most):{width}} {n}" for i, n in enumerate(classes)]


def summary(lab, records):
    names = max([len(record["name"]) for record in records] + [10])
    lines = [f"Lab {lab.number} {lab.title['en']}: {len(records)} submissions", ""]
    for record in sorted(records, key=lambda record: (-record["earned"], record["name"])):
        failed = [r["id"] for r in record["checks"] if r["status"] == "fail"]
        endings = sorted({r["ending"] for r in record["checks"] if r["ending"] not in ("", "done")})
        note = record["error"] or (f"failed: {' '.join(failed)}" if failed else "") + (f" ({', '.join(endings)})" if endings else "")
        lines.append(f"  {record['name']:{names}} {record['earned']:4} of {record['points']}  {note}"[:150].rstrip())
    scores = [record["earned"] for record in records]
    if scores:
        middle = statistics.median(scores)
        lines += ["", f"  mean {sum(scores) / len(scores):.1f}, median {middle:g}, best {max(scores)}, worst {min(scores)}", ""]
        lines += histogram(scores, lab.points)
        missed = {check.id: sum(r["id"] == check.id and r["status"] != "pass" for record in records for r in record["checks"])
                  for check in lab.checks}
        lines += ["", "  most missed: " + ", ".join(f"{id} {n}" for id, n in sorted(missed.items(), key=lambda pair: -pair[1])[:5] if n)]
    return "\n".join(lines) + "\n"


def main(options, language):
    lab = labs.find(labs.ROOT, [options.lab])[0]
    if not Path(options.submissions).is_dir():
        raise labs.LabError(f"{options.submissions} is no folder")
    found = find(options.submissions)
    if not found:
        raise labs.LabError(f"there is no submission in {options.submissions}: folders, tarballs ({', '.join(ENDINGS[:5])}) or git bundles")
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    if not trees.sandbox(labs.ROOT):
        print("grade: bubblewrap is not here, or may not work: a submission's #include may read any file that you may (grade/README.md)",
              file=sys.stderr)
    build_first(lab, given_tree(lab, out, options.submissions))
    status = run_all(lab, found, options)
    records, lost, utf8 = [], [], {"encoding": "utf-8", "errors": "backslashreplace"}        # names may be in any encoding
    for name in found:
        path = out / f"{name}.json"
        if known_mark(path) is not None:
            records.append(json.loads(path.read_text(encoding="utf-8")))
        else:
            lost.append(name)
    (out / "results.jsonl").write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), **utf8)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["name", "earned", "points", "error", *(check.id for check in lab.checks)])
    for record in records:
        by_id = {r["id"]: r["earned"] for r in record["checks"]}
        writer.writerow([record["name"], record["earned"], record["points"], record["error"], *(by_id.get(c.id, 0) for c in lab.checks)])
    (out / "grades.csv").write_text(file.getvalue(), **utf8)
    text = summary(lab, records)
    (out / "summary.txt").write_text(text, **utf8)
    print(text, end="")
    if lost or status:
        raise HostError(f"not graded: {' '.join(lost) or 'see above'}; run the same command again to go on")
    return 0
