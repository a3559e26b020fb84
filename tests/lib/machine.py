"""A Tamal machine: QEMU with our kernel, its own copy of a disk image, and its console.

    batch("echo hello", cpus=2)             commands from the boot line, then halt; the finished run, checked
    with Machine(cpus=2) as m:              a shell at the console
        m.run("echo hello")                 -> Output(text="hello\n", status=0)
        m.halt()

Whatever goes wrong is told at once and with the end of the console: a panic of the guest, an exit status of QEMU that
was not expected, a file system that fsck does not like, or silence for longer than the host cap (TimeOut). No test
depends on time otherwise.
"""
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections import namedtuple
from pathlib import Path

import pexpect

from lib.paths import ARCH, CPUS_MAX, FSCK, IMAGE, PATIENCE, ROOT, kernel

sys.path.insert(0, str(ROOT / "tools"))
import hardware  # noqa: E402

QEMU = os.environ.get("QEMU", hardware.QEMU[ARCH])
HARDWARE, DISK_DEVICE = hardware.HARDWARE[ARCH], hardware.DISK_DEVICE[ARCH]
CAP = 120                                       # seconds a machine may be silent or a command may take
PANIC_STATUS = 101

Output = namedtuple("Output", "text status")


class Broken(AssertionError):
    """The machine did what no machine may do; the message ends with the console's tail."""


class Panic(Broken):
    pass


class TimeOut(Broken):
    pass


def tail(console, lines=45):
    text = console.replace("\r", "")
    return "\n".join(["---- end of the console"] + text[max(text.find("Tamal on "), 0):].splitlines()[-lines:])


def without_newline_mapping():
    """The pseudo-terminal hands on the guest's bytes as they are."""
    attributes = termios.tcgetattr(1)
    attributes[1] &= ~termios.ONLCR
    termios.tcsetattr(1, termios.TCSANOW, attributes)


def copy_image(source, to):
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(to)], check=True)
    return Path(to)


def fsck(image, *options):
    """(status, lines) of fsck; the image is not changed."""
    done = subprocess.run([str(FSCK), *options, str(image)], capture_output=True, text=True, timeout=CAP * PATIENCE)
    return done.returncode, (done.stdout + done.stderr)


def assert_clean(image, console=""):
    status, text = fsck(image)
    assert status == 0, f"fsck after the run says:\n{text}\n{tail(console)}"


def disk_arguments(path, cache="unsafe", **more):
    """A disk on a raw image. cache=unsafe: the host need not flush its own cache; the guest's kill -9 tests
    kill QEMU, not the host."""
    options = "".join(f",{k}={v}" for k, v in more.items())
    return ["-drive", f"file={path},if=none,format=raw,id=disk0,cache={cache}{options}",
            "-device", DISK_DEVICE]


class Boot:
    """How a machine is started: what Machine and batch share."""

    def __init__(self, *, debug=False, cpus=4, mem="128M", append="", image=IMAGE, disk="virtio", extra=(), own=True,
                 folder=None, kernel_file=None, reboots=False):
        """disk: virtio, initrd, none, or a list of QEMU arguments with {image} in them. own: work on a copy."""
        self.folder = Path(folder or tempfile.mkdtemp(prefix="tamal-"))
        self.remove_folder = folder is None
        cpus = min(cpus, CPUS_MAX)
        self.debug, self.cpus, self.mem, self.append = debug, cpus, mem, append
        self.image = None
        if disk != "none":
            self.image = copy_image(image, self.folder / "disk.img") if own else Path(image)
        arguments = [QEMU, *HARDWARE, "-smp", str(cpus), "-m", str(mem), "-display", "none",
                     "-monitor", "none", "-net", "none", *([] if reboots else ["-no-reboot"]),
                     "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                     "-kernel", str(kernel_file or kernel(debug))]
        if append:
            arguments += ["-append", append]
        if disk == "virtio":
            arguments += disk_arguments(self.image)
        elif disk == "initrd":
            arguments += ["-initrd", str(self.image)]
        elif disk != "none":
            arguments += [a.replace("{image}", str(self.image)) for a in disk]
        self.arguments = arguments + list(extra)

    def where(self):
        return f"cpus={self.cpus} mem={self.mem} {'debug' if self.debug else 'release'} append={self.append!r}"

    def clean_up(self):
        if self.remove_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


class Run(namedtuple("Run", "console status boot")):
    """A finished machine. `lines`: what it printed after the firmware's banner."""

    @property
    def lines(self):
        text = self.console.replace("\r", "")
        start = text.find("Tamal on ")
        return text[start if start >= 0 else 0:].splitlines()

    def has(self, pattern):
        return re.search(pattern, self.console.replace("\r", ""), re.M)


def run_machine(boot, *, cap=CAP, on_line=None):
    """Start, read the console until QEMU ends. on_line(line) may answer "kill". A cap on silence and ten of them on the
    whole run."""
    process = subprocess.Popen(boot.arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    console, unfinished = b"", b""
    end = time.monotonic() + 10 * cap * PATIENCE
    try:
        while True:
            patience = 15 * PATIENCE if b"\npanic: " in console else cap * PATIENCE
            ready, _, _ = select.select([process.stdout], [], [], patience)
            piece = os.read(process.stdout.fileno(), 65536) if ready else None
            text = console.decode("utf-8", "replace")
            if piece is None or time.monotonic() > end:
                kind = Panic if "\npanic: " in text else TimeOut
                raise kind(f"{kind.__name__}: the machine said nothing more for {patience:.0f} s ({boot.where()})\n{tail(text)}")
            if piece == b"":
                break
            console += piece
            unfinished += piece
            *lines, unfinished = unfinished.split(b"\n")
            for line in lines if on_line else ():
                if on_line(line.decode("utf-8", "replace").rstrip("\r")) == "kill":
                    os.killpg(process.pid, signal.SIGKILL)
        status = process.wait(timeout=cap)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()
    return Run(console.decode("utf-8", "replace"), status, boot)


def check_run(run, status=0, clean=True):
    if status != PANIC_STATUS and "\npanic: " in run.console:
        raise Panic(f"the kernel panicked ({run.boot.where()})\n{tail(run.console)}")
    if "terminating on signal" in run.console:      # somebody outside killed QEMU, which then says status 0
        raise Broken(f"QEMU was killed from outside ({run.boot.where()})\n{tail(run.console)}")
    if run.status != status:
        raise Broken(f"QEMU's exit status is {run.status}, not {status} ({run.boot.where()})\n{tail(run.console)}")
    if clean and run.boot.image is not None:
        assert_clean(run.boot.image, run.console)
    return run


def batch(commands=None, *, status=0, clean=True, halt=True, cap=CAP, append="", on_line=None, keep=False, **more):
    """Boot, run the commands from the boot line, halt. Checked: no panic, QEMU's status, fsck of the image."""
    if commands is not None:
        assert '"' not in commands, "the boot line has no quotes within run=\"...\""
        append = f'run="{commands}{"; halt" if halt else ""}" {append}'.strip()
    boot = Boot(append=append, **more)
    try:
        return check_run(run_machine(boot, cap=cap, on_line=on_line), status, clean and "initrd" not in str(more.get("disk")))
    finally:
        if not keep:
            boot.clean_up()


class Machine:
    """A machine with its console on a pseudo-terminal: for the shell and for everything typed."""
    PROMPT = "$ "

    def __init__(self, *, cap=CAP, wait=True, **more):
        self.boot = Boot(**more)
        self.cap = cap * PATIENCE
        self.log = ""
        environment = {**os.environ, "TERM": "xterm"}
        self.child = pexpect.spawn(self.boot.arguments[0], self.boot.arguments[1:], timeout=self.cap, encoding="utf-8",
                                   codec_errors="replace", echo=False, dimensions=(24, 80), env=environment,
                                   preexec_fn=without_newline_mapping)
        self.child.delaybeforesend = None
        self.child.logfile_read = self
        self.done = False
        if wait:
            self.expect_exact("$ ")

    # what pexpect reads is kept for messages
    def write(self, text):
        self.log += text

    def flush(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.child.close(force=True)
        if kind is None and not self.done:
            raise Broken("the test left the machine running: end it with halt() or kill()")
        self.boot.clean_up()

    @property
    def image(self):
        return self.boot.image

    def _expect(self, find, patterns, cap):
        """The text before the match. A panic, QEMU's end and silence are told apart."""
        ends = ["panic: ", pexpect.EOF, pexpect.TIMEOUT]
        patterns = [patterns] if isinstance(patterns, str) else list(patterns)
        which = find(patterns + ends, timeout=(cap or self.cap))
        if which < len(patterns):
            self.which = which
            return self.child.before
        if which == len(patterns):
            self.child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=20 * PATIENCE)
            raise Panic(f"the kernel panicked ({self.boot.where()})\n{tail(self.log)}")
        if which == len(patterns) + 1:
            raise Broken(f"QEMU ended while {patterns} was expected ({self.boot.where()})\n{tail(self.log)}")
        raise TimeOut(f"TimeOut: no {patterns} within {cap or self.cap:.0f} s ({self.boot.where()})\n{tail(self.log)}")

    def expect(self, patterns, cap=None):
        return self._expect(self.child.expect, patterns, cap)

    def expect_exact(self, patterns, cap=None):
        return self._expect(self.child.expect_exact, patterns, cap)

    def send(self, text):
        self.child.send(text)

    def type(self, line):
        """A line and Enter; the echo is passed over."""
        self.send(line + "\r")
        self.expect_exact("\r\n")

    def run(self, command, cap=None):
        """One command line at the prompt: what it printed, and its status."""
        self.type(f"{command}; echo @$?@")
        text = self.expect(r"@(-?\d+)@\r\n\$ ", cap)
        return Output(text.replace("\r", ""), int(self.child.match.group(1)))

    def ok(self, command, cap=None):
        text, status = self.run(command, cap)
        assert status == 0, f"{command}: status {status}\n{text}\n{tail(self.log, 15)}"
        return text

    def finish(self, status=0, clean=True):
        """Wait for QEMU's own end, then check it."""
        which = self.child.expect(["panic: ", pexpect.EOF, pexpect.TIMEOUT], timeout=self.cap)
        if which == 0 and status != PANIC_STATUS:
            self.child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=20 * PATIENCE)
            raise Panic(f"the kernel panicked ({self.boot.where()})\n{tail(self.log)}")
        if which == 2:
            raise TimeOut(f"TimeOut: QEMU does not end ({self.boot.where()})\n{tail(self.log)}")
        self.child.close()
        self.done = True
        if self.child.exitstatus != status:
            raise Broken(f"QEMU's exit status is {self.child.exitstatus} (signal {self.child.signalstatus}), not {status}"
                         f"\n{tail(self.log)}")
        if clean and self.image is not None and "-initrd" not in self.boot.arguments:
            assert_clean(self.image, self.log)

    def halt(self, clean=True):
        self.send("halt\r")
        self.finish(0, clean)

    def kill(self):
        """As if the power failed."""
        self.child.kill(signal.SIGKILL)
        self.child.expect(pexpect.EOF)
        self.child.close(force=True)
        self.done = True
