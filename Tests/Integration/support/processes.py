"""Processes that the tests start, and end by their id."""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
from pathlib import Path

from .waiting import eventually

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    """Runs in the child: a killed test run takes its servers along."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def clean_environment(**settings):
    """Only what a program needs from the tester's environment, plus the given settings."""
    names = ("PATH", "HOME", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE", "TZ")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", **{name: str(value) for name, value in settings.items()}}


def unprivileged_user():
    """The user PostgreSQL runs as: it refuses root. None: who we are."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("no user postgres or nobody to run PostgreSQL as")


class ServerProcess:
    """One server process of ours, with its log. Ended by process id, with its children."""

    def __init__(self, command, log_path, environment=None, user=None, pass_fds=()):
        self.log_path = Path(log_path)
        as_user = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment if environment is not None else clean_environment(),
                start_new_session=True,
                preexec_fn=die_with_parent,
                pass_fds=pass_fds,
                **as_user,
            )

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process.poll() is None

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def pids(self):
        """The process and its children, which PostgreSQL puts into sessions of their own."""
        found, look_at = [], [self.pid]
        while look_at:
            pid = look_at.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                look_at += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return found

    def send(self, number):
        os.kill(self.pid, number)

    def pause(self):
        """Hangs it: connections stay, nothing answers. Parents first, so that no child is born unnoticed."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in reversed(self.pids()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def wait(self, deadline=60):
        """The exit status; negative: the signal that ended it."""
        return self.process.wait(deadline)

    def kill(self):
        """Ends it and its children as a crash does."""
        pids = self.pids() if self.running else []
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        status = self.process.wait(60)
        eventually(lambda: not any(is_alive(pid) for pid in pids), f"the end of {pids}")
        return status

    def stop(self, number=signal.SIGTERM):
        """Ends it in order, and by force if it does not end."""
        if not self.running:
            return self.process.returncode
        self.resume()
        self.send(number)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"process {self.pid} did not end by signal {number}:\n{self.log()}") from None


def is_alive(pid):
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except OSError:
        return False
