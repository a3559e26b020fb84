"""For instructors: student trees, and proofs that labs and graders are right.

    grade/grade lab NAME DIR            a student's tree: a repository with the starter and one commit
    grade/grade lab-check [NAME ...]    patches apply, starter builds and boots, reference 100 %, every mutant caught as it says
    grade/grade lab-stats --runs N [NAME ...]    the same again and again: how often each came out right
    grade/grade lab-refresh [NAME ...]  makes the patches anew from the tree
    grade/grade all SUBMISSIONS         grades many submissions (submissions.py)
"""
import argparse
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import labs
import run
import trees
from guest import HostError

ROOT = labs.ROOT
# What a student's tree does not get: solutions, wrong solutions, hidden checks, other labs, what is only about this repository.
WITHHELD = ["labs/*/mutants/*", "labs/*/starter.patch", "labs/*/hidden.py", "tests/*", ".ci/*", ".github/*", "labs/*/notes.md",
            "tools/requirement-tests", "docs/requirements-*"]
OTHER_MACHINE = {name: [f"kernel/arch/{name}/*", f"user/*/{name}/*", *more] for name, more in
                 {"riscv": ["kernel/dev/virtio_blk.c"], "i386": ["kernel/dev/ide.c", "docs/i386.md"]}.items()}


# ---- Student trees

def student_files(lab):
    """{path: (bytes, mode)} of what a student gets, from a tree of ours or one that was handed out already."""
    tree, patch = trees.snapshot(lab.tree), lab.folder / "starter.patch"
    tree = trees.apply_patch(tree, patch) if patch.exists() else tree
    mine = f"labs/{lab.folder.name}/"
    other = "i386" if lab.machine == "riscv" else "riscv"           # the other machine's files would show how it is done
    return {name: both for name, both in tree.items()
            if not trees.matches(name, WITHHELD + OTHER_MACHINE[other]) and (not re.match(r"labs/\d", name) or name.startswith(mine))}


def make_lab(name, folder):
    lab = labs.find(ROOT, [name])[0]
    folder = Path(os.path.expanduser(folder))
    if folder.exists() and any(folder.iterdir()):
        raise labs.LabError(f"{folder} is not empty: choose another folder, or remove it")
    tree = student_files(lab)
    trees.lay_out(tree, folder)
    identity = ["-c", "user.name=Tamal", "-c", "user.email=tamal@localhost", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]
    for words in (["init", "-q"], ["add", "-A", "-f", "--", "."], ["commit", "-q", "-m", trees.STARTER_SUBJECT]):
        done = trees.git(folder, *identity, *words, text=True)
        if done.returncode != 0:
            raise HostError(f"git {words[0]}: {done.stderr.strip()}")
    print(f"{folder}: lab {lab.number}, {lab.title['en']}\n"
          f"  read   labs/{lab.folder.name}/README.md (README.es.md en español)\n"
          f"  write  {' '.join(lab.files)}\n"
          f"  then   cd {folder} && make qemu{'' if lab.machine == 'riscv' else ' ARCH=' + lab.machine}; make grade")
    return 0


# ---- Proofs

class Proof:
    """Trees of one lab, built side by side in folders that are kept for the next time."""

    def __init__(self, lab, work):
        self.lab, self.work, self.reference = lab, Path(work) / lab.folder.name, trees.snapshot(ROOT)

    def folder(self, name):
        """A folder to build in; a new one begins as a copy of the reference's, so that make has little to do."""
        folder = self.work / name
        first = self.work / "reference"
        if not folder.exists() and name != "reference" and first.exists():
            shutil.copytree(first, folder, symlinks=True)
        return folder

    def grade(self, tree, name, **more):
        return run.grade(tree, self.lab, self.folder(name), **more)

    def boots(self, tree, name):
        """A tree boots to a shell, or at least to a clear message: (good, what was seen)."""
        trees.lay_out(tree, self.folder(name))
        folder, machine = self.folder(name), self.lab.machine
        status, output = trees.run_limited(["make", "--no-print-directory", "-s", f"-j{os.cpu_count()}", f"ARCH={machine}", "WERROR=1",
                                            "TEST_NAMES=", "kernel", "image"], folder, seconds=600)
        if status != 0:
            return False, "it does not build without warnings:\n" + output[-1500:]
        flavour = folder / "build" / machine
        guest = run.Guest(flavour / "kernel.elf", machine, image=flavour / "fs.img", append='run="echo shell; halt"', seconds=60, quiet=60)
        with guest:
            ending = guest.run()
            if re.search(r"^shell$", guest.console.replace("\r", ""), re.M):
                return True, "a shell"
            clear = re.search(r"^(panic: .*|boot: .*|init: .*)$", guest.console.replace("\r", ""), re.M)
            return clear is not None, clear[1] if clear else f"{ending.word}: {ending.detail}"

    def mutant(self, mutant, **more):
        """"" when it is caught as it should be; else what went wrong."""
        try:
            tree = trees.apply_patch(self.reference, mutant.path)
        except ValueError as error:
            return f"the patch does not apply: {error}"
        check = self.lab.find(mutant.check)
        record = self.grade(tree, mutant.name, checks=[check], **more)
        result = record["checks"][0]
        if result["ending"] == "build":
            return f"it does not build: {result['seen']}"
        if result["status"] != "fail":
            return f"check {check.id} does not see it: {result['seen']}"
        if mutant.hint and result["hint_key"] != mutant.hint:
            return f"check {check.id} sees it, but with hint '{result['hint_key']}', not '{mutant.hint}': {result['seen']}"
        if not result["hint"]["en"] or not result["hint"]["es"]:
            return f"check {check.id} sees it, but has no hint '{result['hint_key']}'"
        return ""


def check_starter(proof, say):
    """Its patch applies, it builds without warnings and boots, it passes the checks that it may and no other."""
    lab = proof.lab
    try:
        tree = student_files(lab)
    except ValueError as error:
        return say(f"starter: the patch does not apply: {error}")
    good, seen = proof.boots(tree, "starter")
    if not good:
        return say(f"starter: {seen}")
    record = proof.grade(tree, "starter")
    wrong = [r["id"] for r in record["checks"] if (r["status"] == "pass") != (r["id"] in lab.starter)]
    if wrong:
        return say("starter: not as declared: " + ", ".join(f"{r['id']} {r['status']}" for r in record["checks"] if r["id"] in wrong))
    print(f"  starter     {record['earned']} of {record['points']} points as declared; boots to: {seen}", flush=True)
    return True


def lab_check(names, work, jobs):
    failures, mutants, started = [], 0, time.monotonic()
    for lab in labs.find(ROOT, names):
        print(f"Lab {lab.number} {lab.name}", flush=True)

        def say(text):
            failures.append(f"{lab.name}: {text}")
            print(f"  WRONG       {text}", flush=True)
            return False

        proof = Proof(lab, work)
        record = proof.grade(proof.reference, "reference", jobs=jobs)
        bad = [r for r in record["checks"] if r["status"] != "pass"]
        for result in bad:
            say(f"reference: {result['id']}: {result['seen']} ({result['ending']})")
        if not bad:
            print(f"  reference   {record['earned']} of {record['points']} points, {record['seconds']} s", flush=True)
        if lab.points != 100:
            say(f"the points make {lab.points}, not 100")
        check_starter(proof, say)
        for mutant in lab.mutants:
            mutants += 1
            wrong = proof.mutant(mutant)
            if wrong:
                say(f"mutant {mutant.name}: {wrong}")
            else:
                print(f"  caught      {mutant.name} by {mutant.check}", flush=True)
    print(f"{len(labs.find(ROOT, names))} labs, {mutants} mutants, {len(failures)} wrong, {time.monotonic() - started:.0f} s")
    for failure in failures:
        print(f"  {failure}")
    return 1 if failures else 0


def lab_stats(names, work, runs, only_reference):
    """Again and again with other seeds: how often the reference has all points, how often each mutant is caught."""
    wrong = 0
    for lab in labs.find(ROOT, names):
        proof, full, lost = Proof(lab, work), 0, Counter()
        for n in range(runs):
            record = proof.grade(proof.reference, "reference", seed=1 + 100 * n)
            full += record["earned"] == record["points"]
            lost.update(r["id"] for r in record["checks"] if r["status"] != "pass")
        print(f"{lab.name:12} reference {full}/{runs}" + "".join(f"  {id} failed {n}" for id, n in lost.items()), flush=True)
        wrong += full != runs
        for mutant in [] if only_reference else lab.mutants:
            caught = sum(not proof.mutant(mutant, seed=1 + 100 * n) for n in range(runs))
            print(f"{lab.name:12} {mutant.name:24} {caught}/{runs}", flush=True)
            wrong += caught != runs
    return 1 if wrong else 0


# ---- Patches made anew

def diff(before, after):
    """The patch between two trees, without what changes with time."""
    with tempfile.TemporaryDirectory(prefix="tamal-diff.") as folder:
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        for side, tree in (("a", before), ("b", after)):
            (Path(folder) / side).mkdir()
            trees.lay_out({name: both for name, both in tree.items() if name in changed}, Path(folder) / side)
        done = subprocess.run(["git", "diff", "--no-index", "--no-prefix", "a", "b"], cwd=folder, capture_output=True, text=True)
    return re.sub(r"^index .*\n", "", done.stdout, flags=re.M)


def lab_refresh(names):
    tree, person = trees.snapshot(ROOT), 0
    for lab in labs.find(ROOT, names):
        for path in [lab.folder / "starter.patch", *(mutant.path for mutant in lab.mutants)]:
            head = path.read_text().split("diff --git", 1)[0]
            where = path.relative_to(ROOT)
            try:
                after = trees.apply_near(tree, path)
            except ValueError as why:
                person += 1
                print(f"{where}: needs a person:\n    " + str(why).replace("\n", "\n    "))
                continue
            fresh = head + diff(tree, after)
            if fresh != path.read_text():
                path.write_text(fresh)
                print(f"{where}: made anew")
    print("every patch fits" if not person else f"{person} patches need a person")
    return 1 if person else 0


def main(words, language):
    parser = argparse.ArgumentParser(prog="grade/grade")
    commands = parser.add_subparsers(dest="command", required=True)
    lab = commands.add_parser("lab", help="a student's tree")
    lab.add_argument("name")
    lab.add_argument("folder")
    for name in ("lab-check", "lab-stats", "lab-refresh"):
        one = commands.add_parser(name)
        one.add_argument("names", nargs="*")
        one.add_argument("--work", default=str(ROOT / "build" / "lab-check"))
        one.add_argument("--jobs", type=int)
        one.add_argument("--runs", type=int, default=10)
        one.add_argument("--reference", action="store_true", help="lab-stats: without mutants")
    many = commands.add_parser("all", help="grade many submissions")
    many.add_argument("submissions")
    many.add_argument("--lab", required=True)
    many.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    many.add_argument("--out", default="grades")
    one = commands.add_parser("one")
    one.add_argument("submission")
    one.add_argument("--lab", required=True)
    one.add_argument("--out", required=True)
    options = parser.parse_args(words)
    if not (ROOT / "labs").exists():
        raise labs.LabError("this tree has no labs")
    if options.command == "lab":
        return make_lab(options.name, options.folder)
    if options.command == "lab-check":
        return lab_check(options.names, options.work, options.jobs)
    if options.command == "lab-stats":
        return lab_stats(options.names, options.work, options.runs, options.reference)
    if options.command == "lab-refresh":
        return lab_refresh(options.names)
    import submissions
    if options.command == "one":
        return submissions.grade_one(options.lab, options.submission, options.out)
    return submissions.main(options, language)
