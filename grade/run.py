"""Grades one tree: builds it, runs the checks of its labs side by side, and makes one record of all that was found."""
import concurrent.futures
import contextlib
import fcntl
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from pathlib import Path

import messages
import trees
from guest import Guest, HostError, need_emulator


SEEN_MAX = 400          # characters of a line that a student's kernel or file may have made


def new_key():
    """Decimal digits only, so that reading it takes as many instructions as any other's: a seed is a run, whatever the key."""
    return "".join(secrets.choice("0123456789") for _ in range(32))


def start_guest(built, check, *, cpus, seed, folder):
    """The machine of one check, not yet started."""
    key = new_key()
    job = f"{key}{seed:016x} {check.guest}"
    lab = built.lab
    if check.outside and not check.guest:               # only a debugger asks
        where = dict(image=built.system_image(), append=check.append)
    elif lab.kernel:
        where = dict(append=f"demo=check job={job.replace(' ', ':')} {check.append}".strip())
    else:
        where = dict(image=built.image(os.path.join(folder, f"{key}.img"), job), append=check.append)
    return Guest(built.kernel, lab.machine, cpus=cpus, seed=seed, key=key, memory=check.memory, seconds=check.seconds, quiet=check.quiet,
                 **where)


def verdict(guest, ending):
    """(passed, what was seen, key of a hint) of a run that has ended."""
    reader = guest.reader
    fails = reader.of_kind("fail")
    if fails:                                   # the first thing that did not hold says more than how it all ended
        hint, _, text = fails[0].text.partition("|")
        return False, text, hint
    if ending.word != "done":
        return False, ending.detail, ending.word
    ends, held = reader.of_kind("end"), sum(int(record.text) for record in reader.of_kind("pass"))
    missing = reader.gap()
    if missing:
        return False, f"record {missing} is missing", "garbled"
    if not reader.of_kind("begin") or held == 0:
        return False, "the check looked at nothing", "garbled"
    if guest.process.returncode != 0 or ends[-1].text.split()[0] != "0":
        return False, f"{ends[-1].text.split()[0]} expectations did not hold", ""
    return True, f"{held} expectations held", ""


def run_once(built, check, *, cpus, seed, folder):
    """One run: {status, seen, hint_key, ending, more, seed}."""
    with start_guest(built, check, cpus=cpus, seed=seed, folder=folder) as guest:
        ending = guest.run()
        passed, seen, hint = verdict(guest, ending)
        more = list(ending.more)
        if guest.reader.forged or guest.reader.repeated:
            more.append(f"{guest.reader.forged + guest.reader.repeated} lines that look like records were forged or repeated")
        return {"status": "pass" if passed else "fail", "seen": seen, "hint_key": hint, "ending": ending.word, "detail": ending.detail,
                "more": more, "seed": seed, "console": guest.console[-20000:]}


def run_outside(built, check, *, seed, folder):
    from outside import run_outside_check
    return run_outside_check(built, check, seed=seed, folder=folder)


def run_check(built, check, *, cpus=None, seeds, folder):
    """All its seeds, until one fails."""
    result = None
    for seed in seeds:
        if check.outside:
            result = run_outside(built, check, seed=seed, folder=folder)
        else:
            result = run_once(built, check, cpus=cpus or check.cpus, seed=seed, folder=folder)
        if result["status"] != "pass":
            break
    return result


class Grading:
    """The checks of one lab on one built tree. Checks run side by side; one that needs another waits for its verdict."""

    def __init__(self, built, checks, *, cpus=None, seed=1, jobs=None, only=False, say=lambda result: None):
        self.built, self.checks, self.cpus, self.seed, self.only, self.say = built, checks, cpus, seed, only, say
        self.jobs = jobs or max(os.cpu_count() or 1, 1)
        self.results, self.said, self.lock = {}, 0, threading.Lock()

    def run(self):
        folder = tempfile.mkdtemp(prefix="tamal-checks.")
        waiting = list(self.checks)
        running = {}
        try:
            with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
                try:
                    while waiting or running:
                        for check in list(waiting):
                            state = self.ready(check)
                            if state == "wait":
                                continue
                            waiting.remove(check)
                            if state == "run":
                                running[pool.submit(run_check, self.built, check, cpus=self.cpus, folder=folder,
                                                    seeds=range(self.seed, self.seed + check.seeds))] = check
                            else:
                                self.note(check, {"status": "skip", "seen": state, "hint_key": "", "ending": "", "detail": "", "more": [],
                                                  "seed": self.seed, "console": ""})
                        if running:
                            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                            for future in done:
                                self.note(running.pop(future), future.result())
                except BaseException:                   # Ctrl-C: nobody waits for what still runs
                    for future in running:
                        future.cancel()
                    for guest in Guest.all.copy():
                        if guest.process:
                            guest.process.kill()
                    raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return [self.results[check.id] for check in self.checks]

    def ready(self, check):
        """"run", "wait", or which check it needs has not passed. A check that was asked for alone runs alone."""
        if self.only:
            return "run"
        known = {check.id for check in self.checks}
        for need in check.needs:
            if need in known and need not in self.results:
                return "wait"
            if need in known and self.results[need]["status"] != "pass":
                return need
        return "run"

    def note(self, check, result):
        with self.lock:
            result.update(seen=result["seen"][:SEEN_MAX], detail=result["detail"][:SEEN_MAX],
                          more=[line[:SEEN_MAX] for line in result["more"]])
            result.update(outside=bool(check.outside), id=check.id, title=check.title, points=check.points, hidden=check.hidden,
                          earned=check.points if result["status"] == "pass" else 0, cpus=min(self.cpus or check.cpus, 8))
            result["hint"] = {language: hint_for(check, result, language) for language in ("en", "es")}
            self.results[check.id] = result
            while self.said < len(self.checks) and self.checks[self.said].id in self.results:     # in the order of the tasks
                self.say(self.results[self.checks[self.said].id])
                self.said += 1


def hint_for(check, result, language):
    if result["status"] != "fail":
        return ""
    key = result["hint_key"]
    if key in check.hints and key:
        return check.hint(key, language)
    if key in messages.ENDING_HINTS and result["ending"] != "done":
        return messages.say(key, language, messages.ENDING_HINTS)
    return check.hint("", language)


def build_failed(lab, checks, error):
    said = error.output.splitlines()
    lines = [line for line in said if re.search(r"error:|undefined reference|out of memory|killed", line, re.I)]
    results = []
    for check in checks:
        results.append({"status": "fail", "seen": lines[0].strip()[:SEEN_MAX] if lines else f"{error.why}: {error.output.strip()[-200:]}",
                        "hint_key": "build", "ending": "build", "detail": error.why,
                        "more": [line[:SEEN_MAX] for line in error.output.splitlines()[-30:]],
                        "seed": 0, "console": "", "outside": bool(check.outside), "id": check.id, "title": check.title,
                        "points": check.points, "hidden": check.hidden, "earned": 0, "cpus": check.cpus,
                        "hint": {language: messages.say("build", language, messages.ENDING_HINTS) for language in ("en", "es")}})
    return results


def record_of(lab, results, started):
    """The one record that all outputs are made from."""
    return {"lab": lab.name, "number": lab.number, "title": lab.title, "machine": lab.machine, "checks": results,
            "points": sum(result["points"] for result in results), "earned": sum(result["earned"] for result in results),
            "seconds": round(time.monotonic() - started, 1)}


@contextlib.contextmanager
def alone(work, say):
    """Only one at a time builds and runs in a folder; whoever comes second waits."""
    (work / "build").mkdir(parents=True, exist_ok=True)
    with open(work / "build" / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say()
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:                                 # a file system without locks
            pass
        yield


def grade(source, lab, work, *, pristine=None, checks=None, cpus=None, seed=1, jobs=None, contained=False, say=lambda result: None,
          say_waiting=lambda: None):
    """Grade the tree at `source` (a folder, or a dict of files). work: a folder to build in, kept for the next time."""
    started = time.monotonic()
    need_emulator(lab.machine)
    if isinstance(source, dict):
        submission = source
    else:
        submission = trees.snapshot(source) if pristine is None else trees.handed_in(source, lab.files)
    tree = trees.compose(submission if pristine is None else pristine, submission, lab.files)
    wanted = checks or lab.checks
    with alone(Path(work), say_waiting):
        trees.lay_out(tree, work)
        try:
            built = trees.Built(work, lab, contained=contained)
        except trees.BuildError as error:
            results = build_failed(lab, wanted, error)
            for result in results[:1]:
                say(result)
            return record_of(lab, results, started)
        return record_of(lab, Grading(built, wanted, cpus=cpus, seed=seed, jobs=jobs, only=checks is not None, say=say).run(), started)


__all__ = ["grade", "HostError"]
