"""The build and its tools: make's promises, the checks of the sources (floors, kernel stack), scripts without warnings."""
import os
import re
import shutil
import subprocess

import pytest

from lib.machine import QEMU, batch
from lib.paths import ARCH, PATIENCE, ROOT, flavour, make

SCRIPTS = sorted(path for path in (ROOT / "tools").iterdir() if path.is_file() and path.read_bytes().startswith(b"#!"))


def run(*command, cwd=ROOT, **more):
    return subprocess.run([str(c) for c in command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600 * PATIENCE, **more)


def shell_scripts():
    return [path for path in SCRIPTS if re.match(rb"#!.*\b(ba)?sh\b", path.read_bytes())]


@pytest.mark.host
@pytest.mark.parametrize("script", shell_scripts(), ids=lambda path: path.name)
def test_shell_scripts_have_no_warnings(script):
    assert run("bash", "-n", script).returncode == 0
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = run("shellcheck", "-S", "warning", script)
    assert done.returncode == 0, done.stdout


# ---- The checks of the sources, and that they see what they are for

@pytest.mark.host
def test_no_include_climbs():
    done = run("tools/check-includes")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("debug", [False, True], ids=["release", "debug"])
def test_kernel_stack_is_bounded(debug):
    done = run("tools/check-stack", "--arch", ARCH, flavour(debug))
    assert done.returncode == 0, done.stdout


@pytest.mark.riscv("an i386 fetches what was written by itself")
def test_code_written_on_another_hart_is_fetched_anew():
    """M14: the emulator never shows stale instructions, so no run can miss this fence: it must be in the linked kernel, where a
    task comes from another hart (switch_to) and where a program is loaded (exec)."""
    tool = next(filter(shutil.which, (f"riscv64-{kind}-objdump" for kind in ("unknown-elf", "elf", "linux-gnu"))))
    text = run(tool, "-d", "--no-show-raw-insn", ROOT / "build" / "riscv" / "kernel.elf").stdout
    code = dict(re.findall(r"^[0-9a-f]+ <(\w+)>:\n(.*?)(?:^$|\Z)", text, re.M | re.S))
    assert "fence.i" in code["instruction_fence"]
    callers = {name for name, body in code.items() if name != "instruction_fence" and "<instruction_fence>" in body}
    assert any("exec" in name for name in callers) and callers & {"switch_to", "give_away", "scheduler"}, callers


def copy_of_the_sources(to):
    to.mkdir()
    for name in ("Makefile", "README.md", "abi", "kernel", "user", "mkfs", "tools"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name)
        elif source.exists():
            shutil.copy(source, to / name)
    return to


@pytest.mark.host
def test_check_includes_sees_a_climbing_include(folder):
    tree = copy_of_the_sources(folder / "tree")
    source = tree / "kernel" / "mm" / "kalloc.c"
    source.write_text('#include "fs/cache.h"\n' + source.read_text())
    done = run(tree / "tools" / "check-includes", cwd=tree)
    assert done.returncode != 0 and "kalloc.c" in done.stdout, done.stdout


# ---- make

def test_nothing_to_do_is_done_at_once():
    make("-s", "all")
    assert "CC" not in make("all").stdout


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A copy of the sources, built from nothing with warnings as errors; (folder, what make did)."""
    tree = copy_of_the_sources(tmp_path_factory.mktemp("fresh") / "tree")
    return tree, run("make", "--no-print-directory", "-j2", "WERROR=1", f"ARCH={ARCH}", "all", "build/host/fsck", cwd=tree)


def test_fresh_build_has_no_warnings(fresh):
    done = fresh[1]
    assert done.returncode == 0 and "warning" not in done.stdout, done.stdout[-3000:]


def test_a_changed_header_rebuilds_its_users(fresh):
    tree = fresh[0]
    build = lambda: run("make", "--no-print-directory", "-j2", "WERROR=1", f"ARCH={ARCH}", "kernel", cwd=tree)
    os.utime(tree / "kernel" / "mm" / "slab.h", None)
    again = build().stdout
    assert "kernel/mm/slab.c" in again and "kernel/fs/pipe.c" in again and "kernel/lib/string.c" not in again
    assert "CC" not in build().stdout
    assert {path.name for path in tree.iterdir()} <= {"Makefile", "README.md", "abi", "kernel", "user", "mkfs", "tools", "build",
                                                     "compile_commands.json"}


@pytest.mark.host
def test_path_with_a_space_is_refused(folder):
    place = folder / "with space"
    place.mkdir()
    shutil.copy(ROOT / "Makefile", place)
    done = run("make", cwd=place)
    assert done.returncode != 0 and "contains a space" in done.stdout


@pytest.mark.host
def test_unknown_machine_is_refused():
    done = make("ARCH=vax", check=False)
    assert done.returncode != 0 and "vax" in done.stdout


def test_help_names_every_target():
    text = make("help").stdout
    for target in ("qemu", "gdb", "qemu-gdb", "test", "fsck", "bench", "doctor", "format", "clean", "SEED", "PROGRAMS"):
        assert target in text


def test_doctor_finds_the_tools():
    done = make("doctor", check=False)
    assert done.returncode == 0, done.stdout
    assert QEMU in done.stdout


def test_fsck_of_the_image():
    assert "clean" in make("fsck").stdout


# ---- PROGRAMS: programs from anywhere become /bin/NAME

OUR_STYLE = r'''
#include <stdio.h>
#include <stdlib.h>
#include "helper.h"

int main(int argc, char **argv)
{
    char *copy = malloc(100);
    snprintf(copy, 100, "%s has %d arguments", argv[0], argc - 1);
    puts(copy);
    return HELPED;
}
'''

XV6_STYLE = r'''
#include "kernel/types.h"
#include "kernel/stat.h"
#include "kernel/fs.h"
#include "kernel/fcntl.h"
#include "kernel/param.h"
#include "user/user.h"

int
main(int argc, char *argv[])
{
  int p[2];
  char buf[DIRSIZ + 1];
  struct stat st;
  uint64 n = 0;

  if(pipe(p) < 0 || fstat(0, &st) < 0){
    fprintf(2, "xv6 program: failed\n");
    exit(1);
  }
  if(fork() == 0){
    close(p[0]);
    write(p[1], "from the child", 15);
    exit(0);
  }
  close(p[1]);
  n = read(p[0], buf, sizeof(buf));
  wait((int *) 0);
  if(argc != 1 || argv[1] != 0)
    exit(2);
  printf("%s: %d bytes, type %d, %d\n", buf, (int)n, T_DEVICE == st.type, MAXARG > 3 && BSIZE > 0);
  sleep(1);
  exit(sbrk(4096) == (char*)-1);
}
'''

# S002's program uses the standard headers and system calls 465 and up, which come later: it must compile today.
S002_STYLE = r'''
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TAMALLOC 465

int main(void)
{
    size_t total = 10 * 1024 * 1024;
    char *memory = (char *)syscall(TAMALLOC, total);
    if ((long)memory <= 0) {
        perror("tamalloc");
        return 1;
    }
    printf("PID: %d, press ENTER\n", getpid());
    getchar();
    srand(7);
    for (size_t i = 0; i < total; i++) {
        char t = memory[i];
        if (t != 0) {
            printf("not zero at %zu\n", i);
            return 10;
        }
        memory[i] = 'A' + rand() % 26;
        if (i % (1024 * 1024) == 0 && i > 0) {
            printf("%zu MB, %s\n", i >> 20, strerror(0));
            sleep(1);
        }
    }
    return 0;
}
'''


def test_programs_from_another_folder(fresh, folder):
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "helper.h").write_text("#define HELPED 7\n")
    for name, text in (("ours", OUR_STYLE), ("xv6", XV6_STYLE), ("s002", S002_STYLE)):
        (elsewhere / f"{name}.c").write_text(text)
    tree = fresh[0]
    programs = " ".join(str(elsewhere / f"{name}.c") for name in ("ours", "xv6", "s002"))
    done = run("make", "--no-print-directory", "-s", "-j2", "WERROR=1", f"ARCH={ARCH}", f"PROGRAMS={programs}", "image",
               cwd=tree)
    assert done.returncode == 0, done.stdout[-3000:]
    boot = batch("ours a b; echo status $?; xv6; echo status $?; ls /bin/s002", image=tree / "build" / ARCH / "fs.img", cpus=2)
    assert boot.has("^ours has 2 arguments$") and boot.has("^status 7$")
    assert boot.has("^from the child: 15 bytes, type 1, 1$") and boot.has("^status 0$") and boot.has("^/bin/s002$")


@pytest.mark.host
def test_two_programs_of_one_name_are_refused(folder):
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "same.c").write_text("int main(void) { return 0; }\n")
    done = make("-n", "image", f"PROGRAMS={folder}/a/same.c {folder}/b/same.c", check=False)
    assert done.returncode != 0 and "alike" in done.stdout


# ---- tools/test itself

@pytest.mark.host
def test_the_last_line_counts(folder):
    """One test that passes, one that fails: the last line and the status say so."""
    tree = folder / "tree"
    (tree / "tests").mkdir(parents=True)
    (tree / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "test", tree / "tools")
    shutil.copy(ROOT / "tests" / "conftest.py", tree / "tests")
    shutil.copytree(ROOT / "tests" / "lib", tree / "tests" / "lib")
    (tree / "Makefile").write_text("%:\n\t@:\n")
    (tree / "tests" / "test_x.py").write_text("def test_good(): pass\ndef test_bad(): assert 0\n"
                                              "def test_error(nosuchfixture): pass\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TAMAL_")}
    environment["TAMAL_ARCH"] = "riscv"
    done = run("tools/test", cwd=tree, env=environment)
    assert done.stdout.splitlines()[-1] == "1 passed, 2 failed" and done.returncode == 1, done.stdout
    done = run("tools/test", "-k", "good", cwd=tree, env=environment)
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed" and done.returncode == 0, done.stdout
    both = run("tools/test", "-k", "good", cwd=tree, env={**environment, "TAMAL_ARCH": "riscv i386"})
    assert both.stdout.splitlines()[-1] == "2 passed, 0 failed" and both.returncode == 0, both.stdout
    done = run("tools/test", "-k", "nothing_like_this", cwd=tree, env=environment)
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed" and done.returncode == 1, done.stdout
    (tree / "Makefile").write_text("%:\n\t@false\n")
    done = run("tools/test", cwd=tree, env=environment)
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed" and done.returncode == 1, done.stdout
