"""Checks that look from outside: at the student's files, at a console, or into a machine that is stopped and stepped.

A check is a Python function of a lab's checks.py and gets an Outside:

    look.file("labs/01-diagnose/answers.txt")           text of a file of the student's tree
    look.expect(condition, "hint-key", "expected ..., saw ...")
    look.equal(seen, expected, "hint-key", "gdt[20].base")      the same, with its text made
    with look.machine(image=look.image()) as m:         grade/stub.py: m.run_until("sys_fork"), m.registers(), m.finish()
    word, console = look.console(append="demo=tasks", seconds=60)       a whole run: its ending's word and its text

What it boots is a disk: look.image("name") has the lab's checks.c as /bin/init, doing the function of that name; look.image() is the
system with its shell and the lab's programs. Without an image there are only demos. What goes wrong while it looks (the kernel
panics, never comes to a place, goes off) ends the check with that word as the key of a hint.
"""
import os
import re
import signal
import subprocess
import time

import run
from guest import Ending, Guest, HostError, end_with_us, panic_word
from stub import Stub
from trees import BuildError

CAP = 120           # seconds of the clock on the wall an answer may take: a slow host is no error ...
CAP_CPU = 8.0       # ... but so many of its processor are
ASLEEP = 8          # seconds in which it neither runs nor waits for a processor: it sleeps, and what it waits for does not come


class Missed(Exception):
    """An expectation did not hold, or the machine came to an end, and what follows makes no sense without it. word: of messages.py"""

    def __init__(self, text, word=""):
        super().__init__(text)
        self.word = word


class Look(Stub):
    """A machine of the check, paused before its first instruction. Guest gives it its arguments and its folder."""

    def __init__(self, guest):
        super().__init__(guest.symbols.address, CAP)
        self.guest = guest
        self.guest.started = time.monotonic()
        with self.theirs:
            self.process = subprocess.Popen([*guest.arguments, *self.arguments()], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                                            preexec_fn=end_with_us, pass_fds=[self.theirs.fileno()])
        self.guest.process = self.process

    def __enter__(self):
        self.guest.__enter__()
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
        text = self.console
        panic = re.search(r"^panic: (.*)$", text, re.M)
        if panic:
            return Missed(panic[1], panic_word(panic[1]))
        last = [line for line in text.splitlines() if line.strip()][-1:]
        return Missed(f"{what}; the console's last line: {last[0] if last else '(nothing)'}", {"ended": "off"}.get(kind, kind))

    def begin_wait(self):
        self.used_at_first = self.guest.processor_seconds()
        self.wanting, self.awake = self.guest.wanting_seconds(), time.monotonic()

    def tired(self):
        """While an answer is waited for: has the machine had more time than anything here takes?"""
        wanting = self.guest.wanting_seconds()
        if wanting is None or self.wanting is None or wanting - self.wanting > 0.05:
            self.wanting, self.awake = wanting, time.monotonic()
        return self.guest.processor_seconds() - self.used_at_first > CAP_CPU or time.monotonic() - self.awake > ASLEEP

    def run_until(self, *places, times=1):
        """As Stub's, but a panic on the way ends the check."""
        if "panic" in places or "panic" not in self.symbols:
            return super().run_until(*places, times=times)
        for _ in range(times):
            place = super().run_until(*places, "panic")
            if place == "panic":
                self.detach()
                end = time.monotonic() + 5
                while not re.search(r"^panic: .*\n", self.console, re.M) and self.process.poll() is None and time.monotonic() < end:
                    time.sleep(0.02)
                raise self.broken("panic", "the kernel panicked")
        return place

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

    def equal(self, seen, expected, hint, what, stop=False):
        """expected: a value, or a tuple of those that are right."""
        allowed = expected if isinstance(expected, tuple) else (expected,)
        show = lambda value: hex(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)
        return self.expect(seen in allowed, hint, f"{what}: expected {' or '.join(show(value) for value in allowed)}, saw {show(seen)}", stop)

    def file(self, name):
        path = self.built.folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def guest(self, append="", cpus=1, image=None, seconds=60, quiet=60):
        return Guest(self.built.kernel, self.built.lab.machine, cpus=cpus, seed=self.seed, append=append, image=image, seconds=seconds,
                     quiet=quiet)

    def image(self, function=None):
        """A disk, from the tree that is graded: the lab's checks.c as /bin/init, doing this function; or the system's own."""
        if function is None:
            return self.built.system_image()
        key = run.new_key()
        return self.built.image(os.path.join(self.folder, f"{key}.img"), f"{key}{self.seed:016x} {function}")

    def machine(self, append="", image=None):
        return Look(self.guest(append, image=image))

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
            look.missed.append((missed.word, str(missed)))
            if missed.word:
                look.ending = Ending(missed.word, str(missed), [])
    except BuildError as error:
        look.missed.append(("build", f"{error.why}: {error.output.strip()[-300:]}"))
        look.ending = Ending("build", error.why, error.output.splitlines()[-30:])
    except HostError:
        raise
    except Exception as error:                          # a symbol, a page, a field that is not there: what it met was not what it can read
        look.missed.append(("", str(error) if isinstance(error, AssertionError) else f"not to be read: {error!r}"))
    passed = not look.missed and look.held > 0
    ending = look.ending
    hint, seen = look.missed[0] if look.missed else ("", f"{look.held} expectations held")
    return {"status": "pass" if passed else "fail", "seen": seen, "hint_key": hint, "ending": ending.word if ending else "done",
            "detail": ending.detail if ending else "", "more": list(ending.more) if ending else [], "seed": seed, "console": look.text[-20000:]}


__all__ = ["run_outside_check", "run"]
