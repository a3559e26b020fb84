"""Shell scripts as test cases: all of them run in one boot, each in a folder of its own.

    SCRIPTS = Scripts()
    SCRIPTS.add("and_or", "true && echo yes", "yes\\n", 0)
    ...
    def test_script(case, outputs):  SCRIPTS.check(outputs, case)

A case is a file in an image made for it; `sh FILE` runs it, and what the console shows is compared, messages on stderr
included. Nothing is typed, so nothing is quoted twice.
"""
import re
import subprocess
from collections import namedtuple

from lib.machine import batch
from lib.paths import MKFS, flavour, programs

Case = namedtuple("Case", "name script expected status")

DRIVER = """\
for f in {names}
do
    mkdir /play; cd /play
    echo @begin $f
    sh /cases/$f one 'two  words' three
    echo @end $f $?
    cd /
    rm -r /play
done
"""


def make_image(to, files, build=None, extra=()):
    """An image with all programs, the files {path in the image: text}, and further programs from build/bin."""
    build = build or flavour(False)
    entries = ["/tmp/", "/dev/console=c:1,0", "/dev/null=c:2,0", "/dev/zero=c:3,0"]
    entries += [f"/bin/{name}={build}/bin/{name}" for name in sorted({*programs("bin"), *extra})]
    for number, (path, text) in enumerate(files.items()):
        source = to.parent / f"{to.stem}-{number}"
        source.write_text(text)
        entries.append(f"{path}={source}")
    subprocess.run([str(MKFS), "-o", str(to), "-s", "16M", *entries], check=True, stdout=subprocess.DEVNULL)
    return to


class Scripts:
    def __init__(self):
        self.cases = {}

    def add(self, name, script, expected, status=0):
        """expected: the text, or a compiled pattern that matches all of it."""
        assert name not in self.cases
        self.cases[name] = Case(name, script, expected, status)

    def run(self, folder, **machine):
        """{name: (output, status)} of all cases."""
        files = {f"/cases/{case.name}": case.script + "\n" for case in self.cases.values()}
        files["/driver"] = DRIVER.format(names=" ".join(self.cases))
        image = make_image(folder / "cases.img", files)
        console = batch("sh /driver", image=image, **machine).console.replace("\r", "")
        found = re.finditer(r"^@begin (\w+)\n(.*?)^@end \1 (-?\d+)$", console, re.M | re.S)
        return {match[1]: (match[2], int(match[3])) for match in found}

    def check(self, outputs, name):
        case = self.cases[name]
        assert name in outputs, f"{name} did not come to its end"
        text, status = outputs[name]
        if isinstance(case.expected, str):
            assert text == case.expected, case.script
        else:
            assert case.expected.fullmatch(text), f"{case.script}\ngave {text!r}\nnot {case.expected.pattern!r}"
        assert status == case.status, f"{case.script}\nstatus {status}, not {case.status}"
