"""A stopped machine that is looked at and stepped: QEMU's own debugger stub, spoken to directly over a pair of sockets. One CPU.

    machine.run_until("sys_fork")               the name of the place that was reached
    machine.registers()["CR3"], machine.word("current_task"), machine.read("gdt", 64)
    machine.step()                              one instruction, interrupts held back

Whoever uses it starts QEMU with arguments() and gives the symbols of the kernel; broken() makes the exception for what went wrong.
"""
import bisect
import re
import socket
import time


class Stub:
    def __init__(self, symbols, cap):
        """symbols: {name: address}; cap: seconds that one answer may take (of all of it, three times this)."""
        self.socket, self.theirs = socket.socketpair()
        self.symbols, self.cap, self.waiting = symbols, cap, b""
        self.end = time.monotonic() + 3 * cap

    def arguments(self):
        """Words for QEMU, which must inherit self.theirs."""
        return ["-S", "-chardev", f"socket,id=stub,fd={self.theirs.fileno()}", "-gdb", "chardev:stub"]

    def broken(self, kind, what):
        raise NotImplementedError

    def begin_wait(self):
        pass

    def tired(self):
        """Asked again and again while an answer is waited for: give up?"""
        return False

    # ---- The protocol: $text#checksum, answered by + and a packet

    def put(self, data):
        try:
            self.socket.sendall(data)
        except ConnectionError:
            raise self.broken("ended", "QEMU ended while it was looked at") from None

    def receive(self):
        """The next packet."""
        end = min(time.monotonic() + self.cap, self.end)
        self.begin_wait()
        while True:
            packet = re.search(rb"\$([^#]*)#..", self.waiting)
            if packet:
                self.waiting = self.waiting[packet.end():]
                self.put(b"+")
                return packet[1].decode("latin-1")
            try:
                self.socket.settimeout(0.25)
                data = self.socket.recv(65536)
            except TimeoutError:
                if time.monotonic() > end or self.tired():
                    raise self.broken("timeout", "TimeOut: the machine did not come there in time") from None
                continue
            except ConnectionError:
                data = b""
            if not data:
                raise self.broken("ended", "QEMU ended while it was looked at")
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
        assert place in self.symbols, f"the kernel has no symbol {place}"
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
            raise self.broken("timeout", f"TimeOut: the machine did not come there within {3 * self.cap:.0f} s")
        if answer[0] in "WX":
            raise self.broken("ended", f"the machine ended ({answer}) while it was looked at")
        assert answer.startswith(("T05", "S05")), f"stopped for another reason: {answer}"

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

    def detach(self):
        """Let it go; nobody waits for the answer, as QEMU may end before it is read."""
        self.send("D")
