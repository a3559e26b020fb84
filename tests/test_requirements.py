"""Every requirement that wants a test has one that names it, and docs/requirements-tests.md says which. The checker is tried on
a small tree, too: it must fail for an unknown name, a name without a test, a page out of date, a program that nobody runs."""
import re
import shutil
import subprocess

import pytest

from lib.paths import ROOT

pytestmark = pytest.mark.host

TOOL = "tools/requirement-tests"
PAGE = "docs/requirements-tests.md"


def check(tree, *words):
    done = subprocess.run([str(tree / TOOL), *words], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60)
    return done.returncode, done.stdout


def test_requirements_have_tests_and_the_page_is_up_to_date():
    status, said = check(ROOT, "--check")
    assert status == 0, said


def test_every_family_is_in_the_list():
    """The list itself: a line that is lost is a requirement that nobody misses."""
    rows = re.findall(r"^\| ([A-Z]\d*-?\d+) \| (\S+) \|", (ROOT / "docs" / "requirements-ids.md").read_text(), re.M)
    marks = dict(rows)
    assert len(rows) == len(marks)
    sizes = {"R000-": 15, "R001-": 13, "R002-": 8, "R003-": 13, "R004-": 8, "A000-": 22, "A001-": 15, "A002-": 3, "A003-": 9,
             "A004-": 9, "C": 10, "M": 17, "T-": 7, "I-": 11, "L": 13}
    expected = {f"{family}{n}" for family, size in sizes.items() for n in range(1, size + 1)} | {"R003-0"}
    assert set(marks) == expected
    wanted = {f"{family}{n}" for family, numbers in {
        "R000-": range(1, 16), "R001-": range(1, 14), "R002-": range(1, 9), "R004-": range(1, 9), "A000-": range(1, 23),
        "A001-": [*range(1, 11), 12, 13, 15], "A002-": [2], "A004-": range(1, 10), "M": range(1, 18),
        "T-": range(1, 5), "I-": range(1, 12)}.items() for n in numbers}
    assert {name for name, mark in marks.items() if mark == "yes"} == wanted


# ---- A small tree: three names want a test, and have one each

LIST = """# Names
## First part
| Name | Test | In short |
|---|---|---|
| R000-1 | yes | the first |
| R000-2 | yes | the second |
| R000-3 | - | nobody asks |
| M1 | yes | a rule |
| M2 | - | another rule |
| C1 | - | a contradiction |
| L1 | later | not yet |
"""

PROGRAM = """/* wild: the first comment is the whole file's. R000-1 */
#include "check.h"

TEST(empty)
{
    CHECK(1);
}

/* M1: before a test it is that test's. */
static int body(void) { return 0; }

TEST(rule)
{
    CHECK(body() == 0);
}

int main(void) { return 0; }
"""

SCRIPT = '''"""Runs the programs."""

def test_programs():
    assert run("/tests/wild")       # R000-2: inside a test it is that test's


def test_else(): pass
'''


@pytest.fixture
def tree(folder):
    for name in ("docs", "tools", "tests", "user/tests"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / TOOL, folder / TOOL)
    (folder / "docs" / "requirements-ids.md").write_text(LIST)
    (folder / "user" / "tests" / "wild.c").write_text(PROGRAM)
    (folder / "tests" / "test_wild.py").write_text(SCRIPT)
    assert check(folder)[0] == 0
    return folder


def change(tree, path, old, new):
    text = (tree / path).read_text()
    assert old in text
    (tree / path).write_text(text.replace(old, new))


def cell(tree, name):
    return re.search(rf"^\| {name} \| .* \| (.*) \|$", (tree / PAGE).read_text(), re.M)[1]


def complaints(tree, *words):
    status, said = check(tree, *words)
    lines = said.splitlines()[:-1]
    assert status == (1 if lines else 0), said
    return lines


def test_the_page_names_files_and_tests(tree):
    assert complaints(tree, "--check") == []
    assert cell(tree, "R000-1") == "[user/tests/wild.c](../user/tests/wild.c)"
    assert cell(tree, "R000-2") == "[tests/test_wild.py](../tests/test_wild.py): test_programs"
    assert cell(tree, "M1") == "[user/tests/wild.c](../user/tests/wild.c): rule"
    assert cell(tree, "R000-3") == "-" and cell(tree, "L1") == "not built yet"


@pytest.mark.parametrize("path, old, new, where", [
    ("user/tests/wild.c", "M1:", "M1, M9:", "9: M9"), ("user/tests/wild.c", "R000-1 ", "R000-1..4 ", "1: R000-4"),
    ("tests/test_wild.py", "R000-2:", "R000-2, R077-1:", "4: R077-1")])
def test_an_unknown_name_is_an_error(tree, path, old, new, where):
    change(tree, path, old, new)
    assert complaints(tree) == [f"{path}:{where} is not in docs/requirements-ids.md"]


@pytest.mark.parametrize("path, cited, name", [
    ("user/tests/wild.c", "R000-1", "R000-1"), ("user/tests/wild.c", "M1", "M1"), ("tests/test_wild.py", "R000-2", "R000-2")])
def test_a_name_without_a_test_is_an_error(tree, path, cited, name):
    change(tree, path, cited, "nothing")
    found = complaints(tree)
    assert len(found) == 1 and found[0].startswith(f"{name}: no test cites it"), found
    assert cell(tree, name) == "**no test**"


def test_a_page_that_is_out_of_date_is_an_error(tree):
    stale = [f"{PAGE} is out of date: run tools/requirement-tests"]
    change(tree, "user/tests/wild.c", "TEST(rule)", "TEST(other_rule)")
    assert complaints(tree, "--check") == stale and complaints(tree, "--check") == stale       # --check writes nothing
    assert complaints(tree) == [] and complaints(tree, "--check") == []
    change(tree, "docs/requirements-ids.md", "the second", "the other")
    assert complaints(tree, "--check") == stale
    (tree / PAGE).unlink()
    assert complaints(tree, "--check") == stale


def test_a_program_that_no_test_runs_is_an_error(tree):
    change(tree, "tests/test_wild.py", "/tests/wild", "/tests/tame")
    assert complaints(tree) == ["user/tests/wild.c: cites requirements, but no tests/*.py runs /tests/wild"]


def test_a_name_that_stands_twice_or_is_marked_wrongly_is_an_error(tree):
    change(tree, "docs/requirements-ids.md", "| M2 | - |", "| M1 | no |")
    found = complaints(tree)
    assert len(found) == 2 and "M1 stands twice" in found[0] and "M1: `no` is none of" in found[1]


@pytest.mark.parametrize("text, names", [
    ("R000-1..3", "R000-1 R000-2 R000-3"), ("R000-1/3", "R000-1 R000-3"), ("R000-1..R000-3", "R000-1 R000-2 R000-3"),
    ("M1-M2", "M1 M2"), ("M1..2", "M1 M2"), ("M1\N{EN DASH}M2", "M1 M2"), ("(M2)", "M2"), ("R000-2's", "R000-2"),
    ("C1", "C1"), ("R000-3.", "R000-3"), ("in C11, on an L2 cache, 64M1 bytes, xM1, R000-12x", ""), ("M1-safe", "M1")])
def test_forms_of_citing(tree, text, names):
    """What a comment may look like. The program cites nothing else then, so each name comes from this comment."""
    (tree / "user" / "tests" / "wild.c").write_text(f"/* {text} */\nint M1, y = M2;\n", encoding="utf-8")
    assert not [line for line in complaints(tree) if "is not in" in line]
    cited = [name for name in ("R000-1", "R000-2", "R000-3", "M1", "M2", "C1") if "wild.c" in cell(tree, name)]
    assert cited == names.split()
