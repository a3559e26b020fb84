"""Trees of files: what a student hands in, laid into what must be as it was given; patches; builds with limits.

A student's folder or repository is only read: nothing in it is run, and git, which obeys a repository's own settings, is asked only about
trees of ours and bare copies of theirs.
"""
import fnmatch
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from guest import HostError

FILE_MAX = 1 << 20                  # bytes of a source file that is taken over
BUILD_SECONDS = 300                 # of the clock
BUILD_CPU = 240                     # of one process's processor time
BUILD_FILE = 512 << 20
BUILD_MEMORY = 1 << 30               # of one process
BUILD_PROCESSES = 400               # more than the user has at that time
OUTPUT_MAX = 200_000
DISK_LEAST = 8 << 20                # with less, it is the host that fails
LISTING_MAX = 8 << 20               # bytes of a commit's list of files
ROOT = Path(__file__).resolve().parent.parent
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix", "/etc/alternatives", "/etc/ld.so.cache")
SKIP = {"build", ".git", "compile_commands.json", "__pycache__"}


class BuildError(Exception):
    """The tree does not build: the student's doing. output: what the compiler said."""

    def __init__(self, why, output):
        super().__init__(why)
        self.why, self.output = why, output


def git_environment():
    """What git is told by a hook that calls us is about another repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def git(folder, *words, **more):
    """As subprocess.run(); where git is not installed there are no repositories."""
    try:
        return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, env=git_environment(), **more)
    except FileNotFoundError:
        return subprocess.CompletedProcess(words, 127, *(("", "") if more.get("text") else (b"", b"")))


def files_of(tree):
    """Paths of the files of a tree of ours: those git knows where it is a repository, else all but what is made."""
    done = git(tree, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    top = os.fsdecode(git(tree, "rev-parse", "--show-toplevel").stdout.rstrip(b"\n"))
    if done.returncode == 0 and top and os.path.realpath(top) == os.path.realpath(tree):
        names = [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
        return sorted(name for name in set(names) if os.path.lexists(os.path.join(tree, name)))
    return files_below(tree)


def files_below(tree):
    """Paths of all files but what is made; links to folders are not followed."""
    found = []
    for folder, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if name not in SKIP]
        found += [os.path.relpath(os.path.join(folder, name), tree) for name in names if name not in SKIP]
    return sorted(found)


def contents(tree, name):
    """Bytes and mode of a plain file, or None: a link, a device, too large, not to be read."""
    path = os.path.join(tree, name)
    if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) > FILE_MAX:
        return None
    if os.path.commonpath([os.path.realpath(path), os.path.realpath(tree)]) != os.path.realpath(tree):
        return None
    try:
        with open(path, "rb") as file:
            return file.read(), plain_mode(os.stat(path).st_mode)
    except PermissionError:
        return None


def plain_mode(mode):
    """Whoever packed a file may have had other rights."""
    return 0o755 if mode & 0o100 else 0o644


def commit_files(repository, commit, globs=None):
    """{path: (bytes, mode)} of a commit's plain files as they are stored: no filter, attribute or line ending of this host's; with
    globs, only what the lab asks for. ValueError: git cannot read it, or it has too many files."""
    listing = subprocess.Popen(["git", "-C", str(repository), "ls-tree", "-r", "-z", "-l", "--full-tree", commit], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, env=git_environment())
    with listing:
        rows = listing.stdout.read(LISTING_MAX + 1)
        listing.kill()
    if not rows or len(rows) > LISTING_MAX:
        raise ValueError("its commit cannot be listed, or has too many files")
    found = {}
    for row in rows.split(b"\0")[:-1]:
        about, _, name = row.partition(b"\t")
        mode, kind, blob, size = about.split()
        if kind == b"blob" and mode.startswith(b"100") and int(size) <= FILE_MAX:
            found[os.fsdecode(name)] = (blob, plain_mode(int(mode, 8)))
    found = wanted(found, globs)
    done = git(repository, "cat-file", "--batch", input=b"".join(blob + b"\n" for blob, _ in found.values()))
    tree, at = {}, 0
    for name, (blob, mode) in found.items():                # each: ID blob SIZE, a line end, the bytes, a line end
        start = done.stdout.index(b"\n", at) + 1
        at = start + int(done.stdout[at:start].split()[2]) + 1
        tree[name] = (done.stdout[start:at - 1], mode)
    return tree


def wanted(found, globs):
    """Of {path: ...} what the lab asks for, from the folder nearest to the top in which it lies, however it was packed."""
    if globs is None:
        return found
    tops = {name[:at] for name in found for at in [0, *(slash.end() for slash in re.finditer("/", name))] if matches(name[at:], globs)}
    top = min(tops, key=lambda top: (top.count("/"), top), default="")
    return {name[len(top):]: both for name, both in found.items() if name.startswith(top) and matches(name[len(top):], globs)}


def handed_in(folder, globs):
    """{path: (bytes, mode)} of the files in a student's folder that the lab asks for."""
    found = wanted({name: name for name in files_below(folder)}, globs)
    return {name: both for name, path in found.items() if (both := contents(folder, path)) is not None}


def first_commit(tree):
    """{path: (bytes, mode)} of the repository's first commit, as `make lab` made it; None: this is no such repository."""
    roots = git(tree, "rev-list", "--max-parents=0", "HEAD", text=True)
    if roots.returncode != 0 or not (Path(tree) / ".git").exists() or len(roots.stdout.split()) != 1:
        return None
    if git(tree, "log", "-1", "--format=%s", roots.stdout.strip(), text=True).stdout.strip() != STARTER_SUBJECT:
        return None
    return commit_files(tree, roots.stdout.strip())


STARTER_SUBJECT = "starter of the lab"


def snapshot(tree):
    return {name: both for name in files_of(tree) if (both := contents(tree, name)) is not None}


def matches(name, globs):
    return any(fnmatch.fnmatch(name, glob) for glob in globs)


def compose(pristine, submission, globs):
    """What is graded: the submission's files where students write; everything else, and what is not in it, as it was given."""
    return {**pristine, **{name: both for name, both in submission.items() if matches(name, globs)}}


def lay_out(tree, folder):
    """Make `folder` hold exactly these files, besides build/. What is the same already stays untouched, so make need not do it
    again."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in files_of_folder(folder):
        if name not in tree:
            (folder / name).unlink()
    for name, (data, mode) in tree.items():
        path = folder / name
        if path.is_file() and not path.is_symlink() and path.read_bytes() == data and path.stat().st_mode & 0o755 == mode:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(mode)


def files_of_folder(folder):
    found = []
    for here, folders, names in os.walk(folder):
        if Path(here) == Path(folder):
            folders[:] = [name for name in folders if name != "build"]
        found += [os.path.relpath(os.path.join(here, name), folder) for name in names]
    return found


def patched(tree, patch, *command):
    """{path: (bytes, mode)} after this command, which reads the patch, ran in a folder with the files it touches. ValueError: its words."""
    patch = Path(patch).resolve()
    with tempfile.TemporaryDirectory(prefix="tamal-patch.") as folder:
        touched = {line.split(" b/", 1)[1] for line in patch.read_text().splitlines() if line.startswith("diff --git ")}
        lay_out({name: both for name, both in tree.items() if name in touched}, folder)
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(Path(folder).parent)}
        done = subprocess.run([*command, str(patch)], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        if done.returncode != 0:
            raise ValueError(done.stdout.strip())
        rest = {name: both for name, both in tree.items() if name not in touched}
        return {**rest, **{name: contents(folder, name) for name in files_of_folder(folder)}}


def apply_patch(tree, patch):
    return patched(tree, patch, "git", "apply", "--whitespace=nowarn")


def apply_near(tree, patch):
    """Also where lines around it have moved or changed a little."""
    return patched(tree, patch, "patch", "-p1", "-s", "-F", "2", "--no-backup-if-mismatch", "-i")


# ---- Builds

def own_threads():
    """How many this user has: the system counts a desktop's too, not only ours."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/task"):
        try:
            found += path.stat().st_nlink - 2 if path.stat().st_uid == os.getuid() else 0
        except OSError:
            pass
    return found


def limits(processes):
    """In a child: no limit is raised above what the host set."""
    os.setsid()
    for what, value in ((resource.RLIMIT_CPU, BUILD_CPU), (resource.RLIMIT_FSIZE, BUILD_FILE), (resource.RLIMIT_CORE, 0),
                        (resource.RLIMIT_AS, BUILD_MEMORY), (resource.RLIMIT_NPROC, processes)):
        most = resource.getrlimit(what)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(what, (value, value))


def sandbox(folder):
    """Words before a command that shows it the system's compilers and its own folder, nothing else, where bubblewrap is installed and
    works; else none."""
    if shutil.which("bwrap") is None:
        return []
    system = [word for path in SYSTEM for word in ("--ro-bind-try", path, path)]
    words = ["bwrap", *system, "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", str(ROOT), "--bind", str(folder), str(folder),
             "--unshare-pid", "--unshare-net", "--unshare-ipc", "--die-with-parent", "--chdir", str(folder)]
    try:
        works = subprocess.run([*words, "true"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        works = False
    return words if works else []


def run_limited(command, folder, seconds=BUILD_SECONDS, contained=False):
    """(status, output): the end of the output when it is long; status None: it took too long."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    for name in ("ARCH", "APPEND", "DEBUG", "CPUS", "MEM", "SEED", "DISK", "PROGRAMS", "PROG", "V", "LAB", "CHECK"):
        environment.pop(name, None)
    words = (sandbox(folder) if contained else []) + [str(word) for word in command]
    processes = own_threads() + BUILD_PROCESSES
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, preexec_fn=lambda: limits(processes))
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)              # and whatever it left behind
            except ProcessLookupError:
                pass
            process.wait()
        size = output.seek(0, os.SEEK_END)
        output.seek(max(size - OUTPUT_MAX, 0))
        return status, output.read().decode("utf-8", "replace")


def foreign_files(folder, objects):
    """What these objects were compiled from, by the compiler's own notes, and does not lie in the folder: somebody else's work?"""
    notes = " ".join(file.read_text(errors="replace") for file in objects.rglob("*.d")).split()
    top = os.path.realpath(folder)
    return sorted({path for path in notes if os.path.commonpath([os.path.realpath(os.path.join(top, path)), top]) != top})


class Built:
    """A tree that was built for a lab: the kernel, the program of its checks, mkfs."""

    def __init__(self, folder, lab, contained=False):
        self.folder, self.lab = Path(folder), lab
        checks = f"labs/{lab.folder.name}/checks.c"
        flavour = self.folder / "build" / f"{lab.machine}-debug"
        self.kernel, self.mkfs = flavour / "kernel.elf", self.folder / "build" / "host" / "mkfs"
        self.program = None if lab.kernel else flavour / "bin" / "checks"
        self.bin = flavour / "bin"
        targets = ["kernel", "build/host/mkfs", *(f"{flavour.relative_to(self.folder)}/bin/{name}" for name in lab.programs)]
        words = ["make", "--no-print-directory", "-s", f"-j{os.cpu_count() or 1}", f"ARCH={lab.machine}", "DEBUG=1"]
        self.words, self.contained = list(words), contained
        self.lock, self.image_made = threading.Lock(), False
        if (self.folder / checks).exists():
            words.append(f"{'KERNEL_CHECKS' if lab.kernel else 'PROGRAMS'}={checks}")
            targets += [] if lab.kernel else [str(self.program.relative_to(self.folder))]
        status, self.output = run_limited([*words, *targets], self.folder, contained=contained)
        self.output = self.output.replace(f"{self.folder}/", "")        # the file that the student edits, not its copy
        if status is None:
            raise BuildError(f"the build was not over after {BUILD_SECONDS} s", self.output)
        if status != 0:
            if not (self.folder / "build" / f".tools-{lab.machine}").exists():         # the first thing that is made: the tools are here
                raise HostError(self.output.strip()[-400:])
            for place in (self.folder, tempfile.gettempdir()):
                if shutil.disk_usage(place).free < DISK_LEAST:
                    raise HostError(f"the disk that holds {place} is full")
            raise BuildError("the build failed", self.output)
        foreign = foreign_files(self.folder, flavour)
        if foreign:
            raise BuildError("a file from outside", "\n".join(f"error: {path} is included and not part of the tree" for path in foreign))

    def system_image(self):
        """The system's disk, made once: init, a shell, what ends the machine, and the lab's programs."""
        path = self.bin.parent / "grade.img"
        with self.lock:
            if not path.exists() or not self.image_made:
                names = sorted({"init", "sh", "halt", *self.lab.programs})
                targets = [str((self.bin / name).relative_to(self.folder)) for name in names]
                status, output = run_limited([*self.words, *targets], self.folder, contained=self.contained)
                if status != 0:
                    raise BuildError("the disk image could not be made", output)
                self.mkfs_run(path, "16M", *(f"/bin/{name}={self.bin / name}" for name in names))
                self.image_made = True
        return path

    def image(self, to, job):
        """The disk of one check: the check's program as /bin/init, what it shall do as /job."""
        path = Path(to)
        file = path.with_suffix(".job")
        file.write_text(job)
        entries = [f"/bin/{name}={self.bin / name}" for name in self.lab.programs]
        self.mkfs_run(path, "5M", f"/job={file}", f"/bin/init={self.program}", *entries)
        return path

    def mkfs_run(self, path, size, *entries):
        done = subprocess.run([str(self.mkfs), "-o", str(path), "-s", size, "-i", "256", "-l", "64", "/dev/console=c:1,0", "/dev/null=c:2,0",
                               "/dev/zero=c:3,0", "/tmp/", *entries], capture_output=True, text=True, errors="replace")
        if done.returncode != 0:
            raise HostError(f"mkfs: {done.stderr.strip()}")
