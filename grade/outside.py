"""Checks that look from outside: at the student's files, at a console, or into a machine that is stopped and stepped.

A check is a Python function of a lab's checks.py and gets an Outside:

    look.file("labs/01-diagnose/answers.txt")           text of a file of the student's tree
    look.expect(condition, "hint-key", "expected ..., saw ...")
    with look.machine(append='run="true; halt"') as m:   grade/stub.py: m.run_until("sys_fork"), m.registers(), m.finish()
    console = look.console(append="demo=tasks", seconds=60)     a whole run; its text
"""
import os
import signal
import subprocess

import run
from guest import Guest, Symbols
from stub import Stub

CAP = 120           # seconds an answer may take: a slow host is no error


class Missed(Exception):
    """An expectation did not hold, and what follows makes no sense without it."""


class Look(Stub):
    """A machine of the check, paused before its first instruction. Guest gives it its arguments and its folder."""

    def __init__(self, guest, kernel):
        super().__init__(Symbols(kernel).address, CAP)
        self.guest = guest
        with self.theirs:
            self.process = subprocess.Popen([*guest.arguments, *self.arguments()], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                                            pass_fds=[self.theirs.fileno()])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.socket.close()
        self.guest.__exit__()

    @property
    def console(self):
        with open(self.guest.path, encoding="utf-8", errors="replace") as file:
            return file.read().replace("\r", "")

    def broken(self, kind, what):
        last = [line for line in self.console.splitlines() if line.strip()][-1:]
        return Missed(f"{what}; the console's last line: {last[0] if last else '(nothing)'}")

    def finish(self):
        """Let it run to its own end: (exit status, console)."""
        self.detach()
        try:
            status = self.process.wait(CAP)
        except subprocess.TimeoutExpired:
            raise self.broken("timeout", "the machine does not end") from None
        return status, self.console


class Outside:
    def __init__(self, built, check, seed, folder):
        self.built, self.check, self.seed, self.folder = built, check, seed, folder
        self.held, self.missed, self.ending, self.text = 0, [], None, ""

    def expect(self, condition, hint, text, stop=False):
        if condition:
            self.held += 1
        else:
            self.missed.append((hint, text))
            if stop:
                raise Missed(text)
        return bool(condition)

    def file(self, name):
        path = self.built.folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def guest(self, append="", cpus=1, image=None, seconds=60, quiet=60):
        return Guest(self.built.kernel, self.built.lab.machine, cpus=cpus, seed=self.seed, append=append, image=image, seconds=seconds,
                     quiet=quiet)

    def image(self):
        """The system's disk with its shell and programs, from the tree that is graded."""
        return self.built.system_image()

    def machine(self, append="", image=None):
        return Look(self.guest(append, image=image), self.built.kernel)

    def console(self, append="", cpus=1, image=None, seconds=60):
        """A whole run: its ending's word, its text."""
        with self.guest(append, cpus, image, seconds, quiet=seconds) as guest:
            ending = guest.run()
            self.text += guest.console
            if ending.word in ("off", "evicted") and guest.process.returncode == 0:
                return "done", guest.console.replace("\r", "")
            self.ending = ending
            return ending.word, guest.console.replace("\r", "")


def run_outside_check(built, check, *, seed, folder):
    look = Outside(built, check, seed, folder)
    try:
        check.outside(look)
    except Missed as missed:
        if not look.missed:
            look.missed.append(("", str(missed)))
    except AssertionError as error:                     # of the stub: a symbol or a page that is not there
        look.missed.append(("", str(error)))
    passed = not look.missed and look.held > 0
    ending = look.ending
    hint, seen = look.missed[0] if look.missed else ("", f"{look.held} expectations held")
    return {"status": "pass" if passed else "fail", "seen": seen, "hint_key": hint, "ending": ending.word if ending else "done",
            "detail": ending.detail if ending else "", "more": list(ending.more) if ending else [], "seed": seed, "console": look.text[-20000:]}


__all__ = ["run_outside_check", "run"]
