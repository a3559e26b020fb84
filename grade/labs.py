"""Labs and their checks, as each labs/NN-topic/checks.py declares them.

    from labs import Lab

    lab = Lab(__file__, title="Copy on write", title_es="Copia al escribir", machine="riscv",
              files=["kernel/mm/vm.c", "kernel/task/fork.c"], starter=[])
    lab.check("R001-7", "a write copies one page", es="una escritura copia una sola página", points=10, guest="one_page_is_copied",
              cpus=4, seeds=3, needs=["R001-2"],
              hint=("Which pages does the fault path copy?", "¿Qué páginas copia el camino del fallo?"),
              hints={"whole-area": ("...", "...")})

guest: a function of the lab's checks.c, run in the machine. A check that looks from outside is a Python function instead:

    @lab.outside("I-2", "gdt[20] is the sweeper's", es="...", points=10, hint=(...))
    def descriptor(look):                               an Outside: see outside.py
        with look.machine(image=look.image("spin")) as m: m.run_until("scheduler"); look.equal(gdt(m, 20).dpl, 0, "hint-key", "gdt[20].dpl")

Its guest="spin" says what the debugger boots for it (make grade CHECK=I-2 GDB=1).
"""
import importlib.util
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


class LabError(Exception):
    """A lab's files contradict each other: for who wrote it."""


@dataclass
class Check:
    id: str
    title: dict
    points: int
    guest: str = None               # function in checks.c; of an `outside` check: what a debugger boots for it
    outside: object = None          # function of this file
    cpus: int = 1
    seeds: int = 1
    needs: list = field(default_factory=list)
    hints: dict = field(default_factory=dict)       # key: {language: text}; "": for every other failure
    seconds: int = 60               # of the machine's time
    quiet: int = 15
    memory: str = None
    append: str = ""
    hidden: bool = False

    def hint(self, key, language):
        found = self.hints.get(key) or self.hints.get("") or {}
        return found.get(language) or found.get("en", "")


def both(pair):
    return {"en": pair[0], "es": pair[1]} if not isinstance(pair, dict) else pair


class Lab:
    def __init__(self, path, *, title, title_es, machine="riscv", files, starter=(), programs=(), kernel=False):
        """files: globs of what students write; starter: ids of the checks that the starter already passes; programs: of user/bin, in
        the image of each check; kernel: checks.c is linked with the kernel, not a program."""
        self.folder = Path(path).resolve().parent
        self.tree = self.folder.parent.parent
        self.number, _, self.name = self.folder.name.partition("-")
        self.title, self.machine = {"en": title, "es": title_es}, machine
        self.files, self.starter, self.programs, self.kernel = list(files), list(starter), list(programs), kernel
        self.checks = []

    def add(self, id, title, *, es, points, hint, hints=None, **more):
        if any(check.id == id for check in self.checks):
            raise LabError(f"{self.folder.name}: two checks are called {id}")
        unknown = [need for need in more.get("needs", []) if need not in [check.id for check in self.checks]]
        if unknown:
            raise LabError(f"{self.folder.name}: {id} needs {unknown[0]}, which does not come before it")
        texts = {"": both(hint), **{key: both(pair) for key, pair in (hints or {}).items()}}
        self.checks.append(Check(id, {"en": title, "es": es}, points, hints=texts, **more))
        return self.checks[-1]

    def check(self, id, title, *, guest, **more):
        self.add(id, title, guest=guest, **more)

    def outside(self, id, title, **more):
        def declare(function):
            self.add(id, title, outside=function, **more)
            return function
        return declare

    def find(self, id):
        for check in self.checks:
            if check.id == id:
                return check
        raise LabError(f"lab {self.name} has no check {id}; there are: " + " ".join(check.id for check in self.checks))

    @property
    def points(self):
        return sum(check.points for check in self.checks)

    @property
    def mutants(self):
        return [Mutant(self, path) for path in sorted((self.folder / "mutants").glob("*.patch"))]


class Mutant:
    """A wrong solution: a patch whose first lines say which check must catch it, with which hint."""

    def __init__(self, lab, path):
        self.lab, self.path, self.name = lab, path, path.stem
        head = path.read_text().split("\ndiff --git", 1)[0]
        self.words = dict(re.findall(r"^(Check|Hint|About|Seeds): (.*)$", head, re.M))
        if "Check" not in self.words:
            raise LabError(f"{path}: its first lines must say Check: ID and Hint: KEY")
        self.check, self.hint = self.words["Check"].strip(), self.words.get("Hint", "").strip()


def load(folder):
    """The lab of one folder; its hidden checks too, where they are."""
    folder = Path(folder)
    name = f"lab_{re.sub('[^a-z0-9]', '_', folder.name)}_{abs(hash(str(folder)))}"
    spec = importlib.util.spec_from_file_location(name, folder / "checks.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("labs", sys.modules[__name__])
    spec.loader.exec_module(module)
    if (folder / "hidden.py").exists():
        known = len(module.lab.checks)
        spec = importlib.util.spec_from_file_location(name + "_hidden", folder / "hidden.py")
        hidden = importlib.util.module_from_spec(spec)
        hidden.lab = module.lab
        spec.loader.exec_module(hidden)
        for check in module.lab.checks[known:]:
            check.hidden = True
    return module.lab


def find(tree=ROOT, names=()):
    """The labs of a tree, all or those named: by topic, number or folder name."""
    folders = sorted(path.parent for path in (Path(tree) / "labs").glob("[0-9]*-*/checks.py"))
    chosen = []
    for name in names:
        hits = [f for f in folders if name in (f.name, f.name.partition("-")[2]) or
                (name.lstrip("Ll").isdigit() and int(name.lstrip("Ll")) == int(f.name.partition("-")[0]))]
        if not hits:
            raise LabError(f"there is no lab {name}; there are: " + " ".join(f.name.partition("-")[2] for f in folders))
        chosen += hits
    return [load(folder) for folder in (chosen if names else folders)]


def language():
    """en or es: LANG_HINTS, else the locale."""
    for name in ("LANG_HINTS", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "es" if value.lower().startswith("es") else "en"
    return "en"
