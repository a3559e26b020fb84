"""mkfs makes images, fsck proves them: both against an independent reader and corrupter of abi/fsformat.h in Python.

Run: /usr/bin/python3 -m pytest tests/test_mkfs.py
The tools are built here with address and undefined-behaviour sanitizers, unless TAMAL_MKFS and TAMAL_FSCK name
built ones (build/host/mkfs, build/host/fsck). TAMAL_FUZZ_ROUNDS: random damages tried per image (default 1200).
"""
import os
import random
import re
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.host

ROOT = Path(__file__).resolve().parent.parent
BLOCK, DIRECT, INDEX = 4096, 22, 1024
T_DIR, T_FILE, T_DEVICE, T_SYMLINK = 1, 2, 3, 4
COMMON = ["mkfs/layout.c", "mkfs/crc32.c"]
LIBRARY = ["mkfs/check.c", "mkfs/check_inode.c", "mkfs/check_dir.c", "mkfs/repair.c", "mkfs/log.c",
           "mkfs/view.c"] + COMMON
SOURCES = {"mkfs": ["mkfs/mkfs.c", "mkfs/tree.c", "mkfs/build.c"] + COMMON,
           "fsck": ["mkfs/fsck.c"] + LIBRARY,
           "fuzz": ["mkfs/tests/fuzz.c"] + LIBRARY}
FLAGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all", "-I."]


# ---- the tools -------------------------------------------------------------------------------------------------

class Tools:
    def __init__(self, folder):
        self.folder = folder
        self.mkfs_path = os.environ.get("TAMAL_MKFS") or self.build("mkfs")
        self.fsck_path = os.environ.get("TAMAL_FSCK") or self.build("fsck")

    def build(self, name):
        out = self.folder / name
        if not out.exists():
            subprocess.run([os.environ.get("HOSTCC", "cc"), *FLAGS, *SOURCES[name], "-o", str(out)], cwd=ROOT,
                           check=True)
        return str(out)

    def mkfs(self, *arguments, **more):
        return subprocess.run([self.mkfs_path, *map(str, arguments)], capture_output=True, text=True, **more)

    def fsck(self, *arguments):
        done = subprocess.run([self.fsck_path, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode in (0, 1, 2), done.stderr
        return done


@pytest.fixture(scope="session")
def tools(tmp_path_factory):
    return Tools(tmp_path_factory.mktemp("tools"))


# ---- an image in memory, read and damaged field by field --------------------------------------------------------

SUPER = ["version", "block_size", "blocks", "inodes", "log_start", "log_blocks", "imap_start", "imap_blocks",
         "bmap_start", "bmap_blocks", "inode_start", "inode_blocks", "data_start", "checksum"]
INODE = {"type": (0, "H"), "nlink": (2, "H"), "major": (4, "H"), "minor": (6, "H"), "size": (8, "Q"),
         "mtime": (16, "q"), "blocks": (24, "I"), "reserved": (28, "I"), "indirect": (120, "I"),
         "double_indirect": (124, "I")}


class Image:
    def __init__(self, data):
        self.data = bytearray(data)
        self.sb = dict(zip(SUPER, struct.unpack_from("<14I", self.data, 8)))

    def get(self, offset, code="I"):
        return struct.unpack_from("<" + code, self.data, offset)[0]

    def put(self, offset, value, code="I"):
        struct.pack_into("<" + code, self.data, offset, value)

    def block(self, number):
        return bytes(self.data[number * BLOCK:(number + 1) * BLOCK])

    # superblock
    def put_super(self, field, value, mend=True):
        self.put(8 + 4 * SUPER.index(field), value)
        if mend:
            self.put(60, zlib.crc32(self.data[:60]))

    # inodes
    def inode_at(self, inum):
        return self.sb["inode_start"] * BLOCK + inum * 128

    def inode(self, inum, field):
        offset, code = INODE[field]
        return self.get(self.inode_at(inum) + offset, code)

    def put_inode(self, inum, **fields):
        for field, value in fields.items():
            offset, code = INODE[field]
            self.put(self.inode_at(inum) + offset, value, code)

    def direct(self, inum, i):
        return self.get(self.inode_at(inum) + 32 + 4 * i)

    def put_direct(self, inum, i, value):
        self.put(self.inode_at(inum) + 32 + 4 * i, value)

    # maps
    def bit(self, area, index):
        return self.data[self.sb[area] * BLOCK + index // 8] >> index % 8 & 1

    def put_bit(self, area, index, value):
        at = self.sb[area] * BLOCK + index // 8
        self.data[at] = self.data[at] & ~(1 << index % 8) | value << index % 8

    # files
    def file_blocks(self, inum):
        index = lambda number: struct.unpack("<1024I", self.block(number)) if number else (0,) * INDEX
        yield from (self.direct(inum, i) for i in range(DIRECT))
        yield from index(self.inode(inum, "indirect"))
        for number in index(self.inode(inum, "double_indirect")):
            yield from index(number)

    def read(self, inum):
        size, out = self.inode(inum, "size"), []
        for number, _ in zip(self.file_blocks(inum), range(-(-size // BLOCK))):
            out.append(self.block(number) if number else bytes(BLOCK))
        return b"".join(out)[:size]

    def entries(self, inum):
        data = self.read(inum)
        return [(struct.unpack_from("<I", data, at)[0], data[at + 4:at + 64].rstrip(b"\0").decode())
                for at in range(0, len(data), 64)]

    def find(self, path):
        inum = 1
        for part in path.strip("/").split("/"):
            if part:
                inum = {name: number for number, name in self.entries(inum) if number}[part]
        return inum

    def entry_at(self, directory, name):
        slot = [n for _, n in self.entries(directory)].index(name)
        return self.slot_at(directory, slot)

    def slot_at(self, directory, slot):
        return list(self.file_blocks(directory))[slot // 64] * BLOCK + slot % 64 * 64

    def put_name(self, at, name):
        self.data[at + 4:at + 64] = name.ljust(60, b"\0")

    def add_entry(self, directory, name, inum):
        """Append an entry; the directory's last block has room."""
        size = self.inode(directory, "size")
        self.put_inode(directory, size=size + 64)
        at = self.slot_at(directory, size // 64)
        self.put(at, inum)
        self.put_name(at, name.encode())

    def free_block(self):
        return next(n for n in range(self.sb["data_start"], self.sb["blocks"]) if not self.bit("bmap_start", n))

    # log
    def ring_at(self, index):
        return (self.sb["log_start"] + 1 + index % (self.sb["log_blocks"] - 1)) * BLOCK

    def put_header(self, tail=0, sequence=1, magic=0x4c474844):
        header = struct.pack("<IIQ", magic, tail, sequence)
        at = self.sb["log_start"] * BLOCK
        self.data[at:at + 20] = header + struct.pack("<I", zlib.crc32(header))

    def put_group(self, index, sequence, blocks, last=1, count=None):
        """A descriptor at ring index `index` and its blocks, {home: bytes}, after it; returns the next index."""
        homes = list(blocks) + [0] * (1000 - len(blocks))
        body = b"".join(blocks.values())
        count = len(blocks) if count is None else count
        group = struct.pack("<IIQII1000I", 0x4c474752, count, sequence, last, zlib.crc32(body), *homes)
        for i, contents in enumerate(blocks.values()):
            at = self.ring_at(index + 1 + i)
            self.data[at:at + BLOCK] = contents
        at = self.ring_at(index)
        self.data[at:at + 4028] = group + struct.pack("<I", zlib.crc32(group))
        return index + 1 + len(blocks)

    def log_change(self, index, sequence, change, last=1):
        """Log what `change(image)` does to a copy of the image as one group; this image's homes stay as they are."""
        after = Image(self.data)
        change(after)
        blocks = {n: after.block(n) for n in range(self.sb["imap_start"], self.sb["blocks"])
                  if self.block(n) != after.block(n)}
        return self.put_group(index, sequence, blocks, last)


@pytest.fixture(scope="session")
def host_files(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("host"), random.Random(1)
    for name, size in [("empty", 0), ("one", 1), ("block", 4096), ("direct", 22 * 4096), ("indirect", 23 * 4096 + 5),
                       ("double", (22 + 1024) * 4096 + 9000)]:
        (folder / name).write_bytes(rng.randbytes(size))
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))
    return folder


@pytest.fixture(scope="session")
def good_bytes(tools, host_files, tmp_path_factory):
    """An image with one of everything: the patient of the corruption tests."""
    path = tmp_path_factory.mktemp("good") / "disk.img"
    entries = [f"/bin/{name}={host_files / name}" for name in ("empty", "one", "block", "direct", "indirect", "double")]
    done = tools.mkfs("-o", path, "-s", "8M", *entries, "/dev/console=c:1,0", "/link->bin/one", "/d/e/", "/d/f/")
    assert done.returncode == 0, done.stderr
    return path.read_bytes()


@pytest.fixture
def good(good_bytes):
    return Image(good_bytes)


@pytest.fixture
def check(tools, tmp_path):
    """Write the image, run fsck on it, return the finished process."""
    def run(image, *options):
        path = tmp_path / "checked.img"
        path.write_bytes(image.data)
        done = tools.fsck(*options, path)
        done.path = path
        done.lines = (done.stdout + done.stderr).replace(str(path), "IMAGE").splitlines()
        return done
    return run


# ---- mkfs -------------------------------------------------------------------------------------------------------

def test_contents_read_back(good, host_files):
    for name in ("empty", "one", "block", "direct", "indirect", "double"):
        inum = good.find(f"/bin/{name}")
        assert good.read(inum) == (host_files / name).read_bytes()
        assert good.inode(inum, "type") == T_FILE and good.inode(inum, "mtime") == 1_700_000_000
    assert [good.inode(good.find(f"/bin/{n}"), "blocks") for n in ("empty", "one", "indirect", "double")] == \
        [0, 1, 25, 1049 + 3]
    console = good.find("/dev/console")
    assert (good.inode(console, "type"), good.inode(console, "major"), good.inode(console, "minor")) == (3, 1, 0)
    assert good.read(good.find("/link")) == b"bin/one" and good.inode(good.find("/link"), "type") == T_SYMLINK


def test_directories_have_dots_and_link_counts(good):
    assert good.entries(1)[:2] == [(1, "."), (1, "..")]
    d, e = good.find("/d"), good.find("/d/e")
    assert good.entries(e) == [(e, "."), (d, "..")]
    assert [good.inode(n, "nlink") for n in (1, d, e)] == [2 + 3, 2 + 2, 2]


def test_good_image_is_clean(good, check):
    done = check(good)
    assert done.returncode == 0
    used = sum(good.bit("bmap_start", n) for n in range(good.sb["blocks"]))
    assert done.lines == [f"fsck: IMAGE: clean (8 files, 6 directories, {used} of 2048 blocks used)"]
    assert check(good, "-q").lines == []


def test_default_sizes(tools, tmp_path, check):
    assert tools.mkfs("-o", tmp_path / "disk").returncode == 0
    image = Image((tmp_path / "disk").read_bytes())
    assert (image.sb["blocks"], image.sb["inodes"], image.sb["log_blocks"]) == (16384, 4096, 1024)
    assert (tmp_path / "disk").stat().st_blocks * 512 < 256 * 1024           # sparse
    assert image.get(BLOCK) == 0x4c474844 and image.get(BLOCK + 4) == 0 and image.get(BLOCK + 8, "Q") == 1
    assert check(image).returncode == 0


@pytest.mark.parametrize("arguments, blocks, inodes, log_blocks", [
    (["-s", "512K"], 128, 1024, 64), (["-s", "8M"], 2048, 1024, 128), (["-s", "1G"], 262144, 65536, 1024),
    (["-s", "4194304", "-i", "33", "-l", "100"], 1024, 64, 100)])
def test_sizes_asked_for(tools, tmp_path, arguments, blocks, inodes, log_blocks):
    assert tools.mkfs("-o", tmp_path / "disk", *arguments).returncode == 0
    with open(tmp_path / "disk", "rb") as file:
        image = Image(file.read(BLOCK))
    assert (image.sb["blocks"], image.sb["inodes"], image.sb["log_blocks"]) == (blocks, inodes, log_blocks)
    assert tools.fsck(tmp_path / "disk").returncode == 0


def test_same_inputs_same_bytes(tools, tmp_path, host_files):
    arguments = ["-s", "2M", f"/a={host_files / 'indirect'}", "/x/y/", "/l->a", "/dev/null=c:2,0"]
    for name in ("first", "second"):
        assert tools.mkfs("-o", tmp_path / name, *arguments).returncode == 0
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    image = Image((tmp_path / "first").read_bytes())
    assert image.inode(1, "mtime") == 1_700_000_000


def test_source_date_epoch_is_every_mtime(tools, tmp_path, host_files):
    done = tools.mkfs("-o", tmp_path / "disk", "-s", "2M", f"/a={host_files / 'one'}",
                      env={**os.environ, "SOURCE_DATE_EPOCH": "1234567"})
    assert done.returncode == 0
    image = Image((tmp_path / "disk").read_bytes())
    assert [image.inode(n, "mtime") for n in (1, 2)] == [1234567, 1234567]


def test_bad_source_date_epoch_is_refused(tools, tmp_path):
    done = tools.mkfs("-o", tmp_path / "disk", env={**os.environ, "SOURCE_DATE_EPOCH": "today"})
    assert done.returncode == 1 and 'SOURCE_DATE_EPOCH: "today"' in done.stderr and os.listdir(tmp_path) == []


def test_large_directory(tools, tmp_path, host_files, check):
    names = [f"file{i:04}" for i in range(1500)]                  # more than 22 blocks of entries
    arguments = [f"/many/{name}={host_files / 'empty'}" for name in names]
    assert tools.mkfs("-o", tmp_path / "disk", "-s", "4M", "-i", "2000", *arguments).returncode == 0
    image = Image((tmp_path / "disk").read_bytes())
    assert [name for _, name in image.entries(image.find("/many"))][2:] == names
    assert check(image).returncode == 0


def test_longest_name_and_target(tools, tmp_path, check):
    assert tools.mkfs("-o", tmp_path / "disk", "-s", "2M", f"/{'n' * 59}->{'t' * 1023}").returncode == 0
    image = Image((tmp_path / "disk").read_bytes())
    assert image.read(image.find("n" * 59)) == b"t" * 1023
    assert check(image).returncode == 0


def test_parents_and_directories_may_repeat(tools, tmp_path, host_files, check):
    assert tools.mkfs("-o", tmp_path / "disk", "-s", "2M", "/", "/a/", f"/a/b/c={host_files / 'one'}", "/a/b/",
                      "/a/").returncode == 0
    assert check(Image((tmp_path / "disk").read_bytes())).lines[-1].startswith(
        "fsck: IMAGE: clean (1 files, 3 directories")


REFUSED = [
    ([], r"no image"),
    (["-o", "D/i", "-s", "12Q"], r"-s 12Q: not a number"),
    (["-o", "D/i", "-s", "-5"], r"-s -5: not a number"),
    (["-o", "D/i", "-s", "0"], r"-s 0: not a number"),
    (["-o", "D/i", "-s", "99999999999999999999"], r"not a number"),
    (["-o", "D/i", "-s", "99999999999G"], r"not a number"),
    (["-o", "D/i", "-s", "4097"], r"not a whole number of 4096-byte blocks"),
    (["-o", "D/i", "-s", "16777216M"], r"blocks, the format's limit"),
    (["-o", "D/i", "-s", "256K"], r"64 blocks are too few"),
    (["-o", "D/i", "-s", "8M", "-i", "1"], r"-i 1: at least 2"),
    (["-o", "D/i", "-s", "8M", "-i", "9999999"], r"too few"),
    (["-o", "D/i", "-s", "8M", "-i", "99999999999"], r"too many inodes"),
    (["-o", "D/i", "-l", "5"], r"-l 5: the log needs at least 64 blocks"),
    (["-o", "D/i", "-s", "1M", "-l", "300"], r"-l 300: the log needs"),
    (["-o", "D/no/i"], r"D/no/i\.tmp\.\d+: No such file"),
    (["-o", "D/dir"], r"D/dir: is there already and not an ordinary file"),
    (["-o", "D/i", "bin/cat=D/one"], r"bin/cat=D/one: the path in the image must start with /"),
    (["-o", "D/i", "/bin/cat"], r"/bin/cat: expected PATH=HOSTFILE"),
    (["-o", "D/i", "/a=D/missing"], r"D/missing: No such file"),
    (["-o", "D/i", "/a=D/dir"], r"D/dir: not an ordinary file"),
    (["-o", "D/i", "/a="], r"no host file"),
    (["-o", "D/i", "/a=D/one", "/a=D/one"], r"/a is given twice"),
    (["-o", "D/i", "/a/", "/a=D/one"], r"/a is given twice"),
    (["-o", "D/i", "/a=D/one", "/a/"], r"/a is given twice"),
    (["-o", "D/i", "/a=D/one", "/a/b=D/one"], r"/a is not a directory"),
    (["-o", "D/i", "/a//b=D/one"], r"empty name"),
    (["-o", "D/i", "/=D/one"], r"empty name"),
    (["-o", "D/i", "/a/../b=D/one"], r'"\." and "\.\." cannot be made'),
    (["-o", "D/i", "/" + "n" * 60 + "=D/one"], r"name of 60 bytes, the limit is 59"),
    (["-o", "D/i", "/n" * 600 + "=D/one"], r"path of 1200 bytes, the limit is 1023"),
    (["-o", "D/i", "/c=c:1"], r"a device is c:MAJOR,MINOR"),
    (["-o", "D/i", "/c=c:1,70000"], r"a device is c:MAJOR,MINOR"),
    (["-o", "D/i", "/c=c:1,0x"], r"a device is c:MAJOR,MINOR"),
    (["-o", "D/i", "/l->"], r"target of 0 bytes"),
    (["-o", "D/i", "/l->" + "t" * 1024], r"target of 1024 bytes"),
    (["-o", "D/i", "-s", "1M", "/a=D/big"], r"D/big: no room: the \d+ data blocks"),
    (["-o", "D/i", "-s", "1M", "-i", "32", *[f"/d{i}/" for i in range(40)]], r"42 inodes are needed, the image has 32"),
]


@pytest.mark.parametrize("arguments, message", REFUSED, ids=[m for _, m in REFUSED])
def test_refused_with_a_message_and_no_image(tools, tmp_path, arguments, message):
    (tmp_path / "one").write_bytes(b"1")
    (tmp_path / "big").write_bytes(bytes(2 << 20))
    (tmp_path / "dir").mkdir()
    before = sorted(os.listdir(tmp_path))
    done = tools.mkfs(*[a.replace("D/", f"{tmp_path}/") for a in arguments])
    assert done.returncode == 1
    assert re.search(message.replace("D/", f"{tmp_path}/"), done.stderr), done.stderr
    assert done.stderr.startswith("mkfs: ")
    assert sorted(os.listdir(tmp_path)) == before


def test_failure_leaves_the_older_image(tools, tmp_path):
    (tmp_path / "disk").write_bytes(b"older")
    assert tools.mkfs("-o", tmp_path / "disk", "/a=/nonexistent").returncode == 1
    assert (tmp_path / "disk").read_bytes() == b"older" and os.listdir(tmp_path) == ["disk"]


def test_host_disk_full_leaves_nothing(tools, tmp_path, host_files):
    done = subprocess.run(["sh", "-c", 'ulimit -f 2048; exec "$@"', "sh", tools.mkfs_path, "-o", tmp_path / "disk",
                           "-s", "8M", f"/a={host_files / 'double'}"], capture_output=True, text=True)
    assert done.returncode == 1 and "File too large" in done.stderr and os.listdir(tmp_path) == []


# ---- fsck: every kind of inconsistency, one field broken at a time ----------------------------------------------

def breaks(*messages):
    """The decorated function damages an image so that fsck prints all of `messages` (after "fsck: "). {one} in a
    message is the inode number of /bin/one, and so on; test_inconsistency_is_named fills them in."""
    def register(function):
        CORRUPTIONS.append((function, messages))
        return function
    return register


CORRUPTIONS = []


# inodes
@breaks("inode {one}: type 9 is unknown")
def type_unknown(i): i.put_inode(i.find("/bin/one"), type=9)

@breaks("inode 0: type is 2, but inode 0 is never used")
def inode_zero_used(i): i.put_inode(0, type=2)

@breaks("inode 1: the root is not a directory, its type is 2")
def root_is_file(i): i.put_inode(1, type=T_FILE)

@breaks("inode 1: the root is not a directory, its type is 0")
def root_is_free(i): i.put_inode(1, type=0)

@breaks("inode {one}: size 4402345760768 is above the limit, 4299251712")
def size_huge(i): i.put_inode(i.find("/bin/one"), size=4402345760768)

@breaks("inode {one}: size 18446744073709551615 is above the limit, 4299251712")
def size_overflow(i): i.put_inode(i.find("/bin/one"), size=2**64 - 1)

@breaks("inode {one}: blocks is 7, counted 1")
def blocks_wrong(i): i.put_inode(i.find("/bin/one"), blocks=7)

@breaks("inode {double}: blocks is 1049, counted 1052")
def blocks_without_index(i): i.put_inode(i.find("/bin/double"), blocks=1049)

@breaks("inode {one}: reserved field is 3, not 0")
def reserved_set(i): i.put_inode(i.find("/bin/one"), reserved=3)

@breaks("inode {one}: device number 1,2, but it is no device")
def file_with_device_number(i): i.put_inode(i.find("/bin/one"), major=1, minor=2)

@breaks("inode {one}: link count is 2, counted 1")
def nlink_high(i): i.put_inode(i.find("/bin/one"), nlink=2)

@breaks("inode {one}: link count is 0, counted 1")
def nlink_zero_with_name(i): i.put_inode(i.find("/bin/one"), nlink=0)

@breaks("inode {d}: link count is 2, counted 4")
def nlink_of_directory(i): i.put_inode(i.find("/d"), nlink=2)

@breaks("inode 1: link count is 0, counted 5")
def nlink_of_root_zero(i): i.put_inode(1, nlink=0)

@breaks("inode {one}: link count 40000 is above the limit, 32000")
def nlink_above_limit(i): i.put_inode(i.find("/bin/one"), nlink=40000)

@breaks("inode {block}: 1 blocks beyond its size of 0 bytes")
def block_beyond_size(i): i.put_inode(i.find("/bin/block"), size=0)

@breaks("inode {indirect}: 3 blocks beyond its size of 90112 bytes")
def index_block_beyond_size(i): i.put_inode(i.find("/bin/indirect"), size=22 * BLOCK)

# block numbers
@breaks("inode {one}: block 4294967295 (file block 0) is outside the data area, {data_start} to 2047",
        "block map: block {one_block} leaked: marked in use, but nothing uses them")
def block_out_of_range(i): i.put_direct(i.find("/bin/one"), 0, 0xffffffff)

@breaks("inode {one}: block 2048 (file block 0) is outside the data area, {data_start} to 2047")
def block_just_behind_the_disk(i): i.put_direct(i.find("/bin/one"), 0, 2048)

@breaks("inode {one}: block 3 (file block 0) is outside the data area, {data_start} to 2047")
def block_in_the_log(i): i.put_direct(i.find("/bin/one"), 0, 3)

@breaks("inode {indirect}: index block 1 (file block 22) is outside the data area, {data_start} to 2047")
def index_block_out_of_range(i): i.put_inode(i.find("/bin/indirect"), indirect=1)

@breaks("inode {double}: index block 5 (file block 1046) is outside the data area, {data_start} to 2047")
def inner_index_block_out_of_range(i): i.put(i.inode(i.find("/bin/double"), "double_indirect") * BLOCK, 5)

@breaks("inode {indirect}: block 77777 (file block 22) is outside the data area, {data_start} to 2047")
def indirect_block_out_of_range(i): i.put(i.inode(i.find("/bin/indirect"), "indirect") * BLOCK, 77777)

@breaks("inode {block}: block {one_block} is also used by inode {one}")
def block_shared(i): i.put_direct(i.find("/bin/block"), 0, i.direct(i.find("/bin/one"), 0))

@breaks("inode {direct}: block {direct_block} is used twice")
def block_twice_in_one_file(i): i.put_direct(i.find("/bin/direct"), 1, i.direct(i.find("/bin/direct"), 0))

@breaks("inode {double}: block {double_index} is used twice")
def index_block_lists_itself(i):
    block = i.inode(i.find("/bin/double"), "double_indirect")
    i.put(block * BLOCK, block)

@breaks("inode {double}: block {indirect_index} is also used by inode {indirect}")
def index_block_shared(i): i.put_inode(i.find("/bin/double"), indirect=i.inode(i.find("/bin/indirect"), "indirect"))

# maps
@breaks("block map: block 2047 leaked: marked in use, but nothing uses them")
def block_leaked(i): i.put_bit("bmap_start", 2047, 1)

@breaks("block map: blocks 2000 to 2009 leaked: marked in use, but nothing uses them")
def blocks_leaked(i): [i.put_bit("bmap_start", n, 1) for n in range(2000, 2010)]

@breaks("block map: block {one_block} used by inode {one}, but marked free")
def block_unmarked(i): i.put_bit("bmap_start", i.direct(i.find("/bin/one"), 0), 0)

@breaks("block map: block 0 before the data area, but marked free")
def superblock_unmarked(i): i.put_bit("bmap_start", 0, 0)

@breaks("block map: bit 2048 is set, but only 2048 bits mean something")
def block_map_end(i): i.put_bit("bmap_start", 2048, 1)

@breaks("inode map: inode {one} is in use, but marked free")
def inode_unmarked(i): i.put_bit("imap_start", i.find("/bin/one"), 0)

@breaks("inode map: inode 500 is free, but marked in use")
def inode_leaked(i): i.put_bit("imap_start", 500, 1)

@breaks("inode map: inode 0 is in use, but marked free")
def inode_zero_unmarked(i): i.put_bit("imap_start", 0, 0)

@breaks("inode map: bit 1024 is set, but only 1024 bits mean something")
def inode_map_end(i): i.put_bit("imap_start", 1024, 1)

# directories
@breaks("inode {d}: directory size 250 is not a multiple of 64")
def directory_size_odd(i): i.put_inode(i.find("/d"), size=250)

@breaks('inode {e}: directory size 64 has no room for "." and ".."')
def directory_too_small(i): i.put_inode(i.find("/d/e"), size=64)

@breaks("inode {e}: directory has 1 holes")
def directory_with_hole(i): i.put_inode(i.find("/d/e"), size=BLOCK + 64)

@breaks('directory {d}: "." is inode 1')
def dot_wrong(i): i.put(i.slot_at(i.find("/d"), 0), 1)

@breaks('directory {e}: ".." is inode 1, but its parent is {d}')
def dotdot_wrong(i): i.put(i.slot_at(i.find("/d/e"), 1), 1)

@breaks('directory 1: ".." is inode {d}, but its parent is 1')
def dotdot_of_root_wrong(i): i.put(i.slot_at(1, 1), i.find("/d"))

@breaks('directory {d}, entry 0: expected ".", found "x"')
def dot_renamed(i): i.put_name(i.slot_at(i.find("/d"), 0), b"x")

@breaks('directory {d}, entry 1: expected "..", found ""')
def dotdot_free(i): i.put(i.slot_at(i.find("/d"), 1), 0)

@breaks('directory {bin}, entry 3: a second ".."')
def second_dotdot(i): i.put_name(i.entry_at(i.find("/bin"), "one"), b"..")

@breaks('directory {bin}, entry 3: name with a slash: "o/e"')
def name_with_slash(i): i.put_name(i.entry_at(i.find("/bin"), "one"), b"o/e")

@breaks("directory {bin}, entry 3: empty name")
def name_empty(i): i.put_name(i.entry_at(i.find("/bin"), "one"), b"")

@breaks('directory {bin}, entry 3: name has no NUL: "' + "z" * 60 + '"')
def name_without_nul(i): i.put_name(i.entry_at(i.find("/bin"), "one"), b"z" * 60)

@breaks('directory {bin}, entry 3: name "one" is not zero-filled')
def name_not_zero_filled(i): i.put_name(i.entry_at(i.find("/bin"), "one"), b"one\0junk")

@breaks('directory {d}, entry 0: name "." is not zero-filled')
def dot_not_zero_filled(i): i.put_name(i.slot_at(i.find("/d"), 0), b".\0\0x")

@breaks('directory {bin}: entries 3 and 4 have the same name "block"')
def name_duplicate(i): i.put_name(i.entry_at(i.find("/bin"), "one"), b"block")

@breaks('directory {bin}, entry 3: "a\\x0ab" is inode 777, which is free')
def entry_to_free_inode(i):
    at = i.entry_at(i.find("/bin"), "one")
    i.put_name(at, b"a\nb")
    i.put(at, 777)

@breaks('directory {bin}, entry 3: "one" is inode 1024, but there are only 1024',
        "inode {one}: in use, but no directory names it")
def entry_out_of_range(i): i.put(i.entry_at(i.find("/bin"), "one"), 1024)

@breaks("inode {one}: in use, but no directory names it", "inode {one}: link count is 1, counted 0")
def file_without_name(i): i.put(i.entry_at(i.find("/bin"), "one"), 0)

@breaks("inode {d}: in use, but no directory names it", "inode 1: link count is 5, counted 4")
def directory_without_name(i): i.put(i.entry_at(1, "d"), 0)

@breaks('directory {f}, entry 2: "again" is directory {e}, which directory {d} also names')
def directory_with_two_names(i): i.add_entry(i.find("/d/f"), "again", i.find("/d/e"))

@breaks('directory {e}, entry 2: "up" is the root')
def root_named(i): i.add_entry(i.find("/d/e"), "up", 1)

@breaks("inode {d}: directory is inside itself, the root does not lead to it")
def directory_loop(i):
    i.add_entry(i.find("/d/e"), "back", i.find("/d"))
    i.put(i.entry_at(1, "d"), 0)

# links and devices
@breaks("inode {link}: symbolic link of 0 bytes, allowed are 1 to 1023")
def link_empty(i): i.put_inode(i.find("/link"), size=0)

@breaks("inode {link}: symbolic link of 1024 bytes, allowed are 1 to 1023")
def link_too_long(i): i.put_inode(i.find("/link"), size=1024)

@breaks("inode {link}: symbolic link has a NUL in its target")
def link_with_nul(i): i.put_inode(i.find("/link"), size=8)

@breaks("inode {link}: symbolic link has no block for its target")
def link_without_block(i): i.put_direct(i.find("/link"), 0, 0)

@breaks("inode {console}: device has 1 blocks")
def device_with_block(i): i.put_direct(i.find("/dev/console"), 0, i.free_block())

@breaks("inode {console}: device has size 5")
def device_with_size(i): i.put_inode(i.find("/dev/console"), size=5)

# superblock's end, log
@breaks("superblock: byte 100 of its block is not zero")
def superblock_end(i): i.put(100, 1)

@breaks("log header: magic is 0x1234, expected 0x4c474844")
def log_magic(i): i.put_header(magic=0x1234)

@breaks("log header: tail is 127, but the ring has 127 blocks")
def log_tail(i): i.put_header(tail=127)

@breaks(re.compile(r"log header: checksum is 0x[0-9a-f]+, computed 0x[0-9a-f]+"))
def log_checksum(i): i.put(BLOCK + 4, 1)

@breaks("log: transaction 1: home block 0 is outside 129 to 2047")
def log_home_superblock(i): i.put_group(0, 1, {0: bytes(BLOCK)})

@breaks("log: transaction 1: home block 128 is outside 129 to 2047")
def log_home_in_log(i): i.put_group(0, 1, {2047: bytes(BLOCK), 128: bytes(BLOCK)})

@breaks("log: transaction 1: home block 2048 is outside 129 to 2047")
def log_home_behind_the_disk(i): i.put_group(0, 1, {2048: bytes(BLOCK)})

@breaks("log: transaction 1: a group of 0 blocks, allowed are 1 to 1000")
def log_group_empty(i): i.put_group(0, 1, {})

@breaks("log: transaction 1: a group of 1001 blocks, allowed are 1 to 1000")
def log_group_large(i): i.put_group(0, 1, {2047: bytes(BLOCK)}, count=1001)

@breaks("log: transaction 1: last is 2, not 0 or 1")
def log_last_unknown(i): i.put_group(0, 1, {2047: bytes(BLOCK)}, last=2)

@breaks("inode {one}: blocks is 9, counted 1")
def replayed_transaction_is_checked(i): i.log_change(0, 1, lambda a: a.put_inode(a.find("/bin/one"), blocks=9))


@pytest.mark.parametrize("damage, messages", CORRUPTIONS, ids=[f.__name__ for f, _ in CORRUPTIONS])
def test_inconsistency_is_named(good, check, damage, messages):
    facts = {name.rsplit("/", 1)[-1]: good.find(name) for name in
             ("/bin", "/bin/one", "/bin/block", "/bin/direct", "/bin/indirect", "/bin/double", "/d", "/d/e", "/d/f",
              "/link", "/dev/console")}
    facts["one_block"] = good.direct(facts["one"], 0)
    facts["direct_block"] = good.direct(facts["direct"], 0)
    facts["double_index"] = good.inode(facts["double"], "double_indirect")
    facts["indirect_index"] = good.inode(facts["indirect"], "indirect")
    facts["data_start"] = good.sb["data_start"]
    damage(good)
    done = check(good)
    assert done.returncode == 1, done.lines
    for message in messages:
        if isinstance(message, re.Pattern):
            assert any(message.fullmatch(line.removeprefix("fsck: ")) for line in done.lines), done.lines
        else:
            assert "fsck: " + message.format(**facts) in done.lines
    problems = [line for line in done.lines[:-1] if line.startswith("fsck: ")]
    assert done.lines[-1] == f"fsck: IMAGE: {len(problems)} problems"


def test_loop_apart_from_the_root_is_found_once(good, check):
    d, e = good.find("/d"), good.find("/d/e")
    good.put(good.entry_at(1, "d"), 0)
    good.add_entry(e, "back", d)
    assert sum("inside itself" in line for line in check(good).lines) == 1


def test_only_the_first_hundred_problems_are_printed(good, check):
    for inum in range(100, 300):
        good.put_bit("imap_start", inum, 1)
    done = check(good)
    assert len(done.lines) == 102 and done.lines[-2:] == ["fsck: and 100 more", "fsck: IMAGE: 200 problems"]


def test_inode_table_with_room_at_its_end(good, check):
    good.put_super("inodes", 1000)
    assert check(good).returncode == 0
    good.put_inode(1005, type=2)
    assert "fsck: inode table: not zero after its last inode, 999" in check(good).lines


# ---- fsck: what cannot be checked -------------------------------------------------------------------------------

SUPERBLOCKS = [(field, value, message) for field, value, message in [
    ("version", 2, r"version is 2, expected 1"),
    ("block_size", 512, r"block_size is 512, expected 4096"),
    ("blocks", 2049, r"blocks is 2049, but the image holds only 2048"),
    ("blocks", 0xffffffff, r"blocks is 4294967295, but"),
    ("blocks", 0, r"too few"), ("blocks", 150, r"150 blocks are too few"),
    ("inodes", 1, r"inodes is 1, too few"), ("inodes", 0xffffffff, r"too few"),
    ("inodes", 1056, r"inode_blocks is 32, expected 33"),
    ("log_start", 2, r"log_start is 2, expected 1"),
    ("log_blocks", 2, r"log_blocks is 2, the least is 3"), ("log_blocks", 0xffffffff, r"too few"),
    ("log_blocks", 100, r"imap_start is 129, expected 101"),
    ("imap_start", 0, r"imap_start is 0, expected 129"), ("imap_blocks", 2, r"imap_blocks is 2, expected 1"),
    ("bmap_start", 5, r"bmap_start is 5, expected 130"), ("bmap_blocks", 0, r"bmap_blocks is 0, expected 1"),
    ("inode_start", 1, r"inode_start is 1, expected 131"), ("inode_blocks", 9, r"inode_blocks is 9, expected 32"),
    ("data_start", 2, r"data_start is 2, expected 163")]]


@pytest.mark.parametrize("field, value, message", SUPERBLOCKS)
def test_bad_superblock_cannot_be_checked(good, check, field, value, message):
    good.put_super(field, value)
    done = check(good)
    assert done.returncode == 2
    assert re.search("fsck: IMAGE: cannot check: superblock: .*" + message, done.lines[-1])


def test_superblock_magic_and_checksum(good, check):
    good.put_super("version", 1, mend=False)
    good.put(60, 12345)
    assert "checksum is 0x3039, computed" in check(good).lines[-1]
    good.put(0, 0, "Q")
    done = check(good)
    assert done.returncode == 2 and "magic is 0x0" in done.lines[-1]


@pytest.mark.parametrize("nbytes", [1, 63, 4095, 4096, 8191, 1 << 20, (8 << 20) - 1])
def test_cut_image_cannot_be_checked(good, check, nbytes):
    good.data = good.data[:nbytes]
    assert check(good).returncode == 2


def test_no_image(tools, tmp_path):
    (tmp_path / "empty").touch()
    for arguments in ([], [tmp_path / "missing"], [tmp_path], [tmp_path / "empty"], ["-x", "a"], ["a", "b"]):
        done = tools.fsck(*arguments)
        assert done.returncode == 2 and "fsck: " in done.stderr.splitlines()[-1]


# ---- fsck: the log ----------------------------------------------------------------------------------------------

def write_byte(value):
    """A change to the data of /bin/one."""
    def change(image):
        image.data[image.direct(image.find("/bin/one"), 0) * BLOCK] = value
    return change


def test_committed_transactions_are_replayed(good, check):
    next_index = good.log_change(0, 1, lambda a: a.put_inode(a.find("/bin/one"), blocks=9))
    good.log_change(next_index, 2, lambda a: a.put_inode(a.find("/bin/one"), mtime=5))
    done = check(good)
    assert done.returncode == 0 and done.lines[0] == "log: 2 transactions replayed"
    assert done.path.read_bytes() == good.data                     # read-only


def test_repair_writes_the_log_back(good, check, tools):
    home = good.direct(good.find("/bin/one"), 0)
    index = good.log_change(0, 1, write_byte(1))
    good.log_change(index, 2, write_byte(2))
    done = check(good, "-r")
    assert done.returncode == 0
    after = Image(done.path.read_bytes())
    assert after.data[home * BLOCK] == 2
    assert after.get(BLOCK + 4) == 0 and after.get(BLOCK + 8, "Q") > 2
    again = tools.fsck(done.path)
    assert again.returncode == 0 and "replayed" not in again.stdout


def test_transaction_wraps_round_the_ring(good, check):
    good.put_header(tail=125, sequence=70)
    blocks = {n: good.block(n) for n in range(2040, 2045)}
    good.put_group(125, 70, blocks)
    assert check(good).lines[0] == "log: 1 transactions replayed"


def test_transaction_of_several_groups(good, check):
    first = good.log_change(0, 1, lambda a: a.put_inode(a.find("/bin/one"), blocks=9), last=0)
    assert "replayed" not in "".join(check(good).lines)            # its last group is missing
    good.log_change(first, 1, lambda a: a.put_inode(a.find("/bin/one"), mtime=9), last=1)
    done = check(good)
    assert done.returncode == 0 and done.lines[0] == "log: 1 transactions replayed"


@pytest.mark.parametrize("tear", ["descriptor", "body", "sequence", "magic"])
def test_torn_transaction_is_the_end(good, check, tear):
    bad = lambda a: a.put_inode(a.find("/bin/one"), blocks=9)
    index = good.log_change(0, 1, write_byte(1))
    end = good.log_change(index, 2, bad)
    good.log_change(end, 3, bad)
    at = good.ring_at(index)
    good.data[{"descriptor": at + 3000, "body": at + BLOCK + 50, "sequence": at + 8, "magic": at}[tear]] ^= 0x40
    done = check(good)
    assert done.returncode == 0 and done.lines[0] == "log: 1 transactions replayed"


def test_full_ring_is_replayed_once(good, check):
    blocks = {n: good.block(n) for n in range(1900, 2026)}         # 1 + 126: the whole ring
    good.put_group(0, 1, blocks)
    assert check(good).lines[0] == "log: 1 transactions replayed"
    good.put_group(0, 1, {**blocks, 2030: good.block(2030)})       # one too many: runs into itself
    assert check(good).lines[0].startswith("fsck: IMAGE: clean")


def test_bad_log_is_never_written_back(good, check):
    good.put_group(0, 1, {0: bytes(BLOCK)})
    done = check(good, "-r")
    assert done.returncode == 1 and done.path.read_bytes() == good.data


# ---- fsck: unlinked while open ----------------------------------------------------------------------------------

def unlink(image, directory, name):
    inum = image.find(directory + "/" + name)
    image.put(image.entry_at(image.find(directory), name), 0)
    image.put_inode(inum, nlink=0)
    return inum


def test_orphan_is_a_note(good, check):
    inum = unlink(good, "/bin", "indirect")
    done = check(good)
    assert done.returncode == 0
    assert done.lines[0] == f"note: inode {inum}: unlinked while open, 25 blocks to be freed"
    assert "clean (7 files, 6 directories" in done.lines[-1]


def test_repair_frees_orphans(good, check, tools):
    orphans = [unlink(good, "/bin", "double"), unlink(good, "/dev", "console"), unlink(good, "/", "link")]
    inum = orphans[0]
    block = good.direct(inum, 0)
    done = check(good, "-r")
    assert done.returncode == 0
    after = Image(done.path.read_bytes())
    assert [after.inode(n, "type") for n in orphans] == [0, 0, 0]
    assert not after.bit("bmap_start", block) and not after.bit("imap_start", inum)
    again = tools.fsck(done.path)
    assert again.returncode == 0 and "note:" not in again.stdout
    assert again.stdout.splitlines()[-1] == done.stdout.splitlines()[-1]


def test_orphan_directory(good, check):
    inum = unlink(good, "/d", "e")
    good.put_inode(good.find("/d"), nlink=3)
    assert check(good).lines[0] == f"note: inode {inum}: unlinked while open, 1 blocks to be freed"
    good.add_entry(inum, "left", good.find("/bin/one"))
    assert f"fsck: inode {inum}: unlinked directory still has 1 entries" in check(good).lines


def test_orphan_is_not_freed_beside_a_problem(good, check):
    unlink(good, "/bin", "direct")
    good.put_bit("bmap_start", 2047, 1)
    done = check(good, "-r")
    assert done.returncode == 1 and done.path.read_bytes() == good.data


# ---- fuzz -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["plain", "log and orphans"])
def test_fsck_survives_random_damage(tools, tmp_path, host_files, kind):
    path = tmp_path / "disk"
    assert tools.mkfs("-o", path, "-s", "1M", "-i", "64", f"/bin/a={host_files / 'one'}", "/d/e/f/", "/l->bin/a",
                      f"/bin/b={host_files / 'indirect'}", f"/bin/c={host_files / 'direct'}", "/dev/console=c:1,0",
                      "/x/", "/y/", "/z/").returncode == 0
    if kind != "plain":
        image = Image(path.read_bytes())
        image.log_change(image.log_change(0, 1, lambda a: unlink(a, "/bin", "b")), 2,
                         lambda a: unlink(a, "/bin", "c"))
        path.write_bytes(image.data)
    rounds = os.environ.get("TAMAL_FUZZ_ROUNDS", "1200")
    done = subprocess.run([tools.build("fuzz"), path, rounds, "7"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    clean, inconsistent, cannot = map(int, re.findall(r"(\d+) [a-z]", done.stdout))
    assert clean + inconsistent + cannot == int(rounds) and min(clean, inconsistent, cannot) > 0
