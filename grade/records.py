"""Records: the lines by which a check speaks to the grader; labs/record.h says what they are."""
import re
from collections import namedtuple

MASK = (1 << 64) - 1
LINE = re.compile(r"^@(\d{1,9})(?:\.(\d{1,9}))? ([0-9a-f]{16}) (\w{1,16}) (.*)$")
COUNTS = re.compile(r"-?\d{1,9}( -?\d{1,9})*")          # the text of pass and end

Record = namedtuple("Record", "number child kind text")


def rotate(x, n):
    return (x << n | x >> (64 - n)) & MASK


def tag(key, data):
    """SipHash-2-4 with its highest bit set. key: 32 hex digits, two words as record.h reads them; data: bytes."""
    k0, k1 = int(key[:16], 16), int(key[16:], 16)
    v0, v1, v2, v3 = (k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573)
    words = data + bytes(7 - len(data) % 8) + bytes([len(data) & 255])
    rounds = [int.from_bytes(words[i:i + 8], "little") for i in range(0, len(words), 8)] + [None]
    for word in rounds:
        if word is None:
            v2 ^= 0xFF
        else:
            v3 ^= word
        for _ in range(4 if word is None else 2):
            v0, v2 = (v0 + v1) & MASK, (v2 + v3) & MASK
            v1, v3 = rotate(v1, 13) ^ v0, rotate(v3, 16) ^ v2
            v0 = rotate(v0, 32)
            v2, v0 = (v2 + v1) & MASK, (v0 + v3) & MASK
            v1, v3 = rotate(v1, 17) ^ v2, rotate(v3, 21) ^ v0
            v2 = rotate(v2, 32)
        if word is not None:
            v0 ^= word
    return v0 ^ v1 ^ v2 ^ v3 | 1 << 63


class Reader:
    """Takes the console piece by piece; keeps what are records under this key, and counts what only looks like one."""

    def __init__(self, key):
        self.key, self.records, self.forged, self.repeated, self.rest = key, [], 0, 0, ""
        self.known = set()

    def feed(self, text):
        """How many records were in it."""
        *lines, self.rest = (self.rest + text.replace("\r", "")).split("\n")
        return sum(self.line(line) for line in lines)

    def line(self, line):
        match = LINE.match(line)
        if not match:
            return 0
        number, child, mac, kind, text = match.groups()
        name = number if child is None else f"{number}.{child}"
        if kind in ("pass", "end") and not COUNTS.fullmatch(text) or \
                f"{tag(self.key, f'{name} {kind} {text}'.encode()):016x}" != mac:
            self.forged += 1
            return 0
        record = Record(int(number), int(child or 0), kind, text)
        if record[:2] in self.known:
            self.repeated += 1
            return 0
        self.known.add(record[:2])
        self.records.append(record)
        return 1

    def of_kind(self, kind):
        return [record for record in self.records if record.kind == kind]

    def gap(self):
        """The number of the first record that is missing, 0: none is."""
        chains = {}
        for record in self.records:
            chains.setdefault(record.child, []).append(record.number)
        for numbers in chains.values():
            for expected, seen in enumerate(sorted(numbers), 1):
                if expected != seen:
                    return expected
        return 0
