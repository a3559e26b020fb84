"""The labs as files: each has what it must have, in both languages. That they are right is proved by `make lab-check`, which takes
longer than all tests together; here the patches must fit, and one reference is graded for each machine."""
import re
import sys

import pytest

from lib.paths import ROOT

sys.path.insert(0, str(ROOT / "grade"))
import course  # noqa: E402
import labs  # noqa: E402
import trees  # noqa: E402

pytestmark = pytest.mark.host
LABS = labs.find(ROOT)
EACH = pytest.mark.parametrize("lab", LABS, ids=[lab.name for lab in LABS])


@pytest.fixture(scope="module")
def reference():
    return trees.snapshot(ROOT)


@EACH
def test_what_a_lab_has(lab):
    assert lab.points == 100
    assert lab.title["en"] and lab.title["es"] and lab.files
    ids = [check.id for check in lab.checks]
    assert set(lab.starter) <= set(ids)
    for check in lab.checks:
        assert check.title["en"] and check.title["es"] and check.points > 0 and (check.guest or check.outside)
        for key, texts in check.hints.items():
            assert texts["en"] and texts["es"] and texts["en"] != texts["es"], f"{check.id}: hint {key!r}"
    source = (lab.folder / "checks.c").read_text() if (lab.folder / "checks.c").exists() else ""
    for check in lab.checks:
        assert check.outside or re.search(rf'"{check.guest}"', source), f"checks.c has no {check.guest}"


@EACH
def test_patches_fit(lab, reference):
    course.student_files(lab)
    seen = set()
    for mutant in lab.mutants:
        tree = trees.apply_patch(reference, mutant.path)
        changed = {name for name in tree if tree[name] != reference.get(name)}
        given = [name for name in changed if name.startswith(("labs/", "grade/")) and not trees.matches(name, lab.files)]
        assert changed and not given, f"{mutant.name} changes {given}"
        assert mutant.words.get("About"), mutant.name
        lab.find(mutant.check)
        seen.add(mutant.name)
    assert len(seen) >= 7, f"{lab.name} has {len(seen)} wrong solutions"


@EACH
def test_handouts_in_two_languages(lab):
    texts = {name: (lab.folder / name).read_text(encoding="utf-8") for name in ("README.md", "README.es.md")}
    heads = {name: re.findall(r"^(#+) ", text, re.M) for name, text in texts.items()}
    assert heads["README.md"] == heads["README.es.md"]
    assert all(text.count("<details>") == 3 and text.count("</details>") == 3 for text in texts.values()), "three levels of hints"
    blocks = {name: len(re.findall(r"^```|^    \S", text, re.M)) for name, text in texts.items()}
    assert abs(blocks["README.md"] - blocks["README.es.md"]) <= 6
    assert re.search(r"[áéíóúñ¿]", texts["README.es.md"]) and "make grade" in texts["README.md"]


@EACH
def test_a_student_gets_no_solution(lab, reference):
    tree = course.student_files(lab)
    assert f"labs/{lab.folder.name}/checks.py" in tree and f"labs/{lab.folder.name}/README.es.md" in tree
    assert not [name for name in tree if "/mutants/" in name or name.endswith(("starter.patch", "hidden.py"))]
    assert not [name for name in tree if re.match(r"labs/\d", name) and not name.startswith(f"labs/{lab.folder.name}/")]
    for name in {name for name in tree if tree[name] != reference.get(name)}:
        assert trees.matches(name, lab.files), f"the starter changes {name}, which students do not write"


def test_there_are_labs():
    assert LABS and len({lab.number for lab in LABS}) == len(LABS)
