"""Where things are, and how to make them. Tests never write outside their own temporary directory and build/."""
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"
HOST = BUILD / "host"
FSCK = HOST / "fsck"
MKFS = HOST / "mkfs"
PYTHON = "/usr/bin/python3"

# Every wait ends at a host cap: generous, because a slow machine is no error. TAMAL_PATIENCE=3 triples all of them.
PATIENCE = float(os.environ.get("TAMAL_PATIENCE", "1"))


ARCH = os.environ.get("TAMAL_ARCH", "riscv")    # the machine under test: tools/test runs all tests for one after the other
ON_RISCV, ON_I386 = ARCH == "riscv", ARCH == "i386"
CPUS_MAX = 8 if ON_RISCV else 1


def flavour(debug):
    return BUILD / (ARCH + ("-debug" if debug else ""))


def kernel(debug=False):
    return flavour(debug) / "kernel.elf"


IMAGE = flavour(False) / "fs.img"


def make(*arguments, check=True, timeout=900, **variables):
    """Run make as a user would: nothing of an enclosing make leaks into it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    environment["ARCH"] = ARCH
    for name in ("APPEND", "DEBUG", "CPUS", "MEM", "SEED", "DISK", "PROGRAMS", "PROG", "V", "T"):
        environment.pop(name, None)
    words = ["make", "--no-print-directory", *map(str, arguments), *(f"{k}={v}" for k, v in variables.items())]
    done = subprocess.run(words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout * PATIENCE)
    assert not check or done.returncode == 0, f"{' '.join(words)} failed:\n{done.stdout[-4000:]}"
    return done


def programs(folder):
    return sorted(path.stem for path in (ROOT / "user" / folder).glob("*.c"))
