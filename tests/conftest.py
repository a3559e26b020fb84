"""Shared by all tests: builds are made once, results are counted for the last line of `make test`."""
import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lib import paths  # noqa: E402
from lib.images import make_image  # noqa: E402


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
