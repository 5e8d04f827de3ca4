"""A Debian booted under systemd-nspawn, without a network, on a copy of the base tree.

machinectl needs a host whose first process is systemd. nsenter needs nothing, and files within are reached through
/proc/PID/root.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from support.processes import die_with_parent
from support.waiting import eventually

CGROUPS = Path("/sys/fs/cgroup")
BOOT_SECONDS_MAX = 60
STOP_SECONDS_MAX = 40
COMMAND_SECONDS_MAX = 120
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
# Set, trees are copied as where there is no overlayfs.
NO_OVERLAY = "LIKESD_PACKAGE_TEST_COPIES"
# Wide enough that systemctl cuts nothing off.
COLUMNS = 400


class Failed(AssertionError):
    """A command within ended with a status that was not expected."""


class Result:
    """What a command within did: its status, and all it said on both outputs."""

    def __init__(self, command, done):
        self.command = command
        self.status = done.returncode
        self.output = done.stdout
        self.errors = done.stderr

    def __repr__(self):
        return f"{self.command}: exit status {self.status}\n{self.output}{self.errors}"


class Overlay:
    """A copy that costs nothing, where the kernel has overlayfs. Its layers are folders, newest first."""

    def __init__(self, layers, folder):
        self.root = folder / "root"
        upper, work = folder / "upper", folder / "work"
        for path in (self.root, upper, work):
            path.mkdir()
        options = f"lowerdir={':'.join(map(str, layers))},upperdir={upper},workdir={work}"
        mount = ["mount", "-t", "overlay", "-o", options, "overlay", self.root]
        subprocess.run(mount, check=True, capture_output=True, timeout=60)
        self.layers = [upper, *layers]

    def remove(self):
        subprocess.run(["umount", "--lazy", self.root], check=True, capture_output=True, timeout=60)


class Copy:
    """A copy that costs a few seconds, everywhere."""

    def __init__(self, layers, folder):
        self.root = folder / "root"
        assert len(layers) == 1, f"{layers} can only be laid over one another"
        command = ["cp", "-a", "--reflink=auto", "--", layers[0], self.root]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        self.layers = [self.root]

    def remove(self):
        pass


def copy_of(layers, folder):
    """A copy of a tree, by its layers: a single folder, or those of another copy."""
    folder.mkdir()
    if not os.environ.get(NO_OVERLAY):
        with contextlib.suppress(subprocess.CalledProcessError):
            return Overlay(layers, folder)
        for name in ("root", "upper", "work"):
            shutil.rmtree(folder / name, ignore_errors=True)
    return Copy(layers, folder)


def cgroup_roots():
    """Where systemd keeps its groups: one place, or two on a host that has both kinds."""
    both = [CGROUPS / name for name in ("systemd", "unified") if (CGROUPS / name / "cgroup.procs").exists()]
    return both or [CGROUPS]


class Container:
    """One booted tree."""

    def __init__(self, layers, folder, name):
        self.folder = Path(folder)
        self.name = name
        self.copy = copy_of(layers, self.folder)
        self.tree = self.copy.root
        self.groups = [root / f"ns-{name}" for root in cgroup_roots()]
        self.console = self.folder / "console.log"
        self.process = None
        self.pid = None

    def start(self):
        (self.tree / "etc/hostname").write_text(f"{self.name}\n", encoding="ascii")
        # debootstrap makes none, and without it there is no localhost.
        hosts = f"127.0.0.1 localhost {self.name}\n::1 localhost ip6-localhost\n"
        (self.tree / "etc/hosts").write_text(hosts, encoding="ascii")
        for group in self.groups:
            group.mkdir(exist_ok=True)
        command = ["systemd-nspawn", "-q", "-D", self.tree, f"--machine={self.name}", "--boot", "--register=no"]
        command += ["--keep-unit", "--private-network", "--console=pipe"]
        with self.console.open("ab") as console:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                preexec_fn=self._enter,
            )
        eventually(self._find_first_process, f"{self.name} to start", BOOT_SECONDS_MAX)
        # The bus is there a moment later than the first process.
        eventually(lambda: self.run("systemctl", "is-system-running", "--wait", ok=None).status <= 1, "the boot to end")
        state = self.run("systemctl", "is-system-running", ok=None).output.strip()
        assert state == "running", f"{state}\n{self.run('systemctl', '--failed').output}"
        return self

    def _enter(self):
        die_with_parent()
        for group in self.groups:
            (group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    def _find_first_process(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"systemd-nspawn ended with {self.process.returncode}:\n{self.console.read_text()}")
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.pid = int(children[0]) if children else None
        return self.pid and Path(f"/proc/{self.pid}/root/run/systemd/private").exists()

    @property
    def root(self):
        """The files as the container sees them, /run included."""
        return Path(f"/proc/{self.pid}/root")

    @property
    def socket(self):
        return self.root / "run/likesd/likesd.sock"

    def run(self, *command, ok=0, seconds=COMMAND_SECONDS_MAX, **environment):
        """Runs a command within, as root. `ok` is the status it has to end with, None for any."""
        words = [str(word) for word in command]
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid), "--all", "--", *words],
            env={**ENVIRONMENT, "COLUMNS": str(COLUMNS), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
        )
        result = Result(" ".join(words), done)
        if ok is not None and result.status != ok:
            raise Failed(repr(result))
        return result

    def shell(self, line, **options):
        """A line as somebody types it."""
        return self.run("bash", "-c", line, **options)

    def show(self, unit, *names):
        """Properties of a unit, by name."""
        said = self.run("systemctl", "show", unit, *(part for name in names for part in ("-p", name)))
        return dict(line.split("=", 1) for line in said.output.splitlines() if "=" in line)

    def main_pid(self, unit="likesd"):
        return int(self.show(unit, "MainPID")["MainPID"])

    def outer_pid(self, pid):
        """The number that a process of the container has on this machine."""
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                numbers = status.read_text().split("NSpid:", 1)[1].split("\n", 1)[0].split()
                same = os.readlink(status.parent / "ns/pid") == os.readlink(f"/proc/{self.pid}/ns/pid")
                if same and int(numbers[-1]) == pid:
                    return int(numbers[0])
        raise AssertionError(f"no process {pid} in {self.name}")

    def ctl(self, *arguments, **options):
        return self.run("likesctl", *arguments, **options)

    def health(self, socket=None):
        """HEALTH, by name."""
        where = ("--socket", socket) if socket else ()
        said = self.ctl("--json", *where, "health", ok=None)
        assert said.output.startswith("{"), said
        return json.loads(said.output)

    def sql(self, statement, database="likes"):
        """The rows of a query, each a list of words."""
        said = self.run("runuser", "-u", "postgres", "--", "psql", "-XAt", "-F", " ", "-d", database, "-c", statement)
        return [line.split(" ") for line in said.output.splitlines()]

    def cursor(self):
        """The place in the journal that the next entry comes behind."""
        said = self.run("journalctl", "-q", "-n", "1", "--show-cursor", "-o", "cat").output
        return said.rsplit("-- cursor: ", 1)[1].strip()

    def journal(self, *arguments, after=None):
        behind = ("--after-cursor", after) if after else ()
        self.run("journalctl", "--sync")
        return self.run("journalctl", "-q", "--no-pager", "-o", "cat", *behind, *arguments).output

    def put(self, path, text, mode=0o644):
        """Writes a file within."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        target.chmod(mode)

    def read(self, path):
        return (self.root / path.lstrip("/")).read_text(encoding="utf-8")

    def power_off(self):
        """The tree stays, as it is after a shutdown."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_SECONDS_MAX)
        self.process = self.pid = None
        for group in self.groups:
            remove_group(group)

    def stop(self):
        """Powers it off and takes everything away."""
        self.power_off()
        self.copy.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


def remove_group(group):
    """Removes a control group and those below it. One with a process in it stays, for the next run to remove."""
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
