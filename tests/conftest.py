"""Shared by all tests: builds are made once, results are counted for the last line of `make test`."""
import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lib import paths  # noqa: E402
from lib.images import make_image  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "riscv(reason): runs on the RISC-V machine only")
    config.addinivalue_line("markers", "i386(reason): runs on the i386 machine only")
    config.addinivalue_line("markers", "host: needs no machine; runs once")


def key_of(item):
    """What distinguishes a test once no machine has more CPUs than this one can."""
    parameters = getattr(item, "callspec", None)
    values = dict(parameters.params) if parameters else {}
    if isinstance(values.get("machine"), dict):
        values.update(values.pop("machine"))
    if isinstance(values.get("cpus"), int):
        values["cpus"] = min(values["cpus"], paths.CPUS_MAX)
    return item.nodeid.split("[")[0], repr(sorted(values.items(), key=lambda pair: pair[0]))


def pytest_collection_modifyitems(config, items):
    """On the i386 machine: tests of the host are not run again, tests that differ only in the number of CPUs run once, and what
    is about the other machine is skipped with its reason."""
    other = "i386" if paths.ON_RISCV else "riscv"
    seen, dropped = set(), []
    for item in list(items):
        mark = item.get_closest_marker(other)
        if mark:
            item.add_marker(pytest.mark.skip(reason=f"{other} only: {mark.args[0]}"))
        if paths.ON_I386 and (item.get_closest_marker("host") or key_of(item) in seen):
            dropped.append(item)
        seen.add(key_of(item))
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


def build_all():
    """tools/test has built everything and says so; a bare pytest builds here."""
    if "TAMAL_BUILT" not in os.environ:
        paths.make("-s", "-j2", "all", str(paths.FSCK.relative_to(paths.ROOT)))
        paths.make("-s", "-j2", "kernel", DEBUG=1)
        os.environ["TAMAL_BUILT"] = "1"


@pytest.fixture(scope="session", autouse=True)
def built(request):
    # Host-only files need neither kernel nor image.
    if any(item.path.name not in ("test_mkfs.py", "test_host.py") for item in request.session.items):
        build_all()


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.fixture(scope="session")
def image_with_small_log(built, tmp_path_factory):
    """All programs, and a log that is full soon: see user/tests/around.c."""
    return make_image(tmp_path_factory.mktemp("image") / "disk.img", f"/README={paths.ROOT / 'README.md'}", size="32M", log=64,
                      tests=paths.programs("tests"))


def pytest_terminal_summary(terminalreporter):
    """Counts for tools/test: an error in a fixture is a failure of the test that needed it."""
    where = os.environ.get("TAMAL_COUNTS")
    if where:
        stats = terminalreporter.stats
        count = {name: len(stats.get(name, [])) for name in ("passed", "failed", "error", "skipped", "xfailed", "xpassed")}
        Path(where).write_text(json.dumps(count))
