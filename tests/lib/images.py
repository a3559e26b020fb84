"""Disk images for tests: made by mkfs from the built programs, with whatever else a test needs."""
import subprocess

from lib.paths import MKFS, flavour, programs

DEVICES = ["/dev/console=c:1,0", "/dev/null=c:2,0", "/dev/zero=c:3,0", "/tmp/"]
BUILT = flavour(False)


def entry(name, folder):
    return f"/{folder}/{name}={BUILT / folder / name}"


def make_image(path, *entries, size="16M", bins=None, tests=(), inodes=None, log=None):
    """bins: None for all of user/bin. entries: mkfs's own (/a=file, /d/, /l->target)."""
    words = [str(MKFS), "-o", str(path), "-s", size]
    words += ["-i", str(inodes)] if inodes else []
    words += ["-l", str(log)] if log else []
    words += DEVICES + [entry(name, "bin") for name in (programs("bin") if bins is None else bins)]
    words += [entry(name, "tests") for name in tests] + list(entries)
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return path
