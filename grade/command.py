"""The command line of grade/grade."""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import labs
import messages
import report
import run
import trees
from guest import BY_INSTRUCTIONS, UNDER_A_DEBUGGER, HostError, end_with_us

KINDS = ("text", "json", "junit", "csv", "gradescope", "classroom", "classroom50")


def parse(words):
    parser = argparse.ArgumentParser(prog="grade/grade", description="Grades the labs of a tree.")
    parser.add_argument("--lab", action="append", default=[], help="only this lab (topic or number); may be repeated")
    parser.add_argument("--check", help="only this check; seen alone, whatever it needs")
    parser.add_argument("--cpus", type=int, help="harts, instead of what each check says")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--jobs", type=int, help="checks at once (as many as the host has processors)")
    parser.add_argument("--to", action="append", default=[], metavar="KIND=FILE", help="also write: " + ", ".join(KINDS))
    parser.add_argument("--source", default=".", help="the tree to grade (this one)")
    parser.add_argument("--gdb", action="store_true", help="with --check: the same machine, under the debugger")
    parser.add_argument("--contained", action="store_true", help="build in a sandbox, where the host has bubblewrap")
    parser.add_argument("--pristine", help="the tree that everything but the students' files comes from")
    options = parser.parse_args(words)
    for word in options.to:
        if word.partition("=")[0] not in KINDS or not word.partition("=")[2]:
            parser.error(f"--to {word}: KIND=FILE, where KIND is one of {' '.join(KINDS)}")
    if options.gdb and not options.check:
        parser.error("--gdb wants --check")
    if options.cpus is not None and not 1 <= options.cpus <= 8:
        parser.error("--cpus: 1 to 8")
    return options


def work_folder(options, lab):
    """Never in a submission: a build/ that came with it would be trusted, or lead elsewhere."""
    return Path(options.pristine or options.source).resolve() / "build" / "grade" / lab.folder.name


def pristine_of(source, options, lab):
    """What was handed out: another tree's starter, or this repository's first commit, or nothing else than the tree itself."""
    if options.pristine:
        import course
        return course.student_files(lab)
    return trees.first_commit(source)


def grade_labs(options, language):
    source = Path(options.source)
    found = labs.find(options.pristine or source, options.lab)              # a student's own checks.py is not run
    if not found:
        raise labs.LabError("there is no lab in this tree: make lab LAB=NAME DIR=FOLDER makes one for a student")
    records = []
    for lab in found:
        pristine = pristine_of(source, options, lab)
        checks = [lab.find(options.check)] if options.check else None
        print(f"{messages.say('lab', language)} {lab.number}: {lab.title[language]}", flush=True)
        partial = {"lab": lab.name, "number": lab.number}
        record = run.grade(source, lab, work_folder(options, lab), pristine=pristine, checks=checks, cpus=options.cpus, seed=options.seed,
                           jobs=options.jobs, contained=options.contained,
                           say=lambda result: print(report.text_line(partial, result, language), flush=True),
                           say_waiting=lambda: print(f"  {messages.say('waiting', language)}", flush=True))
        print(report.text_total(record, language), flush=True)
        records.append(record)
    for word in options.to:
        kind, _, path = word.partition("=")
        report.write(records, kind, path, language)
    return 0 if all(result["status"] == "pass" for record in records for result in record["checks"]) else 1


def debug(options):
    """The machine of one check, paused, with the debugger on this terminal."""
    source = Path(options.source)
    lab = labs.find(source, options.lab)[0]
    check = lab.find(options.check)
    if check.outside:
        raise labs.LabError(f"{check.id} looks into the machine from outside: use make gdb, and the handout's session")
    submission = trees.snapshot(source)
    trees.lay_out(trees.compose(pristine_of(source, options, lab) or submission, submission, lab.files), work_folder(options, lab))
    built = trees.Built(work_folder(options, lab), lab)
    gdb = shutil.which("gdb-multiarch")
    if gdb is None:
        raise HostError("gdb-multiarch is not installed: tools/setup --gdb")
    folder = tempfile.mkdtemp(prefix="tamal-gdb.")
    guest = run.start_guest(built, check, cpus=options.cpus or check.cpus, seed=options.seed, folder=folder)
    with guest:
        path = os.path.join(folder, "gdb")
        words = [UNDER_A_DEBUGGER if word == BY_INSTRUCTIONS else word for word in guest.arguments]
        emulator = subprocess.Popen([*words, "-S", "-gdb", f"unix:{path},server=on,wait=off"], stdin=subprocess.DEVNULL,
                                    start_new_session=True, preexec_fn=end_with_us)         # the terminal may be closed
        try:
            while not os.path.exists(path) and emulator.poll() is None:
                time.sleep(0.05)
            words = [gdb, "-q", "-nx", "-iex", "set auto-load no", "-iex", "set confirm off", "-iex", "set pagination off",
                     str(built.kernel), "-ex", f"target remote {path}", "-x", str(source / "tools" / "gdb" / "tamal.py")]
            if built.program:
                words += ["-ex", f"add-symbol-file {built.program}"]
            print(f"console: {guest.path}")
            signal.signal(signal.SIGINT, lambda *_: None)       # Ctrl-C stops the machine, not this program
            return subprocess.call(words)
        finally:
            emulator.kill()
            emulator.wait()
            shutil.rmtree(folder, ignore_errors=True)


def main(words=None):
    language = labs.language()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")           # whatever the locale can show
    words = sys.argv[1:] if words is None else words
    try:
        if words[:1] and not words[0].startswith("-"):
            import course
            return course.main(words, language)
        options = parse(words)
        return debug(options) if options.gdb else grade_labs(options, language)
    except labs.LabError as error:
        print(f"grade: {error}", file=sys.stderr)
    except HostError as error:
        print(f"grade: {error}", file=sys.stderr)
        print("grade: nothing was graded; this is not about the solution" if language == "en" else
              "grade: no se calificó nada; no es culpa de la solución", file=sys.stderr)
    except OSError as error:
        print(f"grade: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except Exception:
        traceback.print_exc()
        print("grade: nothing was graded; this is an error of the grader", file=sys.stderr)
    return 2
