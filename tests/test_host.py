"""Host unit tests: the kernel's portable code, compiled for this machine under address and undefined-behaviour
sanitizers. Every tests/host/test_*.c is one test; its first comment says how it is built. (test_fs*.c: see test_fs.py.)"""
import os
import re
import subprocess

import pytest

from lib.machine import QEMU
from lib.paths import PATIENCE, ROOT

pytestmark = pytest.mark.host

HOST_TESTS = ROOT / "tests" / "host"
FLAGS = ["-std=gnu11", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-I.", "-Ikernel",
         "-Itests/host"]
MORE = {                                        # what a test needs beyond its own file
    "string": ["-fno-builtin"],
    "printk": ["kernel/lib/printk.c"],
    "fdt": ["-Wno-builtin-declaration-mismatch", "kernel/lib/fdt.c"],
    "pipe": ["-pthread"],
}
CC = os.environ.get("HOSTCC", "cc")


def run(*command, **more):
    return subprocess.run([str(c) for c in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300 * PATIENCE, **more)


def build(source, to, *more):
    done = run(CC, *FLAGS, *more, source, "-o", to)
    assert done.returncode == 0, f"{source} does not compile (is libasan installed?):\n{done.stdout[-4000:]}"


@pytest.fixture(scope="session")
def device_tree(tmp_path_factory):
    blob = tmp_path_factory.mktemp("dtb") / "virt.dtb"
    done = run(QEMU, "-machine", f"virt,dumpdtb={blob}", "-smp", 4, "-m", "128M", "-display", "none")
    assert done.returncode == 0, done.stdout
    return blob


def test_sanitizers_work_here(folder):
    """A test of the tests: a read past the end of a heap block must fail, or everything below proves nothing."""
    source = folder / "broken.c"
    source.write_text("#include <stdlib.h>\nvolatile int n = 8;\nint main(void) { volatile char *p = malloc(n); return p[n]; }\n")
    build(source, folder / "broken")
    done = run(folder / "broken")
    assert done.returncode != 0 and "heap-buffer-overflow" in done.stdout


def names():
    return sorted(p.stem[5:] for p in HOST_TESTS.glob("test_*.c") if not p.stem.startswith("test_fs"))


@pytest.mark.parametrize("name", names())
def test_host(name, folder, request):
    build(f"tests/host/test_{name}.c", folder / name, *MORE.get(name, []))
    arguments = [request.getfixturevalue("device_tree")] if name == "fdt" else []
    done = run(folder / name, *arguments)
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"\b[1-9]\d* checks, 0 failed", done.stdout), done.stdout
