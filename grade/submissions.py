"""Many submissions: `make grade-all LAB=name SUBMISSIONS=folder JOBS=n`.

A submission is a folder, a tarball or a git bundle in that folder; its name without the ending names the student. Each is graded in a
copy of its own by one `grade/grade one ...`, which GNU parallel starts where it is installed (PARALLEL="--sshlogin a,b" spreads them over
machines that see this folder under the same path), else this program itself. What is done already, for the same submission and the same
lab, is not done again.

    OUT/NAME.json       the record of one submission        OUT/results.jsonl   one line each
    OUT/summary.txt     the table and the distribution      OUT/grades.csv      for a spreadsheet
"""
import concurrent.futures
import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import labs
import run
import trees
from guest import HostError

TOTAL_MAX = 64 << 20            # bytes and files that one submission may have
FILES_MAX = 20_000
OWN = {"Makefile", "abi", "kernel", "labs", "mkfs", "user"}        # what lies at the top of a tree of ours
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
        if path.name.startswith(".") or not (path.is_dir() or path.name.endswith(ENDINGS)):
            continue
        if name_of(path) in found:
            raise labs.LabError(f"two submissions are called {name_of(path)}")
        found[name_of(path)] = path
    return found


def strip_top(tree):
    """Without the one folder that everything may lie in, as in most tarballs."""
    while len(tops := {name.split("/", 1)[0] for name in tree}) == 1 and not tops & OWN and all("/" in name for name in tree):
        tree = {name.split("/", 1)[1]: both for name, both in tree.items()}
    return tree


def read_tar(path):
    tree, total = {}, 0
    try:
        with tarfile.open(path) as tar:
            for count, member in enumerate(tar):
                total += max(member.size, 0)
                if count > FILES_MAX or total > TOTAL_MAX:
                    raise Unreadable(f"it is larger than {TOTAL_MAX >> 20} MiB, or has more than {FILES_MAX} files")
                name = os.path.normpath(member.name)
                if member.isfile() and member.size <= trees.FILE_MAX and not name.startswith(("/", "..")):
                    tree[name] = (tar.extractfile(member).read(), member.mode & 0o755)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise Unreadable(f"it is no tarball that can be read: {str(error).splitlines()[0]}") from None
    return strip_top(tree)


def read_bundle(path):
    with tempfile.TemporaryDirectory(prefix="tamal-bundle.") as folder:
        status, output = trees.run_limited(["git", "clone", "-q", "-c", "core.symlinks=false", str(Path(path).resolve()), "tree"], folder,
                                           seconds=120)
        if status != 0:
            raise Unreadable(f"it is no git bundle that can be read: {output.strip()[-200:]}")
        return read_folder(Path(folder) / "tree")


def read_folder(path):
    tree, total = {}, 0
    for name in trees.files_of(path):
        both = trees.contents(path, name)
        if both is not None:
            tree[name] = both
            total += len(both[0])
        if total > TOTAL_MAX or len(tree) > FILES_MAX:
            raise Unreadable(f"it is larger than {TOTAL_MAX >> 20} MiB, or has more than {FILES_MAX} files")
    return strip_top(tree)


def read(path):
    path = Path(path)
    if path.is_dir():
        return read_folder(path)
    return read_bundle(path) if path.name.endswith("bundle") else read_tar(path)


def digest(lab, path, pristine):
    """Changes when the submission, the lab or the grader does."""
    total = hashlib.sha256()
    for tree in (pristine, {"": (b"", 0)}):
        for name, (data, mode) in sorted(tree.items()):
            total.update(f"{name}\0{mode}\0{len(data)}\0".encode() + data)
    path = Path(path)
    if path.is_dir():
        for name in trees.files_of(path):
            both = trees.contents(path, name)
            total.update(name.encode() + b"\0" + (both[0] if both else b"-"))
    else:
        total.update(path.read_bytes())
    return lab.name + ":" + total.hexdigest()[:32]


def grade_one(lab_name, path, out):
    """The whole life of one submission; its record goes to OUT/NAME.json. Status 0: graded, whatever the score."""
    lab, name = labs.find(labs.ROOT, [lab_name])[0], name_of(Path(path))
    pristine, target = trees.snapshot(labs.ROOT), Path(out) / f"{name}.json"
    mark = digest(lab, path, pristine)
    if target.exists() and json.loads(target.read_text()).get("mark") == mark:
        return 0
    work = Path(tempfile.mkdtemp(prefix=f"tamal-{lab.name}."))
    try:
        submission = read(path)
        first = labs.ROOT / "build" / "grade-all" / lab.folder.name
        if (first / "build").exists():                          # built once; each begins with a copy
            shutil.copytree(first, work, symlinks=True, dirs_exist_ok=True)
        record = run.grade(submission, lab, work, pristine=pristine, jobs=1, contained=True)
        record = {"name": name, "mark": mark, "error": "", **record}
    except Unreadable as error:
        record = {"name": name, "mark": mark, "error": str(error), "lab": lab.name, "earned": 0, "points": lab.points, "checks": []}
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for result in record["checks"]:
        result.pop("console", None)
    temporary = target.with_suffix(".part")
    temporary.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(target)
    return 0


def build_first(lab):
    """The reference's own objects, which every copy begins with."""
    work = labs.ROOT / "build" / "grade-all" / lab.folder.name
    trees.lay_out(trees.snapshot(labs.ROOT), work)
    trees.Built(work, lab)


def run_all(lab, found, options):
    command = [sys.executable, str(labs.HERE / "grade"), "one", "--lab", lab.name, "--out", os.path.abspath(options.out)]
    paths = [os.path.abspath(path) for path in found.values()]
    if shutil.which("parallel") and "GNU" in subprocess.run(["parallel", "--version"], capture_output=True, text=True).stdout:
        words = ["parallel", "--will-cite", "--jobs", str(options.jobs), "--line-buffer", "--halt", "never", "--workdir", os.getcwd(),
                 *command, "{}"]
        return subprocess.run(words, input="\n".join(paths) + "\n", text=True).returncode
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
        middle = sorted(scores)[len(scores) // 2]
        lines += ["", f"  mean {sum(scores) / len(scores):.1f}, median {middle}, best {max(scores)}, worst {min(scores)}", ""]
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
    build_first(lab)
    status = run_all(lab, found, options)
    records, lost = [], []
    for name in found:
        path = out / f"{name}.json"
        if path.exists():
            records.append(json.loads(path.read_text(encoding="utf-8")))
        else:
            lost.append(name)
    (out / "results.jsonl").write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["name", "earned", "points", "error", *(check.id for check in lab.checks)])
    for record in records:
        by_id = {r["id"]: r["earned"] for r in record["checks"]}
        writer.writerow([record["name"], record["earned"], record["points"], record["error"], *(by_id.get(c.id, 0) for c in lab.checks)])
    (out / "grades.csv").write_text(file.getvalue(), encoding="utf-8")
    text = summary(lab, records)
    (out / "summary.txt").write_text(text, encoding="utf-8")
    print(text, end="")
    if lost or status:
        raise HostError(f"not graded: {' '.join(lost) or 'see above'}; run the same command again to go on")
    return 0
