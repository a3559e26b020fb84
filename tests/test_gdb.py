"""make gdb: one session from a user program's main through ecall into the kernel and back, and the commands that know Tamal."""
import os
import re
import shutil

import pexpect
import pytest

from lib.machine import CAP, copy_image, tail
from lib.paths import IMAGE, PATIENCE, ROOT

pytestmark = pytest.mark.skipif(shutil.which("gdb-multiarch") is None, reason="gdb-multiarch is not installed")


class Session:
    """A debugger on a pseudo-terminal."""
    PROMPT = "(gdb) "

    def __init__(self, folder, *words, append=""):
        image = copy_image(IMAGE, folder / "disk.img")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        environment.update(APPEND=append, TERM="dumb")
        self.child = pexpect.spawn("make", ["-s", "--no-print-directory", *words, f"DISK={image}"], cwd=str(ROOT), env=environment,
                                   timeout=CAP * PATIENCE, encoding="utf-8", codec_errors="replace", echo=False,
                                   dimensions=(50, 200))
        self.log = ""
        self.wait_for(self.PROMPT)

    def wait_for(self, text):
        try:
            self.child.expect_exact(text)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            raise AssertionError(f"{type(error).__name__} while waiting for {text!r}\n{tail(self.log + (self.child.before or ''))}")
        self.log += self.child.before + text
        return self.child.before.replace("\r", "")

    def do(self, command):
        self.child.sendline(command)
        return self.wait_for(self.PROMPT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.sendline("kill")
        self.child.sendline("quit")
        try:
            self.child.expect(pexpect.EOF, timeout=20 * PATIENCE)
        finally:
            self.child.close(force=True)


def test_from_a_program_into_the_kernel_and_back(folder):
    with Session(folder, "gdb", "PROG=ls", "CPUS=2", append='run="ls /; halt"') as gdb:
        gdb.do("break kmain")
        assert re.search(r"Breakpoint 1, .*kmain", gdb.do("continue"))
        assert "arch_init" in gdb.do("list kmain,+6")
        gdb.do('break main if $_streq($task(), "ls")')
        assert re.search(r"Breakpoint 2, .*main", gdb.do("continue"))
        assert "argc" in gdb.do("info args")
        tasks = gdb.do("tasks")
        assert re.search(r"\bls\b", tasks) and re.search(r"\binit\b", tasks)
        gdb.do("step-syscall")
        assert re.search(r"sys_\w+", gdb.do("backtrace 1"))
        assert re.search(r"'?ls'?", gdb.do("print self->name"))
        gdb.do("to-user")
        where = gdb.do("print $pc")
        assert re.search(r"0x1000[0-9a-f]{5}", where), where        # in the program's text again
        assert "rror" not in gdb.do("areas")


def test_every_command_of_ours_works_at_a_breakpoint(folder):
    with Session(folder, "gdb", "CPUS=2", append='run="cat /README; halt"') as gdb:
        gdb.do("break sys_read")
        assert "Breakpoint 1" in gdb.do("continue")
        for command in ("tamal", "tasks", "task", "task 1", "frames", "areas", "blocks", "locks", "pt 0x100000000", "console"):
            text = gdb.do(command)
            assert text.strip() and not re.search(r"Traceback|Error occurred|No symbol|Undefined", text), f"{command}: {text}"
        assert "init" in gdb.do("tasks")
        assert gdb.do("info threads").count("CPU#") == 2 or gdb.do("info threads").count("Thread") >= 2


def test_a_debugger_can_attach_later(folder):
    """make qemu-gdb waits, and says how to attach."""
    image = copy_image(IMAGE, folder / "disk.img")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    waiting = pexpect.spawn("make", ["-s", "--no-print-directory", "qemu-gdb", "CPUS=1", f"DISK={image}"], cwd=str(ROOT), encoding="utf-8",
                            env=environment, timeout=CAP * PATIENCE, echo=False, dimensions=(50, 300))
    try:
        waiting.expect(r"target remote ([^\s']+)")
        target = waiting.match.group(1)
        done = pexpect.run(f"gdb-multiarch -q -batch -iex 'set auto-load no' {ROOT}/build/riscv/kernel.elf -ex 'target remote {target}' "
                           "-ex 'break kmain' -ex continue -ex 'info symbol $pc' -ex kill", encoding="utf-8", timeout=CAP * PATIENCE)
        assert "kmain in section .text" in done or "kmain + " in done, done
    finally:
        waiting.close(force=True)
