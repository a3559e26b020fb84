"""QEMU's blklogwrites log (the format of Linux's dm-log-writes): a sector with a header, then the entries, each a sector
and, for a write, its data. All writes that reached the disk are there, in the order they were completed, and the flushes."""
import json
import struct

MAGIC, FLUSH, FUA, DISCARD = 0x6A736677736872, 1, 2, 4


def arguments(image, log):
    """QEMU's options for a disk whose writes are logged. no-flush: the host's disk need not be waited for."""
    file = lambda name: {"driver": "file", "filename": str(name), "cache": {"no-flush": True}}
    node = {"driver": "blklogwrites", "node-name": "disk0", "log-sector-size": 512, "file": file(image), "log": file(log)}
    return ["-blockdev", json.dumps(node), "-device", "virtio-blk-device,drive=disk0,write-cache=on"]


def entries(path):
    """(where it begins in the log, flags, disk offset, data) of each entry."""
    log = path.read_bytes()
    magic, version, count, sector = struct.unpack_from("<QQQI", log)
    assert magic == MAGIC and version == 1, "not a write log"
    found, at = [], sector
    for _ in range(count):
        where, sectors, flags, _ = struct.unpack_from("<QQQQ", log, at)
        start = at
        at += sector
        data = b""
        if not flags & DISCARD:
            data = log[at:at + sectors * sector]
            at += len(data)
        found.append((start, flags, where * sector, data))
    return found
