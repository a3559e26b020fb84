"""The file system on the host: kernel/fs and sys_file.c, compiled with a fake disk and fake memory below them, under address
and undefined-behaviour sanitizers. What each test proves is in its first comment; host/fs_sources lists what they are made of."""
import os
import re
import shutil
import subprocess

import pytest

from lib.paths import MKFS, PATIENCE, ROOT, make

pytestmark = pytest.mark.host

FLAGS = ["-std=gnu11", "-g", "-O1", "-DDEBUG", "-D_GNU_SOURCE", "-pthread", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=undefined", "-Wall", "-Wextra", "-Werror", "-I.", "-Ikernel", "-Itests/host"]
PRELUDE = ["-include", "tests/host/fs_prelude.h"]
CC = os.environ.get("HOSTCC", "cc")


def run(*command, **more):
    return subprocess.run([str(c) for c in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=600 * PATIENCE, **more)


def compile_one(source, to):
    prelude = [] if source.startswith("mkfs/") else PRELUDE        # mkfs/ shares nothing with the kernel
    return subprocess.Popen([CC, *FLAGS, *prelude, "-c", source, "-o", str(to)], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture(scope="session")
def objects(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fs")
    sources = [line for line in (ROOT / "tests/host/fs_sources").read_text().splitlines() if not line.startswith("#")]
    made = []
    for at in range(0, len(sources), 2):                            # two at a time: as many as there are cores here
        running = []
        for source in sources[at:at + 2]:
            made.append(folder / (source.replace("/", "-") + ".o"))
            running.append((source, compile_one(source, made[-1])))
        for source, compiler in running:
            output, _ = compiler.communicate(timeout=300 * PATIENCE)
            assert compiler.returncode == 0, f"{source}:\n{output[-4000:]}"
    return made


def build(name, objects, folder):
    done = run(CC, *FLAGS, *PRELUDE, f"tests/host/{name}.c", *objects, "-o", folder / name)
    assert done.returncode == 0, done.stdout[-4000:]
    return folder / name


@pytest.mark.parametrize("name, arguments", [
    ("test_fs_model", [1, 1500]),
    ("test_fs_model", [2, 800]),
    ("test_fs_tasks", [1, 80]),
    ("test_fs_faults", [1, 150]),
    ("test_fs_corrupt", [1, 400]),
])
def test_fs(name, arguments, objects, folder):
    done = run(build(name, objects, folder), *arguments)
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"\b[1-9]\d* checks, 0 failed", done.stdout), done.stdout


def test_fs_recover_tool(objects, folder):
    """An image of mkfs is clean after the kernel's own mount code has had it, and everything in it is found."""
    tool = build("fs_recover", objects, folder)
    make("-s", str(MKFS.relative_to(ROOT)))
    image, big = folder / "fs.img", folder / "big"
    big.write_bytes(bytes(i * 7 & 255 for i in range(300000)))
    done = run(MKFS, "-o", image, "-s", "16M", f"/bin/big={big}", "/dev/console=c:1,0", "/link->bin/big", "/home/")
    assert done.returncode == 0, done.stdout
    shutil.copy(image, folder / "copy.img")
    done = run(tool, "-l", "-w", folder / "copy.img")
    assert done.returncode == 0 and "copy.img: clean" in done.stdout, done.stdout
    names = {line.split()[4]: line.split()[:3] for line in done.stdout.splitlines()[1:]}
    assert names["/bin/big"] == ["2", "1", "300000"] and names["/link"][0] == "4" and set(names) == {
        "/", "/bin", "/bin/big", "/dev", "/dev/console", "/home", "/link"}
