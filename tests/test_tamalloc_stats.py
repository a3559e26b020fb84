"""tamalloc (R002, R004-1) and the statistics calls 466, 467, 468 (R004): user/tests/tamalloc.c and memstat.c, the latter also
while eight tasks fork, fault and exit; and the course's program, to the letter (R002-5).

Breaks that were tried: each was made in the kernel, and the case named behind it failed (tamalloc.c, memstat.c).

  size 0 gives a page                       sizes_that_are_refused
  no upper bound, rounding up may wrap      sizes_that_are_refused
  2^38 refused as an argument (-EINVAL)     sizes_that_are_refused
  reserved grows although the call failed   sizes_that_are_refused, addresses_end
  all pages, or the first, at the call      sizes_are_rounded_up, the_call_takes_nothing
  a page is not cleared                     memory_is_zero_although_others_used_it, each_page_comes_when_touched
  two pages at one touch                    each_page_comes_when_touched
  no guard page between areas               a_page_on_each_side_belongs_to_nobody
  areas overlap                             sizes_are_rounded_up; then the kernel's own check of its counts
  areas begin where the stack may grow      sizes_are_rounded_up
  areas execute                             it_does_not_execute, a_page_on_each_side_belongs_to_nobody
  areas are charged: no overcommit          addresses_end, the_call_takes_nothing
  frames are not given back at exit         accounts_of_ten_megabytes, around

  a peak as committed                       own_numbers_are_exact_at_every_step
  oom_adj as score; no tables in it; it is rounded up   own_numbers_are_exact_at_every_step
  MARKED blocks do not count as reserved    own_numbers_are_exact_at_every_step
  467 cuts each task's share to MiB         the_sum_is_made_in_kilobytes
  padding, or bytes behind the name, keep what was on the kernel's stack    every_user_task_and_nobody_else, max_is_obeyed
  kernel tasks or zombies have rows, or count           every_user_task_and_nobody_else, zombies_and_kernel_tasks_have_no_row
  descending order                          max_is_obeyed
  no bound on max; one row too many; the result is the number of rows written; max < 0 accepted     max_is_obeyed
  room for max rows is asked for            a_huge_max_is_no_huge_buffer
  an address of the kernel is written to    bad_buffers
  the kernel may write to read-only pages   bad_buffers
  copied out under the address-space lock   panic: the lock is taken twice (it hangs without DEBUG)
  M12: reserved and committed at two moments            rows_are_sound_at_any_moment
  rows of the call before: a pid that is gone           max_is_obeyed, rows_are_sound_at_any_moment

Not seen: reserved read without the lock but right beside it. Nothing else can happen in so short a time.
"""
import re
import shutil

import pytest

from lib.arch import CAN_FORBID_EXECUTION, USER_BASE, USER_LIMIT, access_of
from lib.machine import Machine, batch
from lib.paths import ARCH, ON_RISCV, flavour, make
from test_user import check_section, machine_id, sections

MACHINES = [dict(cpus=1), dict(cpus=2), dict(cpus=4), dict(cpus=1, debug=True), dict(cpus=4, debug=True)]
EVERYWHERE = pytest.mark.parametrize("machine", MACHINES, ids=machine_id)


class Boots:
    """Programs that share a boot, each under /tests/around: {label: "program arguments"}. The machine is started when the first
    of them is asked for; when it breaks off, each gets a machine of its own."""

    def __init__(self, image, programs, **more):
        self.image, self.programs, self.more, self.done = image, programs, more, {}

    def run(self, labels, machine):
        line = "; ".join(f"echo @begin {label}; /tests/around /tests/{self.programs[label]}; echo @end {label} $?"
                         for label in labels)
        return sections(batch(line, image=self.image, **self.more, **machine).console)

    def all_of(self, machine):
        try:
            return self.run(self.programs, machine)
        except AssertionError as error:
            if len(self.programs) == 1:
                raise
            together = error
        found = {}
        for label in self.programs:
            try:
                found.update(self.run([label], machine))
            except AssertionError as error:
                found[label] = error
        return found if any(isinstance(f, Exception) for f in found.values()) else {label: together for label in found}

    def text(self, label, machine):
        """What it printed, checked as in test_user.py."""
        where = machine_id(machine)
        if where not in self.done:
            self.done[where] = self.all_of(machine)
        found = self.done[where][label]
        if isinstance(found, Exception):
            raise found
        check_section(self.programs[label].split()[0], *found)
        return found[0]


def faults(text):
    """[(access, va, pc), ...] of its last run: around may have needed several."""
    lines = re.findall(r"^fault: pid=\d+ name=\w+ cause=(\d+) err=0x([0-9a-f]+) va=0x([0-9a-f]+) pc=0x([0-9a-f]+) -> killed$",
                       text, re.M)
    runs = len(re.findall(r"^TEST \w+: ", text, re.M))
    assert len(lines) % runs == 0
    return [(access_of(int(cause), int(error, 16)), int(va, 16), int(pc, 16))
            for cause, error, va, pc in lines[-(len(lines) // runs):]]


@pytest.fixture(scope="module")
def boots(image_with_small_log):
    return Boots(image_with_small_log, {"tamalloc": "tamalloc", "memstat": "memstat"})


@EVERYWHERE
def test_tamalloc(machine, boots):
    seen = faults(boots.text("tamalloc", machine))
    jumps = [fault for fault in seen if fault[1] == fault[2]]   # R002-1: an instruction page fault, at the area
    assert len(jumps) == (2 if CAN_FORBID_EXECUTION else 0)
    assert all(access == "fetch" and va % 4096 == 0 and va < USER_LIMIT for access, va, _ in jumps)
    assert sorted(fault[0] for fault in seen if fault not in jumps) == ["load"] * 8 + ["store"] * 8     # 4 areas, 2 sides, 2 ways


@EVERYWHERE
def test_memstat(machine, boots):
    boots.text("memstat", machine)


# ---- The program of the course: nothing is changed

PROGRAM = """\
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SYSCALL_NUM 465

int main() {
    printf("PID del programa: %d\\n", getpid());

    printf("Presiona ENTER para continuar...\\n");
    getchar();

    const size_t total_size = 10 * 1024 * 1024; // Se asignan 10 MB de memoria.

    char *buffer = (char *) syscall(SYSCALL_NUM, total_size);

    if ((long) buffer < 0) {
        perror("fallo en la llamada al sistema");

        return 1;
    }

    printf("Se asignaron 10 MB de memoria en la dirección: %p\\n", buffer);

    printf("Presiona ENTER para empezar a leer la memoria byte por byte...\\n");
    getchar();

    // Inicializa el generador de números aleatorios con una semilla basada en el tiempo actual.
    srand(time(NULL));

    for (size_t i = 0; i < total_size; i++) {
        const char current_byte = buffer[i]; // Almacena el valor del byte actual para verificar su inicialización.

        if (current_byte != 0) {
            printf("La memoria no se inicializó en cero en el byte %zu\\n", i);

            return 1;
        }

        // Genera un carácter aleatorio entre 'A' y 'Z' y lo escribe en el byte actual.
        const char random_letter = 'A' + rand() % 26;
        buffer[i] = random_letter;

        if (i % (1024 * 1024) == 0 && i > 0) {
            printf("Verificados %zu MB...\\n", i / (1024 * 1024));
            sleep(1); // Pausa de 1 segundo para que el usuario pueda ver el progreso.
        }
    }

    printf("Toda la memoria se verificó que está inicializada en cero. Presiona ENTER para salir.\\n");
    getchar();

    return 0;
}
"""

EXPECTED = (r"PID del programa: \d+" "\r\n"
            r"Presiona ENTER para continuar\.\.\." "\r\n\r\n"           # each ENTER shows as an empty line
            r"Se asignaron 10 MB de memoria en la dirección: 0x[0-9a-f]+" "\r\n"
            r"Presiona ENTER para empezar a leer la memoria byte por byte\.\.\." "\r\n\r\n"
            + "".join(rf"Verificados {n} MB\.\.\." "\r\n" for n in range(1, 10)) +
            r"Toda la memoria se verificó que está inicializada en cero\. Presiona ENTER para salir\." "\r\n\r\n")


@pytest.fixture(scope="module")
def image_with_program(built, tmp_path_factory):
    """Built in a folder of its own, so that build/ stays as it is."""
    folder = tmp_path_factory.mktemp("course")
    build = folder / ARCH
    shutil.copytree(flavour(False), build, symlinks=True)
    (folder / "tamalloc_test.c").write_text(PROGRAM, encoding="utf-8")
    output = make("image", BUILD=build, PROGRAMS=f"{folder}/tamalloc_test.c").stdout
    assert "warning" not in output and "error" not in output, output
    return build / "fs.img"


def test_the_program_of_the_course(image_with_program):
    """R002-5, R002-6: three ENTERs, every line, exit code 0. With -icount its nine seconds of sleep cost none."""
    with Machine(image=image_with_program, cpus=1, extra=["-icount", "shift=3,sleep=off"]) as m:
        m.type("tamalloc_test; echo @$?@")
        seen = ""
        for line in ("continuar...\r\n", "byte por byte...\r\n", "para salir.\r\n"):
            seen += m.expect_exact(line) + line
            m.send("\r")
        seen += m.expect(r"@(-?\d+)@\r\n\$ ")
        assert re.fullmatch(EXPECTED, seen), seen
        assert m.child.match.group(1) == "0"
        m.halt()


# ---- The harness sees what it is for

def test_faults_are_counted_in_the_last_run():
    words = "cause=13 err=0x0" if ON_RISCV else "cause=14 err=0x5"
    line = f"fault: pid=7 name=tamalloc {words} va=0x1000 pc={USER_BASE:#x} -> killed\n"
    assert faults((line + "TEST tamalloc: PASS 2 checks\n") * 3) == [("load", 0x1000, USER_BASE)]
