"""One run of a machine under the grader's eyes: QEMU in deterministic mode, its console, its clock, and the word for its end.

Time is the machine's own: instructions are counted (-icount), so a busy host changes nothing. What the host gives is counted in
seconds of its processor, not of the clock on the wall.
"""
import bisect
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, namedtuple
from pathlib import Path

from records import Reader

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from hardware import CPUS_MAX, HARDWARE, QEMU  # noqa: E402

MEMORY = {"riscv": "128M", "i386": "112M"}

# Time by instructions; when every hart sleeps, the clock goes on to the next timer at once. A debugger's stop looks like such a sleep to
# QEMU 7.2, again and again, until no timer is left: then it has to follow the host's clock.
BY_INSTRUCTIONS, UNDER_A_DEBUGGER = "shift=3,sleep=off", "shift=3,sleep=on"
TICKS_A_SECOND = 100
SILENT_CPU = 4.0            # seconds of processor time without a first line
FROZEN_CPU = 1.0            # ... and half as much for each hart, without a tick: interrupts are off for too long
ASLEEP = 100                # looks in a row at which the emulator slept and no tick came: its harts wait for nothing
AFTER_PANIC_CPU = 1.0
WALL = 20                   # the clock on the wall may take so many times the processor's, then the host is to blame
BROKEN = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP}       # what nobody else sends
CONSOLE_MAX = 4 << 20       # a machine that says more than this says nothing new
SAMPLES = 12

# word: see messages.py. detail: one line. more: lines for who wants to know.
Ending = namedtuple("Ending", "word detail more")


try:
    LIBC = ctypes.CDLL(None, use_errno=True)
except OSError:
    LIBC = None


def end_with_us():
    """In a child, before it becomes the emulator: the host kills it when we are gone, however that came. (Linux; elsewhere nothing.)"""
    if LIBC is not None and hasattr(LIBC, "prctl"):
        LIBC.prctl(1, signal.SIGKILL)               # PR_SET_PDEATHSIG


class HostError(Exception):
    """Not the student's doing: the emulator is missing, a file cannot be written ..."""


def need_emulator(machine):
    if shutil.which(QEMU[machine]) is None:
        raise HostError(f"{QEMU[machine]} is not installed: make setup ARCH={machine}")


class Symbols:
    def __init__(self, kernel):
        done = subprocess.run(["nm", "-ap", str(kernel)], capture_output=True, text=True, errors="replace")
        if done.returncode != 0:
            raise HostError(f"nm {kernel}: {done.stderr.strip()}")
        self.address, self.known, self.ticks, file = {}, [], None, ""
        for line in done.stdout.splitlines():
            address, kind, name = line.split() if len(line.split()) == 3 else ("0", "a", file)
            if kind == "a":
                file = name                             # the static names that follow are this file's
                continue
            self.address[name] = int(address, 16)
            self.known.append((int(address, 16), name))
            if (file, name) == ("clock.c", "ticks"):    # others may have one, too
                self.ticks = int(address, 16)
        self.known.sort()

    def name(self, address):
        i = bisect.bisect_right(self.known, (address, "\x7f")) - 1
        return self.known[i][1] if i >= 0 and address - self.known[i][0] < 1 << 16 else None


def panic_word(message):
    return "trap" if message.startswith("kernel fault") else "panic"


class Monitor:
    """QEMU's own protocol (QMP) over a pair of sockets that the emulator inherits: no port, no path."""

    def __init__(self, connection):
        self.socket, self.waiting, self.events = connection, b"", []
        self.socket.setblocking(False)
        self.open = True

    def poll(self):
        try:
            data = self.socket.recv(65536)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            data = b""
        if not data:
            self.open = False
            return []
        *lines, self.waiting = (self.waiting + data).split(b"\n")
        messages = [json.loads(line) for line in lines if line.strip()]
        self.events += [message for message in messages if "event" in message]
        return [message for message in messages if "event" not in message]

    def command(self, name, seconds=30, **arguments):
        """The answer, or None: the emulator has ended, or says nothing for so many seconds."""
        request = {"execute": name, **({"arguments": arguments} if arguments else {})}
        end = time.monotonic() + seconds
        try:
            self.socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            self.open = False
        while self.open and time.monotonic() < end:
            for message in self.poll():
                if "return" in message or "error" in message:
                    return message.get("return")
            time.sleep(0.002)
        return None

    def human(self, line):
        return self.command("human-monitor-command", **{"command-line": line}) or ""


class Guest:
    """A machine in a folder of its own. run() returns how it ended."""

    all = set()                                 # those that run now

    def __init__(self, kernel, machine, *, cpus=1, seed=1, append="", image=None, memory=None, key="0" * 32, seconds=60, quiet=15):
        """seconds: of the machine's time it may take; quiet: of them without a record."""
        need_emulator(machine)
        self.kernel, self.machine = kernel, machine
        self.frozen = FROZEN_CPU + 0.5 * min(cpus, CPUS_MAX[machine])
        self.symbols = Symbols(kernel)
        self.reader, self.console = Reader(key), ""
        self.limit, self.quiet = seconds * TICKS_A_SECOND, quiet * TICKS_A_SECOND
        self.folder = tempfile.mkdtemp(prefix="tamal-grade.")
        self.path = os.path.join(self.folder, "console")
        open(self.path, "wb").close()
        self.taken = 0                          # bytes of it that were read
        self.arguments = [
            QEMU[machine], *HARDWARE[machine], "-smp", str(min(cpus, CPUS_MAX[machine])), "-m", memory or MEMORY[machine],
            "-kernel", str(kernel), "-net", "none", "-display", "none", "-no-reboot",
            "-icount", BY_INSTRUCTIONS, "-rtc", "base=2024-01-01T00:00:00,clock=vm", "-seed", str(seed),
            "-serial", "file:" + self.path, "-append", f"seed={seed} {append}".strip()]
        if image:
            self.arguments += ["-initrd", str(image)]
        self.process = self.monitor = None
        self.off = False

    def __enter__(self):
        Guest.all.add(self)
        return self

    def __exit__(self, *_):
        Guest.all.discard(self)
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.monitor:
            self.monitor.socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [*self.arguments, "-chardev", f"socket,id=monitor,fd={theirs.fileno()}", "-mon", "chardev=monitor,mode=control"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
                pass_fds=[theirs.fileno()], preexec_fn=end_with_us)
        self.monitor = Monitor(ours)
        self.monitor.command("qmp_capabilities")

    # ---- Looking

    def read_console(self):
        """How many records came."""
        with open(self.path, "rb") as file:
            file.seek(self.taken)
            data = file.read(1 << 20)
        self.taken += len(data)
        text = data.decode("utf-8", "replace")
        self.console += text
        return self.reader.feed(text)

    def processor_seconds(self):
        try:
            with open(f"/proc/{self.process.pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            return time.monotonic() - self.started          # no /proc here: the clock on the wall must do

    def wanting_seconds(self):
        """Seconds in which it ran, or would have run had the host not been busy; of all its threads. None: this host does not tell."""
        total, folder = 0, f"/proc/{self.process.pid}/task"
        try:
            for thread in os.listdir(folder):
                with open(f"{folder}/{thread}/schedstat") as stat:
                    ran, waited, _ = stat.read().split()
                    total += int(ran) + int(waited)
        except (OSError, ValueError):
            return None
        return total / 1e9

    def asleep(self):
        """Every thread of the emulator sleeps: none wants the processor, however busy the host is."""
        try:
            threads = f"/proc/{self.process.pid}/task"
            for name in os.listdir(threads):
                with open(f"{threads}/{name}/stat") as stat:
                    if stat.read().rsplit(")", 1)[1].split()[0] != "S":
                        return False
            return True
        except OSError:
            return False

    def ticks(self):
        """The kernel's own count; None: the emulator has ended, or there is no such counter."""
        address = self.symbols.ticks
        if address is None:
            return None
        text = self.monitor.human(f"xp /1{'g' if self.machine == 'riscv' else 'w'}x {address:#x}")
        match = re.search(r": 0x([0-9a-f]+)", text)
        return int(match[1], 16) if match else None

    def where(self):
        """The function that each hart is in, or None for a program's code."""
        text = self.monitor.human("info registers -a")
        pcs = re.findall(r"^ *pc +([0-9a-f]+)|\bEIP=([0-9a-f]+)", text, re.M)
        return [self.symbols.name(int(a or b, 16)) for a, b in pcs]

    # ---- Running

    def run(self):
        self.started = time.monotonic()
        self.start()
        try:
            ending = self.watch()
        except BrokenPipeError:
            ending = None
        if ending is None:
            errors = self.process.stderr.read().decode("utf-8", "replace") if self.process.wait() is not None else ""
            self.read_console()
            ending = self.judge_end(errors)
        return ending

    def watch(self):
        """Until it ends by itself (None), or must be ended."""
        ticks = last_record = asleep = 0
        tick_cpu = panic_cpu = 0.0
        while True:
            time.sleep(0.03)
            if self.read_console():
                last_record = ticks
            self.monitor.poll()
            if self.process.poll() is not None:
                return None
            if self.reader.of_kind("end") and self.switched_off():
                return None
            cpu = self.processor_seconds()
            asleep = asleep + 1 if self.asleep() else 0
            if "\npanic: " in self.console:
                panic_cpu = panic_cpu or cpu
                if cpu - panic_cpu > AFTER_PANIC_CPU:
                    return self.panic()
                continue
            if len(self.console) > CONSOLE_MAX:
                return Ending("flood", "the console got more than 4 MiB", [])
            wall = time.monotonic() - self.started
            if wall > 60 + WALL * (self.limit / TICKS_A_SECOND):
                if cpu > wall / WALL:
                    return Ending("timeout", f"not over after {cpu:.0f} s of the host's processor", self.samples()[1])
                raise HostError("the host is too busy: this run got almost no processor time")
            seen = self.ticks()
            if seen is None:
                if self.symbols.ticks is not None and self.monitor.open and self.process.poll() is None:
                    self.give_up()                      # it hangs as it goes off: what the console says is all there is
                    return None
                continue
            if seen < ticks:
                return Ending("livelock", f"the clock went back from {ticks} to {seen} ticks", self.samples()[1])
            if seen != ticks:
                ticks, tick_cpu, asleep = seen, cpu, 0
            if asleep > ASLEEP:
                if "Tamal on " not in self.console:
                    return Ending("silent", "no first line after the firmware's, and every hart sleeps", self.samples()[1])
                return self.stuck("the clock stands still and every hart sleeps")
            if "Tamal on " not in self.console and cpu > SILENT_CPU:
                return Ending("silent", "no first line after the firmware's", self.samples()[1])
            if cpu - tick_cpu > self.frozen + (SILENT_CPU if ticks == 0 else 0):
                return self.stuck("the clock stands still")
            if ticks - last_record > self.quiet:
                return self.stuck(f"nothing was reported for {self.quiet // TICKS_A_SECOND} s of the machine's time")
            if ticks > self.limit:
                return Ending("timeout", f"not over after {self.limit // TICKS_A_SECOND} s of the machine's time", self.samples()[1])

    def switched_off(self):
        """The check is over and the machine goes off. A request that comes while it does may hang QEMU (7.2) for good: so none is sent
        for a while, and an emulator that then answers nothing is ended here. False: it goes on."""
        if self.off:
            return False                                # asked before
        self.off = True
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            if self.monitor.command("query-status", seconds=10) is not None:
                return False
            self.give_up()
        return True

    def give_up(self):
        """An emulator that hangs is ended; its status is what the check's end says."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.returncode = min(sum(int(record.text.split()[0]) for record in self.reader.of_kind("end")), 1)

    def samples(self):
        """Where the harts are, looked at some times: (Counter of functions, lines)."""
        seen = Counter()
        for _ in range(SAMPLES):
            self.monitor.command("stop")
            here = self.where()
            for hart, name in enumerate(here):
                seen[hart, name or "(a program)"] += 1
            self.monitor.command("cont")
            time.sleep(0.005)
        return seen, [f"hart {hart}: {name}, {n} of {SAMPLES} times" for (hart, name), n in seen.most_common(8)]

    IDLE = {"cpu_wait", "scheduler", "idle", "clock_enter_idle", "clock_leave_idle"}
    SPIN = {"acquire", "spin", "try_acquire", "acquire_slow", "cpu_relax", "flush_cpus", "wait_for_turn"}

    def stuck(self, why):
        seen, lines = self.samples()
        names = {name for _, name in seen}
        if names <= self.IDLE:
            return Ending("deadlock", f"{why}: every task waits", self.who_waits() or lines)
        if names & self.SPIN and names <= self.SPIN | self.IDLE | {"trap_entry", "kernel_trap"}:
            return Ending("deadlock", f"{why}: a hart waits for a lock in {', '.join(sorted(names & self.SPIN))}", lines + self.who_waits())
        busy = [name for (_, name), _ in seen.most_common() if name not in self.IDLE]
        return Ending("livelock", f"{why}, and the machine is busy in {', '.join(dict.fromkeys(busy[:4]))}", lines)

    def who_waits(self):
        """The table of tasks, by the debugger commands of tools/gdb, where a debugger is installed."""
        gdb = shutil.which("gdb-multiarch")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "gdb", "tamal.py")
        if gdb is None or not os.path.exists(script):
            return []
        path = os.path.join(self.folder, "gdb")
        self.monitor.human(f"gdbserver unix:{path},server=on,wait=off")
        try:
            done = subprocess.run([gdb, "-q", "-batch", "-nx", "-iex", "set auto-load no", str(self.kernel), "-ex", f"target remote {path}",
                                   "-x", script, "-ex", "tasks", "-ex", "locks"], capture_output=True, text=True, errors="replace",
                                  timeout=20)
        except subprocess.TimeoutExpired:               # lists without an end: the debugger gets lost in them, too
            return []
        lines = done.stdout.splitlines()
        start = next((i for i, line in enumerate(lines) if line.split()[:2] == ["PID", "STATE"]), None)
        return lines[start:start + 20] if start is not None else []

    def panic(self):
        text = self.console.replace("\r", "")
        message = re.search(r"^panic: (.*)$", text, re.M)
        calls = re.findall(r"^ +(?:at|by) +0x[0-9a-f]+ (\S+?)\+0x[0-9a-f]+$", text[message.start():], re.M)
        calls = [name for name in calls if name != "panic"]
        where = f" (in {calls[0]}" + (f", called by {', '.join(calls[1:4])}" if calls[1:] else "") + ")" if calls else ""
        return Ending(panic_word(message[1]), message[1] + where, text[message.start():].splitlines()[:24])

    def judge_end(self, errors):
        status, text = self.process.returncode, self.console.replace("\r", "")
        reasons = [event.get("data", {}).get("reason", "") for event in self.monitor.events if event["event"] == "SHUTDOWN"]
        if "\npanic: " in text:
            return self.panic()
        if -status in BROKEN:
            return Ending("off", f"the emulator itself broke down ({signal.Signals(-status).name}) under this kernel", [])
        if status < 0 or "terminating on signal" in errors or "host-signal" in reasons:
            raise HostError(f"the emulator was ended from outside: status {status} {errors.strip()[-200:]}")
        if status == 1 and errors.strip() and "Tamal on " not in text:
            raise HostError(f"{QEMU[self.machine]}: {errors.strip()[-300:]}")
        if self.reader.of_kind("end"):
            return Ending("done", f"status {status}", [])
        tail = [line for line in text.splitlines() if not line.startswith("@")][-8:]
        if "guest-reset" in reasons:
            return Ending("reboot", "the machine was reset", tail)
        fault = re.findall(r"^(fault: .*|oom: .*)$", text, re.M)
        if fault and re.search(r"^init: ended|cannot start /bin/init", text, re.M):
            return Ending("evicted", fault[-1], tail)
        if "Tamal on " not in text:
            return Ending("silent", "the machine went off before its first line", tail)
        return Ending("off", f"the machine went off before the check was over (status {status})", tail)
