"""A machine that is looked at while it is stopped: QEMU's own debugger stub, spoken to directly.

    with Probe(append='run="true; halt"') as p:
        p.run_until("sys_fork")             -> the name of the place that was reached
        p.registers()["CR3"], p.word("current_task"), p.read("gdt", 64)
        p.step()                            one instruction, interrupts held back
        p.finish()                          let it run to its own end

The connection is a pair of sockets that QEMU inherits: no port and no path. Whatever is waited for has a cap, and what goes
wrong is told with the end of the console. One CPU.
"""
import bisect
import os
import re
import signal
import socket
import subprocess
import time

from lib.machine import CAP, Boot, Broken, TimeOut, tail
from lib.paths import PATIENCE


class Probe:
    def __init__(self, *, cap=CAP, stdin=subprocess.DEVNULL, **more):
        """stdin: the console's input. more: as for Boot. The machine is paused before its first instruction."""
        ours, theirs = socket.socketpair()
        self.boot = Boot(cpus=1, **more)
        self.cap, self.waiting = cap * PATIENCE, b""
        self.end = time.monotonic() + 3 * self.cap      # of all of it: what is stopped again and again ends, too
        self.socket = ours
        self.console_path = self.boot.folder / "console"
        with theirs, open(self.console_path, "wb") as console:
            self.process = subprocess.Popen(
                [*self.boot.arguments, "-S", "-chardev", f"socket,id=stub,fd={theirs.fileno()}", "-gdb", "chardev:stub"],
                stdin=stdin, stdout=console, stderr=subprocess.STDOUT, start_new_session=True,
                pass_fds=[theirs.fileno()])
        kernel = self.boot.arguments[self.boot.arguments.index("-kernel") + 1]
        self.symbols = {}
        names = subprocess.run(["nm", kernel], check=True, capture_output=True, text=True).stdout
        for address, _, name in (line.split() for line in names.splitlines()):
            self.symbols.setdefault(name, int(address, 16))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.socket.close()
        self.boot.clean_up()

    # ---- The protocol: $text#checksum, answered by + and a packet

    @property
    def console(self):
        return self.console_path.read_bytes().decode("utf-8", "replace").replace("\r", "")

    def broken(self, kind, what):
        return kind(f"{what} ({self.boot.where()})\n{tail(self.console)}")

    def put(self, data):
        try:
            self.socket.sendall(data)
        except ConnectionError:
            raise self.broken(Broken, "QEMU ended while it was looked at") from None

    def receive(self):
        """The next packet."""
        end = min(time.monotonic() + self.cap, self.end)
        while True:
            packet = re.search(rb"\$([^#]*)#..", self.waiting)
            if packet:
                self.waiting = self.waiting[packet.end():]
                self.put(b"+")
                return packet[1].decode("latin-1")
            try:
                self.socket.settimeout(max(end - time.monotonic(), 0.001))
                data = self.socket.recv(65536)
            except TimeoutError:
                raise self.broken(TimeOut, f"TimeOut: the machine did not come there within {self.cap:.0f} s") from None
            except ConnectionError:
                data = b""
            if not data:
                raise self.broken(Broken, "QEMU ended while it was looked at")
            self.waiting += data

    def send(self, text):
        self.put(b"$%s#%02x" % (text.encode(), sum(text.encode()) % 256))

    def ask(self, text):
        self.send(text)
        return self.receive()

    def monitor(self, command):
        """The answer to a command of QEMU's monitor."""
        answer = self.ask("qRcmd," + command.encode().hex())
        output = ""
        while answer.startswith("O") and answer != "OK":
            output += bytes.fromhex(answer[1:]).decode()
            answer = self.receive()
        assert answer == "OK", f"monitor {command}: {answer}"
        return output

    # ---- Looking

    def address(self, place):
        if isinstance(place, int):
            return place
        assert place in self.symbols, f"the kernel has no symbol {place}: this test must follow the sources"
        return self.symbols[place]

    def name(self, address):
        """name+offset of an address in the kernel."""
        known = sorted((value, name) for name, value in self.symbols.items())
        i = bisect.bisect_right(known, (address, "\x7f")) - 1
        return f"{known[i][1]}+{address - known[i][0]:#x}" if i >= 0 else hex(address)

    def registers(self):
        """All numbers of the monitor's `info registers`; of a segment or TR the selector. (The flags it prints for TR are
        wrong, so nobody gets them.)"""
        text = self.monitor("info registers")
        return {name: int(number, 16) for name, number in re.findall(r"\b([A-Z][A-Z0-9]*)\s*=\s*([0-9a-f]+)\b", text)}

    def read(self, place, nbytes):
        """Bytes at an address as the program in hand sees it."""
        answer = self.ask(f"m{self.address(place):x},{nbytes:x}")
        assert not answer.startswith("E"), f"nothing is mapped at {self.address(place):#x}"
        return bytes.fromhex(answer)

    def word(self, place):
        return int.from_bytes(self.read(place, 4), "little")

    def write(self, place, data):
        assert self.ask(f"M{self.address(place):x},{len(data):x}:{data.hex()}") == "OK"

    # ---- Running

    def stopped(self):
        answer = self.receive()
        if time.monotonic() > self.end:
            raise self.broken(TimeOut, f"TimeOut: the machine did not come there within {3 * self.cap:.0f} s")
        if answer[0] in "WX":
            raise self.broken(Broken, f"the machine ended ({answer}) while it was looked at")
        assert answer.startswith("T05") or answer.startswith("S05"), f"stopped for another reason: {answer}"

    def step(self):
        """One instruction. (QEMU may answer that it was interrupted before it: then nothing has changed.)"""
        before = self.monitor("info registers")
        for _ in range(5):
            self.send("s")
            self.stopped()
            if self.monitor("info registers") != before:
                break

    def run_until(self, *places, times=1):
        """Go on until one of these is about to be executed, for the n-th time; which one."""
        there = {self.address(place): place for place in places}
        for _ in range(times):
            self.step()                                 # not once more where we are
            if self.registers()["EIP"] in there:
                continue
            for address in there:
                assert self.ask(f"Z0,{address:x},1") == "OK"
            self.send("c")
            self.stopped()
            for address in there:
                assert self.ask(f"z0,{address:x},1") == "OK"
        return there[self.registers()["EIP"]]

    def finish(self, status=0):
        """Let it go, until it ends by itself with this exit status. Its console."""
        self.send("D")                                  # nobody waits for the answer: QEMU may end before it is read
        try:
            seen = self.process.wait(self.cap)
        except subprocess.TimeoutExpired:
            raise self.broken(TimeOut, f"TimeOut: QEMU does not end within {self.cap:.0f} s") from None
        if seen != status:
            raise self.broken(Broken, f"QEMU's exit status is {seen}, not {status}")
        return self.console
