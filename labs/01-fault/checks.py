"""L1: what is a page fault, and how does a page get mapped? S003, exercises 1 and 2."""
import hashlib
import re
import secrets

from labs import Lab
from records import Reader

ANSWERS = "labs/01-fault/answers.txt"
lab = Lab(__file__, title="A page fault at 0x1000", title_es="Un fallo de página en 0x1000", machine="riscv", kernel=True,
          files=["kernel/demo/tasks.c", ANSWERS], starter=["R003-11"])

DIES = ("Task B stored to 0x1000 and died of it: nothing is mapped there yet. use_mapped() must map a frame of its own first.",
        "La tarea B escribió en 0x1000 y eso la mató: ahí todavía no hay nada. use_mapped() debe mapear antes un marco propio.")


class Demo:
    """One run of the demo with the watcher beside it."""

    def __init__(self, look, cpus=1, watched=True):
        """The watcher does not see every page that is mapped for a moment: other seeds are tried until it has."""
        first = look.seed
        for look.seed in range(first, first + (12 if watched else 1)):
            self.run(look, cpus, watched)
            if self.word != "done" or not re.search("^Task B contents", self.console, re.M) or {"contents B", "gone"} <= set(self.notes):
                break
        look.seed = first

    def run(self, look, cpus, watched):
        key = secrets.token_hex(16)
        self.look = look
        append = f"demo=check job={key}{look.seed:016x}:watch_demo" if watched else "demo=tasks"
        self.word, self.console = look.console(append=append, cpus=cpus, seconds=30)
        reader = Reader(key)
        reader.feed(self.console)
        self.notes = [record.text for record in reader.of_kind("note")]
        self.lines = self.console.split("\n")

    def fault(self, name):
        return re.search(rf"^fault: pid=\d+ name={name} cause=(\d+) err=0x0 va=(0x[0-9a-f]+) pc=0x[0-9a-f]+ -> killed$", self.console, re.M)

    def expect_alive(self):
        """Task B did not fault."""
        fault = self.fault("B")
        kinds = {"12": "fetch", "13": "load", "15": "store", "5": "load", "7": "store"}
        entry = next((note for note in self.notes if note.startswith("mapped")), None)
        seen = f"; the entry of 0x1000: {entry[7:]}" if entry else "; 0x1000 never had an entry"
        if fault is None:
            return
        bits = int(entry.split()[1], 16) if entry else 0
        hint = "dies" if not entry else "user" if bits & 0x10 else "rights" if bits & 6 != 6 else "frame"
        self.look.expect(False, hint, f"task B had a fault, cause {fault[1]} ({kinds.get(fault[1], '?')}) at {fault[2]}{seen}", stop=True)


@lab.outside("R003-11", "B1 faults and ends, A and C go on", es="B1 falla y termina, A y C siguen", points=5,
             hint=("This part of the demo was given: B1 stores to 0x1000 with nothing mapped there.",
                   "Esta parte de la demo venía dada: B1 escribe en 0x1000 sin que haya nada mapeado."))
def first_fault(look):
    demo = Demo(look)
    fault = demo.fault("B1")
    look.expect(fault is not None and fault[1] == "15" and fault[2] == "0x1000", "",
                f"expected a fault of B1, cause 15 at 0x1000, saw {fault[0] if fault else 'none'}")
    look.expect("Task B: exercise 1: B1 ended with -1" in demo.lines, "", "expected that B1 ended with -1")
    for count in range(1, 6):
        look.expect(f"Task C: count {count}" in demo.lines, "", f"expected that task C goes on to count {count}")


def answer(look, name):
    found = re.search(rf"^{name}:[ \t]*(.*)$", look.file(ANSWERS), re.M)
    look.expect(found is not None and found[1].strip() != "", "empty", f"{ANSWERS}: expected an answer behind '{name}:'", stop=True)
    return found[1].strip().lower().rstrip("().;")


def right(look, name, digest):
    """The answers are not in here in plain words, so that nobody reads them by chance."""
    given = answer(look, name)
    known = hashlib.sha256(f"tamal {name} {given}".encode()).hexdigest()[:12]
    look.expect(known == digest, "", f"{ANSWERS}: {name}: '{given}' is not it")


EMPTY = {"empty": ("Run the demo, read its fault line, and write the answer into the file.",
                   "Ejecute la demo, lea su línea fault y escriba la respuesta en el archivo.")}


@lab.outside("R003-11-cause", "answers: cause, access, address", es="respuestas: causa, acceso, dirección", points=10,
             hint=("`make qemu APPEND=demo=tasks`: the fault line of B1 has all of it; docs/traps.md says what the numbers mean.",
                   "`make qemu APPEND=demo=tasks`: la línea fault de B1 lo tiene todo; docs/traps.md dice qué significan los números."), hints=EMPTY)
def answers_cause(look):
    right(look, "cause", "2937e6f979ba")
    right(look, "access", "b2e716d272fa")
    right(look, "address", "5ea02be1c856")


@lab.outside("R003-11-where", "answers: where, and why", es="respuestas: dónde y por qué", points=10,
             hint=("`riscv64-unknown-elf-addr2line -f -e build/riscv/kernel.elf PC` names the function; in gdb `pt 0x1000` walks the page table.",
                   "`riscv64-unknown-elf-addr2line -f -e build/riscv/kernel.elf PC` nombra la función; en gdb, `pt 0x1000` recorre la tabla de páginas."), hints=EMPTY)
def answers_where(look):
    right(look, "function", "a872eea59f23")
    right(look, "why", "e518e8ecb761")


@lab.outside("R003-11-end", "answers: what it did to the tasks", es="respuestas: qué les hizo a las tareas", points=10,
             hint=("What do A, B and C print after the fault? For the last one: a load and a store that find no page have different causes.",
                   "¿Qué imprimen A, B y C después del fallo? Para la última: una lectura y una escritura sin página tienen causas distintas."),
             hints=EMPTY)
def answers_end(look):
    right(look, "ended", "90802319b65b")
    right(look, "stopped", "fa00d1a97647")
    right(look, "cause-of-a-load", "db67926f2e4a")


MAPPING = {
    "dies": DIES,
    "rights": ("0x1000 is mapped, but not for what B does with it: which rights does map_page() get, and what does B do first?",
               "0x1000 está mapeada, pero no para lo que hace B: ¿qué permisos recibe map_page() y qué hace B primero?"),
    "user": ("The entry has the bit U: such a page is for programs. The kernel, which is what task B is, may not touch it.",
             "La entrada tiene el bit U: esa página es para programas. El kernel, y la tarea B es kernel, no puede tocarla."),
    "frame": ("The entry is there, but it leads nowhere: map_page() wants the physical address of the frame, as alloc_page() gave it.",
              "La entrada está, pero no lleva a ninguna parte: map_page() quiere la dirección física del marco, tal como la dio alloc_page()."),
    "unseen": ("The line is there, but 0x1000 was never mapped while B ran: what was printed did not come from there. The table of the kernel "
               "is changed with kernel_map_lock held.",
               "La línea está, pero 0x1000 nunca estuvo mapeada mientras B corría: lo impreso no salió de ahí. La tabla del kernel se cambia "
               "con kernel_map_lock tomado."),
    "panic": ("The kernel's own checks say what was wrong with the call: an address that is not the start of a page, a lock, a free frame.",
              "Las comprobaciones del propio kernel dicen qué tenía de malo la llamada: una dirección que no inicia una página, un lock, un marco libre."),
}


@lab.outside("R003-12", "B uses 0x1000 without a fault", es="B usa 0x1000 sin fallo", points=25, hint=DIES, hints=MAPPING)
def mapped(look):
    demo = Demo(look)
    look.expect(demo.word == "done", "panic" if demo.word in ("panic", "trap") else demo.word, f"the demo did not come to its end: {demo.word}",
                stop=True)
    demo.expect_alive()
    line = next((line for line in demo.lines if line.startswith("Task B contents")), "nothing")
    look.expect(line == "Task B contents at va 0x1000: B", "dies", f"expected the line 'Task B contents at va 0x1000: B', saw {line}", stop=True)
    look.expect("contents B" in demo.notes, "unseen", "the line is there, but no page with a B in it was mapped at 0x1000")


@lab.outside("R003-12-entry", "with a frame of its own, for reading and writing only", es="con un marco propio, solo para leer y escribir",
             points=10, needs=["R003-12"], hint=("Which rights does data need?", "¿Qué permisos necesita un dato?"), hints=MAPPING)
def entry(look):
    found = [re.match(r"mapped (0x[0-9a-f]+) frame (0x[0-9a-f]+) refs (\d+)", note) for note in Demo(look).notes]
    found = next((match for match in found if match), None)
    look.expect(found is not None, "unseen", "no entry for 0x1000 was seen", stop=True)
    look.expect(int(found[1], 16) & 0x1f == 0x07, "rights", f"the entry's bits V R W X U: expected V R W, saw {int(found[1], 16) & 0x1f:#x}")
    look.expect(found[3] == "1", "frame", f"the frame {found[2]}: expected one reference, from alloc_page(), saw {found[3]}")


AFTER = {**MAPPING, "still-mapped": (
    "After its use the page must go: unmap_page(), with the lock held.", "Después de usarla, la página debe irse: unmap_page(), con el lock tomado."),
    "leak": ("The frame came from alloc_page() and must go back, once. What does the last argument of unmap_page() say?",
             "El marco vino de alloc_page() y debe volver, una vez. ¿Qué dice el último argumento de unmap_page()?")}


@lab.outside("R003-13", "afterwards 0x1000 faults again", es="después, 0x1000 vuelve a fallar", points=15, needs=["R003-12"],
             hint=AFTER["still-mapped"], hints=AFTER)
def faults_again(look):
    demo = Demo(look)
    fault = demo.fault("B2")
    look.expect("not reached" not in demo.console, "still-mapped", "B2 reads 0x1000 after the end of use: expected a fault, it got a value")
    look.expect(fault is not None and fault[1] == "13" and fault[2] == "0x1000", "still-mapped",
                f"expected a fault of B2, cause 13 at 0x1000, saw {fault[0] if fault else 'none'}")
    look.expect("gone" in demo.notes, "still-mapped", "the entry of 0x1000 stays to the end")


@lab.outside("R003-13-frames", "no frame is lost", es="no se pierde ningún marco", points=10, needs=["R003-12"], hint=AFTER["leak"], hints=AFTER)
def frames(look):
    found = re.search(r"free frames before (\d+), after (\d+)$", Demo(look).console, re.M)
    look.expect(found is not None, "", "expected B's line about the free frames", stop=True)
    look.expect(found[1] == found[2], "leak", f"free frames: expected {found[1]} as before, saw {found[2]}")


@lab.outside("R003-10", "A goes on when B has ended, with 7", es="A sigue cuando B terminó, con 7", points=5, needs=["R003-12"],
             hint=("B must come to its own end: terminate(7).", "B debe llegar a su propio final: terminate(7)."), hints=MAPPING)
def order(look):
    demo = Demo(look, cpus=4, watched=False)
    at = {text: next((i for i, line in enumerate(demo.lines) if text in line), -1) for text in
          ("Task A: waiting", "Task B: exiting", "Task A: task B ended with 7")}
    look.expect(-1 not in at.values() and list(at.values()) == sorted(at.values()), "", f"expected these lines in this order: {', '.join(at)}")
