"""Trees of files: what a student hands in, laid into what must be as it was given; patches; builds with limits."""
import fnmatch
import io
import os
import resource
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
from pathlib import Path

from guest import HostError

FILE_MAX = 1 << 20                  # bytes of a source file that is taken over
BUILD_SECONDS = 300                 # of the clock
BUILD_CPU = 240                     # of one process's processor time
BUILD_FILE = 512 << 20
BUILD_MEMORY = 1 << 30               # of one process
BUILD_PROCESSES = 400
OUTPUT_MAX = 200_000
SKIP = {"build", ".git", "compile_commands.json", "__pycache__"}


class BuildError(Exception):
    """The tree does not build: the student's doing. output: what the compiler said."""

    def __init__(self, why, output):
        super().__init__(why)
        self.why, self.output = why, output


def git(folder, *words, **more):
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, **more)


def files_of(tree):
    """Paths of a tree's own files: those git knows where it is a repository, else all but what is made."""
    done = git(tree, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    top = git(tree, "rev-parse", "--show-toplevel", text=True)
    if done.returncode == 0 and top.returncode == 0 and os.path.realpath(top.stdout.strip()) == os.path.realpath(tree):
        names = [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
        return sorted(name for name in set(names) if os.path.lexists(os.path.join(tree, name)))
    found = []
    for folder, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if name not in SKIP]
        found += [os.path.relpath(os.path.join(folder, name), tree) for name in names if name not in SKIP]
    return sorted(found)


def contents(tree, name):
    """Bytes and mode of a plain file, or None: a link, a device, too large."""
    path = os.path.join(tree, name)
    if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) > FILE_MAX:
        return None
    if os.path.commonpath([os.path.realpath(path), os.path.realpath(tree)]) != os.path.realpath(tree):
        return None
    with open(path, "rb") as file:
        return file.read(), os.stat(path).st_mode & 0o755


def first_commit(tree):
    """{path: (bytes, mode)} of the repository's first commit, as `make lab` made it; None: this is no such repository."""
    roots = git(tree, "rev-list", "--max-parents=0", "HEAD", text=True)
    if roots.returncode != 0 or not (Path(tree) / ".git").exists() or len(roots.stdout.split()) != 1:
        return None
    if git(tree, "log", "-1", "--format=%s", roots.stdout.strip(), text=True).stdout.strip() != STARTER_SUBJECT:
        return None
    archive = git(tree, "archive", roots.stdout.strip())
    if archive.returncode != 0:
        return None
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        for member in tar:
            if member.isfile():
                found[member.name] = (tar.extractfile(member).read(), member.mode & 0o755)
    return found


STARTER_SUBJECT = "starter of the lab"


def snapshot(tree):
    return {name: both for name in files_of(tree) if (both := contents(tree, name)) is not None}


def matches(name, globs):
    return any(fnmatch.fnmatch(name, glob) for glob in globs)


def compose(pristine, submission, globs):
    """What is graded: the submission's files where students write, everything else as it was given."""
    tree = {name: both for name, both in pristine.items() if not matches(name, globs)}
    tree.update({name: both for name, both in submission.items() if matches(name, globs)})
    return tree


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

def limits():
    os.setsid()
    for what, value in ((resource.RLIMIT_CPU, BUILD_CPU), (resource.RLIMIT_FSIZE, BUILD_FILE), (resource.RLIMIT_CORE, 0),
                        (resource.RLIMIT_AS, BUILD_MEMORY)):
        resource.setrlimit(what, (value, value))
    if os.getuid() != 0:                # root is not counted
        most = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        value = BUILD_PROCESSES if most == resource.RLIM_INFINITY else min(BUILD_PROCESSES, most)
        resource.setrlimit(resource.RLIMIT_NPROC, (value, most))


def sandbox(folder):
    """Words before a command that keep it in its folder, where bubblewrap is installed and works; else none."""
    if shutil.which("bwrap") is None:
        return []
    hidden = [word for path in ("/root", "/home", "/var", "/run") if os.path.isdir(path) for word in ("--tmpfs", path)]
    hidden += [word for path in ("/etc/shadow", "/etc/gshadow") if os.path.exists(path) for word in ("--ro-bind", "/dev/null", path)]
    words = ["bwrap", "--ro-bind", "/", "/", *hidden, "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--bind", str(folder),
             str(folder), "--unshare-pid", "--unshare-net", "--unshare-ipc", "--die-with-parent", "--chdir", str(folder)]
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
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, preexec_fn=limits)
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
            if "is not installed" in self.output or "tools/setup: " in self.output:
                raise HostError(self.output.strip()[-400:])
            raise BuildError("the build failed", self.output)

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
                               "/dev/zero=c:3,0", "/tmp/", *entries], capture_output=True, text=True)
        if done.returncode != 0:
            raise HostError(f"mkfs: {done.stderr.strip()}")
