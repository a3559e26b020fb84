"""The programs that show memory: malloco, tamalloc, cow, memstat, vmmap; and the program of the course document.

What they print is read as facts: how the counters of the machine changed in a step, what the pages are then. Numbers that
depend on the machine (frames free, process ids) are compared with each other, never with a stored output.
"""
import re
from collections import namedtuple

import pytest

from lib.arch import USER_BASE, USER_STACK_TOP
from lib.images import make_image
from lib.machine import Machine, batch
from lib.paths import ON_RISCV

REGION = "0xa10c0000"
FRAME_KB = 4

# An empty line typed is an ENTER for the program, any other line a command for the shell: a second console.
BOTH = """\
while read line
do
    if test -n "$line"; then sh -c "$line" >&2; else echo; fi
done
"""


@pytest.fixture(scope="session")
def image(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory")
    (folder / "both").write_text(BOTH)
    return make_image(folder / "disk.img", f"/both={folder / 'both'}", log=64, tests=["around", "tamalloc_seed"])


# ---- What the demos print

Step = namedtuple("Step", "text now change pages")


def parse_step(text):
    """now, change: by name of the counter, `name 12 (+1)`. pages: the page maps, by name of the task or "pages"."""
    counters = re.findall(r"(?:^| )([a-z][a-z ]*?) (\d+)(?: KiB)? \(([+-]\d+)\)", text, re.M)
    maps = re.findall(r"(?:^| )(parent|child|pages|text) +([|.WCcSRx,-]+)(?=  |$)", text, re.M)
    return Step(text, {n.strip(): int(v) for n, v, _ in counters}, {n.strip(): int(c) for n, _, c in counters}, dict(maps))


def steps(text):
    """All numbered steps; what follows the last one is part of it."""
    numbered = re.split(r"^(\d+)\. ", text, flags=re.M)
    assert numbered[1::2] == [str(i + 1) for i in range(len(numbered) // 2)], text
    return [parse_step(step) for step in numbered[2::2]]


DEMOS = ["malloco", "tamalloc", "tamalloc 1000", "cow"]
MACHINES = [dict(cpus=1), dict(cpus=2), dict(cpus=4), dict(cpus=2, debug=True)]


def machine_id(machine):
    return f"cpus{machine['cpus']}-{'debug' if machine.get('debug') else 'release'}"


@pytest.fixture(scope="module", params=MACHINES, ids=machine_id)
def machine(request):
    return request.param


@pytest.fixture(scope="module")
def outputs(machine, image):
    """{command: what it printed}: all the demos in one boot; each has ended with status 0."""
    line = "; ".join(f"echo @begin {demo}; {demo}; echo @end $?" for demo in DEMOS)
    console = batch(line, image=image, **machine).console.replace("\r", "")
    found = re.findall(r"^@begin ([^\n]*)\n(.*?)^@end (-?\d+)$", console, re.M | re.S)
    assert [(name, status) for name, _, status in found] == [(demo, "0") for demo in DEMOS], console[-3000:]
    return {name: text for name, text, _ in found}


def fault_lines(text, name):
    return re.findall(rf"^fault: pid=\d+ name={name} cause=\d+ err=0x[0-9a-f]+ va=(0x[0-9a-f]+) pc=0x[0-9a-f]+ -> killed$",
                      text, re.M)


def test_malloco_shows_the_life_of_a_block(outputs):
    text = outputs["malloco"]
    grant, first, second, again, read, given_back, swept, regrant, used = steps(text)

    # R000-2, R000-3: a grant takes no frame, and the first one begins where REGION does.
    assert f" {REGION}:" in grant.text and grant.pages == {"pages": "|...."}
    assert grant.change == {"frames free": 0, "demand faults": 0, "sweeps": 0}
    # R000-6: a touch maps one page; the frames beyond it, the first time, are the page tables of REGION.
    assert first.pages == {"pages": "|W..."} and first.change["demand faults"] == 1
    tables = -first.change["frames free"] - 1
    assert 1 <= tables <= 2
    assert second.pages == {"pages": "|WW.."}
    assert (second.change["frames free"], second.change["demand faults"]) == (-1, 1)
    assert again.pages == {"pages": "|WW.."}
    assert (again.change["frames free"], again.change["demand faults"]) == (0, 0)
    assert read.pages == {"pages": "|WW.W"} and "byte read is 0." in read.text
    assert (read.change["frames free"], read.change["demand faults"]) == (-1, 1)
    # R000-9: chau marks; the touched page can be read until the sweep (A000-22).
    assert given_back.pages == {"pages": "|xx,x"} and "'A'" in given_back.text
    assert (given_back.change["frames free"], given_back.change["demand faults"]) == (0, 0)
    # R000-10, R000-11: a later sweep gives back the three pages, and the tables that are empty then.
    assert swept.pages == {"pages": "----"} and swept.change["sweeps"] >= 1
    assert swept.change["frames free"] == 3 + tables and swept.change["demand faults"] == 0
    assert re.search(r"^sweep: n=\d+ tick=\d+ blocks=1 pages=3$", text, re.M)
    # R000-12: the address can be granted again, and reads as zero.
    assert f"again {REGION}." in regrant.text and "reads 0 in 4 of 4 pages." in regrant.text
    assert regrant.pages == {"pages": "|WWWW"} and regrant.change["demand faults"] == 4
    # R000-8: who uses it after the sweep is evicted.
    assert "status of the child -1 " in used.text and used.change == {"evictions": 1}
    assert [int(va, 16) & ~0xFFF for va in fault_lines(text, "malloco")] == [int(REGION, 16)]


@pytest.mark.parametrize("mib", [10, 1000])
def test_tamalloc_shows_what_is_reserved_and_what_committed(outputs, mib):
    text = outputs["tamalloc" if mib == 10 else f"tamalloc {mib}"]
    reserved, read, written, run_over, shared = steps(text)

    # R002-1, R002-2: any size, no frame, no fault. (The machine has 128 MiB.)
    assert reserved.change == {"reserved": mib * 1024, "committed": 0, "frames free": 0, "demand faults": 0}
    # R002-3: a read commits, page by page, and reads zero.
    pages = int(re.search(r"first (\d+) pages", read.text)[1])
    assert pages == min(mib * 256 // 4, 1024) and "\n   0 of the bytes were not zero." in read.text
    assert read.change["committed"] == pages * FRAME_KB and read.change["demand faults"] == pages
    assert read.change["reserved"] == 0
    tables = -read.change["frames free"] - pages
    assert 1 <= tables <= 2 + pages // 512 + 1 and f"other {tables} frames" in read.text
    # R004-3: the percentage.
    for step in reserved, read, written:
        percent = int(re.search(r", (\d+)%$", step.text, re.M)[1])
        assert percent == step.now["committed"] * 100 // step.now["reserved"]
    assert set(written.change.values()) == {0} and len(written.change) == 4
    # R002-1: a page behind the area that belongs to nobody.
    start = int(re.search(r" at (0x[0-9a-f]+) ", reserved.text)[1], 16)
    assert "status of the child -1 " in run_over.text and run_over.change["evictions"] == 1
    assert [int(va, 16) for va in fault_lines(text, "tamalloc")] == [start + mib * 1024 * 1024]
    # R002-8: after fork a touched page is copy on write, an untouched one lazy in each task.
    assert shared.pages == {"parent": "C" * 8 + "." * 8, "child": "C" * 8 + ".W" + "." * 6}
    # R002-7: all of it comes back when the task ends. (The last line belongs to the last step's text.)
    end = shared.text[shared.text.index("\nThe task that did all this has ended"):]
    assert parse_step(end).change == {"frames free": 0}


def test_cow_shows_who_shares_what(outputs):
    text = outputs["cow"]
    alone, forked, child_1, parent_1, parent_2, child_2, ended, last, to_text = steps(text)

    def costs(step):
        return step.change["frames free"], step.change["copies"], step.change["upgrades"]

    def texts(step):
        return re.findall(r" text (\S)$", step.text, re.M)

    assert alone.pages["parent"] == "WWWW" and costs(alone) == (-4, 0, 0)
    # R001-6: the same frames in both, read-only and copy on write. R001-5: text is shared, and is not copy on write.
    assert (forked.pages["parent"], forked.pages["child"]) == ("CCCC", "CCCC") and texts(forked) == ["S", "S"]
    # R001-10: what fork takes does not depend on what is resident.
    assert -32 < forked.change["frames free"] < 0
    # R001-7: the first write copies that page and no other; the last sharer is made writable, without a copy.
    assert (child_1.pages["parent"], child_1.pages["child"]) == ("CcCC", "CWCC") and costs(child_1) == (-1, 1, 0)
    assert "'p'" in child_1.text
    assert (parent_1.pages["parent"], parent_1.pages["child"]) == ("CWCC", "CWCC") and costs(parent_1) == (0, 0, 1)
    assert (parent_2.pages["parent"], parent_2.pages["child"]) == ("CWWC", "CWcC") and costs(parent_2) == (-1, 1, 0)
    assert (child_2.pages["parent"], child_2.pages["child"]) == ("CWWC", "CWWC") and costs(child_2) == (0, 0, 1)
    assert all(texts(step) == ["S", "S"] for step in (child_1, parent_1, parent_2, child_2))
    # R001-12: what the child had comes back; the parent has what is left for itself.
    assert ended.pages["parent"] == "cWWc" and "child" not in ended.pages and texts(ended) == ["R"]
    assert ended.change["frames free"] > 0
    assert last.pages["parent"] == "WWWW" and costs(last) == (0, 0, 2)
    # R001-8: a write to text is not copied.
    assert "status of the child -1 " in to_text.text and to_text.change["evictions"] == 1
    assert len(fault_lines(text, "cow")) == 1


def test_demos_wait_for_enter(image):
    with Machine(cpus=2, image=image) as m:
        for demo, count in (("malloco -i", 9), ("tamalloc -i 1", 5), ("cow -i", 9)):
            m.type(f"{demo}; echo @$?@")
            for number in range(1, count + 1):
                assert f"\n{number}. " in m.expect_exact("-- ENTER --")
                m.send("\r")
            assert "-- ENTER --" not in m.expect_exact("@0@\r\n$ ")
        m.halt()


def test_wrong_arguments(image):
    """A usage line and status 2, as the other programs have."""
    with Machine(cpus=2, image=image) as m:
        for command in ("malloco x", "malloco -z", "tamalloc 1 2", "tamalloc x", "tamalloc 0", "tamalloc -z", "cow x",
                        "cow -z", "memstat x", "memstat -z", "memstat -n", "memstat -n 0", "memstat -w 0", "memstat -w 1 x",
                        "vmmap 1 2", "vmmap x", "vmmap -z"):
            name = command.split()[0]
            text, status = m.run(command)
            assert status == 2 and re.search(rf"^(usage: {name} \[|{name}: invalid number: )", text, re.M), (command, text)
        too_many = "1000000" if ON_RISCV else "2049"    # more than there are addresses (R002-1)
        text, status = m.run(f"tamalloc {too_many}")
        assert status == 1 and f"{too_many} MiB: Invalid argument" in text
        m.halt()


# ---- memstat

Row = namedtuple("Row", "pid name reserved committed percent oom")


def table(text):
    """The rows of one table, and its other lines."""
    lines = text.replace("\r", "").splitlines()
    start = next(i for i, line in enumerate(lines) if re.fullmatch(r" +PID NAME +RESERVED +COMMITTED +% +OOM", line))
    rows, rest = [], []
    for line in lines[start + 1:]:
        match = re.fullmatch(r" *(\d+) (\S+) +(\d+) +(\d+) +(\d+) +(\d+)", line)
        if match:
            rows.append(Row(int(match[1]), match[2], *(int(field) for field in match.groups()[2:])))
        else:
            rest.append(line)
    return rows, rest


def row_of(text, name):
    rows = [row for row in table(text)[0] if row.name == name]
    assert len(rows) == 1, text
    return rows[0]


def check_sums(rows, line):
    """R004-7: MiB, of the sum in KiB. (memstat itself touches a page or two between the rows and the sums.)"""
    match = re.fullmatch(rf"{len(rows)} tasks: reserved (\d+) MiB, committed (\d+) MiB", line)
    assert int(match[1]) == sum(row.reserved for row in rows) // 1024
    committed = sum(row.committed for row in rows)
    assert committed // 1024 <= int(match[2]) <= (committed + 16) // 1024


def test_memstat_once(image):
    with Machine(cpus=2, image=image) as m:
        rows, rest = table(m.ok("memstat"))
        names, pids = [row.name for row in rows], [row.pid for row in rows]
        # R004-5, R000-15: by ascending pid, the user tasks and no kernel task.
        assert pids == sorted(set(pids)) and set(names) == {"init", "sh", "memstat"}
        for row in rows:                                # R004-3
            assert 0 < row.committed <= row.reserved and row.percent == row.committed * 100 // row.reserved
        check_sums(rows, rest[0])
        total, free, cached, promised = map(int, re.fullmatch(
            r"memory: total (\d+), free (\d+), cached (\d+), promised (\d+)", rest[1]).groups())
        assert 100000 < total < 131072 and 0 < free + cached <= total and promised > 0
        sweeps = int(re.fullmatch(r"sweeps (\d+): 0 blocks, 0 pages", rest[2])[1])
        faults = re.fullmatch(r"faults: (\d+) on demand, (\d+) copies, (\d+) upgrades, 0 evictions", rest[3])
        assert all(int(field) > 0 for field in faults.groups())
        m.ok("malloco > /dev/null")                     # two blocks, 3 + 4 pages, at least two sweeps, one eviction
        _, rest = table(m.ok("memstat"))
        match = re.fullmatch(r"sweeps (\d+): 2 blocks, 7 pages", rest[2])
        assert match and int(match[1]) >= sweeps + 2 and rest[3].endswith(", 1 evictions")
        m.halt()


def test_memstat_has_no_fixed_number_of_rows(image):
    """R004-6: as many as there are. And 100 tasks of less than a MiB are some MiB together (R004-7)."""
    with Machine(cpus=2, image=image) as m:
        m.type("for n in 0 1 2 3 4 5 6 7 8 9; do for k in 0 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; done; echo @started@")
        m.expect_exact("@started@\r\n$ ")
        rows, rest = table(m.ok("memstat"))
        assert [row.name for row in rows].count("sleep") == 100
        check_sums(rows, rest[0])
        assert sum(row.committed for row in rows) > 1024
        m.halt()


CLEAR = "\x1b[H\x1b[J"


@pytest.mark.parametrize("key", ["q", "\x03"], ids=["q", "ctrl-c"])
def test_memstat_watches_until_a_key(image, key):
    with Machine(cpus=2, image=image) as m:
        m.type("memstat -w; echo @$?@; cat")
        m.expect_exact(CLEAR)
        for _ in range(2):                              # again and again by itself
            assert row_of(m.expect_exact(CLEAR), "init").pid == 1
        m.send(key)
        m.expect_exact("@0@\r\n")
        # The terminal is in its usual mode again: it echoes, and Ctrl-D ends the input.
        m.send("line\r")
        m.expect_exact("line\r\nline\r\n")
        m.send("\x04")
        m.expect_exact("$ ")
        assert "memstat" not in m.ok("ps")              # its children are gone, too
        m.halt()


def test_memstat_answers_keys_at_once(image):
    """Not only when the time is over: that would be after eleven days."""
    with Machine(cpus=2, image=image) as m:
        m.type("memstat -w 1000000; echo @$?@")
        m.expect_exact(CLEAR)
        m.expect_exact("evictions\r\n")
        m.send(" ")                                     # any other key: the table again
        m.expect_exact(CLEAR)
        m.expect_exact("evictions\r\n")
        m.send("q")
        m.expect_exact("@0@\r\n$ ")
        m.halt()


def test_memstat_into_a_pipe(image):
    with Machine(cpus=2, image=image) as m:
        text = m.ok("memstat -w 1 -n 2 | cat")
        assert "\x1b" not in text and text.count(" COMMITTED ") == 2
        text = m.ok("memstat -w < /dev/null | head -n 1")       # nobody reads the rest: it ends
        assert text == "\n"
        assert "memstat" not in m.ok("ps")
        m.halt()


# ---- vmmap

Area = namedtuple("Area", "start end access kind pages resident map")


def areas(text):
    """(reserved KiB, committed KiB, the areas) of what vmmap printed."""
    text = text.replace("\r", "")
    head = re.search(r"^\d+ \S+: reserved (\d+) KiB, committed (\d+) KiB, \d+%\n", text, re.M)
    found = []
    for line in text[head.end():].splitlines():
        area = re.fullmatch(r"(0x[0-9a-f]{10})-(0x[0-9a-f]{10}) ([R-][W-][X-]) (\w+) +pages (\d+), in frames (\d+)", line)
        part = re.fullmatch(r"    (0x[0-9a-f]{10})  (.*)", line)
        if area:
            found.append(Area(int(area[1], 16), int(area[2], 16), area[3], area[4], int(area[5]), int(area[6]), []))
        elif part:
            found[-1].map.append((int(part[1], 16), part[2]))
        else:
            assert line.startswith("  "), line          # the legend
    return int(head[1]), int(head[2]), found


def signs(area):
    """One sign for each page of the area; '|' left out. Checked: each line begins where the one before it ended."""
    text = ""
    for start, line in area.map:
        assert start == area.start + len(text) * 4096
        folded = re.fullmatch(r"\.\.\. (\d+) pages (.)( untouched| not granted|)", line)
        text += folded[2] * int(folded[1]) if folded else line.replace("|", "")
    assert len(text) == (area.end - area.start) // 4096
    return text


def check_areas(reserved, committed, found):
    assert [a.start for a in found] == sorted(a.start for a in found)
    assert all(a.end <= b.start for a, b in zip(found, found[1:]))
    assert sum(a.pages for a in found) * FRAME_KB == reserved
    assert sum(a.resident for a in found) * FRAME_KB == committed
    for a in found:
        text = signs(a)
        assert sum(text.count(sign) for sign in "WRCcSx") == a.resident, a
        assert a.pages == len(text) - text.count("-"), a


def test_vmmap_of_init(image):
    with Machine(cpus=2, image=image) as m:
        reserved, committed, found = areas(m.ok("vmmap 1"))
        check_areas(reserved, committed, found)
        assert [(a.kind, a.access) for a in found] == [("image", "R-X"), ("image", "R--"), ("image", "RW-"), ("stack", "RW-")]
        assert found[0].start == USER_BASE and set(signs(found[0])) == {"R"} and found[-1].end == USER_STACK_TOP
        m.halt()


def test_vmmap_of_itself(image):
    with Machine(cpus=2, image=image) as m:
        _, _, found = areas(m.ok("vmmap"))
        assert [a.kind for a in found] == ["image", "image", "image", "heap", "stack"]
        assert "W" in signs(found[3]) and signs(found[4]).endswith("W")
        first, second = (re.match(r"(\d+) vmmap:", m.ok("vmmap | head -n 1"))[1] for _ in range(2))
        assert int(first) < int(second)                 # a task of its own each time
        m.halt()


def test_vmmap_of_nobody(image):
    """Unknown numbers, kernel tasks and 0: a message and status 1."""
    with Machine(cpus=2, image=image) as m:
        kernel_tasks = dict(re.findall(r"^ *(\d+) .*\[([^]]+)\]$", m.ok("ps"), re.M))
        assert ("barrendero" in kernel_tasks.values()) == ON_RISCV, kernel_tasks        # on the i386 it has a TSS and no pid
        assert kernel_tasks
        for pid in ("999999", *kernel_tasks, "0", "99999999999"):
            text, status = m.run(f"vmmap {pid}")
            assert status == 1 and re.fullmatch(r"vmmap: \d+: no user task has this number\n", text), (pid, text)
        m.halt()


# ---- Two at one terminal: a program that waits for ENTER, and commands that look at it meanwhile

def beside(m, program):
    m.type(f"sh /both | {program}; echo @$?@")


def ask(m, command):
    m.type(f"{command}; echo @@")
    return m.expect_exact("@@\r\n")


def end(m):
    """The program has had its ENTERs and ends well."""
    m.send("\x04")
    m.expect_exact("@0@\r\n$ ")
    m.halt()


def area_of(m, pid, kind):
    reserved, committed, found = areas(ask(m, f"vmmap {pid}"))
    check_areas(reserved, committed, found)
    return next(a for a in found if a.kind == kind)


def test_vmmap_of_a_huge_area(image):
    """Nearly all addresses, 100 GiB or more than one, with little in it: few lines."""
    mib = 102400 if ON_RISCV else 1500
    pages = mib << 8
    expected = {1: (0, [f"... {pages} pages . untouched"]),
                2: (1024, ["... 1024 pages W", f"... {pages - 1024} pages . untouched"])}
    with Machine(cpus=2, image=image) as m:
        beside(m, f"tamalloc -i {mib}")
        for number in range(1, 6):
            m.expect_exact("-- ENTER --")
            if number in expected:                      # of the two tamallocs the child makes the steps
                pid = max(row.pid for row in table(ask(m, "memstat"))[0] if row.name == "tamalloc")
                area = area_of(m, pid, "tamalloc")
                assert area.pages == pages and (area.resident, [line for _, line in area.map]) == expected[number]
            m.type("")
        end(m)


def test_vmmap_of_blocks(image):
    expected = {1: "|....", 2: "|W...", 5: "|WW.W"}
    with Machine(cpus=2, image=image) as m:
        beside(m, "malloco -i")
        for number in range(1, 10):
            m.expect_exact("-- ENTER --")
            if number in expected:
                area = area_of(m, row_of(ask(m, "memstat"), "malloco").pid, "malloco")
                assert (area.start, area.end, area.access) == (0xA10C0000, 0xA14C0000, "RW-")
                assert [line for _, line in area.map] == [expected[number] + "-" * 60, "... 960 pages - not granted"]
            m.type("")
        end(m)


def test_vmmap_of_copy_on_write(image):
    """After fork, parent and child: text shared, written pages copy on write in both (R001-5, R001-6)."""
    with Machine(cpus=2, image=image) as m:
        beside(m, "cow -i")
        for number in range(1, 10):
            m.expect_exact("-- ENTER --")
            if number == 2:
                rows = [row for row in table(ask(m, "memstat"))[0] if row.name == "cow"]
                parent, child = (areas(ask(m, f"vmmap {row.pid}"))[2] for row in rows)
                assert len(rows) == 2
                for one, other in zip(parent, child):
                    if "W" not in one.access:
                        assert set(signs(one)) == set(signs(other)) == {"S"}
                assert all(any("CCCC" in signs(area) for area in found) for found in (parent, child))
            m.type("")
        end(m)


# ---- The program of the course document

SEED_OUTPUT = """\
PID del programa: N
Presiona ENTER para continuar...

Se asignaron 10 MB de memoria en la dirección: 0xN
Presiona ENTER para empezar a leer la memoria byte por byte...

Verificados 1 MB...
Verificados 2 MB...
Verificados 3 MB...
Verificados 4 MB...
Verificados 5 MB...
Verificados 6 MB...
Verificados 7 MB...
Verificados 8 MB...
Verificados 9 MB...
Toda la memoria se verificó que está inicializada en cero. Presiona ENTER para salir.

@0@
"""
SEED_WAITS = ["para continuar...\r\n", "byte por byte...\r\n", "para salir.\r\n"]


@pytest.mark.parametrize("machine", [dict(cpus=1), dict(cpus=4, debug=True)], ids=machine_id)
def test_course_program_to_the_letter(image, machine):
    """R002-5: typed at a terminal, three ENTERs (each is echoed as an empty line), status 0."""
    with Machine(image=image, **machine) as m:
        m.type("/tests/tamalloc_seed; echo @$?@")
        text = ""
        for wait in SEED_WAITS:
            text += m.expect_exact(wait) + wait
            m.send("\r")
        text += m.expect_exact("$ ")
        assert "\ufffd" not in text                     # what is no UTF-8 would come out as that
        text = text.replace("\r\n", "\n")
        text = re.sub(r"^(PID del programa: )[1-9]\d*$", r"\1N", text, flags=re.M)
        text = re.sub(r"(: 0x)[0-9a-f]+$", r"\1N", text, flags=re.M)
        assert text == SEED_OUTPUT
        m.halt()


def test_course_program_in_the_statistics(image):
    """R002-7: reserved and committed before the call, after it, after the loop; and nothing is lost when it has ended."""
    with Machine(cpus=2, image=image) as m:
        beside(m, "/tests/around /tests/tamalloc_seed")
        while True:                                     # around may run it again, to be sure
            seen, maps = [], []
            for wait in SEED_WAITS:
                m.expect_exact(wait)
                row = row_of(ask(m, "memstat"), "tamalloc_seed")
                seen.append((row.reserved, row.committed))
                if len(seen) > 1:
                    maps.append([line for _, line in area_of(m, row.pid, "tamalloc").map])
                m.type("")
            (reserved, committed), *_ = seen
            assert seen == [(reserved, committed), (reserved + 10240, committed), (reserved + 10240, committed + 10240)]
            assert maps == [["... 2560 pages . untouched"], ["... 2560 pages W"]]
            m.expect([r"AROUND /tests/tamalloc_seed: status (-?\d+), lost (\d+) frames, (\d+) tasks, (\d+) promises\r\n",
                      "PID del programa: "])
            if m.which == 0:
                break
        assert m.child.match.groups() == ("0", "0", "0", "0")
        end(m)
