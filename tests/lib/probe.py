"""A machine that is looked at while it is stopped (grade/stub.py), for tests.

    with Probe(append='run="true; halt"') as p:
        p.run_until("sys_fork")             -> the name of the place that was reached
        p.registers()["CR3"], p.word("current_task"), p.read("gdt", 64)
        p.step()                            one instruction, interrupts held back
        p.finish()                          let it run to its own end

Whatever is waited for has a cap, and what goes wrong is told with the end of the console. One CPU.
"""
import os
import signal
import subprocess
import sys

from lib.machine import CAP, Boot, Broken, TimeOut, tail
from lib.paths import PATIENCE, ROOT

sys.path.insert(0, str(ROOT / "grade"))
from stub import Stub  # noqa: E402


class Probe(Stub):
    def __init__(self, *, cap=CAP, stdin=subprocess.DEVNULL, **more):
        """stdin: the console's input. more: as for Boot. The machine is paused before its first instruction."""
        self.boot = Boot(cpus=1, **more)
        kernel = self.boot.arguments[self.boot.arguments.index("-kernel") + 1]
        symbols = {}
        names = subprocess.run(["nm", kernel], check=True, capture_output=True, text=True).stdout
        for address, _, name in (line.split() for line in names.splitlines()):
            symbols.setdefault(name, int(address, 16))
        super().__init__(symbols, cap * PATIENCE)
        self.console_path = self.boot.folder / "console"
        with self.theirs, open(self.console_path, "wb") as console:
            self.process = subprocess.Popen([*self.boot.arguments, *self.arguments()], stdin=stdin, stdout=console,
                                            stderr=subprocess.STDOUT, start_new_session=True, pass_fds=[self.theirs.fileno()])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.socket.close()
        self.boot.clean_up()

    @property
    def console(self):
        return self.console_path.read_bytes().decode("utf-8", "replace").replace("\r", "")

    def broken(self, kind, what):
        return (TimeOut if kind == "timeout" else Broken)(f"{what} ({self.boot.where()})\n{tail(self.console)}")

    def finish(self, status=0):
        """Let it go, until it ends by itself with this exit status. Its console."""
        self.detach()
        try:
            seen = self.process.wait(self.cap)
        except subprocess.TimeoutExpired:
            raise self.broken("timeout", f"TimeOut: QEMU does not end within {self.cap:.0f} s") from None
        if seen != status:
            raise self.broken("ended", f"QEMU's exit status is {seen}, not {status}")
        return self.console
